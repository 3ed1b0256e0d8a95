//! [`ModuleCache`]: the place of one module in the engine's cache. It finds what earlier processes learnt of the module, and stores
//! what this one learnt.
//!
//! | section of an entry | contents | made by |
//! |---|---|---|
//! | `outl` | the offsets that decoding computed; its presence says that the module is valid | [`wasmr_module::Module::outline`] |
//! | `prof` | [`SavedProfile`](crate::saved_profile::SavedProfile) | `warm_start` |
//! | others | machine code for each kind of memory 0 | [`JitModule::write_image`](wasmr_jit::JitModule::write_image) |
//!
//! Nothing here fails: without an entry, the module is validated as in a first run.
//!
//! # Why is the file looked at again?
//! The bytes of a large module are a mapping of its file, in which everybody sees what is written to the file, the guest included. An
//! entry says of a content that it is valid. It must not be stored for bytes that were hashed after such a change but validated
//! before it, nor found by a content that the file no longer has. [`Module::from_file_bytes`](crate::Module::from_file_bytes)
//! requires that only files are mapped whose state tells of every change, and the state is compared after the bytes were read.

use std::fs::File;
use std::io;
use std::sync::{Arc, OnceLock};

use wasmr_cache::{Builder, Cache, Container, Content, EntryId, FileState, SectionName};
#[cfg(feature = "component")]
use wasmr_module::ModuleBytes;

use crate::cache_key::CacheKey;

/// Section with the outline of the module.
pub(crate) const OUTLINE: SectionName = *b"outl";
/// Section with the profile.
#[cfg(feature = "jit")]
pub(crate) const PROFILE: SectionName = *b"prof";

/// The place of one module in a cache.
#[derive(Debug)]
pub(crate) struct ModuleCache {
    cache: Arc<Cache>,
    key: CacheKey,
    /// Hash of the module, or of the component that it is in. Not computed before the end if the cache does not know the
    /// beginning.
    content: Arc<OnceLock<Content>>,
    /// The component that the module is in.
    #[cfg(feature = "component")]
    component: Option<ModuleBytes>,
    /// State of the module's file, if it is stable. The bytes are then perhaps a mapping of the file.
    file: Option<FileState>,
    /// True if the cache had a record for the state of the file.
    is_recorded: bool,
    /// The entry that was found when the module was loaded.
    found: Option<(Arc<Container>, EntryId)>,
}

impl ModuleCache {
    /// Looks for the entry of a module. `file` is the state of the file before the bytes were read from it. If the cache has a record for
    /// this state, the bytes are not read. If it knows no module with the same beginning, only the beginning is read.
    pub(crate) fn find(cache: Arc<Cache>, key: CacheKey, binary: &[u8], file: Option<&FileState>) -> ModuleCache {
        let mut place = ModuleCache::of_file(cache, key, binary, file);
        place.look();
        place
    }

    /// Returns the place of a file whose entry has not been looked for. Computes the hash of the content if there may be an entry.
    fn of_file(cache: Arc<Cache>, key: CacheKey, binary: &[u8], file: Option<&FileState>) -> ModuleCache {
        let file = file.filter(|file| file.is_stable()).cloned();
        let recorded = file.as_ref().and_then(|file| cache.content_of(file).filter(|_| file.is_unchanged()));
        let is_recorded = recorded.is_some();
        let content = OnceLock::new();
        if is_recorded || cache.knows_beginning(binary) {
            content.get_or_init(|| recorded.unwrap_or_else(|| Content::of(binary)));
        }
        ModuleCache {
            cache,
            key,
            content: Arc::new(content),
            #[cfg(feature = "component")]
            component: None,
            file,
            is_recorded,
            found: None,
        }
    }

    /// Looks for the entry, if the hash of the content is known.
    fn look(&mut self) {
        let Some(content) = self.content.get() else { return };
        let Some(found) = self.cache.find(content, self.key.as_bytes()) else { return };
        self.note_content(content);
        self.found = Some((Arc::new(found.container), found.id));
    }

    /// Returns the entry that was found.
    pub(crate) fn container(&self) -> Option<&Arc<Container>> {
        self.found.as_ref().map(|(container, _)| container)
    }

    /// Returns the file that the bytes may be a mapping of.
    pub(crate) fn file(&self) -> Option<&File> {
        self.file.as_ref().map(FileState::file)
    }

    /// Notes the content of the file, for which the cache has no record.
    fn note_content(&self, content: &Content) {
        if let Some(file) = self.file.as_ref().filter(|_| !self.is_recorded) {
            self.cache.note_content(file, content);
        }
    }

    /// Stores an entry for the module in place of the one that was found. Returns false if another process stored one since, or if the
    /// file has changed.
    pub(crate) fn store(&self, binary: &[u8], builder: &Builder<'_>) -> io::Result<bool> {
        #[cfg(feature = "component")]
        let binary = self.component.as_ref().map_or(binary, AsRef::as_ref);
        let content = self.content.get_or_init(|| Content::of(binary));
        // After everything was read.
        if self.file.as_ref().is_some_and(|file| !file.is_unchanged()) {
            return Ok(false);
        }
        self.note_content(content);
        self.cache.note_beginning(binary);
        self.cache.store(content, self.key.as_bytes(), self.found.as_ref().map(|(_, id)| id), builder)
    }
}

/// The place of the modules of one component in a cache. Their entries are known by the content of the component: the type numbers in a
/// module's code depend on the modules before it.
#[cfg(feature = "component")]
#[derive(Debug)]
pub(crate) struct ComponentCache {
    bytes: ModuleBytes,
    place: ModuleCache,
}

#[cfg(feature = "component")]
impl ComponentCache {
    /// Returns the place of a component, as [`ModuleCache::find`] does.
    pub(crate) fn new(
        cache: Arc<Cache>,
        key: CacheKey,
        bytes: &ModuleBytes,
        file: Option<&FileState>,
    ) -> ComponentCache {
        ComponentCache { bytes: bytes.clone(), place: ModuleCache::of_file(cache, key, bytes.as_ref(), file) }
    }

    /// Looks for the entry of a module of the component.
    pub(crate) fn module(&self, index: usize) -> ModuleCache {
        let ModuleCache { cache, key, content, file, is_recorded, .. } = &self.place;
        let mut place = ModuleCache {
            cache: cache.clone(),
            key: key.clone().of_module(index),
            content: content.clone(),
            component: Some(self.bytes.clone()),
            file: file.clone(),
            is_recorded: *is_recorded,
            found: None,
        };
        place.look();
        place
    }
}
