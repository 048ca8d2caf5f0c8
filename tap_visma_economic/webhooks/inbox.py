"""The inbox: an append-only log of the events that webhooks reported, in SQLite or PostgreSQL.

Runs read it by `id > place`, which loses nothing because ids are committed in ascending order:
there is one writer at a time, in SQLite anyway and in PostgreSQL by an advisory lock.
"""

from __future__ import annotations

import contextlib
import os
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError, DisconnectionError, SQLAlchemyError

from tap_visma_economic.errors import EconomicError, shown

LONGEST_NAME, LONGEST_NUMBERS = 100, 512
"""Of an event to store: characters of its name, and of its numbers as JSON in ASCII."""

BYTES_PER_EVENT = 1024
"""What an event counts in `at_most`: the longest takes less, with its share of the index."""

BEGIN = {
    "sqlite": "BEGIN IMMEDIATE",
    "postgresql": """
        SET LOCAL idle_in_transaction_session_timeout = '5s';  -- or a hung receiver keeps the lock
        SET LOCAL lock_timeout = '2s';
        SET LOCAL statement_timeout = '30s';
        SET LOCAL synchronous_commit = on;
        SELECT pg_advisory_xact_lock(4273046551)  -- until COMMIT
    """,
}
"""How a transaction that writes begins: each waits for the one before it, for two seconds."""

_PRUNED_AT_ONCE = 10_000
"""Ids per transaction of `prune`, so that the receiver can write in between."""

_RESERVE = 16_000_000
"""Size of the file that `prune` deletes to have room on a full disk, in bytes."""

_RECENT = 100_000
"""Ids among which young events are looked for: more than arrive in a minute."""

_metadata = sa.MetaData()
_inbox = sa.Table("inbox", _metadata, sa.Column("id", sa.String(36), primary_key=True))
_number = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_events = sa.Table(
    "events",
    _metadata,
    sa.Column("id", _number, sa.Identity(), primary_key=True),
    sa.Column("agreement_number", sa.BigInteger, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("numbers", sa.JSON, nullable=False),
    sa.Column("received_at", sa.Float(53), nullable=False),
    sa.Index("events_of_agreement", "agreement_number", "id"),
    sqlite_autoincrement=True,  # else SQLite gives the ids of pruned events again
)
_readers = sa.Table(
    "readers",
    _metadata,
    sa.Column("reader", sa.Text, primary_key=True),
    sa.Column("agreement_number", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("place", sa.BigInteger, nullable=False),
    sa.Column("at", sa.Float(53), nullable=False),
)
_end = sa.select(sa.func.coalesce(sa.func.max(_events.c.id), 0))
_count = sa.select(sa.func.count()).select_from(_events)
_of_same = _readers.c.agreement_number == _events.c.agreement_number
_is_unread = _of_same & (_readers.c.place < _events.c.id)


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
    """An event of the inbox; `id` is its place in the log, from 1. No two events get the same."""

    id: int


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
        self._engine = _engine(url, pooled=create)
        parsed = self._engine.url  # a password may also be in the query
        self._where = parsed.set(query={}).render_as_string(hide_password=True)
        self._most = None if at_most is None else at_most // BYTES_PER_EVENT
        self._room = 0
        file = parsed.database if self._engine.name == "sqlite" else None
        self._reserve = Path(f"{file}-reserve") if file else None
        found = None
        if create or not file or _file_at(Path(file)):
            with self._transaction(writes=create) as connection:
                if create:
                    _metadata.create_all(connection)
                    if not connection.scalar(sa.select(_inbox.c.id)):
                        connection.execute(sa.insert(_inbox).values(id=str(uuid.uuid4())))
                if sa.inspect(connection).has_table(_inbox.name):
                    found = connection.scalar(sa.select(_inbox.c.id))
        if not found:
            raise InboxError(
                f"There is no inbox at {self._where} that can be read. Start the receiver to "
                "create it"
            )
        self.id: str = found
        if create:
            self._keep_reserve()

    def close(self) -> None:
        """Close the connections that the creator of the inbox keeps; others keep none."""
        self._engine.dispose()

    def append(self, events: Sequence[NewEvent]) -> None:
        """Store events in one transaction, which is on the disk when this returns.

        Without events it only shows whether one could be stored now.
        """
        now = time.time()
        with self._transaction(writes=True) as connection:
            self._take_room(connection, max(len(events), 1))
            if rows := [{**vars(event), "received_at": now} for event in events]:
                connection.execute(sa.insert(_events), rows)
            else:
                connection.execute(sa.update(_inbox).values(id=_inbox.c.id))

    def _take_room(self, connection: sa.Connection, events: int) -> None:
        """Count the inbox again when a tenth of the room is used: other receivers write too."""
        if self._most is not None and self._room < events:
            count = connection.scalar(_count) or 0
            if count + events > self._most:
                raise InboxError(
                    f"The inbox at {self._where} is full: it has {count:,} events. Prune it, or "
                    "raise --at-most"
                )
            self._room = max(events, (self._most - count) // 10)
        self._room -= events

    def end(self, youngest: timedelta | None = None) -> int:
        """Return the highest id ever given, 0 at first. `prune` keeps that event.

        Args:
            youngest: return the last id before the first event that is younger. An event that a
                receiver's clock puts more than a minute into the future is not.
        """
        with self._transaction() as connection:
            end = connection.scalar(_end) or 0
            if youngest is None:
                return end
            now = time.time()
            is_young = _events.c.received_at.between(now - youngest.total_seconds(), now + 60)
            young = sa.select(sa.func.min(_events.c.id)).where(
                _events.c.id > end - _RECENT, is_young
            )
            return (connection.scalar(young) or end + 1) - 1

    def agreements(self) -> set[int]:
        """Return the numbers of all agreements that have events."""
        with self._transaction() as connection:
            return set(connection.scalars(sa.select(_events.c.agreement_number).distinct()))

    def unread(self, places: Mapping[int, int], up_to: int) -> dict[int, list[Event]]:
        """Return the events beyond the place of their agreement, by agreement, in order.

        Args:
            places: the last id read of each agreement to return events of.
            up_to: the last id to return.
        """
        found: dict[int, list[Event]] = {}
        if places:
            columns = (sa.column("number", sa.BigInteger), sa.column("place", sa.BigInteger))
            values = sa.values(*columns, name="places", literal_binds=True).data([*places.items()])
            read = values.cte()  # one look-up in the index for each agreement
            beyond = (_events.c.agreement_number == read.c.number) & (_events.c.id > read.c.place)
            wanted = [_events.c[name] for name in ("agreement_number", "name", "numbers", "id")]
            query = sa.select(*wanted).join_from(read, _events, beyond).order_by(_events.c.id)
            with self._transaction() as connection:
                for row in connection.execute(query.where(_events.c.id <= up_to)).mappings():
                    found.setdefault(row["agreement_number"], []).append(Event(**row))
        return found

    def write_places(self, reader: str, places: Mapping[int, int]) -> None:
        """Write how far a reader has read these agreements, in place of what it wrote last.

        Other agreements keep their places: shards that continue from copies of a state are one
        reader. The tap never reads this back: `health` and `prune` do.
        """
        statement = sa.text(  # as both databases have it
            "INSERT INTO readers (reader, agreement_number, place, at) "
            "VALUES (:reader, :number, :place, :at) "
            "ON CONFLICT (reader, agreement_number) DO UPDATE SET place = excluded.place, "
            "at = excluded.at"
        )
        row = {"reader": reader, "at": time.time()}
        if rows := [{**row, "number": number, "place": place} for number, place in places.items()]:
            with self._transaction(writes=True) as connection:
                connection.execute(statement, rows)

    def forget(self, reader: str) -> None:
        """Remove a reader that does not run any more."""
        with self._transaction(writes=True) as connection:
            connection.execute(sa.delete(_readers).where(_readers.c.reader == reader))

    def health(self) -> dict[str, Any]:
        """Return what is in the inbox, and what some reader of its agreement has not read.

        The agreements that no reader knows are `unknown_agreements`; their events are unread.
        """
        is_unknown = ~sa.exists().where(_of_same)
        unread = sa.select(sa.func.count(), sa.func.min(_events.c.received_at))
        unread = unread.where(is_unknown | sa.exists().where(_is_unread))
        unknown = sa.select(_events.c.agreement_number).distinct().where(is_unknown)
        with self._transaction() as connection:
            count, oldest = connection.execute(unread).one()
            return {
                "events": connection.scalar(_count),
                "unread": count,
                "oldest_unread_seconds": max(0, round(time.time() - oldest)) if count else 0,
                "unknown_agreements": sorted(connection.scalars(unknown)),
            }

    def prune(self, older_than: timedelta) -> tuple[int, dict[str, datetime]]:
        """Delete the events that are older, and that all readers of their agreement have read.

        Events of an agreement without a reader go by their age alone. The newest event is kept.

        Returns:
            The number of events deleted, and the readers because of which older ones are kept, with
            the time at which each last read.
        """
        is_old = _events.c.received_at < time.time() - older_than.total_seconds()
        behind = sa.select(_readers.c.reader, sa.func.max(_readers.c.at))
        behind = behind.join_from(_readers, _events, _is_unread).where(is_old)
        count = 0
        self._free_reserve()
        try:
            self._shrink()
            with self._transaction() as connection:
                first = connection.scalar(sa.select(sa.func.min(_events.c.id))) or 0
                end = connection.scalar(_end) or 0
            for start in range(first, end, _PRUNED_AT_ONCE):
                ids = (_events.c.id >= start) & (_events.c.id < min(start + _PRUNED_AT_ONCE, end))
                gone = sa.delete(_events).where(ids, is_old, ~sa.exists().where(_is_unread))
                with self._transaction(writes=True) as connection:
                    count += connection.execute(gone).rowcount
                self._shrink()
        finally:
            self._keep_reserve()
        with self._transaction() as connection:
            late = connection.execute(behind.group_by(_readers.c.reader)).all()
        return count, {reader: datetime.fromtimestamp(at, timezone.utc) for reader, at in late}

    def _keep_reserve(self) -> None:
        """Keep space for `prune`: on a full disk, SQLite cannot delete rows without some."""
        if self._reserve and not _file_at(self._reserve):
            try:
                self._reserve.write_bytes(os.urandom(_RESERVE))  # not zeros: disks compress them
            except OSError:
                self._free_reserve()

    def _free_reserve(self) -> None:
        if self._reserve:
            with contextlib.suppress(OSError):  # another user's, or none
                self._reserve.unlink()

    def _shrink(self) -> None:
        """Return the space of deleted events to the file system: SQLite's log has them first."""
        if self._reserve:
            # If it is locked or full, it shrinks the next time.
            with contextlib.suppress(InboxError), self._transaction() as connection:
                connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").all()

    @contextlib.contextmanager
    def _transaction(self, *, writes: bool = False) -> Iterator[sa.Connection]:
        try:
            with self._engine.begin() as connection:
                if writes:
                    connection.exec_driver_sql(BEGIN[connection.dialect.name])
                yield connection
        except SQLAlchemyError as error:
            reason = shown(str(getattr(error, "orig", None) or error).partition("\n")[0], 300)
            done = "written" if writes else "read"
            raise InboxError(f"The inbox at {self._where} cannot be {done}: {reason}") from error


def _engine(url: str, *, pooled: bool) -> sa.Engine:
    pool: dict[str, Any] = {"pool_pre_ping": True} if pooled else {"poolclass": sa.NullPool}
    with contextlib.suppress(ArgumentError, TypeError, ValueError):  # which may quote a password
        parsed = sa.make_url(url)
        if parsed.drivername == "sqlite" and parsed.database not in {None, "", ":memory:"}:
            engine = sa.create_engine(parsed, connect_args={"timeout": 2}, **pool)
            sa.event.listen(engine, "connect", _prepare_sqlite)
            sa.event.listen(engine, "checkout", _is_in_place)
            return engine
        if parsed.drivername == "postgresql" and "@" not in (parsed.host or ""):  # a password's
            parsed = parsed.set(drivername="postgresql+psycopg")
            arguments = {"connect_timeout": 5, "tcp_user_timeout": 10_000}
            try:
                return sa.create_engine(parsed, connect_args=arguments, **pool)
            except ImportError as error:
                raise InboxError(
                    "PostgreSQL's driver is not installed: pip install "
                    "'tap-visma-economic[webhooks]'"
                ) from error
    raise InboxError(
        "The inbox must be a URL such as sqlite:///inbox.db or postgresql://user@host/database. In "
        "a password, @ is %40, : is %3A and / is %2F"
    )


def _prepare_sqlite(connection: Any, record: Any) -> None:
    connection.isolation_level = None  # BEGIN is ours
    if not connection.execute("PRAGMA page_count").fetchone()[0]:
        connection.execute("PRAGMA auto_vacuum = FULL")  # before there are tables
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    path = Path(connection.execute("PRAGMA database_list").fetchone()[2])
    record.info["file"] = path, _file_at(path)


def _is_in_place(_: object, record: Any, __: object) -> None:
    """Connect again if the file was deleted or replaced: in the old one, events would be lost."""
    path, file = record.info["file"]
    if _file_at(path) != file:
        raise DisconnectionError


def _file_at(path: Path) -> tuple[int, int] | None:
    """Return what identifies a file, None if there is none or its folder cannot be read."""
    with contextlib.suppress(OSError):
        found = path.stat()
        return found.st_dev, found.st_ino
    return None
