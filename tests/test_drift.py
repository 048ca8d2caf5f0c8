"""Data that is not as documented: the row arrives, it is reported once, and nothing stops."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft202012Validator

from tests.conftest import settings_for
from tests.sandbox import Grant
from tests.sandbox.company import build_company
from tests.sandbox.values import Raw
from tests.support import CANARY, GRANT, NUMBER, canary_sandbox, keeps_secrets, small_grants

if TYPE_CHECKING:
    from tests.conftest import Run, TapRunner

ENDPOINTS = {"customers": "rest:/customers", "customer_contacts": "customersapi:/Contacts"}
VALUE = CANARY + "value"  # what a report must never quote; searched for as tokens are

CUSTOMERS = {
    "an unknown property": ("somethingNew", VALUE),
    "an unknown object": ("somethingNew", {"inside": VALUE}),
    "a number for a string": ("name", 81123455),
    "a boolean for a string": ("name", True),
    "an object for a string": ("name", {"first": VALUE}),
    "a list for a string": ("name", [VALUE]),
    "a string for a number": ("creditLimit", VALUE),
    "an object for a number": ("creditLimit", {"amount": VALUE}),
    "a number of many digits": ("creditLimit", Raw("1" * 40 + ".25")),
    "a number out of every range": ("creditLimit", Raw("1e999")),
    "a string for a boolean": ("eInvoicingDisabledByDefault", VALUE),
    "a string for an instant": ("lastUpdated", VALUE),
    "a day that does not exist": ("lastUpdated", "2024-02-30T00:00:00Z"),
    "a string for an object": ("vatZone", VALUE),
    "a list for an object": ("vatZone", [VALUE]),
    "a string for the number in an object": ("vatZone", {"vatZoneNumber": VALUE}),
    "an unknown property in an object": ("vatZone", {"vatZoneNumber": 1, "somethingNew": VALUE}),
    "null for a string": ("name", Raw("null")),
    "null for an object": ("vatZone", Raw("null")),
    "null for a boolean": ("eInvoicingDisabledByDefault", Raw("null")),
}
CONTACTS = {
    "an unknown property": ("somethingNew", VALUE),
    "a string for an integer": ("customerNumber", VALUE),
    "a fraction for an integer": ("customerNumber", Raw("1.5")),
    "an object for an integer": ("customerNumber", {"number": VALUE}),
    "a string for a boolean": ("receiveInvoices", VALUE),
    "an object for a string": ("name", {"first": VALUE}),
    "null for an integer": ("customerNumber", Raw("null")),
    "null for an instant": ("lastUpdated", Raw("null")),
}
CASES = [
    *(("customers", what, *change) for what, change in CUSTOMERS.items()),
    *(("customer_contacts", what, *change) for what, change in CONTACTS.items()),
]


def read(tap: TapRunner, stream: str, changes: dict[str, Any]) -> tuple[Run, int]:
    """Read one stream whose second and third rows are changed; also tell how many rows it has."""
    company = build_company(NUMBER, "Firma", seed=7, entries=300)
    rows = company.rows(ENDPOINTS[stream])
    for row in rows[1:3]:
        row.update(changes)
    with canary_sandbox({GRANT: Grant(company)}) as sandbox:
        run = tap(settings_for(sandbox, GRANT), catalog=tap.catalog_of(stream))
    return run, len(rows)


def reports(run: Run) -> list[str]:
    return [line for line in run.warnings if "Schema drift" in line]


@pytest.mark.parametrize(("stream", "what", "name", "value"), CASES)
def test_no_row_is_lost_and_every_record_fits_its_schema(
    warm_tap: TapRunner, stream: str, what: str, name: str, value: object
) -> None:
    run, count = read(warm_tap, stream, {name: value})
    assert run.exit_code == 0, run.stderr
    records = run.records[stream]
    assert len(records) == count
    validator = Draft202012Validator(run.schemas[stream]["schema"])
    assert [error.message for record in records for error in validator.iter_errors(record)] == []
    assert "Traceback" not in run.stderr


@pytest.mark.parametrize(
    ("stream", "what", "name", "value"),
    [case for case in CASES if VALUE in str(case[3])],
)
def test_what_does_not_fit_is_reported_once_by_its_path_and_without_its_value(
    warm_tap: TapRunner, stream: str, what: str, name: str, value: object
) -> None:
    run, _ = read(warm_tap, stream, {name: value})
    said = [line for line in reports(run) if name in line]
    if len(said) == 0:
        carried = [str(record.get(name)) for record in run.records[stream]]
        assert any(VALUE in text for text in carried), "neither passed on nor reported"
    else:
        assert len(said) == 1, said
        assert "(2 rows)" in said[0]
        assert f"| tap-visma-economic.{stream} " in said[0]
    assert VALUE not in run.stderr


def test_a_value_carried_over_without_loss_is_not_news(warm_tap: TapRunner) -> None:
    run, _ = read(warm_tap, "customer_contacts", {"customerNumber": "17", "name": 12})
    assert reports(run) == []
    changed = run.records["customer_contacts"][1]
    assert (changed["customerNumber"], changed["name"]) == (17, "12")


def test_a_key_of_another_type_keeps_its_row(warm_tap: TapRunner) -> None:
    page = {"collection": [{"vatZoneNumber": 1}, {"vatZoneNumber": VALUE}]}
    with canary_sandbox(small_grants(GRANT)) as sandbox:
        sandbox.faults.add("/vat-zones", "status", status=200, body=json.dumps(page).encode())
        run = warm_tap(settings_for(sandbox, GRANT), catalog=warm_tap.catalog_of("vat_zones"))
    assert run.exit_code == 0, run.stderr
    assert [record["vatZoneNumber"] for record in run.records["vat_zones"]] == [1, VALUE]
    assert len(reports(run)) == 1
    assert VALUE not in run.stderr


@pytest.mark.parametrize("rows", [10, 2000])
@pytest.mark.parametrize("lacking", [{}, {"number": None}])
def test_a_key_that_is_missing_is_counted_and_its_row_held_back(
    warm_tap: TapRunner, rows: int, lacking: dict[str, None]
) -> None:
    name = "x" * 30
    whole = [{"number": number, "name": name} for number in range(1, rows)]
    page = {"items": [*whole, {"name": name, **lacking}]}
    with canary_sandbox(small_grants(GRANT)) as sandbox:
        body = json.dumps(page).encode()
        sandbox.faults.add("/Activities$", "status", status=200, body=body)
        run = warm_tap(settings_for(sandbox, GRANT), catalog=warm_tap.catalog_of("activities"))
    assert run.exit_code == 1
    assert [record["number"] for record in run.records["activities"]] == [*range(1, rows)]
    assert "Failed: activities" in run.stderr
    assert " 1 row not written" in run.stderr
    assert "no number" in run.stderr


def test_a_run_over_documented_data_reports_nothing(warm_tap: TapRunner) -> None:
    for stream in ENDPOINTS:
        run, _ = read(warm_tap, stream, {})
        assert reports(run) == []
        keeps_secrets(run)


def test_rows_without_their_key_delete_nothing(warm_tap: TapRunner) -> None:
    rows = [{"unitNumber": 1}, {"name": "uden nummer"}, {"unitNumber": None, "name": "b"}]
    body = json.dumps({"collection": rows, "pagination": {"results": 3}}).encode()
    with canary_sandbox(small_grants(GRANT)) as sandbox:
        sandbox.faults.add("/units", "status", status=200, body=body)
        config = settings_for(sandbox, GRANT, emit_activate_version_messages=True)
        run = warm_tap(config, catalog=warm_tap.catalog_of("units"))
    assert run.exit_code == 1
    assert [record["unitNumber"] for record in run.records["units"]] == [1]
    assert {message["type"] for message in run.messages} == {"SCHEMA", "RECORD", "STATE"}
    assert " 2 rows not written (the key is missing" in run.stderr


def test_what_is_news_in_a_lifted_reference_is_in_the_record(warm_tap: TapRunner) -> None:
    """And the log says what becomes of it, and how to keep it."""
    run, _ = read(warm_tap, "customers", {"layout": {"layoutNumber": 19, "name": VALUE}})
    changed = run.records["customers"][1]
    assert (changed["layoutNumber"], changed["layout"]) == (19, {"name": VALUE})
    assert "layout" not in run.records["customers"][0]
    news, hint = reports(run)
    assert "unknown property layout.name (2 rows)" in news
    assert "SQL targets drop them" in hint
    assert "catalog's schema" in hint


def test_rows_of_two_pages_without_their_key_hide_no_other(warm_tap: TapRunner) -> None:
    link = {"nextPage": "https://restapi.e-conomic.com/units?skippages=1"}
    pages: dict[str, dict[str, Any]] = {
        "skippages=0": {"collection": [{"unitNumber": 1}, {"name": "a"}], "pagination": link},
        "skippages=1": {"collection": [{"name": "b"}, {"unitNumber": 2}]},
    }
    with canary_sandbox(small_grants(GRANT)) as sandbox:
        for query, page in pages.items():
            body = json.dumps({"pagination": {}, **page}).encode()
            sandbox.faults.add(query, "status", status=200, body=body, times=None)
        run = warm_tap(settings_for(sandbox, GRANT), catalog=warm_tap.catalog_of("units"))
    assert run.exit_code == 1
    assert [record["unitNumber"] for record in run.records["units"]] == [1, 2], "once each"
