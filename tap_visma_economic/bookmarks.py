"""Bookmarks: from where a listing is read next time.

A bookmark lives in the state of one stream and agreement, in the SDK's shape
(`replication_key`, `replication_key_value`). It moves only over rows that are known to be written,
never downward, and for instants never beyond the server's clock when the reading began.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import pendulum

from tap_visma_economic.values import instant_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tap_visma_economic.records import Record

OVERLAP = 1000
"""Numbers below the bookmark that are read again: numbers are not trusted to come in order."""


class Bookmark(Protocol):
    """What the sync loop needs of a bookmark."""

    def saw(self, records: Sequence[Record], clock: pendulum.DateTime | None) -> None:
        """Take note of a page that has been written."""

    def finish(self) -> None:
        """The listing is complete: move to the end of what was seen."""


class NoBookmark:
    """Of a stream that is read in full every time."""

    def saw(self, records: Sequence[Record], clock: pendulum.DateTime | None) -> None:
        """Do nothing."""

    def finish(self) -> None:
        """Do nothing."""


class NumberBookmark:
    """The highest number up to which everything was written.

    Args:
        state: the partition's state, changed in place.
        key: the column that counts up.
        single: whether a number stands on one row only; if not, a page may end inside a number.
        ascending: whether the listing comes sorted by the number.
        start_date: the setting; another one than last time starts over.
    """

    def __init__(
        self,
        state: dict[str, Any],
        key: str,
        *,
        single: bool,
        ascending: bool,
        start_date: str | None,
    ) -> None:
        self._state = state
        self._key = key
        self._single = single
        self._ascending = ascending
        self._highest: int | None = None
        if state.get("start_date") != start_date:
            state.pop("replication_key_value", None)
            state["start_date"] = start_date

    @property
    def since(self) -> int | None:
        """The number to read from, None for the beginning."""
        value = _known(self._state, self._key)
        return value - OVERLAP if isinstance(value, int) and value > OVERLAP else None

    def saw(self, records: Sequence[Record], clock: pendulum.DateTime | None) -> None:  # noqa: ARG002
        """Take note of a page; a listing that proves unsorted moves the bookmark at its end."""
        for record in records:
            number = record.get(self._key)
            if not isinstance(number, int):
                self._ascending = False
            elif self._highest is None or number >= self._highest:
                self._highest = number
            else:
                self._ascending = False
        if self._ascending and self._highest is not None:
            self._move(self._highest if self._single else self._highest - 1)

    def finish(self) -> None:
        """Move to the highest number seen."""
        if self._highest is not None:
            self._move(self._highest)

    def _move(self, number: int) -> None:
        value = _known(self._state, self._key)
        if not isinstance(value, int) or number > value:
            _set(self._state, self._key, number)


class InstantBookmark:
    """The latest instant seen, once a whole listing is read: listings are not sorted by it.

    Args:
        state: the partition's state, changed in place.
        key: the column that holds the instant.
    """

    def __init__(self, state: dict[str, Any], key: str) -> None:
        self._state = state
        self._key = key
        self._latest = ""
        self._began: pendulum.DateTime | None = None

    def since(self, lookback_minutes: int) -> pendulum.DateTime | None:
        """Return the instant to read from, None for the beginning."""
        value = parse_instant(_known(self._state, self._key))
        try:
            return value.subtract(minutes=lookback_minutes) if value else None
        except OverflowError:  # the year 1, which .NET takes for no instant at all
            return None

    def saw(self, records: Sequence[Record], clock: pendulum.DateTime | None) -> None:
        """Take note of a page and, on the first one, of the server's clock."""
        if self._began is None:
            self._began = clock or pendulum.now("UTC")
        for record in records:
            text = record.get(self._key)  # as `instant_text` writes it, or null
            if text and text[:-1] > self._latest[:-1]:
                self._latest = text

    def finish(self) -> None:
        """Move to the latest instant seen, at most to when the reading began."""
        latest = parse_instant(self._latest)
        if latest is None or self._began is None:
            return
        reached = min(latest, self._began)
        value = parse_instant(_known(self._state, self._key))
        if value is None or reached > value:
            _set(self._state, self._key, instant_text(reached))


def parse_instant(value: object) -> pendulum.DateTime | None:
    """Return an instant from its text, None if it is none."""
    if not isinstance(value, str):
        return None
    try:
        at = pendulum.parse(value, tz="UTC")
    except ValueError:
        return None
    return at if isinstance(at, pendulum.DateTime) else None


def _known(state: dict[str, Any], key: str) -> object:
    return state.get("replication_key_value") if state.get("replication_key") == key else None


def _set(state: dict[str, Any], key: str, value: int | str) -> None:
    state["replication_key"] = key
    state["replication_key_value"] = value
