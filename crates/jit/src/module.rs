//! The machine code of one module, compiled function by function and shared by all its instances.
//!
//! Any thread may call [`JitModule::compile`]. Afterwards [`JitModule::function`] or [`JitModule::osr_code`] returns the code.
//! The thread that runs a store [installs](JitModule::install) the code in the store's instances, so that generated code needs
//! no atomic accesses.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use cranelift_codegen::isa::OwnedTargetIsa;
use cranelift_module::FuncId;
use wasmr_core::types::FuncType;
use wasmr_module::Module;
use wasmr_runtime::builtins;
use wasmr_runtime::frame::{Fp, Ip};
use wasmr_runtime::limits::ResourceError;
use wasmr_runtime::tier::OsrCode;
use wasmr_runtime::vm::{Status, VmFunc, VmLayout, VmStore};

use crate::compile::{CompilerContext, Disassembly, compile, examine};
use crate::compiled::Exit;
use crate::error::{CompileError, Unavailable};
use crate::libcalls::LIBCALLS;
use crate::link::Linker;
use crate::options::CallPolicy;
use crate::registry::{self, RegisteredCode};
use crate::trampoline::{self, Batch, Made, TrampolineKind};
use crate::translate::{Entry, Request};
use crate::{abi, enter, isa, trap};

/// Properties of a module's code, and of the instances that may run it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CodeOptions {
    /// True if memory 0 is guard-paged in the instances that run the code.
    pub guarded: bool,
    /// True if the code uses up fuel.
    pub metered: bool,
    /// True if checked accesses are also safe from speculation past their checks (Spectre variant 1).
    pub spectre_guards: bool,
    /// Limits of inlining and guarded calls.
    pub calls: CallPolicy,
}

/// The code of one module, for instances that fit its options.
#[derive(Debug)]
pub struct JitModule {
    module: Arc<Module>,
    layout: VmLayout,
    options: CodeOptions,
    isa: HostIsa,
    linker: Mutex<Linker>,
    functions: Box<[OnceLock<NativeCode>]>,
    /// OSR code, by function and offset of the loop.
    osr: Mutex<HashMap<(u32, usize), OsrCode>>,
    /// Profiles of call sites: callees, by index among the defined functions, and their hotness. The key is the offset of the
    /// call operator in the module.
    call_profiles: Mutex<HashMap<usize, Vec<(u32, u32)>>>,
    /// Start addresses of the module's code in the registry.
    registered: Mutex<Vec<usize>>,
    /// Batches of all trampolines that the code uses.
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
    /// Address of the code.
    pub address: usize,
    /// Bytes of code.
    pub len: usize,
    /// Address of the entry trampoline.
    entry_trampoline: usize,
    id: FuncId,
}

/// The callers of a function that run its compiled code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Callers {
    /// All callers.
    All,
    /// The host and compiled code. Calls from the interpreter stay in the interpreter.
    NotInterpreter,
}

impl JitModule {
    /// Creates the code of a module, with no function compiled yet.
    ///
    /// # Errors
    /// Returns an error if this host cannot make or execute machine code.
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
            osr: Mutex::default(),
            call_profiles: Mutex::default(),
            registered: Mutex::default(),
            trampolines: Mutex::default(),
        }))
    }

    pub(crate) fn module(&self) -> &Arc<Module> {
        &self.module
    }

    /// Returns the properties of the code, which must hold for instances that run it.
    pub fn options(&self) -> CodeOptions {
        self.options
    }

    fn linker(&self) -> MutexGuard<'_, Linker> {
        self.linker.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn func_type(&self, defined_index: u32) -> &FuncType {
        self.module.func_type(self.module.imported_func_count() + defined_index)
    }

    /// Returns the address of a trampoline, and keeps it alive as long as the code.
    fn trampoline(&self, kind: TrampolineKind, ty: &FuncType) -> Result<usize, CompileError> {
        let Made { address, batch } = trampoline::get(kind, ty)?;
        let mut trampolines = self.trampolines.lock().unwrap_or_else(PoisonError::into_inner);
        if !trampolines.iter().any(|kept| Arc::ptr_eq(kept, &batch)) {
            trampolines.push(batch);
        }
        Ok(address)
    }

    /// Compiles a function, unless it has code with this entry already.
    ///
    /// # Errors
    /// Returns the reason if the function, or this entry of it, cannot be compiled. The module is then unchanged.
    pub fn compile(&self, defined_index: u32, entry: Entry, context: &mut CompilerContext) -> Result<(), CompileError> {
        let known = match &entry {
            Entry::Start => self.function(defined_index).is_some(),
            Entry::Loop(osr) => self.osr_code(defined_index, osr.offset).is_some(),
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
        let guard_targets = |offset: usize| self.guard_targets(offset);
        let request = self.request(defined_index, entry.clone(), &direct, &guard_targets);
        let mut code = compile(&request, &*self.isa.0, id, context)?;
        let len = code.code.len();
        // Trampolines are made here, on a compiler thread. If one is missing when the guest makes the call, the guest waits for
        // it.
        for Exit { type_index, imported } in std::mem::take(&mut code.exits) {
            let kind = if imported { TrampolineKind::HostExit } else { TrampolineKind::Exit };
            self.trampoline(kind, self.module.func_type_of(type_index))?;
        }
        let osr = |dual_entry| self.trampoline(TrampolineKind::Osr { dual_entry }, ty);
        let (entry_trampoline, osr_trampoline) = match &entry {
            Entry::Start => (Some(self.trampoline(TrampolineKind::Entry, ty)?), None),
            Entry::Loop(_) => (None, Some(osr(false)?)),
            Entry::StartOrLoop(_) => (Some(self.trampoline(TrampolineKind::Entry, ty)?), Some(osr(true)?)),
        };
        let address = self.linker().define(id, &code)?;
        registry::insert(Arc::new(RegisteredCode::new(address, code, Some(self.module.clone()))));
        self.registered.lock().unwrap_or_else(PoisonError::into_inner).push(address);
        // Another thread may have compiled the same function meanwhile. Both pieces of code are equivalent, so the first one
        // stays.
        if let (Some(trampoline), Some(osr)) = (osr_trampoline, entry.osr()) {
            let dual_entry = entry_trampoline.is_some();
            let code = OsrCode { enter: enter_osr_code, address, len, trampoline, dual_entry };
            self.osr().entry((defined_index, osr.offset)).or_insert(code);
        }
        if let Some(entry_trampoline) = entry_trampoline {
            let _ = self.functions[defined_index as usize].set(NativeCode { address, len, entry_trampoline, id });
        }
        Ok(())
    }

    /// Compiles a function for people to look at. The code has no direct calls of other functions, and is not kept.
    ///
    /// # Errors
    /// Returns the reason why the function stays interpreted.
    pub fn examine(&self, defined_index: u32, entry: Entry) -> Result<Disassembly, CompileError> {
        let calls_itself = !matches!(entry, Entry::Loop(_));
        let direct = |callee| (calls_itself && callee == defined_index).then_some(0);
        let guard_targets = |offset: usize| self.guard_targets(offset);
        let request = self.request(defined_index, entry, &direct, &guard_targets);
        examine(&request, &*self.isa.0, &mut CompilerContext::default())
    }

    fn request<'a>(
        &'a self,
        defined_index: u32,
        entry: Entry,
        direct: &'a dyn Fn(u32) -> Option<u32>,
        guard_targets: &'a dyn Fn(usize) -> Vec<u32>,
    ) -> Request<'a> {
        Request {
            module: &self.module,
            layout: &self.layout,
            defined_index,
            entry,
            guard_paged: self.options.guarded,
            metered: self.options.metered,
            spectre_guards: self.options.spectre_guards,
            calls: self.options.calls,
            direct,
            guard_targets,
        }
    }

    /// Adds `count` samples to the profile of a call site: the call operator at `offset` in the module called the defined
    /// function `defined_index`.
    pub fn record_calls(&self, offset: usize, defined_index: u32, count: u32) {
        let mut profiles = self.call_profiles.lock().unwrap_or_else(PoisonError::into_inner);
        let profile = profiles.entry(offset).or_default();
        if let Some((_, samples)) = profile.iter_mut().find(|(target, _)| *target == defined_index) {
            *samples = samples.saturating_add(count);
        } else if profile.len() < self.options.calls.profiled_targets {
            profile.push((defined_index, count));
        }
    }

    /// Returns the callees that a guarded call at `offset` compares with, hottest first. Returns none if they have less than
    /// half of the profile's samples together, as the comparisons would then mostly fail.
    fn guard_targets(&self, offset: usize) -> Vec<u32> {
        let profiles = self.call_profiles.lock().unwrap_or_else(PoisonError::into_inner);
        let mut profile = profiles.get(&offset).cloned().unwrap_or_default();
        profile.sort_by_key(|&(_, samples)| std::cmp::Reverse(samples));
        let all: u32 = profile.iter().map(|&(_, samples)| samples).sum();
        profile.truncate(self.options.calls.compared_targets);
        let guarded: u32 = profile.iter().map(|&(_, samples)| samples).sum();
        if guarded < all / 2 {
            return Vec::new();
        }
        profile.into_iter().map(|(target, _)| target).collect()
    }

    fn osr(&self) -> MutexGuard<'_, HashMap<(u32, usize), OsrCode>> {
        self.osr.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the code of a defined function, or `None` if it is not compiled.
    pub fn function(&self, defined_index: u32) -> Option<NativeCode> {
        self.functions[defined_index as usize].get().copied()
    }

    /// Returns the OSR code of a defined function for the `loop` operator at `offset` in the module, or `None` if there is
    /// none.
    pub fn osr_code(&self, defined_index: u32, offset: usize) -> Option<OsrCode> {
        self.osr().get(&(defined_index, offset)).copied()
    }

    /// Installs a function's compiled code in an instance. Returns false if it has none. From then on calls by `callers`
    /// through the `VmFunc` run the code. `external_code` makes the interpreter call through [`VmFunc::entry`].
    ///
    /// # Errors
    /// Returns an error if the native stack of the store cannot be allocated.
    ///
    /// # Safety
    /// `func` is the live function `defined_index` of an instance of this module that fits the [options](Self::options). The
    /// calling thread runs its store, and no Rust reference to the store is in use.
    pub(crate) unsafe fn install_at(
        &self,
        func: *mut VmFunc,
        defined_index: u32,
        external_code: Ip,
        callers: Callers,
    ) -> Result<bool, ResourceError> {
        let Some(code) = self.function(defined_index) else { return Ok(false) };
        // SAFETY: `func` is live, its instance and store with it, and this thread has exclusive access to them.
        unsafe {
            let instance = (*func).instance;
            prepare((*instance).store)?;
            (*instance).native_stack_limit = (*(*instance).store).native_stack_limit;
            (*func).native = code.address as *const _;
            (*func).native_context = instance.cast();
            (*func).data = code.entry_trampoline as *const _;
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

/// Prepares a store to run machine code: allocates its native stack, and tells it the table of libcalls.
///
/// # Errors
/// Returns an error if the native stack cannot be allocated.
///
/// # Safety
/// The store is alive, the calling thread runs it, and no Rust reference to it is in use.
pub(crate) unsafe fn prepare(store: *mut VmStore) -> Result<(), ResourceError> {
    // SAFETY: both functions have the same contract, which the caller keeps. The table of libcalls is a static.
    unsafe { builtins::prepare_native(store, (&raw const LIBCALLS).cast()) }
}

/// Installs the exit trampoline as [`VmFunc::native`] of a function that is not compiled.
///
/// # Errors
/// Returns an error if the trampoline cannot be made.
///
/// # Safety
/// `func` is a live function of type `ty`, the calling thread runs its store, and no Rust reference to the store is in use.
pub(crate) unsafe fn install_exit_trampoline(func: *mut VmFunc, ty: &FuncType) -> Result<(), CompileError> {
    // SAFETY: `func` is live, and this thread has exclusive access to it and to its store, which `keep_code` changes.
    unsafe {
        let kind = if (*func).instance.is_null() { TrampolineKind::HostExit } else { TrampolineKind::Exit };
        let Made { address, batch } = trampoline::get(kind, ty)?;
        builtins::keep_code(func, batch);
        (*func).native = address as *const _;
        (*func).native_context = func.cast();
    }
    Ok(())
}

/// Continues an interpreter's frame in OSR code: the function of [`OsrCode::enter`].
///
/// # Safety
/// As for [`OsrCode::enter`].
unsafe fn enter_osr_code(code: &OsrCode, store: *mut VmStore, func: *mut VmFunc, frame: Fp) -> Status {
    // SAFETY: function, instance, store and frame are alive and used by this thread alone, as `prepare` and `enter_loop`
    // require. The trampoline was made for the function's type together with the code.
    unsafe {
        let instance = (*func).instance;
        if prepare(store).is_err() {
            (*store).trap_code = wasmr_core::trap::TrapCode::StackExhausted;
            return Status::TRAP;
        }
        (*instance).native_stack_limit = (*store).native_stack_limit;
        if code.dual_entry {
            (*instance).loop_frame = frame;
        }
        let status = enter::enter_loop(store, func, frame, code.trampoline, code.address);
        // Compiled code resets it, unless its prologue found the native stack exhausted.
        (*instance).loop_frame = Fp::NULL;
        status
    }
}
