"""One company of the sandbox: its rows per endpoint, and the events that tests play on it."""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from random import Random

from tests.sandbox.books import (  # noqa: F401  each of them has listings
    agreement,
    budgets,
    calendar,
    chart,
    customers,
    dimensions,
    documents,
    invoices,
    postings,
    projects,
    subscriptions,
    suppliers,
)
from tests.sandbox.books.agreement import MODULES
from tests.sandbox.books.calendar import TODAY
from tests.sandbox.books.customers import build_customers
from tests.sandbox.books.journals import write_drafts
from tests.sandbox.books.ledger import Entry, Ledger
from tests.sandbox.books.money import ore
from tests.sandbox.books.products import build_products, build_special_prices
from tests.sandbox.books.rows import DERIVED, LISTINGS, Lazy
from tests.sandbox.books.sales import Document, add_line, make_document
from tests.sandbox.books.story import Story
from tests.sandbox.books.suppliers import build_suppliers
from tests.sandbox.books.world import World
from tests.sandbox.values import Row

ALL = frozenset(MODULES)
_FIRST_DRAFT = 50_000  # above the numbers that the documents of the past have
# The paid module that a whole API needs, and what it serves without.
_MODULES = {
    "dimensionsapi": "Dimension",
    "projectsapi": "Project",
    "subscriptionsapi": "Subscription",
}
_WITHOUT_MODULE = {"projectsapi:/Employees", "projectsapi:/EmployeeGroups"}


class Company:
    """A company and its listings.

    The events (``book``, ``sell``, ``pay``, ``unmatch``, ``draft``, ``postpone``, ``book_draft``,
    ``delete_draft``, ``forward``, ``redimension``, ``rename_project``, ``add_year``) keep ledger,
    totals, balances, invoices, documents and both APIs' rows in agreement. For anything else a test
    may change the rows of a listing themselves, in each of the twins it cares about.

    Attributes:
        tell: called with each event that e-conomic has a webhook for, and the values of its merge
            fields: see ``deliveries``.
    """

    def __init__(self, world: World) -> None:
        self.world = world
        self.agreement_number = world.agreement_number
        self.name = world.name
        self.modules = world.modules
        self._kept: dict[tuple[str, tuple[str, ...]], Sequence[Row]] = {}
        self._undone: dict[int, tuple[tuple[Entry, Entry], tuple[int, int]]] = {}
        self.tell: Callable[..., None] = lambda *_, **__: None

    def rows(self, endpoint: str, params: tuple[str, ...] = ()) -> Sequence[Row]:
        """All rows of a listing in its default order.

        Args:
            endpoint: a key such as ``rest:/customers``.
            params: the decoded path parameters, in order.

        Returns:
            A list that stays the same object from call to call, so that a test may change it (an
            event makes those anew that follow from the ledger or the documents); or, for the
            ledger, booked invoices and what else grows with the business, a sequence that builds
            its rows when asked. A singleton is a list of one row, or of none where it does not
            exist.

        Raises:
            KeyError: an unknown endpoint or an unknown parent.
        """
        kept = self._kept.get((endpoint, params))
        if kept is not None:
            return kept
        balances = self.world.balance_rows, self.world.customer_rows
        shown = sum(map(len, balances))
        listed = LISTINGS[endpoint](self.world, *params) if self._has_module(endpoint) else []
        rows = listed if isinstance(listed, Lazy) else list(listed)
        self._kept[endpoint, params] = rows
        if sum(map(len, balances)) != shown:
            self._move_balances()
        return rows

    def _has_module(self, endpoint: str) -> bool:
        if endpoint in _WITHOUT_MODULE:
            return True
        needed = _MODULES.get(endpoint.partition(":")[0])
        return needed is None or (needed in self.modules and not self.world.sparse)

    def book(
        self,
        day: date,
        text: str,
        lines: Sequence[tuple[int, Decimal]],
        *,
        first_number: int | None = None,
    ) -> int:
        """Book a finance voucher of (account, kroner) lines; returns its number.

        In a past year the opening entries of the years after it are put right as well.
        ``first_number`` gives the entries numbers of their own instead of the next ones.

        Raises:
            ValueError: the lines do not sum to zero, or an entry number is taken.
        """
        entries = [Entry(account, ore(amount), ore(amount)) for account, amount in lines]
        voucher = self.world.ledger.book(day, text, entries, first_number=first_number)
        self._changed(day)
        first, last = entries[0].number, entries[-1].number
        self.tell("JOURNAL_BOOKED", DAYBOOKNO=1, FROMSERIALNO=first, TOSERIALNO=last)
        return voucher

    def sell(
        self,
        customer_number: int,
        product_number: str,
        *,
        day: date | None = None,
        number: int | None = None,
    ) -> int:
        """Book an invoice of one line with ten of a product; returns the booked invoice number.

        Raises:
            KeyError: there is no such customer or product.
            ValueError: the ``number`` picked by hand is taken.
        """
        world = self.world
        day = day or world.today
        customer = world.customer_numbered(str(customer_number))
        product = world.product_numbered(product_number)
        invoice = make_document("booked", 0, customer, day)
        add_line(invoice, world.new_line(), product, 1_000)
        return self._book_invoice(invoice, number)

    def book_draft(self, draft_number: int, *, number: int | None = None) -> int:
        """Book a draft invoice, which leaves the drafts; returns the booked invoice number.

        Raises:
            KeyError: there is no such draft.
            ValueError: the ``number`` picked by hand is taken.
        """
        world = self.world
        draft = self._take("invoices", "drafts", draft_number)
        lines = [replace(line, number=world.new_line()) for line in draft.lines]
        booked = replace(draft, status="booked", lines=lines, changed=None)
        return self._book_invoice(booked, number)

    def delete_draft(self, draft_number: int) -> None:
        """Delete a draft invoice without a trace.

        Raises:
            KeyError: there is no such draft.
        """
        self._take("invoices", "drafts", draft_number)
        self._changed(self.world.today)

    def draft(self, kind: str, customer_number: int, product_number: str) -> int:
        """Draft ten of a product, as one of ``invoices``, ``orders`` or ``quotes``.

        Returns:
            The number that users see.

        Raises:
            KeyError: there is no such customer or product.
        """
        world = self.world
        customer = world.customer_numbered(str(customer_number))
        product = world.product_numbered(product_number)
        number = _FIRST_DRAFT + world.next_document
        document = make_document(
            "drafts",
            number,
            customer,
            world.today,
            handle=world.next_document,
            changed=self._this_minute(),
        )
        world.next_document += 1
        add_line(document, world.new_document_line(), product, 1_000, accrues=False)
        self._documents(kind, "drafts").append(document)
        self._changed(world.today)
        self._tell_document(kind, number)
        return number

    def postpone(self, kind: str, status: str, number: int, day: date) -> None:
        """Give a document that is not booked another due date.

        Raises:
            KeyError: there is no such document.
        """
        document = next((d for d in self._documents(kind, status) if d.number == number), None)
        if document is None:
            raise KeyError(number)
        document.due, document.changed = day, self._this_minute()
        self._changed(self.world.today)
        self._tell_document(kind, number)

    def forward(self, kind: str, status: str, number: int, to: str | None) -> None:
        """Send or archive an order or a quote, or delete it (None).

        Raises:
            KeyError: there is no such document.
        """
        document = self._take(kind, status, number)
        if to is not None:
            document.status, document.changed = to, self._this_minute()
            self._documents(kind, to).append(document)
        self._changed(self.world.today)
        self._tell_document(kind, number, deleted=to is None)

    def rename_project(self, number: int, name: str) -> None:
        """Give a project another name."""
        self.world.project_names[number] = name
        self.world.project_changes[number] = self.world.now()
        self._changed(self.world.today)
        self.tell("PROJECT_UPDATED", OLDNUMBER=number, NEWNUMBER=number)

    def add_year(self) -> str:
        """Add the accounting year after the last; returns its name."""
        year = calendar.next_year(self.world.years)
        self.world.ledger.add_year(year)
        self.world.years.append(year)
        self._changed(self.world.today)
        return year.name

    def pay(
        self, invoice_number: int, amount: Decimal | None = None, *, day: date | None = None
    ) -> None:
        """The customer pays an invoice, or ``amount`` of it in the invoice's currency.

        Raises:
            KeyError: there is no such invoice.
            ValueError: nothing is open on it.
        """
        invoice = invoices.invoice_numbered(self.world, str(invoice_number))
        if invoice is None or invoice.entry is None:
            raise KeyError(invoice_number)
        if not invoice.entry.remainder:
            raise ValueError(f"invoice {invoice_number} is paid")
        paid = invoice.entry.remainder if amount is None else ore(amount)
        day = day or self.world.today
        ledger = self.world.ledger
        first = ledger.next_number
        postings.receive(ledger, day, invoice.customer, [(invoice.entry, paid)])
        self._changed(day)
        last = ledger.next_number - 1
        self.tell("JOURNAL_BOOKED", DAYBOOKNO=1, FROMSERIALNO=first, TOSERIALNO=last)

    def unmatch(self, invoice_number: int) -> None:
        """Undo an invoice's latest match with a payment or credit note: both are open again.

        Raises:
            KeyError: there is no such invoice, or nothing is matched with it.
        """
        invoice = invoices.invoice_numbered(self.world, str(invoice_number))
        entry = invoice.entry if invoice else None
        matches = [pair for pair in self.world.ledger.matches if entry in pair]
        if not matches:
            raise KeyError(invoice_number)
        pair = max(matches, key=lambda pair: pair[1].number)
        self._undone[invoice_number] = (pair, self.world.ledger.unmatch(*pair))
        self._changed(self.world.today)

    def rematch(self, invoice_number: int) -> None:
        """Make the match of an invoice that was undone once more.

        Raises:
            KeyError: none of its matches was undone.
            ValueError: one of the two entries has been settled otherwise.
        """
        (first, second), (amount, base) = self._undone.pop(invoice_number)
        if abs(first.remainder) < abs(amount) or abs(second.remainder) < abs(amount):
            raise ValueError(f"invoice {invoice_number} is settled")
        self.world.ledger.match(first, second, amount, base)
        self._changed(self.world.today)

    def redimension(self, entry_number: int, dimension: int, key: int | None, at: datetime) -> None:
        """Move a booked entry to another dimension key (None: to none), which the changelog tells.

        Raises:
            KeyError: there is no such entry.
        """
        entry = self.world.ledger.find(entry_number)
        had = dimensions.mark_entry(entry, dimension, key)
        self.world.changes.append(dimensions.Change(entry_number, dimension, had, key, at))
        self._changed(self.world.today)

    def _take(self, kind: str, status: str, number: int) -> Document:
        """Raises: KeyError: there is no such document."""
        documents = self._documents(kind, status)
        numbers = [document.number for document in documents]
        if number not in numbers:
            raise KeyError(number)
        return documents.pop(numbers.index(number))

    def _documents(self, kind: str, status: str) -> list[Document]:
        if kind == "invoices":
            return self.world.draft_invoices
        return {"orders": self.world.orders, "quotes": self.world.quotes}[kind][status]

    def _this_minute(self) -> datetime:
        return self.world.now().replace(second=0, microsecond=0)

    def _book_invoice(self, invoice: Document, number: int | None) -> int:
        world = self.world
        if number is None:
            number = world.next_invoice
            world.next_invoice += 1
        if invoices.invoice_numbered(world, str(number)):
            raise ValueError(f"invoice number {number} is taken")
        invoice.id = invoice.number = number
        postings.book_invoice(world.ledger, invoice)
        insort(world.invoices, invoice, key=invoices.number_of)
        if invoice.project is not None:  # its invoiced total moves
            world.project_changes[invoice.project] = world.now()
        self._changed(invoice.day)
        self.tell("INVOICE_BOOKED", INVOICENO=number)
        return number

    def _tell_document(self, kind: str, number: int, *, deleted: bool = False) -> None:
        if kind != "invoices":  # of drafts of invoices there is no event
            event = {"orders": "ORDER_UPDATED", "quotes": "QUOTE_UPDATED"}[kind]
            new = "" if deleted else number
            self.tell(event, deleted=deleted, OLDNUMBER=number, NEWNUMBER=new)

    def _changed(self, day: date) -> None:
        world = self.world
        for year in range(world.ledger.year_of(day) + 1, world.current_year + 1):
            world.ledger.open_year(year)
        for kept in list(self._kept):
            if kept[0] in DERIVED or not isinstance(self._kept[kept], list):
                del self._kept[kept]
        self._move_balances()

    def _move_balances(self) -> None:
        chart.move_balances(self.world)
        customers.move_balances(self.world)


def build_company(
    agreement_number: int,
    name: str,
    *,
    seed: int,
    entries: int,
    sparse: bool = False,
    modules: frozenset[str] = ALL,
    today: date = TODAY,
    finance_remainders: bool = False,
    story: type[Story] = Story,
) -> Company:
    """Set up the master data and tell the story, about ``entries`` ledger entries long.

    The same arguments make the same rows.
    """
    years = calendar.build_years()
    count = min(8_000, max(4 if sparse else 16, entries // 18))
    sold = build_products(
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
        build_customers(Random(f"{seed}/customers"), count, today, sparse=sparse),
        build_suppliers(
            Random(f"{seed}/suppliers"),
            min(1_000, max(2 if sparse else 8, entries // 200)),
            today,
            sparse=sparse,
        ),
        sold,
        [] if sparse else build_special_prices(sold),
    )
    story(world, Random(f"{seed}/story"), entries).tell()
    documents.write_documents(world, Random(f"{seed}/documents"), entries)
    world.drafts = write_drafts(world, entries)
    world.changes = dimensions.write_changes(world)
    return Company(world)
