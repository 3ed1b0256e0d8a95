// POSIX threads of wasi-libc: pthreads sort COUNT THREADS, pthreads all THREADS ROUNDS, or pthreads files THREADS ROUNDS.
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PARTS 16
#define MOST 64

static int threads, rounds;

// Calls `run` on all threads.
static void on_threads(void *(*run)(void *)) {
    pthread_t ids[MOST];
    for (intptr_t i = 0; i < threads; i++)
        if (pthread_create(&ids[i], NULL, run, (void *)i))
            fprintf(stderr, "no thread\n"), exit(2);
    for (intptr_t i = 0; i < threads; i++) {
        void *result;
        if (pthread_join(ids[i], &result) || result != (void *)(i + 1))
            fprintf(stderr, "not joined\n"), exit(3);
    }
}

// A queue of parts, which threads sort, and a buffer of each thread's own.
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int queue[PARTS], head, tail, finished;
static uint32_t *numbers;
static size_t count;

static int compare(const void *a, const void *b) {
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

static size_t start_of(int part) {
    return (uint64_t)count * part / PARTS;
}

static void *sorter(void *number) {
    for (;;) {
        pthread_mutex_lock(&lock);
        while (head == tail && !finished)
            pthread_cond_wait(&changed, &lock);
        if (head == tail) {
            pthread_mutex_unlock(&lock);
            return (char *)number + 1;
        }
        int part = queue[head++];
        pthread_mutex_unlock(&lock);
        size_t from = start_of(part), size = start_of(part + 1) - from;
        uint32_t *own = malloc(size * 4 + 1);
        memcpy(own, numbers + from, size * 4);
        qsort(own, size, 4, compare);
        memcpy(numbers + from, own, size * 4);
        free(own);
    }
}

static void *fill_queue(void *none) {
    for (int part = 0; part < PARTS; part++) {
        pthread_mutex_lock(&lock);
        queue[tail++] = part;
        finished = tail == PARTS;
        pthread_cond_broadcast(&changed);
        pthread_mutex_unlock(&lock);
    }
    return none;
}

static int sort(void) {
    uint32_t random = 12345;
    numbers = malloc(count * 4);
    for (size_t i = 0; i < count; i++)
        numbers[i] = random = random * 1664525 + 1013904223;
    pthread_t filler;
    pthread_create(&filler, NULL, fill_queue, NULL);
    on_threads(sorter);
    pthread_join(filler, NULL);
    size_t at[PARTS];
    for (int part = 0; part < PARTS; part++)
        at[part] = start_of(part);
    uint64_t sum = 0;
    uint32_t last = 0;
    for (size_t i = 0; i < count; i++) {
        int least = -1;
        for (int part = 0; part < PARTS; part++)
            if (at[part] < start_of(part + 1) && (least < 0 || numbers[at[part]] < numbers[at[least]]))
                least = part;
        uint32_t next = numbers[at[least]++];
        if (next < last)
            return puts("not sorted"), 1;
        sum = sum * 31 + (last = next);
    }
    printf("sorted %zu: %016llx\n", count, (unsigned long long)sum);
    return 0;
}

static pthread_barrier_t barrier;
static pthread_rwlock_t guard = PTHREAD_RWLOCK_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t key;
static sem_t places;
static _Thread_local int own;
static int begun, destroyed, pair[2], counter, inside, wrong;

static void begin(void) {
    begun++;
}

static void destroy(void *value) {
    free(value);
    __atomic_fetch_add(&destroyed, 1, __ATOMIC_SEQ_CST);
}

static void expect(int holds) {
    if (!holds)
        __atomic_fetch_add(&wrong, 1, __ATOMIC_SEQ_CST);
}

static void *everything(void *number) {
    pthread_once(&once, begin);
    expect(begun == 1);
    int *value = malloc(sizeof *value);
    pthread_setspecific(key, value);
    for (int round = 0; round < rounds; round++) {
        own++;
        *value = round;
        pthread_mutex_lock(&lock);
        counter++;
        pthread_mutex_unlock(&lock);
        pthread_barrier_wait(&barrier);
        expect(counter == threads * (round + 1));
        if (pthread_barrier_wait(&barrier) == PTHREAD_BARRIER_SERIAL_THREAD) {
            pthread_rwlock_wrlock(&guard);
            pair[0]++, pair[1]++;
            pthread_rwlock_unlock(&guard);
        } else {
            pthread_rwlock_rdlock(&guard);
            expect(pair[0] == pair[1]);
            pthread_rwlock_unlock(&guard);
        }
        sem_wait(&places);
        expect(__atomic_add_fetch(&inside, 1, __ATOMIC_SEQ_CST) <= 2);
        __atomic_fetch_sub(&inside, 1, __ATOMIC_SEQ_CST);
        sem_post(&places);
        if (round % 64 == 0)
            sched_yield();
        free(malloc(round % 1000 + 1));
        expect(*(int *)pthread_getspecific(key) == round);
    }
    expect(own == rounds);
    // Nobody notifies, so the wait ends by its time limit.
    struct timespec soon;
    clock_gettime(CLOCK_REALTIME, &soon);
    soon.tv_nsec = (soon.tv_nsec + 2000000) % 1000000000;
    pthread_mutex_lock(&lock);
    int error = pthread_cond_timedwait(&changed, &lock, &soon);
    pthread_mutex_unlock(&lock);
    expect(error == ETIMEDOUT);
    printf("thread %d of %d\n", (int)(intptr_t)number, threads);
    return (char *)number + 1;
}

// Writes a file of its own and reads it again, and adds lines to a file of all threads.
static int all_lines;

static void *files(void *number) {
    char name[16], piece[4096], again[4096], line[8];
    int id = (int)(intptr_t)number, ok = 1;
    sprintf(name, "file%d", id);
    sprintf(line, "line%02d\n", id);
    int file = open(name, O_RDWR | O_CREAT | O_TRUNC, 0666);
    for (int round = 0; round < rounds; round++) {
        memset(piece, id + round, sizeof piece);
        ok &= write(file, piece, sizeof piece) == sizeof piece;
        ok &= pread(file, again, sizeof again, (off_t)round * sizeof again) == sizeof again;
        ok &= !memcmp(piece, again, sizeof piece);
        ok &= write(all_lines, line, 7) == 7;
    }
    ok &= !fsync(file) && lseek(file, 0, SEEK_SET) == 0;
    for (int round = 0; round < rounds; round++) {
        memset(piece, id + round, sizeof piece);
        ok &= read(file, again, sizeof again) == sizeof again && !memcmp(piece, again, sizeof piece);
    }
    expect(ok && read(file, again, 1) == 0 && !close(file));
    return (char *)number + 1;
}

int main(int argc, char **argv) {
    const char *what = argc > 1 ? argv[1] : "all";
    int first = argc > 2 ? atoi(argv[2]) : 4, second = argc > 3 ? atoi(argv[3]) : 4;
    if (!strcmp(what, "sort")) {
        count = first, threads = second;
        return sort();
    }
    threads = first, rounds = second;
    if (!strcmp(what, "files")) {
        all_lines = open("lines", O_WRONLY | O_CREAT | O_APPEND, 0666);
        on_threads(files);
        printf("%d wrong\n", wrong);
        return wrong != 0;
    }
    pthread_barrier_init(&barrier, NULL, threads);
    pthread_key_create(&key, destroy);
    sem_init(&places, 0, 2);
    on_threads(everything);
    expect(destroyed == threads && pair[0] == rounds);
    printf("%d wrong\n", wrong);
    return wrong != 0;
}
