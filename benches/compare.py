#!/usr/bin/env python3
"""Times wasmr against other WebAssembly runtimes on real programs, whole process each, and prints medians and ratios.

    benches/compare.py                                         wasmr in each mode and every peer on the PATH
    benches/compare.py wasmr=target/release/wasmr wasmi=wasmi  only these
    benches/compare.py --group steady --out benches/results    one set of lines; tables, plots and all samples go there
    benches/compare.py --group short --out benches/results --merge     and those of another set join them
    benches/compare.py --runs 9 --only quickjs new=target/release/wasmr old=/elsewhere/wasmr

    benches/compare.py --group warm --second                   the second run of each program
    benches/compare.py --only lua 'wasmr warm' 'wasmtime warm' only these, called as usual

Each argument is LABEL=COMMAND, or the label of a runtime that the script knows. COMMAND may carry options
("target/release/wasmr run --mode interp"); how a bare command is called follows from its name (PEERS below). The first
label is the base that ratios refer to. See benches/README.md for how to get the peers and the programs, and what to make
of the numbers.

Lines come in seven sets: `total`, programs as one runs them, start-up and compiling included; `short`, some of them and others
with so little to do that they end within tens of milliseconds; `wide`, large programs that call thousands of functions, none
of them often; `steady`, with so much that only the speed of compiled code counts; `gc`, programs with structs and arrays;
`warm`, programs of all kinds whose second run counts; `component`, components. In the last
five, runtimes that say little there are left out unless they are named as arguments.

A runtime whose command has `{cache}` is warm: the word is replaced by a private directory, new for each line, that unmeasured
runs fill. With `--second` it is new for each measured run, so that this run is the second of the module. `{config}` is a
file that tells wasmtime of its private directory. All lines use one, as wasmtime learns nothing more in later runs.

Only the standard library is used: wall time from a monotonic clock, CPU time and the largest resident set from wait4.
Processes that a run leaves behind, as wasmr does to fill its cache, are waited for and accounted for apart.
Runs are interleaved (A B C, A B C, …), because the load of a machine drifts; what is printed is the median.
A run that exits with another code, or prints something else than the first runtime that ran the program, is shown as
what it was and not as a time. What is measured and how is in this file, with which programs in lines.py; tables and plots
are made by report.py.
"""

import argparse
import ctypes
import datetime
import json
import os
import platform
import re
import resource
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
from lines import GUESTS, HERE, LINES, PROGRAMS, ROOT

FETCHED = Path(os.environ.get("WASMR_PEERS", ROOT / "target" / "peers"))  # by scripts/fetch-peers.sh

# Seconds below which the runs of a program are so short that more of them are taken.
SHORT = 1.0

# label, the words that follow the program
MODES = [
    ("wasmr", ["run"]),
    ("wasmr warm", ["run", "--cache-dir", "{cache}"]),
    ("wasmr interp", ["run", "--mode", "interp"]),
    ("wasmr jit", ["run", "--mode", "jit"]),
]

# label, program, the words that follow it
PEERS = [
    ("wasmi", "wasmi", ["run"]),
    ("wasm3", "wasm3", []),
    ("iwasm", "iwasm", ["--stack-size=8388608", "--heap-size=0"]),
    ("wasmtime cold", "wasmtime", ["run", "-C", "cache=n"]),
    ("wasmtime warm", "wasmtime", ["run", "-C", "cache=y,cache-config={config}"]),
    ("node", "node", ["--no-warnings", str(HERE / "node-wasi.mjs")]),
]

# The program itself, built for this machine.
NATIVE = "native"

# Left out of a set unless they are named.
LEFT_OUT = {
    "wide": {"wasmr warm", "wasmr jit", "wasmi", "wasm3", "iwasm", "wasmtime cold"},
    "steady": {"wasmr interp", "wasmi", "wasm3", "iwasm", "wasmtime cold"},
    "gc": {"wasmr warm", "wasmr interp", "wasmi", "wasm3", "iwasm", "wasmtime warm"},
    "warm": {"wasmr interp", "wasmr jit", "wasmi", "wasm3", "iwasm", "wasmtime cold"},
    "component": {"wasmr interp", "wasmr jit"},
}

# Runs that find the longest pause of a collector. Their output differs, so that they are not timed.
PAUSE_RUNS = 3

# Runtimes that can grant directories under other names, preload libraries and call any export.
ABLE = {"wasmr", "wasmtime", "node"}

# Runtimes that have components.
WITH_COMPONENTS = {"wasmr", "wasmtime"}


class Runtime(NamedTuple):
    """A way to run programs."""

    label: str
    words: list  # before the program's own

    def name(self):
        """Returns the project's name: builds of wasmr may have any file name."""
        called = Path(self.words[0]).name
        return called if called in {program for _, program, _ in PEERS} | {NATIVE} else "wasmr"

    def learns(self):
        """Returns true if each run may add to what the next one finds."""
        return any("{cache}" in word for word in self.words)

    def is_warm(self):
        return self.learns() or any("{config}" in word for word in self.words)

    def command(self, line, places):
        """Returns the words that run LINE, or None if this runtime cannot."""
        program = line.program
        if self.name() == NATIVE:
            return [str(program.native()), *line.arguments] if program.native().exists() else None
        options = []
        for place, seen in program.grants:
            options += ["--dir", f"{place or places.scratch}::{seen}"]
        for name, file in program.preload:
            options += ["--preload", f"{name}={file}"]
        if program.invoke:
            options += ["--invoke", program.invoke]
        if options and self.name() not in ABLE or program.component and self.name() not in WITH_COMPONENTS:
            return None
        words = [word.replace("{cache}", str(places.cache)).replace("{config}", str(places.config)) for word in self.words]
        path = program.path
        if program.features and self.name() == "wasmr" and knows_feature(words[0], program.features):
            options += ["-W", ",".join(program.features)]
        elif program.features and self.name() != "node":
            path = program.without
        return [*words, *options, str(path), *line.arguments]


class Places:
    """Private directories of a measurement."""

    def __init__(self, root, kept=None):
        self.root, self.scratch = Path(root), Path(root) / "scratch"
        self.config, self.cache, self.made = self.root / "wasmtime.toml", None, 0
        code = Path(kept).resolve() if kept else self.root / "wasmtime"
        code.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.config.write_text(f"[cache]\ndirectory = {json.dumps(str(code))}\n")

    def new_cache(self):
        """Makes an empty directory for `{cache}` and returns it."""
        self.made += 1
        self.cache = self.root / f"cache-{self.made}"
        self.cache.mkdir(mode=0o700)
        return self.cache

    def remove_caches(self):
        for number in range(1, self.made + 1):
            shutil.rmtree(self.root / f"cache-{number}", ignore_errors=True)

    def empty_scratch(self):
        shutil.rmtree(self.scratch, ignore_errors=True)
        self.scratch.mkdir()


def knows(program, option):
    """Returns true if `PROGRAM run` has OPTION. Builds of wasmr from before the cache have none for it."""
    try:
        said = subprocess.run([program, "run", "--help"], capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return option in said.stdout


def knows_feature(wasmr, features):
    """Returns true if this build of wasmr has all of the features."""
    said = subprocess.run([wasmr, "run", "-W", "help"], capture_output=True, text=True, check=False).stdout
    lines = [line for line in said.splitlines() if "not supported" not in line]
    return all(any(feature in line for line in lines) for feature in features)


def uncached(words):
    """Returns the words of a call of wasmr with the cache off, if it has one."""
    return [*words, "--no-cache"] if knows(words[0], "--no-cache") else words


def peer(program):
    """Returns the path of a peer, or None: as fetch-peers.sh left it, or else on the PATH."""
    fetched = FETCHED / program
    return str(fetched) if fetched.exists() else shutil.which(program)


def known_runtimes(wasmr):
    """wasmr in all its modes, the peers that are there, and no runtime at all."""
    found = []
    for label, more in MODES:
        if "--cache-dir" not in more:
            found.append(Runtime(label, uncached([str(wasmr), *more])))
        elif knows(str(wasmr), "--cache-dir"):
            found.append(Runtime(label, [str(wasmr), *more]))
    found += [Runtime(label, [peer(program), *more]) for label, program, more in PEERS if peer(program)]
    return [*found, Runtime(NATIVE, [NATIVE])]


def named_runtime(argument, known):
    """Returns the runtime of an argument, LABEL=COMMAND or the label of one in KNOWN."""
    label, is_command, spec = argument.partition("=")
    if not is_command:
        if found := [runtime for runtime in known if runtime.label == label]:
            return found[0]
        sys.exit(f"there is no runtime {label}; there are {', '.join(runtime.label for runtime in known)}")
    words = shlex.split(spec)
    if len(words) > 1:
        return Runtime(label, words)
    called = Path(words[0]).name
    if called == "wasmtime-cold":
        return Runtime(label, [words[0].removesuffix("-cold"), "run", "-C", "cache=n"])
    for _, program, more in reversed(PEERS):
        if program == called:
            return Runtime(label, [words[0], *more])
    return Runtime(label, uncached([words[0], "run"]))


class Sample(NamedTuple):
    """What one run took."""

    wall: float  # s
    cpu: float  # s
    peak: float  # MiB
    after_cpu: float  # s, of processes that it left behind
    after_peak: float  # MiB


class Failed(Exception):
    """A run that does not count, and why."""


def adopt_orphans():
    """Makes processes that outlive their parents children of this one, so that it can wait for them. Linux only."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER


def wait_for_the_rest(limit):
    """Waits for processes that a run left behind. Returns (cpu s, peak MiB)."""
    cpu = peak = 0

    def late(*_):
        raise Failed("left a process behind that does not end")

    signal.signal(signal.SIGALRM, late)
    signal.alarm(limit)
    try:
        while True:
            _, _, used = os.wait4(-1, 0)
            cpu, peak = cpu + used.ru_utime + used.ru_stime, max(peak, used.ru_maxrss / 1024)
    except ChildProcessError:
        return cpu, peak
    finally:
        signal.alarm(0)


def run_once(words, limit):
    """Runs WORDS. Returns a sample, the exit code and standard output."""
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
        after = wait_for_the_rest(3 * limit)
        return Sample(wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, *after), code, out.read()


def exact_peak(words):
    """Returns the largest resident set in MiB by GNU time, or None. wait4 gives at least Python's own at the spawn."""
    tool = shutil.which("time", path="/usr/bin:/bin")
    if not tool:
        return None
    with tempfile.NamedTemporaryFile("r") as said:
        null = subprocess.DEVNULL
        subprocess.run([tool, "-f", "%M", "-o", said.name, *words], stdin=null, stdout=null, stderr=null, check=False)
        wait_for_the_rest(600)
        lines = said.read().split()
        return int(lines[-1]) / 1024 if lines and lines[-1].isdigit() else None


def longest_pause(runtime, words):
    """Returns the longest pause of the garbage collector in ms as the runtime tells it, or None. The median of some runs."""
    if runtime.name() == "wasmr":
        place, options = 2, ["--stats=json"]
    elif runtime.name() == "node":
        place, options = 1, ["--trace-gc"]
    else:
        return None
    found = []
    for _ in range(PAUSE_RUNS):
        said = subprocess.run([*words[:place], *options, *words[place:]], stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, errors="replace", check=False)
        wait_for_the_rest(600)
        if runtime.name() == "node":
            # "… MB, pooled: 0 MB, 1.23 / 0.00 ms …": the program stands still for the first of the two.
            pauses = [float(ms) for ms in re.findall(r" MB, ([0-9.]+) / [0-9.]+ ms", said.stdout)]
        else:
            pauses = [int(us) / 1e3 for us in re.findall(r'"gc_longest_pause_us": ([0-9]+)', said.stderr + said.stdout)]
        found.append(max(pauses, default=0.0))
    return statistics.median(found)


def complaint(words, code):
    """Returns the standard error of a run that failed with CODE, without paths of this machine."""
    null = subprocess.DEVNULL
    said = subprocess.run(words, stdin=null, capture_output=True, text=True, errors="replace", check=False)
    wait_for_the_rest(600)
    lines = [line.strip() for line in said.stderr.splitlines() if "rror" in line]
    ended = f"exit code {code}" if code > 0 else f"killed by {signal.Signals(-code).name}"
    if said.returncode != code:
        return f"{ended}, but not every time"
    reason = lines[0] if lines else ended
    for place in (PROGRAMS, GUESTS, ROOT):
        reason = reason.replace(f"{place}/", "")
    return reason if len(reason) < 200 else reason[:200] + "…"


def once(runtime, line, places, limit):
    """Runs LINE once. Returns what it printed and wrote, and the sample."""
    words = runtime.command(line, places)
    places.empty_scratch()
    try:
        sample, code, output = run_once(words, limit)
    except OSError as error:
        raise Failed(f"cannot start: {error.strerror}") from error
    if code != 0:
        raise Failed(f"took over {limit} s" if code == -signal.SIGKILL else complaint(words, code))
    if result := line.program.result:
        written = places.scratch / result
        if not written.exists():
            raise Failed(f"did not write {result}")
        output += written.read_bytes()
    return output, sample


def measure(line, runtimes, options, places):
    """Runs one program on every runtime. Returns {label: results}: {"wall": […], "cpu": […], "peak": MiB}, with "after_cpu" and
    "after_peak" if it left processes behind, or {"failed": reason}."""
    runtimes = [runtime for runtime in runtimes if runtime.command(line, places)]
    samples = {runtime.label: [] for runtime in runtimes}
    caches, failed, expected = {}, {}, None
    # Runs of a few milliseconds scatter more, and cost little.
    for turn in range(4 * options.runs + 1):
        for runtime in runtimes:
            label, taken = runtime.label, samples[runtime.label]
            spent = sum(sample.wall for sample in taken)
            enough = SHORT if turn > options.runs else options.budget
            if label in failed or (taken and spent > enough):
                continue
            unmeasured = 0 if turn else 1
            if runtime.learns():
                if options.second:
                    if turn == 0:
                        continue
                    unmeasured = 1
                elif turn == 0:
                    unmeasured = options.prime
                if unmeasured:
                    caches[label] = places.new_cache()
                places.cache = caches[label]
            try:
                # The first run of a warm runtime compiles, and may take longer than any other.
                for _ in range(unmeasured):
                    output, _ = once(runtime, line, places, options.limit * (4 if runtime.is_warm() else 1))
                    expected = output if expected is None else expected
                    if output != expected:
                        raise Failed("printed something else")
                if turn == 0:
                    continue
                output, sample = once(runtime, line, places, options.limit)
                if output != expected:
                    raise Failed("printed something else")
                taken.append(sample)
            except Failed as reason:
                failed[label] = str(reason)
    results = {}
    for runtime in runtimes:
        label = runtime.label
        if label in failed or not samples[label]:
            results[label] = {"failed": failed.get(label, "no run")}
            continue
        wall, cpu, peak, after_cpu, after_peak = (list(column) for column in zip(*samples[label]))
        peak = statistics.median(peak)
        if peak < 1.2 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:
            places.cache = caches.get(label)
            if runtime.learns() and options.second:
                places.new_cache()
                once(runtime, line, places, options.limit)
            places.empty_scratch()
            peak = exact_peak(runtime.command(line, places)) or peak
        results[label] = {"wall": wall, "cpu": cpu, "peak": peak}
        if line.set == "gc" and (pause := longest_pause(runtime, runtime.command(line, places))) is not None:
            results[label]["pause"] = pause
        if any(after_cpu):
            results[label] |= {"after_cpu": after_cpu, "after_peak": statistics.median(after_peak)}
    places.remove_caches()
    return results


def version_of(words):
    """Returns the first line that a program says of its version."""
    if words == [NATIVE]:
        words = ["gcc"]
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


def warm_runs(options):
    """Returns the meaning of a warm run, for the tables."""
    if options.second:
        return "the second run of the module, in a cache directory of its own"
    return f"run {options.prime + 1} of the module and later ones, in one cache directory"


def begin(options, runtimes):
    """Returns the results to add to: empty, or those already there if they are to be kept."""
    result = {
        "date": datetime.date.today().isoformat(),
        "machine": machine(),
        "commands": [report.command_line(sys.argv)],
        "runs": options.runs,
        "versions": {runtime.label: version_of(runtime.words) for runtime in runtimes},
        "calls": {runtime.label: "gcc -O2" if runtime.words == [NATIVE] else report.command_line(runtime.words)
                  for runtime in runtimes},
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
    parser.add_argument("runtimes", nargs="*", metavar="LABEL[=COMMAND]")
    parser.add_argument("--wasmr", type=Path, default=ROOT / "target" / "release" / "wasmr", metavar="FILE",
                        help="the wasmr to measure in all modes, unless there are arguments (default target/release/wasmr)")
    parser.add_argument("--runs", type=int, default=5, help="measured runs of each, after one to warm up (default 5)")
    parser.add_argument("--prime", type=int, default=1, metavar="N",
                        help="unmeasured runs of a warm runtime before the measured ones (default 1)")
    parser.add_argument("--second", action="store_true",
                        help="measure strictly the second run: a new cache directory before each, filled by one run")
    parser.add_argument("--wasmtime-cache", type=Path, metavar="DIR",
                        help="keep the code of wasmtime there between calls, as it takes minutes to compile (default: a new one)")
    parser.add_argument("--group", action="append", default=[], help="only lines of this set or group; repeatable")
    parser.add_argument("--only", action="append", default=[], help="only lines whose name contains this; repeatable")
    parser.add_argument("--limit", type=int, default=300, help="seconds that one run may take (default 300)")
    parser.add_argument("--budget", type=float, default=20, help="no more runs once they took so many s (default 20)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all samples there")
    parser.add_argument("--out", type=Path, metavar="DIR", help="write programs.json, programs.md and plots there")
    parser.add_argument("--merge", action="store_true", help="keep the lines in DIR that are not measured now")
    parser.add_argument("--list", action="store_true", help="say what would be run, and run nothing")
    options = parser.parse_args()
    options.runs, options.prime = max(options.runs, 1), max(options.prime, 1)
    if options.merge and not options.out:
        parser.error("--merge needs --out")
    known = known_runtimes(options.wasmr)
    named = [named_runtime(argument, known) for argument in options.runtimes]
    runtimes = named or known
    lines = list(chosen(options))
    if options.list:
        for line in lines:
            words = " ".join(word if len(word) < 60 and "\n" not in word else "…" for word in line.arguments)
            print(f"{line.set:<7} {line.group:<22} {line.name:<16} {line.program.path.name} {words}")
        return

    result = begin(options, runtimes)
    adopt_orphans()
    # Without an option, no build of wasmr uses the cache of the user: a file is no directory.
    os.environ["WASMR_CACHE_DIR"] = os.devnull
    print(report.heading(result))
    with tempfile.TemporaryDirectory(prefix="compare-") as root:
        places = Places(root, options.wasmtime_cache)
        for line in lines:
            if missing := line.program.missing():
                print(f"{line.name:<16} skipped: {missing.name} is not there ({line.program.script})")
                continue
            some = [r for r in runtimes if named or r.label not in LEFT_OUT.get(line.set, ())]
            entry = {"set": line.set, "name": line.name, "group": line.group, "kind": line.program.kind}
            if any(runtime.is_warm() for runtime in some):
                entry["warm"] = warm_runs(options)
            add(result, {**entry, "results": measure(line, some, options, places)}, options)
    print(report.console_means(result))


def add(result, entry, options):
    """Adds the results of a line in the place of former ones, says them and writes all."""
    same = [at for at, old in enumerate(result["programs"]) if (old["set"], old["name"]) == (entry["set"], entry["name"])]
    if same:
        result["programs"][same[0]] = entry
    else:
        result["programs"].append(entry)
    order = {(line.set, line.name): at for at, line in enumerate(LINES)}
    result["programs"].sort(key=lambda entry: order.get((entry["set"], entry["name"]), len(order)))
    print(report.console_rows(result, entry))
    sys.stdout.flush()
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n")
    if options.out:
        report.write_all(result, options.out)


if __name__ == "__main__":
    main()
