"""The receiver of webhooks, as a process: what it stores, what it rejects, and what it survives."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tap_visma_economic.webhooks.inbox import (
    BYTES_PER_EVENT,
    LONGEST_NAME,
    LONGEST_NUMBERS,
    Event,
    Inbox,
    InboxError,
    NewEvent,
)
from tests import warm
from tests.conftest import OLD_PYTHON, ROOT, clean_environment, settings_for
from tests.documents import every_block
from tests.receiving import COMMAND, SECRET, Load, Receiving, command, signed
from tests.support import CANARY, keeps_secrets

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import TapRunner
    from tests.sandbox.server import Sandbox

OTHER_SECRET = "another-secret-of-32-characters-"
AGREEMENT = 1234567
PAGE = "docs/running/webhooks.md"
FORM = "application/x-www-form-urlencoded"


@pytest.fixture
def inbox(tmp_path: Path) -> str:
    """The URL of an inbox that does not exist yet."""
    return f"sqlite:///{tmp_path}/inbox.db"


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Receiving]:
    """A receiver that many tests use, one after the other."""
    with Receiving(f"sqlite:///{tmp_path_factory.mktemp('shared')}/inbox.db") as running:
        yield running


@pytest.fixture
def receiving(shared: Receiving) -> Receiving:
    """A receiver whose inbox looks empty: `stored` begins here."""
    begins[shared.inbox] = Inbox(shared.inbox).end()
    return shared


@pytest.fixture
def own(inbox: str) -> Iterator[Receiving]:
    """A receiver of the test's own, which it can end."""
    with Receiving(inbox) as running:
        yield running


begins: dict[str, int] = {}
"""The last event before the test, by inbox."""


def call(
    receiving: Receiving,
    method: str = "POST",
    path: str = f"/{AGREEMENT}/INVOICE_BOOKED",
    body: Any = b"",
    **headers: str,
) -> int:
    """Send a request with the right secret, unless headers say otherwise; return the status."""
    connection = http.client.HTTPConnection("127.0.0.1", receiving.port, timeout=30)
    given = {
        "X-Webhook-Secret": signed(AGREEMENT),
        **{k.replace("_", "-"): headers[k] for k in headers},
    }
    with contextlib.closing(connection):
        connection.request(method, path, body, {k: v for k, v in given.items() if v})
        response = connection.getresponse()
        response.read()
    return response.status


def failed(folder: Path, *arguments: str, secret: str = SECRET) -> tuple[int, str]:
    """Run a command that cannot work; return its exit code, and the one line that it prints."""
    env = {**clean_environment(), "TAP_VISMA_ECONOMIC_WEBHOOK_SECRET": secret}
    program = Path(COMMAND).name
    code, out, err = warm.run(arguments, env=env, folder=folder, timeout=120, program=program)
    said = OLD_PYTHON.sub("", err.decode())
    assert out == b""
    assert "Traceback" not in said
    assert code == 2 or len(said.splitlines()) == 1  # 2: with the usage
    return code, said


def every_event(inbox: Inbox) -> list[list[Event]]:
    """All events, by agreement."""
    return [*inbox.unread(dict.fromkeys(inbox.agreements(), 0), inbox.end()).values()]


def stored(inbox: str) -> list[tuple[str, dict[str, Any]]]:
    """The names and numbers of all events of the test, in order."""
    opened = Inbox(inbox)
    events = [event for of in every_event(opened) for event in of]
    events = [event for event in events if event.id > begins.get(inbox, 0)]
    return [(e.name, dict(e.numbers)) for e in sorted(events, key=lambda event: event.id)]


# What is received


@pytest.mark.parametrize(
    ("content_type", "body", "numbers"),
    [
        ("text/plain", b"\xef\xbb\xbfNEWNUMBER=5\n", {"newnumber": 5}),
        ("application/json", b'\xef\xbb\xbf{"NewNumber": 5}', {"newnumber": 5}),
        pytest.param(
            "application/json",
            b'{"%bno": 1, "a\\u0000no": 2, "bNo": 3, "b": 4}' % (b"x" * 60_000),
            {"bno": 3},
            id="names that would fill the inbox",
        ),
        ("text/plain", "INVOICENO=12\n", {"invoiceno": 12}),
        (
            "text/plain",
            "OldNumber=1&2\r\nNewNumber=A&B=C+D%20E\r\n",
            {"oldnumber": "1&2", "newnumber": "A&B=C+D%20E"},
        ),
        (
            "text/plain; charset=utf-8",
            "DAYBOOKNO=1&FROMSERIALNO=20&TOSERIALNO=31",
            {"daybookno": 1, "fromserialno": 20, "toserialno": 31},
        ),
        (FORM, "OLDNUMBER=0012&NEWNUMBER=S%C3%A6k+2", {"oldnumber": "0012", "newnumber": "Sæk 2"}),
        ("application/json", '{"InvoiceNo": 12, "x": null, "name": "Hansen"}', {"invoiceno": 12}),
        ("application/json", '{"NEWNUMBER": "12"}', {"newnumber": 12}),
        ("application/json", "INVOICENO=12", {"invoiceno": 12}),
        (
            "application/json",
            '{"OLDNUMBER": A-1, "NEWNUMBER": "A"2"}',
            {"oldnumber": "A-1", "newnumber": 'A"2'},
        ),
        ("", "INVOICENO=12", {"invoiceno": 12}),
        ("text/xml", "<invoice>12</invoice>", {}),
        ("application/json", "[" * 60_000, {}),
        ("application/json", '{"n": ' + "9" * 60_000 + "}", {}),
        ("text/plain", b"NEWNUMBER=\xff\x00\nINVOICENO=5", {"invoiceno": 5}),
        ("text/plain", "", {}),
    ],
)
def test_numbers_of_any_form_are_stored(
    receiving: Receiving, content_type: str, body: Any, numbers: dict[str, Any]
) -> None:
    data = body.encode() if isinstance(body, str) else body
    path = f"/{AGREEMENT}/customer_Updated"
    assert call(receiving, path=path, body=data, Content_Type=content_type) == 200
    assert stored(receiving.inbox) == [("CUSTOMER_UPDATED", numbers)]


def test_no_name_or_text_of_a_body_is_stored(own: Receiving, tmp_path: Path) -> None:
    body = b'{"customerName": "Hansen", "amount": "12.50", "NEWNUMBER": 7}'
    assert call(own, body=body) == 200
    files = b"".join(path.read_bytes() for path in tmp_path.glob("inbox.db*"))
    assert b"newnumber" in files
    assert b"Hansen" not in files
    assert b"12.50" not in files


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_hook_made_by_hand_has_the_signature_in_its_path(
    receiving: Receiving, method: str
) -> None:
    path = f"/{signed(AGREEMENT)}/{AGREEMENT}/INVOICE_BOOKED?InvoiceNo=31"
    assert call(receiving, method, path, X_Webhook_Secret="") == 200
    assert stored(receiving.inbox) == [("INVOICE_BOOKED", {"invoiceno": 31})]


@pytest.mark.parametrize("method", ["HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_other_methods_store_nothing(receiving: Receiving, method: str) -> None:
    for path in (
        f"/{AGREEMENT}/INVOICE_BOOKED",
        f"/{signed(AGREEMENT)}/{AGREEMENT}/INVOICE_BOOKED",
        "/health",
    ):
        assert call(receiving, method, path) == 405
    assert call(receiving, "GET") == 405, "a registered webhook sends POST"
    assert stored(receiving.inbox) == []


def test_a_wrong_signature_stores_nothing(receiving: Receiving) -> None:
    wrong = [
        "",
        "x",
        signed(AGREEMENT + 1),
        signed(AGREEMENT, OTHER_SECRET),
        SECRET,
        signed(AGREEMENT)[:-1],
        "\xe6" * 64,
    ]
    assert {call(receiving, X_Webhook_Secret=given) for given in wrong} == {404}
    paths = [
        f"/{SECRET}/{AGREEMENT}/INVOICE_BOOKED",
        f"/0{AGREEMENT}/INVOICE_BOOKED",
        f"/{AGREEMENT}/",
        f"/{AGREEMENT}/INVOICE-BOOKED",
        f"/{AGREEMENT}/INVOICE_BOOKED/",
        "/",
    ]
    assert {call(receiving, path=path) for path in paths} == {404}
    assert stored(receiving.inbox) == []
    assert call(receiving, X_Webhook_Secret=signed(AGREEMENT).upper()) == 200


def test_a_body_of_64_kib_is_the_largest(receiving: Receiving) -> None:
    assert call(receiving, body=b"INVOICENO=7\n".ljust(65536, b"\n")) == 200
    assert call(receiving, body=b"INVOICENO=7\n".ljust(65537, b"\n")) == 413
    chunks = (b"x" * 10_000 for _ in range(7))  # sent without a length
    assert call(receiving, body=chunks) == 413
    assert stored(receiving.inbox) == [("INVOICE_BOOKED", {"invoiceno": 7})]


def test_a_body_that_does_not_arrive_is_not_waited_for(receiving: Receiving) -> None:
    head = f"POST /{AGREEMENT}/A HTTP/1.1\r\nHost: x\r\nX-Webhook-Secret: {signed(AGREEMENT)}\r\n"
    with socket.create_connection(("127.0.0.1", receiving.port), timeout=30) as slow:
        slow.sendall(f"{head}Content-Length: 12\r\n\r\nINV".encode())
        assert slow.recv(100).startswith(b"HTTP/1.1 408 ")
    assert stored(receiving.inbox) == []


# The secret


def test_two_secrets_are_accepted_while_one_is_replaced(inbox: str) -> None:
    with Receiving(inbox, secret=f"{OTHER_SECRET}, {SECRET}") as receiving:
        assert call(receiving) == 200
        assert call(receiving, X_Webhook_Secret=signed(AGREEMENT, OTHER_SECRET)) == 200
    with Receiving(inbox, secret=OTHER_SECRET) as receiving:
        assert call(receiving) == 404


@pytest.mark.parametrize(
    ("secret", "words"),
    [
        ("", "is not set"),
        ("short", "at least 32 characters"),
        (f"{SECRET},short", "at least 32 characters"),
        (os.fsdecode(b"\xff" * 40), "all printable"),
        (",".join([SECRET] * 3), "NEW,OLD"),
    ],
)
def test_a_secret_that_cannot_be_used_is_not_shown(tmp_path: Path, secret: str, words: str) -> None:
    code, said = failed(tmp_path, "serve", "--inbox", "sqlite:///x.db", secret=secret)
    assert (code, words in said) == (1, True)
    assert not secret or secret not in said


def test_the_secret_can_be_in_the_file_env(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("TAP_VISMA_ECONOMIC_WEBHOOK_SECRET=too-short\n")
    line = [COMMAND, "serve", "--inbox", "sqlite:///inbox.db", "--port", "0"]
    done = subprocess.run(
        line, cwd=tmp_path, env=clean_environment(), capture_output=True, text=True, check=False
    )
    assert "must have at least 32 characters" in done.stderr
    assert "too-short" not in done.stderr


def test_the_log_shows_no_secret_and_no_path_and_is_short(own: Receiving) -> None:
    hand_made = f"/{signed(AGREEMENT)}/{AGREEMENT}/INVOICE_BOOKED"
    for _ in range(100):
        call(own)
        call(own, "GET", f"{hand_made}?INVOICENO=98765432", X_Webhook_Secret="")
        call(own, path="/forged/1/FORGED")
        call(own, "BREW")
        with socket.create_connection(("127.0.0.1", own.port)) as odd:
            odd.sendall(b"FORGED\r\n\r\n")
            odd.recv(100)
        with socket.create_connection(("127.0.0.1", own.port)) as odd:
            head = b"POST /1/FORGED HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
            odd.sendall(head + b"no length\r\n")
            odd.recv(100)
    own.end(signal.SIGTERM)
    for private in (
        SECRET,
        signed(AGREEMENT),
        str(AGREEMENT),
        "INVOICE",
        "98765432",
        "FORGED",
        "forged",
    ):
        assert private not in own.log
    first, last = own.log.splitlines()
    assert "Listening on 127.0.0.1, port" in first
    assert "Responses: 200 of 200, 200 of 404" in last


# What it survives


def test_every_event_that_got_a_200_is_stored_when_the_receiver_is_killed(inbox: str) -> None:
    answered: list[int] = []
    for attempt in range(3):
        with Receiving(inbox) as receiving:
            load = Load(receiving.port)
            with load.in_background(stored=200 + 50 * attempt):
                receiving.end(signal.SIGKILL)
        answered += load.stored
        assert load.statuses == {200: len(load.stored)}
    kept = [numbers["invoiceno"] for _, numbers in stored(inbox)]
    assert [number for number in answered if answered.count(number) > kept.count(number)] == []
    assert len(answered) > 700


def test_a_stop_loses_no_request_on_its_way(own: Receiving) -> None:
    load = Load(own.port)
    with load.in_background(stored=50):
        own.end(signal.SIGTERM)
    assert set(load.stored) <= {numbers["invoiceno"] for _, numbers in stored(own.inbox)}
    assert set(load.statuses) <= {200}
    assert own.process.returncode == 0


def test_a_stop_before_it_serves_is_no_failure() -> None:
    """While it waits for a database that does not answer."""
    with socket.create_server(("127.0.0.1", 0)) as database:
        inbox = f"postgresql://u@127.0.0.1:{database.getsockname()[1]}/d"
        starting = subprocess.Popen(
            [COMMAND, "serve", "--inbox", inbox],
            env={**clean_environment(), "TAP_VISMA_ECONOMIC_WEBHOOK_SECRET": SECRET},
        )
        with database.accept()[0]:
            starting.terminate()
            assert starting.wait(30) == 0


def test_a_locked_inbox_is_a_503_and_recovers(own: Receiving, tmp_path: Path) -> None:
    with contextlib.closing(sqlite3.connect(tmp_path / "inbox.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        begun = time.monotonic()
        assert call(own) == 503
        assert call(own, "GET", "/health") == 503
        assert time.monotonic() - begun < 10
        other.execute("COMMIT")
    assert call(own) == 200
    time.sleep(1)
    assert call(own, "GET", "/health") == 200
    assert len(stored(own.inbox)) == 1
    own.end(signal.SIGTERM)
    (line,) = [line for line in own.log.splitlines() if "ERROR" in line]
    assert "Cannot store events, so webhooks get a 503: The inbox at" in line
    assert "database is locked" in line


@pytest.mark.parametrize("replaced", [True, False])
def test_an_event_is_not_stored_in_a_file_that_was_deleted(
    own: Receiving, tmp_path: Path, replaced: bool
) -> None:
    """SQLite would go on writing to it: events would get a 200, and be gone."""
    assert call(own) == 200
    file = tmp_path / "inbox.db"
    if replaced:
        other = Inbox(f"sqlite:///{tmp_path}/other.db", create=True)
        other.append([NewEvent(1, "A")])
        other.close()
        (tmp_path / "other.db").rename(file)
    else:
        file.unlink()
    for rest in (f"{file}-wal", f"{file}-shm"):
        Path(rest).unlink(missing_ok=True)
    assert call(own) == (200 if replaced else 503)
    assert call(own, "GET", "/health") == (200 if replaced else 503)
    if replaced:
        assert len(stored(own.inbox)) == 2


def test_health_does_not_change_the_id_of_an_inbox_made_anew(own: Receiving) -> None:
    """By its id, runs know that their places are not in it."""
    before = Inbox(own.inbox).id
    with contextlib.closing(sqlite3.connect(own.inbox.removeprefix("sqlite:///"))) as database:
        database.executescript("DROP TABLE inbox; DROP TABLE events")
    anew = Inbox(own.inbox, create=True).id
    assert anew != before
    assert call(own, "GET", "/health") == 200
    assert Inbox(own.inbox).id == anew


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 24 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    is_root = hasattr(os, "geteuid") and os.geteuid() == 0
    as_root = [] if is_root else ["sudo", "-n"]  # without asking for a password
    mount = [*as_root, "mount", "-t", "tmpfs", "-o", "size=24m,mode=1777", "tmpfs", str(folder)]
    try:
        subprocess.run(mount, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        why = " ".join((getattr(error, "stderr", None) or str(error)).split())
        missing = f"only root, or sudo without a password, can mount a small disk here: {why}"
        if os.environ.get("CI", "").lower() in {"1", "true"}:
            pytest.fail(missing)
        pytest.skip(missing)
    yield folder
    subprocess.run([*as_root, "umount", str(folder)], check=True)


def test_a_full_disk_is_a_503_and_the_inbox_works_again_once_pruned(small_disk: Path) -> None:
    inbox = f"sqlite:///{small_disk}/inbox.db"
    with Receiving(inbox) as receiving:
        assert call(receiving) == 200
        filler = Inbox(inbox)
        while call(receiving) == 200:  # until the receiver itself finds the disk full
            with contextlib.suppress(Exception):
                filler.append([NewEvent(5, "A" * 90, {"newnumber": "x" * 50})] * 2000)
        fill_up(small_disk / "other")  # and another program takes the last byte
        assert call(receiving) == 503
        assert call(receiving, "GET", "/health") == 503
        count = filler.health()["events"]
        assert count > 10_000

        done = command("prune", "--inbox", inbox, "--older-than", "1d")
        assert (done.returncode, done.stdout) == (0, "Deleted 0 events.\n"), done.stderr
        done = command("prune", "--inbox", inbox, "--older-than", "1m")
        assert done.returncode == 0, done.stderr
        filler.prune(timedelta(0))
        assert filler.health()["events"] == 1
        for _ in range(100):
            assert call(receiving) == 200
        time.sleep(1)
        assert call(receiving, "GET", "/health") == 200
        assert filler.health()["events"] == 101


def fill_up(path: Path) -> None:
    """Write a file until the disk is full."""
    with path.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        for size in (65536, 4096, 1):
            with contextlib.suppress(OSError):
                while file.write(b"x" * size) == size:
                    pass


def test_a_full_inbox_is_a_503_until_it_is_pruned(inbox: str) -> None:
    with Receiving(inbox, "--at-most", "256KB") as receiving:
        room = 256_000 // BYTES_PER_EVENT
        Load(receiving.port, wanted=room).run()
        assert call(receiving) == 503
        assert call(receiving, "GET", "/health") == 503
        assert command("prune", "--inbox", inbox, "--older-than", "1m").stdout == (
            "Deleted 0 events.\n"
        )
        assert call(receiving) == 503
        assert Inbox(inbox).prune(timedelta(0))[0] == room - 1
        assert call(receiving) == 200
    assert f"is full: it has {room:,} events. Prune it, or raise --at-most" in receiving.log


def test_no_client_can_make_the_inbox_larger_than_at_most(inbox: str, tmp_path: Path) -> None:
    """A client who knows a signature sends the longest events that are stored."""
    longest = json.dumps({"K" * 40 + "NUMBER": "å" * 50})
    with Receiving(inbox, "--at-most", "1MB") as receiving:
        assert call(receiving, body=longest.encode()) == 200
        too_long = json.dumps({f"A{n}NO": "å" * 50 for n in range(2)})
        assert call(receiving, body=too_long.encode()) == 413
    opened = Inbox(inbox, create=True, at_most=1_000_000)
    text = "x" * (LONGEST_NUMBERS - len('{"no": ""}'))
    room = 1_000_000 // BYTES_PER_EVENT - 1
    opened.append([NewEvent(2**60, "A" * LONGEST_NAME, {"no": text})] * room)
    with pytest.raises(InboxError, match="is full"):
        opened.append([NewEvent(1, "A")])
    opened.close()
    assert (tmp_path / "inbox.db").stat().st_size <= 1_000_000


def test_pruning_does_not_disturb_the_receiver(own: Receiving) -> None:
    opened = Inbox(own.inbox)
    opened.append([NewEvent(1, "A")] * 50_000)
    load = Load(own.port, senders=10, wanted=1000)
    sending = threading.Thread(target=load.run)
    sending.start()
    assert opened.prune(timedelta(0))[0] >= 49_000
    sending.join()
    assert load.statuses == {200: 1000}


# The command


def test_it_listens_on_this_machine_only_unless_told_otherwise(
    receiving: Receiving, tmp_path: Path
) -> None:
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.2", receiving.port))
    with (
        Receiving(f"sqlite:///{tmp_path}/b.db", "--host", "0.0.0.0") as open_to_all,
        socket.create_connection(("127.0.0.2", open_to_all.port)),
    ):
        pass


def test_health_says_only_that_it_can_store(receiving: Receiving) -> None:
    call(receiving)
    connection = http.client.HTTPConnection("127.0.0.1", receiving.port, timeout=30)
    with contextlib.closing(connection):
        connection.request("GET", "/health")
        response = connection.getresponse()
        assert (response.status, response.read()) == (200, b"OK\n")
        assert {name.lower() for name, _ in response.getheaders()} == {
            "content-length",
            "content-type",
        }


def test_health_and_prune_know_all_readers(inbox: str) -> None:
    opened = Inbox(inbox, create=True)
    opened.append([NewEvent(agreement, "A") for agreement in (1, 1, 2, 3, 1)])  # ids 1 to 5
    opened.write_places("production", {1: 5, 2: 5})
    opened.write_places("staging", {1: 1})
    opened.close()
    done = command("health", "--inbox", inbox)
    assert done.returncode == 0
    told = json.loads(done.stdout)
    assert 0 <= told.pop("oldest_unread_seconds") < 60
    assert told == {"events": 5, "unread": 3, "unknown_agreements": [3]}

    # 2 and 5 have not been read by staging; 5 is the newest too
    count, behind = Inbox(inbox).prune(timedelta(0))
    assert count == 3
    assert set(behind) == {"staging"}
    with contextlib.closing(sqlite3.connect(inbox.removeprefix("sqlite:///"))) as database:
        ids = database.execute("SELECT id FROM events").fetchall()
        database.execute("UPDATE events SET received_at = received_at - 90000")
        database.commit()
    assert ids == [(2,), (5,)]

    done = command("prune", "--inbox", inbox, "--older-than", "1d")
    assert done.stdout.startswith(
        "Deleted 0 events.\nOlder events are kept because staging has not read them; it last ran 2"
    )
    done = command("prune", "--inbox", inbox, "--older-than", "1d", "--forget", "staging")
    assert done.stdout == "Deleted 1 event.\n"
    assert json.loads(command("health", "--inbox", inbox).stdout) == {
        "events": 1,
        "unread": 0,
        "oldest_unread_seconds": 0,
        "unknown_agreements": [],
    }


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://user:{}@127.0.0.1:1/db",
        "postgresql://user:x@{}@127.0.0.1:1/db",
        "postgresql://user:{}",
        "postgresql://user:{}/db",
        "postgresql://user:x@127.0.0.1:{}/db",
        "postgresql://127.0.0.1:1/db?user=user&password={}",
        "postgresql://127.0.0.1:1/db?passwrd={}",
        "postgresql+nothing://user:{}@127.0.0.1/db",
        "mysql://user:{}@127.0.0.1/db",
        "sqlite:///nowhere.db?timeout={}",
        "sqlite:///known.db?timeout={}",
        "{}",
    ],
)
def test_no_message_shows_the_password_of_an_inbox(url: str, tmp_path: Path) -> None:
    (tmp_path / "known.db").touch()
    code, said = failed(tmp_path, "health", "--inbox", url.format(CANARY))
    assert (code, "inbox" in said, CANARY in said) == (1, True, False)


def test_nor_does_a_run(warm_tap: TapRunner, sandbox: Sandbox) -> None:
    url = f"postgresql://user:{CANARY}"
    run = warm_tap(settings_for(sandbox, "demo", events_inbox=url, events_only=True))
    assert run.exit_code == 1
    keeps_secrets(run)
    assert "%40" in run.errors[-1]


def test_shards_that_continue_from_copies_of_a_state_keep_each_others_events(inbox: str) -> None:
    """They have the same reader: one has read its company to the end, the other has not."""
    opened = Inbox(inbox, create=True)
    opened.append([NewEvent(agreement, "A") for agreement in (1, 2, 1, 2)])
    opened.write_places("one", {1: 0, 2: 0})
    opened.write_places("one", {2: 1})
    opened.write_places("one", {1: 4})
    assert opened.health()["unread"] == 2
    opened.prune(timedelta(0))
    assert [[event.id for event in of] for of in every_event(opened)] == [[2, 4]]


def test_events_of_other_agreements_are_not_read(inbox: str) -> None:
    opened = Inbox(inbox, create=True)
    opened.append([NewEvent(agreement, "A") for agreement in (*range(1, 2501), 7, 1)])
    places = {**dict.fromkeys(range(2, 2500), 0), 7: 7, 1: 2501}
    found = opened.unread(places, 2502)
    assert found.keys() == places.keys()
    assert [event.id for event in found[7]] == [2501]
    assert [event.id for event in found[1]] == [2502]
    assert opened.unread({}, 2502) == {}


def test_the_commands_of_the_page_work(own: Receiving, tmp_path: Path) -> None:
    page = {block.title: block.text for block in every_block("sh") if block.document == PAGE}

    def shell(title: str) -> str:
        env = {
            **clean_environment(),
            "TAP_VISMA_ECONOMIC_WEBHOOK_SECRET": f"{SECRET},{OTHER_SECRET}",
        }
        env["PATH"] = f"{Path(sys.executable).parent}:{env['PATH']}"
        line = ["bash", "-euc", page[title]]
        done = subprocess.run(
            line, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    path = f"/{shell('signature').strip()}/{AGREEMENT}/INVOICE_BOOKED?INVOICENO=5"
    assert call(own, "GET", path) == 200
    health, pruned = shell("care").splitlines()
    assert json.loads(health)["unknown_agreements"] == [AGREEMENT]
    assert pruned == "Deleted 0 events."
    fields = re.findall(r"^\| `([a-z_]+)` \|", (ROOT / PAGE).read_text("utf-8"), re.MULTILINE)
    assert fields == list(json.loads(health))


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (
            ["health", "--inbox", "sqlite:///missing.db"],
            1,
            "There is no inbox at sqlite:///missing",
        ),
        (["health", "--inbox", f"sqlite:///{'a' * 300}"], 1, "There is no inbox at sqlite:///aaa"),
        (["health", "--inbox", "inbox.db"], 1, "must be a URL such as sqlite:///inbox.db"),
        (["health", "--inbox", "sqlite://"], 1, "must be a URL such as sqlite:///inbox.db"),
        (["health", "--inbox", "mysql://x/y"], 1, "must be a URL such as sqlite:///inbox.db"),
        (["health"], 2, "--inbox"),
        (["prune", "--inbox", "sqlite:///x", "--older-than", "30"], 2, "a unit: m, h, d"),
        (["prune", "--inbox", "sqlite:///x"], 2, "--older-than"),
        (["serve", "--inbox", "sqlite:///x", "--at-most", "0GB"], 2, "a unit: KB, MB, GB"),
        (["serve", "--inbox", "sqlite:////no/such/folder/x.db"], 1, "cannot be written"),
        (["serve", "--inbox", "sqlite:///x.db", "--host", "192.0.2.1"], 1, "Cannot listen"),
        (["health", "--inbox", "postgresql://u:x@127.0.0.1:9/d"], 1, "u:***@127.0.0.1:9/d"),
    ],
)
def test_what_cannot_work_is_one_line(
    tmp_path: Path, arguments: list[str], code: int, words: str
) -> None:
    ended, said = failed(tmp_path, *arguments)
    assert (ended, words in said) == (code, True), said


def test_a_reserve_that_cannot_be_deleted_does_not_keep_prune_from_it(
    inbox: str, tmp_path: Path
) -> None:
    """It may be another user's; no user can delete a folder as a file."""
    (tmp_path / "inbox.db-reserve").mkdir()
    assert Inbox(inbox, create=True).prune(timedelta(0)) == (0, {})


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux")
def test_output_that_cannot_be_written_is_one_line(inbox: str) -> None:
    Inbox(inbox, create=True)
    with Path("/dev/full").open("w") as full:
        line = [COMMAND, "health", "--inbox", inbox]
        done = subprocess.run(line, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, OLD_PYTHON.sub("", done.stderr)) == (
        1,
        "Error: Cannot read or write: No space left on device\n",
    )


# Without the extra

WITHOUT = """
import sys
for name in ("h11", "psycopg", "starlette", "uvicorn"):
    sys.modules[name] = None  # an import fails, as if it was not installed
from tap_visma_economic.webhooks.__main__ import main
main()
"""


def without_the_extra(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    env = {**clean_environment(), "PYTHONPATH": str(ROOT)}
    env["TAP_VISMA_ECONOMIC_WEBHOOK_SECRET"] = SECRET
    line = [sys.executable, "-c", WITHOUT, *arguments]
    return subprocess.run(
        line, cwd=folder, env=env, capture_output=True, text=True, timeout=60, check=False
    )


def test_without_the_extra_the_command_says_what_to_install(inbox: str, tmp_path: Path) -> None:
    done = without_the_extra("serve", "--inbox", inbox, folder=tmp_path)
    assert (done.returncode, done.stderr) == (
        1,
        "Error: The receiver needs uvicorn: pip install 'tap-visma-economic[webhooks]'\n",
    )
    Inbox(inbox, create=True).close()
    assert without_the_extra("health", "--inbox", inbox, folder=tmp_path).returncode == 0
    done = without_the_extra("health", "--inbox", "postgresql://x@127.0.0.1/y", folder=tmp_path)
    assert "driver is not installed: pip install 'tap-visma-economic[webhooks]'" in done.stderr


def test_the_tap_imports_nothing_of_it(config: dict[str, Any], tmp_path: Path) -> None:
    """A whole run, after which the process says what is imported."""
    code = (
        "import atexit, sys\n"
        "names = {'anyio', 'h11', 'psycopg', 'sqlalchemy', 'starlette', 'uvicorn'}\n"
        "names.add('tap_visma_economic.webhooks')\n"
        "atexit.register(lambda: print('IMPORTED', names & set(sys.modules), file=sys.stderr))\n"
        "from tap_visma_economic.__main__ import main\n"
        "main()\n"
    )
    (tmp_path / "config.json").write_text(json.dumps(config))
    done = subprocess.run(
        [sys.executable, "-c", code, "--config", "config.json"],
        cwd=tmp_path,
        env={**clean_environment(), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "IMPORTED set()" in done.stderr
