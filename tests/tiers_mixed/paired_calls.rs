//! Calls of baseline code leave pairs on the native stack (`crates/interp/src/execute/pairs.rs`). These programs leave pairs behind,
//! have more of them than may stay, or miss some. All tiers must agree with the interpreter that makes no machine code.

use wasmr::{Instance, Mode, Module, Store, Tuning, Val};

use crate::configurations::{Configuration, MAX_COMPILED_SIZE};
use crate::support::{End, Program, configurations};

/// Returns all configurations, and those in which functions get baseline code at other moments: in the middle of a program, or with a
/// budget interrupt at each call, or at each third one.
fn compiling() -> Vec<Configuration> {
    let mut all = configurations();
    let interp = all[0].clone();
    for (name, sample_every, baseline_after) in
        [("compiled soon", 97, 1), ("compiled late", 1021, 4), ("interrupt storm", 1, 0), ("frequent interrupts", 3, 2)]
    {
        let max_compiled_size = MAX_COMPILED_SIZE;
        let tuning = Tuning { sample_every, baseline_after, max_compiled_size, ..Tuning::default() };
        let mut config = interp.config.clone();
        config.mode(Mode::Interp).tuning(tuning.clone());
        all.push(Configuration { name: format!("interp, {name}"), config, tuning, ..interp.clone() });
    }
    all
}

/// Calls the export `run` with each argument, twice, in every configuration. Returns the ends, which are the same everywhere.
#[track_caller]
fn ends(modules: &[(&str, &str)], arguments: &[i32]) -> Vec<End> {
    let mut first: Option<Vec<End>> = None;
    for configuration in compiling() {
        let mut program = Program::linked(&configuration, modules);
        let twice = arguments.iter().chain(arguments);
        let ends: Vec<End> = twice.map(|&argument| program.call("run", &[Val::I32(argument)])).collect();
        match &first {
            None => first = Some(ends),
            Some(first) => assert_eq!(first, &ends, "in {}", configuration.name),
        }
    }
    first.unwrap()
}

#[test]
fn recursion_deeper_than_pairs_may_stay() {
    let wat = "(module
        (func $even (param $n i32) (result i32)
          (if (result i32) (local.get $n)
            (then (i32.add (i32.mul (call $odd (i32.sub (local.get $n) (i32.const 1))) (i32.const 3)) (local.get $n)))
            (else (i32.const 1))))
        (func $odd (param $n i32) (result i32)
          (if (result i32) (local.get $n)
            (then (i32.xor (call $even (i32.sub (local.get $n) (i32.const 1))) (local.get $n)))
            (else (i32.const 2))))
        (func (export \"run\") (param $n i32) (result i32) (local $i i32) (local $sum i32)
          (loop
            (local.set $sum (i32.add (local.get $sum) (call $even (local.get $n))))
            (br_if 0 (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 8))))
          (local.get $sum)))";
    let ends = ends(&[("main", wat)], &[7, 700, 2_100, 20_000]);
    assert!(ends.iter().all(|end| matches!(end, End::Results(_))));
}

#[test]
fn exceptions_through_a_thousand_paired_frames() {
    // Each throw leaves its pairs behind. The frames of `$outer` are below them and return afterwards.
    let wat = "(module
        (tag $t (param i32))
        (func $deep (param $n i32) (result i32)
          (if (i32.eqz (local.get $n)) (then (throw $t (i32.const 5))))
          (i32.add (call $deep (i32.sub (local.get $n) (i32.const 1))) (i32.const 1)))
        (func $outer (param $level i32) (param $n i32) (result i32)
          (if (result i32) (local.get $level)
            (then (i32.add (i32.const 1) (call $outer (i32.sub (local.get $level) (i32.const 1)) (local.get $n))))
            (else (block $caught (result i32) (try_table (result i32) (catch $t $caught) (call $deep (local.get $n)))))))
        (func (export \"run\") (param $n i32) (result i32) (local $i i32) (local $sum i32)
          (loop
            (local.set $sum (i32.add (local.get $sum) (call $outer (i32.const 20) (local.get $n))))
            (br_if 0 (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 200))))
          (local.get $sum)))";
    let ends = ends(&[("main", wat)], &[0, 3, 1_000]);
    assert!(ends.iter().all(|end| end.i64() == 200 * 25));
}

#[test]
fn tail_calls_return_for_their_callers() {
    // A million pairs would be left if a tail call left any.
    let wat = "(module
        (type $f (func (param i32 i32) (result i32)))
        (table funcref (elem $ping $pong))
        (func $ping (type $f)
          (if (i32.eqz (local.get 0)) (then (return (local.get 1))))
          (return_call $pong (i32.sub (local.get 0) (i32.const 1)) (i32.add (local.get 1) (i32.const 3))))
        (func $pong (type $f)
          (if (i32.eqz (local.get 0)) (then (return (i32.mul (local.get 1) (i32.const 2)))))
          (return_call_indirect (type $f) (i32.sub (local.get 0) (i32.const 1)) (i32.add (local.get 1) (call $leaf (local.get 0)))
            (i32.and (local.get 0) (i32.const 1))))
        (func $leaf (param i32) (result i32) (i32.xor (local.get 0) (i32.const 0x55)))
        (func $nest (param $level i32) (param $n i32) (result i32)
          (if (result i32) (local.get $level)
            (then (i32.add (call $nest (i32.sub (local.get $level) (i32.const 1)) (local.get $n)) (i32.const 1)))
            (else (call $ping (local.get $n) (i32.const 0)))))
        (func (export \"run\") (param $n i32) (result i32)
          (i32.add (call $nest (i32.const 30) (local.get $n)) (call $nest (i32.const 31) (local.get $n)))))";
    let ends = ends(&[("main", wat)], &[0, 1, 50_000]);
    assert!(ends.iter().all(|end| matches!(end, End::Results(_))));
}

#[test]
fn tail_calls_of_functions_with_other_frames_return_for_their_callers() {
    // The frame that returns is not where the caller made the one of its callee.
    let wat = "(module
        (func $sum (param i32 i32 i32 i32 i32) (result i32)
          (i32.add (local.get 0) (i32.sub (i32.mul (local.get 1) (local.get 2)) (i32.xor (local.get 3) (local.get 4)))))
        (func $none (result i32) (return_call $sum (i32.const 7) (i32.const 6) (i32.const 5) (i32.const 4) (i32.const 3)))
        (func $one (param i32) (result i32)
          (if (i32.and (local.get 0) (i32.const 1)) (then (return_call $none)))
          (return_call $sum (local.get 0) (local.get 0) (i32.const 2) (local.get 0) (i32.const 9)))
        (func $five (param i32 i32 i32 i32 i32) (result i32) (return_call $one (local.get 4)))
        (func $pass (param i32) (result i32)
          (i32.sub (local.get 0)
            (call $five (i32.const 1) (i32.const 2) (i32.const 3) (i32.const 4)
              (i32.add (local.get 0) (call $one (local.get 0))))))
        (func (export \"run\") (param $n i32) (result i32) (local $i i32) (local $sum i32)
          (loop
            (local.set $sum (i32.add (i32.mul (local.get $sum) (i32.const 3)) (call $pass (local.get $i))))
            (local.set $sum (i32.xor (local.get $sum) (call $one (local.get $i))))
            (br_if 0 (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (local.get $n))))
          (local.get $sum)))";
    let ends = ends(&[("main", wat)], &[1, 10, 3_000]);
    assert!(ends.iter().all(|end| matches!(end, End::Results(_))));
}

#[test]
fn the_host_enters_again_between_paired_frames() {
    let wat = "(module
        (import \"h\" \"call\" (func $again (param i32) (result i32)))
        (import \"h\" \"count\" (func $count (param i32) (result i32)))
        (func $down (param $n i32) (result i32)
          (if (i32.eqz (local.get $n)) (then (return (i32.const 1))))
          (if (result i32) (i32.eqz (i32.rem_u (local.get $n) (i32.const 50)))
            (then (i32.add (call $again (i32.sub (local.get $n) (i32.const 1))) (i32.const 7)))
            (else (i32.add (call $down (i32.sub (local.get $n) (i32.const 1))) (call $count (local.get $n))))))
        (func (export \"back\") (param $n i32) (result i32) (call $down (local.get $n)))
        (func (export \"run\") (param $n i32) (result i32) (local $i i32) (local $sum i32)
          (loop
            (local.set $sum (i32.add (local.get $sum) (call $down (local.get $n))))
            (br_if 0 (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 12))))
          (local.get $sum)))";
    let ends = ends(&[("main", wat)], &[49, 210, 5_000]);
    assert!(ends.iter().all(|end| matches!(end, End::Results(_))));
}

#[test]
fn translated_callees_return_to_copied_callers() {
    // The callees are called for the first time by code that has long been copied, and call it back.
    let callees: String = (0..40)
        .map(|index| {
            format!(
                "(func $f{index} (param i32) (result i32)
                   (if (i32.lt_s (local.get 0) (i32.const 2)) (then (return (i32.const {index}))))
                   (i32.add (call $hot (i32.sub (local.get 0) (i32.const 2))) (i32.const {index})))"
            )
        })
        .collect();
    let names: String = (0..40).map(|index| format!(" $f{index}")).collect();
    let wat = format!(
        "(module
          (type $f (func (param i32) (result i32)))
          (table funcref (elem{names}))
          {callees}
          (func $hot (param $n i32) (result i32) (local $i i32)
            (loop (br_if 0 (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 60))))
            (if (result i32) (i32.lt_s (local.get $n) (i32.const 1))
              (then (i32.const 1))
              (else (i32.add (call $f0 (local.get $n))
                (call_indirect (type $f) (i32.sub (local.get $n) (i32.const 3)) (i32.rem_u (local.get $n) (i32.const 40)))))))
          (func (export \"run\") (param $n i32) (result i32) (call $hot (local.get $n))))"
    );
    let ends = ends(&[("main", &wat)], &[9, 25, 40]);
    assert!(ends.iter().all(|end| matches!(end, End::Results(_))));
}

#[test]
fn traps_deep_in_paired_frames_have_their_backtraces() {
    let wat = "(module (memory 1)
        (type $f (func (param i32) (result i32)))
        (table funcref (elem $down))
        (func $leaf (param $how i32) (result i32)
          (block $unreachable (block $divide (block $load (block $call
            (br_table $load $divide $unreachable $call (local.get $how)))
            (return (call_indirect (type $f) (i32.const 0) (i32.const 9))))
            (return (i32.load (i32.const 65533))))
            (return (i32.div_u (local.get $how) (i32.const 0))))
          (unreachable))
        (func $down (param $n i32) (result i32)
          (if (i32.lt_u (local.get $n) (i32.const 4)) (then (return (call $leaf (local.get $n)))))
          (i32.add (i32.const 1) (call $down (i32.sub (local.get $n) (i32.const 4)))))
        (func (export \"run\") (param $n i32) (result i32) (call $down (local.get $n))))";
    let ends = ends(&[("main", wat)], &[0, 1, 2, 3, 4_000, 4_001, 4_002, 4_003]);
    let total = |end: &End| end.total();
    assert_eq!(ends.iter().map(total).collect::<Vec<_>>()[4..8], [1_003; 4]);
    assert_eq!(ends[4].trap().0, "out of bounds memory access");
}

#[test]
fn instances_call_each_other_between_paired_frames() {
    let other = "(module
        (func $sum (param $n i32) (result i32)
          (if (result i32) (local.get $n)
            (then (i32.add (call $sum (i32.sub (local.get $n) (i32.const 1))) (local.get $n)))
            (else (i32.const 0))))
        (func (export \"sum\") (param $n i32) (result i32) (call $sum (local.get $n))))";
    let main = "(module
        (import \"other\" \"sum\" (func $sum (param i32) (result i32)))
        (func $down (param $n i32) (result i32)
          (if (i32.eqz (local.get $n)) (then (return (i32.const 1))))
          (i32.add (call $down (i32.sub (local.get $n) (i32.const 1))) (call $sum (local.get $n))))
        (func (export \"run\") (param $n i32) (result i32) (local $i i32) (local $sum i32)
          (loop
            (local.set $sum (i32.add (local.get $sum) (call $down (local.get $n))))
            (br_if 0 (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 5))))
          (local.get $sum)))";
    let ends = ends(&[("other", other), ("main", main)], &[3, 100, 600]);
    assert!(ends.iter().all(|end| matches!(end, End::Results(_))));
}

#[test]
fn fuel_is_exact_with_paired_calls() {
    let wat = "(module (func $fib (export \"run\") (param i32) (result i32)
        (if (result i32) (i32.lt_u (local.get 0) (i32.const 2)) (then (local.get 0))
          (else (i32.add (call $fib (i32.sub (local.get 0) (i32.const 1))) (call $fib (i32.sub (local.get 0) (i32.const 2))))))))";
    let mut seen = Vec::new();
    for mut configuration in compiling() {
        configuration.config.consume_fuel(true);
        let engine = configuration.engine();
        let module = Module::new(&engine, wat.as_bytes()).unwrap();
        let mut store = Store::new(&engine, ());
        let instance = Instance::new(&mut store, &module, &[]).unwrap();
        let run = instance.get_typed_func::<i32, i32>(&mut store, "run").unwrap();
        let mut left = |given: u64| {
            store.set_fuel(given).unwrap();
            let end = run.call(&mut store, 18).map_err(|stop| stop.backtrace().map(|trace| trace.total));
            (end, store.fuel().unwrap())
        };
        seen.push((configuration.name.clone(), [1_000_000, 1_000_000, 5_003, 40_001].map(&mut left)));
    }
    let (_, first) = &seen[0];
    assert!(first[0].0.is_ok() && first[2].0.is_err());
    for (name, ends) in &seen {
        assert_eq!(ends, first, "in {name}");
    }
}
