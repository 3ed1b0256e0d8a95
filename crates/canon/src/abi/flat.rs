//! [`Val`]s from and to core values: parameters and results that are few enough.

use wasmr_component::{TypeDef, TypeId};

use crate::abi::case::Case;
use crate::abi::{FlatIn, FlatOut, LiftCx, LowerCx, flat_count, scalar, string};
use crate::error::Result;
use crate::value::Val;

/// Lifts a value out of core values.
pub(crate) fn lift_flat(cx: &mut LiftCx<'_>, ty: TypeId, src: &mut FlatIn<'_>) -> Result<Val> {
    let types = cx.types;
    let def = types.def(ty);
    let end = src.position() + flat_count(types.shape(ty));
    let value = match def {
        TypeDef::String => {
            let (ptr, len) = (src.next_u32(), src.next_u32());
            Val::String(string::lift(cx, ptr, len)?)
        }
        TypeDef::List(element) => {
            let (ptr, len) = (src.next_u32(), src.next_u32());
            cx.load_list(*element, ptr, len)?
        }
        TypeDef::Map(key, value) => {
            let (ptr, len) = (src.next_u32(), src.next_u32());
            cx.load_map(*key, *value, ptr, len)?
        }
        TypeDef::FixedList(element, len) => {
            cx.take_vals(*len as usize)?;
            let all: Result<Vec<Val>> = (0..*len)
                .map(|index| lift_flat(cx, *element, src).map_err(|e| e.within(format_args!("[{index}]"))))
                .collect();
            Val::List(all?.into())
        }
        TypeDef::Record(fields) => {
            let mut values = Vec::with_capacity(fields.len());
            for field in fields {
                cx.take_field(&field.name)?;
                let value = lift_flat(cx, field.ty, src).map_err(|e| e.within(format_args!(".{}", field.name)))?;
                values.push((field.name.to_string(), value));
            }
            Val::Record(values)
        }
        TypeDef::Tuple(fields) => {
            cx.take_vals(fields.len())?;
            let mut values = Vec::with_capacity(fields.len());
            for (index, &field) in fields.iter().enumerate() {
                values.push(lift_flat(cx, field, src).map_err(|e| e.within(format_args!(".{index}")))?);
            }
            Val::Tuple(values)
        }
        TypeDef::Variant(_) | TypeDef::Option(_) | TypeDef::Result { .. } => {
            let case = Case::at(def, src.next_u32())?;
            let payload = match case.payload {
                Some(ty) => {
                    cx.take_vals(1)?;
                    let value = lift_flat(cx, ty, src);
                    Some(Box::new(value.map_err(|e| e.within(format_args!(".{}", case.name)))?))
                }
                None => None,
            };
            src.seek(end);
            case.into_val(def, payload)
        }
        scalar => {
            let bits = src.next();
            match scalar::lift(cx, scalar, bits)? {
                Some(value) => value,
                None => return Err(scalar::not_supported()),
            }
        }
    };
    Ok(value)
}

/// Lowers a value to core values.
pub(crate) fn lower_flat(cx: &mut LowerCx<'_>, ty: TypeId, value: &Val, dst: &mut FlatOut<'_>) -> Result<()> {
    let types = cx.types;
    let def = types.def(ty);
    let end = dst.position() + flat_count(types.shape(ty));
    match (def, value) {
        (TypeDef::String, Val::String(text)) => {
            let (ptr, len) = string::lower(cx, text)?;
            dst.push(ptr.into());
            dst.push(len.into());
        }
        (TypeDef::List(element), Val::List(list)) => {
            let (ptr, len) = cx.store_list(*element, list)?;
            dst.push(ptr.into());
            dst.push(len.into());
        }
        (TypeDef::Map(key, value), Val::Map(entries)) => {
            let (ptr, len) = cx.store_map(*key, *value, entries)?;
            dst.push(ptr.into());
            dst.push(len.into());
        }
        (TypeDef::FixedList(element, len), Val::List(list)) => {
            cx.check_count(list.len(), *len as usize)?;
            for (index, value) in list.iter().enumerate() {
                lower_flat(cx, *element, &value, dst).map_err(|e| e.within(format_args!("[{index}]")))?;
            }
        }
        (TypeDef::Record(fields), Val::Record(values)) => {
            cx.check_count(values.len(), fields.len())?;
            for (field, (name, value)) in fields.iter().zip(values) {
                cx.check_field(&field.name, name)?;
                lower_flat(cx, field.ty, value, dst).map_err(|e| e.within(format_args!(".{name}")))?;
            }
        }
        (TypeDef::Tuple(fields), Val::Tuple(values)) => {
            cx.check_count(values.len(), fields.len())?;
            for (index, (&field, value)) in fields.iter().zip(values).enumerate() {
                lower_flat(cx, field, value, dst).map_err(|e| e.within(format_args!(".{index}")))?;
            }
        }
        (TypeDef::Variant(_) | TypeDef::Option(_) | TypeDef::Result { .. }, value) => {
            let (case, payload) = Case::of(def, value)?.ok_or_else(|| cx.mismatch(ty, value))?;
            dst.push(case.index.into());
            if let (Some(ty), Some(value)) = (case.payload, payload) {
                lower_flat(cx, ty, value, dst).map_err(|e| e.within(format_args!(".{}", case.name)))?;
            }
            dst.pad(end);
        }
        (scalar, value) => {
            let bits = scalar::lower(cx, scalar, value)?.ok_or_else(|| cx.mismatch(ty, value))?;
            dst.push(bits);
        }
    }
    Ok(())
}
