//! Loads and stores, and the size of memories. Operators on ranges are in [`bulk_memory`](super::bulk_memory).
//!
//! Two families: *guarded* accesses go to memory 0 through `mem` without a check (see [`access`](super::access)); *checked*
//! ones to any memory, 32- or 64-bit, through its [`VmMemory`], and compare with its length.

use wasmr_core::trap::TrapCode;
use wasmr_runtime::builtins;
use wasmr_runtime::vm::VmMemory;

use super::access::Raw;
use super::dispatch::{Handler, Machine, handlers};
use super::operand::{Acc, Destination, Scalar, SlotA, SlotD, Source};

/// A load: what is in memory and what comes of it.
pub trait Load {
    /// In memory.
    type Memory: Raw;
    /// The value.
    type Value: Scalar;
    /// Extends.
    fn extend(raw: Self::Memory) -> Self::Value;
}

/// A store: the value and what of it goes to memory.
pub trait Store {
    /// The value.
    type Value: Scalar;
    /// In memory.
    type Memory: Raw;
    /// Wraps.
    fn wrap(value: Self::Value) -> Self::Memory;
}

/// A value that memory bits extend to.
trait FromMemory<M> {
    fn from_memory(raw: M) -> Self;
}

/// A value that wraps to memory bits.
trait ToMemory<M> {
    fn to_memory(self) -> M;
}

macro_rules! by_cast {
    ($value:ty: load $($from:ty)*, store $($to:ty)*) => {
        $(impl FromMemory<$from> for $value {
            #[inline(always)]
            fn from_memory(raw: $from) -> $value { raw as $value }
        })*
        $(impl ToMemory<$to> for $value {
            #[inline(always)]
            fn to_memory(self) -> $to { self as $to }
        })*
    };
}
by_cast!(i32: load u8 i8 u16 i16 u32, store u8 u16 u32);
by_cast!(i64: load u8 i8 u16 i16 u32 i32 u64, store u8 u16 u32 u64);

macro_rules! by_bits {
    ($value:ty, $bits:ty) => {
        impl FromMemory<$bits> for $value {
            #[inline(always)]
            fn from_memory(raw: $bits) -> $value {
                <$value>::from_bits(raw)
            }
        }
        impl ToMemory<$bits> for $value {
            #[inline(always)]
            fn to_memory(self) -> $bits {
                self.to_bits()
            }
        }
    };
}
by_bits!(f32, u32);
by_bits!(f64, u64);

/// The address that a 32-bit access to guarded memory means: cannot overflow, and is inside the reservation.
#[inline(always)]
pub fn guarded_address(address: i32, offset: i32) -> u64 {
    address as u32 as u64 + offset as u32 as u64
}

/// A pointer to `size` bytes of a memory, checked. `memory` is the offset of its pointer in the instance.
///
/// # Safety
/// The handlers' contract; `memory` is such an offset.
#[inline(always)]
pub unsafe fn checked(m: &Machine, memory: u32, address: u64, offset: u64, size: u64) -> Option<*mut u8> {
    // SAFETY: the instance's memories are alive.
    let memory = unsafe { &**m.in_instance::<*mut VmMemory>(memory) };
    let at = address.checked_add(offset)?;
    let end = at.checked_add(size)?;
    // The bounds check of all accesses that are not guarded.
    if end > memory.len as u64 {
        return None;
    }
    // SAFETY: `at <= len`, so the pointer is inside the memory or one past its end.
    Some(unsafe { memory.base.add(at as usize) })
}

/// The address operand in slot `a` of a checked access.
///
/// # Safety
/// The handlers' contract; the cell has the field.
#[inline(always)]
pub unsafe fn checked_address<const IS64: bool>(m: &Machine) -> u64 {
    // SAFETY: the caller's promise.
    let slot = unsafe { *m.a() };
    if IS64 { slot } else { slot as u32 as u64 }
}

handlers! {
    fn load[L: Load, X: Source, D: Destination](m) {
        let raw = L::Memory::load(&m, guarded_address(X::read(&m), m.imm()));
        D::write(&mut m, L::extend(raw));
        m.next(2)
    }

    /// Value in slot `d`.
    fn store_slot[S: Store, X: Source](m) {
        let value = S::Value::from_slot(*m.d());
        S::Memory::store(&m, guarded_address(X::read(&m), m.imm()), S::wrap(value));
        m.next(2)
    }

    /// Address in slot `a`, value in its accumulator.
    fn store_acc[S: Store, X: Source](m) {
        let value = S::Value::from_acc(&m);
        S::Memory::store(&m, guarded_address(X::read(&m), m.imm()), S::wrap(value));
        m.next(2)
    }

    /// Value in word 2.
    fn store_imm[S: Store, X: Source](m) {
        let value = S::Value::from_slot(m.word(2));
        S::Memory::store(&m, guarded_address(X::read(&m), m.imm()), S::wrap(value));
        m.next(3)
    }

    /// Address in slot `a`, memory in `imm`, offset in word 2.
    fn load_checked[L: Load, const IS64: bool](m) {
        let address = checked_address::<IS64>(&m);
        let Some(at) = checked(&m, m.imm() as u32, address, m.word(2), size_of::<L::Memory>() as u64) else {
            return m.trap(TrapCode::MemoryOutOfBounds);
        };
        SlotD::write(&mut m, L::extend(at.cast::<L::Memory>().read_unaligned()));
        m.next(3)
    }

    /// Value in slot `d`, address in slot `a`, memory in `imm`, offset in word 2.
    fn store_checked[S: Store, const IS64: bool](m) {
        let value = S::Value::from_slot(*m.d());
        let address = checked_address::<IS64>(&m);
        let Some(at) = checked(&m, m.imm() as u32, address, m.word(2), size_of::<S::Memory>() as u64) else {
            return m.trap(TrapCode::MemoryOutOfBounds);
        };
        at.cast::<S::Memory>().write_unaligned(S::wrap(value));
        m.next(3)
    }

    /// Pages of the memory in `imm`, to slot `d`.
    fn memory_size[](m) {
        let memory = *m.in_instance::<*mut VmMemory>(m.imm() as u32);
        SlotD::write(&mut m, ((*memory).len >> 16) as i64);
        m.next(2)
    }

    /// Memory `imm` (index); delta in slot `a`; old size or -1 to slot `d`, as wide as the memory's addresses.
    fn memory_grow[const IS64: bool](m) {
        let delta = if IS64 { *m.a() } else { *m.a() as u32 as u64 };
        let old = builtins::memory::memory_grow(m.inst, m.imm() as u32, delta);
        m.reload_memory();
        if IS64 {
            SlotD::write(&mut m, old as i64);
        } else {
            SlotD::write(&mut m, old as i32);
        }
        m.next(2)
    }
}

type LoadRow = [[Handler; 2]; 2];
type StoreRow = [[Handler; 3]; 2];

const fn load_row<L: Load>() -> LoadRow {
    [[load::<L, SlotA, Acc>, load::<L, SlotA, SlotD>], [load::<L, Acc, Acc>, load::<L, Acc, SlotD>]]
}

const fn store_row<S: Store>() -> StoreRow {
    [
        [store_slot::<S, SlotA>, store_acc::<S, SlotA>, store_imm::<S, SlotA>],
        [store_slot::<S, Acc>, store_acc::<S, Acc>, store_imm::<S, Acc>],
    ]
}

/// Marker types of the rows, named as the operators.
#[allow(non_camel_case_types, reason = "a marker is named as its operator")]
pub mod markers {
    use super::*;

    macro_rules! loads {
        ($($name:ident $op:ident $text:literal $raw:ident -> $value:ident;)*) => { $(
            #[doc = $text]
            pub struct $name;
            impl Load for $name {
                type Memory = $raw;
                type Value = $value;
                #[inline(always)]
                fn extend(raw: $raw) -> $value {
                    <$value>::from_memory(raw)
                }
            }
        )* };
    }
    wasmr_core::for_each_load_op!(loads);

    macro_rules! stores {
        ($($name:ident $op:ident $text:literal $value:ident -> $raw:ident;)*) => { $(
            #[doc = $text]
            pub struct $name;
            impl Store for $name {
                type Value = $value;
                type Memory = $raw;
                #[inline(always)]
                fn wrap(value: $value) -> $raw {
                    value.to_memory()
                }
            }
        )* };
    }
    wasmr_core::for_each_store_op!(stores);
}

macro_rules! load_table {
    ($($name:ident $op:ident $text:literal $raw:ident -> $value:ident;)*) => {
        /// The scalar loads, by row of their table.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum LoadOp { $(#[doc = $text] $op,)* }
        static LOAD: &[LoadRow] = &[$(load_row::<markers::$name>(),)*];
        static LOAD_CHECKED: &[[Handler; 2]] =
            &[$([load_checked::<markers::$name, false>, load_checked::<markers::$name, true>],)*];
    };
}
wasmr_core::for_each_load_op!(load_table);

macro_rules! store_table {
    ($($name:ident $op:ident $text:literal $value:ident -> $raw:ident;)*) => {
        /// The scalar stores, by row of their table.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum StoreOp { $(#[doc = $text] $op,)* }
        static STORE: &[StoreRow] = &[$(store_row::<markers::$name>(),)*];
        static STORE_CHECKED: &[[Handler; 2]] =
            &[$([store_checked::<markers::$name, false>, store_checked::<markers::$name, true>],)*];
    };
}
wasmr_core::for_each_store_op!(store_table);

/// Where a store's value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreValue {
    /// Slot `d`.
    Slot = 0,
    /// Its accumulator.
    Acc = 1,
    /// Word 2.
    Imm = 2,
}

impl LoadOp {
    /// Guarded: handlers by destination; address in slot `a` or the accumulator, offset in `imm`.
    pub fn handlers(self, address_in_acc: bool) -> [Handler; 2] {
        LOAD[self as usize][address_in_acc as usize]
    }

    /// Checked: writes slot `d` and the accumulator.
    pub fn checked(self, is64: bool) -> Handler {
        LOAD_CHECKED[self as usize][is64 as usize]
    }
}

impl StoreOp {
    /// Guarded: address in slot `a` or the accumulator, offset in `imm`.
    pub fn handler(self, address_in_acc: bool, value: StoreValue) -> Handler {
        STORE[self as usize][address_in_acc as usize][value as usize]
    }

    /// Checked.
    pub fn checked(self, is64: bool) -> Handler {
        STORE_CHECKED[self as usize][is64 as usize]
    }
}
