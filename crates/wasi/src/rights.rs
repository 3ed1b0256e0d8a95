//! The rights of a descriptor, as the bits of the WASI type [`rights`].
//!
//! Every descriptor reports *base* rights, for operations on itself, and *inheriting* rights, which descriptors opened through
//! it may get. A descriptor never reports rights that make no sense for its kind of object, even when a guest asks for them: a
//! directory has no `FD_READ`, a file no `PATH_OPEN`.
//!
//! # Which rights decide?
//!
//! `FD_READ` and `FD_WRITE` are the access mode of a descriptor, as `O_RDONLY` and `O_WRONLY` are in POSIX. A guest need not
//! ask for any other right. Toolchains no longer maintain the others: they open directories without `PATH_FILESTAT_SET_SIZE`
//! and files without `FD_SEEK`, and then truncate through the former and seek in the latter. A right that the guest revokes
//! with `fd_fdstat_set_rights` is refused from then on, on that descriptor and on descriptors opened through it.
//!
//! | calls | access mode that they need | right whose revocation they check |
//! |---|---|---|
//! | `fd_read`, `sock_recv` | `FD_READ` | none |
//! | `fd_pread` | `FD_READ` | `FD_SEEK` |
//! | `fd_write`, `sock_send` | `FD_WRITE` | none |
//! | `fd_pwrite` | `FD_WRITE` | `FD_SEEK` |
//! | `fd_close`, `fd_renumber`, `fd_prestat_*`, `fd_fdstat_get`, `fd_fdstat_set_rights` | none | none |
//! | every other call on a descriptor or below a directory | none | the right of the same name |
//!
//! An inherited standard stream is granted for its bytes only. The rights to change its file's size, blocks and times are
//! revoked from the start.
//!
//! [`rights`]: https://github.com/WebAssembly/WASI/blob/main/legacy/preview1/docs.md#rights

/// Declares the bits in the order of the standard.
macro_rules! rights {
    ($($(#[$doc:meta])* $name:ident = $bit:literal;)*) => {
        $($(#[$doc])* pub const $name: u64 = 1 << $bit;)*
        /// All rights.
        pub const ALL: u64 = $($name)|*;
    };
}

rights! {
    /// `fd_datasync`.
    FD_DATASYNC = 0;
    /// `fd_read`, `sock_recv`, and with `FD_SEEK` also `fd_pread`.
    FD_READ = 1;
    /// `fd_seek`.
    FD_SEEK = 2;
    /// `fd_fdstat_set_flags`.
    FD_FDSTAT_SET_FLAGS = 3;
    /// `fd_sync`.
    FD_SYNC = 4;
    /// `fd_tell`.
    FD_TELL = 5;
    /// `fd_write`, `sock_send`, and with `FD_SEEK` also `fd_pwrite`.
    FD_WRITE = 6;
    /// `fd_advise`.
    FD_ADVISE = 7;
    /// `fd_allocate`.
    FD_ALLOCATE = 8;
    /// `path_create_directory`.
    PATH_CREATE_DIRECTORY = 9;
    /// `path_open` with `CREAT`.
    PATH_CREATE_FILE = 10;
    /// `path_link` from this directory.
    PATH_LINK_SOURCE = 11;
    /// `path_link` to this directory.
    PATH_LINK_TARGET = 12;
    /// `path_open`.
    PATH_OPEN = 13;
    /// `fd_readdir`.
    FD_READDIR = 14;
    /// `path_readlink`.
    PATH_READLINK = 15;
    /// `path_rename` from this directory.
    PATH_RENAME_SOURCE = 16;
    /// `path_rename` to this directory.
    PATH_RENAME_TARGET = 17;
    /// `path_filestat_get`.
    PATH_FILESTAT_GET = 18;
    /// `path_open` with `TRUNC`.
    PATH_FILESTAT_SET_SIZE = 19;
    /// `path_filestat_set_times`.
    PATH_FILESTAT_SET_TIMES = 20;
    /// `fd_filestat_get`.
    FD_FILESTAT_GET = 21;
    /// `fd_filestat_set_size`.
    FD_FILESTAT_SET_SIZE = 22;
    /// `fd_filestat_set_times`.
    FD_FILESTAT_SET_TIMES = 23;
    /// `path_symlink`.
    PATH_SYMLINK = 24;
    /// `path_remove_directory`.
    PATH_REMOVE_DIRECTORY = 25;
    /// `path_unlink_file`.
    PATH_UNLINK_FILE = 26;
    /// `poll_oneoff` on the descriptor.
    POLL_FD_READWRITE = 27;
    /// `sock_shutdown`.
    SOCK_SHUTDOWN = 28;
    /// `sock_accept`.
    SOCK_ACCEPT = 29;
}

/// Rights that make sense for a directory.
pub const DIRECTORY: u64 = FD_DATASYNC
    | FD_FDSTAT_SET_FLAGS
    | FD_SYNC
    | PATH_CREATE_DIRECTORY
    | PATH_CREATE_FILE
    | PATH_LINK_SOURCE
    | PATH_LINK_TARGET
    | PATH_OPEN
    | FD_READDIR
    | PATH_READLINK
    | PATH_RENAME_SOURCE
    | PATH_RENAME_TARGET
    | PATH_FILESTAT_GET
    | PATH_FILESTAT_SET_SIZE
    | PATH_FILESTAT_SET_TIMES
    | FD_FILESTAT_GET
    | FD_FILESTAT_SET_TIMES
    | PATH_SYMLINK
    | PATH_REMOVE_DIRECTORY
    | PATH_UNLINK_FILE
    | POLL_FD_READWRITE;

/// Rights that make sense for a file with a position.
pub const FILE: u64 = FD_DATASYNC
    | FD_READ
    | FD_SEEK
    | FD_FDSTAT_SET_FLAGS
    | FD_SYNC
    | FD_TELL
    | FD_WRITE
    | FD_ADVISE
    | FD_ALLOCATE
    | FD_FILESTAT_GET
    | FD_FILESTAT_SET_SIZE
    | FD_FILESTAT_SET_TIMES
    | POLL_FD_READWRITE;

/// Rights that make sense for a stream, such as a terminal or a pipe. [wasi-libc] recognises a terminal by the absence of
/// `FD_SEEK` and `FD_TELL`.
///
/// [wasi-libc]: https://github.com/WebAssembly/wasi-libc/blob/main/libc-bottom-half/sources/isatty.c
pub const STREAM: u64 = FILE & !(FD_SEEK | FD_TELL | FD_ADVISE | FD_ALLOCATE | FD_FILESTAT_SET_SIZE);

/// Rights that make sense for a connected socket.
pub const SOCKET: u64 = FD_READ | FD_WRITE | FD_FDSTAT_SET_FLAGS | FD_FILESTAT_GET | POLL_FD_READWRITE | SOCK_SHUTDOWN;

/// Rights that make sense for a listening socket.
pub const LISTENER: u64 = FD_FDSTAT_SET_FLAGS | FD_FILESTAT_GET | POLL_FD_READWRITE | SOCK_ACCEPT;
