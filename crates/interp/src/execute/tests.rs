//! Tests on the machine code of properties that Rust does not guarantee. Handlers reach one another by jumps, hot handlers keep
//! no frame, and handlers that access guard-paged memory have nothing on the native stack.
//!
//! The tests read the code of this test program, that is, of this build. A build without tail calls (see `build.rs`) leaves
//! this file out.

use std::collections::BTreeMap;

use iced_x86::{Decoder, DecoderOptions, FlowControl, Instruction, Mnemonic, OpKind, Register};

use super::access;
use crate::instr::with_handler;
use crate::test_program::Program;

/// A function under `execute/`: path there, and machine instructions.
struct Function {
    path: String,
    instructions: Vec<Instruction>,
}

/// Returns the functions under `execute/` in this program, by address.
fn functions() -> BTreeMap<u64, Function> {
    let program = Program::read();
    let decoded = program.functions.iter().map(|function| {
        let (address, bytes) = (function.address as u64, &program.code(function.address)[..function.size]);
        let instructions = Decoder::with_ip(64, bytes, address, DecoderOptions::NONE).into_iter().collect();
        (address, Function { path: function.path.clone(), instructions })
    });
    decoded.collect()
}

/// Returns true if the instruction moves the stack pointer down.
fn makes_frame(instruction: &Instruction) -> bool {
    instruction.mnemonic() == Mnemonic::Push
        || (instruction.op0_register() == Register::RSP
            && matches!(instruction.mnemonic(), Mnemonic::Sub | Mnemonic::Lea | Mnemonic::And))
}

/// Returns true if the instruction calls a pointer from a register, or from memory other than the linker's table. A call of the
/// next handler would look like this.
fn calls_pointer(instruction: &Instruction) -> bool {
    instruction.flow_control() == FlowControl::IndirectCall
        && !(instruction.op0_kind() == OpKind::Memory && instruction.is_ip_rel_memory_operand())
}

fn jumps_on(instruction: &Instruction) -> bool {
    instruction.flow_control() == FlowControl::IndirectBranch
}

#[test]
fn no_handler_calls_the_next() {
    let functions = functions();
    // Functions that may call through a pointer: the way in, calls of other functions' entries, libcalls, and hooks.
    let allowed = ["pairs::run", "frame::call_external", "builtin::builtin"];
    let allowed = |path: &str| allowed.contains(&path) || path.starts_with("hooks::");
    let mut jumping = 0;
    for function in functions.values() {
        if function.instructions.iter().any(jumps_on) {
            jumping += 1;
        }
        if let Some(call) = function.instructions.iter().find(|instruction| calls_pointer(instruction)) {
            assert!(allowed(&function.path), "{} calls through a pointer: {call}", function.path);
        }
    }
    assert!(jumping > 1000, "only {jumping} handlers found; the check would prove nothing");
}

#[test]
fn hot_handlers_keep_no_frame() {
    let functions = functions();
    let hot = [
        "numeric::binary",
        "numeric::compare",
        "numeric::unary",
        "numeric::branch_compare",
        "bulk_memory::memory_copy",
        "bulk_memory::memory_fill",
        "memory::load",
        "memory::load_checked",
        "memory::store_slot",
        "memory::store_acc",
        "memory::store_imm",
        "memory::store_checked",
        "memory::memory_size",
        "simd_memory::load",
        "simd_memory::store",
        "call::call_defined",
        "call::call_imported",
        "call::call_indirect",
        "call::call_ref",
        "frame::enter_plain",
        "frame::restore_instance",
    ];
    let mut checked = 0;
    for function in functions.values() {
        let is_hot = hot.contains(&function.path.as_str())
            || function.path.starts_with("control::")
            || function.path.starts_with("variable::");
        // Functions that do not jump to a handler are no handlers.
        if !is_hot || !function.instructions.iter().any(jumps_on) {
            continue;
        }
        checked += 1;
        for instruction in &function.instructions {
            let calls = matches!(instruction.flow_control(), FlowControl::Call | FlowControl::IndirectCall);
            assert!(!makes_frame(instruction) && !calls, "{} keeps a frame: {instruction}", function.path);
        }
    }
    assert!(checked > 800, "only {checked} hot handlers found; the check would prove nothing");
}

#[test]
fn guarded_accesses_have_nothing_on_the_native_stack() {
    let functions = functions();
    let mut sites = 0;
    for site in access::sites() {
        let address = site as u64;
        let (_, function) = functions.range(..=address).next_back().expect("a site is in a handler");
        assert!(
            function.instructions.iter().any(|instruction| instruction.ip() == address),
            "a site is no instruction of {}",
            function.path
        );
        for instruction in &function.instructions {
            assert!(!makes_frame(instruction), "{} accesses memory with a frame: {instruction}", function.path);
        }
        sites += 1;
    }
    assert!(sites >= 80, "only {sites} sites found; the check would prove nothing");
}

#[test]
fn every_handler_has_an_instruction() {
    let functions = functions();
    // Instructions outside of functions, handlers that other handlers continue in, and functions that jump for another reason.
    let others = [
        "access::fault_landing",
        // The libcall of a copy or fill that is not done in place: five words.
        "builtin::builtin",
        "builtin::builtin_ended",
        "call::call_indirect_checked",
        "dispatch::budget_interrupt",
        "exception::unwind",
        "frame::exit",
        "frame::external",
        "frame::restore_instance",
        "frame::taken_over",
        "frame::translate_first",
        "hooks::budget_interrupt",
        "hooks::catch_clause",
        "hooks::instruction_of_code",
        "hooks::first_call",
        "hooks::tier_transition",
        "pairs::external",
        "pairs::limit_pairs",
        "self_test::end",
        "self_test::probe",
    ];
    let mut named = 0;
    let mut nameless = Vec::new();
    for (address, function) in &functions {
        let known = with_handler(*address).next().is_some();
        named += usize::from(known);
        let path = function.path.as_str();
        if function.instructions.iter().any(jumps_on) && !others.contains(&path) && !known {
            nameless.push(path);
        }
    }
    assert!(named > 1000, "only {named} handlers in the instruction set");
    assert!(nameless.is_empty(), "handlers that no row of the instruction set names: {nameless:#?}");
}
