//! Types in WIT syntax, for messages.

use std::fmt::Write;

use crate::index::{FuncTypeId, ResourceId, TypeId};
use crate::types::{TypeDef, Types};

/// Returns the name of a resource type, if it has one.
pub type ResourceNames<'a> = &'a dyn Fn(ResourceId) -> Option<&'a str>;

/// Bytes of text after which the rest of a type is left out.
const MOST: usize = 400;

/// Returns a type in WIT syntax. Types of resources have no names here.
pub fn val_type_text(types: &Types, ty: TypeId) -> String {
    named_val_type_text(types, ty, &|_| None)
}

/// Returns a function type in WIT syntax. Types of resources have no names here.
pub fn func_type_text(types: &Types, ty: FuncTypeId) -> String {
    named_func_type_text(types, ty, &|_| None)
}

/// Returns a type in WIT syntax, with the names of resource types.
pub fn named_val_type_text(types: &Types, ty: TypeId, names: ResourceNames<'_>) -> String {
    let mut writer = Writer { types, names, text: String::new() };
    writer.write(ty);
    writer.text
}

/// Returns a function type in WIT syntax, with the names of resource types.
pub fn named_func_type_text(types: &Types, ty: FuncTypeId, names: ResourceNames<'_>) -> String {
    let func = types.func(ty);
    let mut writer = Writer { types, names, text: String::from(if func.is_async { "async func(" } else { "func(" }) };
    for (index, param) in func.params.iter().enumerate() {
        let _ = write!(writer.text, "{}{}: ", if index == 0 { "" } else { ", " }, param.name);
        writer.write(param.ty);
    }
    writer.text.push(')');
    if let Some(result) = func.result {
        writer.text.push_str(" -> ");
        writer.write(result);
    }
    writer.text
}

/// A text of types.
struct Writer<'t, 'n> {
    types: &'t Types,
    names: ResourceNames<'n>,
    text: String,
}

impl Writer<'_, '_> {
    fn write(&mut self, ty: TypeId) {
        if self.is_full() {
            return;
        }
        let types = self.types;
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
            TypeDef::Own(id) => (self.names)(*id).unwrap_or("own<resource>"),
            TypeDef::Borrow(id) => {
                let name = (self.names)(*id).unwrap_or("resource");
                let _ = write!(self.text, "borrow<{name}>");
                return;
            }
            TypeDef::Future(None) => "future",
            TypeDef::Stream(None) => "stream",
            TypeDef::Result { ok: None, err: None } => "result",
            TypeDef::List(element) => return self.args("list", &[Some(*element)]),
            TypeDef::Map(key, value) => return self.args("map", &[Some(*key), Some(*value)]),
            TypeDef::Option(some) => return self.args("option", &[Some(*some)]),
            TypeDef::Future(Some(ty)) => return self.args("future", &[Some(*ty)]),
            TypeDef::Stream(Some(ty)) => return self.args("stream", &[Some(*ty)]),
            TypeDef::Result { ok, err: None } => return self.args("result", &[*ok]),
            TypeDef::Result { ok, err } => return self.args("result", &[*ok, *err]),
            TypeDef::FixedList(element, len) => {
                self.text.push_str("list<");
                self.write(*element);
                let _ = write!(self.text, ", {len}>");
                return;
            }
            TypeDef::Tuple(all) => {
                return self.rows("tuple<", &mut all.iter().map(|&ty| (None, Some(ty))), ">");
            }
            TypeDef::Record(fields) => {
                let fields = fields.iter().map(|field| (Some(&*field.name), Some(field.ty)));
                return self.rows("record { ", &mut { fields }, " }");
            }
            TypeDef::Variant(cases) => {
                return self.rows("variant { ", &mut cases.iter().map(|case| (Some(&*case.name), case.ty)), " }");
            }
            TypeDef::Enum(names) => {
                return self.rows("enum { ", &mut names.iter().map(|name| (Some(&**name), None)), " }");
            }
            TypeDef::Flags(names) => {
                return self.rows("flags { ", &mut names.iter().map(|name| (Some(&**name), None)), " }");
            }
        };
        self.text.push_str(simple);
    }

    /// Returns true if the rest is left out.
    fn is_full(&mut self) -> bool {
        let is_full = self.text.len() > MOST;
        if is_full {
            self.text.push('…');
        }
        is_full
    }

    fn rows(&mut self, begin: &str, rows: &mut dyn Iterator<Item = (Option<&str>, Option<TypeId>)>, end: &str) {
        self.text.push_str(begin);
        for (index, (name, ty)) in rows.enumerate() {
            if self.is_full() {
                break;
            }
            if index > 0 {
                self.text.push_str(", ");
            }
            self.text.push_str(name.unwrap_or_default());
            if let Some(ty) = ty {
                self.text.push_str(if name.is_some() { ": " } else { "" });
                self.write(ty);
            }
        }
        self.text.push_str(end);
    }

    fn args(&mut self, name: &str, args: &[Option<TypeId>]) {
        self.text.push_str(name);
        self.text.push('<');
        for (index, arg) in args.iter().enumerate() {
            if index > 0 {
                self.text.push_str(", ");
            }
            match arg {
                Some(ty) => self.write(*ty),
                None => self.text.push('_'),
            }
        }
        self.text.push('>');
    }
}
