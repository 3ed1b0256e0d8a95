//! [`ModuleBytes`]: the binary of a module, with shared ownership.

use std::sync::Arc;

/// The bytes of a module, in a vector, a static slice or a memory map. Clones share them.
///
/// The bytes must not change while a module uses them. Those of a memory map change if any process writes the file.
#[derive(Clone)]
pub struct ModuleBytes(Arc<dyn AsRef<[u8]> + Send + Sync>);

impl ModuleBytes {
    /// Takes ownership of `bytes`. `as_ref` must return the same slice each time.
    pub fn new(bytes: impl AsRef<[u8]> + Send + Sync + 'static) -> ModuleBytes {
        ModuleBytes(Arc::new(bytes))
    }
}

impl AsRef<[u8]> for ModuleBytes {
    fn as_ref(&self) -> &[u8] {
        (*self.0).as_ref()
    }
}

impl From<Vec<u8>> for ModuleBytes {
    fn from(bytes: Vec<u8>) -> ModuleBytes {
        ModuleBytes::new(bytes)
    }
}

impl From<&'static [u8]> for ModuleBytes {
    fn from(bytes: &'static [u8]) -> ModuleBytes {
        ModuleBytes::new(bytes)
    }
}

impl From<Arc<dyn AsRef<[u8]> + Send + Sync>> for ModuleBytes {
    fn from(bytes: Arc<dyn AsRef<[u8]> + Send + Sync>) -> ModuleBytes {
        ModuleBytes(bytes)
    }
}

impl std::fmt::Debug for ModuleBytes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ModuleBytes({} bytes)", self.as_ref().len())
    }
}
