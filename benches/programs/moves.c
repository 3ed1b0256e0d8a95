// Moves of memory: memmove and memset of all sizes and distances, as an editor's buffer, a queue and a table make them.
// `moves.wasm [ROUNDS]`.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BYTES = 1 << 16 };
static unsigned char buffer[BYTES];

static unsigned state = 7;
static unsigned next(unsigned limit) {
    state = state * 1664525u + 1013904223u;
    return (state >> 8) % limit;
}

// Inserts and removes runs of up to LONGEST bytes in the buffer.
static void edit(unsigned longest) {
    const unsigned at = next(BYTES - 2 * longest), length = 1 + next(longest);
    const unsigned tail = BYTES - at - length;
    if (next(2)) {
        memmove(buffer + at + length, buffer + at, tail);
        memset(buffer + at, (int)next(256), length);
    } else {
        memmove(buffer + at, buffer + at + length, tail);
        memset(buffer + BYTES - length, (int)next(256), length);
    }
}

// Rotates rows of WIDTH bytes by one place, and swaps neighbours.
static void rotate(unsigned width) {
    unsigned char row[64];
    memcpy(row, buffer, width);
    for (unsigned at = 0; at + 2 * width <= 4096; at += width)
        memmove(buffer + at, buffer + at + width, width);
    memcpy(buffer + 4096 - width, row, width);
}

int main(int count, char **words) {
    const unsigned rounds = count > 1 ? (unsigned)atoi(words[1]) : 1000;
    for (unsigned at = 0; at < BYTES; at++)
        buffer[at] = (unsigned char)next(256);
    for (unsigned round = 0; round < rounds; round++) {
        edit(24);
        edit(2000);
        for (unsigned width = 8; width <= 64; width += 14)
            rotate(width);
    }
    unsigned long sum = 0;
    for (unsigned at = 0; at < BYTES; at++)
        sum = sum * 31 + buffer[at];
    printf("%08lx\n", sum & 0xffffffff);
    return 0;
}
