"""Stopping: a signal raises a flag, and whoever waits or turns a page looks at it."""

from __future__ import annotations

import contextlib
import signal
import time
from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import TYPE_CHECKING, TypeVar

from tap_visma_economic.errors import Stopped

if TYPE_CHECKING:
    from collections.abc import Iterator
    from concurrent.futures import Future
    from types import FrameType

T = TypeVar("T")

_LOOK_EVERY = 0.1
"""Seconds between two looks at the flag while waiting."""

SAME_STOP = 2.0
"""Seconds in which another signal is the same stop: `meltano run` sends the tap a SIGTERM when it
gets one itself, or Ctrl-C, although the system has already sent that to the whole process group."""


class StopFlag:
    """Raised by SIGINT or SIGTERM; every wait in the tap ends when it is up.

    A plain attribute, because a signal handler may interrupt any line of the main thread and a
    lock taken there could be one that the same thread already holds.
    """

    def __init__(self) -> None:
        self.signum: int | None = None
        self._since = 0.0
        self._over = False

    def finish(self) -> None:
        """End all waits: nobody needs any more what they are for."""
        self._over = True

    def listen(self) -> None:
        """Let SIGINT and SIGTERM raise this flag; a later signal ends the process at once."""
        signal.signal(signal.SIGINT, self._on_signal)
        signal.signal(signal.SIGTERM, self._on_signal)

    def _on_signal(self, signum: int, frame: FrameType | None) -> None:  # noqa: ARG002
        now = time.monotonic()
        if self.signum is None:
            self.signum, self._since = signum, now
        elif now - self._since > SAME_STOP:
            signal.signal(signum, signal.SIG_DFL)
            signal.raise_signal(signum)

    def check(self) -> None:
        """Raise `Stopped` if the flag is up."""
        if self.signum is not None or self._over:
            raise Stopped

    def sleep(self, seconds: float) -> None:
        """Wait, unless the flag is or goes up."""
        end = time.monotonic() + seconds
        self.check()
        while (left := end - time.monotonic()) > 0:
            time.sleep(min(left, _LOOK_EVERY))
            self.check()

    def result(self, future: Future[T]) -> T:
        """Wait for a future's result, unless the flag is or goes up."""
        while True:
            self.check()
            try:
                return future.result(timeout=_LOOK_EVERY)
            except FutureTimeoutError:
                if future.done():  # it ended at this very moment, or with a timeout of its own
                    return future.result()


@contextlib.contextmanager
def signals_wait() -> Iterator[None]:
    """Keep SIGINT and SIGTERM until the end of a block.

    For the SDK's constructor: it sets handlers that end the process with exit code 0. What came
    meanwhile meets the handlers set inside the block.
    """
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
