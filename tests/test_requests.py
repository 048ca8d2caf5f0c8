"""What goes over the wire: page sizes, how many calls, tokens, and where they go."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest

from tests.conftest import WarmTapRunner
from tests.sandbox import Grant, Sandbox
from tests.sandbox.company import build_company
from tests.sandbox.routes import match
from tests.support import (
    APP,
    CANARY,
    GRANT,
    NUMBER,
    always,
    canary_sandbox,
    keeps_secrets,
    small_grants,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import TapRunner
    from tests.sandbox import Request
    from tests.support import Firm

COMPANY = build_company(NUMBER, "Firma", seed=7, entries=2_000)
ONE_CALL_EACH_IS_TOO_MANY = (
    "rest:/customers",
    "rest:/products",
    "rest:/invoices/booked",
    "rest:/orders/drafts",
)


def asked_by_a_full_run(tap: TapRunner, entries: int) -> list[Request]:
    """The requests of one run of the default streams, every answer trying to set a cookie."""
    company = build_company(NUMBER, "Firma", seed=7, entries=entries)
    with canary_sandbox({GRANT: Grant(company)}) as sandbox:
        cookie = {"Set-Cookie": "session=of-somebody; Path=/"}
        sandbox.faults.add("", "delay", seconds=0, times=None, headers=cookie)
        keeps_secrets(tap.read(sandbox))
        return list(sandbox.log)


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> list[Request]:
    return asked_by_a_full_run(WarmTapRunner(tmp_path_factory.mktemp("requests")), 2_000)


def is_rest_listing(request: Request) -> bool:
    found = match(request.path)
    assert found is not None
    return found.route.endpoint.is_rest and found.route.kind == "collection"


def test_every_rest_listing_is_asked_for_a_thousand_rows_at_a_time(asked: list[Request]) -> None:
    listings = [request.target for request in asked if is_rest_listing(request)]
    assert len(listings) > 40
    assert [target for target in listings if "pagesize=1000" not in target] == []


def test_no_default_stream_makes_one_call_per_customer_product_or_invoice(
    asked: list[Request],
) -> None:
    fewest = min(len(COMPANY.rows(endpoint)) for endpoint in ONE_CALL_EACH_IS_TOO_MANY[:3])
    assert fewest > 100
    calls = Counter(request.endpoint for request in asked)
    assert max(calls.values()) < 10, calls.most_common(3)
    assert len(asked) <= 130  # 117 when this was written, for 88 streams


def test_a_larger_company_costs_more_calls_only_by_the_page(
    warm_tap: TapRunner, asked: list[Request]
) -> None:
    larger = Counter(r.endpoint for r in asked_by_a_full_run(warm_tap, 3_900))
    more = larger - Counter(request.endpoint for request in asked)
    assert set(more) <= {"bookedEntriesapi:/booked-entries", "q2capi:/invoices/booked/lines"}
    assert more.total() <= 4


def test_tokens_go_as_headers_and_never_in_urls(asked: list[Request]) -> None:
    sent = {(r.headers["x-appsecrettoken"], r.headers["x-agreementgranttoken"]) for r in asked}
    assert sent == {(APP, GRANT)}
    assert [request.target for request in asked if CANARY in request.target] == []


def test_requests_say_who_asks_and_only_read(asked: list[Request]) -> None:
    assert {request.headers["user-agent"].split("/")[0] for request in asked} == {
        "tap-visma-economic"
    }
    assert {request.method for request in asked} == {"GET"}


def test_no_cookie_is_ever_sent_back(asked: list[Request]) -> None:
    assert [request.target for request in asked if "cookie" in request.headers] == []


@pytest.fixture
def elsewhere() -> Iterator[Sandbox]:
    """A server that is not e-conomic, on another port of the same host."""
    with canary_sandbox(small_grants(GRANT)) as sandbox:
        yield sandbox


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_not_followed(firm: Firm, elsewhere: Sandbox, status: int) -> None:
    firm.always("/customers", status, headers={"Location": f"{elsewhere.url}/customers"})
    run = firm.read("customers", "units", code=1)
    assert elsewhere.log == []
    assert set(run.records) == {"units"}
    assert f"e-conomic returned {status}" in run.errors[0]
    keeps_secrets(run)


@pytest.mark.parametrize("stream", ["customers", "vat_zones"])
def test_a_next_page_elsewhere_is_asked_for_at_e_conomic(
    firm: Firm, elsewhere: Sandbox, stream: str
) -> None:
    path = "/" + stream.replace("_", "-")
    row = {"customerNumber": 1, "vatZoneNumber": 1, "name": "A"}
    pagination = {"results": 2, "nextPage": f"{elsewhere.url}/{stream}?skippages=1&pagesize=1000"}
    firm.always(path, 200, {"collection": [row], "pagination": pagination}, times=1)
    firm.read(stream)
    assert elsewhere.log == []
    assert len([request for request in firm.log if request.path == path]) >= 2


@pytest.fixture
def counted() -> Iterator[Sandbox]:
    """A company with listings of several pages."""
    company = build_company(NUMBER, "Stort Firma ApS", seed=3, entries=2600)
    with Sandbox({"demo": Grant(company)}) as sandbox:
        yield sandbox


def counts(sandbox: Sandbox) -> list[str]:
    return [seen.path for seen in sandbox.log if seen.path.endswith("/count")]


def test_a_listing_of_several_pages_is_checked_against_e_conomics_own_count(
    warm_tap: TapRunner, counted: Sandbox
) -> None:
    run = warm_tap.read(counted, "booked_entries", "entries", "customers", "matched_entries")
    assert "e-conomic counts" not in run.stderr
    assert counts(counted) == ["/bookedEntriesapi/v4.0.0/booked-entries/count"]


def test_a_count_that_stays_different_is_told(warm_tap: TapRunner, counted: Sandbox) -> None:
    rows = len(counted.grants["demo"].company.rows("bookedEntriesapi:/booked-entries"))
    always(counted, "/booked-entries/count", 200, b"7")
    run = warm_tap.read(counted, "booked_entries")
    assert len(run.records["booked_entries"]) == rows
    assert f"{rows} rows of /booked-entries were read and e-conomic counts 7" in run.stderr
    assert len(counts(counted)) == 3, (
        "one to begin with; a difference is looked at twice before it is told"
    )
