"""Run a command to its end and tell what it cost: time, CPU, memory, what it wrote.

The command's output goes through a pipe into this process, as into a target, which counts the
RECORD messages in it and throws them away. `launch` starts the command and looks at the clock.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

_MARK = b'"RECORD"'
_CHUNK = 1 << 20
_LAUNCH = Path(__file__).with_name("launch.py")


class FailedError(Exception):
    """A command that is measured did not do its work."""


@dataclass(frozen=True)
class Measured:
    """One run of a command.

    Args:
        seconds: from its start to its end, Python's start included.
        first: from its start to its first byte of output; None if it wrote nothing.
        cpu: seconds of CPU, its own and the kernel's for it.
        rss: the most memory it held at a time, in bytes.
        records: RECORD messages that it wrote.
        written: bytes that it wrote.
        log: what it wrote to stderr.
    """

    seconds: float
    first: float | None
    cpu: float
    rss: int
    records: int
    written: int
    log: str


class Sink:
    """Counts RECORD messages in a stream of bytes."""

    def __init__(self) -> None:
        self.records = 0
        self.written = 0
        self._left = b""

    def take(self, data: bytes) -> None:
        """Count what begins in these bytes or before; a mark may lie across two takings."""
        self.written += len(data)
        self._left += data
        self.records += self._left.count(_MARK)
        self._left = self._left[-(len(_MARK) - 1) :]


def run(
    command: Sequence[str],
    *,
    folder: Path,
    env: Mapping[str, str] | None = None,
    keep: Callable[[bytes], Any] | None = None,
) -> Measured:
    """Run a command to its end.

    Args:
        command: what to run.
        folder: where.
        env: environment variables beside those of this process.
        keep: is given the output too.

    Raises:
        FailedError: it ended with another exit code than 0.
    """
    sink = Sink()
    first: float | None = None
    reading, writing = os.pipe()
    launcher = [sys.executable, "-I", "-S", str(_LAUNCH), str(writing)]
    with os.fdopen(reading, "rb") as told, tempfile.TemporaryFile() as log:
        with subprocess.Popen(  # noqa: S603  the commands are the bench's own
            [*launcher, *command],
            cwd=folder,
            env={**os.environ, **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            pass_fds=[writing],
        ) as started:
            os.close(writing)
            output = started.stdout
            assert output is not None
            while data := os.read(output.fileno(), _CHUNK):
                first = first or time.perf_counter()
                sink.take(data)
                if keep:
                    keep(data)
        usage = json.loads(told.read() or "{}")
        log.seek(0)
        said = log.read().decode(errors="replace")
    if usage.get("code") != 0:
        end = usage.get("code", "no word")
        raise FailedError(f"{' '.join(command)} ended with {end}:\n{said[-2000:]}")
    return Measured(
        seconds=usage["ended"] - usage["began"],
        first=first - usage["began"] if first else None,
        cpu=usage["cpu"],
        rss=usage["rss"],
        records=sink.records,
        written=sink.written,
        log=said,
    )
