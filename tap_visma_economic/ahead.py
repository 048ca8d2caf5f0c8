"""Reading ahead: what comes next is asked for while what is here is written.

A unit is one stream of one agreement. Units are read in threads of their own, in the order in which
they will be written, and hand over their pages in order. What is read does not depend on how far
ahead it is read.

Memory is bounded by pages, of a thousand rows each. Of the units begun, all hold their first page;
as many as requests may be in flight go on to the next ones and hold `PAGES_AHEAD` pages and one in
hand; and as many as companies are read at a time go on in listings that are cut into windows, and
hold `walk.PAGES_WAITING` pages for each request in flight. Listings below parents hold one page for
each request in flight.
"""

from __future__ import annotations

import threading
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any, Protocol

from tap_visma_economic.errors import EconomicError
from tap_visma_economic.key_ranges import WORTH_SPLITTING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tap_visma_economic.agreement import Agreement
    from tap_visma_economic.paths import PathContext
    from tap_visma_economic.records.pages import Page
    from tap_visma_economic.replication.repeated import RepeatedReading
    from tap_visma_economic.signals import StopFlag

    Begin = Callable[["Stream", Agreement], tuple[RepeatedReading, dict[str, Any]]]

UNITS_AHEAD = 2
"""Units begun per request that may be in flight: most are one answer, and wait for their turn."""

LEAST_AHEAD = 8
"""Units begun beyond those."""

PAGES_AHEAD = 2
"""Pages of a unit that wait to be written."""

_LOOK_EVERY = 0.1
"""Seconds between two looks at whether the run is to stop."""


class Stream(Protocol):
    """What can be read ahead."""

    name: str

    def begin(self, agreement: Agreement) -> tuple[RepeatedReading, dict[str, Any]]:
        """Return what to ask of an agreement, and the state that the reading keeps."""


@dataclass(frozen=True, slots=True)
class Step:
    """A page, and the state of its partition once its rows are written.

    Args:
        context: columns of all its rows: agreementNumber and path parameters.
        page: what was read.
        state: the partition's state.
        beforehand: what of it a STATE has to tell before they are.
    """

    context: PathContext
    page: Page
    state: dict[str, Any]
    beforehand: dict[str, Any]


@dataclass(eq=False)
class Unit:
    """One stream of one agreement, as it is being read.

    Args:
        agreement: whose rows these are.
        reading: what is asked for.
        state: the state of the reading, which is the partition's when all is written.
    """

    agreement: Agreement
    reading: RepeatedReading | None = None
    state: dict[str, Any] = field(default_factory=dict)
    steps: deque[Step] = field(default_factory=deque)
    error: BaseException | None = None
    done: bool = False
    dropped: bool = False


class Ahead:
    """Reads units before their turn. All methods are for the main thread.

    Args:
        stop: ends every wait when the run is asked to stop.
        begin: returns what to ask of a stream and an agreement, and the state it keeps.
        requests: requests that may be in flight.
        long: units with a long listing that may be read further than its first page.
    """

    def __init__(self, stop: StopFlag, begin: Begin, *, requests: int, long: int) -> None:
        self._stop = stop
        self._begin = begin
        self._most_units = UNITS_AHEAD * requests + LEAST_AHEAD
        self._most_going_on = requests
        self._most_long = long
        self._threads = ThreadPoolExecutor(self._most_units + 1, thread_name_prefix="ahead")
        self._changed = threading.Condition()
        self._coming: deque[tuple[Stream, Agreement]] = deque()
        self._begun: dict[tuple[str, int], Unit] = {}

    def plan(self, units: Sequence[tuple[Stream, Agreement]]) -> None:
        """Say which units will be taken, in order."""
        self._coming = deque(units)

    @contextmanager
    def unit(self, stream: Stream, agreement: Agreement) -> Iterator[Iterator[Step | Unit]]:
        """Give the unit whose turn it is, its pages first and then, read to its end, itself.

        Units planned before it that were not taken are not needed any more.
        """
        wanted = (stream.name, agreement.number)
        while self._begun and wanted in self._begun and next(iter(self._begun)) != wanted:
            self._drop(next(iter(self._begun)))
        if wanted not in self._begun:
            for name in list(self._begun):
                self._drop(name)
            while self._coming:
                planned, whose = self._coming.popleft()
                if (planned.name, whose.number) == wanted:
                    break
            self._start(stream, agreement)
        try:
            yield self._steps(self._begun[wanted])
        finally:
            self._drop(wanted)

    def _steps(self, unit: Unit) -> Iterator[Step | Unit]:
        while True:
            with self._changed:
                self._fill()
                while not (unit.steps or unit.done):
                    self._stop.check()
                    self._changed.wait(_LOOK_EVERY)
                    self._fill()
                step = unit.steps.popleft() if unit.steps else None
                self._changed.notify_all()
            if step is None:
                break
            yield step
        if unit.error is not None:
            raise unit.error
        yield unit

    def _drop(self, name: tuple[str, int]) -> None:
        with self._changed:
            unit = self._begun.pop(name)
            unit.dropped = True
            unit.steps.clear()
            self._changed.notify_all()

    def _fill(self) -> None:
        """Begin the units that may be begun."""
        while self._coming and len(self._begun) < self._most_units:
            stream, agreement = self._coming.popleft()
            if not agreement.refused:
                self._start(stream, agreement)

    def _start(self, stream: Stream, agreement: Agreement) -> None:
        unit = Unit(agreement)
        with self._changed:
            self._begun[stream.name, agreement.number] = unit
        try:
            unit.reading, unit.state = self._begin(stream, agreement)
        except EconomicError as error:
            unit.error, unit.done = error, True
        else:
            self._threads.submit(self._read, unit, unit.reading)

    # In the unit's own thread

    def _read(self, unit: Unit, reading: RepeatedReading) -> None:
        try:
            for context, page in reading.pages():
                beforehand = reading.observe(page.rows, page.clock)
                if not self._hand_over(unit, Step(context, page, dict(unit.state), beforehand)):
                    return
            reading.complete()
        except BaseException as error:  # noqa: BLE001  raised where the unit is written
            unit.error = error
        finally:
            with self._changed:
                unit.done = True
                self._changed.notify_all()

    def _hand_over(self, unit: Unit, step: Step) -> bool:
        """Let a page wait for its turn; return whether the next one is wanted, when it is."""
        with self._changed:
            while len(unit.steps) >= PAGES_AHEAD and not unit.dropped:
                self._stop.check()
                self._changed.wait(_LOOK_EVERY)
            if not unit.dropped:
                unit.steps.append(step)
                self._changed.notify_all()
            while not (unit.dropped or self._may_go_on(unit, step.page)):
                self._stop.check()
                self._changed.wait(_LOOK_EVERY)
            return not unit.dropped

    def _may_go_on(self, unit: Unit, page: Page) -> bool:
        """Whether more than this page may be read: units go on in the order of their turns."""
        if not page.more:
            return True
        most = self._most_long if (page.results or 0) > WORTH_SPLITTING else self._most_going_on
        reading = (other for other in self._begun.values() if not other.done)
        return unit in islice(reading, most)
