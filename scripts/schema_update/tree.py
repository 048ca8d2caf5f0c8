"""What both kinds of documents are read into."""

from __future__ import annotations

from dataclasses import dataclass, field

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


@dataclass(frozen=True)
class Stream:
    """The facts about a stream that decide its schema.

    With a module it belongs to the newer API, without one to legacy REST.

    `path_params` maps each path parameter to a column of the parent, or to None where its values
    are fixed.
    """

    name: str
    path: str
    primary_keys: tuple[str, ...]
    module: str | None = None
    parent: str | None = None
    path_params: dict[str, str | None] = field(default_factory=dict)


def as_list(kind: str | list[str]) -> list[str]:
    """The types a document names, one or several."""
    return [kind] if isinstance(kind, str) else kind


def one_type(declared: str | list[str], where: str) -> str:
    """The one type a document means.

    Raises:
        DocumentError: There is none, or more than one.
    """
    kinds = [kind for kind in as_list(declared) if kind != "null"]
    if len(kinds) == 1 and kinds[0] in TYPES:
        return kinds[0]
    if sorted(kinds) == ["integer", "number"]:
        return "number"
    raise DocumentError(f"{where}: cannot make one type of {declared!r}")
