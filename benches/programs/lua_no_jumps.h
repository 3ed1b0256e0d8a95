// Included before every file of Lua: an error ends the program, because C's long jumps need WebAssembly's exceptions,
// which not every runtime that is measured has. The scripts that are measured raise no errors.
#include <stdlib.h>
#define LUAI_THROW(L, c) abort()
#define LUAI_TRY(L, c, a) \
    { a }
#define luai_jmpbuf int
