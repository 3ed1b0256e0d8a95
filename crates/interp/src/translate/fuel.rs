//! Fuel: where [`wasmr_core::fuel`] says that it is taken. Nothing of this is in code that is not metered.

use wasmparser::Operator;
use wasmr_module::cost::{ends_block, is_mark, size_log2};

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
    #[inline]
    pub fn charge(&mut self, operator: &Operator<'_>) {
        if let Some(meter) = self.meter
            && !is_mark(operator)
        {
            self.charge_to(meter, operator);
        }
    }

    fn charge_to(&mut self, meter: Meter, operator: &Operator<'_>) {
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
        if self.meter.is_some() && ends_block(operator) {
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
