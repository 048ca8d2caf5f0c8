"""Faults on demand: which requests go wrong, and how.

sandbox.faults.add("/customers", "status", status=503, times=2)
sandbox.faults.add(r"skippages=3", "reset", after=1000)
"""

from __future__ import annotations

import random
import re
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

Kind = Literal["status", "delay", "hang", "reset", "truncate", "html200", "close"]


@dataclass
class Fault:
    """A rule, and how often it has been looked at and applied.

    Attributes:
        pattern: searched for in the path with its query, case-insensitively.
        kind: ``status`` answers ``status`` in the API's own error form, or with ``body``;
            ``delay`` answers after ``seconds``; ``hang`` never answers; ``reset`` resets the
            connection, after ``after`` bytes of the body or, with None, before anything is sent;
            ``truncate`` announces the whole body and closes after ``after`` bytes (half of it by
            default); ``html200`` answers 200 with a web page; ``close`` closes without an answer.
        nth: the first matching request that it applies to, counted from one.
        times: how many requests it applies to, from ``nth`` on; None: all of them.
        rate: the share of those requests that it hits, drawn with ``seed``.
        headers: further headers of the answer, whatever the kind.
        grant: the grant token whose requests it applies to; None: anybody's.
    """

    pattern: str
    kind: Kind
    nth: int = 1
    times: int | None = 1
    rate: float = 1.0
    seed: int = 0
    grant: str | None = None
    status: int = 500
    retry_after: str | None = None
    body: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 1.0
    after: int | None = None
    seen: int = 0
    applied: int = 0
    _random: random.Random = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)

    def strikes(self, target: str, grant: str | None) -> bool:
        """Count a request and tell whether the fault hits it."""
        if self.grant is not None and self.grant != grant:
            return False
        if re.search(self.pattern, target, re.IGNORECASE) is None:
            return False
        self.seen += 1
        if self.seen < self.nth or (self.times is not None and self.applied >= self.times):
            return False
        if self._random.random() >= self.rate:
            return False
        self.applied += 1
        return True


class Faults:
    """The rules in force; the first that strikes is the one that happens."""

    def __init__(self) -> None:
        self.rules: list[Fault] = []
        self._lock = threading.Lock()

    def add(
        self,
        pattern: str,
        kind: Kind,
        *,
        nth: int = 1,
        times: int | None = 1,
        rate: float = 1.0,
        seed: int = 0,
        grant: str | None = None,
        status: int = 500,
        retry_after: str | None = None,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        seconds: float = 1.0,
        after: int | None = None,
    ) -> Fault:
        """Add a rule; see ``Fault`` for what the arguments mean."""
        fault = Fault(
            pattern,
            kind,
            nth=nth,
            times=times,
            rate=rate,
            seed=seed,
            grant=grant,
            status=status,
            retry_after=retry_after,
            body=body,
            headers=headers or {},
            seconds=seconds,
            after=after,
        )
        with self._lock:
            self.rules.append(fault)
        return fault

    def clear(self) -> None:
        """Drop every rule."""
        with self._lock:
            self.rules.clear()

    def strike(self, target: str, grant: str | None) -> Fault | None:
        """The fault that hits this request, if any."""
        with self._lock:
            for fault in self.rules:
                if fault.strikes(target, grant):
                    return fault
        return None
