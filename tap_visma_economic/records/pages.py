"""Pages: what one response of e-conomic holds."""

from __future__ import annotations

from collections.abc import Container, Iterator
from dataclasses import dataclass
from decimal import InvalidOperation
from typing import Any, Generic, TypeVar
from urllib.parse import parse_qsl, urlsplit

import msgspec
import pendulum
import requests

from tap_visma_economic.auth import LOOPBACK
from tap_visma_economic.errors import BadResponseError, quoted, shown
from tap_visma_economic.records.lenient import strict_json
from tap_visma_economic.records.row_type import Envelope, Rows, RowType
from tap_visma_economic.records.selection import Row
from tap_visma_economic.retry import http_date

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Page:
    """One response.

    Args:
        rows: its rows, with Decimal for numbers with a decimal point.
        more: e-conomic reports that another page follows.
        cursor: where the next page of an OpenAPI cursor listing begins.
        results: the number of rows in the whole listing, if reported (REST).
        clock: the server's clock, from the `Date` header.
    """

    rows: Rows
    more: bool = False
    cursor: str | None = None
    results: int | None = None
    clock: pendulum.DateTime | None = None

    def __iter__(self) -> Iterator[Row]:
        """Yield the rows: the SDK declares that `parse_response` returns an iterable of them."""
        return iter(self.rows)


_HOST = "restapi.e-conomic.com"
"""The host of all links, also where the setting rest_url names a proxy."""

_FULL_PAGE = 1000
"""Rows of a full REST page."""

_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError, InvalidOperation)
"""What strict decoding raises; InvalidOperation, if an exponent is out of every range."""


class _Pagination(msgspec.Struct):
    results: int | None = None
    nextPage: str | None = None  # noqa: N815


class _RestCollection(msgspec.Struct, Generic[T]):
    """A REST page; small listings have no pagination (docs/economic-api.md#rest-collections)."""

    collection: list[T]
    pagination: _Pagination | None = None


class _CursorListing(msgspec.Struct, Generic[T]):
    """A cursor page; the last has no `cursor` (docs/economic-api.md#openapi-listings)."""

    items: list[T] | msgspec.UnsetType | None = msgspec.UNSET
    cursor: str | int | None = None  # a string so far, and "the identifier of the first item"


_REST_COLLECTION = Envelope(_RestCollection, "collection")
_CURSOR_LISTING = Envelope(_CursorListing, "items")
_ARRAY = Envelope(list)
_SINGLE = Envelope(None)

_decode_object = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_decode_count = msgspec.json.Decoder(int).decode


def _read(response: requests.Response, envelope: Envelope, row_type: RowType) -> tuple[Any, Rows]:
    """Return a response and its rows."""
    try:
        return row_type.decode(response.content, envelope)
    except _UNREADABLE as error:
        why = str(error)
    try:
        content = strict_json(response.content, envelope, row_type.drift.unreadable)
        return row_type.decode(content, envelope)
    except (*_UNREADABLE, ValueError):
        raise _bad(response, why) from None


def rest_collection(response: requests.Response, row_type: RowType) -> Page:
    """Return a page of a REST listing."""
    body, rows = _read(response, _REST_COLLECTION, row_type)
    pagination = body.pagination or _Pagination()
    link = pagination.nextPage
    if link is not None:
        fault = fault_of_next_page(link, response.request.url or "")
        if fault or not rows:
            raise _bad(response, fault or "it has no rows but reports that more follow")
    if not rows and pagination.results and not _host_and_skipped(response.request.url or "")[1]:
        raise _bad(response, f"it has no rows but reports that there are {pagination.results}")
    more = link is not None
    if body.pagination is None:  # see docs/economic-api.md#rest-collections
        more = len(rows) >= _FULL_PAGE
    return Page(rows, more=more, results=pagination.results, clock=_clock(response))


def cursor_listing(response: requests.Response, row_type: RowType) -> Page:
    """Return a page of an OpenAPI cursor listing."""
    body, rows = _read(response, _CURSOR_LISTING, row_type)
    if body.items is msgspec.UNSET and _decode_object(rows.content):
        # Nulls are omitted, so that an empty listing may be {}; something else is no listing.
        raise _bad(response, "it has no items")
    cursor = "" if body.cursor is None else str(body.cursor)
    return Page(rows, more=bool(cursor), cursor=cursor or None, clock=_clock(response))


def array(response: requests.Response, row_type: RowType) -> Page:
    """Return a bare JSON array: OpenAPI's `/paged` listings and short lists."""
    _, rows = _read(response, _ARRAY, row_type)
    return Page(rows, clock=_clock(response))


def single(response: requests.Response, documented: Container[str], row_type: RowType) -> Page:
    """Return a bare JSON object as a page of one row.

    Without any documented property it is another one, such as an error with status 200.
    """
    _, rows = _read(response, _SINGLE, row_type)
    if not any(name in documented for name in rows[0]):
        raise _bad(response, "it has none of the documented properties")
    return Page(rows, clock=_clock(response))


def count(response: requests.Response) -> int:
    """Return a bare JSON integer: the number of rows."""
    try:
        number: int = _decode_count(response.content)
    except _UNREADABLE as error:
        raise _bad(response, str(error)) from None
    return number


def fault_of_next_page(link: str, asked: str) -> str | None:
    """Return what is wrong with `pagination.nextPage`, None if it continues the requested URL.

    No link is followed: the tap makes its own queries, so that no link can send tokens elsewhere.
    One to another host or to an earlier page shows that the response cannot be trusted.
    """
    try:
        host, skipped = _host_and_skipped(link)
        own_host, own_skipped = _host_and_skipped(asked)
    except ValueError:
        return "the link to its next page is not a URL"
    if host not in {own_host, _HOST, *LOOPBACK}:
        return f"its next page is on another host, '{shown(host)}'"
    if skipped is not None and skipped <= (own_skipped or 0):
        return "its next page has already been read"
    return None


def _host_and_skipped(url: str) -> tuple[str, int | None]:
    parts = urlsplit(url)
    skipped = {name.lower(): text for name, text in parse_qsl(parts.query)}.get("skippages")
    return (parts.hostname or "").lower(), None if skipped is None else int(skipped)


def _bad(response: requests.Response, why: str) -> BadResponseError:
    kind = quoted(response.headers.get("Content-Type", "no content type"), response.request)
    return BadResponseError(
        f"the response to GET {response.request.path_url} is not what e-conomic documents "
        f"({kind}, {len(response.content)} bytes): {why}"
    )


def _clock(response: requests.Response) -> pendulum.DateTime | None:
    return http_date(response.headers.get("Date"))
