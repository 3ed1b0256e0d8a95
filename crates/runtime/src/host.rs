//! Host functions: what they are made of, what a call of one gets ([`Caller`]), and the entry through which guests
//! reach them.
//!
//! Three things: a [`HostFuncDef`] is a closure with its type, belonging to no store (a linker keeps many); a
//! `HostFunc` is one made callable in a store; a [`Caller`] is what one call sees.
//!
//! # Which instance calls
//! The tier says it in [`VmStore::caller`]. A function that an import was satisfied with also knows the importing
//! instance, which is the one that calls, nearly always; it stands in where a tier says nothing.
//!
//! # A panic must not cross guest frames
//! They are not Rust's and cannot be unwound. The entry catches a panic and keeps it in the store; the guest sees
//! [`Status::HOST`], and at the boundary where the guest was entered the panic goes on.

use std::ffi::c_void;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::{self, NonNull};
use std::sync::Arc;

use wasmr_core::types::{FuncType, ValType};
use wasmr_module::Module;

use crate::context::{AsContext, AsContextMut, StoreContext, StoreContextMut};
use crate::externs::Extern;
use crate::func::{Func, read_values};
use crate::instance::InstanceObject;
use crate::interrupt::InterruptHandle;
use crate::store::StoreInner;
use crate::trap::{HostEnd, Stop};
use crate::value::{TypeMismatch, Val};
use crate::vm::{Status, VmFunc, VmHostFunc, VmInstance, VmStore};

/// A [`Caller`] without the type of the store's data.
#[derive(Clone, Copy)]
pub(crate) struct RawCaller {
    store: NonNull<StoreInner>,
    instance: *mut VmInstance,
}

type RawHostFn = dyn Fn(RawCaller, &mut [u64]) -> Result<(), Stop> + Send + Sync;

/// A closure as a function of WebAssembly, not yet in a store.
pub struct HostFuncDef {
    ty: Arc<FuncType>,
    call: Box<RawHostFn>,
}

/// A host function in a store.
#[repr(C)]
pub(crate) struct HostFunc {
    pub(crate) vm: VmHostFunc,
    def: Arc<HostFuncDef>,
    /// The instance whose import it is; null if made otherwise.
    importer: *mut VmInstance,
}

/// What a host function sees of its call: the store, and the instance that called.
pub struct Caller<'a, T> {
    store: StoreContextMut<'a, T>,
    instance: *mut VmInstance,
}

impl HostFuncDef {
    /// From a closure over slots.
    ///
    /// # Safety
    /// The closure must leave well-typed results: an `i32` or `f32` zero-extended, and in the place of a reference only
    /// null or a reference of that type, of the store. To be instantiated in stores with data of type `T`.
    pub(crate) unsafe fn raw<T: 'static>(
        ty: FuncType,
        func: impl Fn(Caller<'_, T>, &mut [u64]) -> Result<(), Stop> + Send + Sync + 'static,
    ) -> HostFuncDef {
        let call = move |raw: RawCaller, slots: &mut [u64]| {
            // SAFETY: the store at hand has data of type `T`, by the contract, and is lent to this call alone.
            let store = unsafe { StoreContextMut::new(raw.store) };
            func(Caller { store, instance: raw.instance }, slots)
        };
        HostFuncDef { ty: Arc::new(ty), call: Box::new(call) }
    }

    /// From a closure over the slots of numbers: any bits are a number, and results narrower than their slot are cut.
    /// To be instantiated in stores with data of type `T`.
    ///
    /// # Panics
    /// If a parameter or result is a reference.
    pub(crate) fn numeric<T: 'static>(
        ty: FuncType,
        func: impl Fn(Caller<'_, T>, &mut [u64]) -> Result<(), Stop> + Send + Sync + 'static,
    ) -> HostFuncDef {
        let is_ref = |ty: &ValType| matches!(ty, ValType::Ref(_));
        assert!(!ty.params().iter().chain(ty.results()).any(is_ref), "the type of a numeric function has a reference");
        let masks: Box<[u64]> = ty.results().iter().flat_map(|&ty| result_masks(ty)).copied().collect();
        let call = move |caller: Caller<'_, T>, slots: &mut [u64]| {
            func(caller, slots)?;
            for (slot, mask) in slots.iter_mut().zip(&masks) {
                *slot &= mask;
            }
            Ok(())
        };
        // SAFETY: results are numbers, which may have any bits, and narrow ones were cut.
        unsafe { HostFuncDef::raw(ty, call) }
    }

    /// From a closure over values. To be instantiated in stores with data of type `T`.
    pub(crate) fn new<T: 'static>(
        ty: FuncType,
        func: impl Fn(Caller<'_, T>, &[Val], &mut [Val]) -> Result<(), Stop> + Send + Sync + 'static,
    ) -> HostFuncDef {
        let signature = ty.clone();
        let call = move |mut caller: Caller<'_, T>, slots: &mut [u64]| {
            let store = caller.store.inner_mut();
            let mut params = vec![Val::I32(0); signature.params().len()];
            // SAFETY: the caller left parameters of these types.
            unsafe { read_values(store, signature.params(), slots, &mut params) };
            let registry = store.registry().clone();
            let default = |&ty| Val::default_for(&registry, ty).unwrap_or(Val::AnyRef(None));
            let mut results: Vec<Val> = signature.results().iter().map(default).collect();
            let root = caller.store.root();
            func(caller, &params, &mut results)?;
            // SAFETY: the closure is done with the store, which is ours for the rest of the call.
            let store = unsafe { root.as_ref() };
            let mut at = 0;
            for (index, (&result, &ty)) in results.iter().zip(signature.results()).enumerate() {
                result.to_slots(store, ty, &mut slots[at..]).map_err(|source| not_of_its_type(index, source))?;
                at += ty.slots();
            }
            Ok(())
        };
        // SAFETY: results are checked above.
        unsafe { HostFuncDef::raw(ty, call) }
    }

    /// Its type.
    pub fn ty(&self) -> &Arc<FuncType> {
        &self.ty
    }

    /// Makes it a function of a store.
    ///
    /// # Safety
    /// The store's data is of the type that the definition was made for; `importer` is null or an instance of the
    /// store.
    pub(crate) unsafe fn instantiate(self: &Arc<Self>, store: &mut StoreInner, importer: *mut VmInstance) -> Func {
        let vm = VmFunc {
            code: store.tier().external_code(),
            instance: ptr::null_mut(),
            entry: host_entry,
            type_id: store.types().intern_func(self.ty.clone()),
            index: 0,
            arg_slots: u32::try_from(self.ty.arg_slots()).expect("a signature of more than 4 G slots"),
            data: ptr::null(),
            native: store.tier().unresolved_native(),
            native_context: ptr::null_mut(),
        };
        let vm = VmHostFunc { func: vm, store: store.vm_address() };
        let handle = store.add_host_func(HostFunc { vm, def: self.clone(), importer });
        let host: *mut HostFunc = handle.as_ptr();
        // SAFETY: just made; the store keeps it at this address, and `vm` is its first field.
        unsafe {
            (*host).vm.func.data = host.cast::<c_void>();
            (*host).vm.func.native_context = host.cast::<c_void>();
            Func::from_raw(NonNull::new_unchecked(host.cast()), store.id())
        }
    }
}

/// Which bits of its slots a number may have set.
fn result_masks(ty: ValType) -> &'static [u64] {
    match ty {
        ValType::I32 | ValType::F32 => &[u32::MAX as u64],
        ValType::V128 => &[u64::MAX; 2],
        ValType::I64 | ValType::F64 | ValType::Ref(_) => &[u64::MAX],
    }
}

/// The failure of a host function whose result `index` is not of its type. A [`TypeMismatch`] can be taken out of it.
fn not_of_its_type(index: usize, mismatch: TypeMismatch) -> Stop {
    let text = format!("result {index} of a host function: {mismatch}");
    anyhow::Error::new(mismatch).context(text).into()
}

/// [`VmFunc::entry`] of every host function.
///
/// # Safety
/// As [`ArrayCall`](crate::vm::ArrayCall) says, for a function made by [`HostFuncDef::instantiate`].
unsafe extern "C" fn host_entry(store: *mut VmStore, func: *mut VmFunc, slots: *mut u64) -> Status {
    // SAFETY: a host function's `data` is its `HostFunc`, which lives as long as the store; `slots` has room for
    // `arg_slots` by the contract of the call. References are not kept across the closure, which reaches the store by
    // its address.
    unsafe {
        let inner = NonNull::new_unchecked((*store).store);
        let host = (*func).data.cast::<HostFunc>();
        let said = ptr::replace(&raw mut (*store).caller, ptr::null_mut());
        let instance = if said.is_null() { (*host).importer } else { said };
        let slots = slots_of(slots, (*func).arg_slots as usize);
        let scope = (*inner.as_ptr()).ref_heap.open_scope();
        let def: &HostFuncDef = &(*host).def;
        let run = || match (def.call)(RawCaller { store: inner, instance }, slots) {
            Ok(()) => Status::OK,
            Err(stop) => (*inner.as_ptr()).end_run(stop),
        };
        let status = catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|payload| {
            (*inner.as_ptr()).host_end = Some(HostEnd::Panic(payload));
            Status::HOST
        });
        (*inner.as_ptr()).ref_heap.close_scope(scope);
        status
    }
}

/// # Safety
/// If `count` is not 0, `slots` points to as many slots that are the callee's for the call.
unsafe fn slots_of<'a>(slots: *mut u64, count: usize) -> &'a mut [u64] {
    if count == 0 {
        return &mut [];
    }
    // SAFETY: the contract.
    unsafe { std::slice::from_raw_parts_mut(slots, count) }
}

impl<T> Caller<'_, T> {
    /// The embedder's data.
    pub fn data(&self) -> &T {
        self.store.data()
    }

    /// The embedder's data, to change.
    pub fn data_mut(&mut self) -> &mut T {
        self.store.data_mut()
    }

    fn instance(&self) -> Option<&InstanceObject> {
        // SAFETY: null or an instance of this store, whose Rust side lives as long as it.
        unsafe { Some(&*self.instance.as_ref()?.instance) }
    }

    /// The module of the calling instance; `None` if no instance called.
    pub fn module(&self) -> Option<&Arc<Module>> {
        self.instance().map(InstanceObject::module)
    }

    /// What the calling instance exports under that name; `None` if it exports no such thing or no instance called.
    pub fn get_export(&self, name: &str) -> Option<Extern> {
        self.instance()?.export(name)
    }

    /// What can end the run from another thread, for host functions that wait; `None` while nobody has a handle of this
    /// store, so that there is nothing to watch.
    pub fn interrupt_handle(&self) -> Option<&InterruptHandle> {
        Some(self.store.inner().interrupt()).filter(|handle| handle.is_shared())
    }

    /// The memory that the calling instance exports as `memory`, if it does, and the embedder's data, both to change. No name
    /// is looked up.
    pub fn memory_and_data(&mut self) -> (Option<&mut [u8]>, &mut T) {
        let memory = self.instance().and_then(InstanceObject::exported_memory);
        let (store, data) = self.store.as_context_mut().split();
        (memory.map(|memory| memory.0.get_mut(store).bytes_mut()), data)
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
