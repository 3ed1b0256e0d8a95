//! Functions for the expansions of the macros that define types.

use wasmr_component::{TypeDef, Types};
pub use wasmr_component::{TypeId, discriminant_size};

pub use crate::abi::scalar::flags_mask;
use crate::abi::{FlatIn, FlatOut, LiftCx, LowerCx, read_bits, scalar};
use crate::error::{AbiError, Result};
use crate::typed::{Check, ComponentType, Interface, Lift, Lower, part};

/// A field or case: its name, and the comparison of its type if it has one.
pub type Row = (&'static str, Option<fn(&Interface<'_>, TypeId) -> Check>);

/// Returns the type of a field or a payload.
fn part_of(def: &TypeDef, index: usize) -> Option<TypeId> {
    match def {
        TypeDef::Record(fields) => fields.get(index).map(|field| field.ty),
        TypeDef::Variant(cases) => cases.get(index).and_then(|case| case.ty),
        _ => None,
    }
}

/// A field or a payload: the type that it is a part of, its index, and its name.
#[derive(Clone, Copy)]
pub struct Part {
    /// Type of the record or variant.
    pub ty: TypeId,
    /// Index of the field or case.
    pub index: u32,
    /// Name of the field or case.
    pub name: &'static str,
}

impl Part {
    /// Returns the type of the part, for a Rust type that needs it.
    #[inline]
    fn ty<P: ComponentType>(self, types: &Types) -> TypeId {
        part::<P>(types, self.ty, |def| part_of(def, self.index as usize))
    }
}

/// Returns the error with one more step of its path.
#[cold]
fn within(error: AbiError, name: &str) -> AbiError {
    error.within(format_args!(".{name}"))
}

/// Appends the core values of a part.
#[inline]
pub fn lower_part<P: Lower>(value: &P, cx: &mut LowerCx<'_>, part: Part, dst: &mut FlatOut<'_>) -> Result<()> {
    let ty = part.ty::<P>(cx.types);
    value.lower_flat(cx, ty, dst).map_err(|error| within(error, part.name))
}

/// Writes a part.
#[inline]
pub fn store_part<P: Lower>(value: &P, cx: &mut LowerCx<'_>, part: Part, at: usize) -> Result<()> {
    let ty = part.ty::<P>(cx.types);
    value.store(cx, ty, at).map_err(|error| within(error, part.name))
}

/// Makes a part of its core values.
#[inline]
pub fn lift_part<P: Lift>(cx: &mut LiftCx<'_>, part: Part, src: &mut FlatIn<'_>) -> Result<P> {
    let ty = part.ty::<P>(cx.types);
    P::lift_flat(cx, ty, src).map_err(|error| within(error, part.name))
}

/// Reads a part.
#[inline]
pub fn load_part<P: Lift>(cx: &mut LiftCx<'_>, part: Part, at: usize) -> Result<P> {
    let ty = part.ty::<P>(cx.types);
    P::load(cx, ty, at).map_err(|error| within(error, part.name))
}

/// Compares the names and types of fields or cases.
fn check_rows<'t>(
    interface: &Interface<'_>,
    ty: TypeId,
    wit: &str,
    rows: &[Row],
    found: impl ExactSizeIterator<Item = (&'t str, Option<TypeId>)>,
) -> Check {
    if found.len() != rows.len() {
        return Err(interface.mismatch(wit, ty));
    }
    for ((name, check), (found, part)) in rows.iter().zip(found) {
        match (check, part) {
            _ if *name != found => return Err(interface.mismatch(wit, ty)),
            (Some(check), Some(part)) => check(interface, part).map_err(|why| format!("`{name}` of `{wit}`: {why}"))?,
            (None, None) => {}
            _ => return Err(interface.mismatch(wit, ty)),
        }
    }
    Ok(())
}

/// Compares a record.
pub fn check_record(interface: &Interface<'_>, ty: TypeId, wit: &str, rows: &[Row]) -> Check {
    match interface.def(ty) {
        TypeDef::Record(fields) => {
            check_rows(interface, ty, wit, rows, fields.iter().map(|field| (&*field.name, Some(field.ty))))
        }
        _ => Err(interface.mismatch(wit, ty)),
    }
}

/// Compares a variant.
pub fn check_variant(interface: &Interface<'_>, ty: TypeId, wit: &str, rows: &[Row]) -> Check {
    match interface.def(ty) {
        TypeDef::Variant(cases) => {
            check_rows(interface, ty, wit, rows, cases.iter().map(|case| (&*case.name, case.ty)))
        }
        _ => Err(interface.mismatch(wit, ty)),
    }
}

/// Returns true if names are those of a component's type.
fn same_names(names: &[&str], found: &[Box<str>]) -> bool {
    found.iter().map(|name| &**name).eq(names.iter().copied())
}

/// Compares an enum.
pub fn check_enum(interface: &Interface<'_>, ty: TypeId, wit: &str, names: &[&str]) -> Check {
    match interface.def(ty) {
        TypeDef::Enum(found) if same_names(names, found) => Ok(()),
        _ => Err(interface.mismatch(wit, ty)),
    }
}

/// Compares flags.
pub fn check_flags(interface: &Interface<'_>, ty: TypeId, wit: &str, names: &[&str]) -> Check {
    match interface.def(ty) {
        TypeDef::Flags(found) if same_names(names, found) => Ok(()),
        _ => Err(interface.mismatch(wit, ty)),
    }
}

/// Returns the bytes of `count` flags.
pub const fn flags_size(count: usize) -> u32 {
    assert!(count <= 32, "there are at most 32 flags");
    wasmr_component::flags_size(count)
}

/// Appends a core value.
#[inline]
pub fn push(dst: &mut FlatOut<'_>, bits: u32) {
    dst.push(bits.into());
}

/// Returns the number of core values so far.
#[inline]
pub fn position(dst: &FlatOut<'_>) -> usize {
    dst.position()
}

/// Fills the places up to `end` with zeros.
#[inline]
pub fn pad(dst: &mut FlatOut<'_>, end: usize) {
    dst.pad(end);
}

/// Returns the next core value.
#[inline]
pub fn next(src: &mut FlatIn<'_>) -> u32 {
    src.next_u32()
}

/// Lifts a case of a variant of `flat` core values: `lift` gets the discriminant.
#[inline]
pub fn lift_case<'a, R>(
    src: &mut FlatIn<'a>,
    flat: usize,
    lift: impl FnOnce(u32, &mut FlatIn<'a>) -> Result<R>,
) -> Result<R> {
    let end = src.position() + flat;
    let value = lift(src.next_u32(), src)?;
    src.seek(end);
    Ok(value)
}

/// Writes the low `size` bytes of a number.
#[inline]
pub fn write(cx: &mut LowerCx<'_>, at: usize, size: u32, bits: u32) {
    cx.write(at, size, bits.into());
}

/// Reads a number of `size` bytes.
#[inline]
pub fn read(cx: &LiftCx<'_>, at: usize, size: u32) -> u32 {
    read_bits(cx.memory, at, size) as u32
}

/// Returns the error of a discriminant that is none.
#[cold]
pub fn bad_case(index: u32, cases: usize, wit: &str) -> AbiError {
    scalar::bad_discriminant(index, cases, wit)
}
