// Waits in poll_oneoff with several timers and standard input at once, in the ways a C program would.
// Prints what fired, never how long it took; `poll.wasm stdin` waits for input with a timer as a bound.
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <wasi/api.h>

static long long now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000LL + t.tv_nsec / 1000000;
}

static __wasi_subscription_t timer(uint64_t id, uint64_t ms) {
    __wasi_subscription_t s;
    memset(&s, 0, sizeof s);
    s.userdata = id;
    s.u.tag = __WASI_EVENTTYPE_CLOCK;
    s.u.u.clock.id = __WASI_CLOCKID_MONOTONIC;
    s.u.u.clock.timeout = ms * 1000000;
    return s;
}

static __wasi_subscription_t readable(uint64_t id, int fd) {
    __wasi_subscription_t s;
    memset(&s, 0, sizeof s);
    s.userdata = id;
    s.u.tag = __WASI_EVENTTYPE_FD_READ;
    s.u.u.fd_read.file_descriptor = fd;
    return s;
}

static void wait_for(const char *label, const __wasi_subscription_t *in, int count) {
    __wasi_event_t out[8];
    __wasi_size_t fired = 0;
    __wasi_errno_t e = __wasi_poll_oneoff(in, out, count, &fired);
    printf("%s: errno %d, %u fired:", label, e, (unsigned)fired);
    for (unsigned i = 0; e == 0 && i < fired; i++)
        printf(" #%llu type %d error %d", (unsigned long long)out[i].userdata, out[i].type, out[i].error);
    puts("");
}

int main(int argc, char **argv) {
    if (argc > 1 && !strcmp(argv[1], "stdin")) {
        __wasi_subscription_t both[2] = {readable(1, 0), timer(2, 20000)};
        wait_for("stdin or 20 s", both, 2);
        char buf[64];
        printf("read: %ld bytes\n", (long)read(0, buf, sizeof buf));
        return 0;
    }
    long long start = now();
    __wasi_subscription_t timers[3] = {timer(1, 5000), timer(2, 30), timer(3, 6000)};
    wait_for("three timers", timers, 3);
    long long passed = now() - start;
    puts(passed >= 30 && passed < 4000 ? "after the shortest" : "at a wrong time");

    __wasi_subscription_t at_once[1] = {timer(7, 0)};
    wait_for("no wait", at_once, 1);

    // An absolute time in the past is over at once.
    __wasi_subscription_t past = timer(8, 1);
    past.u.u.clock.flags = __WASI_SUBCLOCKFLAGS_SUBSCRIPTION_CLOCK_ABSTIME;
    wait_for("absolute past", &past, 1);

    // A descriptor that is not open is an event with an error, not a failed call.
    __wasi_subscription_t bad[2] = {readable(9, 77), timer(10, 5000)};
    wait_for("bad descriptor", bad, 2);

    wait_for("nothing", timers, 0);

    struct timespec nap = {0, 20000000};
    start = now();
    int slept = nanosleep(&nap, NULL);
    printf("nanosleep: %d, %s\n", slept, now() - start >= 20 ? "long enough" : "too short");
    return 0;
}
