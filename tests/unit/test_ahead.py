"""Ahead: units are read before their turn, so far and no farther, and handed over in order."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from tap_visma_economic.ahead import LEAST_AHEAD, PAGES_AHEAD, UNITS_AHEAD, Ahead, Step, Unit
from tap_visma_economic.errors import EconomicError, Stopped
from tap_visma_economic.key_ranges import WORTH_SPLITTING
from tap_visma_economic.records.pages import Page
from tap_visma_economic.signals import StopFlag

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


COMPANIES = 100
LONG = WORTH_SPLITTING + 1


@dataclass(eq=False)
class Stream:
    """A stream by name: all that is asked of one here."""

    name: str


@dataclass(eq=False)
class Company:
    """An agreement: all that is asked of one here."""

    number: int
    refused: bool = False


@dataclass
class World:
    """Readings of so many pages each, and what was read of them.

    Args:
        pages: of a unit, by the company's number; one if it is not given.
        total: rows that each page says there are.
        fails: companies whose reading fails after its pages.
    """

    pages: dict[int, int] = field(default_factory=dict)
    total: int | None = None
    fails: set[int] = field(default_factory=set)
    read: defaultdict[tuple[str, int], int] = field(default_factory=lambda: defaultdict(int))
    ended: set[tuple[str, int]] = field(default_factory=set)

    def begin(self, stream: Any, agreement: Any) -> tuple[Any, dict[str, Any]]:
        state: dict[str, Any] = {}
        return Reading(self, (stream.name, agreement.number), state), state


@dataclass
class Reading:
    world: World
    name: tuple[str, int]
    state: dict[str, Any]

    def pages(self) -> Iterator[tuple[dict[str, Any], Page]]:
        count = self.world.pages.get(self.name[1], 1)
        try:
            for number in range(1, count + 1):
                self.world.read[self.name] = number
                rows = [{"number": number}]
                yield {}, Page(rows, more=number < count, results=self.world.total)
            if self.name[1] in self.world.fails:
                raise EconomicError("no more of it")
        finally:
            self.world.ended.add(self.name)

    def observe(self, rows: Any, clock: Any) -> None:
        self.state["upto"] = rows[-1]["number"]

    def finish(self) -> None:
        self.state["finished"] = True


def units(*streams: str, companies: int = COMPANIES) -> list[Any]:
    every = [Company(number) for number in range(companies)]
    return [(Stream(stream), company) for stream in streams for company in every]


@dataclass
class Reader:
    """An `Ahead` and what it reads."""

    world: World
    stop: StopFlag
    ahead: Ahead

    def take(self, unit: Any) -> list[Step | Unit]:
        with self.ahead.unit(*unit) as steps:
            return list(steps)


@pytest.fixture
def reader() -> Iterator[Callable[..., Reader]]:
    flags = []

    def make(world: World | None = None, *, requests: int = 4, long: int = 2) -> Reader:
        world, stop = world or World(), StopFlag()
        flags.append(stop)
        return Reader(world, stop, Ahead(stop, world.begin, requests=requests, long=long))

    yield make
    for flag in flags:
        flag.finish()


def settled(found: Callable[[], object]) -> object:
    """What is found when it has not changed for a while."""
    before, since = found(), time.monotonic()
    while time.monotonic() - since < 0.3:
        time.sleep(0.02)
        if (now := found()) != before:
            before, since = now, time.monotonic()
    return before


def test_units_come_whole_and_in_order_with_the_state_that_holds_after_each_page(
    reader: Callable[..., Reader],
) -> None:
    made = reader(World(pages={0: 5, 2: 3}))
    planned = units("a", "b", companies=4)
    made.ahead.plan(planned)
    for stream, company in planned:
        taken = made.take((stream, company))
        unit, steps = taken[-1], [step for step in taken if isinstance(step, Step)]
        numbers = list(range(1, made.world.pages.get(company.number, 1) + 1))
        assert [step.state["upto"] for step in steps] == numbers
        assert [step.page.rows[0]["number"] for step in steps] == numbers
        assert isinstance(unit, Unit)
        assert unit.agreement is company
        assert unit.state == {"upto": len(numbers), "finished": True}


def test_units_are_begun_so_far_ahead_and_no_farther(reader: Callable[..., Reader]) -> None:
    made = reader(requests=4)
    planned = units("a")
    made.ahead.plan(planned)
    most = UNITS_AHEAD * 4 + LEAST_AHEAD
    with made.ahead.unit(*planned[0]) as steps:
        next(steps)
        assert settled(lambda: len(made.world.read)) == most
    with made.ahead.unit(*planned[1]) as steps:
        next(steps)
        assert settled(lambda: len(made.world.read)) == most + 1


def test_of_units_far_from_their_turn_only_the_first_page_is_held(
    reader: Callable[..., Reader],
) -> None:
    made = reader(World(pages=dict.fromkeys(range(COMPANIES), 9)), requests=4)
    planned = units("a")
    made.ahead.plan(planned)
    most = UNITS_AHEAD * 4 + LEAST_AHEAD
    with made.ahead.unit(*planned[0]) as steps:
        next(steps)
        held = [1 + PAGES_AHEAD + 1] + [PAGES_AHEAD + 1] * 3 + [1] * (most - 4)
        assert settled(lambda: list(made.world.read.values())) == held


def test_no_more_long_listings_go_on_than_companies_are_read_at_a_time(
    reader: Callable[..., Reader],
) -> None:
    pages = dict.fromkeys(range(COMPANIES), 9)
    made = reader(World(pages=pages, total=LONG), requests=4, long=2)
    planned = units("a")
    made.ahead.plan(planned)
    with made.ahead.unit(*planned[0]) as steps:
        next(steps)
        going_on = settled(lambda: [n for _, n in made.world.read if made.world.read["a", n] > 1])
        assert going_on == [0, 1]
    assert len(made.take(planned[1])) == 10


def test_who_has_the_turn_always_goes_on(reader: Callable[..., Reader]) -> None:
    pages = dict.fromkeys(range(COMPANIES), 9)
    made = reader(World(pages=pages, total=LONG), requests=1, long=1)
    planned = units("a", companies=12)
    made.ahead.plan(planned)
    assert [len(made.take(unit)) for unit in planned] == [10] * 12


def test_an_error_is_raised_after_the_pages_before_it_in_its_own_turn(
    reader: Callable[..., Reader],
) -> None:
    made = reader(World(pages={1: 2}, fails={1}))
    planned = units("a", companies=3)
    made.ahead.plan(planned)
    assert len(made.take(planned[0])) == 2
    got: list[Step | Unit] = []
    with (
        pytest.raises(EconomicError, match="no more of it"),
        made.ahead.unit(*planned[1]) as steps,
    ):
        got.extend(steps)
    assert len(got) == 2
    assert len(made.take(planned[2])) == 2


def test_a_reading_that_cannot_begin_is_an_error_of_its_turn(
    reader: Callable[..., Reader],
) -> None:
    made = reader()

    def begin(stream: Any, agreement: Any) -> Any:
        if agreement.number == 1:
            raise EconomicError("cannot begin")
        return made.world.begin(stream, agreement)

    ahead = Ahead(made.stop, begin, requests=4, long=2)
    planned = units("a", companies=3)
    ahead.plan(planned)
    for place, failing in ((0, False), (1, True), (2, False)):
        with ahead.unit(*planned[place]) as steps:
            if failing:
                with pytest.raises(EconomicError, match="cannot begin"):
                    list(steps)
            else:
                assert len(list(steps)) == 2


def test_a_unit_left_in_the_middle_is_read_no_further(reader: Callable[..., Reader]) -> None:
    made = reader(World(pages={0: 500}))
    planned = units("a", companies=2)
    made.ahead.plan(planned)
    with made.ahead.unit(*planned[0]) as steps:
        next(steps)
    assert len(made.take(planned[1])) == 2
    assert settled(lambda: made.world.ended) == {("a", 0), ("a", 1)}
    assert made.world.read["a", 0] <= 1 + PAGES_AHEAD + 1


def test_units_that_are_not_taken_are_passed_over(reader: Callable[..., Reader]) -> None:
    made = reader(World(pages=dict.fromkeys(range(8), 50)))
    planned = units("a", "b", companies=4)
    made.ahead.plan(planned)
    assert len(made.take(planned[0])) == 51
    assert len(made.take(planned[6])) == 51
    assert len(made.take(planned[7])) == 51
    passed = {("a", n) for n in range(1, 4)} | {("b", 0), ("b", 1)}
    assert all(made.world.read[name] < 50 for name in passed)


def test_nothing_more_is_begun_of_a_company_whose_grant_was_refused(
    reader: Callable[..., Reader],
) -> None:
    made = reader(requests=1)
    planned = units("a", "b", companies=12)
    made.ahead.plan(planned)
    planned[3][1].refused = True
    for stream, company in planned:
        if not company.refused:
            made.take((stream, company))
    assert not [name for name in made.world.read if name[1] == 3]


def test_a_stop_ends_the_wait_for_a_page(reader: Callable[..., Reader]) -> None:
    made = reader()
    waiting = threading.Event()

    def wait(*_: object) -> None:
        waiting.set()
        threading.Event().wait(2)

    def stop() -> None:
        waiting.wait(5)
        made.stop.finish()

    def begin(stream: Any, agreement: Any) -> Any:
        reading, state = made.world.begin(stream, agreement)
        reading.observe = wait
        return reading, state

    ahead = Ahead(made.stop, begin, requests=4, long=2)
    planned = units("a", companies=1)
    ahead.plan(planned)
    threading.Thread(target=stop).start()
    began = time.monotonic()
    with pytest.raises(Stopped), ahead.unit(*planned[0]) as steps:
        next(steps)
    assert time.monotonic() - began < 1.5
