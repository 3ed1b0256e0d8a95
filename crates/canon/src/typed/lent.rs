//! [`GuestBytes`]: a `list<u8>` that stays in the guest's memory.

use wasmr_component::TypeId;
use wasmr_runtime::{AsContext, AsContextMut, Memory};

use crate::abi::{Element, FlatIn, LiftCx, read_u32};
use crate::error::Result;
use crate::typed::{Abi, Check, ComponentType, Interface, Lift};

/// A `list<u8>` among the parameters of a host function that stays in the guest's memory: nothing is copied.
///
/// The bytes are those that the guest passed until the guest runs again.
#[derive(Clone, Debug)]
pub struct GuestBytes {
    /// `None` for an empty list of a guest without memory.
    memory: Option<Memory>,
    start: usize,
    len: usize,
}

impl GuestBytes {
    /// Returns the number of bytes.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Returns true if there are no bytes.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Returns the bytes.
    ///
    /// # Panics
    /// If they are of another store.
    pub fn get<'a, C: AsContext>(&self, store: &'a C) -> &'a [u8] {
        match self.memory {
            Some(memory) => &memory.data(store)[self.start..self.start + self.len],
            None => &[],
        }
    }

    /// Returns the bytes and the embedder's data, for writing.
    ///
    /// # Panics
    /// If they are of another store.
    pub fn with_data<'a, C: AsContextMut>(&self, store: &'a mut C) -> Option<(&'a [u8], &'a mut C::Data)> {
        let (bytes, data) = self.memory?.data_and_store_mut(store);
        Some((&bytes[self.start..self.start + self.len], data))
    }

    fn lift(cx: &LiftCx<'_>, ptr: u32, len: u32) -> Result<GuestBytes> {
        let range = cx.elements_range(Element { size: 1, align: 1, value: 0 }, ptr, len)?;
        Ok(GuestBytes { memory: cx.options.memory, start: range.start, len: range.len() })
    }
}

impl ComponentType for GuestBytes {
    const ABI: Abi = <[u8]>::ABI;

    fn check(interface: &Interface<'_>, ty: TypeId) -> Check {
        <[u8]>::check(interface, ty)
    }

    fn wit() -> String {
        <[u8]>::wit()
    }
}

impl Lift for GuestBytes {
    fn lift_flat(cx: &mut LiftCx<'_>, _: TypeId, src: &mut FlatIn<'_>) -> Result<GuestBytes> {
        let (ptr, len) = (src.next_u32(), src.next_u32());
        GuestBytes::lift(cx, ptr, len)
    }

    fn load(cx: &mut LiftCx<'_>, _: TypeId, at: usize) -> Result<GuestBytes> {
        let (ptr, len) = (read_u32(cx.memory, at), read_u32(cx.memory, at + 4));
        GuestBytes::lift(cx, ptr, len)
    }
}
