"""Readings by number: what they ask for, how the bookmark moves, and what is kept of counts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pendulum
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_visma_economic.replication import by_number as module
from tap_visma_economic.replication.by_number import Change
from tap_visma_economic.replication.open_items import OpenSet
from tests.unit.answers import page_of
from tests.unit.test_by_number_pages import CHANGES, OPEN, PAGE, PLAIN, Books, started
from tests.unit.test_open_items import kept

if TYPE_CHECKING:
    from tap_visma_economic.replication.by_number import NumberReading

State = dict[str, Any]

NOON = pendulum.datetime(2026, 1, 2, 12)


@pytest.fixture
def short_overlap(monkeypatch: pytest.MonkeyPatch) -> None:
    """An overlap of one page of these books, as a real one is of real books."""
    monkeypatch.setattr(module, "OVERLAP", PAGE)


class Counted(Books):
    """Books that note which counts they are asked for."""

    def __init__(self, *numbers: int) -> None:
        super().__init__()
        self.counts: list[str] = []
        for number in numbers:
            self.put(number)

    def count(self, agreement: Any, filter_: str | None) -> int:
        self.counts.append(filter_ or "")
        return super().count(agreement, filter_)


def by_number(
    state: State,
    books: Books | None = None,
    *,
    single: bool = True,
    ascending: bool = True,
    **more: Any,
) -> NumberReading:
    """A reading by the property `number`."""
    books = books or Counted()
    books.own_primary_keys = ("agreementNumber", "number", *(() if single else ("part",)))
    books.parent = None if ascending else Books
    return started(PLAIN, books, state, **more)


def see(reading: NumberReading, *numbers: Any) -> None:
    """Show a page of these numbers."""
    reading.observe(page_of([{"number": number} for number in numbers], clock=NOON))


def read(reading: NumberReading, pages: int | None = None) -> list[int]:
    """Run a reading to its end, or cut it after so many pages; the numbers of what it read."""
    numbers: list[int] = []
    for turn, (_, page) in enumerate(reading.pages()):
        if turn == pages:
            return numbers
        numbers += [row["number"] for row in page.rows]
        reading.observe(page)
    reading.complete()
    return numbers


def at(value: Any, rows: Any = None, key: str = "number", **more: Any) -> State:
    """A state with its bookmark at a value, and so many rows up to it."""
    counted = {} if rows is None else {"rows_to_bookmark": rows}
    return {"replication_key": key, "replication_key_value": value, **counted, **more}


def reached(state: State) -> Any:
    """Where the bookmark is, and how many rows there are up to it."""
    return (state.get("replication_key_value"), state.get("rows_to_bookmark"))


def checkpoints(state: State) -> list[tuple[int, int]]:
    return [(number, rows) for number, rows in state["checkpoints"]]


# --- how the bookmark moves ---


@pytest.mark.parametrize(
    ("pages", "then", "end"),
    [
        ([[1], [5, 4, 6], [8, 9]], (1, 1), (9, 6)),
        ([[1], [5, None, 6], [8, 9]], (1, 1), (9, 5)),
        ([[1], [5, "x", 7], [8, 9]], (1, 1), (9, 5)),
        ([[5], [4, 9]], (5, 1), (9, 3)),
        ([[5, 5]], (5, 2), (5, 2)),
        ([["7"]], (7, 1), (7, 1)),
    ],
)
def test_a_listing_that_proves_unsorted_moves_its_bookmark_at_the_end(
    pages: list[list[Any]], then: tuple[int, int], end: tuple[int, int]
) -> None:
    state: State = {}
    reading = by_number(state)
    for page in pages:
        see(reading, *page)
    assert reached(state) == then
    reading.complete()
    assert reached(state) == end


def test_rows_without_a_number_move_nothing() -> None:
    state: State = {}
    reading = by_number(state)
    see(reading, None, "seven", [7])
    reading.complete()
    assert state == {"start_date": None}


@given(
    known=st.none() | st.integers(1, 3000),
    pages=st.lists(st.lists(st.integers(1, 3000), max_size=5), max_size=5),
    single=st.booleans(),
    ascending=st.booleans(),
)
def test_a_bookmark_never_moves_down(
    known: int | None, pages: list[list[int]], single: bool, ascending: bool
) -> None:
    state: State = {} if known is None else at(known)
    reading = by_number(state, single=single, ascending=ascending)
    before = known or 0
    for page in pages:
        see(reading, *page)
        assert state.get("replication_key_value", 0) >= before
        before = state.get("replication_key_value", 0)
    reading.complete()
    highest = max([number for page in pages for number in page], default=0)
    assert state.get("replication_key_value", 0) == max(highest, known or 0)


@given(st.lists(st.lists(st.integers(1, 20), max_size=4), max_size=6))
def test_a_bookmark_claims_no_number_that_may_still_come(pages: list[list[int]]) -> None:
    numbers = sorted(number for page in pages for number in page)
    state: State = {}
    reading = by_number(state, single=False)
    for page in pages:
        shown, numbers = numbers[: len(page)], numbers[len(page) :]
        see(reading, *shown)
        assert all(number > state.get("replication_key_value", -1) for number in numbers)


# --- what is asked for ---


@pytest.mark.parametrize(
    "state",
    [
        at(5000, 7, key="voucherNumber"),
        at("5000", 7),
        at(None, 7),
        at(5000),
        at(5000, "7"),
        at(5000, 7, start_date="2024-01-01"),
    ],
    ids=["another key", "text", "null", "never counted", "count is text", "another start_date"],
)
def test_a_bookmark_that_says_too_little_is_none(state: State) -> None:
    books = Counted(*range(1, 8))
    read(by_number(state, books))
    assert (books.asked, books.counts) == ([None], [])


def test_rows_that_went_are_noticed_and_counted_anew() -> None:
    state: State = {}
    books = Counted(*range(5000, 5012))
    read(by_number(state, books))
    del books.rows[5003, 0], books.rows[5011, 0]
    read(by_number(state, books))
    assert reached(state) == (5011, 10)
    books.counts.clear()
    read(by_number(state, books))
    assert books.counts == ["number$lte:5011"]


@pytest.mark.parametrize("nights", [1, 40])
def test_a_difference_costs_reading_twice_its_distance_from_the_end(
    short_overlap: None, nights: int
) -> None:
    """Whether the ledger was read in one night or in forty."""
    state: State = {}
    numbers = [10 * number for number in range(1, 1 + 40 * PAGE)]
    books = Counted()
    for night in range(nights):
        for number in numbers[night * len(numbers) // nights :][: len(numbers) // nights]:
            books.put(number)
        read(by_number(state, books))
    for place, number in enumerate(numbers):
        books.put(number - 5)
        again = read(by_number({**state}, books))
        del books.rows[number - 5, 0]
        distance = len(numbers) - place
        assert number - 5 in again
        assert len(again) <= 2 * max(distance, PAGE) + PAGE


def test_few_counts_locate_a_difference(short_overlap: None) -> None:
    state: State = {}
    books = Counted(*range(10, 10 + 100 * PAGE))
    read(by_number(state, books))
    points = checkpoints(state)
    assert len(points) > 5
    books.put(1)
    read(by_number(state, books))
    assert len(books.counts) <= 1 + len(points).bit_length()


# --- checkpoints ---


def test_a_million_rows_need_about_twenty_checkpoints() -> None:
    state: State = {}
    reading = by_number(state)
    for page in range(1000):
        see(reading, *range(page * 1000, (page + 1) * 1000))
    assert 10 <= len(checkpoints(state)) <= 22


def test_checkpoints_stay_few_over_many_nights(short_overlap: None) -> None:
    state: State = {}
    books = Counted()
    for night in range(200):
        for number in range(5):
            books.put(5 * night + number + 1)
        read(by_number(state, books))
        assert 1 <= len(checkpoints(state)) <= 18


def test_every_checkpoint_holds(short_overlap: None) -> None:
    state: State = {}
    books = Counted(*range(10, 10 + 100 * PAGE))
    read(by_number(state, books))
    books.put(1)
    read(by_number(state, books))
    assert len(checkpoints(state)) > 5
    for number, rows in checkpoints(state):
        assert rows == Books.count(books, None, f"number$lte:{number}")


# --- reading everything again ---


@pytest.mark.parametrize(
    ("state", "more", "full_refresh", "covers_everything"),
    [
        ({}, {}, True, True),
        (at(7, 7), {}, False, False),
        (at(7, 7), {"full_refresh": True}, True, True),
        ({}, {"date_filter": "version$gte:3"}, True, False),
    ],
)
def test_a_reading_tells_whether_it_read_everything(
    state: State, more: dict[str, Any], full_refresh: bool, covers_everything: bool
) -> None:
    reading = by_number(state, Counted(*range(1, 8)), **more)
    read(reading)
    assert (reading.full_refresh, reading.covers_everything) == (
        full_refresh,
        covers_everything,
    )


# --- open rows ---


def open_rows(state: State, books: Books, **more: Any) -> NumberReading:
    return started(OPEN, books, state, **more)


def test_an_open_row_of_the_overlap_is_not_read_by_number_when_settled() -> None:
    state: State = {}
    books = Counted(1)
    books.put(2, remainder=1)
    read(open_rows(state, books))
    books.put(2, remainder=0)
    books.asked.clear()
    read(open_rows(state, books))
    assert books.asked == ["number$gte:1", "remainder$ne:0"]


def test_settled_rows_are_asked_for_two_hundred_at_a_time_in_order() -> None:
    state: State = {}
    books = Counted(5000)
    for number in range(1, 402):
        books.put(number, remainder=1)
    read(open_rows(state, books))
    for number in range(1, 402):
        books.put(number, remainder=0)
    books.asked.clear()
    read(open_rows(state, books))
    lists = [filter_ for filter_ in books.asked if filter_ and "$in" in filter_]
    assert [filter_.count(",") + 1 for filter_ in lists] == [200, 200, 1]
    assert lists[0] == f"number$in:[{','.join(map(str, range(1, 201)))}]"


def test_an_amount_that_cannot_be_told_is_taken_for_open() -> None:
    state: State = {}
    reading = open_rows(state, Counted())
    rows = [(1, "?"), (2, None), (3, "0.00"), (4, "12.50"), (None, 5), (6, 0)]
    reading.observe(
        page_of([{"number": number, "remainder": amount} for number, amount in rows], clock=NOON)
    )
    reading.complete()
    assert OpenSet(state).numbers == {1, 4}


def test_open_rows_are_bound_by_date_too() -> None:
    books = Counted(1, 2)
    day = "version$gte:1"
    read(open_rows(at(2, 2, open=[]), books, date_filter=day))
    assert books.asked[1:] == [f"remainder$ne:0$and:{day}"]


def test_another_start_date_forgets_which_rows_were_open() -> None:
    """They may be older than the new start: reading them by number would pass it by."""
    state = at(30, 30, **kept(3))
    books = Counted(*range(1, 31))
    day: dict[str, Any] = {"date_filter": "version$gte:10", "start_date": "2024-01-01"}
    read(open_rows(state, books, **day), pages=2)
    assert min(read(open_rows(state, books, **day))) == 10


# --- edited rows ---


def changing(state: State, books: Books, *, lookback_minutes: int = 0) -> NumberReading:
    return started(CHANGES, books, state, lookback_minutes=lookback_minutes)


def test_the_changelog_is_read_from_when_the_last_reading_began_less_the_look_back() -> None:
    since: list[pendulum.DateTime | None] = []

    class Log(Counted):
        def changed(self, since_when: pendulum.DateTime | None) -> Any:
            since.append(since_when)
            return iter(())

    state: State = {}
    first = changing(state, Log(1, 2))
    list(first.pages())
    first.observe(page_of([{"number": 1}], clock=NOON))
    first.observe(page_of([{"number": 2}], clock=NOON.add(hours=1)))
    assert "changes_since" not in state
    first.complete()
    assert state["changes_since"] == "2026-01-02T12:00:00Z"
    state = at(2, 2, changes_since=state["changes_since"])
    read(changing(state, Log(1, 2), lookback_minutes=180))
    assert since == [NOON.subtract(hours=3)]


@pytest.mark.parametrize(
    ("answer", "since", "to"),
    [
        ([], "2026-01-02T12:00:00Z", "2026-01-01T08:00:00Z"),
        ([NOON.subtract(hours=28)], "2026-01-03T12:00:00Z", "2026-01-01T08:00:00Z"),
        ([NOON.subtract(hours=28), NOON], "2026-01-03T12:00:00Z", "2026-01-02T12:00:00Z"),
    ],
)
def test_the_changelog_is_read_from_the_last_edit_on_and_without_any_edit_is_no_answer(
    answer: list[pendulum.DateTime], since: str, to: str
) -> None:
    asked: list[pendulum.DateTime | None] = []

    class Log(Counted):
        def changed(self, since_when: pendulum.DateTime | None) -> Any:
            asked.append(since_when)
            yield NOON.add(days=1), [Change(7, 0, when) for when in answer]

    state = at(3000, 2, changes_since="2026-01-02T12:00:00Z", changes_to="2026-01-01T08:00:00Z")
    books = Log(7, 3000)
    books.now = int(NOON.add(days=1).timestamp())
    read(changing(state, books, lookback_minutes=180))
    assert asked == [NOON.subtract(hours=28)]
    assert (state["changes_since"], state["changes_to"]) == (since, to)
    assert ("number$in:[7]" in books.asked) == (NOON in answer), "an edit is read once"


def test_only_edited_rows_below_what_was_read_are_read_by_number() -> None:
    state: State = {}
    books = Counted(1, 2, 2002, *range(3000, 3003))
    read(changing(state, books))
    for number in (2, 2002, 3001):
        books.put(number, edit=True)
    books.asked.clear()
    read(changing(state, books))
    assert books.asked == ["number$gte:2002", "number$in:[2]"]
