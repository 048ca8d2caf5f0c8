"""What others have seen of the live API, and no document says: see docs/economic-api.md."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from tests.sandbox import Grant
from tests.sandbox.client import filtered, get
from tests.sandbox.company import build_company
from tests.support import NUMBER, Altered, Firm, served

if TYPE_CHECKING:
    from tests.conftest import Run, TapRunner
    from tests.sandbox.company import Company

YEAR = "2025/2026a"
OF_YEARS = {
    "accounting_years": "year",
    "accounting_periods": "accountingYear",
    "accounting_year_totals": "accountingYear",
    "accounting_period_totals": "accountingYear",
    "entries": "accountingYear",
    "openapi_accounting_years": "year",
    "openapi_accounting_periods": "year",
}
"""Streams of fiscal years, and the column that names the year."""


company, sandbox = served(lambda: build_company(NUMBER, "Set Live ApS", seed=5, entries=1300))


# A customer's balance moves, and lastUpdated does not


def test_a_balance_that_moves_without_last_updated_arrives_with_the_next_run(
    sandbox: Firm, company: Company
) -> None:
    def customers(state: Any = None) -> tuple[Run, dict[int, Any]]:
        run = sandbox.read("customers", state=state)
        return run, {row["customerNumber"]: row for row in run.records["customers"]}

    first, before = customers()
    number = min(number for number, row in before.items() if not row["barred"])
    company.sell(number, company.world.products[0].number)
    _, after = customers(first.state)
    assert after[number]["balance"] > before[number]["balance"]
    assert after[number]["lastUpdated"] == before[number]["lastUpdated"]


# Fiscal years whose names end in a letter


def test_all_streams_of_years_read_a_year_whose_name_ends_in_a_letter(
    sandbox: Firm, company: Company
) -> None:
    run = sandbox.read(*OF_YEARS)
    for stream, column in OF_YEARS.items():
        assert YEAR in {row[column] for row in run.records[stream]}, stream
    paths = {seen.path for seen in sandbox.log}
    assert "/accounting-years/2025_6_2026a/entries" in paths
    of_year = [
        row["entryNumber"] for row in run.records["entries"] if row["accountingYear"] == YEAR
    ]
    rows = company.rows("rest:/accounting-years/{accountingYear}/entries", (YEAR,))
    assert sorted(of_year) == [row["entryNumber"] for row in rows]


def test_a_year_whose_name_ends_in_a_letter_is_reconciled(sandbox: Firm, company: Company) -> None:
    run = sandbox.read("booked_entries", reconcile="fail")
    assert "reconciles with" in run.stderr
    totals: Any = company.rows("rest:/accounting-years/{accountingYear}/totals", (YEAR,))
    totals[0]["totalInBaseCurrency"] += Decimal("0.01")
    again = sandbox.read("booked_entries", reconcile="warn")
    assert YEAR in "".join(again.warnings)


# Filters that the entries of a year refuse


@pytest.mark.parametrize("filter_", ["remainder$ne:0", "account.accountNumber$eq:1010"])
def test_the_entries_of_a_year_refuse_filters_on_remainder_and_account(
    sandbox: Firm, filter_: str
) -> None:
    answer = filtered(sandbox, "/accounting-years/2024/entries", filter_)
    assert answer.status == 400
    assert "remainder" not in answer.json["allowedFilteringFields"]
    assert "entryNumber" in answer.json["allowedFilteringFields"]


@pytest.mark.parametrize("settings", [{}, {"start_date": "2024-03-01"}])
def test_the_tap_asks_the_entries_of_a_year_for_nothing_they_refuse(
    sandbox: Firm, settings: dict[str, Any]
) -> None:
    first = sandbox.read("entries", **settings)
    sandbox.read("entries", state=first.state, **settings)
    asked = [seen for seen in sandbox.log if seen.path.endswith("/entries")]
    assert any("entryNumber$" in (seen.query.get("filter") or "") for seen in asked)
    assert {seen.status for seen in asked} == {200}


# Numbers rise, dates do not


@pytest.mark.parametrize("settings", [{}, {"start_date": "2026-01-01"}])
def test_what_is_booked_later_under_an_earlier_date_arrives(
    sandbox: Firm, company: Company, settings: dict[str, Any]
) -> None:
    """Credits and invoices made anew are booked a month later under the date of the first."""
    streams = ("booked_entries", "entries", "invoices_booked")
    first = sandbox.read(*streams, **settings)
    newest = max(row["date"] for row in first.records["booked_entries"])
    customer = min(row.number for row in company.world.customers if not row.barred)
    day = dt.date(2026, 2, 10)
    assert str(day) < newest
    invoice = company.sell(customer, company.world.products[0].number, day=day)
    voucher = company.book(day, "Kreditering", [(1010, Decimal(100)), (5600, Decimal(-100))])
    second = sandbox.read(*streams, state=first.state, **settings)
    for stream in ("booked_entries", "entries"):
        told = [r for r in second.records[stream] if r["text"] == "Kreditering"]
        assert [row["date"] for row in told] == [str(day)] * 2, stream
        assert {row["voucherNumber"] for row in told} == {voucher}
    found = {row["bookedInvoiceNumber"]: row["date"] for row in second.records["invoices_booked"]}
    assert found[invoice] == str(day)


def test_what_is_paid_later_under_an_earlier_date_is_settled(
    sandbox: Firm, company: Company
) -> None:
    customer = min(row.number for row in company.world.customers if not row.barred)
    invoice = company.sell(customer, company.world.products[0].number)
    first = sandbox.read("invoices_booked")
    company.pay(invoice, day=dt.date(2026, 2, 10))
    second = sandbox.read("invoices_booked", state=first.state)
    left = {r["bookedInvoiceNumber"]: r["remainder"] for r in second.records["invoices_booked"]}
    assert left[invoice] == 0


# Smaller things


def test_sales_invoices_of_either_entry_type_arrive_and_are_settled(
    warm_tap: TapRunner, company: Company
) -> None:
    """They are seen as type 1 and as type 10."""

    def half(rows: Any) -> Any:
        return [
            {**row, "type": 10} if row["type"] == 1 and row["entryNumber"] % 2 else row
            for row in rows
        ]

    altered = Altered(company, "bookedEntriesapi:/booked-entries", half)
    with Firm(warm_tap, {"demo": Grant(altered)}) as sandbox:
        first = sandbox.read("booked_entries")
        rows = first.records["booked_entries"]
        assert {1, 10} <= {row["type"] for row in rows}
        manual = next(r for r in rows if r["type"] == 10 and r["remainder"] and r["customerNumber"])
        company.pay(int(manual["customerInvoiceNumber"]))
        second = sandbox.read("booked_entries", state=first.state)
    left = {row["entryNumber"]: row["remainder"] for row in second.records["booked_entries"]}
    assert left[manual["entryNumber"]] == 0


def test_a_text_that_ends_in_cr_lf_arrives_as_it_is(sandbox: Firm) -> None:
    rows = sandbox.read("invoices_booked").records["invoices_booked"]
    texts = [row["notes"]["textLine1"] for row in rows if (row.get("notes") or {}).get("textLine1")]
    assert [text for text in texts if text.endswith("\r\n")]


def test_a_contact_has_its_number_and_is_deleted_false_whether_that_is_sent_or_not(
    sandbox: Firm,
) -> None:
    served = get(sandbox, "/customersapi/v3.1.0/Contacts").json["items"]
    there = [item for item in served if not item["isDeleted"]]
    assert there, "false is sent"
    run = sandbox.read("customer_contacts", "supplier_contacts")
    found = {row["number"]: row["isDeleted"] for row in run.records["customer_contacts"]}
    assert found == {item["number"]: item["isDeleted"] for item in served}
    assert {row["isDeleted"] for row in run.records["supplier_contacts"]} >= {False}


def test_an_id_beside_the_number_of_a_booked_invoice_hides_nothing(
    warm_tap: TapRunner, company: Company
) -> None:
    """As in answers of 2015."""
    altered = Altered(
        company,
        "rest:/invoices/booked",
        lambda rows: [{**row, "id": row["bookedInvoiceNumber"] + 1} for row in rows],
    )
    with Firm(warm_tap, {"demo": Grant(altered)}) as sandbox:
        run = sandbox.read("invoices_booked")
    numbers = [(row["bookedInvoiceNumber"], row["id"]) for row in run.records["invoices_booked"]]
    booked: list[Any] = [
        row["bookedInvoiceNumber"] for row in company.rows("rest:/invoices/booked")
    ]
    assert numbers == [(number, number + 1) for number in booked]
