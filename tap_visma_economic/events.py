"""Webhook events: which rows a run reads because of them, and which events count as read.

The inbox has numbers, not rows. An event run reads the rows that unread events name, from the
streams that have them; a nightly run reads everything, which corrects what events missed. How far
an agreement's events have been read is in the state, so that they count as read only when the
target has confirmed their rows.

`Events.find` turns unread events into work, by `RULES`. `Events.steps` yields the pages of it, in
which `NamedRows` reads rows by their numbers. `Events.end`, or `end_night` after a nightly run,
puts into the state how far events have been read.
"""

from __future__ import annotations

import contextlib
import logging
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone
from typing import Annotated, NamedTuple

import msgspec

from tap_visma_economic.agreement import Agreement
from tap_visma_economic.errors import counted, shown
from tap_visma_economic.filters import LONGEST_LIST, both, compare, lists, one_of
from tap_visma_economic.records.pages import Page
from tap_visma_economic.replication.base import Options, Pages, Reading, State
from tap_visma_economic.replication.by_number import open_flags
from tap_visma_economic.replication.partition import Partition, Step
from tap_visma_economic.run import EVENTS, Run
from tap_visma_economic.stream import EconomicStream
from tap_visma_economic.webhooks.inbox import Event, Inbox, InboxError

logger = logging.getLogger("tap-visma-economic")


_YOUNGEST = timedelta(seconds=20)
"""Age of an event before which e-conomic may not serve its rows yet: it stays unread, and so do
those after it, for the state has one place."""

_BETWEEN = timedelta(seconds=60)
"""Time between two readings of an agreement."""

_PATIENCE = timedelta(minutes=30)
"""How long rows that e-conomic does not return are requested again."""

_TEXTS = 20
"""Texts in a filter, which stays short enough for a URL."""

_LARGEST_NUMBER = 2**31 - 1
"""Of a row: e-conomic's numbers are 32 bits wide, and others are rejected with the whole list."""

_MOST_NAMED = 10
"""Agreements that a line of the log names at most."""

_MOST_MISSING = 200
"""Events of an agreement whose rows are requested again."""


@dataclass(frozen=True)
class Rule:
    """What is read because of an event.

    Args:
        field: the merge field with the number of the row.
        rows: groups of streams, in one of each of which the row is.
        lines: the stream with the lines of that row, which are read by its number.
        nightly: streams that are read as in a nightly run.
        customer: the customer that the row names is read too.
    """

    field: str = "newnumber"
    rows: tuple[tuple[str, ...], ...] = ()
    lines: str = ""
    nightly: tuple[str, ...] = ()
    customer: bool = False


_INVOICE = Rule(
    "invoiceno",
    rows=(("invoices_booked",),),
    nightly=("invoices_booked", "invoices_booked_lines", "booked_entries"),
    customer=True,
)
_JOURNAL = Rule(nightly=("booked_entries", "draft_entries", "attached_documents"))
_ORDER = Rule(rows=(("orders_drafts", "orders_sent", "orders_archived"),), lines="orders_lines")
_QUOTE = Rule(rows=(("quotes_drafts", "quotes_sent", "quotes_archived"),), lines="quotes_lines")

RULES: dict[str, Rule] = {
    "INVOICE_BOOKED": _INVOICE,
    "JOURNAL_BOOKED": _JOURNAL,
    "DAYBOOK_BOOKED": _JOURNAL,
    "CUSTOMER_UPDATED": Rule(rows=(("customers",), ("openapi_customers",))),
    "PRODUCT_UPDATED": Rule(rows=(("products",), ("openapi_products",))),
    "PROJECT_UPDATED": Rule(rows=(("projects",),)),
    "SUPPLIER_UPDATED": Rule(rows=(("suppliers",),)),
    "ORDER_UPDATED": _ORDER,
    "QUOTE_UPDATED": _QUOTE,
    "QUOTATION_UPDATED": _QUOTE,
}
"""Events by name, see docs/economic-api.md#webhooks. All others: everything is read once."""

_CUSTOMERS = {"customers", "openapi_customers"}
"""Streams that are read last: the rows of others name the customers."""

_KEYS = {"orders_lines": "orderNumber", "quotes_lines": "quoteNumber"}
"""The property by which a stream's rows are named, if it is not the first of the primary key; see
docs/economic-api.md#openapi-listings."""

_Instant = Annotated[datetime, msgspec.Meta(tz=True)]


class _Missing(NamedTuple):
    """An event whose row e-conomic has not returned yet."""

    name: str
    key: str
    since: _Instant


class _State(msgspec.Struct, omit_defaults=True):
    """What the state of an agreement has of its events.

    Args:
        read: id of the inbox, and of the last event that was read.
        reader: who reads, for the inbox's table of readers.
        grant: fingerprint of the token with which the agreement was read.
        at: when an event run last read the agreement.
        missing: events to try again.
    """

    read: tuple[str, int]
    reader: str
    grant: str = ""
    at: _Instant | None = None
    missing: list[_Missing] = []


@dataclass
class _Work:
    """What an event run reads of one agreement.

    Attributes:
        place: id of the last event that is read.
        events: how many are read.
        named: events with the number of a row, and since when the row has been requested.
        keys: numbers of rows to read, by stream; none yet where they are in rows of another.
        nightly: streams that are read as in a nightly run.
        found: streams and numbers of rows that e-conomic returned.
        valued: those of them that have an amount.
    """

    place: int
    events: int = 0
    named: dict[tuple[str, str], datetime] = field(default_factory=dict)
    keys: dict[str, set[str]] = field(default_factory=dict)
    nightly: set[str] = field(default_factory=set)
    found: set[tuple[str, str]] = field(default_factory=set)
    valued: set[tuple[str, str]] = field(default_factory=set)

    @property
    def streams(self) -> set[str]:
        """The streams to read, as far as is known by now."""
        return self.nightly | {stream for stream, keys in [*self.keys.items()] if keys}

    def add(
        self, rule: Rule, name: str, key: str, since: datetime, selected: AbstractSet[str]
    ) -> None:
        """Add what an event names."""
        self.nightly |= selected & {*rule.nightly}
        if not key:  # of a deleted row, perhaps
            return
        for stream in selected & {rule.lines, *(one for group in rule.rows for one in group)}:
            self.keys.setdefault(stream, set()).add(key)
            self.named[name, key] = min(since, self.named.get((name, key), since))
        if rule.customer and not selected & {*rule.rows[0]}:  # nothing has the numbers
            self.nightly |= selected & _CUSTOMERS


class Events:
    """The events of one run, nightly or not.

    Args:
        run: reads the streams.
        streams: the selected ones.
        url: of the inbox.

    Raises:
        InboxError: the inbox cannot be read.
    """

    def __init__(self, run: Run, streams: Iterable[EconomicStream], url: str) -> None:
        self._run = run
        self._streams = {stream.name: stream for stream in streams}
        self._inbox = Inbox(url)
        self._end = self._inbox.end()
        self._settled = self._inbox.end(_YOUNGEST)
        self._now = datetime.now(timezone.utc)
        self._states = dict(self._known())
        self._places = {number: self._place(number) for number in self._states}
        readers = [state.reader for state in self._states.values()]
        self._reader = run.config.get("events_reader") or min(readers, default=str(uuid.uuid4()))
        self._work: dict[int, _Work] = {}
        try:
            self._inbox.write_places(self._reader, self._places)
        except InboxError as error:  # only `health` and `prune` read them
            logger.warning("%s", error)

    def _known(self) -> Iterator[tuple[int, _State]]:
        for number, state in self._run.event_states().items():
            try:
                yield number, msgspec.convert(state, _State)
            except msgspec.ValidationError:  # noqa: PERF203
                logger.warning(
                    "Agreement %d: `%s` in its state is damaged. The next nightly run replaces it",
                    number,
                    EVENTS,
                )

    def _place(self, number: int) -> int:
        inbox, place = self._states[number].read
        if inbox == self._inbox.id and place <= self._end:
            return place
        logger.warning(
            "Agreement %d: this is not the inbox of the last run, or it has lost events. Reading "
            "all its events",
            number,
        )
        return 0

    def _is_read(self, number: int, streams: Iterable[str]) -> bool:
        return all((stream, number) in self._run.ended for stream in streams)

    def _keep(
        self,
        agreement: Agreement,
        place: int,
        missing: Sequence[_Missing],
        at: datetime | None = None,
    ) -> None:
        """Put into the state what has been read, and which missing rows are requested again."""
        tried = [one for one in missing if self._now - one.since < _PATIENCE][:_MOST_MISSING]
        if left := len(missing) - len(tried):
            logger.info(
                "%s: e-conomic did not return the rows of %s, which are left to the nightly run",
                agreement,
                counted(left, "event"),
            )
        read = (self._inbox.id, place)
        state = _State(read, self._reader, self._run.digest(agreement.grant), at, tried)
        self._run.keep_events(agreement, msgspec.to_builtins(state))

    # A nightly run

    def end_night(self, elsewhere: Iterable[int]) -> None:
        """Count events as read where every selected stream was, if they were old enough before.

        Args:
            elsewhere: agreements whose events other shards read.
        """
        for agreement in self._run.agreements:
            number = agreement.number
            if self._is_read(number, self._streams):
                before = self._states.get(number)
                place = max(self._settled, self._places.get(number, 0))
                self._keep(agreement, place, before.missing if before else [])
        known = {agreement.number for agreement in self._run.agreements} | self._states.keys()
        known |= {*elsewhere, *(grant.number or 0 for grant in self._run.disabled)}
        with contextlib.suppress(InboxError):
            if unknown := sorted(self._inbox.agreements() - known):
                logger.warning(
                    "The inbox has events of agreements that are not in the settings: %s",
                    ", ".join(map(str, unknown[:_MOST_NAMED])),
                )

    # An event run

    def find(self) -> bool:
        """Find what unread events name, and return whether that is anything."""
        if not self._states:
            logger.info("Events have to wait for the first complete run without events_only")
        unread = self._inbox.unread(self._places, self._settled)
        for number, state in self._states.items():
            if not (state.at and timedelta(0) <= self._now - state.at < _BETWEEN):
                work = self._work_of(number, state, unread.get(number, ()))
                if work.streams:
                    self._work[number] = work
        self._choose_grants()
        return bool(self._work and self._run.grants)

    def _work_of(self, number: int, state: _State, events: Iterable[Event]) -> _Work:
        work = _Work(self._places[number])
        for event in events:
            work.place, work.events = event.id, work.events + 1
            if rule := RULES.get(event.name):
                key = str(event.numbers.get(rule.field, ""))
                work.add(rule, event.name, key, self._now, self._streams.keys())
            else:
                work.nightly |= self._streams.keys()
                logger.warning(
                    "Agreement %d: event %s is unknown, so this run reads all its streams",
                    number,
                    shown(event.name),
                )
        for name, key, since in state.missing:
            if rule := RULES.get(name):
                work.add(rule, name, key, since, self._streams.keys())
        return work

    def _choose_grants(self) -> None:
        """Choose the grants to use, and those whose `/self` need not be requested."""
        of = {state.grant: number for number, state in self._states.items()}
        numbers = {grant: of.get(self._run.digest(grant)) for grant in self._run.grants}
        unknown = self._work.keys() - numbers.values()
        self._run.grants = [
            grant
            for grant, number in numbers.items()
            if number in self._work
            or (number is None and unknown and (grant.number is None or grant.number in unknown))
        ]
        self._run.known = {
            grant.token: number
            for grant, number in numbers.items()
            if number in self._work and "agreements" not in self._work[number].nightly  # `/self`
        }

    def includes(self, agreement: int, stream: str | None = None) -> bool:
        """Return whether an agreement, or a stream of it, is read."""
        work = self._work.get(agreement)
        if work is None or stream is None:
            return work is not None
        return stream in work.nightly or bool(work.keys.get(stream))

    def phases(self) -> Iterator[list[EconomicStream]]:
        """Yield the streams to read, first those whose rows have numbers by which others are."""
        for is_last in (False, True):
            named = {s for one in self._run.agreements for s in self._work[one.number].streams}
            yield [
                s
                for s in self._streams.values()
                if s.name in named and (s.name in _CUSTOMERS) is is_last
            ]

    def steps(
        self,
        stream: EconomicStream,
        agreement: Agreement,
        ordinary: Callable[[], Partition],
        state: State,
        options: Options,
    ) -> Iterator[Step | Partition]:
        """Yield the pages of a stream: as in a nightly run (`ordinary`), and of the named rows."""
        work = self._work[agreement.number]
        keys = work.keys.get(stream.name, set())
        before, whole = {**state}, None
        if stream.name in work.nightly or len(keys) > LONGEST_LIST:
            for step in ordinary().steps():
                if isinstance(step, Partition):
                    whole = step
                else:
                    self._note(work, stream, step.page)
                    before = step.state
                    yield step
        left = {key for key in keys if (stream.name, key) not in work.found}
        if whole and (whole.reading.covers_everything or not left):
            yield whole
            return

        def named() -> Reading:
            filters = [*_filters(stream, left)]
            return NamedRows(stream, agreement, before, options, stream.replication, filters)

        for step in Partition(stream, agreement, named, before, None).steps():
            if isinstance(step, Partition):
                yield whole or step
            else:
                self._note(work, stream, step.page)
                yield step

    def _note(self, work: _Work, stream: EconomicStream, page: Page) -> None:
        """Note which named rows are on a page, and the numbers in them by which others are read."""
        keys = work.keys.get(stream.name, ())
        followers = self._streams.keys() & _CUSTOMERS if stream.name == "invoices_booked" else ()
        for place, value in enumerate(page.rows.column(_key_of(stream)) if keys else ()):
            if (key := str(value)) in keys:
                work.found.add((stream.name, key))
                row = page.rows[place]
                if row.get("netAmount"):
                    work.valued.add((stream.name, key))
                for follower in followers:
                    number = (row.get("customer") or {}).get("customerNumber")
                    work.keys.setdefault(follower, set()).add(str(number))

    def end(self) -> None:
        """Count events as read where everything that they name was."""
        for agreement in self._run.agreements:
            number = agreement.number
            work = self._work[number]
            if self._is_read(number, work.streams):
                named = sorted(work.named.items(), key=lambda one: one[1])
                missing = [_Missing(*o, at) for o, at in named if self._lacks(number, work, *o)]
                logger.info("%s: read %s", agreement, counted(work.events, "event"))
                self._keep(agreement, work.place, missing, self._now)

    def _lacks(self, number: int, work: _Work, name: str, key: str) -> bool:
        """Return whether e-conomic did not return a named row of a stream that it serves.

        A document and its lines may be served one before the other. It may have no lines, but then
        it has no amount either.
        """
        rule, selected = RULES[name], self._streams.keys()
        lines = selected & {rule.lines}
        groups = [selected & {*group} or lines for group in rule.rows]
        if any((stream, key) in work.valued for group in rule.rows for stream in group):
            groups.append(lines)
        return any(
            group and all(self._run.ended[s, number] and (s, key) not in work.found for s in group)
            for group in groups
        )


@dataclass(eq=False, repr=False)
class NamedRows(Reading):
    """Rows by their numbers. No bookmark, no row count and no set of open rows changes.

    A row that is open is not written: by the state it is not, so nothing would read it again once
    it is settled. The next reading of the open rows has it.

    Args:
        filters: of the rows with these numbers, each of some of them.
    """

    filters: Sequence[str]

    def __post_init__(self) -> None:
        """Set what a reading of only some rows has to."""
        super().__post_init__()
        self.full_refresh = False

    def pages(self) -> Pages:
        """Yield the rows with these numbers."""
        items = getattr(self.by, "open_items", None)
        for named in self.filters:
            for context, page in self.stream.read(self.agreement, both(named, self._date_filter)):
                if items:
                    flags = open_flags(page.rows.column(items.amount))
                    settled = [place for place, is_open in enumerate(flags) if not is_open]
                    yield context, replace(page, rows=page.rows.take(settled))
                else:
                    yield context, page


def _key_of(stream: EconomicStream) -> str:
    """Return the property by which a stream's rows are named."""
    return _KEYS.get(stream.name) or stream.identity_columns[0]


def _filters(stream: EconomicStream, keys: set[str]) -> Iterator[str]:
    """Yield filters for rows. REST lists of text match nothing: docs/economic-api.md#filtering."""
    key = _key_of(stream)
    if stream.keyset:
        possible = (int(number) for number in keys if number.isdecimal())
        for numbers in lists(number for number in possible if number <= _LARGEST_NUMBER):
            yield one_of(key, numbers)
        return
    texts = sorted(keys)
    for start in range(0, len(texts), _TEXTS):
        equal = (compare(key, "eq", text) for text in texts[start : start + _TEXTS])
        yield f"({'$or:'.join(equal)})"
