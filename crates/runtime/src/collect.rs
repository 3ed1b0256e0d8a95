//! Allocation in the heap of a store, with a collection where one is due, and the roots of a collection.
//!
//! `gc` allocates and collects without knowledge of the store. This file connects the two: a failed allocation collects and tries
//! again, and a collection reads the roots of the store. These are the handles of the host (in `gc`), the value stack, the native
//! stack and the registers, globals, tables, instances and the exception in flight.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::NonNull;
use std::time::Instant;

use crate::context::StoreContextMut;
use crate::limits::ResourceError;
use crate::store::{NATIVE_GUARD, StoreInner};
use crate::sys;
use crate::vm::VmTag;

/// A value of the host whose object was freed.
pub(crate) type FreedValue = Box<dyn Any + Send + Sync>;

impl StoreInner {
    /// Allocates an object in the heap. Its fields have arbitrary contents, which the caller must replace before the next
    /// allocation. `extra` are roots that are stored nowhere else. Returns `None` if the heap is full.
    #[inline]
    pub(crate) fn allocate(&mut self, bytes: u64, descriptor: u32, len: u32, extra: &[u64]) -> Option<u32> {
        let bytes = u32::try_from(bytes).ok()?;
        // A stress test needs no check, as its intervals have one cell.
        match self.heap.allocate_cell(&mut self.vm.heap, bytes, descriptor, len) {
            Some(object) => Some(object),
            None => self.allocate_slowly(bytes, descriptor, len, extra),
        }
    }

    /// Allocates an object whose interval is used up, or that is too large for one.
    #[inline(never)]
    fn allocate_slowly(&mut self, bytes: u32, descriptor: u32, len: u32, extra: &[u64]) -> Option<u32> {
        if !self.heap.is_stressed()
            && let Some(object) = self.heap.allocate(&mut self.vm.heap, bytes, descriptor, len)
        {
            return Some(object);
        }
        self.collect(extra);
        self.heap.allocate(&mut self.vm.heap, bytes, descriptor, len)
    }

    /// Allocates an exception. Returns its reference in slot form.
    ///
    /// # Errors
    /// If the heap is full, or the system refuses its memory.
    pub(crate) fn new_exception(&mut self, tag: NonNull<VmTag>, payload: &[u64]) -> Result<u64, ResourceError> {
        self.create_heap()?;
        if !self.heap.is_stressed()
            && let Some(exception) = self.heap.new_exception(&mut self.vm.heap, tag, payload)?
        {
            return Ok(exception.into());
        }
        self.collect(payload);
        let exception = self.heap.new_exception(&mut self.vm.heap, tag, payload)?;
        exception.map(u64::from).ok_or_else(|| self.heap.full())
    }

    /// Moves a value of the host into the heap. Returns its reference in slot form.
    ///
    /// # Errors
    /// If the heap is full, or the system refuses its memory.
    pub(crate) fn new_host_value(&mut self, value: Box<dyn Any + Send + Sync>) -> Result<u64, ResourceError> {
        self.create_heap()?;
        if self.heap.is_stressed() {
            self.collect(&[]);
        }
        let value = match self.heap.new_host_value(&mut self.vm.heap, value)? {
            Ok(reference) => return Ok(reference.into()),
            Err(value) => value,
        };
        self.collect(&[]);
        let reference = self.heap.new_host_value(&mut self.vm.heap, value)?;
        reference.map(u64::from).map_err(|_| self.heap.full())
    }

    /// Creates the heap, if it does not exist, and tells all instances its address. Instances of modules without struct and array
    /// types may be older than the heap.
    ///
    /// # Errors
    /// If the limit leaves no room for the heap, or the system refuses its memory.
    pub(crate) fn create_heap(&mut self) -> Result<(), ResourceError> {
        if !self.vm.heap.base.is_null() {
            return Ok(());
        }
        self.heap.create(&mut self.vm.heap)?;
        for instance in &self.instances {
            // SAFETY: the store owns the instance, and compiled code that runs reads the address anew for each object that may be
            // the first one.
            unsafe { (*instance.as_ptr().as_ref().vm()).heap_base = self.vm.heap.base };
        }
        Ok(())
    }

    /// Frees the objects that are not reachable. `extra` are roots that are stored nowhere else.
    ///
    /// The compiler keeps references in frames and in registers. So while compiled code is active, all words of the native
    /// stack are roots.
    pub(crate) fn collect(&mut self, extra: &[u64]) {
        let start = Instant::now();
        self.mark_and_sweep(extra);
        self.usage().count_collection(start.elapsed());
    }

    fn mark_and_sweep(&mut self, extra: &[u64]) {
        let StoreInner { heap, vm, tier, stack, native_stack, globals, tables, instances, .. } = self;
        let stack_end = tier.stack_in_use(vm).clamp(vm.stack_base, vm.stack_limit);
        let (stack_base, pending, is_native) = (vm.stack_base, vm.pending_exception, !vm.activation.is_null());
        let freed = heap.collect(&mut vm.heap, |marker| {
            marker.slots(extra);
            marker.slots(&[pending]);
            if stack.is_some() {
                // SAFETY: the value stack is mapped, was zeroed at first, and consists of plain words. `stack_end` is inside it.
                // Stale slots between frames only keep an object longer.
                let slots = unsafe {
                    let count = stack_end.offset_from(stack_base);
                    std::slice::from_raw_parts(stack_base.cast_const(), usize::try_from(count).unwrap_or(0))
                };
                marker.slots(slots);
            }
            if let Some(native) = native_stack
                && is_native
            {
                let start = native.base().as_ptr().expose_provenance();
                let words = start + NATIVE_GUARD..start + native.size();
                // SAFETY: the mapping is readable above the guard, its provenance was exposed above, and its bounds are
                // multiples of the page size.
                unsafe { sys::for_each_word(words, &mut |words| marker.native_words(words)) };
            }
            for global in globals.iter() {
                // SAFETY: the store owns the global, and no code that could write to it runs during a collection.
                marker.slots(unsafe { &global.as_ptr().as_ref().value });
            }
            for table in tables.iter() {
                // SAFETY: the store owns the table, and no code that could write to it runs during a collection.
                marker.slots(unsafe { table.as_ptr().as_ref() }.collectable_slots());
            }
            for instance in instances.iter() {
                // SAFETY: the store owns the instance, and no code that could write to it runs during a collection.
                unsafe { instance.as_ptr().as_ref() }.for_each_root(&mut |slots| marker.slots(slots));
            }
        });
        // Their destructors are the embedder's. They run where nothing is borrowed.
        self.freed.extend(freed);
    }
}

impl<T> StoreContextMut<'_, T> {
    /// Collects garbage now.
    pub(crate) fn gc(&mut self) {
        self.inner_mut().collect(&[]);
        self.drop_freed();
    }

    /// Drops the values of the host that collections freed. Nothing of the store is borrowed meanwhile.
    pub(crate) fn drop_freed(&mut self) {
        if !self.inner().freed.is_empty() {
            drop_values(std::mem::take(&mut self.inner_mut().freed));
        }
    }

    /// Drops all values of the host, before the store itself is dropped.
    pub(crate) fn drop_host_values(&mut self) {
        let values = self.inner_mut().heap.take_host_values();
        self.inner_mut().freed.extend(values);
        self.drop_freed();
    }
}

/// Drops values of the host. A panic of a destructor ends here, because the operation that happens to run the destructor has
/// nothing to do with it.
pub(crate) fn drop_values(values: Vec<FreedValue>) {
    for value in values {
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(value))) {
            // The destructor of the payload might panic again.
            std::mem::forget(payload);
        }
    }
}
