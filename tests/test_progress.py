"""The progress line of a run on a terminal, and the table of usage at its end."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from typing import TYPE_CHECKING

import msgspec

from tests.conftest import settings_for
from tests.sandbox import Grant, Sandbox
from tests.sandbox.company import build_company
from tests.support import NUMBER

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import TapRunner

ROWS = re.compile(r"booked_entries (\d+)/(\d+): (\d+) rows in total, (\d+) tokens left")


def test_a_terminal_shows_rows_total_rate_and_tokens(warm_tap: TapRunner, tmp_path: Path) -> None:
    company = build_company(NUMBER, "Firma", seed=7, entries=3_200)
    total = len(company.rows("bookedEntriesapi:/booked-entries"))
    with Sandbox({"demo": Grant(company)}, latency=0.15) as sandbox:
        catalog = tmp_path / "catalog.json"
        catalog.write_bytes(msgspec.json.encode(warm_tap.catalog_of("booked_entries")))
        config = tmp_path / "config.json"
        config.write_bytes(msgspec.json.encode(settings_for(sandbox, "demo")))
        said, messages = on_a_terminal(config, catalog, tmp_path / "out")
    told = [tuple(map(int, found)) for found in ROWS.findall(said)]
    assert told, said[-2000:]
    assert all(rows <= of == total for rows, of, _, _ in told)
    assert told[-1][0] > told[0][0]
    assert re.search(r"[\d.]+k? rows/s", said)
    assert messages.count(b'"RECORD"') == total


def on_a_terminal(config: Path, catalog: Path, out: Path) -> tuple[str, bytes]:
    """Run the tap with stderr on a terminal; return what it shows there, and its messages."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 160, 0, 0))
    with out.open("wb") as messages:
        command = [sys.executable, "-m", "tap_visma_economic", "--config", str(config)]
        run = subprocess.Popen(
            [*command, "--catalog", str(catalog)], stdout=messages, stderr=theirs
        )
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


def test_a_pipeline_has_no_progress_line(warm_tap: TapRunner) -> None:
    company = build_company(NUMBER, "Firma", seed=7, entries=1_200)
    with Sandbox({"demo": Grant(company)}) as sandbox:
        run = warm_tap(settings_for(sandbox, "demo"), catalog=warm_tap.catalog_of("booked_entries"))
    assert run.records["booked_entries"]
    assert "rows in total" not in run.stderr


def test_the_closing_table_shows_rows_calls_tokens_and_seconds(warm_tap: TapRunner) -> None:
    company = build_company(NUMBER, "Firma", seed=7, entries=1_200)
    with Sandbox({"demo": Grant(company)}) as sandbox:
        run = warm_tap(
            settings_for(sandbox, "demo"), catalog=warm_tap.catalog_of("booked_entries", "units")
        )
        entries, calls = len(run.records["booked_entries"]), len(sandbox.log)
        asked = len(sandbox.requests("/booked-entries"))
    lines = [line.split() for line in run.stderr.splitlines()]
    assert ["stream", "rows", "calls", "tokens", "seconds"] in lines
    (told,) = [line for line in lines if line[:1] == ["booked_entries"] and len(line) == 5]
    assert told[1:3] == [str(entries), str(asked)]
    assert int(told[3]) >= asked
    (total,) = [line for line in lines if line[:1] == ["total"]]
    assert total[1:3] == [str(entries + len(run.records["units"])), str(calls)]
