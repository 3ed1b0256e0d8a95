#!/usr/bin/env python3
"""Tables and plots of what compare.py measured.

    benches/report.py benches/results       makes programs.md and the plots again from programs.json

In: the dictionary that compare.py writes as programs.json: all samples, which runtimes, which machine, which command.
Out: rows for the terminal, a Markdown file, SVG plots. A ratio is always "times as much as the base", which is the first
runtime unless the set has another; below 1 the peer was faster. Geometric means take the programs that both ran, and say how
many those were. Programs are summed up by the sets of compare.py; each set has its tables and plots.
"""

import json
import math
import shlex
import statistics
import sys
from pathlib import Path
from typing import NamedTuple
from xml.sax.saxutils import escape

MEASURES = [
    ("wall", "Wall time", "s", "what a user waits, from start to end of the process"),
    ("cpu", "CPU time", "s", "all threads together, so a compiler in the background shows"),
    ("peak", "Peak memory", "MiB", "largest resident set of the process"),
    ("pause", "Longest pause", "ms", "longest time for which the collector stopped the program; wasmtime does not tell it"),
]
COLOURS = ["#111111", "#d1495b", "#00798c", "#edae49", "#66a182", "#7b5ea7", "#8d6e63", "#2e4057", "#f08a5d", "#4cb5f5",
           "#c44ec4", "#9aa300"]


def command_line(words):
    """Returns WORDS as one would type them, with programs by their names: paths depend on the machine."""
    shown = []
    for place, word in enumerate(words):
        path = Path(word)
        shown.append("/".join(path.parts[-1 if place == 0 else -2 :]) if path.is_absolute() else word)
    return " ".join(map(shlex.quote, shown))


def value(entry, label, measure):
    """Returns the median of one program on one runtime, or None; of several runtimes the least."""
    if not isinstance(label, str):
        return min((v for one in label if (v := value(entry, one, measure)) is not None), default=None)
    found = entry["results"].get(label, {}).get(measure)
    if found is None:
        return None
    return statistics.median(found) if isinstance(found, list) else found


def ratio(entry, base, label, measure):
    ours, theirs = value(entry, base, measure), value(entry, label, measure)
    return None if ours is None or theirs is None else theirs / max(ours, 1e-9)


class Set(NamedTuple):
    """Lines with one summary."""

    key: str
    title: str
    meaning: str
    groups: dict  # key: what it is
    measures: list  # the columns that say something about them
    base: str = ""  # what ratios refer to, if it was measured; else the first runtime
    goal: tuple = ()  # (runtime, peers…): how much of each peer the runtime takes


SETS = [
    Set("total", "Whole programs, cold", "Total time: what a user waits, start-up and compiling included.", {
        "start": "programs that only start",
        "scripts": "scripts in interpreters written in C",
        "programs": "programs in C, C++, Go and Rust",
        "kernels": "kernels",
    }, ["wall", "cpu", "peak"]),
    Set("short", "Short runs", "The same and other programs with so little to do that they end within tens of milliseconds.", {
        "short": "short runs",
    }, ["wall", "cpu"]),
    Set("wide", "Wide programs", "First runs of programs that call thousands of functions, none of them often.", {
        "wide": "programs with thousands of warm functions",
    }, ["wall", "cpu", "peak"], goal=("wasmr", "wasmr interp", "wasmtime warm", "node")),
    Set("steady", "Steady state", "Programs that run for seconds even as compiled code: starting and compiling count, but hardly.", {
        "steady scripts": "scripts in interpreters written in C",
        "steady programs": "programs in C, C++, Go and Rust",
        "steady kernels": "kernels",
        "steady calls": "calls",
        "steady indirect calls": "calls through tables of functions",
    }, ["wall", "cpu", "peak"]),
    Set("gc", "Garbage collection", "Programs with structs and arrays, most of whose time goes to making, using and freeing them.", {
        "gc": "programs with collected objects",
    }, ["wall", "cpu", "peak", "pause"]),
    Set("warm", "Second run", "A program that has run before: what a cache of the first run saves.", {
        "warm": "programs of all kinds",
    }, ["wall", "cpu", "peak"], base="wasmr warm", goal=("wasmr warm", "wasmtime warm")),
    Set("component", "Components", "Components made from C, Python and JavaScript: first runs and later ones.", {
        "component": "components",
    }, ["wall", "cpu", "peak"]),
]

# A peer that is always the better of two, where that is the question.
BEST_OF = {"short": ("wasmi", "wasmtime cold")}

# Seconds of a run that counts as short.
SHORT = (0.010, 0.500)


def upgraded(result):
    """Returns RESULT in today's form, whichever version wrote it."""
    if "command" in result:
        result["commands"] = [result.pop("command")]
    for entry in result["programs"]:
        entry.setdefault("set", "total")
    return result


def of_set(result, key):
    return [entry for entry in result["programs"] if entry["set"] == key]


def base_of(result, key):
    """Returns the runtime that the ratios of a set refer to."""
    labels = list(result["versions"])
    wanted = next((kind.base for kind in SETS if kind.key == key), "")
    return wanted if wanted in labels else labels[0]


def peers_of(result, key):
    """Returns the runtimes of a set but its base, in order; and the better of two, if that is asked."""
    labels = [label for label in result["versions"] if label != base_of(result, key)]
    peers = [label for label in labels if any(label in entry["results"] for entry in of_set(result, key))]
    best = BEST_OF.get(key)
    return peers + ([best] if best and set(best) <= set(peers) else [])


def shown(label):
    return label if isinstance(label, str) else f"better of {' and '.join(label)}"


def ratios(entries, base, label, measure):
    """[(ratio, name of the program)] of those that both ran."""
    return [(r, entry["name"]) for entry in entries if (r := ratio(entry, base, label, measure)) is not None]


def mean(entries, base, label, measure):
    """Returns the geometric mean of ratios, and their number."""
    found = [r for r, _ in ratios(entries, base, label, measure)]
    return (math.exp(statistics.fmean(map(math.log, found))), len(found)) if found else (None, 0)


def worst(entries, base, label, measure):
    """Returns the ratio that speaks most for a peer, and the name of the program, or None."""
    return min(ratios(entries, base, label, measure), default=None)


def verdict(result, kind):
    """Returns sentences that say how much of its peers the runtime of a set's goal takes, by measures."""
    entries, said = of_set(result, kind.key), []
    for peer in kind.goal[1:]:
        ours = kind.goal[0]
        for measure, title, *_ in MEASURES:
            found = ratios(entries, peer, ours, measure)
            if found:
                among = max(found)
                said.append(f"{title}: {ours} takes {mean(entries, peer, ours, measure)[0]:.2f} of {peer}'s (geometric mean of"
                            f" {len(found)} programs); at most {among[0]:.2f} ({among[1]}).")
    return said


def left_behind(entry, label):
    """Returns words on the processes that the runs left behind, if any."""
    if not (cpu := value(entry, label, "after_cpu")):
        return ""
    return f", then {cpu:.3f} s of CPU and {value(entry, label, 'after_peak'):.1f} MiB"


def longest_pause(entry, label):
    """Returns words on the collector's longest pause, if it is known."""
    pause = value(entry, label, "pause")
    return f", pause {pause:.1f} ms" if pause else ""


def heading(result):
    columns = f"{'wall s':>8} {'ratio':>6} {'cpu s':>8} {'ratio':>6} {'peak MiB':>9}  min..max wall"
    bases = {base_of(result, kind.key): None for kind in SETS}
    return f"ratios: times as much as {' or '.join(bases)}, which has none\n{'program':<16} {'runtime':<14} {columns}"


def console_rows(result, entry):
    rows, base = [], base_of(result, entry["set"])
    for label, found in entry["results"].items():
        if "failed" in found:
            rows.append(f"{entry['name']:<16} {label:<14} {found['failed']}")
            continue
        wall, cpu = (ratio(entry, base, label, measure) for measure in ("wall", "cpu"))
        wall, cpu = (f"{r:6.2f}" if r and label != base else "     -" for r in (wall, cpu))
        rows.append(
            f"{entry['name']:<16} {label:<14} {value(entry, label, 'wall'):8.3f} {wall}"
            f" {value(entry, label, 'cpu'):8.3f} {cpu} {found['peak']:9.1f}"
            f"  {min(found['wall']):.3f}..{max(found['wall']):.3f}{longest_pause(entry, label)}{left_behind(entry, label)}"
        )
    return "\n".join(rows)


def console_means(result):
    rows = []
    for kind in SETS:
        entries, base = of_set(result, kind.key), base_of(result, kind.key)
        for label in peers_of(result, kind.key) if entries else []:
            means = [(measure, *mean(entries, base, label, measure)) for measure in kind.measures]
            if means[0][1]:
                words = ", ".join(f"{measure} {g:.2f}" for measure, g, _ in means if g)
                least = ", ".join(f"{measure} {found[0]:.2f} ({found[1]})" for measure in kind.measures
                                  if (found := worst(entries, base, label, measure)))
                rows.append(f"geometric mean of {kind.key:<7} {shown(label):<32} {words}"
                            f"  ({means[0][2]} programs; least {least})")
        if entries:
            rows += verdict(result, kind)
    return "\n".join(rows)


def markdown(result):
    labels = list(result["versions"])
    out = [
        "# Whole programs",
        "",
        f"Measured {result['date']} on: {result['machine']} (shared with other work). At least {result['runs']}"
        " interleaved runs of each, fewer only of those that take many seconds; medians. Made by:",
        "",
        "```console",
        *(f"$ {command}" for command in result["commands"]),
        "```",
        "",
        "| runtime | version | called as |",
        "|---|---|---|",
    ]
    out += [f"| {label} | {result['versions'][label]} | `{result['calls'][label]}` |" for label in labels]
    out += ["", "## Summary", "", "Geometric means of the programs that both run, as times as much as the runtime named in"
            " the first column: below 1 the peer needed less. *Least* is the program that speaks most for the peer; the median does not mind one that is far off."]
    present = [kind for kind in SETS if of_set(result, kind.key)]
    for kind in present:
        out += ["", f"### {kind.title}", "", kind.meaning]
        if warm := sorted({entry["warm"] for entry in of_set(result, kind.key) if "warm" in entry}):
            out.append(f"A run that is called *warm* is {', or '.join(warm)}.")
        out += ["", *summary(result, kind)]
        if said := verdict(result, kind):
            out += ["", *(f"- {sentence}" for sentence in said)]
    for kind in present:
        for measure, title, unit, meaning in MEASURES:
            if measure in kind.measures:
                out += ["", f"## {kind.title}: {title}", "", *table(result, kind, measure, unit, meaning)]
    failures = [
        f"- {entry['name']} ({entry['set']}), {label}: {found['failed']}"
        for entry in result["programs"] for label, found in entry["results"].items() if "failed" in found
    ]
    if failures:
        out += ["", "## What did not run", "", *failures]
    for name, title, *_ in plots(result):
        out += ["", f"![{title}](programs-{name}.svg)"]
    return "\n".join([*out, ""])


def table(result, kind, measure, unit, meaning):
    """One measure of the programs of a set, as rows of a Markdown table."""
    base = base_of(result, kind.key)
    peers, entries = peers_of(result, kind.key), of_set(result, kind.key)
    out = [
        f"{meaning[0].upper()}{meaning[1:]}. The column of {base} is in {unit}; the others are times as much as"
        f" {base} (below 1 the peer needed less).",
        "",
        f"| program | what it is | {base} {unit} | " + " | ".join(map(shown, peers)) + " |",
        "|---|---|--:|" + "--:|" * len(peers),
    ]
    for entry in entries:
        ours = value(entry, base, measure)
        cells = []
        for label in peers:
            if (r := ratio(entry, base, label, measure)) is not None:
                cells.append(f"{r:.2f}")
            else:
                failed = isinstance(label, str) and "failed" in entry["results"].get(label, {})
                cells.append("does not run it" if failed else "")
        digits = 1 if unit == "MiB" else 3
        ours = entry["results"].get(base, {}).get("failed", "") if ours is None else f"{ours:.{digits}f}"
        out.append(f"| {entry['name']} | {entry['kind']} | {ours} | " + " | ".join(cells) + " |")
    means = [mean(entries, base, label, measure) for label in peers]
    after = f"after_{measure}"
    behind = [f"{entry['name']} {v:.{digits}f}" for entry in entries if (v := value(entry, base, after))]
    out.append("| **geometric mean** | of the programs that both run | | "
               + " | ".join(f"**{g:.2f}** ({n})" if g else "" for g, n in means) + " |")
    if behind:
        out += ["", f"Beyond that, processes that a run of {base} left behind took, in {unit}: {', '.join(behind)}."]
    if kind.key == "short" and measure == "wall":
        times = [t for entry in entries if (t := value(entry, base, measure)) is not None]
        inside = sum(SHORT[0] <= t <= SHORT[1] for t in times)
        out += ["", f"{inside} of {len(times)} took {base} {SHORT[0] * 1e3:.0f} to {SHORT[1] * 1e3:.0f} ms."]
    return out


def summary(result, kind):
    """Geometric means of a set: wall time by groups and at worst, the other measures of all."""
    base = base_of(result, kind.key)
    peers, entries = peers_of(result, kind.key), of_set(result, kind.key)
    titles = {measure: title for measure, title, *_ in MEASURES}
    out = [f"| times as much as {base} | " + " | ".join(map(shown, peers)) + " |", "|---|" + "--:|" * len(peers)]

    def row(what, some, measure):
        means = [mean(some, base, label, measure)[0] for label in peers]
        out.append(f"| {what} | " + " | ".join(f"{g:.2f}" if g else "" for g in means) + " |")

    for group, what in kind.groups.items() if len(kind.groups) > 1 else ():
        if some := [entry for entry in entries if entry["group"] == group]:
            row(f"{titles['wall']}: {what} ({', '.join(entry['name'] for entry in some)})", some, "wall")
    for measure in kind.measures:
        row(f"**{titles[measure]}, all {len(entries)}**", entries, measure)
        if measure == "wall":
            medians = [[r for r, _ in ratios(entries, base, label, measure)] for label in peers]
            out.append("| median | " + " | ".join(f"{statistics.median(m):.2f}" if m else "" for m in medians) + " |")
        if measure == "wall" or kind.goal:
            least = [worst(entries, base, label, measure) for label in peers]
            out.append("| least | " + " | ".join(f"{found[0]:.2f} ({found[1]})" if found else "" for found in least) + " |")
    return out


def plots(result):
    """[(name of the file, title, entries, runtimes, measure, factor to a unit of its own or None for ratios)]"""
    total, short, wide, steady, gc, warm, component = (
        of_set(result, key) for key in ("total", "short", "wide", "steady", "gc", "warm", "component"))
    start = [entry for entry in total if entry["group"] == "start"]
    rows = [
        ("start", "Time to start and end, in milliseconds", start, "total", "wall", 1e3),
        ("total", "Total time, cold", total, "total", "wall", None),
        ("short", "Total time of short runs", short, "short", "wall", None),
        ("wide", "Time of the first run of wide programs", wide, "wide", "wall", None),
        ("steady", "Time in steady state", steady, "steady", "wall", None),
        ("peak", "Peak memory", total, "total", "peak", None),
        ("cpu", "Processor time, cold", total, "total", "cpu", None),
        ("gc", "Time of programs with collected objects", gc, "gc", "wall", None),
        ("warm", "Time of the second run", warm, "warm", "wall", None),
        ("warm-peak", "Peak memory of the second run", warm, "warm", "peak", None),
        ("component", "Time of components", component, "component", "wall", None),
    ]
    for name, title, entries, key, measure, factor in rows:
        known = [base_of(result, key)] + [label for label in peers_of(result, key) if isinstance(label, str)]
        if any(value(entry, label, measure) for entry in entries for label in known):
            yield name, title, entries, known, measure, factor


def svg(result, title, entries, labels, measure, factor):
    """One row per program, one dot per runtime, on a logarithmic axis: of ratios, with a last row of geometric means, or of
    values times FACTOR."""
    base = labels[0]
    if factor:
        said = f"{title} (left is less, {result['date']})"
        rows = [(entry["name"], [v and v * factor for v in (value(entry, label, measure) for label in labels)])
                for entry in entries]
    else:
        said = f"{title}: times as much as {base}, left is less ({result['date']})"
        rows = [(entry["name"], [ratio(entry, base, label, measure) for label in labels]) for entry in entries]
        rows.append(("geometric mean", [mean(entries, base, label, measure)[0] for label in labels]))
    seen = [v for _, values in rows for v in values if v]
    low, high = math.floor(math.log2(min(seen))), math.ceil(math.log2(max(seen)))
    left, width, step = 130, 640, 22
    # The legend takes as many lines as it needs.
    places, at, line = [], left, 0
    for label in labels:
        if at + 15 + 7 * len(label) > left + width + 20:
            at, line = left, line + 1
        places.append((at, 38 + 18 * line))
        at += 30 + 7 * len(label)
    top = 62 + 18 * line
    height = top + step * len(rows) + 36

    def x(v):
        return left + (math.log2(v) - low) / max(high - low, 1) * width

    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + width + 30}" height="{height}"'
        f' viewBox="0 0 {left + width + 30} {height}" font-family="sans-serif" font-size="12">',
        '<rect width="100%" height="100%" fill="white"/>',
        f'<text x="10" y="20" font-size="15">{escape(said)}</text>',
    ]
    colours = {label: COLOURS[at % len(COLOURS)] for at, label in enumerate(result["versions"])}
    for label, (at, y) in zip(labels, places):
        out.append(f'<circle cx="{at}" cy="{y}" r="5" fill="{colours[label]}"/>')
        out.append(f'<text x="{at + 9}" y="{y + 4}">{escape(label)}</text>')
    bottom = top + step * len(rows)
    for power in range(low, high + 1):
        place = x(2.0**power)
        text = f"{2**power}" if power >= 0 else f"1/{2**-power}"
        shade = "#888" if power == 0 and not factor else "#ddd"
        out.append(f'<line x1="{place:.1f}" y1="{top - 6}" x2="{place:.1f}" y2="{bottom}" stroke="{shade}"/>')
        out.append(f'<text x="{place:.1f}" y="{bottom + 16}" text-anchor="middle" fill="#555">{text}</text>')
    for index, (name, values) in enumerate(rows):
        y = top + step * index + step / 2
        weight = ' font-weight="bold"' if not factor and index == len(rows) - 1 else ""
        out.append(f'<text x="{left - 10}" y="{y + 4:.1f}" text-anchor="end"{weight}>{escape(name)}</text>')
        present = [x(v) for v in values if v]
        if present:
            out.append(f'<line x1="{min(present):.1f}" y1="{y}" x2="{max(present):.1f}" y2="{y}" stroke="#ccc"/>')
        # The first runtime last, so that no other dot covers it.
        for label, v in reversed(list(zip(labels, values))):
            if v:
                out.append(
                    f'<circle cx="{x(v):.1f}" cy="{y}" r="5" fill="{colours[label]}" fill-opacity="0.85">'
                    f"<title>{escape(name)}, {escape(label)}: {v:.2f}</title></circle>"
                )
    return "\n".join([*out, "</svg>", ""])


def write_all(result, to):
    """programs.json, programs.md and the plots, into the directory TO."""
    to.mkdir(parents=True, exist_ok=True)
    (to / "programs.json").write_text(json.dumps(result, indent=1) + "\n")
    (to / "programs.md").write_text(markdown(result))
    # None of another measurement stays.
    for old in to.glob("programs-*.svg"):
        old.unlink()
    for name, *what in plots(result):
        (to / f"programs-{name}.svg").write_text(svg(result, *what))


if __name__ == "__main__":
    directory = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).resolve().parent / "results")
    write_all(upgraded(json.loads((directory / "programs.json").read_text())), directory)
