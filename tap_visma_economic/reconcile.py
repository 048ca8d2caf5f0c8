"""Whether the ledger matches e-conomic's own totals, per fiscal year and account.

The totals are read, then every entry, then the totals again: a voucher booked meanwhile is in one
of the two. Only entries that match neither are a difference.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterable
from decimal import Decimal, InvalidOperation

from tap_visma_economic.agreement import Agreement
from tap_visma_economic.config import start_date
from tap_visma_economic.errors import EconomicError, counted
from tap_visma_economic.filters import compare
from tap_visma_economic.run import Run
from tap_visma_economic.streams.ledger import (
    AccountingYears,
    AccountingYearTotals,
    Accounts,
    BookedEntries,
)

logger = logging.getLogger("tap-visma-economic")

POSTING = {"profitAndLoss", "status"}
"""Types of the accounts that entries are booked on; the others are headings and sums: see
docs/economic-api.md#fiscal-years."""

_CENT = Decimal("0.01")

Sums = defaultdict[tuple[str, int], Decimal]
"""Amounts in the base currency by fiscal year and account."""


def reconcile(run: Run, *, fail: bool) -> None:
    """Log for each company whether its ledger matches e-conomic's totals.

    Args:
        run: reads the ledger.
        fail: a difference, or a ledger that cannot be read, fails the run.
    """
    for agreement in run.agreements:
        if agreement.refused:
            continue
        failure: EconomicError | None = None
        try:
            found = differences(run, agreement)
        except EconomicError as error:
            logger.warning("The ledger of %s was not reconciled: %s", agreement, error)
            failure = error
        else:
            for difference in found:
                logger.warning("The ledger of %s differs: %s", agreement, difference)
            if found:
                accounts = counted(len(found), "account")
                failure = EconomicError(f"the ledger differs from e-conomic's totals in {accounts}")
            else:
                logger.info("The ledger of %s reconciles with e-conomic's totals", agreement)
        if failure and fail:
            run.report.fail("reconcile", agreement, failure)


def differences(run: Run, agreement: Agreement) -> list[str]:
    """Return a line for each account of an agreement whose entries do not match its total.

    Years that begin before the setting start_date are left out.
    """
    start = start_date(run.config)
    first = start.to_date_string() if start else ""
    columns = ("year", "fromDate", "toDate")
    years = [row for row in run.stream(AccountingYears).keys(agreement, columns) if row[1] >= first]
    names = {year for year, _, _ in years}
    types = run.stream(Accounts).keys(agreement, ("accountNumber", "accountType"))
    posting = {number for number, kind in types if kind in POSTING}
    before = _totals(run, agreement)
    entries = _entries(run, agreement, years)
    after = _totals(run, agreement)
    return [
        f"fiscal year {year}, account {account}: the entries total {entries[year, account]}, "
        f"e-conomic reports {after[year, account]}"
        for year, account in sorted({*before, *entries, *after})
        if year in names
        and account in posting
        and entries[year, account] not in (before[year, account], after[year, account])
    ]


def _totals(run: Run, agreement: Agreement) -> Sums:
    columns = ("accountingYear", "accountNumber", "totalInBaseCurrency")
    rows = run.stream(AccountingYearTotals).keys(agreement, columns)
    return _sums(((year, account), Decimal(total or 0)) for year, account, total in rows)


def _entries(run: Run, agreement: Agreement, years: list[tuple[str, str, str]]) -> Sums:
    if not years:
        return _sums([])
    first = min(begins for _, begins, _ in years)
    filter_ = compare("date", "gte", first) if start_date(run.config) else None
    columns = ("date", "accountNumber", "amountInBaseCurrency")
    rows = run.stream(BookedEntries).keys(agreement, columns, filter_)

    def year_of(date: str) -> str:
        return next((year for year, begins, ends in years if begins <= date <= ends), "")

    return _sums(((year_of(date), account), amount) for date, account, amount in rows)


def _sums(amounts: Iterable[tuple[tuple[str, int], Decimal]]) -> Sums:
    sums: Sums = defaultdict(Decimal)
    for key, amount in amounts:
        sums[key] += amount
    return defaultdict(Decimal, {key: _to_cents(total) for key, total in sums.items()})


def _to_cents(amount: Decimal) -> Decimal:
    """Round an amount to the øre: the newer API's are doubles, which may end in noise."""
    try:
        return amount.quantize(_CENT)
    except InvalidOperation:  # it has more digits than any real amount
        return amount
