"""The story of the sample company, a shop for bicycles: seasons, growth and one bad quarter.

Sales follow the year and grow by an eighth a year; a wet summer and a recall ruin the third quarter
of 2025. Goods go into stock and become a cost when they are sold, wages and rent return every
month, VAT is settled every quarter. Most customers pay in time, some late, a few not at all.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from random import Random
from typing import ClassVar

from tests.sandbox.books import chart, postings
from tests.sandbox.books.calendar import month_after
from tests.sandbox.books.ledger import Entry, dkk
from tests.sandbox.books.money import to_base
from tests.sandbox.books.products import Catalogue, Product
from tests.sandbox.books.sales import Document, add_line
from tests.sandbox.books.story import Story
from tests.sandbox.books.suppliers import Supplier
from tests.sandbox.books.world import World

_DAILY_SALES = 6_700_00  # without VAT, of a company of 2,000 entries in 2023
# In per cent of an ordinary month, of 2023, and of what it would have been otherwise.
_SEASON = (72, 76, 95, 125, 140, 135, 120, 115, 100, 88, 84, 100)
_GROWTH = {2023: 100, 2024: 112, 2025: 126, 2026: 142}
_BAD_QUARTER = {(2025, 7): 45, (2025, 8): 38, (2025, 9): 45}
_GOODS = {1, 4}
_EXPENSIVE = 2_000_00
# How many days after the due date customers pay, in turn.
_DELAYS = (0, 3, 0, 2, 0, 5, 80, 26, 1, -3, 88, 12, 40)


class BicycleShop(Story):
    """Tells the sample company's story."""

    catalogue: ClassVar[Catalogue] = {
        1: (
            ("Cykelhjelm", 399),
            ("Lygtesæt", 249),
            ("Cykelkurv", 329),
            ("Cykellås", 449),
            ("Barnestol", 899),
            ("Regnjakke", 599),
        ),
        2: (("Cykeleftersyn", 495), ("Værkstedstime", 620), ("Montering", 350)),
        3: (("Serviceaftale, år", 1_495), ("Cykelforsikring, år", 995)),
        4: (
            ("Bycykel 7 gear", 5_999),
            ("Elcykel", 17_999),
            ("Børnecykel 20 tommer", 2_999),
            ("Ladcykel", 21_999),
            ("Racercykel", 13_999),
            ("Mountainbike", 8_999),
        ),
    }
    entries_per_turn = 4.8
    sells: ClassVar[set[int]] = {0, 2, 3, 4, 5, 7}

    def __init__(self, world: World, random: Random, entries: int) -> None:
        super().__init__(world, random, entries)
        self.size = max(0.2, entries / 2_000)
        self.planned = self.cost = self.to_buy = 0
        self.due_to_state: dict[date, dict[int, int]] = {}
        self.month = self.book.years[0].start
        # What returns every month is not in the round.
        self.office.round = tuple(
            task for place, task in enumerate(self.office.round) if place not in {0, 1, 6}
        )
        dear = [p for p in world.products if p.price >= _EXPENSIVE and p.group.number in _GOODS]
        self.dear: list[Product] = dear or world.products
        self.cheap = [p for p in world.products if p not in self.dear]

    def _opening(self) -> dict[int, int]:
        kroner = {
            chart.BANK: 390_000,
            chart.BANK_EUR: 74_500,
            chart.STOCK: 520_000,
            chart.EQUIPMENT: 240_000,
            chart.CASH: 2_500,
            chart.CAPITAL: -40_000,
        }
        return {account: round(amount * self.size) * 100 for account, amount in kroner.items()}

    def _odd_figures(self, day: date) -> None:
        """None."""

    def _busy(self, day: date) -> int:
        return (100 + _SEASON[day.month - 1]) * _GROWTH[day.year]

    # -- what returns

    def _routine_entries(self) -> int:
        months = (self.world.today - self.month).days // 30
        return months * 10 + months // 3 * 7

    def _routine(self, day: date) -> None:
        """Plan the day's sales, close the months that are over, pay VAT and tax when due."""
        bad = _BAD_QUARTER.get((day.year, day.month), 100)
        share = _SEASON[day.month - 1] * _GROWTH[day.year] * bad / 100**3
        self.planned += round(_DAILY_SALES * self.size * share)
        while (after := month_after(self.month)) <= day:
            self._close_month(after - timedelta(days=1))
            self.month = after
        for due in [due for due in self.due_to_state if due <= day]:
            owed = self.due_to_state.pop(due)
            entries = [dkk(account, -base) for account, base in owed.items() if base]
            total = sum(owed.values())
            text = "A-skat" if chart.TAX in owed else "Momsafregning"
            self.book.book(day, text, [*entries, dkk(chart.BANK, total)])

    def _close_month(self, day: date) -> None:
        while day.weekday() >= 5:
            day -= timedelta(days=1)
        years = day.year - 2023
        season = 1.15 if day.month in {5, 6, 7, 8} else 1.0
        gross = round(40_500 * self.size * season * (1 + years * 4 / 100)) * 100
        self.office.wages(day, gross)
        tax = -(gross * 38 // 100)
        self.due_to_state[month_after(day) + timedelta(days=9)] = {chart.TAX: tax}
        self.office.rent(day, round(9_500 * self.size * (1 + years * 2 / 100)) * 100)
        self._use_stock(day)
        if day.month % 3 == 0:
            totals = self.book.year_totals(self.book.year_of(day))
            vat = {account: totals.get(account, 0) for account in (chart.VAT_OUT, chart.VAT_IN)}
            self.due_to_state[month_after(day, 3)] = vat
            self.office.release(day, -totals.get(chart.DEFERRED, 0) // 3)
            worn = round(6_000 * self.size) * 100
            entries = [dkk(chart.DEPRECIATION, worn), dkk(chart.EQUIPMENT, -worn)]
            self.book.book(day, "Afskrivning, kvartal", entries)
            spare = totals.get(chart.BANK_EUR, 0) - self._opening()[chart.BANK_EUR]
            if spare > 0:
                euro = postings.foreign_cost(day, chart.BANK_EUR, -spare, "EUR")
                self.book.book(day, "Veksling", [euro, dkk(chart.BANK, spare)])

    def _use_stock(self, day: date) -> None:
        """Goods that were sold become a cost."""
        entries = [dkk(chart.GOODS, self.cost), dkk(chart.STOCK, -self.cost)]
        self.book.book(day, f"Vareforbrug {day:%m/%Y}", entries)
        self.cost = 0

    # -- sales

    def _fill(self, invoice: Document) -> None:
        """Sell some small things, and as much of a large one as the plan has room for."""
        random, discount = self.random, (0, 0, 1000, 500)[self.sales % 4]
        picked = [
            (random.choice(self.cheap), random.randrange(1, 9)) for _ in range(self.sales % 3)
        ]
        left = self.planned - sum(product.price * quantity for product, quantity in picked)
        dear = random.choice(self.dear)
        picked.append((dear, max(1, round(left / dear.price))))
        for product, quantity in picked:
            number = self.world.new_line()
            add_line(invoice, number, product, quantity * 100, discount=discount)
        for line in invoice.lines:
            self.planned -= to_base(line.net, invoice.rate)
            if line.product and line.product.group.number in _GOODS:
                cost = line.product.cost * line.quantity // 100
                self.cost += cost
                self.to_buy += cost

    def _arrange(self, invoice: Document, entry: Entry, turn: int) -> None:
        due = invoice.due + timedelta(days=_DELAYS[turn % len(_DELAYS)])
        if turn % 30 == 8:
            self._credit(invoice, entry)
        if turn % 19 == 10:
            self._plan(invoice.customer, entry, invoice.due, entry.amount // 2)
            due += timedelta(days=30)
        if turn % 95 != 67:
            self._plan(invoice.customer, entry, due + timedelta(days=1), entry.amount)

    # -- purchases

    def _purchase(self) -> tuple[Supplier, int]:
        """Every second time goods for what was sold, else what a shop needs."""
        turn = self.purchases // 2
        goods = [s for s in self.world.suppliers if s.cost_account == chart.GOODS]
        if self.purchases % 2:
            bought = max(self.to_buy, 5_000_00)
            self.to_buy -= bought
            return replace(goods[turn % len(goods)], cost_account=chart.STOCK), bought
        others = [s for s in self.world.suppliers if s not in goods]
        supplier = others[turn % len(others)]
        low, high = {
            chart.OFFICE: (1_500_00, 6_000_00),
            chart.MARKETING: (5_000_00, 12_000_00),
            chart.SOFTWARE: (450_00, 1_300_00),
        }.get(supplier.cost_account, (1_000_00, 3_000_00))
        return supplier, self.random.randrange(low, high, 25)

    def _pay_day(self, due: date) -> date | None:
        """A month and more after the due date; some small invoices are disputed."""
        if self.purchases % 12 == 6:
            return None
        return due + timedelta(days=30 + self.purchases * 7 % 20)

    def _close(self, day: date) -> None:
        super()._close(day)
        self._use_stock(day)
