//! Conversion of the decoder's operators to operators of core's [table](wasmr_core::op), for all tiers.
//!
//! The row of an operator determines its immediates: none, a lane, a memory access, or the last two together.

use wasmparser::{MemArg, MemArgTarget, Operator};
use wasmr_core::op::Op;

macro_rules! lookups {
    (
        no_immediate { $($shape:ident { $($function:ident $op:ident $text:literal $($operand:ident)+ -> $result:ident;)* })* }
        lane { $($lane_shape:ident { $(
            $lane_function:ident $lane_op:ident $lane_text:literal $($lane_operand:ident)+ [$lanes:literal]
                -> $lane_result:ident;
        )* })* }
        memory { $($memory_shape:ident { $(
            $memory_function:ident $memory_op:ident $memory_text:literal $($memory_operand:ident)+ -> $memory_result:ident;
        )* })* }
        memory_lane { $($both_shape:ident { $(
            $both_function:ident $both_op:ident $both_text:literal $($both_operand:ident)+ [$both_lanes:literal]
                -> $both_result:ident;
        )* })* }
    ) => {
        /// Returns the operator's row in the table, if it has one.
        #[inline]
        pub fn op_of(operator: &Operator<'_>) -> Option<Op> {
            Some(match operator {
                $($(Operator::$op => Op::$op,)*)*
                $($(Operator::$lane_op { .. } => Op::$lane_op,)*)*
                $($(Operator::$memory_op { .. } => Op::$memory_op,)*)*
                $($(Operator::$both_op { .. } => Op::$both_op,)*)*
                _ => return None,
            })
        }

        /// Returns the lane immediate of an operator.
        ///
        /// # Panics
        /// If the operator has none.
        #[inline]
        pub fn lane_of(operator: &Operator<'_>) -> u8 {
            match operator {
                $($(Operator::$lane_op { lane })|*)|* | $($(Operator::$both_op { lane, .. })|*)|* => *lane,
                _ => panic!("an operator without a lane"),
            }
        }

        /// Returns the memory immediate of an operator.
        ///
        /// # Panics
        /// If the operator has none.
        #[inline]
        pub fn memarg_of<'a>(operator: &'a Operator<'_>) -> &'a MemArg {
            match operator {
                $($(Operator::$memory_op { memarg })|*)|* | $($(Operator::$both_op { memarg, .. })|*)|* => memarg,
                _ => panic!("an operator that accesses no memory"),
            }
        }
    };
}
wasmr_core::for_each_op!(lookups);

/// Returns the index of the accessed memory.
pub fn memory_of(memarg: &MemArg) -> u32 {
    match memarg.target {
        MemArgTarget::Memory(memory) => memory,
        MemArgTarget::Array(_) => unreachable!("not part of any feature that can be on"),
    }
}
