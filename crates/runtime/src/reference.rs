//! The kinds of references to collected objects, conversions between them, and unboxed integers.
//!
//! [`Rooted`] names an object; the types here say of which kind it is. Structs and arrays are in `struct_ref` and `array_ref`,
//! exceptions in `exception`.

use std::any::Any;

use wasmr_core::subtype::heap_matches;
use wasmr_core::types::HeapType;

use crate::array_ref::ArrayRef;
use crate::context::{AsContext, AsContextMut};
use crate::limits::ResourceError;
use crate::rooted::{GcRef, Rooted, Unrooted, gc_refs};
use crate::store::StoreInner;
use crate::struct_ref::StructRef;
use crate::vm_gc::{Kind, i31_get_s, i31_get_u, i31_new, is_i31};

gc_refs! {
    /// A value of the host, which the guest can keep and return but not inspect; or a reference of the `any` hierarchy that
    /// `extern.convert_any` made a member of this hierarchy.
    ExternRef = Extern;
    /// A struct, an array, an unboxed integer, or a value of the host that `any.convert_extern` made a member of this hierarchy.
    AnyRef = Any;
    /// A struct, an array or an unboxed integer: a reference that `ref.eq` can compare.
    EqRef = Eq;
}

impl ExternRef {
    /// Moves a value into the store's heap. The value is dropped after it became unreachable, at the latest with the store. A
    /// panic of its destructor ends there.
    ///
    /// # Errors
    /// If the heap is full.
    pub fn new(
        mut store: impl AsContextMut,
        value: impl Any + Send + Sync + 'static,
    ) -> Result<Rooted<ExternRef>, ResourceError> {
        let mut context = store.as_context_mut();
        let made = context.inner_mut().new_host_value(Box::new(value));
        context.drop_freed();
        let store = context.inner_mut();
        Ok(Rooted::from_object(store, made?))
    }

    /// Returns the reference in this hierarchy: `extern.convert_any`.
    ///
    /// # Errors
    /// If its handle scope has ended.
    pub fn convert_any(mut store: impl AsContextMut, reference: Rooted<AnyRef>) -> Result<Rooted<ExternRef>, Unrooted> {
        reference.slot(store.as_context_mut().inner())?;
        Ok(reference.cast())
    }
}

impl Rooted<ExternRef> {
    /// Returns the value; `None` if the reference's handle scope has ended, or if it is no value of the host.
    pub fn data<'a, C: AsContext>(&self, store: &'a C) -> Option<&'a (dyn Any + Send + Sync)> {
        let store = store.as_context();
        let store = store.inner();
        store.heap.host_value(self.slot(store).ok()?)
    }
}

impl AnyRef {
    /// Returns the reference in this hierarchy: `any.convert_extern`.
    ///
    /// # Errors
    /// If its handle scope has ended.
    pub fn convert_extern(
        mut store: impl AsContextMut,
        reference: Rooted<ExternRef>,
    ) -> Result<Rooted<AnyRef>, Unrooted> {
        reference.slot(store.as_context_mut().inner())?;
        Ok(reference.cast())
    }

    /// Returns a reference to an unboxed integer: `ref.i31`.
    pub fn from_i31(mut store: impl AsContextMut, value: I31) -> Rooted<AnyRef> {
        Rooted::from_object(store.as_context_mut().inner_mut(), value.slot())
    }
}

impl EqRef {
    /// Returns a reference to an unboxed integer: `ref.i31`.
    pub fn from_i31(mut store: impl AsContextMut, value: I31) -> Rooted<EqRef> {
        Rooted::from_object(store.as_context_mut().inner_mut(), value.slot())
    }
}

/// A kind of references of the `any` hierarchy.
pub trait InAny: GcRef {}

impl InAny for AnyRef {}
impl InAny for EqRef {}
impl InAny for StructRef {}
impl InAny for ArrayRef {}

/// Tests and conversions. Each fails if the reference's handle scope has ended, and panics if the reference is of another store.
impl<T: InAny> Rooted<T> {
    /// Returns the reference as an `anyref`.
    pub fn to_anyref(self) -> Rooted<AnyRef> {
        self.cast()
    }

    /// Returns true if the reference is of a heap type: `ref.test`.
    pub fn matches_ty(&self, store: impl AsContext, ty: HeapType) -> Result<bool, Unrooted> {
        let context = store.as_context();
        let store = context.inner();
        Ok(heap_matches(store.registry(), heap_type_of(store, self.slot(store)?), ty))
    }

    /// Returns true if the reference is an unboxed integer.
    pub fn is_i31(&self, store: impl AsContext) -> Result<bool, Unrooted> {
        Ok(is_i31(self.slot(store.as_context().inner())?))
    }

    /// Returns true if the reference is a struct.
    pub fn is_struct(&self, store: impl AsContext) -> Result<bool, Unrooted> {
        Ok(self.kind(store)? == Some(Kind::STRUCT))
    }

    /// Returns true if the reference is an array.
    pub fn is_array(&self, store: impl AsContext) -> Result<bool, Unrooted> {
        Ok(self.kind(store)? == Some(Kind::ARRAY))
    }

    /// Returns true if `ref.eq` can compare the reference: it is an unboxed integer, a struct or an array.
    pub fn is_eqref(&self, store: impl AsContext) -> Result<bool, Unrooted> {
        Ok(self.kind(store)?.is_none_or(|kind| kind <= Kind::ARRAY))
    }

    /// Returns the integer, if the reference is an unboxed one.
    pub fn as_i31(&self, store: impl AsContext) -> Result<Option<I31>, Unrooted> {
        let slot = self.slot(store.as_context().inner())?;
        Ok(is_i31(slot).then(|| I31::from_slot(slot)))
    }

    /// Returns the reference as a struct, if it is one.
    pub fn as_struct(&self, store: impl AsContext) -> Result<Option<Rooted<StructRef>>, Unrooted> {
        Ok(self.is_struct(store)?.then(|| self.cast()))
    }

    /// Returns the reference as an array, if it is one.
    pub fn as_array(&self, store: impl AsContext) -> Result<Option<Rooted<ArrayRef>>, Unrooted> {
        Ok(self.is_array(store)?.then(|| self.cast()))
    }

    /// Returns the reference as an `eqref`, if `ref.eq` can compare it.
    pub fn as_eqref(&self, store: impl AsContext) -> Result<Option<Rooted<EqRef>>, Unrooted> {
        Ok(self.is_eqref(store)?.then(|| self.cast()))
    }

    /// Returns the integer.
    ///
    /// # Panics
    /// If the reference is no unboxed integer.
    #[track_caller]
    pub fn unwrap_i31(&self, store: impl AsContext) -> Result<I31, Unrooted> {
        Ok(self.as_i31(store)?.expect("the reference is an unboxed integer"))
    }

    /// Returns the reference as a struct.
    ///
    /// # Panics
    /// If it is no struct.
    #[track_caller]
    pub fn unwrap_struct(&self, store: impl AsContext) -> Result<Rooted<StructRef>, Unrooted> {
        Ok(self.as_struct(store)?.expect("the reference is a struct"))
    }

    /// Returns the reference as an array.
    ///
    /// # Panics
    /// If it is no array.
    #[track_caller]
    pub fn unwrap_array(&self, store: impl AsContext) -> Result<Rooted<ArrayRef>, Unrooted> {
        Ok(self.as_array(store)?.expect("the reference is an array"))
    }

    /// Returns the kind of the object; `None` for an unboxed integer.
    fn kind(&self, store: impl AsContext) -> Result<Option<Kind>, Unrooted> {
        let context = store.as_context();
        let store = context.inner();
        Ok(store.heap.kind(self.slot(store)?).map(|(kind, _)| kind))
    }
}

impl Rooted<StructRef> {
    /// Returns the reference as an `eqref`.
    pub fn to_eqref(self) -> Rooted<EqRef> {
        self.cast()
    }
}

impl Rooted<ArrayRef> {
    /// Returns the reference as an `eqref`.
    pub fn to_eqref(self) -> Rooted<EqRef> {
        self.cast()
    }
}

/// Returns the type of a value of the `any` hierarchy that is not null.
pub(crate) fn heap_type_of(store: &StoreInner, reference: u64) -> HeapType {
    match store.heap.kind(reference) {
        None => HeapType::I31,
        Some((Kind::STRUCT | Kind::ARRAY, type_id)) => HeapType::Concrete(type_id),
        Some(_) => HeapType::Any,
    }
}

/// An unboxed 31-bit integer.
///
/// # Examples
/// ```
/// use wasmr::I31;
///
/// assert_eq!(I31::wrapping_i32(-1).get_u32(), 0x7fff_ffff);
/// assert_eq!(I31::new_u32(1 << 31), None);
/// assert_eq!(I31::new_i32(-5).map(I31::get_i32), Some(-5));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct I31(u32);

impl I31 {
    /// Returns the integer; `None` if it does not fit in 31 bits, unsigned.
    pub const fn new_u32(value: u32) -> Option<I31> {
        if value >> 31 == 0 { Some(I31(value)) } else { None }
    }

    /// Returns the integer; `None` if it does not fit in 31 bits, signed.
    pub const fn new_i32(value: i32) -> Option<I31> {
        let integer = I31::wrapping_i32(value);
        if integer.get_i32() == value { Some(integer) } else { None }
    }

    /// Returns the low 31 bits of `value`: `ref.i31`.
    pub const fn wrapping_u32(value: u32) -> I31 {
        I31(value & (u32::MAX >> 1))
    }

    /// Returns the low 31 bits of `value`: `ref.i31`.
    pub const fn wrapping_i32(value: i32) -> I31 {
        I31::wrapping_u32(value as u32)
    }

    /// Returns the zero-extended value: `i31.get_u`.
    pub const fn get_u32(self) -> u32 {
        self.0
    }

    /// Returns the sign-extended value: `i31.get_s`.
    pub const fn get_i32(self) -> i32 {
        i31_get_s(i31_new(self.0))
    }

    pub(crate) fn slot(self) -> u64 {
        i31_new(self.0)
    }

    pub(crate) fn from_slot(slot: u64) -> I31 {
        I31(i31_get_u(slot))
    }
}
