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
PYTHONS = re.findall(
    r'"Programming Language :: Python :: (3\.\d+)"', (ROOT / "pyproject.toml").read_text("utf-8")
)


def jobs(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(path.read_text("utf-8"))["jobs"]
    return found


def steps(path: Path) -> list[dict[str, Any]]:
    return [step for job in jobs(path).values() for step in job["steps"]]


def check(schema: str, *files: Path) -> None:
    """Check files against a schema that check-jsonschema brings along."""
    command = [str(CHECK), "--builtin-schema", schema, *map(str, files)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout


def test_workflows_are_what_github_takes() -> None:
    assert len(WORKFLOWS) >= 2
    check("vendor.github-workflows", *WORKFLOWS)


def test_the_other_files_are_what_github_takes() -> None:
    assert len(FORMS) == 2
    check("vendor.github-issue-forms", *FORMS)
    check("vendor.github-issue-config", ROOT / ".github/ISSUE_TEMPLATE/config.yml")
    check("vendor.dependabot", ROOT / ".github/dependabot.yml")


def test_the_workflow_that_the_documentation_shows_is_what_github_takes(tmp_path: Path) -> None:
    shown = [block for block in every_block("yaml") if block.title.startswith(".github/")]
    assert shown
    for place, block in enumerate(shown):
        (tmp_path / f"{place}.yml").write_text(block.text)
    check("vendor.github-workflows", *tmp_path.glob("*.yml"))


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


def test_every_python_that_the_package_names_is_tested() -> None:
    matrix = jobs(ROOT / ".github/workflows/ci.yml")["test"]["strategy"]["matrix"]
    assert matrix["python"] == PYTHONS == ["3.10", "3.11", "3.12", "3.13", "3.14"]


def test_other_versions_than_the_locked_ones_are_tried_each_week() -> None:
    path = ROOT / ".github/workflows/dependencies.yml"
    assert yaml.safe_load(path.read_text("utf-8"))[True]["schedule"]  # YAML reads `on` as true
    tried = {one["versions"]: one for one in jobs(path)["test"]["strategy"]["matrix"]["include"]}
    assert "--prerelease-package singer-sdk=allow" in tried["newest"]["tap"]
    assert "--resolution lowest-direct" in tried["lowest"]["tap"]
    assert tried["lowest"]["python"] == PYTHONS[0]


def test_continuous_integration_takes_what_is_locked() -> None:
    whole = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text("utf-8"))
    assert whole["env"]["LOCKED"]
    assert "uv sync --quiet --locked" in (ROOT / "Makefile").read_text("utf-8")


@pytest.mark.parametrize("name", ["ci.yml", "release.yml"])
def test_what_builds_a_release_is_pinned(name: str) -> None:
    run = [step.get("run", "") for step in steps(ROOT / ".github/workflows" / name)]
    (install,) = (line for line in run if "pip install" in line and "twine" in line)
    assert re.fullmatch(r"python -m pip install build==[\d.]+ twine==[\d.]+", install)


def test_continuous_integration_runs_targets_that_there_are() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    run = " ".join(step.get("run", "") for step in steps(ROOT / ".github/workflows/ci.yml"))
    named = re.findall(r"make ([\w-]+)", run)
    assert named
    assert all(f"\n{target}:" in makefile for target in named)
