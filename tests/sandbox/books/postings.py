"""The vouchers a company books: sales, purchases, payments, and what the office writes by hand.

Each function books one voucher and keeps matches and remainders in step. They are used to tell a
company's story and, later, to play events on it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from tests.sandbox.books import chart, ledger
from tests.sandbox.books.customers import Customer
from tests.sandbox.books.ledger import NOTHING_MORE, Entry, Ledger, More, dkk
from tests.sandbox.books.money import from_base, rate_on, share, to_base
from tests.sandbox.books.sales import Document
from tests.sandbox.books.suppliers import Supplier


def book_invoice(book: Ledger, invoice: Document, more: More = NOTHING_MORE) -> Entry:
    """Book a sales invoice or credit note; returns (and notes) its control account entry."""
    customer, number = invoice.customer, invoice.number
    net_base, gross_base = invoice.net_base, invoice.gross_base
    sums: dict[int, int] = {}
    for line in invoice.lines:
        if line.account is not None:
            sums[line.account] = sums.get(line.account, 0) + line.net
    debtor = Entry(
        customer.control_account,
        invoice.gross,
        gross_base,
        currency=invoice.currency,
        customer=customer.number,
        invoice=number,
        due=invoice.due,
        type=ledger.INVOICE,
    )
    entries = [debtor]
    left = net_base
    for position, (account, net) in enumerate(sums.items(), 1):
        base = left if position == len(sums) else to_base(net, invoice.rate)
        left -= base
        entries.append(
            Entry(
                account,
                -net,
                -base,
                currency=invoice.currency,
                vat="U25" if customer.zone == 1 else None,
                invoice=number,
                more=more,
                type=ledger.INVOICE,
            )
        )
    if invoice.vat:
        entries.append(
            Entry(
                chart.VAT_OUT,
                -invoice.vat,
                net_base - gross_base,
                currency=invoice.currency,
                invoice=number,
                type=ledger.INVOICE,
            )
        )
    word = "Kreditnota" if invoice.gross < 0 else "Faktura"
    book.book(invoice.day, f"{word} {number}", entries)
    invoice.entry = debtor
    return debtor


def set_off(book: Ledger, invoice: Entry, credit: Entry) -> None:
    """Match a credit note with the invoice it takes back from."""
    book.match(invoice, credit, -credit.amount, -credit.base)


@dataclass(frozen=True)
class _Side:
    """Which way money moves: a customer's payment comes in, a supplier's goes out."""

    type: int
    text: str
    customer: int | None
    supplier: int | None


def receive(
    book: Ledger, day: date, customer: Customer, paid: Sequence[tuple[Entry, int]]
) -> Entry:
    """A customer pays: (open entry, amount in its currency) each, all in one currency."""
    text = f"Indbetaling {customer.number}"
    return _pay(book, day, _Side(ledger.PAYMENT, text, customer.number, None), paid)


def pay_supplier(
    book: Ledger, day: date, supplier: Supplier, paid: Sequence[tuple[Entry, int]]
) -> Entry:
    """The company pays a supplier; the amounts are negative, as the open entries are."""
    text = f"Betaling {supplier.number}"
    return _pay(book, day, _Side(ledger.SUPPLIER_PAYMENT, text, None, supplier.number), paid)


def _pay(book: Ledger, day: date, side: _Side, paid: Sequence[tuple[Entry, int]]) -> Entry:
    first = paid[0][0]
    currency = first.currency
    amount = sum(part for _, part in paid)
    # The share of each open entry's base amount; what the bank rate makes of it goes to EXCHANGE.
    parts = [(e, p, e.remainder_base if p == e.remainder else _part(e, p)) for e, p in paid]
    settled = sum(base for _, _, base in parts)
    moved = to_base(amount, rate_on(currency, day))
    in_eur = currency == "EUR"
    bank = Entry(
        chart.BANK_EUR if in_eur else chart.BANK,
        amount if in_eur else moved,
        moved,
        currency=currency if in_eur else "DKK",
        type=side.type,
    )
    payment = Entry(
        first.account,
        -amount,
        -settled,
        currency=currency,
        customer=side.customer,
        supplier=side.supplier,
        invoice=first.invoice if len(paid) == 1 else None,
        supplier_invoice=first.supplier_invoice if len(paid) == 1 else None,
        type=side.type,
    )
    entries = [bank, payment]
    if moved != settled:
        difference = settled - moved
        entries.append(dkk(chart.EXCHANGE, difference, type=ledger.SYSTEM))
    book.book(day, side.text, entries)
    for entry, part, base in parts:
        book.match(entry, payment, part, base)
    return payment


def _part(entry: Entry, amount: int) -> int:
    base = share(abs(entry.remainder_base), abs(amount), abs(entry.remainder))
    return base if entry.remainder_base > 0 else -base


def receive_on_account(book: Ledger, day: date, customer: Customer, amount: int) -> Entry:
    """A customer pays an amount of the base currency that nobody has matched yet."""
    number = customer.number
    payment = dkk(customer.control_account, -amount, customer=number, type=ledger.PAYMENT)
    bank = dkk(chart.BANK, amount, type=ledger.PAYMENT)
    book.book(day, f"Aconto {number}", [bank, payment])
    return payment


def book_supplier_invoice(
    book: Ledger, day: date, supplier: Supplier, net: int, reference: str, *, more: More
) -> Entry:
    """A supplier's invoice over ``net`` in its currency, with the VAT of its zone."""
    rate = rate_on(supplier.currency, day)
    domestic = supplier.zone == 1
    vat = share(net, 25, 100) if domestic else 0
    net_base, vat_base = to_base(net, rate), to_base(vat, rate)
    creditor = Entry(
        supplier.control_account,
        -net - vat,
        -net_base - vat_base,
        currency=supplier.currency,
        supplier=supplier.number,
        supplier_invoice=reference,
        due=supplier.terms.due(day),
        more=More(payment_type=supplier.payment_type),
        type=ledger.SUPPLIER_INVOICE,
    )
    kind = ledger.SUPPLIER_INVOICE
    cost = Entry(
        supplier.cost_account,
        net,
        net_base,
        currency=supplier.currency,
        vat="I25" if domestic else "IY25",
        supplier_invoice=reference,
        more=more,
        type=kind,
    )
    entries = [creditor, cost]
    if domestic:
        entries.append(Entry(chart.VAT_IN, vat, vat_base, type=kind))
    else:
        # Services from abroad: the buyer owes the VAT and deducts it at once.
        owed = share(net_base, 25, 100)
        entries.append(dkk(chart.VAT_IN, owed, type=ledger.SYSTEM))
        entries.append(dkk(chart.VAT_OUT, -owed, type=ledger.SYSTEM))
    book.book(day, f"Lev.faktura {reference}", entries)
    return creditor


def book_reminder(book: Ledger, day: date, customer: Customer, number: int, fee: int) -> Entry:
    """A reminder with a fee, in the base currency."""
    kind = ledger.REMINDER
    debtor = dkk(
        customer.control_account, fee, customer=customer.number, invoice=number, due=day, type=kind
    )
    book.book(day, f"Rykker {number}", [debtor, dkk(chart.FEES, -fee, type=kind)])
    return debtor


def book_manual_invoice(
    book: Ledger, day: date, customer: Customer, number: int, net: int
) -> Entry:
    """A customer invoice written in a journal, in the customer's currency, without VAT."""
    rate = rate_on(customer.currency, day)
    base = to_base(net, rate)
    kind = ledger.MANUAL_INVOICE
    debtor = Entry(
        customer.control_account,
        net,
        base,
        currency=customer.currency,
        customer=customer.number,
        invoice=number,
        due=customer.terms.due(day),
        type=kind,
    )
    sale = Entry(chart.SALES_EXEMPT, -net, -base, currency=customer.currency, type=kind)
    book.book(day, f"Manuel faktura {number}", [debtor, sale])
    return debtor


def foreign_cost(day: date, account: int, base: int, currency: str) -> Entry:
    """A cost of ``base`` øre that was paid in a foreign currency."""
    return Entry(account, from_base(base, rate_on(currency, day)), base, currency=currency)
