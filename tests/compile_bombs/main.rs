//! Compile bombs: small functions whose compilation would take gigabytes or minutes. The compiler refuses them, they stay
//! interpreted, and the process stays small.
//!
//! Each shape is one function of some 10 to 60 KiB. A test runs the built binary, which compiles the function before its first
//! call or with an entry at a loop, and reads the peak of resident memory from its statistics. One test compiles several
//! functions that are just below the refusal in its own process.
#![cfg(all(feature = "jit", target_os = "linux", target_arch = "x86_64"))]

mod exceptions;

use std::fmt::Write;
use std::process::Command;
use std::time::{Duration, Instant};

use wasmr::{Config, Engine, Instance, Mode, Module, Store, Tuning};

/// Largest number of bytes that the process may have resident: the compiler's bound, and as much again for the modules' text
/// and for estimates that are too low.
const MOST_RESIDENT: u64 = 600 << 20;
/// Longest time of a run, in a build without optimisation.
const DEADLINE: Duration = Duration::from_secs(60);

/// Returns one line of `text` for each number below `count`.
fn each(count: usize, text: impl Fn(usize) -> String) -> String {
    (0..count).fold(String::new(), |mut all, index| {
        let _ = writeln!(all, "{}", text(index));
        all
    })
}

fn thousand(text: &str) -> String {
    text.repeat(1000)
}

/// Returns a module whose function `bomb` has one parameter, `locals` locals from index 1 on, and this body.
fn module(locals: usize, body: &str) -> String {
    let many = thousand("i32 ");
    format!(
        "(module (memory 1)
        (type $both (func (param {many}) (result {many}))) (type $results (func (result {many})))
        (func $results (type $results) {})
        (func $none) (tag $t) {}
        (func (export \"bomb\") (param i32) (local {}) (if (i32.eqz (local.get 0)) (then (return))) {body}))",
        thousand("(i32.const 0)"),
        each(300, |n| format!("(tag $t{n})")),
        "i32 ".repeat(locals),
    )
}

/// Runs `bomb`, which returns at once. Returns the peak of resident bytes and the number of functions that were refused.
fn run(name: &str, text: &str) -> (u64, u64) {
    run_with(name, text, &["--mode", "jit"], "0")
}

fn run_with(name: &str, text: &str, options: &[&str], argument: &str) -> (u64, u64) {
    let dir = std::env::temp_dir().join(format!("wasmr-compile-bombs-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    let file = dir.join(format!("{name}.wat"));
    std::fs::write(&file, text).unwrap();
    let began = Instant::now();
    let mut command = Command::new(env!("CARGO_BIN_EXE_wasmr"));
    command
        .env("WASMR_CACHE_DIR", "/dev/null")
        .arg("run")
        .args(options)
        .args(["--stats=json", "--invoke", "bomb"])
        .arg(&file)
        .arg(argument);
    let output = command.output().unwrap();
    let _ = std::fs::remove_file(&file);
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{name}: {errors}");
    assert!(began.elapsed() < DEADLINE, "{name} took {:?}", began.elapsed());
    let number = |key: &str| {
        let start = errors.find(&format!("\"{key}\": ")).unwrap_or_else(|| panic!("{name}: no {key}: {errors}"));
        let digits = errors[start + key.len() + 4..].chars().take_while(char::is_ascii_digit);
        digits.collect::<String>().parse().unwrap()
    };
    (number("peak_memory_bytes"), number("refused"))
}

/// Checks that the compiler refuses the function before it has used much memory.
#[track_caller]
fn is_refused(name: &str, text: &str) {
    let (peak, refused) = run(name, text);
    assert_eq!(refused, 1, "{name}");
    assert!(peak < MOST_RESIDENT, "{name}: {} MiB", peak >> 20);
}

#[test]
fn loops_with_a_thousand_parameters() {
    let loops = each(6000, |_| "(loop (type $both) (br_if 0 (i32.const 0)))".to_owned());
    is_refused("loops", &module(0, &format!("{} {loops} {}", thousand("(i32.const 0)"), thousand("drop "))));
}

#[test]
fn ifs_with_a_thousand_parameters() {
    let ifs = each(6000, |_| "local.get 0 if (type $both) else end".to_owned());
    is_refused("ifs", &module(0, &format!("{} {ifs} {}", thousand("(i32.const 0)"), thousand("drop "))));
}

#[test]
fn calls_with_a_thousand_results() {
    is_refused("calls", &module(0, &format!("{} unreachable", each(800, |_| "call $results".to_owned()))));
}

#[test]
fn branch_tables_with_a_thousand_results() {
    let table = format!("(br_table {} (local.get 0))", "0 ".repeat(20_000));
    is_refused(
        "table",
        &module(0, &format!("(block (type $results) {} {table}) {}", thousand("(i32.const 0)"), thousand("drop "))),
    );
}

#[test]
fn branch_tables_that_take_locals_along() {
    let count = |n| format!("(local.set {n} (i32.add (local.get {n}) (i32.const 1)))");
    let table = format!("(if (local.get 0) (then (br_table {} (local.get 0))))", "1 ".repeat(20_000));
    is_refused("locals", &module(500, &format!("(loop {} {table})", each(500, |n| count(n + 1)))));
}

#[test]
fn deep_loops_over_many_locals() {
    let count = |n: usize| format!("(local.set {n} (i32.add (local.get {n}) (i32.const 1)))");
    let body = format!(
        "{} {} {}",
        "loop ".repeat(800),
        each(400, |n| count(n + 1)),
        each(800, |_| "local.get 0 br_if 0 end".to_owned())
    );
    is_refused("deep", &module(400, &body));
}

#[test]
fn thousands_of_locals_used_after_thousands_of_branches() {
    let body = format!(
        "{} {} (loop {} (br_if 0 (local.get 0)))",
        each(6000, |n| format!("(local.set {} (local.get 0))", n + 1)),
        each(6000, |_| "(if (local.get 0) (then))".to_owned()),
        each(6000, |n| format!("(drop (local.get {}))", n + 1))
    );
    is_refused("branches", &module(6000, &body));
}

#[test]
fn calls_with_hundreds_of_handlers() {
    let tries = each(300, |n| format!("try_table (catch $t{n} 0)"));
    let body = format!("block {tries} {} {} end", each(6000, |_| "call $none".to_owned()), "end ".repeat(300));
    is_refused("handlers", &module(0, &body));
}

/// Returns code that keeps `operands` values on the operand stack over `branches` conditional returns. Every other return is
/// in an `else` arm, so that it lies in the middle of the machine code.
fn operands_over_returns(operands: usize, branches: usize) -> String {
    let conditional_return = |n| match n % 2 {
        0 => "(if (i32.load offset=4 (local.get 0)) (then (return)))",
        _ => "(if (i32.load offset=4 (local.get 0)) (then) (else (i32.store (local.get 0) (i32.const 1)) (return)))",
    };
    format!(
        "{} {} {} local.set 0 (i32.store (i32.const 0) (local.get 0))",
        each(operands, |n| format!("(i32.load8_u offset={n} (local.get 0))")),
        each(branches, |n| conditional_return(n).to_owned()),
        "i32.add ".repeat(operands - 1)
    )
}

#[test]
fn operands_alive_over_thousands_of_returns() {
    is_refused("operands", &module(0, &operands_over_returns(3000, 3000)));
}

#[test]
fn bombs_entered_at_a_loop() {
    let hot = "(loop (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
        (if (i32.eqz (local.get 0)) (then (return)))";
    let both = each(6000, |_| "(loop (type $both) (br_if 0 (i32.const 0)))".to_owned());
    for (name, body) in [
        ("loop-operands", operands_over_returns(3000, 3000)),
        ("loop-loops", format!("{} {both} {}", thousand("(i32.const 0)"), thousand("drop "))),
    ] {
        let text = module(0, &format!("{hot} {body}"));
        let (peak, refused) = run_with(name, &text, &["--mode", "tiered", "-O", "tier-up-after=0"], "5");
        assert!(refused >= 1, "{name}");
        assert!(peak < MOST_RESIDENT, "{name}: {} MiB", peak >> 20);
    }
}

/// Checks that a hot loop after many values is compiled apart from its function. One body with entries at both takes the register
/// allocator minutes, because each value is a parameter of the loop header.
#[test]
fn a_loop_after_locals_over_thousands_of_returns() {
    const LOCALS: usize = 3000;
    let sets = each(LOCALS, |n| format!("(local.set {} (i32.load8_u offset={n} (local.get 0)))", n + 1));
    let returns = "(if (i32.load offset=4 (local.get 0)) (then (return)))".repeat(LOCALS);
    let hot = "(loop (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))";
    let uses = each(LOCALS, |n| format!("(i32.store (i32.const {n}) (local.get {}))", n + 1));
    let text = module(LOCALS, &format!("{sets} {returns} {hot} {uses}"));
    let (peak, refused) = run_with("loop-locals", &text, &["--mode", "tiered", "-O", "tier-up-after=0"], "5");
    assert_eq!(refused, 0);
    assert!(peak < MOST_RESIDENT, "{} MiB", peak >> 20);
}

#[test]
fn inlined_bodies() {
    let calls = each(18, |_| "call $results".to_owned());
    let text = module(0, &each(1000, |_| "(call $inlined)".to_owned()));
    let text = text.replace("(func $none)", &format!("(func $none) (func $inlined {calls} unreachable)"));
    let (peak, _) = run("inlined", &text);
    assert!(peak < MOST_RESIDENT, "{} MiB", peak >> 20);
}

/// Checks that several threads compile all of these large functions, but not at the same time: the peak of memory is below the
/// sum for all of them. The compiler does not refuse functions of this size.
#[test]
fn several_at_once() {
    const BOMBS: u64 = 4;
    let funcs = each(BOMBS as usize, |n| {
        let start = "(if (i32.eqz (local.get 0)) (then (return)))";
        format!("(func (export \"bomb{n}\") (param i32) {start} {})", operands_over_returns(2000, 1000))
    });
    let tuning = Tuning {
        tier_up_after: 1,
        bytes_per_sample: u32::MAX,
        tier_up_delay: Duration::ZERO,
        compile_threads: Some(BOMBS as usize),
        ..Tuning::default()
    };
    let engine = Engine::new(Config::new().mode(Mode::Tiered).tuning(tuning));
    let module = Module::new(&engine, format!("(module (memory 1) {funcs})")).unwrap();
    let mut store = Store::new(&engine, ());
    let instance = Instance::new(&mut store, &module, &[]).unwrap();
    let bombs: Vec<_> =
        (0..BOMBS).map(|n| instance.get_typed_func::<i32, ()>(&store, &format!("bomb{n}")).unwrap()).collect();
    let began = Instant::now();
    while engine.report().functions < BOMBS {
        // Enough calls in a row for samples to find each function.
        for bomb in &bombs {
            (0..3000).for_each(|_| bomb.call(&mut store, 0).unwrap());
        }
        assert!(began.elapsed() < 2 * DEADLINE, "{}", engine.report());
    }
    let report = engine.report();
    assert_eq!((report.refused, report.threads), (0, BOMBS as usize), "{report}");
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let peak = peak.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10;
    // The compilation of one function takes 150 MiB.
    assert!(peak < MOST_RESIDENT / 3 * 2, "{} MiB", peak >> 20);
}

#[test]
fn ordinary_functions_are_not_refused() {
    let body =
        each(2000, |n| format!("(local.set {} (i32.add (local.get {}) (i32.const {n})))", 1 + n % 50, 1 + n % 7));
    let (peak, refused) = run("ordinary", &module(50, &format!("(loop {body} (br_if 0 (local.get 0)))")));
    assert_eq!(refused, 0);
    assert!(peak < MOST_RESIDENT / 4, "{} MiB", peak >> 20);
}
