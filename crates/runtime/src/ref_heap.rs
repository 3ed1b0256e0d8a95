//! The reference heap: exceptions, host references, and the collector that frees them.
//!
//! A reference is a word that is never 0. Its low half is the entry's index plus one. Its high half counts the reuses
//! of the entry, so that a stale word finds nothing rather than another object.
//!
//! # The collector
//! The collector marks and sweeps. It runs when the heap has more bytes than twice those that survived the last run, and more
//! than the roots that the last run read. So a guest that throws for ever stays within bounded memory, and the work is
//! proportional to the bytes that are allocated. The collector is *conservative* (Boehm and Weiser 1988, see
//! `docs/glossary.md`): any root word that happens to name an entry keeps it. That needs no knowledge of types, costs nothing
//! while nothing is allocated, and moves nothing. Roots: the value stack, the native stack, globals, tables, the exception in
//! flight ([`StoreInner::collect`]), and the handles in open scopes (here).
//!
//! # Handle scopes
//! Each call of a host function opens a handle scope, and [`Store::scope`](crate::store::Store::scope) another. A handle that
//! the host gets or makes is a root until the end of the scope that is innermost at that time. Without a scope, it is a root
//! until the store is dropped. [`pin`](RefHeap::pin) keeps an object longer.
//!
//! [`StoreInner::collect`]: crate::store::StoreInner::collect

use std::any::Any;
use std::ptr::NonNull;

use crate::vm::VmTag;

/// An object of the reference heap.
pub(crate) enum Object {
    /// A free entry.
    Free,
    /// An exception: tag and arguments in slot form.
    Exception { tag: NonNull<VmTag>, payload: Box<[u64]> },
    /// A value of the host.
    Extern(Box<dyn Any + Send + Sync>),
}

struct Entry {
    generation: u32,
    pins: u32,
    marked: bool,
    object: Object,
}

/// The reference heap of a store.
pub(crate) struct RefHeap {
    entries: Vec<Entry>,
    free: Vec<u32>,
    /// Bytes of all entries in use.
    bytes: usize,
    /// Bytes of entries above which the next insertion collects.
    threshold: usize,
    limit: usize,
    /// True if the last collection left so little below the limit that the next one would come soon.
    is_full: bool,
    /// The words of all handles in open scopes, the innermost scope last.
    handles: Vec<u64>,
}

/// Bytes below which no collection runs.
const MIN_THRESHOLD: usize = 1 << 20;

/// Divisor of the limit that gives the bytes which a collection must leave free. A heap near its limit is thus read once for
/// each such part that the guest allocates, not once for each object.
const HEADROOM: usize = 8;

impl RefHeap {
    pub(crate) fn new(limit: usize) -> RefHeap {
        RefHeap {
            entries: Vec::new(),
            free: Vec::new(),
            bytes: 0,
            threshold: MIN_THRESHOLD.min(limit),
            limit,
            is_full: false,
            handles: Vec::new(),
        }
    }

    /// Returns true if a collection is due before `object` is added.
    pub(crate) fn wants_collection(&self, object: &Object) -> bool {
        self.bytes + cost(object) > self.threshold
    }

    /// Adds an object. Returns its word, or `None` if the limit is reached, or nearly, even after a collection.
    pub(crate) fn insert(&mut self, object: Object) -> Option<u64> {
        let cost = cost(&object);
        if self.is_full || self.bytes + cost > self.limit {
            return None;
        }
        let index = match self.free.pop() {
            Some(index) => index,
            None => {
                let index = u32::try_from(self.entries.len()).ok().filter(|&index| index < u32::MAX)?;
                self.entries.push(Entry { generation: 1, pins: 0, marked: false, object: Object::Free });
                index
            }
        };
        self.bytes += cost;
        let entry = &mut self.entries[index as usize];
        entry.object = object;
        Some(word(index, entry.generation))
    }

    /// Returns the object that a word names, if it names one.
    pub(crate) fn get(&self, word: u64) -> Option<&Object> {
        self.entry(word).map(|entry| &entry.object)
    }

    fn entry(&self, word: u64) -> Option<&Entry> {
        self.index(word).map(|index| &self.entries[index])
    }

    fn index(&self, word: u64) -> Option<usize> {
        let index = (word as u32).checked_sub(1)? as usize;
        let entry = self.entries.get(index)?;
        let current = entry.generation == (word >> 32) as u32 && !matches!(entry.object, Object::Free);
        current.then_some(index)
    }

    /// Makes `word` a root until the current handle scope ends.
    pub(crate) fn add_handle(&mut self, word: u64) {
        if self.handles.last() != Some(&word) {
            self.handles.push(word);
        }
    }

    /// Opens a handle scope. Returns its start, for [`close_scope`](RefHeap::close_scope).
    pub(crate) fn open_scope(&self) -> usize {
        self.handles.len()
    }

    /// Ends the handle scope that [`open_scope`](RefHeap::open_scope) opened, and with it all handles made since.
    pub(crate) fn close_scope(&mut self, scope: usize) {
        self.handles.truncate(scope);
    }

    /// Keeps the object until [`unpin`](RefHeap::unpin) was called as often. Returns false if the word names no object.
    pub(crate) fn pin(&mut self, word: u64) -> bool {
        let Some(index) = self.index(word) else { return false };
        self.entries[index].pins += 1;
        true
    }

    /// Undoes one [`pin`](RefHeap::pin).
    pub(crate) fn unpin(&mut self, word: u64) {
        if let Some(index) = self.index(word) {
            let pins = &mut self.entries[index].pins;
            *pins = pins.saturating_sub(1);
        }
    }

    /// Returns the number of objects that are alive or not yet collected.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.entries.len() - self.free.len()
    }

    /// Frees every object that is not reachable from a root. `roots` calls its argument with every run of root words.
    pub(crate) fn collect(&mut self, roots: impl FnOnce(&mut dyn FnMut(&[u64]))) {
        let mut pending: Vec<usize> = Vec::new();
        let mut root_bytes = 0;
        roots(&mut |words| {
            root_bytes += size_of_val(words);
            for &word in words {
                self.mark(word, &mut pending);
            }
        });
        for at in 0..self.handles.len() {
            self.mark(self.handles[at], &mut pending);
        }
        for index in 0..self.entries.len() {
            if self.entries[index].pins > 0 {
                self.mark(word(index as u32, self.entries[index].generation), &mut pending);
            }
        }
        while let Some(index) = pending.pop() {
            if let Object::Exception { payload, .. } = &mut self.entries[index].object {
                let payload = std::mem::take(payload);
                for &word in &payload {
                    self.mark(word, &mut pending);
                }
                if let Object::Exception { payload: emptied, .. } = &mut self.entries[index].object {
                    *emptied = payload;
                }
            }
        }
        self.sweep();
        self.threshold = (self.bytes * 2).max(root_bytes).max(MIN_THRESHOLD).min(self.limit);
        self.is_full = self.bytes > self.limit - self.limit / HEADROOM;
        if self.is_full {
            // `insert` refuses everything until a collection frees something.
            self.threshold = 0;
        }
    }

    fn mark(&mut self, word: u64, pending: &mut Vec<usize>) {
        if let Some(index) = self.index(word) {
            let entry = &mut self.entries[index];
            if !entry.marked {
                entry.marked = true;
                pending.push(index);
            }
        }
    }

    fn sweep(&mut self) {
        for (index, entry) in self.entries.iter_mut().enumerate() {
            if std::mem::take(&mut entry.marked) || matches!(entry.object, Object::Free) {
                continue;
            }
            self.bytes -= cost(&entry.object);
            entry.object = Object::Free;
            // Generation 0 is skipped so that no small integer names an object.
            entry.generation = entry.generation.checked_add(1).unwrap_or(1);
            self.free.push(index as u32);
        }
    }
}

fn word(index: u32, generation: u32) -> u64 {
    u64::from(generation) << 32 | u64::from(index + 1)
}

fn cost(object: &Object) -> usize {
    let contents = match object {
        Object::Free => return 0,
        Object::Exception { payload, .. } => size_of_val::<[u64]>(payload),
        Object::Extern(value) => size_of_val::<dyn Any + Send + Sync>(&**value),
    };
    size_of::<Entry>() + contents
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exception(payload: &[u64]) -> Object {
        Object::Exception { tag: NonNull::dangling(), payload: payload.into() }
    }

    fn collect(heap: &mut RefHeap, roots: &[u64]) {
        heap.collect(|mark| mark(roots));
    }

    #[test]
    fn reachable_objects_survive() {
        let mut heap = RefHeap::new(1 << 20);
        let inner = heap.insert(Object::Extern(Box::new(5u32))).unwrap();
        let outer = heap.insert(exception(&[1, inner])).unwrap();
        let lost = heap.insert(exception(&[outer])).unwrap();
        collect(&mut heap, &[0, 77, outer]);
        assert!(heap.get(inner).is_some() && heap.get(outer).is_some());
        assert!(heap.get(lost).is_none());
        assert_eq!(heap.len(), 2);
        let Some(Object::Exception { payload, .. }) = heap.get(outer) else { panic!("not an exception") };
        assert_eq!(**payload, [1, inner]);
    }

    #[test]
    fn a_word_of_a_freed_object_never_names_its_successor() {
        let mut heap = RefHeap::new(1 << 20);
        let first = heap.insert(exception(&[])).unwrap();
        collect(&mut heap, &[]);
        let second = heap.insert(exception(&[])).unwrap();
        assert_eq!(first as u32, second as u32, "the entry is reused");
        assert_ne!(first, second);
        assert!(heap.get(first).is_none() && heap.get(second).is_some());
    }

    #[test]
    fn a_scope_and_a_pin_keep_objects_alive() {
        let mut heap = RefHeap::new(1 << 20);
        let scope = heap.open_scope();
        let in_scope = heap.insert(exception(&[])).unwrap();
        heap.add_handle(in_scope);
        let pinned = heap.insert(exception(&[])).unwrap();
        assert!(heap.pin(pinned));
        collect(&mut heap, &[]);
        assert!(heap.get(in_scope).is_some() && heap.get(pinned).is_some());
        heap.close_scope(scope);
        collect(&mut heap, &[]);
        assert!(heap.get(in_scope).is_none() && heap.get(pinned).is_some());
        heap.unpin(pinned);
        collect(&mut heap, &[]);
        assert_eq!(heap.len(), 0);
        assert_eq!(heap.bytes, 0);
    }

    #[test]
    fn the_limit_holds_and_cycles_are_freed() {
        let mut heap = RefHeap::new(10_000);
        let mut last = 0;
        while let Some(word) = heap.insert(exception(&[last])) {
            last = word;
        }
        assert!(heap.bytes <= 10_000);
        collect(&mut heap, &[last]);
        assert!(heap.insert(exception(&[])).is_none(), "all of the chain is alive");
        collect(&mut heap, &[]);
        assert!(heap.insert(exception(&[])).is_some());
    }

    #[test]
    fn a_guest_that_keeps_nearly_all_is_at_its_limit() {
        let limit = 100_000;
        let mut heap = RefHeap::new(limit);
        let object_cost = cost(&exception(&[0]));
        let mut last = 0;
        while heap.bytes + 2 * object_cost <= limit {
            last = heap.insert(exception(&[last])).unwrap();
        }
        collect(&mut heap, &[last]);
        // The object would fit, but the collector would read all live objects for each further one.
        assert!(heap.insert(exception(&[0])).is_none());
        assert!(heap.wants_collection(&exception(&[0])));
        collect(&mut heap, &[]);
        assert!(heap.insert(exception(&[0])).is_some());
    }

    #[test]
    fn large_roots_are_read_rarely() {
        let mut heap = RefHeap::new(usize::MAX);
        collect(&mut heap, &vec![0; 4 * MIN_THRESHOLD / size_of::<u64>()]);
        assert_eq!(heap.threshold, 4 * MIN_THRESHOLD);
        collect(&mut heap, &[]);
        assert_eq!(heap.threshold, MIN_THRESHOLD);
    }
}
