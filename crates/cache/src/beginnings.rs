//! Remembers the beginnings of modules that have entries, so that a large module that was never seen is not hashed before it runs.
//!
//! A beginning is the size of a module and its first [`BEGINNING`] bytes. A module gets a note of its beginning together with its entry.
//! A module without a note is loaded as if it had no entry. A note decides nothing else: modules with one beginning share it, and a
//! lost note costs one run without the entry.
//!
//! A note is an empty file in the folder of the [records](crate::records). The limit on their number counts notes as well.

use std::io;

use crate::Cache;
use crate::records::{self, FOLDER};

/// Bytes of a module that count as its beginning. Hashing them takes some 15 µs.
const BEGINNING: usize = 64 << 10;

impl Cache {
    /// Returns true if a module with this beginning may have an entry: there is a note, or the module is so small that it needs none.
    pub fn knows_beginning(&self, module: &[u8]) -> bool {
        module.len() <= BEGINNING || self.directory.file(&path(module)).is_some()
    }

    /// Notes the beginning of a module that gets an entry.
    pub fn note_beginning(&self, module: &[u8]) {
        if !self.knows_beginning(module) {
            // Without the note, the entry is not found next time.
            let _ = self.write_beginning(&path(module));
        }
    }

    fn write_beginning(&self, path: &str) -> io::Result<()> {
        records::new_file(&self.directory, path)?;
        records::forget_oldest(&self.directory)
    }
}

fn path(module: &[u8]) -> String {
    let mut hasher = blake3::Hasher::new();
    // No record has this name: those are hashes of 16 other bytes.
    hasher.update(b"beginning").update(&module.len().to_le_bytes()).update(&module[..BEGINNING.min(module.len())]);
    format!("{FOLDER}/{}", hasher.finalize().to_hex())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beginnings_are_known_once_noted() {
        let dir = tempfile::tempdir().unwrap();
        let cache = Cache::open(&dir.path().join("cache")).unwrap();
        let module = vec![7; BEGINNING + 5];
        assert!(!cache.knows_beginning(&module));
        cache.note_beginning(&module);
        assert!(cache.knows_beginning(&module));
        let mut other_end = module.clone();
        other_end[BEGINNING] = 8;
        assert!(cache.knows_beginning(&other_end), "the end does not count");
        assert!(!cache.knows_beginning(&module[1..]), "the size does");
        assert!(cache.knows_beginning(&module[..BEGINNING]), "a small module is hashed as a whole");
        cache.clean().unwrap();
        assert!(!cache.knows_beginning(&module));
    }
}
