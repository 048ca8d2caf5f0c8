"""The legacy REST API (restapi.e-conomic.com): envelopes, pages and links, single rows, errors."""

from __future__ import annotations

from math import inf
from typing import Any

from .answers import Answer, Refused, encoded, rest_error, rest_filter_error
from .calls import Call
from .filters import FilterError
from .listing import Listing
from .matching import PublishedButBroken
from .sorting import SortError
from .values import Row

MAX_PAGE = 1000
_NO_LINKS = "Pagination links are suppressed when there are no results."


def answer(call: Call) -> Answer:
    """Answer a GET on a REST endpoint."""
    try:
        if call.match.route.kind == "collection":
            return _collection(call)
        return _single(call)
    except FilterError as error:
        return rest_filter_error(error.message, call.endpoint)
    except SortError:
        return rest_error(400, "Could not parse query string sort parameter")
    except PublishedButBroken:
        return rest_error(500, "Internal server error.")
    except Refused as refused:
        return refused.answer


def not_found() -> Answer:
    """The answer to an entity that does not exist."""
    hint = "Look for the resource's link in the collection that holds it."
    return rest_error(404, "The entity was not found.", hint=hint, errorCode="E06000")


def no_resource() -> Answer:
    """The answer to a path that does not exist."""
    return rest_error(404, "Resource not found.", hint="Follow the links that the API provides.")


def unauthorized(base_url: str, path: str) -> Answer:
    """The answer to a bad app secret or a bad grant, which look the same."""
    return rest_error(
        401,
        "Unauthorized access (Unauthorized).",
        hint="Check both tokens, or use the word demo for both.",
        demoLink=f"{base_url}{path}?demo=true",
    )


def forbidden(role: str) -> Answer:
    """The answer to a role that may not read the resource. The real body has not been seen."""
    hint = f"The role {role} of the grant does not give access to this resource."
    return rest_error(403, "Access denied (Forbidden).", hint=hint)


def _whole(call: Call, name: str, default: int, low: int, high: float) -> int:
    number = call.query.whole(name, default, low, high)
    if number is None:
        upper = " and more" if high == inf else f" and {high}"
        message = f"The query parameter {name} must be a whole number between {low}{upper}."
        raise Refused(rest_error(400, message, errorCode="E04810"))
    return number


def _listing(call: Call) -> Listing:
    """Raises: Refused: there is no such parent."""
    try:
        return call.listing()
    except KeyError:
        raise Refused(not_found()) from None


def _collection(call: Call) -> Answer:
    size = _whole(call, "pagesize", 20, 1, MAX_PAGE)
    skip = _whole(call, "skippages", 0, 0, inf)
    listing = _listing(call)
    selected = listing.select(call.query.get("filter"), call.query.get("sort"), anew=skip == 0)
    page = selected[skip * size : (skip + 1) * size]
    if call.endpoint.deletes:
        text = call.renderer.rows(_with_meta(call, row) for row in listing.page(page))
    else:
        text = call.text(listing, page)
    pagination = {
        "skipPages": skip,
        "pageSize": size,
        "maxPageSizeAllowed": MAX_PAGE,
        "results": len(selected),
        "resultsWithoutFilter": len(listing.rows),
        **_links(call, skip, size, len(selected)),
    }
    tail = encoded({"pagination": pagination, **_extras(call), "self": _url(call)})
    return Answer(200, b'{"collection":[' + text.encode() + b"]," + tail[1:])


def _url(call: Call, **pages: int) -> str:
    query = call.query.with_(**pages) if pages else call.query
    return f"{call.base_url}{call.path}{query}"


def _links(call: Call, skip: int, size: int, results: int) -> dict[str, str]:
    if not results:
        return {"developerHint": _NO_LINKS}

    def page(number: int) -> str:
        return _url(call, skippages=number, pagesize=size)

    last = (results - 1) // size
    links = {"firstPage": page(0)}
    if skip < last:
        links["nextPage"] = page(skip + 1)
    return {**links, "lastPage": page(last)}


def _extras(call: Call) -> dict[str, Any]:
    endpoint = call.endpoint
    if endpoint.subcollections:
        links = {name: f"{call.base_url}{call.path}/{name}" for name in endpoint.subcollections}
        return {"subCollections": links}
    if endpoint.creates is None:
        return {}
    if not endpoint.creates:
        return {"metaData": {}}
    create = {"description": f"Create a new {endpoint.creates}", "href": _url(call)}
    return {"metaData": {"create": {**create, "httpMethod": "post"}}}


def _single(call: Call) -> Answer:
    listing = _listing(call)
    found = call.picked(listing)
    if not found:
        return not_found()
    return Answer(200, call.renderer.row(_with_meta(call, listing.rows[found[0]])).encode())


def _with_meta(call: Call, row: Row) -> Row:
    """A row with the ``metaData`` that says how to change it, where the endpoint gives one."""
    endpoint, href = call.endpoint, row.get("self")
    noun = endpoint.replaces or endpoint.deletes
    if not noun or href is None or "metaData" in row:
        return row
    delete = {"description": f"Delete this {noun}.", "href": href, "httpMethod": "delete"}
    meta: dict[str, object] = {"delete": delete}
    if endpoint.replaces:
        replace = {"description": f"Replace this {noun}.", "href": href, "httpMethod": "put"}
        meta["replace"] = replace
    own = {name: value for name, value in row.items() if name != "self"}
    return {**own, "metaData": meta, "self": href}
