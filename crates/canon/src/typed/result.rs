//! Results: `Result<T, E>`, where `()` stands for no value. A function's result is a [`Payload`] as well.

use wasmr_component::{TypeDef, TypeId};

use crate::abi::{FlatIn, FlatOut, LiftCx, LowerCx, scalar};
use crate::error::Result;
use crate::typed::{Abi, Check, ComponentType, Interface, Lift, Lower};

/// The payload of a case of a result, or the result of a function: a value, or `()` for none.
pub trait Payload {
    /// The representation.
    #[doc(hidden)]
    const PAYLOAD: Abi;

    /// Compares the type with a component's.
    ///
    /// # Errors
    /// The first difference, in words for the result of a function.
    #[doc(hidden)]
    fn check_payload(interface: &Interface<'_>, ty: Option<TypeId>) -> std::result::Result<(), String>;

    /// Returns the type in WIT syntax.
    #[doc(hidden)]
    fn payload_wit() -> Option<String>;
}

/// A payload that can be lifted.
pub trait LiftPayload: Payload + Sized {
    #[doc(hidden)]
    fn lift_payload(cx: &mut LiftCx<'_>, ty: TypeId, src: &mut FlatIn<'_>) -> Result<Self>;
    #[doc(hidden)]
    fn load_payload(cx: &mut LiftCx<'_>, ty: TypeId, at: usize) -> Result<Self>;
}

/// A payload that can be lowered.
pub trait LowerPayload: Payload {
    #[doc(hidden)]
    fn lower_payload(&self, cx: &mut LowerCx<'_>, ty: TypeId, dst: &mut FlatOut<'_>) -> Result<()>;
    #[doc(hidden)]
    fn store_payload(&self, cx: &mut LowerCx<'_>, ty: TypeId, at: usize) -> Result<()>;
}

impl Payload for () {
    const PAYLOAD: Abi = Abi::empty();

    fn check_payload(_: &Interface<'_>, ty: Option<TypeId>) -> Check {
        if ty.is_none() { Ok(()) } else { Err("expected no result".to_owned()) }
    }

    fn payload_wit() -> Option<String> {
        None
    }
}

impl LiftPayload for () {
    fn lift_payload(_: &mut LiftCx<'_>, _: TypeId, _: &mut FlatIn<'_>) -> Result<()> {
        Ok(())
    }

    fn load_payload(_: &mut LiftCx<'_>, _: TypeId, _: usize) -> Result<()> {
        Ok(())
    }
}

impl LowerPayload for () {
    fn lower_payload(&self, _: &mut LowerCx<'_>, _: TypeId, _: &mut FlatOut<'_>) -> Result<()> {
        Ok(())
    }

    fn store_payload(&self, _: &mut LowerCx<'_>, _: TypeId, _: usize) -> Result<()> {
        Ok(())
    }
}

impl<V: ComponentType> Payload for V {
    const PAYLOAD: Abi = V::ABI;

    fn check_payload(interface: &Interface<'_>, ty: Option<TypeId>) -> Check {
        match ty {
            Some(ty) => V::check(interface, ty).map_err(|text| format!("result: {text}")),
            None => Err(format!("expected the result `{}`, found none", V::wit())),
        }
    }

    fn payload_wit() -> Option<String> {
        Some(V::wit())
    }
}

impl<V: Lift> LiftPayload for V {
    fn lift_payload(cx: &mut LiftCx<'_>, ty: TypeId, src: &mut FlatIn<'_>) -> Result<V> {
        V::lift_flat(cx, ty, src)
    }

    fn load_payload(cx: &mut LiftCx<'_>, ty: TypeId, at: usize) -> Result<V> {
        V::load(cx, ty, at)
    }
}

impl<V: Lower> LowerPayload for V {
    fn lower_payload(&self, cx: &mut LowerCx<'_>, ty: TypeId, dst: &mut FlatOut<'_>) -> Result<()> {
        self.lower_flat(cx, ty, dst)
    }

    fn store_payload(&self, cx: &mut LowerCx<'_>, ty: TypeId, at: usize) -> Result<()> {
        self.store(cx, ty, at)
    }
}

impl<V: Payload, E: Payload> ComponentType for std::result::Result<V, E> {
    const ABI: Abi = V::PAYLOAD.or(E::PAYLOAD).variant(2);

    fn check(interface: &Interface<'_>, ty: TypeId) -> Check {
        let TypeDef::Result { ok, err } = interface.def(ty) else { return Err(interface.mismatch(&Self::wit(), ty)) };
        let checked = V::check_payload(interface, *ok).and_then(|()| E::check_payload(interface, *err));
        checked.map_err(|_| interface.mismatch(&Self::wit(), ty))
    }

    fn wit() -> String {
        match (V::payload_wit(), E::payload_wit()) {
            (None, None) => "result".to_owned(),
            (Some(ok), None) => format!("result<{ok}>"),
            (ok, Some(err)) => format!("result<{}, {err}>", ok.as_deref().unwrap_or("_")),
        }
    }
}

/// Returns the type of the payload of a case of a result type.
fn payload_type<P: Payload>(types: &wasmr_component::Types, ty: TypeId, is_ok: bool) -> TypeId {
    match types.def(ty) {
        TypeDef::Result { ok, err } if P::PAYLOAD.needs_type => if is_ok { *ok } else { *err }.unwrap_or(ty),
        _ => ty,
    }
}

impl<V: LowerPayload, E: LowerPayload> Lower for std::result::Result<V, E> {
    fn lower_flat(&self, cx: &mut LowerCx<'_>, ty: TypeId, dst: &mut FlatOut<'_>) -> Result<()> {
        let end = dst.position() + Self::ABI.flat;
        dst.push(self.is_err().into());
        match self {
            Ok(value) => {
                let ty = payload_type::<V>(cx.types, ty, true);
                value.lower_payload(cx, ty, dst).map_err(|e| e.within(".ok"))?;
            }
            Err(value) => {
                let ty = payload_type::<E>(cx.types, ty, false);
                value.lower_payload(cx, ty, dst).map_err(|e| e.within(".error"))?;
            }
        }
        dst.pad(end);
        Ok(())
    }

    fn store(&self, cx: &mut LowerCx<'_>, ty: TypeId, at: usize) -> Result<()> {
        cx.write(at, 1, self.is_err().into());
        let at = at + V::PAYLOAD.or(E::PAYLOAD).payload(2) as usize;
        match self {
            Ok(value) => {
                let ty = payload_type::<V>(cx.types, ty, true);
                value.store_payload(cx, ty, at).map_err(|e| e.within(".ok"))
            }
            Err(value) => {
                let ty = payload_type::<E>(cx.types, ty, false);
                value.store_payload(cx, ty, at).map_err(|e| e.within(".error"))
            }
        }
    }
}

impl<V: LiftPayload, E: LiftPayload> Lift for std::result::Result<V, E> {
    fn lift_flat(cx: &mut LiftCx<'_>, ty: TypeId, src: &mut FlatIn<'_>) -> Result<Self> {
        let end = src.position() + Self::ABI.flat;
        let value = match src.next_u32() {
            0 => Ok(V::lift_payload(cx, payload_type::<V>(cx.types, ty, true), src).map_err(|e| e.within(".ok"))?),
            1 => Err(E::lift_payload(cx, payload_type::<E>(cx.types, ty, false), src).map_err(|e| e.within(".error"))?),
            case => return Err(scalar::bad_discriminant(case, 2, "a result")),
        };
        src.seek(end);
        Ok(value)
    }

    fn load(cx: &mut LiftCx<'_>, ty: TypeId, at: usize) -> Result<Self> {
        let place = at + V::PAYLOAD.or(E::PAYLOAD).payload(2) as usize;
        match cx.memory[at] {
            0 => {
                Ok(Ok(V::load_payload(cx, payload_type::<V>(cx.types, ty, true), place).map_err(|e| e.within(".ok"))?))
            }
            1 => {
                Ok(Err(E::load_payload(cx, payload_type::<E>(cx.types, ty, false), place)
                    .map_err(|e| e.within(".error"))?))
            }
            case => Err(scalar::bad_discriminant(case.into(), 2, "a result")),
        }
    }
}
