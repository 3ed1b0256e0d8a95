//! Random bytes for guests: [`Random`], the embedder's source or a generator seeded by the host.
//!
//! In: a buffer of the guest. Out: the same buffer, filled. Guests usually ask for a few bytes, and a call of the host's
//! `getrandom` takes longer than producing them. [`Generator`] therefore asks for one seed and fills many buffers from it.
//!
//! # Invariants
//! - No byte is returned twice. Each context seeds its own generator at its first call, and a forked process seeds again
//!   ([`generation`](wasmr_runtime::sys::generation)).
//! - A byte is wiped when it is returned, and each block replaces the key (*fast key erasure*, see
//!   <https://blog.cr.yp.to/20170723-random.html>). The host's memory therefore does not reveal earlier bytes.
//!
//! # Why ChaCha20?
//! The kernel's own generator uses it ([random(4)]), and it is fast without hardware support. The crate `chacha20` is
//! maintained by the RustCrypto project.
//!
//! [random(4)]: https://man7.org/linux/man-pages/man4/random.4.html

use std::fmt;

use chacha20::ChaCha20Rng;
use chacha20::rand_core::{Rng, SeedableRng};
use rustix::io::Errno as HostErrno;
use rustix::rand::{GetRandomFlags, getrandom};
use wasmr_runtime::sys::generation;

use crate::errno::Errno;

/// Size of a key in bytes.
const KEY: usize = 32;

/// Size in bytes of a generator's block, which includes the next key.
const BLOCK: usize = 1024;

/// Bytes returned between two seeds.
const RESEED_AFTER: usize = 1 << 20;

/// An embedder's source of random bytes.
type Source = Box<dyn FnMut(&mut [u8]) + Send + Sync>;

/// Source of a guest's random bytes.
#[derive(Default)]
pub(crate) enum Random {
    /// A generator that the host has not seeded yet.
    #[default]
    Unseeded,
    /// A generator that the host has seeded.
    Seeded(Box<Generator>),
    /// The embedder's source.
    Source(Source),
}

impl Random {
    /// Fills `out`.
    ///
    /// # Errors
    /// The error of the host's `getrandom`.
    pub(crate) fn fill(&mut self, out: &mut [u8]) -> Result<(), Errno> {
        match self {
            Random::Source(source) => source(out),
            Random::Seeded(generator) => generator.fill(out, generation(), host_seed)?,
            Random::Unseeded => {
                let mut generator = Box::new(Generator::new());
                generator.fill(out, generation(), host_seed)?;
                *self = Random::Seeded(generator);
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Random {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Random::Unseeded | Random::Seeded(_) => "Random::Host",
            Random::Source(_) => "Random::Source",
        })
    }
}

/// Fills `seed` from the host's `getrandom`.
fn host_seed(seed: &mut [u8; KEY]) -> Result<(), Errno> {
    let mut rest: &mut [u8] = seed;
    while !rest.is_empty() {
        match getrandom(&mut *rest, GetRandomFlags::empty()) {
            Ok(filled) => rest = &mut rest[filled..],
            Err(HostErrno::INTR) => (),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// A generator of random bytes. Its block starts with the key of the next block; the rest is for guests.
pub(crate) struct Generator {
    block: [u8; BLOCK],
    /// Number of bytes of the block that were used.
    used: usize,
    /// Bytes that may be returned until the next seed.
    left: usize,
    /// Process generation for which the generator was seeded.
    generation: u64,
}

impl Generator {
    /// Returns a generator that asks for a seed before its first byte.
    fn new() -> Generator {
        Generator { block: [0; BLOCK], used: BLOCK, left: 0, generation: 0 }
    }

    /// Fills `out` in the process with this generation.
    fn fill(
        &mut self,
        out: &mut [u8],
        generation: u64,
        seed: impl FnOnce(&mut [u8; KEY]) -> Result<(), Errno>,
    ) -> Result<(), Errno> {
        if self.generation != generation || self.left < out.len() {
            let mut key = [0; KEY];
            seed(&mut key)?;
            self.block[..KEY].copy_from_slice(&key);
            self.used = BLOCK;
            self.left = RESEED_AFTER.max(out.len());
            self.generation = generation;
        }
        self.left -= out.len();
        if out.len() <= BLOCK - KEY {
            self.take(out);
        } else {
            let mut key = [0; KEY];
            self.take(&mut key);
            ChaCha20Rng::from_seed(key).fill_bytes(out);
        }
        Ok(())
    }

    /// Copies the next bytes to `out`, from this block or else from the next, and wipes them.
    fn take(&mut self, out: &mut [u8]) {
        if out.len() > BLOCK - self.used {
            let mut key = [0; KEY];
            key.copy_from_slice(&self.block[..KEY]);
            ChaCha20Rng::from_seed(key).fill_bytes(&mut self.block);
            self.used = KEY;
        }
        let taken = &mut self.block[self.used..self.used + out.len()];
        out.copy_from_slice(taken);
        taken.fill(0);
        self.used += out.len();
    }
}

impl Drop for Generator {
    fn drop(&mut self) {
        self.block.fill(0);
        // Without a later read, the compiler could remove the writes.
        std::hint::black_box(&self.block);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::{BLOCK, Generator, KEY, RESEED_AFTER, Random};
    use crate::errno::Errno;

    /// A generator and its number of seeds; each seed is different.
    struct Counted(Generator, u8);

    impl Counted {
        fn fill(&mut self, out: &mut [u8], generation: u64) {
            let Counted(generator, seeds) = self;
            let seed = |key: &mut [u8; KEY]| {
                *seeds += 1;
                *key = [*seeds; KEY];
                Ok(())
            };
            generator.fill(out, generation, seed).unwrap();
        }
    }

    #[test]
    fn no_eight_bytes_come_twice_whatever_the_sizes() {
        let mut counted = Counted(Generator::new(), 0);
        let mut seen = HashSet::new();
        for len in (8..3 * BLOCK).step_by(56).chain([8; 1000]) {
            let mut out = vec![0; len / 8 * 8];
            counted.fill(&mut out, 1);
            for word in out.chunks_exact(8) {
                assert!(seen.insert(word.to_vec()), "{word:?}");
            }
        }
        assert_eq!(counted.1, 1);
    }

    #[test]
    fn a_forked_process_seeds_anew() {
        let mut counted = Counted(Generator::new(), 0);
        let (mut parent, mut child) = ([0; 16], [0; 16]);
        counted.fill(&mut parent, 1);
        let block = counted.0.block;
        counted.fill(&mut parent, 1);
        // The child's memory is a copy of the parent's before its second call.
        let mut forked = Counted(Generator { block, used: KEY + 16, left: 1000, generation: 1 }, counted.1);
        forked.fill(&mut child, 2);
        assert_ne!(parent, child);
        assert_eq!(forked.1, 2);
    }

    #[test]
    fn returned_bytes_are_wiped() {
        let mut counted = Counted(Generator::new(), 0);
        let mut out = [0; 40];
        counted.fill(&mut out, 1);
        assert_eq!(counted.0.block[KEY..KEY + 40], [0; 40]);
        assert_ne!(counted.0.block[KEY + 40..KEY + 80], [0; 40]);
    }

    #[test]
    fn a_seed_lasts_for_a_mebibyte() {
        let mut counted = Counted(Generator::new(), 0);
        for seeds in 1..=3 {
            for _ in 0..RESEED_AFTER / 4096 {
                counted.fill(&mut [0; 4096], 1);
            }
            assert_eq!(counted.1, seeds);
        }
        counted.fill(&mut vec![0; RESEED_AFTER * 2], 1);
        assert_eq!(counted.1, 4);
    }

    #[test]
    fn a_failed_seed_is_asked_for_again() {
        let mut generator = Generator::new();
        let mut out = [0; 8];
        assert_eq!(generator.fill(&mut out, 1, |_| Err(Errno::Nosys)), Err(Errno::Nosys));
        assert_eq!(out, [0; 8]);
        let seed = |key: &mut [u8; KEY]| {
            *key = [9; KEY];
            Ok(())
        };
        generator.fill(&mut out, 1, seed).unwrap();
        assert_ne!(out, [0; 8]);
    }

    #[test]
    fn two_seeded_generators_differ() {
        let (mut one, mut two) = ([0; 32], [0; 32]);
        Random::default().fill(&mut one).unwrap();
        Random::default().fill(&mut two).unwrap();
        assert_ne!(one, two);
    }
}
