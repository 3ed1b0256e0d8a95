//! Access to the environment of the code: fields of the instance, and calls of libcalls.

use std::mem::offset_of;

use cranelift_codegen::ir::{
    self, AliasRegion, AliasRegionData, GlobalValueData, Inst, InstBuilder, MemFlagsData, SigRef, Value, types,
};
use wasmr_runtime::vm::{VmFunc, VmInstance, VmMemory, VmStore, VmTable};

use super::state::Translator;
use crate::libcalls::LibCall;

/// Kinds of memory that never overlap, which Cranelift's alias analysis may assume.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Region {
    /// Linear memories.
    Memory,
    /// Imported globals. They share a region, since two imports may be the same global.
    ImportedGlobal,
    /// A global that the module defines.
    Global(u32),
    /// Elements of tables.
    Table,
    /// All other fields of instances and stores.
    Vm,
    /// Fields and elements of objects.
    Heap,
    /// Headers of objects.
    HeapHeader,
    /// The intervals of the allocator.
    Allocator,
}

const OFFSET_STORE: i32 = offset_of!(VmInstance, store) as i32;

/// Makes the function's prologue compare the stack pointer with the instance's stack limit.
pub(super) fn declare_stack_limit(func: &mut ir::Function) {
    let context = func.create_global_value(GlobalValueData::VMContext);
    let flags = func.dfg.mem_flags.insert(constant()).expect("the first flags of a function");
    let limit = func.create_global_value(GlobalValueData::Load {
        base: context,
        offset: (offset_of!(VmInstance, native_stack_limit) as i32).into(),
        global_type: types::I64,
        flags,
    });
    func.stack_limit = Some(limit);
}

/// Returns the flags of an access to a field that does not change while code of the instance runs.
pub(super) fn constant() -> MemFlagsData {
    MemFlagsData::trusted().with_readonly().with_can_move()
}

impl Translator<'_, '_> {
    /// Returns the alias region of a kind of memory.
    pub(super) fn region(&mut self, region: Region) -> AliasRegion {
        let (user_id, description) = match region {
            Region::Memory => (0, "memory"),
            Region::ImportedGlobal => (1, "imported global"),
            Region::Table => (2, "table"),
            Region::Vm => (3, "vm"),
            Region::Heap => (4, "heap"),
            Region::HeapHeader => (5, "heap header"),
            Region::Allocator => (6, "allocator"),
            Region::Global(index) => (7 + index, "global"),
        };
        self.builder.func.dfg.alias_regions.insert(AliasRegionData { user_id, description: description.into() })
    }

    /// Returns the flags of an aligned access that cannot trap.
    pub(super) fn trusted(&mut self, region: Region) -> MemFlagsData {
        let region = self.region(region);
        MemFlagsData::trusted().with_alias_region(Some(region))
    }

    /// Loads a pointer that does not change while code of the instance runs.
    fn constant_pointer(&mut self, base: Value, offset: i32) -> Value {
        self.builder.ins().load(types::I64, constant(), base, offset)
    }

    pub(super) fn store_pointer(&mut self) -> Value {
        self.constant_pointer(self.context, OFFSET_STORE)
    }

    /// Loads the address of the flag that asks the guest to stop.
    pub(super) fn interrupt_flag(&mut self) -> Value {
        let store = self.store_pointer();
        self.constant_pointer(store, offset_of!(VmStore, interrupt) as i32)
    }

    /// Returns the location of a global: base, offset and flags of an access.
    pub(super) fn global(&mut self, index: u32) -> (Value, i32, MemFlagsData) {
        let layout = self.request.layout;
        match index.checked_sub(layout.imported_global_count) {
            Some(defined) => {
                let flags = self.trusted(Region::Global(defined));
                (self.context, layout.defined_global(defined) as i32, flags)
            }
            None => {
                let flags = self.trusted(Region::ImportedGlobal);
                (self.constant_pointer(self.context, layout.imported_global(index) as i32), 0, flags)
            }
        }
    }

    /// Converts a value to its form in a slot: a 32-bit number is zero-extended to a word.
    pub(super) fn as_slot(&mut self, value: Value) -> Value {
        match self.builder.func.dfg.value_type(value) {
            types::I32 => self.builder.ins().uextend(types::I64, value),
            types::F32 => {
                let bits = self.builder.ins().bitcast(types::I32, MemFlagsData::new(), value);
                self.builder.ins().uextend(types::I64, bits)
            }
            _ => value,
        }
    }

    /// Returns the address of the `VmFunc` of a function of the module.
    pub(super) fn func_pointer(&mut self, func_index: u32) -> Value {
        let layout = self.request.layout;
        match func_index.checked_sub(layout.imported_func_count) {
            Some(defined) => {
                let offset = i64::from(layout.defined_func(defined));
                self.builder.ins().iadd_imm_s(self.context, offset)
            }
            None => self.constant_pointer(self.context, layout.imported_func(func_index) as i32),
        }
    }

    pub(super) fn table_pointer(&mut self, index: u32) -> Value {
        self.constant_pointer(self.context, self.request.layout.table(index) as i32)
    }

    /// Returns address and length of a table. They are constant if the table cannot grow.
    pub(super) fn table_bounds(&mut self, index: u32) -> (Value, Value) {
        let table = self.table_pointer(index);
        let limits = self.request.module.tables()[index as usize].ty.limits;
        if limits.max == Some(limits.min) {
            let elements = self.constant_pointer(table, offset_of!(VmTable, elements) as i32);
            let len = self.builder.ins().iconst(types::I64, limits.min as i64);
            return (elements, len);
        }
        let flags = self.trusted(Region::Vm);
        let elements = self.builder.ins().load(types::I64, flags, table, offset_of!(VmTable, elements) as i32);
        let len = self.builder.ins().load(types::I64, flags, table, offset_of!(VmTable, len) as i32);
        (elements, len)
    }

    pub(super) fn memory_pointer(&mut self, index: u32) -> Value {
        self.constant_pointer(self.context, self.request.layout.memory(index) as i32)
    }

    /// Returns the address of a memory, which is constant if the memory is guard-paged.
    pub(super) fn memory_base(&mut self, index: u32) -> Value {
        if index == 0 && self.request.guard_paged {
            return self.constant_pointer(self.context, offset_of!(VmInstance, memory0_base) as i32);
        }
        let memory = self.memory_pointer(index);
        let flags = self.trusted(Region::Vm);
        self.builder.ins().load(types::I64, flags, memory, offset_of!(VmMemory, base) as i32)
    }

    /// Loads the size of a memory in bytes, for the guest to see. A loop that waits for another thread to grow the memory must
    /// load it each time, which only an atomic load ensures.
    pub(super) fn memory_size(&mut self, index: u32) -> Value {
        if !self.request.module.memories()[index as usize].shared {
            return self.memory_len(index);
        }
        let memory = self.memory_pointer(index);
        let place = self.builder.ins().iadd_imm_s(memory, offset_of!(VmMemory, len) as i64);
        let flags = self.trusted(Region::Vm);
        self.builder.ins().atomic_load(types::I64, flags, place)
    }

    /// Loads the size of a memory in bytes, to compare an address with. It may be older than that of another thread's growth if
    /// nothing orders the two. Atomic operators do.
    pub(super) fn memory_len(&mut self, index: u32) -> Value {
        let memory = self.memory_pointer(index);
        let flags = self.trusted(Region::Vm);
        self.builder.ins().load(types::I64, flags, memory, offset_of!(VmMemory, len) as i32)
    }

    /// Loads the address of the instance's flags for dropped data segments, a byte for each.
    pub(super) fn data_dropped(&mut self) -> Value {
        self.constant_pointer(self.context, offset_of!(VmInstance, data_dropped) as i32)
    }

    pub(super) fn tag_pointer(&mut self, index: u32) -> Value {
        self.constant_pointer(self.context, self.request.layout.tag(index) as i32)
    }

    /// Loads address and context of a function's machine code.
    pub(super) fn native(&mut self, func: Value) -> (Value, Value) {
        let flags = self.trusted(Region::Vm);
        let code = self.builder.ins().load(types::I64, flags, func, offset_of!(VmFunc, native) as i32);
        let context = self.builder.ins().load(types::I64, flags, func, offset_of!(VmFunc, native_context) as i32);
        (code, context)
    }

    /// Stores this instance as the caller, which a host function may ask for.
    pub(super) fn store_caller(&mut self) {
        let store = self.store_pointer();
        let flags = self.trusted(Region::Vm);
        self.builder.ins().store(flags, self.context, store, offset_of!(VmStore, caller) as i32);
    }

    /// Emits a libcall with the instance and these arguments.
    pub(super) fn libcall(&mut self, libcall: LibCall, args: &[Value]) -> Inst {
        let (code, signature) = self.libcall_code(libcall);
        let mut all = vec![self.context];
        all.extend_from_slice(args);
        self.builder.ins().call_indirect(signature, code, &all)
    }

    /// Loads the address of a libcall's shim. Returns it and the signature.
    pub(super) fn libcall_code(&mut self, libcall: LibCall) -> (Value, SigRef) {
        let known = self.environment.libcall_signatures.iter().find(|(other, _)| *other == libcall);
        let signature = match known {
            Some(&(_, signature)) => signature,
            None => {
                let signature = self.builder.import_signature(libcall.signature());
                self.environment.libcall_signatures.push((libcall, signature));
                signature
            }
        };
        let store = self.store_pointer();
        let libcalls = self.constant_pointer(store, offset_of!(VmStore, native_libcalls) as i32);
        (self.constant_pointer(libcalls, libcall.offset()), signature)
    }

    /// Returns the signature of functions of a type of the module.
    pub(super) fn call_signature(&mut self, type_index: u32) -> SigRef {
        let id = self.request.module.type_id(type_index);
        if let Some(&(_, signature)) = self.environment.call_signatures.iter().find(|(other, _)| *other == id) {
            return signature;
        }
        let ty = self.request.module.func_type_of(type_index);
        let signature = self.builder.import_signature(crate::abi::signature(ty));
        self.environment.call_signatures.push((id, signature));
        signature
    }

    /// Emits a 32-bit constant: an index as an argument.
    pub(super) fn index(&mut self, index: u32) -> Value {
        self.builder.ins().iconst(types::I32, i64::from(index))
    }
}
