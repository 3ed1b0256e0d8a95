//! The linker: names, matching of types, and messages that list every failure at once.

use wasmr_core::types::{FuncType, GlobalType, Limits, MemoryType, RefType, TableType, ValType};
use wasmr_runtime::UnknownImportCalled;
use wasmr_runtime::{
    Caller, Extern, Func, Global, Instance, InstantiateError, Linker, Memory, StopKind, Table, Tag, Val,
};

use crate::fake::{NO_ENTRIES, World, add_one, call_import};

fn link_error(result: Result<Instance, InstantiateError>) -> String {
    match result {
        Err(InstantiateError::Link(error)) => error.to_string(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn all_failures_are_listed_with_their_types() {
    let world = World::new();
    let mut store = world.store(());
    let module = world.module(
        r#"(module
            (import "env" "missing" (func (param i32) (result f64)))
            (import "env" "fine" (func))
            (import "env" "other" (func (param i64)))
            (import "env" "kind" (memory 1))
            (import "env" "\1b[2J" (global (mut i32))))"#,
        NO_ENTRIES,
    );
    let mut linker = Linker::<()>::new();
    linker.func_wrap("env", "fine", || {}).unwrap();
    linker.func_wrap("env", "other", |_: i32| {}).unwrap();
    linker.func_wrap("env", "kind", || {}).unwrap();
    assert_eq!(
        link_error(linker.instantiate(&mut store, &module)),
        "`test.wasm` cannot be linked:\n\
         \x20 unknown import `env` `missing`: (func (param i32) (result f64))\n\
         \x20 incompatible import type for `env` `other`: expected (func (param i64)), found (func (param i32))\n\
         \x20 incompatible import type for `env` `kind`: expected (memory 1), found (func)\n\
         \x20 unknown import `env` `\\u{1b}[2J`: (global (mut i32))"
    );
}

#[test]
fn object_types_are_spelled_out() {
    let world = World::new();
    let mut store = world.store(());
    let exporter = world.module(
        r#"(module (type $list (struct (field i32) (field (ref null $list)))) (type $base (sub (struct)))
            (type $leaf (sub $base (struct))) (global (export "list") (ref null $list) (ref.null none))
            (global (export "leaf") (mut (ref null $leaf)) (ref.null none)))"#,
        NO_ENTRIES,
    );
    let importer = world.module(
        r#"(module (type $bytes (array (mut i8))) (type $leaf (sub (struct)))
            (import "env" "list" (global (ref null $bytes))) (import "env" "leaf" (global (mut (ref null $leaf)))))"#,
        NO_ENTRIES,
    );
    let mut linker = Linker::<()>::new();
    let instance = linker.instantiate(&mut store, &exporter).unwrap();
    linker.instance(&mut store, "env", instance).unwrap();
    assert_eq!(
        link_error(linker.instantiate(&mut store, &importer)),
        "`test.wasm` cannot be linked:\n\
         \x20 incompatible import type for `env` `list`: expected (global (ref null (array (mut i8)))), \
         found (global (ref null (struct (field i32) (field (ref null (struct …))))))\n\
         \x20 incompatible import type for `env` `leaf`: expected (global (mut (ref null (struct)))), \
         found (global (mut (ref null (struct)))) with another nested type, supertype or recursion group"
    );
}

#[test]
fn imports_match_by_the_rules_of_the_specification() {
    let world = World::new();
    let mut store = world.store(());
    let limits = |min, max| Limits { min, max };
    let memory = Memory::new(&mut store, MemoryType::new(2, Some(4))).unwrap();
    let table_ty = TableType { limits: limits(2, None), is64: false, element: RefType::FUNCREF };
    let table = Table::new(&mut store, table_ty, Val::FuncRef(None)).unwrap();
    let global = |store: &mut _, mutable| {
        Global::new(store, GlobalType { content: ValType::I32, mutable }, Val::I32(1)).unwrap()
    };
    let (constant, variable) = (global(&mut store, false), global(&mut store, true));
    let tag = Tag::new(&mut store, FuncType::new([ValType::I32], []));
    let func = Func::wrap(&mut store, |n: i32| n);
    let mut linker = Linker::new();
    linker.define("m", "memory", memory).unwrap().define("m", "table", table).unwrap();
    linker.define("m", "const", constant).unwrap().define("m", "var", variable).unwrap();
    linker.define("m", "tag", tag).unwrap().define("m", "func", func).unwrap();
    let mut fits = |import: &str| {
        let module = world.module(&format!("(module (import \"m\" {import}))"), NO_ENTRIES);
        linker.instantiate(&mut store, &module).is_ok()
    };
    let rows = [
        ("\"memory\" (memory 2 4)", true),
        ("\"memory\" (memory 1)", true),
        ("\"memory\" (memory 3)", false),
        ("\"memory\" (memory 2 3)", false),
        ("\"memory\" (memory i64 1)", false),
        ("\"table\" (table 2 funcref)", true),
        ("\"table\" (table 2 2 funcref)", false),
        ("\"table\" (table 2 externref)", false),
        ("\"const\" (global i32)", true),
        ("\"const\" (global (mut i32))", false),
        ("\"const\" (global i64)", false),
        ("\"var\" (global (mut i32))", true),
        ("\"var\" (global i32)", false),
        ("\"tag\" (tag (param i32))", true),
        ("\"tag\" (tag)", false),
        ("\"func\" (func (param i32) (result i32))", true),
        ("\"func\" (func (param i32))", false),
        ("\"func\" (tag (param i32))", false),
    ];
    for (import, expected) in rows {
        assert_eq!(fits(import), expected, "{import}");
    }
    memory.grow(&mut store, 1).unwrap();
    let grown = world.module(r#"(module (import "m" "memory" (memory 3)))"#, NO_ENTRIES);
    linker.instantiate(&mut store, &grown).expect("the current size counts");
}

#[test]
fn a_name_is_defined_once_unless_shadowing_is_allowed() {
    let mut linker = Linker::<()>::new();
    linker.func_wrap("a", "f", || 1i32).unwrap();
    let error = linker.func_wrap("a", "f", || 2i32).unwrap_err();
    assert_eq!(error.to_string(), "`a` `f` is already defined");
    linker.allow_shadowing(true).func_wrap("a", "f", || 3i32).unwrap();
    let mut store = World::new().store(());
    let f = linker.get(&mut store, "a", "f").and_then(Extern::into_func).unwrap();
    assert_eq!(f.typed::<(), i32>(&store).unwrap().call(&mut store, ()).unwrap(), 3);
    assert!(linker.get(&mut store, "a", "g").is_none());
}

#[test]
fn instances_and_aliases_define_names() {
    let world = World::new();
    let mut store = world.store(());
    let exporter = world.module(
        r#"(module (func (export "inc") (param i32) (result i32) unreachable) (memory (export "mem") 1))"#,
        &[add_one],
    );
    let importer = world.module(
        r#"(module
            (import "alias" "inc" (func (param i32) (result i32)))
            (import "lib" "mem" (memory 1))
            (export "again" (func 0))
            (func (export "run") (param i32) (result i32) unreachable))"#,
        &[call_import],
    );
    let exporter = Instance::new(&mut store, &exporter, &[]).unwrap();
    let mut linker = Linker::new();
    linker.instance(&store, "lib", exporter).unwrap().alias_module("lib", "alias").unwrap();
    let instance = linker.instantiate(&mut store, &importer).unwrap();
    let run = instance.get_typed_func::<i32, i32>(&store, "run").unwrap();
    assert_eq!(run.call(&mut store, 41).unwrap(), 42);
    assert_eq!(instance.get_func(&store, "again"), exporter.get_func(&store, "inc"), "the same function");
    let names: Vec<&str> = instance.exports(&store).map(|(name, _)| name).collect();
    assert_eq!(names, ["again", "run"]);
    assert!(linker.instance(&store, "lib", exporter).is_err());
}

#[test]
fn unknown_functions_fail_when_called_and_not_before() {
    let world = World::new();
    let mut store = world.store(());
    let module = world.module(
        r#"(module (import "env" "gone" (func (param i32) (result i32)))
                   (func (export "run") (param i32) (result i32) unreachable))"#,
        &[call_import],
    );
    let mut linker = Linker::new();
    assert!(linker.instantiate(&mut store, &module).is_err());
    linker.define_unknown_imports_as_traps(&module).unwrap();
    let instance = linker.instantiate(&mut store, &module).unwrap();
    let run = instance.get_typed_func::<i32, i32>(&store, "run").unwrap();
    let StopKind::Host(failure) = run.call(&mut store, 1).unwrap_err().into_kind() else { panic!("no host error") };
    assert_eq!(failure.error().downcast_ref::<UnknownImportCalled>().unwrap().name, "gone");
}

#[test]
fn a_linker_serves_many_stores() {
    let world = World::new();
    let module = world.module(
        r#"(module (import "h" "f" (func (param i32) (result i32)))
                   (func (export "run") (param i32) (result i32) unreachable))"#,
        &[call_import],
    );
    let mut linker = Linker::new();
    linker.func_wrap("h", "f", |caller: Caller<'_, i32>, n: i32| caller.data() + n).unwrap();
    for base in [100, 200] {
        let mut store = world.store(base);
        let instance = linker.instantiate(&mut store, &module).unwrap();
        let run = instance.get_typed_func::<i32, i32>(&store, "run").unwrap();
        assert_eq!(run.call(&mut store, 5).unwrap(), base + 5);
    }
}
