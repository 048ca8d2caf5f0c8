"""What makes a row the tap's record, by the stream's schema file, with as little as can be done.

The stock tap and the bare loop do this, so that all contenders deliver the same records. It takes
well-behaved rows for granted, which the tap does not. Absent values stay absent; in Singer that is
the same as null.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from bench.listings import AGREEMENT
from bench.measure import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable

Row = dict[str, Any]


def shaper(stream: str) -> Callable[[Row], Row]:
    """Return a function that makes a row of a stream its record, in place."""
    schema = ROOT / "tap_visma_economic" / "schemas" / f"{stream}.json"
    shape = _shaper(json.loads(schema.read_text(encoding="utf-8"))["properties"])

    def record(row: Row) -> Row:
        shape(row)
        row["agreementNumber"] = AGREEMENT
        return row

    return record


def _shaper(columns: dict[str, Row]) -> Callable[[Row], None]:
    sources = {name: it["x-source"].split(".") for name, it in columns.items() if "x-source" in it}
    links = [name for name, it in columns.items() if "x-link" in it]
    edits: dict[str, Callable[[str], str]] = {
        n: str.strip for n in columns if "x-trim" in columns[n]
    }
    edits |= {n: _day for n in columns if columns[n].get("format") == "date"}
    flags = [name for name, it in columns.items() if it["type"] == "boolean"]
    nested = {n: it["properties"] for n, it in columns.items() if it.get("properties")}
    inside = {name: _shaper(nested[name]) for name in nested if name not in links}

    def shape(row: Row) -> None:
        for name, (outer, inner) in sources.items():
            if outer in row:
                row[name] = row[outer].get(inner)
        for name in links:
            row.pop(name, None)
        for name in edits.keys() & row.keys():
            row[name] = edits[name](row[name])
        for name in flags:
            row.setdefault(name, False)
        for name in inside.keys() & row.keys():
            inside[name](row[name])

    return shape


def _day(moment: str) -> str:
    return moment[: len("2026-01-31")]
