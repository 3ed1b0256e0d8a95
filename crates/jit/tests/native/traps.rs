//! Every kind of trap in compiled code, traps from libcalls, hosts and other tiers, and their backtraces.

use wasmr_core::trap::TrapCode;
use wasmr_runtime::vm::{Status, VmFunc, VmStore};
use wasmr_runtime::{Caller, Func, Stop, StopKind};

use crate::world::Running;

/// Returns the function indices of a backtrace, innermost first.
fn trace(stop: &Stop) -> Vec<u32> {
    stop.backtrace().unwrap().frames.iter().map(|frame| frame.func_index()).collect()
}

#[test]
fn instructions_trap_with_their_codes_and_frames() {
    let cases: &[(&str, TrapCode)] = &[
        ("unreachable", TrapCode::Unreachable),
        ("(drop (i32.div_u (i32.const 1) (global.get $zero)))", TrapCode::IntegerDivideByZero),
        ("(drop (i32.div_s (i32.const 1) (global.get $zero)))", TrapCode::IntegerDivideByZero),
        ("(drop (i32.rem_u (i32.const 1) (global.get $zero)))", TrapCode::IntegerDivideByZero),
        (
            "(drop (i32.div_s (i32.const 0x80000000) (i32.sub (global.get $zero) (i32.const 1))))",
            TrapCode::IntegerOverflow,
        ),
        ("(drop (i32.trunc_f32_s (f32.const nan)))", TrapCode::InvalidConversionToInteger),
        ("(drop (i32.trunc_f64_u (f64.const 1e20)))", TrapCode::IntegerOverflow),
        ("(drop (i32.load offset=0xffffffff (i32.const 0)))", TrapCode::MemoryOutOfBounds),
        ("(i64.store (i32.const 65529) (i64.const 1))", TrapCode::MemoryOutOfBounds),
        ("(memory.fill (i32.const 65535) (i32.const 0) (i32.const 2))", TrapCode::MemoryOutOfBounds),
        ("(memory.copy (i32.const 0) (i32.const 65535) (i32.const 2))", TrapCode::MemoryOutOfBounds),
        ("(memory.init $data (i32.const 0) (i32.const 0) (i32.const 4))", TrapCode::MemoryOutOfBounds),
        ("(drop (table.get (i32.const 3)))", TrapCode::TableOutOfBounds),
        ("(table.fill (i32.const 2) (ref.null func) (i32.const 2))", TrapCode::TableOutOfBounds),
        ("(call_indirect (i32.const 3))", TrapCode::UndefinedElement),
        ("(call_indirect (i32.const 0))", TrapCode::UninitializedElement),
        ("(call_indirect (i32.const 1))", TrapCode::IndirectCallTypeMismatch),
        ("(call_ref $nullary (ref.null $nullary))", TrapCode::NullFunctionReference),
        ("(drop (ref.as_non_null (ref.null func)))", TrapCode::NullReference),
        ("(throw_ref (ref.null exn))", TrapCode::NullExceptionReference),
    ];
    for (instruction, code) in cases {
        // Once with and once without inlining: a function with a tail call is never inlined.
        for tail in [false, true] {
            let end = |name| if tail { format!("(return_call ${name})") } else { String::new() };
            traps(instruction, *code, &end("inner"), &end("middle"));
        }
    }
}

fn traps(instruction: &str, code: TrapCode, after_inner: &str, after_middle: &str) {
    let mut running = Running::new(&format!(
        r#"(module (type $nullary (func)) (memory 1) (data $data "abc") (table 3 funcref)
            (elem (i32.const 1) $typed) (global $zero (mut i32) (i32.const 0))
            (func $typed (param i32))
            (func $inner {instruction} {after_inner})
            (func $middle (call $inner) {after_middle})
            (func (export "run") (call $middle)))"#
    ));
    // In the second round, all functions are compiled and all callees resolved.
    for _ in 0..2 {
        let stop = running.try_call::<(), ()>("run", ()).unwrap_err();
        assert_eq!(stop.trap_code(), Some(code), "{instruction}");
        assert_eq!(trace(&stop), [1, 2, 3], "{instruction}");
        let backtrace = stop.backtrace().unwrap();
        assert_eq!(backtrace.total, 3);
        let module = running.instance.module(&running.store);
        for (defined_index, frame) in [1, 2, 3].into_iter().zip(&backtrace.frames) {
            let body = module.body(defined_index);
            let offset = frame.offset().unwrap();
            assert!((body.offset..body.offset + body.bytes.len()).contains(&offset), "{instruction}: {frame}");
        }
    }
}

#[test]
fn endless_recursion_exhausts_the_stack() {
    let mut running = Running::new(
        r#"(module
            (func $down (export "down") (param i64) (result i64)
                (i64.add (call $down (i64.add (local.get 0) (i64.const 1))) (local.get 0)))
            (func (export "fine") (result i32) (i32.const 5)))"#,
    );
    for _ in 0..2 {
        let stop = running.try_call::<i64, i64>("down", 0).unwrap_err();
        assert_eq!(stop.trap_code(), Some(TrapCode::StackExhausted));
        let backtrace = stop.backtrace().unwrap();
        assert!(backtrace.total > 1000 && backtrace.frames.iter().all(|frame| frame.func_index() == 0));
        assert_eq!(running.call::<(), i32>("fine", ()), 5);
    }
}

#[test]
fn recursion_through_the_host_exhausts_a_stack_and_ends() {
    let mut running = Running::importing(
        None::<Func>,
        r#"(module (import "h" "f" (func $f (param i32))) (func (export "down") (param i32) (call $f (local.get 0))))"#,
        |store| {
            let back = Func::wrap(store, |mut caller: Caller<'_, Option<Func>>, n: i32| -> Result<(), Stop> {
                let down = caller.data().unwrap().typed::<i32, ()>(&caller).unwrap();
                down.call(&mut caller, n + 1)
            });
            vec![back.into()]
        },
    );
    let down = running.instance.get_func(&running.store, "down");
    *running.store.data_mut() = down;
    let stop = running.try_call::<i32, ()>("down", 0).unwrap_err();
    assert_eq!(stop.trap_code(), Some(TrapCode::StackExhausted));
    assert!(stop.backtrace().unwrap().total > 10);
}

/// An entry that traps as another tier does.
unsafe extern "C" fn trap(store: *mut VmStore, _func: *mut VmFunc, _slots: *mut u64) -> Status {
    // SAFETY: the store is alive.
    unsafe { (*store).trap_code = TrapCode::IntegerOverflow };
    Status::TRAP
}

#[test]
fn stops_of_another_tier_or_the_host_pass_through() {
    let text = r#"(module (func (export "run") (result i32) (call $other) (i32.const 1))
        (func $other (return_call $other)))"#;
    let mut running = Running::with(text, &[(1, trap)]);
    let stop = running.try_call::<(), i32>("run", ()).unwrap_err();
    assert_eq!(stop.trap_code(), Some(TrapCode::IntegerOverflow));
    assert_eq!(trace(&stop), [0], "the other function left no frames");

    let text = r#"(module (import "h" "f" (func $f)) (func $g (call $f)) (func (export "run") (call $g)))"#;
    let ends: [fn() -> Stop; 3] =
        [|| Stop::exit(3), || Stop::host("disk on fire"), || Stop::trap(TrapCode::Unreachable)];
    for end in ends {
        let import = |store: &mut _| vec![Func::wrap(store, move || -> Result<(), Stop> { Err(end()) }).into()];
        let mut running = Running::importing((), text, import);
        let stop = running.try_call::<(), ()>("run", ()).unwrap_err();
        assert_eq!(stop.to_string().lines().next(), end().to_string().lines().next());
        if let StopKind::Trap(_) = stop.kind() {
            assert_eq!(trace(&stop), [1, 2]);
        }
    }
}

#[test]
fn frames_on_both_sides_of_a_host_function_are_in_a_backtrace() {
    let mut running = Running::importing(
        None::<Func>,
        r#"(module (import "h" "f" (func $f))
            (func $outer (export "outer") (call $f))
            (func $inner (export "inner") (call $innermost))
            (func $innermost unreachable))"#,
        |store| {
            let back = Func::wrap(store, |mut caller: Caller<'_, Option<Func>>| -> Result<(), Stop> {
                let inner = *caller.data();
                inner.unwrap().call(&mut caller, &[], &mut [])
            });
            vec![back.into()]
        },
    );
    let inner = running.instance.get_func(&running.store, "inner");
    *running.store.data_mut() = inner;
    let stop = running.try_call::<(), ()>("outer", ()).unwrap_err();
    assert_eq!(trace(&stop), [3, 2, 1]);
}

#[test]
fn a_panic_of_a_host_function_passes_through() {
    let mut running = Running::importing(
        (),
        r#"(module (import "h" "f" (func $f)) (func (export "run") (call $f)) (func (export "fine") (result i32) (i32.const 4)))"#,
        |store| vec![Func::wrap(store, || -> () { std::panic::panic_any(17u8) }).into()],
    );
    let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| running.call::<(), ()>("run", ())));
    assert_eq!(panic.unwrap_err().downcast_ref::<u8>(), Some(&17));
    assert_eq!(running.call::<(), i32>("fine", ()), 4);
}
