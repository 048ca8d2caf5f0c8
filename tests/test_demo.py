"""`make demo` says so when the books do not add up, and leaves nothing running."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from scripts.demo import check_books
from scripts.local import process, sandbox

if TYPE_CHECKING:
    from pathlib import Path

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
    assert "each of the 2 balances equals" in capsys.readouterr().out


def test_a_year_that_does_not_add_up_to_zero_is_told(
    books: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    books["booked_entries"][-1] = entry(11, 1010, -0.99)
    books["accounting_year_totals"][1] = total(1010, -0.99)
    assert check(books, tmp_path) == 1
    told = capsys.readouterr().out
    assert "WRONG: 2025/2026 does not balance: its entries add up to 0.01" in told


def test_an_account_that_differs_from_the_control_total_is_told(
    books: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    books["accounting_year_totals"][0] = total(5600, 1.01)
    assert check(books, tmp_path) == 1
    told = capsys.readouterr().out
    assert "account 5600: entries add up to 1.00, but accounting_year_totals says 1.01" in told


def test_an_account_without_any_entry_must_have_no_control_total(
    books: dict[str, Any], tmp_path: Path
) -> None:
    books["accounts"].append({**SALES, "accountNumber": 1020})
    books["accounting_year_totals"].append(total(1020, 5))
    assert check(books, tmp_path) == 1


def test_entries_outside_every_fiscal_year_are_told(
    books: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    books["booked_entries"] += [
        entry(12, 5600, 1, date="2026-07-01"),
        entry(13, 1010, -1, date="2026-07-01"),
    ]
    assert check(books, tmp_path) == 1
    assert "WRONG: 2 entries are dated outside all fiscal years" in capsys.readouterr().out


def test_nothing_at_all_is_no_proof(tmp_path: Path) -> None:
    assert check_books(tmp_path) == 1


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
