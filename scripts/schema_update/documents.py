"""Reading e-conomic's two kinds of documents into one tree.

Legacy REST publishes JSON Schema draft-03 with flags of its own, one file per endpoint
(`rest/schemas/<path>.get.schema.json`); the newer API publishes OpenAPI 3.0 or 3.1, one file per
module (`openapi/specs/<module>.json`).
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from scripts.schema_update import facts

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

Json = dict[str, Any]
DATE_FORMATS = frozenset({"date", "date-time", "full-date"})
TYPES = frozenset({"array", "boolean", "integer", "number", "object", "string"})


class DocumentError(Exception):
    """A document says something this script must not guess about."""


@dataclass
class Node:
    """One property of a document."""

    type: str
    nullable: bool = False
    date: bool = False
    link: bool = False
    meaning: str | None = None
    properties: dict[str, Node] = field(default_factory=dict)
    items: Node | None = None


@dataclass(frozen=True)
class Stream:
    """The facts about a stream that decide its schema.

    `path_params` maps each path parameter to a column of the parent, or to None where its values
    are fixed.
    """

    name: str
    api: str
    path: str
    primary_keys: tuple[str, ...]
    module: str | None = None
    parent: str | None = None
    path_params: dict[str, str | None] = field(default_factory=dict)


def read(directory: Path, stream: Stream) -> tuple[str, Node] | None:
    """The document of a stream: its name below the directory, and the record it describes.

    None where the directory lacks the document.
    """
    if stream.name in facts.WITHOUT_DOCUMENT:
        source, properties = facts.WITHOUT_DOCUMENT[stream.name]
        record = Node("object")
        for path, kind in properties:
            _set(record, path.split("."), kind, add=True)
        return source, record
    found = _read_rest(directory, stream) if stream.api == "rest" else _read_spec(directory, stream)
    if found is not None:
        _correct(stream.name, found[1])
    return found


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


# --- legacy REST: draft-03 ---


def _read_rest(directory: Path, stream: Stream) -> tuple[str, Node] | None:
    stem = re.sub(r"[{}]", "", stream.path.strip("/")).replace("/", ".")
    name = f"rest/schemas/{stem}.get.schema.json"
    file = directory / name
    if not file.exists():
        return None
    document = json.loads(file.read_text(encoding="utf-8"))
    collection = document["properties"].get("collection")
    return name, _draft03(collection["items"] if collection else document, stream.name)


def _draft03(schema: Json, where: str) -> Node:
    name = where.rpartition(".")[2]
    properties = {
        key: _draft03(value, f"{where}.{key}") for key, value in _merged_properties(schema).items()
    }
    kind = schema.get("type") or ("object" if properties else "string" if "enum" in schema else "")
    kind = _one_type(kind, where)
    if kind == "number" and name.endswith("Number"):
        # Numbers of vouchers and journals are declared as any number; all of them count.
        kind = "integer"
    return Node(
        kind,
        date=schema.get("format") in DATE_FORMATS,
        link=schema.get("format") == "uri" or name in {"self", "metaData"},
        properties=properties,
        items=_draft03(schema["items"], f"{where}[]") if kind == "array" else None,
    )


def _merged_properties(schema: Json) -> Json:
    """The properties of a schema and of all its alternatives."""
    merged: Json = {}
    for alternative in (
        schema,
        *(part for key in ("allOf", "anyOf", "oneOf") for part in schema.get(key, ())),
    ):
        for name, value in alternative.get("properties", {}).items():
            merged.setdefault(name, value)
    return merged


# --- the newer API: OpenAPI ---


def _spec_file(directory: Path, module: str) -> Path | None:
    specs = directory / "openapi" / "specs"
    return next(
        (file for file in sorted(specs.glob("*.json")) if file.stem.lower() == module.lower()),
        None,
    )


def _read_spec(directory: Path, stream: Stream) -> tuple[str, Node] | None:
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
    kind = _one_type(declared, where)
    return Node(
        kind,
        nullable=bool(schema.get("nullable")) or "null" in _as_list(declared),
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


# --- both ---


def _as_list(kind: str | list[str]) -> list[str]:
    return [kind] if isinstance(kind, str) else kind


def _one_type(declared: str | list[str], where: str) -> str:
    kinds = [kind for kind in _as_list(declared) if kind != "null"]
    if len(kinds) == 1 and kinds[0] in TYPES:
        return kinds[0]
    if sorted(kinds) == ["integer", "number"]:
        return "number"
    raise DocumentError(f"{where}: cannot make one type of {declared!r}")


def _correct(stream: str, record: Node) -> None:
    for table, add in ((facts.CORRECTIONS, False), (facts.RECORDED, True)):
        for row in table:
            if stream in row.streams:
                _set(record, row.path.split("."), row.becomes, add=add)


def _set(node: Node, path: list[str], becomes: str, *, add: bool) -> None:
    """Correct the property at a path, or add it where it is missing."""
    step, rest = path[0], path[1:]
    name = step.removesuffix("[]")
    child = node.properties.get(name)
    if rest:
        if child is None:
            if not add:
                return
            child = node.properties.setdefault(name, Node("object"))
        _set(child.items if step.endswith("[]") and child.items else child, rest, becomes, add=add)
    elif add == (child is None):
        if becomes == "drop":
            del node.properties[name]
        elif becomes == "link":
            node.properties[name] = child or Node("object" if name == "metaData" else "string")
            node.properties[name].link = True
        else:
            kind, _, absent = becomes.partition(" or ")
            node.properties[name] = Node(kind, nullable=bool(absent))
