"""Faults on demand: which requests go wrong, and how.

sandbox.faults.add("/customers", "status", status=503, times=2)
sandbox.faults.add(r"skippages=3", "reset", after=1000)
sandbox.faults.add("", "drip", times=None, rate=0.01, seed=7)

Two more faults are no answer to one request and belong to the sandbox as a whole: a clock that is
wrong all the time (``Sandbox(clock=...)``), and a certificate (``Sandbox(certificate=...)``).
"""

from __future__ import annotations

import random
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

Kind = Literal[
    # The answer is another one.
    "status",  # `status`, in the API's own error form or with `body`
    "redirect",  # `status` (302 if it is no 3xx), with `to` as its Location
    "html200",  # a web page with status 200
    # The answer does not come, or not soon.
    "delay",  # after `seconds`
    "hang",  # never; the connection stays open
    "drip",  # a byte every `seconds`, from the first one on or after `after` bytes of the body
    # The connection breaks.
    "refuse",  # reset, and for `seconds` nobody listens
    "close",  # closed without an answer
    "reset",  # reset before the answer, or after `after` bytes of the body
    "truncate",  # the whole body is announced; closed after `after` bytes (half of it by default)
    # The body is not what it should be, though it comes whole.
    "cut",  # it ends after `after` bytes (half of it by default), as its length says
    "short_length",  # its length says `after` bytes (half of it by default), and more come
    "cut_gzip",  # it is packed, and the packed bytes are cut as with `cut`
    # The page is not the one that should come.
    "same_cursor",  # an OpenAPI page whose cursor leads to itself
    "next_page",  # a REST page whose nextPage is `to`; by default the first page
    "page_before",  # the rows of the page before, the last `rows` of them if that is given
    "rows_again",  # beside its own rows the last `rows` (1) of the page before
    "last_page",  # it says that it is the last, though others follow
    "empty_page",  # no rows, though others follow: only where there is a next page
    # The headers are wrong.
    "clock",  # the Date header is `seconds` ahead
]

KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass
class Fault:
    """A rule, and how often it has been looked at and applied.

    Attributes:
        pattern: searched for in the path with its query, case-insensitively.
        kind: what happens, see ``Kind``.
        nth: the first matching request that it applies to, counted from one.
        times: how many requests it applies to, from ``nth`` on; None: all of them.
        rate: the share of those requests that it hits, drawn with ``seed``.
        headers: further headers of the answer, whatever the kind.
        grant: the grant token whose requests it applies to; None: anybody's.
        status, retry_after, body: of the answer of ``status`` and ``redirect``.
        to: where ``redirect`` and ``next_page`` lead.
        seconds: of ``delay``, ``drip``, ``refuse`` and ``clock``.
        after: bytes of the body that come as they should.
        rows: rows of the page before that ``page_before`` and ``rows_again`` put in front; with
            ``page_before`` as many fall off the end.
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
    to: str = ""
    seconds: float = 1.0
    after: int | None = None
    rows: int | None = None
    seen: int = 0
    applied: int = 0
    _random: random.Random = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"there is no fault {self.kind!r}: {', '.join(KINDS)}")
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

    def add(self, pattern: str, kind: Kind, **how: Any) -> Fault:
        """Add a rule; see ``Fault`` for what can be said of it."""
        fault = Fault(pattern, kind, **how)
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

    @property
    def look_back(self) -> bool:
        """Whether the page before may be asked for, so that pages have to be kept."""
        return any(fault.kind in {"page_before", "rows_again"} for fault in self.rules)
