"""The receiver: an HTTP server that stores what webhooks report, in one transaction per group."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import re
import socket
import sys
from collections import Counter
from collections.abc import AsyncIterator
from http import HTTPStatus
from urllib.parse import parse_qsl

import uvicorn
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from tap_visma_economic.errors import EconomicError
from tap_visma_economic.redact import WEBHOOK_HEADER
from tap_visma_economic.webhooks.inbox import (
    LONGEST_NAME,
    LONGEST_NUMBERS,
    Inbox,
    InboxError,
    NewEvent,
)
from tap_visma_economic.webhooks.secret import is_signed, secrets

LARGEST_BODY = 64 * 1024
"""Bytes. Templates have up to 4,000 characters."""

_BODY_WITHIN = 10.0
"""Seconds for a request's body to arrive."""

_AT_ONCE = 1000
"""Connections, and so waiting requests; more get a 503."""

_REPORT_EVERY = 60.0
"""Seconds between lines of the log."""

_MOST_NUMBERS = 20
"""Fields of a request that are looked at."""

_AGREEMENT = re.compile(r"[1-9]\d{0,17}", re.ASCII)
_EVENT = re.compile(rf"[A-Za-z]\w{{0,{LONGEST_NAME - 1}}}", re.ASCII)
_NAME = re.compile(r"\w{1,50}", re.ASCII)
_WHOLE = re.compile(r"0|-?[1-9]\d{0,17}", re.ASCII)
_KEY = re.compile(r"\w{0,40}(?:no|number)", re.ASCII | re.IGNORECASE)
"""Names of merge fields whose value can be text, such as a product number."""

_FIELD = re.compile(r"""[{\s]*["']?(\w{1,50})["']?\s*[=:]\s*(.*)""", re.ASCII | re.DOTALL)
_NEXT_FIELD = re.compile(
    rf"""[\r\n]+|[&,;](?=\s*["']?{_KEY.pattern}["']?\s*[=:])""",
    re.ASCII | re.IGNORECASE,
)
_LONGEST_KEY = 50

_LOG = logging.getLogger("tap_visma_economic.webhooks")


def numbers_in(query: str, content_type: str, body: bytes) -> dict[str, int | str]:
    """Return the numbers that a request names, by the name of the field in lower case.

    Fields are those of the query and of the body: JSON, a form, or lines `NAME=value`. The content
    type is no proof: e-conomic sends JSON that is none. Text that is no number is left out, but for
    the fields named `...no` and `...number`: the numbers of products may be any text.
    """
    text = body.decode("utf-8-sig", "replace")
    fields = [*parse_qsl(query), *_fields(content_type.lower(), text)]
    found: dict[str, int | str] = {}
    for name, value in fields[:_MOST_NUMBERS]:
        text = value.strip()
        if not _NAME.fullmatch(name):
            continue
        if _WHOLE.fullmatch(text):
            found[name.lower()] = int(text)
        elif _KEY.fullmatch(name) and 0 < len(text) <= _LONGEST_KEY and text.isprintable():
            found[name.lower()] = text
    return found


def _fields(content_type: str, text: str) -> list[tuple[str, str]]:
    with contextlib.suppress(ValueError, RecursionError):
        parsed = json.loads(text, parse_int=str, parse_float=str)
        if isinstance(parsed, dict):
            return [(name, value) for name, value in parsed.items() if isinstance(value, str)]
    if "form-urlencoded" in content_type:
        return parse_qsl(text)
    quoted = text.lstrip().startswith("{")  # JSON whose values are not escaped or not quoted
    matches = map(_FIELD.fullmatch, _NEXT_FIELD.split(text))
    return [(m[1], m[2].strip(" \"'}\r\n") if quoted else m[2]) for m in matches if m]


class Writer:
    """Stores the events of all waiting requests in one transaction after the other.

    Args:
        inbox: where to.
    """

    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox
        self._waiting: list[tuple[NewEvent, asyncio.Future[None]]] = []
        self._wake = asyncio.Event()

    async def store(self, event: NewEvent) -> None:
        """Return when an event is on the disk.

        Raises:
            InboxError: if it could not be stored.
        """
        stored: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((event, stored))
        self._wake.set()
        await stored

    async def run(self) -> None:
        """Store what waits, until cancelled."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            group, self._waiting = self._waiting, []
            failure: Exception | None = None
            try:
                await asyncio.to_thread(self._inbox.append, [event for event, _ in group])
            except Exception as error:  # noqa: BLE001  a request that waits needs its response
                failure = error
            for _, stored in group:
                if not stored.done():
                    stored.set_exception(failure) if failure else stored.set_result(None)


class Receiver:
    """The application.

    Args:
        inbox: where events are stored.
        known: the secrets, one or two.
    """

    def __init__(self, inbox: Inbox, known: list[str]) -> None:
        self._inbox = inbox
        self._known = known
        self._responses: Counter[int] = Counter()
        self._report_due = 0.0
        self._checking = asyncio.Lock()
        self._checked: tuple[float, int] = (-1e9, HTTPStatus.OK)
        routes = [
            Route("/health", self._health, methods=["GET"]),
            Route("/{agreement}/{event}", self._receive, methods=["POST"]),
            Route("/{signature}/{agreement}/{event}", self._receive, methods=["GET", "POST"]),
        ]
        for route in routes:
            (route.methods or set()).discard("HEAD")  # link previews and scanners send it
        self.app = Starlette(routes=routes, lifespan=self._life)
        self.app.router.redirect_slashes = False

    @contextlib.asynccontextmanager
    async def _life(self, _: Starlette) -> AsyncIterator[None]:
        self._writer = Writer(self._inbox)
        tasks = [asyncio.create_task(self._writer.run()), asyncio.create_task(self._report())]
        yield
        for task in tasks:
            task.cancel()
        self._log_responses()

    async def _receive(self, request: Request) -> Response:
        status = await self._status_of(request)
        self._responses[status] += 1
        return PlainTextResponse(f"{status.phrase}\n", status)

    async def _status_of(self, request: Request) -> HTTPStatus:
        agreement, event = request.path_params["agreement"], request.path_params["event"]
        given = request.path_params.get("signature", request.headers.get(WEBHOOK_HEADER, ""))
        is_path = _AGREEMENT.fullmatch(agreement) and _EVENT.fullmatch(event)
        if not (is_path and is_signed(given.encode(), int(agreement), self._known)):
            return HTTPStatus.NOT_FOUND
        try:
            body = await asyncio.wait_for(_body(request), _BODY_WITHIN)
        except (asyncio.TimeoutError, ClientDisconnect):
            return HTTPStatus.REQUEST_TIMEOUT
        if body is None:
            return HTTPStatus.REQUEST_ENTITY_TOO_LARGE
        content_type = request.headers.get("Content-Type", "")
        query = request.scope["query_string"].decode("ascii", "replace")
        numbers = numbers_in(query, content_type, body)
        if len(json.dumps(numbers)) > LONGEST_NUMBERS:
            return HTTPStatus.REQUEST_ENTITY_TOO_LARGE
        try:
            await self._writer.store(NewEvent(int(agreement), event.upper(), numbers))
        except Exception as error:  # noqa: BLE001  whatever it is, the event is not stored
            self._report_trouble(error)
            return HTTPStatus.SERVICE_UNAVAILABLE
        return HTTPStatus.OK

    async def _health(self, _: Request) -> Response:
        """Whether an event could be stored: looked at once a second at most."""
        now = asyncio.get_running_loop().time
        async with self._checking:
            if now() - self._checked[0] > 1:
                try:
                    await asyncio.to_thread(self._inbox.check)
                    self._checked = now(), HTTPStatus.OK
                except InboxError as error:
                    self._report_trouble(error)
                    self._checked = now(), HTTPStatus.SERVICE_UNAVAILABLE
        status = HTTPStatus(self._checked[1])
        return PlainTextResponse(f"{status.phrase}\n", status)

    # The log: a line a minute, without a path or a secret

    def _report_trouble(self, error: Exception) -> None:
        words = str(error) if isinstance(error, EconomicError) else type(error).__name__
        now = asyncio.get_running_loop().time()
        if now >= self._report_due:
            self._report_due = now + _REPORT_EVERY
            _LOG.error("Cannot store events, so webhooks get a 503: %s", words)

    async def _report(self) -> None:
        while True:
            await asyncio.sleep(_REPORT_EVERY)
            self._log_responses()

    def _log_responses(self) -> None:
        counts = sorted(self._responses.items())
        self._responses.clear()
        if counts:
            _LOG.info("Responses: %s", ", ".join(f"{n:,} of {status}" for status, n in counts))


async def _body(request: Request) -> bytes | None:
    """Return the body, or None if it is too large."""
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > LARGEST_BODY:
            return None
        chunks.append(chunk)
    return b"".join(chunks)


def serve(url: str, *, host: str, port: int, at_most: int) -> None:
    """Receive webhooks until SIGINT or SIGTERM.

    Raises:
        EconomicError: if the secret, the inbox or the address cannot be used.
    """
    known = secrets()
    logging.basicConfig(
        stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s"
    )
    inbox = Inbox(url, create=True, at_most=at_most)
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listening = socket.create_server((host, port), family=family, backlog=_AT_ONCE)
    except OSError as error:
        raise EconomicError(f"Cannot listen on {host}, port {port}: {error.strerror}") from error
    config = uvicorn.Config(
        Receiver(inbox, known).app,
        access_log=False,  # it has the paths, and so the signatures
        date_header=False,
        lifespan="on",
        limit_concurrency=_AT_ONCE,
        log_config=None,
        log_level="error",
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=10,
        ws="none",
    )
    _LOG.info("Listening on %s, port %d", host, listening.getsockname()[1])
    try:
        uvicorn.Server(config).run(sockets=[listening])
    finally:
        inbox.close()
