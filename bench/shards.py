"""`python -m bench.shards`: small companies of an agreements file, in one job and in shards."""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.contenders import TAP, module
from bench.measure import FailedError, Measured, run
from tests.sandbox import Sandbox
from tests.sandbox.standard import standard_grants


class Output:
    """What the jobs of one round write: a sum over their records in any order, and their states."""

    def __init__(self) -> None:
        self.rows = 0
        self.sum = 0
        self.state = 0
        self._lock = threading.Lock()

    def of_a_job(self) -> Any:
        """Return what takes the output of one job, chunk by chunk."""
        left, state = b"", 0

        def take(data: bytes) -> None:
            nonlocal left, state
            *lines, left = (left + data).split(b"\n")
            for line in lines:
                if line.startswith(b'{"type":"STATE"'):
                    with self._lock:
                        self.state += len(line) - state
                    state = len(line)
                elif line.startswith(b'{"type":"RECORD"'):
                    message = json.loads(line)
                    if message["stream"] == "sync_runs":  # other in each run
                        continue
                    row = json.dumps([message["stream"], message["record"]], sort_keys=True)
                    digest = int.from_bytes(hashlib.sha256(row.encode()).digest(), "big")
                    with self._lock:
                        self.rows, self.sum = self.rows + 1, (self.sum + digest) % 2**256

        return take


@dataclass(frozen=True)
class Round:
    """One reading of all companies: its jobs, seconds, and what it wrote and asked for."""

    shards: int
    seconds: float
    jobs: list[Measured]
    output: Output
    calls: int

    def row(self) -> str:
        """Return the round as a row of a Markdown table."""
        cells = (
            f"{self.shards}",
            f"{self.seconds:.0f} s",
            f"{sum(job.cpu for job in self.jobs):.0f} s",
            f"{max(job.rss for job in self.jobs) / 1e6:.0f} MB",
            f"{self.calls:,}",
            f"{self.output.rows:,}",
            f"{self.output.state / 1e3:,.0f} kB",
        )
        return f"| {' | '.join(cells)} |"


def read(sandbox: Sandbox, folder: Path, shards: int, at_once: int) -> Round:
    """Read all companies in shards, some of them at the same time."""
    lines = [
        json.dumps(
            {"agreement_number": grant.company.agreement_number, "agreement_grant_token": token}
        )
        for token, grant in sandbox.grants.items()
    ]
    file = folder / "agreements.jsonl"
    file.write_text("\n".join(lines), encoding="utf-8")
    output = Output()

    def job(index: int) -> Measured:
        settings = {
            "app_secret_token": sandbox.app_secret,
            "rest_url": sandbox.url,
            "openapi_url": sandbox.url,
            "agreements_file": str(file),
            **({"shard_index": index, "shard_count": shards} if shards > 1 else {}),
        }
        config = folder / f"{index}-of-{shards}.json"
        config.write_text(json.dumps(settings), encoding="utf-8")
        return run([*module(TAP), "--config", str(config)], output.of_a_job())

    sandbox.log.clear()
    began = time.perf_counter()
    with ThreadPoolExecutor(at_once) as pool:
        jobs = list(pool.map(job, range(shards)))
    return Round(shards, time.perf_counter() - began, jobs, output, len(sandbox.log))


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.shards", description=__doc__)
    parser.add_argument("--companies", type=int, default=100)
    parser.add_argument("--latency", type=int, default=150, help="milliseconds per response")
    parser.add_argument("--shards", type=int, nargs="+", default=[1], help="one round for each")
    parser.add_argument("--at-once", type=int, default=os.cpu_count(), help="jobs at a time")
    options = parser.parse_args()
    grants = {
        token: grant
        for token, grant in standard_grants("small", options.companies).items()
        if token.startswith("company-")
    }
    print("| Shards | Time | CPU | Memory per job | Calls | Rows | State |\n" + "|---" * 7 + "|")
    sums = set()
    with (
        tempfile.TemporaryDirectory() as name,
        Sandbox(grants, latency=options.latency / 1000) as sandbox,
    ):
        for shards in options.shards:
            try:
                found = read(sandbox, Path(name), shards, options.at_once)
            except FailedError as error:
                print(f"There are no figures: {error}", file=sys.stderr)
                return 1
            print(found.row(), flush=True)
            sums.add((found.output.rows, found.output.sum))
    if len(sums) > 1:
        print("The rounds wrote different rows.", file=sys.stderr)
    return int(len(sums) > 1)


if __name__ == "__main__":
    sys.exit(main())
