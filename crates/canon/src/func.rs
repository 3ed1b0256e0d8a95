//! Calls of a component's functions by the host: [`Func`] over [`Val`]s, [`TypedFunc`] over Rust types.

use std::marker::PhantomData;
use std::sync::Arc;

use wasmr_component::{FuncTypeId, LiftId};
use wasmr_core::count::Count;
use wasmr_runtime::{AsContextMut, Func as CoreFunc, Stop, StoreContextMut};

use crate::abi::flat::{lift_flat, lower_flat};
use crate::abi::{FlatIn, FlatOut, LiftCx, LowerCx, NO_SCOPE, checked_range};
use crate::call::{MAX_SLOTS, call_core, within};
use crate::error::{AbiError, Place, trap};
use crate::host_func::argument_error;
use crate::item_types::ComponentFunc;
use crate::lower::post_return;
use crate::pre::Linked;
use crate::state::{InstanceKey, LiveOptions, State};
use crate::typed::{Interface, LiftReturn, LowerParams, ParamError, check_func};
use crate::value::Val;

/// A function that a component exports.
#[derive(Clone)]
pub struct Func {
    pub(crate) linked: Arc<Linked>,
    pub(crate) lift: LiftId,
    pub(crate) core: CoreFunc,
    pub(crate) options: LiveOptions,
    /// Position in the store of the first component instance.
    pub(crate) first: u32,
    /// Name in messages.
    pub(crate) name: Arc<str>,
}

impl std::fmt::Debug for Func {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.name, self.type_text())
    }
}

impl Func {
    fn type_id(&self) -> FuncTypeId {
        self.linked.component.lifts[self.lift.index()].ty
    }

    /// Returns the type in WIT syntax.
    pub fn type_text(&self) -> String {
        self.ty().to_string()
    }

    /// Returns the type.
    pub fn ty(&self) -> ComponentFunc<'_> {
        ComponentFunc::new(&self.linked.component, self.type_id())
    }

    /// Calls the function. Returns its result, if its type has one.
    ///
    /// # Errors
    /// A [`Stop`] of any kind; a [`ValueError`](crate::ValueError) as a host's failure if the arguments do not fit. After a stop other than
    /// for arguments that do not fit, the component instance cannot be called again. Resources among arguments that do not fit stay the
    /// embedder's.
    ///
    /// # Panics
    /// If the function is of another store.
    pub fn call(&self, mut store: impl AsContextMut, params: &[Val]) -> Result<Option<Val>, Stop> {
        let ty = self.type_id();
        let types = &self.linked.component.types;
        let (func, shape) = (types.func(ty), types.func_shape(ty));
        if params.len() != func.params.len() {
            let text = format!("expected {}, found {}", Count(func.params.len(), "argument"), params.len());
            return Err(AbiError::host(text).into_stop(&self.name, Place::Call));
        }
        let lower = |cx: &mut LowerCx<'_>, slots: &mut [u64]| {
            if shape.flat_params.is_some() {
                let mut dst = FlatOut::new(slots);
                for (index, (param, value)) in func.params.iter().zip(params).enumerate() {
                    lower_flat(cx, param.ty, value, &mut dst).map_err(|error| (error, Some(index)))?;
                }
                return Ok(());
            }
            let ptr = cx.allocate(shape.align, shape.size.into()).map_err(|error| (error, None))?;
            slots[0] = ptr.into();
            for (index, ((param, &offset), value)) in func.params.iter().zip(&shape.offsets).zip(params).enumerate() {
                cx.store(param.ty, value, ptr as usize + offset as usize).map_err(|error| (error, Some(index)))?;
            }
            Ok(())
        };
        let lift = |cx: &mut LiftCx<'_>, slots: &[u64]| {
            let Some(result) = func.result else { return Ok(None) };
            if shape.flat_result.is_some() {
                return lift_flat(cx, result, &mut FlatIn::new(slots)).map(Some);
            }
            let layout = types.shape(result);
            let range = checked_range(cx.memory.len(), slots[0] as u32, layout.size.into(), layout.align, "result")?;
            cx.load(result, range.start).map(Some)
        };
        self.run(&mut store.as_context_mut().without_data(), lower, lift)
    }

    /// Compares the function's type with Rust types once.
    ///
    /// # Errors
    /// The first difference.
    pub fn typed<P: LowerParams, R: LiftReturn>(&self) -> Result<TypedFunc<P, R>, FuncTypeError> {
        let interface = Interface { types: &self.linked.component.types, resources: &self.linked.host_resources };
        let func = interface.types.func(self.type_id());
        check_func::<P, R>(&interface, func).map_err(|difference| FuncTypeError {
            name: self.name.to_string(),
            found: self.type_text(),
            difference,
        })?;
        Ok(TypedFunc { func: self.clone(), marker: PhantomData })
    }

    /// Calls the function: `lower` makes core parameters, `lift` reads core results.
    #[inline]
    fn run<R>(
        &self,
        store: &mut StoreContextMut<'_, ()>,
        lower: impl FnOnce(&mut LowerCx<'_>, &mut [u64]) -> Result<(), ParamError>,
        lift: impl FnOnce(&mut LiftCx<'_>, &[u64]) -> Result<R, AbiError>,
    ) -> Result<R, Stop> {
        let facts = &self.linked.lifts[self.lift.index()];
        if facts.unsupported {
            return Err(trap(format!("`{}` is lifted as `async`, which is not supported", self.name)));
        }
        if facts.waits {
            store.extension::<State>().check_pressure(self.options.instance, &self.name)?;
        }
        let entered = facts.entered.iter().map(|id| InstanceKey(self.first + id.0));
        within(store, entered, facts.lends, |store, scope| self.pass(store, scope, lower, lift))?
    }

    /// Passes the arguments, calls the function, and passes its result. The inner result is an error if the embedder's arguments do not
    /// fit, so that the guest has not run.
    #[inline]
    fn pass<R>(
        &self,
        store: &mut StoreContextMut<'_, ()>,
        scope: u32,
        lower: impl FnOnce(&mut LowerCx<'_>, &mut [u64]) -> Result<(), ParamError>,
        lift: impl FnOnce(&mut LiftCx<'_>, &[u64]) -> Result<R, AbiError>,
    ) -> Result<Result<R, Stop>, Stop> {
        let types = &self.linked.component.types;
        let ty = self.type_id();
        let mut slots = [0; MAX_SLOTS];
        let mut cx =
            LowerCx { types, ty, store: store.as_context_mut(), options: &self.options, scope, given: Vec::new() };
        if let Err((error, index)) = lower(&mut cx, &mut slots) {
            let is_hosts = error.is_hosts() && cx.take_back().is_ok();
            let stop = argument_error(types, ty, &self.name, error, index);
            return if is_hosts { Ok(Err(stop)) } else { Err(stop) };
        }
        call_core(store, self.core, &mut slots)?;
        if scope != NO_SCOPE {
            let checked = store.extension::<State>().check_borrows(scope);
            checked.map_err(|error| error.into_stop(&self.name, Place::Call))?;
        }
        let mut cx = LiftCx::new(types, ty, store.as_context_mut(), &self.options, scope);
        let result = lift(&mut cx, &slots).map_err(|error| error.into_stop(&self.name, Place::Result))?;
        post_return(store, &self.options, &mut slots)?;
        Ok(Ok(result))
    }
}

/// A function's type is not the expected one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{name}` has type {found}: {difference}")]
pub struct FuncTypeError {
    /// Name of the function.
    pub name: String,
    /// Type of the function, in WIT syntax.
    pub found: String,
    /// The first difference.
    pub difference: String,
}

/// A function whose type was compared with Rust types. A call makes no [`Val`].
pub struct TypedFunc<P, R> {
    func: Func,
    marker: PhantomData<fn(P) -> R>,
}

impl<P, R> Clone for TypedFunc<P, R> {
    fn clone(&self) -> Self {
        TypedFunc { func: self.func.clone(), marker: PhantomData }
    }
}

impl<P, R> std::fmt::Debug for TypedFunc<P, R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.func.fmt(f)
    }
}

impl<P: LowerParams, R: LiftReturn> TypedFunc<P, R> {
    /// Returns the function without the Rust types.
    pub fn func(&self) -> &Func {
        &self.func
    }

    /// Calls the function.
    ///
    /// # Errors
    /// As [`Func::call`].
    ///
    /// # Panics
    /// If the function is of another store.
    pub fn call(&self, mut store: impl AsContextMut, params: P) -> Result<R, Stop> {
        let mut store = store.as_context_mut().without_data();
        self.func.run(&mut store, |cx, slots| params.lower_params(cx, slots), R::lift_return)
    }
}
