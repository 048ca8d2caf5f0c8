"""One HTTP session for all agreements."""

from __future__ import annotations

from http.cookiejar import DefaultCookiePolicy
from typing import TYPE_CHECKING, Any

import requests
import urllib3.exceptions

from tap_visma_economic.auth import LOOPBACK, origin_of
from tap_visma_economic.connection_errors import explained
from tap_visma_economic.deadline import DeadlineAdapter
from tap_visma_economic.errors import ConfigError, NetworkError
from tap_visma_economic.prefetch import Slots

if TYPE_CHECKING:
    from tap_visma_economic.prefetch import Prefetcher


class _Session(requests.Session):
    def get_redirect_target(self, resp: requests.Response) -> str | None:  # noqa: ARG002
        """Return None: requests parses the address of a redirect even if it must not follow."""
        return None


class Transport:
    """Sends prepared requests.

    Args:
        prefetcher: knows which requests come first.
        requests: maximum requests of all agreements in flight.
        timeout: seconds to wait for a connection, and then for the whole response.
        user_agent: what the tap calls itself.
        ca_bundle: path of a file with certificates to trust instead of the usual ones.

    Attributes:
        slots: one for each request in flight.
    """

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
        adapter = DeadlineAdapter(pool_connections=2, pool_maxsize=requests)
        self.session.mount("https://", adapter)
        self.session.mount("http://", adapter)
        self._open_circuits: set[str] = set()
        self._settings: dict[str, Any] = {}
        self._verify: str | bool = ca_bundle or True

    def prepare(self, *args: Any, **kwargs: Any) -> requests.PreparedRequest:
        """Return a request of this session; the arguments are those of `requests.Request`.

        Raises:
            ConfigError: a URL or header of the settings cannot be sent.
        """
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
            BadAnswerError: it could not be decompressed.
            ConfigError: no request can be sent at all.
        """
        settings = self._settings_for(request)
        try:
            return self.session.send(
                request, timeout=self.timeout, allow_redirects=False, **settings
            )
        except requests.RequestException as error:
            raise explained(
                error, host=_host(request), path=request.path_url, timeout=self.timeout
            ) from None
        except urllib3.exceptions.LocationParseError:
            raise ConfigError(f"{_host(request)} is not a valid host name") from None
        except urllib3.exceptions.HTTPError as error:  # what requests passes on as it is
            name = type(error).__name__
            raise NetworkError(f"GET {request.path_url} failed ({name})") from None
        except (OSError, ValueError) as error:
            # requests names a missing CA bundle so, be it of the settings or REQUESTS_CA_BUNDLE.
            # The words of a ValueError could quote a header, or the password of a proxy.
            unfit = f"check the proxy settings in the environment ({type(error).__name__})"
            why = error if isinstance(error, OSError) else unfit
            raise ConfigError(f"no request can be sent: {why}") from None

    def _settings_for(self, request: requests.PreparedRequest) -> Any:
        """Return what the environment sets for a host, looked up once."""
        host = _host(request)
        if host not in self._settings:
            settings = self.session.merge_environment_settings(
                request.url or "", {}, stream=False, verify=self._verify, cert=None
            )
            if origin_of(request.url or "")[1] in LOOPBACK:
                settings["proxies"] = {}  # a local address is local: no proxy sees its tokens
            self._settings[host] = settings
        return self._settings[host]

    # Circuit breaker: a host that was unreachable despite all retries gets one try per request, or
    # each stream would wait anew, and a run take minutes to say the same thing.

    def open_circuit(self, request: requests.PreparedRequest) -> None:
        """Note that a host is unreachable."""
        self._open_circuits.add(_host(request))

    def circuit_is_open(self, request: requests.PreparedRequest) -> bool:
        """Return whether a request's host was unreachable the last time."""
        return _host(request) in self._open_circuits

    def close_circuit(self, request: requests.PreparedRequest) -> None:
        """Note that a host has responded."""
        self._open_circuits.discard(_host(request))


def _host(request: requests.PreparedRequest) -> str:
    return (request.url or "").split("://", 1)[-1].split("/", 1)[0]
