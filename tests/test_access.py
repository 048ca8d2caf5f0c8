"""What a grant may not read, and what fails: left out by itself, named, never mixed up."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from tap_visma_economic.streams import STREAMS
from tests.conftest import settings_for
from tests.support import (
    APP,
    CANARY,
    GRANT,
    GRANT_2,
    GRANT_3,
    NUMBER,
    canary_sandbox,
    keeps_secrets,
    small_grants,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import Run, TapRunner
    from tests.sandbox import Sandbox

DEFAULT = {vars(stream)["name"] for stream in STREAMS if stream.selected_by_default}
PARTLY = {
    CANARY + "no-modules": {
        "projects": "Missing modules: Project",
        "subscriptions": "Missing modules: Subscription",
        "dimensions": "The agreement does not have the module that dimensions need.",
    },
    CANARY + "bookkeeping": {
        "customers": "The role Bookkeeping of the grant does not give access",
        "customer_contacts": "The role Bookkeeping does not give access",
        "product_group_zones": "The role Bookkeeping does not give access",
    },
    CANARY + "sales": {
        "accounts": "The role Sales of the grant does not give access",
        "booked_entries": "The role Sales does not give access",
        "accounting_periods": "The role Sales of the grant does not give access",
    },
}
"""Grants that may read a part, some streams they may not read, and what e-conomic says of it."""


@pytest.fixture(scope="module")
def one_company() -> Iterator[Sandbox]:
    """A company, a grant that may read all of it, and three that may not."""
    whole = small_grants(GRANT)[GRANT]
    no_modules, bookkeeping, sales = PARTLY
    grants = {
        GRANT: whole,
        no_modules: replace(whole, modules=frozenset()),
        bookkeeping: replace(whole, role="Bookkeeping"),
        sales: replace(whole, role="Sales"),
    }
    with canary_sandbox(grants) as sandbox:
        yield sandbox


def skipped(run: Run) -> dict[str, str]:
    """Why each stream was skipped, by the warnings of the summary."""
    reasons = {}
    for line in run.warnings:
        if found := re.search(r"Skipped for agreement \d+ \(.*?\): ([a-z_, ]+): (.*)", line):
            reasons.update(dict.fromkeys(found[1].split(", "), found[2]))
    return reasons


def partition(number: int, key: str, value: object) -> dict[str, Any]:
    context = {"agreementNumber": number}
    return {"context": context, "replication_key": key, "replication_key_value": value}


@pytest.mark.parametrize("grant", PARTLY)
def test_what_a_grant_may_not_read_is_skipped_and_the_rest_is_complete(
    warm_tap: TapRunner, one_company: Sandbox, grant: str
) -> None:
    everything = warm_tap(settings_for(one_company, GRANT)).records
    run = warm_tap(settings_for(one_company, grant))
    left_out = set(skipped(run))
    assert run.exit_code == 0, run.stderr
    assert left_out >= set(PARTLY[grant])
    assert run.records == {s: rows for s, rows in everything.items() if s not in left_out}
    assert set(run.schemas) == DEFAULT, "the tables of skipped streams exist, empty"
    keeps_secrets(run)


@pytest.mark.parametrize("grant", PARTLY)
def test_what_is_missing_is_named_when_it_happens_and_at_the_end(
    warm_tap: TapRunner, one_company: Sandbox, grant: str
) -> None:
    run = warm_tap(settings_for(one_company, grant))
    summary = skipped(run)
    for stream, words in PARTLY[grant].items():
        assert words in summary[stream]
        told = f".{stream} "
        [when] = [line for line in run.stderr.splitlines() if told in line and "Skipped" in line]
        assert words in when


def test_the_summary_has_one_line_per_company_and_reason(
    warm_tap: TapRunner, one_company: Sandbox
) -> None:
    run = warm_tap(settings_for(one_company, next(iter(PARTLY))))
    lines = [line for line in run.warnings if "Skipped for" in line]
    assert len(lines) == len(set(skipped(run).values()))
    assert run.warnings[-len(lines) :] == lines


@pytest.fixture
def three() -> Sandbox:
    """Three small companies, not started yet."""
    return canary_sandbox()


def test_a_revoked_grant_leaves_the_others_complete_and_is_named_at_the_end(
    warm_tap: TapRunner, three: Sandbox
) -> None:
    known = partition(NUMBER + 1, "entryNumber", 77)
    state = {"bookmarks": {"booked_entries": {"partitions": [known]}}}
    with three as sandbox:
        sandbox.revoke(GRANT_2)
        run = warm_tap(
            settings_for(sandbox, GRANT, GRANT_2, GRANT_3),
            catalog=warm_tap.catalog_of("agreements", "booked_entries", "customers"),
            state=state,
        )
        companies = [sandbox.grants[token].company for token in (GRANT, GRANT_3)]
    assert run.exit_code == 1
    for company in companies:
        number = company.agreement_number
        got = [
            r["entryNumber"]
            for r in run.records["booked_entries"]
            if r["agreementNumber"] == number
        ]
        assert got == [r["entryNumber"] for r in company.rows("bookedEntriesapi:/booked-entries")]
    assert {r["agreementNumber"] for r in run.records["customers"]} == {NUMBER, NUMBER + 2}
    assert run.bookmark("booked_entries", NUMBER + 1) == known
    assert "Not read: agreements no. 2: e-conomic refused the tokens (401)" in run.errors[-2]
    assert "The run is not complete" in run.errors[-1]
    keeps_secrets(run)


def test_without_a_usable_grant_nothing_is_written(warm_tap: TapRunner, three: Sandbox) -> None:
    with three as sandbox:
        sandbox.revoke(GRANT)
        sandbox.revoke(GRANT_2)
        run = warm_tap(settings_for(sandbox, GRANT, GRANT_2))
    assert (run.exit_code, run.messages) == (1, [])
    assert ["agreements no. 1" in run.errors[0], "agreements no. 2" in run.errors[1]] == [True] * 2
    assert "No agreement can be read" in run.errors[2]
    keeps_secrets(run)


def test_a_stream_that_fails_fails_alone_and_its_bookmark_stays(warm_tap: TapRunner) -> None:
    known = partition(NUMBER, "lastUpdated", "2024-01-01T00:00:00Z")
    state = {"bookmarks": {"customer_contacts": {"partitions": [known]}}}
    with canary_sandbox(small_grants(GRANT)) as sandbox:
        catalog = warm_tap.catalog_of("accounts", "booked_entries", "customer_contacts", "units")
        config = settings_for(sandbox, GRANT, max_wait_minutes=0.01)
        complete = warm_tap(config, catalog=catalog, state=state)
        sandbox.faults.add("/contacts", "status", status=500, times=None)
        run = warm_tap(config, catalog=catalog, state=state)
    assert complete.exit_code == 0
    assert run.exit_code == 1
    assert {**run.records, "customer_contacts": None} == {
        **complete.records,
        "customer_contacts": None,
    }
    assert run.bookmark("customer_contacts", NUMBER) == known
    assert complete.bookmark("customer_contacts", NUMBER) != known
    assert (
        f"Failed: customer_contacts, agreement {NUMBER} (Firma 0): e-conomic answered 500"
        in (run.errors[-2])
    )
    keeps_secrets(run)


def test_a_stream_that_fails_for_one_agreement_is_complete_for_the_others(
    warm_tap: TapRunner, three: Sandbox
) -> None:
    with three as sandbox:
        sandbox.faults.add("/customers", "status", status=500, times=None, grant=GRANT_2)
        run = warm_tap(
            settings_for(sandbox, GRANT, GRANT_2, GRANT_3, max_wait_minutes=0),
            catalog=warm_tap.catalog_of("customers", "units"),
        )
    assert run.exit_code == 1
    assert {r["agreementNumber"] for r in run.records["customers"]} == {NUMBER, NUMBER + 2}
    assert {r["agreementNumber"] for r in run.records["units"]} == {NUMBER, NUMBER + 1, NUMBER + 2}


def test_the_connection_test_tells_what_a_grant_may_read_and_writes_no_rows(
    warm_tap: TapRunner, one_company: Sandbox
) -> None:
    no_modules, *_ = PARTLY
    run = warm_tap(settings_for(one_company, no_modules), "--test")
    assert run.exit_code == 0, run.stderr
    assert run.messages == []
    left_out = skipped(run)
    assert set(left_out) >= set(PARTLY[no_modules])
    assert f"{len(DEFAULT) - len(left_out)} of {len(DEFAULT)} streams can be read" in run.stderr


def test_the_connection_test_of_a_refused_grant_fails(warm_tap: TapRunner, three: Sandbox) -> None:
    with three as sandbox:
        sandbox.revoke(GRANT)
        run = warm_tap(settings_for(sandbox, GRANT), "--test")
    assert run.exit_code == 1
    assert "refused the tokens (401)" in run.stderr
    keeps_secrets(run)


def test_a_whole_year_that_answers_404_is_a_failure_and_not_an_empty_year(
    warm_tap: TapRunner, three: Sandbox
) -> None:
    with three as sandbox:
        sandbox.faults.add("/accounting-years/2024/totals", "status", status=404, times=None)
        run = warm_tap(
            settings_for(sandbox, GRANT), catalog=warm_tap.catalog_of("accounting_year_totals")
        )
    assert run.exit_code == 1
    assert "accounting_year_totals" in run.errors[-2]


def test_a_listing_that_answers_404_is_a_failure(warm_tap: TapRunner, three: Sandbox) -> None:
    with three as sandbox:
        sandbox.faults.add("/customers", "status", status=404, times=None)
        run = warm_tap(settings_for(sandbox, GRANT), catalog=warm_tap.catalog_of("customers"))
    assert run.exit_code == 1


def test_an_answer_without_items_is_no_empty_listing(warm_tap: TapRunner, three: Sandbox) -> None:
    with three as sandbox:
        sandbox.faults.add(
            "/Contacts", "status", status=200, body=b'{"title": "Maintenance"}', times=None
        )
        run = warm_tap(
            settings_for(sandbox, GRANT, max_wait_minutes=0),
            catalog=warm_tap.catalog_of("customer_contacts"),
        )
    assert run.exit_code == 1
    assert "it has no items" in run.errors[-2]


@pytest.mark.parametrize("path", ["/self", "/customers"])
@pytest.mark.parametrize("status", [400, 401])
def test_a_token_that_e_conomic_repeats_is_not_shown(
    warm_tap: TapRunner, three: Sandbox, path: str, status: int
) -> None:
    words = json.dumps({"message": f"The tokens {APP} and {GRANT} are not valid"}).encode()
    with three as sandbox:
        sandbox.faults.add(path, "status", status=status, body=words, times=None)
        run = warm_tap(settings_for(sandbox, GRANT), catalog=warm_tap.catalog_of("customers"))
    assert run.exit_code == 1
    assert "The tokens (a token) and (a token) are not valid" in run.stderr
    keeps_secrets(run)
