//! Vector loads and stores.

use super::access::Address;
use super::assemble::{Mem, RAX, Rm};
use super::function::{Compiler, Value};
use super::sse::*;
use super::state::XMM;
use super::vector_rows::{Lane, Loaded};

impl Compiler<'_> {
    pub(crate) fn vector_load(&mut self, code: Loaded, form: Address) {
        let from = self.load_address(form);
        let x = self.new_vector();
        self.may_fault();
        self.load_vector_from(code, x, from);
        self.finish_v128(x);
    }

    /// Appends a load, of which the first machine instruction may fault.
    fn load_vector_from(&mut self, code: Loaded, x: u8, from: Mem) {
        match code {
            Loaded::Plain(opcode, _) => self.asm.op(opcode, false, x, Rm::Mem(from)),
            Loaded::Splat(Lane { bytes: 4, .. }) => {
                self.asm.op(MOVSS, false, x, Rm::Mem(from));
                self.splat_lowest(4, x);
            }
            Loaded::Splat(Lane { bytes, .. }) => {
                self.asm.op(if bytes == 1 { 0x0fb6 } else { 0x0fb7 }, false, RAX, Rm::Mem(from));
                self.asm.op(MOVD_FROM, false, x, Rm::Reg(RAX));
                self.splat_lowest(bytes, x);
            }
        }
    }

    pub(crate) fn vector_load_checked(&mut self, code: Loaded, is_64: bool) {
        let bytes = match code {
            Loaded::Plain(_, bytes) | Loaded::Splat(Lane { bytes, .. }) => bytes,
        };
        let address = self.checked_address(is_64);
        let limit = self.new_general();
        let x = self.new_vector();
        let bail = self.bail();
        let from = self.checked(is_64, bytes, address, limit, bail);
        self.load_vector_from(code, x, from);
        // The handler keeps the accumulators.
        self.use_up();
        if let Some(slot) = self.result_slot() {
            self.write_v128(slot, x + XMM);
        }
    }

    pub(crate) fn vector_store(&mut self) {
        let (address, offset, value) = (self.operand(0), self.field(1) as u64, self.place(2));
        let register = match value {
            Value::Constant(low) => {
                let register = self.new_vector();
                self.load_constant(register, low as u64, self.field(3) as u64);
                register
            }
            _ => self.v128(value),
        };
        let to = self.guarded(address, offset);
        self.may_fault();
        self.asm.op(MOVUPS_TO, false, register, Rm::Mem(to));
        self.use_up();
    }

    pub(crate) fn vector_store_checked(&mut self, is_64: bool) {
        let value = self.place(3);
        let register = self.v128(value);
        let address = self.checked_address(is_64);
        let limit = self.new_general();
        let bail = self.bail();
        let to = self.checked(is_64, 16, address, limit, bail);
        self.asm.op(MOVUPS_TO, false, register, Rm::Mem(to));
        self.use_up();
    }

    pub(crate) fn load_lane(&mut self, lane: Lane) {
        let (address, offset, vector) = (self.operand(0), self.field(1) as u64, self.place(2));
        let number = (self.code_word(2) >> 32) as u8;
        let x = self.v128_in_place(vector, &[]);
        let from = self.guarded(address, offset);
        self.may_fault();
        self.insert(lane.bytes, x, Rm::Mem(from), number);
        self.finish_v128(x);
    }

    pub(crate) fn store_lane(&mut self, lane: Lane) {
        let (address, offset, vector) = (self.operand(0), self.field(1) as u64, self.place(2));
        let number = (self.code_word(2) >> 32) as u8;
        let register = self.v128(vector);
        let to = Rm::Mem(self.guarded(address, offset));
        self.may_fault();
        match (lane.bytes, number) {
            (1, _) => self.asm.op_imm8(PEXTRB, false, register, to, number),
            (2, _) => self.asm.op_imm8(PEXTRW_TO, false, register, to, number),
            (4, 0) => self.asm.op(MOVSS_TO, false, register, to),
            (4, _) => self.asm.op_imm8(PEXTRD, false, register, to, number),
            (_, 0) => self.asm.op(MOVSD_TO, false, register, to),
            _ => self.asm.op(MOVHPS_TO, false, register, to),
        }
        self.use_up();
    }
}
