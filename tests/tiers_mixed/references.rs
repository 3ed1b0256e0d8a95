//! References in frames and registers of compiled code: the collector keeps every object in use, and frees the others.

use wasmr::{StoreLimits, Val};

use crate::configurations::Configuration;
use crate::support::{configurations, padded, same_ends_in, tier_mixes};

/// Returns all configurations with a small limit on the heap.
fn tight_configurations() -> Vec<Configuration> {
    let tight = |mut configuration: Configuration| {
        configuration.config.limits(StoreLimits { max_gc_heap_bytes: 512 << 10, ..StoreLimits::default() });
        configuration
    };
    configurations().into_iter().map(tight).collect()
}

/// Returns all configurations, each with a collection at each allocation. A reference that the collector does not find is then
/// lost at once.
pub(crate) fn stressed_configurations() -> Vec<Configuration> {
    let stressed = |mut configuration: Configuration| {
        configuration.tuning.gc_stress = true;
        configuration
    };
    configurations().into_iter().map(stressed).collect()
}

#[test]
fn references_in_locals_arguments_and_on_the_operand_stack_are_kept() {
    // While the loop makes many others, some references are held: by a caller, as an argument in a register, as an argument on
    // the stack, on the operand stack, in a table, and in a global.
    for bodies in tier_mixes(3) {
        let text = padded(
            r#"(module
              (import "h" "extern" (func $extern (param i64) (result externref)))
              (import "h" "number" (func $number (param externref) (result i64)))
              (table $t 2 externref) (global $g (mut externref) (ref.null extern))
              (func $churn (param $n i32) (param $r externref) (result i64) (local $sum i64) PAD0
                (loop
                  (local.set $sum (i64.add (local.get $sum) (call $number (call $extern (i64.extend_i32_u (local.get $n))))))
                  (br_if 0 (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
                (i64.add (local.get $sum) (call $number (local.get $r))))
              (func $many (param $n i32) (param i64 i64 i64 i64 i64 i64) (param $r externref) (param $s externref) (result externref i64) PAD1
                (local.get $r)
                (i64.mul (call $churn (local.get $n) (local.get $s)) (i64.const 1000)))
              (func (export "run") (param $n i32) (result i64 i64 i64 i64) (local $kept externref) PAD2
                (local.set $kept (call $extern (i64.const 1_000_001)))
                (table.set $t (i32.const 1) (call $extern (i64.const 1_000_002)))
                (global.set $g (call $extern (i64.const 1_000_003)))
                (call $many (local.get $n) (i64.const 0) (i64.const 0) (i64.const 0) (i64.const 0) (i64.const 0) (i64.const 0)
                  (call $extern (i64.const 1_000_004)) (call $extern (i64.const 1_000_005)))
                (i64.add (call $number (local.get $kept)))
                (i64.add (call $number (table.get $t (i32.const 1))))
                (i64.add (call $number (global.get $g)))
                (global.set $g (ref.null extern))
                (table.set $t (i32.const 1) (ref.null extern))
                (call $swap)
                (i64.const 1) (i64.const 2))
              (func $swap (param externref i64) (result i64 i64) (local.get 1) (call $number (local.get 0))))"#,
            &bodies,
        );
        let calls = [("run", &[Val::I32(400)][..]), ("run", &[Val::I32(400)])];
        let ends = same_ends_in(&stressed_configurations(), &[("main", &text)], &calls);
        let sum = (400 * 401 / 2 + 1_000_005) * 1000 + 3_000_006;
        assert_eq!(ends[0].results(), [sum, 1_000_004, 1, 2].map(Val::I64));
        assert_eq!(ends[1], ends[0]);
    }
}

#[test]
fn references_that_are_held_are_limited() {
    // Endless recursion with a reference in each frame stops at the limit in every tier.
    for bodies in tier_mixes(1) {
        let text = padded(
            r#"(module
              (import "h" "extern" (func $extern (param i64) (result externref)))
              (import "h" "number" (func $number (param externref) (result i64)))
              (func $hold (export "hold") (param $n i64) (result i64) (local $r externref) PAD0
                (local.set $r (call $extern (local.get $n)))
                (if (result i64) (i64.eqz (local.get $n))
                  (then (i64.const 0))
                  (else (i64.add (call $hold (i64.sub (local.get $n) (i64.const 1))) (call $number (local.get $r)))))))"#,
            &bodies,
        );
        let calls = [("hold", &[Val::I64(10)][..]), ("hold", &[Val::I64(20_000)]), ("hold", &[Val::I64(100)])];
        let ends = same_ends_in(&tight_configurations(), &[("main", &text)], &calls);
        assert_eq!((ends[0].i64(), ends[2].i64()), (55, 5050));
        assert!(
            matches!(&ends[1], crate::support::End::Host(message) if message.contains("524288 bytes")),
            "{:?}",
            ends[1]
        );
    }
}
