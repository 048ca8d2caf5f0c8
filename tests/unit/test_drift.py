"""Drift: departures from the documents are counted by path, and told once."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tap_visma_economic.records.drift import _HOW_TO_KEEP, Drift, type_name


def test_departures_are_counted_by_path_and_reported_in_order() -> None:
    drift = Drift()
    drift.unknown("new")
    drift.mistyped("balance", "a number", "12,50", "omitted")
    drift.unknown("delivery.new")
    drift.unknown("new")
    assert drift.report() == [
        "balance is a string where a number is documented: omitted (1 row)",
        "unknown property delivery.new (1 row)",
        "unknown property new (2 rows)",
        _HOW_TO_KEEP,
    ]


def test_values_of_different_types_at_one_path_are_told_apart() -> None:
    drift = Drift()
    for value in ("x", 1.5, "y"):
        drift.mistyped("date", "a date", value, "omitted")
    assert [line.rpartition("(")[2] for line in drift.report()] == ["2 rows)", "1 row)"]


def test_what_was_reported_is_forgotten() -> None:
    drift = Drift()
    drift.unknown("new")
    drift.report()
    assert drift.report() == []


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (True, "a boolean"),
        (1, "an integer"),
        (Decimal("1.0"), "a number"),
        ("x", "a string"),
        (None, "null"),
        ([], "an array"),
        ({}, "an object"),
        (b"", "bytes"),
    ],
)
def test_types_go_by_their_names_in_json(value: object, name: str) -> None:
    assert type_name(value) == name
