//! Loads and stores.

use super::access::{Address, Loaded};
use super::assemble::{Alu, Mem, RAX, RCX, RDI, RDX, Rm, Shift, condition};
use super::function::{Compiler, Value};
use super::link::Goal;
use super::state::XMM;
use wasmr_runtime::vm::VmMemory;

impl Compiler<'_> {
    /// Returns the operand at a 32-bit address plus a 32-bit offset in guard-paged memory. It may be relative to `rax`.
    pub(crate) fn guarded(&mut self, address: Value, offset: u64) -> Mem {
        if let Value::Constant(address) = address {
            return self.at_constant(u64::from(address as u32) + offset);
        }
        let index = self.zero_extended(address);
        self.at_index(index, offset)
    }

    fn at_constant(&mut self, distance: u64) -> Mem {
        if let Ok(short) = i32::try_from(distance) {
            return Mem::at(RDX, short);
        }
        self.asm.constant(RAX, distance);
        Mem::indexed(RDX, RAX, 0)
    }

    /// Returns the operand at a zero-extended register plus an offset.
    fn at_index(&mut self, index: u8, offset: u64) -> Mem {
        if let Ok(short) = i32::try_from(offset) {
            return Mem::indexed(RDX, index, short);
        }
        self.asm.constant(RDI, offset);
        if index != RAX {
            self.asm.mov(true, RAX, Rm::Reg(index));
        }
        self.asm.alu(Alu::Add, true, RAX, Rm::Reg(RDI));
        Mem::indexed(RDX, RAX, 0)
    }

    /// Returns the operand of a load.
    pub(crate) fn load_address(&mut self, form: Address) -> Mem {
        match form {
            Address::Plain => {
                let (address, offset) = (self.operand(0), self.field(1) as u64);
                self.guarded(address, offset)
            }
            Address::Indexed => {
                let (x, y, offset) = (self.operand(0), self.operand(1), self.field(2) as u64);
                let sum = match (x, y) {
                    (Value::Constant(x), Value::Constant(y)) => {
                        return self.at_constant(u64::from((x as u32).wrapping_add(y as u32)) + offset);
                    }
                    (Value::Constant(constant), other) | (other, Value::Constant(constant)) => {
                        Mem::at(self.general(other, false), constant as i32)
                    }
                    (x, y) => {
                        let x = self.general(x, false);
                        Mem::indexed(x, self.general(y, false), 0)
                    }
                };
                self.asm.lea(false, RAX, sum);
                self.at_index(RAX, offset)
            }
            Address::Displaced => {
                let (x, addend, offset) = (self.operand(0), self.field(1) as i32, u64::from(self.field(2) as u32));
                if let Value::Constant(x) = x {
                    return self.at_constant(u64::from((x as u32).wrapping_add(addend as u32)) + offset);
                }
                let x = self.general(x, false);
                self.asm.lea(false, RAX, Mem::at(x, addend));
                self.at_index(RAX, offset)
            }
        }
    }

    pub(crate) fn load(&mut self, code: Loaded, form: Address) {
        let from = self.load_address(form);
        self.load_from(code, from);
    }

    /// Ends the current instruction with a load, which may fault.
    fn load_from(&mut self, code: Loaded, from: Mem) {
        if code.is_float {
            let result = self.new_vector();
            self.may_fault();
            self.asm.op(code.opcode, false, result, Rm::Mem(from));
            self.finish_vector(result);
            return;
        }
        let result = match from.index {
            Some((index, _)) if index != RAX => self.general_after(index),
            _ => self.new_general(),
        };
        self.may_fault();
        self.asm.op(code.opcode, code.wide, result, Rm::Mem(from));
        self.finish_general(result, !code.wide);
    }

    pub(crate) fn store(&mut self, bytes: u8) {
        let (address, offset, value) = (self.operand(0), self.field(1) as u64, self.operand(2));
        let stored = self.stored(bytes, value);
        let to = self.guarded(address, offset);
        self.may_fault();
        self.store_to(bytes, to, stored);
        self.use_up();
    }

    /// Puts the value of a store into a place. A constant that the machine instruction cannot have is put into a register.
    pub(crate) fn stored(&mut self, bytes: u8, value: Value) -> Stored {
        match (value, self.holder(value)) {
            (Value::Constant(value), _) if bytes < 8 => Stored::Constant(value as i32),
            (Value::Constant(value), _) if i32::try_from(value).is_ok() => Stored::Constant(value as i32),
            (_, Some(holder)) if holder >= XMM && bytes >= 4 => {
                self.state.lock(holder);
                Stored::Vector(holder - XMM)
            }
            _ => Stored::General(self.general(value, true)),
        }
    }

    pub(crate) fn store_to(&mut self, bytes: u8, to: Mem, stored: Stored) {
        match (stored, bytes) {
            (Stored::Constant(value), _) => self.asm.store_imm(bytes, to, value),
            (Stored::Vector(register), 4) => self.asm.op(0xf300_0f11, false, register, Rm::Mem(to)),
            (Stored::Vector(register), _) => self.asm.op(0xf200_0f11, false, register, Rm::Mem(to)),
            (Stored::General(register), 1) => self.asm.op_byte(0x88, register, Rm::Mem(to)),
            (Stored::General(register), 2) => self.asm.op(0x6600_0089, false, register, Rm::Mem(to)),
            (Stored::General(register), _) => self.asm.store(bytes == 8, to, register),
        }
    }

    /// The size of a memory in pages of two to the power of `log2` bytes.
    pub(crate) fn memory_size(&mut self, log2: u8) {
        let memory = self.field(0) as i32;
        let result = self.new_general();
        self.asm.mov(true, RAX, Rm::Mem(Mem::at(RCX, memory)));
        self.asm.mov(true, result, Rm::Mem(Mem::at(RAX, std::mem::offset_of!(VmMemory, len) as i32)));
        if log2 != 0 {
            self.asm.shift_imm(Shift::RightUnsigned, true, result, log2);
        }
        self.finish_general(result, false);
    }

    /// Appends a bounds check. Returns the operand at an address plus an offset in the memory whose pointer is at `memory` in
    /// the instance. `limit` is a register for the check.
    pub(crate) fn checked(&mut self, is_64: bool, bytes: u8, address: u8, limit: u8, bail: Goal) -> Mem {
        let (memory, offset) = (self.field(0) as i32, self.field(2) as u64);
        self.asm.mov(true, RDI, Rm::Mem(Mem::at(RCX, memory)));
        match i32::try_from(offset) {
            Ok(offset) if !is_64 => self.asm.lea(true, RAX, Mem::at(address, offset)),
            Ok(0) => self.asm.mov(true, RAX, Rm::Reg(address)),
            _ => {
                self.asm.constant(RAX, offset);
                self.asm.alu(Alu::Add, true, RAX, Rm::Reg(address));
                self.branch(condition::BELOW, bail);
            }
        }
        self.asm.mov(true, limit, Rm::Mem(Mem::at(RDI, std::mem::offset_of!(VmMemory, len) as i32)));
        self.asm.alu_imm(Alu::Sub, true, Rm::Reg(limit), bytes.into());
        self.branch(condition::BELOW, bail);
        self.asm.alu(Alu::Cmp, true, RAX, Rm::Reg(limit));
        self.branch(condition::ABOVE, bail);
        self.asm.alu(Alu::Add, true, RAX, Rm::Mem(Mem::at(RDI, std::mem::offset_of!(VmMemory, base) as i32)));
        Mem::at(RAX, 0)
    }

    pub(crate) fn checked_address(&mut self, is_64: bool) -> u8 {
        let address = self.operand(1);
        if is_64 { self.general(address, true) } else { self.zero_extended(address) }
    }

    pub(crate) fn load_checked(&mut self, code: Loaded, is_64: bool) {
        let address = self.checked_address(is_64);
        let limit = self.new_general();
        let result = if code.is_float { self.new_vector() } else { limit };
        let bail = self.bail();
        let from = self.checked(is_64, code.bytes, address, limit, bail);
        self.asm.op(code.opcode, code.wide, result, Rm::Mem(from));
        if code.is_float {
            self.finish_vector(result);
        } else {
            self.finish_general(result, !code.wide);
        }
    }

    pub(crate) fn store_checked(&mut self, bytes: u8, is_64: bool) {
        let value = self.operand(3);
        let stored = self.stored(bytes, value);
        let address = self.checked_address(is_64);
        let limit = self.new_general();
        let bail = self.bail();
        let to = self.checked(is_64, bytes, address, limit, bail);
        self.store_to(bytes, to, stored);
        self.use_up();
    }
}

/// The value of a store, in its place.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Stored {
    Constant(i32),
    General(u8),
    Vector(u8),
}
