//! Random bytes for guests: [`Random`], the embedder's source or a generator seeded by the host.
//!
//! In: a buffer of the guest's. Out: the buffer filled. A call of the host's `getrandom` takes longer than the few bytes that
//! guests mostly ask for, so [`Generator`] asks for a seed and makes many buffers of it.
//!
//! # Invariants
//! - No byte is given out twice: each context seeds its own generator, at its first call, and a process that was forked seeds
//!   anew ([`generation`](wasmr_runtime::sys::generation)).
//! - A byte is wiped when it is given out, and the key is replaced with each block (*fast key erasure*, see
//!   <https://blog.cr.yp.to/20170723-random.html>), so that the memory of the host does not tell what guests got before.
//!
//! # Why ChaCha20?
//! It is what the kernel's own generator uses, and needs no hardware to be fast. The crate `chacha20` is maintained by the
//! RustCrypto project.

use std::fmt;

use chacha20::ChaCha20Rng;
use chacha20::rand_core::{Rng, SeedableRng};
use rustix::io::Errno as HostErrno;
use rustix::rand::{GetRandomFlags, getrandom};
use wasmr_runtime::sys::generation;

use crate::errno::Errno;

/// Bytes of a key.
const KEY: usize = 32;

/// Bytes that a generator makes at once, its next key among them.
const BLOCK: usize = 1024;

/// Bytes given out between two seeds.
const RESEED_AFTER: usize = 1 << 20;

/// A source of the embedder's.
type Source = Box<dyn FnMut(&mut [u8]) + Send + Sync>;

/// Where a guest's random bytes come from.
#[derive(Default)]
pub(crate) enum Random {
    /// The host's generator, not asked yet.
    #[default]
    Unseeded,
    /// A generator that the host has seeded.
    Seeded(Box<Generator>),
    /// The embedder's source.
    Source(Source),
}

impl Random {
    /// Fills `out`. Fails as the host's generator does.
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

/// Fills `seed` from the host.
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

/// A generator: a block whose first bytes are the key of the next, the rest for guests.
pub(crate) struct Generator {
    block: [u8; BLOCK],
    /// The bytes before this one were given out.
    used: usize,
    /// Bytes that may be given out until the next seed.
    left: usize,
    /// The process for which it was seeded.
    generation: u64,
}

impl Generator {
    /// A generator that asks for a seed before its first byte.
    fn new() -> Generator {
        Generator { block: [0; BLOCK], used: BLOCK, left: 0, generation: 0 }
    }

    /// Fills `out` in the process `generation`.
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

    /// Gives out the next bytes, of this block or else of the next.
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
        // Without a reader, the compiler could leave the writes out.
        std::hint::black_box(&self.block);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::{BLOCK, Generator, KEY, RESEED_AFTER, Random};
    use crate::errno::Errno;

    /// A generator and how often it was seeded, with the same seed each time.
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
        // The child has the parent's memory of before.
        let mut forked = Counted(Generator { block, used: KEY + 16, left: 1000, generation: 1 }, counted.1);
        forked.fill(&mut child, 2);
        assert_ne!(parent, child);
        assert_eq!(forked.1, 2);
    }

    #[test]
    fn what_was_given_out_is_wiped() {
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
    fn a_host_that_has_no_bytes_is_asked_again() {
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
    fn two_of_the_host_differ() {
        let (mut one, mut two) = ([0; 32], [0; 32]);
        Random::default().fill(&mut one).unwrap();
        Random::default().fill(&mut two).unwrap();
        assert_ne!(one, two);
    }
}
