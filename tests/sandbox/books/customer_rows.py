"""The rows of customers, their groups, contacts and delivery locations, in both APIs' shapes.

A customer's ``balance`` is the sum of its entries in the base currency (which equals the sum of
their remainders), ``dueAmount`` the part of the remainders that fell due before today.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from tests.sandbox.books import chart
from tests.sandbox.books.customers import GROUPS, Customer, contact_ref, location_ref, ref_of_first
from tests.sandbox.books.money import kr
from tests.sandbox.books.rows import linked, listing, path_of, ref, ref_or_none, version
from tests.sandbox.books.world import World
from tests.sandbox.values import Link, Row


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
