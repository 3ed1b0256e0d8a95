//! SHA-3 by the crate tiny-keccak: a long message, and a chain of short ones. `keccak.wasm [ROUNDS]`.

use tiny_keccak::{Hasher, Sha3};

fn digest(message: &[u8]) -> [u8; 32] {
    let (mut hasher, mut digest) = (Sha3::v256(), [0; 32]);
    hasher.update(message);
    hasher.finalize(&mut digest);
    digest
}

fn main() {
    let rounds: usize = std::env::args().nth(1).map_or(1000, |word| word.parse().expect("a number"));
    let mut last = digest(&vec![7; rounds * 136]);
    for _ in 0..rounds {
        last = digest(&last);
    }
    for byte in last {
        print!("{byte:02x}");
    }
    println!();
}
