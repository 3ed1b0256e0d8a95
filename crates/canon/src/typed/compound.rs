//! Options, results, tuples, references and resources.

use wasmr_component::{TypeDef, TypeId};

use crate::abi::{FlatIn, FlatOut, LiftCx, LowerCx, read_bits, scalar};
use crate::error::{AbiError, Result};
use crate::resource::{Resource, ResourceAny, ResourceType};
use crate::typed::{Abi, Check, ComponentType, Interface, Lift, Lower, check_count, part};

impl<V: ComponentType + ?Sized> ComponentType for &V {
    const ABI: Abi = V::ABI;

    fn check(interface: &Interface<'_>, ty: TypeId) -> Check {
        V::check(interface, ty)
    }

    fn wit() -> String {
        V::wit()
    }
}

impl<V: Lower + ?Sized> Lower for &V {
    fn lower_flat(&self, cx: &mut LowerCx<'_>, ty: TypeId, dst: &mut FlatOut<'_>) -> Result<()> {
        (**self).lower_flat(cx, ty, dst)
    }

    fn store(&self, cx: &mut LowerCx<'_>, ty: TypeId, at: usize) -> Result<()> {
        Lower::store(*self, cx, ty, at)
    }
}

impl<V: ComponentType> ComponentType for Option<V> {
    const ABI: Abi = V::ABI.variant(2);

    fn check(interface: &Interface<'_>, ty: TypeId) -> Check {
        match interface.def(ty) {
            TypeDef::Option(some) => V::check(interface, *some),
            _ => Err(interface.mismatch(&Self::wit(), ty)),
        }
    }

    fn wit() -> String {
        format!("option<{}>", V::wit())
    }
}

fn some<V: ComponentType>(types: &wasmr_component::Types, ty: TypeId) -> TypeId {
    part::<V>(types, ty, |def| if let TypeDef::Option(some) = def { Some(*some) } else { None })
}

impl<V: Lower> Lower for Option<V> {
    fn lower_flat(&self, cx: &mut LowerCx<'_>, ty: TypeId, dst: &mut FlatOut<'_>) -> Result<()> {
        let end = dst.position() + Self::ABI.flat;
        dst.push(self.is_some().into());
        if let Some(value) = self {
            let ty = some::<V>(cx.types, ty);
            value.lower_flat(cx, ty, dst).map_err(|e| e.within(".some"))?;
        }
        dst.pad(end);
        Ok(())
    }

    fn store(&self, cx: &mut LowerCx<'_>, ty: TypeId, at: usize) -> Result<()> {
        cx.write(at, 1, self.is_some().into());
        if let Some(value) = self {
            let ty = some::<V>(cx.types, ty);
            value.store(cx, ty, at + V::ABI.payload(2) as usize).map_err(|e| e.within(".some"))?;
        }
        Ok(())
    }
}

impl<V: Lift> Lift for Option<V> {
    fn lift_flat(cx: &mut LiftCx<'_>, ty: TypeId, src: &mut FlatIn<'_>) -> Result<Option<V>> {
        let end = src.position() + Self::ABI.flat;
        let value = match src.next_u32() {
            0 => None,
            1 => {
                let ty = some::<V>(cx.types, ty);
                Some(V::lift_flat(cx, ty, src).map_err(|e| e.within(".some"))?)
            }
            case => return Err(scalar::bad_discriminant(case, 2, "an option")),
        };
        src.seek(end);
        Ok(value)
    }

    fn load(cx: &mut LiftCx<'_>, ty: TypeId, at: usize) -> Result<Option<V>> {
        match cx.memory[at] {
            0 => Ok(None),
            1 => {
                let ty = some::<V>(cx.types, ty);
                Ok(Some(V::load(cx, ty, at + V::ABI.payload(2) as usize).map_err(|e| e.within(".some"))?))
            }
            case => Err(scalar::bad_discriminant(case.into(), 2, "an option")),
        }
    }
}

/// Implements the traits for a tuple.
macro_rules! tuples {
    ($($name:ident $index:tt)+) => {
        impl<$($name: ComponentType),+> ComponentType for ($($name,)+) {
            const ABI: Abi = Abi::empty()$(.then($name::ABI))+.end();

            fn check(interface: &Interface<'_>, ty: TypeId) -> Check {
                let TypeDef::Tuple(types) = interface.def(ty) else { return Err(interface.mismatch(&Self::wit(), ty)) };
                check_count(interface, ty, types.len(), [$($index),+].len(), Self::wit)?;
                $($name::check(interface, types[$index])?;)+
                Ok(())
            }

            fn wit() -> String {
                format!("tuple<{}>", [$($name::wit()),+].join(", "))
            }
        }

        impl<$($name: Lower),+> Lower for ($($name,)+) {
            fn lower_flat(&self, cx: &mut LowerCx<'_>, ty: TypeId, dst: &mut FlatOut<'_>) -> Result<()> {
                $(
                    let field = tuple_field::<$name>(cx.types, ty, $index);
                    self.$index.lower_flat(cx, field, dst).map_err(|e| e.within(concat!(".", $index)))?;
                )+
                Ok(())
            }

            fn store(&self, cx: &mut LowerCx<'_>, ty: TypeId, at: usize) -> Result<()> {
                let abi = Abi::empty();
                $(
                    let field = tuple_field::<$name>(cx.types, ty, $index);
                    let place = at + abi.offset($name::ABI) as usize;
                    self.$index.store(cx, field, place).map_err(|e| e.within(concat!(".", $index)))?;
                    let abi = abi.then($name::ABI);
                )+
                let _ = abi;
                Ok(())
            }
        }

        impl<$($name: Lift),+> Lift for ($($name,)+) {
            fn lift_flat(cx: &mut LiftCx<'_>, ty: TypeId, src: &mut FlatIn<'_>) -> Result<Self> {
                Ok(($(
                    $name::lift_flat(cx, tuple_field::<$name>(cx.types, ty, $index), src)
                        .map_err(|e| e.within(concat!(".", $index)))?,
                )+))
            }

            #[allow(non_snake_case)]
            fn load(cx: &mut LiftCx<'_>, ty: TypeId, at: usize) -> Result<Self> {
                let abi = Abi::empty();
                $(
                    let place = at + abi.offset($name::ABI) as usize;
                    let value = $name::load(cx, tuple_field::<$name>(cx.types, ty, $index), place);
                    let abi = abi.then($name::ABI);
                    let $name = value.map_err(|e| e.within(concat!(".", $index)))?;
                )+
                let _ = abi;
                Ok(($($name,)+))
            }
        }
    };
}

fn tuple_field<P: ComponentType>(types: &wasmr_component::Types, ty: TypeId, index: usize) -> TypeId {
    part::<P>(types, ty, |def| if let TypeDef::Tuple(all) = def { all.get(index).copied() } else { None })
}

for_each_tuple!(tuples);

/// The representation of a handle.
const HANDLE: Abi = Abi { needs_type: true, ..Abi::scalar(4) };

impl ComponentType for ResourceAny {
    const ABI: Abi = HANDLE;

    fn check(interface: &Interface<'_>, ty: TypeId) -> Check {
        match interface.def(ty) {
            TypeDef::Own(_) | TypeDef::Borrow(_) => Ok(()),
            _ => Err(interface.mismatch("own<resource>", ty)),
        }
    }

    fn wit() -> String {
        "own<resource>".to_owned()
    }
}

impl Lower for ResourceAny {
    fn lower_flat(&self, cx: &mut LowerCx<'_>, ty: TypeId, dst: &mut FlatOut<'_>) -> Result<()> {
        dst.push(scalar::lower_resource(cx, ty, *self)?.into());
        Ok(())
    }

    fn store(&self, cx: &mut LowerCx<'_>, ty: TypeId, at: usize) -> Result<()> {
        let index = scalar::lower_resource(cx, ty, *self)?;
        cx.write(at, 4, index.into());
        Ok(())
    }
}

impl Lift for ResourceAny {
    fn lift_flat(cx: &mut LiftCx<'_>, ty: TypeId, src: &mut FlatIn<'_>) -> Result<ResourceAny> {
        scalar::lift_resource(cx, ty, src.next_u32())
    }

    fn load(cx: &mut LiftCx<'_>, ty: TypeId, at: usize) -> Result<ResourceAny> {
        scalar::lift_resource(cx, ty, read_bits(cx.memory, at, 4) as u32)
    }
}

impl<R: 'static> ComponentType for Resource<R> {
    const ABI: Abi = HANDLE;

    fn check(interface: &Interface<'_>, ty: TypeId) -> Check {
        let (TypeDef::Own(id) | TypeDef::Borrow(id)) = interface.def(ty) else {
            return Err(interface.mismatch("own<resource>", ty));
        };
        match interface.resources.get(id.index()).copied().flatten() {
            Some(found) if found == ResourceType::host::<R>() => Ok(()),
            _ => Err(format!(
                "expected the resource `{}` of the host, found another resource",
                std::any::type_name::<R>()
            )),
        }
    }

    fn wit() -> String {
        "own<resource>".to_owned()
    }
}

/// Returns the index of the guest's new handle, or the representation for an implementer.
fn lower_host<R: 'static>(cx: &mut LowerCx<'_>, ty: TypeId, resource: &Resource<R>) -> Result<u32> {
    let live = cx.options.live;
    match *cx.types.def(ty) {
        TypeDef::Own(id) if resource.owned() => {
            let key = cx.state().resource(live, id);
            cx.give_own(key, resource.rep(), false)
        }
        TypeDef::Borrow(id) => {
            let key = cx.state().resource(live, id);
            cx.give_borrow(key, resource.rep())
        }
        _ => Err(AbiError::host("a resource that was lent cannot be given away")),
    }
}

fn lift_host<R: 'static>(cx: &mut LiftCx<'_>, ty: TypeId, index: u32) -> Result<Resource<R>> {
    match *cx.types.def(ty) {
        TypeDef::Own(id) => {
            let key = cx.state.resource(cx.options.live, id);
            Ok(Resource::new_own(cx.state.take_own(cx.options.instance, index, key)?))
        }
        TypeDef::Borrow(id) => Ok(Resource::new_borrow(cx.lend(id, index)?.1)),
        _ => Err(scalar::not_supported()),
    }
}

impl<R: 'static> Lower for Resource<R> {
    fn lower_flat(&self, cx: &mut LowerCx<'_>, ty: TypeId, dst: &mut FlatOut<'_>) -> Result<()> {
        dst.push(lower_host(cx, ty, self)?.into());
        Ok(())
    }

    fn store(&self, cx: &mut LowerCx<'_>, ty: TypeId, at: usize) -> Result<()> {
        let index = lower_host(cx, ty, self)?;
        cx.write(at, 4, index.into());
        Ok(())
    }
}

impl<R: 'static> Lift for Resource<R> {
    fn lift_flat(cx: &mut LiftCx<'_>, ty: TypeId, src: &mut FlatIn<'_>) -> Result<Resource<R>> {
        lift_host(cx, ty, src.next_u32())
    }

    fn load(cx: &mut LiftCx<'_>, ty: TypeId, at: usize) -> Result<Resource<R>> {
        let index = read_bits(cx.memory, at, 4) as u32;
        lift_host(cx, ty, index)
    }
}
