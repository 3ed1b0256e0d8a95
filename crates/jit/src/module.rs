//! The machine code of one module, made function by function, shared by all its instances.
//!
//! [`JitModule::compile`] may be called from any thread; what it made is found by [`JitModule::function`] and
//! [`JitModule::loop_code`] from then on. It is [published](JitModule::publish) to an instance by the thread that runs that
//! instance's store, so that generated code needs no atomic access.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use cranelift_codegen::isa::OwnedTargetIsa;
use cranelift_module::FuncId;
use wasmr_core::types::FuncType;
use wasmr_module::Module;
use wasmr_runtime::builtins;
use wasmr_runtime::frame::{Fp, Ip};
use wasmr_runtime::limits::ResourceError;
use wasmr_runtime::vm::{Status, VmFunc, VmLayout, VmStore};

use crate::compile::{CompilerContext, Disassembly, compile, examine};
use crate::compiled::Exit;
use crate::error::{CompileError, Unavailable};
use crate::libcalls::LIBCALLS;
use crate::link::Linker;
use crate::options::CallPolicy;
use crate::registry::{self, Body};
use crate::trampoline::{self, Batch, Kind, Made};
use crate::translate::{Entry, Request};
use crate::{abi, enter, isa, trap};

/// What code of a module may rely on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CodeOptions {
    /// Whether memory 0 is guarded in the instances that run the code.
    pub guarded: bool,
    /// Whether the code uses up fuel.
    pub metered: bool,
    /// Whether checked accesses are also safe from speculation past their checks.
    pub spectre_guards: bool,
    /// What becomes of calls.
    pub calls: CallPolicy,
}

/// The code of one module for instances of one kind.
#[derive(Debug)]
pub struct JitModule {
    module: Arc<Module>,
    layout: VmLayout,
    options: CodeOptions,
    isa: HostIsa,
    linker: Mutex<Linker>,
    functions: Box<[OnceLock<NativeCode>]>,
    loops: Mutex<HashMap<(u32, usize), LoopCode>>,
    /// Where calls through tables and references went, and how often, by their offset in the module.
    calls: Mutex<HashMap<usize, Vec<(u32, u32)>>>,
    /// Where its code starts that is in the registry.
    registered: Mutex<Vec<usize>>,
    /// The trampolines into its code, and out of it.
    trampolines: Mutex<Vec<Arc<Batch>>>,
}

struct HostIsa(OwnedTargetIsa);

impl std::fmt::Debug for HostIsa {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0.name())
    }
}

/// A compiled function.
#[derive(Clone, Copy, Debug)]
pub struct NativeCode {
    /// Where its code starts.
    pub address: usize,
    /// Bytes of it.
    pub len: usize,
    /// The trampoline into it.
    enter: usize,
    id: FuncId,
}

/// A function compiled from one of its loops on.
#[derive(Clone, Copy, Debug)]
pub struct LoopCode {
    /// Where its code starts.
    pub address: usize,
    /// Bytes of it.
    pub len: usize,
    /// The trampoline into it.
    enter: usize,
    /// Whether it is the function's own code as well, and takes the frame from the instance.
    or_start: bool,
}

/// Who gets to run a function's compiled code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Callers {
    /// Whoever calls it.
    All,
    /// The host and compiled code. The interpreter goes on interpreting it.
    NotInterpreter,
}

impl JitModule {
    /// The code of a module, none of it made.
    ///
    /// # Errors
    /// If no code can be made or executed here.
    pub fn new(module: Arc<Module>, layout: VmLayout, options: CodeOptions) -> Result<Arc<JitModule>, Unavailable> {
        let isa = isa::host()?;
        let linker = Linker::new(isa.clone())?;
        trap::prepare();
        let functions = (0..module.defined_func_count()).map(|_| OnceLock::new()).collect();
        Ok(Arc::new(JitModule {
            module,
            layout,
            options,
            isa: HostIsa(isa),
            linker: Mutex::new(linker),
            functions,
            loops: Mutex::default(),
            calls: Mutex::default(),
            registered: Mutex::default(),
            trampolines: Mutex::default(),
        }))
    }

    /// The module.
    pub fn module(&self) -> &Arc<Module> {
        &self.module
    }

    /// What its code relies on.
    pub fn options(&self) -> CodeOptions {
        self.options
    }

    fn linker(&self) -> MutexGuard<'_, Linker> {
        self.linker.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn func_type(&self, defined_index: u32) -> &FuncType {
        self.module.func_type(self.module.imported_func_count() + defined_index)
    }

    /// The address of a trampoline, which is then kept as long as the code.
    fn trampoline(&self, kind: Kind, ty: &FuncType) -> Result<usize, CompileError> {
        let Made { address, batch } = trampoline::get(kind, ty)?;
        let mut trampolines = self.trampolines.lock().unwrap_or_else(PoisonError::into_inner);
        if !trampolines.iter().any(|kept| Arc::ptr_eq(kept, &batch)) {
            trampolines.push(batch);
        }
        Ok(address)
    }

    /// Compiles a function, unless it is compiled.
    ///
    /// # Errors
    /// If it cannot be compiled, or not from there; nothing has changed then.
    pub fn compile(&self, defined_index: u32, entry: Entry, scratch: &mut CompilerContext) -> Result<(), CompileError> {
        let known = match &entry {
            Entry::Start => self.function(defined_index).is_some(),
            Entry::Loop(place) => self.loop_code(defined_index, place.offset).is_some(),
            Entry::StartOrLoop(_) => false,
        };
        if known {
            return Ok(());
        }
        let ty = self.func_type(defined_index);
        let signature = match &entry {
            Entry::Start | Entry::StartOrLoop(_) => abi::signature(ty),
            Entry::Loop(_) => abi::loop_signature(ty),
        };
        let id = self.linker().declare(&signature)?;
        let direct = |callee: u32| {
            if callee == defined_index && !matches!(entry, Entry::Loop(_)) {
                return Some(id.as_u32());
            }
            self.function(callee).map(|code| code.id.as_u32())
        };
        let predicted = |offset: usize| self.predicted(offset);
        let request = self.request(defined_index, entry.clone(), &direct, &predicted);
        let mut code = compile(&request, &*self.isa.0, id, scratch)?;
        let len = code.code.len();
        // Now, as the program waits for those that are missing when it comes to them.
        for Exit { type_index, imported } in std::mem::take(&mut code.exits) {
            let kind = if imported { Kind::LeaveToHost } else { Kind::Leave };
            self.trampoline(kind, self.module.func_type_of(type_index))?;
        }
        let at_loop = |or_start| self.trampoline(Kind::Loop { or_start }, ty);
        let (trampoline, osr_trampoline) = match &entry {
            Entry::Start => (Some(self.trampoline(Kind::Enter, ty)?), None),
            Entry::Loop(_) => (None, Some(at_loop(false)?)),
            Entry::StartOrLoop(_) => (Some(self.trampoline(Kind::Enter, ty)?), Some(at_loop(true)?)),
        };
        let address = self.linker().define(id, &code)?;
        registry::insert(Arc::new(Body::new(address, code, Some(self.module.clone()))));
        self.registered.lock().unwrap_or_else(PoisonError::into_inner).push(address);
        // Another thread may have been faster; both codes do the same.
        if let (Some(enter), Some(place)) = (osr_trampoline, entry.place()) {
            let or_start = trampoline.is_some();
            let code = LoopCode { address, len, enter, or_start };
            self.loops().entry((defined_index, place.offset)).or_insert(code);
        }
        if let Some(enter) = trampoline {
            let _ = self.functions[defined_index as usize].set(NativeCode { address, len, enter, id });
        }
        Ok(())
    }

    /// Compiles a function to be looked at, calling no other directly. Leaves nothing behind.
    ///
    /// # Errors
    /// If it is not compiled.
    pub fn examine(&self, defined_index: u32, entry: Entry) -> Result<Disassembly, CompileError> {
        let calls_itself = !matches!(entry, Entry::Loop(_));
        let direct = |callee| (calls_itself && callee == defined_index).then_some(0);
        let predicted = |offset: usize| self.predicted(offset);
        let request = self.request(defined_index, entry, &direct, &predicted);
        examine(&request, &*self.isa.0, &mut CompilerContext::default())
    }

    fn request<'a>(
        &'a self,
        defined_index: u32,
        entry: Entry,
        direct: &'a dyn Fn(u32) -> Option<u32>,
        predicted: &'a dyn Fn(usize) -> Vec<u32>,
    ) -> Request<'a> {
        Request {
            module: &self.module,
            layout: &self.layout,
            defined_index,
            entry,
            guarded: self.options.guarded,
            metered: self.options.metered,
            spectre_guards: self.options.spectre_guards,
            calls: self.options.calls,
            direct,
            predicted,
        }
    }

    /// Notes that a call through a table or a reference, at an offset in the module, went to a defined function `count` times, as
    /// far as was looked.
    pub fn note_calls(&self, offset: usize, defined_index: u32, count: u32) {
        let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        let seen = calls.entry(offset).or_default();
        if let Some((_, times)) = seen.iter_mut().find(|(target, _)| *target == defined_index) {
            *times = times.saturating_add(count);
        } else if seen.len() < self.options.calls.profiled_targets {
            seen.push((defined_index, count));
        }
    }

    /// Where a call goes that at least every other time went to one of a few functions.
    fn predicted(&self, offset: usize) -> Vec<u32> {
        let calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        let mut seen = calls.get(&offset).cloned().unwrap_or_default();
        seen.sort_by_key(|&(_, times)| std::cmp::Reverse(times));
        let all: u32 = seen.iter().map(|&(_, times)| times).sum();
        seen.truncate(self.options.calls.compared_targets);
        let predicted: u32 = seen.iter().map(|&(_, times)| times).sum();
        if predicted < all / 2 {
            return Vec::new();
        }
        seen.into_iter().map(|(target, _)| target).collect()
    }

    fn loops(&self) -> MutexGuard<'_, HashMap<(u32, usize), LoopCode>> {
        self.loops.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The code of a defined function, if it is compiled.
    pub fn function(&self, defined_index: u32) -> Option<NativeCode> {
        self.functions[defined_index as usize].get().copied()
    }

    /// The code of a defined function from a loop on, if that is compiled; the loop by its operator's offset in the module.
    pub fn loop_code(&self, defined_index: u32, offset: usize) -> Option<LoopCode> {
        self.loops().get(&(defined_index, offset)).copied()
    }

    /// Makes a function of an instance its compiled code, if there is any: whether there is. From then on calls by `callers` that
    /// come through the `VmFunc` run that; `external_code` is what sends the interpreter through its entry.
    ///
    /// # Errors
    /// If the store cannot have a stack for machine code.
    ///
    /// # Safety
    /// `func` is a live function with that index of an instance of this module that fits the [options](Self::options); its store is
    /// used by the calling thread, and no Rust reference to it is in use.
    pub unsafe fn publish(
        &self,
        func: *mut VmFunc,
        defined_index: u32,
        external_code: Ip,
        callers: Callers,
    ) -> Result<bool, ResourceError> {
        let Some(code) = self.function(defined_index) else { return Ok(false) };
        // SAFETY: the caller's promise.
        unsafe {
            let instance = (*func).instance;
            prepare((*instance).store)?;
            (*instance).native_stack_limit = (*(*instance).store).native_stack_limit;
            (*func).native = code.address as *const _;
            (*func).native_context = instance.cast();
            (*func).data = code.enter as *const _;
            (*func).entry = enter::enter();
            if callers == Callers::All {
                (*func).code = external_code;
            }
        }
        Ok(true)
    }
}

impl Drop for JitModule {
    fn drop(&mut self) {
        let registered = self.registered.get_mut().unwrap_or_else(PoisonError::into_inner);
        registered.iter().for_each(|&address| registry::remove(address));
    }
}

/// Makes a store ready to run machine code.
///
/// # Errors
/// If the system gives no memory for its stack.
///
/// # Safety
/// The store is alive, used by the calling thread, and no Rust reference to it is in use.
pub(crate) unsafe fn prepare(store: *mut VmStore) -> Result<(), ResourceError> {
    // SAFETY: the caller's promise.
    unsafe { builtins::prepare_native(store, (&raw const LIBCALLS).cast()) }
}

/// Makes [`VmFunc::native`] of a function that is not compiled the trampoline out to it.
///
/// # Errors
/// If no code can be made.
///
/// # Safety
/// `func` is a live function of type `ty`, and its store is used by the calling thread.
pub(crate) unsafe fn install_exit_trampoline(func: *mut VmFunc, ty: &FuncType) -> Result<(), CompileError> {
    // SAFETY: the caller's promise.
    unsafe {
        let kind = if (*func).instance.is_null() { Kind::LeaveToHost } else { Kind::Leave };
        let Made { address, batch } = trampoline::get(kind, ty)?;
        builtins::keep_code(func, batch);
        (*func).native = address as *const _;
        (*func).native_context = func.cast();
    }
    Ok(())
}

impl LoopCode {
    /// Goes on with an interpreter's frame in compiled code, to the function's end. With [`Status::OK`] the results are in the
    /// frame's argument area.
    ///
    /// # Safety
    /// `func` is the live function that the code was made for, of a store whose frame `frame` is at the loop's header; the
    /// function's instance fits the code's options, and `stack_top` is behind the frame.
    pub unsafe fn enter(&self, store: *mut VmStore, func: *mut VmFunc, frame: Fp) -> Status {
        // SAFETY: the caller's promise.
        unsafe {
            let instance = (*func).instance;
            if prepare(store).is_err() {
                (*store).trap_code = wasmr_core::trap::TrapCode::StackExhausted;
                return Status::TRAP;
            }
            (*instance).native_stack_limit = (*store).native_stack_limit;
            if self.or_start {
                (*instance).loop_frame = frame;
            }
            let status = enter::enter_loop(store, func, frame, self.enter, self.address);
            // Still there if there was no stack left to ask for it.
            (*instance).loop_frame = Fp::NULL;
            status
        }
    }
}
