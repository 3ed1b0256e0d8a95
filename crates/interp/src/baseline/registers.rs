//! Operands and results in registers.

use super::assemble::{RAX, Rm};
use super::function::{Compiler, Value, slot_mem};
use super::plain_loop::LoadKind;
use super::state::{Choice, Holder, XMM};

impl Compiler<'_> {
    /// Gives up what a register holds, if it is taken. Locks it.
    fn take(&mut self, choice: Choice) -> Holder {
        let holder = match choice {
            Choice::Free(holder) => holder,
            Choice::Taken(holder) => {
                for held in self.state.slots(holder).filter(|held| held.is_dirty) {
                    self.store_held(false, holder, held);
                }
                self.state.drop_slots(holder);
                holder
            }
        };
        self.state.touch(holder);
        self.state.lock(holder);
        holder
    }

    /// Returns a general register for a new value.
    pub(crate) fn new_general(&mut self) -> u8 {
        let choice = self.state.choose_general();
        let register = self.take(choice);
        self.state.set_narrow(register, false);
        register
    }

    /// Returns a vector register for a new value.
    pub(crate) fn new_vector(&mut self) -> u8 {
        let choice = self.state.choose_vector();
        self.take(choice) - XMM
    }

    /// Returns a holder of a constant.
    pub(crate) fn constant_holder(&mut self, value: u64) -> Holder {
        if let Some(holder) = self.state.find_constant(value) {
            return holder;
        }
        let choice = self.state.choose_constant();
        let holder = self.take(choice);
        self.state.set_constant(holder, value);
        holder
    }

    /// Returns the holder of a value, if it is in a register.
    pub(crate) fn holder(&self, value: Value) -> Option<Holder> {
        match value {
            Value::Slot(slot) => self.state.holder(slot).filter(|&holder| holder < super::state::CONSTANT),
            Value::Acc => Some(self.state.acc()),
            Value::FloatAcc => Some(self.state.facc()),
            Value::Constant(_) => None,
        }
    }

    fn general_holder(&self, value: Value) -> Option<u8> {
        self.holder(value).filter(|&holder| holder < XMM)
    }

    fn vector_holder(&self, value: Value) -> Option<u8> {
        self.holder(value).filter(|&holder| holder >= XMM)
    }

    /// Moves a value into a general register that holds nothing.
    pub(crate) fn load_general(&mut self, register: u8, value: Value, wide: bool) {
        match (self.holder(value), value) {
            (Some(holder), _) if holder >= XMM => self.asm.op(0x6600_0f7e, true, holder - XMM, Rm::Reg(register)),
            (Some(holder), _) => self.asm.mov(wide, register, Rm::Reg(holder)),
            (None, Value::Slot(slot)) => self.asm.mov(wide, register, Rm::Mem(slot_mem(slot))),
            (None, Value::Constant(value)) if wide => self.asm.constant(register, value as u64),
            (None, Value::Constant(value)) => self.asm.constant(register, value as u32 as u64),
            (None, Value::Acc | Value::FloatAcc) => {}
        }
    }

    /// Returns a general register with a value. The upper half counts only if `wide`.
    pub(crate) fn general(&mut self, value: Value, wide: bool) -> u8 {
        if let Some(register) = self.general_holder(value) {
            self.state.lock(register);
            return register;
        }
        if let Value::Slot(slot) = value
            && self.state.holder(slot).is_none()
            && let Some(register) = self.at_head(slot, LoadKind::General(wide))
        {
            self.state.set_narrow(register, !wide);
            self.state.bind(register, slot, false);
            return register;
        }
        let register = self.new_general();
        self.load_general(register, value, wide);
        self.state.set_narrow(register, !wide && self.holder(value).is_none());
        if let Value::Slot(slot) = value {
            let is_dirty = self.state.is_dirty(slot);
            self.state.bind(register, slot, is_dirty);
        }
        register
    }

    /// Returns a general register with a value whose upper half is zero.
    pub(crate) fn zero_extended(&mut self, value: Value) -> u8 {
        let register = self.general(value, false);
        if !self.state.is_narrow(register) {
            self.asm.mov(false, register, Rm::Reg(register));
            self.state.set_narrow(register, true);
        }
        register
    }

    /// Returns a value in a general register or in memory.
    pub(crate) fn general_rm(&mut self, value: Value, wide: bool) -> Rm {
        match self.memory_operand(value, false) {
            Some(memory) => memory,
            None => Rm::Reg(self.general(value, wide)),
        }
    }

    /// Returns the memory of a slot, if its value is there, in no register of the class, and need not be in one.
    fn memory_operand(&self, value: Value, is_vector: bool) -> Option<Rm> {
        let Value::Slot(slot) = value else { return None };
        let holder = if is_vector { self.vector_holder(value) } else { self.general_holder(value) };
        let is_operand = holder.is_none() && !self.state.is_dirty(slot) && !self.can_be_at_head(value, is_vector);
        is_operand.then(|| Rm::Mem(slot_mem(slot)))
    }

    /// Returns a register for the result of an operation on the register `from`: the same one, if its value is not used again.
    pub(crate) fn general_after(&mut self, from: u8) -> u8 {
        let overwritten = Some(self.state.acc());
        if self.state.is_last_use(from, &self.gone, overwritten) { from } else { self.new_general() }
    }

    /// Returns a register for the result of an operation, with the operation's first operand in it.
    pub(crate) fn general_in_place(&mut self, value: Value, wide: bool) -> u8 {
        let is_local =
            matches!(value, Value::Slot(slot) if slot < self.operand_slots && !self.gone.contains(&Some(slot)));
        if (is_local || self.can_be_at_head(value, false)) && self.holder(value).is_none() {
            self.general(value, wide);
        }
        if let Some(from) = self.general_holder(value) {
            self.state.lock(from);
            let register = self.general_after(from);
            if register != from {
                self.asm.mov(wide, register, Rm::Reg(from));
            }
            return register;
        }
        let register = self.new_general();
        self.load_general(register, value, wide);
        register
    }

    /// Ends the current instruction with a result in a general register.
    pub(crate) fn finish_general(&mut self, register: u8, is_narrow: bool) {
        self.state.set_narrow(register, is_narrow);
        self.finish(register);
    }

    /// Forgets the slots that the current instruction uses up.
    pub(crate) fn use_up(&mut self) {
        for slot in self.gone.into_iter().skip(1).flatten() {
            self.state.forget(slot);
        }
    }

    fn finish(&mut self, holder: Holder) {
        self.use_up();
        self.state.drop_slots(holder);
        let slot = self.result_slot();
        if let Some(slot) = slot
            && !self.state.bind(holder, slot, true)
        {
            self.store_slot(false, holder, slot);
        }
        self.state.set_accumulator(holder, slot);
    }

    // Floats.

    /// Moves a value into a vector register that holds nothing.
    pub(crate) fn load_vector(&mut self, register: u8, value: Value, is_64: bool) {
        match (self.holder(value), value) {
            (Some(holder), _) if holder >= XMM => self.asm.op(0x0f28, false, register, Rm::Reg(holder - XMM)),
            (_, Value::Slot(slot)) if !self.state.is_dirty(slot) => {
                self.asm.op(load_float(is_64), false, register, Rm::Mem(slot_mem(slot)));
            }
            (Some(holder), _) => self.asm.op(0x6600_0f6e, true, register, Rm::Reg(holder)),
            (None, Value::Constant(0)) => self.asm.op(0x0f57, false, register, Rm::Reg(register)),
            (None, Value::Constant(_)) => {
                let rm = self.vector_rm(value, is_64);
                self.op(load_float(is_64), false, register, rm);
            }
            (None, _) => {}
        }
    }

    /// Returns a vector register with a value.
    pub(crate) fn vector(&mut self, value: Value, is_64: bool) -> u8 {
        if let Some(holder) = self.vector_holder(value) {
            self.state.lock(holder);
            return holder - XMM;
        }
        if let Value::Slot(slot) = value
            && self.state.holder(slot).is_none()
            && let Some(holder) = self.at_head(slot, LoadKind::Float(load_float(is_64)))
        {
            self.state.bind(holder, slot, false);
            return holder - XMM;
        }
        let register = self.new_vector();
        self.load_vector(register, value, is_64);
        if let Value::Slot(slot) = value {
            let is_dirty = self.state.is_dirty(slot);
            self.state.bind(register + XMM, slot, is_dirty);
        }
        register
    }

    /// Returns a value in a vector register or in memory.
    pub(crate) fn vector_rm(&mut self, value: Value, is_64: bool) -> Rm {
        if let Some(memory) = self.memory_operand(value, true) {
            return memory;
        }
        match value {
            Value::Constant(value) => {
                let bytes = value.to_le_bytes();
                self.constant = Some(self.add_constant(&bytes[..if is_64 { 8 } else { 4 }]));
                Rm::Constant
            }
            _ => Rm::Reg(self.vector(value, is_64)),
        }
    }

    /// Returns a register for the result of an operation on the vector register `from`: the same one, if its value is not used
    /// again.
    pub(crate) fn vector_after(&mut self, from: u8) -> u8 {
        let overwritten = Some(self.state.facc());
        if self.state.is_last_use(from + XMM, &self.gone, overwritten) { from } else { self.new_vector() }
    }

    /// Returns a register for the result of an operation, with the operation's first operand in it.
    pub(crate) fn vector_in_place(&mut self, value: Value, is_64: bool) -> u8 {
        let is_local =
            matches!(value, Value::Slot(slot) if slot < self.operand_slots && !self.gone.contains(&Some(slot)));
        if (is_local || self.can_be_at_head(value, true)) && self.vector_holder(value).is_none() {
            self.vector(value, is_64);
        }
        if let Some(from) = self.vector_holder(value) {
            self.state.lock(from);
            let register = self.vector_after(from - XMM);
            if register != from - XMM {
                self.asm.op(0x0f28, false, register, Rm::Reg(from - XMM));
            }
            return register;
        }
        let register = self.new_vector();
        self.load_vector(register, value, is_64);
        register
    }

    /// Ends the current instruction with a result in a vector register.
    pub(crate) fn finish_vector(&mut self, register: u8) {
        self.finish(register + XMM);
    }

    /// Puts the bits of a value into `rax`, or another scratch register.
    pub(crate) fn load_scratch(&mut self, register: u8, value: Value) {
        debug_assert!(register == RAX || register == super::assemble::RDI);
        self.load_general(register, value, true);
    }
}

/// Returns the opcode of a load of a float.
pub(crate) fn load_float(is_64: bool) -> u32 {
    if is_64 { 0xf200_0f10 } else { 0xf300_0f10 }
}
