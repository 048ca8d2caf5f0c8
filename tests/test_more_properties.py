"""Properties that the schema files do not name: by the catalog's schema, or by a newer version."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.conftest import settings_for
from tests.sandbox import Grant
from tests.sandbox.company import build_company
from tests.support import GRANT, NUMBER, canary_sandbox

if TYPE_CHECKING:
    from tests.conftest import Run, TapRunner
    from tests.support import Firm

NEW = {"type": ["number", "null"]}


def extended(tap: TapRunner, stream: str, properties: dict[str, Any]) -> dict[str, Any]:
    """A catalog with more in the schema of a stream, as Meltano's extra `schema` makes it."""
    catalog = tap.catalog_of(stream)
    catalog["streams"][0]["schema"]["properties"] |= properties
    return catalog


def customers(tap: TapRunner, properties: dict[str, Any], **more: Any) -> Run:
    """Read customers, of which the second and third have more than is documented."""
    company = build_company(NUMBER, "Firma", seed=7, entries=300)
    for row in company.rows("rest:/customers")[1:3]:
        row |= {"score": "12.50", "layout": {"layoutNumber": 19, "name": "Standard"}}
    catalog = extended(tap, "customers", properties)
    with canary_sandbox({GRANT: Grant(company)}) as sandbox:
        run = tap(settings_for(sandbox, GRANT, **more), catalog=catalog)
    assert run.exit_code == 0, run.stderr
    return run


def test_a_property_that_the_catalogs_schema_adds_is_a_column(warm_tap: TapRunner) -> None:
    run = customers(warm_tap, {"score": NEW})
    assert run.schemas["customers"]["schema"]["properties"]["score"] == NEW
    values = [record["score"] for record in run.records["customers"]]
    assert values[:3] == [None, 12.5, 12.5]
    assert set(values[3:]) == {None}, "null where it is absent, as any other column"
    assert not [line for line in run.warnings if "unknown property score" in line]


def test_so_is_one_inside_of_a_reference_that_would_go(warm_tap: TapRunner) -> None:
    layout = {"type": ["object", "null"], "properties": {"name": {"type": ["string", "null"]}}}
    run = customers(warm_tap, {"layout": layout, "score": NEW})
    assert run.schemas["customers"]["schema"]["properties"]["layout"] == layout
    records = run.records["customers"]
    assert records[1]["layout"]["name"] == "Standard"
    assert records[1]["layoutNumber"] == 19
    assert not [line for line in run.warnings if "Schema drift" in line]


def test_a_number_that_is_added_has_the_form_of_all_numbers(warm_tap: TapRunner) -> None:
    run = customers(warm_tap, {"score": NEW}, decimals="x-singer.decimal")
    column = run.schemas["customers"]["schema"]["properties"]["score"]
    assert (column["format"], column["precision"], column["scale"]) == ("x-singer.decimal", 38, 18)
    assert run.records["customers"][1]["score"] == "12.50"


def test_a_token_cannot_be_added(warm_tap: TapRunner, firm: Firm) -> None:
    application = {"type": "object", "properties": {"appPublicToken": {"type": "string"}}}
    catalog = extended(warm_tap, "agreements", {"application": application})
    run = warm_tap(settings_for(firm, GRANT), catalog=catalog)
    assert "appPublicToken" not in run.records["agreements"][0]["application"]


ADDED = {
    ("booked_entries", "costTypeNumber"): ("6.0.0", 7),
    ("matched_entries", "matchedAmount"): ("7.0.0", 10.5),
    ("matched_entries", "effectiveMatchDate"): ("7.0.0", "2026-01-31"),
}


@pytest.mark.parametrize("version", ["5.0.0", "6.0.0", "7.0.0", "7.1.0"])
def test_what_a_newer_version_is_known_to_add_is_a_column(firm: Firm, version: str) -> None:
    entry = {"entryNumber": 1, "accountNumber": 1010, "costTypeNumber": 7}
    firm.always("/booked-entries$", 200, {"items": [entry]})
    amounts = {"matchedAmount": 10.50, "effectiveMatchDate": "2026-01-31T00:00:00"}
    pair = {"entryNumber1": 1, "entryNumber2": 2, **amounts}
    firm.always("/booked-entries/matched-pairs$", 200, {"items": [pair]})
    versions = {"openapi_versions": {"bookedEntriesapi": version}}
    run = firm.read("booked_entries", "matched_entries", code=None, **versions)
    for (stream, column), (since, value) in ADDED.items():
        described = run.schemas[stream]["schema"]["properties"]
        assert (column in described) == (version >= since), (stream, column)
        if stream in run.records and version >= since:
            assert run.records[stream][0][column] == value
