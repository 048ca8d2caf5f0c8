"""Retry policies: what is retried, how often, and after how long a wait."""

from __future__ import annotations

import logging
import random
import time
from collections import Counter
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import pendulum

from tap_visma_economic.errors import (
    BadResponseError,
    CertificateError,
    EconomicError,
    GatewayError,
    NetworkError,
    ServerError,
    SlowResponseError,
    TooManyRequestsError,
    UnavailableError,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from tap_visma_economic.signals import StopFlag

T = TypeVar("T")

logger = logging.getLogger("tap-visma-economic")


class RetryPolicy(NamedTuple):
    """How often one kind of error is retried.

    Args:
        tries: maximum requests, the first included.
        first: maximum of the first wait, in seconds; it doubles with each retry.
        longest: maximum of any wait, in seconds.
    """

    tries: int
    first: float = 1.0
    longest: float = 60.0

    def wait(self, failures: int) -> float:
        """Return the seconds to wait after this number of failures, half of them random jitter."""
        longest: float = min(self.first * 2 ** (failures - 1), self.longest)
        return longest / 2 + random.uniform(0, longest / 2)  # noqa: S311


RETRY_POLICIES: dict[type[EconomicError], RetryPolicy] = {
    CertificateError: RetryPolicy(tries=1),  # a retry would not help
    SlowResponseError: RetryPolicy(tries=4),  # each has already taken the request timeout
    NetworkError: RetryPolicy(tries=9, first=0.5),
    UnavailableError: RetryPolicy(tries=8),
    ServerError: RetryPolicy(tries=5),
    GatewayError: RetryPolicy(tries=5),
    BadResponseError: RetryPolicy(tries=5),
}
"""The retry policy of each kind of error; the first match applies."""

MAX_TRIES = max(policy.tries for policy in RETRY_POLICIES.values())
"""Tries of a request, responses with 429 not counted."""

_SHORTEST_WAIT = 1.0
_REFILL = 60.0
"""Seconds in which an exhausted rate limit refills (docs/economic-api.md#rate-limits)."""


def retry(
    action: Callable[[], T],
    *,
    stop: StopFlag,
    max_wait: float,
    what: str,
) -> T:
    """Return what an action returns, with retries where they can help.

    A 429 waits for as long as e-conomic asks, and does not count as a failure. The errors in
    `RETRY_POLICIES` are retried with exponential backoff and jitter, each kind counted separately.

    Args:
        action: one request.
        stop: interrupts every wait when the run is asked to stop.
        max_wait: seconds from the first failure after which the last error is raised; with 0 there
            is one try.
        what: what is requested, for the log.

    Raises:
        EconomicError: the last error, if retries did not help or would not.
    """
    failures: Counter[type[EconomicError]] = Counter()
    until: float | None = None
    while True:
        stop.check()
        try:
            return action()
        except TooManyRequestsError as error:
            wait = retry_after(error.retry_after, error.date)
            last: EconomicError = error
        except EconomicError as error:
            kind = next((kind for kind in RETRY_POLICIES if isinstance(error, kind)), EconomicError)
            policy = RETRY_POLICIES.get(kind, RetryPolicy(tries=1))
            failures[kind] += 1
            if failures[kind] >= policy.tries or failures.total() >= MAX_TRIES:
                raise
            wait = policy.wait(failures[kind])
            if isinstance(error, ServerError) and error.retry_after:
                wait = max(wait, retry_after(error.retry_after, error.date))
            last = error
        now = time.monotonic()
        until = now + float(max_wait) if until is None else until
        if now + wait > until:
            raise last
        logger.warning("Retrying in %.1f s: %s: %s", wait, what, last)
        stop.sleep(wait)


def retry_after(header: str | None, date: str | None = None) -> float:
    """Return the seconds in a `Retry-After` header; the refill time if it has none.

    Supports both forms of RFC 9110 10.2.3: seconds, and an HTTP date.

    Args:
        header: `Retry-After`.
        date: `Date` of the same response. An HTTP date is compared with the server's clock,
            because ours may be wrong.
    """
    text = (header or "").strip()
    if text.isdecimal():
        return max(float(text), _SHORTEST_WAIT)
    at = http_date(text)
    if at is None:
        return _REFILL
    seconds = (at - (http_date(date) or pendulum.now("UTC"))).total_seconds()
    return max(float(seconds), _SHORTEST_WAIT)


def http_date(header: str | None) -> pendulum.DateTime | None:
    """Return the instant in a header such as `Date`, None if it has none."""
    try:
        return pendulum.instance(parsedate_to_datetime(header or ""))
    except (TypeError, ValueError, OverflowError):
        return None
