//! Baseline code behaves like threaded code: the same results, and the same traps at the same operators. A function is compiled
//! before its first execution or in the middle of a loop.

use wasmr::{Config, Engine, Instance, Mode, Module, Stop, Store, Tuning};

/// End of a call: the result, or the trap's message with the position of each frame.
type End = Result<i64, (String, Vec<(u32, Option<usize>)>)>;

/// Returns the tuning without baseline code, then by name those that compile before the first execution, and after the first
/// sample, which comes in the middle of the loops below.
fn tunings() -> (Tuning, [(&'static str, Tuning); 2]) {
    let tuning = |baseline_after| Tuning { baseline_after, ..Tuning::default() };
    (
        Tuning { baseline: false, ..Tuning::default() },
        [("compiled at once", tuning(0)), ("compiled in the loop", tuning(1))],
    )
}

fn end(stop: Stop) -> (String, Vec<(u32, Option<usize>)>) {
    let frames = stop.backtrace().expect("a trap has one").frames.iter();
    (stop.to_string(), frames.map(|frame| (frame.func_index(), frame.offset())).collect())
}

/// Calls `run` with each argument, one after the other in the same instance. Returns the end of each call.
fn ends(tuning: Tuning, wat: &str, arguments: &[i32]) -> Vec<End> {
    let engine = Engine::new(Config::new().mode(Mode::Interp).tuning(tuning));
    let module = Module::new(&engine, wat.as_bytes()).unwrap_or_else(|error| panic!("{error}: {wat}"));
    let mut store = Store::new(&engine, ());
    let instance = Instance::new(&mut store, &module, &[]).unwrap();
    let run = instance.get_typed_func::<i32, i64>(&mut store, "run").unwrap();
    arguments.iter().map(|&argument| run.call(&mut store, argument).map_err(end)).collect()
}

/// Iterations of the loops: more than the calls and backward jumps between two samples.
const LOOPS: u32 = 10_000;

/// Returns a module whose `run` accesses memory many times at address 64 and finally at its argument. The access is in the
/// loop and in a function that the loop calls. `access` may use the locals `$at` and `$zero`, and leaves an `i64`.
fn module(access: &str) -> String {
    format!(
        "(module (memory 1)
          (func $access (param $at i32) (param $zero i32) (result i64) {access})
          (func (export \"run\") (param $end i32) (result i64)
            (local $at i32) (local $zero i32) (local $i i32) (local $sum i64)
            (i64.store (i32.const 64) (i64.const 0x8182_8384_8586_8788))
            (i64.store (i32.const 72) (i64.const 0x9192_9394_9596_9798))
            (loop
              (local.set $at (select (i32.const 64) (local.get $end) (i32.lt_u (local.get $i) (i32.const {LOOPS}))))
              (local.set $sum (i64.rotl (i64.add (local.get $sum) {access}) (i64.const 3)))
              (local.set $sum (i64.xor (local.get $sum) (call $access (local.get $at) (local.get $zero))))
              (br_if 0 (i32.le_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const {LOOPS}))))
            (local.get $sum)))"
    )
}

/// Address expressions, each with the offset of the access.
const ADDRESSES: [(&str, u32); 6] = [
    ("(local.get $at)", 0),
    ("(local.get $at)", 24),
    ("(i32.add (local.get $at) (local.get $zero))", 0),
    ("(i32.add (local.get $at) (i32.const 8))", 16),
    ("(i32.xor (local.get $at) (local.get $zero))", 200),
    ("(i32.and (i32.sub (local.get $at) (i32.const 3)) (i32.const -1))", 3),
];

/// Compares the ends of calls in all tunings. Returns them.
fn check_ends(wat: &str, arguments: &[i32]) -> Vec<End> {
    let (never, others) = tunings();
    let threaded = ends(never, wat, arguments);
    for (name, tuning) in others {
        assert_eq!(threaded, ends(tuning, wat, arguments), "{name}: {wat}");
    }
    threaded
}

fn check(access: &str) {
    let wat = module(access);
    // Inside, at the edge, and outside of memory.
    let arguments = [80, 65_200, 65_535, 65_540, -1, i32::MIN, 70_000, 64];
    let threaded = check_ends(&wat, &arguments);
    assert!(threaded.iter().any(Result::is_ok) && threaded.iter().any(Result::is_err), "{wat}");
}

#[test]
fn loads_read_and_trap_alike() {
    let loads = [
        ("i32.load", "i64.extend_i32_s"),
        ("i32.load8_s", "i64.extend_i32_s"),
        ("i32.load8_u", "i64.extend_i32_u"),
        ("i32.load16_s", "i64.extend_i32_s"),
        ("i32.load16_u", "i64.extend_i32_u"),
        ("i64.load", "i64.clz"),
        ("i64.load8_s", "i64.clz"),
        ("i64.load16_u", "i64.clz"),
        ("i64.load32_s", "i64.clz"),
        ("i64.load32_u", "i64.clz"),
        ("f64.load", "i64.reinterpret_f64"),
        ("f32.load", "i64.trunc_sat_f32_s"),
        ("v128.load", "i64x2.extract_lane 1"),
        ("v128.load32_splat", "i64x2.extract_lane 0"),
    ];
    for (load, to_i64) in loads {
        for (address, offset) in ADDRESSES {
            check(&format!("({to_i64} ({load} offset={offset} {address}))"));
        }
    }
}

#[test]
fn stores_write_and_trap_alike() {
    let stores = [
        ("i32.store", "(i32.add (local.get $at) (i32.const 5))", "(i32.const -7)", "(local.get $at)"),
        ("i32.store8", "(i32.add (local.get $at) (i32.const 5))", "(i32.const 7)", "(local.get $at)"),
        ("i32.store16", "(i32.sub (local.get $zero) (local.get $at))", "(i32.const -2)", "(local.get $zero)"),
        ("i64.store", "(i64.extend_i32_s (local.get $at))", "(i64.const 0x1234567890)", "(i64.const -1)"),
        ("i64.store32", "(i64.extend_i32_s (local.get $at))", "(i64.const 0x1234567890)", "(i64.const -1)"),
        ("f64.store", "(f64.convert_i32_s (local.get $at))", "(f64.const 0.1)", "(f64.const -0.0)"),
        ("f32.store", "(f32.convert_i32_s (local.get $at))", "(f32.const 0.1)", "(f32.const -0.0)"),
    ];
    for (store, computed, constant, plain) in stores {
        for (address, offset) in ADDRESSES {
            for value in [computed, constant, plain] {
                check(&format!("({store} offset={offset} {address} {value}) (i64.load (i32.const 80))"));
            }
        }
    }
}

#[test]
fn divisions_trap_alike() {
    for operator in ["div_s", "div_u", "rem_s", "rem_u"] {
        let wat = format!(
            "(module (func (export \"run\") (param $d i32) (result i64) (local $i i32) (local $sum i64) (local $by i32)
              (loop
                (local.set $by (select (i32.const 3) (local.get $d) (i32.lt_u (local.get $i) (i32.const {LOOPS}))))
                (local.set $sum (i64.add (local.get $sum) (i64.extend_i32_s
                  (i32.{operator} (i32.sub (local.get $i) (i32.const {LOOPS})) (local.get $by)))))
                (local.set $sum (i64.add (local.get $sum)
                  (i64.{operator} (i64.const 0x8000_0000_0000_0000) (i64.extend_i32_s (local.get $by)))))
                (br_if 0 (i32.le_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const {LOOPS}))))
              (local.get $sum)))"
        );
        let threaded = check_ends(&wat, &[7, -1, 0, -7]);
        assert!(threaded[2].is_err() && threaded[0].is_ok(), "{threaded:?}");
    }
}

#[test]
fn deep_recursion_ends_alike() {
    let wat = "(module (func $deep (export \"run\") (param i32) (result i64)
        (i64.add (i64.const 1) (call $deep (local.get 0)))))";
    let threaded = check_ends(wat, &[1]);
    assert!(threaded[0].is_err());
}

#[test]
fn a_table_of_jumps_leads_everywhere() {
    let wat = format!(
        "(module (func (export \"run\") (param $step i32) (result i64) (local $i i32) (local $sum i64)
          (block $out (loop $again
            (local.set $i (i32.add (local.get $i) (local.get $step)))
            (br_if $out (i32.gt_u (local.get $i) (i32.const {LOOPS})))
            (local.set $sum (i64.add (local.get $sum) (i64.const 1)))
            (block $d (block $c (block $b (block $a
              (br_table $a $b $again $c $d (i32.rem_u (local.get $i) (i32.const 7))))
              (local.set $sum (i64.add (local.get $sum) (i64.const 3))))
              (local.set $sum (i64.mul (local.get $sum) (i64.const 5))))
              (local.set $sum (i64.xor (local.get $sum) (i64.const 0x55))))
            (br $again)))
          (local.get $sum)))"
    );
    let threaded = check_ends(&wat, &[1, 2, 3]);
    assert!(threaded.iter().all(Result::is_ok));
}
