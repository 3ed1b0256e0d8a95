//! Costs of two tiers: compiling, calls from one tier to another, and the time until a hot loop is machine code.
//!
//! The size of a function chooses its tier: bodies over [`MAX_COMPILED_SIZE`] stay interpreted. They are padded with `nop`,
//! which no tier executes. The benches check the choice.

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use wasmr::{Config, Engine, Linker, Mode, Module, Store, Tuning, TypedFunc};
use wasmr_core::registry::TypeRegistry;
use wasmr_jit::{CodeOptions, CompilerContext, Entry, JitModule};
use wasmr_module::Features;
use wasmr_parts::programs;
use wasmr_runtime::vm::VmLayout;

/// Bytes of the largest body that is compiled in the benches of calls.
const MAX_COMPILED_SIZE: usize = 1024;

/// Calls of each run.
const ROUNDS: u32 = 100_000;

/// Compiles all functions of a program, one after the other on one thread, as `--mode jit` does. Throughput counts bytes of
/// bodies.
fn compile(criterion: &mut Criterion) {
    for (name, bytes) in programs() {
        let types = Arc::new(TypeRegistry::new());
        let module =
            wasmr_module::Module::new(bytes.into(), name, &Features::default(), &types, 1).expect("it is valid");
        let sizes = |index| module.body(index).bytes.len();
        let small: Vec<u32> = (0..module.defined_func_count())
            .filter(|&index| sizes(index) <= Tuning::default().max_compiled_size)
            .collect();
        let size: usize = small.iter().map(|&index| sizes(index)).sum();
        let mut group = criterion.benchmark_group(format!("compile {name}"));
        group
            .throughput(Throughput::Bytes(size as u64))
            .sample_size(10)
            .warm_up_time(Duration::from_millis(300))
            .measurement_time(Duration::from_secs(2));
        for (what, spectre_guards, guarded) in [
            ("guarded memory", true, true),
            ("checked memory", true, false),
            ("checked memory, without Spectre guards", false, false),
        ] {
            let calls = Tuning::default().calls();
            let options = CodeOptions { guarded, metered: false, spectre_guards, calls };
            let empty = || {
                let jit = JitModule::new(module.clone(), VmLayout::for_module(&module), options);
                (jit.expect("this host has a compiler"), CompilerContext::default())
            };
            group.bench_function(what, |b| {
                b.iter_batched_ref(
                    empty,
                    |(jit, scratch)| {
                        for &index in &small {
                            // A function that the compiler refuses stays interpreted.
                            let _ = black_box(jit.compile(index, Entry::Start, scratch));
                        }
                    },
                    BatchSize::PerIteration,
                )
            });
        }
        group.finish();
    }
}

/// Tier of a function in the module of calls.
#[derive(Clone, Copy)]
enum In {
    Interp,
    Jit,
}

impl In {
    const BOTH: [In; 2] = [In::Interp, In::Jit];

    fn name(self) -> &'static str {
        match self {
            In::Interp => "interp",
            In::Jit => "jit",
        }
    }

    /// Too large to be compiled, or just too large to be inlined.
    fn padding(self) -> String {
        "nop ".repeat(match self {
            In::Interp => MAX_COMPILED_SIZE,
            In::Jit => 200,
        })
    }
}

/// Callees of each tier: a function in either tier, and a host function.
const CALLEES: [&str; 3] = ["interp", "jit", "host"];

/// A function for each tier, and for each tier loops that call both and the host.
fn calls_module() -> String {
    let mut text = String::from(r#"(module (import "host" "next" (func $host (param i32) (result i32)))"#);
    for tier in In::BOTH {
        let (name, padding) = (tier.name(), tier.padding());
        text += &format!(
            r#"(func ${name} (export "{name}") (param i32) (result i32) {padding} (i32.add (local.get 0) (i32.const 3)))"#
        );
        for callee in CALLEES {
            text += &format!(
                r#"(func (export "{name} to {callee}") (param $n i32) (result i32) (local $x i32) {padding}
                    (loop $again
                        (local.set $x (call ${callee} (local.get $x)))
                        (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
                    (local.get $x))"#
            );
        }
    }
    text + ")"
}

/// Measures calls across every boundary, with the loop around them; from the host without.
fn boundaries(criterion: &mut Criterion) {
    let tuning = Tuning { max_compiled_size: MAX_COMPILED_SIZE, baseline_after: 0, ..Tuning::default() };
    let engine = Engine::new(Config::new().mode(Mode::Jit).tuning(tuning));
    let module = Module::new(&engine, calls_module()).expect("it is valid");
    let mut linker = Linker::new();
    linker.func_wrap("host", "next", |x: i32| -> i32 { x.wrapping_add(3) }).expect("a new name");
    let mut store = Store::new(&engine, ());
    let instance = linker.instantiate(&mut store, &module).expect("its import is there");
    let func = |store: &mut Store<()>, name: &str| -> TypedFunc<i32, i32> {
        instance.get_typed_func(&mut *store, name).expect("it is exported")
    };

    let callers = In::BOTH.iter().flat_map(|caller| CALLEES.map(|callee| format!("{} to {callee}", caller.name())));
    for name in callers.chain(In::BOTH.map(|tier| tier.name().to_owned())) {
        func(&mut store, &name).call(&mut store, 1).expect("it does not trap");
    }
    let report = engine.report();
    assert_eq!((report.functions, report.refused), (4, 4), "half of the functions are compiled: {report}");

    let mut group = criterion.benchmark_group("boundaries");
    group.sample_size(20).warm_up_time(Duration::from_millis(200)).measurement_time(Duration::from_millis(700));
    for tier in In::BOTH {
        let callee = func(&mut store, tier.name());
        group.throughput(Throughput::Elements(1));
        group.bench_function(format!("host to {}", tier.name()), |b| {
            b.iter(|| callee.call(&mut store, black_box(1)).expect("it does not trap"))
        });
    }
    for caller in In::BOTH {
        for callee in CALLEES {
            let name = format!("{} to {callee}", caller.name());
            let run = func(&mut store, &name);
            group.throughput(Throughput::Elements(u64::from(ROUNDS)));
            group.bench_function(name, |b| {
                b.iter(|| run.call(&mut store, black_box(ROUNDS as i32)).expect("it does not trap"))
            });
        }
    }
    group.finish();
}

/// Rounds of a hot loop between two looks.
const LOOK_EVERY: u32 = 64;

/// Notes on which stack the host is called: machine code has one of its own.
struct Watch {
    began: Instant,
    stack: Option<usize>,
    changed: Option<Duration>,
}

impl Watch {
    /// Farther apart than calls on one stack.
    const FAR: usize = 256 << 10;

    fn new() -> Watch {
        Watch { began: Instant::now(), stack: None, changed: None }
    }

    /// Notes the address of the stack.
    fn look(&mut self) {
        let here = 0_u8;
        let here = (&raw const here).addr();
        let first = *self.stack.get_or_insert(here);
        let passed = self.began.elapsed();
        if here.abs_diff(first) > Self::FAR {
            self.changed = Some(passed);
        }
        assert!(passed < Duration::from_secs(5), "the loop never became machine code");
    }
}

/// A loop that asks the host every [`LOOK_EVERY`] rounds whether to go on; its body computes, `copies` times the same.
fn hot_loop(copies: usize) -> String {
    let step = "(local.set $x (i64.xor (local.get $x) (i64.shl (local.get $x) (i64.const 13))))
        (local.set $x (i64.add (local.get $x) (i64.rotl (i64.xor (local.get $x) (i64.const 12345)) (i64.const 7))))
        (local.set $x (i64.mul (local.get $x) (i64.extend_i32_u (i32.or (local.get $n) (i32.const 1)))))
        (local.set $x (i64.xor (local.get $x) (i64.shr_u (local.get $x) (i64.const 17))))";
    format!(
        r#"(module (import "host" "look" (func $look (param i64) (result i32)))
            (func (export "run") (param $n i32) (result i32) (local $x i64)
                (local.set $x (i64.const 88172645463325252))
                (loop $again
                    (local.set $n (i32.add (local.get $n) (i32.const 1)))
                    {}
                    (br_if $again (i32.and (local.get $n) (i32.const {})))
                    (br_if $again (call $look (local.get $x))))
                (local.get $n)))"#,
        step.repeat(copies),
        LOOK_EVERY - 1
    )
}

/// From the first call of a hot loop in a new engine to the moment when it runs as machine code, in the same call.
fn tier_up(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("tier-up");
    group.sample_size(20).warm_up_time(Duration::from_millis(200)).measurement_time(Duration::from_secs(1));
    let no_delay = Tuning { tier_up_delay: Duration::ZERO, ..Tuning::default() };
    for (what, copies, tuning) in [
        ("small loop", 1, Tuning::default()),
        ("small loop, no delay at the start", 1, no_delay.clone()),
        ("loop of 3 KiB", 64, Tuning::default()),
        ("loop of 3 KiB, no delay at the start", 64, no_delay),
    ] {
        let text = wat::parse_str(hot_loop(copies)).expect("it is well formed");
        let config = Config::new().tuning(tuning).clone();
        group.bench_function(what, |b| {
            b.iter_custom(|iterations| {
                let one = |_| {
                    let engine = Engine::new(&config);
                    let module = Module::new(&engine, &text).expect("it is valid");
                    let mut linker = Linker::new();
                    let look = |mut caller: wasmr::Caller<'_, Watch>, x: i64| -> i32 {
                        black_box(x);
                        let watch = caller.data_mut();
                        watch.look();
                        watch.changed.is_none().into()
                    };
                    linker.func_wrap("host", "look", look).expect("a new name");
                    let mut store = Store::new(&engine, Watch::new());
                    let instance = linker.instantiate(&mut store, &module).expect("its import is there");
                    let run = instance.get_typed_func::<i32, i32>(&mut store, "run").expect("it is exported");
                    *store.data_mut() = Watch::new();
                    run.call(&mut store, 0).expect("it does not trap");
                    store.data().changed.expect("the loop ends when it has")
                };
                (0..iterations).map(one).sum()
            })
        });
    }
    group.finish();
}

criterion_group!(benches, compile, boundaries, tier_up);
criterion_main!(benches);
