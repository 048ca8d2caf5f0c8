"""What an error of the HTTP library means, in words of this tap.

The library's own words are never passed on: they could quote a request's headers.
"""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

from requests import exceptions as of_requests
from urllib3 import exceptions as of_urllib3

from tap_visma_economic.errors import (
    BadAnswerError,
    CertificateError,
    ConfigError,
    NetworkError,
    SlowAnswerError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_visma_economic.errors import EconomicError

_WITHIN = "within {timeout:g} s (setting request_timeout)"

_WORDS: tuple[tuple[type[BaseException], type[EconomicError], str], ...] = (
    (
        ssl.SSLCertVerificationError,
        CertificateError,
        (
            "the TLS certificate of {host} could not be verified ({why}). If your network puts its "
            "own certificate in between, give its bundle in the setting ca_bundle"
        ),
    ),
    (
        of_requests.ContentDecodingError,
        BadAnswerError,
        "the response to GET {path} could not be decompressed",
    ),
    (
        of_requests.InvalidHeader,
        BadAnswerError,
        "the headers of the response to GET {path} contradict each other",
    ),
    (
        of_requests.InvalidURL,
        ConfigError,
        "the address of {host}, or that of a proxy for it in the environment, cannot be used",
    ),
    (
        of_requests.InvalidSchema,
        ConfigError,
        "a proxy for {host} in the environment has an unsupported scheme",
    ),
    (of_requests.ProxyError, NetworkError, "the proxy refused the connection to {host}"),
    (of_requests.ConnectTimeout, NetworkError, "{host} did not accept a connection " + _WITHIN),
    (
        of_urllib3.ReadTimeoutError,
        SlowAnswerError,
        "{host} did not complete its response to GET {path} " + _WITHIN,
    ),
    (
        of_urllib3.NewConnectionError,
        NetworkError,
        (
            "{host} could not be reached: check the network, its proxy, and the settings rest_url "
            "and openapi_url"
        ),
    ),
    (of_requests.ChunkedEncodingError, NetworkError, "the response to GET {path} was cut off"),
    (ssl.SSLError, NetworkError, "the TLS connection to {host} failed (GET {path})"),
    (of_requests.ConnectionError, NetworkError, "{host} closed the connection (GET {path})"),
)
"""The first line that fits an error or one of its causes tells what happened."""


def explained(
    error: of_requests.RequestException, *, host: str, path: str, timeout: float
) -> EconomicError:
    """Return what happened to a request.

    Args:
        error: what the library raised.
        host: where the request went, with its port.
        path: path and query of the request.
        timeout: seconds it had for the connection, and for the answer.
    """
    causes = list(_causes(error))
    for kind, meaning, words in _WORDS:
        for cause in causes:
            if isinstance(cause, kind):
                why = getattr(cause, "verify_message", "")
                return meaning(words.format(host=host, path=path, timeout=timeout, why=why))
    return NetworkError(f"GET {path} on {host} failed ({type(error).__name__})")


def _causes(error: object) -> Iterator[BaseException]:
    """Yield an error of requests, and what urllib3 and the socket said below it."""
    while isinstance(error, BaseException):
        yield error
        inner = (getattr(error, "reason", None), *error.args)
        error = next((one for one in inner if isinstance(one, BaseException)), None)
