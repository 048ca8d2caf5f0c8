"""Filters: no value can change what a filter means. Read with the sandbox's own grammar."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_visma_economic.filters import both, compare, escape, lists, one_of
from tests.sandbox.filters import Condition, Group, Literal, parse_filter

WITH_A_MEANING = st.text(alphabet="$()*,[]:andoreqlikenull ", max_size=30)
VALUES = st.text(max_size=30) | WITH_A_MEANING


def meaning(filter_: str | None) -> list[tuple[str, str, str]]:
    """Property, operator and characters meant, of every comparison; all of them must hold."""
    parsed = parse_filter(filter_ or "")
    assert isinstance(parsed, Condition) or parsed.operator == "and"
    comparisons = parsed.members if isinstance(parsed, Group) else (parsed,)
    found = []
    for comparison in comparisons:
        assert isinstance(comparison, Condition)
        (value,) = comparison.values
        assert isinstance(value, Literal)
        assert not value.has_escaped_bracket
        found.append((comparison.property, comparison.operator, value.text))
    return found


@given(VALUES)
def test_a_value_means_itself(value: str) -> None:
    assert meaning(compare("name", "eq", value)) == [("name", "eq", value)]


@given(VALUES, VALUES)
def test_joined_comparisons_keep_their_values(one: str, other: str) -> None:
    joined = both(compare("name", "eq", one), compare("city", "like", other))
    assert meaning(joined) == [("name", "eq", one), ("city", "like", other)]


@pytest.mark.parametrize(
    ("value", "escaped"),
    [
        ("Kunde 17", "Kunde 17"),
        ("50$", "50$$"),
        ("(a, b)", "$(a$, b$)"),
        ("100*", "100$*"),
        ("$null:", "$$null:"),
        ("a$or:b$eq:1", "a$$or:b$$eq:1"),
        ("2026-01-02T03:04:05Z", "2026-01-02T03:04:05Z"),
    ],
)
def test_characters_with_a_meaning_are_escaped(value: str, escaped: str) -> None:
    assert escape(value) == escaped


@given(st.sets(st.integers(1, 2**31 - 1), max_size=900))
def test_numbers_come_in_lists_that_e_conomic_takes_and_a_url_has_room_for(
    numbers: set[int],
) -> None:
    found = list(lists(numbers))
    assert [number for some in found for number in some] == sorted(numbers)
    for some in found:
        assert 1 <= len(some) <= 200
        assert len(quote(one_of("bookedInvoiceNumber", some), safe="")) < 1600


@pytest.mark.parametrize(
    ("parts", "joined"),
    [
        (("a$eq:1", "b$eq:2"), "a$eq:1$and:b$eq:2"),
        ((None, "b$eq:2"), "b$eq:2"),
        (("a$eq:1", None), "a$eq:1"),
        (("a$eq:1", ""), "a$eq:1"),
        ((None, None), None),
        ((), None),
    ],
)
def test_what_is_not_there_is_left_out(parts: tuple[str | None, ...], joined: str | None) -> None:
    assert both(*parts) == joined
