"""The log set-up of docs/running/logs.md: warnings and the result remain of a Meltano run."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from scripts.local import environment
from tests.conftest import clean_environment, settings_for
from tests.documents import blocks
from tests.pipelines.conftest import NO_HUB, TAP, Pipeline, into

if TYPE_CHECKING:
    from tests.pipelines.postgres import Postgres
    from tests.sandbox.server import Sandbox

FILES = {block.title: block.text for block in blocks("docs/running/logs.md") if block.title}


class Logged:
    """A project, and what its runs log on the terminal."""

    def __init__(self, pipeline: Pipeline, postgres: Postgres, sandbox: Sandbox) -> None:
        self.folder = pipeline.project.folder
        self._settings = {**NO_HUB, **into(postgres)}
        self._sandbox = sandbox

    def run(self, grant: str, **changed: str) -> tuple[int, list[str]]:
        done = subprocess.run(
            [str(Path(sys.executable).with_name("meltano")), "run", TAP, "target-postgres"],
            cwd=self.folder,
            env={
                **clean_environment(),
                **self._settings,
                **environment(settings_for(self._sandbox, grant)),
                **changed,
                "PATH": os.environ["PATH"],
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        return done.returncode, (done.stdout + done.stderr).splitlines()


@pytest.fixture(scope="module")
def logged(pipeline: Pipeline, postgres: Postgres, sandbox: Sandbox) -> Logged:
    """A project with the files of the page; the tests share it, the last one removes the files."""
    for name, text in FILES.items():
        (pipeline.project.folder / name).write_text(text, "utf-8")
    return Logged(pipeline, postgres, sandbox)


def test_warnings_and_the_result_remain(logged: Logged) -> None:
    code, lines = logged.run("no-modules")
    assert code == 0
    assert [line for line in lines if "Complete: " in line], lines
    assert [line for line in lines if "[warning" in line and f"{TAP} Skipped" in line], lines
    assert len(lines) < 40
    assert not any("METRIC" in line or "Skipping parse" in line for line in lines)


def test_what_went_wrong_remains(logged: Logged) -> None:
    code, lines = logged.run("no-such-grant")
    assert code == 1
    assert [line for line in lines if "[error" in line and "rejected the tokens" in line], lines


def test_errors_of_the_target_remain(logged: Logged) -> None:
    code, lines = logged.run("demo", TARGET_POSTGRES_PORT="1")
    assert code == 1
    assert [line for line in lines if "target-postgres" in line and "refused" in line], lines


def test_without_the_files_there_are_hundreds_of_lines(logged: Logged) -> None:
    """Or else the page would be of no use."""
    for name in FILES:
        (logged.folder / name).unlink()
    code, lines = logged.run("no-modules")
    assert code == 0
    assert len(lines) > 300
