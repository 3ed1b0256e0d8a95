//! The calls of WASI, one row each.
//!
//! In: the rows below. Out: [`MODULES`], from which a linker registers host functions, and [`find`].
//!
//! A row names a call, its parameters, and the function that implements it in `wasi_snapshot_preview1`. Its last part is the
//! call in `wasi_unstable`: the same function, another function, possibly with other parameters, or none. Signatures, argument
//! decoding, pointer checks and parameter names for tracing are derived from the row. Every call but `proc_exit` returns one
//! `i32`, the error number.
//!
//! Parameters are written like this:
//!
//! | notation | meaning |
//! |---|---|
//! | `i32`, `i64` | a number |
//! | `[U32]` | a pointer to one value with this layout of `layout` |
//! | `[U8; path_len]` | a pointer to as many values as parameter `path_len` says |
//! | `[]` | a pointer to values whose number only the call knows; the call itself checks the pointer |
//!
//! The generated code checks that all pointees are in memory before the call has any effect, even before it decodes its other
//! arguments. A call with a list of buffers first reads that list, which checks the buffers that it points to.
//!
//! Arguments come as raw 8-byte slots, one per parameter. An `i32` is in the low half of its slot, and the high half is
//! ignored. The linker checked the import's type. A wrong number of slots is therefore a bug of the embedder and panics.

use crate::calls::{args, clock, environ, fd, fd_io, path, poll, proc, random, sched, sock, unstable};
use crate::ctx::WasiCtx;
use crate::exit::{Exit, Outcome};
use crate::layout;
use crate::memory::GuestMemory;
use crate::pointer::Pointer;

/// WebAssembly type of a parameter or result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParamType {
    /// `i32`
    I32,
    /// `i64`
    I64,
}

/// One parameter of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Param {
    /// Name, close to the one in the WASI documentation.
    pub name: &'static str,
    /// WebAssembly type.
    pub ty: ParamType,
    /// True for an address in the guest's memory.
    pub is_pointer: bool,
}

/// Implementation of a call. Takes the context, the guest's memory, and one slot per parameter. Returns the error number for
/// the guest, or the reason for the guest's end.
pub type CallFn = fn(&mut WasiCtx, &mut GuestMemory<'_>, &[u64]) -> Result<u32, Exit>;

/// One host call.
#[derive(Clone, Copy, Debug)]
pub struct Call {
    /// Name in the import.
    pub name: &'static str,
    /// Parameters.
    pub params: &'static [Param],
    /// `Some(ParamType::I32)` for the error number; `None` for `proc_exit`.
    pub result: Option<ParamType>,
    /// Implementation.
    pub func: CallFn,
}

/// The calls of each module that guests import from.
pub static MODULES: [(&str, &[Call]); 2] = [("wasi_snapshot_preview1", PREVIEW1), ("wasi_unstable", UNSTABLE)];

/// Returns the call `name` of `module`.
pub fn find(module: &str, name: &str) -> Option<&'static Call> {
    let (_, calls) = MODULES.iter().find(|(known, _)| *known == module)?;
    calls.iter().find(|call| call.name == name)
}

/// Makes a [`Param`].
macro_rules! param {
    ($name:ident i32) => {
        Param { name: stringify!($name), ty: ParamType::I32, is_pointer: false }
    };
    ($name:ident i64) => {
        Param { name: stringify!($name), ty: ParamType::I64, is_pointer: false }
    };
    ($name:ident [$($pointee:tt)*]) => {
        Param { name: stringify!($name), ty: ParamType::I32, is_pointer: true }
    };
}

/// Checks the pointee of the pointer in slot `$name`.
macro_rules! check {
    ($mem:ident $name:ident []) => {};
    ($mem:ident $name:ident [$layout:ident]) => {
        $mem.check(Pointer::new(stringify!($name), $name as u32), 1, layout::$layout)?;
    };
    ($mem:ident $name:ident [$layout:ident; $count:ident]) => {
        $mem.check(Pointer::new(stringify!($name), $name as u32), $count as u32, layout::$layout)?;
    };
    ($mem:ident $name:ident $number:ident) => {};
}

/// Decodes the argument in slot `$name`.
macro_rules! argument {
    ($name:ident i32) => {
        $name as u32
    };
    ($name:ident i64) => {
        $name
    };
    ($name:ident [$($pointee:tt)*]) => {
        Pointer::new(stringify!($name), $name as u32)
    };
}

macro_rules! result {
    (errno) => {
        Some(ParamType::I32)
    };
    (never) => {
        None
    };
}

macro_rules! call {
    ($name:ident ($($param:ident: $ty:tt),*) $result:ident $func:path) => {
        Call {
            name: stringify!($name),
            params: &[$(param!($param $ty)),*],
            result: result!($result),
            func: |ctx, mem, slots| {
                let &[$($param),*] = slots else {
                    panic!(concat!(stringify!($name), " was called with {} arguments"), slots.len());
                };
                $(check!(mem $param $ty);)*
                $func(ctx, mem, $(argument!($param $ty)),*).outcome()
            },
        }
    };
}

/// Collects the calls of `wasi_unstable`. A row ends with `[same]`, with another function in brackets, with another function
/// and its parameters, or with `[none]`.
macro_rules! unstable_calls {
    (@ [$($done:expr,)*]) => { &[$($done),*] };
    (@ [$($done:expr,)*] $name:ident $params:tt $result:ident $func:path, [none]; $($rest:tt)*) => {
        unstable_calls!(@ [$($done,)*] $($rest)*)
    };
    (@ [$($done:expr,)*] $name:ident $params:tt $result:ident $func:path, [same]; $($rest:tt)*) => {
        unstable_calls!(@ [$($done,)* call!($name $params $result $func),] $($rest)*)
    };
    (@ [$($done:expr,)*] $name:ident $params:tt $result:ident $func:path, [$own:path]; $($rest:tt)*) => {
        unstable_calls!(@ [$($done,)* call!($name $params $result $own),] $($rest)*)
    };
    (@ [$($done:expr,)*] $name:ident $params:tt $result:ident $func:path, [$own:path, $own_params:tt]; $($rest:tt)*) => {
        unstable_calls!(@ [$($done,)* call!($name $own_params $result $own),] $($rest)*)
    };
}

macro_rules! calls {
    ($($name:ident $params:tt -> $result:ident = $func:path, $unstable:tt;)*) => {
        const PREVIEW1: &[Call] = &[$(call!($name $params $result $func)),*];
        const UNSTABLE: &[Call] = unstable_calls!(@ [] $($name $params $result $func, $unstable;)*);
    };
}

calls! {
    args_get(argv: [], argv_buf: []) -> errno = args::args_get, [same];
    args_sizes_get(argc: [U32], argv_buf_size: [U32]) -> errno = args::args_sizes_get, [same];
    environ_get(environ: [], environ_buf: []) -> errno = environ::environ_get, [same];
    environ_sizes_get(count: [U32], buf_size: [U32]) -> errno = environ::environ_sizes_get, [same];
    clock_res_get(id: i32, resolution: [U64]) -> errno = clock::clock_res_get, [same];
    clock_time_get(id: i32, precision: i64, time: [U64]) -> errno = clock::clock_time_get, [same];
    fd_advise(fd: i32, offset: i64, len: i64, advice: i32) -> errno = fd::fd_advise, [same];
    fd_allocate(fd: i32, offset: i64, len: i64) -> errno = fd::fd_allocate, [same];
    fd_close(fd: i32) -> errno = fd::fd_close, [same];
    fd_datasync(fd: i32) -> errno = fd::fd_datasync, [same];
    fd_fdstat_get(fd: i32, stat: [FDSTAT]) -> errno = fd::fd_fdstat_get, [same];
    fd_fdstat_set_flags(fd: i32, flags: i32) -> errno = fd::fd_fdstat_set_flags, [same];
    fd_fdstat_set_rights(fd: i32, rights_base: i64, rights_inheriting: i64) -> errno = fd::fd_fdstat_set_rights, [same];
    fd_filestat_get(fd: i32, stat: [FILESTAT]) -> errno = fd::fd_filestat_get::<64>,
        [fd::fd_filestat_get::<56>, (fd: i32, stat: [FILESTAT_UNSTABLE])];
    fd_filestat_set_size(fd: i32, size: i64) -> errno = fd::fd_filestat_set_size, [same];
    fd_filestat_set_times(fd: i32, atim: i64, mtim: i64, fst_flags: i32) -> errno = fd::fd_filestat_set_times, [same];
    fd_pread(fd: i32, iovs: [IOVEC; iovs_len], iovs_len: i32, offset: i64, nread: [U32]) -> errno
        = fd_io::fd_pread, [same];
    fd_prestat_get(fd: i32, prestat: [PRESTAT]) -> errno = fd::fd_prestat_get, [same];
    fd_prestat_dir_name(fd: i32, path: [U8; path_len], path_len: i32) -> errno = fd::fd_prestat_dir_name, [same];
    fd_pwrite(fd: i32, iovs: [IOVEC; iovs_len], iovs_len: i32, offset: i64, nwritten: [U32]) -> errno
        = fd_io::fd_pwrite, [same];
    fd_read(fd: i32, iovs: [IOVEC; iovs_len], iovs_len: i32, nread: [U32]) -> errno = fd_io::fd_read, [same];
    fd_readdir(fd: i32, buf: [U8; buf_len], buf_len: i32, cookie: i64, bufused: [U32]) -> errno
        = fd_io::fd_readdir, [same];
    fd_renumber(fd: i32, to: i32) -> errno = fd::fd_renumber, [same];
    fd_seek(fd: i32, offset: i64, whence: i32, new_offset: [U64]) -> errno = fd::fd_seek, [unstable::fd_seek];
    fd_sync(fd: i32) -> errno = fd::fd_sync, [same];
    fd_tell(fd: i32, offset: [U64]) -> errno = fd::fd_tell, [same];
    fd_write(fd: i32, iovs: [IOVEC; iovs_len], iovs_len: i32, nwritten: [U32]) -> errno = fd_io::fd_write, [same];
    path_create_directory(fd: i32, path: [U8; path_len], path_len: i32) -> errno = path::path_create_directory, [same];
    path_filestat_get(fd: i32, flags: i32, path: [U8; path_len], path_len: i32, stat: [FILESTAT]) -> errno
        = path::path_filestat_get::<64>, [
            path::path_filestat_get::<56>,
            (fd: i32, flags: i32, path: [U8; path_len], path_len: i32, stat: [FILESTAT_UNSTABLE])
        ];
    path_filestat_set_times(
        fd: i32, flags: i32, path: [U8; path_len], path_len: i32, atim: i64, mtim: i64, fst_flags: i32
    ) -> errno = path::path_filestat_set_times, [same];
    path_link(
        old_fd: i32, old_flags: i32, old_path: [U8; old_path_len], old_path_len: i32,
        new_fd: i32, new_path: [U8; new_path_len], new_path_len: i32
    ) -> errno = path::path_link, [same];
    path_open(
        fd: i32, dirflags: i32, path: [U8; path_len], path_len: i32, oflags: i32, rights_base: i64,
        rights_inheriting: i64, fdflags: i32, opened: [U32]
    ) -> errno = path::path_open, [same];
    path_readlink(
        fd: i32, path: [U8; path_len], path_len: i32, buf: [U8; buf_len], buf_len: i32, bufused: [U32]
    ) -> errno = path::path_readlink, [same];
    path_remove_directory(fd: i32, path: [U8; path_len], path_len: i32) -> errno = path::path_remove_directory, [same];
    path_rename(
        fd: i32, old_path: [U8; old_path_len], old_path_len: i32,
        new_fd: i32, new_path: [U8; new_path_len], new_path_len: i32
    ) -> errno = path::path_rename, [same];
    path_symlink(
        old_path: [U8; old_path_len], old_path_len: i32, fd: i32, new_path: [U8; new_path_len], new_path_len: i32
    ) -> errno = path::path_symlink, [same];
    path_unlink_file(fd: i32, path: [U8; path_len], path_len: i32) -> errno = path::path_unlink_file, [same];
    poll_oneoff(
        subscriptions: [SUBSCRIPTION; nsubscriptions], events: [EVENT; nsubscriptions], nsubscriptions: i32, nevents: [U32]
    ) -> errno = poll::poll_oneoff, [
        unstable::poll_oneoff,
        (
            subscriptions: [SUBSCRIPTION_UNSTABLE; nsubscriptions], events: [EVENT; nsubscriptions],
            nsubscriptions: i32, nevents: [U32]
        )
    ];
    proc_exit(code: i32) -> never = proc::proc_exit, [same];
    proc_raise(signal: i32) -> errno = proc::proc_raise, [same];
    sched_yield() -> errno = sched::sched_yield, [same];
    random_get(buf: [U8; buf_len], buf_len: i32) -> errno = random::random_get, [same];
    sock_accept(fd: i32, flags: i32, accepted: [U32]) -> errno = sock::sock_accept, [none];
    sock_recv(
        fd: i32, ri_data: [IOVEC; ri_data_len], ri_data_len: i32, ri_flags: i32, nread: [U32], ro_flags: [U16]
    ) -> errno = sock::sock_recv, [same];
    sock_send(fd: i32, si_data: [IOVEC; si_data_len], si_data_len: i32, si_flags: i32, nwritten: [U32]) -> errno
        = sock::sock_send, [same];
    sock_shutdown(fd: i32, how: i32) -> errno = sock::sock_shutdown, [same];
}

#[cfg(test)]
mod tests {
    use super::{MODULES, find};

    #[test]
    fn all_calls_of_both_names_are_listed_once() {
        for (module, calls) in MODULES {
            let mut names: Vec<_> = calls.iter().map(|call| call.name).collect();
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), calls.len());
            assert_eq!(calls.len(), if module == "wasi_unstable" { 45 } else { 46 });
        }
        assert!(find("wasi_snapshot_preview1", "sock_accept").is_some());
        assert!(find("wasi_unstable", "sock_accept").is_none());
        assert!(find("env", "fd_write").is_none());
    }

    #[test]
    fn only_proc_exit_has_no_result() {
        for call in MODULES.iter().flat_map(|(_, calls)| *calls) {
            assert_eq!(call.result.is_none(), call.name == "proc_exit", "{}", call.name);
        }
    }
}
