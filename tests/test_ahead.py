"""Reading ahead: as much in flight as the settings allow, and nothing of it shows in the output."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import pytest

from tests.sandbox import Grant, Sandbox
from tests.sandbox.company import build_company
from tests.support import NUMBER

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import Run, TapRunner
    from tests.sandbox.connection import Request

SMALL = [f"small-{number}" for number in range(12)]
BIG = "big"
NOW = 1_780_000_000.0
LATENCY = 0.1
KINDS = (
    "accounting_periods",
    "agreements",
    "booked_entries",
    "booked_entry_dimensions",
    "customer_contacts",
    "customers",
    "invoices_booked",
    "orders_lines",
    "products",
    "units",
)
"""Streams of each kind: in windows, below parents, in the order of statuses, by a bookmark."""


class Uneven(Sandbox):
    """A sandbox whose clock stands still and whose answers overtake each other."""

    def __init__(self, grants: dict[str, Grant]) -> None:
        self._random = random.Random(4)
        super().__init__(grants, clock=lambda: NOW)

    @property
    def latency(self) -> float:
        return self._random.choice([0.0, 0.0, 0.002, 0.01])

    @latency.setter
    def latency(self, seconds: float) -> None:
        pass


@pytest.fixture(scope="module")
def grants() -> dict[str, Grant]:
    """One company with a ledger that is cut into windows, and twelve small ones."""
    found = {BIG: Grant(build_company(NUMBER, "Stor ApS", seed=5, entries=24_000))}
    for place, token in enumerate(SMALL, start=1):
        company = build_company(NUMBER + place, f"Lille {place}", seed=place, entries=200)
        found[token] = Grant(company)
    return found


@pytest.fixture(scope="module")
def uneven(grants: dict[str, Grant]) -> Iterator[Sandbox]:
    with Uneven(grants) as sandbox:
        yield sandbox


@pytest.fixture
def slow(grants: dict[str, Grant]) -> Iterator[Sandbox]:
    with Sandbox(grants, latency=LATENCY) as sandbox:
        yield sandbox


def messages(run: Run) -> tuple[list[Any], Any]:
    """What was written, but for the time and for STATE on the way, and the last STATE.

    How often STATE is written is a matter of time.
    """
    written = [message for message in run.messages if message["type"] != "STATE"]
    return [{**message, "time_extracted": None} for message in written], run.state


def test_the_output_is_the_same_whatever_is_in_flight(warm_tap: TapRunner, uneven: Sandbox) -> None:
    def read(concurrency: int, parallel: int, state: Any = None) -> tuple[list[Any], Any]:
        settings: dict[str, Any] = {"concurrency": concurrency, "parallel_agreements": parallel}
        grants = (BIG, *SMALL[:3])
        return messages(warm_tap.read(uneven, *KINDS, grants=grants, state=state, **settings))

    one_by_one = read(1, 1)
    assert len(uneven.requests(r"booked-entries\?.*filter=")) > 10, "cut into windows"
    assert read(16, 8) == one_by_one

    state = one_by_one[1]
    later = read(1, 1, state)
    assert 0 < len(later[0]) < len(one_by_one[0])
    assert read(4, 4, state) == later


def at_once(log: list[Request]) -> int:
    """How many requests were being answered at the same time, at most."""
    ended = [(request.ended or request.started, -1) for request in log]
    most = now = 0
    for _, change in sorted([*ended, *((request.started, 1) for request in log)]):
        now += change
        most = max(most, now)
    return most


def span(log: list[Request]) -> float:
    """Seconds from the first request to the last answer."""
    return max(request.ended or 0 for request in log) - min(request.started for request in log)


@pytest.mark.parametrize(("concurrency", "parallel"), [(1, 1), (2, 3), (4, 1)])
def test_no_more_requests_are_in_flight_than_the_settings_allow(
    warm_tap: TapRunner, slow: Sandbox, concurrency: int, parallel: int
) -> None:
    slow.latency = 0.05
    settings: dict[str, Any] = {"concurrency": concurrency, "parallel_agreements": parallel}
    streams = ("booked_entries", "accounting_periods", "customers", "units", "vat_zones")
    warm_tap.read(slow, *streams, grants=(BIG, *SMALL[:5]), **settings)
    companies = {request.agreement_number for request in slow.log}
    assert len(companies) == 6
    each = {
        number: at_once([r for r in slow.log if r.agreement_number == number])
        for number in companies
    }
    assert max(each.values()) <= concurrency
    assert each[NUMBER] == concurrency, "windows of the ledger use all there is"
    assert at_once(slow.log) == concurrency * parallel


def test_a_small_company_is_read_as_fast_as_its_requests_let_it(
    warm_tap: TapRunner, slow: Sandbox
) -> None:
    warm_tap.read(slow, grants=SMALL[:1], concurrency=4)
    assert len(slow.log) > 100
    assert span(slow.log) < 1.6 * len(slow.log) / 4 * LATENCY


def test_many_small_companies_keep_all_requests_busy(warm_tap: TapRunner, slow: Sandbox) -> None:
    streams = "units vat_zones vat_types customer_groups payment_terms employees customers products"
    streams += " accounts layouts supplier_groups suppliers"
    warm_tap.read(slow, *streams.split(), grants=SMALL, concurrency=4, parallel_agreements=3)
    assert len(slow.log) > 140
    assert span(slow.log) < 2 * len(slow.log) / 12 * LATENCY  # one at a time: 3


def test_listings_below_parents_are_asked_for_at_once_and_those_of_statuses_in_turn(
    warm_tap: TapRunner, slow: Sandbox
) -> None:
    """Rows move from one status to the next, and not from one parent to another."""
    streams = ("rest_customer_contacts", "orders_lines")
    warm_tap.read(slow, *streams, grants=SMALL[:1], concurrency=4)
    assert at_once([request for request in slow.log if "/contacts" in request.target]) >= 3
    assert at_once([request for request in slow.log if "/lines" in request.target]) == 1
