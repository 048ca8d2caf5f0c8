"""Subscriptions, their lines and subscribers. Needs the module Subscription."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

from tests.sandbox.books.money import kr
from tests.sandbox.books.rows import instant, listing, version
from tests.sandbox.books.world import World
from tests.sandbox.values import Row

# Number, name, interval (5 monthly, 6 quarterly, 9 yearly), collection (1 proportional).
_SUBSCRIPTIONS = ((1, 'Serviceaftale "Guld"', 5, 1), (2, "Hosting, kvartal", 6, 0), (4, "År", 9, 0))


@listing("subscriptionsapi:/Subscriptions")
def _subscriptions(world: World) -> Iterator[Row]:
    for index, (number, name, interval, collection) in enumerate(_SUBSCRIPTIONS):
        changed = instant(index, world.today)
        yield {
            "number": number,
            "name": name,
            "description": "Løbende aftale; 3 mdr. opsigelse" if index == 0 else None,
            "interval": interval,
            "isCalendarBased": index == 0,
            "collection": collection,
            "includeName": index == 0,
            "includePeriod": index == 0,
            "allowMoreThanOnePerCustomer": index == 1,
            "accrue": index == 0,
            "isBarred": index == 2,
            "lastUpdated": changed,
            "objectVersion": version(number, changed),
        }


@listing("subscriptionsapi:/subscriptionlines")
def _lines(world: World) -> Iterator[Row]:
    """Two lines each: a product, and a text without one."""
    for index, (subscription, name, _interval, _collection) in enumerate(_SUBSCRIPTIONS):
        product = world.products[index * 3 % len(world.products)]
        number = 1 + index * 2
        yield {
            "number": number,
            "subscriptionNumber": subscription,
            "productNumber": product.number,
            "description": product.name,
            "quantity": kr(100),
            "specialPrice": kr(99_95) if index == 0 else None,
            "departmentNumber": 1 if index == 0 and "Dimension" in world.modules else None,
            "objectVersion": version(number, product.number),
        }
        yield {
            "number": number + 1,
            "subscriptionNumber": subscription,
            "description": f"Periode for {name}",
            "objectVersion": version(number + 1),
        }


@listing("subscriptionsapi:/Subscribers")
def _subscribers(world: World) -> Iterator[Row]:
    """Every fourth customer; the first has everything, some were invoiced already."""
    for index, customer in enumerate(world.customers[::4]):
        start = date(2026, 1 + index % 10, 1)
        changed = instant(index, world.today)
        invoiced = next((i.id for i in world.invoices[:50] if i.customer is customer), None)
        row: Row = {
            "number": 11 + index,
            "subscriptionNumber": _SUBSCRIPTIONS[index % 3][0],
            "customerNumber": customer.number,
            "startDate": start,
            "endDate": start + timedelta(days=364),
            "quantityFactor": kr(100),
            "priceFactor": kr(110),
            "registrationDate": date(2024, 2, 29),
            "bookedInvoiceId": invoiced,
            "lastUpdated": changed,
            "objectVersion": version(customer.number, changed),
        }
        if index == 0:
            row |= {
                "yourRef": customer.contacts[0].number,
                "otherRef": "Rekv. 7/æ",
                "specialPrice": kr(89_95),
                "discountPercentage": kr(12_50),
                "discountExpiryDate": date(2028, 2, 29),
                "expiryDate": date(2027, 12, 31),
                "projectNumber": 1 if "Project" in world.modules else None,
                "departmentNumber": 1 if "Dimension" in world.modules else None,
                "draftDocumentId": world.draft_invoices[0].id,
                "extraTextForInvoice": "Tak for samarbejdet",
                "comments": "Ring før fornyelse; (vigtigt)",
            }
        yield row
