"""What every domain needs to write rows: references with linked, versions, instants, lazy lists."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date, datetime, timedelta, timezone
from typing import Generic, TypeVar, overload

from tests.sandbox.values import Link, Row, path_part

T = TypeVar("T")

LISTINGS: dict[str, Callable[..., Iterable[Row]]] = {}
"""What lists the rows of each endpoint, of a world and the values of the path parameters."""

DERIVED: set[str] = set()
"""Listings that follow from the ledger or the documents: an event makes them anew."""

Lister = TypeVar("Lister", bound=Callable[..., Iterable[Row]])


def listing(endpoint: str, *, derived: bool = False) -> Callable[[Lister], Lister]:
    """Mark the function that lists the rows of an endpoint, such as ``rest:/customers``.

    It takes the world and the decoded path parameters, and raises KeyError for an unknown parent.
    """

    def mark(lister: Lister) -> Lister:
        LISTINGS[endpoint] = lister
        if derived:
            DERIVED.add(endpoint)
        return lister

    return mark


# The collection that holds an entity, by the name of its key.
_COLLECTIONS = {
    "accountNumber": "/accounts",
    "bookedInvoiceNumber": "/invoices/booked",
    "code": "/currencies",
    "costTypeNumber": "/cost-types",
    "customerGroupNumber": "/customer-groups",
    "customerNumber": "/customers",
    "departmentNumber": "/departments",
    "employeeGroupNumber": "/employee-groups",
    "employeeNumber": "/employees",
    "journalNumber": "/journals",
    "layoutNumber": "/layouts",
    "paymentTermsNumber": "/payment-terms",
    "paymentTypeNumber": "/payment-types",
    "productGroupNumber": "/product-groups",
    "productNumber": "/products",
    "projectNumber": "/projects",
    "roleNumber": "/app-roles",
    "supplierGroupNumber": "/supplier-groups",
    "supplierNumber": "/suppliers",
    "unitNumber": "/units",
    "vatCode": "/vat-accounts",
    "vatTypeNumber": "/vat-types",
    "vatZoneNumber": "/vat-zones",
    "year": "/accounting-years",
}


def path_of(key: str, value: str | int) -> str:
    """The path of an entity: ("year", "2025/2026") -> "/accounting-years/2025_6_2026"."""
    return f"{_COLLECTIONS[key]}/{path_part(value)}"


def ref(key: str, value: str | int) -> Row:
    """A legacy REST reference object: the entity's key and a link to it."""
    return {key: value, "self": Link(path_of(key, value))}


def linked(path: str, *names: str) -> Row:
    """Links to what lies below a path, under its own name, and to the path itself."""
    return {**{name: Link(f"{path}/{name}") for name in names}, "self": Link(path)}


def ref_or_none(key: str, value: str | int | None) -> Row | None:
    return None if value is None else ref(key, value)


def padded(vat_code: str) -> str:
    """A VAT code as the endpoints serve it that keep codes in a field of five characters."""
    return vat_code.ljust(5)


def version(*parts: object) -> str:
    """An ``objectVersion``: opaque, equal for equal content, different after any change."""
    return f"AAAAA{zlib.crc32(repr(parts).encode()):08X}="


# Instants that many rows share: an import, a leap day, both sides of the hour that October repeats.
_SHARED = (
    datetime(2024, 2, 29, 11, 45, tzinfo=timezone.utc),
    datetime(2025, 10, 26, 0, 30, tzinfo=timezone.utc),
    datetime(2025, 10, 26, 1, 30, tzinfo=timezone.utc),
)


def instant(index: int, today: date, *, minute: bool = False) -> datetime:
    """When row ``index`` was last changed: three in ten share one instant, the rest differ.

    The instants are not in the order of the rows; the newest lies the day before ``today``. With
    ``minute`` the seconds are always 0.
    """
    if index % 10 < len(_SHARED):
        return _SHARED[index % 10]
    end = datetime(today.year, today.month, today.day, tzinfo=timezone.utc)
    moment = end - timedelta(seconds=1 + index * 7919 * 997 % (86_400 * 1_300))
    return moment.replace(second=0) if minute else moment


class Lazy(Sequence[Row], Generic[T]):
    """Rows that are built when they are asked for, from a sequence of compact items."""

    __slots__ = ("items", "make")

    def __init__(self, items: Sequence[T], make: Callable[[T], Row]) -> None:
        self.items = items
        self.make = make

    def __len__(self) -> int:
        return len(self.items)

    def __iter__(self) -> Iterator[Row]:
        return map(self.make, self.items)

    @overload
    def __getitem__(self, index: int) -> Row: ...
    @overload
    def __getitem__(self, index: slice) -> list[Row]: ...
    def __getitem__(self, index: int | slice) -> Row | list[Row]:
        if isinstance(index, slice):
            return [self.make(item) for item in self.items[index]]
        return self.make(self.items[index])
