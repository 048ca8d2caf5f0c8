"""Readings of rows that are numbered: the ledger, booked invoices, documents, dimensions.

New rows are found by their numbers. Numbers are not trusted: entries become visible out of order,
and an invoice may be booked with a number picked by hand.
"""

from __future__ import annotations

import logging
from decimal import Decimal
from itertools import compress
from types import NoneType
from typing import TYPE_CHECKING, Any

import pendulum

from tap_visma_economic.errors import AccessDeniedError, UncountedError
from tap_visma_economic.filters import both, compare, lists, one_of
from tap_visma_economic.records.row_type import column
from tap_visma_economic.records.values import MistypedError, instant_text, integer, number
from tap_visma_economic.replication.base import earlier, known, move, parse_instant
from tap_visma_economic.replication.open_items import OpenSet

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from tap_visma_economic.kinds import OpenRows
    from tap_visma_economic.paths import PathContext
    from tap_visma_economic.records.pages import Page
    from tap_visma_economic.records.selection import Row
    from tap_visma_economic.replication.base import Change, Clock, Source

logger = logging.getLogger("tap-visma-economic")

OVERLAP = 1000
"""Numbers below the bookmark that are read again: numbers are not trusted to come in order."""

_NAMED = 10
"""Numbers that a line of the log names at most."""

_AMOUNTS = frozenset({Decimal, int, NoneType})
"""Types of amounts that are true where a row is open."""

_ABOUT_ROWS = ("replication_key_value", "rows_to_bookmark", "checkpoints", "open", "open_from")
"""What the state says about rows, and which rows there are depends on the setting start_date."""


class ByNumber:
    """Rows numbered from a bookmark on, exact though numbers are not trusted to come in order.

    The state keeps how many rows there are up to the bookmark (`rows_to_bookmark`). Each run asks
    for that count again: if rows have come below the bookmark, or gone, the place is found by the
    counts of `checkpoints`, and everything from there is read again.

    Args:
        source: the stream and agreement.
        state: the partition's state, changed in place.
        key: the property that counts up.
        single: a number stands on one row only; if not, a page may end inside a number.
        ascending: the listing comes sorted by the number.
        date_filter: a filter that all reading is bound by, from the setting start_date.
        start_date: that setting; another one than last time starts over.
        anew: read everything, as if there were no bookmark.
    """

    def __init__(
        self,
        source: Source,
        state: dict[str, Any],
        key: str,
        *,
        single: bool,
        ascending: bool,
        date_filter: str | None = None,
        start_date: str | None = None,
        anew: bool = False,
    ) -> None:
        self._source = source
        self._state = state
        self._key = key
        self._single = single
        self._ascending = ascending
        self._date_filter = date_filter
        self.anew = anew
        if state.get("start_date") != start_date:
            for name in _ABOUT_ROWS:
                state.pop(name, None)
        state["start_date"] = start_date
        self._new = True
        self._base = (0, 0)  # a number, and how many rows there are up to it
        self._rows = 0
        self._highest: int | None = None
        self._at_highest = 0
        self._checkpoints: list[tuple[int, int]] = []
        self._missing: set[int] = set()
        self._gone: set[int] = set()

    def pages(self) -> Iterator[tuple[PathContext, Page]]:
        """Yield new rows, and then those that have to be read again."""
        since = None if self.anew else self._since()
        self.anew = since is None
        above = compare(self._key, "gte", since) if since else None
        yield from self._source.pages(both(above, self._date_filter))
        self._new = False
        yield from self._again(since or 0)

    @property
    def whole(self) -> bool:
        """Whether everything was read that there is."""
        return self.anew and self._date_filter is None

    def _again(self, since: int) -> Iterator[tuple[PathContext, Page]]:  # noqa: ARG002
        """Yield rows below `since` that have changed."""
        return iter(())

    def _numbered(self, numbers: Iterable[int]) -> Iterator[tuple[PathContext, Page]]:
        """Yield the rows with these numbers; those that do not come are asked for once more."""
        self._missing = set(numbers)
        for _ in range(2):
            for some in lists(self._missing):
                for context, page in self._source.pages(one_of(self._key, some)):
                    self._missing -= {_integer_of(n) for n in column(page.rows, self._key)}
                    yield context, page
        self._gone = {number for number in self._missing if self._is_gone(number)}
        self._missing -= self._gone

    def _warn(self) -> None:
        """Report the rows that were asked for by number and did not come."""
        if self._gone:
            logger.warning(
                "%s: not in e-conomic any more, as its counts confirm: %s %s. The rows stay in "
                "your tables: see the setting emit_activate_version_messages",
                self._source,
                self._key,
                _named(self._gone),
            )
        if self._missing:
            logger.warning(
                "%s: asked for twice, and e-conomic did not give %s %s: these rows may be out of "
                "date in your tables. The next run asks for them again",
                self._source,
                self._key,
                _named(self._missing),
            )

    def _is_gone(self, number: int) -> bool:  # noqa: ARG002
        """Return whether a row that did not come is not there, rather than withheld."""
        return False

    def observe(self, rows: Sequence[Row], clock: Clock) -> dict[str, Any]:  # noqa: ARG002
        """Take note of a page; where the listing is sorted the bookmark follows page by page."""
        if self._new:
            numbers = column(rows, self._key)
            if not self._count_all(numbers):
                for value in numbers:
                    self._count(_integer_of(value))
            if self._ascending and self._highest is not None:
                inside = 0 if self._single else self._at_highest
                self._reached(self._highest - (1 if inside else 0), self._rows - inside)
        return {}

    def finish(self) -> None:
        """Move the bookmark to the highest number, and keep the count of rows up to it."""
        self._warn()
        value = self._bookmark or 0
        highest = max(value, self._highest or 0)
        if highest:
            move(self._state, self._key, highest)
            self._keep(highest, self._base[1] + self._rows)

    def _since(self) -> int | None:
        value, rows = self._bookmark, self._state.get("rows_to_bookmark")
        self._checkpoints = [(n, count) for n, count in self._state.get("checkpoints") or []]
        if value is None or not isinstance(rows, int):
            return None
        try:
            return self._checked(value, rows)
        except UncountedError as error:
            logger.warning("Everything is read again, for counts prove nothing: %s", error)
            self._base, self._checkpoints = (0, 0), []
            return None

    def _checked(self, value: int, rows: int) -> int | None:
        """Return from where to read, as far as counts prove that nothing below has changed."""
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
            "Rows have come or gone up to %s %s: reading again from %s",
            self._key,
            value,
            since or "the beginning",
        )
        return since

    def _touched_from(self) -> int | None:
        """Return from which number on counts prove nothing; None if all do."""
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
        return self._source.count(both(compare(self._key, "lte", value), self._date_filter) or "")

    @property
    def _bookmark(self) -> int | None:
        value = known(self._state, self._key)
        return value if isinstance(value, int) else None

    def _count_all(self, numbers: list[Any]) -> bool:
        """Count numbers that rise beyond all before, and return whether they do."""
        if not numbers or set(map(type, numbers)) != {int} or sorted(numbers) != numbers:
            return False
        if numbers[0] <= max(self._base[0], self._highest or 0):
            return False
        self._rows += len(numbers)
        self._highest = numbers[-1]
        self._at_highest = numbers.count(self._highest)
        return True

    def _count(self, value: int | None) -> None:
        if value is None or (self._highest is not None and value < self._highest):
            self._ascending = False
        if value is None or value <= self._base[0]:
            return
        self._rows += 1
        if self._highest is None or value > self._highest:
            self._highest, self._at_highest = value, 1
        elif value == self._highest:
            self._at_highest += 1

    def _reached(self, value: int, rows: int) -> None:
        total = self._base[1] + rows
        self._checkpoints.append((value, total))
        if value > (self._bookmark or 0):
            move(self._state, self._key, value)
            self._keep(value, total)

    def _keep(self, value: int, total: int) -> None:
        self._state["rows_to_bookmark"] = total
        below = _thinned((point for point in self._checkpoints if point[0] < value), total)
        self._state["checkpoints"] = [list(point) for point in below]
        self._checkpoints = [*below, *(p for p in self._checkpoints if p[0] >= value)]


class ByNumberWithOpenItems(ByNumber):
    """New rows, rows that are open now, and rows that were open at the last run and are no more.

    The state keeps which rows were open (see `OpenSet`). A row that was open, or is seen open among
    the new ones, and is not in the listing of open rows has been settled: it is read by its number.

    Args:
        open_rows: how open rows are told and listed.
    """

    def __init__(self, *args: Any, open_rows: OpenRows, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._open_rows = open_rows
        self._kept = OpenSet(self._state)
        self._unsettled = set(self._kept.numbers)
        self._open: set[int] = set()

    def _since(self) -> int | None:
        if self._kept.damaged:
            logger.warning(
                "%s: everything is read again, for `open` in its state is damaged", self._source
            )
            return None
        since = super()._since()
        return min(since, self._kept.open_from or since) if since else None

    def _again(self, since: int) -> Iterator[tuple[PathContext, Page]]:
        unlisted = set(self._unsettled)
        if since:  # otherwise everything has just been read
            unlisted |= self._open
            for context, page in self._open_pages():
                unlisted -= {_integer_of(value) for value in column(page.rows, self._key)}
                yield context, page
        yield from self._numbered(unlisted)

    def _is_gone(self, number: int) -> bool:
        """Return whether all rows around it were read, and it was not among them.

        Up to `_base` counts prove that no row has gone.
        """
        return number in self._unsettled and (self.anew or number > self._base[0])

    def _open_pages(self) -> Iterator[tuple[PathContext, Page]]:
        """Yield the rows that are open.

        Whether a row without an amount is one whose amount is not zero, no document tells. Should
        e-conomic think so, the listing is most of the ledger, and is asked for in other words.
        """
        amount, not_zero = self._open_rows.amount, self._open_rows.filter
        for context, page in self._source.open_pages(both(not_zero, self._date_filter)):
            if not_zero and None in column(page.rows, amount):
                break
            yield context, page
        else:
            return
        above_or_below = f"({compare(amount, 'gt', 0)}$or:{compare(amount, 'lt', 0)})"
        yield from self._source.open_pages(both(self._date_filter, above_or_below))

    def observe(self, rows: Sequence[Row], clock: Clock) -> dict[str, Any]:
        """Take note of a page, and of which of its rows are open.

        The next run finds a row above the bookmark by its number, but an old one that was not open
        before only by the state: were it settled again by then, the target would keep it open.
        """
        bookmark = self._bookmark
        super().observe(rows, clock)
        numbers: list[Any] = column(rows, self._key)
        amounts: list[Any] = column(rows, self._open_rows.amount)
        if set(map(type, numbers)) != {int} or not set(map(type, amounts)) <= _AMOUNTS:
            numbers, amounts = [_integer_of(n) for n in numbers], [_is_open(a) for a in amounts]
        opened = set(compress(numbers, amounts)) - {None}
        settled = {*numbers} - opened - {None}
        self._unsettled -= opened | settled
        self._open -= settled
        self._open |= opened
        more = self._kept.add(opened)
        is_old = bookmark is not None and any(number <= bookmark for number in more)
        return {"open": self._state["open"]} if is_old else {}

    def finish(self) -> None:
        """Keep which rows are open now, and those that may be."""
        super().finish()
        self._kept.keep(self._open | self._missing)


class ByNumberWithChangelog(ByNumber):
    """New rows, and rows whose numbers the changelog names since the last run.

    The state keeps when the last reading began (`changes_since`), by the server's clock or our own,
    whichever was behind, and the latest edit that the changelog told of (`changes_to`). It is read
    from that edit on, so that an answer without any edit is no answer: nothing moves then.

    Where an edit has added a row or taken one away, the count from there on proves nothing, for a
    row taken away could hide another that has become visible late: everything from there is read
    again.

    Args:
        lookback_minutes: how far before that the changelog is read.
    """

    def __init__(self, *args: Any, lookback_minutes: int, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._changes_since = earlier(self._state.get("changes_since"), lookback_minutes)
        self._changes_to = parse_instant(self._state.get("changes_to"))
        self._began = pendulum.now("UTC").replace(microsecond=0)
        self._latest = self._changes_to
        self._told = False
        self._changes: list[Change] = []

    def _since(self) -> int | None:
        if self._bookmark is not None:
            try:
                self._read_changelog()
            except AccessDeniedError as error:
                logger.warning(
                    "%s: everything is read again, for the changelog of edits may not be read: %s",
                    self._source,
                    error,
                )
                return None
        return super()._since()

    def _read_changelog(self) -> None:
        since, last = self._changes_since, self._changes_to
        for clock, changes in self._source.changed(min(since, last or since) if since else None):
            self._was(clock)
            for change in changes:
                at = change.at
                self._told = True
                if at is None or since is None or at >= since or last is None or at > last:
                    self._changes.append(change)
                if at is not None and (self._latest is None or at > self._latest):
                    self._latest = at

    def _touched_from(self) -> int | None:
        return min((change.number for change in self._changes if change.rows), default=None)

    def _again(self, since: int) -> Iterator[tuple[PathContext, Page]]:
        if since:
            yield from self._numbered({c.number for c in self._changes if c.number < since})

    def observe(self, rows: Sequence[Row], clock: Clock) -> dict[str, Any]:
        """Take note of a page and of the server's clock."""
        self._was(clock)
        return super().observe(rows, clock)

    def finish(self) -> None:
        """Keep from when on the changelog has to be read next time, if all it told of has come."""
        super().finish()
        if self._missing or not (self._told or self.anew):
            return
        self._state["changes_since"] = instant_text(self._began)
        if self._latest:
            self._state["changes_to"] = instant_text(self._latest)

    def _was(self, clock: Clock) -> None:
        """Note what time it was for the server: the reading began then, if not before."""
        if clock:
            self._began = min(self._began, clock)


def _thinned(points: Iterable[tuple[int, int]], total: int) -> list[tuple[int, int]]:
    """Return those of some checkpoints that are worth their place in the state.

    The nearer to the end, the closer they lie: rows that came or went at a distance from the end
    are found by reading twice that distance, or twice the overlap, and a million rows need about
    twenty checkpoints.
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
    some = ", ".join(map(str, sorted(numbers)[:_NAMED]))
    return f"{some} and {len(numbers) - _NAMED} more" if len(numbers) > _NAMED else some


def _integer_of(value: object) -> int | None:
    if type(value) is int:
        return value
    try:
        return integer(value)
    except MistypedError:
        return None


def _is_open(amount: object) -> bool:
    if type(amount) is Decimal:
        return bool(amount)
    try:
        return amount is not None and number(amount) != 0
    except MistypedError:
        return True  # what cannot be told is read again
