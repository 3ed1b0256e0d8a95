//! Translated code as text: a function's instructions, and the operators that each came from.
//!
//! A [`Source`] is translated for the purpose, and the text goes to the command line. Instructions are shown as they are
//! emitted, before any has [machine code](crate::machine_code). [`instr`](crate::instr) has the texts, `render` fills in the
//! fields; `baseline` has the machine code. Execution does not use listings.

mod baseline;
mod render;

use std::borrow::Cow;

use crate::instr::with_handler;
use crate::translate::provenance::provenance;
use crate::translate::{Source, TranslateError};
pub use baseline::{BaselineError, BaselineListing, CodePiece, Reference, list_baseline};
use render::{Context, Instruction, render};

/// Code of a function as text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing {
    /// Instructions, in order.
    pub instructions: Vec<InstructionText>,
    /// `try_table` regions with their catch clauses, inner ones first.
    pub regions: Vec<String>,
    /// Number of code words.
    pub words: usize,
    /// Number of slots of the frame after the header.
    pub frame_slots: u32,
}

/// An instruction as text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstructionText {
    /// First code word, by which branches name the instruction.
    pub word: usize,
    /// Text with all fields filled in.
    pub text: String,
    /// Offsets in the module of the operators that the instruction came from, in order. Only the function's first has none.
    pub operators: Vec<usize>,
}

/// Lists the code of a function. `name_of` gives the text of the operator at an offset. These texts distinguish instructions
/// whose handlers are one function in this build.
///
/// # Errors
/// If the function cannot be translated.
pub fn list(source: &Source<'_>, name_of: &dyn Fn(usize) -> Option<String>) -> Result<Listing, TranslateError> {
    let provenance = provenance(source)?;
    let context = Context { module: source.module, layout: source.layout, slots: &provenance.slots };
    let code = provenance.block.words.to_vec();
    let ends = provenance.instructions.iter().skip(1).map(|instruction| instruction.word).chain([code.len()]);
    let instructions = provenance.instructions.iter().zip(ends).map(|(traced, end)| {
        let names: Vec<String> = traced.operators.iter().filter_map(|&offset| name_of(offset)).collect();
        let instruction = Instruction { at: traced.word, words: &code[traced.word..end] };
        let text = match text_of(instruction.words, &names) {
            Some(text) => render(&text, instruction, &context),
            None => format!("an unknown instruction: {:x?}", &instruction.words[1..]),
        };
        InstructionText { word: traced.word, text, operators: traced.operators.clone() }
    });
    let regions = provenance.block.try_regions.iter().map(|region| {
        let catches: Vec<String> = region
            .catches
            .iter()
            .map(|catch| {
                let kind = match catch.tag {
                    Some(tag) => format!("tag {tag}"),
                    None => "everything".to_owned(),
                };
                let name = |slot| provenance.slots.name(slot);
                match catch.reference {
                    Some(reference) => format!(
                        "{kind} to @{}, values from {}, reference in {}",
                        catch.target,
                        name(catch.payload),
                        name(reference)
                    ),
                    None => format!("{kind} to @{}, values from {}", catch.target, name(catch.payload)),
                }
            })
            .collect();
        format!("@{} up to @{}: {}", region.range.start, region.range.end, catches.join("; "))
    });
    Ok(Listing {
        instructions: instructions.collect(),
        regions: regions.collect(),
        words: code.len(),
        frame_slots: provenance.block.frame_slots,
    })
}

/// Returns the text of the instruction with these words; if several instructions have the handler, the text that names most of
/// the operators.
fn text_of(words: &[u64], operators: &[String]) -> Option<Cow<'static, str>> {
    // In texts `if` stands before the condition of a branch.
    let named: Vec<&str> =
        operators.iter().filter_map(|operator| operator.split(' ').next()).filter(|name| *name != "if").collect();
    let rank = |text: &Cow<'static, str>| {
        let words: Vec<&str> = text.split([' ', ';', '(']).collect();
        let unspoken = named.iter().filter(|name| !words.contains(name)).count();
        // Among equals, a text without `unless` is easier to read.
        (unspoken, words.contains(&"unless"))
    };
    let as_long = with_handler(words[0]).filter(|instr| instr.length().of(words) == words.len());
    as_long.map(|instr| instr.text()).min_by_key(rank)
}

/// Meaning of the names of slots.
pub const LEGEND: [&str; 2] = [
    "l0 is local 0, t0 the lowest operand, r0 the first result; @8 is the instruction at word 8",
    "acc and facc are the accumulators; a result that goes to a slot goes to its accumulator too",
];

impl Listing {
    /// Returns true if every instruction is of the instruction set.
    pub fn is_complete(&self) -> bool {
        self.instructions.iter().all(|instruction| !instruction.text.starts_with("an unknown instruction"))
    }
}
