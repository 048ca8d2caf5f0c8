"""Content that nobody can trust: passed on as it is, or omitted by name; never the page with it.

Bodies are put together by hand, for no honest server would send them.
"""

from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft202012Validator

from tests.conftest import settings_for
from tests.support import GRANT, NUMBER, canary_sandbox, keeps_secrets, small_grants, told

if TYPE_CHECKING:
    from tests.conftest import Run, TapRunner


def read(tap: TapRunner, stream: str, path: str, body: bytes, **config: Any) -> Run:
    """Read one stream whose listing answers with these bytes."""
    with canary_sandbox(small_grants(GRANT)) as sandbox:
        sandbox.faults.add(path, "status", status=200, body=body, times=None)
        return tap(settings_for(sandbox, GRANT, **config), catalog=tap.catalog_of(stream))


def customers(tap: TapRunner, value: bytes, **config: Any) -> Run:
    """Read three customers, the second of which has this for its name."""
    rows = [
        b'{"customerNumber": %d, "balance": 1.10, "name": %b}' % (n, v)
        for n, v in ((1, b'"one"'), (2, value), (3, b'"three"'))
    ]
    body = b'{"collection": [%b], "pagination": {"results": 3}}' % b", ".join(rows)
    return read(tap, "customers", "^/customers", body, **config)


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


@pytest.mark.parametrize("value", FAITHFUL.values(), ids=FAITHFUL)
def test_text_is_passed_on_as_it_is(warm_tap: TapRunner, value: bytes) -> None:
    run = customers(warm_tap, value)
    assert run.exit_code == 0, run.stderr
    assert names(run) == ["one", json.loads(value), "three"]
    assert reports(run) == []


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"\xef\xbb\xbf%b", "æ"),
        (b"%b", "æ"),
    ],
    ids=["a byte order mark", "none"],
)
def test_a_byte_order_mark_costs_nothing(warm_tap: TapRunner, body: bytes, expected: str) -> None:
    rows = '{"collection": [{"customerNumber": 1, "name": "æ"}]}'.encode()
    run = read(warm_tap, "customers", "^/customers", body % rows)
    assert (run.exit_code, names(run), reports(run)) == (0, [expected], [])


@pytest.mark.parametrize("raw", ["a\x00b", "a\nb", "a\tb\x1f"])
def test_bare_control_characters_are_text(warm_tap: TapRunner, raw: str) -> None:
    run = customers(warm_tap, f'"{raw}"'.encode())
    assert (run.exit_code, names(run), reports(run)) == (0, ["one", raw, "three"], [])


@pytest.mark.parametrize("text", ["1E+400", "-1E-400", "5.00", "-0.0", "1.10", "9" * 400])
def test_numbers_keep_all_their_digits(warm_tap: TapRunner, text: str) -> None:
    body = b'{"collection": [{"customerNumber": 1, "balance": %b}]}' % text.encode()
    run = read(warm_tap, "customers", "^/customers", body)
    assert run.exit_code == 0, run.stderr
    (record,) = run.records["customers"]
    assert record["balance"] == Decimal(text)
    assert reports(run) == []


def test_of_a_property_that_comes_twice_the_last_value_counts(warm_tap: TapRunner) -> None:
    run = customers(warm_tap, b'"two", "name": "zwei"')
    assert (run.exit_code, names(run)) == (0, ["one", "zwei", "three"])


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
    warm_tap: TapRunner, value: bytes, mapped: bool
) -> None:
    more: dict[str, Any] = {"stream_maps": {"customers": {"extra": "1"}}} if mapped else {}
    run = customers(warm_tap, value, **more)
    assert run.exit_code == 0, run.stderr
    assert names(run) == ["one", None, "three"]
    assert [record["balance"] for record in run.records["customers"]] == [Decimal("1.10")] * 3
    (line,) = told(run, "Schema drift: name")
    assert "omitted (1 row)" in line
    keeps_secrets(run)


@pytest.mark.parametrize("column", ["name", "somethingNew"])
@pytest.mark.parametrize("levels", [100, 900])
def test_what_is_nested_too_deep_for_targets_is_left_out(
    warm_tap: TapRunner, column: str, levels: int
) -> None:
    deep = b"[" * levels + b"]" * levels
    body = b'{"collection": [{"customerNumber": 1, "%b": %b}]}' % (column.encode(), deep)
    run = read(warm_tap, "customers", "^/customers", body)
    assert run.exit_code == 0, run.stderr
    (record,) = run.records["customers"]
    assert record[column] is None
    assert told(run, f"Schema drift: {column}")


def test_a_page_nested_deeper_than_can_be_parsed_fails_its_stream(warm_tap: TapRunner) -> None:
    run = customers(warm_tap, b"[" * 100_000 + b"]" * 100_000)
    assert run.exit_code == 1
    assert "the response to GET /customers" in run.stderr
    assert "Traceback" not in run.stderr


def test_every_record_still_fits_its_schema(warm_tap: TapRunner) -> None:
    rows = [
        b'{"customerNumber": %d, "name": %b}' % (n, v)
        for n, v in enumerate([*LEFT_OUT.values(), *FAITHFUL.values()], 1)
    ]
    body = b'{"collection": [%b]}' % b", ".join(rows)
    run = read(warm_tap, "customers", "^/customers", body)
    assert len(run.records["customers"]) == len(rows)
    validator = Draft202012Validator(run.schemas["customers"]["schema"])
    for record in run.records["customers"]:
        assert list(validator.iter_errors(record)) == []


# --- refused by name ---


@pytest.mark.parametrize("key", [rb'"A\ud800"', b'"A\xe6"', b"NaN", b"[" * 200 + b"]" * 200])
def test_a_row_whose_key_cannot_be_written_is_refused_and_its_stream_fails(
    warm_tap: TapRunner, key: bytes
) -> None:
    rows = [b'{"productNumber": %b, "name": "n"}' % k for k in (b'"1"', key, b'"3"')]
    body = b'{"collection": [%b]}' % b", ".join(rows)
    run = read(warm_tap, "products", "^/products", body)
    assert run.exit_code == 1
    assert [record["productNumber"] for record in run.records["products"]] == ["1", "3"]
    (line,) = [line for line in run.errors if "Failed for" in line]
    assert "1 row not written" in line
    assert f"agreementNumber {NUMBER}, no productNumber" in line
    assert "Traceback" not in run.stderr


def test_the_bookmark_stays_in_front_of_a_row_that_was_refused(warm_tap: TapRunner) -> None:
    def page(*numbers: bytes) -> bytes:
        return b'{"items": [%b]}' % b", ".join(
            b'{"entryNumber": %b, "amount": 1.00}' % number for number in numbers
        )

    broken = page(b"1", b"2", b"1e9999999999999999999", b"4")
    path = r"booked-entries(\?|$)"
    run = read(warm_tap, "booked_entries", path, broken)
    assert run.exit_code == 1
    assert [record["entryNumber"] for record in run.records["booked_entries"]] == [1, 2, 4]
    partition = run.bookmark("booked_entries")
    assert partition.get("replication_key_value", 0) < 3


def test_so_it_does_where_another_part_of_the_key_cannot_be_written(warm_tap: TapRunner) -> None:
    rows = [
        b'{"entryNumber": %d, "dimensionNumber": %b, "dimensionKey": 1}' % (number, dimension)
        for number, dimension in ((1, b"1"), (2, b"NaN"), (3, b"1"), (4, b"1"))
    ]
    body = b'{"items": [%b]}' % b", ".join(rows)
    path = r"dimension-data/booked-entries(\?|$)"
    run = read(warm_tap, "booked_entry_dimensions", path, body)
    assert run.exit_code == 1
    assert [r["entryNumber"] for r in run.records["booked_entry_dimensions"]] == [1, 3, 4]
    assert run.bookmark("booked_entry_dimensions").get("replication_key_value", 0) < 2
