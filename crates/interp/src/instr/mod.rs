//! The interpreter's instruction set: for each instruction its mnemonic, its fields, its text and its handler.
//!
//! An *instruction* is a handler's address in word 0, then operand fields ([`field`]). The instruction set is two tables:
//!
//! - [`operators`]: the instructions of each operator of [`core`'s table](wasmr_core::op), by the operator's shape;
//! - [`own`]: all others. Slow operators share one of them, `builtin`, whose row in
//!   [`module`'s table](wasmr_module::Builtin) is an operand.
//!
//! A row is a *family*: instructions that do the same with operands in different places ([`locations`]). From the tables follow
//!
//! - the handler that the translator asks for: [`handler`];
//! - printing: [`Instr::text`], which [`listing`](crate::listing) fills in;
//! - fields and length: [`parts`], [`Instr::length`], so that [`boundaries`] can step through code;
//! - the way back from a handler's address: [`with_handler`].
//!
//! # Why are lengths not noted as code is emitted?
//! Two readers need to know where instructions start: the baseline compiler, once per function, and listings. Both step
//! by the length of each instruction. The map from handler addresses that this needs is made at the first use.
//!
//! # Merged handlers
//! LLVM and the linker may make one function of handlers with the same machine code. So an address can have several
//! instructions. All of them do the same with the same fields and have the same length (a test compares). [`with_handler`]
//! returns all, and a listing picks the text that names most of the instruction's operators.

mod by_address;
mod family;
pub(crate) mod field;
pub(crate) mod locations;
mod operators;
mod own;
mod template;

use std::borrow::Cow;
use std::sync::OnceLock;

use wasmr_core::op::Op;

use crate::execute::dispatch::{Handler, handler_word};
use by_address::ByAddress;
#[cfg(wasmr_baseline)]
pub(crate) use family::Family;
pub(crate) use family::handler;
use field::{Field, Kind};
pub(crate) use operators::{
    AtomicCmpxchg, AtomicLoad, AtomicRmw, AtomicStore, Binary, BranchCompare, Compare, CountAndBranch, ExtractLane,
    Load, LoadChecked, LoadDisplaced, LoadIndexed, LoadLane, LoadLaneChecked, ReplaceLane, Shift, Splat, Store,
    StoreChecked, StoreLane, StoreLaneChecked, Unary, VectorBinary, VectorLoad, VectorLoadChecked, VectorLoadDisplaced,
    VectorLoadIndexed, VectorStore, VectorStoreChecked, VectorTernary, VectorTest, VectorUnary,
};
pub(crate) use own::*;
use template::substitute;

/// An instruction of the tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Instr {
    table: Table,
    /// Index in the row of the operator, or in the family.
    index: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Table {
    Operators(Op),
    /// Number of the family.
    Own(u8),
}

/// Row of an instruction.
#[cfg(wasmr_baseline)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Row {
    /// The row of an operator.
    Operator(Op),
    /// The row of the family with this name.
    Own(&'static str),
}

/// Length of an instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Length {
    words: u8,
    /// True if a branch table of half words follows, as many as field `imm` says and one more.
    has_table: bool,
}

impl Length {
    /// Returns the length of an instruction that has these fields.
    pub(crate) fn with_fields(fields: impl Iterator<Item = Field>) -> Length {
        // Word 1 is there even if nothing is in it.
        let (mut last, mut has_table) = (1, false);
        for field in fields {
            match field.kind {
                Kind::Table => has_table = true,
                _ => last = last.max(field.last_word()),
            }
        }
        Length { words: last as u8 + 1, has_table }
    }

    /// Returns the number of words of an instruction at the start of `code`.
    pub(crate) fn of(self, code: &[u64]) -> usize {
        let entries = |word1: u64| (word1 >> 32) as usize + 1;
        let table = code.get(1).map_or(0, |&word1| if self.has_table { entries(word1).div_ceil(2) } else { 0 });
        self.words as usize + table
    }
}

/// A part of an instruction's text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part<'t> {
    /// Literal text.
    Words(&'t str),
    /// The value of a field.
    Field(Field),
}

impl Part<'_> {
    /// Returns the field, if the part is one.
    pub(crate) fn field(self) -> Option<Field> {
        if let Part::Field(field) = self { Some(field) } else { None }
    }
}

/// Returns the parts of a text.
///
/// # Panics
/// If the text names a field that does not exist. A test reads all texts.
pub(crate) fn parts(text: &str) -> impl Iterator<Item = Part<'_>> {
    text.split_inclusive(['{', '}']).filter_map(move |part| match part.strip_suffix('}') {
        Some(name) => {
            Some(Part::Field(Field::named(name).unwrap_or_else(|| panic!("`{text}` has an unknown field `{name}`"))))
        }
        None => Some(part.trim_end_matches('{')).filter(|words| !words.is_empty()).map(Part::Words),
    })
}

impl Instr {
    /// Returns all instructions, each with its handler.
    pub(crate) fn all() -> impl Iterator<Item = (Handler, Instr)> {
        let of_row = |row: &'static [Handler], table: Table| {
            row.iter().enumerate().map(move |(index, &handler)| (handler, Instr { table, index: index as u8 }))
        };
        let operators = Op::ALL.iter().flat_map(move |&op| of_row(operators::row(op), Table::Operators(op)));
        let own = own::own_families().iter().enumerate();
        operators.chain(own.flat_map(move |(number, family)| of_row((family.row)(), Table::Own(number as u8))))
    }

    /// Returns the instruction's row, and its index in the row.
    #[cfg(wasmr_baseline)]
    pub(crate) fn row(self) -> (Row, usize) {
        let row = match self.table {
            Table::Operators(op) => Row::Operator(op),
            Table::Own(number) => Row::Own(own::own_families()[number as usize].name),
        };
        (row, self.index as usize)
    }

    /// Returns the text of the row, in which `$` and a name stand for what the operator or the family determines.
    pub(crate) fn template(self) -> &'static str {
        let index = self.index as usize;
        match self.table {
            Table::Operators(op) => operators::template(op, index),
            Table::Own(number) => own::own_families()[number as usize].texts[index],
        }
    }

    /// Returns the text of the instruction's effect, with its fields in braces.
    pub(crate) fn text(self) -> Cow<'static, str> {
        let template = self.template();
        if !template.contains('$') {
            return template.into();
        }
        match self.table {
            Table::Operators(op) => operators::text(op, template),
            Table::Own(number) => substitute(template, &[("op", own::own_families()[number as usize].mnemonic)]),
        }
        .into()
    }

    /// Returns the instruction's length.
    pub(crate) fn length(self) -> Length {
        Length::with_fields(parts(&self.text()).filter_map(Part::field))
    }
}

/// Returns the instructions that `word` is the handler word of; none if it is not the address of a handler.
pub(crate) fn with_handler(word: u64) -> impl Iterator<Item = Instr> {
    static BY_ADDRESS: OnceLock<ByAddress<Instr>> = OnceLock::new();
    let all = BY_ADDRESS.get_or_init(|| {
        let mut all = ByAddress::with_capacity(Instr::all().count());
        Instr::all().for_each(|(handler, instr)| all.insert(handler_word(handler), instr));
        all
    });
    all.get(word)
}

/// Returns the number of words of the instruction at the start of `code`; `None` if its handler word is not the address of a
/// handler.
pub(crate) fn length(code: &[u64]) -> Option<usize> {
    with_handler(*code.first()?).next().map(|instr| instr.length().of(code))
}

/// Returns the words of `code` from `from` on at which instructions start, in order. An instruction must start at `from`. The
/// sequence ends at a word that is not the address of a handler, as in a function that has baseline code.
pub(crate) fn boundaries(code: &[u64], from: usize) -> impl Iterator<Item = usize> {
    let mut next = Some(from);
    std::iter::from_fn(move || {
        let here = next?;
        let code = code.get(here..).filter(|code| !code.is_empty())?;
        next = length(code).map(|length| here + length);
        Some(here)
    })
}

#[cfg(test)]
mod tests;
