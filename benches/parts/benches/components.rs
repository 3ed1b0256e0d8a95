//! Calls of components: from Rust, of Rust, and from component to component; and a fresh store with an instance.
//!
//! Runtimes take turns within each part. Times are per call, with the loop around it where the guest calls.

use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};

const TEXT: &str = include_str!("../src/component.wat");
const ROUNDS: u32 = 1000;

/// The parts that the guest runs: its export, and the bytes that each call passes.
const GUEST: [(&str, Option<u32>); 7] = [
    ("host-nop", None),
    ("host-bytes", Some(1 << 10)),
    ("host-bytes", Some(1 << 20)),
    ("c-nop", None),
    ("c-text", Some(16)),
    ("c-bytes", Some(1 << 10)),
    ("c-bytes", Some(1 << 20)),
];

/// The measured steps of a runtime, by its own names.
macro_rules! bench {
    ($bench:ident, $name:literal, $runtime:ident, $component:path, $prepare:expr, $linker:expr) => {
        fn $bench(criterion: &mut Criterion) {
            use $runtime::{Engine, Store};

            let engine = Engine::default();
            let component = $component(&engine, TEXT).expect("the guest is valid");
            let linker = $linker(&engine);
            let pre = $prepare(&linker, &component);
            let mut store = Store::new(&engine, 0usize);
            let instance = pre.instantiate(&mut store).expect("its imports are there");

            let nop = instance.get_typed_func::<(), ()>(&mut store, "nop").expect("it is exported");
            let mut group = criterion.benchmark_group("component nop");
            group.sample_size(20).warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_secs(1));
            group.bench_function($name, |b| b.iter(|| nop.call(&mut store, ()).expect("it returns")));
            group.finish();

            let text = instance.get_typed_func::<(&str,), ()>(&mut store, "text").expect("it is exported");
            let mut group = criterion.benchmark_group("component text 16");
            group.sample_size(20).warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_secs(1));
            group.bench_function($name, |b| b.iter(|| text.call(&mut store, ("sixteen letters.",)).expect("it returns")));
            group.finish();

            for (export, len) in GUEST {
                let what = len.map_or(export.to_owned(), |len| format!("{export} {len}"));
                let rounds = if len == Some(1 << 20) { ROUNDS / 50 } else { ROUNDS };
                let mut group = criterion.benchmark_group(format!("component {what}"));
                group
                    .sample_size(20)
                    .warm_up_time(Duration::from_millis(300))
                    .measurement_time(Duration::from_secs(1))
                    .throughput(Throughput::Elements(rounds.into()));
                match len {
                    None => {
                        let func = instance.get_typed_func::<(u32,), ()>(&mut store, export).expect("it is exported");
                        group.bench_function($name, |b| b.iter(|| func.call(&mut store, (rounds,)).expect("it returns")));
                    }
                    Some(len) => {
                        let func = instance.get_typed_func::<(u32, u32), ()>(&mut store, export).expect("it is exported");
                        group.bench_function($name, |b| b.iter(|| func.call(&mut store, (rounds, len)).expect("it returns")));
                    }
                }
                group.finish();
            }

            let mut group = criterion.benchmark_group("component instance");
            group.sample_size(20).warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_secs(1));
            group.bench_function($name, |b| {
                b.iter(|| {
                    let mut store = Store::new(&engine, 0usize);
                    pre.instantiate(&mut store).expect("its imports are there");
                })
            });
            group.finish();
        }
    };
}

mod ours {
    use wasmr::component::{Component, ComponentPre, Linker};
    use wasmr::{Engine, Stop, StoreContextMut};

    pub fn linker(_: &Engine) -> Linker<usize> {
        let mut linker = Linker::new();
        let mut host = linker.instance("host").expect("a new name");
        host.func_wrap("nop", |_: StoreContextMut<'_, usize>, ()| Ok::<_, Stop>(())).expect("a new name");
        host.func_wrap("bytes", |mut store: StoreContextMut<'_, usize>, (list,): (Vec<u8>,)| {
            *store.data_mut() += list.len();
            Ok::<_, Stop>(())
        })
        .expect("a new name");
        linker
    }

    pub fn prepare(linker: &Linker<usize>, component: &Component) -> ComponentPre<usize> {
        linker.prepare(component).expect("its imports are there")
    }
}

#[cfg(feature = "wasmtime")]
mod theirs {
    use wasmtime::component::{Component, InstancePre, Linker};
    use wasmtime::{Engine, StoreContextMut};

    pub fn linker(engine: &Engine) -> Linker<usize> {
        let mut linker = Linker::new(engine);
        let mut host = linker.instance("host").expect("a new name");
        host.func_wrap("nop", |_: StoreContextMut<'_, usize>, ()| Ok(())).expect("a new name");
        host.func_wrap("bytes", |mut store: StoreContextMut<'_, usize>, (list,): (Vec<u8>,)| {
            *store.data_mut() += list.len();
            Ok(())
        })
        .expect("a new name");
        linker
    }

    pub fn prepare(linker: &Linker<usize>, component: &Component) -> InstancePre<usize> {
        linker.instantiate_pre(component).expect("its imports are there")
    }
}

bench!(in_wasmr, "wasmr", wasmr, wasmr::component::Component::new, ours::prepare, ours::linker);
#[cfg(feature = "wasmtime")]
bench!(in_wasmtime, "wasmtime", wasmtime, wasmtime::component::Component::new, theirs::prepare, theirs::linker);

#[cfg(not(feature = "wasmtime"))]
criterion_group!(benches, in_wasmr);
#[cfg(feature = "wasmtime")]
criterion_group!(benches, in_wasmr, in_wasmtime);
criterion_main!(benches);
