"""Answers that no honest server gives: none is taken for a page, and none harms the log."""

from __future__ import annotations

import gzip
import json
import re
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.sandbox.client import get
from tests.support import GRANT, NUMBER, VERSIONS, activated, keeps_secrets

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import TypeAlias

    from tests.conftest import Run
    from tests.support import Firm

    Units: TypeAlias = "Callable[..., Run]"

PAGE = b'{"collection": [{"unitNumber": 1, "name": "a"}], "pagination": {"results": 1}}'
QUICK: dict[str, Any] = {"max_wait_minutes": 0, "request_timeout": 5}
LINE = re.compile(
    r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} \| [A-Z]+ +\| (tap-visma-economic|singer_sdk)"
)
USAGE = re.compile(r"stream +rows +calls +tokens +seconds|\w+( +\d+){3} +[\d.]+")
"""A line of the closing table."""


@pytest.fixture
def units(firm: Firm) -> Units:
    """Reads the units, whose listing answers like this."""

    def read(body: Any = PAGE, status: int = 200, headers: dict[str, str] | None = None) -> Run:
        firm.always("^/units", status, body, headers=headers or {})
        return firm.read("units", code=None, **QUICK)

    return read


def failed(run: Run) -> str:
    """The line that tells why the stream was not read; the log is whole lines, and harmless."""
    assert run.exit_code == 1
    assert run.records["units"] == []
    harmless(run)
    return failed_line(run)


def failed_line(run: Run) -> str:
    (line,) = [line for line in run.errors if "| Failed: " in line]
    return line


def harmless(run: Run) -> None:
    keeps_secrets(run)
    assert re.sub(r"[^\x20-\x7e\næøåÆØÅ…\ufffd]", "", run.stderr) == run.stderr
    assert max(map(len, run.stderr.splitlines())) < 1500
    odd = [line for line in run.stderr.splitlines() if not LINE.match(line)]
    assert [line for line in odd if not USAGE.fullmatch(line)] == []


LISTED = (
    "currencies",
    "departments",
    "employees",
    "journals",
    "layouts",
    "payment_terms",
    "payment_types",
    "units",
    "vat_accounts",
    "vat_types",
)


def each_failed(firm: Firm, answers: Iterable[dict[str, Any]]) -> list[str]:
    """The lines that tell why listings that answer so, one each, were not read."""
    answers = list(answers)
    streams = LISTED[: len(answers)]
    for stream, answer in zip(streams, answers, strict=True):
        firm.always(f"^/{stream.replace('_', '-')}", **answer)
    run = firm.read(*streams, code=1, **QUICK)
    assert run.records == {}
    harmless(run)
    failures = [line.split("| ", 3)[-1] for line in run.errors if "| Failed: " in line]
    by_stream = {line.removeprefix("Failed: ").partition(",")[0]: line for line in failures}
    return [by_stream[stream] for stream in streams]


# Status


def test_nothing_but_200_is_a_page(firm: Firm) -> None:
    """206 would be a part of one; 302 without an address is no redirect for requests."""
    statuses = (201, 203, 206, 226, 300, 302, 304, 399, 600, 999)
    lines = each_failed(firm, ({"status": status} for status in statuses))
    for status, line in zip(statuses, lines, strict=True):
        assert f"e-conomic returned {status}" in line


def test_the_address_of_a_redirect_is_not_even_looked_at(firm: Firm) -> None:
    addresses = ("http://[bad", "http://\xe6\xff", "", "http://e\x1b:x/")
    answers = ({"status": 302, "body": b"", "headers": {"Location": it}} for it in addresses)
    for line in each_failed(firm, answers):
        assert "returned 302 Found for GET /" in line
        assert "The tap does not follow redirects" in line


# Body

NO_PAGES = {
    b"": "truncated",
    b"[]": "Expected `object`",
    b"null": "Expected `object`",
    b"{}": "`collection`",
    b'{"message": "oops"}': "`collection`",
    b'{"collection": [null]}': "Expected `object`",
    b'{"collection": {}}': "Expected `array`",
    b'{"collection": [], "pagination": {"results": "1"}}': "Expected `int | null`",
    b'{"collection": [], "pagination": {"results": 1}}': "but reports that there are 1",
    b'{"collection": [{"number": 1}], "pagination": {"nextPage": 5}}': "got `int`",
}


def test_a_body_that_is_no_listing_is_no_page(firm: Firm) -> None:
    lines = each_failed(firm, ({"status": 200, "body": body} for body in NO_PAGES))
    for why, line in zip(NO_PAGES.values(), lines, strict=True):
        assert "the response to GET /" in line
        assert "is not what e-conomic documents" in line
        assert why in line


ERROR = b'{"title": "Internal server error.", "status": 500}'
SINGLES = {
    "agreements": "^/self",
    "customer_setup": "/Setup$",
    "invoices_totals": "^/invoices/totals",
    "invoices_booked_documents": r"^/invoices/booked/\d+$",
    "product_group_accrual_settings": "/accrualsettings$",
    "product_group_project_settings": "/projectsettings$",
}
"""Streams of single objects."""


@pytest.mark.parametrize("streams", [["agreements"], [*SINGLES][1:]], ids=["self", "others"])
@pytest.mark.parametrize("body", [ERROR, b"{}", b'{"self": "https://restapi.e-conomic.com/self"}'])
def test_an_object_without_a_documented_property_is_no_answer(
    firm: Firm, streams: list[str], body: bytes
) -> None:
    for stream in streams:
        firm.always(SINGLES[stream], 200, body)
    run = firm.read(*streams, "units", code=1, **VERSIONS, **QUICK)
    assert run.stderr.count("it has none of the documented properties") >= len(streams)
    for stream in streams:
        assert run.records[stream] == []
        assert stream not in activated(run)
    keeps_secrets(run)


@pytest.mark.parametrize("streams", [["agreements"], [*SINGLES][1:]], ids=["self", "others"])
def test_an_error_in_place_of_an_object_is_asked_for_again(firm: Firm, streams: list[str]) -> None:
    right = firm.read(*streams)
    rules = [firm.always(SINGLES[stream], 200, ERROR, times=1) for stream in streams]
    run = firm.read(*streams)
    assert [rule.applied for rule in rules] == [1] * len(rules)
    for stream in streams:
        assert run.records[stream] == right.records[stream] != []


LISTINGS = {
    "units": ("/units", b'{"collection": [%b]}'),
    "customer_contacts": ("/Contacts", b'{"items": [%b]}'),
    "webhook_event_types": ("/EventTypes", b"[%b]"),
    "special_prices": ("/special", b'{"items": [%b]}'),
    "booked_entries": ("/booked-entries", b'{"items": [%b]}'),
}


@pytest.mark.parametrize("rows", [True, False])
def test_an_error_in_place_of_a_listing_or_of_its_rows_is_no_row(firm: Firm, rows: bool) -> None:
    """An object for the whole listing, or in the listing as its only row."""
    rules = [
        firm.always(path, 200, around % ERROR if rows else ERROR)
        for path, around in LISTINGS.values()
    ]
    run = firm.read(*LISTINGS, "vat_zones", code=1, **QUICK)
    assert all(rule.applied for rule in rules)
    assert run.records.keys() == {"vat_zones"}


# Rows without their keys

KEYED = {
    "units": ("/units", "unitNumber"),
    "customer_contacts": ("/customersapi/v3.1.0/Contacts", "number"),
    "booked_entries": ("/bookedEntriesapi/v4.0.0/booked-entries", "entryNumber"),
}


@pytest.mark.parametrize("stream", KEYED)
@pytest.mark.parametrize("null", [True, False], ids=["null", "absent"])
def test_a_row_without_its_key_is_held_back_and_the_others_are_written(
    firm: Firm, stream: str, null: bool
) -> None:
    path, key = KEYED[stream]
    page = get(firm, path, GRANT).json
    rows = page["collection" if "collection" in page else "items"]
    numbers = [row[key] for row in rows]
    for row in rows[1:3]:
        del row[key]
        if null:
            row[key] = None
    firm.always(rf"{path}(\?|$)", 200, page)
    first = firm.read(stream, "vat_zones", code=1, **VERSIONS)
    firm.faults.clear()
    second = firm.read(stream, "vat_zones", state=first.state, **VERSIONS)
    line = failed_line(first)
    assert f"Failed: {stream}, agreement {NUMBER} (Firma 0): 2 rows not written" in line
    assert f"agreementNumber {NUMBER}, no {key}." in line
    assert "Correct them in e-conomic; the next run reads them" in line
    assert [row[key] for row in first.records[stream]] == [numbers[0], *numbers[3:]]
    assert activated(first) == {"vat_zones"}
    keeps_secrets(first)
    assert {row[key] for row in second.records[stream]} >= set(numbers)


def test_rows_of_a_stream_below_others_need_their_keys_too(firm: Firm) -> None:
    """A part of the key stands in the path, a part in the row."""
    body = {"collection": [{"customerContactNumber": 5}, {"name": "uden nummer"}]}
    firm.always(r"^/customers/\d+/contacts", 200, body)
    run = firm.read("rest_customer_contacts", code=1)
    records = run.records["rest_customer_contacts"]
    assert {record["customerContactNumber"] for record in records} == {5}
    assert f"{len(records)} rows not written" in failed_line(run)
    assert re.search(r"customerNumber \d+, no customerContactNumber", failed_line(run))


def test_an_answer_that_unpacks_to_more_than_any_page_ends_early(units: Units) -> None:
    bomb = gzip.compress(gzip.compress(bytes((1 << 27) + 1), 9), 9)
    assert len(bomb) < 10_000
    began = time.monotonic()
    run = units(bomb, headers={"Content-Encoding": "gzip, gzip"})
    assert "it has more than 128 MB" in failed(run)
    assert time.monotonic() - began < 15


def test_a_part_with_a_length_below_0_is_a_bad_answer(units: Units) -> None:
    run = units(b"-5\r\n{}", headers={"Transfer-Encoding": "chunked"})
    assert "is not what e-conomic documents: a part of it has a length" in failed_line(run)
    keeps_secrets(run)


@pytest.mark.parametrize(
    ("headers", "why"),
    [
        ({"content-length": "5"}, "the headers of the response"),
        ({"X-A": "y" * 70_000}, "closed the connection"),
        ({f"X-{n}": "y" for n in range(200)}, "closed the connection"),
        ({"Content-Encoding": "gzip"}, "could not be decompressed"),
    ],
)
def test_headers_that_cannot_be_true_are_no_riddle(
    units: Units, headers: dict[str, str], why: str
) -> None:
    assert why in failed(units(headers=headers))


# What stands in the log

NASTY = "a\n2026-01-01 00:00:00,000 | ERROR | forged \x1b[31m\x00\u202e\u2028" + "x" * 100_000


def test_words_of_e_conomic_are_one_line_and_harmless(units: Units) -> None:
    complaint = dict.fromkeys(("message", "developerHint", "logId", "errorCode"), NASTY)
    assert "e-conomic returned 400 Bad Request" in failed(units(complaint, 400))


def test_a_type_of_content_is_harmless(units: Units) -> None:
    run = units(b"<", headers={"Content-Type": "text/\x1b[31mhtml" + "x" * 10_000})
    assert "is not what e-conomic documents (text/\ufffd[31mhtmlx" in failed(run)


@pytest.mark.parametrize(
    "link",
    [
        "https://restapi.e-conomic.com@evil.example/units?skippages=1",
        "https://restapi.e-conomic.com.evil.example/units?skippages=1",
        "https://\u24e1estapi.e-conomic.com/units?skippages=1",
        "//evil.example/units?skippages=1",
        "javascript:alert(1)",
    ],
)
def test_a_link_that_only_looks_like_e_conomics_is_another_hosts(units: Units, link: str) -> None:
    page = {"collection": [{"unitNumber": 1}], "pagination": {"nextPage": link}}
    assert "its next page is on another host" in failed_line(units(page))


def test_the_host_of_a_link_is_harmless(units: Units) -> None:
    link = f"http://h\x1b\u202e{'x' * 10_000}/"
    page = {"collection": [{"unitNumber": 1}], "pagination": {"nextPage": link}}
    assert "its next page is on another host" in failed(units(page))


def test_names_of_properties_and_companies_are_harmless(firm: Firm) -> None:
    firm.always("^/self", 200, {"agreementNumber": NUMBER, "company": {"name": NASTY}})
    row = {"unitNumber": 1, NASTY: 1, f"{NASTY}y": {"b": 1}}
    firm.always("^/units", 200, {"collection": [row]})
    firm.always("^/vat-zones", 400)
    run = firm.read("agreements", "units", "vat_zones", code=1)
    assert run.records["agreements"][0]["company"]["name"] == NASTY, "the record is as it came"
    assert run.records["units"] == [{"agreementNumber": NUMBER, "unitNumber": 1, "name": None}]
    assert "omitted: unknown property" in run.stderr, "no .NET service has such names"
    harmless(run)


def test_a_key_that_is_refused_is_harmless(firm: Firm) -> None:
    key = json.dumps(NASTY)[:-1].encode() + rb'\ud800"'
    firm.always("^/products", 200, b'{"collection": [{"productNumber": %b}]}' % key)
    run = firm.read("products", code=1)
    assert "1 row not written" in run.stderr
    harmless(run)


def test_thousands_of_unknown_properties_do_not_flood_the_log(units: Units) -> None:
    row = {"unitNumber": 1, **{f"new{n}": n for n in range(5_000)}}
    run = units({"collection": [row]})
    assert run.exit_code == 0, run.stderr
    assert run.records["units"] == [{"agreementNumber": NUMBER, "name": None, **row}]
    told = [line for line in run.warnings if "Schema drift" in line]
    assert len(told) == 52
    assert told[-2].endswith("4950 other departures")
    assert "SQL targets drop them" in told[-1]
