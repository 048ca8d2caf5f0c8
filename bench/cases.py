"""What is measured, one function per kind; each returns plain figures that can be kept as JSON."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from bench.ceiling import PAGE
from bench.contenders import (
    CONCURRENCY,
    LOOP,
    PARALLEL_AGREEMENTS,
    ROOT,
    STOCK,
    TAP,
    whole_run,
)
from bench.load import replay
from bench.measure import FailedError, run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bench.contenders import Contenders
    from bench.measure import Measured
    from bench.plan import BudgetRun, Cell
    from bench.servers import Companies, FastServer

    Say = Callable[[str], object]

Figures = dict[str, Any]

_ENTRIES = "/bookedEntriesapi/v4.0.0/booked-entries"
_LINE_NUMBER = re.compile(r":\d+(?=\)?$)")


def server_rate(server: FastServer, pages: int) -> Figures:
    """Return how many rows a second the fast server gives, page by page, to one bare socket."""
    rates = {}
    for stream, target in (
        ("booked_entries", _ENTRIES),
        ("customers", "/customers?pagesize=1000"),
    ):
        server.begin(rows=2 * PAGE)
        seconds = replay(server.url, [(target, "demo")] * pages)
        rates[stream] = round(pages * PAGE / seconds)
    return rates


def throughput(cell: Cell, server: FastServer, contenders: Contenders, say: Say) -> list[Figures]:
    """Return what each contender needed for each number of rows, round by round.

    All take their turns within a round, so that a slow minute of the machine meets all of them.
    """
    found: dict[tuple[str, int], list[Figures]] = {}
    for turn in range(cell.rounds):
        for contender, rows in _turns(cell):
            measured, asked = _read(server, contenders, contender, cell, rows)
            figures = _figures(measured, sum(asked["calls"].values()))
            found.setdefault((contender, rows), []).append(figures)
            rate = rows / measured.seconds
            say(
                f"{cell.stream} {cell.latency} ms, round {turn + 1} of {cell.rounds}: "
                f"{contender} {rows} rows, {measured.seconds:.2f} s, {rate:.0f} rows/s"
            )
    return [
        {
            "stream": cell.stream,
            "latency": cell.latency,
            "contender": contender,
            "rows": rows,
            "rounds": rounds,
        }
        for (contender, rows), rounds in found.items()
    ]


def _turns(cell: Cell) -> Iterator[tuple[str, int]]:
    most = max(len(sizes) for sizes in cell.sizes.values())
    for place in range(most):
        for contender, sizes in cell.sizes.items():
            if place < len(sizes):
                yield contender, sizes[place]


def _read(
    server: FastServer, contenders: Contenders, contender: str, cell: Cell, rows: int
) -> tuple[Measured, Any]:
    latency = cell.latency / 1000
    command = contenders.command(contender, cell.stream, rows, latency)
    server.begin(rows=rows, latency=latency)
    measured = run(command, folder=ROOT)
    asked = server.asked()
    if measured.records != rows:
        raise FailedError(f"{contender} wrote {measured.records} of {rows} rows of {cell.stream}")
    if asked["refused"]:
        raise FailedError(f"{contender} met {asked['refused']} answers 429 without a budget")
    return measured, asked


def _figures(measured: Measured, calls: int) -> Figures:
    return {
        "seconds": round(measured.seconds, 4),
        "first": round(measured.first or 0.0, 4),
        "cpu": round(measured.cpu, 4),
        "rss": measured.rss,
        "calls": calls,
        "written": measured.written,
    }


def startup(server: FastServer, contenders: Contenders, times: int, say: Say) -> Figures:
    """Return the seconds of a whole run over a listing without rows.

    Cold: without any compiled Python file, as in the first run of a new container. Warm: with them.
    """
    found: dict[str, dict[str, list[float]]] = {"cold": {}, "warm": {}}
    for _ in range(times):
        for state, seconds in found.items():
            for contender in (TAP, STOCK, LOOP):
                command = contenders.command(contender, "booked_entries", 0, 0.0)
                server.begin(rows=0)
                with tempfile.TemporaryDirectory() as empty:
                    env = {"PYTHONPYCACHEPREFIX": empty} if state == "cold" else {}
                    measured = run(command, folder=ROOT, env=env)
                seconds.setdefault(contender, []).append(round(measured.seconds, 4))
                say(f"start-up, {state}: {contender} {measured.seconds:.2f} s")
    return found


def company(companies: Companies, latency: int, runs: int, folder: Path, say: Say) -> Figures:
    """Return what a small company's default run costs: all streams of the catalog, no state."""
    latencies = [0, *[latency] * runs]
    return _whole_runs(companies, ("demo",), latencies, folder, say)


def agreements(companies: Companies, count: int, latency: int, folder: Path, say: Say) -> Figures:
    """Return what the default run of many small companies costs."""
    grants = tuple(f"company-{number}" for number in range(1, count + 1))
    return _whole_runs(companies, grants, [0, latency], folder, say)


def _whole_runs(
    companies: Companies, grants: tuple[str, ...], latencies: list[int], folder: Path, say: Say
) -> Figures:
    """Run at each of these latencies; what is said of all is of those with the last one."""
    command = whole_run(companies.url, folder, *grants)
    at_once = CONCURRENCY * min(len(grants), PARALLEL_AGREEMENTS)
    rounds: list[Figures] = []
    told: Figures = {}
    for latency in latencies:
        companies.begin(latency / 1000)
        measured = run(command, folder=ROOT)
        told = companies.begin(0.0)
        figures = _figures(measured, len(told["requests"]))
        figures |= {"latency": latency, "records": measured.records}
        figures |= {"statuses": told["statuses"], "most_at_once": told["most_at_once"]}
        rounds.append(figures)
        say(
            f"{len(grants)} small companies, all streams, {latency} ms: {figures['calls']} calls, "
            f"{measured.seconds:.2f} s"
        )
    slow = [figures for figures in rounds if figures["latency"] == latencies[-1]]
    calls = median(figures["calls"] for figures in slow)
    seconds = replay(companies.url, told["requests"], CONCURRENCY)
    companies.begin(0.0)
    return {
        "companies": len(grants),
        "latency": latencies[-1],
        "at_once": at_once,
        "rounds": rounds,
        "calls": calls,
        "seconds": median(figures["seconds"] for figures in slow),
        "least_seconds": calls / at_once * latencies[-1] / 1000,
        "server_calls_per_second": round(len(told["requests"]) / seconds),
    }


def budget(budget_run: BudgetRun, server: FastServer, contenders: Contenders, say: Say) -> Figures:
    """Return how much of a call budget the tap uses while there is work, and the answers 429.

    Small pages make many calls of few rows, so that the budget and not the machine is the limit.
    """
    limit, window = budget_run.limit, budget_run.window
    command = contenders.command(TAP, "booked_entries", budget_run.rows, 0.0)
    server.begin(rows=budget_run.rows, page=budget_run.page, limit=limit, window=window)
    measured = run(command, folder=ROOT)
    asked = server.asked()
    if measured.records != budget_run.rows:
        raise FailedError(f"the tap wrote {measured.records} of {budget_run.rows} rows")
    found = spending(asked["spent"], limit, window)
    say(f"budget: {measured.seconds:.0f} s, {asked['refused']} times 429")
    return {
        "limit": limit,
        "window": window,
        "page": budget_run.page,
        "seconds": round(measured.seconds, 2),
        "calls": sum(asked["calls"].values()),
        "refused": asked["refused"],
        **found,
    }


def spending(spent: list[tuple[float, int, int]], limit: int, window: float) -> Figures:
    """Return how a budget was used, from the server's notes of each call.

    Args:
        spent: seconds on a running clock, cost, and tokens in use after the call.
        limit: tokens of the budget.
        window: seconds in which it fills up again.

    Returns:
        `overall` and `steady`: tokens used per second as a share of what flows back, over the whole
        run and in its second half, when what lay in the bucket at the start has been used;
        `most`: the most tokens used within any such window, as a share of the bucket; `fullest`:
        the most of the bucket that was in use at a time.
    """
    began, ended = spent[0][0], spent[-1][0]
    middle = (began + ended) / 2
    refill = limit / window

    def rate(since: float) -> float:
        tokens = sum(cost for at, cost, _ in spent if at > since)
        return tokens / max(ended - since, 1e-9) / refill

    return {
        "overall": round(rate(began), 4),
        "steady": round(rate(middle), 4),
        "most": round(_most_within(spent, window) / limit, 4),
        "fullest": round(max(used for _, _, used in spent) / limit, 4),
    }


def _most_within(spent: list[tuple[float, int, int]], window: float) -> int:
    """Return the most tokens that were used within any so many seconds."""
    most = tokens = first = 0
    for at, cost, _ in spent:
        tokens += cost
        while spent[first][0] <= at - window:
            tokens -= spent[first][1]
            first += 1
        most = max(most, tokens)
    return most


def profile(server: FastServer, contenders: Contenders, rows: int, say: Say) -> Figures:
    """Return where the tap's time goes at 0 ms: shares of samples by function, all threads.

    It takes py-spy, which is allowed to look into its own child; where it is not there or not
    allowed to, the profile says so.
    """
    spy = shutil.which("py-spy", path=str(Path(sys.executable).parent)) or shutil.which("py-spy")
    if spy is None:
        return {"missing": "py-spy is not installed"}
    command = contenders.command(TAP, "booked_entries", rows, 0.0)
    server.begin(rows=rows)
    with tempfile.TemporaryDirectory() as folder:
        samples = Path(folder) / "samples"
        options = ["--format", "raw", "--gil", "--rate", "200", "--output", str(samples)]
        done = subprocess.run(  # noqa: S603  the commands are the bench's own
            [spy, "record", *options, "--", *command],
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            check=False,
        )
        if done.returncode or not samples.exists():
            return {"missing": done.stderr.decode(errors="replace").strip()[-200:]}
        lines = samples.read_text().splitlines()
    say(f"profile: {len(lines)} stacks")
    return {"rows": rows, **shares(lines)}


def shares(lines: list[str]) -> Figures:
    """Return the shares of functions in collapsed stacks (`outer;inner 17`), imports left out.

    Returns:
        `samples`: how many; `own`: shares by the innermost function; `inside`: by every function of
        the tap that is on the stack.
    """
    own: Counter[str] = Counter()
    inside: Counter[str] = Counter()
    for line in lines:
        stack, _, count = line.rpartition(" ")
        if "<frozen importlib" in stack:
            continue
        frames = [_LINE_NUMBER.sub("", frame) for frame in stack.split(";")]
        own[frames[-1] or "outside of Python"] += int(count)
        inside.update(dict.fromkeys({f for f in frames if "tap_visma_economic" in f}, int(count)))
    total = own.total()
    found: Figures = {
        name: [(frame, round(count / total, 4)) for frame, count in counter.most_common(12)]
        for name, counter in (("own", own), ("inside", inside))
    }
    return {"samples": total, **found}
