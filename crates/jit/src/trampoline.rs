//! Trampolines between compiled code and all other code. There is one for each kind and signature. Cranelift compiles it when it is
//! first needed, or an [image](crate::image) has it.
//!
//! - *Entry trampoline*: the host or the interpreter calls a compiled function. [`VmFunc::data`] of that function points to it,
//!   and `enter.rs` calls it as `fn(store, func, slots)` in the C convention.
//! - *OSR trampoline*: the interpreter continues one of its frames in OSR code. `enter.rs` calls it as `fn(store, func, frame,
//!   code)`; it leaves the results in the frame's argument area. Code with a dual entry takes the frame from
//!   [`VmInstance::loop_frame`] and ignores its arguments.
//! - *Exit trampoline*: compiled code calls a function that is not compiled. [`VmFunc::native`] of that function points to it,
//!   and its context is the `VmFunc`. It calls [`VmFunc::entry`] with arguments and results on the value stack. Host functions
//!   have a kind of their own, since they belong to no instance.
//!
//! A trampoline depends only on the Cranelift types of the values, so all functions of equal Cranelift types share it.
//! Trampolines are compiled into [`Batch`]es. A batch is freed as a whole when nothing refers to it any more: a module's code
//! refers to the batches of its trampolines.

use std::collections::HashMap;
use std::mem::offset_of;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use cranelift_codegen::ir::{
    AbiParam, Function, InstBuilder, MemFlagsData, Signature, StackSlotData, StackSlotKind, Type, Value,
    condcodes::IntCC, types,
};
use cranelift_codegen::isa::CallConv;
use cranelift_frontend::{FunctionBuilder, FunctionBuilderContext};
use wasmr_core::trap::TrapCode;
use wasmr_core::types::FuncType;
use wasmr_runtime::frame::FRAME_HEADER;
use wasmr_runtime::vm::{Status, VmFunc, VmHostFunc, VmInstance, VmStore};

use crate::abi::{self, RESULT_CELL, ResultsIn, slots, value_type};
use crate::compile::{CompilerContext, compile_with};
use crate::error::CompileError;
use crate::image::TrampolineRecord;
use crate::isa;
use crate::libcalls::LibCall;
use crate::link::{ALIGN, Linker};
use crate::registered::RegisteredCode;
use crate::registry;
use crate::tables::CodeTables;
use crate::trampoline_key::{TrampolineKey, TrampolineKind};
use crate::trap_code::trap_code;

/// Flags of accesses to slots, without `aligned`: slots are aligned to 8 bytes, so vectors in them may not be to 16.
const SLOT_FLAGS: MemFlagsData = MemFlagsData::new().with_notrap();

/// Bytes of code from which on a batch gets no further trampolines. A linker allocates as much code memory at a time.
const BATCH: usize = 64 << 10;

/// Trampolines that are freed together, and their code memory.
#[derive(Debug)]
pub(crate) struct Batch {
    contents: Mutex<Contents>,
}

#[derive(Debug)]
struct Contents {
    linker: Linker,
    bytes: usize,
    starts: Vec<usize>,
}

impl Drop for Batch {
    fn drop(&mut self) {
        let contents = self.contents.get_mut().unwrap_or_else(PoisonError::into_inner);
        contents.starts.iter().for_each(|&start| registry::remove(start));
    }
}

/// A trampoline, which may be executed as long as its batch is alive.
#[derive(Clone, Debug)]
pub(crate) struct Made {
    pub address: usize,
    pub batch: Arc<Batch>,
}

/// The trampolines of the process.
#[derive(Default)]
struct All {
    context: CompilerContext,
    known: HashMap<TrampolineKey, (usize, Weak<Batch>)>,
    /// The batch that gets the next trampoline.
    latest: Weak<Batch>,
    /// Number of known trampolines at which `sweep` next removes the freed ones.
    sweep_at: usize,
}

impl All {
    fn sweep(&mut self) {
        if self.known.len() >= self.sweep_at {
            self.known.retain(|_, (_, batch)| batch.strong_count() > 0);
            self.sweep_at = 2 * self.known.len() + 64;
            self.known.shrink_to(self.sweep_at);
        }
    }
}

static ALL: Mutex<Option<All>> = Mutex::new(None);

/// Returns a trampoline for functions of a type. Compiles it if there is none.
///
/// # Errors
/// Returns an error if the trampoline cannot be compiled or linked.
pub(crate) fn get(kind: TrampolineKind, ty: &FuncType) -> Result<Made, CompileError> {
    All::get_or_link(TrampolineKey::of(kind, ty), |context| {
        let isa = isa::host()?;
        let code = compile_with(&*isa, context, |func, function_builder| {
            func.signature = signature(kind, ty);
            let mut trampoline = Trampoline::new(func, function_builder, ty);
            match kind {
                TrampolineKind::Entry => trampoline.entry(),
                TrampolineKind::Osr { dual_entry } => trampoline.osr(dual_entry),
                TrampolineKind::Exit => trampoline.exit(false),
                TrampolineKind::HostExit => trampoline.exit(true),
            }
            trampoline.builder.seal_all_blocks();
            trampoline.builder.finalize(isa.frontend_config());
        })?;
        Ok((code.code, code.tables))
    })
}

/// Returns the trampoline of an image. Links its code if there is no trampoline of this key.
///
/// # Errors
/// Returns an error if there is no code memory left.
pub(crate) fn load(record: TrampolineRecord<'_>) -> Result<Made, CompileError> {
    All::get_or_link(record.key, |_| Ok((record.code.to_vec(), record.tables)))
}

impl All {
    /// Returns the trampoline of a key. Links the code and tables that `make` returns if there is none.
    fn get_or_link(
        key: TrampolineKey,
        make: impl FnOnce(&mut CompilerContext) -> Result<(Vec<u8>, CodeTables), CompileError>,
    ) -> Result<Made, CompileError> {
        let mut all = ALL.lock().unwrap_or_else(PoisonError::into_inner);
        let all = all.get_or_insert_default();
        if let Some((address, batch)) = all.known.get(&key)
            && let Some(batch) = batch.upgrade()
        {
            return Ok(Made { address: *address, batch });
        }
        let batch = match all.latest.upgrade() {
            Some(batch) if batch.contents.lock().unwrap_or_else(PoisonError::into_inner).bytes < BATCH => batch,
            _ => {
                let linker = Linker::new()?;
                Arc::new(Batch { contents: Mutex::new(Contents { linker, bytes: 0, starts: Vec::new() }) })
            }
        };
        let (code, tables) = make(&mut all.context)?;
        let address = batch.link(&code, tables)?;
        all.latest = Arc::downgrade(&batch);
        all.sweep();
        all.known.insert(key, (address, Arc::downgrade(&batch)));
        Ok(Made { address, batch })
    }
}

impl Batch {
    /// Links a trampoline, which calls no function directly. Returns its address.
    fn link(&self, code: &[u8], tables: CodeTables) -> Result<usize, CompileError> {
        let mut contents = self.contents.lock().unwrap_or_else(PoisonError::into_inner);
        let Contents { linker, bytes, starts } = &mut *contents;
        let address = linker.place(code, ALIGN)?;
        *bytes += code.len();
        starts.push(address);
        registry::insert(Arc::new(RegisteredCode::new(address, code.len(), tables, None)));
        Ok(address)
    }
}

fn signature(kind: TrampolineKind, ty: &FuncType) -> Signature {
    let words = match kind {
        TrampolineKind::Entry => 3,
        TrampolineKind::Osr { .. } => 4,
        TrampolineKind::Exit | TrampolineKind::HostExit => {
            // The context is a plain parameter here: it points to a `VmFunc`, not to the instance that holds the stack limit.
            let mut signature = abi::signature(ty);
            signature.params[0] = AbiParam::new(types::I64);
            return signature;
        }
    };
    let mut signature = Signature::new(CallConv::SystemV);
    signature.params.extend([AbiParam::new(types::I64)].repeat(words));
    signature
}

struct Trampoline<'a> {
    builder: FunctionBuilder<'a>,
    ty: &'a FuncType,
    /// The trampoline's own parameters.
    params: Vec<Value>,
}

impl<'a> Trampoline<'a> {
    fn new(
        func: &'a mut Function,
        function_builder: &'a mut FunctionBuilderContext,
        ty: &'a FuncType,
    ) -> Trampoline<'a> {
        let mut builder = FunctionBuilder::new(func, function_builder);
        let entry = builder.create_block();
        builder.append_block_params_for_function_params(entry);
        builder.switch_to_block(entry);
        let params = builder.block_params(entry).to_vec();
        Trampoline { builder, ty, params }
    }

    fn load(&mut self, ty: Type, base: Value, offset: usize) -> Value {
        self.builder.ins().load(ty, MemFlagsData::trusted(), base, offset as i32)
    }

    fn store(&mut self, value: Value, base: Value, offset: usize) {
        self.builder.ins().store(MemFlagsData::trusted(), value, base, offset as i32);
    }

    /// Stores a value in slot form.
    fn store_slot(&mut self, value: Value, base: Value, slot: i32) {
        let value = match self.builder.func.dfg.value_type(value) {
            types::I32 => self.builder.ins().uextend(types::I64, value),
            types::F32 => {
                let bits = self.builder.ins().bitcast(types::I32, MemFlagsData::new(), value);
                self.builder.ins().uextend(types::I64, bits)
            }
            _ => value,
        };
        self.builder.ins().store(SLOT_FLAGS, value, base, slot * 8);
    }

    /// Loads a value of slot form.
    fn load_slot(&mut self, ty: Type, base: Value, slot: i32) -> Value {
        self.builder.ins().load(ty, SLOT_FLAGS, base, slot * 8)
    }

    fn entry(&mut self) {
        let (func, slots_pointer) = (self.params[1], self.params[2]);
        let context = self.load(types::I64, func, offset_of!(VmFunc, native_context));
        let code = self.load(types::I64, func, offset_of!(VmFunc, native));
        let mut args = vec![context];
        let mut slot = 0;
        for &ty in self.ty.params() {
            let ty = value_type(ty);
            args.push(self.load_slot(ty, slots_pointer, slot));
            slot += slots(ty);
        }
        let signature = abi::signature(self.ty);
        self.call_native(signature, code, args, slots_pointer);
    }

    fn osr(&mut self, dual_entry: bool) {
        let (func, frame, code) = (self.params[1], self.params[2], self.params[3]);
        let context = self.load(types::I64, func, offset_of!(VmFunc, instance));
        // The address that `Fp::args` returns.
        let area = self.builder.ins().iadd_imm_s(frame, -8 * (self.ty.arg_slots() + FRAME_HEADER) as i64);
        if dual_entry {
            let mut args = vec![context];
            for &ty in self.ty.params() {
                let zero = match value_type(ty) {
                    types::F32 => self.builder.ins().f32const(0.0),
                    types::F64 => self.builder.ins().f64const(0.0),
                    // Any vector will do: the code reads no argument when `loop_frame` is set.
                    types::I8X16 => self.load_slot(types::I8X16, frame, 0),
                    ty => self.builder.ins().iconst(ty, 0),
                };
                args.push(zero);
            }
            self.call_native(abi::signature(self.ty), code, args, area);
        } else {
            self.call_native(abi::loop_signature(self.ty), code, vec![context, frame], area);
        }
    }

    /// Calls compiled code, stores its results in slots, and returns.
    fn call_native(&mut self, signature: Signature, code: Value, mut args: Vec<Value>, area: Value) {
        let result_types: Vec<Type> = self.ty.results().iter().map(|&ty| value_type(ty)).collect();
        let cells = (abi::results_in(self.ty) == ResultsIn::Memory).then(|| {
            let size = result_types.len() as u32 * RESULT_CELL as u32;
            let slot = self.builder.create_sized_stack_slot(StackSlotData::new(StackSlotKind::ExplicitSlot, size, 4));
            self.builder.ins().stack_addr(types::I64, slot, 0)
        });
        args.extend(cells);
        let signature = self.builder.import_signature(signature);
        let call = self.builder.ins().call_indirect(signature, code, &args);
        let results = match cells {
            None => self.builder.inst_results(call).to_vec(),
            Some(cells) => {
                let load = |(index, &ty): (usize, &Type)| self.load(ty, cells, index * RESULT_CELL as usize);
                result_types.iter().enumerate().map(load).collect()
            }
        };
        let mut slot = 0;
        for (value, &ty) in results.into_iter().zip(&result_types) {
            self.store_slot(value, area, slot);
            slot += slots(ty);
        }
        self.builder.ins().return_(&[]);
    }

    fn exit(&mut self, to_host: bool) {
        let func = self.params[0];
        let store = if to_host {
            self.load(types::I64, func, offset_of!(VmHostFunc, store))
        } else {
            let instance = self.load(types::I64, func, offset_of!(VmFunc, instance));
            self.load(types::I64, instance, offset_of!(VmInstance, store))
        };
        let frame = self.builder.ins().get_frame_pointer(types::I64);
        self.store(frame, store, offset_of!(VmStore, native_exit_fp));
        let top = self.load(types::I64, store, offset_of!(VmStore, stack_top));

        // Either stack may be exhausted: the native one, which the callee runs on, and the value stack, which has the
        // arguments.
        let overflow = self.builder.create_block();
        let (native_ok, both_ok) = (self.builder.create_block(), self.builder.create_block());
        self.builder.set_cold_block(overflow);
        let native_limit = self.load(types::I64, store, offset_of!(VmStore, native_stack_limit));
        let here = self.builder.ins().get_stack_pointer(types::I64);
        let is_over = self.builder.ins().icmp(IntCC::UnsignedLessThan, here, native_limit);
        self.builder.ins().brif(is_over, overflow, &[], native_ok, &[]);
        self.builder.switch_to_block(native_ok);
        let limit = self.load(types::I64, store, offset_of!(VmStore, stack_limit));
        let is_over = self.builder.ins().icmp(IntCC::UnsignedGreaterThanOrEqual, top, limit);
        self.builder.ins().brif(is_over, overflow, &[], both_ok, &[]);
        self.builder.switch_to_block(overflow);
        let code = self.builder.ins().iconst(types::I8, i64::from(TrapCode::StackExhausted as u8));
        self.store(code, store, offset_of!(VmStore, trap_code));
        let status = self.builder.ins().iconst(types::I64, Status::TRAP.0 as i64);
        self.stopped(store, status, top, frame);
        self.builder.ins().trap(trap_code(TrapCode::StackExhausted));

        self.builder.switch_to_block(both_ok);
        let params: Vec<Value> = self.params[1..=self.ty.params().len()].to_vec();
        let mut slot = 0;
        for value in params {
            let ty = self.builder.func.dfg.value_type(value);
            self.store_slot(value, top, slot);
            slot += slots(ty);
        }
        let new_top = self.builder.ins().iadd_imm_s(top, 8 * self.ty.arg_slots() as i64);
        self.store(new_top, store, offset_of!(VmStore, stack_top));
        let entry = self.load(types::I64, func, offset_of!(VmFunc, entry));
        let mut signature = Signature::new(CallConv::SystemV);
        signature.params.extend([AbiParam::new(types::I64); 3]);
        signature.returns.push(AbiParam::new(types::I64));
        let signature = self.builder.import_signature(signature);
        let call = self.builder.ins().call_indirect(signature, entry, &[store, func, top]);
        let status = self.builder.inst_results(call)[0];
        self.store(top, store, offset_of!(VmStore, stack_top));
        let (stopped, returned) = (self.builder.create_block(), self.builder.create_block());
        self.builder.set_cold_block(stopped);
        self.builder.ins().brif(status, stopped, &[], returned, &[]);
        self.builder.switch_to_block(stopped);
        self.stopped(store, status, top, frame);
        self.builder.ins().jump(returned, &[]);

        self.builder.switch_to_block(returned);
        // A stop signal that came in the callee had no effect, because it was not in compiled code.
        let flag = self.load(types::I64, store, offset_of!(VmStore, interrupt));
        let raised = self.load(types::I8, flag, 0);
        self.builder.ins().trapnz(raised, trap_code(TrapCode::Interrupted));
        let mut slot = 0;
        let mut results = Vec::new();
        for &ty in self.ty.results() {
            let ty = value_type(ty);
            results.push(self.load_slot(ty, top, slot));
            slot += slots(ty);
        }
        if abi::results_in(self.ty) == ResultsIn::Memory {
            let cells = *self.params.last().expect("the results' address is the last parameter");
            for (index, value) in results.into_iter().enumerate() {
                self.store(value, cells, index * RESULT_CELL as usize);
            }
            self.builder.ins().return_(&[]);
        } else {
            self.builder.ins().return_(&results);
        }
    }

    /// Calls [`LibCall::LeaveStopped`] for a status other than OK. It returns only after a tail call that ended with OK.
    fn stopped(&mut self, store: Value, status: Value, slots: Value, frame: Value) {
        let libcalls = self.load(types::I64, store, offset_of!(VmStore, native_libcalls));
        let code = self.load(types::I64, libcalls, LibCall::LeaveStopped.offset() as usize);
        let signature = self.builder.import_signature(LibCall::LeaveStopped.signature());
        self.builder.ins().call_indirect(signature, code, &[store, status, slots, frame]);
    }
}
