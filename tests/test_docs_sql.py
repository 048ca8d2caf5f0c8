"""The SQL of the documents, run on DuckDB over what the tap emits."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pytest

from tests.conftest import WarmTapRunner
from tests.documents import every_block
from tests.duck import typed_tables
from tests.recipes import CHECKS

if TYPE_CHECKING:
    import duckdb

    from tests.documents import Block
    from tests.sandbox.server import Sandbox

QUERIES = [block for block in every_block("sql") if block.document != "docs/models.md"]
"""All but those over the reports of dbt, which tests/test_models.py runs."""

RECIPES = [block for block in QUERIES if block.title != "living_customers.sql"]
"""All but the one that needs a target's column _sdc_sync_started_at."""


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory, sandbox: Sandbox) -> duckdb.DuckDBPyConnection:
    """The default streams of the main company."""
    tap = WarmTapRunner(tmp_path_factory.mktemp("tables"))
    return typed_tables(tap.read(sandbox, grants=["demo"]))


def test_every_query_has_a_check() -> None:
    assert {block.title for block in QUERIES} == set(CHECKS)


@pytest.mark.parametrize("block", RECIPES, ids=lambda block: block.title)
def test_a_query_finds_what_is_there(
    block: Block, tables: duckdb.DuckDBPyConnection, sandbox: Sandbox
) -> None:
    rows = tables.execute(block.text).fetchall()
    CHECKS[block.title](rows, sandbox.grants["demo"].company)


@pytest.mark.parametrize("year", ["2023", "2024", "2025/2026a", "2026/2027"])
def test_the_trial_balance_of_another_year_needs_only_the_marked_line(
    year: str, tables: duckdb.DuckDBPyConnection
) -> None:
    (query,) = [block.text for block in QUERIES if block.title == "trial_balance.sql"]
    chosen = query.replace("""-- WHERE y."year" = '2025'""", f"""WHERE y."year" = '{year}'""")
    rows = tables.execute(chosen).fetchall()
    assert {row[1] for row in rows} == {year}
    assert rows[-1][3:] == ("Total", 0, 0, 0)


def test_documented_queries_show_two_decimals(tables: duckdb.DuckDBPyConnection) -> None:
    """Whatever the column keeps: no amount comes out of a query with more."""
    for block in RECIPES:
        kinds = [str(column[1]) for column in tables.execute(block.text).description or ()]
        wide = [kind for kind in kinds if "DECIMAL" in kind and not kind.endswith(",2)")]
        assert not wide, (block.title, kinds)


def test_what_a_deleted_customer_owes_is_still_a_line(tables: duckdb.DuckDBPyConnection) -> None:
    (query,) = [block.text for block in QUERIES if block.title == "ageing.sql"]
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
    (query,) = [block.text for block in QUERIES if block.title == "ageing.sql"]
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
