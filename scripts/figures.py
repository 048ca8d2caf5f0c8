"""The figures of the demo's picture, from the tap's JSONL: results by month, receivables by age.

Amounts are decimals from file to figure, in the company's base currency.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING, Any

from scripts.trial_balance import loaded

if TYPE_CHECKING:
    from datetime import date
    from pathlib import Path

AGES = {
    "Not due yet": 0,
    "1 to 30 days late": 30,
    "31 to 60 days late": 60,
    "61 to 90 days late": 90,
    "Over 90 days late": 100_000,
}
"""Up to how many days late an item is in which of them."""
DEDUCTED = "Payments and credits not yet set off"
_ORE = Decimal("0.01")

_ENTRIES = """
CREATE VIEW entries AS SELECT entry.*, accountType
FROM booked_entries AS entry LEFT JOIN accounts USING (agreementNumber, accountNumber)
WHERE date <= coalesce(getvariable('today'), date)
"""

# Opening entries (types 7 and 8) are balances of earlier years, not business of the month.
_RESULTS = """
WITH months AS (
    SELECT unnest(generate_series(date_trunc('month', min(date)), max(date), INTERVAL 1 MONTH))
        AS month FROM entries
)
SELECT month::DATE, -coalesce(sum(amountInBaseCurrency), 0)
FROM months LEFT JOIN entries ON date_trunc('month', date) = month
    AND accountType = 'profitAndLoss' AND coalesce(type, 0) NOT IN (7, 8)
GROUP BY month ORDER BY month
"""

_OPEN_ITEMS = """
SELECT coalesce(dueDate, date), amount, remainder, amountInBaseCurrency FROM entries
WHERE accountType = 'status' AND customerNumber IS NOT NULL AND remainder <> 0
"""


@dataclass(frozen=True)
class Month:
    """A month by its first day; its result, positive for a profit; whether it is over."""

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
        return sum((self.receivables.get(name, Decimal(0)) for name in list(AGES)[1:]), Decimal(0))


def figures(folder: Path, months: int = 18, *, today: date | None = None) -> Figures:
    """Return the figures of the JSONL files in a folder, which hold one company.

    Args:
        folder: with one file per stream.
        months: how many months back, at most; a company younger than that has fewer.
        today: entries dated after this day, such as accruals, are omitted. None: no entry is.

    Raises:
        ValueError: there are no booked entries.
    """
    with loaded(folder) as database:
        database.execute("SET VARIABLE today = ?::DATE", [today])
        database.execute(_ENTRIES)
        latest = database.execute("SELECT max(date), any_value(agreementNumber) FROM entries")
        as_of, agreement = latest.fetchone() or (None, 0)
        if as_of is None:
            raise ValueError(f"There are no booked entries in {folder}")
        results = database.execute(_RESULTS).fetchall()
        items = database.execute(_OPEN_ITEMS).fetchall()
    company = _company(folder)
    return Figures(
        company=(company.get("company") or {}).get("name") or "The company",
        agreement=agreement,
        currency=(company.get("settings") or {}).get("baseCurrency") or "DKK",
        as_of=as_of,
        months=[
            Month(start, result, ended=start < results[-1][0])
            for start, result in results[-months:]
        ],
        receivables=_receivables(items, as_of),
        items=len(items),
    )


def _company(folder: Path) -> dict[str, Any]:
    path = folder / "agreements.jsonl"
    lines = path.read_text("utf-8").splitlines() if path.exists() else ["{}"]
    row: dict[str, Any] = json.loads(lines[0])
    return row


def _receivables(items: list[tuple[Any, ...]], as_of: date) -> dict[str, Decimal]:
    """Return what is open by age, at the rate at which each entry was booked."""
    receivables = dict.fromkeys([*AGES, DEDUCTED], Decimal(0))
    for due, amount, remainder, base in items:
        still = (base * remainder / amount).quantize(_ORE, ROUND_HALF_UP)
        age = next(name for name, days in AGES.items() if (as_of - due).days <= days)
        receivables[age if still > 0 else DEDUCTED] += still
    return receivables
