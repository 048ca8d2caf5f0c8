"""The sort language: ``name``, ``-name``, ``~name`` (as text even for numbers), comma-separated."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from .facts import Endpoint
from .matching import PublishedButBroken, comparable, getter
from .values import Row


class SortError(Exception):
    """A sort that answers 400; ``property`` is what may not be sorted by."""

    def __init__(self, property_: str) -> None:
        super().__init__(property_)
        self.property = property_


@dataclass(frozen=True)
class Term:
    """One property of a sort."""

    property: str
    descending: bool = False
    as_text: bool = False


def parse_sort(text: str, endpoint: Endpoint) -> tuple[Term, ...]:
    """Read a sort and check it against what the endpoint offers.

    Raises:
        SortError: a property that the endpoint does not sort by.
        PublishedButBroken: a sort that is offered and answers 500.
    """
    terms = []
    for part in text.split(","):
        name = part.lstrip("-~")
        marks = part[: len(part) - len(name)]
        fact = endpoint.properties.get(name)
        if name in endpoint.sort500:
            raise PublishedButBroken(name)
        if fact is None or not fact.sort or len(marks) > 1:
            raise SortError(name)
        terms.append(Term(name, marks == "-", marks == "~"))
    return tuple(terms)


def in_order(
    rows: Sequence[Row], indexes: Sequence[int], terms: Sequence[Term], zone: str
) -> list[int]:
    """The indexes of rows, sorted; rows without the property come first."""
    ordered = list(indexes)
    for term in reversed(terms):
        value = _key(term, zone)
        ordered.sort(key=lambda index: value(rows[index]), reverse=term.descending)
    return ordered


def _key(term: Term, zone: str) -> Callable[[Row], tuple[bool, Any]]:
    get = getter(term.property)

    def key(row: Row) -> tuple[bool, Any]:
        value = get(row)
        if value is None:
            return False, 0
        return True, str(value).casefold() if term.as_text else comparable(value, zone)

    return key
