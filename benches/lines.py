"""The programs that compare.py runs, and with which arguments.

A line is a program with arguments. Lines come in sets, which report.py describes: `total`, `short`, `wide`, `steady`, `warm`, `gc`,
`component`. The program itself is there twice if it is in C: as a module, and as native/NAME for this machine.
"""

import os
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
PROGRAMS = Path(os.environ.get("WASMR_PROGRAMS", ROOT / "target" / "programs"))
GUESTS = ROOT / "tests" / "guests"
FETCH, BUILD = "scripts/fetch-programs.sh", "benches/build-programs.sh"
LARGE = f"{FETCH} --all"
COMPONENTS, BUILD_COMPONENTS = PROGRAMS / "components", "scripts/build-components.sh"


def text(name):
    return (HERE / "programs" / name).read_text()


def fib(n):
    return ["-c", f"f=lambda n:n if n<2 else f(n-1)+f(n-2)\nprint(f({n}))"]


def loop(rounds):
    return ["-e", f"let s=0;for(let i=0;i<{rounds};i++)s=(s*31+i)|0;print(s)"]


def script(option, name, usual, rounds):
    """A script with another number of rounds than it has by itself."""
    assert usual in text(name), f"{name} has no {usual}"
    return [option, text(name).replace(usual, rounds)]


class Program(NamedTuple):
    """A module and what it needs besides arguments."""

    kind: str
    path: Path
    script: str  # puts the file there
    grants: tuple = ()  # (directory, path that the program sees); the directory None is an empty one, new for each run
    preload: tuple = ()  # (name, module) of a library
    invoke: str = ""  # export to call instead of `_start`
    result: str = ""  # file that the program writes into the empty directory, compared like standard output
    features: tuple = ()  # those that are off by default in wasmr
    without: Path | None = None  # the same program for runtimes that do not have these features
    component: bool = False  # for runtimes with components

    def missing(self):
        """Returns the first file that is not there, or None."""
        needed = [self.path, *filter(None, [self.without]), *(place for place, _ in self.grants if place), *(file for _, file in self.preload)]
        return next((path for path in needed if not path.exists()), None)

    def native(self):
        """Returns the same program for this machine."""
        return PROGRAMS / "native" / self.path.stem


class Line(NamedTuple):
    """A program with arguments. Lines of different sets may share a name."""

    set: str
    name: str
    group: str  # has a mean of its own
    program: Program
    arguments: list


PYTHON, QUICKJS = PROGRAMS / "python.wasm", PROGRAMS / "quickjs.wasm"

HELLO = Program("start of a small program", GUESTS / "hello.wasm", "")
PYTHON_HI = Program("start of a large program", PYTHON, FETCH)
QUICKJS_HI = Program("start of a middling program", QUICKJS, FETCH)
YOSYS = Program("start of a giant in C++", PROGRAMS / "yosys.wasm", FETCH)
PYTHON_FIB = Program("an interpreter in C, calls", PYTHON, FETCH)
PYTHON_TEXT = Program("JSON, regular expressions, dictionaries", PYTHON, FETCH)
QUICKJS_LOOP = Program("an interpreter in C, one hot loop", QUICKJS, FETCH)
QUICKJS_OBJECTS = Program("strings, objects, maps", QUICKJS, FETCH)
LUA = Program("tables, strings, closures", PROGRAMS / "lua.wasm", BUILD)
SQLITE = Program("a database in memory", PROGRAMS / "sqlite.wasm", BUILD)
BZIP2 = Program("compression, byte by byte", PROGRAMS / "bzip2.wasm", BUILD)
ZSTD = Program("compression, word by word", PROGRAMS / "zstd.wasm", BUILD)
GO = Program("goroutines, maps, garbage collection", PROGRAMS / "goroutines.wasm", BUILD)
RUST = Program("hash maps, B-trees, heaps, sorting", PROGRAMS / "maps.wasm", BUILD)
EXCEPTIONS = Program("throwing through frames with destructors", PROGRAMS / "exceptions.wasm", BUILD)
COREMARK = Program("lists, matrices, state machines", GUESTS / "coremark.wasm", "")
MANDEL = Program("floating point in a tight loop", GUESTS / "mandel.wasm", "")
SIMD = Program("128-bit vectors", PROGRAMS / "simd_kernels.wasm", BUILD)
SIEVE = Program("loads and stores in nested loops", GUESTS / "sieve.wasm", "")
MARKDOWN = Program("Markdown to HTML", PROGRAMS / "markdown.wasm", BUILD)
PATTERNS = Program("regular expressions in Rust", PROGRAMS / "patterns.wasm", BUILD)
CSV = Program("a table in text, quoted fields", PROGRAMS / "csv_rows.wasm", BUILD)
JSON_RUST = Program("JSON in Rust", PROGRAMS / "json.wasm", BUILD)
HIGHWAY = Program("a hash in 128-bit vectors", PROGRAMS / "highway_hash.wasm", BUILD)
KECCAK = Program("SHA-3", PROGRAMS / "keccak.wasm", BUILD)
MOVES = Program("memmove and memset of all sizes", PROGRAMS / "moves.wasm", BUILD)
MESH = Program("meshes: ordering, encoding, 128-bit vectors", PROGRAMS / "mesh.wasm", BUILD)
VM = Program("a byte-code machine: one hot br_table", PROGRAMS / "vm.wasm", BUILD)
WIDE = Program("4,800 small functions, none of them hot", PROGRAMS / "wide.wasm", BUILD, invoke="run")

YOSYS_SYNTHESIS = Program("a synthesis by a giant in C++", PROGRAMS / "yosys.wasm", LARGE, result="cpu.blif",
                          grants=((None, "/tmp"), (PROGRAMS / "yosys-share", "/share"), (HERE / "programs", "/w")))
CLANG_C = Program("a compiler of 75 MB, little to do", PROGRAMS / "clang.wasm", LARGE,
                  grants=((PROGRAMS / "clang-include", "/usr/include"), (GUESTS, "/w")))
CLANG_CPP = CLANG_C._replace(kind="a compiler of 75 MB, much to do", script=f"{LARGE}, {BUILD}",
                             grants=((PROGRAMS / "clang-include", "/usr/include"), (PROGRAMS / "records", "/w")))
AVR_CC1 = Program("a compiler in C++", PROGRAMS / "avr-cc1.wasm", f"{LARGE}, {BUILD}",
                  grants=((PROGRAMS / "avr-include", "/usr/include"), (PROGRAMS / "avr-zlib", "/w")))
AVR_CC1PLUS = AVR_CC1._replace(kind="a compiler in C++, templates", path=PROGRAMS / "avr-cc1plus.wasm", script=LARGE,
                               grants=((HERE / "programs", "/w"),))
GO_COMPILE = Program("Go's compiler", PROGRAMS / "go-compile.wasm", BUILD, result="parser.a",
                     grants=((None, "/tmp"), (PROGRAMS / "go-parser", "/w")))
GO_VET = Program("Go's checks of source text", PROGRAMS / "go-vet.wasm", BUILD, result="vet.out",
                 grants=((None, "/tmp"), (PROGRAMS / "go-types", "/w")))
PHP = Program("PHP: sorting, regular expressions, md5", PROGRAMS / "php.wasm", LARGE, grants=((HERE / "programs", "/w"),))
RUBY = Program("Ruby: sorting, regular expressions, md5", PROGRAMS / "ruby32.wasm", LARGE)
PANDOC = Program("Haskell, 58 MB, exceptions", PROGRAMS / "pandoc.wasm", f"{LARGE}, {BUILD}",
                 grants=((None, "/"), (HERE / "programs", "/in")),
                 features=("legacy-exceptions",), without=PROGRAMS / "pandoc-exnref.wasm")
NUMPY = Program("a snapshot of CPython with numpy, 105 MB", PROGRAMS / "numpy.wasm", f"{LARGE}, {BUILD}", invoke="run",
                grants=((PROGRAMS / "numpy-lib", "/usr/local/lib"),),
                preload=(("host", PROGRAMS / "numpy_host.wasm"),))
C_COMPONENT = Program("C through the adapter from Preview 1", COMPONENTS / "c-tree.wasm", BUILD_COMPONENTS, component=True,
                      grants=((None, "/w"),))
PYTHON_COMPONENT = C_COMPONENT._replace(kind="Python by componentize-py: JSON, hashes, files", path=COMPONENTS / "python.wasm")
JS_COMPONENT = C_COMPONENT._replace(kind="JavaScript by componentize-js: text, big integers, files",
                                    path=COMPONENTS / "javascript.wasm", script=f"{BUILD_COMPONENTS} javascript")
CALL = "total([1, 2, 255])"


def calls(kind):
    return Program(kind, PROGRAMS / "calls.wasm", BUILD)


def clang(*words):
    """Arguments of clang's compiler proper for this target. The object file goes to standard output."""
    system = [word for place in ("c++/v1", "wasm32-wasip1", "")
              for word in ("-internal-isystem", f"/usr/include/{place}".rstrip("/"))]
    return ["-cc1", "-triple", "wasm32-unknown-wasip1", "-emit-obj", *words[:-1], *system, "-o", "-", words[-1]]


# The arguments of some compilers proper, without their drivers.
RECORDS = clang("-O1", "-x", "c++", "-std=c++17", "/w/records.cpp")
AVR = ["-quiet", "-nostdinc", "-D__AVR_ATmega328P__", "-mn-flash=1", "-mmcu=avr5", "-mdouble=32", "-mlong-double=32"]
INFLATE = [*AVR, "-isystem", "/usr/include/gcc", "-isystem", "/usr/include/gcc-fixed", "-isystem", "/usr/include/avr", "-O2",
           "-dumpbase", "inflate.c", "-o", "-", "/w/inflate.c"]
CONTAINERS = [*AVR, "-std=gnu++17", "-fno-exceptions", "-fno-rtti", "-O3", "-dumpbase", "containers.cpp", "-o", "-",
              "/w/containers.cpp"]
PARSER = ["-p", "go/parser", "-std", "-complete", "-importcfg", "/w/importcfg", "-pack", "-o", "/tmp/parser.a",
          "/w/interface.go", "/w/parser.go", "/w/resolver.go"]
ARTICLE = ["+RTS", "-H64m", "-RTS", '{"from": "markdown", "to": "html", "standalone": true, "input-files": ["in/article.md"]}']
COLLECTED = HERE / "programs" / "gc"


def collected(name, kind):
    return Program(kind, COLLECTED / f"{name}.wasm", "", invoke="run")


MOONBIT = Program("MoonBit: JSON, maps, closures, big integers", PROGRAMS / "documents.wasm", BUILD, invoke="run",
                  preload=(("spectest", COLLECTED / "moonbit_spectest.wasm"),))
P2W = Program("Python compiled by p2w: trees", PROGRAMS / "p2w_trees.wasm", BUILD, invoke="_start",
              preload=(("env", COLLECTED / "p2w_env.wasm"), ("js", COLLECTED / "p2w_js.wasm")))

JSON = """import json
people = [{'id': i, 'name': f'n{i * 7919 % 1009}', 'share': i / 7, 'tags': ['a', 'b', str(i)]} for i in range(3000)]
for _ in range(4):
    people = json.loads(json.dumps(people))
print(len(json.dumps(people)), sum(p['share'] for p in people))"""


# set, name, group, program, arguments
LINES = [
    Line(*row)
    for row in [
        ("total", "hello", "start", HELLO, []),
        ("total", "cpython hi", "start", PYTHON_HI, ["-c", "print('hi')"]),
        ("total", "quickjs hi", "start", QUICKJS_HI, ["-e", "print('hi')"]),
        ("total", "yosys -V", "start", YOSYS, ["-V"]),
        ("total", "cpython fib", "scripts", PYTHON_FIB, fib(27)),
        ("total", "cpython text", "scripts", PYTHON_TEXT, ["-c", text("text.py")]),
        ("total", "quickjs loop", "scripts", QUICKJS_LOOP, loop("1e6")),
        ("total", "quickjs objects", "scripts", QUICKJS_OBJECTS, ["-e", text("objects.js")]),
        ("total", "lua", "scripts", LUA, ["800"]),
        ("total", "sqlite", "programs", SQLITE, ["15000"]),
        ("total", "bzip2", "programs", BZIP2, ["800"]),
        ("total", "zstd", "programs", ZSTD, ["800"]),
        ("total", "go", "programs", GO, ["300"]),
        ("total", "rust", "programs", RUST, ["20"]),
        ("total", "c++ exceptions", "programs", EXCEPTIONS, ["200000"]),
        ("total", "coremark", "kernels", COREMARK, ["1500"]),
        ("total", "mandel", "kernels", MANDEL, ["500", "500"]),
        ("total", "simd", "kernels", SIMD, ["200"]),
        ("total", "sieve", "kernels", SIEVE, ["20000000"]),
        ("total", "vm", "kernels", VM, ["20000"]),
        # 10 to 500 ms in an interpreter.
        ("short", "cpython fib", "short", PYTHON_FIB, fib(18)),
        ("short", "quickjs loop", "short", QUICKJS_LOOP, loop("1e5")),
        ("short", "quickjs objects", "short", QUICKJS_OBJECTS, script("-e", "objects.js", "r < 25", "r < 4")),
        ("short", "lua", "short", LUA, ["80"]),
        ("short", "sqlite", "short", SQLITE, ["1500"]),
        ("short", "bzip2", "short", BZIP2, ["50"]),
        ("short", "zstd", "short", ZSTD, ["50"]),
        ("short", "go", "short", GO, ["40"]),
        ("short", "rust", "short", RUST, ["2"]),
        ("short", "c++ exceptions", "short", EXCEPTIONS, ["10000"]),
        ("short", "coremark", "short", COREMARK, ["150"]),
        ("short", "mandel", "short", MANDEL, ["150", "150"]),
        ("short", "simd", "short", SIMD, ["20"]),
        ("short", "sieve", "short", SIEVE, ["2000000"]),
        ("short", "vm", "short", VM, ["2000"]),
        ("short", "fib", "short", calls("recursion"), ["fib", "31"]),
        ("short", "sort", "short", calls("heap sort, told what comes first"), ["sort", "20"]),
        ("short", "formula", "short", calls("a tree of closures"), ["formula", "2000"]),
        ("short", "markdown", "short", MARKDOWN, ["60"]),
        ("short", "patterns", "short", PATTERNS, ["2000"]),
        ("short", "csv", "short", CSV, ["15000"]),
        ("short", "json", "short", JSON_RUST, ["4000"]),
        ("short", "highway hash", "short", HIGHWAY, ["8"]),
        ("short", "keccak", "short", KECCAK, ["6000"]),
        ("short", "moves", "short", MOVES, ["3000"]),
        ("short", "mesh", "short", MESH, ["50"]),
        # Thousands of functions, none of them hot for long. 1 to 5 s in an interpreter; clang takes longer.
        ("wide", "clang C++", "wide", CLANG_CPP, RECORDS),
        ("wide", "avr cc1", "wide", AVR_CC1, INFLATE),
        ("wide", "avr cc1plus", "wide", AVR_CC1PLUS, CONTAINERS),
        ("wide", "go compile", "wide", GO_COMPILE, PARSER),
        # The check `hostport` reads outside its memory on every runtime.
        ("wide", "go vet", "wide", GO_VET, ["-json", "-hostport=false", "/w/vet.cfg"]),
        ("wide", "php table", "wide", PHP, ["/w/table.php"]),
        ("wide", "ruby table", "wide", RUBY, ["-e", text("table.rb")]),
        ("wide", "pandoc", "wide", PANDOC, ARTICLE),
        ("wide", "cpython json", "wide", PYTHON_TEXT._replace(kind="JSON, in Python too"), ["-c", text("json_documents.py")]),
        ("wide", "cpython re", "wide", PYTHON_TEXT._replace(kind="regular expressions"), ["-c", text("patterns.py")]),
        ("wide", "cpython unittest", "wide", PYTHON_TEXT._replace(kind="classes of tests"), ["-c", text("cases.py")]),
        ("wide", "call graph", "wide", WIDE, ["90"]),
        # 2 to 5 s in compiled code.
        ("steady", "cpython fib", "steady scripts", PYTHON_FIB, fib(34)),
        ("steady", "cpython text", "steady scripts", PYTHON_TEXT, script("-c", "text.py", "range(4)", "range(140)")),
        ("steady", "quickjs loop", "steady scripts", QUICKJS_LOOP, loop("3e7")),
        ("steady", "quickjs objects", "steady scripts", QUICKJS_OBJECTS,
         script("-e", "objects.js", "r < 25", "r < 200")),
        ("steady", "lua", "steady scripts", LUA, ["18000"]),
        ("steady", "sqlite", "steady programs", SQLITE, ["400000"]),
        ("steady", "bzip2", "steady programs", BZIP2, ["16000"]),
        ("steady", "zstd", "steady programs", ZSTD, ["26000"]),
        ("steady", "go", "steady programs", GO, ["2500"]),
        ("steady", "rust", "steady programs", RUST, ["700"]),
        ("steady", "c++ exceptions", "steady programs", EXCEPTIONS, ["100000"]),
        ("steady", "coremark", "steady kernels", COREMARK, ["45000"]),
        ("steady", "mandel", "steady kernels", MANDEL, ["1350", "1350"]),
        ("steady", "simd", "steady kernels", SIMD, ["10000"]),
        ("steady", "sieve", "steady kernels", SIEVE, ["200000000"]),
        ("steady", "vm", "steady kernels", VM, ["550000"]),
        ("steady", "fib", "steady calls", calls("recursion"), ["fib", "43"]),
        ("steady", "tak", "steady calls", calls("recursion, three parameters"), ["tak", "8000"]),
        ("steady", "ackermann", "steady calls", calls("deep recursion"), ["ackermann", "4000"]),
        ("steady", "mutual", "steady calls", calls("two functions of five parameters"), ["mutual", "6000000"]),
        ("steady", "method", "steady indirect calls", calls("tables of methods, one kind of object"), ["method", "600000"]),
        ("steady", "methods", "steady indirect calls",
         calls("tables of methods, four kinds of objects"), ["methods", "300000"]),
        ("steady", "sort", "steady indirect calls", calls("heap sort, told what comes first"), ["sort", "3000"]),
        ("steady", "formula", "steady indirect calls", calls("a tree of closures"), ["formula", "1100000"]),
        # Structs and arrays in the heap.
        ("gc", "trees", "gc", collected("trees", "binary trees"), ["18"]),
        ("gc", "hash map", "gc", collected("hashmap", "boxed keys, virtual methods"), ["4"]),
        ("gc", "objects", "gc", collected("objects", "an object-oriented interpreter"), ["150000"]),
        ("gc", "strings", "gc", collected("strings", "arrays of bytes"), ["3000"]),
        ("gc", "splay tree", "gc", collected("splay", "a changing tree of 25 MiB"), ["100"]),
        ("gc", "python trees", "gc", P2W, []),
        ("gc", "moonbit", "gc", MOONBIT, ["4"]),
        # Programs of all kinds, run again.
        ("warm", "cpython hi", "warm", PYTHON_HI, ["-c", "print('hi')"]),
        ("warm", "cpython json", "warm", PYTHON_TEXT._replace(kind="JSON"), ["-c", JSON]),
        ("warm", "cpython fib", "warm", PYTHON_FIB, fib(27)),
        ("warm", "quickjs hi", "warm", QUICKJS_HI, ["-e", "print('hi')"]),
        ("warm", "quickjs loop", "warm", QUICKJS_LOOP, loop("1e6")),
        ("warm", "lua", "warm", LUA, ["800"]),
        ("warm", "sqlite", "warm", SQLITE, ["15000"]),
        ("warm", "go", "warm", GO, ["300"]),
        ("warm", "rust", "warm", RUST, ["20"]),
        ("warm", "yosys -V", "warm", YOSYS, ["-V"]),
        ("warm", "yosys synthesis", "warm", YOSYS_SYNTHESIS,
         ["-q", "-p", "read_verilog /w/cpu.v; synth -top cpu; write_blif /tmp/cpu.blif"]),
        ("warm", "clang C", "warm", CLANG_C, clang("-O1", "/w/hello.c")),
        ("warm", "clang C++", "warm", CLANG_CPP, RECORDS),
        ("warm", "avr cc1", "warm", AVR_CC1, INFLATE),
        ("warm", "pandoc", "warm", PANDOC, ARTICLE),
        ("warm", "numpy", "warm", NUMPY, ["-c", text("arrays.py")]),
        # The last argument is the exit code.
        ("component", "c tree", "component", C_COMPONENT, ["/w"]),
        ("component", "python", "component", PYTHON_COMPONENT, ["0"]),
        ("component", "python call", "component",
         PYTHON_COMPONENT._replace(kind="one call into Python", invoke=CALL, grants=()), []),
        ("component", "javascript", "component", JS_COMPONENT, ["0"]),
        ("component", "javascript call", "component",
         JS_COMPONENT._replace(kind="one call into JavaScript", invoke=CALL, grants=()), []),
    ]
]
