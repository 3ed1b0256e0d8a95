//! Types in the [text format](https://webassembly.github.io/spec/core/text/types.html), for messages and `wasmr inspect`:
//! `(func (param i32) (result i32))`.
//!
//! A defined type has no name of its own here. A reference to a function type spells that type out, one level deep; all other
//! defined types appear as `<type N>` with their canonical id.

use std::fmt::Write;

use crate::registry::TypeRegistry;
use crate::types::{
    CompositeType, DEFAULT_PAGE_SIZE_LOG2, ExternType, FieldType, FuncType, HeapType, Limits, MemoryType, RefType,
    StorageType, TypeId, ValType,
};

/// Returns a value type as text. A function type in it is spelled out.
pub fn val_type_text(registry: &TypeRegistry, ty: ValType) -> String {
    nested_val_type_text(registry, ty, true)
}

/// Returns a value type as text. A function type in it is spelled out if `expand` is true.
fn nested_val_type_text(registry: &TypeRegistry, ty: ValType, expand: bool) -> String {
    match ty {
        ValType::I32 => "i32".into(),
        ValType::I64 => "i64".into(),
        ValType::F32 => "f32".into(),
        ValType::F64 => "f64".into(),
        ValType::V128 => "v128".into(),
        ValType::Ref(ty) => ref_type_text(registry, ty, expand),
    }
}

fn ref_type_text(registry: &TypeRegistry, ty: RefType, expand: bool) -> String {
    let null = if ty.nullable { "null " } else { "" };
    match heap_name(ty.heap) {
        Some(name) if ty.nullable => match ty.heap {
            HeapType::None => "nullref".into(),
            HeapType::NoFunc => "nullfuncref".into(),
            HeapType::NoExtern => "nullexternref".into(),
            HeapType::NoExn => "nullexnref".into(),
            _ => format!("{name}ref"),
        },
        Some(name) => format!("(ref {name})"),
        None => match ty.heap {
            HeapType::Concrete(id) => match registry.func_type(id).filter(|_| expand) {
                Some(func) => format!("(ref {null}{})", func_type_text(registry, &func)),
                None => format!("(ref {null}<type {}>)", id.0),
            },
            _ => String::new(),
        },
    }
}

fn heap_name(heap: HeapType) -> Option<&'static str> {
    Some(match heap {
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
        HeapType::Concrete(_) => return None,
    })
}

/// Returns a function type as text. Defined types in it appear as `<type N>`.
pub fn func_type_text(registry: &TypeRegistry, ty: &FuncType) -> String {
    let mut text = String::from("(func");
    for (word, types) in [("param", ty.params()), ("result", ty.results())] {
        if types.is_empty() {
            continue;
        }
        let _ = write!(text, " ({word}");
        for &ty in types {
            let _ = write!(text, " {}", nested_val_type_text(registry, ty, false));
        }
        text.push(')');
    }
    text.push(')');
    text
}

/// Returns a defined type of any kind as text. Defined types in it appear as `<type N>`.
///
/// # Panics
/// If no owner keeps a type with this id in the registry.
pub fn type_text(registry: &TypeRegistry, id: TypeId) -> String {
    let ty = registry.sub_type(id);
    let field = |field: &FieldType| {
        let storage = match field.storage {
            StorageType::I8 => "i8".into(),
            StorageType::I16 => "i16".into(),
            StorageType::Val(ty) => nested_val_type_text(registry, ty, false),
        };
        if field.mutable { format!("(mut {storage})") } else { storage }
    };
    let body = match &ty.composite {
        CompositeType::Func(func) => func_type_text(registry, func),
        CompositeType::Struct(fields) => {
            let fields: Vec<String> = fields.iter().map(|ty| format!(" (field {})", field(ty))).collect();
            format!("(struct{})", fields.concat())
        }
        CompositeType::Array(element) => format!("(array {})", field(element)),
    };
    match (ty.is_final, ty.supertype) {
        (true, None) => body,
        (is_final, supertype) => {
            let is_final = if is_final { " final" } else { "" };
            let supertype = supertype.map(|id| format!(" <type {}>", id.0)).unwrap_or_default();
            format!("(sub{is_final}{supertype} {body})")
        }
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

/// Returns the type of an import or export as text.
pub fn extern_type_text(registry: &TypeRegistry, ty: &ExternType) -> String {
    match ty {
        ExternType::Func(id) => match registry.func_type(*id) {
            Some(func) => func_type_text(registry, &func),
            None => format!("(func <type {}>)", id.0),
        },
        ExternType::Table(ty) => {
            format!(
                "(table {}{} {})",
                address_type_text(ty.is64),
                limits_text(ty.limits),
                ref_type_text(registry, ty.element, true)
            )
        }
        ExternType::Memory(ty) => memory_type_text(ty),
        ExternType::Global(ty) => {
            let content = val_type_text(registry, ty.content);
            if ty.mutable { format!("(global (mut {content}))") } else { format!("(global {content})") }
        }
        ExternType::Tag(id) => match registry.func_type(*id) {
            Some(func) => func_type_text(registry, &func).replacen("(func", "(tag", 1),
            None => format!("(tag <type {}>)", id.0),
        },
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::registry::{RecGroup, Types};
    use crate::types::{GlobalType, SubType, TableType};

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
            (ExternType::Func(outer), &*format!("(func (param (ref null <type {}>)))", func.0)),
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
        let element = nullable(HeapType::Concrete(func));
        let byte = FieldType { storage: StorageType::I8, mutable: true };
        let next = FieldType { storage: StorageType::Val(ValType::Ref(element)), mutable: false };
        let texts = [CompositeType::Array(byte), CompositeType::Struct([byte, next].into())].map(|composite| {
            let group = RecGroup { types: vec![SubType { is_final: false, supertype: None, composite }] };
            type_text(&registry, types.intern(group).unwrap())
        });
        assert_eq!(type_text(&registry, func), "(func (result v128))");
        assert_eq!(texts[0], "(sub (array (mut i8)))");
        assert_eq!(texts[1], format!("(sub (struct (field (mut i8)) (field (ref null <type {}>))))", func.0));
    }
}
