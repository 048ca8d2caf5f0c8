"""What a reading is to the sync loop, what it asks of a stream, and the shape of its state.

A reading yields pages, is told when their rows are written, and keeps the partition's state in the
SDK's shape (`replication_key`, `replication_key_value`). A bookmark moves only over rows that are
known to be written, and never downward.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import pendulum

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tap_visma_economic.paths import PathContext
    from tap_visma_economic.records.pages import Page
    from tap_visma_economic.records.selection import Row

Clock = pendulum.DateTime | None
"""The server's clock when it answered, None if it did not tell."""


class Change(NamedTuple):
    """An edit of a row, as a changelog tells.

    Args:
        number: the number of the row.
        rows: 1 if the edit added a row, -1 if it took one away, else 0.
        at: when it was made, None if the changelog does not tell.
    """

    number: int
    rows: int
    at: pendulum.DateTime | None = None


class Source(Protocol):
    """One stream of one agreement, as a reading asks it."""

    def pages(self, filter_: str | None) -> Iterator[tuple[PathContext, Page]]:
        """Yield the pages of all its listings."""

    def open_pages(self, filter_: str | None) -> Iterator[tuple[PathContext, Page]]:
        """Yield the pages of the listing that holds the open rows."""

    def count(self, filter_: str) -> int:
        """Return how many rows the listings hold that fit."""

    def since(self, key: str, at: pendulum.DateTime) -> Iterator[tuple[PathContext, Page]]:
        """Yield the pages of all rows whose instant is that one or later; others may be there."""

    def changed(self, since: pendulum.DateTime | None) -> Iterator[tuple[Clock, list[Change]]]:
        """Yield the edits of rows since then, as the changelog tells, page by page."""


class Reading(Protocol):
    """What the sync loop does with a stream and an agreement."""

    @property
    def anew(self) -> bool:
        """Whether everything was read that the settings let through, whatever the bookmark."""

    @property
    def whole(self) -> bool:
        """Whether everything was read that there is."""

    def pages(self) -> Iterator[tuple[PathContext, Page]]:
        """Yield what has to be read."""

    def observe(self, rows: Sequence[Row], clock: Clock) -> dict[str, Any]:
        """Take note of a page, and return what the state has to tell before its rows are written.

        A run may be killed once they are, before any other STATE.
        """

    def finish(self) -> None:
        """Everything was read and written."""


class FullTable:
    """Everything, every time; there is nothing to keep."""

    anew = True

    def __init__(self, source: Source, date_filter: str | None = None) -> None:
        self._source = source
        self._date_filter = date_filter
        self.whole = date_filter is None

    def pages(self) -> Iterator[tuple[PathContext, Page]]:
        """Yield the whole listing, as far as the start date lets it through."""
        return self._source.pages(self._date_filter)

    def observe(self, rows: Sequence[Row], clock: Clock) -> dict[str, Any]:  # noqa: ARG002
        """Do nothing."""
        return {}

    def finish(self) -> None:
        """Do nothing."""


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
