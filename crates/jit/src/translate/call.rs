//! Calls and tail calls.
//!
//! A small function of the module is inlined; one that the linker knows is called directly. All others are called through their
//! [`VmFunc`]: its `native` code with its `native_context`, whatever that is just now. A call through a table or a reference that
//! mostly went to few functions compares with those first.

use std::mem::offset_of;

use cranelift_codegen::ir::{
    BlockArg, ExceptionTableData, ExceptionTableItem, ExtFuncData, ExternalName, FuncRef, Inst, InstBuilder,
    MemFlagsData, SigRef, StackSlotData, StackSlotKind, Type, UserExternalName, Value, condcodes::IntCC, types,
};
use wasmparser::Operator;
use wasmr_core::trap::TrapCode;
use wasmr_runtime::vm::VmFunc;

use super::control::block_args;
use super::environment::Region;
use super::inline::Hotness;
use super::state::Translator;
use crate::abi::{self, ResultsIn, value_type};
use crate::compiled::Exit;
use crate::error::CompileError;
use crate::libcalls::LibCall;
use crate::trap_code::trap_code;

/// What is called.
#[derive(Clone, Copy, Debug)]
pub(super) enum Callee {
    /// A function that the linker knows.
    Direct(FuncRef),
    /// A code address.
    Indirect(Value),
}

impl Translator<'_, '_> {
    /// Translates a call at an offset in the module; whether it is one.
    pub(super) fn call_operator(&mut self, operator: &Operator<'_>, offset: usize) -> Result<bool, CompileError> {
        match *operator {
            Operator::Call { function_index } => {
                let is_hot = !(self.request.guard_targets)(offset).is_empty();
                self.call_known(function_index, offset, if is_hot { Hotness::Hot } else { Hotness::Unknown })?;
            }
            Operator::ReturnCall { function_index } => {
                let (callee, context) = self.callee(function_index);
                self.return_call(self.request.module.func_type_index(function_index), callee, context);
            }
            Operator::CallIndirect { type_index, table_index } => {
                let func = self.pop_element(table_index);
                self.guarded_call(type_index, func, offset, |this| this.callee_in_table(type_index, func))?;
            }
            Operator::ReturnCallIndirect { type_index, table_index } => {
                let func = self.pop_element(table_index);
                let (callee, context) = self.callee_in_table(type_index, func);
                self.return_call(type_index, callee, context);
            }
            Operator::CallRef { type_index } => {
                let func = self.pop();
                self.guarded_call(type_index, func, offset, |this| this.callee_of_reference(type_index, func))?;
            }
            Operator::ReturnCallRef { type_index } => {
                let func = self.pop();
                let (callee, context) = self.callee_of_reference(type_index, func);
                self.return_call(type_index, callee, context);
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Calls a function of the module, or has its body here.
    fn call_known(&mut self, func_index: u32, offset: usize, hotness: Hotness) -> Result<(), CompileError> {
        if let Some(defined) = func_index.checked_sub(self.request.layout.imported_func_count)
            && self.is_inlined(defined, hotness)
        {
            return self.inline(defined, offset);
        }
        let (callee, context) = self.callee(func_index);
        self.call(self.request.module.func_type_index(func_index), callee, context);
        Ok(())
    }

    /// Calls the function that `func` points to, or is null; `callee` checks it. If calls from here were seen to go to few
    /// functions, those are compared with first, and what follows for one is a call of a known function, without any check.
    fn guarded_call(
        &mut self,
        type_index: u32,
        func: Value,
        offset: usize,
        callee: impl FnOnce(&mut Self) -> (Callee, Value),
    ) -> Result<(), CompileError> {
        let module = self.request.module;
        let mut targets = (self.request.guard_targets)(offset);
        targets.iter_mut().for_each(|index| *index += module.imported_func_count());
        let is_callable =
            |&index: &u32| module.registry().is_subtype(module.func_type_id(index), module.type_id(type_index));
        targets.retain(is_callable);
        if targets.is_empty() {
            let (callee, context) = callee(self);
            self.call(type_index, callee, context);
            return Ok(());
        }
        let ty = module.func_type_of(type_index);
        let args = self.pop_many(ty.params().len());
        let results: Vec<Type> = ty.results().iter().map(|&ty| value_type(ty)).collect();
        let join = self.block_with(&results);
        // A body that is put here may take the operands below from their variables, to which the other ways must lead as well.
        let is_saved = self.pending_loop.is_some();
        if is_saved {
            self.save_operands(self.stack.len());
        }
        let below = self.stack.clone();
        let last = targets.len() - 1;
        for (rank, index) in targets.into_iter().enumerate() {
            let pointer = self.func_pointer(index);
            let is_equal = self.builder.ins().icmp(IntCC::Equal, func, pointer);
            let (equal, other) = (self.builder.create_block(), self.builder.create_block());
            if rank == last {
                self.builder.set_cold_block(other);
            }
            self.builder.ins().brif(is_equal, equal, &[], other, &[]);
            self.builder.seal_block(equal);
            self.builder.seal_block(other);

            self.builder.switch_to_block(equal);
            self.push_all(&args);
            self.call_known(index, offset, Hotness::Hot)?;
            if self.reachable {
                let values = self.pop_many(results.len());
                self.builder.ins().jump(join, &block_args(&values));
            }
            self.reachable = true;
            self.builder.switch_to_block(other);
            self.stack.clone_from(&below);
        }
        self.push_all(&args);
        let (callee, context) = callee(self);
        self.call(type_index, callee, context);
        let values = self.pop_many(results.len());
        self.builder.ins().jump(join, &block_args(&values));

        self.builder.seal_block(join);
        self.builder.switch_to_block(join);
        let values = self.builder.block_params(join).to_vec();
        if is_saved {
            self.restore_operands(self.stack.len());
        }
        self.push_all(&values);
        Ok(())
    }

    /// The function, or null, in the table element that the topmost operand names.
    fn pop_element(&mut self, table_index: u32) -> Value {
        let index = self.pop();
        let element = self.element_pointer(table_index, index, TrapCode::UndefinedElement);
        let flags = self.trusted(Region::Table);
        self.builder.ins().load(types::I64, flags, element, 0)
    }

    /// A function of the module, and the context to call it with.
    fn callee(&mut self, func_index: u32) -> (Callee, Value) {
        let request = self.request;
        if let Some(defined) = func_index.checked_sub(request.layout.imported_func_count) {
            if let Some(number) = (request.direct)(defined) {
                let signature = self.call_signature(request.module.func_type_index(func_index));
                let name = UserExternalName { namespace: 0, index: number };
                let name = self.builder.func.declare_imported_user_function(name);
                let name = ExternalName::user(name);
                let data = ExtFuncData { name, signature, colocated: true, patchable: false };
                return (Callee::Direct(self.builder.import_function(data)), self.context);
            }
        } else {
            self.store_caller();
        }
        let type_index = request.module.func_type_index(func_index);
        self.require_exit_trampoline(type_index, func_index < request.layout.imported_func_count);
        let func = self.func_pointer(func_index);
        let (code, context) = self.native(func);
        (Callee::Indirect(code), context)
    }

    /// A function from a table element, checked.
    fn callee_in_table(&mut self, type_index: u32, func: Value) -> (Callee, Value) {
        // The read of a null function's type faults, which is the trap.
        let region = self.region(Region::Vm);
        let flags = MemFlagsData::new()
            .with_aligned()
            .with_alias_region(Some(region))
            .with_trap_code(Some(trap_code(TrapCode::UninitializedElement)));
        let actual = self.builder.ins().load(types::I32, flags, func, offset_of!(VmFunc, type_id) as i32);
        let module = self.request.module;
        let expected = module.type_id(type_index);
        let expected_value = self.index(expected.0);
        if module.registry().sub_type(expected).is_final {
            let differs = self.builder.ins().icmp(IntCC::NotEqual, actual, expected_value);
            self.builder.ins().trapnz(differs, trap_code(TrapCode::IndirectCallTypeMismatch));
        } else {
            let same = self.builder.ins().icmp(IntCC::Equal, actual, expected_value);
            let ask = self.builder.create_block();
            let right = self.builder.create_block();
            self.builder.set_cold_block(ask);
            self.builder.ins().brif(same, right, &[], ask, &[]);
            self.builder.seal_block(ask);
            self.builder.switch_to_block(ask);
            let asked = self.libcall(LibCall::IsSubtype, &[actual, expected_value]);
            let is_subtype = self.builder.inst_results(asked)[0];
            self.builder.ins().trapz(is_subtype, trap_code(TrapCode::IndirectCallTypeMismatch));
            self.builder.ins().jump(right, &[]);
            self.builder.seal_block(right);
            self.builder.switch_to_block(right);
        }
        self.store_caller();
        self.require_exit_trampoline(type_index, false);
        let (code, context) = self.native(func);
        (Callee::Indirect(code), context)
    }

    /// The function that a reference leads to, checked.
    fn callee_of_reference(&mut self, type_index: u32, func: Value) -> (Callee, Value) {
        self.store_caller();
        self.require_exit_trampoline(type_index, false);
        let region = self.region(Region::Vm);
        let flags = MemFlagsData::new()
            .with_aligned()
            .with_alias_region(Some(region))
            .with_trap_code(Some(trap_code(TrapCode::NullFunctionReference)));
        let code = self.builder.ins().load(types::I64, flags, func, offset_of!(VmFunc, native) as i32);
        let flags = self.trusted(Region::Vm);
        let context = self.builder.ins().load(types::I64, flags, func, offset_of!(VmFunc, native_context) as i32);
        (Callee::Indirect(code), context)
    }

    fn require_exit_trampoline(&mut self, type_index: u32, imported: bool) {
        let exit = Exit { type_index, imported };
        if !self.exits.contains(&exit) {
            self.exits.push(exit);
        }
    }

    /// Calls with the topmost operands as arguments, and pushes the results.
    fn call(&mut self, type_index: u32, callee: Callee, context: Value) {
        let module = self.request.module;
        let ty = module.func_type_of(type_index);
        let mut args = vec![context];
        args.extend(self.pop_many(ty.params().len()));
        let result_types: Vec<Type> = ty.results().iter().map(|&ty| value_type(ty)).collect();
        let slot = (abi::results_in(ty) == ResultsIn::Memory).then(|| {
            let size = result_types.len() as u32 * abi::RESULT_CELL as u32;
            self.builder.create_sized_stack_slot(StackSlotData::new(StackSlotKind::ExplicitSlot, size, 4))
        });
        if let Some(slot) = slot {
            args.push(self.builder.ins().stack_addr(types::I64, slot, 0));
        }
        let returned = self.emit_call(type_index, callee, &args);
        let Some(slot) = slot else {
            self.push_all(&returned);
            return;
        };
        let base = self.builder.ins().stack_addr(types::I64, slot, 0);
        for (index, &ty) in result_types.iter().enumerate() {
            let offset = index as i32 * abi::RESULT_CELL;
            let value = self.builder.ins().load(ty, MemFlagsData::trusted(), base, offset);
            self.push(value);
        }
    }

    /// The call instruction: one that an exception may leave for the handler around it, if there is one. What it returns.
    fn emit_call(&mut self, type_index: u32, callee: Callee, args: &[Value]) -> Vec<Value> {
        self.count_call(self.request.module.func_type_of(type_index));
        let signature = self.call_signature(type_index);
        let landing_pads = self.landing_pads();
        self.edges += landing_pads.len();
        if !landing_pads.is_empty() {
            return self.try_call(signature, callee, args, landing_pads);
        }
        let call = match callee {
            Callee::Direct(func) => self.builder.ins().call(func, args),
            Callee::Indirect(code) => self.builder.ins().call_indirect(signature, code, args),
        };
        self.builder.inst_results(call).to_vec()
    }

    /// A call that an exception may leave for one of these handlers. What it returns.
    pub(super) fn try_call(
        &mut self,
        signature: SigRef,
        callee: Callee,
        args: &[Value],
        landing_pads: Vec<ExceptionTableItem>,
    ) -> Vec<Value> {
        let returns = self.builder.func.dfg.signatures[signature].returns.clone();
        let next = self.builder.create_block();
        let results: Vec<Value> =
            returns.iter().map(|param| self.builder.append_block_param(next, param.value_type)).collect();
        let passed: Vec<BlockArg> = (0..results.len() as u32).map(BlockArg::TryCallRet).collect();
        let normal = self.builder.func.dfg.block_call(next, &passed);
        let table = ExceptionTableData::new(signature, normal, landing_pads);
        let table = self.builder.func.dfg.exception_tables.push(table);
        match callee {
            Callee::Direct(func) => self.builder.ins().try_call(func, args, table),
            Callee::Indirect(code) => self.builder.ins().try_call_indirect(code, args, table),
        };
        self.builder.seal_block(next);
        self.builder.switch_to_block(next);
        results
    }

    /// Calls with the topmost operands as arguments, in place of this function.
    fn return_call(&mut self, type_index: u32, callee: Callee, context: Value) -> Inst {
        let ty = self.request.module.func_type_of(type_index);
        let mut args = vec![context];
        args.extend(self.pop_many(ty.params().len()));
        // Both functions have the same results.
        args.extend(self.results_pointer);
        let signature = self.call_signature(type_index);
        let call = match callee {
            Callee::Direct(func) => self.builder.ins().return_call(func, &args),
            Callee::Indirect(code) => self.builder.ins().return_call_indirect(signature, code, &args),
        };
        self.become_unreachable();
        call
    }
}
