"""A company's webhooks in e-conomic, read and written through webhooksapi.

Uses the tap's HTTP client, with its rate limit, retries and redaction. e-conomic lists the webhooks
that the same app has made, and allows one per event type and agreement
(docs/economic-api.md#webhooks).
"""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec.json import Decoder

from tap_visma_economic.errors import (
    BadAnswerError,
    EconomicError,
    NotFoundError,
    error_of,
    shown,
)
from tap_visma_economic.redact import WEBHOOK_HEADER, with_content
from tap_visma_economic.schemas import MODULE_VERSIONS

if TYPE_CHECKING:
    import requests

    from tap_visma_economic.agreement import Agreement
    from tap_visma_economic.agreements_file import Grant
    from tap_visma_economic.run import Run

SIGNATURE = re.compile(r"\b[0-9a-fA-F]{64}\b")
"""What no message shows: see `secret.signature`."""

_EVENT = re.compile(r"[A-Z0-9_]+", re.ASCII)


class Header(msgspec.Struct):
    """A header that a webhook sends."""

    key: str | None = None
    value: str | None = None

    @property
    def is_secret(self) -> bool:
        """Return whether the receiver knows the webhook by it."""
        return (self.key or "").lower() == WEBHOOK_HEADER.lower()


class Hook(msgspec.Struct, omit_defaults=True, rename="camel"):
    """A webhook in e-conomic, with the properties that can be written. False is never sent."""

    event_type: str
    name: str | None = None
    url: str | None = None
    content_type: str | None = None
    post_data: str | None = None
    custom_headers: list[Header] | None = None
    is_disabled: bool = False
    last_disabled_date: str | None = None
    object_version: str | None = None

    def is_ours(self, url: str) -> bool:
        """Return whether its URL begins with this one."""
        return f"{self.url}/".startswith(f"{url}/")

    @property
    def other_headers(self) -> list[Header]:
        """Its headers, without that of the receiver."""
        return [one for one in self.custom_headers or () if not one.is_secret]

    @property
    def compared(self) -> dict[str, Any]:
        """What has to be equal, by its name; e-conomic may write a content type at more length."""
        kind = (self.content_type or "").partition(";")[0].strip().lower()
        return {
            "URL": self.url,
            "secret": [one.value for one in self.custom_headers or () if one.is_secret],
            "template": (kind, (self.post_data or "").splitlines()),
        }

    @property
    def state(self) -> str:
        """Whether e-conomic sends it."""
        since = f" since {shown(self.last_disabled_date)}" if self.last_disabled_date else ""
        return f"disabled{since}" if self.is_disabled else "enabled"

    @property
    def address(self) -> str:
        """Its URL, without what could be secret: also the path, unless `register` made it."""
        url = re.sub(r"//[^/]*@", "//***@", re.split("[?#]", self.url or "")[0])
        made_here = any(one.is_secret for one in self.custom_headers or ())
        if not made_here:
            host = re.sub(r"(?s)^(https?://[^/]*/?|).*", r"\1", url)
            url = host if host == url else f"{host}***"
        return shown(SIGNATURE.sub("***", url))


class _Hooks(msgspec.Struct):
    items: list[Hook] | None = None
    cursor: str | None = None


class _MergeField(msgspec.Struct, rename="camel"):
    field_name: str


class _EventType(msgspec.Struct, rename="camel"):
    name: str
    merge_fields: list[_MergeField] | None = None


_ANY: Decoder[Any] = Decoder()
_EVENT_TYPES = Decoder(list[_EventType])
_HOOK = Decoder(Hook)
_HOOKS = Decoder(_Hooks)
"""Made here, because msgspec crashes if two threads make decoders of one Struct at a time."""


class ConflictError(EconomicError):
    """A webhook has changed since it was read, or there is one of this event type already."""


@dataclass
class Company:
    """One company's webhooks, as e-conomic's API has them."""

    run: Run
    agreement: Agreement

    @classmethod
    def of(cls, run: Run, grant: Grant) -> Company:
        """Return the company of a grant; requests `/self` unless its number is known."""
        return cls(run, run.agreement_of(grant))

    def event_types(self) -> dict[str, list[str]]:
        """Return the merge fields of each event type that e-conomic has."""
        return {
            one.name: [field.field_name.strip("[]") for field in one.merge_fields or ()]
            for one in self._ask("GET", "/EventTypes", _EVENT_TYPES)
            if _EVENT.fullmatch(one.name)
        }

    def hooks(self) -> dict[str, Hook]:
        """Return all webhooks that the app has made, by event type."""
        page = self._ask("GET", "/webhooks", _HOOKS)
        found = page.items or []
        while cursor := page.cursor:
            page = self._ask("GET", "/webhooks", _HOOKS, params={"cursor": cursor})
            found += page.items or []
            if page.cursor == cursor:
                raise BadAnswerError("the pagination of webhooks does not progress")
        return {hook.event_type: hook for hook in found if _EVENT.fullmatch(hook.event_type)}

    def hook(self, event: str) -> Hook | None:
        """Return one webhook, None if the app has made none of this event type."""
        try:
            found: Hook = self._ask("GET", f"/webhooks/{event}", _HOOK)
        except NotFoundError:
            return None
        return found

    def write(self, method: str, hook: Hook) -> None:
        """Create (POST) or change (PUT) a webhook.

        Raises:
            ConflictError: it exists already, or is not the version that was changed.
        """
        self._ask(method, "/webhooks", _ANY, data=msgspec.json.encode(hook))

    def delete(self, event: str) -> None:
        """Delete a webhook, if it still exists."""
        try:
            self._ask("DELETE", f"/webhooks/{event}", _ANY)
        except NotFoundError:
            return

    def _ask(self, method: str, path: str, decoder: Decoder[Any], **content: Any) -> Any:
        headers = {"Accept": "application/json", "Content-Type": "application/json"}
        http = self.agreement.http
        if method != "GET":
            if self.agreement.page is None:  # the number is a file's, and what is written has it
                self.agreement = self.run.look_up(self.agreement.grant, http)
            headers["Idempotency-Key"] = uuid.uuid4().hex  # the same in all retries
        host = str(self.run.setting("openapi_url")).rstrip("/")
        versions = {**MODULE_VERSIONS, **(self.run.setting("openapi_versions") or {})}
        url = f"{host}/webhooksapi/v{versions['webhooksapi']}{path}"
        request = self.run.transport.prepare(
            method, url, headers=headers, auth=http.authenticator, **content
        )
        return http.send(request, lambda response: _read(response, decoder), what="webhooks")


def _read(response: requests.Response, decoder: Decoder[Any]) -> Any:
    """Return the content of a response. An error quotes no signature."""
    content, status = response.content, response.status_code
    taken = HTTPStatus.BAD_REQUEST, b"WebhookAlreadyExistsForEventType"
    if status == HTTPStatus.CONFLICT or (status == taken[0] and taken[1] in content):
        raise ConflictError("it was changed by somebody else at the same time. Try again")
    if status not in (HTTPStatus.OK, HTTPStatus.CREATED, HTTPStatus.NO_CONTENT):
        text = SIGNATURE.sub("***", content.decode("utf-8", "replace"))
        raise error_of(with_content(response, text.encode()))
    try:
        return decoder.decode(content or b"null")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        what = f"{response.request.method} {response.request.path_url}"
        raise BadAnswerError(f"the response to {what} is not what e-conomic documents") from None
