"""SIGINT and SIGTERM: they raise a flag that every wait and every page checks."""

from __future__ import annotations

import contextlib
import signal
import time
from collections.abc import Iterator
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from types import FrameType
from typing import TypeVar

from tap_visma_economic.errors import Stopped

T = TypeVar("T")

_LOOK_EVERY = 0.1
"""Seconds between checks of the flag while waiting."""

SAME_STOP = 2.0
"""Seconds in which a second signal is the same stop: on SIGTERM or Ctrl-C `meltano run` sends
the tap a SIGTERM, although the system has already signalled the whole process group."""


class StopFlag:
    """Raised by SIGINT or SIGTERM, which ends every wait in the tap.

    A plain attribute without a lock: the signal handler may interrupt the main thread while it
    holds that lock.
    """

    def __init__(self) -> None:
        self.signum: int | None = None
        self._since = 0.0
        self._over = False

    def finish(self) -> None:
        """End all waits, because the run is over."""
        self._over = True

    def listen(self) -> None:
        """Let SIGINT and SIGTERM raise this flag. A later signal ends the process at once."""
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
        """Raise `Stopped` if the flag is raised."""
        if self.signum is not None or self._over:
            raise Stopped

    def sleep(self, seconds: float) -> None:
        """Sleep until the flag is raised."""
        end = time.monotonic() + seconds
        self.check()
        while (left := end - time.monotonic()) > 0:
            time.sleep(min(left, _LOOK_EVERY))
            self.check()

    def result(self, future: Future[T]) -> T:
        """Return a future's result, waiting for it until the flag is raised."""
        while True:
            self.check()
            try:
                return future.result(timeout=_LOOK_EVERY)
            except FutureTimeoutError:
                if future.done():  # it has just ended, or it failed with a TimeoutError
                    return future.result()


@contextlib.contextmanager
def signals_wait() -> Iterator[None]:
    """Defer SIGINT and SIGTERM to the end of a block, and to the handlers set in it.

    For the SDK's constructor, whose own handlers end the process with exit code 0.
    """
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
