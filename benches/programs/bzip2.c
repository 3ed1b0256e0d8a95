// bzip2: compresses text in memory, decompresses it, compares. `bzip2.wasm [KIBIBYTES]`.
#include "bytes.h"
#include "bzlib.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// The library wants this when it is built without stdio.
void bz_internal_error(int code) {
    printf("bzip2 failed: %d\n", code);
    exit(1);
}

int main(int argc, char **argv) {
    unsigned len = (argc > 1 ? (unsigned)atoi(argv[1]) : 64) * 1024, room = len + len / 100 + 600;
    char *text = malloc(len), *packed = malloc(room), *again = malloc(len);
    if (!text || !packed || !again)
        return 1;
    fill_with_words((uint8_t *)text, len);
    if (BZ2_bzBuffToBuffCompress(packed, &room, text, len, 9, 0, 0) != BZ_OK)
        return 1;
    unsigned back = len;
    if (BZ2_bzBuffToBuffDecompress(again, &back, packed, room, 0, 0) != BZ_OK)
        return 1;
    int same = back == len && !memcmp(text, again, len);
    printf("%u -> %u (%08x), %s\n", len, room, fnv((uint8_t *)packed, room), same ? "same" : "DIFFERENT");
    return !same;
}
