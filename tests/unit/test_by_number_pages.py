"""After every run the warehouse equals the books, whatever happens to rows, numbers and runs.

A model of a listing (rows by number, some numbers standing on several rows) is read by the real
readings, page by page, while rows are booked, settled, edited and runs are cut; a warehouse takes
what they yield. Two runs after the last change nothing may be missing or old.
"""

from __future__ import annotations

import copy
import re
from typing import TYPE_CHECKING, Any

import pendulum
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tap_visma_economic.records.values import instant_text
from tap_visma_economic.replication import ByNumber, ByTimestamp, OpenItems
from tap_visma_economic.replication import by_number as module
from tap_visma_economic.replication.base import Options, parse_instant
from tap_visma_economic.replication.by_number import Change
from tests.unit.answers import page_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tap_visma_economic.records.pages import Page
    from tap_visma_economic.replication.by_number import NumberReading

Row = dict[str, Any]
State = dict[str, Any]

PAGE = 3
AGREEMENT: Any = "agreement 1"

PLAIN = ByNumber("number", start_date="version")
OPEN = ByNumber("number", start_date="version", open_items=OpenItems("remainder$ne:0"))


def started(
    by: ByNumber,
    books: Books,
    state: State,
    *,
    date_filter: str | None = None,
    start_date: str | None = None,
    full_refresh: bool = False,
    lookback_minutes: int = 0,
) -> NumberReading:
    """A reading of books, whose property `version` stands for the date."""
    start = parse_instant(start_date)
    options = Options(full_refresh, start, lookback_minutes)
    stream: Any = books
    reading: Any = by.incremental(stream, AGREEMENT, state, options)
    reading._date_filter = date_filter
    return reading  # type: ignore[no-any-return]


@pytest.fixture(autouse=True)
def _small_overlap(monkeypatch: pytest.MonkeyPatch) -> None:
    """An overlap that covers a whole model would hide what it is to show."""
    monkeypatch.setattr(module, "OVERLAP", 2)


class Books:
    """A listing as e-conomic serves it, sorted, in pages, live."""

    name = "books"
    logger: Any = None
    replication = PLAIN
    own_primary_keys: tuple[str, ...] = ("agreementNumber", "number")
    parent: type[Any] | None = None
    is_counted = True

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(name)

    def __init__(self) -> None:
        self.rows: dict[tuple[int, int], Row] = {}
        self.log: list[Change] = []
        self.now = 0
        self.asked: list[str | None] = []
        self.between: Callable[[], None] = lambda: None

    def put(self, number: int, part: int = 0, remainder: int = 0, *, edit: bool = False) -> None:
        """Book a row, or edit one: only edits are in the changelog."""
        self.now += 1
        if edit:
            self.tell(number, rows=int((number, part) not in self.rows))
        self.rows[number, part] = {
            "number": number, "part": part, "remainder": remainder, "version": self.now,
        }  # fmt: skip

    def take(self, number: int, part: int) -> None:
        """Take a row away, which the changelog tells."""
        self.now += 1
        del self.rows[number, part]
        self.tell(number, rows=-1)

    def tell(self, number: int, rows: int) -> None:
        self.log.append(Change(number, rows, pendulum.from_timestamp(self.now)))

    def matching(self, filter_: str | None) -> list[Row]:
        tests = [_parse(part) for part in filter_.split("$and:")] if filter_ else []
        rows = (self.rows[key] for key in sorted(self.rows))
        return [row for row in rows if all(test(row) for test in tests)]

    # what a reading asks

    def read(self, agreement: Any, filter_: str | None) -> Iterator[tuple[Row, Page]]:
        self.asked.append(filter_)
        end = (0, -1)
        while True:
            self.now += 1  # every answer takes some time
            left = [r for r in self.matching(filter_) if (r["number"], r["part"]) > end]
            clock = pendulum.from_timestamp(self.now)
            yield {}, page_of(copy.deepcopy(left[:PAGE]), more=len(left) > PAGE, clock=clock)
            self.between()
            if len(left) <= PAGE:
                return
            end = (left[PAGE - 1]["number"], left[PAGE - 1]["part"])

    def count(self, agreement: Any, filter_: str | None) -> int:
        return len(self.matching(filter_))

    def sibling(self, of: type[Any]) -> Any:
        return of(self)

    def changed(self, since: pendulum.DateTime | None) -> Iterator[tuple[Any, list[Change]]]:
        clock = pendulum.from_timestamp(self.now)
        yield clock, [c for c in self.log if since is None or (c.at and c.at >= since)]
        self.between()


class Changelog:
    """The changelog of books, as a stream."""

    replication = ByTimestamp("at")
    instant_literal = staticmethod(instant_text)

    def __init__(self, books: Books) -> None:
        self.books = books

    def column_pages(
        self, agreement: Any, columns: tuple[str, ...], filter_: str | None
    ) -> Iterator[tuple[Page, list[tuple[Any, ...]]]]:
        assert columns == ("number", "dimensionKeyFrom", "dimensionKeyTo", "at")
        since = parse_instant(filter_.partition("at$gte:")[2]) if filter_ else None
        keys = {-1: ("old", None), 0: ("old", "new"), 1: (None, "new")}
        for clock, changes in self.books.changed(since):
            edits = [
                (change.number, *keys[change.rows], change.at and instant_text(change.at))
                for change in changes
            ]
            yield page_of([], clock=clock), edits


CHANGES = ByNumber("number", start_date="version", changelog=Changelog)


def _parse(part: str) -> Callable[[Row], bool]:
    found = re.fullmatch(r"(\w+)\$(\w+):(.*)", part)
    assert found, part
    name, operator, text = found.groups()
    if operator == "in":
        wanted = {int(value) for value in text.strip("[]").split(",")}
        assert len(wanted) <= 200
        return lambda row: row[name] in wanted
    value = int(text)
    compare: dict[str, Callable[[int], bool]] = {
        "gte": lambda n: n >= value,
        "gt": lambda n: n > value,
        "lte": lambda n: n <= value,
        "lt": lambda n: n < value,
        "ne": lambda n: n != value,
    }
    return lambda row: compare[operator](row[name])


class Warehouse:
    """Takes what runs yield, and keeps the state of the last page written."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.rows: dict[tuple[int, int], Row] = {}
        self.state: State = {}

    def reading(self, books: Books, state: State) -> NumberReading:
        if self.kind == "changes":
            books.own_primary_keys = ("agreementNumber", "number", "part")
        return started({"open": OPEN, "changes": CHANGES}.get(self.kind, PLAIN), books, state)

    def run(self, books: Books, cut_after: int | None = None) -> None:
        """One run, killed when so many pages are written and the state is not."""
        state = copy.deepcopy(self.state)
        reading = self.reading(books, state)
        for pages, (_, page) in enumerate(reading.pages()):
            beforehand = reading.observe(page)
            self.state = copy.deepcopy({**self.state, **beforehand})
            for row in page.rows:
                self.rows[row["number"], row["part"]] = row
            if pages == cut_after:
                return
            self.state = copy.deepcopy(state)
        reading.complete()
        self.state = copy.deepcopy(state)


@st.composite
def events(draw: st.DrawFn) -> list[tuple[str, int, int]]:
    """Bookings (also of odd numbers), changes of rows, runs, and runs that are cut."""
    kinds = st.sampled_from(["book", "book", "high", "low", "change", "run", "cut", "during"])
    return draw(
        st.lists(st.tuples(kinds, st.integers(0, 40), st.integers(0, 3)), min_size=4, max_size=40)
    )


def play(books: Books, warehouse: Warehouse, event: tuple[str, int, int]) -> None:
    kind, number, more = event
    parts = range(1 + more) if warehouse.kind == "changes" else range(1)
    highest = max((key[0] for key in books.rows), default=0)
    if kind == "book":
        for part in parts:
            books.put(highest + 1, part, remainder=more % 2)
    elif kind == "high":  # a number picked by hand
        books.put(highest + 10 + number, remainder=more % 2)
    elif kind == "low":  # a row that becomes visible late
        if (number + 1, 0) not in books.rows:
            books.put(number + 1, remainder=more % 2)
    elif kind == "change":
        change(books, warehouse, number, more)
    elif kind == "run":
        warehouse.run(books)
    elif kind == "cut":
        warehouse.run(books, cut_after=more)
    elif kind == "during":  # bookings and a change while a run is reading
        turns = [("book", 0, more), ("low", number, 0), ("change", number, more), ("book", 0, 0)]
        left = iter(turns[more:] + turns[:more])
        books.between = lambda: play(books, warehouse, next(left, ("nothing", 0, 0)))
        warehouse.run(books)
        books.between = lambda: None


def change(books: Books, warehouse: Warehouse, number: int, more: int) -> None:
    """Change a row as rows of this kind can: numbered rows not at all, others in their way."""
    keys = sorted(books.rows)
    if not keys or warehouse.kind == "plain":
        return
    key = keys[number % len(keys)]
    if warehouse.kind == "open":
        books.put(*key, remainder=1 - books.rows[key]["remainder"])
    elif more == 0:
        books.take(*key)
    elif more == 1:  # a row more for an old number
        books.put(key[0], key[1] + 7, edit=True)
    else:
        books.put(*key, edit=True)


@pytest.mark.parametrize("kind", ["plain", "open", "changes"])
@settings(
    max_examples=300,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(history=events())
def test_two_runs_after_the_last_change_nothing_is_missing_or_old(
    kind: str, history: list[tuple[str, int, int]]
) -> None:
    books, warehouse = Books(), Warehouse(kind)
    for event in history:
        play(books, warehouse, event)
    warehouse.run(books)
    warehouse.run(books)
    if kind == "open":  # settled and opened again, a row is as it was
        for row in (*warehouse.rows.values(), *books.rows.values()):
            row["version"] = 0
    for key in set(warehouse.rows) - set(books.rows):  # taken away: only a full read tells
        del warehouse.rows[key]
    assert warehouse.rows == books.rows
    assert warehouse.state.get("rows_to_bookmark", 0) == len(books.rows)
