"""Installation URLs, and the token in what comes back from them."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest

from tap_visma_economic.connect.installation import (
    grant_in_paste,
    grant_in_query,
    installation_url,
)
from tap_visma_economic.errors import ConfigError

PUBLIC = "SN1I9SSkjskcoRLZhGjjuMJxQ9thLkOCTbf3rDYrHfY1"
TOKEN = "LS4emZLGHCD_itL9OvgLbp1CvGCeeh0kE7f_v3-7fdU1"
PAGE = "https://secure.e-conomic.com/secure/api1/requestaccess.aspx"
BACK = "http://127.0.0.1:4000/a?b=c&d"


def query_of(url: str) -> dict[str, list[str]]:
    return parse_qs(urlsplit(url).query, strict_parsing=True)


def test_an_installation_url_keeps_what_it_holds_but_for_the_redirect() -> None:
    shown = f"{PAGE}?AppPublicToken={PUBLIC}&role=superuser&Locale=sv-SE&redirecturl=http%3A%2F%2Fx"
    url = installation_url(f" {shown}\n", BACK)
    assert url.startswith(PAGE)
    assert query_of(url) == {
        "AppPublicToken": [PUBLIC],
        "role": ["superuser"],
        "Locale": ["sv-SE"],
        "redirectUrl": [BACK],
    }


@pytest.mark.parametrize(
    "app",
    [
        "",
        "two words",
        f"http://secure.e-conomic.com/requestaccess.aspx?appPublicToken={PUBLIC}",
        "https://secure.e-conomic.com/secure/api1/requestaccess.aspx",
        f"javascript:alert(1)?appPublicToken={PUBLIC}",
        f"https://[broken/?appPublicToken={PUBLIC}",
    ],
)
def test_what_is_no_app_is_not_opened(app: str) -> None:
    with pytest.raises(ConfigError, match="Not an app"):
        installation_url(app)


@pytest.mark.parametrize(
    "pasted",
    [
        TOKEN,
        f"  {TOKEN}\n",
        f'"{TOKEN}"',
        f"http://127.0.0.1:4000/path?token={TOKEN}",
        f"https://example.com/?page=1&Token={TOKEN}#top",
    ],
)
def test_a_token_or_the_address_with_it_may_be_pasted(pasted: str) -> None:
    assert grant_in_paste(pasted) == TOKEN


@pytest.mark.parametrize("pasted", ["", "two words", "a" * 201, "tøken-with-letters"])
def test_what_is_no_token_is_not_sent_anywhere(pasted: str) -> None:
    with pytest.raises(ConfigError, match="Not a token"):
        grant_in_paste(pasted)


@pytest.mark.parametrize(
    "query",
    [
        f"token={TOKEN}&token=another-token",
        "token=%0d%0aSet-Cookie:x",
        "token=<script>",
        "token=it's",
        f"token={TOKEN}%00",
    ],
)
def test_what_the_browser_brings_must_look_like_a_token(query: str) -> None:
    with pytest.raises(ConfigError, match="not a token") as caught:
        grant_in_query(query)
    assert TOKEN not in str(caught.value)
