"""Every stream: all that the sandbox holds arrives, value by value, and nothing else."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft202012Validator

from tests.conftest import TapRunner
from tests.expected import differences
from tests.test_discovery import CONTRACT

if TYPE_CHECKING:
    from tests.conftest import Run
    from tests.sandbox.grants import CompanyLike
    from tests.sandbox.server import Sandbox


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory, sandbox: Sandbox) -> Run:
    """All streams of the main company."""
    tap = TapRunner(tmp_path_factory.mktemp("everything"))
    return tap.read(sandbox, grants=["demo"], all_streams=True)


def endpoint(stream: str) -> str:
    facts = CONTRACT[stream]
    return f"{'rest' if facts['api'] == 'rest' else facts['module']}:{facts['path']}"


def listings(company: CompanyLike, stream: str) -> list[dict[str, Any]]:
    """The path parameters of every listing of a stream, by column, as the sandbox has them."""
    facts = CONTRACT[stream]
    params: dict[str, Any] = facts.get("path_params", {})
    fixed = {name: values for name, values in params.items() if isinstance(values, list)}
    parents = _parents(company, facts["parent"], params) if "parent" in facts else [{}]
    return [
        {**stamps, **dict(zip(fixed, values, strict=True))}
        for stamps in parents
        for values in product(*fixed.values())
    ]


def _parents(company: CompanyLike, parent: str, params: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {name: {**row, **above}[column] for name, column in params.items()}
        for above in listings(company, parent)
        for row in rows_below(company, parent, above)
    ]


def rows_below(company: CompanyLike, stream: str, stamps: dict[str, Any]) -> list[dict[str, Any]]:
    try:
        return list(company.rows(endpoint(stream), tuple(str(v) for v in stamps.values())))
    except KeyError:
        return []


def column(parameter: str) -> str:
    return {"accountingYearPeriod": "periodNumber"}.get(parameter, parameter)


def truth(company: CompanyLike, stream: str) -> list[dict[str, Any]]:
    """Every row of a stream, with its path parameters as columns."""
    rows = []
    for stamps in listings(company, stream):
        columns = {column(name): value for name, value in stamps.items()}
        rows += [{**columns, **row} for row in rows_below(company, stream, stamps)]
    return rows


def test_the_run_is_complete(everything: Run) -> None:
    assert set(everything.schemas) == {*CONTRACT, "sync_runs"}
    assert "Schema drift" not in everything.stderr


@pytest.mark.parametrize("stream", CONTRACT)
def test_all_rows_arrive_each_value_equal(stream: str, everything: Run, sandbox: Sandbox) -> None:
    company = sandbox.grants["demo"].company
    records, rows = everything.records[stream], truth(company, stream)
    if stream == "booked_entry_dimension_changes":  # listed newest first, read upward
        for listing in (rows, records):
            listing.sort(key=lambda row: (row["timestamp"], row["entryNumber"], row["dimension"]))
    assert rows, "the sandbox must hold rows of every stream"
    assert len(records) == len(rows)
    found = [
        line
        for record, row in zip(records, rows, strict=True)
        for line in differences(
            stream, record, {"agreementNumber": company.agreement_number, **row}
        )
    ]
    assert found[:5] == []


@pytest.mark.parametrize("stream", CONTRACT)
def test_no_key_comes_twice(stream: str, everything: Run) -> None:
    names = CONTRACT[stream]["primary_keys"]
    keys = [tuple(record[name] for name in names) for record in everything.records[stream]]
    assert len(set(keys)) == len(keys)


@pytest.mark.parametrize("stream", CONTRACT)
def test_every_record_is_valid_against_its_schema_message(stream: str, everything: Run) -> None:
    message = everything.schemas[stream]
    validator = Draft202012Validator(message["schema"])
    assert message["key_properties"] == CONTRACT[stream]["primary_keys"]
    for record in everything.records[stream]:
        validator.validate(record)


def test_every_column_of_a_schema_is_filled_somewhere(everything: Run) -> None:
    """The sandbox fills every documented property, so that a column always empty is a mistake."""
    empty = {
        f"{stream}.{name}"
        for stream, message in everything.schemas.items()
        if stream in CONTRACT
        for name in message["schema"]["properties"]
        if not any(record.get(name) is not None for record in everything.records[stream])
    }
    assert empty == set()


@pytest.mark.parametrize("links", [True, False])
def test_links_leave_only_where_asked_for(
    links: bool, warm_tap: TapRunner, sandbox: Sandbox
) -> None:
    run = warm_tap.read(sandbox, "customers", grants=["demo"], include_links=links)
    customer = run.records["customers"][0]
    assert ("self" in customer) is links
    assert ("customerGroup" in customer) is links
    assert customer["customerGroupNumber"] == 1
    assert ("self" in run.schemas["customers"]["schema"]["properties"]) is links


def test_a_deselected_reference_leaves_in_no_form(
    warm_tap: TapRunner, config: dict[str, Any]
) -> None:
    catalog = warm_tap.catalog_of("customers", config={"include_links": True})
    for part in catalog["streams"][0]["metadata"]:
        if part["breadcrumb"] == ["properties", "customerGroupNumber"]:
            part["metadata"]["selected"] = False
    run = warm_tap({**config, "include_links": True}, catalog=catalog)
    for customer in run.records["customers"]:
        assert list(customer["customerGroup"]) == ["self"]
        assert "customerGroupNumber" not in customer
