// A kernel that the compiler turns into 128-bit vector code, beside the same sums done one lane at a time.
#include <stdint.h>
#include <stdio.h>
#include <wasm_simd128.h>

enum { N = 4096 };
static float xs[N], ys[N];
static uint8_t bytes[N];
static int16_t words[N];

static uint32_t bits(float f) {
    union { float f; uint32_t u; } u = {f};
    return u.u;
}

int main(void) {
    uint32_t seed = 12345;
    for (int i = 0; i < N; i++) {
        seed = seed * 1664525u + 1013904223u;
        xs[i] = (float)(seed >> 8) / 65536.0f;
        ys[i] = (float)(seed & 0xffff) - 32768.0f;
        bytes[i] = (uint8_t)(seed >> 13);
        words[i] = (int16_t)(seed >> 5);
    }

    v128_t acc = wasm_f32x4_splat(0);
    float lanes[4] = {0, 0, 0, 0};
    for (int i = 0; i < N; i += 4) {
        acc = wasm_f32x4_add(acc, wasm_f32x4_mul(wasm_v128_load(xs + i), wasm_v128_load(ys + i)));
        for (int l = 0; l < 4; l++)
            lanes[l] += xs[i + l] * ys[i + l];
    }
    float vec[4];
    wasm_v128_store(vec, acc);
    int same = 1;
    for (int l = 0; l < 4; l++)
        same &= bits(vec[l]) == bits(lanes[l]);
    printf("dot: %08x %08x %08x %08x %s\n", bits(vec[0]), bits(vec[1]), bits(vec[2]), bits(vec[3]), same ? "same" : "DIFFERENT");

    v128_t dot = wasm_i32x4_splat(0);
    int32_t scalar = 0;
    for (int i = 0; i < N; i += 8) {
        v128_t w = wasm_v128_load(words + i);
        dot = wasm_i32x4_add(dot, wasm_i32x4_dot_i16x8(w, wasm_i16x8_shl(w, 1)));
    }
    for (int i = 0; i < N; i++)
        scalar += (int32_t)words[i] * (int16_t)((uint16_t)words[i] << 1);
    int32_t total = wasm_i32x4_extract_lane(dot, 0) + wasm_i32x4_extract_lane(dot, 1) + wasm_i32x4_extract_lane(dot, 2) + wasm_i32x4_extract_lane(dot, 3);
    printf("i16 dot: %d %s\n", total, total == scalar ? "same" : "DIFFERENT");

    int above = 0, expect = 0;
    const v128_t bound = wasm_u8x16_splat(200);
    const v128_t reverse = wasm_i8x16_make(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
    uint32_t mix = 0;
    for (int i = 0; i < N; i += 16) {
        v128_t b = wasm_v128_load(bytes + i);
        above += __builtin_popcount(wasm_i8x16_bitmask(wasm_u8x16_gt(b, bound)));
        b = wasm_u8x16_avgr(wasm_i8x16_swizzle(b, reverse), wasm_u8x16_add_sat(b, bound));
        mix = mix * 31 + (uint32_t)wasm_i32x4_extract_lane(b, 1);
    }
    for (int i = 0; i < N; i++)
        expect += bytes[i] > 200;
    printf("above: %d %s, mix %08x\n", above, above == expect ? "same" : "DIFFERENT", mix);
    return 0;
}
