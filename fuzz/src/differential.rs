//! Runs one generated module on two engines, which must agree. One is wasmr in any variant. The other is wasmi, or wasmr's
//! interpreter if the module may use features that wasmi lacks.
//!
//! After every call, the target compares the results or the kind of the end, the host's record, globals, memories, and the
//! nullness of table elements. Between two variants of wasmr it also compares the place of a trap or throw, the thrown values and
//! the remaining fuel. If an engine reaches a limit of its own, the comparison ends without a verdict.
//!
//! # NaNs
//! The specification leaves the bits of NaNs open, but all tiers of wasmr return the same bits. Two variants of wasmr must
//! therefore agree on them. wasmi may return other bits, and a generated module may make them visible. If wasmr and wasmi disagree,
//! the same program is generated again with every NaN made canonical, and only the second verdict counts.
//!
//! A variant of wasmr may make NaNs canonical itself. wasmi then executes the program with operators that do the same, and both must
//! agree on every bit.

use std::sync::Arc;

use arbitrary::{Arbitrary, Result, Unstructured};
use wasmr_cache::Cache;

use crate::engines::wasmr::{Tier, Variant};
use crate::engines::{Compiled, ExportKind, Running, wasmi, wasmr};
use crate::modules::{FUEL, FUEL_EXPORT, Profile, Wish, generate};
use crate::shape::{Shape, Shaped, shape};
use crate::value::{End, Outcome, Random, Value};

/// Maximum number of calls of each module.
const CALLS: usize = 24;

/// The test that the bytes select.
#[derive(Clone, Copy, Debug, Arbitrary)]
pub struct Plan {
    /// True if wasmr is compared with its interpreter. Modules may then use features that wasmi lacks.
    pub own: bool,
    /// True if NaNs are canonical from the start. Always false if wasmr is compared with its interpreter.
    pub canonical_nans: bool,
    /// Variant of wasmr under test.
    pub variant: Variant,
    /// Variant of wasmr's interpreter, if that is the reference.
    pub other: Variant,
    /// Fuel counting, if wasmr's interpreter is the reference.
    pub fuel: Fuel,
    /// True if there are two instances that share imports.
    pub two: bool,
    /// True if loops are repeated.
    pub repetition: bool,
    /// True if functions are padded. Some are then too large to be inlined, and some too large to be compiled.
    pub padding: bool,
    /// Seed of the arguments.
    pub seed: u64,
}

/// The fuel counting of two variants of wasmr.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Arbitrary)]
pub enum Fuel {
    /// Each variant counts fuel or not, by its own setting. The fuel suffices.
    Any,
    /// Both variants count fuel. The fuel suffices.
    Enough,
    /// Both variants count fuel, and many calls run out of it.
    Little,
}

/// Fuel that nearly all calls stay below.
const ENOUGH: u64 = u64::MAX / 2;

/// End of a call that ran out of fuel.
const OUT_OF_FUEL: End = End::Trap(wasmr_core::trap::TrapCode::OutOfFuel.message());

/// The progress of a comparison.
#[derive(Clone, Copy, Debug, Default)]
pub struct Depth {
    /// Calls made.
    pub calls: usize,
    /// Calls that returned.
    pub returned: usize,
    /// Comparisons that a limit ended.
    pub limited: usize,
    /// Comparisons that disagreed only on NaNs.
    pub only_nans: usize,
    /// Functions that were compiled.
    pub functions: u64,
    /// Loops with OSR code.
    pub loops: u64,
    /// Functions and loops that could not be compiled.
    pub refused: u64,
    /// Functions and loops whose code was loaded from a cache.
    pub loaded: u64,
    /// Collections of garbage. With stress there is one for each object.
    pub collections: u64,
}

impl std::ops::AddAssign for Depth {
    fn add_assign(&mut self, other: Depth) {
        self.calls += other.calls;
        self.returned += other.returned;
        self.limited += other.limited;
        self.only_nans += other.only_nans;
        self.functions += other.functions;
        self.loops += other.loops;
        self.refused += other.refused;
        self.loaded += other.loaded;
        self.collections += other.collections;
    }
}

/// Reads the plan and generates its module.
pub fn parse(data: &[u8], canonical_nans: Option<bool>) -> Result<(Plan, Shaped)> {
    let mut u = Unstructured::new(data);
    let mut plan = Plan::arbitrary(&mut u)?;
    plan.other.tier = Tier::Interpreted;
    plan.other.canonical_nans = plan.variant.canonical_nans;
    plan.canonical_nans &= !plan.own && !plan.variant.canonical_nans;
    if plan.own && plan.fuel != Fuel::Any {
        plan.variant.metered = true;
        plan.other.metered = true;
    }
    let profile = if plan.own { Profile::Own } else { Profile::Common };
    let wish = Wish { profile, canonical_nans: canonical_nans.unwrap_or(plan.canonical_nans) };
    let wasm = generate(wish, &mut u)?;
    let Plan { own, repetition, padding, seed, .. } = plan;
    let kinds = Shape { references: own, repetition, padding, canonical_nans: false, seed };
    let mut module = shape(&wasm, kinds);
    if !plan.own && plan.variant.canonical_nans {
        module.reference = Some(shape(&wasm, Shape { canonical_nans: true, ..kinds }).wasm);
    }
    Ok((plan, module))
}

/// Generates a module from the bytes and runs it everywhere. Panics if engines disagree.
pub fn run(data: &[u8]) -> Result<Depth> {
    let (plan, module) = parse(data, None)?;
    let difference = match compare(plan, &module) {
        Ok(depth) => return Ok(depth),
        Err(difference) => difference,
    };
    if !plan.own && !plan.canonical_nans && !plan.variant.canonical_nans {
        let (plan, module) = parse(data, Some(true))?;
        if let Ok(depth) = compare(plan, &module) {
            return Ok(Depth { only_nans: 1, ..depth });
        }
    }
    panic!("engines disagree: {difference}");
}

/// Runs a module by the plan, and once more with the code of the first time if the variant has a cache. The error describes the
/// disagreement of the engines.
pub fn compare(plan: Plan, module: &Shaped) -> std::result::Result<Depth, String> {
    if !plan.variant.cached || plan.variant.tier == Tier::Interpreted {
        return compare_once(plan, module, None);
    }
    let dir = tempfile::tempdir().expect("there is a directory for temporary files");
    let cache = Arc::new(Cache::open(dir.path()).expect("the directory is new"));
    let mut depth = compare_once(plan, module, Some(cache.clone()))?;
    depth += compare_once(plan, module, Some(cache)).map_err(|difference| format!("with loaded code: {difference}"))?;
    Ok(depth)
}

fn compare_once(plan: Plan, module: &Shaped, cache: Option<Arc<Cache>>) -> std::result::Result<Depth, String> {
    let Shaped { ref wasm, ref reference, max_compiled_size } = *module;
    let count = 1 + usize::from(plan.two);
    let mut random = Random::new(plan.seed);
    let fuel = plan.next_fuel(&mut random);
    let load = |variant, cache| {
        let loaded = wasmr::load(wasm, variant, max_compiled_size, cache);
        loaded.map_err(|error| format!("wasmr rejects the module: {error}"))
    };
    let (engine, module) = load(plan.variant, cache)?;
    let exports = wasmr::exports(&module);
    let ours = wasmr::Wasmr::start(&engine, &module, count, fuel);
    if plan.own {
        let (engine, module) = load(plan.other, None)?;
        let other = wasmr::Wasmr::start(&engine, &module, count, fuel);
        compare_runs(plan, random, &exports, ours, other)
    } else {
        let loaded = wasmi::load(reference.as_ref().unwrap_or(wasm));
        let (engine, module) = loaded.map_err(|error| format!("wasmi rejects the module: {error}"))?;
        compare_runs(plan, random, &exports, ours, wasmi::Wasmi::start(&engine, &module, count))
    }
}

impl Plan {
    /// Returns the fuel for the next call.
    fn next_fuel(&self, random: &mut Random) -> u64 {
        if !(self.own && self.fuel == Fuel::Little) {
            return ENOUGH;
        }
        // A number of any magnitude below 2^16.
        random.next() >> (48 + random.next() % 16)
    }

    /// Returns true if an end is due to a limit and says nothing about the program. A `table.grow` that fails still costs fuel in
    /// proportion to its operand, so even [`ENOUGH`] may run out.
    fn is_limit(&self, end: &End) -> bool {
        matches!(end, End::Limit(_)) || (!self.own || self.fuel == Fuel::Any) && *end == OUT_OF_FUEL
    }
}

fn compare_runs<A: Running, B: Running>(
    plan: Plan,
    mut random: Random,
    exports: &[(String, ExportKind)],
    a: std::result::Result<A, End>,
    b: std::result::Result<B, End>,
) -> std::result::Result<Depth, String> {
    let mut depth = Depth::default();
    let (mut a, mut b) = match (a, b) {
        (Ok(a), Ok(b)) => (a, b),
        (Err(end), _) | (_, Err(end)) if plan.is_limit(&end) => return Ok(Depth { limited: 1, ..depth }),
        (a, b) => {
            let (a, b) = (a.err(), b.err());
            return if a == b { Ok(depth) } else { Err(format!("instantiation: {a:?} and {b:?}")) };
        }
    };
    let instances = 1 + usize::from(plan.two);
    same_state("instantiation", instances, exports, &mut a, &mut b)?;

    let functions: Vec<_> = exports
        .iter()
        .filter_map(|(name, kind)| if let ExportKind::Func(params, _) = kind { Some((name, params)) } else { None })
        .collect();
    let names: Vec<String> = functions.iter().map(|(name, _)| (*name).clone()).collect();
    // The start functions have returned. From now on the host may call back into the guest.
    a.host_mut().functions.clone_from(&names);
    b.host_mut().functions.clone_from(&names);
    // Calls every function once, then the first ones again, in the state that the other calls left.
    for (turn, (name, params)) in functions.iter().cycle().take(CALLS.min(3 * functions.len())).enumerate() {
        let args: Vec<Value> = params.iter().map(|&ty| random.value(ty, &names)).collect();
        for instance in 0..instances {
            a.set_global(instance, FUEL_EXPORT, Value::I32(FUEL));
            b.set_global(instance, FUEL_EXPORT, Value::I32(FUEL));
        }
        let fuel = plan.next_fuel(&mut random);
        a.set_fuel(fuel);
        b.set_fuel(fuel);
        let instance = turn % instances;
        let (left, right) = (a.call(instance, name, &args), b.call(instance, name, &args));
        let limit = |outcome: &Outcome| outcome.as_ref().is_err_and(|end| plan.is_limit(end));
        if limit(&left) || limit(&right) {
            depth.limited = 1;
            break;
        }
        depth.calls += 1;
        depth.returned += usize::from(left.is_ok());
        let call = format!("`{name}` of {instance} {args:x?}");
        if left != right {
            return Err(format!("{call}: {left:x?} and {right:x?}"));
        }
        same_way(&call, plan.variant.metered && plan.other.metered, &a, &b)?;
        same_state(&call, instances, exports, &mut a, &mut b)?;
    }
    for Compiled { functions, loops, refused, loaded, collections } in [a.compiled(), b.compiled()] {
        depth += Depth { functions, loops, refused, loaded, collections, ..Depth::default() };
    }
    Ok(depth)
}

/// Compares the details of an end that not every engine reports.
fn same_way(after: &str, metered: bool, a: &impl Running, b: &impl Running) -> std::result::Result<(), String> {
    if let (Some(left), Some(right)) = (a.trace(), b.trace())
        && left != right
    {
        return Err(format!("{after}: ended at {left:x?} and {right:x?}"));
    }
    match (a.fuel(), b.fuel()) {
        (Some(left), Some(right)) if metered && left != right => Err(format!("{after}: {left} and {right} fuel left")),
        _ => Ok(()),
    }
}

fn same_state(
    after: &str,
    instances: usize,
    exports: &[(String, ExportKind)],
    a: &mut impl Running,
    b: &mut impl Running,
) -> std::result::Result<(), String> {
    let (seen, other) = (a.host(), b.host());
    if seen != other {
        let first = seen.calls.iter().zip(&other.calls).position(|(a, b)| a != b);
        return Err(format!("{after}: the host saw different things from {first:?} on"));
    }
    for instance in 0..instances {
        for (name, kind) in exports {
            let difference = match kind {
                ExportKind::Func(..) | ExportKind::Other => None,
                ExportKind::Memory => {
                    let (a, b) = (a.memory(instance, name), b.memory(instance, name));
                    let first = || a.iter().zip(b).position(|(a, b)| a != b);
                    (a != b).then(|| format!("{} and {} bytes, {:?}", a.len(), b.len(), first()))
                }
                ExportKind::Global => {
                    let (a, b) = (a.global(instance, name), b.global(instance, name));
                    (a != b).then(|| format!("{a:x?} and {b:x?}"))
                }
                ExportKind::Table => {
                    let (a, b) = (a.table(instance, name), b.table(instance, name));
                    (a != b).then(|| format!("{a:?} and {b:?}"))
                }
            };
            if let Some(difference) = difference {
                return Err(format!("{after}: {kind:?} `{name}` of {instance}: {difference}"));
            }
        }
    }
    Ok(())
}
