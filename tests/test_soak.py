"""A run in bad weather: of a hundred answers five go wrong, in every way at once, drawn by a seed.

What arrives is the truth, value by value, and no row comes twice in a first run. In the small soak
there are also the faults that no patience mends; there the next run completes what is missing.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from tests.conftest import TapRunner
from tests.sandbox import Grant, Sandbox
from tests.sandbox.company import build_company
from tests.sandbox.faults import KINDS
from tests.test_discovery import CONTRACT
from tests.warehouse import Warehouse, key_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tests.conftest import Run
    from tests.sandbox.company import Company
    from tests.sandbox.values import Row

ANY = ""
BY_POSITION = r"/products\?.*skippages=[1-9]"
BY_CURSOR = r"/bookedEntriesapi/.*/booked-entries\?.*cursor="
SEVERAL_PAGES = r"/(customers|products|booked|entries)\?.*pagesize=1000"
FIREWALL = {"body": b"<html>Attention Required!</html>", "headers": {"Content-Type": "text/html"}}

PASSING: list[tuple[str, dict[str, Any]]] = [
    (ANY, {"kind": "reset"}),
    (ANY, {"kind": "reset", "after": 500}),
    (ANY, {"kind": "close"}),
    (ANY, {"kind": "truncate"}),
    (ANY, {"kind": "refuse", "seconds": 0.05}),
    (ANY, {"kind": "delay", "seconds": 0.1}),
    (ANY, {"kind": "hang"}),
    (ANY, {"kind": "drip", "seconds": 0.2}),
    (ANY, {"kind": "drip", "seconds": 0.2, "after": 50}),
    (ANY, {"kind": "status", "status": 500}),
    (ANY, {"kind": "status", "status": 502}),
    (ANY, {"kind": "status", "status": 503}),
    (ANY, {"kind": "status", "status": 503, "retry_after": "1"}),
    (ANY, {"kind": "status", "status": 504}),
    (ANY, {"kind": "status", "status": 429, "retry_after": "1"}),
    (ANY, {"kind": "status", "status": 403, **FIREWALL}),
    (ANY, {"kind": "html200"}),
    (ANY, {"kind": "cut"}),
    (ANY, {"kind": "cut_gzip"}),
    (ANY, {"kind": "short_length"}),
    (ANY, {"kind": "clock", "seconds": 3600}),
    (ANY, {"kind": "next_page", "to": "https://evil.example/?skippages=9"}),
    (SEVERAL_PAGES, {"kind": "empty_page", "rate": 0.05}),
    (BY_POSITION, {"kind": "page_before", "rate": 1, "times": 1}),
    (BY_CURSOR, {"kind": "rows_again", "rate": 1, "times": 5}),
    (BY_POSITION, {"kind": "last_page", "rate": 1, "times": 1, "nth": 3}),
]
"""Requests, fault. The last four strike few pages, for few listings have several."""

RATE = 0.0022
"""Of all requests, if nothing else is said; together about 5 %."""

FATAL: list[tuple[str, dict[str, Any]]] = [
    ("/accounts", {"kind": "status", "status": 403}),
    (r"/booked-entries\?.*cursor=", {"kind": "same_cursor"}),
    ("/customer-groups", {"kind": "redirect", "to": "https://evil.example/"}),
    ("/webhooks", {"kind": "status", "status": 401}),
]
"""Once each; the last ends the whole run."""


class Shortened:
    """A company whose lists of parents are cut, so that one call for each takes no hour.

    Args:
        company: whose rows they are.
        most: rows of a parent's list.
    """

    LISTS = (
        "rest:/customers",
        "rest:/products",
        "rest:/invoices/booked",
        "productsapi:/pricegroups/{priceGroupNumber}/specialprices",
    )

    def __init__(self, company: Company, most: int) -> None:
        self.agreement_number = company.agreement_number
        self.modules = company.modules
        self._company = company
        self._most = most

    def rows(self, endpoint: str, params: tuple[str, ...] = ()) -> Sequence[Row]:
        rows = self._company.rows(endpoint, params)
        return rows[: self._most] if endpoint in self.LISTS else rows


class Weather(Warehouse):
    """A warehouse over a sandbox with all these faults."""

    def __init__(self, folder: Path, company: Any, seed: int, **settings: Any) -> None:
        self.sandbox = Sandbox({"demo": Grant(company)})
        tap = TapRunner(folder)
        tap.timeout = 1800
        super().__init__(tap, self.sandbox, company, *CONTRACT, **settings)
        for place, (pattern, how) in enumerate(PASSING):
            chance = {"times": None, "rate": RATE, "seed": seed * 100 + place}
            self.sandbox.faults.add(pattern, **{**chance, **how})

    @property
    def share(self) -> float:
        """How many of the last run's requests were struck."""
        return sum(seen.fault is not None for seen in self.sandbox.log) / len(self.sandbox.log)


def repeated(run: Run) -> Counter[str]:
    """How many records of a run have a key that the run had written before, by stream."""
    keys = Counter(
        (message["stream"], key_of(message["stream"], message["record"]))
        for message in run.messages
        if message["type"] == "RECORD" and message["stream"] in CONTRACT
    )
    return Counter(stream for (stream, _), count in keys.items() if count > 1)


def test_a_small_company_in_bad_weather_is_complete_with_the_next_run(tmp_path: Path) -> None:
    company = build_company(1234567, "Uvejr ApS", seed=3, entries=1_100)
    weather = Weather(tmp_path, company, seed=11, request_timeout=1, concurrency=16)
    faults = weather.sandbox.faults
    rules = [faults.add(pattern, **how) for pattern, how in FATAL]
    faults.rules = [*rules, *faults.rules[: -len(rules)]]
    with weather.sandbox:
        first = weather.run(code=1)
        assert "Not read: agreement 1234567" in first.stderr
        assert [rule.applied for rule in rules] == [1] * len(rules)
        assert 0.03 < weather.share < 0.08
        faults.clear()  # the first run has met everything, the next one need not
        weather.run()
    assert weather.wrong()[:5] == []
    assert repeated(first) == {}


@pytest.mark.slow
def test_a_large_company_in_bad_weather_is_complete_after_one_run(tmp_path: Path) -> None:
    company = Shortened(build_company(1234567, "Orkan ApS", seed=3, entries=200_000), most=2_500)
    weather = Weather(tmp_path, company, seed=5, request_timeout=10, concurrency=16)
    with weather.sandbox:
        run = weather.run()
    struck = {rule.kind for rule in weather.sandbox.faults.rules if rule.applied}
    assert set(KINDS) - struck == {"redirect", "same_cursor"}, "those that no patience mends"
    assert 0.04 < weather.share < 0.06
    assert weather.wrong()[:5] == []
    assert repeated(run) == {}
