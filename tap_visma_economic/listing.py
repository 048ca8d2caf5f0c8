"""Reads one listing: page by page, or several key ranges of it at once.

No row may be skipped while others are added or deleted. A long listing with a numeric key is split
into key ranges (see `key_ranges`); one that can only be paginated by position is read until two
passes return the same rows. The rows read are compared with e-conomic's own count.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from typing import ClassVar, Protocol

from tap_visma_economic.agreement import Agreement
from tap_visma_economic.errors import (
    AccessDeniedError,
    EconomicError,
    IncompleteListingError,
    NotFoundError,
    QueryRefusedError,
    UncountedError,
)
from tap_visma_economic.filters import both, compare
from tap_visma_economic.http import HttpClient
from tap_visma_economic.key_ranges import PAGE, WORTH_SPLITTING, KeyRange, key_ranges
from tap_visma_economic.pagination import Paginator, Query, keys_of
from tap_visma_economic.paths import PathContext, fill
from tap_visma_economic.prefetch import Prefetcher
from tap_visma_economic.records.pages import Page

MOST_READINGS = 3
"""Maximum passes over a listing whose pages shift when rows are added or deleted."""


class Endpoint(Protocol):
    """A stream, as its listings use it."""

    keyset: ClassVar[str | None]
    unsorted: bool
    in_doubt: set[int]

    @property
    def logger(self) -> logging.Logger: ...
    @property
    def path(self) -> str: ...
    @property
    def concurrency(self) -> int: ...
    @property
    def prefetcher(self) -> Prefetcher: ...
    @property
    def is_counted(self) -> bool: ...
    @property
    def is_unique(self) -> bool: ...
    def get_new_paginator(self, filter_: str | None) -> Paginator: ...
    def fetch(self, http: HttpClient, context: PathContext, query: Query) -> Page: ...
    def count_of(self, http: HttpClient, context: PathContext, filter_: str | None) -> int: ...
    def identities(self, page: Page, context: PathContext) -> list[tuple[str | None, ...]]: ...
    def keeps_moving(self, agreement: Agreement) -> None: ...
    def may_be_missing(self, agreement: Agreement, context: PathContext) -> bool: ...


FirstPage = tuple[Paginator, Page]
"""A first page, and the paginator that requested it and goes on from there."""


class ListingReader:
    """One listing of one agreement."""

    def __init__(
        self, endpoint: Endpoint, agreement: Agreement, context: PathContext, filter_: str | None
    ) -> None:
        self._endpoint = endpoint
        self._agreement = agreement
        self._http = agreement.http
        self._context = context
        self._filter = filter_
        self._total: int | None = None
        self._following: int | None = None

    def _begin(self) -> FirstPage:
        """Read the first page; a listing that turns out not to be sorted is read by position.

        Documents do not say which listings can be sorted by what (docs/economic-api.md#sorting).
        """
        paginator = self._endpoint.get_new_paginator(self._filter)
        plain = paginator.unsorted()
        if plain is None:
            return paginator, self._fetch(paginator)
        if not self._endpoint.unsorted:
            with suppress(QueryRefusedError):  # the filter may be the reason too
                for _ in range(2):  # rows deleted meanwhile can make the order look wrong
                    page = self._fetch(paginator)
                    if not paginator.comes_in_order(page):
                        break
                    if self._rest_is_above(page):
                        return paginator, page
        page = self._fetch(plain)
        if not self._endpoint.unsorted:
            self._endpoint.unsorted = True
            self._endpoint.logger.warning(
                "e-conomic does not sort %s as requested; reading it by position until two "
                "passes agree",
                self._endpoint.path,
            )
        return plain, page

    def _rest_is_above(self, page: Page) -> bool:
        """Return whether the rows that follow a first page have higher numbers than its last.

        A first page may be sorted by chance, and rows below its last would never be requested.
        """
        key = self._endpoint.keyset
        if not page.more or not key or page.results is None:
            return True
        with suppress(UncountedError):
            self._following = self._between(keys_of(page, key)[-1], None)
            return self._following >= page.results - len(page.rows)
        return True

    def pages(self) -> Iterator[tuple[PathContext, Page]]:
        """Yield all pages; none if the parent of the listing has been deleted."""
        rows = pages = mark = 0
        told: int | None = None
        try:
            first = self._begin()
            self._total = first[1].results
            reading = self._settled if first[0].shifts else self._upward
            for page in reading(first):
                rows, pages = rows + len(page.rows), pages + 1
                mark = hash((mark, page.rows.mark))
                told = page.results
                counted = page if told is not None else replace(page, results=self._total)
                yield self._context, counted
        except AccessDeniedError as error:
            if pages:
                raise EconomicError(f"partway through {self._path}: {error}") from None
            raise
        except NotFoundError:
            if not self._endpoint.may_be_missing(self._agreement, self._context):
                raise
            return
        # A single page that is not full, and reports no others, is taken for complete.
        is_long = pages > 1 or rows >= PAGE or told not in {None, rows}
        if self._endpoint.is_counted and is_long and rows != self._total:
            self._compare(rows, mark)

    def _fetch(self, paginator: Paginator) -> Page:
        return self._endpoint.fetch(self._http, self._context, paginator.current_value)

    def _chain(self, begun: FirstPage) -> Iterator[Page]:
        """Yield the first page and all that follow."""
        paginator, page = begun
        yield paginator.advance(page)
        while not paginator.finished:
            page = self._fetch(paginator)
            yield paginator.advance(page)

    # Upward by number

    def _upward(self, first: FirstPage) -> Iterator[Page]:
        page, cut = first[1], None
        with suppress(EconomicError):  # what cannot be counted is read page by page
            page, cut = self._cut(page)
        if cut is None:
            yield from self._chain(first)
            return
        yield page
        ranges, at_once = map(self._range, cut), self._endpoint.concurrency
        yield from self._endpoint.prefetcher.ordered(ranges, at_once=at_once)

    def _range(self, key_range: KeyRange) -> Iterator[Page]:
        paginator = self._endpoint.get_new_paginator(self._within(key_range))
        yield from self._chain((paginator, self._fetch(paginator)))

    def _cut(self, page: Page) -> tuple[Page, Iterator[KeyRange] | None]:
        """Return the first page and the key ranges after it, None if splitting is not worthwhile.

        Several rows may share a number. Those with the page's last number are read again with the
        range that begins with it, because more of them may follow.
        """
        key, unique = self._endpoint.keyset, self._endpoint.is_unique
        if not page.more or not key or not self._endpoint.is_counted:
            return page, None
        if self._total is None:
            self._total = self._count(self._filter)
        numbers = keys_of(page, key)
        if not all(type(number) is int for number in numbers) or numbers != sorted(numbers):
            return page, None
        kept = page
        if not unique:
            kept = replace(page, rows=page.rows[: numbers.index(numbers[-1])])
            numbers = [*numbers[: len(kept.rows)], numbers[-1] - 1]
        left = self._total - len(kept.rows)
        if left <= WORTH_SPLITTING or not kept.rows:
            return page, None
        if self._following is None:
            self._following = self._between(numbers[-1], None)
        if self._following < left:  # rows that follow have lower numbers
            return page, None
        return kept, key_ranges(numbers, left, self._between, unique=unique)

    def _between(self, above: int, upto: int | None) -> int:
        return self._count(self._within(KeyRange(above, upto)))

    def _count(self, filter_: str | None) -> int:
        return self._endpoint.count_of(self._http, self._context, filter_)

    def _within(self, key_range: KeyRange) -> str | None:
        key = self._endpoint.keyset or ""
        upto = None if key_range.upto is None else compare(key, "lte", key_range.upto)
        return both(self._filter, compare(key, "gt", key_range.above), upto)

    # By position

    def _settled(self, begun: FirstPage) -> Iterator[Page]:
        """Yield a listing that added or deleted rows can shift, read until two readings agree.

        One page cannot shift. Several are read again until two readings have the same keys; later
        readings yield only new rows. A row without its key is yielded each time, rather than taken
        for another one.
        """
        seen: set[tuple[str | None, ...]] = set()
        before: set[tuple[str | None, ...]] | None = None
        for readings in range(1, MOST_READINGS + 1):
            keys: set[tuple[str | None, ...]] = set()
            for page in self._chain(begun):
                keyed = self._endpoint.identities(page, self._context)
                keys.update(keyed)
                fresh = {
                    (*key, place if None in key else None): place
                    for place, key in enumerate(keyed)
                    if None in key or key not in seen
                }
                seen.update(keyed)
                yield replace(page, rows=page.rows.take([*fresh.values()]))
            if begun[0].count == 1 or keys == before:
                return
            before = keys
            if readings < MOST_READINGS:
                begun = self._begin()
        self._endpoint.keeps_moving(self._agreement)

    # Is it complete?

    def _compare(self, rows: int, mark: int) -> None:
        """Compare the number of rows read with e-conomic's own count.

        Rows added meanwhile also change the count, so it is requested twice.

        Raises:
            IncompleteListingError: e-conomic counts more rows now, and did before if that is known.
        """
        counts = []
        for _ in range(2):
            try:
                counts.append(self._count(self._filter))
            except UncountedError as error:
                self._endpoint.in_doubt.add(self._agreement.number)
                self._endpoint.logger.warning(
                    "%s: %d rows of %s were read, which cannot be compared with e-conomic's own "
                    "count: %s",
                    self._agreement,
                    rows,
                    self._path,
                    error,
                )
                return
            if counts[-1] == rows:
                return
        before = "" if self._total is None else f"{self._total} before and "
        came = self._total is not None and self._total <= rows
        if rows < counts[0] == counts[1] and not came:
            raise IncompleteListingError(
                f"{self._path} is incomplete: {rows} rows were read, but e-conomic counted {before}"
                f"{counts[0]} now",
                mark,
            )
        if counts[-1] > rows:
            self._endpoint.in_doubt.add(self._agreement.number)
        self._endpoint.logger.warning(
            "%s: %d rows of %s were read and e-conomic counts %d: rows were added or deleted "
            "during the run. The next run reads them",
            self._agreement,
            rows,
            self._path,
            counts[-1],
        )

    @property
    def _path(self) -> str:
        return fill(self._endpoint.path, self._context)
