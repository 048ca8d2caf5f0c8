"""The schema files of every stream, and the catalog they become.

That records fit them, and what becomes a column, is in tests/test_records_arrive.py.
"""

from __future__ import annotations

import copy
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest

from scripts.schema_update.documents import FACTS
from tap_visma_economic.schemas import catalog_schema, load
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


@pytest.mark.parametrize("include_links", [False, True])
def test_catalog_schemas_speak_plain_json_schema_without_limits(include_links: bool) -> None:
    spoken = set[str]()
    for name in NAMES:
        schema = catalog_schema(load(name), include_links=include_links)
        jsonschema.Draft202012Validator.check_schema(schema)
        spoken |= keywords(schema)
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
