"""From what was measured to what it says: ratios, whether the goals are met, and tables."""

from __future__ import annotations

from math import isnan, nan
from statistics import median
from typing import TYPE_CHECKING, Any, NamedTuple

from bench.contenders import CONCURRENCY, LOOP, NAMES, STOCK, TAP
from bench.listings import PAGE

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bench.cases import Figures


def slopes(figures: Figures, contender: str, what: str) -> list[float]:
    """Return `seconds` or `cpu` a row beyond the start, round by round.

    Not a number where the larger size took no longer, which only noise can do.
    """
    found = []
    for small, large in figures[contender]:
        more, rows = large[what] - small[what], large["records"] - small["records"]
        found.append(more / rows if more > 0 else nan)
    return found


def ratios(over: Sequence[float], under: Sequence[float]) -> list[float]:
    """Return the ratios within each round."""
    return [one / other for one, other in zip(over, under, strict=True)]


class Goal(NamedTuple):
    """What is to be, such as `>= 11`, and what each round gave."""

    what: str
    bound: str
    rounds: Sequence[float]

    def cells(self) -> tuple[str, str, str, str]:
        """Return the name, the goal, the median with the range, and whether it is met."""
        numbers = [number for number in self.rounds if not isnan(number)] or [nan]
        middle, limit = median(numbers), float(self.bound[2:])
        met = middle >= limit if self.bound.startswith(">=") else middle <= limit
        measured = f"{middle:.2f} ({min(numbers):.2f} to {max(numbers):.2f})"
        return self.what, self.bound, measured, "yes" if met else "**no**"


def goals(results: Figures) -> Iterator[Goal]:
    """Yield every goal."""
    cases = results["cases"]
    stock, tap = (slopes(cases["ledger"], who, "seconds") for who in (STOCK, TAP))
    yield Goal(
        "booked_entries, 0 ms: steady rate, x stock SDK classes", ">= 11", ratios(stock, tap)
    )
    for mix in ("mix", "mix, drift"):
        loop, tap = (slopes(cases[mix], who, "seconds") for who in (LOOP, TAP))
        yield Goal(f"{mix}: steady rate, share of the bare loop's", ">= 0.85", ratios(loop, tap))
        loop, tap = (slopes(cases[mix], who, "cpu") for who in (LOOP, TAP))
        yield Goal(f"{mix}: CPU a row, x bare loop", "<= 1.3", ratios(tap, loop))
    for stream in ("booked_entries", "customers"):
        tap = slopes(cases[f"{stream}, 300 ms"], TAP, "seconds")
        wire = [0.3 / CONCURRENCY / PAGE] * len(tap)
        what = f"{stream}, 300 ms, 20 to 80 pages: share of the wire"
        yield Goal(what, ">= 0.85", ratios(wire, tap))
    times = [one["times"] for one in results["company"]["rounds"]]
    yield Goal("small company, 250 ms: x requests / concurrency x latency", "<= 1.15", times)
    version = ratios(results["startup"][TAP], results["startup"][STOCK])
    yield Goal("--version: x stock SDK tap", "<= 1.05", version)
    memory = [large["rss"] / small["rss"] for small, large in cases["ledger"][TAP]]
    yield Goal("booked_entries: peak memory, x a tenth of the rows", "<= 1.1", memory)


def text(results: Figures) -> str:
    """Return everything that was found, as Markdown."""
    return "\n".join(_lines(results)) + "\n"


def _lines(results: Figures) -> Iterator[str]:
    yield "".join(f"- {name}: {value}\n" for name, value in results["about"].items())
    if results["about"]["quick"]:
        yield "**A quick look: small sizes, one round. Not for a comparison.**\n"
    yield "## Goals\n"
    heads = ("Ratio", "Goal", "Median (range) of the rounds", "Met")
    yield from _table(heads, [goal.cells() for goal in goals(results)])
    yield "\n## What each run took: medians\n"
    names = ("Case", "Contender", "Rows", "Calls", "Seconds", "CPU s", "Peak MB")
    yield from _table(names, list(_runs(results)))
    yield "\n## The server alone, to a client that reads and forgets\n"
    rates = [(stream, f"{rate:,} rows/s") for stream, rate in results["server"].items()]
    yield from _table(("Listing", "Rate"), rates)


def _runs(results: Figures) -> Iterator[tuple[str, ...]]:
    for case, figures in results["cases"].items():
        for contender, rounds in figures.items():
            for runs in zip(*rounds, strict=True):
                yield case, NAMES[contender], *_medians(runs)
    yield "small company, 250 ms", NAMES[TAP], *_medians(results["company"]["rounds"])


def _medians(runs: Sequence[Any]) -> Iterator[str]:
    decimals = {"records": 0, "calls": 0, "seconds": 2, "cpu": 2, "rss": 0}
    for what, digits in decimals.items():
        unit = 1e6 if what == "rss" else 1
        yield f"{median(one[what] for one in runs) / unit:.{digits}f}"


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Yield a Markdown table whose columns can be read on a terminal too."""
    widths = [max(map(len, column)) for column in zip(heads, *rows, strict=True)]
    for cells in (heads, ["-" * width for width in widths], *rows):
        padded = (cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
        yield f"| {' | '.join(padded)} |"
