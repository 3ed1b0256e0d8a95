//! Vector loads and stores.
//!
//! Where an access is, and whether it may be made, is [`memory`](super::memory)'s business, as for scalars. A vector that is
//! to be stored lies above the address on the stack, so it is popped first.

use cranelift_codegen::ir::{InstBuilder, Type, Value, types};
use wasmparser::{MemArg, Operator};

use super::Translator;

impl Translator<'_, '_> {
    /// Translates an operator of this category; whether it is one.
    pub fn simd_memory_operator(&mut self, operator: &Operator<'_>) -> bool {
        use Operator::*;
        match operator {
            V128Load { memarg } => {
                let (pointer, offset, flags) = self.address(memarg, 16);
                let value = self.builder.ins().load(types::I8X16, flags, pointer, offset);
                self.push(value);
            }
            V128Store { memarg } => {
                let value = self.pop();
                let (pointer, offset, flags) = self.address(memarg, 16);
                self.builder.ins().store(flags, value, pointer, offset);
            }
            V128Load8x8S { memarg } => {
                let (pointer, offset, flags) = self.address(memarg, 8);
                let value = self.builder.ins().sload8x8(flags, pointer, offset);
                self.push(value);
            }
            V128Load8x8U { memarg } => {
                let (pointer, offset, flags) = self.address(memarg, 8);
                let value = self.builder.ins().uload8x8(flags, pointer, offset);
                self.push(value);
            }
            V128Load16x4S { memarg } => {
                let (pointer, offset, flags) = self.address(memarg, 8);
                let value = self.builder.ins().sload16x4(flags, pointer, offset);
                self.push(value);
            }
            V128Load16x4U { memarg } => {
                let (pointer, offset, flags) = self.address(memarg, 8);
                let value = self.builder.ins().uload16x4(flags, pointer, offset);
                self.push(value);
            }
            V128Load32x2S { memarg } => {
                let (pointer, offset, flags) = self.address(memarg, 8);
                let value = self.builder.ins().sload32x2(flags, pointer, offset);
                self.push(value);
            }
            V128Load32x2U { memarg } => {
                let (pointer, offset, flags) = self.address(memarg, 8);
                let value = self.builder.ins().uload32x2(flags, pointer, offset);
                self.push(value);
            }
            V128Load8Splat { memarg } => self.load_splat(memarg, types::I8X16),
            V128Load16Splat { memarg } => self.load_splat(memarg, types::I16X8),
            V128Load32Splat { memarg } => self.load_splat(memarg, types::I32X4),
            V128Load64Splat { memarg } => self.load_splat(memarg, types::I64X2),
            V128Load32Zero { memarg } => self.load_zero(memarg, types::I32X4),
            V128Load64Zero { memarg } => self.load_zero(memarg, types::I64X2),
            V128Load8Lane { memarg, lane } => self.load_lane(memarg, types::I8X16, *lane),
            V128Load16Lane { memarg, lane } => self.load_lane(memarg, types::I16X8, *lane),
            V128Load32Lane { memarg, lane } => self.load_lane(memarg, types::I32X4, *lane),
            V128Load64Lane { memarg, lane } => self.load_lane(memarg, types::I64X2, *lane),
            V128Store8Lane { memarg, lane } => self.store_lane(memarg, types::I8X16, *lane),
            V128Store16Lane { memarg, lane } => self.store_lane(memarg, types::I16X8, *lane),
            V128Store32Lane { memarg, lane } => self.store_lane(memarg, types::I32X4, *lane),
            V128Store64Lane { memarg, lane } => self.store_lane(memarg, types::I64X2, *lane),
            _ => return false,
        }
        true
    }

    /// Loads a scalar of the lane's type.
    fn load_scalar(&mut self, memarg: &MemArg, lanes: Type) -> Value {
        let lane = lanes.lane_type();
        let (pointer, offset, flags) = self.address(memarg, lane.bytes());
        self.builder.ins().load(lane, flags, pointer, offset)
    }

    /// A scalar in all lanes.
    fn load_splat(&mut self, memarg: &MemArg, lanes: Type) {
        let lane = self.load_scalar(memarg, lanes);
        let value = self.builder.ins().splat(lanes, lane);
        self.push(value);
    }

    /// A scalar in the first lane and zero in the others.
    fn load_zero(&mut self, memarg: &MemArg, lanes: Type) {
        let lane = self.load_scalar(memarg, lanes);
        let value = self.builder.ins().scalar_to_vector(lanes, lane);
        self.push(value);
    }

    /// A scalar instead of one lane of the vector on the stack.
    fn load_lane(&mut self, memarg: &MemArg, lanes: Type, lane: u8) {
        let vector = self.pop_vector(lanes);
        let new = self.load_scalar(memarg, lanes);
        let value = self.builder.ins().insertlane(vector, new, lane);
        self.push(value);
    }

    fn store_lane(&mut self, memarg: &MemArg, lanes: Type, lane: u8) {
        let vector = self.pop_vector(lanes);
        let (pointer, offset, flags) = self.address(memarg, lanes.lane_type().bytes());
        let value = self.builder.ins().extractlane(vector, lane);
        self.builder.ins().store(flags, value, pointer, offset);
    }
}
