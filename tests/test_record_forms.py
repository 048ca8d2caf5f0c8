"""What records look like: complete, in one order, with decimals in the form that is asked for."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from tests.conftest import settings_for

if TYPE_CHECKING:
    from tests.conftest import Run, TapRunner
    from tests.sandbox.server import Sandbox

MAPPED = {"stream_maps": {"currencies": {"mapped": "1"}}}
DECIMAL = {
    "type": ["string", "null"],
    "format": "x-singer.decimal",
    "precision": 38,
    "scale": 18,
}


def columns(run: Run, stream: str) -> list[str]:
    return list(run.schemas[stream]["schema"]["properties"])


@pytest.mark.parametrize("include_links", [False, True])
@pytest.mark.parametrize("more", [{}, MAPPED], ids=["written", "mapped"])
def test_every_record_has_every_column_in_the_schemas_order(
    warm_tap: TapRunner, sandbox: Sandbox, include_links: bool, more: dict[str, Any]
) -> None:
    config = settings_for(sandbox, "demo", include_links=include_links, all_streams=True, **more)
    run = warm_tap(config)
    assert run.exit_code == 0, run.stderr
    for stream, records in run.records.items():
        expected = columns(run, stream)
        for record in records:
            assert [name for name in record if name in expected] == expected, stream


def test_a_boolean_that_is_never_null_is_false_where_it_is_absent(
    warm_tap: TapRunner, sandbox: Sandbox
) -> None:
    run = warm_tap(settings_for(sandbox, "demo"), catalog=warm_tap.catalog_of("customers"))
    assert {record["barred"] for record in run.records["customers"]} == {True, False}
    assert None in {record["creditLimit"] for record in run.records["customers"]}


def test_absent_columns_can_be_left_out(warm_tap: TapRunner, sandbox: Sandbox) -> None:
    catalog = warm_tap.catalog_of("customers", "booked_entries")
    whole = warm_tap(settings_for(sandbox, "demo"), catalog=catalog)
    brief = warm_tap(settings_for(sandbox, "demo", absent_columns="omit"), catalog=catalog)
    assert brief.exit_code == 0, brief.stderr
    for stream, records in whole.records.items():
        there = [{k: v for k, v in record.items() if v is not None} for record in records]
        assert brief.records[stream] == there
        assert there != records


def leaves(schema: dict[str, Any], value: Any, path: str = "") -> list[tuple[str, Any, Any]]:
    """Path, schema and value of everything in a record that is no object or array."""
    if isinstance(value, dict):
        described = schema.get("properties", {})
        return [
            leaf
            for name, inner in value.items()
            for leaf in leaves(described.get(name, {}), inner, f"{path}.{name}")
        ]
    if isinstance(value, list):
        items = schema.get("items", {})
        return [leaf for inner in value for leaf in leaves(items, inner, f"{path}[]")]
    return [(path, schema, value)]


@pytest.mark.parametrize("decimals", ["x-singer.decimal", "string"])
@pytest.mark.parametrize("more", [{}, MAPPED], ids=["written", "mapped"])
def test_every_number_has_the_form_that_is_asked_for(
    warm_tap: TapRunner, sandbox: Sandbox, decimals: str, more: dict[str, Any]
) -> None:
    plain = warm_tap(settings_for(sandbox, "demo"))
    run = warm_tap(settings_for(sandbox, "demo", decimals=decimals, **more))
    assert run.exit_code == 0, run.stderr
    form = DECIMAL if decimals == "x-singer.decimal" else {"type": ["string", "null"]}
    checked = 0
    for stream, records in plain.records.items():
        if stream == "sync_runs":  # other runs
            continue
        schema, other = plain.schemas[stream]["schema"], run.schemas[stream]["schema"]
        for before, after in zip(records, run.records[stream], strict=True):
            found = zip(leaves(schema, before), leaves(other, after), strict=False)
            for (path, was, value), (same, now, text) in found:
                assert same == path
                if "number" in was.get("type", ()):
                    assert {word: now[word] for word in form} == form, (stream, path)
                    assert "precision" in now or decimals == "string"
                    assert text is None or isinstance(text, str)
                    assert (None if text is None else Decimal(text)) == value
                    assert "E" not in str(text)
                    checked += 1
                else:
                    assert text == value
    assert checked > 10_000


def test_numbers_are_plain_texts_with_all_their_digits(
    warm_tap: TapRunner, sandbox: Sandbox
) -> None:
    for sent, text in {
        "1e5": "100000",
        "0.00000000": "0.00000000",
        "-1.50": "-1.50",
        "7": "7",
        "12345678901234567890.123456789": "12345678901234567890.123456789",
        '"2.5e-9"': "0.0000000025",
    }.items():
        body = b'{"items": [{"entryNumber": 1, "amount": %b}]}' % sent.encode()
        sandbox.faults.add("/booked-entries$", "status", status=200, body=body)
        run = warm_tap(
            settings_for(sandbox, "demo", decimals="string"),
            catalog=warm_tap.catalog_of("booked_entries"),
            state=None,
        )
        sandbox.faults.clear()
        assert run.records["booked_entries"][0]["amount"] == text


def test_a_flattened_record_shifts_no_column_in_a_target_that_takes_the_first_rows_header(
    warm_tap: TapRunner, sandbox: Sandbox
) -> None:
    """As target-csv 0.3.0 does: the first record's names are the header of all others."""
    config = settings_for(sandbox, "demo", flattening_enabled=True, flattening_max_depth=5)
    run = warm_tap(config)
    assert run.exit_code == 0, run.stderr
    shifted = [
        stream
        for stream, records in run.records.items()
        if any(list(record) != list(records[0]) for record in records)
    ]
    assert shifted == []
