"""Readings of rows that tell when they were last changed.

Their bookmark never moves beyond the server's clock when the reading began.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pendulum

from tap_visma_economic.records.row_type import column
from tap_visma_economic.records.values import MistypedError, instant, instant_text
from tap_visma_economic.replication.base import earlier, known, move, parse_instant

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tap_visma_economic.paths import PathContext
    from tap_visma_economic.records.pages import Page
    from tap_visma_economic.records.selection import Row
    from tap_visma_economic.replication.base import Clock, Source


class ByTimestamp:
    """Rows changed since a bookmark that is an instant. Listings are not sorted by it.

    Args:
        source: the stream and agreement.
        state: the partition's state, changed in place.
        key: the property that holds the instant.
        lookback_minutes: how far before the bookmark to read again.
        start: what is older is never read; an earlier one than last time starts over.
        anew: read everything, as if there were no bookmark.
    """

    def __init__(
        self,
        source: Source,
        state: dict[str, Any],
        key: str,
        *,
        lookback_minutes: int,
        start: pendulum.DateTime | None,
        anew: bool = False,
    ) -> None:
        self._source = source
        self._state = state
        self._key = key
        bookmark = None if anew else earlier(known(state, key), lookback_minutes)
        self._impossible = bookmark is not None and bookmark > pendulum.now("UTC").add(days=1)
        if self._impossible:  # no clock was ever there: whatever it stands for is read again
            bookmark = None
        before = parse_instant(state.get("start_date"))
        if before is not None and (start is None or start < before):
            bookmark = None
        self._start = start
        self._bounds = [bookmark, start]
        self.anew = bookmark is None
        self.whole = self.anew and start is None
        self._latest = ""
        self._began: pendulum.DateTime | None = None

    def pages(self) -> Iterator[tuple[PathContext, Page]]:
        """Yield the rows changed since the bookmark less the look-back, or since the start."""
        since = max((filter_ for filter_ in self._bounds if filter_), default=None)
        return self._source.since(self._key, since) if since else self._source.pages(None)

    def observe(self, rows: Sequence[Row], clock: Clock) -> dict[str, Any]:
        """Take note of a page and, on the first one, of the server's clock."""
        if self._began is None:
            self._began = clock or pendulum.now("UTC")
        for value in column(rows, self._key):
            text = _instant_of(value)
            if text[:-1] > self._latest[:-1]:
                self._latest = text
        return {}

    def finish(self) -> None:
        """Move the bookmark to the latest instant seen, at most to when the reading began."""
        self._state.pop("start_date", None)
        if self._start is not None:
            self._state["start_date"] = instant_text(self._start)
        latest = parse_instant(self._latest)
        if latest is None or self._began is None:
            return
        reached = min(latest, self._began)
        value = parse_instant(known(self._state, self._key))
        if value is None or reached > value or self._impossible:
            move(self._state, self._key, instant_text(reached))


def _instant_of(value: object) -> str:
    try:
        return instant(value) if value else ""
    except MistypedError:
        return ""
