//! Random programs with loops inside expressions. Their results are the interpreter's whatever lies on the operand stack below
//! a loop, an `if` or a block, wherever machine code takes over, and whichever functions are compiled.
//!
//! Every computed value affects the result or the memory, and the tests compare both. No operator traps, and every loop ends.

use std::fmt::Write;

use wasmr::Val;

use crate::configurations::Body;
use crate::support::{Program, configurations, shown};

const SEED: u64 = 0x0dd_b1a5_0000_0000;
const PROGRAMS: u64 = 150;

/// Types of values.
const TYPES: [&str; 4] = ["i32", "i64", "f64", "v128"];
/// Number of locals of each type in every function.
const LOCALS: usize = 3;
/// Largest depth of nested loops. Each depth has a counter of its own.
const LOOPS: usize = 4;

struct Generator {
    state: u64,
    /// Labels that are in scope, each with the type of the value that a branch to it carries.
    labels: Vec<(String, Option<usize>)>,
    next_label: usize,
    loops: usize,
    /// Number of operators that may still be generated.
    budget: i32,
    /// Number of functions that may be called, all with lower indices.
    callable: usize,
}

impl Generator {
    fn below(&mut self, bound: usize) -> usize {
        self.state ^= self.state >> 12;
        self.state ^= self.state << 25;
        self.state ^= self.state >> 27;
        ((self.state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % bound as u64) as usize
    }

    fn label(&mut self) -> String {
        self.next_label += 1;
        format!("$l{}", self.next_label)
    }

    fn local(&mut self, ty: usize) -> String {
        format!("${}{}", TYPES[ty], self.below(LOCALS))
    }

    fn leaf(&mut self, ty: usize) -> String {
        if self.below(3) > 0 {
            return format!("(local.get {})", self.local(ty));
        }
        let value = self.below(100);
        match TYPES[ty] {
            "v128" => format!("(v128.const i32x4 {value} 2 3 {value})"),
            name => format!("({name}.const {value})"),
        }
    }

    /// Returns code that leaves a value of a type. Operands may be blocks, so that the operands before them lie below these
    /// blocks.
    fn value(&mut self, ty: usize) -> String {
        self.budget -= 1;
        if self.budget < 0 {
            return self.leaf(ty);
        }
        match self.below(18) {
            0 => self.leaf(ty),
            1 | 14..=16 => self.loop_value(ty),
            2..=5 => {
                let (a, b) = (self.value(ty), self.value(ty));
                let operators: &[&str] = match TYPES[ty] {
                    "i32" => &["i32.add", "i32.sub", "i32.xor", "i32.mul", "i32.lt_u", "i32.shl"],
                    "i64" => &["i64.add", "i64.sub", "i64.or", "i64.mul", "i64.rotl"],
                    "f64" => &["f64.add", "f64.sub", "f64.mul", "f64.copysign"],
                    _ => &["i32x4.add", "v128.xor", "i64x2.sub", "i8x16.swizzle"],
                };
                let text = format!("({} {a} {b})", operators[self.below(operators.len())]);
                // Converts NaN to 0, because the sign of a NaN is not determined.
                if TYPES[ty] == "f64" { format!("(f64.convert_i32_s (i32.trunc_sat_f64_s {text}))") } else { text }
            }
            6 => self.converted(ty),
            7 | 17 => {
                let (condition, then, other) = (self.value(0), self.value(ty), self.value(ty));
                format!("(if (result {}) {condition} (then {then}) (else {other}))", TYPES[ty])
            }
            8 => {
                let (a, b, condition) = (self.value(ty), self.value(ty), self.value(0));
                format!("(select (result {}) {a} {b} {condition})", TYPES[ty])
            }
            9 | 10 => self.block(ty),
            11 => self.loop_value(ty),
            12 => self.call(ty),
            _ => {
                let local = self.local(ty);
                format!("(local.tee {local} {})", self.value(ty))
            }
        }
    }

    /// Returns code that converts a value of a random type.
    fn converted(&mut self, ty: usize) -> String {
        let from = self.below(4);
        let value = self.value(from);
        let operator = match (TYPES[from], TYPES[ty]) {
            ("i64", "i32") => "i32.wrap_i64",
            ("f64", "i32") => "i32.trunc_sat_f64_s",
            ("v128", "i32") => "i32x4.extract_lane 2",
            ("i32", "i64") => "i64.extend_i32_s",
            ("f64", "i64") => "i64.trunc_sat_f64_u",
            ("v128", "i64") => "i64x2.extract_lane 1",
            ("i32", "f64") => "f64.convert_i32_s",
            ("i64", "f64") => "f64.convert_i64_u",
            ("v128", "f64") => "f64.convert_i32_s (i32x4.extract_lane 0",
            ("i32", "v128") => "i32x4.splat",
            ("i64", "v128") => "i64x2.splat",
            ("f64", "v128") => "i32x4.trunc_sat_f64x2_s_zero (f64x2.splat",
            _ => return value,
        };
        let close = if operator.contains('(') { "))" } else { ")" };
        format!("({operator} {value}{close}")
    }

    /// Returns a block that control may leave in the middle, by a branch or by an exception.
    fn block(&mut self, ty: usize) -> String {
        let label = self.label();
        let name = TYPES[ty];
        if ty < 2 && self.below(4) == 0 {
            // The exception is thrown in the block, in a callee, or not at all.
            let (condition, thrown, value) = (self.value(0), self.value(ty), self.value(ty));
            let statements = self.statements();
            return format!(
                "(block {label} (result {name}) (try_table (result {name}) (catch $tag_{name} {label}) {statements}
                  (if {condition} (then (throw $tag_{name} {thrown}))) {value}))"
            );
        }
        self.labels.push((label.clone(), Some(ty)));
        let statements = self.statements();
        let (carried, condition) = (self.value(ty), self.value(0));
        let more = self.statements();
        let value = self.value(ty);
        self.labels.pop();
        format!(
            "(block {label} (result {name}) {statements} (drop (br_if {label} {carried} {condition})) {more} {value})"
        )
    }

    /// Returns a loop with a result and, at random, a parameter.
    fn loop_value(&mut self, ty: usize) -> String {
        if self.loops == LOOPS {
            return self.leaf(ty);
        }
        let (label, counter, rounds) = (self.label(), self.loops, [2, 5, 7][self.below(3)]);
        self.loops += 1;
        let name = TYPES[ty];
        let set = format!("(local.set $count{counter} (i32.const {rounds}))");
        let again = format!("(local.tee $count{counter} (i32.sub (local.get $count{counter}) (i32.const 1)))");
        let text = if self.below(2) == 0 {
            let param = self.below(4);
            let (first, next) = (self.value(param), self.value(param));
            let (local, statements) = (self.local(param), self.statements());
            let result = self.value(ty);
            let param = TYPES[param];
            format!(
                "(block (result {name}) {set} {first} (loop {label} (param {param}) (result {name}) (local.set {local}) {statements}
                  {next} (br_if {label} {again}) (drop) {result}))"
            )
        } else {
            let (statements, result) = (self.statements(), self.value(ty));
            format!(
                "(block (result {name}) {set} (loop {label} (result {name}) {statements} (br_if {label} {again}) {result}))"
            )
        };
        self.loops -= 1;
        text
    }

    /// Returns a call of a function with one parameter of each type and one result.
    fn call(&mut self, ty: usize) -> String {
        let candidates: Vec<usize> = (0..self.callable).filter(|number| number % 4 == ty).collect();
        // Calls in nested loops would make the program run for too long.
        if candidates.is_empty() || self.loops > 1 {
            return self.leaf(ty);
        }
        let callee = candidates[self.below(candidates.len())];
        let args: String = (0..4).map(|ty| self.value(ty)).collect();
        match self.below(3) {
            0 => format!("(call_indirect (type $f{ty}) {args} (i32.const {callee}))"),
            _ => format!("(call $func{callee} {args})"),
        }
    }

    fn statements(&mut self) -> String {
        (0..self.below(3)).map(|_| self.statement()).collect()
    }

    fn statement(&mut self) -> String {
        let ty = self.below(4);
        match self.below(7) {
            0..=2 => {
                let local = self.local(ty);
                format!("(local.set {local} {})", self.value(ty))
            }
            3 => {
                let (address, value) = (self.value(0), self.value(ty));
                format!("({}.store (i32.and {address} (i32.const 0xff0)) {value})", TYPES[ty])
            }
            4 => {
                let (condition, then) = (self.value(0), self.statements());
                format!("(if {condition} (then {then}))")
            }
            5 => {
                // A branch table that leaves one or two blocks.
                let (inner, outer) = (self.label(), self.label());
                let (first, index, second) = (self.statements(), self.value(0), self.statements());
                let inner_block = format!("(block {inner} {first} (br_table {inner} {outer} {inner} {index}))");
                format!("(block {outer} {inner_block} {second})")
            }
            _ => {
                // A conditional branch to the innermost label, with its value.
                let Some(at) = self.labels.len().checked_sub(1) else { return String::new() };
                let (label, carried) = self.labels[at].clone();
                let condition = self.value(0);
                let value = carried.map(|ty| self.value(ty)).unwrap_or_default();
                format!("(if (i32.eq {condition} (i32.const 3)) (then (br {label} {value})))")
            }
        }
    }

    fn function(&mut self, number: usize, body: Body) -> String {
        (self.budget, self.callable) = (10 + self.below(30) as i32, number);
        let ty = number % 4;
        let mut text = format!("(func $func{number} (type $f{ty})");
        for name in TYPES {
            write!(text, " (param ${name}0 {name})").unwrap();
        }
        write!(text, " (result {})", TYPES[ty]).unwrap();
        for (ty, at) in (0..4).flat_map(|ty| (1..LOCALS).map(move |at| (ty, at))) {
            write!(text, " (local ${0}{at} {0})", TYPES[ty]).unwrap();
        }
        for counter in 0..LOOPS {
            write!(text, " (local $count{counter} i32)").unwrap();
        }
        let (statements, value) = (self.statements(), self.value(ty));
        // The whole body is in a loop of one or three rounds.
        let (counter, rounds) = (LOOPS, [1, 1, 3][self.below(3)]);
        writeln!(
            text,
            " (local $count{counter} i32)\n  {} (local.set $count{counter} (i32.const {rounds})) (loop $top {statements}
              (br_if $top (local.tee $count{counter} (i32.sub (local.get $count{counter}) (i32.const 1))))) {value})",
            body.padding()
        )
        .unwrap();
        text
    }

    fn module(&mut self) -> String {
        let mut text = String::from(
            "(module (memory (export \"memory\") 1) (tag $tag_i32 (param i32)) (tag $tag_i64 (param i64))\n",
        );
        for (ty, name) in TYPES.iter().enumerate() {
            writeln!(text, "(type $f{ty} (func (param i32 i64 f64 v128) (result {name})))").unwrap();
        }
        let count = 6 + self.below(6);
        let names: Vec<String> = (0..count).map(|number| format!("$func{number}")).collect();
        writeln!(text, "(table funcref (elem {}))", names.join(" ")).unwrap();
        for number in 0..count {
            let body = [Body::Small, Body::Small, Body::Compiled, Body::Interpreted][self.below(4)];
            text += &self.function(number, body);
        }
        let args = "(local.get 0) (local.get 1) (f64.const 1.5) (i64x2.splat (local.get 1))";
        writeln!(text, "(func (export \"run\") (param i32 i64) (result i32 i64 i64 i64) (local i32) (local $v v128)")
            .unwrap();
        for number in 0..count {
            let add = match TYPES[number % 4] {
                "i32" => "(local.set 2 (i32.add (i32.mul (local.get 2) (i32.const 31))))",
                "i64" => "(local.set 1 (i64.add (local.get 1)))",
                "f64" => "(local.set 1 (i64.add (i64.trunc_sat_f64_s) (local.get 1)))",
                _ => "(local.set $v (v128.xor (local.get $v)))",
            };
            writeln!(text, "  (call $func{number} {args}) {add}").unwrap();
        }
        text + "  (local.get 2) (local.get 1) (i64x2.extract_lane 0 (local.get $v)) (i64x2.extract_lane 1 (local.get $v))))"
    }
}

#[test]
fn random_programs_give_the_same_in_all_configurations() {
    let params = [[Val::I32(3), Val::I64(-5)], [Val::I32(-1), Val::I64(1 << 40)], [Val::I32(3), Val::I64(-5)]];
    let configurations = configurations();
    for number in 0..PROGRAMS {
        let seed = SEED + number;
        let mut generator =
            Generator { state: seed, labels: Vec::new(), next_label: 0, loops: 0, budget: 0, callable: 0 };
        let text = generator.module();
        let mut expected = None;
        for configuration in &configurations {
            let mut program = Program::new(configuration, &text);
            let ends: Vec<_> = params.iter().map(|params| program.call("run", params)).collect();
            let memory =
                program.instance.get_memory(&program.store, "memory").unwrap().data(&program.store)[..0x1010].to_vec();
            let all = (ends, memory);
            let expected = expected.get_or_insert_with(|| all.clone());
            let context = || format!("seed {seed:#x}, {}: {}", configuration.name, shown(&[("main", &text)]));
            assert_eq!(all.0, expected.0, "{}", context());
            assert!(all.1 == expected.1, "memory differs, {}", context());
        }
        let (ends, _) = expected.unwrap();
        for end in &ends {
            assert!(!end.results().is_empty(), "{seed:#x}");
        }
    }
}
