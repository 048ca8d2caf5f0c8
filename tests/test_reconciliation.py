"""The ledger against e-conomic's own totals, per fiscal year and account."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from tests.sandbox.company import build_company
from tests.sandbox.grants import Grant
from tests.support import Altered, Firm, Watched, served

if TYPE_CHECKING:
    from tests.conftest import Run, TapRunner
    from tests.sandbox.company import Company

ENTRIES = "bookedEntriesapi:/booked-entries"
TOTALS = "rest:/accounting-years/{accountingYear}/totals"


company, sandbox = served(
    lambda: build_company(1234567, "Nordlys Cykler & Fritid ApS", seed=1, entries=400)
)


def reconcile(sandbox: Firm, how: str, **options: Any) -> Run:
    return sandbox.read("booked_entries", reconcile=how, **options)


def spoil(company: Company) -> dict[str, Any]:
    """Change a total of 2024 by one øre."""
    row: Any = company.rows(TOTALS, ("2024",))[3]
    row["totalInBaseCurrency"] += Decimal("0.01")
    spoilt: dict[str, Any] = row
    return spoilt


@pytest.mark.parametrize("how", ["warn", "fail"])
def test_a_ledger_that_reconciles_is_reported(sandbox: Firm, how: str) -> None:
    run = reconcile(sandbox, how)
    assert "The ledger of agreement 1234567 (Nordlys Cykler & Fritid ApS) reconciles" in run.stderr


def test_a_difference_of_one_oere_is_reported_with_both_amounts(
    sandbox: Firm, company: Company
) -> None:
    row = spoil(company)
    run = reconcile(sandbox, "warn")
    account = row["account"]["accountNumber"]
    total = row["totalInBaseCurrency"]
    assert (
        f"fiscal year 2024, account {account}: the entries total "
        f"{total - Decimal('0.01')}, e-conomic reports {total}" in run.stderr
    )
    assert run.stderr.count("differs: ") == 1


def test_floating_point_noise_is_not_a_difference(sandbox: Firm, company: Company) -> None:
    """The newer API documents its amounts as doubles."""
    rows: Any = company.rows(ENTRIES)
    noisy = [
        {**row, "amountInBaseCurrency": row["amountInBaseCurrency"] + Decimal("1E-13")}
        for row in rows
    ]
    sandbox.grants["demo"] = Grant(Altered(company, ENTRIES, lambda _: noisy))
    run = reconcile(sandbox, "fail")
    served = {record["amountInBaseCurrency"] for record in run.records["booked_entries"]}
    assert served == {row["amountInBaseCurrency"] for row in noisy}, "records keep every digit"


def test_reconcile_fail_exits_with_code_1(sandbox: Firm, company: Company) -> None:
    spoil(company)
    run = reconcile(sandbox, "fail", code=1)
    assert "the ledger differs from e-conomic's totals in 1 account" in run.stderr
    assert run.records["booked_entries"], "what was read has been written"


def test_a_voucher_booked_during_reconciliation_is_not_a_difference(
    warm_tap: TapRunner, company: Company
) -> None:
    asked: list[str] = []

    def book_before_the_second_reading(endpoint: str) -> None:
        if endpoint == "bookedEntriesapi:/booked-entries":
            asked.append(endpoint)
            if len(asked) == 2:  # the first is the stream's own
                lines = [(1010, Decimal(-5)), (5820, Decimal(5))]
                company.book(dt.date(2026, 11, 14), "Midt i det hele", lines)

    watched = Watched(company, book_before_the_second_reading)
    with Firm(warm_tap, {"demo": Grant(watched)}) as sandbox:
        reconcile(sandbox, "fail")
    assert len(asked) == 2


def test_years_before_the_start_date_are_left_out(sandbox: Firm, company: Company) -> None:
    spoil(company)
    reconcile(sandbox, "fail", start_date="2025-01-01")


def test_with_full_refresh_days_the_ledger_is_reconciled_when_a_full_read_is_due(
    sandbox: Firm,
) -> None:
    first = reconcile(sandbox, "warn", full_refresh_days=7)
    assert "reconciles with" in first.stderr
    second = reconcile(sandbox, "warn", full_refresh_days=7, state=first.state)
    assert "reconciles with" not in second.stderr


def test_a_grant_that_cannot_read_the_totals_is_reported(sandbox: Firm) -> None:
    sandbox.always("/totals", 403)
    run = reconcile(sandbox, "warn")
    assert "was not reconciled: access denied (403)" in run.stderr
