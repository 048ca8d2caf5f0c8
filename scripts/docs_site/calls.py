"""What a stream costs in calls: said in words, and in numbers for a test to compare with."""

from __future__ import annotations

from typing import Any

from tap_visma_economic.kinds import Listing, Replication

AnyStream = Any

ROWS_PER_CALL = {Listing.COLLECTION: 1000, Listing.PAGED: 100, Listing.CHANGELOG: 100}
"""Page sizes: the largest that e-conomic serves for each kind of listing."""

_ROW_OF = {
    "accounting_periods": "period",
    "accounting_years": "fiscal year",
    "customers": "customer",
    "invoices_booked": "booked invoice",
    "journals": "journal",
    "openapi_product_groups": "product group",
    "price_groups": "price group",
    "product_groups": "product group",
    "products": "product",
    "special_prices": "special price",
}

_NUMBERED = {Replication.NUMBER, Replication.NUMBER_OPEN, Replication.NUMBER_CHANGES}


def calls(stream: AnyStream) -> str:
    """Return what one full reading of a stream costs, in words."""
    if stream.listing is Listing.SELF:
        return "none of its own: every run begins with it"
    pages = ROWS_PER_CALL.get(stream.listing)
    each = f"1 per {pages:,} rows" if pages else "1"
    return f"{each}{_below(stream)}"


def later(stream: AnyStream) -> str:
    """Return what a later run costs, in words; empty where it costs the same."""
    if not isinstance(stream.replication_key, str) or stream.replication is Replication.FULL:
        return ""
    if stream.replication in _NUMBERED:
        words = f"1 to count{_below(stream)}, and the pages of what is new"
        extra = {
            Replication.NUMBER_OPEN: " or open",
            Replication.NUMBER_CHANGES: " or edited",
        }
        return words + extra.get(stream.replication, "")
    return "the pages of what has changed"


def _below(stream: AnyStream) -> str:
    fixed = [values for values in stream.path_params.values() if isinstance(values, tuple)]
    words = [f"for each of {', '.join(values)}" for values in fixed]
    if stream.parent is not None:
        words.append(f"for each {_ROW_OF[stream.parent.name]}")
    return f", {' and '.join(words)}" if words else ""


def fewest(stream: AnyStream, rows_of: dict[str, int]) -> int:
    """Return the fewest calls that a full reading can take.

    Args:
        stream: the stream's class.
        rows_of: rows of each stream of the company.
    """
    if stream.listing is Listing.SELF:
        return 1
    listings = 1
    for values in stream.path_params.values():
        if isinstance(values, tuple):
            listings *= len(values)
    if stream.parent is not None:
        listings *= rows_of[stream.parent.name]
    pages = -(-rows_of[stream.name] // ROWS_PER_CALL.get(stream.listing, 1_000_000))
    return max(listings, pages)
