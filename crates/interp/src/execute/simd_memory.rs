//! Vector loads and stores. Plain, extending, splatting and zero-filling loads have a guarded form; single lanes are always
//! checked, which is right for any memory.

use wasmr_core::ops;
use wasmr_core::trap::TrapCode;
use wasmr_core::value::V128;

use super::access::{Raw, load_half, load_quarter};
use super::dispatch::{Handler, Machine, handlers};
use super::memory::{checked, checked_address};
use super::operand::{Acc, SlotA, Source};
use super::simd::{read, write};

/// A vector load: how memory is read and the vector it becomes.
pub trait VectorLoad {
    /// How it is read.
    type Fetch: Fetch;
    /// Extends.
    fn extend(value: <Self::Fetch as Fetch>::Value) -> V128;
}

/// A way to read memory for a vector.
pub trait Fetch {
    /// In memory.
    type Memory: Copy;
    /// In registers.
    type Value;
    /// Reads guarded memory.
    ///
    /// # Safety
    /// As for [`Raw::load`].
    unsafe fn fetch(m: &Machine, at: u64) -> Self::Value;
    /// What was read elsewhere.
    fn from_memory(raw: Self::Memory) -> Self::Value;
}

impl<T: Raw> Fetch for T {
    type Memory = T;
    type Value = T;
    #[inline(always)]
    unsafe fn fetch(m: &Machine, at: u64) -> T {
        // SAFETY: the caller's promise.
        unsafe { T::load(m, at) }
    }
    #[inline(always)]
    fn from_memory(raw: T) -> T {
        raw
    }
}

/// Eight bytes that become the low half of a vector without passing through a general register.
pub struct Half;

/// Four bytes that become the low quarter of a vector likewise.
pub struct Quarter;

macro_rules! low_bytes {
    ($fetch:ident $word:ty, $load:ident) => {
        impl Fetch for $fetch {
            type Memory = $word;
            type Value = V128;
            #[inline(always)]
            unsafe fn fetch(m: &Machine, at: u64) -> V128 {
                // SAFETY: the caller's promise.
                unsafe { $load(m, at) }
            }
            #[inline(always)]
            fn from_memory(raw: $word) -> V128 {
                V128::from_u128(raw as u128)
            }
        }
    };
}

low_bytes!(Half u64, load_half);
low_bytes!(Quarter u32, load_quarter);

/// A load or store of one lane.
pub trait Lane {
    /// In memory.
    type Memory: Raw;
    /// The vector with that lane replaced.
    fn replace(vector: V128, raw: Self::Memory, lane: u8) -> V128;
    /// That lane of the vector.
    fn extract(vector: V128, lane: u8) -> Self::Memory;
}

handlers! {
    fn load[L: VectorLoad, X: Source](m) {
        let at = X::read::<i32>(&m) as u32 as u64 + m.imm() as u32 as u64;
        let value = L::Fetch::fetch(&m, at);
        write(m.d(), L::extend(value));
        m.next(2)
    }

    /// Address in slot `a`, memory in `imm`, offset in word 2.
    fn load_checked[L: VectorLoad, const IS64: bool](m) {
        let address = checked_address::<IS64>(&m);
        let size = size_of::<<L::Fetch as Fetch>::Memory>() as u64;
        let Some(at) = checked(&m, m.imm() as u32, address, m.word(2), size) else {
            return m.trap(TrapCode::MemoryOutOfBounds);
        };
        let raw = at.cast::<<L::Fetch as Fetch>::Memory>().read_unaligned();
        write(m.d(), L::extend(L::Fetch::from_memory(raw)));
        m.next(3)
    }

    /// Vector in slot `d`.
    fn store[X: Source](m) {
        let at = X::read::<i32>(&m) as u32 as u64 + m.imm() as u32 as u64;
        u128::store(&m, at, read(m.d()).to_u128());
        m.next(2)
    }

    fn store_checked[const IS64: bool](m) {
        let address = checked_address::<IS64>(&m);
        let Some(at) = checked(&m, m.imm() as u32, address, m.word(2), 16) else {
            return m.trap(TrapCode::MemoryOutOfBounds);
        };
        at.cast::<V128>().write_unaligned(read(m.d()));
        m.next(3)
    }

    /// Address in slot `a`, memory in `imm`, offset in word 2; word 3: vector slot, lane in the high half.
    fn load_lane[L: Lane, const IS64: bool](m) {
        let address = checked_address::<IS64>(&m);
        let Some(at) = checked(&m, m.imm() as u32, address, m.word(2), size_of::<L::Memory>() as u64) else {
            return m.trap(TrapCode::MemoryOutOfBounds);
        };
        let vector = read(m.fp.offset(m.word(3) as i32 as isize));
        let raw = at.cast::<L::Memory>().read_unaligned();
        write(m.d(), L::replace(vector, raw, (m.word(3) >> 32) as u8));
        m.next(4)
    }

    fn store_lane[L: Lane, const IS64: bool](m) {
        let address = checked_address::<IS64>(&m);
        let Some(at) = checked(&m, m.imm() as u32, address, m.word(2), size_of::<L::Memory>() as u64) else {
            return m.trap(TrapCode::MemoryOutOfBounds);
        };
        let vector = read(m.fp.offset(m.word(3) as i32 as isize));
        at.cast::<L::Memory>().write_unaligned(L::extract(vector, (m.word(3) >> 32) as u8));
        m.next(4)
    }
}

/// Declares the vector loads: operator, memory type, meaning.
macro_rules! vector_loads {
    ($($op:ident $text:literal $memory:ident |$raw:ident| $value:expr;)*) => {
        mod markers {
            use super::*;
            $(pub struct $op;
            impl VectorLoad for $op {
                type Fetch = $memory;
                #[inline(always)]
                fn extend($raw: <$memory as Fetch>::Value) -> V128 {
                    $value
                }
            })*
        }

        /// The vector loads but those of one lane.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum VectorLoadOp { $(#[doc = $text] $op,)* }

        impl VectorLoadOp {
            /// All of them, with their names.
            pub const ALL: &[(VectorLoadOp, &str)] = &[$((VectorLoadOp::$op, $text),)*];

            /// Guarded: address in slot `a` or the accumulator, offset in `imm`.
            pub fn handler(self, address_in_acc: bool) -> Handler {
                static HANDLERS: &[[Handler; 2]] = &[$([load::<markers::$op, SlotA>, load::<markers::$op, Acc>],)*];
                HANDLERS[self as usize][address_in_acc as usize]
            }

            /// Checked.
            pub fn checked(self, is64: bool) -> Handler {
                static HANDLERS: &[[Handler; 2]] =
                    &[$([load_checked::<markers::$op, false>, load_checked::<markers::$op, true>],)*];
                HANDLERS[self as usize][is64 as usize]
            }
        }
    };
}

vector_loads! {
    V128Load        "v128.load"         u128 |raw| V128::from_u128(raw);
    V128Load8x8S    "v128.load8x8_s"    Half |raw| ops::i16x8_extend_low_i8x16_s(raw);
    V128Load8x8U    "v128.load8x8_u"    Half |raw| ops::i16x8_extend_low_i8x16_u(raw);
    V128Load16x4S   "v128.load16x4_s"   Half |raw| ops::i32x4_extend_low_i16x8_s(raw);
    V128Load16x4U   "v128.load16x4_u"   Half |raw| ops::i32x4_extend_low_i16x8_u(raw);
    V128Load32x2S   "v128.load32x2_s"   Half |raw| ops::i64x2_extend_low_i32x4_s(raw);
    V128Load32x2U   "v128.load32x2_u"   Half |raw| ops::i64x2_extend_low_i32x4_u(raw);
    V128Load8Splat  "v128.load8_splat"  u8   |raw| ops::i8x16_splat(raw as i32);
    V128Load16Splat "v128.load16_splat" u16  |raw| ops::i16x8_splat(raw as i32);
    V128Load32Splat "v128.load32_splat" u32  |raw| ops::i32x4_splat(raw as i32);
    V128Load64Splat "v128.load64_splat" u64  |raw| ops::i64x2_splat(raw as i64);
    V128Load32Zero  "v128.load32_zero"  Quarter |raw| raw;
    V128Load64Zero  "v128.load64_zero"  Half |raw| raw;
}

/// Declares the accesses to one lane: operators with their names, memory type, lane operators.
macro_rules! lanes {
    ($($marker:ident $load:ident $load_text:literal $store:ident $store_text:literal $memory:ident $replace:ident $extract:ident
       $scalar:ident;)*) => {
        $(struct $marker;
        impl Lane for $marker {
            type Memory = $memory;
            #[inline(always)]
            fn replace(vector: V128, raw: $memory, lane: u8) -> V128 {
                ops::$replace(vector, raw as $scalar, lane)
            }
            #[inline(always)]
            fn extract(vector: V128, lane: u8) -> $memory {
                ops::$extract(vector, lane) as $memory
            }
        })*

        /// The loads and stores of one lane.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[allow(missing_docs, reason = "named as the operators")]
        pub enum LaneOp { $($load, $store,)* }

        impl LaneOp {
            /// All of them, with their names.
            pub const ALL: &[(LaneOp, &str)] = &[$((LaneOp::$load, $load_text), (LaneOp::$store, $store_text),)*];

            /// Whether it has a result.
            pub fn is_load(self) -> bool {
                matches!(self, $(LaneOp::$load)|*)
            }

            /// Its handler.
            pub fn handler(self, is64: bool) -> Handler {
                static HANDLERS: &[[Handler; 2]] = &[$(
                    [load_lane::<$marker, false>, load_lane::<$marker, true>],
                    [store_lane::<$marker, false>, store_lane::<$marker, true>],
                )*];
                HANDLERS[self as usize][is64 as usize]
            }
        }
    };
}

lanes! {
    Lane8  V128Load8Lane "v128.load8_lane"  V128Store8Lane "v128.store8_lane"  u8  i8x16_replace_lane i8x16_extract_lane_u i32;
    Lane16 V128Load16Lane "v128.load16_lane" V128Store16Lane "v128.store16_lane" u16 i16x8_replace_lane i16x8_extract_lane_u i32;
    Lane32 V128Load32Lane "v128.load32_lane" V128Store32Lane "v128.store32_lane" u32 i32x4_replace_lane i32x4_extract_lane   i32;
    Lane64 V128Load64Lane "v128.load64_lane" V128Store64Lane "v128.store64_lane" u64 i64x2_replace_lane i64x2_extract_lane   i64;
}

/// `v128.store`, guarded: address in slot `a` or the accumulator.
pub fn store_handler(address_in_acc: bool) -> Handler {
    if address_in_acc { store::<Acc> } else { store::<SlotA> }
}

/// `v128.store`, checked.
pub fn store_checked_handler(is64: bool) -> Handler {
    if is64 { store_checked::<true> } else { store_checked::<false> }
}
