"""The figures as tables, which are Markdown and can be read on a terminal too."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.contenders import LOOP, NAMES, STOCK, TAP
from bench.figures import contenders_of, goals, middle, ratio, series

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bench.figures import Figures


def text(results: Figures) -> str:
    """Return everything that was found."""
    return "\n".join(_lines(results)) + "\n"


def _lines(results: Figures) -> Iterator[str]:
    about = results["about"]
    machine = f"{about['machine']}, {about['cores']} cores, {about['system']}"
    yield f"Taken {about['taken']} on {machine}."
    versions = ", ".join(f"{name} {version}" for name, version in about["versions"].items())
    yield f"{versions}; commit {about['commit']}."
    yield f"Load of the machine before: {about['load']}. {about['minutes']} minutes in all."
    sections = (
        ("Goals", _goals),
        ("Throughput", _throughput),
        ("Start-up", _startup),
        ("Whole companies", _companies),
        ("Call budget", _budget),
        ("The servers alone", _servers),
        ("Where the tap's time goes", _profile),
    )
    for title, section in sections:
        yield from ("", f"### {title}", "")
        yield from section(results)


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Yield a Markdown table whose columns stand below one another; figures to the right."""
    widths = [max(len(cell) for cell in column) for column in zip(heads, *rows, strict=True)]
    right = [all(row[i][:1].isdigit() or not row[i] for row in rows) for i in range(len(heads))]

    def line(cells: Sequence[str]) -> str:
        padded = (
            cell.rjust(width) if to_right else cell.ljust(width)
            for cell, width, to_right in zip(cells, widths, right, strict=True)
        )
        return f"| {' | '.join(padded)} |"

    yield line(heads)
    rules = ("-" * (w + 1) + (":" if r else "-") for w, r in zip(widths, right, strict=True))
    yield f"|{'|'.join(rules)}|"
    yield from (line(row) for row in rows)


def _goals(results: Figures) -> Iterator[str]:
    rows = [(goal.what, goal.measured, "yes" if goal.met else "**no**") for goal in goals(results)]
    yield from _table(("Goal", "Measured", "Met"), rows)


def _throughput(results: Figures) -> Iterator[str]:
    heads = ("Stream", "Latency", "Contender", "Steady rows/s", "CPU µs/row", "x stock", "x loop")
    whole = ("Rows", "Rows/s, start-up and all", "Peak MB", "Calls")
    rows = []
    for stream, latency, contender, measured in contenders_of(results):
        against = [series(results, stream, latency, name) for name in (STOCK, LOOP)]
        times = [f"{ratio(measured.steady, o.steady):.2f}" if o else "" for o in against]
        steady = f"{middle(measured.steady):.0f}"
        for place, size in enumerate(measured.sizes):
            last = place == len(measured.sizes) - 1
            slope = (steady, f"{measured.cpu:.1f}", *times) if last else ("", "", "", "")
            each = (measured.whole(place), measured.rss(place), measured.calls(place))
            cells = (stream, f"{latency} ms", NAMES[contender], *slope, f"{size}")
            rows.append((*cells, *(f"{figure:.0f}" for figure in each)))
    yield from _table((*heads, *whole), rows)


def _startup(results: Figures) -> Iterator[str]:
    rows = [
        (NAMES[name], *(f"{middle(results['startup'][s][name]):.2f} s" for s in ("warm", "cold")))
        for name in (TAP, STOCK, LOOP)
    ]
    yield from _table(("A whole run without rows", "Warm", "Cold (nothing compiled)"), rows)


def _companies(results: Figures) -> Iterator[str]:
    heads = ("Companies", "Latency", "Rows", "Calls", "Seconds", "CPU s", "Peak MB", "At once")
    rows = [
        (
            f"{found['companies']}",
            f"{one['latency']} ms",
            f"{one['records']}",
            f"{one['calls']}",
            f"{one['seconds']:.2f}",
            f"{one['cpu']:.2f}",
            f"{one['rss'] / 1e6:.0f}",
            f"{one['most_at_once']}",
        )
        for found in (results["company"], results["agreements"])
        for one in found["rounds"]
    ]
    yield from _table(heads, rows)
    for found in (results["company"], results["agreements"]):
        yield ""
        yield (
            f"{found['companies']} companies: calls / {found['at_once']} x latency is "
            f"{found['least_seconds']:.1f} s; it took {found['seconds']:.1f} s."
        )


def _budget(results: Figures) -> Iterator[str]:
    found = results["budget"]
    heads = ("Tokens", "Seconds", "Calls", "Overall", "Steady", "In any window", "Fullest", "429")
    row = (
        f"{found['limit']} per {found['window']} s",
        f"{found['seconds']:.0f}",
        f"{found['calls']}",
        *(f"{found[name]:.1%}" for name in ("overall", "steady", "most", "fullest")),
        f"{found['refused']}",
    )
    yield from _table(heads, [row])


def _servers(results: Figures) -> Iterator[str]:
    fast, slow = results["server"], [results["company"], results["agreements"]]
    rows = [(f"bench server, {stream}", f"{rate} rows/s") for stream, rate in fast.items()]
    for found in slow:
        name = f"sandbox, what {found['companies']} companies were asked"
        rows.append((name, f"{found['server_calls_per_second']} calls/s"))
    yield from _table(("Server", "Rate, to a client that throws all away"), rows)


def _profile(results: Figures) -> Iterator[str]:
    found = results["profile"]
    if "missing" in found:
        yield f"Not taken: {found['missing']}"
        return
    yield f"{found['samples']} samples of {found['rows']} rows of booked_entries at 0 ms, all"
    yield "threads, while Python runs (the GIL is held); imports left out."
    yield ""
    own = [(frame, f"{share:.1%}") for frame, share in found["own"]]
    yield from _table(("Innermost function", "Share"), own)
    yield ""
    inside = [(frame, f"{share:.1%}") for frame, share in found["inside"]]
    yield from _table(("Function of the tap, with all it calls", "Share"), inside)
