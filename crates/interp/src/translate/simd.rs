//! Vector operators. All operands are in slots.

use wasmparser::{MemArg, Operator};

use super::Translator;
use super::stack::{Ty, fields, fields_imm};
use crate::execute::simd::{
    self, SimdBinaryOp, SimdExtractOp, SimdReplaceOp, SimdShiftOp, SimdSplatOp, SimdTernaryOp, SimdTestOp, SimdUnaryOp,
};
use crate::execute::simd_memory::{self, LaneOp, VectorLoadOp};
use crate::execute::variable;

macro_rules! ty {
    (i32) => {
        Ty::I32
    };
    (i64) => {
        Ty::I64
    };
    (f32) => {
        Ty::F32
    };
    (f64) => {
        Ty::F64
    };
}

macro_rules! unary_operators {
    ($($name:ident $op:ident $text:literal v128 -> v128;)*) => {
        fn unary_op(operator: &Operator<'_>) -> Option<SimdUnaryOp> {
            Some(match operator {
                $(Operator::$op => SimdUnaryOp::$op,)*
                _ => return None,
            })
        }
    };
}
wasmr_core::for_each_simd_unary_op!(unary_operators);

macro_rules! binary_operators {
    ($($name:ident $op:ident $text:literal v128 v128 -> v128;)*) => {
        fn binary_op(operator: &Operator<'_>) -> Option<SimdBinaryOp> {
            Some(match operator {
                $(Operator::$op => SimdBinaryOp::$op,)*
                _ => return None,
            })
        }
    };
}
wasmr_core::for_each_simd_binary_op!(binary_operators);

macro_rules! ternary_operators {
    ($($name:ident $op:ident $text:literal v128 v128 v128 -> v128;)*) => {
        fn ternary_op(operator: &Operator<'_>) -> Option<SimdTernaryOp> {
            Some(match operator {
                $(Operator::$op => SimdTernaryOp::$op,)*
                _ => return None,
            })
        }
    };
}
wasmr_core::for_each_simd_ternary_op!(ternary_operators);

macro_rules! test_operators {
    ($($name:ident $op:ident $text:literal v128 -> i32;)*) => {
        fn test_op(operator: &Operator<'_>) -> Option<SimdTestOp> {
            Some(match operator {
                $(Operator::$op => SimdTestOp::$op,)*
                _ => return None,
            })
        }
    };
}
wasmr_core::for_each_simd_test_op!(test_operators);

macro_rules! shift_operators {
    ($($name:ident $op:ident $text:literal v128 i32 -> v128;)*) => {
        fn shift_op(operator: &Operator<'_>) -> Option<SimdShiftOp> {
            Some(match operator {
                $(Operator::$op => SimdShiftOp::$op,)*
                _ => return None,
            })
        }
    };
}
wasmr_core::for_each_simd_shift_op!(shift_operators);

macro_rules! splat_operators {
    ($($name:ident $op:ident $text:literal $a:ident -> v128;)*) => {
        fn splat_op(operator: &Operator<'_>) -> Option<SimdSplatOp> {
            Some(match operator {
                $(Operator::$op => SimdSplatOp::$op,)*
                _ => return None,
            })
        }
    };
}
wasmr_core::for_each_simd_splat_op!(splat_operators);

macro_rules! extract_operators {
    ($($name:ident $op:ident $text:literal v128 lane $lanes:literal -> $r:ident;)*) => {
        fn extract_op(operator: &Operator<'_>) -> Option<(SimdExtractOp, u8, Ty)> {
            Some(match operator {
                $(Operator::$op { lane } => (SimdExtractOp::$op, *lane, ty!($r)),)*
                _ => return None,
            })
        }
    };
}
wasmr_core::for_each_simd_extract_op!(extract_operators);

macro_rules! replace_operators {
    ($($name:ident $op:ident $text:literal v128 $a:ident lane $lanes:literal -> v128;)*) => {
        fn replace_op(operator: &Operator<'_>) -> Option<(SimdReplaceOp, u8)> {
            Some(match operator {
                $(Operator::$op { lane } => (SimdReplaceOp::$op, *lane),)*
                _ => return None,
            })
        }
    };
}
wasmr_core::for_each_simd_replace_op!(replace_operators);

/// Declares functions from the operators of vector memory access to their rows.
macro_rules! memory_operators {
    ($($load:ident)*; $($lane:ident)*) => {
        fn load_op<'a>(operator: &'a Operator<'_>) -> Option<(VectorLoadOp, &'a MemArg)> {
            Some(match operator {
                $(Operator::$load { memarg } => (VectorLoadOp::$load, memarg),)*
                _ => return None,
            })
        }

        fn lane_op<'a>(operator: &'a Operator<'_>) -> Option<(LaneOp, &'a MemArg, u8)> {
            Some(match operator {
                $(Operator::$lane { memarg, lane } => (LaneOp::$lane, memarg, *lane),)*
                _ => return None,
            })
        }
    };
}
memory_operators! {
    V128Load V128Load8x8S V128Load8x8U V128Load16x4S V128Load16x4U V128Load32x2S V128Load32x2U
    V128Load8Splat V128Load16Splat V128Load32Splat V128Load64Splat V128Load32Zero V128Load64Zero;
    V128Load8Lane V128Store8Lane V128Load16Lane V128Store16Lane V128Load32Lane V128Store32Lane V128Load64Lane V128Store64Lane
}

impl Translator<'_> {
    /// Translates a vector operator; whether it is one.
    pub fn simd_operator(&mut self, operator: &Operator<'_>) -> bool {
        if let Some((op, memarg)) = load_op(operator) {
            self.vector_load(op, memarg);
        } else if let Operator::V128Store { memarg } = operator {
            self.vector_store(memarg);
        } else if let Some(op) = binary_op(operator) {
            let b = self.pop_slot();
            let a = self.pop_slot();
            self.emit_slot_result(op.handler(), fields(0, a, b, 0), &[], Ty::V128);
        } else if let Some(op) = unary_op(operator) {
            let a = self.pop_slot();
            self.emit_slot_result(op.handler(), fields(0, a, 0, 0), &[], Ty::V128);
        } else if let Some(op) = splat_op(operator) {
            let a = self.pop_slot();
            self.emit_slot_result(op.handler(), fields(0, a, 0, 0), &[], Ty::V128);
        } else if let Some(op) = shift_op(operator) {
            let b = self.pop_slot();
            let a = self.pop_slot();
            self.emit_slot_result(op.handler(), fields(0, a, b, 0), &[], Ty::V128);
        } else if let Some((op, lane, ty)) = extract_op(operator) {
            let a = self.pop_slot();
            self.emit_slot_result(op.handler(), fields(0, a, lane as i16, 0), &[], ty);
        } else if let Some((op, lane)) = replace_op(operator) {
            let b = self.pop_slot();
            let a = self.pop_slot();
            self.emit_slot_result(op.handler(), fields(0, a, b, lane as i16), &[], Ty::V128);
        } else if let Some(op) = ternary_op(operator) {
            let x = self.pop_slot();
            let b = self.pop_slot();
            let a = self.pop_slot();
            self.emit_slot_result(op.handler(), fields(0, a, b, x), &[], Ty::V128);
        } else if let Some(op) = test_op(operator) {
            let a = self.pop_slot();
            self.emit_slot_result(op.handler(), fields(0, a, 0, 0), &[], Ty::I32);
        } else if let Operator::V128Const { value } = operator {
            let bits = value.i128() as u128;
            self.emit_slot_result(variable::constant_v128, 0, &[bits as u64, (bits >> 64) as u64], Ty::V128);
        } else if let Operator::I8x16Shuffle { lanes } = operator {
            let b = self.pop_slot();
            let a = self.pop_slot();
            let bits = u128::from_le_bytes(*lanes);
            let words = [bits as u64, (bits >> 64) as u64];
            self.emit_slot_result(simd::shuffle, fields(0, a, b, 0), &words, Ty::V128);
        } else if let Some((op, memarg, lane)) = lane_op(operator) {
            self.vector_lane(op, memarg, lane);
        } else {
            return false;
        }
        true
    }

    fn vector_load(&mut self, op: VectorLoadOp, memarg: &MemArg) {
        if self.is_guarded(memarg) {
            let (from_acc, a) = self.pop_address();
            let word1 = fields_imm(0, a, memarg.offset as u32);
            self.emit_slot_result(op.handler(from_acc), word1, &[], Ty::V128);
            return;
        }
        let a = self.pop_slot();
        let (is64, memory) = self.checked_access(memarg);
        self.emit_slot_result(op.checked(is64), fields_imm(0, a, memory), &[memarg.offset], Ty::V128);
    }

    fn vector_store(&mut self, memarg: &MemArg) {
        let d = self.pop_slot();
        if self.is_guarded(memarg) {
            let (from_acc, a) = self.pop_address();
            let word1 = fields_imm(d, a, memarg.offset as u32);
            self.emit(simd_memory::store_handler(from_acc), &[word1]);
            return;
        }
        let a = self.pop_slot();
        let (is64, memory) = self.checked_access(memarg);
        self.emit(simd_memory::store_checked_handler(is64), &[fields_imm(d, a, memory), memarg.offset]);
    }

    fn vector_lane(&mut self, op: LaneOp, memarg: &MemArg, lane: u8) {
        let vector = self.pop_slot();
        let a = self.pop_slot();
        let (is64, memory) = self.checked_access(memarg);
        let handler = op.handler(is64);
        let word3 = vector as i32 as u32 as u64 | (lane as u64) << 32;
        let words = [memarg.offset, word3];
        if op.is_load() {
            self.emit_slot_result(handler, fields_imm(0, a, memory), &words, Ty::V128);
        } else {
            self.emit(handler, &[fields_imm(0, a, memory), words[0], words[1]]);
        }
    }
}
