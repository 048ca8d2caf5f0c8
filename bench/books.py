"""The rows that the bench server serves: a ledger and its customers, made once, kept as JSON text.

The rows look like those of the sandbox (`tests/sandbox`), which knows from e-conomic's documents
what is served: the same columns, absent values left out, dates as `2026-01-31T00:00:00` in the
newer API, links and reference objects in the older one. There is nothing random: the same number
of rows is the same rows. Numbers have gaps, small ones and large ones, as real ones do.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

AGREEMENT = 1234567


@dataclass(frozen=True)
class Rows:
    """Rows by rising number, as text: one behind the other, a comma in between.

    Args:
        numbers: the key of each row.
        text: the rows.
        starts: where in the text each row starts, and where the next one would.
    """

    numbers: array[int]
    text: bytes
    starts: array[int]

    @classmethod
    def made(cls, numbers: Iterable[int], row: Callable[[int], bytes]) -> Rows:
        """Return the rows with these numbers; `row` writes one, given its number."""
        kept, starts, parts = array("q"), array("q", [0]), []
        for number in numbers:
            text = row(number)
            kept.append(number)
            parts.append(text)
            starts.append(starts[-1] + len(text) + 1)
        return cls(kept, b",".join(parts), starts)

    def picked(self, wanted: Callable[[bytes], bool]) -> Rows:
        """Return some of the rows: those whose text is wanted."""
        texts = {number: self.slice(i, i + 1) for i, number in enumerate(self.numbers)}
        texts = {number: text for number, text in texts.items() if wanted(bytes(text))}
        return Rows.made(texts, lambda number: bytes(texts[number]))

    def place(self, number: int) -> int:
        """Return how many rows have a smaller number."""
        return bisect_left(self.numbers, number)

    def slice(self, start: int, stop: int) -> memoryview:
        """Return the text of some rows running, commas in between; nothing is copied."""
        if start >= stop:
            return memoryview(b"")
        return memoryview(self.text)[self.starts[start] : self.starts[stop] - 1]


def entry_number(place: int) -> int:
    """Return the number of the ledger's entry at a place, counted from 0.

    Every seventh number is missing, and 25,000 running after every 50,000 rows.
    """
    return place + place // 7 + place // 50_000 * 25_000 + 1


def customer_number(place: int) -> int:
    """Return the number of the customer at a place: every 1,000 of them a new series begins."""
    return place + place // 1000 * 9_000 + 1


def ledger(count: int) -> Rows:
    """Return a ledger of so many entries."""
    return Rows.made(map(entry_number, range(count)), _entry)


def customers(count: int, base_url: str) -> Rows:
    """Return so many customers, their links under a base URL."""
    return Rows.made(map(customer_number, range(count)), lambda n: _customer(n, base_url))


def is_open(entry: bytes) -> bool:
    """Return whether an entry has a remainder."""
    return b'"remainder":0.00' not in entry


_TYPES = ((5, 5820), (1, 6800), (3, 6810), (5, 3410), (1, 1010))


def _entry(number: int) -> bytes:
    """Write one booked entry: most are finance entries, some of customers and suppliers."""
    kind, account = _TYPES[number % 5]
    minor = number * 7919 % 9_999_999 - 5_000_000
    sign, kroner, cents = "-" if minor < 0 else "", abs(minor) // 100, abs(minor) % 100
    amount = f"{sign}{kroner}.{cents:02d}"
    day = f"20{20 + number % 6}-{number % 12 + 1:02d}-{number % 28 + 1:02d}T00:00:00"
    parts = [
        f'{{"entryNumber":{number},"accountNumber":{account}',
        f'"amount":{amount},"amountInBaseCurrency":{amount},"currencyCode":"DKK","date":"{day}"',
    ]
    if kind == 1:
        parts.append(
            f'"dueDate":"{day}","customerNumber":{number % 977 + 1},'
            f'"customerInvoiceNumber":{10_000 + number // 3},"vatAccountNumber":"U25  "'
        )
    elif kind == 3:
        parts.append(
            f'"dueDate":"{day}","supplierNumber":{number % 211 + 1},'
            f'"supplierInvoiceNumber":"LF-{number:06d}/2025","vatAccountNumber":"I25  "'
        )
    if number % 3 == 0:
        parts.append(f'"projectNumber":{number % 50 + 1}')
    remainder = amount if kind in {1, 3} and number % 40 < 2 else "0.00"
    parts.append(
        f'"text":"Faktura {number}, Møller & Søn","type":{kind},'
        f'"voucherNumber":{number // 3 + 1},"remainder":{remainder},'
        f'"objectVersion":"AAAAA{number:08X}="}}'
    )
    return ",".join(parts).encode()


def _customer(number: int, base: str) -> bytes:
    """Write one customer of the older API: 26 columns, and ten objects of links around them."""
    me = f"{base}/customers/{number}"
    return (
        f'{{"customerNumber":{number},"currency":"DKK","paymentTerms":{{"paymentTermsNumber":1,'
        f'"self":"{base}/payment-terms/1"}},"customerGroup":{{"customerGroupNumber":{number % 5},'
        f'"self":"{base}/customer-groups/{number % 5}"}},"address":"Ågade {number}, 1. th.",'
        f'"balance":{number % 9973}.{number % 100:02d},"dueAmount":0.00,"city":"Aarhus C",'
        f'"corporateIdentificationNumber":"{20_000_000 + number}","pNumber":"{10**9 + number}",'
        f'"country":"Danmark","creditLimit":100000.00,"ean":"{5798 * 10**9 + number}",'
        f'"email":"kunde{number}@example.dk","lastUpdated":"2025-10-26T00:30:00Z",'
        f'"name":"Møbler {number} \\"Ædelt\\" ApS","publicEntryNumber":"B-{number}",'
        f'"telephoneAndFaxNumber":"{30_000_000 + number}","mobilePhone":"{60_000_000 + number}",'
        f'"eInvoicingDisabledByDefault":{"true" if number % 2 else "false"},'
        f'"vatNumber":"DK{20_000_000 + number}","website":"https://kunde{number}.example.dk/",'
        f'"zip":"8000","contacts":"{me}/contacts","deliveryLocations":"{me}/delivery-locations",'
        f'"defaultDeliveryLocation":{{"deliveryLocationNumber":{number},'
        f'"self":"{me}/delivery-locations/{number}"}},"attention":{{"customerContactNumber":'
        f'{number},"self":"{me}/contacts/{number}"}},"customerContact":{{"customerContactNumber":'
        f'{number},"self":"{me}/contacts/{number}"}},"layout":{{"layoutNumber":19,'
        f'"self":"{base}/layouts/19"}},"salesPerson":{{"employeeNumber":1,'
        f'"self":"{base}/employees/1"}},"vatZone":{{"vatZoneNumber":1,"self":"{base}/vat-zones/1"'
        f'}},"templates":{{"invoice":"{me}/templates/invoice","invoiceLine":"{me}/templates/'
        f'invoiceline","self":"{me}/templates"}},"totals":{{"drafts":"{base}/invoices/totals/'
        f'drafts/customers/{number}","booked":"{base}/invoices/totals/booked/customers/{number}",'
        f'"self":"{me}/totals"}},"invoices":{{"drafts":"{me}/invoices/drafts","booked":"{me}'
        f'/invoices/booked","self":"{me}/invoices"}},"self":"{me}"}}'
    ).encode()
