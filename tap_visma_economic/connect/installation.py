"""Installation URLs and what comes back from them. Text in, text out: no network.

e-conomic documents the installation URL, its parameter `locale`, and that an app may be given an
address to which the token is passed (https://www.e-conomic.com/developer/connect). The names
`appPublicToken`, `redirectUrl` and `token` are those that published integrations use.
"""

from __future__ import annotations

import re
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from tap_visma_economic.auth import LOOPBACK
from tap_visma_economic.connect.ends import NotGrantedError
from tap_visma_economic.errors import ConfigError

REQUEST_ACCESS = "https://secure.e-conomic.com/secure/api1/requestaccess.aspx"

LOCALES = ("en-US", "da-DK", "nb-NO", "sv-SE")
"""Languages of e-conomic's page, as its documentation lists them."""

_TOKEN = re.compile(r"[A-Za-z0-9_.~+/=-]{3,200}", re.ASCII)
"""A token: those known are 44 letters, digits, `-` and `_`; `demo` is one too."""

_NOT_ADDED = (
    "Access was not given: the browser came back from e-conomic without a token. "
    "Run the command again and choose to add the app"
)


def installation_url(app: str, *, locale: str, redirect_url: str | None) -> str:
    """Return the URL at which somebody of a company adds the app.

    Args:
        app: the app's public token, or the installation URL that e-conomic shows for the app.
        locale: one of `LOCALES`.
        redirect_url: where the browser is sent with the token; None lets e-conomic show it.

    Raises:
        ConfigError: `app` is neither of the two.
    """
    page, given = _page_of(app.strip())
    wanted = {"locale": locale, **({"redirectUrl": redirect_url} if redirect_url else {})}
    taken = {name.lower() for name in ("locale", "redirectUrl")}
    query = [(name, value) for name, value in given if name.lower() not in taken]
    return f"{page}?{urlencode([*query, *wanted.items()])}"


def has_token(app: str, token: str) -> bool:
    """Return whether an app's public token, or its installation URL, has this token in it."""
    return any(value == token for _, value in _page_of(app.strip())[1])


def _page_of(app: str) -> tuple[str, list[tuple[str, str]]]:
    if _TOKEN.fullmatch(app):
        return REQUEST_ACCESS, [("appPublicToken", app)]
    try:
        parts = urlsplit(app)
        host = parts.hostname
    except ValueError:
        host = None
    safe = host and (parts.scheme == "https" or (parts.scheme == "http" and host in LOOPBACK))
    query = parse_qsl(parts.query) if safe else []
    if not any(name.lower() == "apppublictoken" for name, _ in query):
        raise ConfigError(
            "That is neither an app's public token nor its installation URL "
            f"({REQUEST_ACCESS}?appPublicToken=...)"
        )
    return urlunsplit((parts.scheme, parts.netloc, parts.path, "", "")), query


def grant_in_query(query: str) -> str:
    """Return the grant token in the query of the address that e-conomic sent the browser to.

    Raises:
        NotGrantedError: there is none.
        ConfigError: what is there is no token.
    """
    tokens = [value for name, value in parse_qsl(query) if name.lower() == "token"]
    if not tokens:
        raise NotGrantedError(_NOT_ADDED)
    if len(tokens) > 1 or not _TOKEN.fullmatch(tokens[0]):
        raise ConfigError("What came back from e-conomic is not a token")
    return tokens[0]


def grant_in_paste(pasted: str) -> str:
    """Return the grant token in what a user pasted: the token, or the address with it.

    Raises:
        NotGrantedError: an address without a token.
        ConfigError: neither.
    """
    text = pasted.strip().strip("\"'")
    if "://" in text:
        return grant_in_query(text.partition("#")[0].partition("?")[2])
    if not _TOKEN.fullmatch(text):
        raise ConfigError("That is neither a token nor an address with ?token=... in it")
    return text


def is_token(text: str) -> bool:
    """Return whether a text can be a token, such as an app's secret."""
    return bool(_TOKEN.fullmatch(text))
