"""Workers: outcomes in order, so many ahead, and one finds out what several ask for."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

import pytest

from tap_visma_economic.errors import Stopped
from tap_visma_economic.signals import StopFlag
from tap_visma_economic.workers import SingleFlight, Workers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from concurrent.futures import Future

T = TypeVar("T")


class Threads(Workers):
    """Workers that remember what was given to them."""

    def __init__(self, count: int = 8) -> None:
        super().__init__(StopFlag())
        self.pool = ThreadPoolExecutor(count)
        self.futures: list[Future[object]] = []

    def submit(self, action: Callable[[], T]) -> Future[T]:
        future = self.pool.submit(action)
        self.futures.append(future)  # type: ignore[arg-type]
        return future


@pytest.fixture
def threads() -> Iterator[Threads]:
    threads = Threads()
    yield threads
    threads.stop.finish()
    threads.pool.shutdown(cancel_futures=True)


def test_outcomes_come_in_the_order_of_items_whichever_is_done_first(threads: Threads) -> None:
    second_done = threading.Event()

    def act(item: int) -> int:
        if item == 0:
            assert second_done.wait(5)
        if item == 1:
            second_done.set()
        return item * 10

    outcomes = threads.ahead(range(5), act, count=3)
    assert [(item, outcome()) for item, outcome in outcomes] == [(n, n * 10) for n in range(5)]


def test_no_more_items_are_taken_than_may_be_ahead(threads: Threads) -> None:
    taken: list[int] = []

    def items() -> Iterator[int]:
        for item in range(10):
            taken.append(item)
            yield item

    outcomes = threads.ahead(items(), lambda item: item, count=3)
    for place in range(5):
        next(outcomes)
        assert len(taken) == place + 3


def test_an_error_is_raised_where_its_outcome_is_asked_for(threads: Threads) -> None:
    def act(item: int) -> int:
        return 1 // item

    outcomes = dict(threads.ahead([1, 0, 2], act, count=3))
    assert (outcomes[1](), outcomes[2]()) == (1, 0)
    with pytest.raises(ZeroDivisionError):
        outcomes[0]()


def test_who_gives_up_leaves_nothing_to_be_done() -> None:
    threads = Threads(count=1)
    free = threading.Event()
    outcomes = threads.ahead(range(5), lambda _: free.wait(5), count=4)
    next(outcomes)
    outcomes.close()  # type: ignore[attr-defined]
    free.set()
    threads.pool.shutdown()
    assert [future.cancelled() for future in threads.futures] == [False, True, True, True]


def test_a_stop_ends_the_wait_for_an_outcome(threads: Threads) -> None:
    begun, free = threading.Event(), threading.Event()

    def act() -> None:
        begun.set()
        free.wait(30)

    def stop() -> None:
        begun.wait(5)
        threads.stop.finish()

    threading.Thread(target=stop).start()
    with pytest.raises(Stopped):
        threads.run(act)
    free.set()


def test_one_finds_out_and_all_who_ask_get_it(threads: Threads) -> None:
    once: SingleFlight[str, int] = SingleFlight(threads.stop)
    calls: list[int] = []
    free = threading.Event()

    def find() -> int:
        calls.append(1)
        free.wait(5)
        return 7

    with ThreadPoolExecutor(4) as pool:
        asked = [pool.submit(once.get, "name", find) for _ in range(4)]
        free.set()
        assert [one.result() for one in asked] == [7] * 4
    assert calls == [1]
    assert once.get("other", lambda: 8) == 8


def test_an_error_reaches_all_who_wait_and_is_then_forgotten(threads: Threads) -> None:
    once: SingleFlight[str, int] = SingleFlight(threads.stop)
    begun, asked = threading.Event(), threading.Event()

    def fail() -> int:
        begun.set()
        asked.wait(5)
        time.sleep(0.1)  # until the other one waits
        raise ValueError

    def ask() -> int:
        asked.set()
        return once.get("name", lambda: 1)

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(once.get, "name", fail)
        assert begun.wait(5)
        second = pool.submit(ask)
        assert isinstance(first.exception(), ValueError)
        assert isinstance(second.exception(), ValueError)
    assert once.get("name", lambda: 2) == 2


def test_what_is_forgotten_is_found_out_anew(threads: Threads) -> None:
    once: SingleFlight[tuple[str, int], int] = SingleFlight(threads.stop)
    for name in ("a", "b"):
        once.get((name, 1), lambda: 1)
    once.forget(lambda name: name[0] == "a")
    assert once.get(("a", 1), lambda: 2) == 2
    assert once.get(("b", 1), lambda: 2) == 1
