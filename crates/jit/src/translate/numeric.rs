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

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{InstBuilder, Type, Value, types};

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
