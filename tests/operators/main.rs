//! Compares every numeric operator with its function in `wasmr_core::ops`, in every mode.
//!
//! The interpreter calls these functions and only has to select the right one. A compiler implements operators itself, and
//! differently if it knows an operand. The tests therefore use operands that are all parameters, one constant at a time, and
//! constants only. [`nans`] uses operands from all other sources, [`places`] vectors from all places that the interpreter
//! distinguishes.

mod atomics;
mod canonical;
mod cases;
#[path = "../configurations/mod.rs"]
mod configurations;
mod nans;
mod places;

use cases::{Case, cases, constant};
use wasmr::{Config, Engine, Instance, Mode, Module, Store, TrapCode, Val, ValType};

/// Largest number of calls of one function.
const MAX_CALLS: usize = 1500;

fn name(ty: ValType) -> &'static str {
    match ty {
        ValType::I32 => "i32",
        ValType::I64 => "i64",
        ValType::F32 => "f32",
        ValType::F64 => "f64",
        ValType::V128 => "v128",
        ValType::Ref(_) => unreachable!("no operator has references"),
    }
}

/// Returns a module with a function for each choice of constant operands, exported by its number.
fn module(case: &Case) -> String {
    let function = |(number, constants): (usize, Vec<Option<Val>>)| {
        let mut params = String::new();
        let mut operands = Vec::new();
        for (place, (&ty, value)) in case.operands.iter().zip(constants).enumerate() {
            operands.push(value.map_or_else(|| format!("(local.get $p{place})"), constant));
            if value.is_none() {
                params += &format!(" (param $p{place} {})", name(ty));
            }
        }
        let (result, body) = (name(case.result), case.with_operands(&operands));
        format!("(func (export \"{number}\"){params} (result {result}) {body})\n")
    };
    format!("(module {})", case.constants().into_iter().enumerate().map(function).collect::<String>())
}

/// Calls all functions of a case with all operands, and compares results with those that `meaning` returns. Returns the number
/// of calls.
fn check(
    engine: &Engine,
    case: &Case,
    meaning: &dyn Fn(&[Val]) -> Result<Val, TrapCode>,
    is_same: &dyn Fn(Val, Val) -> bool,
) -> usize {
    let text = module(case);
    let module = Module::new(engine, &text).unwrap_or_else(|error| panic!("{error}: {text}"));
    let mut store = Store::new(engine, ());
    let instance = Instance::new(&mut store, &module, &[]).unwrap();
    let mut calls = 0;
    for (number, constants) in case.constants().iter().enumerate() {
        let function = instance.get_func(&store, &number.to_string()).unwrap();
        for arguments in case.arguments(constants, MAX_CALLS) {
            let given = arguments.iter().zip(constants).filter(|(_, constant)| constant.is_none());
            let given: Vec<Val> = given.map(|(&argument, _)| argument).collect();
            let mut results = [Val::I32(0)];
            let ended = function.call(&mut store, &given, &mut results);
            let actual: Result<Val, TrapCode> = match ended {
                Ok(()) => Ok(results[0]),
                Err(stop) => Err(stop.trap_code().unwrap_or_else(|| panic!("{stop}"))),
            };
            let expected = meaning(&arguments);
            let is_right = match (expected, actual) {
                (Ok(expected), Ok(actual)) => is_same(expected, actual),
                (expected, actual) => expected == actual,
            };
            let (what, mode) = (&case.text, engine.mode());
            assert!(
                is_right,
                "[{mode}] {what} of {arguments:x?}, constants {constants:?}: expected {expected:x?}, found {actual:x?}"
            );
            calls += 1;
        }
    }
    calls
}

/// Checks the cases that `wanted` selects. Their number must be `count`.
fn check_all(count: usize, wanted: impl Fn(&Case) -> bool) {
    let cases: Vec<Case> = cases().into_iter().filter(|case| wanted(case)).collect();
    assert_eq!(cases.len(), count);
    for &mode in Mode::ALL {
        let engine = Engine::new(Config::new().mode(mode));
        let check =
            |case: &Case| check(&engine, case, &case.meaning, &|expected, actual| case.allows(expected, actual));
        let calls: usize = cases.iter().map(check).sum();
        assert!(calls > 100 * count, "{calls} calls");
    }
}

fn uses_vectors(case: &Case) -> bool {
    case.result == ValType::V128 || case.operands.contains(&ValType::V128)
}

fn is_expression(case: &Case) -> bool {
    case.text.starts_with('(')
}

#[test]
fn scalar_operators() {
    check_all(136, |case| !uses_vectors(case) && !is_expression(case));
}

#[test]
fn vector_operators() {
    check_all(322, |case| uses_vectors(case) && !is_expression(case));
}

#[test]
fn expressions() {
    check_all(44, is_expression);
}
