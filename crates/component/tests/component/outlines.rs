//! Modules that were validated earlier: what is validated again, and outlines that do not fit. `common::load` also decodes the valid
//! components of the other tests by outlines.

use wasmr_module::{ModuleBytes, Validity};

use crate::common::{by_outline, component, decode};

/// A component with a module that has every kind of section.
const SAMPLE: &str = r#"(component
    (import "f" (func $f (param "x" u32)))
    (core func $f' (canon lower (func $f)))
    (core module $m
        (type $t (func (param i32)))
        (import "" "f" (func $f (type $t)))
        (table $table (export "table") 4 funcref)
        (memory (export "memory") 1)
        (tag (export "tag") (param i64))
        (global (export "global") i32 (i32.const 7))
        (global $ref (export "ref") funcref (ref.func $start))
        (start $start)
        (elem (i32.const 1) $f $start)
        (func $start)
        (func (export "run") (result i32) (memory.init $passive (i32.const 0) (i32.const 0) (i32.const 1))
            (i32.const 0x1234567))
        (data (i32.const 16) "active")
        (data $passive "passive"))
    (core instance $i (instantiate $m (with "" (instance (export "f" (func $f'))))))
    (func (export "run") (result u32) (canon lift (core func $i "run")))
    (export "module" (core module $m)))"#;

#[test]
fn a_module_with_all_sections_is_the_same_by_its_outline() {
    assert_eq!(component(SAMPLE).modules[0].data().len(), 2);
}

#[test]
fn function_bodies_that_were_validated_are_not_validated_again() {
    let mut bytes = wat::parse_str(SAMPLE).unwrap();
    let module = component(SAMPLE).modules[0].clone();
    let constant = [0x41, 0xe7, 0x8a, 0x8d, 0x09];
    let at = bytes.windows(constant.len()).position(|window| window == constant).unwrap();
    // An `f32.const`, whose operand is one byte shorter.
    bytes[at] = 0x43;
    let bytes = ModuleBytes::from(bytes);
    let error = decode(&bytes, &mut |_| Validity::Unknown { threads: 1 }).unwrap_err();
    assert!(error.to_string().contains("type mismatch"), "{error}");
    decode(&bytes, &mut |_| Validity::KnownBodies).unwrap();
    decode(&bytes, &mut |_| by_outline(&module)).unwrap();
}

#[test]
fn the_component_around_a_known_module_is_validated() {
    let text = SAMPLE.replace(r#"(result u32) (canon lift"#, r#"(result u64) (canon lift"#);
    let module = component(SAMPLE).modules[0].clone();
    let error = decode(&wat::parse_str(text).unwrap().into(), &mut |_| by_outline(&module)).unwrap_err();
    assert!(error.to_string().contains("lowered result types `[I64]` do not match"), "{error}");
}

#[test]
fn an_outline_of_another_module_is_an_error() {
    let bytes = ModuleBytes::from(wat::parse_str(SAMPLE).unwrap());
    let outline = component(SAMPLE).modules[0].outline();
    for len in 0..outline.len() {
        let cut = ModuleBytes::from(outline[..len].to_vec());
        let error = decode(&bytes, &mut |_| Validity::Known { outline: cut.clone() }).unwrap_err();
        assert!(error.to_string().contains("the outline is not that of this module"), "{len}: {error}");
    }
    for index in 0..outline.len() {
        let mut changed = outline.clone();
        changed[index] ^= 0x55;
        // Not every change is found, but none panics.
        let _ = decode(&bytes, &mut |_| Validity::Known { outline: changed.clone().into() });
    }
}
