"""Paginators: the query for the next page, from the last one.

Each is for one pass over one listing. REST spells the page size `pagesize`: e-conomic ignores
unknown parameters, and would return 20 rows per page.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from tap_visma_economic.errors import BadResponseError, counted
from tap_visma_economic.filters import both, compare
from tap_visma_economic.records.pages import Page
from tap_visma_economic.records.selection import Row

Query = dict[str, Any]
"""Query parameters of one request: strings and numbers."""

REST_PAGE = 1000
"""Maximum rows of a REST page; 1001 is a 400 (docs/economic-api.md#rest-collections)."""

PAGED_PAGE = 100
PAGED_PAGES = 100
"""Rows of a `/paged` page, and how many pages there are (docs/economic-api.md#openapi-listings)."""

_MAX_EMPTY = 100
"""Consecutive empty pages after which a listing is considered endless."""


class Paginator:
    """The SDK's paginator, but given pages: request `current_value` until it is `finished`.

    Args:
        filter_: the filter of all pages of this reading.
        keys: properties by which a row is looked up on the page before.
        twins: no document says that they identify a row: equal rows at the end of a page and the
            start of the next may be different ones.
        **query: the other parameters of the first page.

    Attributes:
        current_value: the query of the page to request.
        count: pages read.
        finished: there is nothing more to request.
    """

    shifts = False
    """Whether rows added or deleted while pages are read move the rows of later pages."""

    max_repeated = 0
    """Repeated pages in a row that are allowed: each is in place of another."""

    def __init__(
        self,
        filter_: str | None = None,
        *,
        keys: Sequence[str] = (),
        twins: bool = False,
        **query: str | int,
    ) -> None:
        self.filter = filter_
        self._keys = keys
        self._twins = twins
        self._before: tuple[Sequence[Row], dict[tuple[Any, ...], int]] = ([], {})
        self._seen: set[int | None] = set()
        self._idle = 0
        self.current_value: Query = {**query, **filtered(filter_)}
        self.count = 0
        self.finished = False

    def advance(self, page: Page) -> Page:
        """Advance to the next page, or finish; return the page without rows of the one before.

        Raises:
            BadResponseError: e-conomic returns the same pages, or empty ones, again and again.
        """
        fresh = self._without_repeats(page)
        self._check_progress(page, fresh)
        self.count += 1
        self.finished = not self.has_more(fresh)
        if not self.finished:
            self.current_value = self.get_next(fresh)
        return fresh

    def _check_progress(self, page: Page, fresh: Page) -> None:
        """Raise an error if too many consecutive pages are empty or repeated.

        A last page may consist of one row of the page before: e-conomic's own count shows whether
        all rows were returned.
        """
        mark = page.rows.mark
        is_idle = not fresh.rows or mark in self._seen
        self._idle = self._idle + 1 if is_idle and (page.more or len(page.rows) != 1) else 0
        self._seen.add(mark)
        if self._idle > (self.max_repeated if page.rows else _MAX_EMPTY):
            repeated = counted(self._idle, "empty or repeated page")
            raise BadResponseError(f"pagination does not progress: {repeated} in a row")

    def _without_repeats(self, page: Page) -> Page:
        """Return a page without the rows that equal one of the page before.

        An equal key is not enough: not every key is documented to identify a row.
        """
        try:
            keys = list(zip(*(page.rows.column(name) for name in self._keys), strict=True))
            places = {key: place for place, key in enumerate(keys) if None not in key}
        except TypeError:  # a list or an object where a key should be
            keys, places = [], {}
        (rows, before), self._before = self._before, (page.rows, places)
        if before.keys().isdisjoint(places):
            return page
        run = 0
        if self._twins:  # equal rows at the border may all be rows of their own
            run = next((n for n, row in enumerate(page.rows) if row != rows[-1]), len(keys))
        fresh = [
            place
            for place, key in enumerate(keys)
            if place < run or key not in before or page.rows[place] != rows[before[key]]
        ]
        return replace(page, rows=page.rows.take(fresh))

    def has_more(self, page: Page) -> bool:
        """Return whether another page follows."""
        return page.more

    def get_next(self, page: Page) -> Query:
        """Return the query of the page after this one."""
        raise NotImplementedError

    def comes_in_order(self, page: Page) -> bool:  # noqa: ARG002
        """Return whether a first page is in the order that this paginator relies on."""
        return True

    def unsorted(self) -> Paginator | None:
        """Return a paginator that requests no order; None if this one requests none."""
        return None


class OnePage(Paginator):
    """A listing that is a single response: arrays and objects."""

    def has_more(self, page: Page) -> bool:  # noqa: ARG002
        return False


class Offset(Paginator):
    """A REST listing by position. It is read more than once, so one repeated page does no harm."""

    shifts = True
    max_repeated = 1

    def __init__(self, filter_: str | None = None, *, sort: str | None = None) -> None:
        order: Query = {"sort": sort} if sort else {}
        super().__init__(filter_, pagesize=REST_PAGE, skippages=0, **order)

    def has_more(self, page: Page) -> bool:
        return page.more and bool(page.rows)

    def get_next(self, page: Page) -> Query:  # noqa: ARG002
        return {**self.current_value, "skippages": self.count}

    def unsorted(self) -> Paginator | None:
        return Offset(self.filter) if "sort" in self.current_value else None


class Keyset(Paginator):
    """A REST listing in ascending order of an integer key: each page begins above the last key.

    Rows added or deleted meanwhile shift no pages.
    """

    def __init__(self, filter_: str | None = None, *, key: str) -> None:
        self.key = key
        self._end = float("-inf")
        super().__init__(filter_, keys=(key,), pagesize=REST_PAGE, sort=key)

    def get_next(self, page: Page) -> Query:
        above = compare(self.key, "gt", keys_of(page, self.key)[-1])
        return {**self.current_value, **filtered(both(self.filter, above))}

    def has_more(self, page: Page) -> bool:
        """Return whether another page follows; an empty page has no last key to go on from.

        Raises:
            BadResponseError: the rows are not sorted: going on above the last key would skip some.
        """
        if not page.more and self.count == 1:
            return False  # a listing of one page needs no order
        keys = keys_of(page, self.key)
        if keys and (not _is_rising(keys) or keys[0] <= self._end):
            raise BadResponseError(f"the rows are not sorted by {self.key}, as requested")
        self._end = keys[-1] if keys else self._end
        return page.more and bool(keys)

    def comes_in_order(self, page: Page) -> bool:
        return not page.more or _is_rising(keys_of(page, self.key))

    def unsorted(self) -> Paginator | None:
        return Offset(self.filter)


class Cursor(Paginator):
    """An OpenAPI cursor listing, up to 1,000 rows a page, ascending by identifier."""

    def get_next(self, page: Page) -> Query:
        """Return the query with the next cursor; the filter must be sent again."""
        return {**self.current_value, "cursor": page.cursor or ""}


class Paged(Paginator):
    """An OpenAPI `/paged` listing: 100 rows a page, and at most 10,000 rows in all."""

    shifts = True

    def __init__(self, filter_: str | None = None, *, sort: str | None = None) -> None:
        order: Query = {"sort": sort} if sort else {}
        super().__init__(filter_, pageSize=PAGED_PAGE, skipPages=0, **order)

    def has_more(self, page: Page) -> bool:
        return len(page.rows) >= PAGED_PAGE

    def get_next(self, page: Page) -> Query:  # noqa: ARG002
        if self.count >= PAGED_PAGES:
            raise BadResponseError("the listing has 10,000 rows or more; e-conomic returns no more")
        return {**self.current_value, "skipPages": self.count}


class PagedUpward(Paged):
    """A `/paged` listing in ascending order of an instant, started anew at each 10,000 rows.

    Args:
        key: the instant.
        then: what rows of the same instant are sorted by.
    """

    shifts = False

    def __init__(self, filter_: str | None = None, *, key: str, then: Sequence[str] = ()) -> None:
        self.key = key
        self._skipped = 0
        super().__init__(filter_, sort=",".join((key, *then)))

    def get_next(self, page: Page) -> Query:
        """Return the query for the next page; at the limit it starts at the last instant seen."""
        self._skipped += 1
        if self._skipped < PAGED_PAGES:
            return {**self.current_value, "skipPages": self._skipped}
        self._skipped = 0
        self._seen.clear()  # the next page begins with rows of this one
        since = compare(self.key, "gte", _dig(page.rows[-1], self.key))
        if since == self.current_value.get("filter"):
            raise BadResponseError(f"10,000 rows or more have the same {self.key}")
        return {**self.current_value, **filtered(since), "skipPages": 0}

    def unsorted(self) -> Paginator | None:
        return Paged(self.filter)


def filtered(filter_: str | None) -> Query:
    """Return the query parameter of a filter, empty if there is none."""
    return {"filter": filter_} if filter_ else {}


def keys_of(page: Page, key: str) -> list[Any]:
    """Return the key of every row, by which a listing is read upward; without it one is refused."""
    keys = page.rows.column(key)
    return [_dig(row, key) for row in page.rows] if None in keys else keys


def _is_rising(keys: list[Any]) -> bool:
    return all(type(key) is int for key in keys) and keys == sorted(set(keys))


def _dig(row: dict[str, Any], key: str) -> Any:
    try:
        return row[key]
    except KeyError:
        raise BadResponseError(f"a row has no {key}") from None
