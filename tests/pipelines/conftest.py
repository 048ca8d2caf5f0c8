"""Meltano projects for the tests: plugins are installed once, each project starts without state."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from scripts.local import MeltanoProject, environment
from tests.conftest import clean_environment, made_once
from tests.dbt import on_ci
from tests.pipelines.postgres import Postgres, find_binaries

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from scripts.local import Run

TAP = "tap-visma-economic"
MELTANO = str(Path(sys.executable).with_name("meltano"))
NO_HUB = {"MELTANO_HUB_API_ROOT": "http://127.0.0.1:9"}
"""Nothing answers there: whatever needs Meltano Hub fails."""
NO_POSTGRES = "PostgreSQL is not installed: apt-get install postgresql (or brew install postgresql)"


class Pipeline:
    """A Meltano project as somebody has it who has just cloned the repository.

    Args:
        folder: where the project is.
        installed: a project whose plugins are installed; this one borrows them.
        borrowed: the kinds of plugins that it borrows.
    """

    def __init__(
        self,
        folder: Path,
        installed: Path,
        borrowed: tuple[str, ...] = ("extractors", "loaders"),
    ) -> None:
        self.project = MeltanoProject(folder)
        (folder / ".meltano").mkdir()
        for kind in borrowed:
            (folder / ".meltano" / kind).symlink_to(installed / ".meltano" / kind)

    def run(self, target: str, config: dict[str, Any], target_settings: Mapping[str, str]) -> Run:
        """Run `meltano run tap-visma-economic TARGET`."""
        settings = {**NO_HUB, **environment(config), **target_settings}
        return self.project.meltano(settings, "run", TAP, target)


def meltano(
    project: Path, *arguments: str, typed: str = "", **settings: str
) -> subprocess.CompletedProcess[str]:
    """Run `meltano` in a project as at a prompt, without Meltano Hub and the caller's settings.

    Args:
        project: its folder.
        arguments: of the command line.
        typed: on standard input.
        settings: environment variables.
    """
    kept = {k: v for k, v in clean_environment().items() if not k.startswith("MELTANO_")}
    return subprocess.run(
        [MELTANO, *arguments],
        cwd=project,
        env={**kept, **NO_HUB, **settings},
        input=typed,
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )


def said(run: Run) -> str:
    """The log of a run, for the message of a failed assertion."""
    return "\n".join(line.text for line in run.log[-40:])


def streams_of(run: Run) -> set[str]:
    """The streams that the tap has read."""
    timers = (line.metric for line in run.log if line.metric.get("metric") == "sync_duration")
    return {timer["tags"]["stream"] for timer in timers}


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with all plugins installed: once, whichever worker comes first."""

    def install(folder: Path) -> None:
        run = MeltanoProject(folder).install()
        assert run.exit_code == 0, said(run)

    return made_once(tmp_path_factory, "installed", install)


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory, installed: Path) -> Pipeline:
    """A project of the module's own."""
    return Pipeline(tmp_path_factory.mktemp("project"), installed)


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL server of the module's own, empty at first."""
    binaries = find_binaries()
    if binaries is None:
        (pytest.fail if on_ci() else pytest.skip)(NO_POSTGRES)
    with Postgres(binaries) as running:
        yield running


def into(postgres: Postgres) -> dict[str, str]:
    """The settings of target-postgres for a server, as environment variables."""
    return {
        "TARGET_POSTGRES_HOST": "127.0.0.1",
        "TARGET_POSTGRES_PORT": str(postgres.port),
        "TARGET_POSTGRES_USER": postgres.user,
        "TARGET_POSTGRES_PASSWORD": "any, the server trusts everybody on this machine",
        "TARGET_POSTGRES_DATABASE": postgres.database,
    }
