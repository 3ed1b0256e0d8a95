//! Translated code as text, for people: a function's cells, what each does, and the operators it came from.
//!
//! Comes from a [`Source`], which is translated for the purpose; goes to the command line. Cells are shown as they are made,
//! before anything [copies](crate::copy_patch) them. [`handlers`] knows what the handlers do, `render` fills in the fields. Nothing
//! that runs code uses this.

pub mod handlers;
mod render;

use crate::code::{CatchKind, TranslateError};
use crate::translate::Source;
use crate::translate::origins::origins;
use render::{Cell, Context, render};

/// The code of a function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing {
    /// The cells, in order.
    pub cells: Vec<CellText>,
    /// The `try_table` regions, inner ones first, and what each catches.
    pub regions: Vec<String>,
    /// Words of all the code.
    pub words: usize,
    /// Slots of the frame behind the header.
    pub frame_slots: u32,
}

/// A cell as text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CellText {
    /// Its first word: what branches name.
    pub word: usize,
    /// What it does.
    pub text: String,
    /// Offsets in the module of the operators that it came from, in order; none if of no operator.
    pub operators: Vec<usize>,
}

/// Lists the code of a function. `name_of` gives the text of the operator at an offset, to tell handlers apart that are one
/// function in this build.
///
/// # Errors
/// If the function cannot be translated.
pub fn list(source: &Source<'_>, name_of: &dyn Fn(usize) -> Option<String>) -> Result<Listing, TranslateError> {
    let origins = origins(source)?;
    let context = Context { module: source.module, layout: source.layout, slots: &origins.slots };
    let code = origins.block.cells.to_vec();
    let ends = origins.cells.iter().skip(1).map(|cell| cell.word).chain([code.len()]);
    let cells = origins.cells.iter().zip(ends).map(|(origin, end)| {
        let names: Vec<String> = origin.operators.iter().filter_map(|&offset| name_of(offset)).collect();
        let cell = Cell { at: origin.word, words: &code[origin.word..end] };
        let text = match template(cell.words[0], &names) {
            Some(template) => render(template, cell, &context),
            None => format!("a handler without a name: {:x?}", &cell.words[1..]),
        };
        CellText { word: origin.word, text, operators: origin.operators.clone() }
    });
    let regions = origins.block.try_regions.iter().map(|region| {
        let catches: Vec<String> = region
            .catches
            .iter()
            .map(|catch| {
                let kind = match catch.kind {
                    CatchKind::One(tag) => format!("tag {tag}"),
                    CatchKind::OneRef(tag) => format!("tag {tag} with its reference"),
                    CatchKind::All => "everything".to_owned(),
                    CatchKind::AllRef => "everything with its reference".to_owned(),
                };
                format!("{kind} to @{}, values from {}", catch.target, origins.slots.name(catch.slot))
            })
            .collect();
        format!("@{} up to @{}: {}", region.range.start, region.range.end, catches.join("; "))
    });
    Ok(Listing {
        cells: cells.collect(),
        regions: regions.collect(),
        words: code.len(),
        frame_slots: origins.block.frame_slots,
    })
}

/// The template for a handler, the one that speaks of most of the operators if there are several.
fn template(handler: u64, operators: &[String]) -> Option<&'static String> {
    // In templates `if` is another word.
    let named: Vec<&str> =
        operators.iter().filter_map(|operator| operator.split(' ').next()).filter(|name| *name != "if").collect();
    let rank = |template: &&String| {
        let words: Vec<&str> = template.split([' ', ';', '(']).collect();
        let unspoken = named.iter().filter(|name| !words.contains(name)).count();
        // The opposite of the opposite is harder to read.
        (unspoken, words.contains(&"unless"))
    };
    handlers::templates(handler).iter().min_by_key(rank)
}

/// What the names of slots mean.
pub const LEGEND: [&str; 2] = [
    "l0 is local 0, t0 the lowest operand, r0 the first result; @8 is the cell at word 8",
    "acc and facc are the accumulators, which get what goes to a slot, too",
];

impl Listing {
    /// Whether every cell is of a known handler.
    pub fn is_complete(&self) -> bool {
        self.cells.iter().all(|cell| !cell.text.starts_with("a handler without a name"))
    }
}
