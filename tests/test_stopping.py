"""Stopping in mid-run: the right exit code, whole lines, and a state that resumes."""

from __future__ import annotations

import fcntl
import json
import signal
import subprocess
import sys
import termios
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.conftest import Run, clean_environment, settings_for
from tests.sandbox import Grant
from tests.sandbox.company import build_company
from tests.support import GRANT, NUMBER, Watched, canary_sandbox, keeps_secrets, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.conftest import TapRunner
    from tests.sandbox import Sandbox

ENTRIES = "bookedEntriesapi:/booked-entries"
COMPANY = build_company(NUMBER, "Firma", seed=7, entries=3_300)
"""Its ledger is four pages long."""

WAITING: dict[str, Callable[[Sandbox], object]] = {
    "for slow answers": lambda sandbox: setattr(sandbox, "latency", 0.3),
    "for an answer that never comes": lambda sandbox: sandbox.faults.add(
        "/booked-entries.*cursor", "hang", nth=2
    ),
    "for the call budget": lambda sandbox: sandbox.faults.add(
        "/booked-entries.*cursor", "status", status=429, retry_after="60", nth=2
    ),
}


@contextmanager
def third_page() -> Iterator[tuple[Sandbox, threading.Event]]:
    """A sandbox of one company, and what is set when the third page of the ledger is asked for."""
    asked = threading.Event()
    pages: list[str] = []

    def watch(endpoint: str) -> None:
        if endpoint == ENTRIES:
            pages.append(endpoint)
        if len(pages) == 3:
            asked.set()

    with canary_sandbox({GRANT: Grant(Watched(COMPANY, watch))}) as sandbox:
        yield sandbox, asked


def arguments_for(tap: TapRunner, sandbox: Sandbox, *streams: str) -> list[str]:
    return tap.arguments(settings_for(sandbox, *sandbox.grants), catalog=tap.catalog_of(*streams))


def start(
    tap: TapRunner, arguments: list[str], stdout: int | None = None, **env: str
) -> subprocess.Popen[bytes]:
    """Start the tap; its streams go to the files `out` and `err` if not told otherwise."""
    with (tap.folder / "out").open("wb") as out, (tap.folder / "err").open("wb") as err:
        return subprocess.Popen(
            arguments,
            stdout=stdout or out,
            stderr=err,
            cwd=tap.folder,
            env={**clean_environment(), **env},
        )


def ended(tap: TapRunner, process: subprocess.Popen[bytes], within: float) -> Run:
    """What a run that ends within these seconds has written; every line must be whole JSON."""
    try:
        code = process.wait(within)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        raise
    lines = (tap.folder / "out").read_bytes().splitlines(keepends=True)
    assert all(line.endswith(b"\n") for line in lines)
    return Run(code, (tap.folder / "err").read_text(), [json.loads(line) for line in lines])


def numbers(*runs: Run) -> set[int]:
    return {record["entryNumber"] for run in runs for record in run.records["booked_entries"]}


@pytest.mark.parametrize(
    ("how", "signum", "code"),
    [
        *((how, signal.SIGTERM, 143) for how in WAITING),
        ("for slow answers", signal.SIGINT, 130),
    ],
)
def test_a_signal_ends_the_run_within_two_seconds_and_the_next_run_goes_on(
    run_tap: TapRunner, warm_tap: TapRunner, how: str, signum: int, code: int
) -> None:
    streams = ("accounts", "booked_entries", "units")
    with third_page() as (sandbox, asked):
        WAITING[how](sandbox)
        process = start(run_tap, arguments_for(run_tap, sandbox, *streams))
        assert asked.wait(30)
        process.send_signal(signum)
        time.sleep(0.02)
        process.send_signal(signal.SIGTERM)  # as `meltano run` does when it gets the signal itself
        first = ended(run_tap, process, within=2)
        sandbox.latency = 0
        sandbox.faults.clear()
        read_before = len(sandbox.log)
        second = warm_tap.read(sandbox, *streams, state=first.state)
        asked_again = [r for r in sandbox.log[read_before:] if r.endpoint == ENTRIES]

    assert first.exit_code == code
    assert "Stopped by a signal" in first.warnings[-1]
    assert not first.errors
    keeps_secrets(first)

    everything = {row["entryNumber"] for row in COMPANY.rows(ENTRIES)}
    assert 0 < len(numbers(first)) < len(everything)
    assert numbers(first, second) == everything
    assert "filter" in asked_again[0].query, "it does not begin anew"


def test_a_signal_while_the_run_begins_does_not_end_it_as_if_complete(run_tap: TapRunner) -> None:
    with canary_sandbox({GRANT: Grant(COMPANY)}, latency=0.3) as sandbox:
        arguments = arguments_for(run_tap, sandbox, "units")
        process = start(run_tap, arguments, TAP_VISMA_ECONOMIC_LOGLEVEL="DEBUG")
        # The SDK says this in its constructor, just before it sets handlers of its own.
        log = run_tap.folder / "err"
        wait_until(lambda: "Skipping parse of env var settings" in log.read_text())
        process.send_signal(signal.SIGTERM)
        run = ended(run_tap, process, within=5)
    assert run.exit_code == 143
    assert run.messages == []


@pytest.fixture
def blocked(run_tap: TapRunner) -> Iterator[subprocess.Popen[bytes]]:
    """A run whose target has stopped to read: it waits in the middle of writing.

    Unbuffered, as in most containers: there, a signal interrupts a write half-way.
    """
    with canary_sandbox({GRANT: Grant(COMPANY)}) as sandbox:
        arguments = arguments_for(run_tap, sandbox, "booked_entries", "units")
        with start(run_tap, arguments, subprocess.PIPE, PYTHONUNBUFFERED="1") as process:
            wait_until(lambda: waiting_bytes(process) > 60_000)
            yield process
            process.kill()


def test_no_line_is_cut_when_a_signal_comes_while_the_target_does_not_read(
    run_tap: TapRunner, blocked: subprocess.Popen[bytes]
) -> None:
    blocked.send_signal(signal.SIGTERM)
    assert blocked.stdout is not None
    (run_tap.folder / "out").write_bytes(blocked.stdout.read())
    run = ended(run_tap, blocked, within=2)
    assert run.exit_code == 143
    got = [record["entryNumber"] for record in run.records["booked_entries"]]
    assert got == [row["entryNumber"] for row in COMPANY.rows(ENTRIES)][: len(got)]
    assert run.bookmark("booked_entries", NUMBER)["replication_key_value"] <= got[-1]


def test_a_second_signal_ends_a_run_whose_target_does_not_read(
    blocked: subprocess.Popen[bytes],
) -> None:
    blocked.send_signal(signal.SIGTERM)
    blocked.send_signal(signal.SIGTERM)
    with pytest.raises(subprocess.TimeoutExpired):
        blocked.wait(2.1)  # the same stop, and it owes the target a whole line
    blocked.send_signal(signal.SIGTERM)
    assert blocked.wait(2) == -signal.SIGTERM


def test_a_target_that_goes_away_ends_the_run_without_a_traceback(
    run_tap: TapRunner, blocked: subprocess.Popen[bytes]
) -> None:
    assert blocked.stdout is not None
    blocked.stdout.close()
    run = ended(run_tap, blocked, within=10)
    assert run.exit_code == 1
    assert "The target closed the pipe before the run ended" in run.errors[-1]
    assert "BrokenPipeError" not in run.stderr
    keeps_secrets(run)


def waiting_bytes(process: subprocess.Popen[bytes]) -> int:
    """Bytes that a process has written and nobody has read."""
    assert process.stdout is not None
    count = fcntl.ioctl(process.stdout.fileno(), termios.FIONREAD, bytes(4))
    return int.from_bytes(count, sys.byteorder)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_ends_the_run_without_a_traceback(run_tap: TapRunner) -> None:
    with canary_sandbox({GRANT: Grant(COMPANY)}) as sandbox, Path("/dev/full").open("wb") as full:
        arguments = arguments_for(run_tap, sandbox, "booked_entries")
        run = ended(run_tap, start(run_tap, arguments, full.fileno()), within=30)
    assert run.exit_code == 1
    assert "The output could not be written (No space left on device)" in run.errors[-1]
    keeps_secrets(run)


CLOSED = "import os, sys; os.close(int(sys.argv[1])); os.execv(sys.argv[2], sys.argv[2:])"


@pytest.mark.parametrize("descriptor", [0, 1, 2])
def test_a_standard_stream_that_is_closed_is_no_riddle(run_tap: TapRunner, descriptor: int) -> None:
    with canary_sandbox({GRANT: Grant(COMPANY)}) as sandbox:
        arguments = arguments_for(run_tap, sandbox, "units")
        without = [sys.executable, "-c", CLOSED, str(descriptor), *arguments]
        run = ended(run_tap, start(run_tap, without), within=30)
        asked = len(sandbox.log)
    if descriptor == 1:
        assert (run.exit_code, asked) == (1, 0)
        assert run.stderr == "stdout is closed: there is nowhere to write to\n"
    else:
        assert run.exit_code == 0, run.stderr
        assert len(run.records["units"]) == 5
