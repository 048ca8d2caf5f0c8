"""A walk through a listing: every row comes, and what is not certain is told."""

from __future__ import annotations

import logging
import operator
import re
from bisect import bisect_left
from dataclasses import replace
from itertools import chain
from typing import TYPE_CHECKING, Any

import pytest

from tap_visma_economic.errors import (
    EconomicError,
    IncompleteListingError,
)
from tap_visma_economic.key_ranges import PAGE, WORTH_SPLITTING
from tap_visma_economic.listing import ListingReader
from tap_visma_economic.pagination import Cursor, Keyset, Offset
from tests.unit.answers import page_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from tap_visma_economic.pagination import Paginator
    from tap_visma_economic.records.pages import Page

NUMBER = 1234567
BOUND = re.compile(r"number\$(gte|gt|lte):(-?\d+)")

Row = dict[str, Any]


class OneByOne:
    """Reads one chain after the other, in the same thread."""

    def ordered(self, chains: Iterable[Iterator[Any]], *, at_once: int) -> Iterator[Any]:
        return chain.from_iterable(chains)


class Company:
    number = NUMBER
    http = None


class Rows:
    """An endpoint over rows in memory, told apart by `number`, as a walk asks it.

    Args:
        rows: all rows, in the order of the listing.
        paginator: `Keyset` (REST, upward), `Offset` (REST, by position) or `Cursor` (OpenAPI).
        unique: no two rows have the same number.
    """

    is_counted = True
    keyset = "number"
    concurrency = 2
    prefetcher = OneByOne()
    path = "/rows"
    logger = logging.getLogger("test")

    def __init__(
        self, rows: Iterable[Row], paginator: type[Paginator] = Cursor, *, unique: bool = True
    ) -> None:
        self.rows = list(rows)
        self.paginator = paginator
        self.is_unique = unique
        self.in_doubt: set[int] = set()
        self.unsorted = False
        self.deletes = False
        self.asked: list[Any] = []
        self.counts: list[str | None] = []
        self.vanished: list[Row] = []
        self.missing = False
        self.before_page: Callable[[int], object] = lambda _: None
        self.before_count: Callable[[int], object] = lambda _: None

    def get_new_paginator(self, filter_: str | None) -> Paginator:
        if self.paginator is Keyset:
            return Keyset(filter_, key="number")
        return self.paginator(filter_)

    def fetch(self, http: None, context: Row, query: Row) -> Page:
        self.asked.append(query)
        self.before_page(len(self.asked))
        rows = self.matching(query.get("filter"))
        start = query.get("skippages", 0) * PAGE
        if "cursor" in query:
            start = bisect_left(rows, int(query["cursor"]), key=lambda row: row["place"])
        page, left = rows[start : start + PAGE], rows[start + PAGE :]
        if self.paginator is Cursor:
            cursor = str(left[0]["place"]) if left else None
            return page_of(page, more=bool(left), cursor=cursor)
        return page_of(page, more=bool(left), results=len(rows))

    def count_of(self, http: None, context: Row, filter_: str | None) -> int:
        self.counts.append(filter_)
        self.before_count(len(self.counts))
        return len(self.matching(filter_))

    def matching(self, filter_: str | None) -> list[Row]:
        tests: dict[str, Callable[[int, int], bool]] = {
            "gte": operator.ge,
            "gt": operator.gt,
            "lte": operator.le,
        }
        found = [(tests[name], int(value)) for name, value in BOUND.findall(filter_ or "")]
        return [row for row in self.rows if all(test(row["number"], v) for test, v in found)]

    def identities(self, page: Page, context: Row) -> list[tuple[str | None]]:
        numbers = [row.get("number") for row in page.rows]
        return [(None if number is None else str(number),) for number in numbers]

    def keeps_moving(self, agreement: Any) -> None:
        self.in_doubt.add(agreement.number)

    def may_be_missing(self, agreement: Any, context: Row) -> bool:
        self.vanished += [context] * self.missing
        return self.missing


def numbered(numbers: Iterable[int | None]) -> list[Row]:
    return [{"number": number, "place": place} for place, number in enumerate(numbers)]


def pages(rows: Rows, filter_: str | None = None) -> Iterator[Page]:
    endpoint: Any = rows
    agreement: Any = Company()
    reader = ListingReader(endpoint, agreement, {"agreementNumber": NUMBER}, filter_)
    return (page for _, page in reader.pages())


def read(rows: Rows, filter_: str | None = None) -> list[Row]:
    return [row for page in pages(rows, filter_) for row in page.rows]


def places(rows: Iterable[Row]) -> list[int]:
    return [row["place"] for row in rows]


# Windows


LONG = WORTH_SPLITTING + 3 * PAGE


def test_windows_are_bound_like_the_listing() -> None:
    rows = Rows(numbered(range(1, 2 * LONG)))
    assert places(read(rows, f"number$lte:{LONG}")) == list(range(LONG))
    assert any("lte" in str(query.get("filter")) for query in rows.asked)


@pytest.mark.parametrize("times", [2, 7])
def test_a_page_that_ends_inside_a_number_loses_none_of_its_rows(times: int) -> None:
    rows = Rows(numbered(n for n in range(LONG // times) for _ in range(times)), unique=False)
    assert sorted(places(read(rows))) == places(rows.rows)
    assert any("lte" in str(query.get("filter")) for query in rows.asked)


@pytest.mark.parametrize(
    "numbers",
    [
        [*range(1_000, LONG), *range(600)],
        [*range(1, 500), LONG + 1, *range(501, PAGE + 1), 500, *range(PAGE + 1, LONG)],
    ],
    ids=["lower numbers later", "first page not sorted"],
)
def test_a_listing_that_is_not_sorted_is_not_cut(numbers: list[int]) -> None:
    """Even if as many rows have higher numbers than the first page's last as follow it."""
    rows = Rows(numbered(numbers))
    assert places(read(rows)) == places(rows.rows)


def test_a_listing_that_cannot_be_counted_is_read_page_after_page() -> None:
    def fail(time: int) -> None:
        if time == 1:
            raise EconomicError("no count")

    rows = Rows(numbered(range(LONG)))
    rows.before_count = fail
    assert places(read(rows)) == places(rows.rows)
    assert not any("filter" in query for query in rows.asked)


# By position


def test_rows_without_a_key_are_all_given() -> None:
    rows = Rows(numbered([1, None, None, *range(2, PAGE + 5), None]), Offset)
    late = rows.rows.pop()
    rows.before_page = lambda page: rows.rows.append(late) if page == 3 else None
    assert set(places(read(rows))) == set(places(rows.rows))
    assert late in rows.rows


# Is it all?


def test_a_single_page_that_tells_of_more_rows_than_it_has_is_a_failure() -> None:
    class Short(Rows):
        def fetch(self, http: None, context: Row, query: Row) -> Page:
            page = super().fetch(http, context, query)
            return replace(page, rows=page.rows[:-2])

    with pytest.raises(
        IncompleteListingError, match="8 rows were read, but e-conomic counted 10 before"
    ):
        read(Short(numbered(range(10)), Keyset))


def growing() -> Rows:
    """Rows of two pages, one more of which comes before the second is asked for."""
    rows = Rows(numbered(range(PAGE + 5)), Keyset)
    rows.before_page = lambda page: rows.rows.extend(numbered([5 * PAGE])) if page == 2 else None
    return rows


def test_rows_that_came_meanwhile_and_were_read_leave_no_doubt(
    caplog: pytest.LogCaptureFixture,
) -> None:
    rows = growing()
    assert len(read(rows)) == PAGE + 6
    assert rows.counts == [f"number$gt:{PAGE - 1}", None], "is it sorted, and is it all?"
    assert not rows.in_doubt
    assert not caplog.records


def test_a_count_that_is_right_the_second_time_is_believed(
    caplog: pytest.LogCaptureFixture,
) -> None:
    rows, late = growing(), numbered([-1])

    def come_and_go(time: int) -> None:
        rows.rows = [*late, *rows.rows] if time == 1 else rows.rows[1:]

    rows.before_count = come_and_go
    assert len(read(rows)) == PAGE + 6
    assert len(rows.counts) == 2
    assert not rows.in_doubt
    assert not caplog.records


def test_many_rows_that_came_meanwhile_are_a_doubt_and_no_failure() -> None:
    rows = growing()
    more = numbered(range(-PAGE, 0))
    rows.before_count = lambda time: rows.rows.extend(more) if time == 1 else None
    assert len(read(rows)) == PAGE + 6
    assert rows.in_doubt == {NUMBER}


def test_rows_that_went_meanwhile_are_no_doubt() -> None:
    rows = growing()
    rows.before_count = lambda _: rows.rows.pop(0)
    assert len(read(rows)) == PAGE + 6
    assert not rows.in_doubt
