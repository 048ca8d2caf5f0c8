"""A small DuckDB target: tables from SCHEMA messages, rows replaced by key, decimals kept.

Names are written as a loader would: `kept` as target-postgres does, `lower` as target-duckdb does.
"""

from __future__ import annotations

import json
import tempfile
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import duckdb

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from tests.conftest import Message, Run

NAMINGS: dict[str, Callable[[str], str]] = {"kept": str, "lower": str.lower, "upper": str.upper}


def load(database: Path, run: Run, naming: str = "kept", schema: str = "economic") -> None:
    """Load the messages of a run into a database file, made if it is not there."""
    write = NAMINGS[naming]
    with duckdb.connect(str(database)) as connection:
        connection.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
        for stream, message in run.schemas.items():
            _make(connection, f"{schema}.{stream}", message, run.records[stream], write)


def _make(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    message: Message,
    records: Iterable[dict[str, Any]],
    write: Callable[[str], str],
) -> None:
    columns = {name: _kind(facts) for name, facts in message["schema"]["properties"].items()}
    declared = ", ".join(f'"{write(name)}" {kind}' for name, kind in columns.items())
    connection.execute(f"CREATE TABLE IF NOT EXISTS {table} ({declared})")
    keys = message["key_properties"]
    latest = {tuple(row[key] for key in keys): row for row in records}
    with tempfile.NamedTemporaryFile("w", suffix=".jsonl", encoding="utf-8") as file:
        for row in latest.values():
            written = {write(name): _value(value) for name, value in row.items()}
            file.write(json.dumps(written, default=float) + "\n")
        file.flush()
        kinds = {write(name): kind for name, kind in columns.items()}
        if latest:
            connection.execute(
                f"INSERT INTO {table} "
                f"SELECT * FROM read_json(?, format='newline_delimited', columns={kinds})",
                [file.name],
            )


def _kind(facts: dict[str, Any]) -> str:
    kinds = facts["type"] if isinstance(facts["type"], list) else [facts["type"]]
    kind = next(kind for kind in kinds if kind != "null")
    if kind == "string":
        return {"date": "DATE", "date-time": "TIMESTAMPTZ"}.get(facts.get("format", ""), "VARCHAR")
    return {"integer": "BIGINT", "number": "DECIMAL(28,6)", "boolean": "BOOLEAN"}.get(kind, "JSON")


def _value(value: Any) -> Any:
    return str(value) if isinstance(value, Decimal) else value  # as text it keeps all its digits
