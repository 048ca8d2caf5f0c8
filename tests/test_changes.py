"""Dimensions of booked entries are edited after booking; only a changelog tells."""

from __future__ import annotations

import datetime as dt
import time
from functools import partial
from typing import TYPE_CHECKING

import pytest

from tests.sandbox.books.dimensions import Change, mark_entry
from tests.sandbox.company import build_company
from tests.sandbox.grants import Grant
from tests.sandbox.server import Sandbox
from tests.support import Watched, always, now, served, told
from tests.warehouse import Warehouse

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import TapRunner
    from tests.sandbox.company import Company

STREAMS = ("booked_entry_dimension_changes", "booked_entry_dimensions")
MARKS = "dimensionsapi:/dimension-data/booked-entries"
CHANGELOG = f"{MARKS}/changelog"
CAMPAIGNS, DEPARTMENTS = 2, 1


def small_company() -> Company:
    return build_company(1234567, "Dimensioner ApS", seed=1, entries=8000)


company, sandbox = served(small_company)


@pytest.fixture
def warehouse(warm_tap: TapRunner, sandbox: Sandbox, company: Company) -> Warehouse:
    """A warehouse that has had its first run."""
    return Warehouse(warm_tap, sandbox, company, *STREAMS).begin_loaded(small_company)


def old_entry(company: Company) -> int:
    """An entry far below the newest that has a department and no campaign."""
    for entry in company.world.ledger.entries[:300]:
        marked = {dimension for dimension, _, _ in entry.more.dimensions}
        if DEPARTMENTS in marked and CAMPAIGNS not in marked:
            return entry.number
    raise AssertionError("the sandbox must hold such entries")


def edit_many(company: Company, count: int, apart: dt.timedelta) -> None:
    """So many edits at once, of the oldest entries in turn, the last of them now."""
    world, last = company.world, now()
    entries = world.ledger.entries[:1500]
    for turn in range(count):
        entry, key = entries[turn % len(entries)], (1, 2, 3)[turn // len(entries) % 3]
        at = last - apart * (count - turn)
        world.changes.append(Change(entry.number, 1, mark_entry(entry, 1, key), key, at))
    company.redimension(entries[0].number, DEPARTMENTS, 2, last)


def test_an_old_row_that_was_moved_to_another_key_arrives(
    warehouse: Warehouse, company: Company
) -> None:
    number = old_entry(company)
    for key in (3, 1):
        company.redimension(number, DEPARTMENTS, key, now())
        assert warehouse.wrong()
        warehouse.run()
        assert warehouse.wrong() == []


def test_a_dimension_added_to_an_old_entry_arrives(warehouse: Warehouse, company: Company) -> None:
    company.redimension(old_entry(company), CAMPAIGNS, 202, now())
    assert warehouse.wrong()
    warehouse.run()
    assert warehouse.wrong() == []


def test_of_a_dimension_taken_off_an_entry_the_changes_tell(
    warehouse: Warehouse, company: Company
) -> None:
    """The row leaves the listing; a warehouse keeps it until the table is read in full."""
    number, at = old_entry(company), now()
    company.redimension(number, DEPARTMENTS, None, at)
    run = warehouse.run()
    key = ("1234567", str(number), str(DEPARTMENTS))
    assert warehouse.wrong() == [f"booked_entry_dimensions {key}: gone"]
    (edit,) = [
        change
        for change in run.records["booked_entry_dimension_changes"]
        if change["entryNumber"] == number and change["timestamp"] == f"{at:%Y-%m-%dT%H:%M:%SZ}"
    ]
    assert edit.get("dimensionKeyTo") is None


def test_a_row_taken_off_hides_none_that_becomes_visible_late(
    warehouse: Warehouse, company: Company
) -> None:
    """The count stays the same: only the changelog tells that it proves nothing."""
    entries = company.world.ledger.entries
    taken = old_entry(company)
    late = next(
        entry
        for entry in entries[400:]
        if DEPARTMENTS not in {dimension for dimension, _, _ in entry.more.dimensions}
    )
    mark_entry(late, DEPARTMENTS, 2)
    company.redimension(taken, DEPARTMENTS, None, now())
    warehouse.run()
    gone = ("1234567", str(taken), str(DEPARTMENTS))
    assert warehouse.wrong() == [f"booked_entry_dimensions {gone}: gone"]


def test_an_edit_made_while_a_run_is_reading_arrives_with_the_next(
    warm_tap: TapRunner, company: Company
) -> None:
    number = old_entry(company)
    turns: list[Callable[[], None]] = []

    def edit(key: int) -> None:
        company.redimension(number, DEPARTMENTS, key, now())

    def asked(endpoint: str) -> None:
        if endpoint == MARKS and turns:
            turns.pop()()

    with Sandbox({"demo": Grant(Watched(company, asked))}) as sandbox:
        warehouse = Warehouse(warm_tap, sandbox, company, *STREAMS, lookback_minutes=0)
        warehouse.begin_loaded(small_company)
        turns += [partial(edit, key) for key in (3, 1)]
        warehouse.run()
        assert not turns
        warehouse.run()
        assert warehouse.wrong() == []


def test_an_edit_made_once_the_changelog_was_read_arrives_with_the_next_run(
    warm_tap: TapRunner, company: Company
) -> None:
    """The rest of the reading may begin much later, if the call budget has to be waited for."""
    number, times = old_entry(company), [dt.datetime(2026, 11, 1, 12, tzinfo=dt.timezone.utc)]

    def asked(endpoint: str) -> None:
        if endpoint == MARKS and len(times) == 1:
            company.redimension(number, DEPARTMENTS, 1, times[0])
            times.append(times[0] + dt.timedelta(minutes=10))

    def clock() -> float:
        return times[-1].timestamp()

    with Sandbox({"demo": Grant(Watched(company, asked))}, clock=clock) as sandbox:
        warehouse = Warehouse(warm_tap, sandbox, company, *STREAMS, lookback_minutes=0)
        warehouse.begin_loaded(small_company)
        assert warehouse.state is not None
        (partition,) = warehouse.state["bookmarks"]["booked_entry_dimensions"]["partitions"]
        partition["changes_since"] = "2026-11-01T11:00:00Z"
        warehouse.run()
        assert len(times) == 2
        assert warehouse.wrong_in("booked_entry_dimensions")
        warehouse.run()
        assert warehouse.wrong_in("booked_entry_dimensions") == []


def test_a_clock_that_is_ahead_hides_no_edit(
    warm_tap: TapRunner, sandbox: Sandbox, company: Company
) -> None:
    warehouse = Warehouse(warm_tap, sandbox, company, *STREAMS, lookback_minutes=0)
    warehouse.begin_loaded(small_company)
    sandbox.faults.add("", "clock", seconds=86400, times=None)
    warehouse.run()
    sandbox.faults.clear()
    company.redimension(old_entry(company), DEPARTMENTS, 1, now())
    time.sleep(2)  # the next reading begins later than the edit, even told to the second
    assert warehouse.wrong()
    warehouse.run()
    assert warehouse.wrong() == []


def test_a_quiet_night_reads_no_edited_row_again(
    warehouse: Warehouse, sandbox: Sandbox, company: Company
) -> None:
    company.redimension(old_entry(company), DEPARTMENTS, 3, now() - dt.timedelta(hours=4))
    began(warehouse, dt.timedelta(hours=5))
    warehouse.run()
    assert asked_by_number(sandbox)
    assert warehouse.wrong() == []
    for _ in range(2):
        warehouse.run()
        assert not asked_by_number(sandbox)


def asked_by_number(sandbox: Sandbox) -> list[str]:
    filters = [str(request.query.get("filter")) for request in sandbox.log]
    return [text for text in filters if "$in" in text]


def began(warehouse: Warehouse, ago: dt.timedelta) -> None:
    """Let the state be that of a run so long ago."""
    assert warehouse.state is not None
    (partition,) = warehouse.state["bookmarks"]["booked_entry_dimensions"]["partitions"]
    partition["changes_since"] = f"{now() - ago:%Y-%m-%dT%H:%M:%SZ}"


# Answers that are none


@pytest.mark.parametrize("told_before", [False, True], ids=["first edit ever", "later edit"])
def test_an_empty_answer_of_the_changelog_loses_no_edit(
    warm_tap: TapRunner, sandbox: Sandbox, company: Company, told_before: bool
) -> None:
    """Once: the next run reads on from what the changelog was seen to tell."""
    name = "booked_entry_dimensions"
    warehouse = Warehouse(warm_tap, sandbox, company, name, lookback_minutes=0)
    warehouse.begin_loaded(small_company)
    number = old_entry(company)
    began(warehouse, dt.timedelta(days=3))
    if told_before:
        company.redimension(number, DEPARTMENTS, 3, now() - dt.timedelta(days=2))
        warehouse.run()
    company.redimension(number, DEPARTMENTS, 1, now() - dt.timedelta(days=1))
    began(warehouse, dt.timedelta(days=1, minutes=1))
    sandbox.faults.add("/changelog", "status", status=200, body=b"[]")
    warehouse.run()
    assert warehouse.wrong_in(name)
    warehouse.run()
    assert warehouse.wrong_in(name) == []


def test_edited_rows_that_do_not_come_are_asked_for_once_more_and_in_the_next_run(
    warehouse: Warehouse, sandbox: Sandbox, company: Company
) -> None:
    began(warehouse, dt.timedelta(days=3))
    company.redimension(old_entry(company), DEPARTMENTS, 2, now() - dt.timedelta(days=1))
    wanted = r"booked-entries\?.*%24in"
    sandbox.faults.add(wanted, "status", status=200, body=b'{"items":[]}', times=2)
    run = warehouse.run()
    assert [line for line in told(run, "twice") if "booked_entry_dimensions" in line]
    assert warehouse.wrong()
    sandbox.faults.add(wanted, "status", status=200, body=b'{"items":[]}')
    run = warehouse.run()
    assert warehouse.wrong() == []
    assert not told(run, "twice")


FORBIDDEN = {"title": "Forbidden", "status": 403, "errorCode": "AccessDeniedInsufficientRoles"}


def test_without_the_changelog_the_dimensions_are_read_in_full(
    warehouse: Warehouse, sandbox: Sandbox, company: Company
) -> None:
    company.redimension(old_entry(company), DEPARTMENTS, 2, now())
    always(sandbox, "/changelog", 403, FORBIDDEN)
    run = warehouse.run()
    assert warehouse.wrong_in("booked_entry_dimensions") == []
    (line,) = told(run, "reading everything again")
    assert "the changelog of edits cannot be read: access denied (403)" in line
    assert "Skipped for booked_entry_dimension_changes" not in line
    company.redimension(old_entry(company), DEPARTMENTS, 1, now())
    sandbox.faults.clear()
    warehouse.run()
    assert warehouse.wrong() == []


def test_more_changes_than_the_changelog_lists_all_arrive_and_so_do_their_rows(
    warm_tap: TapRunner, company: Company
) -> None:
    """Several a second, as edits in batches are."""
    with Sandbox({"demo": Grant(company)}) as sandbox:
        warehouse = Warehouse(warm_tap, sandbox, company, *STREAMS).begin_loaded(small_company)
        edit_many(company, 10_400, dt.timedelta(milliseconds=200))
        warehouse.run()
        assert len(sandbox.requests(r"changelog.*skipPages=99\b")) == 2  # once by each stream
        assert warehouse.wrong() == []
