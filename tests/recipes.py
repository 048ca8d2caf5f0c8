"""What the SQL of the recipes must find in the made-up company, whatever the database."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.sandbox.grants import CompanyLike


OPENING = {7, 8}
"""Types of opening entries: entered when the books began, carried over."""


def money(value: Any) -> Decimal:
    """An amount, from a database or from psql's text."""
    return Decimal(str(value or 0)).quantize(Decimal("0.01"))


def trial_balance(rows: Sequence[Sequence[Any]], company: CompanyLike) -> None:
    """Each account's closing balance is e-conomic's own total; each year adds up to zero."""
    closing = {(str(year), int(number)): money(end) for _, year, number, _, _, _, end in rows}
    years: dict[str, Decimal] = defaultdict(Decimal)
    for (year, _), amount in closing.items():
        years[year] += amount
    assert set(years.values()) == {Decimal(0)}
    assert len(years) == 4
    assert closing == {key: total for key, total in _totals(company).items() if key in closing}
    assert all(money(start) + money(moved) == money(end) for *_, start, moved, end in rows)
    openings = {str(row[1]): sum(abs(money(r[4])) for r in rows if r[1] == row[1]) for row in rows}
    assert all(openings.values())  # also the first year, which was opened by hand


def no_differences(rows: Sequence[Sequence[Any]], company: CompanyLike) -> None:
    assert list(rows) == []


def result(rows: Sequence[Sequence[Any]], company: CompanyLike) -> None:
    """All months' results are what the accounts of profit and loss add up to."""
    kinds = {row["accountNumber"]: row["accountType"] for row in company.rows("rest:/accounts")}
    entries = company.rows("bookedEntriesapi:/booked-entries")
    expected = -sum(
        Decimal(str(row["amountInBaseCurrency"]))
        for row in entries
        if kinds[row["accountNumber"]] == "profitAndLoss" and row["type"] not in OPENING
    )
    assert sum(money(amount) for *_, amount in rows) == money(expected)
    assert len(rows) == len({str(row["date"])[:7] for row in entries})


def ageing(rows: Sequence[Sequence[Any]], company: CompanyLike) -> None:
    """What each customer owes is the balance that e-conomic keeps, but for a rounded half cent."""
    balances = {
        row["customerNumber"]: money(row.get("balance"))
        for row in company.rows("rest:/customers")
        if money(row.get("balance"))
    }
    owed = {int(number): money(amount) for _, number, *_, amount in rows if money(amount)}
    assert owed.keys() == balances.keys()
    assert max(abs(owed[number] - balances[number]) for number in owed) <= Decimal("0.01")
    spread = [abs(sum(map(money, row[3:8])) - money(row[8])) for row in rows]
    assert max(spread) <= Decimal("0.05")  # five roundings
    assert any(money(row[7]) for row in rows)


def budget(rows: Sequence[Sequence[Any]], company: CompanyLike) -> None:
    figures = company.rows("budgetsapi:/budget-figures")
    planned = sum(Decimal(str(row["amountDefaultCurrency"])) for row in figures)
    assert sum(money(row[4]) for row in rows) == money(planned)
    assert any(money(row[5]) for row in rows)
    assert all(money(plan) + money(gap) == money(done) for *_, plan, done, gap in rows)


def dimension(rows: Sequence[Sequence[Any]], company: CompanyLike) -> None:
    """Every amount has a value with a name; accounts of the balance sheet are left out."""
    accounts = {row["accountNumber"]: row["accountType"] for row in company.rows("rest:/accounts")}
    kinds = {
        row["entryNumber"]: (row["type"], Decimal(str(row["amountInBaseCurrency"])))
        for row in company.rows("bookedEntriesapi:/booked-entries")
        if accounts[row["accountNumber"]] == "profitAndLoss"
    }
    tagged = company.rows("dimensionsapi:/dimension-data/booked-entries")
    found = [kinds[row["entryNumber"]] for row in tagged if row["entryNumber"] in kinds]
    expected = sum(amount for kind, amount in found if kind not in OPENING)
    assert sum(money(row[4]) for row in rows) == money(expected)
    assert all(row[2] for row in rows)


def whose(rows: Sequence[Sequence[Any]], company: CompanyLike) -> None:
    assert [int(number) for (number,) in rows] == [company.agreement_number]


def zero(rows: Sequence[Sequence[Any]], company: CompanyLike) -> None:
    assert [money(total) for _, total in rows] == [Decimal(0)] * 4


def fresh(rows: Sequence[Sequence[Any]], company: CompanyLike) -> None:
    ((number, _, at, last),) = rows
    assert int(number) == company.agreement_number
    assert at == last


def every_customer(rows: Sequence[Sequence[Any]], company: CompanyLike) -> None:
    assert len(rows) == len(company.rows("rest:/customers"))


CHECKS: dict[str, Callable[[Any, CompanyLike], None]] = {
    "ageing.sql": ageing,
    "budget.sql": budget,
    "differences.sql": no_differences,
    "dimension.sql": dimension,
    "duckdb.sql": zero,
    "freshness.sql": fresh,
    "living_customers.sql": every_customer,
    "result.sql": result,
    "trial_balance.sql": trial_balance,
    "whose.sql": whose,
    "zero.sql": zero,
}
"""By the title of the block."""


def _totals(company: CompanyLike) -> dict[tuple[str, int], Decimal]:
    found = {}
    for year in company.rows("rest:/accounting-years"):
        path = "rest:/accounting-years/{accountingYear}/totals"
        for row in company.rows(path, (str(year["year"]),)):
            account: Any = row["account"]
            key = (str(year["year"]), account["accountNumber"])
            found[key] = money(row["totalInBaseCurrency"])
    return found
