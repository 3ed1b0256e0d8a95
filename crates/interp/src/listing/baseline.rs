//! Baseline code for listings: the bytes, the operators that they came from, and names for what they refer to.
//!
//! A [`Source`] is translated and compiled for the purpose. The code has no address, so it cannot be executed. Callers
//! disassemble it.

use std::fmt;

use crate::translate::{Source, TranslateError};

/// Baseline code of a function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaselineListing {
    /// Machine instructions.
    pub code: Vec<u8>,
    /// Constants and jump tables, and their position.
    pub constants: (u32, Vec<u8>),
    /// Pieces of the code, in order.
    pub pieces: Vec<CodePiece>,
    /// Position at which baseline code of callers enters. Before it is padding.
    pub call_entry: u32,
    /// Positions at which handlers enter, in order, with the code word of the instruction.
    pub entries: Vec<(u32, usize)>,
    /// End of each machine instruction that refers to something outside of the code, in order. The reference is the instruction's
    /// last operand.
    pub references: Vec<(u32, Reference)>,
}

/// A piece of code that one instruction became.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CodePiece {
    /// Position of the piece. It ends where the next one begins.
    pub start: u32,
    /// Offsets in the module of the operators that the instruction came from, in order.
    pub operators: Vec<usize>,
}

/// Something outside of a function's baseline code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reference {
    /// The instruction at a code word of the same function.
    Instruction(usize),
    /// The handler of the instruction at a code word.
    Handler(usize),
    /// The handler of budget interrupts.
    BudgetInterrupt,
    /// The call stub of the function with this index in the module.
    CallStub(u32),
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reference::Instruction(word) => write!(f, "@{word}"),
            Reference::Handler(word) => write!(f, "handler of @{word}"),
            Reference::BudgetInterrupt => f.write_str("budget_interrupt"),
            Reference::CallStub(func) => write!(f, "stub of func {func}"),
        }
    }
}

/// Reason why a function has no baseline code.
#[derive(Debug, thiserror::Error)]
pub enum BaselineError {
    /// The function cannot be translated.
    #[error(transparent)]
    Translate(#[from] TranslateError),
    /// The build has no baseline compiler.
    #[error(
        "this build has no baseline compiler, which needs x86-64 Linux and a build with optimisation and without debug assertions"
    )]
    NoCompiler,
    /// The compiler knows none of the instruction set's handlers in an instruction: a fault of wasmr.
    #[error("an instruction of the function is not of the instruction set; this is a fault of wasmr")]
    UnknownInstruction,
}

impl BaselineListing {
    /// Returns the reference in the machine instruction that ends at a position.
    pub fn reference(&self, end: u32) -> Option<Reference> {
        let at = self.references.binary_search_by_key(&end, |&(end, _)| end).ok()?;
        Some(self.references[at].1)
    }

    /// Returns the piece that contains a position.
    pub fn piece(&self, position: u32) -> Option<&CodePiece> {
        let after = self.pieces.partition_point(|piece| piece.start <= position);
        self.pieces.get(after.checked_sub(1)?)
    }

    /// Returns the code words of the instructions that handlers enter at a position.
    pub fn entries_at(&self, position: u32) -> impl Iterator<Item = usize> {
        self.entries.iter().filter(move |entry| entry.0 == position).map(|entry| entry.1)
    }
}

/// Lists the baseline code of a function, with paired calls.
///
/// # Errors
/// If the function cannot be translated, or the build has no baseline compiler.
#[cfg(not(wasmr_baseline))]
pub fn list_baseline(_source: &Source<'_>) -> Result<BaselineListing, BaselineError> {
    Err(BaselineError::NoCompiler)
}

/// Lists the baseline code of a function, with paired calls.
///
/// # Errors
/// If the function cannot be translated.
#[cfg(wasmr_baseline)]
pub fn list_baseline(source: &Source<'_>) -> Result<BaselineListing, BaselineError> {
    use crate::execute::dispatch::{Handler, budget_interrupt, handler_word};
    use crate::paired_call::{CallStubs, DIRECT_AT, DirectCode, STUB};
    use crate::translate::provenance::provenance;

    /// The address of the first call stub. A handler cannot be there: it is no address of a process.
    const STUBS: u64 = 1 << 63;

    let provenance = provenance(source)?;
    let words = provenance.block.words.to_vec();
    let record = |index| source.layout.defined_func(index);
    // No callee has code yet, so that all calls are of stubs.
    let stubs = CallStubs { first: STUBS, funcs: record(0), direct: DirectCode::new(0, 0) };
    let mapped = crate::baseline::map_code(&provenance.block, &words, record(source.defined_index), Some(stubs));
    let mut mapped = mapped.ok_or(BaselineError::UnknownInstruction)?;

    let operators_of = |word: u32| {
        let at = provenance.instructions.binary_search_by_key(&(word as usize), |instruction| instruction.word);
        at.map(|at| provenance.instructions[at].operators.clone()).unwrap_or_default()
    };
    let pieces: Vec<CodePiece> =
        mapped.starts.iter().map(|&(start, word)| CodePiece { start, operators: operators_of(word) }).collect();
    let mut entries: Vec<(u32, usize)> = mapped.entries.iter().map(|&(word, at)| (at, word as usize)).collect();
    entries.sort_unstable();
    let interrupt: Handler = budget_interrupt;
    let outside = mapped.outside.iter().map(|&(end, address)| {
        let reference = match address.checked_sub(STUBS) {
            Some(distance) => {
                Reference::CallStub(source.module.imported_func_count() + (distance / STUB as u64) as u32)
            }
            None if address == handler_word(interrupt) => Reference::BudgetInterrupt,
            None => {
                let after = mapped.starts.partition_point(|&(start, _)| start < end);
                Reference::Handler(after.checked_sub(1).map_or(0, |at| mapped.starts[at].1 as usize))
            }
        };
        (end, reference)
    });
    let instructions = mapped.instructions.iter().map(|&(end, word)| (end, Reference::Instruction(word as usize)));
    let mut references: Vec<(u32, Reference)> = outside.chain(instructions).collect();
    references.sort_by_key(|&(end, _)| end);
    // The constants are aligned, so that bytes that are never executed may stand before them.
    let constants_at = mapped.constants_at;
    let constants = mapped.code.split_off(constants_at);
    mapped.code.truncate(mapped.instruction_bytes);
    Ok(BaselineListing {
        code: mapped.code,
        constants: (constants_at as u32, constants),
        pieces,
        call_entry: DIRECT_AT as u32,
        entries,
        references,
    })
}

#[cfg(all(test, not(wasmr_baseline)))]
mod tests {
    use super::*;
    use crate::ModuleCode;
    use crate::test_program::module;

    #[test]
    fn a_build_without_the_compiler_says_so() {
        let code = ModuleCode::new(module("(module (func))"));
        let refused = list_baseline(&code.source(0, false)).unwrap_err();
        assert!(matches!(refused, BaselineError::NoCompiler), "{refused}");
    }
}
