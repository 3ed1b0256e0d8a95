//! `path_*`: calls on a directory and a path below it.
//!
//! Common errors: `BADF` if the directory is not open, `NOTDIR` if it is not a directory, `NOTCAPABLE` if the right was
//! revoked. For the path itself: `INVAL` for NUL in it, `NOENT` if it is empty, `NAMETOOLONG` if it is too long, `PERM` if it
//! leads out of the directory. `ROFS` for a change below a directory granted read-only. All other errors are Linux's.
//!
//! Paths are bytes, as on the host, whatever their encoding. An absolute link leads where the guest's own `open` of that path
//! would lead; see [`crate::namespace`].

use std::borrow::Cow;

use super::fd::timestamps;
use crate::abi::{SYMLINK_FOLLOW, fdflags, flags, oflags};
use crate::ctx::WasiCtx;
use crate::errno::Errno;
use crate::exit::Fail;
use crate::host::{open, path};
use crate::memory::GuestMemory;
use crate::pointer::Pointer;
use crate::rights;
use crate::sandbox::{OpenHow, guest_path};

/// Decodes `lookupflags`.
fn follows(lookup: u32) -> Result<bool, Errno> {
    Ok(flags(lookup, SYMLINK_FOLLOW as u16)? != 0)
}

/// Reads the path of a call that needs `right` on the directory.
fn path_below<'m>(
    ctx: &WasiCtx,
    mem: &'m GuestMemory<'_>,
    fd: u32,
    right: u64,
    path: Pointer,
    path_len: u32,
) -> Result<Cow<'m, [u8]>, Fail> {
    ctx.fds.directory(fd, right)?;
    guest_path(mem, path, path_len)
}

/// [`path_create_directory`]: makes a directory.
///
/// # Errors
/// `EXIST` if the name exists.
///
/// [`path_create_directory`]: https://github.com/WebAssembly/WASI/blob/main/legacy/preview1/docs.md#path_create_directory
pub(crate) fn path_create_directory(
    ctx: &mut WasiCtx,
    mem: &mut GuestMemory<'_>,
    fd: u32,
    path: Pointer,
    path_len: u32,
) -> Result<(), Fail> {
    let name = path_below(ctx, mem, fd, rights::PATH_CREATE_DIRECTORY, path, path_len)?;
    Ok(path::create_directory(ctx, fd, &name)?)
}

/// [`path_filestat_get`]: writes the file status in `SIZE` bytes, the size of [`Filestat`] in the module. Describes a link
/// itself unless `SYMLINK_FOLLOW` is set.
///
/// [`path_filestat_get`]: https://github.com/WebAssembly/WASI/blob/main/legacy/preview1/docs.md#path_filestat_get
pub(crate) fn path_filestat_get<const SIZE: usize>(
    ctx: &mut WasiCtx,
    mem: &mut GuestMemory<'_>,
    fd: u32,
    lookup: u32,
    path: Pointer,
    path_len: u32,
    stat: Pointer,
) -> Result<(), Fail> {
    let name = path_below(ctx, mem, fd, rights::PATH_FILESTAT_GET, path, path_len)?;
    let follow = follows(lookup)?;
    Ok(path::stat(ctx, fd, &name, follow)?.write::<SIZE>(mem, stat)?)
}

/// [`path_filestat_set_times`]: sets either time to a value or to now. Changes a link itself unless `SYMLINK_FOLLOW` is set.
///
/// [`path_filestat_set_times`]: https://github.com/WebAssembly/WASI/blob/main/legacy/preview1/docs.md#path_filestat_set_times
#[allow(clippy::too_many_arguments)]
pub(crate) fn path_filestat_set_times(
    ctx: &mut WasiCtx,
    mem: &mut GuestMemory<'_>,
    fd: u32,
    lookup: u32,
    path: Pointer,
    path_len: u32,
    atim: u64,
    mtim: u64,
    fst_flags: u32,
) -> Result<(), Fail> {
    let name = path_below(ctx, mem, fd, rights::PATH_FILESTAT_SET_TIMES, path, path_len)?;
    let times = timestamps(atim, mtim, fst_flags)?;
    let follow = follows(lookup)?;
    Ok(path::set_times(ctx, fd, &name, follow, &times)?)
}

/// [`path_link`]: makes a hard link. If the old path names a symbolic link, the hard link is to that link itself.
///
/// # Errors
/// `INVAL` for `SYMLINK_FOLLOW`, because no host call follows a link and stays within a directory. `EXIST` if the new name
/// exists, `PERM` for a directory.
///
/// [`path_link`]: https://github.com/WebAssembly/WASI/blob/main/legacy/preview1/docs.md#path_link
#[allow(clippy::too_many_arguments)]
pub(crate) fn path_link(
    ctx: &mut WasiCtx,
    mem: &mut GuestMemory<'_>,
    old_fd: u32,
    old_lookup: u32,
    old_path: Pointer,
    old_path_len: u32,
    new_fd: u32,
    new_path: Pointer,
    new_path_len: u32,
) -> Result<(), Fail> {
    let old_path = path_below(ctx, mem, old_fd, rights::PATH_LINK_SOURCE, old_path, old_path_len)?;
    let new_path = path_below(ctx, mem, new_fd, rights::PATH_LINK_TARGET, new_path, new_path_len)?;
    if follows(old_lookup)? {
        return Err(Errno::Inval.into());
    }
    Ok(path::link(ctx, old_fd, &old_path, new_fd, &new_path)?)
}

/// [`path_open`]: opens or creates a file, or opens a directory, and writes the new descriptor.
///
/// `FD_READ` and `FD_WRITE` in `rights_base` are the access mode. If the guest revoked inheriting rights of the directory, the
/// new descriptor does not pass these on either.
///
/// Opening a FIFO only for reading, or only for writing, waits for its other end. With `NONBLOCK` it does not wait, as in
/// [POSIX `open`]: opening for reading succeeds, and opening for writing fails with `NXIO` if the FIFO has no reader.
///
/// # Errors
/// `NOTCAPABLE` if `rights_base` has a right that was revoked from the directory's inheriting rights. `MFILE` if no number is
/// free; no file is created then. `PERM` for `TRUNC` if the right to set sizes was revoked.
///
/// [`path_open`]: https://github.com/WebAssembly/WASI/blob/main/legacy/preview1/docs.md#path_open
/// [POSIX `open`]: https://pubs.opengroup.org/onlinepubs/9799919799/functions/open.html
#[allow(clippy::too_many_arguments)]
pub(crate) fn path_open(
    ctx: &mut WasiCtx,
    mem: &mut GuestMemory<'_>,
    fd: u32,
    lookup: u32,
    path: Pointer,
    path_len: u32,
    open_flags: u32,
    rights_base: u64,
    rights_inheriting: u64,
    fd_flags: u32,
    opened: Pointer,
) -> Result<(), Fail> {
    let open_flags = flags(open_flags, oflags::ALL)?;
    let how = OpenHow {
        follow: follows(lookup)?,
        create: open_flags & oflags::CREAT != 0,
        directory: open_flags & oflags::DIRECTORY != 0,
        exclusive: open_flags & oflags::EXCL != 0,
        truncate: open_flags & oflags::TRUNC != 0,
        read: rights_base & rights::FD_READ != 0,
        write: rights_base & rights::FD_WRITE != 0,
        flags: flags(fd_flags, fdflags::ALL)?,
    };
    let name = path_below(ctx, mem, fd, open::needed(how), path, path_len)?;
    let number = open::open(ctx, fd, &name, how, (rights_base, rights_inheriting))?;
    Ok(mem.write_u32(opened, number)?)
}

/// [`path_readlink`]: writes the target of a link, cut where the buffer ends, and the number of bytes written.
///
/// The guest gets an absolute target only if it leads to an existing file, in the form of that file's guest path.
///
/// # Errors
/// `INVAL` if the path is no link. `PERM` for any other absolute target, which would reveal paths of the host.
///
/// [`path_readlink`]: https://github.com/WebAssembly/WASI/blob/main/legacy/preview1/docs.md#path_readlink
#[allow(clippy::too_many_arguments)]
pub(crate) fn path_readlink(
    ctx: &mut WasiCtx,
    mem: &mut GuestMemory<'_>,
    fd: u32,
    path: Pointer,
    path_len: u32,
    buf: Pointer,
    buf_len: u32,
    bufused: Pointer,
) -> Result<(), Fail> {
    let name = path_below(ctx, mem, fd, rights::PATH_READLINK, path, path_len)?;
    let target = path::read_link(ctx, fd, &name)?;
    let used = target.len().min(buf_len as usize);
    mem.write(buf, &target[..used])?;
    Ok(mem.write_u32(bufused, used as u32)?)
}

/// [`path_remove_directory`]: removes an empty directory. A slash may follow its name.
///
/// # Errors
/// `NOTEMPTY` if it has entries, `NOTDIR` if it is not a directory.
///
/// [`path_remove_directory`]: https://github.com/WebAssembly/WASI/blob/main/legacy/preview1/docs.md#path_remove_directory
pub(crate) fn path_remove_directory(
    ctx: &mut WasiCtx,
    mem: &mut GuestMemory<'_>,
    fd: u32,
    path: Pointer,
    path_len: u32,
) -> Result<(), Fail> {
    let name = path_below(ctx, mem, fd, rights::PATH_REMOVE_DIRECTORY, path, path_len)?;
    Ok(path::remove_directory(ctx, fd, &name)?)
}

/// [`path_rename`]: moves a file or directory, also between granted directories, and replaces an existing one as [POSIX
/// `rename`] does.
///
/// [`path_rename`]: https://github.com/WebAssembly/WASI/blob/main/legacy/preview1/docs.md#path_rename
/// [POSIX `rename`]: https://pubs.opengroup.org/onlinepubs/9799919799/functions/rename.html
#[allow(clippy::too_many_arguments)]
pub(crate) fn path_rename(
    ctx: &mut WasiCtx,
    mem: &mut GuestMemory<'_>,
    fd: u32,
    old_path: Pointer,
    old_path_len: u32,
    new_fd: u32,
    new_path: Pointer,
    new_path_len: u32,
) -> Result<(), Fail> {
    let old_path = path_below(ctx, mem, fd, rights::PATH_RENAME_SOURCE, old_path, old_path_len)?;
    let new_path = path_below(ctx, mem, new_fd, rights::PATH_RENAME_TARGET, new_path, new_path_len)?;
    Ok(path::rename(ctx, fd, &old_path, new_fd, &new_path)?)
}

/// [`path_symlink`]: makes a link with the target `old_path`.
///
/// # Errors
/// `PERM` for an absolute target: a host program that follows the link would leave the directory. Any relative target is
/// allowed, because no call of the guest follows it out of the directory.
///
/// [`path_symlink`]: https://github.com/WebAssembly/WASI/blob/main/legacy/preview1/docs.md#path_symlink
pub(crate) fn path_symlink(
    ctx: &mut WasiCtx,
    mem: &mut GuestMemory<'_>,
    old_path: Pointer,
    old_path_len: u32,
    fd: u32,
    new_path: Pointer,
    new_path_len: u32,
) -> Result<(), Fail> {
    let new_path = path_below(ctx, mem, fd, rights::PATH_SYMLINK, new_path, new_path_len)?;
    let old_path = guest_path(mem, old_path, old_path_len)?;
    Ok(path::symlink(ctx, &old_path, fd, &new_path)?)
}

/// [`path_unlink_file`]: removes a file.
///
/// # Errors
/// `ISDIR` for a directory, `NOTDIR` for `file/`.
///
/// [`path_unlink_file`]: https://github.com/WebAssembly/WASI/blob/main/legacy/preview1/docs.md#path_unlink_file
pub(crate) fn path_unlink_file(
    ctx: &mut WasiCtx,
    mem: &mut GuestMemory<'_>,
    fd: u32,
    path: Pointer,
    path_len: u32,
) -> Result<(), Fail> {
    let name = path_below(ctx, mem, fd, rights::PATH_UNLINK_FILE, path, path_len)?;
    Ok(path::unlink_file(ctx, fd, &name)?)
}
