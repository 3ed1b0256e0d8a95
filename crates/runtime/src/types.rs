//! Types as text, for messages about imports and calls, in the words of the text format: `(func (param i32) (result
//! i32))`.

use std::fmt::Write;

use wasmr_core::registry::TypeRegistry;
use wasmr_core::types::{
    CompositeType, ExternType, FieldType, FuncType, HeapType, Limits, RefType, StorageType, TypeId, ValType,
};

/// A value type.
pub fn val_type_text(registry: &TypeRegistry, ty: ValType) -> String {
    nested_val_type_text(registry, ty, true)
}

/// A value type; `expand` says whether function types in it are spelled out.
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

/// A function type, the function types in it by their numbers.
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

/// A defined type of any kind, the types in it by their numbers.
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

/// The type of an import or export.
pub fn extern_type_text(registry: &TypeRegistry, ty: &ExternType) -> String {
    let index = |is64| if is64 { "i64 " } else { "" };
    match ty {
        ExternType::Func(id) => match registry.func_type(*id) {
            Some(func) => func_type_text(registry, &func),
            None => format!("(func <type {}>)", id.0),
        },
        ExternType::Table(ty) => {
            format!(
                "(table {}{} {})",
                index(ty.is64),
                limits_text(ty.limits),
                ref_type_text(registry, ty.element, true)
            )
        }
        ExternType::Memory(ty) => ty.to_string(),
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
    use wasmr_core::registry::{RecGroup, Types};
    use wasmr_core::types::{GlobalType, MemoryType, SubType, TableType};

    #[test]
    fn types_read_as_in_the_text_format() {
        let registry = Arc::new(TypeRegistry::new());
        let mut kept = Types::new(&registry);
        let func = kept.intern_func(FuncType::new([ValType::I32, ValType::EXTERNREF], [ValType::V128]));
        let tag = kept.intern_func(FuncType::new([ValType::I64], []));
        let text = |ty| extern_type_text(&registry, &ty);
        assert_eq!(text(ExternType::Func(func)), "(func (param i32 externref) (result v128))");
        assert_eq!(text(ExternType::Tag(tag)), "(tag (param i64))");
        let limits = Limits { min: 1, max: Some(2) };
        assert_eq!(text(ExternType::Memory(MemoryType::new64(1, Some(2)))), "(memory i64 1 2)");
        let element = RefType { nullable: true, heap: HeapType::Concrete(func) };
        assert_eq!(
            text(ExternType::Table(TableType { limits, is64: false, element })),
            "(table 1 2 (ref null (func (param i32 externref) (result v128))))"
        );
        let outer = kept.intern_func(FuncType::new([ValType::Ref(element)], []));
        assert_eq!(text(ExternType::Func(outer)), format!("(func (param (ref null <type {}>)))", func.0));
        assert_eq!(type_text(&registry, func), "(func (param i32 externref) (result v128))");
        let byte = FieldType { storage: StorageType::I8, mutable: true };
        let next = FieldType { storage: StorageType::Val(ValType::Ref(element)), mutable: false };
        let list = [CompositeType::Array(byte), CompositeType::Struct([byte, next].into())];
        let texts = list.map(|composite| {
            let types = vec![SubType { is_final: false, supertype: None, composite }];
            type_text(&registry, kept.intern(RecGroup { types }).unwrap())
        });
        assert_eq!(texts[0], "(sub (array (mut i8)))");
        assert_eq!(texts[1], format!("(sub (struct (field (mut i8)) (field (ref null <type {}>))))", func.0));
        let content = ValType::Ref(RefType { nullable: false, heap: HeapType::Exn });
        assert_eq!(text(ExternType::Global(GlobalType { content, mutable: true })), "(global (mut (ref exn)))");
    }
}
