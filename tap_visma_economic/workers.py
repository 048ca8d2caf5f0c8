"""Work in worker threads, waited for as long as the run is not to stop."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections import deque
from concurrent.futures import Future
from functools import partial
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from tap_visma_economic.signals import StopFlag

A = TypeVar("A")
K = TypeVar("K")
T = TypeVar("T")


class Workers(ABC):
    """Threads that actions can be given to.

    Args:
        stop: ends every wait when the run is asked to stop.
    """

    def __init__(self, stop: StopFlag) -> None:
        self.stop = stop

    @abstractmethod
    def submit(self, action: Callable[[], T]) -> Future[T]:
        """Run an action in a thread."""

    def run(self, action: Callable[[], T]) -> T:
        """Run one action in a thread, and wait for it."""
        return self.stop.result(self.submit(action))

    def ahead(
        self, items: Iterable[A], action: Callable[[A], T], *, count: int
    ) -> Iterator[tuple[A, Callable[[], T]]]:
        """Run an action on each item, up to `count` items ahead, and yield outcomes in order.

        Yields:
            Each item with a function that returns the action's result or raises its error.
        """
        waiting: deque[tuple[A, Future[T]]] = deque()
        try:
            for item in items:
                waiting.append((item, self.submit(partial(action, item))))
                if len(waiting) >= count:
                    yield self._outcome(*waiting.popleft())
            while waiting:
                yield self._outcome(*waiting.popleft())
        finally:  # whoever gave up does not need the rest
            for _, future in waiting:
                future.cancel()

    def _outcome(self, item: A, future: Future[T]) -> tuple[A, Callable[[], T]]:
        return item, partial(self.stop.result, future)


class SingleFlight(Generic[K, T]):
    """What several threads may ask for, and one of them finds out.

    Args:
        stop: ends every wait when the run is asked to stop.
    """

    def __init__(self, stop: StopFlag) -> None:
        self._stop = stop
        self._found: dict[K, Future[T]] = {}
        self._lock = threading.Lock()

    def get(self, name: K, find: Callable[[], T]) -> T:
        """Return what is known by a name; the first to ask finds it out.

        An error is raised in all threads that wait for it, and then forgotten.
        """
        with self._lock:
            found = self._found.get(name)
            first = found is None
            future: Future[T] = found or Future()
            self._found[name] = future
        if first:
            try:
                future.set_result(find())
            except BaseException as error:
                with self._lock:
                    self._found.pop(name, None)
                future.set_exception(error)
                raise
        return self._stop.result(future)

    def forget(self, which: Callable[[K], bool]) -> None:
        """Let what goes by these names be found out anew."""
        with self._lock:
            for name in [name for name in self._found if which(name)]:
                del self._found[name]
