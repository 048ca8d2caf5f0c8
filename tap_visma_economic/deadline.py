"""One deadline for a whole answer, its headers and its body together; and a limit to its size.

The read timeout of requests is one for each read from the socket, so that a server that sends a
byte now and then never meets it. Here it begins when the request is out, and every read gets what
is left of it.
"""

from __future__ import annotations

import http.client
import io
import time
from typing import TYPE_CHECKING, Any, cast

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPSConnectionPool

from tap_visma_economic.errors import BadAnswerError

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator

    from urllib3.connectionpool import HTTPConnectionPool

LARGEST = 1 << 27
"""Bytes of an answer, unpacked: a page of e-conomic's has some megabytes. A few bytes of gzip can
hold more than any machine has."""


_AT_ONCE = 1 << 18
"""Bytes that are read at once, as far as they are there."""


class _Reader(io.RawIOBase):
    """What a socket sends, until the timeout that the socket has now is used up.

    Args:
        raw: reads from the socket.
        sock: the socket.
    """

    def __init__(self, raw: io.RawIOBase, sock: socket.socket) -> None:
        self._raw = raw
        self._sock = sock
        timeout = sock.gettimeout()
        self._end = None if timeout is None else time.monotonic() + timeout

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: Any) -> int | None:
        """Read what there is.

        Raises:
            TimeoutError: the time is up.
        """
        if self._end is not None:
            left = self._end - time.monotonic()
            if left <= 0:
                raise TimeoutError("timed out")
            self._sock.settimeout(left)
        return self._raw.readinto(buffer)

    def close(self) -> None:
        """Let go of the socket."""
        self._raw.close()
        super().close()


class _Response(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp: Any = io.BufferedReader(_Reader(self.fp.detach(), sock), _AT_ONCE)


class _HTTPConnection(HTTPConnection):
    response_class = _Response
    debuglevel = 0  # whatever http.client is told: it prints headers, tokens too, to stdout


class _HTTPSConnection(HTTPSConnection):
    response_class = _Response
    debuglevel = 0


class _Answer(requests.Response):
    def iter_content(self, *_: Any, **__: Any) -> Iterator[Any]:
        size = 0
        try:
            for part in super().iter_content(_AT_ONCE):
                size += len(part)
                if size > LARGEST:
                    raise self._bad(f"it has more than {LARGEST >> 20} MB")
                yield part
        except ValueError:  # so many bytes http.client would read
            raise self._bad("a part of it has a length below 0") from None

    def _bad(self, why: str) -> BadAnswerError:
        self.close()
        path = self.request.path_url
        return BadAnswerError(f"the answer to GET {path} is not what e-conomic documents: {why}")


class DeadlineAdapter(HTTPAdapter):
    """The adapter of requests, where the read timeout is one for the whole answer."""

    def build_response(self, *args: Any, **kwargs: Any) -> requests.Response:
        """Return an answer whose body has a limit."""
        response = super().build_response(*args, **kwargs)
        response.__class__ = _Answer
        return response

    def get_connection_with_tls_context(self, *args: Any, **kwargs: Any) -> HTTPConnectionPool:
        """Return the pool that a request gets its connection from."""
        pool: Any = super().get_connection_with_tls_context(*args, **kwargs)
        secure = isinstance(pool, HTTPSConnectionPool)
        pool.ConnectionCls = _HTTPSConnection if secure else _HTTPConnection
        return cast("HTTPConnectionPool", pool)
