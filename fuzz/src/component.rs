//! Decodes arbitrary bytes as a component.
//!
//! The first byte selects the kind of the others: a binary after a valid header, text, or changes to a component with items of most
//! kinds, perhaps composed with a plug that has changes too. An accepted component must be valid for wasmparser, and its world must have
//! a text. The verdict must not depend on the number of threads.

use std::path::Path;
use std::sync::Arc;

use arbitrary::{Result, Unstructured};
use wasmparser::{Validator, WasmFeatures};
use wasmr_component::{Component, ComponentError, Part, World};
use wasmr_core::registry::TypeRegistry;
use wasmr_module::{Features, ModuleBytes, Validity, bytes_from_input};

use crate::decode::Change;

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
        _ => match changed(SEED, rest) {
            Ok(bytes) => bytes,
            Err(_) => return,
        },
    };
    let features = if choice & 4 == 0 { Features::default() } else { Features::all() };
    let bytes = ModuleBytes::from(bytes);
    if choice & 8 != 0 {
        // The changes of the component begin at the front of the bytes, those of the plug at the other end.
        let back: Vec<u8> = rest.iter().rev().copied().collect();
        if let Ok(plug) = changed(PLUG, &back) {
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
    }
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

/// Returns the binary of a text with the changes that the data selects.
fn changed(seed: &str, data: &[u8]) -> Result<Vec<u8>> {
    let mut u = Unstructured::new(data);
    let mut bytes = wat::parse_str(seed).expect("the seed is well-formed");
    for _ in 0..u.int_in_range(0..=CHANGES)? {
        u.arbitrary::<Change>()?.apply(&mut bytes);
    }
    Ok(bytes)
}
