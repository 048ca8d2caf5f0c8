"""The trial balance of each fiscal year from the tap's JSONL, compared with e-conomic's own totals.

Amounts are read as DECIMAL(18,2): sums are exact, and "adds up to zero" means zero.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

import duckdb

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_COLUMNS = {
    "accounting_years": "agreementNumber BIGINT, year VARCHAR, fromDate DATE, toDate DATE",
    "accounting_year_totals": (
        "agreementNumber BIGINT, accountingYear VARCHAR, accountNumber BIGINT, "
        "totalInBaseCurrency DECIMAL(18,2)"
    ),
    "accounts": "agreementNumber BIGINT, accountNumber BIGINT, accountType VARCHAR, name VARCHAR",
    "booked_entries": (
        "agreementNumber BIGINT, entryNumber BIGINT, accountNumber BIGINT, date DATE, "
        "amountInBaseCurrency DECIMAL(18,2), amount DECIMAL(18,2), remainder DECIMAL(18,2), "
        "type BIGINT, customerNumber BIGINT, dueDate DATE"
    ),
}

_BALANCES = """
WITH ledger AS (
    SELECT agreementNumber, year, accountNumber, sum(amountInBaseCurrency) AS amount
    FROM booked_entries JOIN accounting_years USING (agreementNumber)
    WHERE date BETWEEN fromDate AND toDate GROUP BY ALL
), control AS (
    SELECT agreementNumber, accountingYear AS year, accountNumber, totalInBaseCurrency AS amount
    FROM accounting_year_totals
)
SELECT year, accountNumber, name, coalesce(ledger.amount, 0), coalesce(control.amount, 0)
FROM ledger FULL JOIN control USING (agreementNumber, year, accountNumber)
LEFT JOIN accounts USING (agreementNumber, accountNumber)
LEFT JOIN accounting_years USING (agreementNumber, year)
-- an account that adds up others may have a total, but never an entry of its own
WHERE ledger.amount IS NOT NULL OR accountType IN ('profitAndLoss', 'status')
ORDER BY fromDate, accountNumber
"""

_HOMELESS = """
SELECT count(*) FROM booked_entries AS entry ANTI JOIN accounting_years AS y
ON y.agreementNumber = entry.agreementNumber AND date BETWEEN fromDate AND toDate
"""


@dataclass(frozen=True)
class Balance:
    """One account in one fiscal year: what its entries add up to, and what e-conomic says.

    `year` is named as e-conomic does, such as `2025/2026`; amounts are in the base currency.
    """

    year: str
    account: int
    name: str
    booked: Decimal
    control: Decimal


@dataclass(frozen=True)
class TrialBalance:
    """All balances by year and account, and the number of entries that no fiscal year covers."""

    balances: list[Balance]
    homeless_entries: int

    @property
    def years(self) -> list[str]:
        """The fiscal years, oldest first."""
        return list(dict.fromkeys(balance.year for balance in self.balances))

    def sum_of(self, year: str) -> Decimal:
        """Return what all entries of a year add up to: zero, if the books balance."""
        return sum((b.booked for b in self.balances if b.year == year), Decimal(0))

    def faults(self) -> list[str]:
        """Return a line for each fault."""
        lines = [
            f"{year} does not balance: its entries add up to {self.sum_of(year):,.2f}"
            for year in self.years
            if self.sum_of(year)
        ]
        lines += [
            f"{b.year}, account {b.account}: entries add up to {b.booked:,.2f}, "
            f"but accounting_year_totals says {b.control:,.2f}"
            for b in self.balances
            if b.booked != b.control
        ]
        if self.homeless_entries:
            lines.append(f"{self.homeless_entries} entries are dated outside all fiscal years")
        if not self.balances:
            lines.append("There is no ledger to check: no entries and no totals have arrived")
        return lines


def trial_balance(folder: Path) -> TrialBalance:
    """Return the trial balance of the JSONL files in a folder, one file per stream."""
    with loaded(folder) as database:
        rows = database.execute(_BALANCES).fetchall()
        (homeless,) = database.execute(_HOMELESS).fetchone() or (0,)
    return TrialBalance([Balance(*row) for row in rows], homeless)


@contextmanager
def loaded(folder: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """Yield a database with the ledger of the JSONL files in a folder."""
    with duckdb.connect() as database:
        for stream, columns in _COLUMNS.items():
            database.execute(f"CREATE TABLE {stream} ({columns})")
            file = folder / f"{stream}.jsonl"
            if file.exists():  # target-jsonl makes no file for a stream without rows
                kinds = dict(column.split() for column in columns.split(", "))
                read = f"read_json(?, format='newline_delimited', columns={kinds})"
                database.execute(f"INSERT INTO {stream} SELECT * FROM {read}", [str(file)])  # noqa: S608
        yield database
