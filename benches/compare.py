#!/usr/bin/env python3
"""Times wasmr against other WebAssembly runtimes on real programs, whole process each, and prints medians and ratios.

    benches/compare.py                                         wasmr in each mode and every peer on the PATH
    benches/compare.py wasmr=target/release/wasmr wasmi=wasmi  only these
    benches/compare.py --group steady --out benches/results    one set of lines; tables, plots and all samples go there
    benches/compare.py --group short --out benches/results --merge     and those of another set join them
    benches/compare.py --runs 9 --only quickjs new=target/release/wasmr old=/elsewhere/wasmr

Each argument is LABEL=COMMAND. COMMAND may carry options ("target/release/wasmr run --mode interp"); how a bare command
is called follows from its name (PEERS below). The first label is the base that ratios refer to. See benches/README.md
for how to get the peers and the programs, and what to make of the numbers.

Lines come in three sets: `total`, programs as one runs them, start-up and compiling included; `short`, some of them with
so little to do that they end within tens of milliseconds; `steady`, with so much that only the speed of compiled code
counts. In the last, interpreters and compilers that begin anew are left out unless they are named as arguments.

Only the standard library is used: wall time from a monotonic clock, CPU time and the largest resident set from wait4.
Runs are interleaved (A B C, A B C, …), because the load of a machine drifts; what is printed is the median.
A run that exits with another code, or prints something else than the first runtime that ran the program, is shown as
what it was and not as a time. What is measured and how is in this file; tables and plots are made by report.py.
"""

import argparse
import datetime
import json
import os
import platform
import shlex
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import report

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
PROGRAMS = Path(os.environ.get("WASMR_PROGRAMS", ROOT / "target" / "programs"))
GUESTS = ROOT / "tests" / "guests"
FETCH, BUILD = "scripts/fetch-programs.sh", "benches/build-programs.sh"


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


class Line(NamedTuple):
    """A program with arguments. Lines of different sets may share a name."""

    set: str
    name: str
    group: str  # has a mean of its own
    kind: str
    path: Path
    arguments: list
    script: str  # puts the file there


PYTHON, QUICKJS = PROGRAMS / "python.wasm", PROGRAMS / "quickjs.wasm"

# Description of a program, its file, the script that puts it there.
HELLO = ("start of a small program", GUESTS / "hello.wasm", "")
PYTHON_HI = ("start of a large program", PYTHON, FETCH)
QUICKJS_HI = ("start of a middling program", QUICKJS, FETCH)
YOSYS = ("start of a giant in C++", PROGRAMS / "yosys.wasm", FETCH)
PYTHON_FIB = ("an interpreter in C, calls", PYTHON, FETCH)
PYTHON_TEXT = ("JSON, regular expressions, dictionaries", PYTHON, FETCH)
QUICKJS_LOOP = ("an interpreter in C, one hot loop", QUICKJS, FETCH)
QUICKJS_OBJECTS = ("strings, objects, maps", QUICKJS, FETCH)
LUA = ("tables, strings, closures", PROGRAMS / "lua.wasm", BUILD)
SQLITE = ("a database in memory", PROGRAMS / "sqlite.wasm", BUILD)
BZIP2 = ("compression, byte by byte", PROGRAMS / "bzip2.wasm", BUILD)
ZSTD = ("compression, word by word", PROGRAMS / "zstd.wasm", BUILD)
GO = ("goroutines, maps, garbage collection", PROGRAMS / "goroutines.wasm", BUILD)
RUST = ("hash maps, B-trees, heaps, sorting", PROGRAMS / "maps.wasm", BUILD)
EXCEPTIONS = ("throwing through frames with destructors", PROGRAMS / "exceptions.wasm", BUILD)
COREMARK = ("lists, matrices, state machines", GUESTS / "coremark.wasm", "")
MANDEL = ("floating point in a tight loop", GUESTS / "mandel.wasm", "")
SIMD = ("128-bit vectors", PROGRAMS / "simd_kernels.wasm", BUILD)
SIEVE = ("loads and stores in nested loops", GUESTS / "sieve.wasm", "")
VM = ("a byte-code machine: one hot br_table", PROGRAMS / "vm.wasm", BUILD)


def calls(kind):
    return (kind, PROGRAMS / "calls.wasm", BUILD)


# set, name, group, program, arguments
LINES = [
    Line(set_name, name, group, kind, path, arguments, script_name)
    for set_name, name, group, (kind, path, script_name), arguments in [
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
    ]
]

# Seconds below which the runs of a program are so short that more of them are taken.
SHORT = 1.0

# label, the words that follow the program
MODES = [
    ("wasmr", ["run"]),
    ("wasmr interp", ["run", "--mode", "interp"]),
    ("wasmr jit", ["run", "--mode", "jit"]),
]

# Left out of the set `steady` unless they are named.
NOT_STEADY = {"wasmr interp", "wasmi", "wasm3", "iwasm", "wasmtime cold"}

# label, program, the words that follow it
PEERS = [
    ("wasmi", "wasmi", ["run"]),
    ("wasm3", "wasm3", []),
    ("iwasm", "iwasm", []),
    ("wasmtime cold", "wasmtime", ["run", "-C", "cache=n"]),
    ("wasmtime warm", "wasmtime", ["run", "-C", "cache=y"]),
    ("node", "node", ["--no-warnings", str(HERE / "node-wasi.mjs")]),
]


def command_for(spec):
    """Returns the words that run a module, before the module's path."""
    words = shlex.split(spec)
    if len(words) > 1:
        return words
    called = Path(words[0]).name
    if called == "wasmtime-cold":
        return [words[0].removesuffix("-cold"), "run", "-C", "cache=n"]
    for label, program, more in reversed(PEERS):
        if program == called:
            return [words[0], *more]
    return [words[0], "run"]


def runtimes_on_path(wasmr):
    """wasmr in all its modes, and the peers that are there."""
    found = [(label, [str(wasmr), *more]) for label, more in MODES]
    return found + [(label, [program, *more]) for label, program, more in PEERS if shutil.which(program)]


def run_once(words, limit):
    """Runs WORDS. Returns (wall s, cpu s, peak MiB, exit code, standard output)."""
    with tempfile.TemporaryFile() as out, open(os.devnull, "r+b") as null:
        actions = [
            (os.POSIX_SPAWN_DUP2, null.fileno(), 0),
            (os.POSIX_SPAWN_DUP2, out.fileno(), 1),
            (os.POSIX_SPAWN_DUP2, null.fileno(), 2),
        ]
        start = time.monotonic()
        pid = os.posix_spawnp(words[0], words, os.environ, file_actions=actions)
        signal.signal(signal.SIGALRM, lambda *_: os.kill(pid, signal.SIGKILL))
        signal.alarm(limit)
        _, status, used = os.wait4(pid, 0)
        wall = time.monotonic() - start
        signal.alarm(0)
        out.seek(0)
        code = os.waitstatus_to_exitcode(status)
        return wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, code, out.read()


def exact_peak(words):
    """Returns the largest resident set by GNU time, or None. wait4 gives at least Python's own at the spawn."""
    tool = shutil.which("time", path="/usr/bin:/bin")
    if not tool:
        return None
    with tempfile.NamedTemporaryFile("r") as said:
        null = subprocess.DEVNULL
        subprocess.run([tool, "-f", "%M", "-o", said.name, *words], stdin=null, stdout=null, stderr=null, check=False)
        lines = said.read().split()
        return int(lines[-1]) / 1024 if lines and lines[-1].isdigit() else None


def complaint(words, code):
    """Returns the standard error of a run that failed with CODE, without paths of this machine."""
    null = subprocess.DEVNULL
    said = subprocess.run(words, stdin=null, capture_output=True, text=True, errors="replace", check=False)
    lines = [line.strip() for line in said.stderr.splitlines() if "rror" in line]
    ended = f"exit code {code}" if code > 0 else f"killed by {signal.Signals(-code).name}"
    if said.returncode != code:
        return f"{ended}, but not every time"
    reason = lines[0] if lines else ended
    for place in (PROGRAMS, GUESTS, ROOT):
        reason = reason.replace(f"{place}/", "")
    return reason if len(reason) < 200 else reason[:200] + "…"


def measure(line, runtimes, options):
    """Runs one program on every runtime. Returns {label: {"wall": […], "cpu": […], "peak": MiB} or {"failed": reason}}."""
    path, arguments = line.path, line.arguments
    samples = {label: [] for label, _ in runtimes}
    failed, expected = {}, None
    # Runs of a few milliseconds scatter more, and cost little.
    for turn in range(4 * options.runs + 1):
        for label, words in runtimes:
            taken = samples[label]
            spent = sum(wall for wall, _, _ in taken)
            enough = SHORT if turn > options.runs else options.budget
            if label in failed or (taken and spent > enough):
                continue
            try:
                wall, cpu, peak, code, output = run_once([*words, str(path), *arguments], options.limit)
            except OSError as error:
                failed[label] = f"cannot start: {error.strerror}"
                continue
            if code != 0:
                late = code == -signal.SIGKILL
                failed[label] = f"took over {options.limit} s" if late else complaint([*words, str(path), *arguments], code)
                continue
            if expected is None:
                expected = output
            if output != expected:
                failed[label] = "printed something else"
            elif turn > 0:
                taken.append((wall, cpu, peak))
    results = {}
    for label, words in runtimes:
        if label in failed or not samples[label]:
            results[label] = {"failed": failed.get(label, "no run")}
            continue
        wall, cpu, peak = (list(column) for column in zip(*samples[label]))
        peak = statistics.median(peak)
        if peak < 24:
            peak = exact_peak([*words, str(path), *arguments]) or peak
        results[label] = {"wall": wall, "cpu": cpu, "peak": peak}
    return results


def version_of(words):
    try:
        said = subprocess.run([words[0], "--version"], capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return "?"
    return (said.stdout or said.stderr).strip().splitlines()[0] if (said.stdout or said.stderr).strip() else "?"


def machine():
    """Returns the kind of machine, without its name."""
    model, memory = platform.machine(), 0
    try:
        for row in Path("/proc/cpuinfo").read_text().splitlines():
            if row.startswith("model name"):
                model = row.split(":", 1)[1].strip()
                break
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    except OSError:
        pass
    return f"{model}, {os.cpu_count()} CPUs, {memory:.0f} GiB, {platform.system()} {platform.machine()}"


def chosen(options):
    """The lines that the options ask for. A group is also chosen by the name of its set."""
    known = {line.set for line in LINES} | {line.group for line in LINES}
    if unknown := [name for name in options.group if name not in known]:
        sys.exit(f"there is no group {unknown[0]}; the sets and groups are {', '.join(sorted(known))}")
    for line in LINES:
        in_group = not options.group or line.set in options.group or line.group in options.group
        if in_group and (not options.only or any(part in line.name for part in options.only)):
            yield line


def begin(options, runtimes):
    """Returns the results to add to: empty, or those already there if they are to be kept."""
    result = {
        "date": datetime.date.today().isoformat(),
        "machine": machine(),
        "commands": [report.command_line(sys.argv)],
        "runs": options.runs,
        "versions": {label: version_of(words) for label, words in runtimes},
        "calls": {label: report.command_line(words) for label, words in runtimes},
        "programs": [],
    }
    before = options.out / "programs.json" if options.merge else None
    if before is None or not before.exists():
        return result
    kept = report.upgraded(json.loads(before.read_text()))
    for what in ("machine", "versions", "calls"):
        if kept[what] != result[what]:
            sys.exit(f"{before.name} has results of another kind ({what}: {kept[what]}, now {result[what]})")
    return {**result, "commands": [*kept["commands"], *result["commands"]], "programs": kept["programs"],
            "runs": min(kept["runs"], result["runs"])}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runtimes", nargs="*", metavar="LABEL=COMMAND")
    parser.add_argument("--wasmr", type=Path, default=ROOT / "target" / "release" / "wasmr", metavar="FILE",
                        help="the wasmr to measure in all modes, unless there are arguments (default target/release/wasmr)")
    parser.add_argument("--runs", type=int, default=5, help="measured runs of each, after one to warm up (default 5)")
    parser.add_argument("--group", action="append", default=[], help="only lines of this set or group; repeatable")
    parser.add_argument("--only", action="append", default=[], help="only lines whose name contains this; repeatable")
    parser.add_argument("--limit", type=int, default=300, help="seconds that one run may take (default 300)")
    parser.add_argument("--budget", type=float, default=20, help="no more runs once they took so many s (default 20)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all samples there")
    parser.add_argument("--out", type=Path, metavar="DIR", help="write programs.json, programs.md and plots there")
    parser.add_argument("--merge", action="store_true", help="keep the lines in DIR that are not measured now")
    parser.add_argument("--list", action="store_true", help="say what would be run, and run nothing")
    options = parser.parse_args()
    options.runs = max(options.runs, 1)
    if options.merge and not options.out:
        parser.error("--merge needs --out")
    named = [(label, command_for(spec)) for label, _, spec in (r.partition("=") for r in options.runtimes)]
    runtimes = named or runtimes_on_path(options.wasmr)
    lines = list(chosen(options))
    if options.list:
        for line in lines:
            words = " ".join(word if len(word) < 60 and "\n" not in word else "…" for word in line.arguments)
            print(f"{line.set:<7} {line.group:<22} {line.name:<16} {line.path.name} {words}")
        return

    result = begin(options, runtimes)
    print(report.heading([label for label, _ in runtimes]))
    for line in lines:
        if not line.path.exists():
            print(f"{line.name:<16} skipped: {line.path.name} is not there ({line.script})")
            continue
        some = [r for r in runtimes if named or line.set != "steady" or r[0] not in NOT_STEADY]
        entry = {"set": line.set, "name": line.name, "group": line.group, "kind": line.kind,
                 "results": measure(line, some, options)}
        same = [at for at, old in enumerate(result["programs"]) if (old["set"], old["name"]) == (line.set, line.name)]
        if same:
            result["programs"][same[0]] = entry
        else:
            result["programs"].append(entry)
        order = {(line.set, line.name): at for at, line in enumerate(LINES)}
        result["programs"].sort(key=lambda entry: order.get((entry["set"], entry["name"]), len(order)))
        print(report.console_rows(entry))
        sys.stdout.flush()
        if options.json:
            options.json.write_text(json.dumps(result, indent=1) + "\n")
        if options.out:
            report.write_all(result, options.out)
    print(report.console_means(result))


if __name__ == "__main__":
    main()
