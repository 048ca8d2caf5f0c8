"""The least that can be done in Python: requests, msgspec, and a line of JSON per row.

No catalog, no state, no errors, no schema, one request after the other. What is left is the wire,
one decoding of each page to dictionaries with exact decimals, the edits that make a row the tap's
record (`shape`), one encoding of each RECORD and one write of each megabyte.
"""

from __future__ import annotations

import sys
from datetime import datetime, timezone
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec
import requests

from bench.listings import LISTINGS, PAGE
from bench.shape import shaper

if TYPE_CHECKING:
    from collections.abc import Iterator

_FULL = 1 << 20


class _Links(msgspec.Struct):
    nextPage: str | None = None  # noqa: N815


class _Page(msgspec.Struct):
    items: list[dict[str, Any]] = []
    cursor: str | None = None
    collection: list[dict[str, Any]] = []
    pagination: _Links | None = None


def pages(session: requests.Session, url: str) -> Iterator[list[dict[str, Any]]]:
    """Yield the rows of all pages."""
    decode = msgspec.json.Decoder(_Page, float_hook=Decimal).decode
    following: str | None = f"{url}?pagesize={PAGE}"
    while following:
        page = decode(session.get(following).content)
        yield page.items or page.collection
        following = f"{url}?cursor={page.cursor}" if page.cursor else None
        if page.pagination:
            following = page.pagination.nextPage


def write(stream: str, read: Iterator[list[dict[str, Any]]]) -> None:
    """Write every row as a RECORD message."""
    encode, shape = msgspec.json.Encoder(decimal_format="number").encode, shaper(stream)
    buffer = bytearray()
    for rows in read:
        extracted = datetime.now(timezone.utc)
        for row in rows:
            record = shape(row)
            buffer += encode(
                {"type": "RECORD", "stream": stream, "record": record, "time_extracted": extracted}
            )
            buffer += b"\n"
        if len(buffer) >= _FULL:
            sys.stdout.buffer.write(buffer)
            buffer.clear()
    sys.stdout.buffer.write(buffer)


def main(url: str, *streams: str) -> None:
    """Read streams one after the other."""
    session = requests.Session()
    session.trust_env = False
    for stream in streams:
        write(stream, pages(session, f"{url}{LISTINGS[stream].path}"))


if __name__ == "__main__":
    main(*sys.argv[1:])
