"""Deleted rows in a real PostgreSQL: gone or marked when that is certain, and else never.

Seven runs of one warehouse, whose target marks deleted rows and, in the last run, deletes them;
each test looks at the tables as one of the runs left them.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from tests.conftest import settings_for
from tests.pipelines.conftest import Pipeline, into, said
from tests.sandbox.company import Company
from tests.sandbox.server import Sandbox
from tests.support import numbered_grants
from tests.test_discovery import CONTRACT
from tests.test_records_arrive import truth

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scripts.local import Run
    from tests.pipelines.postgres import Postgres
    from tests.sandbox.faults import Fault

STREAMS = (
    "agreements",
    "booked_entries",
    "customers",
    "dimensions",
    "invoices_booked",
    "invoices_drafts",
    "journals",
)
ENTRIES = {1: 2500, 2: 120, 3: 120}
"""The first company has more than the 1,000 numbers that are read again with every run."""
PATIENCE = 60
"""Seconds that a run is given to come to where it is ended."""

Rows = dict[str, set[tuple[str, ...]]]
"""The keys of the rows by stream; the first part of each is the agreement number."""


@dataclass(frozen=True)
class Stage:
    """The tables after a run.

    Attributes:
        run: how it went.
        books: what the three companies had in e-conomic.
        held: the rows that the tables have.
        alive: those of them that are not marked as deleted.
    """

    run: Run
    books: Rows
    held: Rows
    alive: Rows


@dataclass(frozen=True)
class Story:
    """What happened, run by run; all but the last three runs follow a change in company 1.

    Attributes:
        loaded: everything was read for the first time.
        partly: company 2 had lost its dimensions, and its journals failed.
        without: company 2 was not in the settings.
        stopped: the tap was ended while it read the customers of company 2.
        whole: everything was read; a customer that had been deleted was there again.
        cut: as `stopped`, but Meltano and the target were ended with the tap.
        purged: everything was read, with `hard_delete`.
        customer: key of a customer that was deleted before `partly`, and is there in `whole`.
        draft: key of a draft invoice that was booked before `partly`.
        booked: key of the invoice that the draft became.
    """

    loaded: Stage
    partly: Stage
    without: Stage
    stopped: Stage
    whole: Stage
    cut: Stage
    purged: Stage
    customer: tuple[str, ...]
    draft: tuple[str, ...]
    booked: tuple[str, ...]


class Warehouse:
    """A Meltano project, a PostgreSQL server and three companies.

    Args:
        pipeline: a project of its own.
        sandbox: the companies.
        postgres: the server.
    """

    def __init__(self, pipeline: Pipeline, sandbox: Sandbox, postgres: Postgres) -> None:
        self.pipeline = pipeline
        self.sandbox = sandbox
        self.postgres = postgres
        self.environment = {
            **into(postgres),
            "TARGET_POSTGRES_ACTIVATE_VERSION": "true",
            "TARGET_POSTGRES_HARD_DELETE": "false",
            "TAP_VISMA_ECONOMIC__SELECT": json.dumps([f"{stream}.*" for stream in STREAMS]),
        }

    def company(self, number: int) -> Company:
        company = self.sandbox.grants[f"company-{number}"].company
        assert isinstance(company, Company)
        return company

    def run(self, *numbers: int) -> Stage:
        return self._stage(self._run(*numbers))

    def run_and_end(self, *, group: bool) -> Stage:
        """Begin a run, and end it while it waits for the customers of company 2.

        Args:
            group: whether Meltano and the target are ended as well as the tap.
        """
        hang = self.sandbox.faults.add("/customers", "hang", times=None, grant="company-2")
        with ThreadPoolExecutor(1) as background:
            run = background.submit(self._run, *ENTRIES)
            try:
                _wait_for(hang)
                _terminate(group=group)
                ended = run.result(PATIENCE)
            finally:  # the run would wait for ever
                self.sandbox.faults.clear()
                if not run.done():
                    _terminate(group=True)
        return self._stage(ended)

    def _run(self, *numbers: int) -> Run:
        grants = (f"company-{number}" for number in numbers)
        config = settings_for(self.sandbox, *grants, emit_activate_version_messages=True)
        return self.pipeline.run("target-postgres", config, self.environment)

    def _stage(self, run: Run) -> Stage:
        books = {
            stream: {
                _key(stream, {**row, "agreementNumber": number})
                for number in ENTRIES
                for row in truth(self.company(number), stream)
            }
            for stream in STREAMS
        }
        return Stage(run, books, self._rows("true"), self._rows("_sdc_deleted_at IS NULL"))

    def _rows(self, where: str) -> Rows:
        return {stream: self._keys(stream, where) for stream in STREAMS}

    def _keys(self, stream: str, where: str) -> set[tuple[str, ...]]:
        columns = ", ".join(f'"{name}"' for name in CONTRACT[stream]["primary_keys"])
        rows = self.postgres.query(f'SELECT {columns} FROM economic."{stream}" WHERE {where}')
        return {tuple(row) for row in rows}


def _key(stream: str, row: dict[str, Any]) -> tuple[str, ...]:
    return tuple(str(row[name]) for name in CONTRACT[stream]["primary_keys"])


def _wait_for(fault: Fault) -> None:
    patience = time.monotonic() + PATIENCE
    while not fault.applied:
        assert time.monotonic() < patience, "the run did not come that far"
        time.sleep(0.05)
    time.sleep(0.5)  # what was read before gets to the target


def _terminate(*, group: bool) -> None:
    """Send SIGTERM to the tap of this process's Meltano, or to Meltano's whole group."""
    listed = subprocess.run(
        ["ps", "-A", "-ww", "-o", "pid=,ppid=,pgid=,args="],
        capture_output=True,
        text=True,
        check=True,
    )
    rows = [line.split(maxsplit=3) for line in listed.stdout.splitlines()]
    meltano = next(r[0] for r in rows if r[1] == str(os.getpid()) and r[2] == r[0])
    tap = next(r[0] for r in rows if r[1] == meltano and "bin/tap-visma-economic" in r[3])
    if group:
        os.killpg(int(meltano), signal.SIGTERM)
    else:
        os.kill(int(tap), signal.SIGTERM)


@pytest.fixture(scope="module")
def story(pipeline: Pipeline, postgres: Postgres) -> Iterator[Story]:
    """All runs of three companies of the test's own, the third without modules."""
    with Sandbox(numbered_grants(ENTRIES)) as sandbox:
        yield told(Warehouse(pipeline, sandbox, postgres))


def told(warehouse: Warehouse) -> Story:
    company = warehouse.company(1)
    customers: Any = company.rows("rest:/customers")
    journals: Any = company.rows("rest:/journals")
    dimensions: Any = company.rows("dimensionsapi:/dimensions")
    faults = warehouse.sandbox.faults

    loaded = warehouse.run(1, 2, 3)

    draft: Any = company.rows("rest:/invoices/drafts")[0]["draftInvoiceNumber"]
    booked = company.book_draft(draft)
    deleted = customers.pop()
    journals.pop()
    dimensions.pop()
    faults.add("/dimensions", "status", status=403, times=None, grant="company-2")
    faults.add("/journals", "status", status=400, times=None, grant="company-2")
    partly = warehouse.run(1, 2, 3)
    faults.clear()

    customers.pop()
    without = warehouse.run(1, 3)
    stopped = warehouse.run_and_end(group=False)
    customers.append(deleted)
    whole = warehouse.run(1, 2, 3)
    customers.pop(0)
    cut = warehouse.run_and_end(group=True)

    warehouse.environment["TARGET_POSTGRES_HARD_DELETE"] = "true"
    purged = warehouse.run(1, 2, 3)

    return Story(
        loaded=loaded,
        partly=partly,
        without=without,
        stopped=stopped,
        whole=whole,
        cut=cut,
        purged=purged,
        customer=("1", str(deleted["customerNumber"])),
        draft=("1", str(draft)),
        booked=("1", str(booked)),
    )


def test_at_first_every_row_of_the_companies_is_there(story: Story) -> None:
    assert story.loaded.run.exit_code == 0, said(story.loaded.run)
    assert story.loaded.alive == story.loaded.books
    assert {number for number, _ in story.loaded.alive["dimensions"]} == {"1", "2"}


def test_a_customer_deleted_in_e_conomic_goes_and_no_other(story: Story) -> None:
    gone = story.loaded.alive["customers"] - story.partly.alive["customers"]
    assert gone == {story.customer}
    assert story.partly.alive["customers"] == story.partly.books["customers"]


def test_a_draft_that_is_booked_goes_from_the_drafts_and_no_other(story: Story) -> None:
    gone = story.loaded.alive["invoices_drafts"] - story.partly.alive["invoices_drafts"]
    assert gone == {story.draft}
    assert story.partly.alive["invoices_drafts"] == story.partly.books["invoices_drafts"]


def test_the_invoice_that_the_draft_became_arrives(story: Story) -> None:
    new = story.partly.alive["invoices_booked"] - story.loaded.alive["invoices_booked"]
    assert new == {story.booked}


def test_rows_below_a_bookmark_stay(story: Story) -> None:
    for stream in ("booked_entries", "invoices_booked"):
        assert story.partly.alive[stream] == story.partly.books[stream]


def test_the_table_of_a_lost_module_keeps_every_row(story: Story) -> None:
    assert story.partly.books["dimensions"] < story.loaded.books["dimensions"]
    assert story.partly.alive["dimensions"] == story.loaded.alive["dimensions"]


def test_a_table_that_failed_for_one_company_keeps_every_row(story: Story) -> None:
    assert story.partly.run.exit_code == 1
    assert story.partly.books["journals"] < story.loaded.books["journals"]
    assert story.partly.alive["journals"] == story.loaded.alive["journals"]


@pytest.mark.parametrize("stream", ["dimensions", "journals"])
def test_the_log_says_which_company_holds_the_deletions_back(story: Story, stream: str) -> None:
    lines = [line.text for line in story.partly.run.log]
    assert any(f"ACTIVATE_VERSION not sent for {stream}: agreement 2" in line for line in lines), (
        said(story.partly.run)
    )


def test_without_company_2_in_the_settings_no_row_goes_from_any_table(story: Story) -> None:
    assert story.without.run.exit_code == 0, said(story.without.run)
    assert story.without.books["customers"] < story.partly.books["customers"]
    assert story.without.alive == story.partly.alive


def test_when_the_tap_is_ended_half_way_no_row_goes_from_any_table(story: Story) -> None:
    assert story.stopped.run.exit_code != 0
    assert story.stopped.alive == story.partly.alive


def test_the_next_complete_run_makes_every_table_what_e_conomic_has(story: Story) -> None:
    assert story.whole.run.exit_code == 0, said(story.whole.run)
    assert story.whole.alive == story.whole.books


def test_a_row_that_is_back_in_e_conomic_is_back_in_the_table(story: Story) -> None:
    assert story.customer not in story.stopped.alive["customers"]
    assert story.customer in story.whole.alive["customers"]


def test_when_everything_is_ended_half_way_no_row_goes_from_any_table(story: Story) -> None:
    assert story.cut.run.exit_code != 0
    assert story.cut.books["customers"] < story.whole.books["customers"]
    assert story.cut.alive == story.whole.alive


def test_rows_that_are_gone_are_marked_and_with_hard_delete_deleted(story: Story) -> None:
    stages = (story.loaded, story.partly, story.without, story.stopped, story.whole, story.cut)
    ever: Rows = {stream: set() for stream in STREAMS}
    for stage in stages:
        ever = {stream: ever[stream] | stage.alive[stream] for stream in STREAMS}
        assert stage.held == ever
    assert story.purged.run.exit_code == 0, said(story.purged.run)
    assert story.purged.held == story.purged.alive == story.purged.books
