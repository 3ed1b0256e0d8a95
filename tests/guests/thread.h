// Threads without a thread library: the wasi-libc that ziglang ships has none. A new thread gets a stack and thread-local storage of
// its own. It must not call libc, whose locks do nothing here; `start` has a lock of its own.
#include <stdint.h>
#include <stdlib.h>

#define STACK 65536

__attribute__((import_module("wasi"), import_name("thread-spawn"))) int32_t thread_spawn(void *start);

struct thread {
    char *stack; // its end; the entry below reads it, so it is the first field
    char *locals;
    void (*run)(void *);
    void *argument;
    int running; // 1 until the thread ends
    int id;
};

void __wasm_init_tls(void *);

__attribute__((used)) void thread_main(int id, struct thread *thread) {
    if (thread->locals)
        __wasm_init_tls(thread->locals);
    thread->run(thread->argument);
    __atomic_store_n(&thread->running, 0, __ATOMIC_SEQ_CST);
    __builtin_wasm_memory_atomic_notify(&thread->running, -1);
}

__asm__(".globaltype __stack_pointer, i32\n"
        ".functype thread_main (i32, i32) -> ()\n"
        ".globl wasi_thread_start\n"
        ".export_name wasi_thread_start, wasi_thread_start\n"
        ".type wasi_thread_start,@function\n"
        "wasi_thread_start:\n"
        ".functype wasi_thread_start (i32, i32) -> ()\n"
        "local.get 1\n"
        "i32.load 0\n"
        "global.set __stack_pointer\n"
        "local.get 0\n"
        "local.get 1\n"
        "call thread_main\n"
        "end_function\n");

// Starts a thread. Returns 0 if there may be no other. The stack is never freed.
static struct thread *start(void (*run)(void *), void *argument) {
    static int lock;
    while (__atomic_exchange_n(&lock, 1, __ATOMIC_SEQ_CST))
        __builtin_wasm_memory_atomic_wait32(&lock, 1, -1);
    struct thread *thread = malloc(sizeof *thread);
    size_t size = __builtin_wasm_tls_size(), align = __builtin_wasm_tls_align();
    char *memory = malloc(STACK + size + align);
    if (!thread || !memory)
        goto failed;
    thread->stack = (char *)((uintptr_t)(memory + STACK) & -16);
    thread->locals = size ? (char *)(((uintptr_t)memory + STACK + align - 1) & -align) : 0;
    thread->run = run;
    thread->argument = argument;
    thread->running = 1;
    thread->id = thread_spawn(thread);
    if (thread->id < 0) {
    failed:
        free(memory);
        free(thread);
        thread = 0;
    }
    __atomic_store_n(&lock, 0, __ATOMIC_SEQ_CST);
    __builtin_wasm_memory_atomic_notify(&lock, 1);
    return thread;
}

static void join(struct thread *thread) {
    while (__atomic_load_n(&thread->running, __ATOMIC_SEQ_CST))
        __builtin_wasm_memory_atomic_wait32(&thread->running, 1, -1);
}
