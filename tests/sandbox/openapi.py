"""The OpenAPI family (apis.e-conomic.com): cursor listings, classic pages, counts, single rows."""

from __future__ import annotations

import json
from bisect import bisect_left
from typing import Any
from urllib.parse import quote, unquote

from .answers import Answer, Refused, bad_request, problem
from .calls import Call
from .filters import FilterError
from .listing import Listing
from .matching import PublishedButBroken
from .sorting import SortError

CURSOR_PAGE = 1000
MAX_PAGE = 100
MAX_SKIP = 100
MAX_ROWS = 10_000  # classic pages end here, whatever there is
MAX_CURSOR = 50  # characters
_STATUSES = ("drafts", "sent", "archived")
_NOTHING = {"cursor": '{"items":[]}', "paged": "[]", "count": "0", "array": "[]"}


def answer(call: Call) -> Answer:
    """Answer a GET on an OpenAPI endpoint."""
    if "{documentStatus}" in call.endpoint.path and call.parents[0].lower() not in _STATUSES:
        return not_found()
    try:
        return _ANSWERS[call.match.route.kind](call)
    except FilterError as error:
        return bad_request(error.message, "BadFilterRequest", error.property)
    except SortError as error:
        message = f"Sorting is not allowed on property '{error.property}'"
        return bad_request(message, "BadSortRequest", error.property)
    except PublishedButBroken:
        return problem(500, detail="Something went wrong; the error has been logged.")
    except Refused as refused:
        return refused.answer


def not_found() -> Answer:
    """The answer to a path or an entity that does not exist."""
    return problem(404, detail="The resource does not exist.")


def unauthorized() -> Answer:
    """The answer to a bad app secret or a bad grant."""
    return problem(401, detail="Check both tokens, or use the word demo for both.")


def forbidden(role: str) -> Answer:
    """The answer to a role that may not read the resource."""
    return problem(403, detail=f"The role {role} does not give access to this resource.")


def missing_module(module: str) -> Answer:
    """The answer to an agreement without a paid module; dimensions answer in their own way."""
    if module == "Dimension":
        message = "The agreement does not have the module that dimensions need."
        error = {"message": message, "errorCode": "DimensionIncorrectModule", "property": None}
        return problem(403, errors=[error])
    code = "AccessDeniedAgreementMissingModules"
    return problem(403, title=f"Missing modules: {module}", code=code)


def _listing(call: Call) -> Listing:
    """The listing. Below an unknown parent it is empty, which is no error here.

    Raises:
        Refused: there is no such parent.
    """
    try:
        return call.listing()
    except KeyError:
        nothing = _NOTHING.get(call.match.route.kind)
        raise Refused(_json(nothing) if nothing else not_found()) from None


def _json(text: str) -> Answer:
    return Answer(200, text.encode())


def _cursor(call: Call) -> Answer:
    listing, cursor = _listing(call), call.query.get("cursor")
    selected = listing.select(call.query.get("filter"), anew=not cursor)
    indexes = listing.ascending(selected)
    start = bisect_left(indexes, _position(call, cursor), key=listing.key) if cursor else 0
    page, following = indexes[start : start + CURSOR_PAGE], indexes[start + CURSOR_PAGE :]
    more = f',"cursor":{json.dumps(_cursor_text(listing, following[0]))}' if following else ""
    return _json(f'{{"items":[{call.text(listing, page)}]{more}}}')


def _cursor_text(listing: Listing, index: int) -> str:
    """The identifier of a row; the parts of a compound one are joined by commas."""
    return ",".join(quote(str(part), safe="") for part in listing.key(index))


def _position(call: Call, cursor: str) -> tuple[Any, ...]:
    parts = [unquote(part) for part in cursor.split(",")] if len(cursor) <= MAX_CURSOR else []
    key = call.endpoint.key
    try:
        return tuple(
            int(part) if call.endpoint.properties[name].type == "integer" else part.casefold()
            for name, part in zip(key, parts, strict=True)
        )
    except ValueError:
        message = "The cursor is not valid."
        raise Refused(bad_request(message, "BadRequest", "cursor")) from None


def _whole(call: Call, name: str, default: int, low: int, high: int) -> int:
    number = call.query.whole(name.lower(), default, low, high)
    if number is None:
        message = f"The field {name} must be between {low} and {high}"
        raise Refused(bad_request(message, "BadRequest", name))
    return number


def _paged(call: Call) -> Answer:
    size = _whole(call, "PageSize", 20, 1, MAX_PAGE)
    skip = _whole(call, "SkipPages", 0, 0, MAX_SKIP)
    listing = _listing(call)
    selected = listing.select(call.query.get("filter"), call.query.get("sort"), anew=skip == 0)
    page = selected[:MAX_ROWS][skip * size : (skip + 1) * size]
    return _json(f"[{call.text(listing, page)}]")


def _count(call: Call) -> Answer:
    return _json(str(len(_listing(call).select(call.query.get("filter")))))


def _array(call: Call) -> Answer:
    listing = _listing(call)
    page = call.picked(listing)
    if call.by:
        wanted = set(page)
        selected = listing.select(call.query.get("filter"), call.query.get("sort"))
        page = [index for index in selected if index in wanted]
    return _json(f"[{call.text(listing, page)}]")


def _single(call: Call) -> Answer:
    listing = _listing(call)
    found = call.picked(listing)
    return _json(call.renderer.row(listing.rows[found[0]])) if found else not_found()


_ANSWERS = {
    "cursor": _cursor,
    "paged": _paged,
    "count": _count,
    "array": _array,
    "item": _single,
    "singleton": _single,
}
