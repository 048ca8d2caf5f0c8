"""A reading that is made again where rows seem to be missing.

e-conomic does not count every listing, and a count costs a call. Where fewer rows come than the
last time everything was read, or fewer than are counted, a second reading tells whether they are
gone or were left out.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Protocol

from tap_visma_economic.errors import NotWholeError
from tap_visma_economic.listing import MOST_READINGS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tap_visma_economic.paths import PathContext
    from tap_visma_economic.records.pages import Page
    from tap_visma_economic.records.selection import Row
    from tap_visma_economic.replication.base import Clock, Reading

logger = logging.getLogger("tap-visma-economic")


class Listings(Protocol):
    """What is read, as far as a repeated reading asks it."""

    def knows_parents(self) -> bool:
        """Return whether e-conomic told how many rows the listings above have."""

    def forget_parents(self) -> None:
        """Let the listings above be read anew."""

    def count_all(self) -> int | None:
        """Return how many rows e-conomic counts, None if it does not."""

    def keeps_moving(self) -> None:
        """Take note that no two readings held the same rows."""


class RepeatedReading:
    """Makes a reading, and makes it again until nothing is missing or two agree.

    Args:
        source: what is read.
        make: returns the reading; each begins with the state that the one before it left.
        before: how many rows there were when everything was last read; what is less is looked at
            twice.

    Attributes:
        rows: how many rows the last reading gave.
    """

    def __init__(self, source: Listings, make: Callable[[], Reading], before: int) -> None:
        self._source = source
        self._make = make
        self._before = before
        self._reading = make()
        self.rows = 0

    @property
    def anew(self) -> bool:
        """Whether everything was read that the settings let through, whatever the bookmark."""
        return self._reading.anew

    @property
    def whole(self) -> bool:
        """Whether everything was read that there is."""
        return self._reading.whole

    def pages(self) -> Iterator[tuple[PathContext, Page]]:
        """Yield what has to be read, once more from the start where rows seem to be missing.

        Raises:
            NotWholeError: e-conomic gave the same rows twice and counts more.
        """
        last: tuple[object, ...] = ()
        for _ in range(MOST_READINGS):
            self.rows, counted = 0, True
            try:
                for context, page in self._reading.pages():
                    self.rows += len(page.rows)
                    counted &= page.results is not None
                    yield context, page
            except NotWholeError as error:
                found: tuple[object, ...] = (str(error), error.mark)
                if found == last:
                    raise
                logger.warning("It is read again: %s", error)
            else:
                found = (self.rows,)
                fewer = self._reading.anew and self.rows < self._before
                if not fewer or (counted and self.rows and self._source.knows_parents()):
                    return
                if found == last:
                    self._compare()
                    return
            last = found
            self._source.forget_parents()
            self._reading = self._make()
        self._source.keeps_moving()

    def _compare(self) -> None:
        total = self._source.count_all() if self._reading.whole else None
        if total is not None and total > self.rows:
            raise NotWholeError(
                f"{self.rows} rows were read, twice, where there were {self._before}, and "
                f"e-conomic counts {total}"
            )

    def observe(self, rows: Sequence[Row], clock: Clock) -> dict[str, Any]:
        """Take note of a page; return what the state has to tell before its rows are written."""
        return self._reading.observe(rows, clock)

    def finish(self) -> None:
        """Everything was read and written."""
        self._reading.finish()
