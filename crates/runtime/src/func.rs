//! [`Func`]: a function in a store, and the only way into guest code.
//!
//! In: typed values ([`Func::call`], [`TypedFunc`]) from the embedder, or from a host function that calls back. They go through
//! [`VmFunc::entry`](crate::vm::VmFunc::entry) in one array of slots. Out: results, or a [`Stop`].
//!
//! # At the boundary
//! `call_slots` is the outermost frame of a run of guest code on the native stack.
//! - Before the run, it maps the value stack at the first call, gives the thread its signal stack, and bounds how often host
//!   and guest may nest on the native stack.
//! - After the run, it turns a [`Status`] into a [`Stop`]. A trap gets its backtrace here. An error of the host is taken out of
//!   the store. A panic, which was caught before it could unwind through guest frames, continues.

use std::panic::resume_unwind;
use std::ptr::{self, NonNull};
use std::sync::Arc;

use wasmr_core::count::Count;
use wasmr_core::limits::{MAX_BACKTRACE_FRAMES, MAX_NATIVE_DEPTH};
use wasmr_core::trap::TrapCode;
use wasmr_core::types::{FuncType, TypeId, ValType};

use crate::collect::drop_values;
use crate::context::{AsContext, AsContextMut, StoreContextMut};
use crate::exit::InterpreterExit;
use crate::handle::{Handle, StoreId};
use crate::host::{Caller, HostFuncDef};
use crate::limits::ResourceError;
use crate::rooted::Rooted;
use crate::store::StoreInner;
use crate::sys::{self, preempt};
use crate::trap::{Backtrace, FrameInfo, HostEnd, Stop, StopKind, Throw, Trap};
use crate::typed::{IntoFunc, TypedFunc, WasmTyList};
use crate::value::{TypeMismatch, Val};
use crate::vm::{Status, VmFunc, VmStore, call_entry};
use crate::walk::{Frame, FrameList, Locator, Visitor, Walk};

/// A function in a store, of the guest or of the host.
///
/// # Examples
/// ```
/// use wasmr::{Engine, Func, FuncType, Store, Val, ValType};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let mut store = Store::new(&Engine::default(), ());
/// // Of a type that is known at run time only:
/// let ty = FuncType::new([ValType::F64, ValType::F64], [ValType::F64]);
/// let hypot = Func::new(&mut store, ty, |_caller, params, results| {
///     let [x, y] = [params[0].f64().unwrap_or_default(), params[1].f64().unwrap_or_default()];
///     results[0] = Val::from(x.hypot(y));
///     Ok(())
/// });
/// let mut results = [Val::I32(0)];
/// hypot.call(&mut store, &[Val::from(3.0), Val::from(4.0)], &mut results)?;
/// assert_eq!(results, [Val::from(5.0)]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Func(Handle<VmFunc>);

/// The error of a call from the host that does not fit the function.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// The number of parameters is not the function's.
    #[error("the function takes {}, not {found}", Count(*.expected, "parameter"))]
    ParamCount {
        /// Number of the function's parameters.
        expected: usize,
        /// Number of parameters given.
        found: usize,
    },
    /// The number of results is not the function's.
    #[error("the function returns {}, but there is room for {found}", Count(*.expected, "result"))]
    ResultCount {
        /// Number of the function's results.
        expected: usize,
        /// Number of results that the caller has room for.
        found: usize,
    },
    /// A parameter is not of the function's type.
    #[error("parameter {index}: {source}")]
    Param {
        /// Index of the parameter, from 0.
        index: usize,
        /// The types expected and found.
        #[source]
        source: TypeMismatch,
    },
}

impl Func {
    /// Creates a host function of any type from a closure over [`Val`]s. When `func` is called, `results` holds the zero or
    /// null of each type. If a result has another type, the host function fails. The operator `?` makes a [`Stop`] of most
    /// errors, and [`Stop::host`] of every other one.
    pub fn new<T: 'static>(
        store: impl AsContextMut<Data = T>,
        ty: FuncType,
        func: impl Fn(Caller<'_, T>, &[Val], &mut [Val]) -> Result<(), Stop> + Send + Sync + 'static,
    ) -> Func {
        Func::from_def(store, &Arc::new(HostFuncDef::new(ty, func)))
    }

    /// Creates a host function from a Rust closure, whose parameters and results determine its type. The first parameter may be
    /// a [`Caller`]. Results may be in a `Result` with any error ([`HostResults`](crate::typed::HostResults)). Such an error
    /// ends the guest's call, and [`Stop::downcast_ref`] returns it.
    ///
    /// # Examples
    /// ```
    /// use wasmr::{Caller, Engine, Extern, Func, Instance, Module, Store};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let engine = Engine::default();
    /// let mut store = Store::new(&engine, 0);
    /// let count = Func::wrap(&mut store, |mut caller: Caller<'_, i32>, step: i32| *caller.data_mut() += step);
    /// let check = Func::wrap(&mut store, |n: i32| -> Result<i32, String> {
    ///     if n < 100 { Ok(n) } else { Err(format!("{n} is too many")) }
    /// });
    ///
    /// let module = Module::new(&engine, r#"(module
    ///     (import "" "count" (func $count (param i32)))
    ///     (import "" "check" (func $check (param i32) (result i32)))
    ///     (func (export "run") (param i32) (call $count (call $check (local.get 0)))))"#)?;
    /// let imports = [Extern::from(count), check.into()];
    /// let run = Instance::new(&mut store, &module, &imports)?.get_typed_func::<i32, ()>(&store, "run")?;
    /// run.call(&mut store, 12)?;
    /// assert_eq!(*store.data(), 12);
    /// assert!(run.call(&mut store, 200).unwrap_err().to_string().starts_with("200 is too many"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn wrap<T: 'static, P, R>(store: impl AsContextMut<Data = T>, func: impl IntoFunc<T, P, R>) -> Func {
        Func::from_def(store, &Arc::new(func.into_def()))
    }

    /// Creates a host function from a closure over the slots of numbers: parameters in `slots[0..]` at entry, results in
    /// `slots[0..]` at return, in the form of [`wasmr_core::value`]. Such calls cost the least.
    ///
    /// # Panics
    /// If a parameter or result is a reference.
    pub fn new_numeric<T: 'static>(
        store: impl AsContextMut<Data = T>,
        ty: FuncType,
        func: impl Fn(Caller<'_, T>, &mut [u64]) -> Result<(), Stop> + Send + Sync + 'static,
    ) -> Func {
        Func::from_def(store, &Arc::new(HostFuncDef::numeric(ty, func)))
    }

    fn from_def(mut store: impl AsContextMut, def: &Arc<HostFuncDef>) -> Func {
        let mut context = store.as_context_mut();
        // SAFETY: `T` of the definition is `T` of this store's data in all callers; no importer is given.
        unsafe { def.instantiate(context.inner_mut(), ptr::null_mut()) }
    }

    /// # Safety
    /// `func` is a function of the store `store`.
    pub(crate) unsafe fn from_raw(func: NonNull<VmFunc>, store: StoreId) -> Func {
        // SAFETY: the caller promises a function of that store, which lives as long as the store.
        Func(unsafe { Handle::new(func, store) })
    }

    /// Returns the function in a slot of a funcref type; `None` for null.
    ///
    /// # Safety
    /// The slot is null or a funcref of this store.
    pub(crate) unsafe fn from_slot(store: &StoreInner, word: u64) -> Option<Func> {
        let func = NonNull::new(ptr::with_exposed_provenance_mut::<VmFunc>(word as usize))?;
        // SAFETY: the caller promises that a word other than null is a function of this store.
        Some(unsafe { Func::from_raw(func, store.id()) })
    }

    /// Returns the function in the form of a funcref slot.
    pub(crate) fn as_slot(self) -> u64 {
        self.0.as_ptr().expose_provenance() as u64
    }

    pub(crate) fn as_ptr(self) -> *mut VmFunc {
        self.0.as_ptr()
    }

    pub(crate) fn store_id(self) -> StoreId {
        self.0.store_id()
    }

    #[track_caller]
    pub(crate) fn type_id(self, store: &StoreInner) -> TypeId {
        self.0.get(store).type_id
    }

    #[track_caller]
    pub(crate) fn func_type(self, store: &StoreInner) -> Arc<FuncType> {
        let ty = store.registry().func_type(self.type_id(store));
        ty.expect("a function's type is a function type")
    }

    /// Returns the type.
    pub fn ty(&self, store: impl AsContext) -> Arc<FuncType> {
        self.func_type(store.as_context().inner())
    }

    /// Calls the function.
    ///
    /// # Errors
    /// Returns a [`Stop`] of any kind; a [`CallError`] as a host's failure if the arguments do not fit.
    ///
    /// # Panics
    /// If the function or an argument is of another store. A panic of a host function continues here.
    pub fn call(&self, mut store: impl AsContextMut, params: &[Val], results: &mut [Val]) -> Result<(), Stop> {
        let mut context = store.as_context_mut();
        let ty = self.func_type(context.inner());
        if params.len() != ty.params().len() {
            let (expected, found) = (ty.params().len(), params.len());
            return Err(Stop::host(CallError::ParamCount { expected, found }));
        }
        if results.len() != ty.results().len() {
            let (expected, found) = (ty.results().len(), results.len());
            return Err(Stop::host(CallError::ResultCount { expected, found }));
        }
        let mut slots = vec![0; ty.arg_slots()];
        write_params(context.inner(), params, ty.params(), &mut slots).map_err(Stop::host)?;
        // SAFETY: `slots` has room for parameters and results, and has the parameters that `write_params` checked. `func_type`
        // found the function to be of this store. The exclusive context gives no other reference to the store.
        unsafe { call_slots(context.root(), self.as_ptr(), slots.as_mut_ptr())? };
        // SAFETY: the call returned, so the slots have results of these types, of this store.
        unsafe { read_values(context.inner_mut(), ty.results(), &slots, results) };
        Ok(())
    }

    /// Calls the function with parameters in `slots[0..]`. At return its results are in `slots[0..]`.
    ///
    /// # Errors
    /// As [`call`](Func::call).
    ///
    /// # Panics
    /// If the function is of another store, or `slots` is shorter than its argument area. A panic of a host function continues here.
    ///
    /// # Safety
    /// The slots have parameters of the function's types, in the form of [`wasmr_core::value`]: an `i32` or `f32` is zero-extended, a
    /// reference is null or of this store.
    #[doc(hidden)]
    #[inline]
    pub unsafe fn call_slots(self, mut store: impl AsContextMut, slots: &mut [u64]) -> Result<(), Stop> {
        let mut context = store.as_context_mut();
        let count = self.0.get(context.inner_mut()).arg_slots as usize;
        assert!(slots.len() >= count, "a function with {count} argument slots was called with {}", slots.len());
        // SAFETY: `get` found the function to be of this store, whose context is exclusive. `slots` has room for parameters and
        // results, and has parameters as the caller promises.
        unsafe { call_slots(context.root(), self.as_ptr(), slots.as_mut_ptr()) }
    }

    /// Checks the function's type once, for calls with Rust types.
    ///
    /// # Errors
    /// If the function is not of type `P` → `R`.
    pub fn typed<P: WasmTyList, R: WasmTyList>(&self, store: impl AsContext) -> Result<TypedFunc<P, R>, TypeMismatch> {
        TypedFunc::new(*self, store.as_context().inner())
    }
}

fn write_params(store: &StoreInner, params: &[Val], types: &[ValType], slots: &mut [u64]) -> Result<(), CallError> {
    let mut at = 0;
    for (index, (&param, &ty)) in params.iter().zip(types).enumerate() {
        param.to_slots(store, ty, &mut slots[at..]).map_err(|source| CallError::Param { index, source })?;
        at += ty.slots();
    }
    Ok(())
}

/// Reads one value per type.
///
/// # Safety
/// `slots` has values of `types`, of this store.
pub(crate) unsafe fn read_values(store: &mut StoreInner, types: &[ValType], slots: &[u64], values: &mut [Val]) {
    let mut at = 0;
    for (value, &ty) in values.iter_mut().zip(types) {
        // SAFETY: the caller promises values of `types` one after another, so that a value of type `ty` is at `at`.
        *value = unsafe { Val::from_slots(store, ty, &slots[at..]) };
        at += ty.slots();
    }
}

/// Calls a function from the host.
///
/// # Safety
/// `func` is a live function of the store at `store`. `slots` is as [`ArrayCall`](crate::vm::ArrayCall) requires. The caller's
/// borrow of the store is exclusive, and it uses no reference into the store.
pub(crate) unsafe fn call_slots(store: NonNull<StoreInner>, func: *mut VmFunc, slots: *mut u64) -> Result<(), Stop> {
    let inner = store.as_ptr();
    // SAFETY: the caller promises a live store, reached through this pointer alone until `entry` is called. No reference is
    // kept across that call, and function and slots are as `call_entry` requires.
    unsafe {
        let vm = &raw mut (*inner).vm;
        if (*inner).boundary_depth >= MAX_NATIVE_DEPTH {
            return Err(Stop::trap(TrapCode::StackExhausted));
        }
        (*inner).ensure_stack().map_err(Stop::host)?;
        sys::prepare_thread();
        let is_outermost = (*inner).boundary_depth == 0;
        if is_outermost && !(*inner).interrupt().enter() {
            (*inner).interrupt().leave();
            return Err(Stop::trap(TrapCode::Interrupted));
        }
        let outer = preempt::enter(vm.cast());
        (*inner).boundary_depth += 1;
        // A host function that the host calls has no calling instance, even if an instance called the host.
        let caller = ptr::replace(&raw mut (*vm).caller, ptr::null_mut());
        let top = (*vm).stack_top;
        let exit = InterpreterExit::of(vm);
        let status = call_entry(vm, func, slots);
        let result = match status {
            Status::OK => Ok(()),
            status => Err(take_stop(&mut *inner, status)),
        };
        // However the call ended, the frames above are gone, and no field may refer to them.
        (*vm).stack_top = top;
        exit.note(vm);
        (*vm).caller = caller;
        (*inner).boundary_depth -= 1;
        preempt::leave(outer);
        if is_outermost {
            (*inner).interrupt().leave();
        }
        if !(*inner).freed.is_empty() {
            drop_values(std::mem::take(&mut (*inner).freed));
        }
        match result {
            Ok(()) => Ok(()),
            Err(HostEnd::Stop(stop)) => Err(stop),
            Err(HostEnd::Panic(payload)) => resume_unwind(payload),
        }
    }
}

/// Returns the end of the run that a status other than [`Status::OK`] reports, taken out of the store.
fn take_stop(store: &mut StoreInner, status: Status) -> HostEnd {
    match status {
        Status::TRAP => {
            HostEnd::Stop(Stop::from(Trap { backtrace: capture_backtrace(store), ..Trap::new(store.vm.trap_code) }))
        }
        Status::THROW => {
            let word = std::mem::take(&mut store.vm.pending_exception);
            // SAFETY: after this status the word is that of the exception in flight.
            let object = unsafe { store.exception_object(word) };
            let stop = match Rooted::from_slot(store, object) {
                Some(exception) => {
                    let backtrace = capture_backtrace(store);
                    Stop::from_kind(StopKind::Throw(Throw { exception, backtrace }))
                }
                // Without room for an object there is no exception.
                None => Stop::host(ResourceError::HeapLimit { limit: store.limits().max_gc_heap_bytes }),
            };
            store.forget_left();
            HostEnd::Stop(stop)
        }
        Status::HOST => store.host_end.take().expect("a host function that ends the run says why"),
        Status(other) => panic!("a call ended with status {other}, which does not exist"),
    }
}

/// Returns the guest's current frames, after those that an exception in flight has left.
pub(crate) fn capture_backtrace(store: &StoreInner) -> Backtrace {
    let mut list = FrameList::new(MAX_BACKTRACE_FRAMES);
    let mut locator = Locator::new(&**store.tier(), &mut list);
    for &place in &store.left {
        // SAFETY: a walk over this store visited the place.
        unsafe { locator.add(place) };
    }
    store.tier().walk(&mut Walk::new(&store.vm, Visitor::Locate(locator)));
    let (frames, total) = list.finish();
    let info = |frame: Frame| FrameInfo::new(frame.module, frame.func_index, frame.offset);
    Backtrace { frames: frames.into_iter().map(info).collect(), total }
}

impl StoreInner {
    /// Notes the frames that the exception in flight is about to leave, those of the innermost activation.
    pub(crate) fn note_left(&mut self) {
        let StoreInner { vm, tier, left, .. } = self;
        tier.walk(&mut Walk::within_activation(vm, Visitor::Keep(left)));
    }

    /// Forgets the frames that an exception left, which has been caught or reported.
    pub(crate) fn forget_left(&mut self) {
        // Deep recursion leaves as many frames as the stacks have room for.
        const KEPT: usize = 1024;
        self.left.clear();
        if self.left.capacity() > KEPT {
            self.left.shrink_to(KEPT);
        }
    }
}

/// Ends a run from inside: keeps `stop` for the boundary at which the host entered the guest. Returns the status to return
/// through guest frames.
///
/// For host functions, and for tiers that fail for a reason of the host. A thrown exception becomes [`Status::THROW`], so that
/// the guest may catch it. Everything else passes through the guest. A trap or an error without a backtrace gets one here.
///
/// # Safety
/// `store` is alive, and no reference to it is in use.
pub unsafe fn end_run(store: *mut VmStore, stop: Stop) -> Status {
    // SAFETY: the caller promises a live store that no reference is using; its `store` field points to its Rust side.
    let store = unsafe { &mut *(*store).store };
    store.end_run(stop)
}

impl StoreInner {
    pub(crate) fn end_run(&mut self, mut stop: Stop) -> Status {
        match stop.kind_mut() {
            StopKind::Throw(throw) => {
                if let Ok(exception) = throw.exception.slot(self) {
                    self.vm.pending_exception = exception;
                    return Status::THROW;
                }
                stop = Stop::host("a host function threw an exception whose handle scope has ended");
            }
            StopKind::Trap(trap) if trap.backtrace.total == 0 => trap.backtrace = capture_backtrace(self),
            StopKind::Host(failure) if failure.backtrace.total == 0 => failure.backtrace = capture_backtrace(self),
            StopKind::Trap(_) | StopKind::Exit(_) | StopKind::Host(_) => {}
        }
        self.host_end = Some(HostEnd::Stop(stop));
        Status::HOST
    }
}

/// Calls a function of type `[] → []`, as a start function is.
pub(crate) fn call_nullary<T>(context: &mut StoreContextMut<'_, T>, func: Func) -> Result<(), Stop> {
    debug_assert_eq!(*func.func_type(context.inner()), FuncType::new([], []));
    // SAFETY: without parameters and results no slot is used. `func_type` found the function to be of this store, whose context
    // is exclusive.
    unsafe { call_slots(context.root(), func.as_ptr(), NonNull::dangling().as_ptr()) }
}
