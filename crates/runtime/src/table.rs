//! Tables: `TableObject` in a store, [`Table`] as its handle.
//!
//! Elements are references in slot form, so a funcref element is the address of a [`VmFunc`](crate::vm::VmFunc) and
//! null is 0.
//!
//! Invariants: [`VmTable`] always describes the vector; every element is null or a reference of the table's element
//! type; the size never shrinks.

use std::alloc::{Layout, alloc_zeroed};
use std::ptr::NonNull;

use wasmr_core::count::Count;
use wasmr_core::subtype::heap_top;
use wasmr_core::types::{HeapType, TableType, ValType};

use crate::context::{AsContext, AsContextMut};
use crate::handle::Handle;
use crate::host_error::stop_from;
use crate::limits::ResourceError;
use crate::store::StoreInner;
use crate::value::{TypeMismatch, Val};
use crate::vm::VmTable;

#[derive(Debug)]
#[repr(C)]
pub(crate) struct TableObject {
    /// First, so that the address of one is the address of the other.
    pub(crate) vm: VmTable,
    elements: Vec<u64>,
    ty: TableType,
    /// Whether elements may be exceptions or host references.
    collectable: bool,
}

impl TableObject {
    /// A table of its minimal size, filled with `init`.
    pub(crate) fn new(store: &mut StoreInner, ty: TableType, init: u64) -> Result<TableObject, ResourceError> {
        let count = ty.limits.min;
        if !store.take_elements(count) {
            return Err(store.table_limit_error(count));
        }
        let Some(mut elements) = filled(count, init) else {
            store.return_elements(count);
            return Err(ResourceError::System { what: "a table", source: std::io::ErrorKind::OutOfMemory.into() });
        };
        let vm = VmTable { elements: elements.as_mut_ptr(), len: elements.len() };
        let collectable = heap_top(store.registry(), ty.element.heap) != HeapType::Func;
        Ok(TableObject { vm, elements, ty, collectable })
    }

    /// Current size.
    pub(crate) fn size(&self) -> u64 {
        self.elements.len() as u64
    }

    /// The type with the current size as minimum, which is what an import must match.
    pub(crate) fn current_type(&self) -> TableType {
        let mut ty = self.ty;
        ty.limits.min = self.size();
        ty
    }

    pub(crate) fn elements_mut(&mut self) -> &mut [u64] {
        &mut self.elements
    }

    /// The elements, if the collector must see them.
    pub(crate) fn collectable_slots(&self) -> &[u64] {
        if self.collectable { &self.elements } else { &[] }
    }

    fn may_grow_to(&self, delta: u64) -> bool {
        let most = if self.ty.is64 { u64::MAX } else { u64::from(u32::MAX) };
        let max = self.ty.limits.max.unwrap_or(most).min(most);
        self.size().checked_add(delta).is_some_and(|after| after <= max)
    }
}

/// `count` slots of `value`. Zeroed ones come untouched from the system, so a large empty table costs nothing.
fn filled(count: u64, value: u64) -> Option<Vec<u64>> {
    let count = usize::try_from(count).ok()?;
    if value == 0 && count != 0 {
        let layout = Layout::array::<u64>(count).ok()?;
        // SAFETY: the layout is not empty; a vector of `count` zeroes is what its allocator would give, and
        // `alloc_zeroed` is the one way to ask for it that reports failure.
        return unsafe {
            let slots = NonNull::new(alloc_zeroed(layout))?;
            Some(Vec::from_raw_parts(slots.cast().as_ptr(), count, count))
        };
    }
    let mut slots = Vec::new();
    slots.try_reserve_exact(count).ok()?;
    slots.resize(count, value);
    Some(slots)
}

/// Grows a table by `delta` elements of `value`; the size before, or `None` with everything as it was.
///
/// # Safety
/// `table` is a table of `store`, no reference to it is in use, and `value` is of its element type.
pub(crate) unsafe fn grow(store: &mut StoreInner, table: *mut TableObject, delta: u64, value: u64) -> Option<u64> {
    // SAFETY: the contract.
    let table = unsafe { &mut *table };
    let before = table.size();
    if !table.may_grow_to(delta) || !store.take_elements(delta) {
        return None;
    }
    // The store has granted `delta`, so it is small enough for the conversion and the sum.
    let count = delta as usize;
    if table.elements.try_reserve(count).is_err() {
        store.return_elements(delta);
        return None;
    }
    let after = table.elements.len() + count;
    table.elements.resize(after, value);
    table.vm = VmTable { elements: table.elements.as_mut_ptr(), len: after };
    Some(before)
}

/// A table of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Table(pub(crate) Handle<TableObject>);

/// Why the host could not change a table.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// The index is outside.
    #[error("table index {index} is outside of a table of {}", Count(*.size, "element"))]
    OutOfBounds {
        /// The index.
        index: u64,
        /// The table's size.
        size: u64,
    },
    /// The value is not of the element type.
    #[error(transparent)]
    Type(#[from] TypeMismatch),
    /// The table's type, the store's limits or the system refuse.
    #[error("the table cannot grow by {}", Count(*.delta, "element"))]
    Grow {
        /// How much it should have grown.
        delta: u64,
    },
    /// A new table does not fit.
    #[error(transparent)]
    Resource(#[from] ResourceError),
}

stop_from! { TableError }

impl Table {
    /// A table of the host's, every element `init`.
    pub fn new(mut store: impl AsContextMut, ty: TableType, init: Val) -> Result<Table, TableError> {
        let mut context = store.as_context_mut();
        let store = context.inner_mut();
        let init = init.to_ref_slot(store, ty.element)?;
        store.keep_types_of(ValType::Ref(ty.element));
        Ok(Table::in_store(store, ty, init)?)
    }

    pub(crate) fn in_store(store: &mut StoreInner, ty: TableType, init: u64) -> Result<Table, ResourceError> {
        let object = TableObject::new(store, ty, init)?;
        Ok(Table(store.add_table(object)))
    }

    /// The type it was made with.
    pub fn ty(&self, store: impl AsContext) -> TableType {
        self.0.get(store.as_context().inner()).ty
    }

    /// Current number of elements.
    pub fn size(&self, store: impl AsContext) -> u64 {
        self.0.get(store.as_context().inner()).size()
    }

    /// An element; `None` outside.
    pub fn get(&self, mut store: impl AsContextMut, index: u64) -> Option<Val> {
        let mut context = store.as_context_mut();
        let store = context.inner_mut();
        let table = self.0.get(store);
        let (slot, element) = (*table.elements.get(usize::try_from(index).ok()?)?, table.ty.element);
        // SAFETY: elements are of the element type, by the module's invariant.
        Some(unsafe { Val::from_ref_slot(store, element, slot) })
    }

    /// Changes an element.
    pub fn set(&self, mut store: impl AsContextMut, index: u64, value: Val) -> Result<(), TableError> {
        let mut context = store.as_context_mut();
        let store = context.inner_mut();
        let slot = value.to_ref_slot(store, self.0.get(store).ty.element)?;
        let table = self.0.get_mut(store);
        let size = table.size();
        let element = usize::try_from(index).ok().and_then(|index| table.elements.get_mut(index));
        *element.ok_or(TableError::OutOfBounds { index, size })? = slot;
        Ok(())
    }

    /// Grows it by `delta` elements of `value`; the size before.
    pub fn grow(&self, mut store: impl AsContextMut, delta: u64, value: Val) -> Result<u64, TableError> {
        let mut context = store.as_context_mut();
        let store = context.inner_mut();
        let slot = value.to_ref_slot(store, self.0.get(store).ty.element)?;
        // SAFETY: a table of this very store, exclusively borrowed; the slot was just checked.
        unsafe { grow(store, self.0.as_ptr(), delta, slot) }.ok_or(TableError::Grow { delta })
    }
}
