//! Types in WIT syntax, for messages.

use std::fmt::Write;

use crate::index::{FuncTypeId, TypeId};
use crate::types::{TypeDef, Types};

/// Bytes of text after which the rest of a type is left out.
const MOST: usize = 400;

/// Returns a type in WIT syntax. Types of resources have no names here.
pub fn val_type_text(types: &Types, ty: TypeId) -> String {
    let mut text = String::new();
    write_type(types, ty, &mut text);
    text
}

/// Returns a function type in WIT syntax.
pub fn func_type_text(types: &Types, ty: FuncTypeId) -> String {
    let func = types.func(ty);
    let mut text = String::from(if func.is_async { "async func(" } else { "func(" });
    for (index, param) in func.params.iter().enumerate() {
        let _ = write!(text, "{}{}: ", if index == 0 { "" } else { ", " }, param.name);
        write_type(types, param.ty, &mut text);
    }
    text.push(')');
    if let Some(result) = func.result {
        text.push_str(" -> ");
        write_type(types, result, &mut text);
    }
    text
}

fn write_type(types: &Types, ty: TypeId, text: &mut String) {
    if text.len() > MOST {
        text.push('…');
        return;
    }
    let list = |text: &mut String, all: &mut dyn Iterator<Item = (Option<&str>, Option<TypeId>)>| {
        for (index, (name, ty)) in all.enumerate() {
            if text.len() > MOST {
                text.push('…');
                break;
            }
            if index > 0 {
                text.push_str(", ");
            }
            text.push_str(name.unwrap_or_default());
            if let Some(ty) = ty {
                text.push_str(if name.is_some() { ": " } else { "" });
                write_type(types, ty, text);
            }
        }
    };
    let simple = match types.def(ty) {
        TypeDef::Bool => "bool",
        TypeDef::S8 => "s8",
        TypeDef::U8 => "u8",
        TypeDef::S16 => "s16",
        TypeDef::U16 => "u16",
        TypeDef::S32 => "s32",
        TypeDef::U32 => "u32",
        TypeDef::S64 => "s64",
        TypeDef::U64 => "u64",
        TypeDef::F32 => "f32",
        TypeDef::F64 => "f64",
        TypeDef::Char => "char",
        TypeDef::String => "string",
        TypeDef::ErrorContext => "error-context",
        TypeDef::Own(_) => "own<resource>",
        TypeDef::Borrow(_) => "borrow<resource>",
        TypeDef::Future(None) => "future",
        TypeDef::Stream(None) => "stream",
        TypeDef::Result { ok: None, err: None } => "result",
        TypeDef::List(element) => return write_args(types, "list", &[Some(*element)], text),
        TypeDef::Map(key, value) => return write_args(types, "map", &[Some(*key), Some(*value)], text),
        TypeDef::Option(some) => return write_args(types, "option", &[Some(*some)], text),
        TypeDef::Future(Some(ty)) => return write_args(types, "future", &[Some(*ty)], text),
        TypeDef::Stream(Some(ty)) => return write_args(types, "stream", &[Some(*ty)], text),
        TypeDef::Result { ok, err: None } => return write_args(types, "result", &[*ok], text),
        TypeDef::Result { ok, err } => return write_args(types, "result", &[*ok, *err], text),
        TypeDef::FixedList(element, len) => {
            text.push_str("list<");
            write_type(types, *element, text);
            let _ = write!(text, ", {len}>");
            return;
        }
        TypeDef::Tuple(all) => {
            text.push_str("tuple<");
            list(text, &mut all.iter().map(|&ty| (None, Some(ty))));
            text.push('>');
            return;
        }
        TypeDef::Record(fields) => {
            text.push_str("record { ");
            list(text, &mut fields.iter().map(|field| (Some(&*field.name), Some(field.ty))));
            text.push_str(" }");
            return;
        }
        TypeDef::Variant(cases) => {
            text.push_str("variant { ");
            list(text, &mut cases.iter().map(|case| (Some(&*case.name), case.ty)));
            text.push_str(" }");
            return;
        }
        TypeDef::Enum(names) => {
            text.push_str("enum { ");
            list(text, &mut names.iter().map(|name| (Some(&**name), None)));
            text.push_str(" }");
            return;
        }
        TypeDef::Flags(names) => {
            text.push_str("flags { ");
            list(text, &mut names.iter().map(|name| (Some(&**name), None)));
            text.push_str(" }");
            return;
        }
    };
    text.push_str(simple);
}

fn write_args(types: &Types, name: &str, args: &[Option<TypeId>], text: &mut String) {
    text.push_str(name);
    text.push('<');
    for (index, arg) in args.iter().enumerate() {
        if index > 0 {
            text.push_str(", ");
        }
        match arg {
            Some(ty) => write_type(types, *ty, text),
            None => text.push('_'),
        }
    }
    text.push('>');
}
