"""One agreement's HTTP client: its tokens, its rate limit, and what happens to each request.

A 429 takes three steps. `_send` pauses all requests of the agreement (`RateLimit.hold`). `retry`
repeats this one after the same wait. Once 429s would last longer than `max_wait`, `_attempt` raises
`RateLimitError`, which is not retried.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from http import HTTPStatus
from typing import TypeVar

import requests

from tap_visma_economic.auth import EconomicAuthenticator
from tap_visma_economic.errors import (
    GatewayError,
    GrantRefusedError,
    NetworkError,
    RateLimitError,
    TooManyRequestsError,
    UnavailableError,
)
from tap_visma_economic.prefetch import Slots
from tap_visma_economic.rate_limit import RateLimit
from tap_visma_economic.retry import retry, retry_after
from tap_visma_economic.session import Transport, host_of

T = TypeVar("T")

logger = logging.getLogger("tap-visma-economic")

MANY_CALLS = 40_000
"""Calls of one run after which the log warns, once: e-conomic's fair-use limit is 50,000 in a day
per agreement, whatever they cost in tokens (docs/economic-api.md#rate-limits)."""

_WORTH_A_LINE = 5.0
"""Seconds of waiting for the rate limit after which the log reports it, once."""


class HttpClient:
    """Sends one agreement's requests, no faster than its rate limit allows.

    Args:
        transport: the HTTP session, which all agreements share.
        requests: maximum requests in flight.
        max_wait: maximum seconds for which failures may delay a request, or 429s all requests.

    Attributes:
        waited: seconds spent waiting for the rate limit or after a 429; simultaneous waits count
            once.
        whose: the agreement's name for the log, once `/self` has returned it.
    """

    def __init__(
        self,
        transport: Transport,
        authenticator: EconomicAuthenticator,
        rate_limit: RateLimit,
        *,
        requests: int,
        max_wait: float,
    ) -> None:
        self.authenticator = authenticator
        self.rate_limit = rate_limit
        self.waited = 0.0
        self.whose = "a company"
        self._transport = transport
        self._stop = transport.prefetcher.stop
        self._slots = Slots(transport.prefetcher, requests)
        self._max_wait = max_wait
        self._rejected: GrantRefusedError | None = None
        self._exhausted = False
        self._limited_since: float | None = None
        self._lock = threading.Lock()
        self._turn = threading.Lock()
        self._waits_until = 0.0
        self._spread = 0.0
        self._warned = False

    def send(
        self,
        request: requests.PreparedRequest,
        read: Callable[[requests.Response], T],
        *,
        what: str,
    ) -> T:
        """Send a request, with retries, and return what `read` makes of its response.

        A write without an `Idempotency-Key` gets one try: it may have been done although its
        response was lost (docs/economic-api.md#writes).

        Raises:
            EconomicError: the last error, if retries did not or would not help.
            Stopped: the run is stopping.
        """
        circuits, host = self._transport.open_circuits, host_of(request)
        safe = request.method == "GET" or "Idempotency-Key" in request.headers
        patient = safe and host not in circuits  # else one try must do
        try:
            result = retry(
                lambda: self._attempt(request, read),
                stop=self._stop,
                max_wait=self._max_wait if patient else 0,
                what=f"{what} ({request.method} {request.path_url})",
            )
        except (GatewayError, NetworkError, UnavailableError):
            circuits.add(host)
            raise
        circuits.discard(host)
        return result

    def _attempt(
        self, request: requests.PreparedRequest, read: Callable[[requests.Response], T]
    ) -> T:
        with self._slots.one():
            with self._turn:  # one at a time, so that all share one wait
                self._wait_for_rate_limit()
            response = self._send(request)
        try:
            return read(response)
        except GrantRefusedError as error:  # 401: every request of the agreement would fail
            self._rejected = error
            raise
        except TooManyRequestsError as error:  # 429: `retry` waits, unless for too long
            if self._exhausted:
                raise RateLimitError(error) from None
            raise

    def _wait_for_rate_limit(self) -> None:
        while True:
            if self._rejected is not None:
                raise self._rejected
            wait = self.rate_limit.take()
            if not wait:
                return
            before = self._spread
            self._spread += self._add_wait(wait)
            if before < _WORTH_A_LINE <= self._spread:
                logger.info("Slowing down to leave part of the rate limit to other integrations")
            self._stop.sleep(wait)

    def _send(self, request: requests.PreparedRequest) -> requests.Response:
        headers = None
        try:
            with self._transport.slots.one():
                response = self._transport.send(request)
            headers = response.headers
        finally:
            self.rate_limit.record_response(headers)
        if response.status_code == HTTPStatus.TOO_MANY_REQUESTS:
            self._hold_back(retry_after(headers.get("Retry-After"), headers.get("Date")))
        else:
            self._limited_since, self._exhausted = None, False
        self._warn_of_many_calls()
        return response

    def _hold_back(self, wait: float) -> None:
        """Pause all requests of the agreement after a 429, but not beyond `max_wait`."""
        now = time.monotonic()
        since = self._limited_since = now if self._limited_since is None else self._limited_since
        self._exhausted = now + wait > since + self._max_wait
        if not self._exhausted:
            self._add_wait(wait)  # first, or a request would count it as pacing
            self.rate_limit.hold(wait)

    def _add_wait(self, seconds: float) -> float:
        """Record a wait that starts now; return the part that no other wait covers."""
        with self._lock:
            now = time.monotonic()
            until = max(now + seconds, self._waits_until)
            new = until - max(now, self._waits_until)
            self._waits_until = until
            self.waited += new
            return new

    def _warn_of_many_calls(self) -> None:
        with self._lock:
            if self._warned or self.rate_limit.calls <= MANY_CALLS:
                return
            self._warned = True
        logger.warning(
            "%s: this run has made more than %s calls for this company and continues. e-conomic's "
            "fair-use limit is 50,000 calls a day per company, across all its integrations. Select "
            "fewer streams or run less often. The usage table at the end of the run shows which "
            "streams make the most calls",
            self.whose,
            f"{MANY_CALLS:,}",
        )
