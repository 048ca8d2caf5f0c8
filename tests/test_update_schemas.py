"""The script that writes the schema files, on documents small enough to read here."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from scripts.schema_update.columns import column_name
from scripts.schema_update.documents import module_version
from scripts.update_schemas import main

if TYPE_CHECKING:
    from pathlib import Path

Json = dict[str, Any]
LINK = {"type": "string", "format": "uri"}
DATE = {"type": "string", "format": "full-date", "pattern": r"\d{4}-\d{2}-\d{2}"}


@dataclass(frozen=True)
class Stream:
    """What the script reads from a stream's class."""

    name: str
    path: str
    primary_keys: tuple[str, ...]
    parent: Stream | None = None
    path_params: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class ModuleStream(Stream):
    module: str = "salesapi"


THINGS = Stream("things", "/things", ("agreementNumber", "thingNumber"))
PARTS = Stream(
    "parts",
    "/things/{thingNumber}/parts",
    ("agreementNumber", "thingNumber", "partNumber"),
    parent=THINGS,
    path_params={"thingNumber": "thingNumber"},
)
TOTALS = Stream(
    "totals",
    "/years/{accountingYearPeriod}/totals",
    ("agreementNumber",),
    parent=THINGS,
    path_params={"accountingYearPeriod": "thingNumber"},
)
SALES = ModuleStream("sales", "/Sales", ("agreementNumber", "number"))
STATES = ModuleStream(
    "states",
    "/{documentStatus}/states",
    ("agreementNumber", "number"),
    path_params={"documentStatus": ("drafts", "sent")},
)


class Desk:
    """A folder of documents, a folder of schema files, and the command between them."""

    def __init__(self, folder: Path) -> None:
        self.documents, self.schemas = folder / "documents", folder / "schemas"
        self.schemas.mkdir()

    def publish_rest(self, name: str, properties: Json) -> None:
        collection = {"type": "array", "items": {"type": "object", "properties": properties}}
        self._write(
            f"rest/schemas/{name}.get.schema.json", {"properties": {"collection": collection}}
        )

    def publish_module(self, module: str, spec: Json) -> None:
        self._write(f"openapi/specs/{module}.json", spec)

    def update(self, *streams: Stream, check: bool = False) -> int:
        arguments = [str(self.documents), *(["--check"] if check else [])]
        return main(arguments, streams=streams, schemas=self.schemas)

    def columns(self, stream: str) -> Json:
        columns: Json = self.file(stream)["properties"]
        return columns

    def file(self, stream: str) -> Json:
        content: Json = json.loads((self.schemas / f"{stream}.json").read_text(encoding="utf-8"))
        return content

    def _write(self, name: str, content: Json) -> None:
        file = self.documents / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(content), encoding="utf-8")


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def rest_columns(desk: Desk, **properties: Json) -> Json:
    desk.publish_rest("things", {"thingNumber": {"type": "integer"}, **properties})
    assert desk.update(THINGS) == 0
    return desk.columns("things")


def openapi_columns(desk: Desk, version: str = "3.0.1", **properties: Json) -> Json:
    desk.publish_module("salesapi", spec({"number": {"type": "integer"}, **properties}, version))
    assert desk.update(SALES) == 0
    return desk.columns("sales")


def spec(properties: Json, version: str = "3.0.1", path: str = "/Sales") -> Json:
    """A module whose listing is wrapped with a cursor, its schemas behind references."""
    return {
        "openapi": version,
        "info": {"version": "1.2.3"},
        "servers": [{"url": "https://apis.e-conomic.com/salesapi/v1.2.3/"}],
        "paths": {path: {"get": answer({"$ref": "#/components/schemas/SaleCursorResults"})}},
        "components": {
            "schemas": {
                "SaleCursorResults": {
                    "type": "object",
                    "properties": {
                        "cursor": {"type": "string"},
                        "items": {"type": "array", "items": {"$ref": "#/components/schemas/Sale"}},
                    },
                },
                "Sale": {"type": "object", "properties": properties},
                "SaleType": {"type": "integer", "enum": [1, 2]},
            }
        },
    }


def answer(schema: Json) -> Json:
    return {"responses": {"200": {"content": {"application/json": {"schema": schema}}}}}


def reference(key: str, **more: Json) -> Json:
    properties = {key: {"type": "integer"}, **more, "self": LINK}
    return {"type": "object", "properties": properties}


# --- the names of lifted columns ---


@pytest.mark.parametrize(
    ("prop", "key", "column"),
    [
        ("customerGroup", "customerGroupNumber", "customerGroupNumber"),
        ("invoice", "bookedInvoiceNumber", "bookedInvoiceNumber"),
        ("accountingYear", "year", "accountingYear"),
        ("contraAccount", "accountNumber", "contraAccountNumber"),
        ("defaultDeliveryLocation", "deliveryLocationNumber", "defaultDeliveryLocationNumber"),
        ("unit1", "unitNumber", "unit1Number"),
        ("currency", "code", "currencyCode"),
        ("attention", "customerContactNumber", "attentionCustomerContactNumber"),
        ("salesPerson", "employeeNumber", "salesPersonEmployeeNumber"),
        ("vatAccount", "vatCode", "vatCode"),
        ("contraVatAccount", "vatCode", "contraVatCode"),
    ],
)
def test_a_lifted_column_tells_what_it_joins(prop: str, key: str, column: str) -> None:
    assert column_name(prop, key) == column


# --- types and dates ---


def test_the_agreement_is_the_first_column_and_no_key_is_nullable(desk: Desk) -> None:
    columns = rest_columns(desk, name={"type": "string"})
    assert list(columns) == ["agreementNumber", "thingNumber", "name"]
    assert columns["agreementNumber"]["type"] == columns["thingNumber"]["type"] == "integer"
    assert desk.file("things")["required"] == ["agreementNumber", "thingNumber"]


TEXT = {"type": ["string", "null"]}
UNION = {
    "type": "object",
    "properties": {"a": {"type": "string"}},
    "oneOf": [{"properties": {"b": {"type": "string"}}}, {"properties": {"date": DATE}}],
}
REST_COLUMNS: dict[str, tuple[str, Json, Json]] = {
    "what is not a key may be null": (
        "price",
        {"type": "number"},
        {"type": ["number", "null"]},
    ),
    "a boolean at the top is never null": ("barred", {"type": "boolean"}, {"type": "boolean"}),
    "a nested boolean may be null": (
        "settings",
        {"type": "object", "properties": {"barred": {"type": "boolean"}}},
        {
            "type": ["object", "null"],
            "properties": {"barred": {"type": ["boolean", "null"]}},
        },
    ),
    "an enum without a type is a string and is not enforced": ("kind", {"enum": ["a", "b"]}, TEXT),
    "lengths and patterns are not enforced": (
        "name",
        {"type": "string", "maxLength": 5, "pattern": "^x"},
        TEXT,
    ),
    "a number of something is an integer though declared a number": (
        "voucherNumber",
        {"type": "number"},
        {"type": ["integer", "null"]},
    ),
    "prose is not copied": ("name", {"type": "string", "description": "The vendor's words."}, TEXT),
    "the alternatives of a union are one set of properties": (
        "details",
        UNION,
        {
            "type": ["object", "null"],
            "properties": {"a": TEXT, "b": TEXT, "date": {**TEXT, "format": "date"}},
        },
    ),
    "a VAT code is trimmed": ("vatCode", {"type": "string"}, {**TEXT, "x-trim": True}),
    "a known day is a date": ("dueDate", DATE, {**TEXT, "format": "date"}),
}


@pytest.mark.parametrize("statement", REST_COLUMNS)
def test_a_rest_column_follows_the_rules(desk: Desk, statement: str) -> None:
    name, documented, column = REST_COLUMNS[statement]
    found = rest_columns(desk, **{name: documented})[name]
    assert json.dumps(found) == json.dumps(column), "in this order"


def test_an_instant_is_a_date_time_though_declared_a_date(desk: Desk) -> None:
    assert rest_columns(desk, lastUpdated=DATE)["lastUpdated"]["format"] == "date-time"


# --- what must not be guessed about ---

REFUSED: dict[str, tuple[Json, str]] = {
    "a date that is neither day nor instant": ({"moonDate": DATE}, "things.moonDate"),
    "a column that collides with a property": (
        {"layout": reference("layoutNumber"), "LayoutNumber": {"type": "integer"}},
        "two columns named LayoutNumber",
    ),
    "a reference with two possible keys": (
        {"layout": reference("layoutNumber", otherNumber={"type": "integer"})},
        "which of layoutNumber, otherNumber is the key",
    ),
    "a type that is none": ({"odd": {"type": "any"}}, "cannot make one type"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_must_not_be_guessed_about_is_refused_and_nothing_is_written(
    desk: Desk, capsys: pytest.CaptureFixture[str], what: str
) -> None:
    properties, message = REFUSED[what]
    desk.publish_rest("things", {"thingNumber": {"type": "integer"}, **properties})
    assert desk.update(THINGS) == 2
    assert message in capsys.readouterr().err
    assert list(desk.schemas.iterdir()) == []


def test_a_primary_key_without_a_column_is_refused(desk: Desk) -> None:
    desk.publish_rest("things", {"name": {"type": "string"}})
    assert desk.update(THINGS) == 2


def test_one_refusal_keeps_the_other_streams_unwritten_too(desk: Desk) -> None:
    desk.publish_rest("things", {"thingNumber": {"type": "integer"}})
    desk.publish_module("salesapi", spec({"number": {"type": "integer"}, "moonDate": DATE}))
    assert desk.update(THINGS, SALES) == 2
    assert list(desk.schemas.iterdir()) == []


# --- references and links ---


def test_a_reference_gives_its_key_to_a_column_and_becomes_a_link(desk: Desk) -> None:
    columns = rest_columns(
        desk,
        contraAccount=reference("accountNumber"),
        layout=reference("layoutNumber", name={"type": "string"}),
        accountingYear=reference("year"),
        paid={"type": "object", "properties": {"count": {"type": "integer"}, "self": LINK}},
    )
    lifted = {
        "contraAccountNumber": "contraAccount.accountNumber",
        "layoutNumber": "layout.layoutNumber",
        "accountingYear": "accountingYear.year",  # named like its object, which it replaces
    }
    for name, source in lifted.items():
        assert columns[name]["type"] == ["integer", "null"]
        assert columns[name]["x-source"] == source
    assert columns["contraAccount"]["x-link"] is True
    assert "x-link" not in columns["layout"], "it says more than its key"
    objects = ["contraAccount", "layout", "paid"]  # the last has no key
    assert set(columns) == {"agreementNumber", "thingNumber", *lifted, *objects}


def test_references_are_lifted_inside_objects_and_items_too(desk: Desk) -> None:
    nested = {"type": "object", "properties": {"salesPerson": reference("employeeNumber")}}
    columns = rest_columns(desk, references=nested, lines={"type": "array", "items": nested})
    lifted = {"type": ["integer", "null"], "x-source": "salesPerson.employeeNumber"}
    inside = columns["references"]["properties"]
    assert inside["salesPersonEmployeeNumber"] == lifted
    assert columns["lines"]["items"]["properties"]["salesPersonEmployeeNumber"] == lifted


def test_links_and_objects_of_links_are_marked(desk: Desk) -> None:
    columns = rest_columns(
        desk,
        self={"type": "string"},
        entries=LINK,
        pdf={"type": "object", "properties": {"download": LINK}},
        metaData={"type": "object"},
    )
    assert [name for name in columns if columns[name].get("x-link")] == [
        "self",
        "entries",
        "pdf",
        "metaData",
    ]


# --- errors in the documents, and what only the real API shows ---

ENTRIES = Stream("entries", "/entries", ("agreementNumber",))
DRAFTS = Stream("invoices_drafts", "/drafts", ("agreementNumber",))
ORDERS = Stream("orders_drafts", "/orders", ("agreementNumber",))
SUPPLIER_GROUPS = Stream("rest_supplier_groups", "/supplier-groups", ("agreementNumber",))


@pytest.mark.parametrize(
    ("stream", "documented", "column", "emitted"),
    [
        (ENTRIES, {"invoiceNumber": "string"}, "invoiceNumber", "integer"),
        (ENTRIES, {"text": "string"}, "invoiceNumber", None),
        (DRAFTS, {"text": "string"}, "externalId", "string"),
        (DRAFTS, {"externalId": "integer"}, "externalId", "integer"),
    ],
    ids=[
        "a wrong type is corrected",
        "a correction adds nothing",
        "a property seen in recorded responses is added",
        "once it is documented the document decides",
    ],
)
def test_documents_are_corrected(
    desk: Desk, stream: Stream, documented: dict[str, str], column: str, emitted: str | None
) -> None:
    properties = {name: {"type": kind} for name, kind in documented.items()}
    desk.publish_rest(stream.path[1:], properties)
    assert desk.update(stream) == 0
    found = desk.columns(stream.name).get(column)
    assert (found and found["type"]) == (emitted and [emitted, "null"])


def test_what_must_not_leave_the_tap_is_named_but_is_no_column(desk: Desk) -> None:
    desk.publish_rest("orders", {"lines": {"type": "array", "items": {"type": "string"}}})
    assert desk.update(ORDERS) == 0
    assert desk.file("orders_drafts")["x-omit"] == ["lines"]
    assert "lines" not in desk.columns("orders_drafts")


def test_a_stream_without_a_published_document_comes_from_a_recorded_answer(desk: Desk) -> None:
    assert desk.update(SUPPLIER_GROUPS) == 0
    assert desk.file("rest_supplier_groups")["x-source-document"].startswith("recorded answer")
    assert "accountNumber" in desk.columns("rest_supplier_groups")


# --- path parameters ---


def test_a_path_parameter_is_a_column_typed_like_the_parents(desk: Desk) -> None:
    desk.publish_rest("things", {"thingNumber": {"type": "integer"}})
    desk.publish_rest("things.thingNumber.parts", {"partNumber": {"type": "integer"}})
    assert desk.update(THINGS, PARTS) == 0
    columns = desk.columns("parts")
    assert list(columns) == ["agreementNumber", "thingNumber", "partNumber"]
    assert (columns["thingNumber"]["type"], columns["thingNumber"]["x-stamp"]) == (
        "integer",
        "thingNumber",
    )


def test_a_path_parameter_that_the_record_carries_is_one_column(desk: Desk) -> None:
    desk.publish_rest("things", {"thingNumber": {"type": "integer"}})
    part = {"partNumber": {"type": "integer"}, "thing": reference("thingNumber")}
    desk.publish_rest("things.thingNumber.parts", part)
    assert desk.update(THINGS, PARTS) == 0
    column = desk.columns("parts")["thingNumber"]
    assert (column["x-stamp"], column["x-source"]) == ("thingNumber", "thing.thingNumber")


def test_the_period_of_a_path_is_the_column_period_number(desk: Desk) -> None:
    desk.publish_rest("things", {"thingNumber": {"type": "integer"}})
    desk.publish_rest("years.accountingYearPeriod.totals", {"total": {"type": "number"}})
    assert desk.update(THINGS, TOTALS) == 0
    column = desk.columns("totals")["periodNumber"]
    assert (column["type"], column["x-stamp"]) == (["integer", "null"], "accountingYearPeriod")


def test_a_path_parameter_of_fixed_values_is_a_string(desk: Desk) -> None:
    document = spec({"number": {"type": "integer"}}, path="/{documentStatus}/states")
    desk.publish_module("salesapi", document)
    assert desk.update(STATES) == 0
    column = desk.columns("states")["documentStatus"]
    assert (column["type"], column["x-stamp"]) == (["string", "null"], "documentStatus")


# --- OpenAPI ---


MAYBE = {"type": ["boolean", "null"]}
OPENAPI_COLUMNS: dict[str, tuple[str, Json, Json]] = {
    "a boolean is never null": ("isBarred", {"type": "boolean"}, {"type": "boolean"}),
    "but where it is nullable": ("isBarred", {"type": "boolean", "nullable": True}, MAYBE),
    "or of two types": ("isBarred", MAYBE, MAYBE),
    "or one of two": ("isBarred", {"oneOf": [{"type": "null"}, {"type": "boolean"}]}, MAYBE),
    "a day that is called a date-time is a date": (
        "date",
        {"type": "string", "format": "date-time"},
        {**TEXT, "format": "date"},
    ),
    "a referenced enum keeps its integers and tells what they mean": (
        "kind",
        {
            "allOf": [{"$ref": "#/components/schemas/SaleType"}],
            "description": "Prose. \n\n- 1: Customer Invoice \n- 2: BankTransfer. \n\n<p>x</p>",
        },
        {"type": ["integer", "null"], "description": "1 customer invoice, 2 bank transfer."},
    ),
}


@pytest.mark.parametrize("statement", OPENAPI_COLUMNS)
def test_an_openapi_column_follows_the_rules(desk: Desk, statement: str) -> None:
    name, documented, column = OPENAPI_COLUMNS[statement]
    properties: dict[str, Any] = {name: documented}
    assert openapi_columns(desk, **properties)[name] == column


def test_openapi_3_1_says_nullable_with_a_type_of_its_own(desk: Desk) -> None:
    kind = {"oneOf": [{"type": "null"}, {"$ref": "#/components/schemas/SaleType"}]}
    columns = openapi_columns(desk, "3.1.1", kind=kind, amount={"type": ["number", "null"]})
    assert columns["kind"] == {"type": ["integer", "null"]}
    assert columns["amount"]["type"] == ["number", "null"]


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "#/components/schemas/SaleCursorResults"},
        {"type": "array", "items": {"$ref": "#/components/schemas/Sale"}},
        {"$ref": "#/components/schemas/Sale"},
    ],
    ids=["cursor", "array", "object"],
)
def test_the_record_is_found_in_every_kind_of_answer(desk: Desk, schema: Json) -> None:
    document = spec({"number": {"type": "integer"}})
    document["paths"] = {"/Sales": {"get": answer(schema)}}
    desk.publish_module("salesapi", document)
    assert desk.update(SALES) == 0
    assert list(desk.columns("sales")) == ["agreementNumber", "number"]


def test_a_listing_that_is_only_paged_is_found(desk: Desk) -> None:
    desk.publish_module("salesapi", spec({"number": {"type": "integer"}}, path="/sales/paged"))
    assert desk.update(SALES) == 0
    assert list(desk.columns("sales")) == ["agreementNumber", "number"]


def test_the_version_of_a_module_is_the_one_in_its_address(desk: Desk) -> None:
    document = spec({"number": {"type": "integer"}})
    document["info"]["version"] = "9.9.9"
    desk.publish_module("SalesApi", document)
    assert desk.update(SALES) == 0
    assert desk.file("modules") == {"salesapi": "1.2.3"}


def test_without_an_address_the_version_is_the_documents_own(desk: Desk) -> None:
    desk.publish_module("salesapi", {"info": {"version": "v9.9.9"}, "paths": {}})
    assert module_version(desk.documents, "salesapi") == "9.9.9"


# --- what changed ---


def test_the_same_documents_again_change_nothing(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    rest_columns(desk, name={"type": "string"})
    capsys.readouterr()
    assert desk.update(THINGS) == 0
    assert capsys.readouterr().out == "0 files changed.\n"


def test_newer_documents_are_compared_with_the_files(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    rest_columns(desk, name={"type": "string"})
    capsys.readouterr()
    rest_columns(desk, name={"type": "integer"})
    told = capsys.readouterr().out.splitlines()
    assert [line.strip() for line in told if line.startswith(("-  ", "+  "))] == [
        '-      "type": ["string", "null"]',
        '+      "type": ["integer", "null"]',
    ]
    assert told[-1] == "1 files changed."


def test_a_stream_whose_document_is_missing_keeps_its_file_and_is_named(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    rest_columns(desk, name={"type": "string"})
    before = desk.file("things")
    (desk.documents / "rest/schemas/things.get.schema.json").unlink()
    capsys.readouterr()
    assert desk.update(THINGS) == 0
    assert capsys.readouterr().out.startswith("things: its document is missing; ")
    assert desk.file("things") == before


def test_check_exits_with_1_on_differences_and_writes_nothing(desk: Desk) -> None:
    desk.publish_rest("things", {"thingNumber": {"type": "integer"}})
    assert desk.update(THINGS, check=True) == 1
    assert list(desk.schemas.iterdir()) == []


def test_check_exits_with_0_without_differences(desk: Desk) -> None:
    rest_columns(desk)
    assert desk.update(THINGS, check=True) == 0
