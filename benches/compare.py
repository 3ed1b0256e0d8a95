#!/usr/bin/env python3
"""Times wasmr against other WebAssembly runtimes on real programs, whole process each, and prints medians and ratios.

    benches/compare.py wasmr=target/release/wasmr wasmi=wasmi wasmtime=wasmtime
    benches/compare.py --runs 9 --only quickjs wasmr=target/release/wasmr old=/elsewhere/wasmr

Each argument is LABEL=COMMAND. COMMAND may carry options ("target/release/wasmr run --mode interp"); how a bare command
is called follows from the program's name (wasmr, wasmi, wasmtime, wasmtime-cold). The first label is the base that
ratios refer to. See benches/README.md for how to get the peers and what to make of the numbers.

Only the standard library is used: wall time from a monotonic clock, CPU time and the largest resident set from wait4.
Runs are interleaved (A B C, A B C, …), because the load of a machine drifts; what is printed is the median.
A run that exits with another code or prints something else than the first runtime did is shown as what it was, and not
as a time.
"""

import argparse
import os
import shlex
import signal
import statistics
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PROGRAMS = Path(os.environ.get("WASMR_PROGRAMS", ROOT / "target" / "programs"))
GUESTS = ROOT / "tests" / "guests"

# name, file, arguments
LINES = [
    ("cpython hi", PROGRAMS / "python.wasm", ["-c", "print('hi')"]),
    ("cpython fib(27)", PROGRAMS / "python.wasm", ["-c", "f=lambda n:n if n<2 else f(n-1)+f(n-2)\nprint(f(27))"]),
    ("quickjs hi", PROGRAMS / "quickjs.wasm", ["-e", "print('hi')"]),
    ("quickjs loop", PROGRAMS / "quickjs.wasm", ["-e", "let s=0;for(let i=0;i<3e6;i++)s=(s*31+i)|0;print(s)"]),
    ("yosys -V", PROGRAMS / "yosys.wasm", ["-V"]),
    ("coremark 2000", GUESTS / "coremark.wasm", ["2000"]),
    ("mandel 300", GUESTS / "mandel.wasm", ["300", "500"]),
    ("sieve 1e7", GUESTS / "sieve.wasm", ["10000000"]),
    ("c++ throw", GUESTS / "throw.wasm", []),
    ("hello", GUESTS / "hello.wasm", []),
]


def command_for(spec):
    """The words that run a module, before the module's path."""
    words = shlex.split(spec)
    if len(words) > 1:
        return words
    name = Path(words[0]).name
    if name == "wasmtime-cold":
        return [words[0].removesuffix("-cold"), "run", "-C", "cache=n"]
    if name == "wasmtime":
        return [words[0], "run", "-C", "cache=y"]
    return [words[0], "run"]


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


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runtimes", nargs="+", metavar="LABEL=COMMAND")
    parser.add_argument("--runs", type=int, default=5, help="measured runs of each, after one that warms up (default 5)")
    parser.add_argument("--only", default="", help="only lines whose name contains this")
    parser.add_argument("--limit", type=int, default=300, help="seconds that one run may take (default 300)")
    options = parser.parse_args()
    runtimes = [(label, command_for(spec)) for label, _, spec in (r.partition("=") for r in options.runtimes)]
    base = runtimes[0][0]

    print(f"{'program':<16} {'runtime':<14} {'wall s':>8} {'ratio':>6} {'cpu s':>8} {'ratio':>6} {'peak MiB':>9}  {'min..max wall'}")
    for name, path, arguments in LINES:
        if options.only not in name:
            continue
        if not path.exists():
            print(f"{name:<16} skipped: {path.name} is not there (scripts/fetch-programs.sh)")
            continue
        samples = {label: [] for label, _ in runtimes}
        failed, expected = {}, None
        for turn in range(options.runs + 1):
            for label, words in runtimes:
                if label in failed:
                    continue
                try:
                    wall, cpu, peak, code, output = run_once([*words, str(path), *arguments], options.limit)
                except OSError as error:
                    failed[label] = f"cannot start: {error}"
                    continue
                if code != 0:
                    failed[label] = f"took over {options.limit} s" if code == -signal.SIGKILL else f"exit code {code}"
                    continue
                if expected is None:
                    expected = output
                if output != expected:
                    failed[label] = "printed something else"
                elif turn > 0 or options.runs == 0:
                    samples[label].append((wall, cpu, peak))
        reference = samples[base]
        for label, _ in runtimes:
            if label in failed or not samples[label]:
                print(f"{name:<16} {label:<14} {failed.get(label, 'no run')}")
                continue
            wall, cpu, peak = (statistics.median(column) for column in zip(*samples[label]))
            ratios = ["     -", "     -"]
            if reference and base not in failed:
                ratios = [
                    f"{value / max(statistics.median(column), 1e-9):6.2f}"
                    for value, column in zip((wall, cpu), list(zip(*reference))[:2])
                ]
            walls = [sample[0] for sample in samples[label]]
            print(
                f"{name:<16} {label:<14} {wall:8.3f} {ratios[0]} {cpu:8.3f} {ratios[1]} {peak:9.1f}"
                f"  {min(walls):.3f}..{max(walls):.3f}"
            )
        sys.stdout.flush()


if __name__ == "__main__":
    main()
