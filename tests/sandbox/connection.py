"""Connections: requests read from a socket, answers and faults written to it.

The request line and headers are read by hand: the standard library's handler would be slower
than the answers, and could not reset or cut a connection at a chosen byte.
"""

from __future__ import annotations

import gzip
import socket
import socketserver
import struct
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from email.utils import formatdate
from http import HTTPStatus
from typing import TYPE_CHECKING

from .alterations import altered
from .answers import Answer, request_id
from .query import Query

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .faults import Fault
    from .server import Sandbox

_MAX_HEAD = 65_536
_REASONS = {status.value: status.phrase for status in HTTPStatus}
_SILENT = ("hang", "close", "refuse")
"""Faults that leave a request without an answer."""

_INSTEAD = ("status", "redirect", "html200")
"""Faults whose answer comes in place of a write. After others the write has been done."""


@dataclass
class Request:
    """A request as the sandbox saw it, from the moment it had been read.

    Attributes:
        target: path and query as sent. query: decoded values by lower-case name.
        grant: the grant token sent. agreement_number: whose it is; None after a 401.
        endpoint: name of the endpoint that the path belongs to; None for a path that is unknown.
        status: what was answered; 0 while there is no answer, or where a fault kept it back.
        headers: as sent, by lower-case name. fault: the kind of fault that struck.
        body: as sent.
        started, ended: ``time.perf_counter()`` when it had been read and when the answer was made.
    """

    method: str
    path: str
    target: str
    query: dict[str, str]
    grant: str
    headers: Mapping[str, str]
    fault: str | None
    started: float
    agreement_number: int | None = None
    endpoint: str | None = None
    status: int = 0
    ended: float | None = None
    body: bytes = b""


class Server(socketserver.ThreadingTCPServer):
    """The listening socket."""

    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False
    request_queue_size = 256

    def __init__(
        self, address: tuple[str, int], handler: type[Connection], sandbox: Sandbox
    ) -> None:
        self.sandbox = sandbox
        super().__init__(address, handler)


class OpenSockets:
    """The connections that are open."""

    def __init__(self) -> None:
        self._sockets: set[socket.socket] = set()
        self._lock = threading.Lock()

    def add(self, connection: socket.socket) -> None:
        with self._lock:
            self._sockets.add(connection)

    def discard(self, connection: socket.socket) -> None:
        with self._lock:
            self._sockets.discard(connection)

    def drop(self) -> None:
        """Shut all of them down."""
        with self._lock:
            for connection in self._sockets:
                with suppress(OSError):  # it has closed by itself meanwhile
                    connection.shutdown(socket.SHUT_RDWR)


@dataclass(frozen=True)
class _Head:
    method: str
    target: str
    headers: dict[str, str]
    body: bytes


class Connection(socketserver.BaseRequestHandler):
    """The requests of one connection, one after the other."""

    request: socket.socket
    server: Server

    def setup(self) -> None:
        self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sandbox = self.server.sandbox
        self.buffer = b""

    def handle(self) -> None:
        try:
            if self.sandbox.tls is not None:
                self.request = self.sandbox.tls.wrap_socket(self.request, server_side=True)
        except OSError:  # the client does not trust the certificate
            return
        self.sandbox.connections.add(self.request)
        try:
            while not self.sandbox.stopping.is_set():
                head = self.read()
                if head is None or not self.serve(head):
                    return
        except OSError:  # the client has gone, or the sandbox is closing
            return
        finally:
            self.sandbox.connections.discard(self.request)
            if self.sandbox.tls is not None:  # the server closes what it has accepted only
                self.request.close()

    def read(self) -> _Head | None:
        """The next request; None when the client has closed the connection."""
        while b"\r\n\r\n" not in self.buffer:
            data = self.request.recv(65_536)
            if not data or len(self.buffer) > _MAX_HEAD:
                return None
            self.buffer += data
        text, _, self.buffer = self.buffer.partition(b"\r\n\r\n")
        line, *lines = text.decode("latin-1").split("\r\n")
        method, target, _ = line.split(" ", 2)
        pairs = (header.partition(":") for header in lines)
        headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
        length = int(headers.get("content-length", "0"))
        while len(self.buffer) < length:
            data = self.request.recv(65_536)
            if not data:
                return None
            self.buffer += data
        body, self.buffer = self.buffer[:length], self.buffer[length:]
        return _Head(method, target, headers, body)

    def serve(self, head: _Head) -> bool:
        """Answer one request; False when the connection is not to be used again."""
        sandbox, started = self.sandbox, time.perf_counter()
        token = head.headers.get("x-agreementgranttoken", "")
        fault = sandbox.faults.strike(head.target, token)
        path, _, query = head.target.partition("?")
        entry = Request(
            method=head.method,
            path=path,
            target=head.target,
            query={name.lower(): value for name, value in Query.parse(query).pairs},
            grant=token,
            headers=head.headers,
            fault=None if fault is None else fault.kind,
            started=started,
            body=head.body,
        )
        sandbox.log.append(entry)
        if sandbox.latency:
            sandbox.stopping.wait(sandbox.latency)
        undone = head.method != "GET" and fault is not None and fault.kind in _INSTEAD
        right = Answer(200, b"") if undone else self.answer(head, entry)
        answer = self.altered(right, head, fault)
        if fault is None or fault.kind not in _SILENT:
            entry.status = answer.status
        entry.ended = time.perf_counter()
        return self.send(head, answer, fault)

    def answer(self, head: _Head, entry: Request) -> Answer:
        """The right answer; a defect of the sandbox answers 500 and is remembered."""
        service = self.sandbox.service
        try:
            grant = service.grant(head.headers)
            answer, found = service.answer(head.method, head.target, grant, head.headers, head.body)
        except Exception as defect:  # noqa: BLE001  told by Sandbox.close
            self.sandbox.defects.append(defect)
            return Answer(500, repr(defect).encode(), "text/plain")
        entry.agreement_number = None if grant is None else grant.company.agreement_number
        entry.endpoint = None if found is None else found.route.endpoint.name
        return answer

    def altered(self, answer: Answer, head: _Head, fault: Fault | None) -> Answer:
        """The answer as a fault changes it, after the wait that a fault imposes."""
        sandbox = self.sandbox
        before = None
        if sandbox.faults.look_back and answer.status == HTTPStatus.OK:
            token = head.headers.get("x-agreementgranttoken", "")
            before = sandbox.pages.swap(head.target, token, answer)
        if fault is None:
            return answer
        if fault.kind in ("delay", "hang"):
            sandbox.stopping.wait(fault.seconds if fault.kind == "delay" else None)
        return altered(answer, fault, head.target, sandbox.service, before)

    def send(self, head: _Head, answer: Answer, fault: Fault | None) -> bool:
        kind = None if fault is None else fault.kind
        if kind in ("hang", "close"):
            return False
        if fault is not None and kind == "refuse":
            self.sandbox.refuse(fault.seconds)
            return self.reset()
        if fault is not None and kind == "reset" and fault.after is None:
            return self.reset()
        body, headers = answer.body, {**answer.headers, **(fault.headers if fault else {})}
        packs = self.sandbox.compress and "gzip" in head.headers.get("accept-encoding", "")
        if packs or kind == "cut_gzip":
            body, headers = gzip.compress(body, 1), {**headers, "Content-Encoding": "gzip"}
        after = len(body) if fault is None else _after(fault, body)
        if kind in ("cut", "cut_gzip"):
            body = body[:after]
        close = head.headers.get("connection", "").lower() == "close"
        length = after if kind == "short_length" else len(body)
        ahead = fault.seconds if fault is not None and kind == "clock" else 0.0
        start = self.start(answer, headers, length, close=close, ahead=ahead)
        if fault is not None and kind == "drip":
            return self.drip(start, body, fault)
        if kind in ("truncate", "reset"):
            self.request.sendall(start + body[:after])
            return self.reset() if kind == "reset" else False
        self.request.sendall(start if head.method == "HEAD" else start + body)
        return not close

    def drip(self, start: bytes, body: bytes, fault: Fault) -> bool:
        """Send an answer a byte at a time, some of it at once if the fault says so."""
        whole = start + body
        at_once = 0 if fault.after is None else len(start) + fault.after
        self.request.sendall(whole[:at_once])
        for byte in whole[at_once:]:
            if self.sandbox.stopping.wait(fault.seconds):
                return False
            self.request.sendall(bytes((byte,)))
        return True

    def start(
        self, answer: Answer, headers: dict[str, str], length: int, *, close: bool, ahead: float
    ) -> bytes:
        """The status line and headers."""
        every = {
            "Date": formatdate(self.sandbox.clock() + ahead, usegmt=True),
            "Content-Type": answer.content_type,
            "Content-Length": str(length),
            "X-RequestId": request_id(),
            "Connection": "close" if close else "keep-alive",
            **headers,
        }
        status = f"HTTP/1.1 {answer.status} {_REASONS.get(answer.status, 'Unknown')}"
        lines = [status, *(f"{name}: {value}" for name, value in every.items())]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")

    def reset(self) -> bool:
        """Close with a reset, so that the client sees the connection break."""
        self.request.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sandbox.connections.discard(self.request)
        self.request.close()
        return False


def _after(fault: Fault, body: bytes) -> int:
    return len(body) // 2 if fault.after is None else fault.after
