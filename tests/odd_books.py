"""Small books written by hand, as raw tables in a DuckDB file.

Company 1 has a chart with plain headings, as e-conomic's demo company, and an opened year that was
taken back. Company 2 keeps its books in euro from July to June, opened its second year and then
booked in the first. Company 3 has years and accounts, and nothing booked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import duckdb

from tests.dbt import Tables

if TYPE_CHECKING:
    from pathlib import Path

TABLES = {
    "accounts": "agreementnumber HUGEINT, accountnumber HUGEINT, name VARCHAR, "
    "accounttype VARCHAR, debitcredit VARCHAR, vatcode VARCHAR, totalfromaccountnumber HUGEINT, "
    "barred BOOLEAN, blockdirectentries BOOLEAN",
    "account_total_intervals": "agreementnumber HUGEINT, accountnumber HUGEINT, "
    "fromaccountnumber HUGEINT, toaccountnumber HUGEINT",
    "accounting_years": "agreementnumber HUGEINT, year VARCHAR, fromdate VARCHAR, todate VARCHAR, "
    "closed BOOLEAN",
    "accounting_periods": "agreementnumber HUGEINT, accountingyear VARCHAR, periodnumber HUGEINT, "
    "fromdate VARCHAR, todate VARCHAR, closed BOOLEAN",
    "accounting_year_totals": "agreementnumber HUGEINT, accountingyear VARCHAR, "
    "accountnumber HUGEINT, totalinbasecurrency DOUBLE",
    "booked_entries": "agreementnumber HUGEINT, entrynumber HUGEINT, type HUGEINT, "
    "vouchernumber HUGEINT, date VARCHAR, duedate VARCHAR, accountnumber HUGEINT, text VARCHAR, "
    "currencycode VARCHAR, amount DOUBLE, amountinbasecurrency DOUBLE, remainder DOUBLE, "
    "vataccountnumber VARCHAR, customernumber HUGEINT, customerinvoicenumber HUGEINT, "
    "suppliernumber HUGEINT, supplierinvoicenumber VARCHAR, projectnumber HUGEINT",
    "matched_entries": "agreementnumber HUGEINT, fromentry HUGEINT, toentry HUGEINT",
    "customers": "agreementnumber HUGEINT, customernumber HUGEINT, name VARCHAR",
}
PL, STATUS, HEADING, FROM, INTERVAL = (
    "profitAndLoss",
    "status",
    "heading",
    "totalFrom",
    "sumInterval",
)
CHART: list[tuple[int, str, str, int | None]] = [
    (1000, "RESULTATOPGØRELSE", HEADING, None),
    (1001, "Omsætning", HEADING, None),
    (1010, "Salg", PL, None),
    (1020, "Salg, udland", PL, None),
    (1099, "Omsætning i alt", FROM, 1001),
    (1300, "Vareforbrug", HEADING, None),
    (1310, "Varekøb", PL, None),
    (1399, "Vareforbrug i alt", FROM, 1310),  # from the first account, not from the heading
    (2210, "Løn", PL, None),
    (4999, "Årets resultat", INTERVAL, None),
    (5000, "AKTIVER", HEADING, None),
    (5600, "Debitorer", STATUS, None),
    (5820, "Bank", STATUS, None),
    (5999, "Aktiver i alt", FROM, 5000),
    (6000, "PASSIVER", HEADING, None),
    (6110, "Overført resultat", STATUS, None),
    (6999, "Passiver i alt", INTERVAL, None),
]
INTERVALS = [(4999, 1000, 4998), (6999, 1000, 4998), (6999, 6000, 6998)]
YEARS = {
    1: [("2024", 2024, 1), ("2025", 2025, 1)],
    2: [("2023/2024", 2023, 7), ("2024/2025", 2024, 7)],
    3: [("2025", 2025, 1)],
}
# Company, type, voucher, day, account and amount, twice; in company 2 amounts are in euro.
VOUCHERS: list[tuple[int, int, int, str, int, int, float]] = [
    (1, 5, 1, "2024-02-10", 5820, 1010, 1000.10),
    (1, 5, 2, "2024-02-29", 1310, 5820, 300.05),
    (1, 5, 3, "2024-11-30", 2210, 5820, 100),
    (1, 5, 1, "2025-02-28", 5820, 1010, 500.50),
    (1, 5, 2, "2025-02-28", 5820, 1020, 50),
    (1, 8, 0, "2025-01-01", 5820, 6110, 600.05),
    (1, 8, 0, "2025-01-01", 6110, 5820, 600.05),  # the year before was opened again
    (2, 7, 0, "2023-07-01", 5820, 6110, 200),
    (2, 5, 1, "2023-08-01", 5820, 1010, 100),
    (2, 8, 0, "2024-07-01", 5820, 6110, 300),
    (2, 5, 2, "2024-06-30", 2210, 5820, 40),  # booked after the balances were carried over
    (2, 5, 1, "2024-08-31", 5820, 1010, 70),
]


def periods(first_year: int, first_month: int) -> list[tuple[str, str]]:
    """The twelve months from a month on, first and last day."""
    with duckdb.connect() as connection:
        return connection.execute(
            "SELECT CAST(day AS VARCHAR)[:10], CAST(last_day(day) AS VARCHAR) FROM "
            "(SELECT make_date(?, ?, 1) + to_months(CAST(n AS INT)) AS day FROM range(12) AS t(n))",
            [first_year, first_month],
        ).fetchall()


class Books(Tables):
    """The three companies."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.run(
            "CREATE SCHEMA economic",
            *(f"CREATE TABLE economic.{name} ({columns})" for name, columns in TABLES.items()),
        )
        for company in YEARS:
            self._set_up(company)
        for number, (company, kind, voucher, day, debit, credit, amount) in enumerate(VOUCHERS):
            for side, account in ((0, debit), (1, credit)):
                self.book(
                    company,
                    number * 2 + side + 1,
                    kind,
                    day=day,
                    account=account,
                    amount=amount if side == 0 else -amount,
                    vouchernumber=voucher,
                )

    def add(self, table: str, **row: Any) -> None:
        """Add a row to a raw table."""
        self._fill(table, ", ".join(row), [tuple(row.values())])

    def book(
        self,
        company: int,
        number: int,
        kind: int,
        *,
        day: str,
        account: int,
        amount: float,
        **row: Any,
    ) -> None:
        """Book one entry, settled if nothing else is said."""
        self.add(
            "booked_entries",
            **{
                "agreementnumber": company,
                "entrynumber": number,
                "type": kind,
                "date": day,
                "accountnumber": account,
                "currencycode": "EUR" if company == 2 else "DKK",
                "amount": amount,
                "amountinbasecurrency": amount,
                "remainder": 0,
                **row,
            },
        )

    def tell_totals(self) -> None:
        """Let accounting_year_totals say what the entries add up to, as e-conomic's do."""
        self.run(
            "INSERT INTO economic.accounting_year_totals SELECT e.agreementnumber, y.year, "
            "e.accountnumber, sum(e.amountinbasecurrency) FROM economic.booked_entries AS e "
            "JOIN economic.accounting_years AS y ON y.agreementnumber = e.agreementnumber "
            "AND e.date BETWEEN y.fromdate AND y.todate GROUP BY ALL"
        )

    def log(self) -> str:
        """What dbt logged since this was last asked."""
        log = self.folder / "logs" / "dbt.log"
        text = log.read_text(encoding="utf-8")
        log.unlink()
        return text

    def _set_up(self, company: int) -> None:
        self._fill(
            "accounts",
            "agreementnumber, accountnumber, name, accounttype, totalfromaccountnumber",
            [(company, *line) for line in CHART],
        )
        self._fill(
            "account_total_intervals",
            "agreementnumber, accountnumber, fromaccountnumber, toaccountnumber",
            [(company, *interval) for interval in INTERVALS],
        )
        for name, year, month in YEARS[company]:
            months = periods(year, month)
            self._fill(
                "accounting_years",
                "agreementnumber, year, fromdate, todate, closed",
                [(company, name, months[0][0], months[-1][1], False)],
            )
            self._fill(
                "accounting_periods",
                "agreementnumber, accountingyear, periodnumber, fromdate, todate, closed",
                [(company, name, number, *days, False) for number, days in enumerate(months, 1)],
            )

    def _fill(self, table: str, columns: str, rows: list[tuple[Any, ...]]) -> None:
        values = ", ".join("?" * len(rows[0]))
        with duckdb.connect(str(self.database)) as connection:
            connection.executemany(
                f"INSERT INTO economic.{table} ({columns}) VALUES ({values})", rows
            )
