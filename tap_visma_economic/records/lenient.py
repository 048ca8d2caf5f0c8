"""Answers that are not quite JSON: what of them can be read, and what no message can carry.

What strict decoding refuses comes here. An answer in another encoding of Unicode, one that begins
with a byte order mark and one with bare control characters in its texts are read as they are meant:
nothing is lost. Some values can be read but not passed on, for neither JSON nor a target has a
place for them. Each is null in its row instead, and reported with its place as a flaw:

* text that is not Unicode: lone surrogates, bytes that are not UTF-8
* `NaN` and the infinities
* numbers of more digits than any program reads, or with an exponent out of every range
* what is nested too deep

Nothing is replaced or repaired: a value is either exactly what was sent, or null. An answer that
breaks off, or is garbled in another way, is no answer at all.

Of a name that comes twice in an object the last value counts, here as in strict decoding and in
nearly every other JSON parser.
"""

from __future__ import annotations

import json
import re
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from tap_visma_economic.records.values import DEEPEST, MistypedError, not_too_deep

if TYPE_CHECKING:
    from collections.abc import Iterator

Place = tuple[str | int, ...]
"""Names and indices that lead to a value."""

_NOT_UNICODE = "text that is not Unicode"
_TOO_DEEP = "nested too deep"
_NO_NUMBER = "no number that JSON knows"
_TOO_LONG = "a number too large for any target"

_MOST_DIGITS = 4000
"""Digits of an integer that Python and msgspec read; both stop a little above 4,300."""

_LONGEST_TEXT = 100
"""Characters of an unreadable value that are told, where it is a key."""

_CUT = "\ud800 too deep"
"""Stands for what was nested too deep until it is null: like every text that is not Unicode."""

_TOKEN = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|[\[{]|[\]}]', re.DOTALL)

_encode = msgspec.json.Encoder(decimal_format="number").encode


class Found(NamedTuple):
    """A value that was left out.

    Args:
        place: where in the answer.
        why: what it was.
        text: the value in ASCII.
    """

    place: Place
    why: str
    text: str


class _Unreadable(NamedTuple):
    why: str
    text: str


def strict_json(content: bytes, steps: int) -> tuple[bytes, list[Found]]:
    """Return an answer as JSON that strict decoding takes, and what had to be left out.

    Args:
        content: the answer.
        steps: how many names and indices lead to a property of a row. What is nested too deep is
            left out as a whole property, for half of a value is another value.

    Raises:
        ValueError: it cannot be read.
    """
    text = content.decode(json.detect_encoding(content), "surrogateescape")
    try:
        answer = _loads(text)
    except RecursionError:
        answer = _loads("".join(_shallow(text, steps)))
    found: list[Found] = []
    answer = _cleaned(answer, (), steps, found)
    return _encode(answer), found


def _loads(text: str) -> Any:
    return json.loads(
        text,
        parse_float=_decimal,
        parse_int=_integer,
        parse_constant=lambda text: _Unreadable(_NO_NUMBER, text),
        strict=False,
    )


def _decimal(text: str) -> Decimal | _Unreadable:
    try:
        return Decimal(text)
    except InvalidOperation:
        return _Unreadable(_TOO_LONG, text)


def _integer(text: str) -> int | _Unreadable:
    return int(text) if len(text) <= _MOST_DIGITS else _Unreadable(_TOO_LONG, text)


def _shallow(text: str, steps: int) -> Iterator[str]:
    """Yield the parts of a text that are left when properties nested too deep are cut out."""
    depth = deepest = start = done = 0
    for token in _TOKEN.finditer(text):
        if token[0] in "[{":
            depth += 1
            deepest = max(deepest, depth)
            if depth == steps + 1:
                start, deepest = token.start(), depth
        elif token[0] in "]}":
            if depth == steps + 1 and deepest > steps + DEEPEST:
                yield text[done:start]
                yield json.dumps(_CUT)
                done = token.end()
            depth -= 1
    if depth:
        raise ValueError("it breaks off")
    yield text[done:]


def _cleaned(value: Any, place: Place, steps: int, found: list[Found]) -> Any:
    """Return a value without what cannot be passed on, and note where that was."""
    unreadable: _Unreadable | None = None
    if isinstance(value, str):
        unreadable = _unreadable_text(value)
    elif isinstance(value, _Unreadable):
        unreadable = value
    elif isinstance(value, (dict, list)):
        unreadable = _unreadable_depth(value) if len(place) == steps else None
        if unreadable is None:
            inside = value.items() if isinstance(value, dict) else enumerate(value)
            cleaned = {
                name: _cleaned(inner, (*place, name), steps, found)
                for name, inner in inside
                if _is_readable(name, place, found)
            }
            return cleaned if isinstance(value, dict) else list(cleaned.values())
    if unreadable is None:
        return value
    found.append(Found(place, unreadable.why, unreadable.text[:_LONGEST_TEXT]))
    return None


def _is_readable(name: str | int, place: Place, found: list[Found]) -> bool:
    unreadable = _unreadable_text(name) if isinstance(name, str) else None
    if unreadable is not None:
        where = (*place, unreadable.text)
        found.append(Found(where, f"a name for {unreadable.why}", unreadable.text))
    return unreadable is None


def _unreadable_depth(value: Any) -> _Unreadable | None:
    try:
        not_too_deep(value)
    except MistypedError:
        return _Unreadable(_TOO_DEEP, "")
    return None


def _unreadable_text(value: str) -> _Unreadable | None:
    try:
        value.encode()
    except UnicodeEncodeError:
        return _Unreadable(_TOO_DEEP if value == _CUT else _NOT_UNICODE, _ascii(value))
    return None


def _ascii(value: str) -> str:
    return value.encode("ascii", "backslashreplace").decode()
