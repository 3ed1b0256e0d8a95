//! Scalar numeric operators.
//!
//! Each becomes the Cranelift instruction that means the same as its function in [`ops`](wasmr_core::ops); where that is
//! less than obvious:
//!
//! - Shift and rotation counts: Cranelift takes them modulo the width too.
//! - Division, remainder and trapping truncation: Cranelift's instructions trap by themselves, with codes of its own that
//!   [`compile`](crate::compile) turns into ours. The remainder of `MIN / -1` is 0 there as well.
//! - `min`, `max`, `nearest` and the saturating truncations are defined by Cranelift as they are by the spec. Of two NaNs its
//!   scalar `min` and `max` give the second, hence the exchanged operands.
//! - `neg` is an exclusive or with the sign, as `operand_order.rs` says.
//! - A comparison gives an `I8`, which is widened at once. Where it is used as a condition, the optimiser drops that again.

use cranelift_codegen::ir::condcodes::{FloatCC, IntCC};
use cranelift_codegen::ir::{InstBuilder, MemFlagsData, Type, Value, types};
use cranelift_frontend::FuncInstBuilder;
use wasmparser::Operator;

use super::Translator;

impl Translator<'_, '_> {
    /// Translates an operator of this category; whether it is one.
    pub fn numeric_operator(&mut self, operator: &Operator<'_>) -> bool {
        self.integer_operator(operator)
            || self.float_operator(operator)
            || self.comparison_operator(operator)
            || self.conversion_operator(operator)
    }

    fn integer_operator(&mut self, operator: &Operator<'_>) -> bool {
        use Operator::*;
        match operator {
            I32Clz | I64Clz => self.unary(|ins, a| ins.clz(a)),
            I32Ctz | I64Ctz => self.unary(|ins, a| ins.ctz(a)),
            I32Popcnt | I64Popcnt => self.unary(|ins, a| ins.popcnt(a)),
            I32Add | I64Add => self.binary(|ins, a, b| ins.iadd(a, b)),
            I32Sub | I64Sub => self.binary(|ins, a, b| ins.isub(a, b)),
            I32Mul | I64Mul => self.binary(|ins, a, b| ins.imul(a, b)),
            I32DivS | I64DivS => self.binary(|ins, a, b| ins.sdiv(a, b)),
            I32DivU | I64DivU => self.binary(|ins, a, b| ins.udiv(a, b)),
            I32RemS | I64RemS => self.binary(|ins, a, b| ins.srem(a, b)),
            I32RemU | I64RemU => self.binary(|ins, a, b| ins.urem(a, b)),
            I32And | I64And => self.binary(|ins, a, b| ins.band(a, b)),
            I32Or | I64Or => self.binary(|ins, a, b| ins.bor(a, b)),
            I32Xor | I64Xor => self.binary(|ins, a, b| ins.bxor(a, b)),
            I32Shl | I64Shl => self.binary(|ins, a, b| ins.ishl(a, b)),
            I32ShrS | I64ShrS => self.binary(|ins, a, b| ins.sshr(a, b)),
            I32ShrU | I64ShrU => self.binary(|ins, a, b| ins.ushr(a, b)),
            I32Rotl | I64Rotl => self.binary(|ins, a, b| ins.rotl(a, b)),
            I32Rotr | I64Rotr => self.binary(|ins, a, b| ins.rotr(a, b)),
            _ => return false,
        }
        true
    }

    fn float_operator(&mut self, operator: &Operator<'_>) -> bool {
        use Operator::*;
        match operator {
            F32Abs | F64Abs => self.unary(|ins, a| ins.fabs(a)),
            F32Neg | F64Neg => self.negate(),
            F32Ceil | F64Ceil => self.unary(|ins, a| ins.ceil(a)),
            F32Floor | F64Floor => self.unary(|ins, a| ins.floor(a)),
            F32Trunc | F64Trunc => self.unary(|ins, a| ins.trunc(a)),
            F32Nearest | F64Nearest => self.unary(|ins, a| ins.nearest(a)),
            F32Sqrt | F64Sqrt => self.unary(|ins, a| ins.sqrt(a)),
            F32Add | F64Add => self.binary(|ins, a, b| ins.fadd(a, b)),
            F32Sub | F64Sub => self.binary(|ins, a, b| ins.fsub(a, b)),
            F32Mul | F64Mul => self.binary(|ins, a, b| ins.fmul(a, b)),
            F32Div | F64Div => self.binary(|ins, a, b| ins.fdiv(a, b)),
            F32Min | F64Min => self.binary(|ins, a, b| ins.fmin(b, a)),
            F32Max | F64Max => self.binary(|ins, a, b| ins.fmax(b, a)),
            F32Copysign | F64Copysign => self.binary(|ins, a, b| ins.fcopysign(a, b)),
            _ => return false,
        }
        true
    }

    fn comparison_operator(&mut self, operator: &Operator<'_>) -> bool {
        use Operator::*;
        match operator {
            I32Eqz => self.is_zero(types::I32),
            I64Eqz => self.is_zero(types::I64),
            I32Eq | I64Eq => self.compare(IntCC::Equal),
            I32Ne | I64Ne => self.compare(IntCC::NotEqual),
            I32LtS | I64LtS => self.compare(IntCC::SignedLessThan),
            I32LtU | I64LtU => self.compare(IntCC::UnsignedLessThan),
            I32GtS | I64GtS => self.compare(IntCC::SignedGreaterThan),
            I32GtU | I64GtU => self.compare(IntCC::UnsignedGreaterThan),
            I32LeS | I64LeS => self.compare(IntCC::SignedLessThanOrEqual),
            I32LeU | I64LeU => self.compare(IntCC::UnsignedLessThanOrEqual),
            I32GeS | I64GeS => self.compare(IntCC::SignedGreaterThanOrEqual),
            I32GeU | I64GeU => self.compare(IntCC::UnsignedGreaterThanOrEqual),
            F32Eq | F64Eq => self.compare_floats(FloatCC::Equal),
            F32Ne | F64Ne => self.compare_floats(FloatCC::NotEqual),
            F32Lt | F64Lt => self.compare_floats(FloatCC::LessThan),
            F32Gt | F64Gt => self.compare_floats(FloatCC::GreaterThan),
            F32Le | F64Le => self.compare_floats(FloatCC::LessThanOrEqual),
            F32Ge | F64Ge => self.compare_floats(FloatCC::GreaterThanOrEqual),
            _ => return false,
        }
        true
    }

    fn conversion_operator(&mut self, operator: &Operator<'_>) -> bool {
        use Operator::*;
        match operator {
            I32WrapI64 => self.unary(|ins, a| ins.ireduce(types::I32, a)),
            I64ExtendI32S => self.unary(|ins, a| ins.sextend(types::I64, a)),
            I64ExtendI32U => self.unary(|ins, a| ins.uextend(types::I64, a)),
            I32Extend8S => self.sign_extend(types::I8, types::I32),
            I32Extend16S => self.sign_extend(types::I16, types::I32),
            I64Extend8S => self.sign_extend(types::I8, types::I64),
            I64Extend16S => self.sign_extend(types::I16, types::I64),
            I64Extend32S => self.sign_extend(types::I32, types::I64),
            F32ConvertI32S | F32ConvertI64S => self.unary(|ins, a| ins.fcvt_from_sint(types::F32, a)),
            F32ConvertI32U | F32ConvertI64U => self.unary(|ins, a| ins.fcvt_from_uint(types::F32, a)),
            F64ConvertI32S | F64ConvertI64S => self.unary(|ins, a| ins.fcvt_from_sint(types::F64, a)),
            F64ConvertI32U | F64ConvertI64U => self.unary(|ins, a| ins.fcvt_from_uint(types::F64, a)),
            F32DemoteF64 => self.unary(|ins, a| ins.fdemote(types::F32, a)),
            F64PromoteF32 => self.unary(|ins, a| ins.fpromote(types::F64, a)),
            I32ReinterpretF32 => self.unary(|ins, a| ins.bitcast(types::I32, MemFlagsData::new(), a)),
            I64ReinterpretF64 => self.unary(|ins, a| ins.bitcast(types::I64, MemFlagsData::new(), a)),
            F32ReinterpretI32 => self.unary(|ins, a| ins.bitcast(types::F32, MemFlagsData::new(), a)),
            F64ReinterpretI64 => self.unary(|ins, a| ins.bitcast(types::F64, MemFlagsData::new(), a)),
            I32TruncF32S | I32TruncF64S => self.unary(|ins, a| ins.fcvt_to_sint(types::I32, a)),
            I32TruncF32U | I32TruncF64U => self.unary(|ins, a| ins.fcvt_to_uint(types::I32, a)),
            I64TruncF32S | I64TruncF64S => self.unary(|ins, a| ins.fcvt_to_sint(types::I64, a)),
            I64TruncF32U | I64TruncF64U => self.unary(|ins, a| ins.fcvt_to_uint(types::I64, a)),
            I32TruncSatF32S | I32TruncSatF64S => self.unary(|ins, a| ins.fcvt_to_sint_sat(types::I32, a)),
            I32TruncSatF32U | I32TruncSatF64U => self.unary(|ins, a| ins.fcvt_to_uint_sat(types::I32, a)),
            I64TruncSatF32S | I64TruncSatF64S => self.unary(|ins, a| ins.fcvt_to_sint_sat(types::I64, a)),
            I64TruncSatF32U | I64TruncSatF64U => self.unary(|ins, a| ins.fcvt_to_uint_sat(types::I64, a)),
            _ => return false,
        }
        true
    }

    /// Puts an instruction's result in the place of its operand.
    pub(super) fn unary(&mut self, instruction: impl FnOnce(FuncInstBuilder<'_, '_>, Value) -> Value) {
        let a = self.pop();
        let value = instruction(self.builder.ins(), a);
        self.push(value);
    }

    /// Puts an instruction's result in the place of its operands.
    fn binary(&mut self, instruction: impl FnOnce(FuncInstBuilder<'_, '_>, Value, Value) -> Value) {
        let (a, b) = self.pop2();
        let value = instruction(self.builder.ins(), a, b);
        self.push(value);
    }

    /// Flips the sign of a float, NaNs included.
    fn negate(&mut self) {
        let a = self.pop();
        let sign = match self.builder.func.dfg.value_type(a) {
            types::F32 => self.builder.ins().f32const(-0.0),
            _ => self.builder.ins().f64const(-0.0),
        };
        let value = self.builder.ins().bxor(a, sign);
        self.push(value);
    }

    /// Extends the low bits of an operand that has the result's type, or those of a narrower one.
    fn sign_extend(&mut self, narrow: Type, wide: Type) {
        self.unary(|ins, a| ins.ireduce(narrow, a));
        self.unary(|ins, a| ins.sextend(wide, a));
    }

    fn is_zero(&mut self, ty: Type) {
        let zero = self.builder.ins().iconst(ty, 0);
        self.push(zero);
        self.compare(IntCC::Equal);
    }

    fn compare(&mut self, condition: IntCC) {
        self.binary(|ins, a, b| ins.icmp(condition, a, b));
        self.truth();
    }

    fn compare_floats(&mut self, condition: FloatCC) {
        self.binary(|ins, a, b| ins.fcmp(condition, a, b));
        self.truth();
    }

    /// Makes the `i32` of a truth value on top of the stack.
    pub(super) fn truth(&mut self) {
        self.unary(|ins, a| ins.uextend(types::I32, a));
    }
}
