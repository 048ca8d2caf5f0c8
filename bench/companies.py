"""The sandbox in a process of its own, told what to do and asked what it saw through its stdin.

For whole companies with all their streams the sandbox is right and fast enough; the bench shows its
rate at what the tap asked of it. Run as `python -m bench.companies`; it prints the settings to use,
then takes one JSON object per line and answers each by another.
"""

from __future__ import annotations

import argparse
import gc
import json
import sys
from typing import TYPE_CHECKING, Any

from tests.sandbox import Grant, Sandbox
from tests.sandbox.company import build_company

if TYPE_CHECKING:
    from tests.sandbox import Request


def main() -> int:
    """Serve until stdin ends."""
    parser = argparse.ArgumentParser(prog="python -m bench.companies", description=__doc__)
    parser.add_argument("--entries", type=int, default=2_000, help="ledger entries of the company")
    parser.add_argument("--agreements", type=int, default=0, help="small companies beside it")
    options = parser.parse_args()
    grants = {"demo": Grant(build_company(1234567, "Bench ApS", seed=1, entries=options.entries))}
    for number in range(1, options.agreements + 1):
        company = build_company(2_000_000 + number, f"Selskab {number}", seed=number, entries=100)
        grants[f"company-{number}"] = Grant(company)
    gc.freeze()
    with Sandbox(grants) as sandbox:
        print(json.dumps({"url": sandbox.url}), flush=True)
        for line in sys.stdin:
            told = _told(sandbox.log)
            sandbox.log.clear()
            sandbox.latency = json.loads(line)["latency"]
            print(json.dumps(told), flush=True)
    return 0


def _told(log: list[Request]) -> dict[str, Any]:
    """Return what was asked: each request's target and grant, and how many had which answer."""
    statuses: dict[int, int] = {}
    for request in log:
        statuses[request.status] = statuses.get(request.status, 0) + 1
    return {
        "requests": [(request.target, request.grant) for request in log],
        "statuses": statuses,
        "most_at_once": _most_at_once(log),
    }


def _most_at_once(log: list[Request]) -> int:
    """Return how many requests were being answered at the same time, at most."""
    ends = [(request.ended, -1) for request in log if request.ended is not None]
    events = sorted([*((request.started, 1) for request in log), *ends])
    most = now = 0
    for _, change in events:
        now += change
        most = max(most, now)
    return most


if __name__ == "__main__":
    sys.exit(main())
