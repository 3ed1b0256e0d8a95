//! Types in the [text format](https://webassembly.github.io/spec/core/text/types.html), for messages and `wasmr inspect`:
//! `(func (param i32) (result i32))`.
//!
//! A reference to a defined type spells the type out, as a canonical type has no name: `(ref null (struct (field i32)))`.
//! Defined types inside of it are only named by their kind: `(ref (struct …))`. A printer with the [names](TypeNames) of a module
//! writes the type's name or index there instead: `(ref null $node)`, `(ref null 3)`.

use std::fmt::Write;

use crate::registry::TypeRegistry;
use crate::types::{
    CompositeType, DEFAULT_PAGE_SIZE_LOG2, ExternType, FieldType, FuncType, HeapType, Limits, MemoryType, RefType,
    StorageType, SubType, TypeId, ValType,
};

/// Number of fields, parameters or results of a spelled-out reference's type that are shown. Types with thousands exist.
const SHOWN: usize = 12;

/// The names of a module's types.
pub trait TypeNames {
    /// Returns the name of a type, with `$`, or its index.
    fn type_name(&self, id: TypeId) -> String;

    /// Returns the name of a field of a struct type, with `$`, if it has one.
    fn field_name(&self, id: TypeId, field: u32) -> Option<String>;
}

/// Returns a value type as text.
pub fn val_type_text(registry: &TypeRegistry, ty: ValType) -> String {
    TypeText::new(registry).val_type(ty)
}

/// Returns a function type as text.
pub fn func_type_text(registry: &TypeRegistry, ty: &FuncType) -> String {
    TypeText::new(registry).func_type(ty)
}

/// Returns a defined type of any kind as text.
///
/// # Panics
/// If no owner keeps a type with this id in the registry.
pub fn type_text(registry: &TypeRegistry, id: TypeId) -> String {
    TypeText::new(registry).defined_type(id)
}

/// Returns the type of an import or export as text.
pub fn extern_type_text(registry: &TypeRegistry, ty: &ExternType) -> String {
    TypeText::new(registry).extern_type(ty)
}

/// A printer of types.
#[derive(Clone, Copy)]
pub struct TypeText<'a> {
    registry: &'a TypeRegistry,
    names: Option<&'a dyn TypeNames>,
}

/// The position of a type in the printed text.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// The printed type itself, or a part of it.
    Top,
    /// Part of the type of a reference in the printed type.
    Inner,
}

impl<'a> TypeText<'a> {
    /// Creates a printer that spells out defined types.
    pub fn new(registry: &'a TypeRegistry) -> TypeText<'a> {
        TypeText { registry, names: None }
    }

    /// Creates a printer that writes the names of a module in place of defined types.
    pub fn with_names(registry: &'a TypeRegistry, names: &'a dyn TypeNames) -> TypeText<'a> {
        TypeText { registry, names: Some(names) }
    }

    /// Returns a value type as text.
    pub fn val_type(self, ty: ValType) -> String {
        let mut out = String::new();
        self.write_val_type(&mut out, ty, Place::Top);
        out
    }

    /// Returns a function type as text.
    pub fn func_type(self, ty: &FuncType) -> String {
        let mut out = String::new();
        self.write_func_type(&mut out, "func", ty, Place::Top);
        out
    }

    /// Returns a defined type of any kind as text.
    ///
    /// # Panics
    /// If no owner keeps a type with this id in the registry.
    pub fn defined_type(self, id: TypeId) -> String {
        let mut out = String::new();
        self.write_sub_type(&mut out, id, &self.registry.sub_type(id), Place::Top);
        out
    }

    /// Returns the type of an import or export as text.
    pub fn extern_type(self, ty: &ExternType) -> String {
        let mut out = String::new();
        match ty {
            ExternType::Func(id) => self.write_signature(&mut out, "func", *id),
            ExternType::Tag(id) => self.write_signature(&mut out, "tag", *id),
            ExternType::Memory(ty) => out = memory_type_text(ty),
            ExternType::Table(ty) => {
                let _ = write!(out, "(table {}{} ", address_type_text(ty.is64), limits_text(ty.limits));
                self.write_ref_type(&mut out, ty.element, Place::Top);
                out.push(')');
            }
            ExternType::Global(ty) => {
                out.push_str(if ty.mutable { "(global (mut " } else { "(global " });
                self.write_val_type(&mut out, ty.content, Place::Top);
                out.push_str(if ty.mutable { "))" } else { ")" });
            }
        }
        out
    }

    /// Writes the type of a function or a tag. A type that has no owner any more is shown without its parts.
    fn write_signature(self, out: &mut String, keyword: &str, id: TypeId) {
        match self.registry.func_type(id) {
            Some(func) => self.write_func_type(out, keyword, &func, Place::Top),
            None => {
                let _ = write!(out, "({keyword} …)");
            }
        }
    }

    fn write_val_type(self, out: &mut String, ty: ValType, place: Place) {
        out.push_str(match ty {
            ValType::I32 => "i32",
            ValType::I64 => "i64",
            ValType::F32 => "f32",
            ValType::F64 => "f64",
            ValType::V128 => "v128",
            ValType::Ref(ty) => return self.write_ref_type(out, ty, place),
        });
    }

    fn write_ref_type(self, out: &mut String, ty: RefType, place: Place) {
        let name = match ty.heap {
            HeapType::None if ty.nullable => return out.push_str("nullref"),
            HeapType::NoFunc if ty.nullable => return out.push_str("nullfuncref"),
            HeapType::NoExtern if ty.nullable => return out.push_str("nullexternref"),
            HeapType::NoExn if ty.nullable => return out.push_str("nullexnref"),
            HeapType::Func => "func",
            HeapType::Extern => "extern",
            HeapType::Any => "any",
            HeapType::Eq => "eq",
            HeapType::I31 => "i31",
            HeapType::Struct => "struct",
            HeapType::Array => "array",
            HeapType::Exn => "exn",
            HeapType::None => "none",
            HeapType::NoFunc => "nofunc",
            HeapType::NoExtern => "noextern",
            HeapType::NoExn => "noexn",
            HeapType::Concrete(id) => {
                out.push_str(if ty.nullable { "(ref null " } else { "(ref " });
                match self.names {
                    Some(names) => out.push_str(&names.type_name(id)),
                    None => self.write_referent(out, id, place),
                }
                return out.push(')');
            }
        };
        let _ = if ty.nullable { write!(out, "{name}ref") } else { write!(out, "(ref {name})") };
    }

    /// Writes the defined type of a reference. A type that has no owner any more is shown as `…`.
    fn write_referent(self, out: &mut String, id: TypeId, place: Place) {
        match self.registry.get(id) {
            Some(ty) if place == Place::Top => self.write_sub_type(out, id, &ty, Place::Inner),
            Some(ty) => out.push_str(match ty.composite {
                CompositeType::Func(_) => "(func …)",
                CompositeType::Struct(_) => "(struct …)",
                CompositeType::Array(_) => "(array …)",
            }),
            None => out.push('…'),
        }
    }

    fn write_func_type(self, out: &mut String, keyword: &str, ty: &FuncType, place: Place) {
        out.push('(');
        out.push_str(keyword);
        for (word, types) in [("param", ty.params()), ("result", ty.results())] {
            if types.is_empty() {
                continue;
            }
            let _ = write!(out, " ({word}");
            let shown = shown(types.len(), place);
            for &ty in &types[..shown] {
                out.push(' ');
                self.write_val_type(out, ty, place);
            }
            out.push_str(if shown < types.len() { " …)" } else { ")" });
        }
        out.push(')');
    }

    fn write_sub_type(self, out: &mut String, id: TypeId, ty: &SubType, place: Place) {
        // The type of a reference is shown by its parts alone.
        let is_sub = place == Place::Top && !(ty.is_final && ty.supertype.is_none());
        if is_sub {
            out.push_str(if ty.is_final { "(sub final " } else { "(sub " });
            if let Some(supertype) = ty.supertype {
                match self.names {
                    Some(names) => out.push_str(&names.type_name(supertype)),
                    None => self.write_referent(out, supertype, Place::Top),
                }
                out.push(' ');
            }
        }
        match &ty.composite {
            CompositeType::Func(func) => self.write_func_type(out, "func", func, place),
            CompositeType::Array(element) => {
                out.push_str("(array ");
                self.write_field(out, element, place);
                out.push(')');
            }
            CompositeType::Struct(fields) => {
                out.push_str("(struct");
                let shown = shown(fields.len(), place);
                for (index, field) in fields[..shown].iter().enumerate() {
                    out.push_str(" (field ");
                    if let Some(name) = self.names.and_then(|names| names.field_name(id, index as u32)) {
                        out.push_str(&name);
                        out.push(' ');
                    }
                    self.write_field(out, field, place);
                    out.push(')');
                }
                out.push_str(if shown < fields.len() { " …)" } else { ")" });
            }
        }
        if is_sub {
            out.push(')');
        }
    }

    fn write_field(self, out: &mut String, field: &FieldType, place: Place) {
        if field.mutable {
            out.push_str("(mut ");
        }
        match field.storage {
            StorageType::I8 => out.push_str("i8"),
            StorageType::I16 => out.push_str("i16"),
            StorageType::Val(ty) => self.write_val_type(out, ty, place),
        }
        if field.mutable {
            out.push(')');
        }
    }
}

/// Returns how many of `count` parts are shown.
fn shown(count: usize, place: Place) -> usize {
    match place {
        Place::Top => count,
        Place::Inner => count.min(SHOWN),
    }
}

fn limits_text(limits: Limits) -> String {
    match limits.max {
        Some(max) => format!("{} {max}", limits.min),
        None => limits.min.to_string(),
    }
}

fn memory_type_text(ty: &MemoryType) -> String {
    let shared = if ty.shared { " shared" } else { "" };
    let page_size = match ty.page_size_log2 {
        DEFAULT_PAGE_SIZE_LOG2 => String::new(),
        log2 => format!(" (pagesize {})", 1u64 << log2),
    };
    format!("(memory {}{}{shared}{page_size})", address_type_text(ty.is64), limits_text(ty.limits))
}

/// Returns the address type of a memory or table and a space; nothing for the default, `i32`.
fn address_type_text(is64: bool) -> &'static str {
    if is64 { "i64 " } else { "" }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::registry::{RecGroup, Types};
    use crate::types::{GlobalType, TableType};

    fn nullable(heap: HeapType) -> RefType {
        RefType { nullable: true, heap }
    }

    fn non_null(heap: HeapType) -> RefType {
        RefType { nullable: false, heap }
    }

    #[test]
    fn value_types() {
        let registry = Arc::new(TypeRegistry::new());
        let mut types = Types::new(&registry);
        let func = types.intern_func(FuncType::new([ValType::F32], []));
        for (ty, text) in [
            (ValType::V128, "v128"),
            (ValType::FUNCREF, "funcref"),
            (ValType::EXTERNREF, "externref"),
            (ValType::Ref(nullable(HeapType::I31)), "i31ref"),
            (ValType::Ref(nullable(HeapType::None)), "nullref"),
            (ValType::Ref(nullable(HeapType::NoExtern)), "nullexternref"),
            (ValType::Ref(nullable(HeapType::Concrete(func))), "(ref null (func (param f32)))"),
            (ValType::Ref(non_null(HeapType::Concrete(func))), "(ref (func (param f32)))"),
            (ValType::Ref(non_null(HeapType::Any)), "(ref any)"),
        ] {
            assert_eq!(val_type_text(&registry, ty), text);
        }
    }

    #[test]
    fn extern_types() {
        let registry = Arc::new(TypeRegistry::new());
        let mut types = Types::new(&registry);
        let func = types.intern_func(FuncType::new([ValType::I32, ValType::EXTERNREF], [ValType::V128]));
        let tag = types.intern_func(FuncType::new([ValType::I64], []));
        let element = nullable(HeapType::Concrete(func));
        let outer = types.intern_func(FuncType::new([ValType::Ref(element)], []));
        let memory64 = MemoryType { is64: true, ..MemoryType::new(1, Some(2)) };
        let shared = MemoryType { shared: true, ..memory64 };
        let bytes = MemoryType { page_size_log2: 0, ..MemoryType::new(3, None) };
        let content = ValType::Ref(non_null(HeapType::Exn));
        for (ty, text) in [
            (ExternType::Func(func), "(func (param i32 externref) (result v128))"),
            (ExternType::Func(outer), "(func (param (ref null (func (param i32 externref) (result v128)))))"),
            (ExternType::Tag(tag), "(tag (param i64))"),
            (ExternType::Memory(memory64), "(memory i64 1 2)"),
            (ExternType::Memory(shared), "(memory i64 1 2 shared)"),
            (ExternType::Memory(bytes), "(memory 3 (pagesize 1))"),
            (ExternType::Table(TableType::new(RefType::FUNCREF, 0, None)), "(table 0 funcref)"),
            (
                ExternType::Table(TableType::new(element, 1, Some(2))),
                "(table 1 2 (ref null (func (param i32 externref) (result v128))))",
            ),
            (ExternType::Global(GlobalType { content, mutable: true }), "(global (mut (ref exn)))"),
            (ExternType::Global(GlobalType { content: ValType::I64, mutable: false }), "(global i64)"),
        ] {
            assert_eq!(extern_type_text(&registry, &ty), text);
        }
    }

    #[test]
    fn defined_types() {
        let registry = Arc::new(TypeRegistry::new());
        let mut types = Types::new(&registry);
        let func = types.intern_func(FuncType::new([], [ValType::V128]));
        let byte = FieldType { storage: StorageType::I8, mutable: true };
        let mut intern = |supertype, composite| {
            let group = RecGroup { types: vec![SubType { is_final: false, supertype, composite }] };
            types.intern(group).unwrap()
        };
        let reference = |id| FieldType {
            storage: StorageType::Val(ValType::Ref(nullable(HeapType::Concrete(id)))),
            mutable: false,
        };
        let bytes = intern(None, CompositeType::Array(byte));
        let pair = intern(None, CompositeType::Struct([byte, reference(func)].into()));
        let wide = intern(None, CompositeType::Struct(vec![reference(pair); 20].into()));
        let outer = intern(Some(pair), CompositeType::Struct([byte, reference(func), reference(wide)].into()));
        assert_eq!(type_text(&registry, func), "(func (result v128))");
        assert_eq!(type_text(&registry, bytes), "(sub (array (mut i8)))");
        assert_eq!(
            type_text(&registry, pair),
            "(sub (struct (field (mut i8)) (field (ref null (func (result v128))))))"
        );
        assert_eq!(
            val_type_text(&registry, ValType::Ref(non_null(HeapType::Concrete(pair)))),
            "(ref (struct (field (mut i8)) (field (ref null (func …)))))"
        );
        let shown = [" (field (ref null (struct …)))"; SHOWN].concat();
        assert_eq!(
            type_text(&registry, outer),
            format!(
                "(sub (struct (field (mut i8)) (field (ref null (func …)))) (struct (field (mut i8)) (field (ref null \
                 (func (result v128)))) (field (ref null (struct{shown} …)))))"
            )
        );
        let names = Numbers { of: &[pair, func] };
        let text = TypeText::with_names(&registry, &names);
        assert_eq!(text.defined_type(pair), "(sub (struct (field $f0 (mut i8)) (field $f1 (ref null 1))))");
        assert_eq!(text.extern_type(&ExternType::Func(func)), "(func (result v128))");
    }

    /// Names types by their positions in a list.
    struct Numbers<'a> {
        of: &'a [TypeId],
    }

    impl TypeNames for Numbers<'_> {
        fn type_name(&self, id: TypeId) -> String {
            self.of.iter().position(|&other| other == id).unwrap().to_string()
        }

        fn field_name(&self, _: TypeId, field: u32) -> Option<String> {
            Some(format!("$f{field}"))
        }
    }
}
