//! Storage of tasks (`context.get`, `context.set`) and backpressure.

use wasmr_canon::{Linker, Val};
use wasmr_runtime::{AsContextMut, Stop, Store, StoreContextMut};

use crate::{component, in_all_modes, instance};

/// A component whose allocator and destructor have storage of their own. `f` calls the host, which may call `f` of another instance.
/// Both words of its storage are 0 at entry, and have their values after whatever ran in between.
const STORED: &str = r#"(component
    (import "again" (func $again (param "level" u32) (result string)))
    (core module $Libc
        (import "" "get" (func $get (result i32)))
        (import "" "set" (func $set (param i32)))
        (memory (export "memory") 1)
        (func (export "realloc") (param i32 i32 i32 i32) (result i32)
            (if (call $get) (then unreachable))
            (call $set (i32.const 5))
            (i32.const 1024)))
    (core func $get0 (canon context.get i32 0))
    (core func $set0 (canon context.set i32 0))
    (core func $get1 (canon context.get i32 1))
    (core func $set1 (canon context.set i32 1))
    (core instance $libc (instantiate $Libc (with "" (instance (export "get" (func $get0)) (export "set" (func $set0))))))
    (core module $Dtor
        (import "" "get" (func $get (result i32)))
        (import "" "set" (func $set (param i32)))
        (func (export "dtor") (param i32)
            (if (call $get) (then unreachable))
            (call $set (i32.const 6))))
    (core instance $dtor (instantiate $Dtor (with "" (instance (export "get" (func $get0)) (export "set" (func $set0))))))
    (type $r (resource (rep i32) (dtor (core func $dtor "dtor"))))
    (core func $new (canon resource.new $r))
    (core func $drop (canon resource.drop $r))
    (core func $again' (canon lower (func $again) (memory (core memory $libc "memory")) (realloc (core func $libc "realloc"))))
    (core module $M
        (import "" "get0" (func $get0 (result i32)))
        (import "" "set0" (func $set0 (param i32)))
        (import "" "get1" (func $get1 (result i32)))
        (import "" "set1" (func $set1 (param i32)))
        (import "" "new" (func $new (param i32) (result i32)))
        (import "" "drop" (func $drop (param i32)))
        (import "" "again" (func $again (param i32 i32)))
        (global $seen (mut i32) (i32.const 0))
        (func (export "f") (param $level i32) (result i32)
            (if (i32.or (call $get0) (call $get1)) (then unreachable))
            (call $set0 (i32.const -7))
            (call $set1 (local.get $level))
            (call $again (local.get $level) (i32.const 16))
            (call $drop (call $new (i32.const 1)))
            (if (i32.ne (call $get0) (i32.const -7)) (then unreachable))
            (if (i32.ne (call $get1) (local.get $level)) (then unreachable))
            (i32.const 1))
        (func (export "post") (param i32)
            (global.set $seen (i32.add (call $get0) (call $get1)))
            (call $set0 (i32.const 8)))
        (func (export "seen") (result i32)
            (if (i32.or (call $get0) (call $get1)) (then unreachable))
            (global.get $seen)))
    (core instance $m (instantiate $M (with "" (instance
        (export "get0" (func $get0)) (export "set0" (func $set0))
        (export "get1" (func $get1)) (export "set1" (func $set1))
        (export "new" (func $new)) (export "drop" (func $drop)) (export "again" (func $again'))))))
    (func (export "f") (param "level" u32) (result u32)
        (canon lift (core func $m "f") (post-return (core func $m "post"))))
    (func (export "seen") (result u32) (canon lift (core func $m "seen"))))"#;

#[test]
fn each_task_has_its_storage() {
    in_all_modes(|engine| {
        let mut linker = Linker::<Vec<wasmr_canon::Func>>::new();
        let again =
            |mut store: StoreContextMut<'_, Vec<wasmr_canon::Func>>, args: &[Val]| -> Result<Option<Val>, Stop> {
                let &[Val::U32(level)] = args else { panic!("{args:?}") };
                if level > 0 {
                    let inner = store.data()[level as usize - 1].clone();
                    assert_eq!(inner.call(&mut store, &[Val::U32(level - 1)])?, Some(Val::U32(1)));
                }
                Ok(Some(Val::string("text")))
            };
        linker.root().func_new("again", again).unwrap();
        let pre = linker.prepare(&component(engine, STORED)).unwrap();
        let mut store = Store::new(engine, Vec::new());
        let instances = [0, 1, 2].map(|_| pre.instantiate(&mut store).unwrap());
        let funcs = instances.each_ref().map(|instance| instance.get_func(&mut store, "f").unwrap());
        *store.data_mut() = funcs.to_vec();
        for level in [2, 2, 0] {
            let result = funcs[level as usize].call(store.as_context_mut(), &[Val::U32(level)]).unwrap();
            assert_eq!(result, Some(Val::U32(1)));
        }
        for (instance, expected) in instances.iter().zip([-7, -6, -5]) {
            let seen = instance.get_typed_func::<(), u32>(&mut store, "seen").unwrap();
            assert_eq!(seen.call(&mut store, ()).unwrap() as i32, expected);
        }
    });
}

const PRESSURE: &str = r#"(component
    (core func $inc (canon backpressure.inc))
    (core func $dec (canon backpressure.dec))
    (core module $M
        (import "" "inc" (func $inc))
        (import "" "dec" (func $dec))
        (func (export "inc") (param $times i32)
            (loop $next
                (call $inc)
                (br_if $next (local.tee $times (i32.sub (local.get $times) (i32.const 1))))))
        (func (export "dec") (call $dec))
        (func (export "f")))
    (core instance $m (instantiate $M (with "" (instance (export "inc" (func $inc)) (export "dec" (func $dec))))))
    (func (export "inc") (param "times" u32) (canon lift (core func $m "inc")))
    (func (export "dec") (canon lift (core func $m "dec")))
    (func (export "f") (canon lift (core func $m "f")))
    (func (export "waits") async (canon lift (core func $m "f"))))"#;

#[test]
fn backpressure_holds_asynchronous_functions_back() {
    in_all_modes(|engine| {
        let (mut store, guest) = instance(engine, PRESSURE);
        let mut call = |name: &str, args: &[Val]| {
            let func = guest.get_func(&mut store, name).unwrap();
            func.call(&mut store, args).map(|_| ()).map_err(|stop| stop.to_string())
        };
        call("waits", &[]).unwrap();
        call("inc", &[Val::U32(2)]).unwrap();
        call("dec", &[]).unwrap();
        call("f", &[]).unwrap();
        let expected = "wasm trap: `waits` waits for ever: its component instance has backpressure";
        assert!(call("waits", &[]).unwrap_err().starts_with(expected));
        call("dec", &[]).unwrap();
        call("waits", &[]).unwrap();
        assert!(call("dec", &[]).unwrap_err().starts_with("wasm trap: backpressure counter out of range"));

        let (mut store, guest) = instance(engine, PRESSURE);
        let inc = guest.get_func(&mut store, "inc").unwrap();
        inc.call(&mut store, &[Val::U32(0xffff)]).unwrap();
        let stop = inc.call(&mut store, &[Val::U32(1)]).unwrap_err();
        assert!(stop.to_string().starts_with("wasm trap: backpressure counter out of range"), "{stop}");
    });
}
