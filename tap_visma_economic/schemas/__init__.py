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

from functools import cache
from importlib.resources import files
from typing import Any

import msgspec

_FILES = files(__name__)


def _read(name: str) -> Any:
    return msgspec.json.decode(_FILES.joinpath(f"{name}.json").read_bytes())


MODULE_VERSIONS: dict[str, str] = _read("modules")
"""The version of each OpenAPI module that the schema files describe."""


@cache
def load(stream_name: str) -> dict[str, Any]:
    """The schema file of a stream as it is, the tap's own keywords included.

    The answer is shared by all callers: do not change it.

    Raises:
        FileNotFoundError: There is no such stream.
    """
    schema: dict[str, Any] = _read(stream_name)
    return schema


def catalog_schema(raw: dict[str, Any], *, include_links: bool) -> dict[str, Any]:
    """The plain JSON Schema of a schema file, for the catalog and SCHEMA messages.

    Args:
        raw: A schema file, or any part of it.
        include_links: Keep links and the objects that hold nothing else.
    """
    schema = {word: value for word, value in raw.items() if not word.startswith("x-")}
    if schema.get("type") == "boolean":  # absent means false, but a null is to pass as it is
        schema["type"] = ["boolean", "null"]
    if "properties" in schema:
        schema["properties"] = {
            name: catalog_schema(column, include_links=include_links)
            for name, column in schema["properties"].items()
            if include_links or "x-link" not in column
        }
    if "items" in schema:
        schema["items"] = catalog_schema(schema["items"], include_links=include_links)
    return schema
