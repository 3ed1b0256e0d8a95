//! Vector operators without memory access that take several instructions, relaxed ones included.
//!
//! The rows of these operators in [`clif`](super::clif), like those of operators with one instruction, name the vector type of the operands. A
//! result stays on the operand stack with the vector type of its instruction. The operator that pops it casts it to the type
//! that it needs, which costs no machine instruction.
//!
//! # Relaxed operators
//! A relaxed operator does the same as its strict relative, in every tier (see [`ops`](wasmr_core::ops)), so that a program's
//! results do not change when its tier does. `madd` is therefore a product and a sum, lanes are selected bit by bit, and a
//! swizzle index of 16 selects 0. The specification lets an implementation choose
//! (<https://webassembly.github.io/spec/core/exec/numerics.html#relaxed-operations>).
//!
//! # Why these sequences of instructions?
//! Widening products, pairwise sums, dot products, `pmin`, `pmax`, `max` and the truncations of doubles have the form for which
//! Cranelift emits the fewest machine instructions, or the only form that it supports.

use cranelift_codegen::ir::condcodes::FloatCC;
use cranelift_codegen::ir::{InstBuilder, Type, Value, types};
use wasmparser::Operator;

use super::clif::UnaryInstruction;
use super::state::Translator;

impl Translator<'_, '_> {
    /// Translates `operator` if it is a vector operator without a row in the table. Returns true if it was.
    pub(super) fn simd_operator(&mut self, operator: &Operator<'_>) -> bool {
        let Operator::I8x16Shuffle { lanes } = operator else { return false };
        let (a, b) = self.pop_vectors(types::I8X16);
        let picks = self.builder.func.dfg.immediates.push(lanes.as_slice().into());
        let value = self.builder.ins().shuffle(a, b, picks);
        self.push(value);
        true
    }

    /// Pops two vectors, and casts them to this type.
    pub(super) fn pop_vectors(&mut self, lanes: Type) -> (Value, Value) {
        let b = self.pop_vector(lanes);
        (self.pop_vector(lanes), b)
    }

    /// Returns a vector of zeros.
    fn zero_lanes(&mut self, lanes: Type) -> Value {
        let zero = self.builder.func.dfg.constants.insert([0u8; 16].as_slice().into());
        self.builder.ins().vconst(lanes, zero)
    }

    /// Pops a scalar, and converts it to the type of a lane: an integer of less than 32 bits is the low bits of an `i32`.
    fn pop_for_lane(&mut self, lanes: Type) -> Value {
        let value = self.pop();
        match lanes.lane_type() {
            lane @ (types::I8 | types::I16) => self.builder.ins().ireduce(lane, value),
            _ => value,
        }
    }

    pub(super) fn splat(&mut self, lanes: Type) -> Value {
        let lane = self.pop_for_lane(lanes);
        self.builder.ins().splat(lanes, lane)
    }

    pub(super) fn extract_lane(&mut self, lanes: Type, lane: u8) -> Value {
        let vector = self.pop_vector(lanes);
        self.builder.ins().extractlane(vector, lane)
    }

    pub(super) fn extract_narrow_lane(&mut self, lanes: Type, lane: u8, signed: bool) -> Value {
        let value = self.extract_lane(lanes, lane);
        if signed {
            self.builder.ins().sextend(types::I32, value)
        } else {
            self.builder.ins().uextend(types::I32, value)
        }
    }

    pub(super) fn replace_lane(&mut self, lanes: Type, lane: u8) -> Value {
        let new = self.pop_for_lane(lanes);
        let vector = self.pop_vector(lanes);
        self.builder.ins().insertlane(vector, new, lane)
    }

    /// Selects bits by a mask. The operands get the mask's vector type, so that Cranelift can see that the mask is a
    /// comparison's result, as it mostly is.
    pub(super) fn select_bits(&mut self) -> Value {
        let mask = self.pop();
        let lanes = self.builder.func.dfg.value_type(mask);
        let (a, b) = self.pop_vectors(lanes);
        self.builder.ins().bitselect(mask, a, b)
    }

    pub(super) fn pseudo_min(&mut self, lanes: Type) -> Value {
        let (a, b) = self.pop_vectors(lanes);
        let less = self.builder.ins().fcmp(FloatCC::LessThan, b, a);
        let mask = self.as_vector(less, lanes);
        self.builder.ins().bitselect(mask, b, a)
    }

    pub(super) fn pop_and_pseudo_max(&mut self, lanes: Type) -> Value {
        let (a, b) = self.pop_vectors(lanes);
        self.pseudo_max(lanes, a, b)
    }

    /// Returns `b` in the lanes where it is larger, else `a`. Cranelift makes one machine instruction of it.
    fn pseudo_max(&mut self, lanes: Type, a: Value, b: Value) -> Value {
        let less = self.builder.ins().fcmp(FloatCC::LessThan, a, b);
        let mask = self.as_vector(less, lanes);
        self.builder.ins().bitselect(mask, b, a)
    }

    /// Returns the larger lanes. The NaN of an unordered lane is the one that [`ops`](wasmr_core::ops) defines. Cranelift's
    /// `fmax` returns one whose sign depends on both operands, and takes one instruction more.
    pub(super) fn maximum(&mut self, lanes: Type) -> Value {
        let (a, b) = self.pop_vectors(lanes);
        // The two differ only in lanes where both operands are zeros or one is a NaN.
        let (one, other) = (self.pseudo_max(lanes, a, b), self.pseudo_max(lanes, b, a));
        let larger = self.builder.ins().band(one, other);
        let unordered = self.builder.ins().fcmp(FloatCC::Unordered, a, b);
        // Shift that leaves all bits of a NaN below the one that makes it quiet.
        let payload = if lanes == types::F32X4 { 10 } else { 13 };
        let payload = self.builder.ins().ushr_imm_u(unordered, payload);
        let (unordered, payload) = (self.as_vector(unordered, lanes), self.as_vector(payload, lanes));
        let with_nans = self.builder.ins().bor(larger, unordered);
        self.builder.ins().band_not(with_nans, payload)
    }

    pub(super) fn pop_and_negate(&mut self, lanes: Type) -> Value {
        let a = self.pop_vector(lanes);
        self.negate_lanes(lanes, a)
    }

    /// Flips the signs of all lanes by an exclusive or, as [`negate`](Self::negate) does for a scalar.
    fn negate_lanes(&mut self, lanes: Type, a: Value) -> Value {
        let mut signs = [0; 16];
        signs.chunks_exact_mut(lanes.lane_bits() as usize / 8).for_each(|lane| lane[lane.len() - 1] = 0x80);
        let signs = self.builder.func.dfg.constants.insert(signs.as_slice().into());
        let signs = self.builder.ins().vconst(lanes, signs);
        self.builder.ins().bxor(a, signs)
    }

    pub(super) fn multiply_add(&mut self, lanes: Type, negated: bool) -> Value {
        let addend = self.pop_vector(lanes);
        let (mut a, b) = self.pop_vectors(lanes);
        if negated {
            a = self.negate_lanes(lanes, a);
        }
        let product = self.builder.ins().fmul(a, b);
        self.builder.ins().fadd(product, addend)
    }

    pub(super) fn widening_product(&mut self, widen: UnaryInstruction, a: Value, b: Value) -> Value {
        let a = widen(self.builder.ins(), a);
        let b = widen(self.builder.ins(), b);
        self.builder.ins().imul(a, b)
    }

    pub(super) fn pop_and_add_pairs(&mut self, lanes: Type, signed: bool) -> Value {
        let a = self.pop_vector(lanes);
        self.add_pairs(a, signed)
    }

    /// Returns the sums of neighbouring lanes, in lanes of twice the width.
    fn add_pairs(&mut self, a: Value, signed: bool) -> Value {
        let (low, high) = if signed {
            (self.builder.ins().swiden_low(a), self.builder.ins().swiden_high(a))
        } else {
            (self.builder.ins().uwiden_low(a), self.builder.ins().uwiden_high(a))
        };
        self.builder.ins().iadd_pairwise(low, high)
    }

    /// Pops two vectors. Returns the sums of neighbouring products, in lanes of twice the width.
    pub(super) fn dot_product(&mut self, lanes: Type) -> Value {
        let (a, b) = self.pop_vectors(lanes);
        let low = self.widening_product(|ins, a| ins.swiden_low(a), a, b);
        let high = self.widening_product(|ins, a| ins.swiden_high(a), a, b);
        self.builder.ins().iadd_pairwise(low, high)
    }

    /// Pops two vectors and an addend. Adds neighbouring sums of [`dot_product`](Self::dot_product), then the addend.
    pub(super) fn dot_product_and_sum(&mut self, lanes: Type) -> Value {
        let addend = self.pop_vector(types::I32X4);
        let products = self.dot_product(lanes);
        let sums = self.add_pairs(products, true);
        self.builder.ins().iadd(sums, addend)
    }

    /// Pops two doubles, and truncates them to the low lanes of the result. The high lanes are zero.
    pub(super) fn truncate_doubles(&mut self, signed: bool) -> Value {
        let a = self.pop_vector(types::F64X2);
        let wide = if signed {
            self.builder.ins().fcvt_to_sint_sat(types::I64X2, a)
        } else {
            self.builder.ins().fcvt_to_uint_sat(types::I64X2, a)
        };
        let zero = self.zero_lanes(types::I64X2);
        if signed { self.builder.ins().snarrow(wide, zero) } else { self.builder.ins().uunarrow(wide, zero) }
    }

    /// Pops a vector, and converts its low lanes to doubles.
    pub(super) fn convert_low(&mut self, signed: bool) -> Value {
        let a = self.pop_vector(types::I32X4);
        if signed {
            let wide = self.builder.ins().swiden_low(a);
            self.builder.ins().fcvt_from_sint(types::F64X2, wide)
        } else {
            let wide = self.builder.ins().uwiden_low(a);
            self.builder.ins().fcvt_from_uint(types::F64X2, wide)
        }
    }
}
