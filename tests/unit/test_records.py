"""Records: what of a row leaves the tap, under which name, and what is reported instead."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET

from tap_visma_economic.records.drift import _HOW_TO_KEEP, Drift
from tap_visma_economic.records.row_type import Envelope, RowType, as_dictionary
from tap_visma_economic.records.selection import Selection

if TYPE_CHECKING:
    from tap_visma_economic.records.selection import Breadcrumb, Record

SELF = "https://restapi.e-conomic.com/somewhere"

LINK = {"type": ["string", "null"], "x-link": True}
TEXT = {"type": ["string", "null"]}
WHOLE = {"type": ["integer", "null"]}
MONEY = {"type": ["number", "null"]}


def an_object(**properties: Any) -> dict[str, Any]:
    """The schema of an object of these properties."""
    return {"type": ["object", "null"], "properties": properties}


def a_stream(*, keys: tuple[str, ...] = (), **properties: Any) -> dict[str, Any]:
    """The schema file of a stream of these columns beside agreementNumber."""
    return {
        "type": "object",
        "properties": {"agreementNumber": {"type": "integer"}, **properties},
        "required": ["agreementNumber", *keys],
    }


class Read:
    """A row read by a schema: the record, and what was reported.

    Args:
        schema: the stream's schema file.
        row: what e-conomic sent.
        unwanted: properties that the user deselected, by their dotted path.
        context: path parameters.
        include_links: the setting.
        fill_booleans: whether the schema describes what is served.
    """

    def __init__(
        self,
        schema: dict[str, Any],
        row: dict[str, Any],
        *,
        unwanted: tuple[str, ...] = (),
        context: dict[str, Any] | None = None,
        include_links: bool = False,
        fill_booleans: bool = True,
    ) -> None:
        drift = Drift()

        def selected(breadcrumb: Breadcrumb) -> bool:
            path = ".".join(step for step in breadcrumb if step != "properties")
            return not any(path == name or path.startswith(f"{name}.") for name in unwanted)

        row_type = RowType(
            schema,
            Selection(selected, include_links),
            drift,
            absent=UNSET,
            fill_booleans=fill_booleans,
        )
        _, rows = row_type.decode(_encode([row]), Envelope(list))
        [record] = rows.finalize({"agreementNumber": 1, **(context or {})})
        whole = as_dictionary(record)
        self.keyless = rows.keyless
        self.agreement = whole.pop("agreementNumber")
        self.record = whole
        self.reports = [line for line in drift.report() if line != _HOW_TO_KEEP]


_encode = msgspec.json.Encoder(decimal_format="number").encode


# --- stamps ---


def test_no_row_can_change_the_agreement_it_was_asked_for() -> None:
    assert Read(a_stream(name=TEXT), {"agreementNumber": 2}).agreement == 1


PERIOD = a_stream(
    keys=("year", "periodNumber"),
    year={"type": "string", "x-stamp": "accountingYear"},
    periodNumber={"type": "integer", "x-stamp": "accountingYearPeriod"},
)


def test_no_row_can_change_a_path_parameter() -> None:
    context = {"accountingYear": "2025/2026", "accountingYearPeriod": 3}
    assert Read(PERIOD, {"periodNumber": None}, context=context).record["periodNumber"] == 3


def test_a_lifted_column_that_is_a_path_parameter_is_the_one_that_was_asked_for() -> None:
    column = {"type": "integer", "x-stamp": "customerNumber", "x-source": "customer.customerNumber"}
    customer = {**an_object(customerNumber=WHOLE, self=LINK), "x-link": True}
    schema = a_stream(keys=("customerNumber",), customerNumber=column, customer=customer)
    row = {"customer": {"customerNumber": None, "self": SELF}}
    assert Read(schema, row, context={"customerNumber": 7}).record == {"customerNumber": 7}


# --- lifted columns ---

GROUP = {**an_object(customerGroupNumber=WHOLE, self=LINK), "x-link": True}
GROUPED = a_stream(
    customerGroupNumber={**WHOLE, "x-source": "customerGroup.customerGroupNumber"},
    customerGroup=GROUP,
)
TERMS = a_stream(
    paymentTermsNumber={**WHOLE, "x-source": "paymentTerms.paymentTermsNumber"},
    paymentTerms=an_object(paymentTermsNumber=WHOLE, name=TEXT, daysOfCredit=WHOLE, self=LINK),
)


def test_a_reference_with_more_to_say_stays_and_gives_its_key_too() -> None:
    terms = {"paymentTermsNumber": 1, "name": "Netto 8", "daysOfCredit": 8}
    read = Read(TERMS, {"paymentTerms": {**terms, "self": SELF}})
    assert (read.record, read.reports) == ({"paymentTermsNumber": 1, "paymentTerms": terms}, [])


def test_a_key_that_its_object_does_not_keep_is_no_news() -> None:
    year = {**TEXT, "x-source": "voucher.year"}
    schema = a_stream(year=year, voucher=an_object(number=WHOLE))
    read = Read(schema, {"voucher": {"number": 5, "year": "2024"}})
    assert (read.record, read.reports) == ({"year": "2024", "voucher": {"number": 5}}, [])


def test_a_column_named_like_its_object_replaces_it() -> None:
    schema = a_stream(accountingYear={**TEXT, "x-source": "accountingYear.year"})
    read = Read(schema, {"accountingYear": {"year": "2024", "self": SELF}})
    assert (read.record, read.reports) == ({"accountingYear": "2024"}, [])


@pytest.mark.parametrize(
    ("reference", "record"),
    [({"customerGroupNumber": None}, {"customerGroupNumber": None}), ({}, {}), (None, {})],
)
def test_a_reference_without_a_key_gives_none(reference: Any, record: Record) -> None:
    read = Read(GROUPED, {"customerGroup": reference})
    assert (read.record, read.reports) == (record, [])


def test_a_reference_that_is_no_object_is_reported() -> None:
    read = Read(GROUPED, {"customerGroup": 3})
    assert read.record == {}
    assert read.reports == [
        "customerGroup is an integer where an object is documented: omitted (1 row)"
    ]


def test_a_kept_reference_that_is_no_object_is_reported_once() -> None:
    read = Read(TERMS, {"paymentTerms": "Netto 8"})
    assert read.record == {"paymentTerms": None}
    assert read.reports == [
        "paymentTerms is a string where an object is documented: omitted (1 row)"
    ]


def test_news_in_a_reference_that_goes_stays_alone_and_is_reported() -> None:
    reference = {"customerGroupNumber": 3, "name": "Indland", "self": SELF}
    read = Read(GROUPED, {"customerGroup": reference})
    assert read.record == {"customerGroupNumber": 3, "customerGroup": {"name": "Indland"}}
    assert read.reports == ["unknown property customerGroup.name (1 row)"]


def test_news_in_a_reference_whose_place_is_taken_is_left_out_and_reported() -> None:
    schema = a_stream(accountingYear={**TEXT, "x-source": "accountingYear.year"})
    read = Read(schema, {"accountingYear": {"year": "2024", "new": 1}})
    assert read.record == {"accountingYear": "2024"}
    assert read.reports == ["omitted: unknown property accountingYear.new (1 row)"]


def test_news_in_a_reference_that_stays_passes_and_is_reported_once() -> None:
    read = Read(TERMS, {"paymentTerms": {"paymentTermsNumber": 1, "new": 5}})
    assert read.record["paymentTerms"] == {"paymentTermsNumber": 1, "new": 5}
    assert read.reports == ["unknown property paymentTerms.new (1 row)"]


def test_what_a_deselected_reference_is_documented_to_hold_is_no_news() -> None:
    terms = {"paymentTermsNumber": 1, "name": "Netto 8", "self": SELF}
    read = Read(TERMS, {"paymentTerms": terms}, unwanted=("paymentTerms",))
    assert (read.record, read.reports) == ({"paymentTermsNumber": 1}, [])


def test_a_deselected_lifted_column_leaves_alone() -> None:
    terms = {"paymentTermsNumber": 1, "name": "Netto 8", "self": SELF}
    read = Read(TERMS, {"paymentTerms": terms}, unwanted=("paymentTermsNumber",))
    del terms["self"]
    assert (read.record, read.reports) == ({"paymentTerms": terms}, [])


# --- links ---

LINKED = a_stream(name=TEXT, self=LINK, metaData={**an_object(create=an_object()), "x-link": True})


def test_a_deselected_lifted_column_is_not_in_a_reference_that_stays_for_its_links() -> None:
    reference = {"customerGroupNumber": 3, "self": SELF}
    unwanted = ("customerGroupNumber",)
    read = Read(GROUPED, {"customerGroup": reference}, include_links=True, unwanted=unwanted)
    assert (read.record, read.reports) == ({"customerGroup": {"self": SELF}}, [])


def test_links_that_are_left_out_do_not_stop_unknown_properties() -> None:
    read = Read(LINKED, {"self": SELF, "new": 1}, unwanted=("self", "metaData"))
    assert read.record == {"new": 1}


@pytest.mark.parametrize("name", ["self", "metaData"])
def test_links_that_no_document_names_are_left_out_silently(name: str) -> None:
    row = {"name": "Kunde", name: {"href": SELF}, "delivery": {name: SELF}}
    read = Read(a_stream(name=TEXT, delivery=an_object(city=TEXT)), row)
    assert (read.record, read.reports) == ({"name": "Kunde", "delivery": {}}, [])


def test_links_that_no_document_names_are_news_if_links_are_asked_for() -> None:
    read = Read(a_stream(name=TEXT), {"self": SELF}, include_links=True)
    assert (read.record, read.reports) == ({"self": SELF}, ["unknown property self (1 row)"])


# --- what is never emitted ---


@pytest.mark.parametrize("include_links", [False, True])
def test_what_the_schema_omits_is_never_emitted_and_no_news(include_links: bool) -> None:
    schema = {**a_stream(name=TEXT), "x-omit": ["agreementGrantToken"]}
    row = {"name": "Kunde", "agreementGrantToken": "secret"}
    read = Read(schema, row, include_links=include_links)
    assert (read.record, read.reports) == ({"name": "Kunde"}, [])


def test_what_a_nested_object_omits_is_never_emitted() -> None:
    application = {**an_object(name=TEXT), "x-omit": ["appSecretToken"]}
    row = {"application": {"name": "App", "appSecretToken": "secret"}}
    read = Read(a_stream(application=application), row)
    assert (read.record, read.reports) == ({"application": {"name": "App"}}, [])


# --- booleans ---

BARRED = a_stream(barred={"type": "boolean"}, blocked={"type": ["boolean", "null"]})


def test_a_boolean_that_is_there_is_not_filled_in() -> None:
    read = Read(BARRED, {"barred": True, "blocked": False})
    assert read.record == {"barred": True, "blocked": False}


def test_a_null_boolean_passes() -> None:
    assert Read(BARRED, {"barred": None}).record == {"barred": None}


def test_an_absent_boolean_inside_of_an_object_stays_absent() -> None:
    schema = a_stream(settings=an_object(active={"type": "boolean"}))
    assert Read(schema, {"settings": {}}).record == {"settings": {}}


def test_absent_booleans_stay_absent_where_the_schema_does_not_describe_what_is_served() -> None:
    assert Read(BARRED, {}, fill_booleans=False).record == {}


def test_a_deselected_boolean_is_not_filled_in() -> None:
    assert Read(BARRED, {}, unwanted=("barred",)).record == {}


# --- nulls, unknown and mistyped values ---

FULL = a_stream(
    name=TEXT,
    balance=MONEY,
    delivery=an_object(city=TEXT, floor=WHOLE),
    lines={
        "type": ["array", "null"],
        "items": an_object(text=TEXT, date={**TEXT, "format": "date"}),
    },
    tags={"type": ["array", "null"], "items": TEXT},
    extra={"type": ["object", "null"]},
)


def test_a_row_as_documented_passes_whole_and_silently() -> None:
    row = {
        "name": "Kunde",
        "balance": Decimal("-12.50"),
        "delivery": {"city": "Aarhus", "floor": 2},
        "lines": [{"text": "a", "date": "2024-01-02"}, {"text": "b"}],
        "tags": ["x", "y"],
        "extra": {"any": {"thing": [1, None]}},
    }
    read = Read(FULL, row)
    assert (read.record, read.reports) == (row, [])


@pytest.mark.parametrize("name", ["name", "balance", "delivery", "lines", "tags", "extra"])
def test_a_null_passes_silently(name: str) -> None:
    read = Read(FULL, {name: None})
    assert (read.record, read.reports) == ({name: None}, [])


def test_a_null_inside_of_objects_and_arrays_passes() -> None:
    row = {"delivery": {"city": None}, "lines": [{"text": None}, None], "tags": [None, "x"]}
    read = Read(FULL, row)
    assert (read.record, read.reports) == (row, [])


@pytest.mark.parametrize("value", [1, "text", Decimal("1.0"), None, {"deep": [1]}, [None]])
def test_an_unknown_property_passes_as_it_is_and_is_reported(value: Any) -> None:
    read = Read(FULL, {"new": value})
    assert (read.record, read.reports) == ({"new": value}, ["unknown property new (1 row)"])


def test_what_is_nested_too_deep_is_null_wherever_it_is() -> None:
    deep: list[Any] = []
    for _ in range(70):
        deep = [deep]
    schema = a_stream(any={}, text=TEXT, extra={"type": "object"}, tags={"type": "array"})
    read = Read(
        schema, {"any": deep, "text": deep, "extra": {"a": deep}, "tags": [deep], "new": deep}
    )
    nulls = dict.fromkeys(("any", "text", "extra", "new"))
    assert read.record == {**nulls, "tags": [None]}
    assert [line for line in read.reports if "nested too deep" in line] == [
        f"{path} is nested too deep: omitted (1 row)"
        for path in ("any", "extra", "new", "tags.[]", "text")
    ]


def test_unknown_properties_are_reported_with_the_place_they_are_at() -> None:
    read = Read(FULL, {"delivery": {"zip": "8000"}, "lines": [{"unit": "h"}]})
    assert read.record == {"delivery": {"zip": "8000"}, "lines": [{"unit": "h"}]}
    assert read.reports == [
        "unknown property delivery.zip (1 row)",
        "unknown property lines.[].unit (1 row)",
    ]


def test_a_property_named_like_a_lifted_column_does_not_take_its_place() -> None:
    schema = a_stream(
        customerGroupNumber={**WHOLE, "x-source": "customerGroup.customerGroupNumber"},
        customerGroup=GROUP,
    )
    row = {"customerGroup": {"customerGroupNumber": 3}, "customerGroupNumber": 4}
    read = Read(schema, row)
    assert (read.record, read.reports) == ({"customerGroupNumber": 3}, [])


@pytest.mark.parametrize(
    ("row", "record", "report"),
    [
        (
            {"balance": "secret"},
            {"balance": None},
            "balance is a string where a number is documented: omitted (1 row)",
        ),
        (
            {"delivery": [1]},
            {"delivery": None},
            "delivery is an array where an object is documented: omitted (1 row)",
        ),
        (
            {"delivery": {"floor": "secret"}},
            {"delivery": {"floor": None}},
            "delivery.floor is a string where an integer is documented: omitted (1 row)",
        ),
        (
            {"lines": {"text": "secret"}},
            {"lines": None},
            "lines is an object where an array is documented: omitted (1 row)",
        ),
        (
            {"lines": [True]},
            {"lines": [None]},
            "lines.[] is a boolean where an object is documented: omitted (1 row)",
        ),
        (
            {"lines": [{"date": "secret"}, {"date": "2024-02-30"}]},
            {"lines": [{"date": None}, {"date": None}]},
            "lines.[].date is a string where a date is documented: omitted (2 rows)",
        ),
    ],
)
def test_a_mistyped_value_is_reported_without_itself_and_the_row_stays(
    row: Record, record: Record, report: str
) -> None:
    read = Read(FULL, row)
    assert read.record == record
    assert read.reports == [report]


def test_a_mistyped_value_that_loses_nothing_is_carried_over_silently() -> None:
    read = Read(FULL, {"name": 17, "balance": "12.50", "delivery": {"floor": "2"}})
    assert read.record == {"name": "17", "balance": Decimal("12.50"), "delivery": {"floor": 2}}
    assert read.reports == []


def test_vat_codes_are_trimmed_wherever_the_schema_says_so() -> None:
    code = {**TEXT, "x-trim": True}
    schema = a_stream(
        vatCode={**code, "x-source": "vatAccount.vatCode"},
        line=an_object(vatCode=code),
    )
    read = Read(schema, {"vatAccount": {"vatCode": "U25  "}, "line": {"vatCode": " I25 "}})
    assert read.record == {"vatCode": "U25", "line": {"vatCode": "I25"}}


# --- keys ---

KEYED = a_stream(keys=("number", "code"), number={"type": "integer"}, code={"type": "string"})


def test_a_mistyped_key_passes_as_it_is() -> None:
    read = Read(KEYED, {"number": "V-5", "code": "DKK"})
    assert read.record == {"number": "V-5", "code": "DKK"}
    assert read.reports == [
        "number is a string where an integer is documented: passed on, being a key (1 row)"
    ]


@pytest.mark.parametrize("invoice", [None, {}, {"number": None}, {"number": "V-5"}])
def test_a_lifted_key_that_is_none_is_missing(invoice: Any) -> None:
    number = {"type": "integer", "x-source": "invoice.number"}
    read = Read(a_stream(keys=("number",), number=number), {"invoice": invoice})
    assert read.record.get("number") is None
    assert read.keyless == {0: ["number"]}


@pytest.mark.parametrize(
    "row", [{"code": "DKK"}, {"number": None, "code": "DKK"}, {"number": [5], "code": "DKK"}]
)
def test_a_row_says_which_key_it_lacks(row: dict[str, Any]) -> None:
    read = Read(KEYED, row)
    assert (read.record, read.keyless) == ({"number": None, "code": "DKK"}, {0: ["number"]})


def test_departures_of_a_row_without_its_key_are_counted_once() -> None:
    number = {"type": "integer", "x-source": "invoice.number"}
    read = Read(a_stream(keys=("number",), number=number), {"invoice": 5, "new": 1})
    assert [line[-8:] for line in read.reports] == [" (1 row)", " (1 row)"]


@pytest.mark.parametrize(
    ("column", "value"),
    [({"format": "date"}, "soon"), ({"format": "date"}, ["2024"])],
)
def test_a_key_with_a_form_of_its_own_is_a_record_or_missing(column: Any, value: Any) -> None:
    schema = a_stream(keys=("code",), code={"type": "string", **column})
    read = Read(schema, {"code": value})
    assert (read.record["code"] == value) is not bool(read.keyless)


def test_a_property_of_a_nested_object_is_no_key_though_it_has_a_keys_name() -> None:
    schema = a_stream(keys=("number",), number=WHOLE, line=an_object(number=WHOLE))
    read = Read(schema, {"number": 1, "line": {"number": "V-5"}})
    assert read.record == {"number": 1, "line": {"number": None}}


# --- selection ---


@pytest.mark.parametrize(
    ("unwanted", "record"),
    [
        (("name",), {"delivery": {"city": "Aarhus", "floor": 2}}),
        (("delivery",), {"name": "Kunde"}),
        (("delivery.city",), {"name": "Kunde", "delivery": {"floor": 2}}),
    ],
)
def test_deselected_properties_leave_silently(unwanted: tuple[str, ...], record: Record) -> None:
    row = {"name": "Kunde", "delivery": {"city": "Aarhus", "floor": 2}}
    read = Read(FULL, row, unwanted=unwanted)
    assert (read.record, read.reports) == (record, [])


def test_nothing_unknown_passes_where_something_is_deselected() -> None:
    read = Read(FULL, {"balance": 1, "new": 2}, unwanted=("name",))
    assert read.record == {"balance": 1}
    assert read.reports == ["omitted: unknown property new (1 row)"]


def test_a_deselected_lifted_column_stops_unknown_properties_too() -> None:
    unwanted = ("customerGroupNumber",)
    assert Read(GROUPED, {"new": 2}, unwanted=unwanted).record == {}


def test_what_is_deselected_in_one_object_does_not_stop_unknown_properties_of_another() -> None:
    read = Read(FULL, {"new": 1, "delivery": {"new": 2}}, unwanted=("delivery.city",))
    assert read.record == {"new": 1, "delivery": {}}


# --- all in all ---

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.decimals(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda values: st.lists(values, max_size=2) | st.dictionaries(st.text(), values, max_size=2),
    max_leaves=4,
)


COLUMNS = ("name", "balance", "delivery", "lines", "tags", "extra", "paymentTerms")


@given(st.fixed_dictionaries({}, optional=dict.fromkeys(COLUMNS, JSON)))
def test_no_row_is_lost_whatever_its_values_are(row: dict[str, Any]) -> None:
    properties = {**FULL["properties"], **TERMS["properties"]}
    read = Read({**FULL, "properties": properties}, row)
    assert set(row) <= set(read.record)
