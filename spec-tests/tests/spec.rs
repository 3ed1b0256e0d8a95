//! Runs the official suite, with one named test per script and configuration: `spec/i32.wast [interp]`.
//!
//! A script on its mode's list of expected failures must fail, and every other script must pass. Names on the list must exist
//! in the suite. When a script passes, the run fails until its line is removed, so the lists only shrink. The last line of
//! output counts files and directives.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use libtest_mimic::{Arguments, Failed, Trial};
use wasmr::wast::{Report, run_script};
use wasmr::{Config, Engine, Mode, Tuning};
use wasmr_spec_tests::{Script, expected_failures, scripts};

/// Number of failed directives of a script that are printed.
const SHOWN: usize = 20;

#[derive(Default)]
struct Totals {
    files: AtomicUsize,
    files_passed: AtomicUsize,
    directives: AtomicUsize,
    directives_passed: AtomicUsize,
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
            let expected_to_fail = expected.contains(&script.name.as_str());
            let (configuration, totals) = (configuration.clone(), totals.clone());
            let name = format!("{} [{}]", script.name, configuration.name);
            trials.push(Trial::test(name, move || run(&configuration, &script, expected_to_fail, &totals)));
        }
    }
    let conclusion = libtest_mimic::run(&args, trials);
    let count = |counter: &AtomicUsize| counter.load(Ordering::Relaxed);
    println!(
        "official suite: {} of {} files pass, {} of {} directives",
        count(&totals.files_passed),
        count(&totals.files),
        count(&totals.directives_passed),
        count(&totals.directives)
    );
    conclusion.exit();
}

/// A mode, with default or extreme tuning.
#[derive(Clone)]
struct Configuration {
    name: String,
    mode: Mode,
    tuning: Tuning,
}

/// Returns the configurations: every mode with default tuning; the interpreter with copy-and-patch code for every function
/// before its first execution; and tiered mode with tier-up in the middle of every first execution.
fn configurations() -> Vec<Configuration> {
    let as_it_is = |&mode: &Mode| Configuration { name: mode.to_string(), mode, tuning: Tuning::default() };
    let mut configurations: Vec<Configuration> = Mode::ALL.iter().map(as_it_is).collect();
    let copied = Tuning { copy_and_patch: true, copy_and_patch_after: 0, ..Tuning::default() };
    configurations.push(Configuration { name: "interp, copied".to_owned(), mode: Mode::Interp, tuning: copied });
    let at_once = Tuning { tier_up_after: 0, ..Tuning::default() };
    configurations.push(Configuration { name: "tiered, at once".to_owned(), mode: Mode::Tiered, tuning: at_once });
    configurations
}

/// Returns the expected failures of a mode.
fn list(mode: Mode) -> &'static str {
    match mode {
        Mode::Interp => include_str!("../expected_failures/interp.txt"),
        Mode::Jit => include_str!("../expected_failures/jit.txt"),
        Mode::Tiered => include_str!("../expected_failures/tiered.txt"),
    }
}

fn list_is_current(configuration: &Configuration, expected: &[&'static str], all: &[Script]) -> Trial {
    let unknown: Vec<&str> =
        expected.iter().copied().filter(|name| all.iter().all(|script| script.name != *name)).collect();
    Trial::test(format!("expected_failures [{}]", configuration.name), move || match unknown.as_slice() {
        [] => Ok(()),
        names => Err(Failed::from(format!("not in the suite: {}", names.join(", ")))),
    })
}

fn run(configuration: &Configuration, script: &Script, expected_to_fail: bool, totals: &Totals) -> Result<(), Failed> {
    let engine = Engine::new(
        Config::new().mode(configuration.mode).tuning(configuration.tuning.clone()).features(script.features),
    );
    let report = run_script(&engine, script.text);
    totals.files.fetch_add(1, Ordering::Relaxed);
    totals.files_passed.fetch_add(report.is_success().into(), Ordering::Relaxed);
    totals.directives.fetch_add(report.total(), Ordering::Relaxed);
    totals.directives_passed.fetch_add(report.passed, Ordering::Relaxed);
    let tiers = engine.report();
    let compiles = cfg!(all(target_os = "linux", target_arch = "x86_64"));
    if compiles && !expected_to_fail && (tiers.refused > 0 || tiers.unavailable.is_some()) {
        return Err(Failed::from(format!("not everything was compiled: {tiers}")));
    }
    match (report.is_success(), expected_to_fail) {
        (true, false) | (false, true) => Ok(()),
        (true, true) => {
            Err(Failed::from(format!("it passes now: take it off expected_failures/{}.txt", configuration.mode)))
        }
        (false, false) => Err(Failed::from(text(script, &report))),
    }
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
