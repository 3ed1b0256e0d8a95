//! Scalar numeric operators: those that take several instructions.
//!
//! Each operator becomes the Cranelift instruction that means the same as its function in [`ops`](wasmr_core::ops), by its row in
//! [`clif`](super::clif); where that is less than obvious:
//!
//! - Shift and rotation counts: Cranelift takes them modulo the width too.
//! - Division, remainder and trapping truncation: Cranelift's instructions trap by themselves, with codes of its own that
//!   [`compile`](crate::compile) turns into ours. The remainder of `MIN / -1` is 0 there as well.
//! - `min`, `max`, `nearest` and the saturating truncations are defined by Cranelift as they are by the spec. Of two NaNs its
//!   scalar `min` and `max` give the second, hence the exchanged operands.
//! - `neg` is an exclusive or with the sign, as `operand_order.rs` says.
//! - A comparison gives an `I8`, which is widened at once. Where it is used as a condition, the optimiser drops that again.

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{InstBuilder, Type, Value, types};

use super::state::Translator;

impl Translator<'_, '_> {
    /// Flips the sign of a float, NaNs included.
    pub(super) fn negate(&mut self, ty: Type) -> Value {
        let a = self.pop();
        let sign = match ty {
            types::F32 => self.builder.ins().f32const(-0.0),
            _ => self.builder.ins().f64const(-0.0),
        };
        self.builder.ins().bxor(a, sign)
    }

    /// Extends the low bits of an operand that has the result's type.
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

    /// Makes an `i32` of a truth value.
    pub(super) fn truth(&mut self, truth: Value) -> Value {
        self.builder.ins().uextend(types::I32, truth)
    }
}
