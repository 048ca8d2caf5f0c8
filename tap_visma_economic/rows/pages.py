"""Pages: what one answer of e-conomic holds, decoded once.

The rows of a large page are decoded as objects of C (see `forms`) if they all are as documented;
else, and on small pages, as dictionaries. What strict decoding refuses is read by `lenient`.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import msgspec
import pendulum

from tap_visma_economic.errors import BadAnswerError, quoted, shown
from tap_visma_economic.rows.lenient import strict_json
from tap_visma_economic.rows.links import fault_of_next_page, skipped_pages
from tap_visma_economic.rows.typed import Flaw, FlawedRow, Row

if TYPE_CHECKING:
    from collections.abc import Container, Sequence

    import requests

    from tap_visma_economic.rows.forms import RowForm
    from tap_visma_economic.rows.lenient import Found, Place

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Page:
    """One answer.

    Args:
        rows: what it holds, numbers with a decimal point as Decimal (see `typed`).
        more: e-conomic says that another page follows.
        cursor: where the next page of an OpenAPI cursor listing begins.
        results: rows of the whole listing, where e-conomic says it (REST).
        clock: the server's clock when it answered, from the `Date` header.
    """

    rows: Sequence[Row]
    more: bool = False
    cursor: str | None = None
    results: int | None = None
    clock: pendulum.DateTime | None = None


_FULL_PAGE = 1000
"""Rows of a REST page as it is asked for."""

_LARGE = 1 << 15
"""Bytes of an answer from which on it pays to compile a form for its rows."""

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


def _exact(kind: Any) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(kind, float_hook=Decimal)


class _Listing:
    """An envelope around rows.

    Args:
        envelope: a generic type over rows.
        name: the property that holds them; None if they are the answer itself.
    """

    def __init__(self, envelope: Any, name: str | None) -> None:
        self._envelope = envelope
        self._name = name
        self._decoder = _exact(envelope[Row])
        self._place = (name,) if name else ()

    def read(self, response: requests.Response, form: RowForm | None) -> tuple[Any, Sequence[Row]]:
        """Return an answer and its rows; those of a large one as objects of C, if all fit."""
        decoder = None
        if form and len(response.content) >= _LARGE:
            decoder = form.decoder(self._envelope)
        if form and decoder:
            try:
                answer = decoder.decode(response.content)
            except _UNREADABLE:
                pass  # whatever it is, the rows go the careful way
            else:
                return answer, form.rows(self._rows(answer), lambda: self._plain(response)[1])
        return self._plain(response)

    def _plain(self, response: requests.Response) -> tuple[Any, list[Row]]:
        answer, found = _decode(self._decoder, response, len(self._place) + 2)
        rows = self._rows(answer)
        if found:
            rows = _flawed(rows, self._place, found, response)
        return answer, rows

    def _rows(self, answer: Any) -> list[Any]:
        return (getattr(answer, self._name) if self._name else answer) or []


_rest_collection = _Listing(_RestCollection, "collection")
_cursor_listing = _Listing(_CursorListing, "items")
_array = _Listing(list, None)
_object = _exact(Row)
_integer = _exact(int)


def rest_collection(response: requests.Response, form: RowForm | None = None) -> Page:
    """Return a page of a REST listing."""
    body, rows = _rest_collection.read(response, form)
    pagination = body.pagination or _Pagination()
    link = pagination.nextPage
    if link is not None:
        fault = fault_of_next_page(link, response.request.url or "")
        if fault or not rows:
            raise _bad(response, fault or "it has no rows and says that more follow")
    if not rows and pagination.results and not skipped_pages(response.request.url or ""):
        raise _bad(response, f"it has no rows and says that there are {pagination.results}")
    more = link is not None
    if body.pagination is None:  # see docs/economic-api.md#rest-collections
        more = len(rows) >= _FULL_PAGE
    return Page(rows, more=more, results=pagination.results, clock=_clock(response))


def cursor_listing(response: requests.Response, form: RowForm | None = None) -> Page:
    """Return a page of an OpenAPI cursor listing."""
    body, rows = _cursor_listing.read(response, form)
    if body.items is msgspec.UNSET and _decode(_object, response)[0]:
        # Nulls are left out, so that an empty listing may be {}; something else is no listing.
        raise _bad(response, "it has no items")
    cursor = "" if body.cursor is None else str(body.cursor)
    return Page(rows, more=bool(cursor), cursor=cursor or None, clock=_clock(response))


def array(response: requests.Response, form: RowForm | None = None) -> Page:
    """Return a bare JSON array: OpenAPI's `/paged` listings and short lists."""
    _, rows = _array.read(response, form)
    return Page(rows, clock=_clock(response))


def single(response: requests.Response, documented: Container[str]) -> Page:
    """Return a bare JSON object as a page of one row.

    Args:
        response: the answer.
        documented: properties of the object. Without any of them it is another one, such as an
            error that came with status 200.
    """
    row, found = _decode(_object, response)
    if not any(name in documented for name in row):
        raise _bad(response, "it has none of the documented properties")
    listed = [flaw._replace(place=(0, *flaw.place)) for flaw in found]
    return Page(_flawed([row], (), listed, response), clock=_clock(response))


def count(response: requests.Response) -> int:
    """Return a bare JSON integer: how many rows there are."""
    number: int = _decode(_integer, response)[0]
    return number


def _decode(
    decoder: msgspec.json.Decoder[Any], response: requests.Response, steps: int = 1
) -> tuple[Any, Sequence[Found]]:
    """Return an answer and what of it had to be left out (see `lenient`)."""
    try:
        return decoder.decode(response.content), ()
    except _UNREADABLE as error:
        why = str(error)
    try:
        content, found = strict_json(response.content, steps)
        return decoder.decode(content), found
    except (*_UNREADABLE, ValueError):
        raise _bad(response, why) from None


def _flawed(
    rows: list[Row], place: Place, found: Sequence[Found], response: requests.Response
) -> list[Row]:
    """Return the rows at a place, those with flaws as such."""
    flaws: dict[int, list[Flaw]] = {}
    for (*where, last), why, text in found:
        if tuple(where[: len(place)]) != place or len(where) <= len(place):
            raise _bad(response, f"{shown(str(last))} is {why}")
        _, index, *path = (None, *where[len(place) :], last)
        names = ["[]" if isinstance(step, int) else str(step) for step in path]
        flaws.setdefault(int(index), []).append(Flaw(".".join(names), why, text))
    return [FlawedRow.of(row, flaws[i]) if i in flaws else row for i, row in enumerate(rows)]


def _bad(response: requests.Response, why: str) -> BadAnswerError:
    kind = quoted(response.headers.get("Content-Type", "no content type"), response.request)
    return BadAnswerError(
        f"the answer to GET {response.request.path_url} is not what e-conomic documents "
        f"({kind}, {len(response.content)} bytes): {why}"
    )


def _clock(response: requests.Response) -> pendulum.DateTime | None:
    try:
        return pendulum.instance(parsedate_to_datetime(response.headers.get("Date", "")))
    except (TypeError, ValueError, OverflowError):
        return None
