"""The webhooks of each agreement, written through webhooksapi as its document describes.

Documented: the statuses, the error codes, the limits, one webhook per event type and agreement,
that a change needs the current ``objectVersion``, that an ``Idempotency-Key`` repeats the response
of the last hour. Reported: only those that the same app has made are listed. Assumed: that errors
have status 400, and that the cache holds errors as well.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from threading import RLock
from typing import Any
from urllib.parse import urlsplit

from .answers import Answer, bad_request, problem
from .grants import CompanyLike, Grant

LISTING, EVENT_TYPES = "webhooksapi:/webhooks", "webhooksapi:/EventTypes"
_REQUIRED = ("eventType", "name", "url", "contentType")
_LONGEST = {"name": 100, "url": 1000, "contentType": 50, "postData": 4000}
_WRITABLE = (*_REQUIRED, "postData", "customHeaders", "isDisabled")
_HOUR = 3600
_MOST_HEADERS, _LONGEST_HEADERS = 5, 1000

Hook = dict[str, Any]


@dataclass
class Webhooks:
    """What can be done to webhooks, and what is known of them beyond their rows.

    Attributes:
        clock: the time in seconds since the epoch.
        unlisted: those made by hand or by another app, which take their event type without being
            listed; by agreement number and event type.
        read_only: those that cannot be changed, by agreement number and event type.
    """

    clock: Callable[[], float]
    unlisted: dict[tuple[int, str], Hook] = field(default_factory=dict)
    read_only: set[tuple[int, str]] = field(default_factory=set)
    _cached: dict[tuple[int, str], tuple[float, Answer]] = field(default_factory=dict)
    _lock: RLock = field(default_factory=RLock)

    def answer(
        self, method: str, event: str | None, grant: Grant, headers: Mapping[str, str], body: bytes
    ) -> Answer:
        """Answer a write.

        Args:
            method: of the request.
            event: the event type in the path, None if it has none.
            grant: whose webhooks.
            headers: by lower-case name.
            body: of the request.
        """
        with self._lock:
            key = grant.company.agreement_number, headers.get("idempotency-key", "")
            at, cached = self._cached.get(key, (0.0, None))
            if key[1] and cached and self.clock() - at < _HOUR:
                return replace(cached, headers={**cached.headers, "X-ResultFromCache": "true"})
            answer = self._written(method, event, grant.company, headers, body)
            if key[1]:
                self._cached[key] = self.clock(), answer
            return answer

    def of(self, company: CompanyLike, event: str) -> list[Hook]:
        """The webhooks that an event sets off: the listed one, or the one that is not."""
        rows: Any = company.rows(LISTING)
        listed = [row for row in rows if row["eventType"] == event]
        other = self.unlisted.get((company.agreement_number, event))
        return listed + ([other] if other else [])

    def disable(self, company: CompanyLike, event: str) -> None:
        """Switch a webhook off, as e-conomic does."""
        with self._lock:
            for hook in self.of(company, event):
                now = self._now()
                hook.update(isDisabled=True, lastDisabledDate=now, lastUpdated=now)
                hook["objectVersion"] = secrets.token_hex(8)

    def _written(
        self,
        method: str,
        event: str | None,
        company: CompanyLike,
        headers: Mapping[str, str],
        body: bytes,
    ) -> Answer:
        rows: Any = company.rows(LISTING)
        types: Any = company.rows(EVENT_TYPES)
        if method == "DELETE" and event:
            return self._delete(company, rows, event)
        if method not in {"POST", "PUT"} or event:
            return problem(405)
        if not headers.get("content-type", "").lower().startswith("application/json"):
            return problem(415, title="Unsupported media type.")
        try:
            sent = json.loads(body)
        except ValueError:
            return bad_request("The body is not JSON.", "BadRequest", "")
        flaw = next(_flaws(sent, {row["name"] for row in types}), None)
        if flaw is not None:
            return bad_request(*flaw)
        # What is unknown or can only be read is passed over.
        hook = {name: sent[name] for name in (*_WRITABLE, "objectVersion") if name in sent}
        written = self._post if method == "POST" else self._put
        return written(company, rows, hook)

    def _post(self, company: CompanyLike, rows: list[Hook], hook: Hook) -> Answer:
        event = hook["eventType"]
        if self.of(company, event):
            return bad_request(
                "A webhook for this event type already exists for the agreement. Only one webhook "
                "per event type is allowed.",
                "WebhookAlreadyExistsForEventType",
                "eventType",
            )
        hook.pop("objectVersion", None)
        rows.append({**hook, "lastUpdated": self._now(), "objectVersion": secrets.token_hex(8)})
        location = {"Location": f"/webhooksapi/v1.0.0/webhooks/{event}"}
        return Answer(201, json.dumps({"eventType": event}).encode(), headers=location)

    def _put(self, company: CompanyLike, rows: list[Hook], hook: Hook) -> Answer:
        event = hook["eventType"]
        held = next((row for row in rows if row["eventType"] == event), None)
        if held is None:
            return problem(404, detail="The resource does not exist.")
        if (company.agreement_number, event) in self.read_only:
            return _read_only()
        if hook.get("objectVersion") != held["objectVersion"]:
            detail = "The resource has been updated by another user"
            return problem(409, title="Conflict", detail=detail, code="UpdateConflict")
        now, disabled = self._now(), held.get("lastDisabledDate")
        if hook.get("isDisabled") and not held.get("isDisabled"):
            disabled = now
        held.clear()
        held.update(hook, lastDisabledDate=disabled, lastUpdated=now)
        held["objectVersion"] = secrets.token_hex(8)
        return Answer(204, b"")

    def _delete(self, company: CompanyLike, rows: list[Hook], event: str) -> Answer:
        if (company.agreement_number, event) in self.read_only:
            return _read_only()
        for row in rows:
            if row["eventType"] == event:
                rows.remove(row)
                return Answer(204, b"")
        return problem(404, detail="The resource does not exist.")

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self.clock(), timezone.utc).replace(microsecond=0)


def _read_only() -> Answer:
    message = "The webhook is read-only and cannot be changed."
    return bad_request(message, "WebhookReadOnly", "eventType")


def _flaws(sent: Any, events: set[str]) -> Iterator[tuple[str, str, str]]:
    """What is wrong with a webhook as it was sent: message, error code and property."""
    if not isinstance(sent, dict):
        yield "The body is not an object.", "BadRequest", ""
    for name in _REQUIRED:
        if not sent.get(name):
            yield f"The field {name} is required.", "ValidationError", name
    for name in (*_WRITABLE, "objectVersion"):
        value = sent.get(name, "")
        if value is None:
            yield f"The field {name} must not be null.", "ValidationError", name
        if name in _LONGEST and (not isinstance(value, str) or len(value) > _LONGEST[name]):
            yield f"The field {name} is too long.", "ValidationError", name
    if sent["eventType"] not in events:
        yield "Unknown event type.", "WebhookInvalidType", "eventType"
    yield from _flaws_of_url(sent["url"])
    yield from _flaws_of_headers(sent.get("customHeaders", []))


def _flaws_of_url(url: str) -> Iterator[tuple[str, str, str]]:
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        host = None
    if not host or re.search(r"[\s<>\"]", url):
        yield "The URL has invalid format.", "WebhookInvalidUrl", "url"
    if parts.scheme != "https":
        yield "Only HTTPS is allowed.", "WebhookInvalidUrlScheme", "url"


def _flaws_of_headers(headers: Any) -> Iterator[tuple[str, str, str]]:
    if len(headers) > _MOST_HEADERS:
        message = "At most 5 custom headers are allowed."
        yield message, "WebhookCustomHeadersTooMany", "customHeaders"
    if len(json.dumps(headers)) > _LONGEST_HEADERS:
        message = "Custom headers exceed the maximum allowed length."
        yield message, "WebhookCustomHeadersTooLong", "customHeaders"
    for header in headers:
        text = f"{header.get('key')}{header.get('value')}"
        if not header.get("key") or not text.isascii() or not text.isprintable():
            message = "Custom headers contain invalid characters."
            yield message, "WebhookCustomHeaderInvalid", "customHeaders"
