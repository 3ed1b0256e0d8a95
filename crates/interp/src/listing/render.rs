//! Fills the text of an instruction in from its fields.

use std::fmt::Write;

use wasmr_core::count::Count;
use wasmr_module::{Builtin, BuiltinCall, Module};
use wasmr_runtime::vm::VmLayout;

use crate::instr::field::{Field, Kind};
use crate::instr::{Part, parts};
use crate::translate::provenance::Slots;

/// The declarations and layouts by which fields of a function's instructions are named.
pub(crate) struct Context<'a> {
    /// Module of the function.
    pub(crate) module: &'a Module,
    /// Layout of the module's instances.
    pub(crate) layout: &'a VmLayout,
    /// Names of the slots.
    pub(crate) slots: &'a Slots,
}

/// An instruction to be shown.
#[derive(Clone, Copy)]
pub(crate) struct Instruction<'a> {
    /// First code word.
    pub(crate) at: usize,
    /// Words of the instruction.
    pub(crate) words: &'a [u64],
}

/// Returns a text with its fields filled in.
pub(crate) fn render(text: &str, instruction: Instruction<'_>, context: &Context<'_>) -> String {
    let mut out = String::new();
    for part in parts(text) {
        match part {
            Part::Words(words) => out.push_str(words),
            Part::Field(field) => out.push_str(&fill(field, instruction, context)),
        }
    }
    out
}

fn fill(field: Field, instruction: Instruction<'_>, context: &Context<'_>) -> String {
    let value = field.value(instruction.words);
    match field.kind {
        Kind::Slot => context.slots.name(value as i32),
        Kind::Slots => Count(value as u32, "slot").to_string(),
        Kind::Int => value.to_string(),
        Kind::Uint => (value as u64).to_string(),
        Kind::Bits => bits(value as u64),
        Kind::F32 => float(f64::from(f32::from_bits(value as u32)), format!("{:?}", f32::from_bits(value as u32))),
        Kind::F64 => float(f64::from_bits(value as u64), format!("{:?}", f64::from_bits(value as u64))),
        Kind::Lanes => {
            let words = instruction.words.iter().skip(field.word as usize).take(2);
            words.flat_map(|word| word.to_le_bytes()).map(|lane| lane.to_string()).collect::<Vec<_>>().join(" ")
        }
        Kind::Target => format!("@{}", instruction.at as i64 + value),
        Kind::Object => object(context, value as u32).unwrap_or_else(|| format!("instance+{value:#x}")),
        Kind::Type => {
            let index = (0..context.module.type_count()).find(|&index| context.module.type_id(index).0 == value as u32);
            index.map_or_else(|| format!("(type of the engine {value})"), |index| format!("(type {index})"))
        }
        Kind::Bias if value == 0 => String::new(),
        Kind::Bias => format!(" + {value}"),
        Kind::Table => table(instruction),
        Kind::Builtin => builtin(instruction, context).unwrap_or_else(|| "builtin".to_owned()),
        Kind::Hidden => String::new(),
    }
}

/// Returns a value whose type the instruction does not know.
fn bits(value: u64) -> String {
    if value < 1 << 16 { value.to_string() } else { format!("{value:#x}") }
}

/// Returns a float as `shown`, or `nan`.
fn float(value: f64, shown: String) -> String {
    if value.is_nan() { "nan".to_owned() } else { shown }
}

/// Returns the targets of a `br_table`, the default last.
fn table(instruction: Instruction<'_>) -> String {
    let count = (instruction.words.get(1).copied().unwrap_or(0) >> 32) as usize;
    let halves = instruction.words.iter().skip(3).flat_map(|word| [*word as u32 as i32, (word >> 32) as i32]);
    let mut out = String::new();
    for distance in halves.take(count + 1) {
        let separator = if out.is_empty() { "" } else { " " };
        // Writing to a string does not fail.
        let _ = write!(out, "{separator}@{}", instruction.at as i64 + i64::from(distance));
    }
    out
}

/// Returns a libcall: results, name, immediates and operands.
fn builtin(instruction: Instruction<'_>, context: &Context<'_>) -> Option<String> {
    let (word1, immediates) = (*instruction.words.get(1)?, *instruction.words.get(3)?);
    let builtin = *Builtin::ALL.get(word1 as u32 as usize)?;
    let call = BuiltinCall { builtin, immediates };
    let slot = |n: usize| context.slots.name((word1 >> 32) as i32 + n as i32);
    let (_, slots) = call.operand_counts(context.module);
    let words: Vec<String> = call.immediates_text().into_iter().chain((0..slots).map(slot)).collect();
    let results: Vec<String> = (0..call.results(context.module).len()).map(slot).collect();
    let equals = if results.is_empty() { "" } else { " = " };
    Some(format!("{}{equals}{} {}", results.join(", "), builtin.name(), words.join(", ")))
}

/// Returns the name of the object at an offset of an instance.
fn object(context: &Context<'_>, offset: u32) -> Option<String> {
    let Context { module, layout, .. } = context;
    let imported_globals = module.imported_global_count();
    let imported_funcs = module.imported_func_count();
    let globals = module.globals().len() as u32;
    let (tables, memories) = (module.tables().len() as u32, module.memories().len() as u32);
    type Place = fn(&VmLayout, u32) -> u32;
    let descriptors = if module.has_objects() { module.type_count() } else { 0 };
    let kinds: [(&str, Place, u32, u32); 7] = [
        ("func", VmLayout::imported_func, 0, imported_funcs),
        ("global", VmLayout::imported_global, 0, imported_globals),
        ("table", VmLayout::table, 0, tables),
        ("memory", VmLayout::memory, 0, memories),
        ("global", VmLayout::defined_global, imported_globals, globals - imported_globals),
        ("func", VmLayout::defined_func, imported_funcs, module.defined_func_count()),
        ("type", VmLayout::descriptor, 0, descriptors),
    ];
    kinds.iter().find_map(|&(kind, place, first, count)| {
        let distance = offset.checked_sub(place(layout, 0))?;
        let step = place(layout, 1) - place(layout, 0);
        let index = distance / step;
        (distance.is_multiple_of(step) && index < count).then(|| format!("{kind} {}", first + index))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_program::module;

    fn shown(template: &str, words: &[u64]) -> String {
        let module = module(
            r#"(module (import "" "" (func)) (import "" "" (global i32)) (memory 1) (memory 1) (global i32 (i32.const 0)) (func))"#,
        );
        let layout = VmLayout::for_module(&module);
        let slots = Slots { locals: Vec::new(), operands: 4, arguments: -6, scratch: 2 };
        let objects = [
            layout.imported_func(0),
            layout.defined_func(0),
            layout.imported_global(0),
            layout.defined_global(0),
            layout.memory(1),
        ];
        let words: Vec<u64> = words
            .iter()
            .map(|&word| if word >> 32 == 77 { u64::from(objects[word as u32 as usize]) << 32 } else { word })
            .collect();
        let context = Context { module: &module, layout: &layout, slots: &slots };
        render(template, Instruction { at: 100, words: &words }, &context)
    }

    #[test]
    fn fields_are_cut_out_of_words() {
        let word1 = 4 | (-6i16 as u16 as u64) << 16 | (1 << 32) | (0xffff << 48);
        assert_eq!(shown("{d} = x {a}, {b}, {d+1}", &[0, word1]), "t0 = x r0, s1, t1");
        assert_eq!(shown("{x.int} {x.uint} {imm} {imm.uint}", &[0, word1]), "-1 65535 -65535 4294901761");
        assert_eq!(shown("{low2} {high2.slot} {high2}", &[0, 0, 0x5_ffff_fffe]), "-2 t1 5");
        assert_eq!(shown("{w2} {w2.uint} {w2.bits}", &[0, 0, u64::MAX]), "-1 18446744073709551615 0xffffffffffffffff");
        assert_eq!(shown("{w2.f64}", &[0, 0, 1.5f64.to_bits()]), "1.5");
        assert_eq!(shown("{imm.f32}", &[0, u64::from((-0.5f32).to_bits()) << 32]), "-0.5");
    }

    #[test]
    fn objects_of_the_instance_have_names() {
        let names = [0, 1, 2, 3, 4].map(|object| shown("{object}", &[0, 77 << 32 | object]));
        assert_eq!(names, ["func 0", "func 1", "global 0", "global 1", "memory 1"]);
        assert_eq!(shown("{object}", &[0, 3 << 32]), "instance+0x3");
    }

    #[test]
    fn branches_lead_to_instructions() {
        assert_eq!(shown("br {to}", &[0, (-10i32 as u32 as u64) << 32]), "br @90");
        let table = [0, 2 << 32, 0, 5 | 7 << 32, 9];
        assert_eq!(shown("br_table acc{bias} to {table}", &table), "br_table acc to @105 @107 @109");
        assert_eq!(shown("{bias}", &[0, 0, -3i32 as u32 as u64]), " + -3");
    }
}
