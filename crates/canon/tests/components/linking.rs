//! Definitions for imports: names, versions, types, and the report of all that do not fit.

use wasmr_canon::{ComponentLinkError, Linker, ResourceType};
use wasmr_runtime::{Stop, Store, StoreContextMut};

use crate::{component, in_all_modes};

const USER: &str = r#"(component
    (import "ns:pkg/api@0.2.3" (instance $api
        (export "r" (type $r (sub resource)))
        (export "add" (func (param "a" u32) (param "b" u32) (result u32)))
        (export "sub" (func (param "a" u32) (param "b" u32) (result u32)))))
    (import "log" (func $log (param "n" u32)))
    (alias export $api "r" (type $r))
    (core func $add (canon lower (func $api "add")))
    (core func $sub (canon lower (func $api "sub")))
    (core func $log' (canon lower (func $log)))
    (core func $drop (canon resource.drop $r))
    (core module $M
        (import "" "add" (func $add (param i32 i32) (result i32)))
        (import "" "sub" (func $sub (param i32 i32) (result i32)))
        (import "" "log" (func $log (param i32)))
        (import "" "drop" (func $drop (param i32)))
        (func (export "run") (result i32) (call $add (i32.const 1) (i32.const 2)))
        (func (export "other") (result i32) (call $sub (i32.const 1) (i32.const 2))))
    (core instance $m (instantiate $M (with "" (instance
        (export "add" (func $add)) (export "sub" (func $sub)) (export "log" (func $log')) (export "drop" (func $drop))))))
    (func $run (export "run") (result u32) (canon lift (core func $m "run")))
    (func (export "other") (result u32) (canon lift (core func $m "other")))
    (instance (export "ns:pkg/runs") (export "run" (func $run))))"#;

type Cx<'a> = StoreContextMut<'a, ()>;

#[test]
fn a_compatible_version_stands_in() {
    in_all_modes(|engine| {
        let mut linker = Linker::<()>::new();
        let mut api = linker.instance("ns:pkg/api@0.2.9").unwrap();
        api.resource("r", ResourceType::host::<u8>(), |_, _| Ok::<(), Stop>(())).unwrap();
        api.func_wrap("add", |_: Cx<'_>, (a, b): (u32, u32)| Ok::<_, Stop>(a + b)).unwrap();
        api.func_wrap("sub", |_: Cx<'_>, (a, b): (u32, u32)| Ok::<_, Stop>(a.wrapping_sub(b))).unwrap();
        linker.root().func_wrap("log", |_: Cx<'_>, (_,): (u32,)| Ok::<_, Stop>(())).unwrap();
        let mut store = Store::new(engine, ());
        let instance = linker.instantiate(&mut store, &component(engine, USER)).unwrap();
        for name in ["run", "ns:pkg/runs#run"] {
            let run = instance.get_typed_func::<(), u32>(&mut store, name).unwrap();
            assert_eq!(run.call(&mut store, ()).unwrap(), 3);
        }
        let missing = instance.get_typed_func::<(), u32>(&mut store, "ns:pkg/runs#runs").unwrap_err();
        assert_eq!(missing.to_string(), "no function is exported as `ns:pkg/runs#runs`");
    });
}

#[test]
fn all_imports_that_do_not_fit_are_reported_at_once() {
    let engine = wasmr_engine::Engine::default();
    let component = component(&engine, USER);
    let mut linker = Linker::<()>::new();
    let mut api = linker.instance("ns:pkg/api@0.2.5").unwrap();
    api.func_wrap("add", |_: Cx<'_>, (a, _): (u32, String)| Ok::<_, Stop>(a)).unwrap();
    api.func_wrap("sup", |_: Cx<'_>, (a, b): (u32, u32)| Ok::<_, Stop>(a + b)).unwrap();
    linker.instance("log").unwrap();
    let error: ComponentLinkError = linker.prepare(&component).unwrap_err();
    let text = error.to_string();
    assert_eq!((error.failures.len(), error.more), (4, 0), "{text}");
    for expected in [
        "component `<component>` cannot be linked:",
        "unknown import `ns:pkg/api@0.2.3` `r`: resource",
        "incompatible import type for `ns:pkg/api@0.2.3` `add`: expected func(a: u32, b: u32) -> u32, \
         found func(u32, string) -> u32 (parameter `b`: expected `string`, found `u32`)",
        "unknown import `ns:pkg/api@0.2.3` `sub`: func(a: u32, b: u32) -> u32; `sup` is defined",
        "incompatible import type for `log`: expected func(n: u32), found instance",
    ] {
        assert!(text.contains(expected), "{expected}\nis not in\n{text}");
    }
    // An item that an older version does not have.
    let mut linker = Linker::<()>::new();
    linker.instance("ns:pkg/api@0.2.0").unwrap();
    let text = linker.prepare(&component).unwrap_err().to_string();
    let expected =
        "`ns:pkg/api@0.2.3` `sub`: func(a: u32, b: u32) -> u32; needs 0.2.3, and `ns:pkg/api@0.2.0` is defined";
    assert!(text.contains(expected), "{text}");
    // Another version that is not compatible is named.
    let mut linker = Linker::<()>::new();
    linker.instance("ns:pkg/api@0.3.0").unwrap();
    let text = linker.prepare(&component).unwrap_err().to_string();
    assert!(text.contains("`ns:pkg/api@0.3.0` is defined"), "{text}");
}

#[test]
fn unknown_imports_trap_when_they_are_called() {
    in_all_modes(|engine| {
        let mut linker = Linker::<()>::new();
        let mut api = linker.instance("ns:pkg/api@0.2.3").unwrap();
        api.func_wrap("add", |_: Cx<'_>, (a, b): (u32, u32)| Ok::<_, Stop>(a * 10 + b)).unwrap();
        linker.define_unknown_imports_as_traps();
        let mut store = Store::new(engine, ());
        let instance = linker.instantiate(&mut store, &component(engine, USER)).unwrap();
        let run = instance.get_typed_func::<(), u32>(&mut store, "run").unwrap();
        assert_eq!(run.call(&mut store, ()).unwrap(), 12);
        let other = instance.get_typed_func::<(), u32>(&mut store, "other").unwrap();
        let stop = other.call(&mut store, ()).unwrap_err();
        assert!(stop.to_string().contains("unknown import `ns:pkg/api@0.2.3#sub` has been called"), "{stop}");
    });
}

#[test]
fn core_modules_of_the_host_are_compared() {
    let text = r#"(component
        (import "m" (core module $m (import "env" "g" (global i32)) (export "f" (func (result i32)))))
        (core module $G (global (export "g") i32 (i32.const 9)))
        (core instance $g (instantiate $G))
        (core instance $i (instantiate $m (with "env" (instance $g))))
        (func (export "f") (result u32) (canon lift (core func $i "f"))))"#;
    in_all_modes(|engine| {
        let module = |text: &str| wasmr_engine::Module::new(engine, text).unwrap();
        let component = component(engine, text);
        let mut linker = Linker::<()>::new();
        let good =
            module(r#"(module (import "env" "g" (global i32)) (func (export "f") (result i32) (global.get 0)))"#);
        linker.root().module("m", &good).unwrap();
        let mut store = Store::new(engine, ());
        let instance = linker.instantiate(&mut store, &component).unwrap();
        assert_eq!(instance.get_typed_func::<(), u32>(&mut store, "f").unwrap().call(&mut store, ()).unwrap(), 9);

        for (bad, expected) in [
            ("(module)", "it has no export `f`"),
            (r#"(module (func (export "f") (result i64) (i64.const 0)))"#, "its export `f` is of another type"),
            (
                r#"(module (import "env" "h" (func)) (func (export "f") (result i32) (i32.const 0)))"#,
                "it imports `env` `h`, which it does not get",
            ),
        ] {
            let mut linker = Linker::<()>::new();
            linker.root().module("m", &module(bad)).unwrap();
            let text = linker.prepare(&component).unwrap_err().to_string();
            assert!(text.contains(expected), "{text}");
        }
    });
}
