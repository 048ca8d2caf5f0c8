"""The inbox in PostgreSQL: several receivers, none of whose events a reader passes over."""

from __future__ import annotations

import contextlib
import random
import signal
import threading
import time
from datetime import timedelta
from typing import TYPE_CHECKING

import psycopg
import pytest
import sqlalchemy as sa

from tap_visma_economic.webhooks import inbox as module
from tap_visma_economic.webhooks.inbox import Inbox, InboxError, NewEvent
from tests.receiving import Load, Receiving

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.pipelines.postgres import Postgres

WRITERS = 8
EACH = 100


@pytest.fixture
def url(postgres: Postgres) -> Iterator[str]:
    """The URL of an inbox that does not exist yet."""
    yield postgres.url
    for table in ("events", "inbox", "readers"):
        postgres.query(f"DROP TABLE IF EXISTS {table}")


def pause_before_commits(inbox: Inbox, seed: int) -> None:
    """Let some transactions take a while between INSERT and COMMIT."""
    chance = random.Random(seed)

    def pause(_: object) -> None:
        if chance.random() < 0.2:
            time.sleep(chance.random() * 0.02)

    sa.event.listen(inbox._engine, "commit", pause)


def lost(url: str) -> int:
    """How many events a reader by `id > place` loses while eight receivers write."""
    Inbox(url, create=True).close()

    def write(writer: int) -> None:
        inbox = Inbox(url, create=True)
        pause_before_commits(inbox, writer)
        for number in range(EACH):
            inbox.append([NewEvent(writer % 3, "A", {"n": writer * EACH + number})])
        inbox.close()

    writers = [threading.Thread(target=write, args=(writer,)) for writer in range(WRITERS)]
    for writer in writers:
        writer.start()
    reader, read, place = Inbox(url), set(), 0
    going = True
    while going:
        going = any(writer.is_alive() for writer in writers)
        end = reader.end()
        for events in reader.unread(dict.fromkeys(range(3), place), end).values():
            read |= {event.numbers["n"] for event in events}
        place = end
    return WRITERS * EACH - len(read)


def test_a_reader_loses_no_event_of_eight_receivers(url: str) -> None:
    assert lost(url) == 0


def test_without_the_lock_it_would(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first writer gets the lower id and commits last: the lock is what prevents this."""
    first, second = Inbox(url, create=True), Inbox(url, create=True)
    inserted, go_on = threading.Event(), threading.Event()

    def pause(_: object) -> None:
        inserted.set()
        go_on.wait(4)

    sa.event.listen(first._engine, "commit", pause)
    monkeypatch.setitem(module.BEGIN, "postgresql", "SELECT 1")
    writing = threading.Thread(target=first.append, args=([NewEvent(1, "A")],))
    writing.start()
    inserted.wait(10)
    second.append([NewEvent(1, "B")])
    place = second.end()
    go_on.set()
    writing.join()
    first.close()
    second.close()
    assert Inbox(url).health()["events"] == 2
    assert Inbox(url).unread({1: place}, 10) == {}


def test_receivers_share_an_inbox(url: str) -> None:
    with Receiving(url) as one, Receiving(url) as other:
        loads = [Load(receiving.port, senders=10, wanted=500) for receiving in (one, other)]
        sending = [threading.Thread(target=load.run) for load in loads]
        for thread in sending:
            thread.start()
        for thread in sending:
            thread.join()
    assert [load.statuses for load in loads] == [{200: 500}, {200: 500}]
    assert Inbox(url).health()["events"] == 1000


def test_every_event_that_got_a_200_is_stored_when_the_receiver_is_killed(url: str) -> None:
    with Receiving(url) as receiving:
        load = Load(receiving.port)
        with load.in_background(stored=200):
            receiving.end(signal.SIGKILL)
    inbox = Inbox(url)
    kept = {
        event.numbers["invoiceno"]
        for of in inbox.unread(dict.fromkeys(inbox.agreements(), 0), inbox.end()).values()
        for event in of
    }
    assert set(load.stored) <= kept


def test_a_receiver_that_hangs_in_a_transaction_holds_up_the_others_for_seconds(url: str) -> None:
    hung, other = Inbox(url, create=True), Inbox(url, create=True)
    sa.event.listen(hung._engine, "commit", lambda _: time.sleep(9))
    failed: list[InboxError] = []

    def hang() -> None:
        try:
            hung.append([NewEvent(1, "HUNG")])
        except InboxError as error:
            failed.append(error)

    hanging = threading.Thread(target=hang)
    hanging.start()
    time.sleep(0.5)
    begun = time.monotonic()
    with pytest.raises(InboxError, match="lock timeout"):
        other.append([NewEvent(1, "A")])
    assert time.monotonic() - begun < 4
    time.sleep(max(0.0, 5.5 - (time.monotonic() - begun)))
    other.append([NewEvent(1, "B")])
    hanging.join()
    assert failed
    (events,) = other.unread(dict.fromkeys(other.agreements(), 0), other.end()).values()
    assert [event.name for event in events] == ["B"]
    hung.close()
    other.close()


def test_connections_that_the_server_closed_are_replaced(url: str, postgres: Postgres) -> None:
    inbox = Inbox(url, create=True)
    inbox.append([NewEvent(1, "A")])
    postgres.query(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
        " AND backend_type = 'client backend'"
    )
    inbox.append([NewEvent(1, "B")])
    assert inbox.health()["events"] == 2
    inbox.close()


def test_ids_never_come_again(url: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    file = tmp_path_factory.mktemp("inbox") / "inbox.db"
    for where in (url, f"sqlite:///{file}"):
        inbox = Inbox(where, create=True)
        inbox.append([NewEvent(1, "A")] * 3)
        assert inbox.prune(timedelta(0))[0] == 2
        assert Inbox(where).end() == 3
        with inbox._engine.begin() as connection:  # even if somebody deletes the newest
            connection.execute(sa.text("DELETE FROM events"))
        inbox.append([NewEvent(1, "B")])
        (events,) = inbox.unread(dict.fromkeys(inbox.agreements(), 0), inbox.end()).values()
        assert [(event.id, event.name) for event in events] == [(4, "B")]
        assert Inbox(where).id == inbox.id
        inbox.close()


def test_a_commit_is_durable_where_the_server_does_not_make_it_so(url: str) -> None:
    with contextlib.closing(psycopg.connect(url, autocommit=True)) as connection:
        connection.execute("ALTER ROLE economic SET synchronous_commit = off")
    inbox = Inbox(url, create=True)
    found: list[str] = []
    sa.event.listen(
        inbox._engine,
        "commit",
        lambda c: found.append(c.exec_driver_sql("SHOW synchronous_commit").scalar_one()),
    )
    inbox.append([NewEvent(1, "A")])
    assert found == ["on"]
    inbox.close()
