//! Sizes of compiled frames: about the same share of the native stack as the interpreter's frames have of the value stack.
//!
//! The depth that calls reach should not depend on the tier, as far as that costs nothing. Some compiled frames have a word for
//! each value that is needed after a call, as the interpreter's have. Others are nearly empty, and one may replace several
//! frames of the interpreter, because bodies were inlined. Two measures bring the depths together. The native stack is
//! [larger](wasmr_runtime::vm::native_stack_bytes) than the value stack, which pays for frames with many values and for tier
//! transitions. And a function that calls others gets padding in its frame, so that the frame has at least `LEAST_PERCENT` of
//! the size of the interpreter's.
//!
//! # Why not larger frames?
//! Larger frames would bring the depths still closer together. But Cranelift puts the padding between the stack pointer and the
//! spilled values. These are then out of reach of 8-bit displacements, instructions get longer, and deep calls touch more of
//! the cache. Frames of 125 % cost recursive functions 3 to 5 %, and QuickJS about as much. For the same reason a large
//! function gets only `MOST_ADDED_TO_LARGE`. It mostly has many values to spill, so its frame is large anyway.
//!
//! The size of the interpreter's frames follows from the types of locals and operands. The translator adds it up at each call,
//! over all bodies that are open there.

use cranelift_codegen::ir::{StackSlotData, StackSlotKind, Type, Value, types};
use wasmr_core::types::FuncType;
use wasmr_runtime::frame::FRAME_HEADER;

use super::state::{FrameSlots, Translator};

/// Least size of a frame, in percent of the interpreter's for the same calls. The native stack is half as large again as the
/// value stack, so compiled code gets less than twice as deep. A recursion that begins in the interpreter and continues in
/// compiled code uses up both stacks, so it gets less than three times as deep.
const LEAST_PERCENT: usize = 75;

/// Bytes of a frame without values: return address and frame pointer.
const LEAST_FRAME: usize = 16;

/// Most bytes of padding. Up to this size, Cranelift emits no stack probes for the frame.
const MOST_ADDED: usize = 48 << 10;

/// Number of CLIF values above which a function is large.
const LARGE: usize = 500;

/// Most bytes of padding in a large function's frame. The first eight spilled values stay in reach of 8-bit displacements.
const MOST_ADDED_TO_LARGE: usize = 64;

fn slots(ty: Type) -> usize {
    if ty.is_vector() { 2 } else { 1 }
}

/// Returns the number of slots between the caller's operands and the callee's first local: arguments and frame header.
fn slots_between(callee: &FuncType) -> usize {
    callee.arg_slots() + FRAME_HEADER
}

impl Translator<'_, '_> {
    fn operand_slots(&self) -> usize {
        self.stack.iter().map(|&value: &Value| slots(self.builder.func.dfg.value_type(value))).sum()
    }

    /// Counts the locals of a body that begins. All of them are declared.
    pub(super) fn count_locals(&mut self, ty: &FuncType) {
        let all: usize = self.locals.iter().map(|&(_, ty)| slots(ty)).sum();
        self.frame_slots.locals = all - ty.param_slots();
    }

    /// Counts the frames at a call, whose arguments are popped.
    pub(super) fn count_call(&mut self, callee: &FuncType) {
        let FrameSlots { locals, outer, deepest } = self.frame_slots;
        let here = outer + locals + self.operand_slots() + slots_between(callee);
        self.frame_slots.deepest = deepest.max(here);
    }

    /// Begins the inlined body of `callee`. Returns the argument for [`close_frame`](Self::close_frame).
    pub(super) fn open_frame(&mut self, callee: &FuncType) -> FrameSlots {
        let FrameSlots { locals, outer, .. } = self.frame_slots;
        // Without operands: those of all bodies are on one stack, which `operand_slots` counts as a whole.
        self.frame_slots.outer = outer + locals + slots_between(callee);
        FrameSlots { locals, outer, deepest: 0 }
    }

    /// Ends an inlined body; `opened` is the result of [`open_frame`](Self::open_frame).
    pub(super) fn close_frame(&mut self, opened: FrameSlots) {
        let deepest = self.frame_slots.deepest;
        self.frame_slots = FrameSlots { deepest, ..opened };
    }

    /// Pads the frame to its least size.
    pub(super) fn enlarge_frame(&mut self) {
        let interpreted = self.frame_slots.deepest * size_of::<u64>();
        let least = interpreted * LEAST_PERCENT / 100;
        let most = if self.builder.func.dfg.num_values() > LARGE { MOST_ADDED_TO_LARGE } else { MOST_ADDED };
        let added = least.saturating_sub(LEAST_FRAME).min(most);
        if added != 0 {
            let align = types::I64.bytes().ilog2() as u8;
            let data = StackSlotData::new(StackSlotKind::ExplicitSlot, added as u32, align);
            self.builder.create_sized_stack_slot(data);
        }
    }
}
