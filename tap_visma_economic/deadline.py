"""One deadline for a whole response, headers and body together, and a limit on its size.

The read timeout of requests applies to each read from the socket, so a server that sends a byte now
and then never exceeds it. Here it starts when the request has been sent, and each read gets what is
left of it. That is below urllib3's own classes, because the headers may drip as well.
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
"""Maximum bytes of a decompressed response: a page has a few megabytes, but a few bytes of gzip can
expand to more memory than any machine has."""

_AT_ONCE = 1 << 18
"""Maximum bytes of one read."""


class _Reader(io.RawIOBase):
    """Reads from a socket, until the timeout that it had at first is used up."""

    def __init__(self, raw: io.RawIOBase, sock: socket.socket) -> None:
        self._raw = raw
        self._sock = sock
        timeout = sock.gettimeout()
        self._end = None if timeout is None else time.monotonic() + timeout

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: Any) -> int | None:
        """Read what is available, or raise `TimeoutError`."""
        if self._end is not None:
            left = self._end - time.monotonic()
            if left <= 0:
                raise TimeoutError("timed out")
            self._sock.settimeout(left)
        return self._raw.readinto(buffer)

    def close(self) -> None:
        """Close the socket's file."""
        self._raw.close()
        super().close()


class _Response(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp: Any = io.BufferedReader(_Reader(self.fp.detach(), sock), _AT_ONCE)


class _HTTPConnection(HTTPConnection):
    response_class = _Response
    debuglevel = 0  # http.client would print headers, tokens included, to stdout


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
        except ValueError:  # http.client would read that number of bytes
            raise self._bad("a part of it has a length below 0") from None

    def _bad(self, why: str) -> BadAnswerError:
        self.close()
        path = self.request.path_url
        return BadAnswerError(f"the response to GET {path} is not what e-conomic documents: {why}")


class DeadlineAdapter(HTTPAdapter):
    """The adapter of requests, with one read timeout for the whole response."""

    def build_response(self, *args: Any, **kwargs: Any) -> requests.Response:
        """Return a response whose body has a limit."""
        response = super().build_response(*args, **kwargs)
        response.__class__ = _Answer
        return response

    def get_connection_with_tls_context(self, *args: Any, **kwargs: Any) -> HTTPConnectionPool:
        """Return a pool whose connections have a deadline."""
        pool: Any = super().get_connection_with_tls_context(*args, **kwargs)
        secure = isinstance(pool, HTTPSConnectionPool)
        pool.ConnectionCls = _HTTPSConnection if secure else _HTTPConnection
        return cast("HTTPConnectionPool", pool)
