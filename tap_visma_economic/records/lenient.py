"""Responses that are not quite JSON: what can be read is, and what no message can carry is null.

This module reads what strict decoding rejects. Another encoding of Unicode, a byte order mark and
bare control characters in texts are read as they are meant. Text that is not Unicode, `NaN` and the
infinities, and numbers without end can be read, but neither JSON nor a target has a place for them:
each is null in its row, and reported.

Nothing is repaired: a value is either exactly what was sent, or null. A response that is cut off or
garbled in another way is an error. If a name is in an object twice, the last value counts, as in
strict decoding.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec

from tap_visma_economic.records.row_type import Envelope
from tap_visma_economic.records.values import TooDeepError, not_too_deep

_MOST_DIGITS = 4000
"""Digits of an integer that Python and msgspec read; both stop a little above 4,300."""

_UNREADABLE = "\udfff"
"""Stands for an unreadable number: it is no Unicode, and so is found."""

_encode = msgspec.json.Encoder(decimal_format="number").encode


def strict_json(content: bytes, envelope: Envelope, omitted: Callable[[str], object]) -> bytes:
    """Return a response as JSON that strict decoding takes.

    Args:
        content: the response.
        envelope: what surrounds its rows; nothing is omitted there.
        omitted: called with the path of each value in a row that is null instead.

    Raises:
        ValueError, RecursionError: it cannot be read.
    """
    body = json.loads(
        content.decode(json.detect_encoding(content), "surrogateescape"),
        parse_float=_decimal,
        parse_int=lambda text: int(text) if len(text) <= _MOST_DIGITS else _UNREADABLE,
        parse_constant=lambda _: _UNREADABLE,
        strict=False,
    )
    rows = [body] if envelope.kind is None else body
    if envelope.name and isinstance(body, dict):
        rows = body.get(envelope.name)
    for row in rows if isinstance(rows, list) else ():
        _omit(row, omitted)
    return _encode(body)  # which rejects what is unreadable around the rows


def _decimal(text: str) -> Decimal | str:
    try:
        return Decimal(text)
    except InvalidOperation:
        return _UNREADABLE


def _omit(value: Any, omitted: Callable[[str], object], path: str = "") -> None:
    """Set to null what is unreadable inside a row."""
    if isinstance(value, dict):
        for name in [name for name in value if _is_unreadable(name)]:
            del value[name]
            omitted(path + name)
        inside = [(path + name, name, inner) for name, inner in value.items()]
    else:
        items = value if isinstance(value, list) else ()
        inside = [(f"{path}[]", place, inner) for place, inner in enumerate(items)]
    for where, name, inner in inside:
        if _is_unreadable(inner):
            value[name] = None
            omitted(where)
        else:
            _omit(inner, omitted, f"{where}.")


def _is_unreadable(value: Any) -> bool:
    try:
        value.encode() if isinstance(value, str) else not_too_deep(value)
    except (UnicodeEncodeError, TooDeepError):
        return True
    return False
