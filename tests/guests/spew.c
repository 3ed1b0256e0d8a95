// Writes as many numbered lines as its first argument says (default: for ever) to standard output.
// Leaves with 4 and the errno on stderr if a write failed.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int main(int argc, char **argv) {
    long long lines = argc > 1 ? atoll(argv[1]) : -1;
    char line[64];
    for (long long i = 0; i != lines; i++) {
        int n = snprintf(line, sizeof line, "line %lld\n", i);
        if (write(1, line, n) != n) {
            fprintf(stderr, "write: %s\n", strerror(errno));
            return 4;
        }
    }
    return 0;
}
