"""`meltano add` with this repository's Hub entry, in an empty project, without Meltano Hub."""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from scripts.hub_definition import FILE
from scripts.local import environment
from tests.conftest import made_once, settings_for
from tests.pipelines.conftest import TAP, meltano
from tests.test_discovery import DEFAULT
from tests.test_records_arrive import truth

if TYPE_CHECKING:
    from tests.sandbox.server import Sandbox


def done(project: Path, *arguments: str, **settings: str) -> str:
    """What a command that must succeed prints."""
    run = meltano(project, "--log-level=warning", *arguments, **settings)
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, built_wheel: Path) -> Path:
    """A new project in which nothing was written by hand; the wheel stands in for PyPI."""

    def make(folder: Path) -> None:
        done(folder, "init", "mine", "--no-usage-stats")
        mine = folder / "mine"
        done(mine, "add", TAP, "--plugin-type=extractor", f"--from-ref={FILE}", "--no-install")
        done(mine, "config", "set", TAP, "_pip_url", str(built_wheel))
        done(mine, "install")

    return made_once(tmp_path_factory, "hub", make) / "mine"


def test_the_definition_is_in_the_project_as_the_hub_has_it(project: Path) -> None:
    (extractor,) = yaml.safe_load((project / "meltano.yml").read_text())["plugins"]["extractors"]
    entry = yaml.safe_load(FILE.read_text("utf-8"))
    for name in ("settings", "capabilities", "executable", "settings_group_validation"):
        assert extractor[name] == entry[name]
    assert os.sep not in entry["pip_url"], "a package, not a path of this machine"


def test_it_installs_what_the_wheel_holds(project: Path) -> None:
    installed = project / ".meltano" / "extractors" / TAP / "venv"
    (record,) = installed.glob("lib/python*/site-packages/tap_visma_economic-*/direct_url.json")
    assert json.loads(record.read_text())["url"].endswith(".whl")


def test_it_reads_the_company(project: Path, sandbox: Sandbox) -> None:
    """Through Meltano: the settings reach the tap, and every default row comes out."""
    out = done(project, "invoke", TAP, **environment(settings_for(sandbox, "demo")))
    messages = map(json.loads, out.splitlines())
    rows = Counter(message["stream"] for message in messages if message["type"] == "RECORD")
    company = sandbox.grants["demo"].company
    assert rows.pop("sync_runs") == 1
    assert rows == {stream: len(truth(company, stream)) for stream in DEFAULT}
