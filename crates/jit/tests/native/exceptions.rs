//! Exceptions that are thrown in the same function, in a callee, through the host and by other tiers.

use wasmr_core::value::V128;
use wasmr_runtime::builtins::exception::exception_new;
use wasmr_runtime::vm::{Status, VmFunc, VmStore};
use wasmr_runtime::{Caller, Func, Stop, StopKind, Val};

use crate::world::Running;

/// Runs `test` on two variants of a module. In one, callees are inlined. In the other, `CALLED` is replaced by a tail call,
/// which prevents inlining.
fn inlined_and_called(text: &str, mut test: impl FnMut(&mut Running)) {
    for called in ["", "(return_call $throw)"] {
        test(&mut Running::new(&text.replace("CALLED", called)));
    }
}

/// `run(n, depth)` calls `$throw` at a depth of calls. `$throw` throws one of three exceptions, or none. The result is
/// different for each clause that may catch it, and 1 if nothing was thrown.
const CLAUSES: &str = r#"(module
    (tag $a (param i32)) (tag $b (param i64 f32)) (tag $c)
    (func $throw (param i32)
        (block $c (block $b (block $a (block $none
            (br_table $a $b $c $none (local.get 0)))
            (return))
            (throw $a (i32.const 40)))
            (throw $b (i64.const 3) (f32.const 1.5)))
        (throw $c) CALLED)
    (func $deep (param i32 i32)
        (if (local.get 1) (then (call $deep (local.get 0) (i32.sub (local.get 1) (i32.const 1))))
            (else (call $throw (local.get 0)))))
    (func (export "run") (param i32 i32) (result i32)
        (block $all
            (block $b (result i64 f32)
                (block $a (result i32)
                    (try_table (catch $a $a) (catch $b $b) (catch_all $all)
                        (call $deep (local.get 0) (local.get 1)))
                    (return (i32.const 1)))
                (i32.add (i32.const 2))
                (return))
            (drop) (i32.wrap_i64) (i32.add (i32.const 100))
            (return))
        (i32.const 200)))"#;

#[test]
fn clauses_catch_their_exceptions_from_any_depth() {
    inlined_and_called(CLAUSES, |running| {
        for depth in [0, 1, 2, 50] {
            for (n, expected) in [(0, 42), (1, 103), (2, 200), (3, 1)] {
                assert_eq!(running.call::<(i32, i32), i32>("run", (n, depth)), expected, "{n} from {depth}");
            }
        }
    });
}

#[test]
fn a_payload_of_every_type_arrives() {
    inlined_and_called(
        r#"(module
            (tag $e (param i32 f32 v128 i64 f64 externref v128))
            (func $throw (param i32 f32 v128 i64 f64 externref v128)
                (local.get 0) (local.get 1) (local.get 2) (local.get 3) (local.get 4) (local.get 5) (local.get 6)
                (throw $e) CALLED)
            (func (export "run") (param i32 f32 v128 i64 f64 v128) (result i32 f32 v128 i64 f64 v128 i32)
                (local externref)
                (block $caught (result i32 f32 v128 i64 f64 externref v128)
                    (try_table (catch $e $caught)
                        (call $throw (local.get 0) (local.get 1) (local.get 2) (local.get 3) (local.get 4)
                            (ref.null extern) (local.get 5)))
                    (unreachable))
                (local.set 5) (local.set 6) (local.get 5) (ref.is_null (local.get 6))))"#,
        |running| {
            let (one, two) = (V128::from_u128(1 << 120), V128::from_u128(2));
            let results =
                running.call::<_, (i32, f32, V128, i64, f64, V128, i32)>("run", (-1, 1.5f32, one, -2i64, 2.5f64, two));
            assert_eq!(results, (-1, 1.5, one, -2, 2.5, two, 1));
        },
    );
}

#[test]
fn locals_and_operands_have_their_values_from_the_call() {
    inlined_and_called(
        r#"(module (tag $e)
            (func $throw (param i32) (if (local.get 0) (then (throw $e) CALLED)))
            (func (export "run") (param i32 i64 f64) (result i64 f64)
                (local $n i64)
                (local.set $n (i64.mul (local.get 1) (i64.const 3)))
                (i64.add (local.get 1) (i64.const 1))
                (block $caught
                    (local.set $n (i64.add (local.get $n) (i64.const 5)))
                    (try_table (catch $e $caught)
                        (call $throw (i32.const 0))
                        (local.set $n (i64.add (local.get $n) (i64.const 7)))
                        (call $throw (local.get 0))
                        (local.set $n (i64.const 0))))
                (i64.add (local.get $n))
                (local.get 2)))"#,
        |running| {
            assert_eq!(running.call::<(i32, i64, f64), (i64, f64)>("run", (1, 100, 2.5)), (101 + 300 + 12, 2.5));
            assert_eq!(running.call::<(i32, i64, f64), (i64, f64)>("run", (0, 100, 2.5)), (101, 2.5));
        },
    );
}

#[test]
fn uncaught_exceptions_continue_outward_in_the_function_and_in_its_callers() {
    inlined_and_called(
        r#"(module (tag $a (param i32)) (tag $b)
            (func $inner (param i32) (result i32)
                (block $b
                    (block $a (result i32)
                        (try_table (catch $a $a)
                            (try_table (catch $b $b)
                                (throw $a (local.get 0)))
                            (unreachable))
                        (unreachable))
                    (return (i32.add (i32.const 1000))))
                (i32.const -1))
            (func $wrong (param i32) (result i32)
                (block $b
                    (try_table (catch $b $b) (drop (call $throw (local.get 0))))
                    (unreachable))
                (i32.const -1))
            (func $throw (param i32) (result i32) (throw $a (local.get 0)) CALLED)
            (func (export "run") (param i32) (result i32)
                (block $a (result i32)
                    (try_table (catch $a $a) (drop (call $wrong (call $inner (local.get 0)))))
                    (i32.const -2))))"#,
        |running| {
            assert_eq!(running.call::<i32, i32>("run", 5), 1005);
        },
    );
}

#[test]
fn a_reference_is_thrown_again() {
    inlined_and_called(
        r#"(module (tag $a (param i32))
            (func $throw (param i32) (throw $a (local.get 0)) CALLED)
            (func $again (param i32) (local $n i32)
                (block $all (result exnref)
                    (block $a (result i32 exnref)
                        (try_table (catch_ref $a $a) (catch_all_ref $all) (call $throw (local.get 0)))
                        (return))
                    (drop)
                    (local.set $n (i32.add (i32.const 1)))
                    (ref.null exn))
                (drop)
                (block $all (result exnref)
                    (try_table (catch_all_ref $all) (call $throw (local.get $n)))
                    (return))
                (throw_ref))
            (func (export "run") (param i32) (result i32)
                (block $a (result i32)
                    (try_table (catch $a $a) (call $again (local.get 0)))
                    (i32.const -1)))
            (func (export "within") (param i32) (result i32)
                (block $a (result i32)
                    (try_table (result i32) (catch $a $a)
                        (block $all (result exnref)
                            (try_table (catch_all_ref $all) (throw $a (local.get 0)))
                            (unreachable))
                        (throw_ref)))))"#,
        |running| {
            assert_eq!(running.call::<i32, i32>("run", 5), 6);
            assert_eq!(running.call::<i32, i32>("within", 8), 8);
        },
    );
}

#[test]
fn tail_calls_and_results_in_memory_leave_landing_pads_alone() {
    let mut running = Running::new(
        r#"(module (tag $e (param i64))
            (func $throw (param i32 i64 i64 i64 i64 i64 i64 i64 i64)
                (result i64 i64 i64 i64 i64 i64 i64 i64 i64)
                (if (local.get 0) (then (throw $e (local.get 8))))
                (local.get 1) (local.get 2) (local.get 3) (local.get 4) (local.get 5) (local.get 6) (local.get 7)
                (local.get 8) (i64.const 9))
            (func $relay (param i32) (result i64 i64 i64 i64 i64 i64 i64 i64 i64)
                (return_call $throw (local.get 0) (i64.const 1) (i64.const 2) (i64.const 3) (i64.const 4) (i64.const 5)
                    (i64.const 6) (i64.const 7) (i64.const 8)))
            (func (export "run") (param i32) (result i64)
                (block $caught (result i64)
                    (try_table (result i64 i64 i64 i64 i64 i64 i64 i64 i64) (catch $e $caught)
                        (call $relay (local.get 0)))
                    (i64.mul) (i64.add) (i64.add) (i64.add) (i64.add) (i64.add) (i64.add) (i64.add))))"#,
    );
    for _ in 0..2 {
        assert_eq!(running.call::<i32, i64>("run", 1), 8);
        assert_eq!(running.call::<i32, i64>("run", 0), 28 + 72);
    }
}

#[test]
fn an_uncaught_exception_reaches_the_host() {
    inlined_and_called(
        r#"(module (tag $a (param i32)) (tag $b)
            (func $throw (throw $a (i32.const 9)) CALLED)
            (func (export "run")
                (block $b (try_table (catch $b $b) (call $throw)))))"#,
        |running| {
            let stop = running.try_call::<(), ()>("run", ()).unwrap_err();
            let StopKind::Throw(throw) = stop.into_kind() else { panic!("not a throw") };
            assert_eq!(throw.exception.arguments(&mut running.store), Some(vec![Val::I32(9)]));
        },
    );
}

#[test]
fn exceptions_pass_the_host_both_ways() {
    let mut running = Running::importing(
        None::<Func>,
        r#"(module (import "h" "f" (func $f (param i32))) (tag $a (param i32))
            (func (export "throw") (param i32) (throw $a (i32.add (local.get 0) (i32.const 1))))
            (func (export "run") (param i32) (result i32)
                (block $a (result i32)
                    (try_table (catch $a $a) (call $f (local.get 0)))
                    (i32.const -1))))"#,
        |store| {
            let back = Func::wrap(store, |mut caller: Caller<'_, Option<Func>>, n: i32| -> Result<(), Stop> {
                let throw = caller.data().unwrap().typed::<i32, ()>(&caller).unwrap();
                throw.call(&mut caller, n * 10)
            });
            vec![back.into()]
        },
    );
    let throw = running.instance.get_func(&running.store, "throw");
    *running.store.data_mut() = throw;
    assert_eq!(running.call::<i32, i32>("run", 4), 41);
}

/// Throws an exception of the module's tag 0 with its own arguments.
unsafe extern "C" fn throw(store: *mut VmStore, func: *mut VmFunc, slots: *mut u64) -> Status {
    // SAFETY: `func` is a live function of an instance whose tag 0 has the function's parameters, so `slots` is its payload.
    unsafe { (*store).pending_exception = exception_new((*func).instance, 0, slots) };
    Status::THROW
}

#[test]
fn exceptions_of_another_tier_are_caught() {
    let text = r#"(module (tag $a (param i32))
        (func $throw (param i32) (return_call $throw (local.get 0)))
        (func $deep (param i32) (call $throw (i32.mul (local.get 0) (i32.const 2))))
        (func (export "run") (param i32) (result i32)
            (block $a (result i32)
                (try_table (catch $a $a) (call $deep (local.get 0)))
                (i32.const -1)))
        (func (export "tail") (param i32) (return_call $throw (local.get 0))))"#;
    let mut running = Running::with(text, &[(0, throw)]);
    assert_eq!(running.call::<i32, i32>("run", 21), 42);
    let stop = running.try_call::<i32, ()>("tail", 3).unwrap_err();
    assert!(matches!(stop.kind(), StopKind::Throw(_)));
}

#[test]
fn throwing_for_ever_takes_bounded_memory() {
    inlined_and_called(
        r#"(module (tag $e (param i64 i64 i64 i64))
            (func $throw (param i64)
                (throw $e (local.get 0) (local.get 0) (local.get 0) (local.get 0)) CALLED)
            (func (export "run") (param i64) (result i64)
                (loop $again
                    (block $caught (result i64 i64 i64 i64)
                        (try_table (catch $e $caught) (call $throw (local.get 0)))
                        (unreachable))
                    (drop) (drop) (drop)
                    (i64.sub (i64.const 1))
                    (local.set 0)
                    (br_if $again (i64.ne (local.get 0) (i64.const 0))))
                (local.get 0)))"#,
        |running| {
            assert_eq!(running.call::<i64, i64>("run", 200_000), 0);
        },
    );
}

#[test]
fn an_uncaught_exception_has_the_backtrace_of_its_throw() {
    inlined_and_called(
        r#"(module (tag $a) (tag $b)
            (func $throw (throw $a) CALLED)
            (func $middle (block $b (try_table (catch $b $b) (call $throw))) (if (i32.const 0) (then CALLED)))
            (func (export "run")
                (block $b (try_table (catch $b $b) (call $middle)))))"#,
        |running| {
            for _ in 0..2 {
                let stop = running.try_call::<(), ()>("run", ()).unwrap_err();
                let backtrace = stop.backtrace().unwrap();
                let trace: Vec<u32> = backtrace.frames.iter().map(|frame| frame.func_index()).collect();
                assert_eq!(trace, [0, 1, 2]);
                assert_eq!(backtrace.total, 3);
            }
        },
    );
}
