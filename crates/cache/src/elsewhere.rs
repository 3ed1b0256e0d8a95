//! A cache that cannot be opened, for systems without the owners and permissions of Unix. Containers work there.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;

use crate::{Builder, Content, EntryId, Found, Info, Removed, Unusable};

/// A cache, which does not exist on this system.
#[derive(Debug)]
pub enum Cache {}

/// State of a file, of which this system keeps no record.
#[derive(Clone, Debug)]
pub struct FileState(Arc<File>);

impl FileState {
    /// Returns a state that tells nothing.
    pub fn of(file: &File) -> io::Result<FileState> {
        Ok(FileState(Arc::new(file.try_clone()?)))
    }

    /// Returns false: a change may leave no trace.
    pub fn is_stable(&self) -> bool {
        false
    }

    /// Returns false: a change may have left no trace.
    pub fn is_unchanged(&self) -> bool {
        false
    }

    /// Returns the file.
    pub fn file(&self) -> &File {
        &self.0
    }
}

impl Cache {
    /// Returns [`Unusable::Unsupported`].
    pub fn open(_: &Path) -> Result<Cache, Unusable> {
        Err(Unusable::Unsupported)
    }

    /// Cannot be called.
    pub fn with_max_bytes(self, _: u64) -> Cache {
        match self {}
    }

    /// Cannot be called.
    pub fn find(&self, _: &Content, _: &[u8]) -> Option<Found> {
        match *self {}
    }

    /// Cannot be called.
    pub fn store(&self, _: &Content, _: &[u8], _: Option<&EntryId>, _: &Builder<'_>) -> io::Result<bool> {
        match *self {}
    }

    /// Cannot be called.
    pub fn content_of(&self, _: &FileState) -> Option<Content> {
        match *self {}
    }

    /// Cannot be called.
    pub fn note_content(&self, _: &FileState, _: &Content) {
        match *self {}
    }

    /// Cannot be called.
    pub fn knows_beginning(&self, _: &[u8]) -> bool {
        match *self {}
    }

    /// Cannot be called.
    pub fn note_beginning(&self, _: &[u8]) {
        match *self {}
    }

    /// Cannot be called.
    pub fn info(&self) -> io::Result<Info> {
        match *self {}
    }

    /// Cannot be called.
    pub fn clean(&self) -> io::Result<Removed> {
        match *self {}
    }
}
