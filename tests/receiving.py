"""The receiver of webhooks as a process, and those who send to it."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import os
import re
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from tests.conftest import clean_environment

if TYPE_CHECKING:
    from collections.abc import Iterator

    from typing_extensions import Self

SECRET = "0123456789abcdef0123456789abcdef"
COMMAND = str(Path(sys.executable).with_name("tap-visma-economic-webhooks"))


def signed(agreement: int, secret: str = SECRET) -> str:
    """What stands in e-conomic for an agreement, computed as the documents say it is."""
    return hmac.new(secret.encode(), b"%d" % agreement, hashlib.sha256).hexdigest()


def command(*arguments: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run `tap-visma-economic-webhooks` to its end."""
    return subprocess.run(
        [COMMAND, *arguments],
        capture_output=True,
        text=True,
        env={**clean_environment(), **(env or {})},
        timeout=120,
        check=False,
    )


class Receiving:
    """`tap-visma-economic-webhooks serve` on a free port. Use it as a context manager.

    Args:
        inbox: URL of the inbox.
        arguments: further options.
        secret: what is in the environment.
    """

    host = "127.0.0.1"

    def __init__(self, inbox: str, *arguments: str, secret: str = SECRET) -> None:
        self.inbox = inbox
        self.log = ""
        env = {**clean_environment(), "TAP_VISMA_ECONOMIC_WEBHOOK_SECRET": secret}
        self.process = subprocess.Popen(
            [COMMAND, "serve", "--inbox", inbox, "--port", "0", *arguments],
            env=env,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._listening = threading.Event()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()
        self._listening.wait(120)
        ports = re.findall(r"Listening on .* port (\d+)", self.log)
        assert ports, self.log
        self.port = int(ports[0])

    def _read(self) -> None:
        assert self.process.stderr
        for line in self.process.stderr:
            self.log += line
            if "Listening" in line:
                self._listening.set()
        self._listening.set()  # or it has ended
        self.process.stderr.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.end(signal.SIGTERM)

    def end(self, signum: int) -> None:
        """Send a signal and wait for the end."""
        if self.process.poll() is None:
            os.kill(self.process.pid, signum)
        self.process.wait(30)
        self._reader.join()


@dataclass
class Load:
    """Senders on connections of their own, each with one request at a time, as proxies have them.

    Args:
        port: where the receiver listens.
        senders: the number of them.
        wanted: the number of events to send, with the numbers 1 to `wanted`.
    """

    port: int
    senders: int = 50
    wanted: int = 10**9
    stored: list[int] = field(default_factory=list)
    statuses: dict[int, int] = field(default_factory=dict)
    seconds: list[float] = field(default_factory=list)
    _next: int = 0

    @contextlib.contextmanager
    def in_background(self, stored: int) -> Iterator[None]:
        """Send, and return once that many events got a 200; at the end wait for the senders."""
        sending = threading.Thread(target=self.run)
        sending.start()
        deadline = time.monotonic() + 60
        while len(self.stored) < stored:
            assert time.monotonic() < deadline
            time.sleep(0.001)
        yield
        sending.join()

    def run(self) -> None:
        """Send until all is sent, or the receiver is gone."""
        asyncio.run(self._run())

    async def _run(self) -> None:
        await asyncio.gather(*(self._send() for _ in range(self.senders)))

    async def _send(self) -> None:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        except OSError:
            return
        try:
            while self._next < self.wanted:
                self._next += 1
                number = self._next
                writer.write(request(number % 5 + 1, number))
                begun = time.perf_counter()
                head = await reader.readuntil(b"\r\n\r\n")
                length = re.search(rb"(?i)content-length: (\d+)", head)
                await reader.readexactly(int(length[1]) if length else 0)
                status = int(head[9:12])
                self.seconds.append(time.perf_counter() - begun)
                self.statuses[status] = self.statuses.get(status, 0) + 1
                if status == 200:
                    self.stored.append(number)
        except (OSError, asyncio.IncompleteReadError):
            return
        finally:
            writer.close()


def request(agreement: int, number: int) -> bytes:
    """An event as a registered webhook sends it."""
    body = b"INVOICENO=%d\n" % number
    head = (
        f"POST /{agreement}/INVOICE_BOOKED HTTP/1.1\r\nHost: receiver\r\n"
        f"X-Webhook-Secret: {signed(agreement)}\r\nContent-Type: text/plain\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body
