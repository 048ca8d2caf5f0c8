"""The two servers as processes: started, told what to be, asked what they saw, ended."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode
from urllib.request import ProxyHandler, build_opener

from bench.contenders import ROOT
from bench.measure import FailedError

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self

_PATIENCE = 10
"""Seconds that a server is given to end."""


class _Process:
    def __init__(self, module: str, *arguments: str) -> None:
        self._process = subprocess.Popen(  # noqa: S603  the commands are the bench's own
            [sys.executable, "-m", module, *arguments],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.url: str = self._line()["url"]

    def _line(self) -> Any:
        line = self._process.stdout.readline() if self._process.stdout else ""
        if not line:
            raise FailedError("a server of the bench ended")
        return json.loads(line)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._process.terminate()
        self._process.communicate(timeout=_PATIENCE)


class FastServer(_Process):
    """`bench.server`: two long listings, ready-made.

    Args:
        rows: the most rows that a company can have.
    """

    def __init__(self, rows: int) -> None:
        super().__init__("bench.server", "--rows", str(rows))
        self._open = build_opener(ProxyHandler({})).open

    def begin(self, **scenario: float) -> None:
        """Be another company from now on: see `server.Scenario`."""
        self._scenario(f"?{urlencode(scenario)}")

    def asked(self) -> Any:
        """Return what was asked of it: see `server.Asked`.

        Raises:
            FailedError: there were requests that it did not understand.
        """
        asked = self._scenario("")
        if asked["unserved"]:
            raise FailedError(f"the bench server does not serve {asked['unserved'][0]}")
        return asked

    def _scenario(self, query: str) -> Any:
        with self._open(f"{self.url}/bench/scenario{query}") as answer:
            return json.load(answer)


class Companies(_Process):
    """`bench.companies`: the sandbox, with one small company as `demo` and more beside it.

    Args:
        agreements: how many companies more, as `company-1` and so on.
    """

    def __init__(self, agreements: int) -> None:
        super().__init__("bench.companies", "--agreements", str(agreements))

    def begin(self, latency: float) -> Any:
        """Answer late from now on, and return what was asked so far: see `companies`."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"latency": latency}) + "\n")
        self._process.stdin.flush()
        return self._line()
