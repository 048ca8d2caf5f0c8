"""Answers as faults change them: another status, another body, other rows."""

from __future__ import annotations

from decimal import Decimal
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from .answers import Answer, error
from .faults import Fault
from .service import Service

WEB_PAGE = b"<!DOCTYPE html><html><head><title>Just a moment...</title></head><body></body></html>"
_HTML = "text/html; charset=UTF-8"
_PAGES = {"same_cursor", "next_page", "page_before", "rows_again", "last_page", "empty_page"}
_decode = msgspec.json.Decoder(float_hook=Decimal).decode
_encode = msgspec.json.Encoder(decimal_format="number").encode


class Pages:
    """The latest page of each listing, for a fault that sends it once more."""

    def __init__(self) -> None:
        self._latest: dict[tuple[str | None, ...], bytes] = {}

    def swap(self, target: str, grant: str, answer: Answer) -> bytes | None:
        """Keep a page, and return the one before it of the same listing; None for a first one."""
        path, _, query = target.partition("?")
        parameters = dict(parse_qsl(query))
        listing = (grant, path, parameters.get("pagesize"))
        # Listings of one endpoint that are read by cursor at the same time differ in their filters;
        # one that is read by key has another filter for each page.
        filtered = (*listing, parameters.get("filter"))
        before = self._latest.get(filtered if "cursor" in parameters else listing)
        self._latest[listing] = self._latest[filtered] = answer.body
        first = not (
            parameters.get("cursor")
            or parameters.get("skippages", "0") != "0"
            or parameters.get("skipPages", "0") != "0"
            or "$gt:" in parameters.get("filter", "")
        )
        return None if first else before


def altered(
    answer: Answer, fault: Fault, target: str, service: Service, before: bytes | None
) -> Answer:
    """The answer that a fault makes of the right one.

    Args:
        answer: the right one.
        fault: what strikes.
        target: path and query that were asked for.
        service: knows the form of a 401.
        before: the body of the listing's page before, if there was one.
    """
    path, _, query = target.partition("?")
    if fault.kind == "html200":
        return Answer(200, WEB_PAGE, _HTML, answer.headers)
    if fault.kind == "redirect":
        status = fault.status if 300 <= fault.status < 400 else 302
        return Answer(status, b"", _HTML, {**answer.headers, "Location": fault.to})
    if fault.kind == "status":
        return _failed(answer, fault, path, service)
    if fault.kind not in _PAGES or answer.status != HTTPStatus.OK:
        return answer
    page = _decode(answer.body)
    if isinstance(page, int) or not (isinstance(page, list) or _name_of_rows(page) in page):
        return answer  # a count or a single row
    query_of = dict(parse_qsl(query))
    changed = _changed(page, fault, query_of, _decode(before) if before else None)
    return Answer(answer.status, _encode(changed), answer.content_type, answer.headers)


def _failed(answer: Answer, fault: Fault, path: str, service: Service) -> Answer:
    if fault.status == HTTPStatus.UNAUTHORIZED:
        changed = service.unauthorized(path)
    else:
        changed = error(path, fault.status)
    if fault.body is not None:
        changed.body = fault.body
    changed.headers = dict(answer.headers)
    if fault.retry_after is not None:
        changed.headers["Retry-After"] = fault.retry_after
    return changed


def _changed(page: Any, fault: Fault, query: dict[str, str], before: Any) -> Any:
    """The page that a fault makes of the right one; the same where it has nothing to change."""
    pagination = page.get("pagination") if isinstance(page, dict) else None
    changed = page
    match fault.kind:
        case "same_cursor" if "items" in page:
            changed = {**page, "cursor": query.get("cursor", "1")}
        case "next_page" if pagination:
            to = fault.to or pagination.get("firstPage")
            changed = {**page, "pagination": {**pagination, "nextPage": to}}
        case "page_before" if before is not None:
            old, own = _rows(before), _rows(page)
            rows = old if fault.rows is None else [*old[-fault.rows :], *own][: len(own)]
            changed = _with_rows(page, rows)
        case "rows_again" if before is not None:
            changed = _with_rows(page, [*_rows(before)[-(fault.rows or 1) :], *_rows(page)])
        case "last_page":
            changed = {name: value for name, value in page.items() if name != "cursor"}
            if pagination:
                last = {name: value for name, value in pagination.items() if name != "nextPage"}
                changed["pagination"] = last
        case "empty_page" if isinstance(page, dict):
            if page.get("cursor") or (pagination or {}).get("nextPage"):
                changed = _with_rows(page, [])
    return changed


def _rows(page: Any) -> list[Any]:
    return list(page if isinstance(page, list) else page[_name_of_rows(page)])


def _with_rows(page: Any, rows: list[Any]) -> Any:
    return rows if isinstance(page, list) else {**page, _name_of_rows(page): rows}


def _name_of_rows(page: dict[str, Any]) -> str:
    return "items" if "items" in page else "collection"
