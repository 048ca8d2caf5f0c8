"""The world: everything a company's rows are made from, built once from a seed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from random import Random
from typing import TYPE_CHECKING, TypeAlias

from tests.sandbox.books import agreement
from tests.sandbox.books.calendar import build_years, year_index
from tests.sandbox.books.customers import build_customers
from tests.sandbox.books.dimensions import write_changes
from tests.sandbox.books.documents import write_documents
from tests.sandbox.books.journals import write_drafts
from tests.sandbox.books.ledger import Ledger
from tests.sandbox.books.products import (
    build_products,
    build_special_prices,
)
from tests.sandbox.books.projects import PROJECT_NUMBERS
from tests.sandbox.books.story import Story
from tests.sandbox.books.suppliers import build_suppliers
from tests.sandbox.values import Row

if TYPE_CHECKING:
    from datetime import date

    from tests.sandbox.books.calendar import Year
    from tests.sandbox.books.customers import Customer
    from tests.sandbox.books.dimensions import Change
    from tests.sandbox.books.journals import Draft
    from tests.sandbox.books.products import (
        Product,
        SpecialPrice,
    )
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
    next_invoice: int = 1
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
        return year_index(self.years, self.today)

    def keep_balance(self, row: Row, account: int) -> None:
        self.balance_rows.append((row, account))

    def department_body(self, number: int | None) -> Row | None:
        if number is None or "Dimension" not in self.modules:
            return None
        return agreement.department_body(number)

    def distribution_body(self, number: int | None) -> Row | None:
        if number is None or "Dimension" not in self.modules:
            return None
        body = agreement.distribution_body(number)
        del body["barred"]  # only the listing tells
        return body

    def project_of(self, turn: int) -> int | None:
        """The project that every third document belongs to, in a company with projects."""
        if "Project" not in self.modules or turn % 3:
            return None
        return PROJECT_NUMBERS[turn // 3 % len(PROJECT_NUMBERS)]

    def first_product(self, *, accruing: bool) -> Product:
        """A product that shows much (a second unit, a department) and accrues, or does not."""
        shown = (p for p in self.products if (p.group.accrual is not None) == accruing and p.unit2)
        return next(shown, self.products[0])

    def customer_numbered(self, number: str) -> Customer:
        """Raises: KeyError: there is no such customer."""
        if not self._customers:
            self._customers.update({str(c.number): c for c in self.customers})
        return self._customers[number]

    def product_numbered(self, number: str) -> Product:
        """Raises: KeyError: there is no such product."""
        if not self._products:
            self._products.update({p.number: p for p in self.products})
        return self._products[number]

    def special_price_numbered(self, number: str) -> SpecialPrice:
        """Raises: KeyError: there is no such special price."""
        if not number.isdecimal() or not 0 < int(number) <= len(self.special_prices):
            raise KeyError(number)
        return self.special_prices[int(number) - 1]

    _customers: dict[str, Customer] = field(default_factory=dict)
    _products: dict[str, Product] = field(default_factory=dict)


Listing: TypeAlias = Callable[[World, tuple[str, ...]], Sequence[Row]]


def build_world(
    agreement_number: int,
    name: str,
    *,
    seed: int,
    entries: int,
    today: date,
    sparse: bool,
    modules: frozenset[str],
    finance_remainders: bool,
    story: type[Story],
) -> World:
    """Set up the master data and tell the story, about ``entries`` ledger entries long."""
    years = build_years()
    count = min(8_000, max(4 if sparse else 16, entries // 18))
    customers = build_customers(Random(f"{seed}/customers"), count, today, sparse=sparse)
    suppliers = build_suppliers(
        Random(f"{seed}/suppliers"),
        min(1_000, max(2 if sparse else 8, entries // 200)),
        today,
        sparse=sparse,
    )
    products = build_products(
        Random(f"{seed}/products"),
        count,
        today,
        sparse=sparse,
        modules=modules,
        catalogue=story.catalogue,
    )
    world = World(
        agreement_number,
        name,
        today,
        sparse,
        modules,
        years,
        Ledger(years, finance_remainders=finance_remainders),
        customers,
        suppliers,
        products,
        [] if sparse else build_special_prices(products),
    )
    story(world, Random(f"{seed}/story"), entries).tell()
    write_documents(world, Random(f"{seed}/documents"), entries)
    world.drafts = write_drafts(world, entries)
    world.changes = write_changes(world)
    return world
