"""Filters against an endpoint: what each property allows, and which rows match.

Assumed, because no document says it: a row without the property matches ``$ne:`` and ``$nin:``
of any value, and no other comparison but ``$eq:$null:``.
"""

from __future__ import annotations

import operator as op
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any, cast

from .facts import Endpoint, Property
from .filters import Condition, FilterError, Group, Literal, Node
from .values import Row
from .zones import served

Predicate = Callable[[Row], bool]
Getter = Callable[[Row], object]

_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "eq": op.eq,
    "ne": op.ne,
    "gt": op.gt,
    "gte": op.ge,
    "lt": op.lt,
    "lte": op.le,
}
_NUMBER = re.compile(r"-?\d+(\.\d+)?")
_DAY = re.compile(r"\d{4}-\d\d-\d\d")
_REST_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,7})?Z?")


class PublishedButBroken(Exception):  # noqa: N818  the name says what it is
    """A filter or sort that the documents offer and that answers 500."""


@dataclass(frozen=True)
class Matcher:
    """A checked filter.

    Attributes:
        low, high: bounds on the first key where the filter sets them: low <= key < high.
        matches: what remains to be tested within the bounds; None when nothing does.
    """

    low: int | None
    high: int | None
    matches: Predicate | None


def getter(dotted: str) -> Getter:
    """A function that reads a dotted name from a row; None where a part of it is absent."""
    first, *others = dotted.split(".")
    if not others:
        return lambda row: row.get(first)

    def nested(row: Row) -> object:
        value = row.get(first)
        for name in others:
            if not isinstance(value, dict):
                return None
            value = value.get(name)
        return value

    return nested


def comparable(value: object, zone: str) -> Any:
    """A value as two of a kind compare: text without case, dates and instants as wall clock."""
    if isinstance(value, str):
        return value.casefold()
    if isinstance(value, datetime):
        return served(value, zone)
    if isinstance(value, date):
        return datetime.combine(value, time())
    return value


def compile_filter(node: Node, endpoint: Endpoint, zone: str) -> Matcher:
    """Check a parsed filter against an endpoint and make it runnable.

    Raises:
        FilterError: a property or operator that the endpoint does not offer, or a bad value.
        PublishedButBroken: a filter that answers 500.
    """
    compiler = _Compiler(endpoint, zone)
    together = isinstance(node, Group) and node.operator == "and"
    conditions = cast("Group", node).members if together else (node,)
    bounds = [compiler.bounds(condition) for condition in conditions]
    low = max((b[0] for b in bounds if b and b[0] is not None), default=None)
    high = min((b[1] for b in bounds if b and b[1] is not None), default=None)
    tests = [
        compiler.node(condition)
        for condition, bound in zip(conditions, bounds, strict=True)
        if bound is None
    ]
    return Matcher(low, high, _all(tests) if tests else None)


def _all(tests: list[Predicate]) -> Predicate:
    if len(tests) == 1:
        return tests[0]
    return lambda row: all(test(row) for test in tests)


class _Compiler:
    def __init__(self, endpoint: Endpoint, zone: str) -> None:
        self.endpoint = endpoint
        self.zone = zone

    def bounds(self, node: Node) -> tuple[int | None, int | None] | None:
        """The bounds that a condition puts on an integer key; None when it is no such condition."""
        if not isinstance(node, Condition) or node.property != self.endpoint.key[0]:
            return None
        if node.operator not in ("eq", "gt", "gte", "lt", "lte") or node.values[0] is None:
            return None
        fact = self.check(node)
        if fact.type != "integer" or fact.enum:
            return None
        number = int(self.value(node.values[0], fact, node.property))
        low = number + (node.operator == "gt") if node.operator in ("eq", "gt", "gte") else None
        high = number + (node.operator != "lt") if node.operator in ("eq", "lt", "lte") else None
        return low, high

    def node(self, node: Node) -> Predicate:
        if isinstance(node, Condition):
            return self.condition(node)
        tests = [self.node(member) for member in node.members]
        if node.operator == "and":
            return _all(tests)
        return lambda row: any(test(row) for test in tests)

    def check(self, condition: Condition) -> Property:
        name, operator = condition.property, condition.operator
        fact = self.endpoint.properties.get(name)
        broken = self.endpoint.filter500
        for operators in (broken.get("*", ()), broken.get(name, ())):
            form = "eq null" if operator == "eq" and condition.values[0] is None else operator
            if "*" in operators or form in operators:
                raise PublishedButBroken(name)
        if fact is None or (self.endpoint.is_rest and not fact.filter):
            stop = "." if self.endpoint.is_rest else ""
            raise FilterError(f"Filtering is not allowed on property '{name}'{stop}", name)
        if operator not in fact.filter:
            raise FilterError(f"Operator ${operator}: not supported on property {name}", name)
        return fact

    def condition(self, condition: Condition) -> Predicate:
        fact = self.check(condition)
        get, zone, operator = getter(condition.property), self.zone, condition.operator
        if operator == "like":
            return _like(get, condition.values[0])
        if operator in ("in", "nin"):
            return self.membership(condition, fact, get)
        literal = condition.values[0]
        if literal is None:
            if operator not in ("eq", "ne"):
                return lambda row: False
            return lambda row: (get(row) is None) is (operator == "eq")
        wanted = self.value(literal, fact, condition.property)
        if literal.has_escaped_bracket:
            return lambda row: operator == "ne"
        compare, absent, textual = _COMPARE[operator], operator == "ne", isinstance(wanted, str)

        def test(row: Row) -> bool:
            value = get(row)
            if value is None:
                return absent
            # Some numbers are published as text (invoiceNumber of entries): compare those as text.
            return compare(comparable(str(value) if textual else value, zone), wanted)

        return test

    def membership(self, condition: Condition, fact: Property, get: Getter) -> Predicate:
        found = condition.operator == "in"
        wanted = {
            None if literal is None else self.value(literal, fact, condition.property)
            for literal in condition.values
        }
        if self.endpoint.is_rest and fact.type == "string":
            return lambda row: not found  # text is accepted and then matches nothing (seen live)
        zone = self.zone
        return lambda row: (comparable(get(row), zone) in wanted) is found

    def value(self, literal: Literal, fact: Property, name: str) -> Any:
        """A literal as the type of its property.

        Raises:
            FilterError: where it cannot be one.
        """
        text = literal.text
        try:
            if fact.enum:
                return fact.enum[text.lower()] if not text.isdecimal() else int(text)
            if fact.type == "integer":
                return int(text)
            if fact.type == "number":
                return Decimal(_NUMBER.fullmatch(text)[0])  # type: ignore[index]
            if fact.type == "boolean":
                return {"true": True, "false": False}[text.lower()]
            if fact.format in ("date", "date-time"):
                return self.moment(text, fact)
        except (KeyError, TypeError, ValueError):
            raise FilterError(
                f"The value '{text}' is not valid for property {name}", name
            ) from None
        return text.casefold()

    def moment(self, text: str, fact: Property) -> datetime:
        """A day or an instant. REST takes an instant only as ``T..Z``, and on dates only a day.

        Raises:
            ValueError: in any other form, an offset such as ``+00:00`` among them.
        """
        instant = _REST_INSTANT if self.endpoint.is_rest else _INSTANT
        if not _DAY.fullmatch(text):
            if (self.endpoint.is_rest and fact.format == "date") or not instant.fullmatch(text):
                raise ValueError(text)
            text = text.rstrip("Z")[:26]
            head, _, fraction = text.partition(".")
            text = f"{head}.{fraction:0<6}" if fraction else head
        return datetime.fromisoformat(text)


def _like(get: Getter, literal: Literal | None) -> Predicate:
    if literal is None or literal.has_escaped_bracket:
        return lambda row: False
    pattern = re.compile(like_pattern(literal), re.DOTALL)

    def test(row: Row) -> bool:
        value = get(row)
        return isinstance(value, str) and pattern.fullmatch(value.casefold()) is not None

    return test


def like_pattern(literal: Literal) -> str:
    """The regular expression of a ``$like:``: ``*`` stands for anything, no ``*`` means contains.

    A pair of brackets is a class of characters, so a literal ``[`` is written ``[[]``.
    """
    text, out, position, wild = literal.text.casefold(), [], 0, False
    if len(text) != len(literal.text):  # folding changed lengths: positions no longer hold
        text = literal.text.lower()
    while position < len(text):
        character = text[position]
        end = text.find("]", position + 2) if character == "[" else -1
        if character == "*" and position not in literal.escaped:
            wild = True
            out.append(".*")
        elif end > 0:
            out.append("[" + re.escape(text[position + 1 : end]).replace(r"\-", "-") + "]")
            position = end
        else:
            out.append(re.escape(character))
        position += 1
    body = "".join(out)
    return body if wild else f".*{body}.*"
