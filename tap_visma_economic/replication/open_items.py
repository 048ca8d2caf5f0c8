"""Rows that are open when they are booked, and change until they are settled."""

from __future__ import annotations

import logging
import zlib
from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import accumulate, compress, pairwise
from types import NoneType
from typing import Any

import msgspec

from tap_visma_economic.filters import both, compare
from tap_visma_economic.paths import PathContext
from tap_visma_economic.records.pages import Page
from tap_visma_economic.records.row_type import column
from tap_visma_economic.records.selection import Row
from tap_visma_economic.records.values import MistypedError, number
from tap_visma_economic.replication.base import Clock, State
from tap_visma_economic.replication.numbered import NumberReading, integers

logger = logging.getLogger("tap-visma-economic")

_AMOUNTS = {Decimal, int, NoneType}
"""Types of amounts that are true if the row is open."""


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


@dataclass(eq=False, repr=False)
class OpenItemsReading(NumberReading):
    """New rows, rows that are open now, and rows that were open at the last run and no longer are.

    A row that was open, or is seen open among the new ones, and is not in the listing of open rows
    has been settled: it is read by its number.
    """

    open_items: OpenItems

    def __post_init__(self) -> None:
        """Begin with the rows that were open at the last run."""
        super().__post_init__()
        self._kept = OpenSet(self.state)
        self._unsettled = set(self._kept.numbers)
        self._open: set[int] = set()

    def _resume_from(self) -> int | None:
        if self._kept.damaged:
            logger.warning(
                "%s: reading everything again, because `open` in its state is damaged",
                self._source(),
            )
            return None
        since = super()._resume_from()
        return min(since, self._kept.open_from or since) if since else None

    def _changed_pages(self, since: int) -> Iterator[tuple[PathContext, Page]]:
        unlisted = set(self._unsettled)
        if since:  # otherwise everything has just been read
            unlisted |= self._open
            for context, page in self._open_pages():
                unlisted.difference_update(integers(column(page.rows, self._key)))
                yield context, page
        yield from self._numbered_pages(unlisted)

    def _is_gone(self, number: int) -> bool:
        """Return whether all rows around a row were read without it.

        Up to the base counts prove that no row is gone.
        """
        return number in self._unsettled and (self.full_refresh or number > self._base[0])

    def _open_pages(self) -> Iterator[tuple[PathContext, Page]]:
        """Yield the rows that are open.

        No document says whether an amount that is not there counts as not zero. If it does, the
        listing is most of the ledger, and another filter is tried.
        """
        items = self.open_items
        stream = self.stream.sibling(items.listing) if items.listing else self.stream
        filter_ = both(items.filter, self._date_filter)
        for context, page in stream.read(self.agreement, filter_):
            if items.filter and None in column(page.rows, items.amount):
                break
            yield context, page
        else:
            return
        not_zero = f"({compare(items.amount, 'gt', 0)}$or:{compare(items.amount, 'lt', 0)})"
        yield from stream.read(self.agreement, both(self._date_filter, not_zero))

    def observe(self, rows: Sequence[Row], clock: Clock) -> State:
        """Take note of a page, and of which of its rows are open.

        The next run finds a row above the bookmark by its number, but an old one that was not open
        before only by the state: were it settled again by then, the target would keep it open.
        """
        bookmark = self._bookmark
        super().observe(rows, clock)
        numbers = integers(column(rows, self._key))
        is_open = _open_flags(column(rows, self.open_items.amount))
        opened = {number for number in compress(numbers, is_open) if number is not None}
        settled = {number for number in numbers if number is not None} - opened
        self._unsettled -= opened | settled
        self._open -= settled
        self._open |= opened
        more = self._kept.add(opened)
        is_old = bookmark is not None and any(number <= bookmark for number in more)
        return {"open": self.state["open"]} if is_old else {}

    def complete(self) -> None:
        """Keep which rows are open now, and those that may be."""
        super().complete()
        self._kept.keep(self._open | self._missing)


def _open_flags(amounts: Sequence[Any]) -> Sequence[Any]:
    """Return for each amount something that is true if the row is open."""
    return amounts if set(map(type, amounts)) <= _AMOUNTS else [_is_open(a) for a in amounts]


def _is_open(amount: object) -> bool:
    try:
        return amount is not None and number(amount) != 0
    except MistypedError:
        return True  # if it cannot be decided, the row is read again


class OpenSet:
    """Numbers of open rows, kept in the state as `open`: a list of texts with some numbers each.

    A text is a JSON array, deflated, in base64: the first number, then differences. It takes one to
    one and a half characters a number. Earlier versions wrote the differences as they are, or
    instead of too many of them `open_from`, the number from which everything has to be read.

    Args:
        state: the state of the partition, changed in place.

    Attributes:
        numbers: the numbers of open rows.
        open_from: the number from which rows may be open that are not among them, if any may.
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
        """Keep these numbers in the state, and no others."""
        self.numbers = set(numbers)
        self._state["open"] = [_packed(self.numbers)] if self.numbers else []
        self._state.pop("open_from", None)

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
