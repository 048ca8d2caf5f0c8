"""The progress line of a run on a terminal, and the table of usage at its end."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import termios
from typing import TYPE_CHECKING

from tests.conftest import settings_for
from tests.sandbox import Grant, Sandbox
from tests.sandbox.company import build_company
from tests.support import NUMBER

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import TapRunner

ROWS = re.compile(r"booked_entries (\d+)/(\d+): (\d+) rows in total, (\d+) tokens left")


def test_a_terminal_shows_rows_total_rate_and_tokens(run_tap: TapRunner, tmp_path: Path) -> None:
    company = build_company(NUMBER, "Firma", seed=7, entries=3_200)
    total = len(company.rows("bookedEntriesapi:/booked-entries"))
    with Sandbox({"demo": Grant(company)}, latency=0.15) as sandbox:
        settings = settings_for(sandbox, "demo")
        command = run_tap.arguments(settings, catalog=run_tap.catalog_of("booked_entries"))
        said, messages = on_a_terminal(command, tmp_path / "out")
    told = [tuple(map(int, found)) for found in ROWS.findall(said)]
    assert told, said[-2000:]
    assert all(rows <= of == total for rows, of, _, _ in told)
    assert told[-1][0] > told[0][0]
    assert re.search(r"[\d.]+k? rows/s", said)
    assert messages.count(b'"RECORD"') == total


def on_a_terminal(command: list[str], out: Path) -> tuple[str, bytes]:
    """Run the tap with stderr on a terminal; return what it shows there, and its messages."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 160, 0, 0))
    with out.open("wb") as messages:
        run = subprocess.Popen(command, stdout=messages, stderr=theirs)
    os.close(theirs)
    shown = b""
    while True:
        try:
            piece = os.read(ours, 65_536)
        except OSError:  # the other end is closed
            break
        if not piece:
            break
        shown += piece
    os.close(ours)
    assert run.wait() == 0, shown.decode()
    return shown.decode(), out.read_bytes()


def test_without_a_terminal_the_log_has_a_closing_table_alone(warm_tap: TapRunner) -> None:
    company = build_company(NUMBER, "Firma", seed=7, entries=1_200)
    with Sandbox({"demo": Grant(company)}) as sandbox:
        run = warm_tap.read(sandbox, "booked_entries", "units")
        entries, calls = len(run.records["booked_entries"]), len(sandbox.log)
        asked = len(sandbox.requests("/booked-entries"))
    assert "rows in total" not in run.stderr, "the progress line"
    lines = [line.split() for line in run.stderr.splitlines()]
    assert ["stream", "rows", "calls", "tokens", "seconds"] in lines
    (told,) = [line for line in lines if line[:1] == ["booked_entries"] and len(line) == 5]
    assert told[1:3] == [str(entries), str(asked)]
    assert int(told[3]) >= asked
    (total,) = [line for line in lines if line[:1] == ["total"]]
    assert total[1:3] == [str(entries + len(run.records["units"])), str(calls)]
