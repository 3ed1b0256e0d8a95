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
use std::sync::Arc;

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
    content: Content,
    key: CacheKey,
    /// The entry that was found when the module was loaded.
    found: Option<(Arc<Container>, EntryId)>,
}

impl ModuleCache {
    /// Looks for the entry of a module. `file` is the state of the file that the bytes were read from, as it was before. If the cache knows
    /// the contents of the file, and the file was not changed since, the bytes are not read.
    pub(crate) fn find(cache: Arc<Cache>, key: CacheKey, binary: &[u8], file: Option<&FileState>) -> ModuleCache {
        let content = file.and_then(|file| cache.content_of(file)).unwrap_or_else(|| {
            let content = Content::of(binary);
            if let Some(file) = file {
                cache.note_content(file, &content);
            }
            content
        });
        let found = cache.find(&content, key.as_bytes()).map(|found| (Arc::new(found.container), found.id));
        ModuleCache { cache, content, key, found }
    }

    /// Returns the entry that was found.
    pub(crate) fn container(&self) -> Option<&Arc<Container>> {
        self.found.as_ref().map(|(container, _)| container)
    }

    /// Stores an entry in place of the one that was found. Returns false if another process stored one since.
    pub(crate) fn store(&self, builder: &Builder<'_>) -> io::Result<bool> {
        self.cache.store(&self.content, self.key.as_bytes(), self.found.as_ref().map(|(_, id)| id), builder)
    }
}
