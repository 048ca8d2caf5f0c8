"""Row types: answers become the same records however their rows come to be decoded."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import UNSET

from tap_visma_economic import schemas
from tap_visma_economic.records import row_type as row_types
from tap_visma_economic.records import shape
from tap_visma_economic.records.drift import Drift
from tap_visma_economic.records.row_type import Envelope, RowType, as_dictionary
from tap_visma_economic.records.selection import Selection
from tests.unit.answers import encoded

if TYPE_CHECKING:
    from msgspec import UnsetType

    from tap_visma_economic.records.row_type import Rows
    from tap_visma_economic.records.selection import Breadcrumb

STREAMS = sorted(
    path.stem
    for path in Path(schemas.__file__).parent.glob("*.json")
    if path.stem not in {"modules", "newer_versions"}
)
LIST = Envelope(list)
STAMPS = {"agreementNumber": 7}


class Stream:
    """The row type of a stream, and what it reports."""

    def __init__(
        self,
        schema: str | dict[str, Any] = "booked_entries",
        *,
        unwanted: frozenset[Breadcrumb] = frozenset(),
        include_links: bool = False,
        absent: UnsetType | None = UNSET,
    ) -> None:
        self.schema = schemas.load(schema) if isinstance(schema, str) else schema
        self.drift = Drift()
        self.context = {
            column.get("x-stamp", "agreementNumber"): 7 if "integer" in column["type"] else "2025"
            for name, column in self.schema["properties"].items()
            if "x-stamp" in column or name == "agreementNumber"
        }
        selection = Selection(lambda crumb: crumb not in unwanted, include_links)
        self.row_type = RowType(self.schema, selection, self.drift, absent=absent)

    def decode(self, rows: Any) -> Rows:
        body = rows if isinstance(rows, bytes) else encoded(rows)
        return self.row_type.decode(body, LIST)[1]

    def records(self, rows: Any) -> list[dict[str, Any]]:
        return [as_dictionary(record) for record in self.decode(rows).finalize(self.context)]

    def conformed(self, rows: list[Any]) -> list[dict[str, Any]]:
        """The records of rows of which each is taken for one that does not fit."""
        compiled = self.decode(rows).compiled
        assert compiled
        made = [msgspec.convert(compiled.shape.conform(row), compiled.struct) for row in rows]
        compiled.finalize(made, self.context, [])
        return [as_dictionary(record) for record in made]


# --- rows as e-conomic sends them, and rows that are not ---

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
DAYS = st.dates().map(str)
CIVIL = DAYS | DAYS.map("{}T00:00:00".format) | DAYS.map("{}T00:00:00Z".format)
INSTANTS = st.datetimes().map(lambda at: at.isoformat()) | st.datetimes().map(
    lambda at: f"{at.replace(microsecond=0).isoformat()}Z"
)
LINK = st.just("https://restapi.e-conomic.com/somewhere")
NUMBERS = st.decimals(allow_nan=False, allow_infinity=False, places=2) | st.integers()
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


def values(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    """What a documented property may hold."""
    return st.none() | present(schema)


def present(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    """What a property holds that is there."""
    kinds = schema.get("type", [])
    kind = next(k for k in ([kinds] if isinstance(kinds, str) else kinds) if k != "null")
    if kind == "object":
        return objects(schema)
    if kind == "array":
        return st.lists(values(schema["items"]), max_size=3)
    if schema.get("format") == "date":
        return CIVIL
    if schema.get("format") == "date-time":
        return INSTANTS
    if schema.get("x-trim"):
        return TEXT | TEXT.map("{} ".format)
    plain = {"integer": st.integers(), "number": NUMBERS, "boolean": st.booleans(), "string": TEXT}
    return plain[kind]


def objects(schema: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    """What a documented object may hold; properties may be omitted."""
    columns: dict[str, Any] = schema.get("properties", {})
    if not columns:
        return st.dictionaries(TEXT | st.sampled_from(["self", "metaData"]), NUMBERS, max_size=3)
    properties = {name: values(c) for name, c in columns.items() if "x-source" not in c}
    for name in schema.get("x-omit", ()):
        properties.setdefault(name, st.none() | LINK | st.just({"self": 1}))
    for described in columns.values():
        if "x-source" in described:
            outer, key = described["x-source"].split(".")
            about = columns.get(outer, {})
            inside = objects(about) if about.get("properties") else st.just({})
            properties[outer] = st.none() | st.builds(
                lambda rest, mine: {**rest, **mine},
                properties.get(outer, st.none()).map(lambda v: v or {}) | inside,
                st.fixed_dictionaries({}, optional={key: values(described)}),
            )
    return st.fixed_dictionaries({}, optional=properties)


@cache
def rows_of(name: str) -> st.SearchStrategy[dict[str, Any]]:
    """Rows of a stream, with their keys."""
    schema = schemas.load(name)
    columns = schema["properties"]
    required = {
        key: present(columns[key])
        for key in schema["required"]
        if key != "agreementNumber" and "x-stamp" not in columns[key]
    }

    def complete(row: dict[str, Any], there: dict[str, Any]) -> dict[str, Any]:
        for key, value in there.items():
            outer, _, inner = columns[key].get("x-source", key).partition(".")
            row = {**row, outer: {**(row.get(outer) or {}), inner: value} if inner else value}
        return row

    return st.builds(complete, objects(schema), st.fixed_dictionaries(required))


def breadcrumbs(schema: dict[str, Any], crumb: Breadcrumb = ()) -> list[Breadcrumb]:
    """All breadcrumbs of a schema but those of keys."""
    found: list[Breadcrumb] = []
    for name, described in schema.get("properties", {}).items():
        at = (*crumb, "properties", name)
        if crumb or name not in schema["required"]:
            found.append(at)
        found += breadcrumbs(described, at)
        found += breadcrumbs(described.get("items", {}), (*at, "properties", "[]"))
    return found


@st.composite
def streams(draw: st.DrawFn, name: str) -> Stream:
    """A stream with any selection and settings."""
    crumbs = st.sampled_from(breadcrumbs(schemas.load(name)))
    return Stream(
        name,
        unwanted=frozenset(draw(st.sets(crumbs, max_size=4) | st.just(set()))),
        include_links=draw(st.booleans()),
        absent=draw(st.sampled_from([None, UNSET])),
    )


few = settings(
    max_examples=3,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    database=None,
)


@pytest.mark.parametrize("name", STREAMS)
@few
@given(data=st.data())
def test_rows_as_documented_are_the_same_records_decoded_and_conformed(
    name: str, data: st.DataObject
) -> None:
    stream = data.draw(streams(name))
    rows = data.draw(st.lists(rows_of(name), min_size=1, max_size=3))
    records = stream.records(rows)
    assert records == stream.conformed(rows)
    assert stream.drift.report() == []
    columns = list(stream.schema["properties"])
    for record in records:
        known = [name for name in record if name in columns]
        assert known == [name for name in columns if name in record], "in the schema's order"


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
@few
@given(data=st.data())
def test_a_row_that_is_off_changes_no_other_row_and_becomes_a_record(
    name: str, data: st.DataObject
) -> None:
    stream = data.draw(streams(name))
    sound, odd = data.draw(rows_of(name)), data.draw(rows_of(name))
    names = st.sampled_from([*stream.schema["properties"], "somethingNew"])
    odd.setdefault(data.draw(names), None)
    put(odd, data.draw(st.sampled_from(places(odd))), data.draw(OFF))
    alone = stream.records([sound])
    before, record, after = stream.records([sound, odd, sound])
    assert [before] == [after] == alone
    assert [record] == stream.conformed([odd])


# --- drift ---


def entry(number: int, **more: Any) -> dict[str, Any]:
    return {"entryNumber": number, "amount": Decimal("1.10"), "date": "2024-01-01", **more}


def test_what_is_learnt_of_one_answer_is_decoded_in_the_next() -> None:
    stream = Stream()
    stream.decode([entry(1), entry(2, new=1)])
    rows = stream.decode([entry(3), entry(4, new={"a": Decimal("1.50")})])
    assert [r.get("new") for r in map(as_dictionary, rows.finalize(STAMPS))] == [
        None,
        {"a": Decimal("1.50")},
    ]
    assert stream.drift.report()[0] == "unknown property new (1 row)"


def test_rows_keep_the_type_that_decoded_them() -> None:
    stream = Stream()
    before = stream.decode([entry(1)])
    stream.decode([entry(2, new=1)])
    [record] = before.finalize(STAMPS)
    assert as_dictionary(record)["entryNumber"] == 1
    assert before.values(["entryNumber", "agreementNumber"]) == [(1, 7)]


def test_more_names_than_a_type_keeps_are_in_their_records_all_the_same() -> None:
    """24,000 rows with 400 names in eight threads that make types at the same time."""
    stream = Stream()
    ready = threading.Barrier(8)

    def read(thread: int) -> list[dict[str, Any]]:
        ready.wait()
        return [
            record
            for page in range(6)
            for record in stream.records(
                [
                    entry(n, **({f"new{(thread * 50 + n + page) % 400}": n} if n % 5 == 0 else {}))
                    for n in range(500)
                ]
            )
        ]

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(read, range(8)))
    for records in found:
        assert len(records) == 3000
        for record in records:
            new = [value for name, value in record.items() if name.startswith("new")]
            number = record["entryNumber"]
            assert new == ([number] if number % 5 == 0 else [])
    assert len(stream.row_type._current.learnt) <= row_types.MOST_LEARNT


@pytest.mark.parametrize("name", ['a"b', "a\\b", "a\nb"])
def test_a_name_that_no_field_can_have_is_left_out_and_reported(name: str) -> None:
    stream = Stream()
    assert stream.records([entry(1, **{name: 1}), entry(2, new=1)])[1]["new"] == 1
    left, passed, _ = stream.drift.report()
    assert left.startswith("omitted: unknown property a")
    assert passed == "unknown property new (1 row)"


def test_what_nobody_wants_may_be_unreadable_and_what_is_news_may_not() -> None:
    stream = Stream(unwanted=frozenset({("properties", "text")}))
    body = encoded([entry(1, text="x")]).replace(b'"x"', b'"\xff"')
    assert stream.records(body)[0]["entryNumber"] == 1
    stream = Stream()
    stream.decode([entry(1, new="x")])
    with pytest.raises((msgspec.DecodeError, UnicodeDecodeError)):
        stream.decode(encoded([entry(1, new="x")]).replace(b'"x"', b'"\xff"'))


# --- rows ---


def test_rows_are_dictionaries_as_they_came_for_whoever_asks() -> None:
    rows = Stream().decode([entry(n) for n in range(9)])
    rows.finalize(STAMPS)
    assert list(rows) == [entry(n) for n in range(9)]
    assert list(rows[7:]) == [entry(7), entry(8)]
    assert rows.take([2, 5])[1] == entry(5)


@pytest.mark.parametrize("unwanted", [(), ("remainder",)])
def test_a_column_is_the_same_before_and_after_rows_are_records(unwanted: tuple[str, ...]) -> None:
    stream = Stream(unwanted=frozenset(("properties", name) for name in unwanted))
    plain = [entry(1), entry(2, remainder=Decimal("0.50"))]
    rows = stream.decode(plain)
    for _ in range(2):
        for name in ("entryNumber", "remainder", "text", "nothing"):
            assert rows.column(name) == [row.get(name) for row in plain], name
        rows.finalize(STAMPS)


def test_rows_that_are_taken_keep_what_is_off_of_them() -> None:
    body = [entry(1), {"amount": 1}, entry(3), {"amount": 2}]
    rows = Stream().decode(body).take([0, 3])
    assert [as_dictionary(record).get("amount") for record in rows.finalize(STAMPS)] == [
        Decimal("1.10"),
        2,
    ]
    assert rows.keyless == {1: ["entryNumber"]}


def test_rows_are_read_by_another_type_too() -> None:
    rows = Stream().decode([entry(n) for n in range(5)]).take([1, 3])
    key = Stream(unwanted=frozenset({("properties", "amount"), ("properties", "date")}))
    again = rows.read_as(key.row_type)
    again.finalize(STAMPS)
    assert again.values(("agreementNumber", "entryNumber")) == [(7, 1), (7, 3)]
    assert not hasattr(again.made[0], "amount")


def test_rows_without_a_key_are_noted_where_they_became_records() -> None:
    rows = Stream().decode([entry(1), {"amount": 1}])
    taken, again = rows.take([1]), rows.read_as(Stream().row_type)
    rows.finalize(STAMPS)
    assert (taken.keyless, again.keyless, rows.keyless) == ({}, {}, {1: ["entryNumber"]})


def test_a_lifted_column_is_null_where_the_reference_that_stays_lacks_it() -> None:
    whole = {"type": ["integer", "null"]}
    schema = {
        "properties": {
            "agreementNumber": {"type": "integer"},
            "termsNumber": {**whole, "x-source": "terms.termsNumber"},
            "terms": {"type": ["object", "null"], "properties": {"termsNumber": whole}},
        },
        "required": ["agreementNumber"],
    }
    [record] = Stream(schema, absent=None).records([{"terms": {}}])
    assert record == {"agreementNumber": 7, "termsNumber": None, "terms": {}}


def test_what_is_remembered_of_texts_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shape, "_MOST_REMEMBERED", 10)
    days = shape.Memo(shape.Fit("", str, "", Drift()))
    assert [days[f"{n}"] for n in range(100)] == [f"{n}" for n in range(100)]
    assert len(days) <= 10
    assert days[None] is None
    assert days[UNSET] is UNSET
