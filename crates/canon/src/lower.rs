//! Calls of imports: a core function of the guest that stands for a function of the host, of another component instance, or a builtin.
//!
//! All imports of an instantiation are functions of one slab. The closure gets the number of the function: lowered functions first, then
//! builtins.

use std::sync::Arc;

use wasmr_component::{FuncDef, LiftId};
use wasmr_runtime::{AsContextMut, Func as CoreFunc, Stop, StoreContextMut};

use crate::abi::transfer::TransferCx;
use crate::abi::{Budget, FlatIn, FlatOut, LowerCx, NO_SCOPE, checked_range};
use crate::builtins::call_builtin;
use crate::call::{MAX_SLOTS, call_core, within};
use crate::error::{AbiError, Place, trap};
use crate::host_func::{HostCall, argument_error, out_pointer};
use crate::instantiate::resolve_lift;
use crate::pre::{Linked, LoweringFacts, PreInner, Provided};
use crate::state::{InstanceKey, LiveOptions, SharedOptions, State};

/// An instantiation, as the closure of its slab knows it.
pub(crate) struct Importer<T: 'static> {
    pub(crate) pre: Arc<PreInner<T>>,
    /// Number of the instantiation in the store.
    pub(crate) live: u32,
    /// Position in the store of the first component instance.
    pub(crate) first_instance: u32,
    pub(crate) options: SharedOptions,
}

impl<T: 'static> Importer<T> {
    /// Calls the import `number`.
    pub(crate) fn call(&self, mut store: StoreContextMut<'_, T>, number: u32, slots: &mut [u64]) -> Result<(), Stop> {
        let linked = &*self.pre.linked;
        let Some(facts) = linked.lowerings.get(number as usize) else {
            let builtin = &linked.component.builtins[number as usize - linked.lowerings.len()];
            return call_builtin(store, self.live, builtin, slots);
        };
        let state: &mut State = store.extension();
        state.check_may_leave(InstanceKey(self.first_instance + facts.caller.0))?;
        let from = self.options[facts.options.index()].get().filter(|_| !facts.unsupported);
        let Some(from) = from else { return Err(cannot_call(facts)) };
        match facts.func {
            FuncDef::Lift(lift) => {
                let Importer { live, first_instance, ref options, .. } = *self;
                let call = Between { linked, live, first_instance, options, facts, lift, from };
                call.run(store.without_data(), slots)
            }
            FuncDef::Import(path) => {
                let Provided::Func(func) = &self.pre.imports[path.index()] else {
                    return Err(trap(format!("unknown import `{}` has been called", facts.name)));
                };
                let scope = if facts.lends { state.open_scope() } else { NO_SCOPE };
                let call = HostCall {
                    store: store.as_context_mut(),
                    types: &linked.component.types,
                    ty: facts.ty,
                    options: from,
                    slots,
                    scope,
                    name: &facts.name,
                };
                let result = (func.call)(call);
                if scope != NO_SCOPE {
                    store.extension::<State>().close_scope(scope);
                }
                result
            }
        }
    }
}

#[cold]
fn cannot_call(facts: &LoweringFacts) -> Stop {
    let name = &facts.name;
    if facts.unsupported {
        trap(format!("`{name}` is lifted or lowered as `async`, which is not supported"))
    } else {
        trap(format!("`{name}` was called before its memory exists"))
    }
}

/// A call of one component instance by another.
struct Between<'a> {
    linked: &'a Linked,
    live: u32,
    first_instance: u32,
    options: &'a SharedOptions,
    facts: &'a LoweringFacts,
    lift: LiftId,
    /// The caller's side.
    from: &'a LiveOptions,
}

impl Between<'_> {
    fn run(&self, mut store: StoreContextMut<'_, ()>, slots: &mut [u64]) -> Result<(), Stop> {
        let lift = &self.linked.component.lifts[self.lift.index()];
        let core = resolve_lift(&mut store, self.linked, self.live, self.lift)?;
        let Some(to) = self.options[lift.options.index()].get() else { return Err(cannot_call(self.facts)) };
        if self.facts.waits {
            store.extension::<State>().check_pressure(to.instance, &self.facts.name)?;
        }
        let entered = self.facts.entered.iter().map(|id| InstanceKey(self.first_instance + id.0));
        within(&mut store, entered, self.facts.lends, |store, scope| self.pass(store, to, core, scope, slots))
    }

    /// Passes the arguments, calls the callee, and passes its result.
    fn pass(
        &self,
        store: &mut StoreContextMut<'_, ()>,
        to: &LiveOptions,
        core: CoreFunc,
        scope: u32,
        slots: &mut [u64],
    ) -> Result<(), Stop> {
        let (ty, name, types) = (self.facts.ty, &*self.facts.name, &self.linked.component.types);
        let (func, shape) = (types.func(ty), types.func_shape(ty));
        let out = slots.get(out_pointer(types, ty)).copied().unwrap_or(0) as u32;
        let mut args = [0; MAX_SLOTS];

        let lower = LowerCx { types, ty, store: store.as_context_mut(), options: to, scope, given: Vec::new() };
        let mut cx = TransferCx { from: self.from, lower, budget: Budget(Budget::TRANSFER) };
        let passed = if shape.flat_params.is_some() {
            let (mut src, mut dst) = (FlatIn::new(slots), FlatOut::new(&mut args));
            let mut all = func.params.iter().enumerate();
            all.try_for_each(|(index, param)| cx.flat(param.ty, &mut src, &mut dst).map_err(|e| (e, Some(index))))
        } else {
            let ends = place(&cx, slots[0] as u32, shape.size, shape.align, "argument")
                .and_then(|from| Ok((from, cx.lower.allocate(shape.align, shape.size.into())?)));
            ends.map_err(|error| (error, None)).and_then(|(from, ptr)| {
                args[0] = ptr.into();
                let mut all = func.params.iter().zip(&shape.offsets).enumerate();
                all.try_for_each(|(index, (param, &offset))| {
                    let offset = offset as usize;
                    cx.memory(param.ty, from + offset, ptr as usize + offset).map_err(|e| (e, Some(index)))
                })
            })
        };
        passed.map_err(|(error, index)| argument_error(types, ty, name, error, index))?;

        call_core(store, core, &mut args)?;

        if scope != NO_SCOPE {
            store.extension::<State>().check_borrows(scope).map_err(|error| error.into_stop(name, Place::Call))?;
        }
        if let Some(result) = func.result {
            let lower =
                LowerCx { types, ty, store: store.as_context_mut(), options: self.from, scope, given: Vec::new() };
            let mut cx = TransferCx { from: to, lower, budget: Budget(Budget::TRANSFER) };
            let passed = if shape.flat_result.is_some() {
                cx.flat(result, &mut FlatIn::new(&args), &mut FlatOut::new(slots))
            } else {
                let layout = types.shape(result);
                place(&cx, args[0] as u32, layout.size, layout.align, "result").and_then(|from| {
                    let at = cx.lower.out_place(out, layout.size, layout.align)?;
                    cx.memory(result, from, at)
                })
            };
            passed.map_err(|error| error.into_stop(name, Place::Result))?;
        }
        post_return(store, to, &mut args)
    }
}

/// Returns the place of values in the memory that is read.
fn place(cx: &TransferCx<'_>, ptr: u32, size: u32, align: u32, what: &str) -> Result<usize, AbiError> {
    Ok(checked_range(cx.source().len(), ptr, size.into(), align, what)?.start)
}

/// Calls the function that frees the memory of a result, if there is one, with the core results in `slots`.
#[inline]
pub(crate) fn post_return(
    store: &mut StoreContextMut<'_, ()>,
    options: &LiveOptions,
    slots: &mut [u64],
) -> Result<(), Stop> {
    match options.post_return {
        Some(func) => call_post_return(store, options, func, slots),
        None => Ok(()),
    }
}

fn call_post_return(
    store: &mut StoreContextMut<'_, ()>,
    options: &LiveOptions,
    func: CoreFunc,
    slots: &mut [u64],
) -> Result<(), Stop> {
    store.extension::<State>().instance(options.instance).may_leave = false;
    let called = call_core(store, func, slots);
    store.extension::<State>().instance(options.instance).may_leave = true;
    called
}
