"""Pages: what one answer of e-conomic holds, decoded once."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

import msgspec
import pendulum

from tap_visma_economic.errors import BadAnswerError
from tap_visma_economic.links import fault_of_next_page

if TYPE_CHECKING:
    import requests

    from tap_visma_economic.records import Row


@dataclass(frozen=True, slots=True)
class Page:
    """One answer.

    Args:
        rows: what it holds, numbers with a decimal point as Decimal.
        more: e-conomic says that another page follows.
        cursor: where the next page of an OpenAPI cursor listing begins.
        results: rows of the whole listing, where e-conomic says it (REST).
        clock: the server's clock when it answered, from the `Date` header.
    """

    rows: list[Row]
    more: bool = False
    cursor: str | None = None
    results: int | None = None
    clock: pendulum.DateTime | None = None


_FULL_PAGE = 1000
"""Rows of a REST page as it is asked for."""


class _Pagination(msgspec.Struct):
    results: int | None = None
    nextPage: str | None = None  # noqa: N815


class _RestCollection(msgspec.Struct):
    """The envelope of a REST listing (rest NOTES, Collections). Small ones have no pagination."""

    collection: list[dict[str, Any]]
    pagination: _Pagination | None = None


class _CursorListing(msgspec.Struct):
    """An OpenAPI cursor page; `cursor` is absent on the last one (openapi NOTES 3.1)."""

    items: list[dict[str, Any]] | msgspec.UnsetType | None = msgspec.UNSET
    cursor: str | None = None


def _exact(kind: Any) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(kind, float_hook=Decimal)


_rest_collection = _exact(_RestCollection)
_cursor_listing = _exact(_CursorListing)
_array = _exact(list[dict[str, Any]])
_object = _exact(dict[str, Any])
_integer = _exact(int)


def rest_collection(response: requests.Response) -> Page:
    """Return a page of a REST listing."""
    body: _RestCollection = _decode(_rest_collection, response)
    pagination = body.pagination or _Pagination()
    link = pagination.nextPage
    if link is not None:
        fault = fault_of_next_page(link, response.request.url or "")
        if fault or not body.collection:
            raise _bad(response, fault or "it has no rows and says that more follow")
    more = link is not None
    if body.pagination is None:  # not every nested listing tells (rest NOTES, Collections)
        more = len(body.collection) >= _FULL_PAGE
    return Page(body.collection, more=more, results=pagination.results, clock=_clock(response))


def cursor_listing(response: requests.Response) -> Page:
    """Return a page of an OpenAPI cursor listing."""
    body: _CursorListing = _decode(_cursor_listing, response)
    if body.items is msgspec.UNSET and _decode(_object, response):
        # Nulls are left out, so that an empty listing may be {}; something else is no listing.
        raise _bad(response, "it has no items")
    more = bool(body.cursor)
    return Page(body.items or [], more=more, cursor=body.cursor, clock=_clock(response))


def array(response: requests.Response) -> Page:
    """Return a bare JSON array: OpenAPI's `/paged` listings and short lists."""
    return Page(_decode(_array, response), clock=_clock(response))


def single(response: requests.Response) -> Page:
    """Return a bare JSON object as a page of one row."""
    return Page([_decode(_object, response)], clock=_clock(response))


def count(response: requests.Response) -> int:
    """Return a bare JSON integer: how many rows there are."""
    number: int = _decode(_integer, response)
    return number


def _decode(decoder: msgspec.json.Decoder[Any], response: requests.Response) -> Any:
    try:
        return decoder.decode(response.content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _bad(response, str(error)) from None


def _bad(response: requests.Response, why: str) -> BadAnswerError:
    kind = response.headers.get("Content-Type", "no content type")
    return BadAnswerError(
        f"the answer to GET {response.request.path_url} is not what e-conomic documents "
        f"({kind}, {len(response.content)} bytes): {why}"
    )


def _clock(response: requests.Response) -> pendulum.DateTime | None:
    try:
        return pendulum.instance(parsedate_to_datetime(response.headers.get("Date", "")))
    except (TypeError, ValueError, OverflowError):
        return None
