//! Handles of the host's resources as component types: [`Own`] is `own<T>`, [`Borrow`] is `borrow<T>`.

use wasmr_canon::{Abi, AbiError, ComponentType, FlatIn, FlatOut, Interface, Lift, LiftCx, Lower, LowerCx, Resource};
use wasmr_component::{TypeDef, TypeId};

use super::table::{Borrow, Kind, Own};

impl<T: Kind + 'static> ComponentType for Own<T> {
    const ABI: Abi = Resource::<T>::ABI;

    fn check(interface: &Interface<'_>, ty: TypeId) -> Result<(), String> {
        match interface.def(ty) {
            TypeDef::Own(_) => Resource::<T>::check(interface, ty),
            _ => Err(interface.mismatch(&Self::wit(), ty)),
        }
    }

    fn wit() -> String {
        T::NAME.to_owned()
    }
}

impl<T: Kind + 'static> Lower for Own<T> {
    fn lower_flat(&self, cx: &mut LowerCx<'_>, ty: TypeId, dst: &mut FlatOut<'_>) -> Result<(), AbiError> {
        Resource::<T>::new_own(self.rep()).lower_flat(cx, ty, dst)
    }

    fn store(&self, cx: &mut LowerCx<'_>, ty: TypeId, at: usize) -> Result<(), AbiError> {
        Resource::<T>::new_own(self.rep()).store(cx, ty, at)
    }
}

impl<T: Kind + 'static> Lift for Own<T> {
    fn lift_flat(cx: &mut LiftCx<'_>, ty: TypeId, src: &mut FlatIn<'_>) -> Result<Self, AbiError> {
        Ok(Own::from_rep(Resource::<T>::lift_flat(cx, ty, src)?.rep()))
    }

    fn load(cx: &mut LiftCx<'_>, ty: TypeId, at: usize) -> Result<Self, AbiError> {
        Ok(Own::from_rep(Resource::<T>::load(cx, ty, at)?.rep()))
    }
}

impl<T: Kind + 'static> ComponentType for Borrow<T> {
    const ABI: Abi = Resource::<T>::ABI;

    fn check(interface: &Interface<'_>, ty: TypeId) -> Result<(), String> {
        match interface.def(ty) {
            TypeDef::Borrow(_) => Resource::<T>::check(interface, ty),
            _ => Err(interface.mismatch(&Self::wit(), ty)),
        }
    }

    fn wit() -> String {
        format!("borrow<{}>", T::NAME)
    }
}

impl<T: Kind + 'static> Lift for Borrow<T> {
    fn lift_flat(cx: &mut LiftCx<'_>, ty: TypeId, src: &mut FlatIn<'_>) -> Result<Self, AbiError> {
        Ok(Borrow::from_rep(Resource::<T>::lift_flat(cx, ty, src)?.rep()))
    }

    fn load(cx: &mut LiftCx<'_>, ty: TypeId, at: usize) -> Result<Self, AbiError> {
        Ok(Borrow::from_rep(Resource::<T>::load(cx, ty, at)?.rep()))
    }
}
