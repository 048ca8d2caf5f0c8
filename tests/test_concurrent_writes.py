"""Rows that come and go between two pages: no row that was there all the time is missing."""

from __future__ import annotations

import copy
import datetime as dt
import random
from bisect import bisect_left
from typing import TYPE_CHECKING, Any

import pytest

from tests.sandbox import Grant, Sandbox
from tests.sandbox.company import build_company
from tests.support import Watched

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.conftest import Run, TapRunner
    from tests.sandbox.company import Company

LISTINGS = {
    "products": ("rest:/products", "productNumber"),
    "customers": ("rest:/customers", "customerNumber"),
    "openapi_products": ("productsapi:/products", "productNumber"),
    "openapi_customers": ("customersapi:/Customers", "customerNumber"),
}
"""A listing of each kind: by position, by key upward, by cursor."""


def company_of(stream: str, numbers: Iterable[int]) -> tuple[Company, Any]:
    """A company, and the rows of one of its listings, which has these numbers as keys."""
    endpoint, key = LISTINGS[stream]
    company = build_company(1234567, "Travlt Firma ApS", seed=5, entries=300)
    rows: Any = company.rows(endpoint)
    is_text = isinstance(rows[0][key], str)
    rows[:] = [
        {**rows[at % 5], key: f"{number:05}" if is_text else number}
        for at, number in enumerate(numbers)
    ]
    return company, rows


def read_while(
    tap: TapRunner, company: Company, stream: str, change: Any, state: Any = None
) -> Run:
    """Read a stream while its rows change each time a page after the first is asked for."""
    endpoint, _ = LISTINGS[stream]
    asked: list[str] = []

    def between_pages(wanted: str) -> None:
        if wanted == endpoint:
            asked.append(wanted)
            if len(asked) > 1:
                change(len(asked))

    with Sandbox({"demo": Grant(Watched(company, between_pages))}) as sandbox:
        run = tap.read(sandbox, stream, state=state)
    assert len(asked) > 1, "the listing must have more than one page"
    return run


def keys(run: Run, stream: str) -> list[Any]:
    return [record[LISTINGS[stream][1]] for record in run.records[stream]]


@pytest.mark.parametrize("stream", LISTINGS)
def test_a_row_deleted_and_another_inserted_between_pages_hide_no_row(
    warm_tap: TapRunner, stream: str
) -> None:
    """The total stays the same, so that no count could tell."""
    key = LISTINGS[stream][1]
    company, rows = company_of(stream, range(1, 1_300))
    before = {row[key] for row in rows}
    gone: list[Any] = []

    def change(time: int) -> None:
        if time == 2:  # a row of the first page goes, one beyond the last comes
            gone.append(rows.pop(0)[key])
            rows.append({**copy.deepcopy(rows[-1]), key: _after(rows[-1][key])})

    run = read_while(warm_tap, company, stream, change)
    assert gone
    assert before - set(gone) <= set(keys(run, stream))
    assert len(set(keys(run, stream))) == len(keys(run, stream))


def test_a_listing_by_position_that_never_stands_still_is_read_three_times_and_told(
    warm_tap: TapRunner,
) -> None:
    company, rows = company_of("products", range(1, 1_300))
    before = {row["productNumber"] for row in rows}
    gone: set[Any] = set()

    def change(time: int) -> None:
        gone.add(rows.pop(0)["productNumber"])

    run = read_while(warm_tap, company, "products", change)
    assert "/products kept changing during 3 passes" in run.stderr
    assert before - gone <= set(keys(run, "products"))


def test_rows_changed_while_an_incremental_listing_is_read_arrive_with_the_next_run(
    warm_tap: TapRunner,
) -> None:
    company, rows = company_of("openapi_products", range(1, 1_300))
    first_key = rows[0]["productNumber"]

    def change(time: int) -> None:  # the row's page has been read by then
        rows[0]["name"] = "Ændret imens"
        rows[0]["lastUpdated"] = dt.datetime.now(dt.timezone.utc).replace(microsecond=0)

    first = read_while(warm_tap, company, "openapi_products", change)
    with Sandbox({"demo": Grant(company)}) as sandbox:
        second = warm_tap.read(sandbox, "openapi_products", state=first.state)
    records = second.records["openapi_products"]
    assert len(records) < len(rows)
    names = {record["productNumber"]: record["name"] for record in records}
    assert names[first_key] == "Ændret imens"


@pytest.mark.parametrize(
    ("stream", "highest"), [("customers", 99_999_999), ("openapi_customers", 24_000)]
)
def test_windows_lose_no_row_while_rows_come_and_go(
    warm_tap: TapRunner, stream: str, highest: int
) -> None:
    """Long listings are read in windows. Phone numbers of eight digits may serve as numbers."""
    key = LISTINGS[stream][1]
    chance = random.Random(7)
    numbers = sorted(chance.sample(range(1, highest + 1), 24_000))
    company, rows = company_of(stream, numbers)
    before = set(numbers)
    gone: set[int] = set()

    def change(time: int) -> None:
        if time % 2:  # one goes and one comes, so that the total stays the same
            gone.add(rows.pop(chance.randrange(len(rows)))[key])
            free = next(
                n for n in iter(lambda: chance.randrange(1, 10**8), None) if n not in before
            )
            rows.insert(bisect_left(rows, free, key=lambda row: row[key]), {**rows[0], key: free})

    run = read_while(warm_tap, company, stream, change)
    assert len(gone) > 10
    assert before - gone <= set(keys(run, stream))
    if "Reading again: " not in run.stderr:  # rows were added where it had been read
        assert len(set(keys(run, stream))) == len(keys(run, stream))


def _after(key: Any) -> Any:
    return key + 1 if isinstance(key, int) else f"{key}~"
