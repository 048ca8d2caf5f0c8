"""What is measured, how often and at which sizes: in full, and quickly."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.contenders import LOOP, STOCK, TAP, UNTOUCHED

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Cell:
    """One stream at one latency.

    Args:
        stream: the stream that is read.
        latency: of the server, in milliseconds.
        rounds: how often all contenders take their turn.
        sizes: for each contender the numbers of rows, smallest first. The steady rate is the slope
            from the first to the last.
    """

    stream: str
    latency: int
    rounds: int
    sizes: Mapping[str, tuple[int, ...]]


@dataclass(frozen=True)
class BudgetRun:
    """A run against a call budget: rows, rows of a page, tokens, seconds to refill."""

    rows: int
    page: int
    limit: int
    window: int


@dataclass(frozen=True)
class Plan:
    """All that is measured.

    Args:
        cells: throughput.
        startups: how often the start-up is measured, cold and warm.
        company_latency: milliseconds, for all streams of one small company.
        company_runs: how often that is done.
        agreements: how many small companies are read in one run.
        agreements_latency: milliseconds, for that.
        budget: the run against the call budget.
        profiled: rows of the run that is profiled.
    """

    cells: tuple[Cell, ...]
    startups: int
    company_latency: int
    company_runs: int
    agreements: int
    agreements_latency: int
    budget: BudgetRun
    profiled: int

    @property
    def rows(self) -> int:
        """The most rows that a listing has."""
        sizes = [size for cell in self.cells for sizes in cell.sizes.values() for size in sizes]
        return max(*sizes, self.budget.rows, self.profiled)


def _sizes(
    tap: tuple[int, ...], stock: tuple[int, int], loop: tuple[int, int], *, untouched: bool = False
) -> dict[str, tuple[int, ...]]:
    sizes = {TAP: tap, STOCK: stock, LOOP: loop}
    return {**sizes, UNTOUCHED: loop} if untouched else sizes


FULL = Plan(
    cells=(
        Cell(
            "booked_entries",
            latency=0,
            rounds=5,
            sizes=_sizes(
                (20_000, 50_000, 250_000, 500_000),
                (20_000, 60_000),
                (20_000, 500_000),
                untouched=True,
            ),
        ),
        Cell(
            "booked_entries",
            latency=50,
            rounds=3,
            sizes=_sizes((40_000, 160_000), (20_000, 40_000), (40_000, 160_000)),
        ),
        Cell(
            "booked_entries",
            latency=300,
            rounds=2,
            sizes=_sizes((40_000, 160_000), (20_000, 40_000), (40_000, 160_000)),
        ),
        Cell(
            "customers",
            latency=0,
            rounds=3,
            sizes=_sizes((5_000, 50_000), (5_000, 20_000), (5_000, 50_000), untouched=True),
        ),
        Cell(
            "customers",
            latency=300,
            rounds=1,
            sizes=_sizes((25_000, 50_000), (5_000, 20_000), (25_000, 50_000)),
        ),
    ),
    startups=5,
    company_latency=250,
    company_runs=3,
    agreements=100,
    agreements_latency=50,
    budget=BudgetRun(rows=300_000, page=50, limit=10_000, window=60),
    profiled=500_000,
)

QUICK = Plan(
    cells=(
        Cell(
            "booked_entries",
            latency=0,
            rounds=1,
            sizes=_sizes((5_000, 100_000), (2_000, 22_000), (5_000, 100_000)),
        ),
        Cell(
            "booked_entries",
            latency=300,
            rounds=1,
            sizes=_sizes((30_000, 70_000), (2_000, 6_000), (30_000, 70_000)),
        ),
        Cell(
            "customers",
            latency=0,
            rounds=1,
            sizes=_sizes((2_000, 20_000), (2_000, 10_000), (2_000, 20_000)),
        ),
    ),
    startups=1,
    company_latency=250,
    company_runs=1,
    agreements=3,
    agreements_latency=50,
    budget=BudgetRun(rows=60_000, page=50, limit=2_000, window=12),
    profiled=100_000,
)
