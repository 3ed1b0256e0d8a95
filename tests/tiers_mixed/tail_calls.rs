//! A million tail calls between tiers, in any order, use no stack and lose no argument.

use wasmr::{StoreLimits, Val};

use crate::configurations::Configuration;
use crate::support::{End, configurations, padded, same_ends_in, tier_mixes};

const STEPS: i32 = 1_000_000;

/// Returns configurations with a stack too small for a frame of each step.
fn tight_configurations() -> Vec<Configuration> {
    let tight = |mut configuration: Configuration| {
        configuration.config.limits(StoreLimits { max_stack_bytes: 256 << 10, ..StoreLimits::default() });
        configuration
    };
    // The other configurations only reach the same tiers later.
    configurations()
        .into_iter()
        .map(tight)
        .filter(|configuration| configuration.compiles_at_once || configuration.name == "interp")
        .collect()
}

/// Three functions that tail-call each other in a circle, with 1, 13 and 5 parameters, so that some are in registers and some
/// on the stack. All parameters affect the results.
const CIRCLE: &str = r#"(module
  (type $one (func (param i32) (result i64 f64)))
  (type $many (func (param i32 i64 f64 i64 i64 f32 v128 i64 i64 i64 i64 f64 i64) (result i64 f64)))
  (type $five (func (param i64 i32 f64 f64 i64) (result i64 f64)))
  (table 3 funcref) (elem (i32.const 0) $one $many $five)
  (global $sum (mut i64) (i64.const 0)) (global $float (mut f64) (f64.const 0))
  (global $to_five (mut (ref null $five)) (ref.func $five))
  (func $one (type $one) PAD0
    (if (i32.le_s (local.get 0) (i32.const 0)) (then (return (global.get $sum) (global.get $float))))
    (return_call $many (local.get 0) (i64.const 1) (f64.const 2) (i64.const 3) (i64.const 4) (f32.const 5)
      (v128.const i64x2 6 7) (i64.const 8) (i64.const 9) (i64.const 10) (i64.const 11) (f64.const 12)
      (i64.extend_i32_s (local.get 0))))
  (func $many (type $many) PAD1
    (global.set $sum (i64.add (global.get $sum)
      (i64.add (i64.add (local.get 1) (i64.add (local.get 3) (local.get 4)))
        (i64.add (i64.add (local.get 7) (local.get 8)) (i64.add (local.get 9) (i64.add (local.get 10)
          (i64x2.extract_lane 1 (local.get 6))))))))
    (return_call_ref $five (local.get 12) (local.get 0) (f64.add (local.get 2) (f64.promote_f32 (local.get 5))) (local.get 11)
      (i64x2.extract_lane 0 (local.get 6)) (global.get $to_five)))
  (func $five (type $five) (local $next i32) PAD2
    (local.set $next (i32.sub (local.get 1) (i32.const 3)))
    (global.set $sum (i64.add (global.get $sum) (i64.add (local.get 4) (i64.sub (local.get 0) (i64.extend_i32_s (local.get 1))))))
    (global.set $float (f64.add (global.get $float) (f64.add (local.get 2) (local.get 3))))
    (return_call_indirect (type $one) (local.get $next) (i32.wrap_i64 (i64.sub (local.get 0) (i64.extend_i32_s (local.get 1))))))
  (func (export "run") (param i32) (result i64 f64)
    (global.set $sum (i64.const 0)) (global.set $float (f64.const 0))
    (call $one (local.get 0))))"#;

#[test]
fn functions_of_all_tiers_in_a_circle() {
    for bodies in tier_mixes(3) {
        let text = padded(CIRCLE, &bodies);
        // A few steps first, so that the functions are compiled before the long run.
        let calls = [("run", &[Val::I32(5)][..]), ("run", &[Val::I32(STEPS / 10)]), ("run", &[Val::I32(0)])];
        let ends = same_ends_in(&tight_configurations(), &[("main", &text)], &calls);
        let rounds = i64::from((STEPS / 10).cast_unsigned().div_ceil(3));
        assert_eq!(ends[1].results(), [Val::I64(rounds * (53 + 6)), Val::from(rounds as f64 * 19.)]);
        assert_eq!(ends[2].results(), [Val::I64(0), Val::from(0_f64)]);
    }
}

#[test]
fn a_million_steps_between_two() {
    // With synchronous tier-up in tiered mode, a function that stays interpreted would ask for its code at each call, so these
    // configurations are left out.
    let configurations: Vec<Configuration> =
        tight_configurations().into_iter().filter(|configuration| !configuration.name.starts_with("tiered")).collect();
    for bodies in tier_mixes(2) {
        let text = padded(
            r#"(module
              (func $ping (param i32 i64) (result i64) PAD0
                (if (i32.eqz (local.get 0)) (then (return (local.get 1))))
                (return_call $pong (local.get 1) (i32.sub (local.get 0) (i32.const 1)) (i64.const 1) (i64.const 2) (i64.const 3)
                  (i64.const 4) (i64.const 5) (i64.const 6)))
              (func $pong (param i64 i32 i64 i64 i64 i64 i64 i64) (result i64) PAD1
                (if (i32.eqz (local.get 1)) (then (return (i64.sub (i64.const 0) (local.get 0)))))
                (return_call $ping (i32.sub (local.get 1) (i32.const 1))
                  (i64.add (local.get 0) (i64.add (local.get 2) (i64.mul (local.get 6) (local.get 7))))))
              (func (export "run") (param i32) (result i64) (call $ping (local.get 0) (i64.const 0))))"#,
            &bodies,
        );
        let calls = [("run", &[Val::I32(STEPS)][..]), ("run", &[Val::I32(1001)])];
        let ends = same_ends_in(&configurations, &[("main", &text)], &calls);
        assert_eq!((ends[0].i64(), ends[1].i64()), (i64::from(STEPS / 2) * 31, -500 * 31));
    }
}

#[test]
fn tail_calls_of_the_host_and_through_it() {
    // In each step, a loop calls a function that tail-calls the host, which calls back.
    for bodies in tier_mixes(3) {
        let text = padded(
            r#"(module
              (import "h" "count" (func $count (param i32) (result i32)))
              (import "h" "call" (func $call (param i32) (result i32)))
              (func $tail (param i32) (result i32) PAD0 (return_call $count (local.get 0)))
              (func $round (param i32) (result i32) PAD1 (return_call $call (local.get 0)))
              (func (export "back") (param i32) (result i32) PAD0 (return_call $tail (i32.mul (local.get 0) (i32.const 2))))
              (func (export "run") (param $n i32) (result i32) (local $sum i32) PAD2
                (loop
                  (local.set $sum (i32.add (local.get $sum) (call $tail (local.get $n))))
                  (local.set $sum (i32.add (local.get $sum) (call $round (local.get $n))))
                  (br_if 0 (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
                (local.get $sum)))"#,
            &bodies,
        );
        let ends = same_ends_in(
            &tight_configurations(),
            &[("main", &text)],
            &[("run", &[Val::I32(2000)]), ("back", &[Val::I32(4)])],
        );
        assert_eq!((ends[0].i64(), ends[1].i64()), (3 * 2000 * 2001 / 2 + 2 * 2000, 9));
    }
}

#[test]
fn tail_calls_between_instances() {
    for bodies in tier_mixes(2) {
        let library = padded(
            r#"(module
              (type $t (func (param i32 i64) (result i64)))
              (table (export "table") 1 funcref)
              (global $mine i64 (i64.const 3))
              (func (export "over") (param i64 i64 i64 i64 i64 i64 i64 i32) (result i64) PAD0
                (return_call_indirect (type $t) (local.get 7) (i64.add (local.get 6) (global.get $mine)) (i32.const 0))))"#,
            &bodies[..1],
        );
        let main = padded(
            r#"(module
              (import "library" "over" (func $over (param i64 i64 i64 i64 i64 i64 i64 i32) (result i64)))
              (import "library" "table" (table 1 funcref))
              (elem (i32.const 0) $f)
              (global $mine i64 (i64.const 4))
              (func $f (export "run") (param i32 i64) (result i64) PAD0
                (if (i32.eqz (local.get 0)) (then (return (local.get 1))))
                (return_call $over (i64.const 0) (i64.const 0) (i64.const 0) (i64.const 0) (i64.const 0) (i64.const 0)
                  (i64.add (local.get 1) (global.get $mine)) (i32.sub (local.get 0) (i32.const 1)))))"#,
            &bodies[1..],
        );
        let modules = [("library", &*library), ("main", &*main)];
        let calls = [("run", &[Val::I32(2), Val::I64(0)][..]), ("run", &[Val::I32(STEPS / 4), Val::I64(1)])];
        let ends = same_ends_in(&tight_configurations(), &modules, &calls);
        assert_eq!((ends[0].i64(), ends[1].i64()), (14, 7 * i64::from(STEPS / 4) + 1));
    }
}

#[test]
fn a_stop_in_a_tail_call_ends_its_caller() {
    // Traps, exceptions and exits of functions called in tail position. Handlers of the replaced frame do not catch.
    for bodies in tier_mixes(3) {
        let text = padded(
            r#"(module
              (import "h" "exit" (func $exit (param i32)))
              (import "h" "throw" (func $host_throw (param i64)))
              (import "h" "tag" (tag $host (param i64)))
              (tag $t (param i32))
              (func $end (param i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32) PAD0
                (if (i32.eq (local.get 8) (i32.const 0)) (then (unreachable)))
                (if (i32.eq (local.get 8) (i32.const 1)) (then (throw $t (i32.const 5))))
                (if (i32.eq (local.get 8) (i32.const 2)) (then (call $exit (i32.const 6))))
                (if (i32.eq (local.get 8) (i32.const 3)) (then (call $host_throw (i64.const 7))))
                (local.get 8))
              (func $over (param i32) (result i32) PAD1
                (block $caught
                  (try_table (catch_all $caught)
                    (return_call $end (i32.const 1) (i32.const 1) (i32.const 1) (i32.const 1) (i32.const 1) (i32.const 1) (i32.const 1)
                      (i32.const 1) (local.get 0))))
                (i32.const 100))
              (func $run (export "run") (param i32) (result i32) PAD2
                (block $on_host (result i64)
                  (block $on_t (result i32)
                    (try_table (result i32) (catch $t $on_t) (catch $host $on_host)
                      (i32.add (i32.const 1000) (call $over (local.get 0)))))
                  (return))
                (i32.wrap_i64)))"#,
            &bodies,
        );
        let params: Vec<[Val; 1]> = [4, 0, 1, 2, 3, 0, 1, 2, 3, 4].map(|how| [Val::I32(how)]).into();
        let calls: Vec<_> = params.iter().map(|params| ("run", &params[..])).collect();
        let ends = same_ends_in(&configurations(), &[("main", &text)], &calls);
        assert_eq!((ends[0].i64(), ends[2].i64(), &ends[3], ends[4].i64()), (1004, 5, &End::Exit(6), 7));
        ends[1].assert_trap("unreachable", &["end", "run"]);
    }
}
