//! Finds entries by content and key, and stores them.

use std::borrow::Cow;
use std::io::{self, BufWriter, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::fs::Stat;

use crate::container::{CHECKSUM, SectionName};
use crate::directory::Directory;
use crate::temporary::{self, Temporary};
use crate::{Builder, Container, Content, DEFAULT_MAX_BYTES, EntryId, Found, Unusable};

/// Ending of the names of entries.
pub(crate) const SUFFIX: &str = ".wasmr";

/// Section with the content hash of an entry.
const CONTENT: SectionName = *b"cont";

/// Section with the key of an entry.
const KEY: SectionName = *b"key ";

/// Age from which the time of an entry's last use is renewed. A shorter one would cost a write in every run.
const RENEW_AFTER: Duration = Duration::from_secs(60 * 60);

/// A directory of entries. The [crate documentation](crate) describes entries, trust and concurrency.
#[derive(Debug)]
pub struct Cache {
    pub(crate) path: PathBuf,
    pub(crate) directory: Directory,
    pub(crate) max_bytes: u64,
}

impl Cache {
    /// Opens a directory. Creates it if it is missing, and its parents, all with mode 0700.
    ///
    /// # Errors
    /// If the directory cannot be opened or created, if it is a symbolic link, if it does not belong to the effective user, or if
    /// group or others may write to it.
    pub fn open(path: &Path) -> Result<Cache, Unusable> {
        Ok(Cache { path: path.to_owned(), directory: Directory::open(path)?, max_bytes: DEFAULT_MAX_BYTES })
    }

    /// Sets the number of bytes that the entries may have together, [`DEFAULT_MAX_BYTES`] if this is not called. The limit holds
    /// after each [`store`](Cache::store).
    #[must_use]
    pub fn with_max_bytes(self, max_bytes: u64) -> Cache {
        Cache { max_bytes, ..self }
    }

    /// Returns the entry for a content and a key, if there is an undamaged one.
    pub fn find(&self, content: &Content, key: &[u8]) -> Option<Found> {
        let name = stem(content, key) + SUFFIX;
        let (container, stat) = self.entry(&name, content, key)?;
        if is_to_renew(modified(&stat), SystemTime::now()) {
            self.directory.touch(&name);
        }
        Some(Found { id: EntryId(container.checksum()), container })
    }

    /// Stores an entry. Returns false if it was not needed: another process is storing the same entry now, or has stored it since
    /// this one looked, or the entry is larger than the whole cache may be. `replaces` is the entry that [`find`](Cache::find)
    /// returned, `None` if it returned none. The sections `cont` and `key ` are reserved.
    ///
    /// Afterwards, entries least recently used are removed until the cache is within its limit. The function starts no thread, and
    /// takes no lock within the process, so it may be called in a child of `fork`.
    ///
    /// # Errors
    /// If the directory or file cannot be written. The previous entry is then unchanged.
    pub fn store(
        &self,
        content: &Content,
        key: &[u8],
        replaces: Option<&EntryId>,
        sections: &Builder<'_>,
    ) -> io::Result<bool> {
        let mut whole = Builder::new();
        whole.section(CONTENT, Cow::Borrowed(content.as_bytes()), false);
        whole.section(KEY, Cow::Borrowed(key), false);
        whole.sections_of(sections);
        if whole.size() as u64 > self.max_bytes {
            return Ok(false);
        }
        let stem = stem(content, key);
        let name = format!("{stem}{SUFFIX}");
        let temporary = Temporary::create(&self.directory, stem + temporary::SUFFIX)?;
        let Some(temporary) = temporary else { return Ok(false) };
        // No other process can replace the entry from here on.
        if self.is_newer(&name, content, key, replaces) {
            return Ok(false);
        }
        let mut out = BufWriter::new(temporary.file());
        whole.write(&mut out)?;
        out.flush()?;
        drop(out);
        temporary.rename(&name)?;
        self.enforce_limits(&name);
        Ok(true)
    }

    /// Returns true if an undamaged entry exists that is not the one to replace.
    fn is_newer(&self, name: &str, content: &Content, key: &[u8], replaces: Option<&EntryId>) -> bool {
        let is_known = || {
            let id = replaces?;
            let (file, _) = self.directory.file(name)?;
            let mut found = [0; 32];
            std::os::unix::fs::FileExt::read_exact_at(&file, &mut found, CHECKSUM.start as u64).ok()?;
            Some(found == id.0)
        };
        is_known() != Some(true) && self.entry(name, content, key).is_some()
    }

    /// Opens and verifies an entry.
    fn entry(&self, name: &str, content: &Content, key: &[u8]) -> Option<(Container, Stat)> {
        let (file, stat) = self.directory.file(name)?;
        let container = Container::open_new(file, u64::try_from(stat.st_size).ok()?).ok()?;
        let is_right = container.section(CONTENT)? == content.as_bytes() && container.section(KEY)? == key;
        is_right.then_some((container, stat))
    }
}

/// The directory, for a process that closes all other descriptors before it stores an entry.
impl AsFd for Cache {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.directory.as_fd()
    }
}

/// Returns the name of an entry without its ending.
fn stem(content: &Content, key: &[u8]) -> String {
    let mut hasher = blake3::Hasher::new();
    hasher.update(content.as_bytes()).update(key);
    hasher.finalize().to_hex().to_string()
}

/// Returns the time of an entry's last use, to the second, or `None` if it is before 1970.
fn modified(stat: &Stat) -> Option<SystemTime> {
    UNIX_EPOCH.checked_add(Duration::from_secs(u64::try_from(stat.st_mtime).ok()?))
}

/// Returns true if a time of last use is long ago, or so far in the future that a clock must have been wrong.
fn is_to_renew(used: Option<SystemTime>, now: SystemTime) -> bool {
    let Some(used) = used else { return true };
    let distance = now.duration_since(used).unwrap_or_else(|error| error.duration());
    distance > RENEW_AFTER
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uses_are_noted_once_an_hour() {
        let now = UNIX_EPOCH + Duration::from_secs(1_000_000);
        let (minute, day) = (Duration::from_secs(60), Duration::from_secs(24 * 60 * 60));
        assert!(!is_to_renew(Some(now), now));
        assert!(!is_to_renew(Some(now - minute), now));
        assert!(!is_to_renew(Some(now + minute), now));
        assert!(is_to_renew(Some(now - day), now));
        assert!(is_to_renew(Some(now + day), now));
        assert!(is_to_renew(None, now));
    }
}
