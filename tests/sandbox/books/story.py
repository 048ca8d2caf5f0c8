"""A company's story, told day by day until about as many entries are booked as were asked for.

Everything follows from a seeded random generator and the counters of this module. Whatever a
reader of the data should meet at any size (each entry type, credit notes, part payments, overdue
invoices, foreign currency, vouchers booked late, an invoice number picked by hand, gaps between
entry numbers, amounts of fifteen digits, the leap day) is told explicitly, not left to chance. Its
amounts are odd rather than likely; `bicycle_shop` tells of a company that could exist.
"""

from __future__ import annotations

from bisect import insort
from datetime import date, timedelta
from itertools import accumulate
from random import Random
from typing import ClassVar

from tests.sandbox.books import chart, ledger, postings
from tests.sandbox.books.customers import Customer
from tests.sandbox.books.invoices import number_of
from tests.sandbox.books.ledger import Entry, dkk
from tests.sandbox.books.office import DIMENSIONS, PLAIN, Office
from tests.sandbox.books.products import Catalogue
from tests.sandbox.books.projects import project_of
from tests.sandbox.books.sales import Document, add_line, add_text, make_document
from tests.sandbox.books.suppliers import Supplier
from tests.sandbox.books.world import World

LEAP_DAY = date(2024, 2, 29)
_OPENED = timedelta(days=20)


class Story:
    """Tells one world's story once.

    Attributes:
        catalogue: what the company sells; None: anything.
        entries_per_turn: how many one turn makes on average, payments included; measured.
        sells: in which of nine turns the company sells; it buys in the second and the seventh.
    """

    catalogue: ClassVar[Catalogue | None] = None
    entries_per_turn = 4.59
    sells: ClassVar[set[int]] = {0, 2, 4, 5, 7}

    def __init__(self, world: World, random: Random, entries: int) -> None:
        self.world = world
        self.book = world.ledger
        self.random = random
        self.entries = entries
        # In a small company every exception must happen within a few dozen documents.
        self.rhythm = 1 if entries < 2_000 else 4
        self.sales = self.purchases = 0
        self.due_in: dict[date, list[tuple[Customer, Entry, int]]] = {}
        self.due_out: dict[date, list[tuple[Supplier, Entry]]] = {}
        self.office = Office(world, random, self._plan)
        self.opened = 0
        self.late = 0

    def tell(self) -> None:
        days = self._days()
        self._begin(days[0])
        fixed = len(self.book.entries) * len(self.book.years) + 12 + self._routine_entries()
        turns = max(30, round((self.entries - fixed) / self.entries_per_turn))
        busy = list(accumulate(map(self._busy, days)))
        told = 0
        for day, so_far in zip(days, busy, strict=True):
            self._year_end(day)
            self._payments(day)
            self._routine(day)
            if day == LEAP_DAY:
                self._sell(day)
            until = turns * so_far // busy[-1]
            while told < until:
                self._turn(day, told)
                told += 1
        self._close(days[-1])

    def _days(self) -> list[date]:
        """The working days from the first accounting year's start to two days before today."""
        first = self.book.years[0].start
        count = (self.world.today - first).days - 1
        days = [first + timedelta(days=i) for i in range(count)]
        return [day for day in days if day.weekday() < 5]

    def _busy(self, day: date) -> int:
        """How busy a day is, compared with others."""
        return 1

    def _routine(self, day: date) -> None:
        """Book what returns every month."""

    def _routine_entries(self) -> int:
        """How many entries that makes in all."""
        return 0

    def _opening(self) -> dict[int, int]:
        """The balances that the books begin with, but for the equity that remains."""
        return {
            chart.BANK: 2_500_000_00,
            chart.BANK_EUR: 745_000_00,
            chart.STOCK: 800_000_05,
            chart.EQUIPMENT: 640_000_00,
            chart.CASH: 1_234_50,
            chart.CAPITAL: -500_000_00,
        }

    def _begin(self, day: date) -> None:
        balances = self._opening()
        balances[chart.RETAINED] = -sum(balances.values())
        entries = [
            Entry(
                account,
                amount * 100 // 745 if account == chart.BANK_EUR else amount,
                amount,
                currency="EUR" if account == chart.BANK_EUR else "DKK",
                type=ledger.OPENING,
            )
            for account, amount in balances.items()
        ]
        self.book.book(self.book.years[0].start, "Åbningsbalance", entries, voucher=0)
        if not self.world.sparse:
            self._odd_figures(day)

    def _odd_figures(self, day: date) -> None:
        """Book an amount with more digits than most programs expect."""
        huge = 123_456_789_012_345
        self.book.book(
            day,
            "Valutatermin (kontrakt nr. 7)",
            [dkk(chart.FORWARDS, huge), dkk(chart.FORWARDS_OWED, -huge)],
        )

    def _year_end(self, day: date) -> None:
        """Open a new year some weeks into it, after what still belonged to the old one.

        Until then vouchers of both years are booked side by side, so that entry numbers of two
        years interleave; in the second year the auditor books one more after the opening.
        """
        year = self.book.year_of(day)
        start = self.book.years[year].start
        if year > self.opened and day >= start + _OPENED:
            self.opened = year
            self.book.open_year(year)
            if year == 1:
                last = start - timedelta(days=1)
                fee = dkk(chart.DEPRECIATION, 16_000_00)
                self.book.book(
                    last, "Revisors efterpostering", [fee, dkk(chart.EQUIPMENT, -16_000_00)]
                )
                self.book.open_year(year)

    def _posting_day(self, day: date) -> date:
        """Every second purchase in the first weeks of a year is dated in the year before."""
        year = self.book.year_of(day)
        if year > self.opened:
            self.late += 1
            if self.late % 2:
                return self.book.years[year].start - timedelta(days=1 + self.late % 5)
        return day

    def _turn(self, day: date, turn: int) -> None:
        if turn == 20:
            self.book.next_number += 500  # as if as many entries had been deleted
        kind = turn % 9
        if kind in self.sells:
            self._sell(day)
        elif kind in (1, 6):
            self._buy(self._posting_day(day))
        else:
            self.office.write(day)

    # -- sales

    def _sell(self, day: date, customer: Customer | None = None) -> Document:
        world, random = self.world, self.random
        self.sales += 1
        turn = self.sales
        if customer is None:
            customers = world.customers
            at = turn - 1 if turn <= len(customers) else random.randrange(len(customers))
            customer = customers[at]
        invoice = self._invoice(day, customer)
        self._fill(invoice)
        if turn % 6 == 1:
            add_text(invoice, world.new_line(), "Leveret efter aftale. Æ")
        more = PLAIN
        if "Dimension" in world.modules and turn % 2:
            more = DIMENSIONS[turn // 2 % 4]
        self._arrange(invoice, postings.book_invoice(self.book, invoice, more), turn)
        return invoice

    def _fill(self, invoice: Document) -> None:
        """Write the lines of an invoice."""
        random, products = self.random, self.world.products
        for _ in range(1 + self.sales % 3):
            product = products[random.randrange(len(products))]
            quantity = (100, 200, 150, 1000, 33)[random.randrange(5)]
            discount = (0, 0, 1000, 250)[self.sales % 4]
            add_line(invoice, self.world.new_line(), product, quantity, discount=discount)

    def _invoice(self, day: date, customer: Customer) -> Document:
        world, first = self.world, customer is self.world.customers[0]
        # The tenth invoice takes a number that somebody picked by hand.
        number = 900_001 if self.sales == 10 and not world.sparse else world.next_invoice
        if number == world.next_invoice:
            world.next_invoice += 1
        invoice = make_document(
            "booked",
            number,
            customer,
            day,
            full=customer.full and (first or self.sales % 2 == 1),
            project=project_of(world, 0 if first else self.sales),
        )
        insort(world.invoices, invoice, key=number_of)
        return invoice

    def _arrange(self, invoice: Document, entry: Entry, turn: int) -> None:
        """Decide how an invoice is going to be settled."""
        customer, rhythm = invoice.customer, self.rhythm
        if turn % (9 * rhythm) == 4:
            self._plan(customer, entry, invoice.due, entry.amount // 2 or entry.amount)
        elif turn % (11 * rhythm) == 6:
            return
        elif turn % (13 * rhythm) == 8:
            self._credit(invoice, entry)
        else:
            slack = timedelta(days=turn * 7 % 24 - 8)
            self._plan(customer, entry, invoice.due + slack, entry.amount)

    def _plan(self, customer: Customer, entry: Entry, day: date, amount: int) -> None:
        while day.weekday() >= 5 or day <= entry.date:
            day += timedelta(days=1)
        self.due_in.setdefault(day, []).append((customer, entry, amount))

    def _credit(self, invoice: Document, entry: Entry) -> None:
        """Take the first line of an invoice back the same day, and match the two."""
        first = invoice.lines[0]
        if first.product is None:
            return
        credit = self._invoice(invoice.day, invoice.customer)
        add_line(
            credit,
            self.world.new_line(),
            first.product,
            -first.quantity,
            discount=first.discount,
            accrues=False,
        )
        postings.set_off(self.book, entry, postings.book_invoice(self.book, credit))

    def _payments(self, day: date) -> None:
        by_customer: dict[int, tuple[Customer, list[tuple[Entry, int]]]] = {}
        for customer, entry, amount in self.due_in.pop(day, ()):
            part = min(amount, entry.remainder) if entry.amount > 0 else amount
            if part and entry.remainder:
                by_customer.setdefault(customer.number, (customer, []))[1].append((entry, part))
        for customer, paid in by_customer.values():
            postings.receive(self.book, day, customer, paid)
        for supplier, owed in self.due_out.pop(day, ()):
            postings.pay_supplier(self.book, day, supplier, [(owed, owed.remainder)])

    # -- purchases

    def _buy(self, day: date) -> None:
        self.purchases += 1
        turn = self.purchases
        supplier, net = self._purchase()
        more = PLAIN
        if "Dimension" in self.world.modules and turn % 3 == 0:
            more = DIMENSIONS[turn // 3 % 4]
        reference = f"LF-{turn:05d}/{day.year}"
        owed = postings.book_supplier_invoice(self.book, day, supplier, net, reference, more=more)
        pay_day = self._pay_day(owed.due or day)
        if pay_day:
            while pay_day.weekday() >= 5:
                pay_day += timedelta(days=1)
            self.due_out.setdefault(pay_day, []).append((supplier, owed))

    def _purchase(self) -> tuple[Supplier, int]:
        """From whom the company buys next, and for how much without VAT."""
        suppliers = self.world.suppliers
        return suppliers[self.purchases % len(suppliers)], self.random.randrange(50_00, 20_000_00)

    def _pay_day(self, due: date) -> date | None:
        """When the company pays what it bought last, if ever."""
        return due if self.purchases % (7 * self.rhythm) != 5 else None

    def _close(self, day: date) -> None:
        """The last days: an invoice that is overdue and two that are not due yet, all unpaid."""
        for past in (50, 3, 0):
            self._sell(day - timedelta(days=past), self.world.customers[0])
