"""Paths: a value in a path is read back as the same value, by the sandbox's own decoder."""

from __future__ import annotations

from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_visma_economic.paths import encoded, fill
from tests.sandbox.routes import match
from tests.sandbox.values import decode_path_part, path_part

AWKWARD = st.text(alphabet="<>*%:&/\\_ ?.#+0123456789aæøå{}", max_size=20)
VALUES = st.text(st.characters(exclude_categories=["Cs"]), max_size=20) | AWKWARD


@given(VALUES)
def test_a_value_is_read_back_from_a_path(value: str) -> None:
    assert decode_path_part(unquote(encoded(value))) == value


@given(VALUES)
def test_a_value_stays_within_its_segment(value: str) -> None:
    assert not set("/?#\\ ") & set(encoded(value))
    assert encoded(value) not in {".", ".."}


@given(VALUES)
def test_a_value_is_written_as_economic_writes_it_in_its_links(value: str) -> None:
    assert unquote(encoded(value)) == unquote(path_part(value))


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (17, "17"),
        ("2025/2026", "2025_6_2026"),
        ("2025/2026a", "2025_6_2026a"),
        ("DK_AL", "DK_8_AL"),
        ("<>*%:&/\\_ ?.#+", "_0__1__2__3__4__5__6__7__8__9__10__11__12__13_"),
        ("Blåbær", "Bl%C3%A5b%C3%A6r"),
        ('5"', "5%22"),
    ],
)
def test_signs_that_may_not_stand_in_a_path_are_numbered(value: int | str, written: str) -> None:
    assert encoded(value) == written


def test_a_path_is_filled_in_with_the_values_of_its_parameters() -> None:
    path = "/accounting-years/{accountingYear}/periods/{accountingYearPeriod}/totals"
    values: dict[str, int | str] = {
        "agreementNumber": 1,
        "accountingYear": "2025/2026",
        "accountingYearPeriod": 3,
    }
    assert fill(path, values) == "/accounting-years/2025_6_2026/periods/3/totals"


def test_a_value_that_looks_like_a_parameter_is_not_filled_in() -> None:
    assert fill("/{a}/{b}", {"a": "{b}", "b": 2}) == "/%7Bb%7D/2"


@given(st.text(alphabet="<>*%:&/\\_ ?.#+ab1", min_size=1, max_size=12))
def test_the_sandbox_finds_the_product_that_was_meant(number: str) -> None:
    found = match(fill("/products/{productNumber}", {"productNumber": number}))
    assert found is not None
    assert found.params == (number,)
