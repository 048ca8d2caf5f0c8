"""The rows of the ledger: entries, matched pairs and totals, in both APIs' shapes."""

from __future__ import annotations

from collections.abc import Iterator

from tests.sandbox.books import chart
from tests.sandbox.books.agreement import distribution_ref, payment_details
from tests.sandbox.books.calendar import Period, Year, period_numbered, year_named
from tests.sandbox.books.ledger import INVOICE, NOTHING_MORE, TYPES, Entry
from tests.sandbox.books.money import kr
from tests.sandbox.books.rows import Lazy, listing, padded, path_of, ref, ref_or_none, version
from tests.sandbox.books.world import World
from tests.sandbox.values import Link, Row


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
