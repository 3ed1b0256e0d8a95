//! Stack overflow is the same trap in every tier and across tiers, at a comparable depth, and the store works afterwards.

use wasmr::{StoreLimits, Val};

use crate::configurations::{Body, Configuration};
use crate::support::{Program, configurations, padded, tier_mixes};

/// Largest factor between the greatest depths of calls in two configurations.
const COMPARABLE: i64 = 3;

/// Returns a module with a function that calls itself by `call` until the stack is used up, and counts the depth.
fn recursion(head: &str, call: &str) -> String {
    format!(
        r#"(module {head}
          (global $depth (export "depth") (mut i32) (i32.const 0))
          (global $rest (mut i64) (i64.const 0))
          (func (export "reset") (global.set $depth (i32.const 0)))
          (func $sum (export "sum") (param i32) (result i32) PAD0
            (if (result i32) (local.get 0)
              (then (i32.add (local.get 0) (call $sum (i32.sub (local.get 0) (i32.const 1))))) (else (i32.const 0))))
          (func $f (export "back") (param i32) (result i32) PAD0
            (global.set $depth (i32.add (global.get $depth) (i32.const 1)))
            (i32.add (local.get 0) {call}))
          (func $g (param i32) (result i32) PAD1 (i32.add (i32.const 1) (call $f (local.get 0)))))"#
    )
}

/// Returns the configuration with a stack of this size.
fn with_stack(mut configuration: Configuration, bytes: usize) -> Configuration {
    configuration.config.limits(StoreLimits { max_stack_bytes: bytes, ..StoreLimits::default() });
    configuration
}

#[test]
fn endless_recursion_is_the_same_trap_at_a_comparable_depth() {
    let indirect = r#"(type $t (func (param i32) (result i32))) (table 1 funcref) (elem (i32.const 0) $f)"#;
    for (head, call) in [
        ("", "(call $f (local.get 0))"),
        ("", "(call $g (local.get 0))"),
        (indirect, "(call_indirect (type $t) (local.get 0) (i32.const 0))"),
    ] {
        let mut depths = Vec::new();
        for bodies in tier_mixes(2).chain([vec![Body::Small; 2]]) {
            let text = padded(&recursion(head, call), &bodies);
            for configuration in configurations() {
                let mut program = Program::new(&with_stack(configuration.clone(), 2 << 20), &text);
                let mut depth = 0;
                for _ in 0..2 {
                    program.call("reset", &[]);
                    let end = program.call("back", &[Val::I32(1)]);
                    assert_eq!(end.trap().0, "call stack exhausted", "{}, {bodies:?}, {call}", configuration.name);
                    depth = program.global("depth");
                    assert!(end.total() as i64 >= depth, "the backtrace must count a frame for every call");
                    assert_eq!(program.call("sum", &[Val::I32(1000)]).i64(), 500_500, "the store works");
                }
                depths.push((depth, format!("{}, {bodies:?}", configuration.name)));
            }
        }
        let interpreted = depths[0].0;
        for (depth, of) in &depths {
            let comparable = interpreted / COMPARABLE..=interpreted * COMPARABLE;
            assert!(comparable.contains(depth), "{call}, {of}: {depth}, interpreted {interpreted}");
        }
    }
}

/// Returns a module with a recursion whose frames hold values over the call: `locals` locals of a type, and `operands`
/// operands below the call's result. The parameter of `f` is the depth, and the global `depth` counts the calls.
fn holding(ty: &str, locals: usize, operands: usize, call: &str) -> String {
    let declared = format!("{ty} ").repeat(locals);
    let read = |at: usize| format!("(local.set {} ({ty}.load offset={} (i32.const 0)))", at + 1, 16 * at);
    let used = |at: usize| format!("({ty}.store offset={} (i32.const 4096) (local.get {}))", 16 * at, at + 1);
    let (reads, uses): (String, String) = ((0..locals).map(read).collect(), (0..locals).map(used).collect());
    let operand = |inner: String, at: usize| format!("(i32.add (i32.load offset={} (i32.const 8192)) {inner})", 4 * at);
    let call = (0..operands).fold(call.replace("ARG", "(i32.sub (local.get 0) (i32.const 1))"), operand);
    format!(
        r#"(module (memory 1) (type $t (func (param i32) (result i32))) (table 1 funcref) (elem (i32.const 0) $f)
          (global $depth (export "depth") (mut i32) (i32.const 0))
          (func (export "reset") (global.set $depth (i32.const 0)))
          (func $f (export "f") (param i32) (result i32) (local {declared})
            (global.set $depth (i32.add (global.get $depth) (i32.const 1)))
            (if (i32.eqz (local.get 0)) (then (return (i32.const 0))))
            {reads} (i32.add (i32.const 1) {call}) {uses})
          (func $g (param i32) (result i32) (local i64 i64)
            (local.set 1 (i64.load (i32.const 0))) (call $f (local.get 0)) (i64.store (i32.const 0) (local.get 1))))"#
    )
}

#[test]
fn calls_reach_a_comparable_depth_in_every_mode_whatever_their_frames_hold() {
    const CALL: &str = "(call $f ARG)";
    const INDIRECT: &str = "(call_indirect (type $t) ARG (i32.const 0))";
    let shapes = [
        ("i32", 0, 0, CALL),
        ("i32", 2, 0, CALL),
        ("i32", 8, 0, CALL),
        ("i32", 30, 0, CALL),
        ("i32", 200, 0, CALL),
        ("i64", 8, 0, CALL),
        ("f64", 8, 0, CALL),
        ("v128", 8, 0, CALL),
        ("v128", 30, 0, CALL),
        ("i32", 0, 8, CALL),
        ("i32", 0, 30, CALL),
        ("i64", 8, 8, INDIRECT),
        ("i32", 0, 0, INDIRECT),
        ("i32", 0, 0, "(call $g ARG)"),
        ("i64", 8, 2, "(call $g ARG)"),
    ];
    for (ty, locals, operands, call) in shapes {
        let what = format!("{locals} {ty}, {operands} operands, {call}");
        let text = holding(ty, locals, operands, call);
        let configurations: Vec<Configuration> = crate::configurations::configurations(1 << 18)
            .into_iter()
            .map(|configuration| with_stack(configuration, 1 << 20))
            .collect();
        let depth_of = |configuration: &Configuration| {
            let mut program = Program::new(configuration, &text);
            assert_eq!(
                program.call("f", &[Val::I32(-1)]).trap().0,
                "call stack exhausted",
                "{what}, {}",
                configuration.name
            );
            program.global("depth")
        };
        let depths: Vec<(i64, &str)> =
            configurations.iter().map(|configuration| (depth_of(configuration), configuration.name.as_str())).collect();
        let (least, most) = (depths.iter().min().unwrap().0, depths.iter().max().unwrap().0);
        assert!(most <= COMPARABLE * least, "{what}: {depths:?}");
        // A recursion to a depth well below the interpreter's limit succeeds everywhere, and one well beyond it traps
        // everywhere.
        for configuration in &configurations {
            let mut program = Program::new(configuration, &text);
            for _ in 0..3 {
                let fits = (depths[0].0 / COMPARABLE) as i32;
                let result = program.call("f", &[Val::I32(fits)]).i64();
                assert!(
                    operands > 0 || call.contains("$g") || result == i64::from(fits),
                    "{what}, {}: {result}",
                    configuration.name
                );
                let too_deep = (depths[0].0 * COMPARABLE) as i32;
                let end = program.call("f", &[Val::I32(too_deep)]);
                assert_eq!(end.trap().0, "call stack exhausted", "{what}, {}", configuration.name);
            }
        }
    }
}

#[test]
fn compiled_large_functions_that_keep_little_reach_a_greater_but_bounded_depth() {
    // The locals are dead after the call. The body is so large that the compiler does not enlarge its frame to the
    // interpreter's size.
    const LOCALS: usize = 40;
    // Seven times the interpreter's depth in compiled code. A recursion that begins in the interpreter uses up both stacks,
    // which adds the interpreter's depth once more.
    const MOST: i64 = 8;
    let read = |at: usize| format!("(local.set {} (i32.load offset={} (i32.const 0)))", at % LOCALS + 1, 4 * at);
    let used = |at: usize| format!("(i32.store offset={} (i32.const 4096) (local.get {}))", 4 * at, at % LOCALS + 1);
    let work: String = (0..600).map(|at| read(at) + &used(at)).collect();
    let declared = "i32 ".repeat(LOCALS);
    let text = format!(
        r#"(module (memory 1) (global $depth (export "depth") (mut i32) (i32.const 0))
          (func $f (export "f") (param i32) (result i32) (local {declared})
            (global.set $depth (i32.add (global.get $depth) (i32.const 1))) {work}
            (i32.add (i32.const 1) (call $f (local.get 0)))))"#
    );
    let depth_of = |configuration: Configuration| {
        let configuration = with_stack(configuration, 1 << 20);
        let mut program = Program::new(&configuration, &text);
        assert_eq!(program.call("f", &[Val::I32(0)]).trap().0, "call stack exhausted", "{}", configuration.name);
        (program.global("depth"), configuration.name)
    };
    let depths: Vec<(i64, String)> = crate::configurations::configurations(1 << 18).into_iter().map(depth_of).collect();
    let interpreted = depths[0].0;
    for (depth, configuration) in &depths {
        assert!(
            (interpreted / COMPARABLE..=MOST * interpreted).contains(depth),
            "{configuration}: {depth}, interpreted {interpreted}"
        );
    }
}

#[test]
fn a_larger_stack_is_deeper_and_a_smaller_one_is_not() {
    let text = recursion("", "(call $g (local.get 0))");
    for bodies in tier_mixes(2) {
        let text = padded(&text, &bodies);
        // Leaves out configurations whose functions change tier during the recursion, because the depth depends on the moment
        // of the change.
        for configuration in configurations()
            .into_iter()
            .filter(|configuration| configuration.compiles_at_once || !configuration.name.starts_with("tiered"))
        {
            let depth = |bytes: usize| {
                let mut program = Program::new(&with_stack(configuration.clone(), bytes), &text);
                assert_eq!(program.call("back", &[Val::I32(1)]).trap().0, "call stack exhausted");
                program.global("depth")
            };
            let [small, usual, large] = [64 << 10, 1 << 20, 8 << 20].map(depth);
            assert!(
                small * 4 < usual && usual * 4 < large,
                "{}, {bodies:?}: {small}, {usual}, {large}",
                configuration.name
            );
        }
    }
}

#[test]
fn recursion_through_the_host_is_the_same_trap() {
    let text = recursion(r#"(import "h" "call" (func $call (param i32) (result i32)))"#, "(call $call (local.get 0))");
    for bodies in tier_mixes(2) {
        let text = padded(&text, &bodies);
        let mut depths = Vec::new();
        for configuration in configurations() {
            let mut program = Program::new(&configuration, &text);
            for _ in 0..2 {
                program.call("reset", &[]);
                assert_eq!(
                    program.call("back", &[Val::I32(1)]).trap().0,
                    "call stack exhausted",
                    "{}",
                    configuration.name
                );
                assert_eq!(program.call("sum", &[Val::I32(1000)]).i64(), 500_500, "the store works");
            }
            depths.push(program.global("depth"));
        }
        assert!(depths.iter().all(|depth| *depth == depths[0]), "{bodies:?}: {depths:?}");
    }
}

#[test]
fn deep_recursion_between_trampolines_through_the_host() {
    // Deep in the recursion, the guest calls the host, which calls a recursion: once beyond the end of the stack, and once to
    // just below it.
    let text = r#"(module
        (import "h" "call" (func $call (param i32) (result i32)))
        (func $down (param $n i32) (param $then i32) (result i32) PAD0
          (if (result i32) (local.get $n)
            (then (i32.add (i32.const 1) (call $down (i32.sub (local.get $n) (i32.const 1)) (local.get $then))))
            (else (if (result i32) (local.get $then)
              (then (call $call (i32.sub (local.get $then) (i32.const 1)))) (else (i32.const 0))))))
        (func (export "back") (param i32) (result i32) PAD1 (call $down (i32.const 1000) (local.get 0))))"#;
    for bodies in tier_mixes(2) {
        let text = padded(text, &bodies);
        for configuration in configurations() {
            let mut program = Program::new(&configuration, &text);
            for _ in 0..2 {
                assert_eq!(program.call("back", &[Val::I32(3)]).i64(), 4000, "{}", configuration.name);
                assert_eq!(
                    program.call("back", &[Val::I32(1000)]).trap().0,
                    "call stack exhausted",
                    "{}",
                    configuration.name
                );
            }
        }
    }
}

#[test]
fn recursion_between_instances_is_the_same_trap() {
    let library = r#"(module
        (type $t (func (param i32) (result i32)))
        (table (export "table") 1 funcref)
        (func (export "over") (param i32) (result i32) PAD0
          (i32.add (i32.const 1) (call_indirect (type $t) (local.get 0) (i32.const 0)))))"#;
    let main = r#"(module
        (import "library" "over" (func $over (param i32) (result i32)))
        (import "library" "table" (table 1 funcref))
        (elem (i32.const 0) $f)
        (func $f (export "f") (param i32) (result i32) PAD0
          (if (result i32) (local.get 0)
            (then (i32.add (i32.const 1) (call $over (i32.sub (local.get 0) (i32.const 1))))) (else (i32.const 0)))))"#;
    for bodies in tier_mixes(2) {
        let (library, main) = (padded(library, &bodies[..1]), padded(main, &bodies[1..]));
        for configuration in configurations() {
            let mut program =
                Program::linked(&with_stack(configuration.clone(), 2 << 20), &[("library", &library), ("main", &main)]);
            for _ in 0..2 {
                assert_eq!(
                    program.call("f", &[Val::I32(-1)]).trap().0,
                    "call stack exhausted",
                    "{}",
                    configuration.name
                );
                assert_eq!(program.call("f", &[Val::I32(2000)]).i64(), 4000, "{}, {bodies:?}", configuration.name);
            }
        }
    }
}

#[test]
fn wide_frames_overflow_as_well() {
    // Frames with hundreds of slots of arguments, results and locals.
    let many = "i64 ".repeat(90);
    let args = "(local.get 1) ".repeat(89);
    let sets: String =
        (0..60).map(|at| format!("(local.set {} (i64.load offset={} (i32.const 0))) ", 90 + at, at * 8)).collect();
    let gets: String =
        (0..60).map(|at| format!("(i64.store offset={} (i32.const 0) (local.get {})) ", at * 8, 90 + at)).collect();
    let call = format!("(call $f {})", "(i64.const 1) ".repeat(90));
    let drops = "(drop) ".repeat(90);
    let text = format!(
        r#"(module (memory 1)
          (func $f (param {many}) (result {many}) (local {many}) PAD0 {sets}
            (i64.store (i32.const 1024) (i64.add (i64.load (i32.const 1024)) (i64.const 1)))
            (call $f (i64.sub (local.get 0) (i64.const 1)) {args}) {gets})
          (func (export "run") (result i64) {call} {drops} (i64.load (i32.const 1024))))"#
    );
    for body in Body::ALL {
        let text = padded(&text, &[body]);
        for limit in [crate::configurations::MAX_COMPILED_SIZE, 1 << 20] {
            for configuration in crate::configurations::configurations(limit) {
                let mut program = Program::new(&configuration, &text);
                for _ in 0..2 {
                    assert_eq!(program.call("run", &[]).trap().0, "call stack exhausted", "{}", configuration.name);
                }
            }
        }
    }
}

#[test]
fn a_thread_with_a_small_stack_is_enough() {
    // Guests run on stacks of their own, whatever the size of the thread's stack.
    let text = recursion("", "(call $g (local.get 0))");
    let host = recursion(r#"(import "h" "call" (func $call (param i32) (result i32)))"#, "(call $call (local.get 0))");
    for bodies in tier_mixes(2) {
        let texts = [padded(&text, &bodies), padded(&host, &bodies)];
        let run = move || {
            for configuration in configurations() {
                for text in &texts {
                    let mut program = Program::new(&configuration, text);
                    assert_eq!(
                        program.call("back", &[Val::I32(1)]).trap().0,
                        "call stack exhausted",
                        "{}",
                        configuration.name
                    );
                    assert_eq!(program.call("sum", &[Val::I32(5000)]).i64(), 12_502_500);
                }
            }
        };
        std::thread::Builder::new().stack_size(2 << 20).spawn(run).unwrap().join().unwrap();
    }
}
