"""What has to be done to a row to make it the tap's record, by the stream's schema file.

The stock tap and the bare loop do this, so that all contenders deliver the same records. It
touches only what differs, in place: less than that cannot be done. Absent values stay absent; in
Singer that is the same as null. It takes well-behaved rows for granted, which the tap does not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tap_visma_economic import schemas

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Row = dict[str, Any]

_DAY = len("2026-01-31")


def shaper(stream: str, agreement: int) -> Callable[[Row], Row]:
    """Return a function that makes a row of a stream its record.

    Args:
        stream: the name of a stream without nested objects of its own.
        agreement: the agreementNumber that every record carries.
    """
    columns = schemas.load(stream)["properties"]
    lifted = [
        (name, *column["x-source"].split("."))
        for name, column in columns.items()
        if "x-source" in column
    ]
    links = list(_links(columns))
    days = [name for name, column in columns.items() if column.get("format") == "date"]
    padded = [name for name, column in columns.items() if "x-trim" in column]
    absent = {name: False for name, column in columns.items() if column["type"] == "boolean"}

    def shape(row: Row) -> Row:
        for name, outer, inner in lifted:
            if outer in row:
                row[name] = row[outer].get(inner)
        for name, inner in links:
            (row.get(name, {}) if inner else row).pop(inner or name, None)
        for name in days:
            if name in row:
                row[name] = row[name][:_DAY]
        for name in padded:
            if name in row:
                row[name] = row[name].strip()
        row["agreementNumber"] = agreement
        return absent | row

    return shape


def _links(columns: Row) -> Iterator[tuple[str, str | None]]:
    """Yield the columns that are links, and the links in those that are objects."""
    for name, column in columns.items():
        if "x-link" in column:
            yield name, None
        else:
            inside = column.get("properties", {})
            yield from ((name, inner) for inner, part in inside.items() if "x-link" in part)
