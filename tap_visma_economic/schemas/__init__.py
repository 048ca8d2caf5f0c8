"""The schema of every stream, one file each, written by `scripts/update_schemas.py`.

A file is the JSON Schema of the record the tap emits, with keywords of its own for the tap:

* `x-source-document`: where the properties are documented
* `x-stamp`: the path parameter a column is filled from
* `x-source`: where in the enclosing object a lifted column comes from (`customer.customerNumber`)
* `x-trim`: blanks around the value are no part of it
* `x-link`: a link or an object of links, left out unless `include_links` is set
* `x-omit`: properties of the object that are served but never emitted, a token among them
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache, partial
from importlib.resources import files
from typing import Any

import msgspec

_FILES = files(__name__)


def _read(name: str) -> Any:
    return msgspec.json.decode(_FILES.joinpath(f"{name}.json").read_bytes())


MODULE_VERSIONS: dict[str, str] = _read("modules")
"""The version of each OpenAPI module that the schema files describe."""

NEWER_VERSIONS: dict[str, dict[str, dict[str, Any]]] = _read("newer_versions")
"""By module and newer version: the properties that are known to be added to its streams."""

DECIMAL = {
    "type": ["string", "null"],
    "format": "x-singer.decimal",
    "precision": 38,
    "scale": 18,
}
"""How the SDK's targets know a decimal number; without both limits one is rounded."""

_DECIMALS: dict[str, dict[str, Any]] = {
    "number": {"type": ["number", "null"]},
    "string": {"type": ["string", "null"]},
    DECIMAL["format"]: DECIMAL,  # type: ignore[dict-item]
}


@cache
def load(stream_name: str) -> dict[str, Any]:
    """Return the schema file of a stream as it is: shared by all callers, do not change it."""
    schema: dict[str, Any] = _read(stream_name)
    return schema


def described(stream_name: str, module: str, version: str) -> dict[str, Any]:
    """Return a stream's schema file with what newer versions of its module, up to this one, add."""
    raw = load(stream_name)
    added: dict[str, Any] = {}
    for newer, streams in NEWER_VERSIONS.get(module, {}).items():
        if _numbers(newer) <= _numbers(version):
            added |= streams.get(stream_name, {})
    return {**raw, "properties": {**raw["properties"], **added}} if added else raw


def is_described(module: str, version: str) -> bool:
    """Return whether it is known what a version of a module serves."""
    return version == MODULE_VERSIONS[module] or version in NEWER_VERSIONS.get(module, {})


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))


def extended(raw: dict[str, Any], wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Return a schema file, or any part of it, with the properties that a catalog's schema adds.

    A link or a reference that is left out otherwise stays if the catalog has more of it.
    """
    made = dict(raw)
    columns: dict[str, Any] = raw.get("properties", {})
    if columns:
        made["properties"] = dict(columns)
        for name, column in (wanted.get("properties") or {}).items():
            if name not in raw.get("x-omit", ()):
                known = columns.get(name)
                plain = with_decimals(column, "number")
                made["properties"][name] = extended(known, column) if known else plain
    if raw.get("items") and wanted.get("items"):
        made["items"] = extended(raw["items"], wanted["items"])
    if made != raw:
        made.pop("x-link", None)
    return made if made != raw else raw


def with_decimals(schema: Mapping[str, Any], decimals: str) -> dict[str, Any]:
    """Return a plain JSON Schema whose numbers have the form that the setting `decimals` names."""
    if schema.get("format") == DECIMAL["format"] or "number" in schema.get("type", ()):
        made = {word: schema[word] for word in schema if word not in DECIMAL}
        return {**made, **_DECIMALS[decimals]}
    return _inside(schema, partial(with_decimals, decimals=decimals))


def catalog_schema(raw: dict[str, Any], *, include_links: bool) -> dict[str, Any]:
    """Return a schema file, or any part of it, as plain JSON Schema for the catalog and SCHEMA."""
    schema = {word: value for word, value in raw.items() if not word.startswith("x-")}
    if schema.get("type") == "boolean":  # absent means false, but a null is to pass as it is
        schema["type"] = ["boolean", "null"]
    if "properties" in schema and not include_links:
        columns = schema["properties"].items()
        schema["properties"] = {name: column for name, column in columns if "x-link" not in column}
    return _inside(schema, partial(catalog_schema, include_links=include_links))


def _inside(
    schema: Mapping[str, Any], change: Callable[[dict[str, Any]], dict[str, Any]]
) -> dict[str, Any]:
    """Return a schema with the schemas of its properties and items changed."""
    made = dict(schema)
    if "properties" in schema:
        made["properties"] = {name: change(part) for name, part in schema["properties"].items()}
    if "items" in schema:
        made["items"] = change(schema["items"])
    return made
