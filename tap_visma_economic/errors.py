"""What can go wrong, in words that say what happened and what to do now.

Everything that a user, a company's administrator or time can mend is an `EconomicError`; its text
is shown as it is, without a traceback. None of them ever carries a token, or more of a response
than its words about the error.
"""

from __future__ import annotations

import re
from base64 import b64encode
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import msgspec

if TYPE_CHECKING:
    import requests

TOKEN_HEADERS = ("X-AppSecretToken", "X-AgreementGrantToken")
"""The headers that carry the tokens (docs/economic-api.md#authentication)."""

_LONGEST_QUOTE = 300
"""Characters of e-conomic's own words that are passed on."""

_LONGEST_NAME = 100
"""Characters of a name or an identifier that are passed on."""


def shown(text: str, most: int = _LONGEST_NAME) -> str:
    """Return somebody else's text as one line that does nothing to a terminal or a log."""
    line = "".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in text)
    return line if len(line) <= most else f"{line[:most]}..."


class EconomicError(Exception):
    """Base of all errors this tap explains to its user."""


class ConfigError(EconomicError):
    """The settings cannot work; nothing has been read or written."""


class NetworkError(EconomicError):
    """e-conomic could not be reached, or the answer broke off."""


class CertificateError(NetworkError):
    """The TLS certificate could not be verified: asking again would not change it."""


class SlowAnswerError(NetworkError):
    """An answer did not come to its end in time."""


class BadAnswerError(EconomicError):
    """An answer with status 200 that is not what e-conomic documents, such as an HTML page."""


class NotWholeError(BadAnswerError):
    """A listing of which e-conomic counts more rows than it gave.

    Args:
        words: what came and what was counted.
        mark: tells what came from what another reading gave.
    """

    def __init__(self, words: str, mark: int = 0) -> None:
        super().__init__(words)
        self.mark = mark


class UncountedError(EconomicError):
    """e-conomic does not count these rows, though its documents say that it does."""


class UnreadableRowError(EconomicError):
    """Rows without their keys, or with keys no message can carry: nothing tells them apart."""


class ApiError(EconomicError):
    """e-conomic answered with an error status.

    Args:
        status: HTTP status code.
        path: path and query of the request, without the host.
        said: the words of the answer: e-conomic's message and hint, or a gateway's first words.
        own: whether the answer has the form of e-conomic's errors.
        log_id: identifier of the line in e-conomic's log, which its support asks for.
        code: e-conomic's error code, such as `AccessDeniedAgreementMissingModules`.
        retry_after: raw `Retry-After` header, if there was one.
        date: raw `Date` header, if there was one: when it was, by the server's clock.
    """

    def __init__(
        self,
        status: int,
        path: str,
        *,
        said: str = "",
        own: bool = True,
        log_id: str | None = None,
        code: str | None = None,
        retry_after: str | None = None,
        date: str | None = None,
    ) -> None:
        self.status = status
        self.path = path
        self.gist = said
        self.own = own
        self.said = f"{said} (e-conomic's log id: {log_id})" if log_id else said
        self.code = code
        self.retry_after = retry_after
        self.date = date
        super().__init__(self.explain())

    def explain(self) -> str:
        """Return one line: what happened, where, and the words of the answer."""
        reason = _reason(self.status)
        said = _quoted(self.said, "e-conomic" if self.own else "The answer")
        return f"e-conomic answered {self.status} {reason} to GET {self.path}{said}"


class GrantRefusedError(ApiError):
    """401: the app secret is wrong, or the grant is wrong or has ended."""

    def explain(self) -> str:
        """Return what a 401 means and what to do."""
        return (
            "e-conomic refused the tokens (401). Either app_secret_token is wrong, or this "
            "agreement_grant_token is wrong or no longer valid: it may have been revoked, and is "
            "reported to end when the user who gave it is deleted in e-conomic. Check both, or "
            f"have the company's administrator grant the app access again{_quoted(self.said)}"
        )


class QueryRefusedError(ApiError):
    """400: this endpoint takes no such filter, sort or page size."""


class AccessDeniedError(ApiError):
    """403: the app's role does not cover the collection, or a paid module is missing.

    Also another 4xx whose code says so: of a missing dimension module only the code is documented
    (docs/economic-api.md#roles-and-modules).
    """

    def explain(self) -> str:
        """Return what is missing, as far as e-conomic says."""
        return self.reason(self.said)

    def reason(self, said: str) -> str:
        """Return what is missing, in words that are the same for all streams it is missing for."""
        return (
            f"this grant may not read it ({self.status}): the app's role does not cover it, or the "
            f"company lacks the module{_quoted(said)}"
        )


class NotFoundError(ApiError):
    """404: nothing at this path, for example a parent deleted in the meantime."""


class RetiredVersionError(ApiError):
    """410, 404 on a whole OpenAPI listing, or 400 about the version: it is not served."""

    def explain(self) -> str:
        """Return what was answered, and which setting is about versions."""
        return (
            f"{super().explain()}. This version of the module seems not to be served: if the "
            "setting openapi_versions names it, take it out; else name one there that is served"
        )


class UnexpectedStatusError(ApiError, BadAnswerError):
    """A status that e-conomic does not answer with, such as 206: a part is no whole page."""


class RedirectError(ApiError):
    """3xx: another address is named, where the tokens must not go."""

    def explain(self) -> str:
        """Return what was answered, and why it is not obeyed."""
        return (
            f"{super().explain()}. The tap follows no redirect, for its tokens go to the hosts of "
            "the settings rest_url and openapi_url only: is there something in between?"
        )


class GatewayError(ApiError):
    """401, 403 or 404 in another form than that of e-conomic's errors.

    Cloudflare and Envoy stand in front of e-conomic, and proxies and firewalls may stand before
    them. What they refuse says nothing of tokens, roles or rows.
    """

    def explain(self) -> str:
        """Return who has probably answered, in which words, and where to look."""
        return (
            f"{self.status} {_reason(self.status)} came as the answer to GET {self.path}, but not "
            "in the form of e-conomic's errors: a firewall or proxy in between seems to have "
            f"answered{_quoted(self.gist, 'It')}. Check what is in between, and the settings "
            "rest_url, openapi_url and openapi_versions"
        )


class TooManyRequestsError(ApiError):
    """429: the agreement's call budget is used up for now."""


class RateLimitError(EconomicError):
    """429, and the agreement's call budget would not be back in time: it is not waited for.

    Args:
        refusal: what e-conomic answered.
    """

    def __init__(self, refusal: TooManyRequestsError) -> None:
        super().__init__(
            f"{refusal}. The company's call budget, which all its integrations share, is used up, "
            "and it would take longer than max_wait_minutes until it is back: run again later"
        )


class ServerError(ApiError):
    """5xx: e-conomic failed, usually for a moment."""


class UnavailableError(ServerError):
    """502, 503 or 504: e-conomic is not there, which can take minutes."""


class Stopped(BaseException):
    """The run was asked to stop (SIGINT or SIGTERM). Not an error: no handler may swallow it."""


class TargetGone(BaseException):
    """Nothing more can be written: the target closed the pipe, or a disk is full. Ends the run."""


class _Complaint(msgspec.Struct):
    """The fields of both APIs' error bodies that help a user.

    REST: `message, developerHint, errors, logId, errorCode`.
    OpenAPI: problem+json `title, detail, errors, traceId, errorCode` (docs/economic-api.md#errors).
    """

    message: str | None = None
    developerHint: str | None = None  # noqa: N815
    title: str | None = None
    detail: str | None = None
    errors: Any = None
    errorCode: str | None = None  # noqa: N815
    logId: str | None = None  # noqa: N815
    traceId: str | None = None  # noqa: N815
    httpStatusCode: Any = None  # noqa: N815

    @property
    def own(self) -> bool:
        """Whether it has one of the fields by which e-conomic's errors differ from a gateway's.

        Gateways answer with JSON too: `message` and `code` (Envoy), or problem+json (Cloudflare).
        """
        return any((self.errorCode, self.logId, self.traceId, self.httpStatusCode))


_OWN_WORDS_ONLY = (GrantRefusedError, AccessDeniedError, NotFoundError)
"""What only e-conomic can say: of the tokens, of what a grant may read, of what there is."""

_BY_STATUS: dict[int, type[ApiError]] = {
    HTTPStatus.BAD_REQUEST: QueryRefusedError,
    HTTPStatus.UNAUTHORIZED: GrantRefusedError,
    HTTPStatus.FORBIDDEN: AccessDeniedError,
    HTTPStatus.NOT_FOUND: NotFoundError,
    HTTPStatus.GONE: RetiredVersionError,
    HTTPStatus.TOO_MANY_REQUESTS: TooManyRequestsError,
    HTTPStatus.BAD_GATEWAY: UnavailableError,
    HTTPStatus.SERVICE_UNAVAILABLE: UnavailableError,
    HTTPStatus.GATEWAY_TIMEOUT: UnavailableError,
}


def error_of(response: requests.Response) -> ApiError:
    """Return the error that an answer with any status but 200 stands for."""
    status = response.status_code
    kind = _BY_STATUS.get(status, _by_class(status))
    complaint = _complaint(response.content)
    code = complaint.errorCode or ""
    own = complaint.own or _is_about_access(code, complaint.errors)
    if kind in _OWN_WORDS_ONLY and not own:
        kind = GatewayError
    elif kind in (QueryRefusedError, ApiError) and _is_about_access(code, complaint.errors):
        kind = AccessDeniedError
    elif kind is QueryRefusedError and _VERSION.search(f"{code} {complaint.title}"):
        kind = RetiredVersionError
    request = response.request
    said = quoted(_said(complaint), request, _LONGEST_QUOTE)
    return kind(
        status,
        request.path_url,
        said=said or quoted(_first_words(response), request),
        own=own,
        log_id=quoted(_log_id(complaint, response), request) or None,
        code=quoted(code, request) or None,
        retry_after=response.headers.get("Retry-After"),
        date=response.headers.get("Date"),
    )


_ACCESS = re.compile(r"AccessDenied|\w*IncorrectModule$")
"""Codes that say a role or module is missing, whatever the status they come with."""

_VERSION = re.compile(r"api ?version", re.IGNORECASE)
"""What web servers of e-conomic's kind call a version that they do not serve; e-conomic's own
answer is not documented (docs/economic-api.md#openapi-versions)."""


def _by_class(status: int) -> type[ApiError]:
    return {3: RedirectError, 4: ApiError, 5: ServerError}.get(status // 100, UnexpectedStatusError)


def _complaint(body: bytes) -> _Complaint:
    try:
        return msgspec.json.decode(body, type=_Complaint, strict=False)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _Complaint()  # a gateway's text or page, or nothing at all


def quoted(text: str, request: requests.PreparedRequest, most: int = _LONGEST_NAME) -> str:
    """Return words of an answer, without the tokens of its request should it repeat them.

    They are taken out before the text is cut: half a token is too much as well.
    """
    for name in TOKEN_HEADERS:
        token = request.headers.get(name)
        if token and token != "demo":  # noqa: S105  # the public demo company's is no secret
            for written in (token, quote(token, safe=""), b64encode(token.encode()).decode()):
                text = text.replace(written, "(a token)")
    return shown(text, most)


def _said(complaint: _Complaint) -> str:
    words = [complaint.message or complaint.title, complaint.developerHint or complaint.detail]
    words += [text for text in map(_text_of, _listed(complaint.errors)) if text not in words]
    return " ".join(" ".join(filter(None, words)).split())


def _first_words(response: requests.Response) -> str:
    """Return a text or web page, whose first words tell who answered; of nothing else any."""
    if not response.headers.get("Content-Type", "").lower().startswith("text/"):
        return ""
    text = response.content.decode("utf-8", "replace")
    return " ".join(re.sub(r"<[^<>]*>", " ", text).split())


def _is_about_access(code: str, errors: object) -> bool:
    inner = [item.get("errorCode") for item in _listed(errors) if isinstance(item, dict)]
    return any(isinstance(one, str) and _ACCESS.match(one) for one in (code, *inner))


def _log_id(complaint: _Complaint, response: requests.Response) -> str:
    """Return the id of a body, else that of the header (docs/economic-api.md#errors)."""
    return complaint.logId or complaint.traceId or response.headers.get("X-RequestId", "")


def _listed(errors: object) -> list[object]:
    return errors if isinstance(errors, list) else []


def _text_of(item: object) -> str | None:
    if isinstance(item, dict):
        item = item.get("message") or item.get("errorCode") or item.get("code")
    return item if isinstance(item, str) else None


def _quoted(said: str, who: str = "e-conomic") -> str:
    return f'. {who} says: "{said}"' if said else ""


def _reason(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""
