"""One HTTP session for all agreements, and what the errors of its library mean.

A whole response, headers and body together, has one deadline and a limit on its size. The read
timeout of requests applies to each read from the socket, so a server that sends a byte now and then
never exceeds it. Here it starts when the request has been sent, and each read gets the rest of it.
This is done below urllib3's classes, because the headers may arrive byte by byte too.
"""

from __future__ import annotations

import http.client
import io
import socket
import ssl
import time
from collections.abc import Iterator
from http.cookiejar import DefaultCookiePolicy
from typing import Any, cast

import requests
import urllib3.exceptions
from requests.adapters import HTTPAdapter
from requests.exceptions import (
    ChunkedEncodingError,
    ContentDecodingError,
    InvalidHeader,
    InvalidSchema,
    InvalidURL,
    ProxyError,
)
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import NewConnectionError, ReadTimeoutError

from tap_visma_economic.auth import LOOPBACK, origin_of
from tap_visma_economic.errors import (
    BadResponseError,
    CertificateError,
    ConfigError,
    EconomicError,
    NetworkError,
    SlowResponseError,
)
from tap_visma_economic.prefetch import Prefetcher, Slots

LARGEST = 1 << 27
"""Maximum bytes of a decompressed response: a page has a few megabytes, but a few bytes of gzip can
expand to more memory than any machine has."""

_AT_ONCE = 1 << 18
"""Maximum bytes of one read."""


class _Reader(io.RawIOBase):
    """Reads from a socket, all reads together within its timeout."""

    def __init__(self, raw: io.RawIOBase, sock: socket.socket) -> None:
        self._raw = raw
        self._sock = sock
        timeout = sock.gettimeout()
        self._end = None if timeout is None else time.monotonic() + timeout

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        if self._end is not None:
            left = self._end - time.monotonic()
            if left <= 0:
                raise TimeoutError("timed out")
            self._sock.settimeout(left)
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Response(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp: Any = io.BufferedReader(_Reader(self.fp.detach(), sock), _AT_ONCE)


class _HTTPConnection(HTTPConnection):
    response_class = _Response
    debuglevel = 0  # http.client would print headers, tokens included, to stdout


class _HTTPSConnection(HTTPSConnection):
    response_class = _Response
    debuglevel = 0


class _Answer(requests.Response):
    def iter_content(self, *_: Any, **__: Any) -> Iterator[Any]:
        size = 0
        try:
            for part in super().iter_content(_AT_ONCE):
                size += len(part)
                if size > LARGEST:
                    raise self._bad(f"it has more than {LARGEST >> 20} MB")
                yield part
        except ValueError:  # http.client would read that number of bytes
            raise self._bad("a part of it has a length below 0") from None

    def _bad(self, why: str) -> BadResponseError:
        self.close()
        what = named(self.request)
        return BadResponseError(f"the response to {what} is not what e-conomic documents: {why}")


class _DeadlineAdapter(HTTPAdapter):
    """The adapter of requests, with one read timeout and a limit of size for a whole response."""

    def build_response(self, *args: Any, **kwargs: Any) -> requests.Response:
        response = super().build_response(*args, **kwargs)
        response.__class__ = _Answer
        return response

    def get_connection_with_tls_context(self, *args: Any, **kwargs: Any) -> HTTPConnectionPool:
        pool: Any = super().get_connection_with_tls_context(*args, **kwargs)
        secure = isinstance(pool, HTTPSConnectionPool)
        pool.ConnectionCls = _HTTPSConnection if secure else _HTTPConnection
        return cast("HTTPConnectionPool", pool)


class _Session(requests.Session):
    def get_redirect_target(self, resp: requests.Response) -> str | None:  # noqa: ARG002
        """Return None: requests parses a redirect's URL even if it must not follow it."""
        return None


class Transport:
    """Sends prepared requests.

    Args:
        requests: maximum requests of all agreements in flight.
        timeout: seconds to wait for a connection, and then for the whole response.
        user_agent: what the tap calls itself.
        ca_bundle: path of a file with certificates to trust instead of the usual ones.

    Attributes:
        slots: one for each request in flight.
        open_circuits: hosts that were unreachable despite all retries. Each of their requests gets
            one try, or a run would take minutes to say the same thing for each stream.
        writes: whether other requests than GET are sent, which only registration needs.
    """

    writes = False

    def __init__(
        self,
        prefetcher: Prefetcher,
        *,
        requests: int,
        timeout: float,
        user_agent: str,
        ca_bundle: str | None,
    ) -> None:
        self.prefetcher = prefetcher
        self.slots = Slots(prefetcher, requests)
        self.timeout = timeout
        self.session = _Session()
        self.session.headers["User-Agent"] = user_agent
        # Cookies could tie one agreement's requests to another's: none is ever stored.
        self.session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        adapter = _DeadlineAdapter(pool_connections=2, pool_maxsize=requests)
        self.session.mount("https://", adapter)
        self.session.mount("http://", adapter)
        self.open_circuits: set[str] = set()
        self._settings: dict[str, Any] = {}
        self._verify: str | bool = ca_bundle or True

    def prepare(self, *args: Any, **kwargs: Any) -> requests.PreparedRequest:
        """Return a request of this session; the arguments are those of `requests.Request`."""
        try:
            return self.session.prepare_request(requests.Request(*args, **kwargs))
        except (requests.RequestException, UnicodeError) as error:
            name = type(error).__name__
            raise ConfigError(
                f"the settings rest_url, openapi_url or user_agent cannot be sent ({name})"
            ) from None

    def send(self, request: requests.PreparedRequest) -> requests.Response:
        """Send one request once, and read the whole response. Redirects are not followed.

        Raises:
            NetworkError: no response, or one that was cut off or late.
            ConfigError: no request can be sent at all.
        """
        if request.method != "GET" and not self.writes:
            raise RuntimeError(f"{named(request)} would write to e-conomic")
        settings = self._settings_for(request)
        try:
            return self.session.send(
                request, timeout=self.timeout, allow_redirects=False, **settings
            )
        except requests.RequestException as error:
            raise _explained(
                error, host=host_of(request), request=named(request), timeout=self.timeout
            ) from None
        except urllib3.exceptions.LocationParseError:
            raise ConfigError(f"{host_of(request)} is not a valid host name") from None
        except urllib3.exceptions.HTTPError as error:  # what requests passes on as it is
            name = type(error).__name__
            raise NetworkError(f"{named(request)} failed ({name})") from None
        except (OSError, ValueError) as error:
            # An OSError names a missing CA bundle. A ValueError's text could quote a header or the
            # password of a proxy.
            unfit = f"check the proxy settings in the environment ({type(error).__name__})"
            why = error if isinstance(error, OSError) else unfit
            raise ConfigError(f"no request can be sent: {why}") from None

    def _settings_for(self, request: requests.PreparedRequest) -> Any:
        """Return the environment's settings for a host, looked up once."""
        host = host_of(request)
        if host not in self._settings:
            settings = self.session.merge_environment_settings(
                request.url or "", {}, stream=False, verify=self._verify, cert=None
            )
            if origin_of(request.url or "")[1] in LOOPBACK:
                settings["proxies"] = {}  # no proxy sees the tokens for a local address
            self._settings[host] = settings
        return self._settings[host]


def host_of(request: requests.PreparedRequest) -> str:
    """Return the host and port of a request, as its URL has them."""
    return (request.url or "").split("://", 1)[-1].split("/", 1)[0]


def named(request: requests.PreparedRequest) -> str:
    """Return the method and the path of a request, for messages."""
    return f"{request.method} {request.path_url}"


# What went wrong on the way

_WITHIN = "within {timeout:g} s (setting request_timeout)"

_UNVERIFIED = (
    "the TLS certificate of {host} could not be verified ({why}). If your network inspects TLS "
    "with a certificate of its own, name its file in the setting ca_bundle"
)
_UNREACHABLE = (
    "{host} could not be reached: check the network, its proxy, and the settings rest_url and "
    "openapi_url"
)
_SLOW = "{host} did not complete its response to {request} " + _WITHIN
_CONTRADICTORY = "the headers of the response to {request} contradict each other"
_BAD_ADDRESS = "the address of {host}, or of a proxy for it in the environment, is not valid"

_WORDS: tuple[tuple[type[BaseException], type[EconomicError], str], ...] = (
    (ssl.SSLCertVerificationError, CertificateError, _UNVERIFIED),
    (ContentDecodingError, BadResponseError, "the response to {request} could not be decompressed"),
    (InvalidHeader, BadResponseError, _CONTRADICTORY),
    (InvalidURL, ConfigError, _BAD_ADDRESS),
    (InvalidSchema, ConfigError, "a proxy for {host} in the environment has an unsupported scheme"),
    (ProxyError, NetworkError, "the proxy refused the connection to {host}"),
    (requests.ConnectTimeout, NetworkError, "{host} did not accept a connection " + _WITHIN),
    (ReadTimeoutError, SlowResponseError, _SLOW),
    (NewConnectionError, NetworkError, _UNREACHABLE),
    (ChunkedEncodingError, NetworkError, "the response to {request} was cut off"),
    (ssl.SSLError, NetworkError, "the TLS connection to {host} failed ({request})"),
    (requests.ConnectionError, NetworkError, "{host} closed the connection ({request})"),
)
"""The first row that fits an error or one of its causes gives the message. The library's own could
quote a request's headers."""


def _explained(
    error: requests.RequestException, *, host: str, request: str, timeout: float
) -> EconomicError:
    """Return the error for a request that had `timeout` seconds."""
    causes = list(_causes(error))
    for kind, meaning, words in _WORDS:
        for cause in causes:
            if isinstance(cause, kind):
                why = getattr(cause, "verify_message", "")
                return meaning(words.format(host=host, request=request, timeout=timeout, why=why))
    return NetworkError(f"{request} on {host} failed ({type(error).__name__})")


def _causes(error: object) -> Iterator[BaseException]:
    """Yield an error of requests, and the errors of urllib3 and the socket below it."""
    while isinstance(error, BaseException):
        yield error
        inner = (getattr(error, "reason", None), *error.args)
        error = next((one for one in inner if isinstance(one, BaseException)), None)
