//! Attempts of hostile guests, each as a small component.

use wasmr_canon::{Linker, Val};
use wasmr_runtime::{Stop, Store, StoreContextMut};

use crate::{LIBC, component, in_all_modes, instance};

/// Calls the function `f` without arguments. Returns the message of its trap.
fn trap_of(engine: &wasmr_engine::Engine, text: &str) -> String {
    let (mut store, instance) = instance(engine, text);
    let f = instance.get_func(&mut store, "f").unwrap();
    let stop = f.call(&mut store, &[]).unwrap_err();
    assert!(stop.trap_code().is_some(), "{stop}");
    // Nothing enters the instance again, and the first trap is quoted.
    let again = f.call(&mut store, &[]).unwrap_err();
    assert!(again.to_string().contains("which failed earlier"), "{again}");
    stop.to_string()
}

#[test]
fn results_that_are_no_values_trap() {
    let cases = [
        ("string", "(i32.store (i32.const 4) (i32.const -1))", "string pointer/length out of bounds"),
        (
            "string",
            "(i32.store (i32.const 0) (i32.const 65536)) (i32.store (i32.const 4) (i32.const 1))",
            "out of bounds",
        ),
        (
            "string",
            "(i32.store (i32.const 4) (i32.const 1)) (i32.store (i32.const 0) (i32.const 8)) (i32.store8 (i32.const 8) (i32.const 0xff))",
            "invalid utf-8",
        ),
        ("(list u64)", "(i32.store (i32.const 4) (i32.const 0x20000000))", "256 MiB or more"),
        ("(list u64)", "(i32.store (i32.const 0) (i32.const 4))", "unaligned pointer"),
        ("(list string)", "(i32.store (i32.const 4) (i32.const 0x1ffffff))", "out of bounds"),
        (
            "(tuple char u8)",
            "(i32.store (i32.const 0) (i32.const 0xd800))",
            "invalid `char` bit pattern 0xd800 (result `0` of `f`)",
        ),
        ("(tuple (option u8) u8)", "(i32.store (i32.const 0) (i32.const 2))", "2 is no case of an option"),
        ("(tuple (result) u8)", "(i32.store (i32.const 0) (i32.const 2))", "2 is no case of a result"),
    ];
    in_all_modes(|engine| {
        for (ty, code, expected) in cases {
            let text = format!(
                r#"(component (core module $M (memory (export "memory") 1)
                    (func (export "f") (result i32) {code} (i32.const 0)))
                (core instance $m (instantiate $M))
                (func (export "f") (result {ty}) (canon lift (core func $m "f") (memory (core memory $m "memory")))))"#
            );
            let message = trap_of(engine, &text);
            assert!(message.contains(expected), "{message}: {expected}");
        }
    });
}

#[test]
fn the_place_of_results_is_checked() {
    for (place, expected) in [("65533", "unaligned pointer"), ("65536", "out of bounds"), ("-8", "out of bounds")] {
        let text = format!(
            r#"(component (core module $M (memory (export "memory") 1)
                (func (export "f") (result i32) (i32.const {place})))
            (core instance $m (instantiate $M))
            (func (export "f") (result (tuple u32 u32)) (canon lift (core func $m "f") (memory (core memory $m "memory")))))"#
        );
        in_all_modes(|engine| {
            let message = trap_of(engine, &text);
            assert!(message.contains(expected), "{message}");
        });
    }
}

/// A component whose `realloc` is the given code, and whose `f` takes a list of words.
fn with_realloc(code: &str) -> String {
    format!(
        r#"(component
            (import "log" (func $log))
            (core func $log' (canon lower (func $log)))
            (core module $M
                (import "" "log" (func $log))
                (memory (export "memory") 1)
                (func (export "realloc") (param i32 i32 i32 i32) (result i32) {code})
                (func (export "f") (param i32 i32) (result i32) (i32.load (local.get 0))))
            (core instance $m (instantiate $M (with "" (instance (export "log" (func $log'))))))
            (func (export "f") (param "list" (list u32)) (result u32)
                (canon lift (core func $m "f") (memory (core memory $m "memory")) (realloc (core func $m "realloc")))))"#
    )
}

#[test]
fn what_realloc_returns_is_checked_after_it_ran() {
    let cases = [
        ("(i32.const -4)", Err("realloc return: beyond end of memory")),
        ("(i32.const 65536)", Err("realloc return: beyond end of memory")),
        ("(i32.const 2)", Err("realloc return: result not aligned")),
        ("(call $log) (i32.const 8)", Err("cannot leave component instance")),
        ("unreachable", Err("unreachable")),
        // The memory has grown, so that the address is good.
        ("(drop (memory.grow (i32.const 1))) (i32.const 65536)", Ok(7)),
    ];
    in_all_modes(|engine| {
        for (code, expected) in cases {
            let mut linker = Linker::<()>::new();
            let log = |_: StoreContextMut<'_, ()>, ()| Ok::<_, Stop>(());
            linker.root().func_wrap("log", log).unwrap();
            let mut store = Store::new(engine, ());
            let instance = linker.instantiate(&mut store, &component(engine, &with_realloc(code))).unwrap();
            let f = instance.get_typed_func::<(&[u32],), u32>(&mut store, "f").unwrap();
            let found = f.call(&mut store, (&[7, 8],));
            match (found, expected) {
                (Ok(found), Ok(expected)) => assert_eq!(found, expected),
                (Err(stop), Err(expected)) => assert!(stop.to_string().contains(expected), "{stop}"),
                (found, expected) => panic!("{found:?}, {expected:?}"),
            }
        }
    });
}

#[test]
fn a_start_function_calls_an_import_before_the_memory_of_another() {
    // The lowered function exists, but the instance with its memory is the one that is being made.
    let text = format!(
        r#"(component {LIBC}
            (import "log" (func $log (param "text" string)))
            (core func $log' (canon lower (func $log) (memory (core memory $libc "memory"))))
            (core module $M
                (import "" "log" (func $log (param i32 i32)))
                (func $start (call $log (i32.const 0) (i32.const -1)))
                (start $start))
            (core instance $m (instantiate $M (with "" (instance (export "log" (func $log')))))))"#
    );
    in_all_modes(|engine| {
        let mut linker = Linker::<()>::new();
        linker.root().func_wrap("log", |_: StoreContextMut<'_, ()>, (_,): (String,)| Ok::<_, Stop>(())).unwrap();
        let mut store = Store::new(engine, ());
        let error = linker.instantiate(&mut store, &component(engine, &text)).unwrap_err();
        assert!(error.to_string().contains("string pointer/length out of bounds"), "{error}");
    });
}

#[test]
fn an_exception_does_not_leave_a_component() {
    let text = r#"(component
        (core module $M (tag $t) (func (export "f") (throw $t)))
        (core instance $m (instantiate $M))
        (func (export "f") (canon lift (core func $m "f"))))"#;
    in_all_modes(|engine| {
        let message = trap_of(engine, text);
        assert!(message.contains("an exception left a component instance"), "{message}");
    });
}

#[test]
fn handles_are_bounded() {
    let text = r#"(component
        (type $r (resource (rep i32)))
        (core func $new (canon resource.new $r))
        (core module $M
            (import "" "new" (func $new (param i32) (result i32)))
            (func (export "f") (loop (drop (call $new (i32.const 1))) (br 0))))
        (core instance $m (instantiate $M (with "" (instance (export "new" (func $new))))))
        (func (export "f") (canon lift (core func $m "f"))))"#;
    let message = trap_of(&wasmr_engine::Engine::default(), text);
    assert!(message.contains("at most 1048576 handles"), "{message}");
}

#[test]
fn calls_of_components_in_a_circle_end() {
    // Each of two instances would call the other, through the host.
    let text = r#"(component
        (import "next" (func $next))
        (core func $next' (canon lower (func $next)))
        (core module $M (import "" "next" (func $next)) (func (export "f") (call $next)))
        (core instance $m (instantiate $M (with "" (instance (export "next" (func $next'))))))
        (func (export "f") (canon lift (core func $m "f"))))"#;
    in_all_modes(|engine| {
        let mut linker = Linker::<Vec<wasmr_canon::Func>>::new();
        let next = |mut store: StoreContextMut<'_, Vec<wasmr_canon::Func>>, _: &[Val]| {
            let Some(func) = store.data_mut().pop() else { return Ok(None) };
            func.call(&mut store, &[])
        };
        linker.root().func_new("next", next).unwrap();
        let pre = linker.prepare(&component(engine, text)).unwrap();
        let mut store = Store::new(engine, Vec::new());
        let funcs: Vec<_> = (0..300)
            .map(|_| {
                let instance = pre.instantiate(&mut store).unwrap();
                instance.get_func(&mut store, "f").unwrap()
            })
            .collect();
        let first = funcs[0].clone();
        store.data_mut().extend(funcs.into_iter().skip(1));
        let stop = first.call(&mut store, &[]).unwrap_err();
        assert!(stop.to_string().contains("call stack exhausted"), "{stop}");
    });
}
