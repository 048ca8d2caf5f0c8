"""Every fault the sandbox can make: what becomes of the run, and that no row is lost by it.

Every run ends in one of three ways: complete; complete with named skips (exit code 0); failed with
a reason (exit code 1) and a state from which the next run completes it. `docs/faults.md` has a row
for each fault; the last tests here hold that page to these tests.
"""

from __future__ import annotations

import importlib
import re
import socket
import time
from datetime import timedelta
from email.utils import formatdate
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.faulty import IMPATIENT, LISTINGS, Case, company_for, keys, read, truth
from tests.sandbox import Grant
from tests.sandbox.certificate import OPENSSL, make_certificate
from tests.sandbox.faults import KINDS
from tests.support import (
    GRANT,
    Watched,
    canary_sandbox,
    keeps_secrets,
    now,
    says_one_thing,
    small_grants,
    wait_until,
)
from tests.test_retries_e2e import PASSING

if TYPE_CHECKING:
    from tests.conftest import Run, TapRunner
    from tests.support import Firm

PAGE = Path(__file__).parent.parent / "docs" / "faults.md"

FATAL = {
    "429, Retry-After absent": Case({"kind": "status", "status": 429}, "429 Too Many Requests"),
    "429, Retry-After absurd": Case(
        {"kind": "status", "status": 429, "retry_after": "9" * 30}, "429 Too Many Requests"
    ),
    "429, Retry-After no number": Case(
        {"kind": "status", "status": 429, "retry_after": "soon"}, "429 Too Many Requests"
    ),
    "500": Case({"kind": "status", "status": 500}, "e-conomic returned 500"),
    "503, Retry-After absurd": Case(
        {"kind": "status", "status": 503, "retry_after": "9" * 30}, "e-conomic returned 503"
    ),
    "refuse": Case(
        {"kind": "refuse", "seconds": 4},
        "could not be reached: check the network",
        settings={"max_wait_minutes": 0.02},
    ),
    "reset": Case({"kind": "reset", "after": 1000}, "was cut off"),
    "hang": Case({"kind": "hang"}, "within 0.5 s (setting request_timeout)", settings=IMPATIENT),
    "drip": Case(
        {"kind": "drip", "seconds": 0.2},
        "within 0.5 s (setting request_timeout)",
        settings=IMPATIENT,
    ),
    "cut": Case({"kind": "cut"}, "is not what e-conomic documents"),
    "html200": Case({"kind": "html200"}, "is not what e-conomic documents (text/html"),
    "same_cursor": Case({"kind": "same_cursor"}, "pagination does not progress"),
    "next_page elsewhere": Case(
        {"kind": "next_page", "to": "https://evil.example/products?skippages=1"},
        "its next page is on another host, 'evil.example'",
        stream="products",
    ),
    "next_page back": Case(
        {"kind": "next_page"}, "its next page has already been read", stream="products"
    ),
    "redirect": Case(
        {"kind": "redirect", "to": "https://evil.example/"},
        "e-conomic returned 302 Found for GET /bookedEntriesapi/v4.0.0/booked-entries?cursor=",
    ),
    "page_before, by key": Case(
        {"kind": "page_before"}, "pagination does not progress", stream="customers"
    ),
    "401": Case({"kind": "status", "status": 401}, "e-conomic rejected the tokens (401)"),
}


def broken_and_completed(tap: TapRunner, case: Case, **how: Any) -> tuple[Run, Run, float]:
    """A run with a fault that stays, the next one without it, and the first one's seconds."""
    with canary_sandbox({GRANT: Grant(company_for(case.stream))}) as sandbox:
        rule = sandbox.faults.add(LISTINGS[case.stream][2], times=None, **{**how, **case.fault})
        tap.catalog_of(case.stream)  # which takes time once
        settings = {"max_wait_minutes": 0.002, **case.settings}
        began = time.monotonic()
        first = tap.read(sandbox, "accounts", case.stream, code=1, **settings)
        seconds = time.monotonic() - began
        sandbox.faults.clear()
        wait_until(lambda: listens(sandbox.port))
        second = tap.read(sandbox, "accounts", case.stream, state=first.state, **settings)
    assert rule.applied >= 1
    assert case.says in first.errors[-2]
    assert "Incomplete: " in first.errors[-1]
    assert sorted({*keys(first, case.stream), *keys(second, case.stream)}) == truth(case.stream)
    return first, second, seconds


@pytest.mark.parametrize("name", FATAL)
def test_a_fault_that_stays_fails_its_stream_and_the_next_run_completes_it(
    warm_tap: TapRunner, name: str
) -> None:
    first, _, seconds = broken_and_completed(warm_tap, FATAL[name], nth=2)
    assert seconds < 10
    assert first.errors[-2].split("| ")[-1].startswith(("Failed: ", "Not read: "))
    assert len(first.records["accounts"]) > 10, "the others are complete"
    keeps_secrets(first)


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.parametrize("rows", [None, 30])
def test_rows_of_the_page_before_in_a_listing_by_position_hide_none(
    warm_tap: TapRunner, rows: int | None
) -> None:
    case = Case({"kind": "page_before", "nth": 2, "rows": rows}, "", stream="products")
    run, rule, _ = read(warm_tap, case, dict(case.fault))
    assert rule.applied == 1
    assert keys(run, "products") == truth("products")


GAPS = {
    "page_before in part, by cursor": Case({"kind": "page_before", "rows": 30}, "is incomplete"),
    "page_before in part, by key": Case(
        {"kind": "page_before", "rows": 30}, "is incomplete", stream="customers"
    ),
    "empty_page, by cursor": Case({"kind": "empty_page"}, "rows were read, but e-conomic counted"),
    "last_page, by cursor": Case({"kind": "last_page"}, "is incomplete"),
    "last_page, by key": Case({"kind": "last_page"}, "is incomplete", stream="customers"),
    "last_page, by position": Case({"kind": "last_page"}, "is incomplete", stream="products"),
}
"""Nothing in the answers themselves gives these away. Only the count tells."""

FAILED_AT_ONCE = {
    "page_before, by cursor": Case({"kind": "page_before"}, "pagination does not progress"),
    "403 in the middle": Case({"kind": "status", "status": 403}, "partway through /booked-entries"),
}


def beginning(name: str) -> int:
    """The first request that goes wrong: a second page's, or one that says whether one follows."""
    return 1 if name.startswith("last_page") else 2


@pytest.mark.parametrize("name", GAPS)
def test_a_listing_that_is_not_whole_is_read_again(warm_tap: TapRunner, name: str) -> None:
    case = GAPS[name]
    run, rule, _ = read(warm_tap, case, {"nth": beginning(name), **case.fault})
    assert rule.applied == 1
    assert any("Reading again: " in line and case.says in line for line in run.warnings)
    assert sorted(set(keys(run, case.stream))) == truth(case.stream)


@pytest.mark.parametrize("name", [*GAPS, *FAILED_AT_ONCE])
def test_a_listing_that_stays_not_whole_is_no_success(warm_tap: TapRunner, name: str) -> None:
    case = {**GAPS, **FAILED_AT_ONCE}[name]
    first, _, _ = broken_and_completed(warm_tap, case, nth=beginning(name))
    assert set(keys(first, case.stream)) != set(truth(case.stream))


@pytest.mark.parametrize("stream", ["booked_entries", "customers"])
def test_a_row_of_the_page_before_arrives_once(warm_tap: TapRunner, stream: str) -> None:
    case = Case({"kind": "rows_again", "times": None}, "", stream=stream)
    run, rule, _ = read(warm_tap, case, dict(case.fault))
    assert rule.applied >= 2
    assert keys(run, stream) == truth(stream)


@pytest.mark.parametrize("hours", [-48, 48])
def test_a_date_to_wait_until_is_told_by_the_clock_of_e_conomic(
    warm_tap: TapRunner, hours: int
) -> None:
    def clock() -> float:
        return time.time() + hours * 3600

    with canary_sandbox(small_grants(GRANT), clock=clock) as sandbox:
        warm_tap.catalog_of("units")  # which takes time once
        until = formatdate(clock() + 4, usegmt=True)
        sandbox.faults.add("/units", "status", status=429, retry_after=until)
        began = time.monotonic()
        run = warm_tap.read(sandbox, "units")
        seconds = time.monotonic() - began
        asked = [request.started for request in sandbox.log if request.path == "/units"]
    assert len(run.records["units"]) == 5
    assert asked[1] - asked[0] >= 1.5, "an earlier one would be refused as well"
    assert seconds < 10


def test_a_collection_that_answers_403_is_skipped_and_named(firm: Firm) -> None:
    firm.always("/customers", 403)
    run = firm.read("accounts", "customers")
    assert "customers: access denied (403)" in run.warnings[-1]
    assert set(run.records) == {"accounts"}


def test_what_belongs_to_a_row_deleted_meanwhile_is_skipped_and_counted(
    warm_tap: TapRunner,
) -> None:
    company = small_grants(GRANT)[GRANT].company
    customers: Any = company.rows("rest:/customers")
    gone = {row["customerNumber"] for row in customers[3:5]}
    contacts = "rest:/customers/{customerNumber}/contacts"
    expected = {
        (number, contact["customerContactNumber"])
        for number in sorted({row["customerNumber"] for row in customers} - gone)
        for contact in company.rows(contacts, (str(number),))
    }

    class Deleting(Watched):
        """A company where two customers go as soon as contacts are asked for."""

        def rows(self, endpoint: str, params: tuple[str, ...] = ()) -> Any:
            found = super().rows(endpoint, params)
            if endpoint == contacts:
                customers[:] = [row for row in customers if row["customerNumber"] not in gone]
                if int(params[0]) in gone:
                    raise KeyError(params)
            return found

    with canary_sandbox({GRANT: Grant(Deleting(company, lambda _: None))}) as sandbox:
        run = warm_tap.read(sandbox, "rest_customer_contacts")
    found = {
        (record["customerNumber"], record["customerContactNumber"])
        for record in run.records["rest_customer_contacts"]
    }
    assert found == expected
    assert (
        "2 listings of rest_customer_contacts, because the parent was deleted" in run.warnings[-1]
    )


@pytest.mark.parametrize("hours", [-30, 30])
def test_a_clock_that_is_wrong_hides_no_later_change(firm: Firm, hours: int) -> None:
    contacts: Any = firm.grants[GRANT].company.rows("customersapi:/Contacts")
    for row in contacts:  # stamped by the clock that is wrong
        row["lastUpdated"] = now() + timedelta(hours=hours)
    firm.faults.add("", "clock", seconds=hours * 3600, times=None)
    first = firm.read("customer_contacts")
    contacts[2].update(name="Ændret", lastUpdated=now() + timedelta(hours=hours))
    second = firm.read("customer_contacts", state=first.state)
    firm.faults.clear()
    contacts[5].update(name="Rettet", lastUpdated=now() + timedelta(minutes=1))
    third = firm.read("customer_contacts", state=second.state)
    assert "Ændret" in [record["name"] for record in second.records["customer_contacts"]]
    assert "Rettet" in [record["name"] for record in third.records["customer_contacts"]]


@pytest.mark.skipif(OPENSSL is None, reason="needs the command openssl")
@pytest.mark.parametrize(
    ("name", "trusted", "why"),
    [
        ("127.0.0.1", False, "self-signed certificate"),
        ("elsewhere.example", True, "IP address mismatch"),
    ],
)
def test_a_certificate_that_does_not_verify_ends_the_run_at_once(
    warm_tap: TapRunner, tmp_path: Path, name: str, trusted: bool, why: str
) -> None:
    certificate = make_certificate(tmp_path, name)
    with canary_sandbox(small_grants(GRANT), certificate=certificate) as sandbox:
        bundle: dict[str, Any] = {"ca_bundle": str(certificate)} if trusted else {}
        began = time.monotonic()
        run = warm_tap.read(sandbox, code=1, **bundle)
        seconds = time.monotonic() - began
    line = says_one_thing(run)
    assert "the TLS certificate of 127.0.0.1:" in line
    assert why in line
    assert "in the setting ca_bundle" in line
    assert sandbox.log == [], "no token was sent"
    assert seconds < 5, "asking again does not help"


@pytest.mark.skipif(OPENSSL is None, reason="needs the command openssl")
def test_a_certificate_that_the_settings_trust_is_as_good_as_any(
    warm_tap: TapRunner, tmp_path: Path
) -> None:
    certificate = make_certificate(tmp_path)
    with canary_sandbox(small_grants(GRANT), certificate=certificate) as sandbox:
        sandbox.faults.add("/units", "drip", seconds=0.2, after=20)  # the deadline holds here too
        sandbox.faults.add("/accounts", "reset", after=20)
        trusted = str(certificate)
        run = warm_tap.read(sandbox, "accounts", "units", ca_bundle=trusted, request_timeout=1)
    assert len([line for line in run.warnings if "Retrying in" in line]) == 2
    assert len(run.records["units"]) == 5


def test_a_host_that_stays_unavailable_is_not_waited_for_by_every_stream(firm: Firm) -> None:
    firm.always("^/(?!self)", 503)
    began = time.monotonic()
    run = firm.read(code=1, max_wait_minutes=0.05)
    assert time.monotonic() - began < 15
    assert len([line for line in run.errors if "Failed: " in line]) > 80


# The page that tells all this


def rows_of_the_page() -> list[list[str]]:
    table = PAGE.read_text().partition("## Fault by fault")[2]
    lines = [line for line in table.splitlines() if line.startswith("| ")]
    rows = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]
    return [row for row in rows if not row[0].startswith(("Fault", "---"))]


def test_each_kind_of_fault_has_its_row() -> None:
    told = {kind for row in rows_of_the_page() for kind in re.findall(r"`(\w+)`", row[1])}
    assert set(KINDS) <= told


def test_each_case_of_these_tests_is_named_on_the_page() -> None:
    page = PAGE.read_text()
    assert [name for name in {*PASSING, *FATAL} if f"[{name}]" not in page] == []


@pytest.mark.parametrize("row", rows_of_the_page(), ids=lambda row: row[0])
def test_each_row_names_a_test_that_exists(row: list[str]) -> None:
    named = re.findall(r"`(test_\w+)\.py::(test_\w+)(?:\[(.+?)\])?`", row[-1])
    assert named, "every row must name its test"
    for module, name, parameter in named:
        test = getattr(importlib.import_module(f"tests.{module}"), name)
        if parameter:
            [values] = [m.args[1] for m in test.pytestmark if m.name == "parametrize"]
            assert parameter in list(values)
