//! Fuel: takes it at the points that [`wasmr_core::fuel`] defines. Code that is not metered contains nothing of this.

use std::mem::offset_of;

use cranelift_codegen::ir::{InstBuilder, InstructionData, Opcode, Value, condcodes::IntCC, types};
use wasmparser::Operator;
use wasmr_core::trap::TrapCode;
use wasmr_module::Costs;
use wasmr_module::operator_class::OperatorClass;
use wasmr_runtime::vm::VmStore;

use super::environment::Region;
use super::state::{FuelBlock, Meter, Request, Translator};
use crate::trap_code::trap_code;

impl<'a> Translator<'a, '_> {
    /// Returns the meter for a body, before its first operator.
    pub(super) fn new_meter(&self, defined_index: u32) -> Meter<'a> {
        let Request { module, metered, .. } = *self.request;
        Meter { costs: metered.then(|| Costs::new(module, defined_index)), block: FuelBlock::default() }
    }

    /// Counts the cost of the next operator. An operator in unreachable code counts if its fuel block was entered. It then
    /// follows an operator that always traps, or an inlined call that does not return, and neither of these ends a fuel block.
    pub(super) fn charge(&mut self, operator: &Operator<'_>) {
        let Some(costs) = &mut self.meter.costs else { return };
        let cost = costs.next(operator);
        if cost == 0 || (!self.reachable && self.meter.block.constant.is_none()) {
            return;
        }
        if self.meter.block.constant.is_none() {
            let cost = self.builder.ins().iconst(types::I64, 0);
            self.meter.block.constant = self.builder.func.dfg.value_def(cost).inst();
            self.take_fuel(cost);
        }
        self.meter.block.cost = self.meter.block.cost.saturating_add(cost);
        if !self.reachable {
            return;
        }
        if let Some(log2) = OperatorClass::of(operator).size_log2() {
            let size = *self.stack.last().expect("validated: the size is the last operand");
            if self.constant(size).is_some_and(|size| size >> log2 == 0) {
                return;
            }
            let size = self.as_slot(size);
            let cost = self.builder.ins().ushr_imm_u(size, i64::from(log2));
            self.take_fuel(cost);
        }
    }

    /// Ends the fuel block if `operator`, which was just translated, ends it.
    pub(super) fn end_charge(&mut self, operator: &Operator<'_>) {
        if self.request.metered && OperatorClass::of(operator).ends_fuel_block() {
            let FuelBlock { constant, cost } = std::mem::take(&mut self.meter.block);
            if let Some(constant) = constant {
                let imm = i64::from(cost).into();
                self.builder.func.dfg.insts[constant] = InstructionData::UnaryImm { opcode: Opcode::Iconst, imm };
            }
        }
    }

    /// Emits the subtraction of `cost` from the store's fuel. If less is left, the fuel becomes zero and the code traps.
    fn take_fuel(&mut self, cost: Value) {
        let store = self.store_pointer();
        let flags = self.trusted(Region::Vm);
        let offset = offset_of!(VmStore, fuel) as i32;
        let fuel = self.builder.ins().load(types::I64, flags, store, offset);
        let too_little = self.builder.ins().icmp(IntCC::UnsignedLessThan, fuel, cost);
        let left = self.builder.ins().isub(fuel, cost);
        let zero = self.builder.ins().iconst(types::I64, 0);
        let left = self.builder.ins().select(too_little, zero, left);
        self.builder.ins().store(flags, left, store, offset);
        self.builder.ins().trapnz(too_little, trap_code(TrapCode::OutOfFuel));
    }
}
