//! Which types get the same id, and who is whose subtype.

use super::*;

fn reference(id: TypeId) -> ValType {
    ValType::Ref(RefType { nullable: true, heap: HeapType::Concrete(id) })
}

fn field(ty: ValType, mutable: bool) -> FieldType {
    FieldType { storage: StorageType::Val(ty), mutable }
}

/// An open struct type.
fn structure(supertype: Option<TypeId>, fields: &[FieldType]) -> SubType {
    SubType { is_final: false, supertype, composite: CompositeType::Struct(fields.into()) }
}

fn func(params: &[ValType], results: &[ValType]) -> SubType {
    let ty = Arc::new(FuncType::new(params, results));
    SubType { is_final: true, supertype: None, composite: CompositeType::Func(ty) }
}

fn intern(registry: &TypeRegistry, types: &[SubType]) -> TypeId {
    registry.intern(RecGroup { types: types.to_vec() })
}

/// `(rec (struct (ref null 1)) (func (param (ref null 0)) (result ty)))`
fn mutual(ty: ValType) -> [SubType; 2] {
    [structure(None, &[field(reference(RecGroup::local(1)), false)]), func(&[reference(RecGroup::local(0))], &[ty])]
}

#[test]
fn equal_groups_get_equal_ids() {
    let registry = TypeRegistry::new();
    let first = intern(&registry, &mutual(ValType::I32));
    let other = intern(&registry, &mutual(ValType::I64));
    assert_eq!((first, other), (TypeId(0), TypeId(2)));
    assert_eq!(intern(&registry, &mutual(ValType::I32)), first);
    assert_eq!(registry.func_type(TypeId(1)).unwrap().params(), [reference(TypeId(0))]);
    assert_eq!(registry.func_type(TypeId(3)).unwrap().params(), [reference(TypeId(2))]);
    assert_eq!(registry.func_type(first), None);
    assert_eq!(registry.sub_type(other).composite, CompositeType::Struct([field(reference(TypeId(3)), false)].into()));
}

#[test]
fn a_type_is_not_equal_to_its_like_in_another_group() {
    let registry = TypeRegistry::new();
    let alone = intern(&registry, &[func(&[], &[])]);
    let paired = intern(&registry, &[func(&[], &[]), func(&[], &[])]);
    assert_eq!(paired, TypeId(1));
    assert!(!registry.is_subtype(alone, paired) && !registry.is_subtype(TypeId(1), TypeId(2)));

    // `(rec (type (func (param (ref null 0)))))` is another type than one that takes a reference to *it*.
    let own = intern(&registry, &[func(&[reference(RecGroup::local(0))], &[])]);
    let outer = intern(&registry, &[func(&[reference(own)], &[])]);
    assert_ne!(own, outer);
    assert_eq!(registry.func_type(own), registry.func_type(outer));
}

#[test]
fn finality_supertype_and_mutability_tell_types_apart() {
    let registry = TypeRegistry::new();
    let open = structure(None, &[field(ValType::I32, false)]);
    let closed = SubType { is_final: true, ..open.clone() };
    let mutable = structure(None, &[field(ValType::I32, true)]);
    let packed = structure(None, &[FieldType { storage: StorageType::I8, mutable: false }]);
    let base = intern(&registry, std::slice::from_ref(&open));
    let derived = structure(Some(base), &[field(ValType::I32, false)]);
    let ids = [closed, mutable, packed, derived].map(|ty| intern(&registry, &[ty]));
    assert_eq!(ids, [1, 2, 3, 4].map(TypeId));
}

#[test]
fn function_types_of_the_host_are_those_of_modules() {
    let registry = TypeRegistry::new();
    let from_module = intern(&registry, &[func(&[ValType::I32], &[ValType::F64])]);
    let from_host = registry.intern_func(FuncType::new([ValType::I32], [ValType::F64]));
    assert_eq!(from_module, from_host);
    assert_ne!(registry.intern_func(FuncType::new([ValType::F64], [ValType::F64])), from_host);
}

#[test]
fn subtyping_follows_declared_supertypes() {
    let registry = TypeRegistry::new();
    let field_a = field(ValType::I32, false);
    let base = intern(&registry, &[structure(None, &[])]);
    let unrelated = intern(&registry, &[structure(None, &[field_a, field_a])]);
    // One group: a child of `base`, and its child.
    let child = intern(
        &registry,
        &[structure(Some(base), &[field_a]), structure(Some(RecGroup::local(0)), &[field_a, field_a])],
    );
    let grandchild = TypeId(child.0 + 1);
    let sibling = intern(&registry, &[structure(Some(base), &[field_a])]);

    for ty in [base, child, grandchild, sibling, unrelated] {
        assert!(registry.is_subtype(ty, ty));
    }
    assert!(registry.is_subtype(child, base));
    assert!(registry.is_subtype(grandchild, base));
    assert!(registry.is_subtype(grandchild, child));
    assert!(registry.is_subtype(sibling, base));
    assert!(!registry.is_subtype(base, child));
    assert!(!registry.is_subtype(child, grandchild));
    assert!(!registry.is_subtype(sibling, child) && !registry.is_subtype(child, sibling));
    assert!(!registry.is_subtype(grandchild, unrelated) && !registry.is_subtype(unrelated, base));
    assert_eq!(registry.display(grandchild), [base, child, grandchild]);
    assert_eq!(registry.sub_type(grandchild).supertype, Some(child));
}

#[test]
fn foreign_ids_match_nothing() {
    let registry = TypeRegistry::new();
    let id = intern(&registry, &[func(&[], &[])]);
    assert!(!registry.is_subtype(TypeId(900), id) && !registry.is_subtype(id, TypeId(900)));
    assert_eq!((registry.func_type(TypeId(900)), registry.get(RecGroup::local(0))), (None, None));
}

#[test]
fn an_empty_group_takes_no_id() {
    let registry = TypeRegistry::new();
    intern(&registry, &[]);
    assert_eq!(intern(&registry, &[func(&[], &[])]), TypeId(0));
    intern(&registry, &[]);
    assert_eq!(intern(&registry, &[func(&[ValType::I32], &[])]), TypeId(1));
}

#[test]
fn a_long_chain_of_types_is_dropped_without_recursion() {
    let registry = TypeRegistry::new();
    let mut last = intern(&registry, &[structure(None, &[])]);
    for _ in 0..100_000 {
        last = intern(&registry, &[structure(None, &[field(reference(last), false)])]);
    }
    assert_eq!(last, TypeId(100_000));
    drop(registry);
}

#[test]
fn threads_agree_on_ids() {
    let registry = TypeRegistry::new();
    let ids: Vec<Vec<TypeId>> = std::thread::scope(|scope| {
        let intern_all =
            || (0..500).map(|count| intern(&registry, &[func(&vec![ValType::I32; count], &[])])).collect::<Vec<_>>();
        let workers = [scope.spawn(intern_all), scope.spawn(intern_all)];
        workers.map(|worker| worker.join().unwrap()).into()
    });
    assert_eq!(ids[0], ids[1]);
    for (count, id) in ids[0].iter().enumerate() {
        assert_eq!(registry.func_type(*id).unwrap().params().len(), count);
    }
}
