"""Readings: what one run asks of one stream and agreement, and how its bookmark moves.

A reading yields pages, is told when their rows are written, and keeps the partition's state in the
SDK's shape (`replication_key`, `replication_key_value`). A bookmark moves only over rows that are
known to be written, never downward, and for instants never beyond the server's clock when the
reading began. Readings by number are in `numbered`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import pendulum

from tap_visma_economic.filters import compare
from tap_visma_economic.rows import column
from tap_visma_economic.values import MistypedError, instant, instant_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tap_visma_economic.pages import Page
    from tap_visma_economic.records import Row

Stamps = dict[str, Any]
"""agreementNumber and the path parameters of one listing: columns of all its records."""

Literal = Callable[[pendulum.DateTime], str]
"""Writes an instant as an API's filters take it."""


Clock = pendulum.DateTime | None
"""The server's clock when it answered, None if it did not tell."""


class Change(NamedTuple):
    """An edit of a row, as a changelog tells.

    Args:
        number: the number of the row.
        rows: 1 if the edit added a row, -1 if it took one away, else 0.
    """

    number: int
    rows: int


class Source(Protocol):
    """One stream of one agreement, as a reading asks it."""

    def pages(self, bound: str | None) -> Iterator[tuple[Stamps, Page]]:
        """Yield the pages of all its listings."""

    def open_pages(self, bound: str | None) -> Iterator[tuple[Stamps, Page]]:
        """Yield the pages of the listing that holds the open rows."""

    def count(self, bound: str) -> int:
        """Return how many rows the listings hold that fit."""

    def changed(self, since: str | None) -> Iterator[tuple[Clock, list[Change]]]:
        """Yield the edits of rows since then, as the changelog tells, page by page."""


class Reading(Protocol):
    """What the sync loop does with a stream and an agreement."""

    @property
    def anew(self) -> bool:
        """Whether everything was read that the settings let through, whatever the bookmark."""

    @property
    def whole(self) -> bool:
        """Whether everything was read that there is."""

    def pages(self) -> Iterator[tuple[Stamps, Page]]:
        """Yield what has to be read."""

    def saw(self, rows: Sequence[Row], clock: Clock) -> None:
        """Take note of a page whose rows have been written."""

    def finish(self) -> None:
        """Everything was read and written."""


class FullReading:
    """Everything, every time; there is nothing to keep."""

    anew = True

    def __init__(self, source: Source, by_date: str | None = None) -> None:
        self._source = source
        self._by_date = by_date
        self.whole = by_date is None

    def pages(self) -> Iterator[tuple[Stamps, Page]]:
        """Yield the whole listing, as far as the start date lets it through."""
        return self._source.pages(self._by_date)

    def saw(self, rows: Sequence[Row], clock: Clock) -> None:
        """Do nothing."""

    def finish(self) -> None:
        """Do nothing."""


class InstantReading:
    """Rows changed since a bookmark that is an instant. Listings are not sorted by it.

    Args:
        source: the stream and agreement.
        state: the partition's state, changed in place.
        key: the property that holds the instant.
        literal: writes an instant as the API's filters take it.
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
        literal: Literal,
        lookback_minutes: int,
        start: pendulum.DateTime | None,
        anew: bool = False,
    ) -> None:
        self._source = source
        self._state = state
        self._key = key
        self._literal = literal
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

    def pages(self) -> Iterator[tuple[Stamps, Page]]:
        """Yield the rows changed since the bookmark less the look-back, or since the start."""
        since = max((bound for bound in self._bounds if bound), default=None)
        return self._source.pages(
            compare(self._key, "gte", self._literal(since)) if since else None
        )

    def saw(self, rows: Sequence[Row], clock: Clock) -> None:
        """Take note of a page and, on the first one, of the server's clock."""
        if self._began is None:
            self._began = clock or pendulum.now("UTC")
        for value in column(rows, self._key):
            text = _instant_of(value)
            if text[:-1] > self._latest[:-1]:
                self._latest = text

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


def earlier(value: object, minutes: int) -> pendulum.DateTime | None:
    """Return an instant's text as an instant so many minutes before, None if it is none."""
    at = parse_instant(value)
    try:
        return at.subtract(minutes=minutes) if at else None
    except OverflowError:  # the year 1, which .NET takes for no instant at all
        return None


def parse_instant(value: object) -> pendulum.DateTime | None:
    """Return an instant from its text, None if it is none."""
    if not isinstance(value, str):
        return None
    try:
        at = pendulum.parse(value, tz="UTC")
    except ValueError:
        return None
    return at if isinstance(at, pendulum.DateTime) else None


def known(state: dict[str, Any], key: str) -> object:
    """Return the bookmark of a key, None if the state is of another key or of none."""
    return state.get("replication_key_value") if state.get("replication_key") == key else None


def move(state: dict[str, Any], key: str, value: int | str) -> None:
    """Set the bookmark."""
    state["replication_key"] = key
    state["replication_key_value"] = value


def _instant_of(value: object) -> str:
    try:
        return instant(value) if value else ""
    except MistypedError:
        return ""
