"""Readings of rows that are numbered: the ledger, booked invoices, documents, dimensions.

New rows are found by their numbers. Numbers are not trusted: entries become visible out of order,
and an invoice may be booked with a number picked by hand.
"""

from __future__ import annotations

import logging
from decimal import Decimal
from itertools import islice
from typing import TYPE_CHECKING, Any

import pendulum

from tap_visma_economic.filters import LONGEST_LIST, both, compare, one_of
from tap_visma_economic.openset import OpenSet
from tap_visma_economic.readings import earlier, known, move
from tap_visma_economic.rows import column
from tap_visma_economic.values import MistypedError, instant_text, integer, number

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from tap_visma_economic.kinds import OpenRows
    from tap_visma_economic.pages import Page
    from tap_visma_economic.readings import Change, Clock, Literal, Source, Stamps
    from tap_visma_economic.records import Row

logger = logging.getLogger("tap-visma-economic")

OVERLAP = 1000
"""Numbers below the bookmark that are read again: numbers are not trusted to come in order."""

_ABOUT_ROWS = ("replication_key_value", "rows_to_bookmark", "checkpoints", "open", "open_from")
"""What the state says about rows, and which rows there are depends on the setting start_date."""


class NumberReading:
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
        by_date: a filter that all reading is bound by, from the setting start_date.
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
        by_date: str | None = None,
        start_date: str | None = None,
        anew: bool = False,
    ) -> None:
        self._source = source
        self._state = state
        self._key = key
        self._single = single
        self._ascending = ascending
        self._by_date = by_date
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

    def pages(self) -> Iterator[tuple[Stamps, Page]]:
        """Yield new rows, and then those that have to be read again."""
        since = None if self.anew else self._since()
        self.anew = since is None
        above = compare(self._key, "gte", since) if since else None
        yield from self._source.pages(both(above, self._by_date))
        self._new = False
        yield from self._again(since or 0)

    @property
    def whole(self) -> bool:
        """Whether everything was read that there is."""
        return self.anew and self._by_date is None

    def _again(self, since: int) -> Iterator[tuple[Stamps, Page]]:  # noqa: ARG002
        """Yield rows below `since` that have changed."""
        return iter(())

    def _numbered(self, numbers: Iterable[int]) -> Iterator[tuple[Stamps, Page]]:
        """Yield the rows with these numbers."""
        ordered = iter(sorted(numbers))
        while some := list(islice(ordered, LONGEST_LIST)):
            yield from self._source.pages(one_of(self._key, some))

    def saw(self, rows: Sequence[Row], clock: Clock) -> None:  # noqa: ARG002
        """Take note of a page; where the listing is sorted the bookmark follows page by page."""
        if self._new:
            for value in column(rows, self._key):
                self._count(_integer_of(value))
            if self._ascending and self._highest is not None:
                inside = 0 if self._single else self._at_highest
                self._reached(self._highest - (1 if inside else 0), self._rows - inside)

    def finish(self) -> None:
        """Move the bookmark to the highest number, and keep the count of rows up to it."""
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
        return self._source.count(both(compare(self._key, "lte", value), self._by_date) or "")

    @property
    def _bookmark(self) -> int | None:
        value = known(self._state, self._key)
        return value if isinstance(value, int) else None

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


class OpenNumberReading(NumberReading):
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
        self._dropped_from = self._kept.dropped_from
        self._unsettled = set(self._kept.numbers)
        self._open: set[int] = set()

    def _since(self) -> int | None:
        since = super()._since()
        return min(since, self._dropped_from) if since and self._dropped_from else since

    def _again(self, since: int) -> Iterator[tuple[Stamps, Page]]:
        if not since:  # everything has just been read
            return
        below = compare(self._key, "lt", self._dropped_from) if self._dropped_from else None
        bound = both(self._open_rows.filter, below, self._by_date)
        unlisted = self._unsettled | self._open
        for stamps, page in self._source.open_pages(bound):
            unlisted -= {_integer_of(value) for value in column(page.rows, self._key)}
            yield stamps, page
        if not self._dropped_from:
            yield from self._numbered(unlisted)

    def saw(self, rows: Sequence[Row], clock: Clock) -> None:
        """Take note of a page, and of which of its rows are open."""
        super().saw(rows, clock)
        opened: set[int] = set()
        settled: set[int] = set()
        amounts = column(rows, self._open_rows.amount)
        for value, amount in zip(column(rows, self._key), amounts, strict=True):
            row_number = _integer_of(value)
            if row_number is not None:
                (opened if _is_open(amount) else settled).add(row_number)
        self._unsettled -= opened | settled
        self._open -= settled
        self._open |= opened
        self._kept.add(opened)

    def finish(self) -> None:
        """Keep which rows are open now."""
        super().finish()
        self._kept.keep(self._open)


class ChangingNumberReading(NumberReading):
    """New rows, and rows whose numbers the changelog names since the last run.

    The state keeps when the last reading began (`changes_since`), by the server's clock or our own,
    whichever was behind. Where an edit has added a row or taken one away, the count from there on
    proves nothing, for a row taken away could hide another that has become visible late: everything
    from there is read again.

    Args:
        lookback_minutes: how far before that the changelog is read.
        literal: writes an instant as the API's filters take it.
    """

    def __init__(self, *args: Any, lookback_minutes: int, literal: Literal, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._changes_since = earlier(self._state.get("changes_since"), lookback_minutes)
        self._literal = literal
        self._began = pendulum.now("UTC").replace(microsecond=0)
        self._changes: list[Change] = []

    def _since(self) -> int | None:
        if self._bookmark is not None:
            at = self._literal(self._changes_since) if self._changes_since else None
            for clock, changes in self._source.changed(at):
                self._was(clock)
                self._changes += changes
        return super()._since()

    def _touched_from(self) -> int | None:
        return min((change.number for change in self._changes if change.rows), default=None)

    def _again(self, since: int) -> Iterator[tuple[Stamps, Page]]:
        if since:
            yield from self._numbered({c.number for c in self._changes if c.number < since})

    def saw(self, rows: Sequence[Row], clock: Clock) -> None:
        """Take note of a page and of the server's clock."""
        super().saw(rows, clock)
        self._was(clock)

    def finish(self) -> None:
        """Keep from when on the changelog has to be read next time."""
        super().finish()
        self._state["changes_since"] = instant_text(self._began)

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
