//! Outlines: the same module with and without validation, and no panic for an outline or a binary that does not fit.
//!
//! `common::load` also checks the outline of every valid module of the other tests.

use std::fs;
use std::path::Path;

use wasmr_core::registry::TypeRegistry;
use wasmr_module::{DataMode, Feature, Features, Inspection, Module, ModuleBytes, OutlineMismatch};

use crate::common::{binary, load, module, registry};
use crate::hostile::{SAMPLE, walk};

/// Decodes the binary of a module by the module's outline.
pub fn decode(bytes: ModuleBytes, module: &Module) -> std::sync::Arc<Module> {
    let decoded = Module::from_outline(bytes, "test", module.features(), module.registry(), &module.outline());
    decoded.expect("the outline is that of the module")
}

/// Checks that two modules have the same declarations. They have the same registry.
pub fn assert_same(a: &Module, b: &Module) {
    assert_eq!(a.features(), b.features());
    let types = |m: &Module| -> Vec<_> {
        (0..m.type_count()).map(|index| (m.type_id(index), m.as_func_type(index).cloned())).collect()
    };
    assert_eq!(types(a), types(b));
    let funcs = |m: &Module| -> Vec<_> { (0..m.func_count()).map(|index| m.func_type_index(index)).collect() };
    assert_eq!(funcs(a), funcs(b));
    let bodies = |m: &Module| -> Vec<_> {
        (0..m.defined_func_count()).map(|index| (m.body(index).offset, m.body(index).bytes.len())).collect()
    };
    assert_eq!(bodies(a), bodies(b));
    assert_eq!(a.imports(), b.imports());
    assert_eq!(a.exports(), b.exports());
    for export in a.exports() {
        assert_eq!(a.export(&export.name), b.export(&export.name));
        assert_eq!(a.export_type(export), b.export_type(export));
    }
    assert_eq!(a.memories(), b.memories());
    assert_eq!(a.tables(), b.tables());
    assert_eq!(a.globals(), b.globals());
    assert_eq!(a.tags(), b.tags());
    let imported = |m: &Module| {
        let objects = [m.imported_table_count(), m.imported_memory_count(), m.imported_global_count()];
        (m.imported_func_count(), objects, m.imported_tag_count())
    };
    assert_eq!(imported(a), imported(b));
    assert_eq!(a.start(), b.start());
    assert_eq!(a.elements(), b.elements());
    assert_eq!(a.data(), b.data());
    assert_eq!(a.name(), b.name());
    assert!(a.names().funcs().eq(b.names().funcs()));
    assert_eq!(a.names().module_name(), b.names().module_name());
    assert!(a.custom_sections().eq(b.custom_sections()));
    assert!(a.sections().eq(b.sections()));
    assert_eq!(a.producers(), b.producers());
    assert_eq!(a.outline(), b.outline());
}

/// Decodes a binary by an outline with the default features. Accessors must work if the binary is the outline's.
fn from_outline(bytes: impl Into<ModuleBytes>, outline: &[u8]) -> Result<std::sync::Arc<Module>, OutlineMismatch> {
    Module::from_outline(bytes.into(), "test", &Features::default(), &registry(), outline)
}

/// Returns the binaries of `tests/guests`.
fn guests() -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/guests");
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    paths
        .filter(|path| path.extension().is_some_and(|name| name == "wasm"))
        .map(|path| fs::read(path).unwrap())
        .collect()
}

#[test]
fn programs_are_the_same_by_their_outlines() {
    let guests = guests();
    assert!(guests.len() > 15);
    for bytes in guests {
        let module = load(bytes).unwrap();
        let per_item = 5 * module.defined_func_count() as usize + 10 * module.data().len();
        assert!(module.outline().len() <= per_item + 32);
    }
}

#[test]
fn data_segments_in_and_out_of_the_outline() {
    let outline_len = |text: &str| {
        let module = module(text);
        let decoded = decode(binary(text), &module);
        assert_eq!(module.data(), decoded.data());
        (module.outline().len(), module.data().last().unwrap().mode.clone())
    };
    let active = |memory, address| DataMode::Active { memory, address };
    // In the outline: the header, the marker, the start, and 10 bytes for each.
    let listed = |count: usize| 8 + 1 + 4 + 10 * count;
    assert_eq!(outline_len(r#"(module (data "a") (data "b"))"#), (listed(2), DataMode::Passive));
    let high = outline_len(r#"(module (memory 1) (data (i32.const 7) "a") (data (i32.const -2) "b"))"#);
    assert_eq!(high, (listed(2), active(0, 0xffff_fffe)));
    let wide = outline_len(r#"(module (memory i64 1) (data (i64.const 9) "a"))"#);
    assert_eq!(wide, (listed(1), active(0, 9)));
    // Not in the outline: the header and the marker.
    let other =
        outline_len(r#"(module (memory 1) (memory 1) (data (i32.const 3) "a") (data (memory 1) (i32.const 5) "b"))"#);
    assert_eq!(other, (8 + 1, active(1, 5)));
    let far = outline_len(r#"(module (memory i64 1) (data (i64.const 0x1_0000_0000) "a"))"#);
    assert_eq!(far, (8 + 1, active(0, 1 << 32)));
    for offset in ["global.get 0", "(i32.add (global.get 0) (i32.const 1))"] {
        let (len, mode) =
            outline_len(&format!(r#"(module (import "e" "g" (global i32)) (memory 1) (data (offset {offset}) "a"))"#));
        assert_eq!(len, 8 + 1);
        assert!(matches!(mode, DataMode::Computed { memory: 0, .. }));
    }
}

#[test]
fn code_and_data_are_not_read() {
    let bytes = binary(SAMPLE).as_ref().to_vec();
    let module = load(bytes.clone()).unwrap();
    let mut changed = bytes;
    for section in module.sections().filter(|section| ["code", "data"].contains(&section.kind())) {
        // The first byte is the number of items.
        changed[section.contents][1..].fill(0xff);
    }
    let decoded = from_outline(changed, &module.outline()).unwrap();
    assert_eq!(decoded.data(), module.data());
    assert_eq!(decoded.body(1).offset, module.body(1).offset);
    assert_eq!(decoded.body(1).bytes.len(), module.body(1).bytes.len());
}

#[test]
fn an_outline_that_is_cut_off_or_extended_is_refused() {
    let bytes = binary(SAMPLE);
    let outline = load(bytes.clone()).unwrap().outline();
    for len in 0..outline.len() {
        assert_eq!(from_outline(bytes.clone(), &outline[..len]).err(), Some(OutlineMismatch), "{len}");
    }
    assert!(from_outline(bytes, &[&outline[..], &[0]].concat()).is_err());
}

#[test]
fn every_byte_of_an_outline_changed() {
    let bytes = binary(SAMPLE);
    let outline = load(bytes.clone()).unwrap().outline();
    let mut refused = 0;
    for at in 0..outline.len() {
        for value in 0..=255 {
            let mut changed = outline.clone();
            changed[at] = value;
            match from_outline(bytes.clone(), &changed) {
                Ok(module) => walk(&module),
                Err(OutlineMismatch) => refused += 1,
            }
        }
    }
    assert!(refused > outline.len() * 100, "{refused} of {}", outline.len() * 256);
}

#[test]
fn many_bytes_of_an_outline_changed() {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut random = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % below as u64) as usize
    };
    for bytes in guests().into_iter().filter(|bytes| bytes.len() < 100_000) {
        let outline = load(bytes.clone()).unwrap().outline();
        let bytes = ModuleBytes::from(bytes);
        for _ in 0..50 {
            let mut changed = outline.clone();
            for _ in 0..=random(4) {
                let at = random(changed.len());
                match random(3) {
                    0 => changed[at] = random(256) as u8,
                    1 => drop(changed.remove(at)),
                    _ => changed.insert(at, random(256) as u8),
                }
            }
            if let Ok(module) = from_outline(bytes.clone(), &changed) {
                walk(&module);
            }
        }
    }
}

#[test]
fn every_byte_of_the_binary_changed() {
    let bytes = binary(SAMPLE).as_ref().to_vec();
    let outline = load(bytes.clone()).unwrap().outline();
    let mut refused = 0;
    for at in 0..bytes.len() {
        for value in 0..=255 {
            let mut changed = bytes.clone();
            changed[at] = value;
            refused += usize::from(from_outline(changed, &outline).is_err());
        }
    }
    assert!(refused > bytes.len() * 30, "{refused} of {}", bytes.len() * 256);
}

#[test]
fn another_module_and_other_features_are_refused() {
    let bytes = binary(SAMPLE);
    let module = load(bytes.clone()).unwrap();
    let outline = module.outline();
    let header = [(bytes.as_ref().len() as u32).to_le_bytes(), outline[4..8].try_into().unwrap()].concat();
    for other in guests() {
        let other = load(other).unwrap().outline();
        assert!(from_outline(bytes.clone(), &other).is_err(), "the size of the binary differs");
        assert!(from_outline(bytes.clone(), &[&header, &other[8..]].concat()).is_err(), "the number of bodies differs");
    }
    let fewer = Features::default().with(Feature::Simd, false);
    let types = std::sync::Arc::new(TypeRegistry::new());
    assert!(Module::from_outline(bytes.clone(), "test", &fewer, &types, &outline).is_err());
    let inspection = Inspection::new(bytes.clone(), "test", 1).unwrap();
    assert!(from_outline(bytes, &inspection.outline()).is_err(), "an inspection has the required features only");
}

#[test]
fn a_refused_binary_leaves_no_types() {
    let bytes = binary(SAMPLE);
    let outline = load(bytes.clone()).unwrap().outline();
    let types = registry();
    let decoded = Module::from_outline(bytes, "test", &Features::default(), &types, &outline[..outline.len() - 1]);
    assert!(decoded.is_err());
    assert!(types.is_empty());
}

#[test]
fn a_module_without_code_and_data() {
    for text in ["(module)", "(module (memory 1))"] {
        assert_eq!(module(text).outline().len(), 8);
    }
    // Sections without items.
    let empty = b"\0asm\x01\0\0\0\x03\x01\0\x0a\x01\0\x0b\x01\0".to_vec();
    assert_eq!(load(empty).unwrap().outline().len(), 8);
}
