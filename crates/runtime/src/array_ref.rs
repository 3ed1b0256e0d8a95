//! [`ArrayRef`]: arrays as the embedder makes, reads and writes them.

use wasmr_core::layout::{Field, HEADER, Layout, Stored};

use crate::context::{AsContext, AsContextMut};
use crate::limits::ResourceError;
use crate::object_type::{ArrayType, ObjectError, ObjectType, PreparedType};
use crate::objects::{NewObject, fill, read_field, write_field};
use crate::rooted::{Rooted, Unrooted, gc_refs};
use crate::store::StoreInner;
use crate::value::Val;

gc_refs! {
    /// An array.
    ///
    /// # Examples
    /// ```
    /// use wasmr::{ArrayRef, ArrayRefPre, ArrayType, Engine, FieldType, StorageType, Store, Val};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let engine = Engine::default();
    /// let mut store = Store::new(&engine, ());
    /// let ty = ArrayType::new(engine.types(), FieldType { storage: StorageType::I8, mutable: true })?;
    /// let pre = ArrayRefPre::new(&mut store, &ty)?;
    ///
    /// // Strings of many languages are arrays of bytes.
    /// let text = ArrayRef::from_bytes(&mut store, &pre, b"hello")?;
    /// text.set(&mut store, 0, Val::I32(b'j'.into()))?;
    /// assert_eq!(text.bytes(&store)?, b"jello");
    ///
    /// let zeros = ArrayRef::new(&mut store, &pre, &Val::I32(0), 1000)?;
    /// assert_eq!(zeros.len(&store)?, 1000);
    /// assert!(zeros.get(&mut store, 1000).is_err());
    /// # Ok(())
    /// # }
    /// ```
    ArrayRef = Array;
}

/// An array type that is prepared for the allocation of arrays in a store.
#[derive(Clone, Debug)]
pub struct ArrayRefPre(PreparedType);

impl ArrayRefPre {
    /// Prepares a type. The store keeps the type alive.
    ///
    /// # Errors
    /// If the heap is full.
    ///
    /// # Panics
    /// If the type is of another engine.
    pub fn new(store: impl AsContextMut, ty: &ArrayType) -> Result<ArrayRefPre, ResourceError> {
        PreparedType::new(store, ty.registry(), ty.id()).map(ArrayRefPre)
    }
}

/// Each function may collect. Each fails if the values do not fit the type, or the heap is full, and panics if the type was
/// prepared for another store, or a value is of another store.
impl ArrayRef {
    /// Makes an array of `len` copies of a value.
    pub fn new(
        mut store: impl AsContextMut,
        pre: &ArrayRefPre,
        value: &Val,
        len: u32,
    ) -> Result<Rooted<ArrayRef>, ObjectError> {
        let element = element(&pre.0.ty);
        let mut slots = [0; 2];
        value.to_slots(store.as_context_mut().inner(), element.ty, &mut slots)?;
        let slots = &slots[..element.stored.slots()];
        allocate(store, pre, NewObject::ArrayOf(element.stored, slots, len), slots)
    }

    /// Makes an array of these values.
    pub fn new_fixed(
        mut store: impl AsContextMut,
        pre: &ArrayRefPre,
        values: &[Val],
    ) -> Result<Rooted<ArrayRef>, ObjectError> {
        let element = element(&pre.0.ty);
        let step = element.stored.slots();
        let mut slots = vec![0; values.len() * step];
        let context = store.as_context_mut();
        for (value, slots) in values.iter().zip(slots.chunks_exact_mut(step)) {
            value.to_slots(context.inner(), element.ty, slots)?;
        }
        allocate(store, pre, NewObject::ArrayFixed(element.stored, &slots), &slots)
    }

    /// Makes an array of bytes. Fails also if the elements are not of type `i8`.
    pub fn from_bytes(
        mut store: impl AsContextMut,
        pre: &ArrayRefPre,
        bytes: &[u8],
    ) -> Result<Rooted<ArrayRef>, ObjectError> {
        if element(&pre.0.ty).stored != Stored::I8 {
            return Err(ObjectError::NotBytes);
        }
        let len = u32::try_from(bytes.len()).map_err(|_| store.as_context_mut().inner().heap.full())?;
        let array = allocate(&mut store, pre, NewObject::ArrayUnset(Stored::I8, len), &[])?;
        let mut context = store.as_context_mut();
        let at = array.slot(context.inner())? as u32 + HEADER;
        context.inner_mut().heap.bytes_mut(at, bytes.len()).copy_from_slice(bytes);
        Ok(array)
    }
}

fn allocate(
    mut store: impl AsContextMut,
    pre: &ArrayRefPre,
    new: NewObject<'_>,
    roots: &[u64],
) -> Result<Rooted<ArrayRef>, ObjectError> {
    pre.0.check_store(store.as_context_mut().inner());
    pre.0.allocate(store, new, roots)
}

/// Access to an array. Each method fails if the reference's handle scope has ended, and panics if the reference is of another
/// store.
impl Rooted<ArrayRef> {
    /// Returns the array's type.
    pub fn ty(&self, store: impl AsContext) -> Result<ArrayType, Unrooted> {
        let context = store.as_context();
        let store = context.inner();
        let (_, id) = store.heap.kind(self.slot(store)?).expect("the object is an array");
        Ok(ArrayType::from_id(store.registry(), id).expect("the object is an array"))
    }

    /// Returns the number of elements.
    pub fn len(&self, store: impl AsContext) -> Result<u32, Unrooted> {
        let context = store.as_context();
        let store = context.inner();
        Ok(store.heap.len(self.slot(store)? as u32))
    }

    /// Returns an element, zero-extended if the elements are packed.
    ///
    /// # Errors
    /// If there is no such element.
    pub fn get(&self, mut store: impl AsContextMut, index: u32) -> Result<Val, ObjectError> {
        let mut context = store.as_context_mut();
        let store = context.inner_mut();
        let (array, ty) = self.object(store)?;
        let element = element(&ty);
        let at = place(store, array, element, index, 1)?;
        let slots = read_field(&store.heap, at, element.stored);
        // SAFETY: the array is of this store and has a value of the element's type there.
        Ok(unsafe { Val::from_slots(store, element.ty, &slots) })
    }

    /// Returns all elements. For bytes, [`bytes`](Rooted::bytes) is faster.
    pub fn elems(&self, mut store: impl AsContextMut) -> Result<Vec<Val>, Unrooted> {
        let mut context = store.as_context_mut();
        let store = context.inner_mut();
        let (array, ty) = self.object(store)?;
        let element = element(&ty);
        let values = (0..store.heap.len(array)).map(|index| {
            let slots = read_field(&store.heap, array + HEADER + index * element.stored.size(), element.stored);
            // SAFETY: the array is of this store and has a value of the element's type there.
            unsafe { Val::from_slots(store, element.ty, &slots) }
        });
        Ok(values.collect())
    }

    /// Sets an element. A packed element takes the low bits of an `i32`.
    ///
    /// # Errors
    /// If there is no such element, the elements are immutable, or the value is not of their type.
    pub fn set(&self, mut store: impl AsContextMut, index: u32, value: Val) -> Result<(), ObjectError> {
        let mut context = store.as_context_mut();
        let store = context.inner_mut();
        let (at, element) = self.writable(store, index, 1)?;
        let mut slots = [0; 2];
        value.to_slots(store, element.ty, &mut slots)?;
        write_field(&mut store.heap, at, element.stored, &slots);
        Ok(())
    }

    /// Sets `len` elements from `index` on to a value.
    ///
    /// # Errors
    /// As [`set`](Rooted::set).
    pub fn fill(&self, mut store: impl AsContextMut, index: u32, value: Val, len: u32) -> Result<(), ObjectError> {
        let mut context = store.as_context_mut();
        let store = context.inner_mut();
        let (at, element) = self.writable(store, index, len)?;
        let mut slots = [0; 2];
        value.to_slots(store, element.ty, &mut slots)?;
        fill(&mut store.heap, at, element.stored, &slots, len);
        Ok(())
    }

    /// Returns the elements of an array of bytes.
    ///
    /// # Errors
    /// If the elements are not of type `i8`.
    pub fn bytes<'a, C: AsContext>(&self, store: &'a C) -> Result<&'a [u8], ObjectError> {
        let context = store.as_context();
        let store = context.inner();
        let array = self.slot(store)?;
        let (_, id) = store.heap.kind(array).expect("the object is an array");
        let ty = store.registry().sub_type(id);
        match Layout::of(store.registry(), &ty) {
            Some(Layout::Array(Field { stored: Stored::I8, .. })) => {
                let array = array as u32;
                Ok(store.heap.bytes(array + HEADER, store.heap.len(array) as usize))
            }
            _ => Err(ObjectError::NotBytes),
        }
    }

    /// Writes elements of an array of bytes, from `index` on.
    ///
    /// # Errors
    /// If the elements are not of type `i8`, are immutable, or the array has fewer.
    pub fn write_bytes(&self, mut store: impl AsContextMut, index: u32, bytes: &[u8]) -> Result<(), ObjectError> {
        let mut context = store.as_context_mut();
        let store = context.inner_mut();
        let (_, ty) = self.object(store)?;
        if element(&ty).stored != Stored::I8 {
            return Err(ObjectError::NotBytes);
        }
        // No array has as many elements as a longer slice.
        let len = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        let (at, _) = self.writable(store, index, len)?;
        store.heap.bytes_mut(at, bytes.len()).copy_from_slice(bytes);
        Ok(())
    }

    /// Returns the place of `len` elements from `index` on, and the form of an element.
    ///
    /// # Errors
    /// If there are fewer elements, or they are immutable.
    #[track_caller]
    fn writable(&self, store: &mut StoreInner, index: u32, len: u32) -> Result<(u32, Field), ObjectError> {
        let (array, ty) = self.object(store)?;
        let element = element(&ty);
        let at = place(store, array, element, index, len)?;
        if ty.is_mutable(0) { Ok((at, element)) } else { Err(ObjectError::Immutable("array")) }
    }
}

/// Returns the place of `len` elements from `index` on.
fn place(store: &StoreInner, array: u32, element: Field, index: u32, len: u32) -> Result<u32, ObjectError> {
    let actual = store.heap.len(array);
    if u64::from(index) + u64::from(len) > u64::from(actual) {
        // The first index that is out of bounds.
        return Err(ObjectError::OutOfBounds { index: index.max(actual).into(), len: actual.into() });
    }
    Ok(array + HEADER + index * element.stored.size())
}

fn element(ty: &ObjectType) -> Field {
    match &ty.layout {
        Layout::Array(element) => *element,
        Layout::Struct(_) => unreachable!("the type is one of arrays"),
    }
}
