"""Data that is not as documented: the row arrives, it is reported once, and nothing stops."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from jsonschema import Draft202012Validator

from tests.conftest import WarmTapRunner
from tests.sandbox import Grant
from tests.sandbox.values import Raw
from tests.support import CANARY, GRANT, Altered, always, canary_sandbox, small_grants

if TYPE_CHECKING:
    from tests.conftest import Run, TapRunner
    from tests.sandbox import Sandbox

VALUE = CANARY + "value"  # what a report must never quote; searched for as tokens are


class Change(NamedTuple):
    """What two rows hold in place of a documented value.

    Attributes:
        name: the property.
        value: what e-conomic sends.
        record: what the record has.
        report: what the log says of it, but for how many rows.
    """

    name: str
    value: Any
    record: Any = None
    report: str = ""


def mistyped(name: str, value: Any, found: str, documented: str) -> Change:
    return Change(
        name, value, report=f"{name} is {found} where {documented} is documented: omitted"
    )


ENDPOINTS = {
    "customers": ("rest:/customers", "customerNumber"),
    "customer_contacts": ("customersapi:/Contacts", "number"),
}
CHANGES = {
    "customers": (
        Change("somethingNew", VALUE, VALUE, "unknown property somethingNew"),
        Change("anotherNew", {"inside": VALUE}, {"inside": VALUE}, "unknown property anotherNew"),
        Change("name", 81123455, "81123455"),
        Change("name", True, "true"),
        Change("name", {"first": VALUE}, f'{{"first":"{VALUE}"}}'),
        Change("name", [VALUE], f'["{VALUE}"]'),
        Change("name", Raw("null")),
        mistyped("creditLimit", VALUE, "a string", "a number"),
        mistyped("creditLimit", {"amount": VALUE}, "an object", "a number"),
        Change("creditLimit", Raw("1" * 40 + ".25"), Decimal("1" * 40 + ".25")),
        Change("creditLimit", Raw("1e999"), Decimal("1e999")),
        mistyped("eInvoicingDisabledByDefault", VALUE, "a string", "a boolean"),
        Change("eInvoicingDisabledByDefault", Raw("null")),
        mistyped("lastUpdated", VALUE, "a string", "an instant"),
        mistyped("lastUpdated", "2024-02-30T00:00:00Z", "a string", "an instant"),
        mistyped("vatZone", VALUE, "a string", "an object"),
        mistyped("vatZone", [VALUE], "an array", "an object"),
        mistyped("vatZone.vatZoneNumber", {"vatZoneNumber": VALUE}, "a string", "an integer"),
        Change("vatZone", Raw("null")),
        Change(
            "layout",
            {"layoutNumber": 19, "name": VALUE},
            {"name": VALUE},
            "unknown property layout.name",
        ),
    ),
    "customer_contacts": (
        Change("somethingNew", VALUE, VALUE, "unknown property somethingNew"),
        mistyped("customerNumber", VALUE, "a string", "an integer"),
        mistyped("customerNumber", Raw("1.5"), "a number", "an integer"),
        mistyped("customerNumber", {"number": VALUE}, "an object", "an integer"),
        Change("customerNumber", Raw("null")),
        Change("customerNumber", "17", 17),
        mistyped("receiveInvoices", VALUE, "a string", "a boolean"),
        Change("name", {"first": VALUE}, f'{{"first":"{VALUE}"}}'),
        Change("name", 12, "12"),
        Change("lastUpdated", Raw("null")),
    ),
}


@pytest.fixture(scope="module", params=CHANGES)
def read(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, Run]:
    """A stream, and a run over its changed rows: an ordinary one, two of each change, another."""
    stream = request.param
    endpoint, key = ENDPOINTS[stream]

    def alter(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        changes = [{c.name.partition(".")[0]: c.value} for c in CHANGES[stream] for _ in range(2)]
        made = [{}, *changes, {}]
        return [{**rows[0], key: number, **change} for number, change in enumerate(made, start=1)]

    company = Altered(small_grants(GRANT)[GRANT].company, endpoint, alter)
    tap = WarmTapRunner(tmp_path_factory.mktemp("drift"))
    with canary_sandbox({GRANT: Grant(company)}) as sandbox:
        return stream, tap.read(sandbox, stream)


def reports(run: Run) -> list[str]:
    return [line for line in run.warnings if "Schema drift" in line]


def test_no_row_is_lost_and_every_record_fits_its_schema(read: tuple[str, Run]) -> None:
    stream, run = read
    first, *changed, last = run.records[stream]
    key = ENDPOINTS[stream][1]
    assert {**first, key: last[key]} == last
    assert [
        [record.get(change.name) for record in changed[place * 2 : place * 2 + 2]]
        for place, change in enumerate(CHANGES[stream])
    ] == [[change.record] * 2 for change in CHANGES[stream]]
    validator = Draft202012Validator(run.schemas[stream]["schema"])
    assert [
        e.message for record in run.records[stream] for e in validator.iter_errors(record)
    ] == []


def test_what_does_not_fit_is_reported_once_by_its_path_and_without_its_value(
    read: tuple[str, Run],
) -> None:
    """And how to keep what is unknown."""
    stream, run = read
    found = Counter(change.report for change in CHANGES[stream] if change.report)
    *told, hint = reports(run)
    assert [line.partition("Schema drift: ")[2] for line in told] == [
        f"{report} ({2 * changes} rows)" for report, changes in sorted(found.items())
    ]
    assert all(f"| tap-visma-economic.{stream} " in line for line in told)
    assert "SQL targets drop them" in hint
    assert "catalog's schema" in hint
    assert VALUE not in run.stderr
    assert "Traceback" not in run.stderr


def test_a_key_of_another_type_keeps_its_row(warm_tap: TapRunner, firm: Sandbox) -> None:
    page = {"collection": [{"vatZoneNumber": 1}, {"vatZoneNumber": VALUE}]}
    always(firm, "/vat-zones", 200, page)
    run = warm_tap.read(firm, "vat_zones")
    assert [record["vatZoneNumber"] for record in run.records["vat_zones"]] == [1, VALUE]
    assert len(reports(run)) == 1
    assert VALUE not in run.stderr


def test_rows_of_two_pages_without_their_key_hide_no_other(
    warm_tap: TapRunner, firm: Sandbox
) -> None:
    link = {"nextPage": "https://restapi.e-conomic.com/units?skippages=1"}
    first = {"collection": [{"unitNumber": 1}, {"name": "a"}], "pagination": link}
    always(firm, "skippages=0", 200, first)
    second = {"collection": [{"name": "b"}, {"unitNumber": 2}], "pagination": {}}
    always(firm, "skippages=1", 200, second)
    run = warm_tap.read(firm, "units", code=1)
    assert [record["unitNumber"] for record in run.records["units"]] == [1, 2], "once each"
