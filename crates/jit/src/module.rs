//! The machine code of one module, compiled function by function and shared by all its instances.
//!
//! Any thread may call [`JitModule::compile`], and [`JitModule::load_image`] loads code that an earlier process compiled. Afterwards
//! [`JitModule::function`] or [`JitModule::osr_code`] returns the code.
//! The thread that runs a store [installs](JitModule::install) the code in the store's instances, so that generated code needs
//! no atomic accesses.

use std::collections::HashMap;
use std::collections::hash_map::Entry::Vacant;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use cranelift_codegen::isa::OwnedTargetIsa;
use wasmr_cache::{Builder, Container};
use wasmr_core::types::FuncType;
use wasmr_module::Module;
use wasmr_runtime::builtins;
use wasmr_runtime::frame::{Fp, Ip};
use wasmr_runtime::limits::ResourceError;
use wasmr_runtime::tier::OsrCode;
use wasmr_runtime::vm::{Status, VmFunc, VmLayout, VmStore};

use crate::call_stub::call_stub;
use crate::compile::{CompilerContext, Disassembly, compile, examine};
use crate::compiled::{CallReloc, CompiledCode, Exit};
use crate::error::{CompileError, Unavailable};
use crate::image::{Entries, Image, LoadedImage, NewFunction, NewTrampoline, TrampolineRecord, Written};
use crate::libcalls::LIBCALLS;
use crate::link::{self, Linker};
use crate::options::CallPolicy;
use crate::registered::RegisteredCode;
use crate::registry;
use crate::trampoline::{self, Made};
use crate::trampoline_key::{TrampolineKey, TrampolineKind};
use crate::translate::{Entry, Request};
use crate::{enter, isa, trap};

/// Properties of a module's code, and of the instances that may run it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CodeOptions {
    /// True if memory 0 is guard-paged in the instances that run the code.
    pub guarded: bool,
    /// True if the code uses up fuel.
    pub metered: bool,
    /// True if NaNs that operators make become canonical.
    pub canonical_nans: bool,
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
    /// Code of functions, by index among the defined ones.
    functions: Mutex<HashMap<u32, NativeCode>>,
    /// OSR code, by function and offset of the loop.
    osr: Mutex<HashMap<(u32, usize), OsrCode>>,
    /// Profiles of call sites: callees, by index among the defined functions, and their hotness. The key is the offset of the
    /// call operator in the module.
    call_profiles: Mutex<HashMap<usize, Vec<(u32, u32)>>>,
    /// Code that was compiled in this process, in order.
    compiled: Mutex<Vec<Linked>>,
    /// Code that an earlier process compiled.
    image: OnceLock<Arc<LoadedImage>>,
    /// All trampolines that the code uses.
    trampolines: Mutex<HashMap<TrampolineKey, Made>>,
}

/// Code that was compiled in this process and linked.
#[derive(Debug)]
struct Linked {
    defined_index: u32,
    /// Entries that callers use. Has none if another thread compiled the same function first.
    entries: Entries,
    relocs: Vec<CallReloc>,
    code: Arc<RegisteredCode>,
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
        let linker = Linker::new()?;
        trap::prepare();
        Ok(Arc::new(JitModule {
            module,
            layout,
            options,
            isa: HostIsa(isa),
            linker: Mutex::new(linker),
            functions: Mutex::default(),
            osr: Mutex::default(),
            call_profiles: Mutex::default(),
            compiled: Mutex::default(),
            image: OnceLock::new(),
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
        let key = TrampolineKey::of(kind, ty);
        if let Some(made) = self.trampolines().get(&key) {
            return Ok(made.address);
        }
        let made = trampoline::get(kind, ty)?;
        let address = made.address;
        self.trampolines().insert(key, made);
        Ok(address)
    }

    fn trampolines(&self) -> MutexGuard<'_, HashMap<TrampolineKey, Made>> {
        self.trampolines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn functions(&self) -> MutexGuard<'_, HashMap<u32, NativeCode>> {
        self.functions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn compiled(&self) -> MutexGuard<'_, Vec<Linked>> {
        self.compiled.lock().unwrap_or_else(PoisonError::into_inner)
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
        let at_start = !matches!(entry, Entry::Loop(_));
        let compiled = self.compile_unlinked(defined_index, entry.clone(), context)?;
        let CompiledCode { mut code, relocs, tables, exits } = compiled;
        let len = code.len();
        self.make_exit_trampolines(&exits)?;
        let has_code = |callee| (at_start && callee == defined_index) || self.function(callee).is_some();
        self.make_stub_trampolines(&relocs, &has_code)?;
        let at_loop = entry.osr().map(|osr| osr.offset);
        let entry_trampoline = at_start.then(|| self.trampoline(TrampolineKind::Entry, ty)).transpose()?;
        let osr_kind = TrampolineKind::Osr { dual_entry: at_start };
        let osr_trampoline = at_loop.map(|_| self.trampoline(osr_kind, ty)).transpose()?;
        let address_of = |callee, own| match callee == defined_index && at_start {
            true => Some(own),
            false => self.function(callee).map(|code| code.address),
        };
        let address = self.linker().link(&mut code, &relocs, address_of, &|callee| call_stub(&self.layout, callee))?;
        let code = Arc::new(RegisteredCode::new(address, len, tables, Some(self.module.clone())));
        registry::insert(code.clone());
        // Another thread may have compiled the same function meanwhile. Both pieces of code are equivalent, so the first one
        // stays.
        let mut entries = Entries { at_start: false, at_loop: None, is_dual: at_start && at_loop.is_some() };
        if let (Some(trampoline), Some(offset)) = (osr_trampoline, at_loop)
            && let Vacant(place) = self.osr().entry((defined_index, offset))
        {
            place.insert(OsrCode { enter: enter_osr_code, address, len, trampoline, dual_entry: at_start });
            // Lossless: a module has less than 4 GiB.
            entries.at_loop = Some(offset as u32);
        }
        if let Some(entry_trampoline) = entry_trampoline
            && let Vacant(place) = self.functions().entry(defined_index)
        {
            place.insert(NativeCode { address, len, entry_trampoline });
            entries.at_start = true;
        }
        self.compiled().push(Linked { defined_index, entries, relocs, code });
        Ok(())
    }

    /// Compiles a function without linking it.
    pub(crate) fn compile_unlinked(
        &self,
        defined_index: u32,
        entry: Entry,
        context: &mut CompilerContext,
    ) -> Result<CompiledCode, CompileError> {
        let guard_targets = |offset: usize| self.guard_targets(offset);
        compile(&self.request(defined_index, entry, &guard_targets), &*self.isa.0, context)
    }

    /// Makes the trampolines by which compiled code calls others. They are made on a compiler thread. If one is missing when the guest
    /// makes the call, the guest waits for it.
    fn make_exit_trampolines(&self, exits: &[Exit]) -> Result<(), CompileError> {
        for &Exit { type_index, imported } in exits {
            let kind = if imported { TrampolineKind::HostExit } else { TrampolineKind::Exit };
            self.trampoline(kind, self.module.func_type_of(type_index))?;
        }
        Ok(())
    }

    /// Makes the exit trampolines that call stubs may lead to: those for direct callees without code.
    fn make_stub_trampolines(&self, relocs: &[CallReloc], has_code: &dyn Fn(u32) -> bool) -> Result<(), CompileError> {
        for reloc in relocs.iter().filter(|reloc| !has_code(reloc.callee)) {
            self.trampoline(TrampolineKind::Exit, self.func_type(reloc.callee))?;
        }
        Ok(())
    }

    /// Makes all trampolines of a function that is entered at its start. `has_code` returns true for functions that are called without
    /// a stub.
    pub(crate) fn make_trampolines(
        &self,
        defined_index: u32,
        code: &CompiledCode,
        has_code: &dyn Fn(u32) -> bool,
    ) -> Result<(), CompileError> {
        self.make_exit_trampolines(&code.exits)?;
        self.make_stub_trampolines(&code.relocs, has_code)?;
        self.trampoline(TrampolineKind::Entry, self.func_type(defined_index)).map(drop)
    }

    /// Compiles a function for people to look at. The code is not linked, and not kept.
    ///
    /// # Errors
    /// Returns the reason why the function stays interpreted.
    pub fn examine(&self, defined_index: u32, entry: Entry) -> Result<Disassembly, CompileError> {
        let guard_targets = |offset: usize| self.guard_targets(offset);
        let request = self.request(defined_index, entry, &guard_targets);
        examine(&request, &*self.isa.0, &mut CompilerContext::default())
    }

    fn request<'a>(
        &'a self,
        defined_index: u32,
        entry: Entry,
        guard_targets: &'a dyn Fn(usize) -> Vec<u32>,
    ) -> Request<'a> {
        Request {
            module: &self.module,
            layout: &self.layout,
            defined_index,
            entry,
            guard_paged: self.options.guarded,
            metered: self.options.metered,
            canonical_nans: self.options.canonical_nans,
            spectre_guards: self.options.spectre_guards,
            calls: self.options.calls,
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
        self.functions().get(&defined_index).copied()
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

/// Code that outlives the process.
impl JitModule {
    /// Loads the image of a container, if it has one that fits this module. Returns the functions whose code was loaded, by index
    /// among the defined ones, each with the offset of the loop at which the code has an entry; `None` is the function's start.
    ///
    /// # Errors
    /// Returns an error if there is no code memory left.
    ///
    /// # Panics
    /// If an image was loaded before.
    ///
    /// # Safety
    /// The machine code of the container is that of this build of wasmr, for this processor, this module and the
    /// [options](Self::options).
    pub unsafe fn load_image(&self, container: &Arc<Container>) -> Result<Vec<(u32, Option<usize>)>, CompileError> {
        let Some(image) = Image::read(container, &self.module, self.options.guarded) else { return Ok(Vec::new()) };
        let mut linker = self.linker();
        let loaded = LoadedImage::load(container, &self.module, self.options.guarded, &image, &mut linker)?;
        drop(linker);
        let loaded = Arc::new(loaded);
        registry::insert_image(loaded.clone());
        // Before anything can fail: from here on, functions may be known that only the image has.
        assert!(self.image.set(loaded.clone()).is_ok(), "a module has one image");
        self.keep_trampolines(image.trampolines)?;
        let mut entry_trampolines: HashMap<u32, usize> = HashMap::new();
        let mut entries = Vec::with_capacity(image.functions.len());
        for (record, address) in image.functions.iter().zip(loaded.addresses()) {
            let (index, len) = (record.defined_index, record.len as usize);
            let ty = self.func_type(index);
            if record.entries.at_start {
                let type_index = self.module.func_type_index(self.module.imported_func_count() + index);
                let entry_trampoline = match entry_trampolines.get(&type_index) {
                    Some(&known) => known,
                    None => self.trampoline(TrampolineKind::Entry, ty)?,
                };
                entry_trampolines.insert(type_index, entry_trampoline);
                self.functions().insert(index, NativeCode { address, len, entry_trampoline });
                entries.push((index, None));
            }
            if let Some(offset) = record.entries.at_loop {
                let dual_entry = record.entries.is_dual;
                let trampoline = self.trampoline(TrampolineKind::Osr { dual_entry }, ty)?;
                let code = OsrCode { enter: enter_osr_code, address, len, trampoline, dual_entry };
                self.osr().insert((index, offset as usize), code);
                entries.push((index, Some(offset as usize)));
            }
        }
        Ok(entries)
    }

    /// Links the trampolines of an image, and keeps them as long as the code.
    pub(crate) fn keep_trampolines(&self, records: Vec<TrampolineRecord<'_>>) -> Result<(), CompileError> {
        for record in records {
            let key = record.key.clone();
            let made = trampoline::load(record)?;
            self.trampolines().insert(key, made);
        }
        Ok(())
    }

    /// Returns the functions with an entry at their start in the image of a container, by index among the defined ones.
    pub fn functions_in_image(&self, container: &Container) -> Vec<u32> {
        let image = Image::read(container, &self.module, self.options.guarded);
        let functions = image.map(|image| image.functions).unwrap_or_default();
        functions.iter().filter(|record| record.entries.at_start).map(|record| record.defined_index).collect()
    }

    /// Adds all code of the module to a container.
    pub fn write_image(&self, builder: &mut Builder<'_>) {
        let compiled = self.compiled();
        let new = compiled.iter().filter(|linked| linked.entries.at_start || linked.entries.at_loop.is_some());
        let new = new.map(|Linked { defined_index, entries, relocs, code }| NewFunction {
            defined_index: *defined_index,
            entries: *entries,
            code: self.code_of(code),
            relocs,
            tables: code.tables(),
        });
        let new: Vec<NewFunction<'_>> = new.collect();
        let old = self.image.get().and_then(|image| image.image(self.options.guarded));
        self.make_image(old.as_ref(), &new).add_to(builder);
    }

    /// Makes an image of an earlier one, of new functions, and of all trampolines of the module.
    pub(crate) fn make_image(&self, old: Option<&Image<'_>>, new: &[NewFunction<'_>]) -> Written {
        let trampolines = self.trampolines();
        let registered = |address: usize| registry::find(address).expect("a trampoline is registered");
        let made: Vec<_> = trampolines.iter().map(|(key, made)| (key, registered(made.address))).collect();
        let trampolines =
            made.iter().map(|(key, code)| NewTrampoline { key, code: self.code_of(code), tables: code.tables() });
        let trampolines: Vec<NewTrampoline<'_>> = trampolines.collect();
        let stub = |callee| call_stub(&self.layout, callee);
        Written::new(&self.module, self.options.guarded, old, new, &trampolines, &stub)
    }

    /// Returns a copy of code that this module linked, or of one of its trampolines.
    fn code_of(&self, code: &RegisteredCode) -> Vec<u8> {
        // SAFETY: registered code was written before, and stays as long as this module, which keeps its trampolines.
        unsafe { link::code_at(code.start(), code.len()) }
    }

    /// Returns the number of bytes of code that were loaded.
    pub fn loaded_bytes(&self) -> usize {
        self.image.get().map_or(0, |image| image.len())
    }

    /// Returns the profiles of call sites: the offset of each call operator in the module, a callee, and samples.
    pub fn call_profiles(&self) -> Vec<(usize, u32, u32)> {
        let profiles = self.call_profiles.lock().unwrap_or_else(PoisonError::into_inner);
        let each = |(&offset, profile): (&usize, &Vec<(u32, u32)>)| {
            let rows = profile.iter().map(move |&(callee, samples)| (offset, callee, samples));
            rows.collect::<Vec<_>>()
        };
        profiles.iter().flat_map(each).collect()
    }

    /// Returns the number of bytes of code that were compiled in this process.
    pub fn compiled_bytes(&self) -> usize {
        self.compiled().iter().map(|linked| linked.code.len()).sum()
    }
}

impl Drop for JitModule {
    fn drop(&mut self) {
        let compiled = self.compiled.get_mut().unwrap_or_else(PoisonError::into_inner);
        compiled.iter().for_each(|linked| registry::remove(linked.code.start()));
        if let Some(image) = self.image.get() {
            registry::remove(image.start());
        }
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
