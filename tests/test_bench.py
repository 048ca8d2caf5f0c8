"""The bench compares like with like, counts what it says it counts, and takes no run for done."""

from __future__ import annotations

import json
import sys
from itertools import pairwise
from typing import TYPE_CHECKING, Any
from urllib.parse import quote
from urllib.request import urlopen

import pytest

from bench import cases, report
from bench.__main__ import about
from bench.books import customers, entry_number, ledger
from bench.contenders import LOOP, ROOT, STOCK, TAP, Contenders
from bench.figures import Series, goals, middle, ratio, series
from bench.measure import FailedError, Sink, run
from bench.plan import BudgetRun, Cell
from bench.servers import Companies, FastServer
from tests.conftest import exact

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ROWS = 2_100
"""Three pages, the last one not full."""

ENTRIES = "/bookedEntriesapi/v4.0.0/booked-entries"


def quiet(line: str) -> None:
    """Say nothing."""


@pytest.fixture(scope="module")
def server() -> Iterator[FastServer]:
    with FastServer(ROWS) as running:
        yield running


def records(command: list[str]) -> list[dict[str, Any]]:
    """The records that a contender writes, without what is null: in Singer, absent is null."""
    out = bytearray()
    run(command, folder=ROOT, keep=out.extend)
    messages = [json.loads(line, parse_float=exact) for line in out.splitlines()]
    return [
        {name: value for name, value in message["record"].items() if value is not None}
        for message in messages
        if message["type"] == "RECORD"
    ]


@pytest.mark.parametrize("stream", ["booked_entries", "customers"])
def test_all_contenders_deliver_the_same_records(
    stream: str, server: FastServer, tmp_path: Path
) -> None:
    server.begin(rows=ROWS)
    contenders = Contenders(server.url, tmp_path)
    tap = records(contenders.command(TAP, stream, ROWS, 0.0))
    assert len(tap) == ROWS
    assert records(contenders.command(STOCK, stream, ROWS, 0.0)) == tap
    assert records(contenders.command(LOOP, stream, ROWS, 0.0)) == tap
    assert records(contenders.command(LOOP, stream, ROWS, 0.1)) == tap  # several at a time


@pytest.mark.slow
def test_a_whole_measurement_gives_figures_for_everything(
    server: FastServer, tmp_path: Path
) -> None:
    contenders = Contenders(server.url, tmp_path)
    sizes = {TAP: (100, 1_100, ROWS), STOCK: (100, ROWS), LOOP: (100, ROWS)}
    cell = Cell("booked_entries", latency=0, rounds=1, sizes=sizes)
    results: dict[str, Any] = {
        "about": {**about(), "minutes": 0},
        "server": cases.server_rate(server, 10),
        "startup": cases.startup(server, contenders, 1, quiet),
        "throughput": cases.throughput(cell, server, contenders, quiet),
        "budget": cases.budget(BudgetRun(500, 50, 1_000, 6), server, contenders, quiet),
        "profile": cases.shares(["main (tap_visma_economic/__main__.py:17);read (ssl.py:9) 3"]),
    }
    results["profile"]["rows"] = ROWS
    with Companies(2) as companies:
        results["company"] = cases.company(companies, 10, 1, tmp_path, quiet)
        results["agreements"] = cases.agreements(companies, 2, 10, tmp_path, quiet)

    tap = series(results, "booked_entries", 0, TAP)
    assert tap is not None
    assert tap.calls(0) == 2  # /self and one page: what the server counts is what was asked
    assert tap.rss(0) > 20
    assert results["budget"]["calls"] >= 500 / 50
    assert results["company"]["calls"] > 88
    assert results["agreements"]["calls"] > 2 * 88
    assert {len(one["statuses"]) for one in results["company"]["rounds"]} <= {1, 2}  # 200 and 404
    text = report.text(json.loads(json.dumps(results)))
    for goal in goals(results):
        assert goal.what in text


def test_a_contender_that_leaves_rows_out_gives_no_figures(
    server: FastServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    contenders = Contenders(server.url, tmp_path)
    monkeypatch.setattr(contenders, "command", lambda *_: [sys.executable, "-c", "print('{}')"])
    cell = Cell("customers", latency=0, rounds=1, sizes={LOOP: (10, 20)})
    with pytest.raises(FailedError, match="wrote 0 of 10 rows"):
        cases.throughput(cell, server, contenders, quiet)


def test_a_run_that_fails_gives_no_figures(tmp_path: Path) -> None:
    with pytest.raises(FailedError, match="no such thing"):
        run([sys.executable, "-c", "raise SystemExit('no such thing')"], folder=tmp_path)


def test_what_a_run_costs_is_its_own(tmp_path: Path) -> None:
    work = "import time; held = bytearray(80_000_000); began = time.process_time()\n"
    work += "while time.process_time() < began + 0.3: pass"
    busy = run([sys.executable, "-c", work], folder=tmp_path)
    idle = run([sys.executable, "-c", "import time; time.sleep(0.3)"], folder=tmp_path)
    assert busy.cpu > idle.cpu + 0.2
    assert busy.rss > idle.rss + 60_000_000
    assert idle.seconds > 0.3


def asked(server: FastServer, path: str) -> Any:
    with urlopen(server.url + path) as answer:
        return json.load(answer, parse_float=exact)


@pytest.mark.parametrize(
    ("filter_", "fits"),
    [
        ("", lambda n, _: True),
        ("entryNumber$lte:9", lambda n, _: n <= 9),
        ("entryNumber$lt:9$and:entryNumber$gt:2", lambda n, _: 2 < n < 9),
        ("entryNumber$gte:1000$and:entryNumber$lte:2200", lambda n, _: 1000 <= n <= 2200),
        ("entryNumber$eq:6", lambda n, _: n == 6),
        ("entryNumber$in:[1,2,7,8,9]", lambda n, _: n in {1, 2, 7, 8, 9}),
        ("remainder$ne:0", lambda _, remainder: remainder != 0),
        ("remainder$ne:0$and:entryNumber$lt:500", lambda n, r: r != 0 and n < 500),
    ],
)
def test_the_server_filters_counts_and_pages_as_e_conomic_does(
    server: FastServer, filter_: str, fits: Any
) -> None:
    server.begin(rows=ROWS, page=300)
    rows = json.loads(b"[" + ledger(ROWS).text + b"]", parse_float=exact)
    expected = [row for row in rows if fits(row["entryNumber"], row["remainder"])]
    query = f"filter={quote(filter_)}"
    found: list[Any] = []
    cursor = ""
    while True:
        page = asked(server, f"{ENTRIES}?{query}{cursor}")
        found += page["items"]
        if "cursor" not in page:
            break
        assert len(page["items"]) == 300
        cursor = f"&cursor={page['cursor']}"
    assert found == expected
    assert asked(server, f"{ENTRIES}/count?{query}") == len(expected)
    last = asked(server, f"{ENTRIES}/paged?pageSize=1&sort=-entryNumber&{query}")
    assert last == expected[-1:]


def test_the_server_pages_a_collection_and_says_how_many_rows_fit(server: FastServer) -> None:
    server.begin(rows=ROWS)
    rows = json.loads(b"[" + customers(ROWS, server.url).text + b"]", parse_float=exact)
    expected = [row for row in rows if row["customerNumber"] > 500]
    found: list[Any] = []
    link = f"/customers?pagesize=1000&sort=customerNumber&filter={quote('customerNumber$gt:500')}"
    while link:
        page = asked(server, link)
        found += page["collection"]
        assert page["pagination"]["results"] == len(expected)
        link = page["pagination"].get("nextPage", "").removeprefix(server.url)
    assert found == expected


def test_a_request_that_the_server_does_not_understand_gives_no_figures(
    server: FastServer,
) -> None:
    server.begin(rows=10)
    with pytest.raises(OSError, match="400"):
        asked(server, f"{ENTRIES}?filter={quote('text$like:a')}")
    with pytest.raises(FailedError, match="does not serve"):
        server.asked()


def test_numbers_have_gaps() -> None:
    numbers = [entry_number(place) for place in range(120_000)]
    assert numbers == sorted(set(numbers))
    assert max(after - before for before, after in pairwise(numbers)) > 20_000


def test_records_are_counted_wherever_the_output_is_cut() -> None:
    output = b'{"type":"SCHEMA"}\n' + b'{"type": "RECORD", "record": {"a": "b"}}\n' * 5
    for size in (1, 7, 8, 50, 1000):
        sink = Sink()
        for start in range(0, len(output), size):
            sink.take(output[start : start + size])
        assert (sink.records, sink.written) == (5, len(output))


def test_the_steady_rate_leaves_the_start_out() -> None:
    one = [{"seconds": 2.0, "cpu": 1.0}, {"seconds": 4.0, "cpu": 1.5}]
    turned = [{"seconds": 2.0, "cpu": 1.0}, {"seconds": 1.0, "cpu": 0.9}]
    measured = Series((1_000, 5_000), (one, turned))
    assert measured.steady[0] == 2_000
    assert measured.cpu == pytest.approx(125)
    assert middle(measured.steady) == 2_000  # noise that turns a slope round is no rate
    assert ratio([3.0, 1.0, 2.0], [1.0, 1.0, 1.0]) == 2.0


def test_what_a_budget_is_used_for_is_told_by_time() -> None:
    # 100 tokens at once, then one a second, of a budget that gives back two a second.
    spent = [(0.0, 1, 1), (1.0, 100, 100), *((float(at), 1, 50) for at in range(2, 101))]
    found = cases.spending(spent, limit=120, window=60)
    assert found["overall"] == pytest.approx(
        199 / 100 / 2, abs=1e-4
    )  # its clock starts with a call
    assert found["steady"] == pytest.approx(0.5)
    assert found["most"] == pytest.approx(159 / 120, abs=1e-4)
    assert found["fullest"] == pytest.approx(100 / 120, abs=1e-4)


def test_a_profile_leaves_imports_out() -> None:
    found = cases.shares(
        [
            "main (tap_visma_economic/__main__.py:17);load (<frozen importlib._bootstrap>:9) 90",
            "main (tap_visma_economic/__main__.py:17);write (tap_visma_economic/writer.py:5) 6",
            "main (tap_visma_economic/__main__.py:17);write (tap_visma_economic/writer.py:8) 2",
            "work (threading.py:1) 2",
        ]
    )
    assert found["samples"] == 10
    assert found["own"][0] == ("write (tap_visma_economic/writer.py)", 0.8)
    assert dict(found["inside"])["main (tap_visma_economic/__main__.py)"] == 0.8
