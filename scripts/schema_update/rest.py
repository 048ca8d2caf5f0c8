"""Reading the documents of legacy REST: JSON Schema draft-03 with flags of e-conomic's own.

One file per endpoint, named after its path: `rest/schemas/<path>.get.schema.json`.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from scripts.schema_update.tree import DATE_FORMATS, Node, one_type

if TYPE_CHECKING:
    from pathlib import Path

    from scripts.schema_update.tree import Stream

Json = dict[str, Any]


def read_rest(directory: Path, stream: Stream) -> tuple[str, Node] | None:
    """The name of a stream's document and the record it describes, None where it is missing."""
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
    kind = one_type(kind, where)
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
