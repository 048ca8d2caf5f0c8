"""The least that can be done in Python: requests, msgspec, and a line of JSON per row.

No catalog, no state, no errors, no schema. What is left is the wire, one decoding of each page to
dictionaries with exact decimals, the edits that make a row the tap's record (`shape`; with
`--untouched` not even those), one encoding of each RECORD and one write of each megabyte.

With `--concurrency` above 1 that many requests are in flight, their answers written in order. The
loop need not find out where pages begin: it is told, as no client of e-conomic could be.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timezone
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import msgspec
import requests

from bench.books import AGREEMENT, customer_number, entry_number
from bench.shape import shaper

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from concurrent.futures import Future

PAGE = 1000
_FULL = 1 << 20


class _Cursor(msgspec.Struct):
    items: list[dict[str, Any]]
    cursor: str | None = None


class _Links(msgspec.Struct):
    nextPage: str | None = None  # noqa: N815


class _Collection(msgspec.Struct):
    collection: list[dict[str, Any]]
    pagination: _Links


_cursor = msgspec.json.Decoder(_Cursor, float_hook=Decimal)
_collection = msgspec.json.Decoder(_Collection, float_hook=Decimal)

Page = tuple[list[dict[str, Any]], "str | None"]


def _entries_page(body: bytes) -> Page:
    page = _cursor.decode(body)
    return page.items, f"?cursor={page.cursor}" if page.cursor else None


def _customers_page(body: bytes) -> Page:
    page = _collection.decode(body)
    link = page.pagination.nextPage
    return page.collection, f"?{link.partition('?')[2]}" if link else None


@dataclass(frozen=True)
class Endpoint:
    """One listing.

    Args:
        path: where it is.
        query: of its first page.
        key: the number that rows are sorted and filtered by.
        decode: returns the rows of an answer, and the query of the next one.
        number: returns the key of the row at a place.
    """

    path: str
    query: str
    key: str
    decode: Callable[[bytes], Page]
    number: Callable[[int], int]


ENDPOINTS = {
    "booked_entries": Endpoint(
        "/bookedEntriesapi/v4.0.0/booked-entries", "?", "entryNumber", _entries_page, entry_number
    ),
    "customers": Endpoint(
        "/customers", f"?pagesize={PAGE}", "customerNumber", _customers_page, customer_number
    ),
}


def one_by_one(fetch: Callable[[str], bytes], endpoint: Endpoint) -> Iterator[list[dict[str, Any]]]:
    """Yield the rows of all pages, each page asked for when the one before it has been written."""
    query: str | None = endpoint.query
    while query is not None:
        rows, query = endpoint.decode(fetch(query))
        yield rows


def ahead(
    fetch: Callable[[str], bytes], endpoint: Endpoint, count: int, concurrency: int
) -> Iterator[list[dict[str, Any]]]:
    """Yield the rows of all pages in order, so many of them asked for at a time."""
    waiting: deque[Future[bytes]] = deque()
    with ThreadPoolExecutor(concurrency) as pool:
        for first in range(0, count, PAGE):
            low, high = (endpoint.number(place) for place in (first, min(first + PAGE, count) - 1))
            window = quote(f"{endpoint.key}$gte:{low}$and:{endpoint.key}$lte:{high}")
            waiting.append(pool.submit(fetch, f"{endpoint.query}&filter={window}"))
            if len(waiting) == concurrency:
                yield endpoint.decode(waiting.popleft().result())[0]
        while waiting:
            yield endpoint.decode(waiting.popleft().result())[0]


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.ceiling", description=__doc__)
    parser.add_argument("url")
    parser.add_argument("stream", choices=ENDPOINTS)
    parser.add_argument("--rows", type=int, required=True, help="how many rows there are")
    parser.add_argument("--concurrency", type=int, default=1, help="requests in flight")
    parser.add_argument("--untouched", action="store_true", help="write the rows as they come")
    options = parser.parse_args()
    endpoint = ENDPOINTS[options.stream]
    session = requests.Session()
    session.trust_env = False
    session.mount("http://", requests.adapters.HTTPAdapter(pool_maxsize=options.concurrency))

    def fetch(query: str) -> bytes:
        return session.get(f"{options.url}{endpoint.path}{query}").content

    if options.concurrency > 1:
        pages = ahead(fetch, endpoint, options.rows, options.concurrency)
    else:
        pages = one_by_one(fetch, endpoint)
    shape = None if options.untouched else shaper(options.stream, AGREEMENT)
    write(options.stream, pages, shape)
    return 0


def write(
    stream: str,
    pages: Iterator[list[dict[str, Any]]],
    shape: Callable[[dict[str, Any]], dict[str, Any]] | None,
) -> None:
    """Write every row as a RECORD message."""
    encode = msgspec.json.Encoder(decimal_format="number").encode
    buffer = bytearray()
    for rows in pages:
        extracted = datetime.now(timezone.utc)
        for row in rows:
            record = shape(row) if shape else row
            buffer += encode(
                {"type": "RECORD", "stream": stream, "record": record, "time_extracted": extracted}
            )
            buffer += b"\n"
        if len(buffer) >= _FULL:
            _flush(buffer)
    _flush(buffer)


def _flush(buffer: bytearray) -> None:
    left = bytes(buffer)
    while left:
        left = left[os.write(1, left) :]
    buffer.clear()


if __name__ == "__main__":
    sys.exit(main())
