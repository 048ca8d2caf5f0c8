"""The SQL of the documents, run on DuckDB over what the tap emits."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pytest

from tests.conftest import TapRunner, settings_for
from tests.documents import every_block
from tests.duck import typed_tables
from tests.recipes import CHECKS

if TYPE_CHECKING:
    import duckdb

    from tests.documents import Block
    from tests.sandbox.server import Sandbox

QUERIES = [block for block in every_block("sql") if block.document != "docs/models.md"]
"""All but those over the reports of dbt, which tests/test_models.py runs."""

RECIPES = [b for b in QUERIES if b.title not in {"duckdb.sql", "living_customers.sql"}]
"""All but those that need a target: its files, or its column _sdc_sync_started_at."""


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory, sandbox: Sandbox) -> duckdb.DuckDBPyConnection:
    """The default streams of the main company."""
    folder = tmp_path_factory.mktemp("tables")
    run = TapRunner(folder)(settings_for(sandbox, "demo"))
    assert run.exit_code == 0, run.stderr
    return typed_tables(run)


def test_every_query_has_a_check() -> None:
    assert {block.title for block in QUERIES} == set(CHECKS)


@pytest.mark.parametrize("block", RECIPES, ids=lambda block: block.title)
def test_a_query_finds_what_is_there(
    block: Block, tables: duckdb.DuckDBPyConnection, sandbox: Sandbox
) -> None:
    rows = tables.execute(block.text).fetchall()
    CHECKS[block.title](rows, sandbox.grants["demo"].company)


def test_what_a_deleted_customer_owes_is_still_a_line(tables: duckdb.DuckDBPyConnection) -> None:
    (query,) = [block.text for block in RECIPES if block.title == "ageing.sql"]
    whole = tables.execute(query).fetchall()
    tables.execute("BEGIN")
    tables.execute('DELETE FROM economic.customers WHERE "customerNumber" = ?', [whole[0][1]])
    rows = tables.execute(query).fetchall()
    tables.execute("ROLLBACK")
    assert [row[-1] for row in rows] == [row[-1] for row in whole]
    assert rows[0][2] is None


@pytest.mark.parametrize(
    ("late", "column"),
    [(0, 3), (1, 4), (30, 4), (31, 5), (60, 5), (61, 6), (90, 6), (91, 7)],
)
def test_an_open_item_stands_in_the_column_of_its_age(
    late: int, column: int, tables: duckdb.DuckDBPyConnection
) -> None:
    """Of a customer with one open item, so many days after it was due."""
    (query,) = [block.text for block in RECIPES if block.title == "ageing.sql"]
    found = tables.execute(
        'SELECT "customerNumber", max(coalesce("dueDate", "date")) FROM economic.booked_entries '
        'WHERE "customerNumber" IS NOT NULL AND remainder <> 0 GROUP BY ALL '
        'HAVING count(*) = 1 ORDER BY "customerNumber" LIMIT 1'
    ).fetchone()
    assert found
    customer, due = found
    day = due + dt.timedelta(days=late)
    rows = tables.execute(query.replace("CURRENT_DATE", f"DATE '{day}'")).fetchall()
    (row,) = [row for row in rows if row[1] == customer]
    assert row[column] == row[8] != 0
    assert [amount for place, amount in enumerate(row[3:8], start=3) if place != column] == [0] * 4
