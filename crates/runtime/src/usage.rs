//! [`SharedUsage`]: the bytes and elements that the stores of one guest have taken from its limits.
//!
//! A guest with threads has a store for each, and [`StoreLimits`](crate::StoreLimits) bounds all of them together. Every store
//! counts what it took itself, and returns that when it is dropped. A shared memory belongs to no store and counts for itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The resources in use of one guest, whose stores share the count ([`Store::config_for_thread`](crate::Store::config_for_thread)).
#[derive(Clone, Debug, Default)]
pub struct SharedUsage(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    memory_bytes: AtomicU64,
    table_elements: AtomicU64,
    heap_bytes: AtomicU64,
    /// Most bytes that the heaps had together.
    heap_peak: AtomicU64,
    collections: AtomicU64,
    /// Nanoseconds of all collections together, and of the longest one.
    collecting: AtomicU64,
    longest_pause: AtomicU64,
}

/// Figures about the heaps of collected objects of a guest. Those of its other threads count as well.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GcStats {
    /// Bytes in use: blocks with objects, and values of the host. Garbage counts until it is collected.
    pub bytes: usize,
    /// Most bytes that were in use at once.
    pub peak_bytes: usize,
    /// Number of collections.
    pub collections: u64,
    /// Time of all collections together.
    pub time: Duration,
    /// Time of the longest collection, during which the thread stood still.
    pub longest_pause: Duration,
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

    /// Returns figures about the heaps of collected objects; `None` if no store has used one.
    pub fn gc_stats(&self) -> Option<GcStats> {
        let load = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let stats = GcStats {
            bytes: load(&self.0.heap_bytes) as usize,
            peak_bytes: load(&self.0.heap_peak) as usize,
            collections: load(&self.0.collections),
            time: Duration::from_nanos(load(&self.0.collecting)),
            longest_pause: Duration::from_nanos(load(&self.0.longest_pause)),
        };
        (stats.peak_bytes > 0).then_some(stats)
    }

    /// Counts a collection.
    pub(crate) fn count_collection(&self, pause: Duration) {
        let nanos = u64::try_from(pause.as_nanos()).unwrap_or(u64::MAX);
        self.0.collections.fetch_add(1, Ordering::Relaxed);
        self.0.collecting.fetch_add(nanos, Ordering::Relaxed);
        self.0.longest_pause.fetch_max(nanos, Ordering::Relaxed);
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

/// The bytes that one heap of collected objects has taken. They are returned when it is dropped.
#[derive(Debug)]
pub(crate) struct HeapShare {
    usage: SharedUsage,
    own: u64,
}

impl HeapShare {
    /// Returns a share of nothing.
    pub(crate) fn new(usage: SharedUsage) -> HeapShare {
        HeapShare { usage, own: 0 }
    }

    /// Takes `bytes`. Returns false and takes nothing if the guest's heaps would have more than `limit` together.
    pub(crate) fn take(&mut self, bytes: usize, limit: usize) -> bool {
        let counts = &self.usage.0;
        let is_taken = take(&counts.heap_bytes, bytes as u64, limit as u64);
        if is_taken {
            self.own += bytes as u64;
            counts.heap_peak.fetch_max(counts.heap_bytes.load(Ordering::Relaxed), Ordering::Relaxed);
        }
        is_taken
    }

    /// Returns bytes that were taken.
    pub(crate) fn give_back(&mut self, bytes: usize) {
        self.own -= bytes as u64;
        self.usage.0.heap_bytes.fetch_sub(bytes as u64, Ordering::Relaxed);
    }

    /// Returns the bytes that this heap has.
    pub(crate) fn own(&self) -> usize {
        self.own as usize
    }

    /// Returns the bytes that the heaps of the guest's other threads have.
    pub(crate) fn others(&self) -> usize {
        self.usage.0.heap_bytes.load(Ordering::Relaxed).saturating_sub(self.own) as usize
    }
}

impl Drop for HeapShare {
    fn drop(&mut self) {
        self.give_back(self.own());
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
