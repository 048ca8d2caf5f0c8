"""Waits on this machine for the browser that returns from e-conomic with a token.

e-conomic's flow has no state parameter, so the URL itself is the secret: its path is random and
made for one use. The listener accepts one request for that path, on 127.0.0.1 only; every other
request is rejected and changes nothing. Requests are not logged, because their first line holds the
token.
"""

from __future__ import annotations

import contextlib
import hmac
import os
import queue
import re
import secrets
import threading
import time
from html import escape
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from typing import TYPE_CHECKING, Any, NamedTuple

from tap_visma_economic.connect.installation import grant_in_query
from tap_visma_economic.errors import ConfigError, EconomicError

if TYPE_CHECKING:
    from email.message import Message

    from typing_extensions import Self

HOST = "127.0.0.1"

_FAREWELL = 3.0
"""Seconds that the browser has to fetch the last page before the listener closes."""

_UNKNOWN = "A program on this machine is waiting for e-conomic at another URL. See the terminal."

_POLL = 0.1
"""Maximum seconds of one wait, so that Ctrl-C is noticed on every system."""


class Page(NamedTuple):
    """What a page says: a kind of `_TEXTS`, and the company's name or an error, in English."""

    kind: str
    detail: str = ""


class TimedOutError(EconomicError):
    """The browser did not return from e-conomic in time."""

    exit_code = 4


class Listener:
    """One URL for one response of e-conomic, a context manager. Port 0 takes a free port."""

    def __init__(self, port: int = 0) -> None:
        self._path = "/" + secrets.token_urlsafe(32)
        self._queries: queue.Queue[str] = queue.Queue()
        self._used = threading.Lock()
        self._query = ""
        self._result = Page("failed", "The command was stopped.")
        self._decided = threading.Event()
        self._shown = threading.Event()
        try:
            self._server = _Server((HOST, port), self)
        except (OSError, OverflowError) as error:
            why = getattr(error, "strerror", None) or "there is no such port"
            raise ConfigError(f"Cannot listen on port {port}: {why}") from None
        self._authority = f"{HOST}:{self._server.server_address[1]}"
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        )

    @property
    def redirect_url(self) -> str:
        """Where e-conomic is to send the browser."""
        return f"http://{self._authority}{self._path}"

    def wait(self, seconds: float) -> str:
        """Return the grant token from the browser's request."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            with contextlib.suppress(queue.Empty):
                return grant_in_query(self._queries.get(timeout=min(left, _POLL)))
        raise TimedOutError(
            f"No response from e-conomic within {seconds:.0f} seconds. If the browser returned to "
            "a page it could not open, run the command again with --paste"
        )

    def show(self, page: Page) -> None:
        """Show the result to the browser, which waits for it."""
        self._result = page
        self._decided.set()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self._decided.is_set() and kind is not KeyboardInterrupt:
            self._shown.wait(_FAREWELL if self._used.locked() else 0)
        self._decided.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def answer(self, handler: _Handler) -> None:
        """Respond to a GET, in a thread of its own."""
        path, _, query = handler.path.partition("?")
        own_host = _same(handler.headers.get("Host", ""), self._authority)  # or DNS rebinding
        if not (own_host and _is_visit(handler.headers)):
            handler.send_error(HTTPStatus.NOT_FOUND, explain=_UNKNOWN)
        elif _same(path, self._path):
            if self._used.acquire(blocking=False):
                self._query = query
                self._queries.put(query)
            if _same(query, self._query):  # the same once more is a second click
                handler.respond(HTTPStatus.SEE_OTHER, location=f"{self._path}/done")
            else:
                handler.send_error(HTTPStatus.GONE, "This link has already been used")
        elif _same(path, f"{self._path}/done") and self._used.locked():
            self._decided.wait()
            handler.respond(HTTPStatus.OK, self._result)
            self._shown.set()
        else:
            handler.send_error(HTTPStatus.NOT_FOUND, explain=_UNKNOWN)


def _is_visit(headers: Message) -> bool:
    """Return whether a person will see the response, as far as browsers say.

    A page's images and scripts are not seen, nor is what is prefetched.
    """
    purpose = f"{headers.get('Sec-Purpose', '')} {headers.get('Purpose', '')}"
    return headers.get("Sec-Fetch-Dest", "document") == "document" and "prefetch" not in purpose


def _same(given: str, ours: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "replace"), ours.encode("utf-8", "replace"))


class _Server(ThreadingHTTPServer):
    """The server. A port that another program uses is an error."""

    allow_reuse_address = os.name != "nt"  # on Windows it would let two programs share a port
    daemon_threads = True

    def __init__(self, address: tuple[str, int], listener: Listener) -> None:
        self.listener = listener
        super().__init__(address, _Handler)

    def server_bind(self) -> None:
        """Bind without the base class's DNS lookup, which can take long to fail."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = HOST, self.server_address[1]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore a browser that hangs up."""


class _Handler(BaseHTTPRequestHandler):
    """One request. The base class answers methods without a `do_...` with 501."""

    server: _Server
    server_version = "tap-visma-economic-connect"
    sys_version = ""
    timeout = 10

    def do_GET(self) -> None:
        """Respond."""
        self.server.listener.answer(self)

    def respond(self, status: HTTPStatus, page: Page | None = None, *, location: str = "") -> None:
        """Send a page in the browser's language, or send the browser on."""
        body = _rendered(page, self.headers.get("Accept-Language", "")).encode() if page else b""
        self.send_response(status)
        extra = {"Location": location} if location else {}
        for name, value in {**_HEADERS, **extra, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  the base class's name
        """Log nothing: the first line of a request holds the token."""


# The page that the browser ends on: self-contained, without a token, in Danish or English

_HEADERS = {
    "Content-Type": "text/html; charset=utf-8",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'unsafe-inline'; img-src data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
}
"""Nothing is cached, nothing is loaded, and no other site learns the URL."""

_TEXTS = {
    ("connected", "en"): "{} is connected | You can close this page and return to the terminal.",
    ("connected", "da"): "{} er forbundet | Du kan lukke siden og gå tilbage til terminalen.",
    ("cancelled", "en"): "Not connected | Access was not granted: e-conomic returned no token. "
    "Run the command again and add the app.",
    ("cancelled", "da"): "Ikke forbundet | Der blev ikke givet adgang: e-conomic sendte ingen "
    "token. Kør kommandoen igen, og tilføj appen.",
    ("failed", "en"): "Not connected | Return to the terminal to continue.",
    ("failed", "da"): "Ikke forbundet | Gå tilbage til terminalen for at fortsætte.",
}
"""Heading and text of each kind of page."""

_HTML = """<!doctype html>
<html lang="{language}">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark }}
body {{ max-width: 32rem; margin: 3rem auto; padding: 0 1.25rem; overflow-wrap: anywhere;
  font: 1rem/1.5 system-ui, sans-serif }}
h1 {{ font-size: 1.4rem; padding-left: .75rem; border-left: .3rem solid {color} }}
span {{ white-space: nowrap }}
</style>
<h1>{heading}</h1>
{body}
</html>
"""


def _rendered(page: Page, accept_language: str = "") -> str:
    """Return the HTML of a page, in Danish if the browser prefers that to English.

    Browsers list languages in the order of preference, so their q-values need not be read.
    """
    preferred = re.search(r"(?:^|,)\s*(da|en)\b", accept_language.lower())
    language = preferred[1] if preferred else "en"
    title, text = _TEXTS[page.kind, language].split(" | ")
    title = title.format(page.detail)
    reason = f'<p lang="en">{_html(page.detail)}</p>\n' if page.kind == "failed" else ""
    color = "#2a9d62" if page.kind == "connected" else "#c8652b"
    return _HTML.format(
        language=language,
        title=escape(title),
        heading=_html(title),
        body=f"{reason}<p>{_html(text)}</p>",
        color=color,
    )


def _html(text: str) -> str:
    """Return HTML in which e-conomic does not break at its hyphen."""
    return escape(text).replace("e-conomic", "<span>e-conomic</span>")
