//! `copysign`, and conversions between floats and unsigned integers of 64 bits, for which there is no machine instruction.

use super::assemble::{Alu, Opcode, RAX, RDI, Rm, Shift, condition};
use super::function::{Compiler, Value};
use super::sse::{ANDPS, MOVAPS, ORPS};
use super::vector::{T, U};

/// 2^63 as `f32` and as `f64`.
const TWO_63: (u32, u64) = (0x5f00_0000, 0x43e0_0000_0000_0000);

impl Compiler<'_> {
    pub(crate) fn copy_sign(&mut self, is_64: bool, x: Value, y: Value) {
        let y = self.vector(y, is_64);
        let x = self.vector(x, is_64);
        let result = self.vector_after(x);
        let sign = if is_64 { 1 << 63 } else { 1 << 31 };
        self.load_constant(T, sign, 0);
        self.load_constant(U, sign - 1, 0);
        self.asm.op(ANDPS, false, T, Rm::Reg(y));
        self.asm.op(ANDPS, false, U, Rm::Reg(x));
        self.asm.op(ORPS, false, T, Rm::Reg(U));
        self.asm.op(MOVAPS, false, result, Rm::Reg(T));
        self.finish_vector(result);
    }

    /// Converts to a float. Of a number from 2^63 on, it converts half, and keeps the bit that decides about rounding.
    pub(crate) fn convert_long(&mut self, opcode: Opcode, add: Opcode, x: Value) {
        let from = self.general(x, true);
        let result = self.new_vector();
        self.zero_vector(result);
        self.asm.test(true, from);
        let large = self.asm.branch_short(condition::SIGN);
        self.asm.op(opcode, true, result, Rm::Reg(from));
        let end = self.asm.jump_short();
        self.asm.land_short(large);
        self.asm.mov(true, RAX, Rm::Reg(from));
        self.asm.mov(false, RDI, Rm::Reg(from));
        self.asm.shift_imm(Shift::RightUnsigned, true, RAX, 1);
        self.asm.alu_imm(Alu::And, false, Rm::Reg(RDI), 1);
        self.asm.alu(Alu::Or, true, RAX, Rm::Reg(RDI));
        self.asm.op(opcode, true, result, Rm::Reg(RAX));
        self.asm.op(add, false, result, Rm::Reg(result));
        self.asm.land_short(end);
        self.finish_vector(result);
    }

    /// Converts to an integer. The signed conversion is right below 2^63, and so is that of the difference from 2^63 on. Both
    /// have a negative result for what is left to the handler.
    pub(crate) fn truncate_long(&mut self, opcode: Opcode, subtract: Opcode, is_64: bool, x: Value) {
        let from = self.vector(x, is_64);
        let result = self.new_general();
        let bail = self.bail();
        self.asm.op(opcode, true, result, Rm::Reg(from));
        self.asm.test(true, result);
        let end = self.asm.branch_short(condition::NOT_SIGN);
        self.load_constant(U, if is_64 { TWO_63.1 } else { TWO_63.0.into() }, 0);
        self.asm.op(MOVAPS, false, T, Rm::Reg(from));
        self.asm.op(subtract, false, T, Rm::Reg(U));
        self.asm.op(opcode, true, result, Rm::Reg(T));
        self.asm.test(true, result);
        self.branch(condition::SIGN, bail);
        self.asm.constant(RAX, 1 << 63);
        self.asm.alu(Alu::Xor, true, result, Rm::Reg(RAX));
        self.asm.land_short(end);
        self.finish_general(result, false);
    }
}
