"""A partition, one stream of one agreement: its pages, and the state that holds after each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tap_visma_economic.agreement import Agreement
from tap_visma_economic.paths import PathContext
from tap_visma_economic.records.pages import Page
from tap_visma_economic.replication.repeated import RepeatedReading


@dataclass(frozen=True, slots=True)
class Step:
    """A page, and the state of its partition once its rows are written.

    Args:
        context: columns of all its rows: agreementNumber and path parameters.
        page: what was read.
        state: the partition's state.
        beforehand: what of it a STATE has to contain before they are.
    """

    context: PathContext
    page: Page
    state: dict[str, Any]
    beforehand: dict[str, Any]


@dataclass(eq=False)
class Partition:
    """One stream of one agreement, as it is being read.

    Args:
        agreement: whose rows these are.
        reading: what is requested.
        state: the state of the reading, which is the partition's when all is written.
    """

    agreement: Agreement
    reading: RepeatedReading
    state: dict[str, Any]

    def steps(self) -> Iterator[Step | Partition]:
        """Yield its pages and then, read completely, the partition itself."""
        for context, page in self.reading.pages():
            beforehand = self.reading.observe(page.rows, page.clock)
            yield Step(context, page, dict(self.state), beforehand)
        self.reading.complete()
        yield self
