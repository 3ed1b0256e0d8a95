//! Executes a program on two variants of wasmr, which must agree.
//!
//! After every call, the results or the end, the host's record, all globals, tables and memories are compared. References are
//! compared by the graph of objects behind them ([`walk`](super::walk)), and results of earlier calls are arguments of later
//! ones. One of the stores collects between calls, which must not show.

use std::sync::Arc;

use arbitrary::{Arbitrary, Result, Unstructured};
use wasmr_cache::Cache;
use wasmr_core::types::{HeapType, RefType, ValType};
use wasmr_engine::{Engine, Module};
use wasmr_runtime::{
    AnyRef, Caller, Extern, ExternRef, Func, Instance, InstantiateError, Linker, OwnedRooted, Rooted, Stop, StopKind,
    Store, Val,
};

use super::source::Source;
use super::walk::describe;
use super::{FUEL_EXPORT, MAX_COMPILED_SIZE, generate};
use crate::differential::Depth;
use crate::engines::Trace;
use crate::engines::wasmr::{Tier, Variant, end, engine, trace};
use crate::value::{End, Random, Type};

/// Maximum number of calls of a program.
const CALLS: usize = 40;

/// Loop iterations and calls that one call by the host may spend.
const FUEL: i32 = 3_000;

/// As [`FUEL`], if each allocation collects.
const FUEL_UNDER_STRESS: i32 = 200;

/// Results of earlier calls that are kept for arguments.
const KEPT: usize = 16;

/// Maximum nesting of host and guest.
const MAX_NESTING: u32 = 20;

/// Fuel of the engine, which suffices.
const ENOUGH: u64 = u64::MAX / 2;

/// The test that the bytes select.
#[derive(Clone, Copy, Debug, Arbitrary)]
pub struct Plan {
    /// Variant under test.
    pub variant: Variant,
    /// Variant of the interpreter, the reference.
    pub other: Variant,
    /// Seed of the program, where the bytes are used up.
    pub seed: u64,
    /// Seed of the arguments.
    pub arguments: u64,
}

/// Reads the plan and generates its modules, as text.
pub fn parse(data: &[u8]) -> Result<(Plan, Vec<String>)> {
    let mut u = Unstructured::new(data);
    let mut plan = Plan::arbitrary(&mut u)?;
    plan.other.tier = Tier::Interpreted;
    // Numbers must have the same bits. Fuel is compared if both variants count it.
    plan.other.canonical_nans = plan.variant.canonical_nans;
    let texts = generate(&mut Source::new(u.take_rest(), plan.seed));
    Ok((plan, texts))
}

/// Generates a program from the bytes and runs it on two variants. Panics if they disagree.
pub fn run(data: &[u8]) -> Result<Depth> {
    let (plan, texts) = parse(data)?;
    compare(plan, &texts).map_err(|difference| panic!("variants disagree: {difference}"))
}

/// Runs a program by the plan, and once more with the code of the first time if the variant has a cache. The error describes the
/// disagreement.
pub fn compare(plan: Plan, texts: &[String]) -> std::result::Result<Depth, String> {
    let encode = |text: &String| wat::parse_str(text).map_err(|error| format!("the text is malformed: {error}"));
    let modules = texts.iter().map(encode).collect::<std::result::Result<Vec<_>, _>>()?;
    if !plan.variant.cached || plan.variant.tier == Tier::Interpreted {
        return compare_once(plan, &modules, None);
    }
    let dir = tempfile::tempdir().expect("there is a directory for temporary files");
    let cache = Arc::new(Cache::open(dir.path()).expect("the directory is new"));
    let mut depth = compare_once(plan, &modules, Some(cache.clone()))?;
    depth +=
        compare_once(plan, &modules, Some(cache)).map_err(|difference| format!("with loaded code: {difference}"))?;
    Ok(depth)
}

fn compare_once(plan: Plan, modules: &[Vec<u8>], cache: Option<Arc<Cache>>) -> std::result::Result<Depth, String> {
    let mut depth = Depth::default();
    let a = World::start(plan.variant, modules, cache)?;
    let b = World::start(plan.other, modules, None)?;
    let (mut a, mut b) = match (a, b) {
        (Ok(a), Ok(b)) => (a, b),
        (Err(End::Limit(_)), _) | (_, Err(End::Limit(_))) => return Ok(Depth { limited: 1, ..depth }),
        (a, b) => {
            let (a, b) = (a.err(), b.err());
            return if a == b { Ok(depth) } else { Err(format!("instantiation: {a:?} and {b:?}")) };
        }
    };
    same_state("instantiation", &mut a, &mut b)?;
    let mut random = Random::new(plan.arguments);
    let functions = a.functions.len();
    for turn in 0..CALLS.min(2 * functions) {
        let which = turn % functions;
        let seed = random.next();
        let fuel = if plan.variant.gc_stress || plan.other.gc_stress { FUEL_UNDER_STRESS } else { FUEL };
        let (left, right) = (a.call(which, fuel, seed), b.call(which, fuel, seed));
        let call = format!("call {turn}, `{}`", a.functions[which].0);
        match (left, right) {
            (Some(Err(End::Limit(_))), _) | (_, Some(Err(End::Limit(_)))) => {
                depth.limited = 1;
                break;
            }
            (None, None) => continue,
            (left, right) => {
                depth.calls += 1;
                depth.returned += usize::from(matches!(left, Some(Ok(_))));
                if left != right {
                    return Err(format!("{call}: {left:x?} and {right:x?}"));
                }
            }
        }
        if a.trace != b.trace {
            return Err(format!("{call}: ended at {:x?} and {:x?}", a.trace, b.trace));
        }
        if let (Ok(left), Ok(right)) = (a.store.fuel(), b.store.fuel())
            && left != right
        {
            return Err(format!("{call}: {left} and {right} fuel left"));
        }
        same_state(&call, &mut a, &mut b)?;
        if random.next().is_multiple_of(4) {
            a.store.gc();
        }
    }
    for world in [&a, &b] {
        let report = world.engine.report();
        assert_eq!(report.unavailable, None, "there is a compiler");
        depth += Depth {
            functions: report.functions,
            loops: report.loops,
            refused: report.refused,
            loaded: report.loaded,
            collections: world.store.gc_stats().map_or(0, |stats| stats.collections),
            ..Depth::default()
        };
    }
    Ok(depth)
}

fn same_state(after: &str, a: &mut World, b: &mut World) -> std::result::Result<(), String> {
    if a.store.data().seen != b.store.data().seen {
        return Err(format!("{after}: the host saw different things"));
    }
    let (left, right) = (a.state(), b.state());
    if left != right {
        let first = left.iter().zip(&right).position(|(a, b)| a != b);
        return Err(format!("{after}: globals, tables or memories differ, in word {first:?}"));
    }
    Ok(())
}

/// The host of a program.
#[derive(Default)]
struct Host {
    /// Descriptions of all values that the host saw.
    seen: Vec<Vec<u64>>,
    /// Value that the host saw last.
    last: Option<OwnedRooted<AnyRef>>,
    nesting: u32,
}

/// A program on one variant.
struct World {
    engine: Engine,
    store: Store<Host>,
    instances: Vec<Instance>,
    /// The modules, whose code goes into the cache when they are dropped.
    modules: Vec<Module>,
    functions: Vec<(String, Func)>,
    /// Results of earlier calls.
    kept: Vec<Val>,
    trace: Option<Trace>,
}

impl World {
    fn start(
        variant: Variant,
        modules: &[Vec<u8>],
        cache: Option<Arc<Cache>>,
    ) -> std::result::Result<std::result::Result<World, End>, String> {
        let engine = engine(variant, MAX_COMPILED_SIZE, cache);
        let mut store = Store::new(&engine, Host::default());
        if store.fuel().is_ok() {
            store.set_fuel(ENOUGH).expect("the engine counts fuel");
        }
        let mut linker = Linker::new();
        define(&mut linker);
        let mut world = World {
            engine,
            store,
            instances: Vec::new(),
            modules: Vec::new(),
            functions: Vec::new(),
            kept: Vec::new(),
            trace: None,
        };
        for (number, wasm) in modules.iter().enumerate() {
            let module = Module::new(&world.engine, wasm).map_err(|error| format!("module {number}: {error}"))?;
            let instance = match linker.instantiate(&mut world.store, &module) {
                Ok(instance) => instance,
                Err(InstantiateError::Stop(stop)) => return Ok(Err(end(&stop))),
                Err(InstantiateError::Link(error)) => return Err(format!("module {number}: {error}")),
                Err(other) => return Ok(Err(End::Limit(other.to_string()))),
            };
            linker.instance(&mut world.store, &format!("m{number}"), instance).expect("each name is defined once");
            let exports: Vec<_> =
                instance.exports(&world.store).map(|(name, object)| (name.to_owned(), object)).collect();
            for (name, object) in exports {
                if let Extern::Func(func) = object {
                    world.functions.push((name, func));
                }
            }
            world.instances.push(instance);
            world.modules.push(module);
        }
        Ok(Ok(world))
    }

    /// Calls a function with arguments from a seed. Returns `None` if there is no argument for a parameter.
    fn call(&mut self, which: usize, fuel: i32, seed: u64) -> Option<std::result::Result<Vec<u64>, End>> {
        let global = self.instances[0].get_global(&self.store, FUEL_EXPORT).expect("it is exported");
        global.set(&mut self.store, Val::I32(fuel)).expect("it is a mutable i32");
        if self.store.fuel().is_ok() {
            self.store.set_fuel(ENOUGH).expect("the engine counts fuel");
        }
        self.trace = None;
        let func = self.functions[which].1;
        let ty = func.ty(&self.store);
        let mut random = Random::new(seed);
        let mut args = Vec::new();
        for &param in ty.params() {
            args.push(self.argument(param, &mut random)?);
        }
        let mut results = vec![Val::I32(0); ty.results().len()];
        if let Err(stop) = func.call(&mut self.store, &args, &mut results) {
            self.trace = trace(&mut self.store, &stop);
            return Some(Err(end(&stop)));
        }
        for &result in &results {
            let position = random.next() as usize % KEPT;
            match result {
                Val::AnyRef(Some(_)) if self.kept.len() < KEPT => self.kept.push(result),
                Val::AnyRef(Some(_)) => self.kept[position] = result,
                _ => {}
            }
        }
        Some(Ok(describe(&mut self.store, &results)))
    }

    fn argument(&mut self, ty: ValType, random: &mut Random) -> Option<Val> {
        let number = match ty {
            ValType::I32 => Type::I32,
            ValType::I64 => Type::I64,
            ValType::F32 => Type::F32,
            ValType::F64 => Type::F64,
            ValType::V128 => Type::V128,
            ValType::Ref(ty) => return self.reference(ty, random),
        };
        crate::engines::wasmr::number_to_val(&random.value(number, &[]))
    }

    fn reference(&mut self, ty: RefType, random: &mut Random) -> Option<Val> {
        let wants_null = ty.nullable && random.next().is_multiple_of(4);
        let start = random.next() as usize;
        let null = Val::null(self.store.registry(), ty.heap);
        match (null, ty.heap) {
            (Val::FuncRef(_), HeapType::Func) => {
                return Some(Val::FuncRef(Some(self.functions[start % self.functions.len()].1)));
            }
            (Val::ExternRef(_), HeapType::Extern) if !wants_null => {
                let number = start as u32 % 1000;
                return ExternRef::new(&mut self.store, number).ok().map(|reference| Val::ExternRef(Some(reference)));
            }
            (Val::AnyRef(_), _) if !wants_null => {
                for step in 0..self.kept.len() {
                    let Val::AnyRef(Some(reference)) = self.kept[(start % KEPT + step) % self.kept.len()] else {
                        continue;
                    };
                    if reference.matches_ty(&self.store, ty.heap).expect("it is rooted in the store") {
                        return Some(Val::AnyRef(Some(reference)));
                    }
                }
            }
            _ => {}
        }
        ty.nullable.then_some(null)
    }

    /// Returns a description of all globals, tables and memories.
    fn state(&mut self) -> Vec<u64> {
        let mut bytes = 0;
        let instances = self.instances.clone();
        let mut state = self.store.scope(|store| {
            let mut values = Vec::new();
            for instance in &instances {
                let exports: Vec<Extern> = instance.exports(&*store).map(|(_, object)| object).collect();
                for object in exports {
                    match object {
                        Extern::Global(global) => values.push(global.get(&mut *store)),
                        Extern::Table(table) => {
                            for index in 0..table.size(&*store) {
                                values.extend(table.get(&mut *store, index));
                            }
                        }
                        Extern::Memory(memory) => {
                            for word in memory.data(&*store).as_chunks().0 {
                                bytes = Random::new(bytes ^ u64::from_le_bytes(*word)).next();
                            }
                        }
                        _ => {}
                    }
                }
            }
            describe(&mut *store, &values)
        });
        state.push(bytes);
        state
    }
}

fn define(linker: &mut Linker<Host>) {
    const ONCE: &str = "each name is defined once";
    linker
        .func_wrap("host", "collect", |mut caller: Caller<'_, Host>| {
            for number in 0..10u32 {
                // Garbage that the collection finds.
                let _ = ExternRef::new(&mut caller, number);
            }
            caller.gc();
        })
        .expect(ONCE);
    linker
        .func_wrap("host", "fresh", |mut caller: Caller<'_, Host>, number: i32| {
            ExternRef::new(&mut caller, number as u32).ok()
        })
        .expect(ONCE);
    linker
        .func_wrap("host", "see", |mut caller: Caller<'_, Host>, value: Option<Rooted<AnyRef>>| {
            let seen = describe(&mut caller, &[Val::AnyRef(value)]);
            let new = value.map(|value| value.to_owned_rooted(&mut caller).expect("it is rooted"));
            let host = caller.data_mut();
            host.seen.push(seen);
            let last = std::mem::replace(&mut host.last, new);
            last.map(|last| last.to_rooted(&mut caller))
        })
        .expect(ONCE);
    linker
        .func_wrap("host", "through", |mut caller: Caller<'_, Host>, func: Option<Func>| call_back(&mut caller, func))
        .expect(ONCE);
    linker
        .func_wrap("host", "catch", |mut caller: Caller<'_, Host>, func: Option<Func>| {
            let outcome = call_back(&mut caller, func);
            let Err(stop) = &outcome else { return outcome };
            let StopKind::Throw(throw) = stop.kind() else { return outcome };
            let payload = throw.exception.arguments(&mut caller).unwrap_or_default();
            let seen = describe(&mut caller, &payload);
            caller.data_mut().seen.push(seen);
            Ok(())
        })
        .expect(ONCE);
}

/// Calls a function of the guest, if it has no parameters and results.
fn call_back(caller: &mut Caller<'_, Host>, func: Option<Func>) -> std::result::Result<(), Stop> {
    let Some(func) = func else { return Ok(()) };
    let ty = func.ty(&*caller);
    if !ty.params().is_empty() || !ty.results().is_empty() || caller.data().nesting == MAX_NESTING {
        return Ok(());
    }
    caller.data_mut().nesting += 1;
    let outcome = func.call(&mut *caller, &[], &mut []);
    caller.data_mut().nesting -= 1;
    outcome
}
