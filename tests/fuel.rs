//! Fuel: what execution costs is exact, the same each time, and a limit that holds.

use wasmr::{Config, Engine, Instance, Module, Stop, Store, TrapCode};

const GIVEN: u64 = 1_000_000_000;

fn engine() -> Engine {
    Engine::new(Config::new().consume_fuel(true))
}

/// What a call of the export `run` with this argument uses, and how it ended.
fn used(engine: &Engine, wat: &str, argument: i32, given: u64) -> (u64, Result<i32, Stop>) {
    let module = Module::new(engine, wat.as_bytes().to_vec()).unwrap();
    let mut store = Store::new(engine, ());
    store.set_fuel(given);
    let instance = Instance::new(&mut store, &module, &[]).unwrap();
    let run = instance.get_typed_func::<i32, i32>(&mut store, "run").unwrap();
    let result = run.call(&mut store, argument);
    (given - store.fuel(), result)
}

#[test]
fn each_operator_costs_one_and_marks_nothing() {
    let wat = "(module (func (export \"run\") (param i32) (result i32)
        (block (nop) (local.set 0 (i32.add (local.get 0) (i32.const 1))))
        (local.get 0)))";
    // local.get, i32.const, i32.add, local.set, local.get.
    assert_eq!(used(&engine(), wat, 1, GIVEN).0, 5);
}

#[test]
fn only_the_path_taken_costs() {
    let wat = "(module (func (export \"run\") (param i32) (result i32)
        (if (result i32) (local.get 0) (then (i32.const 1)) (else (i32.add (i32.const 1) (i32.const 2))))))";
    // local.get and if, then one or three.
    assert_eq!(used(&engine(), wat, 1, GIVEN).0, 3);
    assert_eq!(used(&engine(), wat, 0, GIVEN).0, 5);
}

const LOOP: &str = "(module (func (export \"run\") (param i32) (result i32)
    (loop (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
    (local.get 0)))";

#[test]
fn loops_cost_by_iteration() {
    // local.get, i32.const, i32.sub, local.tee, br_if each time, and the last local.get.
    assert_eq!(used(&engine(), LOOP, 1, GIVEN).0, 5 + 1);
    assert_eq!(used(&engine(), LOOP, 1000, GIVEN).0, 5 * 1000 + 1);
}

#[test]
fn running_out_is_a_trap_at_an_exact_place() {
    let enough = used(&engine(), LOOP, 1000, GIVEN).0;
    let (spent, result) = used(&engine(), LOOP, 1000, enough);
    assert_eq!((spent, result.unwrap()), (enough, 0));
    let (spent, result) = used(&engine(), LOOP, 1000, enough - 1);
    assert_eq!(result.unwrap_err().trap_code(), Some(TrapCode::OutOfFuel));
    assert_eq!(spent, enough - 1);
}

#[test]
fn a_new_store_has_no_fuel() {
    let (_, result) = used(&engine(), LOOP, 1, 0);
    assert_eq!(result.unwrap_err().trap_code(), Some(TrapCode::OutOfFuel));
}

#[test]
fn bulk_operators_cost_by_size() {
    let wat = "(module (memory 2) (func (export \"run\") (param i32) (result i32)
        (memory.fill (i32.const 0) (i32.const 1) (local.get 0))
        (i32.const 0)))";
    let base = used(&engine(), wat, 0, GIVEN).0;
    assert_eq!(used(&engine(), wat, 65536, GIVEN).0, base + 65536 / 64);
    // Taken before the operator looks at its operands, so that a huge one cannot be had for free.
    let (spent, result) = used(&engine(), wat, -1, GIVEN);
    assert_eq!(result.unwrap_err().trap_code(), Some(TrapCode::MemoryOutOfBounds));
    assert_eq!(spent, base - 1 + 1 + u32::MAX as u64 / 64);
}

#[test]
fn unmetered_code_leaves_fuel_alone() {
    let engine = Engine::default();
    assert_eq!(used(&engine, LOOP, 1000, 7).0, 0);
}
