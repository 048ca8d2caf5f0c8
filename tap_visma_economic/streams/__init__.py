"""Every stream of the tap: one module per domain, one class per endpoint."""

from __future__ import annotations

from tap_visma_economic.stream import EconomicStream
from tap_visma_economic.streams import (
    agreement,
    customers,
    dimensions,
    ledger,
    products,
    projects,
    sales,
    subscriptions,
    suppliers,
)

_DOMAINS = (
    *(agreement, ledger, customers, suppliers, products),
    *(sales, projects, subscriptions, dimensions),
)

STREAMS: tuple[type[EconomicStream], ...] = tuple(
    thing
    for domain in _DOMAINS
    for thing in vars(domain).values()
    if isinstance(thing, type)
    and issubclass(thing, EconomicStream)
    and thing.__module__ == domain.__name__
)
"""Each class that these modules declare, in their order."""
