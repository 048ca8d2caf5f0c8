"""Key ranges: a long listing, cut by number so that several parts of it are read at once.

Numbers are sparse (phone numbers serve as customer numbers), so ranges are found by counting. The
first page shows how densely numbers lie; a count shows whether they go on like that, and where they
do not, halves are counted. Ranges meet without a gap and the last one has no end, so that whatever
was counted, no row is outside of them; a range with more rows than expected is read page by page.
If a count fails, what follows is one range.

Counts and partly filled pages add about a tenth to the calls, a fifth and six for the oddest
numbers: one count is allowed for 32 pages, each makes at most one range more, and each range has
one page that is not full.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from itertools import chain, pairwise
from typing import NamedTuple

from tap_visma_economic.errors import EconomicError

PAGE = 1000
"""Rows of a page."""

PAGES_PER_RANGE = 8
"""Pages of a range whose rows do not lie densely: half of its last page is wasted on average."""

_SHARES = 8
"""Ranges that what is left is cut into at least: towards the end they are short, or the last one
would be read alone."""

_LAST = 4
"""Ranges that the last rows are cut into, if they lie as densely as those before."""

WORTH_SPLITTING = 20 * PAGE
"""Rows that must be left for ranges to be worth their counts."""

_DENSE = 0.93
"""Rows per number above which a thousand numbers are as good as a page."""

_EVEN = 0.1
"""How far from the middle the count of a half may be for rows to lie evenly."""

_WITHIN = 0.9
"""How much of what is left is cut at once where the last number is an estimate."""

_FARTHER = 16
"""How much farther to look for rows that are not where the density suggests."""

_HIGHEST = 2**31 - 1
"""The highest number in a count: a filter may reject a greater one (they are 32 bits wide)."""

Count = Callable[[int, int], int]
"""Counts the rows whose numbers are above the first argument, up to the second."""


class KeyRange(NamedTuple):
    """Numbers that are read together: above one, up to another or without end."""

    above: int
    upto: int | None


def key_ranges(
    first: Sequence[int], left: int, count: Count, *, unique: bool
) -> Iterator[KeyRange]:
    """Yield ranges of what follows the first page of a listing.

    Args:
        first: numbers of the first page, ascending.
        left: rows that follow.
        count: counts rows between two numbers, one call each.
        unique: no two rows have the same number.
    """
    density = len(first) / (first[-1] - first[0] + 1)
    cut = _Cut(count, unique=unique, counts=max(3, left // PAGE // 32))
    for above, upto in pairwise(chain(cut.ends(first[-1], left, density), [None])):
        assert above is not None  # noqa: S101  only the last end is
        yield KeyRange(above, upto)


class _Cut:
    """Finds where ranges end, with a limited number of counts."""

    def __init__(self, count: Count, *, unique: bool, counts: int) -> None:
        self._count = count
        self._unique = unique
        self._counts = counts
        self._pages = PAGES_PER_RANGE

    def ends(self, low: int, left: int, density: float) -> Iterator[int]:
        """Yield `low`, then the last numbers of all ranges but the one without end."""
        yield low
        with suppress(EconomicError):
            yield from self._above(low, left, density)

    def _above(self, low: int, left: int, density: float) -> Iterator[int]:
        while left > PAGES_PER_RANGE * PAGE and self._counts and low < _HIGHEST:
            dense = self._unique and density >= _DENSE
            high = _bounded(low + int(left / density * (1 if dense else _WITHIN)) + 1)
            rows = self._rows(low, high)
            while rows < left / 2 and self._counts and high < _HIGHEST:
                high = _bounded(low + (high - low) * _FARTHER)
                dense = False
                rows = self._rows(low, high)
            self._pages = min(max(left // PAGE // _SHARES, 2), PAGES_PER_RANGE)
            yield from self._split(low, high, rows, even=dense)
            low, left, density = high, left - rows, max(rows, 1) / (high - low)
        if left > 2 * PAGE and low < _HIGHEST:
            width = int(left / density / _LAST) + 1
            yield from range(low + width, _bounded(low + _LAST * width), width)

    def _split(self, low: int, high: int, rows: int, *, even: bool) -> Iterator[int]:
        """Yield the ends of ranges between two numbers, from the number of rows between them."""
        if rows <= 0:  # numbers without rows belong to the next range
            return
        if even or rows <= PAGES_PER_RANGE * PAGE or high - low == 1 or not self._counts:
            yield from self._even(low, high, rows)
            return
        middle = (low + high) // 2
        lower = self._rows(low, middle)
        even = abs(lower / rows - 1 / 2) <= _EVEN
        yield from self._split(low, middle, lower, even=even)
        yield from self._split(middle, high, rows - lower, even=even)

    def _even(self, low: int, high: int, rows: int) -> Iterator[int]:
        dense = self._unique and rows >= _DENSE * (high - low)
        width = PAGE if dense else -(-(high - low) * self._pages * PAGE // rows)
        yield from range(low + width, high, width)
        yield high

    def _rows(self, low: int, high: int) -> int:
        self._counts -= 1
        return self._count(low, high)


def _bounded(number: int) -> int:
    return min(number, _HIGHEST)
