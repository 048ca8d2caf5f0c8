"""`make demo` says in few lines whether the books add up, and leaves nothing running."""

from __future__ import annotations

import json
import os
import re
import select
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from scripts.demo import check_books
from scripts.local import ROOT, process, sandbox
from scripts.picture import figures

if TYPE_CHECKING:
    from tests.sandbox.server import Sandbox

YEAR = {"agreementNumber": 1, "year": "2025/2026", "fromDate": "2025-07-01", "toDate": "2026-06-30"}
DEBTORS = {
    "agreementNumber": 1,
    "accountNumber": 5600,
    "accountType": "status",
    "name": "Debitorer",
}
SALES = {
    "agreementNumber": 1,
    "accountNumber": 1010,
    "accountType": "profitAndLoss",
    "name": "Salg",
}
RESULT = {"agreementNumber": 1, "accountNumber": 1999, "accountType": "totalFrom", "name": "I alt"}


def entry(number: int, account: int, amount: float, date: str = "2026-06-30") -> dict[str, Any]:
    return {
        "agreementNumber": 1,
        "entryNumber": number,
        "accountNumber": account,
        "date": date,
        "amountInBaseCurrency": amount,
    }


def total(account: int, amount: float) -> dict[str, Any]:
    return {
        "agreementNumber": 1,
        "accountingYear": "2025/2026",
        "accountNumber": account,
        "totalInBaseCurrency": amount,
    }


@pytest.fixture
def books() -> dict[str, list[dict[str, Any]]]:
    """Small books that balance; ten times 0.1 is not 1 in binary floating point."""
    return {
        "accounting_years": [YEAR],
        "accounts": [DEBTORS, SALES, RESULT],
        "booked_entries": [*(entry(n, 5600, 0.1) for n in range(1, 11)), entry(11, 1010, -1)],
        "accounting_year_totals": [total(5600, 1), total(1010, -1), total(1999, -1)],
    }


def check(books: dict[str, list[dict[str, Any]]], folder: Path) -> int:
    for stream, rows in books.items():
        text = "".join(json.dumps(row) + "\n" for row in rows)
        (folder / f"{stream}.jsonl").write_text(text, encoding="utf-8")
    return check_books(folder)


def test_books_that_balance_pass(
    books: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert check(books, tmp_path) == 0
    told = capsys.readouterr().out
    assert "each of the 2 balances equals" in told
    lines = [line.split() for line in told.splitlines()]
    assert ["5600", "Debitorer", "Receivables", "1.00"] in lines
    assert ["1010", "Salg", "-1.00"] in lines  # an account that the sample company has not got


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (
            {"booked_entries": [entry(11, 1010, 0.01)]},
            "WRONG: 2025/2026 does not balance: its entries add up to 0.01",
        ),
        (
            {"booked_entries": [entry(11, 5600, 0.01), entry(12, 1010, -0.01)]},
            "account 5600: entries add up to 1.01, but accounting_year_totals says 1.00",
        ),
        (
            {
                "accounts": [{**SALES, "accountNumber": 1020}],
                "accounting_year_totals": [total(1020, 5)],
            },
            "account 1020: entries add up to 0.00, but accounting_year_totals says 5.00",
        ),
        (
            {
                "booked_entries": [
                    entry(12, 5600, 1, date="2026-07-01"),
                    entry(13, 1010, -1, date="2026-07-01"),
                ]
            },
            "WRONG: 2 entries are dated outside all fiscal years",
        ),
    ],
)
def test_books_that_do_not_add_up_are_told(
    books: dict[str, Any],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    wrong: dict[str, list[Any]],
    words: str,
) -> None:
    for stream, rows in wrong.items():
        books[stream] += rows
    assert check(books, tmp_path) == 1
    assert words in capsys.readouterr().out


def test_nothing_at_all_is_no_proof(tmp_path: Path) -> None:
    assert check_books(tmp_path) == 1


@pytest.mark.parametrize("opening", [7, 8])
def test_an_opening_entry_is_no_result_of_its_month(
    books: dict[str, Any], tmp_path: Path, opening: int
) -> None:
    books["booked_entries"].append({**entry(12, 1010, -500), "type": opening})
    check(books, tmp_path)
    assert [str(result) for result in figures(tmp_path).months.values()] == ["1.00"]


def test_a_process_ends_with_its_block_and_so_do_its_children() -> None:
    sleep = [sys.executable, "-c", "import time; time.sleep(60)"]
    parent = f"import subprocess; print(1, flush=True); subprocess.run({sleep}, close_fds=False)"
    alive, held_by_them = os.pipe()
    with process(
        [sys.executable, "-c", parent], stdout=subprocess.PIPE, pass_fds=[held_by_them]
    ) as started:
        assert started.stdout
        started.stdout.readline()
    os.close(held_by_them)
    ended, _, _ = select.select([alive], [], [], 5)  # end of file once nobody holds the other end
    os.close(alive)
    assert ended


def test_a_sandbox_that_does_not_start_is_an_error() -> None:
    with pytest.raises(RuntimeError, match="did not start"), sandbox("--scale", "no-such-scale"):
        pass


@pytest.mark.slow
def test_the_demo_reads_checks_and_draws() -> None:
    """What `make demo` runs. It installs the plugins, from a package index."""
    command = [sys.executable, "-m", "scripts.demo"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].startswith("Reads a made-up company")
    assert "minute" in lines[1]
    assert len(lines) <= 65
    (told,) = [line for line in lines if "balances equals e-conomic's own" in line]
    assert told.startswith("Every year adds up to zero")
    assert re.search(r"The second run read [\d,]+ rows instead of [\d,]+: \d+ streams", done.stdout)
    assert Path(lines[-1].rpartition(": ")[2]).read_text("utf-8").startswith("<!DOCTYPE html>")


def test_a_port_that_is_taken_is_no_riddle(sandbox: Sandbox) -> None:
    """What `make sandbox` runs, twice."""
    port = sandbox.url.rpartition(":")[2]
    command = [sys.executable, "-m", "scripts.sandbox", "--port", port]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "Address already in use" in done.stderr
    assert done.stderr.splitlines()[-1].endswith("make sandbox PORT=9000 takes another port")
    assert "Traceback" not in done.stderr
