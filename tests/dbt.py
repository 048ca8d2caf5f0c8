"""dbt in an environment of its own, made once, and runs of the package in `models/`.

dbt and Meltano do not agree on their dependencies, so they cannot live in one environment.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

from tests import venvs
from tests.conftest import clean_environment

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "models"
REQUIREMENTS = (
    "dbt-core>=1.11,<1.12",  # 1.12 fetches a part of itself from elsewhere while it is installed
    "dbt-duckdb>=1.10,<1.12",
    "dbt-postgres>=1.9,<1.12",
    # the tests and dbt open the same database file
    f"duckdb=={importlib.metadata.version('duckdb')}",
)
OLDEST = ("dbt-core==1.8.*", "dbt-postgres==1.8.*")
"""The oldest dbt that `models/dbt_project.yml` accepts."""

PATIENCE = 240


def executable(requirements: tuple[str, ...] = REQUIREMENTS, name: str = "dbt") -> Path:
    """The program `dbt`; installed when it is first asked for."""
    return venvs.bin_of(name, requirements) / "dbt"


def call(
    command: list[str], folder: Path, environment: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    """Run a dbt command in a folder, with nothing of the caller's own dbt."""
    kept = {
        name: value
        for name, value in clean_environment().items()
        if not name.startswith(("DBT_", "TARGET_", "ECONOMIC_"))
    }
    return subprocess.run(
        command,
        capture_output=True,
        text=True,
        cwd=folder,
        env={**kept, "DBT_SEND_ANONYMOUS_USAGE_STATS": "false", **environment},
        timeout=PATIENCE,
        check=False,
    )


@dataclass(frozen=True)
class Built:
    """What became of a dbt command: its exit code, what it said, and each node's status."""

    exit_code: int
    text: str
    statuses: dict[str, str]

    def of(self, status: str) -> list[str]:
        """The nodes that ended with a status, by their short names."""
        return sorted(node for node, ended in self.statuses.items() if ended == status)


class Project:
    """The dbt package as somebody runs it, with its own folder for what dbt writes.

    Args:
        folder: where dbt writes.
        target: duckdb or postgres, as in `models/profiles.yml`.
        environment: what the profile reads from the environment.
    """

    def __init__(self, folder: Path, target: str, environment: Mapping[str, str]) -> None:
        self.folder = folder
        self.target = target
        self.environment = environment

    def build(self, *arguments: str, **variables: Any) -> Built:
        """Run `dbt build` with these variables."""
        command = [
            str(executable()),
            "--quiet",
            "--no-use-colors",
            "build",
            f"--project-dir={PACKAGE}",
            f"--profiles-dir={PACKAGE}",
            f"--target={self.target}",
            f"--target-path={self.folder / 'target'}",
            f"--log-path={self.folder / 'logs'}",
            f"--vars={json.dumps(variables)}",
            *arguments,
        ]
        done = call(command, self.folder, self.environment)
        return Built(done.returncode, done.stdout + done.stderr, self._statuses())

    def _statuses(self) -> dict[str, str]:
        results = self.folder / "target" / "run_results.json"
        if not results.exists():
            return {}
        nodes = json.loads(results.read_text())["results"]
        return {node["unique_id"].split(".")[2]: node["status"] for node in nodes}


class Tables:
    """A DuckDB file with raw tables, and the reports that dbt makes of them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.database = folder / "warehouse.duckdb"

    def run(self, *statements: str) -> None:
        """Run statements over the raw tables."""
        with duckdb.connect(str(self.database)) as connection:
            for statement in statements:
                connection.execute(statement)

    def build(self, *arguments: str, code: int | None = 0, **variables: Any) -> Built:
        """Run `dbt build` to this exit code; None: to any."""
        project = Project(self.folder, "duckdb", {"ECONOMIC_DUCKDB": str(self.database)})
        built = project.build(*arguments, **variables)
        assert code in {None, built.exit_code}, built.text
        return built

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """What a query over the reports answers."""
        with duckdb.connect(str(self.database), read_only=True) as connection:
            connection.execute("SET schema = 'economic_reports'")
            return connection.execute(sql).fetchall()


def on_ci() -> bool:
    """Whether nothing may be skipped."""
    return os.environ.get("CI", "").lower() in {"1", "true"}
