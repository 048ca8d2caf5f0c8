"""What a new set of schema files changes against the one that is there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

Json = dict[str, Any]


def compare(old: Json, new: Json) -> Iterator[str]:
    """One line per difference between two schema files of a stream."""
    before, after = dict(_flatten(old, "")), dict(_flatten(new, ""))
    for path, column in after.items():
        if path not in before:
            yield f"added {path}: {_kind(column)}"
    for path, column in before.items():
        if path not in after:
            yield f"removed {path}: {_kind(column)}"
    for path, column in after.items():
        if path in before and before[path] != column:
            yield from _column_changes(path, before[path], column)
    for word in ("x-source-document", "x-omit", "required"):
        if old.get(word) != new.get(word):
            yield f"{word}: {old.get(word)} -> {new.get(word)}"
    if list(before) != list(after) and sorted(before) == sorted(after):
        yield "the order of the columns"


def _column_changes(path: str, old: Json, new: Json) -> Iterator[str]:
    if _kind(old) != _kind(new):
        yield f"changed {path}: {_kind(old)} -> {_kind(new)}"
    for word in sorted((old.keys() | new.keys()) - {"type", "format"}):
        if old.get(word) != new.get(word):
            yield f"changed {path}: {word} {old.get(word)} -> {new.get(word)}"


def _flatten(schema: Json, path: str) -> Iterator[tuple[str, Json]]:
    """Every property below a schema, by its dotted path, without what is below it."""
    for name, column in schema.get("properties", {}).items():
        yield from _flatten_column(column, f"{path}.{name}" if path else name)


def _flatten_column(column: Json, path: str) -> Iterator[tuple[str, Json]]:
    yield (
        path,
        {word: value for word, value in column.items() if word not in {"properties", "items"}},
    )
    yield from _flatten(column, path)
    if "items" in column:
        yield from _flatten_column(column["items"], f"{path}[]")


def _kind(column: Json) -> str:
    kinds = column["type"]
    kind = kinds if isinstance(kinds, str) else " or ".join(kinds)
    return f"{kind} ({column['format']})" if "format" in column else kind
