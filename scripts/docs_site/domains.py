"""The domains of the streams: one module of `tap_visma_economic.streams`, one page each."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any

from tap_visma_economic.streams import STREAMS

AnyStream = Any
"""A stream's class: the SDK types its attributes as an instance's."""

TITLES = {
    "agreement": "Agreement and master data",
    "ledger": "Ledger",
    "customers": "Customers",
    "suppliers": "Suppliers",
    "products": "Products",
    "sales": "Sales",
    "projects": "Projects",
    "subscriptions": "Subscriptions",
    "dimensions": "Dimensions",
}


@dataclass(frozen=True)
class Domain:
    """Streams that belong together.

    Args:
        slug: the module's name, and the page's.
        about: the module's docstring, without its full stop.
        streams: its streams, in the order of the catalog.
    """

    slug: str
    about: str
    streams: tuple[AnyStream, ...]

    @property
    def title(self) -> str:
        """The page's title."""
        return TITLES[self.slug]


def _domains() -> tuple[Domain, ...]:
    modules: dict[str, list[AnyStream]] = {}
    for stream in STREAMS:
        modules.setdefault(stream.__module__, []).append(stream)
    return tuple(
        Domain(
            module.rpartition(".")[2],
            (sys.modules[module].__doc__ or "").strip().rstrip("."),
            tuple(streams),
        )
        for module, streams in modules.items()
    )


DOMAINS = _domains()

_PAGES = {stream.name: (domain.slug, stream) for domain in DOMAINS for stream in domain.streams}


def page_of(stream: str) -> tuple[str, tuple[str, ...]]:
    """Return the page that a stream stands on, and its key."""
    slug, found = _PAGES[stream]
    return slug, tuple(found.primary_keys)
