//! The blocks of the heap, and the allocation of cells and of large objects.
//!
//! The heap consists of blocks of [`BLOCK`] bytes. A block has cells of one size, or belongs to a large object, or has type
//! descriptors, or is free. The bitmap `live` has a bit for each object. Code allocates from *intervals*: runs of free cells whose
//! bits are set when the run is handed out ([`VmInterval`](crate::vm_gc::VmInterval)). So no allocation touches a bitmap.
//!
//! A collection returns what is left of the intervals, marks, and makes the marks the new `live` bits. It does not touch dead
//! objects: their cells are found free when an interval is next searched (*lazy sweeping*).
//!
//! # Invariants
//! - A `live` bit is set exactly for the first 8 bytes of each cell that has an object or is in a handed out interval.
//! - Between `cursor` and `end` of an interval there is no object.
//! - `free` lists each free block at least once. A listed block may be in use again.

use std::ops::Range;

use super::bitmap::{Bitmap, CELL_BITS};
use super::memory::{BLOCK, HeapMemory};
use crate::usage::HeapShare;
use crate::vm_gc::{CELL_SIZES, NULL_GUARD, VmHeap, VmInterval, cell_class};

/// Bytes that become accessible at once while the heap is small.
const STEP: usize = 1 << 20;

/// Blocks of freed memory that stay in memory beyond those that the next cycle needs.
const KEPT_BLOCKS: usize = 128;

/// The use of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Block {
    /// Inaccessible, at the base of the heap.
    Guard,
    /// Not in use.
    Free,
    /// Type descriptors.
    Descriptors,
    /// Cells of this class.
    Cells(u8),
    /// The first block of a large object, and the number of its blocks.
    Large(u32),
    /// A further block of a large object, and the distance from the first one.
    Rest(u32),
}

/// The free cells of a class.
#[derive(Debug, Default)]
struct Class {
    /// The place at which the search for free cells continues, and the end of the block.
    search: Option<(u32, u32)>,
    /// Blocks with free cells that were not searched since the last collection.
    partial: Vec<u32>,
}

/// The blocks of a heap.
#[derive(Debug)]
pub(super) struct Blocks {
    pub(super) memory: HeapMemory,
    /// End of the bytes for which `live` has bits.
    covered: usize,
    pub(super) live: Bitmap,
    blocks: Vec<Block>,
    free: Vec<u32>,
    classes: [Class; CELL_SIZES.len()],
    /// Bytes of the blocks in use, and of values of the host.
    pub(super) share: HeapShare,
    /// Bytes that the blocks of all heaps of the guest may have together.
    limit: usize,
    /// Bytes handed out since the last collection.
    pub(super) allocated: usize,
    /// Bytes that may be handed out until the next collection.
    pub(super) budget: usize,
    /// True if each interval has one cell.
    single: bool,
    /// The free part of the last block of descriptors.
    descriptors: Range<u32>,
    /// The block from which the search for free blocks in a row continues.
    rover: usize,
    /// The least number of free blocks in a row that was not found since the last collection.
    not_found: usize,
}

impl Blocks {
    /// Creates the blocks of an empty heap. `covered` is the end of the bytes that have bits. If `single`, each interval has one
    /// cell.
    pub(super) fn new(
        memory: HeapMemory,
        live: Bitmap,
        covered: usize,
        (share, limit): (HeapShare, usize),
        budget: usize,
        single: bool,
    ) -> Blocks {
        Blocks {
            covered,
            memory,
            live,
            blocks: vec![Block::Guard; (NULL_GUARD / BLOCK) as usize],
            free: Vec::new(),
            classes: Default::default(),
            share,
            // A part of a block counts as one.
            limit: limit.div_ceil(BLOCK as usize).saturating_mul(BLOCK as usize),
            allocated: 0,
            budget,
            single,
            descriptors: 0..0,
            rover: 0,
            not_found: usize::MAX,
        }
    }

    /// Returns the number of blocks, free ones included.
    pub(super) fn count(&self) -> u32 {
        self.blocks.len() as u32
    }

    /// Counts blocks as used. Returns false if the limit is reached.
    fn take(&mut self, count: usize) -> bool {
        self.share.take(count * BLOCK as usize, self.limit)
    }

    /// Counts blocks as free again.
    fn give_back(&mut self, count: usize) {
        self.share.give_back(count * BLOCK as usize);
    }

    /// Allocates the memory of an object of `bytes` bytes, a multiple of 8. Its contents are arbitrary. Returns `None` if a
    /// collection is due, or the limit is reached.
    pub(super) fn allocate(&mut self, vm: &mut VmHeap, bytes: u32) -> Option<u32> {
        let Some(class) = cell_class(bytes) else { return self.allocate_large(bytes) };
        if let Some(at) = vm.take_cell(bytes) {
            return Some(at);
        }
        vm.intervals[class] = self.next_interval(class)?;
        vm.take_cell(bytes)
    }

    /// Returns the next run of free cells of a class.
    fn next_interval(&mut self, class: usize) -> Option<VmInterval> {
        if self.allocated >= self.budget {
            return None;
        }
        let (size, cells) = (CELL_SIZES[class], &CELL_BITS[class]);
        loop {
            if let Some((at, end)) = self.classes[class].search.take() {
                let at = self.live.next_free(at, end, cells);
                if at < end {
                    let next = if self.single { at + size } else { self.live.next(at, end) };
                    self.live.set_cells(at..next, cells);
                    self.allocated += (next - at) as usize;
                    self.classes[class].search = Some((next, end));
                    return Some(VmInterval { cursor: at, end: next });
                }
                continue;
            }
            let block = match self.classes[class].partial.pop() {
                Some(block) => block,
                None => {
                    let block = self.take_block()?;
                    self.blocks[block as usize] = Block::Cells(class as u8);
                    block
                }
            };
            self.classes[class].search = Some((block * BLOCK, end_of_cells(block, size)));
        }
    }

    /// Takes a free block. Returns `None` if the limit is reached.
    fn take_block(&mut self) -> Option<u32> {
        if !self.take(1) {
            return None;
        }
        while let Some(block) = self.free.pop() {
            if self.blocks[block as usize] == Block::Free {
                return Some(block);
            }
        }
        self.extend(1)
    }

    /// Makes new blocks at the end of the heap, which count as used. Returns the first one. If the system refuses memory, they
    /// count as free again.
    fn extend(&mut self, count: usize) -> Option<u32> {
        let first = self.blocks.len();
        let end = (first + count) * BLOCK as usize;
        if end > self.memory.end() {
            // Grows in steps of an eighth, so that a growing heap makes few system calls.
            let step = STEP.max(self.memory.end() / 8).next_multiple_of(BLOCK as usize);
            let generous = (self.memory.end() + step).max(end).min(self.covered);
            if end > generous || (self.memory.enlarge(generous).is_err() && self.memory.enlarge(end).is_err()) {
                self.give_back(count);
                return None;
            }
        }
        self.blocks.resize(first + count, Block::Free);
        Some(first as u32)
    }

    fn allocate_large(&mut self, bytes: u32) -> Option<u32> {
        let count = bytes.div_ceil(BLOCK) as usize;
        let size = count * BLOCK as usize;
        let is_due = self.allocated > 0 && self.allocated + size > self.budget;
        if is_due || !self.take(count) {
            return None;
        }
        let first = self.find_run(count).or_else(|| self.extend(count))?;
        self.blocks[first as usize] = Block::Large(count as u32);
        for rest in 1..count as u32 {
            self.blocks[(first + rest) as usize] = Block::Rest(rest);
        }
        self.allocated += size;
        self.live.replace(first * BLOCK);
        Some(first * BLOCK)
    }

    /// Returns the first of `count` free blocks in a row. The search is next-fit (Knuth, The Art of Computer Programming 1,
    /// 2.5), and gives up at once if it failed before: between collections, free blocks only become fewer.
    fn find_run(&mut self, count: usize) -> Option<u32> {
        if count >= self.not_found {
            return None;
        }
        let search = |range: Range<usize>| {
            let mut run = 0;
            for index in range {
                run = if self.blocks[index] == Block::Free { run + 1 } else { 0 };
                if run == count {
                    return Some(index + 1 - count);
                }
            }
            None
        };
        let end = self.blocks.len();
        let found = search(self.rover..end).or_else(|| search(0..(self.rover + count).min(end)));
        match found {
            Some(first) => self.rover = first + count,
            None => self.not_found = count,
        }
        found.map(|first| first as u32)
    }

    /// Allocates memory for a descriptor of `bytes` bytes, which is never freed. Returns `None` if the limit is reached.
    pub(super) fn allocate_descriptor(&mut self, bytes: u32) -> Option<u32> {
        if self.descriptors.end - self.descriptors.start < bytes {
            let block = self.take_block()?;
            self.blocks[block as usize] = Block::Descriptors;
            self.descriptors = block * BLOCK..(block + 1) * BLOCK;
        }
        let at = self.descriptors.start;
        self.descriptors.start += bytes;
        Some(at)
    }

    /// Returns the object that has the byte at `at`, if there is one.
    pub(super) fn object_at(&self, at: u32) -> Option<u32> {
        let block = at / BLOCK;
        let start = block * BLOCK;
        let object = match *self.blocks.get(block as usize)? {
            Block::Cells(class) => {
                let size = CELL_SIZES[class as usize];
                start + (at - start) / size * size
            }
            Block::Large(_) => start,
            Block::Rest(distance) => start - distance * BLOCK,
            Block::Guard | Block::Free | Block::Descriptors => return None,
        };
        self.live.get(object).then_some(object)
    }

    /// Takes back the rest of all intervals, so that `live` has exactly the objects.
    pub(super) fn retire_intervals(&mut self, vm: &mut VmHeap) {
        for interval in &mut vm.intervals {
            self.live.clear(interval.cursor..interval.end);
            *interval = VmInterval::default();
        }
    }

    /// Makes the marked objects the live ones. `marks` is empty afterwards. Returns the bytes of the live objects.
    pub(super) fn sweep(&mut self, marks: &mut Bitmap, poison: Option<u8>) -> usize {
        std::mem::swap(&mut self.live, marks);
        self.free.clear();
        for class in &mut self.classes {
            class.search = None;
            class.partial.clear();
        }
        let mut live_bytes = 0;
        let mut index = 0;
        while index < self.count() {
            let mut count = 1;
            match self.blocks[index as usize] {
                Block::Cells(class) => {
                    let size = CELL_SIZES[class as usize];
                    let live = self.live.count(index);
                    live_bytes += (live * size) as usize;
                    if let Some(byte) = poison {
                        self.poison(index, size, byte);
                    }
                    if live == 0 {
                        self.release(index, 1);
                    } else if live < BLOCK / size {
                        self.classes[class as usize].partial.push(index);
                    }
                }
                Block::Large(blocks) => {
                    count = blocks;
                    if self.live.get(index * BLOCK) {
                        live_bytes += (blocks * BLOCK) as usize;
                    } else {
                        self.release(index, blocks);
                    }
                }
                Block::Free => self.free.push(index),
                Block::Guard | Block::Descriptors | Block::Rest(_) => {}
            }
            index += count;
        }
        // Cells at low addresses are used first.
        self.free.reverse();
        for class in &mut self.classes {
            class.partial.reverse();
        }
        marks.clear_blocks(self.count());
        (self.rover, self.not_found) = (0, usize::MAX);
        self.allocated = 0;
        live_bytes
    }

    fn release(&mut self, first: u32, count: u32) {
        for index in first..first + count {
            self.blocks[index as usize] = Block::Free;
            self.free.push(index);
        }
        self.give_back(count as usize);
    }

    /// Overwrites the free cells of a block.
    fn poison(&mut self, block: u32, size: u32, byte: u8) {
        for cell in (block * BLOCK..end_of_cells(block, size)).step_by(size as usize) {
            if !self.live.get(cell) {
                self.memory.bytes_mut(cell, size as usize).fill(byte);
            }
        }
    }

    /// Returns the pages of free blocks to the system, but those that the budget needs soon.
    pub(super) fn trim(&mut self) {
        let kept = self.budget / BLOCK as usize + KEPT_BLOCKS;
        let excess = self.free.len().saturating_sub(kept);
        // The list begins with the blocks that are used last.
        let mut run: Option<Range<usize>> = None;
        for &block in &self.free[..excess] {
            let (start, end) = (block as usize * BLOCK as usize, (block as usize + 1) * BLOCK as usize);
            match &mut run {
                Some(range) if range.start == end => range.start = start,
                _ => {
                    if let Some(range) = run.replace(start..end) {
                        self.memory.discard(range);
                    }
                }
            }
        }
        if let Some(range) = run {
            self.memory.discard(range);
        }
    }

    /// Calls `visit` with each object whose bit is set in `marks`.
    pub(super) fn for_each_marked(&self, marks: &Bitmap, mut visit: impl FnMut(u32)) {
        for index in 0..self.count() {
            let (start, end) = (index * BLOCK, (index + 1) * BLOCK);
            if let Block::Cells(_) | Block::Large(_) = self.blocks[index as usize] {
                let mut at = marks.next(start, end);
                while at < end {
                    visit(at);
                    at = marks.next(at + 8, end);
                }
            }
        }
    }
}

/// Returns the end of the last whole cell of a block.
fn end_of_cells(block: u32, size: u32) -> u32 {
    block * BLOCK + BLOCK / size * size
}
