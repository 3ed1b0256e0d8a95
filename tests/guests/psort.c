// Sorts numbers on several threads: psort COUNT THREADS. Prints a checksum that does not depend on the number of threads.
// The work is always the same PARTS pieces, so that the times of runs with one and with more threads can be compared.
#include "thread.h"
#include <stdio.h>

#define PARTS 8

static uint32_t *numbers, *other; // `other` is the target of merges
static size_t count;
static int threads;
static int width; // sorted runs of `numbers`; the pieces of work sort if there are none yet

static void sift(uint32_t *heap, size_t root, size_t size) {
    uint32_t value = heap[root];
    for (size_t child; (child = 2 * root + 1) < size; root = child) {
        if (child + 1 < size && heap[child + 1] > heap[child])
            child++;
        if (heap[child] <= value)
            break;
        heap[root] = heap[child];
    }
    heap[root] = value;
}

static void sort(uint32_t *from, size_t size) {
    for (size_t root = size / 2; root-- > 0;)
        sift(from, root, size);
    while (size-- > 1) {
        uint32_t last = from[size];
        from[size] = from[0];
        from[0] = last;
        sift(from, 0, size);
    }
}

// Returns how many of the first `rank` merged numbers come from `a`.
static size_t split(const uint32_t *a, size_t a_size, const uint32_t *b, size_t b_size, size_t rank) {
    size_t low = rank > b_size ? rank - b_size : 0, high = rank < a_size ? rank : a_size;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (a[middle] <= b[rank - middle - 1])
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

// Merges the numbers from `rank` to `end` of two runs.
static void merge(const uint32_t *a, size_t a_size, const uint32_t *b, size_t b_size, size_t rank, size_t end, uint32_t *out) {
    size_t i = split(a, a_size, b, b_size, rank), j = rank - i;
    for (; rank < end; rank++)
        out[rank] = j == b_size || (i < a_size && a[i] <= b[j]) ? a[i++] : b[j++];
}

static size_t start_of(int run, int runs) {
    return (uint64_t)count * run / runs;
}

static void piece(int part) {
    if (!width) {
        size_t from = start_of(part, PARTS);
        sort(numbers + from, start_of(part + 1, PARTS) - from);
        return;
    }
    int each = 2 * PARTS / width, pair = part / each; // pieces of a merge, and its number
    size_t from = start_of(2 * pair, width), middle = start_of(2 * pair + 1, width), to = start_of(2 * pair + 2, width);
    size_t size = to - from, at = part % each;
    merge(numbers + from, middle - from, numbers + middle, to - middle, (uint64_t)size * at / each,
          (uint64_t)size * (at + 1) / each, other + from);
}

static void pieces(void *first) {
    for (int part = (int)(intptr_t)first; part < PARTS; part += threads)
        piece(part);
}

static void on_threads(void) {
    struct thread *started[PARTS];
    for (int i = 1; i < threads; i++)
        started[i] = start(pieces, (void *)(intptr_t)i);
    pieces(0);
    for (int i = 1; i < threads; i++)
        if (started[i])
            join(started[i]);
        else
            pieces((void *)(intptr_t)i);
}

int main(int argc, char **argv) {
    count = argc > 1 ? strtoul(argv[1], 0, 10) : 100000;
    threads = argc > 2 ? atoi(argv[2]) : 2;
    if (threads < 1 || threads > PARTS)
        return puts("1 to 8 threads"), 2;
    numbers = malloc(count * 4), other = malloc(count * 4);
    uint32_t random = 12345;
    for (size_t i = 0; i < count; i++)
        numbers[i] = random = random * 1664525 + 1013904223;
    on_threads();
    for (width = PARTS; width > 1; width /= 2) {
        on_threads();
        uint32_t *sorted = other;
        other = numbers;
        numbers = sorted;
    }
    uint64_t sum = 0;
    for (size_t i = 0; i < count; i++) {
        if (i && numbers[i - 1] > numbers[i])
            return puts("not sorted"), 1;
        sum = sum * 31 + numbers[i];
    }
    printf("sorted %zu: %016llx\n", count, (unsigned long long)sum);
    return 0;
}
