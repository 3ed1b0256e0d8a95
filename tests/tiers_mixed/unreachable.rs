//! Unreachable code: after an operator that control never continues from, every tier skips the operators up to the end of the
//! arm, with all blocks among them. They change neither results nor fuel.

use wasmr::Val;
use wasmr_module::operator_class::{OPERATORS, Row};

use crate::support::{End, Program, configurations, mixes, padded, same_ends};

/// Operators that control never continues from: wasmparser's name, and the text. The label `$out` takes an `i32`.
const TRANSFERS: &[(&str, &str)] = &[
    ("Br", "(br $out (i32.const 1))"),
    ("BrTable", "(br_table $out $out (i32.const 2) (i32.const 0))"),
    ("Rethrow", "try throw $tag catch_all rethrow 0 i32.add drop end unreachable"),
    ("Return", "(return (i32.const 3))"),
    ("ReturnCall", "(return_call $callee)"),
    ("ReturnCallIndirect", "(return_call_indirect (type $callee) (i32.const 0))"),
    ("ReturnCallRef", "(return_call_ref $callee (ref.func $callee))"),
    ("Throw", "(throw $tag)"),
    ("ThrowRef", "(throw_ref (block $r (result exnref) (try_table (catch_all_ref $r) (throw $tag)) (ref.null exn)))"),
    ("Unreachable", "(unreachable)"),
];

/// Places for such an operator at the end of an arm. `TRANSFER` stands for the operator and the skipped code after it.
const PLACES: &[&str] = &[
    "TRANSFER",
    "(block (result i32) TRANSFER)",
    "(loop (result i32) TRANSFER)",
    "(if (result i32) (local.get 0) (then TRANSFER) (else (i32.const 10)))",
    "(if (result i32) (local.get 0) (then (i32.const 11)) (else TRANSFER))",
    "(if (local.get 0) (then TRANSFER)) (i32.const 12)",
    "(block $caught (br $out (try_table (result i32) (catch_all $caught) TRANSFER))) (i32.const 13)",
    "try (result i32) TRANSFER catch_all i32.const 14 end",
    "try (result i32) throw $tag catch_all TRANSFER end",
    "try (result i32) local.get 0 if throw $tag end try (result i32) TRANSFER delegate 0 catch $tag i32.const 15 end",
];

/// Skipped code: operators whose operands are missing, and complete blocks of all kinds.
const SKIPPED: &str = "
    i32.add drop
    block (result i32) i32.const 1 block end end drop
    loop (result i32) unreachable i32.mul br 0 end drop
    if (result i32) unreachable i32.add else block loop end end unreachable i32.sub end drop
    if i32.const 1 if else end end
    block $none try_table (catch_all $none) throw $tag end end
    try unreachable i32.add drop catch $tag rethrow 0 catch_all try delegate 0 end
    try try br 0 delegate 0 catch_all unreachable i32.mul drop end
    br_if $out drop
    call $callee drop
    br_table $out $out
    return";

fn text(transfer: &str, place: &str, skipped: &str) -> String {
    let code = place.replace("TRANSFER", &format!("{transfer} {skipped}"));
    format!(
        "(module
            (type $callee (func (result i32)))
            (table funcref (elem $callee))
            (tag $tag)
            (func $callee (result i32) (i32.const 20))
            (func $body (param i32) (result i32) PAD0
                (i32.add (i32.const 100) (block $out (result i32) {code})))
            (func $run (export \"run\") (param i32) (result i32) (call $body (local.get 0))))"
    )
}

fn all() -> impl Iterator<Item = (&'static str, &'static str)> {
    TRANSFERS.iter().flat_map(|&(_, transfer)| PLACES.iter().map(move |&place| (transfer, place)))
}

#[test]
fn every_such_operator_is_here() {
    let transfers = OPERATORS.iter().filter(|row| row.class.never_falls_through() && row.support.is_executed());
    let mut names: Vec<&str> = transfers.map(|row: &Row| row.name).collect();
    names.sort_unstable();
    assert_eq!(names, TRANSFERS.iter().map(|&(name, _)| name).collect::<Vec<_>>());
}

#[test]
fn skipped_code_changes_no_result() {
    let calls: [(&str, &[Val]); 2] = [("run", &[Val::I32(0)]), ("run", &[Val::I32(1)])];
    for (transfer, place) in all() {
        for bodies in mixes(1) {
            let ends = |skipped| {
                let mut ends = same_ends(&[("main", &padded(&text(transfer, place, skipped), &bodies))], &calls);
                // Skipped code changes the offsets of the operators after it.
                for end in &mut ends {
                    if let End::Trap { frames, .. } | End::Throw { frames, .. } = end {
                        frames.iter_mut().for_each(|(_, _, offset)| *offset = None);
                    }
                }
                ends
            };
            assert_eq!(ends(SKIPPED), ends(""), "{transfer} in {place}");
        }
    }
}

#[test]
fn skipped_code_costs_nothing() {
    const GIVEN: u64 = 1_000_000;
    for mut configuration in configurations() {
        configuration.config.consume_fuel(true);
        for (transfer, place) in all() {
            let used = |skipped, argument| {
                let mut program = Program::new(&configuration, &text(transfer, place, skipped).replace("PAD0", ""));
                program.store.set_fuel(GIVEN).unwrap();
                program.call("run", &[Val::I32(argument)]);
                GIVEN - program.store.fuel().unwrap()
            };
            for argument in [0, 1] {
                assert_eq!(
                    used(SKIPPED, argument),
                    used("", argument),
                    "[{}] {transfer} in {place}",
                    configuration.name
                );
            }
        }
    }
}
