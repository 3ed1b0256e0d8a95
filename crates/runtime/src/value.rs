//! [`Val`]: a value with its type, as the embedder sees it, and its conversion to and from slots.
//!
//! Slots are the untyped form of values in code ([`wasmr_core::value`]). This file checks each value of the host before it
//! becomes a slot: its type, and the store of a reference.

use std::fmt;
use std::sync::Arc;

use wasmr_core::registry::TypeRegistry;
use wasmr_core::subtype::{heap_matches, heap_top};
use wasmr_core::type_text::val_type_text;
use wasmr_core::types::{HeapType, RefType, ValType};
use wasmr_core::value::V128;

use crate::array_ref::ArrayRef;
use crate::exception::ExnRef;
use crate::func::Func;
use crate::handle::{StoreId, check_store};
use crate::host_error::stop_from;
use crate::reference::{AnyRef, EqRef, ExternRef, heap_type_of};
use crate::rooted::Rooted;
use crate::store::StoreInner;
use crate::struct_ref::StructRef;
use crate::vm::VmGlobal;

/// A value of any type. Two values are equal if their bits are.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Val {
    /// `i32`.
    I32(i32),
    /// `i64`.
    I64(i64),
    /// `f32`, as bits, because moving a signalling NaN through a Rust float may change it.
    F32(u32),
    /// `f64`, as bits.
    F64(u64),
    /// `v128`.
    V128(V128),
    /// A reference to a function, or null.
    FuncRef(Option<Func>),
    /// A reference to a value of the host, or null.
    ExternRef(Option<Rooted<ExternRef>>),
    /// A reference to an exception, or null.
    ExnRef(Option<Rooted<ExnRef>>),
    /// A reference of the `any` hierarchy, or null.
    AnyRef(Option<Rooted<AnyRef>>),
}

/// Writes numbers in decimal, and a NaN with its bits.
impl fmt::Debug for Val {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Val::I32(value) => write!(f, "I32({value})"),
            Val::I64(value) => write!(f, "I64({value})"),
            Val::F32(bits) if f32::from_bits(*bits).is_nan() => write!(f, "F32(NaN {bits:#x})"),
            Val::F32(bits) => write!(f, "F32({:?})", f32::from_bits(*bits)),
            Val::F64(bits) if f64::from_bits(*bits).is_nan() => write!(f, "F64(NaN {bits:#x})"),
            Val::F64(bits) => write!(f, "F64({:?})", f64::from_bits(*bits)),
            Val::V128(vector) => write!(f, "V128({:#034x})", vector.to_u128()),
            Val::FuncRef(reference) => reference_text(f, "FuncRef", reference),
            Val::ExternRef(reference) => reference_text(f, "ExternRef", reference),
            Val::ExnRef(reference) => reference_text(f, "ExnRef", reference),
            Val::AnyRef(reference) => reference_text(f, "AnyRef", reference),
        }
    }
}

fn reference_text<R: fmt::Debug>(f: &mut fmt::Formatter<'_>, kind: &str, reference: &Option<R>) -> fmt::Result {
    match reference {
        Some(reference) => reference.fmt(f),
        None => write!(f, "{kind}(null)"),
    }
}

/// The error of a value of the host that is not of the required type.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a value of type {expected}, found {found}")]
pub struct TypeMismatch {
    /// Required type, as text.
    pub expected: String,
    /// Type of the value, as text.
    pub found: String,
}

stop_from! { TypeMismatch }

impl Val {
    /// Returns the null reference of a type's hierarchy.
    pub fn null(registry: &TypeRegistry, heap: HeapType) -> Val {
        match heap_top(registry, heap) {
            HeapType::Func => Val::FuncRef(None),
            HeapType::Extern => Val::ExternRef(None),
            HeapType::Exn => Val::ExnRef(None),
            _ => Val::AnyRef(None),
        }
    }

    /// Returns zero or null, if the type has such a value.
    pub fn default_for(registry: &TypeRegistry, ty: ValType) -> Option<Val> {
        Some(match ty {
            ValType::I32 => Val::I32(0),
            ValType::I64 => Val::I64(0),
            ValType::F32 => Val::F32(0),
            ValType::F64 => Val::F64(0),
            ValType::V128 => Val::V128(V128::default()),
            ValType::Ref(ty) if ty.nullable => Val::null(registry, ty.heap),
            ValType::Ref(_) => return None,
        })
    }

    /// Returns the value, if it is an `i32`.
    pub fn i32(&self) -> Option<i32> {
        if let Val::I32(value) = *self { Some(value) } else { None }
    }

    /// Returns the value, if it is an `i64`.
    pub fn i64(&self) -> Option<i64> {
        if let Val::I64(value) = *self { Some(value) } else { None }
    }

    /// Returns the value, if it is an `f32`.
    pub fn f32(&self) -> Option<f32> {
        if let Val::F32(bits) = *self { Some(f32::from_bits(bits)) } else { None }
    }

    /// Returns the value, if it is an `f64`.
    pub fn f64(&self) -> Option<f64> {
        if let Val::F64(bits) = *self { Some(f64::from_bits(bits)) } else { None }
    }

    /// Returns the store of a reference.
    fn store_id(&self) -> Option<StoreId> {
        match self {
            Val::FuncRef(Some(func)) => Some(func.store_id()),
            Val::ExternRef(Some(reference)) => Some(reference.store_id()),
            Val::ExnRef(Some(reference)) => Some(reference.store_id()),
            Val::AnyRef(Some(reference)) => Some(reference.store_id()),
            _ => None,
        }
    }

    /// Returns true if the value is of type `expected`.
    ///
    /// # Panics
    /// If the value is a reference of another store.
    #[track_caller]
    pub(crate) fn matches(&self, store: &StoreInner, expected: ValType) -> bool {
        if let Some(id) = self.store_id() {
            check_store(id, store);
        }
        let registry: &Arc<TypeRegistry> = store.registry();
        let heap = match *self {
            Val::I32(_) => return expected == ValType::I32,
            Val::I64(_) => return expected == ValType::I64,
            Val::F32(_) => return expected == ValType::F32,
            Val::F64(_) => return expected == ValType::F64,
            Val::V128(_) => return expected == ValType::V128,
            Val::FuncRef(Some(func)) => Some(HeapType::Concrete(func.type_id(store))),
            // A reference whose scope has ended is of no type.
            Val::ExternRef(Some(reference)) => {
                if reference.slot(store).is_err() {
                    return false;
                }
                Some(HeapType::Extern)
            }
            Val::ExnRef(Some(reference)) => {
                if reference.slot(store).is_err() {
                    return false;
                }
                Some(HeapType::Exn)
            }
            Val::AnyRef(Some(reference)) => match reference.slot(store) {
                Ok(reference) => Some(heap_type_of(store, reference)),
                Err(_) => return false,
            },
            Val::FuncRef(None) | Val::ExternRef(None) | Val::ExnRef(None) | Val::AnyRef(None) => None,
        };
        let ValType::Ref(expected) = expected else { return false };
        match heap {
            Some(heap) => heap_matches(registry, heap, expected.heap),
            None => expected.nullable && Val::null(registry, expected.heap) == *self,
        }
    }

    /// Writes the value into the first of `slots`, as a value of type `expected`.
    #[track_caller]
    pub(crate) fn to_slots(self, store: &StoreInner, expected: ValType, slots: &mut [u64]) -> Result<(), TypeMismatch> {
        if !self.matches(store, expected) {
            return Err(self.mismatch(store, expected));
        }
        slots[0] = match self {
            Val::I32(value) => u64::from(value as u32),
            Val::I64(value) => value as u64,
            Val::F32(bits) => u64::from(bits),
            Val::F64(bits) => bits,
            Val::V128(vector) => {
                let [low, high] = vector.to_slots();
                slots[1] = high;
                low
            }
            Val::FuncRef(func) => func.map_or(0, |func| func.as_slot()),
            Val::ExternRef(Some(reference)) => reference.slot(store).unwrap_or(0),
            Val::ExnRef(Some(reference)) => reference.slot(store).unwrap_or(0),
            Val::AnyRef(Some(reference)) => reference.slot(store).unwrap_or(0),
            Val::ExternRef(None) | Val::ExnRef(None) | Val::AnyRef(None) => 0,
        };
        Ok(())
    }

    fn mismatch(&self, store: &StoreInner, expected: ValType) -> TypeMismatch {
        let registry = store.registry();
        let found = match *self {
            Val::I32(_) => "i32".into(),
            Val::I64(_) => "i64".into(),
            Val::F32(_) => "f32".into(),
            Val::F64(_) => "f64".into(),
            Val::V128(_) => "v128".into(),
            Val::FuncRef(Some(func)) => {
                let heap = HeapType::Concrete(func.type_id(store));
                val_type_text(registry, ValType::Ref(RefType { nullable: false, heap }))
            }
            Val::ExternRef(Some(reference)) if reference.slot(store).is_err() => UNROOTED.into(),
            Val::ExnRef(Some(reference)) if reference.slot(store).is_err() => UNROOTED.into(),
            Val::ExternRef(Some(_)) => "(ref extern)".into(),
            Val::ExnRef(Some(_)) => "(ref exn)".into(),
            Val::AnyRef(Some(reference)) => match reference.slot(store) {
                Err(_) => UNROOTED.into(),
                Ok(reference) => {
                    let heap = heap_type_of(store, reference);
                    val_type_text(registry, ValType::Ref(RefType { nullable: false, heap }))
                }
            },
            Val::FuncRef(None) => "nullfuncref".into(),
            Val::ExternRef(None) => "nullexternref".into(),
            Val::ExnRef(None) => "nullexnref".into(),
            Val::AnyRef(None) => "nullref".into(),
        };
        TypeMismatch { expected: val_type_text(registry, expected), found }
    }

    /// Returns the value as a slot of the reference type `expected`.
    #[track_caller]
    pub(crate) fn to_ref_slot(self, store: &StoreInner, expected: RefType) -> Result<u64, TypeMismatch> {
        let mut slots = [0; 2];
        self.to_slots(store, ValType::Ref(expected), &mut slots)?;
        Ok(slots[0])
    }

    /// Returns the value as the contents of a global of type `expected`.
    #[track_caller]
    pub(crate) fn to_global(self, store: &StoreInner, expected: ValType) -> Result<VmGlobal, TypeMismatch> {
        let mut value = [0; 2];
        self.to_slots(store, expected, &mut value)?;
        Ok(VmGlobal { value })
    }

    /// Returns the value of type `ty` in the first of `slots`. References to collected objects become handles of the current
    /// handle scope.
    ///
    /// # Safety
    /// The slots have a value of that type, of this store.
    pub(crate) unsafe fn from_slots(store: &mut StoreInner, ty: ValType, slots: &[u64]) -> Val {
        let word = slots[0];
        match ty {
            ValType::I32 => Val::I32(word as u32 as i32),
            ValType::I64 => Val::I64(word as i64),
            ValType::F32 => Val::F32(word as u32),
            ValType::F64 => Val::F64(word),
            ValType::V128 => Val::V128(V128::from_slots([word, slots[1]])),
            // SAFETY: the caller promises a reference of type `ty`, of this store.
            ValType::Ref(ty) => unsafe { Val::from_ref_slot(store, ty, word) },
        }
    }

    /// Returns the reference of type `ty` in a slot.
    ///
    /// # Safety
    /// The slot has a value of that type, of this store.
    pub(crate) unsafe fn from_ref_slot(store: &mut StoreInner, ty: RefType, word: u64) -> Val {
        match heap_top(store.registry(), ty.heap) {
            // SAFETY: the caller promises a reference of type `ty`, which here is null or a function of this store.
            HeapType::Func => Val::FuncRef(unsafe { Func::from_slot(store, word) }),
            HeapType::Extern => Val::ExternRef(Rooted::from_slot(store, word)),
            HeapType::Exn => Val::ExnRef(Rooted::from_slot(store, word)),
            _ => Val::AnyRef(Rooted::from_slot(store, word)),
        }
    }
}

/// The type of a reference whose handle scope has ended, in messages.
const UNROOTED: &str = "a reference whose handle scope has ended";

impl From<i32> for Val {
    fn from(value: i32) -> Val {
        Val::I32(value)
    }
}

impl From<i64> for Val {
    fn from(value: i64) -> Val {
        Val::I64(value)
    }
}

impl From<f32> for Val {
    fn from(value: f32) -> Val {
        Val::F32(value.to_bits())
    }
}

impl From<f64> for Val {
    fn from(value: f64) -> Val {
        Val::F64(value.to_bits())
    }
}

impl From<V128> for Val {
    fn from(value: V128) -> Val {
        Val::V128(value)
    }
}

impl From<Func> for Val {
    fn from(value: Func) -> Val {
        Val::FuncRef(Some(value))
    }
}

/// Implements `From` for the kinds of references: `kind: variant`.
macro_rules! from_rooted {
    ($($kind:ident: $variant:ident;)*) => {$(
        impl From<Rooted<$kind>> for Val {
            fn from(value: Rooted<$kind>) -> Val {
                Val::$variant(Some(value.cast()))
            }
        }

        impl From<Option<Rooted<$kind>>> for Val {
            fn from(value: Option<Rooted<$kind>>) -> Val {
                Val::$variant(value.map(Rooted::cast))
            }
        }
    )*};
}

from_rooted! {
    ExternRef: ExternRef;
    ExnRef: ExnRef;
    AnyRef: AnyRef;
    EqRef: AnyRef;
    StructRef: AnyRef;
    ArrayRef: AnyRef;
}
