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
    """The latest year with entries: e-conomic's own totals, then a line that adds up to 0.00."""
    *accounts, total = rows
    (year,) = {str(row[1]) for row in rows}
    entries = company.rows("bookedEntriesapi:/booked-entries")
    last = max(str(row["date"]) for row in entries)
    (begin,) = [
        str(row["fromDate"])
        for row in company.rows("rest:/accounting-years")
        if str(row["year"]) == year and str(row["fromDate"]) <= last <= str(row["toDate"])
    ]
    closing = {(year, int(number)): money(end) for _, _, number, _, _, _, end in accounts}
    assert closing == {key: amount for key, amount in _totals(company).items() if key in closing}
    assert sum(closing.values()) == 0
    assert {key[1] for key in closing} == {
        row["accountNumber"] for row in entries if str(row["date"]) >= begin
    }
    assert all(money(start) + money(moved) == money(end) for *_, start, moved, end in rows)
    assert sum(abs(money(row[4])) for row in accounts)
    assert (total[2] or None, total[3]) == (None, "Total")
    assert [str(amount) for amount in total[4:]] == ["0.00"] * 3


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


def budget_by_department(rows: Sequence[Sequence[Any]], company: CompanyLike) -> None:
    """Each department, by name: its budget figures and its entries, `(none)` for the others."""
    names = {
        (kind, row["dimensionNumber"], row["key"]): row["name"]
        for kind, path in ((False, "values"), (True, "distributions"))
        for row in company.rows(f"dimensionsapi:/{path}")
    }

    def by_department(kind: str, key: str, amounts: dict[Any, Decimal]) -> dict[str, Decimal]:
        marks = {
            row[key]: str(names[bool(row.get("isDistribution")), 1, row["dimensionKey"]])
            for row in company.rows(f"dimensionsapi:/dimension-data/{kind}")
            if row["dimensionNumber"] == 1
        }
        sums: dict[str, Decimal] = defaultdict(Decimal)
        for number, amount in amounts.items():
            sums[marks.get(number, "(none)")] += amount
        return {name: money(amount) for name, amount in sums.items() if money(amount)}

    figures = {
        row["number"]: Decimal(str(row["amountDefaultCurrency"]))
        for row in company.rows("budgetsapi:/budget-figures")
    }
    kinds = {row["accountNumber"]: row["accountType"] for row in company.rows("rest:/accounts")}
    entries = {
        row["entryNumber"]: Decimal(str(row["amountInBaseCurrency"]))
        for row in company.rows("bookedEntriesapi:/booked-entries")
        if kinds[row["accountNumber"]] == "profitAndLoss" and row["type"] not in OPENING
    }
    planned = by_department("budget-figures", "budgetFigureNumber", figures)
    done = by_department("booked-entries", "entryNumber", entries)
    for place, expected in ((5, planned), (6, done)):
        found: dict[str, Decimal] = defaultdict(Decimal)
        for row in rows:
            found[row[2]] += money(row[place])
        assert {name: amount for name, amount in found.items() if amount} == expected
    assert len(planned) > 2
    assert all(money(plan) + money(gap) == money(made) for *_, plan, made, gap in rows)


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
    "budget_by_department.sql": budget_by_department,
    "differences.sql": no_differences,
    "dimension.sql": dimension,
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
