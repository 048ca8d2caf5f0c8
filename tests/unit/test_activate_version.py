"""Coverage: whether a table may have rows that a run did not read."""

from __future__ import annotations

from typing import Any

import pytest

from tap_visma_economic.activate_version import BEGUN, Coverage
from tap_visma_economic.agreement import Agreement
from tap_visma_economic.records.pages import Page


def company(number: int) -> Agreement:
    http: Any = None  # nothing is asked
    return Agreement(number, "", http, Page([]))


def known(number: int, **more: Any) -> dict[str, Any]:
    return {"context": {"agreementNumber": number}, **more}


def test_all_companies_read_in_full_leave_no_gap() -> None:
    coverage = Coverage([known(1, **{BEGUN: None})], [1], [])
    coverage.read(company(1), whole=True)
    coverage.read(company(2), whole=True)
    assert coverage.gap is None
    assert not coverage.partial


def test_a_company_read_incrementally_makes_the_run_partial() -> None:
    coverage = Coverage([], [], [])
    coverage.read(company(1), whole=False)
    assert coverage.partial


def test_a_company_that_fails_in_its_first_run_is_a_gap() -> None:
    """It may have written rows before it failed."""
    coverage = Coverage([], [], [])
    coverage.read(company(1), whole=True)
    coverage.missed(company(2))
    assert coverage.gap == "agreement 2 was only partly read"


@pytest.mark.parametrize("mark", [{BEGUN: None}, {"replication_key_value": 5}])
def test_a_company_that_is_no_longer_readable_is_a_gap(mark: dict[str, Any]) -> None:
    coverage = Coverage([known(2, **mark)], [], [])
    assert coverage.denied(company(2))
    assert coverage.gap == "agreement 2 is no longer readable with this grant"


def test_a_company_that_was_never_readable_is_no_gap() -> None:
    coverage = Coverage([known(2)], [2], [])
    assert not coverage.denied(company(2))
    assert coverage.gap is None


def test_a_new_company_without_access_is_no_gap() -> None:
    coverage = Coverage([], [], [])
    assert not coverage.denied(company(2))
    assert coverage.gap is None


def test_a_company_in_the_state_of_agreements_counts_as_read() -> None:
    coverage = Coverage([], [2], [])
    assert coverage.denied(company(2))
    assert coverage.gap is not None


def test_a_company_missing_from_the_settings_is_a_gap() -> None:
    coverage = Coverage([known(3, **{BEGUN: None})], [], [])
    coverage.read(company(1), whole=True)
    assert coverage.gap == "the table holds agreement 3, which is not in the settings"


def test_a_grant_of_an_unknown_company_is_a_gap() -> None:
    coverage = Coverage([], [], ["agreements no. 2 could not be read"])
    coverage.read(company(1), whole=True)
    assert coverage.gap == "agreements no. 2 could not be read"
