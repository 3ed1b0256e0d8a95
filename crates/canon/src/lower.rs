//! Calls of imports: a core function of the guest that stands for a function of the host, of another component instance, or a builtin.
//!
//! All imports of an instantiation are functions of one slab. The closure gets the number of the function: lowered functions first, then
//! builtins.

use wasmr_component::{FuncDef, LiftId, LoweringId, OptionsId};
use wasmr_runtime::{AsContextMut, Func as CoreFunc, Stop, StoreContextMut};

use crate::abi::transfer::TransferCx;
use crate::abi::{Budget, FlatIn, FlatOut, LowerCx, NO_SCOPE, checked_range};
use crate::builtins::call_builtin;
use crate::call::{MAX_SLOTS, call_core, within};
use crate::error::{AbiError, Place, trap};
use crate::host_func::{HostCall, argument_error, out_pointer};
use crate::instantiate::resolve_lift;
use crate::pre::{Linked, PreInner, Provided};
use crate::state::{InstanceKey, LiveOptions, State};

/// Calls the import `number` of an instantiation.
pub(crate) fn call_import<T: 'static>(
    pre: &PreInner<T>,
    live: u32,
    mut store: StoreContextMut<'_, T>,
    number: u32,
    slots: &mut [u64],
) -> Result<(), Stop> {
    let linked = &*pre.linked;
    let component = &*linked.component;
    let Some(lowering) = component.lowerings.get(number as usize) else {
        let builtin = &component.builtins[number as usize - component.lowerings.len()];
        return call_builtin(store, live, builtin, slots);
    };
    let facts = &linked.lowerings[number as usize];
    let state: &mut State = store.extension();
    let options = state.options(live, lowering.options);
    state.check_may_leave(options.instance)?;
    if facts.unsupported || !options.is_ready {
        return Err(cannot_call(&facts.name, options.is_ready));
    }
    match lowering.func {
        FuncDef::Lift(lift) => {
            let call = Between { linked, live, lowering: LoweringId(number), lift, from: options };
            call.run(store.without_data(), slots)
        }
        FuncDef::Import(path) => {
            let Provided::Func(func) = &pre.imports[path.index()] else {
                return Err(trap(format!("unknown import `{}` has been called", facts.name)));
            };
            let scope = if facts.lends { state.open_scope() } else { NO_SCOPE };
            let call = HostCall {
                store: store.as_context_mut(),
                types: &component.types,
                ty: lowering.ty,
                options,
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

#[cold]
fn cannot_call(name: &str, is_ready: bool) -> Stop {
    if is_ready {
        trap(format!("`{name}` is lifted or lowered as `async`, which is not supported"))
    } else {
        trap(format!("`{name}` was called before its memory exists"))
    }
}

/// A call of one component instance by another.
struct Between<'a> {
    linked: &'a Linked,
    live: u32,
    lowering: LoweringId,
    lift: LiftId,
    /// The caller's side.
    from: LiveOptions,
}

impl Between<'_> {
    fn run(&self, mut store: StoreContextMut<'_, ()>, slots: &mut [u64]) -> Result<(), Stop> {
        let facts = &self.linked.lowerings[self.lowering.index()];
        let lift = &self.linked.component.lifts[self.lift.index()];
        let core = resolve_lift(&mut store, self.linked, self.live, self.lift)?;
        let state: &mut State = store.extension();
        let to = state.options(self.live, lift.options);
        if facts.waits {
            state.check_pressure(to.instance, &facts.name)?;
        }
        let first = state.live[self.live as usize].first_instance;
        let entered = facts.entered.iter().map(|id| InstanceKey(first + id.0));
        within(&mut store, entered, facts.lends, |store, scope| self.pass(store, to, core, scope, slots))
    }

    /// Passes the arguments, calls the callee, and passes its result.
    fn pass(
        &self,
        store: &mut StoreContextMut<'_, ()>,
        to: LiveOptions,
        core: CoreFunc,
        scope: u32,
        slots: &mut [u64],
    ) -> Result<(), Stop> {
        let component = &*self.linked.component;
        let ty = component.lowerings[self.lowering.index()].ty;
        let name = &*self.linked.lowerings[self.lowering.index()].name;
        let types = &component.types;
        let (func, shape) = (types.func(ty), types.func_shape(ty));
        let out = slots.get(out_pointer(types, ty)).copied().unwrap_or(0) as u32;
        let mut args = [0; MAX_SLOTS];

        let lower = LowerCx { types, ty, store: store.as_context_mut(), options: to, scope };
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
            let lower = LowerCx { types, ty, store: store.as_context_mut(), options: self.from, scope };
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

/// Calls the function that frees the memory of a result, with the core results in `slots`.
#[inline]
pub(crate) fn post_return(
    store: &mut StoreContextMut<'_, ()>,
    options: LiveOptions,
    slots: &mut [u64],
) -> Result<(), Stop> {
    let Some(func) = options.post_return else { return Ok(()) };
    store.extension::<State>().instance(options.instance).may_leave = false;
    let called = call_core(store, func, slots);
    store.extension::<State>().instance(options.instance).may_leave = true;
    called
}

impl State {
    /// Returns canonical options of an instantiation.
    #[inline]
    pub(crate) fn options(&self, live: u32, id: OptionsId) -> LiveOptions {
        self.live[live as usize].options[id.index()]
    }
}
