"""Event runs: what webhook events make the tap read, and what they leave alone."""

from __future__ import annotations

import copy
import datetime as dt
import subprocess
import sys
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import pytest

from tap_visma_economic.webhooks.inbox import Inbox, NewEvent
from tests.conftest import settings_for
from tests.hooks import AGREEMENT, age, get_older, invoice, journal, updated
from tests.sandbox.company import build_company
from tests.sandbox.grants import Grant
from tests.sandbox.server import Sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from tests.conftest import Run, TapRunner

STREAMS = (
    "booked_entries",
    "customers",
    "invoices_booked",
    "invoices_booked_lines",
    "products",
    "projects",
    "time_entries",
)
NEVER_READ = "time_entries"


class Companies:
    """Two companies, an inbox, and the state that run after run leaves."""

    def __init__(self, tap: TapRunner, folder: Path) -> None:
        self.companies = [
            build_company(AGREEMENT + place, f"Firma {place}", seed=place + 1, entries=300)
            for place in range(2)
        ]
        tokens = ("grant-one", "grant-two")
        grants = {t: Grant(c) for t, c in zip(tokens, self.companies, strict=True)}
        self.sandbox = Sandbox(grants)
        self.file = folder / "inbox.db"
        self.inbox = Inbox(f"sqlite:///{self.file}", create=True)
        self.config = settings_for(self.sandbox, *tokens, events_inbox=f"sqlite:///{self.file}")
        self.state: Any = None
        self._tap = tap

    def run(self, *streams: str, code: int = 0, **settings: Any) -> Run:
        self.sandbox.log.clear()
        catalog = self._tap.catalog_of(*(streams or STREAMS))
        run = self._tap({**self.config, **settings}, catalog=catalog, state=self.state)
        assert run.exit_code == code, run.stderr
        if any(message["type"] == "STATE" for message in run.messages):
            self.state = run.state
        return run

    def event_run(self, *events: NewEvent, streams: Sequence[str] = (), **settings: Any) -> Run:
        """Let events come, and a minute pass, and run."""
        if events:
            self.inbox.append(events)
        self.pass_time(61)
        return self.run(*streams, events_only=True, **settings)

    def pass_time(self, seconds: float) -> None:
        get_older(self.file, seconds)
        age(self.state, seconds)

    @property
    def paths(self) -> list[str]:
        return [request.path for request in self.sandbox.log]

    @property
    def targets(self) -> list[str]:
        return [unquote(request.target) for request in self.sandbox.log]

    def place(self, number: int = AGREEMENT) -> int | None:
        partitions = self.state["bookmarks"]["agreements"]["partitions"]
        (found,) = (p for p in partitions if p["context"]["agreementNumber"] == number)
        read = found.get("events", {}).get("read")
        return read and int(read[1])

    def bookmarks(self) -> dict[str, Any]:
        """What the state has, but for the events."""
        found = {name: one for name, one in copy.deepcopy(self.state["bookmarks"]).items() if one}
        for partition in found["agreements"]["partitions"]:
            del partition["events"]
        return found

    def missing(self) -> list[Any]:
        partition = self.state["bookmarks"]["agreements"]["partitions"][0]
        found: list[Any] = partition["events"].get("missing", [])
        return [(name, key) for name, key, _ in found]

    def sold(self) -> int:
        world = self.companies[0].world
        return self.companies[0].sell(world.customers[0].number, world.products[0].number)


@pytest.fixture
def both(warm_tap: TapRunner, tmp_path: Path) -> Iterator[Companies]:
    companies = Companies(warm_tap, tmp_path)
    with companies.sandbox:
        yield companies


@pytest.fixture
def loaded(both: Companies) -> Companies:
    """After a nightly run."""
    both.run()
    return both


def test_without_events_an_event_run_makes_no_call_and_writes_nothing(loaded: Companies) -> None:
    run = loaded.event_run()
    assert run.messages == []
    assert loaded.paths == []


def test_a_booked_invoice_is_read_with_its_lines_entries_and_customer(loaded: Companies) -> None:
    number = loaded.sold()
    run = loaded.event_run(invoice(number))
    rows = run.records
    assert set(rows) == {"booked_entries", "invoices_booked", "invoices_booked_lines", "customers"}
    assert number in {row["bookedInvoiceNumber"] for row in rows["invoices_booked"]}
    assert number in {row["documentId"] for row in rows["invoices_booked_lines"]}
    assert len(rows["customers"]) == 1
    assert {row["agreementNumber"] for some in rows.values() for row in some} == {AGREEMENT}
    assert "/self" not in loaded.paths
    assert len(loaded.paths) == CALLS["INVOICE_BOOKED"]


CALLS = {
    "INVOICE_BOOKED": 9,
    "JOURNAL_BOOKED": 3,
    "CUSTOMER_UPDATED": 1,
    "PRODUCT_UPDATED": 1,
    "ORDER_UPDATED": 6,
    "QUOTE_UPDATED": 6,
}
"""Calls because of an event; docs/running/webhooks.md tells them."""


@pytest.mark.parametrize("name", ["JOURNAL_BOOKED", "CUSTOMER_UPDATED", "PRODUCT_UPDATED"])
def test_an_event_makes_so_many_calls(loaded: Companies, name: str) -> None:
    product = loaded.companies[0].world.products[3].number
    events = {
        "CUSTOMER_UPDATED": updated("CUSTOMER", 3),
        "PRODUCT_UPDATED": updated("PRODUCT", product),
    }
    loaded.event_run(events.get(name, journal()))
    assert len(loaded.paths) == CALLS[name]


def test_rows_read_by_number_move_nothing_in_the_state(loaded: Companies) -> None:
    before = loaded.bookmarks()
    loaded.event_run(updated("PROJECT", 1), updated("CUSTOMER", 3))
    assert loaded.bookmarks() == before


def test_what_needs_everything_to_be_read_is_off(both: Companies) -> None:
    settings: dict[str, Any] = {
        "emit_activate_version_messages": True,
        "full_refresh_days": 1,
        "reconcile": "fail",
    }
    both.run(**settings)
    before = copy.deepcopy(both.state)
    run = both.event_run(updated("CUSTOMER", 3), journal(), **settings)
    assert {m["type"] for m in run.messages} == {"SCHEMA", "RECORD", "STATE"}
    assert all("version" not in message for message in run.messages)
    assert not any("totals" in path for path in both.paths)
    kept = {
        name: len(s["partitions"]) for name, s in before["bookmarks"].items() if "partitions" in s
    }
    found = {
        name: len(s["partitions"])
        for name, s in both.state["bookmarks"].items()
        if "partitions" in s
    }
    assert found == kept


def test_young_events_wait_and_an_agreement_is_read_once_a_minute(loaded: Companies) -> None:
    loaded.inbox.append([updated("CUSTOMER", 3)])
    loaded.pass_time(15)
    assert loaded.run(events_only=True).messages == []
    loaded.pass_time(50)
    assert loaded.run(events_only=True).records
    loaded.inbox.append([updated("CUSTOMER", 4)])
    loaded.pass_time(30)
    assert loaded.run(events_only=True).messages == []
    loaded.pass_time(31)
    assert loaded.run(events_only=True).records


def test_an_event_behind_a_younger_one_waits_with_it(loaded: Companies) -> None:
    """Receivers' clocks differ, and the state has one place."""
    loaded.inbox.append([updated("CUSTOMER", 3)])
    loaded.pass_time(61)
    loaded.inbox.append([updated("CUSTOMER", 4)])
    run = loaded.run(events_only=True)
    assert [row["customerNumber"] for row in run.records["customers"]] == [3]
    assert loaded.place() == 1


def test_a_row_that_is_not_returned_is_requested_for_half_an_hour(loaded: Companies) -> None:
    number = loaded.companies[0].world.next_invoice
    loaded.event_run(invoice(number))
    assert loaded.missing() == [("INVOICE_BOOKED", str(number))]
    loaded.event_run()
    assert loaded.missing() == [("INVOICE_BOOKED", str(number))]
    assert loaded.sold() == number
    run = loaded.event_run()
    assert number in {row["bookedInvoiceNumber"] for row in run.records["invoices_booked"]}
    assert loaded.missing() == []
    assert loaded.event_run().messages == []


def test_a_nightly_run_does_not_give_up_what_it_does_not_get_either(loaded: Companies) -> None:
    number = loaded.companies[0].world.next_invoice
    loaded.event_run(invoice(number))
    loaded.run()
    assert loaded.missing() == [("INVOICE_BOOKED", str(number))]
    assert loaded.sold() == number
    run = loaded.event_run()
    assert number in {row["bookedInvoiceNumber"] for row in run.records["invoices_booked"]}
    assert loaded.missing() == []


def test_then_it_is_left_to_the_night(loaded: Companies) -> None:
    loaded.event_run(updated("CUSTOMER", 987654))
    loaded.pass_time(30 * 60)
    run = loaded.event_run()
    assert "left to the nightly run" in run.stderr
    assert loaded.missing() == []


def test_no_more_than_200_rows_are_requested_again(loaded: Companies) -> None:
    run = loaded.event_run(*(updated("CUSTOMER", 500_000 + n) for n in range(250)))
    assert len(loaded.missing()) == 200
    assert "50 events, which are left to the nightly run" in run.stderr
    assert len(loaded.paths) == 1  # more than 200 numbers: the listing once


def test_an_old_invoice_that_is_open_only_while_its_event_is_read_is_not_left_open(
    loaded: Companies,
) -> None:
    """A match is undone before the row is read by its number, and made again right after."""
    company = loaded.companies[0]
    by_entry = {one.entry: one.number for one in company.world.invoices if one.number < 900_000}
    number = next(by_entry[e] for e, _ in company.world.ledger.matches if e in by_entry)
    rows = company.rows
    undone: list[int] = []

    def undoing(endpoint: str, *params: Any) -> Any:
        if "bookedInvoiceNumber$in" in unquote(loaded.sandbox.log[-1].target) and not undone:
            undone.append(number)
            company.unmatch(number)
        return rows(endpoint, *params)

    company.rows = undoing  # type: ignore[method-assign,assignment]
    run = loaded.event_run(invoice(number))
    assert undone == [number]
    company.rematch(number)
    later = [run, loaded.event_run(), loaded.run()]
    found = [row for run in later for row in run.records["invoices_booked"]]
    assert all(not row["remainder"] for row in found if row["bookedInvoiceNumber"] == number)


def test_an_unknown_event_makes_everything_of_its_agreement_be_read_once(loaded: Companies) -> None:
    run = loaded.event_run(NewEvent(AGREEMENT, "SOMETHING_HAPPENED", {}))
    assert "SOMETHING_HAPPENED is unknown" in run.stderr
    assert set(run.records) == set(STREAMS)
    assert {row["agreementNumber"] for row in run.records["customers"]} == {AGREEMENT}
    assert loaded.event_run().messages == []


def test_an_event_of_a_stream_that_is_not_selected_is_free(loaded: Companies) -> None:
    run = loaded.event_run(updated("SUPPLIER", 1))
    assert run.messages == []
    assert loaded.paths == []


def test_agreements_that_no_nightly_run_has_finished_are_left_alone(both: Companies) -> None:
    fault = both.sandbox.faults.add(
        "/Projects", "status", status=404, times=None, grant="grant-one"
    )
    both.run(code=1)
    assert fault
    both.sandbox.faults.clear()
    assert both.place() is None
    assert both.place(AGREEMENT + 1) == 0
    assert both.event_run(updated("CUSTOMER", 3)).messages == []


def test_after_a_nightly_run_that_failed_its_events_are_still_unread(loaded: Companies) -> None:
    loaded.inbox.append([updated("CUSTOMER", 3)])
    loaded.pass_time(61)
    loaded.sandbox.faults.add("/Projects", "status", status=404, times=None, grant="grant-one")
    loaded.run(code=1)
    loaded.sandbox.faults.clear()
    assert loaded.place() == 0
    assert loaded.place(AGREEMENT + 1) == 1
    loaded.run()
    assert loaded.place() == 1
    assert loaded.event_run().messages == []


def test_an_event_whose_rows_cannot_be_read_stays_unread(loaded: Companies) -> None:
    loaded.sandbox.faults.add("booked-entries", "status", status=404, times=None)
    loaded.inbox.append([journal(), updated("CUSTOMER", 3)])
    loaded.pass_time(61)
    assert loaded.run(events_only=True, code=1).records["customers"]
    assert loaded.place() == 0
    loaded.sandbox.faults.clear()
    assert loaded.event_run().records["booked_entries"]
    assert loaded.place() == 2


def test_an_event_that_is_young_when_a_nightly_run_starts_is_unread_after_it(
    loaded: Companies,
) -> None:
    """The listing may not show its row yet. Those before it are read."""
    loaded.inbox.append([updated("CUSTOMER", 3)])
    loaded.pass_time(61)
    loaded.inbox.append([updated("CUSTOMER", 4)])
    loaded.run()
    assert loaded.place() == 1
    run = loaded.event_run()
    assert [row["customerNumber"] for row in run.records["customers"]] == [4]


def test_a_copied_state_is_another_reader_by_its_name(loaded: Companies) -> None:
    """The copy falls behind: what it has not read is unread, and `prune` keeps it."""
    copied = copy.deepcopy(loaded.state)
    loaded.event_run(updated("CUSTOMER", 3))
    loaded.event_run()
    assert loaded.inbox.health()["unread"] == 0
    loaded.state, copied = copied, loaded.state
    nowhere: dict[str, Any] = {"rest_url": "http://127.0.0.1:9", "max_wait_minutes": 0}
    loaded.run(events_only=True, events_reader="staging", code=1, **nowhere)
    loaded.state = copied
    loaded.event_run(updated("CUSTOMER", 4))
    loaded.event_run()
    assert loaded.inbox.health()["unread"] == 2
    assert set(loaded.inbox.prune(dt.timedelta(0))[1]) == {"staging"}
    assert loaded.inbox.health()["events"] == 2


@pytest.mark.parametrize("kind", ["orders", "quotes"])
@pytest.mark.parametrize("late", ["rest:", "q2capi:"])
def test_a_document_and_its_lines_are_requested_again_until_both_are_served(
    loaded: Companies, kind: str, late: str
) -> None:
    company, one = loaded.companies[0], kind[:-1]
    rest, lines = f"{kind}_drafts", f"{kind}_lines"
    streams = (rest, lines, f"{kind}_archived", f"{kind}_sent")
    loaded.run(*streams)
    number = company.draft(
        kind, company.world.customers[0].number, company.world.products[0].number
    )
    rows = company.rows
    company.rows = (  # type: ignore[method-assign]
        lambda endpoint, *args: (
            () if endpoint.startswith(f"{late}/{kind}") else rows(endpoint, *args)
        )
    )
    run = loaded.event_run(updated(one.upper(), number), streams=streams)
    assert set(run.records) == {rest if late == "q2capi:" else lines}
    assert loaded.missing() == [(f"{one.upper()}_UPDATED", str(number))]
    company.rows = rows  # type: ignore[method-assign]
    run = loaded.event_run(streams=streams)
    assert [row[f"{one}Number"] for row in run.records[rest]] == [number]
    assert {row[f"{one}Number"] for row in run.records[lines]} == {number}
    assert len(loaded.paths) == CALLS[f"{one.upper()}_UPDATED"]
    assert loaded.missing() == []


def test_a_document_without_lines_and_amount_is_complete(loaded: Companies) -> None:
    company = loaded.companies[0]
    streams = ("orders_archived", "orders_drafts", "orders_lines", "orders_sent")
    loaded.run(*streams)
    number = company.draft(
        "orders", company.world.customers[0].number, company.world.products[0].number
    )
    rows = company.rows
    company.rows = (  # type: ignore[method-assign]
        lambda endpoint, *args: (
            ()
            if endpoint.endswith("/lines")
            else [{**row, "netAmount": 0} for row in rows(endpoint, *args)]
        )
    )
    run = loaded.event_run(updated("ORDER", number), streams=streams)
    assert set(run.records) == {"orders_drafts"}
    assert loaded.missing() == []


def test_an_event_that_comes_during_a_nightly_run_is_unread_after_it(loaded: Companies) -> None:
    """Its row may have been read before it changed."""
    rows = loaded.companies[1].rows

    def appending(*args: Any) -> Any:
        loaded.companies[1].rows = rows  # type: ignore[method-assign]
        loaded.inbox.append([updated("CUSTOMER", 3)])
        return rows(*args)

    loaded.companies[1].rows = appending  # type: ignore[method-assign,assignment]
    loaded.run()
    assert loaded.place() == 0
    assert loaded.event_run().records["customers"]


def test_another_inbox_is_read_from_its_first_event_on(loaded: Companies) -> None:
    loaded.event_run(updated("CUSTOMER", 3), updated("CUSTOMER", 4))
    for file in loaded.file.parent.glob("inbox.db*"):
        file.unlink()
    loaded.inbox = Inbox(f"sqlite:///{loaded.file}", create=True)
    run = loaded.event_run(updated("CUSTOMER", 5))
    assert [row["customerNumber"] for row in run.records["customers"]] == [5]
    assert "not the inbox of the last run" in run.stderr


def test_self_is_requested_where_a_token_is_new(loaded: Companies) -> None:
    """Whose token it is, no event run may guess: rows would get another company's number."""
    grants = loaded.sandbox.grants
    grants["grant-new"] = grants.pop("grant-one")
    loaded.config["agreements"][0]["agreement_grant_token"] = "grant-new"
    run = loaded.event_run(updated("CUSTOMER", 3))
    assert [row["agreementNumber"] for row in run.records["customers"]] == [AGREEMENT]
    assert loaded.paths.count("/self") == 1
    loaded.event_run(updated("CUSTOMER", 4))
    assert "/self" not in loaded.paths


def test_two_tokens_that_change_places_still_read_their_own_companies(loaded: Companies) -> None:
    loaded.config["agreements"].reverse()
    name = loaded.companies[0].rows("rest:/customers")[2]["name"]
    run = loaded.event_run(updated("CUSTOMER", 3))
    (row,) = run.records["customers"]
    assert (row["agreementNumber"], row["name"]) == (AGREEMENT, name)


def test_the_inbox_knows_how_far_the_state_is(loaded: Companies) -> None:
    loaded.event_run(updated("CUSTOMER", 3), NewEvent(7, "CUSTOMER_UPDATED", {"newnumber": 1}))
    loaded.event_run()
    health = loaded.inbox.health()
    assert health["unread"] == 1
    assert health["unknown_agreements"] == [7]


def test_a_nightly_run_names_agreements_that_are_not_in_the_settings(loaded: Companies) -> None:
    loaded.inbox.append([updated("CUSTOMER", 3), NewEvent(7, "CUSTOMER_UPDATED", {"newnumber": 1})])
    run = loaded.run()
    assert run.warnings[-1].endswith("agreements that are not in the settings: 7")


@pytest.mark.parametrize("folder", ["nowhere", "a" * 300])
def test_an_inbox_that_cannot_be_read_fails_event_runs_only(loaded: Companies, folder: str) -> None:
    """Also where the system does not say whether there is one, as in another user's folder."""
    loaded.inbox.append([updated("CUSTOMER", 3)])
    nowhere: dict[str, Any] = {"events_inbox": f"sqlite:///{folder}/inbox.db"}
    run = loaded.run(events_only=True, code=1, **nowhere)
    assert "There is no inbox" in run.errors[-1]
    run = loaded.run(**nowhere)
    assert "Events stay unread: There is no inbox" in run.stderr
    assert loaded.place() == 0
    assert loaded.event_run().records


@pytest.mark.parametrize(
    "damage", [{"read": "x"}, {"at": "2025-11-01T07:00:00"}], ids=["no place", "no time zone"]
)
def test_damaged_events_in_the_state_are_replaced_by_the_next_night(
    loaded: Companies, damage: dict[str, str]
) -> None:
    loaded.state["bookmarks"]["agreements"]["partitions"][0]["events"].update(damage)
    loaded.inbox.append([updated("CUSTOMER", 3)])
    get_older(loaded.file, 61)
    run = loaded.run(events_only=True)
    assert run.messages == []
    assert "damaged" in run.stderr
    loaded.run()
    assert loaded.place() == 1


def test_numbers_that_no_row_can_have_do_not_stop_the_others(loaded: Companies) -> None:
    """What a webhook sends is not trusted: e-conomic rejects a list with a number like that."""
    run = loaded.event_run(
        *(updated("CUSTOMER", number) for number in (3, -1, 10**17, "x", "9" * 50))
    )
    assert [row["customerNumber"] for row in run.records["customers"]] == [3]
    assert all("99999" not in path and str(10**17) not in path for path in loaded.targets)
    assert loaded.place() == 5


def test_a_company_that_is_no_longer_in_the_settings_costs_nothing(loaded: Companies) -> None:
    """Its events are not read; a company that is new makes /self be requested."""
    loaded.sandbox.grants["grant-new"] = loaded.sandbox.grants["grant-one"]
    other = build_company(AGREEMENT + 7, "Firma 7", seed=7, entries=20)
    loaded.sandbox.grants["grant-new"] = Grant(other)
    loaded.config["agreements"][0]["agreement_grant_token"] = "grant-new"
    run = loaded.event_run(updated("CUSTOMER", 3))
    assert run.messages == []


def test_events_only_needs_an_inbox(warm_tap: TapRunner, sandbox: Sandbox) -> None:
    run = warm_tap(settings_for(sandbox, "demo", events_only=True))
    assert run.exit_code == 1
    assert "events_only needs events_inbox" in run.stderr


def test_without_an_inbox_nothing_of_it_is_imported() -> None:
    code = (
        "import sys; import tap_visma_economic.tap;"
        "ours = [name for name in sys.modules if name.startswith('tap_visma_economic.')];"
        "print([name for name in ours if 'events' in name or 'webhooks.' in name])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
