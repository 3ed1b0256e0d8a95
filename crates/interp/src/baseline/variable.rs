//! Copies and constants, which emit nothing, globals, `select`.

use super::assemble::{Alu, Mem, RAX, RCX, RDI, Rm};
use super::function::{Compiler, Value, slot_mem, store_constant};
use super::registers::load_float;
use super::state::{Holder, XMM};

impl Compiler<'_> {
    /// One or two copies of slots.
    pub(crate) fn copy(&mut self, is_pair: bool) {
        let Some(first) = self.result_slot() else { return };
        let from = self.source(self.place(0));
        if let Value::Slot(second) = self.place(1)
            && let Value::Slot(second_from) = self.place(2)
        {
            // A pair reads both slots before it writes; of two copies, the second one may read what the first one wrote.
            let second_from = match is_pair || second_from != first {
                true => self.source(Value::Slot(second_from)),
                false => from,
            };
            self.write(first, from);
            self.write(second, second_from);
            return;
        }
        self.write(first, from);
    }

    /// Returns the holder of a slot. Loads the slot into a register if it is in memory only.
    fn source(&mut self, place: Value) -> Holder {
        let Value::Slot(slot) = place else { return self.state.acc() };
        let holder = match self.state.holder(slot) {
            Some(holder) => holder,
            None => self.general(place, true),
        };
        self.state.lock(holder);
        holder
    }

    /// Gives a slot the value of a holder.
    fn write(&mut self, slot: i32, holder: Holder) {
        if !self.state.bind(holder, slot, true) {
            self.store_slot(false, holder, slot);
        }
    }

    /// A constant into a slot.
    pub(crate) fn set_constant(&mut self) {
        let (Some(slot), value) = (self.result_slot(), self.field(0) as u64) else { return };
        let holder = self.constant_holder(value);
        if !self.state.bind(holder, slot, true) {
            store_constant(&mut self.asm, slot_mem(slot), value);
        }
    }

    /// Returns the memory of the global at field 0.
    fn global(&mut self, is_imported: bool) -> Mem {
        let value = std::mem::offset_of!(wasmr_runtime::vm::VmGlobal, value) as i32;
        let place = self.field(0) as i32;
        if is_imported {
            self.asm.mov(true, RAX, Rm::Mem(Mem::at(RCX, place)));
            Mem::at(RAX, value)
        } else {
            Mem::at(RCX, place + value)
        }
    }

    pub(crate) fn global_get(&mut self, is_float: bool, is_imported: bool) {
        let from = self.global(is_imported);
        if is_float {
            let result = self.new_vector();
            self.asm.op(load_float(true), false, result, Rm::Mem(from));
            self.finish_vector(result);
        } else {
            let result = self.new_general();
            self.asm.mov(true, result, Rm::Mem(from));
            self.finish_general(result, false);
        }
    }

    pub(crate) fn global_set(&mut self, is_float: bool, is_imported: bool) {
        let value = self.operand(1);
        let value = match value {
            Value::Constant(_) => Err(value),
            _ if is_float && self.holder(value).is_some_and(|holder| holder >= XMM) => {
                Ok(self.vector(value, true) + XMM)
            }
            _ => Ok(self.general(value, true)),
        };
        let to = self.global(is_imported);
        match value {
            Ok(holder) if holder >= XMM => self.asm.op(0xf200_0f11, false, holder - XMM, Rm::Mem(to)),
            Ok(register) => self.asm.store(true, to, register),
            Err(value) => {
                self.load_scratch(RDI, value);
                self.asm.store(true, to, RDI);
            }
        }
        self.use_up();
    }

    /// A sum of an `i32` global and a constant.
    pub(crate) fn global_plus(&mut self) {
        let from = self.global(false);
        let addend = self.field(1) as i32;
        let result = self.new_general();
        self.asm.mov(false, result, Rm::Mem(from));
        self.asm.alu_imm(Alu::Add, false, Rm::Reg(result), addend);
        self.finish_general(result, true);
    }

    /// A sum with a constant, into an `i32` global.
    pub(crate) fn set_global_plus(&mut self) {
        let (value, addend) = (self.operand(1), self.field(2) as i32);
        let value = self.general(value, false);
        let to = self.global(false);
        self.asm.lea(false, RAX, Mem::at(value, addend));
        self.asm.store(true, to, RAX);
        self.use_up();
    }

    pub(crate) fn select(&mut self, is_float: bool) {
        let (a, b, condition) = (self.operand(0), self.operand(1), self.operand(2));
        let condition = self.general(condition, false);
        if is_float {
            let result = self.new_vector();
            self.load_scratch(RAX, a);
            self.load_scratch(RDI, b);
            self.asm.test(false, condition);
            self.asm.op(0x0f45, true, RDI, Rm::Reg(RAX));
            self.asm.op(0x6600_0f6e, true, result, Rm::Reg(RDI));
            self.finish_vector(result);
            return;
        }
        let rm = self.general_rm(a, true);
        let result = self.general_in_place(b, true);
        self.asm.test(false, condition);
        self.asm.op(0x0f45, true, result, rm);
        self.finish_general(result, false);
    }
}
