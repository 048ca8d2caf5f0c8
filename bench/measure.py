"""Run a command to its end and return what it cost.

Its output goes through a pipe into this process, as into a target, which counts the RECORD messages
in it and throws them away. `launch` starts the command and looks at the clock.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

ROOT = Path(__file__).parent.parent
_MARK = b'"RECORD"'
_LAUNCH = Path(__file__).with_name("launch.py")


class FailedError(Exception):
    """A command that is measured did not do its work."""


@dataclass(frozen=True)
class Measured:
    """One run of a command.

    Args:
        seconds: from its start to its end, Python's start included.
        cpu: seconds of CPU, its own and the kernel's for it.
        rss: the most memory it held at a time, in bytes.
        records: RECORD messages that it wrote.
    """

    seconds: float
    cpu: float
    rss: int
    records: int


def run(command: Sequence[str], keep: Callable[[bytes], Any] | None = None) -> Measured:
    """Run a command to its end.

    Args:
        command: what to run, in the repository's folder.
        keep: is given the output too.

    Raises:
        FailedError: it ended with another exit code than 0.
    """
    records, left = 0, b""
    reading, writing = os.pipe()
    launcher = [sys.executable, "-I", "-S", str(_LAUNCH), str(writing)]
    with os.fdopen(reading, "rb") as costs, tempfile.TemporaryFile() as log:
        with subprocess.Popen(  # noqa: S603  the commands are the bench's own
            [*launcher, *command],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            pass_fds=[writing],
        ) as started:
            os.close(writing)
            assert started.stdout is not None
            while data := os.read(started.stdout.fileno(), 1 << 20):
                left += data
                records += left.count(_MARK)
                left = left[-(len(_MARK) - 1) :]
                if keep:
                    keep(data)
        usage = json.loads(costs.read() or "{}")
        log.seek(0)
        said = log.read().decode(errors="replace")
    code = usage.pop("code", None)
    if code != 0:
        raise FailedError(f"{' '.join(command)} ended with {code}:\n{said[-2000:]}")
    return Measured(**usage, records=records)
