//! A file that is written under a temporary name and then renamed.
//!
//! The temporary name of an entry follows from its name. Of several processes that finish at the same time with the same entry,
//! one writes, and the others see that and give up. The right to write is a lock on the file (`flock`), which the system takes
//! back when a process dies. A file that a dead process left is therefore free at once, and the next one overwrites or
//! removes it.
//!
//! # Invariants
//! Only the holder of the lock changes, renames or removes a file with a temporary name. A process that gets the lock first
//! checks that the file still has its temporary name: the previous holder may have renamed it between opening and locking. So
//! a file that is in use under its final name is never changed.

use std::fs::File;
use std::io;

use rustix::fs::{FlockOperation, Stat, flock};
use rustix::io::Errno;

use crate::directory::Directory;

/// Ending of temporary names.
pub(crate) const SUFFIX: &str = ".tmp";

/// Number of times that a file is opened anew because it was renamed before it was locked.
const ATTEMPTS: usize = 4;

/// The lock on a file with a temporary name. Dropping it removes the file.
pub(crate) struct Temporary<'d> {
    directory: &'d Directory,
    name: String,
    file: File,
    has_name: bool,
}

impl<'d> Temporary<'d> {
    /// Creates an empty file, or takes over that of a dead process. Returns `None` if another process or thread has the lock.
    pub(crate) fn create(directory: &'d Directory, name: String) -> io::Result<Option<Temporary<'d>>> {
        let temporary = Temporary::lock(directory, name, true)?;
        if let Some(temporary) = &temporary {
            temporary.file.set_len(0)?;
        }
        Ok(temporary)
    }

    /// Removes a file if a dead process left it.
    pub(crate) fn remove_leftover(directory: &Directory, name: String) {
        drop(Temporary::lock(directory, name, false));
    }

    fn lock(directory: &'d Directory, name: String, create: bool) -> io::Result<Option<Temporary<'d>>> {
        for _ in 0..ATTEMPTS {
            let Some((file, stat)) = directory.file_to_write(&name, create)? else {
                // No process of wasmr made this.
                directory.remove(&name)?;
                continue;
            };
            match claim(directory, &name, &file, &stat)? {
                Claim::Granted => return Ok(Some(Temporary { directory, name, file, has_name: true })),
                Claim::Held => return Ok(None),
                Claim::Renamed => {}
            }
        }
        Ok(None)
    }

    /// Returns the file.
    pub(crate) fn file(&self) -> &File {
        &self.file
    }

    /// Gives the file its final name.
    pub(crate) fn rename(mut self, to: &str) -> io::Result<()> {
        self.directory.rename(&self.name, to)?;
        self.has_name = false;
        Ok(())
    }
}

impl Drop for Temporary<'_> {
    fn drop(&mut self) {
        if self.has_name {
            // The file is still locked. If it cannot be removed, the next process takes it over.
            let _ = self.directory.remove(&self.name);
        }
    }
}

/// Outcome of an attempt to lock an open file.
#[derive(Debug, PartialEq, Eq)]
enum Claim {
    /// The file is locked and has its temporary name.
    Granted,
    /// Another process or thread has the lock.
    Held,
    /// The file has lost its temporary name since it was opened.
    Renamed,
}

/// Tries to lock a file that was opened under a temporary name.
fn claim(directory: &Directory, name: &str, file: &File, stat: &Stat) -> io::Result<Claim> {
    match flock(file, FlockOperation::NonBlockingLockExclusive) {
        Err(Errno::WOULDBLOCK) => Ok(Claim::Held),
        result => {
            result?;
            Ok(if directory.has(name, stat) { Claim::Granted } else { Claim::Renamed })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_renamed_before_it_is_locked_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let directory = Directory::open(dir.path()).unwrap();
        let first = Temporary::create(&directory, "x.tmp".to_owned()).unwrap().unwrap();
        // A second process opens the file, the first renames it and ends, a third begins.
        let (file, stat) = directory.file_to_write("x.tmp", true).unwrap().unwrap();
        assert_eq!(claim(&directory, "x.tmp", &file, &stat).unwrap(), Claim::Held);
        flock(first.file(), FlockOperation::Unlock).unwrap();
        first.rename("x").unwrap();
        assert_eq!(claim(&directory, "x.tmp", &file, &stat).unwrap(), Claim::Renamed);
        let third = Temporary::create(&directory, "x.tmp".to_owned()).unwrap().unwrap();
        assert_eq!(claim(&directory, "x.tmp", &file, &stat).unwrap(), Claim::Renamed);
        drop(third);
        assert!(dir.path().join("x").exists() && !dir.path().join("x.tmp").exists());
    }
}
