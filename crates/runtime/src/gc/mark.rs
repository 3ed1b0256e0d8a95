//! Marking: finds the objects that can be reached from the roots.
//!
//! References in objects are *exact*: the descriptor of the type says where they are, and each is null, an unboxed integer or an
//! object. Words of stacks are *conservative* (Boehm and Weiser 1988, see `docs/glossary.md`): a word that could be a reference
//! keeps the object that it would refer to.
//!
//! Compiled code may keep an address or a number inside an object instead of the reference itself. Therefore every position
//! within an object counts for words of the native stack, and so do absolute addresses.
//!
//! An object is visited some steps after it was taken from the stack, and prefetched in between: most of the time of marking is
//! spent on waiting for memory (Cher, Hosking and Vitek 2004, "Software prefetching for mark-sweep garbage collection").
//!
//! The methods that roots are passed to, and `finish`, are not inlined. They leave references on the native stack. In a frame of
//! their own these are overwritten before the next collection reads the stack; in the caller's frame it would read them again.
//!
//! The stack of objects whose references are not yet visited is bounded. If it is full, further objects are only marked, and
//! all marked objects are visited once more afterwards.

use wasmr_core::layout::HEADER;

use super::bitmap::Bitmap;
use super::blocks::Blocks;
use super::types::Descriptors;
use crate::vm_gc::{EXCEPTION_PAYLOAD, Kind, MORE_REFS, VmDescriptor, VmObject};

/// Objects whose references are not yet visited, at most: 4 MiB. Tests exceed it.
const MAX_PENDING: usize = if cfg!(test) { 1 << 8 } else { 1 << 20 };

/// Objects between prefetch and visit.
const AHEAD: usize = 8;

/// A marking phase.
pub(crate) struct Marker<'a> {
    blocks: &'a Blocks,
    descriptors: &'a Descriptors,
    marks: &'a mut Bitmap,
    pending: Vec<u32>,
    /// True if an object was marked and not put into `pending`.
    has_overflowed: bool,
    /// Checks that exact references lead to objects.
    is_checked: bool,
    /// The descriptor that was read last, with its kind and its references.
    latest: (u32, Kind, u64),
    base: u64,
    /// Bytes of roots that were read.
    root_bytes: usize,
}

impl<'a> Marker<'a> {
    pub(super) fn new(
        blocks: &'a Blocks,
        descriptors: &'a Descriptors,
        marks: &'a mut Bitmap,
        is_checked: bool,
    ) -> Marker<'a> {
        let base = blocks.memory.base().addr() as u64;
        Marker {
            blocks,
            descriptors,
            marks,
            pending: Vec::new(),
            has_overflowed: false,
            latest: (0, Kind::HOST, 0),
            is_checked,
            base,
            root_bytes: 0,
        }
    }

    /// Marks the objects that slots refer to: of a value stack, of globals, of tables. A slot may have any value.
    #[inline(never)]
    pub(crate) fn slots(&mut self, slots: &[u64]) {
        self.root_bytes += size_of_val(slots);
        for &slot in slots {
            self.slot(slot);
        }
    }

    fn slot(&mut self, slot: u64) {
        if let Ok(at) = u32::try_from(slot)
            && self.blocks.object_at(at) == Some(at)
        {
            self.mark(at);
        }
    }

    /// Marks the objects that words of the native stack may refer to.
    #[inline(never)]
    pub(crate) fn native_words(&mut self, words: &[u64]) {
        self.root_bytes += size_of_val(words);
        for &word in words {
            let address = u32::try_from(word.wrapping_sub(self.base)).unwrap_or(0);
            for at in [word as u32, (word >> 32) as u32, address] {
                if let Some(object) = self.blocks.object_at(at) {
                    self.mark(object);
                }
            }
        }
    }

    fn mark(&mut self, object: u32) {
        if !self.marks.replace(object) {
            if self.pending.len() < MAX_PENDING {
                self.pending.push(object);
            } else {
                self.has_overflowed = true;
            }
        }
    }

    /// Marks the object of an exact reference.
    #[inline(always)]
    fn reference(&mut self, reference: u32) {
        if reference != 0 && reference & 1 == 0 {
            if self.is_checked {
                let is_object = self.blocks.object_at(reference) == Some(reference);
                assert!(is_object, "the reference {reference:#x} in an object leads to no object");
            }
            self.mark(reference);
        }
    }

    /// Marks everything that is reachable from the marked objects. Returns the bytes of roots that were read.
    #[inline(never)]
    pub(super) fn finish(mut self) -> usize {
        loop {
            self.visit_pending();
            if !std::mem::take(&mut self.has_overflowed) {
                return self.root_bytes;
            }
            let mut marked = Vec::new();
            self.blocks.for_each_marked(self.marks, |object| marked.push(object));
            for object in marked {
                self.pending.push(object);
                self.visit_pending();
            }
        }
    }

    /// Visits all pending objects, and those that the visits mark.
    fn visit_pending(&mut self) {
        // A queue of objects that were prefetched; 0 in free places.
        let mut ahead = [0; AHEAD];
        let mut next = 0;
        loop {
            let taken = match self.pending.pop() {
                Some(object) => {
                    self.blocks.memory.prefetch(object);
                    object
                }
                None if ahead == [0; AHEAD] => return,
                None => 0,
            };
            let object = std::mem::replace(&mut ahead[next], taken);
            next = (next + 1) % AHEAD;
            if object != 0 {
                self.visit(object);
            }
        }
    }

    /// Marks the objects that an object refers to.
    #[inline(always)]
    fn visit(&mut self, at: u32) {
        let memory = &self.blocks.memory;
        let object: VmObject = memory.read(at);
        if object.descriptor != self.latest.0 {
            let descriptor: VmDescriptor = memory.read(object.descriptor);
            self.latest = (object.descriptor, descriptor.kind, descriptor.refs);
        }
        let (_, kind, mut refs) = self.latest;
        if kind == Kind::STRUCT && refs != MORE_REFS {
            while refs != 0 {
                self.reference(memory.read_u32_at(at, HEADER as usize + 4 * refs.trailing_zeros() as usize));
                refs &= refs - 1;
            }
        } else if refs != 0 || kind == Kind::EXCEPTION {
            self.visit_other(at, object);
        }
    }

    /// Marks the objects that an array, an exception or a large struct refers to.
    #[inline(never)]
    fn visit_other(&mut self, at: u32, object: VmObject) {
        let memory = &self.blocks.memory;
        match self.latest.1 {
            Kind::STRUCT => {
                for &offset in self.descriptors.references(object.descriptor) {
                    self.reference(memory.read_u32_at(at, offset as usize));
                }
            }
            Kind::ARRAY => {
                for index in 0..object.len as usize {
                    self.reference(memory.read_u32_at(at, HEADER as usize + 4 * index));
                }
            }
            Kind::EXCEPTION => {
                // Slots are exact for references, and conservative for numbers.
                for index in 0..object.len {
                    self.slot(memory.read_u64(at + EXCEPTION_PAYLOAD + 8 * index));
                }
            }
            _ => {}
        }
    }
}
