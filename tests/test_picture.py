"""The demo's picture shows what the ledger says, to the øre, on any screen."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from datetime import date
from decimal import Decimal
from html import unescape
from typing import TYPE_CHECKING, Any

import pytest
import vl_convert
from PIL import Image

from scripts.picture import (
    AGES,
    UNALLOCATED,
    Figures,
    chart,
    draw,
    figures,
    rounded,
    summary,
    written,
)
from scripts.trial_balance import trial_balance
from tests import chromium
from tests.books_of import Books
from tests.conftest import ROOT, WarmTapRunner
from tests.dbt import on_ci

if TYPE_CHECKING:
    from pathlib import Path

    from tests.sandbox.server import Sandbox

READ = (
    "agreements",
    "accounts",
    "accounting_years",
    "accounting_year_totals",
    "booked_entries",
    "customers",
)
RECEIVABLES = {5600, 5610}


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory, sandbox: Sandbox) -> Path:
    """The sandbox's main company as JSONL files."""
    folder = tmp_path_factory.mktemp("company")
    run = WarmTapRunner(folder).read(sandbox, *READ, grants=["demo"])
    for stream, rows in run.records.items():
        lines = [json.dumps(row, default=float) for row in rows]
        (folder / f"{stream}.jsonl").write_text("\n".join(lines), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def drawn(company: Path) -> Figures:
    return figures(company)


@pytest.fixture(scope="module")
def page(drawn: Figures, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page, with the PNGs beside it."""
    return draw(drawn, tmp_path_factory.mktemp("picture"))


def texts(drawn: Figures, **kind: bool) -> list[str]:
    """Every text in a drawing."""
    svg = vl_convert.vegalite_to_svg(chart(drawn, **kind))
    return [unescape(text) for text in re.findall(r">([^<>]+)</t(?:ext|span)>", svg)]


def opened(path: Path) -> Image.Image:
    with Image.open(path) as image:
        image.load()
        return image


def test_the_total_is_the_ledgers_and_that_of_the_customers(drawn: Figures, company: Path) -> None:
    balance = trial_balance(company)
    latest = [b for b in balance.balances if b.year == balance.years[-1]]
    in_ledger = sum(b.booked for b in latest if b.account in RECEIVABLES)
    lines = (company / "customers.jsonl").read_text("utf-8").splitlines()
    of_customers = sum(json.loads(line, parse_float=Decimal)["balance"] for line in lines)
    assert drawn.owed == in_ledger == of_customers
    shown = texts(drawn)
    assert shown[shown.index("Total") :].count(written(drawn.owed)) == 1
    assert sum(map(rounded, drawn.receivables.values())) == drawn.owed


def test_items_are_rounded_once() -> None:
    """Three items of 0.333 øre are an øre; each rounded by itself, they are none."""
    third = Decimal("0.01") / 3
    ages = {**dict.fromkeys([*AGES, UNALLOCATED], Decimal(0)), "Not due": third * 2}
    of_three = Figures("A", "DKK", date(2026, 1, 31), {}, {**ages, "Over 90 days overdue": third})
    assert of_three.owed == Decimal("0.01")


def test_the_picture_shows_the_results_of_the_trial_balance(company: Path) -> None:
    """Over all months: the profit and loss accounts of all accounting years."""
    results = [-b.booked for b in trial_balance(company).balances if b.account < 5000]
    assert sum(figures(company, months=1000).months.values()) == sum(results) != 0


def test_each_month_of_the_picture_is_that_of_the_books(drawn: Figures, sandbox: Sandbox) -> None:
    books = Books(sandbox.grants["demo"].company)  # type: ignore[arg-type]
    starts = {
        (year.name, period.number): period.start
        for year in books.company.world.years
        for period in year.periods
    }
    results = {starts[key[1:]]: amount for key, amount in books.results().items()}
    assert len(drawn.months) == 18
    assert drawn.months == {month: results[month] for month in drawn.months}
    shown = texts(drawn)
    for result in drawn.months.values():
        assert written(result / 1000, 0) in shown


def test_receivables_are_what_is_open_in_the_books_by_the_due_date(
    drawn: Figures, sandbox: Sandbox
) -> None:
    books = Books(sandbox.grants["demo"].company)  # type: ignore[arg-type]
    wanted: dict[str, Decimal] = defaultdict(Decimal)
    for item in books.open_items("customer", drawn.as_of):
        late = (drawn.as_of - item.expires).days
        age = next(name for name, days in AGES.items() if late <= days)
        wanted[age if item.base > 0 else UNALLOCATED] += item.base
    assert {name: rounded(amount) for name, amount in drawn.receivables.items()} == wanted
    shown = texts(drawn)
    for name, amount in wanted.items():
        assert amount
        assert {name, written(amount)} <= set(shown)
    overdue = sum((it for name, it in wanted.items() if "days overdue" in name), Decimal(0))
    assert f"What customers owe, by the due date: {written(overdue)} is overdue." in shown


def test_pictures_are_in_true_colours_light_and_dark(page: Path, drawn: Figures) -> None:
    for name, paper in (("picture", (255, 255, 255)), ("picture-dark", (0x14, 0x18, 0x1D))):
        image = opened(page.with_name(f"{name}.png"))
        assert image.mode == "RGB"
        assert image.getpixel((0, 0)) == paper
        assert image.info["Description"] == summary(drawn)


@pytest.mark.parametrize("name", ["demo", "demo-dark"])
def test_the_pictures_in_the_documents_are_of_today(name: str, drawn: Figures, page: Path) -> None:
    image = opened(ROOT / "docs" / "assets" / f"{name}.png")
    new = opened(page.with_name(name.replace("demo", "picture") + ".png"))
    assert (image.mode, image.size) == (new.mode, new.size)
    assert image.info["Description"] == summary(drawn)


def test_a_phone_sees_a_year(drawn: Figures) -> None:
    wide, narrow = texts(drawn), texts(drawn, narrow=True)
    assert "June 2025" in " ".join(wide)
    assert {"Dec", "Jan", "2026"} <= set(narrow)
    assert "Total" in narrow


def test_entries_of_days_to_come_are_left_out(company: Path, drawn: Figures) -> None:
    """An accrual dated next year must not make invoices late today."""
    until = figures(company, today=date(2026, 6, 30))
    assert until.as_of <= date(2026, 6, 30)
    assert max(until.months) == date(2026, 6, 1)
    earlier = {month: it for month, it in drawn.months.items() if month <= date(2026, 6, 1)}
    assert {month: it for month, it in until.months.items() if month in earlier} == earlier


def test_a_small_company_has_decimals_and_needs_no_open_items() -> None:
    ages = dict.fromkeys([*AGES, UNALLOCATED], Decimal(0))
    small = Figures("A", "EUR", date(2026, 1, 31), {date(2026, 1, 1): Decimal(1_234)}, ages)
    shown = texts(small)
    assert {"1.2", "Open receivables: EUR 0.00", "Monthly result, EUR thousand"} <= set(shown)


def test_the_page_needs_nothing_from_the_net(page: Path) -> None:
    html = page.read_text(encoding="utf-8")
    assert not re.search(r"https?://|<script|<link|@import|url\(|<details", html)
    assert "<title>Nordlys Cykler &amp; Fritid ApS: " in html


def test_a_browser_shows_the_drawing_that_fits(page: Path, tmp_path: Path) -> None:
    programs = chromium.find()
    if programs is None:
        (pytest.fail if on_ci() else pytest.skip)(chromium.MISSING)
    with chromium.Browser(programs, tmp_path) as browser:
        seen: dict[Any, str] = {}
        for width in (1200, 390):
            for dark in (False, True):
                browser.resize(width, 900)
                browser.prefer(dark=dark)
                browser.open(page.as_uri())
                assert browser.until(lambda: browser.run("return document.images[0].naturalWidth"))
                seen[width, dark] = browser.run("return document.images[0].currentSrc")
                assert browser.run("return document.documentElement.scrollWidth") <= width
    assert len(set(seen.values())) == 4
