"""Rows that change after booking: after every run the warehouse equals the books."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from tests.sandbox.company import build_company
from tests.sandbox.grants import Grant
from tests.sandbox.server import Sandbox
from tests.support import Altered, served, told
from tests.warehouse import Warehouse

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import TapRunner
    from tests.sandbox.company import Company

STREAMS = (
    "booked_entries",
    "booked_entry_dimensions",
    "entries",
    "invoices_booked",
    "invoices_booked_lines",
)
ENTRIES = "bookedEntriesapi:/booked-entries"
INVOICES = "invoices_booked"
KEYS = {"booked_entries": "entryNumber", INVOICES: "bookedInvoiceNumber"}
UNPAID = "rest:/invoices/unpaid"
KRONE = Decimal(1)


def small_company() -> Company:
    return build_company(1234567, "Nordlys Cykler & Fritid ApS", seed=1, entries=2500)


company, sandbox = served(small_company)


@pytest.fixture
def warehouse(warm_tap: TapRunner, sandbox: Sandbox, company: Company) -> Warehouse:
    """A warehouse that has had its first run."""
    return Warehouse(warm_tap, sandbox, company, *STREAMS).begin_loaded(small_company)


def unpaid(company: Company) -> list[Any]:
    """The numbers of unpaid invoices, those of credit notes left out."""
    return [row["bookedInvoiceNumber"] for row in company.rows(UNPAID) if _owed(row) > KRONE]


def _owed(row: Any) -> Decimal:
    remainder: Decimal = row["remainder"]
    return remainder


def old_invoice(company: Company) -> int:
    """An unpaid invoice whose entry lies far below what is read again because it is near."""
    number: int = unpaid(company)[0]
    assert entry_of(company, number) < highest(company) - 1500
    return number


def old_paid_invoice(company: Company) -> int:
    """A paid invoice. Neither its entry nor the payment's is near the newest one."""
    before = highest(company) - 1500
    first, _ = next(pair for pair in company.world.ledger.matches if pair[1].number < before)
    assert first.remainder == 0
    return next(i.number for i in company.world.invoices if i.entry is first)


def entry_of(company: Company, invoice: int) -> int:
    (entry,) = [i.entry for i in company.world.invoices if i.number == invoice]
    assert entry
    return entry.number


def highest(company: Company) -> int:
    return company.world.ledger.entries[-1].number


def paid_in_full(company: Company) -> None:
    company.pay(old_invoice(company))


def paid_in_part(company: Company) -> None:
    company.pay(old_invoice(company), KRONE)


def paid_in_two_parts(company: Company) -> None:
    number = old_invoice(company)
    company.pay(number, KRONE)
    company.pay(number)


def all_paid(company: Company) -> None:
    for number in unpaid(company):
        company.pay(number)


def all_paid_and_half_of_it_undone(company: Company) -> None:
    numbers = unpaid(company)
    all_paid(company)
    for number in numbers[::2]:
        company.unmatch(number)


def sold(company: Company) -> None:
    company.sell(company.world.customers[3].number, company.world.products[0].number)


EVENTS = (paid_in_full, paid_in_part, paid_in_two_parts, all_paid, all_paid_and_half_of_it_undone)


@pytest.mark.parametrize("event", [*EVENTS, sold], ids=lambda event: str(event.__name__))
def test_what_happened_arrives_with_the_next_run(
    warehouse: Warehouse, company: Company, event: Callable[[Company], None]
) -> None:
    event(company)
    assert warehouse.wrong()
    warehouse.run()
    assert warehouse.wrong() == []


def test_a_match_of_old_entries_that_is_undone_arrives_with_the_next_run(
    warehouse: Warehouse, company: Company
) -> None:
    """Neither entry was open at the last run, and neither is near the newest one."""
    company.unmatch(old_paid_invoice(company))
    assert warehouse.wrong()
    warehouse.run()
    assert warehouse.wrong() == []


def test_night_after_night_the_warehouse_equals_the_books(
    warehouse: Warehouse, company: Company
) -> None:
    for event in (all_paid_and_half_of_it_undone, sold, all_paid, sold):
        event(company)
        warehouse.run()
        assert warehouse.wrong() == []


@pytest.mark.parametrize("stream", ["booked_entries", "invoices_booked"])
def test_a_run_that_is_killed_leaves_no_remainder_of_a_match_that_is_made_again(
    warehouse: Warehouse, company: Company, stream: str
) -> None:
    """The row with a remainder is the last that the target gets of the run, and no later STATE."""
    invoice = old_paid_invoice(company)
    key, number = KEYS[stream], {stream: entry_of(company, invoice), INVOICES: invoice}[stream]
    company.unmatch(invoice)

    def right_after_it(messages: list[Any]) -> int:
        return 1 + next(
            place
            for place, message in enumerate(messages)
            if message["type"] == "RECORD"
            and message["stream"] == stream
            and message["record"][key] == number
        )

    warehouse.run_and_cut(right_after_it)
    row = warehouse.tables[stream]["1234567", str(number)]
    assert row["remainder"] != 0, "the row is there, with the remainder"
    company.rematch(invoice)
    warehouse.run()
    assert warehouse.wrong() == []


# What was asked for by number, and did not come


NOTHING = {
    "booked_entries": (r"/booked-entries\?.*%24in", b'{"items":[]}'),
    "invoices_booked": (
        r"/invoices/booked\?.*%24in",
        b'{"collection":[],"pagination":{"skipPages":0,"pageSize":1000,"results":0}}',
    ),
}


@pytest.mark.parametrize("stream", NOTHING)
def test_rows_asked_for_by_number_that_do_not_come_are_asked_for_once_more(
    warehouse: Warehouse, sandbox: Sandbox, company: Company, stream: str
) -> None:
    pattern, body = NOTHING[stream]
    fault = sandbox.faults.add(pattern, "status", status=200, body=body)
    all_paid(company)
    run = warehouse.run()
    assert fault.applied == 1
    assert warehouse.wrong() == []
    assert not told(run, "did not return")


@pytest.mark.parametrize("stream", NOTHING)
def test_rows_asked_for_by_number_that_never_come_are_told_and_asked_for_in_the_next_run(
    warehouse: Warehouse, sandbox: Sandbox, company: Company, stream: str
) -> None:
    pattern, body = NOTHING[stream]
    invoice = old_invoice(company)
    number = {"booked_entries": entry_of(company, invoice), INVOICES: invoice}[stream]
    company.pay(invoice)
    for _ in range(2):
        sandbox.faults.clear()
        fault = sandbox.faults.add(pattern, "status", status=200, body=body, times=None)
        run = warehouse.run()
        (line,) = told(run, "did not return")
        assert f"{stream} of agreement 1234567 (Nordlys Cykler & Fritid ApS): requested" in line
        assert f"did not return {KEYS[stream]} {number}. These rows may be out of date" in line
        assert fault.applied == 2
        assert {line.split(" ")[0] for line in warehouse.wrong()} == {stream}
    sandbox.faults.clear()
    assert not told(warehouse.run(), "did not return")
    assert warehouse.wrong() == []


def test_an_open_entry_that_is_gone_for_good_is_told_once(
    warehouse: Warehouse, sandbox: Sandbox, company: Company
) -> None:
    number = entry_of(company, old_invoice(company))

    def without(rows: Any) -> Any:
        return [row for row in rows if row["entryNumber"] != number]

    sandbox.grants["demo"] = Grant(Altered(company, ENTRIES, without))
    (line,) = told(warehouse.run(), "deleted in e-conomic")
    assert f"deleted in e-conomic, as its counts confirm: entryNumber {number}." in line
    assert not told(warehouse.run(), str(number))
    assert sandbox.requests(f"in.*{number}") == []


# How the state keeps what is open


def test_a_state_that_is_damaged_costs_a_full_read_and_no_row(
    warehouse: Warehouse, company: Company
) -> None:
    assert warehouse.state is not None
    (partition,) = warehouse.state["bookmarks"]["booked_entries"]["partitions"]
    partition["open"] = ["eJyL"]
    all_paid(company)
    run = warehouse.run()
    assert warehouse.wrong() == []
    assert len(run.records["booked_entries"]) == len(company.rows(ENTRIES))
    assert told(run, "reading everything again, because `open` in its state is damaged")


def test_a_first_run_that_breaks_off_forgets_no_open_row(
    warm_tap: TapRunner, sandbox: Sandbox, company: Company
) -> None:
    sandbox.faults.add("/booked-entries.*cursor", "status", nth=2, status=400)
    warehouse = Warehouse(warm_tap, sandbox, company, "booked_entries")
    warehouse.run(code=1)
    all_paid(company)
    warehouse.run()
    assert warehouse.wrong() == []


# Every finance entry has a remainder


def test_a_quiet_run_reads_open_rows_alone_however_many_there_are(warm_tap: TapRunner) -> None:
    company = build_company(1234567, "Gammel A/S", seed=1, entries=14000, finance_remainders=True)
    many = sum(bool(row["remainder"]) for row in company.rows(ENTRIES))
    assert many > 8000, "an earlier version kept some 6,000 of them"
    with Sandbox({"demo": Grant(company)}) as sandbox:
        warehouse = Warehouse(warm_tap, sandbox, company, "booked_entries")
        warehouse.run()
        run = warehouse.run()
        # the count; the overlap, two pages counted; a page for a thousand open rows, counted
        assert len(sandbox.requests("/booked-entries")) <= 1 + 3 + (many // 1000 + 1) + 1
        assert len(run.records["booked_entries"]) <= many + 1001
        assert len(json.dumps(run.bookmark("booked_entries"))) < many
        all_paid_and_half_of_it_undone(company)
        warehouse.run()
        assert warehouse.wrong() == []
