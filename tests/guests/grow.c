// Asks for memory by the MiB until refused or as many as its first argument says, touching every page.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *volatile last; // keeps the compiler from proving that nobody needs the memory

int main(int argc, char **argv) {
    int want = argc > 1 ? atoi(argv[1]) : 64;
    int got = 0;
    while (got < want) {
        char *p = malloc(1 << 20);
        if (!p)
            break;
        memset(p, got + 1, 1 << 20);
        last = p;
        got++;
    }
    printf("%s after %d MiB\n", got == want ? "done" : "refused", got);
    return 0;
}
