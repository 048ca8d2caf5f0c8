"""Sales documents (invoices, orders, quotes): what they hold, and the parts their bodies share."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from tests.sandbox.books.agreement import terms_body, zone_body
from tests.sandbox.books.customers import Customer, contact_ref, location_ref, ref_of_first
from tests.sandbox.books.ledger import Entry
from tests.sandbox.books.money import (
    BASE_RATE,
    from_base,
    kr,
    rate_on,
    rate_value,
    share,
    to_base,
    wide,
)
from tests.sandbox.books.products import Product
from tests.sandbox.books.rows import ref, ref_or_none, version
from tests.sandbox.values import Link, Row


@dataclass(slots=True)
class Line:
    """A line; prices and sums are in the document's currency, quantities and percentages x 100.

    ``number`` is unique among all lines of its kind of document, ``position`` counts within one.
    """

    number: int
    position: int
    product: Product | None
    description: str
    quantity: int
    price: int
    discount: int
    cost: int
    net: int
    vat_rate: int
    vat: int
    account: int | None
    department: int | None
    accrual: tuple[date, date] | None = None


@dataclass(slots=True)
class Document:
    """A sales document. ``id`` is the OpenAPI number, ``number`` the one users and REST see.

    A booked invoice has one number for both, and ``entry``, its entry on the control account.
    """

    id: int
    number: int
    status: str
    customer: Customer
    day: date
    due: date
    currency: str
    rate: int
    lines: list[Line]
    full: bool
    project: int | None
    changed: datetime | None
    entry: Entry | None = None

    @property
    def net(self) -> int:
        return sum(line.net for line in self.lines)

    @property
    def vat(self) -> int:
        return sum(line.vat for line in self.lines)

    @property
    def gross(self) -> int:
        return sum(line.net + line.vat for line in self.lines)

    @property
    def remainder(self) -> int:
        return self.entry.remainder if self.entry else 0

    @property
    def remainder_base(self) -> int:
        return self.entry.remainder_base if self.entry else 0

    @property
    def net_base(self) -> int:
        return to_base(self.net, self.rate)

    @property
    def gross_base(self) -> int:
        return self.net_base + to_base(self.vat, self.rate)

    @property
    def cost_base(self) -> int:
        return sum(to_base(share(ln.cost, ln.quantity, 100), self.rate) for ln in self.lines)


def make_document(
    status: str,
    number: int,
    customer: Customer,
    day: date,
    *,
    handle: int | None = None,
    full: bool = False,
    project: int | None = None,
    changed: datetime | None = None,
) -> Document:
    """A document of that day without lines, on the customer's terms and in its currency.

    ``handle`` is its id where that is not its number.
    """
    return Document(
        number if handle is None else handle,
        number,
        status,
        customer,
        day,
        customer.terms.due(day),
        customer.currency,
        rate_on(customer.currency, day),
        [],
        full,
        project,
        changed,
    )


def add_line(
    document: Document,
    number: int,
    product: Product,
    quantity: int,
    *,
    discount: int = 0,
    accrues: bool = True,
) -> None:
    """Sell a product at the list price.

    Domestic customers pay 25 % VAT, all others none. A product of a group that accrues is sold for
    the year that begins on the document's day.
    """
    customer, day, rate = document.customer, document.day, document.rate
    price = product.price if rate == BASE_RATE else max(1, from_base(product.price, rate))
    net = share(price * quantity, 10_000 - discount, 1_000_000)
    vat_rate = 2_500 if customer.zone == 1 else 0
    accrues = accrues and product.group.accrual is not None
    line = Line(
        number,
        len(document.lines) + 1,
        product,
        product.name,
        quantity,
        price,
        discount,
        product.cost if rate == BASE_RATE else from_base(product.cost, rate),
        net,
        vat_rate,
        share(net, vat_rate, 10_000),
        product.group.sales_account(customer.zone),
        product.department,
        (day, day + timedelta(days=364)) if accrues else None,
    )
    document.lines.append(line)


def add_text(document: Document, number: int, description: str) -> None:
    """Add a line that only says something."""
    position = len(document.lines) + 1
    line = Line(number, position, None, description, 0, 0, 0, 0, 0, 0, 0, None, None)
    document.lines.append(line)


def _recipient(document: Document, kind: str) -> Row:
    customer = document.customer
    row: Row = {
        "name": customer.name[:250],
        "address": customer.address,
        "zip": customer.zip,
        "city": customer.city,
        "country": customer.country,
        "ean": customer.ean,
        "publicEntryNumber": f"B-{customer.number}" if customer.full else None,
        "attention": ref_of_first(customer) if document.full else None,
        "vatZone": ref("vatZoneNumber", customer.zone),
        "cvr": customer.cvr,
    }
    if kind in {"booked", "invoices"}:
        row["vatZone"] = zone_body(customer.zone)
    if kind != "booked":
        row["nemHandelType"] = "ean" if customer.ean else None
    if kind == "invoices":
        row["mobilePhone"] = customer.mobile
    return row


def delivery_date(document: Document) -> date | None:
    return document.day + timedelta(days=2) if document.full else None


def common_body(document: Document, kind: str) -> Row:
    """What every sales document has on legacy REST.

    ``kind`` is ``booked`` or, for what is not booked, ``invoices``, ``orders`` or ``quotes``.
    Recorded answers show more than the documents: the layout, the VAT zone's name, and others. No
    answer about quotes is known; they are made like orders.
    """
    customer = document.customer
    row: Row = {
        "date": document.day,
        "currency": document.currency,
        "exchangeRate": rate_value(document.rate),
        "netAmount": wide(document.net),
        "netAmountInBaseCurrency": wide(document.net_base),
        "grossAmount": wide(document.gross),
        "grossAmountInBaseCurrency": wide(document.gross_base),
        "vatAmount": wide(document.vat),
        "roundingAmount": kr(0),
        "dueDate": document.due,
        "paymentTerms": terms_body(customer.terms),
        "customer": ref("customerNumber", customer.number),
        "recipient": _recipient(document, kind),
        "layout": ref("layoutNumber", customer.layout or 19),
        "project": ref_or_none("projectNumber", document.project),
    }
    if kind in {"booked", "invoices"}:
        row["paymentTerms"] = {
            **terms_body(customer.terms),
            "description": customer.terms.description,
        }
    if kind != "booked":
        margin = document.net_base - document.cost_base
        row["marginInBaseCurrency"] = wide(margin)
        row["marginPercentage"] = kr(margin_percentage(document.net_base, document.cost_base))
        row["costPriceInBaseCurrency"] = wide(document.cost_base)
    if document.full:
        row |= _extras(document)
    return row


def margin_percentage(net: int, cost: int) -> int:
    """Per cent x 100 of the net amount that is not cost; 0 where there is no net amount."""
    if net == 0:
        return 0
    return share((net - cost) * (1 if net > 0 else -1), 10_000, abs(net))


def _extras(document: Document) -> Row:
    customer = document.customer
    contact = customer.contacts[0] if customer.contacts else None
    location = customer.locations[0] if customer.locations else None
    references: Row = {
        "salesPerson": ref("employeeNumber", customer.seller or 1),
        "vendorReference": ref("employeeNumber", 7),
        "other": "Rekv. nr. 0042/æ",
    }
    if contact:
        person = contact_ref(customer, contact)
        person["customer"] = ref("customerNumber", customer.number)
        references["customerContact"] = person
    return {
        "deliveryLocation": location_ref(customer, location) if location else None,
        "delivery": {
            "address": location.address if location else customer.address,
            "zip": customer.zip,
            "city": customer.city,
            "country": customer.country,
            "deliveryTerms": "DAP Aarhus",
            "deliveryDate": delivery_date(document),
        },
        "notes": {
            "heading": f"Levering {document.number}",
            "textLine1": "Tak for ordren - vi glæder os!\nMed venlig hilsen\r\n",
            "textLine2": 'Renter: 2 % pr. md. efter forfald; "gebyr" 100 kr.',
        },
        "references": references,
    }


def line_row(document: Document, line: Line, number_name: str | None, *, margins: bool) -> Row:
    """A line as q2capi lists it; ``number_name`` is the property that names its document."""
    product = line.product
    row: Row = {
        "documentId": document.id,
        "number": line.number,
        "userInterfaceNumber": line.position,
        "productNumber": product.number if product else None,
        "description": line.description,
    }
    if number_name:
        row[number_name] = document.number
    if product is None:
        return row
    row |= {
        "quantity": kr(line.quantity),
        "unitNumber": product.unit,
        "unitNetPrice": kr(line.price),
        "unitCostPrice": kr(line.cost),
        "discountPercentage": kr(line.discount),
        "recommendedPrice": kr(from_base(product.recommended, document.rate)),
        "departmentNumber": line.department,
        "quantity2": kr(line.quantity * 2) if product.unit2 else None,
        "unit2Number": product.unit2,
        "totalNetAmount": kr(line.net),
    }
    if margins:
        net = to_base(line.net, document.rate)
        cost = to_base(share(line.cost, line.quantity, 100), document.rate)
        row["marginInBaseCurrency"] = kr(net - cost)
        row["marginPercentage"] = kr(margin_percentage(net, cost))
    return row


def accrual_part(line: Line) -> Row:
    """The three properties that invoice lines have and lines of orders and quotes lack."""
    start, end = line.accrual or (None, None)
    return {"accrue": line.accrual is not None, "accrueStartDate": start, "accrueEndDate": end}


def pdf(path: str) -> Row:
    return {"download": Link(f"{path}/pdf")}


def document_version(document: Document) -> str:
    return version(document.id, document.status, document.changed, document.gross)
