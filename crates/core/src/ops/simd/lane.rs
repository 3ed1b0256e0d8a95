//! Vector operators that move lanes: splat, extract, replace, shuffle.

use crate::value::V128;

operators! {
    i8x16_splat(a: i32) -> V128 { V128::from_lanes([a as i8; 16]) }
    i16x8_splat(a: i32) -> V128 { V128::from_lanes([a as i16; 8]) }
    i32x4_splat(a: i32) -> V128 { V128::from_lanes([a; 4]) }
    i64x2_splat(a: i64) -> V128 { V128::from_lanes([a; 2]) }
    f32x4_splat(a: f32) -> V128 { V128::from_lanes([a; 4]) }
    f64x2_splat(a: f64) -> V128 { V128::from_lanes([a; 2]) }

    i8x16_extract_lane_s(a: V128, lane: u8) -> i32 { a.lanes::<[i8; 16]>()[lane as usize % 16] as i32 }
    i8x16_extract_lane_u(a: V128, lane: u8) -> i32 { a.lanes::<[u8; 16]>()[lane as usize % 16] as i32 }
    i16x8_extract_lane_s(a: V128, lane: u8) -> i32 { a.lanes::<[i16; 8]>()[lane as usize % 8] as i32 }
    i16x8_extract_lane_u(a: V128, lane: u8) -> i32 { a.lanes::<[u16; 8]>()[lane as usize % 8] as i32 }
    i32x4_extract_lane(a: V128, lane: u8) -> i32 { a.lanes::<[i32; 4]>()[lane as usize % 4] }
    i64x2_extract_lane(a: V128, lane: u8) -> i64 { a.lanes::<[i64; 2]>()[lane as usize % 2] }
    f32x4_extract_lane(a: V128, lane: u8) -> f32 { a.lanes::<[f32; 4]>()[lane as usize % 4] }
    f64x2_extract_lane(a: V128, lane: u8) -> f64 { a.lanes::<[f64; 2]>()[lane as usize % 2] }

    ///
    /// Selects bytes from `a` (indices 0 to 15) and `b` (16 to 31). Indices are modulo 32.
    i8x16_shuffle(a: V128, b: V128, picks: [u8; 16]) -> V128 {
        let mut both = [0; 32];
        both[..16].copy_from_slice(&a.0);
        both[16..].copy_from_slice(&b.0);
        V128(picks.map(|pick| both[pick as usize % 32]))
    }
    i8x16_swizzle(a: V128, picks: V128) -> V128 {
        V128(picks.0.map(|pick| if pick < 16 { a.0[pick as usize % 16] } else { 0 }))
    }
    i8x16_relaxed_swizzle(a: V128, picks: V128) -> V128 { i8x16_swizzle(a, picks) }
}

/// Declares `replace_lane` operators.
macro_rules! replace_lane {
    ($($name:ident([$lane:ty; $count:literal], $scalar:ty);)*) => {
        operators! {$(
            $name(a: V128, value: $scalar, lane: u8) -> V128 {
                // A choice in each lane needs no array on the native stack, as an index would.
                let (lanes, chosen) = (a.lanes::<[$lane; $count]>(), lane as usize % $count);
                let new = value as $lane;
                V128::from_lanes::<[$lane; $count]>(std::array::from_fn(|i| if i == chosen { new } else { lanes[i] }))
            }
        )*}
    };
}

replace_lane! {
    i8x16_replace_lane([i8; 16], i32);
    i16x8_replace_lane([i16; 8], i32);
    i32x4_replace_lane([i32; 4], i32);
    i64x2_replace_lane([i64; 2], i64);
    f32x4_replace_lane([f32; 4], f32);
    f64x2_replace_lane([f64; 2], f64);
}
