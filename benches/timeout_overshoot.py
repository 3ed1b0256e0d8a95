#!/usr/bin/env python3
"""Measures how late `--timeout` ends a run: in a busy loop, in a sleeping poll_oneoff, and in a blocked fd_read.

    benches/timeout_overshoot.py                              100 runs of each with target/release/wasmr
    benches/timeout_overshoot.py --runs 20 --timeout-ms 500 path/to/wasmr

A run is late by the time from its start to its end, as the parent sees both, minus the timeout; starting the process counts.
Standard input is a pipe that stays open and silent. Fails if any run was early, was more than --limit-ms late, or did not
exit with 124. Only the standard library is used.
"""

import argparse
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
GUEST = ROOT / "tests" / "guests" / "loop.wasm"
HOWS = {"spin": "busy loop", "sleep": "poll_oneoff", "read": "fd_read"}


def late_by(wasmr, how, timeout_ms):
    """Runs once. Returns the milliseconds by which it ended late."""
    words = [wasmr, "run", "--timeout", f"{timeout_ms}ms", str(GUEST), how]
    begin = time.monotonic()
    null, uncached = subprocess.DEVNULL, {**os.environ, "WASMR_CACHE_DIR": os.devnull}
    process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=null, stderr=null, env=uncached)
    # Not `communicate`: that would close the pipe, and the read would end by itself.
    code = process.wait(timeout=60)
    took = (time.monotonic() - begin) * 1000
    process.stdin.close()
    if code != 124:
        sys.exit(f"{how}: exit code {code} instead of 124")
    return took - timeout_ms


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("wasmr", nargs="?", default=str(ROOT / "target" / "release" / "wasmr"))
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--timeout-ms", type=int, default=200)
    parser.add_argument("--limit-ms", type=float, default=100)
    options = parser.parse_args()
    failed = False
    print(f"{options.runs} runs each, --timeout {options.timeout_ms}ms; milliseconds late:")
    print(f"{'guest is in':<12} {'least':>7} {'median':>7} {'95 %':>7} {'most':>7}")
    for how, name in HOWS.items():
        late = sorted(late_by(options.wasmr, how, options.timeout_ms) for _ in range(options.runs))
        at95 = late[min(len(late) - 1, len(late) * 95 // 100)]
        verdict = ""
        if late[0] < 0 or late[-1] > options.limit_ms:
            failed, verdict = True, f"  FAILED: 0 to {options.limit_ms:g} allowed"
        print(f"{name:<12} {late[0]:>7.1f} {statistics.median(late):>7.1f} {at95:>7.1f} {late[-1]:>7.1f}{verdict}")
    sys.exit(failed)


if __name__ == "__main__":
    main()
