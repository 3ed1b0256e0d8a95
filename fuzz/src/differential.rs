//! One generated module, run by several engines that have to agree.
//!
//! After every call these are compared: results or the kind of end, what the host saw, globals, memories, and which elements
//! of tables are null. What says nothing about the program, an engine's own limit, ends the comparison without a verdict.
//!
//! # NaNs
//! The specification leaves bits of NaNs open. A module that is generated plain may show them; so when engines disagree on
//! it, the same program is generated once more with every NaN made canonical, and only that verdict counts.

use arbitrary::{Arbitrary, Result, Unstructured};

use crate::engines::wasmr::Variant;
use crate::engines::{ExportKind, Running, wasmi, wasmr};
use crate::modules::{FUEL, FUEL_EXPORT, Profile, Wish, generate};
use crate::value::{End, Outcome, Random, Value};

/// Calls made of each module, at most.
const CALLS: usize = 24;

/// What the bytes ask for.
#[derive(Clone, Copy, Debug, Arbitrary)]
pub struct Plan {
    /// Compare wasmr with itself, so that modules may use what wasmi does not have.
    own: bool,
    /// Make NaNs canonical from the start.
    canonical_nans: bool,
    /// How wasmr executes the module.
    variant: Variant,
    /// How it executes it the other time, if it is compared with itself.
    other: Variant,
    /// Whether there are two instances that share imports.
    two: bool,
    /// Where arguments come from.
    seed: u64,
}

/// How far a comparison got.
#[derive(Clone, Copy, Debug, Default)]
pub struct Depth {
    /// Calls made.
    pub calls: usize,
    /// Those that returned.
    pub returned: usize,
    /// Comparisons that a limit ended.
    pub limited: usize,
    /// Comparisons that disagreed only on NaNs.
    pub only_nans: usize,
}

impl std::ops::AddAssign for Depth {
    fn add_assign(&mut self, other: Depth) {
        self.calls += other.calls;
        self.returned += other.returned;
        self.limited += other.limited;
        self.only_nans += other.only_nans;
    }
}

/// Reads the plan and generates its module.
pub fn parse(data: &[u8], canonical_nans: Option<bool>) -> Result<(Plan, Vec<u8>)> {
    let mut u = Unstructured::new(data);
    let plan = Plan::arbitrary(&mut u)?;
    let profile = if plan.own { Profile::Own } else { Profile::Common };
    let wish = Wish { profile, canonical_nans: canonical_nans.unwrap_or(plan.canonical_nans) };
    Ok((plan, generate(wish, &mut u)?))
}

/// Generates a module from the bytes and runs it everywhere. Panics if engines disagree.
pub fn run(data: &[u8]) -> Result<Depth> {
    let (plan, wasm) = parse(data, None)?;
    let difference = match compare(plan, &wasm) {
        Ok(depth) => return Ok(depth),
        Err(difference) => difference,
    };
    if !plan.canonical_nans {
        let (plan, wasm) = parse(data, Some(true))?;
        if let Ok(depth) = compare(plan, &wasm) {
            return Ok(Depth { only_nans: 1, ..depth });
        }
    }
    panic!("engines disagree: {difference}");
}

/// Runs a module by the plan. The error says on what the engines disagree.
pub fn compare(plan: Plan, wasm: &[u8]) -> std::result::Result<Depth, String> {
    let count = 1 + usize::from(plan.two);
    let (engine, module) =
        wasmr::load(wasm, plan.variant).map_err(|error| format!("wasmr rejects the module: {error}"))?;
    let exports = wasmr::exports(&module);
    let ours = wasmr::Wasmr::start(&engine, &module, count);
    if plan.own {
        let (engine, module) = wasmr::load(wasm, plan.other)?;
        compare_runs(plan, &exports, ours, wasmr::Wasmr::start(&engine, &module, count))
    } else {
        let (engine, module) = wasmi::load(wasm).map_err(|error| format!("wasmi rejects the module: {error}"))?;
        compare_runs(plan, &exports, ours, wasmi::Wasmi::start(&engine, &module, count))
    }
}

fn compare_runs<A: Running, B: Running>(
    plan: Plan,
    exports: &[(String, ExportKind)],
    a: std::result::Result<A, End>,
    b: std::result::Result<B, End>,
) -> std::result::Result<Depth, String> {
    let mut depth = Depth::default();
    let (mut a, mut b) = match (a, b) {
        (Ok(a), Ok(b)) => (a, b),
        (Err(End::Limit(_)), _) | (_, Err(End::Limit(_))) => return Ok(Depth { limited: 1, ..depth }),
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
    // From now on the guest may be called back, the start functions being done.
    a.host_mut().functions.clone_from(&names);
    b.host_mut().functions.clone_from(&names);
    let mut random = Random::new(plan.seed);
    // Every function once, then the first ones again, on the state that the others left.
    for (turn, (name, params)) in functions.iter().cycle().take(CALLS.min(3 * functions.len())).enumerate() {
        let args: Vec<Value> = params.iter().map(|&ty| random.value(ty, &names)).collect();
        for instance in 0..instances {
            a.set_global(instance, FUEL_EXPORT, Value::I32(FUEL));
            b.set_global(instance, FUEL_EXPORT, Value::I32(FUEL));
        }
        let instance = turn % instances;
        let (left, right) = (a.call(instance, name, &args), b.call(instance, name, &args));
        let limit = |outcome: &Outcome| matches!(outcome, Err(End::Limit(_)));
        if limit(&left) || limit(&right) {
            return Ok(Depth { limited: 1, ..depth });
        }
        depth.calls += 1;
        depth.returned += usize::from(left.is_ok());
        let call = format!("`{name}` of {instance} {args:x?}");
        if left != right {
            return Err(format!("{call}: {left:x?} and {right:x?}"));
        }
        same_state(&call, instances, exports, &mut a, &mut b)?;
    }
    Ok(depth)
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
