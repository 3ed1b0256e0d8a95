// zstd: compresses text in memory at a low and a high level, decompresses it, compares. `zstd.wasm [KIBIBYTES]`.
#include "bytes.h"
#include "zstd.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(int argc, char **argv) {
    size_t len = (size_t)(argc > 1 ? atoi(argv[1]) : 64) * 1024, room = ZSTD_compressBound(len);
    uint8_t *text = malloc(len), *packed = malloc(room), *again = malloc(len);
    if (!text || !packed || !again)
        return 1;
    fill_with_words(text, len);
    for (int level = 3; level <= 13; level += 10) {
        size_t used = ZSTD_compress(packed, room, text, len, level);
        if (ZSTD_isError(used))
            return 1;
        int same = 1;
        for (int i = 0; i < 4; i++) {
            memset(again, 0, len);
            same &= ZSTD_decompress(again, len, packed, used) == len && !memcmp(text, again, len);
        }
        printf("level %d: %zu -> %zu (%08x), %s\n", level, len, used, fnv(packed, used), same ? "same" : "DIFFERENT");
        if (!same)
            return 1;
    }
    return 0;
}
