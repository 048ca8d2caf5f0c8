"""Bookmarks: they move over what was written, and never down."""

from __future__ import annotations

from typing import Any

import pendulum
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_visma_economic.bookmarks import (
    OVERLAP,
    InstantBookmark,
    NoBookmark,
    NumberBookmark,
    parse_instant,
)
from tap_visma_economic.values import instant_text

State = dict[str, Any]

NOON = pendulum.datetime(2026, 1, 2, 12)


def by_number(
    state: State, *, single: bool = True, ascending: bool = True, start_date: str | None = None
) -> NumberBookmark:
    """A bookmark of entryNumber."""
    return NumberBookmark(
        state, "entryNumber", single=single, ascending=ascending, start_date=start_date
    )


def see(bookmark: NumberBookmark, *numbers: Any) -> None:
    """Show a page of these numbers."""
    bookmark.saw([{"entryNumber": number} for number in numbers], NOON)


def at(value: Any, key: str = "entryNumber", **more: Any) -> State:
    """A state with its bookmark at a value."""
    return {"replication_key": key, "replication_key_value": value, **more}


# --- numbers ---


def test_a_sorted_listing_moves_its_bookmark_after_each_page() -> None:
    state: State = {}
    bookmark = by_number(state)
    see(bookmark, 1, 2, 3)
    assert state == at(3)
    see(bookmark, 4, 9)
    assert state == at(9)


def test_a_page_without_rows_moves_nothing() -> None:
    state: State = {}
    bookmark = by_number(state)
    see(bookmark)
    bookmark.finish()
    assert state == {}


def test_a_number_that_a_page_may_end_inside_of_is_left_for_the_next_page() -> None:
    state: State = {}
    bookmark = by_number(state, single=False)
    see(bookmark, 1, 2, 3, 3)
    assert state == at(2)
    see(bookmark, 3, 3, 4)
    assert state == at(3)
    bookmark.finish()
    assert state == at(4)


@pytest.mark.parametrize("single", [True, False])
def test_a_listing_that_is_not_sorted_moves_its_bookmark_at_the_end(single: bool) -> None:
    state: State = {}
    bookmark = by_number(state, ascending=False, single=single)
    see(bookmark, 1, 2, 3)
    assert state == {}
    bookmark.finish()
    assert state == at(3)


@pytest.mark.parametrize("page", [(5, 4, 6), (5, None, 6), (5, "6", 7)])
def test_a_listing_that_proves_unsorted_moves_its_bookmark_at_the_end(page: tuple[Any]) -> None:
    state: State = {}
    bookmark = by_number(state)
    see(bookmark, 1)
    see(bookmark, *page)
    see(bookmark, 8, 9)
    assert state == at(1)
    bookmark.finish()
    assert state == at(9)


def test_the_same_number_twice_is_no_disorder() -> None:
    state: State = {}
    bookmark = by_number(state)
    see(bookmark, 5, 5)
    assert state == at(5)


def test_disorder_between_two_pages_counts_too() -> None:
    state: State = {}
    bookmark = by_number(state)
    see(bookmark, 5)
    see(bookmark, 4, 9)
    assert state == at(5)


def test_rows_without_a_number_move_nothing() -> None:
    state: State = {}
    bookmark = by_number(state)
    see(bookmark, None, "7")
    bookmark.finish()
    assert state == {}


@given(
    known=st.none() | st.integers(-10, 3000),
    pages=st.lists(st.lists(st.integers(-10, 3000), max_size=5), max_size=5),
    single=st.booleans(),
    ascending=st.booleans(),
)
def test_a_number_bookmark_never_moves_down(
    known: int | None, pages: list[list[int]], single: bool, ascending: bool
) -> None:
    state: State = {} if known is None else at(known)
    bookmark = by_number(state, single=single, ascending=ascending)
    before = known
    for page in [*pages, None]:
        if page is None:
            bookmark.finish()
        else:
            see(bookmark, *page)
        after: int | None = state.get("replication_key_value")
        assert before is None or (after is not None and after >= before)
        before = after
    seen = [number for page in pages for number in page]
    everything = [*seen, *([] if known is None else [known])]
    assert before == max(everything, default=None)


@given(st.lists(st.lists(st.integers(0, 20), max_size=4), max_size=6))
def test_a_number_bookmark_claims_no_number_that_may_still_come(pages: list[list[int]]) -> None:
    numbers = sorted(number for page in pages for number in page)
    state: State = {}
    bookmark = by_number(state, single=False)
    for page in pages:
        shown, numbers = numbers[: len(page)], numbers[len(page) :]
        see(bookmark, *shown)
        claimed: int = state.get("replication_key_value", -1)
        assert all(number > claimed for number in numbers)


@pytest.mark.parametrize(
    ("known", "since"),
    [
        (OVERLAP + 500, 500),
        (OVERLAP + 1, 1),
        (OVERLAP, None),
        (5, None),
        (0, None),
        ("5000", None),
        (None, None),
    ],
)
def test_numbers_are_read_again_from_an_overlap_below_the_bookmark(
    known: Any, since: int | None
) -> None:
    assert by_number(at(known)).since == since


def test_an_overlap_is_a_thousand_numbers() -> None:
    assert OVERLAP == 1000


def test_without_a_bookmark_numbers_are_read_from_the_beginning() -> None:
    assert by_number({}).since is None


def test_a_bookmark_of_another_key_is_none() -> None:
    state = at(5000, key="voucherNumber")
    bookmark = by_number(state)
    assert bookmark.since is None
    see(bookmark, 7)
    assert state == at(7)


def test_strings_are_never_compared_as_numbers() -> None:
    state = at("9")
    see(by_number(state), 10)
    assert state == at(10)


def test_numbers_are_compared_as_numbers() -> None:
    state = at(9)
    see(by_number(state), 10)
    assert state == at(10)


# --- numbers, and the setting start_date ---


@pytest.mark.parametrize(
    ("before", "now"),
    [(None, "2024-01-01"), ("2024-01-01", None), ("2024-01-01", "2023-01-01")],
)
def test_another_start_date_starts_over(before: str | None, now: str | None) -> None:
    state = at(5000) if before is None else at(5000, start_date=before)
    bookmark = by_number(state, start_date=now)
    assert bookmark.since is None
    see(bookmark, 3)
    assert state == at(3, start_date=now)


@pytest.mark.parametrize("start_date", [None, "2024-01-01"])
def test_the_same_start_date_goes_on(start_date: str | None) -> None:
    state = at(5000, start_date=start_date)
    assert by_number(state, start_date=start_date).since == 4000


def test_a_state_that_never_knew_a_start_date_goes_on_without_one() -> None:
    state = at(5000)
    assert by_number(state).since == 4000
    assert state == at(5000)


# --- instants ---


def by_instant(state: State) -> InstantBookmark:
    """A bookmark of lastUpdated."""
    return InstantBookmark(state, "lastUpdated")


def show(
    bookmark: InstantBookmark, *texts: str | None, clock: pendulum.DateTime | None = NOON
) -> None:
    """Show a page of these instants."""
    bookmark.saw([{"lastUpdated": text} for text in texts], clock)


def reached(value: str) -> State:
    """A state with its bookmark at an instant."""
    return at(value, key="lastUpdated")


def test_an_instant_bookmark_moves_at_the_end_only() -> None:
    state: State = {}
    bookmark = by_instant(state)
    show(bookmark, "2026-01-01T10:00:00Z", "2026-01-01T08:00:00Z")
    show(bookmark, "2026-01-01T09:00:00Z")
    assert state == {}
    bookmark.finish()
    assert state == reached("2026-01-01T10:00:00Z")


def test_fractions_of_a_second_count() -> None:
    state: State = {}
    bookmark = by_instant(state)
    show(bookmark, "2026-01-01T10:00:00.500000Z", "2026-01-01T10:00:00Z")
    bookmark.finish()
    assert state == reached("2026-01-01T10:00:00.500000Z")


def test_an_instant_bookmark_does_not_pass_the_servers_clock() -> None:
    state: State = {}
    bookmark = by_instant(state)
    show(bookmark, "2026-01-03T00:00:00Z", "2026-01-01T00:00:00Z")
    bookmark.finish()
    assert state == reached("2026-01-02T12:00:00Z")


def test_the_clock_is_that_of_the_first_page() -> None:
    state: State = {}
    bookmark = by_instant(state)
    show(bookmark, "2026-01-01T00:00:00Z")
    show(bookmark, "2026-01-02T12:30:00Z", clock=NOON.add(hours=1))
    bookmark.finish()
    assert state == reached("2026-01-02T12:00:00Z")


def test_an_empty_first_page_tells_the_clock_too() -> None:
    state: State = {}
    bookmark = by_instant(state)
    show(bookmark)
    show(bookmark, "2026-01-02T12:30:00Z", clock=NOON.add(hours=1))
    bookmark.finish()
    assert state == reached("2026-01-02T12:00:00Z")


def test_the_servers_clock_may_be_told_in_any_zone() -> None:
    state: State = {}
    bookmark = by_instant(state)
    show(bookmark, "2026-01-03T00:00:00Z", clock=NOON.in_timezone("Europe/Copenhagen"))
    bookmark.finish()
    assert state == reached("2026-01-02T12:00:00Z")


def test_where_the_server_tells_no_time_our_own_clock_stands_in(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pendulum, "now", NOON.in_timezone)
    state: State = {}
    bookmark = by_instant(state)
    show(bookmark, "2026-01-03T00:00:00Z", clock=None)
    bookmark.finish()
    assert state == reached("2026-01-02T12:00:00Z")


@pytest.mark.parametrize("texts", [(), (None,), (None, None)])
def test_a_listing_without_instants_moves_nothing(texts: tuple[None, ...]) -> None:
    state = reached("2026-01-01T00:00:00Z")
    bookmark = by_instant(state)
    show(bookmark, *texts)
    bookmark.finish()
    assert state == reached("2026-01-01T00:00:00Z")


def test_a_listing_that_was_never_read_moves_nothing() -> None:
    state: State = {}
    by_instant(state).finish()
    assert state == {}


MOMENTS = st.integers(0, 10**6).map(lambda seconds: NOON.subtract(days=6).add(seconds=seconds))


@given(known=MOMENTS, seen=st.lists(MOMENTS, max_size=6), clock=MOMENTS)
def test_an_instant_bookmark_never_moves_down_nor_past_the_clock(
    known: pendulum.DateTime, seen: list[pendulum.DateTime], clock: pendulum.DateTime
) -> None:
    state = reached(instant_text(known))
    bookmark = by_instant(state)
    show(bookmark, *map(instant_text, seen), clock=clock)
    bookmark.finish()
    latest = min(max(seen, default=known), clock)
    assert state == reached(instant_text(max(known, latest)))


def test_instants_are_compared_as_instants_whatever_their_form() -> None:
    state = reached("2026-01-01T12:00:00+02:00")
    bookmark = by_instant(state)
    show(bookmark, "2026-01-01T11:00:00Z")
    bookmark.finish()
    assert state == reached("2026-01-01T11:00:00Z")


@pytest.mark.parametrize(
    ("state", "since"),
    [
        ({}, None),
        (reached("2026-01-01T12:00:00Z"), "2026-01-01T09:00:00Z"),
        (reached("2026-01-01T12:00:00+02:00"), "2026-01-01T07:00:00Z"),
        (reached("2026-01-01T12:00:00"), "2026-01-01T09:00:00Z"),
        (at("2026-01-01T12:00:00Z", key="timestamp"), None),
        (at(20260101, key="lastUpdated"), None),
        (reached("yesterday"), None),
        (reached("0001-01-01T00:00:00Z"), None),
    ],
)
def test_instants_are_read_again_from_the_look_back(state: State, since: str | None) -> None:
    found = by_instant(state).since(180)
    assert (found and instant_text(found)) == since


@pytest.mark.parametrize("value", [None, 17, "", "soon", "2026-01-01/2026-01-02", []])
def test_what_is_no_instant_is_none(value: Any) -> None:
    assert parse_instant(value) is None


# --- none ---


def test_a_stream_read_in_full_keeps_no_bookmark() -> None:
    bookmark = NoBookmark()
    bookmark.saw([{"entryNumber": 1}], NOON)
    bookmark.finish()
    assert not vars(bookmark)
