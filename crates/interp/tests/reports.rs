//! Reports of the interpreter to the executable of a module: first calls, and loops and calls by their offsets in the module.

use std::ffi::c_void;
use std::sync::{Arc, Mutex, MutexGuard};

use wasmr_core::registry::TypeRegistry;
use wasmr_interp::{CodeOptions, InterpTier, ModuleCode, SampleWeight};
use wasmr_module::operators::operators;
use wasmr_module::{Features, Module};
use wasmr_runtime::running::RunningFunc;
use wasmr_runtime::tier::{BudgetInterrupt, CallSiteId, Executable, FuncEntry};
use wasmr_runtime::{Instance, LoadedModule, MemoryStrategy, Store, StoreConfig, StoreLimits};

#[derive(Debug, PartialEq, Eq)]
enum Report {
    /// Index of the function.
    FirstCall(u32),
    /// Index of the function, and offset of the loop.
    Interrupt(u32, Option<usize>),
    /// Index of the function.
    Sample(u32),
    /// Indices of caller and callee.
    Call(u32, CallSiteId, u32),
}

/// The interpreter's code of a module, which keeps all reports.
struct Recorder {
    code: Arc<ModuleCode>,
    reports: Mutex<Vec<Report>>,
}

impl Recorder {
    fn reports(&self) -> MutexGuard<'_, Vec<Report>> {
        self.reports.lock().unwrap()
    }
}

impl Executable for Recorder {
    fn first_entry(&self, index: u32) -> FuncEntry {
        self.code.first_entry(index)
    }

    fn initial_budget(&self) -> i32 {
        self.code.initial_budget()
    }

    fn vm_data(&self) -> *const c_void {
        self.code.vm_data()
    }

    fn first_call(&self, func: &RunningFunc<'_>) {
        self.reports().push(Report::FirstCall(func.defined_index()));
    }

    fn budget_interrupt(&self, func: &RunningFunc<'_>, at_loop: Option<usize>, _weight: u32) -> BudgetInterrupt {
        self.reports().push(Report::Interrupt(func.defined_index(), at_loop));
        BudgetInterrupt::Ordinary
    }

    fn sampled(&self, func: &RunningFunc<'_>, _samples: u32, _by_interpreter: bool) {
        self.reports().push(Report::Sample(func.defined_index()));
    }

    fn record_call(&self, caller: &RunningFunc<'_>, site: CallSiteId, callee: u32) {
        self.reports().push(Report::Call(caller.defined_index(), site, callee));
    }
}

/// Calls the export `run` of a module with every function entry and backward jump a budget interrupt.
fn run(text: &str) -> Arc<Recorder> {
    run_with(text, CodeOptions { budget: 0, initial_budget: 0, sampled_frames: 2, ..CodeOptions::default() })
}

/// Calls the export `run` of a module.
fn run_with(text: &str, options: CodeOptions) -> Arc<Recorder> {
    let registry = Arc::new(TypeRegistry::new());
    let bytes = wat::parse_str(text).unwrap();
    let module = Module::new(bytes.into(), "test.wasm", &Features::default(), &registry, 1).unwrap();
    let code = ModuleCode::with_options(module.clone(), options);
    let recorder = Arc::new(Recorder { code, reports: Mutex::default() });
    let config = StoreConfig {
        registry,
        tier: Arc::new(InterpTier::new()),
        limits: StoreLimits::default(),
        memory: MemoryStrategy::Checked,
        metered: false,
        usage: None,
        gc_stress: false,
    };
    let mut store = Store::new(config, ());
    let loaded = LoadedModule { module, code: recorder.clone() };
    let instance = Instance::new(&mut store, &loaded, &[]).unwrap();
    instance.get_typed_func::<(), ()>(&store, "run").unwrap().call(&mut store, ()).unwrap();
    recorder
}

/// Returns the offsets of the operators of a defined function with this text.
fn offsets(recorder: &Recorder, index: u32, text: &str) -> Vec<usize> {
    let all = operators(recorder.code.module(), index).unwrap();
    all.into_iter().filter(|operator| operator.text == text).map(|operator| operator.offset).collect()
}

#[test]
fn a_budget_interrupt_names_the_loop_at_whose_header_it_comes() {
    let recorder = run(r#"(module (func (export "run") (local i32 i32)
        (local.set 0 (i32.const 0))
        (loop
            (local.set 1 (i32.const 0))
            (loop (br_if 0 (i32.lt_u (local.tee 1 (i32.add (local.get 1) (i32.const 1))) (i32.const 3))))
            (br_if 0 (i32.lt_u (local.tee 0 (i32.add (local.get 0) (i32.const 1))) (i32.const 2))))))"#);
    let [outer, inner] = offsets(&recorder, 0, "loop")[..] else { panic!("there are two loops") };
    let reports = recorder.reports();
    assert_eq!(reports[0], Report::FirstCall(0));
    let interrupts = reports.iter().filter_map(|report| match report {
        Report::Interrupt(0, at_loop) => Some(*at_loop),
        _ => None,
    });
    // The function's entry, then the backward jumps.
    let jumps = [inner, inner, outer, inner, inner].map(Some);
    assert_eq!(interrupts.collect::<Vec<_>>(), [&[None][..], &jumps].concat());
}

#[test]
fn calls_are_resolved_to_their_offsets() {
    let recorder = run(r#"(module
        (func (export "run") (call $callee) (drop (i32.const 1)) (call $callee) (nop) (call $other))
        (func $callee)
        (func $other))"#);
    let calls: Vec<(CallSiteId, u32)> = recorder
        .reports()
        .iter()
        .filter_map(|report| match report {
            Report::Call(0, site, callee) => Some((*site, *callee)),
            _ => None,
        })
        .collect();
    assert_eq!(calls.iter().map(|(_, callee)| *callee).collect::<Vec<_>>(), [1, 1, 2]);
    let sites: Vec<CallSiteId> = calls.iter().map(|(site, _)| *site).collect();
    let expected = [offsets(&recorder, 0, "call 1"), offsets(&recorder, 0, "call 2")].concat();
    let resolved = recorder.code.call_offsets(0, false, &sites);
    assert_eq!(resolved, expected.into_iter().map(Some).collect::<Vec<_>>());
}

#[test]
fn a_sample_counts_the_function_and_its_caller() {
    let recorder = run(r#"(module (func (export "run") (call $callee)) (func $callee))"#);
    let samples: Vec<u32> = recorder
        .reports()
        .iter()
        .filter_map(|report| match report {
            Report::Sample(index) => Some(*index),
            _ => None,
        })
        .collect();
    assert_eq!(samples, [0, 1, 0]);
}

#[test]
fn samples_of_a_quick_loop_are_rarer_than_the_first_ones() {
    let text = r#"(module (func (export "run") (local i32)
        (loop (br_if 0 (i32.lt_u (local.tee 0 (i32.add (local.get 0) (i32.const 1))) (i32.const 1000))))))"#;
    let interrupts = |nanoseconds| {
        let sample_weight = Some(SampleWeight { nanoseconds, words: 1 });
        let recorder =
            run_with(text, CodeOptions { budget: 9, initial_budget: 39, sample_weight, ..CodeOptions::default() });
        recorder.reports().iter().filter(|report| matches!(report, Report::Interrupt(..))).count()
    };
    // Intervals of 40, 10, 10, … calls and jumps; then of 40, 10, 19, 37, 37, …
    assert_eq!(interrupts(1), 97);
    assert_eq!(interrupts(1 << 60), 28);
}
