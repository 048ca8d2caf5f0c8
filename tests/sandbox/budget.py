"""The call budget: a token bucket per agreement, shared by both APIs and told in headers.

Seen live: ``X-CallCost: 3`` and ``X-RateLimiting: token-limit-10000-per-60-seconds: 147/10000``,
on errors too. Other forms are on record (``limit-2000-per-60-seconds: 1450/2000``), odd and missing
ones as well; nobody has published a 429, so whether it has a Retry-After is a choice here.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

DEFAULT_FORM = "token-limit-{limit}-per-{window}-seconds: {figure}/{limit}"


@dataclass
class _Bucket:
    used: float = 0.0
    touched: float = 0.0


@dataclass
class Budget:
    """How calls are metered.

    Attributes:
        limit: tokens in a full bucket. The default is one that no test empties by accident.
        window: seconds in which an empty bucket fills up again.
        form: the header's text, with ``{limit}``, ``{window}`` and ``{figure}``.
        counts: what the figure says: tokens used, or tokens left.
        retry_after: whether a 429 tells in how many seconds to come back.
        headers: whether answers carry the two headers.
        enabled: whether calls are refused when the bucket is empty.
        call_cost: a fixed text for X-CallCost in place of the cost (``L`` was seen).
    """

    limit: int = 1_000_000
    window: float = 60
    form: str = DEFAULT_FORM
    counts: Literal["used", "left"] = "used"
    retry_after: Literal["seconds"] | None = None
    headers: bool = True
    enabled: bool = True
    call_cost: str | None = None
    clock: Callable[[], float] = time.monotonic
    _buckets: dict[int, _Bucket] = field(default_factory=dict, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def _refilled(self, agreement: int) -> _Bucket:
        now = self.clock()
        bucket = self._buckets.setdefault(agreement, _Bucket(touched=now))
        refill = (now - bucket.touched) * self.limit / self.window
        bucket.used = max(0.0, bucket.used - refill)
        bucket.touched = now
        return bucket

    def spend(self, agreement: int, cost: int) -> bool:
        """Take the cost of a call from an agreement's bucket; False when too little is left."""
        with self._lock:
            bucket = self._refilled(agreement)
            if self.enabled and bucket.used + cost > self.limit:
                return False
            bucket.used += cost
            return True

    def used(self, agreement: int) -> int:
        """Tokens used now."""
        with self._lock:
            return math.ceil(self._refilled(agreement).used)

    def drain(self, agreement: int) -> None:
        """Empty an agreement's bucket, as another integration of the same customer would."""
        with self._lock:
            self._refilled(agreement).used = float(self.limit)

    def told(self, agreement: int, cost: int) -> dict[str, str]:
        """The headers of an answer."""
        if not self.headers:
            return {}
        with self._lock:
            # As the call left it: what has flowed back since is not yet counted.
            bucket = self._buckets.get(agreement, _Bucket(used=cost))
        used = min(math.ceil(bucket.used), self.limit)
        figure = used if self.counts == "used" else self.limit - used
        window = f"{self.window:g}"
        return {
            "X-CallCost": str(cost) if self.call_cost is None else self.call_cost,
            "X-RateLimiting": self.form.format(limit=self.limit, window=window, figure=figure),
        }

    def when(self, agreement: int, cost: int) -> dict[str, str]:
        """The Retry-After of a 429, where there is one."""
        if self.retry_after is None:
            return {}
        missing = self.used(agreement) + cost - self.limit
        seconds = max(1, math.ceil(missing * self.window / self.limit))
        return {"Retry-After": str(seconds)}
