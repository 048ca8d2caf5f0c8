"""Reading rows that are numbered: the ledger, booked invoices, documents, dimensions.

New rows are found by their numbers. Numbers are not trusted: entries become visible out of order,
and an invoice may be booked with a number picked by hand.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from tap_visma_economic.errors import UncountedError
from tap_visma_economic.filters import both, compare, lists, one_of
from tap_visma_economic.paths import PathContext
from tap_visma_economic.records.pages import Page
from tap_visma_economic.records.row_type import column
from tap_visma_economic.records.selection import Row
from tap_visma_economic.records.values import MistypedError, integer
from tap_visma_economic.replication.base import Clock, Reading, State, bookmark_of, move

logger = logging.getLogger("tap-visma-economic")

OVERLAP = 1000
"""Numbers below the bookmark that are read again, because rows become visible out of order."""

_MOST_NAMED = 10
"""Numbers that a line of the log names at most."""

_OF_ROWS = ("replication_key_value", "rows_to_bookmark", "checkpoints", "open", "open_from")
"""Keys of the state that describe rows, and so are void with another start date."""


class NumberReading(Reading):
    """Rows numbered from the bookmark on, exact though numbers may come out of order.

    The state keeps how many rows there are up to the bookmark. Each run counts them again: if rows
    were added or deleted below the bookmark, the counts of the checkpoints show where, and
    everything from there is read again.
    """

    def __post_init__(self) -> None:
        """Forget what the state has of rows if the start date is another one."""
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

    def pages(self) -> Iterator[tuple[PathContext, Page]]:
        """Yield new rows, then older rows that have changed."""
        since = None if self.full_refresh else self._resume_from()
        self.full_refresh = since is None
        above = compare(self._key, "gte", since) if since else None
        yield from self.stream.read(self.agreement, both(above, self._date_filter))
        self._reads_new = False
        yield from self._changed_pages(since or 0)

    def _changed_pages(self, since: int) -> Iterator[tuple[PathContext, Page]]:  # noqa: ARG002
        """Yield rows below a number that have changed."""
        return iter(())

    def _numbered_pages(self, numbers: Iterable[int]) -> Iterator[tuple[PathContext, Page]]:
        """Yield the rows with these numbers. Those that are not returned are requested twice."""
        self._missing = set(numbers)
        for _ in range(2):
            for some in lists(self._missing):
                for context, page in self.stream.read(self.agreement, one_of(self._key, some)):
                    self._missing.difference_update(integers(column(page.rows, self._key)))
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

    def observe(self, rows: Sequence[Row], clock: Clock) -> State:  # noqa: ARG002
        """Take note of a page. If the listing is sorted the bookmark follows page by page."""
        if self._reads_new:
            self._count(integers(column(rows, self._key)))
            if self._ascending and self._highest:
                # More rows of the last number may be on the next page, unless it is unique.
                self._reached(
                    self._highest - (not self._is_unique),
                    self._rows - (0 if self._is_unique else self._at_highest),
                )
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
            move(self.state, self._key, value)
            self._keep(value, total)

    def _keep(self, value: int, total: int) -> None:
        self.state["rows_to_bookmark"] = total
        below = _thinned((point for point in self._checkpoints if point[0] < value), total)
        self.state["checkpoints"] = [list(point) for point in below]
        self._checkpoints = [*below, *(p for p in self._checkpoints if p[0] >= value)]

    def complete(self) -> None:
        """Move the bookmark to the highest number, and keep the count of rows up to it."""
        self._report_unreturned()
        highest = max(self._bookmark or 0, self._highest)
        if highest:
            move(self.state, self._key, highest)
            self._keep(highest, self._base[1] + self._rows)

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
