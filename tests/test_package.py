"""What is published: the package and nothing else, the same bytes each time, and it runs."""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.conftest import ROOT, TapRunner, clean_environment, made_once, settings_for
from tests.support import GRANT, canary_sandbox, keeps_secrets, small_grants

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

if TYPE_CHECKING:
    from collections.abc import Iterable

PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
PACKAGE = "tap_visma_economic"
VERSION = PROJECT["project"]["version"]
BESIDE = {".gitignore", "CHANGELOG.md", "LICENSE", "README.md", "pyproject.toml"}
"""What an sdist holds beside the package; hatchling always adds .gitignore."""


def package_files() -> set[str]:
    files = (path.relative_to(ROOT) for path in (ROOT / PACKAGE).rglob("*") if path.is_file())
    return {str(path) for path in files if "__pycache__" not in path.parts}


def build(source: Path, to: Path) -> dict[str, bytes]:
    """Build what is published, as `python -m build` does."""
    env = {**os.environ, "SOURCE_DATE_EPOCH": "1700000000"}
    command = [sys.executable, "-m", "build", "--outdir", str(to), str(source)]
    done = subprocess.run(
        command, env=env, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return {path.name: path.read_bytes() for path in to.iterdir()}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `dist`, the sdist and the wheel, and `source`, what they were built from."""
    folder = tmp_path_factory.mktemp("built")
    for name in package_files() | BESIDE:
        (folder / "source" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / "source" / name)
    build(folder / "source", folder / "dist")
    return folder


def test_the_wheel_holds_the_package_and_nothing_else(built: Path) -> None:
    with zipfile.ZipFile(built / "dist" / f"{PACKAGE}-{VERSION}-py3-none-any.whl") as wheel:
        names = set(wheel.namelist())
    about = f"{PACKAGE}-{VERSION}.dist-info"
    told = {"METADATA", "WHEEL", "RECORD", "entry_points.txt", "licenses/LICENSE"}
    assert names == package_files() | {f"{about}/{name}" for name in told}


def test_the_sdist_holds_the_package_and_what_describes_it(built: Path) -> None:
    with tarfile.open(built / "dist" / f"{PACKAGE}-{VERSION}.tar.gz") as sdist:
        names = {name.split("/", 1)[1] for name in sdist.getnames()}
    assert names == package_files() | BESIDE | {"PKG-INFO"}


def test_the_package_holds_code_and_schemas_alone() -> None:
    kinds = {Path(name).suffix or Path(name).name for name in package_files()}
    assert kinds == {".py", ".json", ".typed"}


def test_a_build_gives_the_same_bytes_each_time(built: Path, tmp_path: Path) -> None:
    """From another folder, with other times on the files."""
    first = {path.name: path.read_bytes() for path in (built / "dist").iterdir()}
    shutil.copytree(built / "source", tmp_path / "elsewhere", copy_function=shutil.copyfile)
    again = build(tmp_path / "elsewhere", tmp_path / "dist")
    assert {name: again[name] == first[name] for name in first} == dict.fromkeys(again, True)
    assert len(first) == 2


# The installed wheel


@pytest.fixture(scope="module")
def installed_tap(built_wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of an environment in which there is the wheel and what it asks for."""

    def install(folder: Path) -> None:
        python = folder / "bin" / "python"
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True, timeout=120)
        uv = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--python", str(python)]
        pip = [str(python), "-m", "pip", "install", "--quiet"]
        for installer in (uv, pip):  # as the Makefile does: uv is faster, pip gets through
            done = subprocess.run([*installer, str(built_wheel)], timeout=300, check=False)
            if done.returncode == 0:
                return
        pytest.fail("neither uv nor pip could install the wheel")

    return made_once(tmp_path_factory, "installed-wheel", install) / "bin"


def test_the_installed_wheel_reads_a_company(installed_tap: Path, tmp_path: Path) -> None:
    tap = TapRunner(tmp_path)
    tap.command = (str(installed_tap / "tap-visma-economic"),)  # type: ignore[assignment]
    with canary_sandbox(small_grants(GRANT)) as sandbox:
        run = tap(settings_for(sandbox, GRANT), env={"PYTHONPATH": ""})
        company = sandbox.grants[GRANT].company
    assert run.exit_code == 0, run.stderr
    assert len(run.schemas) == 89  # sync_runs is one of them
    read = [row["entryNumber"] for row in run.records["booked_entries"]]
    assert read == [row["entryNumber"] for row in company.rows("bookedEntriesapi:/booked-entries")]
    keeps_secrets(run)


def test_what_is_installed_is_not_the_checkout(installed_tap: Path, tmp_path: Path) -> None:
    code = f"import {PACKAGE}; print({PACKAGE}.__file__)"
    told = subprocess.run(
        [str(installed_tap / "python"), "-c", code],
        cwd=tmp_path,
        env=clean_environment(),
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert Path(told.stdout).is_relative_to(installed_tap.parent)


# What it depends on


def words(requirement: str) -> tuple[str, str]:
    """Return a requirement's name, and its version, both as they compare."""
    name, versions = re.fullmatch(r"([\w.-]+)(?:\[[\w,]+\])?\s*([^;]*).*", requirement).groups()  # type: ignore[union-attr]
    return name.lower().replace("_", "-"), ",".join(sorted(versions.replace(" ", "").split(",")))


def stated(requirements: Iterable[str | dict[str, str]]) -> set[tuple[str, str]]:
    return {words(one) for one in requirements if isinstance(one, str)}


def locked(entries: Iterable[dict[str, Any]]) -> set[tuple[str, str]]:
    return {words(entry["name"] + entry.get("specifier", "")) for entry in entries}


def test_the_lock_file_is_in_step_with_the_project() -> None:
    """`uv lock` brings it up to date."""
    lock = tomllib.loads((ROOT / "uv.lock").read_text("utf-8"))
    (own,) = (one for one in lock["package"] if one["name"] == PROJECT["project"]["name"])
    extras = PROJECT["project"]["optional-dependencies"].values()
    wanted = stated([*PROJECT["project"]["dependencies"], *(r for extra in extras for r in extra)])
    assert locked(own["metadata"]["requires-dist"]) == wanted
    groups = {name: stated(group) for name, group in PROJECT["dependency-groups"].items()}
    included = [group for group in PROJECT["dependency-groups"]["dev"] if isinstance(group, dict)]
    groups["dev"] = groups["dev"].union(*(groups[group["include-group"]] for group in included))
    assert {
        name: locked(group) for name, group in own["metadata"]["requires-dev"].items()
    } == groups
    assert lock["requires-python"] == PROJECT["project"]["requires-python"]
    pinned = {one["name"] for one in lock["package"]}
    assert {name for name, _ in wanted.union(*groups.values())} <= pinned


def test_the_package_asks_for_what_it_imports_and_nothing_else() -> None:
    files = (ROOT / name for name in package_files() if name[-3:] == ".py")
    nodes = [node for file in files for node in ast.walk(ast.parse(file.read_text("utf-8")))]
    modules = {alias.name for n in nodes if isinstance(n, ast.Import) for alias in n.names}
    modules |= {n.module or "" for n in nodes if isinstance(n, ast.ImportFrom)}
    imported = {module.partition(".")[0] for module in modules}
    foreign = imported - sys.stdlib_module_names - {PACKAGE, "__future__"}
    named = {"python-dotenv": "dotenv"}
    asked = {name for name, _ in stated(PROJECT["project"]["dependencies"])}
    extra = {"typing_extensions"}
    webhooks = stated(PROJECT["project"]["optional-dependencies"]["webhooks"])
    asked |= {name for name, _ in webhooks} & {
        "starlette",
        "uvicorn",
    }  # SQLAlchemy's are not imported
    assert {named.get(name, name).replace("-", "_") for name in asked} == foreign - extra


def test_the_audit_of_dependencies_runs_in_ci() -> None:
    workflow = (ROOT / ".github" / "workflows" / "audit.yml").read_text("utf-8")
    steps = [line.split() for line in workflow.splitlines() if line.strip().startswith("pip-audit")]
    assert len(steps) == 2, "what is locked, and what a user gets"
    for step in steps:
        assert "--strict" in step, "what could not be looked up would pass otherwise"
    assert "schedule:" in workflow
    assert json.dumps("uv.lock") in workflow


def test_what_the_audit_reads_is_pinned_and_has_hashes(tmp_path: Path) -> None:
    """The command of the workflow, which pip-audit could not use otherwise."""
    workflow = (ROOT / ".github" / "workflows" / "audit.yml").read_text("utf-8")
    (export,) = re.findall(r"uv (export .*) -o locked\.txt", workflow)
    locked = tmp_path / "locked.txt"
    command = [sys.executable, "-m", "uv", *export.split(), "--offline", "-q", "-o", str(locked)]
    subprocess.run(command, cwd=ROOT, check=True, timeout=60)
    text = re.sub(r" \\\n\s+", " ", locked.read_text("utf-8"))
    packages = [line for line in text.splitlines() if line and line.lstrip()[0] != "#"]
    assert len(packages) > 50
    assert {"requests", "singer-sdk"} <= {
        line.partition("==")[0].split("[")[0] for line in packages
    }
    for line in packages:
        assert re.match(r"[\w.-]+==\S+ .*--hash=sha256:[0-9a-f]{64}", line), line
