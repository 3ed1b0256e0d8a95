// Leaves with the exit code its first argument names.
// `exit.wasm N` calls exit(N); `exit.wasm return N` returns N from main; `exit.wasm abort` aborts.
#include <stdlib.h>
#include <string.h>

int main(int argc, char **argv) {
    if (argc > 1 && strcmp(argv[1], "abort") == 0)
        abort();
    if (argc > 2 && strcmp(argv[1], "return") == 0)
        return atoi(argv[2]);
    exit(argc > 1 ? atoi(argv[1]) : 0);
}
