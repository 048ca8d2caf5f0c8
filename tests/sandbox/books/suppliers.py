"""Suppliers, their groups and contacts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from random import Random

from tests.sandbox.books import chart
from tests.sandbox.books.agreement import TERMS, Terms
from tests.sandbox.books.rows import instant, listing, path_of, ref, version
from tests.sandbox.books.world import World
from tests.sandbox.values import Link, Row

GROUPS = {1: ("Varekøb", chart.CREDITORS), 2: ("Udland", chart.CREDITORS_ABROAD)}
_NAMES = ("Sylvest og Co", "Trælast & Træ A/S", "Strøm (el) ApS", 'Firma "Fragt"', "Kaffe, te m.m.")
_COST_ACCOUNTS = (chart.GOODS, chart.OFFICE, chart.MARKETING, chart.RENT)


@dataclass
class SupplierContact:
    number: int
    position: int
    name: str
    email: str | None
    phone: str | None
    notes: str | None
    changed: datetime
    deleted: bool


@dataclass
class Supplier:
    number: int
    name: str
    group: int
    zone: int
    currency: str
    terms: Terms
    cost_account: int
    full: bool
    payment_type: int
    contacts: list[SupplierContact] = field(default_factory=list)

    @property
    def control_account(self) -> int:
        return GROUPS[self.group][1]


def build_suppliers(random: Random, count: int, today: date, *, sparse: bool) -> list[Supplier]:
    suppliers = []
    contact_number = 0
    for i in range(count):
        foreign = i % 4 == 3 and not sparse
        supplier = Supplier(
            i + 1 + i // 5 * 3,
            f"{_NAMES[i % 5]} {random.randrange(10, 99)}",
            2 if foreign else 1,
            2 if foreign else 1,
            "EUR" if foreign else "DKK",
            TERMS[1],
            chart.SOFTWARE if foreign else _COST_ACCOUNTS[i % 4],
            full=not sparse and i % 3 == 0,
            payment_type=4 if foreign else (1, 2, 3, 5, 7)[i % 5],
        )
        for _ in range(2 if supplier.full else 0):
            contact_number += 1
            supplier.contacts.append(
                SupplierContact(
                    contact_number,
                    len(supplier.contacts) + 1,
                    f"Leverandørkontakt {contact_number}",
                    f"lev{contact_number}@example.dk" if contact_number % 3 else None,
                    "70202020" if contact_number % 2 else None,
                    "Ring først" if contact_number % 2 else None,
                    instant(contact_number, today),
                    deleted=contact_number % 4 == 2,
                )
            )
        suppliers.append(supplier)
    return suppliers


def _contact_ref(supplier: Supplier, contact: SupplierContact) -> Row:
    path = path_of("supplierNumber", supplier.number)
    return {
        "supplierContactNumber": contact.number,
        "self": Link(f"{path}/contacts/{contact.number}"),
    }


@listing("rest:/suppliers")
def _rest_suppliers(world: World) -> Iterator[Row]:
    for supplier in world.suppliers:
        path = path_of("supplierNumber", supplier.number)
        row: Row = {
            "supplierNumber": supplier.number,
            "name": supplier.name,
            "currency": supplier.currency,
            "paymentTerms": ref("paymentTermsNumber", supplier.terms.number),
            "vatZone": ref("vatZoneNumber", supplier.zone),
            "supplierGroup": ref("supplierGroupNumber", supplier.group),
            "barred": supplier.number % 19 == 5,
            "contacts": Link(f"{path}/contacts"),
            "metaData": {
                "delete": {
                    "description": "Delete this supplier.",
                    "href": Link(path),
                    "httpMethod": "delete",
                }
            },
            "self": Link(path),
        }
        if supplier.full:
            row |= {
                "address": f"Industribyen {supplier.number}",
                "attention": _contact_ref(supplier, supplier.contacts[0]),
                "bankAccount": "0999-0007654321",
                "city": "Aarhus C",
                "corporateIdentificationNumber": f"{31_000_000 + supplier.number}",
                "costAccount": ref("accountNumber", supplier.cost_account),
                "country": "Danmark",
                "defaultInvoiceText": "",
                "email": f"faktura{supplier.number}@example.dk",
                "layout": ref("layoutNumber", 19),
                "phone": "70202020",
                "remittanceAdvice": {
                    "creditorId": f"8{supplier.number:07d}",
                    "paymentType": ref("paymentTypeNumber", supplier.payment_type),
                },
                "salesPerson": ref("employeeNumber", 2),
                "supplierContact": _contact_ref(supplier, supplier.contacts[0]),
                "zip": "8000",
            }
        yield row


@listing("rest:/supplier-groups")
def _rest_groups(world: World) -> Iterator[Row]:
    for number, (name, account) in GROUPS.items():
        yield {
            "supplierGroupNumber": number,
            "name": name,
            "account": ref("accountNumber", account),
            "self": Link(path_of("supplierGroupNumber", number)),
        }


@listing("suppliersapi:/Groups")
def _groups(world: World) -> Iterator[Row]:
    for number, (name, account) in GROUPS.items():
        yield {
            "number": number,
            "name": name,
            "accountNumber": account,
            "objectVersion": version(number, name, account),
        }


@listing("suppliersapi:/Contacts")
def _contacts(world: World) -> Iterator[Row]:
    for supplier in world.suppliers:
        for contact in supplier.contacts:
            yield {
                "number": contact.number,
                "supplierNumber": supplier.number,
                "userInterfaceNumber": contact.position,
                "name": contact.name,
                "email": contact.email,
                "phone": contact.phone,
                "notes": contact.notes,
                "lastUpdated": contact.changed,
                "objectVersion": version(contact),
                "isDeleted": contact.deleted,
                "active": not contact.deleted,
            }
