"""What the tap emits as tables of DuckDB: made from SCHEMA messages, filled with records."""

from __future__ import annotations

import json
import tempfile
from typing import TYPE_CHECKING, Any

import duckdb

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from tests.conftest import Run

_PLAIN = {"integer": "HUGEINT", "number": "DOUBLE", "boolean": "BOOLEAN", "string": "VARCHAR"}
_EXACT = {**_PLAIN, "integer": "BIGINT", "number": "DECIMAL(38, 8)"}
_FORMATS = {"date": "DATE", "date-time": "TIMESTAMP"}


def load(database: Path, run: Run, schema: str = "economic") -> None:
    """Load the messages of a run into a new database file, rows replaced by key.

    Columns are as target-duckdb 0.8.0 makes them: lower case, money as DOUBLE, days as text.
    """
    with duckdb.connect(str(database)) as connection:
        connection.execute(f"CREATE SCHEMA {schema}")
        for stream, message in run.schemas.items():
            facts = message["schema"]["properties"]
            columns = {name.lower(): _kind(facts[name], _PLAIN) for name in facts}
            keys = message["key_properties"]
            latest = {tuple(row[key] for key in keys): row for row in run.records[stream]}
            lowered = ({n.lower(): value for n, value in r.items()} for r in latest.values())
            _make(connection, f"{schema}.{stream}", columns, lowered, float)


def typed_tables(run: Run, schema: str = "economic") -> duckdb.DuckDBPyConnection:
    """A database in memory with one table per stream, with the schema's types, decimals exact."""
    connection = duckdb.connect()
    connection.execute(f"CREATE SCHEMA {schema}")
    for stream, message in run.schemas.items():
        facts = message["schema"]["properties"]
        columns = {
            name: _FORMATS.get(column.get("format", ""), _kind(column, _EXACT))
            for name, column in facts.items()
        }
        _make(connection, f'{schema}."{stream}"', columns, run.records[stream], str)
    return connection


def _make(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    columns: dict[str, str],
    rows: Iterable[dict[str, Any]],
    number: Callable[[Any], object],
) -> None:
    """Make a table with these rows; `number` makes JSON of a decimal."""
    with tempfile.NamedTemporaryFile("w", suffix=".jsonl", encoding="utf-8") as file:
        file.writelines(json.dumps(row, default=number) + "\n" for row in rows)
        file.flush()
        read = f"read_json(?, format='newline_delimited', columns={columns})"
        connection.execute(f"CREATE TABLE {table} AS SELECT * FROM {read}", [file.name])


def _kind(column: dict[str, Any], names: dict[str, str]) -> str:
    types = column.get("type", "string")
    plain = [types] if isinstance(types, str) else [kind for kind in types if kind != "null"]
    return names.get(plain[0], "JSON") if len(plain) == 1 else "JSON"
