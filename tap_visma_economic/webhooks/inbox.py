"""The inbox: an append-only log of the events that webhooks reported, in SQLite or PostgreSQL.

Runs read it by `id > place`, which loses nothing because ids are committed in ascending order:
SQLite has one writer at a time, and PostgreSQL's writers take a lock before they get an id.
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from tap_visma_economic.errors import EconomicError, shown

BYTES_PER_EVENT = 256
"""What an event counts in `at_most`. Typical events take half of it, indexes included."""

_APPENDING = 4_273_046_551
"""Key of PostgreSQL's advisory lock, held by one writer from before its INSERT to its COMMIT."""

_LIMITS = {
    "idle_in_transaction_session_timeout": "5s",  # a receiver that hangs must not keep the lock
    "lock_timeout": "2s",
    "statement_timeout": "30s",
    "synchronous_commit": "on",
}
"""Settings of each of PostgreSQL's transactions that write."""

_PRUNED_AT_ONCE = 10_000
"""Ids per transaction of `prune`, so that the receiver can write in between."""

_PLACES_AT_ONCE = 1000
"""Agreements in one query for their events."""

_RESERVE = 16_000_000
"""Size of the file that `prune` deletes to have room on a full disk, in bytes."""

_CHECKPOINT = "wal_checkpoint(TRUNCATE)"

_COUNT_EVERY = 60
"""Seconds for which the number of events, as counted once, is trusted."""

_metadata = sa.MetaData()
_inbox = sa.Table(
    "inbox",
    _metadata,
    sa.Column("id", sa.String(36), primary_key=True),
    sa.Column("checked_at", sa.Float(53)),
)
_events = sa.Table(
    "events",
    _metadata,
    sa.Column(
        "id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), sa.Identity(), primary_key=True
    ),
    sa.Column("agreement", sa.BigInteger, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("numbers", sa.Text, nullable=False),
    sa.Column("received_at", sa.Float(53), nullable=False),
    sa.Index("events_of_agreement", "agreement", "id"),
    sqlite_autoincrement=True,  # else SQLite gives the ids of pruned events again
)
_readers = sa.Table(
    "readers",
    _metadata,
    sa.Column("reader", sa.Text, primary_key=True),
    sa.Column("agreement", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("place", sa.BigInteger, nullable=False),
    sa.Column("at", sa.Float(53), nullable=False),
)


class InboxError(EconomicError):
    """The inbox cannot be opened, read or written."""


@dataclass(frozen=True)
class NewEvent:
    """An event to store.

    Args:
        agreement_number: whose event it is.
        name: type of the event in upper case, such as `INVOICE_BOOKED`.
        numbers: what the request named, by e-conomic's merge field in lower case, such as
            `invoiceno`. A value is an integer if it is written as one; others, such as the product
            number `0012`, are text.
    """

    agreement_number: int
    name: str
    numbers: Mapping[str, int | str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Event(NewEvent):
    """An event of the inbox.

    Args:
        id: its place in the log, from 1. No two events get the same.
        received_at: when it was stored, UTC, by the receiver's clock.
    """

    id: int
    received_at: datetime


@dataclass(frozen=True)
class Pruned:
    """What `prune` did.

    Args:
        count: the number of events that it deleted.
        behind: the readers because of which older events are kept, and when each last read.
    """

    count: int
    behind: Mapping[str, datetime]


class Inbox:
    """The log of events. All methods can be called from several threads.

    Args:
        url: of the database, such as `sqlite:///inbox.db` or `postgresql://user@host/name`.
        create: make the tables if they do not exist.
        at_most: the size at which `append` fails, in bytes, counted as `BYTES_PER_EVENT` an event.

    Attributes:
        id: UUID of this log, made with its tables.

    Raises:
        InboxError: here and in all methods, if the database does not work.
    """

    def __init__(self, url: str, *, create: bool = False, at_most: int | None = None) -> None:
        self._at_most = at_most
        self._count, self._counted_at = 0, -float("inf")
        parsed = _parsed(url)
        self._where = _shown(parsed)
        self._file: Path | None = None
        if parsed.get_backend_name() == "sqlite":
            self._file = Path(parsed.database or "")
            if not (create or self._file.exists()):
                raise self._missing()
        self._engine = _engine(parsed, pooled=create)
        with self._transaction(writes=create) as connection:
            if create:
                _lock(connection)
                _metadata.create_all(connection)
            elif not sa.inspect(connection).has_table(_inbox.name):
                raise self._missing()
            found = connection.scalar(sa.select(_inbox.c.id))
            if not found and create:
                found = str(uuid.uuid4())
                connection.execute(sa.insert(_inbox).values(id=found))
        if not found:
            raise self._missing()
        self.id: str = found
        if create:
            self._keep_reserve()

    def _missing(self) -> InboxError:
        return InboxError(f"There is no inbox at {self._where}. Start the receiver to create it")

    def close(self) -> None:
        """Close the connections that the creator of the inbox keeps; others keep none."""
        self._engine.dispose()

    def append(self, events: Sequence[NewEvent]) -> None:
        """Store events in one transaction, which is on the disk when this returns."""
        with self._transaction(writes=True) as connection:
            _lock(connection)
            self._check_room(connection)
            connection.execute(
                sa.insert(_events),
                [
                    {
                        "agreement": event.agreement_number,
                        "name": event.name,
                        "numbers": json.dumps(dict(event.numbers), separators=(",", ":")),
                        "received_at": time.time(),
                    }
                    for event in events
                ],
            )
        self._count += len(events)

    def check(self) -> None:
        """Write, to see whether an event could be stored now."""
        with self._transaction(writes=True) as connection:
            self._check_room(connection)
            connection.execute(sa.update(_inbox).values(checked_at=time.time()))

    def end(self) -> int:
        """Return the highest id ever given, 0 at first. `prune` keeps that event."""
        with self._transaction() as connection:
            return _end(connection)

    def end_of(self, since: datetime, until: datetime) -> int:
        """Return the highest id below which no event was received in that time."""
        received = _events.c.received_at.between(since.timestamp(), until.timestamp())
        with self._transaction() as connection:
            first = connection.scalar(sa.select(sa.func.min(_events.c.id)).where(received))
            return _end(connection) if first is None else first - 1

    def agreements(self) -> set[int]:
        """Return the numbers of all agreements that have events."""
        with self._transaction() as connection:
            return set(connection.scalars(sa.select(_events.c.agreement).distinct()))

    def unread(self, places: Mapping[int, int], up_to: int) -> dict[int, list[Event]]:
        """Return the events beyond the place of their agreement, by agreement, in order.

        Args:
            places: the last id read of each agreement to return events of.
            up_to: the last id to return.
        """
        found: dict[int, list[Event]] = {}
        with self._transaction() as connection:
            for some in _parts([*places.items()]):
                for row in connection.execute(_beyond(some).where(_events.c.id <= up_to)):
                    event = Event(
                        agreement_number=row.agreement,
                        name=row.name,
                        numbers=json.loads(row.numbers),
                        id=row.id,
                        received_at=_instant(row.received_at),
                    )
                    found.setdefault(row.agreement, []).append(event)
        return found

    def write_places(self, reader: str, places: Mapping[int, int]) -> None:
        """Write how far a reader has read these agreements, in place of what it wrote last.

        Other agreements keep their places: shards that continue from copies of a state are one
        reader. The tap never reads this back: `health` and `prune` do.
        """
        now = time.time()
        with self._transaction(writes=True) as connection:
            for some in _parts([*places.items()]):
                these = _readers.c.agreement.in_([agreement for agreement, _ in some])
                connection.execute(sa.delete(_readers).where(_readers.c.reader == reader, these))
                connection.execute(
                    sa.insert(_readers),
                    [
                        {"reader": reader, "agreement": agreement, "place": place, "at": now}
                        for agreement, place in some
                    ],
                )

    def forget(self, reader: str) -> None:
        """Remove a reader that does not run any more."""
        with self._transaction(writes=True) as connection:
            connection.execute(sa.delete(_readers).where(_readers.c.reader == reader))

    def health(self) -> dict[str, Any]:
        """Return what is in the inbox, and what some reader of its agreement has not read.

        The agreements that no reader knows are `unknown_agreements`; their events are unread.
        """
        lowest = _lowest()
        unread = (
            sa.select(sa.func.count(), sa.func.min(_events.c.received_at))
            .outerjoin_from(_events, lowest, lowest.c.agreement == _events.c.agreement)
            .where(_events.c.id > sa.func.coalesce(lowest.c.place, 0))
        )
        unknown = (
            sa.select(_events.c.agreement)
            .distinct()
            .where(_events.c.agreement.not_in(sa.select(_readers.c.agreement)))
            .order_by(_events.c.agreement)
        )
        with self._transaction() as connection:
            count, oldest = connection.execute(unread).one()
            return {
                "events": _count(connection),
                "unread": count,
                "oldest_unread_seconds": max(0, round(time.time() - oldest)) if count else 0,
                "unknown_agreements": list(connection.scalars(unknown)),
            }

    def prune(self, older_than: timedelta) -> Pruned:
        """Delete the events that are older, and that all readers of their agreement have read.

        Events of an agreement without a reader go by their age alone. The newest event is kept.
        """
        before = time.time() - older_than.total_seconds()
        lowest = _lowest()
        kept = sa.select(_events.c.id).join_from(
            _events,
            lowest,
            (lowest.c.agreement == _events.c.agreement) & (_events.c.id > lowest.c.place),
        )
        behind = (
            sa.select(_readers.c.reader, sa.func.max(_readers.c.at))
            .join_from(
                _readers,
                _events,
                (_readers.c.agreement == _events.c.agreement) & (_events.c.id > _readers.c.place),
            )
            .where(_events.c.received_at < before)
            .group_by(_readers.c.reader)
        )
        count = 0
        with self._without_reserve():
            with self._transaction() as connection:
                first = connection.scalar(sa.select(sa.func.min(_events.c.id))) or 0
                end = _end(connection)
            for start in range(first, end, _PRUNED_AT_ONCE):
                stop = min(start + _PRUNED_AT_ONCE, end)
                these = (_events.c.id >= start) & (_events.c.id < stop)
                with self._transaction(writes=True) as connection:
                    old = these & (_events.c.received_at < before)
                    gone = sa.delete(_events).where(old, _events.c.id.not_in(kept.where(these)))
                    count += connection.execute(gone).rowcount
                self._shrink()
        with self._transaction() as connection:
            late = {name: _instant(at) for name, at in connection.execute(behind)}
        return Pruned(count, late)

    # A full disk

    @contextlib.contextmanager
    def _without_reserve(self) -> Iterator[None]:
        """Free the reserve's space for a while: SQLite needs some to delete rows on a full disk."""
        if self._file:
            self._reserve.unlink(missing_ok=True)
            self._shrink()
        try:
            yield
        finally:
            self._keep_reserve()

    @property
    def _reserve(self) -> Path:
        return Path(f"{self._file}-reserve")

    def _keep_reserve(self) -> None:
        if self._file and not self._reserve.exists():
            try:
                self._reserve.write_bytes(os.urandom(_RESERVE))  # not zeros: disks compress them
            except OSError:
                self._reserve.unlink(missing_ok=True)

    def _shrink(self) -> None:
        """Return the space of deleted events to the file system (SQLite)."""
        if self._file:
            with contextlib.closing(self._engine.raw_connection()) as connection:
                cursor: Any = connection.cursor()
                for pragma in (_CHECKPOINT, "incremental_vacuum", _CHECKPOINT):
                    with contextlib.suppress(sqlite3.Error):  # locked or full: the next time
                        cursor.executescript(f"PRAGMA {pragma}")  # execute() stops at one page

    def _check_room(self, connection: sa.Connection) -> None:
        if self._at_most is None:
            return
        most = self._at_most // BYTES_PER_EVENT
        if self._count >= most or time.monotonic() - self._counted_at > _COUNT_EVERY:
            self._count, self._counted_at = _count(connection), time.monotonic()
        if self._count >= most:
            raise InboxError(
                f"The inbox at {self._where} is full: it has {self._count:,} events. Prune it, or "
                "raise --at-most"
            )

    @contextlib.contextmanager
    def _transaction(self, *, writes: bool = False) -> Iterator[sa.Connection]:
        try:
            connecting = self._engine.connect().execution_options(writes=writes)
            with connecting as connection, connection.begin():
                yield connection
        except SQLAlchemyError as error:
            reason = shown(str(getattr(error, "orig", None) or error).partition("\n")[0], 300)
            done = "written" if writes else "read"
            raise InboxError(f"The inbox at {self._where} cannot be {done}: {reason}") from error


def _parsed(url: str) -> sa.URL:
    with contextlib.suppress(ArgumentError, ValueError):  # a port that is none may be a password
        parsed = sa.make_url(url)
        if parsed.drivername == "postgresql":
            parsed = parsed.set(drivername="postgresql+psycopg")
        on_sqlite = parsed.drivername in {"sqlite", "sqlite+pysqlite"}
        if (on_sqlite and parsed.database not in {None, "", ":memory:"}) or (
            parsed.drivername == "postgresql+psycopg" and "@" not in (parsed.host or "")
        ):
            return parsed
    raise InboxError(
        "The inbox must be a URL such as sqlite:///inbox.db or postgresql://user@host/database. In "
        "a password, @ is %40, : is %3A and / is %2F"
    )


def _shown(url: sa.URL) -> str:
    """Return a URL without its password, which may also be in the query."""
    return url.set(query={}).render_as_string(hide_password=True)


def _engine(url: sa.URL, *, pooled: bool) -> sa.Engine:
    on_sqlite = url.get_backend_name() == "sqlite"
    arguments = {"timeout": 2} if on_sqlite else {"connect_timeout": 5, "tcp_user_timeout": 10_000}
    try:
        pool = {"pool_pre_ping": True} if pooled else {"poolclass": sa.NullPool}
        engine = sa.create_engine(url, connect_args=arguments, **pool)
    except ImportError as error:
        raise InboxError(
            "PostgreSQL's driver is not installed: pip install 'tap-visma-economic[webhooks]'"
        ) from error
    except (ArgumentError, TypeError, ValueError):  # which may quote it
        raise InboxError(f"The URL of the inbox at {_shown(url)} has an invalid option") from None
    if on_sqlite:
        sa.event.listen(engine, "connect", _prepare_sqlite)
    sa.event.listen(engine, "begin", _begin_sqlite if on_sqlite else _begin_postgresql)
    return engine


def _prepare_sqlite(connection: Any, _: object) -> None:
    connection.isolation_level = None  # BEGIN is ours
    if not connection.execute("PRAGMA page_count").fetchone()[0]:
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")  # before there are tables
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")


def _begin_sqlite(connection: sa.Connection) -> None:
    writes = connection.get_execution_options().get("writes")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _begin_postgresql(connection: sa.Connection) -> None:
    if connection.get_execution_options().get("writes"):
        settings = (sa.func.set_config(name, value, True) for name, value in _LIMITS.items())
        connection.execute(sa.select(*settings))


def _lock(connection: sa.Connection) -> None:
    """Let other writers of PostgreSQL wait until this transaction ends."""
    if connection.dialect.name == "postgresql":
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_APPENDING)))


def _count(connection: sa.Connection) -> int:
    return connection.scalar(sa.select(sa.func.count()).select_from(_events)) or 0


def _end(connection: sa.Connection) -> int:
    return connection.scalar(sa.select(sa.func.max(_events.c.id))) or 0


def _lowest() -> sa.Subquery:
    """The place up to which all readers have read, by agreement."""
    place = sa.func.min(_readers.c.place).label("place")
    return sa.select(_readers.c.agreement, place).group_by(_readers.c.agreement).subquery()


def _parts(places: list[tuple[int, int]]) -> Iterator[list[tuple[int, int]]]:
    for start in range(0, len(places), _PLACES_AT_ONCE):
        yield places[start : start + _PLACES_AT_ONCE]


def _beyond(places: Sequence[tuple[int, int]]) -> sa.Select[Any]:
    """The events beyond the places of these agreements: as many look-ups in the index."""
    columns = (sa.column("agreement", sa.BigInteger), sa.column("place", sa.BigInteger))
    read = sa.values(*columns, name="places", literal_binds=True).data(places).cte()
    return (
        sa.select(_events)
        .join_from(
            read, _events, (_events.c.agreement == read.c.agreement) & (_events.c.id > read.c.place)
        )
        .order_by(_events.c.id)
    )


def _instant(at: float) -> datetime:
    return datetime.fromtimestamp(at, timezone.utc)
