// Never ends by itself. The first argument says how: `spin` computes, `sleep` waits in poll_oneoff,
// `read` waits for standard input. Prints "ready" first, so that a test knows when to act.
#include <string.h>
#include <unistd.h>

static volatile unsigned turns;

__attribute__((noinline)) static void spin(void) {
    for (;;)
        turns++;
}

int main(int argc, char **argv) {
    const char *how = argc > 1 ? argv[1] : "spin";
    write(1, "ready\n", 6);
    if (strcmp(how, "spin") == 0)
        spin();
    if (strcmp(how, "sleep") == 0)
        for (;;)
            sleep(1000);
    if (strcmp(how, "read") == 0) {
        char c;
        while (read(0, &c, 1) == 1)
            ;
    }
    return 9;
}
