//! Loading: decoding and validating, translating; for peers, the call that does as much.
//!
//! In: QuickJS, if `scripts/fetch-programs.sh` has fetched it, and CoreMark. Throughput counts bytes of the file.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use wasmr_core::registry::TypeRegistry;
use wasmr_interp::ModuleCode;
use wasmr_module::{Features, Module};
use wasmr_parts::programs;

fn module(bytes: &Arc<Vec<u8>>, threads: usize) -> Arc<Module> {
    let types = Arc::new(TypeRegistry::new());
    Module::new(bytes.to_vec().into(), "bench", &Features::default(), &types, threads).expect("it is valid")
}

fn load(criterion: &mut Criterion) {
    for (name, bytes) in programs() {
        let size = bytes.len() as u64;
        let mut group = criterion.benchmark_group(format!("load {name}"));
        group
            .throughput(Throughput::Bytes(size))
            .sample_size(10)
            .warm_up_time(Duration::from_millis(300))
            .measurement_time(Duration::from_secs(1));
        let shared = Arc::new(bytes.clone());
        group.bench_function("wasmr: decode and validate, 1 thread", |b| b.iter(|| module(&shared, 1)));
        group.bench_function("wasmr: decode and validate, 2 threads", |b| b.iter(|| module(&shared, 2)));
        let decoded = module(&shared, 2);
        group.bench_function("wasmr: translate all functions", |b| {
            b.iter(|| {
                let code = ModuleCode::new(decoded.clone());
                for index in 0..decoded.defined_func_count() {
                    black_box(code.get_or_translate(index, true).expect("it can be translated"));
                }
                code
            })
        });
        #[cfg(feature = "wasmi")]
        {
            let engine = wasmi::Engine::default();
            group.bench_function("wasmi: Module::new, validates", |b| {
                b.iter(|| wasmi::Module::new(&engine, &bytes[..]).expect("it is valid"))
            });
            let mut config = wasmi::Config::default();
            config.compilation_mode(wasmi::CompilationMode::Eager);
            let engine = wasmi::Engine::new(&config);
            group.bench_function("wasmi: Module::new, validates and translates", |b| {
                b.iter(|| wasmi::Module::new(&engine, &bytes[..]).expect("it is valid"))
            });
        }
        #[cfg(feature = "wasmtime")]
        {
            let engine = wasmtime::Engine::default();
            group.bench_function("wasmtime: Module::validate", |b| {
                b.iter(|| wasmtime::Module::validate(&engine, &bytes).expect("it is valid"))
            });
            if size < 1 << 20 {
                group.bench_function("wasmtime: Module::new, compiles, 1 thread", |b| {
                    b.iter(|| wasmtime::Module::new(&engine, &bytes).expect("it is valid"))
                });
            }
        }
        group.finish();
    }
}

criterion_group!(benches, load);
criterion_main!(benches);
