//! Instantiation: the order of the steps, the effects that stay when one fails, and the layout of an instance.

use wasmr_core::trap::TrapCode;
use wasmr_core::types::{FuncType, Limits, MemoryType, RefType, TableType, ValType};
use wasmr_core::value::V128;
use wasmr_runtime::vm::{Status, VmFunc, VmGlobal, VmLayout, VmMemory, VmStore};
use wasmr_runtime::{
    Func, Instance, InstantiateError, Linker, Memory, MemoryStrategy, ResourceError, Store, StoreConfig, StoreLimits,
    Table, Val,
};

use crate::fake::{INITIAL_BUDGET, NO_ENTRIES, World, add_one, call_import, trap};

#[test]
fn globals_are_evaluated_in_order() {
    let world = World::new();
    let mut store = world.store(());
    let module = world.module(
        r#"(module
            (import "m" "g" (global i64))
            (func $f)
            (global $a (export "a") i64 (i64.add (global.get 0) (i64.mul (i64.const 3) (i64.const -2))))
            (global (export "b") i64 (i64.sub (global.get $a) (i64.const 1)))
            (global (export "c") i32 (i32.mul (i32.const 0x10000) (i32.add (i32.const 0x8000) (i32.sub (i32.const 1) (i32.const 1)))))
            (global (export "d") v128 (v128.const i64x2 5 6))
            (global (export "e") funcref (ref.func $f))
            (global (export "n") (mut externref) (ref.null extern))
            (global (export "x") f32 (f32.const nan:0x200000))
            (export "f" (func $f)))"#,
        &[add_one],
    );
    let ty = wasmr_core::types::GlobalType { content: ValType::I64, mutable: false };
    let import = wasmr_runtime::Global::new(&mut store, ty, Val::I64(100)).unwrap();
    let instance = Instance::new(&mut store, &module, &[import.into()]).unwrap();
    let f = instance.get_func(&store, "f").unwrap();
    let expected = [
        ("a", Val::I64(94)),
        ("b", Val::I64(93)),
        ("c", Val::I32(i32::MIN)),
        ("d", Val::V128(V128::from_slots([5, 6]))),
        ("e", Val::from(f)),
        ("n", Val::ExternRef(None)),
        ("x", Val::F32(0x7fa0_0000)),
    ];
    for (name, value) in expected {
        assert_eq!(instance.get_global(&store, name).unwrap().get(&mut store), value, "{name}");
    }
}

/// An entry that reads an instance by its layout, as code does. The cached base of memory 0 must be the memory's. Returns the
/// sum of an imported and a defined global.
unsafe extern "C" fn look_around(store: *mut VmStore, func: *mut VmFunc, slots: *mut u64) -> Status {
    // SAFETY: the instance is of the module in the test below, which has these objects.
    unsafe {
        let instance = (*func).instance;
        let layout: VmLayout = *(*(*instance).instance).layout();
        let at = |offset: u32| instance.byte_add(offset as usize);
        assert_eq!((*instance).store, store);
        assert_eq!((*instance).budget, INITIAL_BUDGET);
        let memory = *at(layout.memory(0)).cast::<*mut VmMemory>();
        assert_eq!((*instance).memory0_guarded, (*memory).guarded);
        let cached = if (*memory).guarded { (*memory).base } else { std::ptr::null_mut() };
        assert_eq!((*instance).memory0_base, cached);
        assert_eq!(at(layout.defined_func(0)).cast::<VmFunc>(), func);
        assert_eq!(((*func).index, (*func).arg_slots), (1, 1));
        let imported = **at(layout.imported_global(0)).cast::<*mut VmGlobal>();
        let defined = *at(layout.defined_global(0)).cast::<VmGlobal>();
        *slots = imported.value[0] + defined.value[0];
    }
    Status::OK
}

#[test]
fn the_layout_matches_the_instance() {
    let world = World::new();
    let module = world.module(
        r#"(module
            (import "m" "f" (func))
            (import "m" "g" (global i64))
            (memory 1)
            (global i64 (i64.const 30))
            (func (export "run") (result i64) unreachable))"#,
        &[look_around],
    );
    for memory in [MemoryStrategy::Guarded, MemoryStrategy::Checked] {
        let mut store = Store::new(StoreConfig { memory, ..world.config() }, ());
        let f = Func::wrap(&mut store, || {});
        let ty = wasmr_core::types::GlobalType { content: ValType::I64, mutable: false };
        let g = wasmr_runtime::Global::new(&mut store, ty, Val::I64(12)).unwrap();
        let instance = Instance::new(&mut store, &module, &[f.into(), g.into()]).unwrap();
        let run = instance.get_typed_func::<(), u64>(&store, "run").unwrap();
        assert_eq!(run.call(&mut store, ()).unwrap(), 42);
    }
}

fn imported_table_and_memory(store: &mut Store<()>) -> (Table, Memory) {
    let limits = Limits { min: 1, max: None };
    let ty = TableType { limits: Limits { min: 4, max: None }, is64: false, element: RefType::FUNCREF };
    let table = Table::new(&mut *store, ty, Val::FuncRef(None)).unwrap();
    let memory = Memory::new(&mut *store, MemoryType::new(limits.min, limits.max)).unwrap();
    (table, memory)
}

#[test]
fn a_segment_out_of_bounds_traps_and_earlier_effects_stay() {
    let world = World::new();
    let mut store = world.store(());
    let (table, memory) = imported_table_and_memory(&mut store);
    let import = r#"(import "m" "t" (table 4 funcref)) (import "m" "m" (memory 1)) (func $f (param i32) (result i32) unreachable)"#;
    let imports = [table.into(), memory.into()];

    // The last data segment does not fit: elements and earlier data were copied, and the function works.
    let text = format!(
        r#"(module {import} (elem (i32.const 1) func $f)
            (data (i32.const 0) "hello") (data (i32.const 65535) "xy") (data (i32.const 9) "never"))"#
    );
    let module = world.module(&text, &[add_one]);
    let error = Instance::new(&mut store, &module, &imports).unwrap_err();
    let InstantiateError::Stop(stop) = error else { panic!("{error}") };
    assert_eq!(stop.trap_code(), Some(TrapCode::MemoryOutOfBounds));
    drop(module);
    assert_eq!(memory.data(&store)[..10], *b"hello\0\0\0\0\0");
    assert_eq!(memory.data(&store)[65535], 0, "a segment is copied whole or not at all");
    let Some(Val::FuncRef(Some(f))) = table.get(&mut store, 1) else { panic!("no function") };
    assert_eq!(f.typed::<i32, i32>(&store).unwrap().call(&mut store, 1).unwrap(), 2);

    // An element segment does not fit: no data segment is copied.
    let text = format!(
        r#"(module {import} (elem (i32.const 0) func $f) (elem (i32.const 4) func $f)
            (data (i32.const 0) "later"))"#
    );
    let error = Instance::new(&mut store, &world.module(&text, &[add_one]), &imports).unwrap_err();
    let InstantiateError::Stop(stop) = error else { panic!("{error}") };
    assert_eq!(stop.trap_code(), Some(TrapCode::TableOutOfBounds));
    assert!(matches!(table.get(&mut store, 0), Some(Val::FuncRef(Some(_)))));
    assert_eq!(memory.data(&store)[..5], *b"hello");
}

#[test]
fn the_start_function_runs_last_and_its_trap_is_reported() {
    let world = World::new();
    let mut store = world.store(Vec::new());
    let text = r#"(module
        (import "h" "f" (func))
        (memory (export "memory") 1)
        (data (i32.const 0) "ready")
        (func $s (call 0))
        (start $s))"#;
    let module = world.module(text, &[call_import]);
    let mut linker = Linker::new();
    linker
        .func_wrap("h", "f", |mut caller: wasmr_runtime::Caller<'_, Vec<u8>>| {
            let (memory, seen) = caller.memory_and_data();
            seen.extend_from_slice(&memory.unwrap().into_bytes().unwrap()[..5]);
        })
        .unwrap();
    linker.instantiate(&mut store, &module).unwrap();
    assert_eq!(store.data(), b"ready");

    let error = linker.instantiate(&mut store, &world.module(text, &[trap])).unwrap_err();
    let InstantiateError::Stop(stop) = error else { panic!("{error}") };
    assert_eq!(stop.trap_code(), Some(TrapCode::Unreachable));
}

#[test]
fn a_table_with_an_initial_value_is_full_of_it() {
    let world = World::new();
    let mut store = world.store(());
    let module = world.module(
        r#"(module (func $f (param i32) (result i32) unreachable) (table (export "t") 3 funcref (ref.func $f))
            (elem (i32.const 1) funcref (ref.null func)))"#,
        &[add_one],
    );
    let instance = Instance::new(&mut store, &module, &[]).unwrap();
    let table = instance.get_table(&store, "t").unwrap();
    let is_null = |value| matches!(value, Some(Val::FuncRef(None)));
    assert!(!is_null(table.get(&mut store, 0)) && is_null(table.get(&mut store, 1)));
    assert!(!is_null(table.get(&mut store, 2)));
}

#[test]
fn limits_refuse_before_anything_is_made() {
    let world = World::new();
    let limits =
        StoreLimits { max_memory_bytes: 1 << 20, max_table_elements: 1000, max_instances: 2, ..StoreLimits::default() };
    let mut store = Store::new(StoreConfig { limits, ..world.config() }, ());
    let mut refused = |text: &str| match Instance::new(&mut store, &world.module(text, NO_ENTRIES), &[]) {
        Err(InstantiateError::Resource(error)) => error.to_string(),
        other => panic!("{other:?}"),
    };
    assert!(refused("(module (memory 65536))").contains("a memory of 4294967296 bytes exceeds the limit"));
    assert!(refused("(module (memory i64 0x1000000000000))").contains("exceeds the limit"));
    assert!(refused("(module (table 1001 funcref))").contains("a table of 1001 elements exceeds the limit"));
    let empty = world.module("(module)", NO_ENTRIES);
    for _ in 0..2 {
        Instance::new(&mut store, &empty, &[]).unwrap();
    }
    let error = Instance::new(&mut store, &empty, &[]).unwrap_err();
    assert!(matches!(error, InstantiateError::Resource(ResourceError::InstanceLimit { limit: 2 })));
}

#[test]
fn exports_are_found_by_kind_and_type() {
    let world = World::new();
    let mut store = world.store(());
    let text = r#"(module (func (export "f") (param i32) (result i32) unreachable) (memory (export "m") 1))"#;
    let instance = Instance::new(&mut store, &world.module(text, &[add_one]), &[]).unwrap();
    assert!(instance.get_func(&store, "m").is_none() && instance.get_memory(&store, "f").is_none());
    assert!(instance.get_export(&store, "x").is_none());
    let f = instance.get_func(&store, "f").unwrap();
    assert_eq!(*f.ty(&store), FuncType::new([ValType::I32], [ValType::I32]));
    let missing = instance.get_typed_func::<(), ()>(&store, "x").unwrap_err();
    assert_eq!(missing.to_string(), "no function is exported as `x`");
    assert!(instance.get_typed_func::<(), ()>(&store, "f").is_err());
    assert_eq!(instance.module(&store).func_count(), 1);
}

#[test]
#[should_panic(expected = "a module of one engine was instantiated in a store of another")]
fn a_module_of_another_engine_is_refused() {
    let mut store = World::new().store(());
    let _ = Instance::new(&mut store, &World::new().module("(module)", NO_ENTRIES), &[]);
}
