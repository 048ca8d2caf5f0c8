"""What the strategies share: the declaration of a stream, a run's reading, and the state.

A stream declares a `Replication`. Each run makes a `Reading` of it for each agreement, which yields
pages, observes each of them before its rows are written, and keeps the state of the partition. A
bookmark moves only over rows that have been written, and never backwards.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import KW_ONLY, dataclass
from typing import Any, Protocol, TypeVar

import pendulum

from tap_visma_economic.agreement import Agreement
from tap_visma_economic.errors import QueryRefusedError
from tap_visma_economic.filters import compare
from tap_visma_economic.listing import Endpoint
from tap_visma_economic.paths import PathContext
from tap_visma_economic.records.pages import Page

T = TypeVar("T")

Pages = Iterator[tuple[PathContext, Page]]
"""Pages, each with the context of its listing."""

State = dict[str, Any]
"""The state of one partition. It comes from a file, so no value is trusted to be of its type.

`replication_key`, `replication_key_value`: the bookmark, in the SDK's shape.
`start_date`: the setting of that name; instants drop the key where it is unset, numbers have null.
`full_read_at`: when everything was last read; null from the first row written until then.
By number: `rows_to_bookmark`, how many rows there are up to it; `checkpoints`, pairs of a lower
number and the rows up to it; `open`, see `OpenSet`; `changes_since`, `changes_to`, see
`ChangelogReading`.
"""


class Stream(Endpoint, Protocol):
    """A stream, as replication uses it."""

    name: str

    @property
    def replication(self) -> Replication: ...
    @property
    def own_primary_keys(self) -> tuple[str, ...]: ...
    @property
    def parent(self) -> type[Any] | None: ...
    def sibling(self, of: type[Any]) -> Stream: ...
    def instant_literal(self, at: pendulum.DateTime) -> str: ...
    def count(self, agreement: Agreement, filter_: str | None) -> int: ...
    def read(self, agreement: Agreement, filter_: str | None) -> Pages: ...
    def column_pages(
        self, agreement: Agreement, columns: tuple[str, ...], filter_: str | None
    ) -> Iterator[tuple[Page, list[tuple[Any, ...]]]]: ...
    def knows_parents(self, agreement: Agreement) -> bool: ...
    def forget_parents(self, agreement: Agreement) -> None: ...


@dataclass(frozen=True)
class Options:
    """What the settings say about a reading.

    Args:
        full_refresh: read everything, as if there were no bookmark.
        start: `start_date`.
        lookback_minutes: how far before an instant in the state to read again.
    """

    full_refresh: bool = False
    start: pendulum.DateTime | None = None
    lookback_minutes: int = 0


@dataclass(frozen=True)
class Replication:
    """How a stream finds the rows to read.

    Args:
        key: the replication key, a property whose value the bookmark holds; empty if none is kept.
        start_date: the property that the setting `start_date` bounds, also when everything is read.
        opt_in: FULL_TABLE unless the catalog says INCREMENTAL, because rows can change without a
            change of the key.
    """

    key: str = ""
    _: KW_ONLY
    start_date: str | None = None
    opt_in: bool = False

    def full_table(self, stream: Stream, agreement: Agreement, options: Options) -> Reading:
        """Return a reading of everything from the start date on, which keeps no bookmark."""
        return Reading(stream, agreement, {}, options, self)

    def incremental(
        self, stream: Stream, agreement: Agreement, state: State, options: Options
    ) -> Reading:
        """Return a reading by the replication key, which changes the state in place."""
        raise NotImplementedError


class FullTable(Replication):
    """Everything is read in every run."""


@dataclass(eq=False, repr=False)
class Reading:
    """What one run reads of a stream and an agreement. This one reads everything.

    Args:
        state: the state of the partition, changed in place.
        by: what the stream declares.

    Attributes:
        full_refresh: everything that the settings allow was read, whatever the bookmark.
    """

    stream: Stream
    agreement: Agreement
    state: State
    options: Options
    by: Replication

    def __post_init__(self) -> None:
        self.full_refresh = True
        self._key = self.by.key
        self._start_date: str | None = None
        self._date_filter: str | None = None
        if self.options.start and self.by.start_date:
            self._start_date = self.options.start.to_date_string()
            self._date_filter = compare(self.by.start_date, "gte", self._start_date)

    @property
    def covers_everything(self) -> bool:
        """Whether every row that there is was read."""
        return self.full_refresh and self._date_filter is None

    def pages(self) -> Pages:
        """Yield the pages to be written."""
        return self.stream.read(self.agreement, self._date_filter)

    def observe(self, page: Page) -> State:  # noqa: ARG002
        """Take note of a page; return what a STATE has to say before its rows are written.

        Once they are, the run may be killed before any other STATE.
        """
        return {}

    def complete(self) -> None:
        """Take note that everything was read."""

    def _source(self) -> str:
        return f"{self.stream.name} of {self.agreement}"


def pages_since(
    stream: Stream, key: str, at: pendulum.DateTime, ask: Callable[[str | None], Iterator[T]]
) -> Iterator[T]:
    """Yield the pages of at least the rows since an instant, filtered as well as is possible.

    How the newer API takes an instant in a filter is not documented, only how it takes a day
    (docs/economic-api.md#filtering): if the first is rejected the second is tried, then no filter.
    """
    for literal in (stream.instant_literal(at), at.in_timezone("UTC").to_date_string()):
        pages = ask(compare(key, "gte", literal))
        try:
            first = next(pages, None)
        except QueryRefusedError as error:
            stream.logger.warning(
                "Cannot filter by change time exactly, so reading more than needed: %s", error
            )
            continue
        if first is not None:
            yield first
            yield from pages
        return
    yield from ask(None)


def earlier(value: object, minutes: int) -> pendulum.DateTime | None:
    """Return an instant, given as text, less some minutes; None if it is not an instant."""
    at = parse_instant(value)
    try:
        return at.subtract(minutes=minutes) if at else None
    except OverflowError:  # the year 1, .NET's way to say that there is none
        return None


def parse_instant(value: object) -> pendulum.DateTime | None:
    """Return an instant from its text, None if it is not one."""
    if not isinstance(value, str):
        return None
    try:
        at = pendulum.parse(value, tz="UTC")
    except ValueError:
        return None
    return at if isinstance(at, pendulum.DateTime) else None


def bookmark_of(state: State, key: str) -> object:
    """Return the bookmark of a key, None if the state is of another key or of none."""
    return state.get("replication_key_value") if state.get("replication_key") == key else None


def move(state: State, key: str, value: int | str) -> None:
    """Set the bookmark."""
    state["replication_key"] = key
    state["replication_key_value"] = value
