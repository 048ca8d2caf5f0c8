"""Booked invoices and credit notes: headers, lines, the views of what is paid, and totals.

The OpenAPI ``documentId`` of a booked invoice is its booked invoice number. An invoice is paid
when its remainder is zero, overdue when it is not and the due date lies before today.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from operator import attrgetter

from tests.sandbox.books.agreement import distribution_ref, unit_body
from tests.sandbox.books.chart import ONGOING
from tests.sandbox.books.customers import contact_ref
from tests.sandbox.books.money import kr, wide
from tests.sandbox.books.rows import Lazy, listing, ref
from tests.sandbox.books.sales import (
    Document,
    Line,
    accrual_part,
    common_body,
    delivery_date,
    line_row,
    pdf,
)
from tests.sandbox.books.world import World
from tests.sandbox.values import Link, Row

number_of = attrgetter("number")
_PERIOD_FILTERS = (
    "lastFifteenDays lastMonth lastSevenDays lastThirtyDays lastWeek lastYear "
    "thisMonth thisWeek thisYear"
)


def invoice_numbered(world: World, number: str) -> Document | None:
    if not number.isdecimal():
        return None
    at = bisect_left(world.invoices, int(number), key=number_of)
    found = at < len(world.invoices) and world.invoices[at].number == int(number)
    return world.invoices[at] if found else None


def _header(invoice: Document) -> Row:
    path = f"/invoices/booked/{invoice.number}"
    return {
        "bookedInvoiceNumber": invoice.number,
        # The order it came from, which is gone by now.
        "orderNumber": 400 + invoice.lines[0].number if invoice.full else None,
        **common_body(invoice, "booked"),
        "remainder": wide(invoice.remainder),
        "remainderInBaseCurrency": wide(invoice.remainder_base),
        "pdf": pdf(path),
        "sent": Link(f"{path}/sent"),
        "self": Link(path),
    }


def _rest_line(invoice: Document, line: Line) -> Row:
    row: Row = {
        "lineNumber": line.position,
        "sortKey": line.position,
        "description": line.description,
    }
    product = line.product
    if product is None:
        return row
    return row | {
        "deliveryDate": delivery_date(invoice),
        "quantity": kr(line.quantity),
        "unitNetPrice": wide(line.price),
        "discountPercentage": kr(line.discount),
        "unitCostPrice": wide(line.cost),
        "vatRate": kr(line.vat_rate),
        "vatAmount": wide(line.vat),
        "totalNetAmount": wide(line.net),
        "unit": unit_body(product.unit) if product.unit else None,
        "product": ref("productNumber", product.number),
        "departmentalDistribution": distribution_ref(line.department),
    }


@listing("rest:/invoices/booked/{bookedInvoiceNumber}", derived=True)
def _document(world: World, number: str) -> Iterator[Row]:
    invoice = invoice_numbered(world, number)
    if invoice is None:
        return
    row = _header(invoice)
    if invoice.full and invoice.customer.contacts:
        # The single document names the contact without its customer.
        references = common_body(invoice, "booked")["references"]
        assert isinstance(references, dict)
        references["customerContact"] = contact_ref(invoice.customer, invoice.customer.contacts[0])
        row["references"] = references
    row["lines"] = [_rest_line(invoice, line) for line in invoice.lines]
    yield row


@listing("q2capi:/invoices/booked/lines")
def _lines(world: World) -> Lazy[tuple[Document, Line]]:
    return Lazy([(invoice, line) for invoice in world.invoices for line in invoice.lines], _line)


def _line(pair: tuple[Document, Line]) -> Row:
    invoice, line = pair
    row = line_row(invoice, line, None, margins=False) | accrual_part(line)
    row["vatRate"] = kr(line.vat_rate)
    row["vatAmount"] = kr(line.vat) if line.product else None
    row["bookedAccount"] = line.account
    row["projectCloseAccount"] = ONGOING if invoice.project and line.product else None
    return row


@listing("rest:/invoices/booked")
def _all(world: World) -> Lazy[Document]:
    return Lazy(world.invoices, _header)


_VIEWS: dict[str, Callable[[World, Document], bool]] = {
    "paid": lambda _, invoice: invoice.remainder == 0,
    "unpaid": lambda _, invoice: invoice.remainder != 0,
    "overdue": lambda world, invoice: invoice.remainder != 0 and invoice.due < world.today,
    "not-due": lambda world, invoice: invoice.remainder != 0 and invoice.due >= world.today,
}


def _those(view: str, world: World) -> list[Document]:
    return [invoice for invoice in world.invoices if _VIEWS[view](world, invoice)]


def _view(view: str, world: World) -> Lazy[Document]:
    return Lazy(_those(view, world), _header)


for _name in _VIEWS:
    listing(f"rest:/invoices/{_name}")(partial(_view, _name))


@listing("rest:/invoices/sent", derived=True)
def _sent(world: World) -> Iterator[Row]:
    """Electronic invoices: what customers with an EAN or a MobilePay number were sent."""
    sent = (i for i in world.invoices if i.customer.ean and i.customer.mobile and not world.sparse)
    for number, invoice in enumerate(sent, 1):
        customer, by_ean = invoice.customer, number % 3 != 0
        yield {
            "id": number,
            "invoice": ref("bookedInvoiceNumber", invoice.number),
            "status": "sent" if number % 5 else "failed",
            "sendBy": "ean" if by_ean else "mobilePay",
            "creationDate": invoice.day,
            "createdBy": "ASE",
            "recipient": {
                "name": customer.name,
                "mobilePhone": None if by_ean else customer.mobile,
                "ean": customer.ean if by_ean else None,
            },
            "self": Link(f"/invoices/sent/{number}"),
        }


@listing("rest:/invoices/totals", derived=True)
def _totals(world: World) -> Iterator[Row]:
    base = "/invoices/totals"
    owed = _block(_those("unpaid", world), "unpaid", f"{base}/booked/unpaid", open_part=True)
    owed["overdue"] = _block(
        _those("overdue", world),
        "unpaid and overdue",
        f"{base}/booked/unpaid/overdue",
        open_part=True,
    )
    owed["notOverdue"] = _block(
        _those("not-due", world), "unpaid, not overdue", f"{base}/booked/unpaid/not-overdue"
    )
    booked = _block(world.invoices, "booked", f"{base}/booked")
    booked["paid"] = _block(_those("paid", world), "paid", f"{base}/booked/paid")
    booked["unpaid"] = owed
    yield {
        "drafts": _block(world.draft_invoices, "draft", f"{base}/drafts"),
        "booked": booked,
        "predefinedPeriodFilters": {
            name: {
                "description": f"The totals of {name}",
                "self": Link(f"{base}?filter=date$eq:{name}"),
            }
            for name in _PERIOD_FILTERS.split()
        },
        "self": Link(base),
    }


def _block(invoices: Sequence[Document], what: str, path: str, *, open_part: bool = False) -> Row:
    row: Row = {
        "netAmountInBaseCurrency": kr(sum(invoice.net_base for invoice in invoices)),
        "invoiceCount": len(invoices),
        "description": f"Invoices that are {what}",
        "self": Link(path),
    }
    if open_part:
        row["grossRemainderInBaseCurrency"] = kr(sum(i.remainder_base for i in invoices))
    return row
