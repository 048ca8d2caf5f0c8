"""The rows that were open at the last run, kept small in the state of one stream and agreement."""

from __future__ import annotations

import zlib
from base64 import b64decode, b64encode
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable


class OpenSet:
    """Numbers of open rows, in the state as `open`: texts, each of which holds some of them.

    A text is a JSON list, deflated, in base64: the first number, then differences. It takes one to
    one and a half characters a number. Earlier versions wrote the differences as they are; where
    they were too many they wrote `open_from` instead, the number from which on everything has to
    be read.

    Args:
        state: the partition's state, changed in place.

    Attributes:
        numbers: the numbers of open rows.
        open_from: from which number on a row may be open that is not among them, if any may.
        damaged: the state cannot be read, so that any row may have been open.
    """

    def __init__(self, state: dict[str, Any]) -> None:
        self._state = state
        self.numbers: set[int] = set()
        self.open_from: int | None = None
        self.damaged = False
        try:
            self._read()
        except (ValueError, zlib.error, msgspec.MsgspecError):
            self.damaged = True

    def _read(self) -> None:
        self.open_from = msgspec.convert(self._state.get("open_from"), int | None)
        parts = msgspec.convert(self._state.get("open") or [], list[int | str])
        self.numbers.update(accumulate(part for part in parts if isinstance(part, int)))
        for part in parts:
            if isinstance(part, str):
                self.numbers.update(_unpacked(part))

    def keep(self, numbers: Iterable[int]) -> None:
        """Put these numbers into the state, in place of what was there."""
        self.numbers = set(numbers)
        self._state["open"] = [_packed(self.numbers)] if self.numbers else []
        self._state.pop("open_from", None)

    def add(self, numbers: Iterable[int]) -> set[int]:
        """Put these numbers beside what is there, and return those that were not.

        A run may be cut after any page. Where the state is damaged it stays so until `keep`: the
        next run has to read everything as well.
        """
        more = set() if self.damaged else set(numbers) - self.numbers
        if more:
            self.numbers |= more
            self._state["open"] = [*(self._state.get("open") or []), _packed(more)]
        return more


def _packed(numbers: Iterable[int]) -> str:
    ordered = sorted(numbers)
    steps = [*ordered[:1], *(after - before for before, after in pairwise(ordered))]
    return b64encode(zlib.compress(msgspec.json.encode(steps))).decode()


def _unpacked(text: str) -> Iterable[int]:
    steps = zlib.decompress(b64decode(text, validate=True))
    return accumulate(msgspec.json.decode(steps, type=list[int]))
