"""The numbers of open rows, as the state keeps them."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_visma_economic.readings.openset import LARGEST, OpenSet

State = dict[str, Any]

MANY = range(7, 7 + 2 * LARGEST, 2)
"""More numbers than the state may hold."""


def kept(*numbers: int) -> State:
    """A state that keeps these numbers."""
    state: State = {}
    OpenSet(state).keep(numbers)
    return state


@pytest.mark.parametrize(
    ("numbers", "steps"), [((), []), ((7,), [7]), ((14, 7, 9), [7, 2, 5]), ((5, 5), [5])]
)
def test_the_state_holds_the_first_number_and_then_differences(
    numbers: tuple[int, ...], steps: list[int]
) -> None:
    assert kept(*numbers) == {"open": steps, "open_from": None}


@given(st.sets(st.integers(1, 10**9), max_size=300))
def test_what_was_kept_is_read_back(numbers: set[int]) -> None:
    again = OpenSet(kept(*numbers))
    assert again.numbers == numbers
    assert again.dropped_from is None


@pytest.mark.parametrize("state", [{}, {"open": None}, {"open": "7"}, {"open_from": "7"}])
def test_a_state_that_says_nothing_keeps_nothing(state: State) -> None:
    known = OpenSet(state)
    assert (known.numbers, known.dropped_from) == (frozenset(), None)


def test_the_largest_list_is_sixteen_kilobytes() -> None:
    assert LARGEST == 16 * 1024


def test_a_list_of_the_largest_size_is_kept() -> None:
    state = kept(*range(1, LARGEST // 2 + 1))  # "1," each
    assert len(state["open"]) == LARGEST // 2
    assert len(json.dumps(state["open"], separators=(",", ":"))) <= LARGEST + 1


def test_a_list_one_number_longer_is_dropped_for_its_lowest() -> None:
    assert kept(*range(3, LARGEST // 2 + 4)) == {"open": None, "open_from": 3}


def test_what_counts_is_the_differences_as_written_not_the_numbers() -> None:
    high = range(10**9, 10**9 + LARGEST // 2 - 10)
    assert kept(*high)["open_from"] is None
    assert kept(*range(1, 11 * (LARGEST // 3 + 2), 11))["open_from"] == 1


def test_a_dropped_list_tells_from_where_to_read() -> None:
    again = OpenSet(kept(*MANY))
    assert (again.numbers, again.dropped_from) == (frozenset(), 7)


def test_a_list_that_grew_small_again_is_kept_again() -> None:
    state = kept(*MANY)
    OpenSet(state).keep([900, 905])
    assert state == {"open": [900, 5], "open_from": None}


def test_keeping_replaces_what_was_there() -> None:
    state = kept(1, 2, 3)
    OpenSet(state).keep([2])
    assert state == {"open": [2], "open_from": None}


def test_adding_leaves_what_was_there() -> None:
    state = kept(5, 9)
    known = OpenSet(state)
    known.add([7])
    known.add([11, 5])
    assert state == {"open": [5, 2, 2, 2], "open_from": None}
    assert known.numbers == {5, 7, 9, 11}


def test_adding_nothing_new_leaves_the_state_alone() -> None:
    state: State = {"context": {"agreementNumber": 1}}
    OpenSet(state).add([])
    assert state == {"context": {"agreementNumber": 1}}


def test_adding_to_a_dropped_list_moves_its_lowest_number_down_only() -> None:
    state = kept(*MANY)
    known = OpenSet(state)
    known.add([500, 900])
    assert state == {"open": None, "open_from": 7}
    known.add([3, 4])
    known.add([5])
    assert state == {"open": None, "open_from": 3}
    assert known.dropped_from == 3


def test_adding_too_much_drops_the_list() -> None:
    state = kept(50)
    known = OpenSet(state)
    for low, high in pairwise(range(100, 2 * LARGEST, 1000)):
        known.add(range(low, high))
    assert state == {"open": None, "open_from": 50}


def test_a_dropped_list_is_no_longer_carried() -> None:
    """A ledger may hold a million open entries."""
    known = OpenSet({})
    known.keep(MANY)
    known.add([8])
    assert known.numbers == frozenset()


def test_the_rest_of_the_state_stays() -> None:
    state: State = {"context": {"agreementNumber": 1}}
    OpenSet(state).keep([1])
    assert state["context"] == {"agreementNumber": 1}
