"""What e-conomic's documents say about the records of a stream, with their errors corrected.

The older API has a JSON Schema per endpoint, `rest/schemas/<path>.get.schema.json`; the newer one
an OpenAPI 3.0 or 3.1 document per module, `openapi/specs/<module>.json`. `facts.yml` corrects both.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from functools import reduce
from pathlib import Path
from typing import Any

import yaml

Json = dict[str, Any]
AnyStream = Any
"""A stream's class: the SDK types its attributes as an instance's."""

FACTS: Json = yaml.safe_load(Path(__file__).with_name("facts.yml").read_text(encoding="utf-8"))
DATE_FORMATS = frozenset({"date", "date-time", "full-date"})
TYPES = frozenset({"array", "boolean", "integer", "number", "object", "string"})


class DocumentError(Exception):
    """A document says something this script must not guess about."""


@dataclass
class Node:
    """One property of a document; `omit` names properties that are served but never emitted."""

    type: str
    nullable: bool = False
    date: bool = False
    link: bool = False
    meaning: str | None = None
    properties: dict[str, Node] = field(default_factory=dict)
    items: Node | None = None
    omit: list[str] = field(default_factory=list)


def read(directory: Path, stream: AnyStream) -> tuple[str, Node] | None:
    """The name of a stream's document and the record it describes, None where it is missing.

    Raises:
        DocumentError: a property has no single type.
    """
    if stream.name in FACTS["without_document"]:
        recorded, record = FACTS["without_document"][stream.name], Node("object")
        for path, becomes in recorded["paths"].items():
            _set(record, path.split("."), becomes, add=True)
        return recorded["source"], record
    record_of = _openapi_record if hasattr(stream, "module") else _rest_record
    found = record_of(directory, stream)
    if found is None:
        return None
    source, document, schema = found
    record = _node(document, schema, stream.name)
    for table in ("added", "corrected"):
        for row in FACTS[table]:
            for path, becomes in row["paths"].items() if stream.name in row["streams"] else ():
                _set(record, path.split("."), becomes, add=table == "added")
    return source, record


def module_version(directory: Path, module: str) -> str | None:
    """The version of a module: the one in its server's address, else the document's own."""
    file = _spec_file(directory, module)
    if file is None:
        return None
    spec = _load(file)
    for server in spec.get("servers", ()):
        if match := re.search(r"/v(\d+\.\d+\.\d+)/?$", server["url"]):
            return match[1]
    return str(spec["info"]["version"]).removeprefix("v")


def _load(file: Path) -> Json:
    content: Json = json.loads(file.read_text(encoding="utf-8"))
    return content


def _spec_file(directory: Path, module: str) -> Path | None:
    files = sorted((directory / "openapi" / "specs").glob("*.json"))
    return next((file for file in files if file.stem.lower() == module.lower()), None)


def _rest_record(directory: Path, stream: AnyStream) -> tuple[str, Json, Json] | None:
    stem = re.sub(r"[{}]", "", stream.path.strip("/")).replace("/", ".")
    name = f"rest/schemas/{stem}.get.schema.json"
    if not (directory / name).exists():
        return None
    document = _load(directory / name)
    collection = document["properties"].get("collection")
    return name, document, collection["items"] if collection else document


def _openapi_record(directory: Path, stream: AnyStream) -> tuple[str, Json, Json] | None:
    file = _spec_file(directory, stream.module)
    if file is None:
        return None
    spec = _load(file)
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
    return f"openapi/specs/{file.name}", spec, schema.get("items", schema)


def _resolve(document: Json, schema: Json) -> Json:
    """The schema with its reference and its alternatives merged into it; its own words win."""
    parts = [part for key in ("allOf", "anyOf", "oneOf") for part in schema.get(key, ())]
    if "$ref" in schema:
        parts.insert(0, reduce(dict.__getitem__, schema["$ref"][2:].split("/"), document))
    merged = {key: value for key, value in schema.items() if key != "$ref"}
    for part in parts:
        resolved = _resolve(document, part)
        if resolved.get("type") == "null":
            merged["nullable"] = True
            continue
        own = merged.get("properties", {})
        properties = own | {**resolved.get("properties", {}), **own}
        merged = resolved | merged | ({"properties": properties} if properties else {})
    return merged


def _node(document: Json, schema: Json, where: str) -> Node:
    schema, name = _resolve(document, schema), where.rpartition(".")[2]
    properties = {
        key: _node(document, value, f"{where}.{key}")
        for key, value in schema.get("properties", {}).items()
    }
    declared = schema.get("type") or (
        "object" if properties else "string" if "enum" in schema else ""
    )
    kinds = [declared] if isinstance(declared, str) else declared
    kind = _one_type(kinds, where)
    if kind == "number" and name.endswith("Number"):
        # Numbers of vouchers and journals are declared as any number; all of them count.
        kind = "integer"
    return Node(
        kind,
        nullable=bool(schema.get("nullable")) or "null" in kinds,
        date=schema.get("format") in DATE_FORMATS,
        link=schema.get("format") == "uri" or name in {"self", "metaData"},
        meaning=_meaning(schema.get("description", "")) if kind == "integer" else None,
        properties=properties,
        items=_node(document, schema["items"], f"{where}[]") if kind == "array" else None,
    )


def _one_type(declared: list[str], where: str) -> str:
    kinds = sorted(kind for kind in declared if kind != "null")
    if len(kinds) == 1 and kinds[0] in TYPES:
        return kinds[0]
    if kinds == ["integer", "number"]:
        return "number"
    raise DocumentError(f"{where}: cannot make one type of {declared!r}")


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


def _set(node: Node, path: list[str], becomes: str, *, add: bool) -> None:
    """Correct the property at a path, or add it where it is missing."""
    step, rest = path[0], path[1:]
    name = step.removesuffix("[]")
    if name == "*":
        for each in node.properties:
            _set(node, [step.replace("*", each), *rest], becomes, add=add)
        return
    child = node.properties.get(name)
    if rest:
        if child is None and add:
            child = node.properties[name] = Node("object")
        if child is not None:
            inner = child.items if step.endswith("[]") and child.items else child
            _set(inner, rest, becomes, add=add)
    elif becomes == "omit":
        node.properties.pop(name, None)
        node.omit.append(name)
    elif add != (child is None):
        return
    elif becomes == "link":
        node.properties[name] = child or Node("object" if name == "metaData" else "string")
        node.properties[name].link = True
    else:
        kind, _, absent = becomes.partition(" or ")
        node.properties[name] = Node(kind, nullable=bool(absent))
