//! Values that take one core value: numbers, `bool`, `char`, `enum`, `flags`, handles.

use wasmr_component::{ResourceId, TypeDef, TypeId};

use crate::abi::{LiftCx, LowerCx};
use crate::error::{AbiError, Result};
use crate::handles::{Handle, HandleKind};
use crate::resource::{Origin, ResourceAny};
use crate::value::Val;

/// Returns the character with a code.
#[inline]
pub(crate) fn char_of(bits: u32) -> Result<char> {
    char::from_u32(bits).ok_or_else(|| AbiError::trap(format!("invalid `char` bit pattern {bits:#x}")))
}

/// Returns the error of a discriminant that no case has.
#[cold]
pub(crate) fn bad_discriminant(found: u32, cases: usize, kind: &str) -> AbiError {
    AbiError::trap(format!("invalid variant discriminant: {found} is no case of {kind} with {cases} cases"))
}

/// Returns the bits of a set of flags that have names.
#[inline]
pub const fn flags_mask(count: usize) -> u32 {
    if count >= 32 { u32::MAX } else { (1 << count) - 1 }
}

/// Returns the value with these bits; `None` for a type of another kind.
pub(crate) fn lift(cx: &mut LiftCx<'_>, def: &TypeDef, bits: u64) -> Result<Option<Val>> {
    Ok(Some(match def {
        TypeDef::Bool => Val::Bool(bits as u32 != 0),
        TypeDef::S8 => Val::S8(bits as i8),
        TypeDef::U8 => Val::U8(bits as u8),
        TypeDef::S16 => Val::S16(bits as i16),
        TypeDef::U16 => Val::U16(bits as u16),
        TypeDef::S32 => Val::S32(bits as i32),
        TypeDef::U32 => Val::U32(bits as u32),
        TypeDef::S64 => Val::S64(bits as i64),
        TypeDef::U64 => Val::U64(bits),
        TypeDef::F32 => Val::F32(f32::from_bits(bits as u32)),
        TypeDef::F64 => Val::F64(f64::from_bits(bits)),
        TypeDef::Char => Val::Char(char_of(bits as u32)?),
        TypeDef::Enum(names) => {
            let case = bits as u32;
            let name = names.get(case as usize);
            let name = name.ok_or_else(|| bad_discriminant(case, names.len(), "an enum"))?;
            cx.budget.take(name.len())?;
            Val::Enum(name.to_string())
        }
        TypeDef::Flags(names) => {
            let mut set = Vec::new();
            for (_, name) in names.iter().enumerate().filter(|(index, _)| bits >> index & 1 != 0) {
                cx.budget.take(name.len() + size_of::<String>())?;
                set.push(name.to_string());
            }
            Val::Flags(set)
        }
        TypeDef::Own(id) => Val::Resource(lift_own(cx, *id, bits as u32)?),
        TypeDef::Borrow(id) => Val::Resource(lift_borrow(cx, *id, bits as u32)?),
        TypeDef::ErrorContext | TypeDef::Future(_) | TypeDef::Stream(_) => return Err(not_supported()),
        _ => return Ok(None),
    }))
}

/// Returns the bits of a value; `None` for a type of another kind. Bits beyond the type's own are as its core value requires.
pub(crate) fn lower(cx: &mut LowerCx<'_>, def: &TypeDef, value: &Val) -> Result<Option<u64>> {
    Ok(Some(match (def, value) {
        (TypeDef::Bool, Val::Bool(value)) => u64::from(*value),
        (TypeDef::S8, Val::S8(value)) => u64::from(i32::from(*value) as u32),
        (TypeDef::U8, Val::U8(value)) => u64::from(*value),
        (TypeDef::S16, Val::S16(value)) => u64::from(i32::from(*value) as u32),
        (TypeDef::U16, Val::U16(value)) => u64::from(*value),
        (TypeDef::S32, Val::S32(value)) => u64::from(*value as u32),
        (TypeDef::U32, Val::U32(value)) => u64::from(*value),
        (TypeDef::S64, Val::S64(value)) => *value as u64,
        (TypeDef::U64, Val::U64(value)) => *value,
        (TypeDef::F32, Val::F32(value)) => u64::from(value.to_bits()),
        (TypeDef::F64, Val::F64(value)) => value.to_bits(),
        (TypeDef::Char, Val::Char(value)) => u64::from(u32::from(*value)),
        (TypeDef::Enum(names), Val::Enum(name)) => {
            let case = names.iter().position(|case| **case == **name);
            case.ok_or_else(|| AbiError::host(format!("the enum has no case `{name}`")))? as u64
        }
        (TypeDef::Flags(names), Val::Flags(set)) => {
            let mut bits = 0u32;
            for name in set {
                let flag = names.iter().take(32).position(|flag| **flag == **name);
                bits |= 1 << flag.ok_or_else(|| AbiError::host(format!("there is no flag `{name}`")))?;
            }
            u64::from(bits)
        }
        (TypeDef::Own(id), Val::Resource(resource)) => u64::from(lower_own(cx, *id, *resource)?),
        (TypeDef::Borrow(id), Val::Resource(resource)) => u64::from(lower_borrow(cx, *id, *resource)?),
        (TypeDef::ErrorContext | TypeDef::Future(_) | TypeDef::Stream(_), _) => return Err(not_supported()),
        _ => return Ok(None),
    }))
}

#[cold]
pub(crate) fn not_supported() -> AbiError {
    AbiError::trap("values of types `future`, `stream` and `error-context` are not supported")
}

/// Takes an owned resource out of the guest, for the embedder.
pub(crate) fn lift_own(cx: &mut LiftCx<'_>, id: ResourceId, index: u32) -> Result<ResourceAny> {
    let key = cx.state.resource(cx.options.live, id);
    let rep = cx.state.take_own(cx.options.instance, index, key)?;
    let handle = cx.state.host.add(Handle { ty: key, rep, lends: 0, kind: HandleKind::Own })?;
    Ok(ResourceAny { ty: cx.state.resources[key.0 as usize].ty, rep, origin: Origin::Owned(handle) })
}

/// Lends a resource of the guest to the embedder for the call.
pub(crate) fn lift_borrow(cx: &mut LiftCx<'_>, id: ResourceId, index: u32) -> Result<ResourceAny> {
    let (key, rep) = cx.lend(id, index)?;
    let origin = Origin::Lent(cx.state.scope_id(cx.scope));
    Ok(ResourceAny { ty: cx.state.resources[key.0 as usize].ty, rep, origin })
}

/// Lifts a resource of any type.
pub(crate) fn lift_resource(cx: &mut LiftCx<'_>, ty: TypeId, index: u32) -> Result<ResourceAny> {
    match *cx.types.def(ty) {
        TypeDef::Own(id) => lift_own(cx, id, index),
        TypeDef::Borrow(id) => lift_borrow(cx, id, index),
        _ => Err(not_supported()),
    }
}

/// Lowers a resource of any type.
pub(crate) fn lower_resource(cx: &mut LowerCx<'_>, ty: TypeId, resource: ResourceAny) -> Result<u32> {
    match *cx.types.def(ty) {
        TypeDef::Own(id) => lower_own(cx, id, resource),
        TypeDef::Borrow(id) => lower_borrow(cx, id, resource),
        _ => Err(not_supported()),
    }
}

/// Gives a resource that the embedder owns to the guest.
fn lower_own(cx: &mut LowerCx<'_>, id: ResourceId, resource: ResourceAny) -> Result<u32> {
    let live = cx.options.live;
    let state = cx.state();
    let key = state.resource(live, id);
    if state.resources[key.0 as usize].ty != resource.ty {
        return Err(AbiError::host("the resource is of another resource type"));
    }
    let (_, rep) = resource.take(state)?;
    cx.give_own(key, rep, true)
}

/// Lends a resource of the embedder to the guest for the call.
fn lower_borrow(cx: &mut LowerCx<'_>, id: ResourceId, resource: ResourceAny) -> Result<u32> {
    let (live, scope) = (cx.options.live, cx.scope);
    let state = cx.state();
    let key = state.resource(live, id);
    if state.resources[key.0 as usize].ty != resource.ty {
        return Err(AbiError::host("the resource is of another resource type"));
    }
    match resource.origin {
        Origin::Owned(_) => {
            let (index, _) = resource.find(state)?;
            state.lend_of_host(index, scope)?;
        }
        Origin::Lent(id) if state.is_open(id) => {}
        Origin::Lent(_) => return Err(AbiError::host("the resource was lent for a call that has returned")),
    }
    cx.give_borrow(key, resource.rep)
}
