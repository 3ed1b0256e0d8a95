//! The operators of a function body as text, one by one, for people who look at code.
//!
//! Comes from a validated body; goes to the command line. The words are those of the text format, unfolded, with indices
//! instead of names: what is printed is read back to the same operator. Nothing that runs code uses this.

use wasmparser::{BinaryReader, BinaryReaderError, FunctionBody, Operator};

use crate::module::Module;
use crate::operator_class::{Nesting, OperatorClass};
use crate::operator_text::Shown;
pub use crate::operator_text::operator_text;

/// An operator of a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OperatorText {
    /// Where it stands in the module.
    pub offset: usize,
    /// How many blocks are around it, the function's not counted.
    pub depth: u32,
    /// It and its immediates.
    pub text: String,
    /// The function that it names by index, if it does.
    pub function: Option<u32>,
}

/// The operators of a defined function, in order.
///
/// # Errors
/// If the body cannot be read, which validation excludes unless the module's bytes changed since.
pub fn operators(module: &Module, defined_index: u32) -> Result<Vec<OperatorText>, BinaryReaderError> {
    let body = module.body(defined_index);
    let mut reader = FunctionBody::new(BinaryReader::new(body.bytes, body.offset as u64)).get_operators_reader()?;
    let mut list = Vec::new();
    let mut depth = 0u32;
    while !reader.eof() {
        let offset = reader.original_position() as usize;
        let operator = reader.read()?;
        let outside = depth.saturating_sub(1);
        let shown = match OperatorClass::of(&operator).nesting() {
            Nesting::Same => depth,
            Nesting::Divides => outside,
            Nesting::Closes => {
                depth = outside;
                depth
            }
            Nesting::Opens => {
                depth += 1;
                depth - 1
            }
        };
        let function = match operator {
            Operator::Call { function_index }
            | Operator::ReturnCall { function_index }
            | Operator::RefFunc { function_index } => Some(function_index),
            _ => None,
        };
        list.push(OperatorText { offset, depth: shown, text: operator_text(&operator), function });
    }
    Ok(list)
}

/// The types of the locals that a defined function declares behind its parameters: how many of which.
///
/// # Errors
/// As for [`operators`].
pub fn locals(module: &Module, defined_index: u32) -> Result<Vec<(u32, String)>, BinaryReaderError> {
    let body = module.body(defined_index);
    let reader = FunctionBody::new(BinaryReader::new(body.bytes, body.offset as u64)).get_locals_reader()?;
    reader.into_iter().map(|group| group.map(|(count, ty)| (count, Shown(&ty).to_string()))).collect()
}
