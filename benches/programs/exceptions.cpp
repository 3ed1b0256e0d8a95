// C++ exceptions in the standard encoding, thrown through frames with destructors and caught by type; in between calls
// that throw nothing. `exceptions.wasm [ROUNDS]`.
#include <cstdio>
#include <cstdlib>
#include <stdexcept>

static long alive, leaves;
struct Guard {
    Guard() { alive++; }
    ~Guard() { alive--, leaves++; }
};
struct Deep : std::runtime_error {
    int code;
    Deep(int code) : std::runtime_error("deep"), code(code) {}
};

__attribute__((noinline)) static int descend(int depth, int n) {
    Guard guard;
    if (depth == 0) {
        if (n % 4 == 0) throw Deep(n);
        if (n % 4 == 1) throw n;
        return n;
    }
    return descend(depth - 1, n) + 1;
}

__attribute__((noinline)) static int middle(int n) {
    try {
        return descend(n % 8, n);
    } catch (const Deep &deep) {
        if (deep.code % 8 == 0) throw;
        return deep.code;
    }
}

int main(int argc, char **argv) {
    int rounds = argc > 1 ? std::atoi(argv[1]) : 10000;
    unsigned total = 0;
    long caught[3] = {};
    for (int n = 0; n < rounds; n++) {
        try {
            total = total * 31 + (unsigned)middle(n);
        } catch (int) {
            caught[0]++;
        } catch (const std::runtime_error &) {
            caught[1]++;
        } catch (...) {
            caught[2]++;
        }
    }
    std::printf("total %u, caught %ld %ld %ld, left %ld, alive %ld\n", total, caught[0], caught[1], caught[2], leaves, alive);
    return 0;
}
