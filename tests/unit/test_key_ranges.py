"""Key ranges: whatever the numbers are and whatever is counted, no row is outside of them."""

from __future__ import annotations

import random
from bisect import bisect_right
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tap_visma_economic.errors import UncountedError
from tap_visma_economic.key_ranges import PAGE, PAGES_PER_RANGE, key_ranges

if TYPE_CHECKING:
    from collections.abc import Callable

RANDOM = random.Random(1)
PHONES = sorted(RANDOM.sample(range(20_000_000, 99_999_999), 60_000))
LISTINGS = {
    "dense": list(range(1, 120_001)),
    "with gaps": [number for number in range(1, 130_000) if RANDOM.random() < 0.8],
    "phone numbers": PHONES,
    "numbers, then phone numbers": [*range(1, 2_000), *PHONES],
    "a number picked by hand": [*range(1, 60_000), 99_999_999],
    "clusters": [k for start in range(10) for k in range(start * 10**6, start * 10**6 + 10_000)],
}


def counter(numbers: list[int], asked: list[tuple[int, int]]) -> Callable[[int, int], int]:
    def count(above: int, upto: int) -> int:
        asked.append((above, upto))
        return bisect_right(numbers, upto) - bisect_right(numbers, above)

    return count


@pytest.mark.parametrize("name", LISTINGS)
def test_every_row_is_in_one_range_and_the_calls_stay_few(name: str) -> None:
    numbers = LISTINGS[name]
    asked: list[tuple[int, int]] = []
    cut = key_ranges(numbers[:PAGE], len(numbers) - PAGE, counter(numbers, asked), unique=True)
    end, rows, calls = numbers[PAGE - 1], PAGE, 1
    for above, upto in cut:
        assert above == end, "ranges meet without a gap"
        inside = bisect_right(numbers, upto or 10**12) - bisect_right(numbers, above)
        rows, calls, end = rows + inside, calls + max(1, -(-inside // PAGE)), upto
    assert end is None, "the last range has no end"
    assert rows == len(numbers)
    pages = -(-len(numbers) // PAGE)
    assert calls + len(asked) <= pages * 1.12 + 5


@pytest.mark.parametrize("fails", range(4))
def test_what_follows_a_count_that_fails_is_one_range(fails: int) -> None:
    numbers = LISTINGS["with gaps"]
    asked: list[tuple[int, int]] = []
    right = counter(numbers, asked)

    def count(above: int, upto: int) -> int:
        if len(asked) == fails:
            raise UncountedError("e-conomic cannot count")
        return right(above, upto)

    ranges = list(key_ranges(numbers[:PAGE], len(numbers) - PAGE, count, unique=True))
    ends = [numbers[PAGE - 1], *(upto for _, upto in ranges)]
    assert [above for above, _ in ranges] == ends[:-1], "ranges meet without a gap"
    assert ends[-1] is None, "the last range has no end"


def test_no_number_above_those_of_32_bits_is_counted_up_to() -> None:
    """A filter may refuse it, and what follows would be one range."""
    numbers = list(range(2**31 - 150_000, 2**31 - 90_000))
    asked: list[tuple[int, int]] = []
    cut = key_ranges(
        numbers[:PAGE], len(numbers) - PAGE + 9_000, counter(numbers, asked), unique=True
    )
    assert len(list(cut)) > 5
    assert max(upto for _, upto in asked) == 2**31 - 1


def test_dense_numbers_are_cut_into_pages_and_sparse_ones_into_longer_ranges() -> None:
    dense = list(key_ranges(range(1, PAGE + 1), 50_000, lambda a, b: b - a, unique=True))
    assert all(upto is None or upto - above <= PAGE for above, upto in dense)
    sparse = counter(PHONES, [])
    most = max(
        sparse(above, upto or 10**9)
        for above, upto in key_ranges(PHONES[:PAGE], 59_000, sparse, unique=True)
    )
    assert PAGE < most <= 2 * PAGES_PER_RANGE * PAGE


@settings(max_examples=200, deadline=None)
@given(
    first=st.lists(st.integers(1, 10**8), min_size=1, max_size=50, unique=True).map(sorted),
    left=st.integers(0, 3_000_000),
    counts=st.lists(st.integers(0, 3_000_000), min_size=1, max_size=20),
    unique=st.booleans(),
)
def test_counts_that_lie_make_no_gap(
    first: list[int], left: int, counts: list[int], unique: bool
) -> None:
    turns = iter(counts)
    end: int | None = first[-1]
    for number, (above, upto) in enumerate(
        key_ranges(first, left, lambda *_: next(turns, counts[-1]), unique=unique)
    ):
        assert above == end
        assert upto is None or upto > above
        end = upto
        if number > 5_000:
            return
    assert end is None
