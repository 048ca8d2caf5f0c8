"""Stopping `meltano run`: the tap gets the signal from the system and once more from Meltano."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from scripts.local import environment, process
from tests.conftest import clean_environment, settings_for
from tests.pipelines.conftest import NO_HUB, TAP, Pipeline
from tests.sandbox import Grant
from tests.sandbox.company import build_company
from tests.support import GRANT, NUMBER, Watched, canary_sandbox

if TYPE_CHECKING:
    from tests.sandbox import Sandbox

MELTANO = str(Path(sys.executable).with_name("meltano"))
COMPANY = build_company(NUMBER, "Firma", seed=7, entries=6_300)
"""Its ledger is seven pages long."""

BESIDE = """\
#!/bin/sh
case "$*" in
*--discover*) exec "{tap}" "$@" ;;
esac
exec "{tap}" "$@" 3>&1 > "$KEPT"
"""
"""Starts the tap in its own place, so that Meltano's signals reach the tap itself.

What the tap writes goes into a file and not through Meltano, which passes on no more once it has
been stopped.
"""


class Stopped:
    """One run of `meltano run` that a signal to its whole group ended in mid-ledger.

    Args:
        pipeline: the project.
        sandbox: its companies.
        asked: is set when a page in the middle of the ledger is asked for.
        signum: the signal.
    """

    def __init__(
        self, pipeline: Pipeline, sandbox: Sandbox, asked: threading.Event, signum: int
    ) -> None:
        folder = pipeline.project.folder
        kept = folder / "kept"
        asked.clear()
        with process(
            [MELTANO, "run", "--full-refresh", "--force", TAP, "target-jsonl"],
            cwd=folder,
            env={
                **clean_environment(),
                **NO_HUB,
                **environment(settings_for(sandbox, GRANT)),
                "TAP_VISMA_ECONOMIC__SELECT": '["booked_entries.*"]',
                "TARGET_JSONL_DESTINATION_PATH": str(folder),
                "KEPT": str(kept),
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        ) as started:
            assert asked.wait(60)
            os.killpg(started.pid, signum)
            _, self.log = started.communicate(timeout=20)
        self.lines = kept.read_bytes().splitlines(keepends=True)


@pytest.fixture
def beside(installed: Path, tmp_path: Path) -> Pipeline:
    """A project in which the tap writes into a file."""
    pipeline = Pipeline(tmp_path, installed)
    starter = tmp_path / "starter"
    venv = tmp_path / ".meltano" / "extractors" / TAP / "venv"
    starter.write_text(BESIDE.format(tap=venv / "bin" / TAP))
    starter.chmod(0o700)
    plugins = tmp_path / "meltano.yml"
    text = plugins.read_text("utf-8")
    own = f"executable: {TAP}\n"
    assert own in text
    plugins.write_text(text.replace(own, f"executable: {starter}\n"), "utf-8")
    return pipeline


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_that_comes_from_the_system_and_from_meltano_is_one_stop(
    beside: Pipeline, signum: int
) -> None:
    """Two tries of each: which of the two comes first, and how long after, is chance."""
    pages: list[str] = []
    asked = threading.Event()

    def watch(endpoint: str) -> None:
        pages.append(endpoint)
        if endpoint == "bookedEntriesapi:/booked-entries" and pages.count(endpoint) % 5 == 0:
            asked.set()

    with canary_sandbox({GRANT: Grant(Watched(COMPANY, watch))}, latency=0.2) as sandbox:
        for _ in range(2):
            pages.clear()
            run = Stopped(beside, sandbox, asked, signum)
            assert "Stopped by a signal. The next run resumes" in run.log
            assert all(line.endswith(b"\n") for line in run.lines)
            messages = [json.loads(line) for line in run.lines]
            written = [m["record"]["entryNumber"] for m in messages if m["type"] == "RECORD"]
            (bookmark,) = messages[-1]["value"]["bookmarks"]["booked_entries"]["partitions"]
            assert bookmark["replication_key_value"] == written[-1]
