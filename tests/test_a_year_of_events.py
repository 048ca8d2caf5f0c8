"""A year of a company with event runs: webhooks report what happens, in disorder, or do not.

After an event run the rows that its events named are as in the books, as far as they exist; after a
nightly run everything is. Many runs are killed. All is drawn from a seed.
"""

from __future__ import annotations

import datetime as dt
import signal
from typing import TYPE_CHECKING, Any

import pytest

from tests.hooks import AGREEMENT, Disorder, Hooks, age
from tests.life import TIMED, Life
from tests.nights import Nights
from tests.test_records_arrive import truth
from tests.warehouse import key_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tap_visma_economic.webhooks.inbox import Event

DOCUMENTS = {
    kind: [f"{kind}_{status}" for status in ("drafts", "sent", "archived")]
    for kind in ("orders", "quotes")
}
STREAMS = (
    "attached_documents",
    "booked_entries",
    "customers",
    "draft_entries",
    "invoices_booked",
    "invoices_booked_lines",
    "invoices_drafts",
    "matched_entries",
    "products",
    "projects",
    "suppliers",
    *DOCUMENTS["orders"],
    *DOCUMENTS["quotes"],
    "orders_lines",
    "quotes_lines",
)
MASTER_DATA = {
    "CUSTOMER_UPDATED": ("customers", "customerNumber"),
    "PRODUCT_UPDATED": ("products", "productNumber"),
    "PROJECT_UPDATED": ("projects", "number"),
    "SUPPLIER_UPDATED": ("suppliers", "supplierNumber"),
}
DAY = dt.timedelta(days=1)
KILLED = 0.4
"""Share of runs that are to be killed at a request. Some are over before it, or make none."""
EVENT_RUNS = 3
"""Between two nights."""


class YearOfEvents:
    """Days with event runs, and nights.

    Args:
        folder: where the tap runs.
        days: how many.
        seed: the same seed makes the same year.
    """

    def __init__(self, folder: Path, days: int, seed: int) -> None:
        self.life = Life(seed, entries=1200)
        self.random = self.life.random
        for endpoint in TIMED:  # while there are drafts, to which some of the rows refer
            self.life.company.rows(endpoint)
        self.disorder = Disorder(folder, self.random)
        self.hooks = Hooks(self.life.company)
        settings = {
            "events_inbox": self.disorder.url,
            "emit_activate_version_messages": True,
            "full_refresh_days": 30,
        }
        self.nights = Nights(folder, self.life.company, self.life.clock, *STREAMS, **settings)
        self.days, self.seed = days, seed
        self.killed = self.quiet = self.named = 0

    def pass_by(self) -> None:
        """Live it, and compare after each run."""
        with self.nights:
            self._night()
            for _ in range(self.days):
                for _ in range(EVENT_RUNS):
                    self._something_happens()
                    self._event_run()
                self._night()

    def _something_happens(self) -> None:
        self.life.dawns()
        for _ in range(self.random.choice((0, 3, 5))):
            self.life.happens()
        self.disorder.deliver(self.hooks.events())
        seconds = self.random.choice((0, 90, 3600))
        self.disorder.get_older(seconds)
        age(self.nights.state, seconds)

    def _event_run(self) -> None:
        before = self._place
        self.nights._config["events_only"] = True
        if self.random.random() < KILLED and self._run_and_kill(6):
            return
        run = self.nights.run()
        assert not {m["type"] for m in run.messages} & {"ACTIVATE_VERSION"}
        assert all("version" not in m for m in run.messages)
        read = [e for e in self._inbox(self._place) if e.id > before]
        if not run.messages:
            assert not self.nights.sandbox.log
            self.quiet += 1
        wrong = [line for event in read for line in self._wrong_of(event)]
        self.named += len(read)
        assert not wrong, f"seed {self.seed}: {self.life.happened}: {wrong[:5]}"

    def _night(self) -> None:
        self.life.pass_time(self.life.random.choice((1, 20)) * DAY)
        self.nights.pass_time(8)
        self.disorder.get_older(60)
        self.nights._config["events_only"] = False
        while self.random.random() < KILLED and self._run_and_kill(40):
            pass
        run = self.nights.run()
        assert self._place == self.disorder.inbox.end()
        activated = {m["stream"] for m in run.messages if m["type"] == "ACTIVATE_VERSION"}
        wrong = [line for s in STREAMS for line in self.nights.wrong_in(s, gone=s in activated)]
        assert not wrong, f"seed {self.seed}: {self.life.happened}: {wrong[:5]}"
        self.life.loaded()

    def _run_and_kill(self, most: int) -> bool:
        how = self.random.choice((signal.SIGKILL, signal.SIGTERM))
        was_killed = self.nights.run_and_end(how, self.random.randrange(1, most))
        self.killed += was_killed
        return was_killed

    @property
    def _place(self) -> int:
        partitions = (self.nights.state or {"bookmarks": {}})["bookmarks"].get("agreements", {})
        (state,) = partitions.get("partitions") or [{}]
        place: int = state.get("events", {"read": ["", 0]})["read"][1]
        return place

    def _inbox(self, up_to: int) -> list[Event]:
        return self.disorder.inbox.unread({AGREEMENT: 0}, up_to).get(AGREEMENT, [])

    def _wrong_of(self, event: Event) -> list[str]:
        """What of the rows that an event names differs from the books, if they exist."""
        wrong: list[str] = []
        for stream, key in self._named(event):
            lines = self.nights.wrong_in(stream, gone=False)
            wrong += [line for line in lines if key is None or line.startswith(f"{stream} {key}")]
        return wrong

    def _named(self, event: Event) -> Iterator[tuple[str, Any]]:
        """Streams with the key of a row, or None: all of the stream's rows."""
        if event.name == "JOURNAL_BOOKED":
            yield from (
                (s, None) for s in ("booked_entries", "draft_entries", "attached_documents")
            )
        elif event.name == "INVOICE_BOOKED":
            number = event.numbers["invoiceno"]
            yield from (("booked_entries", None), ("invoices_booked", None))
            yield "invoices_booked_lines", None
            for row in self._rows("invoices_booked"):
                if row["bookedInvoiceNumber"] == number:
                    customer = row["customer"]["customerNumber"]
                    yield from self._keys("customers", "customerNumber", customer)
        elif event.name in MASTER_DATA:
            stream, key = MASTER_DATA[event.name]
            yield from self._keys(stream, key, event.numbers["newnumber"])
        else:
            kind = {"ORDER_UPDATED": "orders", "QUOTE_UPDATED": "quotes"}[event.name]
            number, key = event.numbers["newnumber"], f"{kind[:-1]}Number"
            documents = getattr(self.life.company.world, kind).values()
            ids = [one.id for some in documents for one in some if one.number == number]
            for stream in DOCUMENTS[kind]:
                yield from self._keys(stream, key, number)
            for document in ids:
                yield from self._keys(f"{kind}_lines", "documentId", document)

    def _keys(self, stream: str, name: str, value: object) -> Iterator[tuple[str, Any]]:
        for row in self._rows(stream):
            if str(row[name]) == str(value):
                yield stream, key_of(stream, row)

    def _rows(self, stream: str) -> list[dict[str, Any]]:
        rows = truth(self.life.company, stream)
        return [{"agreementNumber": AGREEMENT, **row} for row in rows]


def test_after_every_event_run_of_some_days_the_named_rows_equal_the_books(tmp_path: Path) -> None:
    """And after every nightly run all rows do."""
    year = YearOfEvents(tmp_path, days=3, seed=3)
    year.pass_by()
    assert year.named > 3
    assert year.quiet
    assert year.killed


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(10))
def test_after_every_event_run_of_some_weeks_the_named_rows_equal_the_books(
    tmp_path: Path, seed: int
) -> None:
    year = YearOfEvents(tmp_path, days=12, seed=seed)
    year.pass_by()
    assert year.named > 8
    assert year.quiet
    assert year.killed > 3
    assert year.disorder.lost + year.disorder.doubled
