"""The address that a browser comes back to: once, on this machine, on a path nobody can guess."""

from __future__ import annotations

import contextlib
import socket
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
import requests

from tap_visma_economic.connect.listener import Listener, Page, TimedOutError

if TYPE_CHECKING:
    from collections.abc import Iterator

TOKEN = "LS4emZLGHCD_itL9OvgLbp1CvGCeeh0kE7f_v3-7fdU1"
FORGED = "forged-token"


@pytest.fixture
def listener() -> Iterator[Listener]:
    with Listener() as listening:
        yield listening


def get(url: str, method: str = "GET", **options: Any) -> requests.Response:
    return requests.request(method, url, timeout=10, allow_redirects=False, **options)


def test_the_token_arrives_and_the_browser_is_sent_to_an_address_without_it(
    listener: Listener,
) -> None:
    answer = get(f"{listener.redirect_url}?token={TOKEN}")
    assert answer.status_code == 303
    assert answer.headers["Location"] == urlsplit(f"{listener.redirect_url}/done").path
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert TOKEN not in str(answer.headers) + answer.text
    assert listener.wait(5) == TOKEN


@pytest.mark.parametrize(
    ("accepted", "language", "title"),
    [
        ("da-DK,da;q=0.9,en-US;q=0.8,en;q=0.7", "da", "Firma er forbundet"),
        ("da", "da", "Firma er forbundet"),
        ("nb-NO,nb;q=0.9,da;q=0.8,en;q=0.7", "da", "Firma er forbundet"),
        ("en-GB,en;q=0.9,da;q=0.8", "en", "Firma is connected"),
        ("sv-SE,sv;q=0.9", "en", "Firma is connected"),
        ("dav, x-da", "en", "Firma is connected"),
        ("", "en", "Firma is connected"),
    ],
)
def test_the_page_is_in_danish_or_english_as_the_browser_prefers(
    listener: Listener, accepted: str, language: str, title: str
) -> None:
    get(f"{listener.redirect_url}?token={TOKEN}")
    listener.show(Page("connected", "Firma"))
    page = get(f"{listener.redirect_url}/done", headers={"Accept-Language": accepted}).text
    assert f'<html lang="{language}">' in page
    assert title in page


def test_no_two_listeners_have_the_same_path() -> None:
    paths = set()
    for _ in range(3):
        with Listener() as listening:
            paths.add(urlsplit(listening.redirect_url).path)
    assert len(paths) == 3
    assert all(len(path) > 40 for path in paths), "256 bits"


@pytest.mark.parametrize(
    ("path", "options", "status"),
    [
        *(
            (path, {}, 404)
            for path in ("/", "/callback", "/done", "{path}/", "{path}x", "{path}/done", "{upper}")
        ),
        *(
            ("{path}", {"headers": headers}, 404)
            for headers in (
                {"Host": "evil.example"},
                {"Sec-Fetch-Dest": "image"},
                {"Sec-Fetch-Dest": "empty", "Sec-Fetch-Mode": "no-cors"},
                {"Sec-Fetch-Dest": "iframe"},
                {"Sec-Purpose": "prefetch"},
                {"Sec-Purpose": "prefetch;prerender", "Sec-Fetch-Dest": "document"},
                {"Purpose": "prefetch"},
            )
        ),
        *(("{path}", {"method": method}, 501) for method in ("POST", "HEAD", "OPTIONS", "PUT")),
    ],
    ids=str,
)
def test_what_is_not_the_browser_coming_back_is_turned_away_and_changes_nothing(
    listener: Listener, path: str, options: dict[str, Any], status: int
) -> None:
    """Another address, another host, what nobody sees, and other methods."""
    own = urlsplit(listener.redirect_url).path
    url = listener.redirect_url.removesuffix(own) + path.format(path=own, upper=own.swapcase())
    assert get(f"{url}?token={FORGED}", **options).status_code == status
    seen = {"Sec-Fetch-Dest": "document", "Sec-Fetch-Mode": "navigate"}
    assert get(f"{listener.redirect_url}?token={TOKEN}", headers=seen).status_code == 303
    assert listener.wait(5) == TOKEN


@pytest.mark.parametrize(("token", "status"), [(FORGED, 410), (TOKEN, 303)])
def test_only_the_first_request_counts(listener: Listener, token: str, status: int) -> None:
    """A second click comes to the same page and brings nothing."""
    first, second = (get(f"{listener.redirect_url}?token={it}") for it in (TOKEN, token))
    assert (first.status_code, second.status_code) == (303, status)
    assert ("already been used" in second.text) is (status == 410)
    assert second.headers.get("Location") == (first.headers["Location"] if status == 303 else None)
    assert listener.wait(5) == TOKEN
    with pytest.raises(TimedOutError):
        listener.wait(0.2)


@pytest.mark.parametrize(
    "request_line",
    [
        "GET /" + "a" * 70_000 + " HTTP/1.1",
        "GET {path}?token=" + FORGED,
        "GET http://127.0.0.1{path}?token=" + FORGED + " HTTP/1.1",
        "GET {path}?token=" + FORGED + " HTTP/9.9",
        "GET",
        "\x16\x03\x01\x02",
    ],
    ids=["long", "HTTP/0.9", "absolute", "HTTP/9.9", "half", "TLS"],
)
def test_an_odd_request_is_turned_away_and_repeats_no_token(
    listener: Listener, request_line: str, capfd: pytest.CaptureFixture[str]
) -> None:
    parts = urlsplit(listener.redirect_url)
    line = request_line.format(path=parts.path).encode("latin-1") + b"\r\n\r\n"
    with socket.create_connection(("127.0.0.1", parts.port or 0), timeout=10) as connection:
        connection.sendall(line)
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        try:
            while part := connection.recv(65536):
                answer += part
        except ConnectionResetError:
            pass  # it hung up before it had read everything
    assert b" 303 " not in answer
    assert FORGED.encode() not in answer
    get(f"{listener.redirect_url}?token={TOKEN}")
    assert listener.wait(5) == TOKEN
    assert capfd.readouterr() == ("", "")


def test_many_slow_connections_keep_out_neither_the_token_nor_the_end() -> None:
    with contextlib.ExitStack() as stack:
        listening = stack.enter_context(Listener())
        port = urlsplit(listening.redirect_url).port or 0
        slow = contextlib.ExitStack()
        for _ in range(20):
            connection = slow.enter_context(socket.create_connection(("127.0.0.1", port), 10))
            connection.sendall(b"GET / HTTP/1.1\r\nX: ")
        get(f"{listening.redirect_url}?token={TOKEN}")
        assert listening.wait(5) == TOKEN
        begun = time.monotonic()
        stack.close()
        assert time.monotonic() - begun < 5, "the slow ones are not waited for"
        slow.close()


def test_listening_asks_no_name_server(monkeypatch: pytest.MonkeyPatch) -> None:
    def asked(name: str = "") -> str:
        raise AssertionError(name)

    monkeypatch.setattr(socket, "getfqdn", asked)
    with Listener() as listening:
        assert get(f"{listening.redirect_url}?token={TOKEN}").status_code == 303


def test_it_listens_on_one_loopback_address_alone(listener: Listener) -> None:
    port = urlsplit(listener.redirect_url).port or 0
    socket.create_connection(("127.0.0.1", port), timeout=5).close()
    with pytest.raises(OSError, match=r"refused|timed out|unreachable|assign"):
        socket.create_connection(("127.0.0.2", port), timeout=2)
