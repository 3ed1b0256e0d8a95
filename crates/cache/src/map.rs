//! Maps a file into memory, to be read only. Unsafe: the mapping.

use std::fs::File;
use std::io;
use std::ops::Deref;

use memmap2::{Mmap, MmapOptions};

/// The first bytes of a file, mapped.
pub(crate) struct Map(Mmap);

impl Map {
    /// Maps the first `len` bytes of a file.
    pub(crate) fn of(file: &File, len: usize) -> io::Result<Map> {
        // SAFETY: `map` asks that nobody changes the file while it is mapped. wasmr changes only files with a temporary name, and
        // maps none of these (see `temporary`). Another user cannot write the file of a cache. For a file from elsewhere,
        // `Container::open` and `open_unverified` ask their caller for the same.
        unsafe { MmapOptions::new().len(len).map(file) }.map(Map)
    }
}

impl Deref for Map {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}
