"""One company of the sandbox: its rows per endpoint, and the events that tests play on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.sandbox.books import (
    agreement,
    calendar,
    chart,
    customers,
    invoices,
    ledger,
    products,
    suppliers,
)
from tests.sandbox.books.agreement import ALL_MODULES
from tests.sandbox.books.calendar import TODAY
from tests.sandbox.books.world import build_world

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from tests.sandbox.books.world import Listing, World
    from tests.sandbox.values import Row

ALL = ALL_MODULES
_DOMAINS = (agreement, calendar, chart, customers, invoices, ledger, products, suppliers)
LISTINGS: dict[str, Listing] = {key: f for domain in _DOMAINS for key, f in domain.LISTINGS.items()}


class Company:
    """A company and its listings."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.agreement_number = world.agreement_number
        self.name = world.name
        self.modules = world.modules
        self._lists: dict[tuple[str, tuple[str, ...]], list[Row]] = {}

    def rows(self, endpoint: str, params: tuple[str, ...] = ()) -> Sequence[Row]:
        """All rows of a listing in its default order.

        Args:
            endpoint: a key such as ``rest:/customers``.
            params: the decoded path parameters, in order.

        Returns:
            A list that stays the same object from call to call, so that a test may change it; or,
            for the ledger, booked invoices and whatever else grows with the business, a sequence
            that builds its rows when asked. A singleton is a list of one row, or of none where
            it does not exist.

        Raises:
            KeyError: an unknown endpoint or an unknown parent.
        """
        known = self._lists.get((endpoint, params))
        if known is not None:
            return known
        handed_out = self._balances_shown()
        rows = LISTINGS[endpoint](self.world, params)
        if isinstance(rows, list):
            self._lists[endpoint, params] = rows
        if self._balances_shown() != handed_out:
            self._move_balances()
        return rows

    def _balances_shown(self) -> int:
        return len(self.world.balance_rows) + len(self.world.customer_rows)

    def _move_balances(self) -> None:
        chart.move_balances(self.world)
        customers.move_balances(self.world)


def build_company(
    agreement_number: int,
    name: str,
    *,
    seed: int,
    entries: int,
    sparse: bool = False,
    modules: frozenset[str] = ALL,
    today: date = TODAY,
    finance_remainders: bool = False,
) -> Company:
    """A company with about ``entries`` ledger entries; the same arguments make the same rows."""
    return Company(
        build_world(
            agreement_number,
            name,
            seed=seed,
            entries=entries,
            today=today,
            sparse=sparse,
            modules=modules,
            finance_remainders=finance_remainders,
        )
    )
