//! [`Func`]: a function of a store, and the one way into guest code.
//!
//! Comes in: typed values ([`Func::call`], [`TypedFunc`]) from the embedder or from a host function that calls back.
//! Goes through [`VmFunc::entry`](crate::vm::VmFunc::entry) with one array of slots. Goes out: results, or a [`Stop`].
//!
//! # At the boundary
//! `call_slots` is the outermost frame of a run of guest code on the native stack. It maps the value stack at the first
//! call, gives the thread its signal stack, bounds how often host and guest may nest on the native stack, and
//! afterwards turns a [`Status`] into a [`Stop`]: a trap gets its backtrace here, an error of the host is taken out of
//! the store, and a panic that was caught before it could unwind through guest frames goes on.

use std::panic::resume_unwind;
use std::ptr::{self, NonNull};
use std::sync::Arc;

use wasmr_core::count::Count;
use wasmr_core::limits::{MAX_BACKTRACE_FRAMES, MAX_NATIVE_DEPTH};
use wasmr_core::trap::TrapCode;
use wasmr_core::types::{FuncType, TypeId, ValType};

use crate::context::{AsContext, AsContextMut, StoreContextMut};
use crate::exception::ExnRef;
use crate::exit::InterpreterExit;
use crate::handle::{Handle, StoreId};
use crate::host::{Caller, HostFuncDef};
use crate::limits::ResourceError;
use crate::store::StoreInner;
use crate::sys::{self, preempt};
use crate::trap::{Backtrace, FrameInfo, HostEnd, Stop, StopKind, Throw, Thrown, Trap};
use crate::typed::{IntoFunc, TypedFunc, WasmTyList};
use crate::value::{TypeMismatch, Val};
use crate::vm::{Status, VmFunc, VmStore, call_entry};
use crate::walk::{Frame, Walk};

/// A function of a store: the guest's or the host's.
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

/// A call from the host that does not fit the function.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// Another number of parameters.
    #[error("the function takes {}, not {found}", Count(*.expected, "parameter"))]
    ParamCount {
        /// How many it takes.
        expected: usize,
        /// How many were given.
        found: usize,
    },
    /// Another number of results.
    #[error("the function returns {}, but there is room for {found}", Count(*.expected, "result"))]
    ResultCount {
        /// How many it returns.
        expected: usize,
        /// How many there is room for.
        found: usize,
    },
    /// A parameter is of another type.
    #[error("parameter {index}: {source}")]
    Param {
        /// Which, from 0.
        index: usize,
        /// What is wrong with it.
        #[source]
        source: TypeMismatch,
    },
}

impl Func {
    /// A host function of any type, with values. `results` holds the zero or null of each type when `func` is called;
    /// results that are not of their types are the host function's failure. A [`Stop`] is made of most errors by `?`, of
    /// every other one by [`Stop::host`].
    pub fn new<T: 'static>(
        store: impl AsContextMut<Data = T>,
        ty: FuncType,
        func: impl Fn(Caller<'_, T>, &[Val], &mut [Val]) -> Result<(), Stop> + Send + Sync + 'static,
    ) -> Func {
        Func::from_def(store, &Arc::new(HostFuncDef::new(ty, func)))
    }

    /// A host function from a Rust closure, whose parameters and results decide its type. The first parameter may be a
    /// [`Caller`]. Results may be in a `Result` with any error ([`HostResults`](crate::typed::HostResults)): the call of the
    /// guest ends with it, and [`Stop::downcast_ref`] gives it back.
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

    /// A host function over numbers that works on slots: parameters in `slots[0..]` at entry, results in `slots[0..]`
    /// at return, in the form of [`wasmr_core::value`]. For host calls that must cost little.
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
        // SAFETY: both callers made the definition for the type of this store's data.
        unsafe { def.instantiate(context.inner_mut(), ptr::null_mut()) }
    }

    /// # Safety
    /// `func` is a function of the store `store`.
    pub(crate) unsafe fn from_raw(func: NonNull<VmFunc>, store: StoreId) -> Func {
        // SAFETY: functions live as long as their store.
        Func(unsafe { Handle::new(func, store) })
    }

    /// The function in a slot of a funcref type; `None` for null.
    ///
    /// # Safety
    /// The slot holds such a reference, of this store.
    pub(crate) unsafe fn from_slot(store: &StoreInner, word: u64) -> Option<Func> {
        let func = NonNull::new(ptr::with_exposed_provenance_mut::<VmFunc>(word as usize))?;
        // SAFETY: the contract.
        Some(unsafe { Func::from_raw(func, store.id()) })
    }

    /// As a slot of a funcref type.
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

    /// Its type.
    pub fn ty(&self, store: impl AsContext) -> Arc<FuncType> {
        self.func_type(store.as_context().inner())
    }

    /// Calls it.
    ///
    /// # Errors
    /// A [`Stop`] of any kind; [`CallError`] as a host's failure if the arguments do not fit.
    ///
    /// # Panics
    /// If the function or an argument is of another store; and on with the panic of a host function.
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
        // SAFETY: `slots` has room for parameters and results and holds the checked parameters; the function is of this
        // store, as `func_type` checked.
        unsafe { call_slots(context.root(), self.as_ptr(), slots.as_mut_ptr())? };
        // SAFETY: the call returned, so the slots hold results of these types.
        unsafe { read_values(context.inner_mut(), ty.results(), &slots, results) };
        Ok(())
    }

    /// Checks its type once, for calls with Rust types.
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
/// `slots` holds values of `types`, of this store.
pub(crate) unsafe fn read_values(store: &mut StoreInner, types: &[ValType], slots: &[u64], values: &mut [Val]) {
    let mut at = 0;
    for (value, &ty) in values.iter_mut().zip(types) {
        // SAFETY: the contract.
        *value = unsafe { Val::from_slots(store, ty, &slots[at..]) };
        at += ty.slots();
    }
}

/// Enters a function from the host.
///
/// # Safety
/// `func` is alive and of the store at `store`; `slots` is as [`ArrayCall`](crate::vm::ArrayCall) asks; the caller's
/// borrow of the store is exclusive and it holds no reference into it.
pub(crate) unsafe fn call_slots(store: NonNull<StoreInner>, func: *mut VmFunc, slots: *mut u64) -> Result<(), Stop> {
    let inner = store.as_ptr();
    // SAFETY: the contract: alive, and reached through us alone until `entry` is called. No reference is kept across
    // that call.
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
        // A host function that the host calls has no caller, whoever called us.
        let caller = ptr::replace(&raw mut (*vm).caller, ptr::null_mut());
        let top = (*vm).stack_top;
        let exit = InterpreterExit::of(vm);
        let status = call_entry(vm, func, slots);
        let result = match status {
            Status::OK => Ok(()),
            status => Err(take_stop(&mut *inner, status)),
        };
        // However the call ended: frames above are gone, and nothing may lead to them.
        (*vm).stack_top = top;
        exit.note(vm);
        (*vm).caller = caller;
        (*inner).boundary_depth -= 1;
        preempt::leave(outer);
        if is_outermost {
            (*inner).interrupt().leave();
        }
        match result {
            Ok(()) => Ok(()),
            Err(HostEnd::Stop(stop)) => Err(stop),
            Err(HostEnd::Panic(payload)) => resume_unwind(payload),
        }
    }
}

/// What a status other than [`Status::OK`] means, taken out of the store.
fn take_stop(store: &mut StoreInner, status: Status) -> HostEnd {
    match status {
        Status::TRAP => {
            HostEnd::Stop(Stop::from(Trap { backtrace: capture_backtrace(store), ..Trap::new(store.vm.trap_code) }))
        }
        Status::THROW => {
            let word = std::mem::take(&mut store.vm.pending_exception);
            HostEnd::Stop(match ExnRef::from_slot(store, word) {
                Some(exception) => {
                    let mut backtrace = capture_backtrace(store);
                    if let Some(thrown) = store.thrown.take().filter(|thrown| thrown.exception == word) {
                        backtrace.put_before(thrown.backtrace);
                    }
                    Stop::from_kind(StopKind::Throw(Throw { exception, backtrace }))
                }
                // What `exception_new` gives when there is no room for one.
                None => Stop::host(ResourceError::ReferenceLimit { limit: store.limits().max_reference_bytes }),
            })
        }
        Status::HOST => store.host_end.take().expect("a host function that ends the run says why"),
        Status(other) => panic!("a call ended with status {other}, which does not exist"),
    }
}

/// The guest's frames as of now.
pub(crate) fn capture_backtrace(store: &StoreInner) -> Backtrace {
    backtrace(store, Walk::new(&store.vm, MAX_BACKTRACE_FRAMES))
}

fn backtrace(store: &StoreInner, mut walk: Walk<'_>) -> Backtrace {
    store.tier().walk(&mut walk);
    let (frames, total) = walk.finish();
    let info = |frame: Frame| FrameInfo::new(frame.module, frame.func_index, frame.offset);
    Backtrace { frames: frames.into_iter().map(info).collect(), total }
}

impl StoreInner {
    /// An exception is about to leave the innermost trampoline into machine code.
    pub(crate) fn note_thrown(&mut self, exception: u64) {
        let left = backtrace(self, Walk::within_activation(&self.vm, MAX_BACKTRACE_FRAMES));
        match &mut self.thrown {
            Some(thrown) if thrown.exception == exception => {
                let inner = std::mem::replace(&mut thrown.backtrace, left);
                thrown.backtrace.put_before(inner);
            }
            thrown => *thrown = Some(Thrown { exception, backtrace: left }),
        }
    }
}

/// Ends a run from inside: keeps `stop` for the boundary that will report it, and says what to return through guest
/// frames.
///
/// For host functions and for tiers that fail for a reason of the host's. A thrown exception becomes [`Status::THROW`],
/// so that the guest may catch it; everything else passes through the guest. A trap or an error without a backtrace gets one here.
///
/// # Safety
/// `store` is alive, and no reference to it is in use.
pub unsafe fn end_run(store: *mut VmStore, stop: Stop) -> Status {
    // SAFETY: the contract; a live `VmStore` knows its store.
    let store = unsafe { &mut *(*store).store };
    store.end_run(stop)
}

impl StoreInner {
    pub(crate) fn end_run(&mut self, mut stop: Stop) -> Status {
        match stop.kind_mut() {
            StopKind::Throw(throw) if throw.exception.0.object(self).is_some() => {
                self.vm.pending_exception = throw.exception.0.word();
                return Status::THROW;
            }
            StopKind::Throw(_) => stop = Stop::host("a host function threw an exception that it no longer held"),
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
    // SAFETY: no parameters and no results; the handle was just checked to be of this store.
    unsafe { call_slots(context.root(), func.as_ptr(), NonNull::dangling().as_ptr()) }
}
