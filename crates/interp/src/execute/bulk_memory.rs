//! `memory.copy` and `memory.fill` of small sizes.
//!
//! Copies and fills of at most `MAX_IN_PLACE` bytes are a few moves in the handler. All others are libcalls. A libcall takes as
//! long as several operators, and many sizes are small: compilers emit `memory.copy` for assignments of structures.
//! `memory.init` has no such form, as programs execute it once for each segment.
//!
//! # Invariants
//! - A range is compared with its memory's size before a byte is written. The libcall traps for a range that is outside.
//! - All loads of a copy come before its stores, so that ranges may overlap.
//! - The handlers keep no frame: they continue in `builtin`, which does.

use wasmr_runtime::vm::VmMemory;

use super::builtin::{builtin, operands};
use super::dispatch::{Machine, handlers};

/// Number of bytes of the largest range that is copied or filled in place: four vectors.
const MAX_IN_PLACE: u64 = 64;

/// Sixteen bytes.
#[cfg(target_arch = "x86_64")]
type Vector = std::arch::x86_64::__m128i;
/// Sixteen bytes.
#[cfg(not(target_arch = "x86_64"))]
type Vector = [u64; 2];

/// Returns the first byte of a range, if the whole range is inside a memory. `memory` is the offset of the memory's pointer in
/// the instance.
///
/// # Safety
/// The handlers' contract; `memory` is such an offset.
#[inline(always)]
unsafe fn range_start(m: &Machine, memory: u32, start: u64, len: u64) -> Option<*mut u8> {
    // SAFETY: at that offset is the pointer of a memory, which lives as long as the instance.
    let memory = unsafe { &**m.in_instance::<*mut VmMemory>(memory) };
    // Bounds check of the ranges that are copied or filled in place. The size is an atomic, which takes a register: the difference
    // needs no other.
    if (memory.size() as u64).checked_sub(start)? < len {
        return None;
    }
    // SAFETY: `start` is at most the memory's size, so the pointer is inside the memory or one past its end.
    Some(unsafe { memory.base.add(start as usize) })
}

/// Copies the first and the last `T` of two ranges of `len` bytes, which overlap in the middle.
///
/// # Safety
/// `from` may be read and `to` written for `len` bytes, which is at least the size of `T`.
#[inline(always)]
unsafe fn copy_ends<T: Copy>(to: *mut u8, from: *const u8, len: usize) {
    let last = len - size_of::<T>();
    // SAFETY: both values are inside the ranges, as `len` is at least their size.
    unsafe {
        let first_value = from.cast::<T>().read_unaligned();
        let last_value = from.add(last).cast::<T>().read_unaligned();
        to.cast::<T>().write_unaligned(first_value);
        to.add(last).cast::<T>().write_unaligned(last_value);
    }
}

/// Copies `len` bytes, at most [`MAX_IN_PLACE`].
///
/// # Safety
/// `from` may be read and `to` written for `len` bytes.
#[inline(always)]
unsafe fn copy_in_place(to: *mut u8, from: *const u8, len: usize) {
    // SAFETY: the caller promises the ranges; in each branch `len` is at least the size of the values moved.
    unsafe {
        if len > 2 * size_of::<Vector>() {
            let (second, last) = (size_of::<Vector>(), len - size_of::<Vector>());
            let read = |at: usize| from.add(at).cast::<Vector>().read_unaligned();
            let write = |at: usize, value: Vector| to.add(at).cast::<Vector>().write_unaligned(value);
            let values = [read(0), read(second), read(last - second), read(last)];
            write(0, values[0]);
            write(second, values[1]);
            write(last - second, values[2]);
            write(last, values[3]);
        } else if len > size_of::<Vector>() {
            copy_ends::<Vector>(to, from, len);
        } else if len >= 8 {
            copy_ends::<u64>(to, from, len);
        } else if len >= 4 {
            copy_ends::<u32>(to, from, len);
        } else if len >= 2 {
            copy_ends::<u16>(to, from, len);
        } else if len == 1 {
            *to = *from;
        }
    }
}

/// Writes a value to the first and the last bytes of a range of `len`.
///
/// # Safety
/// `to` may be written for `len` bytes, which is at least the size of `T`.
#[inline(always)]
unsafe fn fill_ends<T: Copy>(to: *mut u8, value: T, len: usize) {
    // SAFETY: both values are inside the range, as `len` is at least their size.
    unsafe {
        to.cast::<T>().write_unaligned(value);
        to.add(len - size_of::<T>()).cast::<T>().write_unaligned(value);
    }
}

/// Fills `len` bytes, at most [`MAX_IN_PLACE`].
///
/// # Safety
/// `to` may be written for `len` bytes.
#[inline(always)]
unsafe fn fill_in_place(to: *mut u8, value: u8, len: usize) {
    let word = value as u64 * 0x0101_0101_0101_0101;
    // SAFETY: the caller promises the range; in each branch `len` is at least the size of the values written. A vector is two
    // words.
    unsafe {
        if len > size_of::<Vector>() {
            #[allow(clippy::useless_transmute, reason = "on other processors a vector is two words")]
            let vector = std::mem::transmute::<[u64; 2], Vector>([word; 2]);
            if len > 2 * size_of::<Vector>() { fill_ends(to, [vector; 2], len) } else { fill_ends(to, vector, len) }
        } else if len >= 8 {
            fill_ends(to, word, len);
        } else if len >= 4 {
            fill_ends(to, word as u32, len);
        } else if len >= 2 {
            fill_ends(to, word as u16, len);
        } else if len == 1 {
            *to = value;
        }
    }
}

handlers! {
    /// As `builtin`, with the offset of the memory's pointer in word 4.
    fn memory_fill[](m) {
        let args = operands(&m);
        let (start, value, len) = (*args, *args.add(1), *args.add(2));
        // The next instruction expects nothing in these two registers. Values in them need no frame.
        (m.acc, m.scratch) = (len, start);
        if len > MAX_IN_PLACE {
            return m.enter(builtin::<5>);
        }
        let Some(to) = range_start(&m, m.half(8), start, len) else {
            return m.enter(builtin::<5>);
        };
        m.scratch = to as u64;
        fill_in_place(to, value as u8, len as usize);
        m.next(5)
    }

    /// As `builtin`, with the offsets of the memories' pointers in the halves of word 4, the destination's in the lower one.
    fn memory_copy[](m) {
        let args = operands(&m);
        let (to_start, from_start, len) = (*args, *args.add(1), *args.add(2));
        // As in `memory_fill`.
        (m.acc, m.scratch) = (len, to_start);
        if len > MAX_IN_PLACE {
            return m.enter(builtin::<5>);
        }
        let Some(to) = range_start(&m, m.half(8), to_start, len) else {
            return m.enter(builtin::<5>);
        };
        m.scratch = to as u64;
        let Some(from) = range_start(&m, m.half(9), from_start, len) else {
            return m.enter(builtin::<5>);
        };
        copy_in_place(to, from, len as usize);
        m.next(5)
    }
}
