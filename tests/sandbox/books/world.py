"""The world: everything a company's rows are made from, built once from a seed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime, timezone
from functools import cached_property
from typing import TYPE_CHECKING

from tests.sandbox.values import Row

if TYPE_CHECKING:  # these modules list rows of the world, and so import this one
    from tests.sandbox.books.calendar import Year
    from tests.sandbox.books.customers import Customer
    from tests.sandbox.books.dimensions import Change
    from tests.sandbox.books.journals import Draft
    from tests.sandbox.books.ledger import Ledger
    from tests.sandbox.books.products import Product, SpecialPrice
    from tests.sandbox.books.projects import TimeEntry
    from tests.sandbox.books.sales import Document
    from tests.sandbox.books.suppliers import Supplier


def _now() -> datetime:
    return datetime.now(timezone.utc).replace(microsecond=0)


@dataclass
class World:
    agreement_number: int
    name: str
    today: date
    sparse: bool
    modules: frozenset[str]
    years: list[Year]
    ledger: Ledger
    customers: list[Customer]
    suppliers: list[Supplier]
    products: list[Product]
    special_prices: list[SpecialPrice]
    invoices: list[Document] = field(default_factory=list)
    draft_invoices: list[Document] = field(default_factory=list)
    orders: dict[str, list[Document]] = field(default_factory=dict)
    quotes: dict[str, list[Document]] = field(default_factory=dict)
    drafts: list[Draft] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    next_invoice: int = 10_001
    next_line: int = 1
    next_document: int = 1
    next_document_line: int = 1
    time_entries: list[TimeEntry] = field(default_factory=list)
    # What was edited on projects, by their numbers, and when.
    project_names: dict[int, str] = field(default_factory=dict)
    project_changes: dict[int, datetime] = field(default_factory=dict)
    # When events happen; a test may set another clock.
    now: Callable[[], datetime] = _now
    # Rows that were handed out and show balances: they follow the ledger.
    balance_rows: list[tuple[Row, int]] = field(default_factory=list)
    customer_rows: dict[int, Row] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.founded = self.today

    @property
    def current_year(self) -> int:
        """The index of the accounting year that today falls in."""
        return next(i for i, year in enumerate(self.years) if year.start <= self.today <= year.end)

    def new_line(self) -> int:
        """The number of a new line of a booked invoice."""
        self.next_line += 1
        return self.next_line - 1

    def new_document_line(self) -> int:
        """The number of a new line of any other document."""
        self.next_document_line += 1
        return self.next_document_line - 1

    def first_product(self, *, accruing: bool) -> Product:
        """A product that shows much (a second unit, a department) and accrues, or does not."""
        shown = (p for p in self.products if (p.group.accrual is not None) == accruing and p.unit2)
        return next(shown, self.products[0])

    def customer_numbered(self, number: str) -> Customer:
        """Raises: KeyError: there is no such customer."""
        return self._customers[number]

    def product_numbered(self, number: str) -> Product:
        """Raises: KeyError: there is no such product."""
        return self._products[number]

    def special_price_numbered(self, number: str) -> SpecialPrice:
        """Raises: KeyError: there is no such special price."""
        if not number.isdecimal() or not 0 < int(number) <= len(self.special_prices):
            raise KeyError(number)
        return self.special_prices[int(number) - 1]

    @cached_property
    def _customers(self) -> dict[str, Customer]:
        return {str(customer.number): customer for customer in self.customers}

    @cached_property
    def _products(self) -> dict[str, Product]:
        return {product.number: product for product in self.products}
