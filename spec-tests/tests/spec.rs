//! Runs the official suite, with one named test per script and configuration: `spec/i32.wast [interp]`.
//!
//! A script on its mode's list of expected failures must fail, and every other script must pass. The list may also name single
//! directives of a script, by their lines: these must fail, and all others pass. Names on the list must exist in the suite. When a
//! script or directive passes, the run fails until its line is removed, so the lists only shrink. The last line of output counts files
//! and directives.

use std::collections::BTreeSet;
use std::env;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use libtest_mimic::{Arguments, Failed, Trial};
use wasmr::cache::Cache;
use wasmr::wast::{Report, run_script_with};
use wasmr::{Config, Engine, Mode, Module, Tuning};
use wasmr_spec_tests::{CHECKOUT, Script, expected_failures, scripts};

/// Number of failed directives of a script that are printed.
const SHOWN: usize = 20;

#[derive(Default)]
struct Totals {
    files: AtomicUsize,
    files_passed: AtomicUsize,
    directives: AtomicUsize,
    directives_passed: AtomicUsize,
}

impl Totals {
    fn add(&self, report: &Report) {
        self.files.fetch_add(1, Ordering::Relaxed);
        self.files_passed.fetch_add(report.is_success().into(), Ordering::Relaxed);
        self.directives.fetch_add(report.total(), Ordering::Relaxed);
        self.directives_passed.fetch_add(report.passed, Ordering::Relaxed);
    }
}

fn main() {
    let args = Arguments::from_args();
    let totals = Arc::new(Totals::default());
    let mut trials = Vec::new();
    for configuration in configurations() {
        let expected = expected_failures(list(configuration.mode));
        let all = scripts();
        trials.push(list_is_current(&configuration, &expected, &all));
        for script in all {
            // Core modules within components are not compiled ahead of time.
            if configuration.source == Source::Precompiled && script.name.contains("component/") {
                continue;
            }
            let expected = Expected::of(&script, &expected);
            let (configuration, totals) = (configuration.clone(), totals.clone());
            let name = format!("{} [{}]", script.name, configuration.name);
            trials.push(Trial::test(name, move || run(&configuration, &script, &expected, &totals)));
        }
    }
    let conclusion = libtest_mimic::run(&args, trials);
    let count = |counter: &AtomicUsize| counter.load(Ordering::Relaxed);
    println!(
        "official suites: {} of {} files pass, {} of {} directives",
        count(&totals.files_passed),
        count(&totals.files),
        count(&totals.directives_passed),
        count(&totals.directives)
    );
    if env::var_os(CHECKOUT).is_none() {
        println!("without the official scripts of legacy exceptions, which need {CHECKOUT}, a checkout of the suite");
    }
    conclusion.exit();
}

/// The expected failures of a script.
enum Expected {
    /// Directives, in any number.
    Some,
    /// The directives at these lines, and no others.
    Lines(BTreeSet<usize>),
}

impl Expected {
    /// Returns the expected failures of a script, by a list.
    fn of(script: &Script, list: &[&str]) -> Expected {
        if list.contains(&script.name.as_str()) {
            return Expected::Some;
        }
        Expected::Lines(list.iter().filter_map(|name| line_of(name, script)).collect())
    }

    /// Returns true if no directive is to fail.
    fn is_none(&self) -> bool {
        matches!(self, Expected::Lines(lines) if lines.is_empty())
    }

    /// Compares a report.
    fn check(&self, configuration: &Configuration, script: &Script, report: &Report) -> Result<(), Failed> {
        let list = configuration.mode;
        match self {
            Expected::Some if report.is_success() => {
                Err(Failed::from(format!("it passes now: take it off expected_failures/{list}.txt")))
            }
            Expected::Some => Ok(()),
            Expected::Lines(lines) => {
                let failed: BTreeSet<usize> = report.failures.iter().map(|failure| failure.line).collect();
                let passed: Vec<String> = lines.difference(&failed).map(usize::to_string).collect();
                if !passed.is_empty() {
                    let lines = passed.join(", ");
                    return Err(Failed::from(format!("take lines off expected_failures/{list}.txt: {lines}")));
                }
                if failed.is_subset(lines) { Ok(()) } else { Err(Failed::from(text(script, report))) }
            }
        }
    }
}

/// Returns the line of a directive's name on a list, if it is of a script.
fn line_of(name: &str, script: &Script) -> Option<usize> {
    name.strip_prefix(&script.name)?.strip_prefix(':')?.parse().ok()
}

/// A mode, with default or extreme tuning, and the source of the code.
#[derive(Clone)]
struct Configuration {
    name: String,
    mode: Mode,
    tuning: Tuning,
    source: Source,
}

/// The origin of the machine code.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Source {
    /// This engine.
    Compiled,
    /// An engine that has run the script before, and left its code in a cache.
    Cache,
    /// A compilation ahead of time.
    Precompiled,
}

/// Returns the configurations: every mode with default tuning; the interpreter with baseline code for every function
/// before its first execution; tiered mode with tier-up in the middle of every first execution; all of these with a collection
/// at each allocation; and code of an earlier process.
fn configurations() -> Vec<Configuration> {
    let from = |mode: Mode, what: &str, tuning: &Tuning, source: Source| {
        let name = if what.is_empty() { mode.to_string() } else { format!("{mode}, {what}") };
        Configuration { name, mode, tuning: tuning.clone(), source }
    };
    let (default, compiled) = (Tuning::default(), Source::Compiled);
    let mut configurations: Vec<Configuration> =
        Mode::ALL.iter().map(|&mode| from(mode, "", &default, compiled)).collect();
    let baseline = Tuning { baseline_after: 0, ..Tuning::default() };
    configurations.push(from(Mode::Interp, "baseline", &baseline, compiled));
    let at_once = Tuning { tier_up_after: 0, ..Tuning::default() };
    configurations.push(from(Mode::Tiered, "at once", &at_once, compiled));
    // A collection at each allocation: a reference that the collector misses leads to overwritten memory.
    let stressed = |tuning: &Tuning| Tuning { gc_stress: true, ..tuning.clone() };
    configurations.push(from(Mode::Interp, "gc stress", &stressed(&default), compiled));
    configurations.push(from(Mode::Interp, "baseline, gc stress", &stressed(&baseline), compiled));
    configurations.push(from(Mode::Jit, "gc stress", &stressed(&default), compiled));
    configurations.push(from(Mode::Tiered, "at once, gc stress", &stressed(&at_once), compiled));
    if COMPILES {
        configurations.push(from(Mode::Jit, "cached", &default, Source::Cache));
        configurations.push(from(Mode::Tiered, "at once, cached", &at_once, Source::Cache));
        configurations.push(from(Mode::Jit, "precompiled", &default, Source::Precompiled));
    }
    configurations
}

/// True if there is machine code for this processor and system.
const COMPILES: bool = cfg!(all(target_os = "linux", target_arch = "x86_64"));

/// Returns the expected failures of a mode.
fn list(mode: Mode) -> &'static str {
    match mode {
        Mode::Interp => include_str!("../expected_failures/interp.txt"),
        Mode::Jit => include_str!("../expected_failures/jit.txt"),
        Mode::Tiered => include_str!("../expected_failures/tiered.txt"),
    }
}

fn list_is_current(configuration: &Configuration, expected: &[&'static str], all: &[Script]) -> Trial {
    let unknown: Vec<&str> = expected
        .iter()
        .copied()
        .filter(|name| !all.iter().any(|script| script.name == *name || line_of(name, script).is_some()))
        .collect();
    Trial::test(format!("expected_failures [{}]", configuration.name), move || match unknown.as_slice() {
        [] => Ok(()),
        names => Err(Failed::from(format!("not in the suite: {}", names.join(", ")))),
    })
}

fn run(configuration: &Configuration, script: &Script, expected: &Expected, totals: &Totals) -> Result<(), Failed> {
    let mut config = Config::new();
    config.mode(configuration.mode).tuning(configuration.tuning.clone()).features(script.features);
    let report = match configuration.source {
        Source::Compiled => run_on(&Engine::new(&config), script, expected, totals)?,
        Source::Cache => run_twice(&mut config, script, expected, totals)?,
        Source::Precompiled => {
            let engine = Engine::new(&config);
            let report = run_script_with(&engine, &script.text, &precompiled);
            totals.add(&report);
            let compiled = engine.report().functions + engine.report().loops;
            if compiled > 0 {
                return Err(Failed::from(format!("{compiled} functions were compiled again")));
            }
            report
        }
    };
    expected.check(configuration, script, &report)
}

/// Runs a script, and checks that everything was compiled.
fn run_on(engine: &Engine, script: &Script, expected: &Expected, totals: &Totals) -> Result<Report, Failed> {
    // A module is stored in the cache when its last clone is dropped, so no clone is until the script has ended.
    let modules = Mutex::new(Vec::new());
    let keep = |_: &Engine, module: Module| {
        modules.lock().unwrap_or_else(PoisonError::into_inner).push(module.clone());
        module
    };
    let report = run_script_with(engine, &script.text, &keep);
    drop(modules);
    totals.add(&report);
    let tiers = engine.report();
    if COMPILES && expected.is_none() && (tiers.refused > 0 || tiers.unavailable.is_some()) {
        return Err(Failed::from(format!("not everything was compiled: {tiers}")));
    }
    Ok(report)
}

/// Runs a script with an empty cache, then with what that run left. Returns the report of the second run.
fn run_twice(config: &mut Config, script: &Script, expected: &Expected, totals: &Totals) -> Result<Report, Failed> {
    let dir = tempfile::tempdir().map_err(|error| error.to_string())?;
    let cache = Cache::open(dir.path()).map_err(|error| error.to_string())?;
    config.cache(Some(Arc::new(cache)));
    let (first, second) = (Engine::new(config), Engine::new(config));
    let report = run_on(&first, script, expected, totals)?;
    let again = run_on(&second, script, expected, totals)?;
    let failures =
        |report: &Report| -> Vec<_> { report.failures.iter().map(|f| (f.line, f.message.clone())).collect() };
    if failures(&report) != failures(&again) {
        return Err(Failed::from(format!(
            "only without a cache:\n{}\nonly with it:\n{}",
            text(script, &report),
            text(script, &again)
        )));
    }
    let compiled = |engine: &Engine| engine.report().functions + engine.report().loops;
    let (before, after) = (compiled(&first), compiled(&second));
    if before > 0 && after >= before {
        return Err(Failed::from(format!("{before} functions and loops were compiled, and {after} with the cache")));
    }
    Ok(again)
}

/// Returns a module as another process reads it that was compiled ahead of time.
fn precompiled(engine: &Engine, module: Module) -> Module {
    let bytes = module.serialize(engine).unwrap_or_else(|error| panic!("cannot compile: {error}"));
    // SAFETY: the bytes are those that `serialize` has just returned.
    unsafe { Module::deserialize(engine, bytes) }.unwrap_or_else(|error| panic!("cannot load: {error}"))
}

fn text(script: &Script, report: &Report) -> String {
    let mut text = format!("{} of {} directives failed", report.failures.len(), report.total());
    for failure in report.failures.iter().take(SHOWN) {
        text.push_str(&format!("\n{}:{}:{}: {}", script.name, failure.line, failure.column, failure.message));
    }
    if report.failures.len() > SHOWN {
        text.push_str(&format!("\n… {} more", report.failures.len() - SHOWN));
    }
    text
}
