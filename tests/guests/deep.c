// Recurses as deep as its first argument says, in a way no compiler turns into a loop, and prints the sum.
#include <stdio.h>
#include <stdlib.h>

static volatile int one = 1;

__attribute__((noinline)) static unsigned sum(unsigned n) {
    if (n == 0)
        return 0;
    return n * one + sum(n - one);
}

int main(int argc, char **argv) {
    unsigned depth = argc > 1 ? (unsigned)atoi(argv[1]) : 1000;
    printf("sum(%u) = %u\n", depth, sum(depth));
    return 0;
}
