"""The plugins of docs/recipes/companies.md: two companies, each with a schema and a state."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

import pytest
import yaml

from scripts.local import environment
from tests.conftest import settings_for
from tests.documents import blocks
from tests.pipelines.conftest import NO_HUB, Pipeline, into, said
from tests.test_records_arrive import truth

if TYPE_CHECKING:
    from pathlib import Path

    from scripts.local import Run
    from tests.pipelines.postgres import Postgres
    from tests.sandbox.server import Sandbox

pytestmark = pytest.mark.slow  # several runs of Meltano into PostgreSQL

BLOCKS = [b for b in blocks("docs/recipes/companies.md") if b.section == "A schema for each"]
(PLUGINS,) = (yaml.safe_load(b.text)["plugins"] for b in BLOCKS if b.language == "yaml")
COMMANDS = [
    shlex.split(line)[1:]
    for block in BLOCKS
    if block.language == "sh" and not block.title
    for line in block.text.splitlines()
]
GRANTS = {"nordlys": "demo", "vestkyst": "demo-2"}


class Fleet:
    """A project with the plugins of the page, and somebody else's token in the environment."""

    def __init__(self, folder: Path, installed: Path, sandbox: Sandbox, postgres: Postgres) -> None:
        self.project = Pipeline(folder, installed).project
        file = self.project.folder / "meltano.yml"
        declared = yaml.safe_load(file.read_text("utf-8"))
        for kind, plugins in PLUGINS.items():
            declared["plugins"][kind] += plugins
        file.write_text(yaml.safe_dump(declared), "utf-8")
        stray = environment(settings_for(sandbox, "demo-3"))
        own = {f"{name.upper()}_GRANT_TOKEN": grant for name, grant in GRANTS.items()}
        self.settings = {**NO_HUB, **into(postgres), **stray, **own}

    def run(self, command: list[str], **changed: str) -> Run:
        return self.project.meltano({**self.settings, **changed}, *command)


@pytest.fixture(scope="module")
def fleet(
    sandbox: Sandbox,
    postgres: Postgres,
    installed: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Fleet:
    """Both companies, loaded by the commands of the page."""
    fleet = Fleet(tmp_path_factory.mktemp("fleet") / "project", installed, sandbox, postgres)
    for command in COMMANDS:
        run = fleet.run(command)
        assert run.exit_code == 0, said(run)
    return fleet


@pytest.mark.parametrize("schema", GRANTS)
def test_a_schema_holds_its_company_and_no_other(
    fleet: Fleet, postgres: Postgres, sandbox: Sandbox, schema: str
) -> None:
    company = sandbox.grants[GRANTS[schema]].company
    for stream in ("agreements", "booked_entries", "customers"):
        held = postgres.query(
            f'SELECT "agreementNumber", count(*) FROM {schema}.{stream} GROUP BY 1'
        )
        assert held == [[str(company.agreement_number), str(len(truth(company, stream)))]]


def test_each_company_has_a_state_of_its_own(fleet: Fleet) -> None:
    run = fleet.run(COMMANDS[0])
    assert run.exit_code == 0, said(run)
    rows = {
        line.metric["tags"]["stream"]: line.metric["value"]
        for line in run.log
        if line.metric.get("metric") == "record_count"
    }
    assert 0 < rows["booked_entries"] < 2_000  # it went on from its bookmark


def test_without_its_token_a_company_is_not_read_and_nobody_else_is(
    fleet: Fleet, postgres: Postgres
) -> None:
    before = postgres.query("SELECT count(*) FROM vestkyst.agreements")
    run = fleet.run(COMMANDS[1], VESTKYST_GRANT_TOKEN="")
    assert run.exit_code == 1
    assert "agreement_grant_token is missing" in said(run)
    assert postgres.query("SELECT count(*) FROM vestkyst.agreements") == before
