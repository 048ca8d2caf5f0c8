"""Nights: a warehouse that is loaded run after run, some of them ended, some amid bookings."""

from __future__ import annotations

import datetime as dt
import os
import signal
import threading
import time
from typing import TYPE_CHECKING, Any

from tests.conftest import WarmTapRunner
from tests.sandbox.grants import Grant
from tests.sandbox.server import Sandbox
from tests.support import Watched
from tests.warehouse import Warehouse, key_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from typing_extensions import Self

    from tests.conftest import Run
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

    With ACTIVATE_VERSION it deletes rows, as hard-deleting targets do.

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
        self._versions: dict[str, dict[tuple[str, ...], int | None]] = {s: {} for s in streams}
        self._versioned = bool(settings.get("emit_activate_version_messages"))

    def __enter__(self) -> Self:
        self.sandbox.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.sandbox.close()

    def run(self, *, breaks: bool = False) -> Run:
        """Run the tap once and load what it emits; `breaks` says that it is meant to fail."""
        self._await_a_version()
        return super().run(breaks=breaks)

    def run_and_cut(self, cut: Callable[[list[Any]], int]) -> int:
        """Run the tap, and load its output as if it had been killed; see the base class."""
        self._await_a_version()
        return super().run_and_cut(cut)

    def run_and_end(self, number: signal.Signals, request: int) -> bool:
        """Begin a run and end it at a request; returns whether it had come that far."""
        self._await_a_version()
        self.tap.plan(request, lambda: self.tap.send(number))
        run = self._tap(self._config, catalog=self._catalog, state=self.state)
        assert run.exit_code in {0, CODES[number]}, run.stderr
        self.take(run)
        return run.exit_code != 0

    def take(self, run: Run) -> None:
        """Load what a run emitted, as far as it came; rows of other versions go when told."""
        super().take(run)
        for message in run.messages:
            stream = message.get("stream", "")
            if message["type"] == "RECORD" and self._versioned:
                key = key_of(stream, message["record"])
                self._versions[stream][key] = message.get("version")
            elif message["type"] == "ACTIVATE_VERSION":
                old = self._versions[stream]
                for key in [key for key in old if old[key] != message["version"]]:
                    del old[key], self.tables[stream][key]

    def _await_a_version(self) -> None:
        """A version is a second: two runs in the same one cannot be told apart."""
        if self._versioned:
            time.sleep(1 - time.time() % 1)

    def pass_time(self, days: float) -> None:
        """Let the state be so many days older, for the tap tells days by the real clock."""
        for bookmark in (self.state or {}).get("bookmarks", {}).values():
            for partition in bookmark.get("partitions", []):
                if partition.get("full_read_at"):
                    at = dt.datetime.fromisoformat(partition["full_read_at"].replace("Z", "+00:00"))
                    at -= dt.timedelta(days=days)
                    partition["full_read_at"] = f"{at:%Y-%m-%dT%H:%M:%SZ}"
