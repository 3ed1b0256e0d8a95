//! Calls and tail calls.
//!
//! A small function of the module is inlined. Other functions of the module are called directly; the linker fills in the target,
//! which is a [call stub](crate::call_stub) as long as the callee has no code. All others are called through their [`VmFunc`]:
//! the call loads `native` and `native_context`, which other code may have changed since the last call.
//!
//! A call through a table or a reference whose profile has few callees is a *guarded call*: it compares the callee with those
//! first, and calls a match like a known function. This is profile-guided receiver class prediction (D. Grove and others,
//! OOPSLA 1995) in the form of inline caches (U. Hölzle and others, ECOOP 1991, <https://doi.org/10.1007/BFb0057013>).

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

/// The callee of a call instruction.
#[derive(Clone, Copy, Debug)]
pub(super) enum Callee {
    /// A function of the module.
    Direct(FuncRef),
    /// An address of code, known at run time.
    Indirect(Value),
}

impl Translator<'_, '_> {
    /// Translates `operator`, at `offset` in the module, if it is a call. Returns true if it was.
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

    /// Calls a function of the module, or inlines its body.
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

    /// Calls the function of `func`, which is a pointer to a `VmFunc` or null, as a guarded call if the call site's profile
    /// allows it. `callee` emits the checks of the general path. A callee of the profile needs no checks: the code calls it
    /// like a known function.
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
        // An inlined body may restore the operands below from their variables, so all paths to the join have to save them.
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

    /// Pops an index of a table, and returns its element: a pointer to a `VmFunc`, or null. Traps if there is no such element.
    fn pop_element(&mut self, table_index: u32) -> Value {
        let index = self.pop();
        let element = self.element_pointer(table_index, index, TrapCode::UndefinedElement);
        let flags = self.trusted(Region::Table);
        self.builder.ins().load(types::I64, flags, element, 0)
    }

    /// Returns a function of the module as a callee, and its context.
    fn callee(&mut self, func_index: u32) -> (Callee, Value) {
        let request = self.request;
        let type_index = request.module.func_type_index(func_index);
        if let Some(defined) = func_index.checked_sub(request.layout.imported_func_count) {
            let signature = self.call_signature(type_index);
            let name = UserExternalName { namespace: 0, index: defined };
            let name = ExternalName::user(self.builder.func.declare_imported_user_function(name));
            let data = ExtFuncData { name, signature, colocated: true, patchable: false };
            return (Callee::Direct(self.builder.import_function(data)), self.context);
        }
        self.store_caller();
        self.require_exit_trampoline(type_index, true);
        let func = self.func_pointer(func_index);
        let (code, context) = self.native(func);
        (Callee::Indirect(code), context)
    }

    /// Checks that `func`, from a table, is not null and has the expected type. Returns it as a callee, and its context.
    fn callee_in_table(&mut self, type_index: u32, func: Value) -> (Callee, Value) {
        // Reading the type through a null pointer faults, which becomes the trap.
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
            let compare = self.builder.create_block();
            let matches = self.builder.create_block();
            self.builder.set_cold_block(compare);
            self.builder.ins().brif(same, matches, &[], compare, &[]);
            self.builder.seal_block(compare);
            self.builder.switch_to_block(compare);
            let call = self.libcall(LibCall::IsSubtype, &[actual, expected_value]);
            let is_subtype = self.builder.inst_results(call)[0];
            self.builder.ins().trapz(is_subtype, trap_code(TrapCode::IndirectCallTypeMismatch));
            self.builder.ins().jump(matches, &[]);
            self.builder.seal_block(matches);
            self.builder.switch_to_block(matches);
        }
        self.store_caller();
        self.require_exit_trampoline(type_index, false);
        let (code, context) = self.native(func);
        (Callee::Indirect(code), context)
    }

    /// Checks that `func`, a typed reference, is not null. Returns it as a callee, and its context.
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

    /// Records that a call may need an exit trampoline for functions of a type.
    fn require_exit_trampoline(&mut self, type_index: u32, imported: bool) {
        let exit = Exit { type_index, imported };
        if !self.exits.contains(&exit) {
            self.exits.push(exit);
        }
    }

    /// Emits a call with the topmost operands as arguments, and pushes the results.
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

    /// Emits the call instruction: a `try_call` if a `try_table` is around it. Returns the values that it returns.
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

    /// Emits a `try_call`, which an exception may leave for one of `landing_pads`. Returns the values that it returns.
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

    /// Emits a tail call with the topmost operands as arguments.
    fn return_call(&mut self, type_index: u32, callee: Callee, context: Value) -> Inst {
        let ty = self.request.module.func_type_of(type_index);
        let mut args = vec![context];
        args.extend(self.pop_many(ty.params().len()));
        // Validation makes both functions have the same results, so the callee writes them to the same memory.
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
