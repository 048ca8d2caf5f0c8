"""The tap as Meltano runs it, into a real PostgreSQL."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.conftest import settings_for
from tests.documents import every_block
from tests.pipelines.conftest import into, said
from tests.recipes import CHECKS
from tests.sandbox import Grant
from tests.support import GRANT, Altered, canary_sandbox, small_grants
from tests.test_discovery import DEFAULT
from tests.test_records_arrive import truth

if TYPE_CHECKING:
    from tests.documents import Block
    from tests.pipelines.conftest import Pipeline
    from tests.pipelines.postgres import Postgres
    from tests.sandbox.server import Sandbox

RECIPES = [block for block in every_block("sql") if block.document != "docs/models.md"]
LEDGER_PER_YEAR = """
SELECT y.year, sum(e."amountInBaseCurrency"), count(*)
FROM economic.booked_entries AS e
JOIN economic.accounting_years AS y
  ON y."agreementNumber" = e."agreementNumber" AND e.date BETWEEN y."fromDate" AND y."toDate"
GROUP BY y.year ORDER BY y.year
"""


def load(pipeline: Pipeline, sandbox: Sandbox, postgres: Postgres) -> None:
    run = pipeline.run("target-postgres", settings_for(sandbox, "demo"), into(postgres))
    assert run.exit_code == 0, said(run)


@pytest.fixture(scope="module")
def loaded(pipeline: Pipeline, sandbox: Sandbox, postgres: Postgres) -> Postgres:
    """The server with the main company in it."""
    load(pipeline, sandbox, postgres)
    return postgres


@pytest.fixture(scope="module")
def loaded_twice(pipeline: Pipeline, sandbox: Sandbox, loaded: Postgres) -> Postgres:
    """The server after a second run."""
    load(pipeline, sandbox, loaded)
    return loaded


def tables(postgres: Postgres) -> set[str]:
    rows = postgres.query("SELECT tablename FROM pg_tables WHERE schemaname = 'economic'")
    return {name for (name,) in rows}


def counts(postgres: Postgres) -> dict[str, int]:
    """How many rows each table has, but for the one of the runs."""
    one_by_one = [
        f"SELECT '{name}', count(*) FROM economic.\"{name}\""
        for name in tables(postgres)
        if name != "sync_runs"
    ]
    return {name: int(rows) for name, rows in postgres.query(" UNION ALL ".join(one_by_one))}


def held(sandbox: Sandbox) -> dict[str, int]:
    company = sandbox.grants["demo"].company
    return {stream: len(truth(company, stream)) for stream in DEFAULT}


def type_of(postgres: Postgres, table: str, column: str) -> str:
    rows = postgres.query(
        "SELECT data_type FROM information_schema.columns WHERE table_schema = 'economic' "
        f"AND table_name = '{table}' AND column_name = '{column}'"
    )
    return rows[0][0]


def test_every_table_holds_the_rows_of_its_stream(loaded: Postgres, sandbox: Sandbox) -> None:
    assert counts(loaded) == held(sandbox)


@pytest.mark.parametrize(
    ("table", "column", "kind"),
    [
        ("agreements", "agreementNumber", "bigint"),
        ("booked_entries", "amountInBaseCurrency", "numeric"),
        ("booked_entries", "remainder", "numeric"),
        ("accounting_year_totals", "totalInBaseCurrency", "numeric"),
        ("invoices_booked", "grossAmount", "numeric"),
        ("booked_entries", "date", "date"),
        ("accounting_years", "toDate", "date"),
        ("customer_contacts", "lastUpdated", "timestamp without time zone"),
        ("invoices_booked", "recipient", "jsonb"),
    ],
)
def test_columns_have_types_an_accountant_can_trust(
    loaded: Postgres, table: str, column: str, kind: str
) -> None:
    assert type_of(loaded, table, column) == kind


def test_instants_are_stored_as_utc_whatever_the_zone_of_the_server(
    loaded: Postgres, sandbox: Sandbox
) -> None:
    contacts = truth(sandbox.grants["demo"].company, "customer_contacts")
    stored = loaded.query(
        "SELECT number, to_char(\"lastUpdated\", 'YYYY-MM-DD HH24:MI:SS') "
        "FROM economic.customer_contacts ORDER BY number"
    )
    assert stored == [
        [str(row["number"]), f"{row['lastUpdated']:%Y-%m-%d %H:%M:%S}"] for row in contacts
    ]


def test_the_ledger_adds_up_to_zero_in_every_fiscal_year_and_no_entry_is_outside(
    loaded: Postgres,
) -> None:
    years = loaded.query(LEDGER_PER_YEAR)
    assert [year for year, _, _ in years] == ["2023", "2024", "2025/2026a", "2026/2027"]
    assert {float(total) for _, total, _ in years} == {0}
    assert sum(int(entries) for *_, entries in years) == counts(loaded)["booked_entries"]


@pytest.mark.parametrize("block", RECIPES, ids=lambda block: block.title)
def test_a_query_of_the_documents_finds_what_is_there(
    block: Block, loaded: Postgres, sandbox: Sandbox
) -> None:
    CHECKS[block.title](loaded.query(block.text), sandbox.grants["demo"].company)


def test_a_second_run_leaves_the_same_rows(loaded_twice: Postgres, sandbox: Sandbox) -> None:
    assert counts(loaded_twice) == held(sandbox)


def test_a_second_run_writes_recent_and_open_entries_again_and_no_others(
    loaded_twice: Postgres,
) -> None:
    """Recent: from the bookmark less 1,000 numbers. Open: something remains to be settled."""
    rows = loaded_twice.query(
        'SELECT DISTINCT "entryNumber" >= newest - 1000 OR remainder <> 0 AS again, '
        "_sdc_sync_started_at = latest FROM economic.booked_entries, "
        '(SELECT max("entryNumber") AS newest, max(_sdc_sync_started_at) AS latest '
        "FROM economic.booked_entries) AS ends ORDER BY again"
    )
    assert rows == [["f", "f"], ["t", "t"]]


def test_nul_in_a_text_does_not_end_the_load(pipeline: Pipeline, postgres: Postgres) -> None:
    """With what meltano.yml sets for the loader; PostgreSQL itself has no NUL."""

    def alter(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [{**rows[0], "name": "a\0b"}]

    company = Altered(small_grants(GRANT)[GRANT].company, "rest:/units", alter)
    with canary_sandbox({GRANT: Grant(company)}) as sandbox:
        settings = {
            **into(postgres),
            "TARGET_POSTGRES_DEFAULT_TARGET_SCHEMA": "nul",
            "TAP_VISMA_ECONOMIC__SELECT": '["units.*"]',
        }
        run = pipeline.run("target-postgres", settings_for(sandbox, GRANT), settings)
    assert run.exit_code == 0, said(run)
    assert postgres.query("SELECT name FROM nul.units") == [["a\N{REPLACEMENT CHARACTER}b"]]
