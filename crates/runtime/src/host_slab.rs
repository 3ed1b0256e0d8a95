//! [`HostSlab`]: many host functions of one closure, in one allocation.
//!
//! A component imports hundreds of functions that differ in a number alone. A slab makes them without a lock, a hash or an
//! allocation for each: their types were interned before, by the owner of the closure.

use std::ffi::c_void;
use std::ptr::{self, NonNull};

use wasmr_core::types::TypeId;

use crate::context::{AsContext, AsContextMut, StoreContextMut};
use crate::func::Func;
use crate::handle::{Handle, Pinned};
use crate::host::{RawCaller, run_host};
use crate::store::StoreInner;
use crate::trap::Stop;
use crate::vm::{Status, VmFunc, VmHostFunc, VmStore};

type SlabFn = dyn Fn(RawCaller, u32, &mut [u64]) -> Result<(), Stop> + Send + Sync;

/// The type of a function in a slab.
#[derive(Clone, Copy, Debug)]
pub struct SlabFuncType {
    /// Canonical type, whose parameters and results are numbers.
    pub id: TypeId,
    /// Slots of the argument area: the larger of the parameter and the result slots of the type.
    pub arg_slots: u32,
}

/// A function of a slab.
#[repr(C)]
struct SlabFunc {
    vm: VmHostFunc,
    slab: *const SlabObject,
    /// Number of the function, which the closure gets.
    context: u32,
}

/// The functions of a slab, and their closure.
pub(crate) struct SlabObject {
    funcs: NonNull<[SlabFunc]>,
    call: Box<SlabFn>,
}

impl Drop for SlabObject {
    fn drop(&mut self) {
        // SAFETY: `HostSlab::new` leaked the functions from a box, and only this frees them.
        drop(unsafe { Box::from_raw(self.funcs.as_ptr()) });
    }
}

/// Host functions of one closure in a store, numbered from 0.
#[derive(Clone, Copy, Debug)]
pub struct HostSlab {
    object: Handle<SlabObject>,
}

impl HostSlab {
    /// Creates functions of these types, whose calls `call` answers. It gets the number of the function and the slots: parameters in
    /// `slots[0..]` at entry, results in `slots[0..]` at return.
    ///
    /// # Safety
    /// - Every type is a function type of the store's registry, without references, and has as many argument slots as stated. The
    ///   types stay registered as long as the store lives; the closure may own them.
    /// - The closure leaves results of the function's type: an `i32` or `f32` is zero-extended.
    pub unsafe fn new<T: 'static>(
        mut store: impl AsContextMut<Data = T>,
        types: &[SlabFuncType],
        call: impl Fn(StoreContextMut<'_, T>, u32, &mut [u64]) -> Result<(), Stop> + Send + Sync + 'static,
    ) -> HostSlab {
        let mut context = store.as_context_mut();
        let call = move |raw: RawCaller, context: u32, slots: &mut [u64]| {
            // SAFETY: the functions are made for a store with data of type `T`, which `run_host` lends to this call alone.
            call(unsafe { StoreContextMut::new(raw.store) }, context, slots)
        };
        let store = context.inner_mut();
        let vm_store = store.vm_address();
        let (code, native) = (store.tier().external_code(), store.tier().unresolved_native());
        let func = |(context, ty): (u32, &SlabFuncType)| {
            let vm = VmFunc {
                code,
                instance: ptr::null_mut(),
                entry: slab_entry,
                type_id: ty.id,
                index: 0,
                arg_slots: ty.arg_slots,
                data: ptr::null(),
                native,
                native_context: ptr::null_mut(),
            };
            SlabFunc { vm: VmHostFunc { func: vm, store: vm_store }, slab: ptr::null(), context }
        };
        let funcs: Box<[SlabFunc]> = (0..).zip(types).map(func).collect();
        let funcs = NonNull::from(Box::leak(funcs));
        let object = store.add_slab(SlabObject { funcs, call: Box::new(call) });
        for index in 0..funcs.len() {
            // SAFETY: the index is in range, and no one else knows the functions yet.
            unsafe {
                let func = funcs.as_ptr().cast::<SlabFunc>().add(index);
                (*func).slab = object.as_ptr();
                (*func).vm.func.data = func.cast::<c_void>();
                (*func).vm.func.native_context = func.cast::<c_void>();
            }
        }
        HostSlab { object }
    }

    /// Returns the function of that number.
    ///
    /// # Panics
    /// If the slab is of another store or has no such function.
    pub fn get(self, store: impl AsContext, index: u32) -> Func {
        let context = store.as_context();
        let store = context.inner();
        let funcs = self.object.get(store).funcs;
        assert!((index as usize) < funcs.len(), "a slab of {} functions has no function {index}", funcs.len());
        // SAFETY: the index is in range. The function is in the store, which keeps the slab, and its `VmFunc` is its beginning.
        unsafe {
            let func = funcs.cast::<SlabFunc>().add(index as usize);
            Func::from_raw(func.cast(), store.id())
        }
    }
}

/// [`VmFunc::entry`] of every function of a slab.
///
/// # Safety
/// As [`ArrayCall`](crate::vm::ArrayCall) requires, for a function made by [`HostSlab::new`].
unsafe extern "C" fn slab_entry(store: *mut VmStore, func: *mut VmFunc, slots: *mut u64) -> Status {
    // SAFETY: the caller promises a function of a slab, whose `data` is its `SlabFunc`; both live as long as the store. The rest is as
    // `run_host` requires.
    unsafe {
        let slab_func = (*func).data.cast::<SlabFunc>();
        let call: &SlabFn = &*(*(*slab_func).slab).call;
        run_host(store, func, slots, ptr::null_mut(), |caller, slots| call(caller, (*slab_func).context, slots))
    }
}

impl StoreInner {
    fn add_slab(&mut self, slab: SlabObject) -> Handle<SlabObject> {
        let pinned = Pinned::new(slab);
        let address = pinned.as_ptr();
        self.slabs.push(pinned);
        // SAFETY: the list belongs to the store and never shrinks, so that the object stays at its address until the store is
        // dropped.
        unsafe { Handle::new(address, self.id()) }
    }
}
