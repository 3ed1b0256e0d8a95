//! Collections of the Rust standard library: words are counted in a hash map, ordered, joined, parsed and looked up in a
//! B-tree; a heap gives the shortest paths of a random graph. `maps.wasm [ROUNDS]`.

use std::cmp::Reverse;
use std::collections::hash_map::DefaultHasher;
use std::collections::{BTreeMap, BinaryHeap, HashMap};
use std::hash::{BuildHasherDefault, Hash, Hasher};

/// A hasher without random keys, so that each run does the same work.
type Fixed = BuildHasherDefault<DefaultHasher>;

struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        self.0 >> 33
    }
}

fn words(numbers: &mut Numbers) -> u64 {
    let mut counts: HashMap<String, u32, Fixed> = HashMap::default();
    for _ in 0..20_000 {
        let word = format!("w{:x}", numbers.next() % 3000);
        *counts.entry(word).or_insert(0) += 1;
    }
    let mut order: Vec<(String, u32)> = counts.into_iter().collect();
    order.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    let text: Vec<String> = order.iter().map(|(word, count)| format!("{word}={count}")).collect();
    let text = text.join(";");
    let back: BTreeMap<&str, u32> =
        text.split(';').filter_map(|pair| pair.split_once('=')).map(|(w, n)| (w, n.parse().unwrap())).collect();
    let mut hasher = DefaultHasher::new();
    back.range("w5".."w9").for_each(|entry| entry.hash(&mut hasher));
    hasher.finish()
}

fn paths(numbers: &mut Numbers) -> u64 {
    const NODES: usize = 2000;
    let edges: Vec<Vec<(usize, u64)>> = (0..NODES)
        .map(|_| (0..6).map(|_| (numbers.next() as usize % NODES, numbers.next() % 100 + 1)).collect())
        .collect();
    let mut distance = vec![u64::MAX; NODES];
    let mut heap = BinaryHeap::new();
    heap.push(Reverse((0u64, 0usize)));
    while let Some(Reverse((far, node))) = heap.pop() {
        if far >= distance[node] {
            continue;
        }
        distance[node] = far;
        for &(to, length) in &edges[node] {
            if far + length < distance[to] {
                heap.push(Reverse((far + length, to)));
            }
        }
    }
    distance.into_iter().filter(|&d| d != u64::MAX).fold(0, |hash, d| hash.wrapping_mul(31).wrapping_add(d))
}

fn main() {
    let rounds = std::env::args().nth(1).and_then(|n| n.parse().ok()).unwrap_or(1);
    let mut numbers = Numbers(42);
    let mut hash = 0u64;
    for _ in 0..rounds {
        hash = hash.rotate_left(7) ^ words(&mut numbers) ^ paths(&mut numbers);
    }
    println!("{rounds} rounds: {hash:016x}");
}
