//! Code with a dual entry, and guarded calls in it.
//!
//! Debug builds run Cranelift's verifier after translation. A module that compiles therefore uses no value where it is not
//! computed.

use std::sync::Arc;

use wasmr_core::registry::TypeRegistry;
use wasmr_jit::{CodeOptions, CompilerContext, Entry, JitModule, OsrEntry};
use wasmr_module::operators::operators;
use wasmr_module::{Features, Module};
use wasmr_runtime::Instance;
use wasmr_runtime::frame::FrameMap;
use wasmr_runtime::vm::VmLayout;

use crate::world::{CALLS, Running, World};

/// Compiles the first defined function of a module with a dual entry, at its start and at its last loop. The profile of each
/// `call_indirect` has the functions 1 to `callees`.
fn compile_with_loop(text: &str, locals: i32, callees: u32) {
    let bytes = wat::parse_str(text).unwrap();
    let module = Module::new(bytes.into(), "test", &Features::default(), &Arc::new(TypeRegistry::new()), 1).unwrap();
    let options =
        CodeOptions { guarded: true, metered: false, canonical_nans: false, spectre_guards: false, calls: CALLS };
    let jit = JitModule::new(module.clone(), VmLayout::for_module(&module), options).expect("code can be made");
    let body = operators(&module, 0).unwrap();
    for call in body.iter().filter(|operator| operator.text.starts_with("call_indirect")) {
        (1..=callees).for_each(|callee| jit.record_calls(call.offset, callee, 100));
    }
    let offset = body.iter().rfind(|operator| operator.text == "loop").expect("there is a loop").offset;
    let osr = OsrEntry { offset, frame: FrameMap { locals: (0..locals).collect(), operands: locals } };
    jit.compile(0, Entry::StartOrLoop(osr), &mut CompilerContext::default()).unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn operands_below_guarded_calls_before_the_loop() {
    // The bodies inlined for the guarded call restore the operand below from its variable, which all paths must have saved. The
    // first body has an unreachable landing pad, after which the operand below is a different CLIF value.
    let text = r#"(module
        (type $callee (func (param i32) (result i32)))
        (table 4 funcref)
        (func (param $which i32) (param $x i32) (result i32) (local $i i32)
          (i32.mul (local.get $x) (i32.const 7))
          (call_indirect (type $callee) (local.get $x) (local.get $which))
          (local.set $i (i32.const 40))
          (loop (br_if 0 (local.tee $i (i32.sub (local.get $i) (i32.const 1)))))
          (i32.add))
        (func (param i32) (result i32) (block (try_table (catch_all 0) (nop))) (local.get 0))
        (func (param i32) (result i32) (if (local.get 0) (then (nop))) (i32.const 1))
        (func (param i32) (result i32) (unreachable)))"#;
    for callees in 1..=3 {
        compile_with_loop(text, 3, callees);
    }
}

/// Returns the number of branches in CLIF to the block that ends in a table of branches.
fn branches_to_table(clif: &str) -> usize {
    let lines: Vec<&str> = clif.lines().map(str::trim).collect();
    let table = lines.iter().position(|line| line.contains("br_table")).expect("a table");
    let label = lines[..table].iter().rev().find(|line| line.starts_with("block") && line.ends_with(':')).unwrap();
    let block = label.split([':', '(']).next().unwrap();
    let names = |line: &&&str| line.split(|c: char| !c.is_ascii_alphanumeric()).any(|word| word == block);
    lines.iter().filter(|line| line.contains("jump") || line.contains("brif")).filter(names).count()
}

#[test]
fn branches_know_their_way_through_a_table_unless_compiling_that_takes_long() {
    for (locals, is_threaded) in [(1, true), (20_000, false)] {
        let text = format!(
            r#"(module (func (export "run") (param i32) (result i32) (local $state i32) (local {})
                (local.set $state (local.get 0))
                (loop $next
                    (block $2 (block $1 (block $0
                        (br_table $0 $1 $2 (local.get $state)))
                        (local.set $state (i32.const 1)) (br $next))
                        (local.set $state (i32.const 7)) (br $next)))
                (local.get $state)))"#,
            "i32 ".repeat(locals)
        );
        let world = World::new();
        let (module, code) = world.module_with_image(&text, None);
        let mut store = world.store(());
        let instance = Instance::new(&mut store, &module, &[]).unwrap();
        let mut running = Running { store, instance };
        assert_eq!([0, 1, 2].map(|state| running.call::<_, u32>("run", (state,))), [7, 7, 2]);
        let clif = code.jit().examine(0, Entry::Start).unwrap().clif;
        assert_eq!(branches_to_table(&clif), if is_threaded { 1 } else { 3 }, "{locals} locals");
    }
}
