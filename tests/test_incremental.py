"""What the next run reads: bookmarks, look-back, overlap, start_date."""

from __future__ import annotations

import datetime as dt
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.conftest import settings_for
from tests.sandbox.company import build_company
from tests.sandbox.grants import Grant
from tests.sandbox.server import Sandbox
from tests.support import filters, served

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import Run, TapRunner
    from tests.sandbox.company import Company
    from tests.support import Firm

    Read = Callable[..., Run]

ENTRIES = "bookedEntriesapi:/booked-entries"
CONTACTS = "customersapi:/Contacts"


company, sandbox = served(
    lambda: build_company(1234567, "Nordlys Cykler & Fritid ApS", seed=1, entries=2500)
)


@pytest.fixture
def read(sandbox: Firm) -> Read:
    """Reads these streams, with an empty log of requests."""

    def run(*streams: str, **options: Any) -> Run:
        sandbox.log.clear()
        return sandbox.read(*streams, **options)

    return run


@pytest.fixture
def read_by(warm_tap: TapRunner, sandbox: Firm) -> Read:
    """Reads a stream by another replication than its own."""

    def run(stream: str, state: Any = None, *, start: str | None = None, **entry: str) -> Run:
        catalog = warm_tap.catalog_of(stream)
        catalog["streams"][0].update(entry)
        config = settings_for(sandbox, "demo", **({"start_date": start} if start else {}))
        sandbox.log.clear()
        return warm_tap(config, catalog=catalog, state=state)

    return run


def looked_back(instant: str) -> str:
    """The instant 180 minutes earlier."""
    since = dt.datetime.fromisoformat(instant.rstrip("Z")) - dt.timedelta(minutes=180)
    return since.isoformat()


# Streams that are read in full


def test_a_full_stream_is_read_in_full_every_time_and_keeps_no_state(read: Read) -> None:
    first = read("accounts")
    assert first.state["bookmarks"]["accounts"] == {}
    assert read("accounts", state=first.state).records["accounts"] == first.records["accounts"]


def test_the_agreements_that_were_read_are_in_the_state(read: Read) -> None:
    assert read("agreements").state["bookmarks"]["agreements"] == {
        "partitions": [{"context": {"agreementNumber": 1234567}, "full_read_rows": [1]}],
        "full_read_streams": ["agreements"],
    }


# Instants


def test_an_instant_stream_is_read_from_its_bookmark_less_the_look_back(
    read: Read, sandbox: Firm
) -> None:
    first = read("customer_contacts")
    contacts = first.records["customer_contacts"]
    latest = max(record["lastUpdated"] for record in contacts)
    assert first.bookmark("customer_contacts")["replication_key_value"] == latest
    assert filters(sandbox, CONTACTS) == [None]
    second = read("customer_contacts", state=first.state)
    since = looked_back(latest)
    assert filters(sandbox, CONTACTS) == [f"lastUpdated$gte:{since}"]
    expected = [record for record in contacts if record["lastUpdated"] >= since]
    assert second.records["customer_contacts"] == expected
    assert second.bookmark("customer_contacts") == first.bookmark("customer_contacts")


def test_a_look_back_of_zero_still_reads_the_bookmark_itself_again(read: Read) -> None:
    first = read("customer_contacts")
    second = read("customer_contacts", state=first.state, lookback_minutes=0)
    latest = first.bookmark("customer_contacts")["replication_key_value"]
    assert {r["lastUpdated"] for r in second.records["customer_contacts"]} == {latest}


def test_a_bookmark_never_runs_ahead_of_the_servers_clock(
    warm_tap: TapRunner, company: Company
) -> None:
    now = dt.datetime(2026, 11, 20, 12, tzinfo=dt.timezone.utc)
    contact: Any = company.rows(CONTACTS)[0]
    contact["lastUpdated"] = now + dt.timedelta(days=400)
    with Sandbox({"demo": Grant(company)}, clock=now.timestamp) as sandbox:
        run = warm_tap.read(sandbox, "customer_contacts")
    assert run.bookmark("customer_contacts")["replication_key_value"] == "2026-11-20T12:00:00Z"


def test_a_bookmark_waits_for_rows_that_were_counted_and_not_read(
    read: Read, sandbox: Firm, company: Company
) -> None:
    """They may be older than it: the next run would not ask for them."""
    contacts: Any = company.rows(CONTACTS)
    contacts[:] = [{**contacts[n % 40], "number": n} for n in range(1, 1501)]
    rest = {"items": [{"number": n} for n in range(1001, 1400)]}
    sandbox.always(r"/Contacts\?cursor=", 200, rest)
    short = read("customer_contacts", code=1)
    sandbox.faults.clear()
    assert (
        "/Contacts is incomplete: 1399 rows were read, but e-conomic counted 1500" in short.stderr
    )
    assert "replication_key_value" not in short.bookmark("customer_contacts")
    run = read("customer_contacts", state=short.state)
    assert len(run.records["customer_contacts"]) == 1500
    assert "replication_key_value" in run.bookmark("customer_contacts")


def test_rest_filters_take_an_instant_with_its_zone(read_by: Read, sandbox: Firm) -> None:
    first = read_by("customers", replication_method="INCREMENTAL")
    read_by("customers", first.state, replication_method="INCREMENTAL")
    latest = first.bookmark("customers")["replication_key_value"]
    assert filters(sandbox, "rest:/customers") == [f"lastUpdated$gte:{looked_back(latest)}Z"]


@pytest.mark.parametrize(
    ("zone", "minutes"),
    [
        *(
            ("copenhagen", minutes)
            for minutes in ((-90, -50), (-50, -10), (-10, 20), (20, 50), (50, 80), (80, 110))
        ),
        ("copenhagen", (-10, 59)),
        ("utc", (-10, 59)),
    ],
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
    with Sandbox({"demo": Grant(company)}, zone=zone, clock=first.timestamp) as sandbox:
        before = warm_tap.read(sandbox, "customer_contacts")
    contacts[1]["lastUpdated"] = second
    with Sandbox({"demo": Grant(company)}, zone=zone, clock=second.timestamp) as sandbox:
        after = warm_tap.read(sandbox, "customer_contacts", state=before.state)
    read = {record["number"] for record in after.records["customer_contacts"]}
    assert contacts[1]["number"] in read
    assert len(read) < len(contacts), "it was an incremental run"


def test_equal_instants_across_a_page_boundary_are_not_lost(warm_tap: TapRunner) -> None:
    company = build_company(1234567, "Import ApS", seed=5, entries=24_000)
    products: Any = company.rows("productsapi:/products")
    at = dt.datetime(2026, 11, 1, 12, 30, tzinfo=dt.timezone.utc)
    for product in products:  # one bulk edit, to the minute
        product["lastUpdated"] = at
    assert len(products) > 1000
    state = None
    with Sandbox({"demo": Grant(company)}) as sandbox:
        for _ in range(2):
            run = warm_tap.read(sandbox, "openapi_products", state=state, lookback_minutes=0)
            assert len(run.records["openapi_products"]) == len(products)
            state = run.state


# Numbers


def test_a_number_stream_is_read_from_a_thousand_numbers_before_its_bookmark(
    read: Read, sandbox: Firm
) -> None:
    first = read("booked_entries")
    highest = max(record["entryNumber"] for record in first.records["booked_entries"])
    assert first.bookmark("booked_entries")["replication_key_value"] == highest
    second = read("booked_entries", state=first.state).records["booked_entries"]
    asked = filters(sandbox, ENTRIES)
    assert asked[:2] == [f"entryNumber$lte:{highest}", f"entryNumber$gte:{highest - 1000}"]
    expected = [r for r in first.records["booked_entries"] if r["entryNumber"] >= highest - 1000]
    assert second[: len(expected)] == expected
    assert all(record["remainder"] for record in second[len(expected) :])


def test_a_bookmark_moves_page_by_page_where_a_listing_is_sorted(read: Read, sandbox: Firm) -> None:
    sandbox.always(r"/booked-entries\?cursor", 400)
    run = read("booked_entries", code=1)
    numbers = [record["entryNumber"] for record in run.records["booked_entries"]]
    assert len(numbers) == 1000
    assert run.bookmark("booked_entries")["replication_key_value"] == numbers[-1]


def test_numbers_that_interleave_across_years_move_the_bookmark_at_the_very_end(
    read: Read, sandbox: Firm, company: Company
) -> None:
    sandbox.always("/accounting-years/2024/entries", 400)
    run = read("entries", code=1)
    assert run.records["entries"]
    assert "replication_key_value" not in run.bookmark("entries")
    sandbox.faults.clear()
    whole = read("entries", state=run.state)
    highest = company.world.ledger.entries[-1].number
    assert whole.bookmark("entries")["replication_key_value"] == highest
    quiet = read("entries", state=whole.state)
    assert min(record["entryNumber"] for record in quiet.records["entries"]) >= highest - 1000


def test_a_bookmark_never_moves_down(read: Read) -> None:
    state = _state(
        "booked_entries",
        replication_key="entryNumber",
        replication_key_value=10**8,
        start_date=None,
    )
    run = read("booked_entries", state=state)
    assert run.bookmark("booked_entries")["replication_key_value"] == 10**8


def test_a_bookmark_in_the_future_is_healed(read: Read, company: Company) -> None:
    future = "2099-01-01T00:00:00Z"
    state = _state("customer_contacts", replication_key="lastUpdated", replication_key_value=future)
    run = read("customer_contacts", state=state)
    assert len(run.records["customer_contacts"]) == len(company.rows(CONTACTS))
    assert run.bookmark("customer_contacts")["replication_key_value"] < "2027"


def test_a_stream_of_instants_is_read_in_full_when_that_is_due(
    read: Read, company: Company
) -> None:
    state = read("customer_contacts", full_refresh_days=7).state
    (partition,) = state["bookmarks"]["customer_contacts"]["partitions"]
    assert partition["full_read_at"]
    partition["full_read_at"] = "2020-01-01T00:00:00Z"
    due = read("customer_contacts", state=state, full_refresh_days=7)
    assert len(due.records["customer_contacts"]) == len(company.rows(CONTACTS))
    after = read("customer_contacts", state=due.state, full_refresh_days=7)
    assert len(after.records["customer_contacts"]) < len(company.rows(CONTACTS))


# start_date


def test_start_date_bounds_the_ledger_and_booked_invoices_by_date_in_every_run(
    read: Read, company: Company
) -> None:
    streams = ("booked_entries", "entries", "invoices_booked")
    run = read(*streams, start_date="2024-07-01")
    again = read(*streams, state=run.state, start_date="2024-07-01")
    for stream in streams:
        assert min(record["date"] for record in run.records[stream]) >= "2024-07-01"
        assert min(record["date"] for record in again.records[stream]) >= "2024-07-01"
    rows: Any = company.rows(ENTRIES)
    expected = [row for row in rows if row["date"] >= dt.date(2024, 7, 1)]
    assert len(run.records["booked_entries"]) == len(expected)


def test_start_date_bounds_instants_and_leaves_full_streams_lines_and_documents_alone(
    read: Read,
) -> None:
    streams = ("customer_contacts", "customers", "invoices_booked_lines", "attached_documents")
    whole = read(*streams)
    run = read(*streams, start_date="2026-01-01T00:00:00Z")
    contacts = [r for r in whole.records["customer_contacts"] if r["lastUpdated"] >= "2026"]
    assert run.records["customer_contacts"] == contacts
    for stream in streams[1:]:
        assert run.records[stream] == whole.records[stream]


def test_another_start_date_starts_a_number_stream_over(read: Read, company: Company) -> None:
    first = read("booked_entries", start_date="2026-01-01")
    second = read("booked_entries", state=first.state)
    assert len(second.records["booked_entries"]) == len(company.rows(ENTRIES))


@pytest.mark.parametrize("earlier", [{}, {"start_date": "2026-01-01"}], ids=["none", "2026-01-01"])
def test_an_earlier_start_date_starts_a_stream_of_instants_over(
    read: Read, earlier: dict[str, str]
) -> None:
    late = read("customer_contacts", start_date="2026-06-01")
    expected = read("customer_contacts", **earlier).records["customer_contacts"]
    assert len(expected) > len(late.records["customer_contacts"]) > 0
    run = read("customer_contacts", state=late.state, **earlier)
    assert run.records["customer_contacts"] == expected
    again = read("customer_contacts", state=run.state, **earlier)
    assert len(again.records["customer_contacts"]) < len(expected), "once is enough"


def test_an_earlier_start_date_is_kept_in_mind_until_all_has_been_read(
    read: Read, sandbox: Firm, company: Company
) -> None:
    late = read("customer_contacts", start_date="2026-06-01")
    sandbox.always("/Contacts", 400, times=1)
    broken = read("customer_contacts", state=late.state, code=1)
    run = read("customer_contacts", state=broken.state)
    assert len(run.records["customer_contacts"]) == len(company.rows(CONTACTS))


def test_a_later_start_date_starts_no_stream_of_instants_over(read: Read, sandbox: Firm) -> None:
    first = read("customer_contacts", start_date="2026-01-01")
    read("customer_contacts", state=first.state, start_date="2026-02-01")
    latest = first.bookmark("customer_contacts")["replication_key_value"]
    assert filters(sandbox, CONTACTS) == [f"lastUpdated$gte:{looked_back(latest)}"]


def test_the_count_up_to_the_bookmark_is_bound_by_the_start_date_too(
    read: Read, sandbox: Firm
) -> None:
    first = read("booked_entries", start_date="2025-01-01")
    second = read("booked_entries", state=first.state, start_date="2025-01-01")
    highest = first.bookmark("booked_entries")["replication_key_value"]
    assert filters(sandbox, ENTRIES)[:2] == [
        f"entryNumber$lte:{highest}$and:date$gte:2025-01-01",
        f"entryNumber$gte:{highest - 1000}$and:date$gte:2025-01-01",
    ]
    assert second.bookmark("booked_entries") == first.bookmark("booked_entries")


# Catalogs and states of other runs


def test_a_catalog_may_ask_for_a_full_table(read: Read, read_by: Read, company: Company) -> None:
    state = read("booked_entries").state
    run = read_by("booked_entries", state, replication_method="FULL_TABLE")
    assert len(run.records["booked_entries"]) == len(company.rows(ENTRIES))
    later = read_by("booked_entries", start="2025-01-01", replication_method="FULL_TABLE")
    assert min(record["date"] for record in later.records["booked_entries"]) >= "2025-01-01"


@pytest.mark.parametrize(
    ("stream", "key"), [("customers", "customerNumber"), ("booked_entries", "date")]
)
def test_a_catalog_cannot_choose_by_what_a_stream_is_read(
    read_by: Read, stream: str, key: str
) -> None:
    """Nobody knows whether a column only goes up: what went down would be missing in silence."""
    run = read_by(stream, replication_method="INCREMENTAL", replication_key=key)
    assert run.exit_code == 1
    assert f"{stream} does not support INCREMENTAL replication by '{key}'" in run.errors[-2]
    assert run.records[stream] == []


def test_a_company_that_is_left_out_keeps_its_state(read: Read) -> None:
    state = _state("booked_entries", 999, replication_key="entryNumber", replication_key_value=5)
    run = read("booked_entries", state=state)
    kept = state["bookmarks"]["booked_entries"]["partitions"][0]
    assert run.bookmark("booked_entries", 999) == kept
    assert run.bookmark("booked_entries", 1234567)["replication_key_value"] > 5


def test_state_goes_out_rarely_and_at_the_end(read: Read) -> None:
    started = time.monotonic()
    run = read()
    states = [message for message in run.messages if message["type"] == "STATE"]
    assert len(states) <= 3 + (time.monotonic() - started) / 10
    assert run.messages[-1]["type"] == "STATE"


def _state(stream: str, agreement: int = 1234567, **bookmark: Any) -> dict[str, Any]:
    partition = {"context": {"agreementNumber": agreement}, **bookmark}
    return {"bookmarks": {stream: {"partitions": [partition]}}}
