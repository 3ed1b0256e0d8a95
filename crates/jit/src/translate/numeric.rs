//! Scalar numeric operators that take several instructions.
//!
//! The row of an operator in [`clif`](super::clif) names the Cranelift instruction with the meaning of its function in
//! [`ops`](wasmr_core::ops). The less obvious cases, by the documentation of
//! [`InstBuilder`](cranelift_codegen::ir::InstBuilder):
//!
//! - Shifts and rotations: Cranelift takes the count modulo the width, as the specification does.
//! - Division, remainder and trapping truncation: Cranelift's instructions trap by themselves, with Cranelift's trap codes,
//!   which [`trap_code`](crate::trap_code) converts. The remainder of `MIN / -1` is 0 in both.
//! - `min`, `max`, `nearest` and saturating truncation: Cranelift defines them as the specification does. Of two NaNs, its
//!   scalar `min` and `max` return the second, so their operands are exchanged.
//! - `neg`: an exclusive or with the sign, for the reason in `operand_order.rs`.
//! - Comparisons: the result is an `I8`, which is widened at once. The optimiser removes that if the result is a condition.

use cranelift_codegen::ir::condcodes::{FloatCC, IntCC};
use cranelift_codegen::ir::immediates::{Ieee32, Ieee64};
use cranelift_codegen::ir::{InstBuilder, Type, Value, types};
use wasmr_core::op::Floats;
use wasmr_core::ops::{CANONICAL_F32, CANONICAL_F64};
use wasmr_core::value::V128;

use super::state::Translator;

impl Translator<'_, '_> {
    /// Pops a float, and flips its sign, even if it is a NaN.
    pub(super) fn negate(&mut self, ty: Type) -> Value {
        let a = self.pop();
        let sign = match ty {
            types::F32 => self.builder.ins().f32const(-0.0),
            _ => self.builder.ins().f64const(-0.0),
        };
        self.builder.ins().bxor(a, sign)
    }

    /// Makes NaNs in the float or the vector on the operand stack canonical. A NaN is not ordered with itself.
    pub(super) fn canonical_nan(&mut self, floats: Floats) {
        let lanes = match floats {
            Floats::F32 | Floats::F64 => {
                let a = self.pop();
                let canonical = match floats {
                    Floats::F32 => self.builder.ins().f32const(Ieee32::with_bits(CANONICAL_F32)),
                    _ => self.builder.ins().f64const(Ieee64::with_bits(CANONICAL_F64)),
                };
                let is_nan = self.builder.ins().fcmp(FloatCC::Unordered, a, a);
                let value = self.builder.ins().select(is_nan, canonical, a);
                return self.push(value);
            }
            Floats::F32x4 => types::F32X4,
            Floats::F64x2 => types::F64X2,
        };
        let a = self.pop_vector(lanes);
        let bytes = match floats {
            Floats::F32x4 => V128::from_lanes([CANONICAL_F32; 4]),
            _ => V128::from_lanes([CANONICAL_F64; 2]),
        };
        let constant = self.builder.func.dfg.constants.insert(bytes.0.as_slice().into());
        let canonical = self.builder.ins().vconst(lanes, constant);
        let is_nan = self.builder.ins().fcmp(FloatCC::Unordered, a, a);
        let mask = self.as_vector(is_nan, lanes);
        let value = self.builder.ins().bitselect(mask, canonical, a);
        self.push(value);
    }

    /// Pops an operand of the result's type, and sign-extends its low bits, which are of type `narrow`.
    pub(super) fn sign_extend(&mut self, narrow: Type) -> Value {
        let a = self.pop();
        let wide = self.builder.func.dfg.value_type(a);
        let low = self.builder.ins().ireduce(narrow, a);
        self.builder.ins().sextend(wide, low)
    }

    pub(super) fn is_zero(&mut self, ty: Type) -> Value {
        let a = self.pop();
        let zero = self.builder.ins().iconst(ty, 0);
        let truth = self.builder.ins().icmp(IntCC::Equal, a, zero);
        self.truth(truth)
    }

    /// Widens a truth value to an `i32`.
    pub(super) fn truth(&mut self, truth: Value) -> Value {
        self.builder.ins().uextend(types::I32, truth)
    }
}
