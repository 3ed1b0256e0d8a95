//! Paths below a directory: what is there, and how it changes.
//!
//! In: the number of a directory and a path below it, which [`check_path`](crate::sandbox::check_path) has accepted. Errors are
//! described in [`crate::calls::path`].

use rustix::fs::{
    AtFlags, FileType, Mode, Timestamps, futimens, linkat, mkdirat, readlinkat, renameat, symlinkat, unlinkat,
    utimensat,
};
use rustix::io::Errno as HostErrno;

use crate::abi::Filestat;
use crate::ctx::WasiCtx;
use crate::errno::Errno;
use crate::namespace::{Found, Last, link_text, reach, reach_any};
use crate::rights;
use crate::sandbox::{self, OpenHow, Place};

/// Makes a directory.
pub(crate) fn create_directory(ctx: &WasiCtx, fd: u32, path: &[u8]) -> Result<(), Errno> {
    reach(&ctx.fds, fd, rights::PATH_CREATE_DIRECTORY, path, Last::Kept, |spot| {
        let place = Place::find(&spot.directory.writable()?.file, &spot.path)?;
        Ok(mkdirat(&*place.parent, place.name, Mode::from_raw_mode(0o777))?)
    })
}

/// Returns the file status of `path`, or of the link itself unless `follow`.
pub(crate) fn stat(ctx: &WasiCtx, fd: u32, path: &[u8], follow: bool) -> Result<Filestat, Errno> {
    let last = Last::followed_if(follow);
    reach_any(&ctx.fds, fd, rights::PATH_FILESTAT_GET, path, last, |found| match found {
        Found::Spot(spot) => Ok(Filestat::from_host(&sandbox::stat(&spot.directory.file, &spot.path, follow)?)),
        Found::Virtual(_, dir) => Ok(dir.stat()),
    })
}

/// Sets either time of `path`, or of the link itself unless `follow`.
pub(crate) fn set_times(ctx: &WasiCtx, fd: u32, path: &[u8], follow: bool, times: &Timestamps) -> Result<(), Errno> {
    reach(&ctx.fds, fd, rights::PATH_FILESTAT_SET_TIMES, path, Last::followed_if(follow), |spot| {
        let start = &spot.directory.writable()?.file;
        let place = Place::find(start, &spot.path)?;
        if !follow && !place.slash {
            return Ok(utimensat(&*place.parent, place.name, times, AtFlags::SYMLINK_NOFOLLOW)?);
        }
        match utimensat(&sandbox::open_as_path(start, &spot.path, true)?, "", times, AtFlags::EMPTY_PATH) {
            // Before 5.8, Linux does not accept an empty path here. The file must be open for access.
            Err(HostErrno::INVAL) => {
                let (file, stat) = sandbox::open(start, &spot.path, OpenHow::READ)?;
                match FileType::from_raw_mode(stat.st_mode) {
                    // The directory may be open only for lookups, which `futimens` does not accept.
                    FileType::Directory => Ok(utimensat(&file, ".", times, AtFlags::empty())?),
                    _ => Ok(futimens(&file, times)?),
                }
            }
            result => Ok(result?),
        }
    })
}

/// Makes a hard link. If the old path names a symbolic link, the hard link is to that link itself.
pub(crate) fn link(ctx: &WasiCtx, old_fd: u32, old_path: &[u8], new_fd: u32, new_path: &[u8]) -> Result<(), Errno> {
    reach(&ctx.fds, old_fd, rights::PATH_LINK_SOURCE, old_path, Last::Kept, |old| {
        let old = Place::find(&old.directory.writable()?.file, &old.path)?;
        reach(&ctx.fds, new_fd, rights::PATH_LINK_TARGET, new_path, Last::Kept, |new| {
            let new = Place::find(&new.directory.writable()?.file, &new.path)?;
            old.check_slash()?;
            new.check_slash()?;
            Ok(linkat(&*old.parent, old.name, &*new.parent, new.name, AtFlags::empty())?)
        })
    })
}

/// Returns the target of a link. An absolute target must lead to an existing file, and becomes that file's guest path.
///
/// # Errors
/// `INVAL` if the path is no link. `PERM` for any other absolute target, which would reveal paths of the host.
pub(crate) fn read_link(ctx: &WasiCtx, fd: u32, path: &[u8]) -> Result<Vec<u8>, Errno> {
    let target = reach(&ctx.fds, fd, rights::PATH_READLINK, path, Last::KeptUnlessSlash, |spot| {
        let start = &spot.directory.file;
        let place = Place::find(start, &spot.path)?;
        if place.slash {
            // A slash makes the path name the directory to which the link leads, and a directory is no link.
            sandbox::open_as_path(start, &spot.path, true)?;
            return Err(Errno::Inval);
        }
        Ok(readlinkat(&*place.parent, place.name, Vec::new())?.into_bytes())
    })?;
    if !target.starts_with(b"/") {
        return Ok(target);
    }
    let leads = |found: Found<'_, '_>| match found {
        Found::Spot(spot) => sandbox::stat(&spot.directory.file, &spot.path, true).map(drop),
        Found::Virtual(..) => Ok(()),
    };
    reach_any(&ctx.fds, fd, rights::PATH_READLINK, path, Last::Followed, leads).map_err(|_| Errno::Perm)?;
    link_text(&ctx.fds, &target).ok_or(Errno::Perm)
}

/// Removes an empty directory. A slash may follow its name.
pub(crate) fn remove_directory(ctx: &WasiCtx, fd: u32, path: &[u8]) -> Result<(), Errno> {
    reach(&ctx.fds, fd, rights::PATH_REMOVE_DIRECTORY, path, Last::Kept, |spot| {
        let place = Place::find(&spot.directory.writable()?.file, &spot.path)?;
        if place.dotdot {
            return Err(Errno::Notempty);
        }
        Ok(unlinkat(&*place.parent, place.name, AtFlags::REMOVEDIR)?)
    })
}

/// Moves a file or directory, also between granted directories.
pub(crate) fn rename(ctx: &WasiCtx, fd: u32, old_path: &[u8], new_fd: u32, new_path: &[u8]) -> Result<(), Errno> {
    reach(&ctx.fds, fd, rights::PATH_RENAME_SOURCE, old_path, Last::Kept, |old| {
        let old = Place::find(&old.directory.writable()?.file, &old.path)?;
        reach(&ctx.fds, new_fd, rights::PATH_RENAME_TARGET, new_path, Last::Kept, |new| {
            let new = Place::find(&new.directory.writable()?.file, &new.path)?;
            // A slash after either path requires that a directory is moved.
            if (old.slash || new.slash) && !old.is_directory()? {
                return Err(Errno::Notdir);
            }
            Ok(renameat(&*old.parent, old.name, &*new.parent, new.name)?)
        })
    })
}

/// Makes a link with the target `old_path`.
pub(crate) fn symlink(ctx: &WasiCtx, old_path: &[u8], fd: u32, new_path: &[u8]) -> Result<(), Errno> {
    if old_path.starts_with(b"/") {
        return Err(Errno::Perm);
    }
    reach(&ctx.fds, fd, rights::PATH_SYMLINK, new_path, Last::Kept, |spot| {
        let place = Place::find(&spot.directory.writable()?.file, &spot.path)?;
        place.check_slash()?;
        Ok(symlinkat(old_path, &*place.parent, place.name)?)
    })
}

/// Removes a file.
pub(crate) fn unlink_file(ctx: &WasiCtx, fd: u32, path: &[u8]) -> Result<(), Errno> {
    reach(&ctx.fds, fd, rights::PATH_UNLINK_FILE, path, Last::Kept, |spot| {
        let place = Place::find(&spot.directory.writable()?.file, &spot.path)?;
        place.check_slash()?;
        match unlinkat(&*place.parent, place.name, AtFlags::empty()) {
            // [POSIX `unlink`](https://pubs.opengroup.org/onlinepubs/9799919799/functions/unlink.html) has `EPERM` for a
            // directory, and some file systems return it.
            Err(HostErrno::PERM) if place.is_directory()? => Err(Errno::Isdir),
            result => Ok(result?),
        }
    })
}
