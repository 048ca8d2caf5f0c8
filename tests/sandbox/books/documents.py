"""Sales documents that are not booked: draft invoices, orders and quotes, and their lines.

The document's ``id`` (OpenAPI ``number`` and ``documentId``, legacy REST ``soap`` handle) differs
from the number that users see. Ids and line numbers are unique among all these documents, because
dimension data refers to a line by both alone. Legacy REST lists show ``lines`` of orders and quotes
as an empty array, whatever lines there are.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from random import Random

from tests.sandbox.books.money import kr, rate_value
from tests.sandbox.books.projects import project_of
from tests.sandbox.books.rows import instant, listing
from tests.sandbox.books.sales import (
    Document,
    accrual_part,
    add_line,
    add_text,
    common_body,
    document_version,
    line_row,
    make_document,
    pdf,
)
from tests.sandbox.books.world import World
from tests.sandbox.values import Link, Row

STATUSES = ("drafts", "sent", "archived")


@dataclass(frozen=True)
class Kind:
    """How a kind of document names itself on legacy REST and in q2capi."""

    collection: str
    number: str
    handle: str
    template: str
    target: str


DRAFT = Kind(
    "invoices",
    "draftInvoiceNumber",
    "currentInvoiceHandle",
    "bookingInstructions",
    "booking-instructions",
)
ORDER = Kind(
    "orders",
    "orderNumber",
    "orderHandle",
    "upgradeInstructions",
    "upgrade-instructions/draftInvoice",
)
QUOTE = Kind(
    "quotes", "quoteNumber", "quoteHandle", "upgradeInstructions", "upgrade-instructions/draftOrder"
)


def _write(world: World, random: Random, number: int, turn: int, status: str) -> Document:
    """A document to the customer whose turn it is; the first customer's shows everything."""
    customer = world.customers[turn * 3 % len(world.customers)]
    document = make_document(
        status,
        number,
        customer,
        world.today - timedelta(days=3 + turn * 5 % 200),
        handle=world.next_document,
        full=customer.full,
        project=project_of(world, turn),
        changed=instant(world.next_document, world.today, minute=True),
    )
    world.next_document += 1 + turn % 2
    for position in range(1, 3 + turn % 2):
        product = world.products[random.randrange(len(world.products))]
        if position == 1:
            product = world.first_product(accruing=turn % 2 == 0)
        quantity = (100, 250, 1200)[random.randrange(3)]
        discount = 1000 * (turn % 2)
        add_line(document, world.new_document_line(), product, quantity, discount=discount)
    if turn % 4 == 0:
        add_text(document, world.new_document_line(), "Bemærk!")
    return document


def write_documents(world: World, random: Random, entries: int) -> None:
    """Fill the world with draft invoices, orders and quotes in proportion to its ledger."""
    write = partial(_write, world, random)
    if world.sparse:
        world.draft_invoices = [write(1, 1, "drafts")]
        return
    count = min(2_500, max(4, entries // 200))
    world.draft_invoices = [write(30_001 + turn, turn, "drafts") for turn in range(count)]
    number = 0
    for kind, documents in ((ORDER, world.orders), (QUOTE, world.quotes)):
        for status in STATUSES:
            made = [write(number + turn, turn, status) for turn in range(1 + count // 2)]
            documents[status] = made
            number += len(made) + (7 if kind is ORDER else 0)


def _body(kind: Kind, document: Document) -> Row:
    path = f"/{kind.collection}/{document.status}/{document.number}"
    row: Row = {
        kind.number: document.number,
        "soap": {kind.handle: {"id": document.id}},
        "attachment": Link(f"{path}/attachment"),
        **common_body(document, kind.collection),
        "pdf": pdf(path),
        "self": Link(path),
    }
    if kind is DRAFT:
        row["externalId"] = _external_id(document)
    else:
        row["lines"] = []
    if document.status != "archived":
        row["lastUpdated"] = document.changed
    if document.status != "archived" or kind is ORDER:
        row["templates"] = {
            kind.template: Link(f"{path}/templates/{kind.target}"),
            "self": Link(f"{path}/templates"),
        }
    return row


@listing("rest:/invoices/drafts", derived=True)
def _rest_drafts(world: World) -> Iterator[Row]:
    for document in world.draft_invoices:
        yield _body(DRAFT, document)


@listing("q2capi:/invoices/drafts", derived=True)
def _drafts(world: World) -> Iterator[Row]:
    for document in world.draft_invoices:
        yield _draft(document)


def _draft(document: Document) -> Row:
    customer = document.customer
    row: Row = {
        "number": document.id,
        "draftInvoiceNumber": document.number,
        "customerNumber": customer.number,
        "customerName": customer.name,
        "date": document.day,
        "currencyCode": document.currency,
        "lastUpdated": document.changed,
        "layoutNumber": customer.layout or 19,
        "termOfPaymentNumber": customer.terms.number,
        "dueDate": document.due,
        "vatZoneNumber": customer.zone,
        "isVatIncluded": customer.zone == 1,
        "amountInBaseCurrency": kr(document.gross_base),
        "amount": kr(document.gross),
        "vatAmount": kr(document.vat),
        "roundingAmount": kr(0),
        "projectNumber": document.project,
        "customerAddress": customer.address,
        "customerPostalCode": customer.zip,
        "customerCity": customer.city,
        "customerCountry": customer.country,
        "debtorEan": customer.ean,
        "totalCostPriceInBaseCurrency": kr(document.cost_base),
        "exchangeRate": rate_value(document.rate),
        "cvr": customer.cvr,
        "debitorMobilePhone": customer.mobile,
        "objectVersion": document_version(document),
    }
    if document.full:
        contact = customer.contacts[0] if customer.contacts else None
        location = customer.locations[0] if customer.locations else None
        body = common_body(document, "invoices")
        notes, delivery = body["notes"], body["delivery"]
        assert isinstance(notes, dict)
        assert isinstance(delivery, dict)
        row |= notes
        row |= {
            "otherReference": "Rekv. nr. 0042/æ",
            "ourReferenceNumber": customer.seller or 1,
            "ourReference2Number": 7,
            "attentionNumber": contact.number if contact else None,
            "yourReferenceNumber": contact.number if contact else None,
            "deliveryLocationNumber": location.number if location else None,
            "deliveryAddress": delivery["address"],
            "deliveryPostalCode": delivery["zip"],
            "deliveryCity": delivery["city"],
            "deliveryCountry": delivery["country"],
            "deliveryTerms": delivery["deliveryTerms"],
            "deliveryDate": delivery["deliveryDate"],
            "publicEntryNumber": f"B-{customer.number}",
            "pNr": f"10{customer.number:08d}",
            "nemHandelReceiverType": 1,
            "externalId": _external_id(document),
        }
    return row


def _external_id(document: Document) -> str | None:
    return f"shop/{document.number}" if document.full else None


@listing("q2capi:/invoices/drafts/lines", derived=True)
def _draft_lines(world: World) -> Iterator[Row]:
    for document in world.draft_invoices:
        for line in document.lines:
            yield (
                line_row(document, line, "draftInvoiceNumber", margins=True)
                | accrual_part(line)
                | {"objectVersion": document_version(document)}
            )


def _of(world: World, kind: Kind, status: str) -> list[Document]:
    """Raises: KeyError: no such status."""
    if status not in STATUSES:
        raise KeyError(status)
    return (world.orders if kind is ORDER else world.quotes).get(status, [])


def _listed(kind: Kind, status: str, world: World) -> Iterator[Row]:
    for document in _of(world, kind, status):
        yield _body(kind, document)


def _lines(kind: Kind, world: World, status: str) -> Iterator[Row]:
    for document in _of(world, kind, status):
        for line in document.lines:
            yield line_row(document, line, kind.number, margins=True)


for _kind in (ORDER, QUOTE):
    listing(f"q2capi:/{_kind.collection}/{{documentStatus}}/lines", derived=True)(
        partial(_lines, _kind)
    )
    for _status in STATUSES:
        listing(f"rest:/{_kind.collection}/{_status}", derived=True)(
            partial(_listed, _kind, _status)
        )
