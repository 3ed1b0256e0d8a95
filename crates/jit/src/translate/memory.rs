//! Loads and stores of scalars, and the sizes of memories.
//!
//! An access to a guard-paged memory has no check: the address space after the memory's pages faults. All others compare with
//! the current size.

use cranelift_codegen::ir::{Endianness, InstBuilder, MemFlagsData, Type, Value, condcodes::IntCC, types};
use wasmparser::{MemArg, Operator};
use wasmr_core::op::{Access, Op};
use wasmr_core::trap::TrapCode;
use wasmr_module::op::memory_of;

use super::environment::Region;
use super::state::Translator;
use crate::abi::value_type;
use crate::trap_code::trap_code;

/// The location of an access, as operands of a load or store instruction.
#[derive(Clone, Copy)]
pub(super) struct Site {
    /// Flags, with the trap code if the access may fault.
    pub flags: MemFlagsData,
    /// Address without the offset.
    pub pointer: Value,
    pub offset: i32,
}

/// Returns the integer type of an access.
pub(super) fn memory_type(access: Access) -> Type {
    Type::int(u16::from(access.bytes) * 8).expect("a whole number of bytes, at most eight")
}

impl Translator<'_, '_> {
    /// Translates `operator` if it reads the size of a memory. Returns true if it did.
    pub(super) fn memory_operator(&mut self, operator: &Operator<'_>) -> bool {
        match *operator {
            Operator::MemorySize { mem } => {
                let len = self.memory_size(mem);
                let page_log2 = self.request.module.memories()[mem as usize].page_size_log2;
                let pages = self.builder.ins().ushr_imm_u(len, i64::from(page_log2));
                self.push_address(mem, pages);
            }
            _ => return false,
        }
        true
    }

    /// Pushes a word in the address type of a memory.
    fn push_address(&mut self, memory: u32, word: Value) {
        let is64 = self.request.module.memories()[memory as usize].is64;
        let value = if is64 { word } else { self.builder.ins().ireduce(types::I32, word) };
        self.push(value);
    }

    /// Translates a load of a scalar.
    pub(super) fn load(&mut self, op: Op, memarg: &MemArg) {
        let (Some(access), Some(result)) = (op.info().access, op.info().result) else { unreachable!("a load") };
        let memory = memory_type(access);
        let site = self.site(memarg, memory.bytes());
        let value = self.extending_load(memory, access.signed, value_type(result), site);
        self.push(value);
    }

    /// Emits a load of a `stored` integer that is extended to `result`. One instruction does both. An extension of its own would
    /// be one more instruction in the machine code.
    pub(super) fn extending_load(&mut self, stored: Type, signed: bool, result: Type, site: Site) -> Value {
        let Site { flags, pointer, offset } = site;
        if stored.bytes() == result.bytes() {
            return self.builder.ins().load(result, flags, pointer, offset);
        }
        let ins = self.builder.ins();
        match (stored, signed) {
            (types::I8, false) => ins.uload8(result, flags, pointer, offset),
            (types::I8, true) => ins.sload8(result, flags, pointer, offset),
            (types::I16, false) => ins.uload16(result, flags, pointer, offset),
            (types::I16, true) => ins.sload16(result, flags, pointer, offset),
            (types::I32, false) => ins.uload32(flags, pointer, offset),
            (types::I32, true) => ins.sload32(flags, pointer, offset),
            _ => unreachable!("validated: no other integer is extended"),
        }
    }

    /// Translates a store of a scalar.
    pub(super) fn store(&mut self, op: Op, memarg: &MemArg) {
        let memory = op.info().access.map(memory_type).expect("a store");
        let mut value = self.pop();
        let Site { flags, pointer, offset } = self.site(memarg, memory.bytes());
        if memory.bytes() != self.builder.func.dfg.value_type(value).bytes() {
            value = self.builder.ins().ireduce(memory, value);
        }
        self.builder.ins().store(flags, value, pointer, offset);
    }

    /// Pops an index, and returns the location of an access of `size` bytes there. The caller must emit the access: in a
    /// guard-paged memory its fault is the trap.
    pub(super) fn site(&mut self, memarg: &MemArg, size: u32) -> Site {
        let flags = self.memory_flags();
        let index = self.pop();
        let index = self.as_slot(index);
        let memory = memory_of(memarg);
        let is64 = self.request.module.memories()[memory as usize].is64;
        if self.is_guard_paged(memory) {
            let base = self.memory_base(0);
            let pointer = self.builder.ins().iadd(base, index);
            let flags = flags.with_trap_code(Some(trap_code(TrapCode::MemoryOutOfBounds)));
            let (pointer, offset) = self.with_offset(pointer, memarg.offset);
            return Site { flags, pointer, offset };
        }
        let is_outside = self.is_outside(memarg, size, index, is64);
        self.builder.ins().trapnz(is_outside, trap_code(TrapCode::MemoryOutOfBounds));
        let base = self.memory_base(memory);
        let mut pointer = self.builder.ins().iadd(base, index);
        if self.request.spectre_guards {
            let null = self.builder.ins().iconst(types::I64, 0);
            pointer = self.builder.ins().select_spectre_guard(is_outside, null, pointer);
        }
        let (pointer, offset) = self.with_offset(pointer, memarg.offset);
        Site { flags: flags.with_notrap(), pointer, offset }
    }

    /// Returns the flags of accesses to memories. The caller adds the trap code.
    pub(super) fn memory_flags(&mut self) -> MemFlagsData {
        let region = self.region(Region::Memory);
        MemFlagsData::new().with_endianness(Endianness::Little).with_alias_region(Some(region))
    }

    /// Returns true if a memory is guard-paged: no 32-bit address and offset can leave its reservation.
    pub(super) fn is_guard_paged(&self, memory: u32) -> bool {
        memory == 0 && self.request.guard_paged && self.request.module.memories()[0].may_be_guarded()
    }

    /// Returns the condition, as a truth value in the code, that an access of `size` bytes ends after the memory's end.
    fn is_outside(&mut self, memarg: &MemArg, size: u32, index: Value, is64: bool) -> Value {
        let len = self.memory_len(memory_of(memarg));
        let Some(reach) = memarg.offset.checked_add(u64::from(size)) else {
            return self.builder.ins().iconst(types::I8, 1);
        };
        let reach = self.builder.ins().iconst(types::I64, reach as i64);
        let end = if is64 {
            self.builder.ins().uadd_overflow_trap(index, reach, trap_code(TrapCode::MemoryOutOfBounds))
        } else {
            // The sum is less than 2^33 + 16, so it cannot overflow.
            self.builder.ins().iadd(index, reach)
        };
        self.builder.ins().icmp(IntCC::UnsignedGreaterThan, end, len)
    }

    /// Returns a pointer and an offset that fits an instruction, for a pointer and any offset.
    fn with_offset(&mut self, pointer: Value, offset: u64) -> (Value, i32) {
        match i32::try_from(offset) {
            Ok(offset) => (pointer, offset),
            Err(_) => {
                let offset = self.builder.ins().iconst(types::I64, offset as i64);
                (self.builder.ins().iadd(pointer, offset), 0)
            }
        }
    }
}
