//! Host functions: their definitions, the [`Caller`] that a call gets, and the entry through which guests reach them.
//!
//! - A [`HostFuncDef`] is a closure with its type. It belongs to no store, and a linker keeps many.
//! - A `HostFunc` is a definition made callable in a store.
//! - A [`Caller`] is one call's view of the store.
//!
//! # The calling instance
//! The tier stores the calling instance in [`VmStore::caller`]. A function that satisfies an import also knows the importing
//! instance, which nearly always is the caller. The entry takes that one if the tier stored none.
//!
//! # A panic must not cross guest frames
//! Guest frames are not Rust's and cannot be unwound. The entry catches a panic and keeps it in the store. The guest's tier
//! sees [`Status::HOST`], and the panic continues at the boundary at which the guest was entered.

use std::ffi::c_void;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::{self, NonNull};
use std::sync::Arc;

use wasmr_core::types::{FuncType, ValType};
use wasmr_module::Module;

use crate::context::{AsContext, AsContextMut, StoreContext, StoreContextMut};
use crate::externs::Extern;
use crate::func::{Func, read_values};
use crate::instance::{ExportedMemory, InstanceObject};
use crate::interrupt::InterruptHandle;
use crate::shared_memory::SharedMemory;
use crate::store::{FuelError, StoreInner};
use crate::trap::{HostEnd, Stop};
use crate::value::{TypeMismatch, Val};
use crate::vm::{Status, VmFunc, VmHostFunc, VmInstance, VmStore};

/// A [`Caller`] without the type of the store's data.
#[derive(Clone, Copy)]
pub(crate) struct RawCaller {
    pub(crate) store: NonNull<StoreInner>,
    instance: *mut VmInstance,
}

type RawHostFn = dyn Fn(RawCaller, &mut [u64]) -> Result<(), Stop> + Send + Sync;

/// A closure with a WebAssembly function type, not yet in a store.
pub struct HostFuncDef {
    ty: Arc<FuncType>,
    call: Box<RawHostFn>,
}

/// A host function in a store.
#[repr(C)]
pub(crate) struct HostFunc {
    pub(crate) vm: VmHostFunc,
    def: Arc<HostFuncDef>,
    /// The instance that imports the function; null if it was not made for an import.
    importer: *mut VmInstance,
}

/// A host function's view of its call: the store, and the instance that called.
pub struct Caller<'a, T> {
    store: StoreContextMut<'a, T>,
    instance: *mut VmInstance,
}

/// The memory of a call's instance.
#[derive(Debug)]
pub enum CallerMemory<'a> {
    /// The bytes of a memory that only this store has.
    Own(&'a mut [u8]),
    /// A memory that other threads change at any time.
    Shared(&'a SharedMemory),
}

impl<'a> CallerMemory<'a> {
    /// Returns the bytes; `None` if other threads share the memory.
    pub fn into_bytes(self) -> Option<&'a mut [u8]> {
        if let CallerMemory::Own(bytes) = self { Some(bytes) } else { None }
    }
}

impl HostFuncDef {
    /// Returns a definition from a closure over slots.
    ///
    /// # Safety
    /// The closure must leave well-typed results: an `i32` or `f32` zero-extended, and a reference null or of its type and of
    /// the store. The definition must be instantiated only in stores with data of type `T`.
    pub(crate) unsafe fn raw<T: 'static>(
        ty: FuncType,
        func: impl Fn(Caller<'_, T>, &mut [u64]) -> Result<(), Stop> + Send + Sync + 'static,
    ) -> HostFuncDef {
        let call = move |raw: RawCaller, slots: &mut [u64]| {
            // SAFETY: the store has data of type `T`, as the caller of `raw` promises, and `host_entry` lends it to this call
            // alone.
            let store = unsafe { StoreContextMut::new(raw.store) };
            func(Caller { store, instance: raw.instance }, slots)
        };
        HostFuncDef { ty: Arc::new(ty), call: Box::new(call) }
    }

    /// Returns a definition from a closure over the slots of numbers. Any bits are a number, and the definition zero-extends
    /// results that are narrower than their slot. It must be instantiated only in stores with data of type `T`.
    ///
    /// # Panics
    /// If a parameter or result is a reference.
    pub(crate) fn numeric<T: 'static>(
        ty: FuncType,
        func: impl Fn(Caller<'_, T>, &mut [u64]) -> Result<(), Stop> + Send + Sync + 'static,
    ) -> HostFuncDef {
        let is_ref = |ty: &ValType| matches!(ty, ValType::Ref(_));
        assert!(
            !ty.params().iter().chain(ty.results()).any(is_ref),
            "a numeric function takes and returns no references"
        );
        let masks: Box<[u64]> = ty.results().iter().flat_map(|&ty| result_masks(ty)).copied().collect();
        let call = move |caller: Caller<'_, T>, slots: &mut [u64]| {
            func(caller, slots)?;
            for (slot, mask) in slots.iter_mut().zip(&masks) {
                *slot &= mask;
            }
            Ok(())
        };
        // SAFETY: results are numbers, for which any bits are valid, and the masks zero-extend narrow ones.
        unsafe { HostFuncDef::raw(ty, call) }
    }

    /// Returns a definition from a closure over values. It must be instantiated only in stores with data of type `T`.
    pub(crate) fn new<T: 'static>(
        ty: FuncType,
        func: impl Fn(Caller<'_, T>, &[Val], &mut [Val]) -> Result<(), Stop> + Send + Sync + 'static,
    ) -> HostFuncDef {
        let signature = ty.clone();
        let call = move |mut caller: Caller<'_, T>, slots: &mut [u64]| {
            let store = caller.store.inner_mut();
            let mut params = vec![Val::I32(0); signature.params().len()];
            // SAFETY: the guest that calls left parameters of these types, of this store: `host_entry` requires it.
            unsafe { read_values(store, signature.params(), slots, &mut params) };
            let registry = store.registry().clone();
            let default = |&ty| Val::default_for(&registry, ty).unwrap_or(Val::AnyRef(None));
            let mut results: Vec<Val> = signature.results().iter().map(default).collect();
            let root = caller.store.root();
            func(caller, &params, &mut results)?;
            // SAFETY: the closure has returned the store that was lent to it, and no one else uses the store during the call.
            let store = unsafe { root.as_ref() };
            let mut at = 0;
            for (index, (&result, &ty)) in results.iter().zip(signature.results()).enumerate() {
                result.to_slots(store, ty, &mut slots[at..]).map_err(|source| not_of_its_type(index, source))?;
                at += ty.slots();
            }
            Ok(())
        };
        // SAFETY: `to_slots` checks each result against its type and the store.
        unsafe { HostFuncDef::raw(ty, call) }
    }

    /// Returns the type.
    pub fn ty(&self) -> &Arc<FuncType> {
        &self.ty
    }

    /// Creates a function of a store from the definition.
    ///
    /// # Safety
    /// The store's data is of the type that the definition was made for. `importer` is null or an instance of the store.
    pub(crate) unsafe fn instantiate(self: &Arc<Self>, store: &mut StoreInner, importer: *mut VmInstance) -> Func {
        let vm = VmFunc {
            code: store.tier().external_code(),
            instance: ptr::null_mut(),
            entry: host_entry,
            type_id: store.types().intern_func(self.ty.clone()),
            index: 0,
            arg_slots: u32::try_from(self.ty.arg_slots()).expect("a signature has fewer than 2^32 slots"),
            data: ptr::null(),
            native: store.tier().unresolved_native(),
            native_context: ptr::null_mut(),
        };
        let vm = VmHostFunc { func: vm, store: store.vm_address() };
        let handle = store.add_host_func(HostFunc { vm, def: self.clone(), importer });
        let host: *mut HostFunc = handle.as_ptr();
        // SAFETY: the store keeps the new object at this address, no one else knows it yet, and `vm` is its first field.
        unsafe {
            (*host).vm.func.data = host.cast::<c_void>();
            (*host).vm.func.native_context = host.cast::<c_void>();
            Func::from_raw(NonNull::new_unchecked(host.cast()), store.id())
        }
    }
}

/// Returns the bits that a number of type `ty` may have set in its slots.
fn result_masks(ty: ValType) -> &'static [u64] {
    match ty {
        ValType::I32 | ValType::F32 => &[u32::MAX as u64],
        ValType::V128 => &[u64::MAX; 2],
        ValType::I64 | ValType::F64 | ValType::Ref(_) => &[u64::MAX],
    }
}

/// Returns the failure of a host function whose result `index` is not of its type. [`Stop::downcast`] finds the
/// [`TypeMismatch`].
fn not_of_its_type(index: usize, mismatch: TypeMismatch) -> Stop {
    let text = format!("result {index} of a host function: {mismatch}");
    anyhow::Error::new(mismatch).context(text).into()
}

/// [`VmFunc::entry`] of every host function.
///
/// # Safety
/// As [`ArrayCall`](crate::vm::ArrayCall) requires, for a function made by [`HostFuncDef::instantiate`].
unsafe extern "C" fn host_entry(store: *mut VmStore, func: *mut VmFunc, slots: *mut u64) -> Status {
    // SAFETY: the caller promises a host function, whose `data` is its `HostFunc` and lives as long as the store. The rest is as
    // `run_host` requires.
    unsafe {
        let host = (*func).data.cast::<HostFunc>();
        let def: &HostFuncDef = &(*host).def;
        run_host(store, func, slots, (*host).importer, |caller, slots| (def.call)(caller, slots))
    }
}

/// Runs the closure of a host function. `importer` is the instance that imports it, or null.
///
/// # Safety
/// As [`ArrayCall`](crate::vm::ArrayCall) requires, for a host function.
#[inline(always)]
pub(crate) unsafe fn run_host(
    store: *mut VmStore,
    func: *mut VmFunc,
    slots: *mut u64,
    importer: *mut VmInstance,
    call: impl FnOnce(RawCaller, &mut [u64]) -> Result<(), Stop>,
) -> Status {
    // SAFETY: the caller promises a live store, and room for `arg_slots` at `slots`. No reference to the store is kept across the
    // closure, which reaches it by its address.
    unsafe {
        let inner = NonNull::new_unchecked((*store).store);
        let said = ptr::replace(&raw mut (*store).caller, ptr::null_mut());
        let instance = if said.is_null() { importer } else { said };
        let slots = slots_of(slots, (*func).arg_slots as usize);
        let scope = (*inner.as_ptr()).heap.open_scope();
        let run = || match call(RawCaller { store: inner, instance }, slots) {
            Ok(()) => Status::OK,
            Err(stop) => (*inner.as_ptr()).end_run(stop),
        };
        let status = catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|payload| {
            (*inner.as_ptr()).host_end = Some(HostEnd::Panic(payload));
            Status::HOST
        });
        (*inner.as_ptr()).heap.close_scope(scope);
        status
    }
}

/// # Safety
/// If `count` is not 0, `slots` points to as many slots that are the callee's for the call.
unsafe fn slots_of<'a>(slots: *mut u64, count: usize) -> &'a mut [u64] {
    if count == 0 {
        return &mut [];
    }
    // SAFETY: the caller promises `count` slots, which nothing else uses during the call.
    unsafe { std::slice::from_raw_parts_mut(slots, count) }
}

impl<T> Caller<'_, T> {
    /// Returns the embedder's data.
    pub fn data(&self) -> &T {
        self.store.data()
    }

    /// Returns the embedder's data for writing.
    pub fn data_mut(&mut self) -> &mut T {
        self.store.data_mut()
    }

    /// Returns the remaining fuel.
    ///
    /// # Errors
    /// As [`Store::fuel`](crate::Store::fuel).
    pub fn fuel(&self) -> Result<u64, FuelError> {
        self.store.inner().fuel()
    }

    /// Sets the remaining fuel, as [`Store::set_fuel`](crate::Store::set_fuel) does.
    ///
    /// # Errors
    /// As there.
    pub fn set_fuel(&mut self, fuel: u64) -> Result<(), FuelError> {
        self.store.inner_mut().set_fuel(fuel)
    }

    /// Collects garbage now, as [`Store::gc`](crate::Store::gc) does.
    pub fn gc(&mut self) {
        self.store.gc();
    }

    fn instance(&self) -> Option<&InstanceObject> {
        // SAFETY: the pointer is null or an instance of this store, which lives as long as the store, and so does its Rust
        // side.
        unsafe { Some(&*self.instance.as_ref()?.instance) }
    }

    /// Returns the module of the calling instance; `None` if no instance called.
    pub fn module(&self) -> Option<&Arc<Module>> {
        self.instance().map(InstanceObject::module)
    }

    /// Returns the calling instance's export of that name; `None` if it exports no such name or no instance called.
    pub fn get_export(&self, name: &str) -> Option<Extern> {
        self.instance()?.export(name)
    }

    /// Returns the handle by which another thread can end the run, for host functions that wait; `None` if only the store has
    /// it, so that there is nothing to watch.
    pub fn interrupt_handle(&self) -> Option<&InterruptHandle> {
        Some(self.store.inner().interrupt()).filter(|handle| handle.is_shared())
    }

    /// Returns the memory that the calling instance exports as `memory`, if it does, and the embedder's data, both for writing.
    /// No name is looked up.
    pub fn memory_and_data(&mut self) -> (Option<CallerMemory<'_>>, &mut T) {
        // SAFETY: the pointer is null or an instance of this store, which lives as long as the store, and so does its Rust
        // side. Its exported memory never changes.
        let memory = unsafe { self.instance.as_ref().and_then(|vm| (*vm.instance).exported_memory()) };
        let (store, data) = self.store.as_context_mut().split();
        let memory = memory.map(|memory| match memory {
            ExportedMemory::Own(memory) => CallerMemory::Own(memory.0.get_mut(store).bytes_mut()),
            ExportedMemory::Shared(memory) => CallerMemory::Shared(memory),
        });
        (memory, data)
    }
}

impl<T> AsContext for Caller<'_, T> {
    type Data = T;

    fn as_context(&self) -> StoreContext<'_, T> {
        self.store.as_context()
    }
}

impl<T> AsContextMut for Caller<'_, T> {
    fn as_context_mut(&mut self) -> StoreContextMut<'_, T> {
        self.store.as_context_mut()
    }
}
