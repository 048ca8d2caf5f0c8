"""Retries: when it is asked again, after how long, and when no more. Nothing here really waits."""

from __future__ import annotations

import random
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pendulum
import pytest

from tap_visma_economic import retry as retries
from tap_visma_economic.errors import (
    AccessDeniedError,
    ApiError,
    BadResponseError,
    ConfigError,
    GrantRefusedError,
    NetworkError,
    NotFoundError,
    RetiredVersionError,
    ServerError,
    TooManyRequestsError,
    UnavailableError,
)
from tap_visma_economic.retry import MAX_TRIES, RETRY_POLICIES, retry, retry_after
from tap_visma_economic.signals import StopFlag

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tap_visma_economic.errors import EconomicError

NOON = pendulum.datetime(2026, 1, 2, 12)
TRANSIENT = [
    NetworkError("no answer"),
    BadResponseError("an HTML page"),
    ServerError(500, "/customers"),
    UnavailableError(503, "/customers"),
]
FINAL = [
    ApiError(400, "/customers"),
    GrantRefusedError(401, "/customers"),
    AccessDeniedError(403, "/customers"),
    NotFoundError(404, "/customers"),
    RetiredVersionError(410, "/customers"),
    ConfigError("no token"),
    ValueError("a defect"),
]


def too_many(after: str | None = None) -> TooManyRequestsError:
    """A 429 with its Retry-After."""
    return TooManyRequestsError(429, "/customers", retry_after=after)


class Clock(StopFlag):
    """A flag whose waits are noted instead of waited; it may go up during one of them."""

    now = 0.0

    def __init__(self, up_during: int | None = None) -> None:
        super().__init__()
        self.waits: list[float] = []
        self._up_during = up_during

    def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        Clock.now += seconds
        if len(self.waits) == self._up_during:
            self.signum = 15
        self.check()


class Action:
    """Fails with each of these errors in turn, and then succeeds."""

    def __init__(self, errors: Iterable[Exception]) -> None:
        self._errors = iter(errors)
        self.tries = 0

    def __call__(self) -> str:
        self.tries += 1
        for error in self._errors:
            raise error
        return "a page"


def ask(action: Action, stop: StopFlag, max_wait: float = 900.0) -> str:
    """Ask as the streams do."""
    return retry(action, stop=stop, max_wait=max_wait, what="customers (GET /customers)")


@pytest.fixture(autouse=True)
def longest_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(random, "uniform", lambda _, most: most)
    monkeypatch.setattr(retries, "time", SimpleNamespace(monotonic=lambda: Clock.now))


# --- which errors ---


@pytest.mark.parametrize("error", TRANSIENT, ids=repr)
def test_what_may_pass_is_asked_for_again_and_at_last_given_up(error: EconomicError) -> None:
    tries = RETRY_POLICIES[type(error)].tries
    passes, stays = Action([error] * (tries - 1)), Action([error] * 99)
    assert ask(passes, Clock()) == "a page"
    with pytest.raises(type(error)) as raised:
        ask(stays, Clock())
    assert raised.value is error
    assert passes.tries == stays.tries == tries >= 5


@pytest.mark.parametrize("error", FINAL, ids=repr)
def test_what_cannot_pass_is_not_asked_for_again(error: Exception) -> None:
    action, clock = Action([error]), Clock()
    with pytest.raises(type(error)):
        ask(action, clock)
    assert (action.tries, clock.waits) == (1, [])


def test_an_empty_budget_is_no_failure() -> None:
    errors = [too_many("1")] * 50 + [NetworkError("no answer")] * (MAX_TRIES - 1)
    action = Action(errors)
    assert ask(action, Clock()) == "a page"
    assert action.tries == 50 + MAX_TRIES


# --- how long ---


@pytest.mark.parametrize(("drawn", "part"), [(1, 1.0), (0, 0.5)], ids=["most", "least"])
def test_waits_grow_and_are_jittered_down_to_half(
    drawn: int, part: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(random, "uniform", lambda *ends: ends[drawn])
    clock = Clock()
    ask(Action([NetworkError("no answer")] * (MAX_TRIES - 1)), clock)
    assert clock.waits == [part * seconds for seconds in (0.5, 1, 2, 4, 8, 16, 32, 60)]


def test_waiting_has_a_limit_all_in_all() -> None:
    action, clock = Action([too_many("40")] * 9), Clock()
    with pytest.raises(TooManyRequestsError):
        ask(action, clock, max_wait=100)
    assert clock.waits == [40.0, 40.0]


# --- Retry-After ---

LATER = "Fri, 02 Jan 2026 12:01:30 GMT"


@pytest.mark.parametrize(
    ("header", "date", "seconds"),
    [
        ("30", None, 30),
        (" 30 ", None, 30),
        ("1", None, 1),
        ("0", None, 1),
        ("999999999", None, 999_999_999),
        *((it, None, 60) for it in (None, "", "-5", "1.5", "soon")),
        ("Fri, 32 Foo 2026 12:00:00 GMT", None, 60),
        ("Fri, 02 Jan 99999999999999 12:00:00 GMT", None, 60),
        ("Fri, 02 Jan 2026 13:00:10 +0100", None, 10),
        ("Fri, 02 Jan 2026 12:00:10 -0000", None, 10),
        ("Fri, 02 Jan 2026 12:00:00 GMT", None, 1),
        ("Thu, 02 Jan 2025 12:00:00 GMT", None, 1),
        *((LATER, it, 90) for it in (None, "", "now", "Fri, 32 Foo 2026 12:00:00 GMT")),
        (LATER, "Fri, 02 Jan 2026 12:00:50 GMT", 40),
        (LATER, "Fri, 02 Jan 2026 12:09:00 GMT", 1),
    ],
)
def test_retry_after_is_seconds_or_a_date_by_the_servers_clock(
    header: str | None, date: str | None, seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a `Date` our own clock must do; without either, the time of a refill."""
    monkeypatch.setattr(pendulum, "now", NOON.in_timezone)
    assert retry_after(header, date) == seconds


def test_the_date_of_a_429_is_what_its_retry_after_is_told_by() -> None:
    at, date = "Fri, 02 Jan 2026 12:00:20 GMT", "Fri, 02 Jan 2026 12:00:00 GMT"
    refused = TooManyRequestsError(429, "/customers", retry_after=at, date=date)
    failed = ServerError(503, "/customers", retry_after=at, date=date)
    clock = Clock()
    ask(Action([refused, failed]), clock)
    assert clock.waits == [20.0, 20.0]
