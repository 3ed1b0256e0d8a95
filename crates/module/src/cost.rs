//! Which operators make up the blocks that [`wasmr_core::fuel`] speaks of, and which of them cost more than one: what every
//! tier asks when it meters code.

use wasmparser::Operator;
use wasmr_core::fuel::{BYTES_PER_FUEL_LOG2, ELEMENTS_PER_FUEL_LOG2};

/// Whether the operator only marks structure and costs nothing.
pub fn is_mark(operator: &Operator<'_>) -> bool {
    matches!(
        operator,
        Operator::Nop
            | Operator::Block { .. }
            | Operator::Loop { .. }
            | Operator::TryTable { .. }
            | Operator::Else
            | Operator::End
    )
}

/// Whether what follows the operator is another block, or is not reached from it.
pub fn ends_block(operator: &Operator<'_>) -> bool {
    matches!(
        operator,
        Operator::Loop { .. }
            | Operator::If { .. }
            | Operator::Else
            | Operator::End
            | Operator::BrIf { .. }
            | Operator::BrOnNull { .. }
            | Operator::BrOnNonNull { .. }
            | Operator::Br { .. }
            | Operator::BrTable { .. }
            | Operator::Return
            | Operator::ReturnCall { .. }
            | Operator::ReturnCallIndirect { .. }
            | Operator::ReturnCallRef { .. }
            | Operator::Throw { .. }
            | Operator::ThrowRef
            | Operator::Unreachable
    )
}

/// How much of its last operand an operator handles for one unit of fuel, as a power of two, if its cost depends on it.
pub fn size_log2(operator: &Operator<'_>) -> Option<u32> {
    match operator {
        Operator::MemoryFill { .. } | Operator::MemoryCopy { .. } | Operator::MemoryInit { .. } => {
            Some(BYTES_PER_FUEL_LOG2)
        }
        Operator::TableFill { .. }
        | Operator::TableCopy { .. }
        | Operator::TableInit { .. }
        | Operator::TableGrow { .. } => Some(ELEMENTS_PER_FUEL_LOG2),
        _ => None,
    }
}
