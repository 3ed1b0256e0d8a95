#!/usr/bin/env python3
"""Measures the parts of wasmr, and of the peers that are libraries too, and writes benches/results/parts.md.

    benches/parts.py                             wasmr alone
    benches/parts.py --features wasmi,wasmtime   and these, by the same benches
    benches/parts.py --no-run                    writes the tables again from what was measured last

Runs the Criterion benches of benches/parts (a workspace of its own, built into benches/parts/target), in which runtimes
take turns within each part, and its program `instances`, one process for each runtime in turn. What is written are
medians, and ratios to wasmr: "times as long as wasmr".
"""

import argparse
import datetime
import json
import statistics
import subprocess
from pathlib import Path

import compare
import report

HERE = Path(__file__).resolve().parent
PARTS = HERE / "parts"
CRITERION = PARTS / "target" / "criterion"
WAYS = [("fresh", 100_000), ("kept", 10_000)]

BOUNDARIES = [
    ("host to interp", "Rust calls an interpreted function"),
    ("host to jit", "Rust calls a compiled function"),
    ("interp to interp", ""),
    ("interp to jit", ""),
    ("interp to host", "a host function"),
    ("jit to interp", ""),
    ("jit to jit", "not inlined"),
    ("jit to host", "a host function"),
]

ROUNDS = {
    "host_calls": "one call from WebAssembly to Rust and back, with its loop",
    "calls": "one call within WebAssembly, with its loop",
    "indirect_calls": "one call through a table of types, with its loop",
    "fib": "one activation of a recursive function",
    "integers": "one step of a 64-bit xorshift",
    "floats": "one step of a floating-point chain",
    "memory": "two loads and a store at scattered addresses",
    "branches": "one jump through a table, hard to guess",
}


COMPONENTS = [
    ("component nop", "Rust calls a component: nothing passed"),
    ("component text 16", "the same: a string of 16 bytes"),
    ("component host-nop", "a component calls Rust: nothing passed"),
    ("component host-bytes 1024", "the same: `list<u8>` of 1 KiB, copied"),
    ("component host-bytes 1048576", "of 1 MiB"),
    ("component host-lent 1024", "`list<u8>` of 1 KiB that stays in the guest's memory"),
    ("component host-lent 1048576", "of 1 MiB"),
    ("component c-nop", "a component calls another: nothing passed"),
    ("component c-text 16", "the same: a string of 16 bytes"),
    ("component c-bytes 1024", "the same: `list<u8>` of 1 KiB"),
    ("component c-bytes 1048576", "of 1 MiB"),
    ("component instance C", "a fresh store with an instance of a C program for WASI 0.2"),
    ("component instance Rust", "of a Rust program"),
]


def run(features, rounds):
    flags = ["--features", features] if features else []
    subprocess.run(["cargo", "bench", "--quiet", *flags], cwd=PARTS, check=True)
    subprocess.run(["cargo", "build", "--quiet", "--release", *flags], cwd=PARTS, check=True)
    runtimes = ["wasmr", *[name for name in features.split(",") if name]]
    taken = []
    for _ in range(rounds):
        for way, count in WAYS:
            for name in runtimes:
                words = [str(PARTS / "target/release/instances"), name, str(count), way]
                done = subprocess.run(words, capture_output=True, text=True, check=False)
                if done.returncode == 0:
                    taken.append(done.stdout.split())
    (CRITERION / "instances.json").write_text(json.dumps(taken))


def medians():
    """{(group, function): (nanoseconds of a run, what a run counts as)} of all Criterion benches."""
    found = {}
    for file in CRITERION.glob("*/*/new/benchmark.json"):
        about = json.loads(file.read_text())
        estimates = json.loads((file.parent / "estimates.json").read_text())
        amount = about.get("throughput") or {}
        name = about["function_id"] or about["value_str"]
        found[about["group_id"], name] = (estimates["median"]["point_estimate"], next(iter(amount.values()), None))
    return found


def table(rows, columns):
    out = ["| " + " | ".join(columns) + " |", "|---|" + "--:|" * (len(columns) - 1)]
    return out + ["| " + " | ".join(row) + " |" for row in rows] + [""]


def number(value):
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def versus(ours, theirs):
    return f"{number(theirs)} ({theirs / ours:.2f})" if theirs is not None else ""


def markdown(command):
    found = medians()
    peers = [name for name in ("wasmi", "wasmtime") if ("call from Rust", name) in found]
    columns = [name for name in ("wasmr interp", *peers) if ("call from Rust", name) in found]
    out = [
        "# Parts",
        "",
        f"Measured {datetime.date.today().isoformat()} on: {compare.machine()} (shared with other work). Medians; in"
        " brackets the ratio to wasmr, below 1 the peer was faster. Made by:",
        "",
        "```console",
        f"$ {command}",
        "```",
        "",
        "## From bytes to code",
        "",
        "Megabytes of the file a second.",
        "",
    ]
    for group in sorted({group for group, _ in found if group.startswith("load ")}):
        rows = [
            [name, number(amount * 1e3 / nanos), number(nanos / 1e6)]
            for (of, name), (nanos, amount) in sorted(found.items(), key=lambda item: item[0][1].replace("wasmr", ""))
            if of == group
        ]
        out += table(rows, [group.removeprefix("load "), "MB/s", "ms"])

    def of(group, name, scale):
        nanos, amount = found.get((group, name), (None, None))
        return None if nanos is None else nanos / (amount or 1) / scale

    out += ["## Compiling", "", "All functions, one after the other on one thread; megabytes of function bodies a second.", ""]
    for group in sorted({group for group, _ in found if group.startswith("compile ")}):
        rows = [
            [name, number(amount * 1e3 / nanos), number(nanos / 1e6)]
            for (in_group, name), (nanos, amount) in sorted(found.items()) if in_group == group
        ]
        out += table(rows, [group.removeprefix("compile "), "MB/s", "ms"])

    rows = [[f"{name}{what and f': {what}'}", number(cost)] for name, what in BOUNDARIES
            if (cost := of("boundaries", name, 1)) is not None]
    if rows:
        out += ["## Calls from tier to tier", "", "One call and return with an integer each way; with the loop around it, if a guest"
                " calls.", "", *table(rows, ["call", "ns"])]

    rows = [[name, number(nanos / 1e6)] for (group, name), (nanos, _) in sorted(found.items()) if group == "tier-up"]
    if rows:
        out += ["## From the first call to machine code", "", "A function that is called once and stays in a loop: how long until that loop"
                " runs as machine code. By default nothing is compiled for some milliseconds at first.", "",
                *table(rows, ["loop", "ms"])]

    out += ["## Execution", "", "Nanoseconds a round.", ""]
    rows = []
    for group, what in [("call from Rust", "one call of an export that returns its argument"), *ROUNDS.items()]:
        ours = of(group, "wasmr", 1)
        if ours is not None:
            rows.append([f"{group}: {what}", number(ours), *[versus(ours, of(group, peer, 1)) for peer in columns]])
    out += table(rows, ["part", "wasmr ns", *[f"{peer} ns" for peer in columns]])

    rows = []
    for group, what in COMPONENTS:
        ours, copy = of(group, "wasmr", 1), of(group, "memcpy", 1)
        if ours is not None:
            rows.append([what, number(ours), versus(ours, of(group, "wasmtime", 1)), number(copy) if copy else ""])
    if rows:
        out += ["## Components", "", "Nanoseconds a call, with the loop around it if the guest calls; *memcpy* is a plain copy of as many"
                " bytes into a `Vec`.", "", *table(rows, ["part", "wasmr ns", "wasmtime ns", "memcpy ns"])]

    taken = json.loads((CRITERION / "instances.json").read_text())
    out += [
        "## Instances",
        "",
        "A module with two functions, a table, a global; *fresh* has a memory too. Each is instantiated, and one export"
        " is called. *fresh*: 100 000 times a new store that is then dropped; memory that grew is lost. *kept*: 10 000 in"
        " one store; memory that grew is what an instance needs.",
        "",
    ]
    rows = []
    for way, count in WAYS:
        for column, unit, digits in [(3, "µs each", 2), (4, "bytes each", 0)]:
            cells = []
            for name in ["wasmr", *peers]:
                values = [float(sample[column]) for sample in taken if sample[0] == name and sample[2] == way]
                cells.append(f"{statistics.median(values):.{digits}f}" if values else "does not")
            rows.append([f"{way}, {unit}", *cells])
    out += table(rows, ["instances", "wasmr", *peers])
    return "\n".join(out)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--features", default="", help="peers to build in: wasmi, wasmtime")
    parser.add_argument("--rounds", type=int, default=3, help="of `instances` for each runtime (default 3)")
    parser.add_argument("--no-run", action="store_true", help="only write the tables")
    options = parser.parse_args()
    if not options.no_run:
        run(options.features, options.rounds)
    command = report.command_line(["benches/parts.py", *(["--features", options.features] if options.features else [])])
    text = markdown(command)
    print(text)
    (HERE / "results").mkdir(exist_ok=True)
    (HERE / "results" / "parts.md").write_text(text)


if __name__ == "__main__":
    main()
