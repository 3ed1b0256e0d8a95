//! Decodes arbitrary bytes as a module.
//!
//! The first byte selects the kind of the others: a binary, a binary after a valid header, text, or a generated module with
//! changes. All accessors of an accepted module must work, and wasmparser must accept the module in one piece. Its outline must
//! give the same module. A refused module must have the same error with any number of threads.

use std::path::Path;
use std::sync::Arc;

use arbitrary::{Arbitrary, Result, Unstructured};
use wasmparser::{Validator, WasmFeatures};
use wasmr_core::registry::TypeRegistry;
use wasmr_module::{Features, Module, ModuleBytes, ModuleError, bytes_from_input};

/// Maximum number of changes to a generated module.
const CHANGES: usize = 12;

/// A change to bytes. Positions are modulo the number of bytes.
#[derive(Clone, Copy, Debug, Arbitrary)]
pub(crate) enum Change {
    Set { at: u32, byte: u8 },
    Flip { at: u32, bit: u8 },
    Insert { at: u32, byte: u8 },
    Remove { at: u32, count: u8 },
    Repeat { from: u32, to: u32, count: u8 },
    Cut { at: u32 },
}

impl Change {
    pub(crate) fn apply(self, bytes: &mut Vec<u8>) {
        if bytes.is_empty() {
            return;
        }
        let length = bytes.len();
        let place = |at: u32| at as usize % length;
        match self {
            Change::Set { at, byte } => bytes[place(at)] = byte,
            Change::Flip { at, bit } => bytes[place(at)] ^= 1 << (bit % 8),
            Change::Insert { at, byte } => bytes.insert(place(at), byte),
            Change::Remove { at, count } => {
                let end = (place(at) + usize::from(count)).min(length);
                bytes.drain(place(at)..end);
            }
            Change::Repeat { from, to, count } => {
                let end = (place(from) + usize::from(count)).min(length);
                let part = bytes[place(from)..end].to_vec();
                bytes.splice(place(to)..place(to), part);
            }
            Change::Cut { at } => bytes.truncate(place(at)),
        }
    }
}

/// Decodes the module that the bytes select.
pub fn run(data: &[u8]) {
    let Some((&choice, rest)) = data.split_first() else { return };
    let bytes = match choice & 3 {
        0 => rest.to_vec(),
        1 => [b"\0asm\x01\0\0\0", rest].concat(),
        2 => match changed_module(rest) {
            Ok(bytes) => bytes,
            Err(_) => return,
        },
        _ => match bytes_from_input(rest.to_vec().into(), Path::new("fuzz.wat")) {
            Ok(bytes) => bytes.as_ref().to_vec(),
            Err(_) => return,
        },
    };
    let features = if choice & 4 == 0 { Features::default() } else { Features::all() };
    let bytes = ModuleBytes::from(bytes);
    let result = decode(&bytes, &features, 1);
    if choice & 8 != 0 {
        let other = decode(&bytes, &features, 3);
        let text =
            |result: &std::result::Result<Arc<Module>, ModuleError>| result.as_ref().err().map(ToString::to_string);
        assert_eq!(text(&result), text(&other), "the number of threads changed the verdict");
    }
    if let Ok(module) = result {
        let all = Validator::new_with_features(WasmFeatures::all()).validate_all(bytes.as_ref()).err();
        assert!(all.is_none(), "accepted here, refused by the validator: {all:?}");
        let outline = module.outline();
        let again = Module::from_outline(bytes, "fuzz.wasm", &features, module.registry(), &outline);
        let again = again.expect("the outline is that of the module");
        assert_eq!(again.outline(), outline, "the outline gives other bodies or data segments");
        assert_eq!(ask_everything(&again), ask_everything(&module), "the outline gives other declarations");
    }
}

fn decode(bytes: &ModuleBytes, features: &Features, threads: usize) -> std::result::Result<Arc<Module>, ModuleError> {
    Module::new(bytes.clone(), "fuzz.wasm", features, &Arc::new(TypeRegistry::new()), threads)
}

fn changed_module(data: &[u8]) -> Result<Vec<u8>> {
    let mut u = Unstructured::new(data);
    let changes: Vec<Change> = (0..u.int_in_range(0..=CHANGES)?).map(|_| u.arbitrary()).collect::<Result<_>>()?;
    let mut config = wasm_smith::Config::arbitrary(&mut u)?;
    config.max_types = config.max_types.min(40);
    config.max_imports = config.max_imports.min(40);
    config.max_instructions = config.max_instructions.min(200);
    config.generate_custom_sections = u.arbitrary()?;
    config.allow_invalid_funcs = u.arbitrary()?;
    let mut bytes = wasm_smith::Module::new(config, &mut u)?.to_bytes();
    for change in changes {
        change.apply(&mut bytes);
    }
    Ok(bytes)
}

/// Calls every accessor of a module, so that an index out of range causes a panic. Returns the declarations as text.
fn ask_everything(module: &Module) -> String {
    let names = module.names();
    for index in 0..module.func_count() {
        let _ = (names.func_name(index), module.func_type(index), module.func_type_id(index));
    }
    for index in 0..module.type_count() {
        let _ = (module.type_id(index), module.as_func_type(index));
    }
    for index in 0..module.defined_func_count() {
        let body = module.body(index);
        assert_eq!(body.bytes.as_ptr(), module.bytes()[body.offset..].as_ptr(), "a body lies at its offset");
    }
    for export in module.exports() {
        let _ = module.export_type(export);
        assert_eq!(module.export(&export.name), Some(export), "an export is found by its name");
    }
    for segment in module.data() {
        let _ = module.data_bytes(segment);
    }
    let declared = format!(
        "{module:?} {:?} {:?} {:?} {:?} {:?} {:?}",
        module.imports(),
        module.tables(),
        module.memories(),
        module.globals(),
        module.tags(),
        module.elements(),
    );
    for section in module.custom_sections() {
        let _ = format!("{section:?}");
    }
    declared
}
