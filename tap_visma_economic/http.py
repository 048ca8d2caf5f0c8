"""Lanes: one agreement's way to e-conomic, with its grant, its call budget and its own traffic."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from concurrent.futures import Future
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, TypeVar

from tap_visma_economic.retry import retry_after
from tap_visma_economic.workers import Workers

if TYPE_CHECKING:
    from collections.abc import Callable

    import requests

    from tap_visma_economic.auth import EconomicAuthenticator
    from tap_visma_economic.errors import EconomicError
    from tap_visma_economic.rate_limit import RateLimit
    from tap_visma_economic.session import Transport

T = TypeVar("T")

logger = logging.getLogger("tap-visma-economic")

MANY_CALLS = 40_000
"""Calls of one run after which the log warns, once: e-conomic's fair use is 50,000 in 24 hours for
an agreement, whatever they cost in tokens (docs/economic-api.md#rate-limits)."""

_WORTH_TELLING = 5.0
"""Seconds by which calls are spread out after which the log says so, once."""


class HttpClient(Workers):
    """Sends one agreement's requests: so many at a time, and no faster than its budget allows.

    Whoever has to wait for the budget waits in the lane, so that all workers of an agreement share
    one wait.

    Args:
        transport: the way out, shared by all agreements.
        authenticator: the tokens its requests are sent with.
        rate_limit: the agreement's call budget.
        most: requests in flight at the same time.
        max_wait: seconds that 429s may make all wait, as long as no other answer comes in between.

    Attributes:
        exhausted: whether that time is over: until another answer comes, a 429 holds up nobody.
        waited: seconds for which requests of this lane were held back by the budget or a 429. What
            several waited for at the same time counts once.
        whose: what the log calls the agreement, once `/self` has told.
    """

    def __init__(
        self,
        transport: Transport,
        authenticator: EconomicAuthenticator,
        rate_limit: RateLimit,
        *,
        most: int,
        max_wait: float,
    ) -> None:
        super().__init__(transport.stop)
        self.authenticator = authenticator
        self.rate_limit = rate_limit
        self.exhausted = False
        self.waited = 0.0
        self.whose = "a company"
        self._transport = transport
        self._most = most
        self._max_wait = max_wait
        self._running = 0
        self._closed: EconomicError | None = None
        self._queue: deque[tuple[Future[Any], Callable[[], Any]]] = deque()
        self._lock = threading.Lock()
        self._turn = threading.Lock()
        self._waits_until = 0.0
        self._spread = 0.0
        self._refused_since: float | None = None
        self._warned = False

    # Work

    def submit(self, action: Callable[[], T]) -> Future[T]:
        """Run an action in a thread when it is its turn: first come, first served."""
        future: Future[T] = Future()
        with self._lock:
            self._queue.append((future, action))
            self._start()
        return future

    def _start(self) -> None:
        while self._queue and self._running < self._most:
            self._running += 1
            future, action = self._queue.popleft()
            self._transport.pool.submit(self._work, future, action)

    def _work(self, future: Future[T], action: Callable[[], T]) -> None:
        if future.set_running_or_notify_cancel():
            try:
                future.set_result(action())
            except BaseException as error:  # noqa: BLE001  whoever waits for it gets it
                future.set_exception(error)
        with self._lock:
            self._running -= 1
            self._start()

    # Requests

    def send(self, request: requests.PreparedRequest) -> requests.Response:
        """Send one request once, when the budget lets it.

        Raises:
            EconomicError: no answer, or one that broke off.
            Stopped: the run is to stop.
        """
        with self._turn:  # one after another: the budget is asked in the order of arrival
            self._wait()
        return self._send(request)

    def close(self, error: EconomicError) -> None:
        """Send nothing more: the grant was refused, which all who still ask are told."""
        self._closed = error

    def _send(self, request: requests.PreparedRequest) -> requests.Response:
        headers = None
        try:
            response = self._transport.send(request)
            headers = response.headers
        finally:
            self.rate_limit.answered(headers)
        if response.status_code == HTTPStatus.TOO_MANY_REQUESTS:
            self._refused(retry_after(headers.get("Retry-After"), headers.get("Date")))
        else:
            self._refused_since, self.exhausted = None, False
        self._warn_of_many_calls()
        return response

    def _refused(self, wait: float) -> None:
        now = time.monotonic()
        since = self._refused_since = now if self._refused_since is None else self._refused_since
        self.exhausted = now + wait > since + self._max_wait
        if not self.exhausted:
            self._waits(wait)  # before anybody is held up, who would take it for a wait of the pace
            self.rate_limit.hold(wait)

    # What it takes

    def _wait(self) -> None:
        while True:
            if self._closed is not None:
                raise self._closed
            wait = self.rate_limit.take()
            if not wait:
                return
            before = self._spread
            self._spread += self._waits(wait)
            if before < _WORTH_TELLING <= self._spread:
                logger.info("Calls are spread out, to leave a share of the call budget to others")
            self.stop.sleep(wait)

    def _waits(self, seconds: float) -> float:
        """Note that the lane waits from now on; return what is new of it."""
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
            "%s: this run has made more than %s calls for this company, and goes on. e-conomic's "
            "fair use is 50,000 calls a day for a company, all its integrations together. Select "
            "fewer streams, or read less often: the table at the end of a run tells which streams "
            "take the most calls",
            self.whose,
            f"{MANY_CALLS:,}",
        )
