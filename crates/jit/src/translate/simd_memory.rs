//! Vector loads and stores.
//!
//! [`memory`](super::memory) computes and checks their addresses, as for scalars. A vector to store is above the address on the
//! operand stack, so it is popped first.

use cranelift_codegen::ir::{InstBuilder, Type, Value};
use wasmparser::MemArg;

use super::state::Translator;

impl Translator<'_, '_> {
    pub(super) fn store_vector(&mut self, memarg: &MemArg) {
        let value = self.pop();
        let site = self.site(memarg, 16);
        self.builder.ins().store(site.flags, value, site.pointer, site.offset);
    }

    /// Pops an index, and loads a scalar of the lane's type.
    fn load_scalar(&mut self, memarg: &MemArg, lanes: Type) -> Value {
        let lane = lanes.lane_type();
        let site = self.site(memarg, lane.bytes());
        self.builder.ins().load(lane, site.flags, site.pointer, site.offset)
    }

    /// Loads a scalar into all lanes.
    pub(super) fn load_splat(&mut self, lanes: Type, memarg: &MemArg) {
        let lane = self.load_scalar(memarg, lanes);
        let value = self.builder.ins().splat(lanes, lane);
        self.push(value);
    }

    /// Loads a scalar into the first lane. The other lanes are zero.
    pub(super) fn load_zero(&mut self, lanes: Type, memarg: &MemArg) {
        let lane = self.load_scalar(memarg, lanes);
        let value = self.builder.ins().scalar_to_vector(lanes, lane);
        self.push(value);
    }

    /// Loads a scalar into one lane of the vector on the stack.
    pub(super) fn load_lane(&mut self, lanes: Type, memarg: &MemArg, lane: u8) {
        let vector = self.pop_vector(lanes);
        let new = self.load_scalar(memarg, lanes);
        let value = self.builder.ins().insertlane(vector, new, lane);
        self.push(value);
    }

    pub(super) fn store_lane(&mut self, lanes: Type, memarg: &MemArg, lane: u8) {
        let vector = self.pop_vector(lanes);
        let site = self.site(memarg, lanes.lane_type().bytes());
        let value = self.builder.ins().extractlane(vector, lane);
        self.builder.ins().store(site.flags, value, site.pointer, site.offset);
    }
}
