//! Functions that are small and yet would take gigabytes or minutes to compile: they are refused, stay interpreted, and the
//! process stays small.
//!
//! Each shape is one function of some 10 to 60 KiB. The built binary compiles it before its first call, or from a loop on, and
//! says in its statistics how much of its memory was resident at once. Several that are just not refused are compiled in this
//! process.
#![cfg(all(feature = "jit", target_os = "linux", target_arch = "x86_64"))]

use std::fmt::Write;
use std::process::Command;
use std::time::{Duration, Instant};

use wasmr::{Config, Engine, Instance, Mode, Module, Store, Tuning};

/// Bytes that the whole process may have resident at once: the compiler's bound, and as much for the modules' text and
/// for estimates that are too low.
const MOST_RESIDENT: u64 = 600 << 20;
/// The longest that a run may take, in a build without optimisation.
const DEADLINE: Duration = Duration::from_secs(60);

/// `text` for each number below `count`.
fn each(count: usize, text: impl Fn(usize) -> String) -> String {
    (0..count).fold(String::new(), |mut all, index| {
        let _ = writeln!(all, "{}", text(index));
        all
    })
}

fn thousand(text: &str) -> String {
    text.repeat(1000)
}

/// A module whose function `bomb` has a parameter, so many locals from 1 on, and this body.
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

/// Runs the function, which returns at once, and gives its peak memory and how many functions were refused.
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
    command.arg("run").args(options).args(["--stats=json", "--invoke", "bomb"]).arg(&file).arg(argument);
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

/// The function is refused, and little was made of it before.
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

/// Operands that are alive over as many branches, of which every other has its way out in the middle of the code.
fn operands_over_ways_out(operands: usize, branches: usize) -> String {
    let way_out = |n| match n % 2 {
        0 => "(if (i32.load offset=4 (local.get 0)) (then (return)))",
        _ => "(if (i32.load offset=4 (local.get 0)) (then) (else (i32.store (local.get 0) (i32.const 1)) (return)))",
    };
    format!(
        "{} {} {} local.set 0 (i32.store (i32.const 0) (local.get 0))",
        each(operands, |n| format!("(i32.load8_u offset={n} (local.get 0))")),
        each(branches, |n| way_out(n).to_owned()),
        "i32.add ".repeat(operands - 1)
    )
}

#[test]
fn operands_alive_over_thousands_of_ways_out() {
    is_refused("operands", &module(0, &operands_over_ways_out(3000, 3000)));
}

#[test]
fn bombs_entered_at_a_loop() {
    let hot = "(loop (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
        (if (i32.eqz (local.get 0)) (then (return)))";
    let both = each(6000, |_| "(loop (type $both) (br_if 0 (i32.const 0)))".to_owned());
    for (name, body) in [
        ("loop-operands", operands_over_ways_out(3000, 3000)),
        ("loop-loops", format!("{} {both} {}", thousand("(i32.const 0)"), thousand("drop "))),
    ] {
        let text = module(0, &format!("{hot} {body}"));
        let (peak, refused) = run_with(name, &text, &["--mode", "tiered", "-O", "tier-up-after=0"], "5");
        assert!(refused >= 1, "{name}");
        assert!(peak < MOST_RESIDENT, "{name}: {} MiB", peak >> 20);
    }
}

#[test]
fn bodies_in_place_of_calls() {
    let calls = each(18, |_| "call $results".to_owned());
    let text = module(0, &each(1000, |_| "(call $inlined)".to_owned()));
    let text = text.replace("(func $none)", &format!("(func $none) (func $inlined {calls} unreachable)"));
    let (peak, _) = run("inlined", &text);
    assert!(peak < MOST_RESIDENT, "{} MiB", peak >> 20);
}

/// Functions that are not refused are compiled by all threads, but not all of them at once.
#[test]
fn several_at_once() {
    const BOMBS: u64 = 4;
    let funcs = each(BOMBS as usize, |n| {
        let start = "(if (i32.eqz (local.get 0)) (then (return)))";
        format!("(func (export \"bomb{n}\") (param i32) {start} {})", operands_over_ways_out(2000, 1000))
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
        // So many calls in a row that the samples find each of them.
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
    // One takes 150 MiB.
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
