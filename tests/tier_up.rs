//! Tier-up: functions move from the interpreter to machine code while they run, at calls and in loops. Results, traps and
//! backtraces stay the same.
#![cfg(feature = "jit")]

use std::time::Duration;

use wasmr::{Config, Engine, Instance, Mode, Module, Stop, Store, Tuning};

/// Returns the tuning for synchronous tier-up: every function and loop is compiled when control first reaches it.
fn at_once() -> Tuning {
    Tuning { tier_up_after: 0, ..Tuning::default() }
}

fn engine(mode: Mode, tuning: Tuning) -> Engine {
    Engine::new(Config::new().mode(mode).tuning(tuning))
}

/// End of a call: the result, or the trap's message with the position of each frame.
type End = Result<i64, (String, Vec<(u32, Option<usize>)>)>;

fn end(stop: Stop) -> (String, Vec<(u32, Option<usize>)>) {
    let frames = stop.backtrace().expect("a trap has one").frames.iter();
    (stop.to_string(), frames.map(|frame| (frame.func_index(), frame.offset())).collect())
}

fn instance(engine: &Engine, wat: &str) -> (Store<()>, Instance) {
    let module = Module::new(engine, wat).unwrap_or_else(|error| panic!("{error}"));
    let mut store = Store::new(engine, ());
    let instance = Instance::new(&mut store, &module, &[]).unwrap();
    (store, instance)
}

/// Calls `run` with each argument, one after the other in the same instance. Returns the end of each call.
fn ends(engine: &Engine, wat: &str, arguments: &[i32]) -> Vec<End> {
    let (mut store, instance) = instance(engine, wat);
    let run = instance.get_typed_func::<i32, i64>(&mut store, "run").unwrap();
    arguments.iter().map(|&argument| run.call(&mut store, argument).map_err(end)).collect()
}

/// Three nested loops with calls. The innermost one traps when the sum is `$trap`.
const NEST: &str = r#"(module
    (func $add (param i64 i64) (result i64)
        ;; A function with a tail call is never inlined.
        (if (i64.eq (local.get 0) (i64.const -1)) (then (return_call $add (local.get 1) (local.get 0))))
        (i64.add (local.get 0) (local.get 1)))
    (func (export "run") (param $trap i32) (result i64)
        (local $i i32) (local $j i32) (local $k i32) (local $sum i64)
        (loop $outer
            (local.set $j (i32.const 0))
            (loop $middle
                (local.set $k (i32.const 0))
                (i64.const 7)
                (loop $inner
                    (local.set $sum (call $add (local.get $sum) (i64.extend_i32_u (local.get $k))))
                    (drop (i32.div_u (i32.const 1) (i32.sub (local.get $trap) (i32.wrap_i64 (local.get $sum)))))
                    (br_if $inner (i32.lt_u (local.tee $k (i32.add (local.get $k) (i32.const 1))) (i32.const 30))))
                (local.set $sum (call $add (local.get $sum)))
                (br_if $middle (i32.lt_u (local.tee $j (i32.add (local.get $j) (i32.const 1))) (i32.const 30))))
            (br_if $outer (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 30))))
        (local.get $sum)))"#;

#[test]
fn machine_code_takes_over_in_the_middle_of_loops() {
    let arguments = [-1, 445, 0, -1];
    let expected = ends(&engine(Mode::Interp, Tuning::default()), NEST, &arguments);
    assert!(expected[0].is_ok() && expected[1].is_err());
    let engine = engine(Mode::Tiered, at_once());
    assert_eq!(ends(&engine, NEST, &arguments), expected);
    let report = engine.report();
    assert_eq!((report.functions, report.refused), (2, 0), "{report}");
    assert!(report.loops >= 1, "{report}");
}

#[test]
fn everything_is_compiled_before_its_first_call() {
    let arguments = [-1, 445, 0, -1];
    let expected = ends(&engine(Mode::Interp, Tuning::default()), NEST, &arguments);
    let engine = engine(Mode::Jit, Tuning::default());
    assert_eq!(ends(&engine, NEST, &arguments), expected);
    let report = engine.report();
    assert_eq!((report.functions, report.loops, report.refused), (2, 0, 0), "{report}");
}

/// An inner loop with parameters, and with operands of every type below these. Control does not reach the outer loop's header
/// again.
const INSIDE: &str = r#"(module
    (func (export "run") (param $n i32) (result i64) (local $r i64)
        (local.set $r (i64.const 1))
        (loop $outer
            (i64.const 3) (v128.const i64x2 5 6) (f32.const 1.5)
            (f64.const 0.25) (i32.const 40)
            (loop $inner (param f64 i32) (result f64 i32)
                (local.set $n (i32.sub (local.get $n) (i32.const 1)))
                i32.const 2
                i32.add
                (br_if $inner (i32.gt_s (local.get $n) (i32.const 0))))
            ;; Each operand is a digit or more of the result.
            i64.extend_i32_u
            local.set $r
            f64.const 8
            f64.mul
            i64.trunc_f64_s
            (i64.mul (local.get $r) (i64.const 10))
            i64.add
            local.set $r
            f32.const 4
            f32.mul
            i64.trunc_f32_s
            (i64.mul (local.get $r) (i64.const 10))
            i64.add
            local.set $r
            i64x2.extract_lane 1
            (i64.mul (local.get $r) (i64.const 10))
            i64.add
            local.set $r
            (i64.mul (local.get $r) (i64.const 10))
            i64.add
            local.set $r
            (br_if $outer (i32.eq (local.get $n) (i32.const 77))))
        (local.get $r)))"#;

#[test]
fn machine_code_takes_over_inner_loops_with_the_operands_below_them() {
    let tiered = engine(Mode::Tiered, at_once());
    assert_eq!(ends(&tiered, INSIDE, &[20, 1, 30]), [Ok(80_2663), Ok(42_2663), Ok(100_2663)]);
    let report = tiered.report();
    assert_eq!((report.functions, report.loops), (1, 1), "{report}");
}

/// A loop that begins with a branch table whose index is the parameter at first, as in code of Go's compiler. Branches to it set the
/// index to a constant, among them one past the table; to one of two constants; or to a computed number. The table has a block outside the loop.
const STATES: &str = r#"(module
    (func (export "run") (param $state i32) (result i64) (local $n i32) (local $r i64)
        (block $out
            (loop $again
                (block $other (block $two (block $one (block $zero
                    (br_table $zero $one $two $out $other (local.get $state)))
                    ;; 0 goes on with 2.
                    (local.set $r (i64.add (i64.mul (local.get $r) (i64.const 3)) (i64.const 1)))
                    (local.set $state (i32.const 2))
                    (br $again))
                    ;; 1 goes on with the other one for some rounds, then falls through.
                    (local.set $r (i64.add (i64.mul (local.get $r) (i64.const 3)) (i64.extend_i32_u (local.get $n))))
                    (local.set $state (i32.const 77))
                    (br_if $again (i32.lt_u (local.tee $n (i32.add (local.get $n) (i32.const 1))) (i32.const 9))))
                    ;; 2 ends with 3, or with a trap, or goes on with 0 or 1.
                    (local.set $n (i32.add (local.get $n) (i32.const 1)))
                    (drop (i32.div_u (i32.const 1) (i32.sub (i32.const 33) (local.get $n))))
                    (if (i32.gt_u (local.get $n) (i32.const 30)) (then (local.set $state (i32.const 3)) (br $again)))
                    (if (i32.and (local.get $n) (i32.const 1))
                        (then (local.set $state (i32.const 0)))
                        (else (local.set $state (i32.const 1))))
                    (br $again))
                ;; The other one goes on with a number that is no constant.
                (local.set $r (i64.xor (local.get $r) (i64.extend_i32_s (local.get $state))))
                (local.set $n (i32.add (local.get $n) (i32.const 2)))
                (local.set $state (i32.rem_u (local.get $n) (i32.const 3)))
                (br $again)))
        (i64.add (local.get $r) (i64.extend_i32_u (local.get $state)))))"#;

#[test]
fn branches_to_a_loop_find_their_way_through_its_table() {
    let arguments = [0, 1, 2, 3, 4, -1, 0];
    let expected = ends(&engine(Mode::Interp, Tuning::default()), STATES, &arguments);
    assert_eq!(expected[3], Ok(3));
    for (mode, tuning) in [(Mode::Jit, Tuning::default()), (Mode::Tiered, at_once())] {
        assert_eq!(ends(&engine(mode, tuning), STATES, &arguments), expected, "{mode}");
    }
    let mut dual = at_once();
    dual.dual_entry_from = 1;
    assert_eq!(ends(&engine(Mode::Tiered, dual), STATES, &arguments), expected);
}

/// A small function with one loop. During one long call, machine code can take over only at the loop.
const SPIN: &str = r#"(module
    (func (export "run") (param $n i32) (result i64) (local $sum i64)
        (loop
            (local.set $sum (i64.add (i64.rotl (local.get $sum) (i64.const 1)) (i64.extend_i32_u (local.get $n))))
            (br_if 0 (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
        (local.get $sum)))"#;

#[test]
fn a_long_loop_is_compiled_in_the_background() {
    let rounds = 300_000_000;
    let tiered = engine(Mode::Tiered, Tuning::default());
    let result = ends(&tiered, SPIN, &[rounds]);
    let report = tiered.report();
    assert_eq!((report.loops, report.threads), (1, 1), "{report}");
    assert_eq!(result, ends(&engine(Mode::Jit, Tuning::default()), SPIN, &[rounds]));
}

#[test]
fn a_large_function_is_compiled_once_for_its_start_and_its_loop() {
    let large = SPIN.replace("(loop", &format!("{} (loop", "nop ".repeat(5000)));
    let rounds = 300_000_000;
    let tiered = engine(Mode::Tiered, Tuning::default());
    let result = ends(&tiered, &large, &[rounds]);
    let report = tiered.report();
    assert_eq!((report.functions, report.loops), (1, 0), "{report}");
    assert_eq!(result, ends(&engine(Mode::Jit, Tuning::default()), &large, &[rounds]));
}

#[test]
fn short_programs_start_no_thread() {
    let tuning = Tuning { tier_up_delay: Duration::from_secs(3600), ..Tuning::default() };
    let tiered = engine(Mode::Tiered, tuning);
    ends(&tiered, NEST, &[-1, -1, -1]);
    assert_eq!(tiered.report(), Default::default());
}

#[test]
fn all_instances_use_the_same_code() {
    let tiered = engine(Mode::Tiered, at_once());
    let module = Module::new(&tiered, NEST).unwrap();
    let run = |store: &mut Store<()>, instance: Instance| {
        instance.get_typed_func::<i32, i64>(&mut *store, "run").unwrap().call(store, -1).unwrap()
    };
    let mut first = Store::new(&tiered, ());
    let instance_1 = Instance::new(&mut first, &module, &[]).unwrap();
    let instance_2 = Instance::new(&mut first, &module, &[]).unwrap();
    let mut second = Store::new(&tiered, ());
    let instance_3 = Instance::new(&mut second, &module, &[]).unwrap();
    let expected = run(&mut first, instance_1);
    let functions = tiered.report().functions;
    assert_eq!(functions, 2);
    for _ in 0..3 {
        assert_eq!(run(&mut first, instance_2), expected);
        assert_eq!(run(&mut second, instance_3), expected);
        assert_eq!(run(&mut first, instance_1), expected);
    }
    assert_eq!(tiered.report().functions, functions, "no function may be compiled twice");
}

#[test]
fn stores_on_many_threads_share_the_code() {
    let tiered = engine(Mode::Tiered, at_once());
    let module = Module::new(&tiered, NEST).unwrap();
    let expected = ends(&engine(Mode::Interp, Tuning::default()), NEST, &[-1])[0].clone();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut store = Store::new(&tiered, ());
                let instance = Instance::new(&mut store, &module, &[]).unwrap();
                let run = instance.get_typed_func::<i32, i64>(&mut store, "run").unwrap();
                for _ in 0..5 {
                    assert_eq!(run.call(&mut store, -1).map_err(end), expected);
                }
            });
        }
    });
    assert_eq!(tiered.report().functions, 2);
}

#[test]
fn large_functions_stay_interpreted() {
    let tuning = Tuning { max_compiled_size: 40, ..at_once() };
    for mode in [Mode::Tiered, Mode::Jit] {
        let engine = engine(mode, tuning.clone());
        let expected = ends(&self::engine(Mode::Interp, Tuning::default()), NEST, &[-1, 445]);
        assert_eq!(ends(&engine, NEST, &[-1, 445]), expected);
        let report = engine.report();
        assert_eq!((report.functions, report.loops), (1, 0), "only the small function may be compiled: {report}");
    }
}

/// `$even` and `$odd` tail-call each other. With a small `max_compiled_size`, `$odd` is too large to be compiled.
const TAIL_CALLS: &str = r#"(module
    (func $even (export "run") (param $n i32) (result i64)
        (if (i32.eqz (local.get $n)) (then (return (i64.const 1))))
        (return_call $odd (i32.sub (local.get $n) (i32.const 1))))
    (func $odd (param $n i32) (result i64)
        (local i64 i64)
        (if (i32.eqz (local.get $n)) (then (return (i64.const 0))))
        (local.set 1 (i64.extend_i32_u (local.get $n)))
        (local.set 2 (i64.mul (local.get 1) (local.get 1)))
        (local.set 1 (i64.sub (local.get 1) (local.get 2)))
        (local.set 2 (i64.mul (local.get 1) (local.get 2)))
        (local.set 1 (i64.xor (local.get 1) (local.get 2)))
        (if (i64.eq (local.get 1) (i64.const 42)) (then (unreachable)))
        (return_call $even (i32.sub (local.get $n) (i32.const 1)))))"#;

#[test]
fn tail_calls_from_tier_to_tier_need_no_stack() {
    for max_compiled_size in [0, 40, 1000] {
        for mode in [Mode::Tiered, Mode::Jit] {
            let engine = engine(mode, Tuning { max_compiled_size, ..at_once() });
            let ends = ends(&engine, TAIL_CALLS, &[1_000_000, 1_000_001, 0, 1]);
            assert_eq!(ends, [Ok(1), Ok(0), Ok(1), Ok(0)], "{mode}, {max_compiled_size}");
        }
    }
}
