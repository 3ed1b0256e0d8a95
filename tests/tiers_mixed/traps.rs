//! Traps have the same message and the same frames whatever the tiers of these frames, including inlined ones.

use wasmr::{TrapCode, Val};

use crate::configurations::Body;
use crate::support::{End, Program, configurations, mixes, padded, same_ends, shown};

/// One operator for each cause of a trap, selected by local 0. `$g` has another type than the indirect call expects.
const TRAPS: &str = r#"
  (block $b11 (block $b10 (block $b9 (block $b8 (block $b7 (block $b6 (block $b5 (block $b4 (block $b3 (block $b2 (block $b1 (block $b0
    (br_table $b0 $b1 $b2 $b3 $b4 $b5 $b6 $b7 $b8 $b9 $b10 $b11 (local.get 0)))
    (unreachable))
    (drop (i32.div_s (local.get 0) (i32.sub (local.get 0) (i32.const 1)))))
    (drop (i32.load offset=65535 (local.get 0))))
    (drop (call_indirect (type $t) (i32.const 0) (i32.const 1))))
    (drop (call_indirect (type $t) (i32.const 0) (i32.mul (local.get 0) (i32.const 0)))))
    (drop (call_indirect (type $t) (i32.const 0) (i32.mul (local.get 0) (i32.const 100)))))
    (drop (i32.trunc_f64_s (f64.mul (f64.convert_i32_s (local.get 0)) (f64.const 1e300)))))
    (drop (i32.trunc_f32_u (f32.const nan))))
    (table.set (i32.const 77) (ref.null func)))
    (memory.fill (i32.const 65530) (i32.const 0) (local.get 0)))
    (drop (call_ref $t (i32.const 1) (ref.null $t))))
  (drop (i64.rem_u (i64.const 1) (i64.extend_i32_u (i32.sub (local.get 0) (i32.const 11)))))
  (drop (ref.as_non_null (ref.null func)))
"#;

const MESSAGES: [TrapCode; 12] = [
    TrapCode::Unreachable,
    TrapCode::IntegerDivideByZero,
    TrapCode::MemoryOutOfBounds,
    TrapCode::IndirectCallTypeMismatch,
    TrapCode::UninitializedElement,
    TrapCode::UndefinedElement,
    TrapCode::IntegerOverflow,
    TrapCode::InvalidConversionToInteger,
    TrapCode::TableOutOfBounds,
    TrapCode::MemoryOutOfBounds,
    TrapCode::NullFunctionReference,
    TrapCode::IntegerDivideByZero,
];

#[test]
fn every_trap_is_the_same_at_the_same_place() {
    for bodies in mixes(3) {
        let text = format!(
            r#"(module
              (type $t (func (param i32) (result i32)))
              (memory 1) (table 3 funcref) (elem (i32.const 1) $g)
              (func $g)
              (func $a (export "a") (param i32) (result i32) PAD0
                (i32.add (i32.const 1) (call $b (i32.add (local.get 0) (i32.const 1)))))
              (func $b (param i32) (result i32) PAD1
                (i32.mul (call $c (i32.sub (local.get 0) (i32.const 1))) (i32.const 3)))
              (func $c (param i32) (result i32) PAD2 {TRAPS} (i32.const 1)))"#
        );
        let text = padded(&text, &bodies);
        let params: Vec<[Val; 1]> = (0..12).map(|how| [Val::I32(how)]).collect();
        // Twice, the second time in the final tiers.
        let calls: Vec<_> = params.iter().chain(&params).map(|params| ("a", &params[..])).collect();
        let ends = same_ends(&[("main", &text)], &calls);
        for (how, end) in ends.iter().enumerate() {
            end.assert_trap(MESSAGES[how % 12].message(), &["c", "b", "a"]);
        }
    }
}

#[test]
fn inlined_frames_are_shown_at_every_depth() {
    let text = r#"(module
        (func $leaf (param i32) (result i32) (i32.div_u (i32.const 100) (local.get 0)))
        (func $two (param i32) (result i32) (i32.add (call $leaf (local.get 0)) (call $leaf (i32.sub (local.get 0) (i32.const 1)))))
        (func $three (param i32) (result i32) (i32.add (call $two (local.get 0)) (call $leaf (i32.sub (local.get 0) (i32.const 2)))))
        (func $four (param i32) (result i32) (i32.add (call $three (local.get 0)) (call $two (i32.sub (local.get 0) (i32.const 3)))))
        (func $five (param i32) (result i32) (i32.add (call $four (local.get 0)) (call $leaf (i32.sub (local.get 0) (i32.const 5)))))
        (func $six (param i32) (result i32) (i32.add (call $five (local.get 0)) (call $five (i32.sub (local.get 0) (i32.const 6)))))
        (func $run (export "run") (param i32) (result i32)
          (block (result i32) (call $six (local.get 0)) (br_if 0 (i32.eqz (local.get 0))) (drop) (call $six (local.get 0)))))"#;
    let params: Vec<[Val; 1]> = (0..=12).map(|at| [Val::I32(at)]).collect();
    let calls: Vec<_> = params.iter().chain(&params).map(|params| ("run", &params[..])).collect();
    let ends = same_ends(&[("main", text)], &calls);
    let all = ["leaf", "two", "three", "four", "five", "six", "run"];
    ends[0].assert_trap("integer divide by zero", &all);
    ends[2].assert_trap("integer divide by zero", &["leaf", "three", "four", "five", "six", "run"]);
    ends[3].assert_trap("integer divide by zero", &["leaf", "two", "four", "five", "six", "run"]);
    ends[5].assert_trap("integer divide by zero", &["leaf", "five", "six", "run"]);
    assert!(matches!(ends[12], End::Results(_)));
}

#[test]
fn recursion_is_shown_frame_by_frame() {
    // `$other` is small enough to be inlined into itself. It is called by itself and by `$down`.
    for bodies in mixes(2) {
        let text = padded(
            r#"(module
              (func $down (param $n i32) (result i32) PAD0
                (if (result i32) (local.get $n)
                  (then (i32.add (i32.const 1) (call $other (i32.sub (local.get $n) (i32.const 1)))))
                  (else (unreachable))))
              (func $other (param $n i32) (result i32) PAD1
                (if (result i32) (i32.and (local.get $n) (i32.const 3))
                  (then (i32.add (call $other (i32.sub (local.get $n) (i32.const 1))) (i32.const 1)))
                  (else (call $down (local.get $n)))))
              (func $run (export "run") (param i32) (result i32) (call $down (local.get 0))))"#,
            &bodies,
        );
        let ends = same_ends(
            &[("main", &text)],
            &[("run", &[Val::I32(0)]), ("run", &[Val::I32(9)]), ("run", &[Val::I32(1000)]), ("run", &[Val::I32(1000)])],
        );
        let (message, names) = ends[1].trap();
        assert_eq!((message, names.len()), ("unreachable", ends[1].total()));
        // `other` makes three of four calls of `other`.
        let mut expected = ["down", "other", "other", "other", "other"].repeat(2);
        expected.extend(["down", "other", "down", "run"]);
        assert_eq!(names, expected);
        assert!(ends[2].total() > 1000);
    }
}

#[test]
fn frames_of_all_boundaries_are_shown() {
    // The stack passes through the host and back, and through another instance.
    for bodies in mixes(3) {
        let library = padded(
            r#"(module
              (type $t (func (param i32) (result i32)))
              (import "h" "call" (func $call (param i32) (result i32)))
              (table (export "table") 1 funcref)
              (func $back (export "back") (param i32) (result i32) PAD0
                (call_indirect (type $t) (local.get 0) (i32.const 0)))
              (func $enter (export "enter") (param i32) (result i32) PAD1
                (i32.add (call $call (local.get 0)) (i32.const 1))))"#,
            &bodies[..2],
        );
        let main = padded(
            r#"(module
              (import "library" "enter" (func $enter (param i32) (result i32)))
              (import "library" "table" (table 1 funcref))
              (elem (i32.const 0) $last)
              (func $last (param i32) (result i32) PAD0
                (if (result i32) (local.get 0)
                  (then (call $enter (i32.sub (local.get 0) (i32.const 1))))
                  (else (i32.div_s (i32.const 1) (local.get 0)))))
              (func $run (export "run") (param i32) (result i32) (call $enter (local.get 0))))"#,
            &bodies[2..],
        );
        let modules = [("library", &*library), ("main", &*main)];
        let ends = same_ends(&modules, &[("run", &[Val::I32(0)]), ("run", &[Val::I32(2)]), ("run", &[Val::I32(0)])]);
        ends[0].assert_trap("integer divide by zero", &["last", "back", "enter", "run"]);
        let names = ["last", "back", "enter"].repeat(3).into_iter().chain(["run"]).collect::<Vec<_>>();
        ends[1].assert_trap("integer divide by zero", &names);
        assert_eq!(ends[2], ends[0]);
    }
}

#[test]
fn a_trap_in_a_host_function_is_at_its_caller() {
    for bodies in mixes(2) {
        let text = padded(
            r#"(module
              (import "h" "trap" (func $trap))
              (func $a (export "a") PAD0 (call $b))
              (func $b PAD1 (call $trap)))"#,
            &bodies,
        );
        for end in same_ends(&[("main", &text)], &[("a", &[]), ("a", &[])]) {
            end.assert_trap("integer overflow", &["b", "a"]);
        }
    }
}

#[test]
fn traps_leave_nothing_behind() {
    // If a trap left an activation, a frame or a stack behind, this many traps would use up the limit.
    use Body::{Compiled, Interpreted, Small};
    for bodies in [[Small; 3], [Compiled; 3], [Compiled, Interpreted, Compiled], [Interpreted, Compiled, Interpreted]] {
        let text = padded(
            r#"(module
              (import "h" "catch" (func $catch (param i32) (result i32)))
              (func (export "back") (param i32) (result i32) PAD0 (call $c (local.get 0)))
              (func $c (param i32) (result i32) PAD1 (if (i32.and (local.get 0) (i32.const 1)) (then (unreachable))) (local.get 0))
              (func (export "run") (param $n i32) (result i32) (local $sum i32) PAD2
                (loop
                  (local.set $sum (i32.add (local.get $sum) (call $catch (local.get $n))))
                  (br_if 0 (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
                (local.get $sum)))"#,
            &bodies,
        );
        for configuration in configurations() {
            let mut program = Program::new(&configuration, &text);
            // The sum of the even numbers up to 2000, less 7 for each odd one.
            for _ in 0..2 {
                assert_eq!(
                    program.call("run", &[Val::I32(2000)]).i64(),
                    1_001_000 - 7000,
                    "{}: {}",
                    configuration.name,
                    shown(&[("", &text)])
                );
            }
            for _ in 0..1000 {
                program.call("back", &[Val::I32(1)]).trap();
            }
            assert_eq!(program.call("back", &[Val::I32(2)]).i64(), 2);
        }
    }
}
