//! Sizes of frames: those of compiled code take about as much of their stack as the interpreter's take of theirs.
//!
//! How deep calls go must not depend on the tier, as far as that costs nothing. Compiled frames are of two kinds. In one there is
//! a word for each value that is needed after a call, as in the interpreter's. In the other there is next to nothing, and it may
//! stand for several calls, because bodies were inlined into it. So two things are done. The stack of compiled code is
//! [larger](wasmr_runtime::vm::native_stack_bytes) than the interpreter's, which pays for frames with many values and for the ways
//! from tier to tier. And a function that calls others gets an unused piece of stack in its frame, which makes a frame of the
//! second kind at least `LEAST_PERCENT` as large as the interpreter's.
//!
//! *Why not larger frames?* They would bring the depths still closer together. But Cranelift puts the unused piece between the
//! stack pointer and the spilled values: they are out of reach of displacements of eight bits, instructions get longer, and deep
//! calls touch more of the cache. Frames of 125 % cost recursive functions 3 to 5 %, and QuickJS about as much. For the same reason a
//! large function gets `MOST_ADDED_TO_LARGE` only. It mostly has many values to spill, so its frame is large anyway.
//!
//! What the interpreter's frames take follows from the types of locals and operands. The translator adds it up at each call, over
//! all bodies that are open there.

use cranelift_codegen::ir::{StackSlotData, StackSlotKind, Type, Value, types};
use wasmr_core::types::FuncType;
use wasmr_runtime::frame::FRAME_HEADER;

use super::state::{FrameSlots, Translator};

/// A frame takes at least this part of what the interpreter's would take, in percent. As the stack is half as large again, compiled
/// code gets less than twice as deep. A recursion that begins in the interpreter and goes on in compiled code uses up both stacks, so it
/// gets less than three times as deep.
const LEAST_PERCENT: usize = 75;

/// Bytes of a frame that has nothing but the return address and the frame pointer.
const LEAST_FRAME: usize = 16;

/// Most bytes added: below it, Cranelift touches no page for a frame's sake.
const MOST_ADDED: usize = 48 << 10;

/// A function with more values than this in Cranelift's representation is large.
const LARGE: usize = 500;

/// Most bytes added to a large function's frame: the first eight spilled values stay in reach of displacements of eight bits.
const MOST_ADDED_TO_LARGE: usize = 64;

fn slots(ty: Type) -> usize {
    if ty.is_vector() { 2 } else { 1 }
}

/// Slots between the caller's operands and the callee's first local.
fn trampoline(callee: &FuncType) -> usize {
    callee.arg_slots() + FRAME_HEADER
}

impl Translator<'_, '_> {
    fn operand_slots(&self) -> usize {
        self.stack.iter().map(|&value: &Value| slots(self.builder.func.dfg.value_type(value))).sum()
    }

    /// Notes the locals of a body that begins, which all are declared.
    pub(super) fn count_locals(&mut self, ty: &FuncType) {
        let all: usize = self.locals.iter().map(|&(_, ty)| slots(ty)).sum();
        self.frame_slots.locals = all - ty.param_slots();
    }

    /// Notes a call, the arguments of which are popped.
    pub(super) fn count_call(&mut self, callee: &FuncType) {
        let FrameSlots { locals, outer, deepest } = self.frame_slots;
        let here = outer + locals + self.operand_slots() + trampoline(callee);
        self.frame_slots.deepest = deepest.max(here);
    }

    /// Notes that the body of `callee` begins, in place of a call of it. Returns what ends it.
    pub(super) fn open_frame(&mut self, callee: &FuncType) -> FrameSlots {
        let FrameSlots { locals, outer, .. } = self.frame_slots;
        // The operands of all bodies are on one stack.
        self.frame_slots.outer = outer + locals + trampoline(callee);
        FrameSlots { locals, outer, deepest: 0 }
    }

    /// Notes that the body ends which `opened` began.
    pub(super) fn close_frame(&mut self, opened: FrameSlots) {
        let deepest = self.frame_slots.deepest;
        self.frame_slots = FrameSlots { deepest, ..opened };
    }

    /// Makes the frame at least as large as it has to be.
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
