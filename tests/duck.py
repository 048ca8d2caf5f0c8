"""A small DuckDB target: tables from SCHEMA messages, rows replaced by key.

Columns are as target-duckdb 0.8.0 makes them: lower case, money as DOUBLE, days as text.
"""

from __future__ import annotations

import json
import tempfile
from typing import TYPE_CHECKING, Any

import duckdb

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from tests.conftest import Message, Run


def load(database: Path, run: Run, schema: str = "economic") -> None:
    """Load the messages of a run into a new database file."""
    with duckdb.connect(str(database)) as connection:
        connection.execute(f"CREATE SCHEMA {schema}")
        for stream, message in run.schemas.items():
            _make(connection, f"{schema}.{stream}", message, run.records[stream])


def _make(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    message: Message,
    records: Iterable[dict[str, Any]],
) -> None:
    facts = message["schema"]["properties"]
    columns = {name.lower(): _kind(facts[name]) for name in facts}
    declared = ", ".join(f'"{name}" {kind}' for name, kind in columns.items())
    connection.execute(f"CREATE TABLE {table} ({declared})")
    keys = message["key_properties"]
    latest = {tuple(row[key] for key in keys): row for row in records}
    with tempfile.NamedTemporaryFile("w", suffix=".jsonl", encoding="utf-8") as file:
        for row in latest.values():
            written = {name.lower(): value for name, value in row.items()}
            file.write(json.dumps(written, default=float) + "\n")
        file.flush()
        if latest:
            connection.execute(
                f"INSERT INTO {table} "
                f"SELECT * FROM read_json(?, format='newline_delimited', columns={columns})",
                [file.name],
            )


def _kind(facts: dict[str, Any]) -> str:
    kinds = facts["type"] if isinstance(facts["type"], list) else [facts["type"]]
    kind = next(kind for kind in kinds if kind != "null")
    written = {"integer": "HUGEINT", "number": "DOUBLE", "boolean": "BOOLEAN", "string": "VARCHAR"}
    return written.get(kind, "JSON")
