//! Conversions between integer and float lanes. Truncation saturates and maps NaN to 0. Lanes without a source lane become 0.

use crate::value::V128;

lanewise! { [f32; 4] -> i32:
    i32x4_trunc_sat_f32x4_s(a) { a as i32 }
    i32x4_relaxed_trunc_f32x4_s(a) { a as i32 }
}

lanewise! { [f32; 4] -> u32:
    i32x4_trunc_sat_f32x4_u(a) { a as u32 }
    i32x4_relaxed_trunc_f32x4_u(a) { a as u32 }
}

lanewise! { [i32; 4] -> f32:
    f32x4_convert_i32x4_s(a) { a as f32 }
}

lanewise! { [u32; 4] -> f32:
    f32x4_convert_i32x4_u(a) { a as f32 }
}

operators! {
    i32x4_trunc_sat_f64x2_s_zero(a: V128) -> V128 {
        let [low, high] = a.lanes::<[f64; 2]>();
        V128::from_lanes([low as i32, high as i32, 0, 0])
    }
    i32x4_trunc_sat_f64x2_u_zero(a: V128) -> V128 {
        let [low, high] = a.lanes::<[f64; 2]>();
        V128::from_lanes([low as u32, high as u32, 0, 0])
    }
    i32x4_relaxed_trunc_f64x2_s_zero(a: V128) -> V128 { i32x4_trunc_sat_f64x2_s_zero(a) }
    i32x4_relaxed_trunc_f64x2_u_zero(a: V128) -> V128 { i32x4_trunc_sat_f64x2_u_zero(a) }
    f64x2_convert_low_i32x4_s(a: V128) -> V128 {
        let [low, high, ..] = a.lanes::<[i32; 4]>();
        V128::from_lanes([low as f64, high as f64])
    }
    f64x2_convert_low_i32x4_u(a: V128) -> V128 {
        let [low, high, ..] = a.lanes::<[u32; 4]>();
        V128::from_lanes([low as f64, high as f64])
    }
    f32x4_demote_f64x2_zero(a: V128) -> V128 {
        let [low, high] = a.lanes::<[f64; 2]>();
        V128::from_lanes([low as f32, high as f32, 0.0, 0.0])
    }
    f64x2_promote_low_f32x4(a: V128) -> V128 {
        let [low, high, ..] = a.lanes::<[f32; 4]>();
        V128::from_lanes([low as f64, high as f64])
    }
}
