//! [`ModuleBytes`]: the binary of a module or component, with shared ownership.

use std::ops::Range;
use std::sync::Arc;

/// The bytes of a module or component, in a vector, a static slice or a memory map. Clones and [slices](ModuleBytes::slice) share
/// them.
///
/// The bytes must not change while a module uses them. Those of a memory map change if any process writes the file.
#[derive(Clone)]
pub struct ModuleBytes {
    owner: Arc<dyn AsRef<[u8]> + Send + Sync>,
    /// The part of the owner's bytes that this is; `None` for all of them.
    part: Option<Range<usize>>,
}

impl ModuleBytes {
    /// Takes ownership of `bytes`. `as_ref` must return the same slice each time.
    pub fn new(bytes: impl AsRef<[u8]> + Send + Sync + 'static) -> ModuleBytes {
        ModuleBytes::from(Arc::new(bytes) as Arc<dyn AsRef<[u8]> + Send + Sync>)
    }

    /// Returns a part of the bytes, which shares their ownership: a module within a component.
    ///
    /// # Panics
    /// If `range` ends before it begins, or after the end of the bytes.
    #[must_use]
    pub fn slice(&self, range: Range<usize>) -> ModuleBytes {
        assert!(range.start <= range.end && range.end <= self.as_ref().len(), "{range:?} is a part of {self:?}");
        let start = self.part.as_ref().map_or(0, |part| part.start);
        ModuleBytes { owner: self.owner.clone(), part: Some(start + range.start..start + range.end) }
    }
}

impl AsRef<[u8]> for ModuleBytes {
    fn as_ref(&self) -> &[u8] {
        let bytes = (*self.owner).as_ref();
        match &self.part {
            Some(part) => &bytes[part.clone()],
            None => bytes,
        }
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
        ModuleBytes { owner: bytes, part: None }
    }
}

impl std::fmt::Debug for ModuleBytes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ModuleBytes({} bytes)", self.as_ref().len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slice_shares_the_bytes() {
        let bytes = ModuleBytes::new(b"abcdef".to_vec());
        let slice = bytes.slice(1..5);
        assert_eq!(slice.as_ref(), b"bcde");
        assert_eq!(slice.as_ref().as_ptr(), bytes.as_ref()[1..].as_ptr());
        assert_eq!(slice.slice(1..3).as_ref(), b"cd");
        assert_eq!(slice.slice(4..4).as_ref(), b"");
        drop(bytes);
        assert_eq!(slice.as_ref(), b"bcde");
    }

    #[test]
    #[should_panic(expected = "is a part of")]
    fn a_slice_is_within_its_bytes() {
        let _ = ModuleBytes::new(b"abcdef".to_vec()).slice(1..5).slice(0..5);
    }
}
