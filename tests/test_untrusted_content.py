"""Content that nobody can trust: passed on as it is, or omitted by name; never the page with it.

Bodies are put together by hand, for no honest server would send them.
"""

from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from tests.support import NUMBER, keeps_secrets, told

if TYPE_CHECKING:
    from tests.conftest import Run
    from tests.support import Firm


def read(firm: Firm, stream: str, path: str, body: bytes, **options: Any) -> Run:
    """Read one stream whose listing answers with these bytes."""
    firm.always(path, 200, body)
    return firm.read(stream, **options)


def listing(firm: Firm, rows: bytes, **options: Any) -> Run:
    """Read customers, whose listing has these rows."""
    return read(firm, "customers", "^/customers", b'{"collection": [%b]}' % rows, **options)


def customers(firm: Firm, value: bytes, **config: Any) -> Run:
    """Read three customers, the second of which has this for its name."""
    rows = [
        b'{"customerNumber": %d, "balance": 1.10, "name": %b}' % (n, v)
        for n, v in ((1, b'"one"'), (2, value), (3, b'"three"'))
    ]
    return listing(firm, b", ".join(rows), **config)


def names(run: Run) -> list[Any]:
    return [record.get("name") for record in run.records["customers"]]


def reports(run: Run) -> list[str]:
    return told(run, "Schema drift")


# --- passed on as it is ---

FAITHFUL = {
    "a megabyte": b'"' + b"x" * 1_000_000 + b'"',
    "NUL, escaped": rb'"a\u0000b"',
    "controls, escaped": rb'"\u0001\u001f\u007f\u2028"',
    "a pair of surrogates": rb'"\ud83e\ude91"',
    "outside the basic plane": '"🪑"'.encode(),
    "what means something in JSON": rb'"\"}],{\\"',
    "not a character": '"\ufffe\uffff"'.encode(),
}


def test_text_is_passed_on_as_it_is(firm: Firm) -> None:
    rows = [b'{"customerNumber": %d, "name": %b}' % it for it in enumerate(FAITHFUL.values())]
    run = listing(firm, b", ".join(rows))
    assert names(run) == [json.loads(value) for value in FAITHFUL.values()]
    assert reports(run) == []


def test_a_byte_order_mark_costs_nothing(firm: Firm) -> None:
    body = b"\xef\xbb\xbf" + '{"collection": [{"customerNumber": 1, "name": "æ"}]}'.encode()
    run = read(firm, "customers", "^/customers", body)
    assert (names(run), reports(run)) == (["æ"], [])


@pytest.mark.parametrize("raw", ["a\x00b", "a\nb", "a\tb\x1f"])
def test_bare_control_characters_are_text(firm: Firm, raw: str) -> None:
    run = customers(firm, f'"{raw}"'.encode())
    assert (names(run), reports(run)) == (["one", raw, "three"], [])


@pytest.mark.parametrize("text", ["1E+400", "-1E-400", "5.00", "-0.0", "1.10", "9" * 400])
def test_numbers_keep_all_their_digits(firm: Firm, text: str) -> None:
    run = listing(firm, b'{"customerNumber": 1, "balance": %b}' % text.encode())
    (record,) = run.records["customers"]
    assert record["balance"] == Decimal(text)
    assert reports(run) == []


def test_of_a_property_that_comes_twice_the_last_value_counts(firm: Firm) -> None:
    run = customers(firm, b'"two", "name": "zwei"')
    assert names(run) == ["one", "zwei", "three"]


# --- omitted by name ---

LEFT_OUT = {
    "a lone surrogate": rb'"canary-value\ud800"',
    "bytes that are not UTF-8": b'"canary-value\xe6\xf8"',
    "NaN": b"NaN",
    "an infinity": b"-Infinity",
    "an exponent out of range": b"1e9999999999999999999",
    "5,000 digits": b"7" * 5000,
    "a hundred levels": b"[" * 100 + b"]" * 100,
}


@pytest.mark.parametrize("mapped", [False, True], ids=["", "with a stream map"])
@pytest.mark.parametrize("value", LEFT_OUT.values(), ids=LEFT_OUT)
def test_a_value_that_no_message_can_carry_is_null_and_counted(
    firm: Firm, value: bytes, mapped: bool
) -> None:
    more: dict[str, Any] = {"stream_maps": {"customers": {"extra": "1"}}} if mapped else {}
    run = customers(firm, value, **more)
    assert names(run) == ["one", None, "three"]
    assert [record["balance"] for record in run.records["customers"]] == [Decimal("1.10")] * 3
    (line,) = told(run, "Schema drift: name")
    assert "omitted (1 row)" in line
    keeps_secrets(run)


@pytest.mark.parametrize("column", ["name", "somethingNew"])
@pytest.mark.parametrize("levels", [100, 900])
def test_what_is_nested_too_deep_for_targets_is_left_out(
    firm: Firm, column: str, levels: int
) -> None:
    deep = b"[" * levels + b"]" * levels
    run = listing(firm, b'{"customerNumber": 1, "%b": %b}' % (column.encode(), deep))
    (record,) = run.records["customers"]
    assert record[column] is None
    assert told(run, f"Schema drift: {column}")


def test_a_page_nested_deeper_than_can_be_parsed_fails_its_stream(firm: Firm) -> None:
    run = customers(firm, b"[" * 100_000 + b"]" * 100_000, code=1, max_wait_minutes=0)
    assert "the response to GET /customers" in run.stderr
    assert "Traceback" not in run.stderr


# --- refused by name ---


@pytest.mark.parametrize("key", [rb'"A\ud800"', b'"A\xe6"', b"NaN", b"[" * 200 + b"]" * 200])
def test_a_row_whose_key_cannot_be_written_is_refused_and_its_stream_fails(
    firm: Firm, key: bytes
) -> None:
    rows = [b'{"productNumber": %b, "name": "n"}' % k for k in (b'"1"', key, b'"3"')]
    body = b'{"collection": [%b]}' % b", ".join(rows)
    run = read(firm, "products", "^/products", body, code=1)
    assert [record["productNumber"] for record in run.records["products"]] == ["1", "3"]
    (line,) = [line for line in run.errors if "Failed for" in line]
    assert "1 row not written" in line
    assert f"agreementNumber {NUMBER}, no productNumber" in line
    assert "Traceback" not in run.stderr


DIMENSION = b'{"entryNumber": %d, "dimensionNumber": %b, "dimensionKey": 1}'
REFUSED = {
    "booked_entries": (
        r"booked-entries(\?|$)",
        [b'{"entryNumber": %b}' % n for n in (b"1", b"1e9999999999999999999", b"3", b"4")],
    ),
    "booked_entry_dimensions": (
        r"dimension-data/booked-entries(\?|$)",
        [DIMENSION % it for it in ((1, b"1"), (2, b"NaN"), (3, b"1"), (4, b"1"))],
    ),
}
"""Listings whose second row has a key that cannot be written; the latter only in a part of it."""


@pytest.mark.parametrize("stream", REFUSED)
def test_the_bookmark_stays_in_front_of_a_row_that_was_refused(firm: Firm, stream: str) -> None:
    path, rows = REFUSED[stream]
    run = read(firm, stream, path, b'{"items": [%b]}' % b", ".join(rows), code=1)
    assert [record["entryNumber"] for record in run.records[stream]] == [1, 3, 4]
    assert run.bookmark(stream).get("replication_key_value", 0) < 2
