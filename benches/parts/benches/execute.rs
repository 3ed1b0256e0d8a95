//! Parts of execution: making an instance, calls into the guest, calls out of it, and kernels of each kind.
//!
//! Runtimes take turns within each part. Calls and kernels count rounds, so times are per round: of `host_calls` one
//! call from WebAssembly to Rust and back with the loop around it, of `fib` one activation.

use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use wasmr_parts::{Runtime, Wasmr, WasmrInterp, guest, plugin};

/// Rounds of every kernel: some milliseconds in an interpreter.
const ROUNDS: i32 = 100_000;

/// `fib(22)` has this many activations.
const FIB: (i32, u64) = (22, 57_313);

const KERNELS: &[&str] = &["host_calls", "calls", "indirect_calls", "fib", "integers", "floats", "memory", "branches"];

fn instance<R: Runtime>(criterion: &mut Criterion) {
    let prepared = R::prepare(&plugin(true));
    let mut group = criterion.benchmark_group("instance");
    group.sample_size(20).warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_secs(1));
    group.bench_function(BenchmarkId::from_parameter(R::NAME), |b| {
        b.iter(|| {
            let mut store = R::store(&prepared);
            let run = R::export(&prepared, &mut store, "run");
            R::call(&mut store, &run, 1)
        })
    });
    group.finish();
}

fn call_in<R: Runtime>(criterion: &mut Criterion) {
    let prepared = R::prepare(&guest());
    let mut store = R::store(&prepared);
    let nop = R::export(&prepared, &mut store, "nop");
    let mut group = criterion.benchmark_group("call from Rust");
    group.sample_size(20).warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_secs(1));
    group.bench_function(BenchmarkId::from_parameter(R::NAME), |b| b.iter(|| R::call(&mut store, &nop, 1)));
    group.finish();
}

fn kernel<R: Runtime>(criterion: &mut Criterion, name: &str) {
    let prepared = R::prepare(&guest());
    let mut store = R::store(&prepared);
    let func = R::export(&prepared, &mut store, name);
    let (argument, rounds) = if name == "fib" { FIB } else { (ROUNDS, ROUNDS as u64) };
    let mut group = criterion.benchmark_group(name);
    group
        .sample_size(10)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_millis(700))
        .throughput(Throughput::Elements(rounds));
    group.bench_function(BenchmarkId::from_parameter(R::NAME), |b| b.iter(|| R::call(&mut store, &func, argument)));
    group.finish();
}

/// Calls a bench for every runtime that was built in.
macro_rules! for_each_runtime {
    ($bench:ident($($argument:expr),*)) => {
        $bench::<Wasmr>($($argument),*);
        $bench::<WasmrInterp>($($argument),*);
        #[cfg(feature = "wasmi")]
        $bench::<wasmr_parts::Wasmi>($($argument),*);
        #[cfg(feature = "wasmtime")]
        $bench::<wasmr_parts::Wasmtime>($($argument),*);
    };
}

fn execute(criterion: &mut Criterion) {
    for_each_runtime!(instance(criterion));
    for_each_runtime!(call_in(criterion));
    for name in KERNELS {
        for_each_runtime!(kernel(criterion, name));
    }
}

criterion_group!(benches, execute);
criterion_main!(benches);
