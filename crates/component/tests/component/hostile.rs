//! Damaged and hostile components: each is refused or accepted, and none panics, hangs or allocates much.

use std::sync::Arc;
use std::time::{Duration, Instant};

use wasmr_component::{Component, World};
use wasmr_core::registry::TypeRegistry;
use wasmr_module::{Fault, Features, ModuleBytes, Validity};

use crate::common::{error, load};

/// A component with items of most kinds.
const EVERYTHING: &str = r#"(component $everything
    (import "a:b/c@0.2.0" (instance $host
        (export "r" (type $r (sub resource)))
        (type $e (enum "one" "two")) (export "e" (type $e' (eq $e)))
        (type $v (variant (case "x" u8) (case "y"))) (export "v" (type $v' (eq $v)))
        (export "[method]r.m" (func (param "self" (borrow $r)) (param "s" string) (result $v')))
        (export "f" (func (param "l" (list $e')) (result (result string (error u64)))))))
    (import "m" (core module $imported (import "x" "y" (func (param i32))) (export "z" (memory 1))))
    (alias export $host "r" (type $r))
    (core module $libc
        (memory (export "memory") 1)
        (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 8)))
    (core instance $libc (instantiate $libc))
    (core func $f (canon lower (func $host "f") (memory (core memory $libc "memory")) (realloc (core func $libc "realloc"))))
    (core func $drop (canon resource.drop $r))
    (core instance $other (instantiate $imported (with "x" (instance (export "y" (func $drop))))))
    (core module $main
        (import "host" "f" (func (param i32 i32 i32)))
        (import "libc" "memory" (memory 1))
        (func (export "run") (param i32) (result i32) (local.get 0)))
    (core instance $main (instantiate $main
        (with "host" (instance (export "f" (func $f))))
        (with "libc" (instance (export "memory" (memory $other "z"))))))
    (component $inner
        (type $t (resource (rep i32)))
        (export $t' "t" (type $t))
        (core func $new (canon resource.new $t))
        (func (export "[constructor]t") (param "rep" u32) (result (own $t')) (canon lift (core func $new))))
    (instance $inner (instantiate $inner))
    (func $run (param "x" u32) (result u32) (canon lift (core func $main "run")))
    (export "run" (func $run))
    (export "inner" (instance $inner)))"#;

/// Decodes a component, and reads its world if it is valid.
fn try_all(bytes: Vec<u8>) -> bool {
    let bytes = ModuleBytes::from(bytes);
    let accepted = match load(bytes.clone()) {
        Ok(_) => true,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            false
        }
    };
    if accepted {
        let world = World::new(&bytes, "test", &Features::default()).expect("it was decoded before");
        assert!(!world.to_string().is_empty());
    }
    accepted
}

fn everything() -> Vec<u8> {
    wat::parse_str(EVERYTHING).expect("the test's text is well-formed")
}

#[test]
fn every_cut_is_refused() {
    let bytes = everything();
    assert!(try_all(bytes.clone()));
    // A cut between two sections leaves a component that is shorter.
    let accepted = (0..bytes.len()).filter(|&end| try_all(bytes[..end].to_vec())).count();
    assert!(accepted < 40, "{accepted}");
}

#[test]
fn every_damaged_byte_is_refused_or_harmless() {
    let bytes = everything();
    for at in 0..bytes.len() {
        for change in [0x01, 0x02, 0x10, 0x40, 0x80, 0xff] {
            let mut damaged = bytes.clone();
            damaged[at] ^= change;
            try_all(damaged);
        }
    }
}

#[test]
fn a_removed_or_repeated_byte_is_refused_or_harmless() {
    let bytes = everything();
    for at in 0..bytes.len() {
        let mut damaged = bytes.clone();
        damaged.remove(at);
        try_all(damaged);
        let mut damaged = bytes.clone();
        damaged.insert(at, bytes[at]);
        try_all(damaged);
    }
}

/// Returns the sections of a component, each with its id.
fn with_sections(sections: &[(u8, Vec<u8>)]) -> Vec<u8> {
    let mut bytes = b"\0asm\x0d\0\x01\0".to_vec();
    for (id, contents) in sections {
        bytes.push(*id);
        leb(&mut bytes, contents.len());
        bytes.extend_from_slice(contents);
    }
    bytes
}

fn leb(bytes: &mut Vec<u8>, mut number: usize) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

#[test]
fn a_count_larger_than_its_section_is_refused() {
    for id in [2, 3, 5, 6, 7, 8, 10, 11] {
        let error = load(with_sections(&[(id, vec![0xff, 0xff, 0xff, 0x7f, 0])])).unwrap_err();
        assert_eq!(error.fault(), Fault::Malformed, "{error}");
    }
}

#[test]
fn components_nested_very_deep_are_over_a_limit() {
    let nested = |depth: usize| {
        let mut bytes = with_sections(&[]);
        for _ in 0..depth {
            bytes = with_sections(&[(4, bytes)]);
        }
        load(bytes)
    };
    assert!(nested(50).is_ok());
    let error = nested(500).unwrap_err();
    assert_eq!(error.fault(), Fault::OverLimit);
    assert_eq!(error.message(), "its components are nested more than 100 deep");
}

#[test]
fn types_nested_very_deep_are_refused() {
    let mut text = String::from("(component (type $t0 (list u8))\n");
    for level in 1..5000 {
        text += &format!("(type $t{level} (list $t{}))\n", level - 1);
    }
    let error = error(&(text + ")"));
    assert!(error.message().contains("too deep"), "{error}");
}

#[test]
fn instances_nested_very_deep_are_over_a_limit() {
    let mut text = String::from("(component (instance $i0)\n");
    for level in 1..200 {
        text += &format!("(instance $i{level} (export \"i\" (instance $i{})))\n", level - 1);
    }
    let error = error(&(text + "(export \"i\" (instance $i199)))"));
    assert!(
        ["type nesting is too deep", "its instances are nested more than 100 deep"].contains(&error.message()),
        "{error}"
    );
}

/// Runs a load that must end soon.
fn within_seconds(text: &str) -> Result<Component, String> {
    let start = Instant::now();
    let loaded = load(wat::parse_str(text).unwrap()).map_err(|error| error.message().to_owned());
    assert!(start.elapsed() < Duration::from_secs(60), "{:?}", start.elapsed());
    loaded
}

#[test]
fn types_that_double_at_every_level_are_converted_in_linear_time() {
    let mut text = String::from("(component (type $t0 (tuple u8 u8))\n");
    // The validator counts at most a million parts.
    for level in 1..13 {
        text += &format!("(type $t{level} (tuple $t{0} $t{0}))\n", level - 1);
    }
    text += "(type $f (func (param \"x\" $t12)))\n";
    for import in 0..40 {
        text += &format!("(import \"f{import}\" (func (type $f)))\n");
    }
    let component = within_seconds(&(text + ")")).unwrap();
    assert_eq!(component.imports.len(), 40);
}

#[test]
fn long_names_in_many_instances_are_over_a_limit() {
    let name = format!("n{}", "-n".repeat(20_000));
    let mut text = format!("(component (import \"i\" (instance $i (export \"{name}\" (func))))\n");
    text += &format!(
        "(component $c (import \"i\" (instance $i (export \"{name}\" (func)))) (alias export $i \"{name}\" (func)))\n"
    );
    for _ in 0..2000 {
        text += "(instance (instantiate $c (with \"i\" (instance $i))))\n";
    }
    let message = within_seconds(&(text + ")")).unwrap_err();
    assert_eq!(message, "its instances have more items than wasmr's limit allows");
}

#[test]
fn core_instances_that_multiply_are_over_a_limit() {
    let mut text = String::from("(component (core module $m)\n(component $c\n(alias outer 1 $m (core module $m))\n");
    text += &"(core instance (instantiate $m))\n".repeat(200);
    text += ")\n";
    text += &"(instance (instantiate $c))\n".repeat(200);
    assert_eq!(within_seconds(&(text + ")")).unwrap_err(), "it has more than 10000 core instances");
}

/// Returns the error of loading `bytes`, whose function bodies `threads` threads validate.
fn error_with(threads: usize, bytes: &[u8]) -> String {
    let (types, features) = (Arc::new(TypeRegistry::new()), Features::default());
    let bytes = ModuleBytes::from(bytes.to_vec());
    let validity = &mut |_| Validity::Unknown { threads };
    Component::new(&bytes, "test", &features, &types, validity).unwrap_err().to_string()
}

#[test]
fn any_number_of_threads_gives_the_same_error() {
    let text = r#"(component (core module $a (func (result i32))) (core module $b (func (result i64))))"#;
    let bytes = wat::parse_str(text).unwrap();
    let errors = [1, 2, 8].map(|threads| error_with(threads, &bytes));
    assert!(errors[0].starts_with("invalid component `test`: type mismatch"), "{}", errors[0]);
    assert!(errors[0].contains("(in core module 0 `a`, in function 0, at offset 0x"), "{}", errors[0]);
    assert!(errors.iter().all(|error| *error == errors[0]));
}

#[test]
fn a_fault_in_a_body_comes_before_faults_after_its_module_whoever_finds_it() {
    // 20 000 bytes of code, so that another thread validates it.
    let large = format!("(func {})", "nop ".repeat(20_000));
    let later = [
        // In a section of another module, in another body, in the component, and in its instantiations.
        r#"(core module (global i32 (i64.const 0)))"#.to_owned(),
        format!("(core module {large} (func (result i64)))"),
        r#"(core module) (alias outer 0 9 (core module))"#.to_owned(),
        r#"(core module $m (import "" "f" (func))) (core instance (instantiate $m))"#.to_owned(),
    ];
    for later in later {
        let text =
            |module: &str| format!("(component (core module $a {large} {module}) (core module $b {large}) {later})");
        let bytes = |module| wat::parse_str(text(module)).unwrap();
        let (bad, good) = (bytes("(func (result i32))"), bytes(""));
        for threads in [1, 2, 8] {
            let error = error_with(threads, &bad);
            assert!(error.contains("(in core module 0 `a`, in function 1, at offset 0x"), "{later:.90}: {error}");
            assert_eq!(error_with(threads, &good), error_with(1, &good));
            assert!(!error_with(threads, &good).contains("in core module 0"), "{later:.90}");
        }
    }
    // A fault in the module itself, after its code.
    let text = format!("(component (core module {large} (func (result i32)) (data (i32.const 0) \"\")))");
    for threads in [1, 2] {
        assert!(error_with(threads, &wat::parse_str(&text).unwrap()).contains("in function 1"));
    }
}
