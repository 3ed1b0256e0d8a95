//! Machine code that one module wrote as an image and another one loads: the same results, traps, exceptions and backtraces.

use std::io::{Seek, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use wasmr_cache::{Builder, Container};
use wasmr_core::trap::TrapCode;
use wasmr_jit::{CompilerContext, Entry, OsrEntry, Precompilation, Precompiled};
use wasmr_runtime::frame::FrameMap;
use wasmr_runtime::{Instance, Store};

use crate::world::{Code, World};

/// An instance whose code is compiled at first calls, unless it is in an image.
struct Loaded {
    code: Arc<Code>,
    store: Store<()>,
    instance: Instance,
}

impl Loaded {
    fn new(text: &str, image: Option<Arc<Container>>) -> Loaded {
        Loaded::in_world(&World::new(), text, image)
    }

    fn in_world(world: &World, text: &str, image: Option<Arc<Container>>) -> Loaded {
        let (module, code) = world.module_with_image(text, image);
        let mut store = world.store(());
        let instance = Instance::new(&mut store, &module, &[]).unwrap();
        Loaded { code, store, instance }
    }

    fn call(&mut self, name: &str, argument: i32) -> Result<i64, wasmr_runtime::Stop> {
        let func = self.instance.get_typed_func::<i32, i64>(&self.store, name).unwrap();
        func.call(&mut self.store, argument)
    }

    fn bytes(&self) -> Vec<u8> {
        let mut builder = Builder::new();
        self.code.jit().write_image(&mut builder);
        let mut bytes = Vec::new();
        builder.write(&mut bytes).unwrap();
        bytes
    }

    fn image(&self) -> Arc<Container> {
        Arc::new(Container::from_bytes(self.bytes()).unwrap())
    }
}

const PROGRAM: &str = r#"(module
    (type $binary (func (param i64 f64) (result i64)))
    (memory 1)
    (table 2 funcref)
    (elem (i32.const 0) $add $fac)
    (tag $thrown (param i64))
    (func $add (type $binary) (i64.add (local.get 0) (i64.trunc_f64_s (f64.mul (local.get 1) (f64.const 1.5)))))
    (func $fac (export "fac") (param $n i32) (result i64)
        (if (result i64) (i32.le_s (local.get $n) (i32.const 1))
            (then (i64.const 1))
            (else (i64.mul (i64.extend_i32_s (local.get $n)) (call $fac (i32.sub (local.get $n) (i32.const 1)))))))
    (func $many (param i32) (result i64 i64 i64 i64 i64 i64 i64 i64 i64 i64)
        (i64.const 1) (i64.const 2) (i64.const 3) (i64.const 4) (i64.const 5)
        (i64.const 6) (i64.const 7) (i64.const 8) (i64.const 9) (i64.extend_i32_s (local.get 0))
        (br_if 0 (i32.const 1)))
    (func $deep (param i32) (result i64)
        (drop (i32.load (local.get 0)))
        (throw $thrown (call $fac (i32.const 5))))
    (func (export "all") (param $n i32) (result i64) (local $sum i64)
        (call $many (local.get $n))
        (local.set $sum) (drop) (drop) (drop) (drop) (drop) (drop) (drop) (drop) (drop)
        (local.set $sum (i64.add (local.get $sum) (call $fac (i32.const 6))))
        (local.set $sum (call_indirect (type $binary) (local.get $sum) (f64.const 10) (i32.const 0)))
        (block $caught (result i64)
            (try_table (catch $thrown $caught) (drop (call $deep (i32.const 8))))
            (i64.const 0))
        (i64.add (local.get $sum)))
    (func (export "out") (param i32) (result i64) (call $deep (local.get 0)))
    (func (export "mismatch") (param i32) (result i64)
        (call_indirect (type $binary) (i64.const 0) (f64.const 0) (i32.const 1))))"#;

/// Calls everything in the program.
fn results(loaded: &mut Loaded) -> String {
    let mut seen = String::new();
    for round in 0..2 {
        let all = loaded.call("all", round).unwrap();
        assert_eq!(all, i64::from(round) + 720 + 15 + 120);
        for (name, argument, code) in
            [("out", 65_533, TrapCode::MemoryOutOfBounds), ("mismatch", 0, TrapCode::IndirectCallTypeMismatch)]
        {
            let stop = loaded.call(name, argument).unwrap_err();
            assert_eq!(stop.trap_code(), Some(code));
            seen.push_str(&format!("{all} {stop}\n"));
        }
        seen.push_str(&format!("{}\n", loaded.call("out", 0).unwrap_err()));
    }
    seen
}

#[test]
fn an_image_does_what_the_code_did() {
    let mut compiled = Loaded::new(PROGRAM, None);
    let expected = results(&mut compiled);
    let mut loaded = Loaded::new(PROGRAM, Some(compiled.image()));
    assert_eq!(results(&mut loaded), expected);
    assert_eq!(loaded.code.jit().compiled_bytes(), 0, "everything was in the image");
    assert!(loaded.code.jit().loaded_bytes() > 0);
    assert!(loaded.bytes() == compiled.bytes(), "an image without news is written as it was read");
}

#[test]
fn new_functions_are_appended_and_call_those_of_the_image() {
    let mut first = Loaded::new(PROGRAM, None);
    first.call("fac", 3).unwrap();
    let mut second = Loaded::new(PROGRAM, Some(first.image()));
    let expected = results(&mut second);
    let compiled = second.code.jit().compiled_bytes();
    assert!(compiled > 0);
    let mut third = Loaded::new(PROGRAM, Some(second.image()));
    assert_eq!(results(&mut third), expected);
    assert_eq!(third.code.jit().compiled_bytes(), 0);
    assert!(third.code.jit().loaded_bytes() >= first.code.jit().compiled_bytes() + compiled);
}

#[test]
fn other_numbers_of_types_are_not_loaded() {
    let mut compiled = Loaded::new(PROGRAM, None);
    let expected = results(&mut compiled);
    let world = World::new();
    // The engine numbers types in the order in which it first sees them.
    let other = world.module("(module (type (func (param f32 f32 f32))))", &[]);
    let mut loaded = Loaded::in_world(&world, PROGRAM, Some(compiled.image()));
    assert_eq!(results(&mut loaded), expected);
    assert_eq!(loaded.code.jit().loaded_bytes(), 0);
    drop(other);
}

#[test]
fn an_image_of_another_module_is_not_loaded_if_it_shows() {
    let mut compiled = Loaded::new(PROGRAM, None);
    results(&mut compiled);
    let text = r#"(module (func (export "f") (param i32) (result i64) (i64.const 5)))"#;
    let mut loaded = Loaded::new(text, Some(compiled.image()));
    assert_eq!(loaded.call("f", 0).unwrap(), 5);
    assert_eq!(loaded.code.jit().loaded_bytes(), 0);
}

/// Returns a program with so much code that it is mapped: a chain of functions, each of which calls the next.
fn large_program() -> String {
    let mut text = String::from("(module (memory 1)");
    for n in 0..300 {
        let loads: String = (0..40).map(|at| format!("(i64.load offset={} (local.get 0)) i64.add ", at * 8)).collect();
        let call = if n < 299 { format!("(call $f{} (local.get 0))", n + 1) } else { "(i64.const 1)".to_owned() };
        let export = if n == 0 { r#"(export "run")"# } else { "" };
        text.push_str(&format!("(func $f{n} {export} (param i32) (result i64) {call} {loads})\n"));
    }
    text + ")"
}

#[test]
fn a_large_image_is_mapped_from_its_file() {
    let text = large_program();
    let mut compiled = Loaded::new(&text, None);
    assert_eq!(compiled.call("run", 0).unwrap(), 1);
    let trap = compiled.call("run", 65_530).unwrap_err().to_string();
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(&compiled.bytes()).unwrap();
    file.rewind().unwrap();
    let container = Arc::new(Container::open(file).unwrap());
    for _ in 0..3 {
        let mut loaded = Loaded::new(&text, Some(container.clone()));
        assert_eq!(loaded.call("run", 0).unwrap(), 1);
        assert_eq!(loaded.call("run", 65_530).unwrap_err().to_string(), trap);
        assert_eq!(loaded.code.jit().compiled_bytes(), 0);
        assert!(loaded.code.jit().loaded_bytes() > 64 << 10);
        // Code compiled later takes the place of code that was mapped.
        drop(loaded);
        assert_eq!(Loaded::new(&text, None).call("run", 0).unwrap(), 1);
    }
}

#[test]
fn functions_compiled_ahead_of_time_call_one_another() {
    let text = large_program();
    let mut compiled = Loaded::new(&text, None);
    compiled.call("run", 0).unwrap();
    let all: Vec<u32> = (0..300).collect();
    let what = Precompilation { functions: &all, threads: 2, base: None, goes_on: None };
    let precompiled = compiled.code.jit().precompile(&what).unwrap();
    assert_eq!((precompiled.functions, precompiled.refused.len()), (300, 0));
    let mut loaded = Loaded::new(&text, Some(container(precompiled)));
    assert_eq!(loaded.call("run", 0).unwrap(), 1);
    assert_eq!(loaded.code.jit().compiled_bytes(), 0);
}

fn container(precompiled: Precompiled) -> Arc<Container> {
    let mut builder = Builder::new();
    precompiled.add_to(&mut builder);
    let mut bytes = Vec::new();
    builder.write(&mut bytes).unwrap();
    Arc::new(Container::from_bytes(bytes).unwrap())
}

#[test]
fn a_limit_leaves_an_image_of_the_functions_so_far() {
    let mut first = Loaded::new(PROGRAM, None);
    let expected = results(&mut first);
    let mut image = None;
    // Defined functions by index: `fac` first, then in order, two at a time.
    let order = [1, 0, 2, 3, 4, 5, 6];
    for end in 1..=order.len() {
        let left = AtomicUsize::new(1);
        let goes_on = || left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok();
        let base: Option<Arc<Container>> = image.take();
        let what = Precompilation { functions: &order, threads: 1, base: base.as_deref(), goes_on: Some(&goes_on) };
        let precompiled = first.code.jit().precompile(&what).unwrap();
        assert_eq!(precompiled.functions, 1);
        let container = container(precompiled);
        let mut loaded = Loaded::new(PROGRAM, Some(container.clone()));
        assert_eq!(results(&mut loaded), expected);
        let compiled = loaded.code.jit().functions_in_image(&container);
        assert_eq!(compiled, order[..end]);
        image = Some(container);
    }
}

#[test]
fn code_for_two_entries_of_which_one_is_used_keeps_its_way_of_entering() {
    let text = r#"(module (func (export "f") (param $n i32) (result i64)
        (loop $again (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
        (i64.const 7)))"#;
    let mut first = Loaded::new(text, None);
    // The function has code with an entry at its start before that with both entries is compiled.
    assert_eq!(first.call("f", 3).unwrap(), 7);
    let operators = wasmr_module::operators::operators(first.code.module(), 0).unwrap();
    let offset = operators.iter().find(|operator| operator.text == "loop").unwrap().offset;
    let osr = OsrEntry { offset, frame: FrameMap { locals: vec![0], operands: 1 } };
    first.code.jit().compile(0, Entry::StartOrLoop(osr), &mut CompilerContext::default()).unwrap();
    let mut loaded = Loaded::new(text, Some(first.image()));
    assert_eq!(loaded.call("f", 3).unwrap(), 7);
    let is_dual = |loaded: &Loaded| loaded.code.jit().osr_code(0, offset).unwrap().dual_entry;
    assert_eq!((is_dual(&first), is_dual(&loaded)), (true, true));
}
