"""Many companies in one run: every row carries the number of the company it came from."""

from __future__ import annotations

import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from tap_visma_economic.auth import EconomicAuthenticator as Tokens
from tap_visma_economic.auth import origin_of
from tap_visma_economic.prefetch import Prefetcher
from tap_visma_economic.session import Transport
from tap_visma_economic.signals import StopFlag
from tests.sandbox import Grant, Sandbox
from tests.sandbox.company import build_company
from tests.support import CANARY, NUMBER, canary_sandbox, keeps_secrets, small_grants

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import TapRunner

FIFTY = [f"{CANARY}grant-{number:02}" for number in range(50)]
THREADS = 16
COMPARED = {
    "customers": ("rest:/customers", "customerNumber", "name"),
    "customer_contacts": ("customersapi:/Contacts", "number", "name"),
    "booked_entries": ("bookedEntriesapi:/booked-entries", "entryNumber", "amount"),
}
"""Streams of both APIs: endpoint, key, and a column in which companies differ."""


@pytest.fixture(scope="module")
def fifty() -> Iterator[Sandbox]:
    grants = small_grants(*FIFTY)
    for grant in grants.values():
        company = grant.company
        for endpoint in ("rest:/customers", "customersapi:/Contacts"):
            for row in company.rows(endpoint):
                row["name"] = f"{row['name']} of {company.agreement_number}"
    with canary_sandbox(grants) as sandbox:
        yield sandbox


def test_every_row_has_the_number_of_its_company(warm_tap: TapRunner, fifty: Sandbox) -> None:
    before = len(fifty.log)
    by_parent = ("accounting_periods", "orders_lines")
    settings: dict[str, Any] = {"parallel_agreements": THREADS, "concurrency": THREADS}
    run = warm_tap.read(fifty, "agreements", *COMPARED, *by_parent, **settings)
    keeps_secrets(run)

    companies = [fifty.grants[token].company for token in FIFTY]
    for stream, (endpoint, key, column) in COMPARED.items():
        got: dict[int, list[Any]] = {company.agreement_number: [] for company in companies}
        for record in run.records[stream]:
            got[record["agreementNumber"]].append((record[key], record[column]))
        rows = {c.agreement_number: c.rows(endpoint) for c in companies}
        assert got == {n: [(r[key], r[column]) for r in theirs] for n, theirs in rows.items()}
        assert len(set(map(str, got.values()))) == len(FIFTY), "else mixing would not show"

    numbers = {company.agreement_number for company in companies}
    for stream in ("agreements", *by_parent):
        assert {record["agreementNumber"] for record in run.records[stream]} == numbers
    for stream in ("booked_entries", "customer_contacts"):
        partitions = run.state["bookmarks"][stream]["partitions"]
        contexts = [partition["context"] for partition in partitions]
        assert contexts == [{"agreementNumber": number} for number in sorted(numbers)]

    asked = fifty.log[before:]
    assert {r.status for r in asked} == {200}
    assert len(set(Counter(r.grant for r in asked).values())) == 1, "each as often as any other"
    assert {(r.grant, r.agreement_number) for r in asked} == {
        (token, NUMBER + place) for place, token in enumerate(FIFTY)
    }


def test_threads_sharing_a_transport_never_mix_grants(fifty: Sandbox) -> None:
    prefetcher = Prefetcher(StopFlag(), requests=THREADS, concurrency=THREADS)
    transport = Transport(
        prefetcher, requests=THREADS, timeout=60, user_agent="test", ca_bundle=None
    )
    origins = [origin_of(fifty.url)]
    grants = [Tokens(fifty.app_secret, token, origins) for token in FIFTY]

    def who(place: int) -> tuple[int, int]:
        request = transport.prepare("GET", f"{fifty.url}/self", auth=grants[place])
        answer = json.loads(transport.send(request).content)
        return place, answer["agreementNumber"]

    places = [number % len(FIFTY) for number in range(2_000)]
    with ThreadPoolExecutor(THREADS) as threads:
        answers = list(threads.map(who, places))
    transport.session.close()
    assert answers == [(place, NUMBER + place) for place in places]


@pytest.mark.slow
def test_three_hundred_companies_write_less_than_five_megabytes_of_state(
    warm_tap: TapRunner,
) -> None:
    grants = {
        f"company-{place}": Grant(
            build_company(2_000_000 + place, f"Selskab {place} ApS", seed=place % 7, entries=60)
        )
        for place in range(300)
    }
    warm_tap.timeout = 600  # more than two minutes on a busy machine
    with Sandbox(grants) as sandbox:
        first = warm_tap.read(sandbox)
        second = warm_tap.read(sandbox, state=first.state)
    for run in (first, second):
        states = [message for message in run.messages if message["type"] == "STATE"]
        assert sum(len(json.dumps(state)) for state in states) < 5_000_000
        read = {record["agreementNumber"] for record in run.records["customers"]}
        assert len(read) == 300
