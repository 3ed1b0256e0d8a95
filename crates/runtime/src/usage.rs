//! [`SharedUsage`]: the bytes and elements that the stores of one guest have taken from its limits.
//!
//! A guest with threads has a store for each, and [`StoreLimits`](crate::StoreLimits) bounds all of them together. Every store
//! counts what it took itself, and returns that when it is dropped. A shared memory belongs to no store and counts for itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The resources in use of one guest, whose stores share the count ([`Store::config_for_thread`](crate::Store::config_for_thread)).
#[derive(Clone, Debug, Default)]
pub struct SharedUsage(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    memory_bytes: AtomicU64,
    table_elements: AtomicU64,
}

impl SharedUsage {
    /// Returns the bytes of all linear memories together.
    pub fn memory_bytes(&self) -> u64 {
        self.0.memory_bytes.load(Ordering::Relaxed)
    }

    /// Returns the elements of all tables together.
    pub fn table_elements(&self) -> u64 {
        self.0.table_elements.load(Ordering::Relaxed)
    }

    /// Takes `bytes` for a memory. Returns false and takes nothing if the sum would exceed `limit`.
    pub(crate) fn take_memory(&self, bytes: u64, limit: u64) -> bool {
        take(&self.0.memory_bytes, bytes, limit)
    }

    /// Takes `count` elements for a table. Returns false and takes nothing if the sum would exceed `limit`.
    pub(crate) fn take_elements(&self, count: u64, limit: u64) -> bool {
        take(&self.0.table_elements, count, limit)
    }

    /// Returns bytes that were taken.
    pub(crate) fn return_memory(&self, bytes: u64) {
        self.0.memory_bytes.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// Returns elements that were taken.
    pub(crate) fn return_elements(&self, count: u64) {
        self.0.table_elements.fetch_sub(count, Ordering::Relaxed);
    }
}

/// Adds `more` to a count unless the sum would exceed `limit`. Returns true if it added.
fn take(count: &AtomicU64, more: u64, limit: u64) -> bool {
    let sum = |used: u64| used.checked_add(more).filter(|&sum| sum <= limit);
    count.fetch_update(Ordering::Relaxed, Ordering::Relaxed, sum).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clones_count_together_and_never_beyond_the_limit() {
        let usage = SharedUsage::default();
        let taken: u64 = std::thread::scope(|scope| {
            let each = |usage: SharedUsage| move || (0..1000).filter(|_| usage.take_memory(3, 3001)).count() as u64;
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(each(usage.clone()))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert_eq!((taken, usage.memory_bytes()), (1000, 3000));
        assert!(!usage.take_memory(2, 3001) && !usage.take_memory(u64::MAX, u64::MAX));
        usage.return_memory(3000);
        assert_eq!(usage.memory_bytes(), 0);
    }
}
