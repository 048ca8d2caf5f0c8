"""A company that lives: what happens from day to day, drawn at random from a seed."""

from __future__ import annotations

import contextlib
import copy
import datetime as dt
import random
from bisect import insort
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from tests.sandbox.books.documents import STATUSES
from tests.sandbox.books.projects import PROJECT_NUMBERS
from tests.sandbox.company import build_company

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.sandbox.books.sales import Document

BEGIN = dt.datetime(2025, 11, 1, 7, tzinfo=dt.timezone.utc)
"""After the latest instant that all companies' rows share. A year on, October repeats an hour."""

TIMED = {
    "accountsapi:/Accounts": ("number", "note"),
    "customersapi:/Contacts": ("number", "notes"),
    "customersapi:/DeliveryLocations": ("number", "city"),
    "productsapi:/products": ("productNumber", "name"),
    "projectsapi:/CostTypes": ("number", "name"),
    "projectsapi:/TimeEntries": ("number", "text"),
    "subscriptionsapi:/Subscribers": ("number", "comments"),
    "subscriptionsapi:/Subscriptions": ("number", "description"),
    "suppliersapi:/Contacts": ("number", "notes"),
}
"""Listings whose rows tell when they were last updated: the key, and a text that is edited."""

UNTIMED = {
    "budgetsapi:/budget-figures": ("number", "text"),
    "journalsapi:/draft-entries": ("entryNumber", "text"),
    "rest:/customers": ("customerNumber", "name"),
    "rest:/departments": ("departmentNumber", "name"),
    "rest:/employees": ("employeeNumber", "name"),
    "rest:/payment-terms": ("paymentTermsNumber", "name"),
    "rest:/products": ("productNumber", "name"),
    "rest:/suppliers": ("supplierNumber", "name"),
}
"""Listings that are read in full each time."""

COME_AND_GO = ("budgetsapi:/budget-figures", "journalsapi:/draft-entries", "rest:/suppliers")
MARKED_DELETED = {"customersapi:/Contacts", "suppliersapi:/Contacts"}
DOCUMENTS = "documentsapi:/AttachedDocuments"
EVENTS = {
    "productsapi:/products": "PRODUCT_UPDATED",
    "rest:/customers": "CUSTOMER_UPDATED",
    "rest:/products": "PRODUCT_UPDATED",
    "rest:/suppliers": "SUPPLIER_UPDATED",
}
"""Listings whose edits e-conomic has a webhook for."""

KEYS = {1: (1, 2, 3), 2: (201, 202, 250)}
"""Keys of the dimensions that are edited."""

KINDS_A_DAY = 3

ORDINARY = 10**6
"""Invoice numbers from here on have been picked by hand."""


class Life:
    """The company, its clock, and what can happen to it.

    Args:
        seed: the same seed makes the same life.
        entries: how long the ledger is on the first day.
    """

    def __init__(self, seed: int, entries: int = 2500) -> None:
        self.random = random.Random(seed)
        self.now = BEGIN
        self.company = build_company(
            1234567, "Levende ApS", seed=1, entries=entries, today=BEGIN.date()
        )
        self.company.world.now = lambda: self.now
        self.turn = 0
        self.happened: list[str] = []
        self._ever: set[str] = set()
        self._reserved: list[int] = []
        self._document_deleted = False
        self._undone: list[int] = []
        self._kinds: list[Callable[[], object]] = [
            self.voucher_booked,
            self.voucher_booked_late,
            self.numbers_reserved,
            self.entries_become_visible,
            self.invoice_booked,
            self.invoice_booked_under_a_high_number,
            self.invoice_booked_under_a_low_number,
            self.paid,
            self.paid_in_part,
            self.all_paid,
            self.match_undone,
            self.match_made_again,
            self.dimension_moved,
            self.dimension_added_or_taken_off,
            self.row_edited,
            self.row_added,
            self.row_deleted,
            self.project_renamed,
            self.master_data_edited,
            self.master_data_added,
            self.master_data_deleted,
            self.document_attached,
            self.document_deleted,
            self.document_becomes_visible,
            self.drafted,
            self.draft_postponed,
            self.draft_booked,
            self.draft_deleted,
            self.document_forwarded,
            self.year_added,
        ]
        self._to_come: list[Callable[[], object]] = []
        self._today_only: list[Callable[[], object]] = []
        self.dawns()

    def clock(self) -> float:
        """What time it is, in seconds since the epoch."""
        return self.now.timestamp()

    def pass_time(self, delta: dt.timedelta) -> None:
        """Let time pass."""
        self.now += delta
        self.company.world.today = self.now.date()

    def dawns(self) -> None:
        """Let a day begin, on which few kinds of things happen: one could hide another.

        Each kind has its turn before any has another.
        """
        if len(self._to_come) < KINDS_A_DAY:
            self._to_come = self.random.sample(self._kinds, len(self._kinds))
        self._today_only = [self._to_come.pop() for _ in range(KINDS_A_DAY)]

    def happens(self) -> None:
        """Let something happen."""
        event = self.random.choice(self._today_only)
        self.turn += 1
        self.pass_time(dt.timedelta(seconds=self.random.randrange(61, 1800)))
        self.happened.append(event.__name__)
        self._ever.add(event.__name__)
        event()

    @property
    def everything_happened(self) -> bool:
        """Whether everything that can happen has."""
        return self._ever == {event.__name__ for event in self._kinds}

    def loaded(self) -> None:
        """Everything has been read, and nothing happened meanwhile."""
        self.happened.clear()
        self._document_deleted = False

    # The ledger

    def voucher_booked(self, day: dt.date | None = None, *, number: int | None = None) -> None:
        amount = Decimal(self.random.randrange(1, 10**6)) / 100
        lines = [(3410, amount), (5820, -amount)]
        self.company.book(day or self._today, f"Bilag {self.turn}", lines, first_number=number)

    def voucher_booked_late(self) -> None:
        """In the past, perhaps in a fiscal year before: the next one's opening entries follow."""
        year = self.random.choice([y for y in self._world.years if y.start < self._today])
        self.voucher_booked(year.start + dt.timedelta(days=self.random.randrange(100)))

    def numbers_reserved(self) -> None:
        """Somebody has begun to book: the numbers are taken, the entries not to be seen yet."""
        for _ in range(self.random.randrange(1, 4)):
            self._reserved.append(self._world.ledger.next_number)
            self._world.ledger.next_number += 2

    def entries_become_visible(self) -> None:
        """Below the newest number: among the latest ones, or far down in an old gap."""
        ledger = self._world.ledger
        if self._reserved and self.random.random() < 0.8:
            number = self._reserved.pop(self.random.randrange(len(self._reserved)))
        else:
            reserved = {n + i for n in self._reserved for i in (0, 1)}
            number = self.random.randrange(1, ledger.next_number)
            while any(ledger.has(n) or n in reserved for n in (number, number + 1)):
                number = self.random.randrange(1, ledger.next_number)
        self.voucher_booked(number=number)

    # Sales

    def invoice_booked(self, number: int | None = None) -> None:
        customer = self.random.choice(self._world.customers)
        product = self.random.choice(self._world.products)
        self.company.sell(customer.number, product.number, number=number)

    def invoice_booked_under_a_high_number(self) -> None:
        self.invoice_booked(ORDINARY + self.turn)

    def invoice_booked_under_a_low_number(self) -> None:
        taken = {invoice.number for invoice in self._world.invoices}
        self.invoice_booked(next(n for n in range(1, ORDINARY) if n not in taken))

    def paid(self) -> None:
        if owed := self._owed():
            self.company.pay(self.random.choice(owed).number)

    def paid_in_part(self) -> None:
        if owed := self._owed():
            self.company.pay(self.random.choice(owed).number, Decimal(1))

    def all_paid(self) -> None:
        for invoice in self._owed():
            self.company.pay(invoice.number)

    def match_undone(self) -> None:
        by_entry = {i.entry: i.number for i in self._world.invoices}
        matched = {first for first, _ in self._world.ledger.matches} & by_entry.keys()
        if numbers := sorted(by_entry[entry] for entry in matched):
            self._undone.append(self.random.choice(numbers))
            self.company.unmatch(self._undone[-1])

    def match_made_again(self) -> None:
        """All that have been undone, but for what was settled otherwise meanwhile."""
        for number in dict.fromkeys(reversed(self._undone)):
            with contextlib.suppress(ValueError):
                self.company.rematch(number)
        self._undone.clear()

    # Dimensions

    def dimension_moved(self) -> None:
        """From one key to another."""
        self._redimension(keep=True)

    def dimension_added_or_taken_off(self) -> None:
        self._redimension(keep=False)

    def _redimension(self, *, keep: bool) -> None:
        marked = [e for e in self._world.ledger.entries if not keep or e.more.dimensions]
        entry = self.random.choice(marked)
        carried = {dimension: key for dimension, key, _ in entry.more.dimensions}
        dimension = self.random.choice(list(carried if keep else KEYS))
        had = carried.get(dimension)
        if keep or had is None:
            key = self.random.choice([key for key in KEYS[dimension] if key != had])
        else:
            key = None
        self.company.redimension(entry.number, dimension, key, self.now)

    # Rows that tell when they were last updated, and others

    def row_edited(self) -> None:
        endpoint, _, row = self._some_row(TIMED)
        row[TIMED[endpoint][1]] = f"Rettet {self.turn}"
        row["lastUpdated"] = self._stamp(endpoint)
        self._tell(endpoint, row[TIMED[endpoint][0]])

    def row_added(self) -> None:
        endpoint, rows, row = self._some_row(TIMED)
        new = {**copy.deepcopy(row), "lastUpdated": self._stamp(endpoint)}
        rows.append(self._renumbered(new, rows, TIMED[endpoint][0]))
        self._tell(endpoint, rows[-1][TIMED[endpoint][0]])

    def row_deleted(self) -> None:
        endpoint, rows, row = self._some_row(TIMED)
        if endpoint in MARKED_DELETED:
            row.update(isDeleted=True, active=False, lastUpdated=self._stamp(endpoint))
        elif len(rows) > 1:
            rows.remove(row)
            self._tell(endpoint, row[TIMED[endpoint][0]], deleted=True)

    def project_renamed(self) -> None:
        self.company.rename_project(self.random.choice(PROJECT_NUMBERS), f"Projekt {self.turn}")

    def master_data_edited(self) -> None:
        endpoint, _, row = self._some_row(UNTIMED)
        row[UNTIMED[endpoint][1]] = f"Rettet {self.turn}"
        self._tell(endpoint, row[UNTIMED[endpoint][0]])

    def master_data_added(self) -> None:
        endpoint, rows, row = self._some_row(COME_AND_GO)
        rows.append(self._renumbered(copy.deepcopy(row), rows, UNTIMED[endpoint][0]))
        self._tell(endpoint, rows[-1][UNTIMED[endpoint][0]])

    def master_data_deleted(self) -> None:
        endpoint, rows, row = self._some_row(COME_AND_GO)
        if len(rows) > 1:
            rows.remove(row)
            self._tell(endpoint, row[UNTIMED[endpoint][0]], deleted=True)

    # Attached documents

    def document_attached(self) -> None:
        rows: Any = self.company.rows(DOCUMENTS)
        new = {**rows[-1], "number": rows[-1]["number"] + self.random.randrange(2, 9)}
        rows.append({**new, "note": f"Skannet {self.turn}"})

    def document_deleted(self) -> None:
        rows: Any = self.company.rows(DOCUMENTS)
        rows.pop(self.random.randrange(len(rows)))
        self._document_deleted = True

    def document_becomes_visible(self) -> None:
        """Below the newest number. Not since one was deleted: a limit of docs/guarantees.md."""
        rows: Any = self.company.rows(DOCUMENTS)
        free = set(range(101, rows[-1]["number"])) - {row["number"] for row in rows}
        if not self._document_deleted:
            new = {**rows[0], "number": self.random.choice(sorted(free)), "note": "Sen"}
            insort(rows, new, key=lambda row: row["number"])

    # Documents that are not booked

    def drafted(self) -> None:
        kind = self.random.choice(("invoices", "orders", "quotes"))
        customer = self.random.choice(self._world.customers)
        self.company.draft(kind, customer.number, self.random.choice(self._world.products).number)

    def draft_postponed(self) -> None:
        kind = self.random.choice(("invoices", "orders", "quotes"))
        status = "drafts" if kind == "invoices" else self.random.choice(STATUSES[:2])
        if found := self._documents(kind, status):
            day = self._today + dt.timedelta(days=self.random.randrange(60))
            self.company.postpone(kind, status, self.random.choice(found).number, day)

    def draft_booked(self) -> None:
        if drafts := self._world.draft_invoices:
            self.company.book_draft(self.random.choice(drafts).number)

    def draft_deleted(self) -> None:
        if drafts := self._world.draft_invoices:
            self.company.delete_draft(self.random.choice(drafts).number)

    def document_forwarded(self) -> None:
        """An order or quote is sent, archived or deleted."""
        kind, at = self.random.choice(("orders", "quotes")), self.random.randrange(3)
        if found := self._documents(kind, STATUSES[at]):
            to = self.random.choice((*STATUSES[at + 1 :], None))
            self.company.forward(kind, STATUSES[at], self.random.choice(found).number, to)

    def year_added(self) -> None:
        if len(self._world.years) < 6:
            self.company.add_year()

    # What there is

    @property
    def _world(self) -> Any:
        return self.company.world

    @property
    def _today(self) -> dt.date:
        return self.now.date()

    def _owed(self) -> list[Document]:
        return [i for i in self._world.invoices if i.entry and i.entry.remainder > 100]

    def _documents(self, kind: str, status: str) -> list[Document]:
        world = self._world
        found: list[Document] = (
            world.draft_invoices if kind == "invoices" else getattr(world, kind)[status]
        )
        return found

    def _tell(self, endpoint: str, key: str | int, *, deleted: bool = False) -> None:
        if endpoint in EVENTS:
            new = "" if deleted else key
            self.company.tell(EVENTS[endpoint], deleted=deleted, OLDNUMBER=key, NEWNUMBER=new)

    def _some_row(self, endpoints: Any) -> tuple[str, Any, Any]:
        endpoint = self.random.choice(list(endpoints))
        rows: Any = self.company.rows(endpoint)
        return endpoint, rows, self.random.choice(rows)

    def _renumbered(self, row: Any, rows: Any, key: str) -> Any:
        text = isinstance(row[key], str)
        return {**row, key: f"NY-{self.turn}" if text else max(r[key] for r in rows) + 1}

    def _stamp(self, endpoint: str) -> dt.datetime:
        """To the minute where e-conomic tells no more."""
        minute = endpoint == "productsapi:/products"
        return self.now.replace(second=0) if minute else self.now
