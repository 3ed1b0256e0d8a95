//! Calls between host and components, and between component instances.

use wasmr_canon::{Linker, Val, ValueError};
use wasmr_runtime::{AsContextMut, Stop, Store, StoreContextMut};

use crate::{LIBC, component, in_all_modes, instance};

#[test]
fn values_go_in_and_come_back() {
    let text = format!(
        r#"(component {LIBC}
        (core module $M
            (import "libc" "memory" (memory 1))
            (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))
            (func (export "echo") (param i32 i32) (result i32)
                (i32.store (i32.const 16) (local.get 0))
                (i32.store (i32.const 20) (local.get 1))
                (i32.const 16))
            (func (export "many") (param i32) (result i64) (i64.load offset=8 (local.get 0))))
        (core instance $m (instantiate $M (with "libc" (instance $libc))))
        (func (export "add") (param "a" u8) (param "b" s32) (result u32) (canon lift (core func $m "add")))
        (func (export "echo") (param "text" string) (result string)
            (canon lift (core func $m "echo") (memory (core memory $libc "memory")) (realloc (core func $libc "realloc"))))
        (func (export "bytes") (param "list" (list u8)) (result (list u8))
            (canon lift (core func $m "echo") (memory (core memory $libc "memory")) (realloc (core func $libc "realloc"))))
        (func (export "many") (param "all" (tuple u8 u64 u8 u8 u8 u8 u8 u8 u8 u8 u8 u8 u8 u8 u8 u8 u8)) (result u64)
            (canon lift (core func $m "many") (memory (core memory $libc "memory")) (realloc (core func $libc "realloc")))))"#
    );
    in_all_modes(|engine| {
        let (mut store, instance) = instance(engine, &text);
        let add = instance.get_typed_func::<(u8, i32), u32>(&mut store, "add").unwrap();
        assert_eq!(add.call(&mut store, (200, -201)).unwrap(), u32::MAX);
        let echo = instance.get_typed_func::<(&str,), String>(&mut store, "echo").unwrap();
        for text in ["", "grüße ☃🍰", &"x".repeat(10_000)] {
            assert_eq!(echo.call(&mut store, (text,)).unwrap(), text);
        }
        let bytes = instance.get_typed_func::<(&[u8],), Vec<u8>>(&mut store, "bytes").unwrap();
        assert_eq!(bytes.call(&mut store, (&[1, 2, 255],)).unwrap(), [1, 2, 255]);

        let echo = instance.get_func(&mut store, "echo").unwrap();
        assert_eq!(echo.call(&mut store, &[Val::string("abc")]).unwrap(), Some(Val::string("abc")));
        assert_eq!(echo.type_text(), "func(text: string) -> string");
        let many = instance.get_func(&mut store, "many").unwrap();
        let mut all = vec![Val::U8(1), Val::U64(1 << 40)];
        all.resize(17, Val::U8(3));
        assert_eq!(many.call(&mut store, &[Val::Tuple(all)]).unwrap(), Some(Val::U64(1 << 40)));

        let error = instance.get_typed_func::<(u8, u32), u32>(&mut store, "add").unwrap_err();
        let expected = "`add` has type func(a: u8, b: s32) -> u32: parameter `b`: expected `u32`, found `s32`";
        assert_eq!(error.to_string(), expected);
        let error = instance.get_typed_func::<(u8, i32), ()>(&mut store, "add").unwrap_err();
        assert!(error.to_string().ends_with(": expected no result"), "{error}");
        let error = instance.get_typed_func::<(u8, i32), u8>(&mut store, "add").unwrap_err();
        assert!(error.to_string().ends_with(": result: expected `u8`, found `u32`"), "{error}");
        let error = instance.get_typed_func::<(u8,), u32>(&mut store, "add").unwrap_err();
        assert!(error.to_string().ends_with(": expected 1 parameter, found 2"), "{error}");
    });
}

#[test]
fn arguments_that_do_not_fit_are_named_and_harm_nothing() {
    let text = format!(
        r#"(component {LIBC}
        (core module $M (func (export "f") (param i32 i32 i32 i32)))
        (core instance $m (instantiate $M))
        (type $mode (enum "read" "write"))
        (export $m' "mode" (type $mode))
        (type $opts (record (field "mode" $m') (field "names" (list string))))
        (export $o "opts" (type $opts))
        (func (export "f") (param "n" u32) (param "opts" $o)
            (canon lift (core func $m "f") (memory (core memory $libc "memory")) (realloc (core func $libc "realloc")))))"#
    );
    in_all_modes(|engine| {
        let (mut store, instance) = instance(engine, &text);
        let f = instance.get_func(&mut store, "f").unwrap();
        let opts = |mode: &str, names: Val| {
            Val::Record(vec![("mode".into(), Val::Enum(mode.into())), ("names".into(), names)])
        };
        let names = Val::from(vec![Val::string("a")]);
        let mut error = |args: &[Val]| {
            let stop = f.call(&mut store, args).unwrap_err();
            assert!(stop.is::<ValueError>(), "{stop}");
            stop.to_string()
        };
        assert_eq!(error(&[]), "expected 2 arguments, found 0 (`f`)");
        assert_eq!(
            error(&[Val::U8(1), opts("read", names.clone())]),
            "expected `u32`, found a value of kind `u8` (argument 1 `n` of `f`)"
        );
        assert_eq!(
            error(&[Val::U32(1), opts("append", names.clone())]),
            "the enum has no case `append` (argument 2 `opts.mode` of `f`)"
        );
        assert_eq!(
            error(&[Val::U32(1), opts("read", Val::from(vec![Val::string("a"), Val::Bool(true)]))]),
            "expected `string`, found a value of kind `bool` (argument 2 `opts.names[1]` of `f`)"
        );
        assert_eq!(f.call(&mut store, &[Val::U32(1), opts("write", names)]).unwrap(), None);
    });
}

const IMPORTER: &str = r#"
    (import "host" (instance $host
        (export "count" (func (param "by" u32) (result u32)))
        (export "join" (func (param "parts" (list string)) (param "with" string) (result string)))
        (export "fail" (func))
        (export "again" (func))))
    (core func $count (canon lower (func $host "count")))
    (core func $join (canon lower (func $host "join") (memory (core memory $libc "memory")) (realloc (core func $libc "realloc"))))
    (core func $fail (canon lower (func $host "fail")))
    (core func $again (canon lower (func $host "again")))
    (core module $M
        (import "host" "count" (func $count (param i32) (result i32)))
        (import "host" "join" (func $join (param i32 i32 i32 i32 i32)))
        (import "host" "fail" (func $fail))
        (import "host" "again" (func $again))
        (import "libc" "memory" (memory 1))
        (data (i32.const 0) "\40\00\00\00\01\00\00\00\41\00\00\00\02\00\00\00")
        (data (i32.const 64) "abc, ")
        (func (export "count") (param i32) (result i32) (call $count (call $count (local.get 0))))
        (func (export "join") (result i32)
            (call $join (i32.const 0) (i32.const 2) (i32.const 67) (i32.const 2) (i32.const 32))
            (i32.const 32))
        (func (export "fail") (call $fail))
        (func (export "again") (call $again)))
    (core instance $m (instantiate $M
        (with "libc" (instance $libc))
        (with "host" (instance
            (export "count" (func $count)) (export "join" (func $join))
            (export "fail" (func $fail)) (export "again" (func $again))))))
    (func (export "count") (param "by" u32) (result u32) (canon lift (core func $m "count")))
    (func (export "join") (result string) (canon lift (core func $m "join") (memory (core memory $libc "memory"))))
    (func (export "fail") (canon lift (core func $m "fail")))
    (func (export "again") (canon lift (core func $m "again")))"#;

/// The data of a store whose host function calls the component again.
#[derive(Default)]
struct Data {
    sum: u32,
    again: Option<wasmr_canon::Func>,
}

#[test]
fn components_call_the_host() {
    let text = format!("(component {LIBC} {IMPORTER})");
    in_all_modes(|engine| {
        let mut linker = Linker::<Data>::new();
        let mut host = linker.instance("host").unwrap();
        host.func_wrap("count", |mut store: StoreContextMut<'_, Data>, (by,): (u32,)| -> Result<u32, Stop> {
            store.data_mut().sum += by;
            Ok(store.data().sum)
        })
        .unwrap();
        host.func_wrap("join", |_: StoreContextMut<'_, Data>, (parts, with): (Vec<String>, String)| {
            Ok::<_, Stop>(parts.join(&with))
        })
        .unwrap();
        host.func_wrap("fail", |_: StoreContextMut<'_, Data>, ()| -> Result<(), String> { Err("no paper".into()) })
            .unwrap();
        host.func_new("again", |mut store, _| {
            let again = store.data().again.clone().unwrap();
            again.call(&mut store, &[]).map(|_| None)
        })
        .unwrap();
        assert_eq!(host.func_new("fail", |_, _| Ok(None)).unwrap_err().to_string(), "`fail` is already defined");
        let pre = linker.prepare(&component(engine, &text)).unwrap();
        let mut store = Store::new(engine, Data::default());
        let instance = pre.instantiate(&mut store).unwrap();
        let count = instance.get_typed_func::<(u32,), u32>(&mut store, "count").unwrap();
        assert_eq!(count.call(&mut store, (5,)).unwrap(), 10);
        let join = instance.get_typed_func::<(), String>(&mut store, "join").unwrap();
        assert_eq!(join.call(&mut store, ()).unwrap(), "a, bc");

        // Another instance has its own state.
        let other = pre.instantiate(&mut store).unwrap();
        let fail = other.get_typed_func::<(), ()>(&mut store, "fail").unwrap();
        assert!(fail.call(&mut store, ()).unwrap_err().to_string().starts_with("no paper"));
        let stop = fail.call(&mut store, ()).unwrap_err();
        let expected = "wasm trap: cannot enter component instance, which failed earlier: no paper";
        assert!(stop.to_string().starts_with(expected), "{stop}");
        assert_eq!(count.call(&mut store, (1,)).unwrap(), 22);

        // The host may not enter an instance that waits for it.
        store.data_mut().again = instance.get_func(&mut store, "again");
        let again = store.data().again.clone().unwrap();
        let stop = again.call(store.as_context_mut(), &[]).unwrap_err();
        assert!(stop.to_string().contains("cannot enter component instance: a call of it is active"), "{stop}");
    });
}

#[test]
fn values_go_from_component_to_component() {
    // The callee keeps UTF-16, the caller UTF-8.
    let text = format!(
        r#"(component
        (component $C {LIBC}
            (core module $M
                (import "libc" "memory" (memory 1))
                (func (export "f") (param i32 i32 i32 i32 i32 i32) (result i32)
                    (i32.store (i32.const 16) (i32.add (local.get 1) (local.get 3)))
                    (i32.store (i32.const 20) (local.get 4))
                    (i32.store (i32.const 24) (local.get 5))
                    (i32.const 16))
                (func (export "free") (param i32) (i32.store (i32.const 16) (i32.const 0xdead))))
            (core instance $m (instantiate $M (with "libc" (instance $libc))))
            (func (export "f") (param "text" string) (param "bytes" (list u8)) (param "pairs" (list (tuple u8 u32)))
                (result (tuple u32 (list (tuple u8 u32))))
                (canon lift (core func $m "f") string-encoding=utf16 (memory (core memory $libc "memory"))
                    (realloc (core func $libc "realloc")) (post-return (core func $m "free")))))
        (component $D {LIBC}
            (import "f" (func $f (param "text" string) (param "bytes" (list u8)) (param "pairs" (list (tuple u8 u32)))
                (result (tuple u32 (list (tuple u8 u32))))))
            (core func $f' (canon lower (func $f) (memory (core memory $libc "memory")) (realloc (core func $libc "realloc"))))
            (core module $M
                (import "" "f" (func $f (param i32 i32 i32 i32 i32 i32 i32)))
                (import "libc" "memory" (memory 1))
                (data (i32.const 0) "gr\c3\bc\c3\9fe")
                (data (i32.const 64) "\01\ff\ff\ff\02\00\00\00\03\ff\ff\ff\04\00\00\00")
                (func (export "run") (result i32)
                    (call $f (i32.const 0) (i32.const 7) (i32.const 0) (i32.const 7) (i32.const 64) (i32.const 2) (i32.const 256))
                    (i32.const 256)))
            (core instance $m (instantiate $M (with "" (instance (export "f" (func $f')))) (with "libc" (instance $libc))))
            (func (export "run") (result (tuple u32 (list (tuple u8 u32))))
                (canon lift (core func $m "run") (memory (core memory $libc "memory")))))
        (instance $c (instantiate $C))
        (instance $d (instantiate $D (with "f" (func $c "f"))))
        (func (export "run") (alias export $d "run")))"#
    );
    in_all_modes(|engine| {
        let (mut store, instance) = instance(engine, &text);
        let run = instance.get_typed_func::<(), (u32, Vec<(u8, u32)>)>(&mut store, "run").unwrap();
        assert_eq!(run.call(&mut store, ()).unwrap(), (12, vec![(1, 2), (3, 4)]));
    });
}
