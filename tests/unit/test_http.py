"""HTTP clients: what holds up one agreement and no other."""

from __future__ import annotations

import logging
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
import requests

from tap_visma_economic import http as http_module
from tap_visma_economic.agreement import identified
from tap_visma_economic.agreements_file import Grant
from tap_visma_economic.auth import EconomicAuthenticator
from tap_visma_economic.errors import GrantRefusedError, Stopped
from tap_visma_economic.http import HttpClient
from tap_visma_economic.prefetch import Prefetcher
from tap_visma_economic.rate_limit import RateLimit
from tap_visma_economic.session import Transport
from tap_visma_economic.signals import StopFlag
from tests.unit.answers import URL, answer, page_of

if TYPE_CHECKING:
    from collections.abc import Callable

    Answering = Callable[[int], requests.Response]

REQUEST = requests.Request("GET", URL).prepare()
POOL = ThreadPoolExecutor(32)
SOON = 10.0
"""Seconds in which everything must have happened, on a busy machine too."""


class Clock(StopFlag):
    """A flag whose waits take no time: a clock goes forward instead."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.waits: list[float] = []
        self.meanwhile: Callable[[], object] = lambda: None

    def sleep(self, seconds: float) -> None:
        self.check()
        self.waits.append(seconds)
        self.now += seconds
        self.meanwhile()
        self.check()


class Way(Transport):
    """A way out at whose end answers are made by hand.

    Args:
        answering: makes the answer to a request from its place in the order, counted from 0.
        stop: ends every wait.
        slots: requests of all clients in flight.
    """

    def __init__(self, answering: Answering, stop: StopFlag, slots: int = 8) -> None:
        self.stop = stop
        prefetcher = Prefetcher(stop, requests=8, concurrency=4)
        super().__init__(prefetcher, requests=slots, timeout=1, user_agent="tests", ca_bundle=None)
        self.sent: list[float] = []
        self._answering = answering
        self._sending = threading.Lock()

    def send(self, request: requests.PreparedRequest) -> requests.Response:
        with self._sending:
            place = len(self.sent)
            self.sent.append(self.stop.now if isinstance(self.stop, Clock) else 0.0)
        return self._answering(place)


def well(place: int) -> requests.Response:
    return answer({}, headers={"X-CallCost": "1"})


def refused_first(after: str | None) -> Answering:
    """429 to the first request, and 200 to all others."""
    headers = {} if after is None else {"Retry-After": after}
    return lambda place: answer({}, 200 if place else 429, headers)


def client_on(way: Way, max_wait: float = 900) -> HttpClient:
    clock = way.stop
    rate_limit = RateLimit(0.8, lambda: clock.now) if isinstance(clock, Clock) else RateLimit(0.8)
    return HttpClient(
        way, EconomicAuthenticator("app", "grant", []), rate_limit, requests=4, max_wait=max_wait
    )


def send(http: HttpClient) -> requests.Response:
    """Send a request; whatever its response is, it is not retried."""
    return http.send(REQUEST, lambda response: response, what="units")


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(http_module, "time", SimpleNamespace(monotonic=lambda: clock.now))
    return clock


@pytest.fixture
def way(clock: Clock) -> Way:
    return Way(well, clock)


# --- 429 ---


def test_a_client_that_waits_for_its_rate_limit_holds_no_slot_of_the_others() -> None:
    way = Way(well, StopFlag(), slots=1)
    held, other = client_on(way), client_on(way)
    held.rate_limit.hold(600)
    waiting = [POOL.submit(partial(send, held)) for _ in range(4)]
    time.sleep(0.1)
    assert POOL.submit(partial(send, other)).result(SOON).status_code == 200
    way.stop.signum = 15
    for future in waiting:
        with pytest.raises(Stopped):
            future.result(2)


def test_a_budget_that_comes_back_in_between_is_waited_for_anew(clock: Clock) -> None:
    way = Way(
        lambda place: answer({}, 200 if place % 3 == 2 else 429, {"Retry-After": "40"}), clock
    )
    http = client_on(way, max_wait=100)
    for _ in range(30):
        send(http)
        assert not http._exhausted
    assert clock.now == 20 * 40


# --- the end ---


def refusal() -> GrantRefusedError:
    return GrantRefusedError(401, "/customers")


def test_a_401_ends_the_wait_of_those_who_wait_for_the_budget(way: Way, clock: Clock) -> None:
    http = client_on(way)
    http.rate_limit.hold(60)
    clock.meanwhile = lambda: setattr(http, "_rejected", refusal())
    futures = [POOL.submit(partial(send, http)) for _ in range(4)]
    for future in futures:
        with pytest.raises(GrantRefusedError):
            future.result(SOON)
    assert way.sent == []
    assert len(clock.waits) == 1


# --- what the log says ---


@pytest.mark.parametrize("first", [200, 429])
def test_spreading_calls_out_is_told_once_and_only_if_it_takes_a_while(
    clock: Clock, caplog: pytest.LogCaptureFixture, first: int
) -> None:
    def answering(place: int) -> requests.Response:
        figure = min(3 * (place + 1), 60)
        limiting = f"token-limit-60-per-60-seconds: {figure}/60"
        headers = {"X-CallCost": "3", "X-RateLimiting": limiting, "Retry-After": "20"}
        return answer({}, 200 if place else first, headers)

    http = client_on(Way(answering, clock))
    held = 20 if first == 429 else 0
    with caplog.at_level(logging.INFO, logger="tap-visma-economic"):
        send(http)
        while http.waited < held + 4.5:
            assert not caplog.messages
            send(http)
        while http.waited < held + 60:
            send(http)
    assert caplog.messages == ["Slowing down to leave part of the rate limit to other integrations"]


def test_who_is_held_up_the_moment_a_429_comes_does_not_take_it_for_the_pace(
    clock: Clock, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.INFO)
    http = client_on(Way(refused_first("7"), clock))
    hold = http.rate_limit.hold

    def held(seconds: float) -> None:
        hold(seconds)
        POOL.submit(partial(send, http)).result(SOON)

    monkeypatch.setattr(http.rate_limit, "hold", held)
    send(http)
    assert http.waited == pytest.approx(7)
    assert "Slowing down" not in caplog.text


def test_more_calls_than_are_fair_use_are_told_once_with_the_company_and_what_to_do(
    way: Way, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_module, "MANY_CALLS", 10)
    http, other = client_on(way), client_on(way)
    page = page_of([{"agreementNumber": 1234567, "company": {"name": "Firma"}}])
    identified(Grant("token", "here"), http, page)
    for _ in range(10):
        send(http)
        send(other)
    assert caplog.messages == []
    for future in [POOL.submit(partial(send, http)) for _ in range(20)]:
        future.result(SOON)
    (told,) = caplog.messages
    assert caplog.records[0].levelno == logging.WARNING
    assert told.startswith("agreement 1234567 (Firma): this run has made more than 10 calls")
    assert "50,000 calls a day" in told
    assert "fewer streams" in told
    assert "less often" in told
