//! Calls within an instance. Others are left to handlers.
//!
//! Direct calls are [paired](crate::paired_call), but for those of the function itself. The predictor of returns has few places,
//! which a deep recursion uses up, and then every return is mispredicted. Indirect calls are not paired either: a call to another
//! function than was predicted makes the predictor of returns lose its place as well.

use super::assemble::{Alu, Mem, R9, RAX, RCX, RDI, RSI, Rm, condition};
use super::function::{Compiler, Value, slot_mem};
use super::link::{Goal, Position};
use super::state::Arrival;
use crate::paired_call;
use wasmr_runtime::vm::{VmFunc, VmInstance, VmTable};

impl Compiler<'_> {
    pub(crate) fn call(&mut self) {
        let (object, frame) = (self.field(0) as i32, self.field(1) as i32);
        self.flush();
        let Some(stubs) = &self.stubs else {
            self.asm.lea(true, RAX, Mem::at(RCX, object));
            return self.call_rax(frame);
        };
        let is_paired = self.own != object as u32;
        let to = match is_paired {
            true => Goal::Address(stubs.of(object as u32)),
            false => Goal::Position(Position::Main(paired_call::DIRECT_AT as u32)),
        };
        self.set_instruction(false, self.word + self.length);
        self.asm.lea(true, RAX, slot_mem(frame));
        if is_paired {
            self.asm.push(RDI);
            self.asm.call();
        } else {
            self.asm.jump();
        }
        self.link_latest(false, to);
        if is_paired {
            self.asm.bytes(&paired_call::LANDING);
        }
        self.callee_frame = Some(frame);
        self.arrival = if is_paired { Arrival::Return } else { Arrival::Handler };
    }

    /// A call of an element of exactly the expected type, in this instance. Any other is left to the handler.
    pub(crate) fn call_indirect(&mut self) {
        let (table, place, index) = (self.field(0) as i32, self.place(1), self.operand(1));
        let (ty, frame) = (self.field(2) as i32, self.field(3) as i32);
        let index = self.zero_extended(index);
        // An index on the operand stack is not read again, unless the handler executes the call.
        let bail = self.bail_with_slot(match place {
            Value::Slot(slot) if slot >= self.operand_slots && self.state.is_dirty(slot) => Some(slot),
            _ => None,
        });
        self.asm.mov(true, RAX, Rm::Mem(Mem::at(RCX, table)));
        self.asm.alu(Alu::Cmp, true, index, Rm::Mem(Mem::at(RAX, std::mem::offset_of!(VmTable, len) as i32)));
        self.branch(condition::ABOVE_EQUAL, bail);
        self.asm.mov(true, RAX, Rm::Mem(Mem::at(RAX, std::mem::offset_of!(VmTable, elements) as i32)));
        self.asm.mov(true, RAX, Rm::Mem(Mem { base: RAX, index: Some((index, 3)), displacement: 0 }));
        self.asm.test(true, RAX);
        self.branch(condition::EQUAL, bail);
        let in_func = |offset| Rm::Mem(Mem::at(RAX, offset as i32));
        self.asm.alu_imm(Alu::Cmp, false, in_func(std::mem::offset_of!(VmFunc, type_id)), ty);
        self.branch(condition::NOT_EQUAL, bail);
        self.asm.alu(Alu::Cmp, true, RCX, in_func(std::mem::offset_of!(VmFunc, instance)));
        self.branch(condition::NOT_EQUAL, bail);
        self.call_rax(frame);
    }

    /// Calls the function in `rax`, of this instance, whose frame is `frame` slots further, without a pair. All slots are stored.
    fn call_rax(&mut self, frame: i32) {
        self.asm.store(true, slot_mem(frame - 1), RAX);
        self.asm.store(true, slot_mem(frame - 2), RSI);
        self.set_instruction(false, self.word + self.length);
        self.asm.store(true, slot_mem(frame - 3), RDI);
        self.asm.lea(true, RSI, slot_mem(frame));
        self.callee_frame = Some(frame);
        self.arrival = Arrival::Handler;
        self.asm.mov(true, RDI, Rm::Mem(Mem::at(RAX, std::mem::offset_of!(VmFunc, code) as i32)));
        self.asm.jump_through(Mem::at(RDI, 0));
    }

    /// Appends the code to which word 0 of the instruction behind a paired call leads. Its own code is at `code`.
    pub(crate) fn rejoin(&mut self, code: u32) -> Position {
        let start = self.side.size() as u32;
        self.side.bytes(&paired_call::REJOIN);
        self.side.bytes(&[0; 4]);
        self.link_latest(true, Goal::Position(Position::Main(code)));
        self.side.bytes(&paired_call::REJOIN_END);
        Position::Side(start)
    }

    /// Stores all dirty slots but one. Appends code that stores that one too and leaves the current instruction to its handler.
    /// Returns its position.
    fn bail_with_slot(&mut self, slot: Option<i32>) -> Goal {
        let held = slot.and_then(|slot| Some((slot, self.state.holder(slot)?)));
        if let Some((slot, _)) = held {
            self.state.forget(slot);
        }
        self.flush();
        let start = self.side.size() as u32;
        if let Some((slot, holder)) = held {
            self.store_slot(true, holder, slot);
        }
        // No other slot is dirty, so `bail` stores none.
        self.bail();
        Goal::Position(Position::Side(start))
    }

    /// Sets `rsi` to the frame to which a callee's frame in `r9` belongs, if it is that already. The processor predicts that it
    /// is, and need not wait for the header of the callee's frame.
    pub(crate) fn guess_frame(&mut self, frame: i32) {
        self.asm.lea(true, RAX, Mem::at(R9, frame.wrapping_mul(-8)));
        self.asm.alu(Alu::Cmp, true, RAX, Rm::Reg(RSI));
        let around = self.asm.branch_short(condition::NOT_EQUAL);
        self.asm.mov(true, RSI, Rm::Reg(RAX));
        self.asm.land_short(around);
    }
}

const _: () = assert!(size_of::<*mut VmInstance>() == 8, "the header and tables hold pointers in 8 bytes");
