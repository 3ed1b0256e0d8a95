//! Types at the sizes where their representation changes, and types that nest as deep as they may.

use wasmr_canon::Val;
use wasmr_engine::{Component, Engine};

use crate::{LIBC, in_all_modes, instance};

/// A component that passes a list of type `t` on as its bytes, and bytes as a list.
fn with_type(definition: &str, size: usize) -> String {
    // Bytes are aligned for whatever they stand for.
    let libc = LIBC.replace("(local.get 2)", "(i32.const 8)");
    format!(
        r#"(component {libc}
        (type $d {definition})
        (export $t "t" (type $d))
        (core module $M
            (import "libc" "memory" (memory 1))
            (func $pair (param i32 i32) (result i32)
                (i32.store (i32.const 16) (local.get 0))
                (i32.store (i32.const 20) (local.get 1))
                (i32.const 16))
            (func (export "bytes") (param i32 i32) (result i32)
                (call $pair (local.get 0) (i32.mul (local.get 1) (i32.const {size}))))
            (func (export "list") (param i32 i32) (result i32)
                (call $pair (local.get 0) (i32.div_u (local.get 1) (i32.const {size})))))
        (core instance $m (instantiate $M (with "libc" (instance $libc))))
        (func (export "bytes") (param "all" (list $t)) (result (list u8))
            (canon lift (core func $m "bytes") (memory (core memory $libc "memory")) (realloc (core func $libc "realloc"))))
        (func (export "list") (param "all" (list u8)) (result (list $t))
            (canon lift (core func $m "list") (memory (core memory $libc "memory")) (realloc (core func $libc "realloc")))))"#
    )
}

fn labels(count: usize) -> String {
    (0..count).map(|index| format!(" \"c{index}\"")).collect()
}

/// Returns a variant whose last case alone has a payload.
fn variant(count: usize) -> String {
    let cases: String = (1..count).map(|index| format!(" (case \"c{}\")", index - 1)).collect();
    format!("(variant{cases} (case \"c{}\" u8))", count - 1)
}

/// Passes a value both ways.
fn check(engine: &Engine, definition: &str, value: &Val, bytes: &[u8]) {
    let (mut store, instance) = instance(engine, &with_type(definition, bytes.len()));
    let list = Val::from(vec![value.clone(), value.clone()]);
    let twice = Val::bytes(bytes.repeat(2));
    let start: String = definition.chars().take(40).collect();
    let found = instance.get_func(&mut store, "bytes").unwrap().call(&mut store, std::slice::from_ref(&list)).unwrap();
    assert_eq!(found, Some(twice.clone()), "{start}");
    let found = instance.get_func(&mut store, "list").unwrap().call(&mut store, &[twice]).unwrap();
    assert_eq!(found, Some(list), "{start}");
}

/// Returns the message of the trap of bytes that are no value.
fn refused(engine: &Engine, definition: &str, bytes: &[u8]) -> String {
    let (mut store, instance) = instance(engine, &with_type(definition, bytes.len()));
    let list = instance.get_func(&mut store, "list").unwrap();
    list.call(&mut store, &[Val::bytes(bytes)]).unwrap_err().to_string()
}

#[test]
fn flags_take_one_two_or_four_bytes() {
    in_all_modes(|engine| {
        for (count, bytes) in [(1, 1), (7, 1), (8, 1), (9, 2), (15, 2), (16, 2), (17, 4), (31, 4), (32, 4)] {
            let definition = format!("(flags{})", labels(count));
            let mut set = vec!["c0".to_string()];
            set.extend((count > 1).then(|| format!("c{}", count - 1)));
            let bits = 1u32 | 1 << (count - 1);
            check(engine, &definition, &Val::Flags(set), &bits.to_le_bytes()[..bytes]);
            check(engine, &definition, &Val::Flags(Vec::new()), &vec![0; bytes]);

            // Bits without a flag are ignored.
            let (mut store, instance) = instance(engine, &with_type(&definition, bytes));
            let list = instance.get_func(&mut store, "list").unwrap();
            let all = Val::Flags((0..count).map(|index| format!("c{index}")).collect());
            let found = list.call(&mut store, &[Val::bytes(vec![0xff; bytes])]).unwrap();
            assert_eq!(found, Some(Val::from(vec![all])), "{count} flags");
        }
    });
}

#[test]
fn discriminants_take_one_or_two_bytes() {
    in_all_modes(|engine| {
        for (count, bytes) in [(1, 1), (2, 1), (255, 1), (256, 1), (257, 2), (300, 2)] {
            let last = format!("c{}", count - 1);
            let discriminant = &(count as u16 - 1).to_le_bytes()[..bytes];
            let definition = format!("(enum{})", labels(count));
            check(engine, &definition, &Val::Enum(last.clone()), discriminant);
            check(engine, &definition, &Val::Enum("c0".into()), &vec![0; bytes]);

            // The payload follows the discriminant, and the size is a multiple of the alignment.
            let mut image = discriminant.to_vec();
            image.push(7);
            image.resize(2 * bytes, 0);
            check(engine, &variant(count), &Val::Variant(last, Some(Box::new(Val::U8(7)))), &image);

            if count != 256 {
                let bad = (count as u16).to_le_bytes();
                for (definition, size) in [(definition, bytes), (variant(count), 2 * bytes)] {
                    let mut image = bad[..bytes].to_vec();
                    image.resize(size, 0);
                    let message = refused(engine, &definition, &image);
                    assert!(
                        message.contains(&format!("invalid variant discriminant: {count} is no case")),
                        "{message}"
                    );
                }
            }
        }
    });
}

#[test]
fn types_without_parts_and_too_many_flags_are_refused() {
    for (definition, expected) in [
        ("(flags)".to_string(), "flags must have at least one entry"),
        ("(enum)".to_string(), "enum type must have at least one variant"),
        ("(variant)".to_string(), "variant type must have at least one case"),
        ("(record)".to_string(), "record type must have at least one field"),
        ("(tuple)".to_string(), "tuple type must have at least one type"),
        (format!("(flags{})", labels(33)), "cannot have more than 32 flags"),
    ] {
        let error = Component::new(&Engine::default(), format!("(component (type {definition}))")).unwrap_err();
        assert!(error.to_string().contains(expected), "{error}: {expected}");
    }
}

#[test]
fn values_nest_as_deep_as_types_may() {
    // The number, the list that the functions take, the functions and the component are the other levels.
    for kind in ["option", "list"] {
        let (mut definition, mut value) = ("u8".to_string(), Val::U8(9));
        for _ in 0..96 {
            definition = format!("({kind} {definition})");
            value = match kind {
                "option" => Val::Option(Some(Box::new(value))),
                _ => Val::from(vec![value]),
            };
        }
        let size = if kind == "option" { 97 } else { 8 };
        in_all_modes(|engine| {
            let (mut store, instance) = instance(engine, &with_type(&definition, size));
            let list = Val::from(vec![value.clone()]);
            let bytes =
                instance.get_func(&mut store, "bytes").unwrap().call(&mut store, std::slice::from_ref(&list)).unwrap();
            let bytes = bytes.unwrap();
            assert_eq!(bytes.as_bytes().unwrap().len(), size);
            // The bytes of a list point to contents that are still there.
            let found = instance.get_func(&mut store, "list").unwrap().call(&mut store, &[bytes]).unwrap();
            assert_eq!(found, Some(list));
        });
        let deeper = (0..4).fold(definition, |definition, _| format!("({kind} {definition})"));
        let error = Component::new(&Engine::default(), with_type(&deeper, 1)).unwrap_err().to_string();
        assert!(error.contains("deep"), "{error}");
    }
}

#[test]
fn memory_grows_and_contents_move_while_strings_pass() {
    // Each call of an allocator grows the memory by a page, and returns an address there.
    const LIBC: &str = r#"
        (core module $Libc
            (memory (export "memory") 1)
            (func (export "realloc") (param i32 i32 i32 i32) (result i32)
                (local $at i32)
                (local.set $at (i32.shl (memory.grow (i32.const 1)) (i32.const 16)))
                (memory.copy (local.get $at) (local.get 0) (select (local.get 1) (local.get 3) (i32.lt_u (local.get 1) (local.get 3))))
                (memory.fill (local.get 0) (i32.const 0xdd) (local.get 1))
                (local.get $at)))
        (core instance $libc (instantiate $Libc))"#;
    let echo = |encoding: &str| {
        format!(
            r#"{LIBC}
            (core module $M
                (import "libc" "memory" (memory 1))
                (func (export "echo") (param i32 i32) (result i32)
                    (i32.store (i32.const 16) (local.get 0))
                    (i32.store (i32.const 20) (local.get 1))
                    (i32.const 16)))
            (core instance $m (instantiate $M (with "libc" (instance $libc))))
            (func (export "echo") (param "all" (list string)) (result (list string))
                (canon lift (core func $m "echo") string-encoding={encoding}
                    (memory (core memory $libc "memory")) (realloc (core func $libc "realloc"))))"#
        )
    };
    let caller = |encoding: &str| {
        format!(
            r#"{LIBC}
            (import "echo" (func $echo (param "all" (list string)) (result (list string))))
            (core func $echo' (canon lower (func $echo) string-encoding={encoding}
                (memory (core memory $libc "memory")) (realloc (core func $libc "realloc"))))
            (core module $M
                (import "" "echo" (func $echo (param i32 i32 i32)))
                (func (export "run") (param i32 i32) (result i32)
                    (call $echo (local.get 0) (local.get 1) (i32.const 32))
                    (i32.const 32)))
            (core instance $m (instantiate $M (with "" (instance (export "echo" (func $echo'))))))
            (func (export "run") (param "all" (list string)) (result (list string))
                (canon lift (core func $m "run") string-encoding={encoding}
                    (memory (core memory $libc "memory")) (realloc (core func $libc "realloc"))))"#
        )
    };
    let texts = ["", "plain", "grüße", "ÿ☃ grüße", "🍰", "aé語🍰\u{ffff}", "ascii and then é"];
    let list = Val::from(texts.map(Val::string).to_vec());
    let encodings = ["utf8", "utf16", "latin1+utf16"];
    in_all_modes(|engine| {
        for from in encodings {
            for to in encodings {
                let text = format!(
                    r#"(component (component $C {}) (component $D {})
                    (instance $c (instantiate $C))
                    (instance $d (instantiate $D (with "echo" (func $c "echo"))))
                    (func (export "run") (alias export $d "run")))"#,
                    echo(to),
                    caller(from)
                );
                let (mut store, instance) = instance(engine, &text);
                let run = instance.get_func(&mut store, "run").unwrap();
                let found = run.call(&mut store, std::slice::from_ref(&list)).unwrap();
                assert_eq!(found, Some(list.clone()), "{from} {to}");
            }
        }
    });
}
