"""Replication by instant: what is requested, and a bookmark that never moves down."""

from __future__ import annotations

from typing import Any

import pendulum
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_visma_economic.records.values import instant_text
from tap_visma_economic.replication import ByTimestamp
from tap_visma_economic.replication.base import Options, bookmark_of, move, parse_instant
from tests.unit.answers import page_of

State = dict[str, Any]

NOON = pendulum.datetime(2026, 1, 2, 12)
HOUR = pendulum.duration(hours=1)


def reading(
    state: State, start: pendulum.DateTime | None = None, *, full_refresh: bool = False
) -> Any:
    """A reading by lastUpdated with a look-back of three hours."""
    stream: Any = None
    agreement: Any = None
    options = Options(full_refresh, start, lookback_minutes=180)
    return ByTimestamp("lastUpdated").incremental(stream, agreement, state, options)


def reached(value: Any, key: str = "lastUpdated") -> State:
    """A state with its bookmark at an instant."""
    return {"replication_key": key, "replication_key_value": value}


def after(state: State, *pages: tuple[list[Any], pendulum.DateTime | None]) -> State:
    """The state when these pages, each of rows with instants and a clock, have been written."""
    bookmark = reading(state)
    for values, clock in pages:
        bookmark.observe(page_of([{"lastUpdated": value} for value in values], clock=clock))
    bookmark.complete()
    return state


@pytest.mark.parametrize(
    ("state", "start", "full_refresh", "expected"),
    [
        ({}, None, False, (True, True)),
        ({}, NOON, False, (True, False)),
        (reached("2026-01-04T12:00:00Z"), None, False, (False, False)),
        (reached("2026-01-04T12:00:00Z"), None, True, (True, True)),
        (reached("2026-01-04T12:00:00Z"), NOON, True, (True, False)),
    ],
)
def test_a_reading_knows_whether_it_reads_everything(
    state: State, start: pendulum.DateTime | None, full_refresh: bool, expected: tuple[bool, bool]
) -> None:
    bookmark = reading(state, start, full_refresh=full_refresh)
    assert (bookmark.full_refresh, bookmark.covers_everything) == expected


LATER = (["2026-01-02T12:30:00Z"], NOON + HOUR)


@pytest.mark.parametrize(
    ("pages", "value"),
    [
        ([(["2026-01-01T10:00:00.500000Z", "2026-01-01T10:00:00Z"], NOON)], "10:00:00.500000Z"),
        ([(["2026-01-01T11:00:00+02:00", "2026-01-01T10:00:00"], NOON)], "2026-01-01T10:00:00Z"),
        ([(["2026-01-01T00:00:00Z"], NOON), LATER], "2026-01-02T12:00:00Z"),
        ([([], NOON), LATER], "2026-01-02T12:00:00Z"),
        ([(["2026-01-03T00:00:00Z"], NOON.in_timezone("Europe/Copenhagen"))], "12:00:00Z"),
        ([(["2026-01-03T00:00:00Z"], None)], "2026-01-02T12:00:00Z"),
    ],
    ids=["fractions", "other forms", "first clock", "empty first page", "zone", "own clock"],
)
def test_a_bookmark_is_the_latest_instant_up_to_the_clock_of_the_first_page(
    pages: list[Any], value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pendulum, "now", NOON.in_timezone)
    assert after({}, *pages)["replication_key_value"].endswith(value)


@pytest.mark.parametrize("values", [[], [None], ["", 17, "soon", "2026-02-30T00:00:00Z"]])
def test_a_listing_without_instants_moves_nothing(values: list[Any]) -> None:
    state = reached("2026-01-01T00:00:00Z")
    assert after({**state}, (values, NOON)) == state
    assert after({}) == {}


MOMENTS = st.integers(0, 10**6).map(lambda seconds: NOON.subtract(days=6).add(seconds=seconds))


@given(known=MOMENTS, seen=st.lists(MOMENTS, max_size=6), clock=MOMENTS)
def test_a_bookmark_never_moves_down_nor_past_the_clock(
    known: pendulum.DateTime, seen: list[pendulum.DateTime], clock: pendulum.DateTime
) -> None:
    state = after(reached(instant_text(known)), (list(map(instant_text, seen)), clock))
    latest = min(max(seen, default=known), clock)
    assert state == reached(instant_text(max(known, latest)))


@pytest.mark.parametrize("value", [None, 17, "", "soon", "2026-01-01/2026-01-02", []])
def test_what_is_no_instant_is_none(value: Any) -> None:
    assert parse_instant(value) is None


def test_a_bookmark_belongs_to_its_key() -> None:
    state = {**reached(17, key="entryNumber"), "context": {"agreementNumber": 1}}
    assert bookmark_of(state, "entryNumber") == 17
    assert bookmark_of(state, "voucherNumber") is bookmark_of({}, "entryNumber") is None
    move(state, "voucherNumber", 5)
    assert state == {**reached(5, key="voucherNumber"), "context": {"agreementNumber": 1}}
