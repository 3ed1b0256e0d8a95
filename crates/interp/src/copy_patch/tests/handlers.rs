//! Proves that copy-and-patch can use the handlers as this build's compiler made them: the hot ones have a template, fall
//! through to the next instruction, and jump by known distances.
//!
//! A failure names the handler, the machine instruction and the assumption of `docs/copy-and-patch.md` that it breaks. A build
//! without copy-and-patch (see `build.rs`) leaves this file out.

use std::sync::LazyLock;

use iced_x86::InstructionInfoFactory;
use wasmr_core::op::{Op, Shape};

use super::disassembly::explain;
use crate::code::CodeOptions;
use crate::copy_patch::assumption::Broken;
use crate::copy_patch::template::{Finish, Step, Template};
use crate::copy_patch::{self, analyse::analyse};
use crate::instr;
use crate::test_program::{Program, module};
use crate::{CopyWhen, ModuleCode};

/// The code of this program, and the handlers in it.
struct Handlers {
    program: Program,
    all: Vec<Handler>,
}

/// A function under `execute/`: a handler, or something else there.
struct Handler {
    /// Path under `execute/`.
    path: String,
    /// Address of the function.
    address: usize,
    template: Result<Template, Vec<Broken>>,
}

static HANDLERS: LazyLock<Handlers> = LazyLock::new(|| {
    let program = Program::read();
    let mut infos = InstructionInfoFactory::new();
    let handlers = program.functions.iter().map(|function| {
        let template = analyse(function.address, &mut infos);
        Handler { path: function.path.clone(), address: function.address, template }
    });
    Handlers { all: handlers.collect(), program }
});

impl Handlers {
    /// Returns all handlers of a name, one for each operator and choice of operands.
    fn named(&self, name: &str) -> Vec<&Handler> {
        let found: Vec<&Handler> = self.all.iter().filter(|handler| handler.path == name).collect();
        assert!(!found.is_empty(), "{name} is no handler any more");
        found
    }

    /// Returns the assumptions that a handler breaks, as text.
    fn explain(&self, handler: &Handler) -> String {
        let broken = match &handler.template {
            Ok(template) => &template.deviations,
            Err(broken) => broken,
        };
        explain(&handler.path, broken, self.program.code(handler.address), handler.address as u64)
    }

    /// Checks the templates of all handlers of some names.
    ///
    /// # Panics
    /// If a handler has no template or `is_right` does not hold for it, with `what` a template should do.
    fn check(&self, names: &[&str], what: &str, is_right: impl Fn(&Template) -> bool) {
        let handlers = names.iter().flat_map(|name| self.named(name));
        let wrong = handlers.filter(|handler| !handler.template.as_ref().is_ok_and(&is_right));
        let wrong: Vec<String> = wrong.map(|handler| self.explain(handler)).collect();
        assert!(wrong.is_empty(), "{} handlers do not {what}:\n{}", wrong.len(), wrong.join("\n"));
    }
}

#[test]
fn the_instructions_of_a_copied_function_lead_to_its_code() {
    let wat = "(module (func (param i32) (result i32) (local i32)
        (loop (br_if 0 (i32.lt_u (local.tee 1 (i32.add (local.get 1) (i32.const 1))) (local.get 0))))
        (i32.mul (local.get 1) (i32.const 3))))";
    let module = module(wat);
    let first_handler = |copy_and_patch_after: Option<u32>| {
        let copy_and_patch = copy_and_patch_after.map(|after| CopyWhen { after, words_per_sample: 1000, events: 0 });
        let options = CodeOptions { copy_and_patch, ..CodeOptions::default() };
        let code = ModuleCode::with_options(module.clone(), options);
        let block = code.get_or_translate(0, true).unwrap();
        block.words.handler(0)
    };
    assert!(copy_patch::code_memory::is_available(), "this test needs a system that lets it execute what it wrote");
    assert!(copy_patch::contains(first_handler(Some(0)) as usize));
    assert!(!copy_patch::contains(first_handler(Some(1)) as usize), "before its first sample");
    assert!(!copy_patch::contains(first_handler(None) as usize));
}

/// The handlers in which programs spend their time, with all handlers of the same name.
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
    "simd::canonical_f32x4",
    "simd::canonical_f64x2",
    "simd::extract_lane",
    "simd::permute_bytes",
    "simd::shift",
    "simd::shuffle_bytes",
    "simd::splat",
    "simd::swizzle_bytes",
    "simd::test",
    "simd_memory::load",
    "simd_memory::load_displaced",
    "simd_memory::load_indexed",
    "simd_memory::load_lane",
    "simd_memory::store",
    "simd_memory::store_lane",
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
    HANDLERS.check(HOT, "have a template", |_| true);
    let all: usize = HOT.iter().map(|name| HANDLERS.named(name).len()).sum();
    assert!(all > 1500, "only {all} hot handlers found; the check would prove nothing");
}

/// Vector operators whose handlers need more registers than there are, or an array on the native stack.
const WITHOUT_TEMPLATE: &[Op] = &[
    Op::I8x16Swizzle,
    Op::I8x16RelaxedSwizzle,
    Op::I64x2ExtMulLowI32x4S,
    Op::I64x2ExtMulHighI32x4S,
    Op::I64x2ExtMulLowI32x4U,
    Op::I64x2ExtMulHighI32x4U,
    Op::I32x4TruncSatF32x4S,
    Op::I32x4TruncSatF32x4U,
    Op::I32x4RelaxedTruncF32x4S,
    Op::I32x4RelaxedTruncF32x4U,
    Op::I32x4RelaxedDotI8x16I7x16AddS,
    Op::I64x2ReplaceLane,
];

#[test]
fn vector_operators_have_templates() {
    let shapes = [Shape::VectorUnary, Shape::VectorBinary, Shape::VectorTernary, Shape::ReplaceLane];
    let mut infos = InstructionInfoFactory::new();
    let mut count = 0;
    for &op in Op::ALL.iter().filter(|op| shapes.contains(&op.shape()) && !WITHOUT_TEMPLATE.contains(op)) {
        for &handler in instr::row(op) {
            let template = analyse(handler as usize, &mut infos);
            let falls = template.as_ref().is_ok_and(|template| template.words.is_some() && template.blocks[0].falls);
            assert!(falls, "{}: {:?}", op.info().name, template.err());
            count += 1;
        }
    }
    assert!(count > 1300, "only {count} handlers of vector operators");
}

#[test]
fn a_handler_without_template_has_a_reason() {
    for handler in &HANDLERS.all {
        if let Err(broken) = &handler.template {
            assert!(!broken.is_empty(), "nothing says why {} has no template", handler.path);
        }
    }
}

#[test]
fn the_path_to_the_next_instruction_has_no_jump() {
    let leaves = ["call::", "control::br_table", "control::return", "control::br"];
    let others = HOT.iter().filter(|name| !leaves.iter().any(|leaves| name.starts_with(leaves)));
    let others: Vec<&str> = others.copied().collect();
    HANDLERS.check(&others, "fall through to the next instruction", |template| {
        template.words.is_some() && template.blocks[0].falls
    });
}

#[test]
fn branches_jump_by_known_distances() {
    let branches =
        ["control::br", "control::br_if", "control::br_if_and", "control::br_if_i64", "numeric::branch_compare"];
    HANDLERS.check(&branches, "jump once, by a distance whose sign is known", |template| {
        let count = |is_it: fn(&Finish) -> bool| template.blocks.iter().filter(|block| is_it(&block.finish)).count();
        let mut reached = template.blocks.iter().filter(|block| block.falls || !block.steps.is_empty());
        count(|finish| matches!(finish, Finish::Jump(_))) == 1
            && count(|finish| matches!(finish, Finish::Test(..))) == 1
            && reached.all(|block| block.finish != Finish::Done)
    });
}

#[test]
fn slot_numbers_are_part_of_the_instructions() {
    HANDLERS.check(&["variable::copy", "variable::copy_pair"], "only read and write slots", |template| {
        let steps = &template.blocks[0].steps;
        !steps.is_empty() && steps.iter().all(|step| matches!(step, Step::Displaced { .. }))
    });
}

#[test]
fn addresses_of_loads_are_part_of_the_instructions() {
    HANDLERS.check(&["memory::load"], "load from an address without computing it first", |template| {
        let steps = &template.blocks[0].steps;
        !steps.iter().any(|step| matches!(step, Step::Sum { .. } | Step::Load { .. } | Step::Ip(_)))
    });
}
