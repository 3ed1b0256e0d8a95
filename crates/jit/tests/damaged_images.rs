//! Images whose tables are damaged although the checksum is correct: the loader refuses them, or loads something. It never panics.
//!
//! Nothing of what is loaded is executed. The tests have a process of their own, because modules share trampolines.
#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

use std::borrow::Cow;
use std::sync::Arc;

use wasmr_cache::{Builder, Container, SectionName};
use wasmr_core::registry::TypeRegistry;
use wasmr_jit::{CallPolicy, CodeOptions, JitModule, Precompilation};
use wasmr_module::{Features, Module};
use wasmr_runtime::vm::VmLayout;

const PROGRAM: &str = r#"(module
    (type $binary (func (param i64 f64) (result i64)))
    (import "host" "call" (func $host (param i32) (result v128 i64)))
    (memory 1)
    (table 2 funcref)
    (tag $thrown (param i64))
    (func $add (type $binary) (i64.add (local.get 0) (i64.trunc_f64_s (local.get 1))))
    (func $loads (param i32) (result i64) (i64.load (local.get 0)))
    (func $catches (param i32) (result i64)
        (block $caught (result i64)
            (try_table (catch $thrown $caught) (throw $thrown (call $loads (local.get 0))))
            (i64.const 0)))
    (func $calls (param i32) (result i64)
        (drop (call $host (local.get 0))) (drop)
        (call_indirect (type $binary) (call $catches (i32.const 1)) (f64.const 3) (local.get 0))))"#;

/// Sections of an image, but for the code.
const TABLES: [SectionName; 4] = [*b"fung", *b"tabg", *b"relg", *b"trag"];

/// Returns machine code of the module with nothing compiled.
fn code() -> Arc<JitModule> {
    let bytes = wat::parse_str(PROGRAM).unwrap();
    let module = Module::new(bytes.into(), "test", &Features::default(), &Arc::new(TypeRegistry::new()), 1).unwrap();
    let calls = CallPolicy {
        inline: 0,
        inline_hot: 0,
        inline_recursive: 0,
        inline_depth: 0,
        recursive_depth: 0,
        inlined_bytes: 0,
        profiled_targets: 2,
        compared_targets: 1,
    };
    let options = CodeOptions { guarded: true, metered: false, canonical_nans: false, spectre_guards: true, calls };
    JitModule::new(module.clone(), VmLayout::for_module(&module), options).expect("code can be made")
}

fn bytes_of(builder: &Builder<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    builder.write(&mut bytes).unwrap();
    bytes
}

/// Returns an image of all functions.
fn image() -> Container {
    let what = Precompilation { functions: &[0, 1, 2, 3], threads: 1, base: None, goes_on: None };
    let precompiled = code().precompile(&what).unwrap();
    assert_eq!((precompiled.functions, precompiled.refused.len()), (4, 0));
    let mut builder = Builder::new();
    precompiled.add_to(&mut builder);
    Container::from_bytes(bytes_of(&builder)).unwrap()
}

/// Loads an image in which one section has other bytes. Returns true if it was loaded.
fn load(image: &Container, changed: SectionName, bytes: &[u8]) -> bool {
    let mut builder = Builder::new();
    for name in TABLES {
        let section = if name == changed { bytes } else { image.section(name).unwrap() };
        builder.section(name, Cow::Borrowed(section), false);
    }
    builder.section(*b"codg", Cow::Borrowed(image.section(*b"codg").unwrap()), true);
    let container = Arc::new(Container::from_bytes(bytes_of(&builder)).unwrap());
    let code = code();
    // SAFETY: nothing of what is loaded is executed.
    let loaded = unsafe { code.load_image(&container) };
    code.functions_in_image(&container);
    loaded.is_ok_and(|functions| !functions.is_empty())
}

#[test]
fn tables_that_are_cut_off_or_altered() {
    let image = image();
    for name in TABLES {
        let section = image.section(name).unwrap().to_vec();
        assert!(load(&image, name, &section), "{}: an image as it was written", name.escape_ascii());
        for len in 0..section.len() {
            load(&image, name, &section[..len]);
        }
        for at in 0..section.len() {
            for change in [1, 0x80, 0xff] {
                let mut altered = section.clone();
                altered[at] ^= change;
                load(&image, name, &altered);
            }
        }
        load(&image, name, &[section.clone(), vec![1; 20]].concat());
        load(&image, name, &vec![0xff; section.len()]);
    }
}
