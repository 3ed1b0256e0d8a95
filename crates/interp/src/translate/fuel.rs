//! Fuel: instructions that take it, at the places that [`wasmr_core::fuel`] defines. Code that is not metered has none of them.

use wasmparser::Operator;
use wasmr_module::Costs;
use wasmr_module::operator_class::OperatorClass;

use super::Translator;
use crate::instr::field::fields_imm;
use crate::instr::{Charge, ChargeBySize, handler};

/// Fuel costs of the function, and of the current block.
#[derive(Debug)]
pub(crate) struct Meter<'m> {
    costs: Costs<'m>,
    block: Block,
}

/// Fuel cost of the current block.
#[derive(Clone, Copy, Debug, Default)]
struct Block {
    /// Instruction that takes the fuel; none before the block's first operator with a cost.
    instruction: Option<usize>,
    /// Cost so far.
    cost: u32,
}

impl<'m> Meter<'m> {
    /// Creates the meter of a function, before its first operator.
    pub(crate) fn new(costs: Costs<'m>) -> Meter<'m> {
        Meter { costs, block: Block::default() }
    }
}

impl Translator<'_> {
    /// Counts an operator before it is translated or skipped.
    #[inline]
    pub(crate) fn charge(&mut self, operator: &Operator<'_>) {
        if let Some(meter) = &mut self.meter {
            let cost = meter.costs.next(operator);
            if cost > 0 && self.unreachable.is_none() {
                self.charge_to_block(cost, operator);
            }
        }
    }

    fn charge_to_block(&mut self, cost: u32, operator: &Operator<'_>) {
        let Some(Meter { block, .. }) = self.meter else { return };
        let instruction = match block.instruction {
            Some(instruction) => instruction,
            None => self.emit(handler(Charge, ()), &[0]),
        };
        if let Some(meter) = &mut self.meter {
            meter.block = Block { instruction: Some(instruction), cost: block.cost.saturating_add(cost) };
        }
        if let Some(log2) = OperatorClass::of(operator).size_log2() {
            let top = self.stack.len() - 1;
            self.flush(top);
            let slot = self.temp_slot(self.stack[top].height);
            let a = self.near(slot, 1);
            self.emit(handler(ChargeBySize, ()), &[fields_imm(0, a, log2)]);
        }
    }

    /// Ends the fuel block if the operator ends one. Called after the operator was translated.
    pub(crate) fn end_charge(&mut self, operator: &Operator<'_>) {
        if self.meter.is_some() && OperatorClass::of(operator).ends_fuel_block() {
            self.end_metered_block();
        }
    }

    /// Writes the block's cost into the instruction that takes it.
    pub(crate) fn end_metered_block(&mut self) {
        let Some(meter) = &mut self.meter else { return };
        let Block { instruction, cost } = std::mem::take(&mut meter.block);
        if let Some(instruction) = instruction {
            self.code[instruction + 1] = cost as u64;
        }
    }
}
