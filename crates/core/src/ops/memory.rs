//! The parts of loads and stores that do not access memory: conversion of loaded bits to a value, and of a value to stored
//! bits.

use super::simd::*;
use crate::value::V128;

operators! {
    i32_load(raw: u32) -> i32 { raw as i32 }
    i64_load(raw: u64) -> i64 { raw as i64 }
    f32_load(raw: u32) -> f32 { f32::from_bits(raw) }
    f64_load(raw: u64) -> f64 { f64::from_bits(raw) }
    i32_load8_s(raw: i8) -> i32 { raw as i32 }
    i32_load8_u(raw: u8) -> i32 { raw as i32 }
    i32_load16_s(raw: i16) -> i32 { raw as i32 }
    i32_load16_u(raw: u16) -> i32 { raw as i32 }
    i64_load8_s(raw: i8) -> i64 { raw as i64 }
    i64_load8_u(raw: u8) -> i64 { raw as i64 }
    i64_load16_s(raw: i16) -> i64 { raw as i64 }
    i64_load16_u(raw: u16) -> i64 { raw as i64 }
    i64_load32_s(raw: i32) -> i64 { raw as i64 }
    i64_load32_u(raw: u32) -> i64 { raw as i64 }
}

operators! {
    i32_store(value: i32) -> u32 { value as u32 }
    i64_store(value: i64) -> u64 { value as u64 }
    f32_store(value: f32) -> u32 { value.to_bits() }
    f64_store(value: f64) -> u64 { value.to_bits() }
    i32_store8(value: i32) -> u8 { value as u8 }
    i32_store16(value: i32) -> u16 { value as u16 }
    i64_store8(value: i64) -> u8 { value as u8 }
    i64_store16(value: i64) -> u16 { value as u16 }
    i64_store32(value: i64) -> u32 { value as u32 }
}

// A vector operand holds the loaded bytes at its low end.
operators! {
    v128_load(low: V128) -> V128 { low }
    v128_load8x8_s(low: V128) -> V128 { i16x8_extend_low_i8x16_s(low) }
    v128_load8x8_u(low: V128) -> V128 { i16x8_extend_low_i8x16_u(low) }
    v128_load16x4_s(low: V128) -> V128 { i32x4_extend_low_i16x8_s(low) }
    v128_load16x4_u(low: V128) -> V128 { i32x4_extend_low_i16x8_u(low) }
    v128_load32x2_s(low: V128) -> V128 { i64x2_extend_low_i32x4_s(low) }
    v128_load32x2_u(low: V128) -> V128 { i64x2_extend_low_i32x4_u(low) }
    v128_load8_splat(raw: u8) -> V128 { i8x16_splat(raw as i32) }
    v128_load16_splat(raw: u16) -> V128 { i16x8_splat(raw as i32) }
    v128_load32_splat(raw: u32) -> V128 { i32x4_splat(raw as i32) }
    v128_load64_splat(raw: u64) -> V128 { i64x2_splat(raw as i64) }
    v128_load32_zero(low: V128) -> V128 { low }
    v128_load64_zero(low: V128) -> V128 { low }
}

operators! {
    v128_load8_lane(vector: V128, raw: u8, lane: u8) -> V128 { i8x16_replace_lane(vector, raw as i32, lane) }
    v128_load16_lane(vector: V128, raw: u16, lane: u8) -> V128 { i16x8_replace_lane(vector, raw as i32, lane) }
    v128_load32_lane(vector: V128, raw: u32, lane: u8) -> V128 { i32x4_replace_lane(vector, raw as i32, lane) }
    v128_load64_lane(vector: V128, raw: u64, lane: u8) -> V128 { i64x2_replace_lane(vector, raw as i64, lane) }
    v128_store8_lane(vector: V128, lane: u8) -> u8 { i8x16_extract_lane_u(vector, lane) as u8 }
    v128_store16_lane(vector: V128, lane: u8) -> u16 { i16x8_extract_lane_u(vector, lane) as u16 }
    v128_store32_lane(vector: V128, lane: u8) -> u32 { i32x4_extract_lane(vector, lane) as u32 }
    v128_store64_lane(vector: V128, lane: u8) -> u64 { i64x2_extract_lane(vector, lane) as u64 }
}
