//! Parts of components: calls from Rust, of Rust, and from component to component, and a fresh store with an instance.
//!
//! Runtimes take turns within each part. Where the guest calls, times are per call, with the loop around it.
//!
//! *Bytes* are copied into a `Vec`; *lent* bytes stay in the guest's memory, and the host looks at them there. The row *memcpy* is a plain
//! copy of as many bytes into a `Vec`. The *instances* are of guests of the tests in C and in Rust, behind the adapter from Preview 1 to WASI 0.2.

use std::fs;
use std::hint::black_box;
use std::path::Path;
use std::time::Duration;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main};
use wasi_preview1_component_adapter_provider as adapters;
use wit_component::ComponentEncoder;

/// Rounds of a loop in the guest.
const ROUNDS: u32 = 1000;

/// The same for calls that pass [`LARGE`] bytes.
const LARGE_ROUNDS: u32 = 20;

const LARGE: u32 = 1 << 20;

const TEXT: &str = "sixteen letters.";

/// The function that runs a command.
const RUN: &str = "wasi:cli/run@0.2.12#run";

/// The parts in which the guest calls: its export, and the bytes that each call passes.
const PARTS: [(&str, Option<u32>); 9] = [
    ("host-nop", None),
    ("host-bytes", Some(1 << 10)),
    ("host-bytes", Some(LARGE)),
    ("host-lent", Some(1 << 10)),
    ("host-lent", Some(LARGE)),
    ("c-nop", None),
    ("c-text", Some(TEXT.len() as u32)),
    ("c-bytes", Some(1 << 10)),
    ("c-bytes", Some(LARGE)),
];

/// Record of what the host's functions saw.
#[derive(Default)]
struct Seen {
    calls: u64,
    bytes: u64,
    first: u8,
}

impl Seen {
    fn note(&mut self, list: &[u8]) {
        self.bytes += list.len() as u64;
        self.first = list.first().copied().unwrap_or(0);
    }
}

/// The measured steps of one runtime. A value is an instance of the guest, in its store.
trait Runtime {
    /// Name in the results.
    const NAME: &'static str;

    fn new(binary: &[u8]) -> Self;
    /// Calls `nop`.
    fn nop(&mut self);
    /// Calls `text`.
    fn text(&mut self, text: &'static str);
    /// Returns the last argument of `text`.
    fn last_text(&mut self) -> String;
    /// Returns a call of an export of the guest that calls so often, and passes so many bytes.
    fn rounds(&mut self, export: &str, rounds: u32, len: Option<u32>) -> impl FnMut();
    /// Returns what the host's functions saw.
    fn seen(&mut self) -> &mut Seen;
    /// Returns the number of calls and bytes that the inner component counted.
    fn inner_total(&mut self) -> u64;

    /// Returns a function that makes a store with an instance of a command.
    fn command(binary: &[u8]) -> impl Fn();
    /// Runs a command. Returns what it wrote.
    fn output(binary: &[u8]) -> Vec<u8>;
}

/// Implements [`Runtime`]. The module has what the runtimes name differently.
macro_rules! runtime {
    ($name:literal) => {
        pub struct Runtime {
            store: Store<Seen>,
            instance: Instance,
            nop: TypedFunc<(), ()>,
            text: TypedFunc<(&'static str,), ()>,
        }

        impl super::Runtime for Runtime {
            const NAME: &'static str = $name;

            fn new(binary: &[u8]) -> Runtime {
                let engine = Engine::default();
                let component = Component::new(&engine, binary).expect("the guest is valid");
                let mut store = Store::new(&engine, Seen::default());
                let instance = linker(&engine).instantiate(&mut store, &component).expect("its imports are there");
                let nop = instance.get_typed_func(&mut store, "nop").expect("it is exported");
                let text = instance.get_typed_func(&mut store, "text").expect("it is exported");
                Runtime { store, instance, nop, text }
            }

            fn nop(&mut self) {
                self.nop.call(&mut self.store, ()).expect("it returns");
            }

            fn text(&mut self, text: &'static str) {
                self.text.call(&mut self.store, (text,)).expect("it returns");
            }

            fn last_text(&mut self) -> String {
                let func = self.instance.get_typed_func::<(), One<String>>(&mut self.store, "last-text");
                one(func.expect("it is exported").call(&mut self.store, ()).expect("it returns"))
            }

            fn rounds(&mut self, export: &str, rounds: u32, len: Option<u32>) -> impl FnMut() {
                let Runtime { store, instance, .. } = self;
                let alone = len.is_none().then(|| instance.get_typed_func::<(u32,), ()>(&mut *store, export));
                let alone = alone.transpose().expect("it is exported");
                let sized = len.map(|len| (instance.get_typed_func::<(u32, u32), ()>(&mut *store, export), len));
                let sized = sized.map(|(func, len)| (func.expect("it is exported"), len));
                move || {
                    if let Some(func) = &alone {
                        func.call(&mut *store, (rounds,)).expect("it returns");
                    }
                    if let Some((func, len)) = &sized {
                        func.call(&mut *store, (rounds, *len)).expect("it returns");
                    }
                }
            }

            fn seen(&mut self) -> &mut Seen {
                self.store.data_mut()
            }

            fn inner_total(&mut self) -> u64 {
                let func = self.instance.get_typed_func::<(), One<u64>>(&mut self.store, "c-total");
                one(func.expect("it is exported").call(&mut self.store, ()).expect("it returns"))
            }

            fn command(binary: &[u8]) -> impl Fn() {
                let engine = Engine::default();
                let pre = prepare(&engine, binary);
                move || {
                    let mut store = Store::new(&engine, wasi(|_| {}));
                    pre.instantiate(&mut store).expect("its imports are there");
                }
            }

            fn output(binary: &[u8]) -> Vec<u8> {
                let engine = Engine::default();
                let output = Output::new(1024);
                let mut store = Store::new(&engine, wasi(|builder| write_to(builder, &output)));
                let instance = prepare(&engine, binary).instantiate(&mut store).expect("its imports are there");
                run(&mut store, &instance);
                output.contents().to_vec()
            }
        }
    };
}

mod ours {
    use wasmr::component::{Component, ComponentPre, GuestBytes, Instance, Linker, TypedFunc};
    use wasmr::wasi::p2::{P2Ctx, link::add_imports_to_linker};
    use wasmr::wasi::{OutputBuffer as Output, Stdout, WasiCtx, WasiCtxBuilder};
    use wasmr::{Engine, Stop, Store, StoreContextMut};

    use crate::{RUN, Seen};

    type One<R> = R;

    fn one<R>(result: R) -> R {
        result
    }

    fn linker(_: &Engine) -> Linker<Seen> {
        let mut linker = Linker::new();
        let mut host = linker.instance("host").expect("a new name");
        host.func_wrap("nop", |mut store: StoreContextMut<'_, Seen>, ()| {
            store.data_mut().calls += 1;
            Ok::<_, Stop>(())
        })
        .expect("a new name");
        host.func_wrap("bytes", |mut store: StoreContextMut<'_, Seen>, (list,): (Vec<u8>,)| {
            store.data_mut().note(&list);
            Ok::<_, Stop>(())
        })
        .expect("a new name");
        host.func_wrap("lent", |mut store: StoreContextMut<'_, Seen>, (list,): (GuestBytes,)| {
            if let Some((list, seen)) = list.with_data(&mut store) {
                seen.note(list);
            }
            Ok::<_, Stop>(())
        })
        .expect("a new name");
        linker
    }

    fn wasi(build: impl FnOnce(&mut WasiCtxBuilder)) -> P2Ctx {
        let mut builder = WasiCtx::builder();
        build(&mut builder);
        P2Ctx::new(builder.build().expect("nothing is granted that could fail"))
    }

    fn prepare(engine: &Engine, binary: &[u8]) -> ComponentPre<P2Ctx> {
        let component = Component::new(engine, binary).expect("the command is valid");
        let mut linker = Linker::new();
        add_imports_to_linker(&mut linker, &component.component, |ctx: &mut P2Ctx| ctx).expect("new names");
        linker.prepare(&component).expect("its imports are there")
    }

    fn write_to(builder: &mut WasiCtxBuilder, output: &Output) {
        builder.stdout(Stdout::Buffer(output.clone()));
    }

    fn run(store: &mut Store<P2Ctx>, instance: &Instance) {
        let run = instance.get_typed_func::<(), Result<(), ()>>(&mut *store, RUN).expect("it is exported");
        run.call(store, ()).expect("it returns").expect("it succeeds");
    }

    runtime!("wasmr");
}

#[cfg(feature = "wasmtime")]
mod theirs {
    use wasmtime::component::{Component, Instance, InstancePre, Linker, ResourceTable, TypedFunc, WasmList};
    use wasmtime::{Engine, Store, StoreContextMut};
    use wasmtime_wasi::p2::{add_to_linker_sync, pipe::MemoryOutputPipe as Output};
    use wasmtime_wasi::{WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};

    use crate::{RUN, Seen};

    type One<R> = (R,);

    fn one<R>((result,): (R,)) -> R {
        result
    }

    struct Wasi {
        ctx: WasiCtx,
        table: ResourceTable,
    }

    impl WasiView for Wasi {
        fn ctx(&mut self) -> WasiCtxView<'_> {
            WasiCtxView { ctx: &mut self.ctx, table: &mut self.table }
        }
    }

    fn linker(engine: &Engine) -> Linker<Seen> {
        let mut linker = Linker::new(engine);
        let mut host = linker.instance("host").expect("a new name");
        host.func_wrap("nop", |mut store: StoreContextMut<'_, Seen>, ()| {
            store.data_mut().calls += 1;
            Ok(())
        })
        .expect("a new name");
        host.func_wrap("bytes", |mut store: StoreContextMut<'_, Seen>, (list,): (Vec<u8>,)| {
            store.data_mut().note(&list);
            Ok(())
        })
        .expect("a new name");
        host.func_wrap("lent", |mut store: StoreContextMut<'_, Seen>, (list,): (WasmList<u8>,)| {
            let list = list.as_le_slice(&store);
            let (len, first) = (list.len() as u64, list.first().copied().unwrap_or(0));
            let seen = store.data_mut();
            (seen.bytes, seen.first) = (seen.bytes + len, first);
            Ok(())
        })
        .expect("a new name");
        linker
    }

    fn wasi(build: impl FnOnce(&mut WasiCtxBuilder)) -> Wasi {
        let mut builder = WasiCtx::builder();
        build(&mut builder);
        Wasi { ctx: builder.build(), table: ResourceTable::new() }
    }

    fn prepare(engine: &Engine, binary: &[u8]) -> InstancePre<Wasi> {
        let component = Component::new(engine, binary).expect("the command is valid");
        let mut linker = Linker::new(engine);
        add_to_linker_sync(&mut linker).expect("new names");
        linker.instantiate_pre(&component).expect("its imports are there")
    }

    fn write_to(builder: &mut WasiCtxBuilder, output: &Output) {
        builder.stdout(output.clone());
    }

    fn run(store: &mut Store<Wasi>, instance: &Instance) {
        let (interface, name) = RUN.split_once('#').expect("both are in the name");
        let interface = instance.get_export_index(&mut *store, None, interface).expect("it is exported");
        let name = instance.get_export_index(&mut *store, Some(&interface), name).expect("it is exported");
        let run = instance.get_typed_func::<(), (Result<(), ()>,)>(&mut *store, name).expect("it is exported");
        run.call(store, ()).expect("it returns").0.expect("it succeeds");
    }

    runtime!("wasmtime");
}

/// Calls a bench for every runtime that was built in.
macro_rules! for_each_runtime {
    ($bench:ident($($argument:expr),*)) => {
        $bench::<ours::Runtime>($($argument),*);
        #[cfg(feature = "wasmtime")]
        $bench::<theirs::Runtime>($($argument),*);
    };
}

fn group<'a>(criterion: &'a mut Criterion, name: &str) -> BenchmarkGroup<'a, WallTime> {
    let mut group = criterion.benchmark_group(name);
    group.sample_size(20).warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_secs(1));
    group
}

/// Compares what the guest and the host saw with what was passed.
fn check<R: Runtime>(guest: &[u8], commands: &[Command]) {
    let mut runtime = R::new(guest);
    runtime.nop();
    runtime.text(TEXT);
    assert_eq!(runtime.last_text(), TEXT);
    runtime.rounds("host-nop", 3, None)();
    assert_eq!(runtime.seen().calls, 3);
    for export in ["host-bytes", "host-lent"] {
        *runtime.seen() = Seen::default();
        runtime.rounds(export, 3, Some(LARGE))();
        assert_eq!((runtime.seen().bytes, runtime.seen().first), (3 * u64::from(LARGE), TEXT.as_bytes()[0]));
    }
    runtime.rounds("c-nop", 3, None)();
    runtime.rounds("c-text", 3, Some(16))();
    runtime.rounds("c-bytes", 3, Some(LARGE))();
    assert_eq!(runtime.inner_total(), 3 * (1 + 16 + u64::from(LARGE)));
    for command in commands {
        assert!(R::output(&command.binary).starts_with(command.output), "{}", command.language);
    }
}

fn call_in<R: Runtime>(criterion: &mut Criterion, guest: &[u8]) {
    let mut runtime = R::new(guest);
    group(criterion, "component nop").bench_function(R::NAME, |b| b.iter(|| runtime.nop()));
    group(criterion, "component text 16").bench_function(R::NAME, |b| b.iter(|| runtime.text(TEXT)));
}

fn part<R: Runtime>(criterion: &mut Criterion, guest: &[u8], export: &str, len: Option<u32>) {
    let mut runtime = R::new(guest);
    let rounds = if len == Some(LARGE) { LARGE_ROUNDS } else { ROUNDS };
    let mut call = runtime.rounds(export, rounds, len);
    let mut group = group(criterion, &part_name(export, len));
    group.throughput(Throughput::Elements(rounds.into())).bench_function(R::NAME, |b| b.iter(&mut call));
}

fn part_name(export: &str, len: Option<u32>) -> String {
    len.map_or(format!("component {export}"), |len| format!("component {export} {len}"))
}

/// A copy of as many bytes into a `Vec`.
fn memcpy(criterion: &mut Criterion, export: &str, len: u32) {
    let source = vec![1u8; len as usize];
    group(criterion, &part_name(export, Some(len)))
        .bench_function("memcpy", |b| b.iter(|| black_box(&source[..]).to_vec()));
}

fn instance<R: Runtime>(criterion: &mut Criterion, command: &Command) {
    let instantiate = R::command(&command.binary);
    group(criterion, &format!("component instance {}", command.language))
        .bench_function(R::NAME, |b| b.iter(&instantiate));
}

/// A program for WASI 0.2.
struct Command {
    language: &'static str,
    binary: Vec<u8>,
    /// Beginning of its output.
    output: &'static [u8],
}

/// Returns a guest of the tests as a component.
fn command(guest: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/guests").join(guest);
    let program = fs::read(&path).expect("the guest is committed");
    let mut encoder = ComponentEncoder::default();
    let component = encoder
        .module(&program)
        .and_then(|encoder| {
            let adapter = adapters::WASI_SNAPSHOT_PREVIEW1_COMMAND_ADAPTER;
            encoder.adapter(adapters::WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, adapter)
        })
        .and_then(|encoder| encoder.encode());
    component.expect("the guest is a command of Preview 1")
}

fn components(criterion: &mut Criterion) {
    let guest = wat::parse_str(include_str!("../src/component.wat")).expect("the guest is well formed");
    let commands = [
        Command { language: "C", binary: command("hello.wasm"), output: b"hello from wasm\n" },
        Command { language: "Rust", binary: command("rust_hello.wasm"), output: b"args: []\n" },
    ];
    for_each_runtime!(check(&guest, &commands));
    for_each_runtime!(call_in(criterion, &guest));
    for (export, len) in PARTS {
        for_each_runtime!(part(criterion, &guest, export, len));
        if export == "host-bytes"
            && let Some(len) = len
        {
            memcpy(criterion, export, len);
        }
    }
    for command in &commands {
        for_each_runtime!(instance(criterion, command));
    }
}

criterion_group!(benches, components);
criterion_main!(benches);
