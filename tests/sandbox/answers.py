"""Answers, and the bodies that the two APIs give to errors."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

from .facts import FACTS, Endpoint

JSON = "application/json"
PROBLEM = "application/problem+json"

# Titles, and the sections of RFC 9110 that the errors of the OpenAPI family cite.
_TITLES = {
    400: ("Bad request.", "15.5.1"),
    401: ("Unauthorized access.", "15.5.2"),
    403: ("Access forbidden.", "15.5.4"),
    404: ("Resource not found.", "15.5.5"),
    405: ("Method not allowed.", "15.5.6"),
    410: ("Gone.", "15.5.11"),
    429: ("Too many requests.", "15.6.1"),
    500: ("Internal server error.", "15.6.1"),
}
_OTHER = ("Error.", "15.6.1")
_CODES = {404: "ResourceNotFound"}
_OPERATORS = {
    "Equals": "$eq:",
    "Not equals": "$ne:",
    "Greater than": "$gt:",
    "Greater than or equal": "$gte:",
    "Less than": "$lt:",
    "Less than or equal": "$lte:",
    "Substring match": "$like:",
    "And also": "$and:",
    "Or else": "$or:",
    "In": "$in:",
    "Not in": "$nin:",
}
_MODULES = frozenset(endpoint.api.lower() for endpoint in FACTS.values() if not endpoint.is_rest)


@dataclass
class Answer:
    """What goes back: the status, the body, and headers beyond those that every answer carries."""

    status: int
    body: bytes
    content_type: str = JSON
    headers: dict[str, str] = field(default_factory=dict)


class Refused(Exception):  # noqa: N818  carries an answer, is not an error of the sandbox
    """A request that is answered at once, with ``answer``."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


def request_id() -> str:
    """An id of the form that Cloudflare gives: sixteen hex digits and an airport."""
    return f"{secrets.token_hex(8)}-CPH"


def _now() -> str:
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S")


def encoded(body: dict[str, Any]) -> bytes:
    """A body as JSON."""
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


def rest_error(status: int, message: str, *, hint: str | None = None, **more: Any) -> Answer:
    """An error of the legacy REST API; ``more`` are further keys (``errorCode``, ``errors``)."""
    body = {
        "message": message,
        **{name: value for name, value in more.items() if name == "errorCode"},
        "developerHint": hint or "See the documentation of the API.",
        "logId": request_id(),
        "httpStatusCode": status,
        "logTime": _now(),
        **{name: value for name, value in more.items() if name != "errorCode"},
    }
    return Answer(status, encoded(body))


def rest_filter_error(message: str, endpoint: Endpoint) -> Answer:
    """The answer to a filter that does not parse or is not allowed, with the list of what is."""
    return rest_error(
        400,
        "Could not parse query string filter.",
        hint="Use the query parameter 'filter' with the fields and operators listed here.",
        errors=[message],
        allowedFilteringFields=[name for name, p in endpoint.properties.items() if p.filter],
        allowedFilteringOperators=_OPERATORS,
        escapeCharacters={character: f"${character}" for character in "$()*,[]"},
        wildcard="*",
        nullValue="$null:",
    )


def problem(
    status: int,
    *,
    title: str | None = None,
    detail: str = "",
    code: str | None = None,
    errors: list[dict[str, Any]] | None = None,
) -> Answer:
    """An error of the OpenAPI family (``application/problem+json``)."""
    usual, section = _TITLES.get(status, _OTHER)
    body = {
        "type": f"https://tools.ietf.org/html/rfc9110#section-{section}",
        "title": title or usual,
        "status": status,
        "detail": detail,
        "errors": errors or [],
        "traceId": request_id(),
        "traceTimeUtc": _now(),
        "errorCode": code or _CODES.get(status),
    }
    return Answer(status, encoded({k: v for k, v in body.items() if v is not None}), PROBLEM)


def bad_request(message: str, code: str, property_: str | None = None) -> Answer:
    """A 400 of the OpenAPI family with its one entry in ``errors``."""
    error = {"message": message, "errorCode": code, "property": property_}
    return problem(400, detail="The request does not pass validation.", code=code, errors=[error])


def is_openapi(path: str) -> bool:
    """Whether a path belongs to the OpenAPI host: its first segment is a module's name."""
    return path.lstrip("/").partition("/")[0].lower() in _MODULES


def error(path: str, status: int, message: str = "") -> Answer:
    """An error in the form of the API that the path belongs to."""
    if is_openapi(path):
        return problem(status, detail=message)
    return rest_error(status, message or _TITLES.get(status, _OTHER)[0])
