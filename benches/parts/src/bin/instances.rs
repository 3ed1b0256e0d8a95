//! Makes many instances of a small module. Prints the time and the remaining memory of each.
//!
//!     instances wasmr 100000 fresh     a new store for each instance, dropped after one call: growth is a leak
//!     instances wasmr 10000 kept       all in one store that is kept: growth is an instance's need
//!
//! Prints the runtime's name, the number, `fresh` or `kept`, microseconds per instance, and growth of the resident set in bytes
//! per instance. A process runs one runtime, because the growth of two could not be told apart; `benches/parts.py` alternates.
#![forbid(unsafe_code)]

use std::process::ExitCode;
use std::time::Instant;

use wasmr_parts::{Runtime, Wasmr, plugin};

/// Returns the resident set of this process in bytes.
fn resident() -> i64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    statm.split(' ').nth(1).and_then(|pages| pages.parse::<i64>().ok()).unwrap_or(0) * 4096
}

fn fresh<R: Runtime>(prepared: &R::Prepared, count: i32) -> i32 {
    (0..count).fold(0i32, |sum, n| {
        let mut store = R::store(prepared);
        let run = R::export(prepared, &mut store, "run");
        sum.wrapping_add(R::call(&mut store, &run, n))
    })
}

fn kept<R: Runtime>(prepared: &R::Prepared, store: &mut R::Store, count: i32) -> i32 {
    (0..count).fold(0i32, |sum, n| {
        let run = R::export(prepared, store, "run");
        sum.wrapping_add(R::call(store, &run, n))
    })
}

fn measure<R: Runtime>(count: i32, keep: bool) {
    // Memories reserve address space, and ten thousand kept ones need more than there is.
    let prepared = R::prepare(&plugin(!keep));
    fresh::<R>(&prepared, 100);
    let mut store = R::store(&prepared);
    let before = resident();
    let start = Instant::now();
    let sum = if keep { kept::<R>(&prepared, &mut store, count) } else { fresh::<R>(&prepared, count) };
    let took = start.elapsed().as_secs_f64() * 1e6 / f64::from(count);
    let grown = (resident() - before) as f64 / f64::from(count);
    let way = if keep { "kept" } else { "fresh" };
    assert_eq!(sum, (0..count).fold(0i32, |sum, n| sum.wrapping_add(n.wrapping_add(7))), "every instance was called");
    println!("{} {count} {way} {took:.3} {grown:.1}", R::NAME);
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let runtime = words.first().map_or("wasmr", |word| word);
    let count = words.get(1).and_then(|word| word.parse().ok()).unwrap_or(100_000);
    let keep = words.get(2).is_some_and(|word| word == "kept");
    match runtime {
        "wasmr" => measure::<Wasmr>(count, keep),
        #[cfg(feature = "wasmi")]
        "wasmi" => measure::<wasmr_parts::Wasmi>(count, keep),
        #[cfg(feature = "wasmtime")]
        "wasmtime" => measure::<wasmr_parts::Wasmtime>(count, keep),
        other => {
            eprintln!("instances: {other} is not built in");
            return ExitCode::from(2);
        }
    }
    ExitCode::SUCCESS
}
