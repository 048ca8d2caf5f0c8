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
from typing import Any
from urllib.parse import parse_qsl

import uvicorn
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from tap_visma_economic.errors import EconomicError
from tap_visma_economic.redact import WEBHOOK_HEADER
from tap_visma_economic.webhooks.inbox import LONGEST_NAME, LONGEST_NUMBERS, Inbox, NewEvent
from tap_visma_economic.webhooks.secret import is_signed, secrets

LARGEST_BODY = 64 * 1024
"""Bytes. Templates have up to 4,000 characters."""

_BODY_WITHIN = 10.0
"""Seconds for a request's body to arrive."""

_AT_ONCE = 1000
"""Connections, and so waiting requests; more get a 503."""

_REPORT_EVERY = 60.0
"""Seconds between lines of the log."""

_LONGEST_NUMBER = 50
"""Characters of a number that is text."""

_AGREEMENT = re.compile(r"[1-9]\d{0,17}", re.ASCII)
_EVENT = re.compile(rf"[A-Za-z]\w{{0,{LONGEST_NAME - 1}}}", re.ASCII)
_WHOLE = re.compile(r"0|-?[1-9]\d{0,17}", re.ASCII)
_KEY = re.compile(r"\w{0,40}(?:no|number)", re.ASCII | re.IGNORECASE)
"""Merge fields that are numbers."""

_NAMED = rf"""[ \t]*["']?({_KEY.pattern})["']?[ \t]*[=:]"""
_FIELD = re.compile(
    rf"(?:^|[{{&,;\r\n]){_NAMED}(.*?)(?=[\r\n]|[&,;]{_NAMED}|\Z)", re.ASCII | re.IGNORECASE
)
"""A field and its value, which ends with the line or where another such field begins."""

_LOG = logging.getLogger("tap_visma_economic.webhooks")


def numbers_in(query: str, content_type: str, body: bytes) -> dict[str, int | str]:
    """Return the numbers that a request names, by the name of the field in lower case.

    Fields are those of the query and of the body: JSON, a form, or lines `NAME=value`. The content
    type is no proof: e-conomic sends JSON that is none, with values that are not escaped or not
    quoted. A number may be any text: those of products are.
    """
    text = body.decode("utf-8-sig", "replace")
    fields: list[tuple[str, Any]] = [*parse_qsl(query)]
    try:
        fields += json.loads(text, parse_int=str, parse_float=str).items()
    except (AttributeError, ValueError, RecursionError):  # no JSON, or no object
        if "form-urlencoded" in content_type.lower():
            fields += parse_qsl(text)
        else:
            around = " \"'}" if text.lstrip().startswith("{") else None
            fields += [(match[1], match[2].strip(around)) for match in _FIELD.finditer(text)]
    found: dict[str, int | str] = {}
    for name, value in fields:
        number = value.strip() if isinstance(value, str) else ""
        if _KEY.fullmatch(name) and 0 < len(number) <= _LONGEST_NUMBER and number.isprintable():
            found[name.lower()] = int(number) if _WHOLE.fullmatch(number) else number
    return found


class Receiver:
    """The application.

    Args:
        inbox: where events are stored.
        known: the secrets, one or two.
    """

    def __init__(self, inbox: Inbox, known: list[str]) -> None:
        self._inbox = inbox
        self._known = known
        self._writing = asyncio.Lock()
        self._group: tuple[list[NewEvent], asyncio.Task[None]] | None = None
        self._responses: Counter[int] = Counter()
        self._report_due = 0.0
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
        reporting = asyncio.create_task(self._report())
        yield
        reporting.cancel()
        self._log_responses()

    async def _health(self, _: Request) -> Response:
        """Return whether an event could be stored now."""
        return _response(await self._store())

    async def _receive(self, request: Request) -> Response:
        status = HTTPStatus.INTERNAL_SERVER_ERROR
        try:
            status = await self._status_of(request)
        finally:
            self._responses[status] += 1
        return _response(status)

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
        query = request.scope["query_string"].decode("ascii", "replace")
        numbers = numbers_in(query, request.headers.get("Content-Type", ""), body)
        if len(body) > LARGEST_BODY or len(json.dumps(numbers)) > LONGEST_NUMBERS:
            return HTTPStatus.REQUEST_ENTITY_TOO_LARGE
        return await self._store(NewEvent(int(agreement), event.upper(), numbers))

    async def _store(self, *events: NewEvent) -> HTTPStatus:
        """Return 200 once events are on the disk, with those of all other waiting requests."""
        if self._group is None:
            waiting: list[NewEvent] = []
            self._group = waiting, asyncio.create_task(self._write(waiting))
        waiting, written = self._group
        waiting += events
        try:
            await asyncio.shield(written)  # others wait for it too
        except Exception as error:  # noqa: BLE001  whatever it is, the event is not stored
            words = str(error) if isinstance(error, EconomicError) else type(error).__name__
            now = asyncio.get_running_loop().time()
            if now >= self._report_due:
                self._report_due = now + _REPORT_EVERY
                _LOG.error("Cannot store events, so webhooks get a 503: %s", words)
            return HTTPStatus.SERVICE_UNAVAILABLE
        return HTTPStatus.OK

    async def _write(self, group: list[NewEvent]) -> None:
        async with self._writing:
            self._group = None  # what comes from now on is of the next group
            await asyncio.to_thread(self._inbox.append, group)

    async def _report(self) -> None:
        while True:
            await asyncio.sleep(_REPORT_EVERY)
            self._log_responses()

    def _log_responses(self) -> None:
        """Log how many responses there were, without a path or a secret."""
        counts = sorted(self._responses.items())
        self._responses.clear()
        if counts:
            _LOG.info("Responses: %s", ", ".join(f"{n:,} of {status}" for status, n in counts))


def _response(status: HTTPStatus) -> Response:
    return PlainTextResponse(f"{status.phrase}\n", status)


async def _body(request: Request) -> bytes:
    """Return the body; of one that is too large, its beginning."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > LARGEST_BODY:
            break
    return bytes(body)


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
        log_level="critical",  # at "error", any client can fill the log with tracebacks
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
