"""Rows that change after booking: after every run the warehouse equals the books."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from tests.sandbox.company import build_company
from tests.sandbox.grants import Grant
from tests.sandbox.server import Sandbox
from tests.warehouse import Warehouse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

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
UNPAID = "rest:/invoices/unpaid"
KRONE = Decimal(1)


def small_company() -> Company:
    return build_company(1234567, "Nordlys Cykler & Fritid ApS", seed=1, entries=2500)


@pytest.fixture
def company() -> Company:
    return small_company()


@pytest.fixture
def sandbox(company: Company) -> Iterator[Sandbox]:
    with Sandbox({"demo": Grant(company)}) as running:
        yield running


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
    before = highest(company) - 1500
    first, _ = next(pair for pair in company.world.ledger.matches if pair[1].number < before)
    assert first.remainder == 0
    invoice = next(i for i in company.world.invoices if i.entry is first)
    company.unmatch(invoice.number)
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


def test_what_is_open_is_in_the_state_and_is_small(warehouse: Warehouse, company: Company) -> None:
    open_entries = [row["entryNumber"] for row in company.rows(ENTRIES) if row["remainder"]]
    state = warehouse.run().bookmark("booked_entries")
    assert state["open"][0] == open_entries[0]
    assert sum(state["open"]) == open_entries[-1]
    assert len(state["open"]) == len(open_entries)
    assert state["open_from"] is None


def test_a_first_run_that_breaks_off_forgets_no_open_row(
    warm_tap: TapRunner, sandbox: Sandbox, company: Company
) -> None:
    sandbox.faults.add("/booked-entries.*cursor", "status", nth=2, status=400)
    warehouse = Warehouse(warm_tap, sandbox, company, "booked_entries")
    warehouse.run(breaks=True)
    all_paid(company)
    warehouse.run()
    assert warehouse.wrong() == []


# Every finance entry has a remainder: the list of open rows is too long for the state


def test_with_more_open_rows_than_the_state_takes_they_are_all_read_each_run(
    warm_tap: TapRunner,
) -> None:
    company = build_company(1234567, "Gammel A/S", seed=1, entries=14000, finance_remainders=True)
    lowest = next(row["entryNumber"] for row in company.rows(ENTRIES) if row["remainder"])
    with Sandbox({"demo": Grant(company)}) as sandbox:
        warehouse = Warehouse(warm_tap, sandbox, company, "booked_entries")
        state = warehouse.run().bookmark("booked_entries")
        assert (state["open"], state["open_from"]) == (None, lowest)
        all_paid_and_half_of_it_undone(company)
        warehouse.run()
        assert warehouse.wrong() == []
        pages = len(company.rows(ENTRIES)) // 1000 + 1
        assert len(sandbox.requests("/booked-entries")) <= pages + 3  # two counts, rows below


# What a quiet night costs

QUIET = {
    "bookedEntriesapi:/booked-entries": 5,  # the count; the overlap, two pages counted; open rows
    "dimensionsapi:/dimension-data/booked-entries": 3,  # the count; the overlap
    "dimensionsapi:/dimension-data/booked-entries/changelog": 1,
    "q2capi:/invoices/booked/lines": 3,
    "rest:/accounting-years": 1,
    "rest:/accounting-years/{accountingYear}/entries": 8,  # a count and a page of each of 4 years
    "rest:/invoices/booked": 2,  # a page of one row counts; the overlap
    "rest:/invoices/unpaid": 1,
    "rest:/self": 1,
}
"""Calls at most of a run that finds nothing new, however long the ledger."""


@pytest.mark.parametrize("entries", [2500, 9000])
def test_a_quiet_night_costs_the_same_few_calls_however_long_the_ledger(
    warm_tap: TapRunner, entries: int
) -> None:
    company = build_company(1234567, "Stille ApS", seed=1, entries=entries)
    with Sandbox({"demo": Grant(company)}) as sandbox:
        warehouse = Warehouse(warm_tap, sandbox, company, *STREAMS)
        warehouse.run()
        warehouse.run()
        calls = Counter(str(request.endpoint).removesuffix("/count") for request in sandbox.log)
    assert calls.keys() == QUIET.keys()
    assert {name: n for name, n in calls.items() if n > QUIET[name]} == {}
