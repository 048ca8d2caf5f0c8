"""A fast e-conomic: three listings of ready-made rows, of any size and latency.

The sandbox is right in every detail and renders each answer; this one does as little as it can, so
that the client is what is measured. `python -m bench.server` prints its URL and serves until it is
ended. `GET /bench/scenario?customers=9&latency=0.3&drift=1` makes it another company from then on,
and answers what was asked of the last one. What it does not understand is answered 400 and counted
as `unserved`.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import subprocess
import sys
from bisect import bisect_left
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, quote, urlencode
from urllib.request import ProxyHandler, build_opener

from bench.listings import AGREEMENT, LISTINGS, PAGE
from bench.measure import ROOT, FailedError
from bench.rows import rows
from tests.sandbox.budget import Budget

if TYPE_CHECKING:
    from collections.abc import Iterator

_STREAMS = {listing.path: stream for stream, listing in LISTINGS.items()}
UNSERVED = "unserved"
_CONDITION = re.compile(r"(\w+)\$(gte|gt|lte|lt):(\d+)")
_ME = json.dumps({"agreementNumber": AGREEMENT, "company": {"name": "Bench"}}).encode()

Fitting = tuple[list[int], list[bytes]]


listing_rows = cache(rows)


class Server:
    """The company that is served, and what was asked of it."""

    def __init__(self) -> None:
        self.url = ""
        self.begin("")

    def begin(self, query: str) -> None:
        """Be another company from now on."""
        self.scenario = {"latency": 0.0, "drift": 0.0, **dict.fromkeys(LISTINGS, 0.0)}
        self.scenario |= {name: float(value) for name, value in parse_qsl(query)}
        self.rows = {
            stream: listing_rows(stream, int(self.scenario[stream]), self.scenario["drift"] == 1)
            for stream in LISTINGS
        }
        self.budget = Budget(limit=10**9, window=60, retry_after="seconds")
        self.calls: dict[str, int] = {}

    def answer(self, target: str) -> tuple[int, dict[str, str], bytes]:
        """Return status, headers and body."""
        path, _, query = target.partition("?")
        if path == "/bench/scenario":
            asked = json.dumps(self.calls).encode()
            if query:
                self.begin(query)
            return 200, {}, asked
        try:
            body = self._body(path, {name.lower(): value for name, value in parse_qsl(query)})
        except LookupError:
            self.calls[UNSERVED] = self.calls.get(UNSERVED, 0) + 1
            return 400, {}, b"{}"
        self.calls[path] = self.calls.get(path, 0) + 1
        self.budget.spend(AGREEMENT, 1)
        return 200, self.budget.told(AGREEMENT, 1), body

    def _body(self, path: str, query: dict[str, str]) -> bytes:
        if path == "/self":
            return _ME
        listing = path.removesuffix("/count")
        numbers, texts = self._fitting(_STREAMS[listing], query.pop("filter", ""))
        if path != listing:
            return b"%d" % len(texts)
        if _STREAMS[listing] == "booked_entries":
            start = bisect_left(numbers, int(query.pop("cursor", 0)))
            stop = start + PAGE
            more = b',"cursor":"%d"' % numbers[stop] if stop < len(texts) else b""
            return b'{"items":[%b]%b}' % (b",".join(texts[start:stop]), more)
        size, skip = int(query["pagesize"]), int(query.get("skippages", 0))
        if query.get("sort", "").startswith("-"):
            raise LookupError(query)
        pagination: dict[str, Any] = {"results": len(texts)}
        if (skip + 1) * size < len(texts):
            following = urlencode({**query, "skippages": skip + 1}, quote_via=quote)
            pagination["nextPage"] = f"{self.url}{path}?{following}"
        page = b",".join(texts[skip * size : (skip + 1) * size])
        return b'{"collection":[%b],"pagination":%b}' % (page, json.dumps(pagination).encode())

    def _fitting(self, stream: str, filter_: str) -> Fitting:
        """Return the numbers and rows within the range that a filter names.

        Raises:
            LookupError: the filter is of another kind.
        """
        numbers, texts = self.rows[stream]
        low, high = 0, len(texts)
        for condition in filter_.split("$and:") if filter_ else ():
            found = _CONDITION.fullmatch(condition)
            if not found or found[1] != LISTINGS[stream].key:
                raise LookupError(filter_)
            operator, number = found[2], int(found[3])
            if operator.startswith("g"):
                low = max(low, bisect_left(numbers, number + (operator == "gt")))
            else:
                high = min(high, bisect_left(numbers, number + (operator == "lte")))
        return numbers[low:high], texts[low:high]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of one connection, one after the other."""
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while head := await reader.readuntil(b"\r\n\r\n"):
                target = head.split(b" ", 2)[1].decode()
                status, headers, body = self.answer(target)
                if not target.startswith("/bench/"):
                    await asyncio.sleep(self.scenario["latency"])
                headers = {**headers, "Content-Type": "application/json"}
                lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
                start = f"HTTP/1.1 {status} .\r\n{lines}Content-Length: {len(body)}\r\n\r\n"
                writer.writelines((start.encode(), body))
                await writer.drain()
        writer.close()


async def main() -> None:
    """Serve on a free port until the process is ended."""
    server = Server()
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    server.url = "http://127.0.0.1:{1}".format(*listening.sockets[0].getsockname())
    print(server.url, flush=True)
    await listening.serve_forever()


class FastServer:
    """This server as a process: told what to be, asked what it saw."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._open = build_opener(ProxyHandler({})).open

    def begin(self, **scenario: float) -> None:
        """Be another company from now on: rows by stream, `latency` in seconds, `drift`."""
        self._scenario(f"?{urlencode(scenario)}")

    def asked(self) -> dict[str, int]:
        """Return how often each path was asked for.

        Raises:
            FailedError: there were requests that it did not understand.
        """
        calls: dict[str, int] = self._scenario("")
        if UNSERVED in calls:
            raise FailedError("the bench server does not understand what it was asked")
        return calls

    def _scenario(self, query: str) -> Any:
        with self._open(f"{self.url}/bench/scenario{query}") as answer:
            return json.load(answer)


@contextlib.contextmanager
def fast_server() -> Iterator[FastServer]:
    """Start the server, and end it with the block."""
    command = [sys.executable, "-m", "bench.server"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603
        try:
            assert process.stdout is not None
            yield FastServer(process.stdout.readline().strip())
        finally:
            process.terminate()


if __name__ == "__main__":
    asyncio.run(main())
