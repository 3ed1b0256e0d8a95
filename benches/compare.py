#!/usr/bin/env python3
"""Times wasmr against other WebAssembly runtimes on real programs, whole process each, and prints medians and ratios.

    benches/compare.py                                         wasmr and every peer on the PATH
    benches/compare.py wasmr=target/release/wasmr wasmi=wasmi  only these
    benches/compare.py --out benches/results                   and writes tables, plots and all samples there
    benches/compare.py --runs 9 --only quickjs new=target/release/wasmr old=/elsewhere/wasmr

Each argument is LABEL=COMMAND. COMMAND may carry options ("target/release/wasmr run --mode interp"); how a bare command
is called follows from its name (PEERS below). The first label is the base that ratios refer to. See benches/README.md
for how to get the peers and the programs, and what to make of the numbers.

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

import report

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
PROGRAMS = Path(os.environ.get("WASMR_PROGRAMS", ROOT / "target" / "programs"))
GUESTS = ROOT / "tests" / "guests"
FETCH, BUILD = "scripts/fetch-programs.sh", "benches/build-programs.sh"


def text(name):
    return (HERE / "programs" / name).read_text()


FIB = "f=lambda n:n if n<2 else f(n-1)+f(n-2)\nprint(f(27))"
LOOP = "let s=0;for(let i=0;i<1e6;i++)s=(s*31+i)|0;print(s)"

# name, group that has a mean of its own, what it is, file, arguments, the script that puts the file there
LINES = [
    ("hello", "start", "start of a small program", GUESTS / "hello.wasm", [], ""),
    ("cpython hi", "start", "start of a large program", PROGRAMS / "python.wasm", ["-c", "print('hi')"], FETCH),
    ("quickjs hi", "start", "start of a middling program", PROGRAMS / "quickjs.wasm", ["-e", "print('hi')"], FETCH),
    ("yosys -V", "start", "start of a giant in C++", PROGRAMS / "yosys.wasm", ["-V"], FETCH),
    ("cpython fib", "scripts", "an interpreter in C, calls", PROGRAMS / "python.wasm", ["-c", FIB], FETCH),
    ("cpython text", "scripts", "JSON, regular expressions, dictionaries",
     PROGRAMS / "python.wasm", ["-c", text("text.py")], FETCH),
    ("quickjs loop", "scripts", "an interpreter in C, one hot loop", PROGRAMS / "quickjs.wasm", ["-e", LOOP], FETCH),
    ("quickjs objects", "scripts", "strings, objects, maps",
     PROGRAMS / "quickjs.wasm", ["-e", text("objects.js")], FETCH),
    ("lua", "scripts", "tables, strings, closures", PROGRAMS / "lua.wasm", ["800"], BUILD),
    ("sqlite", "programs", "a database in memory", PROGRAMS / "sqlite.wasm", ["15000"], BUILD),
    ("bzip2", "programs", "compression, byte by byte", PROGRAMS / "bzip2.wasm", ["800"], BUILD),
    ("zstd", "programs", "compression, word by word", PROGRAMS / "zstd.wasm", ["800"], BUILD),
    ("go", "programs", "goroutines, maps, garbage collection", PROGRAMS / "goroutines.wasm", ["300"], BUILD),
    ("rust", "programs", "hash maps, B-trees, heaps, sorting", PROGRAMS / "maps.wasm", ["20"], BUILD),
    ("c++ exceptions", "programs", "throwing through frames with destructors",
     PROGRAMS / "exceptions.wasm", ["200000"], BUILD),
    ("coremark", "kernels", "lists, matrices, state machines", GUESTS / "coremark.wasm", ["1500"], ""),
    ("mandel", "kernels", "floating point in a tight loop", GUESTS / "mandel.wasm", ["500", "500"], ""),
    ("simd", "kernels", "128-bit vectors", PROGRAMS / "simd_kernels.wasm", ["200"], BUILD),
    ("sieve", "kernels", "loads and stores in nested loops", GUESTS / "sieve.wasm", ["20000000"], ""),
    ("vm", "kernels", "a byte-code machine: one hot br_table", PROGRAMS / "vm.wasm", ["20000"], BUILD),
]

# Seconds below which the runs of a program are so short that more of them are taken.
SHORT = 1.0

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
    """The words that run a module, before the module's path."""
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


def runtimes_on_path():
    """wasmr as it was built last, and the peers that are there."""
    found = [("wasmr", [str(ROOT / "target" / "release" / "wasmr"), "run"])]
    return found + [(label, [program, *more]) for label, program, more in PEERS if shutil.which(program)]


def run_once(words, limit):
    """Runs WORDS; gives (wall s, cpu s, peak MiB, exit code, standard output)."""
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
    """The largest resident set by GNU time, or None. By wait4 it is at least what Python had when it spawned."""
    tool = shutil.which("time", path="/usr/bin:/bin")
    if not tool:
        return None
    with tempfile.NamedTemporaryFile("r") as said:
        null = subprocess.DEVNULL
        subprocess.run([tool, "-f", "%M", "-o", said.name, *words], stdin=null, stdout=null, stderr=null, check=False)
        lines = said.read().split()
        return int(lines[-1]) / 1024 if lines and lines[-1].isdigit() else None


def complaint(words, code):
    """What a run that failed, with CODE, says on standard error, without where things lie on this machine."""
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
    """Runs one program everywhere; gives {label: {"wall": […], "cpu": […], "peak": MiB} or {"failed": reason}}."""
    _, _, _, path, arguments, _ = line
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
    """Kind of machine, in words that name nobody's."""
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


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runtimes", nargs="*", metavar="LABEL=COMMAND")
    parser.add_argument("--runs", type=int, default=5, help="measured runs of each, after one to warm up (default 5)")
    parser.add_argument("--only", action="append", default=[], help="only lines whose name contains this; repeatable")
    parser.add_argument("--limit", type=int, default=300, help="seconds that one run may take (default 300)")
    parser.add_argument("--budget", type=float, default=20, help="no more runs once they took so many s (default 20)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all samples there")
    parser.add_argument("--out", type=Path, metavar="DIR", help="write programs.json, programs.md and plots there")
    options = parser.parse_args()
    options.runs = max(options.runs, 1)
    runtimes = [(label, command_for(spec)) for label, _, spec in (r.partition("=") for r in options.runtimes)]
    runtimes = runtimes or runtimes_on_path()

    result = {
        "date": datetime.date.today().isoformat(),
        "machine": machine(),
        "command": report.command_line(sys.argv),
        "runs": options.runs,
        "versions": {label: version_of(words) for label, words in runtimes},
        "calls": {label: report.command_line(words) for label, words in runtimes},
        "programs": [],
    }
    print(report.heading([label for label, _ in runtimes]))
    for line in LINES:
        name, group, kind, path, _, script = line
        if options.only and not any(part in name for part in options.only):
            continue
        if not path.exists():
            print(f"{name:<16} skipped: {path.name} is not there ({script})")
            continue
        entry = {"name": name, "group": group, "kind": kind, "results": measure(line, runtimes, options)}
        result["programs"].append(entry)
        print(report.console_rows(entry))
        sys.stdout.flush()
        if options.json:
            options.json.write_text(json.dumps(result, indent=1) + "\n")
        if options.out:
            report.write_all(result, options.out)
    print(report.console_means(result))


if __name__ == "__main__":
    main()
