//! The Cranelift instructions of each operator of [`core`'s table](wasmr_core::op), one row for each instruction.
//!
//! A row is `Kind(instruction) => Operator as TYPE, …;`. The kind determines the number and the form of the operands that the
//! translator pops. `TYPE` is the scalar or vector type that the instruction works on, for the kinds that need it. An operator
//! that takes several instructions has a method of the translator, in [`numeric`](super::numeric), [`simd`](super::simd) or the
//! files on memory.
//!
//! The macro makes an exhaustive `match` of the table, so an operator without a row does not compile.

use cranelift_codegen::ir::condcodes::{FloatCC, IntCC};
use cranelift_codegen::ir::{AtomicRmwOp, InstBuilder, MemFlagsData, Type, Value, types};
use cranelift_frontend::FuncInstBuilder;
use wasmparser::{MemArg, Operator};
use wasmr_core::op::Op;
use wasmr_module::op::{lane_of, memarg_of};

use super::memory::Site;
use super::state::Translator;

/// Emits an instruction with one operand.
pub(super) type UnaryInstruction = fn(FuncInstBuilder<'_, '_>, Value) -> Value;
/// Emits an instruction with two operands.
type BinaryInstruction = fn(FuncInstBuilder<'_, '_>, Value, Value) -> Value;

/// The translation of an operator.
enum Clif {
    /// One scalar operand.
    Unary(UnaryInstruction),
    /// Two scalar operands.
    Binary(BinaryInstruction),
    /// Comparison of integers.
    Compare(IntCC),
    /// Comparison of floats.
    CompareFloats(FloatCC),
    /// One vector operand.
    Vector(UnaryInstruction, Type),
    /// One vector operand, with a truth value as the result.
    VectorTest(UnaryInstruction, Type),
    /// Two vector operands.
    Vectors(BinaryInstruction, Type),
    /// A vector operand and a shift count.
    Shift(BinaryInstruction, Type),
    /// Product of two vector operands, each widened by the instruction.
    WideningProduct(UnaryInstruction, Type),
    /// A method that pops the operands and emits several instructions.
    Steps(fn(&mut Translator<'_, '_>, Type) -> Value, Type),
    /// Such a method for an operator with a lane immediate.
    Lane(fn(&mut Translator<'_, '_>, Type, u8) -> Value, Type),
    /// Load, store or atomic access of a scalar.
    Access(fn(&mut Translator<'_, '_>, Op, &MemArg)),
    /// Vector load by one instruction.
    VectorLoad(fn(FuncInstBuilder<'_, '_>, Site) -> Value),
    /// Vector load or store by several instructions.
    VectorAccess(fn(&mut Translator<'_, '_>, Type, &MemArg), Type),
    /// Load or store of one lane.
    LaneAccess(fn(&mut Translator<'_, '_>, Type, &MemArg, u8), Type),
}

macro_rules! table {
    ($($kind:ident($instruction:expr) => $($op:ident $(as $ty:ident)?),+;)*) => {
        fn clif(op: Op) -> Clif {
            match op {
                $($(Op::$op => Clif::$kind($instruction $(, types::$ty)?),)+)*
            }
        }
    };
}

table! {
    // Scalars.
    Unary(|ins, a| ins.clz(a)) => I32Clz, I64Clz;
    Unary(|ins, a| ins.ctz(a)) => I32Ctz, I64Ctz;
    Unary(|ins, a| ins.popcnt(a)) => I32Popcnt, I64Popcnt;
    Binary(|ins, a, b| ins.iadd(a, b)) => I32Add, I64Add;
    Binary(|ins, a, b| ins.isub(a, b)) => I32Sub, I64Sub;
    Binary(|ins, a, b| ins.imul(a, b)) => I32Mul, I64Mul;
    Binary(|ins, a, b| ins.sdiv(a, b)) => I32DivS, I64DivS;
    Binary(|ins, a, b| ins.udiv(a, b)) => I32DivU, I64DivU;
    Binary(|ins, a, b| ins.srem(a, b)) => I32RemS, I64RemS;
    Binary(|ins, a, b| ins.urem(a, b)) => I32RemU, I64RemU;
    Binary(|ins, a, b| ins.band(a, b)) => I32And, I64And;
    Binary(|ins, a, b| ins.bor(a, b)) => I32Or, I64Or;
    Binary(|ins, a, b| ins.bxor(a, b)) => I32Xor, I64Xor;
    Binary(|ins, a, b| ins.ishl(a, b)) => I32Shl, I64Shl;
    Binary(|ins, a, b| ins.sshr(a, b)) => I32ShrS, I64ShrS;
    Binary(|ins, a, b| ins.ushr(a, b)) => I32ShrU, I64ShrU;
    Binary(|ins, a, b| ins.rotl(a, b)) => I32Rotl, I64Rotl;
    Binary(|ins, a, b| ins.rotr(a, b)) => I32Rotr, I64Rotr;
    Unary(|ins, a| ins.fabs(a)) => F32Abs, F64Abs;
    Steps(|t, ty| t.negate(ty)) => F32Neg as F32, F64Neg as F64;
    Unary(|ins, a| ins.ceil(a)) => F32Ceil, F64Ceil;
    Unary(|ins, a| ins.floor(a)) => F32Floor, F64Floor;
    Unary(|ins, a| ins.trunc(a)) => F32Trunc, F64Trunc;
    Unary(|ins, a| ins.nearest(a)) => F32Nearest, F64Nearest;
    Unary(|ins, a| ins.sqrt(a)) => F32Sqrt, F64Sqrt;
    Binary(|ins, a, b| ins.fadd(a, b)) => F32Add, F64Add;
    Binary(|ins, a, b| ins.fsub(a, b)) => F32Sub, F64Sub;
    Binary(|ins, a, b| ins.fmul(a, b)) => F32Mul, F64Mul;
    Binary(|ins, a, b| ins.fdiv(a, b)) => F32Div, F64Div;
    Binary(|ins, a, b| ins.fmin(b, a)) => F32Min, F64Min;
    Binary(|ins, a, b| ins.fmax(b, a)) => F32Max, F64Max;
    Binary(|ins, a, b| ins.fcopysign(a, b)) => F32Copysign, F64Copysign;
    Steps(|t, ty| t.is_zero(ty)) => I32Eqz as I32, I64Eqz as I64;
    Compare(IntCC::Equal) => I32Eq, I64Eq;
    Compare(IntCC::NotEqual) => I32Ne, I64Ne;
    Compare(IntCC::SignedLessThan) => I32LtS, I64LtS;
    Compare(IntCC::UnsignedLessThan) => I32LtU, I64LtU;
    Compare(IntCC::SignedGreaterThan) => I32GtS, I64GtS;
    Compare(IntCC::UnsignedGreaterThan) => I32GtU, I64GtU;
    Compare(IntCC::SignedLessThanOrEqual) => I32LeS, I64LeS;
    Compare(IntCC::UnsignedLessThanOrEqual) => I32LeU, I64LeU;
    Compare(IntCC::SignedGreaterThanOrEqual) => I32GeS, I64GeS;
    Compare(IntCC::UnsignedGreaterThanOrEqual) => I32GeU, I64GeU;
    CompareFloats(FloatCC::Equal) => F32Eq, F64Eq;
    CompareFloats(FloatCC::NotEqual) => F32Ne, F64Ne;
    CompareFloats(FloatCC::LessThan) => F32Lt, F64Lt;
    CompareFloats(FloatCC::GreaterThan) => F32Gt, F64Gt;
    CompareFloats(FloatCC::LessThanOrEqual) => F32Le, F64Le;
    CompareFloats(FloatCC::GreaterThanOrEqual) => F32Ge, F64Ge;
    Unary(|ins, a| ins.ireduce(types::I32, a)) => I32WrapI64;
    Unary(|ins, a| ins.sextend(types::I64, a)) => I64ExtendI32S;
    Unary(|ins, a| ins.uextend(types::I64, a)) => I64ExtendI32U;
    Steps(|t, ty| t.sign_extend(ty)) =>
        I32Extend8S as I8, I32Extend16S as I16, I64Extend8S as I8, I64Extend16S as I16, I64Extend32S as I32;
    Unary(|ins, a| ins.fcvt_from_sint(types::F32, a)) => F32ConvertI32S, F32ConvertI64S;
    Unary(|ins, a| ins.fcvt_from_uint(types::F32, a)) => F32ConvertI32U, F32ConvertI64U;
    Unary(|ins, a| ins.fcvt_from_sint(types::F64, a)) => F64ConvertI32S, F64ConvertI64S;
    Unary(|ins, a| ins.fcvt_from_uint(types::F64, a)) => F64ConvertI32U, F64ConvertI64U;
    Unary(|ins, a| ins.fdemote(types::F32, a)) => F32DemoteF64;
    Unary(|ins, a| ins.fpromote(types::F64, a)) => F64PromoteF32;
    Unary(|ins, a| ins.bitcast(types::I32, MemFlagsData::new(), a)) => I32ReinterpretF32;
    Unary(|ins, a| ins.bitcast(types::I64, MemFlagsData::new(), a)) => I64ReinterpretF64;
    Unary(|ins, a| ins.bitcast(types::F32, MemFlagsData::new(), a)) => F32ReinterpretI32;
    Unary(|ins, a| ins.bitcast(types::F64, MemFlagsData::new(), a)) => F64ReinterpretI64;
    Unary(|ins, a| ins.fcvt_to_sint(types::I32, a)) => I32TruncF32S, I32TruncF64S;
    Unary(|ins, a| ins.fcvt_to_uint(types::I32, a)) => I32TruncF32U, I32TruncF64U;
    Unary(|ins, a| ins.fcvt_to_sint(types::I64, a)) => I64TruncF32S, I64TruncF64S;
    Unary(|ins, a| ins.fcvt_to_uint(types::I64, a)) => I64TruncF32U, I64TruncF64U;
    Unary(|ins, a| ins.fcvt_to_sint_sat(types::I32, a)) => I32TruncSatF32S, I32TruncSatF64S;
    Unary(|ins, a| ins.fcvt_to_uint_sat(types::I32, a)) => I32TruncSatF32U, I32TruncSatF64U;
    Unary(|ins, a| ins.fcvt_to_sint_sat(types::I64, a)) => I64TruncSatF32S, I64TruncSatF64S;
    Unary(|ins, a| ins.fcvt_to_uint_sat(types::I64, a)) => I64TruncSatF32U, I64TruncSatF64U;
    // Vectors, with the vector type of the operands. A shift has one for its first operand; the count is a scalar, which
    // Cranelift takes modulo the width of a lane.
    Vector(|ins, a| ins.bnot(a)) => V128Not as I8X16;
    Vector(|ins, a| ins.iabs(a)) => I8x16Abs as I8X16, I16x8Abs as I16X8, I32x4Abs as I32X4, I64x2Abs as I64X2;
    Vector(|ins, a| ins.ineg(a)) => I8x16Neg as I8X16, I16x8Neg as I16X8, I32x4Neg as I32X4, I64x2Neg as I64X2;
    Vector(|ins, a| ins.popcnt(a)) => I8x16Popcnt as I8X16;
    Vector(|ins, a| ins.swiden_low(a)) =>
        I16x8ExtendLowI8x16S as I8X16, I32x4ExtendLowI16x8S as I16X8, I64x2ExtendLowI32x4S as I32X4;
    Vector(|ins, a| ins.swiden_high(a)) =>
        I16x8ExtendHighI8x16S as I8X16, I32x4ExtendHighI16x8S as I16X8, I64x2ExtendHighI32x4S as I32X4;
    Vector(|ins, a| ins.uwiden_low(a)) =>
        I16x8ExtendLowI8x16U as I8X16, I32x4ExtendLowI16x8U as I16X8, I64x2ExtendLowI32x4U as I32X4;
    Vector(|ins, a| ins.uwiden_high(a)) =>
        I16x8ExtendHighI8x16U as I8X16, I32x4ExtendHighI16x8U as I16X8, I64x2ExtendHighI32x4U as I32X4;
    Vector(|ins, a| ins.ceil(a)) => F32x4Ceil as F32X4, F64x2Ceil as F64X2;
    Vector(|ins, a| ins.floor(a)) => F32x4Floor as F32X4, F64x2Floor as F64X2;
    Vector(|ins, a| ins.trunc(a)) => F32x4Trunc as F32X4, F64x2Trunc as F64X2;
    Vector(|ins, a| ins.nearest(a)) => F32x4Nearest as F32X4, F64x2Nearest as F64X2;
    Vector(|ins, a| ins.fabs(a)) => F32x4Abs as F32X4, F64x2Abs as F64X2;
    Vector(|ins, a| ins.sqrt(a)) => F32x4Sqrt as F32X4, F64x2Sqrt as F64X2;
    Vector(|ins, a| ins.fcvt_to_sint_sat(types::I32X4, a)) =>
        I32x4TruncSatF32x4S as F32X4, I32x4RelaxedTruncF32x4S as F32X4;
    Vector(|ins, a| ins.fcvt_to_uint_sat(types::I32X4, a)) =>
        I32x4TruncSatF32x4U as F32X4, I32x4RelaxedTruncF32x4U as F32X4;
    Vector(|ins, a| ins.fcvt_from_sint(types::F32X4, a)) => F32x4ConvertI32x4S as I32X4;
    Vector(|ins, a| ins.fcvt_from_uint(types::F32X4, a)) => F32x4ConvertI32x4U as I32X4;
    Vector(|ins, a| ins.fvdemote(a)) => F32x4DemoteF64x2Zero as F64X2;
    Vector(|ins, a| ins.fvpromote_low(a)) => F64x2PromoteLowF32x4 as F32X4;
    VectorTest(|ins, a| ins.vany_true(a)) => V128AnyTrue as I8X16;
    VectorTest(|ins, a| ins.vall_true(a)) =>
        I8x16AllTrue as I8X16, I16x8AllTrue as I16X8, I32x4AllTrue as I32X4, I64x2AllTrue as I64X2;
    Vector(|ins, a| ins.vhigh_bits(types::I32, a)) =>
        I8x16Bitmask as I8X16, I16x8Bitmask as I16X8, I32x4Bitmask as I32X4, I64x2Bitmask as I64X2;
    Vectors(|ins, a, b| ins.swizzle(a, b)) => I8x16Swizzle as I8X16, I8x16RelaxedSwizzle as I8X16;
    Vectors(|ins, a, b| ins.band(a, b)) => V128And as I8X16;
    Vectors(|ins, a, b| ins.band_not(a, b)) => V128AndNot as I8X16;
    Vectors(|ins, a, b| ins.bor(a, b)) => V128Or as I8X16;
    Vectors(|ins, a, b| ins.bxor(a, b)) => V128Xor as I8X16;
    Vectors(|ins, a, b| ins.iadd(a, b)) => I8x16Add as I8X16, I16x8Add as I16X8, I32x4Add as I32X4, I64x2Add as I64X2;
    Vectors(|ins, a, b| ins.isub(a, b)) => I8x16Sub as I8X16, I16x8Sub as I16X8, I32x4Sub as I32X4, I64x2Sub as I64X2;
    Vectors(|ins, a, b| ins.imul(a, b)) => I16x8Mul as I16X8, I32x4Mul as I32X4, I64x2Mul as I64X2;
    Vectors(|ins, a, b| ins.sadd_sat(a, b)) => I8x16AddSatS as I8X16, I16x8AddSatS as I16X8;
    Vectors(|ins, a, b| ins.uadd_sat(a, b)) => I8x16AddSatU as I8X16, I16x8AddSatU as I16X8;
    Vectors(|ins, a, b| ins.ssub_sat(a, b)) => I8x16SubSatS as I8X16, I16x8SubSatS as I16X8;
    Vectors(|ins, a, b| ins.usub_sat(a, b)) => I8x16SubSatU as I8X16, I16x8SubSatU as I16X8;
    Vectors(|ins, a, b| ins.smin(a, b)) => I8x16MinS as I8X16, I16x8MinS as I16X8, I32x4MinS as I32X4;
    Vectors(|ins, a, b| ins.umin(a, b)) => I8x16MinU as I8X16, I16x8MinU as I16X8, I32x4MinU as I32X4;
    Vectors(|ins, a, b| ins.smax(a, b)) => I8x16MaxS as I8X16, I16x8MaxS as I16X8, I32x4MaxS as I32X4;
    Vectors(|ins, a, b| ins.umax(a, b)) => I8x16MaxU as I8X16, I16x8MaxU as I16X8, I32x4MaxU as I32X4;
    Vectors(|ins, a, b| ins.avg_round(a, b)) => I8x16AvgrU as I8X16, I16x8AvgrU as I16X8;
    Vectors(|ins, a, b| ins.sqmul_round_sat(a, b)) => I16x8Q15MulrSatS as I16X8, I16x8RelaxedQ15mulrS as I16X8;
    Vectors(|ins, a, b| ins.snarrow(a, b)) => I8x16NarrowI16x8S as I16X8, I16x8NarrowI32x4S as I32X4;
    Vectors(|ins, a, b| ins.unarrow(a, b)) => I8x16NarrowI16x8U as I16X8, I16x8NarrowI32x4U as I32X4;
    Vectors(|ins, a, b| ins.fadd(a, b)) => F32x4Add as F32X4, F64x2Add as F64X2;
    Vectors(|ins, a, b| ins.fsub(a, b)) => F32x4Sub as F32X4, F64x2Sub as F64X2;
    Vectors(|ins, a, b| ins.fmul(a, b)) => F32x4Mul as F32X4, F64x2Mul as F64X2;
    Vectors(|ins, a, b| ins.fdiv(a, b)) => F32x4Div as F32X4, F64x2Div as F64X2;
    Vectors(|ins, a, b| ins.fmin(a, b)) =>
        F32x4Min as F32X4, F64x2Min as F64X2, F32x4RelaxedMin as F32X4, F64x2RelaxedMin as F64X2;
    Vectors(|ins, a, b| ins.icmp(IntCC::Equal, a, b)) =>
        I8x16Eq as I8X16, I16x8Eq as I16X8, I32x4Eq as I32X4, I64x2Eq as I64X2;
    Vectors(|ins, a, b| ins.icmp(IntCC::NotEqual, a, b)) =>
        I8x16Ne as I8X16, I16x8Ne as I16X8, I32x4Ne as I32X4, I64x2Ne as I64X2;
    Vectors(|ins, a, b| ins.icmp(IntCC::SignedLessThan, a, b)) =>
        I8x16LtS as I8X16, I16x8LtS as I16X8, I32x4LtS as I32X4, I64x2LtS as I64X2;
    Vectors(|ins, a, b| ins.icmp(IntCC::SignedGreaterThan, a, b)) =>
        I8x16GtS as I8X16, I16x8GtS as I16X8, I32x4GtS as I32X4, I64x2GtS as I64X2;
    Vectors(|ins, a, b| ins.icmp(IntCC::SignedLessThanOrEqual, a, b)) =>
        I8x16LeS as I8X16, I16x8LeS as I16X8, I32x4LeS as I32X4, I64x2LeS as I64X2;
    Vectors(|ins, a, b| ins.icmp(IntCC::SignedGreaterThanOrEqual, a, b)) =>
        I8x16GeS as I8X16, I16x8GeS as I16X8, I32x4GeS as I32X4, I64x2GeS as I64X2;
    Vectors(|ins, a, b| ins.icmp(IntCC::UnsignedLessThan, a, b)) =>
        I8x16LtU as I8X16, I16x8LtU as I16X8, I32x4LtU as I32X4;
    Vectors(|ins, a, b| ins.icmp(IntCC::UnsignedGreaterThan, a, b)) =>
        I8x16GtU as I8X16, I16x8GtU as I16X8, I32x4GtU as I32X4;
    Vectors(|ins, a, b| ins.icmp(IntCC::UnsignedLessThanOrEqual, a, b)) =>
        I8x16LeU as I8X16, I16x8LeU as I16X8, I32x4LeU as I32X4;
    Vectors(|ins, a, b| ins.icmp(IntCC::UnsignedGreaterThanOrEqual, a, b)) =>
        I8x16GeU as I8X16, I16x8GeU as I16X8, I32x4GeU as I32X4;
    Vectors(|ins, a, b| ins.fcmp(FloatCC::Equal, a, b)) => F32x4Eq as F32X4, F64x2Eq as F64X2;
    Vectors(|ins, a, b| ins.fcmp(FloatCC::NotEqual, a, b)) => F32x4Ne as F32X4, F64x2Ne as F64X2;
    Vectors(|ins, a, b| ins.fcmp(FloatCC::LessThan, a, b)) => F32x4Lt as F32X4, F64x2Lt as F64X2;
    Vectors(|ins, a, b| ins.fcmp(FloatCC::GreaterThan, a, b)) => F32x4Gt as F32X4, F64x2Gt as F64X2;
    Vectors(|ins, a, b| ins.fcmp(FloatCC::LessThanOrEqual, a, b)) => F32x4Le as F32X4, F64x2Le as F64X2;
    Vectors(|ins, a, b| ins.fcmp(FloatCC::GreaterThanOrEqual, a, b)) => F32x4Ge as F32X4, F64x2Ge as F64X2;
    Shift(|ins, a, b| ins.ishl(a, b)) => I8x16Shl as I8X16, I16x8Shl as I16X8, I32x4Shl as I32X4, I64x2Shl as I64X2;
    Shift(|ins, a, b| ins.sshr(a, b)) =>
        I8x16ShrS as I8X16, I16x8ShrS as I16X8, I32x4ShrS as I32X4, I64x2ShrS as I64X2;
    Shift(|ins, a, b| ins.ushr(a, b)) =>
        I8x16ShrU as I8X16, I16x8ShrU as I16X8, I32x4ShrU as I32X4, I64x2ShrU as I64X2;
    WideningProduct(|ins, a| ins.swiden_low(a)) =>
        I16x8ExtMulLowI8x16S as I8X16, I32x4ExtMulLowI16x8S as I16X8, I64x2ExtMulLowI32x4S as I32X4;
    WideningProduct(|ins, a| ins.swiden_high(a)) =>
        I16x8ExtMulHighI8x16S as I8X16, I32x4ExtMulHighI16x8S as I16X8, I64x2ExtMulHighI32x4S as I32X4;
    WideningProduct(|ins, a| ins.uwiden_low(a)) =>
        I16x8ExtMulLowI8x16U as I8X16, I32x4ExtMulLowI16x8U as I16X8, I64x2ExtMulLowI32x4U as I32X4;
    WideningProduct(|ins, a| ins.uwiden_high(a)) =>
        I16x8ExtMulHighI8x16U as I8X16, I32x4ExtMulHighI16x8U as I16X8, I64x2ExtMulHighI32x4U as I32X4;
    Steps(|t, lanes| t.splat(lanes)) =>
        I8x16Splat as I8X16, I16x8Splat as I16X8, I32x4Splat as I32X4, I64x2Splat as I64X2, F32x4Splat as F32X4,
        F64x2Splat as F64X2;
    Lane(|t, lanes, lane| t.extract_narrow_lane(lanes, lane, true)) =>
        I8x16ExtractLaneS as I8X16, I16x8ExtractLaneS as I16X8;
    Lane(|t, lanes, lane| t.extract_narrow_lane(lanes, lane, false)) =>
        I8x16ExtractLaneU as I8X16, I16x8ExtractLaneU as I16X8;
    Lane(|t, lanes, lane| t.extract_lane(lanes, lane)) =>
        I32x4ExtractLane as I32X4, I64x2ExtractLane as I64X2, F32x4ExtractLane as F32X4, F64x2ExtractLane as F64X2;
    Lane(|t, lanes, lane| t.replace_lane(lanes, lane)) =>
        I8x16ReplaceLane as I8X16, I16x8ReplaceLane as I16X8, I32x4ReplaceLane as I32X4, I64x2ReplaceLane as I64X2,
        F32x4ReplaceLane as F32X4, F64x2ReplaceLane as F64X2;
    Steps(|t, _| t.select_bits()) =>
        V128Bitselect as I8X16, I8x16RelaxedLaneselect as I8X16, I16x8RelaxedLaneselect as I16X8,
        I32x4RelaxedLaneselect as I32X4, I64x2RelaxedLaneselect as I64X2;
    Steps(|t, lanes| t.pop_and_negate(lanes)) => F32x4Neg as F32X4, F64x2Neg as F64X2;
    Steps(|t, lanes| t.maximum(lanes)) =>
        F32x4Max as F32X4, F64x2Max as F64X2, F32x4RelaxedMax as F32X4, F64x2RelaxedMax as F64X2;
    Steps(|t, lanes| t.pseudo_min(lanes)) => F32x4PMin as F32X4, F64x2PMin as F64X2;
    Steps(|t, lanes| t.pop_and_pseudo_max(lanes)) => F32x4PMax as F32X4, F64x2PMax as F64X2;
    Steps(|t, lanes| t.multiply_add(lanes, false)) => F32x4RelaxedMadd as F32X4, F64x2RelaxedMadd as F64X2;
    Steps(|t, lanes| t.multiply_add(lanes, true)) => F32x4RelaxedNmadd as F32X4, F64x2RelaxedNmadd as F64X2;
    Steps(|t, lanes| t.pop_and_add_pairs(lanes, true)) =>
        I16x8ExtAddPairwiseI8x16S as I8X16, I32x4ExtAddPairwiseI16x8S as I16X8;
    Steps(|t, lanes| t.pop_and_add_pairs(lanes, false)) =>
        I16x8ExtAddPairwiseI8x16U as I8X16, I32x4ExtAddPairwiseI16x8U as I16X8;
    Steps(|t, lanes| t.dot_product(lanes)) => I32x4DotI16x8S as I16X8, I16x8RelaxedDotI8x16I7x16S as I8X16;
    Steps(|t, lanes| t.dot_product_and_sum(lanes)) => I32x4RelaxedDotI8x16I7x16AddS as I8X16;
    Steps(|t, _| t.truncate_doubles(true)) => I32x4TruncSatF64x2SZero as F64X2, I32x4RelaxedTruncF64x2SZero as F64X2;
    Steps(|t, _| t.truncate_doubles(false)) => I32x4TruncSatF64x2UZero as F64X2, I32x4RelaxedTruncF64x2UZero as F64X2;
    Steps(|t, _| t.convert_low(true)) => F64x2ConvertLowI32x4S as I32X4;
    Steps(|t, _| t.convert_low(false)) => F64x2ConvertLowI32x4U as I32X4;
    // Memory.
    Access(|t, op, memarg| t.load(op, memarg)) =>
        I32Load, I64Load, F32Load, F64Load, I32Load8S, I32Load8U, I32Load16S, I32Load16U, I64Load8S, I64Load8U,
        I64Load16S, I64Load16U, I64Load32S, I64Load32U;
    Access(|t, op, memarg| t.store(op, memarg)) =>
        I32Store, I64Store, F32Store, F64Store, I32Store8, I32Store16, I64Store8, I64Store16, I64Store32;
    VectorLoad(|ins, at| ins.load(types::I8X16, at.flags, at.pointer, at.offset)) => V128Load;
    VectorLoad(|ins, at| ins.sload8x8(at.flags, at.pointer, at.offset)) => V128Load8x8S;
    VectorLoad(|ins, at| ins.uload8x8(at.flags, at.pointer, at.offset)) => V128Load8x8U;
    VectorLoad(|ins, at| ins.sload16x4(at.flags, at.pointer, at.offset)) => V128Load16x4S;
    VectorLoad(|ins, at| ins.uload16x4(at.flags, at.pointer, at.offset)) => V128Load16x4U;
    VectorLoad(|ins, at| ins.sload32x2(at.flags, at.pointer, at.offset)) => V128Load32x2S;
    VectorLoad(|ins, at| ins.uload32x2(at.flags, at.pointer, at.offset)) => V128Load32x2U;
    VectorAccess(|t, lanes, memarg| t.load_splat(lanes, memarg)) =>
        V128Load8Splat as I8X16, V128Load16Splat as I16X8, V128Load32Splat as I32X4, V128Load64Splat as I64X2;
    VectorAccess(|t, lanes, memarg| t.load_zero(lanes, memarg)) => V128Load32Zero as I32X4, V128Load64Zero as I64X2;
    VectorAccess(|t, _, memarg| t.store_vector(memarg)) => V128Store as I8X16;
    LaneAccess(|t, lanes, memarg, lane| t.load_lane(lanes, memarg, lane)) =>
        V128Load8Lane as I8X16, V128Load16Lane as I16X8, V128Load32Lane as I32X4, V128Load64Lane as I64X2;
    LaneAccess(|t, lanes, memarg, lane| t.store_lane(lanes, memarg, lane)) =>
        V128Store8Lane as I8X16, V128Store16Lane as I16X8, V128Store32Lane as I32X4, V128Store64Lane as I64X2;
    // Atomic accesses.
    Access(|t, op, memarg| t.atomic_load(op, memarg)) =>
        I32AtomicLoad, I32AtomicLoad8U, I32AtomicLoad16U, I64AtomicLoad,
        I64AtomicLoad8U, I64AtomicLoad16U, I64AtomicLoad32U;
    Access(|t, op, memarg| t.atomic_store(op, memarg)) =>
        I32AtomicStore, I32AtomicStore8, I32AtomicStore16, I64AtomicStore,
        I64AtomicStore8, I64AtomicStore16, I64AtomicStore32;
    Access(|t, op, memarg| t.atomic_rmw(op, memarg, AtomicRmwOp::Add)) =>
        I32AtomicRmwAdd, I32AtomicRmw8AddU, I32AtomicRmw16AddU, I64AtomicRmwAdd,
        I64AtomicRmw8AddU, I64AtomicRmw16AddU, I64AtomicRmw32AddU;
    Access(|t, op, memarg| t.atomic_rmw(op, memarg, AtomicRmwOp::Sub)) =>
        I32AtomicRmwSub, I32AtomicRmw8SubU, I32AtomicRmw16SubU, I64AtomicRmwSub,
        I64AtomicRmw8SubU, I64AtomicRmw16SubU, I64AtomicRmw32SubU;
    Access(|t, op, memarg| t.atomic_rmw(op, memarg, AtomicRmwOp::And)) =>
        I32AtomicRmwAnd, I32AtomicRmw8AndU, I32AtomicRmw16AndU, I64AtomicRmwAnd,
        I64AtomicRmw8AndU, I64AtomicRmw16AndU, I64AtomicRmw32AndU;
    Access(|t, op, memarg| t.atomic_rmw(op, memarg, AtomicRmwOp::Or)) =>
        I32AtomicRmwOr, I32AtomicRmw8OrU, I32AtomicRmw16OrU, I64AtomicRmwOr,
        I64AtomicRmw8OrU, I64AtomicRmw16OrU, I64AtomicRmw32OrU;
    Access(|t, op, memarg| t.atomic_rmw(op, memarg, AtomicRmwOp::Xor)) =>
        I32AtomicRmwXor, I32AtomicRmw8XorU, I32AtomicRmw16XorU, I64AtomicRmwXor,
        I64AtomicRmw8XorU, I64AtomicRmw16XorU, I64AtomicRmw32XorU;
    Access(|t, op, memarg| t.atomic_rmw(op, memarg, AtomicRmwOp::Xchg)) =>
        I32AtomicRmwXchg, I32AtomicRmw8XchgU, I32AtomicRmw16XchgU, I64AtomicRmwXchg,
        I64AtomicRmw8XchgU, I64AtomicRmw16XchgU, I64AtomicRmw32XchgU;
    Access(|t, op, memarg| t.atomic_cmpxchg(op, memarg)) =>
        I32AtomicRmwCmpxchg, I32AtomicRmw8CmpxchgU, I32AtomicRmw16CmpxchgU, I64AtomicRmwCmpxchg,
        I64AtomicRmw8CmpxchgU, I64AtomicRmw16CmpxchgU, I64AtomicRmw32CmpxchgU;
}

impl Translator<'_, '_> {
    /// Translates `operator` by its row in the table.
    pub(super) fn table_row(&mut self, op: Op, operator: &Operator<'_>) {
        let value = match clif(op) {
            Clif::Unary(instruction) => {
                let a = self.pop();
                instruction(self.builder.ins(), a)
            }
            Clif::Binary(instruction) => {
                let (a, b) = self.pop2();
                instruction(self.builder.ins(), a, b)
            }
            Clif::Compare(condition) => {
                let (a, b) = self.pop2();
                let truth = self.builder.ins().icmp(condition, a, b);
                self.truth(truth)
            }
            Clif::CompareFloats(condition) => {
                let (a, b) = self.pop2();
                let truth = self.builder.ins().fcmp(condition, a, b);
                self.truth(truth)
            }
            Clif::Vector(instruction, lanes) => {
                let a = self.pop_vector(lanes);
                instruction(self.builder.ins(), a)
            }
            Clif::VectorTest(instruction, lanes) => {
                let a = self.pop_vector(lanes);
                let truth = instruction(self.builder.ins(), a);
                self.truth(truth)
            }
            Clif::Vectors(instruction, lanes) => {
                let (a, b) = self.pop_vectors(lanes);
                instruction(self.builder.ins(), a, b)
            }
            Clif::Shift(instruction, lanes) => {
                let count = self.pop();
                let a = self.pop_vector(lanes);
                instruction(self.builder.ins(), a, count)
            }
            Clif::WideningProduct(widen, lanes) => {
                let (a, b) = self.pop_vectors(lanes);
                self.widening_product(widen, a, b)
            }
            Clif::Steps(steps, ty) => steps(self, ty),
            Clif::Lane(steps, lanes) => steps(self, lanes, lane_of(operator)),
            Clif::VectorLoad(instruction) => {
                let bytes = op.info().access.map_or(0, |access| access.bytes);
                let site = self.site(memarg_of(operator), bytes.into());
                instruction(self.builder.ins(), site)
            }
            Clif::Access(access) => return access(self, op, memarg_of(operator)),
            Clif::VectorAccess(access, lanes) => return access(self, lanes, memarg_of(operator)),
            Clif::LaneAccess(access, lanes) => return access(self, lanes, memarg_of(operator), lane_of(operator)),
        };
        self.push(value);
        if let Some(floats) = op.nan_result().filter(|_| self.request.canonical_nans) {
            self.canonical_nan(floats);
        }
    }
}
