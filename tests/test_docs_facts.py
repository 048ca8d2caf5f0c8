"""What the generated pages say of streams is held against the sandbox's rows and calls."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from scripts import streams_page
from scripts.streams_page import ALL, DOMAINS, JOINS, ROWS_PER_CALL, columns, joins
from tests.conftest import TapRunner, WarmTapRunner
from tests.documents import ROOT, documents
from tests.sandbox.server import Sandbox
from tests.sandbox.standard import standard_grants
from tests.test_records_arrive import endpoint

if TYPE_CHECKING:
    from scripts.streams_page import Join
    from tests.conftest import Run

RELATIONS = [join for own in joins().values() for join in own.values()]


class Read:
    """One run over all streams of the main company, and the calls that it made."""

    def __init__(self, run: Run, calls: Counter[str]) -> None:
        self.run = run
        self.calls = calls


@pytest.fixture(scope="module")
def read(tmp_path_factory: pytest.TempPathFactory) -> Read:
    """All streams, in a sandbox of its own."""
    with Sandbox(standard_grants("small")) as sandbox:
        tap = WarmTapRunner(tmp_path_factory.mktemp("read"))
        run = tap.read(sandbox, grants=["demo"], all_streams=True)
        return Read(run, Counter(request.endpoint for request in sandbox.log if request.endpoint))


@pytest.mark.parametrize("relation", RELATIONS, ids=lambda r: f"{r.stream}.{r.column}")
def test_a_join_key_names_rows_that_are_there(relation: Join, read: Read) -> None:
    rows = read.run.records[relation.stream]
    rows = [row for row in rows if not relation.only or row["type"] in relation.only]
    named = {row.get(relation.column) for row in rows} - {None}
    there = {row[relation.key] for row in read.run.records[relation.target]}
    assert named <= there


def test_the_page_of_streams_says_for_which_entries_a_join_key_holds() -> None:
    page = (ROOT / "docs/streams/index.md").read_text("utf-8")
    for relation in (relation for relation in RELATIONS if relation.only):
        row = rf"^\| `{relation.stream}\.{relation.column}` \| (.+) \|$"
        (told,) = re.findall(row, page, re.MULTILINE)
        types = " or ".join(map(str, relation.only))
        assert told.startswith(f"`{relation.target}.{relation.key}`, where `type` is {types};")


def test_nearly_every_join_key_has_rows_to_prove_it(read: Read) -> None:
    unproved = [
        f"{relation.stream}.{relation.column}"
        for relation in RELATIONS
        if all(row.get(relation.column) is None for row in read.run.records[relation.stream])
    ]
    assert len(unproved) < 0.05 * len(RELATIONS), unproved


def test_exceptions_name_columns_that_exist() -> None:
    named = [name.split(".") for name in (*JOINS["by_stream"], *JOINS["only"], *JOINS["assumed"])]
    assert [pair for pair in named if pair[1:] and pair[1] not in columns(pair[0])] == []


@pytest.mark.parametrize("stream", ALL, ids=lambda s: s.name)
def test_every_column_has_a_meaning(stream: Any) -> None:
    for name, column in columns(stream.name).items():
        assert len(streams_page.meaning(stream, name, column)) >= len("Name.")


def test_no_meaning_is_left_over() -> None:
    """What no column needs any more, or the schema now says itself."""
    needed = {
        key
        for stream in ALL
        for name, column in columns(stream.name).items()
        for key in _sources(stream.name, name, column)
    }
    assert set(streams_page.MEANINGS) - needed == set()


def _sources(stream: str, name: str, column: dict[str, Any]) -> list[str]:
    joins = {(relation.stream, relation.column) for relation in RELATIONS}
    own = f"{stream}.{name}"
    if own in streams_page.MEANINGS:
        return [own]
    return [] if "description" in column or (stream, name) in joins else [name]


def fewest(stream: Any, rows_of: dict[str, int]) -> int:
    """The fewest calls that a full reading can take, given the rows of each stream."""
    if stream.is_self:
        return 1
    listings = rows_of[stream.parent.name] if stream.parent else 1
    for values in stream.path_params.values():
        listings *= len(values) if isinstance(values, tuple) else 1
    return max(
        listings, -(-rows_of[stream.name] // ROWS_PER_CALL.get(stream.paginator_class, 1_000_000))
    )


@pytest.mark.parametrize("stream", ALL, ids=lambda s: s.name)
def test_a_stream_costs_the_calls_that_its_page_says(stream: Any, read: Read) -> None:
    """At most one reading more for each stream below it, and one call to look for more."""
    rows_of = {name: len(rows) for name, rows in read.run.records.items()}
    least = fewest(stream, {child.name: rows_of.get(child.name, 0) for child in ALL})
    below = sum(child.parent is stream for child in ALL)
    made = read.calls[endpoint(stream.name)]
    assert least <= made <= least * (1 + below) + 1


MOVING = {
    "docs/moving/airbyte.md": 33 + 7,
    "docs/moving/fivetran.md": 2,
    "docs/moving/posthog.md": 18,
}


@pytest.mark.parametrize("page", MOVING)
def test_a_page_on_moving_names_streams_and_keys_as_they_are(page: str) -> None:
    rows = re.findall(
        r"^\| `\w+` \| `(\w+)`(, with `all_streams`)? \| (.+?) \|$",
        (ROOT / page).read_text("utf-8"),
        re.MULTILINE,
    )
    streams = {stream.name: stream for stream in ALL}
    assert len(rows) == MOVING[page]
    for name, only_with_all, key in rows:
        own = [f"`{column}`" for column in streams[name].primary_keys[1:]]
        assert key == (", ".join(own) or "`agreementNumber` alone")
        assert bool(only_with_all) is streams[name].opt_in


def test_the_pages_say_what_the_catalog_says(warm_tap: TapRunner) -> None:
    """Each page lists the columns of the catalog, neither more nor fewer."""
    catalog = warm_tap.discover({"all_streams": True})
    pages = [(ROOT / f"docs/streams/{slug}.md").read_text("utf-8") for slug in DOMAINS]
    sections = {
        part.splitlines()[0]: re.findall(r"^\| `(\w+)` \|", part, re.MULTILINE)
        for page in pages
        for part in page.split("\n## ")[1:]
    }
    assert sections == {
        stream["tap_stream_id"]: list(stream["schema"]["properties"])
        for stream in catalog["streams"]
        if stream["tap_stream_id"] != "sync_runs"  # docs/running/fresh.md
    }


COUNTS = re.compile(
    r"(?P<all>\d+) tables, (?P<default>\d+) of them by default"
    r"|\d+ of (?P<readable>\d+) can be read|from (?P<read>\d+) streams"
)
"""Where a document may say how many streams there are: README, and output of the tap."""


@pytest.mark.parametrize(
    "page", [*documents(), "CHANGELOG.md", "bench/README.md", "hub/tap-visma-economic.yml"]
)
def test_how_many_streams_there_are_is_right_where_it_is_written(page: str) -> None:
    text = (ROOT / page).read_text("utf-8")
    default = sum(not stream.opt_in for stream in ALL)
    expected = {"all": len(ALL), "default": default, "readable": default, "read": default}
    for match in COUNTS.finditer(text):
        found = {name: int(count) for name, count in match.groupdict().items() if count}
        assert found.items() <= expected.items(), match[0]
    elsewhere = re.findall(rf"\b(?:{len(ALL)}|{default})\b.*", COUNTS.sub("", text))
    assert elsewhere == []


def test_a_column_that_joins_says_with_what() -> None:
    pages = "\n".join((ROOT / f"docs/streams/{slug}.md").read_text("utf-8") for slug in DOMAINS)
    assert pages.count(" Joins [") == len(RELATIONS)
    ledger = pages.partition("\n## booked_entries\n")[2]
    entry = next(line for line in ledger.splitlines() if "`customerInvoiceNumber`" in line)
    assert "Joins [`invoices_booked.bookedInvoiceNumber`](sales.md#invoices_booked)" in entry
    assert entry.endswith(", where `type` is 1. |")
