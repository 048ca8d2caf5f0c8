"""The webhooks of a company in e-conomic: what there is, what there should be, and the writes.

Uses the tap's HTTP client, with its rate limit, retries and redaction. e-conomic lists the webhooks
that the same app has made, and allows one per event type and agreement
(docs/economic-api.md#webhooks). A webhook is ours if its URL is one of the receiver's.
"""

from __future__ import annotations

import contextlib
import re
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec.json import Decoder

from tap_visma_economic.errors import (
    BadResponseError,
    EconomicError,
    GrantRefusedError,
    NotFoundError,
    RateLimitError,
    error_of,
    shown,
)
from tap_visma_economic.redact import WEBHOOK_HEADER
from tap_visma_economic.webhooks.secret import signature

if TYPE_CHECKING:
    import requests

    from tap_visma_economic.agreement import Agreement
    from tap_visma_economic.run import Run

PROBLEM, LISTED, UNCHANGED = "problem", "listed", "unchanged"

Result = tuple[str, str]
"""What was done, such as `registered` or `unchanged`, and to the webhook of which event type.
Of a problem and of what is only listed, a line about it."""

Work = Callable[["Company"], Iterator[Result]]
"""What to do about one company's webhooks."""

_TAKEN = (
    "taken, but not by this app: the webhook was set up by hand in e-conomic, or by another app. "
    "Delete it there (All settings, Extensions, Web hooks), then run the command again"
)

_EVENT = re.compile(r"[A-Z0-9_]+", re.ASCII)
_ADDRESS = re.compile(r"(https?://)(?:[^/?#]*@)?([^/?#]*)([^?#]*)")


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
        """Return whether its URL is one that `register` gives, with this as the receiver's.

        Others below it may be another receiver's, such as `/staging`, or other software's.
        """
        return bool(re.fullmatch(rf"{re.escape(url)}/\d+/\w+", self.url or "", re.ASCII))

    @property
    def secrets(self) -> list[str | None]:
        """What the receiver knows it by; nothing, unless `register` made it."""
        return [one.value for one in self.custom_headers or () if one.is_secret]

    @property
    def compared(self) -> dict[str, Any]:
        """What has to be equal, by its name; e-conomic may write a content type at more length."""
        kind = (self.content_type or "").partition(";")[0].strip().lower()
        template = kind, (self.post_data or "").splitlines()
        return {"URL": self.url, "secret": self.secrets, "template": template}

    @property
    def state(self) -> str:
        """Whether e-conomic sends it."""
        since = f" since {shown(self.last_disabled_date)}" if self.last_disabled_date else ""
        return f"disabled{since}" if self.is_disabled else "enabled"

    @property
    def address(self) -> str:
        """Its URL, without what could be secret: also the path, unless `register` made it."""
        parts = _ADDRESS.match(self.url or "")
        path = parts[3] if parts and self.secrets else "/***"
        return shown(f"{parts[1]}{parts[2]}{path}") if parts else "***"


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
_HOOKS = Decoder(_Hooks)
"""Made here, because msgspec crashes if two threads make decoders of one Struct at a time."""


class ConflictError(EconomicError):
    """A webhook has changed since it was read, or there is one of this event type already."""


@dataclass
class Company:
    """One company's webhooks, as e-conomic's API has them."""

    run: Run
    agreement: Agreement

    def event_types(self) -> dict[str, list[str]]:
        """Return the merge fields of each event type that e-conomic has."""
        return {
            one.name: [field.field_name.strip("[]") for field in one.merge_fields or ()]
            for one in self._ask("GET", "/EventTypes", _EVENT_TYPES)
            if _EVENT.fullmatch(one.name)
        }

    def hooks(self) -> dict[str, Hook]:
        """Return all webhooks that the app has made, by event type."""
        found: list[Hook] = []
        cursor = None
        while True:
            page = self._ask("GET", "/webhooks", _HOOKS, params={"cursor": cursor})
            found += page.items or []
            if not page.cursor:
                return {one.event_type: one for one in found if _EVENT.fullmatch(one.event_type)}
            if page.cursor == cursor:
                raise BadResponseError("the pagination of webhooks does not progress")
            cursor = page.cursor

    def write(self, method: str, hook: Hook) -> None:
        """Create (POST) or change (PUT) a webhook.

        Raises:
            ConflictError: it exists already, or is not the version that was changed.
        """
        self._ask(method, "/webhooks", _ANY, data=msgspec.json.encode(hook))

    def delete(self, event: str) -> None:
        """Delete a webhook, if it still exists."""
        with contextlib.suppress(NotFoundError):
            self._ask("DELETE", f"/webhooks/{event}", _ANY)

    def _ask(self, method: str, path: str, decoder: Decoder[Any], **content: Any) -> Any:
        from tap_visma_economic.streams.agreement import Webhooks  # noqa: PLC0415  takes a second

        stream, http = self.run.stream(Webhooks), self.agreement.http
        headers = stream.http_headers
        if method != "GET":
            if self.agreement.page is None:  # the number is a file's, and what is written has it
                self.agreement = self.run.look_up(self.agreement.grant, http)
            headers["Idempotency-Key"] = uuid.uuid4().hex  # the same in all retries
        request = stream.build_prepared_request(
            method, stream.url_base + path, headers=headers, auth=http.authenticator, **content
        )
        return http.send(request, lambda response: _read(response, decoder), what="webhooks")


def _read(response: requests.Response, decoder: Decoder[Any]) -> Any:
    """Return the content of a response."""
    content, status = response.content, response.status_code
    is_taken = status >= HTTPStatus.BAD_REQUEST and b"WebhookAlreadyExistsForEventType" in content
    if is_taken or status == HTTPStatus.CONFLICT:
        raise ConflictError("it was changed by somebody else at the same time. Try again")
    if status not in (HTTPStatus.OK, HTTPStatus.CREATED, HTTPStatus.NO_CONTENT):
        raise error_of(response)
    try:
        return decoder.decode(content or b"null")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        what = f"{response.request.method} {response.request.path_url}"
        raise BadResponseError(f"the response to {what} is not what e-conomic documents") from None


def listing(company: Company) -> Iterator[Result]:
    """List the webhooks that the app has made, whatever their URLs."""
    for event, hook in sorted(company.hooks().items()):
        yield LISTED, f"{event}  {hook.address}  {hook.state}"


def removal(company: Company, url: str, events: Sequence[str], *, writes: bool) -> Iterator[Result]:
    """Delete the webhooks that are ours, of some event types or of all; or only report them."""

    def delete(event: str) -> str:
        if not writes:
            return "would be removed"
        company.delete(event)
        return "removed"

    for event, hook in company.hooks().items():
        if hook.is_ours(url) and (not events or event in events):
            yield _tried(event, partial(delete, event))


@dataclass(frozen=True)
class Comparison:
    """Compares a company's webhooks with those it should have.

    Args:
        url: how their URLs begin, without a slash at the end.
        events: the event types to register.
        offered: all event types of e-conomic, with their merge fields.
        secret: what they are signed with.
        writes: whether differences are written.
        complains: whether a difference is a problem.
        takes_over: whether webhooks of another deployment of the same app are replaced.
    """

    url: str
    events: Sequence[str]
    offered: Mapping[str, Sequence[str]]
    secret: str
    writes: bool = False
    complains: bool = False
    takes_over: bool = False

    def __call__(self, company: Company) -> Iterator[Result]:
        """Compare all event types of a company."""
        hooks = company.hooks()
        ours = [e for e in hooks if e in self.offered and hooks[e].is_ours(self.url)]
        for event in dict.fromkeys([*self.events, *ours]):  # a new secret concerns all of ours
            yield _tried(event, partial(self._settle, company, event, hooks.get(event)))

    def _settle(self, company: Company, event: str, hook: Hook | None) -> str:
        """Write what differs, again if somebody else was faster; return what was done."""
        try:
            return self._compare(company, event, hook)
        except ConflictError:
            found = company.hooks().get(event)
            if not (hook or found):
                raise EconomicError(_TAKEN) from None
            return self._compare(company, event, found)

    def _compare(self, company: Company, event: str, hook: Hook | None) -> str:
        wanted = self._wanted(company.agreement.number, event, hook)
        done, why = self._verdict(hook, wanted)
        if not why:
            return UNCHANGED
        if self.complains:
            raise EconomicError(why)
        if not self.writes:
            return f"would be {done}"
        company.write("PUT" if hook else "POST", wanted)
        return done

    def _wanted(self, number: int, event: str, hook: Hook | None) -> Hook:
        """Return the webhook of an event type, to send in place of what there is.

        The template is text, not JSON: e-conomic would not escape the values.
        """
        headers = [Header(WEBHOOK_HEADER, signature(self.secret, number))]
        if hook and hook.is_ours(self.url):
            headers += [one for one in hook.custom_headers or () if not one.is_secret]
        return Hook(
            event,
            name=f"tap-visma-economic {event}"[:100],
            url=f"{self.url}/{number}/{event}",
            content_type="text/plain",
            post_data="\n".join(f"{name}=[{name}]" for name in self.offered[event]),
            custom_headers=headers,
            object_version=hook.object_version if hook else None,
        )

    def _verdict(self, hook: Hook | None, wanted: Hook) -> tuple[str, str]:
        """Return what registering does about a webhook, and why; no reason if nothing."""
        if hook is None:
            return "registered", "not registered"
        if not hook.is_ours(self.url):
            why = f"held by another deployment of this app ({hook.address})"
            if self.takes_over:
                return "taken over", why
            raise EconomicError(f"{why}. --take-over replaces its webhook")
        has, should = hook.compared, wanted.compared
        different = [name for name in should if has[name] != should[name]]
        reasons = [f"registered with another {' and '.join(different)}"] if different else []
        if hook.is_disabled:
            reasons.append(f"{hook.state}, so e-conomic does not send it")
        return "updated" if different else "enabled", "; ".join(reasons)


def _tried(event: str, action: Callable[[], str]) -> Result:
    """Do something about an event type; what goes wrong does not keep the others from it."""
    try:
        return action(), event
    except (GrantRefusedError, RateLimitError):
        raise  # so would all others
    except EconomicError as error:
        return PROBLEM, f"{event}: {error}"
