//! The forms of a function as lines of text, each with the operators that it came from. Text and HTML output start from here.
//!
//! In: the engine's [`Explored`]. Out: a [`View`]. Names are demangled and escaped for a terminal, but not for HTML.

use clap::ValueEnum;
use wasmr::symbol::printable;
use wasmr_core::count::Count;
use wasmr_core::type_text::TypeText;
use wasmr_engine::explore::{BaselineListing, CELLS_LEGEND, ClifLine, Explored, Place, Reference};
use wasmr_module::ExtendedNames;
use wasmr_module::Module;

use super::find::name_of;
use super::machine;
use crate::cli::flags::Form;

/// A function to show.
pub struct View {
    /// Index and name of the function.
    pub title: String,
    /// Facts about the whole function: size, type, locals.
    pub facts: Vec<String>,
    /// The forms, in the order in which the engine makes them.
    pub sections: Vec<Section>,
}

/// One form of a function.
pub struct Section {
    pub form: Form,
    /// Remarks about the form, or the reason why it does not exist.
    pub notes: Vec<String>,
    pub lines: Vec<Line>,
}

/// A line of a form.
#[derive(Default)]
pub struct Line {
    /// Offsets in the module of the operators that the line came from, the principal one last. For inlined code, the offset of the
    /// call.
    pub origins: Vec<usize>,
    /// Label by which other lines refer to this one.
    pub label: String,
    pub text: String,
    /// Remark after the text.
    pub remark: String,
}

/// Lays out the forms in `forms`, or all if it is empty.
pub fn view(module: &Module, explored: &Explored, forms: &[Form]) -> View {
    let name = |index| name_of(module, index);
    let index = explored.func_index;
    let named = name(index).map(|name| format!(" `{name}`")).unwrap_or_default();
    let (offset, bytes) = explored.body;
    let mut facts = vec![
        format!("{}: {bytes} bytes at {offset:#x}", printable(module.name())),
        TypeText::with_names(module.registry(), &ExtendedNames::read(module)).func_type(module.func_type(index)),
    ];
    if !explored.locals.is_empty() {
        let groups = explored.locals.iter().map(|(count, ty)| match count {
            1 => ty.clone(),
            _ => format!("{count} {ty}"),
        });
        facts.push(format!("locals after the parameters: {}", groups.collect::<Vec<_>>().join(", ")));
    }
    let shown = Form::value_variants().iter().filter(|form| forms.is_empty() || forms.contains(form));
    let sections = shown.map(|&form| match form {
        Form::Wasm => wasm(explored, &name),
        Form::Interp => instructions(explored),
        Form::Baseline => baseline(explored, &name),
        Form::Clif | Form::Optimized | Form::Code => compiled(explored, form, &name),
    });
    View { title: format!("function {index}{named}"), facts, sections: sections.collect() }
}

fn wasm(explored: &Explored, name: &dyn Fn(u32) -> Option<String>) -> Section {
    let lines = explored.operators.iter().map(|operator| Line {
        origins: vec![operator.offset],
        label: String::new(),
        text: format!("{:1$}{2}", "", 2 * operator.depth as usize, operator.text),
        remark: operator.function.and_then(name).unwrap_or_default(),
    });
    Section { form: Form::Wasm, notes: Vec::new(), lines: lines.collect() }
}

fn instructions(explored: &Explored) -> Section {
    let (notes, lines) = match &explored.instructions {
        Err(why) => (vec![format!("not interpreted: {}", printable(why))], Vec::new()),
        Ok(listing) => {
            let size = format!("{}, {} of frame", Count(listing.words, "word"), Count(listing.frame_slots, "slot"));
            let regions = listing.regions.iter().map(|region| format!("exceptions {region}"));
            let legend = CELLS_LEGEND.map(str::to_owned);
            let notes = [size].into_iter().chain(legend).chain(regions).collect();
            let lines = listing.instructions.iter().map(|instruction| Line {
                origins: instruction.operators.clone(),
                label: format!("@{}", instruction.word),
                text: instruction.text.clone(),
                remark: String::new(),
            });
            (notes, lines.collect())
        }
    };
    Section { form: Form::Interp, notes, lines }
}

fn baseline(explored: &Explored, name: &dyn Fn(u32) -> Option<String>) -> Section {
    let (notes, lines) = match &explored.baseline {
        Err(why) => (vec![format!("no baseline code: {}", printable(why))], Vec::new()),
        Ok(listing) => {
            let size = format!("{} bytes of code, {} of constants", listing.code.len(), listing.constants.1.len());
            (vec![size].into_iter().chain(BASELINE_LEGEND.map(str::to_owned)).collect(), baseline_lines(listing, name))
        }
    };
    Section { form: Form::Baseline, notes, lines }
}

/// Meaning of registers and labels in baseline code.
const BASELINE_LEGEND: [&str; 2] = [
    "call: is where baseline code of callers enters, @8: where handlers enter at word 8 of the interpreter code",
    "rsi is the frame, rdx memory 0, rcx the instance; r8 and xmm0 are the accumulators at entries and exits",
];

fn baseline_lines(listing: &BaselineListing, name: &dyn Fn(u32) -> Option<String>) -> Vec<Line> {
    let starts: Vec<u32> = listing.pieces.iter().map(|piece| piece.start).collect();
    let mut lines = Vec::new();
    let instructions = machine::disassemble(&listing.code, &starts).into_iter();
    for instruction in instructions.filter(|instruction| instruction.offset >= listing.call_entry) {
        let call = (instruction.offset == listing.call_entry).then(|| "call:".to_owned());
        let entries = listing.entries_at(instruction.offset).map(|word| format!("@{word}:"));
        lines.extend(call.into_iter().chain(entries).map(|text| Line { text, ..Line::default() }));
        let reference = listing.reference(instruction.end);
        let text = match reference {
            // It takes the place of the last operand.
            Some(reference) => {
                let before = instruction.text.rfind(' ').map_or(0, |at| at + 1);
                format!("{}{reference}", &instruction.text[..before])
            }
            None => instruction.text,
        };
        let remark = match reference {
            Some(Reference::CallStub(func)) => name(func).unwrap_or_default(),
            _ => String::new(),
        };
        let piece = listing.piece(instruction.offset);
        let origins = piece.map(|piece| piece.operators.clone()).unwrap_or_default();
        lines.push(Line { origins, label: format!("{:x}", instruction.offset), text, remark });
    }
    let (offset, bytes) = &listing.constants;
    lines.extend(machine::constants(*offset, bytes).map(|constant| Line {
        label: format!("{:x}", constant.offset),
        text: constant.text,
        ..Line::default()
    }));
    lines
}

fn compiled(explored: &Explored, form: Form, name: &dyn Fn(u32) -> Option<String>) -> Section {
    let compiled = match &explored.compiled {
        Ok(compiled) => compiled,
        Err(why) => {
            return Section { form, notes: vec![format!("not compiled: {}", printable(why))], lines: Vec::new() };
        }
    };
    let located = |places: &[Place]| -> (Vec<usize>, String) {
        // The outermost place is usually one of the function's own operators. A place in another function is no origin.
        let own = places.last().filter(|place| place.func_index == explored.func_index);
        let remark = match places {
            [inner, _, ..] => {
                let name = name(inner.func_index).unwrap_or_default();
                format!("{name}[{}] at {:#x}", inner.func_index, inner.offset)
            }
            _ => String::new(),
        };
        (own.map(|place| place.offset).into_iter().collect(), remark)
    };
    let of_clif = |lines: &[ClifLine]| -> Vec<Line> {
        let line = |line: &ClifLine| {
            let (origins, remark) = located(&line.places);
            Line { origins, label: String::new(), text: line.text.clone(), remark }
        };
        // The labels of blocks separate them, so empty lines are left out.
        lines.iter().filter(|line| !line.text.is_empty()).map(line).collect()
    };
    let (notes, lines) = match form {
        Form::Optimized => (Vec::new(), of_clif(&compiled.optimized)),
        Form::Code => {
            let starts: Vec<u32> = compiled.places.iter().map(|(at, _)| *at).collect();
            let lines = machine::disassemble(&compiled.code, &starts).into_iter().map(|instruction| {
                let after = compiled.places.partition_point(|(at, _)| *at <= instruction.offset);
                let places = after.checked_sub(1).map_or(&[][..], |index| &compiled.places[index].1);
                let (origins, remark) = if instruction.is_data { Default::default() } else { located(places) };
                Line { origins, label: format!("{:x}", instruction.offset), text: instruction.text, remark }
            });
            (vec![format!("{} bytes, without the addresses of other functions", compiled.code.len())], lines.collect())
        }
        _ => (Vec::new(), of_clif(&compiled.clif)),
    };
    Section { form, notes, lines }
}
