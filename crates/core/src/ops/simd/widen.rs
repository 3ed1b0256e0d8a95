//! Vector operators whose result has lanes of another width: extension, narrowing, and products and sums that cannot overflow
//! because their lanes are twice as wide.

use crate::value::{Lanes, V128};

/// Lanes for which a lane type of twice the width exists.
trait Widen: Lanes {
    /// Half as many lanes of twice the width.
    type Wide: Lanes;
    /// Extends the lanes of the lower half.
    fn low(self) -> Self::Wide;
    /// Extends the lanes of the upper half.
    fn high(self) -> Self::Wide;
    /// Returns the sums of neighbouring lanes.
    fn pairwise_sums(self) -> Self::Wide;
    /// Returns the products of corresponding lanes. Products of extended lanes cannot overflow.
    fn products(a: Self::Wide, b: Self::Wide) -> Self::Wide;
}

macro_rules! impl_widen {
    ($([$narrow:ident; $count:literal] -> [$wide:ident; $half:literal];)*) => {$(
        impl Widen for [$narrow; $count] {
            type Wide = [$wide; $half];

            #[inline]
            fn low(self) -> [$wide; $half] {
                std::array::from_fn(|i| self[i] as $wide)
            }

            #[inline]
            fn high(self) -> [$wide; $half] {
                std::array::from_fn(|i| self[$half + i] as $wide)
            }

            #[inline]
            fn pairwise_sums(self) -> [$wide; $half] {
                std::array::from_fn(|i| self[2 * i] as $wide + self[2 * i + 1] as $wide)
            }

            #[inline]
            fn products(a: [$wide; $half], b: [$wide; $half]) -> [$wide; $half] {
                std::array::from_fn(|i| a[i].wrapping_mul(b[i]))
            }
        }
    )*};
}

impl_widen! {
    [i8; 16] -> [i16; 8];
    [u8; 16] -> [u16; 8];
    [i16; 8] -> [i32; 4];
    [u16; 8] -> [u32; 4];
    [i32; 4] -> [i64; 2];
    [u32; 4] -> [u64; 2];
}

/// Declares extension and extending multiplication for a pair of widths, each for the low and the high half.
macro_rules! extensions {
    ($($extend_low:ident $extend_high:ident $extmul_low:ident $extmul_high:ident [$narrow:ident; $count:literal];)*) => {
        operators! {$(
            $extend_low(a: V128) -> V128 { a.lanes::<[$narrow; $count]>().low().into_v128() }
            $extend_high(a: V128) -> V128 { a.lanes::<[$narrow; $count]>().high().into_v128() }
            $extmul_low(a: V128, b: V128) -> V128 {
                let (a, b) = (a.lanes::<[$narrow; $count]>(), b.lanes::<[$narrow; $count]>());
                <[$narrow; $count]>::products(a.low(), b.low()).into_v128()
            }
            $extmul_high(a: V128, b: V128) -> V128 {
                let (a, b) = (a.lanes::<[$narrow; $count]>(), b.lanes::<[$narrow; $count]>());
                <[$narrow; $count]>::products(a.high(), b.high()).into_v128()
            }
        )*}
    };
}

extensions! {
    i16x8_extend_low_i8x16_s i16x8_extend_high_i8x16_s i16x8_extmul_low_i8x16_s i16x8_extmul_high_i8x16_s [i8; 16];
    i16x8_extend_low_i8x16_u i16x8_extend_high_i8x16_u i16x8_extmul_low_i8x16_u i16x8_extmul_high_i8x16_u [u8; 16];
    i32x4_extend_low_i16x8_s i32x4_extend_high_i16x8_s i32x4_extmul_low_i16x8_s i32x4_extmul_high_i16x8_s [i16; 8];
    i32x4_extend_low_i16x8_u i32x4_extend_high_i16x8_u i32x4_extmul_low_i16x8_u i32x4_extmul_high_i16x8_u [u16; 8];
    i64x2_extend_low_i32x4_s i64x2_extend_high_i32x4_s i64x2_extmul_low_i32x4_s i64x2_extmul_high_i32x4_s [i32; 4];
    i64x2_extend_low_i32x4_u i64x2_extend_high_i32x4_u i64x2_extmul_low_i32x4_u i64x2_extmul_high_i32x4_u [u32; 4];
}

operators! {
    i16x8_extadd_pairwise_i8x16_s(a: V128) -> V128 { a.lanes::<[i8; 16]>().pairwise_sums().into_v128() }
    i16x8_extadd_pairwise_i8x16_u(a: V128) -> V128 { a.lanes::<[u8; 16]>().pairwise_sums().into_v128() }
    i32x4_extadd_pairwise_i16x8_s(a: V128) -> V128 { a.lanes::<[i16; 8]>().pairwise_sums().into_v128() }
    i32x4_extadd_pairwise_i16x8_u(a: V128) -> V128 { a.lanes::<[u16; 8]>().pairwise_sums().into_v128() }

    i32x4_dot_i16x8_s(a: V128, b: V128) -> V128 {
        // LLVM vectorises the extraction of both 16-bit lanes from a 32-bit lane, but not indexed pairs of lanes.
        let low = |lane: i32| lane as i16 as i32;
        let high = |lane: i32| lane >> 16;
        let (a, b) = (a.lanes::<[i32; 4]>(), b.lanes::<[i32; 4]>());
        V128::from_lanes::<[i32; 4]>(std::array::from_fn(|i| {
            (low(a[i]) * low(b[i])).wrapping_add(high(a[i]) * high(b[i]))
        }))
    }
    i16x8_relaxed_dot_i8x16_i7x16_s(a: V128, b: V128) -> V128 {
        let (a, b) = (a.lanes::<[i8; 16]>(), b.lanes::<[i8; 16]>());
        let product = |i: usize| a[i] as i16 * b[i] as i16;
        V128::from_lanes::<[i16; 8]>(std::array::from_fn(|i| product(2 * i).wrapping_add(product(2 * i + 1))))
    }
    i32x4_relaxed_dot_i8x16_i7x16_add_s(a: V128, b: V128, c: V128) -> V128 {
        let sums = i16x8_relaxed_dot_i8x16_i7x16_s(a, b).lanes::<[i16; 8]>().pairwise_sums();
        let c = c.lanes::<[i32; 4]>();
        V128::from_lanes::<[i32; 4]>(std::array::from_fn(|i| sums[i].wrapping_add(c[i])))
    }
}

/// Declares narrowing operators. They saturate the signed lanes of both operands to a narrower type.
macro_rules! narrowings {
    ($($name:ident([$wide:ident; $half:literal]) -> [$narrow:ident; $count:literal];)*) => {
        operators! {$(
            $name(a: V128, b: V128) -> V128 {
                let (a, b) = (a.lanes::<[$wide; $half]>(), b.lanes::<[$wide; $half]>());
                V128::from_lanes::<[$narrow; $count]>(std::array::from_fn(|i| {
                    let lane = if i < $half { a[i] } else { b[i - $half] };
                    lane.clamp($narrow::MIN as $wide, $narrow::MAX as $wide) as $narrow
                }))
            }
        )*}
    };
}

narrowings! {
    i8x16_narrow_i16x8_s([i16; 8]) -> [i8; 16];
    i8x16_narrow_i16x8_u([i16; 8]) -> [u8; 16];
    i16x8_narrow_i32x4_s([i32; 4]) -> [i16; 8];
    i16x8_narrow_i32x4_u([i32; 4]) -> [u16; 8];
}
