"""Rows that are numbered, and the ways in which old ones are found again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tap_visma_economic.agreement import Agreement
from tap_visma_economic.replication.base import Options, Reading, Replication, State, Stream
from tap_visma_economic.replication.changelog import ChangelogReading
from tap_visma_economic.replication.numbered import NumberReading
from tap_visma_economic.replication.open_items import OpenItems, OpenItemsReading


@dataclass(frozen=True, kw_only=True)
class ByNumber(Replication):
    """Rows numbered from the bookmark on, less an overlap.

    Args:
        open_items: how rows that can still change are found.
        changelog: the stream that lists edits of the rows.
    """

    open_items: OpenItems | None = None
    changelog: type[Any] | None = None

    def incremental(
        self, stream: Stream, agreement: Agreement, state: State, options: Options
    ) -> Reading:
        """Return a reading by the replication key, which changes the state in place."""
        of = (stream, agreement, state, options, self)
        if self.open_items:
            return OpenItemsReading(*of, self.open_items)
        if self.changelog:
            return ChangelogReading(*of, self.changelog)
        return NumberReading(*of)
