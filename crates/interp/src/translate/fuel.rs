//! Fuel: where [`wasmr_core::fuel`] says that it is taken. Nothing of this is in code that is not metered.

use wasmparser::Operator;
use wasmr_core::fuel::{BYTES_PER_FUEL_LOG2, ELEMENTS_PER_FUEL_LOG2};

use super::Translator;
use super::stack::fields_imm;
use crate::execute::fuel;

/// The cost of the block at hand.
#[derive(Clone, Copy, Debug, Default)]
pub struct Meter {
    /// The cell that takes it; none before the block's first operator that costs anything.
    cell: Option<usize>,
    /// The cost so far.
    cost: u32,
}

impl Translator<'_> {
    /// Counts an operator that is about to be translated.
    pub fn charge(&mut self, operator: &Operator<'_>) {
        let Some(meter) = self.meter else { return };
        if is_mark(operator) {
            return;
        }
        let cell = match meter.cell {
            Some(cell) => cell,
            None => self.emit(fuel::charge, &[0]),
        };
        self.meter = Some(Meter { cell: Some(cell), cost: meter.cost.saturating_add(1) });
        if let Some(log2) = size_log2(operator) {
            let top = self.stack.len() - 1;
            self.flush(top);
            let slot = self.temp_slot(self.stack[top].height);
            let a = self.near(slot, 1);
            self.emit(fuel::charge_by_size, &[fields_imm(0, a, log2)]);
        }
    }

    /// After an operator: ends the block if the operator does.
    pub fn end_charge(&mut self, operator: &Operator<'_>) {
        if self.meter.is_some() && (self.unreachable.is_some() || ends_block(operator)) {
            self.end_metered_block();
        }
    }

    /// Writes the block's cost into the cell that takes it.
    pub fn end_metered_block(&mut self) {
        let Some(meter) = &mut self.meter else { return };
        let Meter { cell, cost } = std::mem::take(meter);
        if let Some(cell) = cell {
            self.code[cell + 1] = cost as u64;
        }
    }
}

/// Whether the operator only marks structure and costs nothing.
fn is_mark(operator: &Operator<'_>) -> bool {
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

/// Whether what follows the operator is another block.
fn ends_block(operator: &Operator<'_>) -> bool {
    matches!(
        operator,
        Operator::Loop { .. }
            | Operator::If { .. }
            | Operator::Else
            | Operator::End
            | Operator::BrIf { .. }
            | Operator::BrOnNull { .. }
            | Operator::BrOnNonNull { .. }
    )
}

/// How much of its last operand an operator handles for one unit of fuel, as a power of two, if its cost depends on it.
fn size_log2(operator: &Operator<'_>) -> Option<u32> {
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
