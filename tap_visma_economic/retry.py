"""When to ask again, and how long to wait before it."""

from __future__ import annotations

import logging
import random
import time
from collections import Counter
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import pendulum

from tap_visma_economic.errors import (
    BadAnswerError,
    CertificateError,
    EconomicError,
    GatewayError,
    NetworkError,
    ServerError,
    SlowAnswerError,
    TooManyRequestsError,
    UnavailableError,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from tap_visma_economic.signals import StopFlag

T = TypeVar("T")

logger = logging.getLogger("tap-visma-economic")


class RetryPolicy(NamedTuple):
    """How long a kind of fault is borne with.

    Args:
        tries: requests that may end in it, the last of which is not followed by another.
        first: seconds of the first wait at most; each further one is twice as long.
        longest: seconds that no wait exceeds.
    """

    tries: int
    first: float = 1.0
    longest: float = 60.0

    def wait(self, failures: int) -> float:
        """Return how long to wait after so many failures: half of it by chance."""
        longest: float = min(self.first * 2 ** (failures - 1), self.longest)
        return longest / 2 + random.uniform(0, longest / 2)  # noqa: S311


RETRY_POLICIES: dict[type[EconomicError], RetryPolicy] = {
    CertificateError: RetryPolicy(tries=1),  # it will not change
    SlowAnswerError: RetryPolicy(tries=4),  # each has cost the request timeout already
    NetworkError: RetryPolicy(tries=9, first=0.5),
    UnavailableError: RetryPolicy(tries=8),
    ServerError: RetryPolicy(tries=5),
    GatewayError: RetryPolicy(tries=5),
    BadAnswerError: RetryPolicy(tries=5),
}
"""What is tried again, and how often: of the lines that fit an error the first counts."""

MAX_TRIES = max(patience.tries for patience in RETRY_POLICIES.values())
"""Tries of one request that fails in one way only, the call budget apart."""

_SHORTEST_WAIT = 1.0
_REFILL = 60.0
"""Seconds in which an empty call budget is full again (docs/economic-api.md#rate-limits)."""


def retry(
    action: Callable[[], T],
    *,
    stop: StopFlag,
    max_wait: float,
    what: str,
    max_tries: int = MAX_TRIES,
) -> T:
    """Return what an action returns, trying again where that can help.

    A 429 waits until e-conomic says that the rate limit has room again, and is no failure. What
    `RETRY_POLICIES` names is retried, each kind counted separately, with growing, jittered waits.

    Args:
        action: one request.
        stop: ends every wait when the run is asked to stop.
        max_wait: seconds from the first failure on, after which the last error is raised.
        what: what is asked for, for the log.
        max_tries: upper bound of tries, rate-limited ones not counted.

    Raises:
        EconomicError: the last error, if trying again did not help or cannot.
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
            patience = RETRY_POLICIES.get(kind, RetryPolicy(tries=1))
            failures[kind] += 1
            if failures[kind] >= patience.tries or failures.total() >= max_tries:
                raise
            wait = patience.wait(failures[kind])
            if isinstance(error, ServerError) and error.retry_after:
                wait = max(wait, retry_after(error.retry_after, error.date))
            last = error
        now = time.monotonic()
        until = now + float(max_wait) if until is None else until
        if now + wait > until:
            raise last
        logger.warning("Waiting %.1f s before asking again for %s: %s", wait, what, last)
        stop.sleep(wait)


def retry_after(header: str | None, date: str | None = None) -> float:
    """Return the seconds a `Retry-After` header asks for; the refill time if it says nothing.

    Both forms of RFC 9110 10.2.3 are understood: seconds, and an HTTP date.

    Args:
        header: `Retry-After`.
        date: `Date` of the same answer. A date is told by the server's clock, and so is this: our
            own may be wrong.
    """
    text = (header or "").strip()
    if text.isdecimal():
        return max(float(text), _SHORTEST_WAIT)
    at = _instant(text)
    if at is None:
        return _REFILL
    seconds = (at - (_instant(date or "") or pendulum.now("UTC"))).total_seconds()
    return max(float(seconds), _SHORTEST_WAIT)


def _instant(text: str) -> pendulum.DateTime | None:
    try:
        return pendulum.instance(parsedate_to_datetime(text))
    except (TypeError, ValueError, OverflowError):
        return None
