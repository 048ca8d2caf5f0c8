"""The recipe "Minutes after booking": its script, and what starts it."""

from __future__ import annotations

import configparser
import subprocess
from typing import TYPE_CHECKING

import pytest
import yaml

from tests.conftest import clean_environment
from tests.documents import blocks
from tests.support import wait_until

if TYPE_CHECKING:
    from pathlib import Path

PAGE = {block.title: block.text for block in blocks("docs/recipes/minutes-after-booking.md")}

MELTANO = """#!/bin/sh
echo "$* ${TAP_VISMA_ECONOMIC_EVENTS_ONLY:-false}" >> runs
sleep 2
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with the script, and something instead of Meltano."""
    for name, text in (("run.sh", PAGE["run.sh"]), ("meltano", MELTANO)):
        (tmp_path / name).write_text(text, encoding="utf-8")
        (tmp_path / name).chmod(0o755)
    return tmp_path


def start(project: Path, kind: str) -> subprocess.Popen[bytes]:
    environment = clean_environment()
    environment["PATH"] = f"{project}:{environment['PATH']}"
    return subprocess.Popen([str(project / "run.sh"), kind], env=environment, cwd="/")


def runs(project: Path) -> list[str]:
    file = project / "runs"
    lines = file.read_text("utf-8").splitlines() if file.exists() else []
    return [line.removeprefix("run tap-visma-economic target-postgres ") for line in lines]


def test_an_event_run_is_skipped_while_another_run_is_going(project: Path) -> None:
    night = start(project, "night")
    wait_until(lambda: runs(project))
    assert start(project, "events").wait(10) == 0
    assert night.wait(10) == 0
    assert runs(project) == ["false"]


def test_the_nightly_run_waits_for_an_event_run(project: Path) -> None:
    events = start(project, "events")
    wait_until(lambda: runs(project))
    night = start(project, "night")
    assert runs(project) == ["true"]
    assert events.wait(10) == 0
    assert night.wait(10) == 0
    assert runs(project) == ["true", "false"]


def test_the_units_start_the_script(project: Path) -> None:
    units = {}
    for title in ("economic@.service", "economic-events.timer", "economic-night.timer"):
        units[title] = configparser.ConfigParser(interpolation=None)
        units[title].read_string(PAGE[title])
    assert units["economic@.service"]["Service"]["ExecStart"] == "/srv/economic/run.sh %i"
    assert units["economic-events.timer"]["Timer"]["Unit"] == "economic@events.service"
    assert units["economic-night.timer"]["Timer"]["Unit"] == "economic@night.service"


def test_the_containers_loop_starts_the_script(project: Path) -> None:
    """It is Bash once Compose has made `$` of `$$`."""
    services = yaml.safe_load(PAGE["compose.yaml"])["services"]
    script = services["runs"]["command"][-1].replace("$$", "$")
    subprocess.run(["bash", "-n", "-c", script], check=True)
    assert script.count("/srv/economic/run.sh") == 2
    inbox = "sqlite:////inbox/inbox.db"
    assert inbox in services["receiver"]["command"]
    assert services["runs"]["environment"]["TAP_VISMA_ECONOMIC_EVENTS_INBOX"] == inbox
