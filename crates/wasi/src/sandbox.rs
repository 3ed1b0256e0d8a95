//! Path resolution: from a guest's string to a host file, never outside the directory that the path starts from.
//!
//! In: an open directory and a path relative to it. Out: an open file, a status, or a parent directory and one plain name in
//! it. With a parent directory and a name, the caller makes one system call that follows no link.
//!
//! `cap-primitives` resolves the path. If the kernel has [`openat2`], it leaves the resolution to the kernel, with
//! `RESOLVE_BENEATH`. On other kernels `cap-primitives` opens each component by itself and expands links by hand. Absolute
//! paths, absolute links, links that lead outside and the magic links of `/proc` fail with `PERM` or `LOOP`.
//! [`crate::namespace`] then checks whether an absolute link leads into a granted directory.
//!
//! Invariants:
//!
//! - A path that reaches the kernel directly is one name without a slash, or `.`.
//! - This file implements the rule for trailing slashes ([POSIX, pathname resolution]) and never leaves it to the kernel,
//!   because some system calls follow `link/` and others do not.
//! - Opening a FIFO never waits.
//!
//! # Why not `cap_std::fs::Dir`'s methods for the last step?
//! They turn `name/` into a lookup of `.` inside `name`. Then `rmdir("name/")` fails, although every system allows it.
//!
//! [`openat2`]: https://man7.org/linux/man-pages/man2/openat2.2.html
//! [POSIX, pathname resolution]: https://pubs.opengroup.org/onlinepubs/9799919799/basedefs/V1_chap04.html

use std::borrow::Cow;
use std::ffi::OsStr;
use std::fs::File;
use std::ops::Deref;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use cap_primitives::fs::{FollowSymlinks, OpenOptions, OpenOptionsExt, open_dir, open_dir_nofollow};
use rustix::fs::{AtFlags, FileType, OFlags, Stat, fstat, statat};
use wasmr_core::limits::MAX_PATH;

use crate::abi::fdflags;
use crate::errno::Errno;
use crate::exit::Fail;
use crate::memory::GuestMemory;
use crate::pointer::Pointer;

/// Reads a path from guest memory. It may hold any bytes but NUL.
///
/// # Errors
/// `INVAL` for NUL, `NOENT` for an empty path, `NAMETOOLONG` for more than [`MAX_PATH`] bytes.
pub(crate) fn guest_path<'m>(mem: &'m GuestMemory<'_>, ptr: Pointer, len: u32) -> Result<Cow<'m, [u8]>, Fail> {
    if len > MAX_PATH {
        return Err(Errno::Nametoolong.into());
    }
    let path = mem.slice(ptr, len)?;
    check_path(&path)?;
    Ok(path)
}

/// Checks a path that a guest passed.
///
/// # Errors
/// `INVAL` for NUL, `NOENT` for an empty path, `NAMETOOLONG` for more than [`MAX_PATH`] bytes.
pub(crate) fn check_path(path: &[u8]) -> Result<(), Errno> {
    if path.len() > MAX_PATH as usize {
        Err(Errno::Nametoolong)
    } else if path.contains(&0) {
        Err(Errno::Inval)
    } else if path.is_empty() {
        Err(Errno::Noent)
    } else {
        Ok(())
    }
}

/// Returns the bytes as a host path.
pub(crate) fn as_path(bytes: &[u8]) -> &Path {
    Path::new(OsStr::from_bytes(bytes))
}

/// A parent directory: the one that the path starts from, or one that was opened during resolution.
#[derive(Debug)]
pub(crate) enum Parent<'d> {
    Start(&'d File),
    Opened(File),
}

impl Deref for Parent<'_> {
    type Target = File;

    fn deref(&self) -> &File {
        match self {
            Parent::Start(file) => file,
            Parent::Opened(file) => file,
        }
    }
}

/// A path split before its last component, with all others resolved.
#[derive(Debug)]
pub(crate) struct Place<'d, 'p> {
    /// Directory that holds the last component.
    pub parent: Parent<'d>,
    /// Last component: a plain name, or `.`.
    pub name: &'p [u8],
    /// True if the path ended in `..`. `name` is then `.` in the directory that the whole path names.
    pub dotdot: bool,
    /// True if the path ended in a slash, so that it must name a directory.
    pub slash: bool,
}

impl<'d, 'p> Place<'d, 'p> {
    /// Resolves all but the last component of `path`, following links that stay inside.
    pub(crate) fn find(start: &'d File, path: &'p [u8]) -> Result<Self, Errno> {
        if path.starts_with(b"/") {
            return Err(Errno::Perm);
        }
        let end = path.iter().rposition(|byte| *byte != b'/').map_or(0, |last| last + 1);
        let (trimmed, slash) = (&path[..end], end < path.len());
        let (before, name) = match trimmed.iter().rposition(|byte| *byte == b'/') {
            Some(at) => (&trimmed[..at], &trimmed[at + 1..]),
            None => (&b""[..], trimmed),
        };
        if name == b".." {
            let parent = Parent::Opened(open_dir(start, as_path(trimmed))?);
            return Ok(Place { parent, name: b".", dotdot: true, slash });
        }
        let parent =
            if before.is_empty() { Parent::Start(start) } else { Parent::Opened(open_dir(start, as_path(before))?) };
        Ok(Place { parent, name, dotdot: false, slash })
    }

    /// Returns the status of the name; a link is not followed.
    pub(crate) fn stat(&self) -> Result<Stat, Errno> {
        Ok(statat(&*self.parent, self.name, AtFlags::SYMLINK_NOFOLLOW)?)
    }

    /// Returns true if the name is a directory, and not a link to one.
    pub(crate) fn is_directory(&self) -> Result<bool, Errno> {
        Ok(FileType::from_raw_mode(self.stat()?.st_mode) == FileType::Directory)
    }

    /// Checks that a path with a trailing slash names a directory.
    ///
    /// # Errors
    /// `NOENT` if the name does not exist, `NOTDIR` if it is not a directory.
    pub(crate) fn check_slash(&self) -> Result<(), Errno> {
        if self.slash && !self.is_directory()? { Err(Errno::Notdir) } else { Ok(()) }
    }
}

fn follow_symlinks(follow: bool) -> FollowSymlinks {
    if follow { FollowSymlinks::Yes } else { FollowSymlinks::No }
}

/// Opens `path` as with `O_PATH`: without access and without waiting, whatever kind of file it is.
pub(crate) fn open_as_path(start: &File, path: &[u8], follow: bool) -> Result<File, Errno> {
    let mut options = OpenOptions::new();
    options.read(true)._cap_fs_ext_follow(follow_symlinks(follow)).custom_flags(OFlags::PATH.bits() as i32);
    Ok(cap_primitives::fs::open(start, as_path(path), &options)?)
}

/// Returns the status of `path`.
pub(crate) fn stat(start: &File, path: &[u8], follow: bool) -> Result<Stat, Errno> {
    if !follow && !path.contains(&b'/') && path != b".." {
        return Ok(statat(start, path, AtFlags::SYMLINK_NOFOLLOW)?);
    }
    Ok(fstat(&open_as_path(start, path, follow)?)?)
}

/// The decoded flags of `path_open`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OpenHow {
    pub follow: bool,
    pub create: bool,
    pub directory: bool,
    pub exclusive: bool,
    pub truncate: bool,
    pub read: bool,
    pub write: bool,
    /// `fdflags`.
    pub flags: u16,
}

impl OpenHow {
    /// Options to read an existing file, following links.
    pub(crate) const READ: OpenHow = OpenHow {
        follow: true,
        create: false,
        directory: false,
        exclusive: false,
        truncate: false,
        read: true,
        write: false,
        flags: 0,
    };

    /// Returns true if opening may wait.
    pub(crate) fn waits(self) -> bool {
        self.flags & fdflags::NONBLOCK == 0
    }
}

/// Returns the host's flags for the synchronising flags of `fdflags`, which the host implements.
pub(crate) fn sync_flags(fdflags: u16) -> OFlags {
    let flags = [(fdflags::DSYNC, OFlags::DSYNC), (fdflags::RSYNC, OFlags::RSYNC), (fdflags::SYNC, OFlags::SYNC)];
    flags.into_iter().filter(|(flag, _)| fdflags & flag != 0).map(|(_, host)| host).collect()
}

/// Opens `path`. Returns the file and its status.
///
/// The host's descriptor is non-blocking, whatever the guest asked for; see [`crate::wait`]. This function therefore never
/// waits. [`crate::fifo`] waits where the guest's call must.
///
/// # Errors
/// `NXIO` for a FIFO that is opened for writing and has no reader. `AGAIN` for a file that can only be opened later, such as
/// one with a lease.
pub(crate) fn open(start: &File, path: &[u8], how: OpenHow) -> Result<(File, Stat), Errno> {
    let file = if how.directory { open_directory(start, path, how)? } else { open_any(start, path, how)? };
    let stat = fstat(&file)?;
    Ok((file, stat))
}

/// Opens a directory, for a call with `DIRECTORY`.
///
/// # Errors
/// `INVAL` with `CREAT`, `ISDIR` if the directory is to be written or truncated.
fn open_directory(start: &File, path: &[u8], how: OpenHow) -> Result<File, Errno> {
    if how.create {
        return Err(Errno::Inval);
    }
    let open = if how.follow { open_dir } else { open_dir_nofollow };
    let file = open(start, as_path(path))?;
    if how.write || how.truncate { Err(Errno::Isdir) } else { Ok(file) }
}

/// Opens any file, for a call without `DIRECTORY`. A descriptor for neither reading nor writing is opened for reading.
fn open_any(start: &File, path: &[u8], how: OpenHow) -> Result<File, Errno> {
    if how.create && path.ends_with(b"/") {
        return Err(Errno::Isdir);
    }
    // Creation and truncation are passed to the kernel as flags, because the options of `cap-primitives` permit them only with
    // writing.
    let mut extra = OFlags::NONBLOCK | OFlags::NOCTTY | sync_flags(how.flags);
    for (wanted, flag) in
        [(how.create, OFlags::CREATE), (how.create && how.exclusive, OFlags::EXCL), (how.truncate, OFlags::TRUNC)]
    {
        if wanted {
            extra |= flag;
        }
    }
    let mut options = OpenOptions::new();
    options
        .read(how.read || !how.write)
        .write(how.write)
        ._cap_fs_ext_follow(follow_symlinks(how.follow))
        .custom_flags(extra.bits() as i32);
    Ok(cap_primitives::fs::open(start, as_path(path), &options)?)
}
