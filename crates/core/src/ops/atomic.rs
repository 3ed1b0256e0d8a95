//! Atomic accesses to one integer of a memory, sequentially consistent.
//!
//! Unlike the other functions of this module, each accesses the memory itself, because reading, computing and writing are one
//! step. The caller finds the cell: it checks alignment, then bounds. Spec: the [threads
//! proposal](https://github.com/WebAssembly/threads/blob/main/proposals/threads/Overview.md#atomic-memory-accesses).

use std::sync::atomic::{AtomicU8, AtomicU16, AtomicU32, AtomicU64, Ordering::SeqCst};

/// Declares the operators on cells of one size whose values have one type: load, store, the six modifications, and the
/// conditional exchange. Values are wrapped to the size of the cell, and zero-extended from it.
macro_rules! atomics {
    ($cell:ident $raw:ident $value:ident: $load:ident $store:ident $add:ident $sub:ident $and:ident $or:ident $xor:ident
     $xchg:ident $cmpxchg:ident) => {
        operators! {
            $load(cell: &$cell) -> $value { cell.load(SeqCst) as $value }
            $store(cell: &$cell, value: $value) -> () { cell.store(value as $raw, SeqCst) }
            $add(cell: &$cell, value: $value) -> $value { cell.fetch_add(value as $raw, SeqCst) as $value }
            $sub(cell: &$cell, value: $value) -> $value { cell.fetch_sub(value as $raw, SeqCst) as $value }
            $and(cell: &$cell, value: $value) -> $value { cell.fetch_and(value as $raw, SeqCst) as $value }
            $or(cell: &$cell, value: $value) -> $value { cell.fetch_or(value as $raw, SeqCst) as $value }
            $xor(cell: &$cell, value: $value) -> $value { cell.fetch_xor(value as $raw, SeqCst) as $value }
            $xchg(cell: &$cell, value: $value) -> $value { cell.swap(value as $raw, SeqCst) as $value }
            $cmpxchg(cell: &$cell, expected: $value, replacement: $value) -> $value {
                match cell.compare_exchange(expected as $raw, replacement as $raw, SeqCst, SeqCst) {
                    Ok(old) | Err(old) => old as $value,
                }
            }
        }
    };
}

atomics! {
    AtomicU32 u32 i32: i32_atomic_load i32_atomic_store i32_atomic_rmw_add i32_atomic_rmw_sub i32_atomic_rmw_and
    i32_atomic_rmw_or i32_atomic_rmw_xor i32_atomic_rmw_xchg i32_atomic_rmw_cmpxchg
}
atomics! {
    AtomicU8 u8 i32: i32_atomic_load8_u i32_atomic_store8 i32_atomic_rmw8_add_u i32_atomic_rmw8_sub_u
    i32_atomic_rmw8_and_u i32_atomic_rmw8_or_u i32_atomic_rmw8_xor_u i32_atomic_rmw8_xchg_u i32_atomic_rmw8_cmpxchg_u
}
atomics! {
    AtomicU16 u16 i32: i32_atomic_load16_u i32_atomic_store16 i32_atomic_rmw16_add_u i32_atomic_rmw16_sub_u
    i32_atomic_rmw16_and_u i32_atomic_rmw16_or_u i32_atomic_rmw16_xor_u i32_atomic_rmw16_xchg_u
    i32_atomic_rmw16_cmpxchg_u
}
atomics! {
    AtomicU64 u64 i64: i64_atomic_load i64_atomic_store i64_atomic_rmw_add i64_atomic_rmw_sub i64_atomic_rmw_and
    i64_atomic_rmw_or i64_atomic_rmw_xor i64_atomic_rmw_xchg i64_atomic_rmw_cmpxchg
}
atomics! {
    AtomicU8 u8 i64: i64_atomic_load8_u i64_atomic_store8 i64_atomic_rmw8_add_u i64_atomic_rmw8_sub_u
    i64_atomic_rmw8_and_u i64_atomic_rmw8_or_u i64_atomic_rmw8_xor_u i64_atomic_rmw8_xchg_u i64_atomic_rmw8_cmpxchg_u
}
atomics! {
    AtomicU16 u16 i64: i64_atomic_load16_u i64_atomic_store16 i64_atomic_rmw16_add_u i64_atomic_rmw16_sub_u
    i64_atomic_rmw16_and_u i64_atomic_rmw16_or_u i64_atomic_rmw16_xor_u i64_atomic_rmw16_xchg_u
    i64_atomic_rmw16_cmpxchg_u
}
atomics! {
    AtomicU32 u32 i64: i64_atomic_load32_u i64_atomic_store32 i64_atomic_rmw32_add_u i64_atomic_rmw32_sub_u
    i64_atomic_rmw32_and_u i64_atomic_rmw32_or_u i64_atomic_rmw32_xor_u i64_atomic_rmw32_xchg_u
    i64_atomic_rmw32_cmpxchg_u
}
