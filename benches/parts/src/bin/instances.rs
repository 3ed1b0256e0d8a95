//! Makes many instances of a small module and says what each took: time, and memory that stayed.
//!
//!     instances wasmr 100000 fresh     a new store for each instance, dropped after one call: what grows is lost
//!     instances wasmr 10000 kept       all in one store that is kept: what grows is what an instance needs
//!
//! Prints the runtime's name, the number, the way, microseconds per instance, bytes per instance by which the resident
//! set grew. One runtime in a process, because the growth of two could not be told apart; `benches/parts.py` takes turns.
#![forbid(unsafe_code)]

use std::process::ExitCode;
use std::time::Instant;

use wasmr_parts::{Runtime, Wasmr, plugin};

/// Bytes of this process that are in memory.
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
    // Memories that stay reserve address space, of which there is not enough for ten thousand.
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
