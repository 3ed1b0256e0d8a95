//! The heap of a store: structs, arrays, exceptions and values of the host, and the collector that frees them.
//!
//! The collector marks and sweeps. It moves nothing, and it is exact in the heap and conservative on the stacks, so that it asks
//! nothing of compiled code: no maps of frames, no barriers ([`mark`]). Sweeping is lazy, and allocation is a pointer increment
//! in a run of free cells ([`blocks`]). `docs/rationale.md` compares this design with others.
//!
//! The heap does not exist before its first use: the instantiation of a module with struct or array types, the first exception,
//! the first value of the host.
//!
//! # Growth
//! A collection runs when [`GROWTH`] times as many bytes were handed out as survived the last collection, and more than the roots that
//! it read, at least [`MIN_BUDGET`]. So the heap takes about three times the memory of its live objects, and the work of the collector
//! is proportional to the bytes that are allocated. Free blocks beyond the next budget go back to the system. `docs/rationale.md` has
//! measurements of other values.
//!
//! The limit bounds the blocks in use, those of the guest's other threads included. If a collection leaves less than an
//! [`HEADROOM`]th of it free, the heap counts as full: otherwise a guest near the limit would collect for each of the last objects.
//! A thread can free only the garbage of its own heap.
//!
//! # Handle scopes
//! Each call of a host function opens a handle scope, and [`Store::scope`](crate::store::Store::scope) another. A handle that
//! the host gets or makes is a root until the end of the scope that is innermost at that time. Without a scope, it is a root
//! until the store is dropped. An owned root lasts until the host drops its last clone. Dropping it needs no store: the heap
//! shares a counter with the clones, and looks at it when it collects and when the number of owned roots has doubled.
//!
//! # Values of the host
//! An object for a value of the host has the number of an entry in a table. When the object is freed, the value is dropped,
//! after the collection.

mod bitmap;
mod blocks;
mod mark;
mod memory;
mod types;

use std::any::Any;
use std::ptr::NonNull;
use std::sync::Arc;

use wasmr_core::layout::Layout;
use wasmr_core::registry::TypeRegistry;
use wasmr_core::types::TypeId;

use crate::limits::ResourceError;
use crate::usage::{HeapShare, SharedUsage};
use crate::vm::VmTag;
use crate::vm_gc::{EXCEPTION_PAYLOAD, Kind, VmDescriptor, VmHeap, VmObject};

use bitmap::Bitmap;
use blocks::Blocks;
pub(crate) use mark::Marker;
use memory::{BLOCK, HeapMemory};
use types::Descriptors;

/// Bytes that are allocated between collections, for each byte that survived the last one.
const GROWTH: usize = 2;

/// Bytes that are allocated between collections at least. With less, a small heap would be collected too often.
const MIN_BUDGET: usize = 16 << 20;

/// Divisor of the limit, less what other heaps have, that gives the bytes which a collection must leave free.
const HEADROOM: usize = 8;

/// The byte that a stress test writes over freed objects. Read as a reference, it leads to no object.
const POISON: u8 = 0xda;

/// A value of the host.
struct HostValue {
    /// The object for the value; 0 in a free entry.
    object: u32,
    value: Option<Box<dyn Any + Send + Sync>>,
}

/// A root that the host holds.
#[derive(Clone, Copy, Debug)]
struct HandleRoot {
    reference: u32,
    generation: u64,
}

/// A place among the roots that the host holds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HandlePlace {
    /// The object, for comparisons.
    pub(crate) reference: u32,
    index: u32,
    /// The generation of the root. With 64 bits, no generation returns.
    generation: u64,
}

/// Owned roots that the heap keeps without looking for dropped ones, at least.
const MIN_OWNED: usize = 64;

/// The Rust side of a heap.
pub(crate) struct GcHeap {
    limit: usize,
    /// The bytes that all heaps of the guest have.
    usage: SharedUsage,
    is_stressed: bool,
    parts: Option<Parts>,
    /// The roots of all open handle scopes, the innermost scope last.
    handles: Vec<HandleRoot>,
    /// Number of handle scopes that have ended.
    generation: u64,
    /// Objects with owned roots. A root is gone if the heap has the only clone of its counter.
    owned: Vec<(u32, Arc<()>)>,
    /// Number of owned roots at which the heap next looks for dropped ones.
    owned_limit: usize,
    host_values: Vec<HostValue>,
    free_host_values: Vec<u32>,
    /// Bytes of the values of the host.
    host_bytes: usize,
}

/// The parts of a heap that exists.
struct Parts {
    blocks: Blocks,
    marks: Bitmap,
    descriptors: Descriptors,
    exception: u32,
    host_value: u32,
    /// True if the last collection left so little free that the next one would come soon.
    is_full: bool,
}

impl GcHeap {
    /// Returns a heap that does not exist yet. In a stress test each allocation collects, and freed objects are overwritten.
    /// The limit holds for all heaps that count in `usage` together.
    pub(crate) fn new(limit: usize, usage: SharedUsage, is_stressed: bool) -> GcHeap {
        GcHeap {
            limit,
            usage,
            is_stressed,
            parts: None,
            handles: Vec::new(),
            generation: 0,
            owned: Vec::new(),
            owned_limit: MIN_OWNED,
            host_values: Vec::new(),
            free_host_values: Vec::new(),
            host_bytes: 0,
        }
    }

    /// Creates the heap, if it does not exist.
    ///
    /// # Errors
    /// If the limit leaves no room for it, or the system refuses its memory.
    pub(crate) fn create(&mut self, vm: &mut VmHeap) -> Result<(), ResourceError> {
        self.parts(vm).map(|_| ())
    }

    /// Returns the error for a heap that is full.
    pub(crate) fn full(&self) -> ResourceError {
        ResourceError::HeapLimit { limit: self.limit }
    }

    /// Returns the parts, which it makes if they do not exist.
    fn parts(&mut self, vm: &mut VmHeap) -> Result<&mut Parts, ResourceError> {
        if self.parts.is_none() {
            let refused = |source| ResourceError::System { what: "the heap of collected objects", source };
            let no_memory = || refused(std::io::ErrorKind::OutOfMemory.into());
            let memory = HeapMemory::reserve().map_err(refused)?;
            // Bits for the bytes up to the limit suffice, with as many again for the guard and the ends of large objects.
            let covered = memory.space().min(self.limit.saturating_add(64 << 20)).next_multiple_of(BLOCK as usize);
            let bitmap = || Bitmap::new(covered).ok_or_else(no_memory);
            let (live, marks) = (bitmap()?, bitmap()?);
            let budget = MIN_BUDGET.min(self.limit);
            let share = (HeapShare::new(self.usage.clone()), self.limit);
            let mut blocks = Blocks::new(memory, live, covered, share, budget, self.is_stressed);
            let full = ResourceError::HeapLimit { limit: self.limit };
            let own =
                Descriptors::make_own(&mut blocks, Kind::EXCEPTION).zip(Descriptors::make_own(&mut blocks, Kind::HOST));
            let (exception, host_value) = own.ok_or(full)?;
            vm.base = blocks.memory.base();
            let descriptors = Descriptors::default();
            self.parts = Some(Parts { blocks, marks, descriptors, exception, host_value, is_full: false });
        }
        Ok(self.parts.as_mut().expect("made above"))
    }

    /// Returns the descriptor of a type of structs or arrays.
    ///
    /// # Errors
    /// If the heap is full, or the system refuses its memory.
    pub(crate) fn descriptor(
        &mut self,
        vm: &mut VmHeap,
        registry: &TypeRegistry,
        id: TypeId,
        layout: &Layout,
    ) -> Result<u32, ResourceError> {
        let full = self.full();
        let parts = self.parts(vm)?;
        parts.descriptors.get_or_make(&mut parts.blocks, registry, id, layout).ok_or(full)
    }

    /// Returns true if the heap wants a collection before the next allocation, whatever its size.
    pub(crate) fn is_stressed(&self) -> bool {
        self.is_stressed
    }

    /// Allocates an object with this header in the interval for its size. Its fields have arbitrary contents, which the caller must
    /// replace before the next allocation. Returns `None` if the interval is used up.
    #[inline]
    pub(crate) fn allocate_cell(&mut self, vm: &mut VmHeap, bytes: u32, descriptor: u32, len: u32) -> Option<u32> {
        let parts = self.parts.as_mut()?;
        let at = vm.take_cell(bytes)?;
        parts.blocks.memory.write(at, VmObject { descriptor, len });
        Some(at)
    }

    /// Allocates an object with this header. Its fields have arbitrary contents, which the caller must replace before the next
    /// allocation. Returns `None` if a collection is due or the heap is full.
    pub(crate) fn allocate(&mut self, vm: &mut VmHeap, bytes: u32, descriptor: u32, len: u32) -> Option<u32> {
        let parts = self.parts.as_mut()?;
        if parts.is_full {
            return None;
        }
        let at = parts.blocks.allocate(vm, bytes.checked_next_multiple_of(8)?)?;
        parts.blocks.memory.write(at, VmObject { descriptor, len });
        Some(at)
    }

    /// Allocates an exception. Returns `None` if a collection is due or the heap is full.
    ///
    /// # Errors
    /// If the system refuses the memory of the heap.
    pub(crate) fn new_exception(
        &mut self,
        vm: &mut VmHeap,
        tag: NonNull<VmTag>,
        payload: &[u64],
    ) -> Result<Option<u32>, ResourceError> {
        let descriptor = self.parts(vm)?.exception;
        let len = payload.len() as u32;
        let Some(at) = self.allocate(vm, EXCEPTION_PAYLOAD + 8 * len, descriptor, len) else { return Ok(None) };
        let memory = &mut self.parts.as_mut().expect("it was allocated there").blocks.memory;
        memory.write_u64(at + EXCEPTION_PAYLOAD - 8, tag.as_ptr().expose_provenance() as u64);
        for (index, &slot) in (0..).zip(payload) {
            memory.write_u64(at + EXCEPTION_PAYLOAD + 8 * index, slot);
        }
        Ok(Some(at))
    }

    /// Allocates an object for a value of the host. Returns the value if a collection is due or the heap is full.
    ///
    /// # Errors
    /// If the system refuses the memory of the heap.
    pub(crate) fn new_host_value(
        &mut self,
        vm: &mut VmHeap,
        value: Box<dyn Any + Send + Sync>,
    ) -> Result<Result<u32, Box<dyn Any + Send + Sync>>, ResourceError> {
        let limit = self.limit;
        let parts = self.parts(vm)?;
        let descriptor = parts.host_value;
        let bytes = size_of::<HostValue>() + size_of_val(&*value);
        if !parts.blocks.share.take(bytes, limit) {
            return Ok(Err(value));
        }
        let index = match self.free_host_values.last() {
            Some(&index) => index,
            None => self.host_values.len() as u32,
        };
        let at = self.allocate(vm, size_of::<VmObject>() as u32, descriptor, index);
        let blocks = &mut self.parts.as_mut().expect("it was made above").blocks;
        let Some(at) = at else {
            blocks.share.give_back(bytes);
            return Ok(Err(value));
        };
        // The bytes of the value count for the next collection like those of an object.
        blocks.allocated += bytes;
        let entry = HostValue { object: at, value: Some(value) };
        match self.free_host_values.pop() {
            Some(index) => self.host_values[index as usize] = entry,
            None => self.host_values.push(entry),
        }
        self.host_bytes += bytes;
        Ok(Ok(at))
    }

    /// Returns the bytes that the heap takes: blocks in use, and values of the host.
    #[cfg(test)]
    pub(crate) fn used_bytes(&self) -> usize {
        self.parts.as_ref().map_or(0, |parts| parts.blocks.share.own())
    }

    /// Takes all values of the host out of the heap, which is not used any more.
    pub(crate) fn take_host_values(&mut self) -> impl Iterator<Item = Box<dyn Any + Send + Sync>> + use<> {
        std::mem::take(&mut self.host_values).into_iter().filter_map(|entry| entry.value)
    }

    fn memory(&self) -> Option<&HeapMemory> {
        self.parts.as_ref().map(|parts| &parts.blocks.memory)
    }

    /// Returns an object and its descriptor. `reference` is null, an unboxed integer or a live object.
    fn object(&self, reference: u64) -> Option<(u32, VmObject, VmDescriptor)> {
        let at = u32::try_from(reference).ok().filter(|at| *at != 0 && at & 1 == 0)?;
        let memory = self.memory()?;
        let object: VmObject = memory.read(at);
        Some((at, object, memory.read(object.descriptor)))
    }

    /// Returns tag and payload of an exception, if the reference in slot form leads to one.
    pub(crate) fn exception(&self, reference: u64) -> Option<(NonNull<VmTag>, &[u64])> {
        let (at, object, descriptor) = self.object(reference)?;
        if descriptor.kind != Kind::EXCEPTION {
            return None;
        }
        let memory = self.memory()?;
        let tag = std::ptr::with_exposed_provenance_mut(memory.read_u64(at + EXCEPTION_PAYLOAD - 8) as usize);
        Some((NonNull::new(tag)?, memory.words(at + EXCEPTION_PAYLOAD, object.len as usize)))
    }

    /// Returns a value of the host, if the reference in slot form leads to one.
    pub(crate) fn host_value(&self, reference: u64) -> Option<&(dyn Any + Send + Sync)> {
        let (_, object, descriptor) = self.object(reference)?;
        if descriptor.kind != Kind::HOST {
            return None;
        }
        self.host_values.get(object.len as usize)?.value.as_deref()
    }

    /// Returns kind and canonical type of an object; `None` for null and unboxed integers.
    pub(crate) fn kind(&self, reference: u64) -> Option<(Kind, TypeId)> {
        self.object(reference).map(|(_, _, descriptor)| (descriptor.kind, descriptor.type_id))
    }

    /// Returns the number of elements of an array.
    pub(crate) fn len(&self, array: u32) -> u32 {
        self.memory().map_or(0, |memory| memory.read::<VmObject>(array).len)
    }

    /// Returns `len` bytes of an object.
    pub(crate) fn bytes(&self, at: u32, len: usize) -> &[u8] {
        self.memory().map_or(&[], |memory| memory.bytes(at, len))
    }

    /// Returns `len` bytes of an object for writing.
    #[inline]
    pub(crate) fn bytes_mut(&mut self, at: u32, len: usize) -> &mut [u8] {
        match &mut self.parts {
            Some(parts) => parts.blocks.memory.bytes_mut(at, len),
            None => &mut [],
        }
    }

    /// Writes bytes of an object.
    #[inline(always)]
    pub(crate) fn write<const SIZE: usize>(&mut self, at: u32, bytes: [u8; SIZE]) {
        self.bytes_mut(at, SIZE).copy_from_slice(&bytes);
    }

    /// Copies `len` bytes of objects, which may overlap.
    pub(crate) fn copy(&mut self, to: u32, from: u32, len: usize) {
        if let Some(parts) = &mut self.parts {
            parts.blocks.memory.copy(to, from, len);
        }
    }

    /// Makes a reference in slot form a root until the current handle scope ends. Returns its place among the roots.
    pub(crate) fn add_handle(&mut self, reference: u64) -> HandlePlace {
        let reference = reference as u32;
        match self.handles.last() {
            Some(last) if last.reference == reference && last.generation == self.generation => {}
            _ => self.handles.push(HandleRoot { reference, generation: self.generation }),
        }
        let index = u32::try_from(self.handles.len() - 1).expect("the host holds fewer than 2^32 roots");
        HandlePlace { reference, index, generation: self.generation }
    }

    /// Returns the reference of a root, if its scope has not ended.
    pub(crate) fn handle(&self, place: HandlePlace) -> Option<u64> {
        let root = self.handles.get(place.index as usize)?;
        (root.generation == place.generation).then_some(root.reference.into())
    }

    /// Opens a handle scope. Returns its start, for [`close_scope`](GcHeap::close_scope).
    pub(crate) fn open_scope(&mut self) -> usize {
        // Handles of the scopes around have other generations, so that this scope shares no root with them.
        self.generation += 1;
        self.handles.len()
    }

    /// Ends the handle scope that [`open_scope`](GcHeap::open_scope) opened, and with it all handles made since.
    pub(crate) fn close_scope(&mut self, scope: usize) {
        self.handles.truncate(scope);
        self.generation += 1;
    }

    /// Makes an object a root until the last clone of the result is dropped.
    pub(crate) fn add_owned(&mut self, reference: u32) -> Arc<()> {
        if self.owned.len() >= self.owned_limit {
            self.forget_dropped();
            self.owned_limit = MIN_OWNED.max(2 * self.owned.len());
        }
        let counter = Arc::new(());
        self.owned.push((reference, counter.clone()));
        counter
    }

    /// Removes the owned roots that were dropped.
    fn forget_dropped(&mut self) {
        self.owned.retain(|(_, counter)| Arc::strong_count(counter) > 1);
    }

    /// Frees every object that is not reachable from a root. `roots` passes the roots to the marker, but those that the host
    /// holds. Returns the values of the host that were freed, which the caller drops once the store is not borrowed.
    #[must_use]
    pub(crate) fn collect(
        &mut self,
        vm: &mut VmHeap,
        roots: impl FnOnce(&mut Marker<'_>),
    ) -> Vec<Box<dyn Any + Send + Sync>> {
        self.forget_dropped();
        let Some(parts) = &mut self.parts else { return Vec::new() };
        parts.blocks.retire_intervals(vm);
        let mut marker = Marker::new(&parts.blocks, &parts.descriptors, &mut parts.marks, self.is_stressed);
        roots(&mut marker);
        for root in &self.handles {
            marker.slots(&[root.reference.into()]);
        }
        for (owned, _) in &self.owned {
            marker.slots(&[(*owned).into()]);
        }
        let root_bytes = marker.finish();
        let mut freed = Vec::new();
        for (index, entry) in (0..).zip(&mut self.host_values) {
            if entry.object != 0 && !parts.marks.get(entry.object) {
                entry.object = 0;
                let value = entry.value.take();
                let bytes = size_of::<HostValue>() + value.as_deref().map_or(0, size_of_val);
                self.host_bytes -= bytes;
                parts.blocks.share.give_back(bytes);
                freed.extend(value);
                self.free_host_values.push(index);
            }
        }
        let poison = self.is_stressed.then_some(POISON);
        let live = parts.blocks.sweep(&mut parts.marks, poison) + self.host_bytes;
        let (used, available) = (parts.blocks.share.own(), self.limit.saturating_sub(parts.blocks.share.others()));
        parts.blocks.budget = (GROWTH * live).max(root_bytes).max(MIN_BUDGET).min(self.limit);
        parts.is_full = live > available - available / HEADROOM || used > available;
        parts.blocks.trim();
        freed
    }

    /// Returns the number of objects. Right after a collection, the live ones.
    #[cfg(test)]
    pub(crate) fn count(&self) -> u32 {
        self.parts
            .as_ref()
            .map_or(0, |parts| (0..parts.blocks.count()).map(|block| parts.blocks.live.count(block)).sum())
    }
}

#[cfg(test)]
mod tests;
