//! [`HostFunc`]: a function of the host that components import, and [`HostCall`], one call of it.

use std::sync::Arc;

use wasmr_component::{FuncType, FuncTypeId, Types};
use wasmr_runtime::{AsContextMut, HostError, Stop, StoreContextMut};

use crate::abi::flat::{lift_flat, lower_flat};
use crate::abi::{FlatIn, FlatOut, LiftCx, LowerCx, checked_range};
use crate::error::{AbiError, Place};
use crate::state::LiveOptions;
use crate::typed::{Interface, LiftParams, LowerReturn, ParamError, check_func, func_text};
use crate::value::Val;

/// A call of a host function by a guest.
pub(crate) struct HostCall<'a, T> {
    pub(crate) store: StoreContextMut<'a, T>,
    pub(crate) types: &'a Types,
    pub(crate) ty: FuncTypeId,
    /// The caller's side.
    pub(crate) options: &'a LiveOptions,
    /// Core parameters at entry, core results at return.
    pub(crate) slots: &'a mut [u64],
    pub(crate) scope: u32,
    /// Name in messages.
    pub(crate) name: &'a str,
}

type HostFn<T> = dyn Fn(HostCall<'_, T>) -> Result<(), Stop> + Send + Sync;

/// The type that a host function has by its Rust types.
#[derive(Clone, Copy)]
pub(crate) struct Signature {
    /// Compares it with a component's type. The error describes the difference.
    pub(crate) check: fn(&Interface<'_>, &FuncType) -> Result<(), String>,
    /// Returns it in WIT syntax.
    pub(crate) text: fn() -> String,
}

/// A function of the host.
pub(crate) struct HostFunc<T> {
    pub(crate) call: Arc<HostFn<T>>,
    /// `None` for a function over [`Val`]s, which has whatever type the component imports.
    pub(crate) signature: Option<Signature>,
}

impl<T> Clone for HostFunc<T> {
    fn clone(&self) -> Self {
        HostFunc { call: self.call.clone(), signature: self.signature }
    }
}

impl<T: 'static> HostFunc<T> {
    /// Returns a function of a closure over Rust types.
    pub(crate) fn wrap<P, R, E>(
        func: impl Fn(StoreContextMut<'_, T>, P) -> Result<R, E> + Send + Sync + 'static,
    ) -> HostFunc<T>
    where
        P: LiftParams + 'static,
        R: LowerReturn + 'static,
        E: Into<HostError> + 'static,
    {
        let call = move |mut call: HostCall<'_, T>| {
            let params = call.lift(P::lift_params)?;
            let result = func(call.store.as_context_mut(), params).map_err(Stop::host)?;
            call.lower(|cx, slots| result.lower_return(cx, slots))
        };
        let signature = Signature { check: check_func::<P, R>, text: func_text::<P, R> };
        HostFunc { call: Arc::new(call), signature: Some(signature) }
    }

    /// Returns a function of a closure over values.
    pub(crate) fn new(
        func: impl Fn(StoreContextMut<'_, T>, &[Val]) -> Result<Option<Val>, Stop> + Send + Sync + 'static,
    ) -> HostFunc<T> {
        let call = move |mut call: HostCall<'_, T>| {
            let (types, ty, name) = (call.types, call.ty, call.name);
            let params = call.lift(|cx, slots| lift_params(cx, ty, slots))?;
            let result = func(call.store.as_context_mut(), &params)?;
            if result.is_some() != types.func(ty).result.is_some() {
                return Err(AbiError::host("the host function returned a value, or none, against its type")
                    .into_stop(name, Place::Result));
            }
            call.lower(|cx, slots| match (&result, types.func(ty).result) {
                (Some(value), Some(result)) => lower_result(cx, ty, result, value, slots),
                _ => Ok(()),
            })
        };
        HostFunc { call: Arc::new(call), signature: None }
    }
}

impl<T> HostCall<'_, T> {
    /// Lifts the parameters.
    #[inline]
    fn lift<P>(&mut self, lift: impl FnOnce(&mut LiftCx<'_>, &[u64]) -> Result<P, ParamError>) -> Result<P, Stop> {
        let mut cx = LiftCx::new(self.types, self.ty, self.store.as_context_mut(), self.options, self.scope);
        lift(&mut cx, self.slots).map_err(|(error, index)| self.argument_error(error, index))
    }

    #[cold]
    fn argument_error(&self, error: AbiError, index: Option<usize>) -> Stop {
        argument_error(self.types, self.ty, self.name, error, index)
    }

    /// Lowers the result.
    #[inline]
    fn lower(&mut self, lower: impl FnOnce(&mut LowerCx<'_>, &mut [u64]) -> Result<(), AbiError>) -> Result<(), Stop> {
        let mut cx = LowerCx {
            types: self.types,
            ty: self.ty,
            store: self.store.as_context_mut().without_data(),
            options: self.options,
            scope: self.scope,
            given: Vec::new(),
        };
        lower(&mut cx, self.slots).map_err(|error| error.into_stop(self.name, Place::Result))
    }
}

/// Returns the error of an argument, or of the arguments as a whole.
#[cold]
pub(crate) fn argument_error(types: &Types, ty: FuncTypeId, func: &str, error: AbiError, index: Option<usize>) -> Stop {
    let param = index.and_then(|index| Some((index, types.func(ty).params.get(index)?)));
    match param {
        Some((index, param)) => error.into_stop(func, Place::Argument(index, &param.name)),
        None => error.into_stop(func, Place::Call),
    }
}

/// Returns the index of the slot with the pointer to the place of the result, where it is passed in memory.
#[inline]
pub(crate) fn out_pointer(types: &Types, ty: FuncTypeId) -> usize {
    types.func_shape(ty).flat_params.as_ref().map_or(1, |flat| flat.len())
}

/// Lifts the parameters of a function. An error has the index of the parameter.
fn lift_params(cx: &mut LiftCx<'_>, ty: FuncTypeId, slots: &[u64]) -> Result<Vec<Val>, ParamError> {
    let types = cx.types;
    let (func, shape) = (types.func(ty), types.func_shape(ty));
    let mut params = Vec::with_capacity(func.params.len());
    if shape.flat_params.is_some() {
        let mut src = FlatIn::new(slots);
        for (index, param) in func.params.iter().enumerate() {
            params.push(lift_flat(cx, param.ty, &mut src).map_err(|error| (error, Some(index)))?);
        }
    } else {
        let range = checked_range(cx.memory.len(), slots[0] as u32, shape.size.into(), shape.align, "argument");
        let start = range.map_err(|error| (error, None))?.start;
        for (index, (param, &offset)) in func.params.iter().zip(&shape.offsets).enumerate() {
            params.push(cx.load(param.ty, start + offset as usize).map_err(|error| (error, Some(index)))?);
        }
    }
    Ok(params)
}

/// Lowers the result of a host function into core results, or to the place that the guest passed a pointer to.
fn lower_result(
    cx: &mut LowerCx<'_>,
    ty: FuncTypeId,
    result: wasmr_component::TypeId,
    value: &Val,
    slots: &mut [u64],
) -> Result<(), AbiError> {
    let types = cx.types;
    if types.func_shape(ty).flat_result.is_some() {
        return lower_flat(cx, result, value, &mut FlatOut::new(slots));
    }
    let shape = types.shape(result);
    let at = cx.out_place(slots[out_pointer(types, ty)] as u32, shape.size, shape.align)?;
    cx.store(result, value, at)
}
