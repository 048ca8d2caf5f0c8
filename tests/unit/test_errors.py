"""Errors: an error response becomes one line that a user can act on."""

from __future__ import annotations

from base64 import b64encode
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_visma_economic.errors import (
    TOKEN_HEADERS,
    AccessDeniedError,
    ApiError,
    EconomicError,
    GatewayError,
    GrantRefusedError,
    NotFoundError,
    QueryRefusedError,
    RedirectError,
    RetiredVersionError,
    ServerError,
    TooManyRequestsError,
    UnavailableError,
    error_of,
)
from tests.unit.answers import answer

HTML = b"<!DOCTYPE html><html><head><title>Just a moment...</title></head></html>"
REST_404 = {
    "message": "Nothing here.",
    "developerHint": "Look at the collection.",
    "logId": "8d79-CPH",
    "httpStatusCode": 404,
    "logTime": "2024-10-24T14:26:57",
}
OPENAPI_403 = {
    "type": "https://tools.ietf.org/html/rfc9110#section-15.5.4",
    "title": "Missing modules: Project",
    "status": 403,
    "detail": "",
    "errors": [],
    "traceId": "0000-CPH",
    "errorCode": "AccessDeniedAgreementMissingModules",
}


def said(body: Any, status: int = 400) -> str:
    """e-conomic's own words in the error of an answer."""
    return error_of(answer(body, status)).said


# --- which error ---


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (302, RedirectError),
        (400, QueryRefusedError),
        (401, GrantRefusedError),
        (403, AccessDeniedError),
        (404, NotFoundError),
        (405, ApiError),
        (410, RetiredVersionError),
        (429, TooManyRequestsError),
        (500, ServerError),
        (503, UnavailableError),
        (521, ServerError),
    ],
)
def test_the_status_decides_the_error(status: int, kind: type[ApiError]) -> None:
    error = error_of(answer(REST_404, status))
    assert type(error) is kind
    assert error.status == status
    assert isinstance(error, EconomicError)


@pytest.mark.parametrize("status", [400, 409, 422])
@pytest.mark.parametrize(
    "body",
    [
        OPENAPI_403,
        {"title": "Bad request.", "errors": [{"errorCode": "DimensionIncorrectModule"}]},
        {"title": "Bad request.", "errorCode": "DimensionIncorrectModule"},
    ],
)
def test_an_error_code_can_mean_a_missing_module_whatever_the_status(
    body: Any, status: int
) -> None:
    """The dimensions' status for it is not known (docs/economic-api.md#roles-and-modules)."""
    error = error_of(answer(body, status))
    assert type(error) is AccessDeniedError
    assert str(error).startswith(f"access denied ({status}): ")


@pytest.mark.parametrize("status", [401, 403, 404])
@pytest.mark.parametrize("body", [HTML, b"", {}, {"message": "Forbidden"}, {"title": "Forbidden"}])
def test_401_403_and_404_count_only_in_the_format_of_e_conomic(status: int, body: Any) -> None:
    assert type(error_of(answer(body, status))) is GatewayError


@pytest.mark.parametrize(
    "errors", [["AccessDenied"], [{"errorCode": 5}], [{"errorCode": "BadFilterRequest"}], "x", None]
)
def test_another_error_code_does_not_mean_a_missing_module(errors: Any) -> None:
    assert type(error_of(answer({"errors": errors}, 400))) is QueryRefusedError


@pytest.mark.parametrize(
    "body", [{"errorCode": "UnsupportedApiVersion"}, {"title": "Unsupported API version"}]
)
def test_a_400_about_the_version_names_the_setting(body: Any) -> None:
    error = error_of(answer(body, 400))
    assert type(error) is RetiredVersionError
    assert "openapi_versions" in str(error)


# --- both APIs' words ---


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (REST_404, "Nothing here. Look at the collection. (log ID 8d79-CPH)"),
        ({**OPENAPI_403, "detail": "Ask."}, "Missing modules: Project Ask. (log ID 0000-CPH)"),
    ],
)
def test_an_error_quotes_message_hint_and_log_id(body: Any, words: str) -> None:
    assert said(body) == words


@pytest.mark.parametrize(
    ("errors", "words"),
    [
        (["Not that one.", "Nor that."], "Failed. Not that one. Nor that."),
        (["Failed."], "Failed."),
        ([{"message": "Not that one.", "errorCode": "E1"}], "Failed. Not that one."),
        ([{"errorCode": "E1", "property": "x"}], "Failed. E1"),
        ([{"code": "E2", "property": "x"}], "Failed. E2"),
        ([{"property": "x"}, 17, None, ["x"]], "Failed."),
        ({"lines": {"items": []}}, "Failed."),
        ("text", "Failed."),
        (None, "Failed."),
    ],
)
def test_listed_errors_are_quoted(errors: Any, words: str) -> None:
    assert said({"message": "Failed.", "errors": errors}) == words


def test_the_log_id_is_taken_from_the_header_if_the_body_has_none() -> None:
    """Bodies of 403, 429 and 500 of the REST API are not known; the header is on every answer."""
    error = error_of(answer(HTML, 500, {"X-RequestId": "a2a2-CPH"}))
    assert error.said == " (log ID a2a2-CPH)"


# --- bodies that are something else ---


@pytest.mark.parametrize(
    "body",
    [
        HTML,
        b"",
        b"null",
        b"[]",
        b'"secret"',
        b'{"message": "cut o',
        b'{"message": {"secret": 1}}',
        b'{"other": "secret"}',
        b"\xff\xfe",
        b'{"message": "\xff"}',
        b"[" * 100_000,
    ],
)
def test_a_body_in_another_format_is_reported_by_its_status(body: bytes) -> None:
    error = error_of(answer(body, 500))
    assert str(error) == (
        "e-conomic returned 500 Internal Server Error for GET /customers?pagesize=1000"
    )


@given(st.binary(max_size=60), st.integers(300, 599))
def test_any_body_becomes_an_error(body: bytes, status: int) -> None:
    assert error_of(answer(body, status)).status == status


def test_no_other_field_of_a_body_is_quoted() -> None:
    body = {**REST_404, "inputValue": "secret", "allowedFilteringFields": ["secret"]}
    error = error_of(answer(body, 404))
    assert "secret" not in f"{error} {vars(error)}"


# --- one line that is not too long ---


def test_a_log_id_follows_a_message_that_is_cut() -> None:
    words = said({"message": "x" * 10_000, "logId": "8d79-CPH"})
    assert words == "x" * 300 + "... (log ID 8d79-CPH)"


# --- tokens that e-conomic repeats ---

SECRET = "canary-app+/=Zq81xW"  # its form differs in an address and in base64
REPEATED = [SECRET, quote(SECRET, safe=""), b64encode(SECRET.encode()).decode()]


@pytest.mark.parametrize("written", REPEATED)
@pytest.mark.parametrize(
    "name", ["message", "developerHint", "title", "detail", "logId", "traceId"]
)
@pytest.mark.parametrize("before", [0, 85, 95, 99, 285, 295, 299])
def test_no_part_of_a_repeated_token_is_told(name: str, written: str, before: int) -> None:
    response = answer({name: "x" * before + written}, 400)
    response.request.headers[TOKEN_HEADERS[0]] = SECRET
    error = error_of(response)
    told = f"{error} {error.said} {error.gist} {error.code}"
    assert not any(written[:length] in told for length in (6, 10, len(written)))


def test_a_token_repeated_as_error_code_is_masked() -> None:
    response = answer({"errorCode": f"Bad{SECRET}"}, 400)
    response.request.headers[TOKEN_HEADERS[1]] = SECRET
    assert error_of(response).code == "Bad(a token)"
