//! The layouts of the heap that code reads and writes: objects, type descriptors, and the intervals of the allocator.
//!
//! # References
//! A reference of the `any`, `extern` or `exn` hierarchy is a 32-bit number, zero-extended in a slot. 0 is null. An odd number
//! is an unboxed integer (`i31`), shifted left by one. Any other number is the distance of an object from [`VmHeap::base`].
//!
//! # Objects
//! ```text
//! object      descriptor: u32 │ len: u32 │ fields or elements, placed by `wasmr_core::layout`
//! exception   descriptor: u32 │ len: u32 │ tag: *const VmTag │ payload in slot form, `len` slots
//! host value  descriptor: u32 │ entry: u32
//! ```
//! `len` is the number of elements of an array. A struct does not use it.
//!
//! # Descriptors
//! A [`VmDescriptor`] describes a type. It is at a fixed place of the heap for the life of the store. Equal types have the same
//! descriptor, in all modules of a store. The *display* of a descriptor has the descriptors of the type's ancestors, the root
//! first and the type itself last (Cohen 1991, see `docs/glossary.md`). An object is thus an instance of a type at depth `d`
//! exactly if entry `d` of its descriptor's display is the type's descriptor. Unused entries are 0.

use std::mem::offset_of;

use wasmr_core::layout::HEADER;
use wasmr_core::types::TypeId;

/// Cell sizes of the heap in bytes. An object of at most [`LARGEST_CELL`] bytes is in a cell of the smallest size that fits.
pub const CELL_SIZES: [u32; 32] = [
    16, 24, 32, 40, 48, 56, 64, 72, 80, 96, 112, 128, 144, 160, 192, 224, 256, 320, 384, 448, 512, 640, 768, 1024,
    1280, 1536, 2048, 2976, 4096, 6552, 10920, 16384,
];

/// Bytes of the largest cell. A larger object has blocks of its own.
pub const LARGEST_CELL: u32 = CELL_SIZES[CELL_SIZES.len() - 1];

/// Depths of supertypes that every display has. Types with more ancestors have longer displays.
pub const DISPLAY: usize = 9;

/// The index in [`CELL_SIZES`] for each object size in units of 8 bytes.
static CLASS_OF_SIZE: [u8; LARGEST_CELL as usize / 8 + 1] = {
    let mut classes = [0; LARGEST_CELL as usize / 8 + 1];
    let (mut units, mut class) = (0, 0);
    while units < classes.len() {
        if units as u32 * 8 > CELL_SIZES[class] {
            class += 1;
        }
        classes[units] = class as u8;
        units += 1;
    }
    classes
};

/// Returns the index in [`CELL_SIZES`] for an object of `bytes` bytes; `None` if it is larger than all cells.
#[inline]
pub fn cell_class(bytes: u32) -> Option<usize> {
    CLASS_OF_SIZE.get(bytes.div_ceil(8) as usize).map(|&class| class.into())
}

/// The header of an object.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct VmObject {
    /// Place of the type's [`VmDescriptor`] in the heap.
    pub descriptor: u32,
    /// Elements of an array, slots of an exception's payload, entry of a host value.
    pub len: u32,
}

const _: () = {
    assert!(size_of::<VmObject>() == HEADER as usize);
    assert!(offset_of!(VmObject, descriptor) == 0 && offset_of!(VmObject, len) == 4);
};

/// Offset of an exception's payload. The tag is in the word before it.
pub const EXCEPTION_PAYLOAD: u32 = 16;

/// The kind of objects that a descriptor describes. Instances of `eq` have the kinds up to [`Kind::ARRAY`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(transparent)]
pub struct Kind(pub u32);

impl Kind {
    /// Struct.
    pub const STRUCT: Kind = Kind(1);
    /// Array.
    pub const ARRAY: Kind = Kind(2);
    /// Exception.
    pub const EXCEPTION: Kind = Kind(3);
    /// Value of the host.
    pub const HOST: Kind = Kind(4);
}

/// The descriptor of a type of objects.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct VmDescriptor {
    /// Kind of the objects.
    pub kind: Kind,
    /// Canonical type; meaningless for exceptions and host values.
    pub type_id: TypeId,
    /// Bytes of a struct, or of an element of an array.
    pub size: u32,
    /// Number of the type's ancestors: the index of the type itself in its display.
    pub depth: u32,
    /// Bit `n` is set if the bytes from `8 + 4 * n` on are a reference. An array has bit 0 set if its elements are references.
    /// A struct whose references do not fit has [`MORE_REFS`].
    pub refs: u64,
    /// Number of entries of the display, at least [`DISPLAY`].
    pub display_len: u32,
    /// The first entries of the display. The others follow.
    pub display: [u32; DISPLAY],
}

const _: () = {
    let end = offset_of!(VmDescriptor, display) + size_of::<[u32; DISPLAY]>();
    assert!(end == size_of::<VmDescriptor>(), "further entries of the display follow the first ones");
};

/// The value of [`VmDescriptor::refs`] for a struct with references beyond the 63rd word. The heap has a list of their offsets.
pub const MORE_REFS: u64 = 1 << 63;

/// The free cells from which code allocates objects of one size: from `cursor` up to `end`. Both are 0 if there are none.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub struct VmInterval {
    /// The next free cell.
    pub cursor: u32,
    /// End of the last free cell.
    pub end: u32,
}

/// The part of the heap that code reads and writes.
#[derive(Debug)]
#[repr(C)]
pub struct VmHeap {
    /// Base of the heap; null before its first use. The first [`NULL_GUARD`] bytes are inaccessible.
    pub base: *mut u8,
    /// The free cells for each of [`CELL_SIZES`].
    pub intervals: [VmInterval; CELL_SIZES.len()],
}

/// Inaccessible bytes at the base of the heap. An access to a field of null faults if its offset is below.
pub const NULL_GUARD: u32 = 64 << 10;

impl VmHeap {
    /// Returns a heap that does not exist yet.
    pub(crate) fn absent() -> VmHeap {
        VmHeap { base: std::ptr::null_mut(), intervals: Default::default() }
    }

    /// Takes the next cell for an object of `bytes` bytes from its interval. Returns `None` if the interval is used up, or the
    /// object is too large for a cell.
    #[inline]
    pub(crate) fn take_cell(&mut self, bytes: u32) -> Option<u32> {
        let class = cell_class(bytes)?;
        let (interval, size) = (&mut self.intervals[class], CELL_SIZES[class]);
        if interval.end - interval.cursor < size {
            return None;
        }
        let at = interval.cursor;
        interval.cursor += size;
        Some(at)
    }
}

/// Returns the reference to an unboxed integer, in slot form: `ref.i31`.
#[inline(always)]
pub const fn i31_new(value: u32) -> u64 {
    (value << 1 | 1) as u64
}

/// Returns true if a reference in slot form is an unboxed integer.
#[inline(always)]
pub const fn is_i31(slot: u64) -> bool {
    slot & 1 != 0
}

/// Returns the sign-extended value of an unboxed integer: `i31.get_s`.
#[inline(always)]
pub const fn i31_get_s(slot: u64) -> i32 {
    slot as u32 as i32 >> 1
}

/// Returns the zero-extended value of an unboxed integer: `i31.get_u`.
#[inline(always)]
pub const fn i31_get_u(slot: u64) -> u32 {
    slot as u32 >> 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_gets_the_smallest_cell_that_fits() {
        for bytes in (8..=LARGEST_CELL).step_by(8) {
            let class = cell_class(bytes).unwrap();
            assert!(CELL_SIZES[class] >= bytes);
            assert!(class == 0 || CELL_SIZES[class - 1] < bytes, "{bytes}");
        }
        assert_eq!(cell_class(LARGEST_CELL + 8), None);
        assert_eq!(cell_class(u32::MAX), None);
        assert!(CELL_SIZES.iter().all(|size| size.is_multiple_of(8)));
    }

    #[test]
    fn integers_survive_in_references() {
        for value in [0, 1, 0x3fff_ffff, 0x4000_0000, 0x7fff_ffff, 0x8000_0000, u32::MAX] {
            let slot = i31_new(value);
            assert!(is_i31(slot));
            assert_eq!(i31_get_u(slot), value & 0x7fff_ffff);
            assert_eq!(i31_get_s(slot), (value << 1) as i32 >> 1);
        }
    }
}
