"""Some weeks of a company through Meltano into a real PostgreSQL.

After every run it equals the books, value by value; deleted rows are gone where a stream was read
in full. `tests/test_a_year.py` lives a whole year, with a warehouse of the tests' own.
"""

from __future__ import annotations

import datetime as dt
import json
import os
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from tests.conftest import settings_for
from tests.life import Life
from tests.pipelines.conftest import into, said
from tests.sandbox.grants import Grant
from tests.sandbox.server import Sandbox
from tests.test_discovery import CONTRACT
from tests.warehouse import Warehouse, key_of

if TYPE_CHECKING:
    from tests.pipelines.conftest import Pipeline
    from tests.pipelines.postgres import Postgres

pytestmark = pytest.mark.slow

SEED = int(os.environ.get("YEAR_SEED", "2025"))
ROUNDS = 6
STREAMS = (
    "accounts",
    "attached_documents",
    "booked_entries",
    "booked_entry_dimension_changes",
    "booked_entry_dimensions",
    "customer_contacts",
    "customers",
    "invoices_booked",
    "invoices_booked_lines",
    "invoices_drafts",
    "matched_entries",
    "orders_drafts",
    "orders_sent",
    "projects",
    "suppliers",
    "time_entries",
)
FULL = {stream for stream in STREAMS if CONTRACT[stream]["replication"] == "full"}


def rows_in(postgres: Postgres, stream: str, schema: str = "economic") -> list[dict[str, Any]]:
    """The rows of a table as records: instants in UTC, and what is empty left out."""
    rows = []
    for (text,) in postgres.query(f'SELECT row_to_json(t) FROM {schema}."{stream}" AS t'):
        row = json.loads(text, parse_float=Decimal)
        rows.append({k: v for k, v in row.items() if v is not None and not k.startswith("_sdc_")})
    instants = _instants(postgres, stream, schema)
    for row in rows:
        for name in instants & row.keys():
            at = dt.datetime.fromisoformat(row[name]).replace(tzinfo=dt.timezone.utc)
            row[name] = at.isoformat().replace("+00:00", "Z")
    return rows


def _instants(postgres: Postgres, stream: str, schema: str) -> set[str]:
    columns = postgres.query(
        f"SELECT column_name FROM information_schema.columns WHERE table_schema = '{schema}' "
        f"AND table_name = '{stream}' AND data_type LIKE 'timestamp%'"
    )
    return {name for (name,) in columns}


def test_after_every_run_of_some_weeks_the_tables_equal_the_books(
    pipeline: Pipeline, postgres: Postgres, warm_tap: Any
) -> None:
    life = Life(SEED, entries=1200)
    with Sandbox({"demo": Grant(life.company)}, clock=life.clock) as sandbox:
        config = settings_for(sandbox, "demo", emit_activate_version_messages=True)
        target = {
            **into(postgres),
            "TARGET_POSTGRES_ACTIVATE_VERSION": "true",
            "TARGET_POSTGRES_HARD_DELETE": "true",
            "TAP_VISMA_ECONOMIC__SELECT": json.dumps([f"{stream}.*" for stream in STREAMS]),
        }
        tables = Warehouse(warm_tap, sandbox, life.company, *STREAMS)
        for number in range(ROUNDS):
            run = pipeline.run("target-postgres", config, target)
            assert run.exit_code == 0, said(run)
            wrong = []
            for stream in STREAMS:
                rows = rows_in(postgres, stream)
                tables.tables[stream] = {key_of(stream, row): row for row in rows}
                wrong += tables.wrong_in(stream, gone=number == 0 or stream in FULL)
            happened = ", ".join(life.happened)
            assert not wrong, f"YEAR_SEED={SEED}, round {number}: after {happened}: {wrong[:5]}"
            life.loaded()
            for _ in range(3):
                life.dawns()
                for _ in range(3):
                    life.happens()
            life.pass_time(dt.timedelta(days=7))
