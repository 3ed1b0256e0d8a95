//! Structs and arrays: the operators that make them, and those on many elements
//! ([spec](https://webassembly.github.io/spec/core/exec/instructions.html#aggregate-reference-instructions)).
//!
//! Each checks its whole range before it changes an element. The operands are in slots of a frame, where the collector finds
//! them.

use std::ops::Range;

use wasmr_core::layout::Stored;
use wasmr_core::trap::TrapCode;

use super::table::{read_items, segment_len};
use super::{object, range_within};
use crate::instance::InstanceObject;
use crate::objects::{self, NewObject, write_field};
use crate::store::StoreInner;
use crate::vm::VmInstance;

/// A reference to a new object, or the trap that there is no room for it.
type New = Result<u64, TrapCode>;

/// Returns the two Rust sides: of the instance and of its store.
///
/// # Safety
/// See [`builtins`](super).
unsafe fn sides<'a>(instance: *mut VmInstance) -> (&'a InstanceObject, &'a mut StoreInner) {
    // SAFETY: the caller promises a live instance of a store that no Rust reference is using. The instance is an allocation of
    // its own, so the two references do not overlap. A collection reads instances, and no instance is written meanwhile.
    unsafe { (object(instance), &mut *(*(*instance).store).store) }
}

/// Makes an object of a type of the instance's module.
#[inline]
fn make(object: &InstanceObject, store: &mut StoreInner, ty: u32, new: NewObject<'_>) -> New {
    store.new_object(object.descriptor(ty), new, &[]).ok_or(TrapCode::HeapFull)
}

/// `struct.new`.
///
/// # Safety
/// See [`builtins`](super). At `fields`, the slots of all fields are readable.
pub(super) unsafe fn struct_new(instance: *mut VmInstance, ty: u32, fields: *const u64) -> New {
    // SAFETY: the caller promises a live instance, a valid type index and readable slots.
    unsafe {
        let (object, store) = sides(instance);
        let layout = object.module().struct_layout(ty);
        make(object, store, ty, NewObject::Struct(layout, slots(fields, layout.slots)))
    }
}

/// `struct.new_default`.
///
/// # Safety
/// See [`builtins`](super).
pub(super) unsafe fn struct_new_default(instance: *mut VmInstance, ty: u32) -> New {
    // SAFETY: the caller promises a live instance and a valid type index.
    let (object, store) = unsafe { sides(instance) };
    make(object, store, ty, NewObject::StructDefault(object.module().struct_layout(ty)))
}

/// `array.new`: the operands are the element and the length.
///
/// # Safety
/// See [`builtins`](super). At `operands`, the slots of both operands are readable.
pub(super) unsafe fn array_new(instance: *mut VmInstance, ty: u32, operands: *const u64) -> New {
    // SAFETY: the caller promises a live instance, a valid type index and readable slots.
    unsafe {
        let (object, store) = sides(instance);
        let stored = object.module().array_element(ty).stored;
        let len = *operands.add(stored.slots()) as u32;
        make(object, store, ty, NewObject::ArrayOf(stored, slots(operands, stored.slots()), len))
    }
}

/// `array.new_default`.
///
/// # Safety
/// See [`builtins`](super).
pub(super) unsafe fn array_new_default(instance: *mut VmInstance, ty: u32, len: u32) -> New {
    // SAFETY: the caller promises a live instance and a valid type index.
    let (object, store) = unsafe { sides(instance) };
    make(object, store, ty, NewObject::ArrayDefault(object.module().array_element(ty).stored, len))
}

/// `array.new_fixed`.
///
/// # Safety
/// See [`builtins`](super). At `elements`, the slots of `count` elements are readable.
pub(super) unsafe fn array_new_fixed(instance: *mut VmInstance, ty: u32, count: u32, elements: *const u64) -> New {
    // SAFETY: the caller promises a live instance, a valid type index and readable slots.
    unsafe {
        let (object, store) = sides(instance);
        let stored = object.module().array_element(ty).stored;
        make(object, store, ty, NewObject::ArrayFixed(stored, slots(elements, count as usize * stored.slots())))
    }
}

/// `array.new_data`.
///
/// # Safety
/// See [`builtins`](super).
pub(super) unsafe fn array_new_data(instance: *mut VmInstance, ty: u32, segment: u32, src: u32, len: u32) -> New {
    // SAFETY: the caller promises a live instance and valid indices.
    let (object, store) = unsafe { sides(instance) };
    let stored = object.module().array_element(ty).stored;
    let data = data_of(object, segment, src, stored, len)?;
    let array = make(object, store, ty, NewObject::ArrayUnset(stored, len))?;
    let at = objects::elements(&store.heap, array, stored, 0, len)?;
    store.heap.bytes_mut(at, data.len()).copy_from_slice(data);
    Ok(array)
}

/// `array.new_elem`.
///
/// # Safety
/// See [`builtins`](super).
pub(super) unsafe fn array_new_elem(instance: *mut VmInstance, ty: u32, segment: u32, src: u32, len: u32) -> New {
    // SAFETY: the caller promises a live instance and valid indices.
    unsafe {
        let (object, store) = sides(instance);
        let stored = object.module().array_element(ty).stored;
        let from = items_of(instance, segment, src, len)?;
        let array = make(object, store, ty, NewObject::ArrayUnset(stored, len))?;
        let at = objects::elements(&store.heap, array, stored, 0, len)?;
        write_items(object, store, segment, from, stored, at);
        Ok(array)
    }
}

/// `array.fill`: the operands are the array, the first index, the element and the length.
///
/// # Safety
/// See [`builtins`](super). At `operands`, the slots of all operands are readable.
pub(super) unsafe fn array_fill(instance: *mut VmInstance, ty: u32, operands: *const u64) -> Result<(), TrapCode> {
    // SAFETY: the caller promises a live instance, a valid type index and readable slots.
    unsafe {
        let (object, store) = sides(instance);
        let stored = object.module().array_element(ty).stored;
        let (array, index) = (*operands, *operands.add(1) as u32);
        let (value, len) = (slots(operands.add(2), stored.slots()), *operands.add(2 + stored.slots()) as u32);
        let at = objects::elements(&store.heap, array, stored, index, len)?;
        objects::fill(&mut store.heap, at, stored, value, len);
    }
    Ok(())
}

/// `array.copy`; the ranges may overlap.
///
/// # Safety
/// See [`builtins`](super).
#[expect(clippy::too_many_arguments, reason = "two immediates and five operands")]
pub(super) unsafe fn array_copy(
    instance: *mut VmInstance,
    ty: u32,
    _: u32,
    dst: u64,
    at: u32,
    src: u64,
    from: u32,
    len: u32,
) -> Result<(), TrapCode> {
    // SAFETY: the caller promises a live instance and a valid type index.
    let (object, store) = unsafe { sides(instance) };
    // Validation has checked that the elements of both types are stored in the same form.
    let stored = object.module().array_element(ty).stored;
    if src == 0 {
        return Err(TrapCode::NullArrayReference);
    }
    let to = objects::elements(&store.heap, dst, stored, at, len)?;
    let from = objects::elements(&store.heap, src, stored, from, len)?;
    store.heap.copy(to, from, len as usize * stored.size() as usize);
    Ok(())
}

/// `array.init_data`.
///
/// # Safety
/// See [`builtins`](super).
pub(super) unsafe fn array_init_data(
    instance: *mut VmInstance,
    ty: u32,
    segment: u32,
    dst: u64,
    at: u32,
    src: u32,
    len: u32,
) -> Result<(), TrapCode> {
    // SAFETY: the caller promises a live instance and valid indices.
    let (object, store) = unsafe { sides(instance) };
    let stored = object.module().array_element(ty).stored;
    let to = objects::elements(&store.heap, dst, stored, at, len)?;
    let data = data_of(object, segment, src, stored, len)?;
    store.heap.bytes_mut(to, data.len()).copy_from_slice(data);
    Ok(())
}

/// `array.init_elem`.
///
/// # Safety
/// See [`builtins`](super).
pub(super) unsafe fn array_init_elem(
    instance: *mut VmInstance,
    ty: u32,
    segment: u32,
    dst: u64,
    at: u32,
    src: u32,
    len: u32,
) -> Result<(), TrapCode> {
    // SAFETY: the caller promises a live instance and valid indices.
    unsafe {
        let (object, store) = sides(instance);
        let stored = object.module().array_element(ty).stored;
        let to = objects::elements(&store.heap, dst, stored, at, len)?;
        let from = items_of(instance, segment, src, len)?;
        write_items(object, store, segment, from, stored, to);
    }
    Ok(())
}

/// Returns the range of `len` items of an element segment, from item `src` on.
///
/// # Safety
/// See [`builtins`](super).
unsafe fn items_of(instance: *mut VmInstance, segment: u32, src: u32, len: u32) -> Result<Range<usize>, TrapCode> {
    // SAFETY: the caller promises a live instance and a valid segment index.
    let available = unsafe { segment_len(instance, segment) } as usize;
    range_within(src.into(), len.into(), available).ok_or(TrapCode::TableOutOfBounds)
}

/// Writes items of an element segment to elements of an array, from `at` on.
fn write_items(
    object: &InstanceObject,
    store: &mut StoreInner,
    segment: u32,
    items: Range<usize>,
    stored: Stored,
    at: u32,
) {
    read_items(object, segment, items, |index, item| {
        write_field(&mut store.heap, at + index as u32 * stored.size(), stored, &[item]);
    });
}

/// Returns the bytes of `len` elements in a data segment, from byte `src` on.
fn data_of(object: &InstanceObject, segment: u32, src: u32, stored: Stored, len: u32) -> Result<&[u8], TrapCode> {
    let module = object.module();
    let data: &[u8] = match object.segments.is_data_dropped(segment) {
        true => &[],
        false => module.data_bytes(&module.data()[segment as usize]),
    };
    let bytes = u64::from(len) * u64::from(stored.size());
    let range = range_within(src.into(), bytes, data.len()).ok_or(TrapCode::MemoryOutOfBounds)?;
    Ok(&data[range])
}

/// Returns operands in slot form.
///
/// # Safety
/// There are `count` readable slots at `first`.
unsafe fn slots<'a>(first: *const u64, count: usize) -> &'a [u64] {
    match count {
        0 => &[],
        // SAFETY: the caller promises that many slots, which nothing writes during a libcall.
        _ => unsafe { std::slice::from_raw_parts(first, count) },
    }
}
