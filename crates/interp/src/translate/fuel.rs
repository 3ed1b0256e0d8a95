//! Fuel: where [`wasmr_core::fuel`] says that it is taken. Nothing of this is in code that is not metered.

use wasmparser::Operator;
use wasmr_module::Costs;
use wasmr_module::operator_class::OperatorClass;

use super::Translator;
use super::stack::fields_imm;
use crate::execute::fuel;

/// The costs of the function, and that of the block at hand.
#[derive(Debug)]
pub struct Meter<'m> {
    costs: Costs<'m>,
    block: Block,
}

/// The cost of the block at hand.
#[derive(Clone, Copy, Debug, Default)]
struct Block {
    /// The cell that takes it; none before the block's first operator that costs anything.
    cell: Option<usize>,
    /// The cost so far.
    cost: u32,
}

impl<'m> Meter<'m> {
    /// For a function of which no operator was seen yet.
    pub fn new(costs: Costs<'m>) -> Meter<'m> {
        Meter { costs, block: Block::default() }
    }
}

impl Translator<'_> {
    /// Counts an operator that is about to be translated or skipped.
    #[inline]
    pub fn charge(&mut self, operator: &Operator<'_>) {
        if let Some(meter) = &mut self.meter {
            let cost = meter.costs.next(operator);
            if cost > 0 && self.unreachable.is_none() {
                self.charge_to_block(cost, operator);
            }
        }
    }

    fn charge_to_block(&mut self, cost: u32, operator: &Operator<'_>) {
        let Some(Meter { block, .. }) = self.meter else { return };
        let cell = match block.cell {
            Some(cell) => cell,
            None => self.emit(fuel::charge, &[0]),
        };
        if let Some(meter) = &mut self.meter {
            meter.block = Block { cell: Some(cell), cost: block.cost.saturating_add(cost) };
        }
        if let Some(log2) = OperatorClass::of(operator).size_log2() {
            let top = self.stack.len() - 1;
            self.flush(top);
            let slot = self.temp_slot(self.stack[top].height);
            let a = self.near(slot, 1);
            self.emit(fuel::charge_by_size, &[fields_imm(0, a, log2)]);
        }
    }

    /// After an operator: ends the block if the operator does.
    pub fn end_charge(&mut self, operator: &Operator<'_>) {
        if self.meter.is_some() && OperatorClass::of(operator).ends_fuel_block() {
            self.end_metered_block();
        }
    }

    /// Writes the block's cost into the cell that takes it.
    pub fn end_metered_block(&mut self) {
        let Some(meter) = &mut self.meter else { return };
        let Block { cell, cost } = std::mem::take(&mut meter.block);
        if let Some(cell) = cell {
            self.code[cell + 1] = cost as u64;
        }
    }
}
