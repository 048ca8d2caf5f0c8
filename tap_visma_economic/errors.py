"""What can go wrong, in words that say what happened and what to do now.

Everything that a user, a company's administrator or time can fix is an `EconomicError`. Its text is
shown without a traceback, and never contains a token, or more of a response than its error message.
"""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import msgspec

from tap_visma_economic.redact import redacted, without_signatures

if TYPE_CHECKING:
    import requests

TOKEN_HEADERS = ("X-AppSecretToken", "X-AgreementGrantToken")
"""The headers that carry the tokens (docs/economic-api.md#authentication)."""

_LONGEST_QUOTE = 300
"""Maximum length of a quoted error message, in characters."""

_LONGEST_NAME = 100
"""Maximum length of a quoted name or identifier, in characters."""


def shown(text: str, most: int = _LONGEST_NAME) -> str:
    """Return foreign text as one line that is safe to print in a terminal or a log."""
    line = "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)
    return line if len(line) <= most else f"{line[:most]}..."


def counted(count: int, one: str, more: str = "") -> str:
    """Return a number and its noun, such as `1 row` or `2 rows`."""
    return f"{count} {one if count == 1 else more or one + 's'}"


class EconomicError(Exception):
    """Base of all errors that this tap explains to its user."""


class ConfigError(EconomicError):
    """The settings are invalid; nothing has been read or written."""


class NetworkError(EconomicError):
    """e-conomic could not be reached, or its response was cut off."""


class CertificateError(NetworkError):
    """The TLS certificate could not be verified; a retry would not help."""


class SlowResponseError(NetworkError):
    """A response was not complete within the timeout."""


class BadResponseError(EconomicError):
    """A response with status 200 that is not what e-conomic documents, such as an HTML page."""


class IncompleteListingError(BadResponseError):
    """An incomplete listing: e-conomic counts more rows than it returned.

    Args:
        words: the rows read and the rows counted.
        mark: fingerprint of the rows read, to compare with another pass.
    """

    def __init__(self, words: str, mark: int = 0) -> None:
        super().__init__(words)
        self.mark = mark


class UncountedError(EconomicError):
    """e-conomic does not count these rows, although its documents say it does."""


class ApiError(EconomicError):
    """e-conomic returned an error status.

    Args:
        status: HTTP status code.
        path: path and query of the request, without the host.
        method: of the request.
        said: e-conomic's message and hint, or the start of a gateway's text.
        own: whether the response has the format of e-conomic's errors.
        log_id: ID of the entry in e-conomic's log, which its support team asks for.
        code: e-conomic's error code, such as `AccessDeniedAgreementMissingModules`.
        retry_after: raw `Retry-After` header, if any.
        date: raw `Date` header, if any: the time by the server's clock.
    """

    advice = ""
    """What it means and what to do, after e-conomic's message."""

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
        method: str = "GET",
    ) -> None:
        self.status = status
        self.method = method
        self.path = path
        self.gist = said
        self.own = own
        self.said = f"{said} (log ID {log_id})" if log_id else said
        self.code = code
        self.retry_after = retry_after
        self.date = date
        super().__init__(self.explain())

    def explain(self) -> str:
        """Return one line: what happened, where, and the error message."""
        said = _quoted(self.said, "e-conomic's" if self.own else "The")
        return (
            f"e-conomic returned {_with_phrase(self.status)} for {self.method} {self.path}{said}"
            f"{self.advice}"
        )


class GrantRefusedError(ApiError):
    """401: the app secret is wrong, or the grant is wrong or has ended."""

    def explain(self) -> str:
        """Return what a 401 means and what to do."""
        return (
            "e-conomic rejected the tokens (401). Check app_secret_token and agreement_grant_token."
            " The grant may have been revoked, and reportedly ends when the user who gave it is "
            "deleted in e-conomic; if so, have the company add the app "
            f"again{_quoted(self.said)}"
        )


class QueryRefusedError(ApiError):
    """400: this endpoint does not support the filter, sort order or page size."""


class AccessDeniedError(ApiError):
    """403: the app's role does not cover the collection, or a paid module is missing.

    Also another 4xx whose code says so: of a missing dimension module only the code is documented
    (docs/economic-api.md#roles-and-modules).
    """

    def explain(self) -> str:
        """Return what is missing, as far as e-conomic reports it."""
        return self.reason(self.said)

    def reason(self, said: str) -> str:
        """Return what is missing, worded the same for every stream that lacks it."""
        return (
            f"access denied ({self.status}): the app's role does not cover it, or the company "
            f"lacks the module{_quoted(said)}"
        )


class NotFoundError(ApiError):
    """404: nothing at this path, for example because the parent has been deleted since."""


class RetiredVersionError(ApiError):
    """410, 404 on a whole OpenAPI listing, or 400 about the version: it is no longer served."""

    advice = (
        ". This version of the module may have been retired. Remove it from openapi_versions, or "
        "set a version there that e-conomic still serves"
    )


class UnexpectedStatusError(ApiError, BadResponseError):
    """A status that e-conomic does not use, such as 206: part of a page is not a page."""


class RedirectError(ApiError):
    """3xx: a redirect, which is not followed: the tokens must not go to another address."""

    advice = (
        ". The tap does not follow redirects, because it sends tokens only to rest_url and "
        "openapi_url. Check for a proxy in between"
    )


class GatewayError(ApiError):
    """401, 403 or 404 in a format other than that of e-conomic's errors.

    e-conomic is behind Cloudflare and Envoy, and proxies and firewalls may come before them. An
    error from any of these is no evidence about tokens, roles or rows.
    """

    def explain(self) -> str:
        """Return who probably sent the response, its text, and what to check."""
        return (
            f"{self.method} {self.path} returned {_with_phrase(self.status)}, but not in the "
            "format of e-conomic's errors, so it probably comes from a firewall or proxy"
            f"{_quoted(self.gist, 'Its')}. Check the network, and the settings rest_url, "
            "openapi_url and openapi_versions"
        )


class TooManyRequestsError(ApiError):
    """429: the agreement's rate limit is exhausted for now."""


class RateLimitError(EconomicError):
    """429, and the agreement's rate limit will not refill within max_wait_minutes."""

    def __init__(self, error: TooManyRequestsError) -> None:
        super().__init__(
            f"{error}. The company's rate limit, which all its integrations share, is exhausted "
            "for longer than max_wait_minutes. Run again later"
        )


class ServerError(ApiError):
    """5xx: e-conomic failed, usually briefly."""


class UnavailableError(ServerError):
    """502, 503 or 504: e-conomic is unavailable, sometimes for minutes."""


class Stopped(BaseException):
    """The run was asked to stop (SIGINT or SIGTERM). Not an error: no handler may swallow it."""


class TargetGone(BaseException):
    """Nothing more can be written: the target closed the pipe, or a disk is full. Ends the run."""


class _Complaint(msgspec.Struct):
    """The fields of both APIs' error bodies that are useful to a user.

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
        """Whether it has a field that e-conomic's errors have and a gateway's do not.

        Gateways return JSON too: `message` and `code` (Envoy), or problem+json (Cloudflare).
        """
        return any((self.errorCode, self.logId, self.traceId, self.httpStatusCode))


_decoder = msgspec.json.Decoder(_Complaint, strict=False)
"""Made here, because msgspec crashes if two threads make decoders of one Struct at a time."""

_OWN_WORDS_ONLY = (GrantRefusedError, AccessDeniedError, NotFoundError)
"""Errors that only e-conomic itself can report: about tokens, access and missing rows."""

_BY_STATUS: dict[int, type[ApiError]] = {
    400: QueryRefusedError,
    401: GrantRefusedError,
    403: AccessDeniedError,
    404: NotFoundError,
    410: RetiredVersionError,
    429: TooManyRequestsError,
    **dict.fromkeys((502, 503, 504), UnavailableError),
}
_BY_CLASS: dict[int, type[ApiError]] = {3: RedirectError, 4: ApiError, 5: ServerError}
"""By the first digit of the status, where the status itself has no meaning of its own."""

_ACCESS = re.compile(r"AccessDenied|\w*IncorrectModule$")
"""Error codes that mean a missing role or module, whatever the status."""

_VERSION = re.compile(r"api ?version", re.IGNORECASE)
"""How ASP.NET reports a version that is not served. e-conomic's own response is not documented
(docs/economic-api.md#openapi-versions)."""


def error_of(response: requests.Response) -> ApiError:
    """Return the error for a response with a status other than 200."""
    status, request = response.status_code, response.request
    kind = _BY_STATUS.get(status) or _BY_CLASS.get(status // 100, UnexpectedStatusError)
    try:
        complaint = _decoder.decode(response.content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        complaint = _Complaint()  # a gateway's text or web page, or an empty body
    code = complaint.errorCode or ""
    inner: list[Any] = complaint.errors if isinstance(complaint.errors, list) else []
    codes = [code, *(item.get("errorCode") for item in inner if isinstance(item, dict))]
    about_access = any(isinstance(one, str) and _ACCESS.match(one) for one in codes)
    own = complaint.own or about_access
    if kind in _OWN_WORDS_ONLY and not own:
        kind = GatewayError
    elif kind in (QueryRefusedError, ApiError) and about_access:
        kind = AccessDeniedError
    elif kind is QueryRefusedError and _VERSION.search(f"{code} {complaint.title}"):
        kind = RetiredVersionError
    words = [complaint.message or complaint.title, complaint.developerHint or complaint.detail]
    words += [text for text in map(_text_of, inner) if text not in words]
    said = quoted(" ".join(" ".join(filter(None, words)).split()), request, _LONGEST_QUOTE)
    # The log ID is in the body or in a header (docs/economic-api.md#errors).
    log_id = complaint.logId or complaint.traceId or response.headers.get("X-RequestId", "")
    return kind(
        status,
        request.path_url,
        said=said or quoted(_first_words(response), request),
        own=own,
        log_id=quoted(log_id, request) or None,
        code=quoted(code, request) or None,
        retry_after=response.headers.get("Retry-After"),
        date=response.headers.get("Date"),
        method=request.method or "GET",
    )


def quoted(text: str, request: requests.PreparedRequest, most: int = _LONGEST_NAME) -> str:
    """Return text of a response, with any secret of its request that it repeats removed.

    Secrets are removed before the text is cut, because half a token is too much as well.
    """
    text = redacted(text, map(request.headers.get, TOKEN_HEADERS))
    return shown(without_signatures(text), most)


def _first_words(response: requests.Response) -> str:
    """Return the text of a text or web page, whose start shows who sent it; otherwise nothing."""
    if not response.headers.get("Content-Type", "").lower().startswith("text/"):
        return ""
    text = response.content.decode("utf-8", "replace")
    return " ".join(re.sub(r"<[^<>]*>", " ", text).split())


def _text_of(item: object) -> str | None:
    if isinstance(item, dict):
        item = item.get("message") or item.get("errorCode") or item.get("code")
    return item if isinstance(item, str) else None


def _quoted(said: str, whose: str = "e-conomic's") -> str:
    return f'. {whose} message: "{said}"' if said else ""


def _with_phrase(status: int) -> str:
    known = {known.value: known.phrase for known in HTTPStatus}
    return f"{status} {known.get(status, '')}".strip()
