//! Scalar loads and stores, and the bulk operations on memories.

use wasmparser::{MemArg, Operator};
use wasmr_core::op::Op;
use wasmr_module::op::memory_of;

use super::Translator;
use super::numeric::{operand_type, result_type, slot_or_acc};
use super::stack::{Class, Fuse, Operand, Ty};
use crate::instr::field::{fields, fields_imm};
use crate::instr::locations::{Dst, In, StoreValue};
use crate::instr::{Load, LoadChecked, LoadDisplaced, LoadIndexed, MemorySize, Store, StoreChecked, handler};

impl Translator<'_> {
    /// Translates an operator on a whole memory or a data segment. Returns true if it was one.
    pub(crate) fn memory_operator(&mut self, operator: &Operator<'_>) -> bool {
        match operator {
            Operator::MemorySize { mem } => {
                let ty = self.address_type(*mem);
                let offset = self.layout.memory(*mem);
                let has_small_pages = self.module.memories()[*mem as usize].page_size_log2 == 0;
                self.emit_slot_result(handler(MemorySize, has_small_pages), fields_imm(0, 0, offset), &[], ty);
            }
            _ => return false,
        }
        true
    }

    /// Returns the type of a memory's addresses.
    fn address_type(&self, memory: u32) -> Ty {
        if self.module.memories()[memory as usize].is64 { Ty::I64 } else { Ty::I32 }
    }

    /// Returns true if an access needs no check.
    pub(crate) fn is_guarded(&self, memarg: &MemArg) -> bool {
        memory_of(memarg) == 0 && self.guarded && self.module.memories()[0].may_be_guarded()
    }

    /// Returns the operands of a checked access: true if addresses have 64 bits, and the offset of the memory's pointer.
    pub(crate) fn checked_access(&self, memarg: &MemArg) -> (bool, u32) {
        let memory = memory_of(memarg);
        (self.address_type(memory) == Ty::I64, self.layout.memory(memory))
    }

    /// Pops an address. Returns its place and its slot as a field.
    pub(super) fn pop_address(&mut self) -> (In, i16) {
        let height = self.stack.last().expect("validated").height;
        let (operand, ty) = self.pop();
        match self.prefer_acc(operand, Class::Int) {
            Operand::Acc => (In::Acc, 0),
            other => (In::Slot, self.operand_slot(other, ty, height)),
        }
    }

    /// Translates a load of a scalar.
    pub(crate) fn load(&mut self, op: Op, memarg: &MemArg) {
        let ty = result_type(op);
        if self.is_guarded(memarg) {
            let address = self.load_address(memarg.offset as u32);
            let (word1, word2) = address.words();
            let handlers = Dst::BOTH.map(|dst| match address {
                LoadAddress::Plain(at, _) => handler(Load(op), (at, dst)),
                LoadAddress::Indexed(at, _) => handler(LoadIndexed(op), (at, dst)),
                LoadAddress::Displaced(at, ..) => handler(LoadDisplaced(op), (at, dst)),
            });
            self.emit_result(handlers, word1, word2, ty, Fuse::None);
            return;
        }
        let a = self.pop_slot();
        let (is64, memory) = self.checked_access(memarg);
        self.emit_slot_result(handler(LoadChecked(op), is64), fields_imm(0, a, memory), &[memarg.offset], ty);
    }

    /// Pops the address of a load. If an addition made it, the load does the work of that instruction, which is dropped.
    pub(super) fn load_address(&mut self, offset: u32) -> LoadAddress {
        let top = self.stack.len() - 1;
        if let Some(Fuse::Add { start, a, b }) =
            self.pending.filter(|pending| pending.index == top).map(|pending| pending.fuse)
        {
            let (at, a) = slot_or_acc(a);
            let address = match b {
                Operand::Slot(b) if offset <= u16::MAX as u32 => {
                    Some(LoadAddress::Indexed(at, fields(0, a, b as i16, offset as u16 as i16)))
                }
                Operand::Imm(bits) => Some(LoadAddress::Displaced(at, fields_imm(0, a, bits as u32), [offset as u64])),
                _ => None,
            };
            if let Some(address) = address {
                self.pop();
                self.code.truncate(start);
                return address;
            }
        }
        let (at, a) = self.pop_address();
        LoadAddress::Plain(at, fields_imm(0, a, offset))
    }

    /// Translates a store of a scalar.
    pub(crate) fn store(&mut self, op: Op, memarg: &MemArg) {
        if !self.is_guarded(memarg) {
            let d = self.pop_slot();
            let a = self.pop_slot();
            let (is64, memory) = self.checked_access(memarg);
            self.emit(handler(StoreChecked(op), is64), &[fields_imm(d, a, memory), memarg.offset]);
            return;
        }
        let ty = operand_type(op);
        let (value, at, a) = self.pop_stored(ty);
        let offset = memarg.offset as u32;
        match value {
            Operand::Acc => {
                self.emit(handler(Store(op), (at, StoreValue::Acc)), &[fields_imm(0, a, offset)]);
            }
            Operand::Slot(slot) => {
                let d = self.near(slot, 1);
                self.emit(handler(Store(op), (at, StoreValue::Slot)), &[fields_imm(d, a, offset)]);
            }
            Operand::Imm(bits) => {
                self.emit(handler(Store(op), (at, StoreValue::Imm)), &[fields_imm(0, a, offset), bits]);
            }
        }
    }
    /// Pops the operands of a store: a value of type `ty`, and the address. Returns the value, the place of the address and its slot
    /// as a field.
    pub(super) fn pop_stored(&mut self, ty: Ty) -> (Operand, In, i16) {
        let (value, _) = self.pop();
        let value = self.prefer_acc(value, ty.class());
        let height = self.stack.last().expect("validated").height;
        let (address, address_ty) = self.pop();
        // The address may be in the accumulator, unless the value is in the same one.
        let address = match address {
            Operand::Slot(_) if value != Operand::Acc || ty.class() != Class::Int => {
                self.prefer_acc(address, Class::Int)
            }
            other => other,
        };
        match address {
            Operand::Acc => (value, In::Acc, 0),
            other => (value, In::Slot, self.operand_slot(other, address_ty, height)),
        }
    }
}

/// The address of a guarded load, with the fields of the load's instruction.
#[derive(Clone, Copy)]
pub(super) enum LoadAddress {
    /// An operand plus the offset. Word 1.
    Plain(In, u64),
    /// The sum of an operand and a slot, plus the offset. Word 1.
    Indexed(In, u64),
    /// The sum of an operand and a constant, plus the offset. Words 1 and 2.
    Displaced(In, u64, [u64; 1]),
}

impl LoadAddress {
    /// Returns word 1 and the words that follow.
    pub(super) fn words(&self) -> (u64, &[u64]) {
        match self {
            LoadAddress::Plain(_, word1) | LoadAddress::Indexed(_, word1) => (*word1, &[]),
            LoadAddress::Displaced(_, word1, word2) => (*word1, word2),
        }
    }
}
