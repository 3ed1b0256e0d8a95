//! Values of any type across the canonical ABI, against a second implementation.
//!
//! An input is the type of a function, arguments, a result, and changes to the bytes that a guest passes. A component of two guests
//! ([`guest`]) has this function, and one component instance for each of these ways:
//!
//! | way | the second implementation |
//! |---|---|
//! | the host calls the second guest | lowers the arguments to the same bytes; lowers the result, which the host must get |
//! | the second guest calls the host | lowers the arguments, which the host must get; lowers the result to the same bytes |
//! | the first guest calls the second | lowers the arguments and the result, and lifts both where they arrive |
//! | the second calls the host, which calls the second of another instance | lifts the arguments where they arrive: what lifting and lowering pass, a transfer passes |
//!
//! With changes, the guests pass bytes that may be no value. wasmr must then trap if and only if the second implementation
//! ([`abi`]) does, and nothing may panic or hang. [`types`] and [`value`] are generated.

pub mod abi;
pub mod guest;
pub mod types;
pub mod value;

use std::sync::OnceLock;

use arbitrary::{Result, Unstructured};
use wasmr_canon::{ComponentPre, Func, Instance, Linker, Val};
use wasmr_core::trap::TrapCode;
use wasmr_engine::{Component, Config, Engine, Mode, Tuning};
use wasmr_runtime::limits::MemoryStrategy;
use wasmr_runtime::{AsContextMut, Stop, Store, StoreContextMut};

use crate::differential::Depth;
use abi::{Encoding, Failure, MAX_FLAT_PARAMS, MAX_FLAT_RESULTS, Memory};
use guest::{OUT, PAGES, PARAMS, RESULTS, SENT, START, Signature};
use types::Type;
use value::Value;

/// Most parts of a generated type.
const MAX_NODES: u32 = 24;

/// Changes of bytes, each a position, modulo the number of bytes that are passed, and the new byte.
type Changes = Vec<(u16, u8)>;

/// The content of an input.
#[derive(Debug)]
struct Case {
    signature: Signature,
    params: Value,
    result: Option<Value>,
    encodings: [Encoding; 2],
    /// True if Latin-1 text is passed as UTF-16 by guests that may choose.
    is_wide: bool,
    /// True if each call of an allocator grows the memory.
    grows: bool,
    changes: Changes,
    engine: usize,
}

/// The data of a store: what the host's function got, and what it does.
#[derive(Default)]
struct Host {
    /// Arguments of the last call.
    got: Option<Vec<Val>>,
    /// The function that is called, instead of returning `result`.
    forwards: Option<Func>,
    result: Option<Val>,
}

/// Passes the values that the bytes select.
///
/// # Errors
/// If there are too few bytes for an input.
pub fn run(data: &[u8]) -> Result<Depth> {
    let case = Case::parse(&mut Unstructured::new(data))?;
    let mut depth = Depth::default();
    let Some(component) = case.component() else { return Ok(depth) };
    let linker = linker();
    let pre = linker.prepare(&component).unwrap_or_else(|error| panic!("{error}: {case:?}"));
    let way = |name: &str, run: &dyn Fn(&Case, &ComponentPre<Host>, &Engine) -> Way| {
        depth.calls += 1;
        match run(&case, &pre, engine(case.engine)) {
            Ok(is_value) => depth.returned += usize::from(is_value),
            Err(Ended::TooLarge) => depth.limited += 1,
            Err(Ended::Wrong(why)) => panic!("{name}: {why}\n{case:?}"),
        }
    };
    each_way(way);
    Ok(depth)
}

/// Runs a function for each way.
fn each_way(mut way: impl FnMut(&str, &dyn Fn(&Case, &ComponentPre<Host>, &Engine) -> Way)) {
    way("host to guest", &host_to_guest);
    way("guest to host", &guest_to_host);
    way("guest to guest", &guest_to_guest);
    way("guest to host to guest", &through_the_host);
}

/// The end of a way: true if the values arrived, false if both implementations refused them.
type Way = std::result::Result<bool, Ended>;

/// Arguments and result where they arrived.
type Arrived = (abi::Done<Value>, abi::Done<Option<Value>>);

/// The early end of a way.
enum Ended {
    /// A limit makes a comparison impossible.
    TooLarge,
    /// The implementations disagree.
    Wrong(String),
}

impl From<Failure> for Ended {
    fn from(failure: Failure) -> Ended {
        match failure {
            Failure::TooLarge => Ended::TooLarge,
            Failure::Trap => Ended::Wrong("the second implementation refuses its own value".into()),
        }
    }
}

/// Returns the error of values that should be equal.
fn check<V: PartialEq + std::fmt::Debug>(what: &str, found: &V, expected: &V) -> std::result::Result<(), Ended> {
    if found == expected {
        return Ok(());
    }
    Err(Ended::Wrong(format!("{what}: expected {expected:?}, found {found:?}")))
}

/// Compares the end of a call with what it should have passed. Returns true if it is the end of a value.
fn compare<V: PartialEq + std::fmt::Debug>(
    what: &str,
    found: std::result::Result<V, Stop>,
    expected: std::result::Result<V, Failure>,
) -> Way {
    match (found, expected) {
        (_, Err(Failure::TooLarge)) => Err(Ended::TooLarge),
        (Ok(found), Ok(expected)) => check(what, &found, &expected).map(|()| true),
        (Err(stop), _) if stop.trap_code() != Some(TrapCode::CanonicalAbi) => {
            Err(Ended::Wrong(format!("{what}: ended by {stop}")))
        }
        // A guest's allocator, or the host's budget, has less than the values take.
        (Err(stop), Ok(_))
            if ["realloc return: beyond", "larger than the host"]
                .iter()
                .any(|text| stop.to_string().contains(text)) =>
        {
            Err(Ended::TooLarge)
        }
        (Err(_), Err(Failure::Trap)) => Ok(false),
        (Err(stop), Ok(expected)) => Err(Ended::Wrong(format!("{what}: expected {expected:?}, found {stop}"))),
        (Ok(found), Err(Failure::Trap)) => Err(Ended::Wrong(format!("{what}: expected a trap, found {found:?}"))),
    }
}

impl Case {
    fn parse(u: &mut Unstructured<'_>) -> Result<Case> {
        let encodings: [Encoding; 2] = [u.arbitrary()?, u.arbitrary()?];
        let (is_wide, grows): (bool, bool) = (u.arbitrary()?, u.arbitrary()?);
        let engine = usize::from(u.ratio(1, 4)?);
        let has_changes: bool = u.arbitrary()?;
        let mut nodes = MAX_NODES;
        let count = u.int_in_range(0..=3)?;
        let params = (0..count).map(|_| Type::arbitrary(u, &mut nodes)).collect::<Result<Vec<Type>>>()?;
        let result = if u.ratio(7, 8)? { Some(Type::arbitrary(u, &mut nodes)?) } else { None };
        let signature = Signature { params: Type::Tuple(params), result };
        let params = Value::arbitrary(u, &signature.params)?;
        let result = signature.result.as_ref().map(|ty| Value::arbitrary(u, ty)).transpose()?;
        // In a memory that grows during the call, a changed pointer may or may not be in bounds.
        let changes = if has_changes && !grows { u.arbitrary()? } else { Vec::new() };
        Ok(Case { signature, params, result, encodings, is_wide, grows, changes, engine })
    }

    /// Decodes the component; `None` if a type is larger than wasmr allows.
    fn component(&self) -> Option<Component> {
        let large = |ty: &Type| ty.size() > SENT - OUT;
        if large(&self.signature.params) || self.signature.result.as_ref().is_some_and(large) {
            return None;
        }
        let text = self.signature.component(self.encodings);
        let component = Component::new(engine(self.engine), text.as_bytes());
        Some(component.unwrap_or_else(|error| panic!("{error}: {text}")))
    }

    fn param_types(&self) -> Vec<&Type> {
        self.signature.params.fields().unwrap_or_default()
    }

    /// Returns the arguments as wasmr represents them.
    fn args(&self) -> Vec<Val> {
        let Value::Many(all) = &self.params else { return Vec::new() };
        self.param_types().into_iter().zip(all).map(|(ty, value)| value.val(ty)).collect()
    }

    /// Returns the result as wasmr represents it.
    fn returned(&self) -> Option<Val> {
        self.signature.result.as_ref().zip(self.result.as_ref()).map(|(ty, value)| value.val(ty))
    }

    /// Returns arguments of wasmr as a tuple.
    fn tuple_of(&self, args: &[Val]) -> Value {
        assert_eq!(args.len(), self.param_types().len(), "number of arguments");
        Value::Many(self.param_types().into_iter().zip(args).map(|(ty, val)| Value::of(ty, val)).collect())
    }

    fn result_of(&self, result: Option<&Val>) -> Option<Value> {
        self.signature.result.as_ref().zip(result).map(|(ty, val)| Value::of(ty, val))
    }

    /// Returns the memory of a guest before a call.
    fn memory(&self, guest: usize) -> Memory {
        let bytes = vec![0; (PAGES as usize) << 16];
        let encoding = self.encodings[guest];
        Memory { bytes, free: START, limit: OUT, encoding, is_wide: false, addresses: Vec::new() }
    }

    /// Lowers a value that a guest passes, and makes the changes. Returns its memory and core values.
    fn sent(&self, guest: usize, ty: &Type, value: &Value, max: usize) -> abi::Done<(Memory, Vec<u64>)> {
        let mut memory = self.memory(guest);
        (memory.free, memory.limit, memory.is_wide) = (SENT, memory.bytes.len() as u32, self.is_wide);
        let mut slots = memory.lower_all(ty, value, max, None)?;
        let flat = ty.flat();
        let image = (memory.free - SENT) as usize;
        for &(at, byte) in &self.changes {
            match usize::from(at) % (image + 8 * slots.len()).max(1) {
                at if at < image => memory.bytes[SENT as usize + at] = byte,
                at if !slots.is_empty() => {
                    let slot = (at - image) / 8;
                    let core = flat.get(slot).filter(|_| flat.len() <= max).copied().unwrap_or(types::Core::I32);
                    let bytes = if matches!(core, types::Core::I32 | types::Core::F32) { 4 } else { 8 };
                    let shift = (at - image) % bytes * 8;
                    slots[slot] = slots[slot] & !(0xff << shift) | u64::from(byte) << shift;
                }
                _ => {}
            }
        }
        Ok((memory, slots))
    }

    /// Returns the arguments as a guest passes them.
    fn sent_params(&self, guest: usize) -> abi::Done<(Memory, Vec<u64>)> {
        self.sent(guest, &self.signature.params, &self.params, MAX_FLAT_PARAMS)
    }

    /// Returns the result as a guest passes it.
    fn sent_result(&self, guest: usize) -> abi::Done<Option<(Memory, Vec<u64>)>> {
        let both = self.signature.result.as_ref().zip(self.result.as_ref());
        both.map(|(ty, value)| self.sent(guest, ty, value, MAX_FLAT_RESULTS)).transpose()
    }

    /// Lifts arguments where they arrived.
    fn lift_params(&self, memory: &Memory, slots: &[u64]) -> abi::Done<Value> {
        memory.lift_all(&self.signature.params, slots, MAX_FLAT_PARAMS)
    }

    /// Lifts what guests passed: what must arrive.
    fn arrived(&self, params: &(Memory, Vec<u64>), result: &Option<(Memory, Vec<u64>)>) -> abi::Done<Arrived> {
        let params = self.lift_params(&params.0, &params.1)?;
        let result = match result {
            Some((memory, slots)) => self.lift_result(memory, slots)?,
            None => None,
        };
        Ok((Ok(params), Ok(result)))
    }

    /// Lifts a result where it arrived.
    fn lift_result(&self, memory: &Memory, slots: &[u64]) -> abi::Done<Option<Value>> {
        self.signature.result.as_ref().map(|ty| memory.lift_all(ty, slots, MAX_FLAT_RESULTS)).transpose()
    }
}

/// Returns an engine: an interpreter, or one that compiles each function when control first reaches it.
fn engine(index: usize) -> &'static Engine {
    static ENGINES: OnceLock<[Engine; 2]> = OnceLock::new();
    let make = |mode: Mode| {
        // Instrumented handlers have no landing pads for faults, and baseline code cannot leave for them.
        let tuning =
            Tuning { baseline: !cfg!(fuzzing), tier_up_after: 0, compile_threads: Some(1), ..Tuning::default() };
        let strategy =
            if cfg!(fuzzing) || mode == Mode::Interp { MemoryStrategy::Checked } else { MemoryStrategy::Guarded };
        Engine::new(Config::new().mode(mode).tuning(tuning).memory_strategy(strategy))
    };
    &ENGINES.get_or_init(|| [make(Mode::Interp), make(Mode::Tiered)])[index]
}

fn linker() -> Linker<Host> {
    let mut linker = Linker::new();
    let g = |mut store: StoreContextMut<'_, Host>, args: &[Val]| -> std::result::Result<Option<Val>, Stop> {
        store.data_mut().got = Some(args.to_vec());
        match store.data().forwards.clone() {
            Some(func) => func.call(&mut store, args),
            None => Ok(store.data().result.clone()),
        }
    };
    linker.root().func_new("g", g).expect("nothing else is defined");
    linker
}

/// A component instance in a store of its own.
struct World {
    store: Store<Host>,
    instance: Instance,
}

impl World {
    fn new(case: &Case, pre: &ComponentPre<Host>, engine: &Engine) -> World {
        let mut store = Store::new(engine, Host::default());
        let instance = pre.instantiate(&mut store).unwrap_or_else(|error| panic!("{error}"));
        let mut world = World { store, instance };
        for guest in ["a", "b"] {
            world.call(&format!("{guest}#grows"), &[Val::Bool(case.grows)]).expect("a plain function");
        }
        world
    }

    fn func(&mut self, name: &str) -> Func {
        self.instance.get_func(&mut self.store, name).unwrap_or_else(|| panic!("no export {name}"))
    }

    fn call(&mut self, name: &str, args: &[Val]) -> std::result::Result<Option<Val>, Stop> {
        self.func(name).call(self.store.as_context_mut(), args)
    }

    fn write(&mut self, guest: &str, at: u32, bytes: &[u8]) {
        self.call(&format!("{guest}#aim"), &[Val::U32(at)]).expect("a plain function");
        self.call(&format!("{guest}#write"), &[Val::bytes(bytes)]).expect("bytes in bounds");
    }

    /// Writes what a guest passes: its core values to `at`, and the image in memory.
    fn send(&mut self, guest: &str, at: u32, (memory, slots): &(Memory, Vec<u64>)) {
        let bytes: Vec<u8> = slots.iter().flat_map(|slot| slot.to_le_bytes()).collect();
        self.write(guest, at, &bytes);
        self.write(guest, SENT, &memory.bytes[SENT as usize..]);
    }

    /// Returns the memory of a guest.
    fn memory(&mut self, guest: &str, encoding: Encoding) -> Memory {
        let all = self.call(&format!("{guest}#all"), &[]).expect("the memory");
        let bytes = all.as_ref().and_then(Val::as_bytes).expect("bytes").to_vec();
        Memory { bytes, free: 0, limit: 0, encoding, is_wide: false, addresses: Vec::new() }
    }

    /// Returns the core values at an address.
    fn slots(memory: &Memory, at: u32) -> Vec<u64> {
        let bytes = &memory.bytes[at as usize..][..8 * (MAX_FLAT_PARAMS + 1)];
        bytes
            .chunks_exact(8)
            .map(|chunk| chunk.iter().rev().fold(0, |bits, byte| bits << 8 | u64::from(*byte)))
            .collect()
    }
}

/// Compares the core values that a guest got, but for addresses: they depend on the allocations.
fn check_slots(case: &Case, guest: usize, memory: &Memory) -> std::result::Result<(), Ended> {
    let (found, mut expected) = (World::slots(memory, PARAMS), case.memory(guest));
    let params = case.lift_params(memory, &found)?;
    let slots = expected.lower_all(&case.signature.params, &params, MAX_FLAT_PARAMS, None)?;
    let differs = |&at: &usize| found[at] != slots[at] && !expected.addresses.contains(&at);
    match (0..slots.len()).find(differs) {
        Some(at) => Err(Ended::Wrong(format!("core value {at}: expected {:#x}, found {:#x}", slots[at], found[at]))),
        None => Ok(()),
    }
}

/// Compares what the allocator's part of a memory contains.
fn check_image(found: &Memory, expected: &Memory) -> std::result::Result<(), Ended> {
    let range = START as usize..expected.free as usize;
    check("bytes in memory", &&found.bytes[range.clone()], &&expected.bytes[range])
}

fn host_to_guest(case: &Case, pre: &ComponentPre<Host>, engine: &Engine) -> Way {
    let mut world = World::new(case, pre, engine);
    let mut expected = case.memory(1);
    let slots = expected.lower_all(&case.signature.params, &case.params, MAX_FLAT_PARAMS, None)?;
    let sent = case.sent_result(1)?;
    let result = match &sent {
        Some(sent) => {
            world.send("b", RESULTS, sent);
            case.lift_result(&sent.0, &sent.1)
        }
        None => Ok(None),
    };
    let returned = world.call("b#f", &case.args()).map(|result| case.result_of(result.as_ref()));
    if !compare("result", returned, result)? {
        return Ok(false);
    }
    let memory = world.memory("b", case.encodings[1]);
    check("core values", &&World::slots(&memory, PARAMS)[..slots.len()], &&slots[..])?;
    check_image(&memory, &expected)?;
    check("arguments", &case.lift_params(&memory, &slots), &Ok(case.params.clone()))?;
    Ok(true)
}

fn guest_to_host(case: &Case, pre: &ComponentPre<Host>, engine: &Engine) -> Way {
    let mut world = World::new(case, pre, engine);
    let sent = case.sent_params(1)?;
    world.send("b", PARAMS, &sent);
    world.store.data_mut().result = case.returned();
    let ended = world.call("b#call", &[]);
    let got = ended.map(|_| {
        let got = world.store.data_mut().got.take();
        case.tuple_of(&got.expect("the host was called"))
    });
    if !compare("arguments", got, case.lift_params(&sent.0, &sent.1))? {
        return Ok(false);
    }
    let memory = world.memory("b", case.encodings[1]);
    if let Some((ty, value)) = case.signature.result.as_ref().zip(case.result.as_ref()) {
        let mut expected = case.memory(1);
        let slots = expected.lower_all(ty, value, MAX_FLAT_RESULTS, Some(OUT))?;
        if case.signature.returns_in_memory() {
            let range = OUT as usize..(OUT + ty.size()) as usize;
            check("result in memory", &&memory.bytes[range.clone()], &&expected.bytes[range])?;
        } else {
            check("core result", &World::slots(&memory, RESULTS)[0], &slots[0])?;
        }
        check_image(&memory, &expected)?;
        check("result", &case.lift_result(&memory, &slots), &Ok(Some(value.clone())))?;
    }
    Ok(true)
}

/// Lifts the result that a guest got from a call.
fn result_at(case: &Case, memory: &Memory) -> abi::Done<Option<Value>> {
    let slots = if case.signature.returns_in_memory() { vec![OUT.into()] } else { World::slots(memory, RESULTS) };
    case.lift_result(memory, &slots)
}

fn guest_to_guest(case: &Case, pre: &ComponentPre<Host>, engine: &Engine) -> Way {
    let mut world = World::new(case, pre, engine);
    let params = case.sent_params(0)?;
    world.send("a", PARAMS, &params);
    let result = case.sent_result(1)?;
    if let Some(result) = &result {
        world.send("b", RESULTS, result);
    }
    let found = world.call("a#call", &[]).map(|_| {
        let memory = world.memory("b", case.encodings[1]);
        let params = case.lift_params(&memory, &World::slots(&memory, PARAMS));
        let result = result_at(case, &world.memory("a", case.encodings[0]));
        (params, result)
    });
    if !compare("arguments and result", found, case.arrived(&params, &result))? {
        return Ok(false);
    }
    check_slots(case, 1, &world.memory("b", case.encodings[1]))?;
    Ok(true)
}

fn through_the_host(case: &Case, pre: &ComponentPre<Host>, engine: &Engine) -> Way {
    let mut world = World::new(case, pre, engine);
    let params = case.sent_params(1)?;
    world.send("b", PARAMS, &params);
    let first = world.instance.clone();
    let second = pre.instantiate(&mut world.store).unwrap_or_else(|error| panic!("{error}"));
    world.instance = second.clone();
    world.call("b#grows", &[Val::Bool(case.grows)]).expect("a plain function");
    let result = case.sent_result(1)?;
    if let Some(result) = &result {
        world.send("b", RESULTS, result);
    }
    world.store.data_mut().forwards = Some(world.func("b#f"));
    world.instance = first.clone();
    let found = world.call("b#call", &[]).map(|_| {
        world.instance = second;
        let memory = world.memory("b", case.encodings[1]);
        let params = case.lift_params(&memory, &World::slots(&memory, PARAMS));
        world.instance = first;
        let result = result_at(case, &world.memory("b", case.encodings[1]));
        (params, result)
    });
    compare("arguments and result", found, case.arrived(&params, &result))
}
