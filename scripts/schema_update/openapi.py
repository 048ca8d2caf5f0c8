"""Reading the documents of the newer API: OpenAPI 3.0 or 3.1.

One file per module, named after the module: `openapi/specs/<module>.json`.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from scripts.schema_update.tree import DATE_FORMATS, Node, as_list, one_type

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from scripts.schema_update.tree import Stream

Json = dict[str, Any]


def module_version(directory: Path, module: str) -> str | None:
    """The version of a module: the one in its server's address, else the document's own."""
    file = _spec_file(directory, module)
    if file is None:
        return None
    spec = json.loads(file.read_text(encoding="utf-8"))
    for server in spec.get("servers", ()):
        if match := re.search(r"/v(\d+\.\d+\.\d+)/?$", server["url"]):
            return match[1]
    return str(spec["info"]["version"]).removeprefix("v")


def _spec_file(directory: Path, module: str) -> Path | None:
    specs = directory / "openapi" / "specs"
    return next(
        (file for file in sorted(specs.glob("*.json")) if file.stem.lower() == module.lower()),
        None,
    )


def read_spec(directory: Path, stream: Stream) -> tuple[str, Node] | None:
    """The name of a stream's document and the record it describes, None where it is missing."""
    file = _spec_file(directory, str(stream.module))
    if file is None:
        return None
    spec = json.loads(file.read_text(encoding="utf-8"))
    paths = {path.lower(): item for path, item in spec["paths"].items()}
    # AccountingYears is listed at /AccountingYears/paged only.
    wanted = (stream.path.lower(), f"{stream.path.lower()}/paged")
    operation = next((paths[path]["get"] for path in wanted if "get" in paths.get(path, {})), None)
    if operation is None:
        return None
    content = operation["responses"]["200"]["content"]
    schema = _resolve(spec, next(iter(content.values()))["schema"])
    if {"items", "cursor"} <= set(schema.get("properties", ())):
        schema = _resolve(spec, schema["properties"]["items"])
    if "items" in schema:
        schema = _resolve(spec, schema["items"])
    return f"openapi/specs/{file.name}", _openapi(spec, schema, stream.name)


def _resolve(spec: Json, schema: Json) -> Json:
    """The schema with its references and its alternatives laid into it."""
    parts: Iterable[Json] = (
        part for key in ("allOf", "anyOf", "oneOf") for part in schema.get(key, ())
    )
    if "$ref" in schema:
        target: Any = spec
        for step in schema["$ref"].removeprefix("#/").split("/"):
            target = target[step]
        parts = (target, *parts)
    merged: Json = {}
    for part in parts:
        resolved = _resolve(spec, part)
        properties = {**merged.get("properties", {}), **resolved.get("properties", {})}
        if resolved.get("type") == "null":
            merged["nullable"] = True
            continue
        merged |= resolved
        if properties:
            merged["properties"] = properties
    return merged | {key: value for key, value in schema.items() if key != "$ref"}


def _openapi(spec: Json, schema: Json, where: str) -> Node:
    schema = _resolve(spec, schema)
    properties = {
        name: _openapi(spec, value, f"{where}.{name}")
        for name, value in schema.get("properties", {}).items()
    }
    declared = schema.get("type") or ("object" if properties else "")
    kind = one_type(declared, where)
    return Node(
        kind,
        nullable=bool(schema.get("nullable")) or "null" in as_list(declared),
        date=schema.get("format") in DATE_FORMATS,
        meaning=_meaning(schema.get("description", "")) if kind == "integer" else None,
        properties=properties,
        items=_openapi(spec, schema["items"], f"{where}[]") if kind == "array" else None,
    )


def _meaning(description: str) -> str | None:
    """What the numbers of an enum stand for: `1 customer invoice, 2 customer payment`.

    e-conomic documents the names in a list, one `- 1: Customer Invoice` a line.
    """
    lines = re.split(r"\n|<br\s*/?>|<p\b", description)
    found = [
        match for line in lines if (match := re.match(r"\s*(?:-\s+)?(-?\d+)\s*:\s*(\w.*)", line))
    ]
    if len(found) < 2:  # noqa: PLR2004 - one line that looks like an item is no list
        return None
    return ", ".join(f"{match[1]} {_plain(match[2])}" for match in found)


def _plain(name: str) -> str:
    """The name of an enum's value in plain words: `BankTransfer` -> `bank transfer`."""
    name = re.split(r"\s-\s|\.\s", f"{name} ")[0].strip().rstrip(".").replace(",", "")
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower()
