"""Paginators: what to ask for next, by what the last page said.

Each is the plan for one reading of one listing; its current value is the query of the page to ask
for. The page size of REST is spelled `pagesize`: e-conomic ignores a parameter it does not know
and would answer 20 rows a page.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tap_visma_economic.errors import BadAnswerError
from tap_visma_economic.filters import both, compare
from tap_visma_economic.records.row_type import column, mark_of, taken

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tap_visma_economic.records.pages import Page
    from tap_visma_economic.records.selection import Row

Query = dict[str, Any]
"""Query parameters of one request: strings and numbers."""

REST_PAGE = 1000
"""Rows a REST page may hold; 1001 is answered with 400 (docs/economic-api.md#rest-collections)."""

PAGED_PAGE = 100
PAGED_PAGES = 100
"""Rows of a `/paged` page, and how many pages there are (docs/economic-api.md#openapi-listings)."""


_MOST_STALE = 100
"""Pages without rows or seen before, one after the other, before a listing is taken for endless."""


class Paginator:
    """Base: what the SDK's `BaseAPIPaginator` is, but told of decoded pages and not of responses.

    One is asked for by `current_value` until it is `finished`.

    Args:
        filter_: what all pages of this reading are filtered by.
        keys: properties by which a row is looked up on the page before.
        **query: the other parameters of the first page.

    Attributes:
        current_value: the query of the page to ask for.
        count: pages that were read.
        finished: there is nothing more to ask for.
    """

    shifts = False
    """Whether rows that come or go while pages are read move the rows of later pages."""

    _twins = False

    repeats = 0
    """How often in a row a page may come once more in place of another."""

    def __init__(
        self, filter_: str | None = None, *, keys: Sequence[str] = (), **query: str | int
    ) -> None:
        self.filter = filter_
        self._keys = keys
        self._before: tuple[Sequence[Row], dict[tuple[Any, ...], int]] = ([], {})
        self._mark: int | None = None
        self._seen: set[int | None] = {None}
        self._repeated = 0
        self._stale = 0
        self.current_value: Query = {**query, **filtered(filter_)}
        self.count = 0
        self.finished = False

    def turn(self, page: Page) -> Page:
        """Go on to the next page, or finish; return the page without rows of the one before.

        A row that comes once more is no loss, and whether all came is for e-conomic's count to say.
        A page of nothing else stands in place of another.

        Raises:
            BadAnswerError: e-conomic sends the same rows again and again.
        """
        mark = mark_of(page.rows)
        fresh = self._without_repeats(page)
        old = page.rows and (mark == self._mark or not fresh.rows)
        self._repeated = self._repeated + 1 if old and (page.more or len(page.rows) > 1) else 0
        if self._repeated > self.repeats:
            raise BadAnswerError("e-conomic gave the rows of the page before once more")
        self._stale = self._stale + 1 if mark in self._seen else 0
        if self._stale > _MOST_STALE:
            raise BadAnswerError(
                f"e-conomic gave {self._stale} pages in a row without rows, or that came before"
            )
        self._mark = mark
        self._seen.add(mark)
        self.count += 1
        self.finished = not self.has_more(fresh)
        if not self.finished:
            following = self.get_next(fresh)
            if following == self.current_value:
                raise BadAnswerError(f"e-conomic says the page {following} follows itself")
            self.current_value = following
        return fresh

    def _without_repeats(self, page: Page) -> Page:
        """Return a page without the rows that equal one of the page before.

        A key alone does not tell: no document says of some keys that they identify a row.
        """
        try:
            keys = list(zip(*(column(page.rows, name) for name in self._keys), strict=True))
            places = {key: place for place, key in enumerate(keys) if None not in key}
        except TypeError:  # a list or an object where a key should be
            keys, places = [], {}
        (rows, before), self._before = self._before, (page.rows, places)
        if before.keys().isdisjoint(places):
            return page
        fresh = [
            place
            for place, key in enumerate(keys)
            if key not in before
            or page.rows[place] != rows[before[key]]
            or (self._twins and not place)
        ]
        return replace(page, rows=taken(page.rows, fresh))

    def has_more(self, page: Page) -> bool:
        """Return whether another page follows."""
        return page.more

    def get_next(self, page: Page) -> Query:
        """Return the query of the page after this one."""
        raise NotImplementedError

    def comes_in_order(self, page: Page) -> bool:  # noqa: ARG002
        """Return whether a first page comes in the order that this plan relies on."""
        return True

    def unsorted(self) -> Paginator | None:
        """Return the plan that asks for no order; None if this one asks for none."""
        return None


class OnePage(Paginator):
    """A listing that is one answer: arrays and single objects."""

    def has_more(self, page: Page) -> bool:  # noqa: ARG002
        """Return False."""
        return False


class Offset(Paginator):
    """A REST listing, page by page. A page that comes twice is what a second reading is for."""

    shifts = True
    repeats = 1

    def __init__(self, filter_: str | None = None, *, sort: str | None = None) -> None:
        order: Query = {"sort": sort} if sort else {}
        super().__init__(filter_, pagesize=REST_PAGE, skippages=0, **order)

    def has_more(self, page: Page) -> bool:
        """Return whether another page follows; after a page without rows none does."""
        return page.more and bool(page.rows)

    def get_next(self, page: Page) -> Query:  # noqa: ARG002
        """Return the query for the next `skippages`."""
        return {**self.current_value, "skippages": self.count}

    def unsorted(self) -> Paginator | None:
        """Return the same plan without an order."""
        return Offset(self.filter) if "sort" in self.current_value else None


class Keyset(Paginator):
    """A REST listing upward by an integer key: each page begins above the last one's end.

    Rows that come or go meanwhile shift nothing.
    """

    def __init__(self, filter_: str | None = None, *, key: str) -> None:
        self.key = key
        self._end = float("-inf")
        super().__init__(filter_, keys=(key,), pagesize=REST_PAGE, sort=key)

    def get_next(self, page: Page) -> Query:
        """Return the query for the rows above the page's last key."""
        above = compare(self.key, "gt", keys_of(page, self.key)[-1])
        return {**self.current_value, **filtered(both(self.filter, above))}

    def has_more(self, page: Page) -> bool:
        """Return whether another page follows; a page without rows has no end to go on from.

        Raises:
            BadAnswerError: the rows do not come in the order that was asked for, so that going on
                above the last one would leave rows out.
        """
        if not page.more and self.count == 1:
            return False  # a listing of one page needs no order
        keys = keys_of(page, self.key)
        if keys and (not _is_rising(keys) or keys[0] <= self._end):
            raise BadAnswerError(f"the rows do not come sorted by {self.key}, as was asked for")
        self._end = keys[-1] if keys else self._end
        return page.more and bool(keys)

    def comes_in_order(self, page: Page) -> bool:
        """Return whether the keys rise, or there is no other page that would depend on it."""
        return not page.more or _is_rising(keys_of(page, self.key))

    def unsorted(self) -> Paginator | None:
        """Return the plan by position."""
        return Offset(self.filter)


class Cursor(Paginator):
    """An OpenAPI cursor listing, up to 1,000 rows a page, ascending by identifier.

    Args:
        filter_: what all pages of this reading are filtered by.
        keys: properties by which rows are looked up on the page before.
        twins: it is not certain that they tell rows apart: the last row of a page and the first of
            the next may be two that are the same.
    """

    def __init__(
        self, filter_: str | None = None, *, keys: Sequence[str] = (), twins: bool = False
    ) -> None:
        super().__init__(filter_, keys=keys)
        self._twins = twins

    def get_next(self, page: Page) -> Query:
        """Return the query with the next cursor; the filter must be sent again."""
        return {**self.current_value, "cursor": page.cursor or ""}


class Paged(Paginator):
    """An OpenAPI `/paged` listing: 100 rows a page and, all in all, 10,000 rows at most."""

    shifts = True

    def __init__(self, filter_: str | None = None, *, sort: str | None = None) -> None:
        order: Query = {"sort": sort} if sort else {}
        super().__init__(filter_, pageSize=PAGED_PAGE, skipPages=0, **order)

    def has_more(self, page: Page) -> bool:
        """Return whether the page was full, so that another may follow."""
        return len(page.rows) >= PAGED_PAGE

    def get_next(self, page: Page) -> Query:  # noqa: ARG002
        """Return the query for the next `skipPages`.

        Raises:
            BadAnswerError: the listing is longer than e-conomic shows of it.
        """
        if self.count >= PAGED_PAGES:
            raise BadAnswerError("the listing holds 10,000 rows or more: e-conomic shows no more")
        return {**self.current_value, "skipPages": self.count}


class PagedUpward(Paged):
    """A `/paged` listing sorted upward by an instant that filters, begun anew at each 10,000 rows.

    Args:
        filter_: what the first pages are filtered by.
        key: the instant, which sorts and filters.
        then: what rows of the same instant are sorted by.
    """

    shifts = False

    def __init__(self, filter_: str | None = None, *, key: str, then: Sequence[str] = ()) -> None:
        self.key = key
        self._skipped = 0
        super().__init__(filter_, sort=",".join((key, *then)))

    def get_next(self, page: Page) -> Query:
        """Return the query for the next page, from the last instant seen where the cap is met.

        Raises:
            BadAnswerError: 10,000 rows carry the same instant.
        """
        self._skipped += 1
        if self._skipped < PAGED_PAGES:
            return {**self.current_value, "skipPages": self._skipped}
        self._skipped, self._mark = 0, None  # the page to come begins with rows of this one
        since = compare(self.key, "gte", _dig(page.rows[-1], self.key))
        if since == self.current_value.get("filter"):
            raise BadAnswerError(f"10,000 rows or more carry the same {self.key}")
        return {**self.current_value, **filtered(since), "skipPages": 0}

    def unsorted(self) -> Paginator | None:
        """Return the plan by position, which ends at 10,000 rows."""
        return Paged(self.filter)


def filtered(filter_: str | None) -> Query:
    """Return the query parameter for a filter, none if there is none."""
    return {"filter": filter_} if filter_ else {}


def keys_of(page: Page, key: str) -> list[Any]:
    """Return what a listing is read upward by, of every row.

    Raises:
        BadAnswerError: a row lacks it.
    """
    keys = column(page.rows, key)
    return [_dig(row, key) for row in page.rows] if None in keys else keys


def _is_rising(keys: list[Any]) -> bool:
    return all(type(key) is int for key in keys) and keys == sorted(set(keys))


def _dig(row: dict[str, Any], key: str) -> Any:
    try:
        return row[key]
    except KeyError:
        raise BadAnswerError(f"a row came without its {key}") from None
