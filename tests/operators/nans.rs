//! The NaN that an operator returns: every operator on floats, on pairs of NaNs with different bits, from all sources of
//! operands.
//!
//! A compiler may compute `b + a` for `a + b` if that saves an instruction, for example because an operand is in memory. The
//! tests therefore try each operator with operands from all combinations of [`SOURCES`], with the same operand twice, and in a
//! loop.

use wasmr::{Instance, Module, Store, Val, ValType};
use wasmr_core::ops;
use wasmr_core::value::V128;

use crate::cases::{Case, NANS_ARE_SETTLED, cases};
use crate::configurations::{Body, Configuration, MAX_COMPILED_SIZE, configurations};
use crate::name;

/// NaNs, quiet and signalling, of either sign and with different payloads. The last value is a number.
const F32S: [u32; 7] =
    [0x7fc0_0001, 0xffc0_0002, 0x7f80_0004, 0xff80_0008, 0x7fc0_0000, 0xffff_ffff, 1.5_f32.to_bits()];
const F64S: [u64; 7] = [
    0x7ff8_0000_0000_0001,
    0xfff8_0000_0000_0002,
    0x7ff0_0000_0000_0004,
    0xfff0_0000_0000_0008,
    0x7ff8_0000_0000_0000,
    0xffff_ffff_ffff_ffff,
    1.5_f64.to_bits(),
];

/// Source of an operand.
struct Source {
    /// Returns the operand as text, from its place, its type, and the prefix of operators on its lanes.
    text: fn(usize, &str, &str) -> String,
    /// Returns the operand's value, from the argument and the prefix of operators on its lanes.
    value: fn(Val, &str) -> Val,
}

const SOURCES: [Source; 6] = [
    Source { text: |place, _, _| format!("(local.get {place})"), value: |value, _| value },
    Source { text: |place, ty, _| format!("({ty}.load (i32.const {}))", 16 * place), value: |value, _| value },
    Source { text: |place, _, _| format!("(global.get {place})"), value: |value, _| value },
    Source { text: |place, ty, _| format!("(call $same_{ty}_{place} (local.get {place}))"), value: |value, _| value },
    Source {
        text: |place, ty, lanes| format!("({lanes}.neg ({ty}.load (i32.const {})))", 16 * place),
        value: |value, lanes| match value {
            Val::F32(bits) => Val::F32(bits ^ 1 << 31),
            Val::F64(bits) => Val::F64(bits ^ 1 << 63),
            Val::V128(vector) if lanes == "f32x4" => Val::V128(ops::f32x4_neg(vector)),
            Val::V128(vector) => Val::V128(ops::f64x2_neg(vector)),
            other => other,
        },
    },
    Source {
        text: |place, ty, lanes| format!("({lanes}.sqrt ({ty}.load (i32.const {})))", 16 * place),
        value: |value, lanes| match value {
            Val::F32(bits) => Val::F32(ops::f32_sqrt(f32::from_bits(bits)).to_bits()),
            Val::F64(bits) => Val::F64(ops::f64_sqrt(f64::from_bits(bits)).to_bits()),
            Val::V128(vector) if lanes == "f32x4" => Val::V128(ops::f32x4_sqrt(vector)),
            Val::V128(vector) => Val::V128(ops::f64x2_sqrt(vector)),
            other => other,
        },
    },
];

/// Returns the prefix of operators on the lanes of an operand of this type, such as `f32x4`.
fn lanes(ty: ValType, operator: &str) -> &str {
    match ty {
        ValType::V128 => operator.split('.').next().expect("never empty"),
        ty => name(ty),
    }
}

/// Returns arguments for the operands: in any two adjacent places, they have every pair of values.
fn arguments(case: &Case) -> Vec<Vec<Val>> {
    let count = case.operands.len();
    let scalar = |ty, index: usize| match ty {
        ValType::F32 => Val::F32(F32S[index % 7]),
        _ => Val::F64(F64S[index % 7]),
    };
    let vector = |first: usize, place: usize| {
        let lane =
            |lane: usize| if place.is_multiple_of(2) { (first + lane) % 7 } else { (first + lane) / 7 + place / 2 };
        if lanes(ValType::V128, &case.text) == "f32x4" {
            V128::from_lanes::<[u32; 4]>(std::array::from_fn(|index| F32S[lane(index) % 7]))
        } else {
            V128::from_lanes::<[u64; 2]>(std::array::from_fn(|index| F64S[lane(index) % 7]))
        }
    };
    (0..49)
        .map(|pair| {
            let value = |place: usize| match case.operands[place] {
                ValType::V128 => Val::V128(vector(pair, place)),
                ty => scalar(ty, if place.is_multiple_of(2) { pair % 7 } else { pair / 7 }),
            };
            (0..count).map(value).collect()
        })
        .collect()
}

/// A function of the module: the source and the argument of each operand, and whether the operator is in a loop.
struct Shape {
    sources: Vec<usize>,
    places: Vec<usize>,
    in_loop: bool,
}

fn shapes(case: &Case) -> Vec<Shape> {
    let count = case.operands.len() as u32;
    let combinations = SOURCES.len().pow(count);
    let digits = |mut number: usize| {
        let mut digit = || {
            let digit = number % SOURCES.len();
            number /= SOURCES.len();
            digit
        };
        (0..count).map(|_| digit()).collect::<Vec<_>>()
    };
    let mut shapes = Vec::new();
    // Three operands have every pair of sources in adjacent places, but not every combination.
    for number in (0..combinations).step_by(if count > 2 { 5 } else { 1 }) {
        for in_loop in [false, true] {
            shapes.push(Shape { sources: digits(number), places: (0..count as usize).collect(), in_loop });
        }
        let is_same = case.operands.iter().all(|&ty| ty == case.operands[0]);
        if count > 1 && is_same {
            shapes.push(Shape { sources: digits(number), places: vec![0; count as usize], in_loop: false });
        }
    }
    shapes
}

fn module(case: &Case, shapes: &[Shape]) -> String {
    let types: Vec<&str> = case.operands.iter().map(|&ty| name(ty)).collect();
    let params: String = types.iter().map(|ty| format!(" (param {ty})")).collect();
    let mut text = "(module (memory 1)".to_owned();
    for ty in ["f32", "f64", "v128"] {
        for (place, body) in Body::ALL.iter().enumerate() {
            let padding = body.padding();
            text += &format!("(func $same_{ty}_{place} (param {ty}) (result {ty}) {padding} (local.get 0))");
        }
    }
    for ty in &types {
        let zero = if *ty == "v128" { "i64x2 0 0" } else { "0" };
        text += &format!("(global (mut {ty}) ({ty}.const {zero}))");
    }
    text += &format!("(func (export \"set\"){params}");
    for (place, ty) in types.iter().enumerate() {
        text += &format!("({ty}.store (i32.const {}) (local.get {place}))", 16 * place);
        text += &format!("(global.set {place} (local.get {place}))");
    }
    text += ")\n";
    for (number, shape) in shapes.iter().enumerate() {
        let result = name(case.result);
        let operands = shape.sources.iter().zip(&shape.places).map(|(&source, &place)| {
            (SOURCES[source].text)(place, types[place], lanes(case.operands[place], &case.text))
        });
        let operands: Vec<String> = operands.collect();
        text +=
            &format!("(func (export \"{number}\"){params} (result {result}) (local $count i32) (local $r {result})");
        if shape.in_loop {
            let count = types.len();
            let copies: Vec<String> = (0..count).map(|place| format!("(local.get $copy{place})")).collect();
            for (place, ty) in types.iter().enumerate() {
                text += &format!("(local $copy{place} {ty})");
            }
            for (place, operand) in operands.iter().enumerate() {
                text += &format!("(local.set $copy{place} {operand})");
            }
            text += &format!("(loop $again (local.set $r {}) ", case.with_operands(&copies));
            text += "(br_if $again (i32.lt_u (local.tee $count (i32.add (local.get $count) (i32.const 1))) (i32.const 3))))";
            text += "(local.get $r))\n";
        } else {
            text += &format!("{})\n", case.with_operands(&operands));
        }
    }
    text + ")"
}

/// Calls all functions of a case with all arguments. Returns the number of calls.
fn check(configuration: &Configuration, case: &Case) -> usize {
    let engine = configuration.engine();
    let shapes = shapes(case);
    let text = module(case, &shapes);
    let module = Module::new(&engine, &text).unwrap_or_else(|error| panic!("{error}: {text}"));
    let mut store = Store::new(&engine, ());
    let instance = Instance::new(&mut store, &module, &[]).unwrap();
    let set = instance.get_func(&store, "set").unwrap();
    let functions: Vec<_> =
        (0..shapes.len()).map(|number| instance.get_func(&store, &number.to_string()).unwrap()).collect();
    let mut calls = 0;
    // In some configurations, functions are compiled only after a few calls.
    let rounds = if configuration.compiles_at_once { 1 } else { 3 };
    for arguments in arguments(case).into_iter().cycle().take(rounds * 49) {
        set.call(&mut store, &arguments, &mut []).unwrap();
        for (shape, function) in shapes.iter().zip(&functions) {
            let mut results = [Val::I32(0)];
            function.call(&mut store, &arguments, &mut results).unwrap();
            let [actual] = results;
            let operands = shape.sources.iter().zip(&shape.places).map(|(&source, &place)| {
                (SOURCES[source].value)(arguments[place], lanes(case.operands[place], &case.text))
            });
            let operands: Vec<Val> = operands.collect();
            let expected = (case.meaning)(&operands).unwrap();
            let (what, configuration, Shape { sources, places, in_loop }) = (&case.text, &configuration.name, shape);
            assert!(
                case.allows(expected, actual),
                "[{configuration}] {what} of {operands:x?}, sources {sources:?} of {places:?}, in a loop: {in_loop}: \
                 expected {expected:x?}, found {actual:x?}"
            );
            calls += 1;
        }
    }
    calls
}

/// Checks the operators whose text begins with `shape` and whose operands are all floats. Their number must be `count`.
fn check_all(count: usize, shape: &str) {
    let takes_floats = |case: &Case| {
        case.text.starts_with(shape)
            && !case.operands.iter().any(|ty| matches!(ty, ValType::I32 | ValType::I64 | ValType::Ref(_)))
    };
    let cases: Vec<Case> = cases().into_iter().filter(takes_floats).collect();
    assert_eq!(cases.len(), count);
    for configuration in configurations(MAX_COMPILED_SIZE) {
        let calls: usize = cases.iter().map(|case| check(&configuration, case)).sum();
        assert!(calls > 100 * count, "{calls} calls");
    }
}

#[test]
fn f32_operators() {
    check_all(21, "f32.");
}

#[test]
fn f64_operators() {
    check_all(21, "f64.");
}

#[test]
fn f32x4_operators() {
    check_all(37, "f32x4.");
}

#[test]
fn f64x2_operators() {
    check_all(33, "f64x2.");
}

/// States the rule explicitly, because the other tests compare with functions that have the rule too.
#[test]
fn of_two_nans_the_first_is_the_result_and_quiet() {
    if !NANS_ARE_SETTLED {
        // On other processors, the processor and LLVM choose the NaN.
        return;
    }
    let is_nan = |bits: u32| f32::from_bits(bits).is_nan();
    let operators = [ops::f32_add, ops::f32_sub, ops::f32_mul, ops::f32_div, ops::f32_min, ops::f32_max];
    for (index, operator) in operators.into_iter().enumerate() {
        for a in F32S {
            for b in F32S.into_iter().filter(|&b| is_nan(a) || is_nan(b)) {
                let result = operator(f32::from_bits(a), f32::from_bits(b)).to_bits();
                assert_eq!(result, if is_nan(a) { a } else { b } | 0x0040_0000, "{index}: {a:x} {b:x}");
            }
        }
    }
    let is_nan = |bits: u64| f64::from_bits(bits).is_nan();
    let operators = [ops::f64_add, ops::f64_sub, ops::f64_mul, ops::f64_div, ops::f64_min, ops::f64_max];
    for (index, operator) in operators.into_iter().enumerate() {
        for a in F64S {
            for b in F64S.into_iter().filter(|&b| is_nan(a) || is_nan(b)) {
                let result = operator(f64::from_bits(a), f64::from_bits(b)).to_bits();
                assert_eq!(result, if is_nan(a) { a } else { b } | 1 << 51, "{index}: {a:x} {b:x}");
            }
        }
    }
}
