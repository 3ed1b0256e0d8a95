//! Golden listings: the code of small functions as text, so that a change of an emitter shows what became of them.
//!
//! Addresses count from the start of the code. Targets outside of it have names, because their addresses differ in each build.

use std::fmt::Write;

use iced_x86::{Decoder, DecoderOptions, FlowControl, Formatter, IntelFormatter, Mnemonic};

use super::super::compile;
use crate::ModuleCode;
use crate::execute::dispatch::{Handler, budget_interrupt, handler_word};
use crate::machine_code::code_memory::Placeable;
use crate::paired_call::{CallStubs, DIRECT_AT, DirectCode, STUB};
use crate::test_program::module;

const MODULE: &str = r#"(module
    (type $value (func (param i32) (result i32)))
    (memory 1)
    (table 4 funcref)
    (func $sum_of_array (param $at i32) (param $end i32) (result f64) (local $sum f64)
      (loop $next
        (local.set $sum (f64.add (local.get $sum) (f64.load offset=8 (local.get $at))))
        (br_if $next (i32.lt_u (local.tee $at (i32.add (local.get $at) (i32.const 8))) (local.get $end))))
      (local.get $sum))
    (func $divide (param i64 i64) (result i64) (i64.div_s (local.get 0) (local.get 1)))
    (func $calls (param i32) (result i32)
      (i32.store (i32.const 16) (i32.add (call $fibonacci (i32.const 7)) (local.get 0)))
      (call_indirect (type $value) (i32.xor (local.get 0) (i32.const 5)) (local.get 0)))
    (func $fibonacci (type $value)
      (if (i32.lt_u (local.get 0) (i32.const 2)) (then (return (local.get 0))))
      (i32.add (call $fibonacci (i32.sub (local.get 0) (i32.const 1)))
        (call $fibonacci (i32.sub (local.get 0) (i32.const 2)))))
    (func $choose (param i32) (result i32)
      (block $b (block $a (br_table $a $b $a (local.get 0))) (return (i32.const 10)))
      (i32.const 20)))"#;

/// Names of the functions of [`MODULE`].
const NAMES: [&str; 5] = ["sum_of_array", "divide", "calls", "fibonacci", "choose"];

/// Returns the code of a function as text.
fn listing(code: &ModuleCode, index: u32) -> String {
    let block = code.get_or_translate(index, true).unwrap();
    let words = block.words.to_vec();
    // The code is near to the handlers and, this time, to the stubs.
    let interrupt: Handler = budget_interrupt;
    let base = handler_word(interrupt) & !0xfff;
    let record = |index| block.layout.defined_func(index);
    let direct = DirectCode::new(base, NAMES.len() as u32);
    let stubs = CallStubs { first: base + 0x1_0000, funcs: record(0), direct };
    let first_stub = stubs.first;
    let mut compiled = compile(block, &words, record(index), Some(stubs)).unwrap();
    let size = compiled.finish();
    let placed = compiled.place(base).unwrap();
    assert_eq!(placed.code.len(), size);

    let mut out = String::new();
    let first = block.words.first().as_ptr().addr() as u64;
    let (mut decoder, mut formatter) =
        (Decoder::with_ip(64, &placed.code, 0, DecoderOptions::NONE), IntelFormatter::new());
    // The last jump or `ret` is followed by constants.
    let mut is_padding = false;
    while decoder.can_decode() {
        let instruction = decoder.decode();
        let at = instruction.ip();
        // Padding comes before the code as well.
        let at_start = at < DIRECT_AT as u64;
        is_padding |= instruction.mnemonic() == Mnemonic::Int3 && !at_start;
        if is_padding {
            break;
        }
        if at_start {
            continue;
        }
        if at == DIRECT_AT as u64 {
            writeln!(out, "from the stub:").unwrap();
        }
        for (word, _) in placed.entries.iter().filter(|&&(_, position)| u64::from(position) == at) {
            writeln!(out, "@{word}:").unwrap();
        }
        let mut text = String::new();
        formatter.format(&instruction, &mut text);
        let is_near = !matches!(instruction.flow_control(), FlowControl::Next | FlowControl::IndirectBranch)
            && instruction.near_branch64() != 0;
        if is_near {
            let target = instruction.near_branch64();
            let name = match base.wrapping_add(target) {
                _ if (target as usize) < size => format!("{target:x}"),
                address if address == handler_word(interrupt) => "budget_interrupt".to_owned(),
                address if address >= first_stub && address - first_stub < (NAMES.len() * STUB) as u64 => {
                    format!("the stub of {}", NAMES[(address - first_stub) as usize / STUB])
                }
                _ => "the handler".to_owned(),
            };
            text = format!("{} {name}", text.split(' ').next().unwrap());
        }
        // The only other addresses are those of instructions.
        if instruction.mnemonic() == Mnemonic::Mov && instruction.immediate64() >= first {
            let word = (instruction.immediate64() - first) / 8;
            if (word as usize) < words.len() {
                text = format!("{}@{word}", &text[..=text.find(',').unwrap()]);
            }
        }
        writeln!(out, "{at:5x}  {text}").unwrap();
    }
    out
}

#[test]
fn code_is_as_listed() {
    let code = ModuleCode::new(module(MODULE));
    let mut listed = String::new();
    for (index, name) in NAMES.iter().enumerate() {
        write!(listed, "{name}\n{}\n", listing(&code, index as u32)).unwrap();
    }
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/baseline/tests/listings.txt");
    if std::env::var_os("WASMR_BLESS").is_some() {
        std::fs::write(path, &listed).unwrap();
    }
    assert_eq!(std::fs::read_to_string(path).unwrap_or_default(), listed, "WASMR_BLESS=1 accepts the present code");
}
