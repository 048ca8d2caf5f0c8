"""What a company's office books by hand, in turn: wages, rent, reminders, travel and the like."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from random import Random

from tests.sandbox.books import chart, postings
from tests.sandbox.books.customers import Customer
from tests.sandbox.books.ledger import Entry, More, dkk
from tests.sandbox.books.projects import project_of
from tests.sandbox.books.world import World

DIMENSIONS = (
    More(dimensions=((1, 1, False), (2, 201, False))),
    More(dimensions=((1, 2, False),)),
    More(dimensions=((1, 100, True), (2, 250, True))),
    More(dimensions=((2, 202, False),)),
)
PLAIN = More()


class Office:
    """Writes one voucher after the other; ``plan`` arranges that a customer pays."""

    def __init__(
        self, world: World, random: Random, plan: Callable[[Customer, Entry, date, int], None]
    ) -> None:
        self.world = world
        self.book = world.ledger
        self.random = random
        self.plan = plan
        self.notes = 0

        self.round: tuple[Callable[[date], None], ...] = (
            lambda day: self.wages(day, random.randrange(30_000_00, 60_000_00)),
            lambda day: self.rent(day, 12_000_00),
            self._reminder,
            self._travel,
            self._pennies,
            self._manual_invoice,
            lambda day: self.release(day, 1_000_00 + self.notes),
            self._on_account,
            self._meal,
        )

    def write(self, day: date) -> None:
        """Book the next voucher of the round."""
        self.notes += 1
        self.round[self.notes % len(self.round)](day)

    def wages(self, day: date, gross: int) -> None:
        tax = gross * 38 // 100
        self.book.book(
            day,
            f"Løn {day:%m/%Y}",
            [
                dkk(chart.WAGES, gross, more=self._dimension()),
                dkk(chart.TAX, -tax),
                dkk(chart.BANK, tax - gross),
            ],
        )

    def _dimension(self) -> More:
        return DIMENSIONS[self.notes % 4] if "Dimension" in self.world.modules else PLAIN

    def rent(self, day: date, net: int) -> None:
        self.book.book(
            day,
            "Husleje",
            [
                dkk(chart.RENT, net, vat="I25"),
                dkk(chart.VAT_IN, net // 4),
                dkk(chart.BANK, -net * 5 // 4),
            ],
        )

    def _reminder(self, day: date) -> None:
        customer = self.world.customers[self.notes % len(self.world.customers)]
        postings.book_reminder(self.book, day, customer, 500 + self.notes, 100_00)

    def _travel(self, day: date) -> None:
        """Driving on a project: units, quantities and a cost type on the entry."""
        amount = 379 * (self.notes % 90 + 10)
        more = PLAIN
        if {"Dimension", "Project"} <= self.world.modules:
            more = More(
                project=project_of(self.world, self.notes * 3),
                cost_type=1,
                unit1=3,
                quantity1=(self.notes % 90 + 10) * 100,
                unit2=2,
                quantity2=125,
                dimensions=((1, 2, False),),
            )
        bank = dkk(chart.BANK, -amount)
        self.book.book(day, "Kørsel, km-godtgørelse", [dkk(chart.TRAVEL, amount, more=more), bank])

    def _pennies(self, day: date) -> None:
        parts = [dkk(chart.PENNIES, 10), dkk(chart.PENNIES, 20)]
        self.book.book(day, "Øreafrunding 0,1 + 0,2", [*parts, dkk(chart.CASH, -30)])

    def _manual_invoice(self, day: date) -> None:
        customer = self.world.customers[self.notes * 5 % len(self.world.customers)]
        number = 700_000 + self.notes
        debtor = postings.book_manual_invoice(self.book, day, customer, number, 2_530_00)
        if self.notes % 2:
            self.plan(customer, debtor, customer.terms.due(day), debtor.amount)

    def release(self, day: date, amount: int) -> None:
        self.book.book(
            day,
            "Periodisering, andel",
            [dkk(chart.DEFERRED, amount), dkk(1020, -amount, vat="U25")],
        )

    def _on_account(self, day: date) -> None:
        customer = self.world.customers[self.notes * 7 % len(self.world.customers)]
        postings.receive_on_account(self.book, day, customer, 1_500_00)

    def _meal(self, day: date) -> None:
        net, vat = 812_34, 54_15
        self.book.book(
            day,
            "Restaurant - 3 pers. (“Noma”)",
            [
                dkk(chart.MEALS, net, vat="Rep"),
                dkk(chart.VAT_IN, vat),
                postings.foreign_cost(day, chart.OFFICE, 75_00, "USD"),
                dkk(chart.BANK, -net - vat - 75_00),
            ],
        )
