"""Which reading fits a stream: by its facts, the catalog and the settings."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from tap_visma_economic.config.settings import start_date, value_of
from tap_visma_economic.errors import ConfigError, QueryRefusedError, UncountedError
from tap_visma_economic.filters import compare
from tap_visma_economic.kinds import Replication
from tap_visma_economic.replication.base import Change, FullTable, parse_instant
from tap_visma_economic.replication.by_number import (
    ByNumber,
    ByNumberWithChangelog,
    ByNumberWithOpenItems,
)
from tap_visma_economic.replication.by_timestamp import ByTimestamp
from tap_visma_economic.replication.repeated import RepeatedReading

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import pendulum

    from tap_visma_economic.agreement import Agreement
    from tap_visma_economic.paths import PathContext
    from tap_visma_economic.records.pages import Page
    from tap_visma_economic.replication.base import Clock, Reading

T = TypeVar("T")

Stream = Any
"""An `EconomicStream`, which is above this module."""

INCREMENTAL = "INCREMENTAL"

EDITED = ("dimensionKeyFrom", "dimensionKeyTo")
"""Columns of the changelog: null before a row was there, and after it was taken away."""


def reading_of(
    stream: Stream, agreement: Agreement, state: dict[str, Any], *, anew: bool, before: int
) -> RepeatedReading:
    """Return what this run asks of a stream and an agreement.

    Args:
        stream: the stream, its catalog entry applied.
        agreement: the company.
        state: what the last run knew, which the reading keeps up to date.
        anew: read everything, as if there were no bookmark.
        before: how many rows there were when everything was last read.

    Raises:
        ConfigError: the catalog asks for a replication that the endpoint does not offer.
    """
    source = Source(stream, agreement)
    return RepeatedReading(source, partial(_made, stream, source, state, anew=anew), before)


def _made(stream: Stream, source: Source, state: dict[str, Any], *, anew: bool) -> Reading:
    if stream.replication_method != INCREMENTAL:
        return FullTable(source, _bounds(stream).get("date_filter"))
    key, declared = stream.replication_key, stream.own_replication_key
    if not key or key != declared:
        raise ConfigError(f"{stream.name} cannot be read INCREMENTAL by {key!r}")
    lookback = value_of(stream.config, "lookback_minutes")
    if stream.replication in {Replication.FULL, Replication.TIMESTAMP}:
        start = start_date(stream.config)
        return ByTimestamp(source, state, key, start=start, anew=anew, lookback_minutes=lookback)
    by_number: dict[str, Any] = {
        "single": set(stream.own_primary_keys) == {"agreementNumber", key},
        "ascending": stream.parent is None,
        "anew": anew,
        **_bounds(stream),
    }
    if stream.open_rows:
        return ByNumberWithOpenItems(source, state, key, open_rows=stream.open_rows, **by_number)
    if stream.changelog:
        return ByNumberWithChangelog(source, state, key, lookback_minutes=lookback, **by_number)
    return ByNumber(source, state, key, **by_number)


def _bounds(stream: Stream) -> dict[str, str]:
    start = start_date(stream.config)
    if start is None or stream.start_date_property is None:
        return {}
    day = start.to_date_string()
    return {"date_filter": compare(stream.start_date_property, "gte", day), "start_date": day}


class Source:
    """A stream of one agreement, as readings ask it."""

    def __init__(self, stream: Stream, agreement: Agreement) -> None:
        self._stream = stream
        self._agreement = agreement

    def __str__(self) -> str:
        return f"{self._stream.name} of {self._agreement}"

    def pages(self, filter_: str | None) -> Iterator[tuple[PathContext, Page]]:
        """Yield the pages of all the stream's listings."""
        yield from self._stream.read(self._agreement, filter_)

    def open_pages(self, filter_: str | None) -> Iterator[tuple[PathContext, Page]]:
        """Yield the pages of the listing that holds the open rows."""
        listing = self._stream
        if listing.open_listing is not None:
            listing = listing.run.stream(listing.open_listing)
        yield from listing.read(self._agreement, filter_)

    def count(self, filter_: str) -> int:
        """Return how many rows the stream's listings hold that fit."""
        return int(self._stream.count(self._agreement, filter_))

    def knows_parents(self) -> bool:
        """Return whether e-conomic told how many rows the listings above the stream's have."""
        return bool(self._stream.knows_parents(self._agreement))

    def forget_parents(self) -> None:
        """Let the listings above the stream's be read anew."""
        self._stream.forget_parents(self._agreement)

    def count_all(self) -> int | None:
        """Return how many rows e-conomic counts, None if it does not."""
        if not self._stream.is_counted:
            return None
        try:
            return int(self._stream.count(self._agreement, None))
        except UncountedError:
            return None

    def keeps_moving(self) -> None:
        """Take note that no two readings held the same rows."""
        self._stream.keeps_moving(self._agreement)

    def since(self, key: str, at: pendulum.DateTime) -> Iterator[tuple[PathContext, Page]]:
        """Yield the pages of all rows whose instant is that one or later; others may be there."""
        return _since(self._stream, key, at, self.pages)

    def changed(self, since: pendulum.DateTime | None) -> Iterator[tuple[Clock, list[Change]]]:
        """Yield the edits that the changelog tells of since then, page by page."""
        if self._stream.changelog is None:
            return
        changelog = self._stream.run.stream(self._stream.changelog)
        key = changelog.own_replication_key
        columns = (self._stream.own_replication_key, *EDITED, key)
        ask = partial(changelog.column_pages, self._agreement, columns)
        for page, found in _since(changelog, key, since, ask) if since else ask(None):
            yield (
                page.clock,
                [
                    Change(number, (after is not None) - (before is not None), parse_instant(at))
                    for number, before, after, at in found
                    if isinstance(number, int)
                ],
            )


def _since(
    stream: Stream,
    key: str,
    at: pendulum.DateTime,
    ask: Callable[[str | None], Iterator[T]],
) -> Iterator[T]:
    """Yield what an endpoint gives since an instant, asked for as exactly as it lets one ask.

    How the newer API takes an instant in a filter is not documented, only how it takes a day
    (docs/economic-api.md#filtering): where the one is refused the other is tried, and then no
    filter at all.
    """
    for literal in (stream.instant_literal(at), at.in_timezone("UTC").to_date_string()):
        found = ask(compare(key, "gte", literal))
        try:
            first = next(found, None)
        except QueryRefusedError as error:
            stream.logger.warning("More is read than what has changed: %s", error)
            continue
        if first is not None:
            yield first
            yield from found
        return
    yield from ask(None)
