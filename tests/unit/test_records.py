"""Records: what of a row leaves the tap, under which name, and what is reported instead."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET

from tap_visma_economic.records.drift import _HOW_TO_KEEP, Drift
from tap_visma_economic.records.row_type import Envelope, RowType, as_dictionary
from tap_visma_economic.records.selection import Selection
from tests.unit.answers import encoded

if TYPE_CHECKING:
    from tap_visma_economic.records.selection import Breadcrumb

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
        _, rows = row_type.decode(encoded([row]), Envelope(list))
        [record] = rows.finalize({"agreementNumber": 1, **(context or {})})
        whole = as_dictionary(record)
        self.keyless = rows.keyless
        self.agreement = whole.pop("agreementNumber")
        self.record = whole
        self.reports = [line for line in drift.report() if line != _HOW_TO_KEEP]


# --- schemas ---

WHOLE_AND = {"x-source": "customerGroup.customerGroupNumber", **WHOLE}
PERIOD = a_stream(
    keys=("year", "periodNumber"),
    year={"type": "string", "x-stamp": "accountingYear"},
    periodNumber={"type": "integer", "x-stamp": "accountingYearPeriod"},
)
PERIOD_3 = {"accountingYear": "2025/2026", "accountingYearPeriod": 3}
CUSTOMER = a_stream(
    keys=("customerNumber",),
    customerNumber={
        "type": "integer", "x-stamp": "customerNumber", "x-source": "customer.customerNumber",
    },
    customer={**an_object(customerNumber=WHOLE, self=LINK), "x-link": True},
)  # fmt: skip
GROUPED = a_stream(
    customerGroupNumber=WHOLE_AND,
    customerGroup={**an_object(customerGroupNumber=WHOLE, self=LINK), "x-link": True},
)
TERMS = a_stream(
    paymentTermsNumber={**WHOLE, "x-source": "paymentTerms.paymentTermsNumber"},
    paymentTerms=an_object(paymentTermsNumber=WHOLE, name=TEXT, daysOfCredit=WHOLE, self=LINK),
)
VOUCHER = a_stream(year={**TEXT, "x-source": "voucher.year"}, voucher=an_object(number=WHOLE))
YEAR = a_stream(accountingYear={**TEXT, "x-source": "accountingYear.year"})
LINKED = a_stream(name=TEXT, self=LINK, metaData={**an_object(create=an_object()), "x-link": True})
NAMED = a_stream(name=TEXT, delivery=an_object(city=TEXT))
APPLICATION = a_stream(application={**an_object(name=TEXT), "x-omit": ["appSecretToken"]})
SECRETIVE = {**a_stream(name=TEXT), "x-omit": ["agreementGrantToken"]}
BARRED = a_stream(barred={"type": "boolean"}, blocked={"type": ["boolean", "null"]})
SETTINGS = a_stream(settings=an_object(active={"type": "boolean"}))
VAT = a_stream(
    vatCode={**TEXT, "x-trim": True, "x-source": "vatAccount.vatCode"},
    line=an_object(vatCode={**TEXT, "x-trim": True}),
)
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
KEYED = a_stream(keys=("number", "code"), number={"type": "integer"}, code={"type": "string"})
LIFTED_KEY = a_stream(keys=("number",), number={"type": "integer", "x-source": "invoice.number"})
NESTED_KEY = a_stream(keys=("number",), number=WHOLE, line=an_object(number=WHOLE))

NETTO = {"paymentTermsNumber": 1, "name": "Netto 8", "daysOfCredit": 8}
LINKED_NETTO = {"paymentTerms": {**NETTO, "self": SELF}}
DOCUMENTED = {
    "name": "Kunde",
    "balance": Decimal("-12.50"),
    "delivery": {"city": "Aarhus", "floor": 2},
    "lines": [{"text": "a", "date": "2024-01-02"}, {"text": "b"}],
    "tags": ["x", "y"],
    "extra": {"any": {"thing": [1, None]}},
}
NULLS = {"delivery": {"city": None}, "lines": [{"text": None}, None], "tags": [None, "x"]}
ADDRESS = {"name": "Kunde", "delivery": {"city": "Aarhus", "floor": 2}}


def group(**reference: Any) -> dict[str, Any]:
    return {"customerGroup": reference}


def mistyped(
    path: str, found: str, documented: str, outcome: str = "omitted", rows: int = 1
) -> str:
    counted = f"{rows} row{'s' if rows > 1 else ''}"
    return f"{path} is {found} where {documented} is documented: {outcome} ({counted})"


def unknown(path: str) -> str:
    return f"unknown property {path} (1 row)"


def without(*names: str, **more: Any) -> dict[str, Any]:
    return {"unwanted": names, **more}


Case = tuple[dict[str, Any], dict[str, Any], dict[str, Any], list[str], dict[str, Any]]


def case(
    schema: dict[str, Any],
    row: dict[str, Any],
    record: dict[str, Any],
    *reports: str,
    **options: Any,
) -> Case:
    """A schema, a row, its record, what is reported, and options of `Read`."""
    return schema, row, record, list(reports), options


CASES: dict[str, Case] = {
    # path parameters
    "no row changes a path parameter": case(
        PERIOD, {"periodNumber": None}, {"year": "2025/2026", "periodNumber": 3}, context=PERIOD_3
    ),
    "nor where it is lifted": case(
        CUSTOMER,
        {"customer": {"customerNumber": None, "self": SELF}},
        {"customerNumber": 7},
        context={"customerNumber": 7},
    ),
    # lifted columns
    "a reference with more stays": case(
        TERMS, LINKED_NETTO, {"paymentTermsNumber": 1, "paymentTerms": NETTO}
    ),
    "a key that its object does not keep": case(
        VOUCHER,
        {"voucher": {"number": 5, "year": "2024"}},
        {"year": "2024", "voucher": {"number": 5}},
    ),
    "a column named like its object": case(
        YEAR, {"accountingYear": {"year": "2024", "self": SELF}}, {"accountingYear": "2024"}
    ),
    "a null key": case(GROUPED, group(customerGroupNumber=None), {"customerGroupNumber": None}),
    "a reference without its key": case(GROUPED, group(), {}),
    "a null reference": case(GROUPED, {"customerGroup": None}, {}),
    "a reference that is no object": case(
        GROUPED, {"customerGroup": 3}, {}, mistyped("customerGroup", "an integer", "an object")
    ),
    "a kept reference that is no object": case(
        TERMS,
        {"paymentTerms": "Netto 8"},
        {"paymentTerms": None},
        mistyped("paymentTerms", "a string", "an object"),
    ),
    "unknown in a reference that goes": case(
        GROUPED,
        group(customerGroupNumber=3, name="Indland", self=SELF),
        {"customerGroupNumber": 3, "customerGroup": {"name": "Indland"}},
        unknown("customerGroup.name"),
    ),
    "unknown in a reference whose place is taken": case(
        YEAR,
        {"accountingYear": {"year": "2024", "new": 1}},
        {"accountingYear": "2024"},
        "omitted: " + unknown("accountingYear.new"),
    ),
    "unknown in a reference that stays": case(
        TERMS,
        {"paymentTerms": {"paymentTermsNumber": 1, "new": 5}},
        {"paymentTermsNumber": 1, "paymentTerms": {"paymentTermsNumber": 1, "new": 5}},
        unknown("paymentTerms.new"),
    ),
    "a deselected reference": case(
        TERMS, LINKED_NETTO, {"paymentTermsNumber": 1}, **without("paymentTerms")
    ),
    "a deselected lifted column": case(
        TERMS, LINKED_NETTO, {"paymentTerms": NETTO}, **without("paymentTermsNumber")
    ),
    "a property named like a lifted column": case(
        GROUPED,
        {**group(customerGroupNumber=3), "customerGroupNumber": 4},
        {"customerGroupNumber": 3},
    ),
    # links
    "a deselected key of a reference that stays for its links": case(
        GROUPED,
        group(customerGroupNumber=3, self=SELF),
        group(self=SELF),
        **without("customerGroupNumber", include_links=True),
    ),
    "deselected links stop nothing": case(
        LINKED, {"self": SELF, "new": 1}, {"new": 1}, unknown("new"), **without("self", "metaData")
    ),
    "undocumented links": case(
        NAMED,
        {"name": "Kunde", "self": SELF, "delivery": {"metaData": {"href": SELF}}},
        {"name": "Kunde", "delivery": {}},
    ),
    "undocumented links that are wanted": case(
        NAMED, {"self": SELF}, {"self": SELF}, unknown("self"), include_links=True
    ),
    # what is never emitted
    "a token": case(SECRETIVE, {"name": "x", "agreementGrantToken": "s"}, {"name": "x"}),
    "a token, with links": case(
        SECRETIVE, {"name": "x", "agreementGrantToken": "s"}, {"name": "x"}, include_links=True
    ),
    "a nested token": case(
        APPLICATION,
        {"application": {"name": "App", "appSecretToken": "s"}},
        {"application": {"name": "App"}},
    ),
    # booleans
    "booleans": case(
        BARRED, {"barred": True, "blocked": False}, {"barred": True, "blocked": False}
    ),
    "a null boolean": case(BARRED, {"barred": None}, {"barred": None}),
    "an absent boolean": case(BARRED, {}, {"barred": False}),
    "an absent nested boolean": case(SETTINGS, {"settings": {}}, {"settings": {}}),
    "an absent boolean of another version": case(BARRED, {}, {}, fill_booleans=False),
    "a deselected boolean": case(BARRED, {}, {}, **without("barred")),
    # as documented, null, unknown
    "as documented": case(FULL, DOCUMENTED, DOCUMENTED),
    **{f"null {name}": case(FULL, {name: None}, {name: None}) for name in DOCUMENTED},
    "nested nulls": case(FULL, NULLS, NULLS),
    **{
        f"unknown {value}": case(FULL, {"new": value}, {"new": value}, unknown("new"))
        for value in (1, "text", Decimal("1.0"), None, {"deep": [1]}, [None])
    },
    "unknown and nested": case(
        FULL,
        {"delivery": {"zip": "8000"}, "lines": [{"unit": "h"}]},
        {"delivery": {"zip": "8000"}, "lines": [{"unit": "h"}]},
        unknown("delivery.zip"),
        unknown("lines.[].unit"),
    ),
    # mistyped
    "text for a number": case(
        FULL, {"balance": "x"}, {"balance": None}, mistyped("balance", "a string", "a number")
    ),
    "text for a number that reads like one": case(
        FULL, {"balance": "NaN"}, {"balance": None}, mistyped("balance", "a string", "a number")
    ),
    "a list for an object": case(
        FULL, {"delivery": [1]}, {"delivery": None}, mistyped("delivery", "an array", "an object")
    ),
    "nested text for a number": case(
        FULL,
        {"delivery": {"floor": "x"}},
        {"delivery": {"floor": None}},
        mistyped("delivery.floor", "a string", "an integer"),
    ),
    "an object for a list": case(
        FULL, {"lines": {"text": "x"}}, {"lines": None}, mistyped("lines", "an object", "an array")
    ),
    "a mistyped item": case(
        FULL, {"lines": [True]}, {"lines": [None]}, mistyped("lines.[]", "a boolean", "an object")
    ),
    "mistyped in items": case(
        FULL,
        {"lines": [{"date": "x"}, {"date": "2024-02-30"}]},
        {"lines": [{"date": None}, {"date": None}]},
        mistyped("lines.[].date", "a string", "a date", rows=2),
    ),
    "mistyped without loss": case(
        FULL,
        {"name": 17, "balance": "12.50", "delivery": {"floor": "2"}},
        {"name": "17", "balance": Decimal("12.50"), "delivery": {"floor": 2}},
    ),
    "VAT codes": case(
        VAT,
        {"vatAccount": {"vatCode": "U25  "}, "line": {"vatCode": " I25 "}},
        {"vatCode": "U25", "line": {"vatCode": "I25"}},
    ),
    # keys
    "a mistyped key": case(
        KEYED,
        {"number": "V-5", "code": "DKK"},
        {"number": "V-5", "code": "DKK"},
        mistyped("number", "a string", "an integer", "passed on, being a key"),
    ),
    "a nested property named like a key": case(
        NESTED_KEY,
        {"number": 1, "line": {"number": "V-5"}},
        {"number": 1, "line": {"number": None}},
        mistyped("line.number", "a string", "an integer"),
    ),
    # selection
    "one deselected": case(FULL, ADDRESS, {"delivery": ADDRESS["delivery"]}, **without("name")),
    "an object deselected": case(FULL, ADDRESS, {"name": "Kunde"}, **without("delivery")),
    "one deselected in an object": case(
        FULL, ADDRESS, {"name": "Kunde", "delivery": {"floor": 2}}, **without("delivery.city")
    ),
    "unknown where something is deselected": case(
        FULL,
        {"balance": 1, "new": 2},
        {"balance": 1},
        "omitted: " + unknown("new"),
        **without("name"),
    ),
    "unknown where a lifted column is deselected": case(
        GROUPED, {"new": 2}, {}, "omitted: " + unknown("new"), **without("customerGroupNumber")
    ),
    "unknown in another object than the deselected": case(
        FULL,
        {"new": 1, "delivery": {"new": 2}},
        {"new": 1, "delivery": {}},
        "omitted: " + unknown("delivery.new"),
        unknown("new"),
        **without("delivery.city"),
    ),
}


@pytest.mark.parametrize(
    ("schema", "row", "record", "reports", "options"), CASES.values(), ids=CASES
)
def test_a_row_becomes_its_record(
    schema: dict[str, Any],
    row: dict[str, Any],
    record: dict[str, Any],
    reports: list[str],
    options: dict[str, Any],
) -> None:
    read = Read(schema, {**row, "agreementNumber": 2}, **options)
    assert (read.record, read.reports) == (record, reports)
    assert read.agreement == 1, "no row can change the agreement"
    assert not read.keyless


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


@pytest.mark.parametrize(
    ("schema", "row"),
    [
        *((LIFTED_KEY, {"invoice": it}) for it in (None, {}, {"number": None}, {"number": "V-5"})),
        (KEYED, {"code": "DKK"}),
        (KEYED, {"number": None, "code": "DKK"}),
        (KEYED, {"number": [5], "code": "DKK"}),
    ],
)
def test_a_row_says_which_key_it_lacks(schema: dict[str, Any], row: dict[str, Any]) -> None:
    read = Read(schema, row)
    assert read.record.get("number") is None
    assert read.keyless == {0: ["number"]}


def test_departures_of_a_row_without_its_key_are_counted_once() -> None:
    read = Read(LIFTED_KEY, {"invoice": 5, "new": 1})
    assert [line[-8:] for line in read.reports] == [" (1 row)", " (1 row)"]


@pytest.mark.parametrize("value", ["soon", ["2024"]])
def test_a_key_with_a_form_of_its_own_is_a_record_or_missing(value: Any) -> None:
    schema = a_stream(keys=("code",), code={"type": "string", "format": "date"})
    read = Read(schema, {"code": value})
    assert (read.record["code"] == value) is not bool(read.keyless)


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
