//! Fuel: the cost of execution is exact and the same each time, and the limit holds.

use std::collections::BTreeSet;

use wasmr::{Config, Engine, Feature, Features, Instance, Module, Stop, Store, TrapCode};
use wasmr_module::Inspection;
use wasmr_module::operator_class::{OPERATORS, OperatorClass, Row};
use wasmr_module::operators::operators;

const GIVEN: u64 = 1_000_000_000;

fn engine() -> Engine {
    Engine::new(Config::new().consume_fuel(true))
}

/// Returns the fuel that a call of the export `run` with this argument uses, and the end of the call.
fn used(engine: &Engine, wat: &str, argument: i32, given: u64) -> (u64, Result<i32, Stop>) {
    let module = Module::new(engine, wat.as_bytes()).unwrap();
    let mut store = Store::new(engine, ());
    store.set_fuel(given).unwrap();
    let instance = Instance::new(&mut store, &module, &[]).unwrap();
    let run = instance.get_typed_func::<i32, i32>(&mut store, "run").unwrap();
    let result = run.call(&mut store, argument);
    (given - store.fuel().unwrap(), result)
}

#[test]
fn each_operator_costs_one_and_marks_nothing() {
    let wat = "(module (func (export \"run\") (param i32) (result i32)
        (block (nop) (local.set 0 (i32.add (local.get 0) (i32.const 1))))
        (local.get 0)))";
    // local.get, i32.const, i32.add, local.set, local.get.
    assert_eq!(used(&engine(), wat, 1, GIVEN).0, 5);
}

#[test]
fn only_the_path_taken_costs() {
    let wat = "(module (func (export \"run\") (param i32) (result i32)
        (if (result i32) (local.get 0) (then (i32.const 1)) (else (i32.add (i32.const 1) (i32.const 2))))))";
    // local.get and if, then one operator in the first arm or three in the second.
    assert_eq!(used(&engine(), wat, 1, GIVEN).0, 3);
    assert_eq!(used(&engine(), wat, 0, GIVEN).0, 5);
}

const LOOP: &str = "(module (func (export \"run\") (param i32) (result i32)
    (loop (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
    (local.get 0)))";

#[test]
fn loops_cost_by_iteration() {
    // local.get, i32.const, i32.sub, local.tee, br_if each time, and the last local.get.
    assert_eq!(used(&engine(), LOOP, 1, GIVEN).0, 5 + 1);
    assert_eq!(used(&engine(), LOOP, 1000, GIVEN).0, 5 * 1000 + 1);
}

#[test]
fn running_out_is_a_trap_at_an_exact_place() {
    let enough = used(&engine(), LOOP, 1000, GIVEN).0;
    let (spent, result) = used(&engine(), LOOP, 1000, enough);
    assert_eq!((spent, result.unwrap()), (enough, 0));
    let (spent, result) = used(&engine(), LOOP, 1000, enough - 1);
    assert_eq!(result.unwrap_err().trap_code(), Some(TrapCode::OutOfFuel));
    assert_eq!(spent, enough - 1);
}

#[test]
fn a_new_store_has_no_fuel() {
    let (_, result) = used(&engine(), LOOP, 1, 0);
    assert_eq!(result.unwrap_err().trap_code(), Some(TrapCode::OutOfFuel));
}

#[test]
fn bulk_operators_cost_by_size() {
    let wat = "(module (memory 2) (func (export \"run\") (param i32) (result i32)
        (memory.fill (i32.const 0) (i32.const 1) (local.get 0))
        (i32.const 0)))";
    let base = used(&engine(), wat, 0, GIVEN).0;
    assert_eq!(used(&engine(), wat, 65536, GIVEN).0, base + 65536 / 64);
    // The fuel is taken before the operator checks its operands, so that an operator with a huge size is not free.
    let (spent, result) = used(&engine(), wat, -1, GIVEN);
    assert_eq!(result.unwrap_err().trap_code(), Some(TrapCode::MemoryOutOfBounds));
    assert_eq!(spent, base - 1 + 1 + u32::MAX as u64 / 64);
}

#[test]
fn bulk_operators_of_any_size_cost_the_same_in_all_configurations() {
    // The size is a parameter; the segment has 100 bytes.
    let segment = "x".repeat(100);
    for operator in [
        "memory.copy (local.get $at) (i32.const 7)",
        "memory.fill (local.get $at) (i32.const 7)",
        "memory.init $d (local.get $at) (i32.const 0)",
    ] {
        for (at, traps_from) in [(1000, u32::MAX), (65_536 - 63, 64), (65_536, 1), (65_537, 0)] {
            let wat = format!(
                "(module (memory 1) (data $d \"{segment}\") (func (export \"run\") (param $size i32) (result i32) (local $at i32)
                    (local.set $at (i32.const {at})) ({operator} (local.get $size)) (i32.load8_u (i32.const 1000))))"
            );
            for (name, engine) in engines() {
                for size in [0, 1, 2, 3, 4, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 100u32] {
                    let (spent, result) = used(&engine, &wat, size as i32, GIVEN);
                    let case = format!("{name}: {operator}, {size} bytes at {at}");
                    let traps = size >= traps_from;
                    let ended = result.map(drop).map_err(|stop| stop.trap_code());
                    assert_eq!(ended, if traps { Err(Some(TrapCode::MemoryOutOfBounds)) } else { Ok(()) }, "{case}");
                    // The cost of the block's operators is taken before the first of them, that of the size when its operator
                    // executes.
                    assert_eq!(spent, 8 + u64::from(size) / 64, "{case}");
                }
            }
        }
    }
}

#[test]
fn a_block_costs_all_of_it_though_a_call_in_it_does_not_return() {
    let wat = "(module (func $ends (unreachable))
        (func (export \"run\") (param i32) (result i32)
            (drop (local.get 0)) (call $ends) (block (drop (local.get 0))) (loop (nop) (drop (i32.const 1))) (i32.const 0)))";
    for &mode in wasmr::Mode::ALL {
        let engine = Engine::new(Config::new().consume_fuel(true).mode(mode));
        let (spent, result) = used(&engine, wat, 1, GIVEN);
        assert_eq!(result.unwrap_err().trap_code(), Some(TrapCode::Unreachable));
        // local.get, drop, call, local.get, drop; unreachable.
        assert_eq!(spent, 5 + 1, "{mode}");
    }
}

/// Checks in every configuration that `run` costs `expected` more with the argument 1 than with 0.
#[track_caller]
fn costs_more(wat: &str, expected: u64) {
    for (name, engine) in engines() {
        let cost = |argument| {
            let (spent, result) = used(&engine, wat, argument, GIVEN);
            result.unwrap_or_else(|stop| panic!("{name}: {stop}"));
            spent
        };
        assert_eq!(cost(1) - cost(0), expected, "{name}");
    }
}

#[test]
fn a_call_pays_for_the_locals_that_it_clears() {
    // A callee that costs nothing else, and callees whose first operator opens a block.
    for body in ["", "(loop (nop))", "(block (block))"] {
        let wat = format!(
            "(module
                (func $small (local {}) {body})
                (func $large (local {} v128 v128) {body})
                (func (export \"run\") (param i32) (result i32)
                    (if (local.get 0) (then (call $large)) (else (call $small))) (i32.const 0)))",
            "i64 ".repeat(7),
            "i32 ".repeat(40_000)
        );
        costs_more(&wat, 40_004 / 8);
    }
}

/// Operators that carry the values on the operand stack to another place. Each row: the code; the number of calls that it
/// makes of functions with these values as parameters and results; the number of times that it carries each value.
const CARRIERS: &[(&str, u64, u64)] = &[
    ("(br $out)", 0, 1),
    ("(br_if $out (i32.const 1))", 0, 1),
    // A branch that is not taken pays for the values too, and then the end of the block pays again.
    ("(br_if $out (i32.const 0))", 0, 2),
    ("(br_table $out $out (i32.const 0))", 0, 1),
    ("(block (type $many))", 0, 2),
    ("(loop (type $many))", 0, 2),
    ("(loop (type $many) (br_if 0 (i32.const 0)))", 0, 3),
    ("(if (type $many) (i32.const 1) (then) (else))", 0, 2),
    ("(call $many)", 1, 4),
    ("(call_indirect (type $many) (i32.const 0))", 1, 4),
    ("(call $ends)", 1, 5),
    ("(call $returns)", 1, 4),
    ("(call $tail)", 2, 6),
    ("(call_ref $many (ref.func $many))", 1, 4),
    ("(call $tail_indirect)", 2, 6),
    ("(call $tail_ref)", 2, 6),
    ("(br_on_null $out (ref.null func)) (drop)", 0, 1),
    ("(br_on_null $out (ref.func $many)) (drop)", 0, 2),
    ("(block $some (type $more) (br_on_non_null $some (ref.func $many)) (ref.null func)) (drop)", 0, 2),
    ("(block $some (type $more) (br_on_non_null $some (ref.null func)) (ref.null func)) (drop)", 0, 3),
    ("(block $some (type $more) (br_on_cast $some funcref (ref func) (ref.func $many))) (drop)", 0, 2),
    ("(block $some (type $more) (br_on_cast $some funcref (ref nofunc) (ref.func $many))) (drop)", 0, 3),
    ("(block $some (type $more) (br_on_cast_fail $some funcref (ref nofunc) (ref.func $many))) (drop)", 0, 2),
    ("(try_table (type $many) (catch $tag $out) (throw $tag))", 0, 2),
    // A legacy `try` pays for the largest payload of its clauses; an arm for its values, if control reaches its end.
    ("try (type $many) throw $tag catch $tag end", 0, 4),
    ("try (type $many) catch $tag end", 0, 3),
    ("try (type $many) try (type $many) throw $tag catch_all rethrow 0 end catch $tag end", 0, 4),
    ("try (type $many) try (type $many) throw $tag delegate 0 catch $tag end", 0, 4),
];

/// Returns a program that executes `carrier` once, with `count` values to carry.
fn carrying(carrier: &str, count: usize) -> String {
    let (types, push, drop) = ("i64 ".repeat(count), "(i64.const 5) ".repeat(count), "(drop) ".repeat(count));
    let gets: String = (0..count).map(|index| format!("(local.get {index}) ")).collect();
    format!(
        "(module
            (type $many (func (param {types}) (result {types})))
            (type $more (func (param {types}) (result {types} funcref)))
            (tag $tag (param {types}))
            (table funcref (elem $many))
            (func $many (type $many) {gets})
            (func $ends (type $many) {gets} (block (type $many)))
            (func $returns (type $many) {gets} (return))
            (func $tail (type $many) {gets} (return_call $many))
            (func $tail_indirect (type $many) {gets} (return_call_indirect (type $many) (i32.const 0)))
            (func $tail_ref (type $many) {gets} (return_call_ref $many (ref.func $many)))
            (func (export \"run\") (param i32) (result i32)
                {push} (block $out (type $many) {carrier}) {drop} (i32.const 0)))"
    )
}

#[test]
fn operators_pay_for_the_values_that_they_carry() {
    for (name, engine) in engines() {
        for (carrier, calls, carried) in CARRIERS {
            let cost = |count| {
                let (spent, result) = used(&engine, &carrying(carrier, count), 0, GIVEN);
                result.unwrap_or_else(|stop| panic!("{name}, {carrier}: {stop}"));
                spent
            };
            // Each value is pushed, dropped, and pushed again by each callee.
            assert_eq!(cost(400) - cost(0), 400 * (2 + calls) + 400 / 8 * carried, "{name}, {carrier}");
        }
    }
}

#[test]
fn every_operator_that_may_carry_values_is_among_the_carriers() {
    let mut executed = BTreeSet::new();
    for (carrier, ..) in CARRIERS {
        let binary = wat::parse_str(carrying(carrier, 1)).unwrap();
        let module = Inspection::new(binary.into(), "carrier", 1).unwrap();
        for defined_index in 0..module.defined_func_count() {
            let words = operators(&module, defined_index).unwrap().into_iter();
            executed.extend(words.filter_map(|operator| Some(operator.text.split(' ').next()?.replace('_', ""))));
        }
    }
    let carries = |row: &&Row| match row.class {
        OperatorClass::Plain
        | OperatorClass::Bytes
        | OperatorClass::Elements
        | OperatorClass::Nop
        | OperatorClass::Trap => false,
        // Throwing an exception again carries nothing: its payload stays in the exception.
        OperatorClass::Throw => row.name == "Throw",
        OperatorClass::Block
        | OperatorClass::Try
        | OperatorClass::Loop
        | OperatorClass::If
        | OperatorClass::Else
        | OperatorClass::End
        | OperatorClass::Branch
        | OperatorClass::BranchIf
        | OperatorClass::Return
        | OperatorClass::Call
        | OperatorClass::TailCall => true,
    };
    let rows = OPERATORS.iter().filter(|row| row.support.is_executed()).filter(carries);
    let forgotten: Vec<&str> =
        rows.map(|row| row.name).filter(|name| !executed.contains(&name.to_lowercase())).collect();
    assert!(forgotten.is_empty(), "no carrier executes {forgotten:?}");
}

#[test]
fn a_throw_is_paid_for_by_the_clauses_that_it_looks_through() {
    let legacy = |clauses: usize| {
        format!(
            "(module (tag $thrown) (tag $other)
                (func (export \"run\") (param i32) (result i32)
                    try throw $thrown {} catch $thrown end i32.const 0))",
            "catch $other ".repeat(clauses)
        )
    };
    let wat = |clauses: usize| {
        format!(
            "(module (tag $thrown) (tag $other)
                (func (export \"run\") (param i32) (result i32)
                    (block $caught (try_table {} (catch $thrown $caught) (throw $thrown)))
                    (i32.const 0)))",
            "(catch $other $caught) ".repeat(clauses)
        )
    };
    for (name, engine) in engines() {
        for wat in [&wat as &dyn Fn(usize) -> String, &legacy] {
            let cost = |clauses| used(&engine, &wat(clauses), 0, GIVEN).0;
            assert_eq!(cost(799) - cost(0), 100, "{name}");
        }
    }
}

#[test]
fn unmetered_code_needs_no_fuel_and_takes_none() {
    let engine = Engine::default();
    let module = Module::new(&engine, LOOP).unwrap();
    let mut store = Store::new(&engine, ());
    assert!(store.set_fuel(7).is_err());
    let instance = Instance::new(&mut store, &module, &[]).unwrap();
    let run = instance.get_typed_func::<i32, i32>(&store, "run").unwrap();
    assert!(run.call(&mut store, 1000).is_ok());
}

const TEN: &str = "i32 i32 i32 i32 i32 i32 i32 i32 i32 i32";

/// Generator of programs with nested loops and branches over locals, memory and calls. All of them end.
struct Programs(u64);

impl Programs {
    fn below(&mut self, bound: u64) -> u64 {
        // xorshift64*. Any sequence serves that is the same each time.
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % bound
    }

    /// Returns an `i32` expression over the locals 0 to 3.
    fn expression(&mut self, depth: u32) -> String {
        if depth == 0 {
            return match self.below(3) {
                0 => format!("(i32.const {})", self.below(1000)),
                _ => format!("(local.get {})", self.below(4)),
            };
        }
        let (a, b) = (self.expression(depth - 1), self.expression(depth - 1));
        match self.below(9) {
            0 => format!("(i32.mul {a} {b})"),
            1 => format!("(i32.sub {a} {b})"),
            2 => format!("(i32.xor {a} {b})"),
            3 => format!("(i32.add {a} (i32.shl {b} (i32.const 2)))"),
            4 => format!("(select {a} {b} (i32.lt_s (local.get 0) (local.get 1)))"),
            5 => format!("(i32.load8_u (i32.and {a} (i32.const 0xfff)))"),
            6 => format!("(if (result i32) (i32.lt_u {a} {b}) (then {a}) (else (i32.eqz {b})))"),
            7 => format!("(call $mix {a} {b})"),
            _ => format!(
                "(i32.wrap_i64 (i64.div_u (i64.extend_i32_u {a}) (i64.or (i64.extend_i32_u {b}) (i64.const 1))))"
            ),
        }
    }

    fn statement(&mut self, depth: u32, counter: u32) -> String {
        let value = self.expression(2);
        match self.below(if depth == 0 { 5 } else { 9 }) {
            0 => format!("(local.set {} {value})", self.below(4)),
            1 => format!("(i32.store8 (i32.and {value} (i32.const 0xfff)) (local.get 1))"),
            2 => match self.below(4) {
                0 => format!("(memory.fill (i32.const 64) {value} (i32.and {value} (i32.const 0x3ff)))"),
                1 => format!("(memory.copy (i32.const 64) (i32.const 90) (i32.and {value} (i32.const 0x7f)))"),
                2 => format!("(memory.copy (i32.and {value} (i32.const 0xfff)) (i32.const 90) (i32.const 72))"),
                _ => format!("(memory.fill (i32.and {value} (i32.const 0xfff)) {value} (i32.const 40))"),
            },
            3 => format!("(local.set 2 (call $locals {value}))"),
            4 => {
                let (ten, drops) = ("(local.get 0)".repeat(10), "(drop)".repeat(9));
                format!(
                    "(call $ten {ten}) (block (param {TEN}) (result {TEN}) (br_if 0 {value}) (call $ten))
                    {drops} (local.set 1)"
                )
            }
            5 | 6 => {
                // Each nesting level counts in a local of its own, so that every loop ends.
                let body = self.statements(depth - 1, counter + 1);
                let times = self.below(6) + 1;
                format!(
                    "(local.set {counter} (i32.const {times}))
                    (loop {body} (br_if 0 (local.tee {counter} (i32.sub (local.get {counter}) (i32.const 1)))))"
                )
            }
            7 => {
                let (then, other) = (self.statements(depth - 1, counter), self.statements(depth - 1, counter));
                format!("(if {value} (then {then}) (else {other}))")
            }
            _ => {
                let (first, second) = (self.statements(depth - 1, counter), self.statements(depth - 1, counter));
                format!("(block (block {first} (br_table 0 1 {value})) {second})")
            }
        }
    }

    fn statements(&mut self, depth: u32, counter: u32) -> String {
        (0..self.below(3) + 1).map(|_| self.statement(depth, counter)).collect()
    }

    fn module(&mut self) -> String {
        let body = self.statements(3, 4);
        format!(
            "(module (memory 1)
            (func $mix (param i32 i32) (result i32) (i32.rotl (i32.add (local.get 0) (local.get 1)) (local.get 0)))
            (func $locals (param i32) (result i32) (local {}) (local.tee 30 (local.get 0)))
            (func $ten (param {TEN}) (result {TEN})
              (local.get 9) (local.get 0) (local.get 1) (local.get 2) (local.get 3)
              (local.get 4) (local.get 5) (local.get 6) (local.get 7) (local.get 8))
            (func (export \"run\") (param i32) (result i32)
              (local i32 i32 i32 i32 i32 i32 i32) {body} (i32.add (local.get 0) (local.get 3))))",
            "i32 ".repeat(40)
        )
    }
}

/// Returns every configuration, metered, with the plain interpreter first.
fn engines() -> Vec<(&'static str, Engine)> {
    use wasmr::{MemoryStrategy, Mode, Tuning};

    let engine = |mode, memory, tuning| {
        let features = Features::default().with(Feature::LegacyExceptions, true);
        let mut config = Config::new();
        config.consume_fuel(true).mode(mode).memory_strategy(memory).tuning(tuning).features(features);
        Engine::new(&config)
    };
    let usual = Tuning::default;
    let (guarded, checked) = (MemoryStrategy::Guarded, MemoryStrategy::Checked);
    let interpreted = [
        ("plain", engine(Mode::Interp, guarded, Tuning { baseline: false, ..usual() })),
        ("baseline at once", engine(Mode::Interp, guarded, Tuning { baseline_after: 0, ..usual() })),
        ("checked memory", engine(Mode::Interp, checked, usual())),
    ];
    #[cfg(not(feature = "jit"))]
    let compiled = [];
    #[cfg(feature = "jit")]
    let compiled = {
        let at_once = || Tuning { tier_up_after: 0, ..usual() };
        // Compiles in the background, so that machine code takes over at another point of the program in each run.
        let soon = Tuning {
            sample_every: 16,
            tier_up_after: 1,
            bytes_per_sample: u32::MAX,
            tier_up_delay: std::time::Duration::ZERO,
            ..usual()
        };
        // Compiles callers but not their callees, or the reverse.
        let small = |tuning: Tuning| Tuning { max_compiled_size: 30, ..tuning };
        [
            ("jit", engine(Mode::Jit, guarded, usual())),
            ("jit, checked memory", engine(Mode::Jit, checked, usual())),
            ("jit, small ones only", engine(Mode::Jit, guarded, small(usual()))),
            ("tiered", engine(Mode::Tiered, guarded, usual())),
            ("tiered at once", engine(Mode::Tiered, guarded, at_once())),
            ("tiered at once, small ones only", engine(Mode::Tiered, guarded, small(at_once()))),
            ("tiered soon", engine(Mode::Tiered, guarded, soon)),
        ]
    };
    interpreted.into_iter().chain(compiled).collect()
}

#[test]
fn generated_programs_cost_the_same_in_all_configurations() {
    let all = engines();
    let ((_, plain), others) = all.split_first().expect("there is one");
    let mut programs = Programs(0x9e37_79b9_7f4a_7c15);
    let mut total = 0;
    for number in 0..200 {
        let wat = programs.module();
        let (expected, result) = used(plain, &wat, number, GIVEN);
        let result = result.unwrap_or_else(|stop| panic!("program {number}: {stop}\n{wat}"));
        for (name, engine) in others {
            let (fuel, other) = used(engine, &wat, number, GIVEN);
            assert_eq!((fuel, other.unwrap()), (expected, result), "program {number}, {name}:\n{wat}");
            // With just enough fuel, and with one unit too little.
            assert_eq!(used(engine, &wat, number, expected).1.unwrap(), result, "program {number}, {name}:\n{wat}");
            let (fuel, other) = used(engine, &wat, number, expected - 1);
            let end = (fuel, other.unwrap_err().trap_code());
            assert_eq!(end, (expected - 1, Some(TrapCode::OutOfFuel)), "program {number}, {name}:\n{wat}");
        }
        total += expected;
    }
    assert!(total > 100_000, "the programs must use more fuel than {total} in all");
}
