"""What GitHub is told: workflows and forms are valid, and give away as little as they can."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.documents import ROOT, every_block

CHECK = Path(sys.executable).with_name("check-jsonschema")
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
FORMS = sorted((ROOT / ".github/ISSUE_TEMPLATE").glob("[!c]*.yml"))


def jobs(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(path.read_text("utf-8"))["jobs"]
    return found


def steps(path: Path) -> list[dict[str, Any]]:
    return [step for job in jobs(path).values() for step in job["steps"]]


def test_the_files_are_what_github_takes(tmp_path: Path) -> None:
    """Also the workflow that the documentation shows."""
    shown = [block for block in every_block("yaml") if block.title.startswith(".github/")]
    assert shown
    for place, block in enumerate(shown):
        (tmp_path / f"{place}.yml").write_text(block.text)
    assert (len(WORKFLOWS) >= 2, len(FORMS)) == (True, 2)
    for schema, files in {
        "github-workflows": [*WORKFLOWS, *tmp_path.glob("*.yml")],
        "github-issue-forms": FORMS,
        "github-issue-config": [ROOT / ".github/ISSUE_TEMPLATE/config.yml"],
        "dependabot": [ROOT / ".github/dependabot.yml"],
    }.items():
        command = [str(CHECK), "--builtin-schema", f"vendor.{schema}", *map(str, files)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_a_job_may_do_little_and_does_not_run_for_ever(path: Path) -> None:
    whole = yaml.safe_load(path.read_text("utf-8"))
    assert whole["permissions"] in ({}, {"contents": "read"})
    for job in jobs(path).values():
        assert job["timeout-minutes"] <= 90
        granted = set(job.get("permissions", {}).items())
        assert granted <= {("contents", "read"), ("id-token", "write")}


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_no_credentials_stay_in_a_checkout(path: Path) -> None:
    checkouts = [step for step in steps(path) if "actions/checkout" in step.get("uses", "")]
    assert checkouts or path.name == "audit.yml"
    assert all(step["with"]["persist-credentials"] is False for step in checkouts)


def test_actions_are_pinned_and_the_same_everywhere() -> None:
    """A tag can be moved to other code."""
    used: dict[str, set[str]] = {}
    for path in WORKFLOWS:
        for action, rest in re.findall(r"uses: (\S+?)@(.+)", path.read_text("utf-8")):
            used.setdefault(action, set()).add(rest)
    assert set(used) >= {"actions/checkout", "pypa/gh-action-pypi-publish"}
    for action, (first, *others) in used.items():
        assert re.fullmatch(r"[0-9a-f]{40} # v\d+\.\d+\.\d+", first), action
        assert others == [], action


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_no_script_is_put_together_from_what_strangers_write(path: Path) -> None:
    """An expression inside of `run` could be made to run."""
    assert [step for step in steps(path) if "${{" in step.get("run", "")] == []


def test_only_the_job_that_publishes_may_ask_for_a_token() -> None:
    asking = {
        (path.name, name): job
        for path in WORKFLOWS
        for name, job in jobs(path).items()
        if job.get("permissions", {}).get("id-token")
    }
    ((where, job),) = asking.items()
    assert where == ("release.yml", "publish")
    assert job["environment"]["name"] == "pypi"
    assert [step for step in job["steps"] if "run" in step] == []


def test_every_python_and_other_versions_than_the_locked_ones_are_tried() -> None:
    names = r'"Programming Language :: Python :: (3\.\d+)"'
    pythons = re.findall(names, (ROOT / "pyproject.toml").read_text("utf-8"))
    tested = jobs(ROOT / ".github/workflows/ci.yml")["test"]["strategy"]["matrix"]["python"]
    assert tested == pythons == ["3.10", "3.11", "3.12", "3.13", "3.14"]
    matrix = jobs(ROOT / ".github/workflows/dependencies.yml")["test"]["strategy"]["matrix"]
    tried = {one["versions"]: one for one in matrix["include"]}
    assert "--prerelease-package singer-sdk=allow" in tried["newest"]["tap"]
    assert "--resolution lowest-direct" in tried["lowest"]["tap"]
    assert tried["lowest"]["python"] == pythons[0]


def test_continuous_integration_takes_what_is_locked() -> None:
    whole = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text("utf-8"))
    assert whole["env"]["LOCKED"]
    assert "uv sync --quiet --locked" in (ROOT / "Makefile").read_text("utf-8")


@pytest.mark.parametrize("name", ["ci.yml", "release.yml"])
def test_what_builds_a_release_is_pinned(name: str) -> None:
    run = [step.get("run", "") for step in steps(ROOT / ".github/workflows" / name)]
    (install,) = (line for line in run if "pip install" in line and "twine" in line)
    assert re.fullmatch(r"python -m pip install build==[\d.]+ twine==[\d.]+", install)
