"""The sandbox: a local e-conomic on a port of its own."""

from __future__ import annotations

import re
import socket
import ssl
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from typing_extensions import Self

from .alterations import Pages
from .budget import Budget
from .connection import Connection, Request, Server
from .faults import Faults
from .grants import Grant
from .service import Service
from .zones import ZONES


class Sandbox:
    """A local e-conomic on 127.0.0.1, both APIs under one port. Use it as a context manager.

    Args:
        grants: token to grant.
        port: 0 takes a free one.
        latency: seconds by which every answer is late.
        zone: ``utc``, or ``copenhagen`` to serve Danish local time as if it were UTC.
        budget: how calls are metered; the default never refuses in practice.
        clock: what the Date header tells, in seconds since the epoch.
        certificate: a file with a certificate and its key: the sandbox speaks TLS.
    """

    app_secret = "demo"

    def __init__(
        self,
        grants: dict[str, Grant],
        *,
        port: int = 0,
        latency: float = 0.0,
        zone: str = "utc",
        budget: Budget | None = None,
        clock: Callable[[], float] = time.time,
        certificate: Path | None = None,
    ) -> None:
        if zone not in ZONES:
            raise ValueError(f"zone must be one of {ZONES}")
        self.latency = latency
        self.clock = clock
        self.faults = Faults()
        self.log: list[Request] = []
        self.defects: list[Exception] = []
        self.stopping = threading.Event()
        self.connections: set[socket.socket] = set()
        self.pages = Pages()
        self.tls = None if certificate is None else _tls(certificate)
        self._listening = threading.Lock()
        self._refusing = threading.Event()
        self._server = self._listen(port)
        self.port = self._server.server_address[1]
        self.url = f"http{'' if certificate is None else 's'}://127.0.0.1:{self.port}"
        self.grants = grants  # may be changed while it runs
        self.service = Service(
            self.url, self.app_secret, grants, zone, budget or Budget(), clock=clock
        )
        self.webhooks = self.service.webhooks

    @property
    def budget(self) -> Budget:
        return self.service.budget

    def revoke(self, token: str) -> None:
        """Answer 401 to a grant from now on."""
        self.service.revoked.add(token)

    def retire(self, module: str, version: str, status: int = 410) -> None:
        """Answer an error to a version (``3.1.0``) or a major version (``3``) of a module."""
        self.service.retired[module.lower(), version] = status

    def requests(self, pattern: str = "") -> list[Request]:
        """The requests so far whose target matches, without regard to case."""
        return [r for r in list(self.log) if re.search(pattern, r.target, re.IGNORECASE)]

    def start(self) -> Self:
        """Begin to answer."""
        self._serve()
        return self

    def refuse(self, seconds: float) -> None:
        """Take no new connections for a while; those that are open stay."""
        threading.Thread(target=self._refuse, args=(seconds,), daemon=True).start()
        self._refusing.wait()

    def close(self) -> None:
        """Stop, and drop every connection.

        Raises:
            Exception: the first defect of the sandbox itself, so that the test that met it fails.
        """
        self.stopping.set()
        with self._listening:
            self._unlisten()
        for connection in list(self.connections):
            with suppress(OSError):  # it has closed by itself meanwhile
                connection.shutdown(socket.SHUT_RDWR)
        if self.defects:
            raise self.defects[0]

    def _listen(self, port: int) -> Server:
        return Server(("127.0.0.1", port), Connection, self)

    def _serve(self) -> None:
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        )
        self._thread.start()

    def _unlisten(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _refuse(self, seconds: float) -> None:
        with self._listening:  # a second fault waits for the first to end
            if self.stopping.is_set():
                self._refusing.set()
                return
            self._unlisten()
            self._refusing.set()
            self.stopping.wait(seconds)
            self._server = self._listen(self.port)
            self._serve()
            self._refusing.clear()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.close()


def _tls(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context
