// C++ exceptions in the standard encoding (try_table, throw_ref): thrown through frames with destructors,
// caught by type, rethrown, caught by `catch (...)`, and at last let out uncaught on request.
#include <cstdio>
#include <cstring>
#include <stdexcept>
#include <string>

struct Guard {
    const char *name;
    ~Guard() { std::printf("leave %s\n", name); }
};

__attribute__((noinline)) static int check(int n) {
    Guard g{"check"};
    if (n == 1) throw 42;
    if (n == 2) throw std::runtime_error("two");
    if (n == 3) throw "three";
    return n;
}

__attribute__((noinline)) static int middle(int n) {
    Guard g{"middle"};
    try {
        return check(n);
    } catch (const std::exception &e) {
        std::printf("middle saw %s\n", e.what());
        throw;
    }
}

int main(int argc, char **argv) {
    for (int n = 0; n < 4; n++) {
        try {
            std::printf("got %d\n", middle(n));
        } catch (int i) {
            std::printf("int %d\n", i);
        } catch (const std::exception &e) {
            std::printf("exception %s\n", e.what());
        } catch (...) {
            std::printf("something else\n");
        }
    }
    long total = 0;
    for (int i = 0; i < 20000; i++) {
        try {
            if (i % 3) throw i;
            total += 1;
        } catch (int v) {
            total += v;
        }
    }
    std::printf("total %ld\n", total);
    std::fflush(stdout);
    if (argc > 1 && !std::strcmp(argv[1], "uncaught")) middle(1);
    return 0;
}
