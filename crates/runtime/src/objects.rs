//! Structs and arrays: making them, and reading and writing their fields. The meaning of the operators is written here once, for
//! libcalls, constant expressions and the embedder. Tiers do the common cases themselves, by the layouts of
//! [`vm_gc`](crate::vm_gc).
//!
//! # Invariant
//! A reference is null, an unboxed integer, or an object of the static type of the operand. Validation ensures that for code, and
//! the types of the embedder's interface for the host. So no function here checks the type of an object.

use wasmr_core::layout::{HEADER, Stored, StructLayout};
use wasmr_core::trap::TrapCode;

use crate::gc::GcHeap;
use crate::store::StoreInner;

/// A struct or array to make, with its contents in slot form.
#[derive(Clone, Copy, Debug)]
pub(crate) enum NewObject<'a> {
    /// A struct with the values of its fields.
    Struct(&'a StructLayout, &'a [u64]),
    /// A struct of zeros and nulls.
    StructDefault(&'a StructLayout),
    /// An array of copies of one element.
    ArrayOf(Stored, &'a [u64], u32),
    /// An array of zeros or nulls.
    ArrayDefault(Stored, u32),
    /// An array of these elements.
    ArrayFixed(Stored, &'a [u64]),
    /// An array of elements that the caller writes at once.
    ArrayUnset(Stored, u32),
}

impl NewObject<'_> {
    /// Returns the size in bytes, and the number of elements of an array.
    fn size(self) -> (u64, u32) {
        let array = |stored: Stored, len: u32| (u64::from(HEADER) + u64::from(len) * u64::from(stored.size()), len);
        match self {
            NewObject::Struct(layout, _) | NewObject::StructDefault(layout) => (layout.size.into(), 0),
            NewObject::ArrayOf(stored, _, len)
            | NewObject::ArrayDefault(stored, len)
            | NewObject::ArrayUnset(stored, len) => array(stored, len),
            NewObject::ArrayFixed(stored, slots) => array(stored, (slots.len() / stored.slots()) as u32),
        }
    }
}

impl StoreInner {
    /// Makes a struct or an array of the type with this descriptor. Returns its reference in slot form, or `None` if the heap is
    /// full. May collect. `extra` are roots that are stored nowhere else.
    #[inline]
    pub(crate) fn new_object(&mut self, descriptor: u32, new: NewObject<'_>, extra: &[u64]) -> Option<u64> {
        let (bytes, len) = new.size();
        let object = self.allocate(bytes, descriptor, len, extra)?;
        let heap = &mut self.heap;
        match new {
            NewObject::Struct(layout, slots) => {
                let mut slots = slots;
                for field in &layout.fields {
                    let (value, rest) = slots.split_at(field.stored.slots());
                    write_field(heap, object + field.offset, field.stored, value);
                    slots = rest;
                }
            }
            NewObject::StructDefault(layout) => {
                heap.bytes_mut(object + HEADER, (layout.size - HEADER) as usize).fill(0);
            }
            NewObject::ArrayOf(stored, value, len) => fill(heap, object + HEADER, stored, value, len),
            NewObject::ArrayDefault(stored, len) => {
                heap.bytes_mut(object + HEADER, len as usize * stored.size() as usize).fill(0);
            }
            NewObject::ArrayFixed(stored, slots) => {
                let mut at = object + HEADER;
                for value in slots.chunks_exact(stored.slots()) {
                    write_field(heap, at, stored, value);
                    at += stored.size();
                }
            }
            NewObject::ArrayUnset(..) => {}
        }
        Some(object.into())
    }

    /// Makes an array of `len` zeros or nulls of `size` bytes each. Returns `None` if the heap is full. May collect.
    pub(crate) fn new_zeroed_array(&mut self, descriptor: u32, len: u32, size: u32) -> Option<u32> {
        let bytes = u64::from(len) * u64::from(size);
        let object = self.allocate(u64::from(HEADER) + bytes, descriptor, len, &[])?;
        self.heap.bytes_mut(object + HEADER, bytes as usize).fill(0);
        Some(object)
    }
}

/// Writes a field or element at `at`, from slots.
#[inline]
pub(crate) fn write_field(heap: &mut GcHeap, at: u32, stored: Stored, slots: &[u64]) {
    let word = slots[0];
    match stored {
        Stored::I8 => heap.write(at, (word as u8).to_le_bytes()),
        Stored::I16 => heap.write(at, (word as u16).to_le_bytes()),
        Stored::Word32 | Stored::Ref => heap.write(at, (word as u32).to_le_bytes()),
        Stored::Word64 | Stored::Func => heap.write(at, word.to_le_bytes()),
        Stored::Vector => {
            heap.write(at, word.to_le_bytes());
            heap.write(at + 8, slots[1].to_le_bytes());
        }
    }
}

/// Reads a field or element at `at` into slots. A packed field is zero-extended.
pub(crate) fn read_field(heap: &GcHeap, at: u32, stored: Stored) -> [u64; 2] {
    let mut words = [0; 16];
    words[..stored.size() as usize].copy_from_slice(heap.bytes(at, stored.size() as usize));
    let (low, high) = (u128::from_le_bytes(words) as u64, (u128::from_le_bytes(words) >> 64) as u64);
    [low, high]
}

/// Writes `len` copies of an element, from `at` on.
pub(crate) fn fill(heap: &mut GcHeap, at: u32, stored: Stored, value: &[u64], len: u32) {
    let bytes = heap.bytes_mut(at, len as usize * stored.size() as usize);
    let word = value[0];
    match stored {
        Stored::I8 => bytes.fill(word as u8),
        Stored::I16 => fill_with(bytes, (word as u16).to_le_bytes()),
        Stored::Word32 | Stored::Ref => fill_with(bytes, (word as u32).to_le_bytes()),
        Stored::Word64 | Stored::Func => fill_with(bytes, word.to_le_bytes()),
        Stored::Vector => fill_with(bytes, (u128::from(word) | u128::from(value[1]) << 64).to_le_bytes()),
    }
}

/// Fills bytes with copies of an element.
fn fill_with<const SIZE: usize>(bytes: &mut [u8], element: [u8; SIZE]) {
    for place in bytes.as_chunks_mut().0 {
        *place = element;
    }
}

/// Returns the place of `len` elements of an array from `index` on.
///
/// # Errors
/// If the array is null, or the elements are not all inside it.
pub(crate) fn elements(heap: &GcHeap, array: u64, stored: Stored, index: u32, len: u32) -> Result<u32, TrapCode> {
    if array == 0 {
        return Err(TrapCode::NullArrayReference);
    }
    let array = array as u32;
    match index.checked_add(len) {
        Some(end) if end <= heap.len(array) => Ok(array + HEADER + index * stored.size()),
        _ => Err(TrapCode::ArrayOutOfBounds),
    }
}
