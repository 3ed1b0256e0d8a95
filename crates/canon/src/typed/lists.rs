//! Parameter lists and results of functions.

use wasmr_component::{FuncType, FuncTypeId, MAX_FLAT_PARAMS, MAX_FLAT_RESULTS, TypeId, Types};

use crate::abi::{FlatIn, FlatOut, LiftCx, LowerCx, checked_range};
use crate::error::{AbiError, Result};
use crate::host_func::out_pointer;
use crate::typed::{Abi, Check, ComponentType, Interface, Lift, Lower, Payload, check_params};

/// A fault of a value, and the index of its parameter.
pub(crate) type ParamError = (AbiError, Option<usize>);

/// The Rust types of a parameter list: a tuple.
pub trait Params {
    /// Compares the types with those of a function's parameters.
    ///
    /// # Errors
    /// The first difference.
    #[doc(hidden)]
    fn check(interface: &Interface<'_>, func: &FuncType) -> std::result::Result<(), String>;

    /// Returns the types in WIT syntax.
    #[doc(hidden)]
    fn wit() -> String;
}

/// The Rust types of a host function's parameters: a tuple of [`Lift`] types.
pub trait LiftParams: Params + Sized {
    /// # Errors
    /// The fault of a value, and the index of its parameter.
    #[doc(hidden)]
    fn lift_params(cx: &mut LiftCx<'_>, slots: &[u64]) -> std::result::Result<Self, (AbiError, Option<usize>)>;
}

/// The Rust types of the arguments of a call: a tuple of [`Lower`] types.
pub trait LowerParams: Params {
    /// # Errors
    /// The fault of a value, and the index of its parameter.
    #[doc(hidden)]
    fn lower_params(
        &self,
        cx: &mut LowerCx<'_>,
        slots: &mut [u64],
    ) -> std::result::Result<(), (AbiError, Option<usize>)>;
}

/// The Rust type of a host function's result: a [`Lower`] type, or `()` for none.
pub trait LowerReturn: Payload {
    #[doc(hidden)]
    fn lower_return(&self, cx: &mut LowerCx<'_>, slots: &mut [u64]) -> Result<()>;
}

/// The Rust type of the result of a call: a [`Lift`] type, or `()` for none.
pub trait LiftReturn: Payload + Sized {
    #[doc(hidden)]
    fn lift_return(cx: &mut LiftCx<'_>, slots: &[u64]) -> Result<Self>;
}

/// Compares the Rust types of a function with a component's.
pub(crate) fn check_func<P: Params, R: Payload>(interface: &Interface<'_>, func: &FuncType) -> Check {
    P::check(interface, func)?;
    R::check_payload(interface, func.result)
}

/// Returns a host function's type in WIT syntax.
pub(crate) fn func_text<P: Params, R: Payload>() -> String {
    signature_text(P::wit(), R::payload_wit())
}

pub(crate) fn signature_text(params: String, result: Option<String>) -> String {
    match result {
        Some(result) => format!("func({params}) -> {result}"),
        None => format!("func({params})"),
    }
}

/// Returns the type of a parameter, for a Rust type that needs it.
#[inline]
fn param_type<P: ComponentType>(types: &Types, func: FuncTypeId, index: usize) -> TypeId {
    if P::ABI.needs_type { types.func(func).params[index].ty } else { TypeId(0) }
}

/// Returns the type of the result, for a Rust type that needs it.
#[inline]
fn result_type<R: ComponentType>(types: &Types, func: FuncTypeId) -> TypeId {
    if R::ABI.needs_type { types.func(func).result.unwrap_or(TypeId(0)) } else { TypeId(0) }
}

impl LowerReturn for () {
    #[inline]
    fn lower_return(&self, _: &mut LowerCx<'_>, _: &mut [u64]) -> Result<()> {
        Ok(())
    }
}

impl LiftReturn for () {
    #[inline]
    fn lift_return(_: &mut LiftCx<'_>, _: &[u64]) -> Result<()> {
        Ok(())
    }
}

impl<R: Lower> LowerReturn for R {
    #[inline]
    fn lower_return(&self, cx: &mut LowerCx<'_>, slots: &mut [u64]) -> Result<()> {
        let ty = result_type::<R>(cx.types, cx.ty);
        if R::ABI.flat <= MAX_FLAT_RESULTS {
            return self.lower_flat(cx, ty, &mut FlatOut::new(slots));
        }
        let at = cx.out_place(slots[out_pointer(cx.types, cx.ty)] as u32, R::ABI.size, R::ABI.align)?;
        self.store(cx, ty, at)
    }
}

impl<R: Lift> LiftReturn for R {
    #[inline]
    fn lift_return(cx: &mut LiftCx<'_>, slots: &[u64]) -> Result<R> {
        let ty = result_type::<R>(cx.types, cx.ty);
        if R::ABI.flat <= MAX_FLAT_RESULTS {
            return R::lift_flat(cx, ty, &mut FlatIn::new(slots));
        }
        let range = checked_range(cx.memory.len(), slots[0] as u32, R::ABI.size.into(), R::ABI.align, "result")?;
        R::load(cx, ty, range.start)
    }
}

/// Implements the traits for a tuple.
macro_rules! params {
    ($($name:ident $index:tt)*) => {
        #[allow(unused_variables)]
        impl<$($name: ComponentType),*> Params for ($($name,)*) {
            fn check(interface: &Interface<'_>, func: &FuncType) -> Check {
                check_params(func, <[usize]>::len(&[$($index),*]))?;
                $(
                    $name::check(interface, func.params[$index].ty)
                        .map_err(|text| format!("parameter `{}`: {text}", func.params[$index].name))?;
                )*
                Ok(())
            }

            fn wit() -> String {
                <[String]>::join(&[$($name::wit()),*], ", ")
            }
        }

        #[allow(unused_variables, unused_mut, unused_assignments, clippy::unused_unit, clippy::let_unit_value, non_snake_case)]
        impl<$($name: Lift),*> LiftParams for ($($name,)*) {
            #[inline]
            fn lift_params(cx: &mut LiftCx<'_>, slots: &[u64]) -> std::result::Result<Self, ParamError> {
                let abi = const { Abi::empty()$(.then($name::ABI))*.end() };
                let (types, func) = (cx.types, cx.ty);
                if abi.flat <= MAX_FLAT_PARAMS {
                    let mut src = FlatIn::new(slots);
                    return Ok(($(
                        $name::lift_flat(cx, param_type::<$name>(types, func, $index), &mut src)
                            .map_err(|error| (error, Some($index)))?,
                    )*));
                }
                let range = checked_range(cx.memory.len(), slots[0] as u32, abi.size.into(), abi.align, "argument");
                let start = range.map_err(|error| (error, None))?.start;
                let abi = Abi::empty();
                $(
                    let place = start + abi.offset($name::ABI) as usize;
                    let value = $name::load(cx, param_type::<$name>(types, func, $index), place);
                    let abi = abi.then($name::ABI);
                    let $name = value.map_err(|error| (error, Some($index)))?;
                )*
                Ok(($($name,)*))
            }
        }

        #[allow(unused_variables, unused_mut, unused_assignments, clippy::unused_unit, clippy::let_unit_value)]
        impl<$($name: Lower),*> LowerParams for ($($name,)*) {
            #[inline]
            fn lower_params(&self, cx: &mut LowerCx<'_>, slots: &mut [u64]) -> std::result::Result<(), ParamError> {
                let abi = const { Abi::empty()$(.then($name::ABI))*.end() };
                let (types, func) = (cx.types, cx.ty);
                if abi.flat <= MAX_FLAT_PARAMS {
                    let mut dst = FlatOut::new(slots);
                    $(
                        self.$index.lower_flat(cx, param_type::<$name>(types, func, $index), &mut dst)
                            .map_err(|error| (error, Some($index)))?;
                    )*
                    return Ok(());
                }
                let ptr = cx.allocate(abi.align, abi.size.into()).map_err(|error| (error, None))?;
                slots[0] = ptr.into();
                let start = ptr as usize;
                let abi = Abi::empty();
                $(
                    let place = start + abi.offset($name::ABI) as usize;
                    self.$index.store(cx, param_type::<$name>(types, func, $index), place)
                        .map_err(|error| (error, Some($index)))?;
                    let abi = abi.then($name::ABI);
                )*
                Ok(())
            }
        }
    };
}

params! {}
for_each_tuple!(params);
