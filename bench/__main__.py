"""`make bench`: measure everything, print it, and keep it."""

from __future__ import annotations

import argparse
import json
import os
import platform
import signal
import subprocess
import sys
import tempfile
import time
from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench import cases, report
from bench.contenders import ROOT, Contenders
from bench.measure import FailedError
from bench.plan import FULL, QUICK
from bench.servers import Companies, FastServer

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.plan import Plan

_SERVER_PAGES = 2_000
_PACKAGES = ("singer-sdk", "msgspec", "requests", "tap-visma-economic")


def measure(plan: Plan, say: Callable[[str], object]) -> dict[str, Any]:
    """Measure everything of a plan.

    Raises:
        FailedError: a contender did not do its work; then there are no figures.
    """
    began = time.monotonic()
    results: dict[str, Any] = {"about": about()}
    with tempfile.TemporaryDirectory() as name, FastServer(plan.rows) as server:
        folder = Path(name)
        contenders = Contenders(server.url, folder)
        results["server"] = cases.server_rate(server, _SERVER_PAGES)
        results["startup"] = cases.startup(server, contenders, plan.startups, say)
        results["throughput"] = [
            figures
            for cell in plan.cells
            for figures in cases.throughput(cell, server, contenders, say)
        ]
        results["budget"] = cases.budget(plan.budget, server, contenders, say)
        results["profile"] = cases.profile(server, contenders, plan.profiled, say)
    with tempfile.TemporaryDirectory() as name, Companies(plan.agreements) as companies:
        folder = Path(name)
        results["company"] = cases.company(
            companies, plan.company_latency, plan.company_runs, folder, say
        )
        results["agreements"] = cases.agreements(
            companies, plan.agreements, plan.agreements_latency, folder, say
        )
    results["about"]["minutes"] = round((time.monotonic() - began) / 60, 1)
    return results


def about() -> dict[str, Any]:
    """Return on what and when it is measured."""
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty"],  # noqa: S607
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    return {
        "taken": datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "machine": _processor(),
        "cores": os.cpu_count(),
        "system": platform.platform(),
        "load": " ".join(f"{load:.2f}" for load in os.getloadavg()),
        "versions": {
            "Python": platform.python_version(),
            **{package: version(package) for package in _PACKAGES},
        },
        "commit": commit.stdout.strip() or "unknown",
    }


def _processor() -> str:
    """Return the name of the processor, where the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="small sizes, one round, two minutes; for a first look"
    )
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="write results into a folder")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the servers are ended

    def say(line: str) -> None:
        print(line, file=sys.stderr, flush=True)

    try:
        results = measure(QUICK if options.quick else FULL, say)
    except FailedError as error:
        say(f"There are no figures: {error}")
        return 1
    found = report.text(results)
    print(found)
    if options.keep:
        options.keep.mkdir(parents=True, exist_ok=True)
        kept = json.dumps(results, indent=1, ensure_ascii=False)
        (options.keep / "results.json").write_text(kept + "\n", encoding="utf-8")
        (options.keep / "RESULTS.md").write_text(f"# Results\n\n{found}", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
