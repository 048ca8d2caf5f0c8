"""Paginators: each plan against a listing that answers as e-conomic does."""

from __future__ import annotations

import itertools
import re
from bisect import bisect_left
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_visma_economic.errors import BadResponseError
from tap_visma_economic.pagination import (
    Cursor,
    Keyset,
    Offset,
    Paged,
    PagedUpward,
)
from tests.unit.answers import page_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from tap_visma_economic.pagination import Paginator, Query
    from tap_visma_economic.records.pages import Page

Rows = list[dict[str, Any]]


def numbered(*numbers: int) -> Rows:
    """Rows of these numbers."""
    return [{"number": number} for number in numbers]


def read(
    paginator: Paginator,
    answer: Callable[[Query], Page],
    at_most: int = 300,
    rows: Rows | None = None,
) -> list[Query]:
    """Read a listing to its end and return the queries; the rows are added to `rows`."""
    queries = []
    for _ in range(at_most):
        queries.append(paginator.current_value)
        page = paginator.advance(answer(paginator.current_value))
        if rows is not None:
            rows.extend(page.rows)
        if paginator.finished:
            return queries
    raise AssertionError("the paginator does not come to an end")


@pytest.mark.parametrize(
    ("paginator", "query", "then"),
    [
        (
            Offset("a$eq:1", sort="name"),
            {"sort": "name", "pagesize": 1000, "skippages": 0},
            {"skippages": 1},
        ),
        (
            Paged("a$eq:1", sort="number"),
            {"sort": "number", "pageSize": 100, "skipPages": 0},
            {"skipPages": 1},
        ),
        (Cursor("a$eq:1"), {}, {"cursor": "7"}),
    ],
)
def test_every_page_is_requested_with_the_filter_and_the_order(
    paginator: Paginator, query: Query, then: Query
) -> None:
    pages = iter([page_of(numbered(*range(100)), more=True, cursor="7"), page_of(numbered(100))])
    first = {"filter": "a$eq:1", **query}
    assert read(paginator, lambda _: next(pages)) == [first, {**first, **then}]


# --- REST, upward by a key ---


def keyset_listing(numbers: list[int], size: int) -> Callable[[Query], Page]:
    """A REST listing sorted by number, its pages of `size` rows."""

    def answer(query: Query) -> Page:
        bounds = re.findall(r"number\$(gte?):(-?\d+)", query.get("filter", ""))
        found = [
            number
            for number in sorted(numbers)
            if all(
                number > int(filter_) or (sign == "gte" and number == int(filter_))
                for sign, filter_ in bounds
            )
        ]
        return page_of(numbered(*found[:size]), more=len(found) > size)

    return answer


@given(st.sets(st.integers(-50, 50)), st.integers(1, 10), st.none() | st.integers(-50, 50))
def test_a_keyset_listing_arrives_whole_and_once(
    numbers: set[int], size: int, since: int | None
) -> None:
    listing = keyset_listing(list(numbers), size)
    arrived: list[int] = []

    def answer(query: Query) -> Page:
        page = listing(query)
        arrived.extend(row["number"] for row in page.rows)
        return page

    filter_ = None if since is None else f"number$gte:{since}"
    read(Keyset(filter_, key="number"), answer)
    assert arrived == sorted(number for number in numbers if since is None or number >= since)


@pytest.mark.parametrize("paginator", [Keyset(key="number"), Offset()])
def test_a_rest_listing_ends_at_a_page_without_rows(paginator: Paginator) -> None:
    assert len(read(paginator, lambda _: page_of([], more=True))) == 1


@pytest.mark.parametrize(
    "pages", [[(3, 2, 1)], [(1, 1, 2)], [(1, "2", 3)], [(1, None, 3)], [(1, 2), (4, 3)]]
)
def test_rows_that_do_not_come_in_the_order_asked_for_are_a_bad_answer(
    pages: list[tuple[Any, ...]],
) -> None:
    """Going on above the last of them would leave rows out. The last page counts too."""
    left = [page_of([{"number": n} for n in page], more=True) for page in pages]
    left[1:] = [replace(page, more=False) for page in left[1:]]
    with pytest.raises(BadResponseError, match="are not sorted by number"):
        read(Keyset(key="number"), lambda _: left.pop(0))


def test_a_listing_of_one_page_needs_no_order() -> None:
    assert len(read(Keyset(key="number"), lambda _: page_of(numbered(4, 3)))) == 1


def test_a_row_without_its_key_is_a_bad_answer() -> None:
    with pytest.raises(BadResponseError, match="has no number"):
        read(Keyset(key="number"), lambda _: page_of([{"name": "Kunde"}], more=True))


# --- OpenAPI, by cursor ---


@pytest.mark.parametrize("more", [True, False])
def test_a_page_of_nothing_but_rows_of_the_page_before_is_a_bad_answer(more: bool) -> None:
    """In place of its own: it may hold others as well, but not in the same order."""
    pages = iter(
        [
            page_of(numbered(1, 2, 3), more=True, cursor="a"),
            page_of(numbered(2, 3), more=more, cursor="b"),
        ]
    )
    with pytest.raises(BadResponseError, match="pagination does not progress"):
        read(Cursor(keys=["number"]), lambda _: next(pages))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ([{"number": 3, "part": 1}], [{"number": 3, "part": 2}]),
        ([{"number": None, "part": 1}], [{"number": None, "part": 1}]),
        ([{"part": 1}], [{"part": 1}]),
        ([{"number": [3], "part": {}}], [{"number": [3], "part": {}}]),
    ],
    ids=["a part of a number", "null", "absent", "no keys at all"],
)
def test_rows_that_only_look_like_those_of_the_page_before_are_none(
    before: Rows, after: Rows
) -> None:
    pages = iter([page_of(before, more=True, cursor="a"), page_of(after)])
    rows: Rows = []
    read(Cursor(keys=["number", "part"]), lambda _: next(pages), rows=rows)
    assert rows == [*before, *after]


# --- OpenAPI, /paged ---


def paged_listing(count: int) -> Callable[[Query], Page]:
    """A `/paged` listing of `count` rows, that shows 10,000 of them."""

    def answer(query: Query) -> Page:
        assert query["pageSize"] == 100
        assert query["skipPages"] < 100, "there is no such page"
        start = query["skipPages"] * 100
        return page_of(numbered(*range(start, min(count, start + 100))))

    return answer


@pytest.mark.parametrize(
    ("count", "calls"), [(0, 1), (99, 1), (100, 2), (101, 2), (250, 3), (9_999, 100)]
)
def test_a_paged_listing_is_read_until_a_page_is_not_full(count: int, calls: int) -> None:
    queries = read(Paged(), paged_listing(count))
    assert [query["skipPages"] for query in queries] == list(range(calls))


@pytest.mark.parametrize("count", [10_000, 25_000])
def test_a_paged_listing_that_reaches_the_cap_is_never_taken_for_complete(count: int) -> None:
    with pytest.raises(BadResponseError, match="10,000 rows"):
        read(Paged(), paged_listing(count))


# --- OpenAPI, the changelog ---


class Changelog:
    """A `/paged` listing of events sorted by their second, that shows 10,000 rows.

    Args:
        seconds: when each event was, ascending.
    """

    def __init__(self, seconds: list[int]) -> None:
        self.instants = [
            f"2026-01-01T{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}"
            for second in seconds
        ]
        self.arrived: list[int] = []

    def __call__(self, query: Query) -> Page:
        assert query["sort"] == "timestamp"
        assert query["pageSize"] == 100
        assert query["skipPages"] < 100, "there is no such page"
        since = query.get("filter", "timestamp$gte:").removeprefix("timestamp$gte:")
        start = bisect_left(self.instants, since) + query["skipPages"] * 100
        numbers = range(start, min(start + 100, len(self.instants)))
        self.arrived += numbers
        return page_of([{"timestamp": self.instants[n], "number": n} for n in numbers])


@pytest.mark.parametrize("count", [0, 99, 100, 9_999, 10_000, 10_001, 25_000])
def test_a_changelog_arrives_whole_however_long_it_is(count: int) -> None:
    changelog = Changelog([number // 3 for number in range(count)])
    read(PagedUpward(key="timestamp"), changelog)
    assert sorted(set(changelog.arrived)) == list(range(count))
    assert len(changelog.arrived) <= count + 2 * 3, "no more than the rows of an instant again"


def test_a_changelog_that_cannot_get_past_an_instant_is_a_bad_answer() -> None:
    with pytest.raises(BadResponseError, match="have the same timestamp"):
        read(PagedUpward(key="timestamp"), Changelog([5] * 20_000))


# --- listings that do not come to an end ---


@pytest.mark.parametrize("paginator", [Paged(), PagedUpward(key="number")])
def test_a_paged_listing_that_gives_the_same_page_again_is_a_bad_answer(
    paginator: Paginator,
) -> None:
    asked: list[Query] = []

    def answer(query: Query) -> Page:
        asked.append(query)
        return page_of(numbered(*range(100)))

    with pytest.raises(BadResponseError, match="pagination does not progress"):
        read(paginator, answer)
    assert len(asked) == 2


def test_a_changelog_that_begins_anew_may_give_a_page_once_more() -> None:
    """The last page before the cap is the first one after it, if its rows are of one instant."""
    changelog = Changelog([*range(9_900), *[9_900] * 150])
    read(PagedUpward(key="timestamp"), changelog)
    assert sorted(set(changelog.arrived)) == list(range(10_050))


def test_a_rest_page_may_come_twice() -> None:
    pages = iter(
        [
            *[page_of(numbered(1), more=True)] * 2,
            *[page_of(numbered(2), more=True)] * 2,
            page_of([]),
        ]
    )
    assert len(read(Offset(), lambda _: next(pages))) == 5


def test_cursors_that_lead_from_one_empty_page_to_the_next_are_a_bad_answer() -> None:
    cursors = itertools.count()
    with pytest.raises(BadResponseError, match="101 empty or repeated pages in a row"):
        read(Cursor(), lambda _: page_of([], more=True, cursor=str(next(cursors))))


@pytest.mark.parametrize("rows", [[numbered(7)], [numbered(1, 2), numbered(3, 4)]])
@pytest.mark.parametrize("paginator", [lambda: Cursor(keys=("number",)), Cursor, Offset])
def test_pages_that_come_round_and_round_are_a_bad_answer(
    rows: list[Rows], paginator: Callable[[], Paginator]
) -> None:
    """With a new cursor each time, or in a listing by position that goes on behind its end."""
    pages = itertools.cycle(rows)
    cursors = itertools.count()
    with pytest.raises(BadResponseError, match="pagination does not progress"):
        read(paginator(), lambda _: page_of(next(pages), more=True, cursor=str(next(cursors))))


def test_empty_pages_between_rows_are_not_counted_together() -> None:
    pages = [page_of(numbered(n) if n % 2 else [], more=n < 280, cursor=str(n)) for n in range(281)]
    asked = iter(pages)
    assert len(read(Cursor(), lambda _: next(asked))) == 281
