//! Tables, globals and tags, by the embedder's API and by the slow paths of tiers.

use wasmr_core::registry::Types;
use wasmr_core::types::{FuncType, GlobalType, HeapType, Limits, RefType, TableType, ValType};
use wasmr_core::value::V128;
use wasmr_runtime::builtins::reference::ref_func;
use wasmr_runtime::builtins::table::{elem_drop, table_copy, table_fill, table_grow, table_init};
use wasmr_runtime::vm::{Status, VmFunc, VmStore};
use wasmr_runtime::{
    ExternRef, Func, Global, GlobalError, Instance, Store, StoreConfig, StoreLimits, Table, TableError, Tag, Val,
};

use crate::fake::{World, add_one};

fn ty(min: u64, max: Option<u64>, element: RefType) -> TableType {
    TableType { limits: Limits { min, max }, is64: false, element }
}

#[test]
fn a_table_accepts_only_values_of_its_type() {
    let world = World::new();
    let mut store = world.store(());
    let func = Func::wrap(&mut store, || {});
    let table = Table::new(&mut store, ty(2, Some(4), RefType::FUNCREF), Val::from(func)).unwrap();
    assert_eq!(table.get(&mut store, 1), Some(Val::from(func)));
    assert_eq!(table.get(&mut store, 2), None);
    table.set(&mut store, 0, Val::FuncRef(None)).unwrap();
    assert_eq!(table.get(&mut store, 0), Some(Val::FuncRef(None)));
    assert!(matches!(table.set(&mut store, 2, Val::from(func)), Err(TableError::OutOfBounds { index: 2, size: 2 })));
    let value = ExternRef::new(&mut store, 1u8).unwrap();
    assert!(matches!(table.set(&mut store, 0, Val::from(value)), Err(TableError::Type(_))));
    assert_eq!(table.grow(&mut store, 2, Val::from(func)).unwrap(), 2);
    assert_eq!(table.get(&mut store, 3), Some(Val::from(func)));
    assert!(table.grow(&mut store, 1, Val::FuncRef(None)).is_err());
    assert!(table.grow(&mut store, u64::MAX, Val::FuncRef(None)).is_err());
    assert_eq!(table.size(&store), 4);
}

#[test]
fn typed_function_tables_check_the_function_type() {
    let world = World::new();
    let mut store = world.store(());
    let mut types = Types::new(&world.registry);
    let wanted = types.intern_func(FuncType::new([ValType::I32], []));
    let element = RefType { nullable: false, heap: HeapType::Concrete(wanted) };
    let (right, wrong) = (Func::wrap(&mut store, |_: i32| {}), Func::wrap(&mut store, |_: i64| {}));
    assert!(Table::new(&mut store, ty(1, None, element), Val::FuncRef(None)).is_err(), "the type excludes null");
    let table = Table::new(&mut store, ty(1, None, element), Val::from(right)).unwrap();
    assert!(table.set(&mut store, 0, Val::from(wrong)).is_err());
    assert_eq!(table.get(&mut store, 0), Some(Val::from(right)));
}

#[test]
fn the_limit_is_over_all_tables_of_a_store() {
    let world = World::new();
    let limits = StoreLimits { max_table_elements: 100, ..StoreLimits::default() };
    let mut store = Store::new(StoreConfig { limits, ..world.config() }, ());
    let table = Table::new(&mut store, ty(60, None, RefType::FUNCREF), Val::FuncRef(None)).unwrap();
    assert!(Table::new(&mut store, ty(41, None, RefType::FUNCREF), Val::FuncRef(None)).is_err());
    assert!(Table::new(&mut store, ty(u64::MAX, None, RefType::FUNCREF), Val::FuncRef(None)).is_err());
    let other = Table::new(&mut store, ty(30, None, RefType::EXTERNREF), Val::ExternRef(None)).unwrap();
    assert!(table.grow(&mut store, 11, Val::FuncRef(None)).is_err());
    assert_eq!(other.grow(&mut store, 10, Val::ExternRef(None)).unwrap(), 30);
}

/// An entry that executes bulk operations on table 0. Returns the outcomes as bits, the first one highest.
unsafe extern "C" fn bulk(_: *mut VmStore, func: *mut VmFunc, slots: *mut u64) -> Status {
    // SAFETY: the instance of a running function is alive, with a table of 5 and two passive segments of 3 items. The function
    // has one result.
    unsafe {
        let instance = (*func).instance;
        let this = ref_func(instance, 0);
        let outcomes = [
            table_init(instance, 0, 0, 0, 0, 3).is_ok(),
            table_init(instance, 0, 0, 3, 0, 3).is_ok(),
            table_init(instance, 0, 1, 2, 1, 3).is_ok(),
            table_init(instance, 0, 1, 3, 1, 2).is_ok(),
            table_copy(instance, 0, 0, 1, 0, 5).is_ok(),
            table_copy(instance, 0, 0, 1, 0, 4).is_ok(),
            table_fill(instance, 0, 5, this, 1).is_ok(),
            table_fill(instance, 0, u64::MAX, this, 1).is_ok(),
            table_fill(instance, 0, 0, 0, 1).is_ok(),
            table_grow(instance, 0, this, 2) == 5,
            table_grow(instance, 0, this, u64::from(u32::MAX)) == u64::from(u32::MAX),
        ];
        elem_drop(instance, 0);
        let dropped = [table_init(instance, 0, 0, 0, 0, 1).is_ok(), table_init(instance, 0, 0, 7, 0, 0).is_ok()];
        *slots = outcomes.iter().chain(&dropped).fold(0, |bits, &ok| bits << 1 | u64::from(ok));
    }
    Status::OK
}

#[test]
fn bulk_operations_check_their_ranges_first() {
    let world = World::new();
    let module = world.module(
        r#"(module
            (table (export "t") 5 funcref)
            (func $f (export "run") (result i64) unreachable)
            (func $g (export "g") (param i32) (result i32) unreachable)
            (elem func $f $g $f)
            (elem funcref (ref.null func) (ref.func $g) (ref.func $f)))"#,
        &[bulk, add_one],
    );
    let mut store = world.store(());
    let instance = Instance::new(&mut store, &module, &[]).unwrap();
    let run = instance.get_typed_func::<(), u64>(&store, "run").unwrap();
    assert_eq!(run.call(&mut store, ()).unwrap(), 0b1_0010_1001_1101);
    let table = instance.get_table(&store, "t").unwrap();
    let (f, g) = (instance.get_func(&store, "run").unwrap(), instance.get_func(&store, "g").unwrap());
    // init at 0: f g f - -; init at 3: f g f g f; copy up by one: f f g f g; fill: - f g f g; grow: - f g f g f f.
    let expected = [None, Some(f), Some(g), Some(f), Some(g), Some(f), Some(f)].map(Val::FuncRef);
    for (index, expected) in (0..).zip(expected) {
        assert_eq!(table.get(&mut store, index), Some(expected), "{index}");
    }
    assert_eq!(table.size(&store), 7);
}

#[test]
fn globals_accept_only_values_of_their_type() {
    let world = World::new();
    let mut store = world.store(());
    let func = Func::wrap(&mut store, || {});
    let host = ExternRef::new(&mut store, 7u8).unwrap();
    let values = [
        (ValType::I32, Val::I32(-5), Val::I64(0)),
        (ValType::I64, Val::I64(i64::MIN), Val::I32(0)),
        (ValType::F32, Val::F32(0x7fa0_0000), Val::F64(0)),
        (ValType::F64, Val::F64(0x7ff4_0000_0000_0000), Val::F32(0)),
        (ValType::V128, Val::V128(V128::from_u128(3 << 77)), Val::I64(0)),
        (ValType::FUNCREF, Val::from(func), Val::ExternRef(None)),
        (ValType::EXTERNREF, Val::from(host), Val::FuncRef(None)),
        (ValType::EXNREF, Val::ExnRef(None), Val::FuncRef(None)),
    ];
    for (content, value, wrong) in values {
        for mutable in [false, true] {
            let global = Global::new(&mut store, GlobalType { content, mutable }, value).unwrap();
            assert_eq!(global.get(&mut store), value);
            let set = global.set(&mut store, value);
            assert_eq!(set.is_ok(), mutable);
            let refused = global.set(&mut store, wrong).unwrap_err();
            assert_eq!(matches!(refused, GlobalError::Type(_)), mutable);
        }
        assert!(Global::new(&mut store, GlobalType { content, mutable: true }, wrong).is_err());
    }
}

#[test]
fn tags_are_different_even_if_their_types_are_equal() {
    let world = World::new();
    let mut store = world.store(());
    let ty = FuncType::new([ValType::I32], []);
    let (one, other) = (Tag::new(&mut store, ty.clone()), Tag::new(&mut store, ty.clone()));
    assert_ne!(one, other);
    assert_eq!(*one.ty(&store), ty);
}
