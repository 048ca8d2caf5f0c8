"""Accounting years and periods: two calendar years, one of eighteen months, one broken."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta

from tests.sandbox.books.rows import linked, listing, path_of, ref, version
from tests.sandbox.books.world import World
from tests.sandbox.values import Row

TODAY = date(2026, 11, 15)


@dataclass(frozen=True)
class Period:
    """A month. Numbers run through all years, as OpenAPI addresses a period by number alone."""

    number: int
    start: date
    end: date
    closed: bool
    barred: bool


@dataclass(frozen=True)
class Year:
    name: str
    start: date
    end: date
    closed: bool
    periods: list[Period] = field(default_factory=list)


# Name, first month, months, closed. The third is a first broken year: a change of the accounting
# year makes one of up to eighteen months. Its name ends in a letter, as was seen in production.
_YEARS = (
    ("2023", (2023, 1), 12, True),
    ("2024", (2024, 1), 12, True),
    ("2025/2026a", (2025, 1), 18, False),
    ("2026/2027", (2026, 7), 12, False),
)


def month_after(day: date, months: int = 1) -> date:
    """The first day of the month that many months later."""
    index = day.year * 12 + day.month - 1 + months
    return date(index // 12, index % 12 + 1, 1)


def build_years() -> list[Year]:
    """Years without gaps between them, each with its months as periods."""
    years: list[Year] = []
    for name, (first_year, first_month), months, closed in _YEARS:
        years.append(_year(years, name, date(first_year, first_month, 1), months, closed=closed))
    return years


def next_year(years: list[Year]) -> Year:
    """The year of twelve months that would follow the last."""
    start = month_after(years[-1].end)
    first, last = start.year, month_after(start, 11).year
    return _year(years, str(first) if first == last else f"{first}/{last}", start, 12)


def _year(before: list[Year], name: str, start: date, months: int, *, closed: bool = False) -> Year:
    periods = []
    number = before[-1].periods[-1].number if before else 0
    for month in range(months):
        number += 1
        first = month_after(start, month)
        last = month_after(first) - timedelta(days=1)
        shut = closed or first < date(2025, 7, 1)
        periods.append(Period(number, first, last, shut, barred=number == 28))
    return Year(name, start, periods[-1].end, closed, periods)


def year_named(world: World, name: str) -> tuple[int, Year]:
    """A year and its index, by name.

    Raises:
        KeyError: there is no such year.
    """
    for index, year in enumerate(world.years):
        if year.name == name:
            return index, year
    raise KeyError(name)


def period_numbered(year: Year, number: str) -> Period:
    """A period of a year, by its number as text.

    Raises:
        KeyError: the year has no such period.
    """
    for period in year.periods:
        if str(period.number) == number:
            return period
    raise KeyError(number)


@listing("rest:/accounting-years", derived=True)
def _rest_years(world: World) -> Iterator[Row]:
    for year in world.years:
        path = path_of("year", year.name)
        yield {
            "fromDate": year.start,
            "toDate": year.end,
            "closed": year.closed,
            "year": year.name,
            **linked(path, "periods", "entries", "totals", "vouchers"),
        }


@listing("rest:/accounting-years/{accountingYear}/periods", derived=True)
def _rest_periods(world: World, name: str) -> Iterator[Row]:
    _, year = year_named(world, name)
    for period in year.periods:
        path = f"{path_of('year', year.name)}/periods/{period.number}"
        yield {
            "periodNumber": period.number,
            "accountingYear": ref("year", year.name),
            "fromDate": period.start,
            "toDate": period.end,
            "closed": period.closed,
            **linked(path, "entries", "totals"),
        }


@listing("accountingyearsapi:/AccountingYears", derived=True)
def _years(world: World) -> Iterator[Row]:
    for year in world.years:
        yield {
            "year": year.name,
            "dateFrom": year.start,
            "dateTo": year.end,
            "isClosed": year.closed,
            "objectVersion": version(year.name, year.closed),
        }


@listing("accountingyearsapi:/accountingYears/periods", derived=True)
def _periods(world: World) -> Iterator[Row]:
    for year in world.years:
        for period in year.periods:
            yield {
                "periodNumber": period.number,
                "year": year.name,
                "dateFrom": period.start,
                "dateTo": period.end,
                "isClosed": period.closed,
                "isBarred": period.barred,
                "objectVersion": version(period.number, period.closed, period.barred),
            }
