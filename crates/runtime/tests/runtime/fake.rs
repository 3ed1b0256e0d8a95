//! A tier whose functions are Rust functions, and helpers for modules and stores.

use std::ffi::c_void;
use std::ptr::{self, NonNull};
use std::sync::Arc;

use wasmr_core::registry::TypeRegistry;
use wasmr_core::trap::TrapCode;
use wasmr_module::{Features, Module, ModuleBytes};
use wasmr_runtime::frame::{Fp, Ip};
use wasmr_runtime::tier::{Executable, FuncEntry, Tier};
use wasmr_runtime::vm::{ArrayCall, Status, VmFunc, VmStore};
use wasmr_runtime::walk::{FrameList, Place, PlaceKind, Segment, Walk};
use wasmr_runtime::{LoadedModule, MemoryStrategy, Store, StoreConfig, StoreLimits};

/// A tier with one guest frame, the one that an entry left in `exit_fp`.
struct FakeTier;

static CODE: u64 = 0;

/// Budget of every new instance.
pub const INITIAL_BUDGET: i32 = 77;

impl Tier for FakeTier {
    fn external_code(&self) -> Ip {
        Ip::new(&raw const CODE)
    }

    fn walk(&self, walk: &mut Walk<'_>) {
        let Some(Segment::Interpreted { fp, .. }) = walk.segment() else { return };
        let func = NonNull::new(fp.as_ptr().cast::<VmFunc>()).unwrap();
        // SAFETY: an entry of this file left its function in `exit_fp`, whose instance lives as long as the store.
        walk.visit(unsafe { Place::interpreted(func, self.external_code()) });
    }

    fn locate(&self, place: Place, frames: &mut FrameList) {
        let PlaceKind::Interpreted { func, .. } = place.kind() else { return };
        // SAFETY: an entry of this file left its function in `exit_fp`, whose instance lives as long as the store.
        let (module, func_index) =
            unsafe { ((*(*func.as_ref().instance).instance).module().clone(), func.as_ref().index) };
        frames.add(&module, func_index, || Some(0x2a));
    }
}

/// The entries of a module's functions, in order.
struct FakeCode(Vec<ArrayCall>);

impl Executable for FakeCode {
    fn first_entry(&self, index: u32) -> FuncEntry {
        FuncEntry { code: Ip::new(&raw const CODE), entry: self.0.get(index as usize).copied().unwrap_or(unexpected) }
    }

    fn initial_budget(&self) -> i32 {
        INITIAL_BUDGET
    }

    fn vm_data(&self) -> *const c_void {
        ptr::null()
    }
}

unsafe extern "C" fn unexpected(_: *mut VmStore, _: *mut VmFunc, _: *mut u64) -> Status {
    panic!("a test called a function for which it gave no entry")
}

/// An entry that returns its `i32` parameter plus one.
pub unsafe extern "C" fn add_one(_: *mut VmStore, _: *mut VmFunc, slots: *mut u64) -> Status {
    // SAFETY: the function has one parameter and one result, so that there is one slot.
    unsafe { *slots = u64::from((*slots as u32).wrapping_add(1)) };
    Status::OK
}

/// An entry that traps with `unreachable`.
pub unsafe extern "C" fn trap(store: *mut VmStore, func: *mut VmFunc, _: *mut u64) -> Status {
    // SAFETY: the store of a running function is alive.
    unsafe {
        (*store).trap_code = TrapCode::Unreachable;
        (*store).exit_fp = Fp::new(func.cast());
    }
    Status::TRAP
}

/// An entry that calls the module's function 0, an import, with its own arguments, as a tier calls an external function.
pub unsafe extern "C" fn call_import(store: *mut VmStore, func: *mut VmFunc, slots: *mut u64) -> Status {
    // SAFETY: the instance of a running function is alive, and its module has an import of the function's type.
    unsafe {
        let instance = (*func).instance;
        let offset = (*(*instance).instance).layout().imported_func(0);
        let callee = *instance.byte_add(offset as usize).cast::<*mut VmFunc>();
        (*store).caller = instance;
        (*store).exit_fp = Fp::new(func.cast());
        ((*callee).entry)(store, callee, slots)
    }
}

pub const NO_ENTRIES: &[ArrayCall] = &[];

/// The state that an engine shares between stores.
pub struct World {
    pub registry: Arc<TypeRegistry>,
}

impl World {
    pub fn new() -> World {
        World { registry: Arc::new(TypeRegistry::new()) }
    }

    /// Returns a module from text, with an entry for each function that it defines.
    pub fn module(&self, text: &str, entries: &[ArrayCall]) -> LoadedModule {
        let bytes = ModuleBytes::from(wat::parse_str(text).unwrap());
        let module = Module::new(bytes, "test.wasm", &Features::default(), &self.registry, 1).unwrap();
        LoadedModule { module, code: Arc::new(FakeCode(entries.to_vec())) }
    }

    pub fn config(&self) -> StoreConfig {
        StoreConfig {
            registry: self.registry.clone(),
            tier: Arc::new(FakeTier),
            limits: StoreLimits::default(),
            memory: MemoryStrategy::Guarded,
            metered: false,
            usage: None,
            gc_stress: false,
        }
    }

    pub fn store<T>(&self, data: T) -> Store<T> {
        Store::new(self.config(), data)
    }
}
