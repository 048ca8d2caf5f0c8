"""Rows that are open when they are booked, and change until they are settled."""

from __future__ import annotations

import zlib
from base64 import b64decode, b64encode
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Any

import msgspec


@dataclass(frozen=True)
class OpenItems:
    """How the open rows of a stream are recognised and listed.

    Args:
        filter: what finds them in the listing.
        listing: the stream whose listing has them, if it is not the stream's own.
        amount: the property that is not zero on an open row.
    """

    filter: str | None = None
    listing: type[Any] | None = None
    amount: str = "remainder"


class OpenSet:
    """Numbers of open rows, kept in the state as `open`: a list of texts with some numbers each.

    A text is a JSON array, deflated, in base64: the first number, then differences. It takes one to
    one and a half characters a number.

    Args:
        state: the state of the partition, changed in place.

    Attributes:
        numbers: the numbers of open rows.
        damaged: the state cannot be read, so that any row may have been open.
    """

    def __init__(self, state: dict[str, Any]) -> None:
        self._state = state
        self.numbers: set[int] = set()
        self.damaged = False
        try:
            for part in msgspec.convert(state.get("open") or [], list[str]):
                self.numbers.update(_unpacked(part))
        except (ValueError, zlib.error, msgspec.MsgspecError):
            self.damaged = True

    def keep(self, numbers: Iterable[int]) -> None:
        """Keep these numbers in the state, and no others."""
        self.numbers = set(numbers)
        self._state["open"] = [_packed(self.numbers)] if self.numbers else []

    def add(self, numbers: Iterable[int]) -> set[int]:
        """Keep these numbers too, and return those that are new.

        A run may be cut after any page. A damaged state stays so until `keep`: the next run has to
        read everything as well.
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
