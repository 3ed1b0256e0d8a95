//! Functions with Rust types: [`TypedFunc`] for calls, and closures as host functions ([`IntoFunc`]).
//!
//! A [`WasmTy`] is the Rust type of a WebAssembly type. A [`WasmTyList`] is `()`, one `WasmTy`, or a tuple of them. Types are
//! compared once, when a function is created or typed. Calls then only move words.

use std::marker::PhantomData;

use wasmr_core::subtype::val_matches;
use wasmr_core::type_text::func_type_text;
use wasmr_core::types::{FuncType, HeapType, RefType, ValType};
use wasmr_core::value::V128;

use crate::context::AsContextMut;
use crate::func::{Func, call_slots};
use crate::handle::check_store;
use crate::host::{Caller, HostFuncDef};
use crate::host_error::HostError;
use crate::reference::I31;
use crate::rooted::{GcRef, Rooted, Unrooted};
use crate::store::StoreInner;
use crate::trap::Stop;
use crate::value::TypeMismatch;

mod sealed {
    /// Only this crate implements [`WasmTy`](super::WasmTy), because slots are trusted.
    pub trait Sealed {}
}

/// The Rust type of a WebAssembly type.
pub trait WasmTy: sealed::Sealed + Copy + 'static {
    /// The WebAssembly type.
    const TYPE: ValType;

    /// Writes the value into the first of `slots`. Panics if it is a reference of another store.
    ///
    /// # Errors
    /// If it is a reference whose handle scope has ended.
    #[doc(hidden)]
    fn write(self, store: &StoreInner, slots: &mut [u64]) -> Result<(), Unrooted>;

    /// Reads a value from the first of `slots`.
    ///
    /// # Safety
    /// The slots have a value of that type, of this store.
    #[doc(hidden)]
    unsafe fn read(store: &mut StoreInner, slots: &[u64]) -> Self;
}

/// Implements [`WasmTy`] for numbers: `type = WebAssembly type: value to slot, slot to value`.
macro_rules! numbers {
    ($($rust:ty = $wasm:ident: $value:ident => $to:expr, $slot:ident => $from:expr;)*) => {$(
        impl sealed::Sealed for $rust {}

        impl WasmTy for $rust {
            const TYPE: ValType = ValType::$wasm;

            fn write(self, _store: &StoreInner, slots: &mut [u64]) -> Result<(), Unrooted> {
                let $value = self;
                slots[0] = $to;
                Ok(())
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

    fn write(self, _store: &StoreInner, slots: &mut [u64]) -> Result<(), Unrooted> {
        slots[..2].copy_from_slice(&self.to_slots());
        Ok(())
    }

    unsafe fn read(_store: &mut StoreInner, slots: &[u64]) -> V128 {
        V128::from_slots([slots[0], slots[1]])
    }
}

impl sealed::Sealed for Option<Func> {}

impl WasmTy for Option<Func> {
    const TYPE: ValType = ValType::FUNCREF;

    fn write(self, store: &StoreInner, slots: &mut [u64]) -> Result<(), Unrooted> {
        slots[0] = self.map_or(0, |func| {
            check_store(func.store_id(), store);
            func.as_slot()
        });
        Ok(())
    }

    unsafe fn read(store: &mut StoreInner, slots: &[u64]) -> Option<Func> {
        // SAFETY: the caller promises a funcref of this store.
        unsafe { Func::from_slot(store, slots[0]) }
    }
}

impl<T: GcRef> sealed::Sealed for Option<Rooted<T>> {}

impl<T: GcRef> WasmTy for Option<Rooted<T>> {
    const TYPE: ValType = ValType::Ref(RefType { nullable: true, heap: T::HEAP_TYPE });

    fn write(self, store: &StoreInner, slots: &mut [u64]) -> Result<(), Unrooted> {
        slots[0] = match self {
            Some(reference) => reference.slot(store)?,
            None => 0,
        };
        Ok(())
    }

    unsafe fn read(store: &mut StoreInner, slots: &[u64]) -> Option<Rooted<T>> {
        Rooted::from_slot(store, slots[0])
    }
}

impl<T: GcRef> sealed::Sealed for Rooted<T> {}

impl<T: GcRef> WasmTy for Rooted<T> {
    const TYPE: ValType = ValType::Ref(RefType { nullable: false, heap: T::HEAP_TYPE });

    fn write(self, store: &StoreInner, slots: &mut [u64]) -> Result<(), Unrooted> {
        slots[0] = self.slot(store)?;
        Ok(())
    }

    unsafe fn read(store: &mut StoreInner, slots: &[u64]) -> Rooted<T> {
        Rooted::from_object(store, slots[0])
    }
}

impl sealed::Sealed for Option<I31> {}

impl WasmTy for Option<I31> {
    const TYPE: ValType = ValType::Ref(RefType { nullable: true, heap: HeapType::I31 });

    fn write(self, _store: &StoreInner, slots: &mut [u64]) -> Result<(), Unrooted> {
        slots[0] = self.map_or(0, I31::slot);
        Ok(())
    }

    unsafe fn read(_store: &mut StoreInner, slots: &[u64]) -> Option<I31> {
        (slots[0] != 0).then(|| I31::from_slot(slots[0]))
    }
}

impl sealed::Sealed for I31 {}

impl WasmTy for I31 {
    const TYPE: ValType = ValType::Ref(RefType { nullable: false, heap: HeapType::I31 });

    fn write(self, _store: &StoreInner, slots: &mut [u64]) -> Result<(), Unrooted> {
        slots[0] = self.slot();
        Ok(())
    }

    unsafe fn read(_store: &mut StoreInner, slots: &[u64]) -> I31 {
        I31::from_slot(slots[0])
    }
}

/// Slots of the largest [`WasmTyList`]: 16 vectors.
const MAX_SLOTS: usize = 32;

/// The Rust type of parameters or results: `()`, one [`WasmTy`], or a tuple of up to 16.
pub trait WasmTyList: sealed::Sealed + Copy + 'static {
    /// Returns the WebAssembly types.
    fn types() -> Vec<ValType>;

    /// # Errors
    /// As [`WasmTy::write`].
    #[doc(hidden)]
    fn write_all(self, store: &StoreInner, slots: &mut [u64]) -> Result<(), Unrooted>;

    /// # Safety
    /// As for [`WasmTy::read`], for each type in turn.
    #[doc(hidden)]
    unsafe fn read_all(store: &mut StoreInner, slots: &[u64]) -> Self;
}

impl<A: WasmTy> WasmTyList for A {
    fn types() -> Vec<ValType> {
        vec![A::TYPE]
    }

    fn write_all(self, store: &StoreInner, slots: &mut [u64]) -> Result<(), Unrooted> {
        self.write(store, slots)
    }

    unsafe fn read_all(store: &mut StoreInner, slots: &[u64]) -> A {
        // SAFETY: the caller promises a value of the only type, of this store.
        unsafe { A::read(store, slots) }
    }
}

/// The result type of a host closure: a [`WasmTyList`], or one in a `Result` with any error that converts to a [`HostError`].
///
/// These are every error type that is `Send` and `Sync`, `anyhow::Error`, `Box<dyn Error + Send + Sync>`, a string, and
/// [`Stop`], which stays a stop. The closure has to name the type: `|n: i32| -> anyhow::Result<i32> { … }`.
pub trait HostResults {
    /// The results without the `Result`.
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

/// A closure that can be a host function. `P` and `R` only distinguish the shapes of closures.
pub trait IntoFunc<T, P, R>: Send + Sync + 'static {
    #[doc(hidden)]
    fn into_def(self) -> HostFuncDef;
}

/// Implements the traits for tuples, and for closures over as many parameters with and without a [`Caller`].
macro_rules! tuples {
    ($(($($name:ident)*))*) => {$(
        impl<$($name: WasmTy),*> sealed::Sealed for ($($name,)*) {}

        #[allow(non_snake_case, unused_assignments, unused_mut, unused_variables, clippy::unused_unit)]
        impl<$($name: WasmTy),*> WasmTyList for ($($name,)*) {
            fn types() -> Vec<ValType> {
                vec![$($name::TYPE),*]
            }

            fn write_all(self, store: &StoreInner, slots: &mut [u64]) -> Result<(), Unrooted> {
                let ($($name,)*) = self;
                let mut at = 0;
                $(
                    WasmTy::write($name, store, &mut slots[at..])?;
                    at += $name::TYPE.slots();
                )*
                Ok(())
            }

            unsafe fn read_all(store: &mut StoreInner, slots: &[u64]) -> Self {
                let mut at = 0;
                $(
                    // SAFETY: the caller promises a value of each type, of this store. `at` has passed the slots of the types
                    // before this one.
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
        // SAFETY: the guest left parameters of the function's type, which is that of `P`, and of this store.
        let params = unsafe { P::read_all(context.inner_mut(), slots) };
        let results = func(caller, params).into_result()?;
        // SAFETY: the closure has returned the store that was lent to it, and no one else uses the store during the call.
        results.write_all(unsafe { root.as_ref() }, slots)?;
        Ok(())
    };
    // SAFETY: `write_all` of a sealed trait writes values of `R`'s types, and checks that references are of this store. `T` is
    // that of the closure.
    unsafe { HostFuncDef::raw(ty, call) }
}

/// A function whose type was compared with Rust types. A call costs less than [`Func::call`].
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

    /// Returns the function without the Rust types.
    pub fn func(&self) -> Func {
        self.func
    }

    /// Calls the function.
    ///
    /// # Errors
    /// As [`Func::call`].
    ///
    /// # Panics
    /// As [`Func::call`].
    pub fn call(&self, mut store: impl AsContextMut, params: P) -> Result<R, Stop> {
        let mut context = store.as_context_mut();
        check_store(self.func.store_id(), context.inner());
        let mut slots = [0; MAX_SLOTS];
        params.write_all(context.inner(), &mut slots)?;
        // SAFETY: `check_store` found the function to be of this store, and `new` found its parameters to be of type `P`. No
        // list takes more than `MAX_SLOTS`, so that results fit as well.
        unsafe { call_slots(context.root(), self.func.as_ptr(), slots.as_mut_ptr())? };
        // SAFETY: the call returned, so that the slots have its results, of this store. `new` found their types to match `R`.
        Ok(unsafe { R::read_all(context.inner_mut(), &slots) })
    }
}
