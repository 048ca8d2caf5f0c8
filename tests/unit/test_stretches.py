"""Stretches: windows are read at once, so many and so far, and their pages come in order."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

import pytest

from tap_visma_economic.errors import BadAnswerError, Stopped
from tap_visma_economic.key_ranges import KeyRange
from tap_visma_economic.records.pages import Page
from tap_visma_economic.signals import StopFlag
from tap_visma_economic.stretches import FIRST_PAGES, Stretches
from tap_visma_economic.workers import Workers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from concurrent.futures import Future

T = TypeVar("T")

AT_ONCE = 4
MOST = 12


class Threads(Workers):
    """Workers that count who works at the same time."""

    def __init__(self, count: int = 4 * AT_ONCE) -> None:
        super().__init__(StopFlag())
        self.pool = ThreadPoolExecutor(count)

    def submit(self, action: Callable[[], T]) -> Future[T]:
        return self.pool.submit(action)


@dataclass
class Asking:
    """What to ask for in a window of so many pages."""

    key_range: int
    pages: int
    page: int = 1

    def turn(self, page: Page) -> Page:
        self.page += 1
        if page.rows == [{"row": "bad"}]:
            raise BadAnswerError("a page came twice")
        return page

    @property
    def finished(self) -> bool:
        return self.page > self.pages


@dataclass
class Listing:
    """Windows of so many pages each, and what was asked of them.

    Args:
        pages: of each window.
        act: called with window and page before a page is there.
    """

    pages: list[int]
    act: Callable[[int, int], object] = lambda *_: None
    threads: Threads = field(default_factory=Threads)
    fetched: list[tuple[int, int]] = field(default_factory=list)
    at_once: int = 0
    most_at_once: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def key_ranges(self) -> Iterator[KeyRange]:
        return (KeyRange(number, None) for number in range(len(self.pages)))

    def fetch(self, asking: Any) -> Page:
        with self.lock:
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            self.act(asking.key_range, asking.page)
        finally:
            with self.lock:
                self.at_once -= 1
        self.fetched.append((asking.key_range, asking.page))
        return Page([{"window": asking.key_range, "page": asking.page}])

    def read(
        self, key_ranges: Iterable[KeyRange] | None = None, most: int = MOST
    ) -> Iterator[tuple[int, int]]:
        stretches = Stretches(
            self.threads,
            iter(key_ranges or self.key_ranges()),
            lambda key_range: Asking(key_range.above, self.pages[key_range.above]),  # type: ignore[arg-type,return-value]
            self.fetch,
            at_once=AT_ONCE,
            most=most,
        )
        for page in stretches.pages():
            yield page.rows[0]["window"], page.rows[0]["page"]

    @property
    def all(self) -> list[tuple[int, int]]:
        return [(n, page) for n, pages in enumerate(self.pages) for page in range(1, pages + 1)]


def settled(found: Callable[[], object]) -> Any:
    """What is found when it has not changed for a while."""
    before, since = found(), time.monotonic()
    while time.monotonic() - since < 0.3:
        time.sleep(0.02)
        if (now := found()) != before:
            before, since = now, time.monotonic()
    return before


@pytest.mark.parametrize("pages", [[], [1], [3, 1, 4], [1] * 50, [9] * 7, [40, 1, 1, 40]])
@pytest.mark.parametrize("most", [1, 4, MOST])
def test_all_pages_come_in_order(pages: list[int], most: int) -> None:
    listing = Listing(pages, lambda key_range, page: time.sleep((key_range * 7 + page) % 3 * 0.001))
    assert list(listing.read(most=most)) == listing.all


def test_windows_are_read_at_once_as_long_as_there_are_any() -> None:
    together = threading.Barrier(AT_ONCE)
    listing = Listing([5] * 8, lambda n, page: n < AT_ONCE and page == 1 and together.wait(5))
    assert list(listing.read(most=100)) == listing.all
    assert listing.most_at_once == AT_ONCE


def test_who_is_done_with_a_short_window_begins_another() -> None:
    begun = threading.Event()

    def act(key_range: int, page: int) -> None:
        if key_range == 5:
            begun.set()
        if key_range == 0 and page == 2:
            assert begun.wait(5)

    listing = Listing([3, 1, 1, 1, 1, 1], act)
    assert list(listing.read()) == listing.all


@pytest.mark.parametrize("pages", [[50] * 6, [1] * 300, [3, 50, 50, 50, 50]])
def test_pages_that_nobody_takes_are_so_many_and_no_more(pages: list[int]) -> None:
    listing = Listing(pages)
    reading = listing.read()
    next(reading)
    assert MOST <= settled(lambda: len(listing.fetched)) <= 1 + MOST + FIRST_PAGES
    assert listing.at_once == 0, "nobody waits in a worker"
    next(reading)
    assert settled(lambda: len(listing.fetched)) <= 2 + MOST + FIRST_PAGES
    assert list(reading) == listing.all[2:]


def test_whose_turn_it_is_goes_on_however_many_pages_wait() -> None:
    """The others fill what may wait while the first one's first page is on its way."""
    full = threading.Event()
    listing = Listing([30] * 4)

    def act(key_range: int, page: int) -> None:
        if (key_range, page) == (0, 1):
            assert full.wait(5)

    listing.act = act
    reading = listing.read()
    threading.Thread(
        target=lambda: (settled(lambda: len(listing.fetched)), full.set()),  # type: ignore[func-returns-value]
    ).start()
    assert list(reading) == listing.all


def test_an_error_comes_after_the_pages_before_it() -> None:
    def act(key_range: int, page: int) -> None:
        if (key_range, page) == (2, 3):
            raise BadAnswerError("no page")

    listing = Listing([4] * 6, act)
    got: list[tuple[int, int]] = []
    with pytest.raises(BadAnswerError, match="no page"):
        got.extend(listing.read())
    assert got == listing.all[: listing.all.index((2, 3))]


def test_an_error_in_finding_a_window_is_raised_after_the_pages_before_it() -> None:
    def key_ranges() -> Iterator[KeyRange]:
        yield KeyRange(0, None)
        raise BadAnswerError("cannot count")

    listing = Listing([2, 1])
    got: list[tuple[int, int]] = []
    with pytest.raises(BadAnswerError, match="cannot count"):
        got.extend(listing.read(key_ranges()))
    assert got == [(0, 1), (0, 2)]


def test_who_leaves_in_the_middle_ends_the_reading() -> None:
    listing = Listing([500] * 4, lambda *_: time.sleep(0.001))
    reading = listing.read(most=1_000)
    next(reading)
    reading.close()  # type: ignore[attr-defined]
    fetched = len(listing.fetched)
    listing.threads.pool.shutdown()
    assert len(listing.fetched) <= fetched + AT_ONCE


def test_windows_are_found_while_those_before_are_read() -> None:
    found: list[int] = []
    enough = threading.Event()

    def key_ranges() -> Iterator[KeyRange]:
        for number in range(9):
            found.append(number)
            if number == 2 * AT_ONCE - 1:
                enough.set()
            yield KeyRange(number, None)

    listing = Listing([1] * 9, lambda *_: enough.wait(5))
    reading = listing.read(key_ranges())
    next(reading)
    assert enough.is_set()
    assert list(reading) == listing.all[1:]


def test_a_stop_ends_the_wait_for_a_page() -> None:
    begun, free = threading.Event(), threading.Event()

    def act(*_: int) -> None:
        begun.set()
        free.wait(5)

    def stop() -> None:
        begun.wait(5)
        listing.threads.stop.finish()

    listing = Listing([1], act)
    threading.Thread(target=stop).start()
    with pytest.raises(Stopped):
        list(listing.read())
    free.set()
