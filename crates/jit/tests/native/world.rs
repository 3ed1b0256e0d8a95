//! A tier that compiles every function at its first call, and shorthands for modules and stores.

use std::collections::HashMap;
use std::ffi::c_void;
use std::ptr;
use std::sync::{Arc, OnceLock};

use wasmr_cache::Container;
use wasmr_core::registry::TypeRegistry;
use wasmr_jit::{CallPolicy, Callers, CodeOptions, CompilerContext, Entry, JitModule};
use wasmr_module::{Features, Module, ModuleBytes};
use wasmr_runtime::frame::Ip;
use wasmr_runtime::running::RunningFunc;
use wasmr_runtime::tier::{Executable, FuncEntry, Tier};
use wasmr_runtime::vm::{ArrayCall, Status, VmFunc, VmLayout, VmStore};
use wasmr_runtime::walk::{FrameList, Place, Segment, Walk};
use wasmr_runtime::{Extern, Instance, LoadedModule, MemoryStrategy, Store, StoreConfig, StoreLimits, WasmTyList};

/// Policy of the tests: bodies of a few operators are inlined, and guarded calls compare with a few callees.
pub const CALLS: CallPolicy = CallPolicy {
    inline: 40,
    inline_hot: 100,
    inline_recursive: 120,
    inline_depth: 4,
    recursive_depth: 2,
    inlined_bytes: 1200,
    profiled_targets: 8,
    compared_targets: 4,
};

struct NativeTier;

static EXTERNAL: u64 = 0;

impl Tier for NativeTier {
    fn external_code(&self) -> Ip {
        Ip::new(&raw const EXTERNAL)
    }

    fn unresolved_native(&self) -> *const c_void {
        wasmr_jit::lazy_resolution_stub()
    }

    fn walk(&self, walk: &mut Walk<'_>) {
        while let Some(Segment::Native { .. }) = walk.segment() {
            wasmr_jit::walk_segment(walk);
        }
    }

    fn locate(&self, place: Place, frames: &mut FrameList) {
        wasmr_jit::locate(place, frames);
    }
}

/// Code of a module's functions: compiled, or Rust functions by defined index.
pub struct Code {
    module: Arc<Module>,
    jit: OnceLock<Arc<JitModule>>,
    in_rust: HashMap<u32, ArrayCall>,
    /// The container from which the image is loaded before the first function is compiled.
    container: Option<Arc<Container>>,
}

impl Code {
    pub fn module(&self) -> &Module {
        &self.module
    }

    /// Returns the machine code. Functions must have been called before.
    pub fn jit(&self) -> &JitModule {
        self.jit.get().expect("a function was called")
    }

    fn compile(&self, func: &RunningFunc<'_>) {
        let index = func.defined_index();
        if self.in_rust.contains_key(&index) {
            return;
        }
        let jit = self.jit.get_or_init(|| {
            let options = CodeOptions {
                guarded: func.memory0_guarded(),
                metered: false,
                canonical_nans: false,
                spectre_guards: false,
                calls: CALLS,
            };
            let jit = JitModule::new(self.module.clone(), VmLayout::for_module(&self.module), options);
            let jit = jit.expect("code can be made");
            if let Some(container) = &self.container {
                // SAFETY: the container was made by this process, of code for the same module with the same options.
                unsafe { jit.load_image(container) }.expect("it is loaded");
            }
            jit
        });
        jit.compile(index, Entry::Start, &mut CompilerContext::default()).expect("it compiles");
        assert!(jit.install(func, Callers::All).expect("there is room for a stack"));
    }
}

impl Executable for Code {
    fn first_entry(&self, index: u32) -> FuncEntry {
        FuncEntry {
            code: Ip::new(&raw const EXTERNAL),
            entry: self.in_rust.get(&index).copied().unwrap_or(compile_first),
        }
    }

    fn initial_budget(&self) -> i32 {
        i32::MAX
    }

    fn first_call(&self, func: &RunningFunc<'_>) {
        self.compile(func);
    }

    fn vm_data(&self) -> *const c_void {
        ptr::from_ref(self).cast()
    }
}

unsafe extern "C" fn compile_first(store: *mut VmStore, func: *mut VmFunc, slots: *mut u64) -> Status {
    // SAFETY: this is the entry of functions of instances whose code is a `Code`, so `tier_data` points to one that is alive.
    // The caller passes a live function, its store, and its slots.
    unsafe {
        (*(*(*func).instance).tier_data.cast::<Code>()).compile(&RunningFunc::new(func));
        ((*func).entry)(store, func, slots)
    }
}

/// The state that stores of one engine share.
pub struct World {
    pub registry: Arc<TypeRegistry>,
    pub limits: StoreLimits,
}

impl World {
    pub fn new() -> World {
        World { registry: Arc::new(TypeRegistry::new()), limits: StoreLimits::default() }
    }

    pub fn store<T>(&self, data: T) -> Store<T> {
        let config = StoreConfig {
            registry: self.registry.clone(),
            tier: Arc::new(NativeTier),
            limits: self.limits,
            memory: MemoryStrategy::Guarded,
            metered: false,
            usage: None,
            gc_stress: false,
        };
        Store::new(config, data)
    }

    /// Returns a module from text. `in_rust` has pairs of a defined index and a Rust function that takes the place of that
    /// function's body.
    pub fn module(&self, text: &str, in_rust: &[(u32, ArrayCall)]) -> LoadedModule {
        let bytes = ModuleBytes::from(wat::parse_str(text).unwrap());
        let module = Module::new(bytes, "test.wasm", &Features::default(), &self.registry, 1).unwrap();
        let in_rust = in_rust.iter().copied().collect();
        let code = Code { module: module.clone(), jit: OnceLock::new(), in_rust, container: None };
        LoadedModule { code: Arc::new(code), module }
    }

    /// Returns a module whose machine code is loaded from a container, if there is one, and its code.
    pub fn module_with_image(&self, text: &str, container: Option<Arc<Container>>) -> (LoadedModule, Arc<Code>) {
        let bytes = ModuleBytes::from(wat::parse_str(text).unwrap());
        let module = Module::new(bytes, "test.wasm", &Features::default(), &self.registry, 1).unwrap();
        let code = Code { module: module.clone(), jit: OnceLock::new(), in_rust: HashMap::new(), container };
        let code = Arc::new(code);
        (LoadedModule { code: code.clone(), module }, code)
    }
}

/// A store with one instance.
pub struct Running<T = ()> {
    pub store: Store<T>,
    pub instance: Instance,
}

impl Running {
    pub fn new(text: &str) -> Running {
        Running::with(text, &[])
    }

    pub fn with(text: &str, in_rust: &[(u32, ArrayCall)]) -> Running {
        let world = World::new();
        let mut store = world.store(());
        let instance = Instance::new(&mut store, &world.module(text, in_rust), &[]).unwrap();
        Running { store, instance }
    }
}

impl<T: 'static> Running<T> {
    pub fn importing(data: T, text: &str, imports: impl FnOnce(&mut Store<T>) -> Vec<Extern>) -> Running<T> {
        let world = World::new();
        let mut store = world.store(data);
        let imports = imports(&mut store);
        let instance = Instance::new(&mut store, &world.module(text, &[]), &imports).unwrap();
        Running { store, instance }
    }

    pub fn try_call<P: WasmTyList, R: WasmTyList>(&mut self, name: &str, params: P) -> Result<R, wasmr_runtime::Stop> {
        let func = self.instance.get_typed_func::<P, R>(&self.store, name).unwrap();
        func.call(&mut self.store, params)
    }

    pub fn call<P: WasmTyList, R: WasmTyList>(&mut self, name: &str, params: P) -> R {
        self.try_call(name, params).unwrap()
    }
}
