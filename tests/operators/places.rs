//! Vector operators with their operands and results in all places that the interpreter distinguishes.
//!
//! An operand is a local, the result of the operator before it (an accumulator), a local that has just been set (which the
//! accumulator mirrors), or a constant. A result is returned, used by one operator, or set into a local and used from there.
//! Baseline code has its own form of each.

use wasmr::{Engine, Instance, Module, Store, Val, ValType};
use wasmr_core::op::{Op, Shape};

use crate::cases::{Case, cases, constant};
use crate::configurations::{MAX_COMPILED_SIZE, configurations};
use crate::{is_expression, name, uses_vectors};

/// Engines of the interpreter, threaded and with baseline code.
fn engines() -> impl Iterator<Item = (String, Engine)> {
    let configurations = configurations(MAX_COMPILED_SIZE).into_iter();
    configurations
        .filter(|configuration| configuration.name.starts_with("interp"))
        .map(|configuration| (configuration.name.clone(), configuration.engine()))
}

/// Returns an expression with the value of `expression`, whose result is in an accumulator.
fn made(ty: ValType, expression: &str) -> String {
    match ty {
        ValType::I32 => format!("(i32.or {expression} (local.get $zero))"),
        ValType::I64 => format!("(i64.or {expression} (i64.extend_i32_u (local.get $zero)))"),
        ValType::F32 => format!("(f32.reinterpret_i32 (i32.reinterpret_f32 {expression}))"),
        ValType::F64 => format!("(f64.reinterpret_i64 (i64.reinterpret_f64 {expression}))"),
        ValType::V128 => format!("(v128.or {expression} (local.get $zeros))"),
        ValType::Ref(_) => unreachable!("no operator has references"),
    }
}

/// Place of an operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Local,
    Made,
    /// A local that is set right before the operator.
    Set,
    Constant,
}

const PLACES: [Place; 4] = [Place::Local, Place::Made, Place::Set, Place::Constant];

/// Returns all choices of places for `count` operands.
fn choices(count: usize) -> Vec<Vec<Place>> {
    let mut choices = vec![Vec::new()];
    for _ in 0..count {
        let longer =
            choices.iter().flat_map(|choice: &Vec<Place>| PLACES.map(|place| [&choice[..], &[place]].concat()));
        choices = longer.collect();
    }
    choices
}

/// Returns the functions of a module, exported by number: each choice of places with each use of the result.
fn functions(case: &Case, arguments: &[Val]) -> String {
    let params: String = case.operands.iter().map(|&ty| format!(" (param {})", name(ty))).collect();
    let result = name(case.result);
    let mut text = String::new();
    for (number, places) in choices(case.operands.len()).into_iter().enumerate() {
        let mut before = String::new();
        let mut operands = Vec::new();
        for (index, (&place, &ty)) in places.iter().zip(&case.operands).enumerate() {
            let local = format!("(local.get {index})");
            operands.push(match place {
                Place::Local => local,
                Place::Made => made(ty, &local),
                Place::Set => {
                    before += &format!("(local.set {index} {})", made(ty, &local));
                    local
                }
                Place::Constant => constant(arguments[index]),
            });
        }
        let value = case.with_operands(&operands);
        let uses = [
            value.clone(),
            made(case.result, &value),
            format!("(local.set $result {value}) {}", made(case.result, "(local.get $result)")),
        ];
        for (how, body) in uses.iter().enumerate() {
            text += &format!(
                "(func (export \"{number} {how}\"){params} (result {result})
                 (local $result {result}) (local $zero i32) (local $zeros v128) {before} {body})\n"
            );
        }
    }
    text
}

#[test]
fn operands_and_results_in_all_places() {
    let cases: Vec<Case> = cases().into_iter().filter(|case| uses_vectors(case) && !is_expression(case)).collect();
    assert_eq!(cases.len(), 322);
    let mut calls = 0;
    for (configuration, engine) in engines() {
        for case in &cases {
            let constants = vec![None; case.operands.len()];
            // The first arguments have equal operands; later ones do not.
            for arguments in case.arguments(&constants, 40).into_iter().step_by(13) {
                let text = format!("(module {})", functions(case, &arguments));
                let module = Module::new(&engine, &text).unwrap_or_else(|error| panic!("{error}: {text}"));
                let mut store = Store::new(&engine, ());
                let instance = Instance::new(&mut store, &module, &[]).expect("the module links");
                let expected = (case.meaning)(&arguments).expect("vector operators do not trap");
                for (number, places) in choices(case.operands.len()).into_iter().enumerate() {
                    for how in 0..3 {
                        let export = format!("{number} {how}");
                        let function = instance.get_func(&store, &export).expect("the export exists");
                        let mut results = [Val::I32(0)];
                        function.call(&mut store, &arguments, &mut results).expect("vector operators do not trap");
                        assert!(
                            case.allows(expected, results[0]),
                            "[{configuration}] {} of {arguments:x?} in {places:?}, use {how}: expected {expected:x?}, \
                             found {:x?}",
                            case.text,
                            results[0]
                        );
                        calls += 1;
                    }
                }
            }
        }
    }
    assert!(calls > 50_000, "only {calls} calls");
}

/// Returns the functions of an access: in memory 0 with operands in all places, and as `expected` in memory 1, whose accesses are
/// checked and have all operands in slots. Each returns the loaded vector, or the first 64 bytes that a store left, combined.
fn access_functions(op: Op) -> (String, usize) {
    let info = op.info();
    let lane = if info.lanes > 0 { format!("{}", info.lanes - 1) } else { String::new() };
    let vector = "(v128.const i64x2 0x1122334455667788 0x99aabbccddeeff00)";
    let is_load = info.result.is_some();
    let vectors = ["(local.get 1)", &made(ValType::V128, "(local.get 1)"), vector].map(str::to_owned);
    // Each is 24, with the offset 3.
    let addresses = [
        "(local.get 0)".to_owned(),
        made(ValType::I32, "(local.get 0)"),
        "(i32.const 24)".to_owned(),
        "(i32.add (local.get $sixteen) (local.get $eight))".to_owned(),
        format!("(i32.add {} (local.get $eight))", made(ValType::I32, "(local.get $sixteen)")),
        "(i32.add (local.get $sixteen) (i32.const 8))".to_owned(),
        format!("(i32.add {} (i32.const 8))", made(ValType::I32, "(local.get $sixteen)")),
    ];
    let sum = |memory: usize| {
        (0..4)
            .map(|part| format!("(v128.load {memory} (i32.const {}))", 16 * part))
            .reduce(|all, part| format!("(i8x16.add (i8x16.shl {all} (i32.const 1)) {part})"))
            .expect("there are four parts")
    };
    let mut text = String::new();
    let mut count = 0;
    let mut add = |name: String, body: String| {
        text += &format!(
            "(func (export \"{name}\") (param i32 v128) (result v128) (local $zero i32) (local $zeros v128)
             (local $sixteen i32) (local $eight i32) (local $result v128)
             (local.set $sixteen (i32.const 16)) (local.set $eight (i32.const 8)) {body})\n"
        );
    };
    let access = |memory: usize, address: &str, vector: &str| match (is_load, info.operands.is_empty()) {
        (true, true) => format!("({} {memory} offset=3 {address})", info.name),
        _ => format!("({} {memory} offset=3 {lane} {address} {vector})", info.name),
    };
    for address in &addresses {
        for vector in &vectors {
            let access = access(0, address, vector);
            if is_load {
                add(format!("{count}"), access.clone());
                add(format!("{}", count + 1), made(ValType::V128, &access));
                let used = made(ValType::V128, "(local.get $result)");
                add(format!("{}", count + 2), format!("(local.set $result {access}) {used}"));
                count += 3;
            } else {
                add(format!("{count}"), format!("{access} {}", sum(0)));
                count += 1;
            }
        }
    }
    let expected = access(1, "(local.get 0)", "(local.get 1)");
    let body = if is_load { expected } else { format!("{expected} {}", sum(1)) };
    add("expected".to_owned(), body);
    (text, count)
}

#[test]
fn accesses_with_operands_in_all_places() {
    let shapes = [Shape::VectorLoad, Shape::VectorStore, Shape::LoadLane, Shape::StoreLane];
    let ops: Vec<Op> = Op::ALL.iter().copied().filter(|op| shapes.contains(&op.shape())).collect();
    assert_eq!(ops.len(), 22);
    let data: String = (0..64).map(|byte| format!("\\{:02x}", byte * 37 % 256)).collect();
    for (configuration, engine) in engines() {
        for &op in &ops {
            let (functions, count) = access_functions(op);
            let text = format!(
                "(module (memory 1) (memory 1) (data (memory 0) (i32.const 0) \"{data}\")
                 (data (memory 1) (i32.const 0) \"{data}\") {functions})"
            );
            let module = Module::new(&engine, &text).unwrap_or_else(|error| panic!("{error}: {text}"));
            let call = |export: &str| {
                // A store changes the memory: each call has memories of its own.
                let mut store = Store::new(&engine, ());
                let instance = Instance::new(&mut store, &module, &[]).expect("the module links");
                let function = instance.get_func(&store, export).expect("the export exists");
                let vector = wasmr_core::value::V128::from_lanes([0x1122_3344_5566_7788_u64, 0x99aa_bbcc_ddee_ff00]);
                let mut results = [Val::I32(0)];
                function.call(&mut store, &[Val::I32(24), Val::V128(vector)], &mut results).expect("no trap");
                results[0]
            };
            let expected = call("expected");
            for number in 0..count {
                assert_eq!(call(&number.to_string()), expected, "[{configuration}] {} {number}", op.info().name);
            }
        }
    }
}
