"""Waits on this machine for the browser that comes back from e-conomic with a token.

e-conomic's flow has no state parameter, so the address itself is the secret: its path is made up
for one use. It answers on 127.0.0.1 alone, to one request on that path; whatever else knocks is
turned away and changes nothing. Requests are not logged: the first line of one holds the token.
"""

from __future__ import annotations

import contextlib
import hmac
import os
import queue
import secrets
import threading
import time
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from typing import TYPE_CHECKING, Any

from tap_visma_economic.connect import landing
from tap_visma_economic.connect.ends import TimedOutError
from tap_visma_economic.connect.installation import grant_in_query
from tap_visma_economic.errors import ConfigError

if TYPE_CHECKING:
    from email.message import Message
    from types import TracebackType

    from typing_extensions import Self

HOST = "127.0.0.1"

_PATIENCE = 90.0
"""Seconds that the last page waits for what it has to say."""

_FAREWELL = 3.0
"""Seconds that the browser has to fetch the last page before the listener closes."""

_LOOK_EVERY = 0.1
"""Seconds between two looks at the clock, so that Ctrl-C is heard on every system."""


class Listener:
    """One address for one answer of e-conomic. Use it as a context manager.

    Args:
        port: of this machine; 0 takes a free one.

    Raises:
        ConfigError: the port cannot be had.
    """

    def __init__(self, port: int = 0) -> None:
        self._path = "/" + secrets.token_urlsafe(32)
        self._queries: queue.Queue[str] = queue.Queue()
        self._taken = threading.Lock()
        self._query = ""
        self._page = landing.OPEN
        self._decided = threading.Event()
        self._shown = threading.Event()
        try:
            self._server = _Server((HOST, port), self)
        except (OSError, OverflowError) as error:
            why = getattr(error, "strerror", None) or "there is no such port"
            raise ConfigError(f"Cannot listen on port {port} of this machine: {why}") from None
        self._authority = f"{HOST}:{self._server.server_address[1]}"
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        )

    @property
    def redirect_url(self) -> str:
        """Where e-conomic is to send the browser."""
        return f"http://{self._authority}{self._path}"

    def wait(self, seconds: float) -> str:
        """Return the grant token that the browser brings.

        Raises:
            TimedOutError: nobody came.
            NotGrantedError: the browser came without a token.
            ConfigError: it came with something else.
        """
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            with contextlib.suppress(queue.Empty):
                return grant_in_query(self._queries.get(timeout=min(left, _LOOK_EVERY)))
        raise TimedOutError(
            f"Nobody came back from e-conomic in {seconds:.0f} seconds. If the browser did, to a "
            "page that could not be shown, run the command again with --paste"
        )

    def tell(self, page: str) -> None:
        """Show this page to the browser that came, which waits for it."""
        self._page = page
        self._decided.set()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._decided.is_set() and kind is not KeyboardInterrupt:
            self._shown.wait(_FAREWELL if self._taken.locked() else 0)
        self._decided.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    # What a request gets, in a thread of its own

    def answer(self, target: str, headers: Message) -> tuple[HTTPStatus, dict[str, str], str]:
        """Return status, headers and page for a GET.

        Args:
            target: path and query.
            headers: another Host than ours is a page that plays tricks with DNS.
        """
        path, _, query = target.partition("?")
        if not _same(headers.get("Host", ""), self._authority) or not _is_visit(headers):
            return HTTPStatus.NOT_FOUND, {}, landing.UNKNOWN
        if _same(path, self._path):
            if self._taken.acquire(blocking=False):
                self._query = query
                self._queries.put(query)
            elif not _same(query, self._query):  # the same again is a second click
                return HTTPStatus.GONE, {}, landing.USED
            return HTTPStatus.SEE_OTHER, {"Location": f"{self._path}/done"}, ""
        if _same(path, f"{self._path}/done") and self._taken.locked():
            self._decided.wait(_PATIENCE)
            return HTTPStatus.OK, {}, self._page
        return HTTPStatus.NOT_FOUND, {}, landing.UNKNOWN

    def sent(self, page: str) -> None:
        """Note that a page has gone out."""
        if page == self._page and self._decided.is_set():
            self._shown.set()


def _is_visit(headers: Message) -> bool:
    """Return whether a browser goes there for somebody to see it, as far as browsers tell.

    Not so for an image or script of a page, nor for what is fetched in advance.
    """
    purpose = f"{headers.get('Sec-Purpose', '')} {headers.get('Purpose', '')}"
    return headers.get("Sec-Fetch-Dest", "document") == "document" and "prefetch" not in purpose


def _same(given: str, ours: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "replace"), ours.encode())


class _Server(ThreadingHTTPServer):
    """The socket. Another program on this port is an error, not a neighbour."""

    allow_reuse_address = os.name != "nt"  # on Windows it would let two programs share a port
    daemon_threads = True

    def __init__(self, address: tuple[str, int], listener: Listener) -> None:
        self.listener = listener
        super().__init__(address, _Handler)

    def server_bind(self) -> None:
        """Bind, without the base class's question to DNS, which can take long to fail."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = HOST, self.server_address[1]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser that hangs up is no event."""


class _Handler(BaseHTTPRequestHandler):
    """One request. Methods without a `do_...` are answered 501 by the base class."""

    server: _Server
    server_version = "tap-visma-economic-connect"
    sys_version = ""
    timeout = 10

    def do_GET(self) -> None:
        """Answer."""
        status, headers, page = self.server.listener.answer(self.path, self.headers)
        body = page.encode()
        self.send_response(status)
        for name, value in {**landing.HEADERS, **headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()
        self.server.listener.sent(page)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  the base class's name
        """Log nothing: a request's first line holds the token."""
