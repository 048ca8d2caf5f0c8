"""Both ways from rows to records give the same messages, value by value, for every stream.

The fast way decodes rows as objects of C and mends them (`forms`); the careful one is `records`.
"""

from __future__ import annotations

from decimal import Decimal
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tap_visma_economic import schemas
from tap_visma_economic.rows import forms, pages
from tap_visma_economic.rows.drift import Drift
from tap_visma_economic.rows.forms import RowForm
from tap_visma_economic.rows.records import Projection, Rules
from tap_visma_economic.rows.typed import FlawedRow, TypedRows
from tap_visma_economic.rows.typed import column as column_of
from tests.unit.answers import answer

if TYPE_CHECKING:
    from collections.abc import Callable

    from tap_visma_economic.rows.records import Breadcrumb

STREAMS = sorted(
    path.stem for path in Path(schemas.__file__).parent.glob("*.json") if path.stem != "modules"
)
STAMPS_OF = {
    name: {
        column.get("x-stamp", "agreementNumber"): 7
        if "integer" in column["type"]
        else "2025_6_2026"
        for key, column in schemas.load(name)["properties"].items()
        if "x-stamp" in column or key == "agreementNumber"
    }
    for name in STREAMS
}

_plain = msgspec.json.Decoder(list[dict[str, Any]], float_hook=Decimal)
_text = msgspec.json.Encoder(decimal_format="number", order="sorted").encode


class Ways:
    """Both ways for one stream, a selection and the settings.

    Args:
        schema: the stream's schema file.
        stamps: agreementNumber and the path parameters.
        unwanted: whether the property at a breadcrumb is deselected.
        include_links: the setting.
        fill_booleans: whether the schema describes what is served.
    """

    def __init__(
        self,
        schema: dict[str, Any],
        stamps: dict[str, Any],
        *,
        unwanted: Callable[[Breadcrumb], bool] = lambda _: False,
        include_links: bool = False,
        fill_booleans: bool = True,
    ) -> None:
        self.stamps = stamps
        self.include_links = include_links
        self.drift = Drift()
        rules = Rules(
            self.drift,
            selected=lambda crumb: not unwanted(crumb),
            include_links=include_links,
        )
        self.form = RowForm(schema, rules, fill_booleans=fill_booleans)
        self.project = Projection(schema, rules, fill_booleans=fill_booleans)

    def careful(self, body: bytes) -> list[str]:
        """The records as text."""
        return texts([self.project(row, self.stamps) for row in _plain.decode(body)])

    def fast(self, body: bytes) -> list[str] | None:
        """The records as text; None if they have to go the careful way."""
        decoder = self.form.decoder(list)
        assert decoder, "no form for this stream"
        try:
            typed = decoder.decode(body)
        except msgspec.DecodeError:
            return None
        records = self.form.records(self.form.rows(typed, list), self.stamps)
        return None if records is None else texts(records)


def texts(records: list[Any]) -> list[str]:
    """Records as JSON with sorted names: digits and all, but not the order of columns."""
    lines = msgspec.json.Encoder(decimal_format="number").encode_lines(records).splitlines()
    decoder = msgspec.json.Decoder(float_hook=Decimal)
    return [_text(decoder.decode(line)).decode() for line in lines]


# --- rows as e-conomic sends them ---

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
DAYS = st.dates().map(str)
CIVIL = DAYS | DAYS.map("{}T00:00:00".format) | DAYS.map("{}T00:00:00Z".format)
INSTANTS = st.datetimes().map(lambda at: at.isoformat()) | st.datetimes().map(
    lambda at: f"{at.replace(microsecond=0).isoformat()}Z"
)
LINK = st.just("https://restapi.e-conomic.com/somewhere")
NUMBERS = st.decimals(allow_nan=False, allow_infinity=False, places=2) | st.integers()


def values(schema: dict[str, Any], links: tuple[str, ...]) -> st.SearchStrategy[Any]:
    """What a documented property may hold, objects with these links."""
    return st.none() | present(schema, links)


def present(schema: dict[str, Any], links: tuple[str, ...]) -> st.SearchStrategy[Any]:
    """What a property holds that is there."""
    kinds = schema.get("type", [])
    kind = next(k for k in ([kinds] if isinstance(kinds, str) else kinds) if k != "null")
    if kind == "object":
        return objects(schema, links)
    if kind == "array":
        return st.lists(values(schema["items"], links), max_size=3)
    if schema.get("format") == "date":
        return CIVIL
    if schema.get("format") == "date-time":
        return INSTANTS
    if schema.get("x-trim"):
        return TEXT | TEXT.map("{} ".format)
    plain = {"integer": st.integers(), "number": NUMBERS, "boolean": st.booleans(), "string": TEXT}
    return plain[kind]


def objects(schema: dict[str, Any], links: tuple[str, ...]) -> st.SearchStrategy[dict[str, Any]]:
    """What a documented object may hold; properties may be left out."""
    columns: dict[str, Any] = schema.get("properties", {})
    if not columns:
        return st.dictionaries(TEXT | st.sampled_from(["self", "metaData"]), NUMBERS, max_size=3)
    properties = {
        name: values(column, links) for name, column in columns.items() if "x-source" not in column
    }
    for name in (*schema.get("x-omit", ()), *links):
        properties.setdefault(name, st.none() | LINK | st.just({"self": 1}))
    for column in columns.values():
        if "x-source" in column:
            outer, key = column["x-source"].split(".")
            about = columns.get(outer, {})
            inside = objects(about, links) if about.get("properties") else st.just({})
            properties[outer] = st.none() | st.builds(
                lambda rest, mine: {**rest, **mine},
                properties.get(outer, st.none()).map(lambda v: v or {}) | inside,
                st.fixed_dictionaries({}, optional={key: values(column, links), "self": LINK}),
            )
    return st.fixed_dictionaries({}, optional=properties)


@cache
def rows_of(name: str, *, links: bool = True) -> st.SearchStrategy[dict[str, Any]]:
    """Rows of a stream; with links that are dropped wherever they are, documented or not."""
    schema = schemas.load(name)
    columns = schema["properties"]
    required = {
        key: present(columns[key], ())
        for key in schema["required"]
        if key != "agreementNumber" and "x-stamp" not in columns[key]
    }

    def complete(row: dict[str, Any], there: dict[str, Any]) -> dict[str, Any]:
        for key, value in there.items():
            outer, _, inner = columns[key].get("x-source", key).partition(".")
            row = {**row, outer: {**(row.get(outer) or {}), inner: value} if inner else value}
        return row

    rows = objects(schema, ("self", "metaData") if links else ())
    return st.builds(complete, rows, st.fixed_dictionaries(required))


def breadcrumbs(schema: dict[str, Any], crumb: Breadcrumb = ()) -> list[Breadcrumb]:
    """All breadcrumbs of a schema but those of keys."""
    found: list[Breadcrumb] = []
    for name, column in schema.get("properties", {}).items():
        at = (*crumb, "properties", name)
        if crumb or name not in schema["required"]:
            found.append(at)
        found += breadcrumbs(column, at)
        found += breadcrumbs(column.get("items", {}), (*at, "properties", "[]"))
    return found


@st.composite
def ways(draw: st.DrawFn, name: str) -> Ways:
    """A stream with any selection and settings."""
    schema = schemas.load(name)
    unwanted = draw(st.sets(st.sampled_from(breadcrumbs(schema)), max_size=4) | st.just(set()))
    return Ways(
        schema,
        STAMPS_OF[name],
        unwanted=unwanted.__contains__,
        include_links=draw(st.booleans()),
        fill_booleans=draw(st.booleans()),
    )


few = partial(
    settings,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    database=None,
)


@pytest.mark.parametrize("name", STREAMS)
@few(max_examples=5)
@given(data=st.data())
def test_rows_as_documented_are_the_same_records_on_the_fast_way(
    name: str, data: st.DataObject
) -> None:
    both = data.draw(ways(name))
    rows = rows_of(name, links=not both.include_links)
    body = encoded(data.draw(st.lists(rows, min_size=1, max_size=3)))
    careful = both.careful(body)
    assert both.fast(body) == careful
    assert both.drift.report() == []


# --- rows that are not ---

OFF: st.SearchStrategy[Any] = st.sampled_from(
    [
        *(None, True, False, 0, 1, -1, "", " ", "x", "5", "12.50", " 12 ", "1_000", "NaN", "true"),
        *("2024-02-30", "2024-01-01T10:00:00", "2024-01-01t00:00:00z", "2024-01-01T24:00:00Z"),
        *("2024-01-01 00:00:00", "2024-06-30T23:59:60Z", "2024-01-01T00:00:00.1234567Z"),
        *(Decimal("5.00"), Decimal("1.5"), Decimal("-0.0"), Decimal("1E+400"), Decimal("1E-400")),
        *(10**30, 10**399, {}, {"self": "x"}, {"a": {"b": [1]}}, [], [None], [1], ["x"], [{}]),
        Decimal("12345678901234567890.0"),
    ]
)


def encoded(rows: Any) -> bytes:
    return msgspec.json.Encoder(decimal_format="number").encode(rows)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where in a value something else could stand."""
    found = [path] if path else []
    if isinstance(value, dict):
        for name, inner in value.items():
            found += places(inner, (*path, name))
    if isinstance(value, list):
        for index, inner in enumerate(value):
            found += places(inner, (*path, index))
    return found


def put(value: Any, path: tuple[Any, ...], other: Any) -> None:
    for step in path[:-1]:
        value = value[step]
    value[path[-1]] = other


@pytest.mark.parametrize("name", STREAMS)
@few(max_examples=8)
@given(data=st.data())
def test_rows_that_are_off_are_the_same_records_or_go_the_careful_way(
    name: str, data: st.DataObject
) -> None:
    both = data.draw(ways(name))
    schema = schemas.load(name)
    row = data.draw(rows_of(name))
    names = st.sampled_from([*schema["properties"], "somethingNew"])
    row.setdefault(data.draw(names), None)
    put(row, data.draw(st.sampled_from(places(row))), data.draw(OFF))
    body = encoded([row])
    careful, fast = both.careful(body), both.fast(body)
    assert fast in (None, careful)
    assert fast is None or both.drift.report() == []


@pytest.mark.parametrize("off", [{}, {"entryNumber": None}])
def test_a_row_without_what_is_always_there_goes_the_careful_way(off: dict[str, Any]) -> None:
    both = Ways(schemas.load("booked_entries"), {"agreementNumber": 7})
    assert both.fast(encoded([{"text": "x", **off}])) is None


@pytest.mark.parametrize("off", [{}, {"outer": None}, {"outer": {"self": "x"}}])
def test_so_does_one_without_what_a_required_column_is_lifted_from(off: dict[str, Any]) -> None:
    schema = {**lifted(type="integer"), "required": ["agreementNumber", "outerKey"]}
    both = Ways(schema, {"agreementNumber": 7})
    whole = '{"agreementNumber":7,"outer":{},"outerKey":1}'
    assert both.fast(encoded([{"outer": {"key": 1}}])) == [whole]
    assert both.fast(encoded([off])) is None


# --- what no stream has yet ---

REFERENCE = {"type": ["object", "null"], "properties": {"self": {"type": "string", "x-link": True}}}
DEEP: dict[str, Any] = {}
for _ in range(100):
    DEEP = {"a": DEEP}


def a_stream(**columns: Any) -> dict[str, Any]:
    return {"properties": {"agreementNumber": {"type": "integer"}, **columns}, "required": []}


def lifted(**column: Any) -> dict[str, Any]:
    return a_stream(outerKey={**column, "x-source": "outer.key"}, outer=REFERENCE)


@pytest.mark.parametrize(
    ("schema", "row", "expected"),
    [
        (lifted(type="number"), {"outer": {"key": Decimal("1.50")}}, {"outerKey": Decimal("1.50")}),
        (lifted(type="number"), {"outer": {"key": "1.50"}}, None),
        (lifted(type="number"), {"outer": {"self": "x"}}, {"outer": {}}),
        (lifted(type="string", format="date"), {"outer": {"key": "2024-13-01"}}, None),
        (
            lifted(type="string", format="date"),
            {"outer": {"key": "2024-12-01T00:00:00"}},
            {"outerKey": "2024-12-01"},
        ),
        (a_stream(o={"type": "object"}), {"o": {"a": [1], "self": 1}}, {"o": {"a": [1]}}),
        (a_stream(o={"type": "object", "x-omit": ["b"]}), {"o": {"b": 1}}, {"o": {}}),
        (a_stream(o={"type": "object"}), {"o": DEEP}, None),
        (a_stream(o={"type": "object"}), {"o": None}, {"o": None}),
    ],
)
def test_columns_that_no_stream_has_are_the_same_too(
    schema: dict[str, Any], row: dict[str, Any], expected: dict[str, Any] | None
) -> None:
    both = Ways(schema, {"agreementNumber": 7})
    body = encoded([row])
    fast = both.fast(body)
    if expected is None:
        assert fast is None
    else:
        wanted = (
            {"agreementNumber": 7, "outer": {}, **expected}
            if "outer" in row
            else {"agreementNumber": 7, **expected}
        )
        assert fast == both.careful(body) == texts([wanted])


@pytest.mark.parametrize(
    "column",
    [
        {"type": "array", "items": {"type": "array"}},
        {"type": "array", "items": {"type": "string", "format": "date"}},
        {"type": "array", "items": {"type": "object"}},
        {"type": ["string", "integer"]},
        {},
    ],
)
def test_a_schema_that_no_form_is_made_for_goes_the_careful_way(column: dict[str, Any]) -> None:
    form = Ways(a_stream(column=column), {}, fill_booleans=False).form
    assert form.decoder(list) is None
    rows = [{"column": "x" * 50_000}]
    assert pages.array(answer(encoded(rows)), form).rows == rows


# --- what a page is decoded to ---


def entries(count: int, **more: Any) -> dict[str, Any]:
    """A large page of the ledger; `more` is in its last row."""
    rows: list[dict[str, Any]] = [
        {
            "entryNumber": n,
            "amount": Decimal("1.10"),
            "date": "2024-01-01T00:00:00",
            "text": "x" * 9,
        }
        for n in range(1, count + 1)
    ]
    rows[-1].update(more)
    return {"items": rows, "cursor": "next"}


def page_of(both: Ways, body: Any) -> pages.Page:
    content = body if isinstance(body, bytes) else encoded(body)
    return pages.cursor_listing(answer(content), both.form)


@pytest.fixture
def ledger() -> Ways:
    return Ways(schemas.load("booked_entries"), {"agreementNumber": 7})


def test_a_large_page_is_decoded_to_objects_of_c(ledger: Ways) -> None:
    page = page_of(ledger, entries(1000))
    assert isinstance(page.rows, TypedRows)
    assert (page.more, page.cursor, len(page.rows)) == (True, "next", 1000)
    records = ledger.form.records(page.rows, ledger.stamps)
    assert records is not None
    assert texts(records[:1]) == [
        '{"agreementNumber":7,"amount":1.10,"date":"2024-01-01","entryNumber":1,"text":"xxxxxxxxx"}'
    ]


def test_a_small_page_is_not(ledger: Ways) -> None:
    assert type(page_of(ledger, entries(10)).rows) is list


@pytest.mark.parametrize(
    "off", [{"somethingNew": 1}, {"entryNumber": "5"}, {"text": 5}, {"accountNumber": 5.0}]
)
def test_nor_is_one_on_which_anything_is_off(ledger: Ways, off: dict[str, Any]) -> None:
    assert type(page_of(ledger, entries(1000, **off)).rows) is list


@pytest.mark.parametrize("off", [{"amount": "NaN"}, {"date": "2024-13-01"}, {"amount": True}])
def test_what_is_off_may_come_out_later(ledger: Ways, off: dict[str, Any]) -> None:
    page = page_of(ledger, entries(1000, **off))
    assert isinstance(page.rows, TypedRows)
    assert ledger.form.records(page.rows, ledger.stamps) is None
    assert page.rows[-1]["entryNumber"] == 1000


def test_rows_are_dictionaries_as_they_came_for_whoever_asks(ledger: Ways) -> None:
    page = page_of(ledger, entries(1000))
    ledger.form.records(page.rows, ledger.stamps)  # type: ignore[arg-type]
    rows = entries(1000)["items"]
    assert list(page.rows) == rows
    assert page.rows[998:] == rows[998:]


@pytest.mark.parametrize("is_mended", [True, False])
@pytest.mark.parametrize("unwanted", [(), ("remainder",)])
def test_a_column_is_the_same_however_the_rows_were_decoded(
    is_mended: bool, unwanted: tuple[str, ...]
) -> None:
    both = Ways(
        schemas.load("booked_entries"),
        {"agreementNumber": 7},
        unwanted=lambda crumb: crumb[-1] in unwanted,
    )
    body = entries(1000, remainder=Decimal("0.50"))
    rows = page_of(both, body).rows
    assert isinstance(rows, TypedRows)
    if is_mended:
        both.form.records(rows, both.stamps)
    plain = _plain.decode(encoded(body["items"]))
    for name in ("entryNumber", "remainder", "text", "nothing", "agreementNumber"):
        assert column_of(rows, name) == column_of(plain, name), name


def test_rows_that_another_form_decoded_go_the_careful_way(ledger: Ways) -> None:
    other = Ways(schemas.load("booked_entries"), {"agreementNumber": 7})
    page_of(ledger, entries(1000))
    page = page_of(other, entries(1000))
    assert ledger.form.records(page.rows, ledger.stamps) is None  # type: ignore[arg-type]


def test_what_nobody_wants_may_be_unreadable() -> None:
    both = Ways(
        schemas.load("booked_entries"),
        {"agreementNumber": 7},
        unwanted=lambda crumb: crumb[-1] == "text",
    )
    body = encoded(entries(1000)).replace(b"xxxxxxxxx", b"\xff", 1)
    rows = page_of(both, body).rows
    assert isinstance(rows, TypedRows)
    records = both.form.records(rows, both.stamps)
    assert records is not None
    assert texts(records[:1]) == [
        '{"agreementNumber":7,"amount":1.10,"date":"2024-01-01","entryNumber":1}'
    ]
    assert isinstance(rows[0], FlawedRow)


def test_what_is_remembered_of_texts_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forms, "_MOST_REMEMBERED", 10)
    days = forms._Memo(str)
    assert [days[f"{n}"] for n in range(100)] == [f"{n}" for n in range(100)]
    assert len(days) <= 10
    assert days[None] is None
    assert days[msgspec.UNSET] is msgspec.UNSET
