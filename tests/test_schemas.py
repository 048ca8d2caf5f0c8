"""The schema files of every stream, and the catalog they become."""

from __future__ import annotations

import copy
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest

from scripts.schema_update.documents import FACTS
from tap_visma_economic.client import OpenApiStream
from tap_visma_economic.schemas import MODULE_VERSIONS, catalog_schema, load
from tap_visma_economic.streams import STREAMS as DECLARED

if TYPE_CHECKING:
    from collections.abc import Iterator

Json = dict[str, Any]
STREAMS: tuple[Any, ...] = DECLARED  # the SDK types name and primary_keys for instances only
NAMES = [stream.name for stream in STREAMS]
INSTANTS = {"inventoryLastUpdated", "lastDisabledDate", "lastUpdated", "timestamp"}


def walk(schema: Json, path: str = "") -> Iterator[tuple[str, Json]]:
    """Every property in a schema, by its dotted path."""
    for name, column in schema.get("properties", {}).items():
        yield f"{path}{name}", column
        yield from walk(column, f"{path}{name}.")
        yield from walk(column.get("items", {}), f"{path}{name}[].")


def catalogs(*, include_links: bool = False) -> Iterator[tuple[str, str, Json]]:
    """Every property of every stream's catalog schema."""
    for name in NAMES:
        for path, column in walk(catalog_schema(load(name), include_links=include_links)):
            yield name, path, column


def keywords(schema: Json) -> set[str]:
    """All keywords of a schema and of the schemas in it."""
    found = set(schema)
    items = [schema["items"]] if "items" in schema else []
    for column in (*schema.get("properties", {}).values(), *items):
        found |= keywords(column)
    return found


# --- the files ---


def test_every_stream_has_a_file_and_every_file_a_stream() -> None:
    found = {
        file.name.removesuffix(".json")
        for file in files("tap_visma_economic.schemas").iterdir()
        if file.name.endswith(".json")
    }
    assert found == {*NAMES, "modules", "newer_versions"}


def test_a_stream_that_does_not_exist_has_no_file() -> None:
    with pytest.raises(FileNotFoundError):
        load("no_such_stream")


def test_every_module_in_use_has_a_version() -> None:
    modules = {stream.module for stream in STREAMS if issubclass(stream, OpenApiStream)}
    assert set(MODULE_VERSIONS) == modules


@pytest.mark.parametrize("include_links", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_a_catalog_schema_is_valid_json_schema(name: str, include_links: bool) -> None:
    schema = catalog_schema(load(name), include_links=include_links)
    jsonschema.Draft202012Validator.check_schema(schema)


@pytest.mark.parametrize("include_links", [False, True])
def test_a_catalog_schema_speaks_plain_json_schema_without_limits(include_links: bool) -> None:
    spoken = set[str]()
    for name in NAMES:
        spoken |= keywords(catalog_schema(load(name), include_links=include_links))
    assert spoken == {"type", "properties", "required", "items", "format", "description"}


def test_cleaning_leaves_the_shared_file_as_it_is() -> None:
    before = copy.deepcopy(load("customers"))
    catalog_schema(load("customers"), include_links=False)
    assert load("customers") == before


def test_no_two_columns_differ_by_case_alone() -> None:
    for name in NAMES:
        columns = [column.lower() for column in load(name)["properties"]]
        assert len(columns) == len(set(columns)), name


# --- the hand-made tables behind the files ---


def test_every_correction_names_streams_that_exist() -> None:
    named = {it for row in (*FACTS["corrected"], *FACTS["added"]) for it in row["streams"]}
    assert named | set(FACTS["without_document"]) <= set(NAMES)


def test_every_day_and_instant_in_the_tables_is_a_date_somewhere() -> None:
    served = {
        name
        for stream, path, column in catalogs()
        if "format" in column
        for name in (path.rpartition(".")[2], f"{stream}.{path}")
    }
    assert served >= {*FACTS["days"], *FACTS["instants"]}


# --- keys ---


def test_the_first_column_of_every_stream_is_its_agreement() -> None:
    assert {next(iter(load(name)["properties"])) for name in NAMES} == {"agreementNumber"}


def test_keys_are_required_and_never_null() -> None:
    for stream in STREAMS:
        schema = load(stream.name)
        assert schema["required"] == list(stream.primary_keys), stream.name
        types = [schema["properties"][key]["type"] for key in stream.primary_keys]
        assert all(kind in ("integer", "string") for kind in types), stream.name


def test_what_is_neither_a_key_nor_a_boolean_may_be_null() -> None:
    firm = {
        (stream.name, name)
        for stream in STREAMS
        for name, column in load(stream.name)["properties"].items()
        if name not in stream.primary_keys and "null" not in column["type"]
    }
    assert {load(name)["properties"][column]["type"] for name, column in firm} == {"boolean"}


@pytest.mark.parametrize(
    ("stream", "key"),
    [
        (stream.name, stream.replication_key)
        for stream in STREAMS
        if isinstance(stream.replication_key, str)  # a property of the SDK where none is declared
    ],
)
def test_a_replication_key_is_a_column_a_bookmark_can_be_made_of(stream: str, key: str) -> None:
    column = load(stream)["properties"][key]
    assert column.get("format") == "date-time" or column["type"] == "integer"


def test_columns_stamped_from_the_address() -> None:
    stamped = {
        stream.name: {
            name: column["x-stamp"]
            for name, column in load(stream.name)["properties"].items()
            if "x-stamp" in column
        }
        for stream in STREAMS
        if stream.path_params
    }
    assert stamped["accounting_period_totals"] == {
        "accountingYear": "accountingYear",
        "periodNumber": "accountingYearPeriod",
    }
    assert stamped["orders_lines"] == {"documentStatus": "documentStatus"}
    assert stamped["special_prices"] == {"priceGroupNumber": "priceGroupNumber"}
    assert {name: sorted(found.values()) for name, found in stamped.items()} == {
        stream.name: sorted(stream.path_params) for stream in STREAMS if stream.path_params
    }


# --- dates, links and the like ---


def test_instants_are_date_times_and_every_other_date_is_a_day() -> None:
    formats = {
        (path.rpartition(".")[2] in INSTANTS, column["format"])
        for _, path, column in catalogs(include_links=False)
        if "format" in column
    }
    assert formats == {(True, "date-time"), (False, "date")}


def test_every_property_named_like_an_instant_is_one() -> None:
    found = [
        (name, path)
        for name, path, column in catalogs()
        if path.rpartition(".")[2] in INSTANTS and column.get("format") != "date-time"
    ]
    assert found == []


def test_no_link_is_left_without_include_links() -> None:
    links = {"self", "metaData", "download", "attachment", "templates", "contacts", "periods"}
    found = [path for _, path, _ in catalogs() if path.rpartition(".")[2] in links]
    assert found == []


def test_no_object_is_left_empty_without_its_links() -> None:
    empty = [
        (name, path)
        for name, path, column in catalogs()
        if "object" in column["type"] and not column.get("properties")
    ]
    assert empty == []


def test_include_links_shows_links_and_the_objects_columns_were_lifted_from() -> None:
    columns = catalog_schema(load("customers"), include_links=True)["properties"]
    assert {"self", "contacts", "templates", "customerGroup", "customerGroupNumber"} <= set(columns)


def test_every_vat_code_is_trimmed() -> None:
    untrimmed = [
        (name, path)
        for name in NAMES
        for path, column in walk(load(name))
        if path.lower().endswith("vatcode") and not column.get("x-trim")
    ]
    assert untrimmed == []


def test_the_vat_account_of_a_booked_entry_is_a_code() -> None:
    column = load("booked_entries")["properties"]["vatAccountNumber"]
    assert (column["type"], column["x-trim"]) == (["string", "null"], True)


def test_the_token_of_the_application_is_no_column() -> None:
    application = load("agreements")["properties"]["application"]
    assert "appPublicToken" not in application["properties"]
    assert application["x-omit"] == ["appPublicToken"]


# --- lifted columns, as a warehouse sees them ---


@pytest.mark.parametrize(
    ("stream", "source", "column"),
    [
        ("customers", "customerGroup.customerGroupNumber", "customerGroupNumber"),
        ("customers", "attention.customerContactNumber", "attentionCustomerContactNumber"),
        ("customers", "salesPerson.employeeNumber", "salesPersonEmployeeNumber"),
        ("invoices_sent", "invoice.bookedInvoiceNumber", "bookedInvoiceNumber"),
        ("accounting_periods", "accountingYear.year", "accountingYear"),
        ("journal_vouchers", "accountingYear.year", "accountingYear"),
        ("journal_entries", "contraAccount.accountNumber", "contraAccountNumber"),
        ("journal_entries", "contraVatAccount.vatCode", "contraVatCode"),
        ("journal_entries", "currency.code", "currencyCode"),
        ("entries", "unit1.unitNumber", "unit1Number"),
        ("entries", "vatAccount.vatCode", "vatCode"),
        ("rest_product_sales_prices", "product.productNumber", "productNumber"),
        ("product_group_sales_accounts", "vatZone.vatZoneNumber", "vatZoneNumber"),
    ],
)
def test_a_reference_is_a_column(stream: str, source: str, column: str) -> None:
    assert load(stream)["properties"][column]["x-source"] == source


def test_a_reference_inside_an_object_is_a_column_of_that_object() -> None:
    references = load("invoices_booked")["properties"]["references"]["properties"]
    assert references["salesPersonEmployeeNumber"]["x-source"] == "salesPerson.employeeNumber"


def test_an_object_that_says_more_than_its_key_stays() -> None:
    columns = catalog_schema(load("invoices_booked"), include_links=False)["properties"]
    assert columns["paymentTermsNumber"] == {"type": ["integer", "null"]}
    assert set(columns["paymentTerms"]["properties"]) == {
        "paymentTermsNumber",
        "daysOfCredit",
        "name",
        "paymentTermsType",
        "description",
    }


def test_an_object_that_says_no_more_than_its_key_goes() -> None:
    columns = catalog_schema(load("customers"), include_links=False)["properties"]
    assert "customerGroup" not in columns


def test_value_objects_stay_as_they_are() -> None:
    application = load("agreements")["properties"]["application"]["properties"]
    assert {"appNumber", "name", "created"} <= set(application)
    assert "applicationAppNumber" not in load("agreements")["properties"]


# --- types ---


@pytest.mark.parametrize(
    ("stream", "column", "kind"),
    [
        ("accounts", "balance", ["number", "null"]),
        ("accounts", "barred", "boolean"),
        ("booked_entries", "customerInvoiceNumber", ["integer", "null"]),
        ("entries", "invoiceNumber", ["integer", "null"]),
        ("journal_vouchers", "voucherNumber", "integer"),
        ("openapi_accounts", "isBarred", "boolean"),
        ("openapi_accounts", "isCredit", ["boolean", "null"]),
        ("departmental_distributions", "barred", ["boolean", "null"]),
        ("products", "productNumber", "string"),
    ],
)
def test_types(stream: str, column: str, kind: Any) -> None:
    assert load(stream)["properties"][column]["type"] == kind


def test_the_numbers_of_an_enum_are_explained() -> None:
    column = load("booked_entries")["properties"]["type"]
    assert column["type"] == ["integer", "null"]
    assert "1 customer invoice, 2 customer payment" in column["description"]
