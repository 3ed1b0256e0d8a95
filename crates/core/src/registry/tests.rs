//! Tests of the registry: equality of types, declared subtypes, and the lifetime of types.

use super::*;

fn reference(id: TypeId) -> ValType {
    ValType::Ref(RefType { nullable: true, heap: HeapType::Concrete(id) })
}

fn field(ty: ValType, mutable: bool) -> FieldType {
    FieldType { storage: StorageType::Val(ty), mutable }
}

/// Returns a struct type that may have subtypes.
fn structure(supertype: Option<TypeId>, fields: &[FieldType]) -> SubType {
    SubType { is_final: false, supertype, composite: CompositeType::Struct(fields.into()) }
}

fn func(params: &[ValType], results: &[ValType]) -> SubType {
    let ty = Arc::new(FuncType::new(params, results));
    SubType { is_final: true, supertype: None, composite: CompositeType::Func(ty) }
}

/// A registry with an owner of all its types.
struct World {
    registry: Arc<TypeRegistry>,
    types: Types,
}

impl World {
    fn new() -> World {
        let registry = Arc::new(TypeRegistry::new());
        World { types: Types::new(&registry), registry }
    }
}

impl Deref for World {
    type Target = TypeRegistry;

    fn deref(&self) -> &TypeRegistry {
        &self.registry
    }
}

fn keep(types: &mut Types, group: &[SubType]) -> TypeId {
    types.intern(RecGroup { types: group.to_vec() }).unwrap()
}

fn intern(world: &mut World, group: &[SubType]) -> TypeId {
    keep(&mut world.types, group)
}

/// Returns `(rec (struct (ref null 1)) (func (param (ref null 0)) (result ty)))`.
fn mutual(ty: ValType) -> [SubType; 2] {
    [structure(None, &[field(reference(RecGroup::local(1)), false)]), func(&[reference(RecGroup::local(0))], &[ty])]
}

#[test]
fn equal_groups_get_equal_ids() {
    let mut registry = World::new();
    let first = intern(&mut registry, &mutual(ValType::I32));
    let other = intern(&mut registry, &mutual(ValType::I64));
    assert_eq!((first, other), (TypeId(0), TypeId(2)));
    assert_eq!(intern(&mut registry, &mutual(ValType::I32)), first);
    assert_eq!(registry.func_type(TypeId(1)).unwrap().params(), [reference(TypeId(0))]);
    assert_eq!(registry.func_type(TypeId(3)).unwrap().params(), [reference(TypeId(2))]);
    assert_eq!(registry.func_type(first), None);
    assert_eq!(registry.sub_type(other).composite, CompositeType::Struct([field(reference(TypeId(3)), false)].into()));
}

#[test]
fn equal_types_in_different_groups_are_different() {
    let mut registry = World::new();
    let alone = intern(&mut registry, &[func(&[], &[])]);
    let paired = intern(&mut registry, &[func(&[], &[]), func(&[], &[])]);
    assert_eq!(paired, TypeId(1));
    assert!(!registry.is_subtype(alone, paired) && !registry.is_subtype(TypeId(1), TypeId(2)));

    // `(rec (type (func (param (ref null 0)))))` differs from a function type that takes a reference to that type.
    let own = intern(&mut registry, &[func(&[reference(RecGroup::local(0))], &[])]);
    let outer = intern(&mut registry, &[func(&[reference(own)], &[])]);
    assert_ne!(own, outer);
    assert_eq!(registry.func_type(own), registry.func_type(outer));
}

#[test]
fn types_differ_by_finality_supertype_and_mutability() {
    let mut registry = World::new();
    let open = structure(None, &[field(ValType::I32, false)]);
    let closed = SubType { is_final: true, ..open.clone() };
    let mutable = structure(None, &[field(ValType::I32, true)]);
    let packed = structure(None, &[FieldType { storage: StorageType::I8, mutable: false }]);
    let base = intern(&mut registry, std::slice::from_ref(&open));
    let derived = structure(Some(base), &[field(ValType::I32, false)]);
    let ids = [closed, mutable, packed, derived].map(|ty| intern(&mut registry, &[ty]));
    assert_eq!(ids, [1, 2, 3, 4].map(TypeId));
}

#[test]
fn the_host_and_modules_share_function_types() {
    let mut registry = World::new();
    let from_module = intern(&mut registry, &[func(&[ValType::I32], &[ValType::F64])]);
    let from_host = registry.types.intern_func(FuncType::new([ValType::I32], [ValType::F64]));
    assert_eq!(from_module, from_host);
    assert_ne!(registry.types.intern_func(FuncType::new([ValType::F64], [ValType::F64])), from_host);
}

#[test]
fn subtyping_follows_declared_supertypes() {
    let mut registry = World::new();
    let field_a = field(ValType::I32, false);
    let base = intern(&mut registry, &[structure(None, &[])]);
    let unrelated = intern(&mut registry, &[structure(None, &[field_a, field_a])]);
    // One group with a child of `base` and a grandchild.
    let child = intern(
        &mut registry,
        &[structure(Some(base), &[field_a]), structure(Some(RecGroup::local(0)), &[field_a, field_a])],
    );
    let grandchild = TypeId(child.0 + 1);
    let sibling = intern(&mut registry, &[structure(Some(base), &[field_a])]);

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
    // The second time the answers come from the cache.
    assert!(registry.is_subtype(grandchild, base) && !registry.is_subtype(base, child));
    assert_eq!(registry.sub_type(grandchild).supertype, Some(child));
}

#[test]
fn unknown_ids_match_nothing() {
    let mut registry = World::new();
    let id = intern(&mut registry, &[func(&[], &[])]);
    assert!(!registry.is_subtype(TypeId(900), id) && !registry.is_subtype(id, TypeId(900)));
    assert_eq!((registry.func_type(TypeId(900)), registry.get(RecGroup::local(0)).is_none()), (None, true));
}

#[test]
fn an_empty_group_takes_no_id() {
    let mut registry = World::new();
    intern(&mut registry, &[]);
    assert_eq!(intern(&mut registry, &[func(&[], &[])]), TypeId(0));
    intern(&mut registry, &[]);
    assert_eq!(intern(&mut registry, &[func(&[ValType::I32], &[])]), TypeId(1));
}

#[test]
fn a_long_chain_of_types_is_dropped_without_recursion() {
    let mut registry = World::new();
    let mut last = intern(&mut registry, &[structure(None, &[])]);
    for _ in 0..100_000 {
        last = intern(&mut registry, &[structure(None, &[field(reference(last), false)])]);
    }
    assert_eq!((last, registry.len()), (TypeId(100_000), 100_001));
    let World { registry, types } = registry;
    // Another owner keeps the last type of the chain, which keeps all others.
    let mut one = Types::new(&registry);
    assert!(one.keep(last));
    drop(types);
    assert_eq!(registry.len(), 100_001);
    drop(one);
    assert!(registry.is_empty());
}

#[test]
fn a_group_lives_as_long_as_an_owner_keeps_it() {
    let registry = Arc::new(TypeRegistry::new());
    let (mut first, mut second) = (Types::new(&registry), Types::new(&registry));
    let of = [func(&[ValType::I32], &[])];
    let id = keep(&mut first, &of);
    assert_eq!(keep(&mut second, &of), id);
    assert_eq!(second.intern_func(FuncType::new([ValType::I32], [])), id);
    drop(first);
    assert!(registry.get(id).is_some());
    drop(second);
    assert!(registry.get(id).is_none() && registry.is_empty());
    assert_eq!(registry.find_func(&Arc::new(FuncType::new([ValType::I32], []))), None);
}

#[test]
fn ids_are_not_reused() {
    let registry = Arc::new(TypeRegistry::new());
    let mut seen = HashSet::new();
    let mut stale: Vec<TypeId> = Vec::new();
    for round in 0..1000 {
        let mut types = Types::new(&registry);
        let base = keep(&mut types, &[structure(None, &[field(ValType::I32, round % 2 == 0)])]);
        let derived = keep(&mut types, &[structure(Some(base), &[field(ValType::I32, round % 2 == 0)])]);
        assert!(registry.is_subtype(derived, base) && !registry.is_subtype(base, derived));
        assert!(seen.insert(base) && seen.insert(derived), "an id was reused");
        for &id in &stale {
            assert!(registry.get(id).is_none() && !types.keep(id));
            assert!(!registry.is_subtype(derived, id) && !registry.is_subtype(id, base));
        }
        stale = vec![base, derived];
    }
    assert!(registry.is_empty());
}

#[test]
fn a_type_keeps_the_types_that_it_refers_to() {
    let registry = Arc::new(TypeRegistry::new());
    let mut module = Types::new(&registry);
    let base = keep(&mut module, &[structure(None, &[])]);
    let derived = keep(&mut module, &[structure(Some(base), &[])]);
    let mut host = Types::new(&registry);
    let ty = FuncType::new([reference(derived), reference(derived)], [ValType::I32]);
    let id = host.intern_func(ty);
    drop(module);
    assert_eq!(registry.len(), 3);
    assert!(registry.is_subtype(derived, base));
    assert_eq!(registry.func_type(id).unwrap().params()[0], reference(derived));
    drop(host);
    assert!(registry.is_empty());
}

#[test]
fn interning_fails_when_no_ids_are_left() {
    let registry = Arc::new(TypeRegistry::new());
    let mut types = Types::new(&registry);
    let known = keep(&mut types, &[func(&[], &[])]);
    registry.state.write().unwrap().next = REC_BASE - RESERVED - 1;
    keep(&mut types, &[func(&[ValType::I32], &[])]);
    let error = types.intern(RecGroup { types: vec![func(&[ValType::I64], &[])] }).unwrap_err();
    assert_eq!(error, IdsUsedUp);
    assert_eq!(keep(&mut types, &[func(&[], &[])]), known, "a type that exists needs no new id");
    let host = types.intern_func(FuncType::new([ValType::F32], []));
    assert_eq!(host, TypeId(REC_BASE - RESERVED));
}

#[test]
fn threads_intern_and_drop_concurrently() {
    let registry = Arc::new(TypeRegistry::new());
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for round in 0..3000u32 {
                    let mut types = Types::new(&registry);
                    let shared = keep(&mut types, &mutual(ValType::I32));
                    let other = keep(&mut types, &mutual([ValType::I64, ValType::F32][round as usize % 2]));
                    assert_ne!(shared, other);
                    assert_eq!(keep(&mut types, &mutual(ValType::I32)), shared);
                    let second = TypeId(shared.0 + 1);
                    assert_eq!(registry.func_type(second).unwrap().results(), [ValType::I32]);
                    assert_eq!(registry.func_type(second).unwrap().params(), [reference(shared)]);
                }
            });
        }
    });
    assert!(registry.is_empty());
}

#[test]
fn threads_agree_on_ids() {
    let registry = Arc::new(TypeRegistry::new());
    let kept: Vec<(Types, Vec<TypeId>)> = std::thread::scope(|scope| {
        let intern_all = || {
            let mut types = Types::new(&registry);
            let ids = (0..500).map(|count| keep(&mut types, &[func(&vec![ValType::I32; count], &[])])).collect();
            (types, ids)
        };
        let workers = [scope.spawn(intern_all), scope.spawn(intern_all)];
        workers.map(|worker| worker.join().unwrap()).into()
    });
    assert_eq!(kept[0].1, kept[1].1);
    for (count, id) in kept[0].1.iter().enumerate() {
        assert_eq!(registry.func_type(*id).unwrap().params().len(), count);
    }
}
