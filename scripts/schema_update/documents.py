"""Reading what is documented about a stream, and correcting it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scripts.schema_update import facts
from scripts.schema_update.openapi import read_spec
from scripts.schema_update.rest import read_rest
from scripts.schema_update.tree import Node

if TYPE_CHECKING:
    from pathlib import Path

    from scripts.schema_update.tree import Stream


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
    found = read_spec(directory, stream) if stream.module else read_rest(directory, stream)
    if found is not None:
        _correct(stream.name, found[1])
    return found


def _correct(stream: str, record: Node) -> None:
    for table, add in ((facts.RECORDED, True), (facts.CORRECTIONS, False)):
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
