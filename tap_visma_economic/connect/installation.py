"""Installation URLs and what comes back from them. Text in, text out: no network.

e-conomic documents the installation URL, its parameter `locale`, and that an app may be given a
URL to which the token is passed (https://www.e-conomic.com/developer/connect). The names
`appPublicToken`, `redirectUrl` and `token` are those that published integrations use.
"""

from __future__ import annotations

from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from tap_visma_economic.agreements_file import is_token
from tap_visma_economic.auth import LOOPBACK
from tap_visma_economic.errors import ConfigError, EconomicError

REQUEST_ACCESS = "https://secure.e-conomic.com/secure/api1/requestaccess.aspx"


class NotGrantedError(EconomicError):
    """The browser returned without a token: the app was not added."""

    exit_code = 3


def installation_url(app: str, redirect_url: str | None = None) -> str:
    """Return the URL at which somebody of a company adds the app.

    Args:
        app: the app's public token, or the installation URL that e-conomic shows for the app.
        redirect_url: where the browser is sent with the token; None lets e-conomic show it.
    """
    page, given = _page_of(app.strip())
    query = [(name, value) for name, value in given if name.lower() != "redirecturl"]
    query += [("redirectUrl", redirect_url)] if redirect_url else []
    return f"{page}?{urlencode(query)}"


def has_token(app: str, token: str) -> bool:
    """Return whether an app's public token, or its installation URL, has this token in it."""
    return any(value == token for _, value in _page_of(app.strip())[1])


def _page_of(app: str) -> tuple[str, list[tuple[str, str]]]:
    if is_token(app):
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
            f"Not an app's public token or installation URL ({REQUEST_ACCESS}?appPublicToken=...)"
        )
    return urlunsplit((parts.scheme, parts.netloc, parts.path, "", "")), query


def grant_in_query(query: str) -> str:
    """Return the grant token in the query of the URL that e-conomic sent the browser to."""
    tokens = [value for name, value in parse_qsl(query) if name.lower() == "token"]
    if not tokens:
        raise NotGrantedError(
            "Access was not granted: the browser returned without a token. Run the command again "
            "and add the app"
        )
    if len(tokens) > 1 or not is_token(tokens[0]):
        raise ConfigError("e-conomic returned something that is not a token")
    return tokens[0]


def grant_in_paste(pasted: str) -> str:
    """Return the grant token in what a user pasted: the token, or the URL with it."""
    text = pasted.strip().strip("\"'")
    if "://" in text:
        return grant_in_query(text.partition("#")[0].partition("?")[2])
    if not is_token(text):
        raise ConfigError("Not a token or a URL with ?token=...")
    return text
