"""Run a command to its end and return what it cost.

Its output goes through a pipe into this process, as into a target, which counts the RECORD messages
in it and throws them away.
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
_LAUNCH = """
import json, os, sys, time
began = time.perf_counter()
_, status, usage = os.wait4(os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ), 0)
print("", json.dumps({
    "seconds": time.perf_counter() - began,
    "cpu": usage.ru_utime + usage.ru_stime,
    "rss": usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024),
    "code": os.waitstatus_to_exitcode(status),
}), sep="\\n", file=sys.stderr)
"""
"""Starts a command and writes what it cost to stderr. Linux takes the size of the process that
starts another for the least that the other ever had; this one is small."""


class FailedError(Exception):
    """A command that is measured did not do its work."""


@dataclass(frozen=True)
class Measured:
    """One run of a command: wall and CPU seconds, peak memory in bytes, RECORD messages written."""

    seconds: float
    cpu: float
    rss: int
    records: int


def run(command: Sequence[str], keep: Callable[[bytes], Any] | None = None) -> Measured:
    """Run a command to its end in the repository's folder; `keep` is given its output too.

    Raises:
        FailedError: it ended with another exit code than 0.
    """
    records, left = 0, b""
    launcher = [sys.executable, "-I", "-S", "-c", _LAUNCH, *command]
    with tempfile.TemporaryFile() as log:
        with subprocess.Popen(  # noqa: S603  the commands are the bench's own
            launcher, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log
        ) as started:
            assert started.stdout is not None
            while data := os.read(started.stdout.fileno(), 1 << 20):
                left += data
                records += left.count(_MARK)
                left = left[-(len(_MARK) - 1) :]
                if keep:
                    keep(data)
        log.seek(0)
        said = log.read().decode(errors="replace").splitlines()
    usage = json.loads(said.pop())
    if code := usage.pop("code"):
        raise FailedError("\n".join([f"{' '.join(command)} ended with {code}", *said[-20:]]))
    return Measured(**usage, records=records)
