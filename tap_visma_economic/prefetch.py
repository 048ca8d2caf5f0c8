"""Ordered read-ahead: pages are requested before their turn, and handed over in order.

A chain is an iterator that requests pages as it is advanced. Each runs in a thread, may block
anywhere, and may read other chains (`ordered`): a partition reads the listings below its parents,
and a listing reads key ranges. The chains form a tree. Its leaves, from left to right, are the
output, so the position of a chain is also its priority. What is read never depends on how far ahead
it is read.

Memory is bounded by pages: a chain acquires room before it requests a page (`room`), and releases
it when the page has been written. The partition being written may hold `CURRENT_PAGES` for each
request of an agreement, all partitions together `PAGES` for each request in flight and `MIN_OPEN`
more: 64 for one agreement with 4 requests. Each level of the tree may hold one page more, and a
shared listing (`SingleFlight`) is held while it is read.

Nothing can deadlock. The page that the output is waiting for always has room, whatever the others
hold; a thread that holds a request slot waits only for the response; and a listing that several
chains wait for is read as a tree of its own.

This is the only module that starts threads.
"""

from __future__ import annotations

import heapq
import threading
from bisect import insort
from collections import deque
from collections.abc import Callable, Generator, Hashable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Generic, TypeVar

from tap_visma_economic.errors import Stopped
from tap_visma_economic.signals import StopFlag

A = TypeVar("A")
K = TypeVar("K")
T = TypeVar("T")

PAGES = 14
"""Pages held for each request that may be in flight, all partitions together."""

CURRENT_PAGES = 10
"""Of these, pages of the partition being written, for each request of an agreement: the eight of a
key range, and two more, because ranges read at the same time end at about the same time."""

OPEN = 2
"""Partitions open for each request that may be in flight: most are a single page."""

MIN_OPEN = 8
"""Partitions open beyond those."""

_POLL = 0.1
"""Seconds between two checks for a stop."""

_THREAD_POLL = 0.5
"""The same in the many threads that read ahead, which end after the run has stopped."""

MAX_READERS = 250
"""Running chains above which partitions other than the current one read one chain at a time. No
chain ever waits for a thread, because its reader could be waiting for that chain."""


class Abandoned(Stopped):
    """The rest of a chain is no longer needed."""


@dataclass(eq=False)
class _Tree:
    """The chains of a partition: the pages they hold, and the chains that wait for room."""

    held: int = 0
    waiting: list[_Chain] = field(default_factory=list)


@dataclass(eq=False)
class _Group:
    """Chains whose pages one thread takes, one chain after the other."""

    owner: _Chain | None
    tree: _Tree
    sources: Iterator[Iterator[Any]]
    position: tuple[int, ...]
    changed: threading.Condition
    next_source: threading.Lock = field(default_factory=threading.Lock)
    chains: deque[_Chain] = field(default_factory=deque)
    started: int = 0
    exhausted: bool = False
    abandoned: bool = False

    @property
    def unwanted(self) -> bool:
        return self.abandoned or (self.owner is not None and self.owner.group.unwanted)


@dataclass(eq=False)
class _Chain:
    group: _Group
    position: tuple[int, ...]
    pages: deque[Any] = field(default_factory=deque)
    in_hand: bool = False  # has room for a page that is not among `pages`
    done: bool = False
    error: BaseException | None = None
    granted: threading.Event | None = None

    def __lt__(self, other: _Chain) -> bool:
        return self.position < other.position

    @property
    def awaited(self) -> bool:
        """Whether the output waits for its page: nothing is buffered from here to the root."""
        if self.pages or self.group.chains[0] is not self:
            return False
        return self.group.owner is None or self.group.owner.awaited


class Prefetcher:
    """Reads chains of pages before their turn.

    Args:
        stop: ends every wait when the run is stopped.
        requests: maximum requests in flight.
        concurrency: maximum requests in flight for one agreement.
    """

    def __init__(self, stop: StopFlag, *, requests: int, concurrency: int) -> None:
        self.stop = stop
        self._max_open = OPEN * requests + MIN_OPEN
        self._current_pages = CURRENT_PAGES * concurrency
        self._pages_in_all = (PAGES - OPEN) * requests  # but for the first of each that is open
        self._threads = ThreadPoolExecutor(1_000_000, thread_name_prefix="prefetch")
        self._lock = threading.Lock()
        self._local = threading.local()
        self._planned: deque[tuple[Hashable, Callable[[], Iterator[Any]]]] = deque()
        self._open: dict[Hashable, _Group] = {}
        self._places = count()
        self._readers = 0

    # Partitions: for the main thread

    def plan(self, partitions: Iterable[tuple[Hashable, Callable[[], Iterator[Any]]]]) -> None:
        """Set the partitions to come, in order: a key, and a function that returns the pages."""
        self._planned = deque(partitions)

    @contextmanager
    def partition(self, key: Hashable, begin: Callable[[], Iterator[T]]) -> Iterator[Iterator[T]]:
        """Return the pages of the partition whose turn it is; those before it are unwanted now."""
        for other in list(self._open):
            if other == key:
                break
            self._close(other)
        if key not in self._open:
            while self._planned and self._planned.popleft()[0] != key:
                pass
            self._begin(key, begin)
        while self._planned and len(self._open) < self._max_open:
            self._begin(*self._planned.popleft())
        try:
            yield self._pages(self._open[key])
        finally:
            self._close(key)

    def _begin(self, key: Hashable, begin: Callable[[], Iterator[Any]]) -> None:
        try:
            pages = begin()
        except Exception as error:  # noqa: BLE001  raised in its turn
            pages = _failed(error)
        group = self._group(None, iter([pages]), (next(self._places),))
        with self._lock:
            self._open[key] = group
        self._submit(group)

    def _close(self, key: Hashable) -> None:
        with self._lock:
            self._abandon(self._open.pop(key))

    # Any thread

    def ordered(self, chains: Iterable[Iterator[T]], *, at_once: int) -> Iterator[T]:
        """Yield the pages of chains in order, reading several chains at once.

        The iterable itself is advanced in the threads that read, by one at a time.

        Args:
            chains: what to read.
            at_once: maximum chains read at the same time.
        """
        here = self._here()
        if at_once == 1 or self._is_crowded(here):
            for chain in chains:
                yield from chain
            return
        group = self._group(here, iter(chains), here.position if here else ())
        for _ in range(at_once + 1):  # one more, which may be advancing the iterable
            self._submit(group)
        try:
            yield from self._pages(group)
        finally:
            with self._lock:
                self._abandon(group)

    def outcomes(
        self, action: Callable[[A], T], items: Iterable[A], *, at_once: int
    ) -> Iterator[tuple[A, Callable[[], T]]]:
        """Yield each item with a function that returns the action's result or raises its error."""

        def outcome(item: A) -> Iterator[tuple[A, Callable[[], T]]]:
            future: Future[T] = Future()
            try:
                future.set_result(action(item))
            except Exception as error:  # noqa: BLE001  raised where the outcome is needed
                future.set_exception(error)
            yield item, future.result

        return self.ordered(map(outcome, items), at_once=at_once)

    def room(self) -> None:
        """Wait until the chain that runs in this thread may hold one more page.

        Raises:
            Abandoned: the page is no longer needed.
        """
        chain = self._here()
        if chain is None:
            return
        with self._lock:
            if not self._take_room(chain):
                chain.granted = threading.Event()
                insort(chain.group.tree.waiting, chain)
        if chain.granted:
            self.wait(chain.granted)
        self.check()

    @contextmanager
    def apart(self) -> Iterator[None]:
        """Give what this block reads a tree of its own."""
        here, self._local.chain = self._here(), None
        try:
            yield
        finally:
            self._local.chain = here

    @property
    def position(self) -> tuple[int, ...]:
        """The position in the output of the chain that runs in this thread."""
        here = self._here()
        return here.position if here else ()

    def check(self) -> None:
        """Raise `Stopped` or `Abandoned` if the chain that runs in this thread has to end."""
        self.stop.check()
        here = self._here()
        if here and here.group.unwanted:
            raise Abandoned

    def wait(self, event: threading.Event) -> None:
        """Wait for an event, unless the run is stopped."""
        while not event.wait(self._poll):
            self.stop.check()

    def _is_crowded(self, here: _Chain | None) -> bool:
        if here is None or self._readers < MAX_READERS:
            return False
        with self._lock:
            return here.group.tree in [group.tree for group in self._open.values()][1:]

    def _submit(self, group: _Group) -> None:
        with self._lock:
            self._readers += 1
        self._threads.submit(self._work, group)

    @property
    def _poll(self) -> float:
        return _THREAD_POLL if self._here() else _POLL

    def _here(self) -> _Chain | None:
        return getattr(self._local, "chain", None)

    def _group(
        self, owner: _Chain | None, sources: Iterator[Any], position: tuple[int, ...]
    ) -> _Group:
        tree = owner.group.tree if owner else _Tree()
        return _Group(owner, tree, sources, position, threading.Condition(self._lock))

    # Taking pages

    def _pages(self, group: _Group) -> Iterator[Any]:
        while True:
            with self._lock:
                chain = self._wait_for_page(group)
                if chain is None:
                    return
                page = chain.pages.popleft()
                self._remove_if_read(chain)
                if group.owner and not group.owner.in_hand:
                    group.owner.in_hand = True  # the page moves up with its room
                else:
                    group.tree.held -= 1
                self._give_room(group.tree)
            yield page

    def _wait_for_page(self, group: _Group) -> _Chain | None:
        """Return the chain that has the next page, None if there are no more."""
        while True:
            chain = group.chains[0] if group.chains else None
            if chain and chain.pages:
                return chain
            if chain and chain.error:
                raise chain.error
            if chain is None and group.exhausted:
                return None
            self.check()
            group.changed.wait(self._poll)

    # With the lock held

    def _abandon(self, group: _Group) -> None:
        group.abandoned = True
        for chain in group.chains:
            group.tree.held -= len(chain.pages)
            chain.pages.clear()
        self._give_room(group.tree)

    def _remove_if_read(self, chain: _Chain) -> None:
        if chain.done and not chain.pages and not chain.error:
            chain.group.chains.remove(chain)

    def _give_room(self, tree: _Tree) -> None:
        """Wake the chains that may hold one more page, after a tree has released some."""
        self._wake(tree)
        current, *others = [group.tree for group in self._open.values()] or [tree]
        if current.waiting:
            self._wake(current)
        for one in (other for other in others if other.waiting):
            if not self._has_room(one):
                break  # nor has any behind it
            self._wake(one)

    def _wake(self, tree: _Tree) -> None:
        for chain in list(tree.waiting):
            if self._take_room(chain):
                tree.waiting.remove(chain)
                assert chain.granted  # noqa: S101  it waits
                chain.granted.set()

    def _take_room(self, chain: _Chain) -> bool:
        tree = chain.group.tree
        if chain.in_hand or chain.group.unwanted or chain.awaited or self._has_room(tree):
            self._hold(chain)
            return True
        return False

    def _has_room(self, tree: _Tree) -> bool:
        """Return whether the limits let a tree hold one more page."""
        current, *others = [group.tree for group in self._open.values()] or [tree]
        if tree not in others:
            return tree.held < self._current_pages
        held = max(current.held, self._current_pages)
        return held + sum(max(other.held - 1, 0) for other in others) < self._pages_in_all

    def _hold(self, chain: _Chain) -> None:
        chain.group.tree.held += not chain.in_hand
        chain.in_hand = True

    # In a thread of the pool

    def _work(self, group: _Group) -> None:
        """Read chains of a group, one after the other."""
        while not (group.exhausted or group.unwanted):
            with group.next_source:
                chain = self._start(group)
                try:
                    pages = next(group.sources, None)
                except BaseException as error:  # noqa: BLE001  raised after the chains before it
                    pages = _failed(error)
                if pages is None:
                    group.exhausted = True
            self._read(chain, pages or iter(()))
            self._finish(chain)
        with self._lock:
            self._readers -= 1

    def _start(self, group: _Group) -> _Chain:
        with self._lock:
            chain = self._local.chain = _Chain(group, (*group.position, group.started))
            group.started += 1
            group.chains.append(chain)
            return chain

    def _read(self, chain: _Chain, pages: Iterator[Any]) -> None:
        try:
            for page in pages:
                with self._lock:
                    self.check()
                    self._hold(chain)
                    chain.in_hand = False
                    chain.pages.append(page)
                    chain.group.changed.notify_all()
        except BaseException as error:  # noqa: BLE001  raised where the page is missing
            chain.error = error
            chain.group.exhausted = True
            if isinstance(pages, Generator):  # which closes the chains that it reads
                pages.close()

    def _finish(self, chain: _Chain) -> None:
        self._local.chain = None
        with self._lock:
            chain.group.tree.held -= chain.in_hand
            chain.in_hand, chain.done = False, True
            self._remove_if_read(chain)
            chain.group.changed.notify_all()
            self._give_room(chain.group.tree)


class Slots:
    """A semaphore for requests; of those waiting, the one whose page comes first goes first.

    Args:
        prefetcher: knows the position of the chain in each thread.
        number: the number of slots.
    """

    def __init__(self, prefetcher: Prefetcher, number: int) -> None:
        self.prefetcher = prefetcher
        self._free = number
        self._lock = threading.Lock()
        self._waiting: list[tuple[tuple[int, ...], int, threading.Event]] = []
        self._arrivals = count()

    @contextmanager
    def one(self) -> Iterator[None]:
        """Hold a slot.

        Raises:
            Abandoned: the page is no longer needed.
        """
        given = threading.Event()
        with self._lock:
            if self._free:
                self._free -= 1
                given.set()
            else:
                place = (self.prefetcher.position, next(self._arrivals), given)
                heapq.heappush(self._waiting, place)
        self.prefetcher.wait(given)
        try:
            self.prefetcher.check()
            yield
        finally:
            with self._lock:
                if self._waiting:
                    heapq.heappop(self._waiting)[2].set()
                else:
                    self._free += 1


class SingleFlight(Generic[K, T]):
    """A cache: the first thread that needs a value computes it, and the others wait.

    Args:
        prefetcher: gives what a value reads a tree of its own.
    """

    def __init__(self, prefetcher: Prefetcher) -> None:
        self._prefetcher = prefetcher
        self._found: dict[K, Future[T]] = {}
        self._lock = threading.Lock()

    def get(self, key: K, find: Callable[[], T]) -> T:
        """Return the value of a key; the first caller computes it.

        An error is raised in all threads that wait, and not cached.
        """
        with self._lock:
            first = key not in self._found
            future: Future[T] = self._found.setdefault(key, Future())
        if first:
            try:
                with self._prefetcher.apart():
                    future.set_result(find())
            except BaseException as error:
                with self._lock:
                    self._found.pop(key, None)
                future.set_exception(error)
                raise
        return self._prefetcher.stop.result(future)

    def forget(self, which: Callable[[K], bool]) -> None:
        """Remove the values of these keys."""
        with self._lock:
            for key in [key for key in self._found if which(key)]:
                del self._found[key]


def _failed(error: BaseException) -> Iterator[Any]:
    raise error
    yield
