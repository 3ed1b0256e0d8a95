//! wasmr as an engine under test, in every [`Variant`].

use std::sync::Arc;
use std::time::Duration;

use arbitrary::Arbitrary;
use wasmr_cache::Cache;
use wasmr_core::trap::TrapCode;
use wasmr_core::types::{ExternType, FuncType, GlobalType, HeapType, Limits, MemoryType, RefType, TableType, ValType};
use wasmr_core::value::V128;
use wasmr_engine::{Config, Engine, Mode, Module, TierEvent, Tuning};
use wasmr_module::{ExternKind, Feature};
use wasmr_runtime::limits::MemoryStrategy;
use wasmr_runtime::{
    AsContextMut, Caller, Extern, ExternRef, Global, Instance, InstantiateError, Linker, Memory, Stop, StopKind, Store,
    Table, Val,
};

use super::{Compiled, ExportKind, Running, Trace};
use crate::objects::walk::describe;
use crate::value::{AGAIN, End, Host, Outcome, Random, Type, Value};

/// Stack size of the guest, more than [`FUEL`](crate::modules::FUEL) calls need.
const STACK: usize = 256 << 20;

/// Maximum size of the heap. Garbage that one variant still keeps may use it up, so the end is no verdict.
const MAX_HEAP: usize = 64 << 20;

/// Instances in wasmr.
pub struct Wasmr {
    engine: Engine,
    store: Store<Host>,
    instances: Vec<Instance>,
    trace: Option<Trace>,
}

/// A configuration of wasmr. All of them must have the same results.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Arbitrary)]
pub struct Variant {
    /// Time at which functions are compiled.
    pub tier: Tier,
    /// Time at which functions get baseline code.
    pub baseline: Baseline,
    /// True if memory accesses are checked where guard pages would suffice.
    pub checked: bool,
    /// True if fuel is counted.
    pub metered: bool,
    /// True if compiled code is hardened against speculation past its checks.
    pub spectre_guards: bool,
    /// True if the engine makes the NaN results of operators canonical.
    pub canonical_nans: bool,
    /// True if each allocation of an object collects, and freed objects are overwritten.
    pub gc_stress: bool,
    /// True if a second engine does the same with the code that the first one left in a cache.
    pub cached: bool,
}

/// The time at which functions are compiled, if they are not too large.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Arbitrary)]
pub enum Tier {
    /// Never.
    Interpreted,
    /// Before the first call.
    Compiled,
    /// At the first call or loop, which continues in the compiled code.
    AtOnce,
    /// As [`AtOnce`](Tier::AtOnce), with one piece of code for a function's start and its loop.
    DualEntry,
    /// In the background, a varying number of calls or loops after the first.
    Soon,
}

/// The time at which a function gets baseline code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Arbitrary)]
pub enum Baseline {
    /// Never.
    Off,
    /// Before its first execution.
    AtOnce,
    /// During an execution, after the function was found hot.
    Warm,
}

/// True if instrumentation gives handlers stack frames. Faults then have no landing pads, and machine code cannot enter handlers.
const INSTRUMENTED: bool = cfg!(fuzzing);

/// The stop of a guest by a host function, distinct from failures of the engine.
#[derive(Debug, thiserror::Error)]
#[error("the host ended the guest")]
struct HostEnded;

/// Returns the exports of a module, in order.
pub fn exports(module: &Module) -> Vec<(String, ExportKind)> {
    let module = &module.module;
    let functions = module.imports().iter().filter(|import| matches!(import.ty, ExternType::Func(_)));
    let imported: Vec<&str> = functions.map(|import| &*import.name).collect();
    let kind = |kind: ExternKind, index: u32| match kind {
        // Without a calling guest, the engine determines the instance that is called back.
        ExternKind::Func if imported.get(index as usize) == Some(&AGAIN) => ExportKind::Other,
        ExternKind::Func => {
            let ty = module.func_type(index);
            if ty.params().iter().any(|ty| matches!(ty, ValType::Ref(RefType { nullable: false, .. }))) {
                return ExportKind::Other;
            }
            ExportKind::Func(types(ty.params()), types(ty.results()))
        }
        ExternKind::Memory => ExportKind::Memory,
        ExternKind::Global => ExportKind::Global,
        ExternKind::Table => ExportKind::Table,
        ExternKind::Tag => ExportKind::Other,
    };
    module.exports().iter().map(|export| (export.name.to_string(), kind(export.kind, export.index))).collect()
}

/// Validates a module in an engine of a variant. Functions of more than `max_compiled_size` bytes are not compiled.
pub fn load(
    wasm: &[u8],
    variant: Variant,
    max_compiled_size: usize,
    cache: Option<Arc<Cache>>,
) -> Result<(Engine, Module), String> {
    let engine = engine(variant, max_compiled_size, cache);
    let module = Module::new(&engine, wasm).map_err(|error| error.to_string())?;
    Ok((engine, module))
}

/// Creates the engine of a variant.
pub fn engine(variant: Variant, max_compiled_size: usize, cache: Option<Arc<Cache>>) -> Engine {
    let checked = variant.checked || INSTRUMENTED;
    let tuning = Tuning {
        baseline: variant.baseline != Baseline::Off && !INSTRUMENTED,
        baseline_after: u32::from(variant.baseline == Baseline::Warm),
        max_compiled_size,
        compile_threads: Some(1),
        gc_stress: variant.gc_stress,
        ..tier_tuning(variant.tier)
    };
    let mode = match variant.tier {
        Tier::Interpreted => Mode::Interp,
        Tier::Compiled => Mode::Jit,
        Tier::AtOnce | Tier::DualEntry | Tier::Soon => Mode::Tiered,
    };
    let mut config = Config::new();
    config.mode(mode).max_stack(STACK).max_gc_heap(MAX_HEAP).consume_fuel(variant.metered).tuning(tuning);
    config.feature(Feature::LegacyExceptions, true).feature(Feature::CustomPageSizes, true);
    config.nan_canonicalization(variant.canonical_nans);
    config.memory_strategy(if checked { MemoryStrategy::Checked } else { MemoryStrategy::Guarded });
    config.spectre_guards(variant.spectre_guards).cache(cache);
    config.observe(|event| {
        // The only valid reasons are the size and unsupported operators.
        if let TierEvent::Compiled { func, at_loop, result: Err(why), .. } = event
            && !(why.contains("is not compiled") || why.contains("are more than"))
        {
            panic!("function {func}, loop {at_loop:x?}, is not compiled: {why}");
        }
    });
    Engine::new(&config)
}

fn tier_tuning(tier: Tier) -> Tuning {
    match tier {
        Tier::Interpreted | Tier::Compiled => Tuning::default(),
        // Larger bodies are compiled once, with two entries; smaller ones separately for the start and for each loop.
        Tier::AtOnce => Tuning { tier_up_after: 0, dual_entry_from: 100, ..Tuning::default() },
        Tier::DualEntry => Tuning { tier_up_after: 0, dual_entry_from: 0, ..Tuning::default() },
        Tier::Soon => Tuning {
            sample_every: 16,
            tier_up_after: 1,
            bytes_per_sample: u32::MAX,
            tier_up_delay: Duration::ZERO,
            dual_entry_from: 0,
            ..Tuning::default()
        },
    }
}

/// Sets the remaining fuel, if the engine counts fuel. Otherwise fuel has no limit and is not compared.
fn limit(store: &mut Store<Host>, fuel: u64) {
    if store.fuel().is_ok() {
        store.set_fuel(fuel).expect("the engine counts fuel");
    }
}

impl Wasmr {
    /// Creates `count` instances that share the imports of [`crate::modules::IMPORTS`]. `fuel` is the fuel of their start functions.
    pub fn start(engine: &Engine, module: &Module, count: usize, fuel: u64) -> Result<Wasmr, End> {
        let mut store = Store::new(engine, Host::default());
        limit(&mut store, fuel);
        let mut linker = Linker::new();
        for import in module.module.imports() {
            if linker.get(&mut store, &import.module, &import.name).is_none() {
                define(&mut store, &mut linker, &import.name, &import.ty);
            }
        }
        let mut instances = Vec::new();
        for _ in 0..count {
            instances.push(linker.instantiate(&mut store, module).map_err(|error| match error {
                InstantiateError::Stop(stop) => end(&stop),
                other => End::Limit(other.to_string()),
            })?);
        }
        Ok(Wasmr { engine: engine.clone(), store, instances, trace: None })
    }
}

/// Returns true if a load may end with the trap: of a memory, or through a null reference.
fn is_of_load(code: TrapCode) -> bool {
    use TrapCode::{MemoryOutOfBounds, NullArrayReference, NullReference, NullStructReference};
    matches!(code, MemoryOutOfBounds | NullArrayReference | NullReference | NullStructReference)
}

/// Returns the place at which a call ended.
pub fn trace<T>(store: &mut Store<T>, stop: &Stop) -> Option<Trace> {
    let backtrace = stop.backtrace()?;
    let mut frames: Vec<_> = backtrace.frames.iter().map(|frame| (frame.func_index(), frame.offset())).collect();
    // A load that is fused with a later operator traps at the offset of that operator, in the interpreter and in compiled code.
    if stop.trap_code().is_some_and(is_of_load)
        && let Some((_, offset)) = frames.first_mut()
    {
        *offset = None;
    }
    let payload = match stop.kind() {
        StopKind::Throw(throw) => throw.exception.arguments(&mut *store).unwrap_or_default(),
        _ => Vec::new(),
    };
    Some(Trace { frames, total: backtrace.total, payload: describe(store, &payload) })
}

fn define(store: &mut Store<Host>, linker: &mut Linker<Host>, name: &str, ty: &ExternType) {
    const FUNCREF: RefType = RefType { nullable: true, heap: HeapType::Func };
    let number = |content, mutable| GlobalType { content, mutable };
    let object: Extern = match (name, ty) {
        (_, ExternType::Func(id)) => {
            let ty = store.registry().func_type(*id).expect("a function import has a function type");
            let func = host_func(name.to_owned(), ty.clone());
            linker.func_new("env", name, (*ty).clone(), func).expect("each name is defined once");
            return;
        }
        ("memory", _) => {
            let limits = Limits { min: 1, max: Some(4) };
            Memory::new(store, MemoryType::new(limits.min, limits.max)).expect("a small memory").into()
        }
        ("table", _) => {
            let limits = Limits { min: 10, max: Some(20) };
            let ty = TableType { limits, is64: false, element: FUNCREF };
            Table::new(store, ty, Val::FuncRef(None)).expect("a small table").into()
        }
        ("constant", _) => global(store, number(ValType::I32, false), Val::I32(7)),
        ("wide", _) => global(store, number(ValType::I64, false), Val::I64(-3)),
        ("counter", _) => global(store, number(ValType::I32, true), Val::I32(1000)),
        ("float", _) => global(store, number(ValType::F64, true), Val::F64(1.5f64.to_bits())),
        ("lanes", _) => global(store, number(ValType::V128, true), Val::V128(V128::from_u128(1 << 77))),
        _ => return,
    };
    linker.define("env", name, object).expect("each name is defined once");
}

fn global(store: &mut Store<Host>, ty: GlobalType, value: Val) -> Extern {
    Global::new(store, ty, value).expect("the value is of the type").into()
}

type HostCall = dyn Fn(Caller<'_, Host>, &[Val], &mut [Val]) -> Result<(), Stop> + Send + Sync;

fn host_func(name: String, ty: Arc<FuncType>) -> Box<HostCall> {
    Box::new(move |mut caller, params, results| {
        let args: Vec<Value> = params.iter().map(|&value| from_val(&mut caller, value)).collect();
        if name == AGAIN
            && let Some((export, seed)) = caller.data_mut().enter(&args)
        {
            let outcome = call_back(&mut caller, &export, seed);
            caller.data_mut().leave();
            outcome?;
        }
        let given = caller.data_mut().call(&name, &args, &types(ty.results())).ok_or_else(|| Stop::host(HostEnded))?;
        for (result, value) in results.iter_mut().zip(given) {
            *result = match value {
                // A reference result is the parameter of its type, if there is one.
                Value::Func(_) => *params.iter().find(|p| matches!(p, Val::FuncRef(_))).unwrap_or(&Val::FuncRef(None)),
                Value::Extern(_) => {
                    *params.iter().find(|p| matches!(p, Val::ExternRef(_))).unwrap_or(&Val::ExternRef(None))
                }
                Value::Null | Value::Object(_) => *result,
                number => number_to_val(&number).expect("not a reference"),
            };
        }
        Ok(())
    })
}

/// Calls an export of the calling instance, if its parameters and results are numbers.
fn call_back(caller: &mut Caller<'_, Host>, export: &str, seed: u64) -> Result<(), Stop> {
    let Some(Extern::Func(func)) = caller.get_export(export) else { return Ok(()) };
    let ty = func.ty(&*caller);
    let (params, results) = (types(ty.params()), types(ty.results()));
    if !params.iter().chain(&results).all(|ty| ty.is_number()) {
        return Ok(());
    }
    let mut random = Random::new(seed);
    let args: Vec<Val> =
        params.iter().map(|&ty| number_to_val(&random.value(ty, &[])).expect("not a reference")).collect();
    let mut given = vec![Val::I32(0); results.len()];
    func.call(&mut *caller, &args, &mut given)?;
    let given = given.into_iter().map(|value| from_val(&mut *caller, value)).collect();
    caller.data_mut().got(given);
    Ok(())
}

/// Returns a number as a value of wasmr.
pub fn number_to_val(value: &Value) -> Option<Val> {
    Some(match *value {
        Value::I32(bits) => Val::I32(bits as i32),
        Value::I64(bits) => Val::I64(bits as i64),
        Value::F32(bits) => Val::F32(bits),
        Value::F64(bits) => Val::F64(bits),
        Value::V128(bits) => Val::V128(V128::from_u128(bits)),
        _ => return None,
    })
}

fn from_val(store: &mut impl AsContextMut, value: Val) -> Value {
    match value {
        Val::I32(value) => Value::I32(value as u32),
        Val::I64(value) => Value::I64(value as u64),
        Val::F32(bits) => Value::F32(bits),
        Val::F64(bits) => Value::F64(bits),
        Val::V128(vector) => Value::V128(vector.to_u128()),
        Val::FuncRef(func) => Value::Func(func.map(|_| String::new())),
        Val::ExternRef(None) => Value::Extern(None),
        Val::ExternRef(Some(reference)) => match reference.data(store).and_then(|data| data.downcast_ref::<u32>()) {
            Some(number) => Value::Extern(Some(*number)),
            None => Value::Object(describe(store, &[value])),
        },
        Val::ExnRef(None) | Val::AnyRef(None) => Value::Null,
        Val::ExnRef(_) | Val::AnyRef(_) => Value::Object(describe(store, &[value])),
    }
}

/// Returns the null of a reference type.
fn null(store: &Store<Host>, ty: ValType) -> Val {
    let ValType::Ref(RefType { heap, .. }) = ty else { unreachable!("it is of references") };
    match heap {
        HeapType::Func | HeapType::NoFunc => Val::FuncRef(None),
        HeapType::Extern | HeapType::NoExtern => Val::ExternRef(None),
        HeapType::Exn | HeapType::NoExn => Val::ExnRef(None),
        HeapType::Concrete(id) if store.registry().func_type(id).is_some() => Val::FuncRef(None),
        _ => Val::AnyRef(None),
    }
}

fn types(types: &[ValType]) -> Vec<Type> {
    types
        .iter()
        .map(|ty| match ty {
            ValType::I32 => Type::I32,
            ValType::I64 => Type::I64,
            ValType::F32 => Type::F32,
            ValType::F64 => Type::F64,
            ValType::V128 => Type::V128,
            ValType::Ref(RefType { nullable: true, heap: HeapType::Func }) => Type::Func,
            ValType::Ref(RefType { nullable: true, heap: HeapType::Extern }) => Type::Extern,
            ValType::Ref(_) => Type::Other,
        })
        .collect()
}

/// Returns the end that a stop is.
pub fn end(stop: &Stop) -> End {
    match stop.kind() {
        StopKind::Trap(trap) => {
            // Printing must not fail for any backtrace.
            let _ = stop.to_string();
            match trap.code {
                TrapCode::StackExhausted | TrapCode::Interrupted | TrapCode::HeapFull => {
                    End::Limit(trap.code.to_string())
                }
                // The other engine has one trap code for both.
                TrapCode::UndefinedElement => End::Trap(TrapCode::TableOutOfBounds.message()),
                code => End::Trap(code.message()),
            }
        }
        StopKind::Throw(_) => End::Exception,
        StopKind::Host(failure) if failure.error().is::<HostEnded>() => End::Host,
        StopKind::Host(failure) => panic!("wasmr fails on a valid module: {failure}"),
        StopKind::Exit(code) => panic!("nobody asked to exit with {code}"),
    }
}

impl Running for Wasmr {
    fn call(&mut self, instance: usize, name: &str, args: &[Value]) -> Outcome {
        let instance = self.instances[instance];
        let func = instance.get_func(&self.store, name).expect("it is exported");
        let mut params = Vec::new();
        let ty = func.ty(&self.store);
        for (arg, &ty) in args.iter().zip(ty.params()) {
            params.push(match arg {
                Value::Func(None) => Val::FuncRef(None),
                Value::Func(Some(name)) => Val::FuncRef(instance.get_func(&self.store, name)),
                Value::Extern(None) => Val::ExternRef(None),
                Value::Extern(Some(number)) => {
                    Val::ExternRef(Some(ExternRef::new(&mut self.store, *number).expect("few references")))
                }
                Value::Null | Value::Object(_) => null(&self.store, ty),
                number => number_to_val(number).expect("not a reference"),
            });
        }
        let mut results = vec![Val::I32(0); ty.results().len()];
        self.trace = None;
        if let Err(stop) = func.call(&mut self.store, &params, &mut results) {
            self.trace = trace(&mut self.store, &stop);
            return Err(end(&stop));
        }
        Ok(results.into_iter().map(|value| from_val(&mut self.store, value)).collect())
    }

    fn global(&mut self, instance: usize, name: &str) -> Value {
        let global = self.instances[instance].get_global(&self.store, name).expect("it is exported");
        let value = global.get(&mut self.store);
        from_val(&mut self.store, value)
    }

    fn set_global(&mut self, instance: usize, name: &str, value: Value) {
        let Some(global) = self.instances[instance].get_global(&self.store, name) else { return };
        let value = number_to_val(&value).expect("only numbers are set");
        global.set(&mut self.store, value).expect("it is mutable and of that type");
    }

    fn memory(&self, instance: usize, name: &str) -> &[u8] {
        self.instances[instance].get_memory(&self.store, name).expect("it is exported").data(&self.store)
    }

    fn table(&mut self, instance: usize, name: &str) -> Vec<bool> {
        let table = self.instances[instance].get_table(&self.store, name).expect("it is exported");
        let size = table.size(&self.store);
        (0..size)
            .map(|index| {
                let value = table.get(&mut self.store, index).expect("it is inside");
                matches!(value, Val::FuncRef(None) | Val::ExternRef(None) | Val::ExnRef(None) | Val::AnyRef(None))
            })
            .collect()
    }

    fn trace(&self) -> Option<&Trace> {
        self.trace.as_ref()
    }

    fn fuel(&self) -> Option<u64> {
        self.store.fuel().ok()
    }

    fn set_fuel(&mut self, fuel: u64) {
        limit(&mut self.store, fuel);
    }

    fn compiled(&self) -> Compiled {
        let report = self.engine.report();
        assert_eq!(report.unavailable, None, "there is a compiler");
        let collections = self.store.gc_stats().map_or(0, |stats| stats.collections);
        let (functions, loops) = (report.functions, report.loops);
        Compiled { functions, loops, refused: report.refused, loaded: report.loaded, collections }
    }

    fn host(&self) -> &Host {
        self.store.data()
    }

    fn host_mut(&mut self) -> &mut Host {
        self.store.data_mut()
    }
}
