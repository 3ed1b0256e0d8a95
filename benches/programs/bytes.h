// Data to work on, the same on every machine: text-like bytes from a linear congruential generator.
#ifndef BYTES_H
#define BYTES_H
#include <stddef.h>
#include <stdint.h>

static uint32_t bytes_seed = 2463534242u;

static uint32_t next_number(void) {
    bytes_seed = bytes_seed * 1664525u + 1013904223u;
    return bytes_seed >> 8;
}

// Fills TO with words out of a small vocabulary, so that it compresses about as well as text.
static void fill_with_words(uint8_t *to, size_t len) {
    static const char letters[] = "etaoinshrdlucmfwypvbgkjqxz";
    char words[512][12];
    for (int w = 0; w < 512; w++) {
        int n = 2 + next_number() % 9;
        for (int i = 0; i < n; i++) {
            uint32_t a = next_number() % 26, b = next_number() % 26;
            words[w][i] = letters[a < b ? a : b];
        }
        words[w][n] = 0;
    }
    size_t at = 0;
    while (at < len) {
        uint32_t a = next_number() % 512, b = next_number() % 512;
        for (const char *c = words[a < b ? a : b]; *c && at < len; c++)
            to[at++] = (uint8_t)*c;
        if (at < len)
            to[at++] = next_number() % 11 ? ' ' : '\n';
    }
}

static uint32_t fnv(const uint8_t *bytes, size_t len) {
    uint32_t hash = 2166136261u;
    for (size_t i = 0; i < len; i++)
        hash = (hash ^ bytes[i]) * 16777619u;
    return hash;
}
#endif
