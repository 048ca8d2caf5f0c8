"""Faults that pass: the run waits, asks again, and every row arrives exactly once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.conftest import settings_for
from tests.sandbox import Grant
from tests.sandbox.company import build_company
from tests.support import GRANT, NUMBER, canary_sandbox, keeps_secrets

if TYPE_CHECKING:
    from tests.conftest import TapRunner

ENTRIES = "bookedEntriesapi:/booked-entries"
PASSING: list[dict[str, Any]] = [
    {"kind": "status", "status": 429, "retry_after": "1"},
    {"kind": "status", "status": 503, "times": 2},
    {"kind": "reset", "after": 1000},
    {"kind": "truncate"},
    {"kind": "html200"},
    {"kind": "close"},
]


@pytest.mark.parametrize(
    "fault", PASSING, ids=lambda fault: str(fault.get("status", fault["kind"]))
)
def test_every_row_arrives_once_when_a_page_comes_at_a_later_try(
    warm_tap: TapRunner, fault: dict[str, Any]
) -> None:
    company = build_company(NUMBER, "Firma", seed=7, entries=2_200)
    with canary_sandbox({GRANT: Grant(company)}) as sandbox:
        rule = sandbox.faults.add(r"/booked-entries\?cursor", **fault)
        run = warm_tap(
            settings_for(sandbox, GRANT), catalog=warm_tap.catalog_of("booked_entries", "units")
        )
    assert rule.applied == fault.get("times", 1)
    assert run.exit_code == 0, run.stderr
    got = [record["entryNumber"] for record in run.records["booked_entries"]]
    assert got == [row["entryNumber"] for row in company.rows(ENTRIES)]
    assert len(got) > 2_000
    waits = [line for line in run.warnings if "before asking again for booked_entries" in line]
    assert len(waits) == rule.applied
    keeps_secrets(run)
