//! Tables: `TableObject` in a store, [`Table`] as its handle.
//!
//! Elements are references in slot form: a funcref is the address of a [`VmFunc`](crate::vm::VmFunc), and null is 0.
//!
//! Invariants: [`VmTable`] always describes the vector. Every element is null or a reference of the table's element
//! type. The size never shrinks ([spec](https://webassembly.github.io/spec/core/exec/runtime.html#table-instances)).

use wasmr_core::count::Count;
use wasmr_core::subtype::heap_top;
use wasmr_core::types::{HeapType, TableType, ValType};

use crate::context::{AsContext, AsContextMut};
use crate::handle::Handle;
use crate::host_error::stop_from;
use crate::limits::ResourceError;
use crate::slots::filled;
use crate::store::StoreInner;
use crate::value::{TypeMismatch, Val};
use crate::vm::VmTable;

#[derive(Debug)]
#[repr(C)]
pub(crate) struct TableObject {
    /// First field, so that the address of the object is also that of its `VmTable`.
    pub(crate) vm: VmTable,
    elements: Vec<u64>,
    ty: TableType,
    /// True if elements may be exceptions or host references.
    collectable: bool,
}

impl TableObject {
    /// Creates a table of its minimal size, filled with `init`.
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

    /// Returns the current number of elements.
    pub(crate) fn size(&self) -> u64 {
        self.elements.len() as u64
    }

    /// Returns the type with the current size as its minimum, which an [import is matched
    /// against](https://webassembly.github.io/spec/core/exec/modules.html#instantiation).
    pub(crate) fn current_type(&self) -> TableType {
        let mut ty = self.ty;
        ty.limits.min = self.size();
        ty
    }

    pub(crate) fn elements_mut(&mut self) -> &mut [u64] {
        &mut self.elements
    }

    /// Returns the elements if the collector must see them, else nothing.
    pub(crate) fn collectable_slots(&self) -> &[u64] {
        if self.collectable { &self.elements } else { &[] }
    }

    fn may_grow_to(&self, delta: u64) -> bool {
        let most = if self.ty.is64 { u64::MAX } else { u64::from(u32::MAX) };
        let max = self.ty.limits.max.unwrap_or(most).min(most);
        self.size().checked_add(delta).is_some_and(|after| after <= max)
    }
}

/// Grows a table by `delta` elements of `value`. Returns the size before, or `None` with nothing changed.
///
/// # Safety
/// `table` is a table of `store`, no reference to it is in use, and `value` is of its element type.
pub(crate) unsafe fn grow(store: &mut StoreInner, table: *mut TableObject, delta: u64, value: u64) -> Option<u64> {
    // SAFETY: the caller promises a table of `store`, hence alive, to which no other reference is in use.
    let table = unsafe { &mut *table };
    let before = table.size();
    if !table.may_grow_to(delta) || !store.take_elements(delta) {
        return None;
    }
    // The store has granted `delta`, so it fits a `usize`, and so does the sum.
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

/// A table in a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Table(pub(crate) Handle<TableObject>);

/// The error of a host's use of a table.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// The index is outside of the table.
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
    /// The table's type, the store's limits or the system refuse the growth.
    #[error("the table cannot grow by {}", Count(*.delta, "element"))]
    Grow {
        /// Elements that were to be added.
        delta: u64,
    },
    /// The store's limit or the system refuses a new table.
    #[error(transparent)]
    Resource(#[from] ResourceError),
}

stop_from! { TableError }

impl Table {
    /// Creates a table of the host, with every element `init`.
    ///
    /// # Errors
    /// If `init` is not of the element type, or the store's limit or the system refuses the table.
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

    /// Returns the type that the table was created with.
    pub fn ty(&self, store: impl AsContext) -> TableType {
        self.0.get(store.as_context().inner()).ty
    }

    /// Returns the current number of elements.
    pub fn size(&self, store: impl AsContext) -> u64 {
        self.0.get(store.as_context().inner()).size()
    }

    /// Returns an element; `None` if the index is outside.
    pub fn get(&self, mut store: impl AsContextMut, index: u64) -> Option<Val> {
        let mut context = store.as_context_mut();
        let store = context.inner_mut();
        let table = self.0.get(store);
        let (slot, element) = (*table.elements.get(usize::try_from(index).ok()?)?, table.ty.element);
        // SAFETY: elements are of the element type and of this store, by the module's invariant.
        Some(unsafe { Val::from_ref_slot(store, element, slot) })
    }

    /// Sets an element.
    ///
    /// # Errors
    /// If the index is outside, or the value is not of the element type.
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

    /// Grows the table by `delta` elements of `value`. Returns the size before.
    ///
    /// # Errors
    /// If `value` is not of the element type, or the table's type, the store's limits or the system refuse.
    pub fn grow(&self, mut store: impl AsContextMut, delta: u64, value: Val) -> Result<u64, TableError> {
        let mut context = store.as_context_mut();
        let store = context.inner_mut();
        let slot = value.to_ref_slot(store, self.0.get(store).ty.element)?;
        // SAFETY: a table of this store, as `get` checked, exclusively borrowed. `to_ref_slot` found the slot of its
        // element type.
        unsafe { grow(store, self.0.as_ptr(), delta, slot) }.ok_or(TableError::Grow { delta })
    }
}
