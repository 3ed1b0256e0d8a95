// Threads that end in a chosen way: threads WHAT [NUMBER].
#include "thread.h"
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <wasi/api.h>

// Threads use the system interface and not libc. What may fail is visible in the output.
#pragma clang diagnostic ignored "-Wunused-result"

static int shared, turn;

static void put(const char *text) {
    __wasi_ciovec_t buffer = {(const uint8_t *)text, __builtin_strlen(text)};
    __wasi_size_t written;
    __wasi_fd_write(1, &buffer, 1, &written);
}

static void wait_for(int *place, int value) {
    for (int now; (now = __atomic_load_n(place, __ATOMIC_SEQ_CST)) != value;)
        __builtin_wasm_memory_atomic_wait32(place, now, -1);
}

static void set(int *place, int value) {
    __atomic_store_n(place, value, __ATOMIC_SEQ_CST);
    __builtin_wasm_memory_atomic_notify(place, -1);
}

static void sleep_for(uint64_t milliseconds) {
    __wasi_subscription_t clock = {0};
    clock.u.tag = __WASI_EVENTTYPE_CLOCK;
    clock.u.u.clock.id = __WASI_CLOCKID_MONOTONIC;
    clock.u.u.clock.timeout = milliseconds * 1000000;
    __wasi_event_t event;
    __wasi_size_t events;
    __wasi_poll_oneoff(&clock, &event, 1, &events);
}

static void count(void *argument) {
    for (int i = 0; i < 1000; i++)
        __atomic_fetch_add((int *)argument, 1, __ATOMIC_SEQ_CST);
}
static void lines(void *argument) {
    for (int i = 0; i < 50; i++)
        put(argument);
}
static void lines_forever(void *argument) {
    for (;;)
        put(argument);
}
static void trap(void *argument) {
    __builtin_trap();
}
static void leave(void *argument) {
    put("leaving\n");
    __wasi_proc_exit((int)(intptr_t)argument);
}
static void spin(void *argument) {
    for (volatile int forever = 1; forever;)
        ;
}
static void wait_forever(void *argument) {
    wait_for(&shared, -1);
}
static void sleep_long(void *argument) {
    sleep_for(1000000);
}
static void read_input(void *argument) {
    uint8_t byte;
    __wasi_iovec_t buffer = {&byte, 1};
    __wasi_size_t got;
    __wasi_fd_read(0, &buffer, 1, &got);
    put(got ? "read a byte\n" : "read the end\n");
    set(&turn, 1);
}
static void open_file(void *argument) {
    __wasi_fd_t fd;
    int error = __wasi_path_open(3, 0, "made.txt", __WASI_OFLAGS_CREAT, __WASI_RIGHTS_FD_WRITE, 0, 0, &fd);
    set(&turn, error ? -(int)error : (int)fd);
}
static void burn(void *argument) {
    for (volatile int i = 0; i < 100000000; i++)
        ;
}
static void spawn_again(void *argument) {
    __atomic_fetch_add(&shared, 1, __ATOMIC_SEQ_CST);
    for (;;)
        if (!start(spawn_again, 0))
            wait_for(&shared, -1);
}
static void grow(void *argument) {
    while (__builtin_wasm_memory_grow(0, 1) != (size_t)-1)
        __atomic_fetch_add(&shared, 1, __ATOMIC_SEQ_CST);
}
static void storm(void *argument) {
    for (int i = 0; i < 20000; i++) {
        __builtin_wasm_memory_atomic_notify(&turn, -1);
        __builtin_wasm_memory_atomic_wait32(&turn, 0, 1000);
    }
}
static int recurse(int depth) {
    volatile char frame[16];
    frame[depth & 15] = depth;
    return recurse(depth + 1) + frame[0];
}
static void overflow(void *argument) {
    shared = recurse(0);
}

static void all(void (*run)(void *), void *argument, int count) {
    struct thread *threads[512];
    for (int i = 0; i < count; i++)
        threads[i] = start(run, argument);
    for (int i = 0; i < count; i++)
        if (threads[i])
            join(threads[i]);
}

int main(int argc, char **argv) {
    const char *what = argc > 1 ? argv[1] : "";
    int number = argc > 2 ? atoi(argv[2]) : 4;
    if (!strcmp(what, "count")) {
        all(count, &shared, number);
        printf("%d\n", shared);
    } else if (!strcmp(what, "lines")) {
        struct thread *a = start(lines, "aaaaaaaaaa\n"), *b = start(lines, "bbbbbbbbbb\n");
        join(a), join(b);
    } else if (!strcmp(what, "trap")) {
        start(wait_forever, 0), start(spin, 0), start(trap, 0);
        wait_forever(0);
    } else if (!strcmp(what, "trap-writing")) {
        start(lines_forever, "aaaaaaaaaa\n"), start(lines_forever, "bbbbbbbbbb\n");
        sleep_for(20);
        start(trap, 0);
        lines_forever("cccccccccc\n");
    } else if (!strcmp(what, "exit")) {
        start(spin, 0), start(leave, (void *)(intptr_t)number);
        sleep_long(0);
    } else if (!strcmp(what, "exit-main")) {
        start(spin, 0), start(wait_forever, 0), start(sleep_long, 0), start(read_input, 0);
        sleep_for(20);
        puts("done");
        return number;
    } else if (!strcmp(what, "hang")) {
        all(number == 0 ? spin : number == 1 ? wait_forever : number == 2 ? sleep_long : read_input, 0, 3);
    } else if (!strcmp(what, "input")) {
        start(read_input, 0);
        sleep_for(20);
        put("others go on\n");
        wait_for(&turn, 1);
    } else if (!strcmp(what, "files")) {
        join(start(open_file, 0));
        printf("descriptor %d: %s\n", turn, turn > 2 && write(turn, "text", 4) == 4 && !close(turn) ? "written" : "failed");
    } else if (!strcmp(what, "burn")) {
        all(burn, 0, number);
    } else if (!strcmp(what, "bomb")) {
        start(spawn_again, 0);
        sleep_for(100);
        printf("%d threads\n", __atomic_load_n(&shared, __ATOMIC_SEQ_CST));
    } else if (!strcmp(what, "grow")) {
        size_t before = __builtin_wasm_memory_size(0);
        all(grow, 0, number);
        printf("%s\n", __builtin_wasm_memory_size(0) - before >= (size_t)shared ? "grown" : "lost");
    } else if (!strcmp(what, "storm")) {
        all(storm, 0, number);
        puts("calm");
    } else if (!strcmp(what, "overflow")) {
        join(start(overflow, 0));
    } else if (!strcmp(what, "refused")) {
        puts(start(count, &shared) ? "started" : "refused");
    }
    return 0;
}
