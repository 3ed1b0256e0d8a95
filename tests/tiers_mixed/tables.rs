//! Tables change, grow and move while code of all tiers uses them and calls through them.

use wasmr::{TrapCode, Val};

use crate::support::{Program, configurations, mixes, padded, same_ends, tier_mixes};

#[test]
fn calls_through_a_table_that_grows_and_changes() {
    // Growth moves the elements. Each round calls the element that code of another tier set in the round before.
    for bodies in tier_mixes(3) {
        let text = padded(
            r#"(module
              (type $t (func (param i32) (result i32)))
              (table $t 2 100000 funcref)
              (elem (i32.const 0) $one $two)
              (func $one (type $t) (i32.add (local.get 0) (i32.const 1)))
              (func $two (type $t) PAD0 (i32.add (local.get 0) (i32.const 2)))
              (func $grow (param i32) (result i32) PAD1 (table.grow $t (table.get $t (i32.rem_u (local.get 0) (i32.const 2))) (i32.const 37)))
              (func (export "run") (param $n i32) (result i32 i32) (local $i i32) (local $x i32) PAD2
                (loop
                  (drop (call $grow (local.get $i)))
                  (local.set $x (call_indirect $t (type $t) (local.get $x) (i32.sub (table.size $t) (i32.const 1))))
                  (table.set $t (i32.sub (table.size $t) (i32.const 1)) (ref.func $one))
                  (local.set $x (call_indirect $t (type $t) (local.get $x) (i32.sub (table.size $t) (i32.const 1))))
                  (br_if 0 (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (local.get $n))))
                (local.get $x) (table.size $t)))"#,
            &bodies,
        );
        let ends = same_ends(&[("main", &text)], &[("run", &[Val::I32(500)]), ("run", &[Val::I32(100)])]);
        assert_eq!(ends[0].results(), [Val::I32(500 / 2 * 3 + 500), Val::I32(2 + 500 * 37)]);
        assert_eq!(ends[1].results(), [Val::I32(250), Val::I32(2 + 600 * 37)]);
    }
}

#[test]
fn calls_of_missing_elements_and_of_other_types() {
    for bodies in mixes(2) {
        let text = padded(
            r#"(module
              (type $t (func (param i32) (result i32)))
              (type $other (func (param i64) (result i32)))
              (rec (type $in_group (func (param i32) (result i32))) (type (func)))
              (type $open (sub (func (result funcref))))
              (type $closed (sub final $open (func (result (ref null $t)))))
              (import "h" "count" (func $count (param i32) (result i32)))
              (table 8 8 funcref) (table $growing 1 20 funcref) (table $refs 4 (ref null $t))
              (elem (i32.const 0) $f $g $h $count $sub)
              (elem (table $refs) (i32.const 1) (ref null $t) (ref.func $f))
              (func $f (type $t) (i32.const 1))
              (func $g (type $other) (i32.const 2))
              (func $h (type $in_group) (i32.const 3))
              (func $sub (type $closed) (ref.func $f))
              (func $call (export "call") (param i32) (result i32) PAD0
                (call_indirect (type $t) (i32.const 7) (local.get 0)))
              (func (export "through") (param i32) (result i32) PAD1 (i32.add (i32.const 100) (call $call (local.get 0))))
              (func (export "open") (param i32) (result i32) PAD1
                (ref.is_null (call_indirect (type $open) (local.get 0))))
              (func (export "growing") (param i32) (result i32) PAD1
                (call_indirect $growing (type $t) (i32.const 7) (local.get 0)))
              (func (export "refs") (param i32) (result i32) PAD1
                (call_indirect $refs (type $t) (i32.const 7) (local.get 0))))"#,
            &bodies,
        );
        let params: Vec<[Val; 1]> = [0, 1, 2, 3, 4, 5, 7, 8, -1, i32::MIN].map(|at| [Val::I32(at)]).into();
        for name in ["through", "open", "growing", "refs"] {
            let calls: Vec<_> = params.iter().chain(&params).map(|params| (name, &params[..])).collect();
            let ends = same_ends(&[("main", &text)], &calls);
            let trap = |at: usize, code: TrapCode| assert_eq!(ends[at].trap().0, code.message(), "{name}");
            assert_eq!(ends[..10], ends[10..]);
            [7, 8, 9].into_iter().for_each(|at| trap(at, TrapCode::UndefinedElement));
            match name {
                "through" => {
                    assert_eq!((ends[0].i64(), ends[3].i64()), (101, 108));
                    [1, 2, 4].into_iter().for_each(|at| trap(at, TrapCode::IndirectCallTypeMismatch));
                    [5, 6].into_iter().for_each(|at| trap(at, TrapCode::UninitializedElement));
                }
                "open" => {
                    assert_eq!(ends[4].i64(), 0);
                    [0, 1, 2, 3].into_iter().for_each(|at| trap(at, TrapCode::IndirectCallTypeMismatch));
                }
                "growing" => {
                    trap(0, TrapCode::UninitializedElement);
                    trap(1, TrapCode::UndefinedElement);
                }
                _ => {
                    assert_eq!(ends[1].i64(), 1);
                    [0, 2, 3].into_iter().for_each(|at| trap(at, TrapCode::UninitializedElement));
                    trap(4, TrapCode::UndefinedElement);
                }
            }
        }
    }
}

#[test]
fn compiled_code_reads_elements_that_bulk_operators_wrote() {
    for bodies in tier_mixes(2) {
        let text = padded(
            r#"(module
              (type $t (func (result i32)))
              (table $a 10 funcref) (table $b 10 funcref)
              (elem $e func $one $two $three)
              (func $one (type $t) (i32.const 1)) (func $two (type $t) (i32.const 2)) (func $three (type $t) (i32.const 3))
              (func $change (param i32) PAD0
                (table.init $a $e (local.get 0) (i32.const 0) (i32.const 3))
                (table.copy $b $a (i32.const 0) (local.get 0) (i32.const 3))
                (table.fill $a (local.get 0) (ref.func $three) (i32.const 2)))
              (func (export "run") (param i32) (result i32 i32 i32 i32 i32 i32) PAD1
                (call $change (local.get 0))
                (call_indirect $a (type $t) (local.get 0))
                (call_indirect $a (type $t) (i32.add (local.get 0) (i32.const 1)))
                (call_indirect $a (type $t) (i32.add (local.get 0) (i32.const 2)))
                (call_indirect $b (type $t) (i32.const 0))
                (call_indirect $b (type $t) (i32.const 1))
                (call_indirect $b (type $t) (i32.const 2)))
              (func (export "drop") (elem.drop $e)))"#,
            &bodies,
        );
        let at = [0, 5, 7, 8, 0].map(|at| [Val::I32(at)]);
        let mut calls: Vec<_> = at.iter().map(|params| ("run", &params[..])).collect();
        calls.push(("drop", &[]));
        calls.push(("run", &at[0]));
        let ends = same_ends(&[("main", &text)], &calls);
        for end in [&ends[0], &ends[1], &ends[2], &ends[4]] {
            assert_eq!(end.results(), [3, 3, 3, 1, 2, 3].map(Val::I32));
        }
        ends[3].assert_trap("out of bounds table access", &["change", "4"]);
        ends[6].assert_trap("out of bounds table access", &["change", "4"]);
    }
}

#[test]
fn the_host_changes_tables_while_code_runs() {
    // In the middle of a loop, the host calls `back`, which grows the table that the loop calls through.
    for bodies in tier_mixes(2) {
        let text = padded(
            r#"(module
              (import "h" "call" (func $host (param i32) (result i32)))
              (type $t (func (param i32) (result i32)))
              (table $t (export "table") 1 10000 funcref) (elem (i32.const 0) $f)
              (func $f (type $t) (i32.add (local.get 0) (i32.const 1)))
              (func (export "back") (param i32) (result i32) PAD0
                (table.grow $t (ref.func $f) (local.get 0)))
              (func (export "run") (param $n i32) (result i32) (local $x i32) PAD1
                (loop
                  (local.set $x (call_indirect $t (type $t) (local.get $x) (call $host (i32.const 5))))
                  (br_if 0 (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
                (local.get $x)))"#,
            &bodies,
        );
        for configuration in configurations() {
            let mut program = Program::new(&configuration, &text);
            for _ in 0..2 {
                assert_eq!(program.call("run", &[Val::I32(300)]).i64(), 300, "{}", configuration.name);
            }
            let table = program.instance.get_table(&program.store, "table").unwrap();
            assert_eq!(table.size(&program.store), 3001);
            table.set(&mut program.store, 3000, Val::FuncRef(None)).unwrap();
        }
    }
}

#[test]
fn tables_of_64_bits() {
    for bodies in tier_mixes(2) {
        let text = padded(
            r#"(module
              (type $t (func (param i64) (result i64)))
              (table $t i64 3 30 funcref) (elem (table $t) (i64.const 1) func $f)
              (func $f (type $t) PAD0 (i64.mul (local.get 0) (i64.const 3)))
              (func $run (export "run") (param i64) (result i64) PAD1 (call_indirect $t (type $t) (i64.const 7) (local.get 0)))
              (func (export "grow") (param i64) (result i64) (table.grow $t (ref.func $f) (local.get 0))))"#,
            &bodies,
        );
        let params = [1, 0, 3, 1 << 32 | 1, -1].map(|at| [Val::I64(at)]);
        let mut calls: Vec<_> = params.iter().map(|params| ("run", &params[..])).collect();
        calls.extend([
            ("grow", &[Val::I64(1)][..]),
            ("run", &[Val::I64(3)]),
            ("grow", &[Val::I64(1 << 32)]),
            ("run", &[Val::I64(3)]),
        ]);
        let ends = same_ends(&[("main", &text)], &calls);
        assert_eq!((ends[0].i64(), ends[5].i64(), ends[6].i64(), ends[7].i64(), ends[8].i64()), (21, 3, 21, -1, 21));
        ends[1].assert_trap("uninitialized element", &["run"]);
        for end in &ends[2..5] {
            end.assert_trap("undefined element", &["run"]);
        }
    }
}
