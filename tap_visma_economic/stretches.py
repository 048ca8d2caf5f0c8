"""Stretches: several windows of a listing read at once, their pages handed over in order.

A worker reads a window page after page, and whoever is done with one begins another, as long as
not too many pages wait for those before them. Nobody waits in a worker: who may not go on leaves
it, and is sent for again when a page has been taken.
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from concurrent.futures import Future

    from tap_visma_economic.key_ranges import KeyRange
    from tap_visma_economic.pagination import Paginator
    from tap_visma_economic.records.pages import Page
    from tap_visma_economic.workers import Workers

FIRST_PAGES = 2
"""Pages of the stretch whose turn it is that may wait, however many others do."""

_LOOK_EVERY = 0.1
"""Seconds between two looks at whether the run is to stop."""


@dataclass(eq=False)
class _Stretch:
    paginator: Paginator
    pages: deque[Page] = field(default_factory=deque)
    busy: bool = False
    done: bool = False
    error: BaseException | None = None


class Stretches:
    """Reads the windows of a listing. It is used once, by one thread.

    Args:
        workers: who reads.
        key_ranges: what is to be read; found in a worker, as many beforehand as are read at once.
        begin: returns what to ask for in a window.
        fetch: asks for a page.
        at_once: windows that are read at the same time.
        most: pages that may wait or be on their way, but for `FIRST_PAGES`.
    """

    def __init__(
        self,
        workers: Workers,
        key_ranges: Iterator[KeyRange],
        begin: Callable[[KeyRange], Paginator],
        fetch: Callable[[Paginator], Page],
        *,
        at_once: int,
        most: int,
    ) -> None:
        self._workers = workers
        self._windows = key_ranges
        self._begin = begin
        self._fetch = fetch
        self._at_once = at_once
        self._most = most
        self._changed = threading.Condition()
        self._open: deque[_Stretch] = deque()
        self._found: deque[KeyRange] = deque()
        self._coming: Future[KeyRange | None] | None = None
        self._all_found = False
        self._waiting = 0
        self._busy = 0
        self._left = False

    def pages(self) -> Iterator[Page]:
        """Yield the pages of all windows in order."""
        self._look_ahead()
        try:
            while (page := self._take()) is not None:
                yield page
        finally:
            self._left = True

    def _take(self) -> Page | None:
        with self._changed:
            while True:
                first = self._open[0] if self._open else None
                if first is None and not self._found:
                    if self._coming is None:
                        return None
                    if self._coming.done():
                        self._coming.result()  # raises what it failed of
                if first is not None and first.pages:
                    self._waiting -= 1
                    page = first.pages.popleft()
                    self._go_on()
                    return page
                if first is not None and first.done:
                    if first.error is not None:
                        raise first.error
                    self._open.popleft()
                    self._go_on()
                    continue
                self._workers.stop.check()
                self._changed.wait(_LOOK_EVERY)

    def _go_on(self) -> None:
        """Send for what may be read now: stretches that had to wait first, then new ones."""
        if self._left:
            return
        for stretch in self._open:
            if not (stretch.busy or stretch.done) and self._may_go_on(stretch, self._busy + 1):
                self._start(stretch)
        while (
            self._found and self._busy < self._at_once and self._waiting + self._busy < self._most
        ):
            stretch = _Stretch(self._begin(self._found.popleft()))
            self._open.append(stretch)
            self._start(stretch)
        self._look_ahead()

    def _may_go_on(self, stretch: _Stretch, busy: int) -> bool:
        its_turn = stretch is self._open[0] and len(stretch.pages) < FIRST_PAGES
        return not self._left and (its_turn or self._waiting + busy <= self._most)

    def _start(self, stretch: _Stretch) -> None:
        stretch.busy = True
        self._busy += 1
        self._workers.submit(partial(self._read, stretch))

    def _look_ahead(self) -> None:
        """Have windows found beforehand, one after the other."""
        with self._changed:
            if self._coming is None and not self._all_found and len(self._found) < self._at_once:
                self._coming = self._workers.submit(partial(next, self._windows, None))
                self._coming.add_done_callback(self._look)

    def _look(self, coming: Future[KeyRange | None]) -> None:
        """Take note of a window that was found; an error stays until it is its turn."""
        with self._changed:
            if not coming.cancelled() and coming.exception() is None:
                self._coming = None
                key_range = coming.result()
                if key_range is None:
                    self._all_found = True
                else:
                    self._found.append(key_range)
                self._go_on()
            self._changed.notify_all()

    # In a worker

    def _read(self, stretch: _Stretch) -> None:
        try:
            while not self._left:
                page = stretch.paginator.turn(self._fetch(stretch.paginator))
                with self._changed:
                    stretch.pages.append(page)
                    self._waiting += 1
                    self._changed.notify_all()
                if stretch.paginator.finished:
                    stretch.done = True
                    return
                with self._changed:
                    if not self._may_go_on(stretch, self._busy):
                        return
        except BaseException as error:  # noqa: BLE001  raised where the page is missing
            stretch.error, stretch.done = error, True
        finally:
            with self._changed:
                stretch.busy = False
                self._busy -= 1
                self._go_on()
                self._changed.notify_all()
