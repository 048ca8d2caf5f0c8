"""Rows whose edits are listed by a changelog."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import pendulum

from tap_visma_economic.errors import AccessDeniedError
from tap_visma_economic.paths import PathContext
from tap_visma_economic.records.pages import Page
from tap_visma_economic.records.selection import Row
from tap_visma_economic.records.values import instant_text
from tap_visma_economic.replication.base import Clock, State, earlier, pages_since, parse_instant
from tap_visma_economic.replication.numbered import NumberReading

logger = logging.getLogger("tap-visma-economic")

_EDITED = ("dimensionKeyFrom", "dimensionKeyTo")
"""Columns of a changelog: null before a row was there, and after it was deleted."""


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
        """Begin with what the state has of the changelog."""
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
            for number, before, after, at in edits:
                if isinstance(number, int):
                    rows = (after is not None) - (before is not None)
                    yield Change(number, rows, parse_instant(at))

    def _touched_from(self) -> int | None:
        return min((change.number for change in self._changes if change.rows), default=None)

    def _changed_pages(self, since: int) -> Iterator[tuple[PathContext, Page]]:
        if since:
            yield from self._numbered_pages({c.number for c in self._changes if c.number < since})

    def observe(self, rows: Sequence[Row], clock: Clock) -> State:
        """Take note of a page and of the server's clock."""
        self._began_by(clock)
        return super().observe(rows, clock)

    def complete(self) -> None:
        """Keep from when on to read the changelog next time, if every edited row was returned."""
        super().complete()
        if self._missing or not (self._has_edits or self.full_refresh):
            return
        self.state["changes_since"] = instant_text(self._began)
        if self._latest:
            self.state["changes_to"] = instant_text(self._latest)

    def _began_by(self, clock: Clock) -> None:
        """Take note of the server's clock: the reading began then, if not before."""
        if clock:
            self._began = min(self._began, clock)
