//! Golden listings: the code of small functions as text, so that a change of an emitter shows what became of them.
//!
//! Addresses count from the start of the code. What is outside of it has a name.

use std::fmt::Write;

use iced_x86::{Decoder, DecoderOptions, Formatter, IntelFormatter, Mnemonic};
use wasmr_module::operators::operators;

use crate::test_program::module;
use crate::{ModuleCode, list_baseline};

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
    let listed = list_baseline(&code.source(index, true)).unwrap();
    let mut out = String::new();
    let (mut decoder, mut formatter) =
        (Decoder::with_ip(64, &listed.code, 0, DecoderOptions::NONE), IntelFormatter::new());
    formatter.options_mut().set_branch_leading_zeros(false);
    formatter.options_mut().set_show_branch_size(false);
    while decoder.can_decode() {
        let instruction = decoder.decode();
        let at = instruction.ip();
        // Padding comes before the code.
        if (at as u32) < listed.call_entry {
            continue;
        }
        if at as u32 == listed.call_entry {
            writeln!(out, "call:").unwrap();
        }
        for word in listed.entries_at(at as u32) {
            writeln!(out, "@{word}:").unwrap();
        }
        let mut text = String::new();
        formatter.format(&instruction, &mut text);
        if let Some(reference) = listed.reference(instruction.next_ip() as u32) {
            let last = text.rfind([' ', ',']).unwrap();
            text = format!("{}{reference}", &text[..=last]);
        }
        writeln!(out, "{at:5x}  {text}").unwrap();
    }
    out
}

/// The machine instruction of an operator belongs to that operator, and every reference is that of a machine instruction.
#[test]
fn pieces_lead_back_to_operators() {
    let code = ModuleCode::new(module(MODULE));
    let cases = [(0, "f64.add", Mnemonic::Addsd), (1, "i64.div_s", Mnemonic::Idiv), (2, "i32.xor", Mnemonic::Xor)];
    for (index, operator, mnemonic) in cases {
        let listed = list_baseline(&code.source(index, true)).unwrap();
        let operators = operators(code.module(), index).unwrap();
        let offset = operators.iter().find(|found| found.text == operator).unwrap().offset;
        let decoded: Vec<_> = Decoder::with_ip(64, &listed.code, 0, DecoderOptions::NONE).into_iter().collect();
        let at = decoded.iter().find(|instruction| instruction.mnemonic() == mnemonic).unwrap().ip();
        assert!(listed.piece(at as u32).unwrap().operators.contains(&offset), "{operator}");
        assert!(listed.pieces.is_sorted_by_key(|piece| piece.start));
        assert!(listed.references.is_sorted_by_key(|&(end, _)| end));
        let is_end = |end: u32| decoded.iter().any(|instruction| instruction.next_ip() == u64::from(end));
        assert!(!listed.references.is_empty() && listed.references.iter().all(|&(end, _)| is_end(end)));
    }
}

#[test]
fn constants_follow_the_code() {
    let code =
        ModuleCode::new(module("(module (func (param f64) (result f64) (f64.mul (local.get 0) (f64.const 3))))"));
    let listed = list_baseline(&code.source(0, true)).unwrap();
    assert_eq!(listed.constants.1, 3f64.to_le_bytes());
    assert!(listed.constants.0 as usize >= listed.code.len() && listed.constants.0.is_multiple_of(16));
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
