"""Readings by instant: what they ask for, and a bookmark that never moves down."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pendulum
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_visma_economic.records.pages import Page
from tap_visma_economic.records.values import instant_text
from tap_visma_economic.replication import ByTimestamp
from tap_visma_economic.replication.base import Options, bookmark_of, move, parse_instant

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_visma_economic.paths import PathContext
    from tap_visma_economic.replication.base import Reading

State = dict[str, Any]

NOON = pendulum.datetime(2026, 1, 2, 12)
PAGE = Page([{"number": 1}])
AGREEMENT: Any = "agreement 1"


class Listing:
    """A stream of one agreement: notes the filters it is asked for."""

    def __init__(self) -> None:
        self.asked: list[str | None] = []

    def read(self, agreement: Any, filter_: str | None) -> Iterator[tuple[PathContext, Page]]:
        self.asked.append(filter_)
        yield {"agreementNumber": 1}, PAGE

    def instant_literal(self, at: pendulum.DateTime) -> str:
        return instant_text(at)


def reading(
    state: State,
    listing: Listing | None = None,
    start: pendulum.DateTime | None = None,
    *,
    full_refresh: bool = False,
) -> Reading:
    """A reading by lastUpdated with a look-back of three hours."""
    stream: Any = listing or Listing()
    options = Options(full_refresh, start, lookback_minutes=180)
    return ByTimestamp("lastUpdated").incremental(stream, AGREEMENT, state, options)


def asked(state: State, start: pendulum.DateTime | None = None) -> str | None:
    """The filter a reading asks with."""
    listing = Listing()
    list(reading(state, listing, start).pages())
    (filter_,) = listing.asked
    return filter_


def show(bookmark: Reading, *values: Any, clock: pendulum.DateTime | None = NOON) -> None:
    """Show a written page of rows with these instants."""
    bookmark.observe(Page([{"lastUpdated": value} for value in values], clock=clock))


def reached(value: Any, key: str = "lastUpdated") -> State:
    """A state with its bookmark at an instant."""
    return {"replication_key": key, "replication_key_value": value}


# --- what is asked for ---


@pytest.mark.parametrize(
    ("state", "start", "full_refresh", "tells"),
    [
        ({}, None, False, (True, True)),
        ({}, NOON, False, (True, False)),
        (reached("2026-01-04T12:00:00Z"), None, False, (False, False)),
        (reached("2026-01-04T12:00:00Z"), None, True, (True, True)),
        (reached("2026-01-04T12:00:00Z"), NOON, True, (True, False)),
    ],
)
def test_a_reading_tells_whether_it_read_everything(
    state: State, start: pendulum.DateTime | None, full_refresh: bool, tells: tuple[bool, bool]
) -> None:
    bookmark = reading(state, None, start, full_refresh=full_refresh)
    assert (bookmark.full_refresh, bookmark.covers_everything) == tells


# --- how the bookmark moves ---


def test_fractions_of_a_second_count() -> None:
    state: State = {}
    bookmark = reading(state)
    show(bookmark, "2026-01-01T10:00:00.500000Z", "2026-01-01T10:00:00Z")
    bookmark.complete()
    assert state == reached("2026-01-01T10:00:00.500000Z")


def test_the_clock_is_that_of_the_first_page() -> None:
    state: State = {}
    bookmark = reading(state)
    show(bookmark, "2026-01-01T00:00:00Z")
    show(bookmark, "2026-01-02T12:30:00Z", clock=NOON.add(hours=1))
    bookmark.complete()
    assert state == reached("2026-01-02T12:00:00Z")


def test_an_empty_first_page_tells_the_clock_too() -> None:
    state: State = {}
    bookmark = reading(state)
    show(bookmark)
    show(bookmark, "2026-01-02T12:30:00Z", clock=NOON.add(hours=1))
    bookmark.complete()
    assert state == reached("2026-01-02T12:00:00Z")


def test_the_servers_clock_may_be_told_in_any_zone() -> None:
    state: State = {}
    bookmark = reading(state)
    show(bookmark, "2026-01-03T00:00:00Z", clock=NOON.in_timezone("Europe/Copenhagen"))
    bookmark.complete()
    assert state == reached("2026-01-02T12:00:00Z")


def test_where_the_server_tells_no_time_our_own_clock_stands_in(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pendulum, "now", NOON.in_timezone)
    state: State = {}
    bookmark = reading(state)
    show(bookmark, "2026-01-03T00:00:00Z", clock=None)
    bookmark.complete()
    assert state == reached("2026-01-02T12:00:00Z")


@pytest.mark.parametrize("values", [(), (None,), ("", 17, "soon", "2026-02-30T00:00:00Z")])
def test_a_listing_without_instants_moves_nothing(values: tuple[Any, ...]) -> None:
    state = reached("2026-01-01T00:00:00Z")
    bookmark = reading(state)
    show(bookmark, *values)
    bookmark.complete()
    assert state == reached("2026-01-01T00:00:00Z")


def test_a_listing_that_was_never_read_moves_nothing() -> None:
    state: State = {}
    reading(state).complete()
    assert state == {}


MOMENTS = st.integers(0, 10**6).map(lambda seconds: NOON.subtract(days=6).add(seconds=seconds))


@given(known=MOMENTS, seen=st.lists(MOMENTS, max_size=6), clock=MOMENTS)
def test_an_instant_bookmark_never_moves_down_nor_past_the_clock(
    known: pendulum.DateTime, seen: list[pendulum.DateTime], clock: pendulum.DateTime
) -> None:
    state = reached(instant_text(known))
    bookmark = reading(state)
    show(bookmark, *map(instant_text, seen), clock=clock)
    bookmark.complete()
    latest = min(max(seen, default=known), clock)
    assert state == reached(instant_text(max(known, latest)))


def test_instants_are_compared_as_instants_whatever_their_form() -> None:
    state = reached("2026-01-01T12:00:00+02:00")
    bookmark = reading(state)
    show(bookmark, "2026-01-01T11:00:00Z")
    bookmark.complete()
    assert state == reached("2026-01-01T11:00:00Z")


@pytest.mark.parametrize("value", [None, 17, "", "soon", "2026-01-01/2026-01-02", []])
def test_what_is_no_instant_is_none(value: Any) -> None:
    assert parse_instant(value) is None


def test_what_is_served_in_another_form_counts_as_the_instant_it_is() -> None:
    state: State = {}
    bookmark = reading(state)
    show(bookmark, "2026-01-01T11:00:00+02:00", "2026-01-01T10:00:00", "2026-01-01T09:30:00Z")
    bookmark.complete()
    assert state == reached("2026-01-01T10:00:00Z")


# --- the state ---


def test_a_bookmark_is_known_by_its_key_only() -> None:
    assert bookmark_of(reached(17, key="entryNumber"), "entryNumber") == 17
    assert bookmark_of(reached(17, key="entryNumber"), "voucherNumber") is None
    assert bookmark_of({}, "entryNumber") is None


def test_a_bookmark_that_moves_takes_its_key_along_and_leaves_the_rest() -> None:
    state = {**reached(17, key="entryNumber"), "context": {"agreementNumber": 1}}
    move(state, "voucherNumber", 5)
    assert state == {**reached(5, key="voucherNumber"), "context": {"agreementNumber": 1}}
