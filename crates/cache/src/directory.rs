//! A directory that only its owner can write, and its files.
//!
//! In: a path. Out: a descriptor of the directory, through which all files are opened, so that the path is resolved once. A
//! directory or file is *trusted* if it belongs to the effective user and has no write permission for group and others. A file
//! must also be a regular file. No symbolic link is followed in the last component of a path.

use std::fs::{DirBuilder, File};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;
use rustix::process::{Uid, geteuid};

use crate::Unusable;

/// Write permission for group and others.
const OTHERS_WRITE: Mode = Mode::WGRP.union(Mode::WOTH);

/// Flags of every file. Without `NONBLOCK`, to open a FIFO would wait for its other end.
const FLAGS: OFlags = OFlags::NOFOLLOW.union(OFlags::CLOEXEC).union(OFlags::NONBLOCK);

/// Permission bits of new files.
const OWNER_ONLY: Mode = Mode::RUSR.union(Mode::WUSR);

/// Digits of a BLAKE3 hash in hexadecimal.
const HASH_DIGITS: usize = 64;

/// A trusted directory.
#[derive(Debug)]
pub(crate) struct Directory {
    fd: OwnedFd,
    user: Uid,
}

impl AsFd for Directory {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl Directory {
    /// Opens a directory. Creates it if it is missing, and its parents, all with mode 0700.
    pub(crate) fn open(path: &Path) -> Result<Directory, Unusable> {
        // Without a slash at its end, with which a symbolic link would be followed.
        let path: PathBuf = path.components().collect();
        let open = || {
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            rustix::fs::openat(CWD, &path, flags, Mode::empty()).map_err(io::Error::from)
        };
        let mut fd = open();
        if fd.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
            check_place(&path)?;
            fd = DirBuilder::new().recursive(true).mode(0o700).create(&path).and_then(|()| open());
        }
        let file = File::from(fd.map_err(|error| why_not(&path, error))?);
        let (metadata, user) = (file.metadata()?, geteuid());
        if metadata.uid() != user.as_raw() {
            return Err(Unusable::ForeignOwner { owner: metadata.uid(), user: user.as_raw() });
        }
        let mode = metadata.permissions().mode() & 0o7777;
        if Mode::from_bits_retain(mode as _).intersects(OTHERS_WRITE) {
            return Err(Unusable::WritableByOthers { mode });
        }
        Ok(Directory { fd: file.into(), user })
    }

    /// Opens a trusted file to read it.
    pub(crate) fn file(&self, name: &str) -> Option<(File, Stat)> {
        let fd = rustix::fs::openat(&self.fd, name, FLAGS | OFlags::RDONLY, Mode::empty()).ok()?;
        let stat = rustix::fs::fstat(&fd).ok()?;
        self.trusts(&stat).then(|| (File::from(fd), stat))
    }

    /// Creates a file that does not exist.
    pub(crate) fn new_file(&self, name: &str) -> io::Result<File> {
        let flags = FLAGS | OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL;
        Ok(File::from(rustix::fs::openat(&self.fd, name, flags, OWNER_ONLY)?))
    }

    /// Opens a trusted file to write it, and creates it if it is missing and `create` is set. Returns `None` if there is
    /// something of that name that is not trusted.
    pub(crate) fn file_to_write(&self, name: &str, create: bool) -> io::Result<Option<(File, Stat)>> {
        let flags = FLAGS | OFlags::WRONLY | if create { OFlags::CREATE } else { OFlags::empty() };
        let fd = match rustix::fs::openat(&self.fd, name, flags, OWNER_ONLY) {
            // A symbolic link (macOS and the BSDs have other numbers for it), and a FIFO without a reader.
            Err(Errno::LOOP | Errno::MLINK | Errno::NXIO) => return Ok(None),
            result => result?,
        };
        let stat = rustix::fs::fstat(&fd)?;
        Ok(self.trusts(&stat).then(|| (File::from(fd), stat)))
    }

    /// Returns true if the name is still that of the file.
    pub(crate) fn has(&self, name: &str, file: &Stat) -> bool {
        let found = self.stat(name);
        found.is_some_and(|found| (found.st_dev, found.st_ino) == (file.st_dev, file.st_ino))
    }

    /// Returns the state of a file or symbolic link.
    pub(crate) fn stat(&self, name: &str) -> Option<Stat> {
        rustix::fs::statat(&self.fd, name, AtFlags::SYMLINK_NOFOLLOW).ok()
    }

    /// Gives a file another name, in place of the file that has that name.
    pub(crate) fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        Ok(rustix::fs::renameat(&self.fd, from, &self.fd, to)?)
    }

    /// Removes a file. Returns false if there is none.
    pub(crate) fn remove(&self, name: &str) -> io::Result<bool> {
        match rustix::fs::unlinkat(&self.fd, name, AtFlags::empty()) {
            Err(Errno::NOENT) => Ok(false),
            result => Ok(result.map(|()| true)?),
        }
    }

    /// Creates a directory in this one, unless it exists.
    pub(crate) fn make_folder(&self, name: &str) -> io::Result<()> {
        match rustix::fs::mkdirat(&self.fd, name, Mode::RWXU) {
            Err(Errno::EXIST) => Ok(()),
            result => Ok(result?),
        }
    }

    /// Sets the time of a file's last modification to now.
    pub(crate) fn touch(&self, name: &str) {
        let now = rustix::fs::Timespec { tv_sec: 0, tv_nsec: rustix::fs::UTIME_NOW };
        let unchanged = rustix::fs::Timespec { tv_sec: 0, tv_nsec: rustix::fs::UTIME_OMIT };
        let times = rustix::fs::Timestamps { last_access: unchanged, last_modification: now };
        // A directory that cannot be written is usable nevertheless.
        let _ = rustix::fs::utimensat(&self.fd, name, &times, AtFlags::SYMLINK_NOFOLLOW);
    }

    /// Returns the names in a folder of this directory, `.` for itself, that are text.
    pub(crate) fn names(&self, folder: &str) -> io::Result<Vec<String>> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let folder = rustix::fs::openat(&self.fd, folder, flags, Mode::empty())?;
        let mut names = Vec::new();
        for entry in Dir::read_from(folder.as_fd())? {
            names.extend(entry?.file_name().to_str().map(str::to_owned));
        }
        Ok(names)
    }

    fn trusts(&self, stat: &Stat) -> bool {
        FileType::from_raw_mode(stat.st_mode).is_file()
            && stat.st_uid == self.user.as_raw()
            && !Mode::from_raw_mode(stat.st_mode).intersects(OTHERS_WRITE)
    }
}

/// Checks that root does not make a directory below one of another user, as with `sudo` that keeps `HOME`.
fn check_place(path: &Path) -> Result<(), Unusable> {
    let named = |path: &Path| if path.as_os_str().is_empty() { Path::new(".").metadata() } else { path.metadata() };
    let above = path.ancestors().skip(1).find_map(|above| named(above).ok());
    match above.map(|above| above.uid()) {
        Some(owner) if geteuid().is_root() && owner != 0 => Err(Unusable::OtherUsersPlace { owner }),
        _ => Ok(()),
    }
}

/// Returns the reason why a directory could not be opened or created.
fn why_not(path: &Path, error: io::Error) -> Unusable {
    match std::fs::symlink_metadata(path) {
        Ok(found) if found.is_symlink() => Unusable::SymbolicLink,
        Ok(found) if !found.is_dir() => Unusable::NotADirectory,
        _ => Unusable::Failed(error),
    }
}

/// Returns true if a name is a BLAKE3 hash in hexadecimal with the given ending.
pub(crate) fn is_hash_with(name: &str, suffix: &str) -> bool {
    name.strip_suffix(suffix).is_some_and(|stem| {
        stem.len() == HASH_DIGITS && stem.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'))
    })
}
