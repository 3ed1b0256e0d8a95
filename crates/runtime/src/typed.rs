//! Functions with Rust types: [`TypedFunc`] to call, and closures as host functions ([`IntoFunc`]).
//!
//! A Rust type that stands for one WebAssembly type is a [`WasmTy`]; a tuple of them, or one alone, or `()`, is a
//! [`WasmTyList`]. Types are compared once, when a function is made or typed; calls then only move words.

use std::marker::PhantomData;

use wasmr_core::subtype::val_matches;
use wasmr_core::type_text::func_type_text;
use wasmr_core::types::{FuncType, ValType};
use wasmr_core::value::V128;

use crate::context::AsContextMut;
use crate::exception::ExnRef;
use crate::func::{Func, call_slots};
use crate::handle::check_store;
use crate::host::{Caller, HostFuncDef};
use crate::host_error::HostError;
use crate::reference::ExternRef;
use crate::store::StoreInner;
use crate::trap::Stop;
use crate::value::TypeMismatch;

mod sealed {
    /// Which types stand for WebAssembly's is ours to say: slots are trusted.
    pub trait Sealed {}
}

/// A Rust type that stands for a WebAssembly type.
pub trait WasmTy: sealed::Sealed + Copy + 'static {
    /// The WebAssembly type.
    const TYPE: ValType;

    /// Writes it into the first of `slots`. Panics if it is a reference of another store.
    #[doc(hidden)]
    fn write(self, store: &StoreInner, slots: &mut [u64]);

    /// Reads it from the first of `slots`.
    ///
    /// # Safety
    /// They hold a value of that type, of this store.
    #[doc(hidden)]
    unsafe fn read(store: &mut StoreInner, slots: &[u64]) -> Self;
}

/// Numbers: `type = WebAssembly type: value to slot, slot to value`.
macro_rules! numbers {
    ($($rust:ty = $wasm:ident: $value:ident => $to:expr, $slot:ident => $from:expr;)*) => {$(
        impl sealed::Sealed for $rust {}

        impl WasmTy for $rust {
            const TYPE: ValType = ValType::$wasm;

            fn write(self, _store: &StoreInner, slots: &mut [u64]) {
                let $value = self;
                slots[0] = $to;
            }

            unsafe fn read(_store: &mut StoreInner, slots: &[u64]) -> $rust {
                let $slot = slots[0];
                $from
            }
        }
    )*};
}

numbers! {
    i32 = I32: value => u64::from(value as u32),      slot => slot as i32;
    u32 = I32: value => u64::from(value),             slot => slot as u32;
    i64 = I64: value => value as u64,                 slot => slot as i64;
    u64 = I64: value => value,                        slot => slot;
    f32 = F32: value => u64::from(value.to_bits()),   slot => f32::from_bits(slot as u32);
    f64 = F64: value => value.to_bits(),              slot => f64::from_bits(slot);
}

impl sealed::Sealed for V128 {}

impl WasmTy for V128 {
    const TYPE: ValType = ValType::V128;

    fn write(self, _store: &StoreInner, slots: &mut [u64]) {
        slots[..2].copy_from_slice(&self.to_slots());
    }

    unsafe fn read(_store: &mut StoreInner, slots: &[u64]) -> V128 {
        V128::from_slots([slots[0], slots[1]])
    }
}

impl sealed::Sealed for Option<Func> {}

impl WasmTy for Option<Func> {
    const TYPE: ValType = ValType::FUNCREF;

    fn write(self, store: &StoreInner, slots: &mut [u64]) {
        slots[0] = self.map_or(0, |func| {
            check_store(func.store_id(), store);
            func.as_slot()
        });
    }

    unsafe fn read(store: &mut StoreInner, slots: &[u64]) -> Option<Func> {
        // SAFETY: the contract.
        unsafe { Func::from_slot(store, slots[0]) }
    }
}

/// References that the collector owns.
macro_rules! collected {
    ($($rust:ty = $wasm:ident;)*) => {$(
        impl sealed::Sealed for Option<$rust> {}

        impl WasmTy for Option<$rust> {
            const TYPE: ValType = ValType::$wasm;

            fn write(self, store: &StoreInner, slots: &mut [u64]) {
                slots[0] = self.map_or(0, |reference| {
                    check_store(reference.0.store, store);
                    reference.0.word()
                });
            }

            unsafe fn read(store: &mut StoreInner, slots: &[u64]) -> Option<$rust> {
                <$rust>::from_slot(store, slots[0])
            }
        }
    )*};
}

collected! {
    ExternRef = EXTERNREF;
    ExnRef = EXNREF;
}

/// The most slots that a [`WasmTyList`] takes: 16 vectors.
const MAX_SLOTS: usize = 32;

/// Parameters or results as a Rust type: `()`, one [`WasmTy`], or a tuple of up to 16.
pub trait WasmTyList: sealed::Sealed + Copy + 'static {
    /// The types.
    fn types() -> Vec<ValType>;

    #[doc(hidden)]
    fn write_all(self, store: &StoreInner, slots: &mut [u64]);

    /// # Safety
    /// As for [`WasmTy::read`], for each.
    #[doc(hidden)]
    unsafe fn read_all(store: &mut StoreInner, slots: &[u64]) -> Self;
}

impl<A: WasmTy> WasmTyList for A {
    fn types() -> Vec<ValType> {
        vec![A::TYPE]
    }

    fn write_all(self, store: &StoreInner, slots: &mut [u64]) {
        self.write(store, slots);
    }

    unsafe fn read_all(store: &mut StoreInner, slots: &[u64]) -> A {
        // SAFETY: the contract.
        unsafe { A::read(store, slots) }
    }
}

/// What a host closure may return: a [`WasmTyList`], or one in a `Result` with any error that becomes a [`HostError`].
///
/// That is every error type that is `Send` and `Sync`, `anyhow::Error`, `Box<dyn Error + Send + Sync>`, a string, and [`Stop`],
/// which remains what it is. A closure has to say which: `|n: i32| -> anyhow::Result<i32> { … }`.
pub trait HostResults {
    /// The results proper.
    type List: WasmTyList;

    #[doc(hidden)]
    fn into_result(self) -> Result<Self::List, Stop>;
}

impl<R: WasmTyList> HostResults for R {
    type List = R;

    fn into_result(self) -> Result<R, Stop> {
        Ok(self)
    }
}

impl<R: WasmTyList, E: Into<HostError> + 'static> HostResults for Result<R, E> {
    type List = R;

    fn into_result(self) -> Result<R, Stop> {
        self.map_err(Stop::host)
    }
}

/// A closure that can be a host function. `P` and `R` only tell the shapes of closures apart.
pub trait IntoFunc<T, P, R>: Send + Sync + 'static {
    #[doc(hidden)]
    fn into_def(self) -> HostFuncDef;
}

/// Tuples of WebAssembly types, and closures over as many parameters with and without a [`Caller`].
macro_rules! tuples {
    ($(($($name:ident)*))*) => {$(
        impl<$($name: WasmTy),*> sealed::Sealed for ($($name,)*) {}

        #[allow(non_snake_case, unused_assignments, unused_mut, unused_variables, clippy::unused_unit)]
        impl<$($name: WasmTy),*> WasmTyList for ($($name,)*) {
            fn types() -> Vec<ValType> {
                vec![$($name::TYPE),*]
            }

            fn write_all(self, store: &StoreInner, slots: &mut [u64]) {
                let ($($name,)*) = self;
                let mut at = 0;
                $(
                    WasmTy::write($name, store, &mut slots[at..]);
                    at += $name::TYPE.slots();
                )*
            }

            unsafe fn read_all(store: &mut StoreInner, slots: &[u64]) -> Self {
                let mut at = 0;
                $(
                    // SAFETY: the contract; `at` has passed the slots of the types before this one.
                    let $name = unsafe { $name::read(store, &slots[at..]) };
                    at += $name::TYPE.slots();
                )*
                ($($name,)*)
            }
        }

        #[allow(non_snake_case)]
        impl<T, F, R, $($name),*> IntoFunc<T, ($($name,)*), R> for F
        where
            T: 'static,
            F: Fn($($name),*) -> R + Send + Sync + 'static,
            R: HostResults,
            $($name: WasmTy,)*
        {
            fn into_def(self) -> HostFuncDef {
                typed_def::<T, ($($name,)*), R>(move |_caller, ($($name,)*)| self($($name),*))
            }
        }

        #[allow(non_snake_case)]
        impl<T, F, R, $($name),*> IntoFunc<T, (Caller<'_, T>, $($name,)*), R> for F
        where
            T: 'static,
            F: Fn(Caller<'_, T>, $($name),*) -> R + Send + Sync + 'static,
            R: HostResults,
            $($name: WasmTy,)*
        {
            fn into_def(self) -> HostFuncDef {
                typed_def::<T, ($($name,)*), R>(move |caller, ($($name,)*)| self(caller, $($name),*))
            }
        }
    )*};
}

tuples! {
    ()
    (A)
    (A B)
    (A B C)
    (A B C D)
    (A B C D E)
    (A B C D E G)
    (A B C D E G H)
    (A B C D E G H I)
    (A B C D E G H I J)
    (A B C D E G H I J K)
    (A B C D E G H I J K L)
    (A B C D E G H I J K L M)
    (A B C D E G H I J K L M N)
    (A B C D E G H I J K L M N O)
    (A B C D E G H I J K L M N O P)
    (A B C D E G H I J K L M N O P Q)
}

fn typed_def<T: 'static, P: WasmTyList, R: HostResults>(
    func: impl Fn(Caller<'_, T>, P) -> R + Send + Sync + 'static,
) -> HostFuncDef {
    let ty = FuncType::new(P::types(), R::List::types());
    let call = move |mut caller: Caller<'_, T>, slots: &mut [u64]| {
        let mut context = caller.as_context_mut();
        let root = context.root();
        // SAFETY: the guest left parameters of the function's type, which is that of `P`.
        let params = unsafe { P::read_all(context.inner_mut(), slots) };
        let results = func(caller, params).into_result()?;
        // SAFETY: the closure is done with the store, which is ours for the rest of the call.
        results.write_all(unsafe { root.as_ref() }, slots);
        Ok(())
    };
    // SAFETY: `R` writes what its types say.
    unsafe { HostFuncDef::raw(ty, call) }
}

/// A function whose type was compared with Rust types. Calling it costs less than [`Func::call`].
///
/// # Examples
/// ```
/// use wasmr::{Engine, Instance, Module, Store, TypedFunc};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let engine = Engine::default();
/// let module = Module::new(&engine, r#"(module
///     (func (export "swap") (param i32 f64) (result f64 i32) (local.get 1) (local.get 0)))"#)?;
/// let mut store = Store::new(&engine, ());
/// let instance = Instance::new(&mut store, &module, &[])?;
/// let swap: TypedFunc<(i32, f64), (f64, i32)> = instance.get_typed_func(&store, "swap")?;
/// assert_eq!(swap.call(&mut store, (7, 0.5))?, (0.5, 7));
/// # Ok(())
/// # }
/// ```
pub struct TypedFunc<P, R> {
    func: Func,
    marker: PhantomData<fn(P) -> R>,
}

impl<P, R> Clone for TypedFunc<P, R> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<P, R> Copy for TypedFunc<P, R> {}

impl<P, R> std::fmt::Debug for TypedFunc<P, R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.func.fmt(f)
    }
}

impl<P: WasmTyList, R: WasmTyList> TypedFunc<P, R> {
    pub(crate) fn new(func: Func, store: &StoreInner) -> Result<TypedFunc<P, R>, TypeMismatch> {
        let actual = func.func_type(store);
        let wanted = FuncType::new(P::types(), R::types());
        let registry = store.registry();
        let all_match = |sub: &[ValType], sup: &[ValType]| {
            sub.len() == sup.len() && sub.iter().zip(sup).all(|(&sub, &sup)| val_matches(registry, sub, sup))
        };
        if all_match(wanted.params(), actual.params()) && all_match(actual.results(), wanted.results()) {
            return Ok(TypedFunc { func, marker: PhantomData });
        }
        let (expected, found) = (func_type_text(registry, &wanted), func_type_text(registry, &actual));
        Err(TypeMismatch { expected, found })
    }

    /// The function without the Rust types.
    pub fn func(&self) -> Func {
        self.func
    }

    /// Calls it.
    ///
    /// # Panics
    /// As [`Func::call`].
    pub fn call(&self, mut store: impl AsContextMut, params: P) -> Result<R, Stop> {
        let mut context = store.as_context_mut();
        check_store(self.func.store_id(), context.inner());
        let mut slots = [0; MAX_SLOTS];
        params.write_all(context.inner(), &mut slots);
        // SAFETY: the function is of this store and takes what was written; no list takes more than `MAX_SLOTS`.
        unsafe { call_slots(context.root(), self.func.as_ptr(), slots.as_mut_ptr())? };
        // SAFETY: the call returned, so the slots hold its results, which match `R`.
        Ok(unsafe { R::read_all(context.inner_mut(), &slots) })
    }
}
