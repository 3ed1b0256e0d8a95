#!/usr/bin/env python3
"""Measures a throw: in the same function, over 1, 3 and 10 frames, with its reference, and through frames with destructors.

    benches/throws.py                                        wasmr's modes, and the peers that are there
    benches/throws.py --count 500000 wasmr=path/to/wasmr     another build, fewer throws

A figure is nanoseconds of processor time for a throw and its catch: the difference between the fastest runs of COUNT and of
COUNT/10 throws, of --runs each. Start-up and compilation cancel out. The program is programs/throws.wat; throws.wasm beside it is the same in
binary form, for runtimes that do not read the text. All runtimes have to return the same results. Only the standard library
is used.
"""

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PROGRAM = ROOT / "benches" / "programs" / "throws.wasm"
PEERS = Path(os.environ.get("WASMR_PEERS", ROOT / "target" / "peers"))
HOWS = ["here", "small callee", "1 frame", "3 frames", "10 frames", "reference", "3 destructors"]
# Prints the result of an export.
NODE = """const module = new WebAssembly.Module(require('fs').readFileSync(process.argv[1]));
console.log(new WebAssembly.Instance(module).exports[process.argv[2]](+process.argv[3]))"""


def found(name):
    """Returns the path of a peer, or None."""
    places = [PEERS / name, PEERS / "bin" / name]
    return next((str(place) for place in places if place.is_file()), None) or shutil.which(name)


def runtimes(named):
    """Returns the command of each runtime, to which file, export and count are added."""
    commands = {}
    for name in named or [f"wasmr={ROOT / 'target' / 'release' / 'wasmr'}"]:
        label, _, path = name.partition("=")
        for mode in ["interp", "jit", "tiered"]:
            commands[f"{label} {mode}"] = [path, "run", "--mode", mode, "--invoke"]
    if node := found("node"):
        commands["node"] = [node, "-e", NODE]
    if wasmtime := found("wasmtime"):
        commands["wasmtime"] = [wasmtime, "run", "-C", "cache=n", "-W", "exceptions=y,gc=y,function-references=y", "--invoke"]
    return commands


def run(command, how, count):
    """Runs once. Returns the seconds of processor time and the result."""
    words = [*command, how, str(PROGRAM), str(count)] if command[-1] == "--invoke" else [*command, str(PROGRAM), how, str(count)]
    uncached = {**os.environ, "WASMR_CACHE_DIR": os.devnull}
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=uncached)
    result = process.stdout.read().strip()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{' '.join(words)}: exit code {process.returncode}")
    return usage.ru_utime + usage.ru_stime, result


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("wasmr", nargs="*", help="NAME=PATH of builds of wasmr")
    parser.add_argument("--count", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    commands = runtimes(options.wasmr)
    print(f"{'ns for a throw':<24}" + "".join(f"{how:>15}" for how in HOWS))
    results = {}
    for name, command in commands.items():
        row = f"{name:<24}"
        for how in HOWS:
            # Some peers take microseconds for a throw.
            count = options.count // 10 if name == "wasmtime" else options.count
            few = min(run(command, how, count // 10)[0] for _ in range(options.runs))
            many, result = min(run(command, how, count) for _ in range(options.runs))
            if results.setdefault((how, count), result) != result:
                sys.exit(f"{name}, {how}: {result} instead of {results[how, count]}")
            row += f"{(many - few) / (count - count // 10) * 1e9:>15.1f}"
        print(row, flush=True)


if __name__ == "__main__":
    main()
