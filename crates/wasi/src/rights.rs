//! The rights a descriptor carries, as the bits of the WASI type `rights`.
//!
//! Every descriptor reports *base* rights (what may be done with it) and *inheriting* rights (what descriptors opened through
//! it may get). Rights that make no sense for a kind of object are never reported of it, even when a guest asks: a directory
//! has no `FD_READ`, a file no `PATH_OPEN`.
//!
//! # Which rights decide
//!
//! `FD_READ` and `FD_WRITE` are the access mode that a descriptor was opened with, as `O_RDONLY` and `O_WRONLY` are
//! elsewhere. No other right has to be asked for: toolchains stopped to maintain the rest, and open directories without
//! `PATH_FILESTAT_SET_SIZE`, or files without `FD_SEEK`, that they then truncate through and seek in. What a guest takes away
//! by `fd_fdstat_set_rights` is refused from then on, on that descriptor or on those opened through it.
//!
//! | calls | what they look at |
//! |---|---|
//! | `fd_read`, `fd_pread`, `sock_recv` | `FD_READ` as opened; `fd_pread` also `FD_SEEK` if taken away |
//! | `fd_write`, `fd_pwrite`, `sock_send` | `FD_WRITE` as opened; `fd_pwrite` also `FD_SEEK` if taken away |
//! | every other call on a descriptor or below a directory | the right that has its name, if taken away |
//! | `fd_close`, `fd_renumber`, `fd_prestat_*`, `fd_fdstat_get`, `fd_fdstat_set_rights`, and calls without descriptor | nothing |
//!
//! An inherited standard stream was granted for its bytes: the rights to change its file's size, blocks and times count as
//! taken away from the start.

/// Declares the right bits in the order of the standard.
macro_rules! rights {
    ($($(#[$doc:meta])* $name:ident = $bit:literal;)*) => {
        $($(#[$doc])* pub const $name: u64 = 1 << $bit;)*
        /// Every right there is.
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
    /// `path_link` from here.
    PATH_LINK_SOURCE = 11;
    /// `path_link` to here.
    PATH_LINK_TARGET = 12;
    /// `path_open`.
    PATH_OPEN = 13;
    /// `fd_readdir`.
    FD_READDIR = 14;
    /// `path_readlink`.
    PATH_READLINK = 15;
    /// `path_rename` from here.
    PATH_RENAME_SOURCE = 16;
    /// `path_rename` to here.
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

/// All that can be done with a directory itself.
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

/// All that can be done with a file that has a position.
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

/// All that can be done with a stream: a terminal, a pipe. Without `FD_SEEK` and `FD_TELL`, which is half of how wasi-libc
/// recognises a terminal.
pub const STREAM: u64 = FILE & !(FD_SEEK | FD_TELL | FD_ADVISE | FD_ALLOCATE | FD_FILESTAT_SET_SIZE);

/// All that can be done with a connected socket.
pub const SOCKET: u64 = FD_READ | FD_WRITE | FD_FDSTAT_SET_FLAGS | FD_FILESTAT_GET | POLL_FD_READWRITE | SOCK_SHUTDOWN;

/// All that can be done with a listening socket.
pub const LISTENER: u64 = FD_FDSTAT_SET_FLAGS | FD_FILESTAT_GET | POLL_FD_READWRITE | SOCK_ACCEPT;
