"""Reading rows that are numbered: the ledger, booked invoices, documents, dimensions.

New rows are found by their numbers. Numbers are not trusted: entries become visible out of order,
and an invoice may be booked with a number picked by hand. Old rows are found again where they are
open (`OpenItemsReading`), or by a changelog (`ChangelogReading`).
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from itertools import compress
from types import NoneType
from typing import Any, NamedTuple

import pendulum

from tap_visma_economic.agreement import Agreement
from tap_visma_economic.errors import AccessDeniedError, UncountedError
from tap_visma_economic.filters import both, compare, lists, one_of
from tap_visma_economic.records.pages import Page
from tap_visma_economic.records.values import MistypedError, instant_text, integer, number
from tap_visma_economic.replication.base import (
    Options,
    Pages,
    Reading,
    Replication,
    State,
    Stream,
    bookmark_of,
    earlier,
    move,
    pages_since,
    parse_instant,
)
from tap_visma_economic.replication.open_items import OpenItems, OpenSet

logger = logging.getLogger("tap-visma-economic")

OVERLAP = 1000
"""Numbers below the bookmark that are read again, because rows become visible out of order."""

_MOST_NAMED = 10
"""Numbers that a line of the log names at most."""

_OF_ROWS = ("replication_key_value", "rows_to_bookmark", "checkpoints", "open")
"""Keys of the state that describe rows, and so are void with another start date."""

_AMOUNTS = {Decimal, int, NoneType}
"""Types of amounts that are true if the row is open."""

_EDITED = ("dimensionKeyFrom", "dimensionKeyTo")
"""Columns of a changelog: null before a row was there, and after it was deleted."""


@dataclass(frozen=True, kw_only=True)
class ByNumber(Replication):
    """Rows numbered from the bookmark on, less an overlap.

    Args:
        open_items: how rows that can still change are found.
        changelog: the stream that lists edits of the rows.
    """

    open_items: OpenItems | None = None
    changelog: type[Any] | None = None

    def incremental(
        self, stream: Stream, agreement: Agreement, state: State, options: Options
    ) -> Reading:
        of = (stream, agreement, state, options, self)
        if self.open_items:
            return OpenItemsReading(*of, self.open_items)
        if self.changelog:
            return ChangelogReading(*of, self.changelog)
        return NumberReading(*of)


class NumberReading(Reading):
    """Rows numbered from the bookmark on, exact though numbers may come out of order.

    The state keeps how many rows there are up to the bookmark. Each run counts them again: if rows
    were added or deleted below the bookmark, the counts of the checkpoints show where, and
    everything from there is read again.

    `_move` sets the bookmark: after each page while rows arrive in order, and in `complete`.
    """

    def __post_init__(self) -> None:
        super().__post_init__()
        self.full_refresh = self.options.full_refresh
        self._is_unique = set(self.stream.own_primary_keys) == {"agreementNumber", self._key}
        self._ascending = self.stream.parent is None
        if self.state.get("start_date") != self._start_date:
            for name in _OF_ROWS:
                self.state.pop(name, None)
        self.state["start_date"] = self._start_date
        self._reads_new = True
        self._base = (0, 0)  # a number, and how many rows there are up to it
        self._rows = 0  # above the base
        self._highest = 0
        self._at_highest = 0
        self._checkpoints: list[tuple[int, int]] = []
        self._missing: set[int] = set()
        self._gone: set[int] = set()

    # What is read

    def pages(self) -> Pages:
        """Yield new rows, then older rows that have changed."""
        since = None if self.full_refresh else self._resume_from()
        self.full_refresh = since is None
        above = compare(self._key, "gte", since) if since else None
        yield from self.stream.read(self.agreement, both(above, self._date_filter))
        self._reads_new = False
        yield from self._changed_pages(since or 0)

    def _changed_pages(self, since: int) -> Pages:  # noqa: ARG002
        """Yield rows below a number that have changed."""
        return iter(())

    def _numbered_pages(self, numbers: Iterable[int]) -> Pages:
        """Yield the rows with these numbers. Those that are not returned are requested twice."""
        self._missing = set(numbers)
        for _ in range(2):
            for some in lists(self._missing):
                for context, page in self.stream.read(self.agreement, one_of(self._key, some)):
                    self._missing.difference_update(integers(page.rows.column(self._key)))
                    yield context, page
        self._gone = {number for number in self._missing if self._is_gone(number)}
        self._missing -= self._gone

    def _is_gone(self, number: int) -> bool:  # noqa: ARG002
        """Return whether a row that was not returned is deleted, rather than withheld."""
        return False

    # Where reading resumes

    def _resume_from(self) -> int | None:
        """Return the number to read from, None to read everything."""
        value, rows = self._bookmark, self.state.get("rows_to_bookmark")
        self._checkpoints = [(n, count) for n, count in self.state.get("checkpoints") or []]
        if value is None or not isinstance(rows, int):
            return None
        try:
            return self._checked(value, rows)
        except UncountedError as error:
            logger.warning(
                "Reading everything again, because the row count is unavailable: %s", error
            )
            self._base, self._checkpoints = (0, 0), []
            return None

    def _checked(self, value: int, rows: int) -> int | None:
        """Return the number up to which counts prove that no row was added or deleted."""
        touched = self._touched_from()
        if touched is not None:
            self._checkpoints = [point for point in self._checkpoints if point[0] < touched]
        elif self._rows_up_to(value) == rows:
            self._base = (value, rows)
            self._checkpoints.append(self._base)
            return max(value - OVERLAP, 1)
        self._base = self._last_true_checkpoint()
        self._checkpoints = [point for point in self._checkpoints if point <= self._base]
        since = self._base[0] + 1 if self._base[0] else None
        logger.info(
            "Rows were added or deleted at or below %s %s. Reading again from %s",
            self._key,
            value,
            since or "the beginning",
        )
        return since

    def _touched_from(self) -> int | None:
        """Return the number from which counts prove nothing, None if all do."""
        return None

    def _last_true_checkpoint(self) -> tuple[int, int]:
        points = self._checkpoints
        low, high = 0, len(points)  # points[:low] hold, points[high:] do not
        while low < high:
            middle = (low + high) // 2
            if self._rows_up_to(points[middle][0]) == points[middle][1]:
                low = middle + 1
            else:
                high = middle
        return points[low - 1] if low else (0, 0)

    def _rows_up_to(self, value: int) -> int:
        below = both(compare(self._key, "lte", value), self._date_filter)
        return self.stream.count(self.agreement, below)

    @property
    def _bookmark(self) -> int | None:
        value = bookmark_of(self.state, self._key)
        return value if isinstance(value, int) else None

    # How the bookmark moves

    def observe(self, page: Page) -> State:
        """Take note of a page. If the listing is sorted the bookmark follows page by page."""
        if self._reads_new:
            self._count(integers(page.rows.column(self._key)))
            if self._ascending and self._highest:
                # More rows of the last number may be on the next page, unless it is unique.
                more = 0 if self._is_unique else 1
                self._reached(self._highest - more, self._rows - more * self._at_highest)
        return {}

    def _count(self, values: Sequence[int | None]) -> None:
        """Count the rows above the base, and see whether they are sorted."""
        numbers = [value for value in values if value is not None]
        is_sorted = len(numbers) == len(values) and sorted(numbers) == numbers
        if not is_sorted or (numbers and numbers[0] < self._highest):
            self._ascending = False
        new = [number for number in numbers if number > self._base[0]]
        self._rows += len(new)
        highest = max(new, default=0)
        if highest > self._highest:
            self._highest, self._at_highest = highest, 0
        if highest == self._highest:
            self._at_highest += new.count(highest)

    def _reached(self, value: int, rows: int) -> None:
        total = self._base[1] + rows
        self._checkpoints.append((value, total))
        if value > (self._bookmark or 0):
            self._move(value, total)

    def _move(self, value: int, total: int) -> None:
        move(self.state, self._key, value)
        self.state["rows_to_bookmark"] = total
        below = _thinned((point for point in self._checkpoints if point[0] < value), total)
        self.state["checkpoints"] = [list(point) for point in below]
        self._checkpoints = [*below, *(p for p in self._checkpoints if p[0] >= value)]

    def complete(self) -> None:
        """Move the bookmark to the highest number, and keep the count of rows up to it."""
        self._report_unreturned()
        highest = max(self._bookmark or 0, self._highest)
        if highest:
            self._move(highest, self._base[1] + self._rows)

    def _report_unreturned(self) -> None:
        """Report the rows that were requested by number and not returned."""
        if self._gone:
            logger.warning(
                "%s: deleted in e-conomic, as its counts confirm: %s %s. The rows stay in your "
                "tables: see the setting emit_activate_version_messages",
                self._source(),
                self._key,
                _named(self._gone),
            )
        if self._missing:
            logger.warning(
                "%s: requested twice, but e-conomic did not return %s %s. These rows may be out "
                "of date in your tables. The next run requests them again",
                self._source(),
                self._key,
                _named(self._missing),
            )


@dataclass(eq=False, repr=False)
class OpenItemsReading(NumberReading):
    """New rows, rows that are open now, and rows that were open at the last run and no longer are.

    A row that was open, or is seen open among the new ones, and is not in the listing of open rows
    has been settled: it is read by its number.
    """

    open_items: OpenItems

    def __post_init__(self) -> None:
        super().__post_init__()
        self._kept = OpenSet(self.state)
        self._unsettled = set(self._kept.numbers)
        self._open: set[int] = set()

    def _resume_from(self) -> int | None:
        if self._kept.damaged:
            logger.warning(
                "%s: reading everything again, because `open` in its state is damaged",
                self._source(),
            )
            return None
        return super()._resume_from()

    def _changed_pages(self, since: int) -> Pages:
        unlisted = set(self._unsettled)
        if since:  # otherwise everything has just been read
            unlisted |= self._open
            for context, page in self._open_pages():
                unlisted.difference_update(integers(page.rows.column(self._key)))
                yield context, page
        yield from self._numbered_pages(unlisted)

    def _is_gone(self, number: int) -> bool:
        """Return whether all rows around a row were read without it.

        Up to the base counts prove that no row is gone.
        """
        return number in self._unsettled and (self.full_refresh or number > self._base[0])

    def _open_pages(self) -> Pages:
        """Yield the rows that are open.

        No document says whether an amount that is not there counts as not zero. If it does, the
        listing is most of the ledger, and another filter is tried.
        """
        items = self.open_items
        stream = self.stream.sibling(items.listing) if items.listing else self.stream
        filter_ = both(items.filter, self._date_filter)
        for context, page in stream.read(self.agreement, filter_):
            if items.filter and None in page.rows.column(items.amount):
                break
            yield context, page
        else:
            return
        not_zero = f"({compare(items.amount, 'gt', 0)}$or:{compare(items.amount, 'lt', 0)})"
        yield from stream.read(self.agreement, both(self._date_filter, not_zero))

    def observe(self, page: Page) -> State:
        """Take note of a page, and of which of its rows are open.

        The next run finds a row above the bookmark by its number, but an old one that was not open
        before only by the state: were it settled again by then, the target would keep it open.
        """
        bookmark = self._bookmark
        super().observe(page)
        numbers = integers(page.rows.column(self._key))
        is_open = open_flags(page.rows.column(self.open_items.amount))
        opened = {number for number in compress(numbers, is_open) if number is not None}
        settled = {number for number in numbers if number is not None} - opened
        self._unsettled -= opened | settled
        self._open -= settled
        self._open |= opened
        more = self._kept.add(opened)
        is_old = bookmark is not None and any(number <= bookmark for number in more)
        return {"open": self.state["open"]} if is_old else {}

    def complete(self) -> None:
        """Keep which rows are open now, and those that may be."""
        super().complete()
        self._kept.keep(self._open | self._missing)


class Change(NamedTuple):
    """An edit of a row.

    Args:
        number: the number of the row.
        rows: 1 if the edit added a row, -1 if it deleted one, else 0.
        at: when it was made, None if the changelog does not say.
    """

    number: int
    rows: int
    at: pendulum.DateTime | None = None


@dataclass(eq=False, repr=False)
class ChangelogReading(NumberReading):
    """New rows, and rows whose numbers the changelog has had since the last run.

    The state keeps when the last reading began (`changes_since`), by the server's clock or our own,
    whichever was behind, and the latest edit in the changelog (`changes_to`). It is read from that
    edit on, so that a response without any edit proves nothing: the two stay as they are then.

    If an edit added or deleted a row, the count from there on proves nothing, for a deleted row
    could hide another that became visible late: everything from there is read again.
    """

    changelog: type[Any]

    def __post_init__(self) -> None:
        super().__post_init__()
        lookback = self.options.lookback_minutes
        self._changes_since = earlier(self.state.get("changes_since"), lookback)
        self._changes_to = parse_instant(self.state.get("changes_to"))
        self._began = pendulum.now("UTC").replace(microsecond=0)
        self._latest = self._changes_to
        self._has_edits = False
        self._changes: list[Change] = []

    def _resume_from(self) -> int | None:
        if self._bookmark is not None:
            try:
                self._read_changelog()
            except AccessDeniedError as error:
                logger.warning(
                    "%s: reading everything again, because the changelog of edits cannot be read: "
                    "%s",
                    self._source(),
                    error,
                )
                return None
        return super()._resume_from()

    def _read_changelog(self) -> None:
        since, last = self._changes_since, self._changes_to
        for change in self._edits(min(since, last or since) if since else None):
            at = change.at
            self._has_edits = True
            if at is None or since is None or at >= since or last is None or at > last:
                self._changes.append(change)
            if at is not None and (self._latest is None or at > self._latest):
                self._latest = at

    def _edits(self, since: pendulum.DateTime | None) -> Iterator[Change]:
        """Yield the edits since then."""
        log = self.stream.sibling(self.changelog)
        columns = (self._key, *_EDITED, log.replication.key)
        ask = partial(log.column_pages, self.agreement, columns)
        pages = pages_since(log, log.replication.key, since, ask) if since else ask(None)
        for page, edits in pages:
            self._began_by(page.clock)
            for edited, before, after, at in edits:
                if isinstance(edited, int):
                    rows = (after is not None) - (before is not None)
                    yield Change(edited, rows, parse_instant(at))

    def _touched_from(self) -> int | None:
        return min((change.number for change in self._changes if change.rows), default=None)

    def _changed_pages(self, since: int) -> Pages:
        if since:
            yield from self._numbered_pages({c.number for c in self._changes if c.number < since})

    def observe(self, page: Page) -> State:
        """Take note of a page and of the server's clock."""
        self._began_by(page.clock)
        return super().observe(page)

    def complete(self) -> None:
        """Keep from when on to read the changelog next time, if every edited row was returned."""
        super().complete()
        if self._missing or not (self._has_edits or self.full_refresh):
            return
        self.state["changes_since"] = instant_text(self._began)
        if self._latest:
            self.state["changes_to"] = instant_text(self._latest)

    def _began_by(self, clock: pendulum.DateTime | None) -> None:
        """Take note of the server's clock: the reading began then, if not before."""
        if clock:
            self._began = min(self._began, clock)


def _thinned(points: Iterable[tuple[int, int]], total: int) -> list[tuple[int, int]]:
    """Return the checkpoints that are worth their place in the state.

    The nearer to the end, the closer they lie: rows that were added or deleted at a distance from
    the end are found by reading twice that distance, or twice the overlap, and a million rows need
    about twenty checkpoints.
    """

    def distance(point: tuple[int, int]) -> int:
        return max(total - point[1], OVERLAP)

    kept = [(0, 0)]
    for point in sorted(set(points)):
        while len(kept) > 1 and distance(kept[-2]) <= 2 * distance(point):
            kept.pop()
        kept.append(point)
    return kept[1:]


def _named(numbers: set[int]) -> str:
    some = ", ".join(map(str, sorted(numbers)[:_MOST_NAMED]))
    more = len(numbers) - _MOST_NAMED
    return f"{some} and {more} more" if more > 0 else some


def integers(values: Sequence[Any]) -> Sequence[int | None]:
    """Return a column's values as integers, None where one is not."""
    return values if set(map(type, values)) == {int} else [_integer(value) for value in values]


def _integer(value: object) -> int | None:
    try:
        return integer(value)
    except MistypedError:
        return None


def open_flags(amounts: Sequence[Any]) -> Sequence[Any]:
    """Return for each amount something that is true if the row is open."""
    return amounts if set(map(type, amounts)) <= _AMOUNTS else [_is_open(a) for a in amounts]


def _is_open(amount: object) -> bool:
    try:
        return amount is not None and number(amount) != 0
    except MistypedError:
        return True  # if it cannot be decided, the row is read again
