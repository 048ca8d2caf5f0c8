"""Tokens: bound to one agreement's requests, and sent to e-conomic's origins only."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import urlsplit

import requests
from requests.auth import AuthBase

from tap_visma_economic.errors import TOKEN_HEADERS, ConfigError

Origin = tuple[str, str, int]
"""Scheme, host, port."""

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
"""Hosts of this machine."""

_PORTS = {"http": 80, "https": 443}


def origin_of(url: str) -> Origin:
    """Return scheme, host and port of a URL, the default port filled in."""
    parts = urlsplit(url)
    scheme = parts.scheme.lower()
    return scheme, (parts.hostname or "").lower(), parts.port or _PORTS.get(scheme, 0)


class EconomicAuthenticator(AuthBase):
    """The right to read one agreement: an app's secret and that agreement's grant.

    A request carries the tokens of the grant it was prepared with, in the headers
    `X-AppSecretToken` and `X-AgreementGrantToken` (docs/economic-api.md#authentication). There is
    no "current agreement" that concurrent requests could mix up.

    Args:
        app_secret: the app's secret token.
        grant: the agreement's grant token.
        origins: the only places the tokens may go.
    """

    __slots__ = ("_app_secret", "_grant", "_origins")

    def __init__(self, app_secret: str, grant: str, origins: Iterable[Origin]) -> None:
        self._app_secret = app_secret
        self._grant = grant
        self._origins = frozenset(origins)

    def __call__(self, r: requests.PreparedRequest) -> requests.PreparedRequest:
        """Put the tokens on a request, which `requests` is preparing: see `EconomicStream.ask`.

        Raises:
            ConfigError: the request goes somewhere else than e-conomic.
        """
        scheme, host, port = origin_of(r.url or "")
        if (scheme, host, port) not in self._origins:
            raise ConfigError(f"Tokens are not sent to {scheme}://{host}:{port}")
        r.headers.update(zip(TOKEN_HEADERS, (self._app_secret, self._grant), strict=True))
        return r

    def __repr__(self) -> str:
        return "EconomicAuthenticator(<tokens>)"
