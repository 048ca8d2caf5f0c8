"""Budget figures, and the documents attached to booked vouchers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from tests.sandbox.books import chart
from tests.sandbox.books.calendar import month_after
from tests.sandbox.books.ledger import SUPPLIER_INVOICE
from tests.sandbox.books.money import kr
from tests.sandbox.books.rows import listing, version
from tests.sandbox.books.world import World
from tests.sandbox.values import Row

_BUDGETED = ((chart.SALES, -150_000_00), (chart.GOODS, 60_000_00), (chart.WAGES, 45_000_00))


@dataclass(frozen=True)
class Figure:
    number: int
    account: int
    first: date
    last: date
    amount: int


def figures(world: World) -> list[Figure]:
    """A figure a quarter for three accounts, from the second year on; numbers have gaps."""
    if world.sparse:
        return []
    made: list[Figure] = []
    for account, amount in _BUDGETED:
        first = world.years[1].start
        while first < world.years[-1].end:
            number = len(made) * 2 + 1
            after = month_after(first, 3)
            last = after - timedelta(days=1)
            made.append(Figure(number, account, first, last, amount * 3 + number * 10))
            first = after
    return made


@listing("budgetsapi:/budget-figures")
def _figures(world: World) -> Iterator[Row]:
    for figure in figures(world):
        yield {
            "number": figure.number,
            "accountNumber": figure.account,
            "fromDate": figure.first,
            "toDate": figure.last,
            "amountDefaultCurrency": kr(figure.amount),
            "text": "Budget, 1. udkast" if figure.number % 3 == 0 else None,
            "objectVersion": version(figure),
        }


@listing("documentsapi:/AttachedDocuments")
def _attached(world: World) -> Iterator[Row]:
    """The scan of every second supplier invoice, by the voucher it was booked on."""
    if world.sparse:
        return
    bills = [
        entry
        for entry in world.ledger.entries
        if entry.type == SUPPLIER_INVOICE and entry.supplier is not None
    ]
    for index, entry in enumerate(bills[::2]):
        yield {
            "number": 101 + index * 3,
            "note": f"Skannet: {entry.supplier_invoice}" if index % 2 == 0 else None,
            "pageCount": 1 + index % 4,
            "voucherNumber": entry.voucher,
            "accountingYear": world.years[entry.year].name,
        }
