"""The figures of the demo's picture, from the tap's JSONL: results by month, receivables by age.

Amounts are decimals from file to figure, in the company's base currency.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

OPENING_TYPES = {7, 8}
"""Entries that tell balances of before, not business of the month."""

AGES = (
    ("Not due yet", None, 0),
    ("1 to 30 days late", 1, 30),
    ("31 to 60 days late", 31, 60),
    ("61 to 90 days late", 61, 90),
    ("Over 90 days late", 91, None),
)
DEDUCTED = "Payments and credits not yet set off"
_ORE = Decimal("0.01")


@dataclass(frozen=True)
class Month:
    """The result of a month: income less costs.

    Args:
        start: the first day of the month.
        result: positive for a profit, negative for a loss.
        ended: whether the month was over on the as-of date.
    """

    start: date
    result: Decimal
    ended: bool


@dataclass(frozen=True)
class Figures:
    """What the picture shows.

    Args:
        company: the company's name, or what is known of it.
        agreement: its agreement number.
        currency: its base currency, such as DKK.
        as_of: the day of the latest entry, at whose end the figures hold.
        months: the latest months, oldest first.
        receivables: what customers owe, by the names in `AGES` and `DEDUCTED`.
        items: how many entries of customers are open.
    """

    company: str
    agreement: int
    currency: str
    as_of: date
    months: list[Month]
    receivables: dict[str, Decimal]
    items: int

    @property
    def result(self) -> Decimal:
        """The result of all the months."""
        return sum((month.result for month in self.months), Decimal(0))

    @property
    def owed(self) -> Decimal:
        """What customers owe in all."""
        return sum(self.receivables.values(), Decimal(0))

    @property
    def late(self) -> Decimal:
        """What of it is overdue, before payments that are not set off."""
        late = {name for name, first, _ in AGES if first}
        return sum((self.receivables.get(name, Decimal(0)) for name in late), Decimal(0))


def figures(folder: Path, months: int = 18, *, today: date | None = None) -> Figures:
    """Return the figures of the JSONL files in a folder, which hold one company.

    Args:
        folder: with one file per stream.
        months: how many months back, at most; a company younger than that has fewer.
        today: entries dated after this day, such as accruals, are left out. None: no entry is.

    Raises:
        ValueError: there are no booked entries.
    """
    kinds = {row["accountNumber"]: row.get("accountType") for row in _rows(folder, "accounts")}
    dated = (
        {**row, "date": date.fromisoformat(row["date"][:10])}
        for row in _rows(folder, "booked_entries")
    )
    entries = [row for row in dated if today is None or row["date"] <= today]
    if not entries:
        raise ValueError(f"There are no booked entries in {folder}")
    as_of = max(row["date"] for row in entries)
    open_items = [
        row
        for row in entries
        if row.get("customerNumber") is not None
        and row.get("remainder")
        and kinds.get(row["accountNumber"]) == "status"
    ]
    company = next(_rows(folder, "agreements"), {})
    return Figures(
        company=(company.get("company") or {}).get("name") or "The company",
        agreement=entries[0]["agreementNumber"],
        currency=(company.get("settings") or {}).get("baseCurrency") or "DKK",
        as_of=as_of,
        months=_results(entries, kinds, as_of, months),
        receivables=_ages(open_items, as_of),
        items=len(open_items),
    )


def _rows(folder: Path, stream: str) -> Iterator[dict[str, Any]]:
    path = folder / f"{stream}.jsonl"
    if path.exists():
        with path.open(encoding="utf-8") as file:
            for line in file:
                yield json.loads(line, parse_float=Decimal)


def _results(
    entries: list[dict[str, Any]], kinds: dict[int, str | None], as_of: date, months: int
) -> list[Month]:
    first = min(_month(row["date"]) for row in entries)
    last = _month(as_of)
    results = dict.fromkeys(range(max(first, last - months + 1), last + 1), Decimal(0))
    for row in entries:
        month = _month(row["date"])
        if (
            month in results
            and kinds.get(row["accountNumber"]) == "profitAndLoss"
            and row.get("type") not in OPENING_TYPES
        ):
            results[month] -= Decimal(row["amountInBaseCurrency"])
    return [
        Month(_first_day(month), result, ended=month < last or _first_day(month + 1) <= as_of)
        for month, result in results.items()
    ]


def _ages(open_items: list[dict[str, Any]], as_of: date) -> dict[str, Decimal]:
    ages = dict.fromkeys([*(name for name, _, _ in AGES), DEDUCTED], Decimal(0))
    for row in open_items:
        amount = _in_base_currency(row)
        ages[_age(row, as_of) if amount > 0 else DEDUCTED] += amount
    return ages


def _age(row: dict[str, Any], as_of: date) -> str:
    due = date.fromisoformat(row["dueDate"][:10]) if row.get("dueDate") else row["date"]
    late = max((as_of - due).days, 0)
    return next(
        name
        for name, first, last in AGES
        if (first is None or late >= first) and (last is None or late <= last)
    )


def _in_base_currency(row: dict[str, Any]) -> Decimal:
    """Return what is open of an entry, at the rate at which it was booked."""
    amount, remainder = Decimal(row["amount"]), Decimal(row["remainder"])
    base = Decimal(row["amountInBaseCurrency"])
    if remainder == amount:
        return base
    return (base * remainder / amount).quantize(_ORE, ROUND_HALF_UP)


def _month(day: date) -> int:
    return day.year * 12 + day.month - 1


def _first_day(month: int) -> date:
    return date(month // 12, month % 12 + 1, 1)
