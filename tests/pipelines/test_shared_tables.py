"""Rows deleted in e-conomic, in tables that two jobs share, in a real PostgreSQL.

The tap's own command line writes into target-postgres. Which rows are living is what the SQL of
docs/running/deleted-rows.md returns.
"""

from __future__ import annotations

import json
import signal
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from tests.dbt import Project
from tests.documents import blocks
from tests.lives import NUMBERED, Lives
from tests.pipelines.conftest import into

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tests.conftest import Message
    from tests.lives import Rows
    from tests.pipelines.postgres import Postgres

pytestmark = pytest.mark.slow

PAGE = "docs/running/deleted-rows.md"
(LIVING,) = (b.text for b in blocks(PAGE) if b.title == "living_customers.sql")


class PostgresTarget:
    """target-postgres, run once for the messages of each run."""

    def __init__(self, folder: Path, program: Path, postgres: Postgres) -> None:
        self.program = program
        self.postgres = postgres
        self.loads: list[int] = []
        self.config = folder / "target.json"
        names = {
            name.removeprefix("TARGET_POSTGRES_").lower(): value
            for name, value in into(postgres).items()
        }
        schema = {"default_target_schema": "economic", "add_record_metadata": True}
        self.config.write_text(json.dumps({**names, "port": postgres.port, **schema}))

    def load(self, messages: Sequence[Message], *, breaks: str | None, killed: bool) -> Any:
        """Store messages, and return the last STATE that was confirmed, if any."""
        table, there = f"economic.{breaks}", breaks in self._tables()
        if there:
            self.postgres.query(f"ALTER TABLE {table} ADD CONSTRAINT no CHECK (false) NOT VALID")
        if killed:  # it stores what comes, and is ended before it can confirm it
            messages = [m for m in messages if m["type"] != "STATE"]
        lines = "".join(json.dumps(message, default=float) + "\n" for message in messages)
        done = subprocess.run(
            [str(self.program), "--config", str(self.config)],
            input=lines,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        if there:
            self.postgres.query(f"ALTER TABLE {table} DROP CONSTRAINT no")
            wrote = any(m.get("stream") == breaks for m in messages if m["type"] == "RECORD")
            assert bool(done.returncode) is wrote, done.stderr[-2000:]
        else:
            assert done.returncode == 0, done.stderr[-2000:]
        self._note()
        states = done.stdout.splitlines()
        return json.loads(states[-1]) if states else None

    def _tables(self) -> list[str]:
        sql = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'economic'"
        return [name for (name,) in self.postgres.query(sql)]

    def _note(self) -> None:
        """Note when the target's process started, which a load of nothing does not tell."""
        started = "SELECT coalesce(max(_sdc_sync_started_at), 0) FROM economic."
        found = [int(self.postgres.query(started + table)[0][0]) for table in self._tables()]
        latest = max(found, default=0)
        self.loads.append(latest if latest not in self.loads else -1)

    def living(self, stream: str) -> Rows:
        """The rows that are not deleted in e-conomic, by the SQL of the page."""
        rows: Rows = {}
        if {stream, "sync_runs"} <= {*self._tables()}:
            key = NUMBERED[stream][1]
            sql = LIVING.replace("customers", stream)
            found = self.postgres.query(
                f'SELECT "agreementNumber", "{key}", name FROM ({sql}) AS x'
            )
            for number, row, name in found:
                rows.setdefault(int(number), {})[int(row)] = name
        return rows

    def gone(self, stream: str) -> list[tuple[int, int, int]]:
        """The other rows, with the load that proved it."""
        if not {stream, "sync_runs"} <= {*self._tables()}:
            return []
        key = NUMBERED[stream][1]
        sql = LIVING.replace("customers", stream)
        sql = sql.replace(
            f"select {stream}.*", f'select {stream}."agreementNumber", "{key}", since'
        )
        sql = sql.split("where proven.since is null")[0]
        sql += f" where {stream}._sdc_sync_started_at < proven.since"
        found = [tuple(map(int, row)) for row in self.postgres.query(sql)]
        return [(number, row, self.loads.index(since) + 1) for number, row, since in found]


@pytest.fixture
def target(tmp_path: Path, installed: Path, postgres: Postgres) -> PostgresTarget:
    program = installed / ".meltano/loaders/target-postgres/venv/bin/target-postgres"
    postgres.query("DROP SCHEMA IF EXISTS economic CASCADE")
    return PostgresTarget(tmp_path, program, postgres)


class Story(Lives):
    """Customers of company 1 that are deleted, and what runs make of them."""

    def delete(self, number: int = 1) -> int:
        rows = self.listing("customers", number)
        key: int = rows.pop()["customerNumber"]
        return key

    def shown(self, number: int = 1) -> set[int]:
        return {*self.target.living("customers")[number]}

    def held(self, number: int = 1) -> set[int]:
        return {*self.rows("customers", number)}


def test_a_deleted_row_disappears_once_that_is_proven_and_no_living_one_ever(
    tmp_path: Path, target: PostgresTarget, postgres: Postgres
) -> None:
    with Story(tmp_path, 0, target) as story:
        for job in ("a", "b", "a", "b"):
            story.run(job)
        first = story.delete()
        other = story.delete(3)
        story.run("a")
        assert first in story.shown(), "not proven yet"
        story.run("a", breaks="units")
        assert first not in story.shown(), "proven by the run that failed later"
        assert story.shown() == story.held()
        assert other in story.shown(3), "the other job has not run"

        second = story.delete()
        sync_runs = 'SELECT count(*) FROM economic.sync_runs WHERE "agreementNumber" = 1'
        before = postgres.query(sync_runs)
        story.run("a", breaks="units")
        assert postgres.query(sync_runs) > before, "sync_runs is stored before the units fail"
        units = "SELECT count(*) FROM (" + LIVING.replace("customers", "units") + ") AS x"
        assert int(postgres.query(units)[0][0]) == sum(
            len(story.rows("units", n)) for n in (1, 2, 3)
        ), "their rows are old, and living"
        story.run("a", breaks="units")
        assert second in story.shown(), "neither run is proven"
        story.check()

        for how in (signal.SIGKILL, signal.SIGTERM):
            story.tap.plan(6, lambda how=how: story.tap.send(how))  # type: ignore[misc]
            story.run("a", ended=how)
            story.check()
        story.sandbox.revoke("grant-2")
        story.run("a")
        assert story.shown(2) == story.held(2), "nothing is known of a company that is not read"
        story.sandbox.service.revoked.clear()
        story.run("a")
        story.run("a", events_only=True)
        story.run("a")
        assert story.shown() == story.held()
        assert story.shown(3) == story.held(3) | {other}
        story.run("b")
        story.run("b")
        assert story.shown(3) == story.held(3)
        story.check()
        assert story.disappeared

        story.sandbox.revoke("grant-2")
        story.run("a")
        made = Project(tmp_path, "postgres", into(postgres)).build(
            "--select",
            "+stg_economic__customers",
            "+company_freshness",
            "--indirect-selection=cautious",
        )
        assert made.exit_code == 0, made.text
        sql = (
            "SELECT agreement_number, customer_number FROM economic_reports.stg_economic__customers"
        )
        found = {(int(number), int(key)) for number, key in postgres.query(sql)}
        assert found == {(n, key) for n in (1, 2, 3) for key in story.held(n)}
        made_of = "economic_reports.company_freshness"
        fresh = postgres.query(f"SELECT agreement_number, last_outcome FROM {made_of} ORDER BY 1")
        assert fresh == [["1", "complete"], ["2", "refused"], ["3", "complete"]]
        sql = f"SELECT company_name, fresh_as_of IS NULL, why LIKE '%401%' FROM {made_of}"
        assert postgres.query(f"{sql} WHERE agreement_number = 2") == [["Firma 2", "f", "t"]]


def test_a_life_at_random_in_postgres(tmp_path: Path, target: PostgresTarget) -> None:
    with Lives(tmp_path, 7, target) as lives:
        lives.pass_by()
        assert lives.disappeared
