//! Loads and stores, and the sizes of memories.
//!
//! An access to memory 0 of an instance where that is guarded has no check: the address space behind the memory faults. All
//! others compare with the current size.

use cranelift_codegen::ir::{Endianness, InstBuilder, MemFlagsData, Type, Value, condcodes::IntCC, types};
use wasmparser::{MemArg, MemArgTarget, Operator};
use wasmr_core::trap::TrapCode;
use wasmr_core::{for_each_load_op, for_each_store_op};

use super::environment::Region;
use super::{Translator, trap_code};
use crate::helpers::Helper;

const PAGE_LOG2: i64 = 16;

/// What a load reads or a store writes, by its name in the table of operators.
macro_rules! memory_type {
    (u8) => {
        (types::I8, false)
    };
    (i8) => {
        (types::I8, true)
    };
    (u16) => {
        (types::I16, false)
    };
    (i16) => {
        (types::I16, true)
    };
    (u32) => {
        (types::I32, false)
    };
    (i32) => {
        (types::I32, true)
    };
    (u64) => {
        (types::I64, false)
    };
}

macro_rules! clif_type {
    (i32) => {
        types::I32
    };
    (i64) => {
        types::I64
    };
    (f32) => {
        types::F32
    };
    (f64) => {
        types::F64
    };
}

/// The access of a scalar load or store: its immediate, what is in memory and whether that is signed, what is on the stack.
struct Scalar<'a> {
    memarg: &'a MemArg,
    memory: Type,
    signed: bool,
    value: Type,
}

macro_rules! scalar_loads {
    ($($name:ident $operator:ident $text:literal $memory:ident -> $value:ident;)*) => {
        fn scalar_load<'a>(operator: &'a Operator<'_>) -> Option<Scalar<'a>> {
            match operator {
                $(Operator::$operator { memarg } => {
                    let (memory, signed) = memory_type!($memory);
                    Some(Scalar { memarg, memory, signed, value: clif_type!($value) })
                })*
                _ => None,
            }
        }
    };
}
for_each_load_op! { scalar_loads }

macro_rules! scalar_stores {
    ($($name:ident $operator:ident $text:literal $value:ident -> $memory:ident;)*) => {
        fn scalar_store<'a>(operator: &'a Operator<'_>) -> Option<Scalar<'a>> {
            match operator {
                $(Operator::$operator { memarg } => {
                    let (memory, signed) = memory_type!($memory);
                    Some(Scalar { memarg, memory, signed, value: clif_type!($value) })
                })*
                _ => None,
            }
        }
    };
}
for_each_store_op! { scalar_stores }

/// The memory that an access is to.
fn memory_of(memarg: &MemArg) -> u32 {
    match memarg.target {
        MemArgTarget::Memory(index) => index,
        MemArgTarget::Array(_) => unreachable!("not part of any feature that can be on"),
    }
}

impl Translator<'_, '_> {
    /// Translates an operator on memories; whether it is one.
    pub fn memory_operator(&mut self, operator: &Operator<'_>) -> bool {
        if let Some(load) = scalar_load(operator) {
            self.load(&load);
            return true;
        }
        if let Some(store) = scalar_store(operator) {
            self.store(&store);
            return true;
        }
        match *operator {
            Operator::MemorySize { mem } => {
                let len = self.memory_len(mem);
                let pages = self.builder.ins().ushr_imm_u(len, PAGE_LOG2);
                self.push_address(mem, pages);
            }
            Operator::MemoryGrow { mem } => {
                let delta = self.pop();
                let delta = self.as_slot(delta);
                let memory = self.index(mem);
                let grown = self.helper(Helper::MemoryGrow, &[memory, delta]);
                let old = self.builder.inst_results(grown)[0];
                self.push_address(mem, old);
            }
            _ => return false,
        }
        true
    }

    /// Pushes a word as an address of a memory.
    fn push_address(&mut self, memory: u32, word: Value) {
        let is64 = self.request.module.memories()[memory as usize].is64;
        let value = if is64 { word } else { self.builder.ins().ireduce(types::I32, word) };
        self.push(value);
    }

    fn load(&mut self, access: &Scalar<'_>) {
        let (pointer, offset, flags) = self.address(access.memarg, access.memory.bytes());
        let ty = if access.memory.bytes() == access.value.bytes() { access.value } else { access.memory };
        let loaded = self.builder.ins().load(ty, flags, pointer, offset);
        let value = if ty == access.value {
            loaded
        } else if access.signed {
            self.builder.ins().sextend(access.value, loaded)
        } else {
            self.builder.ins().uextend(access.value, loaded)
        };
        self.push(value);
    }

    fn store(&mut self, access: &Scalar<'_>) {
        let value = self.pop();
        let (pointer, offset, flags) = self.address(access.memarg, access.memory.bytes());
        let value = if access.memory.bytes() == access.value.bytes() {
            value
        } else {
            self.builder.ins().ireduce(access.memory, value)
        };
        self.builder.ins().store(flags, value, pointer, offset);
    }

    /// Pops an index and gives what an access of `size` bytes there needs: a pointer, an offset, flags. The access must be
    /// made, as it is its fault that is the trap.
    pub fn address(&mut self, memarg: &MemArg, size: u32) -> (Value, i32, MemFlagsData) {
        let flags = self.memory_flags();
        let index = self.pop();
        let index = self.as_slot(index);
        let memory = memory_of(memarg);
        let is64 = self.request.module.memories()[memory as usize].is64;
        if self.is_guarded(memory) {
            let base = self.memory_base(0);
            let pointer = self.builder.ins().iadd(base, index);
            let flags = flags.with_trap_code(Some(trap_code(TrapCode::MemoryOutOfBounds)));
            let (pointer, offset) = self.with_offset(pointer, memarg.offset);
            return (pointer, offset, flags);
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
        (pointer, offset, flags.with_notrap())
    }

    /// Flags of every access to a memory; the caller adds how it may trap.
    pub fn memory_flags(&mut self) -> MemFlagsData {
        let region = self.region(Region::Memory);
        MemFlagsData::new().with_endianness(Endianness::Little).with_alias_region(Some(region))
    }

    /// Returns true if a 32-bit address and an offset cannot leave the address space that the memory reserves.
    pub fn is_guarded(&self, memory: u32) -> bool {
        memory == 0 && self.request.guarded && !self.request.module.memories()[0].is64
    }

    /// Whether an access ends behind the memory.
    fn is_outside(&mut self, memarg: &MemArg, size: u32, index: Value, is64: bool) -> Value {
        let len = self.memory_len(memory_of(memarg));
        let Some(reach) = memarg.offset.checked_add(u64::from(size)) else {
            return self.builder.ins().iconst(types::I8, 1);
        };
        let reach = self.builder.ins().iconst(types::I64, reach as i64);
        let end = if is64 {
            self.builder.ins().uadd_overflow_trap(index, reach, trap_code(TrapCode::MemoryOutOfBounds))
        } else {
            // Less than 2^33 + 16.
            self.builder.ins().iadd(index, reach)
        };
        self.builder.ins().icmp(IntCC::UnsignedGreaterThan, end, len)
    }

    /// A pointer and an offset that an instruction can take.
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
