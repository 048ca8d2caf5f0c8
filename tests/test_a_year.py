"""A year of a company: things happen, the tap runs, and the warehouse equals the books.

All is drawn from a seed; YEAR_SEED sets another one. Some runs are ended at a random request, and
in some things happen between two answers. What happened meanwhile has arrived with the next run.
"""

from __future__ import annotations

import datetime as dt
import os
import signal
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from tests.life import Life
from tests.nights import Nights
from tests.sandbox.company import build_company
from tests.sandbox.grants import Grant
from tests.sandbox.server import Sandbox
from tests.support import activated
from tests.test_discovery import CONTRACT, DEFAULT
from tests.warehouse import key_of

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import TapRunner

SEED = int(os.environ.get("YEAR_SEED", "2025"))

BESIDE = {"entries", "openapi_accounts", "openapi_products"}
"""Streams that are not read by default, but are read by a bookmark."""

STREAMS = DEFAULT | BESIDE
INVOICES = "invoices_booked"
FULL = {stream for stream in STREAMS if CONTRACT[stream]["replication"] == "full"}
BOOKMARKED = STREAMS - FULL
DOCUMENTS = {stream for stream in FULL if stream.startswith(("invoices_drafts", "orders_"))}

YEAR = dt.timedelta(days=365)
ROUNDS = 200
REFRESH = 30
"""Days after which everything is read in full again, where rows are deleted."""

QUIET_CALLS = {2000: 125, 9000: 128}
"""Requests of a run of the default streams by how long the ledger is, nothing having happened.
docs/guarantees.md tells the first."""


class Year:
    """Rounds of a life, and of a warehouse that follows it.

    Args:
        folder: where the tap runs.
        streams: what is read and compared.
        rounds: how many days and nights the year has.
        settings: further settings of the tap.
    """

    def __init__(
        self, folder: Path, streams: set[str], rounds: int, seed: int = SEED, **settings: Any
    ) -> None:
        self.seed = seed
        self.life = Life(seed)
        self.nights = Nights(
            folder, self.life.company, self.life.clock, *sorted(streams), **settings
        )
        self.rounds = rounds
        self.ended = self.late = self.cut = 0
        self.activated: Counter[str] = Counter()
        self._random = self.life.random
        self._requests = 60

    def pass_by(self) -> None:
        """Live it, and compare after each round."""
        with self.nights:
            self._run_and_compare(0)
            for number in range(1, self.rounds + 1):
                self._day()
                self._night(number)
            self._run_and_compare(self.rounds + 1)

    def _day(self) -> None:
        count = self._random.choice((0, 3, 5, 6, 8))
        if count:
            self.life.dawns()
        for _ in range(count):
            self.life.happens()
        length = YEAR / self.rounds
        self.life.pass_time(length * self._random.uniform(0.5, 1.0))
        self.nights.pass_time(length / dt.timedelta(days=1))

    def _night(self, number: int) -> None:
        if number % 8 == 3:
            how = self._random.choice((signal.SIGKILL, signal.SIGTERM, signal.SIGINT))
            self.ended += self.nights.run_and_end(how, self._random.randrange(1, self._requests))
        elif number % 7 == 5:
            for _ in range(4):
                at = self._random.randrange(1, self._requests)
                self.nights.tap.plan(at, self.life.happens)
            self.nights.run()
            self.late += bool(self._wrong(set()))
        elif number % 4 == 2:
            self._night_amid_a_correction(number)
        else:
            self._run_and_compare(number)

    def _night_amid_a_correction(self, number: int) -> None:
        """Matches are undone, a run is killed right after a row that it changed, and made again."""
        for _ in range(3):
            self.life.match_undone()
        self.cut += self.nights.run_and_cut(self._after_some_news) > 0
        self.life.match_made_again()
        self._run_and_compare(number)

    def _after_some_news(self, messages: list[Any]) -> int:
        """After how many messages to cut: after a row whose remainder the target did not have."""
        news = [
            place
            for place, message in enumerate(messages, start=1)
            if message["type"] == "RECORD" and self._is_news(message)
        ]
        return self._random.choice(news or [0])

    def _is_news(self, message: Any) -> bool:
        stream, record = message["stream"], message["record"]
        before = self.nights.tables[stream].get(key_of(stream, record))
        return before is not None and before.get("remainder") != record.get("remainder")

    def _run_and_compare(self, number: int) -> None:
        run = self.nights.run()
        self._requests = len(self.nights.sandbox.log)
        self.activated.update(activated(run))
        wrong = self._wrong(activated(run))
        happened = ", ".join(self.life.happened)
        assert not wrong, f"YEAR_SEED={self.seed}, round {number}: after {happened}: {wrong[:5]}"
        self.life.loaded()

    def _wrong(self, activated: set[str]) -> list[str]:
        """What differs; rows that are gone count where the target was told of them."""
        return [
            line
            for stream in self.nights.tables
            for line in self.nights.wrong_in(stream, gone=stream in activated)
        ]


def test_after_every_run_of_some_weeks_the_warehouse_equals_the_books(tmp_path: Path) -> None:
    """But for rows that were deleted, of which the target is not told here."""
    year = Year(tmp_path, BOOKMARKED | DOCUMENTS, rounds=12)
    year.pass_by()
    assert year.ended
    assert year.cut


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(10))
def test_after_every_run_of_some_months_of_corrections_and_kills_the_warehouse_equals_the_books(
    tmp_path: Path, seed: int
) -> None:
    year = Year(tmp_path, {"booked_entries", "booked_entry_dimensions", INVOICES}, 50, seed)
    year.pass_by()
    assert year.ended
    assert year.cut > 8


@pytest.mark.slow
def test_after_every_run_of_a_year_the_warehouse_equals_the_books(tmp_path: Path) -> None:
    """But for rows that were deleted, of which the target is not told here."""
    year = Year(tmp_path, STREAMS, ROUNDS)
    year.pass_by()
    assert year.ended > ROUNDS / 16
    assert year.late > ROUNDS / 28  # what happens during a run matters
    assert year.life.everything_happened


@pytest.mark.slow
def test_after_every_run_of_a_year_deleted_rows_are_gone_as_well(tmp_path: Path) -> None:
    """Of streams with a bookmark when they are read in full, of the others after every run."""
    settings = {"emit_activate_version_messages": True, "full_refresh_days": REFRESH}
    year = Year(tmp_path, STREAMS, ROUNDS, **settings)
    year.pass_by()
    assert year.ended > ROUNDS / 16
    assert year.life.everything_happened
    compared = ROUNDS + 2 - ROUNDS // 8 - ROUNDS // 7
    assert all(year.activated[stream] >= compared for stream in FULL)
    assert all(year.activated[stream] > YEAR.days / REFRESH / 2 for stream in BOOKMARKED)


@pytest.mark.parametrize("entries", QUIET_CALLS)
def test_a_quiet_run_of_the_default_streams_makes_so_many_calls(
    warm_tap: TapRunner, entries: int
) -> None:
    company = build_company(1234567, "Stille ApS", seed=1, entries=entries)
    with Sandbox({"demo": Grant(company)}) as sandbox:
        state, calls = None, []
        for _ in range(3):
            sandbox.log.clear()
            state = warm_tap.read(sandbox, state=state).state
            calls.append(len(sandbox.log))
    assert calls[1] == calls[2] == QUIET_CALLS[entries]
