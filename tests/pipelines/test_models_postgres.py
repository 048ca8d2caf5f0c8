"""The dbt package in `models/` over what Meltano and target-postgres have loaded."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.books_of import Books
from tests.conftest import settings_for
from tests.dbt import Project
from tests.pipelines.conftest import into, said
from tests.sandbox.books.calendar import TODAY
from tests.test_models import GRANTS, STREAMS

if TYPE_CHECKING:
    from pathlib import Path

    from tests.pipelines.conftest import Pipeline
    from tests.pipelines.postgres import Postgres
    from tests.sandbox.server import Sandbox

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def reports(
    pipeline: Pipeline,
    sandbox: Sandbox,
    postgres: Postgres,
    tmp_path_factory: pytest.TempPathFactory,
) -> Postgres:
    """A server with two companies' tables, and the reports in the schema economic_reports."""
    only = {"TAP_VISMA_ECONOMIC__SELECT": "[" + ", ".join(f'"{s}.*"' for s in STREAMS) + "]"}
    settings = settings_for(sandbox, *GRANTS)
    run = pipeline.run("target-postgres", settings, {**into(postgres), **only})
    assert run.exit_code == 0, said(run)
    built = build(tmp_path_factory.mktemp("dbt"), postgres)
    assert built == ({"success", "pass"}, 0)
    return postgres


def build(folder: Path, postgres: Postgres) -> tuple[set[str], int]:
    """Run `dbt build` with the loader's own environment; return what its nodes ended with."""
    built = Project(folder, "postgres", into(postgres)).build(as_of_date=f"{TODAY}")
    assert built.statuses, built.text
    failed = built.of("error") + built.of("fail") + built.of("warn")
    assert failed == [], built.text
    return set(built.statuses.values()), built.exit_code


def test_money_is_numeric(reports: Postgres) -> None:
    kinds = reports.query(
        "SELECT DISTINCT data_type FROM information_schema.columns "
        "WHERE table_schema = 'economic_reports'"
    )
    assert ["numeric"] in kinds
    assert not {"double precision", "real"} & {kind for (kind,) in kinds}


def test_names_need_no_quotes(reports: Postgres) -> None:
    names = reports.query(
        "SELECT column_name FROM information_schema.columns "
        "WHERE table_schema = 'economic_reports' AND column_name <> lower(column_name)"
    )
    assert names == []


def test_the_trial_balance_is_that_of_the_books(reports: Postgres, sandbox: Sandbox) -> None:
    rows = reports.query(
        "SELECT agreement_number, accounting_year, period_number, account_number, closing_balance "
        "FROM economic_reports.trial_balance WHERE closing_balance <> 0"
    )
    found = {tuple(row[:-1]): float(row[-1]) for row in rows}
    wanted: dict[tuple[str, ...], float] = {}
    for grant in GRANTS:
        balances = Books(sandbox.grants[grant].company).closing_balances()  # type: ignore[arg-type]
        wanted |= {tuple(map(str, key)): float(a) for key, a in balances.items() if a}
    assert found == wanted


def test_a_second_build_makes_the_same_reports(
    reports: Postgres, tmp_path_factory: pytest.TempPathFactory
) -> None:
    ageing = "SELECT * FROM economic_reports.receivables_ageing ORDER BY 1, 2"
    first = reports.query(ageing)
    assert first
    build(tmp_path_factory.mktemp("again"), reports)
    assert reports.query(ageing) == first
