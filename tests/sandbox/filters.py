"""The filter language of both APIs: a parser for its grammar.

``prop$op:value``, joined by ``$and:`` and ``$or:``, with parentheses. How a parsed filter is
checked and evaluated is in ``matching.py``.

Not documented and assumed here: without parentheses ``$and:`` binds tighter than ``$or:``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TypeAlias

MAX_LIST = 200
_OPERATOR = re.compile(r"\$(eq|ne|gte|gt|lte|lt|like|nin|in):")
_NAME = re.compile(r"[^$()\[\]]+")
_ESCAPABLE = "$()*,[]"


class FilterError(Exception):
    """A filter that answers 400. ``property`` names what it is about, where that is known."""

    def __init__(self, message: str, property_: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.property = property_


@dataclass(frozen=True)
class Literal:
    """A value of a filter, its escapes resolved.

    Attributes:
        text: the characters meant.
        escaped: the positions in ``text`` that were written with an escape.
    """

    text: str
    escaped: frozenset[int] = frozenset()

    @property
    def has_escaped_bracket(self) -> bool:
        """``$[`` and ``$]`` parse, and then match nothing (seen live on REST)."""
        return any(self.text[position] in "[]" for position in self.escaped)


@dataclass(frozen=True)
class Condition:
    """``property$operator:value``; a value of None is ``$null:``; a list operator has several."""

    property: str
    operator: str
    values: tuple[Literal | None, ...]


@dataclass(frozen=True)
class Group:
    """Conditions joined by ``and`` or by ``or``."""

    operator: str
    members: tuple[Node, ...]


Node: TypeAlias = "Condition | Group"


def parse_filter(text: str) -> Node:
    """Parse a decoded filter.

    Raises:
        FilterError: where the text is not in the grammar, or a list is too long.
    """
    parser = _Parser(text)
    node = parser.any_of(depth=0)
    if parser.rest():
        raise FilterError(f"Syntax error at position {parser.position}: {parser.rest()}")
    return node


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.position = 0

    def rest(self) -> str:
        return self.text[self.position :]

    def accept(self, token: str) -> bool:
        if not self.text.startswith(token, self.position):
            return False
        self.position += len(token)
        return True

    def expect(self, token: str) -> None:
        if not self.accept(token):
            raise FilterError(f"Syntax error, expected: {token}")

    def any_of(self, depth: int) -> Node:
        members = [self.all_of(depth)]
        while self.accept("$or:"):
            members.append(self.all_of(depth))
        return members[0] if len(members) == 1 else Group("or", tuple(members))

    def all_of(self, depth: int) -> Node:
        members = [self.one(depth)]
        while self.accept("$and:"):
            members.append(self.one(depth))
        return members[0] if len(members) == 1 else Group("and", tuple(members))

    def one(self, depth: int) -> Node:
        if self.accept("("):
            node = self.any_of(depth + 1)
            self.expect(")")
            return node
        return self.condition(depth)

    def condition(self, depth: int) -> Condition:
        name = _NAME.match(self.text, self.position)
        if name is None:
            raise FilterError("Syntax error, expected: property name")
        self.position = name.end()
        operator = _OPERATOR.match(self.text, self.position)
        if operator is None:
            raise FilterError("Syntax error, expected: operator", name.group())
        self.position = operator.end()
        if operator.group(1) in ("in", "nin"):
            return Condition(name.group(), operator.group(1), self.array())
        ends = ")" if depth else ""
        return Condition(name.group(), operator.group(1), (self.literal(ends),))

    def array(self) -> tuple[Literal | None, ...]:
        self.expect("[")
        values = [self.literal(",]")]
        while self.accept(","):
            values.append(self.literal(",]"))
        self.expect("]")
        if len(values) > MAX_LIST:
            raise FilterError(
                "The $in: and $nin: operators only allow filtering on arrays with less than "
                f"'{MAX_LIST}' values. Your array has {len(values)} values."
            )
        return tuple(values)

    def literal(self, ends: str) -> Literal | None:
        """Read a value up to one of the characters ``ends``, a joining operator or the end."""
        if self.accept("$null:"):
            return None
        out: list[str] = []
        escaped: set[int] = set()
        while self.position < len(self.text):
            character = self.text[self.position]
            if character in ends or self.text.startswith(("$and:", "$or:"), self.position):
                break
            if character == "$":
                self.position += 1
                character = self.text[self.position : self.position + 1]
                if not character or character not in _ESCAPABLE:
                    raise FilterError(f"Syntax error, unexpected: ${character}")
                escaped.add(len(out))
            elif character == ")":
                raise FilterError("Syntax error, unexpected: )")
            out.append(character)
            self.position += 1
        return Literal("".join(out), frozenset(escaped))
