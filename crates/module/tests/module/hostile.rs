//! Hostile modules, and validation on several threads: no panic, no large allocation, and the same result with any number of
//! threads.

use std::fmt::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::common::{binary, load, registry};
use wasmr_module::{Fault, Features, Module, ModuleError};

/// A module with every section.
pub const SAMPLE: &str = r#"(module $sample
    (type $t (func (param i32) (result i32)))
    (rec (type $s (struct (field (mut i32)) (field (ref null $s)))) (type $a (array i8)))
    (import "e" "f" (func $f (type $t)))
    (import "e" "m" (memory 1))
    (import "e" "g" (global $g i32))
    (table $tab 2 10 funcref)
    (memory $m 1 2)
    (tag $tag (param i32))
    (global $h (mut i64) (i64.const 5))
    (export "run" (func $run))
    (start $start)
    (elem (i32.const 0) $f $run)
    (elem declare funcref (ref.func $start))
    (func $run (type $t) (local i32 f64)
        (block $b (result i32)
            (try_table (catch $tag $b) (throw $tag (local.get 0)))
            unreachable))
    (func $start
        (drop (call_indirect $tab (type $t) (i32.const 1) (i32.const 0)))
        (memory.init $m 1 (i32.const 0) (i32.const 0) (i32.const 1))
        (drop (i32x4.extract_lane 0 (v128.const i32x4 1 2 3 4))))
    (data (i32.const 3) "abc")
    (data "defg"))"#;

fn load_on(threads: usize, bytes: &[u8]) -> Result<Arc<Module>, ModuleError> {
    Module::new(bytes.to_vec().into(), "t", &Features::default(), &registry(), threads)
}

/// Calls every accessor of a module.
pub fn walk(module: &Module) {
    for defined in 0..module.defined_func_count() {
        std::hint::black_box(module.body(defined).bytes.len());
    }
    for export in module.exports() {
        std::hint::black_box(module.export_type(export));
    }
    for segment in module.data() {
        std::hint::black_box(module.data_bytes(segment));
    }
    std::hint::black_box((module.names().func_name(0), module.custom_sections().count()));
}

#[test]
fn truncated_anywhere() {
    let binary = binary(SAMPLE);
    let bytes = binary.as_ref();
    walk(&load(bytes.to_vec()).unwrap());
    let mut accepted = 0;
    for len in 0..bytes.len() {
        match load(bytes[..len].to_vec()) {
            Ok(module) => {
                walk(&module);
                accepted += 1;
            }
            Err(e) => assert!(e.offset().is_some_and(|offset| offset <= len as u64), "{len}: {e}"),
        }
    }
    // A prefix is a module if it ends between two sections, and either has no functions yet or lacks only the custom section.
    assert!((1..=8).contains(&accepted), "{accepted} prefixes are modules");
}

#[test]
fn every_byte_changed() {
    let binary = binary(SAMPLE);
    let bytes = binary.as_ref();
    for at in 0..bytes.len() {
        for flip in [0x01, 0x40, 0x80, 0xff] {
            let mut changed = bytes.to_vec();
            changed[at] ^= flip;
            if let Ok(module) = load(changed) {
                walk(&module);
            }
        }
    }
}

#[test]
fn counts_of_four_billion() {
    const MANY: [u8; 5] = [0xff, 0xff, 0xff, 0xff, 0x0f];
    let start = Instant::now();
    // A million is within wasmparser's limits, so it would reserve memory for that number of items.
    const MILLION: [u8; 5] = [0xc0, 0x84, 0xbd, 0x80, 0x00];
    for (id, count) in (1..=13).flat_map(|id| [(id, MANY), (id, MILLION)]) {
        let mut bytes = b"\0asm\x01\0\0\0".to_vec();
        bytes.extend([id, 7]);
        bytes.extend(count);
        bytes.extend([0, 0]);
        let e = load(bytes).expect_err("no section holds that many");
        assert!(e.offset().is_some(), "section {id}: {e}");
    }
    // Counts within an item: parameters, fields of a struct, locals, targets of a branch table, items of a segment.
    let types = |item: &[u8]| section(1, &[&[1], item, &MANY].concat());
    let code = |body: &[u8]| {
        let mut out = section(1, &[1, 0x60, 0, 0]);
        out.extend(section(3, &[1, 0]));
        out.extend(section(10, &[&[1, body.len() as u8][..], body].concat()));
        out
    };
    for tail in [
        types(&[0x60]),
        types(&[0x5f]),
        types(&[0x4e]),
        code(&[&MANY[..], &[0x7f, 0x0b]].concat()),
        code(&[&[1][..], &MANY, &[0x7f, 0x0b]].concat()),
        code(&[&[0, 0x41, 0, 0x0e][..], &MANY, &[0x0b]].concat()),
        section(9, &[&[1, 1, 0][..], &MANY].concat()),
        section(9, &[&[1, 5, 0x70][..], &MANY].concat()),
        section(11, &[&[1, 1][..], &MANY].concat()),
    ] {
        let mut bytes = b"\0asm\x01\0\0\0".to_vec();
        bytes.extend(&tail);
        load(bytes).expect_err("nothing holds that many");
    }
    assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
}

/// Returns a section.
fn section(id: u8, contents: &[u8]) -> Vec<u8> {
    let mut out = vec![id, contents.len() as u8];
    out.extend(contents);
    out
}

/// Returns a module with `count` functions of about 1 KiB each. The functions in `bad` end with a type mismatch.
fn many_functions(count: usize, bad: &[usize]) -> String {
    let mut text = String::from("(module\n");
    for index in 0..count {
        let result = if bad.contains(&index) { "i64" } else { "i32" };
        let body = "local.get 0 i32.const 99 i32.add local.set 0 ".repeat(120);
        writeln!(text, "(func $f{index} (param i32) (result {result}) {body} local.get 0)").unwrap();
    }
    text.push(')');
    text
}

#[test]
fn the_same_error_on_any_number_of_threads() {
    let text = many_functions(1200, &[]);
    let good = binary(&text);
    assert!(good.as_ref().len() > 1 << 20, "large enough for several threads");
    for threads in [0, 1, 2, 3, 8] {
        let module = load_on(threads, good.as_ref()).unwrap();
        assert_eq!(module.defined_func_count(), 1200);
    }
    for bad in [&[0][..], &[1199], &[700, 701], &[3, 1100, 64, 65]] {
        let first = *bad.iter().min().unwrap();
        let bytes = binary(&many_functions(1200, bad));
        let alone = load_on(1, bytes.as_ref()).expect_err("not valid");
        assert_eq!(alone.func_index(), Some(first as u32));
        assert_eq!(alone.func_name(), Some(&*format!("f{first}")));
        for _ in 0..5 {
            for threads in [2, 3, 8] {
                let e = load_on(threads, bytes.as_ref()).expect_err("not valid");
                assert_eq!(e.to_string(), alone.to_string());
            }
        }
    }
}

#[test]
fn deep_and_long() {
    // A long chain of constant additions, and 100 000 nested blocks.
    let mut expr = vec![0x41, 0x00];
    for _ in 0..100_000 {
        expr.extend([0x41, 0x01, 0x6a]);
    }
    expr.push(0x0b);
    let mut global = vec![1, 0x7f, 0];
    global.extend(&expr);
    let long = |id: u8, contents: &[u8]| {
        let mut out = vec![id];
        leb(&mut out, contents.len());
        out.extend(contents);
        out
    };
    let mut bytes = b"\0asm\x01\0\0\0".to_vec();
    bytes.extend(long(6, &global));
    let module = load(bytes).unwrap();
    assert_eq!(module.globals()[0].init.as_ref().unwrap().ops().len(), 200_001);

    let mut body = vec![0];
    body.extend([0x02, 0x40].repeat(100_000));
    body.extend([0x0b].repeat(100_001));
    let mut code = vec![1];
    leb(&mut code, body.len());
    code.extend(&body);
    let mut bytes = b"\0asm\x01\0\0\0\x01\x04\x01\x60\0\0\x03\x02\x01\0".to_vec();
    bytes.extend(long(10, &code));
    assert_eq!(load(bytes).unwrap().defined_func_count(), 1);
}

#[test]
fn a_long_chain_of_types() {
    let mut text = String::from("(module (type $t0 (func))");
    for index in 1..20_000 {
        write!(text, "(type $t{index} (func (param (ref $t{}))))", index - 1).unwrap();
    }
    text.push(')');
    let module = load(binary(&text)).unwrap();
    assert_eq!(module.type_count(), 20_000);
    drop(module);
}

#[test]
fn a_type_section_over_the_limit() {
    // A million types with 20 parameters each: far below the limit on their number, but a gigabyte when interned.
    let mut section = Vec::new();
    leb(&mut section, 1_000_000);
    for index in 0..1_000_000u32 {
        section.extend([0x60, 20]);
        section.extend((0..20).map(|bit| if index >> bit & 1 == 0 { 0x7f } else { 0x7e }));
        section.push(0);
    }
    let mut module = b"\0asm\x01\0\0\0\x01".to_vec();
    leb(&mut module, section.len());
    module.extend(section);
    let e = load(module).expect_err("too many bytes");
    assert_eq!((e.fault(), e.offset()), (Fault::OverLimit, Some(13)), "{e}");
    assert!(e.message().contains("its types take 23000003 bytes"), "{e}");
}

#[test]
fn too_many_data_segments() {
    let mut text = String::from("(module (memory 1)");
    for _ in 0..100_001 {
        text.push_str("(data \"\")");
    }
    text.push(')');
    let e = load(binary(&text)).expect_err("too many");
    assert_eq!(e.fault(), Fault::OverLimit, "{e}");
}

fn leb(out: &mut Vec<u8>, mut value: usize) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}
