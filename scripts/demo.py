"""`make demo`: read a whole company through Meltano into JSONL, prove it complete, and draw it.

The company is the sandbox's, on this machine; with `--live` it is e-conomic's public demo company.
"""

from __future__ import annotations

import argparse
import contextlib
import shutil
import signal
import sys
from collections import Counter
from datetime import datetime
from typing import TYPE_CHECKING, Any

from scripts.figures import figures
from scripts.local import ROOT, MeltanoProject, environment, sandbox
from scripts.picture import page
from scripts.trial_balance import trial_balance

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date
    from pathlib import Path

    from scripts.local import Run
    from scripts.trial_balance import TrialBalance

FOLDER = ROOT / "output" / "demo"
TAP = "tap-visma-economic"
PLUGINS = (TAP, "target-jsonl")
LINE_WIDTH = 120
NAME_WIDTH = 32


def main() -> int:
    """Run the demo; return 0 if everything is as it must be."""
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument("--live", action="store_true", help="read e-conomic's demo company instead")
    live = parser.parse_args().live
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        with _company(live=live) as config:
            # the made-up company's today is not ours
            today = datetime.now().astimezone().date() if live else None
            return _demo(environment(config), today)
    except KeyboardInterrupt:
        print("\nInterrupted: nothing is left running")
        return 128 + signal.SIGINT


@contextlib.contextmanager
def _company(*, live: bool) -> Iterator[dict[str, Any]]:
    """Yield the settings with which the tap reads the company."""
    tokens = {"app_secret_token": "demo", "agreement_grant_token": "demo"}
    if live:
        print("Reading e-conomic's public demo company over the internet")
        yield tokens
        return
    with sandbox() as served:
        urls = {name: served[name] for name in ("rest_url", "openapi_url")}
        print(f"Reading the sandbox, a local e-conomic with a made-up company: {urls['rest_url']}")
        yield {**tokens, **urls}


def _demo(settings: dict[str, str], today: date | None) -> int:
    for folder in ("first", "second"):
        shutil.rmtree(FOLDER / folder, ignore_errors=True)
    for file in ("picture.html", ".meltano/meltano.db"):
        (FOLDER / file).unlink(missing_ok=True)
    project = MeltanoProject(FOLDER)
    print(f"Installing {' and '.join(PLUGINS)} with Meltano ...", flush=True)
    installed = project.install(*PLUGINS)
    if installed.exit_code:
        return _give_up("Meltano could not install the plugins", installed)

    print(f"Running: meltano run {' '.join(PLUGINS)} ...", flush=True)
    first = _run(project, settings, "first")
    _print_streams(FOLDER / "first", first)
    unproved = check_books(FOLDER / "first")
    if first.exit_code:
        return _give_up("The run did not complete", first)
    if unproved:
        return unproved

    print("Running it again ...", flush=True)
    second = _run(project, settings, "second")
    if second.exit_code:
        return _give_up("The second run did not complete", second)
    differs = _compare(_rows(FOLDER / "first"), _rows(FOLDER / "second"))
    if not differs:
        draw(FOLDER / "first", FOLDER / "picture.html", today)
    return differs


def draw(folder: Path, picture: Path, today: date | None = None) -> None:
    """Draw the JSONL files of a folder, up to today, as an HTML page, and print where it is."""
    picture.write_text(page(figures(folder, today=today)), encoding="utf-8")
    print(
        "\nA picture of the company, its monthly result and its open receivables; open it in a "
        f"browser:\n{picture}"
    )


def check_books(folder: Path) -> int:
    """Print the trial balance of the JSONL files in a folder; return 0 if it is as it must be."""
    balance = trial_balance(folder)
    _print_balance(balance)
    faults = balance.faults()
    for fault in faults:
        print(f"WRONG: {fault}")
    return 1 if faults else 0


def _run(project: MeltanoProject, settings: dict[str, str], name: str) -> Run:
    target = {"TARGET_JSONL_DESTINATION_PATH": str(FOLDER / name)}
    return project.meltano({**settings, **target}, "run", *PLUGINS)


def _rows(folder: Path) -> Counter[str]:
    """Return the number of rows of each stream in a folder."""
    return Counter({it.stem: it.read_bytes().count(b"\n") for it in folder.glob("*.jsonl")})


def _seconds(run: Run) -> dict[str, float]:
    """Return how long the tap worked on each stream, as its own log reports."""
    metrics = [it.metric for it in run.log if it.metric.get("metric") == "sync_duration"]
    seconds = dict.fromkeys((it["tags"]["stream"] for it in metrics), 0.0)
    for it in metrics:
        seconds[it["tags"]["stream"]] += it["value"]
    return seconds


def _print_streams(folder: Path, run: Run) -> None:
    rows, seconds = _rows(folder), _seconds(run)
    print(f"\n{'Stream':<36}{'Rows':>10}{'Seconds':>10}")
    for stream in sorted(rows):
        print(f"{stream:<36}{rows[stream]:>10,}{seconds.get(stream, 0):>10.3f}")
    print(f"{'In all':<36}{sum(rows.values()):>10,}{sum(seconds.values()):>10.3f}")
    empty = sorted(set(seconds) - set(rows))
    if empty:
        print(f"Read, and without rows: {', '.join(empty)}")
    for line in _complaints(run):
        print(line)
    print(f"The files are in {folder.relative_to(ROOT)}/, one per stream\n")


def _print_balance(balance: TrialBalance) -> None:
    """Print one line per account, one column for each of the latest fiscal years."""
    cells: dict[tuple[int, str], dict[str, str]] = {}
    for line in balance.balances:
        cells.setdefault((line.account, line.name or ""), {})[line.year] = f"{line.booked:,.2f}"
    width = 2 + max(
        (len(text) for amounts in cells.values() for text in amounts.values()), default=8
    )
    years = balance.years[-max(1, (LINE_WIDTH - NAME_WIDTH - 8) // width) :]
    print("Trial balance per fiscal year: booked_entries by date, in the company's currency")
    print(f"{'Account':<8}{'Name':<{NAME_WIDTH}}" + "".join(f"{year:>{width}}" for year in years))
    for (account, name), amounts in sorted(cells.items()):
        if any(year in amounts for year in years):
            figures = "".join(f"{amounts.get(year, ''):>{width}}" for year in years)
            print(f"{account:<8}{name[: NAME_WIDTH - 1]:<{NAME_WIDTH}}{figures}")
    sums = "".join(f"{balance.sum_of(year):>{width},.2f}" for year in years)
    print(f"{'':<8}{'Adds up to':<{NAME_WIDTH}}{sums}")
    if len(balance.years) > len(years):
        print(f"(The latest {len(years)} of {len(balance.years)} fiscal years; all are checked.)")
    if not balance.faults():
        print(
            f"Every year adds up to zero, and each of the {len(balance.balances)} balances equals "
            "e-conomic's own accounting_year_totals.\n"
        )


def _compare(first: Counter[str], second: Counter[str]) -> int:
    fewer = sorted(stream for stream in first if second[stream] < first[stream])
    if not fewer:
        print("WRONG: the second run read everything again")
        return 1
    for stream in fewer:
        print(f"{stream:<36}{first[stream]:>10,} rows, then {second[stream]:,}")
    print(
        "The second run was incremental: these streams went on from their bookmarks, with an "
        "overlap and what is still open.\nThe others are read in full every time."
    )
    return 0


def _give_up(what: str, run: Run) -> int:
    print(f"WRONG: {what} (exit code {run.exit_code}). The end of Meltano's log:")
    for line in run.log[-15:]:
        print(f"  {line.text}")
    return 1


def _name(logger: str) -> str:
    return logger.removeprefix(TAP).lstrip(".")


def _complaints(run: Run) -> list[str]:
    """Return the tap's warnings and errors, but not Python's, nor what its summary repeats."""
    return [
        ": ".join(filter(None, (line.level.capitalize(), _name(line.logger), line.text)))
        for line in run.log
        if line.plugin == TAP
        and line.level in {"warning", "error", "critical"}
        and not line.text.startswith(("Skipped for ", "Failed for "))
        and line.logger != "py.warnings"
    ]


if __name__ == "__main__":
    sys.exit(main())
