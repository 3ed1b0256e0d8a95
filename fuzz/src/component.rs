//! Decodes arbitrary bytes as a component, and runs it.
//!
//! The first byte selects the kind of the others: a binary after a valid header, text, or changes to a component: one with items of most
//! kinds, or a generated one. It may be composed with a plug that has changes too. An accepted component must be valid for wasmparser,
//! and its world must have a text. The verdict must not depend on the number of threads.
//!
//! An accepted component is instantiated, with imports that trap, and its functions are called. Any end of a call is right, but not
//! a panic, a hang or much memory.

use std::path::Path;
use std::sync::{Arc, OnceLock};

use arbitrary::{Result, Unstructured};
use wasmparser::{Validator, WasmFeatures};
use wasmr_canon::{Instance, Linker, Type, TypeKind, Val};
use wasmr_component::{Component, ComponentError, ExportItem, Exports, Part, World};
use wasmr_core::registry::TypeRegistry;
use wasmr_engine::{Config, Engine, Mode};
use wasmr_module::{Features, ModuleBytes, Validity, bytes_from_input};
use wasmr_runtime::Store;
use wasmr_runtime::limits::MemoryStrategy;

use crate::decode::Change;

/// Most functions of a component that are called.
const CALLS: usize = 16;

/// Most values of an argument.
const VALUES: usize = 200;

/// Fuel of an instantiation, and of each call.
const FUEL: u64 = 50_000;

/// Maximum number of changes to the component.
const CHANGES: usize = 12;

/// Text of the component that is changed.
const SEED: &str = include_str!("component_seed.wat");

/// Text of a plug for it.
const PLUG: &str = include_str!("plug_seed.wat");

/// Decodes the component that the bytes select.
pub fn run(data: &[u8]) {
    let Some((&choice, rest)) = data.split_first() else { return };
    let bytes = match choice & 3 {
        0 => [b"\0asm\x0d\0\x01\0", rest].concat(),
        1 => match bytes_from_input(rest.to_vec().into(), Path::new("fuzz.wat")) {
            Ok(bytes) => bytes.as_ref().to_vec(),
            Err(_) => return,
        },
        kind => match changed((kind == 2).then_some(SEED), rest) {
            Ok(bytes) => bytes,
            Err(_) => return,
        },
    };
    let features = if choice & 4 == 0 { Features::default() } else { Features::all() };
    let bytes = ModuleBytes::from(bytes);
    if choice & 8 != 0 {
        // The changes of the component begin at the front of the bytes, those of the plug at the other end.
        let back: Vec<u8> = rest.iter().rev().copied().collect();
        if let Ok(plug) = changed(Some(PLUG), &back) {
            compose(&bytes, &plug.into(), &features);
        }
        return;
    }
    let result = decode(&bytes, &features, 1);
    let other = decode(&bytes, &features, 3);
    let text = |result: &std::result::Result<Component, ComponentError>| result.as_ref().err().map(ToString::to_string);
    assert_eq!(text(&result), text(&other), "the number of threads changed the verdict");
    if result.is_ok() {
        let all = Validator::new_with_features(WasmFeatures::all()).validate_all(bytes.as_ref()).err();
        assert!(all.is_none(), "accepted here, refused by the validator: {all:?}");
        if let Ok(world) = World::new(&bytes, "fuzz.wasm", &features) {
            assert!(!world.to_string().is_empty());
        }
        execute(&bytes, choice & 4 != 0);
    }
}

/// Instantiates a component that was accepted, and calls its functions.
fn execute(bytes: &ModuleBytes, all_features: bool) {
    static ENGINES: OnceLock<[Engine; 2]> = OnceLock::new();
    let engines = ENGINES.get_or_init(|| [Features::default(), Features::all()].map(engine));
    let engine = &engines[usize::from(all_features)];
    let component = wasmr_engine::Component::from_bytes(engine, bytes.clone(), "fuzz.wasm");
    let component = component.expect("the decoder accepts it with these features");
    let mut linker = Linker::new();
    linker.define_unknown_imports_as_traps();
    // A core module that is imported has no definition.
    let Ok(pre) = linker.prepare(&component) else { return };
    let mut store = Store::new(engine, ());
    store.set_fuel(FUEL).expect("the engine counts fuel");
    let Ok(instance) = pre.instantiate(&mut store) else { return };
    let mut names = Vec::new();
    functions(&component.component.exports, "", &mut names);
    for name in names.iter().take(CALLS) {
        call(&mut store, &instance, name);
    }
}

fn engine(features: Features) -> Engine {
    let mut config = Config::new();
    config.mode(Mode::Interp).features(features).consume_fuel(true).memory_strategy(MemoryStrategy::Checked);
    config.max_memory(16 << 20).max_table_elements(100_000).max_instances(200);
    let tuning = wasmr_engine::Tuning { baseline: !cfg!(fuzzing), ..wasmr_engine::Tuning::default() };
    Engine::new(config.tuning(tuning))
}

/// Adds the names of functions that are exported, also by instances that are.
fn functions(exports: &Exports, prefix: &str, names: &mut Vec<String>) {
    for (name, item) in &exports.items {
        match item {
            ExportItem::Func(..) => names.push(format!("{prefix}{name}")),
            ExportItem::Instance(inner) => functions(inner, &format!("{prefix}{name}#"), names),
            _ => {}
        }
    }
}

/// Calls a function with some value of each of its types, if they have any without handles.
fn call(store: &mut Store<()>, instance: &Instance, name: &str) {
    // The host's function that is exported again is no function of the guest.
    let Some(func) = instance.get_func(&mut *store, name) else { return };
    let mut left = VALUES;
    let args = func.ty().params().map(|(_, ty)| some_value(ty, &mut left));
    let Some(args) = args.collect::<Option<Vec<Val>>>() else { return };
    store.set_fuel(FUEL).expect("the engine counts fuel");
    let _ = func.call(store, &args);
}

/// Returns a value of a type; `None` if it is large, or has handles.
fn some_value(ty: Type<'_>, left: &mut usize) -> Option<Val> {
    *left = left.checked_sub(1)?;
    let mut payload = |ty: Option<Type<'_>>| match ty {
        Some(ty) => some_value(ty, left).map(|value| Some(Box::new(value))),
        None => Some(None),
    };
    Some(match ty.kind() {
        TypeKind::Bool => Val::Bool(true),
        TypeKind::S8 => Val::S8(-1),
        TypeKind::U8 => Val::U8(1),
        TypeKind::S16 => Val::S16(-1),
        TypeKind::U16 => Val::U16(1),
        TypeKind::S32 => Val::S32(-1),
        TypeKind::U32 => Val::U32(1),
        TypeKind::S64 => Val::S64(-1),
        TypeKind::U64 => Val::U64(1),
        TypeKind::F32 => Val::F32(1.5),
        TypeKind::F64 => Val::F64(f64::NAN),
        TypeKind::Char => Val::Char('☃'),
        TypeKind::String => Val::string("text ☃"),
        TypeKind::List(element) => Val::from(vec![some_value(element, left)?]),
        TypeKind::FixedList(element, len) => {
            Val::from((0..len).map(|_| some_value(element, left)).collect::<Option<Vec<Val>>>()?)
        }
        TypeKind::Map(key, value) => Val::Map(vec![(some_value(key, left)?, some_value(value, left)?)]),
        TypeKind::Record(fields) => {
            let mut field = |ty, name: &str| Some((name.to_string(), some_value(ty, left)?));
            Val::Record(fields.into_iter().map(|(name, ty)| field(ty, name)).collect::<Option<_>>()?)
        }
        TypeKind::Tuple(tys) => {
            Val::Tuple(tys.into_iter().map(|ty| some_value(ty, left)).collect::<Option<Vec<Val>>>()?)
        }
        TypeKind::Variant(cases) => {
            let (name, ty) = cases.into_iter().next_back()?;
            Val::Variant(name.to_string(), payload(ty)?)
        }
        TypeKind::Enum(names) => Val::Enum(names.last()?.to_string()),
        TypeKind::Flags(names) => Val::Flags(names.iter().map(ToString::to_string).collect()),
        TypeKind::Option(some) => Val::Option(payload(Some(some))?),
        TypeKind::Result { err, .. } => Val::Result(Err(payload(err)?)),
        _ => return None,
    })
}

fn decode(bytes: &ModuleBytes, features: &Features, threads: usize) -> std::result::Result<Component, ComponentError> {
    let validity = |_| Validity::Unknown { threads };
    Component::new(bytes, "fuzz.wasm", features, &Arc::new(TypeRegistry::new()), &mut { validity })
}

/// Composes a component with a plug and with itself.
fn compose(bytes: &ModuleBytes, plug: &ModuleBytes, features: &Features) {
    for plugs in [&[plug][..], &[bytes], &[plug, bytes]] {
        let parts = [bytes].into_iter().chain(plugs.iter().copied()).zip(["main", "plug", "other"]);
        let parts: Vec<Part<'_>> = parts.map(|(bytes, name)| Part { bytes, name }).collect();
        let mut validity = |_, _| Validity::Unknown { threads: 1 };
        let composed = Component::compose(&parts, features, &Arc::new(TypeRegistry::new()), &mut validity);
        match composed {
            Ok(component) => {
                assert!(!component.plugs.is_empty(), "each plug is of use");
                for part in &parts {
                    let result = Validator::new_with_features(WasmFeatures::all()).validate_all(part.bytes.as_ref());
                    assert!(result.is_ok(), "accepted here, refused by the validator: {:?}", result.err());
                }
                if let Ok(world) = World::composed(&parts, features) {
                    assert!(!world.to_string().is_empty());
                }
            }
            Err(error) => assert!(!error.to_string().is_empty()),
        }
    }
}

/// Returns the binary of a text, or a generated one, with the changes that the data selects.
fn changed(seed: Option<&str>, data: &[u8]) -> Result<Vec<u8>> {
    let mut u = Unstructured::new(data);
    let changes: Vec<Change> = (0..u.int_in_range(0..=CHANGES)?).map(|_| u.arbitrary()).collect::<Result<_>>()?;
    let mut bytes = match seed {
        Some(seed) => wat::parse_str(seed).expect("the seed is well-formed"),
        None => u.arbitrary::<wasm_smith::Component>()?.to_bytes(),
    };
    for change in changes {
        change.apply(&mut bytes);
    }
    Ok(bytes)
}
