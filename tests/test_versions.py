"""Deleted rows: the target is told only when every company of a table was read completely.

A model of a target takes the messages: rows by key, and ACTIVATE_VERSION deletes every row of the
table that is not of that version, as hard-deleting targets do.
"""

from __future__ import annotations

import json
import time
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from tests.conftest import settings_for
from tests.sandbox.company import build_company
from tests.sandbox.grants import Grant
from tests.sandbox.server import Sandbox
from tests.support import Altered, Watched, activated, numbered_grants

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import Run, TapRunner

STREAMS = ("agreements", "app_roles", "customers", "dimensions", "journals", "booked_entries")
NUMBERS = (1, 2, 3)


class Target:
    """Tables as a target with hard deletion keeps them."""

    def __init__(self) -> None:
        self.tables: dict[str, dict[tuple[Any, ...], tuple[int, dict[str, Any]]]] = {}
        self.state: dict[str, Any] | None = None

    def take(self, run: Run) -> Run:
        keys: dict[str, list[str]] = {}
        for message in run.messages:
            stream = message.get("stream", "")
            if message["type"] == "SCHEMA":
                keys[stream] = message["key_properties"]
                self.tables.setdefault(stream, {})
            elif message["type"] == "RECORD":
                record = message["record"]
                key = tuple(record[name] for name in keys[stream])
                self.tables[stream][key] = message["version"], record
            elif message["type"] == "ACTIVATE_VERSION":
                kept = self.tables[stream]
                self.tables[stream] = {
                    key: row for key, row in kept.items() if row[0] == message["version"]
                }
            else:
                self.state = message["value"]
        return run

    def companies(self, stream: str) -> dict[int, int]:
        """How many rows each company has in a table."""
        found: dict[int, int] = {}
        for _, record in self.tables[stream].values():
            number = record["agreementNumber"]
            found[number] = found.get(number, 0) + 1
        return found


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """Three companies of a test's own; the third has no modules."""
    with Sandbox(numbered_grants(dict.fromkeys(NUMBERS, 120))) as running:
        yield running


def run_all(
    tap: TapRunner, sandbox: Sandbox, target: Target, *numbers: int, **settings: Any
) -> Run:
    config = settings_for(
        sandbox,
        *(f"company-{number}" for number in numbers or NUMBERS),
        emit_activate_version_messages=True,
        all_streams=True,
        **settings,
    )
    time.sleep(1)  # a version is a second: two runs in the same one could not be told apart
    return target.take(tap(config, state=target.state, catalog=tap.catalog_of(*STREAMS)))


def test_without_the_setting_messages_have_no_version(
    warm_tap: TapRunner, sandbox: Sandbox
) -> None:
    run = warm_tap(settings_for(sandbox, "company-1"), catalog=warm_tap.catalog_of(*STREAMS))
    assert run.exit_code == 0, run.stderr
    assert not activated(run)
    assert not any("version" in message for message in run.messages)


def test_a_complete_run_activates_every_table_once_after_its_last_row(
    warm_tap: TapRunner, sandbox: Sandbox
) -> None:
    target = Target()
    run = run_all(warm_tap, sandbox, target)
    assert run.exit_code == 0, run.stderr
    assert activated(run) == set(STREAMS)
    done: set[str] = set()
    for message in run.messages:
        if message["type"] == "ACTIVATE_VERSION":
            assert message["stream"] not in done
            done.add(message["stream"])
        elif message["type"] == "RECORD":
            assert message["stream"] not in done
    versions = {m["version"] for m in run.messages if m["type"] in {"RECORD", "ACTIVATE_VERSION"}}
    assert len(versions) == 1
    assert set(target.companies("dimensions")) == {1, 2}  # the third never had the module


def test_a_row_deleted_in_e_conomic_is_deleted(warm_tap: TapRunner, sandbox: Sandbox) -> None:
    target = Target()
    run_all(warm_tap, sandbox, target)
    company: Any = sandbox.grants["company-2"].company
    customers = company.rows("rest:/customers")
    gone = customers.pop()["customerNumber"]
    assert (2, gone) in target.tables["customers"]
    run_all(warm_tap, sandbox, target)
    assert (2, gone) not in target.tables["customers"]
    assert target.companies("customers")[2] == len(customers)


def test_a_company_that_fails_keeps_its_rows(warm_tap: TapRunner, sandbox: Sandbox) -> None:
    target = Target()
    run_all(warm_tap, sandbox, target)
    before = target.companies("customers")
    sandbox.faults.add("/customers", "status", status=400, times=None, grant="company-2")
    run = run_all(warm_tap, sandbox, target)
    assert run.exit_code == 1
    assert target.companies("customers") == before
    assert "customers" not in activated(run)
    assert "journals" in activated(run)
    assert "ACTIVATE_VERSION not sent for customers: agreement 2" in run.stderr


def test_a_company_with_more_rows_counted_than_returned_keeps_its_rows(
    warm_tap: TapRunner, sandbox: Sandbox
) -> None:
    target = Target()
    run_all(warm_tap, sandbox, target)
    before = target.companies("customers")
    rows = list(sandbox.grants["company-2"].company.rows("rest:/customers"))
    page = {"collection": rows[:-3], "pagination": {"results": len(rows)}}
    sandbox.faults.add(
        r"^/customers\?.*pagesize=1000",
        "status",
        status=200,
        body=json.dumps(page, default=str).encode(),
        grant="company-2",
        times=None,
    )
    run = run_all(warm_tap, sandbox, target)
    assert run.exit_code == 1
    total = len(rows)
    told = f"/customers is incomplete: {total - 3} rows were read, but e-conomic counted {total}"
    assert told in run.errors[-2]
    assert target.companies("customers") == before
    assert "ACTIVATE_VERSION not sent for customers: agreement 2" in run.stderr
    assert "customers" not in activated(run)
    assert {"agreements", "journals"} <= activated(run)


def test_an_empty_response_does_not_empty_a_table_whose_rows_e_conomic_counts(
    warm_tap: TapRunner, sandbox: Sandbox
) -> None:
    """A listing of the newer API says nothing of how many rows there are."""
    target = Target()
    run_all(warm_tap, sandbox, target)
    before = target.companies("dimensions")
    fault = {"status": 200, "body": b'{"items": []}', "grant": "company-2", "times": None}
    sandbox.faults.add(r"^/dimensionsapi/[^/]+/dimensions(\?|$)", "status", **fault)
    run = run_all(warm_tap, sandbox, target)
    assert run.exit_code == 1
    assert "two passes returned 0 rows each where there were" in run.errors[-2]
    assert target.companies("dimensions") == before
    assert "ACTIVATE_VERSION not sent for dimensions: agreement 2" in run.stderr
    assert "dimensions" not in activated(run)


def test_a_company_that_loses_a_module_keeps_its_rows(
    warm_tap: TapRunner, sandbox: Sandbox
) -> None:
    target = Target()
    run_all(warm_tap, sandbox, target)
    before = target.companies("dimensions")
    sandbox.faults.add("/dimensions", "status", status=403, times=None, grant="company-1")
    for _ in range(2):
        run = run_all(warm_tap, sandbox, target)
        assert run.exit_code == 0, run.stderr
        assert "dimensions" not in activated(run)
        assert target.companies("dimensions") == before
        notes = "1 stream skipped and ACTIVATE_VERSION not sent for 1 stream, see above"
        assert run.stderr.splitlines()[-1].endswith(notes)


def test_a_company_removed_from_the_settings_keeps_its_rows(
    warm_tap: TapRunner, sandbox: Sandbox
) -> None:
    target = Target()
    run_all(warm_tap, sandbox, target)
    before = {stream: target.companies(stream) for stream in STREAMS}
    run = run_all(warm_tap, sandbox, target, 1, 3)
    assert run.exit_code == 0, run.stderr
    assert {stream: target.companies(stream) for stream in STREAMS} == before
    assert not activated(run)


def test_a_company_whose_grant_is_rejected_keeps_its_rows(
    warm_tap: TapRunner, sandbox: Sandbox
) -> None:
    target = Target()
    run_all(warm_tap, sandbox, target)
    before = {stream: target.companies(stream) for stream in STREAMS}
    sandbox.revoke("company-2")
    run = run_all(warm_tap, sandbox, target)
    assert run.exit_code == 1
    assert {stream: target.companies(stream) for stream in STREAMS} == before


@pytest.mark.parametrize("path", ["/self", "/customers"])
def test_without_a_state_a_company_whose_grant_is_rejected_keeps_its_rows(
    warm_tap: TapRunner, sandbox: Sandbox, path: str
) -> None:
    """Nothing says what the tables hold of it; `/customers` is read before the journals."""
    target = Target()
    run_all(warm_tap, sandbox, target)
    before = {stream: target.companies(stream) for stream in STREAMS}
    sandbox.faults.add(path, "status", status=401, times=None, grant="company-2")
    target.state = None
    run = run_all(warm_tap, sandbox, target)
    assert run.exit_code == 1
    for stream in ("customers", "journals"):
        assert target.companies(stream) == before[stream]


def test_a_company_added_later_is_read_in_full_and_activated_with_the_others(
    warm_tap: TapRunner, sandbox: Sandbox
) -> None:
    target = Target()
    run_all(warm_tap, sandbox, target, 1, 3)
    run = run_all(warm_tap, sandbox, target)
    assert "customers" in activated(run)
    assert set(target.companies("customers")) == {1, 2, 3}
    company: Any = sandbox.grants["company-2"].company
    ledger = company.rows("bookedEntriesapi:/booked-entries")
    assert target.companies("booked_entries")[2] == len(ledger)


def test_an_incremental_read_activates_nothing(warm_tap: TapRunner, sandbox: Sandbox) -> None:
    target = Target()
    run_all(warm_tap, sandbox, target)
    before = target.companies("booked_entries")
    run = run_all(warm_tap, sandbox, target)
    assert "booked_entries" not in activated(run)
    assert target.companies("booked_entries") == before


def test_enabling_versions_for_existing_tables_deletes_no_company(
    warm_tap: TapRunner, sandbox: Sandbox
) -> None:
    config = settings_for(sandbox, "company-1", "company-2", "company-3", all_streams=True)
    first = warm_tap(config, catalog=warm_tap.catalog_of(*STREAMS))
    target = Target()
    for message in first.messages:
        message.setdefault("version", 0)
    target.take(first)
    before = {stream: target.companies(stream) for stream in STREAMS}
    run_all(warm_tap, sandbox, target, 1, 3)
    assert {stream: target.companies(stream) for stream in STREAMS} == before


def test_rows_read_before_versions_and_without_the_agreements_stay(
    warm_tap: TapRunner, sandbox: Sandbox
) -> None:
    """The state remembers the companies whether the stream `agreements` is selected or not."""
    catalog = warm_tap.catalog_of("journals")
    everyone = settings_for(sandbox, "company-1", "company-2", all_streams=True)
    for losing in ("403", "settings"):
        first = warm_tap(everyone, catalog=catalog)
        target = Target()
        for message in first.messages:
            message.setdefault("version", 0)
        target.take(first)
        before = target.companies("journals")
        numbers = ("company-1", "company-2") if losing == "403" else ("company-1",)
        if losing == "403":
            sandbox.faults.add("/journals", "status", status=403, times=None, grant="company-2")
        config = settings_for(
            sandbox, *numbers, all_streams=True, emit_activate_version_messages=True
        )
        target.take(warm_tap(config, catalog=catalog, state=target.state))
        assert target.companies("journals") == before
        sandbox.faults.rules.clear()


def test_access_granted_while_versions_were_off_is_remembered(
    warm_tap: TapRunner, sandbox: Sandbox
) -> None:
    target = Target()
    catalog = warm_tap.catalog_of("agreements", "journals")
    off = settings_for(sandbox, "company-1", "company-2", all_streams=True)
    on = {**off, "emit_activate_version_messages": True}

    def deny() -> None:
        sandbox.faults.add("/journals", "status", status=403, times=None, grant="company-2")

    deny()
    target.take(warm_tap(on, catalog=catalog))
    sandbox.faults.rules.clear()
    allowed = warm_tap(off, catalog=catalog, state=target.state)
    for message in allowed.messages:
        message.setdefault("version", 0)
    target.take(allowed)
    before = target.companies("journals")
    assert 2 in before
    deny()
    target.take(warm_tap(on, catalog=catalog, state=target.state))
    assert target.companies("journals") == before


def test_a_company_partly_read_while_versions_were_off_keeps_its_rows(warm_tap: TapRunner) -> None:
    """Its state has no bookmark yet, but its rows are in the table."""
    grants = numbered_grants({1: 120, 2: 120})
    many = partial(_contacts, count=2500)
    grants["company-2"] = Grant(Altered(grants["company-2"].company, CONTACTS, many))
    target = Target()
    with Sandbox(grants) as sandbox:
        catalog = warm_tap.catalog_of("customer_contacts")
        config = settings_for(sandbox, "company-1", "company-2")
        sandbox.faults.add("/Contacts.*cursor", "status", status=400, times=None)
        first = warm_tap(config, catalog=catalog)
        assert first.exit_code == 1
        for message in first.messages:
            message.setdefault("version", 0)
        target.take(first)
        sandbox.faults.clear()
        versions = {"emit_activate_version_messages": True, "full_refresh_days": 1}
        config = settings_for(sandbox, "company-1", **versions)
        second = target.take(warm_tap(config, catalog=catalog, state=target.state))
    assert second.exit_code == 0, second.stderr
    assert target.companies("customer_contacts")[2] == 1000
    assert "not sent for customer_contacts: the table holds agreement 2" in second.stderr


def test_a_company_without_rows_since_a_later_start_date_keeps_its_rows(
    warm_tap: TapRunner, sandbox: Sandbox
) -> None:
    """Its bookmark starts over with that date, but its older rows are in the table."""
    catalog = warm_tap.catalog_of("booked_entries")
    config = settings_for(sandbox, "company-1", "company-2")
    target = Target()
    for start in ({}, {"start_date": "2099-01-01"}):
        run = warm_tap({**config, **start}, catalog=catalog, state=target.state)
        assert run.exit_code == 0, run.stderr
        for message in run.messages:
            message.setdefault("version", 0)
        target.take(run)
    before = target.companies("booked_entries")
    versions = {"emit_activate_version_messages": True}
    config = settings_for(sandbox, "company-1", **versions)
    later = target.take(warm_tap(config, catalog=catalog, state=target.state))
    assert later.exit_code == 0, later.stderr
    assert target.companies("booked_entries") == before
    assert "not sent for booked_entries: the table holds agreement 2" in later.stderr


CONTACTS = "customersapi:/Contacts"


def _contacts(rows: Any, *, count: int) -> list[Any]:
    return [{**rows[0], "number": number} for number in range(1, count + 1)]


# full_refresh_days


def _age(state: dict[str, Any], stream: str, at: str) -> None:
    for partition in state["bookmarks"][stream]["partitions"]:
        partition["full_read_at"] = at


def test_when_a_full_read_is_due_all_companies_are_read_in_full_and_the_table_activated(
    warm_tap: TapRunner, sandbox: Sandbox
) -> None:
    target = Target()
    run_all(warm_tap, sandbox, target, full_refresh_days=7)
    assert target.state is not None
    partition = target.state["bookmarks"]["booked_entries"]["partitions"][0]
    partition["full_read_at"] = "2020-01-01T00:00:00Z"
    run = run_all(warm_tap, sandbox, target, full_refresh_days=7)
    assert "booked_entries" in activated(run)
    for number in NUMBERS:
        company: Any = sandbox.grants[f"company-{number}"].company
        ledger = company.rows("bookedEntriesapi:/booked-entries")
        read = [r for r in run.records["booked_entries"] if r["agreementNumber"] == number]
        assert len(read) == len(ledger)
    again = run_all(warm_tap, sandbox, target, full_refresh_days=7)
    assert "booked_entries" not in activated(again)


def test_a_full_read_never_moves_a_bookmark_back(warm_tap: TapRunner, sandbox: Sandbox) -> None:
    target = Target()
    run = run_all(warm_tap, sandbox, target, full_refresh_days=1)
    highest = run.bookmark("booked_entries", 1)["replication_key_value"]
    assert target.state is not None
    _age(target.state, "booked_entries", "2020-01-01T00:00:00Z")
    sandbox.faults.add("/booked-entries", "status", status=400, times=None)
    run = run_all(warm_tap, sandbox, target, full_refresh_days=1)
    assert run.exit_code == 1
    assert run.bookmark("booked_entries", 1)["replication_key_value"] == highest


# Rows that are not seen, though they are there


@contextmanager
def products_that_go() -> Iterator[tuple[Sandbox, list[str]]]:
    """A company of whose products one goes with each page, once the list is not empty."""
    company = build_company(1, "Uro ApS", seed=5, entries=24_000)
    products: Any = company.rows("rest:/products")
    assert len(products) > 1000
    asked: list[str] = []

    def between_pages(endpoint: str) -> None:
        if endpoint == "rest:/products" and asked:
            products.pop(0)

    with Sandbox({"company-1": Grant(Watched(company, between_pages))}) as sandbox:
        yield sandbox, asked


def test_rows_of_possibly_missed_parents_stay(warm_tap: TapRunner) -> None:
    """Products that come and go while they are listed hide others, and those' prices with them."""
    with products_that_go() as (sandbox, asked):
        catalog = warm_tap.catalog_of("rest_product_sales_prices")
        config = settings_for(
            sandbox, "company-1", all_streams=True, emit_activate_version_messages=True
        )
        first = warm_tap(config, catalog=catalog)
        assert activated(first) == {"rest_product_sales_prices"}
        asked.append("from now on")
        second = warm_tap(config, catalog=catalog, state=first.state)
    assert second.exit_code == 0, second.stderr
    assert "/products kept changing during 3 passes" in second.stderr
    assert activated(second) == set()
    assert "ACTIVATE_VERSION not sent for rest_product_sales_prices" in second.stderr


def test_a_full_read_that_may_have_missed_rows_does_not_count_as_one(warm_tap: TapRunner) -> None:
    """Products come and go while they are listed: the next full read is due as before."""
    with products_that_go() as (sandbox, asked):
        catalog = warm_tap.catalog_of("products")
        config = settings_for(sandbox, "company-1", emit_activate_version_messages=True)
        first = warm_tap(config, catalog=catalog)
        assert first.bookmark("products", 1)["full_read_at"]
        _age(first.state, "products", "2020-01-01T00:00:00Z")
        asked.append("from now on")
        second = warm_tap(config, catalog=catalog, state=first.state)
    assert second.exit_code == 0, second.stderr
    assert "/products kept changing during 3 passes" in second.stderr
    assert second.bookmark("products", 1)["full_read_at"] == "2020-01-01T00:00:00Z"


def test_an_order_sent_during_the_run_keeps_its_lines(warm_tap: TapRunner) -> None:
    """Drafts, sent and archived orders are three listings; this one leaves the first in time."""
    company = build_company(1, "Ordre ApS", seed=1, entries=2500)
    lines = "q2capi:/orders/{documentStatus}/lines"
    drafts = company.world.orders["drafts"]
    asked: list[str] = []

    def sent_before_the_last_answer(endpoint: str) -> None:
        if endpoint == lines and asked:
            asked.append(endpoint)
            if len(asked) == 5:
                company.forward("orders", "drafts", drafts[0].number, "sent")

    target = Target()
    with Sandbox({"company-1": Grant(Watched(company, sent_before_the_last_answer))}) as sandbox:
        catalog = warm_tap.catalog_of("orders_lines")
        config = settings_for(
            sandbox, "company-1", all_streams=True, emit_activate_version_messages=True
        )
        target.take(warm_tap(config, catalog=catalog))
        before = set(target.tables["orders_lines"])
        time.sleep(1)  # a version is a second
        asked.append("from now on")
        sandbox.faults.add("/orders/drafts/lines", "status", status=503)  # and is asked for later
        run = target.take(warm_tap(config, catalog=catalog, state=target.state))
    assert run.exit_code == 0, run.stderr
    assert activated(run) == {"orders_lines"}
    assert len(asked) == 7
    assert set(target.tables["orders_lines"]) == before
