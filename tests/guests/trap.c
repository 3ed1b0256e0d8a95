// Traps in the way its first argument names, three calls deep, so that a backtrace has something to show.
// Built with its name section.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEEP __attribute__((noinline))

typedef int (*callback)(int);
typedef double (*other_type)(double);

static volatile int zero;
static volatile uint32_t far_away = 0xfffffff0u;
static double half(double x) { return x / 2; }
static volatile other_type wrong = half;
static volatile callback nothing;
static volatile uintptr_t no_element = 0x7fffffff;

KEEP static int divide(int a) { return a / zero; }
KEEP static int overflow(void) { return (INT32_MIN + zero) / (zero - 1); }
KEEP static int load(void) { return *(volatile int *)(uintptr_t)far_away; }
KEEP static int call_null(void) { return nothing(1); }
KEEP static int call_wrong_type(void) { return ((callback)(void *)wrong)(1); }
KEEP static int call_no_element(void) { return ((callback)no_element)(1); }
KEEP static int recurse(int n) { return n + recurse(n + 1 + zero) * 2; }

static int truncate_float(void) {
    int r;
    double d = 1e30 + zero;
    __asm__ volatile("local.get %1\n i32.trunc_f64_s\n local.set %0" : "=r"(r) : "r"(d));
    return r;
}

KEEP static int run(const char *how) {
    if (!strcmp(how, "unreachable")) __builtin_trap();
    if (!strcmp(how, "divide")) return divide(7);
    if (!strcmp(how, "overflow")) return overflow();
    if (!strcmp(how, "load")) return load();
    if (!strcmp(how, "null")) return call_null();
    if (!strcmp(how, "type")) return call_wrong_type();
    if (!strcmp(how, "element")) return call_no_element();
    if (!strcmp(how, "stack")) return recurse(0);
    if (!strcmp(how, "truncate")) return truncate_float();
    printf("unknown trap %s\n", how);
    return 1;
}

int main(int argc, char **argv) {
    puts("before");
    fflush(stdout);
    int r = run(argc > 1 ? argv[1] : "unreachable");
    printf("after %d\n", r);
    return 0;
}
