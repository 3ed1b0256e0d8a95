//! Keeps a cache within its limits, and empties it.
//!
//! The time of an entry's last use is the modification time of its file. The whole directory is listed after each stored entry;
//! [`MAX_ENTRIES`] bounds the time for that.

use std::io;

use crate::directory::{Directory, is_hash_with};
use crate::temporary::{self, Temporary};
use crate::{Cache, Info, Removed, cache, records};

/// Largest number of entries. To list so many takes about 10 ms.
const MAX_ENTRIES: usize = 8192;

/// An entry of a listed directory.
struct Entry {
    /// Seconds and nanoseconds of the last use.
    used: (i64, i64),
    name: String,
    bytes: u64,
}

/// The files of a cache's directory. Files of other names are not the cache's, and are left alone.
struct Listing {
    entries: Vec<Entry>,
    temporaries: Vec<String>,
}

impl Listing {
    fn of(directory: &Directory) -> io::Result<Listing> {
        let mut listing = Listing { entries: Vec::new(), temporaries: Vec::new() };
        for name in directory.names(".")? {
            if is_hash_with(&name, temporary::SUFFIX) {
                listing.temporaries.push(name);
            } else if is_hash_with(&name, cache::SUFFIX)
                && let Some(stat) = directory.stat(&name)
            {
                let used = (stat.st_mtime, stat.st_mtime_nsec as i64);
                listing.entries.push(Entry { used, name, bytes: u64::try_from(stat.st_size).unwrap_or(0) });
            }
        }
        Ok(listing)
    }

    fn bytes(&self) -> u64 {
        self.entries.iter().map(|entry| entry.bytes).sum()
    }
}

impl Cache {
    /// Returns the size of the cache.
    ///
    /// # Errors
    /// If the directory cannot be listed.
    pub fn info(&self) -> io::Result<Info> {
        let listing = Listing::of(&self.directory)?;
        Ok(Info {
            dir: self.path.clone(),
            entries: listing.entries.len(),
            bytes: listing.bytes(),
            max_bytes: self.max_bytes,
        })
    }

    /// Removes all entries and records. Entries that other processes are writing now stay. So does the directory, and every file in
    /// it that is not the cache's.
    ///
    /// # Errors
    /// If the directory cannot be listed, or a file cannot be removed. The other files are removed nevertheless.
    pub fn clean(&self) -> io::Result<Removed> {
        let listing = Listing::of(&self.directory)?;
        let (mut removed, mut failure) = (Removed::default(), None);
        for entry in listing.entries {
            match self.directory.remove(&entry.name) {
                Ok(true) => {
                    removed.entries += 1;
                    removed.bytes += entry.bytes;
                }
                Ok(false) => {}
                Err(error) => failure = Some(error),
            }
        }
        for name in listing.temporaries {
            Temporary::remove_leftover(&self.directory, name);
        }
        let records = records::clean(&self.directory);
        failure.map_or(Ok(()), Err).and(records)?;
        Ok(removed)
    }

    /// Removes entries least recently used until the cache is within its limits, and files that dead processes left. Keeps the entry
    /// that was just stored.
    pub(crate) fn enforce_limits(&self, stored: &str) {
        // The entry is stored; a failure here leaves the cache too large until the next time.
        let Ok(mut listing) = Listing::of(&self.directory) else { return };
        for name in std::mem::take(&mut listing.temporaries) {
            Temporary::remove_leftover(&self.directory, name);
        }
        let (mut bytes, mut count) = (listing.bytes(), listing.entries.len());
        if bytes <= self.max_bytes && count <= MAX_ENTRIES {
            return;
        }
        listing.entries.retain(|entry| entry.name != stored);
        listing.entries.sort_unstable_by(|a, b| (a.used, &a.name).cmp(&(b.used, &b.name)));
        for entry in listing.entries {
            if bytes <= self.max_bytes && count <= MAX_ENTRIES {
                return;
            }
            if self.directory.remove(&entry.name).is_ok() {
                bytes -= entry.bytes;
                count -= 1;
            }
        }
    }
}
