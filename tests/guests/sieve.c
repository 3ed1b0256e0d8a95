// Counts primes with the sieve of Eratosthenes: byte loads and stores in nested loops. `sieve.wasm [LIMIT]`.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(int argc, char **argv) {
    unsigned limit = argc > 1 ? (unsigned)atoi(argv[1]) : 100000;
    unsigned char *composite = calloc(limit + 1, 1);
    if (!composite) {
        puts("no memory");
        return 1;
    }
    unsigned count = 0, last = 0;
    for (unsigned i = 2; i <= limit; i++) {
        if (composite[i])
            continue;
        count++;
        last = i;
        for (unsigned long long j = (unsigned long long)i * i; j <= limit; j += i)
            composite[j] = 1;
    }
    printf("%u primes up to %u, the last is %u\n", count, limit, last);
    return 0;
}
