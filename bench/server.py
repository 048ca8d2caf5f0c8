"""A fast e-conomic for the bench: two listings of ready-made rows, any size, latency and budget.

The sandbox is right in every detail and renders each answer; this one serves the two listings that
throughput is measured on and does as little as it can, so that the client is what is measured. Run
as `python -m bench.server`; it prints its URL and serves until it is ended.

Any range, list or open-rows filter on the key is answered, because a client may read a listing in
windows; `GET /bench/scenario?...` says what kind of company it is from now on, and answers what was
asked of the last one. A request it does not understand is answered 400 and told of in `unserved`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import sys
import time
from dataclasses import asdict, dataclass, field
from email.utils import formatdate
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, quote

from bench.books import AGREEMENT, Rows, customers, is_open, ledger
from tests.sandbox.budget import Budget

if TYPE_CHECKING:
    from collections.abc import Sequence

Body = list["bytes | memoryview"]

LISTING_COST = 3
"""Tokens of a listing's page, and 1 of anything else: as the sandbox has them."""

_ENTRIES = re.compile(r"/bookedEntriesapi/v[\d.]+/booked-entries(/count|/paged)?")
_CONDITION = re.compile(r"(\w+)\$(eq|ne|gte|gt|lte|lt|in):(.+)")


class UnservedError(Exception):
    """A request that this server does not understand."""


@dataclass(frozen=True)
class Scenario:
    """What kind of company is served.

    Args:
        rows: rows of each listing.
        latency: seconds by which every answer is late.
        page: rows of a cursor page at most; e-conomic gives 1,000.
        limit: tokens of the call budget.
        window: seconds in which an empty budget fills up again.
    """

    rows: int = 0
    latency: float = 0.0
    page: int = 1000
    limit: int = 10**9
    window: float = 60.0

    @classmethod
    def parse(cls, query: str) -> Scenario:
        """Return the scenario of a query string."""
        texts = dict(parse_qsl(query))
        kinds = {name: type(value) for name, value in asdict(cls()).items()}
        return cls(**{name: kinds[name](text) for name, text in texts.items()})


@dataclass
class Asked:
    """What was asked of a scenario.

    Args:
        calls: requests, by what they were for.
        refused: answers 429.
        unserved: requests that were not understood.
        spent: for each call that was let in: when, in seconds on a running clock; its cost; and
            the tokens in use after it.
    """

    calls: dict[str, int] = field(default_factory=dict)
    refused: int = 0
    unserved: list[str] = field(default_factory=list)
    spent: list[tuple[float, int, int]] = field(default_factory=list)

    def count(self, kind: str) -> None:
        """Note a call."""
        self.calls[kind] = self.calls.get(kind, 0) + 1


@dataclass(frozen=True)
class Span:
    """Rows of a listing that fit a filter: places from `start` to before `stop`."""

    rows: Rows
    start: int
    stop: int

    def __len__(self) -> int:
        return self.stop - self.start

    def page(self, first: int, count: int, *, descending: bool = False) -> Body:
        """Return the text of some of the rows, counted from the span's own beginning."""
        start = min(self.start + first, self.stop)
        stop = min(start + count, self.stop)
        if not descending:
            return [self.rows.slice(start, stop)]
        start, stop = self.stop - (stop - self.start), self.stop - (start - self.start)
        each = [self.rows.slice(place, place + 1) for place in reversed(range(start, stop))]
        return [b",".join(each)]


class Listing:
    """A listing with a number as its key.

    Args:
        key: the name of the number.
        rows: all rows there can be.
        open_rows: those of them that `remainder$ne:0` finds.
    """

    def __init__(self, key: str, rows: Rows, open_rows: Rows | None = None) -> None:
        self.key = key
        self.rows = rows
        self.open_rows = open_rows

    def select(self, filter_: str, limit: int) -> Span:
        """Return the rows that fit a filter, of the first `limit` ones.

        Raises:
            UnservedError: the filter is of another kind.
        """
        rows = self.rows
        end = rows.numbers[limit - 1] + 1 if limit else 0
        low, high = 0, end
        for text in filter_.replace("(", "").replace(")", "").split("$and:") if filter_ else ():
            found = _CONDITION.fullmatch(text)
            if found is None:
                raise UnservedError(filter_)
            name, operator, value = found.groups()
            if name == "remainder" and (operator, value) == ("ne", "0") and self.open_rows:
                rows = self.open_rows
            elif name == self.key and operator == "in":
                wanted = {int(number) for number in value.strip("[]").split(",")}
                rows = _only(rows, wanted)
            elif name == self.key and operator != "ne":
                number = int(value)
                if operator in {"gte", "gt", "eq"}:
                    low = max(low, number + (operator == "gt"))
                if operator in {"lte", "lt", "eq"}:
                    high = min(high, number + (operator != "lt"))
            else:
                raise UnservedError(filter_)
        start = rows.place(low)
        return Span(rows, start, max(start, rows.place(high)))


def _only(rows: Rows, wanted: set[int]) -> Rows:
    there = {n: rows.place(n) for n in sorted(wanted)}
    places = {n: p for n, p in there.items() if rows.numbers[p : p + 1].tolist() == [n]}
    return Rows.made(places, lambda n: bytes(rows.slice(places[n], places[n] + 1)))


class Server:
    """The listings, the scenario and what was asked.

    Args:
        rows: the most rows that a scenario can have.
        base_url: what links begin with.
    """

    def __init__(self, rows: int, base_url: str) -> None:
        self.base_url = base_url
        entries = ledger(rows)
        self.entries = Listing("entryNumber", entries, entries.picked(is_open))
        self.customers = Listing("customerNumber", customers(min(rows, 50_000), base_url))
        self.begin(Scenario())

    def begin(self, scenario: Scenario) -> None:
        """Be another company from now on."""
        self.scenario = scenario
        self.budget = Budget(limit=scenario.limit, window=scenario.window, retry_after="seconds")
        self.asked = Asked()

    def answer(self, target: str) -> tuple[int, dict[str, str], Body, float]:
        """Return status, headers and body, and by how many seconds they are late."""
        path, _, query = target.partition("?")
        if path == "/bench/scenario":
            told = asdict(self.asked)
            scenario = Scenario.parse(query) if query else self.scenario
            if scenario.rows > len(self.entries.rows.numbers):
                return 400, {}, [b'{"message":"started with too few --rows"}'], 0.0
            if query:
                self.begin(scenario)
            return 200, {}, [json.dumps(told).encode()], 0.0
        cost = 1 if path.endswith(("/count", "/self")) else LISTING_COST
        self.asked.count(path)
        latency = self.scenario.latency
        if not self.budget.spend(AGREEMENT, cost):
            self.asked.refused += 1
            headers = {**self.budget.told(AGREEMENT, cost), **self.budget.when(AGREEMENT, cost)}
            return 429, headers, [b'{"message":"You are over your quota."}'], latency
        self.asked.spent.append((time.monotonic(), cost, self.budget.used(AGREEMENT)))
        headers = self.budget.told(AGREEMENT, cost)
        try:
            names = {name.lower(): value for name, value in parse_qsl(query)}
            return 200, headers, self._body(path, names, target), latency
        except (UnservedError, ValueError):
            self.asked.unserved.append(target)
            return 400, headers, [b"{}"], latency

    def _body(self, path: str, query: dict[str, str], target: str) -> Body:
        if path == "/self":
            return [
                json.dumps({"agreementNumber": AGREEMENT, "company": {"name": "Bench"}}).encode()
            ]
        if path == "/customers":
            return self._collection(query, target)
        found = _ENTRIES.fullmatch(path)
        if found is None:
            raise UnservedError(path)
        span = self.entries.select(query.get("filter", ""), self.scenario.rows)
        if found.group(1) == "/count":
            return [str(len(span)).encode()]
        if found.group(1) == "/paged":
            size, skip = int(query.get("pagesize", 20)), int(query.get("skippages", 0))
            descending = query.get("sort") == "-entryNumber"
            return [b"[", *span.page(skip * size, size, descending=descending), b"]"]
        return self._cursor(span, query.get("cursor", ""))

    def _cursor(self, span: Span, cursor: str) -> Body:
        size = self.scenario.page
        first = span.rows.place(int(cursor)) - span.start if cursor else 0
        more = b""
        if first + size < len(span):
            more = b',"cursor":"%d"' % span.rows.numbers[span.start + first + size]
        return [b'{"items":[', *span.page(first, size), b"]", more, b"}"]

    def _collection(self, query: dict[str, str], target: str) -> Body:
        limit = min(self.scenario.rows, len(self.customers.rows.numbers))
        span = self.customers.select(query.get("filter", ""), limit)
        size, skip = int(query.get("pagesize", 20)), int(query.get("skippages", 0))
        pagination: dict[str, Any] = {
            "skipPages": skip,
            "pageSize": size,
            "maxPageSizeAllowed": 1000,
            "results": len(span),
            "resultsWithoutFilter": limit,
        }
        if (skip + 1) * size < len(span):
            following = {**query, "skippages": skip + 1}
            texts = (f"{name}={quote(str(value))}" for name, value in following.items())
            pagination["nextPage"] = f"{self.base_url}/customers?{'&'.join(texts)}"
        tail = {"pagination": pagination, "self": f"{self.base_url}{target}"}
        descending = query.get("sort", "").startswith("-")
        rows = span.page(skip * size, size, descending=descending)
        return [b'{"collection":[', *rows, b"],", json.dumps(tail).encode()[1:]]


class Connection(asyncio.Protocol):
    """The requests of one connection, one after the other, kept alive."""

    transport: asyncio.Transport

    def __init__(self, server: Server) -> None:
        self.server = server
        self.waiting = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.waiting += data
        while b"\r\n\r\n" in self.waiting:
            head, _, self.waiting = self.waiting.partition(b"\r\n\r\n")
            self.respond(head.split(b" ", 2)[1].decode("latin-1"))

    def respond(self, target: str) -> None:
        """Answer one request, late if the scenario says so."""
        status, headers, body, latency = self.server.answer(target)
        lines = [
            f"HTTP/1.1 {status} {'OK' if status == 200 else 'No'}",
            f"Date: {formatdate(usegmt=True)}",
            "Content-Type: application/json",
            f"Content-Length: {sum(map(len, body))}",
            *(f"{name}: {value}" for name, value in headers.items()),
        ]
        answer = ["\r\n".join([*lines, "", ""]).encode(), *body]
        if latency:
            asyncio.get_running_loop().call_later(latency, self.send, answer)
        else:
            self.send(answer)

    def send(self, answer: Sequence[bytes | memoryview]) -> None:
        if not self.transport.is_closing():
            self.transport.writelines(answer)


async def serve(rows: int) -> None:
    """Serve on a free port until the process is ended."""
    loop = asyncio.get_running_loop()
    holder: list[Server] = []
    listening = await loop.create_server(lambda: Connection(holder[0]), "127.0.0.1", 0, backlog=256)
    port = listening.sockets[0].getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    holder.append(Server(rows, url))
    print(json.dumps({"url": url}), flush=True)
    async with listening:
        await listening.serve_forever()


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.server", description=__doc__)
    parser.add_argument("--rows", type=int, default=500_000, help="the most a scenario can have")
    asyncio.run(serve(parser.parse_args().rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
