//! The hash by which the content of a module is known.

use std::fmt;

/// Hash of a module's bytes. BLAKE3 is a cryptographic hash, so nobody can make two modules with the same one.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Content([u8; 32]);

impl Content {
    /// Returns the hash of a module's bytes.
    pub fn of(bytes: &[u8]) -> Content {
        Content(*blake3::hash(bytes).as_bytes())
    }

    /// Returns the bytes of the hash.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Returns a hash that was stored.
    #[cfg(unix)]
    pub(crate) fn from_stored(bytes: [u8; 32]) -> Content {
        Content(bytes)
    }
}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&blake3::Hash::from_bytes(self.0).to_hex())
    }
}
