//! Vector operators, relaxed ones included, but for those that touch memory.
//!
//! Operators of one shape whose meaning is one Cranelift instruction are rows of a table: the instruction, then for each
//! operator the lanes as which it takes its operands. A result stays on the stack with the lanes that its instruction
//! gives; who pops it says which lanes it wants, and that cast costs no machine instruction.
//!
//! # Relaxed operators
//! They do what their strict relatives do, as in [`ops`](wasmr_core::ops): a program must not change its results when it
//! changes tiers. So `madd` is a product and a sum, lanes are selected bit by bit, and swizzle index 16 gives 0.
//!
//! # Why instructions are combined as they are
//! Widening products, pairwise sums, dot products, `pmin`, `pmax`, `max` and the truncations of doubles are written in the form
//! from which Cranelift makes few machine instructions, or for which alone it has code.

use cranelift_codegen::ir::condcodes::{FloatCC, IntCC};
use cranelift_codegen::ir::{InstBuilder, Type, Value, types};
use cranelift_frontend::FuncInstBuilder;
use wasmparser::Operator;

use super::Translator;

/// An instruction that makes a value of another.
type Unary = fn(FuncInstBuilder<'_, '_>, Value) -> Value;
/// An instruction that makes a value of two others.
type Binary = fn(FuncInstBuilder<'_, '_>, Value, Value) -> Value;

/// Declares a function from operators to their lanes and instruction.
macro_rules! table {
    ($function:ident -> $kind:ident: $($instruction:expr => $($lanes:ident $op:ident)+;)*) => {
        fn $function(operator: &Operator<'_>) -> Option<(Type, $kind)> {
            Some(match operator {
                $($(Operator::$op => (types::$lanes, $instruction),)+)*
                _ => return None,
            })
        }
    };
}

table! { unary_row -> Unary:
    |ins, a| ins.bnot(a) => I8X16 V128Not;
    |ins, a| ins.iabs(a) => I8X16 I8x16Abs  I16X8 I16x8Abs  I32X4 I32x4Abs  I64X2 I64x2Abs;
    |ins, a| ins.ineg(a) => I8X16 I8x16Neg  I16X8 I16x8Neg  I32X4 I32x4Neg  I64X2 I64x2Neg;
    |ins, a| ins.popcnt(a) => I8X16 I8x16Popcnt;
    |ins, a| ins.swiden_low(a) => I8X16 I16x8ExtendLowI8x16S  I16X8 I32x4ExtendLowI16x8S  I32X4 I64x2ExtendLowI32x4S;
    |ins, a| ins.swiden_high(a) =>
        I8X16 I16x8ExtendHighI8x16S  I16X8 I32x4ExtendHighI16x8S  I32X4 I64x2ExtendHighI32x4S;
    |ins, a| ins.uwiden_low(a) => I8X16 I16x8ExtendLowI8x16U  I16X8 I32x4ExtendLowI16x8U  I32X4 I64x2ExtendLowI32x4U;
    |ins, a| ins.uwiden_high(a) =>
        I8X16 I16x8ExtendHighI8x16U  I16X8 I32x4ExtendHighI16x8U  I32X4 I64x2ExtendHighI32x4U;
    |ins, a| ins.ceil(a) => F32X4 F32x4Ceil  F64X2 F64x2Ceil;
    |ins, a| ins.floor(a) => F32X4 F32x4Floor  F64X2 F64x2Floor;
    |ins, a| ins.trunc(a) => F32X4 F32x4Trunc  F64X2 F64x2Trunc;
    |ins, a| ins.nearest(a) => F32X4 F32x4Nearest  F64X2 F64x2Nearest;
    |ins, a| ins.fabs(a) => F32X4 F32x4Abs  F64X2 F64x2Abs;
    |ins, a| ins.sqrt(a) => F32X4 F32x4Sqrt  F64X2 F64x2Sqrt;
    |ins, a| ins.fcvt_to_sint_sat(types::I32X4, a) => F32X4 I32x4TruncSatF32x4S  F32X4 I32x4RelaxedTruncF32x4S;
    |ins, a| ins.fcvt_to_uint_sat(types::I32X4, a) => F32X4 I32x4TruncSatF32x4U  F32X4 I32x4RelaxedTruncF32x4U;
    |ins, a| ins.fcvt_from_sint(types::F32X4, a) => I32X4 F32x4ConvertI32x4S;
    |ins, a| ins.fcvt_from_uint(types::F32X4, a) => I32X4 F32x4ConvertI32x4U;
    |ins, a| ins.fvdemote(a) => F64X2 F32x4DemoteF64x2Zero;
    |ins, a| ins.fvpromote_low(a) => F32X4 F64x2PromoteLowF32x4;
}

table! { test_row -> Unary:
    |ins, a| ins.vany_true(a) => I8X16 V128AnyTrue;
    |ins, a| ins.vall_true(a) => I8X16 I8x16AllTrue  I16X8 I16x8AllTrue  I32X4 I32x4AllTrue  I64X2 I64x2AllTrue;
}

table! { bitmask_row -> Unary:
    |ins, a| ins.vhigh_bits(types::I32, a) =>
        I8X16 I8x16Bitmask  I16X8 I16x8Bitmask  I32X4 I32x4Bitmask  I64X2 I64x2Bitmask;
}

table! { binary_row -> Binary:
    |ins, a, b| ins.swizzle(a, b) => I8X16 I8x16Swizzle  I8X16 I8x16RelaxedSwizzle;
    |ins, a, b| ins.band(a, b) => I8X16 V128And;
    |ins, a, b| ins.band_not(a, b) => I8X16 V128AndNot;
    |ins, a, b| ins.bor(a, b) => I8X16 V128Or;
    |ins, a, b| ins.bxor(a, b) => I8X16 V128Xor;
    |ins, a, b| ins.iadd(a, b) => I8X16 I8x16Add  I16X8 I16x8Add  I32X4 I32x4Add  I64X2 I64x2Add;
    |ins, a, b| ins.isub(a, b) => I8X16 I8x16Sub  I16X8 I16x8Sub  I32X4 I32x4Sub  I64X2 I64x2Sub;
    |ins, a, b| ins.imul(a, b) => I16X8 I16x8Mul  I32X4 I32x4Mul  I64X2 I64x2Mul;
    |ins, a, b| ins.sadd_sat(a, b) => I8X16 I8x16AddSatS  I16X8 I16x8AddSatS;
    |ins, a, b| ins.uadd_sat(a, b) => I8X16 I8x16AddSatU  I16X8 I16x8AddSatU;
    |ins, a, b| ins.ssub_sat(a, b) => I8X16 I8x16SubSatS  I16X8 I16x8SubSatS;
    |ins, a, b| ins.usub_sat(a, b) => I8X16 I8x16SubSatU  I16X8 I16x8SubSatU;
    |ins, a, b| ins.smin(a, b) => I8X16 I8x16MinS  I16X8 I16x8MinS  I32X4 I32x4MinS;
    |ins, a, b| ins.umin(a, b) => I8X16 I8x16MinU  I16X8 I16x8MinU  I32X4 I32x4MinU;
    |ins, a, b| ins.smax(a, b) => I8X16 I8x16MaxS  I16X8 I16x8MaxS  I32X4 I32x4MaxS;
    |ins, a, b| ins.umax(a, b) => I8X16 I8x16MaxU  I16X8 I16x8MaxU  I32X4 I32x4MaxU;
    |ins, a, b| ins.avg_round(a, b) => I8X16 I8x16AvgrU  I16X8 I16x8AvgrU;
    |ins, a, b| ins.sqmul_round_sat(a, b) => I16X8 I16x8Q15MulrSatS  I16X8 I16x8RelaxedQ15mulrS;
    |ins, a, b| ins.snarrow(a, b) => I16X8 I8x16NarrowI16x8S  I32X4 I16x8NarrowI32x4S;
    |ins, a, b| ins.unarrow(a, b) => I16X8 I8x16NarrowI16x8U  I32X4 I16x8NarrowI32x4U;
    |ins, a, b| ins.fadd(a, b) => F32X4 F32x4Add  F64X2 F64x2Add;
    |ins, a, b| ins.fsub(a, b) => F32X4 F32x4Sub  F64X2 F64x2Sub;
    |ins, a, b| ins.fmul(a, b) => F32X4 F32x4Mul  F64X2 F64x2Mul;
    |ins, a, b| ins.fdiv(a, b) => F32X4 F32x4Div  F64X2 F64x2Div;
    |ins, a, b| ins.fmin(a, b) => F32X4 F32x4Min  F64X2 F64x2Min  F32X4 F32x4RelaxedMin  F64X2 F64x2RelaxedMin;
}

table! { comparison_row -> Binary:
    |ins, a, b| ins.icmp(IntCC::Equal, a, b) => I8X16 I8x16Eq  I16X8 I16x8Eq  I32X4 I32x4Eq  I64X2 I64x2Eq;
    |ins, a, b| ins.icmp(IntCC::NotEqual, a, b) => I8X16 I8x16Ne  I16X8 I16x8Ne  I32X4 I32x4Ne  I64X2 I64x2Ne;
    |ins, a, b| ins.icmp(IntCC::SignedLessThan, a, b) => I8X16 I8x16LtS  I16X8 I16x8LtS  I32X4 I32x4LtS  I64X2 I64x2LtS;
    |ins, a, b| ins.icmp(IntCC::SignedGreaterThan, a, b) =>
        I8X16 I8x16GtS  I16X8 I16x8GtS  I32X4 I32x4GtS  I64X2 I64x2GtS;
    |ins, a, b| ins.icmp(IntCC::SignedLessThanOrEqual, a, b) =>
        I8X16 I8x16LeS  I16X8 I16x8LeS  I32X4 I32x4LeS  I64X2 I64x2LeS;
    |ins, a, b| ins.icmp(IntCC::SignedGreaterThanOrEqual, a, b) =>
        I8X16 I8x16GeS  I16X8 I16x8GeS  I32X4 I32x4GeS  I64X2 I64x2GeS;
    |ins, a, b| ins.icmp(IntCC::UnsignedLessThan, a, b) => I8X16 I8x16LtU  I16X8 I16x8LtU  I32X4 I32x4LtU;
    |ins, a, b| ins.icmp(IntCC::UnsignedGreaterThan, a, b) => I8X16 I8x16GtU  I16X8 I16x8GtU  I32X4 I32x4GtU;
    |ins, a, b| ins.icmp(IntCC::UnsignedLessThanOrEqual, a, b) => I8X16 I8x16LeU  I16X8 I16x8LeU  I32X4 I32x4LeU;
    |ins, a, b| ins.icmp(IntCC::UnsignedGreaterThanOrEqual, a, b) => I8X16 I8x16GeU  I16X8 I16x8GeU  I32X4 I32x4GeU;
    |ins, a, b| ins.fcmp(FloatCC::Equal, a, b) => F32X4 F32x4Eq  F64X2 F64x2Eq;
    |ins, a, b| ins.fcmp(FloatCC::NotEqual, a, b) => F32X4 F32x4Ne  F64X2 F64x2Ne;
    |ins, a, b| ins.fcmp(FloatCC::LessThan, a, b) => F32X4 F32x4Lt  F64X2 F64x2Lt;
    |ins, a, b| ins.fcmp(FloatCC::GreaterThan, a, b) => F32X4 F32x4Gt  F64X2 F64x2Gt;
    |ins, a, b| ins.fcmp(FloatCC::LessThanOrEqual, a, b) => F32X4 F32x4Le  F64X2 F64x2Le;
    |ins, a, b| ins.fcmp(FloatCC::GreaterThanOrEqual, a, b) => F32X4 F32x4Ge  F64X2 F64x2Ge;
}

// The lanes are those of the first operand; the count is a scalar, which Cranelift takes modulo the lane's width.
table! { shift_row -> Binary:
    |ins, a, b| ins.ishl(a, b) => I8X16 I8x16Shl  I16X8 I16x8Shl  I32X4 I32x4Shl  I64X2 I64x2Shl;
    |ins, a, b| ins.sshr(a, b) => I8X16 I8x16ShrS  I16X8 I16x8ShrS  I32X4 I32x4ShrS  I64X2 I64x2ShrS;
    |ins, a, b| ins.ushr(a, b) => I8X16 I8x16ShrU  I16X8 I16x8ShrU  I32X4 I32x4ShrU  I64X2 I64x2ShrU;
}

// How both factors are widened before they are multiplied.
table! { widening_product_row -> Unary:
    |ins, a| ins.swiden_low(a) => I8X16 I16x8ExtMulLowI8x16S  I16X8 I32x4ExtMulLowI16x8S  I32X4 I64x2ExtMulLowI32x4S;
    |ins, a| ins.swiden_high(a) =>
        I8X16 I16x8ExtMulHighI8x16S  I16X8 I32x4ExtMulHighI16x8S  I32X4 I64x2ExtMulHighI32x4S;
    |ins, a| ins.uwiden_low(a) => I8X16 I16x8ExtMulLowI8x16U  I16X8 I32x4ExtMulLowI16x8U  I32X4 I64x2ExtMulLowI32x4U;
    |ins, a| ins.uwiden_high(a) =>
        I8X16 I16x8ExtMulHighI8x16U  I16X8 I32x4ExtMulHighI16x8U  I32X4 I64x2ExtMulHighI32x4U;
}

impl Translator<'_, '_> {
    /// Translates an operator of this category; whether it is one.
    pub fn simd_operator(&mut self, operator: &Operator<'_>) -> bool {
        if let Some((lanes, instruction)) = binary_row(operator).or_else(|| comparison_row(operator)) {
            let (a, b) = self.pop_vectors(lanes);
            let value = instruction(self.builder.ins(), a, b);
            self.push(value);
        } else if let Some((lanes, instruction)) = unary_row(operator).or_else(|| bitmask_row(operator)) {
            let a = self.pop_vector(lanes);
            let value = instruction(self.builder.ins(), a);
            self.push(value);
        } else if let Some((lanes, instruction)) = shift_row(operator) {
            let count = self.pop();
            let a = self.pop_vector(lanes);
            let value = instruction(self.builder.ins(), a, count);
            self.push(value);
        } else if let Some((lanes, instruction)) = test_row(operator) {
            let a = self.pop_vector(lanes);
            let value = instruction(self.builder.ins(), a);
            self.push(value);
            self.truth();
        } else if let Some((lanes, widen)) = widening_product_row(operator) {
            let (a, b) = self.pop_vectors(lanes);
            let value = self.widening_product(widen, a, b);
            self.push(value);
        } else {
            return self.lane_operator(operator) || self.combined_operator(operator);
        }
        true
    }

    /// Operators that move lanes.
    fn lane_operator(&mut self, operator: &Operator<'_>) -> bool {
        use Operator::*;
        match *operator {
            I8x16Splat => self.splat(types::I8X16),
            I16x8Splat => self.splat(types::I16X8),
            I32x4Splat => self.splat(types::I32X4),
            I64x2Splat => self.splat(types::I64X2),
            F32x4Splat => self.splat(types::F32X4),
            F64x2Splat => self.splat(types::F64X2),
            I8x16ExtractLaneS { lane } => self.extract_narrow_lane(types::I8X16, lane, true),
            I8x16ExtractLaneU { lane } => self.extract_narrow_lane(types::I8X16, lane, false),
            I16x8ExtractLaneS { lane } => self.extract_narrow_lane(types::I16X8, lane, true),
            I16x8ExtractLaneU { lane } => self.extract_narrow_lane(types::I16X8, lane, false),
            I32x4ExtractLane { lane } => self.extract_lane(types::I32X4, lane),
            I64x2ExtractLane { lane } => self.extract_lane(types::I64X2, lane),
            F32x4ExtractLane { lane } => self.extract_lane(types::F32X4, lane),
            F64x2ExtractLane { lane } => self.extract_lane(types::F64X2, lane),
            I8x16ReplaceLane { lane } => self.replace_lane(types::I8X16, lane),
            I16x8ReplaceLane { lane } => self.replace_lane(types::I16X8, lane),
            I32x4ReplaceLane { lane } => self.replace_lane(types::I32X4, lane),
            I64x2ReplaceLane { lane } => self.replace_lane(types::I64X2, lane),
            F32x4ReplaceLane { lane } => self.replace_lane(types::F32X4, lane),
            F64x2ReplaceLane { lane } => self.replace_lane(types::F64X2, lane),
            I8x16Shuffle { lanes } => {
                let (a, b) = self.pop_vectors(types::I8X16);
                let picks = self.builder.func.dfg.immediates.push(lanes.as_slice().into());
                let value = self.builder.ins().shuffle(a, b, picks);
                self.push(value);
            }
            _ => return false,
        }
        true
    }

    /// Operators that take several instructions.
    fn combined_operator(&mut self, operator: &Operator<'_>) -> bool {
        use Operator::*;
        let value = match operator {
            V128Bitselect
            | I8x16RelaxedLaneselect
            | I16x8RelaxedLaneselect
            | I32x4RelaxedLaneselect
            | I64x2RelaxedLaneselect => self.select_bits(),
            F32x4Neg => self.pop_and_negate(types::F32X4),
            F64x2Neg => self.pop_and_negate(types::F64X2),
            F32x4Max | F32x4RelaxedMax => self.maximum(types::F32X4),
            F64x2Max | F64x2RelaxedMax => self.maximum(types::F64X2),
            F32x4PMin => self.pseudo_min(types::F32X4),
            F64x2PMin => self.pseudo_min(types::F64X2),
            F32x4PMax => self.pop_and_pseudo_max(types::F32X4),
            F64x2PMax => self.pop_and_pseudo_max(types::F64X2),
            F32x4RelaxedMadd => self.multiply_add(types::F32X4, false),
            F32x4RelaxedNmadd => self.multiply_add(types::F32X4, true),
            F64x2RelaxedMadd => self.multiply_add(types::F64X2, false),
            F64x2RelaxedNmadd => self.multiply_add(types::F64X2, true),
            I16x8ExtAddPairwiseI8x16S => self.pop_and_add_pairs(types::I8X16, true),
            I16x8ExtAddPairwiseI8x16U => self.pop_and_add_pairs(types::I8X16, false),
            I32x4ExtAddPairwiseI16x8S => self.pop_and_add_pairs(types::I16X8, true),
            I32x4ExtAddPairwiseI16x8U => self.pop_and_add_pairs(types::I16X8, false),
            I32x4DotI16x8S => self.dot_product(types::I16X8),
            I16x8RelaxedDotI8x16I7x16S => self.dot_product(types::I8X16),
            I32x4RelaxedDotI8x16I7x16AddS => {
                let addend = self.pop_vector(types::I32X4);
                let products = self.dot_product(types::I8X16);
                let sums = self.add_pairs(products, true);
                self.builder.ins().iadd(sums, addend)
            }
            I32x4TruncSatF64x2SZero | I32x4RelaxedTruncF64x2SZero => {
                let a = self.pop_vector(types::F64X2);
                let wide = self.builder.ins().fcvt_to_sint_sat(types::I64X2, a);
                let zero = self.zero_lanes(types::I64X2);
                self.builder.ins().snarrow(wide, zero)
            }
            I32x4TruncSatF64x2UZero | I32x4RelaxedTruncF64x2UZero => {
                let a = self.pop_vector(types::F64X2);
                let wide = self.builder.ins().fcvt_to_uint_sat(types::I64X2, a);
                let zero = self.zero_lanes(types::I64X2);
                self.builder.ins().uunarrow(wide, zero)
            }
            F64x2ConvertLowI32x4S => {
                let a = self.pop_vector(types::I32X4);
                let wide = self.builder.ins().swiden_low(a);
                self.builder.ins().fcvt_from_sint(types::F64X2, wide)
            }
            F64x2ConvertLowI32x4U => {
                let a = self.pop_vector(types::I32X4);
                let wide = self.builder.ins().uwiden_low(a);
                self.builder.ins().fcvt_from_uint(types::F64X2, wide)
            }
            _ => return false,
        };
        self.push(value);
        true
    }

    /// Pops two vectors as ones of this type.
    fn pop_vectors(&mut self, lanes: Type) -> (Value, Value) {
        let b = self.pop_vector(lanes);
        (self.pop_vector(lanes), b)
    }

    /// Zero in all lanes.
    fn zero_lanes(&mut self, lanes: Type) -> Value {
        let zero = self.builder.func.dfg.constants.insert([0u8; 16].as_slice().into());
        self.builder.ins().vconst(lanes, zero)
    }

    /// A scalar operand in the type of a lane: integers narrower than 32 bits are the low bits of an `i32`.
    fn pop_for_lane(&mut self, lanes: Type) -> Value {
        let value = self.pop();
        match lanes.lane_type() {
            lane @ (types::I8 | types::I16) => self.builder.ins().ireduce(lane, value),
            _ => value,
        }
    }

    fn splat(&mut self, lanes: Type) {
        let lane = self.pop_for_lane(lanes);
        let value = self.builder.ins().splat(lanes, lane);
        self.push(value);
    }

    fn extract_lane(&mut self, lanes: Type, lane: u8) {
        let vector = self.pop_vector(lanes);
        let value = self.builder.ins().extractlane(vector, lane);
        self.push(value);
    }

    fn extract_narrow_lane(&mut self, lanes: Type, lane: u8, signed: bool) {
        self.extract_lane(lanes, lane);
        if signed {
            self.unary(|ins, a| ins.sextend(types::I32, a));
        } else {
            self.unary(|ins, a| ins.uextend(types::I32, a));
        }
    }

    fn replace_lane(&mut self, lanes: Type, lane: u8) {
        let new = self.pop_for_lane(lanes);
        let vector = self.pop_vector(lanes);
        let value = self.builder.ins().insertlane(vector, new, lane);
        self.push(value);
    }

    /// Takes the lanes of the mask, so that Cranelift can see that it is a comparison's result, as it mostly is.
    fn select_bits(&mut self) -> Value {
        let mask = self.pop();
        let lanes = self.builder.func.dfg.value_type(mask);
        let (a, b) = self.pop_vectors(lanes);
        self.builder.ins().bitselect(mask, a, b)
    }

    fn pseudo_min(&mut self, lanes: Type) -> Value {
        let (a, b) = self.pop_vectors(lanes);
        let less = self.builder.ins().fcmp(FloatCC::LessThan, b, a);
        let mask = self.as_vector(less, lanes);
        self.builder.ins().bitselect(mask, b, a)
    }

    fn pop_and_pseudo_max(&mut self, lanes: Type) -> Value {
        let (a, b) = self.pop_vectors(lanes);
        self.pseudo_max(lanes, a, b)
    }

    /// `b` in the lanes where it is the larger, else `a`: one instruction.
    fn pseudo_max(&mut self, lanes: Type, a: Value, b: Value) -> Value {
        let less = self.builder.ins().fcmp(FloatCC::LessThan, a, b);
        let mask = self.as_vector(less, lanes);
        self.builder.ins().bitselect(mask, b, a)
    }

    /// The larger lanes; [`ops`](wasmr_core::ops) says which NaN. Cranelift's `fmax` gives one whose sign depends on both
    /// operands, in one instruction more.
    fn maximum(&mut self, lanes: Type) -> Value {
        let (a, b) = self.pop_vectors(lanes);
        // Where these differ, both are zeros, or one is a NaN.
        let (one, other) = (self.pseudo_max(lanes, a, b), self.pseudo_max(lanes, b, a));
        let larger = self.builder.ins().band(one, other);
        let unordered = self.builder.ins().fcmp(FloatCC::Unordered, a, b);
        // All bits of a NaN behind the one that makes it quiet.
        let payload = if lanes == types::F32X4 { 10 } else { 13 };
        let payload = self.builder.ins().ushr_imm_u(unordered, payload);
        let (unordered, payload) = (self.as_vector(unordered, lanes), self.as_vector(payload, lanes));
        let with_nans = self.builder.ins().bor(larger, unordered);
        self.builder.ins().band_not(with_nans, payload)
    }

    fn pop_and_negate(&mut self, lanes: Type) -> Value {
        let a = self.pop_vector(lanes);
        self.negate_lanes(lanes, a)
    }

    /// Flips the signs of all lanes, as the scalar `neg` does.
    fn negate_lanes(&mut self, lanes: Type, a: Value) -> Value {
        let mut signs = [0; 16];
        signs.chunks_exact_mut(lanes.lane_bits() as usize / 8).for_each(|lane| lane[lane.len() - 1] = 0x80);
        let signs = self.builder.func.dfg.constants.insert(signs.as_slice().into());
        let signs = self.builder.ins().vconst(lanes, signs);
        self.builder.ins().bxor(a, signs)
    }

    fn multiply_add(&mut self, lanes: Type, negated: bool) -> Value {
        let addend = self.pop_vector(lanes);
        let (mut a, b) = self.pop_vectors(lanes);
        if negated {
            a = self.negate_lanes(lanes, a);
        }
        let product = self.builder.ins().fmul(a, b);
        self.builder.ins().fadd(product, addend)
    }

    fn widening_product(&mut self, widen: Unary, a: Value, b: Value) -> Value {
        let a = widen(self.builder.ins(), a);
        let b = widen(self.builder.ins(), b);
        self.builder.ins().imul(a, b)
    }

    fn pop_and_add_pairs(&mut self, lanes: Type, signed: bool) -> Value {
        let a = self.pop_vector(lanes);
        self.add_pairs(a, signed)
    }

    /// Sums of neighbours, in lanes of twice the width.
    fn add_pairs(&mut self, a: Value, signed: bool) -> Value {
        let (low, high) = if signed {
            (self.builder.ins().swiden_low(a), self.builder.ins().swiden_high(a))
        } else {
            (self.builder.ins().uwiden_low(a), self.builder.ins().uwiden_high(a))
        };
        self.builder.ins().iadd_pairwise(low, high)
    }

    /// Sums of neighbouring products, in lanes of twice the width.
    fn dot_product(&mut self, lanes: Type) -> Value {
        let (a, b) = self.pop_vectors(lanes);
        let low = self.widening_product(|ins, a| ins.swiden_low(a), a, b);
        let high = self.widening_product(|ins, a| ins.swiden_high(a), a, b);
        self.builder.ins().iadd_pairwise(low, high)
    }
}
