"""The listings that the bench reads. Numbers have gaps, small and large, as real ones do."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

AGREEMENT = 1234567
PAGE = 1000


def entry_number(place: int) -> int:
    """Every seventh number is missing, and 25,000 consecutive ones after every 50,000 rows."""
    return place + place // 7 + place // 50_000 * 25_000 + 1


def series_number(place: int) -> int:
    """Return a number of a series; a new one begins after every 1,000 rows."""
    return place + place // 1000 * 9_000 + 1


class Listing(NamedTuple):
    """A listing: its path, the key it is sorted by, its numbers, and where drift goes in a row."""

    path: str
    key: str
    number: Callable[[int], int]
    drift: bytes


LISTINGS = {
    "booked_entries": Listing(
        "/bookedEntriesapi/v4.0.0/booked-entries", "entryNumber", entry_number, b"{"
    ),
    "customers": Listing("/customers", "customerNumber", series_number, b"{"),
    "invoices_booked": Listing(
        "/invoices/booked", "bookedInvoiceNumber", series_number, b'"recipient":{'
    ),
}
