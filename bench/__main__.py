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
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bench import cases, report
from bench.contenders import Contenders
from bench.measure import ROOT, FailedError
from bench.server import fast_server


def measure(*, quick: bool) -> dict[str, Any]:
    """Measure everything; a contender that does not do its work raises FailedError."""
    began = time.monotonic()
    results: dict[str, Any] = {"about": {**about(), "quick": quick}}
    with tempfile.TemporaryDirectory() as name, fast_server() as server:
        folder = Path(name)
        contenders = Contenders(server.url, folder)
        results["server"] = cases.server_rates(server, 1_000)
        results["startup"] = cases.startup(2 if quick else 15)
        results["cases"] = {
            case.name: cases.read(case, server, contenders) for case in cases.cases(quick=quick)
        }
        results["company"] = cases.company(1 if quick else 5, 0.25, folder)
    results["about"]["minutes"] = round((time.monotonic() - began) / 60, 1)
    return results


def about() -> dict[str, Any]:
    """Return on what and when it is measured."""
    command = ["git", "describe", "--always", "--dirty"]
    commit = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603
    return {
        "taken": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        "machine": f"{platform.platform()}, {os.cpu_count()} cores",
        "load before": " ".join(f"{load:.2f}" for load in os.getloadavg()),
        "Python": platform.python_version(),
        **{name: version(name) for name in ("singer-sdk", "msgspec", "requests")},
        "commit": commit.stdout.strip() or "unknown",
    }


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small sizes, one round")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="write results into a folder")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the server is ended
    try:
        results = measure(quick=options.quick)
    except FailedError as error:
        cases.say(f"There are no figures: {error}")
        return 1
    found = report.text(results)
    print(found)
    if options.keep:
        options.keep.mkdir(parents=True, exist_ok=True)
        kept = json.dumps(results, indent=1)
        (options.keep / "results.json").write_text(kept + "\n", encoding="utf-8")
        (options.keep / "RESULTS.md").write_text(f"# Results\n\n{found}", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
