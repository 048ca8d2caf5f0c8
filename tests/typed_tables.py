"""What the tap emits as tables of DuckDB with the types of the SCHEMA messages, exact decimals."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import duckdb

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Run

_TYPES = {"integer": "BIGINT", "number": "DECIMAL(38, 8)", "boolean": "BOOLEAN"}
_FORMATS = {"date": "DATE", "date-time": "TIMESTAMP"}


def typed_tables(run: Run, folder: Path, schema: str = "economic") -> duckdb.DuckDBPyConnection:
    """A database in memory with one table per stream.

    Args:
        run: a complete run of the tap.
        folder: where the rows may lie in the meantime.
        schema: the tables' schema.
    """
    connection = duckdb.connect()
    connection.execute(f"CREATE SCHEMA {schema}")
    for stream, message in run.schemas.items():
        columns = {n: _type(c) for n, c in message["schema"]["properties"].items()}
        file = folder / f"{stream}.jsonl"
        rows = run.records[stream]
        file.write_text("".join(json.dumps(row, default=str) + "\n" for row in rows), "utf-8")
        connection.execute(
            f'CREATE TABLE {schema}."{stream}" AS SELECT * FROM '
            f"read_json(?, format='newline_delimited', columns={columns})",
            [str(file)],
        )
    return connection


def _type(column: dict[str, Any]) -> str:
    types = column.get("type", "string")
    plain = [types] if isinstance(types, str) else [kind for kind in types if kind != "null"]
    if len(plain) != 1 or plain[0] in {"object", "array"}:
        return "JSON"
    return _FORMATS.get(column.get("format", ""), _TYPES.get(plain[0], "VARCHAR"))
