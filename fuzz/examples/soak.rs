//! Runs the comparison of the `differential` target on uninstrumented code, as it is shipped. The fuzzer's instrumentation gives
//! handlers stack frames, so the target itself runs without guard-paged memories and baseline code.
//!
//! `soak FILE-OR-DIRECTORY…` runs inputs, for example the corpus; `soak --random SECONDS [SEED]` makes its own. With `--objects`
//! as its first word, it does the same for the `objects` target, with `--canonical` for the `canonical` target. The first disagreement, panic, crash or hang ends it, with the
//! input in `soak-input`.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use wasmr_fuzz::differential::{self, Depth};
use wasmr_fuzz::value::Random;
use wasmr_fuzz::{canonical, objects};

/// File of the current input. It is written before the input runs, because a crash leaves no time for it.
const INPUT: &str = "soak-input";

/// Inputs begun.
static BEGUN: AtomicU64 = AtomicU64::new(0);

/// A comparison of an input.
type Run = fn(&[u8]) -> arbitrary::Result<Depth>;

/// Time limit of an input.
const DEADLINE: Duration = Duration::from_secs(60);

fn main() -> ExitCode {
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        hook(info);
        // This covers compiler threads too, whose panics would otherwise cost one function's code only.
        eprintln!("the input is in {INPUT}");
        std::process::exit(1);
    }));
    std::thread::spawn(watch);
    let mut words: Vec<String> = std::env::args().skip(1).collect();
    let mut run: Run = differential::run;
    if let Some(other) = words.first().and_then(|word| other_target(word)) {
        words.remove(0);
        run = other;
    }
    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["--random", seconds, ref rest @ ..] => {
            let seconds = seconds.parse().unwrap_or(600);
            random(run, Duration::from_secs(seconds), rest.first().and_then(|seed| seed.parse().ok()).unwrap_or(1));
        }
        [] => {
            eprintln!(
                "usage: soak [--objects | --canonical] FILE-OR-DIRECTORY... | soak [...] --random SECONDS [SEED]"
            );
            return ExitCode::FAILURE;
        }
        _ => {
            let mut files = Vec::new();
            for word in words {
                let path = PathBuf::from(word);
                match std::fs::read_dir(&path) {
                    Ok(entries) => files.extend(entries.flatten().map(|entry| entry.path())),
                    Err(_) => files.push(path),
                }
            }
            let (begin, mut depth, mut count) = (Instant::now(), Depth::default(), 0);
            for file in files {
                if let Ok(data) = std::fs::read(&file) {
                    count += 1;
                    depth += one(run, data);
                }
            }
            report(count, depth, begin);
        }
    }
    ExitCode::SUCCESS
}

/// Returns the comparison of a target by its option.
fn other_target(word: &str) -> Option<Run> {
    match word {
        "--objects" => Some(objects::run::run),
        "--canonical" => Some(canonical::run),
        _ => None,
    }
}

/// Ends the process when an input takes too long.
fn watch() {
    loop {
        let before = BEGUN.load(Ordering::Relaxed);
        std::thread::sleep(DEADLINE);
        assert!(BEGUN.load(Ordering::Relaxed) != before, "an input takes more than {DEADLINE:?}");
    }
}

fn one(run: Run, data: Vec<u8>) -> Depth {
    std::fs::write(INPUT, &data).unwrap_or_else(|error| panic!("{INPUT}: {error}"));
    BEGUN.fetch_add(1, Ordering::Relaxed);
    run(&data).unwrap_or_default()
}

fn random(run: Run, time: Duration, seed: u64) {
    let begin = Instant::now();
    let mut random = Random::new(seed);
    let (mut count, mut depth) = (0, Depth::default());
    while begin.elapsed() < time {
        let length = 64 + random.next() as usize % 20_000;
        let data = std::iter::repeat_with(|| random.next().to_le_bytes()).flatten().take(length).collect();
        count += 1;
        depth += one(run, data);
        if count % 2_000 == 0 {
            report(count, depth, begin);
        }
    }
    report(count, depth, begin);
}

fn report(count: usize, depth: Depth, begin: Instant) {
    let seconds = begin.elapsed().as_secs_f64();
    eprintln!("{count} inputs, {depth:?}, {seconds:.0} s, {:.0}/s", count as f64 / seconds);
}
