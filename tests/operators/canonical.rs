//! Canonical NaNs: with `nan_canonicalization`, every operator returns the result of its function in `wasmr_core::ops`, with the
//! NaNs that the operator made replaced by the canonical one. All bits are compared, on every processor.

use wasmr::{Engine, Val};
use wasmr_core::op::{Floats, Op};
use wasmr_core::ops;

use crate::cases::{Case, cases};
use crate::configurations::{MAX_COMPILED_SIZE, configurations};
use crate::{check, is_expression};

/// Returns a value with canonical NaNs.
fn canonical(value: Val, floats: Floats) -> Val {
    match (value, floats) {
        (Val::F32(bits), Floats::F32) => Val::F32(ops::canonical_f32(f32::from_bits(bits)).to_bits()),
        (Val::F64(bits), Floats::F64) => Val::F64(ops::canonical_f64(f64::from_bits(bits)).to_bits()),
        (Val::V128(vector), Floats::F32x4) => Val::V128(ops::canonical_f32x4(vector)),
        (Val::V128(vector), Floats::F64x2) => Val::V128(ops::canonical_f64x2(vector)),
        (value, floats) => panic!("{value:?} is not {floats:?}"),
    }
}

/// Returns the operators with a NaN result, each with its case.
fn nan_cases() -> Vec<(Case, Floats)> {
    let floats = |case: &Case| Op::ALL.iter().find(|op| op.info().name == case.text)?.nan_result();
    let cases = cases().into_iter().filter(|case| !is_expression(case));
    cases.filter_map(|case| floats(&case).map(|floats| (case, floats))).collect()
}

/// Returns an engine with canonical NaNs for each configuration.
fn engines() -> impl Iterator<Item = Engine> {
    let configurations = configurations(MAX_COMPILED_SIZE).into_iter();
    configurations.map(|mut configuration| Engine::new(configuration.config.nan_canonicalization(true)))
}

#[test]
fn operators_return_canonical_nans() {
    let cases = nan_cases();
    assert_eq!(cases.len(), 56);
    for engine in engines() {
        for (case, floats) in &cases {
            let expected = |arguments: &[Val]| (case.meaning)(arguments).map(|value| canonical(value, *floats));
            check(&engine, case, &expected, &|expected, actual| expected == actual);
        }
    }
}

#[test]
fn bits_of_moved_nans_stay() {
    // Operators that the specification defines on bits, and conversions between the two.
    let moves = [
        "f32.abs",
        "f32.neg",
        "f32.copysign",
        "f64.neg",
        "f32x4.pmin",
        "f64x2.pmax",
        "f32x4.neg",
        "f64.reinterpret_i64",
    ];
    let cases: Vec<Case> = cases().into_iter().filter(|case| moves.contains(&case.text.as_str())).collect();
    assert_eq!(cases.len(), moves.len());
    for engine in engines() {
        for case in &cases {
            check(&engine, case, &case.meaning, &|expected, actual| expected == actual);
        }
    }
}
