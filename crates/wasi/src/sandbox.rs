//! Paths: how a guest's string becomes a host file, without ever leaving the directory it starts from.
//!
//! In: an open directory and a path relative to it. Out: an open file, a status, or a parent directory with one plain name
//! in it, on which the caller makes one system call that follows no link.
//!
//! `cap-primitives` walks the path. Where the kernel has `openat2` it is asked to stay beneath the directory; elsewhere
//! each component is opened by itself and links are expanded by hand. Absolute paths, absolute links, links that lead out
//! and the magic links of `/proc` are refused with `PERM` or `LOOP`. [`crate::namespace`] then finds out whether an absolute
//! link leads into a granted directory.
//!
//! Invariants: a path that reaches the kernel directly is one name without a slash (or `.`); what a trailing slash means is
//! decided here, never by the kernel, because `link/` follows the link in some system calls; opening a FIFO never waits.
//!
//! Why not `cap_std::fs::Dir`'s methods for the last step? They turn `name/` into a lookup of `.` inside `name`, which makes
//! `rmdir("name/")` fail although every system allows it.

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

/// Reads a path: any bytes but NUL (`INVAL`), not empty (`NOENT`), not too long (`NAMETOOLONG`).
pub(crate) fn guest_path<'m>(mem: &'m GuestMemory<'_>, ptr: Pointer, len: u32) -> Result<&'m [u8], Fail> {
    if len > MAX_PATH {
        return Err(Errno::Nametoolong.into());
    }
    let path = mem.slice(ptr, len)?;
    if path.contains(&0) {
        Err(Errno::Inval.into())
    } else if path.is_empty() {
        Err(Errno::Noent.into())
    } else {
        Ok(path)
    }
}

/// The bytes as a path of the host.
pub(crate) fn as_path(bytes: &[u8]) -> &Path {
    Path::new(OsStr::from_bytes(bytes))
}

/// A directory that is the guest's own or was opened on the way.
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

/// A path split before its last component.
#[derive(Debug)]
pub(crate) struct Place<'d, 'p> {
    /// Where the last component lies.
    pub parent: Parent<'d>,
    /// The last component: a plain name, or `.`.
    pub name: &'p [u8],
    /// The path ended in `..`; `name` is then `.` in the directory that the whole path names.
    pub dotdot: bool,
    /// The path ended in a slash: only a directory will do.
    pub slash: bool,
}

impl<'d, 'p> Place<'d, 'p> {
    /// Walks all but the last component of `path`, following links that stay inside.
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

    /// What the name refers to; a link is not followed.
    pub(crate) fn stat(&self) -> Result<Stat, Errno> {
        Ok(statat(&*self.parent, self.name, AtFlags::SYMLINK_NOFOLLOW)?)
    }

    /// Whether the name is a directory and not a link to one.
    pub(crate) fn is_directory(&self) -> Result<bool, Errno> {
        Ok(FileType::from_raw_mode(self.stat()?.st_mode) == FileType::Directory)
    }

    /// After a trailing slash: `NOENT` if the name does not exist, `NOTDIR` if it is not a directory.
    pub(crate) fn check_slash(&self) -> Result<(), Errno> {
        if self.slash && !self.is_directory()? { Err(Errno::Notdir) } else { Ok(()) }
    }
}

/// Whether a link at the end of a path is followed.
fn follow_symlinks(follow: bool) -> FollowSymlinks {
    if follow { FollowSymlinks::Yes } else { FollowSymlinks::No }
}

/// Opens `path` only to name it: no access, no waiting, whatever it is.
pub(crate) fn open_as_path(start: &File, path: &[u8], follow: bool) -> Result<File, Errno> {
    let mut options = OpenOptions::new();
    options.read(true)._cap_fs_ext_follow(follow_symlinks(follow)).custom_flags(OFlags::PATH.bits() as i32);
    Ok(cap_primitives::fs::open(start, as_path(path), &options)?)
}

/// The status of `path`.
pub(crate) fn stat(start: &File, path: &[u8], follow: bool) -> Result<Stat, Errno> {
    if !follow && !path.contains(&b'/') && path != b".." {
        return Ok(statat(start, path, AtFlags::SYMLINK_NOFOLLOW)?);
    }
    Ok(fstat(&open_as_path(start, path, follow)?)?)
}

/// What `path_open` was asked for.
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
    /// To read what exists, links followed.
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

/// The host's flags for those of `fdflags` that are its to carry out.
pub(crate) fn sync_flags(fdflags: u16) -> OFlags {
    let flags = [(fdflags::DSYNC, OFlags::DSYNC), (fdflags::RSYNC, OFlags::RSYNC), (fdflags::SYNC, OFlags::SYNC)];
    flags.into_iter().filter(|(flag, _)| fdflags & flag != 0).map(|(_, host)| host).collect()
}

/// Opens `path` and says what it is.
///
/// The host's descriptor is non-blocking, whatever the guest asked; see [`crate::wait`]. So this never waits: a FIFO that is
/// opened for writing is `NXIO` while nobody reads, and what the host says of a file that could be opened later, such as one
/// with a lease, is `AGAIN`. [`crate::fifo`] waits.
pub(crate) fn open(start: &File, path: &[u8], how: OpenHow) -> Result<(File, Stat), Errno> {
    let file = if how.directory { open_directory(start, path, how)? } else { open_any(start, path, how)? };
    let stat = fstat(&file)?;
    Ok((file, stat))
}

/// With `DIRECTORY`: `INVAL` together with `CREAT`, `ISDIR` for a directory that is to be written.
fn open_directory(start: &File, path: &[u8], how: OpenHow) -> Result<File, Errno> {
    if how.create {
        return Err(Errno::Inval);
    }
    let open = if how.follow { open_dir } else { open_dir_nofollow };
    let file = open(start, as_path(path))?;
    if how.write || how.truncate { Err(Errno::Isdir) } else { Ok(file) }
}

/// Without `DIRECTORY`. A descriptor that is neither read nor written is opened for reading.
fn open_any(start: &File, path: &[u8], how: OpenHow) -> Result<File, Errno> {
    if how.create && path.ends_with(b"/") {
        return Err(Errno::Isdir);
    }
    // Creation and truncation go to the kernel as they are: the options of `cap-primitives` allow them for writing only.
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
