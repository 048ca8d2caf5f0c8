"""The dbt package in `models/` over what the tap has read, held against the sandbox's own books."""

from __future__ import annotations

import re
import shutil
from collections import defaultdict
from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests import duck
from tests.books_of import Books
from tests.conftest import WarmTapRunner
from tests.dbt import PACKAGE, Tables
from tests.documents import blocks
from tests.sandbox.books.calendar import TODAY

if TYPE_CHECKING:
    from pathlib import Path

    from tests.dbt import Built
    from tests.documents import Block
    from tests.sandbox.server import Sandbox

STREAMS = (
    "accounts",
    "accounting_years",
    "accounting_periods",
    "accounting_year_totals",
    "booked_entries",
    "matched_entries",
    "customers",
    "suppliers",
    "budget_figures",
    "dimensions",
    "dimension_values",
    "dimension_distributions",
    "booked_entry_dimensions",
    "account_total_intervals",
    "sync_runs",
)
OPTIONAL = STREAMS[5:]
GRANTS = ("demo", "demo-2")
PAST = date(2025, 3, 31)
BUCKETS = ("not_due", "overdue_1_to_30", "overdue_31_to_60", "overdue_61_to_90", "overdue_over_90")


class Copy(Tables):
    """A copy of a database, whose reports are as of the sandbox's today."""

    def __init__(self, folder: Path, database: Path) -> None:
        super().__init__(folder)
        shutil.copy(database, self.database)

    def build(self, *arguments: str, code: int | None = 0, **variables: Any) -> Built:
        return super().build(*arguments, code=code, **{"as_of_date": f"{TODAY}", **variables})

    def sums(self, sql: str) -> dict[tuple[Any, ...], Decimal]:
        """A query's last column by the others, without what is 0."""
        return {tuple(row[:-1]): row[-1] for row in self.rows(sql) if row[-1]}


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory, sandbox: Sandbox) -> Path:
    """Two companies' tables, as the tap and a target leave them."""
    folder = tmp_path_factory.mktemp("raw")
    run = WarmTapRunner(folder).read(sandbox, *STREAMS, grants=GRANTS)
    database = folder / "raw.duckdb"
    duck.load(database, run)
    return database


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory, raw: Path) -> Copy:
    """The reports as of the sandbox's today."""
    made = Copy(tmp_path_factory.mktemp("reports"), raw)
    built = made.build()
    assert set(built.statuses.values()) == {"success", "pass"}, built.text  # and no warnings
    return made


@pytest.fixture(scope="module")
def in_the_past(tmp_path_factory: pytest.TempPathFactory, tables: Copy) -> Copy:
    """The ageing as of a day more than a year before the last entry."""
    made = Copy(tmp_path_factory.mktemp("past"), tables.database)
    made.build("--select", "receivables_open_items+", "payables_open_items+", as_of_date=f"{PAST}")
    return made


@pytest.fixture(scope="module")
def books(sandbox: Sandbox) -> list[Books]:
    return [Books(sandbox.grants[grant].company) for grant in GRANTS]  # type: ignore[arg-type]


def together(parts: list[dict[tuple[Any, ...], Decimal]]) -> dict[tuple[Any, ...], Decimal]:
    """What holds for all companies; keys begin with the agreement number."""
    return {key: amount for part in parts for key, amount in part.items() if amount}


def test_money_is_decimal_in_every_report(tables: Copy) -> None:
    kinds = tables.rows(
        "SELECT DISTINCT data_type FROM information_schema.columns "
        "WHERE table_schema = 'economic_reports'"
    )
    assert {kind for (kind,) in kinds if kind.startswith(("DOUBLE", "FLOAT", "REAL"))} == set()
    assert ("DECIMAL(28,6)",) in kinds


def test_every_model_carries_the_agreement_number(tables: Copy) -> None:
    missing = tables.rows(
        "SELECT table_name FROM information_schema.tables WHERE table_schema = 'economic_reports' "
        "EXCEPT SELECT table_name FROM information_schema.columns "
        "WHERE table_schema = 'economic_reports' AND column_name = 'agreement_number'"
    )
    assert missing == []


def test_the_trial_balance_of_each_period_is_that_of_the_books(
    tables: Copy, books: list[Books]
) -> None:
    key = "agreement_number, accounting_year, period_number, account_number"
    for column, what in {
        "opening_balance": Books.opening_balances,
        "debit": Books.debits,
        "credit": Books.credits,
        "closing_balance": Books.closing_balances,
    }.items():
        found = tables.sums(f"SELECT {key}, {column} FROM trial_balance")
        assert found == together([what(one) for one in books]), column


def test_profit_and_loss_shows_income_as_positive(tables: Copy, books: list[Books]) -> None:
    found = tables.sums(
        "SELECT agreement_number, accounting_year, period_number, sum(result) "
        "FROM profit_and_loss GROUP BY ALL"
    )
    assert found == together([one.results() for one in books])
    (sales,) = tables.rows(
        "SELECT sum(result) > 0 FROM profit_and_loss WHERE account_number = 1010"
    )
    assert sales == (True,)


def test_each_line_of_the_statement_is_the_sum_of_its_accounts(
    tables: Copy, books: list[Books]
) -> None:
    key = "agreement_number, accounting_year, period_number, account_number"
    found = tables.sums(f"SELECT {key}, result FROM profit_and_loss_lines")
    wanted = together([one.statement() for one in books])
    assert found == wanted
    assert {account for *_, account in found} >= {1010, 1099, 1399, 4499, 4900}
    to_date = tables.sums(
        f"SELECT {key}, result_year_to_date FROM profit_and_loss_lines "
        "WHERE line_type = 'account' AND period_to_date <= '2026-11-30'"
    )
    balances = together([one.closing_balances() for one in books])
    assert to_date == {k: -balances[k] for k in to_date}
    assert len(to_date) > 200


def test_the_year_before_stands_beside_each_month(tables: Copy) -> None:
    """Also across the long and the broken year: by date, not by the name of the year."""
    key = "agreement_number, account_number"
    lines = "FROM profit_and_loss_lines WHERE period_from_date"
    for month, before, start in (
        ("2026-03-01", "2025-03-01", "2024-01-01"),  # of the year that began in January 2025
        ("2026-09-01", "2025-09-01", "2025-07-01"),
    ):
        beside = tables.sums(f"SELECT {key}, result_last_year {lines} = '{month}'")
        assert beside == tables.sums(f"SELECT {key}, result {lines} = '{before}'")
        to_date = tables.sums(f"SELECT {key}, result_last_year_to_date {lines} = '{month}'")
        assert to_date == tables.sums(
            f"SELECT {key}, sum(result) {lines} BETWEEN '{start}' AND '{before}' GROUP BY ALL"
        )
    first = tables.rows(f"SELECT count(result_last_year), count(*) > 0 {lines} < '2024-01-01'")
    assert first == [(0, True)]


def test_accounts_stand_below_their_headings(tables: Copy) -> None:
    rows = tables.rows(
        "SELECT account_number, section_name, heading_name FROM chart_of_accounts "
        "WHERE agreement_number = 1234567 AND account_number IN (1010, 1310, 5820) ORDER BY ALL"
    )
    assert rows == [
        (1010, "RESULTATOPGØRELSE", "Omsætning"),
        (1310, "RESULTATOPGØRELSE", "Vareforbrug"),
        (5820, "AKTIVER", "Aktiver"),
    ]


def test_the_balance_sheet_is_all_that_was_ever_booked(tables: Copy, books: list[Books]) -> None:
    """Each balance is the sum of all entries up to the day but for those carried over."""
    found = tables.sums(
        "SELECT agreement_number, accounting_year, period_number, account_number, balance "
        "FROM balance_sheet WHERE line_type = 'account' AND account_number <> 6110"
    )
    assert found == together([one.balances_ever(without=6110) for one in books])


@pytest.mark.parametrize(("party", "sign"), [("customer", 1), ("supplier", -1)])
def test_open_items_are_the_remainders(
    tables: Copy, books: list[Books], party: str, sign: int
) -> None:
    model = {"customer": "receivables", "supplier": "payables"}[party]
    found = tables.sums(
        f"SELECT agreement_number, entry_number, open_amount FROM {model}_open_items"
    )
    assert found == together([one.remainders(party, sign) for one in books])
    assert len(found) > 10


@pytest.mark.parametrize(("party", "sign"), [("customer", 1), ("supplier", -1)])
def test_ageing_is_the_open_remainders_by_due_date(
    tables: Copy, books: list[Books], party: str, sign: int
) -> None:
    assert_aged(tables, books, party, sign, TODAY)


@pytest.mark.parametrize(("party", "sign"), [("customer", 1), ("supplier", -1)])
def test_ageing_of_a_day_in_the_past_undoes_what_was_settled_later(
    in_the_past: Copy, books: list[Books], party: str, sign: int
) -> None:
    assert_aged(in_the_past, books, party, sign, PAST)
    model = {"customer": "receivables", "supplier": "payables"}[party]
    (known,) = in_the_past.rows(
        "SELECT sum(CAST(abs(open_amount) <> abs(remainder) AS INT)), bool_and(is_exact) "
        f"FROM {model}_open_items AS item "
        "JOIN general_ledger AS entry USING (agreement_number, entry_number)"
    )
    assert known[0] > 0, "open then, and settled since"
    assert known[1] is True


def assert_aged(tables: Copy, books: list[Books], party: str, sign: int, day: date) -> None:
    """The ageing equals the books: to the øre in DKK, else within an øre per part payment."""
    model = {"customer": "receivables", "supplier": "payables"}[party]
    for bucket, (first, last) in zip(
        BUCKETS, ((None, 0), (1, 30), (31, 60), (61, 90), (91, None)), strict=True
    ):
        found = tables.sums(
            f"SELECT agreement_number, {party}_number, {bucket} FROM {model}_ageing"
        )
        wanted: dict[tuple[Any, ...], Decimal] = defaultdict(Decimal)
        for one in books:
            for item in one.open_items(party, day):
                late = max((day - item.expires).days, 0)
                if (first is None or late >= first) and (last is None or late <= last):
                    wanted[one.number, getattr(item.entry, party)] += sign * item.base
        assert found.keys() == {key for key, amount in wanted.items() if amount}, bucket
        for key, amount in found.items():
            assert abs(amount - wanted[key]) <= Decimal("0.02"), (bucket, key)
    total = tables.rows(f"SELECT sum(total), sum({' + '.join(BUCKETS)}) FROM {model}_ageing")
    assert total[0][0] == total[0][1]


def test_receivables_equal_the_control_accounts(tables: Copy, books: list[Books]) -> None:
    ((found,),) = tables.rows("SELECT sum(total) FROM receivables_ageing")
    wanted = sum(one.balance_of(5600) + one.balance_of(5610) for one in books)
    assert abs(found - wanted) <= Decimal("0.05")


def test_budget_is_shared_out_among_the_months_of_its_quarter(
    tables: Copy, books: list[Books]
) -> None:
    months = tables.rows(
        "SELECT account_number, period_from_date, budget FROM budget_and_actual "
        "WHERE agreement_number = 1234567 AND budget <> 0 ORDER BY ALL"
    )
    for figure in books[0].budget():
        parts = [
            amount
            for account, start, amount in months
            if account == figure.account and figure.first <= start <= figure.last
        ]
        assert len(parts) == 3
        assert sum(parts) == Decimal(figure.amount).scaleb(-2)
        assert max(parts) - min(parts) <= Decimal("0.01")


def test_actual_is_the_movement_of_each_profit_and_loss_account(
    tables: Copy, books: list[Books]
) -> None:
    found = tables.sums(
        "SELECT agreement_number, accounting_year, period_number, -sum(actual) "
        "FROM budget_and_actual GROUP BY ALL"
    )
    assert found == together([one.results() for one in books])


def test_dimensions_become_columns(tables: Copy, books: list[Books]) -> None:
    found = {
        (agreement, entry): ((1, key_1, split_1), (2, key_2, split_2))
        for agreement, entry, key_1, split_1, key_2, split_2 in tables.rows(
            "SELECT agreement_number, entry_number, dimension_1_key, dimension_1_is_distribution, "
            "dimension_2_key, dimension_2_is_distribution FROM ledger_dimensions"
        )
    }
    for one in books:
        for entry in one.entries:
            marks = {dimension: (key, split) for dimension, key, split in entry.more.dimensions}
            wanted = tuple((n, *marks.get(n, (None, False))) for n in (1, 2))
            assert found[one.number, entry.number] == wanted


def test_distributions_are_split_by_their_percentages(tables: Copy, books: list[Books]) -> None:
    found = tables.sums(
        "SELECT agreement_number, dimension_number, dimension_key, sum(movement) "
        "FROM dimension_balances WHERE account_type = 'profitAndLoss' GROUP BY ALL"
    )
    wanted = together([one.by_dimension() for one in books])
    assert found.keys() == wanted.keys()
    assert (1234567, 2, 201) in found
    for key, amount in found.items():  # each split entry is rounded to the øre
        assert abs(amount - wanted[key]) <= Decimal("0.50"), key
    assert tables.rows("SELECT count(*) FROM dimension_balances WHERE is_distribution") == [(0,)]


@pytest.mark.slow
def test_a_row_marked_as_deleted_is_left_out_and_the_checks_notice(
    tmp_path: Path, raw: Path
) -> None:
    tables = Copy(tmp_path, raw)
    tables.run(
        'ALTER TABLE economic.booked_entries ADD COLUMN "_sdc_deleted_at" TIMESTAMP',
        "UPDATE economic.booked_entries SET _sdc_deleted_at = now() "
        "WHERE agreementnumber = 1234568 AND entrynumber = 10",
        'ALTER TABLE economic.dimension_distributions ADD COLUMN "_sdc_deleted_at" TIMESTAMP',
        "UPDATE economic.dimension_distributions SET _sdc_deleted_at = now()",
    )
    checks = (
        "every_voucher_balances",
        "every_fiscal_year_balances",
        "trial_balance_equals_accounting_year_totals",
        "balance_sheet_balances",
    )
    distributions = "stg_economic__distribution_parts"
    built = tables.build("--select", distributions, *(f"+{check}" for check in checks), code=1)
    assert set(checks) <= set(built.of("fail")) | set(built.of("skipped")), built.text
    assert tables.rows(
        "SELECT count(*) FROM general_ledger WHERE agreement_number = 1234568 AND entry_number = 10"
    ) == [(0,)]
    assert tables.rows(f"SELECT count(*) FROM {distributions}") == [(0,)]


@pytest.mark.slow
def test_before_a_year_is_opened_the_balance_sheet_carries_the_balances_on(
    tmp_path: Path, raw: Path, tables: Copy
) -> None:
    """And a company without modules, of which only the ledger was loaded, is no trouble."""
    before = Copy(tmp_path, raw)
    before.run(
        "DELETE FROM economic.booked_entries WHERE type = 8 AND date >= '2026-07-01'",
        *(f"DROP TABLE economic.{stream}" for stream in OPTIONAL),
    )
    before.build("--exclude", "trial_balance_equals_accounting_year_totals")
    lines = (
        "SELECT agreement_number, {account}, sum(balance) FROM balance_sheet "
        "WHERE period_to_date = '2026-10-31' {only} GROUP BY ALL"
    )
    account = lines.format(account="account_number", only="AND account_number <> 6110")
    assert before.sums(account) == tables.sums(account)
    equity = "AND (account_number = 6110 OR line_type = 'result not transferred')"
    in_all = lines.format(account="1", only=equity)
    assert before.sums(in_all) == tables.sums(in_all)
    assert before.rows("SELECT count(*) FROM dimension_balances") == [(0,)]
    assert before.rows("SELECT count(*) > 0, count(customer_name) FROM general_ledger") == [
        (True, 0)
    ]


@pytest.mark.slow
@pytest.mark.parametrize(("start", "right"), [("2025-01-01", True), ("2025-02-01", False)])
def test_a_start_date_must_be_the_first_day_of_a_fiscal_year(
    tmp_path: Path, raw: Path, tables: Copy, start: str, right: bool
) -> None:
    later = Copy(tmp_path, raw)
    later.run(f"DELETE FROM economic.booked_entries WHERE date < '{start}'")
    built = later.build(code=int(not right))
    wrong = [
        "trial_balance_equals_accounting_year_totals",
        "what_came_before_is_carried_over",
    ]
    assert built.of("fail") + built.of("error") == ([] if right else wrong)
    balances = (
        "SELECT agreement_number, period_number, coalesce(account_number, 0), balance "
        "FROM balance_sheet WHERE period_from_date >= '2025-02-01'"
    )
    assert not right or later.sums(balances) == tables.sums(balances)


@pytest.mark.slow
def test_what_cannot_be_told_of_a_day_in_the_past_is_marked(tmp_path: Path, raw: Path) -> None:
    """Two payments, one before and one after the day, both settle the same two invoices."""
    tables = Copy(tmp_path, raw)
    entries = {
        9_000_001: (1, 100, "2025-03-01"),
        9_000_002: (1, 200, "2025-03-02"),
        9_000_003: (2, -150, "2025-03-20"),
        9_000_004: (2, -150, "2025-04-20"),
    }
    tables.run(
        *(
            "INSERT INTO economic.booked_entries BY NAME SELECT 1234568 AS agreementnumber, "
            f"{number} AS entrynumber, {kind} AS type, 5600 AS accountnumber, 1 AS customernumber, "
            f"'{day}' AS date, 'DKK' AS currencycode, {amount} AS amount, "
            f"{amount} AS amountinbasecurrency, 0 AS remainder"
            for number, (kind, amount, day) in entries.items()
        ),
        *(
            "INSERT INTO economic.matched_entries BY NAME SELECT 1234568 AS agreementnumber, "
            f"{invoice} AS fromentry, {payment} AS toentry"
            for invoice in (9_000_001, 9_000_002)
            for payment in (9_000_003, 9_000_004)
        ),
    )
    only = ("--select", "+receivables_open_items", "--exclude-resource-type", "test")
    tables.build(*only, as_of_date=f"{PAST}")
    assert tables.rows(
        "SELECT entry_number, is_exact FROM receivables_open_items "
        "WHERE entry_number > 9000000 OR NOT is_exact ORDER BY 1"
    ) == [(9_000_001, False), (9_000_002, False)]


@pytest.mark.slow
def test_a_table_that_is_needed_is_asked_for_by_name(tmp_path: Path, raw: Path) -> None:
    tables = Copy(tmp_path, raw)
    tables.run("DROP TABLE economic.accounts")
    built = tables.build("--select", "stg_economic__accounts", code=1)
    assert "Select the stream accounts in the tap" in built.text


def test_the_day_before_the_as_of_date_is_overdue_by_one(tables: Copy) -> None:
    rows = tables.rows(
        "SELECT DISTINCT days_overdue, due_date FROM receivables_open_items "
        "WHERE due_date IS NOT NULL"
    )
    assert {late for late, _ in rows if late} != set()
    assert all(late == max((TODAY - due) // timedelta(days=1), 0) for late, due in rows)


@pytest.mark.parametrize(
    "query", [b for b in blocks("docs/models.md") if b.language == "sql"], ids=lambda b: b.title
)
def test_the_queries_of_the_documentation_answer(query: Block, tables: Copy) -> None:
    rows = tables.rows(query.text)
    assert len(rows) > 5
    assert all(value is not None for row in rows for value in row)


def test_every_column_of_a_report_is_described(tables: Copy) -> None:
    """But for those that the variable dimension_numbers names."""
    text = (PACKAGE / "models" / "reports" / "schema.yml").read_text(encoding="utf-8")
    described = {
        (model["name"], column["name"])
        for model in yaml.safe_load(text)["models"]
        for column in model["columns"]
        if column["description"]
    }
    reports = {model for model, _ in described}
    columns = tables.rows(
        "SELECT table_name, column_name FROM information_schema.columns "
        "WHERE table_schema = 'economic_reports'"
    )
    found = {
        (report, column)
        for report, column in columns
        if report in reports and not re.match(r"dimension_\d", column)
    }
    assert found == described


def test_the_documentation_names_every_report_and_no_other() -> None:
    text = (PACKAGE.parent / "docs" / "models.md").read_text(encoding="utf-8")
    table = text.split("| Model |")[1].split("\n\n")[0]
    named = set(re.findall(r"`(\w+)`", table))
    assert named == {path.stem for path in (PACKAGE / "models" / "reports").glob("*.sql")}
