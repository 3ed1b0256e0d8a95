//! [`StructRef`]: structs as the embedder makes, reads and writes them.

use wasmr_core::layout::{Layout, StructLayout};

use crate::context::{AsContext, AsContextMut};
use crate::limits::ResourceError;
use crate::object_type::{ObjectError, ObjectType, PreparedType, StructType};
use crate::objects::{NewObject, read_field, write_field};
use crate::rooted::{Rooted, Unrooted, gc_refs};
use crate::value::Val;

gc_refs! {
    /// A struct.
    ///
    /// # Examples
    /// ```
    /// use wasmr::{Engine, Instance, Module, Rooted, Store, StructRef, StructRefPre, StructType, Val};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let engine = Engine::default();
    /// let module = Module::new(&engine, r#"(module
    ///     (type $point (struct (field (mut i32)) (field (mut i32))))
    ///     (func (export "point") (param i32 i32) (result (ref $point))
    ///         (struct.new $point (local.get 0) (local.get 1)))
    ///     (func (export "x") (param (ref $point)) (result i32)
    ///         (struct.get $point 0 (local.get 0))))"#)?;
    /// let mut store = Store::new(&engine, ());
    /// let instance = Instance::new(&mut store, &module, &[])?;
    ///
    /// // The host reads and writes a struct of the guest.
    /// let point = instance.get_typed_func::<(i32, i32), Rooted<StructRef>>(&store, "point")?;
    /// let point = point.call(&mut store, (3, 4))?;
    /// assert_eq!(point.fields(&mut store)?, [Val::I32(3), Val::I32(4)]);
    /// point.set_field(&mut store, 0, Val::I32(5))?;
    ///
    /// // The guest reads a struct of the host.
    /// let ty: StructType = point.ty(&store)?;
    /// let pre = StructRefPre::new(&mut store, &ty)?;
    /// let other = StructRef::new(&mut store, &pre, &[Val::I32(7), Val::I32(8)])?;
    /// let x = instance.get_func(&store, "x").unwrap();
    /// let mut results = [Val::I32(0)];
    /// x.call(&mut store, &[other.into()], &mut results)?;
    /// assert_eq!(results, [Val::I32(7)]);
    /// # Ok(())
    /// # }
    /// ```
    StructRef = Struct;
}

/// A struct type that is prepared for the allocation of structs in a store.
#[derive(Clone, Debug)]
pub struct StructRefPre(PreparedType);

impl StructRefPre {
    /// Prepares a type. The store keeps the type alive.
    ///
    /// # Errors
    /// If the heap is full.
    ///
    /// # Panics
    /// If the type is of another engine.
    pub fn new(store: impl AsContextMut, ty: &StructType) -> Result<StructRefPre, ResourceError> {
        PreparedType::new(store, ty.registry(), ty.id()).map(StructRefPre)
    }
}

impl StructRef {
    /// Makes a struct of the values of its fields. A packed field takes the low bits of an `i32`. May collect.
    ///
    /// # Errors
    /// If the values do not fit the type, or the heap is full.
    ///
    /// # Panics
    /// If the type was prepared for another store, or a value is of another store.
    pub fn new(
        mut store: impl AsContextMut,
        pre: &StructRefPre,
        fields: &[Val],
    ) -> Result<Rooted<StructRef>, ObjectError> {
        let context = store.as_context_mut();
        let inner = context.inner();
        pre.0.check_store(inner);
        let layout = struct_layout(&pre.0.ty);
        if fields.len() != layout.fields.len() {
            return Err(ObjectError::Count { expected: layout.fields.len(), found: fields.len() });
        }
        let mut slots = vec![0; layout.slots];
        let mut at = 0;
        for (&value, field) in fields.iter().zip(&layout.fields) {
            value.to_slots(inner, field.ty, &mut slots[at..])?;
            at += field.stored.slots();
        }
        pre.0.allocate(context, NewObject::Struct(layout, &slots), &slots)
    }
}

/// Access to a struct. Each method fails if the reference's handle scope has ended, and panics if the reference is of another
/// store.
impl Rooted<StructRef> {
    /// Returns the struct's type.
    pub fn ty(&self, store: impl AsContext) -> Result<StructType, Unrooted> {
        let context = store.as_context();
        let store = context.inner();
        let (_, id) = store.heap.kind(self.slot(store)?).expect("the object is a struct");
        Ok(StructType::from_id(store.registry(), id).expect("the object is a struct"))
    }

    /// Returns the value of a field, zero-extended if the field is packed.
    ///
    /// # Errors
    /// If there is no such field.
    pub fn field(&self, mut store: impl AsContextMut, index: usize) -> Result<Val, ObjectError> {
        let mut context = store.as_context_mut();
        let store = context.inner_mut();
        let (object, ty) = self.object(store)?;
        let layout = struct_layout(&ty);
        let field = layout.fields.get(index).ok_or_else(|| no_field(layout, index))?;
        let slots = read_field(&store.heap, object + field.offset, field.stored);
        // SAFETY: the struct is of this store and has a value of the field's type there.
        Ok(unsafe { Val::from_slots(store, field.ty, &slots) })
    }

    /// Returns the values of all fields.
    pub fn fields(&self, mut store: impl AsContextMut) -> Result<Vec<Val>, Unrooted> {
        let mut context = store.as_context_mut();
        let store = context.inner_mut();
        let (object, ty) = self.object(store)?;
        let values = struct_layout(&ty).fields.iter().map(|field| {
            let slots = read_field(&store.heap, object + field.offset, field.stored);
            // SAFETY: the struct is of this store and has a value of the field's type there.
            unsafe { Val::from_slots(store, field.ty, &slots) }
        });
        Ok(values.collect())
    }

    /// Sets a field. A packed field takes the low bits of an `i32`.
    ///
    /// # Errors
    /// If there is no such field, it is immutable, or the value is not of its type.
    pub fn set_field(&self, mut store: impl AsContextMut, index: usize, value: Val) -> Result<(), ObjectError> {
        let mut context = store.as_context_mut();
        let store = context.inner_mut();
        let (object, ty) = self.object(store)?;
        let layout = struct_layout(&ty);
        let field = layout.fields.get(index).ok_or_else(|| no_field(layout, index))?;
        if !ty.is_mutable(index) {
            return Err(ObjectError::Immutable("field"));
        }
        let mut slots = [0; 2];
        value.to_slots(store, field.ty, &mut slots)?;
        write_field(&mut store.heap, object + field.offset, field.stored, &slots);
        Ok(())
    }
}

fn no_field(layout: &StructLayout, index: usize) -> ObjectError {
    ObjectError::OutOfBounds { index: index as u64, len: layout.fields.len() as u64 }
}

fn struct_layout(ty: &ObjectType) -> &StructLayout {
    match &ty.layout {
        Layout::Struct(layout) => layout,
        Layout::Array(_) => unreachable!("the type is one of structs"),
    }
}
