"""Stopping: a raised flag ends every wait. Time passes only where a test lets it."""

from __future__ import annotations

import os
import signal
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import TYPE_CHECKING, Any

import pytest

from tap_visma_economic import signals
from tap_visma_economic.errors import Stopped
from tap_visma_economic.signals import StopFlag

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Time:
    """A clock that goes on only while somebody sleeps.

    Args:
        then: called after each sleep.
    """

    def __init__(self, then: Callable[[float], None]) -> None:
        self.now = 100.0
        self.slept: list[float] = []
        self._then = then

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds
        self._then(self.now)


def pass_time(
    monkeypatch: pytest.MonkeyPatch, then: Callable[[float], None] = lambda _: None
) -> Time:
    """Put a clock of this kind in the place of the real one."""
    time = Time(then)
    monkeypatch.setattr(signals, "time", time)
    return time


class Awaited(Future[str]):
    """A future to which something happens while it is waited for."""

    def __init__(self, *events: Callable[[Awaited], Any]) -> None:
        super().__init__()
        self._events = list(events)
        self.waits: list[float | None] = []

    def result(self, timeout: float | None = None) -> str:
        if self.done():
            return super().result(timeout)
        self.waits.append(timeout)
        self._events.pop(0)(self)
        raise FutureTimeoutError


@pytest.fixture
def handlers() -> Iterator[None]:
    """Puts the handlers back that a test changes."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


# --- the flag ---


@pytest.mark.usefixtures("handlers")
@pytest.mark.parametrize("first", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("second", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize(("after", "ends"), [(0.0, False), (1.9, False), (2.1, True)])
def test_a_signal_raises_the_flag_and_one_more_than_two_seconds_later_ends_the_process(
    first: int, second: int, after: float, ends: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    time, flag = pass_time(monkeypatch), StopFlag()
    raised: list[tuple[int, object]] = []
    monkeypatch.setattr(
        signal, "raise_signal", lambda number: raised.append((number, signal.getsignal(number)))
    )
    flag.listen()
    os.kill(os.getpid(), first)
    time.now += after
    os.kill(os.getpid(), second)
    assert flag.signum == first
    assert raised == ([(second, signal.SIG_DFL)] if ends else [])


# --- waiting for time to pass ---


@pytest.mark.parametrize("seconds", [0.05, 0.1, 1.0, 60.0])
def test_a_wait_lasts_its_time(seconds: float, monkeypatch: pytest.MonkeyPatch) -> None:
    time = pass_time(monkeypatch)
    StopFlag().sleep(seconds)
    assert time.now == pytest.approx(100.0 + seconds)


# --- waiting for a result ---


def test_a_timeout_of_the_work_itself_is_a_failure() -> None:
    future: Future[str] = Future()
    future.set_exception(FutureTimeoutError("its own"))
    with pytest.raises(FutureTimeoutError, match="its own"):
        StopFlag().result(future)


def test_a_result_that_arrives_at_a_timeout_is_returned() -> None:
    future = Awaited(lambda future: future.set_result("a page"))
    assert StopFlag().result(future) == "a page"


def test_raising_the_flag_ends_waiting_for_a_result() -> None:
    flag = StopFlag()
    future = Awaited(lambda _: None, lambda _: setattr(flag, "signum", signal.SIGTERM))
    with pytest.raises(Stopped):
        flag.result(future)
