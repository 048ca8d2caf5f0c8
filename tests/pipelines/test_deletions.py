"""Deleted rows in a real PostgreSQL: gone or marked when that is certain, and else never."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from tests.conftest import settings_for
from tests.pipelines.conftest import into, said
from tests.sandbox.company import Company
from tests.sandbox.server import Sandbox
from tests.support import numbered_grants
from tests.test_discovery import CONTRACT
from tests.test_records_arrive import truth

if TYPE_CHECKING:
    from scripts.local import Run
    from tests.pipelines.conftest import Pipeline
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
PATIENCE = 180
"""Seconds that a run is given to come to where it is ended."""

Rows = dict[str, set[tuple[str, ...]]]
"""The keys of the rows by stream; the first part of each is the agreement number."""


class Warehouse:
    """A Meltano project, a PostgreSQL server and three companies, the third without modules.

    Attributes:
        ever: the rows that were alive after any of the runs.
    """

    def __init__(self, pipeline: Pipeline, sandbox: Sandbox, postgres: Postgres) -> None:
        self.pipeline, self.sandbox, self.postgres = pipeline, sandbox, postgres
        self.ever: Rows = {stream: set() for stream in STREAMS}
        self.settings = {
            **into(postgres),
            "TARGET_POSTGRES_ACTIVATE_VERSION": "true",
            "TARGET_POSTGRES_HARD_DELETE": "false",
            "TAP_VISMA_ECONOMIC__SELECT": json.dumps([f"{stream}.*" for stream in STREAMS]),
        }

    def company(self, number: int) -> Company:
        company = self.sandbox.grants[f"company-{number}"].company
        assert isinstance(company, Company)
        return company

    def run(self, *numbers: int) -> Run:
        grants = (f"company-{number}" for number in numbers)
        config = settings_for(self.sandbox, *grants, emit_activate_version_messages=True)
        return self.pipeline.run("target-postgres", config, self.settings)

    def complete(self, *numbers: int) -> None:
        run = self.run(*numbers)
        assert run.exit_code == 0, said(run)

    def run_and_end(self, *, group: bool) -> None:
        """Begin a run, and end it while it waits for the customers of company 2.

        Args:
            group: whether Meltano and the target are ended as well as the tap.
        """
        hang = self.sandbox.faults.add("/customers", "hang", times=None, grant="company-2")
        with ThreadPoolExecutor(1) as background:
            run = background.submit(self.run, *ENTRIES)
            try:
                _wait_for(hang)
                _terminate(group=group)
                ended = run.result(PATIENCE)
            finally:  # the run would wait for ever
                self.sandbox.faults.clear()
                if not run.done():
                    _terminate(group=True)
        assert ended.exit_code != 0

    def books(self) -> Rows:
        """What the companies have in e-conomic."""
        return {
            stream: {
                _key(stream, {**row, "agreementNumber": number})
                for number in ENTRIES
                for row in truth(self.company(number), stream)
            }
            for stream in STREAMS
        }

    def alive(self) -> Rows:
        """The rows of the tables that are not marked as deleted."""
        rows = self.rows("_sdc_deleted_at IS NULL")
        self.ever = {stream: self.ever[stream] | rows[stream] for stream in STREAMS}
        return rows

    def rows(self, where: str = "true") -> Rows:
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


def test_deleted_rows_go_when_that_is_certain_and_else_never(
    pipeline: Pipeline, postgres: Postgres
) -> None:
    with Sandbox(numbered_grants(ENTRIES)) as sandbox:
        story(Warehouse(pipeline, sandbox, postgres))


def story(warehouse: Warehouse) -> None:
    """Seven runs, before most of which something changes in company 1."""
    company = warehouse.company(1)
    rows: Any = company.rows
    customers = rows("rest:/customers")
    faults = warehouse.sandbox.faults

    warehouse.complete(*ENTRIES)
    loaded = warehouse.alive()
    assert loaded == warehouse.books()
    assert {number for number, _ in loaded["dimensions"]} == {"1", "2"}

    draft = rows("rest:/invoices/drafts")[0]["draftInvoiceNumber"]
    booked = company.book_draft(draft)
    deleted = customers.pop()
    rows("rest:/journals").pop()
    rows("dimensionsapi:/dimensions").pop()
    faults.add("/dimensions", "status", status=403, times=None, grant="company-2")
    faults.add("/journals", "status", status=400, times=None, grant="company-2")
    run = warehouse.run(*ENTRIES)
    faults.clear()
    partly, books = warehouse.alive(), warehouse.books()
    customer = ("1", str(deleted["customerNumber"]))
    assert loaded["customers"] - partly["customers"] == {customer}
    assert loaded["invoices_drafts"] - partly["invoices_drafts"] == {("1", str(draft))}
    assert partly["invoices_booked"] - loaded["invoices_booked"] == {("1", str(booked))}
    for stream in ("booked_entries", "customers", "invoices_booked", "invoices_drafts"):
        assert partly[stream] == books[stream], "and no others"
    assert run.exit_code == 1
    for stream in ("dimensions", "journals"):
        assert books[stream] < partly[stream] == loaded[stream], "company 2 holds them back"
        told = f"ACTIVATE_VERSION not sent for {stream}: agreement 2"
        assert any(told in line.text for line in run.log), said(run)

    customers.pop()
    warehouse.complete(1, 3)
    assert warehouse.books()["customers"] < books["customers"]
    assert warehouse.alive() == partly, "company 2 is not in the settings"
    warehouse.run_and_end(group=False)
    assert warehouse.alive() == partly, "the tap was ended half-way"

    customers.append(deleted)
    warehouse.complete(*ENTRIES)
    whole = warehouse.alive()
    assert whole == warehouse.books()
    assert customer in whole["customers"], "a row that is back in e-conomic"

    customers.pop(0)
    assert warehouse.books()["customers"] < whole["customers"]
    warehouse.run_and_end(group=True)
    assert warehouse.alive() == whole, "Meltano and the target were ended too"
    assert warehouse.rows() == warehouse.ever, "rows are marked"

    warehouse.settings["TARGET_POSTGRES_HARD_DELETE"] = "true"
    warehouse.complete(*ENTRIES)
    assert warehouse.rows() == warehouse.alive() == warehouse.books()
