//! Calls within an instance. Others are left to handlers.

use super::assemble::{Alu, Mem, RAX, RCX, RDI, RSI, Rm, condition};
use super::function::{Compiler, slot_mem};
use wasmr_runtime::vm::{VmFunc, VmInstance, VmTable};

impl Compiler<'_> {
    pub(crate) fn call(&mut self) {
        let (object, frame) = (self.field(0) as i32, self.field(1) as i32);
        self.flush();
        self.asm.lea(true, RAX, Mem::at(RCX, object));
        self.call_rax(frame);
    }

    /// A call of an element of exactly the expected type, in this instance. Any other is left to the handler.
    pub(crate) fn call_indirect(&mut self) {
        let (table, index) = (self.field(0) as i32, self.operand(1));
        let (ty, frame) = (self.field(2) as i32, self.field(3) as i32);
        let index = self.zero_extended(index);
        self.flush();
        let bail = self.bail();
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

    /// Calls the function in `rax`, of this instance, whose frame is `frame` slots further. All slots are stored.
    fn call_rax(&mut self, frame: i32) {
        self.asm.store(true, slot_mem(frame - 1), RAX);
        self.asm.store(true, slot_mem(frame - 2), RSI);
        let next = self.address(self.word + self.length);
        self.asm.constant(RDI, next);
        self.asm.store(true, slot_mem(frame - 3), RDI);
        self.asm.lea(true, RSI, slot_mem(frame));
        self.asm.mov(true, RDI, Rm::Mem(Mem::at(RAX, std::mem::offset_of!(VmFunc, code) as i32)));
        self.asm.jump_through(Mem::at(RDI, 0));
        self.is_cut = true;
    }
}

const _: () = assert!(size_of::<*mut VmInstance>() == 8, "the header and tables hold pointers in 8 bytes");
