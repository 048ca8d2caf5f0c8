"""The dbt package over small books written by hand: what the sandbox's companies do not have."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from tests.odd_books import Books

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def books(tmp_path_factory: pytest.TempPathFactory) -> Books:
    """The three companies, and the reports."""
    made = Books(tmp_path_factory.mktemp("odd"))
    made.tell_totals()
    built = made.build()
    assert set(built.statuses.values()) == {"success", "pass"}, built.text
    return made


def amounts(rows: list[tuple[Any, ...]]) -> dict[Any, Decimal]:
    return {row[0] if len(row) == 2 else row[:-1]: row[-1] for row in rows if row[-1]}


def test_headings_of_one_kind_make_sections_and_end_at_their_totals(books: Books) -> None:
    rows = books.rows(
        "SELECT account_number, section_name, heading_name FROM chart_of_accounts "
        "WHERE agreement_number = 1 AND account_type IN ('profitAndLoss', 'status') ORDER BY ALL"
    )
    assert rows == [
        (1010, "RESULTATOPGØRELSE", "Omsætning"),
        (1020, "RESULTATOPGØRELSE", "Omsætning"),
        (1310, "RESULTATOPGØRELSE", "Vareforbrug"),
        (2210, "RESULTATOPGØRELSE", "RESULTATOPGØRELSE"),  # wages are no goods
        (5600, "RESULTATOPGØRELSE", "AKTIVER"),
        (5820, "RESULTATOPGØRELSE", "AKTIVER"),
        (6110, "RESULTATOPGØRELSE", "PASSIVER"),
    ]


def test_a_year_whose_opening_was_taken_back_is_not_opened(books: Books) -> None:
    """A closed year that is opened again leaves reversed opening entries in the year after it."""
    assert books.rows(
        "SELECT accounting_year, has_opening_entries, CAST(balances_from_date AS VARCHAR) "
        "FROM fiscal_years WHERE agreement_number = 1 ORDER BY 1"
    ) == [("2024", False, "2024-01-01"), ("2025", False, "2024-01-01")]
    sheet = amounts(
        books.rows(
            "SELECT line_type, account_number, balance FROM balance_sheet "
            "WHERE agreement_number = 1 AND period_to_date = '2025-12-31'"
        )
    )
    assert sheet == {
        ("account", 5820): Decimal("1150.55"),
        ("result of the year", None): Decimal("-550.50"),
        ("result not transferred", None): Decimal("-600.05"),
    }


def test_what_was_booked_after_the_balances_were_carried_over_is_told(books: Books) -> None:
    rows = books.rows(
        "SELECT accounting_year, account_number, closing_balance_before, opening_balance, "
        "difference FROM opening_balances ORDER BY ALL"
    )
    assert rows == [
        ("2024/2025", 5820, 260, 300, 40),
        ("2024/2025", 6110, -200, -300, -100),  # the result of 100 was carried over, it is 60 now
    ]


def test_companies_with_different_years_stand_beside_one_another(books: Books) -> None:
    rows = books.rows(
        "SELECT agreement_number, accounting_year, account_number, balance FROM balance_sheet "
        "WHERE period_to_date = '2024-08-31' ORDER BY ALL"
    )
    assert rows == [
        (1, "2024", 5820, Decimal("700.05")),
        (1, "2024", None, Decimal("-700.05")),
        (2, "2024/2025", 5820, 370),
        (2, "2024/2025", 6110, -300),
        (2, "2024/2025", None, -70),
    ]


def test_a_company_without_entries_has_a_chart_and_years_and_nothing_else(books: Books) -> None:
    for report in ("chart_of_accounts", "fiscal_years"):
        assert books.rows(f"SELECT count(*) > 0 FROM {report} WHERE agreement_number = 3") == [
            (True,)
        ]
    for report in ("trial_balance", "balance_sheet", "profit_and_loss_lines", "opening_balances"):
        assert books.rows(f"SELECT count(*) FROM {report} WHERE agreement_number = 3") == [(0,)]


def test_the_statement_has_totals_and_the_year_before(books: Books) -> None:
    rows = books.rows(
        "SELECT account_number, line_type, result, result_year_to_date, result_last_year, "
        "result_last_year_to_date FROM profit_and_loss_lines "
        "WHERE agreement_number = 1 AND period_from_date = '2025-02-01' ORDER BY ALL"
    )
    before, goods = Decimal("1000.10"), Decimal("-300.05")
    assert rows == [
        (1010, "account", Decimal("500.50"), Decimal("500.50"), before, before),
        (1020, "account", 50, 50, 0, 0),
        (1099, "total", Decimal("550.50"), Decimal("550.50"), before, before),
        (1310, "account", 0, 0, goods, goods),
        (1399, "total", 0, 0, goods, goods),
        (2210, "account", 0, 0, 0, 0),
        (4999, "total", Decimal("550.50"), Decimal("550.50"), before + goods, before + goods),
    ]


def test_the_year_before_of_a_broken_year_goes_by_date(books: Books) -> None:
    """And a period that has no year before has null there, not zero."""
    rows = books.rows(
        "SELECT CAST(period_from_date AS VARCHAR), result_year_to_date, result_last_year_to_date "
        "FROM profit_and_loss_lines WHERE agreement_number = 2 AND account_number = 4999 "
        "AND period_from_date IN ('2023-08-01', '2024-08-01', '2025-06-01') ORDER BY ALL"
    )
    assert rows == [
        ("2023-08-01", 100, None),
        ("2024-08-01", 70, 100),
        ("2025-06-01", 70, 60),
    ]


@pytest.mark.slow
def test_deleted_customers_and_entries_without_one_are_no_trouble(tmp_path: Path) -> None:
    """Entries of a customer who is gone are still owed; the ageing shows the number."""
    books = Books(tmp_path)
    invoice: dict[str, Any] = {"day": "2025-01-10", "vouchernumber": 9}
    books.book(1, 1001, 1, account=5600, amount=125, remainder=125, customernumber=9, **invoice)
    books.book(1, 1002, 1, account=1010, amount=-125, **invoice)
    books.tell_totals()
    built = books.build(as_of_date="2025-02-28")
    (warned,) = built.of("warn")
    assert "customer_number" in warned
    assert books.rows(
        "SELECT customer_number, customer_name, total, overdue_31_to_60 FROM receivables_ageing"
    ) == [(9, None, 125, 125)]


@pytest.mark.slow
def test_a_renumbered_account_is_noticed(tmp_path: Path) -> None:
    """Entries that were read before stand under the old number until they are read again."""
    books = Books(tmp_path)
    books.tell_totals()
    for table in ("accounts", "accounting_year_totals"):
        books.run(
            f"UPDATE economic.{table} SET accountnumber = 1015 "
            "WHERE accountnumber = 1010 AND agreementnumber = 1"
        )
    built = books.build(code=1)
    assert "trial_balance_equals_accounting_year_totals" in built.of("fail")
    assert any(name.startswith("refers_to_general_ledger_") for name in built.of("fail"))


@pytest.mark.slow
def test_a_start_date_in_a_year_that_is_not_opened_fails_the_checks(tmp_path: Path) -> None:
    """e-conomic's totals begin at zero too, and agree; but the balances lack what came before."""
    books = Books(tmp_path)
    books.tell_totals()
    books.run("DELETE FROM economic.booked_entries WHERE date < '2025-01-01'")
    books.run("DELETE FROM economic.booked_entries WHERE agreementnumber = 2")
    books.run("DELETE FROM economic.accounting_year_totals WHERE agreementnumber = 2")
    built = books.build(code=1)
    assert built.of("fail") == ["what_came_before_is_carried_over"]


PART_PAID = (
    (1001, 1, "2025-01-10", 100, 60),
    (1002, 2, "2025-03-10", -40, 0),
)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("matched", "wanted"), [(True, [(1001, 100, True)]), (False, [(1001, 60, False)])]
)
def test_what_settled_an_entry_must_be_known_for_a_day_in_the_past(
    tmp_path: Path, matched: bool, wanted: list[tuple[Any, ...]]
) -> None:
    books = Books(tmp_path)
    for number, kind, day, amount, left in PART_PAID:
        books.book(
            1, number, kind, day=day, account=5600, amount=amount, remainder=left, customernumber=9
        )
    if matched:
        books.add("matched_entries", agreementnumber=1, fromentry=1001, toentry=1002)
    else:
        books.run("DROP TABLE economic.matched_entries")
    only = ("--select", "+receivables_open_items", "--exclude-resource-type", "test")
    books.build(*only, as_of_date="2025-02-28")
    assert ("there is no table matched_entries" in books.log()) is not matched
    found = books.rows("SELECT entry_number, open_amount, is_exact FROM receivables_open_items")
    assert found == wanted
    if not matched:  # today's remainders need no matches
        books.build(*only)
        assert "there is no table matched_entries" not in books.log()
        found = books.rows("SELECT entry_number, open_amount, is_exact FROM receivables_open_items")
        assert found == [(1001, 60, True)]
