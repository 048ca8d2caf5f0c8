"""What the next run reads: bookmarks, look-back, overlap, start_date."""

from __future__ import annotations

import datetime as dt
import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.conftest import settings_for
from tests.sandbox.company import build_company
from tests.sandbox.grants import Grant
from tests.sandbox.server import Sandbox
from tests.support import filters

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import TapRunner

Row = dict[str, Any]
ENTRIES = "bookedEntriesapi:/booked-entries"
CONTACTS = "customersapi:/Contacts"


@pytest.fixture
def own() -> Iterator[Sandbox]:
    """A sandbox whose company a test may change."""
    company = build_company(1234567, "Nordlys Cykler & Fritid ApS", seed=1, entries=2500)
    with Sandbox({"demo": Grant(company)}) as sandbox:
        yield sandbox


@pytest.fixture
def own_config(own: Sandbox) -> Row:
    return settings_for(own, "demo", all_streams=True)


def rows(sandbox: Sandbox, endpoint: str) -> list[Row]:
    return list(sandbox.grants["demo"].company.rows(endpoint))


# Streams that are read in full


def test_a_full_stream_is_read_in_full_every_time_and_keeps_no_state(
    warm_tap: TapRunner, own: Sandbox, own_config: Row
) -> None:
    catalog = warm_tap.catalog_of("accounts")
    first = warm_tap(own_config, catalog=catalog)
    assert first.state["bookmarks"]["accounts"] == {}
    second = warm_tap(own_config, catalog=catalog, state=first.state)
    assert second.records["accounts"] == first.records["accounts"]


def test_the_agreements_that_were_read_are_in_the_state(
    warm_tap: TapRunner, own_config: Row
) -> None:
    run = warm_tap(own_config, catalog=warm_tap.catalog_of("agreements"))
    assert run.state["bookmarks"]["agreements"] == {
        "partitions": [{"context": {"agreementNumber": 1234567}, "full_read_rows": [1]}],
        "full_read_streams": ["agreements"],
    }


# Instants


def test_an_instant_stream_is_read_from_its_bookmark_less_the_look_back(
    warm_tap: TapRunner, own: Sandbox, own_config: Row
) -> None:
    catalog = warm_tap.catalog_of("customer_contacts")
    first = warm_tap(own_config, catalog=catalog)
    latest = max(record["lastUpdated"] for record in first.records["customer_contacts"])
    assert first.bookmark("customer_contacts")["replication_key_value"] == latest
    assert filters(own, CONTACTS) == [None]

    own.log.clear()
    second = warm_tap(own_config, catalog=catalog, state=first.state)
    since = dt.datetime.fromisoformat(latest[:-1]) - dt.timedelta(minutes=180)
    assert filters(own, CONTACTS) == [f"lastUpdated$gte:{since:%Y-%m-%dT%H:%M:%S}"]
    expected = [
        r for r in first.records["customer_contacts"] if r["lastUpdated"][:-1] >= since.isoformat()
    ]
    assert second.records["customer_contacts"] == expected
    assert second.bookmark("customer_contacts") == first.bookmark("customer_contacts")


def test_a_row_changed_since_the_last_run_arrives(
    warm_tap: TapRunner, own: Sandbox, own_config: Row
) -> None:
    catalog = warm_tap.catalog_of("customer_contacts")
    first = warm_tap(own_config, catalog=catalog)
    company: Any = own.grants["demo"].company
    contact = company.rows(CONTACTS)[3]
    contact["name"] = "Ny Kontakt"
    contact["lastUpdated"] = dt.datetime.now(dt.timezone.utc).replace(microsecond=0)
    second = warm_tap(own_config, catalog=catalog, state=first.state)
    names = {record["number"]: record["name"] for record in second.records["customer_contacts"]}
    assert names[contact["number"]] == "Ny Kontakt"


def test_a_look_back_of_zero_still_reads_the_bookmark_itself_again(
    warm_tap: TapRunner, own: Sandbox, own_config: Row
) -> None:
    catalog = warm_tap.catalog_of("customer_contacts")
    first = warm_tap(own_config, catalog=catalog)
    second = warm_tap({**own_config, "lookback_minutes": 0}, catalog=catalog, state=first.state)
    latest = first.bookmark("customer_contacts")["replication_key_value"]
    assert {r["lastUpdated"] for r in second.records["customer_contacts"]} == {latest}


def test_a_bookmark_never_runs_ahead_of_the_servers_clock(warm_tap: TapRunner) -> None:
    company = build_company(1234567, "Fremtid ApS", seed=1, entries=300)
    now = dt.datetime(2026, 11, 20, 12, tzinfo=dt.timezone.utc)
    company.rows(CONTACTS)[0]["lastUpdated"] = now + dt.timedelta(days=400)
    with Sandbox({"demo": Grant(company)}, clock=now.timestamp) as sandbox:
        config = settings_for(sandbox, "demo")
        run = warm_tap(config, catalog=warm_tap.catalog_of("customer_contacts"))
    assert run.bookmark("customer_contacts")["replication_key_value"] == "2026-11-20T12:00:00Z"


def test_an_instant_listing_that_breaks_off_leaves_its_bookmark_alone(
    warm_tap: TapRunner, own: Sandbox, own_config: Row
) -> None:
    own.faults.add("/Contacts", "status", status=400, times=None)
    run = warm_tap(own_config, catalog=warm_tap.catalog_of("customer_contacts"))
    assert run.exit_code == 1
    assert "replication_key_value" not in run.bookmark("customer_contacts")


def test_a_bookmark_waits_for_rows_that_were_counted_and_not_read(
    warm_tap: TapRunner, own: Sandbox, own_config: Row
) -> None:
    """They may be older than it: the next run would not ask for them."""
    contacts: Any = own.grants["demo"].company.rows(CONTACTS)
    contacts[:] = [{**contacts[n % 40], "number": n} for n in range(1, 1501)]
    catalog = warm_tap.catalog_of("customer_contacts")
    body = json.dumps({"items": [{"number": n} for n in range(1001, 1400)]}).encode()
    own.faults.add(r"/Contacts\?cursor=", "status", status=200, body=body, times=None)
    short = warm_tap(own_config, catalog=catalog)
    own.faults.clear()
    assert short.exit_code == 1
    assert (
        "/Contacts is incomplete: 1399 rows were read, but e-conomic counted 1500" in short.stderr
    )
    assert "replication_key_value" not in short.bookmark("customer_contacts")
    run = warm_tap(own_config, catalog=catalog, state=short.state)
    assert len(run.records["customer_contacts"]) == 1500
    assert "replication_key_value" in run.bookmark("customer_contacts")


def test_rest_filters_take_an_instant_with_its_zone(
    warm_tap: TapRunner, own: Sandbox, own_config: Row
) -> None:
    catalog = warm_tap.catalog_of("customers")
    for entry in catalog["streams"]:
        if entry["tap_stream_id"] == "customers":
            entry["replication_method"] = "INCREMENTAL"
    first = warm_tap(own_config, catalog=catalog)
    own.log.clear()
    warm_tap(own_config, catalog=catalog, state=first.state)
    latest = first.bookmark("customers")["replication_key_value"]
    since = dt.datetime.fromisoformat(latest[:-1]) - dt.timedelta(minutes=180)
    assert filters(own, "rest:/customers") == [f"lastUpdated$gte:{since:%Y-%m-%dT%H:%M:%SZ}"]


@pytest.mark.parametrize("zone", ["utc", "copenhagen"])
@pytest.mark.parametrize(
    "minutes",
    [(-90, -50), (-50, -10), (-10, 20), (20, 50), (50, 80), (80, 110), (-10, 59)],
)
def test_changes_around_the_repeated_hour_in_october_arrive_in_either_zone(
    warm_tap: TapRunner, zone: str, minutes: tuple[int, int]
) -> None:
    """At 01:00 UTC the clock in Copenhagen goes back from 03:00 to 02:00."""
    turn = dt.datetime(2026, 10, 25, 1, tzinfo=dt.timezone.utc)
    first, second = (turn + dt.timedelta(minutes=minute) for minute in minutes)
    company = build_company(1234567, "Vintertid ApS", seed=1, entries=300)
    contacts: Any = company.rows(CONTACTS)
    for contact in contacts:
        contact["lastUpdated"] = first - dt.timedelta(days=30)
    contacts[0]["lastUpdated"] = first
    catalog = warm_tap.catalog_of("customer_contacts")
    with Sandbox({"demo": Grant(company)}, zone=zone, clock=first.timestamp) as sandbox:
        before = warm_tap(settings_for(sandbox, "demo"), catalog=catalog)
    contacts[1]["lastUpdated"] = second
    with Sandbox({"demo": Grant(company)}, zone=zone, clock=second.timestamp) as sandbox:
        after = warm_tap(settings_for(sandbox, "demo"), catalog=catalog, state=before.state)
    read = {record["number"] for record in after.records["customer_contacts"]}
    assert contacts[1]["number"] in read
    assert len(read) < len(contacts), "it was an incremental run"


def test_equal_instants_across_a_page_boundary_are_not_lost(warm_tap: TapRunner) -> None:
    company = build_company(1234567, "Import ApS", seed=5, entries=24_000)
    products: Any = company.rows("productsapi:/products")
    at = dt.datetime(2026, 11, 1, 12, 30, tzinfo=dt.timezone.utc)
    for product in products:  # one bulk edit, to the minute
        product["lastUpdated"] = at
    with Sandbox({"demo": Grant(company)}) as sandbox:
        config = settings_for(sandbox, "demo", all_streams=True, lookback_minutes=0)
        catalog = warm_tap.catalog_of("openapi_products")
        first = warm_tap(config, catalog=catalog)
        second = warm_tap(config, catalog=catalog, state=first.state)
    assert len(products) > 1000
    assert len(first.records["openapi_products"]) == len(products)
    assert len(second.records["openapi_products"]) == len(products)


# Numbers


def test_a_number_stream_is_read_from_a_thousand_numbers_before_its_bookmark(
    warm_tap: TapRunner, own: Sandbox, own_config: Row
) -> None:
    catalog = warm_tap.catalog_of("booked_entries")
    first = warm_tap(own_config, catalog=catalog)
    highest = max(record["entryNumber"] for record in first.records["booked_entries"])
    assert first.bookmark("booked_entries")["replication_key_value"] == highest
    own.log.clear()
    second = warm_tap(own_config, catalog=catalog, state=first.state)
    asked = filters(own, ENTRIES)
    assert asked[:2] == [f"entryNumber$lte:{highest}", f"entryNumber$gte:{highest - 1000}"]
    expected = [r for r in first.records["booked_entries"] if r["entryNumber"] >= highest - 1000]
    assert second.records["booked_entries"][: len(expected)] == expected
    assert all(record["remainder"] for record in second.records["booked_entries"][len(expected) :])


def test_entries_booked_since_the_last_run_arrive(
    warm_tap: TapRunner, own: Sandbox, own_config: Row
) -> None:
    catalog = warm_tap.catalog_of("booked_entries")
    first = warm_tap(own_config, catalog=catalog)
    before = {row["entryNumber"] for row in rows(own, ENTRIES)}
    _book_something(own)
    after = {row["entryNumber"] for row in rows(own, ENTRIES)}
    assert after - before
    second = warm_tap(own_config, catalog=catalog, state=first.state)
    assert after - before <= {record["entryNumber"] for record in second.records["booked_entries"]}
    assert second.bookmark("booked_entries")["replication_key_value"] == max(after)


def test_a_bookmark_moves_page_by_page_where_a_listing_is_sorted(
    warm_tap: TapRunner, own: Sandbox, own_config: Row
) -> None:
    own.faults.add(r"/booked-entries\?cursor", "status", status=400, times=None)
    run = warm_tap(own_config, catalog=warm_tap.catalog_of("booked_entries"))
    assert run.exit_code == 1
    numbers = [record["entryNumber"] for record in run.records["booked_entries"]]
    assert len(numbers) == 1000
    assert run.bookmark("booked_entries")["replication_key_value"] == numbers[-1]


def test_a_bookmark_never_stops_inside_a_number_that_stands_on_several_rows(
    warm_tap: TapRunner,
) -> None:
    company = build_company(1234567, "Dimensioner ApS", seed=1, entries=8000)
    assert len(company.rows("dimensionsapi:/dimension-data/booked-entries")) > 1000
    with Sandbox({"demo": Grant(company)}) as own:
        own.faults.add(r"/booked-entries\?cursor", "status", status=400, times=None)
        config = settings_for(own, "demo")
        run = warm_tap(config, catalog=warm_tap.catalog_of("booked_entry_dimensions"))
    numbers = [record["entryNumber"] for record in run.records["booked_entry_dimensions"]]
    bookmark = run.bookmark("booked_entry_dimensions")["replication_key_value"]
    assert bookmark == numbers[-1] - 1


def test_numbers_that_interleave_across_years_move_the_bookmark_at_the_very_end(
    warm_tap: TapRunner, own: Sandbox, own_config: Row
) -> None:
    own.faults.add("/accounting-years/2024/entries", "status", status=400, times=None)
    catalog = warm_tap.catalog_of("entries")
    run = warm_tap(own_config, catalog=catalog)
    assert run.exit_code == 1
    assert run.records["entries"]
    assert "replication_key_value" not in run.bookmark("entries")
    own.faults.rules.clear()
    whole = warm_tap(own_config, catalog=catalog, state=run.state)
    highest = max(row["entryNumber"] for row in rows(own, ENTRIES))
    assert whole.bookmark("entries")["replication_key_value"] == highest
    quiet = warm_tap(own_config, catalog=catalog, state=whole.state)
    assert min(record["entryNumber"] for record in quiet.records["entries"]) >= highest - 1000


def test_a_bookmark_never_moves_down(warm_tap: TapRunner, own: Sandbox, own_config: Row) -> None:
    state = _state("booked_entries", replication_key="entryNumber", replication_key_value=10**8)
    state["bookmarks"]["booked_entries"]["partitions"][0]["start_date"] = None
    run = warm_tap(own_config, catalog=warm_tap.catalog_of("booked_entries"), state=state)
    assert run.bookmark("booked_entries")["replication_key_value"] == 10**8


def test_a_bookmark_in_the_future_is_healed(
    warm_tap: TapRunner, own: Sandbox, own_config: Row
) -> None:
    state = _state(
        "customer_contacts",
        replication_key="lastUpdated",
        replication_key_value="2099-01-01T00:00:00Z",
    )
    catalog = warm_tap.catalog_of("customer_contacts")
    run = warm_tap(own_config, catalog=catalog, state=state)
    assert len(run.records["customer_contacts"]) == len(rows(own, CONTACTS))
    assert run.bookmark("customer_contacts")["replication_key_value"] < "2027"


def test_a_stream_of_instants_is_read_in_full_when_that_is_due(
    warm_tap: TapRunner, own: Sandbox, own_config: Row
) -> None:
    catalog = warm_tap.catalog_of("customer_contacts")
    state = warm_tap({**own_config, "full_refresh_days": 7}, catalog=catalog).state
    (partition,) = state["bookmarks"]["customer_contacts"]["partitions"]
    assert partition["full_read_at"]
    partition["full_read_at"] = "2020-01-01T00:00:00Z"
    due = warm_tap({**own_config, "full_refresh_days": 7}, catalog=catalog, state=state)
    assert len(due.records["customer_contacts"]) == len(rows(own, CONTACTS))
    after = warm_tap({**own_config, "full_refresh_days": 7}, catalog=catalog, state=due.state)
    assert len(after.records["customer_contacts"]) < len(rows(own, CONTACTS))


# start_date


def test_start_date_bounds_the_ledger_and_booked_invoices_by_date_in_every_run(
    warm_tap: TapRunner, own: Sandbox, own_config: Row
) -> None:
    catalog = warm_tap.catalog_of("booked_entries", "entries", "invoices_booked")
    config = {**own_config, "start_date": "2024-07-01"}
    run = warm_tap(config, catalog=catalog)
    for stream in ("booked_entries", "entries", "invoices_booked"):
        dates = [record["date"] for record in run.records[stream]]
        assert min(dates) >= "2024-07-01"
        again = warm_tap(config, catalog=catalog, state=run.state)
        assert min(record["date"] for record in again.records[stream]) >= "2024-07-01"
    expected = [row for row in rows(own, ENTRIES) if row["date"] >= dt.date(2024, 7, 1)]
    assert len(run.records["booked_entries"]) == len(expected)


def test_start_date_bounds_instants_and_leaves_full_streams_lines_and_documents_alone(
    warm_tap: TapRunner, own: Sandbox, own_config: Row
) -> None:
    streams = ("customer_contacts", "customers", "invoices_booked_lines", "attached_documents")
    catalog = warm_tap.catalog_of(*streams)
    whole = warm_tap(own_config, catalog=catalog)
    run = warm_tap({**own_config, "start_date": "2026-01-01T00:00:00Z"}, catalog=catalog)
    contacts = [r for r in whole.records["customer_contacts"] if r["lastUpdated"] >= "2026"]
    assert run.records["customer_contacts"] == contacts
    for stream in streams[1:]:
        assert run.records[stream] == whole.records[stream]


def test_another_start_date_starts_a_number_stream_over(
    warm_tap: TapRunner, own: Sandbox, own_config: Row
) -> None:
    catalog = warm_tap.catalog_of("booked_entries")
    first = warm_tap({**own_config, "start_date": "2026-01-01"}, catalog=catalog)
    second = warm_tap(own_config, catalog=catalog, state=first.state)
    assert len(second.records["booked_entries"]) == len(rows(own, ENTRIES))


@pytest.mark.parametrize("earlier", [None, "2026-01-01"])
def test_an_earlier_start_date_starts_a_stream_of_instants_over(
    warm_tap: TapRunner, own: Sandbox, own_config: Row, earlier: str | None
) -> None:
    catalog = warm_tap.catalog_of("customer_contacts")
    late = warm_tap({**own_config, "start_date": "2026-06-01"}, catalog=catalog)
    config = {**own_config, "start_date": earlier} if earlier else own_config
    expected = warm_tap(config, catalog=catalog).records["customer_contacts"]
    assert len(expected) > len(late.records["customer_contacts"]) > 0
    run = warm_tap(config, catalog=catalog, state=late.state)
    assert run.records["customer_contacts"] == expected
    again = warm_tap(config, catalog=catalog, state=run.state)
    assert len(again.records["customer_contacts"]) < len(expected), "once is enough"


def test_an_earlier_start_date_is_kept_in_mind_until_all_has_been_read(
    warm_tap: TapRunner, own: Sandbox, own_config: Row
) -> None:
    catalog = warm_tap.catalog_of("customer_contacts")
    late = warm_tap({**own_config, "start_date": "2026-06-01"}, catalog=catalog)
    own.faults.add("/Contacts", "status", status=400)
    broken = warm_tap(own_config, catalog=catalog, state=late.state)
    assert broken.exit_code == 1
    run = warm_tap(own_config, catalog=catalog, state=broken.state)
    assert len(run.records["customer_contacts"]) == len(rows(own, CONTACTS))


def test_a_later_start_date_starts_no_stream_of_instants_over(
    warm_tap: TapRunner, own: Sandbox, own_config: Row
) -> None:
    catalog = warm_tap.catalog_of("customer_contacts")
    first = warm_tap({**own_config, "start_date": "2026-01-01"}, catalog=catalog)
    own.log.clear()
    warm_tap({**own_config, "start_date": "2026-02-01"}, catalog=catalog, state=first.state)
    latest = first.bookmark("customer_contacts")["replication_key_value"]
    since = dt.datetime.fromisoformat(latest[:-1]) - dt.timedelta(minutes=180)
    assert filters(own, CONTACTS) == [f"lastUpdated$gte:{since:%Y-%m-%dT%H:%M:%S}"]


# Catalogs and states of other runs


def test_a_catalog_may_ask_for_a_full_table(
    warm_tap: TapRunner, own: Sandbox, own_config: Row
) -> None:
    catalog = warm_tap.catalog_of("booked_entries")
    state = warm_tap(own_config, catalog=catalog).state
    for entry in catalog["streams"]:
        entry["replication_method"] = "FULL_TABLE"
    run = warm_tap(own_config, catalog=catalog, state=state)
    assert len(run.records["booked_entries"]) == len(rows(own, ENTRIES))


def test_the_count_up_to_the_bookmark_is_bound_by_the_start_date_too(
    warm_tap: TapRunner, own: Sandbox, own_config: Row
) -> None:
    catalog = warm_tap.catalog_of("booked_entries")
    config = {**own_config, "start_date": "2025-01-01"}
    first = warm_tap(config, catalog=catalog)
    own.log.clear()
    second = warm_tap(config, catalog=catalog, state=first.state)
    highest = first.bookmark("booked_entries")["replication_key_value"]
    asked = filters(own, ENTRIES)
    assert asked[0] == f"entryNumber$lte:{highest}$and:date$gte:2025-01-01"
    assert asked[1] == f"entryNumber$gte:{highest - 1000}$and:date$gte:2025-01-01"
    assert second.bookmark("booked_entries") == first.bookmark("booked_entries")


def test_start_date_bounds_a_ledger_that_a_catalog_reads_in_full(
    warm_tap: TapRunner, own_config: Row
) -> None:
    catalog = warm_tap.catalog_of("booked_entries")
    for entry in catalog["streams"]:
        entry["replication_method"] = "FULL_TABLE"
    run = warm_tap({**own_config, "start_date": "2025-01-01"}, catalog=catalog)
    assert min(record["date"] for record in run.records["booked_entries"]) >= "2025-01-01"


@pytest.mark.parametrize(
    ("stream", "key"), [("customers", "customerNumber"), ("booked_entries", "date")]
)
def test_a_catalog_cannot_choose_by_what_a_stream_is_read(
    warm_tap: TapRunner, own_config: Row, stream: str, key: str
) -> None:
    """Nobody knows whether a column only goes up: what went down would be missing in silence."""
    catalog = warm_tap.catalog_of(stream)
    for entry in catalog["streams"]:
        if entry["tap_stream_id"] == stream:
            entry.update(replication_method="INCREMENTAL", replication_key=key)
    run = warm_tap(own_config, catalog=catalog)
    assert run.exit_code == 1
    assert f"{stream} does not support INCREMENTAL replication by '{key}'" in run.errors[-2]
    assert run.records[stream] == []


def test_a_company_that_is_left_out_keeps_its_state(
    warm_tap: TapRunner, own: Sandbox, own_config: Row
) -> None:
    state = _state("booked_entries", 999, replication_key="entryNumber", replication_key_value=5)
    run = warm_tap(own_config, catalog=warm_tap.catalog_of("booked_entries"), state=state)
    kept = state["bookmarks"]["booked_entries"]["partitions"][0]
    assert run.bookmark("booked_entries", 999) == kept
    assert run.bookmark("booked_entries", 1234567)["replication_key_value"] > 5


def test_state_goes_out_rarely_and_at_the_end(
    warm_tap: TapRunner, own: Sandbox, own_config: Row
) -> None:
    started = time.monotonic()
    run = warm_tap(own_config)
    states = [message for message in run.messages if message["type"] == "STATE"]
    assert len(states) <= 3 + (time.monotonic() - started) / 10
    assert run.messages[-1]["type"] == "STATE"


def _state(stream: str, agreement: int = 1234567, **bookmark: Any) -> Row:
    partition = {"context": {"agreementNumber": agreement}, **bookmark}
    return {"bookmarks": {stream: {"partitions": [partition]}}}


def _book_something(sandbox: Sandbox) -> None:
    company: Any = sandbox.grants["demo"].company
    unpaid = rows(sandbox, "rest:/invoices/unpaid")[0]
    company.pay(unpaid["bookedInvoiceNumber"])
