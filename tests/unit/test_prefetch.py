"""Prefetching: several chains are read at once, within bounds, and their pages come in order."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from tap_visma_economic.errors import BadResponseError, Stopped
from tap_visma_economic.prefetch import (
    CURRENT_PAGES,
    MIN_OPEN,
    OPEN,
    PAGES,
    Prefetcher,
    SingleFlight,
    Slots,
)
from tap_visma_economic.signals import StopFlag

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

AT_ONCE = 4
REQUESTS = 8
KEPT = CURRENT_PAGES * AT_ONCE
MOST_OPEN = OPEN * REQUESTS + MIN_OPEN
BOUND = PAGES * REQUESTS + MIN_OPEN
LEVELS = 3
"""Partitions, listings and ranges: each may have a page in hand."""

SOON = 10.0

Place = tuple[int, ...]


@dataclass
class World:
    """Chains of so many pages each, and what was asked of them.

    Args:
        act: called with the place of a page before it is there.
    """

    act: Callable[..., object] = lambda *_: None
    stop: StopFlag = field(default_factory=StopFlag)
    fetched: list[Place] = field(default_factory=list)
    flying: int = 0
    most_flying: int = 0

    def __post_init__(self) -> None:
        self.prefetcher = Prefetcher(self.stop, requests=REQUESTS, concurrency=AT_ONCE)
        self.slots = Slots(self.prefetcher, REQUESTS)
        self.lock = threading.Lock()
        self.ways: dict[int, Callable[[], Iterator[Place]]] = {}

    def fetch(self, *place: int) -> Place:
        self.prefetcher.room()
        with self.slots.one():
            with self.lock:
                self.flying += 1
                self.most_flying = max(self.most_flying, self.flying)
            try:
                self.act(*place)
            finally:
                with self.lock:
                    self.flying -= 1
        with self.lock:
            self.fetched.append(place)
        return place

    def chain(self, number: int, pages: int, *above: int) -> Iterator[Place]:
        for page in range(pages):
            yield self.fetch(*above, number, page)

    def ordered(self, pages: Iterable[int], *above: int) -> Iterator[Place]:
        chains = (self.chain(number, count, *above) for number, count in enumerate(pages))
        return self.prefetcher.ordered(chains, at_once=AT_ONCE)

    def parted(self, pages: dict[int, int]) -> None:
        """Plan partitions of so many pages, each of which is one chain."""
        self.plan({n: partial(self.chain, n, count) for n, count in pages.items()})

    def plan(self, ways: dict[int, Callable[[], Iterator[Place]]]) -> None:
        self.ways = ways
        self.prefetcher.plan(ways.items())

    def take(self, number: int) -> list[Place]:
        with self.prefetcher.partition(number, self.ways[number]) as found:
            return list(found)


@pytest.fixture
def world() -> Iterator[World]:
    world = World()
    yield world
    world.stop.finish()


def every(pages: Iterable[int], *above: int) -> list[Place]:
    return [(*above, n, page) for n, count in enumerate(pages) for page in range(count)]


def settled(found: Callable[[], Any]) -> Any:
    """What is found when it has not changed for a while."""
    before, since = found(), time.monotonic()
    while time.monotonic() - since < 0.3:
        time.sleep(0.02)
        if (now := found()) != before:
            before, since = now, time.monotonic()
    return before


# Order


@pytest.mark.parametrize("pages", [[], [0], [1], [3, 1, 4], [1] * 50, [9] * 7, [40, 0, 0, 1, 40]])
def test_all_pages_come_in_order(world: World, pages: list[int]) -> None:
    world.act = lambda chain, page: time.sleep((chain * 7 + page) % 3 * 0.001)
    assert list(world.ordered(pages)) == every(pages)
    assert world.most_flying <= AT_ONCE + 1


@pytest.mark.parametrize("seed", range(6))
def test_random_trees_come_in_order_and_within_the_bound_whatever_fails(seed: int) -> None:
    """Partitions read listings at once, which read ranges at once; some fail or share keys."""
    chance = random.Random(seed)
    taken, over = Counter[int](), set[int]()
    most_held = 0

    def act(*place: int) -> None:
        nonlocal most_held
        time.sleep(chance.choice([0, 0, 0.001, 0.004]))
        with world.lock:
            read = Counter(place[0] for place in world.fetched)
            held = sum(read[n] - taken[n] for n in read if n >= 0 and n not in over | failing)
            most_held = max(most_held, held)
        if place in broken:
            raise BadResponseError("no page")

    world = World(act)
    keys: SingleFlight[int, list[Place]] = SingleFlight(world.prefetcher)
    shapes = {
        number: [[chance.choice([0, 1, 1, 3, 20]) for _ in range(4)] for _ in range(4)]
        for number in range(24)
    }
    broken = {
        (number, child, part, page)
        for number, listings in shapes.items()
        for child, ranges in enumerate(listings)
        for part, pages in enumerate(ranges)
        for page in range(pages)
        if chance.random() < 0.003
    }

    failing = {number for number, *_ in broken}  # these let go of pages that nobody takes

    def listing(number: int, child: int, ranges: list[int]) -> Iterator[Place]:
        yield world.fetch(number, child, -1, 0)
        yield from world.ordered(ranges, number, child)

    def partition(number: int) -> Iterator[Place]:
        found = keys.get(number // 6, lambda: list(world.ordered([5] * 6, -1, number)))
        assert len(found) == 30
        listings = (listing(number, child, ranges) for child, ranges in enumerate(shapes[number]))
        yield from world.prefetcher.ordered(listings, at_once=3)

    world.plan({number: partial(partition, number) for number in shapes})
    for number in [number for number in shapes if chance.random() < 0.9]:
        wanted = [
            place
            for child, ranges in enumerate(shapes[number])
            for place in [(number, child, -1, 0), *every(ranges, number, child)]
        ]
        end = next((n for n, place in enumerate(wanted) if place in broken), None)
        got: list[Place] = []
        over.update(range(number))
        with (
            nullcontext() if end is None else pytest.raises(BadResponseError),
            world.prefetcher.partition(number, world.ways[number]) as pages,
        ):
            for page in pages:
                got.append(page)
                taken[number] += 1
                time.sleep(chance.choice([0, 0, 0.001]))
        over.add(number)
        assert got == wanted[:end]
    assert world.most_flying <= REQUESTS
    assert most_held <= BOUND + LEVELS + 1  # a page that was just taken, and not yet counted so
    world.stop.finish()
    world.prefetcher._threads.shutdown()  # every thread ends


def test_chains_are_read_at_once_as_long_as_there_are_any(world: World) -> None:
    together = threading.Barrier(AT_ONCE)
    world.act = lambda chain, page: chain < AT_ONCE and page == 1 and together.wait(SOON)
    assert list(world.ordered([5] * 8)) == every([5] * 8)
    assert world.most_flying >= AT_ONCE


def test_chains_are_found_while_those_before_are_read(world: World) -> None:
    found: list[int] = []
    enough = threading.Event()

    def chains() -> Iterator[Iterator[Place]]:
        for number in range(9):
            found.append(number)
            if number == AT_ONCE:
                enough.set()
            yield world.chain(number, 1)

    world.act = lambda *_: enough.wait(SOON)
    reading = world.prefetcher.ordered(chains(), at_once=AT_ONCE)
    assert list(reading) == every([1] * 9)


# Errors


def test_an_error_in_finding_a_chain_is_raised_after_the_pages_before_it(world: World) -> None:
    def chains() -> Iterator[Iterator[Place]]:
        yield world.chain(0, 2)
        raise BadResponseError("cannot count")

    got: list[Place] = []
    with pytest.raises(BadResponseError, match="cannot count"):
        got.extend(world.prefetcher.ordered(chains(), at_once=AT_ONCE))
    assert got == [(0, 0), (0, 1)]


def test_an_outcome_is_given_with_its_item_and_fails_where_it_is_asked_for(world: World) -> None:
    second_done = threading.Event()

    def act(item: int) -> int:
        if item == 3:
            assert second_done.wait(SOON)
        if item == 2:
            second_done.set()
        return 12 // item

    outcomes = list(world.prefetcher.outcomes(act, [3, 0, 2], at_once=3))
    assert [item for item, _ in outcomes] == [3, 0, 2]
    assert (outcomes[0][1](), outcomes[2][1]()) == (4, 6)
    with pytest.raises(ZeroDivisionError):
        outcomes[1][1]()


# How far


@pytest.mark.parametrize("pages", [[50] * 6, [1] * 300, [3, 50, 50, 50, 50]])
def test_pages_that_nobody_takes_are_so_many_and_no_more(world: World, pages: list[int]) -> None:
    reading = world.ordered(pages)
    for taken in range(3):
        next(reading)
        assert KEPT - 1 <= settled(lambda: len(world.fetched)) - taken - 1 <= KEPT + 1
    assert list(reading) == every(pages)[3:]


def test_all_partitions_hold_so_many_pages_and_no_more(world: World) -> None:
    world.parted(dict.fromkeys(range(100), 90))
    with world.prefetcher.partition(0, partial(world.chain, 0, 90)) as pages:
        next(pages)
        held = settled(lambda: len(world.fetched)) - 1
        assert held == KEPT + (BOUND - KEPT - MOST_OPEN) + (MOST_OPEN - 1)
        assert held <= BOUND
    assert len(world.take(1)) == 90


def test_partitions_are_begun_so_far_ahead_and_no_farther(world: World) -> None:
    world.parted(dict.fromkeys(range(100), 1))
    with world.prefetcher.partition(0, partial(world.chain, 0, 1)) as pages:
        next(pages)
        assert settled(lambda: len(world.fetched)) == MOST_OPEN
    with world.prefetcher.partition(1, partial(world.chain, 1, 1)) as pages:
        next(pages)
        assert settled(lambda: len(world.fetched)) == MOST_OPEN + 1


def test_whose_turn_it_is_goes_on_however_many_pages_others_hold(world: World) -> None:
    """The others fill what they may while the first one's first page is on its way."""
    full = threading.Event()
    world.act = lambda chain, page: (chain, page) == (0, 0) and full.wait(SOON)
    world.parted(dict.fromkeys(range(30), 90))
    threading.Thread(target=lambda: (settled(lambda: len(world.fetched)), full.set())).start()  # type: ignore[func-returns-value]
    assert [len(world.take(number)) for number in range(30)] == [90] * 30


def test_a_slot_is_given_to_whose_pages_come_first(world: World) -> None:
    slots, order = Slots(world.prefetcher, 1), list[int]()
    last = threading.Barrier(2)

    def source(number: int) -> Iterator[int]:
        if number == 0:
            with slots.one():
                last.wait(SOON)
                time.sleep(0.6)
        else:
            time.sleep(0.02 * (20 - number))  # the last comes first
            if number == 20:
                last.wait(SOON)
            with slots.one():
                order.append(number)
        yield number

    reading = world.prefetcher.ordered((source(n) for n in range(21)), at_once=21)
    assert list(reading) == list(range(21))
    assert order == sorted(order)


# Who leaves, and the end


def test_who_leaves_in_the_middle_ends_the_reading(world: World) -> None:
    world.act = lambda *_: time.sleep(0.001)
    reading = world.ordered([500] * 4)
    next(reading)
    reading.close()  # type: ignore[attr-defined]
    fetched = len(world.fetched)
    assert settled(lambda: len(world.fetched)) <= fetched + AT_ONCE


@pytest.mark.parametrize("chains", [1, 8])
def test_a_stop_ends_every_wait_at_once(world: World, chains: int) -> None:
    free = threading.Event()
    world.act = lambda *_: free.wait(SOON)
    threading.Timer(0.2, world.stop.finish).start()
    began = time.monotonic()
    with pytest.raises(Stopped):
        list(world.ordered([90] * chains))
    assert time.monotonic() - began < 0.2 + 0.15
    free.set()


def test_a_stop_ends_the_wait_for_room_and_what_was_read_can_be_taken(world: World) -> None:
    reading = world.ordered([90] * 8)
    got = [next(reading)]
    settled(lambda: len(world.fetched))
    world.stop.finish()
    began = time.monotonic()
    with pytest.raises(Stopped):
        got.extend(reading)
    assert time.monotonic() - began < 0.15
    assert got == every([90] * 8)[: len(got)]
    assert len(got) > 1


def test_what_several_wait_for_is_read_apart_and_cannot_stand_still(world: World) -> None:
    """The last chain finds out, with no room left, what the first one waits for."""
    once: SingleFlight[str, int] = SingleFlight(world.prefetcher)
    asked = threading.Event()

    def find() -> int:
        asked.set()
        with world.prefetcher.apart():
            return len(list(world.ordered([30] * 6)))

    def partition(number: int) -> Iterator[Place]:
        if number == 0:
            assert asked.wait(SOON)
            time.sleep(0.3)
        else:
            yield from world.chain(number, 1)
        if number in {0, 7}:
            yield (number, once.get("keys", find))
        yield from world.chain(number, 90)

    world.plan({number: partial(partition, number) for number in range(8)})
    with world.prefetcher.partition(0, partial(partition, 0)) as pages:
        assert next(pages) == (0, 180)
    assert len(world.take(1)) == 91


# Once


def test_one_finds_out_and_all_who_ask_get_it(world: World) -> None:
    once: SingleFlight[str, int] = SingleFlight(world.prefetcher)
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
    once.forget(lambda name: name == "name")
    assert once.get("name", lambda: 8) == 8


def test_an_error_reaches_all_who_wait_and_is_then_forgotten(world: World) -> None:
    once: SingleFlight[str, int] = SingleFlight(world.prefetcher)
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


def test_no_number_of_chains_can_use_up_the_threads() -> None:
    stop = StopFlag()
    prefetcher = Prefetcher(stop, requests=64, concurrency=16)

    def chain(*place: int) -> Iterator[Place]:
        for page in range(3):
            prefetcher.room()
            yield (*place, page)

    def ranges(*place: int) -> Iterator[Place]:
        chains = (chain(*place, part) for part in range(4))
        yield from prefetcher.ordered(chains, at_once=16)

    def partition(number: int) -> Iterator[Place]:
        yield from prefetcher.ordered((ranges(number, child) for child in range(6)), at_once=16)

    prefetcher.plan((number, partial(partition, number)) for number in range(140))
    before = threading.active_count()
    for number in range(140):
        with prefetcher.partition(number, partial(partition, number)) as pages:
            wanted = [(number, c, r, n) for c in range(6) for r in range(4) for n in range(3)]
            assert list(pages) == wanted
        assert threading.active_count() - before < 2_000
    stop.finish()
