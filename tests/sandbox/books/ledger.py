"""The ledger: compact entries, the totals they add up to, and their rows in both APIs' shapes.

Amounts are øre: ``amount`` in the entry's currency, ``base`` in the base currency; debit is
positive. Every voucher sums to zero in the base currency, and so does every year, because the
opening entries of a year restate the balances of the year before with the result transferred.
An entry on a customer's or supplier's control account carries the remainder that is still open;
any other has the remainder 0, or its amount where the company keeps ``finance_remainders``.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterator, Sequence
from dataclasses import KW_ONLY, dataclass, field
from datetime import date
from operator import attrgetter
from typing import Any

from tests.sandbox.books import chart
from tests.sandbox.books.agreement import distribution_ref, payment_details
from tests.sandbox.books.calendar import Period, Year, period_numbered, year_named
from tests.sandbox.books.money import kr
from tests.sandbox.books.rows import Lazy, listing, padded, path_of, ref, ref_or_none, version
from tests.sandbox.books.world import World
from tests.sandbox.values import Link, Row

TYPES = (
    "all",
    "customerInvoice",
    "customerPayment",
    "supplierInvoice",
    "supplierPayment",
    "financeVoucher",
    "reminder",
    "openingEntry",
    "transferredOpeningEntry",
    "systemEntry",
    "manualDebtorInvoice",
)
(INVOICE, PAYMENT, SUPPLIER_INVOICE, SUPPLIER_PAYMENT, VOUCHER, REMINDER) = range(1, 7)
(OPENING, TRANSFERRED, SYSTEM, MANUAL_INVOICE) = range(7, 11)
_OPEN_TYPES = {INVOICE, PAYMENT, SUPPLIER_INVOICE, SUPPLIER_PAYMENT, REMINDER, MANUAL_INVOICE}


@dataclass(frozen=True)
class More:
    """What few entries have. ``dimensions`` maps a dimension to (key, whether a distribution)."""

    project: int | None = None
    cost_type: int | None = None
    unit1: int | None = None
    quantity1: int | None = None
    unit2: int | None = None
    quantity2: int | None = None
    payment_type: int | None = None
    dimensions: tuple[tuple[int, int, bool], ...] = ()

    @property
    def department(self) -> int | None:
        """Dimension 1 is the departments, so its key is the departmental distribution."""
        return next((key for dimension, key, _ in self.dimensions if dimension == 1), None)


NOTHING_MORE = More()


@dataclass(slots=True, eq=False)
class Entry:
    """One booked entry. ``year`` is the index of its accounting year."""

    account: int
    amount: int
    base: int
    _: KW_ONLY
    currency: str = "DKK"
    vat: str | None = None
    customer: int | None = None
    invoice: int | None = None
    supplier: int | None = None
    supplier_invoice: str | None = None
    due: date | None = None
    more: More = NOTHING_MORE
    type: int = VOUCHER
    remainder: int = field(init=False, default=0)
    remainder_base: int = field(init=False, default=0)
    # The ledger fills in the rest when it books the entry.
    number: int = field(init=False, default=0)
    voucher: int = field(init=False, default=0)
    year: int = field(init=False, default=0)
    text: str = field(init=False, default="")
    date: date = field(init=False, default=date.min)

    def __post_init__(self) -> None:
        owed = self.customer is not None or self.supplier is not None
        if owed and self.type in _OPEN_TYPES:
            self.remainder, self.remainder_base = self.amount, self.base


def dkk(account: int, amount: int, **more: Any) -> Entry:
    """An entry in the base currency."""
    return Entry(account, amount, amount, **more)


_number = attrgetter("number")


class Ledger:
    """All entries, by number and by year, with running totals."""

    def __init__(self, years: list[Year], *, finance_remainders: bool) -> None:
        self.years: list[Year] = []
        self.finance_remainders = finance_remainders
        self.entries: list[Entry] = []
        self.by_year: list[list[Entry]] = []
        # Period number -> account -> øre of the base currency.
        self.period_sums: dict[int, dict[int, int]] = {}
        self.matches: list[tuple[Entry, Entry]] = []
        # What the latest match of two entries moved: amount and base, signed like the first's.
        self._moved: dict[tuple[Entry, Entry], tuple[int, int]] = {}
        self.customer_balances: dict[int, int] = {}
        self.open_of_customers: dict[int, Entry] = {}
        self.next_number = 1
        self.next_voucher: list[int] = []
        self._sorted = True
        self._months: dict[tuple[int, int], tuple[int, int]] = {}
        for year in years:
            self.add_year(year)

    def add_year(self, year: Year) -> None:
        """Make a year ready to be booked in; it follows the last."""
        for period in year.periods:
            self._months[period.start.year, period.start.month] = len(self.years), period.number
            self.period_sums[period.number] = {}
        self.years.append(year)
        self.by_year.append([])
        self.next_voucher.append(0)

    def year_of(self, day: date) -> int:
        return self._months[day.year, day.month][0]

    def new_voucher(self, year: int) -> int:
        """The next voucher number of a year: each year starts again from 1."""
        self.next_voucher[year] += 1
        return self.next_voucher[year]

    def book(
        self,
        day: date,
        text: str,
        entries: Sequence[Entry],
        *,
        voucher: int | None = None,
        first_number: int | None = None,
    ) -> int:
        """Book a voucher that balances; returns its number.

        Raises:
            ValueError: the entries do not sum to zero, or a number is taken.
        """
        if sum(entry.base for entry in entries):
            raise ValueError(f"the voucher does not balance: {text}")
        year, period = self._months[day.year, day.month]
        if voucher is None:
            voucher = self.new_voucher(year)
        number = self.next_number if first_number is None else first_number
        at_the_end = number >= self.next_number
        if not at_the_end and any(self.has(number + i) for i in range(len(entries))):
            raise ValueError(f"an entry number from {number} on is taken")
        sums = self.period_sums[period]
        for entry in entries:
            entry.number, entry.voucher, entry.year = number, voucher, year
            entry.date, entry.text = day, text
            number += 1
            if at_the_end:
                self.entries.append(entry)
                self.by_year[year].append(entry)
            else:
                insort(self.entries, entry, key=_number)
                insort(self.by_year[year], entry, key=_number)
            sums[entry.account] = sums.get(entry.account, 0) + entry.base
            if entry.customer is not None:
                balance = self.customer_balances.get(entry.customer, 0)
                self.customer_balances[entry.customer] = balance + entry.base
                if entry.remainder_base:
                    self.open_of_customers[entry.number] = entry
            elif self.finance_remainders and entry.supplier is None:
                entry.remainder, entry.remainder_base = entry.amount, entry.base
        self.next_number = max(self.next_number, number)
        return voucher

    def find(self, number: int) -> Entry:
        """Raises: KeyError: there is no such entry."""
        if not self.has(number):
            raise KeyError(number)
        return self.entries[bisect_left(self.entries, number, key=_number)]

    def has(self, number: int) -> bool:
        at = bisect_left(self.entries, number, key=_number)
        return at < len(self.entries) and self.entries[at].number == number

    def match(self, first: Entry, second: Entry, amount: int, base: int) -> None:
        """Set off ``amount`` between two entries of opposite signs, signed like the first's.

        Both remainders move towards zero, so that an account's remainders go on adding up to its
        balance.
        """
        self._move(first, second, amount, base)
        self._moved[first, second] = (amount, base)
        self.matches.append((first, second))
        self._sorted = False

    def unmatch(self, first: Entry, second: Entry) -> tuple[int, int]:
        """Undo the match of two entries: both are as open again as they were before it.

        Returns what was set off, for ``match``.

        Raises:
            KeyError: they are not matched.
        """
        amount, base = self._moved.pop((first, second))
        self._move(first, second, -amount, -base)
        self.matches.remove((first, second))
        return amount, base

    def _move(self, first: Entry, second: Entry, amount: int, base: int) -> None:
        for entry, sign in ((first, 1), (second, -1)):
            entry.remainder -= sign * amount
            entry.remainder_base -= sign * base
            if not entry.remainder_base:
                self.open_of_customers.pop(entry.number, None)
            elif entry.customer is not None:
                self.open_of_customers[entry.number] = entry

    def sorted_matches(self) -> list[tuple[Entry, Entry]]:
        if not self._sorted:
            self.matches.sort(key=lambda pair: (pair[0].number, pair[1].number))
            self._sorted = True
        return self.matches

    def year_totals(self, year: int) -> dict[int, int]:
        """Account -> the sum of a year's entries in øre of the base currency."""
        totals: dict[int, int] = {}
        for period in self.years[year].periods:
            for account, base in self.period_sums[period.number].items():
                totals[account] = totals.get(account, 0) + base
        return totals

    def opening(self, year: int) -> dict[int, int]:
        """What a year should open with: the balances before it, the result on RETAINED."""
        opening: dict[int, int] = {}
        for number, base in self.year_totals(year - 1).items():
            account = number if chart.BY_NUMBER[number].kind == chart.ST else chart.RETAINED
            opening[account] = opening.get(account, 0) + base
        return opening

    def open_year(self, year: int) -> None:
        """Book the opening entries of a year, or what they lack after late bookings."""
        booked: dict[int, int] = {}
        for entry in self.by_year[year]:
            if entry.type == TRANSFERRED:
                booked[entry.account] = booked.get(entry.account, 0) + entry.base
        wanted = self.opening(year)
        entries = [
            dkk(account, amount, type=TRANSFERRED)
            for account in sorted(wanted.keys() | booked.keys())
            if (amount := wanted.get(account, 0) - booked.get(account, 0))
        ]
        if entries:
            self.book(self.years[year].start, "Primo", entries, voucher=0)


def _rest_entry(year: Year, entry: Entry) -> Row:
    more = entry.more
    path = path_of("year", year.name)
    row: Row = {
        "account": ref("accountNumber", entry.account),
        "amount": kr(entry.amount),
        "amountInBaseCurrency": kr(entry.base),
        "currency": entry.currency,
        "date": entry.date,
        "dueDate": entry.due,
        "entryNumber": entry.number,
        "text": entry.text,
        "entryType": TYPES[entry.type],
        "vatAccount": ref_or_none("vatCode", entry.vat),
        "customer": ref_or_none("customerNumber", entry.customer),
        "voucherNumber": entry.voucher,
        "bookedInvoice": ref_or_none(
            "bookedInvoiceNumber", entry.invoice if entry.type == INVOICE else None
        ),
        # The schema says string; the server sends a number.
        "invoiceNumber": entry.invoice,
        "supplierInvoiceNumber": entry.supplier_invoice,
        "remainder": kr(entry.remainder),
        "remainderInBaseCurrency": kr(entry.remainder_base),
        "self": Link(f"{path}/entries/{entry.number}"),
    }
    if entry.supplier is not None:
        row["supplier"] = {
            **ref("supplierNumber", entry.supplier),
            "supplierGroup": ref(
                "supplierGroupNumber", 2 if entry.account == chart.CREDITORS_ABROAD else 1
            ),
        }
    if more is not NOTHING_MORE:
        row["departmentalDistribution"] = distribution_ref(more.department)
        row["project"] = ref_or_none("projectNumber", more.project)
        row["costType"] = ref_or_none("costTypeNumber", more.cost_type)
        row["unit1"] = ref_or_none("unitNumber", more.unit1)
        row["unit2"] = ref_or_none("unitNumber", more.unit2)
        row["quantity1"] = None if more.quantity1 is None else kr(more.quantity1)
        row["quantity2"] = None if more.quantity2 is None else kr(more.quantity2)
        row["paymentDetails"] = payment_details(more.payment_type)
    return row


def _booked_entry(entry: Entry) -> Row:
    return {
        "entryNumber": entry.number,
        "accountNumber": entry.account,
        "projectNumber": entry.more.project,
        "amount": kr(entry.amount),
        "amountInBaseCurrency": kr(entry.base),
        "currencyCode": entry.currency,
        "date": entry.date,
        "dueDate": entry.due,
        "text": entry.text,
        "type": entry.type,
        # Named after the account, it holds the VAT code, in a field of fixed width.
        "vatAccountNumber": None if entry.vat is None else padded(entry.vat),
        "voucherNumber": entry.voucher,
        "customerNumber": entry.customer,
        "customerInvoiceNumber": entry.invoice,
        "supplierNumber": entry.supplier,
        "supplierInvoiceNumber": entry.supplier_invoice,
        "remainder": kr(entry.remainder),
        "objectVersion": version(entry.number, entry.remainder),
    }


def _matched_pair(pair: tuple[Entry, Entry]) -> Row:
    first, second = pair
    # Each side shows the whole amount of its entry, not the part that was matched.
    return {
        "fromEntry": first.number,
        "fromEntryDate": first.date,
        "fromEntryAmount": kr(first.amount),
        "fromEntryAmountDKK": kr(first.base),
        "toEntry": second.number,
        "toEntryDate": second.date,
        "toEntryAmount": kr(second.amount),
        "toEntryAmountDKK": kr(second.base),
    }


def _total(year: Year, period: Period | None, account: int, base: int) -> Row:
    start, end, path = year.start, year.end, ""
    if period:
        start, end, path = period.start, period.end, f"/periods/{period.number}"
    return {
        "totalInBaseCurrency": kr(base),
        "account": ref("accountNumber", account),
        "fromDate": start,
        "toDate": end,
        "self": Link(f"/accounts/{account}{path_of('year', year.name)}{path}/totals"),
    }


@listing("rest:/accounting-years/{accountingYear}/totals", derived=True)
def _year_totals(world: World, name: str) -> Iterator[Row]:
    index, year = year_named(world, name)
    totals = sorted(world.ledger.year_totals(index).items())
    for account, base in totals:
        yield _total(year, None, account, base)


@listing(
    "rest:/accounting-years/{accountingYear}/periods/{accountingYearPeriod}/totals", derived=True
)
def _period_totals(world: World, name: str, number: str) -> Iterator[Row]:
    _, year = year_named(world, name)
    period = period_numbered(year, number)
    for account, base in sorted(world.ledger.period_sums[period.number].items()):
        yield _total(year, period, account, base)


@listing("rest:/accounting-years/{accountingYear}/entries")
def _rest_entries(world: World, name: str) -> Lazy[Entry]:
    index, year = year_named(world, name)
    return Lazy(world.ledger.by_year[index], lambda entry: _rest_entry(year, entry))


@listing("bookedEntriesapi:/booked-entries")
def _booked_entries(world: World) -> Lazy[Entry]:
    return Lazy(world.ledger.entries, _booked_entry)


@listing("bookedEntriesapi:/booked-entries/matched-pairs")
def _matched_pairs(world: World) -> Lazy[tuple[Entry, Entry]]:
    return Lazy(world.ledger.sorted_matches(), _matched_pair)
