//! Resources of the host and of components: ownership, borrows, destructors.

use wasmr_canon::{Linker, Resource, ResourceAny, ResourceType, Val};
use wasmr_runtime::{Stop, Store, StoreContextMut};

use crate::{component, in_all_modes, instance};

struct Counter;

const HOST: &str = r#"
    (import "host" (instance $host
        (export "counter" (type $t (sub resource)))
        (export "[constructor]counter" (func (param "start" u32) (result (own $t))))
        (export "[method]counter.get" (func (param "self" (borrow $t)) (result u32)))
        (export "take" (func (param "c" (own $t)) (result u32)))
        (export "both" (func (param "a" (borrow $t)) (param "b" (own $t))))))
    (alias export $host "counter" (type $t))
    (core func $new (canon lower (func $host "[constructor]counter")))
    (core func $get (canon lower (func $host "[method]counter.get")))
    (core func $take (canon lower (func $host "take")))
    (core func $both (canon lower (func $host "both")))
    (core func $drop (canon resource.drop $t))
    (core module $M
        (import "" "new" (func $new (param i32) (result i32)))
        (import "" "get" (func $get (param i32) (result i32)))
        (import "" "take" (func $take (param i32) (result i32)))
        (import "" "both" (func $both (param i32 i32)))
        (import "" "drop" (func $drop (param i32)))
        (func (export "make") (param i32) (result i32) (call $new (local.get 0)))
        (func (export "run") (result i32)
            (local $a i32) (local $b i32)
            (local.set $a (call $new (i32.const 7)))
            (local.set $b (call $new (i32.const 8)))
            (if (i32.ne (local.get $b) (i32.const 2)) (then unreachable))
            (call $drop (local.get $a))
            (i32.add (call $get (local.get $b)) (call $take (local.get $b))))
        (func (export "look") (param i32) (result i32)
            (local $n i32)
            (local.set $n (call $get (local.get 0)))
            (call $drop (local.get 0))
            (local.get $n))
        (func (export "keep") (param i32))
        (func (export "lend") (local $a i32)
            (local.set $a (call $new (i32.const 1)))
            (call $both (local.get $a) (local.get $a))))
    (core instance $m (instantiate $M (with "" (instance
        (export "new" (func $new)) (export "get" (func $get)) (export "take" (func $take))
        (export "both" (func $both)) (export "drop" (func $drop))))))
    (func (export "run") (result u32) (canon lift (core func $m "run")))
    (func (export "make") (param "start" u32) (result (own $t)) (canon lift (core func $m "make")))
    (func (export "look") (param "c" (borrow $t)) (result u32) (canon lift (core func $m "look")))
    (func (export "keep") (param "c" (borrow $t)) (canon lift (core func $m "keep")))
    (func (export "lend") (canon lift (core func $m "lend")))"#;

fn linker() -> Linker<Vec<u32>> {
    let mut linker = Linker::new();
    let mut host = linker.instance("host").unwrap();
    type Cx<'a> = StoreContextMut<'a, Vec<u32>>;
    host.resource("counter", ResourceType::host::<Counter>(), |mut store: Cx<'_>, rep| -> Result<(), Stop> {
        store.data_mut().push(rep);
        Ok(())
    })
    .unwrap();
    host.func_wrap("[constructor]counter", |_: Cx<'_>, (start,): (u32,)| {
        Ok::<_, Stop>(Resource::<Counter>::new_own(100 + start))
    })
    .unwrap();
    host.func_wrap("[method]counter.get", |_: Cx<'_>, (counter,): (Resource<Counter>,)| {
        assert!(!counter.owned());
        Ok::<_, Stop>(counter.rep())
    })
    .unwrap();
    host.func_wrap("take", |_: Cx<'_>, (counter,): (Resource<Counter>,)| {
        assert!(counter.owned());
        Ok::<_, Stop>(counter.rep())
    })
    .unwrap();
    host.func_wrap("both", |_: Cx<'_>, _: (Resource<Counter>, Resource<Counter>)| Ok::<_, Stop>(())).unwrap();
    linker
}

#[test]
fn resources_of_the_host_belong_to_whoever_has_them() {
    in_all_modes(|engine| {
        let pre = linker().prepare(&component(engine, &format!("(component {HOST})"))).unwrap();
        let mut store = Store::new(engine, Vec::new());
        let instance = pre.instantiate(&mut store).unwrap();
        let run = instance.get_typed_func::<(), u32>(&mut store, "run").unwrap();
        assert_eq!(run.call(&mut store, ()).unwrap(), 216);
        assert_eq!(*store.data(), [107]);

        // The embedder owns what a component returns, lends it, and drops it.
        let make = instance.get_typed_func::<(u32,), ResourceAny>(&mut store, "make").unwrap();
        let look = instance.get_typed_func::<(ResourceAny,), u32>(&mut store, "look").unwrap();
        let counter = make.call(&mut store, (5,)).unwrap();
        assert_eq!(counter.ty(), ResourceType::host::<Counter>());
        assert_eq!(look.call(&mut store, (counter,)).unwrap(), 105);
        assert_eq!(look.call(&mut store, (counter,)).unwrap(), 105);
        counter.resource_drop(&mut store).unwrap();
        assert_eq!(*store.data(), [107, 105]);
        let stop = look.call(&mut store, (counter,)).unwrap_err();
        assert!(stop.to_string().starts_with("the resource was passed on or dropped before"), "{stop}");
        assert!(counter.resource_drop(&mut store).is_err());

        let typed = instance.get_typed_func::<(u32,), Resource<Counter>>(&mut store, "make").unwrap();
        assert_eq!(typed.call(&mut store, (1,)).unwrap().rep(), 101);
        let error = instance.get_typed_func::<(u32,), Resource<u8>>(&mut store, "make").unwrap_err();
        assert!(error.to_string().contains("found another resource"), "{error}");

        // A borrow must be dropped before the call returns.
        let counter = make.call(&mut store, (6,)).unwrap();
        let keep = instance.get_func(&mut store, "keep").unwrap();
        let stop = keep.call(&mut store, &[Val::Resource(counter)]).unwrap_err();
        assert!(stop.to_string().contains("borrow handles still remain at the end of the call"), "{stop}");
        // It is given back nevertheless.
        counter.resource_drop(&mut store).unwrap();
        assert_eq!(*store.data(), [107, 105, 106]);
    });
}

#[test]
fn a_resource_is_not_given_away_while_it_is_lent() {
    in_all_modes(|engine| {
        let pre = linker().prepare(&component(engine, &format!("(component {HOST})"))).unwrap();
        let mut store = Store::new(engine, Vec::new());
        let instance = pre.instantiate(&mut store).unwrap();
        let lend = instance.get_typed_func::<(), ()>(&mut store, "lend").unwrap();
        let stop = lend.call(&mut store, ()).unwrap_err();
        let expected = "wasm trap: cannot remove owned resource while borrowed (argument 2 `b` of `host#both`)";
        assert!(stop.to_string().starts_with(expected), "{stop}");
    });
}

const DEFINER: &str = r#"(component
    (core module $D
        (global $last (mut i32) (i32.const 0))
        (func (export "dtor") (param i32)
            (if (i32.eq (local.get 0) (i32.const 13)) (then unreachable))
            (global.set $last (local.get 0)))
        (func (export "last") (result i32) (global.get $last)))
    (core instance $d (instantiate $D))
    (type $r' (resource (rep i32) (dtor (core func $d "dtor"))))
    (export $r "r" (type $r'))
    (core func $new (canon resource.new $r'))
    (core module $M
        (import "" "new" (func $new (param i32) (result i32)))
        (func (export "make") (param i32) (result i32) (call $new (local.get 0)))
        (func (export "rep") (param i32) (result i32) (local.get 0)))
    (core instance $m (instantiate $M (with "" (instance (export "new" (func $new))))))
    (func (export "make") (param "rep" u32) (result (own $r)) (canon lift (core func $m "make")))
    (func (export "rep") (param "r" (borrow $r)) (result u32) (canon lift (core func $m "rep")))
    (func (export "last") (result u32) (canon lift (core func $d "last"))))"#;

#[test]
fn resource_types_belong_to_an_instantiation() {
    in_all_modes(|engine| {
        let (mut store, first) = instance(engine, DEFINER);
        let second = Linker::new().instantiate(&mut store, &component(engine, DEFINER)).unwrap();
        let ty = first.get_resource(&mut store, "r").unwrap();
        assert_ne!(Some(ty), second.get_resource(&mut store, "r"));

        let make = first.get_typed_func::<(u32,), ResourceAny>(&mut store, "make").unwrap();
        let rep = first.get_typed_func::<(ResourceAny,), u32>(&mut store, "rep").unwrap();
        let other = second.get_typed_func::<(ResourceAny,), u32>(&mut store, "rep").unwrap();
        let last = first.get_typed_func::<(), u32>(&mut store, "last").unwrap();
        let resource = make.call(&mut store, (42,)).unwrap();
        assert_eq!(resource.ty(), ty);
        assert_eq!(rep.call(&mut store, (resource,)).unwrap(), 42);
        let stop = other.call(&mut store, (resource,)).unwrap_err();
        assert!(stop.to_string().starts_with("the resource is of another resource type"), "{stop}");

        resource.resource_drop(&mut store).unwrap();
        assert_eq!(last.call(&mut store, ()).unwrap(), 42);
        // A destructor that traps leaves the instance unusable.
        let resource = make.call(&mut store, (13,)).unwrap();
        assert!(resource.resource_drop(&mut store).unwrap_err().to_string().contains("unreachable"));
        let stop = last.call(&mut store, ()).unwrap_err();
        assert!(stop.to_string().contains("which failed earlier: unreachable"), "{stop}");
    });
}
