//! Calls across every boundary: from host to compiled code, between compiled functions, to the host, and tail calls between
//! tiers.

use wasmr_core::value::V128;
use wasmr_runtime::vm::{Status, VmFunc, VmInstance, VmStore};
use wasmr_runtime::{Caller, Func};

use crate::world::Running;

#[test]
fn recursion_and_direct_calls() {
    let mut running = Running::new(
        r#"(module (func $fib (export "fib") (param i32) (result i32)
            (if (result i32) (i32.lt_s (local.get 0) (i32.const 2)) (then (local.get 0))
                (else (i32.add (call $fib (i32.sub (local.get 0) (i32.const 1)))
                               (call $fib (i32.sub (local.get 0) (i32.const 2))))))))"#,
    );
    assert_eq!(running.call::<i32, i32>("fib", 20), 6765);
}

/// Passes more values of each kind than there are registers through two more functions, the last of them through a table, where
/// it is not compiled before the call.
const MANY: &str = r#"(module
    (type $many (func
        (param i32 i64 f32 f64 v128 i32 i64 f32 f64 v128 i32 i64 f32 f64 v128 i32 i64 f32)
        (result i32 i64 f32 f64 v128 i32 i64 f32 f64 v128 i32 i64 f32 f64 v128 i32 i64 f32)))
    (table funcref (elem $last))
    (func $last (type $many)
        (local.get 0) (local.get 1) (local.get 2) (local.get 3) (local.get 4) (local.get 5)
        (local.get 6) (local.get 7) (local.get 8) (local.get 9) (local.get 10) (local.get 11)
        (local.get 12) (local.get 13) (local.get 14) (local.get 15) (local.get 16) (local.get 17))
    (func $middle (type $many)
        (local.get 0) (local.get 1) (local.get 2) (local.get 3) (local.get 4) (local.get 5)
        (local.get 6) (local.get 7) (local.get 8) (local.get 9) (local.get 10) (local.get 11)
        (local.get 12) (local.get 13) (local.get 14) (local.get 15) (local.get 16) (local.get 17)
        (call_indirect (type $many) (i32.const 0)))
    (func (export "first") (type $many)
        (local.get 0) (local.get 1) (local.get 2) (local.get 3) (local.get 4) (local.get 5)
        (local.get 6) (local.get 7) (local.get 8) (local.get 9) (local.get 10) (local.get 11)
        (local.get 12) (local.get 13) (local.get 14) (local.get 15) (local.get 16) (local.get 17)
        (call $middle)))"#;

#[test]
fn more_values_than_registers_pass_every_boundary() {
    use wasmr_runtime::Val;
    let params: Vec<Val> = (0..18u32)
        .map(|n| match n % 5 {
            0 => Val::I32(-(n as i32)),
            1 => Val::I64(i64::from(n) << 40),
            2 => Val::F32((n as f32 + 0.5).to_bits()),
            3 => Val::F64((f64::from(n) + 0.25).to_bits()),
            _ => Val::V128(V128::from_u128(u128::from(n) << 100 | 1)),
        })
        .collect();
    let Running { mut store, instance } = Running::new(MANY);
    let first = instance.get_func(&store, "first").unwrap();
    // In the second round, all functions are compiled and all callees resolved.
    for _ in 0..2 {
        let mut results = vec![Val::I32(0); 18];
        first.call(&mut store, &params, &mut results).unwrap();
        assert_eq!(results, params);
    }
}

#[test]
fn the_host_is_called_and_calls_back() {
    let mut running = Running::importing(
        None::<Func>,
        r#"(module (import "h" "f" (func $f (param i32 f64) (result f64 i32)))
            (func (export "down") (param i32 f64) (result f64 i32)
                (if (result f64 i32) (i32.eqz (local.get 0))
                    (then (local.get 1) (i32.const 7))
                    (else (call $f (i32.sub (local.get 0) (i32.const 1)) (f64.mul (local.get 1) (f64.const 2))))))
        )"#,
        |store| {
            let back = Func::wrap(store, |mut caller: Caller<'_, Option<Func>>, n: i32, x: f64| {
                let down = caller.data().unwrap().typed::<(i32, f64), (f64, i32)>(&caller).unwrap();
                down.call(&mut caller, (n, x))
            });
            vec![back.into()]
        },
    );
    let down = running.instance.get_func(&running.store, "down");
    *running.store.data_mut() = down;
    assert_eq!(running.call::<(i32, f64), (f64, i32)>("down", (10, 1.0)), (1024.0, 7));
}

/// Adds one to its second argument, subtracts one from its first, and makes a tail call of function 0 of its module. A tier
/// makes a tail call in this way after it has discarded its own frames.
unsafe extern "C" fn tail_call_first(store: *mut VmStore, func: *mut VmFunc, slots: *mut u64) -> Status {
    // SAFETY: the instance is alive and defines a function 0 that takes two numbers.
    unsafe {
        let instance: *mut VmInstance = (*func).instance;
        let first = (*(*instance).instance).layout().defined_func(0);
        *slots -= 1;
        *slots.add(1) += 1;
        (*store).tail_func = instance.byte_add(first as usize).cast();
        (*store).tail_slots = slots;
        (*store).caller = instance;
    }
    Status::TAIL
}

const ALTERNATE: &str = r#"(module
    (func $first (export "first") (param i64 i64) (result i64)
        (if (result i64) (i64.eqz (local.get 0)) (then (local.get 1))
            (else (return_call $other (local.get 0) (local.get 1)))))
    (func $other (param i64 i64) (result i64) (return_call $other (local.get 0) (local.get 1)))
    (func (export "inside") (param i64) (result i64)
        (i64.add (call $other (local.get 0) (i64.const 0)) (i64.const 1000))))"#;

#[test]
fn tail_calls_from_tier_to_tier_take_no_stack() {
    let mut running = Running::with(ALTERNATE, &[(1, tail_call_first)]);
    let rounds = 300_000;
    // `first` is called from the host, which makes the tail calls. `inside` waits for them in compiled code, whose exit
    // trampoline makes them.
    assert_eq!(running.call::<(i64, i64), i64>("first", (rounds, 0)), rounds);
    assert_eq!(running.call::<i64, i64>("inside", rounds), rounds + 1000);
}
