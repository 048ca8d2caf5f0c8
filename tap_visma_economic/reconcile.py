"""Whether the ledger adds up: entries against e-conomic's own totals, per fiscal year and account.

The totals are read, then every entry, then the totals again: a voucher booked meanwhile is in one
of the two. Only what differs from both is a difference.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING

from tap_visma_economic.config import start_date
from tap_visma_economic.errors import EconomicError
from tap_visma_economic.filters import compare
from tap_visma_economic.streams.ledger import (
    AccountingYears,
    AccountingYearTotals,
    Accounts,
    BookedEntries,
)

if TYPE_CHECKING:
    from tap_visma_economic.agreement import Agreement
    from tap_visma_economic.run import Run

logger = logging.getLogger("tap-visma-economic")

POSTING = {"profitAndLoss", "status"}
"""Account types that entries are booked on; the others are headings and sums: see
docs/economic-api.md#fiscal-years."""

_CENT = Decimal("0.01")

Sums = dict[tuple[str, int], Decimal]
"""Amounts in the base currency by fiscal year and account."""


@dataclass(frozen=True, slots=True)
class Difference:
    """An account whose entries do not add up to its total.

    Args:
        year: the fiscal year.
        account: the account's number.
        entries: what its entries add up to, in the base currency.
        total: what e-conomic's total says.
    """

    year: str
    account: int
    entries: Decimal
    total: Decimal

    def __str__(self) -> str:
        return (
            f"fiscal year {self.year}, account {self.account}: the entries add up to "
            f"{self.entries}, e-conomic's total is {self.total}"
        )


def reconcile(run: Run, *, fail: bool) -> None:
    """Tell of each company whether its ledger adds up.

    Args:
        run: reads the ledger, and is told what it takes for a failure.
        fail: a ledger that does not add up, or cannot be read, is one.
    """
    for agreement in run.agreements:
        if agreement.refused:
            continue
        try:
            found = differences(run, agreement)
        except EconomicError as error:
            logger.warning("The ledger of %s was not reconciled: %s", agreement, error)
            if fail:
                run.outcome.fail("reconcile", agreement, error)
            continue
        if not found:
            logger.info("The ledger of %s adds up to e-conomic's totals", agreement)
        for difference in found:
            logger.warning("The ledger of %s differs: %s", agreement, difference)
        if found and fail:
            differ = EconomicError(f"{len(found)} accounts differ from e-conomic's totals")
            run.outcome.fail("reconcile", agreement, differ)


def differences(run: Run, agreement: Agreement) -> list[Difference]:
    """Return which accounts of an agreement do not add up.

    Years that begin before the setting start_date are left out.

    Raises:
        EconomicError: one of the listings cannot be read.
    """
    years = _years(run, agreement)
    posting = {
        number
        for number, kind in run.stream(Accounts).keys(agreement, ("accountNumber", "accountType"))
        if kind in POSTING
    }
    before = _totals(run, agreement)
    entries = _entries(run, agreement, years)
    after = _totals(run, agreement)
    names = [year for year, _, _ in years]
    zero = Decimal(0)
    return [
        Difference(
            year, account, entries.get((year, account), zero), after.get((year, account), zero)
        )
        for year, account in sorted({*before, *entries, *after})
        if year in names
        and account in posting
        and entries.get((year, account), zero)
        not in {before.get((year, account), zero), after.get((year, account), zero)}
    ]


def _years(run: Run, agreement: Agreement) -> list[tuple[str, str, str]]:
    start = start_date(run.config)
    first = start.to_date_string() if start else ""
    years = run.stream(AccountingYears).keys(agreement, ("year", "fromDate", "toDate"))
    return [(year, begins, ends) for year, begins, ends in years if begins >= first]


def _totals(run: Run, agreement: Agreement) -> Sums:
    columns = ("accountingYear", "accountNumber", "totalInBaseCurrency")
    found = run.stream(AccountingYearTotals).keys(agreement, columns)
    return {(year, account): _to_cents(Decimal(total or 0)) for year, account, total in found}


def _entries(run: Run, agreement: Agreement, years: list[tuple[str, str, str]]) -> Sums:
    sums: defaultdict[tuple[str, int], Decimal] = defaultdict(Decimal)
    first = min((begins for _, begins, _ in years), default=None)
    if first is None:
        return {}
    columns = ("date", "accountNumber", "amountInBaseCurrency")
    filter_ = compare("date", "gte", first) if start_date(run.config) else None
    for date, account, amount in run.stream(BookedEntries).keys(agreement, columns, filter_):
        year = next((year for year, begins, ends in years if begins <= date <= ends), None)
        if year is not None:
            sums[year, account] += amount or 0
    return {key: _to_cents(total) for key, total in sums.items()}


def _to_cents(amount: Decimal) -> Decimal:
    """Return an amount to the øre: the newer API's are doubles, which may end in noise."""
    try:
        return amount.quantize(_CENT)
    except InvalidOperation:  # of more digits than any amount has
        return amount
