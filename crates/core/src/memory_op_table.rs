//! The scalar loads and stores, one row each; every tier expands these tables.
//!
//! | table | row |
//! |---|---|
//! | [`for_each_load_op`](crate::for_each_load_op) | `function Operator "text" memory type -> value type;` |
//! | [`for_each_store_op`](crate::for_each_store_op) | `function Operator "text" value type -> memory type;` |
//!
//! A load reads the memory type and extends it by its own signedness (`u32 -> f32` keeps the bits); a store wraps.

/// Scalar loads: calls `$each! { rows }`.
#[macro_export]
macro_rules! for_each_load_op {
    ($each:ident) => {
        $each! {
            i32_load     I32Load    "i32.load"     u32 -> i32;
            i64_load     I64Load    "i64.load"     u64 -> i64;
            f32_load     F32Load    "f32.load"     u32 -> f32;
            f64_load     F64Load    "f64.load"     u64 -> f64;
            i32_load8_s  I32Load8S  "i32.load8_s"  i8  -> i32;
            i32_load8_u  I32Load8U  "i32.load8_u"  u8  -> i32;
            i32_load16_s I32Load16S "i32.load16_s" i16 -> i32;
            i32_load16_u I32Load16U "i32.load16_u" u16 -> i32;
            i64_load8_s  I64Load8S  "i64.load8_s"  i8  -> i64;
            i64_load8_u  I64Load8U  "i64.load8_u"  u8  -> i64;
            i64_load16_s I64Load16S "i64.load16_s" i16 -> i64;
            i64_load16_u I64Load16U "i64.load16_u" u16 -> i64;
            i64_load32_s I64Load32S "i64.load32_s" i32 -> i64;
            i64_load32_u I64Load32U "i64.load32_u" u32 -> i64;
        }
    };
}

/// Scalar stores: calls `$each! { rows }`.
#[macro_export]
macro_rules! for_each_store_op {
    ($each:ident) => {
        $each! {
            i32_store   I32Store   "i32.store"   i32 -> u32;
            i64_store   I64Store   "i64.store"   i64 -> u64;
            f32_store   F32Store   "f32.store"   f32 -> u32;
            f64_store   F64Store   "f64.store"   f64 -> u64;
            i32_store8  I32Store8  "i32.store8"  i32 -> u8;
            i32_store16 I32Store16 "i32.store16" i32 -> u16;
            i64_store8  I64Store8  "i64.store8"  i64 -> u8;
            i64_store16 I64Store16 "i64.store16" i64 -> u16;
            i64_store32 I64Store32 "i64.store32" i64 -> u32;
        }
    };
}
