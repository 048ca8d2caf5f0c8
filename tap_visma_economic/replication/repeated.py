"""A reading that is repeated if rows seem to be missing.

e-conomic does not count every listing, and a count costs a call. If fewer rows were read than at
the last full read, or than e-conomic counts, a second pass shows whether they are gone.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence

from tap_visma_economic.agreement import Agreement
from tap_visma_economic.errors import NotWholeError, UncountedError
from tap_visma_economic.listing import MOST_READINGS
from tap_visma_economic.paths import PathContext
from tap_visma_economic.records.pages import Page
from tap_visma_economic.records.selection import Row
from tap_visma_economic.replication.base import Clock, Reading, State, Stream

logger = logging.getLogger("tap-visma-economic")


class RepeatedReading:
    """Repeats a reading until no rows are missing or two passes agree.

    Args:
        stream: what is read.
        agreement: whose rows to read.
        make: returns the reading; each pass begins with the state that the one before it left.
        before: how many rows the last full read returned. None if that is not known and rows that
            are not read will be deleted: then one count is worth its call.

    Attributes:
        rows: how many rows the last pass returned.
    """

    def __init__(
        self,
        stream: Stream,
        agreement: Agreement,
        make: Callable[[], Reading],
        before: int | None,
    ) -> None:
        self._stream = stream
        self._agreement = agreement
        self._make = make
        self._before = before
        self._reading = make()
        self.rows = 0

    @property
    def full_refresh(self) -> bool:
        """Whether everything that the settings allow was read, whatever the bookmark."""
        return self._reading.full_refresh

    @property
    def covers_everything(self) -> bool:
        """Whether every row that there is was read."""
        return self._reading.covers_everything

    def pages(self) -> Iterator[tuple[PathContext, Page]]:
        """Yield the pages to be written, from the start again if rows seem to be missing.

        Raises:
            NotWholeError: e-conomic returned the same rows twice and counts more.
        """
        last: tuple[object, ...] = ()
        for readings in range(1, MOST_READINGS + 1):
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
                logger.warning("Reading again: %s", error)
            else:
                found = (self.rows,)
                if self._seems_complete(counted=counted):
                    return
                if found == last:
                    self._compare()
                    return
            last = found
            if readings < MOST_READINGS:
                self._stream.forget_parents(self._agreement)
                self._reading = self._make()
        self._stream.keeps_moving(self._agreement)

    def _seems_complete(self, *, counted: bool) -> bool:
        """Return whether nothing suggests that rows are missing.

        Args:
            counted: e-conomic counted the rows of each listing.
        """
        if not self.full_refresh:
            return True
        before = self._before
        if before is None and not self.covers_everything:
            before = 1
        if before is not None and self.rows >= before:
            return True
        if not self._stream.knows_parents(self._agreement):
            return False
        return bool(counted and self.rows) or (before is None and self._counts_no_more())

    def _counts_no_more(self) -> bool:
        """Return whether e-conomic counts no more rows than were read, some perhaps twice."""
        total = self._total()
        return total is not None and total <= self.rows

    def _total(self) -> int | None:
        """Return e-conomic's own count, None if it has none."""
        if not (self.covers_everything and self._stream.is_counted):
            return None
        try:
            return self._stream.count(self._agreement, None)
        except UncountedError:
            return None

    def _compare(self) -> None:
        total = self._total()
        if total is not None and total > self.rows:
            before = f" where there were {self._before}" if self._before else ""
            raise NotWholeError(
                f"two passes returned {self.rows} rows each{before}, but e-conomic counts {total}"
            )

    def observe(self, rows: Sequence[Row], clock: Clock) -> State:
        """Take note of a page; return what a STATE has to say before its rows are written."""
        return self._reading.observe(rows, clock)

    def complete(self) -> None:
        """Take note that everything was read."""
        self._reading.complete()
