//! The emitter of each vector instruction: the machine instructions of its operator. `rows` gives the places of operands and
//! result, `vector` and `vector_memory` interpret what is here.
//!
//! An operator of vectors is a [`Program`]: machine instructions on its operands and two scratch registers. A processor without
//! SSE4.2 leaves all vector instructions to their handlers.

use wasmr_core::op::{Op, Shape};
use wasmr_core::types::ValType;

use super::access::Address;
use super::assemble::{Opcode, condition};
use super::sse::*;
use crate::instr::locations::Locations;
use crate::instr::{Family, LoadLaneChecked, StoreLaneChecked, VectorLoadChecked, VectorStoreChecked};

/// The code of a vector instruction, without places.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Vector {
    Unary(Program),
    Binary(Program),
    Ternary(Program),
    Test(Program, Outcome),
    Shift(Shift),
    Splat(Lane),
    /// True if the lane is sign-extended.
    ExtractLane(Lane, bool),
    ReplaceLane(Lane),
    /// A choice of bytes of two vectors.
    ShuffleBytes,
    /// A choice of bytes of one vector.
    PermuteBytes,
    Load(Loaded, Address),
    /// True for 64-bit addresses.
    LoadChecked(Loaded, bool),
    Store,
    StoreChecked(bool),
    LoadLane(Lane),
    StoreLane(Lane),
    Copy,
    Constant,
    GlobalGet {
        is_imported: bool,
    },
    GlobalSet {
        is_imported: bool,
    },
    Select,
}

/// Machine instructions of an operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Program {
    pub(crate) order: Order,
    pub(crate) steps: &'static [Step],
}

/// The operand that is in [`Place::X`] at the start, and the one in [`Place::Y`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// The only operand is in `Y`. `X` has no value.
    Alone,
    /// `X` is the first operand, `Y` the second one.
    Given,
    /// `X` is the second operand, `Y` the first one.
    Exchanged,
    /// `X` is either operand.
    Any,
}

/// A machine instruction of a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Plain(Opcode, Place, Place),
    WithByte(Opcode, Place, Place, u8),
    Shift(ShiftByte, Place, u8),
}

/// An operand of a machine instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// The register of the result. It may be that of [`Y`](Place::Y) in a program of one operand or of one machine instruction,
    /// and that of no other operand in other programs.
    X,
    /// An operand, which is only read.
    Y,
    /// The third operand, which is only read.
    Z,
    /// A scratch register.
    T,
    /// Another scratch register.
    U,
    /// A constant, the low half first.
    Constant(u64, u64),
}

/// The result of a test, after its program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// A condition.
    Condition(u8),
    /// The signs of the lanes in a place, by this machine instruction.
    Signs(Opcode, Place),
}

/// A shift of lanes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shift {
    pub(crate) kind: ShiftKind,
    /// The shift by a count in a vector register.
    pub(crate) opcode: Opcode,
    /// The shift by a constant.
    pub(crate) by_constant: ShiftByte,
    /// Bits of a lane.
    pub(crate) bits: u8,
}

/// The machine instructions that a shift needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ShiftKind {
    /// The one in [`Shift`].
    Direct,
    /// Bytes to the left, as halves of 16-bit lanes.
    BytesLeft,
    /// Bytes to the right, as 16-bit lanes.
    BytesRight { signed: bool },
    /// 64 bits to the right with the sign.
    SignedLong,
}

/// A lane as operand or result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lane {
    pub(crate) bytes: u8,
    pub(crate) is_float: bool,
}

/// A load of a vector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Loaded {
    /// By one machine instruction, of this number of bytes.
    Plain(Opcode, u8),
    /// All lanes are equal.
    Splat(Lane),
}

use Place::{T, U, X, Y, Z};

const fn op(opcode: Opcode, to: Place, from: Place) -> Step {
    Step::Plain(opcode, to, from)
}

const fn imm(opcode: Opcode, to: Place, from: Place, byte: u8) -> Step {
    Step::WithByte(opcode, to, from, byte)
}

const fn shift(by_constant: ShiftByte, to: Place, count: u8) -> Step {
    Step::Shift(by_constant, to, count)
}

/// A constant with 16 equal bytes.
const fn bytes(byte: u8) -> Place {
    let half = u64::from_ne_bytes([byte; 8]);
    Place::Constant(half, half)
}

/// A constant with equal lanes of 16 bits.
const fn words(word: u16) -> Place {
    doubles((word as u32) << 16 | word as u32)
}

/// A constant with equal lanes of 32 bits.
const fn doubles(double: u32) -> Place {
    quads((double as u64) << 32 | double as u64)
}

/// A constant with equal lanes of 64 bits.
const fn quads(quad: u64) -> Place {
    Place::Constant(quad, quad)
}

/// Numbers of bits that are set in the numbers from 0 to 15.
const BIT_COUNTS: Place = Place::Constant(0x0302_0201_0201_0100, 0x0403_0302_0302_0201);
/// 2^31 as `f32`.
const TWO_31: Place = doubles(0x4f00_0000);
/// 2^52 as `f64`: the sum with a smaller integer has the integer in its low bits.
const TWO_52: Place = quads(0x4330_0000_0000_0000);
const TWO_52_HIGH: Place = doubles(0x4330_0000);

macro_rules! programs {
    ($(#[$attr:meta])* fn $name:ident; $($($op:ident)|+ $order:ident [$($step:expr),+])*) => {
        $(#[$attr])*
        fn $name(op: Op) -> Option<Program> {
            Some(match op {
                $($(Op::$op)|+ => Program { order: Order::$order, steps: const { &[$($step),+] } },)*
                _ => return None,
            })
        }
    };
}

programs! {
    /// Returns the program of an operator of one vector.
    fn unary;
    V128Not                    Alone [op(MOVAPS, X, Y), op(PCMPEQD, T, T), op(PXOR, X, T)]
    I8x16Abs                   Alone [op(PABSB, X, Y)]
    I16x8Abs                   Alone [op(PABSW, X, Y)]
    I32x4Abs                   Alone [op(PABSD, X, Y)]
    I64x2Abs                   Alone [op(MOVAPS, T, Y), shift(PSRAD_BYTE, T, 31), imm(PSHUFD, T, T, 0xf5), op(MOVAPS, X, Y),
                                      op(PXOR, X, T), op(PSUBQ, X, T)]
    I8x16Neg                   Alone [op(PXOR, T, T), op(PSUBB, T, Y), op(MOVAPS, X, T)]
    I16x8Neg                   Alone [op(PXOR, T, T), op(PSUBW, T, Y), op(MOVAPS, X, T)]
    I32x4Neg                   Alone [op(PXOR, T, T), op(PSUBD, T, Y), op(MOVAPS, X, T)]
    I64x2Neg                   Alone [op(PXOR, T, T), op(PSUBQ, T, Y), op(MOVAPS, X, T)]
    // The counts of the high and of the low halves of bytes.
    I8x16Popcnt                Alone [op(MOVAPS, T, Y), shift(PSRLW_BYTE, T, 4), op(PAND, T, bytes(15)), op(MOVAPS, U, BIT_COUNTS),
                                      op(PSHUFB, U, T), op(MOVAPS, T, Y), op(PAND, T, bytes(15)), op(MOVAPS, X, BIT_COUNTS),
                                      op(PSHUFB, X, T), op(PADDB, X, U)]
    I16x8ExtAddPairwiseI8x16S  Alone [op(MOVAPS, T, bytes(1)), op(PMADDUBSW, T, Y), op(MOVAPS, X, T)]
    I16x8ExtAddPairwiseI8x16U  Alone [op(MOVAPS, X, Y), op(PMADDUBSW, X, bytes(1))]
    I32x4ExtAddPairwiseI16x8S  Alone [op(MOVAPS, X, Y), op(PMADDWD, X, words(1))]
    // The sum of two numbers that are 2^15 too small.
    I32x4ExtAddPairwiseI16x8U  Alone [op(MOVAPS, X, Y), op(PXOR, X, words(0x8000)), op(PMADDWD, X, words(1)),
                                      op(PADDD, X, doubles(0x1_0000))]
    I16x8ExtendLowI8x16S       Alone [op(PMOVSXBW, X, Y)]
    I16x8ExtendHighI8x16S      Alone [imm(PSHUFD, X, Y, 0xee), op(PMOVSXBW, X, X)]
    I16x8ExtendLowI8x16U       Alone [op(PMOVZXBW, X, Y)]
    I16x8ExtendHighI8x16U      Alone [imm(PSHUFD, X, Y, 0xee), op(PMOVZXBW, X, X)]
    I32x4ExtendLowI16x8S       Alone [op(PMOVSXWD, X, Y)]
    I32x4ExtendHighI16x8S      Alone [imm(PSHUFD, X, Y, 0xee), op(PMOVSXWD, X, X)]
    I32x4ExtendLowI16x8U       Alone [op(PMOVZXWD, X, Y)]
    I32x4ExtendHighI16x8U      Alone [imm(PSHUFD, X, Y, 0xee), op(PMOVZXWD, X, X)]
    I64x2ExtendLowI32x4S       Alone [op(PMOVSXDQ, X, Y)]
    I64x2ExtendHighI32x4S      Alone [imm(PSHUFD, X, Y, 0xee), op(PMOVSXDQ, X, X)]
    I64x2ExtendLowI32x4U       Alone [op(PMOVZXDQ, X, Y)]
    I64x2ExtendHighI32x4U      Alone [imm(PSHUFD, X, Y, 0xee), op(PMOVZXDQ, X, X)]
    F32x4Nearest               Alone [imm(ROUNDPS, X, Y, 0)]
    F32x4Floor                 Alone [imm(ROUNDPS, X, Y, 1)]
    F32x4Ceil                  Alone [imm(ROUNDPS, X, Y, 2)]
    F32x4Trunc                 Alone [imm(ROUNDPS, X, Y, 3)]
    F64x2Nearest               Alone [imm(ROUNDPD, X, Y, 0)]
    F64x2Floor                 Alone [imm(ROUNDPD, X, Y, 1)]
    F64x2Ceil                  Alone [imm(ROUNDPD, X, Y, 2)]
    F64x2Trunc                 Alone [imm(ROUNDPD, X, Y, 3)]
    F32x4Abs                   Alone [op(MOVAPS, X, Y), op(ANDPS, X, doubles(0x7fff_ffff))]
    F64x2Abs                   Alone [op(MOVAPS, X, Y), op(ANDPD, X, quads(!0 >> 1))]
    F32x4Neg                   Alone [op(MOVAPS, X, Y), op(XORPS, X, doubles(1 << 31))]
    F64x2Neg                   Alone [op(MOVAPS, X, Y), op(XORPD, X, quads(1 << 63))]
    F32x4Sqrt                  Alone [op(SQRTPS, X, Y)]
    F64x2Sqrt                  Alone [op(SQRTPD, X, Y)]
    // A NaN becomes 0. The conversion makes 2^31 of what is too large or too small; the last instructions invert the former.
    I32x4TruncSatF32x4S | I32x4RelaxedTruncF32x4S
                               Alone [op(MOVAPS, T, Y), imm(CMPPS, T, T, EQUAL), op(MOVAPS, X, Y), op(ANDPS, X, T), op(PXOR, T, X),
                                      op(CVTTPS2DQ, X, X), op(PAND, T, X), shift(PSRAD_BYTE, T, 31), op(PXOR, X, T)]
    // The sum of the number, or 2^31 if that is more, and what is beyond 2^31, at most 2^31 - 1.
    I32x4TruncSatF32x4U | I32x4RelaxedTruncF32x4U
                               Alone [op(MOVAPS, X, Y), op(PXOR, T, T), op(MAXPS, X, T), op(MOVAPS, T, X), op(SUBPS, T, TWO_31),
                                      op(MOVAPS, U, TWO_31), imm(CMPPS, U, T, LESS_EQUAL), op(CVTTPS2DQ, T, T), op(PXOR, T, U),
                                      op(PXOR, U, U), op(PMAXSD, T, U), op(CVTTPS2DQ, X, X), op(PADDD, X, T)]
    F32x4ConvertI32x4S         Alone [op(CVTDQ2PS, X, Y)]
    // The sum of the low 16 bits and of twice half of the others; only the sum is rounded.
    F32x4ConvertI32x4U         Alone [op(PXOR, T, T), imm(PBLENDW, T, Y, 0x55), op(MOVAPS, X, Y), op(PSUBD, X, T), op(CVTDQ2PS, T, T),
                                      shift(PSRLD_BYTE, X, 1), op(CVTDQ2PS, X, X), op(ADDPS, X, X), op(ADDPS, X, T)]
    I32x4TruncSatF64x2SZero | I32x4RelaxedTruncF64x2SZero
                               Alone [op(MOVAPS, T, Y), imm(CMPPD, T, T, EQUAL), op(ANDPD, T, quads(2_147_483_647f64.to_bits())),
                                      op(MOVAPS, X, Y), op(MINPD, X, T), op(CVTTPD2DQ, X, X)]
    I32x4TruncSatF64x2UZero | I32x4RelaxedTruncF64x2UZero
                               Alone [op(PXOR, T, T), op(MOVAPS, X, Y), op(MAXPD, X, T), op(MINPD, X, quads(4_294_967_295f64.to_bits())),
                                      imm(ROUNDPD, X, X, 3), op(ADDPD, X, TWO_52), imm(SHUFPS, X, T, 0x88)]
    F64x2ConvertLowI32x4S      Alone [op(CVTDQ2PD, X, Y)]
    F64x2ConvertLowI32x4U      Alone [op(MOVAPS, X, Y), op(UNPCKLPS, X, TWO_52_HIGH), op(SUBPD, X, TWO_52)]
    F32x4DemoteF64x2Zero       Alone [op(CVTPD2PS, X, Y)]
    F64x2PromoteLowF32x4       Alone [op(CVTPS2PD, X, Y)]
}

// Comparisons of `cmpps` and `cmppd`.
const EQUAL: u8 = 0;
const LESS: u8 = 1;
const LESS_EQUAL: u8 = 2;
const UNORDERED: u8 = 3;
const NOT_EQUAL: u8 = 4;

programs! {
    /// Returns the program of an operator of two vectors.
    fn binary;
    V128And                Any       [op(PAND, X, Y)]
    V128AndNot             Exchanged [op(PANDN, X, Y)]
    V128Or                 Any       [op(POR, X, Y)]
    V128Xor                Any       [op(PXOR, X, Y)]
    // Numbers from 16 on become 128 or more.
    I8x16Swizzle | I8x16RelaxedSwizzle
                           Given     [op(MOVAPS, T, Y), op(PADDUSB, T, bytes(0x70)), op(PSHUFB, X, T)]
    I8x16Eq                Any       [op(PCMPEQB, X, Y)]
    I16x8Eq                Any       [op(PCMPEQW, X, Y)]
    I32x4Eq                Any       [op(PCMPEQD, X, Y)]
    I64x2Eq                Any       [op(PCMPEQQ, X, Y)]
    I8x16Ne                Any       [op(PCMPEQB, X, Y), op(PCMPEQD, T, T), op(PXOR, X, T)]
    I16x8Ne                Any       [op(PCMPEQW, X, Y), op(PCMPEQD, T, T), op(PXOR, X, T)]
    I32x4Ne                Any       [op(PCMPEQD, X, Y), op(PCMPEQD, T, T), op(PXOR, X, T)]
    I64x2Ne                Any       [op(PCMPEQQ, X, Y), op(PCMPEQD, T, T), op(PXOR, X, T)]
    I8x16GtS               Given     [op(PCMPGTB, X, Y)]
    I16x8GtS               Given     [op(PCMPGTW, X, Y)]
    I32x4GtS               Given     [op(PCMPGTD, X, Y)]
    I64x2GtS               Given     [op(PCMPGTQ, X, Y)]
    I8x16LtS               Exchanged [op(PCMPGTB, X, Y)]
    I16x8LtS               Exchanged [op(PCMPGTW, X, Y)]
    I32x4LtS               Exchanged [op(PCMPGTD, X, Y)]
    I64x2LtS               Exchanged [op(PCMPGTQ, X, Y)]
    I8x16GeS               Given     [op(PMINSB, X, Y), op(PCMPEQB, X, Y)]
    I16x8GeS               Given     [op(PMINSW, X, Y), op(PCMPEQW, X, Y)]
    I32x4GeS               Given     [op(PMINSD, X, Y), op(PCMPEQD, X, Y)]
    I64x2GeS               Exchanged [op(PCMPGTQ, X, Y), op(PCMPEQD, T, T), op(PXOR, X, T)]
    I8x16LeS               Given     [op(PMAXSB, X, Y), op(PCMPEQB, X, Y)]
    I16x8LeS               Given     [op(PMAXSW, X, Y), op(PCMPEQW, X, Y)]
    I32x4LeS               Given     [op(PMAXSD, X, Y), op(PCMPEQD, X, Y)]
    I64x2LeS               Given     [op(PCMPGTQ, X, Y), op(PCMPEQD, T, T), op(PXOR, X, T)]
    I8x16GeU               Given     [op(PMINUB, X, Y), op(PCMPEQB, X, Y)]
    I16x8GeU               Given     [op(PMINUW, X, Y), op(PCMPEQW, X, Y)]
    I32x4GeU               Given     [op(PMINUD, X, Y), op(PCMPEQD, X, Y)]
    I8x16LeU               Given     [op(PMAXUB, X, Y), op(PCMPEQB, X, Y)]
    I16x8LeU               Given     [op(PMAXUW, X, Y), op(PCMPEQW, X, Y)]
    I32x4LeU               Given     [op(PMAXUD, X, Y), op(PCMPEQD, X, Y)]
    I8x16LtU               Given     [op(PMINUB, X, Y), op(PCMPEQB, X, Y), op(PCMPEQD, T, T), op(PXOR, X, T)]
    I16x8LtU               Given     [op(PMINUW, X, Y), op(PCMPEQW, X, Y), op(PCMPEQD, T, T), op(PXOR, X, T)]
    I32x4LtU               Given     [op(PMINUD, X, Y), op(PCMPEQD, X, Y), op(PCMPEQD, T, T), op(PXOR, X, T)]
    I8x16GtU               Given     [op(PMAXUB, X, Y), op(PCMPEQB, X, Y), op(PCMPEQD, T, T), op(PXOR, X, T)]
    I16x8GtU               Given     [op(PMAXUW, X, Y), op(PCMPEQW, X, Y), op(PCMPEQD, T, T), op(PXOR, X, T)]
    I32x4GtU               Given     [op(PMAXUD, X, Y), op(PCMPEQD, X, Y), op(PCMPEQD, T, T), op(PXOR, X, T)]
    F32x4Eq                Any       [imm(CMPPS, X, Y, EQUAL)]
    F64x2Eq                Any       [imm(CMPPD, X, Y, EQUAL)]
    F32x4Ne                Any       [imm(CMPPS, X, Y, NOT_EQUAL)]
    F64x2Ne                Any       [imm(CMPPD, X, Y, NOT_EQUAL)]
    F32x4Lt                Given     [imm(CMPPS, X, Y, LESS)]
    F64x2Lt                Given     [imm(CMPPD, X, Y, LESS)]
    F32x4Le                Given     [imm(CMPPS, X, Y, LESS_EQUAL)]
    F64x2Le                Given     [imm(CMPPD, X, Y, LESS_EQUAL)]
    F32x4Gt                Exchanged [imm(CMPPS, X, Y, LESS)]
    F64x2Gt                Exchanged [imm(CMPPD, X, Y, LESS)]
    F32x4Ge                Exchanged [imm(CMPPS, X, Y, LESS_EQUAL)]
    F64x2Ge                Exchanged [imm(CMPPD, X, Y, LESS_EQUAL)]
    I8x16NarrowI16x8S      Given     [op(PACKSSWB, X, Y)]
    I8x16NarrowI16x8U      Given     [op(PACKUSWB, X, Y)]
    I16x8NarrowI32x4S      Given     [op(PACKSSDW, X, Y)]
    I16x8NarrowI32x4U      Given     [op(PACKUSDW, X, Y)]
    I8x16Add               Any       [op(PADDB, X, Y)]
    I16x8Add               Any       [op(PADDW, X, Y)]
    I32x4Add               Any       [op(PADDD, X, Y)]
    I64x2Add               Any       [op(PADDQ, X, Y)]
    I8x16Sub               Given     [op(PSUBB, X, Y)]
    I16x8Sub               Given     [op(PSUBW, X, Y)]
    I32x4Sub               Given     [op(PSUBD, X, Y)]
    I64x2Sub               Given     [op(PSUBQ, X, Y)]
    I8x16AddSatS           Any       [op(PADDSB, X, Y)]
    I16x8AddSatS           Any       [op(PADDSW, X, Y)]
    I8x16AddSatU           Any       [op(PADDUSB, X, Y)]
    I16x8AddSatU           Any       [op(PADDUSW, X, Y)]
    I8x16SubSatS           Given     [op(PSUBSB, X, Y)]
    I16x8SubSatS           Given     [op(PSUBSW, X, Y)]
    I8x16SubSatU           Given     [op(PSUBUSB, X, Y)]
    I16x8SubSatU           Given     [op(PSUBUSW, X, Y)]
    I8x16MinS              Any       [op(PMINSB, X, Y)]
    I16x8MinS              Any       [op(PMINSW, X, Y)]
    I32x4MinS              Any       [op(PMINSD, X, Y)]
    I8x16MinU              Any       [op(PMINUB, X, Y)]
    I16x8MinU              Any       [op(PMINUW, X, Y)]
    I32x4MinU              Any       [op(PMINUD, X, Y)]
    I8x16MaxS              Any       [op(PMAXSB, X, Y)]
    I16x8MaxS              Any       [op(PMAXSW, X, Y)]
    I32x4MaxS              Any       [op(PMAXSD, X, Y)]
    I8x16MaxU              Any       [op(PMAXUB, X, Y)]
    I16x8MaxU              Any       [op(PMAXUW, X, Y)]
    I32x4MaxU              Any       [op(PMAXUD, X, Y)]
    I8x16AvgrU             Any       [op(PAVGB, X, Y)]
    I16x8AvgrU             Any       [op(PAVGW, X, Y)]
    I16x8Mul               Any       [op(PMULLW, X, Y)]
    I32x4Mul               Any       [op(PMULLD, X, Y)]
    // Of the products of halves, those that are not beyond 64 bits.
    I64x2Mul               Given     [op(MOVAPS, T, X), shift(PSRLQ_BYTE, T, 32), op(PMULUDQ, T, Y), op(MOVAPS, U, Y),
                                      shift(PSRLQ_BYTE, U, 32), op(PMULUDQ, U, X), op(PADDQ, T, U), shift(PSLLQ_BYTE, T, 32),
                                      op(PMULUDQ, X, Y), op(PADDQ, X, T)]
    // The machine instruction has -1 instead of 1 as the square of -1.
    I16x8Q15MulrSatS | I16x8RelaxedQ15mulrS
                           Any       [op(PMULHRSW, X, Y), op(MOVAPS, T, X), op(PCMPEQW, T, words(0x8000)), op(PXOR, X, T)]
    I32x4DotI16x8S         Any       [op(PMADDWD, X, Y)]
    I16x8ExtMulLowI8x16S   Given     [op(PMOVSXBW, T, Y), op(PMOVSXBW, X, X), op(PMULLW, X, T)]
    I16x8ExtMulLowI8x16U   Given     [op(PMOVZXBW, T, Y), op(PMOVZXBW, X, X), op(PMULLW, X, T)]
    I16x8ExtMulHighI8x16S  Given     [imm(PSHUFD, T, Y, 0xee), op(PMOVSXBW, T, T), imm(PSHUFD, X, X, 0xee), op(PMOVSXBW, X, X),
                                      op(PMULLW, X, T)]
    I16x8ExtMulHighI8x16U  Given     [imm(PSHUFD, T, Y, 0xee), op(PMOVZXBW, T, T), imm(PSHUFD, X, X, 0xee), op(PMOVZXBW, X, X),
                                      op(PMULLW, X, T)]
    I32x4ExtMulLowI16x8S   Given     [op(MOVAPS, T, X), op(PMULHW, T, Y), op(PMULLW, X, Y), op(PUNPCKLWD, X, T)]
    I32x4ExtMulLowI16x8U   Given     [op(MOVAPS, T, X), op(PMULHUW, T, Y), op(PMULLW, X, Y), op(PUNPCKLWD, X, T)]
    I32x4ExtMulHighI16x8S  Given     [op(MOVAPS, T, X), op(PMULHW, T, Y), op(PMULLW, X, Y), op(PUNPCKHWD, X, T)]
    I32x4ExtMulHighI16x8U  Given     [op(MOVAPS, T, X), op(PMULHUW, T, Y), op(PMULLW, X, Y), op(PUNPCKHWD, X, T)]
    I64x2ExtMulLowI32x4S   Given     [imm(PSHUFD, T, Y, 0x50), imm(PSHUFD, X, X, 0x50), op(PMULDQ, X, T)]
    I64x2ExtMulLowI32x4U   Given     [imm(PSHUFD, T, Y, 0x50), imm(PSHUFD, X, X, 0x50), op(PMULUDQ, X, T)]
    I64x2ExtMulHighI32x4S  Given     [imm(PSHUFD, T, Y, 0xfa), imm(PSHUFD, X, X, 0xfa), op(PMULDQ, X, T)]
    I64x2ExtMulHighI32x4U  Given     [imm(PSHUFD, T, Y, 0xfa), imm(PSHUFD, X, X, 0xfa), op(PMULUDQ, X, T)]
    // Of two NaNs the first operand counts, so sums and products have an order.
    F32x4Add               Given     [op(ADDPS, X, Y)]
    F64x2Add               Given     [op(ADDPD, X, Y)]
    F32x4Sub               Given     [op(SUBPS, X, Y)]
    F64x2Sub               Given     [op(SUBPD, X, Y)]
    F32x4Mul               Given     [op(MULPS, X, Y)]
    F64x2Mul               Given     [op(MULPD, X, Y)]
    F32x4Div               Given     [op(DIVPS, X, Y)]
    F64x2Div               Given     [op(DIVPD, X, Y)]
    // Of equal numbers, which may be zeros of different signs, and of unordered ones, the machine instruction has the second
    // one: both orders together have the right zero. Unordered lanes become the NaN whose only set bits are the high ones.
    F32x4Min | F32x4RelaxedMin
                           Given     [op(MOVAPS, T, Y), op(MINPS, T, X), op(MOVAPS, U, X), imm(CMPPS, U, Y, UNORDERED), op(MINPS, X, Y),
                                      op(ORPS, X, T), op(ORPS, X, U), shift(PSRLD_BYTE, U, 10), op(PANDN, U, X), op(MOVAPS, X, U)]
    F64x2Min | F64x2RelaxedMin
                           Given     [op(MOVAPS, T, Y), op(MINPD, T, X), op(MOVAPS, U, X), imm(CMPPD, U, Y, UNORDERED), op(MINPD, X, Y),
                                      op(ORPD, X, T), op(ORPD, X, U), shift(PSRLQ_BYTE, U, 13), op(PANDN, U, X), op(MOVAPS, X, U)]
    F32x4Max | F32x4RelaxedMax
                           Given     [op(MOVAPS, T, Y), op(MAXPS, T, X), op(MOVAPS, U, X), imm(CMPPS, U, Y, UNORDERED), op(MAXPS, X, Y),
                                      op(ANDPS, X, T), op(ORPS, X, U), shift(PSRLD_BYTE, U, 10), op(PANDN, U, X), op(MOVAPS, X, U)]
    F64x2Max | F64x2RelaxedMax
                           Given     [op(MOVAPS, T, Y), op(MAXPD, T, X), op(MOVAPS, U, X), imm(CMPPD, U, Y, UNORDERED), op(MAXPD, X, Y),
                                      op(ANDPD, X, T), op(ORPD, X, U), shift(PSRLQ_BYTE, U, 13), op(PANDN, U, X), op(MOVAPS, X, U)]
    F32x4PMin              Exchanged [op(MINPS, X, Y)]
    F64x2PMin              Exchanged [op(MINPD, X, Y)]
    F32x4PMax              Exchanged [op(MAXPS, X, Y)]
    F64x2PMax              Exchanged [op(MAXPD, X, Y)]
}

programs! {
    /// Returns the program of an operator of three vectors.
    fn ternary;
    V128Bitselect | I8x16RelaxedLaneselect | I16x8RelaxedLaneselect | I32x4RelaxedLaneselect | I64x2RelaxedLaneselect
                       Given [op(PXOR, X, Y), op(PAND, X, Z), op(PXOR, X, Y)]
    F32x4RelaxedMadd   Given [op(MULPS, X, Y), op(ADDPS, X, Z)]
    F64x2RelaxedMadd   Given [op(MULPD, X, Y), op(ADDPD, X, Z)]
    F32x4RelaxedNmadd  Given [op(XORPS, X, doubles(1 << 31)), op(MULPS, X, Y), op(ADDPS, X, Z)]
    F64x2RelaxedNmadd  Given [op(XORPD, X, quads(1 << 63)), op(MULPD, X, Y), op(ADDPD, X, Z)]
}

programs! {
    /// Returns the program of a test.
    fn test_steps;
    V128AnyTrue   Alone [op(PTEST, Y, Y)]
    I8x16AllTrue  Alone [op(PXOR, T, T), op(PCMPEQB, T, Y), op(PTEST, T, T)]
    I16x8AllTrue  Alone [op(PXOR, T, T), op(PCMPEQW, T, Y), op(PTEST, T, T)]
    I32x4AllTrue  Alone [op(PXOR, T, T), op(PCMPEQD, T, Y), op(PTEST, T, T)]
    I64x2AllTrue  Alone [op(PXOR, T, T), op(PCMPEQQ, T, Y), op(PTEST, T, T)]
    I16x8Bitmask  Alone [op(PXOR, U, U), op(MOVAPS, T, Y), op(PACKSSWB, T, U)]
}

/// Returns the program of a test, and its result.
fn test(op: Op) -> Option<(Program, Outcome)> {
    use Op::*;
    let outcome = match op {
        V128AnyTrue => Outcome::Condition(condition::NOT_EQUAL),
        I8x16AllTrue | I16x8AllTrue | I32x4AllTrue | I64x2AllTrue => Outcome::Condition(condition::EQUAL),
        I8x16Bitmask => Outcome::Signs(PMOVMSKB, Y),
        I16x8Bitmask => Outcome::Signs(PMOVMSKB, T),
        I32x4Bitmask => Outcome::Signs(MOVMSKPS, Y),
        I64x2Bitmask => Outcome::Signs(MOVMSKPD, Y),
        _ => return None,
    };
    Some((test_steps(op).unwrap_or(Program { order: Order::Alone, steps: &[] }), outcome))
}

fn lane_shift(op: Op) -> Option<Shift> {
    use Op::*;
    let new = |kind, opcode, by_constant, bits| Shift { kind, opcode, by_constant, bits };
    let direct = |opcode, by_constant, bits| new(ShiftKind::Direct, opcode, by_constant, bits);
    Some(match op {
        I8x16Shl => new(ShiftKind::BytesLeft, PSLLW, PSLLW_BYTE, 8),
        I8x16ShrS => new(ShiftKind::BytesRight { signed: true }, PSRAW, PSRAW_BYTE, 8),
        I8x16ShrU => new(ShiftKind::BytesRight { signed: false }, PSRLW, PSRLW_BYTE, 8),
        I16x8Shl => direct(PSLLW, PSLLW_BYTE, 16),
        I16x8ShrS => direct(PSRAW, PSRAW_BYTE, 16),
        I16x8ShrU => direct(PSRLW, PSRLW_BYTE, 16),
        I32x4Shl => direct(PSLLD, PSLLD_BYTE, 32),
        I32x4ShrS => direct(PSRAD, PSRAD_BYTE, 32),
        I32x4ShrU => direct(PSRLD, PSRLD_BYTE, 32),
        I64x2Shl => direct(PSLLQ, PSLLQ_BYTE, 64),
        I64x2ShrS => new(ShiftKind::SignedLong, PSRLQ, PSRLQ_BYTE, 64),
        I64x2ShrU => direct(PSRLQ, PSRLQ_BYTE, 64),
        _ => return None,
    })
}

fn loaded(op: Op) -> Option<Loaded> {
    use Op::*;
    let splat = |bytes| Loaded::Splat(Lane { bytes, is_float: false });
    Some(match op {
        V128Load => Loaded::Plain(MOVUPS, 16),
        V128Load8x8S => Loaded::Plain(PMOVSXBW, 8),
        V128Load8x8U => Loaded::Plain(PMOVZXBW, 8),
        V128Load16x4S => Loaded::Plain(PMOVSXWD, 8),
        V128Load16x4U => Loaded::Plain(PMOVZXWD, 8),
        V128Load32x2S => Loaded::Plain(PMOVSXDQ, 8),
        V128Load32x2U => Loaded::Plain(PMOVZXDQ, 8),
        V128Load64Splat => Loaded::Plain(MOVDDUP, 8),
        V128Load32Zero => Loaded::Plain(MOVSS, 4),
        V128Load64Zero => Loaded::Plain(MOVSD, 8),
        V128Load8Splat => splat(1),
        V128Load16Splat => splat(2),
        V128Load32Splat => splat(4),
        _ => return None,
    })
}

/// Returns the emitter of an operator's instruction.
pub(crate) fn operator(op: Op, index: usize) -> Option<Vector> {
    let info = op.info();
    // Extraction has a vector of lanes as operand, and the other operators a scalar in the last place.
    let scalar = if info.shape == Shape::ExtractLane { info.result } else { info.operands.last().copied() };
    let lane = Lane {
        bytes: 16u8.checked_div(info.lanes).unwrap_or_else(|| scalar.map_or(0, size)),
        is_float: matches!(scalar, Some(ValType::F32 | ValType::F64)),
    };
    let is_64 = |checked: usize| index == checked + true.index();
    Some(match info.shape {
        Shape::VectorUnary => Vector::Unary(unary(op)?),
        Shape::VectorBinary => Vector::Binary(binary(op)?),
        Shape::VectorTernary => Vector::Ternary(ternary(op)?),
        Shape::VectorTest => test(op).map(|(program, outcome)| Vector::Test(program, outcome))?,
        Shape::Shift => Vector::Shift(lane_shift(op)?),
        Shape::Splat if op == Op::I8x16Splat => Vector::Splat(Lane { bytes: 1, is_float: false }),
        Shape::Splat if op == Op::I16x8Splat => Vector::Splat(Lane { bytes: 2, is_float: false }),
        Shape::Splat => Vector::Splat(lane),
        Shape::ExtractLane => Vector::ExtractLane(lane, matches!(op, Op::I8x16ExtractLaneS | Op::I16x8ExtractLaneS)),
        Shape::ReplaceLane => Vector::ReplaceLane(lane),
        Shape::VectorLoad if index >= VectorLoadChecked::BASE => {
            Vector::LoadChecked(loaded(op)?, is_64(VectorLoadChecked::BASE))
        }
        Shape::VectorLoad => Vector::Load(loaded(op)?, Address::of(index)),
        Shape::VectorStore if index >= VectorStoreChecked::BASE => {
            Vector::StoreChecked(is_64(VectorStoreChecked::BASE))
        }
        Shape::VectorStore => Vector::Store,
        Shape::LoadLane if index < LoadLaneChecked::BASE => Vector::LoadLane(lane),
        Shape::StoreLane if index < StoreLaneChecked::BASE => Vector::StoreLane(lane),
        _ => return None,
    })
}

fn size(ty: ValType) -> u8 {
    if matches!(ty, ValType::I64 | ValType::F64) { 8 } else { 4 }
}

/// Returns the emitter of an instruction of a family.
pub(crate) fn own(family: &str, index: usize) -> Option<Vector> {
    let is_imported = index == true.index();
    Some(match family {
        "CopyV128" => Vector::Copy,
        "ConstantV128" => Vector::Constant,
        "GlobalGetV128" => Vector::GlobalGet { is_imported },
        "GlobalSetV128" => Vector::GlobalSet { is_imported },
        "SelectV128" => Vector::Select,
        "ShuffleBytes" => Vector::ShuffleBytes,
        "PermuteBytes" => Vector::PermuteBytes,
        "SwizzleBytes" => Vector::Binary(binary(Op::I8x16Swizzle)?),
        _ => return None,
    })
}
