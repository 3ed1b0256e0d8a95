// Programs that do little but call: directly, through pointers to functions, through tables of methods. `calls.wasm KERNEL N`.
// Calls stay calls: nothing is inlined here and no recursion becomes a loop, so that it is the runtime that is measured.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CALLED __attribute__((noinline, disable_tail_calls))

CALLED static uint32_t fib(uint32_t n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }

CALLED static int tak(int x, int y, int z) {
    return y >= x ? z : tak(tak(x - 1, y, z), tak(y - 1, z, x), tak(z - 1, x, y));
}

CALLED static uint32_t ackermann(uint32_t m, uint32_t n) {
    if (m == 0) return n + 1;
    return n == 0 ? ackermann(m - 1, 1) : ackermann(m - 1, ackermann(m, n - 1));
}

// Two functions that call each other, with many parameters.
CALLED static uint64_t odd(uint32_t n, uint64_t a, uint64_t b, double c, uint32_t d);
CALLED static uint64_t even(uint32_t n, uint64_t a, uint64_t b, double c, uint32_t d) {
    return n == 0 ? a + b + d : odd(n - 1, b + d, a ^ n, c + 0.5, d + 1) + (uint64_t)c;
}
CALLED static uint64_t odd(uint32_t n, uint64_t a, uint64_t b, double c, uint32_t d) {
    return n == 0 ? a ^ b ^ d : even(n - 1, b - d, a + n, c - 0.25, d * 3) ^ (uint64_t)(c + 8);
}

static uint32_t state = 2463534242u;
static uint32_t number(void) {
    state ^= state << 13;
    state ^= state >> 17;
    return state ^= state << 5;
}

// Objects of four kinds with a table of methods each, in no order: no call can be foreseen.
struct shape;
struct methods {
    int64_t (*area)(const struct shape *);
    void (*grow)(struct shape *, int);
};
struct shape {
    const struct methods *methods;
    int a, b;
};
CALLED static int64_t square_area(const struct shape *s) { return (int64_t)s->a * s->a; }
CALLED static int64_t oblong_area(const struct shape *s) { return (int64_t)s->a * s->b; }
CALLED static int64_t triangle_area(const struct shape *s) { return (int64_t)s->a * s->b / 2; }
CALLED static int64_t point_area(const struct shape *s) { return s->a & 1; }
CALLED static void grow_a(struct shape *s, int by) { s->a = (s->a + by) & 1023; }
CALLED static void grow_both(struct shape *s, int by) {
    s->a = (s->a + by) & 1023;
    s->b = (s->b - by) & 1023;
}
static const struct methods kinds[] = {
    {square_area, grow_a}, {oblong_area, grow_both}, {triangle_area, grow_both}, {point_area, grow_a}};

static int64_t methods(uint32_t rounds, uint32_t of_kinds) {
    enum { COUNT = 1000 };
    static struct shape shapes[COUNT];
    for (int i = 0; i < COUNT; i++)
        shapes[i] = (struct shape){&kinds[number() % of_kinds], (int)(number() & 1023), (int)(number() & 1023)};
    int64_t sum = 0;
    for (uint32_t round = 0; round < rounds; round++)
        for (int i = 0; i < COUNT; i++) {
            struct shape *s = &shapes[i];
            s->methods->grow(s, 1 + (int)(round & 3));
            sum += s->methods->area(s);
        }
    return sum;
}

// Heap sort, told by a pointer what comes first.
typedef int (*order)(const void *, const void *);
CALLED static int ascending(const void *a, const void *b) {
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}
CALLED static int descending(const void *a, const void *b) { return ascending(b, a); }
__attribute__((noinline)) static void sort(uint32_t *items, int count, order compare) {
    for (int start = count / 2 - 1, end = count; end > 1;) {
        if (start < 0) {
            uint32_t first = items[0];
            items[0] = items[--end];
            items[end] = first;
        }
        int root = start < 0 ? 0 : start--;
        for (int child; (child = 2 * root + 1) < end; root = child) {
            if (child + 1 < end && compare(&items[child], &items[child + 1]) < 0) child++;
            if (compare(&items[root], &items[child]) >= 0) break;
            uint32_t item = items[root];
            items[root] = items[child];
            items[child] = item;
        }
    }
}
static uint64_t sorted(uint32_t rounds) {
    enum { COUNT = 10000 };
    static uint32_t items[COUNT];
    uint64_t sum = 0;
    for (uint32_t round = 0; round < rounds; round++) {
        for (int i = 0; i < COUNT; i++) items[i] = number();
        sort(items, COUNT, round & 1 ? descending : ascending);
        sum += items[COUNT / 3] ^ round;
    }
    return sum;
}

// A formula as a tree of nodes, each with the function that computes it: an interpreter made of closures.
struct node {
    int64_t (*value)(const struct node *, int64_t);
    const struct node *left, *right;
    int64_t constant;
};
CALLED static int64_t value_x(const struct node *n, int64_t x) { return (void)n, x; }
CALLED static int64_t value_constant(const struct node *n, int64_t x) { return (void)x, n->constant; }
CALLED static int64_t value_add(const struct node *n, int64_t x) {
    return (int64_t)((uint64_t)n->left->value(n->left, x) + (uint64_t)n->right->value(n->right, x));
}
CALLED static int64_t value_xor(const struct node *n, int64_t x) {
    return n->left->value(n->left, x) ^ n->right->value(n->right, x);
}
CALLED static int64_t value_multiply(const struct node *n, int64_t x) {
    return (int64_t)((uint64_t)n->left->value(n->left, x) * (uint64_t)n->right->value(n->right, x));
}
CALLED static int64_t value_choose(const struct node *n, int64_t x) {
    return (n->left->value(n->left, x) & 1 ? n->left : n->right)->value(n->right, x + n->constant);
}
static const struct node *grown(int depth) {
    struct node *n = malloc(sizeof *n);
    static int64_t (*const inner[])(const struct node *, int64_t) = {value_add, value_xor, value_multiply, value_choose};
    if (depth == 0) {
        *n = (struct node){number() & 1 ? value_x : value_constant, NULL, NULL, (int64_t)(number() & 255)};
    } else {
        const struct node *left = grown(depth - 1), *right = grown(depth - 1);
        *n = (struct node){inner[number() & 3], left, right, (int64_t)(number() & 7)};
    }
    return n;
}
static int64_t formula(uint32_t rounds) {
    const struct node *root = grown(8);
    uint64_t sum = 0;
    for (uint32_t x = 0; x < rounds; x++) sum = sum * 31 + (uint64_t)root->value(root, x);
    return (int64_t)sum;
}

int main(int argc, char **argv) {
    const char *kernel = argc > 1 ? argv[1] : "fib";
    uint32_t n = argc > 2 ? (uint32_t)atoi(argv[2]) : 20;
    int64_t result = 0;
    if (!strcmp(kernel, "fib")) result = fib(n);
    else if (!strcmp(kernel, "tak")) for (uint32_t i = 0; i < n; i++) result += tak(18, 12, 6 - (int)(i & 1));
    else if (!strcmp(kernel, "ackermann")) for (uint32_t i = 0; i < n; i++) result += ackermann(3, 6 + (i & 1));
    else if (!strcmp(kernel, "mutual")) for (uint32_t i = 0; i < n; i++) result += (int64_t)even(100 + (i & 7), i, 7, 1.5, 3);
    else if (!strcmp(kernel, "method")) result = methods(n, 1);
    else if (!strcmp(kernel, "methods")) result = methods(n, 4);
    else if (!strcmp(kernel, "sort")) result = (int64_t)sorted(n);
    else if (!strcmp(kernel, "formula")) result = formula(n);
    else return 2;
    printf("%s %lld\n", kernel, (long long)result);
    return 0;
}
