//! Scalar numeric operators, comparisons, and the instructions that do two operators.

use super::assemble::{Alu, Mem, Opcode, RAX, RCX, RDI, RDX, Rm, Shift, condition};
use super::function::{Compiler, Value};
use super::link::Goal;
use super::rows::{Binary, Compare, Unary};

/// A comparison whose operands are in their places.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Prepared {
    /// The register with itself.
    Test {
        wide: bool,
        register: u8,
    },
    Constant {
        wide: bool,
        rm: Rm,
        value: i32,
    },
    Pair {
        wide: bool,
        register: u8,
        rm: Rm,
    },
    Float {
        opcode: Opcode,
        register: u8,
        rm: Rm,
    },
}

/// Returns a constant as an immediate operand, if it fits.
fn immediate(value: Value, wide: bool) -> Option<i32> {
    match value {
        Value::Constant(value) if wide => i32::try_from(value).ok(),
        Value::Constant(value) => Some(value as i32),
        _ => None,
    }
}

impl Compiler<'_> {
    pub(crate) fn binary(&mut self, code: Binary) {
        let (x, y) = (self.operand(0), self.operand(1));
        match code {
            Binary::Alu { alu, wide } => self.alu(alu, wide, x, y),
            Binary::Multiply { wide } => self.multiply(wide, x, y),
            Binary::Shift { shift, wide } => self.shift(shift, wide, x, y),
            Binary::Divide { signed, wide, remainder } => self.divide(signed, wide, remainder, x, y),
            Binary::Float { opcode, is_64 } => {
                let rm = self.vector_rm(y, is_64);
                let constant = self.constant;
                let result = self.vector_in_place(x, is_64);
                // The other operand may be a constant, too.
                self.constant = constant;
                self.op(opcode, false, result, rm);
                self.finish_vector(result);
            }
            Binary::CopySign { is_64 } => self.copy_sign(is_64, x, y),
            Binary::Extreme { opcode, equal, is_64 } => self.extreme(opcode, equal, is_64, x, y),
        }
    }

    fn alu(&mut self, alu: Alu, wide: bool, x: Value, y: Value) {
        let commutes = alu != Alu::Sub;
        let (x, y) = if commutes && matches!(x, Value::Constant(_)) { (y, x) } else { (x, y) };
        if let Some(value) = immediate(y, wide) {
            let addend = match alu {
                Alu::Add => Some(value),
                Alu::Sub => value.checked_neg(),
                _ => None,
            };
            if let (Some(addend), false) = (addend, matches!(x, Value::Constant(_))) {
                let from = self.general(x, wide);
                let result = self.general_after(from);
                if result == from {
                    self.asm.alu_imm(Alu::Add, wide, Rm::Reg(result), addend);
                } else {
                    self.asm.lea(wide, result, Mem::at(from, addend));
                }
                self.finish_general(result, !wide);
                return;
            }
            let result = self.general_in_place(x, wide);
            self.asm.alu_imm(alu, wide, Rm::Reg(result), value);
            self.finish_general(result, !wide);
            return;
        }
        let rm = self.general_rm(y, wide);
        if let Rm::Reg(other) = rm
            && commutes
            && self.general_after_is_free(other)
        {
            let rm = self.general_rm(x, wide);
            self.asm.alu(alu, wide, other, rm);
            self.finish_general(other, !wide);
            return;
        }
        let result = self.general_in_place(x, wide);
        self.asm.alu(alu, wide, result, rm);
        self.finish_general(result, !wide);
    }

    /// Returns true if the value of a register is not used after the current instruction.
    fn general_after_is_free(&self, register: u8) -> bool {
        self.state.is_last_use(register, &self.gone, Some(self.state.acc()))
    }

    fn multiply(&mut self, wide: bool, x: Value, y: Value) {
        let (x, y) = if matches!(x, Value::Constant(_)) { (y, x) } else { (x, y) };
        if let Some(value) = immediate(y, wide) {
            let rm = self.general_rm(x, wide);
            let result = match rm {
                Rm::Reg(from) => self.general_after(from),
                _ => self.new_general(),
            };
            match i8::try_from(value) {
                Ok(short) => self.asm.op_imm8(0x6b, wide, result, rm, short as u8),
                Err(_) => self.asm.op_imm32(0x69, wide, result, rm, value),
            }
            self.finish_general(result, !wide);
            return;
        }
        let rm = self.general_rm(y, wide);
        let result = self.general_in_place(x, wide);
        self.asm.op(0x0faf, wide, result, rm);
        self.finish_general(result, !wide);
    }

    fn shift(&mut self, shift: Shift, wide: bool, x: Value, y: Value) {
        if let Value::Constant(count) = y {
            let result = self.general_in_place(x, wide);
            let count = count as u8 & if wide { 63 } else { 31 };
            if count != 0 {
                self.asm.shift_imm(shift, wide, result, count);
            } else if !wide {
                self.asm.mov(false, result, Rm::Reg(result));
            }
            self.finish_general(result, !wide);
            return;
        }
        let count = self.general(y, wide);
        let is_rotation = matches!(shift, Shift::RotateLeft | Shift::RotateRight);
        if super::features::features().bmi2 && !is_rotation {
            let from = self.general(x, wide);
            let result = self.general_after(from);
            self.asm.shift_bmi2(shift, wide, result, from, count);
            self.finish_general(result, !wide);
            return;
        }
        let result = self.general_in_place(x, wide);
        // No machine instruction between the moves may fault: a landing needs the instance in `rcx`.
        self.asm.mov(true, RDI, Rm::Reg(RCX));
        self.asm.mov(false, RCX, Rm::Reg(count));
        self.asm.shift_cl(shift, wide, result);
        self.asm.mov(true, RCX, Rm::Reg(RDI));
        self.finish_general(result, !wide);
    }

    fn divide(&mut self, signed: bool, wide: bool, remainder: bool, x: Value, y: Value) {
        let constant = match y {
            Value::Constant(value) if wide => Some(value),
            Value::Constant(value) if signed => Some(i64::from(value as i32)),
            Value::Constant(value) => Some(i64::from(value as u32)),
            _ => None,
        };
        if constant == Some(0) || (constant == Some(-1) && signed) {
            // It traps, or the machine instruction faults.
            self.leave_to_handler();
            return;
        }
        if let Some(value) = constant.filter(|value| (*value as u64).is_power_of_two() && !signed) {
            let result = self.general_in_place(x, wide);
            if !remainder {
                match value.trailing_zeros() as u8 {
                    0 if wide => {}
                    0 => self.asm.mov(false, result, Rm::Reg(result)),
                    count => self.asm.shift_imm(Shift::RightUnsigned, wide, result, count),
                }
            } else if let Ok(mask) = i32::try_from(value.wrapping_sub(1)) {
                self.asm.alu_imm(Alu::And, wide, Rm::Reg(result), mask);
            } else {
                self.asm.constant(RAX, value.wrapping_sub(1) as u64);
                self.asm.alu(Alu::And, wide, result, Rm::Reg(RAX));
            }
            self.finish_general(result, !wide);
            return;
        }
        let divisor = self.general(y, wide);
        let dividend = match x {
            Value::Constant(_) => Rm::Reg(self.general(x, wide)),
            _ => self.general_rm(x, wide),
        };
        let result = self.new_general();
        if constant.is_none() {
            let bail = self.bail();
            if signed {
                // 0 and -1 are left to the handler.
                self.asm.lea(wide, RAX, Mem::at(divisor, 1));
                self.asm.alu_imm(Alu::Cmp, wide, Rm::Reg(RAX), 1);
                self.branch(condition::BELOW_EQUAL, bail);
            } else {
                self.asm.test(wide, divisor);
                self.branch(condition::EQUAL, bail);
            }
        }
        self.asm.mov(wide, RAX, dividend);
        self.asm.mov(true, RDI, Rm::Reg(RDX));
        if signed {
            self.asm.sign_extend_rax(wide);
        } else {
            self.asm.alu(Alu::Xor, false, RDX, Rm::Reg(RDX));
        }
        self.asm.op(0xf7, wide, if signed { 7 } else { 6 }, Rm::Reg(divisor));
        self.asm.mov(wide, result, Rm::Reg(if remainder { RDX } else { RAX }));
        self.asm.mov(true, RDX, Rm::Reg(RDI));
        self.finish_general(result, !wide);
    }

    /// The smaller or larger of two floats. NaNs are left to the handler.
    fn extreme(&mut self, opcode: Opcode, equal: Opcode, is_64: bool, x: Value, y: Value) {
        let (x, y) = (self.vector(x, is_64), self.vector(y, is_64));
        let result = self.vector_after(x);
        let bail = self.bail();
        self.asm.op(compare_floats(is_64), false, x, Rm::Reg(y));
        self.branch(condition::PARITY, bail);
        if result != x {
            self.asm.op(0x0f28, false, result, Rm::Reg(x));
        }
        let differ = self.asm.branch_short(condition::NOT_EQUAL);
        self.asm.op(equal, false, result, Rm::Reg(y));
        let end = self.asm.jump_short();
        self.asm.land_short(differ);
        self.asm.op(opcode, false, result, Rm::Reg(y));
        self.asm.land_short(end);
        self.finish_vector(result);
    }

    pub(crate) fn unary(&mut self, code: Unary) {
        let x = self.operand(0);
        match code {
            Unary::Zero { wide } => {
                let register = self.general(x, wide);
                let result = self.general_after(register);
                self.asm.test(wide, register);
                self.asm.set(condition::EQUAL, result);
                self.finish_general(result, true);
            }
            Unary::General { opcode, wide, narrow } => {
                let rm = self.general_rm(x, wide);
                let result = match rm {
                    Rm::Reg(from) => self.general_after(from),
                    _ => self.new_general(),
                };
                if narrow && !wide {
                    self.asm.op_byte(opcode, result, rm);
                } else {
                    self.asm.op(opcode, wide, result, rm);
                }
                self.finish_general(result, !wide);
            }
            Unary::Low { wide } => {
                let rm = self.general_rm(x, wide);
                let result = match rm {
                    Rm::Reg(from) => self.general_after(from),
                    _ => self.new_general(),
                };
                if rm != Rm::Reg(result) || !self.state.is_narrow(result) {
                    self.asm.mov(false, result, rm);
                }
                self.finish_general(result, true);
            }
            Unary::Float { opcode, is_64 } => {
                let from = self.vector(x, is_64);
                let result = self.new_vector();
                self.zero_vector(result);
                self.asm.op(opcode, false, result, Rm::Reg(from));
                self.finish_vector(result);
            }
            Unary::Round { mode, is_64 } => {
                let from = self.vector(x, is_64);
                let result = self.new_vector();
                self.zero_vector(result);
                let opcode = if is_64 { 0x660f_3a0b } else { 0x660f_3a0a };
                self.asm.op_imm8(opcode, false, result, Rm::Reg(from), mode);
                self.finish_vector(result);
            }
            Unary::Sign { opcode, mask, is_64 } => {
                let result = self.vector_in_place(x, is_64);
                self.asm.constant(RAX, mask);
                self.asm.op(0x6600_0f6e, true, 15, Rm::Reg(RAX));
                self.asm.op(opcode, false, result, Rm::Reg(15));
                self.finish_vector(result);
            }
            Unary::Convert { opcode, wide, unsigned } => {
                let from = if unsigned { self.zero_extended(x) } else { self.general(x, wide) };
                let result = self.new_vector();
                self.zero_vector(result);
                self.asm.op(opcode, wide, result, Rm::Reg(from));
                self.finish_vector(result);
            }
            Unary::Truncate { opcode, wide, unsigned, is_64 } => {
                let from = self.vector(x, is_64);
                let result = self.new_general();
                let bail = self.bail();
                self.asm.op(opcode, wide || unsigned, result, Rm::Reg(from));
                if unsigned {
                    // The result has 32 bits.
                    self.asm.mov(false, RAX, Rm::Reg(result));
                    self.asm.alu(Alu::Cmp, true, RAX, Rm::Reg(result));
                    self.branch(condition::NOT_EQUAL, bail);
                } else {
                    // Of all numbers, only the one for unusual values overflows.
                    self.asm.alu_imm(Alu::Cmp, wide, Rm::Reg(result), 1);
                    self.branch(condition::OVERFLOW, bail);
                }
                self.finish_general(result, !wide);
            }
            Unary::ConvertLong { opcode, add } => self.convert_long(opcode, add, x),
            Unary::TruncateLong { opcode, subtract, is_64 } => self.truncate_long(opcode, subtract, is_64, x),
            Unary::Bits { is_64 } => {
                let result = self.new_general();
                self.load_general(result, x, true);
                if !is_64 {
                    self.asm.mov(false, result, Rm::Reg(result));
                }
                self.finish_general(result, !is_64);
            }
            Unary::OfBits { is_64 } => {
                let result = self.new_vector();
                self.load_vector(result, x, is_64);
                self.finish_vector(result);
            }
        }
    }

    /// Clears a vector register, so that an instruction that writes a part of it need not wait for its old value.
    pub(crate) fn zero_vector(&mut self, register: u8) {
        self.asm.op(0x0f57, false, register, Rm::Reg(register));
    }

    /// Puts the operands of a comparison into places. Returns with the comparison the condition for its outcome.
    pub(crate) fn prepare(&mut self, code: Compare, x: Value, y: Value) -> (Prepared, u8) {
        match code {
            Compare::Integer { condition, wide } => (self.prepare_integers(wide, x, y), condition),
            Compare::Float { condition, exchanged, is_64 } => {
                let (x, y) = if exchanged { (y, x) } else { (x, y) };
                let register = self.vector(x, is_64);
                let rm = self.vector_rm(y, is_64);
                (Prepared::Float { opcode: compare_floats(is_64), register, rm }, condition)
            }
            Compare::FloatEqual { negated, is_64 } => {
                let (x, y) = (self.vector(x, is_64), self.vector(y, is_64));
                // Unordered operands look equal.
                let result = self.new_general();
                self.asm.op(compare_floats(is_64), false, x, Rm::Reg(y));
                self.asm.set(if negated { condition::PARITY } else { condition::NOT_PARITY }, result);
                self.asm.constant(RDI, negated.into());
                self.asm.op(0x0f45, false, result, Rm::Reg(RDI));
                (Prepared::Test { wide: false, register: result }, condition::NOT_EQUAL)
            }
        }
    }

    /// Puts the operands of a comparison of integers into places.
    pub(crate) fn prepare_integers(&mut self, wide: bool, x: Value, y: Value) -> Prepared {
        match immediate(y, wide) {
            Some(value) => {
                let rm = match x {
                    Value::Constant(_) => Rm::Reg(self.general(x, wide)),
                    _ => self.general_rm(x, wide),
                };
                match (value, rm) {
                    (0, Rm::Reg(register)) => Prepared::Test { wide, register },
                    _ => Prepared::Constant { wide, rm, value },
                }
            }
            None => {
                let register = self.general(x, wide);
                Prepared::Pair { wide, register, rm: self.general_rm(y, wide) }
            }
        }
    }

    /// Appends a comparison, which sets the flags.
    pub(crate) fn compare_prepared(&mut self, prepared: Prepared) {
        match prepared {
            Prepared::Test { wide, register } => self.asm.test(wide, register),
            Prepared::Constant { wide, rm, value } => self.asm.alu_imm(Alu::Cmp, wide, rm, value),
            Prepared::Pair { wide, register, rm } => self.asm.alu(Alu::Cmp, wide, register, rm),
            Prepared::Float { opcode, register, rm } => self.op(opcode, false, register, rm),
        }
    }

    pub(crate) fn compare(&mut self, code: Compare) {
        let (x, y) = (self.operand(0), self.operand(1));
        let (prepared, condition) = self.prepare(code, x, y);
        if let (Compare::FloatEqual { .. }, Prepared::Test { register, .. }) = (code, prepared) {
            self.finish_general(register, true);
            return;
        }
        let result = self.new_general();
        self.compare_prepared(prepared);
        self.asm.set(condition, result);
        self.finish_general(result, true);
    }

    pub(crate) fn branch_compare(&mut self, code: Compare, wanted: bool) {
        let (x, y) = (self.operand(0), self.operand(1));
        let (prepared, condition) = self.prepare(code, x, y);
        self.branch_prepared(prepared, condition ^ u8::from(!wanted));
    }

    /// Ends the current instruction with a branch on a comparison.
    pub(crate) fn branch_prepared(&mut self, prepared: Prepared, condition: u8) {
        self.use_up();
        self.flush();
        self.compare_prepared(prepared);
        let target = self.target();
        self.branch_to_word(Some(condition), target);
    }

    pub(crate) fn count_and_branch(&mut self, code: Compare, wanted: bool) {
        let Compare::Integer { condition, .. } = code else { return self.leave_to_handler() };
        let (a, addend, bound) = (self.operand(0), self.field(1) as i32, self.operand(3));
        let bound = match immediate(bound, false) {
            Some(value) => Err(value),
            None => Ok(self.general_rm(bound, false)),
        };
        let sum = self.general_in_place(a, false);
        let bound = match bound {
            Ok(rm) if rm == Rm::Reg(sum) => {
                self.asm.mov(false, RDI, rm);
                Ok(Rm::Reg(RDI))
            }
            other => other,
        };
        // The bound may be the slot of the sum.
        let is_sum = self.result_slot().is_some() && self.place(3) == Value::Slot(self.result_slot().unwrap_or(0));
        self.asm.alu_imm(Alu::Add, false, Rm::Reg(sum), addend);
        self.finish_general(sum, true);
        self.flush();
        match bound {
            _ if is_sum => self.asm.alu(Alu::Cmp, false, sum, Rm::Reg(sum)),
            Ok(rm) => self.asm.alu(Alu::Cmp, false, sum, rm),
            Err(0) => self.asm.test(false, sum),
            Err(value) => self.asm.alu_imm(Alu::Cmp, false, Rm::Reg(sum), value),
        }
        let target = self.target();
        self.branch_to_word(Some(condition ^ u8::from(!wanted)), target);
    }

    /// `i32.add(a, i32.shl(b, x))`.
    pub(crate) fn add_scaled(&mut self) {
        let (a, b, count) = (self.operand(0), self.operand(1), self.field(2) as u8 & 31);
        if count <= 3 {
            let (base, index) = (self.general(a, false), self.general(b, false));
            let result = self.general_after(index);
            self.asm.lea(false, result, Mem { base, index: Some((index, count)), displacement: 0 });
            self.finish_general(result, true);
            return;
        }
        let rm = self.general_rm(a, false);
        let result = self.general_in_place(b, false);
        // The operand may be in the register of the result.
        if rm == Rm::Reg(result) {
            self.asm.mov(false, RAX, rm);
        }
        self.asm.shift_imm(Shift::Left, false, result, count);
        self.asm.alu(Alu::Add, false, result, if rm == Rm::Reg(result) { Rm::Reg(RAX) } else { rm });
        self.finish_general(result, true);
    }

    /// `i32.and(i32.shr_u(a, b), x)`.
    pub(crate) fn bit_field(&mut self) {
        let (a, count, mask) = (self.operand(0), self.field(1) as u8 & 31, self.field(2) as u16);
        let result = self.general_in_place(a, false);
        if count != 0 {
            self.asm.shift_imm(Shift::RightUnsigned, false, result, count);
        }
        self.asm.alu_imm(Alu::And, false, Rm::Reg(result), mask.into());
        self.finish_general(result, true);
    }

    /// Takes fuel. If too little is left, the handler traps.
    pub(crate) fn charge(&mut self) {
        let Ok(cost) = i32::try_from(self.field(0)) else { return self.leave_to_handler() };
        let store = std::mem::offset_of!(wasmr_runtime::vm::VmInstance, store) as i32;
        let fuel = Mem::at(RAX, std::mem::offset_of!(wasmr_runtime::vm::VmStore, fuel) as i32);
        let bail: Goal = self.bail();
        self.asm.mov(true, RAX, Rm::Mem(Mem::at(RCX, store)));
        self.asm.alu_imm(Alu::Cmp, true, Rm::Mem(fuel), cost);
        self.branch(condition::BELOW, bail);
        self.asm.alu_imm(Alu::Sub, true, Rm::Mem(fuel), cost);
    }
}

/// Returns the opcode of a comparison of floats.
fn compare_floats(is_64: bool) -> Opcode {
    if is_64 { 0x6600_0f2e } else { 0x0f2e }
}
