"""What records look like: complete, in one order, with decimals in the form that is asked for."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from tests.conftest import WarmTapRunner

if TYPE_CHECKING:
    from tests.conftest import Run, TapRunner
    from tests.sandbox.server import Sandbox
    from tests.support import Firm

MAPPED = {"stream_maps": {"currencies": {"mapped": "1"}}}
DECIMAL = {
    "type": ["string", "null"],
    "format": "x-singer.decimal",
    "precision": 38,
    "scale": 18,
}


def columns(run: Run, stream: str) -> list[str]:
    return list(run.schemas[stream]["schema"]["properties"])


@pytest.mark.parametrize(
    ("include_links", "more"),
    [(False, {}), (True, {}), (True, MAPPED)],
    ids=["written", "written with links", "mapped with links"],
)
def test_every_record_has_every_column_in_the_schemas_order(
    warm_tap: TapRunner, sandbox: Sandbox, include_links: bool, more: dict[str, Any]
) -> None:
    settings = {"include_links": include_links, "all_streams": True, **more}
    run = warm_tap.read(sandbox, grants=["demo"], **settings)
    for stream, records in run.records.items():
        expected = columns(run, stream)
        for record in records:
            assert [name for name in record if name in expected] == expected, stream


def test_a_boolean_that_is_never_null_is_false_where_it_is_absent(
    warm_tap: TapRunner, sandbox: Sandbox
) -> None:
    run = warm_tap.read(sandbox, "customers", grants=["demo"])
    assert {record["barred"] for record in run.records["customers"]} == {True, False}
    assert None in {record["creditLimit"] for record in run.records["customers"]}


def test_absent_columns_can_be_left_out(warm_tap: TapRunner, sandbox: Sandbox) -> None:
    streams = ("customers", "booked_entries")
    whole = warm_tap.read(sandbox, *streams, grants=["demo"])
    brief = warm_tap.read(sandbox, *streams, grants=["demo"], absent_columns="omit")
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


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory, sandbox: Sandbox) -> Run:
    """The default streams, with numbers as numbers."""
    return WarmTapRunner(tmp_path_factory.mktemp("plain")).read(sandbox, grants=["demo"])


@pytest.mark.parametrize(
    ("decimals", "more"),
    [("x-singer.decimal", {}), ("string", {}), ("string", MAPPED)],
    ids=["decimals", "strings", "strings, mapped"],
)
def test_every_number_has_the_form_that_is_asked_for(
    warm_tap: TapRunner, sandbox: Sandbox, plain: Run, decimals: str, more: dict[str, Any]
) -> None:
    run = warm_tap.read(sandbox, grants=["demo"], decimals=decimals, **more)
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


def test_numbers_are_plain_texts_with_all_their_digits(firm: Firm) -> None:
    texts = {
        "1e5": "100000",
        "0.00000000": "0.00000000",
        "-1.50": "-1.50",
        "7": "7",
        "12345678901234567890.123456789": "12345678901234567890.123456789",
        '"2.5e-9"': "0.0000000025",
    }
    rows = [f'{{"entryNumber": {n}, "amount": {sent}}}' for n, sent in enumerate(texts, 1)]
    firm.always("/booked-entries$", 200, f'{{"items": [{", ".join(rows)}]}}'.encode())
    run = firm.read("booked_entries", decimals="string")
    assert [row["amount"] for row in run.records["booked_entries"]] == list(texts.values())


def test_a_flattened_record_shifts_no_column_in_a_target_that_takes_the_first_rows_header(
    warm_tap: TapRunner, sandbox: Sandbox
) -> None:
    """As target-csv 0.3.0 does: the first record's names are the header of all others."""
    run = warm_tap.read(sandbox, grants=["demo"], flattening_enabled=True, flattening_max_depth=5)
    shifted = [
        stream
        for stream, records in run.records.items()
        if any(list(record) != list(records[0]) for record in records)
    ]
    assert shifted == []
