"""What is measured. Contenders take turns within a round: a slow minute meets all of them."""

from __future__ import annotations

import sys
from dataclasses import asdict, dataclass
from http.client import HTTPConnection
from time import perf_counter
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from bench.contenders import CONCURRENCY, LOOP, STOCK, TAP, Contenders, module
from bench.listings import LISTINGS, PAGE
from bench.measure import FailedError, run
from tests.sandbox import Grant, Sandbox
from tests.sandbox.company import build_company

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from bench.server import FastServer

Figures = dict[str, Any]
Rows = dict[str, int]

MIX = {"booked_entries": 45_000, "customers": 15_000, "invoices_booked": 15_000}


@dataclass(frozen=True)
class Case:
    """Streams that are read, so many times, at one latency (in seconds), by one or more contenders.

    `sizes` has for each contender the rows of each stream, small and large: the slope between the
    two is what comes after the start-up. With `drift` 1 some rows have an undocumented property.
    """

    name: str
    rounds: int
    sizes: Mapping[str, tuple[Rows, Rows]]
    latency: float = 0.0
    drift: int = 0


def cases(*, quick: bool) -> list[Case]:
    """Return the cases: all of them in full, or small and once."""
    part, rounds = (5, 1) if quick else (1, 5)

    def ledger(small: int, large: int) -> tuple[Rows, Rows]:
        return {"booked_entries": small // part}, {"booked_entries": large // part}

    ten = ledger(50_000, 500_000)
    mix = dict.fromkeys(MIX, 16), MIX
    found = [
        Case("ledger", rounds, {TAP: ten, STOCK: ledger(20_000, 60_000), LOOP: ten}),
        Case("mix", rounds, {TAP: mix, LOOP: mix}),
        Case("mix, drift", rounds, {TAP: mix, LOOP: mix}, drift=1),
    ]
    for stream in ("booked_entries", "customers"):
        pages = {TAP: ({stream: 20 * PAGE}, {stream: 80 * PAGE})}
        found.append(Case(f"{stream}, 300 ms", 1 if quick else 3, pages, latency=0.3))
    return found


def read(case: Case, server: FastServer, contenders: Contenders) -> Figures:
    """Return what each contender needed for its small and its large size, round by round.

    Raises:
        FailedError: a contender did not do its work.
    """
    found: Figures = {contender: [] for contender in case.sizes}
    for turn in range(case.rounds):
        for place in (0, 1):
            for contender, sizes in case.sizes.items():
                rows = sizes[place]
                server.begin(**rows, latency=case.latency, drift=case.drift)
                measured = run(contenders.command(contender, *rows))
                figures = {**asdict(measured), "calls": sum(server.asked().values())}
                if measured.records != sum(rows.values()):
                    raise FailedError(f"{contender} wrote {measured.records} rows of {rows}")
                found[contender] += [[]] if place == 0 else []
                found[contender][turn].append(figures)
                say(f"{case.name}, round {turn + 1}: {contender} {rows} {measured.seconds:.2f} s")
    return found


def startup(rounds: int) -> Figures:
    """Return the seconds of `--version`, after one run of each that does not count."""
    found: dict[str, list[float]] = {TAP: [], STOCK: []}
    for turn in range(rounds + 1):
        for contender, seconds in found.items():
            measured = run([*module(contender), "--version"])
            seconds.extend([measured.seconds] if turn else [])
    say(f"--version: {rounds} rounds")
    return found


def company(rounds: int, latency: float, folder: Path) -> Figures:
    """Return what a small company's default run costs: all streams, no state, on the sandbox."""
    grants = {"demo": Grant(build_company(1234567, "Bench ApS", seed=1, entries=2_000))}
    found = []
    with Sandbox(grants, latency=latency) as sandbox:
        command = Contenders(sandbox.url, folder).whole_run()
        for _ in range(rounds):
            sandbox.log.clear()
            measured, calls = run(command), len(sandbox.log)
            times = measured.seconds / (calls / CONCURRENCY * latency)
            found.append({**asdict(measured), "calls": calls, "times": times})
            say(f"small company: {calls} calls, {measured.seconds:.2f} s")
    return {"latency": latency, "rounds": found}


def server_rates(server: FastServer, pages: int) -> Figures:
    """Return how many rows a second the server gives a client that reads and forgets."""
    rates = {}
    for stream, listing in LISTINGS.items():
        server.begin(**{stream: 2 * PAGE})
        connection = HTTPConnection(urlsplit(server.url).netloc)
        began = perf_counter()
        for _ in range(pages):
            connection.request("GET", f"{listing.path}?pagesize={PAGE}")
            connection.getresponse().read()
        rates[stream] = round(pages * PAGE / (perf_counter() - began))
        connection.close()
    return rates


def say(line: str) -> None:
    """Say how far it is."""
    print(line, file=sys.stderr, flush=True)
