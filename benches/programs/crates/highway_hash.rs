//! HighwayHash by the crate highway, in vectors of 128 bits. `highway_hash.wasm [MEGABYTES]`.

use highway::{HighwayHash, HighwayHasher, Key};

fn main() {
    let megabytes: usize = std::env::args().nth(1).map_or(10, |word| word.parse().expect("a number"));
    let data: Vec<u8> = (0..1_000_000u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let mut hasher = HighwayHasher::new(Key([1, 2, 3, 4]));
    for part in 0..megabytes {
        // Packets of 32 bytes do not stay at the same places.
        hasher.append(&data[part % 32..]);
    }
    println!("{:016x?}", hasher.finalize256());
}
