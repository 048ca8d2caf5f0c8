"""Rows that have the time of their last change."""

from __future__ import annotations

from functools import partial

import pendulum

from tap_visma_economic.agreement import Agreement
from tap_visma_economic.records.pages import Page
from tap_visma_economic.records.values import MistypedError, instant, instant_text
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


class ByTimestamp(Replication):
    """Rows changed since the bookmark, less the look-back. Listings are not sorted by the key."""

    def incremental(
        self, stream: Stream, agreement: Agreement, state: State, options: Options
    ) -> Reading:
        return TimestampReading(stream, agreement, state, options, self)


class TimestampReading(Reading):
    """The bookmark moves at the end, to the latest change seen.

    It never passes the server's clock of the first page: a later change may have been missed. Rows
    older than the start date are never read; an earlier start date than last time starts over.
    """

    def __post_init__(self) -> None:
        super().__post_init__()
        value = None if self.options.full_refresh else bookmark_of(self.state, self._key)
        bookmark = earlier(value, self.options.lookback_minutes)
        # No clock can have been there: whatever the bookmark stands for is read again.
        self._impossible = bookmark is not None and bookmark > pendulum.now("UTC").add(days=1)
        self._start = self.options.start
        before = parse_instant(self.state.get("start_date"))
        starts_over = before is not None and (self._start is None or self._start < before)
        if self._impossible or starts_over:
            bookmark = None
        self._since = max((at for at in (bookmark, self._start) if at), default=None)
        self.full_refresh = bookmark is None
        self._latest = ""
        self._began: pendulum.DateTime | None = None

    @property
    def covers_everything(self) -> bool:
        return self._since is None

    def pages(self) -> Pages:
        """Yield the rows changed since the bookmark less the look-back, or since the start date."""
        read = partial(self.stream.read, self.agreement)
        if self._since is None:
            return read(None)
        return pages_since(self.stream, self._key, self._since, read)

    def observe(self, page: Page) -> State:
        """Take note of the latest change on a page and, on the first, of the server's clock."""
        if self._began is None:
            self._began = page.clock or pendulum.now("UTC")
        for value in page.rows.column(self._key):
            text = _instant_of(value)
            if text[:-1] > self._latest[:-1]:  # without the Z, or fractions would sort before it
                self._latest = text
        return {}

    def complete(self) -> None:
        """Move the bookmark."""
        self.state.pop("start_date", None)
        if self._start is not None:
            self.state["start_date"] = instant_text(self._start)
        latest = parse_instant(self._latest)
        if latest is None or self._began is None:
            return
        reached = min(latest, self._began)
        value = parse_instant(bookmark_of(self.state, self._key))
        if value is None or reached > value or self._impossible:
            move(self.state, self._key, instant_text(reached))


def _instant_of(value: object) -> str:
    try:
        return instant(value) if value else ""
    except MistypedError:
        return ""
