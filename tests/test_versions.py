"""Deleted rows: the target is told only when every company of a table was read completely."""

from __future__ import annotations

from collections import Counter
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from tests.sandbox.company import build_company
from tests.sandbox.grants import Grant
from tests.sandbox.server import Sandbox
from tests.support import Altered, Watched, activated, always, numbered_grants
from tests.warehouse import Target

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import Run, TapRunner

STREAMS = ("agreements", "app_roles", "customers", "dimensions", "journals", "booked_entries")
NUMBERS = (1, 2, 3)
ENTRIES = "bookedEntriesapi:/booked-entries"
CONTACTS = "customersapi:/Contacts"
ORDERS = "q2capi:/orders/{documentStatus}/lines"


class Job(Target):
    """Runs of three companies with one target; ACTIVATE_VERSION is sent if not said otherwise."""

    def __call__(self, *numbers: int, code: int = 0, **settings: Any) -> Run:
        """Read these companies, or all."""
        grants = [f"company-{number}" for number in numbers]
        settings = {"emit_activate_version_messages": True, **settings}
        return self.run(code=code, grants=grants, **settings)

    def companies(self, stream: str) -> dict[int, int]:
        """How many rows each company has in a table."""
        return Counter(row["agreementNumber"] for row in self.tables[stream].values())

    def all_companies(self) -> dict[str, dict[int, int]]:
        return {stream: self.companies(stream) for stream in self.tables}

    def age(self, stream: str) -> None:
        """Let the last full read of a stream have been years ago."""
        assert self.state is not None
        for partition in self.state["bookmarks"][stream]["partitions"]:
            partition["full_read_at"] = "2020-01-01T00:00:00Z"


OFF = {"emit_activate_version_messages": False}


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """Three companies of a test's own; the third has no modules."""
    with Sandbox(numbered_grants(dict.fromkeys(NUMBERS, 120))) as running:
        yield running


@pytest.fixture
def job(warm_tap: TapRunner, sandbox: Sandbox) -> Job:
    return Job(warm_tap, sandbox, *STREAMS)


@pytest.fixture
def loaded(job: Job) -> Job:
    """After a complete run."""
    job()
    return job


def test_without_the_setting_messages_have_no_version(job: Job) -> None:
    run = job(1, **OFF)
    assert not activated(run)
    assert not any("version" in message for message in run.messages)


def test_a_complete_run_activates_every_table_once_after_its_last_row(job: Job) -> None:
    run = job()
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
    assert set(job.companies("dimensions")) == {1, 2}  # the third never had the module


def test_a_row_deleted_in_e_conomic_is_deleted(loaded: Job, sandbox: Sandbox) -> None:
    customers: Any = sandbox.grants["company-2"].company.rows("rest:/customers")
    gone = "2", str(customers.pop()["customerNumber"])
    assert gone in loaded.tables["customers"]
    loaded()
    assert gone not in loaded.tables["customers"]
    assert loaded.companies("customers")[2] == len(customers)


def test_a_company_that_fails_keeps_its_rows(loaded: Job, sandbox: Sandbox) -> None:
    before = loaded.companies("customers")
    always(sandbox, "/customers", 400, grant="company-2")
    run = loaded(code=1)
    assert loaded.companies("customers") == before
    assert "customers" not in activated(run)
    assert "journals" in activated(run)
    assert "ACTIVATE_VERSION not sent for customers: agreement 2" in run.stderr


def test_a_company_with_more_rows_counted_than_returned_keeps_its_rows(
    loaded: Job, sandbox: Sandbox
) -> None:
    before = loaded.companies("customers")
    rows = list(sandbox.grants["company-2"].company.rows("rest:/customers"))
    total = len(rows)
    page = {"collection": rows[:-3], "pagination": {"results": total}}
    always(sandbox, r"^/customers\?.*pagesize=1000", 200, page, grant="company-2")
    run = loaded(code=1)
    told = f"/customers is incomplete: {total - 3} rows were read, but e-conomic counted {total}"
    assert told in run.errors[-2]
    assert loaded.companies("customers") == before
    assert "ACTIVATE_VERSION not sent for customers: agreement 2" in run.stderr
    assert "customers" not in activated(run)
    assert {"agreements", "journals"} <= activated(run)


def test_an_empty_response_does_not_empty_a_table_whose_rows_e_conomic_counts(
    loaded: Job, sandbox: Sandbox
) -> None:
    """A listing of the newer API says nothing of how many rows there are."""
    before = loaded.companies("dimensions")
    path = r"^/dimensionsapi/[^/]+/dimensions(\?|$)"
    always(sandbox, path, 200, {"items": []}, grant="company-2")
    run = loaded(code=1)
    assert "two passes returned 0 rows each where there were" in run.errors[-2]
    assert loaded.companies("dimensions") == before
    assert "ACTIVATE_VERSION not sent for dimensions: agreement 2" in run.stderr
    assert "dimensions" not in activated(run)


def test_a_company_that_loses_a_module_keeps_its_rows(loaded: Job, sandbox: Sandbox) -> None:
    before = loaded.companies("dimensions")
    always(sandbox, "/dimensions", 403, grant="company-1")
    for _ in range(2):
        run = loaded()
        assert "dimensions" not in activated(run)
        assert loaded.companies("dimensions") == before
        notes = "1 stream skipped and ACTIVATE_VERSION not sent for 1 stream, see above"
        assert run.stderr.splitlines()[-1].endswith(notes)


def test_a_company_removed_from_the_settings_keeps_its_rows(loaded: Job) -> None:
    before = loaded.all_companies()
    run = loaded(1, 3)
    assert loaded.all_companies() == before
    assert not activated(run)


def test_a_company_whose_grant_is_rejected_keeps_its_rows(loaded: Job, sandbox: Sandbox) -> None:
    before = loaded.all_companies()
    sandbox.revoke("company-2")
    loaded(code=1)
    assert loaded.all_companies() == before


@pytest.mark.parametrize("path", ["/self", "/customers"])
def test_without_a_state_a_company_whose_grant_is_rejected_keeps_its_rows(
    loaded: Job, sandbox: Sandbox, path: str
) -> None:
    """Nothing says what the tables hold of it; `/customers` is read before the journals."""
    before = loaded.all_companies()
    always(sandbox, path, 401, grant="company-2")
    loaded.state = None
    loaded(code=1)
    for stream in ("customers", "journals"):
        assert loaded.companies(stream) == before[stream]


def test_a_company_added_later_is_read_in_full_and_activated_with_the_others(
    job: Job, sandbox: Sandbox
) -> None:
    job(1, 3)
    assert "customers" in activated(job())
    assert set(job.companies("customers")) == {1, 2, 3}
    ledger = sandbox.grants["company-2"].company.rows(ENTRIES)
    assert job.companies("booked_entries")[2] == len(ledger)


def test_an_incremental_read_activates_nothing(loaded: Job) -> None:
    before = loaded.companies("booked_entries")
    assert "booked_entries" not in activated(loaded())
    assert loaded.companies("booked_entries") == before


def test_enabling_versions_for_existing_tables_deletes_no_company(job: Job) -> None:
    job(**OFF)
    before = job.all_companies()
    job(1, 3)
    assert job.all_companies() == before


@pytest.mark.parametrize("loses", ["access", "its place in the settings"])
def test_rows_read_before_versions_and_without_the_agreements_stay(
    warm_tap: TapRunner, sandbox: Sandbox, loses: str
) -> None:
    """The state remembers the companies whether the stream `agreements` is selected or not."""
    job = Job(warm_tap, sandbox, "journals")
    job(1, 2, **OFF)
    before = job.companies("journals")
    if loses == "access":
        always(sandbox, "/journals", 403, grant="company-2")
        job(1, 2, code=1)
    else:
        job(1)
    assert job.companies("journals") == before


def test_access_granted_while_versions_were_off_is_remembered(
    warm_tap: TapRunner, sandbox: Sandbox
) -> None:
    job = Job(warm_tap, sandbox, "agreements", "journals")
    denied = always(sandbox, "/journals", 403, grant="company-2")
    job(1, 2, code=1)
    sandbox.faults.clear()
    job(1, 2, **OFF)
    before = job.companies("journals")
    assert 2 in before
    sandbox.faults.rules.append(denied)
    job(1, 2, code=1)
    assert job.companies("journals") == before


def test_a_company_partly_read_while_versions_were_off_keeps_its_rows(warm_tap: TapRunner) -> None:
    """Its state has no bookmark yet, but its rows are in the table."""
    grants = numbered_grants({1: 120, 2: 120})
    many = partial(_contacts, count=2500)
    grants["company-2"] = Grant(Altered(grants["company-2"].company, CONTACTS, many))
    with Sandbox(grants) as sandbox:
        job = Job(warm_tap, sandbox, "customer_contacts")
        always(sandbox, "/Contacts.*cursor", 400)
        job(code=1, **OFF)
        sandbox.faults.clear()
        second = job(1, full_refresh_days=1)
    assert job.companies("customer_contacts")[2] == 1000
    assert "not sent for customer_contacts: the table holds agreement 2" in second.stderr


def _contacts(rows: Any, *, count: int) -> list[Any]:
    return [{**rows[0], "number": number} for number in range(1, count + 1)]


def test_a_company_without_rows_since_a_later_start_date_keeps_its_rows(
    warm_tap: TapRunner, sandbox: Sandbox
) -> None:
    """Its bookmark starts over with that date, but its older rows are in the table."""
    job = Job(warm_tap, sandbox, "booked_entries")
    job(1, 2, **OFF)
    job(1, 2, start_date="2099-01-01", **OFF)
    before = job.companies("booked_entries")
    later = job(1)
    assert job.companies("booked_entries") == before
    assert "not sent for booked_entries: the table holds agreement 2" in later.stderr


# full_refresh_days


def test_when_a_full_read_is_due_all_companies_are_read_in_full_and_the_table_activated(
    job: Job, sandbox: Sandbox
) -> None:
    job(full_refresh_days=7)
    assert job.state is not None
    partition = job.state["bookmarks"]["booked_entries"]["partitions"][0]
    partition["full_read_at"] = "2020-01-01T00:00:00Z"
    run = job(full_refresh_days=7)
    assert "booked_entries" in activated(run)
    read = Counter(row["agreementNumber"] for row in run.records["booked_entries"])
    assert read == {n: len(sandbox.grants[f"company-{n}"].company.rows(ENTRIES)) for n in NUMBERS}
    assert "booked_entries" not in activated(job(full_refresh_days=7))


def test_a_full_read_never_moves_a_bookmark_back(job: Job, sandbox: Sandbox) -> None:
    run = job(full_refresh_days=1)
    highest = run.bookmark("booked_entries", 1)["replication_key_value"]
    job.age("booked_entries")
    always(sandbox, "/booked-entries", 400)
    run = job(code=1, full_refresh_days=1)
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
        asked.append("from now on")
        run = Job(warm_tap, sandbox, "rest_product_sales_prices")()
    assert "/products kept changing during 3 passes" in run.stderr
    assert activated(run) == set()
    assert "ACTIVATE_VERSION not sent for rest_product_sales_prices" in run.stderr


def test_a_full_read_that_may_have_missed_rows_does_not_count_as_one(warm_tap: TapRunner) -> None:
    """Products come and go while they are listed: the next full read is due as before."""
    with products_that_go() as (sandbox, asked):
        job = Job(warm_tap, sandbox, "products")
        assert job().bookmark("products", 1)["full_read_at"]
        job.age("products")
        asked.append("from now on")
        second = job()
    assert "/products kept changing during 3 passes" in second.stderr
    assert second.bookmark("products", 1)["full_read_at"] == "2020-01-01T00:00:00Z"


def test_an_order_sent_during_the_run_keeps_its_lines(warm_tap: TapRunner) -> None:
    """Drafts, sent and archived orders are three listings; this one leaves the first in time."""
    company = build_company(1, "Ordre ApS", seed=1, entries=2500)
    drafts = company.world.orders["drafts"]
    asked: list[str] = []

    def sent_before_the_last_answer(endpoint: str) -> None:
        if endpoint == ORDERS and asked:
            asked.append(endpoint)
            if len(asked) == 5:
                company.forward("orders", "drafts", drafts[0].number, "sent")

    with Sandbox({"company-1": Grant(Watched(company, sent_before_the_last_answer))}) as sandbox:
        job = Job(warm_tap, sandbox, "orders_lines")
        job()
        before = set(job.tables["orders_lines"])
        asked.append("from now on")
        sandbox.faults.add("/orders/drafts/lines", "status", status=503)  # and is asked for later
        run = job()
    assert activated(run) == {"orders_lines"}
    assert len(asked) == 7
    assert set(job.tables["orders_lines"]) == before
