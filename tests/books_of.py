"""What reports over a sandbox company must say, added up in plain Python from its own books."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from tests.sandbox.books import budgets, chart
from tests.sandbox.books.agreement import DISTRIBUTIONS
from tests.sandbox.books.ledger import OPENING, TRANSFERRED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import date

    from tests.sandbox.books.ledger import Entry
    from tests.sandbox.company import Company

Sums = dict[tuple[Any, ...], Decimal]


@dataclass(frozen=True)
class Item:
    """What was open of an entry on a day, in the base currency."""

    entry: Entry
    base: Decimal

    @property
    def expires(self) -> date:
        """When it falls due; where that is not said, the day it was booked on."""
        return self.entry.due or self.entry.date


class Books:
    """One company's books.

    Args:
        company: the sandbox's company.
    """

    def __init__(self, company: Company) -> None:
        self.company = company
        self.number = company.agreement_number
        self.entries = company.world.ledger.entries

    def opening_balances(self) -> Sums:
        """By year, period and account: opening entries until its end, the rest until its start."""
        return self._sums(
            lambda e, start, end: e.date <= end if _is_opening(e) else e.date < start, _base
        )

    def closing_balances(self) -> Sums:
        """By year, period and account: all entries of the year until the end of the period."""
        return self._sums(lambda e, _, end: e.date <= end, _base)

    def debits(self) -> Sums:
        """By year, period and account."""
        return self._sums(
            lambda e, start, end: start <= e.date <= end and not _is_opening(e),
            lambda e: max(e.base, 0),
        )

    def credits(self) -> Sums:
        """By year, period and account, without the sign."""
        return self._sums(
            lambda e, start, end: start <= e.date <= end and not _is_opening(e),
            lambda e: max(-e.base, 0),
        )

    def results(self) -> Sums:
        """By year and period: income less costs."""
        sums: dict[tuple[Any, ...], int] = defaultdict(int)
        for year in self.company.world.years:
            for period in year.periods:
                sums[self.number, year.name, period.number] = -sum(
                    e.base
                    for e in self.entries
                    if period.start <= e.date <= period.end and _is_result(e)
                )
        return _kroner(sums)

    def statement(self) -> Sums:
        """By year, period and line of the profit and loss statement, totals included."""
        members = {line.number: _summed(line) for line in chart.ACCOUNTS}
        lines = {n: summed for n, summed in members.items() if _only_results(summed)}
        sums: dict[tuple[Any, ...], int] = defaultdict(int)
        for (*period, account), base in self._movements().items():
            for line, summed in lines.items():
                if account in summed:
                    sums[(*period, line)] -= base
        return _kroner(sums)

    def _movements(self) -> dict[tuple[Any, ...], int]:
        """By year, period and account, opening entries left out."""
        sums: dict[tuple[Any, ...], int] = defaultdict(int)
        for year in self.company.world.years:
            for period in year.periods:
                for e in self.entries:
                    if period.start <= e.date <= period.end and not _is_opening(e):
                        sums[self.number, year.name, period.number, e.account] += e.base
        return sums

    def balances_ever(self, without: int) -> Sums:
        """By year, period and account: what was booked until then, transfers left out."""
        sums: dict[tuple[Any, ...], int] = defaultdict(int)
        for year in self.company.world.years:
            for period in year.periods:
                for e in self.entries:
                    if e.date <= period.end and e.type != TRANSFERRED and not _is_result(e):
                        sums[self.number, year.name, period.number, e.account] += e.base
        return _kroner({key: base for key, base in sums.items() if key[-1] != without})

    def balance_of(self, account: int) -> Decimal:
        """What all entries of an account come to, transfers left out."""
        entries = [e for e in self.entries if e.account == account and e.type != TRANSFERRED]
        return Decimal(sum(e.base for e in entries)).scaleb(-2)

    def remainders(self, party: str, sign: int) -> Sums:
        """By entry number: what is open, in the entry's currency."""
        return {
            (self.number, e.number): sign * Decimal(e.remainder).scaleb(-2)
            for e in self.entries
            if getattr(e, party) is not None and e.remainder
        }

    def open_items(self, party: str, day: date) -> Iterator[Item]:
        """The open items of a day: what later entries settled was still open then."""
        ledger = self.company.world.ledger
        later: dict[int, int] = defaultdict(int)
        for (first, second), (_, base) in ledger._moved.items():
            if second.date > day:
                later[first.number] += base
            if first.date > day:
                later[second.number] -= base
        for e in self.entries:
            if getattr(e, party) is not None and e.date <= day:
                base = e.remainder_base + later[e.number]
                if base:
                    yield Item(e, Decimal(base).scaleb(-2))

    def budget(self) -> list[budgets.Figure]:
        """The budget figures; amounts are øre."""
        return budgets.figures(self.company.world)

    def by_dimension(self) -> Sums:
        """By dimension and key: profit and loss entries, split by hand."""
        splits: dict[tuple[int, int | None], tuple[tuple[int | None, int], ...]] = {
            (2, 250): ((201, 50), (202, 50)),
            **{(1, row[0]): row[2] for row in DISTRIBUTIONS},
        }
        sums: Sums = defaultdict(Decimal)
        for e in self.entries:
            if not _is_result(e):
                continue
            marks = {dimension: key for dimension, key, _ in e.more.dimensions}
            for dimension in (1, 2, 3) if "Dimension" in self.company.modules else ():
                key = marks.get(dimension)
                parts = splits.get((dimension, key), ((key, 100),))
                for part, percent in parts:
                    amount = Decimal(e.base).scaleb(-2) * percent / 100
                    sums[self.number, dimension, part] += amount
        return sums

    def _sums(
        self, counts: Callable[[Entry, date, date], bool], amount: Callable[[Entry], int]
    ) -> Sums:
        sums: dict[tuple[Any, ...], int] = defaultdict(int)
        for index, year in enumerate(self.company.world.years):
            entries = self.company.world.ledger.by_year[index]
            for period in year.periods:
                for e in entries:
                    if counts(e, period.start, period.end):
                        sums[self.number, year.name, period.number, e.account] += amount(e)
        return _kroner(sums)


def _kroner(sums: dict[tuple[Any, ...], int]) -> Sums:
    return {key: Decimal(ore).scaleb(-2) for key, ore in sums.items()}


def _base(entry: Entry) -> int:
    return entry.base


def _summed(line: chart.Account) -> set[int]:
    """The accounts that a line of the chart adds up: for an account, itself."""
    spans: tuple[tuple[int, int], ...] = ()
    if line.kind in {chart.PL, chart.ST}:
        spans = ((line.number, line.number),)
    elif line.kind == "totalFrom" and line.total_from is not None:
        spans = ((line.total_from, line.number),)
    elif line.kind == "sumInterval":
        spans = line.summed
    inside = {n for n in chart.BY_NUMBER if any(a <= n <= b for a, b in spans)}
    return {n for n in inside if chart.BY_NUMBER[n].kind in {chart.PL, chart.ST}}


def _only_results(accounts: set[int]) -> bool:
    return {chart.BY_NUMBER[n].kind for n in accounts} == {chart.PL}


def _is_opening(entry: Entry) -> bool:
    return entry.type in (OPENING, TRANSFERRED)


def _is_result(entry: Entry) -> bool:
    return chart.BY_NUMBER[entry.account].kind == chart.PL
