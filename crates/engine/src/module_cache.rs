//! [`ModuleCache`]: the place of one module in the engine's cache. It finds what earlier processes learnt of the module, and stores
//! what this one learnt.
//!
//! | section of an entry | contents | made by |
//! |---|---|---|
//! | `outl` | the offsets that decoding computed; its presence says that the module is valid | [`wasmr_module::Module::outline`] |
//! | `prof` | [`SavedProfile`](crate::saved_profile::SavedProfile) | `module_tiers` |
//! | others | machine code for each kind of memory 0 | [`JitModule::write_image`](wasmr_jit::JitModule::write_image) |
//!
//! Nothing here fails: without an entry, the module is validated and learnt of as in a first run.

use std::io;
use std::sync::{Arc, OnceLock};

use wasmr_cache::{Builder, Cache, Container, Content, EntryId, FileState, SectionName};

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
    /// Hash of the module. Unknown as long as the module certainly has no entry.
    content: OnceLock<Content>,
    /// State of the module's file, for which the cache has no record.
    file: Option<FileState>,
    /// The entry that was found when the module was loaded.
    found: Option<(Arc<Container>, EntryId)>,
}

impl ModuleCache {
    /// Looks for the entry of a module. `file` is the state of the file that the bytes were read from, as it was before. If the cache knows
    /// the contents of the file, and the file was not changed since, the bytes are not read. If it knows no module that begins with the
    /// same bytes, only these are read.
    pub(crate) fn find(cache: Arc<Cache>, key: CacheKey, binary: &[u8], file: Option<&FileState>) -> ModuleCache {
        let recorded = file.and_then(|file| cache.content_of(file));
        let mut place = ModuleCache { cache, key, content: OnceLock::new(), file: None, found: None };
        if recorded.is_none() {
            place.file = file.cloned();
            if !place.cache.knows_beginning(binary) {
                return place;
            }
        }
        let content = place.content.get_or_init(|| recorded.unwrap_or_else(|| Content::of(binary)));
        let found = place.cache.find(content, place.key.as_bytes());
        if let (Some(_), Some(file)) = (&found, &place.file) {
            place.cache.note_content(file, content);
        }
        place.found = found.map(|found| (Arc::new(found.container), found.id));
        place
    }

    /// Returns the entry that was found.
    pub(crate) fn container(&self) -> Option<&Arc<Container>> {
        self.found.as_ref().map(|(container, _)| container)
    }

    /// Stores an entry for the module in place of the one that was found. Returns false if another process stored one since.
    pub(crate) fn store(&self, binary: &[u8], builder: &Builder<'_>) -> io::Result<bool> {
        let content = self.content.get_or_init(|| Content::of(binary));
        if let Some(file) = &self.file {
            self.cache.note_content(file, content);
        }
        self.cache.note_beginning(binary);
        self.cache.store(content, self.key.as_bytes(), self.found.as_ref().map(|(_, id)| id), builder)
    }
}
