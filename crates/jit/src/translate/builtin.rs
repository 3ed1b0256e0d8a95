//! Operators that the runtime executes, as calls of one libcall.
//!
//! Compiled code stores the operands in an area of its frame, and loads the results from there. The libcall does not return if
//! the operator traps or throws. Some operators have a translation of their own for all or some operands, which the translator
//! tries first. `builtin_operator` tries those of bulk memory and wide arithmetic. `operator` in `mod.rs` tries the others,
//! such as a `throw` that this function catches.

use cranelift_codegen::ir::{
    ExceptionTableItem, InstBuilder, MemFlagsData, StackSlot, StackSlotData, StackSlotKey, StackSlotKind, Value, types,
};
use wasmparser::Operator;
use wasmr_module::operator_class::OperatorClass;
use wasmr_module::{BuiltinCall, BuiltinResult};

use super::state::Translator;
use crate::abi::value_type;
use crate::libcalls::LibCall;

/// Key of the stack slot for operands. A function has one, as large as its largest area.
const AREA: u64 = 1;

/// Returns the flags of accesses to the area, without `aligned`: vectors in it are aligned to 8 bytes like the words.
pub(super) fn in_slot_area() -> MemFlagsData {
    MemFlagsData::new().with_notrap()
}

impl Translator<'_, '_> {
    /// Translates `operator` if it is in the runtime's table. Returns true if it was.
    pub(super) fn builtin_operator(&mut self, operator: &Operator<'_>) -> bool {
        let Some(call) = BuiltinCall::of(operator) else { return false };
        if self.bulk_memory_operator(operator, call) || self.wide_operator(operator) {
            return true;
        }
        self.call_builtin(call);
        if OperatorClass::of(operator).size_log2().is_some() {
            // The guest chose the size and thus the duration. A stop signal during the libcall had no effect.
            self.check_interrupt();
        }
        if call.builtin.result() == BuiltinResult::Never {
            self.become_unreachable();
        }
        true
    }

    /// Calls the runtime for an operator with the operands on the stack, and pushes its results.
    pub(super) fn call_builtin(&mut self, call: BuiltinCall) {
        if call.builtin.result() == BuiltinResult::Never {
            let landing_pads = self.landing_pads();
            self.leave_by(call, landing_pads);
            return;
        }
        let (area, args) = self.builtin_args(call);
        self.libcall(LibCall::Builtin, &args);
        for (index, &ty) in call.results(self.request.module).iter().enumerate() {
            let value = self.builder.ins().load(value_type(ty), in_slot_area(), area, 8 * index as i32);
            self.push(value);
        }
    }

    /// Calls the runtime for an operator that does not fall through, but may continue at one of `landing_pads`.
    pub(super) fn leave_by(&mut self, call: BuiltinCall, landing_pads: Vec<ExceptionTableItem>) {
        let (_, args) = self.builtin_args(call);
        self.leaving_libcall(LibCall::Builtin, &args, landing_pads);
    }

    /// Pops the operands of an operator into the area. Returns the area's address and the arguments of the libcall.
    fn builtin_args(&mut self, call: BuiltinCall) -> (Value, [Value; 3]) {
        let (count, _) = call.operand_counts(self.request.module);
        let values = self.pop_many(count);
        let area = self.store_to_area(&values);
        let row = self.index(call.builtin as u32);
        let immediates = self.builder.ins().iconst(types::I64, call.immediates as i64);
        (area, [row, immediates, area])
    }

    /// Stores values in the area, the lowest first. Returns the area's address.
    pub(super) fn store_to_area(&mut self, values: &[Value]) -> Value {
        let bytes: u32 = values.iter().map(|&value| self.builder.func.dfg.value_type(value).bytes().max(8)).sum();
        let area = self.slot_area(bytes / 8);
        let mut offset = 0;
        for &value in values {
            let value = self.as_slot(value);
            self.builder.ins().store(in_slot_area(), value, area, offset);
            offset += self.builder.func.dfg.value_type(value).bytes() as i32;
        }
        area
    }

    /// Returns the address of an area of `slots` slots, at least one. Its contents are valid until the next call of this
    /// method.
    pub(super) fn slot_area(&mut self, slots: u32) -> Value {
        let size = 8 * slots.max(1);
        let key = Some(StackSlotKey::new(AREA));
        let stack_slots = &mut self.builder.func.sized_stack_slots;
        let known: Option<StackSlot> = stack_slots.iter().find(|(_, data)| data.key == key).map(|(slot, _)| slot);
        let slot = match known {
            Some(slot) => slot,
            None => {
                let data = StackSlotData { key, ..StackSlotData::new(StackSlotKind::ExplicitSlot, size, 4) };
                self.builder.create_sized_stack_slot(data)
            }
        };
        let data = &mut self.builder.func.sized_stack_slots[slot];
        data.size = data.size.max(size);
        self.builder.ins().stack_addr(types::I64, slot, 0)
    }
}
