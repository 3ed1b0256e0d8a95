//! `table.grow`, `table.fill`, `table.copy`, `table.init`, `elem.drop`
//! ([spec](https://webassembly.github.io/spec/core/exec/instructions.html#table-instructions)).
//!
//! Each checks its whole range before it changes an element.

use std::ops::Range;
use std::ptr;

use wasmr_core::trap::TrapCode;
use wasmr_module::ElementItems;

use super::{index_max, object, range_within};
use crate::const_eval::evaluate_pure;
use crate::instance::InstanceObject;
use crate::table;
use crate::vm::VmInstance;

/// `table.grow`: returns the size before, or -1, as wide as the table's indices.
///
/// # Safety
/// See [`builtins`](super).
pub unsafe fn table_grow(instance: *mut VmInstance, table: u32, value: u64, delta: u64) -> u64 {
    // SAFETY: the caller promises a live instance of a store that no Rust reference is using, and a valid table index.
    // The table is an allocation of its own, so the two references do not overlap.
    unsafe {
        let object = object(instance);
        let failed = index_max(object.module().tables()[table as usize].ty.is64);
        let store = &mut *(*(*instance).store).store;
        table::grow(store, object.table(table), delta, value).unwrap_or(failed)
    }
}

/// `table.fill`.
///
/// # Safety
/// See [`builtins`](super).
pub unsafe fn table_fill(
    instance: *mut VmInstance,
    table: u32,
    index: u64,
    value: u64,
    len: u64,
) -> Result<(), TrapCode> {
    // SAFETY: the caller promises a live instance, a valid table index, and that no other reference to the table is in
    // use.
    let elements = unsafe { (*object(instance).table(table)).elements_mut() };
    let range = range_within(index, len, elements.len()).ok_or(TrapCode::TableOutOfBounds)?;
    elements[range].fill(value);
    Ok(())
}

/// `table.copy`; the ranges may overlap.
///
/// # Safety
/// See [`builtins`](super).
pub unsafe fn table_copy(
    instance: *mut VmInstance,
    dst_table: u32,
    src_table: u32,
    dst: u64,
    src: u64,
    len: u64,
) -> Result<(), TrapCode> {
    // SAFETY: the caller promises a live instance and valid table indices. `range_within` found both ranges inside
    // their tables.
    unsafe {
        let source = &(*object(instance).table(src_table)).vm;
        let target = &(*object(instance).table(dst_table)).vm;
        let from = range_within(src, len, source.len).ok_or(TrapCode::TableOutOfBounds)?;
        let to = range_within(dst, len, target.len).ok_or(TrapCode::TableOutOfBounds)?;
        ptr::copy(source.elements.add(from.start).cast_const(), target.elements.add(to.start), from.len());
    }
    Ok(())
}

/// `table.init`.
///
/// # Safety
/// See [`builtins`](super).
pub unsafe fn table_init(
    instance: *mut VmInstance,
    table: u32,
    segment: u32,
    dst: u64,
    src: u32,
    len: u32,
) -> Result<(), TrapCode> {
    // SAFETY: the caller promises a live instance of a store that no Rust reference is using, and a valid table index.
    // The table's elements are an allocation of their own.
    let (object, elements) = unsafe { (object(instance), (*object(instance).table(table)).elements_mut()) };
    // SAFETY: the caller promises a live instance and a valid segment index.
    let available = unsafe { segment_len(instance, segment) };
    let from = range_within(src.into(), len.into(), available as usize).ok_or(TrapCode::TableOutOfBounds)?;
    let to = range_within(dst, len.into(), elements.len()).ok_or(TrapCode::TableOutOfBounds)?;
    read_items(object, segment, from, |index, item| elements[to.start + index] = item);
    Ok(())
}

/// Passes the items of a range of an element segment to `write`, with their indices in the range. The range is inside the
/// segment, or empty.
pub(super) fn read_items(
    object: &InstanceObject,
    segment: u32,
    range: Range<usize>,
    mut write: impl FnMut(usize, u64),
) {
    if range.is_empty() {
        // Covers a dropped segment, whose items the module still has.
        return;
    }
    if let Some(items) = object.segments.evaluated(segment) {
        items[range].iter().enumerate().for_each(|(index, &item)| write(index, item));
        return;
    }
    match &object.module().elements()[segment as usize].items {
        ElementItems::Funcs(indices) => {
            indices[range].iter().enumerate().for_each(|(index, &func)| write(index, object.func_slot(func)));
        }
        ElementItems::Exprs(exprs) => {
            exprs[range].iter().enumerate().for_each(|(index, expr)| write(index, evaluate_pure(object, expr)[0]));
        }
    }
}

/// `elem.drop`.
///
/// # Safety
/// See [`builtins`](super).
pub unsafe fn elem_drop(instance: *mut VmInstance, segment: u32) {
    // SAFETY: the caller promises a live instance, to whose Rust side no other reference is in use.
    unsafe { (*(*instance).instance).segments.drop_element(segment) };
}

/// Returns the number of items of an element segment, 0 if it was dropped.
///
/// # Safety
/// See [`builtins`](super).
pub unsafe fn segment_len(instance: *mut VmInstance, segment: u32) -> u32 {
    // SAFETY: the caller promises a live instance of a store that no Rust reference is using.
    let object = unsafe { object(instance) };
    if object.segments.is_element_dropped(segment) {
        return 0;
    }
    let len = match &object.module().elements()[segment as usize].items {
        ElementItems::Funcs(indices) => indices.len(),
        ElementItems::Exprs(exprs) => exprs.len(),
    };
    // Validation bounds the number of items far below 2^32.
    len as u32
}
