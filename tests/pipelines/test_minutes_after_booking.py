"""Event runs between nightly runs, through Meltano and its state into a real PostgreSQL."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import random
import resource
import sqlite3
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.conftest import settings_for
from tests.hooks import Disorder, Hooks, age, invoice
from tests.life import Life
from tests.pipelines.conftest import Pipeline, into, said
from tests.pipelines.test_some_weeks_in_postgres import rows_in
from tests.sandbox.grants import Grant
from tests.sandbox.server import Sandbox
from tests.warehouse import Warehouse, key_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.pipelines.postgres import Postgres

STREAMS = (
    "booked_entries",
    "customers",
    "draft_entries",
    "invoices_booked",
    "invoices_booked_lines",
    "products",
    "projects",
    "suppliers",
)
LEDGER = ("booked_entries", "invoices_booked")
MOST_SECONDS = 300
"""On a busy machine; the recipe states what a run took, and how much of that was computing."""


class Office:
    """A company, its inbox, and Meltano, which loads PostgreSQL."""

    def __init__(self, folder: Path, sandbox: Sandbox, life: Life, postgres: Postgres) -> None:
        self.disorder = Disorder(folder, random.Random(1))
        self.sandbox, self.life, self.postgres = sandbox, life, postgres
        self.config = settings_for(
            sandbox,
            "demo",
            emit_activate_version_messages=True,
            events_inbox=self.disorder.url,
        )
        self.target = {
            **into(postgres),
            "TARGET_POSTGRES_ACTIVATE_VERSION": "true",
            "TARGET_POSTGRES_HARD_DELETE": "true",
            "TAP_VISMA_ECONOMIC__SELECT": json.dumps([f"{stream}.*" for stream in STREAMS]),
        }

    def run(self, pipeline: Pipeline, **settings: Any) -> None:
        """Run Meltano, a minute after the run before."""
        self.sandbox.log.clear()
        self.disorder.get_older(61)
        _age_meltanos_state(pipeline)
        run = pipeline.run("target-postgres", {**self.config, **settings}, self.target)
        assert run.exit_code == 0, said(run)

    def wrong(self, tables: Warehouse, streams: tuple[str, ...], *, gone: bool) -> list[str]:
        found = []
        for stream in streams:
            rows = rows_in(self.postgres, stream)
            tables.tables[stream] = {key_of(stream, row): row for row in rows}
            full = stream not in {*LEDGER, "invoices_booked_lines", "projects"}
            found += tables.wrong_in(stream, gone=gone and full)
        return found


def _computed() -> float:
    """Seconds of processor time that ended processes have taken."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _age_meltanos_state(pipeline: Pipeline) -> None:
    """Let event runs have been a minute earlier."""
    file = pipeline.project.folder / ".meltano" / "meltano.db"
    with contextlib.closing(sqlite3.connect(file)) as database, database:
        if not database.execute("SELECT 1 FROM sqlite_master WHERE name = 'state'").fetchall():
            return
        for name, text in database.execute(
            "SELECT state_id, completed_state FROM state"
        ).fetchall():
            state = json.loads(text) if isinstance(text, str) else text
            age(state.get("singer_state"), 61)
            database.execute(
                "UPDATE state SET completed_state = ? WHERE state_id = ?", (json.dumps(state), name)
            )


@pytest.fixture
def office(tmp_path: Path, postgres: Postgres) -> Iterator[Office]:
    life = Life(7, entries=1200)
    with Sandbox({"demo": Grant(life.company)}, clock=life.clock) as sandbox:
        yield Office(tmp_path, sandbox, life, postgres)


def test_an_invoice_is_in_postgres_seconds_after_its_event_is_old_enough(
    pipeline: Pipeline, office: Office, warm_tap: Any
) -> None:
    office.run(pipeline)
    office.run(pipeline, events_only=True)
    assert not office.sandbox.log  # a quiet run
    world = office.life.company.world
    number = office.life.company.sell(world.customers[0].number, world.products[0].number)
    office.disorder.inbox.append([invoice(number)])
    began, computed = time.monotonic(), _computed()
    office.run(pipeline, events_only=True)
    seconds = time.monotonic() - began
    print(f"{seconds:.1f} seconds, {_computed() - computed:.1f} of them computing")
    assert seconds < MOST_SECONDS
    tables = Warehouse(warm_tap, office.sandbox, office.life.company, *STREAMS)
    assert office.wrong(tables, LEDGER, gone=False) == []
    office.run(pipeline, events_only=True)
    assert not office.sandbox.log  # Meltano has kept the place


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_with_meltanos_state_too_tables_equal_the_books(
    installed: Path, tmp_path: Path, postgres: Postgres, warm_tap: Any, seed: int
) -> None:
    """Also rows that an event run wrote, without a version, are deleted by the next night."""
    pipeline = Pipeline(tmp_path / "project", installed)  # whose state is not another company's
    life = Life(seed, entries=1200)
    for stream in STREAMS:
        postgres.query(f'DROP TABLE IF EXISTS economic."{stream}"')
    with Sandbox({"demo": Grant(life.company)}, clock=life.clock) as sandbox:
        office, hooks = Office(tmp_path, sandbox, life, postgres), Hooks(life.company)
        tables = Warehouse(warm_tap, sandbox, life.company, *STREAMS)
        office.run(pipeline)
        for _ in range(4):
            for _ in range(2):
                life.dawns()
                life.invoice_booked()
                for _ in range(4):
                    life.happens()
                office.disorder.inbox.append(hooks.events())
                office.run(pipeline, events_only=True)
                assert sandbox.log
                assert office.wrong(tables, LEDGER, gone=False) == []
            life.pass_time(dt.timedelta(days=3))
            office.run(pipeline)
            assert office.wrong(tables, STREAMS, gone=True) == []
            assert office.disorder.inbox.health()["unknown_agreements"] == []
