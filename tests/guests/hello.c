// Prints one line and leaves: the smallest guest with a C library in it.
#include <stdio.h>

int main(void) {
    puts("hello from wasm");
    return 0;
}
