"""What is known about each endpoint: names, types, flags, roles. Read from ``facts.json``."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import msgspec


@dataclass(frozen=True)
class Property:
    """One property of a body, under its dotted name.

    Attributes:
        type: JSON type as published: integer, number, string, boolean, object, array or any.
        format: ``date``, ``date-time`` or ``uri`` where the string has one.
        filter: the operators it takes in a filter, without ``$`` and ``:``.
        sort: whether it may be sorted by.
        enum: names of the numbers that the OpenAPI serves for it, by lower-case name.
    """

    type: str
    format: str | None = None
    filter: tuple[str, ...] = ()
    sort: bool = False
    enum: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Lookup:
    """A path below a listing that picks rows by the values of properties (``by``, in order)."""

    path: str
    by: tuple[str, ...]


@dataclass(frozen=True)
class Endpoint:
    """One endpoint of a stream.

    Attributes:
        name: the key under which a company holds its rows, ``rest:/customers``.
        api: ``rest`` or the name of the OpenAPI module.
        path: path template, without ``/paged``.
        kind: collection, cursor, paged, array or singleton.
        key: dotted names of the properties that identify a row, path parameters left out.
        roles: the roles that may read it; none named means every role.
        module: the paid module it needs.
        version: the OpenAPI module's version in the published specification.
        paged: path of the classic pages (OpenAPI). count: path of the bare count (OpenAPI).
        items: paths of single rows. arrays: paths of plain, unpaged lists of rows.
        filter500: filters that are published and answer 500: property (or ``*``) to operators.
        sort500: sorts that are published and answer 500.
        sends_false: names of the booleans that are sent when false; others are left out then.
        creates: what ``metaData.create`` of a REST listing makes; empty: the listing has an
            empty ``metaData``; None: it has none.
        replaces, deletes: what ``metaData`` of a single row replaces or deletes.
        subcollections: names of further listings that a REST listing links to.
    """

    api: str
    path: str
    kind: str
    key: tuple[str, ...]
    properties: dict[str, Property]
    roles: frozenset[str]
    module: str | None
    name: str = ""
    version: str = ""
    paged: str | None = None
    count: str | None = None
    items: tuple[Lookup, ...] = ()
    arrays: tuple[Lookup, ...] = ()
    filter500: dict[str, list[str]] = field(default_factory=dict)
    sort500: tuple[str, ...] = ()
    sends_false: frozenset[str] = frozenset()
    creates: str | None = None
    replaces: str | None = None
    deletes: str | None = None
    subcollections: tuple[str, ...] = ()

    @property
    def is_rest(self) -> bool:
        return self.api == "rest"

    @property
    def parameters(self) -> int:
        """How many path parameters the template has."""
        return self.path.count("{")


def load_facts() -> dict[str, Endpoint]:
    """Read every endpoint, by name."""
    text = Path(__file__).with_name("facts.json").read_bytes()
    facts = msgspec.json.decode(text, type=dict[str, Endpoint])
    return {name: replace(fact, name=name) for name, fact in facts.items()}


FACTS = load_facts()
