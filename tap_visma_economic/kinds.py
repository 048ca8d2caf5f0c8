"""What a stream class can say of its endpoint."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Listing(enum.Enum):
    """How an endpoint lists its rows."""

    COLLECTION = "all rows, page by page: REST's envelope, OpenAPI's cursor"
    SINGLETON = "one object"
    SELF = "the answer of /self, which every run begins with"
    ARRAY = "a bare array, not paged"
    PAGED = "OpenAPI's /paged"
    CHANGELOG = "paged without /paged, upward by the replication key"


class Replication(enum.Enum):
    """How the rows are found that are new or changed since the last run."""

    FULL = "everything is read every time"
    TIMESTAMP = "changed since the bookmark, less the look-back"
    NUMBER = "numbered from the bookmark, less an overlap"
    NUMBER_OPEN = "as NUMBER, and rows that are open now or were open at the last run"
    NUMBER_CHANGES = "as NUMBER, and rows that a changelog says were edited"


@dataclass(frozen=True, slots=True)
class OpenRows:
    """How a listing of numbered rows tells which of them are open, and so can still change.

    Args:
        amount: the property that is not zero on an open row.
        filter: what finds the open rows in the listing, where the listing is the stream's own.
    """

    amount: str = "remainder"
    filter: str | None = None
