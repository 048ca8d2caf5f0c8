"""Responses that are not quite JSON: read as they are meant, or omitted by name, never changed."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tap_visma_economic.records.lenient import strict_json
from tap_visma_economic.records.row_type import Envelope
from tap_visma_economic.records.values import DEEPEST

ONE, LIST, ITEMS = Envelope(None), Envelope(list), Envelope(list, "items")
_decode = msgspec.json.Decoder(float_hook=Decimal).decode


def read(body: bytes, envelope: Envelope = ONE) -> tuple[Any, list[str]]:
    """What a response holds, and the paths of what was omitted of its rows."""
    omitted: list[str] = []
    return _decode(strict_json(body, envelope, omitted.append)), omitted


# --- nothing is lost ---

TEXT = {"name": "Møbler æøå 🪑", "amount": 1}


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"]
)
def test_any_encoding_of_unicode_is_read_with_a_byte_order_mark_and_without(encoding: str) -> None:
    assert read(json.dumps(TEXT, ensure_ascii=False).encode(encoding)) == (TEXT, [])


@pytest.mark.parametrize(
    "text",
    ["1.10", "-0.0", "5.00", "1E+400", "1E-400", "12345678901234567890.123456789", "1" * 400],
)
def test_numbers_keep_all_their_digits(text: str) -> None:
    value, found = read(f"\ufeff[{text}]".encode())
    assert ([str(number) for number in value], found) == ([text], [])


# --- what no message can carry ---

LEFT_OUT = {
    "a lone high surrogate": rb'"a\ud800b"',
    "a lone low surrogate": rb'"\udc00"',
    "surrogates the wrong way round": rb'"\ude00\ud83d"',
    "a surrogate in UTF-8": b'"\xed\xa0\x80"',
    "Latin-1": '"Ærø"'.encode("latin-1"),
    "an overlong form": b'"\xc0\x80"',
    "NaN": b"NaN",
    "-Infinity": b"-Infinity",
    "5,000 digits": b"7" * 5000,
    "an exponent out of range": b"1e9999999999999999999",
    "a hundred levels": b"[" * 100 + b"]" * 100,
    "600 levels": b'[[{"c": ' * 200 + b"1" + b"}]]" * 200,
}


@pytest.mark.parametrize("value", LEFT_OUT.values(), ids=LEFT_OUT)
@pytest.mark.parametrize(
    ("around", "envelope"),
    [
        (b'{"items": [{}, %b, {"a": 1.50}]}', ITEMS),
        (b'[%b, {"a": 1.50}]', LIST),
        (b"%b", ONE),
    ],
)
def test_what_no_message_can_carry_is_null_in_its_row(
    value: bytes, around: bytes, envelope: Envelope
) -> None:
    row = b'{"a": %b, "b": "]}[{", "c": [{"d": 2}]}'
    read_back, found = read(around % (row % value), envelope)
    assert read_back == _decode(around % (row % b"null"))
    assert found == ["a"]


def test_a_name_that_is_no_unicode_goes_with_its_value() -> None:
    assert read(rb'[{"\ud800": 1, "b": [{"c": NaN}]}]', LIST) == (
        [{"b": [{"c": None}]}],
        ["\ud800", "b.[].c"],
    )


@pytest.mark.parametrize("levels", [1, DEEPEST - 1, DEEPEST])
def test_what_a_target_can_read_stays_however_it_is_nested(levels: int) -> None:
    value = b"[" * levels + b"]" * levels
    body = b'\xef\xbb\xbf{"items": [{"a": %b}]}' % value
    assert read(body, ITEMS) == ({"items": [{"a": json.loads(value)}]}, [])


# --- whatever comes ---


@given(st.binary(max_size=60))
@example(b'"\\ud800\\udc00"')
@example(b"1e-9999999999999999999")
def test_whatever_comes_is_json_or_refused(body: bytes) -> None:
    try:
        content = strict_json(body, ONE, lambda _: None)
    except (ValueError, RecursionError):
        return
    _decode(content)


ANY_TEXT = st.text(st.characters(), max_size=8)  # surrogates too
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(ANY_TEXT, inner, max_size=4),
    max_leaves=12,
)


def is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def without_flaws(value: Any) -> Any:
    """The same value, null in place of text that is not Unicode."""
    if isinstance(value, str):
        return value if is_unicode(value) else None
    if isinstance(value, list):
        return [without_flaws(inner) for inner in value]
    if isinstance(value, dict):
        return {name: without_flaws(v) for name, v in value.items() if is_unicode(name)}
    return value


@given(ANY_JSON)
def test_every_value_is_what_was_sent_or_null(value: Any) -> None:
    value = json.loads(json.dumps(value))  # halves of a pair that meet are one character
    read_back, found = read(json.dumps({"a": value}).encode())
    assert read_back == {"a": without_flaws(value)}
    assert bool(found) == (read_back != {"a": value})
