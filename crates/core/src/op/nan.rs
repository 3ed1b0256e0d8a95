//! The operators whose result may be a NaN that an operator made, for the canonicalisation of NaNs.

use super::number::Op;

/// The type of the floats in a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Floats {
    /// An `f32`.
    F32,
    /// An `f64`.
    F64,
    /// A vector of `f32`.
    F32x4,
    /// A vector of `f64`.
    F64x2,
}

impl Op {
    /// Returns the type of the floats in the result, if the specification lets the operator choose the bits of a
    /// [NaN](https://webassembly.github.io/spec/core/exec/numerics.html#nan-propagation) in it. The other operators on floats
    /// move bits, or have no NaN as a result.
    pub const fn nan_result(self) -> Option<Floats> {
        use Op::*;
        Some(match self {
            F32Ceil | F32Floor | F32Trunc | F32Nearest | F32Sqrt | F32Add | F32Sub | F32Mul | F32Div | F32Min
            | F32Max | F32DemoteF64 => Floats::F32,
            F64Ceil | F64Floor | F64Trunc | F64Nearest | F64Sqrt | F64Add | F64Sub | F64Mul | F64Div | F64Min
            | F64Max | F64PromoteF32 => Floats::F64,
            F32x4Ceil | F32x4Floor | F32x4Trunc | F32x4Nearest | F32x4Sqrt | F32x4Add | F32x4Sub | F32x4Mul
            | F32x4Div | F32x4Min | F32x4Max | F32x4DemoteF64x2Zero | F32x4RelaxedMadd | F32x4RelaxedNmadd
            | F32x4RelaxedMin | F32x4RelaxedMax => Floats::F32x4,
            F64x2Ceil | F64x2Floor | F64x2Trunc | F64x2Nearest | F64x2Sqrt | F64x2Add | F64x2Sub | F64x2Mul
            | F64x2Div | F64x2Min | F64x2Max | F64x2PromoteLowF32x4 | F64x2RelaxedMadd | F64x2RelaxedNmadd
            | F64x2RelaxedMin | F64x2RelaxedMax => Floats::F64x2,
            _ => return None,
        })
    }
}
