//! The operand stack, and conversions between the forms of vectors on it.

use cranelift_codegen::ir::{Endianness, InstBuilder, InstructionData, MemFlagsData, Opcode, Type, Value, types};

use super::state::Translator;

impl Translator<'_, '_> {
    pub(super) fn push(&mut self, value: Value) {
        self.stack.push(value);
    }

    /// Pushes operands, the last on top.
    pub(super) fn push_all(&mut self, values: &[Value]) {
        self.stack.extend_from_slice(values);
    }

    pub(super) fn pop(&mut self) -> Value {
        self.stack.pop().expect("validated: the operand is there")
    }

    /// Pops two operands, the lower one first.
    pub(super) fn pop2(&mut self) -> (Value, Value) {
        let upper = self.pop();
        (self.pop(), upper)
    }

    /// Pops three operands, the lowest first.
    pub(super) fn pop3(&mut self) -> (Value, Value, Value) {
        let third = self.pop();
        let (first, second) = self.pop2();
        (first, second, third)
    }

    /// Pops a vector, and casts it to this type.
    pub(super) fn pop_vector(&mut self, ty: Type) -> Value {
        let value = self.pop();
        self.as_vector(value, ty)
    }

    /// Returns the value of a constant operand, zero-extended if it has 32 bits; `None` if the operand is not a
    /// constant.
    pub(super) fn constant(&self, value: Value) -> Option<u64> {
        let dfg = &self.builder.func.dfg;
        match dfg.insts[dfg.value_def(value).inst()?] {
            InstructionData::UnaryImm { opcode: Opcode::Iconst, imm } => match dfg.value_type(value) {
                types::I32 => Some(imm.bits() as u32 as u64),
                _ => Some(imm.bits() as u64),
            },
            _ => None,
        }
    }

    /// Casts a vector to this type, which costs no machine instruction.
    pub(super) fn as_vector(&mut self, value: Value, ty: Type) -> Value {
        if self.builder.func.dfg.value_type(value) == ty {
            return value;
        }
        let flags = MemFlagsData::new().with_endianness(Endianness::Little);
        self.builder.ins().bitcast(ty, flags, value)
    }

    /// Converts a value to canonical form, which locals, block parameters and signatures require: a vector to `I8X16`.
    pub(super) fn canonical(&mut self, value: Value) -> Value {
        if self.builder.func.dfg.value_type(value).is_vector() { self.as_vector(value, types::I8X16) } else { value }
    }

    /// Pops the topmost `count` operands in canonical form, the lowest first.
    pub(super) fn pop_many(&mut self, count: usize) -> Vec<Value> {
        let mut values = self.stack.split_off(self.stack.len() - count);
        for value in &mut values {
            *value = self.canonical(*value);
        }
        values
    }

    /// Returns the topmost `count` operands in canonical form, the lowest first, without popping them.
    pub(super) fn peek_many(&mut self, count: usize) -> Vec<Value> {
        let mut values = self.stack[self.stack.len() - count..].to_vec();
        for value in &mut values {
            *value = self.canonical(*value);
        }
        values
    }
}
