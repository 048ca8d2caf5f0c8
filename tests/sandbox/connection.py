"""Connections: requests read from a socket, answers and faults written to it.

The request line and headers are read by hand: the standard library's handler would be slower
than the answers, and could not reset or cut a connection at a chosen byte.
"""

from __future__ import annotations

import gzip
import socket
import socketserver
import struct
import time
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
    body: bytes
    started: float
    fault: str | None = None
    agreement_number: int | None = None
    endpoint: str | None = None
    status: int = 0
    ended: float | None = None


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
                request = self.read()
                if request is None or not self.serve(request):
                    return
        except OSError:  # the client has gone, or the sandbox is closing
            return
        finally:
            self.sandbox.connections.discard(self.request)
            if self.sandbox.tls is not None:  # the server closes what it has accepted only
                self.request.close()

    def read(self) -> Request | None:
        """The next request; None when the client has closed the connection."""
        while b"\r\n\r\n" not in self.buffer:
            if len(self.buffer) > _MAX_HEAD or not self.receive():
                return None
        text, _, self.buffer = self.buffer.partition(b"\r\n\r\n")
        line, *lines = text.decode("latin-1").split("\r\n")
        method, target, _ = line.split(" ", 2)
        pairs = (header.partition(":") for header in lines)
        headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
        length = int(headers.get("content-length", "0"))
        while len(self.buffer) < length:
            if not self.receive():
                return None
        body, self.buffer = self.buffer[:length], self.buffer[length:]
        path, _, query = target.partition("?")
        parameters = {name.lower(): value for name, value in Query.parse(query).pairs}
        token = headers.get("x-agreementgranttoken", "")
        started = time.perf_counter()
        return Request(method, path, target, parameters, token, headers, body, started)

    def receive(self) -> bool:
        data = self.request.recv(65_536)
        self.buffer += data
        return bool(data)

    def serve(self, request: Request) -> bool:
        """Answer one request; False when the connection is not to be used again."""
        sandbox = self.sandbox
        fault = sandbox.faults.strike(request.target, request.grant)
        request.fault = None if fault is None else fault.kind
        sandbox.log.append(request)
        if sandbox.latency:
            sandbox.stopping.wait(sandbox.latency)
        undone = request.method != "GET" and request.fault in _INSTEAD
        right = Answer(200, b"") if undone else self.answer(request)
        answer = self.altered(right, request, fault)
        if request.fault not in _SILENT:
            request.status = answer.status
        request.ended = time.perf_counter()
        return self.send(request, answer, fault)

    def answer(self, request: Request) -> Answer:
        """The right answer; a defect of the sandbox answers 500 and is remembered."""
        service, headers = self.sandbox.service, request.headers
        try:
            grant = service.grant(headers)
            answer, found = service.answer(
                request.method, request.target, grant, headers, request.body
            )
        except Exception as defect:  # noqa: BLE001  told by Sandbox.close
            self.sandbox.defects.append(defect)
            return Answer(500, repr(defect).encode(), "text/plain")
        request.agreement_number = None if grant is None else grant.company.agreement_number
        request.endpoint = None if found is None else found.route.endpoint.name
        return answer

    def altered(self, answer: Answer, request: Request, fault: Fault | None) -> Answer:
        """The answer as a fault changes it, after the wait that a fault imposes."""
        sandbox = self.sandbox
        before = None
        if sandbox.faults.look_back and answer.status == HTTPStatus.OK:
            before = sandbox.pages.swap(request.target, request.grant, answer)
        if fault is None:
            return answer
        if fault.kind in ("delay", "hang"):
            sandbox.stopping.wait(fault.seconds if fault.kind == "delay" else None)
        return altered(answer, fault, request.target, sandbox.service, before)

    def send(self, request: Request, answer: Answer, fault: Fault | None) -> bool:
        kind = None if fault is None else fault.kind
        if kind in ("hang", "close"):
            return False
        if fault is not None and kind == "refuse":
            self.sandbox.refuse(fault.seconds)
            return self.reset()
        if fault is not None and kind == "reset" and fault.after is None:
            return self.reset()
        body, headers = answer.body, {**answer.headers, **(fault.headers if fault else {})}
        if kind == "cut_gzip":
            body, headers = gzip.compress(body, 1), {**headers, "Content-Encoding": "gzip"}
        after = len(body) if fault is None else _after(fault, body)
        if kind in ("cut", "cut_gzip"):
            body = body[:after]
        close = request.headers.get("connection", "").lower() == "close"
        length = after if kind == "short_length" else len(body)
        ahead = fault.seconds if fault is not None and kind == "clock" else 0.0
        start = self.start(answer, headers, length, close=close, ahead=ahead)
        if fault is not None and kind == "drip":
            return self.drip(start, body, fault)
        if kind in ("truncate", "reset"):
            self.request.sendall(start + body[:after])
            return self.reset() if kind == "reset" else False
        self.request.sendall(start if request.method == "HEAD" else start + body)
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
