//! Code with a dual entry, and guarded calls in it.
//!
//! Debug builds run Cranelift's verifier after translation. A module that compiles therefore uses no value where it is not
//! computed.

use std::sync::Arc;

use wasmr_core::registry::TypeRegistry;
use wasmr_jit::{CodeOptions, CompilerContext, Entry, JitModule, OsrEntry};
use wasmr_module::operators::operators;
use wasmr_module::{Features, Module};
use wasmr_runtime::frame::FrameMap;
use wasmr_runtime::vm::VmLayout;

use crate::world::CALLS;

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
