"""When to ask again, and how long to wait before it."""

from __future__ import annotations

import logging
import random
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, TypeVar

import pendulum

from tap_visma_economic.errors import (
    BadAnswerError,
    NetworkError,
    ServerError,
    TooManyRequestsError,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from tap_visma_economic.errors import EconomicError
    from tap_visma_economic.stopping import StopFlag

T = TypeVar("T")

logger = logging.getLogger("tap-visma-economic")

MAX_TRIES = 5
"""Tries of one request that fails for another reason than the call budget."""

_FIRST_WAIT = 1.0
_LONGEST_WAIT = 60.0
_REFILL = 60.0
"""Seconds in which an empty call budget is full again: `token-limit-10000-per-60-seconds`."""

_WORTH_RETRYING = (NetworkError, BadAnswerError, ServerError)


def retrying(
    action: Callable[[], T],
    *,
    stop: StopFlag,
    max_wait: float,
    what: str,
    max_tries: int = MAX_TRIES,
) -> T:
    """Return what an action returns, trying again where that can help.

    429 waits until e-conomic says the budget is back and does not count as a failure. Network
    faults, broken answers and 5xx are tried a few times, with growing, jittered waits.

    Args:
        action: one request.
        stop: ends every wait when the run is asked to stop.
        max_wait: seconds of waiting, all in all, after which the last error is raised.
        what: what is asked for, for the log.
        max_tries: tries of a request that fails for another reason than the call budget.

    Raises:
        EconomicError: the last error, if trying again did not help or cannot.
    """
    failures = 0
    waited = 0.0
    while True:
        stop.check()
        try:
            return action()
        except TooManyRequestsError as error:
            wait = retry_after(error.retry_after)
            last: EconomicError = error
        except _WORTH_RETRYING as error:
            failures += 1
            if failures >= max_tries:
                raise
            wait = _backoff(failures)
            last = error
        if waited + wait > max_wait:
            raise last
        logger.warning("Waiting %.1f s before asking again for %s: %s", wait, what, last)
        stop.sleep(wait)
        waited += wait


def retry_after(header: str | None) -> float:
    """Return the seconds a `Retry-After` header asks for; the refill time if it says nothing.

    Both forms of RFC 9110 10.2.3 are understood: seconds, and an HTTP date.
    """
    text = (header or "").strip()
    if text.isdecimal():
        return max(float(text), _FIRST_WAIT)
    try:
        at = parsedate_to_datetime(text)
    except (TypeError, ValueError, OverflowError):
        return _REFILL
    seconds = (pendulum.instance(at) - pendulum.now("UTC")).total_seconds()
    return max(float(seconds), _FIRST_WAIT)


def _backoff(failures: int) -> float:
    longest: float = min(_FIRST_WAIT * 2 ** (failures - 1), _LONGEST_WAIT)
    return longest / 2 + random.uniform(0, longest / 2)  # noqa: S311
