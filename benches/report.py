#!/usr/bin/env python3
"""Tables and plots of what compare.py measured.

    benches/report.py benches/results       makes programs.md and the plots again from programs.json

In: the dictionary that compare.py writes as programs.json: all samples, which runtimes, which machine, which command.
Out: rows for the terminal, a Markdown file, SVG plots. A ratio is always "times as much as the first runtime"; below 1
the peer was faster. Geometric means take the programs that both ran, and say how many those were.
"""

import json
import math
import shlex
import statistics
import sys
from pathlib import Path
from xml.sax.saxutils import escape

MEASURES = [
    ("wall", "Wall time", "s", "what a user waits, from start to end of the process"),
    ("cpu", "CPU time", "s", "all threads together, so a compiler in the background shows"),
    ("peak", "Peak memory", "MiB", "largest resident set of the process"),
]
COLOURS = ["#111111", "#d1495b", "#00798c", "#edae49", "#66a182", "#7b5ea7", "#8d6e63", "#2e4057"]


def command_line(words):
    """WORDS as one would type them, programs by their names only: where they lie is a matter of the machine."""
    shown = []
    for place, word in enumerate(words):
        path = Path(word)
        shown.append("/".join(path.parts[-1 if place == 0 else -2 :]) if path.is_absolute() else word)
    return " ".join(map(shlex.quote, shown))


def value(entry, label, measure):
    """The median of one program on one runtime, or None."""
    found = entry["results"].get(label, {}).get(measure)
    if found is None:
        return None
    return statistics.median(found) if isinstance(found, list) else found


def ratio(entry, base, label, measure):
    ours, theirs = value(entry, base, measure), value(entry, label, measure)
    return None if ours is None or theirs is None else theirs / max(ours, 1e-9)


GROUPS = {
    "start": "programs that only start",
    "scripts": "scripts in interpreters written in C",
    "programs": "programs in C, C++, Go and Rust",
    "kernels": "kernels",
}


def mean(result, base, label, measure, group=None):
    """The geometric mean of ratios, of all programs or of a group, and of how many."""
    ratios = [
        r
        for entry in result["programs"]
        if (group is None or entry["group"] == group) and (r := ratio(entry, base, label, measure))
    ]
    return (math.exp(statistics.fmean(map(math.log, ratios))), len(ratios)) if ratios else (None, 0)


def heading(labels):
    columns = f"{'wall s':>8} {'ratio':>6} {'cpu s':>8} {'ratio':>6} {'peak MiB':>9}  min..max wall"
    return f"ratios: times as much as {labels[0]}\n{'program':<16} {'runtime':<14} {columns}"


def console_rows(entry):
    rows, base = [], next(iter(entry["results"]))
    for label, found in entry["results"].items():
        if "failed" in found:
            rows.append(f"{entry['name']:<16} {label:<14} {found['failed']}")
            continue
        wall, cpu = (ratio(entry, base, label, measure) for measure in ("wall", "cpu"))
        wall, cpu = (f"{r:6.2f}" if r and label != base else "     -" for r in (wall, cpu))
        rows.append(
            f"{entry['name']:<16} {label:<14} {value(entry, label, 'wall'):8.3f} {wall}"
            f" {value(entry, label, 'cpu'):8.3f} {cpu} {found['peak']:9.1f}"
            f"  {min(found['wall']):.3f}..{max(found['wall']):.3f}"
        )
    return "\n".join(rows)


def console_means(result):
    labels = list(result["versions"])
    rows = []
    for label in labels[1:]:
        means = [mean(result, labels[0], label, measure) for measure, *_ in MEASURES]
        if means[0][0]:
            words = ", ".join(f"{m[0]} {g:.2f}" for m, (g, _) in zip(MEASURES, means))
            rows.append(f"geometric mean   {label:<14} {words}  ({means[0][1]} programs)")
    return "\n".join(rows)


def markdown(result):
    labels = list(result["versions"])
    base, peers = labels[0], labels[1:]
    out = [
        "# Whole programs",
        "",
        f"Measured {result['date']} on: {result['machine']} (shared with other work). At least {result['runs']}"
        " interleaved runs of each, fewer only of those that take many seconds; medians. Made by:",
        "",
        "```console",
        f"$ {result['command']}",
        "```",
        "",
        "| runtime | version | called as |",
        "|---|---|---|",
    ]
    out += [f"| {label} | {result['versions'][label]} | `{result['calls'][label]}` |" for label in labels]
    out += ["", "## Summary", "", "Geometric means of the programs that both run; below 1 the peer needed less."]
    for measure, title, *_ in MEASURES:
        out += ["", *summary(result, measure, title)]
    for measure, title, unit, meaning in MEASURES:
        out += [
            "",
            f"## {title}",
            "",
            f"{meaning[0].upper()}{meaning[1:]}. The column of {base} is in {unit}; the others are times as much as"
            f" {base} (below 1 the peer needed less).",
            "",
            f"| program | what it is | {base} {unit} | " + " | ".join(peers) + " |",
            "|---|---|--:|" + "--:|" * len(peers),
        ]
        for entry in result["programs"]:
            ours = value(entry, base, measure)
            cells = []
            for label in peers:
                if (r := ratio(entry, base, label, measure)) is not None:
                    cells.append(f"{r:.2f}")
                else:
                    cells.append("does not run it" if "failed" in entry["results"].get(label, {}) else "")
            digits = 1 if unit == "MiB" else 3
            ours = entry["results"][base].get("failed", "") if ours is None else f"{ours:.{digits}f}"
            out.append(f"| {entry['name']} | {entry['kind']} | {ours} | " + " | ".join(cells) + " |")
        means = [mean(result, base, label, measure) for label in peers]
        out.append("| **geometric mean** | of the programs that both run | | "
                   + " | ".join(f"**{g:.2f}** ({n})" if g else "" for g, n in means) + " |")
    failures = [
        f"- {entry['name']}, {label}: {found['failed']}"
        for entry in result["programs"] for label, found in entry["results"].items() if "failed" in found
    ]
    if failures:
        out += ["", "## What did not run", "", *failures]
    out += ["", "![wall time](programs-wall.svg)", "", "![CPU time](programs-cpu.svg)", "",
            "![peak memory](programs-peak.svg)", ""]
    return "\n".join(out)


def summary(result, measure, title):
    """Geometric means of one measure by groups of programs, as rows of a Markdown table."""
    labels = list(result["versions"])
    base, peers = labels[0], labels[1:]
    out = [f"| {title}, times as much as {base} | " + " | ".join(peers) + " |", "|---|" + "--:|" * len(peers)]
    for group, what in [*GROUPS.items(), (None, "all")]:
        names = [entry["name"] for entry in result["programs"] if group in (None, entry["group"])]
        if names:
            means = [mean(result, base, label, measure, group)[0] for label in peers]
            what = f"{what} ({', '.join(names)})" if group else f"**{what} {len(names)}**"
            out.append(f"| {what} | " + " | ".join(f"{g:.2f}" if g else "" for g in means) + " |")
    return out


def svg(result, measure, title):
    """One row per program, one dot per runtime, on a logarithmic axis of ratios; a last row of geometric means."""
    labels = list(result["versions"])
    base = labels[0]
    rows = [(entry["name"], [ratio(entry, base, label, measure) for label in labels]) for entry in result["programs"]]
    rows.append(("geometric mean", [mean(result, base, label, measure)[0] for label in labels]))
    seen = [r for _, ratios in rows for r in ratios if r]
    low, high = math.floor(math.log2(min(seen))), math.ceil(math.log2(max(seen)))
    left, top, width, step = 130, 62, 640, 22
    height = top + step * len(rows) + 36

    def x(r):
        return left + (math.log2(r) - low) / max(high - low, 1) * width

    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + width + 30}" height="{height}"'
        f' viewBox="0 0 {left + width + 30} {height}" font-family="sans-serif" font-size="12">',
        f'<rect width="100%" height="100%" fill="white"/>',
        f'<text x="10" y="20" font-size="15">{escape(title)}: times as much as {escape(base)}, left is less'
        f' ({result["date"]})</text>',
    ]
    at = left
    for index, label in enumerate(labels):
        out.append(f'<circle cx="{at}" cy="38" r="5" fill="{COLOURS[index % len(COLOURS)]}"/>')
        out.append(f'<text x="{at + 9}" y="42">{escape(label)}</text>')
        at += 30 + 7 * len(label)
    bottom = top + step * len(rows)
    for power in range(low, high + 1):
        place = x(2.0**power)
        text = f"{2**power}" if power >= 0 else f"1/{2**-power}"
        shade = "#888" if power == 0 else "#ddd"
        out.append(f'<line x1="{place:.1f}" y1="{top - 6}" x2="{place:.1f}" y2="{bottom}" stroke="{shade}"/>')
        out.append(f'<text x="{place:.1f}" y="{bottom + 16}" text-anchor="middle" fill="#555">{text}</text>')
    for index, (name, ratios) in enumerate(rows):
        y = top + step * index + step / 2
        weight = ' font-weight="bold"' if index == len(rows) - 1 else ""
        out.append(f'<text x="{left - 10}" y="{y + 4:.1f}" text-anchor="end"{weight}>{escape(name)}</text>')
        present = [x(r) for r in ratios if r]
        if present:
            out.append(f'<line x1="{min(present):.1f}" y1="{y}" x2="{max(present):.1f}" y2="{y}" stroke="#ccc"/>')
        for place, r in enumerate(ratios):
            if r:
                colour = COLOURS[place % len(COLOURS)]
                out.append(
                    f'<circle cx="{x(r):.1f}" cy="{y}" r="5" fill="{colour}" fill-opacity="0.85">'
                    f"<title>{escape(name)}, {escape(labels[place])}: {r:.2f}</title></circle>"
                )
    return "\n".join([*out, "</svg>", ""])


def write_all(result, to):
    """programs.json, programs.md and a plot of each measure, into the directory TO."""
    to.mkdir(parents=True, exist_ok=True)
    (to / "programs.json").write_text(json.dumps(result, indent=1) + "\n")
    (to / "programs.md").write_text(markdown(result))
    for measure, title, *_ in MEASURES:
        (to / f"programs-{measure}.svg").write_text(svg(result, measure, title))


if __name__ == "__main__":
    directory = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).resolve().parent / "results")
    write_all(json.loads((directory / "programs.json").read_text()), directory)
