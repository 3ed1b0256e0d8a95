//! Listings of translated code: every instruction has a text and the operators that it came from.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use wasmr_core::registry::TypeRegistry;
use wasmr_interp::{Listing, ModuleCode, list};
use wasmr_module::operators::operators;
use wasmr_module::{Features, Module};

fn module(bytes: Vec<u8>) -> Arc<Module> {
    let types = Arc::new(TypeRegistry::new());
    Module::new(bytes.into(), "listed", &Features::all(), &types, 1).unwrap()
}

fn listing(module: &Arc<Module>, defined_index: u32, guarded: bool) -> Option<Listing> {
    let code = ModuleCode::new(module.clone());
    let texts = operators(module, defined_index).unwrap();
    let name_of = |offset| texts.iter().find(|operator| operator.offset == offset).map(|it| it.text.clone());
    list(&code.source(defined_index, guarded), &name_of).ok()
}

/// Each instruction as `text <- operators`.
#[track_caller]
fn check(declarations: &str, body: &str, expected: &[&str]) {
    let module = module(wat::parse_str(format!("(module {declarations} (func {body}))")).unwrap());
    let texts = operators(&module, 0).unwrap();
    let name_of = |offset: &usize| texts.iter().find(|operator| operator.offset == *offset).unwrap().text.clone();
    let instructions = listing(&module, 0, true).unwrap().instructions;
    let shown: Vec<String> = instructions
        .iter()
        .map(|instruction| {
            let origins: Vec<String> = instruction.operators.iter().map(name_of).collect();
            format!("@{} {} <- {}", instruction.word, instruction.text, origins.join(", "))
        })
        .collect();
    assert_eq!(shown, expected, "{shown:#?}");
}

#[test]
fn operands_and_destinations_are_folded_in() {
    check(
        "",
        "(param i32 i32) (result i32) (local i32)
         (local.set 2 (i32.mul (local.get 0) (i32.add (local.get 1) (i32.const 3))))
         (i32.sub (local.get 2) (i32.const 7))",
        &[
            "@0 enter, 4 slots, 1 to zero <- ",
            "@2 acc = i32.add l1, 3 <- local.get 1, i32.const 3, i32.add",
            "@4 l2 = i32.mul l0, acc <- local.get 0, i32.mul, local.set 2",
            "@6 acc = i32.sub acc, 7 <- local.get 2, i32.const 7, i32.sub",
            "@8 return acc <- end",
        ],
    );
}

#[test]
fn branches_take_comparisons_in() {
    check(
        "",
        "(param i32) (local i32)
         (block (loop
            (br_if 1 (i32.gt_s (local.get 1) (local.get 0)))
            (local.set 1 (i32.add (local.get 1) (i32.const 1)))
            (br_if 0 (i32.ne (local.get 1) (i32.const 10)))))",
        &[
            "@0 enter, 3 slots, 1 to zero <- ",
            "@2 br @7 if i32.gt_s l1, l0 <- local.get 1, local.get 0, i32.gt_s, br_if 1",
            "@4 l1 = i32.add l1, 1; br @2 if i32.ne l1, 10 <- local.get 1, i32.const 1, i32.add, local.set 1, \
             local.get 1, i32.const 10, i32.ne, br_if 0",
            "@7 return <- end",
        ],
    );
}

#[test]
fn a_jump_whose_target_comes_later_stays_that_of_its_operator() {
    check(
        "",
        "(param i32) (result i32)
         (if (result i32) (i32.lt_u (local.get 0) (i32.const 2))
           (then (local.get 0))
           (else (i32.sub (local.get 0) (i32.const 1))))",
        &[
            "@0 enter, 2 slots <- ",
            "@2 br @8 unless i32.lt_u l0, 2 <- local.get 0, i32.const 2, i32.lt_u, if (result i32)",
            "@4 t0 = l0 <- local.get 0, else",
            "@6 br @10 <- local.get 0, else",
            "@8 t0 = i32.sub l0, 1 <- local.get 0, i32.const 1, i32.sub, end",
            "@10 return t0 <- end",
        ],
    );
}

#[test]
fn accesses_calls_and_globals_name_their_objects() {
    check(
        "(memory 1) (global $g (mut i32) (i32.const 0)) (table 3 funcref) (type $t (func (param i32) (result i32)))",
        "(param i32) (result i32)
         (i32.store offset=4 (local.get 0) (i32.const 9))
         (global.set $g (i32.load8_u offset=2 (i32.add (local.get 0) (i32.const 8))))
         (call_indirect (type $t) (global.get $g) (i32.const 2))",
        &[
            "@0 enter, 2 slots <- ",
            "@2 i32.store [l0 + 4], 9 <- local.get 0, i32.const 9, i32.store offset=4",
            "@5 acc = i32.load8_u [(i32.add l0, 8) + 2] <- local.get 0, i32.const 8, i32.add, i32.load8_u offset=2",
            "@8 global 0 = acc <- global.set 0",
            "@10 t0 = global 0 <- global.get 0",
            "@12 t1 = 2 <- i32.const 2, call_indirect (type 0)",
            "@14 call_indirect table 0[t1] (type 0), its frame at t5 <- i32.const 2, call_indirect (type 0)",
            "@17 return acc <- end",
        ],
    );
}

/// Translates every function of every guest, with and without checks of memory 0.
#[test]
fn every_instruction_of_real_programs_has_a_name_and_an_operator() {
    let guests = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/guests");
    let (mut instructions, mut nameless, mut orphans) = (0, BTreeSet::new(), 0);
    for entry in std::fs::read_dir(guests).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "wasm") {
            continue;
        }
        let module = module(std::fs::read(&path).unwrap());
        for index in 0..module.defined_func_count() {
            let texts = operators(&module, index).unwrap();
            let known: BTreeSet<usize> = texts.iter().map(|operator| operator.offset).collect();
            for guarded in [true, false] {
                let Some(listing) = listing(&module, index, guarded) else { continue };
                instructions += listing.instructions.len();
                if !listing.is_complete() {
                    nameless.insert((path.clone(), index));
                }
                assert!(
                    listing
                        .instructions
                        .iter()
                        .flat_map(|instruction| &instruction.operators)
                        .all(|offset| known.contains(offset))
                );
                // Only the first instruction has no operator.
                orphans +=
                    listing.instructions.iter().skip(1).filter(|instruction| instruction.operators.is_empty()).count();
            }
        }
    }
    assert!(instructions > 50_000, "only {instructions} instructions");
    assert_eq!((nameless, orphans), (BTreeSet::new(), 0));
}
