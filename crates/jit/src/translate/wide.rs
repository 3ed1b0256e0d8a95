//! Wide arithmetic, on 128-bit numbers: two operands each, the low half first
//! (<https://github.com/WebAssembly/wide-arithmetic>).

use cranelift_codegen::ir::{InstBuilder, Value, types};
use cranelift_frontend::FuncInstBuilder;
use wasmparser::Operator;

use super::state::Translator;

impl Translator<'_, '_> {
    /// Translates `operator` if it is one of this category. Returns true if it was.
    pub(super) fn wide_operator(&mut self, operator: &Operator<'_>) -> bool {
        let result = match operator {
            Operator::I64Add128 => {
                let (a, b) = self.pop2_wide();
                self.builder.ins().iadd(a, b)
            }
            Operator::I64Sub128 => {
                let (a, b) = self.pop2_wide();
                self.builder.ins().isub(a, b)
            }
            Operator::I64MulWideS => self.mul_wide(|ins, half| ins.sextend(types::I128, half)),
            Operator::I64MulWideU => self.mul_wide(|ins, half| ins.uextend(types::I128, half)),
            _ => return false,
        };
        let (low, high) = self.builder.ins().isplit(result);
        self.push_all(&[low, high]);
        true
    }

    fn pop2_wide(&mut self) -> (Value, Value) {
        let (low, high) = self.pop2();
        let upper = self.builder.ins().iconcat(low, high);
        let (low, high) = self.pop2();
        (self.builder.ins().iconcat(low, high), upper)
    }

    /// Multiplies two operands after `extend` has made them twice as wide. Cranelift's instruction selector makes one
    /// multiplication of it.
    fn mul_wide(&mut self, extend: impl Fn(FuncInstBuilder<'_, '_>, Value) -> Value) -> Value {
        let (a, b) = self.pop2();
        let (a, b) = (extend(self.builder.ins(), a), extend(self.builder.ins(), b));
        self.builder.ins().imul(a, b)
    }
}
