//! Owners of resources after calls that end early, and the order of destructors.

use wasmr_canon::{Linker, Resource, ResourceAny, ResourceType, Val, ValueError};
use wasmr_runtime::{Stop, Store, StoreContextMut};

use crate::{component, in_all_modes};

struct Counter;

type Cx<'a> = StoreContextMut<'a, Vec<u32>>;

/// A linker with a resource whose destructor notes the representation, and functions that take it.
fn linker() -> Linker<Vec<u32>> {
    let mut linker = Linker::new();
    let mut host = linker.instance("host").unwrap();
    host.resource("counter", ResourceType::host::<Counter>(), |mut store: Cx<'_>, rep| -> Result<(), Stop> {
        store.data_mut().push(rep);
        Ok(())
    })
    .unwrap();
    host.func_wrap("make", |_: Cx<'_>, (rep,): (u32,)| Ok::<_, Stop>(Resource::<Counter>::new_own(rep))).unwrap();
    host.func_wrap("take", |_: Cx<'_>, _: (Resource<Counter>, Resource<Counter>)| Ok::<_, Stop>(())).unwrap();
    host.func_wrap("fail", |_: Cx<'_>, _: (Resource<Counter>,)| Err::<(), _>("no paper")).unwrap();
    host.func_wrap("log", |mut store: Cx<'_>, (number,): (u32,)| {
        store.data_mut().push(number);
        Ok::<_, Stop>(())
    })
    .unwrap();
    linker
}

const HOST: &str = r#"
    (import "host" (instance $host
        (export "counter" (type $t (sub resource)))
        (export "make" (func (param "rep" u32) (result (own $t))))
        (export "take" (func (param "a" (own $t)) (param "b" (own $t))))
        (export "fail" (func (param "c" (borrow $t))))))
    (alias export $host "counter" (type $t))
    (core func $make (canon lower (func $host "make")))
    (core func $take (canon lower (func $host "take")))
    (core func $fail (canon lower (func $host "fail")))"#;

#[test]
fn what_was_lent_is_given_back_when_the_call_traps() {
    // The guest traps; the guest lends the handle on to another guest, which traps; or to the host, which fails.
    let text = format!(
        r#"(component {HOST}
        (component $Inner
            (import "counter" (type $t (sub resource)))
            (core module $M (func (export "f") (param i32) unreachable))
            (core instance $m (instantiate $M))
            (func (export "f") (param "c" (borrow $t)) (canon lift (core func $m "f"))))
        (instance $inner (instantiate $Inner (with "counter" (type $t))))
        (core func $inner' (canon lower (func $inner "f")))
        (core module $M
            (import "" "make" (func $make (param i32) (result i32)))
            (import "" "fail" (func $fail (param i32)))
            (import "" "inner" (func $inner (param i32)))
            (func (export "make") (param i32) (result i32) (call $make (local.get 0)))
            (func (export "f0") (param i32) unreachable)
            (func (export "f1") (param i32) (call $inner (local.get 0)))
            (func (export "f2") (param i32) (call $fail (local.get 0))))
        (core instance $m (instantiate $M (with "" (instance
            (export "make" (func $make)) (export "fail" (func $fail)) (export "inner" (func $inner'))))))
        (func (export "make") (param "rep" u32) (result (own $t)) (canon lift (core func $m "make")))
        (func (export "f0") (param "c" (borrow $t)) (canon lift (core func $m "f0")))
        (func (export "f1") (param "c" (borrow $t)) (canon lift (core func $m "f1")))
        (func (export "f2") (param "c" (borrow $t)) (canon lift (core func $m "f2"))))"#
    );
    in_all_modes(|engine| {
        let pre = linker().prepare(&component(engine, &text)).unwrap();
        let mut store = Store::new(engine, Vec::new());
        for (index, expected) in ["unreachable", "unreachable", "no paper"].iter().enumerate() {
            let instance = pre.instantiate(&mut store).unwrap();
            let make = instance.get_typed_func::<(u32,), ResourceAny>(&mut store, "make").unwrap();
            let counter = make.call(&mut store, (index as u32,)).unwrap();
            let f = instance.get_func(&mut store, &format!("f{index}")).unwrap();
            let stop = f.call(&mut store, &[Val::Resource(counter)]).unwrap_err();
            assert!(stop.to_string().contains(expected), "{stop}");
            // The embedder may lend it again, and drop it.
            let other = pre.instantiate(&mut store).unwrap();
            let f0 = other.get_func(&mut store, "f0").unwrap();
            let stop = f0.call(&mut store, &[Val::Resource(counter)]).unwrap_err();
            assert!(stop.to_string().contains("unreachable"), "{stop}");
            counter.resource_drop(&mut store).unwrap();
            assert_eq!(store.data_mut().pop(), Some(index as u32));
        }
    });
}

#[test]
fn arguments_that_do_not_fit_leave_no_handles_behind() {
    let text = format!(
        r#"(component {HOST}
        (core module $M
            (import "" "make" (func $make (param i32) (result i32)))
            (func (export "make") (param i32) (result i32) (call $make (local.get 0)))
            (func (export "f") (param i32 i32 i32 i32)))
        (core instance $m (instantiate $M (with "" (instance (export "make" (func $make))))))
        (func (export "make") (param "rep" u32) (result (own $t)) (canon lift (core func $m "make")))
        (func (export "index") (param "rep" u32) (result u32) (canon lift (core func $m "make")))
        (func (export "f") (param "a" (own $t)) (param "b" (borrow $t)) (param "c" (own $t)) (param "d" u32)
            (canon lift (core func $m "f"))))"#
    );
    in_all_modes(|engine| {
        let mut store = Store::new(engine, Vec::new());
        let instance = linker().instantiate(&mut store, &component(engine, &text)).unwrap();
        let make = instance.get_typed_func::<(u32,), ResourceAny>(&mut store, "make").unwrap();
        let [a, b, c] = [1, 2, 3].map(|rep| make.call(&mut store, (rep,)).unwrap());
        let f = instance.get_func(&mut store, "f").unwrap();
        let args = |a: ResourceAny, c: ResourceAny, d: Val| [Val::Resource(a), Val::Resource(b), Val::Resource(c), d];
        for wrong in [args(a, c, Val::Bool(true)), args(a, a, Val::U32(1)), args(a, b, Val::U32(1))] {
            let stop = f.call(&mut store, &wrong).unwrap_err();
            assert!(stop.is::<ValueError>(), "{stop}");
        }
        // All are the embedder's, and the first index of the guest's table is free.
        c.resource_drop(&mut store).unwrap();
        b.resource_drop(&mut store).unwrap();
        a.resource_drop(&mut store).unwrap();
        assert_eq!(*store.data(), [3, 2, 1]);
        let index = instance.get_typed_func::<(u32,), u32>(&mut store, "index").unwrap();
        assert_eq!(index.call(&mut store, (4,)).unwrap(), 1);
    });
}

#[test]
fn a_handle_is_given_away_once() {
    let text = format!(
        r#"(component {HOST}
        (core module $M
            (import "" "make" (func $make (param i32) (result i32)))
            (import "" "take" (func $take (param i32 i32)))
            (func (export "f") (local $handle i32)
                (local.set $handle (call $make (i32.const 1)))
                (call $take (local.get $handle) (local.get $handle))))
        (core instance $m (instantiate $M (with "" (instance (export "make" (func $make)) (export "take" (func $take))))))
        (func (export "f") (canon lift (core func $m "f"))))"#
    );
    in_all_modes(|engine| {
        let mut store = Store::new(engine, Vec::new());
        let instance = linker().instantiate(&mut store, &component(engine, &text)).unwrap();
        let f = instance.get_func(&mut store, "f").unwrap();
        let stop = f.call(&mut store, &[]).unwrap_err();
        assert!(
            stop.to_string().starts_with("wasm trap: unknown handle index 1 (argument 2 `b` of `host#take`)"),
            "{stop}"
        );
    });
}

#[test]
fn a_destructor_runs_when_the_handle_is_dropped() {
    // The representation of a resource is the handle of the next, which its destructor drops between two notes.
    let text = r#"(component
        (import "host" (instance $host (export "log" (func (param "number" u32)))))
        (core func $log (canon lower (func $host "log")))
        (core module $Shim
            (table (export "table") 1 funcref)
            (type $dtor (func (param i32)))
            (func (export "dtor") (param i32) (call_indirect (type $dtor) (local.get 0) (i32.const 0))))
        (core instance $shim (instantiate $Shim))
        (type $r (resource (rep i32) (dtor (core func $shim "dtor"))))
        (core func $new (canon resource.new $r))
        (core func $drop (canon resource.drop $r))
        (core module $M
            (import "" "log" (func $log (param i32)))
            (import "" "new" (func $new (param i32) (result i32)))
            (import "" "drop" (func $drop (param i32)))
            (import "shim" "table" (table 1 funcref))
            (elem (i32.const 0) func $dtor)
            (func $dtor (param i32)
                (call $log (i32.add (local.get 0) (i32.const 10)))
                (if (local.get 0) (then (call $drop (local.get 0))))
                (call $log (i32.add (local.get 0) (i32.const 20))))
            (func (export "f") (local $last i32)
                (local.set $last (call $new (call $new (call $new (i32.const 0)))))
                (call $log (local.get $last))
                (call $drop (local.get $last))
                (call $log (i32.const 99))
                ;; The index that was freed last is used next.
                (call $log (call $new (i32.const 0)))))
        (core instance $m (instantiate $M
            (with "" (instance (export "log" (func $log)) (export "new" (func $new)) (export "drop" (func $drop))))
            (with "shim" (instance $shim))))
        (func (export "f") (canon lift (core func $m "f"))))"#;
    in_all_modes(|engine| {
        let mut store = Store::new(engine, Vec::new());
        let instance = linker().instantiate(&mut store, &component(engine, text)).unwrap();
        let f = instance.get_func(&mut store, "f").unwrap();
        f.call(&mut store, &[]).unwrap();
        assert_eq!(*store.data(), [3, 12, 11, 10, 20, 21, 22, 99, 1]);
    });
}
