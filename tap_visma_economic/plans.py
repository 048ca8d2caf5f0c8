"""Which reading fits a stream: by its facts, the catalog and the settings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tap_visma_economic.errors import ConfigError
from tap_visma_economic.filters import compare
from tap_visma_economic.kinds import Replication
from tap_visma_economic.numbered import ChangingNumberReading, NumberReading, OpenNumberReading
from tap_visma_economic.readings import Change, FullReading, InstantReading
from tap_visma_economic.settings import start_date, value_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_visma_economic.agreements import Agreement
    from tap_visma_economic.pages import Page
    from tap_visma_economic.readings import Clock, Reading, Stamps
    from tap_visma_economic.sync import EconomicStream

INCREMENTAL = "INCREMENTAL"

EDITED = ("dimensionKeyFrom", "dimensionKeyTo")
"""Columns of the changelog: null before a row was there, and after it was taken away."""


def reading_of(
    stream: EconomicStream, agreement: Agreement, state: dict[str, Any], *, anew: bool
) -> Reading:
    """Return what this run asks of a stream and an agreement.

    Args:
        stream: the stream, its catalog entry applied.
        agreement: the company.
        state: what the last run knew, which the reading keeps up to date.
        anew: read everything, as if there were no bookmark.

    Raises:
        ConfigError: the catalog asks for a replication that the endpoint does not offer.
    """
    source = Source(stream, agreement)
    if stream.replication_method != INCREMENTAL:
        return FullReading(source, _bounds(stream).get("by_date"))
    key, declared = stream.replication_key, stream.declared_key
    if not key or key != declared:
        raise ConfigError(f"{stream.name} cannot be read INCREMENTAL by {key!r}")
    by_clock: dict[str, Any] = {
        "literal": stream.instant_literal,
        "lookback_minutes": value_of(stream.config, "lookback_minutes"),
    }
    if stream.replication in {Replication.FULL, Replication.TIMESTAMP}:
        start = start_date(stream.config)
        return InstantReading(source, state, key, start=start, anew=anew, **by_clock)
    by_number: dict[str, Any] = {
        "single": set(stream.declared_keys) == {"agreementNumber", key},
        "ascending": stream.parent is None,
        "anew": anew,
        **_bounds(stream),
    }
    if stream.open_rows:
        return OpenNumberReading(source, state, key, open_rows=stream.open_rows, **by_number)
    if stream.changelog:
        return ChangingNumberReading(source, state, key, **by_clock, **by_number)
    return NumberReading(source, state, key, **by_number)


def _bounds(stream: EconomicStream) -> dict[str, str]:
    start = start_date(stream.config)
    if start is None or stream.start_date_property is None:
        return {}
    day = start.to_date_string()
    return {"by_date": compare(stream.start_date_property, "gte", day), "start_date": day}


class Source:
    """A stream of one agreement, as readings ask it."""

    def __init__(self, stream: EconomicStream, agreement: Agreement) -> None:
        self._stream = stream
        self._agreement = agreement

    def pages(self, bound: str | None) -> Iterator[tuple[Stamps, Page]]:
        """Yield the pages of all the stream's listings."""
        return self._stream.read(self._agreement, bound)

    def open_pages(self, bound: str | None) -> Iterator[tuple[Stamps, Page]]:
        """Yield the pages of the listing that holds the open rows."""
        listing = self._stream.beside(self._stream.open_listing) or self._stream
        return listing.read(self._agreement, bound)

    def count(self, bound: str) -> int:
        """Return how many rows the stream's listings hold that fit."""
        return self._stream.count(self._agreement, bound)

    def changed(self, since: str | None) -> Iterator[tuple[Clock, list[Change]]]:
        """Yield the edits that the changelog tells of since then, page by page."""
        changelog = self._stream.beside(self._stream.changelog)
        if changelog is not None:
            bound = compare(changelog.declared_key, "gte", since) if since else None
            columns = (self._stream.declared_key, *EDITED)
            for page, found in changelog.column_pages(self._agreement, columns, bound):
                yield (
                    page.clock,
                    [
                        Change(number, (after is not None) - (before is not None))
                        for number, before, after in found
                        if isinstance(number, int)
                    ],
                )
