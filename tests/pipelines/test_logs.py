"""The log set-up of docs/running/logs.md: warnings and the result remain of a Meltano run."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from scripts.local import environment
from tests.conftest import settings_for
from tests.documents import blocks
from tests.pipelines.conftest import TAP, Pipeline, into, meltano

if TYPE_CHECKING:
    from tests.pipelines.postgres import Postgres
    from tests.sandbox.server import Sandbox

pytestmark = pytest.mark.slow  # several runs of Meltano into PostgreSQL

FILES = {block.title: block.text for block in blocks("docs/running/logs.md") if block.title}
SELECTED = ("agreements", "customers", "journals", "projects", "units")
DETAILS = (f"{TAP} METRIC", "target-postgres METRIC", "Beginning sync", "Usage by stream")
"""What the tap and the target log for each table."""


class Logged:
    """A project, and what its runs log on the terminal."""

    def __init__(self, pipeline: Pipeline, postgres: Postgres, sandbox: Sandbox) -> None:
        self.folder = pipeline.project.folder
        self._settings = {
            **into(postgres),
            "TAP_VISMA_ECONOMIC__SELECT": json.dumps([f"{name}.*" for name in SELECTED]),
        }
        self._sandbox = sandbox

    def run(self, grant: str, **changed: str) -> tuple[int, list[str]]:
        tokens = environment(settings_for(self._sandbox, grant))
        settings = {**self._settings, **tokens, **changed}
        done = meltano(self.folder, "run", TAP, "target-postgres", **settings)
        return done.returncode, (done.stdout + done.stderr).splitlines()


@pytest.fixture(scope="module")
def logged(pipeline: Pipeline, postgres: Postgres, sandbox: Sandbox) -> Logged:
    """A project with the files of the page; the last test removes them."""
    for name, text in FILES.items():
        (pipeline.project.folder / name).write_text(text, "utf-8")
    return Logged(pipeline, postgres, sandbox)


def test_warnings_and_the_result_remain_and_little_else(logged: Logged) -> None:
    code, lines = logged.run("no-modules")
    assert code == 0, lines
    assert [line for line in lines if "Complete: " in line], lines
    assert [line for line in lines if "[warning" in line and f"{TAP} Skipped" in line], lines
    assert [line for line in lines if any(detail in line for detail in DETAILS)] == []
    assert len(lines) < 30


def test_what_went_wrong_remains(logged: Logged) -> None:
    code, lines = logged.run("no-such-grant")
    assert code == 1
    assert [line for line in lines if "[error" in line and "rejected the tokens" in line], lines


def test_errors_of_the_target_remain(logged: Logged) -> None:
    code, lines = logged.run("demo", TARGET_POSTGRES_PORT="1")
    assert code == 1
    assert [line for line in lines if "target-postgres" in line and "refused" in line], lines


def test_without_the_files_each_table_has_lines_of_its_own(logged: Logged) -> None:
    """Or else the page would be of no use."""
    for name in FILES:
        (logged.folder / name).unlink()
    code, lines = logged.run("no-modules")
    assert code == 0, lines
    assert all(any(detail in line for line in lines) for detail in DETAILS), lines
