"""Tokens: on a request to one of the configured origins, and nowhere else."""

from __future__ import annotations

import copy

import pytest
import requests

from tap_visma_economic.auth import EconomicAuthenticator, origin_of
from tap_visma_economic.errors import ConfigError

REST = "https://restapi.e-conomic.com"
OPENAPI = "https://apis.e-conomic.com"


def grant(token: str = "grant-token") -> EconomicAuthenticator:
    return EconomicAuthenticator("app-secret", token, [origin_of(REST), origin_of(OPENAPI)])


def prepared(url: str, auth: EconomicAuthenticator) -> requests.PreparedRequest:
    return requests.Request("GET", url, auth=auth).prepare()


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com/self",
        "http://restapi.e-conomic.com/self",
        "https://restapi.e-conomic.com:8443/self",
        "https://restapi.e-conomic.com.example.com/self",
        "https://restapi.e-conomic.com@example.com/self",
        "https://e-conomic.com/self",
        "https://example.com/https://restapi.e-conomic.com",
    ],
)
def test_no_token_goes_anywhere_else(url: str) -> None:
    with pytest.raises(ConfigError) as raised:
        prepared(url, grant())
    assert "app-secret" not in str(raised.value)
    assert "grant-token" not in str(raised.value)


@pytest.mark.parametrize("shown", [repr, str, "{}".format, "{!r}".format, "%s".__mod__])
def test_a_grant_shows_no_token(shown: object) -> None:
    assert callable(shown)
    text = shown(grant())
    assert text == "EconomicAuthenticator(<tokens>)"


def test_a_grant_keeps_its_tokens_out_of_what_is_printed_of_a_copy() -> None:
    assert "token" not in str(vars(copy.copy(grant())))


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://a.example/x?y", ("https", "a.example", 443)),
        ("http://a.example", ("http", "a.example", 80)),
        ("http://127.0.0.1:8080/", ("http", "127.0.0.1", 8080)),
        ("HTTPS://A.Example:443", ("https", "a.example", 443)),
        ("https://user:pass@a.example", ("https", "a.example", 443)),
        ("http://[::1]:8080/", ("http", "::1", 8080)),
        ("a.example", ("", "", 0)),
        ("ftp://a.example", ("ftp", "a.example", 0)),
    ],
)
def test_an_origin_is_scheme_host_and_port(url: str, origin: tuple[str, str, int]) -> None:
    assert origin_of(url) == origin
