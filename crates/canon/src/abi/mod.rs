//! The [canonical ABI](https://github.com/WebAssembly/component-model/blob/main/design/mvp/CanonicalABI.md): walkers over a type's
//! [`Shape`](wasmr_component::Shape). *Lifting* makes a value of core values and memory, *lowering* the reverse.
//!
//! - `flat`: [`Val`](crate::Val)s from and to core values.
//! - `case`: cases of variants, options and results.
//! - `load` and `store`: `Val`s from and to linear memory; `scalar`: the types that fit into one core value, for both.
//! - `string`: the three encodings of strings, and the nine ways between them.
//! - `transfer`: values of one guest for another, without a `Val` between.
//!
//! # Core values
//! A core value is a slot of 64 bits, zero-extended. So the conversions of the specification between the joined types of a variant's
//! cases are the identity on slots, but for one: whoever reads a 32-bit value ignores the high half.
//!
//! # Bounds
//! Every range of memory is compared with the memory's length before it is read or written, after the last call of `realloc`. Memories
//! only grow, so a range that was checked stays valid while other values are lowered. Lengths are multiplied as `u64`. Whatever
//! lifting allocates is first taken from a [`Budget`].

pub(crate) mod case;
pub(crate) mod flat;
pub(crate) mod load;
pub(crate) mod scalar;
mod store;
pub(crate) mod string;
#[cfg(test)]
mod tests;
pub(crate) mod transfer;

use std::ops::Range;

use wasmr_component::{FuncTypeId, Layout, ResourceId, Shape, TypeId, Types};
use wasmr_runtime::StoreContextMut;

use crate::error::{AbiError, Result};
use crate::handles::Handle;
use crate::resource::ResourceKey;
use crate::state::{LiveOptions, State};

/// Length, in bytes, that no list or string in linear memory may reach (`MAX_LIST_BYTE_LENGTH` + 1).
const MAX_BYTES: u64 = 1 << 28;

/// Scope of a call without borrows.
pub(crate) const NO_SCOPE: u32 = u32::MAX;

/// Bytes that lifting may still allocate on the host for one call.
#[derive(Clone, Copy, Debug)]
pub struct Budget(pub(crate) usize);

impl Budget {
    /// Bytes for the values of one call, by default.
    pub const DEFAULT: usize = 128 << 20;

    /// Bytes and elements that one call between guests may pass. A guest can refer to the same bytes any number of times, and nothing
    /// interrupts the copy.
    pub(crate) const TRANSFER: usize = 1 << 30;

    /// Cost of an element that is passed on its own, beside its bytes.
    pub(crate) const ELEMENT: usize = 8;

    /// Cost of a handle that is lent: its entry in the scope, and about as much again for what the host does with it.
    pub(crate) const BORROW: usize = 64;

    /// Takes `bytes`.
    #[inline]
    pub(crate) fn take(&mut self, bytes: usize) -> Result<()> {
        match self.0.checked_sub(bytes) {
            Some(left) => {
                self.0 = left;
                Ok(())
            }
            None => Err(AbiError::trap("the values of this call are larger than the host allows")),
        }
    }
}

/// The source of values that are lifted. The guest does not run while it exists.
pub struct LiftCx<'a> {
    pub(crate) types: &'a Types,
    /// Type of the function.
    pub(crate) ty: FuncTypeId,
    pub(crate) memory: &'a [u8],
    pub(crate) options: &'a LiveOptions,
    pub(crate) state: &'a mut State,
    /// Scope for handles that are lent.
    pub(crate) scope: u32,
    pub(crate) budget: Budget,
}

/// The target of values that are lowered. Each allocation in linear memory calls the guest.
pub struct LowerCx<'a> {
    pub(crate) types: &'a Types,
    /// Type of the function.
    pub(crate) ty: FuncTypeId,
    pub(crate) store: StoreContextMut<'a, ()>,
    pub(crate) options: &'a LiveOptions,
    /// Scope for handles that are lent.
    pub(crate) scope: u32,
    /// The handles that the guest got, to be taken back if a later value does not fit.
    pub(crate) given: Vec<Given>,
}

/// A handle that the embedder gave to a guest.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Given {
    /// Index in the guest's table.
    index: u32,
    /// True if the embedder had it in its own table.
    is_from_table: bool,
}

/// Core values to read, one after the other.
#[derive(Debug)]
pub struct FlatIn<'a> {
    slots: &'a [u64],
    at: usize,
}

/// Places of core values to write, one after the other.
#[derive(Debug)]
pub struct FlatOut<'a> {
    slots: &'a mut [u64],
    at: usize,
}

impl<'a> FlatIn<'a> {
    #[inline]
    pub(crate) fn new(slots: &'a [u64]) -> FlatIn<'a> {
        FlatIn { slots, at: 0 }
    }

    #[inline]
    pub(crate) fn next(&mut self) -> u64 {
        let slot = self.slots[self.at];
        self.at += 1;
        slot
    }

    #[inline]
    pub(crate) fn next_u32(&mut self) -> u32 {
        self.next() as u32
    }

    pub(crate) fn position(&self) -> usize {
        self.at
    }

    pub(crate) fn seek(&mut self, at: usize) {
        self.at = at;
    }
}

impl<'a> FlatOut<'a> {
    #[inline]
    pub(crate) fn new(slots: &'a mut [u64]) -> FlatOut<'a> {
        FlatOut { slots, at: 0 }
    }

    #[inline]
    pub(crate) fn push(&mut self, slot: u64) {
        self.slots[self.at] = slot;
        self.at += 1;
    }

    pub(crate) fn position(&self) -> usize {
        self.at
    }

    /// Fills the places up to `end` with zeros.
    pub(crate) fn pad(&mut self, end: usize) {
        self.slots[self.at..end].fill(0);
        self.at = end;
    }
}

/// Returns the number of core values of a type, which is passed as such.
pub(crate) fn flat_count(shape: &Shape) -> usize {
    shape.flat.as_ref().map_or(0, |flat| flat.len())
}

/// Returns the place of the payload and the size of the discriminant.
pub(crate) fn variant_layout(shape: &Shape) -> (u32, u32) {
    match shape.layout {
        Layout::Variant { discriminant, payload } => (discriminant, payload),
        // Enums and flags of one word; no payload exists.
        Layout::Scalar | Layout::Fields(_) => (shape.size, shape.size),
    }
}

/// The layout of an element of a list or an entry of a map.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Element {
    pub(crate) size: u32,
    pub(crate) align: u32,
    /// Offset of the value of a map's entry.
    pub(crate) value: u32,
}

impl Element {
    pub(crate) fn of(shape: &Shape) -> Element {
        Element { size: shape.size, align: shape.align, value: 0 }
    }

    /// Returns the layout of a map's entry, that of `tuple<K, V>`.
    pub(crate) fn of_entry(types: &Types, key: TypeId, value: TypeId) -> Element {
        let (key, value) = (types.shape(key), types.shape(value));
        let at = key.size.next_multiple_of(value.align);
        let align = key.align.max(value.align);
        Element { size: (at + value.size).next_multiple_of(align), align, value: at }
    }

    /// Returns the bytes of `len` elements.
    pub(crate) fn bytes(self, len: u64) -> Result<u64> {
        let bytes = u64::from(self.size).checked_mul(len).filter(|&bytes| bytes < MAX_BYTES);
        bytes.ok_or_else(|| AbiError::trap(format!("a list of {len} elements takes 256 MiB or more")))
    }
}

/// Returns the range of `bytes` bytes at `ptr`, which is aligned and within a memory of `size` bytes.
#[inline]
pub(crate) fn checked_range(size: usize, ptr: u32, bytes: u64, align: u32, what: &str) -> Result<Range<usize>> {
    if !ptr.is_multiple_of(align) {
        return Err(AbiError::trap(format!("unaligned pointer: {ptr:#x} is no multiple of {align}")));
    }
    let end = u64::from(ptr) + bytes;
    if end > size as u64 {
        return Err(AbiError::trap(format!(
            "{what} pointer/length out of bounds of memory: {bytes} bytes at {ptr:#x}, but the memory has {size}"
        )));
    }
    Ok(ptr as usize..end as usize)
}

/// Reads a little-endian number of up to 8 bytes.
#[inline]
pub(crate) fn read_bits(memory: &[u8], at: usize, size: u32) -> u64 {
    match size {
        1 => u64::from(memory[at]),
        2 => u64::from(u16::from_le_bytes(read(memory, at))),
        4 => u64::from(u32::from_le_bytes(read(memory, at))),
        _ => u64::from_le_bytes(read(memory, at)),
    }
}

#[inline]
pub(crate) fn read<const N: usize>(memory: &[u8], at: usize) -> [u8; N] {
    let mut bytes = [0; N];
    bytes.copy_from_slice(&memory[at..at + N]);
    bytes
}

#[inline]
pub(crate) fn read_u32(memory: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(read(memory, at))
}

/// Writes the low `size` bytes of a number.
#[inline]
pub(crate) fn write_bits(memory: &mut [u8], at: usize, size: u32, bits: u64) {
    let size = size as usize;
    memory[at..at + size].copy_from_slice(&bits.to_le_bytes()[..size]);
}

impl<'a> LiftCx<'a> {
    /// Returns the source of the values of one call.
    #[inline]
    pub(crate) fn new<T: 'a>(
        types: &'a Types,
        ty: FuncTypeId,
        store: StoreContextMut<'a, T>,
        options: &'a LiveOptions,
        scope: u32,
    ) -> LiftCx<'a> {
        let parts = store.into_parts(options.memory);
        let (memory, state) = (parts.memory, parts.extension);
        LiftCx { types, ty, memory, options, state, scope, budget: Budget(Budget::DEFAULT) }
    }

    /// Lends a handle of the guest for the call. Returns the type of the resource and its representation.
    pub(crate) fn lend(&mut self, id: ResourceId, index: u32) -> Result<(ResourceKey, u32)> {
        self.budget.take(Budget::BORROW)?;
        let key = self.state.resource(self.options.live, id);
        Ok((key, self.state.lend(self.options.instance, index, key, self.scope)?))
    }
}

impl LowerCx<'_> {
    /// Gives an owned resource of the embedder to the guest. Returns the index of its handle.
    pub(crate) fn give_own(&mut self, ty: ResourceKey, rep: u32, is_from_table: bool) -> Result<u32> {
        let instance = self.options.instance;
        let index = self.state().give_own(instance, ty, rep)?;
        self.given.push(Given { index, is_from_table });
        Ok(index)
    }

    /// Lends a resource to the guest for the call. Returns the core value, as [`State::give_borrow`].
    pub(crate) fn give_borrow(&mut self, ty: ResourceKey, rep: u32) -> Result<u32> {
        let (instance, scope) = (self.options.instance, self.scope);
        let state = self.state();
        let value = state.give_borrow(instance, ty, rep, scope)?;
        if state.resources[ty.0 as usize].implementer != Some(instance) {
            self.given.push(Given { index: value, is_from_table: false });
        }
        Ok(value)
    }

    /// Takes back the handles that the guest got. Only its allocator can have run since, which changes no handles. Both tables
    /// become as they were.
    #[cold]
    pub(crate) fn take_back(&mut self) -> Result<()> {
        let instance = self.options.instance;
        for Given { index, is_from_table } in std::mem::take(&mut self.given).into_iter().rev() {
            let state = self.state();
            let handle: Handle = *state.instance(instance).handles.get(index)?;
            state.instance(instance).handles.remove(index);
            if is_from_table {
                // The handle that was removed last is added first, and gets its index back.
                state.host.add(handle)?;
            }
        }
        Ok(())
    }

    /// Returns the bytes of the memory.
    #[inline]
    pub(crate) fn memory(&mut self) -> &mut [u8] {
        match self.options.memory {
            Some(memory) => memory.data_mut(&mut self.store),
            None => &mut [],
        }
    }

    #[inline]
    pub(crate) fn state(&mut self) -> &mut State {
        self.store.extension()
    }

    /// Writes the low `size` bytes of a number.
    #[inline]
    pub(crate) fn write(&mut self, at: usize, size: u32, bits: u64) {
        write_bits(self.memory(), at, size, bits);
    }

    /// Returns the place of a result, to which the guest passed a pointer.
    pub(crate) fn out_place(&mut self, ptr: u32, size: u32, align: u32) -> Result<usize> {
        Ok(checked_range(self.memory().len(), ptr, size.into(), align, "result")?.start)
    }

    /// Allocates bytes in the guest.
    pub(crate) fn allocate(&mut self, align: u32, size: u64) -> Result<u32> {
        self.reallocate(0, 0, align, size)
    }

    /// Calls the guest's allocator, and checks the range that it returns.
    pub(crate) fn reallocate(&mut self, old: u32, old_size: u64, align: u32, size: u64) -> Result<u32> {
        let Some(realloc) = self.options.realloc else {
            return Err(AbiError::trap("the function has no `realloc` for a value in linear memory"));
        };
        let Ok(size32) = u32::try_from(size) else {
            return Err(AbiError::trap(format!("a value of {size} bytes does not fit into linear memory")));
        };
        let mut slots = [u64::from(old), old_size, u64::from(align), u64::from(size32)];
        let instance = self.options.instance;
        let state = self.state();
        state.instance(instance).may_leave = false;
        let context = std::mem::take(&mut state.context);
        let called = crate::call::call_core(&mut self.store, realloc, &mut slots);
        let state = self.state();
        state.context = context;
        state.instance(instance).may_leave = true;
        called?;
        let ptr = slots[0] as u32;
        if !ptr.is_multiple_of(align) {
            return Err(AbiError::trap(format!(
                "realloc return: result not aligned: {ptr:#x} is no multiple of {align}"
            )));
        }
        if u64::from(ptr) + size > self.memory().len() as u64 {
            return Err(AbiError::trap(format!("realloc return: beyond end of memory: {size} bytes at {ptr:#x}")));
        }
        Ok(ptr)
    }
}
