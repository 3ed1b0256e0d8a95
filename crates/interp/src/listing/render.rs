//! Fills the template of a handler in from the fields of a cell.
//!
//! A place in braces is a field, and behind dots which part of it and as what it is read: `{a}` a slot, `{imm}` a number,
//! `{w2.high.slot}` the upper half of word 2 as a slot, `{d+1}` the slot behind `{d}`.

use std::fmt::Write;

use wasmr_core::count::Count;
use wasmr_module::{Builtin, BuiltinCall, Module};
use wasmr_runtime::vm::VmLayout;

use crate::translate::origins::Slots;

/// What cells of a function are shown with.
pub struct Context<'a> {
    /// The module.
    pub module: &'a Module,
    /// How its instances are laid out.
    pub layout: &'a VmLayout,
    /// What the slots are.
    pub slots: &'a Slots,
}

/// A cell to be shown.
#[derive(Clone, Copy)]
pub struct Cell<'a> {
    /// Its first word in the code.
    pub at: usize,
    /// Its words.
    pub words: &'a [u64],
}

/// A template with its places filled in.
pub fn render(template: &str, cell: Cell<'_>, context: &Context<'_>) -> String {
    let mut out = String::new();
    let mut rest = template;
    while let Some((before, behind)) = rest.split_once('{') {
        let (place, behind) = behind.split_once('}').unwrap_or((behind, ""));
        out.push_str(before);
        out.push_str(&fill(place, cell, context));
        rest = behind;
    }
    out.push_str(rest);
    out
}

fn fill(place: &str, cell: Cell<'_>, context: &Context<'_>) -> String {
    let mut parts = place.split('.');
    let field = parts.next().unwrap_or_default();
    let (field, further) = match field.split_once('+') {
        Some((field, further)) => (field, further.parse().unwrap_or(0)),
        None => (field, 0),
    };
    let word = |n: usize| cell.words.get(n).copied().unwrap_or(0);
    let narrow = |n: usize| Some((i64::from((word(1) >> (16 * n)) as i16), "slot"));
    // The value, sign-extended, and as what it is read unless the place says so.
    let of_field = match field {
        "d" => narrow(0),
        "a" => narrow(1),
        "b" => narrow(2),
        "x" => narrow(3),
        "imm" => Some((i64::from((word(1) >> 32) as i32), "imm")),
        "low" => Some((i64::from(word(1) as u32), "imm")),
        "w1" => Some((word(1) as i64, "imm")),
        "w2" => Some((word(2) as i64, "imm")),
        "w3" => Some((word(3) as i64, "imm")),
        "w4" => Some((word(4) as i64, "imm")),
        "to" => Some((i64::from((word(1) >> 32) as i32), "to")),
        "object" => Some((i64::from((word(1) >> 32) as i32), "object")),
        _ => None,
    };
    let Some((mut value, mut kind)) = of_field else {
        return match field {
            "bias" => {
                if word(2) == 0 {
                    String::new()
                } else {
                    format!(" + {}", word(2) as i32)
                }
            }
            "table" => table(cell),
            "builtin" => builtin(cell, context).unwrap_or_else(|| place.to_owned()),
            _ => place.to_owned(),
        };
    };
    value += further;
    for part in parts {
        match part {
            "low" => (value, kind) = (i64::from(value as u32), "imm"),
            "high" => (value, kind) = (i64::from((value as u64 >> 32) as u32), "imm"),
            other => kind = other,
        }
    }
    let narrow_field = ["d", "a", "b", "x"].contains(&field);
    match kind {
        "slot" => context.slots.name(value as i32),
        // The first field of that word.
        "field" => context.slots.name(i32::from(value as i16)),
        "slots" => Count(value as u32, "slot").to_string(),
        "unsigned" if narrow_field => (value as u16).to_string(),
        "unsigned" if field == "imm" => (value as u32).to_string(),
        "unsigned" => (value as u64).to_string(),
        "bits" if field == "imm" => bits(u64::from(value as u32)),
        "bits" => bits(value as u64),
        "i32" => (value as i32).to_string(),
        "f32" => float(f64::from(f32::from_bits(value as u32)), format!("{:?}", f32::from_bits(value as u32))),
        "f64" => float(f64::from_bits(value as u64), format!("{:?}", f64::from_bits(value as u64))),
        "lanes" => {
            let lanes = [word(2), word(3)].iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<_>>();
            lanes.iter().map(u8::to_string).collect::<Vec<_>>().join(" ")
        }
        "to" => format!("@{}", cell.at as i64 + value),
        "object" => object(context, value as u32).unwrap_or_else(|| format!("instance+{value:#x}")),
        "type" => {
            let number = (value as u64 >> 32) as u32;
            let index = (0..context.module.type_count()).find(|&index| context.module.type_id(index).0 == number);
            index.map_or_else(|| format!("(type of the engine {number})"), |index| format!("(type {index})"))
        }
        _ => value.to_string(),
    }
}

/// A value whose type the cell does not know.
fn bits(value: u64) -> String {
    if value < 1 << 16 { value.to_string() } else { format!("{value:#x}") }
}

/// What has no shortest decimal is shown by its bits.
fn float(value: f64, shown: String) -> String {
    if value.is_nan() { "nan".to_owned() } else { shown }
}

/// The targets of a `br_table`, the default last.
fn table(cell: Cell<'_>) -> String {
    let count = (cell.words.get(1).copied().unwrap_or(0) >> 32) as usize;
    let halves = cell.words.iter().skip(3).flat_map(|word| [*word as u32 as i32, (word >> 32) as i32]);
    let mut out = String::new();
    for distance in halves.take(count + 1) {
        let separator = if out.is_empty() { "" } else { " " };
        // Writing to a string does not fail.
        let _ = write!(out, "{separator}@{}", cell.at as i64 + i64::from(distance));
    }
    out
}

/// An operator that the runtime executes: its result, name, immediates and operands.
fn builtin(cell: Cell<'_>, context: &Context<'_>) -> Option<String> {
    let (word1, immediates) = (*cell.words.get(1)?, *cell.words.get(3)?);
    let builtin = *Builtin::ALL.get(word1 as u32 as usize)?;
    let call = BuiltinCall { builtin, immediates };
    let slot = |n: usize| context.slots.name((word1 >> 32) as i32 + n as i32);
    let (_, slots) = call.operand_counts(context.module);
    let halves = [immediates as u32, (immediates >> 32) as u32];
    let immediates = halves.iter().take(builtin.immediate_count()).map(u32::to_string);
    let words: Vec<String> = immediates.chain((0..slots).map(slot)).collect();
    let results: Vec<String> = (0..call.results(context.module).len()).map(slot).collect();
    let equals = if results.is_empty() { "" } else { " = " };
    Some(format!("{}{equals}{} {}", results.join(", "), builtin.name(), words.join(", ")))
}

/// What stands at an offset of an instance.
fn object(context: &Context<'_>, offset: u32) -> Option<String> {
    let Context { module, layout, .. } = context;
    let imported_globals = module.imported_global_count();
    let imported_funcs = module.imported_func_count();
    let globals = module.globals().len() as u32;
    let (tables, memories) = (module.tables().len() as u32, module.memories().len() as u32);
    type Place = fn(&VmLayout, u32) -> u32;
    let kinds: [(&str, Place, u32, u32); 6] = [
        ("func", VmLayout::imported_func, 0, imported_funcs),
        ("global", VmLayout::imported_global, 0, imported_globals),
        ("table", VmLayout::table, 0, tables),
        ("memory", VmLayout::memory, 0, memories),
        ("global", VmLayout::defined_global, imported_globals, globals - imported_globals),
        ("func", VmLayout::defined_func, imported_funcs, module.defined_func_count()),
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
    use std::sync::Arc;
    use wasmr_core::registry::TypeRegistry;
    use wasmr_module::Features;

    fn shown(template: &str, words: &[u64]) -> String {
        let bytes = wat::parse_str(
            r#"(module (import "" "" (func)) (import "" "" (global i32)) (memory 1) (memory 1) (global i32 (i32.const 0)) (func))"#,
        );
        let types = Arc::new(TypeRegistry::new());
        let module = Module::new(bytes.unwrap().into(), "m", &Features::default(), &types, 1).unwrap();
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
        render(template, Cell { at: 100, words: &words }, &context)
    }

    #[test]
    fn fields_are_cut_out_of_words() {
        let word1 = 4 | (-6i16 as u16 as u64) << 16 | (1 << 32) | (0xffff << 48);
        assert_eq!(shown("{d} = x {a}, {b}, {d+1}", &[0, word1]), "t0 = x r0, s1, t1");
        assert_eq!(shown("{x.imm} {x.unsigned} {imm} {imm.unsigned}", &[0, word1]), "-1 65535 -65535 4294901761");
        assert_eq!(shown("{w2.low.i32} {w2.high.slot} {w2.high}", &[0, 0, 0x5_ffff_fffe]), "-2 t1 5");
        assert_eq!(
            shown("{w2} {w2.unsigned} {w2.bits}", &[0, 0, u64::MAX]),
            "-1 18446744073709551615 0xffffffffffffffff"
        );
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
    fn branches_lead_to_cells() {
        assert_eq!(shown("br {to}", &[0, (-10i32 as u32 as u64) << 32]), "br @90");
        let table = [0, 2 << 32, 0, 5 | 7 << 32, 9];
        assert_eq!(shown("br_table acc{bias} to {table}", &table), "br_table acc to @105 @107 @109");
        assert_eq!(shown("{bias}", &[0, 0, -3i32 as u32 as u64]), " + -3");
    }
}
