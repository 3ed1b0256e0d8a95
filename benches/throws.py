#!/usr/bin/env python3
"""Measures a throw: in the same function, over 1, 3 and 10 frames, with its reference, through frames with destructors.

    benches/throws.py                                        wasmr's modes, and the peers that are there
    benches/throws.py --mixed                                every mixture of interpreted and compiled frames
    benches/throws.py --count 500000 new=path/to/wasmr old=path/to/other

A figure is nanoseconds of processor time for a throw and its catch: the difference between the fastest runs of COUNT and of
COUNT/10 throws, of --runs each. Start-up and compilation cancel out. The programs are programs/throws.wat and
programs/throws-legacy.wat; the .wasm files beside them are the same in binary form, for runtimes that do not read the text.
All runtimes have to return the same results; "-" stands for one that refuses the program. Only the standard library is used.

With --mixed, functions that are to be interpreted get so many `nop`s that they are too large for the compiler. A row says the
tier of the frame that catches, of the frames between (every other one) and of the frame that throws.
"""

import argparse
import itertools
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PROGRAMS = ROOT / "benches" / "programs"
PEERS = Path(os.environ.get("WASMR_PEERS", ROOT / "target" / "peers"))
HOWS = ["here", "small callee", "1 frame", "3 frames", "10 frames", "reference", "payload", "3 destructors"]
LEGACY = ["legacy, here", "legacy, 3 frames", "legacy, 3 destructors"]
# Prints the result of an export.
NODE = """const module = new WebAssembly.Module(require('fs').readFileSync(process.argv[1]));
console.log(new WebAssembly.Instance(module).exports[process.argv[2]](+process.argv[3]))"""
MODES = {
    "interp": ["--mode", "interp"],
    "baseline at once": ["--mode", "interp", "-O", "baseline-after=0"],
    "jit": ["--mode", "jit"],
    "tiered": ["--mode", "tiered"],
    "tiered at once": ["--mode", "tiered", "-O", "tier-up-after=0"],
}
# Bytes of the largest body that is compiled with --mixed.
MAX_COMPILED = 1000


def found(name):
    """Returns the path of a peer, or None."""
    places = [PEERS / name, PEERS / "bin" / name]
    return next((str(place) for place in places if place.is_file()), None) or shutil.which(name)


def runtimes(named):
    """Returns the command of each runtime, to which file, export and count are added."""
    commands = {}
    for label, path in named:
        for mode, options in MODES.items():
            commands[f"{label} {mode}"] = [path, "run", *options]
    if node := found("node"):
        commands["node"] = [node, "-e", NODE]
    if wasmtime := found("wasmtime"):
        features = "exceptions=y,gc=y,function-references=y"
        commands["wasmtime"] = [wasmtime, "run", "-C", "cache=n", "-W", features]
    return commands


def run(command, program, how, count):
    """Runs once. Returns the seconds of processor time and the result, or None if the runtime refuses the program."""
    if "-e" in command:
        words = [*command, str(program), how, str(count)]
    else:
        legacy = ["-W", "legacy-exceptions"] if how in LEGACY and "wasmtime" not in command[0] else []
        words = [*command, *legacy, "--invoke", how, str(program), str(count)]
    uncached = {**os.environ, "WASMR_CACHE_DIR": os.devnull}
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=uncached)
    result = process.stdout.read().strip()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        if how in LEGACY:
            return None
        sys.exit(f"{' '.join(words)}: exit code {process.returncode}")
    return usage.ru_utime + usage.ru_stime, result


def measure(name, command, program, how, options, results):
    """Returns the nanoseconds for a throw, as text."""
    # Some peers take microseconds for a throw.
    count = options.count // 10 if name == "wasmtime" else options.count
    pairs = [[run(command, program, how, count // 10), run(command, program, how, count)] for _ in range(options.runs)]
    if any(None in pair for pair in pairs):
        return "-"
    few, (many, result) = min(few for (few, _), _ in pairs), min(many for _, many in pairs)
    if results.setdefault((how, count), result) != result:
        sys.exit(f"{name}, {how}: {result} instead of {results[how, count]}")
    return f"{(many - few) / (count - count // 10) * 1e9:.1f}"


def mixture(text, tiers, into):
    """Writes a program with the marked functions padded as `tiers` says. Returns its path."""
    for role, tier in tiers.items():
        padding = "nop " * MAX_COMPILED if tier == "interp" else ""
        text = text.replace(f"(; {role} ;)", padding)
    path = Path(into) / "mixed.wat"
    path.write_text(text)
    return path


def table(rows, options):
    """Prints the table whose rows are names, commands and functions from an export to its program."""
    hows = [how for how in HOWS + LEGACY if not options.only or how in options.only]
    width = 40
    print("ns for a throw".ljust(width) + "".join(f"{how.removeprefix('legacy, '):>15}" for how in hows))
    if any(how in LEGACY for how in hows):
        print(" " * width + "".join(f"{'(legacy)' if how in LEGACY else '':>15}" for how in hows))
    results = {}
    for name, command, program in rows:
        print(name.ljust(width), end="")
        for how in hows:
            print(f"{measure(name, command, program(how), how, options, results):>15}", end="", flush=True)
        print(flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("wasmr", nargs="*", help="NAME=PATH of builds of wasmr")
    parser.add_argument("--count", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--mixed", action="store_true", help="mixtures of interpreted and compiled frames")
    parser.add_argument("--only", action="append", metavar="HOW", help="one of the columns, such as '3 frames'")
    options = parser.parse_args()
    named = [word.split("=", 1) for word in options.wasmr or [f"wasmr={ROOT / 'target' / 'release' / 'wasmr'}"]]

    def source(how, ending):
        return PROGRAMS / f"{'throws-legacy' if how in LEGACY else 'throws'}.{ending}"

    if not options.mixed:
        rows = ((name, command, lambda how: source(how, "wasm")) for name, command in runtimes(named).items())
        return table(rows, options)
    with tempfile.TemporaryDirectory() as into:

        def rows():
            for kinds in itertools.product(["interp", "jit"], repeat=3):
                tiers = dict(zip(["catcher", "between", "thrower"], kinds))
                for label, path in named:
                    command = [path, "run", "--mode", "jit", "-O", f"max-compiled-size={MAX_COMPILED}"]
                    yield (
                        f"{label} " + " < ".join(kinds),
                        command,
                        lambda how, tiers=tiers: mixture(source(how, "wat").read_text(), tiers, into),
                    )

        table(rows(), options)


if __name__ == "__main__":
    main()
