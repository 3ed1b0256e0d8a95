//! The [matching rules](https://webassembly.github.io/spec/core/valid/matching.html) of the specification, for casts, for
//! values that the host passes, and for linking.
//!
//! Types refer to other types by canonical id. Two equal ids mean equal types, and the registry knows the declared supertypes.
//! Validation itself is the decoder's task.

use crate::registry::TypeRegistry;
use crate::types::{CompositeType, ExternType, FieldType, HeapType, Limits, RefType, StorageType, ValType};

/// Returns the top type of the hierarchy that a heap type belongs to: `Any`, `Func`, `Extern` or `Exn`.
///
/// # Panics
/// If the registry does not have a concrete type.
pub fn heap_top(registry: &TypeRegistry, heap: HeapType) -> HeapType {
    match heap {
        HeapType::Func | HeapType::NoFunc => HeapType::Func,
        HeapType::Extern | HeapType::NoExtern => HeapType::Extern,
        HeapType::Exn | HeapType::NoExn => HeapType::Exn,
        HeapType::Any | HeapType::Eq | HeapType::I31 | HeapType::Struct | HeapType::Array | HeapType::None => {
            HeapType::Any
        }
        HeapType::Concrete(id) => match registry.sub_type(id).composite {
            CompositeType::Func(_) => HeapType::Func,
            CompositeType::Struct(_) | CompositeType::Array(_) => HeapType::Any,
        },
    }
}

/// Returns true if heap type `sub` [matches](https://webassembly.github.io/spec/core/valid/matching.html#heap-types) `sup`. The
/// registry must have the concrete types.
pub fn heap_matches(registry: &TypeRegistry, sub: HeapType, sup: HeapType) -> bool {
    use HeapType::{Any, Array, Concrete, Eq, Exn, Extern, Func, I31, NoExn, NoExtern, NoFunc, None, Struct};
    match (sub, sup) {
        _ if sub == sup => true,
        (Concrete(sub), Concrete(sup)) => registry.is_subtype(sub, sup),
        (Concrete(sub), _) => registry.get(sub).is_some_and(|ty| match ty.composite {
            CompositeType::Func(_) => sup == Func,
            CompositeType::Struct(_) => matches!(sup, Struct | Eq | Any),
            CompositeType::Array(_) => matches!(sup, Array | Eq | Any),
        }),
        (I31 | Struct | Array, Eq | Any) | (Eq, Any) => true,
        (None, _) => heap_top(registry, sup) == Any,
        (NoFunc, _) => heap_top(registry, sup) == Func,
        (NoExtern, _) => sup == Extern,
        (NoExn, _) => sup == Exn,
        _ => false,
    }
}

/// Returns true if reference type `sub` matches `sup`. A nullable type does not match one without null.
fn ref_matches(registry: &TypeRegistry, sub: RefType, sup: RefType) -> bool {
    (sup.nullable || !sub.nullable) && heap_matches(registry, sub.heap, sup.heap)
}

/// Returns true if value type `sub` matches `sup`.
pub fn val_matches(registry: &TypeRegistry, sub: ValType, sup: ValType) -> bool {
    match (sub, sup) {
        (ValType::Ref(sub), ValType::Ref(sup)) => ref_matches(registry, sub, sup),
        _ => sub == sup,
    }
}

/// Returns true if a field of type `sub` can be used as one of type `sup`
/// ([field types](https://webassembly.github.io/spec/core/valid/matching.html#field-types)).
fn field_matches(registry: &TypeRegistry, sub: FieldType, sup: FieldType) -> bool {
    match (sub.storage, sup.storage) {
        _ if sub.mutable || sup.mutable => sub == sup,
        (StorageType::Val(sub), StorageType::Val(sup)) => val_matches(registry, sub, sup),
        (sub, sup) => sub == sup,
    }
}

/// Returns true if a struct or array type may be declared as a subtype of `sup`
/// ([composite types](https://webassembly.github.io/spec/core/valid/matching.html#composite-types)). Function types do not match.
pub fn object_matches(registry: &TypeRegistry, sub: &CompositeType, sup: &CompositeType) -> bool {
    match (sub, sup) {
        (CompositeType::Struct(sub), CompositeType::Struct(sup)) => {
            sub.len() >= sup.len() && sub.iter().zip(sup.iter()).all(|(&sub, &sup)| field_matches(registry, sub, sup))
        }
        (CompositeType::Array(sub), CompositeType::Array(sup)) => field_matches(registry, *sub, *sup),
        _ => false,
    }
}

/// Returns true if `actual` lies within `expected`: its minimum is at least as large, and it has a maximum at most as
/// large if `expected` has one. See [limits](https://webassembly.github.io/spec/core/valid/matching.html#limits).
fn limits_match(actual: Limits, expected: Limits) -> bool {
    let max_fits = match (actual.max, expected.max) {
        (_, None) => true,
        (None, Some(_)) => false,
        (Some(actual), Some(expected)) => actual <= expected,
    };
    actual.min >= expected.min && max_fits
}

/// Returns true if an object of type `actual` can be imported as `expected`. For tables and memories the minimum of `actual`
/// is the current size. See [external types](https://webassembly.github.io/spec/core/valid/matching.html#external-types).
pub fn extern_matches(registry: &TypeRegistry, actual: &ExternType, expected: &ExternType) -> bool {
    match (actual, expected) {
        (ExternType::Func(actual), ExternType::Func(expected)) => registry.is_subtype(*actual, *expected),
        // The importer may read and write elements, so the types must match both ways. For canonical types this is equality.
        (ExternType::Table(actual), ExternType::Table(expected)) => {
            actual.is64 == expected.is64
                && actual.element == expected.element
                && limits_match(actual.limits, expected.limits)
        }
        (ExternType::Memory(actual), ExternType::Memory(expected)) => {
            actual.is64 == expected.is64
                && actual.shared == expected.shared
                && actual.page_size_log2 == expected.page_size_log2
                && limits_match(actual.limits, expected.limits)
        }
        (ExternType::Global(actual), ExternType::Global(expected)) => {
            // The importer may write a mutable global, so the types must match both ways.
            let content_matches = if expected.mutable {
                actual.content == expected.content
            } else {
                val_matches(registry, actual.content, expected.content)
            };
            actual.mutable == expected.mutable && content_matches
        }
        (ExternType::Tag(actual), ExternType::Tag(expected)) => actual == expected,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::registry::{RecGroup, Types};
    use crate::types::{FieldType, FuncType, GlobalType, MemoryType, StorageType, SubType, TableType, TypeId};

    /// Returns a registry with a struct type, its subtype, an array type and a function type.
    fn registry() -> (Arc<TypeRegistry>, Types, [TypeId; 4]) {
        let registry = Arc::new(TypeRegistry::new());
        let mut types = Types::new(&registry);
        let byte = FieldType { storage: StorageType::I8, mutable: true };
        let open = |supertype, composite| RecGroup { types: vec![SubType { is_final: false, supertype, composite }] };
        let parent = types.intern(open(None, CompositeType::Struct([].into()))).unwrap();
        let child = types.intern(open(Some(parent), CompositeType::Struct([byte].into()))).unwrap();
        let array = types.intern(open(None, CompositeType::Array(byte))).unwrap();
        let func = types.intern_func(FuncType::new([], []));
        (registry, types, [parent, child, array, func])
    }

    fn limits(min: u64, max: Option<u64>) -> Limits {
        Limits { min, max }
    }

    #[test]
    fn heap_types_form_four_hierarchies() {
        use HeapType::*;
        let (registry, _types, [parent, child, array, func]) = registry();
        let [parent, child, array, func] = [parent, child, array, func].map(Concrete);
        // Each type with the other types that it matches.
        let rows: [(HeapType, &[HeapType]); 16] = [
            (Any, &[]),
            (Eq, &[Any]),
            (I31, &[Eq, Any]),
            (Struct, &[Eq, Any]),
            (Array, &[Eq, Any]),
            (None, &[Any, Eq, I31, Struct, Array, parent, child, array]),
            (Func, &[]),
            (NoFunc, &[Func, func]),
            (Extern, &[]),
            (NoExtern, &[Extern]),
            (Exn, &[]),
            (NoExn, &[Exn]),
            (parent, &[Struct, Eq, Any]),
            (child, &[parent, Struct, Eq, Any]),
            (array, &[Array, Eq, Any]),
            (func, &[Func]),
        ];
        for (sub, supers) in rows {
            for (sup, _) in rows {
                let expected = sub == sup || supers.contains(&sup);
                assert_eq!(heap_matches(&registry, sub, sup), expected, "{sub:?} {sup:?}");
            }
        }
        assert_eq!(
            [None, child, NoFunc, func, NoExn, NoExtern].map(|heap| heap_top(&registry, heap)),
            [Any, Any, Func, Func, Exn, Extern]
        );
    }

    #[test]
    fn a_nullable_type_matches_no_type_without_null() {
        let (registry, ..) = registry();
        let non_null = RefType { nullable: false, heap: HeapType::Func };
        assert!(ref_matches(&registry, non_null, RefType::FUNCREF));
        assert!(!ref_matches(&registry, RefType::FUNCREF, non_null));
        assert!(!val_matches(&registry, ValType::I32, ValType::FUNCREF));
        assert!(val_matches(&registry, ValType::I32, ValType::I32));
    }

    #[test]
    fn imported_limits_may_be_narrower() {
        assert!(limits_match(limits(2, Some(3)), limits(1, None)));
        assert!(limits_match(limits(2, Some(3)), limits(2, Some(3))));
        assert!(!limits_match(limits(1, None), limits(2, None)));
        assert!(!limits_match(limits(2, None), limits(2, Some(3))));
        assert!(!limits_match(limits(2, Some(4)), limits(2, Some(3))));
    }

    #[test]
    fn imports_match_by_kind_and_mutability() {
        let (registry, _types, [parent, child, _, func]) = registry();
        let matches = |actual, expected| extern_matches(&registry, &actual, &expected);
        let element = |id| RefType { nullable: true, heap: HeapType::Concrete(id) };

        let table = |element| ExternType::Table(TableType { limits: limits(1, None), is64: false, element });
        assert!(matches(table(element(child)), table(element(child))));
        assert!(!matches(table(element(child)), table(element(parent))));

        let global = |id, mutable| ExternType::Global(GlobalType { content: ValType::Ref(element(id)), mutable });
        assert!(matches(global(child, false), global(parent, false)));
        assert!(!matches(global(parent, false), global(child, false)));
        assert!(!matches(global(child, true), global(parent, true)));
        assert!(matches(global(child, true), global(child, true)));
        assert!(!matches(global(child, true), global(child, false)));

        let memory = |is64, shared| ExternType::Memory(MemoryType { is64, shared, ..MemoryType::new(1, Some(1)) });
        assert!(matches(memory(false, true), memory(false, true)));
        assert!(!matches(memory(true, false), memory(false, false)));
        assert!(!matches(memory(false, true), memory(false, false)));

        assert!(matches(ExternType::Func(func), ExternType::Func(func)));
        assert!(matches(ExternType::Tag(func), ExternType::Tag(func)));
        assert!(!matches(ExternType::Tag(func), ExternType::Func(func)));
    }
}
