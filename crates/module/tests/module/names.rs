//! Tests of the name section and of custom sections, well-formed and malformed.

use wasmr_core::type_text::TypeNames;
use wasmr_module::ExtendedNames;

use crate::common::{load, module};

/// Returns a custom section.
fn custom(name: &str, contents: &[u8]) -> Vec<u8> {
    let mut out = vec![0, (1 + name.len() + contents.len()) as u8, name.len() as u8];
    out.extend(name.as_bytes());
    out.extend(contents);
    out
}

/// Returns a module with two empty functions, followed by `bytes`.
fn two_functions(tail: &[u8]) -> Vec<u8> {
    let mut out = b"\0asm\x01\0\0\0\x01\x04\x01\x60\0\0\x03\x03\x02\0\0\x0a\x07\x02\x02\0\x0b\x02\0\x0b".to_vec();
    out.extend(tail);
    out
}

#[test]
fn functions_and_module() {
    let m = module(r#"(module $me (import "" "" (func $imported)) (func $own) (func) (func $"last one"))"#);
    let names = m.names();
    assert_eq!(names.module_name(), Some("me"));
    assert_eq!(names.func_name(0), Some("imported"));
    assert_eq!(names.func_name(1), Some("own"));
    assert_eq!(names.func_name(2), None);
    assert_eq!(names.func_name(3), Some("last one"));
    assert_eq!(names.func_name(u32::MAX), None);
    assert_eq!(names.funcs().map(|(index, _)| index).collect::<Vec<_>>(), [0, 1, 3]);
}

#[test]
fn custom_sections_are_listed() {
    let mut tail = custom("a", b"first");
    tail.extend(custom("", b""));
    tail.extend(custom("a", b"second"));
    let m = load(two_functions(&tail)).unwrap();
    let found: Vec<_> = m.custom_sections().map(|(name, range)| (name, &m.bytes()[range])).collect();
    assert_eq!(found, [("a", &b"first"[..]), ("", b""), ("a", b"second")]);
}

#[test]
fn a_faulty_name_section_is_no_error() {
    let cases: [(&[u8], Option<&str>); 8] = [
        // Function 0 is `f`.
        (&[1, 4, 1, 0, 1, b'f'], Some("f")),
        // The subsection is longer than the section.
        (&[1, 99, 1, 0, 1, b'f'], None),
        // More names declared than present: the present ones are kept.
        (&[1, 4, 9, 0, 1, b'f'], Some("f")),
        // 2^32 - 1 names declared.
        (&[1, 8, 0xff, 0xff, 0xff, 0xff, 0x0f, 0, 1, b'f'], Some("f")),
        // Not UTF-8.
        (&[1, 4, 1, 0, 1, 0xff], None),
        // An undefined function.
        (&[1, 4, 1, 7, 1, b'f'], None),
        // An unknown subsection first.
        (&[77, 1, 0, 1, 4, 1, 0, 1, b'f'], Some("f")),
        (&[], None),
    ];
    for (contents, expected) in cases {
        let m = load(two_functions(&custom("name", contents))).unwrap();
        assert_eq!(m.names().func_name(0), expected, "{contents:?}");
        assert_eq!(m.names().func_name(1), None, "{contents:?}");
    }
}

#[test]
fn reading_stops_at_an_index_out_of_order() {
    // 1 is `b`, then 0 is `a`.
    let m = load(two_functions(&custom("name", &[1, 7, 2, 1, 1, b'b', 0, 1, b'a']))).unwrap();
    assert_eq!(m.names().func_name(1), Some("b"));
    assert_eq!(m.names().func_name(0), None);
}

#[test]
fn types_fields_and_objects() {
    let m = module(
        r#"(module (type $pair (struct (field $left i32) (field i64))) (type (struct)) (memory $heap 1)
            (table $slots 1 funcref) (table 1 funcref) (global $count i32 (i32.const 0)))"#,
    );
    let names = ExtendedNames::read(&m);
    assert_eq!([names.type_name(0), names.type_name(1)], [Some("pair"), None]);
    assert_eq!([names.table_name(0), names.table_name(1)], [Some("slots"), None]);
    assert_eq!([names.memory_name(0), names.global_name(0)], [Some("heap"), Some("count")]);
    let names: &dyn TypeNames = &names;
    assert_eq!((names.type_name(m.type_id(0)), names.type_name(m.type_id(1))), ("$pair".into(), "1".into()));
    assert_eq!(names.field_name(m.type_id(0), 0).as_deref(), Some("$left"));
    assert_eq!(names.field_name(m.type_id(0), 1), None);
}

#[test]
fn faulty_names_of_types_are_left_out() {
    let cases: [(&[u8], [Option<&str>; 2]); 4] = [
        (&[4, 7, 2, 0, 1, b'f', 1, 1, b'g'], [Some("f"), None]),
        // The map ends within its second entry.
        (&[4, 6, 2, 0, 1, b'f', 0, 9], [Some("f"), None]),
        // Not UTF-8.
        (&[4, 4, 1, 0, 1, 0xff], [None, None]),
        // Memory 0 does not exist.
        (&[6, 4, 1, 0, 1, b'm'], [None, None]),
    ];
    for (contents, expected) in cases {
        let m = load(two_functions(&custom("name", contents))).unwrap();
        let names = ExtendedNames::read(&m);
        assert_eq!([names.type_name(0), names.memory_name(0)], expected, "{contents:?}");
        assert_eq!(names.type_name(1), None, "the module has one type");
    }
}
