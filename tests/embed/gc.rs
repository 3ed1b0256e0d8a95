//! Structs, arrays and unboxed integers as the host makes, reads and writes them, and values of the host behind `externref`.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use wasmr::{
    AnyRef, ArrayRef, ArrayRefPre, ArrayType, Caller, Config, Engine, EqRef, ExnRef, Extern, ExternRef, FieldType,
    Finality, Func, FuncType, HeapType, I31, Instance, ObjectError, ObjectTypeError, OwnedRooted, RefType, RootScope,
    Rooted, Stop, StorageType, Store, StoreLimits, StructRef, StructRefPre, StructType, Tag, Tuning, Unrooted, V128,
    Val, ValType,
};

use crate::support::{in_every_mode, instance, module};

/// Returns the configuration with a collection at each allocation.
fn stressed(config: &Config) -> Config {
    let mut config = config.clone();
    config.tuning(Tuning { gc_stress: true, ..Tuning::default() });
    config
}

fn field(ty: ValType) -> FieldType {
    FieldType { storage: StorageType::Val(ty), mutable: true }
}

/// A guest that builds a tree of the given depth, and sums the numbers of one.
const TREES: &str = r#"(module
    (rec (type $tree (sub (struct (field $left (mut (ref null $tree))) (field $right (mut (ref null $tree)))
                                  (field $number (mut i64))))))
    (func $build (export "build") (param i32) (result (ref $tree))
        (if (result (ref $tree)) (i32.eqz (local.get 0))
            (then (struct.new $tree (ref.null $tree) (ref.null $tree) (i64.const 1)))
            (else (struct.new $tree
                (call $build (i32.sub (local.get 0) (i32.const 1)))
                (call $build (i32.sub (local.get 0) (i32.const 1)))
                (i64.const 1)))))
    (func $sum (export "sum") (param (ref null $tree)) (result i64)
        (if (result i64) (ref.is_null (local.get 0))
            (then (i64.const 0))
            (else (i64.add (struct.get $tree $number (local.get 0))
                (i64.add (call $sum (struct.get $tree $left (local.get 0)))
                         (call $sum (struct.get $tree $right (local.get 0)))))))))"#;

/// Sums the numbers of a tree, in a handle scope for each node.
fn walk(store: &mut Store<()>, tree: Rooted<StructRef>) -> i64 {
    let mut sum = tree.field(&mut *store, 2).unwrap().i64().unwrap();
    for side in 0..2 {
        sum += store.scope(|store| match tree.field(&mut *store, side).unwrap() {
            Val::AnyRef(Some(child)) => {
                let child = child.unwrap_struct(&*store).unwrap();
                walk(store, child)
            }
            Val::AnyRef(None) => 0,
            other => panic!("{other:?}"),
        });
    }
    sum
}

in_every_mode! {
    fn the_host_walks_a_tree_of_the_guest(config) {
        for (config, depth) in [(config.clone(), 12), (stressed(&config), 6)] {
            let (mut store, instance) = instance(&Engine::new(&config), TREES, (), &[]);
            let build = instance.get_typed_func::<i32, Rooted<StructRef>>(&store, "build").unwrap();
            let tree = build.call(&mut store, depth).unwrap();
            assert_eq!(walk(&mut store, tree), (2 << depth) - 1);
        }
    }

    fn the_guest_walks_a_tree_of_the_host(config) {
        fn build(store: &mut Store<()>, pre: &StructRefPre, depth: u32) -> Rooted<StructRef> {
            let mut children = [Val::AnyRef(None); 2];
            if depth > 0 {
                children = [(); 2].map(|()| build(store, pre, depth - 1).into());
            }
            StructRef::new(store, pre, &[children[0], children[1], Val::I64(1)]).unwrap()
        }

        for (config, depth) in [(config.clone(), 10), (stressed(&config), 6)] {
            let (mut store, instance) = instance(&Engine::new(&config), TREES, (), &[]);
            let sum = instance.get_func(&store, "sum").unwrap();
            let ValType::Ref(RefType { heap: HeapType::Concrete(id), .. }) = sum.ty(&store).params()[0] else {
                panic!("the parameter is a tree")
            };
            let ty = StructType::from_id(store.registry(), id).unwrap();
            let pre = StructRefPre::new(&mut store, &ty).unwrap();
            let tree = build(&mut store, &pre, depth);
            let mut results = [Val::I32(0)];
            sum.call(&mut store, &[tree.into()], &mut results).unwrap();
            assert_eq!(results, [Val::I64((2 << depth) - 1)]);
            // A cycle is no problem for the collector, and the host can cut it.
            tree.set_field(&mut store, 0, tree.into()).unwrap();
            store.gc();
            let Val::AnyRef(Some(itself)) = tree.field(&mut store, 0).unwrap() else { panic!("no reference") };
            assert!(Rooted::ref_eq(&store, &itself, &tree).unwrap());
            tree.set_field(&mut store, 0, Val::AnyRef(None)).unwrap();
            sum.call(&mut store, &[tree.into()], &mut results).unwrap();
            assert_eq!(results, [Val::I64(1 << depth)]);
        }
    }

    fn fields_of_every_type(config) {
        let engine = Engine::new(&stressed(&config));
        let (mut store, instance) = instance(&engine, r#"(module
            (type $all (struct (field (mut i8)) (field (mut i16)) (field (mut i32)) (field (mut i64)) (field (mut f32))
                (field (mut f64)) (field (mut v128)) (field (mut funcref)) (field (mut externref)) (field (mut anyref))
                (field (mut exnref))))
            (func (export "copy") (param $from (ref $all)) (result (ref $all))
                (struct.new $all (struct.get_u $all 0 (local.get 0)) (struct.get_s $all 1 (local.get 0))
                    (struct.get $all 2 (local.get 0)) (struct.get $all 3 (local.get 0)) (struct.get $all 4 (local.get 0))
                    (struct.get $all 5 (local.get 0)) (struct.get $all 6 (local.get 0)) (struct.get $all 7 (local.get 0))
                    (struct.get $all 8 (local.get 0)) (struct.get $all 9 (local.get 0)) (struct.get $all 10 (local.get 0)))))"#,
            (), &[]);
        let packed = |storage| FieldType { storage, mutable: true };
        let types = [ValType::I32, ValType::I64, ValType::F32, ValType::F64, ValType::V128, ValType::FUNCREF,
            ValType::EXTERNREF, ValType::ANYREF, ValType::EXNREF];
        let fields = [packed(StorageType::I8), packed(StorageType::I16)].into_iter().chain(types.map(field));
        let ty = StructType::new(engine.types(), fields).unwrap();
        let pre = StructRefPre::new(&mut store, &ty).unwrap();
        let copy = instance.get_func(&store, "copy").unwrap();
        let host_value = ExternRef::new(&mut store, 5u8).unwrap();
        let integer = AnyRef::from_i31(&mut store, I31::wrapping_i32(-1));
        let tag = Tag::new(&mut store, FuncType::new([], []));
        let exception = ExnRef::new(&mut store, tag, &[]).unwrap();
        let values = [Val::I32(-1), Val::I32(-2), Val::I32(-3), Val::I64(i64::MIN), Val::F32(0x7fa0_0001), Val::from(-0.0f64),
            Val::V128(V128::from_u128(u128::MAX / 3)), copy.into(), host_value.into(), integer.into(), exception.into()];
        let object = StructRef::new(&mut store, &pre, &values).unwrap();
        let mut results = [Val::I32(0)];
        copy.call(&mut store, &[object.into()], &mut results).unwrap();
        let Val::AnyRef(Some(copied)) = results[0] else { panic!("no struct") };
        let copied = copied.unwrap_struct(&store).unwrap();
        assert_eq!(copied.ty(&store).unwrap(), ty);
        let mut expected = values;
        expected[0] = Val::I32(0xff);
        expected[1] = Val::I32(0xfffe);
        assert_eq!(copied.fields(&mut store).unwrap(), expected);
        for (index, value) in values.into_iter().enumerate() {
            copied.set_field(&mut store, index, value).unwrap();
            assert_eq!(copied.field(&mut store, index).unwrap(), expected[index]);
        }
        // An array of each type, too.
        for (ty, value) in types.into_iter().zip(&values[2..]) {
            let ty = ArrayType::new(engine.types(), field(ty)).unwrap();
            let pre = ArrayRefPre::new(&mut store, &ty).unwrap();
            let array = ArrayRef::new(&mut store, &pre, value, 3).unwrap();
            let fixed = ArrayRef::new_fixed(&mut store, &pre, &[*value; 3]).unwrap();
            assert_eq!(array.elems(&mut store).unwrap(), [*value; 3]);
            assert_eq!(fixed.elems(&mut store).unwrap(), [*value; 3]);
            array.set(&mut store, 2, *value).unwrap();
            array.fill(&mut store, 1, *value, 2).unwrap();
            assert_eq!(array.get(&mut store, 2).unwrap(), *value);
            assert_eq!(array.ty(&store).unwrap().element(), ty.element());
            assert!(matches!(array.bytes(&store), Err(ObjectError::NotBytes)));
        }
    }

    fn types_with_supertypes_are_those_of_modules(config) {
        let engine = Engine::new(&config);
        let (mut store, instance) = instance(&engine, r#"(module
            (type $shape (sub (struct (field (mut i32)))))
            (type $circle (sub final $shape (struct (field (mut i32)) (field (mut f64)))))
            (func (export "radius") (param (ref $shape)) (result f64)
                (struct.get $circle 1 (ref.cast (ref $circle) (local.get 0)))))"#, (), &[]);
        let new = |finality, supertype: Option<&StructType>, fields: &[FieldType]| {
            StructType::with_finality_and_supertype(engine.types(), finality, supertype, fields.iter().copied())
        };
        let [id, size] = [field(ValType::I32), field(ValType::F64)];
        let shape = new(Finality::NonFinal, None, &[id]).unwrap();
        let circle = new(Finality::Final, Some(&shape), &[id, size]).unwrap();
        let alone = new(Finality::Final, None, &[id, size]).unwrap();
        assert_eq!((circle.finality(), circle.supertype()), (Finality::Final, Some(shape.clone())));
        let radius = instance.get_func(&store, "radius").unwrap();
        for (ty, result) in [(&circle, Ok(2.5)), (&shape, Err("cast failure")), (&alone, Err("expected a value of type"))] {
            let pre = StructRefPre::new(&mut store, ty).unwrap();
            let values = &[Val::I32(1), Val::from(2.5)][..ty.fields().len()];
            let object = StructRef::new(&mut store, &pre, values).unwrap();
            let mut results = [Val::I32(0)];
            match (radius.call(&mut store, &[object.into()], &mut results), result) {
                (Ok(()), Ok(number)) => assert_eq!(results[0], Val::from(number)),
                (Err(error), Err(why)) => assert!(error.to_string().contains(why), "{error}"),
                other => panic!("{other:?}"),
            }
        }

        assert!(matches!(new(Finality::Final, Some(&circle), &[id, size]), Err(ObjectTypeError::FinalSupertype)));
        for fields in [&[][..], &[size], &[FieldType { mutable: false, ..id }]] {
            let error = new(Finality::Final, Some(&shape), fields).unwrap_err();
            assert_eq!(error.to_string(), "the type does not match its supertype (sub (struct (field (mut i32))))");
        }
        let mut deepest = shape;
        for _ in 0..63 {
            deepest = new(Finality::NonFinal, Some(&deepest), &[id]).unwrap();
        }
        assert!(matches!(new(Finality::Final, Some(&deepest), &[id]), Err(ObjectTypeError::Depth)));
        let wide = FieldType { storage: StorageType::Val(ValType::ANYREF), mutable: false };
        let narrow = FieldType { storage: StorageType::Val(ValType::Ref(circle.ref_type(false))), mutable: false };
        let array = |finality, supertype: Option<&ArrayType>, element| {
            ArrayType::with_finality_and_supertype(engine.types(), finality, supertype, element)
        };
        let any = array(Finality::NonFinal, None, wide).unwrap();
        assert_eq!(array(Finality::Final, Some(&any), narrow).unwrap().supertype(), Some(any.clone()));
        assert!(matches!(array(Finality::Final, Some(&any), id), Err(ObjectTypeError::Supertype(_))));
    }

    fn strings_are_arrays_of_bytes(config) {
        let (mut store, instance) = instance(&Engine::new(&stressed(&config)), r#"(module
            (type $string (array (mut i8)))
            (func (export "greet") (param $name (ref null array)) (result (ref $string))
                (local $from (ref $string)) (local $to (ref $string))
                (local.set $from (ref.cast (ref $string) (local.get $name)))
                (local.set $to (array.new_default $string (i32.add (i32.const 7) (array.len (local.get $from)))))
                (array.copy $string $string (local.get $to) (i32.const 7) (local.get $from) (i32.const 0)
                    (array.len (local.get $from)))
                (local.get $to)))"#, (), &[]);
        let greet = instance.get_typed_func::<Option<Rooted<ArrayRef>>, Rooted<ArrayRef>>(&store, "greet").unwrap();
        let bytes = FieldType { storage: StorageType::I8, mutable: true };
        let ty = ArrayType::new(store.registry(), bytes).unwrap();
        let pre = ArrayRefPre::new(&mut store, &ty).unwrap();
        let name = ArrayRef::from_bytes(&mut store, &pre, "wörld".as_bytes()).unwrap();
        let greeting = greet.call(&mut store, Some(name)).unwrap();
        greeting.write_bytes(&mut store, 0, b"hello, ").unwrap();
        assert_eq!(greeting.bytes(&store).unwrap(), "hello, wörld".as_bytes());
        assert!(matches!(greeting.write_bytes(&mut store, 12, b"lds"), Err(ObjectError::OutOfBounds { index: 13, len: 13 })));
        greeting.write_bytes(&mut store, 13, b"").unwrap();
        assert!(greet.call(&mut store, None).is_err(), "null is no string");
        let empty = ArrayRef::from_bytes(&mut store, &pre, b"").unwrap();
        assert_eq!(empty.bytes(&store).unwrap(), b"");
    }

    fn references_as_parameters_and_results_of_closures(config) {
        let engine = Engine::new(&stressed(&config));
        let mut store = Store::new(&engine, ());
        let module = module(&engine, r#"(module
            (import "" "next" (func $next (param i31ref) (result (ref i31))))
            (import "" "box" (func $box (param (ref i31)) (result (ref struct))))
            (import "" "same" (func $same (param eqref eqref) (result i32)))
            (func (export "run") (result i32) (local $box (ref struct))
                (local.set $box (call $box (call $next (ref.i31 (i32.const 41)))))
                (call $same (local.get $box) (local.get $box)))
            (func (export "null") (result i32) (i31.get_s (call $next (ref.null i31)))))"#);
        let ty = StructType::new(engine.types(), [field(ValType::ANYREF)]).unwrap();
        let pre = StructRefPre::new(&mut store, &ty).unwrap();
        let next = Func::wrap(&mut store, |n: Option<I31>| n.map_or(I31::wrapping_i32(-7), |n| I31::wrapping_u32(n.get_u32() + 1)));
        let boxed = Func::wrap(&mut store, move |mut caller: Caller<'_, ()>, n: I31| -> Result<Rooted<StructRef>, ObjectError> {
            let n = AnyRef::from_i31(&mut caller, n);
            // Garbage, so that the object is not the only one.
            StructRef::new(&mut caller, &pre, &[Val::AnyRef(None)])?;
            StructRef::new(&mut caller, &pre, &[n.into()])
        });
        let same = Func::wrap(&mut store, |mut caller: Caller<'_, ()>, a: Option<Rooted<EqRef>>, b: Option<Rooted<EqRef>>| {
            let (a, b) = (a.unwrap(), b.unwrap());
            let boxed = a.unwrap_struct(&caller).unwrap().field(&mut caller, 0).unwrap();
            let Val::AnyRef(Some(n)) = boxed else { panic!("no integer") };
            assert!(Rooted::ref_eq(&caller, &a, &b).unwrap() && !Rooted::ref_eq(&caller, &a, &n).unwrap());
            n.unwrap_i31(&caller).unwrap().get_i32()
        });
        let imports: [Extern; 3] = [next.into(), boxed.into(), same.into()];
        let instance = Instance::new(&mut store, &module, &imports).unwrap();
        let mut call = |name| instance.get_typed_func::<(), i32>(&store, name).unwrap().call(&mut store, ()).unwrap();
        assert_eq!((call("run"), call("null")), (42, -7));
    }

    fn a_host_function_that_allocates_and_calls_back(config) {
        let engine = Engine::new(&stressed(&config));
        let mut store = Store::new(&engine, ());
        let module = module(&engine, r#"(module
            (type $list (struct (field i32) (field anyref)))
            (import "" "push" (func $push (param i32 anyref) (result anyref)))
            (func (export "again") (param i32 anyref) (result anyref)
                (if (result anyref) (local.get 0)
                    (then (call $push (local.get 0) (local.get 1)))
                    (else (local.get 1)))))"#);
        let number = FieldType { storage: StorageType::Val(ValType::I32), mutable: false };
        let rest = FieldType { storage: StorageType::Val(ValType::ANYREF), mutable: false };
        let ty = StructType::new(engine.types(), [number, rest]).unwrap();
        let pre = StructRefPre::new(&mut store, &ty).unwrap();
        let push = Func::wrap(&mut store, move |mut caller: Caller<'_, ()>, n: i32, rest: Option<Rooted<AnyRef>>|
            -> Result<Option<Rooted<AnyRef>>, Stop> {
            let list = StructRef::new(&mut caller, &pre, &[Val::I32(n), rest.into()])?;
            let Some(Extern::Func(again)) = caller.get_export("again") else { panic!("no export") };
            let mut results = [Val::I32(0)];
            again.call(&mut caller, &[Val::I32(n - 1), list.into()], &mut results)?;
            let Val::AnyRef(result) = results[0] else { panic!("no reference") };
            Ok(result)
        });
        let instance = Instance::new(&mut store, &module, &[push.into()]).unwrap();
        let again = instance.get_func(&store, "again").unwrap();
        let mut results = [Val::I32(0)];
        again.call(&mut store, &[Val::I32(40), Val::AnyRef(None)], &mut results).unwrap();
        let mut numbers = Vec::new();
        while let Val::AnyRef(Some(list)) = results[0] {
            let list = list.unwrap_struct(&store).unwrap();
            numbers.push(list.field(&mut store, 0).unwrap().i32().unwrap());
            results[0] = list.field(&mut store, 1).unwrap();
        }
        assert_eq!(numbers, (1..=40).collect::<Vec<i32>>());
    }

    fn values_of_the_host_are_dropped_when_unreachable(config) {
        let engine = Engine::new(&config);
        let dropped = Arc::new(AtomicUsize::new(0));
        let mut store = Store::new(&engine, ());
        let counter = dropped.clone();
        let make = Func::wrap(&mut store, move |mut caller: Caller<'_, ()>| -> Result<Rooted<ExternRef>, Stop> {
            Ok(ExternRef::new(&mut caller, Counted(counter.clone()))?)
        });
        let module = module(&engine, r#"(module
            (import "" "make" (func $make (result (ref extern))))
            (type $box (struct (field externref)))
            (global $kept (mut (ref null $box)) (ref.null $box))
            (func (export "keep") (global.set $kept (struct.new $box (call $make))))
            (func (export "lose") (global.set $kept (ref.null $box))))"#);
        let instance = Instance::new(&mut store, &module, &[make.into()]).unwrap();
        let call = |store: &mut Store<()>, name| {
            instance.get_typed_func::<(), ()>(&*store, name).unwrap().call(&mut *store, ()).unwrap();
        };
        let count = || dropped.load(Ordering::Relaxed);
        call(&mut store, "keep");
        store.gc();
        assert_eq!(count(), 0);
        call(&mut store, "lose");
        store.gc();
        assert_eq!(count(), 1);
        call(&mut store, "keep");
        drop(store);
        assert_eq!(count(), 2);
    }

    fn values_freed_by_the_guests_collections_are_dropped_when_the_call_ends(config) {
        let (mut store, instance) = instance(&Engine::new(&config), r#"(module
            (type $bytes (array i8))
            (func (export "churn") (param i32)
                (loop (drop (array.new_default $bytes (i32.const 100000)))
                    (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))))"#, (), &[]);
        let dropped = Arc::new(AtomicUsize::new(0));
        store.scope(|store| {
            for _ in 0..3 {
                ExternRef::new(&mut *store, Counted(dropped.clone())).unwrap();
            }
            // A destructor that panics harms neither the call nor the other values. One may use another store.
            ExternRef::new(&mut *store, Angry).unwrap();
            let mut other = Store::new(&Engine::default(), ());
            ExternRef::new(&mut other, Counted(dropped.clone())).unwrap();
            ExternRef::new(&mut *store, UsesStore(other)).unwrap();
        });
        let churn = instance.get_typed_func::<i32, ()>(&store, "churn").unwrap();
        churn.call(&mut store, 200).unwrap();
        assert_eq!(dropped.load(Ordering::Relaxed), 4);
        let stats = store.gc_stats().unwrap();
        assert!(stats.collections >= 1 && stats.longest_pause <= stats.time, "{stats:?}");
        assert!(stats.bytes <= stats.peak_bytes && stats.peak_bytes > 1 << 20, "{stats:?}");
    }

    fn objects_of_a_full_heap(config) {
        let limits = StoreLimits { max_gc_heap_bytes: 1 << 20, ..StoreLimits::default() };
        let engine = Engine::new(&config);
        let mut store = Store::with_limits(&engine, limits, ());
        let ty = ArrayType::new(store.registry(), field(ValType::I64)).unwrap();
        let pre = ArrayRefPre::new(&mut store, &ty).unwrap();
        for len in [1 << 18, 1 << 29, u32::MAX] {
            let error = ArrayRef::new(&mut store, &pre, &Val::I64(0), len).unwrap_err();
            assert!(matches!(error, ObjectError::Resource(_)), "{error}");
        }
        let mut held = Vec::new();
        let error = loop {
            match ArrayRef::new(&mut store, &pre, &Val::I64(0), 1000) {
                Ok(array) => held.push(array),
                Err(error) => break error,
            }
        };
        assert_eq!(error.to_string(), "the garbage-collected heap exceeds the limit of 1048576 bytes");
        assert!(held.len() > 64, "{}", held.len());
        assert_eq!(held[0].get(&mut store, 999).unwrap(), Val::I64(0));
        // In scopes there is room for any number of objects.
        let mut store = Store::with_limits(&engine, limits, ());
        let pre = ArrayRefPre::new(&mut store, &ty).unwrap();
        for _ in 0..1000 {
            ArrayRef::new(RootScope::new(&mut store), &pre, &Val::I64(0), 1000).unwrap();
        }
    }
}

struct Counted(Arc<AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

struct Angry;

impl Drop for Angry {
    fn drop(&mut self) {
        panic!("a destructor panics");
    }
}

struct UsesStore(Store<()>);

impl Drop for UsesStore {
    fn drop(&mut self) {
        let one = Func::wrap(&mut self.0, || 1).typed::<(), i32>(&self.0).unwrap();
        assert_eq!(one.call(&mut self.0, ()).unwrap(), 1);
        self.0.gc();
    }
}

#[test]
fn destructors_that_panic_do_not_harm_the_end_of_a_store() {
    let dropped = Arc::new(AtomicUsize::new(0));
    for takes_data in [false, true] {
        let mut store = Store::new(&Engine::default(), Counted(dropped.clone()));
        ExternRef::new(&mut store, Angry).unwrap();
        ExternRef::new(&mut store, Counted(dropped.clone())).unwrap();
        if takes_data { drop(store.into_data()) } else { drop(store) }
    }
    assert_eq!(dropped.load(Ordering::Relaxed), 4);
}

#[test]
fn faults_of_the_embedder() {
    let engine = Engine::default();
    let mut store = Store::new(&engine, ());
    let constant = FieldType { storage: StorageType::Val(ValType::I32), mutable: false };
    let ty = StructType::new(engine.types(), [constant, field(ValType::EXTERNREF)]).unwrap();
    let pre = StructRefPre::new(&mut store, &ty).unwrap();
    let text = |result: Result<Rooted<StructRef>, ObjectError>| result.unwrap_err().to_string();
    assert_eq!(text(StructRef::new(&mut store, &pre, &[])), "the struct has 2 fields, not 0");
    assert_eq!(
        text(StructRef::new(&mut store, &pre, &[Val::I32(1), Val::AnyRef(None)])),
        "expected a value of type externref, found nullref"
    );
    let object = StructRef::new(&mut store, &pre, &[Val::I32(1), Val::ExternRef(None)]).unwrap();
    let set = |store: &mut Store<()>, index, value| object.set_field(store, index, value).unwrap_err().to_string();
    assert_eq!(set(&mut store, 0, Val::I32(2)), "the field is immutable");
    assert_eq!(set(&mut store, 2, Val::I32(2)), "index 2 is out of bounds: there are 2");
    assert_eq!(set(&mut store, 1, Val::I32(2)), "expected a value of type externref, found i32");

    let array = ArrayType::new(engine.types(), constant).unwrap();
    let pre = ArrayRefPre::new(&mut store, &array).unwrap();
    let array = ArrayRef::new(&mut store, &pre, &Val::I32(1), 3).unwrap();
    assert!(matches!(array.set(&mut store, 0, Val::I32(2)), Err(ObjectError::Immutable("array"))));
    assert!(matches!(array.get(&mut store, 3), Err(ObjectError::OutOfBounds { index: 3, len: 3 })));
    let fill = array.fill(&mut store, 1, Val::I32(0), u32::MAX);
    assert!(matches!(fill, Err(ObjectError::OutOfBounds { index: 3, len: 3 })), "{fill:?}");
    assert!(matches!(ArrayRef::from_bytes(&mut store, &pre, b"x"), Err(ObjectError::NotBytes)));

    assert!(StructType::new(engine.types(), vec![constant; 10_000]).is_ok());
    assert_eq!(
        StructType::new(engine.types(), vec![constant; 10_001]).unwrap_err().to_string(),
        "a struct type has at most 10000 fields, not 10001"
    );
    let unknown = RefType { nullable: true, heap: HeapType::Concrete(wasmr::TypeId(12345)) };
    assert!(StructType::new(engine.types(), [field(ValType::Ref(unknown))]).is_err());
    assert!(StructType::from_id(engine.types(), wasmr::TypeId(12345)).is_none());
}

#[test]
fn references_after_their_scope_and_in_other_stores() {
    let engine = Engine::default();
    let (mut store, mut other) = (Store::new(&engine, ()), Store::new(&engine, ()));
    let ty = StructType::new(engine.types(), [field(ValType::ANYREF)]).unwrap();
    let pre = StructRefPre::new(&mut store, &ty).unwrap();
    let (lost, owned) = {
        let mut scope = RootScope::new(&mut store);
        let object = StructRef::new(&mut scope, &pre, &[Val::AnyRef(None)]).unwrap();
        (object, object.to_owned_rooted(&mut scope).unwrap())
    };
    // A new object at the same place of the roots is not taken for the old one.
    let current = StructRef::new(&mut store, &pre, &[Val::AnyRef(None)]).unwrap();
    assert_eq!(lost.fields(&mut store), Err(Unrooted));
    assert_eq!(lost.is_struct(&store), Err(Unrooted));
    assert!(matches!(lost.field(&mut store, 0), Err(ObjectError::Unrooted(Unrooted))));
    assert!(matches!(current.set_field(&mut store, 0, lost.into()), Err(ObjectError::Type(_))));
    assert!(Rooted::ref_eq(&store, &lost, &current).is_err());
    store.gc();
    let kept = owned.clone().to_rooted(&mut store);
    assert_eq!(kept.fields(&mut store).unwrap(), [Val::AnyRef(None)]);
    assert_eq!(kept, lost, "the object is the same");
    assert!(kept.to_anyref().is_eqref(&store).unwrap() && !kept.is_array(&store).unwrap());
    assert!(kept.matches_ty(&store, HeapType::Struct).unwrap() && !kept.matches_ty(&store, HeapType::I31).unwrap());
    assert!(kept.matches_ty(&store, ty.ref_type(false).heap).unwrap());

    let panics = |body: &mut dyn FnMut()| std::panic::catch_unwind(std::panic::AssertUnwindSafe(body)).is_err();
    assert!(panics(&mut || drop(kept.fields(&mut other))));
    assert!(panics(&mut || assert_eq!(owned.to_rooted(&mut other), kept)));
    assert!(panics(&mut || drop(StructRef::new(&mut other, &pre, &[Val::AnyRef(None)]))));
    assert!(panics(&mut || drop(StructRefPre::new(&mut Store::new(&Engine::default(), ()), &ty))));
    // An owned reference may outlive its store.
    let owned: OwnedRooted<StructRef> = owned;
    drop(store);
    drop(owned);
}
