//! Errors of modules: fault, place and feature.

use std::path::Path;

use crate::common::{binary, error, load, registry};
use wasmr_module::{Fault, Feature, Features, Module, ModuleError, bytes_from_input};

fn with_features(text: &str, features: Features) -> Result<(), ModuleError> {
    Module::new(binary(text), "test", &features, &registry(), 1).map(drop)
}

fn from_file(bytes: &[u8], path: &str) -> ModuleError {
    bytes_from_input(bytes.to_vec().into(), Path::new(path)).expect_err("no module")
}

#[test]
fn function_index_name_and_offset() {
    let text = r#"(module
        (import "e" "f" (func))
        (func)
        (func $broken (result i32) i64.const 1)
        (func $later (result i32) f32.const 1))"#;
    let e = error(text);
    assert_eq!(e.fault(), Fault::Invalid);
    assert_eq!((e.func_index(), e.func_name()), (Some(2), Some("broken")));
    let offset = e.offset().unwrap() as usize;
    // The `end` after `i64.const 1`.
    assert_eq!(&binary(text).as_ref()[offset - 2..=offset], [0x42, 0x01, 0x0b]);
    assert_eq!(
        e.to_string(),
        format!(
            "invalid module `test`: type mismatch: expected i32, found i64 (in function 2 `broken`, at offset {offset:#x})"
        )
    );
}

#[test]
fn an_exported_function_has_a_name_too() {
    let e = error(r#"(module (func (export "run") (result i32)))"#);
    assert_eq!((e.func_index(), e.func_name()), (Some(0), Some("run")));
    let e = error("(module (func (result i32)))");
    assert_eq!((e.func_index(), e.func_name()), (Some(0), None));
    assert!(e.to_string().contains("(in function 0, at offset"), "{e}");
}

#[test]
fn invalid_declarations() {
    for text in [
        r#"(module (export "a" (func 0)))"#,
        r#"(module (func) (export "a" (func 0)) (export "a" (func 0)))"#,
        "(module (global i32 (i64.const 0)))",
        "(module (memory 65537))",
        "(module (table 1 0 funcref))",
        "(module (func (param i32)) (start 0))",
        "(module (data (i32.const 0) \"\"))",
        "(module (func) (elem (i32.const 0) 0))",
        "(module (type (func)) (type (sub 0 (func (param i32)))))",
        "(module (type (sub final (func))) (type (sub 0 (func))))",
    ] {
        let e = error(text);
        assert_eq!(e.fault(), Fault::Invalid, "{text}: {e}");
        assert!(e.offset().is_some_and(|offset| offset >= 8), "{text}: {e}");
        assert_eq!(e.func_index(), None, "{text}");
    }
}

#[test]
fn malformed_is_distinguished_from_invalid() {
    let header = b"\0asm\x01\0\0\0".to_vec();
    let cases: [(&[u8], Fault); 9] = [
        // An unknown section.
        (&[99, 0], Fault::Malformed),
        // A truncated type section.
        (&[1, 4, 1, 0x60], Fault::Malformed),
        // An unknown type form.
        (&[1, 2, 1, 0x11], Fault::Malformed),
        // Functions without a code section.
        (&[1, 4, 1, 0x60, 0, 0, 3, 2, 1, 0], Fault::Malformed),
        // A function with an undefined type.
        (&[3, 2, 1, 0, 10, 4, 1, 2, 0, 0x0b], Fault::Invalid),
        // Sections out of order.
        (&[3, 1, 0, 1, 1, 0], Fault::Malformed),
        // Bytes after the last type.
        (&[1, 5, 1, 0x60, 0, 0, 7], Fault::Malformed),
        // An unknown operator.
        (&[1, 4, 1, 0x60, 0, 0, 3, 2, 1, 0, 10, 5, 1, 3, 0, 0xff, 0x0b], Fault::Malformed),
        // `drop` on an empty stack.
        (&[1, 4, 1, 0x60, 0, 0, 3, 2, 1, 0, 10, 5, 1, 3, 0, 0x1a, 0x0b], Fault::Invalid),
    ];
    for (tail, fault) in cases {
        let mut bytes = header.clone();
        bytes.extend(tail);
        let e = load(bytes).expect_err("not valid");
        assert_eq!(e.fault(), fault, "{tail:?}: {e}");
        assert!(e.offset().is_some(), "{tail:?}: {e}");
    }
}

#[test]
fn a_body_of_no_bytes_is_refused() {
    let e = load(b"\0asm\x01\0\0\0\x01\x04\x01\x60\0\0\x03\x02\x01\0\x0a\x02\x01\0".to_vec()).expect_err("not valid");
    assert_eq!((e.fault(), e.func_index()), (Fault::Malformed, Some(0)));
}

#[test]
fn the_fault_at_the_lowest_offset_is_reported() {
    // The code section declares two bodies and has one, which is invalid itself.
    let mut bytes = b"\0asm\x01\0\0\0\x01\x04\x01\x60\0\0\x03\x03\x02\0\0".to_vec();
    bytes.extend([10, 5, 2, 3, 0, 0x1a, 0x0b]);
    let e = load(bytes.clone()).expect_err("not valid");
    assert_eq!((e.fault(), e.func_index()), (Fault::Invalid, Some(0)));
    // With a valid body, the fault is that of the section.
    let at = bytes.len() - 2;
    bytes[at] = 0x01;
    let e = load(bytes).expect_err("not valid");
    assert_eq!((e.fault(), e.func_index()), (Fault::Malformed, None));
    // An invalid body before an invalid data segment.
    let e = error("(module (func (result i32)) (data (i32.const 0) \"\"))");
    assert_eq!(e.func_index(), Some(0));
}

#[test]
fn features_that_are_off() {
    let cases = [
        (Feature::BulkMemory, "(module (memory 1) (func (memory.fill (i32.const 0) (i32.const 0) (i32.const 0))))"),
        (Feature::ReferenceTypes, "(module (func (param externref)))"),
        (Feature::MultiValue, "(module (func (result i32 i32) i32.const 0 i32.const 0))"),
        (Feature::Simd, "(module (func (param v128)))"),
        (
            Feature::RelaxedSimd,
            "(module (func (param v128) (drop (i8x16.relaxed_swizzle (local.get 0) (local.get 0)))))",
        ),
        (Feature::TailCall, "(module (func return_call 0))"),
        (Feature::MultiMemory, "(module (memory 1) (memory 1))"),
        (Feature::Memory64, "(module (memory i64 1))"),
        (Feature::Exceptions, "(module (tag))"),
        (Feature::FunctionReferences, "(module (type (func)) (func (param (ref 0))))"),
        (Feature::Gc, "(module (type (struct)))"),
        // wasmparser's errors for these name no feature.
        (Feature::Gc, "(module (type $a (sub (func))) (type (sub final $a (func))))"),
        (Feature::Gc, "(module (rec (type $a (func (param (ref null $b)))) (type $b (func))))"),
        (Feature::ReferenceTypes, "(module (table 1 funcref) (table 1 funcref))"),
        (Feature::BulkMemory, "(module (memory 1) (func (data.drop 0)) (data \"\"))"),
    ];
    for (feature, text) in cases {
        let on = Features::default().with(feature, true);
        with_features(text, on).unwrap_or_else(|e| panic!("{text}: {e}"));
        let e = with_features(text, on.with(feature, false)).expect_err(text);
        assert_eq!((e.fault(), e.missing_feature()), (Fault::Unsupported, Some(feature)), "{e}");
    }
    let e = with_features("(module (tag))", Features::default().with(Feature::Exceptions, false)).unwrap_err();
    assert!(e.message().ends_with("; the feature exceptions is off"), "{e}");
    let e = with_features("(module (global i32 (i32.add (i32.const 1) (i32.const 2))))", Features::NONE).unwrap_err();
    assert_ne!(e.fault(), Fault::Malformed, "{e}");
}

#[test]
fn types_of_a_proposal_without_its_operators_are_accepted() {
    let texts = [
        "(module (type $s (struct (field i32))) (func (param (ref null $s)) (local anyref) (drop (ref.is_null (local.get 0)))))",
        "(module (rec (type $a (sub (func))) (type $b (sub $a (func)))) (func (type $b)) (table 1 eqref))",
    ];
    for text in texts {
        with_features(text, Features::default()).unwrap_or_else(|e| panic!("{text}: {e}"));
    }
    // An invalid body with such an operator is reported as invalid.
    let e = error("(module (type $s (struct)) (func (drop (struct.new $s)) (i32.const 1)))");
    assert_eq!(e.fault(), Fault::Invalid, "{e}");
}

#[test]
fn limits() {
    let e = error(&format!("(module (func (param {})))", "i32 ".repeat(1001)));
    assert_eq!(e.fault(), Fault::OverLimit, "{e}");
    let e = error(&format!("(module (func (local {})))", "i32 ".repeat(50_001)));
    assert_eq!((e.fault(), e.func_index()), (Fault::OverLimit, Some(0)), "{e}");
    let e = error(&format!("(module {})", "(memory 0)".repeat(101)));
    assert_eq!(e.fault(), Fault::OverLimit, "{e}");
}

#[test]
fn components_are_named() {
    let e = load(b"\0asm\x0d\0\x01\0".to_vec()).expect_err("a component");
    assert_eq!(e.fault(), Fault::Unsupported);
    assert!(e.message().contains("a component, not a core module"), "{e}");
    let e = load(binary("(component)")).expect_err("a component");
    assert_eq!(e.fault(), Fault::Unsupported);
    let e = load(b"\0asm\x02\0\0\0".to_vec()).expect_err("an unknown version");
    assert_eq!((e.fault(), e.offset()), (Fault::Malformed, Some(4)));
}

#[test]
fn faulty_text() {
    let e = from_file(b"(module\n  (func $f\n    (i32.cnst 1)))", "dir/a.wat");
    assert_eq!(e.fault(), Fault::Malformed);
    assert!(e.message().contains("a.wat:3:6"), "{e}");
    assert!(e.message().contains("(i32.cnst 1)"), "{e}");
    let e = from_file(b"  (module (func $f", "a.wat");
    assert!(e.message().contains("a.wat:1:"), "{e}");
    let e = from_file(b"(module \x1b[31m)", "a.wat");
    assert!(!e.to_string().contains('\x1b'), "{e}");
    let e = from_file(&b"(".repeat(100_000), "a.wat");
    assert!(e.to_string().len() < 10_000, "{}", e.to_string().len());
    let e = from_file(format!("(module (func {}))", "(block ".repeat(100_000)).as_bytes(), "a.wat");
    assert!(e.to_string().len() < 10_000, "{}", e.to_string().len());
}

#[test]
fn neither_text_nor_binary() {
    let message = |bytes: &[u8]| from_file(bytes, "dir/x").to_string();
    assert_eq!(message(b""), "malformed module `x`: not a WebAssembly module: the file is empty");
    assert_eq!(message(b"\0as"), "malformed module `x`: not a WebAssembly module: the file ends after 3 bytes");
    assert_eq!(
        message(b"\x7fELF\x02\x01"),
        "malformed module `x`: not a WebAssembly module: it is an ELF executable or object file"
    );
    assert_eq!(
        message(b"Hello, world! And more."),
        "malformed module `x`: not a WebAssembly module: starts with \"Hello, world! An\""
    );
    assert_eq!(
        message(&[0xff, 0xfe, 0, 1, 2, 3, 4, 5, 6]),
        "malformed module `x`: not a WebAssembly module: starts with the bytes ff fe 00 01 02 03 04 05"
    );
}

#[test]
fn text_that_is_not_utf8() {
    let e = from_file(b"(module ;; caf\xe9\n)", "a.wat");
    assert_eq!(e.to_string(), "malformed module `a.wat`: the text is not UTF-8 at byte 14");
}

#[test]
fn text_and_binary_yield_the_same_module() {
    let text = binary("(module (func $f))");
    let again = bytes_from_input(text.clone(), Path::new("f.wasm")).unwrap();
    assert_eq!(text.as_ref(), again.as_ref());
    assert_eq!(text.as_ref().as_ptr(), again.as_ref().as_ptr(), "a binary is not copied");
    assert_eq!(load(text).unwrap().names().func_name(0), Some("f"));
    assert!(bytes_from_input(b";; comment\n\t(; block ;) (module)".to_vec().into(), Path::new("a.wat")).is_ok());
}
