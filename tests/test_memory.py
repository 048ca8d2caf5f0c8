"""Memory: what is held does not grow with the books, nor while a target waits."""

from __future__ import annotations

import json
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from bench.contenders import CONCURRENCY, TAP, Contenders
from bench.measure import ROOT, run
from bench.server import fast_server
from tap_visma_economic.prefetch import CURRENT_PAGES
from tests.conftest import clean_environment

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bench.server import FastServer

ROWS = 500_000
WRITTEN = 2
"""Pages that were given to the target: one in the pipe, one that waits for it."""

IN_HAND = 2
"""Pages on their way up: one in the listing, one in the partition."""

SELF = 1
"""Calls that ask whose books these are."""


@pytest.fixture(scope="module")
def server() -> Iterator[FastServer]:
    with fast_server() as server:
        yield server


def settled_calls(server: FastServer, least: int) -> int:
    """The calls of a run once so many have come, and no more for a while."""
    before, since = -1, time.monotonic()
    while before < least or time.monotonic() - since < 1.5:
        assert time.monotonic() - since < 60
        time.sleep(0.1)
        calls = sum(server.asked().values())
        if calls != before:
            before, since = calls, time.monotonic()
    return before


def test_a_target_that_waits_holds_the_reading_up_and_loses_nothing(
    server: FastServer, tmp_path: Path
) -> None:
    rows = 120_000
    command = Contenders(server.url, tmp_path).command(TAP, "booked_entries")
    server.begin(booked_entries=rows)
    with subprocess.Popen(
        command,
        cwd=ROOT,
        env=clean_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            most = CONCURRENCY * CURRENT_PAGES
            held = settled_calls(server, most)
            counts = server.asked()["/bookedEntriesapi/v4.0.0/booked-entries/count"]
            assert most <= held - counts <= most + IN_HAND + WRITTEN + SELF
            assert process.stdout is not None
            written = sum(b'"RECORD"' in line for line in process.stdout)
            assert process.wait(60) == 0
            assert written == rows
        finally:
            process.kill()


@pytest.mark.slow
def test_ten_times_the_rows_take_hardly_more_memory(server: FastServer, tmp_path: Path) -> None:
    """Not more than what the pages hold that may wait: a listing of fifty is over before."""
    contenders = Contenders(server.url, tmp_path)
    most = {}
    for rows in (50_000, ROWS):
        server.begin(booked_entries=rows)
        measured = run(contenders.command(TAP, "booked_entries"))
        assert measured.records == rows
        most[rows] = measured.rss / 1e6
    print(json.dumps(most))
    assert most[ROWS] < 1.35 * most[50_000]
    assert most[ROWS] < 160
