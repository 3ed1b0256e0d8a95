//! The first instruction of a function, branches, `br_table`, returns.

use std::collections::HashMap;

use super::assemble::{Alu, Mem, R8, R9, RAX, RCX, RDI, RSI, Rm, condition};
use super::function::{Compiler, Value, budget, slot_mem};
use super::link::Goal;
use super::state::Arrival;
use crate::paired_call;
use wasmr_runtime::frame::FRAME_HEADER;
use wasmr_runtime::vm::{VmInstance, VmStore};

/// Number of locals up to which code clears them in place.
const CLEARED_IN_PLACE: i64 = 16;

impl Compiler<'_> {
    /// Compares the end of the frame with the limit, clears locals, takes one from the budget.
    pub(crate) fn enter_function(&mut self) {
        let (slots, cleared) = (self.code_word(1) as u32, (self.code_word(1) >> 32) as i64);
        let Ok(end) = i32::try_from(u64::from(slots) * 8) else { return self.leave_to_handler() };
        if cleared > CLEARED_IN_PLACE {
            return self.leave_to_handler();
        }
        let bail = self.bail();
        self.asm.mov(true, RAX, Rm::Mem(Mem::at(RCX, std::mem::offset_of!(VmInstance, store) as i32)));
        self.asm.lea(true, RDI, Mem::at(RSI, end));
        let limit = Mem::at(RAX, std::mem::offset_of!(VmStore, stack_limit) as i32);
        self.asm.alu(Alu::Cmp, true, RDI, Rm::Mem(limit));
        self.branch(condition::ABOVE_EQUAL, bail);
        if cleared > 0 {
            self.asm.op(0x0f57, false, 15, Rm::Reg(15));
            // As the handler does, it may clear one slot more, which is not in use yet.
            for pair in 0..(cleared + 1) / 2 {
                self.asm.op(0x0f11, false, 15, Rm::Mem(slot_mem(2 * pair as i32)));
            }
        }
        self.asm.op(0xff, false, 1, Rm::Mem(budget()));
        let interrupt = self.interrupt(self.word + self.length);
        self.branch(condition::SIGN, interrupt);
        for slot in 0..cleared as i32 {
            let holder = self.constant_holder(0);
            self.state.bind(holder, slot, false);
        }
    }

    pub(crate) fn br(&mut self) {
        self.flush();
        let target = self.target();
        self.branch_to_word(None, target);
        self.arrival = Arrival::None;
    }

    pub(crate) fn br_if(&mut self, wide: bool, wanted: bool) {
        let x = self.operand(0);
        let prepared = self.prepare_integers(wide, x, Value::Constant(0));
        self.branch_prepared(prepared, condition::NOT_EQUAL ^ u8::from(!wanted));
    }

    pub(crate) fn br_if_and(&mut self, wanted: bool) {
        let (x, y) = (self.operand(0), self.operand(1));
        let register = self.general(x, false);
        let rm = match y {
            Value::Constant(_) => None,
            _ => Some(self.general_rm(y, false)),
        };
        self.use_up();
        self.flush();
        match (rm, y) {
            (Some(rm), _) => self.asm.op(0x85, false, register, rm),
            (None, Value::Constant(mask)) => self.asm.op_imm32(0xf7, false, 0, Rm::Reg(register), mask as i32),
            (None, _) => {}
        }
        let target = self.target();
        self.branch_to_word(Some(condition::NOT_EQUAL ^ u8::from(!wanted)), target);
    }

    pub(crate) fn br_table(&mut self) {
        let (index, bias) = (self.operand(0), self.field(1) as i32);
        let index = self.general(index, false);
        self.use_up();
        self.flush();
        let last = (self.code_word(1) >> 32) as u32;
        self.asm.lea(false, RAX, Mem::at(index, bias));
        self.asm.constant(RDI, last.into());
        self.asm.alu(Alu::Cmp, false, RAX, Rm::Reg(RDI));
        self.asm.op(0x0f47, false, RAX, Rm::Reg(RDI));
        let mut backward: HashMap<u32, Goal> = HashMap::new();
        let mut goals = Vec::with_capacity(last as usize + 1);
        for entry in 0..=last as usize {
            let distance = (self.code_word(3 + entry / 2) >> (32 * (entry % 2))) as u32;
            let word = self.word.wrapping_add(distance);
            goals.push(match word > self.word {
                true => Goal::Word(word),
                false => *backward.entry(word).or_insert_with(|| self.backward(word)),
            });
        }
        self.asm.op(0x8d, true, RDI, Rm::Constant);
        self.link_table(&goals);
        self.asm.op(0x63, true, RAX, Rm::Mem(Mem { base: RDI, index: Some((RAX, 2)), displacement: 0 }));
        self.asm.alu(Alu::Add, true, RAX, Rm::Reg(RDI));
        self.asm.op(0xff, false, 4, Rm::Reg(RAX));
        self.arrival = Arrival::None;
    }

    /// Returns with the results in place, in the argument area. Nothing reads the other slots any more.
    pub(crate) fn return_plain(&mut self) {
        self.flush_below(-(FRAME_HEADER as i32));
        self.leave_function();
    }

    /// Returns one value, which goes to its slot and to the accumulator.
    pub(crate) fn return_value(&mut self, is_float: bool) {
        let value = self.operand(0);
        let slot = self.value_slot();
        if is_float {
            let register = self.vector(value, true);
            self.asm.op(0xf200_0f11, false, register, Rm::Mem(slot_mem(slot)));
            if register != 0 {
                self.asm.op(0x0f28, false, 0, Rm::Reg(register));
            }
        } else {
            let register = self.general(value, true);
            self.asm.store(true, slot_mem(slot), register);
            if register != R8 {
                self.asm.mov(true, R8, Rm::Reg(register));
            }
        }
        self.leave_function();
    }

    pub(crate) fn return_constant(&mut self, wide: bool) {
        let value = self.field(0) as u64;
        let slot = self.value_slot();
        self.asm.constant(R8, if wide { value } else { value as u32 as u64 });
        self.asm.store(true, slot_mem(slot), R8);
        self.leave_function();
    }

    /// Returns the slot in field `d`.
    fn value_slot(&self) -> i32 {
        i32::from(self.code_word(1) as i16)
    }

    /// Continues in the caller, with the frame that is left in the scratch register.
    fn leave_function(&mut self) {
        let header = |word: i32| Rm::Mem(slot_mem(-word));
        self.asm.mov(true, R9, Rm::Reg(RSI));
        self.asm.mov(true, RDI, header(3));
        self.asm.mov(true, RSI, header(2));
        match self.stubs {
            Some(_) => self.asm.bytes(&paired_call::RETURN),
            None => self.asm.jump_through(Mem::at(RDI, 0)),
        }
        self.arrival = Arrival::None;
    }
}
