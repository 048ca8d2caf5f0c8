"""A partition, one stream of one agreement: its pages, and the state that holds after each.

A reading is repeated if rows seem to be missing. e-conomic does not count every listing, and a
count costs a call. If fewer rows were read than at the last full read, or than e-conomic counts, a
second pass shows whether they are gone.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import NamedTuple

from tap_visma_economic.agreement import Agreement
from tap_visma_economic.errors import IncompleteListingError, UncountedError
from tap_visma_economic.listing import MOST_READINGS
from tap_visma_economic.paths import PathContext
from tap_visma_economic.records.pages import Page
from tap_visma_economic.replication.base import Pages, Reading, State, Stream

logger = logging.getLogger("tap-visma-economic")


class Step(NamedTuple):
    """A page, and the state of its partition once its rows are written.

    Args:
        context: columns of all its rows: agreementNumber and path parameters.
        page: what was read.
        state: the partition's state.
        beforehand: what of it a STATE has to contain before they are.
    """

    context: PathContext
    page: Page
    state: State
    beforehand: State


class Partition:
    """One stream of one agreement, as it is being read.

    Args:
        make: returns the reading; each pass begins with the state that the one before it left.
        state: the state of the reading, which is the partition's when all is written.
        before: how many rows the last full read returned. None if that is not known and rows that
            are not read will be deleted: then one count is worth its call.

    Attributes:
        known: what the state has of `before`: None if nothing, and 1 may stand for any number.
        reading: the last pass.
        rows: how many rows it returned.
    """

    def __init__(
        self,
        stream: Stream,
        agreement: Agreement,
        make: Callable[[], Reading],
        state: State,
        before: int | None,
    ) -> None:
        self._stream = stream
        self._agreement = agreement
        self._make = make
        self.state = state
        self._before = before
        self._had_bookmark = "replication_key_value" in state
        self._rows_to_bookmark = state.get("rows_to_bookmark")
        self.known: int | None = None
        self.reading = make()
        self.rows = 0

    @property
    def is_compared(self) -> bool:
        """Whether the rows were compared with those of an earlier full read."""
        return self.known is not None and (self.known != 1 or self.rows == 1)

    def steps(self) -> Iterator[Step | Partition]:
        """Yield its pages and then, read completely, the partition itself."""
        for context, page in self._pages():
            beforehand = self.reading.observe(page)
            yield Step(context, page, dict(self.state), beforehand)
        self.reading.complete()
        yield self

    def _pages(self) -> Pages:
        """Yield the pages to be written, again until no rows are missing or two passes agree.

        Raises:
            IncompleteListingError: e-conomic returned the same rows twice and counts more.
        """
        last: tuple[object, ...] = ()
        for readings in range(1, MOST_READINGS + 1):
            self.rows, counted = 0, True
            try:
                for context, page in self.reading.pages():
                    self.rows += len(page.rows)
                    counted &= page.results is not None
                    yield context, page
            except IncompleteListingError as error:
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
                self.reading = self._make()
        self._stream.keeps_moving(self._agreement)

    def _seems_complete(self, *, counted: bool) -> bool:
        """Return whether nothing suggests that rows are missing.

        Args:
            counted: e-conomic counted the rows of each listing.
        """
        if not self.reading.full_refresh:
            return True
        before = self._before
        if not self.reading.covers_everything:
            before = 1 if before is None else before
        elif before is not None and self._had_bookmark:
            # That count does not have the rows that the bookmark has found since.
            rows = self._rows_to_bookmark
            before = rows if isinstance(rows, int) else None
        if before is not None and self.rows >= before:
            return True
        if not self._stream.knows_parents(self._agreement):
            return False
        if counted and self.rows:
            return True
        total = self._total() if before is None else None
        return total is not None and total <= self.rows

    def _total(self) -> int | None:
        """Return e-conomic's own count, None if it has none."""
        if not (self.reading.covers_everything and self._stream.is_counted):
            return None
        try:
            return self._stream.count(self._agreement, None)
        except UncountedError:
            return None

    def _compare(self) -> None:
        total = self._total()
        if total is not None and total > self.rows:
            before = f" where there were {self._before}" if self._before else ""
            raise IncompleteListingError(
                f"two passes returned {self.rows} rows each{before}, but e-conomic counts {total}"
            )
