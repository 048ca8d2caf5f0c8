"""`make demo` says so when the books do not add up, draws them, and leaves nothing running."""

from __future__ import annotations

import json
import os
import re
import select
import subprocess
import sys
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from scripts.demo import check_books, draw
from scripts.figures import DEDUCTED, Figures, Month, figures
from scripts.local import ROOT, process, sandbox
from scripts.picture import danish, page
from scripts.trial_balance import trial_balance
from tests.books_of import Books
from tests.conftest import WarmTapRunner, settings_for

if TYPE_CHECKING:
    from pathlib import Path

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


@pytest.mark.parametrize("opening", [7, 8])
def test_an_opening_entry_is_no_result_of_its_month(
    books: dict[str, Any], tmp_path: Path, opening: int
) -> None:
    books["booked_entries"].append({**entry(12, 1010, -500), "type": opening})
    check(books, tmp_path)
    assert [str(month.result) for month in figures(tmp_path).months] == ["1.00"]


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


DRAWN = (
    "agreements",
    "accounts",
    "accounting_years",
    "accounting_year_totals",
    "booked_entries",
)


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory, sandbox: Sandbox) -> Path:
    """The sandbox's main company as JSONL files."""
    folder = tmp_path_factory.mktemp("company")
    tap = WarmTapRunner(folder)
    run = tap(settings_for(sandbox, "demo"), catalog=tap.catalog_of(*DRAWN))
    assert run.exit_code == 0, run.stderr
    for stream, rows in run.records.items():
        lines = [json.dumps(row, default=float) for row in rows]
        (folder / f"{stream}.jsonl").write_text("\n".join(lines), encoding="utf-8")
    return folder


def kroner(text: str) -> Decimal:
    """An amount from the picture."""
    return Decimal(text.replace(".", "").replace(",", ".").replace("\N{MINUS SIGN}", "-"))


def shown(html: str) -> dict[str, Decimal]:
    """The amounts of the picture's table, by month."""
    rows = re.findall(r'<tr><td>(\w+ \d{4})</td><td class="amount">([^<]+)</td></tr>', html)
    return {month: kroner(amount) for month, amount in rows}


def test_the_picture_shows_the_results_of_the_trial_balance(company: Path) -> None:
    """Over all months, in the table: the profit and loss accounts of all fiscal years."""
    everything = figures(company, months=1000)
    balance = trial_balance(company)
    results = [-b.booked for b in balance.balances if b.account < 5000]  # status from 5000 on
    assert sum(shown(page(everything)).values()) == sum(results) == everything.result != 0


def test_each_month_of_the_picture_is_that_of_the_books(company: Path, sandbox: Sandbox) -> None:
    books = Books(sandbox.grants["demo"].company)  # type: ignore[arg-type]
    drawn = figures(company)
    years = books.company.world.years
    starts = {(y.name, p.number): p.start for y in years for p in y.periods}
    results = {starts[key[1:]]: amount for key, amount in books.results().items()}
    assert len(drawn.months) == 18
    assert {m.start: m.result for m in drawn.months} == {
        m.start: results[m.start] for m in drawn.months
    }
    html = page(drawn)
    assert list(shown(html).values()) == [m.result for m in drawn.months]


def test_receivables_of_the_picture_are_what_is_open_in_the_books(
    company: Path, sandbox: Sandbox
) -> None:
    books = Books(sandbox.grants["demo"].company)  # type: ignore[arg-type]
    drawn = figures(company)
    items = list(books.open_items("customer", drawn.as_of))
    wanted = {
        "Not due yet": sum(i.base for i in items if i.base > 0 and i.expires >= drawn.as_of),
        DEDUCTED: sum(i.base for i in items if i.base < 0),
    }
    assert drawn.items == len(items)
    for name, amount in wanted.items():
        assert abs(drawn.receivables[name] - amount) <= Decimal("0.02"), name
    assert abs(drawn.owed - sum(i.base for i in items)) <= Decimal("0.05")
    assert danish(drawn.owed) in page(drawn)


def test_columns_are_as_high_as_their_months(company: Path) -> None:
    drawn = figures(company)
    results = {f"{m.start:%Y-%m}": m.result for m in drawn.months}
    wide = page(drawn).split('<svg class="wide"')[1].split("</svg>")[0]
    columns = re.findall(
        r'data-month="([^"]+)".*? y="([^"]+)" height="([^"]+)" fill="([^"]+)"', wide
    )
    assert [month for month, *_ in columns] == list(results)
    per_krone = {float(height) / float(abs(results[month])) for month, _, height, _ in columns}
    assert max(per_krone) - min(per_krone) < 1e-5
    for month, _, _, colour in columns:
        assert colour == ("#2b6cb0" if results[month] >= 0 else "#c2552d")


def test_columns_are_labelled_in_what_the_heading_says(company: Path) -> None:
    drawn = figures(company)
    html = page(drawn)
    assert "Monthly result, in thousand&nbsp;kr." in html
    wide = html.split('<svg class="wide"')[1].split("</svg>")[0]
    labels = re.findall(r'class="value"[^>]*>([^<]+)<', wide)
    assert labels == [danish(m.result / 1000, 0) for m in drawn.months]


def test_a_large_company_counts_in_millions_and_a_small_one_has_decimals() -> None:
    for result, label, counted in ((12_345_678, "12,3", "million"), (1_234, "1,2", "thousand")):
        month = Month(date(2026, 1, 1), Decimal(result), ended=True)
        html = page(Figures("A", 1, "DKK", date(2026, 1, 31), [month], {}, 0))
        assert f"Monthly result, in {counted}&nbsp;kr." in html
        assert f">{label}</text>" in html


def test_what_is_late_is_told_without_what_is_not_set_off(company: Path) -> None:
    drawn = figures(company)
    ages = drawn.receivables
    assert drawn.late == drawn.owed - ages["Not due yet"] - ages[DEDUCTED] > 0
    assert f"{danish(drawn.late)}&nbsp;kr. is late" in page(drawn)


def test_entries_of_days_to_come_are_left_out(company: Path) -> None:
    """An accrual dated next year must not make invoices late today."""
    whole, until = figures(company), figures(company, today=date(2026, 6, 30))
    assert until.as_of <= date(2026, 6, 30)
    assert until.months[-1].start == date(2026, 6, 1)
    earlier = {m.start: m.result for m in whole.months if m.start <= date(2026, 6, 1)}
    assert {m.start: m.result for m in until.months if m.start in earlier} == earlier


def test_the_picture_follows_a_dark_screen(company: Path) -> None:
    """No colour of text or lines is fixed outside the two sets of colours at the top."""
    html = page(figures(company))
    style = html.split("<style>")[1].split("</style>")[0]
    rules = style.split("* { box-sizing")[1]
    assert "prefers-color-scheme: dark" in style
    assert not re.search(r"#[0-9a-f]{3,6}", rules)
    assert "stroke=" not in html


def test_the_picture_needs_nothing_from_the_net(
    company: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture = tmp_path / "picture.html"
    draw(company, picture)
    html = picture.read_text(encoding="utf-8")
    assert not re.search(r"https?://|<script|<link|@import|url\(", html)
    assert "As of 13 November 2026" in html
    assert "Nordlys Cykler &amp; Fritid ApS" in html
    assert capsys.readouterr().out.splitlines()[-1] == str(picture)


def test_amounts_are_written_the_danish_way() -> None:
    assert danish(Decimal("1234567.5")) == "1.234.567,50"
    assert danish(Decimal("-0.05")) == "\N{MINUS SIGN}0,05"


def test_a_company_without_open_items_is_drawn_too() -> None:
    month = Month(date(2026, 1, 1), Decimal(0), ended=True)
    ages = {"Not due yet": Decimal(0)}
    html = page(Figures("A", 1, "EUR", date(2026, 1, 31), [month], ages, 0))
    assert "Open receivables: 0,00&nbsp;EUR" in html


def test_a_port_that_is_taken_is_no_riddle(sandbox: Sandbox) -> None:
    """What `make sandbox` runs, twice."""
    port = sandbox.url.rpartition(":")[2]
    command = [sys.executable, "-m", "scripts.sandbox", "--port", port]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "Address already in use" in done.stderr
    assert done.stderr.splitlines()[-1].endswith("make sandbox PORT=9000 takes another port")
    assert "Traceback" not in done.stderr
