"""The bench compares like with like, counts what it says it counts, and takes no run for done."""

from __future__ import annotations

import json
import sys
from itertools import pairwise
from math import nan
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError
from urllib.parse import quote
from urllib.request import urlopen

import pytest

from bench import cases, report
from bench.__main__ import about
from bench.cases import Case
from bench.contenders import LOOP, STOCK, TAP, Contenders
from bench.listings import LISTINGS, entry_number
from bench.measure import FailedError, run
from bench.rows import rows
from bench.server import fast_server
from tests.conftest import exact

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bench.server import FastServer

ROWS = 2_100
"""Three pages, the last one not full."""

ENTRIES = LISTINGS["booked_entries"].path


@pytest.fixture(scope="module")
def server() -> Iterator[FastServer]:
    with fast_server() as running:
        yield running


def records(command: list[str]) -> list[dict[str, Any]]:
    """The records that a contender writes, without what is null: in Singer, absent is null."""
    out = bytearray()
    run(command, keep=out.extend)
    messages = [json.loads(line, parse_float=exact) for line in out.splitlines()]
    return [
        {name: value for name, value in message["record"].items() if value is not None}
        for message in messages
        if message["type"] == "RECORD"
    ]


@pytest.mark.parametrize("stream", LISTINGS)
@pytest.mark.parametrize("drift", [0, 1])
def test_all_contenders_deliver_the_same_records(
    stream: str, drift: int, server: FastServer, tmp_path: Path
) -> None:
    server.begin(**{stream: ROWS}, drift=drift)
    contenders = Contenders(server.url, tmp_path)
    tap = records(contenders.command(TAP, stream))
    assert len(tap) == ROWS
    assert ("undocumentedNote" in str(tap)) == bool(drift)
    assert records(contenders.command(LOOP, stream)) == tap
    if stream == "booked_entries" and not drift:  # the SDK's classes drop what is undocumented
        assert records(contenders.command(STOCK, stream)) == tap


@pytest.mark.slow
def test_a_whole_measurement_gives_figures_for_everything(
    server: FastServer, tmp_path: Path
) -> None:
    contenders = Contenders(server.url, tmp_path)
    results: dict[str, Any] = {
        "about": {**about(), "quick": True, "minutes": 0},
        "server": cases.server_rates(server, 10),
        "startup": cases.startup(1),
        "company": cases.company(1, 0.01, tmp_path),
        "cases": {},
    }
    for case in cases.cases(quick=True):
        sizes = {
            name: (dict.fromkeys(small, 100), dict.fromkeys(large, ROWS))
            for name, (small, large) in case.sizes.items()
        }
        small = Case(case.name, 1, sizes, latency=0.001, drift=case.drift)
        results["cases"][case.name] = cases.read(small, server, contenders)
    ((first, second),) = results["cases"]["ledger"][TAP]
    assert first["calls"] == 2  # /self and one page: what the server counts is what was asked
    assert first["rss"] > 20e6
    assert second["records"] == ROWS
    assert results["company"]["rounds"][0]["calls"] > 88
    text = report.text(json.loads(json.dumps(results)))
    assert all(goal.what in text for goal in report.goals(results))


def test_a_contender_that_leaves_rows_out_gives_no_figures(
    server: FastServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    contenders = Contenders(server.url, tmp_path)
    monkeypatch.setattr(contenders, "command", lambda *_: [sys.executable, "-c", "print('{}')"])
    case = Case("customers", 1, {LOOP: ({"customers": 10}, {"customers": 20})})
    with pytest.raises(FailedError, match="wrote 0 rows of"):
        cases.read(case, server, contenders)


def test_a_run_that_fails_gives_no_figures() -> None:
    with pytest.raises(FailedError, match="no such thing"):
        run([sys.executable, "-c", "raise SystemExit('no such thing')"])


def test_what_a_run_costs_is_its_own() -> None:
    work = "import time; held = bytearray(80_000_000); began = time.process_time()\n"
    work += "while time.process_time() < began + 0.3: pass"
    busy = run([sys.executable, "-c", work])
    idle = run([sys.executable, "-c", "import time; time.sleep(0.3)"])
    assert busy.cpu > idle.cpu + 0.2
    assert busy.rss > idle.rss + 60_000_000
    assert idle.seconds > 0.3


def asked(server: FastServer, path: str) -> Any:
    with urlopen(server.url + path) as answer:
        return json.load(answer, parse_float=exact)


@pytest.mark.parametrize(
    ("filter_", "fits"),
    [
        ("", lambda n: True),
        ("key$lte:9", lambda n: n <= 9),
        ("key$lt:9$and:key$gt:2", lambda n: 2 < n < 9),
        ("key$gte:1000$and:key$lte:2200", lambda n: 1000 <= n <= 2200),
    ],
)
@pytest.mark.parametrize("stream", LISTINGS)
def test_the_server_filters_counts_and_pages_as_e_conomic_does(
    server: FastServer, stream: str, filter_: str, fits: Any
) -> None:
    server.begin(**{stream: ROWS})
    listing = LISTINGS[stream]
    _, texts = rows(stream, ROWS, drift=False)
    every = [json.loads(text, parse_float=exact) for text in texts]
    expected = [row for row in every if fits(row[listing.key])]
    query = f"pagesize=1000&filter={quote(filter_.replace('key', listing.key))}"
    found: list[Any] = []
    link = f"{listing.path}?{query}"
    while link:
        page = asked(server, link)
        found += page.get("items") or page.get("collection", [])
        if "pagination" in page:
            assert page["pagination"]["results"] == len(expected)
            link = page["pagination"].get("nextPage", "").removeprefix(server.url)
        else:
            link = f"{listing.path}?{query}&cursor={page['cursor']}" if "cursor" in page else ""
    assert found == expected
    if stream == "booked_entries":
        assert asked(server, f"{ENTRIES}/count?{query}") == len(expected)


def test_a_request_that_the_server_does_not_understand_gives_no_figures(
    server: FastServer,
) -> None:
    server.begin(booked_entries=10)
    with pytest.raises(HTTPError, match="400") as refused:
        asked(server, f"{ENTRIES}?filter={quote('text$like:a')}")
    refused.value.close()
    with pytest.raises(FailedError, match="does not understand"):
        server.asked()


def test_numbers_have_gaps() -> None:
    numbers = [entry_number(place) for place in range(120_000)]
    assert numbers == sorted(set(numbers))
    assert max(after - before for before, after in pairwise(numbers)) > 20_000


def test_records_are_counted_wherever_the_output_is_cut() -> None:
    output = b'{"type":"SCHEMA"}\n' + b'{"type": "RECORD", "record": {"a": "b"}}\n' * 5
    for size in (1, 7, 50, 1000):
        writes = "import os, time\nfor start in range(0, len(output), size):\n"
        writes += "    os.write(1, output[start:start + size]); time.sleep(0.0001)"
        command = f"output = {output!r}; size = {size}\n{writes}"
        assert run([sys.executable, "-c", command]).records == 5


def test_the_steady_rate_leaves_the_start_out() -> None:
    small, large = {"seconds": 2.0, "records": 1_000}, {"seconds": 4.0, "records": 5_000}
    turned = {"seconds": 1.0, "records": 5_000}
    found = report.slopes({TAP: [[small, large], [small, turned]]}, TAP, "seconds")
    assert found[0] == pytest.approx(1 / 2_000)
    assert report.ratios([1.0], found[:1]) == [2_000]
    goal = report.Goal("rate", ">= 3", [2.0, 5.0, 4.0, nan])  # noise that turns a slope round
    assert goal.cells() == ("rate", ">= 3", "4.00 (2.00 to 5.00)", "yes")
    assert report.Goal("rate", "<= 3", [2.0, 5.0, 4.0]).cells()[-1] == "**no**"
