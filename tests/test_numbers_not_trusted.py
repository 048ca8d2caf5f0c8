"""Numbers are not trusted: late entries, picked numbers, bookings and breaks in mid-run.

Whatever happened, nothing is missing two runs after it.
"""

from __future__ import annotations

from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from tests.sandbox.books.calendar import TODAY
from tests.sandbox.company import build_company
from tests.sandbox.grants import Grant
from tests.sandbox.server import Sandbox
from tests.support import Watched
from tests.warehouse import Warehouse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import date

    from tests.conftest import TapRunner
    from tests.sandbox.company import Company

STREAMS = ("booked_entries", "entries", "invoices_booked", "invoices_booked_lines")
ENTRIES = "bookedEntriesapi:/booked-entries"
LINES = [(3410, Decimal(1)), (5820, Decimal(-1))]


def small_company() -> Company:
    return build_company(1234567, "Nordlys Cykler & Fritid ApS", seed=1, entries=2500)


@pytest.fixture
def company() -> Company:
    return small_company()


class Bookkeeper:
    """Looks on while the company is read, and may do something each time an endpoint is asked."""

    def __init__(self, company: Company) -> None:
        self.does: Iterator[Callable[[], object]] = iter(())
        self.watches = ENTRIES
        self.company = Watched(company, self.asked)

    def asked(self, endpoint: str) -> None:
        if endpoint == self.watches:
            next(self.does, lambda: None)()


@pytest.fixture
def bookkeeper(company: Company) -> Bookkeeper:
    return Bookkeeper(company)


@pytest.fixture
def sandbox(bookkeeper: Bookkeeper) -> Iterator[Sandbox]:
    with Sandbox({"demo": Grant(bookkeeper.company)}) as running:
        yield running


@pytest.fixture
def empty(warm_tap: TapRunner, sandbox: Sandbox, company: Company) -> Warehouse:
    """A warehouse before its first run."""
    return Warehouse(warm_tap, sandbox, company, *STREAMS)


@pytest.fixture
def warehouse(empty: Warehouse) -> Warehouse:
    """A warehouse that has had its first run."""
    return empty.begin_loaded(small_company)


def free_numbers(company: Company, below: int) -> list[int]:
    """Pairs of entry numbers that nothing stands on yet, by their first."""
    taken = {row["entryNumber"] for row in company.rows(ENTRIES)}
    return [n for n in range(1, below, 2) if not {n, n + 1} & taken]


def numbers_of_marks(company: Company) -> list[int]:
    """The entry number of each dimension row."""
    return [entry.number for entry in company.world.ledger.entries for _ in entry.more.dimensions]


def late(company: Company, turn: int, day: date = TODAY) -> None:
    """An entry becomes visible under a number far below the newest."""
    numbers = free_numbers(company, company.world.ledger.next_number - 1500)
    company.book(day, "Sen", LINES, first_number=numbers[turn * 7 % len(numbers)])


def sell(company: Company, number: int | None = None) -> int:
    world = company.world
    return company.sell(world.customers[3].number, world.products[0].number, number=number)


def test_entries_that_become_visible_late_arrive_with_the_next_run(
    warehouse: Warehouse, company: Company
) -> None:
    for turn in range(3):
        late(company, turn)
        assert warehouse.wrong()
        warehouse.run()
        assert warehouse.wrong() == []


def test_an_entry_that_becomes_visible_late_in_an_old_year_arrives(
    warehouse: Warehouse, company: Company
) -> None:
    late(company, 3, company.world.years[0].start)
    assert warehouse.wrong()
    warehouse.run()
    assert warehouse.wrong() == []


def test_a_late_entry_near_the_newest_costs_few_pages(
    warm_tap: TapRunner, sandbox: Sandbox, company: Company
) -> None:
    """The place where rows came is found by counting; what lies far below is not read again."""
    warehouse = Warehouse(warm_tap, sandbox, company, "booked_entries")
    warehouse.run()
    highest = company.world.ledger.next_number
    company.book(TODAY, "Ny", LINES, first_number=highest + 500)
    warehouse.run()
    company.book(TODAY, "Sen", LINES, first_number=highest + 100)
    run = warehouse.run()
    assert warehouse.wrong() == []
    remaining = {r["entryNumber"] for r in run.records["booked_entries"] if not r["remainder"]}
    assert min(remaining) > highest


@pytest.mark.parametrize("loaded", [False, True], ids=["first run", "incremental run"])
def test_entries_booked_while_a_run_is_reading_are_there_two_runs_later(
    empty: Warehouse, company: Company, bookkeeper: Bookkeeper, loaded: bool
) -> None:
    warehouse = empty.begin_loaded(small_company) if loaded else empty
    late(company, 20)
    done: list[int] = []

    def book(turn: int) -> None:
        late(company, turn)
        company.book(TODAY, "Ny", LINES)
        sell(company)
        done.append(turn)

    bookkeeper.does = iter([partial(book, turn) for turn in range(4)])
    warehouse.run()
    assert len(done) > 1
    bookkeeper.does = iter(())
    warehouse.run()
    warehouse.run()
    assert warehouse.wrong() == []


def test_what_is_paid_and_opened_while_a_run_is_reading_is_there_two_runs_later(
    warehouse: Warehouse, company: Company, bookkeeper: Bookkeeper
) -> None:
    unpaid = [i.number for i in company.world.invoices if i.entry and i.entry.remainder > 100]
    settled, opened = unpaid[:4], unpaid[4]
    company.pay(opened)
    turns = [partial(company.unmatch, opened), *(partial(company.pay, n) for n in settled)]
    bookkeeper.watches, bookkeeper.does = "rest:/invoices/unpaid", iter(turns[:2])
    warehouse.run()
    bookkeeper.watches, bookkeeper.does = ENTRIES, iter(turns[2:])
    warehouse.run()
    bookkeeper.does = iter(())
    warehouse.run()
    warehouse.run()
    assert warehouse.wrong() == []


def test_ordinary_invoices_after_one_with_a_number_picked_by_hand_arrive(
    warehouse: Warehouse, company: Company
) -> None:
    highest = company.world.invoices[-1].number
    for turn in range(3):
        sell(company, number=highest + 10**6 if turn == 0 else None)
        numbers = [sell(company), sell(company)]
        assert max(numbers) < highest + 10**6
        warehouse.run()
        assert warehouse.wrong() == []


def test_an_invoice_with_a_low_number_picked_by_hand_arrives(
    warehouse: Warehouse, company: Company
) -> None:
    sell(company, number=5)
    warehouse.run()
    assert warehouse.wrong() == []


def test_a_number_below_one_that_becomes_visible_late_arrives(
    warm_tap: TapRunner, sandbox: Sandbox, company: Company
) -> None:
    warehouse = Warehouse(warm_tap, sandbox, company, "attached_documents")
    warehouse.run()
    documents: Any = company.rows("documentsapi:/AttachedDocuments")
    documents.insert(0, {**documents[0], "number": 0})
    warehouse.run()
    assert warehouse.wrong() == []


def test_a_run_broken_off_inside_one_entrys_dimension_rows_loses_none(
    warm_tap: TapRunner,
) -> None:
    company = build_company(1234567, "Dimensioner ApS", seed=1, entries=7000)
    at = company.world.changes[-1].at
    inside = numbers_of_marks(company)[999]
    company.redimension(inside, 2, 201, at)
    company.redimension(inside, 3, 301, at)
    if (inside, inside) != tuple(numbers_of_marks(company)[999:1001]):
        company.redimension(numbers_of_marks(company)[0], 3, 301, at)
    assert [inside, inside] == numbers_of_marks(company)[999:1001]
    with Sandbox({"demo": Grant(company)}) as sandbox:
        warehouse = Warehouse(warm_tap, sandbox, company, "booked_entry_dimensions")
        sandbox.faults.add("/booked-entries.*cursor", "status", status=400)
        broken = warehouse.run(code=1)
        bookmark = broken.bookmark("booked_entry_dimensions")["replication_key_value"]
        assert bookmark == inside - 1
        assert warehouse.wrong()
        warehouse.run()
        assert warehouse.wrong() == []


def test_a_ledger_that_breaks_off_on_every_page_arrives_in_the_end(
    empty: Warehouse, sandbox: Sandbox, company: Company
) -> None:
    for turn in range(3):
        sandbox.faults.add("/booked-entries.*cursor", "status", status=400, nth=1 + turn % 2)
        late(company, turn)
        empty.run(code=1)
        sandbox.faults.clear()
    empty.run()
    assert empty.wrong() == []
