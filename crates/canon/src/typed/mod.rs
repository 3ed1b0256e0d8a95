//! Rust types as component types: [`ComponentType`], [`Lift`] and [`Lower`] for values, and the traits of parameter lists and results.
//!
//! The types are compared once, when a function is linked or looked up. Calls then neither look at types nor make a [`Val`](crate::Val):
//! sizes, offsets and numbers of core values are constants of the Rust types.
//!
//! - `numbers`: numbers, `bool`, `char`.
//! - `sequences`: strings and lists; `lent`: bytes that stay in the guest's memory.
//! - `compound`: options, tuples, references, resources; `result`: results.
//! - `lists`: parameter lists and results of functions.

/// Expands a macro for each tuple that stands for a component type or a parameter list, with the name and the index of each field.
macro_rules! for_each_tuple {
    ($expand:ident) => {
        $expand! { A 0 }
        $expand! { A 0 B 1 }
        $expand! { A 0 B 1 C 2 }
        $expand! { A 0 B 1 C 2 D 3 }
        $expand! { A 0 B 1 C 2 D 3 E 4 }
        $expand! { A 0 B 1 C 2 D 3 E 4 F 5 }
        $expand! { A 0 B 1 C 2 D 3 E 4 F 5 G 6 }
        $expand! { A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7 }
        $expand! { A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7 I 8 }
        $expand! { A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7 I 8 J 9 }
        $expand! { A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7 I 8 J 9 K 10 }
        $expand! { A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7 I 8 J 9 K 10 L 11 }
    };
}

mod compound;
mod lent;
mod lists;
mod numbers;
mod result;
mod sequences;

use wasmr_component::{FuncType, TypeDef, TypeId, Types, discriminant_size};
use wasmr_core::count::Count;

use crate::abi::{FlatIn, FlatOut, LiftCx, LowerCx};
use crate::error::Result;
use crate::resource::ResourceType;

pub use lent::GuestBytes;
pub use lists::{LiftParams, LiftReturn, LowerParams, LowerReturn, Params};
pub(crate) use lists::{ParamError, check_func, func_text};
pub use result::{LiftPayload, LowerPayload, Payload};

/// The representation of a Rust type in the canonical ABI.
#[derive(Clone, Copy, Debug)]
pub struct Abi {
    /// Bytes in linear memory.
    pub size: u32,
    /// Alignment in linear memory.
    pub align: u32,
    /// Number of core values.
    pub flat: usize,
    /// True if passing a value needs the component's type: it contains resources.
    pub needs_type: bool,
}

impl Abi {
    /// Returns the representation of a value that is one core value.
    pub const fn scalar(size: u32) -> Abi {
        Abi { size, align: size, flat: 1, needs_type: false }
    }

    /// Returns the representation of a sequence without fields.
    pub const fn empty() -> Abi {
        Abi { size: 0, align: 1, flat: 0, needs_type: false }
    }

    /// Returns the offset of a field that follows the fields of `self`.
    pub const fn offset(self, field: Abi) -> u32 {
        self.size.next_multiple_of(field.align)
    }

    /// Returns the representation with one more field. [`end`](Abi::end) pads the last.
    pub const fn then(self, field: Abi) -> Abi {
        Abi {
            size: self.offset(field) + field.size,
            align: if self.align > field.align { self.align } else { field.align },
            flat: self.flat + field.flat,
            needs_type: self.needs_type || field.needs_type,
        }
    }

    /// Returns the representation of a record with these fields.
    pub const fn end(self) -> Abi {
        Abi { size: self.size.next_multiple_of(self.align), ..self }
    }

    /// Returns the representation of the payload of a variant that has the cases of `self` and one more.
    pub const fn or(self, case: Abi) -> Abi {
        Abi {
            size: if self.size > case.size { self.size } else { case.size },
            align: if self.align > case.align { self.align } else { case.align },
            flat: if self.flat > case.flat { self.flat } else { case.flat },
            needs_type: self.needs_type || case.needs_type,
        }
    }

    /// Returns the representation of a variant of `cases` cases whose payloads are represented by `self`.
    pub const fn variant(self, cases: usize) -> Abi {
        let discriminant = discriminant_size(cases);
        let align = if self.align > discriminant { self.align } else { discriminant };
        let size = (discriminant.next_multiple_of(self.align) + self.size).next_multiple_of(align);
        Abi { size, align, flat: 1 + self.flat, needs_type: self.needs_type }
    }

    /// Returns the offset of the payload of a variant of `cases` cases, which `self` represents.
    pub const fn payload(self, cases: usize) -> u32 {
        discriminant_size(cases).next_multiple_of(self.align)
    }
}

/// The types of a component, for comparison with Rust types.
#[derive(Clone, Copy)]
pub struct Interface<'a> {
    pub(crate) types: &'a Types,
    /// The resource types of the component, where they are known.
    pub(crate) resources: &'a [Option<ResourceType>],
}

impl<'a> Interface<'a> {
    /// Returns the types of a component, whose resource types are known in part.
    #[doc(hidden)]
    pub fn new(types: &'a Types, resources: &'a [Option<ResourceType>]) -> Interface<'a> {
        Interface { types, resources }
    }

    /// Returns a type.
    pub fn def(&self, ty: TypeId) -> &TypeDef {
        self.types.def(ty)
    }

    /// Returns the error of a type that is not the expected one.
    pub fn mismatch(&self, expected: &str, found: TypeId) -> String {
        format!("expected `{expected}`, found `{}`", wasmr_component::val_type_text(self.types, found))
    }
}

/// A Rust type that stands for a component type.
///
/// | Rust | component |
/// |---|---|
/// | `bool`, `char`, `i8` to `u64`, `f32`, `f64` | the type of that name |
/// | `String`, `&str` | `string` |
/// | `Vec<T>`, `&[T]` | `list<T>` |
/// | [`GuestBytes`] | `list<u8>` that stays in the guest's memory |
/// | `Option<T>`, `Result<T, E>` | `option<T>`, `result<T, E>`; `()` stands for no value |
/// | tuples | `tuple<…>` |
/// | [`Resource<R>`](crate::Resource), [`ResourceAny`](crate::ResourceAny) | `own<R>` or `borrow<R>` |
pub trait ComponentType {
    /// The representation.
    #[doc(hidden)]
    const ABI: Abi;

    /// Compares the type with a component's.
    ///
    /// # Errors
    /// The first difference.
    #[doc(hidden)]
    fn check(interface: &Interface<'_>, ty: TypeId) -> std::result::Result<(), String>;

    /// Returns the type in WIT syntax.
    #[doc(hidden)]
    fn wit() -> String;
}

/// A Rust type that can be made of a guest's value.
pub trait Lift: ComponentType + Sized {
    /// Lifts a value out of core values.
    #[doc(hidden)]
    fn lift_flat(cx: &mut LiftCx<'_>, ty: TypeId, src: &mut FlatIn<'_>) -> Result<Self>;

    /// Lifts a value out of linear memory, where its range is.
    #[doc(hidden)]
    fn load(cx: &mut LiftCx<'_>, ty: TypeId, at: usize) -> Result<Self>;

    /// Lifts the elements of a list, whose range is in linear memory.
    #[doc(hidden)]
    fn load_list(cx: &mut LiftCx<'_>, ty: TypeId, at: usize, len: usize) -> Result<Vec<Self>> {
        cx.budget.take(len.saturating_mul(size_of::<Self>()))?;
        let size = Self::ABI.size as usize;
        (0..len)
            .map(|index| Self::load(cx, ty, at + index * size).map_err(|e| e.within(format_args!("[{index}]"))))
            .collect()
    }
}

/// A Rust type that can be made a guest's value.
pub trait Lower: ComponentType {
    /// Lowers a value to core values.
    #[doc(hidden)]
    fn lower_flat(&self, cx: &mut LowerCx<'_>, ty: TypeId, dst: &mut FlatOut<'_>) -> Result<()>;

    /// Lowers a value into linear memory, where its range is.
    #[doc(hidden)]
    fn store(&self, cx: &mut LowerCx<'_>, ty: TypeId, at: usize) -> Result<()>;

    /// Lowers the elements of a list, whose range is in linear memory.
    #[doc(hidden)]
    fn store_list(all: &[Self], cx: &mut LowerCx<'_>, ty: TypeId, at: usize) -> Result<()>
    where
        Self: Sized,
    {
        let size = Self::ABI.size as usize;
        for (index, value) in all.iter().enumerate() {
            value.store(cx, ty, at + index * size).map_err(|e| e.within(format_args!("[{index}]")))?;
        }
        Ok(())
    }
}

/// Returns the type of a component of `ty`, for a Rust type that needs it.
#[inline]
pub(crate) fn part<P: ComponentType>(types: &Types, ty: TypeId, of: impl FnOnce(&TypeDef) -> Option<TypeId>) -> TypeId {
    // Without resources, the type is never looked at.
    if P::ABI.needs_type { of(types.def(ty)).unwrap_or(ty) } else { ty }
}

/// Compares the numbers of parts.
pub(crate) fn check_count(
    interface: &Interface<'_>,
    ty: TypeId,
    found: usize,
    expected: usize,
    wit: impl FnOnce() -> String,
) -> std::result::Result<(), String> {
    if found == expected { Ok(()) } else { Err(interface.mismatch(&wit(), ty)) }
}

pub(crate) type Check = std::result::Result<(), String>;

pub(crate) fn check_params(func: &FuncType, count: usize) -> Check {
    let found = func.params.len();
    if found == count { Ok(()) } else { Err(format!("expected {}, found {found}", Count(count, "parameter"))) }
}
