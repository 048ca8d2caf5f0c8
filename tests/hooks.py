"""What e-conomic's webhooks report of a company that lives, and an inbox that gets it in disorder.

Nothing here promises that an event arrives, once, in order, or in time: nor does e-conomic.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import random
import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tap_visma_economic.webhooks.inbox import Inbox, NewEvent
from tests.sandbox.company import Company

AGREEMENT = 1234567


def invoice(number: int) -> NewEvent:
    """An invoice was booked."""
    return NewEvent(AGREEMENT, "INVOICE_BOOKED", {"invoiceno": number})


def journal() -> NewEvent:
    """A journal was booked."""
    return NewEvent(AGREEMENT, "JOURNAL_BOOKED", {"daybookno": 1})


def updated(kind: str, number: int | str) -> NewEvent:
    """A row was added, edited, renumbered or, perhaps, deleted."""
    return NewEvent(AGREEMENT, f"{kind}_UPDATED", {"oldnumber": number, "newnumber": number})


class Hooks:
    """The webhooks of a company: what has happened since they were asked last.

    Args:
        company: whose they are.
    """

    def __init__(self, company: Company) -> None:
        self._told: list[NewEvent] = []
        company.tell = self._tell

    def events(self) -> list[NewEvent]:
        """The events since the last call."""
        told, self._told = self._told, []
        return told

    def _tell(self, event: str, /, *, deleted: bool = False, **fields: str | int) -> None:
        # Whether a deletion has a new number is not known: here it is the old one.
        numbers = {name.lower(): value or fields["OLDNUMBER"] for name, value in fields.items()}
        self._told.append(NewEvent(AGREEMENT, event, numbers))


class Disorder:
    """An inbox in SQLite to which events come lost, doubled, late or in another order.

    Args:
        folder: where it is.
        random: what decides.
    """

    def __init__(self, folder: Path, random: random.Random) -> None:
        self.file = folder / "inbox.db"
        self.url = f"sqlite:///{self.file}"
        self.inbox = Inbox(self.url, create=True)
        self.lost = self.doubled = 0
        self._random = random
        self._late: list[NewEvent] = []

    def deliver(self, events: Iterable[NewEvent]) -> None:
        """Store events, most of them."""
        arrived, self._late = self._late, []
        for event in events:
            fate = self._random.random()
            if fate < 0.1:
                self.lost += 1
            elif fate < 0.2:
                self._late.append(event)
            else:
                self.doubled += fate > 0.9
                arrived += [event] * (1 + (fate > 0.9))
        self._random.shuffle(arrived)
        if arrived:
            self.inbox.append(arrived)

    def get_older(self, seconds: float) -> None:
        """Let all events have come that much earlier."""
        get_older(self.file, seconds)


def get_older(inbox: Path, seconds: float) -> None:
    """Let all events of an inbox have come that much earlier."""
    with contextlib.closing(sqlite3.connect(inbox)) as database, database:
        database.execute("UPDATE events SET received_at = received_at - ?", (seconds,))


def age(state: dict[str, Any] | None, seconds: float) -> None:
    """Let event runs have been that much earlier."""
    for partition in ((state or {}).get("bookmarks", {}).get("agreements") or {}).get(
        "partitions", []
    ):
        if events := partition.get("events"):
            if "at" in events:
                events["at"] = _earlier(events["at"], seconds)
            missing = events.get("missing", [])
            events["missing"] = [[*named, _earlier(at, seconds)] for *named, at in missing]


def _earlier(text: str, seconds: float) -> str:
    at = dt.datetime.fromisoformat(text.replace("Z", "+00:00")) - dt.timedelta(seconds=seconds)
    return at.isoformat()
