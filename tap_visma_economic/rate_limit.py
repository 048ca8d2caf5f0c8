"""The rate limit: how fast one agreement's requests may be sent.

e-conomic meters calls in tokens, in a bucket per agreement that all its integrations share, and
reports it in every response (docs/economic-api.md#rate-limits):

    X-CallCost: 3
    X-RateLimiting: token-limit-10000-per-60-seconds: 147/10000

The figure is the number of tokens used. What cannot be read, or contradicts itself, is ignored: a
429 does the rest.
"""

from __future__ import annotations

import re
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import NamedTuple

_LIMIT = re.compile(r"(\d+)\D{1,9}(\d+(?:\.\d+)?)[\s-]*(second|minute|hour)", re.IGNORECASE)
_FIGURE = re.compile(r"(?<![\w.,-])(\d+)\s*/\s*(\d+)\s*$")
_SECONDS = {"second": 1, "minute": 60, "hour": 3600}

_USUAL_COST = 3
"""Tokens of a page, until a response reports its own cost."""

_BURST = 0.04
"""Share of the bucket that may be spent at once: a small company's whole run."""

_MARGIN = 0.97
"""Share of the permitted pace that is used, so that burst and pace together stay below it."""

_LEAST_PACE = 0.1
"""Share of the permitted pace that is used even if other integrations use up the rate limit."""

_NOTHING = 0.001
"""Tokens too few to wait for."""


class Limit(NamedTuple):
    """What one response reports.

    Args:
        used: tokens used.
        limit: tokens of a full bucket.
        window: seconds in which an empty bucket fills up.
    """

    used: int
    limit: int
    window: float


def limit_of(header: str | None) -> Limit | None:
    """Return what an `X-RateLimiting` header reports; None if it cannot be read.

    Nor can one that contradicts itself, such as `token-limit-10000-...: 5/10`.
    """
    text = header or ""
    figure = _FIGURE.search(text)
    if figure is None:
        return None
    limit, window = int(figure[2]), 60.0
    if named := _LIMIT.search(text[: figure.start()]):
        if int(named[1]) != limit:
            return None
        window = float(named[2]) * _SECONDS[named[3].lower()]
    if limit <= 0 or window <= 0:
        return None
    return Limit(min(int(figure[1]), limit), limit, window)


def cost_of(header: str | None) -> int | None:
    """Return the tokens in an `X-CallCost` header; None if it cannot be read."""
    text = (header or "").strip()
    return int(text) if text.isdecimal() and len(text) < 7 else None  # noqa: PLR2004


class RateLimit:
    """One agreement's token bucket, as far as its responses report it. Any thread may use it.

    Args:
        share: the part of the bucket that this tap may use; the rest is left to others.
        clock: a monotonic clock, in seconds.

    Attributes:
        calls: responses so far.
        spent: tokens that they took, as far as they said so.
        left: tokens that were left in the bucket after the last response, None while unknown.
    """

    def __init__(self, share: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._share = share
        self._clock = clock
        self._lock = threading.Lock()
        self._limit: Limit | None = None
        self._limit_at = 0.0
        self._cost = _USUAL_COST
        self._expected: deque[int] = deque()
        self._tokens = 0.0
        self._tokens_at = 0.0
        self._held_until = 0.0
        self._asked_at = 0.0
        self.calls = 0
        self.spent = 0
        self.left: float | None = None

    def hold(self, seconds: float) -> None:
        """Send nothing for a number of seconds, because e-conomic returned 429."""
        with self._lock:
            self._held_until = max(self._held_until, self._clock() + seconds)

    def take(self) -> float:
        """Take the tokens for one call and return 0, or the seconds after which to try again."""
        with self._lock:
            now = self._clock()
            wait = max(self._held_until - now, self._pace(now), self._reserve(now))
            if wait <= 0:
                self._asked_at = now
                self._tokens -= self._cost
                self._expected.append(self._cost)
                return 0.0
            return wait

    def record_response(self, headers: Mapping[str, str] | None) -> None:
        """Record the headers of a response; None if there was no response."""
        with self._lock:
            now = self._clock()
            expected = self._expected.popleft() if self._expected else self._cost
            self.calls += 1
            if headers is None:
                return
            found = limit_of(headers.get("X-RateLimiting"))
            known = found or self._limit
            cost = cost_of(headers.get("X-CallCost"))
            self.spent += cost or 0
            if known and cost and cost > known.limit:  # such a call could never be made
                found = cost = None
            if cost is not None:
                self._tokens -= cost - expected
                self._cost = max(cost, 1)
            if found is not None:
                if self._limit is None:
                    self._tokens, self._tokens_at = found.limit * _BURST - self._cost, now
                self._limit, self._limit_at = found, now
                self.left = found.limit - found.used

    def _pace(self, now: float) -> float:
        """Return the seconds until the permitted pace allows one more call."""
        if self._limit is None:
            return 0.0
        rate = self._share * _MARGIN * self._limit.limit / self._limit.window
        full = self._limit.limit * _BURST
        self._tokens = min(self._tokens + (now - self._tokens_at) * rate, full)
        self._tokens_at = now
        missing = min(self._cost, full) - self._tokens
        return missing / rate if missing > _NOTHING else 0.0

    def _reserve(self, now: float) -> float:
        """Return the seconds until the bucket holds more than the part left to others.

        They are limited, or a run would not progress while others use up the rate limit.
        """
        if self._limit is None or self.left is None:
            return 0.0
        rate = self._limit.limit / self._limit.window
        left = self.left + (now - self._limit_at) * rate - sum(self._expected) - self._cost
        missing = (1 - self._share) * self._limit.limit - left
        if missing <= _NOTHING:
            return 0.0
        cost = min(self._cost, self._limit.limit * _BURST)
        longest = cost / (_LEAST_PACE * self._share * rate)
        return min(missing / rate, self._asked_at + longest - now)
