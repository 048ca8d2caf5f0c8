"""A listing that seems to have lost rows is looked at twice before that is believed.

One answer without rows, or with fewer than there are, is an answer of status 200 like any other,
and many listings e-conomic does not count.
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.conftest import settings_for
from tests.sandbox import Grant, Sandbox
from tests.sandbox.company import build_company
from tests.support import Altered, Watched, activated, served
from tests.test_versions import Target

if TYPE_CHECKING:
    from tests.conftest import Run, TapRunner
    from tests.sandbox.company import Company

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


company, sandbox = served(lambda: build_company(1234567, "To Gange ApS", seed=5, entries=2_500))


def run(tap: TapRunner, sandbox: Sandbox, *streams: str, state: Any = None, **settings: Any) -> Run:
    config = settings_for(sandbox, "demo", all_streams=True, **settings)
    time.sleep(1)  # a version is a second: two runs in the same one could not be told apart
    sandbox.log.clear()
    return tap(config, catalog=tap.catalog_of(*streams), state=state)


@pytest.mark.parametrize("stream", [*UNCOUNTED, *COUNTED])
@pytest.mark.parametrize("versions", [False, True])
def test_an_answer_without_rows_is_not_believed_where_there_were_some(
    warm_tap: TapRunner,
    sandbox: Sandbox,
    stream: str,
    versions: bool,
) -> None:
    settings = {"emit_activate_version_messages": versions, "full_refresh_days": 1}
    path, body = {**UNCOUNTED, **COUNTED}[stream]
    target = Target()
    first = run(warm_tap, sandbox, stream, **settings)
    if versions:
        target.take(first)
    assert first.records[stream]
    for bookmark in first.state["bookmarks"][stream].get("partitions", []):  # the full read is due
        if "full_read_at" in bookmark:
            bookmark["full_read_at"] = "2026-01-01T00:00:00Z"
    rule = sandbox.faults.add(path, "status", status=200, body=body)
    second = run(warm_tap, sandbox, stream, state=first.state, **settings)
    assert rule.applied == 1
    assert second.exit_code == 0, second.stderr
    assert by_content(second.records[stream]) >= by_content(first.records[stream])
    if versions:
        before = set(target.tables[stream])
        target.take(second)
        assert activated(second) == {stream}
        assert set(target.tables[stream]) == before


def by_content(records: list[dict[str, Any]]) -> set[str]:
    return {json.dumps(record, sort_keys=True, default=str) for record in records}


def test_a_part_of_a_listing_that_is_not_counted_is_not_believed(
    warm_tap: TapRunner, sandbox: Sandbox, company: Company
) -> None:
    pairs: Any = company.rows("bookedEntriesapi:/booked-entries/matched-pairs")
    few = json.dumps({"items": pairs[:-5]}, default=str).encode()
    target = Target()
    versions = {"emit_activate_version_messages": True}
    first = target.take(run(warm_tap, sandbox, "matched_entries", **versions))
    before = set(target.tables["matched_entries"])
    sandbox.faults.add("/matched-pairs", "status", status=200, body=few)
    second = target.take(run(warm_tap, sandbox, "matched_entries", state=first.state, **versions))
    assert second.exit_code == 0, second.stderr
    assert set(target.tables["matched_entries"]) == before
    assert activated(second) == {"matched_entries"}


def test_rows_that_are_gone_go_and_no_third_look_is_needed(
    warm_tap: TapRunner, sandbox: Sandbox, company: Company
) -> None:
    versions = {"emit_activate_version_messages": True}
    streams = ("matched_entries", "customer_groups")
    target = Target()
    first = target.take(run(warm_tap, sandbox, *streams, **versions))
    pairs = "bookedEntriesapi:/booked-entries/matched-pairs"
    sandbox.grants["demo"] = Grant(
        Altered(
            Altered(company, pairs, lambda _: []), "rest:/customer-groups", lambda rows: rows[1:]
        )
    )
    second = target.take(run(warm_tap, sandbox, *streams, state=first.state, **versions))
    assert second.exit_code == 0, second.stderr
    assert activated(second) == set(streams)
    assert target.tables["matched_entries"] == {}
    assert len(target.tables["customer_groups"]) == len(first.records["customer_groups"]) - 1
    assert calls(sandbox) == {pairs: 2, "rest:/customer-groups": 1}, "REST tells how many there are"
    run(warm_tap, sandbox, *streams, state=second.state, **versions)
    assert calls(sandbox) == {pairs: 1, "rest:/customer-groups": 1}, "it was empty last time"


def calls(sandbox: Sandbox) -> dict[str, int]:
    asked = [seen.endpoint for seen in sandbox.log if seen.endpoint and seen.path != "/self"]
    return {endpoint: asked.count(endpoint) for endpoint in asked}


@pytest.mark.parametrize("versions", [False, True])
def test_what_is_always_empty_costs_one_call(
    warm_tap: TapRunner,
    sandbox: Sandbox,
    company: Company,
    versions: bool,
) -> None:
    """Most companies leave most of e-conomic unused."""
    nothing: Any = company
    endpoints = ("dimensionsapi:/dimensions", "rest:/departments", "projectsapi:/MileagePrices")
    for endpoint in endpoints:
        nothing = Altered(nothing, endpoint, lambda _: [])
    sandbox.grants["demo"] = Grant(nothing)
    streams = ("dimensions", "departments", "mileage_prices")
    settings = {"emit_activate_version_messages": versions}
    first = run(warm_tap, sandbox, *streams, **settings)
    assert all(seen <= 1 + 2 * versions for seen in calls(sandbox).values()), "nobody knows yet"
    second = run(warm_tap, sandbox, *streams, state=first.state, **settings)
    assert second.exit_code == 0, second.stderr
    assert calls(sandbox) == dict.fromkeys(endpoints, 1)


@pytest.mark.parametrize("stream", ["customer_contacts", "time_entries"])
def test_nothing_new_is_believed_at_once_and_moves_no_bookmark(
    warm_tap: TapRunner, sandbox: Sandbox, stream: str
) -> None:
    first = run(warm_tap, sandbox, stream)
    fault = {"status": 200, "body": b'{"items": []}', "times": None}
    sandbox.faults.add("lastUpdated", "status", **fault)
    second = run(warm_tap, sandbox, stream, state=first.state)
    assert second.exit_code == 0, second.stderr
    assert len(sandbox.log) == 2, "/self and a page"
    assert second.bookmark(stream) == first.bookmark(stream)


def test_an_earlier_start_date_is_not_taken_for_read_by_an_answer_without_rows(
    warm_tap: TapRunner, sandbox: Sandbox, company: Company
) -> None:
    stream = "customer_contacts"
    first = run(warm_tap, sandbox, stream, start_date="2026-01-01")
    assert first.records[stream], "some"
    sandbox.faults.add("/Contacts", "status", status=200, body=b'{"items": []}')
    second = run(warm_tap, sandbox, stream, state=first.state, start_date="2015-01-01")
    assert second.exit_code == 0, second.stderr
    assert len(second.records[stream]) == len(company.rows("customersapi:/Contacts"))


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

    target = Target()
    versions = {"emit_activate_version_messages": True}
    with Sandbox({"demo": Grant(Watched(company, moves))}) as sandbox:
        first = target.take(run(warm_tap, sandbox, stream, **versions))
        before = set(target.tables[stream])
        place = first.state["bookmarks"]["agreements"]["full_read_streams"].index(stream)
        counts = first.bookmark("agreements")["full_read_rows"]
        counts[place] = 2  # as many other lines came as these, so that none lack
        asked.append("from now on")
        second = target.take(run(warm_tap, sandbox, stream, state=first.state, **versions))
    assert second.exit_code == 0, second.stderr
    assert activated(second) == {stream}
    assert set(target.tables[stream]) == before
    assert len(asked) - 1 == 5


@pytest.mark.parametrize(
    "stream", ["accounting_periods", "accounting_year_totals", "accounting_period_totals"]
)
def test_rows_below_parents_that_are_not_counted_are_looked_at_twice(
    warm_tap: TapRunner, sandbox: Sandbox, stream: str
) -> None:
    versions = {"emit_activate_version_messages": True}
    target = Target()
    first = target.take(run(warm_tap, sandbox, stream, **versions))
    before = set(target.tables[stream])
    body = b'{"collection": [{"year": "2023"}]}'  # one of four years, and no pagination
    rule = sandbox.faults.add(r"^/accounting-years\?", "status", status=200, body=body)
    second = target.take(run(warm_tap, sandbox, stream, state=first.state, **versions))
    assert rule.applied == 1
    assert second.exit_code == 0, second.stderr
    assert set(target.tables[stream]) == before
    assert activated(second) == {stream}


def test_a_listing_that_is_not_counted_is_looked_at_twice_where_no_state_tells_its_rows(
    warm_tap: TapRunner, sandbox: Sandbox, company: Company
) -> None:
    pairs: Any = company.rows("bookedEntriesapi:/booked-entries/matched-pairs")
    few = json.dumps({"items": pairs[:-5]}, default=str).encode()
    versions = {"emit_activate_version_messages": True}
    target = Target()
    first = target.take(run(warm_tap, sandbox, "matched_entries", **versions))
    before = set(target.tables["matched_entries"])
    state = first.state
    for partition in state["bookmarks"]["agreements"]["partitions"]:
        del partition["full_read_rows"]  # as a version of the tap left it that did not keep them
    sandbox.faults.add("/matched-pairs", "status", status=200, body=few)
    second = target.take(run(warm_tap, sandbox, "matched_entries", state=state, **versions))
    assert second.exit_code == 0, second.stderr
    assert set(target.tables["matched_entries"]) == before


@pytest.mark.parametrize(
    ("stream", "path", "endpoint"),
    [
        ("dimensions", r"^/dimensionsapi/[^/]+/dimensions(\?|$)", "dimensionsapi:/dimensions"),
        ("product_group_zones", r"/productgroups(\?|$)", "productsapi:/productgroups"),
    ],
)
def test_a_part_of_a_short_listing_is_compared_with_its_count_where_no_state_tells_its_rows(
    warm_tap: TapRunner,
    sandbox: Sandbox,
    company: Company,
    *,
    stream: str,
    path: str,
    endpoint: str,
) -> None:
    """A first run after a loss of the state: the table has rows, and a page was cut."""
    versions = {"emit_activate_version_messages": True}
    target = Target()
    target.take(run(warm_tap, sandbox, stream, **versions))
    before = set(target.tables[stream])
    few = json.dumps({"items": company.rows(endpoint)[:-1]}, default=str).encode()
    rule = sandbox.faults.add(path, "status", status=200, body=few)
    second = target.take(run(warm_tap, sandbox, stream, **versions))
    assert rule.applied == 1
    assert second.exit_code == 0, second.stderr
    assert set(target.tables[stream]) == before
    assert activated(second) == {stream}


def test_a_count_that_may_not_be_read_is_no_reason_to_skip_the_rows(
    warm_tap: TapRunner, sandbox: Sandbox
) -> None:
    stream = "booked_entry_dimensions"
    first = run(warm_tap, sandbox, stream)
    denied = json.dumps({"message": "Access denied", "errorCode": "AccessDenied"}).encode()
    rule = sandbox.faults.add("/count", "status", status=403, body=denied, times=None)
    second = run(warm_tap, sandbox, stream, state=first.state)
    assert rule.applied
    assert second.exit_code == 0, second.stderr
    assert by_content(second.records[stream]) == by_content(first.records[stream])
