"""A listing that seems to have lost rows is looked at twice before that is believed.

One answer without rows, or with fewer than there are, is an answer of status 200 like any other,
and many listings e-conomic does not count.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.sandbox import Grant, Sandbox
from tests.sandbox.company import build_company
from tests.support import VERSIONS, Altered, Watched, activated, served
from tests.warehouse import Target

if TYPE_CHECKING:
    from tests.conftest import TapRunner
    from tests.sandbox.company import Company
    from tests.support import Firm

UNCOUNTED = {
    "matched_entries": ("/booked-entries/matched-pairs", b'{"items": []}'),
    "mileage_prices": ("/MileagePrices", b"{}"),
    "time_entry_prices": ("/TimeEntryPrices", b'{"items": []}'),
    "webhook_event_types": ("/EventTypes", b"[]"),
    "booked_entry_dimension_changes": ("/changelog", b"[]"),
    "openapi_accounting_years": ("/AccountingYears", b"[]"),
}
"""Stream: path, an answer without rows."""

COUNTED = {
    "dimensions": (r"/dimensions(\?|$)", b'{"items": []}'),
    "customer_groups": (r"^/customer-groups", b'{"collection": []}'),
    "departments": (r"^/departments", b'{"collection": [], "pagination": {"results": 0}}'),
    "accounting_periods": (r"^/accounting-years\?", b'{"collection": []}'),
    "orders_lines": ("/orders/drafts/lines", b"{}"),
    "booked_entries": (r"/booked-entries(\?|$)", b'{"items": []}'),
}


PAIRS = "bookedEntriesapi:/booked-entries/matched-pairs"


company, sandbox = served(lambda: build_company(1234567, "To Gange ApS", seed=5, entries=2_500))


def keys(target: Target, stream: str) -> set[tuple[str, ...]]:
    return set(target.tables[stream])


@pytest.mark.parametrize("versions", [False, True])
def test_an_answer_without_rows_is_not_believed_where_there_were_some(
    warm_tap: TapRunner, sandbox: Firm, versions: bool
) -> None:
    answers = {**UNCOUNTED, **COUNTED}
    settings = {"emit_activate_version_messages": versions, "full_refresh_days": 1}
    target = Target(warm_tap, sandbox, *answers, **settings)
    first = target.run()
    assert first.records.keys() == answers.keys()
    for stream in answers:  # the full read is due
        for bookmark in first.state["bookmarks"][stream].get("partitions", []):
            if "full_read_at" in bookmark:
                bookmark["full_read_at"] = "2026-01-01T00:00:00Z"
    before = {stream: keys(target, stream) for stream in answers}
    rules = {
        stream: sandbox.always(path, 200, body, times=1) for stream, (path, body) in answers.items()
    }
    second = target.run()
    for stream, rule in rules.items():
        assert rule.applied == 1, stream
        assert by_content(second.records[stream]) >= by_content(first.records[stream]), stream
        assert keys(target, stream) == before[stream], stream
    assert activated(second) == (answers.keys() if versions else set())


def by_content(records: list[dict[str, Any]]) -> set[str]:
    return {json.dumps(record, sort_keys=True, default=str) for record in records}


PARTS = {
    "matched_entries": ("/matched-pairs", PAIRS),
    "dimensions": (r"^/dimensionsapi/[^/]+/dimensions(\?|$)", "dimensionsapi:/dimensions"),
    "product_group_zones": (r"/productgroups(\?|$)", "productsapi:/productgroups"),
}


@pytest.mark.parametrize(
    ("stream", "state"),
    [
        ("matched_entries", "whole"),
        ("matched_entries", "without row counts"),
        ("dimensions", "lost"),
        ("product_group_zones", "lost"),
    ],
)
def test_a_part_of_a_listing_is_not_believed(
    warm_tap: TapRunner, sandbox: Firm, company: Company, stream: str, state: str
) -> None:
    """Nor where no state tells its rows: an older version kept no counts, or the state was lost."""
    target = Target(warm_tap, sandbox, stream, **VERSIONS)
    first = target.run()
    before = keys(target, stream)
    if state == "lost":
        target.state = None
    elif state == "without row counts":
        for partition in first.state["bookmarks"]["agreements"]["partitions"]:
            del partition["full_read_rows"]
    path, endpoint = PARTS[stream]
    rule = sandbox.always(path, 200, {"items": company.rows(endpoint)[:-1]}, times=1)
    second = target.run()
    assert rule.applied == 1
    assert keys(target, stream) == before
    assert activated(second) == {stream}


GROWN = {
    "booked_entries": (r"/booked-entries(\?|$)", "bookedEntriesapi:/booked-entries", "entryNumber"),
    "customer_contacts": ("/Contacts", "customersapi:/Contacts", "lastUpdated"),
}


@pytest.mark.parametrize("stream", GROWN)
def test_a_part_is_not_believed_because_there_was_no_more_at_the_last_full_read(
    warm_tap: TapRunner, sandbox: Firm, company: Company, stream: str
) -> None:
    """Bookmarks have found rows since that are not in its count."""
    path, endpoint, key = GROWN[stream]
    rows: Any = sorted(company.rows(endpoint), key=lambda row: row[key])
    early = rows[: len(rows) // 4]
    sandbox.grants["demo"] = Grant(Altered(company, endpoint, lambda _: early))
    target = Target(warm_tap, sandbox, stream, **VERSIONS, full_refresh_days=1)
    target.run()
    sandbox.grants["demo"] = Grant(company)
    state = target.run().bookmark(stream)
    before = keys(target, stream)
    assert len(before) == len(rows)
    state["full_read_at"] = "2026-01-01T00:00:00Z"
    rule = sandbox.always(path, 200, {"items": early}, times=1)
    run = target.run()
    assert rule.applied == 1
    assert activated(run) == {stream}
    assert keys(target, stream) == before


def test_rows_that_are_gone_go_and_no_third_look_is_needed(
    warm_tap: TapRunner, sandbox: Firm, company: Company
) -> None:
    target = Target(warm_tap, sandbox, "matched_entries", "customer_groups", **VERSIONS)
    first = target.run()
    emptied = Altered(company, PAIRS, lambda _: [])
    fewer = Altered(emptied, "rest:/customer-groups", lambda rows: rows[1:])
    sandbox.grants["demo"] = Grant(fewer)
    second = target.run()
    assert activated(second) == {"matched_entries", "customer_groups"}
    assert target.tables["matched_entries"] == {}
    assert len(target.tables["customer_groups"]) == len(first.records["customer_groups"]) - 1
    assert calls(sandbox) == {PAIRS: 2, "rest:/customer-groups": 1}, "REST tells how many there are"
    target.run()
    assert calls(sandbox) == {PAIRS: 1, "rest:/customer-groups": 1}, "it was empty last time"


def calls(sandbox: Firm) -> dict[str, int]:
    asked = [seen.endpoint for seen in sandbox.log if seen.endpoint and seen.path != "/self"]
    return {endpoint: asked.count(endpoint) for endpoint in asked}


@pytest.mark.parametrize("versions", [False, True])
def test_what_is_always_empty_costs_one_call(
    warm_tap: TapRunner, sandbox: Firm, company: Company, versions: bool
) -> None:
    """Most companies leave most of e-conomic unused."""
    nothing: Any = company
    endpoints = ("dimensionsapi:/dimensions", "rest:/departments", "projectsapi:/MileagePrices")
    for endpoint in endpoints:
        nothing = Altered(nothing, endpoint, lambda _: [])
    sandbox.grants["demo"] = Grant(nothing)
    streams = ("dimensions", "departments", "mileage_prices")
    target = Target(warm_tap, sandbox, *streams, emit_activate_version_messages=versions)
    target.run()
    assert all(seen <= 1 + 2 * versions for seen in calls(sandbox).values()), "nobody knows yet"
    target.run()
    assert calls(sandbox) == dict.fromkeys(endpoints, 1)


def test_nothing_new_is_believed_at_once_and_moves_no_bookmark(
    warm_tap: TapRunner, sandbox: Firm
) -> None:
    streams = ("customer_contacts", "time_entries")
    target = Target(warm_tap, sandbox, *streams)
    first = target.run()
    sandbox.always("lastUpdated", 200, {"items": []})
    second = target.run()
    assert len(sandbox.log) == 3, "/self and a page of each"
    for stream in streams:
        assert second.bookmark(stream) == first.bookmark(stream)


def test_an_earlier_start_date_is_not_taken_for_read_by_an_answer_without_rows(
    warm_tap: TapRunner, sandbox: Firm, company: Company
) -> None:
    target = Target(warm_tap, sandbox, "customer_contacts")
    assert target.run(start_date="2026-01-01").records["customer_contacts"], "some"
    sandbox.always("/Contacts", 200, {"items": []}, times=1)
    second = target.run(start_date="2015-01-01")
    assert len(second.records["customer_contacts"]) == len(company.rows("customersapi:/Contacts"))


@pytest.mark.parametrize("stream", ["orders_lines", "quotes_lines"])
@pytest.mark.parametrize("way", [("sent", "drafts"), ("archived", "sent"), ("archived", "drafts")])
def test_a_document_that_moves_back_while_it_is_looked_for_keeps_its_lines(
    warm_tap: TapRunner, company: Company, stream: str, way: tuple[str, str]
) -> None:
    """It leaves a listing before that is read, for one that has been read."""
    kind, (status, to) = stream.partition("_")[0], way
    lines = f"q2capi:/{kind}/{{documentStatus}}/lines"
    asked: list[str] = []

    def moves(endpoint: str) -> None:
        if endpoint == lines and asked:
            asked.append(endpoint)
            if len(asked) == 1 + ("drafts", "sent", "archived").index(status) + 1:
                documents = company.world.__dict__[kind][status]
                company.forward(kind, status, documents[0].number, to)

    with Sandbox({"demo": Grant(Watched(company, moves))}) as sandbox:
        target = Target(warm_tap, sandbox, stream, **VERSIONS)
        first = target.run()
        before = keys(target, stream)
        place = first.state["bookmarks"]["agreements"]["full_read_streams"].index(stream)
        counts = first.bookmark("agreements")["full_read_rows"]
        counts[place] = 2  # as many other lines came as these, so that none lack
        asked.append("from now on")
        second = target.run()
    assert activated(second) == {stream}
    assert keys(target, stream) == before
    assert len(asked) - 1 == 5


def test_rows_below_parents_that_are_not_counted_are_looked_at_twice(
    warm_tap: TapRunner, sandbox: Firm
) -> None:
    """By a stream too whose own parents were listed before theirs were read again."""
    streams = ("accounting_periods", "accounting_year_totals", "accounting_period_totals")
    target = Target(warm_tap, sandbox, *streams, **VERSIONS)
    target.run()
    before = {stream: keys(target, stream) for stream in streams}
    body = {"collection": [{"year": "2023"}]}  # one of four years, and no pagination
    rule = sandbox.always(r"^/accounting-years\?", 200, body, times=1)
    second = target.run()
    assert rule.applied == 1
    assert {stream: keys(target, stream) for stream in streams} == before
    assert activated(second) == {*streams}


def test_a_count_that_may_not_be_read_is_no_reason_to_skip_the_rows(
    warm_tap: TapRunner, sandbox: Firm
) -> None:
    stream = "booked_entry_dimensions"
    target = Target(warm_tap, sandbox, stream)
    first = target.run()
    denied = {"message": "Access denied", "errorCode": "AccessDenied"}
    rule = sandbox.always("/count", 403, denied)
    second = target.run()
    assert rule.applied
    assert by_content(second.records[stream]) == by_content(first.records[stream])
