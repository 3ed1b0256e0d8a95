//! Proves that handlers can be copied as this build's compiler made them: the hot ones have a template, go on with the cell
//! behind without a jump, and jump to cells by known distances.
//!
//! A build without copying (see `build.rs`) has nothing to prove and this file is empty.
#![cfg(wasmr_copy_patch)]

use std::collections::BTreeMap;
use std::sync::Arc;

use iced_x86::InstructionInfoFactory;
use object::{Object, ObjectSymbol, SymbolKind};
use wasmr_core::registry::TypeRegistry;
use wasmr_interp::code::CodeOptions;
use wasmr_interp::copy_patch::template::{Finish, Step, Template};
use wasmr_interp::copy_patch::{self, analyse::analyse};
use wasmr_interp::execute::frame;
use wasmr_interp::{CopyWhen, ModuleCode};
use wasmr_module::{Features, Module};
use wasmr_runtime::frame::Ip;

/// The handlers, and whatever else is under `execute/`, by path there: how many of each name, and the templates of those that
/// have one.
fn templates() -> BTreeMap<String, (usize, Vec<Template>)> {
    // Translating anything keeps the tables of handlers, and so all handlers, in the program.
    let bytes = wat::parse_str("(module (func))").unwrap();
    let types = Arc::new(TypeRegistry::new());
    let module = Module::new(bytes.into(), "keep", &Features::default(), &types, 1).unwrap();
    ModuleCode::new(module).get_or_translate(0, true).unwrap();

    let file = std::fs::read(std::env::current_exe().unwrap()).unwrap();
    let elf = object::File::parse(&*file).unwrap();
    let mut functions = Vec::new();
    let mut bias = None;
    for symbol in elf.symbols().filter(|symbol| symbol.kind() == SymbolKind::Text) {
        let name = format!("{:#}", rustc_demangle::demangle(symbol.name().unwrap_or_default()));
        let Some(path) = name.strip_prefix("wasmr_interp::execute::") else { continue };
        let address = symbol.address() as usize;
        if path == "frame::exit_cell" {
            bias = Some((frame::exit_cell as fn() -> Ip as usize).wrapping_sub(address));
        }
        functions.push((path.to_owned(), address));
    }
    let bias = bias.expect("a known function is in the symbol table");
    let mut infos = InstructionInfoFactory::new();
    let mut found: BTreeMap<String, (usize, Vec<Template>)> = BTreeMap::new();
    for (path, address) in functions {
        let (count, templates) = found.entry(path).or_default();
        *count += 1;
        templates.extend(analyse(address.wrapping_add(bias), &mut infos));
    }
    found
}

#[test]
fn the_instructions_of_a_copied_function_lead_to_its_code() {
    let wat = "(module (func (param i32) (result i32) (local i32)
        (loop (br_if 0 (i32.lt_u (local.tee 1 (i32.add (local.get 1) (i32.const 1))) (local.get 0))))
        (i32.mul (local.get 1) (i32.const 3))))";
    let types = Arc::new(TypeRegistry::new());
    let module = Module::new(wat::parse_str(wat).unwrap().into(), "a", &Features::default(), &types, 1).unwrap();
    let first_handler = |copy_and_patch_after: Option<u32>| {
        let copy_and_patch = copy_and_patch_after.map(|after| CopyWhen { after, events_per_sample: 0 });
        let options = CodeOptions { copy_and_patch, ..CodeOptions::default() };
        let code = ModuleCode::with_options(module.clone(), options);
        let block = code.get_or_translate(0, true).unwrap();
        block.cells.handler(0)
    };
    assert!(copy_patch::code_memory::is_available(), "this test needs a system that lets it execute what it wrote");
    assert!(copy_patch::contains(first_handler(Some(0)) as usize));
    assert!(!copy_patch::contains(first_handler(Some(1)) as usize), "before it was ever hot");
    assert!(!copy_patch::contains(first_handler(None) as usize));
}

/// The handlers that make up the time of programs, and all of a kind with them.
const HOT: &[&str] = &[
    "bulk_memory::memory_copy",
    "bulk_memory::memory_fill",
    "call::call_defined",
    "call::call_imported",
    "call::call_indirect",
    "control::br",
    "control::br_if",
    "control::br_if_and",
    "control::br_if_i64",
    "control::br_table",
    "control::return_plain",
    "control::return_value",
    "frame::enter",
    "frame::enter_plain",
    "memory::load",
    "memory::store_acc",
    "memory::store_imm",
    "memory::store_slot",
    "numeric::binary",
    "numeric::branch_compare",
    "numeric::compare",
    "numeric::unary",
    "simd_memory::load",
    "simd_memory::store",
    "variable::constant",
    "variable::copy",
    "variable::copy_pair",
    "variable::global_get",
    "variable::global_set",
    "variable::select_acc",
    "variable::select_slot",
];

#[test]
fn hot_handlers_have_templates() {
    let templates = templates();
    let mut all = 0;
    for name in HOT {
        let (count, found) = templates.get(*name).unwrap_or_else(|| panic!("{name} is no handler any more"));
        assert_eq!(found.len(), *count, "some of {name} cannot be copied");
        all += count;
    }
    assert!(all > 1500, "only {all} hot handlers found; the check would prove nothing");
}

#[test]
fn what_goes_on_with_the_next_cell_needs_no_jump() {
    let templates = templates();
    let leaves = ["call::", "control::br_table", "control::return", "control::br"];
    for name in HOT.iter().filter(|name| !leaves.iter().any(|leaves| name.starts_with(leaves))) {
        let (_, found) = &templates[*name];
        let falls = found.iter().filter(|template| template.words.is_some() && template.blocks[0].falls);
        assert_eq!(falls.count(), found.len(), "{name}");
    }
}

#[test]
fn branches_jump_by_known_distances() {
    let templates = templates();
    for name in ["control::br", "control::br_if", "control::br_if_and", "control::br_if_i64", "numeric::branch_compare"]
    {
        for template in &templates[name].1 {
            let jumps = template.blocks.iter().filter(|block| matches!(block.finish, Finish::Jump(_))).count();
            assert_eq!(jumps, 1, "{name}: {template:?}");
            let tests = template.blocks.iter().filter(|block| matches!(block.finish, Finish::Test(..))).count();
            assert_eq!(tests, 1, "{name}: whether it is backward is asked again: {template:?}");
            let done = template.blocks.iter().filter(|block| block.falls || !block.steps.is_empty());
            assert!(done.into_iter().all(|block| block.finish != Finish::Done), "{name}: {template:?}");
        }
    }
}

#[test]
fn slot_numbers_are_part_of_the_instructions() {
    let templates = templates();
    for name in ["variable::copy", "variable::copy_pair"] {
        for template in &templates[name].1 {
            let steps = &template.blocks[0].steps;
            let moves = steps.iter().filter(|step| matches!(step, Step::Displaced { .. })).count();
            assert!(moves > 0 && moves == steps.len(), "{name} does more than reading and writing slots: {template:?}");
        }
    }
}

#[test]
fn addresses_of_loads_are_part_of_the_instructions() {
    let templates = templates();
    for template in &templates["memory::load"].1 {
        let steps = template.blocks[0].steps.iter();
        let sums = steps.filter(|step| matches!(step, Step::Sum { .. } | Step::Load { .. } | Step::Ip(_))).count();
        assert_eq!(sums, 0, "{template:?}");
    }
}
