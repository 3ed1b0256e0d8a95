// 128-bit vector code: a matrix product in floats and a brightness filter over bytes. `simd_kernels.wasm [ROUNDS]`.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wasm_simd128.h>

enum { N = 128, PIXELS = 1 << 16 };
static float a[N][N], b[N][N], c[N][N];
static uint8_t image[PIXELS], filtered[PIXELS];

static void multiply(void) {
    for (int i = 0; i < N; i++) {
        for (int j = 0; j < N; j += 8) {
            v128_t left = wasm_f32x4_splat(0), right = left;
            for (int k = 0; k < N; k++) {
                v128_t x = wasm_f32x4_splat(a[i][k]);
                left = wasm_f32x4_add(left, wasm_f32x4_mul(x, wasm_v128_load(&b[k][j])));
                right = wasm_f32x4_add(right, wasm_f32x4_mul(x, wasm_v128_load(&b[k][j + 4])));
            }
            wasm_v128_store(&c[i][j], left);
            wasm_v128_store(&c[i][j + 4], right);
        }
    }
}

static uint32_t filter(int round) {
    const v128_t add = wasm_u8x16_splat((uint8_t)(round * 3)), bound = wasm_u8x16_splat(128);
    v128_t sums = wasm_i32x4_splat(0);
    for (int i = 16; i < PIXELS - 16; i += 16) {
        v128_t here = wasm_v128_load(image + i);
        v128_t near = wasm_u8x16_avgr(wasm_v128_load(image + i - 1), wasm_v128_load(image + i + 1));
        v128_t out = wasm_u8x16_add_sat(wasm_u8x16_avgr(here, near), add);
        out = wasm_v128_bitselect(out, here, wasm_u8x16_gt(out, bound));
        wasm_v128_store(filtered + i, out);
        sums = wasm_i32x4_add(sums, wasm_u32x4_extadd_pairwise_u16x8(wasm_u16x8_extadd_pairwise_u8x16(out)));
    }
    memcpy(image, filtered, PIXELS);
    return (uint32_t)(wasm_i32x4_extract_lane(sums, 0) + wasm_i32x4_extract_lane(sums, 1) +
                      wasm_i32x4_extract_lane(sums, 2) + wasm_i32x4_extract_lane(sums, 3));
}

int main(int argc, char **argv) {
    int rounds = argc > 1 ? atoi(argv[1]) : 4;
    uint32_t seed = 12345, hash = 0;
    for (int i = 0; i < N * N; i++) {
        seed = seed * 1664525u + 1013904223u;
        a[0][i] = (float)(seed >> 24) / 256.0f;
        b[0][i] = (float)(seed >> 16 & 255) / 256.0f;
    }
    for (int i = 0; i < PIXELS; i++)
        image[i] = (uint8_t)((seed = seed * 1664525u + 1013904223u) >> 24);
    for (int round = 0; round < rounds; round++) {
        multiply();
        a[round % N][0] = c[round % N][1] / 64.0f;
        hash = hash * 31 + filter(round);
    }
    uint32_t bits;
    memcpy(&bits, &c[N - 1][N - 1], 4);
    printf("%08x %08x\n", bits, hash);
    return 0;
}
