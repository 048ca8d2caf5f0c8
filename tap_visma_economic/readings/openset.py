"""The rows that were open at the last run, kept small in the state of one stream and agreement."""

from __future__ import annotations

from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

LARGEST = 16 * 1024
"""Characters the list may take in the state; a longer one is dropped for its lowest number."""


class OpenSet:
    """Numbers of open rows, in the state as `open`: the first number, then differences.

    When the list grows too long it is dropped: `open` is then null, and `open_from` says from which
    number on everything has to be read again.

    Args:
        state: the partition's state, changed in place.
    """

    def __init__(self, state: dict[str, Any]) -> None:
        self._state = state
        known = state.get("open")
        self.numbers = frozenset(accumulate(known)) if isinstance(known, list) else frozenset[int]()
        lowest = state.get("open_from")
        self.dropped_from: int | None = lowest if isinstance(lowest, int) else None

    def keep(self, numbers: Iterable[int]) -> None:
        """Put these numbers into the state, in place of what was there."""
        self.numbers, self.dropped_from = frozenset(numbers), None
        ordered = sorted(self.numbers)
        steps = [*ordered[:1], *(after - before for before, after in pairwise(ordered))]
        if sum(len(str(step)) + 1 for step in steps) > LARGEST:
            self._drop(ordered[0])
        else:
            self._state["open"] = steps
            self._state["open_from"] = None

    def add(self, numbers: Iterable[int]) -> None:
        """Put these numbers beside what is there: a run may be cut after any page."""
        more = frozenset(numbers) - self.numbers
        if not more:
            return
        if self.dropped_from is None:
            self.keep(self.numbers | more)
        else:
            self._drop(min(self.dropped_from, *more))

    def _drop(self, lowest: int) -> None:
        self.numbers, self.dropped_from = frozenset(), lowest
        self._state["open"] = None
        self._state["open_from"] = lowest
