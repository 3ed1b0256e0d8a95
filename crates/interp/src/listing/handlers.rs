//! What each handler does with its cell, as a template: `{d} = i32.add {a}, {b}`.
//!
//! A cell says what it is by the address of its handler alone, so this lists every handler that the translator may ask for, by
//! asking in the same way. What stands in braces is filled in from the cell's fields by `render`. Two handlers
//! that do the same may be one function in a build; then their templates are all given.

use std::collections::HashMap;
use std::sync::OnceLock;

use wasmr_core::op::{Op, OpInfo, Shape};
use wasmr_core::types::ValType;

use crate::execute::builtin::builtin;
use crate::execute::dispatch::{Handler, handler_word};
use crate::execute::memory::{self, StoreValue};
use crate::execute::numeric::{Dst, Form};
use crate::execute::operand::{Acc, Imm, SlotA, SlotD};
use crate::execute::{bulk_memory, call, control, frame, fuel, fused, reference, rows, simd, table, variable};

/// The templates of the handler that a cell starts with; none if no cell does.
pub fn templates(handler: u64) -> &'static [String] {
    static ALL: OnceLock<HashMap<u64, Vec<String>>> = OnceLock::new();
    let all = ALL.get_or_init(|| {
        let mut list = List::default();
        Op::ALL.iter().for_each(|&op| list.row(op));
        list.fused();
        list.memory();
        list.moves();
        list.control();
        list.calls();
        list.other();
        list.0
    });
    all.get(&handler).map_or(&[], Vec::as_slice)
}

/// The accumulator of a type.
fn acc(ty: ValType) -> &'static str {
    if matches!(ty, ValType::F32 | ValType::F64) { "facc" } else { "acc" }
}

/// The constant in a cell, of a type.
fn imm(ty: ValType) -> &'static str {
    match ty {
        ValType::F32 => "{imm.f32}",
        ValType::F64 => "{w2.f64}",
        _ => "{imm}",
    }
}

/// Where a result goes: to its accumulator only, or to a slot too.
fn destination(index: usize, ty: ValType) -> &'static str {
    if index == Dst::Acc as usize { acc(ty) } else { "{d}" }
}

/// An address operand in slot `a` or the accumulator.
fn address(in_acc: bool) -> &'static str {
    if in_acc { "acc" } else { "{a}" }
}

const BOTH: [bool; 2] = [false, true];

/// Where a checked access is.
const CHECKED: &str = "{object}[{a} + {w2.unsigned}]";

/// Operand forms, with what stands left and right.
fn forms(ty: ValType) -> [(Form, String); 8] {
    let (acc, imm) = (acc(ty), imm(ty));
    let wide = if ty == ValType::F64 { "{w2.f64}" } else { "{w2}" };
    [
        (Form::SlotSlot, "{a}, {b}".to_owned()),
        (Form::SlotImm, format!("{{a}}, {imm}")),
        (Form::AccSlot, format!("{acc}, {{b}}")),
        (Form::AccImm, format!("{acc}, {imm}")),
        (Form::SlotAcc, format!("{{a}}, {acc}")),
        (Form::ImmSlot, format!("{imm}, {{a}}")),
        (Form::SlotWide, format!("{{a}}, {wide}")),
        (Form::AccWide, format!("{acc}, {wide}")),
    ]
}

/// Forms of branches on comparisons: operands one field further left, as there is no destination.
fn branch_forms(ty: ValType) -> [(Form, String); 6] {
    let acc = acc(ty);
    [
        (Form::SlotSlot, "{d}, {a}".to_owned()),
        (Form::SlotImm, "{d}, {a.imm}".to_owned()),
        (Form::AccSlot, format!("{acc}, {{a}}")),
        (Form::AccImm, format!("{acc}, {{a.imm}}")),
        (Form::SlotWide, "{d}, {w2}".to_owned()),
        (Form::AccWide, format!("{acc}, {{w2}}")),
    ]
}

/// `if` or `unless` a condition holds.
fn when(wanted: bool) -> &'static str {
    if wanted { "if" } else { "unless" }
}

/// The templates by handler.
#[derive(Default)]
struct List(HashMap<u64, Vec<String>>);

impl List {
    fn add(&mut self, handler: Handler, template: impl Into<String>) {
        let (template, known) = (template.into(), self.0.entry(handler_word(handler)).or_default());
        if !known.contains(&template) {
            known.push(template);
        }
    }

    /// Handlers by destination: of the accumulator only, of a slot as well.
    fn add_both(&mut self, handlers: [Handler; 2], ty: ValType, what: &str) {
        for (index, handler) in handlers.into_iter().enumerate() {
            self.add(handler, format!("{} = {what}", destination(index, ty)));
        }
    }

    /// The handlers of an operator of core's table.
    fn row(&mut self, op: Op) {
        let &OpInfo { name, shape, operands, result, .. } = op.info();
        let result = result.unwrap_or(ValType::I32);
        match shape {
            Shape::Unary => {
                for from_acc in BOTH {
                    let operand = if from_acc { acc(operands[0]) } else { "{a}" };
                    self.add_both(rows::unary_handlers(op, from_acc), result, &format!("{name} {operand}"));
                }
            }
            Shape::Binary => {
                for (form, operands) in forms(operands[0]) {
                    self.add_both(rows::binary_handlers(op, form), result, &format!("{name} {operands}"));
                }
            }
            Shape::Compare => self.comparison(op, name, operands[0]),
            Shape::VectorUnary | Shape::VectorTest | Shape::Splat => {
                self.add(rows::vector_handler(op), format!("{{d}} = {name} {{a}}"));
            }
            Shape::VectorBinary | Shape::Shift => {
                self.add(rows::vector_handler(op), format!("{{d}} = {name} {{a}}, {{b}}"));
            }
            Shape::VectorTernary => self.add(rows::vector_handler(op), format!("{{d}} = {name} {{a}}, {{b}}, {{x}}")),
            Shape::ExtractLane => self.add(rows::vector_handler(op), format!("{{d}} = {name} {{a}}, lane {{b.imm}}")),
            Shape::ReplaceLane => {
                self.add(rows::vector_handler(op), format!("{{d}} = {name} {{a}}, lane {{x.imm}}, {{b}}"));
            }
            Shape::Load => {
                for from_acc in BOTH {
                    let at = address(from_acc);
                    let plain = format!("{name} [{at} + {{imm.unsigned}}]");
                    self.add_both(rows::load_handlers(op, from_acc), result, &plain);
                    let indexed = format!("{name} [{at} + {{b}} + {{x.unsigned}}]");
                    self.add_both(rows::load_indexed_handlers(op, from_acc), result, &indexed);
                    let displaced = format!("{name} [(i32.add {at}, {{imm}}) + {{w2}}]");
                    self.add_both(rows::load_displaced_handlers(op, from_acc), result, &displaced);
                }
                for is64 in BOTH {
                    self.add(rows::load_checked_handler(op, is64), format!("{{d}} = {name} {CHECKED}"));
                }
            }
            Shape::Store => {
                let ty = operands[0];
                let constant = match ty {
                    ValType::F32 => "{w2.f32}",
                    ValType::F64 => "{w2.f64}",
                    _ => "{w2}",
                };
                for from_acc in BOTH {
                    let store = format!("{name} [{} + {{imm.unsigned}}]", address(from_acc));
                    self.add(rows::store_handler(op, from_acc, StoreValue::Slot), format!("{store}, {{d}}"));
                    self.add(rows::store_handler(op, from_acc, StoreValue::Acc), format!("{store}, {}", acc(ty)));
                    self.add(rows::store_handler(op, from_acc, StoreValue::Imm), format!("{store}, {constant}"));
                }
                for is64 in BOTH {
                    self.add(rows::store_checked_handler(op, is64), format!("{name} {CHECKED}, {{d}}"));
                }
            }
            Shape::VectorLoad | Shape::VectorStore => {
                let (result, operand) = if shape == Shape::VectorLoad { ("{d} = ", "") } else { ("", ", {d}") };
                for from_acc in BOTH {
                    let at = address(from_acc);
                    let access = format!("{result}{name} [{at} + {{imm.unsigned}}]{operand}");
                    self.add(rows::vector_memory_handler(op, from_acc), access);
                }
                for is64 in BOTH {
                    let access = format!("{result}{name} {CHECKED}{operand}");
                    self.add(rows::vector_memory_checked_handler(op, is64), access);
                }
            }
            Shape::LoadLane | Shape::StoreLane => {
                let result = if shape == Shape::LoadLane { "{d} = " } else { "" };
                for is64 in BOTH {
                    let access = format!("{result}{name} {CHECKED}, {{w3.low.slot}}, lane {{w3.high}}");
                    self.add(rows::lane_handler(op, is64), access);
                }
            }
        }
    }

    fn comparison(&mut self, op: Op, name: &str, ty: ValType) {
        // Comparisons have no forms with the accumulator or a constant on the left.
        for (form, operands) in forms(ty) {
            if !matches!(form, Form::SlotAcc | Form::ImmSlot) {
                self.add_both(rows::compare_handlers(op, form), ValType::I32, &format!("{name} {operands}"));
            }
        }
        for (form, operands) in branch_forms(ty) {
            for wanted in BOTH {
                let branch = format!("br {{to}} {} {name} {operands}", when(wanted));
                self.add(rows::branch_handler(op, form, wanted), branch);
            }
        }
        for (slot, bound) in [(false, "{w2.high.i32}"), (true, "{w2.high.slot}")] {
            for wanted in BOTH {
                if let Some(handler) = rows::count_and_branch_handler(op, slot, wanted) {
                    let (sum, when) = ("{d} = i32.add {a}, {w2.low.i32}", when(wanted));
                    self.add(handler, format!("{sum}; br {{to}} {when} {name} {{d}}, {bound}"));
                }
            }
        }
    }

    /// Handlers of pairs of operators, but for those in the row of one of them.
    fn fused(&mut self) {
        for from_acc in BOTH {
            let from = if from_acc { "acc" } else { "{b}" };
            let scaled = format!("i32.add {{a}}, (i32.shl {from}, {{x.imm}})");
            self.add_both(fused::add_scaled_handlers(from_acc), ValType::I32, &scaled);
            let from = address(from_acc);
            let field = format!("i32.and (i32.shr_u {from}, {{b.imm}}), {{x.unsigned}}");
            self.add_both(fused::bit_field_handlers(from_acc), ValType::I32, &field);
        }
    }

    fn memory(&mut self) {
        self.add(memory::memory_size, "{d} = memory.size {object}");
    }

    fn moves(&mut self) {
        self.add(simd::shuffle, "{d} = i8x16.shuffle {a}, {b}, {w2.lanes}");
        self.add(variable::copy, "{d} = {a}");
        self.add(variable::copy_v128, "{d} = {a}, v128");
        self.add(variable::copy_pair, "{d} = {a}; {d+1} = {b}");
        self.add(variable::copy_two, "{d} = {a}; {b} = {x}");
        self.add(variable::copy_far, "{w2.slot} = {w1.slot}, {w3.unsigned} slots");
        self.add(variable::constant, "{d} = {imm.bits}");
        self.add(variable::constant_wide, "{d} = {w2.bits}");
        self.add(variable::constant_v128, "{d} = {w2.bits}, {w3.bits}");
        for imported in BOTH {
            for (float, ty) in [(false, ValType::I64), (true, ValType::F64)] {
                self.add_both(variable::global_get_handlers(float, imported), ty, "{object}");
                for from_acc in BOTH {
                    let value = if from_acc { acc(ty) } else { "{a}" };
                    self.add(variable::global_set_handler(float, imported, from_acc), format!("{{object}} = {value}"));
                }
            }
        }
        self.add(variable::global_get_v128, "{d} = {object}, v128");
        self.add(variable::global_get_imported_v128, "{d} = {object}, v128");
        self.add(variable::global_set_v128, "{object} = {a}, v128");
        self.add(variable::global_set_imported_v128, "{object} = {a}, v128");
        self.add_both(fused::GLOBAL_PLUS, ValType::I32, "i32.add {object}, {w2.low.i32}");
        for from_acc in BOTH {
            let sum = format!("{{object}} = i32.add {}, {{w2.low.i32}}", address(from_acc));
            self.add(fused::set_global_plus_handler(from_acc), sum);
            let condition = if from_acc { "acc" } else { "{x}" };
            for (float, ty) in [(false, ValType::I64), (true, ValType::F64)] {
                let select = format!("select {{a}}, {{b}} on {condition}");
                self.add_both(variable::select_handlers(float, from_acc), ty, &select);
            }
        }
        self.add(variable::select_v128, "{d} = select {a}, {b} on {x}, v128");
    }

    fn control(&mut self) {
        for slots in 0..=17 {
            let enter = match slots {
                0 => "enter, {low.slots}",
                _ => "enter, {low.slots}, {imm} to zero",
            };
            self.add(frame::enter_handler(slots), enter);
        }
        self.add(control::br, "br {to}");
        for wanted in BOTH {
            for from_acc in BOTH {
                let operand = if from_acc { "acc" } else { "{d}" };
                let when = when(wanted);
                self.add(control::br_if_handler(from_acc, wanted), format!("br {{to}} {when} {operand}"));
                self.add(control::br_if_i64_handler(from_acc, wanted), format!("br {{to}} {when} i64 {operand}"));
                for (imm, other) in [(false, "{a}"), (true, "{a.imm}")] {
                    let handler = control::br_if_and_handler(from_acc, imm, wanted);
                    self.add(handler, format!("br {{to}} {when} i32.and {operand}, {other}"));
                }
            }
        }
        self.add(control::br_table::<SlotD>, "br_table {d}{bias} to {table}");
        self.add(control::br_table::<Acc>, "br_table acc{bias} to {table}");
        self.add(control::return_plain, "return");
        self.add(control::return_value::<i64, Acc>, "return acc");
        self.add(control::return_value::<f64, Acc>, "return facc");
        self.add(control::return_value::<i32, Imm>, "return {imm}");
        self.add(control::return_value::<i64, Imm>, "return {imm}");
        self.add(control::return_value::<i64, SlotA>, "return {a}");
        self.add(control::return_value::<f64, SlotA>, "return {a}");
        self.add(control::unreachable, "unreachable");
    }

    fn calls(&mut self) {
        self.add(call::call_defined, "call {object}, its frame at {low.slot}");
        self.add(call::call_imported, "call {object}, its frame at {low.slot}");
        for (from_acc, index) in [(false, "{w2.field}"), (true, "acc")] {
            let text = format!("call_indirect {{object}}[{index}] {{w2.type}}, its frame at {{low.slot}}");
            self.add(call::call_indirect_handler(from_acc), text);
        }
        self.add(call::call_indirect_64, "call_indirect {object}[{w2.field}] {w2.type}, its frame at {low.slot}");
        self.add(call::call_ref, "call_ref {w2.field}, its frame at {low.slot}");
        let arguments = "{imm} argument slots from {low.slot}";
        self.add(call::return_call_defined, format!("return_call {{w3.object}}, {arguments}"));
        self.add(call::return_call_imported, format!("return_call {{w3.object}}, {arguments}"));
        for handler in [call::return_call_indirect::<false> as Handler, call::return_call_indirect::<true>] {
            self.add(handler, format!("return_call_indirect {{w3.object}}[{{w4.slot}}] {{w3.type}}, {arguments}"));
        }
        self.add(call::return_call_ref, format!("return_call_ref {{w3.slot}}, {arguments}"));
    }

    fn other(&mut self) {
        self.add(fuel::charge, "charge {w1.unsigned}");
        self.add(fuel::charge_by_size, "charge {a} >> {imm}");
        for handler in [builtin::<4>, bulk_memory::memory_fill, bulk_memory::memory_copy] {
            self.add(handler, "{builtin}");
        }
        self.add(reference::ref_as_non_null, "{d} = ref.as_non_null {a}");
        self.add(table::table_get, "{d} = table.get {object}[{a}]");
        self.add(table::table_set, "table.set {object}[{a}], {d}");
        self.add(table::table_size, "{d} = table.size {object}");
    }
}
