// Sorts numbers on several threads: psort COUNT THREADS. Prints a checksum that does not depend on the number of threads.
#include "thread.h"
#include <stdio.h>
#include <string.h>

struct part {
    uint32_t *from, *to; // sorted in place if there is no `middle`
    uint32_t *middle;    // else two sorted halves, merged into `target`
    uint32_t *target;
};

static void sift(uint32_t *heap, size_t root, size_t count) {
    uint32_t value = heap[root];
    for (size_t child; (child = 2 * root + 1) < count; root = child) {
        if (child + 1 < count && heap[child + 1] > heap[child])
            child++;
        if (heap[child] <= value)
            break;
        heap[root] = heap[child];
    }
    heap[root] = value;
}

static void sort(uint32_t *from, uint32_t *to) {
    size_t count = to - from;
    for (size_t root = count / 2; root-- > 0;)
        sift(from, root, count);
    while (count-- > 1) {
        uint32_t last = from[count];
        from[count] = from[0];
        from[0] = last;
        sift(from, 0, count);
    }
}

static void work(void *argument) {
    struct part *part = argument;
    if (!part->middle) {
        sort(part->from, part->to);
        return;
    }
    uint32_t *a = part->from, *b = part->middle, *out = part->target;
    while (out - part->target < part->to - part->from)
        *out++ = b == part->to || (a < part->middle && *a <= *b) ? *a++ : *b++;
}

static void on_threads(struct part *parts, int count) {
    struct thread *threads[64];
    for (int i = 1; i < count; i++)
        threads[i] = start(work, &parts[i]);
    work(&parts[0]);
    for (int i = 1; i < count; i++)
        if (threads[i])
            join(threads[i]);
        else
            work(&parts[i]);
}

int main(int argc, char **argv) {
    size_t count = argc > 1 ? strtoul(argv[1], 0, 10) : 100000;
    int threads = argc > 2 ? atoi(argv[2]) : 2; // a power of two
    uint32_t *numbers = malloc(count * 4), *other = malloc(count * 4), random = 12345;
    for (size_t i = 0; i < count; i++)
        numbers[i] = random = random * 1664525 + 1013904223;
    struct part parts[64];
    for (int i = 0; i < threads; i++)
        parts[i] = (struct part){numbers + count * i / threads, numbers + count * (i + 1) / threads, 0, 0};
    on_threads(parts, threads);
    for (int width = threads / 2; width > 0; width /= 2) {
        for (int i = 0; i < width; i++) {
            size_t from = count * i / width, middle = count * (2 * i + 1) / (2 * width), to = count * (i + 1) / width;
            parts[i] = (struct part){numbers + from, numbers + to, numbers + middle, other + from};
        }
        on_threads(parts, width);
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
