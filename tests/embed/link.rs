//! Linking: imports that match and imports that do not, the messages about them, and objects that instances share.

use std::panic::{AssertUnwindSafe, catch_unwind};

use wasmr::{
    Caller, Engine, Extern, ExternType, Func, FuncType, Global, GlobalType, Instance, InstantiateError, LibraryError,
    LinkError, Linker, Memory, MemoryType, Module, RefType, Store, Table, TableType, Tag, TrapCode, Val, ValType,
};

use crate::support::{in_every_mode, instance, module};

#[track_caller]
fn link_error<T>(result: Result<T, InstantiateError>) -> LinkError {
    match result {
        Err(InstantiateError::Link(error)) => error,
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("it links"),
    }
}

in_every_mode! {
    fn every_kind_of_wrong_import_is_named_with_both_types(config) {
        let engine = Engine::new(&config);
        let text = r#"(module
            (import "h" "missing" (func (param i32)))
            (import "h" "func" (func (param i32) (result i32)))
            (import "h" "kind" (memory 1))
            (import "h" "memory" (memory 2))
            (import "h" "table" (table 1 externref))
            (import "h" "global" (global (mut i32)))
            (import "h" "tag" (tag (param i32)))
            (import "h" "good" (func)))"#;
        let mut store = Store::new(&engine, ());
        let mut linker = Linker::new();
        linker.func_wrap("h", "func", |_: i32| 0i64).unwrap();
        linker.func_wrap("h", "kind", || ()).unwrap();
        linker.func_wrap("h", "good", || ()).unwrap();
        let memory = Memory::new(&mut store, MemoryType::new(1, Some(2))).unwrap();
        let table = Table::new(&mut store, TableType::new(RefType::FUNCREF, 1, None), Val::FuncRef(None)).unwrap();
        let global = Global::new(&mut store, GlobalType::new(ValType::I32, false), Val::I32(0)).unwrap();
        let tag = Tag::new(&mut store, FuncType::new([ValType::I64], []));
        for (name, object) in [("memory", Extern::from(memory)), ("table", table.into()), ("global", global.into()), ("tag", tag.into())] {
            linker.define("h", name, object).unwrap();
        }
        let error = link_error(linker.instantiate(&mut store, &module(&engine, text)));
        let seen: Vec<_> = error.failures.iter()
            .map(|failure| (&*failure.name, &*failure.expected_text, failure.found_text.as_deref().unwrap_or("nothing")))
            .collect();
        assert_eq!(seen, [
            ("missing", "(func (param i32))", "nothing"),
            ("func", "(func (param i32) (result i32))", "(func (param i32) (result i64))"),
            ("kind", "(memory 1)", "(func)"),
            ("memory", "(memory 2)", "(memory 1 2)"),
            ("table", "(table 1 externref)", "(table 1 funcref)"),
            ("global", "(global (mut i32))", "(global i32)"),
            ("tag", "(tag (param i32))", "(tag (param i64))"),
        ]);
        // A memory matches if it has grown to the required size.
        memory.grow(&mut store, 1).unwrap();
        let error = link_error(linker.instantiate(&mut store, &module(&engine, text)));
        assert!(error.failures.iter().all(|failure| failure.name != "memory"));
    }

    fn an_error_describes_few_of_many_imports(config) {
        let engine = Engine::new(&config);
        let params = "i64 ".repeat(60);
        let imports: String = (0..10_000).map(|index| format!("(import \"h\" \"f{index}\" (func (type 0)))")).collect();
        let module = module(&engine, &format!("(module (type (func (param {params}))) {imports})"));
        let mut linker = Linker::new();
        let check = |error: LinkError| {
            assert_eq!((error.failures.len(), error.more), (LinkError::MAX_FAILURES, 10_000 - LinkError::MAX_FAILURES));
            let text = error.to_string();
            assert!(text.len() < 50_000 && text.ends_with("\n  and 9990 more imports"), "{} bytes", text.len());
            assert!(text.contains("`h` `f9`") && !text.contains("`f10`"));
        };
        check(linker.instantiate_pre(&module).unwrap_err());
        check(link_error(linker.instantiate(&mut Store::new(&engine, ()), &module)));
        for index in 0..10_000 {
            linker.func_wrap("h", &format!("f{index}"), || ()).unwrap();
        }
        let error = link_error(linker.instantiate(&mut Store::new(&engine, ()), &module));
        assert!(error.failures.iter().all(|failure| failure.found_text.as_deref() == Some("(func)")));
        assert_eq!((error.failures.len(), error.more), (LinkError::MAX_FAILURES, 10_000 - LinkError::MAX_FAILURES));
    }

    fn names_in_errors_cannot_steer_a_terminal(config) {
        let engine = Engine::new(&config);
        let text = r#"(module (import "\1b[2J" "\e2\80\ae" (func $f)) (func (export "run") (call $f)))"#;
        let module = module(&engine, text);
        let mut store = Store::new(&engine, ());
        let mut linker = Linker::new();
        let mut all = link_error(linker.instantiate(&mut store, &module)).to_string();
        linker.define_unknown_imports_as_traps(&module).unwrap();
        all += &linker.func_wrap("\u{1b}[2J", "\u{202e}", || ()).unwrap_err().to_string();
        let instance = linker.instantiate(&mut store, &module).unwrap();
        all += &instance.get_typed_func::<(), ()>(&store, "\u{1b}[2J").unwrap_err().to_string();
        let run = instance.get_typed_func::<(), ()>(&store, "run").unwrap();
        all += &run.call(&mut store, ()).unwrap_err().host_error().unwrap().to_string();
        assert!(!all.contains(['\u{1b}', '\u{202e}']), "{all:?}");
        assert_eq!((all.matches("\\u{1b}[2J").count(), all.matches("\\u{202e}").count()), (4, 3), "{all}");
    }

    fn a_name_is_defined_once_unless_shadowing_is_allowed(config) {
        let engine = Engine::new(&config);
        let text = r#"(module (import "h" "f" (func $f (result i32))) (func (export "run") (result i32) (call $f)))"#;
        let mut linker = Linker::new();
        linker.func_wrap("h", "f", || 1).unwrap();
        assert_eq!(linker.func_wrap("h", "f", || 2).unwrap_err().to_string(), "`h` `f` is already defined");
        linker.allow_shadowing(true).func_wrap("h", "f", || 3).unwrap();
        let mut store = Store::new(&engine, ());
        let instance = linker.instantiate(&mut store, &module(&engine, text)).unwrap();
        assert_eq!(instance.get_typed_func::<(), i32>(&store, "run").unwrap().call(&mut store, ()).unwrap(), 3);
    }

    fn defining_a_library_initialises_it(config) {
        let engine = Engine::new(&config);
        let library = module(&engine, r#"(module (global $g (mut i32) (i32.const 40))
            (func (export "_initialize") (global.set $g (i32.add (global.get $g) (i32.const 1))))
            (func (export "_start") unreachable)
            (func (export "get") (result i32) (global.get $g)))"#);
        let program = module(&engine, r#"(module (import "lib" "get" (func $get (result i32)))
            (func (export "run") (result i32) (call $get)))"#);
        let mut store = Store::new(&engine, ());
        let mut linker = Linker::new();
        linker.module(&mut store, "lib", &library).unwrap();
        let run = linker.instantiate(&mut store, &program).unwrap().get_typed_func::<(), i32>(&store, "run").unwrap();
        assert_eq!(run.call(&mut store, ()).unwrap(), 41);
        assert!(matches!(linker.module(&mut store, "lib", &library), Err(LibraryError::Duplicate(_))));

        // Instantiation alone does not initialise the library; `initialize` does.
        let instance = linker.instantiate(&mut store, &library).unwrap();
        let get = instance.get_typed_func::<(), i32>(&store, "get").unwrap();
        assert_eq!(get.call(&mut store, ()).unwrap(), 40);
        instance.initialize(&mut store).unwrap();
        assert_eq!(get.call(&mut store, ()).unwrap(), 41);

        let error = |text: &str| Linker::new().module(Store::new(&engine, ()), "lib", &module(&engine, text)).unwrap_err();
        let stopped = error(r#"(module (func (export "_initialize") unreachable))"#);
        let LibraryError::Instantiate(InstantiateError::Stop(stop)) = stopped else { panic!("{stopped}") };
        assert_eq!(stop.trap_code(), Some(TrapCode::Unreachable));
        let refused = error(r#"(module (func (export "_initialize") (param i32)))"#);
        assert_eq!(
            refused.to_string(),
            "`<module>` exports `_initialize` as (func (param i32)), but it must be a function without parameters and results"
        );
    }

    fn instances_share_what_they_import_from_each_other(config) {
        let engine = Engine::new(&config);
        let library = r#"(module
            (memory (export "memory") 1) (table (export "table") 2 funcref) (global (export "count") (mut i32) (i32.const 0))
            (func (export "bump") (global.set 0 (i32.add (global.get 0) (i32.const 1)))))"#;
        let program = r#"(module
            (import "lib" "memory" (memory 1)) (import "lib" "table" (table 2 funcref))
            (import "lib" "count" (global $count (mut i32))) (import "lib" "bump" (func $bump))
            (elem (i32.const 1) $seven) (func $seven (result i32) (i32.const 7))
            (func (export "run") (result i32) (call $bump) (call $bump) (i32.store8 (i32.const 3) (i32.const 9)) (global.get $count)))"#;
        let mut store = Store::new(&engine, ());
        let mut linker = Linker::new();
        let library = linker.instantiate(&mut store, &module(&engine, library)).unwrap();
        linker.instance(&store, "lib", library).unwrap();
        let program = linker.instantiate(&mut store, &module(&engine, program)).unwrap();
        assert_eq!(program.get_typed_func::<(), i32>(&store, "run").unwrap().call(&mut store, ()).unwrap(), 2);
        assert_eq!(library.get_memory(&store, "memory").unwrap().data(&store)[3], 9);
        let table = library.get_table(&store, "table").unwrap();
        assert_eq!(table.get(&mut store, 0), Some(Val::FuncRef(None)));
        let Some(Val::FuncRef(Some(seven))) = table.get(&mut store, 1) else { panic!("a function was put there") };
        assert_eq!(seven.typed::<(), i32>(&store).unwrap().call(&mut store, ()).unwrap(), 7);
    }

    fn tables_globals_and_memories_change_from_the_host(config) {
        let engine = Engine::new(&config);
        let text = r#"(module
            (type $t (func (result i32)))
            (table (export "table") 1 4 funcref) (global (export "var") (mut i64) (i64.const 1)) (global (export "const") f32 (f32.const 2))
            (memory (export "memory") 1 2)
            (func (export "call") (param i32) (result i32) (call_indirect (type $t) (local.get 0)))
            (func (export "var_is") (result i64) (global.get 0))
            (func (export "pages") (result i32) (memory.size)))"#;
        let (mut store, instance) = instance(&engine, text, (), &[]);
        let table = instance.get_table(&store, "table").unwrap();
        let nine = Func::wrap(&mut store, || 9);
        assert_eq!(table.grow(&mut store, 2, Val::from(nine)).unwrap(), 1);
        assert!(table.grow(&mut store, 2, Val::FuncRef(None)).is_err());
        table.set(&mut store, 0, Val::from(nine)).unwrap();
        assert!(table.set(&mut store, 3, Val::from(nine)).unwrap_err().to_string().contains("outside"));
        assert!(table.set(&mut store, 0, Val::ExternRef(None)).is_err());
        let call = instance.get_typed_func::<i32, i32>(&store, "call").unwrap();
        assert_eq!((call.call(&mut store, 0).unwrap(), call.call(&mut store, 2).unwrap()), (9, 9));

        let (var, constant) = (instance.get_global(&store, "var").unwrap(), instance.get_global(&store, "const").unwrap());
        var.set(&mut store, Val::I64(-5)).unwrap();
        assert_eq!(instance.get_typed_func::<(), i64>(&store, "var_is").unwrap().call(&mut store, ()).unwrap(), -5);
        assert!(var.set(&mut store, Val::I32(1)).is_err() && constant.set(&mut store, Val::from(1f32)).is_err());
        assert_eq!((constant.get(&mut store), constant.ty(&store)), (Val::from(2f32), GlobalType::new(ValType::F32, false)));

        let memory = instance.get_memory(&store, "memory").unwrap();
        assert_eq!((memory.grow(&mut store, 1), memory.grow(&mut store, 1)), (Some(1), None));
        assert_eq!((memory.size(&store), memory.data_size(&store)), (2, 2 << 16));
        assert_eq!(instance.get_typed_func::<(), i32>(&store, "pages").unwrap().call(&mut store, ()).unwrap(), 2);
        assert!(memory.write(&mut store, (2 << 16) - 1, &[1, 2]).is_err() && memory.read(&store, u64::MAX, &mut [0]).is_err());
    }

    fn imports_can_be_given_in_order_without_a_linker(config) {
        let engine = Engine::new(&config);
        let text = r#"(module (import "" "a" (func $a (result i32))) (import "" "b" (global $b i32))
            (func (export "run") (result i32) (i32.add (call $a) (global.get $b))))"#;
        let mut store = Store::new(&engine, ());
        let a = Func::wrap(&mut store, || 40);
        let b = Global::new(&mut store, GlobalType::new(ValType::I32, false), Val::I32(2)).unwrap();
        let module = module(&engine, text);
        let instance = Instance::new(&mut store, &module, &[a.into(), b.into()]).unwrap();
        assert_eq!(instance.get_typed_func::<(), i32>(&store, "run").unwrap().call(&mut store, ()).unwrap(), 42);
        assert_eq!(link_error(Instance::new(&mut store, &module, &[a.into()])).failures[0].name, "b");
        assert_eq!(link_error(Instance::new(&mut store, &module, &[b.into(), a.into()])).failures.len(), 2);
    }

    fn unknown_imports_can_be_made_to_trap(config) {
        let engine = Engine::new(&config);
        let text = r#"(module (import "env" "abort" (func $abort)) (func (export "run") (param i32) (if (local.get 0) (then (call $abort)))))"#;
        let module = module(&engine, text);
        let mut linker = Linker::new();
        linker.define_unknown_imports_as_traps(&module).unwrap();
        let mut store = Store::new(&engine, ());
        let instance = linker.instantiate(&mut store, &module).unwrap();
        let run = instance.get_typed_func::<i32, ()>(&store, "run").unwrap();
        run.call(&mut store, 0).unwrap();
        let stop = run.call(&mut store, 1).unwrap_err();
        assert!(stop.host_error().unwrap().is::<wasmr::UnknownImportCalled>(), "{stop}");
    }

    fn objects_of_another_store_are_refused_loudly(config) {
        let engine = Engine::new(&config);
        let mut one = Store::new(&engine, ());
        let mut two = Store::new(&engine, ());
        let func = Func::wrap(&mut one, || 1);
        let mut results = [Val::I32(0)];
        let call = catch_unwind(AssertUnwindSafe(|| func.call(&mut two, &[], &mut results)));
        assert!(call.is_err());
        let module = module(&engine, r#"(module (import "" "f" (func (result i32))))"#);
        assert!(catch_unwind(AssertUnwindSafe(|| Instance::new(&mut two, &module, &[func.into()]))).is_err());
        let other = Engine::new(&config);
        let mut three = Store::new(&other, ());
        assert!(catch_unwind(AssertUnwindSafe(|| Instance::new(&mut three, &module, &[]))).is_err());
    }

    fn a_module_tells_what_it_needs_and_offers(config) {
        let engine = Engine::new(&config);
        let module = Module::from_bytes(&engine, r#"(module (import "m" "f" (func (param i32)))
            (memory (export "mem") 1 2) (func (export "run") (result i64) (i64.const 0)))"#.as_bytes().to_vec(), "named").unwrap();
        assert_eq!(module.name(), "named");
        let import = module.imports().next().unwrap();
        assert_eq!((import.module(), import.name()), ("m", "f"));
        assert_eq!(import.func_type().unwrap().params(), [ValType::I32]);
        assert_eq!(format!("{import} {import:?}"), r#"(import "m" "f" (func (param i32))) (import "m" "f" (func (param i32)))"#);
        let exports: Vec<_> = module.exports().map(|export| (export.name().to_owned(), export.type_text())).collect();
        assert_eq!(exports, [("mem".to_owned(), "(memory 1 2)".to_owned()), ("run".to_owned(), "(func (result i64))".to_owned())]);
        let run = module.exports().nth(1).unwrap();
        assert_eq!(run.to_string(), r#"(export "run" (func (result i64)))"#);
        assert!(matches!(module.get_export("mem"), Some(ExternType::Memory(ty)) if ty == MemoryType::new(1, Some(2))));
        assert!(module.get_export("none").is_none());
    }

    fn a_module_has_the_embedders_name_or_its_own(config) {
        let engine = Engine::new(&config);
        for (text, expected) in [("(module)", "<module>"), ("(module $own)", "own")] {
            assert_eq!(Module::new(&engine, text).unwrap().name(), expected);
            assert_eq!(Module::new_with_name(&engine, text, "given").unwrap().name(), "given");
        }
        let text = r#"(module $own (func (export "run") unreachable))"#;
        let (mut store, instance) = instance(&engine, text, (), &[]);
        let stop = instance.get_typed_func::<(), ()>(&store, "run").unwrap().call(&mut store, ()).unwrap_err();
        assert!(stop.to_string().ends_with(" - own!run"), "{stop}");
    }

    fn imports_are_found_once_for_many_instances(config) {
        let engine = Engine::new(&config);
        let module = module(&engine, r#"(module (import "h" "f" (func $f (result i32))) (import "h" "g" (func))
            (func (export "run") (result i32) (call $f)))"#);
        let mut linker = Linker::new();
        linker.func_wrap("h", "f", || 5).unwrap();
        let error = linker.instantiate_pre(&module).unwrap_err();
        assert_eq!(error.to_string(), "`<module>` cannot be linked:\n  unknown import `h` `g`: (func)");
        linker.func_wrap("h", "g", || ()).unwrap();
        let pre = linker.instantiate_pre(&module).unwrap();
        for _ in 0..3 {
            let mut store = Store::new(&engine, ());
            let run = pre.clone().instantiate(&mut store).unwrap().get_typed_func::<(), i32>(&store, "run").unwrap();
            assert_eq!(run.call(&mut store, ()).unwrap(), 5);
        }
        linker.allow_shadowing(true).func_wrap("h", "g", || 1i64).unwrap();
        let wrong = linker.instantiate_pre(&module).unwrap().instantiate(&mut Store::new(&engine, ()));
        assert_eq!(link_error(wrong).failures[0].found_text.as_deref(), Some("(func (result i64))"));
    }

    fn a_module_has_a_default_function(config) {
        let engine = Engine::new(&config);
        let mut store = Store::new(&engine, 0);
        let mut linker = Linker::new();
        linker.func_wrap("h", "set", |mut caller: Caller<'_, i32>, n: i32| *caller.data_mut() = n).unwrap();
        let library = |exports: &str| module(&engine, &format!(r#"(module (import "h" "set" (func $set (param i32))) {exports})"#));
        linker.module(&mut store, "both", &library(r#"(func (export "_start") unreachable) (func (export "") (call $set (i32.const 1)))"#)).unwrap();
        linker.module(&mut store, "start", &library(r#"(func (export "_start") (call $set (i32.const 2)))"#)).unwrap();
        for (name, expected) in [("both", 1), ("start", 2)] {
            let func = linker.get_default(&mut store, name).unwrap();
            func.typed::<(), ()>(&store).unwrap().call(&mut store, ()).unwrap();
            assert_eq!(*store.data(), expected);
        }
        assert!(linker.get_default(&mut store, "h").is_none());
    }

    fn unknown_imports_have_default_values(config) {
        let engine = Engine::new(&config);
        let module = module(&engine, r#"(module (import "h" "known" (func $known (result i32)))
            (import "h" "number" (func $number (param i32) (result f64)))
            (import "h" "null" (func $null (result externref))) (import "h" "func" (func $func (result (ref func))))
            (func (export "run") (result i32 f64 externref) (call $known) (call $number (i32.const 1)) (call $null))
            (func (export "fails") (drop (call $func))))"#);
        let mut linker = Linker::new();
        linker.func_wrap("h", "known", || 5).unwrap();
        linker.define_unknown_imports_as_default_values(&module).unwrap();
        let mut store = Store::new(&engine, ());
        let instance = linker.instantiate(&mut store, &module).unwrap();
        let mut results = [Val::I32(0); 3];
        instance.get_func(&store, "run").unwrap().call(&mut store, &[], &mut results).unwrap();
        assert_eq!(results, [Val::I32(5), Val::F64(0), Val::ExternRef(None)]);
        let fails = instance.get_typed_func::<(), ()>(&store, "fails").unwrap();
        assert!(fails.call(&mut store, ()).unwrap_err().is::<wasmr::TypeMismatch>());
    }
}
