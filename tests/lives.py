"""Lives of three companies whose jobs share their tables, drawn at random from a seed.

Runs are killed, a target fails on one table, deletions are undone, grants are rejected, event runs
come between. A target is what stores messages and says which rows are living: the model below, or
a real one (tests/pipelines/test_shared_tables.py).
"""

from __future__ import annotations

import copy
import json
import random
import signal
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Protocol

from tap_visma_economic.webhooks.inbox import Inbox, NewEvent
from tests.conftest import settings_for
from tests.hooks import age, get_older
from tests.nights import CODES, Meddler
from tests.sandbox.company import build_company
from tests.sandbox.grants import Grant
from tests.sandbox.server import Sandbox
from tests.support import Watched

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from typing_extensions import Self

    from tests.conftest import Message, Run

EDITED = {
    "customers": ("rest:/customers", "customerNumber"),
    "departments": ("rest:/departments", "departmentNumber"),
    "suppliers": ("rest:/suppliers", "supplierNumber"),
    "units": ("rest:/units", "unitNumber"),
}
"""Streams whose rows are added, edited and deleted: the listing, and the key."""

NUMBERED = {**EDITED, "openapi_accounts": ("accountsapi:/Accounts", "number")}
STREAMS = (*NUMBERED, "sync_runs")
EVENTS = {"customers": "CUSTOMER_UPDATED", "suppliers": "SUPPLIER_UPDATED"}
JOBS = {"a": (1, 2), "b": (3,)}
"""The companies of each job; `b` is like another shard."""

ROUNDS = 12
CLEAN = 3
"""Runs after which the tables equal the books: a first one may have no count to compare with, a
second sends everything, a third proves it."""

Rows = dict[int, dict[int, Any]]
"""Names by agreement and key."""


class Target(Protocol):
    """What stores the messages of a run."""

    def load(self, messages: Sequence[Message], *, breaks: str | None, killed: bool) -> Any:
        """Store messages, and return the last STATE that was confirmed, if any.

        Args:
            messages: as far as they came.
            breaks: the table that cannot be written.
            killed: whether the target is ended before it has stored everything.
        """

    def living(self, stream: str) -> Rows:
        """The rows that are not deleted in e-conomic, by the rule."""

    def gone(self, stream: str) -> list[tuple[int, int, int]]:
        """The other rows: agreement, key, and which load proved it, counted from 1."""


class ModelTarget:
    """A target in memory. It stores rows table by table, and then confirms the last STATE."""

    def __init__(self, seed: int) -> None:
        self.tables: dict[str, dict[Any, tuple[Any, int]]] = {stream: {} for stream in STREAMS}
        self._random = random.Random(seed)
        self._started = 0

    def load(self, messages: Sequence[Message], *, breaks: str | None, killed: bool) -> Any:
        self._started += 1
        waiting: dict[str, list[Any]] = {}
        state = confirmed = None
        for message in messages:
            if message["type"] == "SCHEMA":
                waiting.setdefault(message["stream"], [])
            elif message["type"] == "RECORD":
                waiting[message["stream"]].append(message["record"])
            elif message["type"] == "STATE":
                state = message["value"]
            if self._random.random() < 0.01:
                if not self._store(waiting, breaks):
                    return confirmed
                confirmed = state
        if killed:
            names = self._random.sample(sorted(waiting), len(waiting) // 2)
            self._store({name: waiting[name] for name in names}, breaks)
            return confirmed
        return state if self._store(waiting, breaks) else confirmed

    def _store(self, waiting: dict[str, list[Any]], breaks: str | None) -> bool:
        names = list(waiting)
        self._random.shuffle(names)
        for name in names:
            if name == breaks and waiting[name]:
                return False
            for row in waiting[name]:
                key = "grantDigest" if name == "sync_runs" else NUMBERED[name][1]
                first = "run" if name == "sync_runs" else "agreementNumber"
                self.tables[name][row[first], row[key]] = row, self._started
            waiting[name].clear()
        return True

    def living(self, stream: str) -> Rows:
        since = self._since(stream)
        rows: Rows = {}
        for (number, key), (row, started) in self.tables[stream].items():
            if started >= since.get(number, 0):
                rows.setdefault(number, {})[key] = row["name"]
        return rows

    def gone(self, stream: str) -> list[tuple[int, int, int]]:
        since = self._since(stream)
        return [
            (number, key, since[number])
            for (number, key), (_, started) in self.tables[stream].items()
            if started < since.get(number, 0)
        ]

    def _since(self, stream: str) -> dict[int, int]:
        runs = [(row, started) for row, started in self.tables["sync_runs"].values()]
        proven = {(row["agreementNumber"], row["proves"]) for row, _ in runs}
        since: dict[int, int] = {}
        for row, started in runs:
            number = row["agreementNumber"]
            if (number, row["run"]) in proven and stream in json.loads(row["sentWhole"]):
                since[number] = max(started, since.get(number, 0))
        return since


class Lives:
    """Three companies, two jobs and one target. Use it as a context manager.

    Args:
        folder: where the tap runs.
        seed: the same seed makes the same lives.
        settings: further settings of the tap.
    """

    def __init__(self, folder: Path, seed: int, target: Target, **settings: Any) -> None:
        self.random = random.Random(seed)
        self.target = target
        self.tap = Meddler(folder)
        self.companies = {n: build_company(n, f"Firma {n}", seed=n, entries=20) for n in (1, 2, 3)}
        grants = {
            f"grant-{n}": Grant(Watched(company, self.tap.asked))
            for n, company in self.companies.items()
        }
        self.sandbox = Sandbox(grants)
        self.states: dict[str, Any] = dict.fromkeys(JOBS)
        self.books: list[dict[tuple[str, int], set[int]]] = []
        self.happened: list[str] = []
        self.disappeared = 0
        self._settings = settings
        self._inbox = folder / "inbox.db"
        self._deleted: list[tuple[str, int, Any]] = []
        self._turn = 0
        self._open = ExitStack()

    def __enter__(self) -> Self:
        self._open.enter_context(self.sandbox)
        self._events = Inbox(f"sqlite:///{self._inbox}", create=True)
        self._catalog = self.tap.catalog_of(*STREAMS)
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def pass_by(self) -> None:
        """Live them, check after each run that no row is taken for deleted, and compare at last."""
        for _ in range(ROUNDS):
            for _ in range(self.random.randrange(4)):
                self.happens()
            self._some_run(self.random.choice("aab"))
            self.check()
        self.settle()

    def settle(self) -> None:
        """Run all jobs without trouble; then what is living equals the books.

        Other `resend_days` make everything due to be sent, as when they have passed.
        """
        for turn in range(CLEAN):
            for job in JOBS:
                run = self.run(job, resend_days=turn + 1)
                assert run.exit_code == 0, run.stderr
                self.check()
        for stream in EDITED:
            books = {n: {k: r["name"] for k, r in self.rows(stream, n).items()} for n in (1, 2, 3)}
            living = {n: self.target.living(stream).get(n, {}) for n in (1, 2, 3)}
            assert living == books, f"{stream}: {self.happened}"

    def happens(self) -> None:
        """Let something happen to a row of some company."""
        self._turn += 1
        stream, number = self.random.choice([*EDITED]), self.random.choice((1, 2, 3))
        rows, name = self.listing(stream, number), EDITED[stream][1]
        what = self.random.choice(("deleted", "deleted", "edited", "added", "undone", "emptied"))
        row = self.random.choice(rows) if rows else None
        if what == "undone" and self._deleted:
            stream, number, row = self._deleted.pop(self.random.randrange(len(self._deleted)))
            self.listing(stream, number).append(row)
        elif what == "added" and row:
            rows.append({**copy.deepcopy(row), name: 5000 + self._turn, "name": f"Ny {self._turn}"})
        elif what == "edited" and row:
            row["name"] = f"Rettet {self._turn}"
        elif what == "deleted" and row:
            rows.remove(row)
            self._deleted.append((stream, number, row))
        elif what == "emptied" and stream == "units":
            self._deleted += [(stream, number, row) for row in rows]
            rows.clear()
        else:
            return
        self.happened.append(f"{what} {stream} of {number}")
        if stream in EVENTS and row:
            key = row[EDITED[stream][1]]
            numbers = {"oldnumber": key, "newnumber": key}
            self._events.append([NewEvent(number, EVENTS[stream], numbers)])

    def _some_run(self, job: str) -> None:
        trouble = self.random.random()
        if trouble < 0.3:
            how = self.random.choice((signal.SIGKILL, signal.SIGTERM))
            self.tap.plan(self.random.randrange(1, 18), lambda: self.tap.send(how))
            self.run(job, killed=self.random.random() < 0.3, ended=how)
        elif trouble < 0.45:
            self.run(job, breaks=self.random.choice(STREAMS))
        elif trouble < 0.55:
            self.run(job, killed=True)
        elif trouble < 0.65 and job == "a":
            self.sandbox.revoke("grant-2")
            self.run(job)
            self.sandbox.service.revoked.clear()
        elif trouble < 0.75:
            get_older(self._inbox, 61)
            if self.states[job]:
                age(self.states[job], 61)
            self.run(job, events_only=True)
        elif trouble < 0.85:
            self.tap.plan(self.random.randrange(1, 18), self.happens)
            self.run(job)
        else:
            self.run(job)

    def run(
        self,
        job: str,
        *,
        breaks: str | None = None,
        killed: bool = False,
        ended: signal.Signals | None = None,
        **settings: Any,
    ) -> Run:
        """Run a job once and load what it emits."""
        self.happened.append(f"run of {job}: {breaks=}, {killed=}, {ended=}, {settings}")
        before = self._books()
        grants = [f"grant-{n}" for n in JOBS[job]]
        config = settings_for(self.sandbox, *grants, all_streams=True, refused_grants="warn")
        config |= {"concurrency": 1, "events_inbox": f"sqlite:///{self._inbox}"}
        config |= {**self._settings, **settings}
        run = self.tap(config, catalog=self._catalog, state=self.states[job])
        assert run.exit_code in {0, 1, CODES.get(ended, 0) if ended else 0}, run.stderr
        after = self._books()
        self.books.append({place: keys & after[place] for place, keys in before.items()})
        state = self.target.load(run.messages, breaks=breaks, killed=killed)
        self.states[job] = self.states[job] if state is None else state
        return run

    def check(self) -> None:
        """No row counts as deleted that e-conomic had during the run which is said to lack it."""
        for stream in NUMBERED:
            for number, key, load in self.target.gone(stream):
                self.disappeared += 1
                assert key not in self.books[load - 1][stream, number], (
                    f"{stream} {key} of {number}, load {load}: {self.happened}"
                )

    def _books(self) -> dict[tuple[str, int], set[int]]:
        return {(stream, n): {*self.rows(stream, n)} for stream in NUMBERED for n in (1, 2, 3)}

    def rows(self, stream: str, number: int) -> dict[int, Any]:
        """The rows of a stream and a company in e-conomic, by key."""
        return {row[NUMBERED[stream][1]]: row for row in self.listing(stream, number)}

    def listing(self, stream: str, number: int) -> Any:
        """The same as a list, which can be changed."""
        return self.companies[number].rows(NUMBERED[stream][0])
