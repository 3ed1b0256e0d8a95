// A virtual machine for a byte code of twenty operations, run by a `switch` that becomes `br_table`: counts the steps
// and the highest value of the Collatz sequences of all numbers up to a limit. `vm.wasm [LIMIT]`.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum Op { HALT, PUSH, LOAD, STORE, ADD, SUB, MUL, DIV, AND, SHR, XOR, LT, GT, EQ, NOT, JUMP, JUMP_IF, DUP, DROP, SWAP };
enum { N, LIMIT, X, STEPS, BEST, TOP, HASH };

static int64_t run(const int32_t *code, int64_t *vars) {
    int64_t stack[64], *sp = stack, executed = 0;
    const int32_t *pc = code;
    for (;;) {
        executed++;
        switch ((enum Op)*pc++) {
        case HALT: return executed;
        case PUSH: *sp++ = *pc++; break;
        case LOAD: *sp++ = vars[*pc++]; break;
        case STORE: vars[*pc++] = *--sp; break;
        case ADD: sp--; sp[-1] += sp[0]; break;
        case SUB: sp--; sp[-1] -= sp[0]; break;
        case MUL: sp--; sp[-1] *= sp[0]; break;
        case DIV: sp--; sp[-1] = sp[0] ? sp[-1] / sp[0] : 0; break;
        case AND: sp--; sp[-1] &= sp[0]; break;
        case SHR: sp--; sp[-1] = (int64_t)((uint64_t)sp[-1] >> sp[0]); break;
        case XOR: sp--; sp[-1] ^= sp[0]; break;
        case LT: sp--; sp[-1] = sp[-1] < sp[0]; break;
        case GT: sp--; sp[-1] = sp[-1] > sp[0]; break;
        case EQ: sp--; sp[-1] = sp[-1] == sp[0]; break;
        case NOT: sp[-1] = !sp[-1]; break;
        case JUMP: pc = code + *pc; break;
        case JUMP_IF: pc = *--sp ? code + *pc : pc + 1; break;
        case DUP: sp[0] = sp[-1]; sp++; break;
        case DROP: sp--; break;
        case SWAP: { int64_t t = sp[-1]; sp[-1] = sp[-2]; sp[-2] = t; break; }
        }
    }
}

int main(int argc, char **argv) {
    // Assembled here, so that jumps need no counting by hand.
    int32_t out[128];
    int at = 0, to_end, to_next, to_odd, to_join, to_smaller;
#define EMIT(...) do { const int32_t words[] = {__VA_ARGS__}; for (unsigned i = 0; i < sizeof words / 4; i++) out[at++] = words[i]; } while (0)
    int next_number = at;
    EMIT(LOAD, N, LOAD, LIMIT, GT, JUMP_IF, 0); to_end = at - 1;
    EMIT(LOAD, N, STORE, X, PUSH, 0, STORE, STEPS);
    int step = at;
    EMIT(LOAD, X, PUSH, 1, EQ, JUMP_IF, 0); to_next = at - 1;
    EMIT(LOAD, X, PUSH, 1, AND, JUMP_IF, 0); to_odd = at - 1;
    EMIT(LOAD, X, PUSH, 1, SHR, JUMP, 0); to_join = at - 1;
    out[to_odd] = at;
    EMIT(LOAD, X, PUSH, 3, MUL, PUSH, 1, ADD);
    out[to_join] = at;
    EMIT(STORE, X, LOAD, STEPS, PUSH, 1, ADD, STORE, STEPS, JUMP, step);
    out[to_next] = at;
    EMIT(LOAD, HASH, PUSH, 31, MUL, LOAD, STEPS, XOR, PUSH, 0xffffff, AND, STORE, HASH);
    EMIT(LOAD, STEPS, LOAD, BEST, LT, JUMP_IF, 0); to_smaller = at - 1;
    EMIT(LOAD, STEPS, STORE, BEST, LOAD, N, STORE, TOP);
    out[to_smaller] = at;
    EMIT(LOAD, N, PUSH, 1, ADD, STORE, N, JUMP, next_number);
    out[to_end] = at;
    EMIT(HALT);
    int64_t vars[8] = {1, argc > 1 ? atoi(argv[1]) : 1000};
    int64_t executed = run(out, vars);
    printf("%lld operations, %lld takes %lld steps, hash %llx\n", (long long)executed, (long long)vars[TOP],
           (long long)vars[BEST], (long long)vars[HASH]);
    return 0;
}
