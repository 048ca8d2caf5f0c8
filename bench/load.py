"""How fast a server is by itself: the same requests over bare sockets, answers thrown away.

What is measured is a lower bound, for this client costs time too.
"""

from __future__ import annotations

import socket
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Sequence

_CHUNK = 1 << 18


def replay(url: str, requests: Sequence[tuple[str, str]], connections: int = 1) -> float:
    """Send requests, and return the seconds it took until all answers had come.

    Args:
        url: the server.
        requests: target and grant token of each.
        connections: over how many connections at a time, each with its share of the requests.
    """
    parts = [requests[place::connections] for place in range(connections)]
    began = time.perf_counter()
    with ThreadPoolExecutor(connections) as pool:
        list(pool.map(lambda part: _replay(url, part), parts))
    return time.perf_counter() - began


def _replay(url: str, requests: Sequence[tuple[str, str]]) -> None:
    parts = urlsplit(url)
    address = parts.hostname or "", parts.port or 80
    with socket.create_connection(address, timeout=60) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        chunk = bytearray(_CHUNK)
        for target, grant in requests:
            connection.sendall(
                f"GET {target} HTTP/1.1\r\nHost: {parts.netloc}\r\nX-AppSecretToken: demo\r\n"
                f"X-AgreementGrantToken: {grant}\r\n\r\n".encode()
            )
            _skip_answer(connection, chunk)


def _skip_answer(connection: socket.socket, chunk: bytearray) -> None:
    head = b""
    while b"\r\n\r\n" not in head:
        data = connection.recv(_CHUNK)
        if not data:
            raise ConnectionError("the server closed the connection")
        head += data
    start, _, body = head.partition(b"\r\n\r\n")
    length = start.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
    left = int(length) - len(body)
    while left > 0:
        taken = connection.recv_into(chunk, min(left, _CHUNK))
        if not taken:
            raise ConnectionError("the server closed the connection")
        left -= taken
