//! Strings and lists.

use wasmr_component::{TypeDef, TypeId};

use crate::abi::{Element, FlatIn, FlatOut, LiftCx, LowerCx, read_u32, string};
use crate::error::Result;
use crate::typed::{Abi, Check, ComponentType, Interface, Lift, Lower, part};

/// The representation of a pointer and a length.
const POINTER: Abi = Abi { size: 8, align: 4, flat: 2, needs_type: false };

impl ComponentType for str {
    const ABI: Abi = POINTER;

    fn check(interface: &Interface<'_>, ty: TypeId) -> Check {
        if *interface.def(ty) == TypeDef::String { Ok(()) } else { Err(interface.mismatch("string", ty)) }
    }

    fn wit() -> String {
        "string".to_owned()
    }
}

impl Lower for str {
    fn lower_flat(&self, cx: &mut LowerCx<'_>, _: TypeId, dst: &mut FlatOut<'_>) -> Result<()> {
        let (ptr, len) = string::lower(cx, self)?;
        dst.push(ptr.into());
        dst.push(len.into());
        Ok(())
    }

    fn store(&self, cx: &mut LowerCx<'_>, _: TypeId, at: usize) -> Result<()> {
        let range = string::lower(cx, self)?;
        cx.write_range(at, range);
        Ok(())
    }
}

impl ComponentType for String {
    const ABI: Abi = POINTER;

    fn check(interface: &Interface<'_>, ty: TypeId) -> Check {
        str::check(interface, ty)
    }

    fn wit() -> String {
        str::wit()
    }
}

impl Lower for String {
    fn lower_flat(&self, cx: &mut LowerCx<'_>, ty: TypeId, dst: &mut FlatOut<'_>) -> Result<()> {
        self.as_str().lower_flat(cx, ty, dst)
    }

    fn store(&self, cx: &mut LowerCx<'_>, ty: TypeId, at: usize) -> Result<()> {
        Lower::store(self.as_str(), cx, ty, at)
    }
}

impl Lift for String {
    fn lift_flat(cx: &mut LiftCx<'_>, _: TypeId, src: &mut FlatIn<'_>) -> Result<String> {
        let (ptr, len) = (src.next_u32(), src.next_u32());
        string::lift(cx, ptr, len)
    }

    fn load(cx: &mut LiftCx<'_>, _: TypeId, at: usize) -> Result<String> {
        let (ptr, len) = (read_u32(cx.memory, at), read_u32(cx.memory, at + 4));
        string::lift(cx, ptr, len)
    }
}

/// Returns the element type of a list type.
fn element<V: ComponentType>(types: &wasmr_component::Types, ty: TypeId) -> TypeId {
    part::<V>(types, ty, |def| if let TypeDef::List(element) = def { Some(*element) } else { None })
}

impl<V: ComponentType> ComponentType for [V] {
    const ABI: Abi = Abi { needs_type: V::ABI.needs_type, ..POINTER };

    fn check(interface: &Interface<'_>, ty: TypeId) -> Check {
        match interface.def(ty) {
            TypeDef::List(element) => V::check(interface, *element),
            _ => Err(interface.mismatch(&Self::wit(), ty)),
        }
    }

    fn wit() -> String {
        format!("list<{}>", V::wit())
    }
}

/// Lowers the elements of a list. Returns pointer and length.
fn lower_list<V: Lower>(all: &[V], cx: &mut LowerCx<'_>, ty: TypeId) -> Result<(u32, u32)> {
    let layout = Element { size: V::ABI.size, align: V::ABI.align, value: 0 };
    let ptr = cx.allocate_elements(layout, all.len())?;
    let element = element::<V>(cx.types, ty);
    V::store_list(all, cx, element, ptr as usize)?;
    Ok((ptr, all.len() as u32))
}

impl<V: Lower> Lower for [V] {
    fn lower_flat(&self, cx: &mut LowerCx<'_>, ty: TypeId, dst: &mut FlatOut<'_>) -> Result<()> {
        let (ptr, len) = lower_list(self, cx, ty)?;
        dst.push(ptr.into());
        dst.push(len.into());
        Ok(())
    }

    fn store(&self, cx: &mut LowerCx<'_>, ty: TypeId, at: usize) -> Result<()> {
        let range = lower_list(self, cx, ty)?;
        cx.write_range(at, range);
        Ok(())
    }
}

impl<V: ComponentType> ComponentType for Vec<V> {
    const ABI: Abi = <[V]>::ABI;

    fn check(interface: &Interface<'_>, ty: TypeId) -> Check {
        <[V]>::check(interface, ty)
    }

    fn wit() -> String {
        <[V]>::wit()
    }
}

impl<V: Lower> Lower for Vec<V> {
    fn lower_flat(&self, cx: &mut LowerCx<'_>, ty: TypeId, dst: &mut FlatOut<'_>) -> Result<()> {
        self.as_slice().lower_flat(cx, ty, dst)
    }

    fn store(&self, cx: &mut LowerCx<'_>, ty: TypeId, at: usize) -> Result<()> {
        Lower::store(self.as_slice(), cx, ty, at)
    }
}

fn lift_list<V: Lift>(cx: &mut LiftCx<'_>, ty: TypeId, ptr: u32, len: u32) -> Result<Vec<V>> {
    let layout = Element { size: V::ABI.size, align: V::ABI.align, value: 0 };
    let range = cx.elements_range(layout, ptr, len)?;
    let element = element::<V>(cx.types, ty);
    V::load_list(cx, element, range.start, len as usize)
}

impl<V: Lift> Lift for Vec<V> {
    fn lift_flat(cx: &mut LiftCx<'_>, ty: TypeId, src: &mut FlatIn<'_>) -> Result<Vec<V>> {
        let (ptr, len) = (src.next_u32(), src.next_u32());
        lift_list(cx, ty, ptr, len)
    }

    fn load(cx: &mut LiftCx<'_>, ty: TypeId, at: usize) -> Result<Vec<V>> {
        let (ptr, len) = (read_u32(cx.memory, at), read_u32(cx.memory, at + 4));
        lift_list(cx, ty, ptr, len)
    }
}
