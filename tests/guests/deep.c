// Recurses as deep as its first argument says, in a way no compiler turns into a loop, and prints the sum.
#include <stdio.h>
#include <stdlib.h>

static volatile int one = 1;
static volatile unsigned returned; // something to do after the call, or it would become a loop

__attribute__((noinline)) static unsigned sum(unsigned n) {
    if (n == 0)
        return 0;
    unsigned rest = sum(n - one);
    returned++;
    return n + rest;
}

int main(int argc, char **argv) {
    unsigned depth = argc > 1 ? (unsigned)atoi(argv[1]) : 1000;
    printf("sum(%u) = %u\n", depth, sum(depth));
    return 0;
}
