"""Nights: a warehouse that is loaded run after run, some of them ended, some amid bookings."""

from __future__ import annotations

import datetime as dt
import os
import signal
import threading
from typing import TYPE_CHECKING, Any

from tests.conftest import WarmTapRunner
from tests.sandbox.grants import Grant
from tests.sandbox.server import Sandbox
from tests.support import Watched
from tests.warehouse import Warehouse

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from typing_extensions import Self

    from tests.sandbox.company import Company

CODES = {signal.SIGKILL: -9, signal.SIGTERM: 143, signal.SIGINT: 130}


class Meddler(WarmTapRunner):
    """Runs the tap, and does things when a request comes in: the first, the second..."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._plans: dict[int, list[Callable[[], object]]] = {}
        self._requests = 0
        self._running = threading.Event()
        self._pid = 0

    def plan(self, request: int, does: Callable[[], object]) -> None:
        """Let something happen in the next run, before so many requests are answered."""
        self._plans.setdefault(request, []).append(does)

    def send(self, number: signal.Signals) -> None:
        """Send the running tap a signal."""
        assert self._running.wait(10)
        os.kill(self._pid, number)

    def asked(self, _: str) -> None:
        """A request has come in."""
        self._requests += 1
        for does in self._plans.pop(self._requests, ()):
            does()

    def began(self, pid: int) -> None:
        """The tap is running."""
        self._pid = pid
        self._running.set()

    def execute(self, arguments: list[str], env: dict[str, str]) -> tuple[int, bytes, bytes]:
        """Run a command line and return its exit code, stdout and stderr."""
        self._requests = 0
        self._running.clear()
        try:
            return super().execute(arguments, env)
        finally:
            self._plans.clear()


class Nights(Warehouse):
    """A warehouse over a sandbox of its own. Use it as a context manager.

    Args:
        folder: where the tap runs.
        company: the company behind the grant.
        clock: what time it is, in seconds since the epoch.
        streams: what is selected.
        settings: further settings of the tap.
    """

    def __init__(
        self,
        folder: Path,
        company: Company,
        clock: Callable[[], float],
        *streams: str,
        **settings: Any,
    ) -> None:
        self.tap = Meddler(folder)
        self.sandbox = Sandbox({"demo": Grant(Watched(company, self.tap.asked))}, clock=clock)
        # One request at a time, so that what is done on a request is done between two answers.
        settings = {"concurrency": 1, **settings}
        super().__init__(self.tap, self.sandbox, company, *streams, **settings)

    def __enter__(self) -> Self:
        self.sandbox.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.sandbox.close()

    def run_and_end(self, number: signal.Signals, request: int) -> bool:
        """Begin a run and end it at a request; returns whether it had come that far."""
        self.tap.plan(request, lambda: self.tap.send(number))
        run = self.take(self.read(code=None))
        assert run.exit_code in {0, CODES[number]}, run.stderr
        return run.exit_code != 0

    def pass_time(self, days: float) -> None:
        """Let the state be so many days older, for the tap tells days by the real clock."""
        for bookmark in (self.state or {}).get("bookmarks", {}).values():
            for partition in bookmark.get("partitions", []):
                if partition.get("full_read_at"):
                    at = dt.datetime.fromisoformat(partition["full_read_at"].replace("Z", "+00:00"))
                    at -= dt.timedelta(days=days)
                    partition["full_read_at"] = f"{at:%Y-%m-%dT%H:%M:%SZ}"
