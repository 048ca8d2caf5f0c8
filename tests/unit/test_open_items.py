"""The numbers of open rows, as the state keeps them."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_visma_economic.replication.open_items import OpenSet

State = dict[str, Any]


def kept(*numbers: int) -> State:
    """A state that keeps these numbers."""
    state: State = {}
    OpenSet(state).keep(numbers)
    return state


@given(st.sets(st.integers(-5, 10**9), max_size=300))
def test_what_was_kept_is_read_back(numbers: set[int]) -> None:
    state: State = json.loads(json.dumps(kept(*numbers)))
    assert OpenSet(state).numbers == numbers
    assert not OpenSet(state).damaged


@pytest.mark.parametrize("state", [{}, {"open": None}, {"open": []}])
def test_a_state_that_says_nothing_keeps_nothing(state: State) -> None:
    known = OpenSet(state)
    assert (known.numbers, known.damaged) == (set(), False)


@pytest.mark.parametrize("damaged", ["7", 7, [7], ["7"], ["x!"], ["eJyLNowFAAGvANQ"]], ids=str)
def test_a_state_that_cannot_be_read_says_so_until_a_run_ends(damaged: Any) -> None:
    state: State = {"open": damaged}
    known = OpenSet(state)
    assert known.damaged
    assert known.add([4]) == set()
    assert OpenSet(state).damaged
    known.keep([4])
    assert OpenSet(state).numbers == {4}


def test_adding_leaves_what_was_there_and_tells_what_was_not() -> None:
    state = kept(5, 9)
    known = OpenSet(state)
    assert known.add([7]) == {7}
    assert known.add([11, 5]) == {11}
    assert known.numbers == OpenSet(state).numbers == {5, 7, 9, 11}


def test_adding_changes_no_copy_of_the_state() -> None:
    """A page that waits to be written has the state as it was then."""
    state = kept(5)
    known, before = OpenSet(state), dict(state)
    known.add([6])
    assert OpenSet(before).numbers == {5}


def test_keeping_replaces_what_was_there() -> None:
    state = kept(1, 2, 3)
    OpenSet(state).keep([2])
    assert OpenSet(state).numbers == {2}


def test_adding_nothing_new_leaves_the_state_alone() -> None:
    state: State = {"context": {"agreementNumber": 1}}
    assert OpenSet(state).add([]) == set()
    assert state == {"context": {"agreementNumber": 1}}


@pytest.mark.parametrize(
    ("count", "among", "most"), [(12_424, 247_146, 17_000), (100_000, 2_000_000, 125_000)]
)
def test_a_hundred_thousand_numbers_take_little_more_than_a_character_each(
    count: int, among: int, most: int
) -> None:
    numbers = random.Random(7).sample(range(among), count)
    assert len(json.dumps(kept(*numbers))) < most
