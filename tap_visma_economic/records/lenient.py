"""Responses that are not quite JSON: what can be read is, and what no message can carry is null.

This module reads what strict decoding rejects. Another encoding of Unicode, a byte order mark and
bare control characters in texts are read as they are meant. Text that is not Unicode, `NaN` and the
infinities, numbers without end and what is nested too deep can be read, but neither JSON nor a
target has a place for them: each is null in its row, and reported with its place as a flaw.

Nothing is repaired: a value is either exactly what was sent, or null. A response that is cut off or
garbled in another way is an error. If a name is in an object twice, the last value counts, as in
strict decoding.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec

from tap_visma_economic.records.row_type import Envelope, Flaw
from tap_visma_economic.records.values import DEEPEST, TooDeepError, not_too_deep

_MOST_DIGITS = 4000
"""Digits of an integer that Python and msgspec read; both stop a little above 4,300."""

_LONGEST_TEXT = 100
"""Characters of an unreadable value that are shown, where it is a key."""

_UNREADABLE = "\udfff\ud800"
"""Begins the text that stands for an unreadable number: it is no Unicode, and so is found."""

_TOKEN = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|[\[{]|[\]}]', re.DOTALL)

_encode = msgspec.json.Encoder(decimal_format="number").encode


def strict_json(content: bytes, envelope: Envelope) -> tuple[bytes, dict[int, list[Flaw]]]:
    """Return a response as JSON that strict decoding takes, and what was omitted of which row.

    Raises:
        ValueError: it cannot be read.
    """
    body = json.loads(
        _shallow(content.decode(json.detect_encoding(content), "surrogateescape")),
        parse_float=_decimal,
        parse_int=lambda text: int(text) if len(text) <= _MOST_DIGITS else _UNREADABLE + text,
        parse_constant=lambda text: _UNREADABLE + text,
        strict=False,
    )
    rows = [body] if envelope.kind is None else body
    if envelope.name and isinstance(body, dict):
        rows = body.get(envelope.name)
    flaws = {}
    for place, row in enumerate(rows if isinstance(rows, list) else ()):
        if found := list(_nulled(row)):
            flaws[place] = found
    return _encode(body), flaws  # which rejects what is unreadable around the rows


def _decimal(text: str) -> Decimal | str:
    try:
        return Decimal(text)
    except InvalidOperation:
        return _UNREADABLE + text


def _shallow(text: str) -> str:
    """Return a text without what is nested far too deep, at which a parser would give up."""
    depth = done = 0
    parts = []
    for token in _TOKEN.finditer(text):
        if token[0] in "[{":
            depth += 1
            if depth == 2 * DEEPEST:
                parts += [text[done : token.start()], "0"]
        elif token[0] in "]}":
            if depth == 2 * DEEPEST:
                done = token.end()
            depth -= 1
    return "".join([*parts, text[done:]])


def _nulled(value: Any, path: str = "") -> Iterator[Flaw]:
    """Set to null what is unreadable inside a row, and yield it."""
    if isinstance(value, dict):
        for name in [name for name in value if _is_unreadable(name)]:
            del value[name]
            yield Flaw(path + _ascii(name), _ascii(name))
        inside = [(path + name, name, inner) for name, inner in value.items()]
    else:
        items = value if isinstance(value, list) else ()
        inside = [(f"{path}[]", place, inner) for place, inner in enumerate(items)]
    for where, name, inner in inside:
        if _is_unreadable(inner):
            value[name] = None
            yield Flaw(where, _ascii(inner))
        else:
            yield from _nulled(inner, f"{where}.")


def _is_unreadable(value: Any) -> bool:
    try:
        value.encode() if isinstance(value, str) else not_too_deep(value)
    except (UnicodeEncodeError, TooDeepError):
        return True
    return False


def _ascii(value: Any) -> str:
    text = value.removeprefix(_UNREADABLE) if isinstance(value, str) else ""
    return text[:_LONGEST_TEXT].encode("ascii", "backslashreplace").decode()
