"""From what was measured to what it says: rates, ratios, and whether the goals are met."""

from __future__ import annotations

from dataclasses import dataclass
from math import isnan, nan
from statistics import median
from typing import TYPE_CHECKING, Any

from bench.ceiling import PAGE
from bench.contenders import CONCURRENCY, LOOP, STOCK, TAP, UNTOUCHED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

Figures = dict[str, Any]


def middle(values: Iterable[float]) -> float:
    """Return the median of those that are numbers; a slope that noise turned round is none."""
    numbers = [value for value in values if not isnan(value)]
    return float(median(numbers)) if numbers else nan


@dataclass(frozen=True)
class Series:
    """One contender on one stream at one latency.

    Args:
        sizes: numbers of rows, smallest first.
        rounds: for each round the figures of each size.
    """

    sizes: Sequence[int]
    rounds: Sequence[Sequence[Figures]]

    @property
    def steady(self) -> list[float]:
        """Rows a second beyond the start, round by round: the slope between two sizes."""
        return [self._slope(row, "seconds") for row in self.rounds]

    @property
    def cpu(self) -> float:
        """Microseconds of CPU per row beyond the start."""
        return self.cpu_between(0, -1)

    def cpu_between(self, first: int, last: int) -> float:
        """Microseconds of CPU per row between two of the sizes, given by their places."""
        return middle(1e6 / self._slope(row, "cpu", first, last) for row in self.rounds)

    def whole(self, place: int) -> float:
        """Rows a second with one of the sizes, start-up and all."""
        return middle(self.sizes[place] / row[place]["seconds"] for row in self.rounds)

    def rss(self, place: int) -> float:
        """The most memory with one of the sizes, in MB."""
        return middle(row[place]["rss"] for row in self.rounds) / 1e6

    def calls(self, place: int) -> float:
        """Requests with one of the sizes."""
        return middle(row[place]["calls"] for row in self.rounds)

    def _slope(self, row: Sequence[Figures], what: str, first: int = 0, last: int = -1) -> float:
        """Return rows per unit, not a number where the larger size took no longer."""
        more = row[last][what] - row[first][what]
        return (self.sizes[last] - self.sizes[first]) / more if more > 0 else nan


def series(results: Figures, stream: str, latency: int, contender: str) -> Series | None:
    """Return what was measured of a contender, None if it was not."""
    found = [
        entry
        for entry in results["throughput"]
        if (entry["stream"], entry["latency"], entry["contender"]) == (stream, latency, contender)
    ]
    found.sort(key=lambda entry: entry["rows"])
    rounds = list(zip(*(entry["rounds"] for entry in found), strict=True))
    return Series([entry["rows"] for entry in found], rounds) if found else None


def ratio(one: Sequence[float], other: Sequence[float]) -> float:
    """Return the median of the ratios within each round."""
    return middle(a / b for a, b in zip(one, other, strict=True))


@dataclass(frozen=True)
class Goal:
    """One goal.

    Args:
        what: what is to be.
        measured: what is, as text.
        met: whether it is so.
    """

    what: str
    measured: str
    met: bool


def goals(results: Figures) -> list[Goal]:
    """Return every goal that was measured."""
    found: list[Goal | None] = []
    for stream in ("booked_entries", "customers"):
        found += [_against_stock(results, stream), _against_loop(results, stream)]
        found += [_at_latency(results, stream), _flat_cpu(results, stream)]
    found += [_flat_memory(results), _startup(results), _company(results), *_budget(results)]
    return [goal for goal in found if goal is not None]


def _pair(results: Figures, stream: str, latency: int, other: str) -> tuple[Series, Series] | None:
    tap, against = (series(results, stream, latency, name) for name in (TAP, other))
    return (tap, against) if tap and against else None


def _against_stock(results: Figures, stream: str) -> Goal | None:
    pair = _pair(results, stream, 0, STOCK)
    if pair is None:
        return None
    times = ratio(pair[0].steady, pair[1].steady)
    what = f"{stream}, 0 ms, steady: at least 10 times the stock SDK classes"
    by_cpu = pair[1].cpu / pair[0].cpu
    return Goal(what, f"{times:.1f} times (by CPU {by_cpu:.1f})", times >= 10)


def _against_loop(results: Figures, stream: str) -> Goal | None:
    pair = _pair(results, stream, 0, LOOP)
    if pair is None:
        return None
    share = ratio(pair[0].steady, pair[1].steady)
    what = f"{stream}, 0 ms, steady: at least 0.8 of the bare loop"
    by_cpu = pair[1].cpu / pair[0].cpu
    return Goal(what, f"{share:.2f} (by CPU {by_cpu:.2f})", share >= 0.8)


def _at_latency(results: Figures, stream: str) -> Goal | None:
    latency = 300
    pair = _pair(results, stream, latency, LOOP)
    if pair is None:
        return None
    wire = CONCURRENCY / (latency / 1000) * PAGE
    tap, loop = (middle(one.steady) for one in pair)
    share = tap / min(loop, wire)
    what = f"{stream}, 300 ms, steady: at least 0.9 of the lower of the bare loop and the wire"
    return Goal(what, f"{share:.2f} ({tap:.0f} of {min(loop, wire):.0f} rows/s)", share >= 0.9)


def _flat_cpu(results: Figures, stream: str) -> Goal | None:
    tap = series(results, stream, 0, TAP)
    if tap is None or len(tap.sizes) < 3:
        return None
    early, late = tap.cpu_between(0, -2), tap.cpu_between(-2, -1)
    sizes = [f"{tap.sizes[place]:,}" for place in (0, -2, -1)]
    what = f"{stream}: CPU per row flat, {sizes[0]} to {sizes[2]} rows (within 15 %)"
    text = f"{early:.1f} µs up to {sizes[1]} rows, {late:.1f} µs beyond"
    return Goal(what, text, late <= early * 1.15)


def _flat_memory(results: Figures) -> Goal | None:
    tap = series(results, "booked_entries", 0, TAP)
    if tap is None or len(tap.sizes) < 3:
        return None
    small, large = tap.rss(1), tap.rss(-1)
    what = f"peak memory flat from {tap.sizes[1]:,} to {tap.sizes[-1]:,} rows (within 10 %)"
    return Goal(what, f"{small:.0f} MB and {large:.0f} MB", large <= small * 1.1)


def _startup(results: Figures) -> Goal:
    seconds = middle(results["startup"]["warm"][TAP])
    return Goal("start-up under one second", f"{seconds:.2f} s", seconds < 1)


def _company(results: Figures) -> Goal | None:
    found = results["company"]
    if not found["least_seconds"]:
        return None
    times = found["seconds"] / found["least_seconds"]
    what = (
        f"small company, all streams, {found['latency']} ms: "
        "at most 1.3 times requests / concurrency x latency"
    )
    text = f"{times:.2f} times ({found['seconds']:.1f} s of {found['least_seconds']:.1f} s)"
    return Goal(what, text, times <= 1.3)


def _budget(results: Figures) -> list[Goal]:
    found = results["budget"]
    steady = found["steady"]
    what = f"budget of {found['limit']:,} tokens per {found['window']} s: 75 to 80 % used"
    return [
        Goal(what, f"{steady:.1%}", 0.75 <= steady <= 0.8),
        Goal("budget: never a 429", f"{found['refused']}", found["refused"] == 0),
    ]


_ORDER = (TAP, STOCK, LOOP, UNTOUCHED)


def contenders_of(results: Figures) -> list[tuple[str, int, str, Series]]:
    """Return stream, latency, contender and series of all that was measured, in order."""
    cells = dict.fromkeys((e["stream"], e["latency"]) for e in results["throughput"])
    found: Callable[..., Series | None] = series
    return [
        (stream, latency, contender, measured)
        for stream, latency in cells
        for contender in _ORDER
        if (measured := found(results, stream, latency, contender))
    ]
