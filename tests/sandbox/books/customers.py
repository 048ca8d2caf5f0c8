"""Customers with their groups, contacts and delivery locations, in both APIs' shapes.

A customer's ``balance`` is the sum of its entries in the base currency (which equals the sum of
their remainders), ``dueAmount`` the part of the remainders that fell due before today.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from random import Random

from tests.sandbox.books import chart
from tests.sandbox.books.agreement import TERMS, Terms
from tests.sandbox.books.money import kr
from tests.sandbox.books.rows import instant, linked, listing, path_of, ref, ref_or_none, version
from tests.sandbox.books.world import World
from tests.sandbox.values import Link, Row

_FIRST = "Nord Øst Ærø Søby Fjord Bæk Ål Mølle Strand Kær Hede Skov"
_SECOND = "bo byg data energi fisk gros huset lys mad smedje tryk vin"
_FORMS = ("A/S", "ApS", "I/S", "& Søn", "(Danmark) A/S", "v/Åge Ørsted")
_CITIES = (
    ("8000", "Aarhus C"),
    ("5000", "Odense C"),
    ("9000", "Aalborg"),
    ("3700", "Rønne"),
    ("1411", "København K"),
    ("6700", "Esbjerg"),
)
# The first customers of a company have the names that break things.
_AWKWARD = (
    'Møbler "Ædelt", Søn & Co. (ApS)',
    "Kasse $1.000 A/S",
    "Ærø Færgefart 🚢 ApS",
    "O'Hara; Hansen, <Larsen> & \\Co/",
    "  To  mellemrum og [klammer] * % _ ",
    "Null",
)


@dataclass
class Contact:
    """``number`` is unique in the agreement, ``position`` counts within the customer."""

    number: int
    position: int
    name: str
    email: str | None
    phone: str | None
    notes: str | None
    e_invoice_id: str | None
    mails: tuple[str, ...]
    changed: datetime
    deleted: bool = False


@dataclass
class Location:
    number: int
    position: int
    address: str | None
    zip: str | None
    city: str | None
    country: str | None
    terms: str | None
    e_invoice_id: str | None
    barred: bool
    changed: datetime


@dataclass
class Customer:
    number: int
    name: str
    group: int
    zone: int
    currency: str
    terms: Terms
    changed: datetime
    full: bool = False
    barred: bool = False
    address: str | None = None
    zip: str | None = None
    city: str | None = None
    country: str | None = None
    email: str | None = None
    phone: str | None = None
    mobile: str | None = None
    cvr: str | None = None
    ean: str | None = None
    layout: int | None = None
    seller: int | None = None
    credit_limit: int | None = None
    price_group: int | None = None
    contacts: list[Contact] = field(default_factory=list)
    locations: list[Location] = field(default_factory=list)

    @property
    def control_account(self) -> int:
        return GROUPS[self.group][1]


GROUPS = {1: ("Danske", chart.DEBTORS, 19), 2: ("Udenlandske", chart.DEBTORS_ABROAD, 21)}


def build_customers(random: Random, count: int, today: date, *, sparse: bool) -> list[Customer]:
    """Customers in the order of their numbers: many small ones with gaps, then phone numbers.

    A sparse company has only phone numbers of eight digits.
    """
    low = 0 if sparse else (count * 7 + 9) // 10
    numbers = [1 + i + i // 7 for i in range(low)]
    numbers += sorted(random.sample(range(20_000_000, 99_999_999), count - low))
    first, second = _FIRST.split(), _SECOND.split()
    customers = []
    contact_number = location_number = 0
    for i, number in enumerate(numbers):
        foreign = i % 7 in (3, 5) and not sparse
        currency = ("EUR", "SEK")[i % 7 == 5] if foreign else "DKK"
        zone = 2 if currency == "EUR" else 3 if foreign else 4 if i % 11 == 8 else 1
        name = f"{first[i % 12]}{second[i // 12 % 12]} {_FORMS[random.randrange(6)]}"
        customer = Customer(
            number,
            _AWKWARD[i] if i < len(_AWKWARD) and not sparse else name,
            2 if foreign else 1,
            zone,
            currency,
            TERMS[0] if sparse else TERMS[(0, 1, 2, 4)[i % 4]],
            instant(i, today),
        )
        if not sparse:
            _fill(customer, i)
            for _ in range(3 if i == 0 else 1 if i % 3 == 1 else 0):
                contact_number += 1
                customer.contacts.append(_contact(customer, contact_number, today))
            if i % 4 == 0:
                location_number += 1
                customer.locations.append(_location(customer, location_number, today))
        customers.append(customer)
    return customers


def _fill(customer: Customer, i: int) -> None:
    customer.full = i % 5 == 0
    customer.barred = i % 29 == 17
    customer.zip, customer.city = _CITIES[i % len(_CITIES)]
    customer.address = f"Vej {i}, 1. th.\nBaggården" if customer.full else f"Ågade {i + 1}"
    customer.country = {1: "Danmark", 2: "Germany", 3: "Sverige", 4: "Danmark"}[customer.zone]
    # Every fourth customer has no e-mail, and one has two.
    customer.email = None if i % 4 == 2 else f"kunde{customer.number}@example.dk"
    if i == 1:
        customer.email = "a@example.dk b@example.dk"
    customer.phone = f"{30_000_000 + i * 17}"
    customer.cvr = f"{20_000_000 + i * 13}" if customer.zone == 1 else None
    if customer.full:
        customer.mobile = f"{60_000_000 + i}"
        customer.ean = f"57980{i:08d}"
        customer.layout = 19
        customer.seller = (1, 2, 4)[i % 3]
        customer.credit_limit = 100_000_00 + i * 100
        customer.price_group = 1 + i // 5 % 2


def _contact(customer: Customer, number: int, today: date) -> Contact:
    # A company's second contact is deleted and the next one takes over its number within the
    # customer; the number in the agreement is never given out twice.
    deleted = number % 6 == 2
    alive = sum(not contact.deleted for contact in customer.contacts)
    return Contact(
        number,
        alive + 1,
        f"Kontakt {number} Ærbødig",
        f"kontakt{number}@example.dk" if number % 3 else None,
        f"+45 {40_000_000 + number}" if number % 2 else None,
        "Træffes kl. 9-15;\nikke fredag" if number % 4 == 1 else None,
        f"57980{number:08d}" if number % 4 == 1 else None,
        ("invoices", "orders", "quotations", "reminders")[: number % 5],
        instant(number, today),
        deleted,
    )


def _location(customer: Customer, number: int, today: date) -> Location:
    return Location(
        number,
        len(customer.locations) + 1,
        f"Lager {number}, port B",
        customer.zip,
        customer.city,
        customer.country,
        "DAP Aarhus" if number % 2 else None,
        f"57981{number:08d}" if number % 2 else None,
        number % 5 == 3,
        instant(number, today),
    )


def contact_ref(customer: Customer, contact: Contact) -> Row:
    path = path_of("customerNumber", customer.number)
    return {
        "customerContactNumber": contact.number,
        "self": Link(f"{path}/contacts/{contact.number}"),
    }


def location_ref(customer: Customer, location: Location) -> Row:
    path = path_of("customerNumber", customer.number)
    return {
        "deliveryLocationNumber": location.number,
        "self": Link(f"{path}/delivery-locations/{location.number}"),
    }


def ref_of_first(customer: Customer) -> Row | None:
    return contact_ref(customer, customer.contacts[0]) if customer.contacts else None


@listing("rest:/customers")
def _rest_customers(world: World) -> Iterator[Row]:
    for customer in world.customers:
        yield _rest_customer(world, customer)


def _rest_customer(world: World, customer: Customer) -> Row:
    path = path_of("customerNumber", customer.number)
    first = ref_of_first(customer)
    row: Row = {
        "customerNumber": customer.number,
        "currency": customer.currency,
        "paymentTerms": ref("paymentTermsNumber", customer.terms.number),
        "customerGroup": ref("customerGroupNumber", customer.group),
        "address": customer.address,
        "balance": None,
        "dueAmount": None,
        "barred": customer.barred,
        "city": customer.city,
        "corporateIdentificationNumber": customer.cvr,
        "pNumber": f"10{customer.number:08d}" if customer.full else None,
        "country": customer.country,
        "creditLimit": None if customer.credit_limit is None else kr(customer.credit_limit),
        "ean": customer.ean,
        "email": customer.email,
        "lastUpdated": customer.changed,
        "name": customer.name,
        "publicEntryNumber": f"B-{customer.number}" if customer.full else None,
        "telephoneAndFaxNumber": customer.phone,
        "mobilePhone": customer.mobile,
        "eInvoicingDisabledByDefault": customer.full,
        "vatNumber": f"DK{customer.cvr}" if customer.cvr and customer.full else None,
        "website": f"https://kunde{customer.number}.example.dk/?q=æ" if customer.full else None,
        "zip": customer.zip,
        "contacts": Link(f"{path}/contacts"),
        "deliveryLocations": Link(f"{path}/delivery-locations"),
        "defaultDeliveryLocation": location_ref(customer, customer.locations[0])
        if customer.locations
        else None,
        "attention": first,
        "customerContact": first,
        "layout": ref_or_none("layoutNumber", customer.layout),
        "salesPerson": ref_or_none("employeeNumber", customer.seller),
        "vatZone": ref("vatZoneNumber", customer.zone),
        "templates": {
            "invoice": Link(f"{path}/templates/invoice"),
            "invoiceLine": Link(f"{path}/templates/invoiceline"),
            "self": Link(f"{path}/templates"),
        },
        "totals": {
            "drafts": Link(f"/invoices/totals/drafts/customers/{customer.number}"),
            "booked": Link(f"/invoices/totals/booked/customers/{customer.number}"),
            "self": Link(f"{path}/totals"),
        },
        "invoices": linked(f"{path}/invoices", "drafts", "booked"),
        "self": Link(path),
    }
    world.customer_rows[customer.number] = row
    return row


def move_balances(world: World) -> None:
    """Bring the legacy REST customer rows up to the ledger."""
    due: dict[int, int] = {}
    for entry in world.ledger.open_of_customers.values():
        if entry.customer is not None and entry.due is not None and entry.due < world.today:
            due[entry.customer] = due.get(entry.customer, 0) + entry.remainder_base
    for number, row in world.customer_rows.items():
        row["balance"] = kr(world.ledger.customer_balances.get(number, 0))
        row["dueAmount"] = kr(due.get(number, 0))


@listing("customersapi:/Customers")
def _customers(world: World) -> Iterator[Row]:
    for customer in world.customers:
        yield _customer(customer)


def _customer(customer: Customer) -> Row:
    full = customer.full
    contact = customer.contacts[0].number if customer.contacts else None
    lines = (customer.address or "").split("\n")
    row: Row = {
        "customerNumber": customer.number,
        "customerGroupNumber": customer.group,
        "zone": customer.zone,
        "currency": customer.currency,
        "access": not customer.barred,
        "name": customer.name,
        "address1": lines[0] or None,
        "address2": lines[1] if len(lines) > 1 else None,
        "postCode": customer.zip,
        "city": customer.city,
        "country": customer.country,
        "contactPerson": customer.contacts[0].name if customer.contacts else None,
        "phone": customer.phone,
        "email": customer.email,
        "paymentDays": customer.terms.days,
        "cvrNo": customer.cvr,
        "ourRef": customer.seller,
        "layoutGroup": customer.layout,
        "paymentTermId": customer.terms.number,
        "defaultTheirRef": contact,
        "defaultAttention": contact,
        "priceGroupNumber": customer.price_group,
        "defaultDeliveryLocation": customer.locations[0].number if customer.locations else None,
        "eanLocationNumber": customer.ean,
        "creditMaximum": None if customer.credit_limit is None else kr(customer.credit_limit),
        "mobilePhone": customer.mobile,
        "emailAttachmentLanguage": 1,
        "defaultDisableEInvoicing": full,
        "objectVersion": version(customer),
    }
    if full:
        row |= {
            "bankAccount": f"0999-{customer.number:010d}",
            "homepage": f"https://kunde{customer.number}.example.dk/?q=æ",
            "layoutGroupPrint": 20,
            "language": 1,
            "discountGroupNumber": 1,
            "voucherNumber": f"B-{customer.number}",
            "county": "Region Midt",
            "vatNo": f"DK{customer.cvr}" if customer.cvr else None,
            "recipientPeppol": f"0184:{customer.cvr}" if customer.cvr else None,
            "defaultDiscountPct": kr(250),
            "bankGiroNumber": "123-4567",
            "iban": "DK5000400440116243",
            "swift": "EXAMDKKK",
            "directDebitMandateDate": date(2024, 2, 29),
            "pnr": f"10{customer.number:08d}",
            "nemHandelReceiverType": 1,
        }
        for document in ("Invoice", "Order", "Quote", "Reminder", "StatementOfAccount"):
            row[f"default{document}Recipient"] = f"{document.lower()}@example.dk"
            row[f"default{document}Template"] = 2
    return row


@listing("rest:/customer-groups")
def _groups(world: World) -> Iterator[Row]:
    for number, (name, account, layout) in GROUPS.items():
        path = path_of("customerGroupNumber", number)
        yield {
            "customerGroupNumber": number,
            "name": name,
            "account": chart.account_extract(world, account),
            "customers": Link(f"{path}/customers"),
            "layout": {
                **ref("layoutNumber", layout),
                "name": "Eng. std. m. bankoplys." if layout == 21 else "DK. std.",
                "deleted": False,
            }
            if not world.sparse
            else None,
            "self": Link(path),
        }


@listing("customersapi:/Contacts")
def _contacts(world: World) -> Iterator[Row]:
    for customer in world.customers:
        for contact in customer.contacts:
            yield {
                "number": contact.number,
                "customerNumber": customer.number,
                "userInterfaceNumber": contact.position,
                "name": contact.name,
                "email": contact.email,
                "phone": contact.phone,
                "notes": contact.notes,
                "eInvoiceId": contact.e_invoice_id,
                "lastUpdated": contact.changed,
                "receiveQuotes": "quotations" in contact.mails,
                "receiveOrders": "orders" in contact.mails,
                "receiveInvoices": "invoices" in contact.mails,
                "receiveEInvoices": contact.e_invoice_id is not None,
                "receiveStatementOfAccounts": False,
                "receiveReminders": "reminders" in contact.mails,
                "objectVersion": version(contact),
                "isDeleted": contact.deleted,
                "active": not contact.deleted,
            }


@listing("rest:/customers/{customerNumber}/contacts")
def _rest_contacts(world: World, number: str) -> Iterator[Row]:
    customer = world.customer_numbered(number)
    for contact in customer.contacts:
        yield {
            **contact_ref(customer, contact),
            "email": contact.email,
            "name": contact.name,
            "phone": contact.phone,
            "eInvoiceId": contact.e_invoice_id,
            "notes": contact.notes,
            "emailNotifications": list(contact.mails),
            "deleted": contact.deleted,
            "customer": ref("customerNumber", customer.number),
            "sortKey": contact.position,
        }


@listing("customersapi:/DeliveryLocations")
def _locations(world: World) -> Iterator[Row]:
    for customer in world.customers:
        for location in customer.locations:
            yield {
                "number": location.number,
                "customerNumber": customer.number,
                "userInterfaceNumber": location.position,
                "address": location.address,
                "city": location.city,
                "country": location.country,
                "postalCode": location.zip,
                "termsOfDelivery": location.terms,
                "eInvoiceId": location.e_invoice_id,
                "isBarred": location.barred,
                "lastUpdated": location.changed,
                "objectVersion": version(location),
            }


@listing("rest:/customers/{customerNumber}/delivery-locations")
def _rest_locations(world: World, number: str) -> Iterator[Row]:
    customer = world.customer_numbered(number)
    for location in customer.locations:
        yield {
            **location_ref(customer, location),
            "address": location.address,
            "city": location.city,
            "country": location.country,
            "postalCode": location.zip,
            "sortKey": location.position,
            "termsOfDelivery": location.terms,
            "barred": location.barred,
            "customer": ref("customerNumber", customer.number),
        }


@listing("customersapi:/Setup")
def _setup(world: World) -> Iterator[Row]:
    yield {
        "defaultCustomerGroupNumber": 1,
        "defaultLayoutNumber": None if world.sparse else 19,
        "objectVersion": version("setup"),
    }
