"""Which rows of a listing are meant: filter, sort, cursor. Rows are named by their index.

Listings can be long and lazy (the ledger), so bounds on the key are found by bisection, and what
a filter or sort found in a lazy listing is remembered for its further pages. Plain lists are read
anew each time, so a test may change them under the server.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Callable, Sequence
from threading import Lock
from typing import Any

from .facts import Endpoint
from .filters import parse_filter
from .matching import compile_filter, getter
from .sorting import Term, in_order, parse_sort
from .values import Row

Indexes = Sequence[int]
_SMALL = (
    5_000  # a plain list up to here is sorted and searched in full; above, trusted to be sorted
)


class Memory:
    """The latest findings, by key; at most ``size`` of them."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._known: OrderedDict[Any, Any] = OrderedDict()
        self._lock = Lock()

    def get(self, key: Any, find: Callable[[], Any], *, anew: bool) -> Any:
        """What is known under the key, found first if need be; ``anew`` finds it again."""
        with self._lock:
            if key in self._known and not anew:
                self._known.move_to_end(key)
                return self._known[key]
        found = find()
        with self._lock:
            self._known[key] = found
            while len(self._known) > self.size:
                self._known.popitem(last=False)
        return found


class Listing:
    """The rows of one endpoint for one company and one set of path parameters.

    Args:
        endpoint: what the rows are.
        rows: the rows in the listing's default order.
        zone: how instants are served.
        memory: where findings in lazy rows are kept.
        owner: what tells these rows from others in the memory.
    """

    def __init__(
        self, endpoint: Endpoint, rows: Sequence[Row], zone: str, memory: Memory, owner: Any
    ) -> None:
        self.endpoint = endpoint
        self.rows = rows
        self.zone = zone
        self._memory = memory
        self.lazy = not isinstance(rows, list)
        self.owner = (owner, len(rows))

    def select(self, query_filter: str, sort: str = "", *, anew: bool = True) -> Indexes:
        """The rows that a filter keeps, in the order of a sort; empty texts ask for nothing.

        What was found in a lazy listing is used again for its further pages (not ``anew``) as long
        as no row has come or gone.

        Raises:
            FilterError, SortError: what the API answers with 400.
            PublishedButBroken: what it answers with 500.
        """
        terms = parse_sort(sort, self.endpoint) if sort else ()
        matcher = (
            compile_filter(parse_filter(query_filter), self.endpoint, self.zone)
            if query_filter
            else None
        )
        if self.lazy and (terms or (matcher and matcher.matches)):
            key = ("select", self.owner, query_filter, sort)
            found: Indexes = self._memory.get(key, lambda: self._select(matcher, terms), anew=anew)
            return found
        return self._select(matcher, terms)

    def _select(self, matcher: Any, terms: tuple[Term, ...]) -> Indexes:
        rows = self.rows
        indexes: Indexes = range(len(rows))
        if matcher is not None:
            indexes = self._between(matcher.low, matcher.high)
            if matcher.matches is not None:
                matches = matcher.matches
                indexes = [index for index in indexes if matches(rows[index])]
        if self._by_key(terms) and self._sorted:
            return indexes[::-1] if terms[0].descending else indexes
        return in_order(rows, indexes, terms, self.zone) if terms else indexes

    @property
    def _sorted(self) -> bool:
        by_key = self.endpoint.kind != "paged"  # the changelog comes newest first
        return by_key and (self.lazy or len(self.rows) > _SMALL)

    def _by_key(self, terms: tuple[Term, ...]) -> bool:
        key = self.endpoint.key
        return (
            len(key) == 1
            and len(terms) == 1
            and terms[0].property == key[0]
            and not terms[0].as_text
        )

    def _between(self, low: int | None, high: int | None) -> Indexes:
        rows = self.rows
        if low is None and high is None:
            return range(len(rows))
        key: Callable[[Row], Any] = getter(self.endpoint.key[0])
        if self._sorted:
            return range(
                0 if low is None else bisect_left(rows, low, key=key),
                len(rows) if high is None else bisect_left(rows, high, key=key),
            )
        return [
            index
            for index, row in enumerate(rows)
            if (low is None or key(row) >= low) and (high is None or key(row) < high)
        ]

    def where(self, by: Sequence[str], values: Sequence[str]) -> Indexes:
        """The rows whose properties, written as text, are these values; case does not count."""
        if self._sorted and tuple(by) == self.endpoint.key[:1] and values[0].isdecimal():
            return self._between(int(values[0]), int(values[0]) + 1)
        getters = [getter(name) for name in by]
        wanted = [value.casefold() for value in values]
        return [
            index
            for index, row in enumerate(self.rows)
            if [str(get(row)).casefold() for get in getters] == wanted
        ]

    def key(self, index: int) -> tuple[Any, ...]:
        """What a row is ordered by on a cursor: its key, text without case."""
        row = self.rows[index]
        parts = (getter(name)(row) for name in self.endpoint.key)
        return tuple(part.casefold() if isinstance(part, str) else part for part in parts)

    def ascending(self, indexes: Indexes) -> Indexes:
        """The same rows by ascending key."""
        return indexes if self._sorted else sorted(indexes, key=self.key)

    def page(self, indexes: Indexes) -> list[Row]:
        """The rows themselves."""
        rows = self.rows
        if isinstance(indexes, range) and indexes.step == 1:
            return list(rows[indexes.start : indexes.stop])
        return [rows[index] for index in indexes]
