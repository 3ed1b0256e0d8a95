//! The operator table: numeric operators and memory accesses, one row each. [`op`](super) and `wasmr_module` expand it.
//!
//! A row is `function Operator "text" operands -> result;`. `function` is the operator's meaning in [`ops`](crate::ops),
//! `Operator` its variant in the decoder's operator enum, and `"text"` its name in the text format. Rows are grouped by
//! their immediates, then by the [shape](super::Shape) of their function:
//!
//! | immediates | shape | function |
//! |---|---|---|
//! | `no_immediate` | `unary` | `fn(A) -> R` |
//! | | `binary` | `fn(A, A) -> A` |
//! | | `compare` | `fn(A, A) -> bool` |
//! | | `vector_unary`, `vector_binary`, `vector_ternary` | `fn(V128, …) -> V128` |
//! | | `vector_test` | `fn(V128) -> i32` |
//! | | `shift` | `fn(V128, i32) -> V128` |
//! | | `splat` | `fn(A) -> V128` |
//! | `lane` | `extract_lane` | `fn(V128, u8) -> R` |
//! | | `replace_lane` | `fn(V128, A, u8) -> V128` |
//! | `memory` | `load` | `fn(M) -> R` |
//! | | `store` | `fn(A) -> M` |
//! | | `vector_load` | `fn(M) -> V128` |
//! | | `vector_store` | `fn(V128) -> V128` |
//! | | `atomic_load` | `fn(&C) -> R` |
//! | | `atomic_store` | `fn(&C, A)` |
//! | | `atomic_rmw` | `fn(&C, A) -> A` |
//! | | `atomic_cmpxchg` | `fn(&C, A, A) -> A` |
//! | `memory_lane` | `load_lane` | `fn(V128, M, u8) -> V128` |
//! | | `store_lane` | `fn(V128, u8) -> M` |
//!
//! Scalar functions return `R`; `bool` for an `i32` that is 1 or 0; or `Result<R, TrapCode>` if the operator can trap. Operands
//! and results are the identifiers `i32 i64 f32 f64 v128`. `[N]` is a lane immediate of a vector with `N` lanes. The memory
//! operand, `M` above, is an integer, signed if the load extends its sign; or `low4 low8 low16`, bytes at the low end of a
//! vector register. `C` is the atomic cell of the memory operand, which precedes the other operands in these rows. Addresses and `memarg` immediates are common to all memory accesses and not in the rows.
//!
//! The table does not have constants, `i8x16.shuffle` (its immediate is 16 lanes; [`ops`](crate::ops) has its function), and
//! operators that use more than their operands and one memory access.

/// Calls `$each!` with the groups of rows.
#[macro_export]
macro_rules! for_each_op {
    ($each:ident) => {
        $each! {
            no_immediate {
                unary {
                    i32_clz              I32Clz             "i32.clz"              i32 -> i32;
                    i32_ctz              I32Ctz             "i32.ctz"              i32 -> i32;
                    i32_popcnt           I32Popcnt          "i32.popcnt"           i32 -> i32;
                    i64_clz              I64Clz             "i64.clz"              i64 -> i64;
                    i64_ctz              I64Ctz             "i64.ctz"              i64 -> i64;
                    i64_popcnt           I64Popcnt          "i64.popcnt"           i64 -> i64;
                    f32_abs              F32Abs             "f32.abs"              f32 -> f32;
                    f32_neg              F32Neg             "f32.neg"              f32 -> f32;
                    f32_ceil             F32Ceil            "f32.ceil"             f32 -> f32;
                    f32_floor            F32Floor           "f32.floor"            f32 -> f32;
                    f32_trunc            F32Trunc           "f32.trunc"            f32 -> f32;
                    f32_nearest          F32Nearest         "f32.nearest"          f32 -> f32;
                    f32_sqrt             F32Sqrt            "f32.sqrt"             f32 -> f32;
                    f64_abs              F64Abs             "f64.abs"              f64 -> f64;
                    f64_neg              F64Neg             "f64.neg"              f64 -> f64;
                    f64_ceil             F64Ceil            "f64.ceil"             f64 -> f64;
                    f64_floor            F64Floor           "f64.floor"            f64 -> f64;
                    f64_trunc            F64Trunc           "f64.trunc"            f64 -> f64;
                    f64_nearest          F64Nearest         "f64.nearest"          f64 -> f64;
                    f64_sqrt             F64Sqrt            "f64.sqrt"             f64 -> f64;
                    i32_wrap_i64         I32WrapI64         "i32.wrap_i64"         i64 -> i32;
                    i64_extend_i32_s     I64ExtendI32S      "i64.extend_i32_s"     i32 -> i64;
                    i64_extend_i32_u     I64ExtendI32U      "i64.extend_i32_u"     i32 -> i64;
                    f32_convert_i32_s    F32ConvertI32S     "f32.convert_i32_s"    i32 -> f32;
                    f32_convert_i32_u    F32ConvertI32U     "f32.convert_i32_u"    i32 -> f32;
                    f32_convert_i64_s    F32ConvertI64S     "f32.convert_i64_s"    i64 -> f32;
                    f32_convert_i64_u    F32ConvertI64U     "f32.convert_i64_u"    i64 -> f32;
                    f32_demote_f64       F32DemoteF64       "f32.demote_f64"       f64 -> f32;
                    f64_convert_i32_s    F64ConvertI32S     "f64.convert_i32_s"    i32 -> f64;
                    f64_convert_i32_u    F64ConvertI32U     "f64.convert_i32_u"    i32 -> f64;
                    f64_convert_i64_s    F64ConvertI64S     "f64.convert_i64_s"    i64 -> f64;
                    f64_convert_i64_u    F64ConvertI64U     "f64.convert_i64_u"    i64 -> f64;
                    f64_promote_f32      F64PromoteF32      "f64.promote_f32"      f32 -> f64;
                    i32_reinterpret_f32  I32ReinterpretF32  "i32.reinterpret_f32"  f32 -> i32;
                    i64_reinterpret_f64  I64ReinterpretF64  "i64.reinterpret_f64"  f64 -> i64;
                    f32_reinterpret_i32  F32ReinterpretI32  "f32.reinterpret_i32"  i32 -> f32;
                    f64_reinterpret_i64  F64ReinterpretI64  "f64.reinterpret_i64"  i64 -> f64;
                    i32_extend8_s        I32Extend8S        "i32.extend8_s"        i32 -> i32;
                    i32_extend16_s       I32Extend16S       "i32.extend16_s"       i32 -> i32;
                    i64_extend8_s        I64Extend8S        "i64.extend8_s"        i64 -> i64;
                    i64_extend16_s       I64Extend16S       "i64.extend16_s"       i64 -> i64;
                    i64_extend32_s       I64Extend32S       "i64.extend32_s"       i64 -> i64;
                    i32_trunc_sat_f32_s  I32TruncSatF32S    "i32.trunc_sat_f32_s"  f32 -> i32;
                    i32_trunc_sat_f32_u  I32TruncSatF32U    "i32.trunc_sat_f32_u"  f32 -> i32;
                    i32_trunc_sat_f64_s  I32TruncSatF64S    "i32.trunc_sat_f64_s"  f64 -> i32;
                    i32_trunc_sat_f64_u  I32TruncSatF64U    "i32.trunc_sat_f64_u"  f64 -> i32;
                    i64_trunc_sat_f32_s  I64TruncSatF32S    "i64.trunc_sat_f32_s"  f32 -> i64;
                    i64_trunc_sat_f32_u  I64TruncSatF32U    "i64.trunc_sat_f32_u"  f32 -> i64;
                    i64_trunc_sat_f64_s  I64TruncSatF64S    "i64.trunc_sat_f64_s"  f64 -> i64;
                    i64_trunc_sat_f64_u  I64TruncSatF64U    "i64.trunc_sat_f64_u"  f64 -> i64;
                    i32_trunc_f32_s      I32TruncF32S       "i32.trunc_f32_s"      f32 -> i32;
                    i32_trunc_f32_u      I32TruncF32U       "i32.trunc_f32_u"      f32 -> i32;
                    i32_trunc_f64_s      I32TruncF64S       "i32.trunc_f64_s"      f64 -> i32;
                    i32_trunc_f64_u      I32TruncF64U       "i32.trunc_f64_u"      f64 -> i32;
                    i64_trunc_f32_s      I64TruncF32S       "i64.trunc_f32_s"      f32 -> i64;
                    i64_trunc_f32_u      I64TruncF32U       "i64.trunc_f32_u"      f32 -> i64;
                    i64_trunc_f64_s      I64TruncF64S       "i64.trunc_f64_s"      f64 -> i64;
                    i64_trunc_f64_u      I64TruncF64U       "i64.trunc_f64_u"      f64 -> i64;
                    i32_eqz              I32Eqz             "i32.eqz"              i32 -> i32;
                    i64_eqz              I64Eqz             "i64.eqz"              i64 -> i32;
                }
                binary {
                    i32_add       I32Add       "i32.add"       i32 i32 -> i32;
                    i32_sub       I32Sub       "i32.sub"       i32 i32 -> i32;
                    i32_mul       I32Mul       "i32.mul"       i32 i32 -> i32;
                    i32_and       I32And       "i32.and"       i32 i32 -> i32;
                    i32_or        I32Or        "i32.or"        i32 i32 -> i32;
                    i32_xor       I32Xor       "i32.xor"       i32 i32 -> i32;
                    i32_shl       I32Shl       "i32.shl"       i32 i32 -> i32;
                    i32_shr_s     I32ShrS      "i32.shr_s"     i32 i32 -> i32;
                    i32_shr_u     I32ShrU      "i32.shr_u"     i32 i32 -> i32;
                    i32_rotl      I32Rotl      "i32.rotl"      i32 i32 -> i32;
                    i32_rotr      I32Rotr      "i32.rotr"      i32 i32 -> i32;
                    i64_add       I64Add       "i64.add"       i64 i64 -> i64;
                    i64_sub       I64Sub       "i64.sub"       i64 i64 -> i64;
                    i64_mul       I64Mul       "i64.mul"       i64 i64 -> i64;
                    i64_and       I64And       "i64.and"       i64 i64 -> i64;
                    i64_or        I64Or        "i64.or"        i64 i64 -> i64;
                    i64_xor       I64Xor       "i64.xor"       i64 i64 -> i64;
                    i64_shl       I64Shl       "i64.shl"       i64 i64 -> i64;
                    i64_shr_s     I64ShrS      "i64.shr_s"     i64 i64 -> i64;
                    i64_shr_u     I64ShrU      "i64.shr_u"     i64 i64 -> i64;
                    i64_rotl      I64Rotl      "i64.rotl"      i64 i64 -> i64;
                    i64_rotr      I64Rotr      "i64.rotr"      i64 i64 -> i64;
                    f32_add       F32Add       "f32.add"       f32 f32 -> f32;
                    f32_sub       F32Sub       "f32.sub"       f32 f32 -> f32;
                    f32_mul       F32Mul       "f32.mul"       f32 f32 -> f32;
                    f32_div       F32Div       "f32.div"       f32 f32 -> f32;
                    f32_min       F32Min       "f32.min"       f32 f32 -> f32;
                    f32_max       F32Max       "f32.max"       f32 f32 -> f32;
                    f32_copysign  F32Copysign  "f32.copysign"  f32 f32 -> f32;
                    f64_add       F64Add       "f64.add"       f64 f64 -> f64;
                    f64_sub       F64Sub       "f64.sub"       f64 f64 -> f64;
                    f64_mul       F64Mul       "f64.mul"       f64 f64 -> f64;
                    f64_div       F64Div       "f64.div"       f64 f64 -> f64;
                    f64_min       F64Min       "f64.min"       f64 f64 -> f64;
                    f64_max       F64Max       "f64.max"       f64 f64 -> f64;
                    f64_copysign  F64Copysign  "f64.copysign"  f64 f64 -> f64;
                    i32_div_s     I32DivS      "i32.div_s"     i32 i32 -> i32;
                    i32_div_u     I32DivU      "i32.div_u"     i32 i32 -> i32;
                    i32_rem_s     I32RemS      "i32.rem_s"     i32 i32 -> i32;
                    i32_rem_u     I32RemU      "i32.rem_u"     i32 i32 -> i32;
                    i64_div_s     I64DivS      "i64.div_s"     i64 i64 -> i64;
                    i64_div_u     I64DivU      "i64.div_u"     i64 i64 -> i64;
                    i64_rem_s     I64RemS      "i64.rem_s"     i64 i64 -> i64;
                    i64_rem_u     I64RemU      "i64.rem_u"     i64 i64 -> i64;
                }
                compare {
                    i32_eq    I32Eq   "i32.eq"    i32 i32 -> i32;
                    i32_ne    I32Ne   "i32.ne"    i32 i32 -> i32;
                    i32_lt_s  I32LtS  "i32.lt_s"  i32 i32 -> i32;
                    i32_lt_u  I32LtU  "i32.lt_u"  i32 i32 -> i32;
                    i32_gt_s  I32GtS  "i32.gt_s"  i32 i32 -> i32;
                    i32_gt_u  I32GtU  "i32.gt_u"  i32 i32 -> i32;
                    i32_le_s  I32LeS  "i32.le_s"  i32 i32 -> i32;
                    i32_le_u  I32LeU  "i32.le_u"  i32 i32 -> i32;
                    i32_ge_s  I32GeS  "i32.ge_s"  i32 i32 -> i32;
                    i32_ge_u  I32GeU  "i32.ge_u"  i32 i32 -> i32;
                    i64_eq    I64Eq   "i64.eq"    i64 i64 -> i32;
                    i64_ne    I64Ne   "i64.ne"    i64 i64 -> i32;
                    i64_lt_s  I64LtS  "i64.lt_s"  i64 i64 -> i32;
                    i64_lt_u  I64LtU  "i64.lt_u"  i64 i64 -> i32;
                    i64_gt_s  I64GtS  "i64.gt_s"  i64 i64 -> i32;
                    i64_gt_u  I64GtU  "i64.gt_u"  i64 i64 -> i32;
                    i64_le_s  I64LeS  "i64.le_s"  i64 i64 -> i32;
                    i64_le_u  I64LeU  "i64.le_u"  i64 i64 -> i32;
                    i64_ge_s  I64GeS  "i64.ge_s"  i64 i64 -> i32;
                    i64_ge_u  I64GeU  "i64.ge_u"  i64 i64 -> i32;
                    f32_eq    F32Eq   "f32.eq"    f32 f32 -> i32;
                    f32_ne    F32Ne   "f32.ne"    f32 f32 -> i32;
                    f32_lt    F32Lt   "f32.lt"    f32 f32 -> i32;
                    f32_gt    F32Gt   "f32.gt"    f32 f32 -> i32;
                    f32_le    F32Le   "f32.le"    f32 f32 -> i32;
                    f32_ge    F32Ge   "f32.ge"    f32 f32 -> i32;
                    f64_eq    F64Eq   "f64.eq"    f64 f64 -> i32;
                    f64_ne    F64Ne   "f64.ne"    f64 f64 -> i32;
                    f64_lt    F64Lt   "f64.lt"    f64 f64 -> i32;
                    f64_gt    F64Gt   "f64.gt"    f64 f64 -> i32;
                    f64_le    F64Le   "f64.le"    f64 f64 -> i32;
                    f64_ge    F64Ge   "f64.ge"    f64 f64 -> i32;
                }
                vector_unary {
                    v128_not                          V128Not                      "v128.not"                          v128 -> v128;
                    i8x16_abs                         I8x16Abs                     "i8x16.abs"                         v128 -> v128;
                    i8x16_neg                         I8x16Neg                     "i8x16.neg"                         v128 -> v128;
                    i8x16_popcnt                      I8x16Popcnt                  "i8x16.popcnt"                      v128 -> v128;
                    i16x8_extadd_pairwise_i8x16_s     I16x8ExtAddPairwiseI8x16S    "i16x8.extadd_pairwise_i8x16_s"     v128 -> v128;
                    i16x8_extadd_pairwise_i8x16_u     I16x8ExtAddPairwiseI8x16U    "i16x8.extadd_pairwise_i8x16_u"     v128 -> v128;
                    i16x8_abs                         I16x8Abs                     "i16x8.abs"                         v128 -> v128;
                    i16x8_neg                         I16x8Neg                     "i16x8.neg"                         v128 -> v128;
                    i16x8_extend_low_i8x16_s          I16x8ExtendLowI8x16S         "i16x8.extend_low_i8x16_s"          v128 -> v128;
                    i16x8_extend_high_i8x16_s         I16x8ExtendHighI8x16S        "i16x8.extend_high_i8x16_s"         v128 -> v128;
                    i16x8_extend_low_i8x16_u          I16x8ExtendLowI8x16U         "i16x8.extend_low_i8x16_u"          v128 -> v128;
                    i16x8_extend_high_i8x16_u         I16x8ExtendHighI8x16U        "i16x8.extend_high_i8x16_u"         v128 -> v128;
                    i32x4_extadd_pairwise_i16x8_s     I32x4ExtAddPairwiseI16x8S    "i32x4.extadd_pairwise_i16x8_s"     v128 -> v128;
                    i32x4_extadd_pairwise_i16x8_u     I32x4ExtAddPairwiseI16x8U    "i32x4.extadd_pairwise_i16x8_u"     v128 -> v128;
                    i32x4_abs                         I32x4Abs                     "i32x4.abs"                         v128 -> v128;
                    i32x4_neg                         I32x4Neg                     "i32x4.neg"                         v128 -> v128;
                    i32x4_extend_low_i16x8_s          I32x4ExtendLowI16x8S         "i32x4.extend_low_i16x8_s"          v128 -> v128;
                    i32x4_extend_high_i16x8_s         I32x4ExtendHighI16x8S        "i32x4.extend_high_i16x8_s"         v128 -> v128;
                    i32x4_extend_low_i16x8_u          I32x4ExtendLowI16x8U         "i32x4.extend_low_i16x8_u"          v128 -> v128;
                    i32x4_extend_high_i16x8_u         I32x4ExtendHighI16x8U        "i32x4.extend_high_i16x8_u"         v128 -> v128;
                    i64x2_abs                         I64x2Abs                     "i64x2.abs"                         v128 -> v128;
                    i64x2_neg                         I64x2Neg                     "i64x2.neg"                         v128 -> v128;
                    i64x2_extend_low_i32x4_s          I64x2ExtendLowI32x4S         "i64x2.extend_low_i32x4_s"          v128 -> v128;
                    i64x2_extend_high_i32x4_s         I64x2ExtendHighI32x4S        "i64x2.extend_high_i32x4_s"         v128 -> v128;
                    i64x2_extend_low_i32x4_u          I64x2ExtendLowI32x4U         "i64x2.extend_low_i32x4_u"          v128 -> v128;
                    i64x2_extend_high_i32x4_u         I64x2ExtendHighI32x4U        "i64x2.extend_high_i32x4_u"         v128 -> v128;
                    f32x4_ceil                        F32x4Ceil                    "f32x4.ceil"                        v128 -> v128;
                    f32x4_floor                       F32x4Floor                   "f32x4.floor"                       v128 -> v128;
                    f32x4_trunc                       F32x4Trunc                   "f32x4.trunc"                       v128 -> v128;
                    f32x4_nearest                     F32x4Nearest                 "f32x4.nearest"                     v128 -> v128;
                    f32x4_abs                         F32x4Abs                     "f32x4.abs"                         v128 -> v128;
                    f32x4_neg                         F32x4Neg                     "f32x4.neg"                         v128 -> v128;
                    f32x4_sqrt                        F32x4Sqrt                    "f32x4.sqrt"                        v128 -> v128;
                    f64x2_ceil                        F64x2Ceil                    "f64x2.ceil"                        v128 -> v128;
                    f64x2_floor                       F64x2Floor                   "f64x2.floor"                       v128 -> v128;
                    f64x2_trunc                       F64x2Trunc                   "f64x2.trunc"                       v128 -> v128;
                    f64x2_nearest                     F64x2Nearest                 "f64x2.nearest"                     v128 -> v128;
                    f64x2_abs                         F64x2Abs                     "f64x2.abs"                         v128 -> v128;
                    f64x2_neg                         F64x2Neg                     "f64x2.neg"                         v128 -> v128;
                    f64x2_sqrt                        F64x2Sqrt                    "f64x2.sqrt"                        v128 -> v128;
                    i32x4_trunc_sat_f32x4_s           I32x4TruncSatF32x4S          "i32x4.trunc_sat_f32x4_s"           v128 -> v128;
                    i32x4_trunc_sat_f32x4_u           I32x4TruncSatF32x4U          "i32x4.trunc_sat_f32x4_u"           v128 -> v128;
                    f32x4_convert_i32x4_s             F32x4ConvertI32x4S           "f32x4.convert_i32x4_s"             v128 -> v128;
                    f32x4_convert_i32x4_u             F32x4ConvertI32x4U           "f32x4.convert_i32x4_u"             v128 -> v128;
                    i32x4_trunc_sat_f64x2_s_zero      I32x4TruncSatF64x2SZero      "i32x4.trunc_sat_f64x2_s_zero"      v128 -> v128;
                    i32x4_trunc_sat_f64x2_u_zero      I32x4TruncSatF64x2UZero      "i32x4.trunc_sat_f64x2_u_zero"      v128 -> v128;
                    f64x2_convert_low_i32x4_s         F64x2ConvertLowI32x4S        "f64x2.convert_low_i32x4_s"         v128 -> v128;
                    f64x2_convert_low_i32x4_u         F64x2ConvertLowI32x4U        "f64x2.convert_low_i32x4_u"         v128 -> v128;
                    f32x4_demote_f64x2_zero           F32x4DemoteF64x2Zero         "f32x4.demote_f64x2_zero"           v128 -> v128;
                    f64x2_promote_low_f32x4           F64x2PromoteLowF32x4         "f64x2.promote_low_f32x4"           v128 -> v128;
                    i32x4_relaxed_trunc_f32x4_s       I32x4RelaxedTruncF32x4S      "i32x4.relaxed_trunc_f32x4_s"       v128 -> v128;
                    i32x4_relaxed_trunc_f32x4_u       I32x4RelaxedTruncF32x4U      "i32x4.relaxed_trunc_f32x4_u"       v128 -> v128;
                    i32x4_relaxed_trunc_f64x2_s_zero  I32x4RelaxedTruncF64x2SZero  "i32x4.relaxed_trunc_f64x2_s_zero"  v128 -> v128;
                    i32x4_relaxed_trunc_f64x2_u_zero  I32x4RelaxedTruncF64x2UZero  "i32x4.relaxed_trunc_f64x2_u_zero"  v128 -> v128;
                }
                vector_binary {
                    i8x16_swizzle                    I8x16Swizzle                "i8x16.swizzle"                    v128 v128 -> v128;
                    i8x16_eq                         I8x16Eq                     "i8x16.eq"                         v128 v128 -> v128;
                    i8x16_ne                         I8x16Ne                     "i8x16.ne"                         v128 v128 -> v128;
                    i8x16_lt_s                       I8x16LtS                    "i8x16.lt_s"                       v128 v128 -> v128;
                    i8x16_lt_u                       I8x16LtU                    "i8x16.lt_u"                       v128 v128 -> v128;
                    i8x16_gt_s                       I8x16GtS                    "i8x16.gt_s"                       v128 v128 -> v128;
                    i8x16_gt_u                       I8x16GtU                    "i8x16.gt_u"                       v128 v128 -> v128;
                    i8x16_le_s                       I8x16LeS                    "i8x16.le_s"                       v128 v128 -> v128;
                    i8x16_le_u                       I8x16LeU                    "i8x16.le_u"                       v128 v128 -> v128;
                    i8x16_ge_s                       I8x16GeS                    "i8x16.ge_s"                       v128 v128 -> v128;
                    i8x16_ge_u                       I8x16GeU                    "i8x16.ge_u"                       v128 v128 -> v128;
                    i16x8_eq                         I16x8Eq                     "i16x8.eq"                         v128 v128 -> v128;
                    i16x8_ne                         I16x8Ne                     "i16x8.ne"                         v128 v128 -> v128;
                    i16x8_lt_s                       I16x8LtS                    "i16x8.lt_s"                       v128 v128 -> v128;
                    i16x8_lt_u                       I16x8LtU                    "i16x8.lt_u"                       v128 v128 -> v128;
                    i16x8_gt_s                       I16x8GtS                    "i16x8.gt_s"                       v128 v128 -> v128;
                    i16x8_gt_u                       I16x8GtU                    "i16x8.gt_u"                       v128 v128 -> v128;
                    i16x8_le_s                       I16x8LeS                    "i16x8.le_s"                       v128 v128 -> v128;
                    i16x8_le_u                       I16x8LeU                    "i16x8.le_u"                       v128 v128 -> v128;
                    i16x8_ge_s                       I16x8GeS                    "i16x8.ge_s"                       v128 v128 -> v128;
                    i16x8_ge_u                       I16x8GeU                    "i16x8.ge_u"                       v128 v128 -> v128;
                    i32x4_eq                         I32x4Eq                     "i32x4.eq"                         v128 v128 -> v128;
                    i32x4_ne                         I32x4Ne                     "i32x4.ne"                         v128 v128 -> v128;
                    i32x4_lt_s                       I32x4LtS                    "i32x4.lt_s"                       v128 v128 -> v128;
                    i32x4_lt_u                       I32x4LtU                    "i32x4.lt_u"                       v128 v128 -> v128;
                    i32x4_gt_s                       I32x4GtS                    "i32x4.gt_s"                       v128 v128 -> v128;
                    i32x4_gt_u                       I32x4GtU                    "i32x4.gt_u"                       v128 v128 -> v128;
                    i32x4_le_s                       I32x4LeS                    "i32x4.le_s"                       v128 v128 -> v128;
                    i32x4_le_u                       I32x4LeU                    "i32x4.le_u"                       v128 v128 -> v128;
                    i32x4_ge_s                       I32x4GeS                    "i32x4.ge_s"                       v128 v128 -> v128;
                    i32x4_ge_u                       I32x4GeU                    "i32x4.ge_u"                       v128 v128 -> v128;
                    i64x2_eq                         I64x2Eq                     "i64x2.eq"                         v128 v128 -> v128;
                    i64x2_ne                         I64x2Ne                     "i64x2.ne"                         v128 v128 -> v128;
                    i64x2_lt_s                       I64x2LtS                    "i64x2.lt_s"                       v128 v128 -> v128;
                    i64x2_gt_s                       I64x2GtS                    "i64x2.gt_s"                       v128 v128 -> v128;
                    i64x2_le_s                       I64x2LeS                    "i64x2.le_s"                       v128 v128 -> v128;
                    i64x2_ge_s                       I64x2GeS                    "i64x2.ge_s"                       v128 v128 -> v128;
                    f32x4_eq                         F32x4Eq                     "f32x4.eq"                         v128 v128 -> v128;
                    f32x4_ne                         F32x4Ne                     "f32x4.ne"                         v128 v128 -> v128;
                    f32x4_lt                         F32x4Lt                     "f32x4.lt"                         v128 v128 -> v128;
                    f32x4_gt                         F32x4Gt                     "f32x4.gt"                         v128 v128 -> v128;
                    f32x4_le                         F32x4Le                     "f32x4.le"                         v128 v128 -> v128;
                    f32x4_ge                         F32x4Ge                     "f32x4.ge"                         v128 v128 -> v128;
                    f64x2_eq                         F64x2Eq                     "f64x2.eq"                         v128 v128 -> v128;
                    f64x2_ne                         F64x2Ne                     "f64x2.ne"                         v128 v128 -> v128;
                    f64x2_lt                         F64x2Lt                     "f64x2.lt"                         v128 v128 -> v128;
                    f64x2_gt                         F64x2Gt                     "f64x2.gt"                         v128 v128 -> v128;
                    f64x2_le                         F64x2Le                     "f64x2.le"                         v128 v128 -> v128;
                    f64x2_ge                         F64x2Ge                     "f64x2.ge"                         v128 v128 -> v128;
                    v128_and                         V128And                     "v128.and"                         v128 v128 -> v128;
                    v128_andnot                      V128AndNot                  "v128.andnot"                      v128 v128 -> v128;
                    v128_or                          V128Or                      "v128.or"                          v128 v128 -> v128;
                    v128_xor                         V128Xor                     "v128.xor"                         v128 v128 -> v128;
                    i8x16_narrow_i16x8_s             I8x16NarrowI16x8S           "i8x16.narrow_i16x8_s"             v128 v128 -> v128;
                    i8x16_narrow_i16x8_u             I8x16NarrowI16x8U           "i8x16.narrow_i16x8_u"             v128 v128 -> v128;
                    i8x16_add                        I8x16Add                    "i8x16.add"                        v128 v128 -> v128;
                    i8x16_add_sat_s                  I8x16AddSatS                "i8x16.add_sat_s"                  v128 v128 -> v128;
                    i8x16_add_sat_u                  I8x16AddSatU                "i8x16.add_sat_u"                  v128 v128 -> v128;
                    i8x16_sub                        I8x16Sub                    "i8x16.sub"                        v128 v128 -> v128;
                    i8x16_sub_sat_s                  I8x16SubSatS                "i8x16.sub_sat_s"                  v128 v128 -> v128;
                    i8x16_sub_sat_u                  I8x16SubSatU                "i8x16.sub_sat_u"                  v128 v128 -> v128;
                    i8x16_min_s                      I8x16MinS                   "i8x16.min_s"                      v128 v128 -> v128;
                    i8x16_min_u                      I8x16MinU                   "i8x16.min_u"                      v128 v128 -> v128;
                    i8x16_max_s                      I8x16MaxS                   "i8x16.max_s"                      v128 v128 -> v128;
                    i8x16_max_u                      I8x16MaxU                   "i8x16.max_u"                      v128 v128 -> v128;
                    i8x16_avgr_u                     I8x16AvgrU                  "i8x16.avgr_u"                     v128 v128 -> v128;
                    i16x8_q15mulr_sat_s              I16x8Q15MulrSatS            "i16x8.q15mulr_sat_s"              v128 v128 -> v128;
                    i16x8_narrow_i32x4_s             I16x8NarrowI32x4S           "i16x8.narrow_i32x4_s"             v128 v128 -> v128;
                    i16x8_narrow_i32x4_u             I16x8NarrowI32x4U           "i16x8.narrow_i32x4_u"             v128 v128 -> v128;
                    i16x8_add                        I16x8Add                    "i16x8.add"                        v128 v128 -> v128;
                    i16x8_add_sat_s                  I16x8AddSatS                "i16x8.add_sat_s"                  v128 v128 -> v128;
                    i16x8_add_sat_u                  I16x8AddSatU                "i16x8.add_sat_u"                  v128 v128 -> v128;
                    i16x8_sub                        I16x8Sub                    "i16x8.sub"                        v128 v128 -> v128;
                    i16x8_sub_sat_s                  I16x8SubSatS                "i16x8.sub_sat_s"                  v128 v128 -> v128;
                    i16x8_sub_sat_u                  I16x8SubSatU                "i16x8.sub_sat_u"                  v128 v128 -> v128;
                    i16x8_mul                        I16x8Mul                    "i16x8.mul"                        v128 v128 -> v128;
                    i16x8_min_s                      I16x8MinS                   "i16x8.min_s"                      v128 v128 -> v128;
                    i16x8_min_u                      I16x8MinU                   "i16x8.min_u"                      v128 v128 -> v128;
                    i16x8_max_s                      I16x8MaxS                   "i16x8.max_s"                      v128 v128 -> v128;
                    i16x8_max_u                      I16x8MaxU                   "i16x8.max_u"                      v128 v128 -> v128;
                    i16x8_avgr_u                     I16x8AvgrU                  "i16x8.avgr_u"                     v128 v128 -> v128;
                    i16x8_extmul_low_i8x16_s         I16x8ExtMulLowI8x16S        "i16x8.extmul_low_i8x16_s"         v128 v128 -> v128;
                    i16x8_extmul_high_i8x16_s        I16x8ExtMulHighI8x16S       "i16x8.extmul_high_i8x16_s"        v128 v128 -> v128;
                    i16x8_extmul_low_i8x16_u         I16x8ExtMulLowI8x16U        "i16x8.extmul_low_i8x16_u"         v128 v128 -> v128;
                    i16x8_extmul_high_i8x16_u        I16x8ExtMulHighI8x16U       "i16x8.extmul_high_i8x16_u"        v128 v128 -> v128;
                    i32x4_add                        I32x4Add                    "i32x4.add"                        v128 v128 -> v128;
                    i32x4_sub                        I32x4Sub                    "i32x4.sub"                        v128 v128 -> v128;
                    i32x4_mul                        I32x4Mul                    "i32x4.mul"                        v128 v128 -> v128;
                    i32x4_min_s                      I32x4MinS                   "i32x4.min_s"                      v128 v128 -> v128;
                    i32x4_min_u                      I32x4MinU                   "i32x4.min_u"                      v128 v128 -> v128;
                    i32x4_max_s                      I32x4MaxS                   "i32x4.max_s"                      v128 v128 -> v128;
                    i32x4_max_u                      I32x4MaxU                   "i32x4.max_u"                      v128 v128 -> v128;
                    i32x4_dot_i16x8_s                I32x4DotI16x8S              "i32x4.dot_i16x8_s"                v128 v128 -> v128;
                    i32x4_extmul_low_i16x8_s         I32x4ExtMulLowI16x8S        "i32x4.extmul_low_i16x8_s"         v128 v128 -> v128;
                    i32x4_extmul_high_i16x8_s        I32x4ExtMulHighI16x8S       "i32x4.extmul_high_i16x8_s"        v128 v128 -> v128;
                    i32x4_extmul_low_i16x8_u         I32x4ExtMulLowI16x8U        "i32x4.extmul_low_i16x8_u"         v128 v128 -> v128;
                    i32x4_extmul_high_i16x8_u        I32x4ExtMulHighI16x8U       "i32x4.extmul_high_i16x8_u"        v128 v128 -> v128;
                    i64x2_add                        I64x2Add                    "i64x2.add"                        v128 v128 -> v128;
                    i64x2_sub                        I64x2Sub                    "i64x2.sub"                        v128 v128 -> v128;
                    i64x2_mul                        I64x2Mul                    "i64x2.mul"                        v128 v128 -> v128;
                    i64x2_extmul_low_i32x4_s         I64x2ExtMulLowI32x4S        "i64x2.extmul_low_i32x4_s"         v128 v128 -> v128;
                    i64x2_extmul_high_i32x4_s        I64x2ExtMulHighI32x4S       "i64x2.extmul_high_i32x4_s"        v128 v128 -> v128;
                    i64x2_extmul_low_i32x4_u         I64x2ExtMulLowI32x4U        "i64x2.extmul_low_i32x4_u"         v128 v128 -> v128;
                    i64x2_extmul_high_i32x4_u        I64x2ExtMulHighI32x4U       "i64x2.extmul_high_i32x4_u"        v128 v128 -> v128;
                    f32x4_add                        F32x4Add                    "f32x4.add"                        v128 v128 -> v128;
                    f32x4_sub                        F32x4Sub                    "f32x4.sub"                        v128 v128 -> v128;
                    f32x4_mul                        F32x4Mul                    "f32x4.mul"                        v128 v128 -> v128;
                    f32x4_div                        F32x4Div                    "f32x4.div"                        v128 v128 -> v128;
                    f32x4_min                        F32x4Min                    "f32x4.min"                        v128 v128 -> v128;
                    f32x4_max                        F32x4Max                    "f32x4.max"                        v128 v128 -> v128;
                    f32x4_pmin                       F32x4PMin                   "f32x4.pmin"                       v128 v128 -> v128;
                    f32x4_pmax                       F32x4PMax                   "f32x4.pmax"                       v128 v128 -> v128;
                    f64x2_add                        F64x2Add                    "f64x2.add"                        v128 v128 -> v128;
                    f64x2_sub                        F64x2Sub                    "f64x2.sub"                        v128 v128 -> v128;
                    f64x2_mul                        F64x2Mul                    "f64x2.mul"                        v128 v128 -> v128;
                    f64x2_div                        F64x2Div                    "f64x2.div"                        v128 v128 -> v128;
                    f64x2_min                        F64x2Min                    "f64x2.min"                        v128 v128 -> v128;
                    f64x2_max                        F64x2Max                    "f64x2.max"                        v128 v128 -> v128;
                    f64x2_pmin                       F64x2PMin                   "f64x2.pmin"                       v128 v128 -> v128;
                    f64x2_pmax                       F64x2PMax                   "f64x2.pmax"                       v128 v128 -> v128;
                    i8x16_relaxed_swizzle            I8x16RelaxedSwizzle         "i8x16.relaxed_swizzle"            v128 v128 -> v128;
                    f32x4_relaxed_min                F32x4RelaxedMin             "f32x4.relaxed_min"                v128 v128 -> v128;
                    f32x4_relaxed_max                F32x4RelaxedMax             "f32x4.relaxed_max"                v128 v128 -> v128;
                    f64x2_relaxed_min                F64x2RelaxedMin             "f64x2.relaxed_min"                v128 v128 -> v128;
                    f64x2_relaxed_max                F64x2RelaxedMax             "f64x2.relaxed_max"                v128 v128 -> v128;
                    i16x8_relaxed_q15mulr_s          I16x8RelaxedQ15mulrS        "i16x8.relaxed_q15mulr_s"          v128 v128 -> v128;
                    i16x8_relaxed_dot_i8x16_i7x16_s  I16x8RelaxedDotI8x16I7x16S  "i16x8.relaxed_dot_i8x16_i7x16_s"  v128 v128 -> v128;
                }
                vector_ternary {
                    v128_bitselect                       V128Bitselect                  "v128.bitselect"                       v128 v128 v128 -> v128;
                    f32x4_relaxed_madd                   F32x4RelaxedMadd               "f32x4.relaxed_madd"                   v128 v128 v128 -> v128;
                    f32x4_relaxed_nmadd                  F32x4RelaxedNmadd              "f32x4.relaxed_nmadd"                  v128 v128 v128 -> v128;
                    f64x2_relaxed_madd                   F64x2RelaxedMadd               "f64x2.relaxed_madd"                   v128 v128 v128 -> v128;
                    f64x2_relaxed_nmadd                  F64x2RelaxedNmadd              "f64x2.relaxed_nmadd"                  v128 v128 v128 -> v128;
                    i8x16_relaxed_laneselect             I8x16RelaxedLaneselect         "i8x16.relaxed_laneselect"             v128 v128 v128 -> v128;
                    i16x8_relaxed_laneselect             I16x8RelaxedLaneselect         "i16x8.relaxed_laneselect"             v128 v128 v128 -> v128;
                    i32x4_relaxed_laneselect             I32x4RelaxedLaneselect         "i32x4.relaxed_laneselect"             v128 v128 v128 -> v128;
                    i64x2_relaxed_laneselect             I64x2RelaxedLaneselect         "i64x2.relaxed_laneselect"             v128 v128 v128 -> v128;
                    i32x4_relaxed_dot_i8x16_i7x16_add_s  I32x4RelaxedDotI8x16I7x16AddS  "i32x4.relaxed_dot_i8x16_i7x16_add_s"  v128 v128 v128 -> v128;
                }
                vector_test {
                    v128_any_true   V128AnyTrue   "v128.any_true"   v128 -> i32;
                    i8x16_all_true  I8x16AllTrue  "i8x16.all_true"  v128 -> i32;
                    i8x16_bitmask   I8x16Bitmask  "i8x16.bitmask"   v128 -> i32;
                    i16x8_all_true  I16x8AllTrue  "i16x8.all_true"  v128 -> i32;
                    i16x8_bitmask   I16x8Bitmask  "i16x8.bitmask"   v128 -> i32;
                    i32x4_all_true  I32x4AllTrue  "i32x4.all_true"  v128 -> i32;
                    i32x4_bitmask   I32x4Bitmask  "i32x4.bitmask"   v128 -> i32;
                    i64x2_all_true  I64x2AllTrue  "i64x2.all_true"  v128 -> i32;
                    i64x2_bitmask   I64x2Bitmask  "i64x2.bitmask"   v128 -> i32;
                }
                shift {
                    i8x16_shl    I8x16Shl   "i8x16.shl"    v128 i32 -> v128;
                    i8x16_shr_s  I8x16ShrS  "i8x16.shr_s"  v128 i32 -> v128;
                    i8x16_shr_u  I8x16ShrU  "i8x16.shr_u"  v128 i32 -> v128;
                    i16x8_shl    I16x8Shl   "i16x8.shl"    v128 i32 -> v128;
                    i16x8_shr_s  I16x8ShrS  "i16x8.shr_s"  v128 i32 -> v128;
                    i16x8_shr_u  I16x8ShrU  "i16x8.shr_u"  v128 i32 -> v128;
                    i32x4_shl    I32x4Shl   "i32x4.shl"    v128 i32 -> v128;
                    i32x4_shr_s  I32x4ShrS  "i32x4.shr_s"  v128 i32 -> v128;
                    i32x4_shr_u  I32x4ShrU  "i32x4.shr_u"  v128 i32 -> v128;
                    i64x2_shl    I64x2Shl   "i64x2.shl"    v128 i32 -> v128;
                    i64x2_shr_s  I64x2ShrS  "i64x2.shr_s"  v128 i32 -> v128;
                    i64x2_shr_u  I64x2ShrU  "i64x2.shr_u"  v128 i32 -> v128;
                }
                splat {
                    i8x16_splat  I8x16Splat  "i8x16.splat"  i32 -> v128;
                    i16x8_splat  I16x8Splat  "i16x8.splat"  i32 -> v128;
                    i32x4_splat  I32x4Splat  "i32x4.splat"  i32 -> v128;
                    i64x2_splat  I64x2Splat  "i64x2.splat"  i64 -> v128;
                    f32x4_splat  F32x4Splat  "f32x4.splat"  f32 -> v128;
                    f64x2_splat  F64x2Splat  "f64x2.splat"  f64 -> v128;
                }
            }
            lane {
                extract_lane {
                    i8x16_extract_lane_s  I8x16ExtractLaneS  "i8x16.extract_lane_s"  v128 [16] -> i32;
                    i8x16_extract_lane_u  I8x16ExtractLaneU  "i8x16.extract_lane_u"  v128 [16] -> i32;
                    i16x8_extract_lane_s  I16x8ExtractLaneS  "i16x8.extract_lane_s"  v128 [8]  -> i32;
                    i16x8_extract_lane_u  I16x8ExtractLaneU  "i16x8.extract_lane_u"  v128 [8]  -> i32;
                    i32x4_extract_lane    I32x4ExtractLane   "i32x4.extract_lane"    v128 [4]  -> i32;
                    i64x2_extract_lane    I64x2ExtractLane   "i64x2.extract_lane"    v128 [2]  -> i64;
                    f32x4_extract_lane    F32x4ExtractLane   "f32x4.extract_lane"    v128 [4]  -> f32;
                    f64x2_extract_lane    F64x2ExtractLane   "f64x2.extract_lane"    v128 [2]  -> f64;
                }
                replace_lane {
                    i8x16_replace_lane  I8x16ReplaceLane  "i8x16.replace_lane"  v128 i32 [16] -> v128;
                    i16x8_replace_lane  I16x8ReplaceLane  "i16x8.replace_lane"  v128 i32 [8]  -> v128;
                    i32x4_replace_lane  I32x4ReplaceLane  "i32x4.replace_lane"  v128 i32 [4]  -> v128;
                    i64x2_replace_lane  I64x2ReplaceLane  "i64x2.replace_lane"  v128 i64 [2]  -> v128;
                    f32x4_replace_lane  F32x4ReplaceLane  "f32x4.replace_lane"  v128 f32 [4]  -> v128;
                    f64x2_replace_lane  F64x2ReplaceLane  "f64x2.replace_lane"  v128 f64 [2]  -> v128;
                }
            }
            memory {
                load {
                    i32_load      I32Load     "i32.load"      u32 -> i32;
                    i64_load      I64Load     "i64.load"      u64 -> i64;
                    f32_load      F32Load     "f32.load"      u32 -> f32;
                    f64_load      F64Load     "f64.load"      u64 -> f64;
                    i32_load8_s   I32Load8S   "i32.load8_s"   i8  -> i32;
                    i32_load8_u   I32Load8U   "i32.load8_u"   u8  -> i32;
                    i32_load16_s  I32Load16S  "i32.load16_s"  i16 -> i32;
                    i32_load16_u  I32Load16U  "i32.load16_u"  u16 -> i32;
                    i64_load8_s   I64Load8S   "i64.load8_s"   i8  -> i64;
                    i64_load8_u   I64Load8U   "i64.load8_u"   u8  -> i64;
                    i64_load16_s  I64Load16S  "i64.load16_s"  i16 -> i64;
                    i64_load16_u  I64Load16U  "i64.load16_u"  u16 -> i64;
                    i64_load32_s  I64Load32S  "i64.load32_s"  i32 -> i64;
                    i64_load32_u  I64Load32U  "i64.load32_u"  u32 -> i64;
                }
                store {
                    i32_store    I32Store    "i32.store"    i32 -> u32;
                    i64_store    I64Store    "i64.store"    i64 -> u64;
                    f32_store    F32Store    "f32.store"    f32 -> u32;
                    f64_store    F64Store    "f64.store"    f64 -> u64;
                    i32_store8   I32Store8   "i32.store8"   i32 -> u8;
                    i32_store16  I32Store16  "i32.store16"  i32 -> u16;
                    i64_store8   I64Store8   "i64.store8"   i64 -> u8;
                    i64_store16  I64Store16  "i64.store16"  i64 -> u16;
                    i64_store32  I64Store32  "i64.store32"  i64 -> u32;
                }
                vector_load {
                    v128_load          V128Load         "v128.load"          low16 -> v128;
                    v128_load8x8_s     V128Load8x8S     "v128.load8x8_s"     low8  -> v128;
                    v128_load8x8_u     V128Load8x8U     "v128.load8x8_u"     low8  -> v128;
                    v128_load16x4_s    V128Load16x4S    "v128.load16x4_s"    low8  -> v128;
                    v128_load16x4_u    V128Load16x4U    "v128.load16x4_u"    low8  -> v128;
                    v128_load32x2_s    V128Load32x2S    "v128.load32x2_s"    low8  -> v128;
                    v128_load32x2_u    V128Load32x2U    "v128.load32x2_u"    low8  -> v128;
                    v128_load8_splat   V128Load8Splat   "v128.load8_splat"   u8    -> v128;
                    v128_load16_splat  V128Load16Splat  "v128.load16_splat"  u16   -> v128;
                    v128_load32_splat  V128Load32Splat  "v128.load32_splat"  u32   -> v128;
                    v128_load64_splat  V128Load64Splat  "v128.load64_splat"  u64   -> v128;
                    v128_load32_zero   V128Load32Zero   "v128.load32_zero"   low4  -> v128;
                    v128_load64_zero   V128Load64Zero   "v128.load64_zero"   low8  -> v128;
                }
                vector_store {
                    v128_store  V128Store  "v128.store"  v128 -> v128;
                }
                atomic_load {
                    i32_atomic_load      I32AtomicLoad     "i32.atomic.load"      u32 -> i32;
                    i32_atomic_load8_u   I32AtomicLoad8U   "i32.atomic.load8_u"   u8  -> i32;
                    i32_atomic_load16_u  I32AtomicLoad16U  "i32.atomic.load16_u"  u16 -> i32;
                    i64_atomic_load      I64AtomicLoad     "i64.atomic.load"      u64 -> i64;
                    i64_atomic_load8_u   I64AtomicLoad8U   "i64.atomic.load8_u"   u8  -> i64;
                    i64_atomic_load16_u  I64AtomicLoad16U  "i64.atomic.load16_u"  u16 -> i64;
                    i64_atomic_load32_u  I64AtomicLoad32U  "i64.atomic.load32_u"  u32 -> i64;
                }
                atomic_store {
                    i32_atomic_store    I32AtomicStore    "i32.atomic.store"    i32 -> u32;
                    i32_atomic_store8   I32AtomicStore8   "i32.atomic.store8"   i32 -> u8;
                    i32_atomic_store16  I32AtomicStore16  "i32.atomic.store16"  i32 -> u16;
                    i64_atomic_store    I64AtomicStore    "i64.atomic.store"    i64 -> u64;
                    i64_atomic_store8   I64AtomicStore8   "i64.atomic.store8"   i64 -> u8;
                    i64_atomic_store16  I64AtomicStore16  "i64.atomic.store16"  i64 -> u16;
                    i64_atomic_store32  I64AtomicStore32  "i64.atomic.store32"  i64 -> u32;
                }
                atomic_rmw {
                    i32_atomic_rmw_add       I32AtomicRmwAdd      "i32.atomic.rmw.add"       u32 i32 -> i32;
                    i32_atomic_rmw8_add_u    I32AtomicRmw8AddU    "i32.atomic.rmw8.add_u"    u8  i32 -> i32;
                    i32_atomic_rmw16_add_u   I32AtomicRmw16AddU   "i32.atomic.rmw16.add_u"   u16 i32 -> i32;
                    i64_atomic_rmw_add       I64AtomicRmwAdd      "i64.atomic.rmw.add"       u64 i64 -> i64;
                    i64_atomic_rmw8_add_u    I64AtomicRmw8AddU    "i64.atomic.rmw8.add_u"    u8  i64 -> i64;
                    i64_atomic_rmw16_add_u   I64AtomicRmw16AddU   "i64.atomic.rmw16.add_u"   u16 i64 -> i64;
                    i64_atomic_rmw32_add_u   I64AtomicRmw32AddU   "i64.atomic.rmw32.add_u"   u32 i64 -> i64;
                    i32_atomic_rmw_sub       I32AtomicRmwSub      "i32.atomic.rmw.sub"       u32 i32 -> i32;
                    i32_atomic_rmw8_sub_u    I32AtomicRmw8SubU    "i32.atomic.rmw8.sub_u"    u8  i32 -> i32;
                    i32_atomic_rmw16_sub_u   I32AtomicRmw16SubU   "i32.atomic.rmw16.sub_u"   u16 i32 -> i32;
                    i64_atomic_rmw_sub       I64AtomicRmwSub      "i64.atomic.rmw.sub"       u64 i64 -> i64;
                    i64_atomic_rmw8_sub_u    I64AtomicRmw8SubU    "i64.atomic.rmw8.sub_u"    u8  i64 -> i64;
                    i64_atomic_rmw16_sub_u   I64AtomicRmw16SubU   "i64.atomic.rmw16.sub_u"   u16 i64 -> i64;
                    i64_atomic_rmw32_sub_u   I64AtomicRmw32SubU   "i64.atomic.rmw32.sub_u"   u32 i64 -> i64;
                    i32_atomic_rmw_and       I32AtomicRmwAnd      "i32.atomic.rmw.and"       u32 i32 -> i32;
                    i32_atomic_rmw8_and_u    I32AtomicRmw8AndU    "i32.atomic.rmw8.and_u"    u8  i32 -> i32;
                    i32_atomic_rmw16_and_u   I32AtomicRmw16AndU   "i32.atomic.rmw16.and_u"   u16 i32 -> i32;
                    i64_atomic_rmw_and       I64AtomicRmwAnd      "i64.atomic.rmw.and"       u64 i64 -> i64;
                    i64_atomic_rmw8_and_u    I64AtomicRmw8AndU    "i64.atomic.rmw8.and_u"    u8  i64 -> i64;
                    i64_atomic_rmw16_and_u   I64AtomicRmw16AndU   "i64.atomic.rmw16.and_u"   u16 i64 -> i64;
                    i64_atomic_rmw32_and_u   I64AtomicRmw32AndU   "i64.atomic.rmw32.and_u"   u32 i64 -> i64;
                    i32_atomic_rmw_or        I32AtomicRmwOr       "i32.atomic.rmw.or"        u32 i32 -> i32;
                    i32_atomic_rmw8_or_u     I32AtomicRmw8OrU     "i32.atomic.rmw8.or_u"     u8  i32 -> i32;
                    i32_atomic_rmw16_or_u    I32AtomicRmw16OrU    "i32.atomic.rmw16.or_u"    u16 i32 -> i32;
                    i64_atomic_rmw_or        I64AtomicRmwOr       "i64.atomic.rmw.or"        u64 i64 -> i64;
                    i64_atomic_rmw8_or_u     I64AtomicRmw8OrU     "i64.atomic.rmw8.or_u"     u8  i64 -> i64;
                    i64_atomic_rmw16_or_u    I64AtomicRmw16OrU    "i64.atomic.rmw16.or_u"    u16 i64 -> i64;
                    i64_atomic_rmw32_or_u    I64AtomicRmw32OrU    "i64.atomic.rmw32.or_u"    u32 i64 -> i64;
                    i32_atomic_rmw_xor       I32AtomicRmwXor      "i32.atomic.rmw.xor"       u32 i32 -> i32;
                    i32_atomic_rmw8_xor_u    I32AtomicRmw8XorU    "i32.atomic.rmw8.xor_u"    u8  i32 -> i32;
                    i32_atomic_rmw16_xor_u   I32AtomicRmw16XorU   "i32.atomic.rmw16.xor_u"   u16 i32 -> i32;
                    i64_atomic_rmw_xor       I64AtomicRmwXor      "i64.atomic.rmw.xor"       u64 i64 -> i64;
                    i64_atomic_rmw8_xor_u    I64AtomicRmw8XorU    "i64.atomic.rmw8.xor_u"    u8  i64 -> i64;
                    i64_atomic_rmw16_xor_u   I64AtomicRmw16XorU   "i64.atomic.rmw16.xor_u"   u16 i64 -> i64;
                    i64_atomic_rmw32_xor_u   I64AtomicRmw32XorU   "i64.atomic.rmw32.xor_u"   u32 i64 -> i64;
                    i32_atomic_rmw_xchg      I32AtomicRmwXchg     "i32.atomic.rmw.xchg"      u32 i32 -> i32;
                    i32_atomic_rmw8_xchg_u   I32AtomicRmw8XchgU   "i32.atomic.rmw8.xchg_u"   u8  i32 -> i32;
                    i32_atomic_rmw16_xchg_u  I32AtomicRmw16XchgU  "i32.atomic.rmw16.xchg_u"  u16 i32 -> i32;
                    i64_atomic_rmw_xchg      I64AtomicRmwXchg     "i64.atomic.rmw.xchg"      u64 i64 -> i64;
                    i64_atomic_rmw8_xchg_u   I64AtomicRmw8XchgU   "i64.atomic.rmw8.xchg_u"   u8  i64 -> i64;
                    i64_atomic_rmw16_xchg_u  I64AtomicRmw16XchgU  "i64.atomic.rmw16.xchg_u"  u16 i64 -> i64;
                    i64_atomic_rmw32_xchg_u  I64AtomicRmw32XchgU  "i64.atomic.rmw32.xchg_u"  u32 i64 -> i64;
                }
                atomic_cmpxchg {
                    i32_atomic_rmw_cmpxchg      I32AtomicRmwCmpxchg     "i32.atomic.rmw.cmpxchg"      u32 i32 i32 -> i32;
                    i32_atomic_rmw8_cmpxchg_u   I32AtomicRmw8CmpxchgU   "i32.atomic.rmw8.cmpxchg_u"   u8  i32 i32 -> i32;
                    i32_atomic_rmw16_cmpxchg_u  I32AtomicRmw16CmpxchgU  "i32.atomic.rmw16.cmpxchg_u"  u16 i32 i32 -> i32;
                    i64_atomic_rmw_cmpxchg      I64AtomicRmwCmpxchg     "i64.atomic.rmw.cmpxchg"      u64 i64 i64 -> i64;
                    i64_atomic_rmw8_cmpxchg_u   I64AtomicRmw8CmpxchgU   "i64.atomic.rmw8.cmpxchg_u"   u8  i64 i64 -> i64;
                    i64_atomic_rmw16_cmpxchg_u  I64AtomicRmw16CmpxchgU  "i64.atomic.rmw16.cmpxchg_u"  u16 i64 i64 -> i64;
                    i64_atomic_rmw32_cmpxchg_u  I64AtomicRmw32CmpxchgU  "i64.atomic.rmw32.cmpxchg_u"  u32 i64 i64 -> i64;
                }
            }
            memory_lane {
                load_lane {
                    v128_load8_lane   V128Load8Lane   "v128.load8_lane"   v128 u8 [16] -> v128;
                    v128_load16_lane  V128Load16Lane  "v128.load16_lane"  v128 u16 [8] -> v128;
                    v128_load32_lane  V128Load32Lane  "v128.load32_lane"  v128 u32 [4] -> v128;
                    v128_load64_lane  V128Load64Lane  "v128.load64_lane"  v128 u64 [2] -> v128;
                }
                store_lane {
                    v128_store8_lane   V128Store8Lane   "v128.store8_lane"   v128 [16] -> u8;
                    v128_store16_lane  V128Store16Lane  "v128.store16_lane"  v128 [8]  -> u16;
                    v128_store32_lane  V128Store32Lane  "v128.store32_lane"  v128 [4]  -> u32;
                    v128_store64_lane  V128Store64Lane  "v128.store64_lane"  v128 [2]  -> u64;
                }
            }
        }
    };
}
