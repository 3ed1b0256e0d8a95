//! Calls through tables and references that go to one function for a long time, and then to another. Code with guarded calls
//! must handle callees that the profile has not seen.

use wasmr::Val;

use crate::configurations::Body;
use crate::support::{End, mixes, padded, same_ends, tier_mixes};

/// Rounds after which the function is compiled, with the profile of these rounds.
const ROUNDS: i32 = 30_000;

/// Returns a module for two instances that share a table. Functions of the same name have the same index in both. The exports
/// `table`, `ref` and `caught` call the function at an index of the table, or in a global, `$n` times. `step` tells the
/// instances apart.
fn module(imports: &str, step: &str) -> String {
    format!(
        r#"(module
          (type $t (func (param i64 i64) (result i64)))
          {imports}
          (global $mine (mut i64) (i64.const {step}))
          (global $calls (export "calls") (mut i32) (i32.const 0))
          (global $ref (mut (ref null $t)) (ref.null $t))
          (memory 1) (data (i32.const 8) "{step}")
          (tag $odd (param i64))
          (func $add (export "add") (type $t) PAD0
            (global.set $calls (i32.add (global.get $calls) (i32.const 1)))
            (i64.add (i64.add (local.get 0) (global.get $mine)) (i64.load8_u offset=8 (i32.const 0))))
          (func $divide (export "divide") (type $t) PAD0 (i64.div_s (local.get 0) (i64.sub (local.get 1) (i64.const 5))))
          (func $recurse (export "recurse") (type $t) PAD0
            (if (i64.le_s (local.get 1) (i64.const 0)) (then (return (local.get 0))))
            (call_indirect $t (type $t) (i64.add (local.get 0) (i64.const 1)) (i64.sub (local.get 1) (i64.const 1)) (i32.const 3)))
          (func $throw (export "throw") (type $t) PAD0
            (if (i64.eq (i64.and (local.get 1) (i64.const 1)) (i64.const 1)) (then (throw $odd (local.get 0))))
            (i64.add (local.get 0) (i64.const 2)))
          (func $tail (export "tail") (type $t) PAD0 (return_call $add (i64.add (local.get 1) (local.get 0)) (i64.const 0)))
          SET
          (func $through_table (export "table") (param $n i32) (param $at i32) (param $with i64) (result i64) (local $x i64) PAD1
            (loop
              (local.set $x (call_indirect $t (type $t) (local.get $x) (local.get $with) (local.get $at)))
              (br_if 0 (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
            (local.get $x))
          (func $by_ref (export "ref") (param $n i32) (param $at i32) (param $with i64) (result i64) (local $x i64) PAD1
            (loop
              (local.set $x (call_ref $t (local.get $x) (local.get $with) (global.get $ref)))
              (br_if 0 (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
            (local.get $x))
          (func $caught (export "caught") (param $n i32) (param $at i32) (param $with i64) (result i64) (local $x i64) PAD1
            (loop
              (block $on_odd (result i64)
                (try_table (result i64) (catch $odd $on_odd)
                  (call_indirect $t (type $t) (local.get $x) (i64.add (local.get $with) (i64.extend_i32_u (local.get $n))) (local.get $at))))
              (i64.add (i64.const 1))
              (local.set $x)
              (br_if 0 (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
            (local.get $x)))"#
    )
}

// Indices of the table: functions of the instance under test, null, and from `OTHERS` on functions of the other instance.
const ADD: i32 = 0;
const DIVIDE: i32 = 1;
const THROW: i32 = 2;
const RECURSE: i32 = 3;
const TAIL: i32 = 4;
const NULL: i32 = 5;
const OTHERS: i32 = 6;

/// Returns the other module and the module under test. With `typed`, the table is of typed references, which `call_ref` calls.
fn modules(bodies: &[Body], typed: bool) -> [String; 2] {
    let (ty, set, wrong) = if typed {
        ("(ref null $t)", r#"(func (export "set") (param i32) (global.set $ref (table.get $t (local.get 0))))"#, "")
    } else {
        let wrong =
            r#"(elem (table $t) (i32.const 11) func $wrong) (func $wrong (param i64) (result i64) (local.get 0))"#;
        ("funcref", r#"(func (export "set") (param i32))"#, wrong)
    };
    let elements = |at: i32| {
        let items =
            ["add", "divide", "throw", "recurse", "tail"].map(|name| format!("(item ref.func ${name}) ")).concat();
        format!("(elem (table $t) (i32.const {at}) {ty} {items})")
    };
    // All functions have the same indices in both modules.
    let other = module(&format!(r#"(table $t (export "functions") 13 {ty}) {}"#, elements(OTHERS)), "7");
    let main = module(&format!(r#"(import "other" "functions" (table $t 13 {ty})) {}"#, elements(0)), "3");
    [padded(&other.replace("SET", set), bodies), padded(&main.replace("SET", &format!("{set} {wrong}")), bodies)]
}

fn phases(name: &'static str, phases: &[(i32, i32, i64)]) -> Vec<End> {
    let mut last = Vec::new();
    for bodies in tier_mixes(2).chain([vec![Body::Small; 2]]) {
        let [other, main] = modules(&bodies, name == "ref");
        let mut calls: Vec<(&str, Vec<Val>)> = Vec::new();
        for &(rounds, at, with) in phases {
            calls.push(("set", vec![Val::I32(at)]));
            calls.push((name, vec![Val::I32(rounds), Val::I32(at), Val::I64(with)]));
        }
        let calls: Vec<_> = calls.iter().map(|(name, params)| (*name, &params[..])).collect();
        last = same_ends(&[("other", &other), ("main", &main)], &calls);
    }
    last.into_iter().skip(1).step_by(2).collect()
}

/// Calls in order, each with rounds, index and argument: a function of the instance itself for a long time, then all others,
/// then the first again.
const TOUR: [(i32, i32, i64); 14] = [
    (ROUNDS, ADD, 1),
    (3, OTHERS + ADD, 1),
    (2, DIVIDE, 6),
    (2, DIVIDE, 5),
    (3, NULL, 1),
    (1, THROW, 2),
    (3, RECURSE, 4),
    (3, TAIL, 1),
    (3, OTHERS + TAIL, 1),
    (100, ADD, 1),
    (ROUNDS, OTHERS + ADD, 1),
    (100, ADD, 1),
    (1, OTHERS + RECURSE, 4),
    (ROUNDS, ADD, 1),
];

fn check_tour(ends: &[End], last: &str) {
    // Each instance adds its step as a number and as the digit in its memory.
    let mine = i64::from(3 + b'3');
    let others = i64::from(7 + b'7');
    let long = i64::from(ROUNDS);
    assert_eq!((ends[0].i64(), ends[1].i64(), ends[2].i64()), (long * mine, 3 * others, 0));
    assert_eq!(ends[3].trap(), ("integer divide by zero", vec!["divide", last]));
    assert!(["uninitialized element", "null function reference"].contains(&ends[4].trap().0));
    assert_eq!((ends[5].i64(), ends[6].i64()), (2, 12));
    assert_eq!((ends[7].i64(), ends[8].i64()), (3 * (1 + mine), 3 * (1 + others)));
    assert_eq!((ends[9].i64(), ends[10].i64(), ends[11].i64()), (100 * mine, long * others, 100 * mine));
    assert_eq!(ends[12].i64(), 4);
    assert_eq!(ends[13], ends[0]);
}

#[test]
fn calls_through_a_table_change_their_target() {
    check_tour(&phases("table", &TOUR), "through_table");
}

#[test]
fn calls_by_reference_change_their_target() {
    check_tour(&phases("ref", &TOUR), "by_ref");
}

#[test]
fn missing_elements_are_called_after_long_success() {
    let ends = phases("table", &[(ROUNDS, ADD, 1), (1, 11, 1), (1, 12, 1), (1, 13, 1), (1, -1, 1), (5, ADD, 1)]);
    let messages: Vec<&str> = ends[1..5].iter().map(|end| end.trap().0).collect();
    assert_eq!(
        messages,
        ["indirect call type mismatch", "uninitialized element", "undefined element", "undefined element"]
    );
    assert_eq!(ends[5].i64(), 5 * i64::from(3 + b'3'));
}

#[test]
fn an_expected_function_throws_into_the_handler_around_its_call() {
    let ends =
        phases("caught", &[(ROUNDS, THROW, 0), (10, OTHERS + THROW, 0), (10, ADD, 0), (4, THROW, 1), (2, NULL, 1)]);
    // `$throw` throws for an odd argument and adds 2 for an even one; the caller adds 1 in either case. The other instance has
    // a tag of its own, which the caller does not catch.
    let long = i64::from(ROUNDS);
    assert_eq!(ends[0].i64(), long / 2 * 2 + long);
    assert!(matches!(ends[1], End::Throw { .. }));
    assert_eq!((ends[2].i64(), ends[3].i64()), (10 * i64::from(4 + b'3'), 2 * 2 + 4));
    assert_eq!(ends[4].trap().0, "uninitialized element");
}

#[test]
fn an_expected_function_traps_inside() {
    let ends = phases("table", &[(ROUNDS, DIVIDE, 7), (1, DIVIDE, 5), (1, OTHERS + DIVIDE, 5), (ROUNDS, DIVIDE, 4)]);
    assert_eq!((ends[0].i64(), ends[3].i64()), (0, 0));
    for end in &ends[1..3] {
        end.assert_trap("integer divide by zero", &["divide", "through_table"]);
    }
}

#[test]
fn subtypes_are_called_where_their_supertype_is_expected() {
    for bodies in tier_mixes(2).chain([vec![Body::Small; 2]]) {
        let text = padded(
            r#"(module
              (type $super (sub (func (param i32) (result funcref))))
              (type $sub (sub final $super (func (param i32) (result (ref null $sub)))))
              (type $third (func (param i32) (result funcref)))
              (table $t 3 funcref) (elem (i32.const 0) $one $two $three)
              (func $one (type $super) PAD0
                (select (result funcref) (ref.func $three) (ref.null func) (i32.and (local.get 0) (i32.const 1))))
              (func $two (type $sub) PAD0
                (if (result (ref null $sub)) (i32.and (local.get 0) (i32.const 3)) (then (ref.func $two)) (else (ref.null $sub))))
              (func $three (type $third) (unreachable))
              (func (export "run") (param $n i32) (param $at i32) (result i64) (local $sum i64) PAD1
                (loop
                  (local.set $sum (i64.add (local.get $sum) (i64.extend_i32_s (ref.is_null
                    (call_indirect $t (type $super) (local.get $n) (local.get $at))))))
                  (br_if 0 (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
                (local.get $sum)))"#,
            &bodies,
        );
        let params = [[ROUNDS, 1], [100, 0], [100, 1], [1, 2], [ROUNDS, 0], [100, 1]].map(|pair| pair.map(Val::I32));
        let calls: Vec<_> = params.iter().map(|params| ("run", &params[..])).collect();
        let ends = same_ends(&[("main", &text)], &calls);
        let long = i64::from(ROUNDS);
        assert_eq!((ends[0].i64(), ends[1].i64(), ends[2].i64()), (long / 4, 50, 25));
        assert_eq!(ends[3].trap().0, "indirect call type mismatch");
        assert_eq!((ends[4].i64(), ends[5].i64()), (long / 2, 25));
    }
}

/// One call site calls three functions in turn. The last round may call a function that divides by its argument, a null
/// element, or a function of another type.
#[test]
fn calls_from_one_place_go_to_several_functions() {
    let text = r#"(module
        (type $op (func (param i64) (result i64)))
        (table 8 funcref)
        (elem (i32.const 0) $add $double $recurse $divide)
        (elem (i32.const 5) $other)
        (func $add (type $op) (i64.add (local.get 0) (i64.const 3)))
        (func $double (type $op) PAD0 (i64.shl (local.get 0) (i64.const 1)))
        (func $recurse (type $op) PAD1
            (if (result i64) (i64.eqz (i64.and (local.get 0) (i64.const 7))) (then (i64.const 1))
                (else (i64.add (i64.const 1) (call $recurse (i64.sub (local.get 0) (i64.const 1)))))))
        (func $divide (type $op) (i64.div_u (i64.const 1000) (local.get 0)))
        (func $other (param i32) (result i32) (local.get 0))
        (func $run (export "run") (param $rounds i32) (param $last i32) (param $with i64) (result i64) (local $sum i64)
            (loop
                (local.set $sum (i64.add (local.get $sum)
                    (call_indirect (type $op)
                        (select (local.get $with) (i64.extend_i32_u (local.get $rounds)) (i32.eqz (local.get $rounds)))
                        (select (local.get $last) (i32.rem_u (local.get $rounds) (i32.const 3)) (i32.eqz (local.get $rounds))))))
                (br_if 0 (i32.ge_s (local.tee $rounds (i32.sub (local.get $rounds) (i32.const 1))) (i32.const 0))))
            (local.get $sum)))"#;
    for bodies in mixes(2) {
        let text = padded(text, &bodies);
        let run = |last, with| ("run", vec![Val::I32(ROUNDS), Val::I32(last), Val::I64(with)]);
        let calls = [run(0, 5), run(1, 5), run(3, 7), run(3, 0), run(4, 0), run(5, 0), run(9, 0), run(2, 7), run(0, 5)];
        let calls: Vec<_> = calls.iter().map(|(name, params)| (*name, &params[..])).collect();
        let ends = same_ends(&[("main", &text)], &calls);
        let sum = |n: i64| match n % 3 {
            0 => n + 3,
            1 => 2 * n,
            _ => n % 8 + 1,
        };
        let before: i64 = (1..=i64::from(ROUNDS)).map(sum).sum();
        assert_eq!((ends[0].i64(), ends[1].i64(), ends[2].i64()), (before + 8, before + 10, before + 142));
        ends[3].assert_trap("integer divide by zero", &["divide", "run"]);
        assert_eq!(ends[4].trap().0, "uninitialized element");
        assert_eq!(ends[5].trap().0, "indirect call type mismatch");
        assert_eq!(ends[6].trap().0, "undefined element");
        assert_eq!((ends[7].i64(), &ends[8]), (before + 8, &ends[0]));
    }
}
