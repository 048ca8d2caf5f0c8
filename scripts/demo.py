"""`make demo`: read a whole company through Meltano into JSONL, prove it complete, and draw it.

The company is the sandbox's, on this machine; with `--live` it is e-conomic's public demo company.
"""

from __future__ import annotations

import argparse
import contextlib
import shutil
import signal
import sys
import threading
import time
from collections import Counter
from datetime import datetime
from typing import TYPE_CHECKING, Any

from scripts.local import ROOT, MeltanoProject, environment, sandbox
from scripts.trial_balance import trial_balance
from tests.sandbox.books.chart import IN_ENGLISH

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from scripts.local import Run
    from scripts.trial_balance import TrialBalance

FOLDER = ROOT / "output" / "demo"
TAP = "tap-visma-economic"
PLUGINS = (TAP, "target-jsonl")
LINE_WIDTH = 120
LARGEST = 10


def main() -> int:
    """Run the demo; return 0 if everything is as it must be."""
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument("--live", action="store_true", help="read e-conomic's demo company instead")
    live = parser.parse_args().live
    what = "e-conomic's public demo company, over the internet" if live else "a made-up company"
    print(
        f"Reads {what}, through Meltano into JSON files, twice; checks that its books\n"
        f"balance, and draws them. It takes {'some minutes' if live else 'about a minute'}.\n"
    )
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    nothing: dict[str, Any] = {}
    config: dict[str, Any] = {"app_secret_token": "demo", "agreement_grant_token": "demo"}
    try:
        with contextlib.nullcontext(nothing) if live else sandbox() as served:
            urls = {name: url for name, url in served.items() if name.endswith("_url")}
            return _demo(environment({**config, **urls}), live=live)
    except KeyboardInterrupt:
        print("\nInterrupted: nothing is left running")
        return 128 + signal.SIGINT


def _demo(settings: dict[str, str], *, live: bool) -> int:
    for folder in ("first", "second"):
        shutil.rmtree(FOLDER / folder, ignore_errors=True)
    (FOLDER / ".meltano/meltano.db").unlink(missing_ok=True)
    project = MeltanoProject(FOLDER)
    with _step(f"Installing {' and '.join(PLUGINS)}"):
        installed = project.install(*PLUGINS)
    if installed.exit_code:
        return _give_up("Meltano could not install the plugins", installed)
    command = f"meltano run {' '.join(PLUGINS)}"
    with _step(command) as seconds:
        first = _run(project, settings, "first")
    rows = _rows(FOLDER / "first")
    _print_streams(rows, first, seconds())
    unproved = check_books(FOLDER / "first")
    if first.exit_code:
        return _give_up("The run did not complete", first)
    if unproved:
        return unproved
    with _step(f"{command}, again"):
        second = _run(project, settings, "second")
    if second.exit_code:
        return _give_up("The second run did not complete", second)
    again = _rows(FOLDER / "second")
    fewer = [stream for stream in rows if again[stream] < rows[stream]]
    if not fewer:
        print("WRONG: the second run read everything again")
        return 1
    with _step("Drawing"):
        from scripts.picture import draw, figures  # noqa: PLC0415  the slowest of all imports

        # the made-up company's today is not ours
        today = datetime.now().astimezone().date() if live else None
        page = draw(figures(FOLDER / "first", today=today), FOLDER)
    print(
        f"\nThe second run read {again.total():,} rows instead of {rows.total():,}: {len(fewer)} "
        f"streams continued from their bookmarks.\nRows: {FOLDER.relative_to(ROOT)}/first/, a file "
        f"per stream\nPicture, to open in a browser: {page}"
    )
    return 0


@contextlib.contextmanager
def _step(what: str) -> Iterator[Any]:
    """Print what is done and how long it took; on a terminal, the seconds that pass as well.

    Yields a function that returns the seconds.
    """
    began, over = time.monotonic(), threading.Event()

    def line(end: str) -> None:
        start = "\r" if sys.stdout.isatty() else ""
        print(f"{start}{what} ... {time.monotonic() - began:.0f} s", end=end, flush=True)

    def count() -> None:
        while not over.wait(0.5):
            line("")

    clock = threading.Thread(target=count, daemon=True)
    if sys.stdout.isatty():
        clock.start()
    try:
        yield lambda: time.monotonic() - began
    finally:
        over.set()
        if clock.ident:
            clock.join()
        line("\n")


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


def _print_streams(rows: Counter[str], run: Run, seconds: float) -> None:
    print(
        f"\n{rows.total():,} rows of {len(rows)} streams in {seconds:.0f} seconds. "
        "The largest streams:"
    )
    for stream, count in rows.most_common(LARGEST):
        print(f"{stream:<32}{count:>8,}")
    for line in _complaints(run):
        print(line)


def _print_balance(balance: TrialBalance) -> None:
    """Print one line per account, one column for each of the latest accounting years."""
    cells: dict[tuple[int, str], dict[str, str]] = {}
    for line in balance.balances:
        cells.setdefault((line.account, line.name or ""), {})[line.year] = f"{line.booked:,.2f}"
    names = {name: (name, IN_ENGLISH.get(name, "")) for _, name in cells}
    first, second = (max((len(it[i]) for it in names.values()), default=8) + 2 for i in (0, 1))
    width = 2 + max(
        (len(text) for amounts in cells.values() for text in amounts.values()), default=8
    )
    years = balance.years[-max(1, (LINE_WIDTH - first - second - 6) // width) :]
    print("\nTrial balance (saldobalance) of each accounting year, debit less credit")
    head = "".join(f"{year:>{width}}" for year in years)
    print(f"{'Konto':<6}{'Navn':<{first}}{'In English':<{second}}{head}")
    for (account, name), amounts in sorted(cells.items()):
        if any(amounts.get(year, "0.00") != "0.00" for year in years):
            figures = "".join(f"{amounts.get(year, ''):>{width}}" for year in years)
            print(f"{account:<6}{name:<{first}}{names[name][1]:<{second}}{figures}")
    sums = "".join(f"{balance.sum_of(year):>{width},.2f}" for year in years)
    print(f"{'':<6}{'I alt':<{first}}{'Total':<{second}}{sums}")
    if len(balance.years) > len(years):
        print(f"(The latest {len(years)} of {len(balance.years)} accounting years.)")
    if not balance.faults():
        print(
            f"Every year adds up to zero, and each of the {len(balance.balances)} balances equals "
            "e-conomic's own total.\n"
        )


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
