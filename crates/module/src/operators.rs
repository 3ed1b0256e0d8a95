//! Operators of a function body as text, for `wasmr explore` and tests. Execution does not use this file.
//!
//! The text is that of the [text format](https://webassembly.github.io/spec/core/text/instructions.html), without folded
//! instructions and with indices instead of names. Parsing it yields the same operator.

use wasmparser::{BinaryReader, BinaryReaderError, FunctionBody, Operator};

use crate::module::Module;
use crate::operator_class::{Nesting, OperatorClass};
use crate::operator_text::Shown;
pub use crate::operator_text::operator_text;

/// An operator of a body as text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OperatorText {
    /// Offset in the module.
    pub offset: usize,
    /// Number of enclosing blocks, the function body not counted.
    pub depth: u32,
    /// Operator with its immediates.
    pub text: String,
    /// Function that an immediate names, if there is one.
    pub function: Option<u32>,
}

/// Returns the operators of a defined function, in order.
///
/// # Errors
/// If the body cannot be decoded. After validation this happens only if the module's bytes have changed.
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

/// Returns the declared locals of a defined function, without parameters, as pairs of count and type.
///
/// # Errors
/// If the body cannot be decoded, see [`operators`].
pub fn locals(module: &Module, defined_index: u32) -> Result<Vec<(u32, String)>, BinaryReaderError> {
    let body = module.body(defined_index);
    let reader = FunctionBody::new(BinaryReader::new(body.bytes, body.offset as u64)).get_locals_reader()?;
    reader.into_iter().map(|group| group.map(|(count, ty)| (count, Shown(&ty).to_string()))).collect()
}
