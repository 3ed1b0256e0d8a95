//! Where exceptions and host references live, and the collector that frees them.
//!
//! A reference to one is a word that is never 0: the low half is the entry's number plus one, the high half counts how
//! often the entry was reused, so that a word kept too long finds nothing rather than a stranger.
//!
//! # The collector
//! Mark and sweep, run when more bytes are alive than twice what survived the last run, and than the roots that it looked at: a
//! guest that throws for ever stays within bounded memory, and the work is proportional to what is allocated. It is *conservative*: any root word
//! that happens to name an entry keeps it. That needs no knowledge of types, costs nothing while nothing is allocated,
//! and moves nothing. Roots: the value stack, globals, tables, element segments, the exception in flight
//! ([`StoreInner::collect`]) and what the host holds (here).
//!
//! # What the host holds
//! A handle that a host function is given or makes is a root until that function returns; outside of every host
//! function, until the store is dropped. [`pin`](RefArena::pin) holds one longer.
//!
//! [`StoreInner::collect`]: crate::store::StoreInner::collect

use std::any::Any;
use std::ptr::NonNull;

use crate::vm::VmTag;

/// An object that a reference names.
pub(crate) enum Object {
    /// Nothing: the entry is free.
    Free,
    /// An exception: its tag and its arguments in slot form.
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

/// All exceptions and host references of a store.
pub(crate) struct RefArena {
    entries: Vec<Entry>,
    free: Vec<u32>,
    /// What live entries take.
    bytes: usize,
    /// When to collect next.
    threshold: usize,
    limit: usize,
    /// Whether the last collection left so little room below the limit that the next one would come soon.
    is_full: bool,
    /// What the host holds for the time being; see the module documentation.
    held: Vec<u64>,
}

/// Below this it is not worth to collect.
const MIN_THRESHOLD: usize = 1 << 20;

/// The part of the limit that a collection must leave free: what is alive below it is looked at once for each such part that is
/// allocated.
const HEADROOM: usize = 8;

impl RefArena {
    pub(crate) fn new(limit: usize) -> RefArena {
        RefArena {
            entries: Vec::new(),
            free: Vec::new(),
            bytes: 0,
            threshold: MIN_THRESHOLD.min(limit),
            limit,
            is_full: false,
            held: Vec::new(),
        }
    }

    /// Whether to collect before adding `object`.
    pub(crate) fn wants_collection(&self, object: &Object) -> bool {
        self.bytes + cost(object) > self.threshold
    }

    /// Adds an object; its word. `None` if the limit is reached, or nearly, even after a collection.
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

    /// The object that a word names.
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

    /// Holds `word` for the host function that is running.
    pub(crate) fn hold(&mut self, word: u64) {
        if self.held.last() != Some(&word) {
            self.held.push(word);
        }
    }

    /// What is held now, for [`release_to`](RefArena::release_to).
    pub(crate) fn held(&self) -> usize {
        self.held.len()
    }

    /// Ends the holding of everything held since [`held`](RefArena::held) gave `mark`.
    pub(crate) fn release_to(&mut self, mark: usize) {
        self.held.truncate(mark);
    }

    /// Keeps the object until [`unpin`](RefArena::unpin) was called as often. Whether the word names one.
    pub(crate) fn pin(&mut self, word: u64) -> bool {
        let Some(index) = self.index(word) else { return false };
        self.entries[index].pins += 1;
        true
    }

    /// Undoes one [`pin`](RefArena::pin).
    pub(crate) fn unpin(&mut self, word: u64) {
        if let Some(index) = self.index(word) {
            let pins = &mut self.entries[index].pins;
            *pins = pins.saturating_sub(1);
        }
    }

    /// Objects alive or not yet collected.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.entries.len() - self.free.len()
    }

    /// Frees every object that no root leads to. `roots` calls its argument with every run of root words.
    pub(crate) fn collect(&mut self, roots: impl FnOnce(&mut dyn FnMut(&[u64]))) {
        let mut pending: Vec<usize> = Vec::new();
        let mut looked_at = 0;
        roots(&mut |words| {
            looked_at += size_of_val(words);
            for &word in words {
                self.mark(word, &mut pending);
            }
        });
        for at in 0..self.held.len() {
            self.mark(self.held[at], &mut pending);
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
        self.threshold = (self.bytes * 2).max(looked_at).max(MIN_THRESHOLD).min(self.limit);
        self.is_full = self.bytes > self.limit - self.limit / HEADROOM;
        if self.is_full {
            // Nothing fits until something is freed.
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
            // Generation 0 is left out so that no word of a small integer's shape names an object.
            entry.generation = entry.generation.checked_add(1).unwrap_or(1);
            self.free.push(index as u32);
        }
    }
}

fn word(index: u32, generation: u32) -> u64 {
    u64::from(generation) << 32 | u64::from(index + 1)
}

fn cost(object: &Object) -> usize {
    let behind = match object {
        Object::Free => return 0,
        Object::Exception { payload, .. } => size_of_val::<[u64]>(payload),
        Object::Extern(value) => size_of_val::<dyn Any + Send + Sync>(&**value),
    };
    size_of::<Entry>() + behind
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exception(payload: &[u64]) -> Object {
        Object::Exception { tag: NonNull::dangling(), payload: payload.into() }
    }

    fn collect(arena: &mut RefArena, roots: &[u64]) {
        arena.collect(|mark| mark(roots));
    }

    #[test]
    fn what_a_root_leads_to_survives() {
        let mut arena = RefArena::new(1 << 20);
        let inner = arena.insert(Object::Extern(Box::new(5u32))).unwrap();
        let outer = arena.insert(exception(&[1, inner])).unwrap();
        let lost = arena.insert(exception(&[outer])).unwrap();
        collect(&mut arena, &[0, 77, outer]);
        assert!(arena.get(inner).is_some() && arena.get(outer).is_some());
        assert!(arena.get(lost).is_none());
        assert_eq!(arena.len(), 2);
        let Some(Object::Exception { payload, .. }) = arena.get(outer) else { panic!("not an exception") };
        assert_eq!(**payload, [1, inner]);
    }

    #[test]
    fn a_word_of_a_freed_object_never_names_its_successor() {
        let mut arena = RefArena::new(1 << 20);
        let first = arena.insert(exception(&[])).unwrap();
        collect(&mut arena, &[]);
        let second = arena.insert(exception(&[])).unwrap();
        assert_eq!(first as u32, second as u32, "the entry is reused");
        assert_ne!(first, second);
        assert!(arena.get(first).is_none() && arena.get(second).is_some());
    }

    #[test]
    fn held_and_pinned_objects_survive_until_let_go() {
        let mut arena = RefArena::new(1 << 20);
        let mark = arena.held();
        let held = arena.insert(exception(&[])).unwrap();
        arena.hold(held);
        let pinned = arena.insert(exception(&[])).unwrap();
        assert!(arena.pin(pinned));
        collect(&mut arena, &[]);
        assert!(arena.get(held).is_some() && arena.get(pinned).is_some());
        arena.release_to(mark);
        collect(&mut arena, &[]);
        assert!(arena.get(held).is_none() && arena.get(pinned).is_some());
        arena.unpin(pinned);
        collect(&mut arena, &[]);
        assert_eq!(arena.len(), 0);
        assert_eq!(arena.bytes, 0);
    }

    #[test]
    fn the_limit_holds_and_cycles_are_freed() {
        let mut arena = RefArena::new(10_000);
        let mut last = 0;
        while let Some(word) = arena.insert(exception(&[last])) {
            last = word;
        }
        assert!(arena.bytes <= 10_000);
        collect(&mut arena, &[last]);
        assert!(arena.insert(exception(&[])).is_none(), "all of the chain is alive");
        collect(&mut arena, &[]);
        assert!(arena.insert(exception(&[])).is_some());
    }

    #[test]
    fn a_guest_that_keeps_nearly_all_is_at_its_limit() {
        let limit = 100_000;
        let mut arena = RefArena::new(limit);
        let object_cost = cost(&exception(&[0]));
        let mut last = 0;
        while arena.bytes + 2 * object_cost <= limit {
            last = arena.insert(exception(&[last])).unwrap();
        }
        collect(&mut arena, &[last]);
        // It would fit, and all that is alive would be looked at for each one more.
        assert!(arena.insert(exception(&[0])).is_none());
        assert!(arena.wants_collection(&exception(&[0])));
        collect(&mut arena, &[]);
        assert!(arena.insert(exception(&[0])).is_some());
    }

    #[test]
    fn large_roots_are_looked_at_rarely() {
        let mut arena = RefArena::new(usize::MAX);
        collect(&mut arena, &vec![0; 4 * MIN_THRESHOLD / size_of::<u64>()]);
        assert_eq!(arena.threshold, 4 * MIN_THRESHOLD);
        collect(&mut arena, &[]);
        assert_eq!(arena.threshold, MIN_THRESHOLD);
    }
}
