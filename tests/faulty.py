"""What the tests of faults share: listings of several pages, a run while a fault is in force."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

from tests.sandbox import Grant
from tests.sandbox.company import build_company
from tests.support import GRANT, NUMBER, canary_sandbox

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.conftest import Run, TapRunner
    from tests.sandbox.company import Company
    from tests.sandbox.faults import Fault

IMPATIENT = {"request_timeout": 0.5}

LISTINGS = {
    "booked_entries": ("bookedEntriesapi:/booked-entries", "entryNumber", r"/booked-entries(\?|$)"),
    "customers": ("rest:/customers", "customerNumber", r"/customers\?pagesize=1000"),
    "products": ("rest:/products", "productNumber", r"/products\?pagesize=1000"),
}
"""Stream: endpoint, key, requests. One is read by cursor, one by key upward, one by position."""


@dataclass(frozen=True)
class Case:
    """A fault of a listing's second page, and what the log says of it."""

    fault: Mapping[str, Any]
    says: str
    stream: str = "booked_entries"
    settings: Mapping[str, Any] = field(default_factory=dict)


@cache
def company_for(stream: str) -> Company:
    """A company with more than one page of a stream."""
    entries = 2_200 if stream == "booked_entries" else 24_000
    return build_company(NUMBER, "Firma", seed=7, entries=entries)


def truth(stream: str) -> list[Any]:
    endpoint, key, _ = LISTINGS[stream]
    rows = [row[key] for row in company_for(stream).rows(endpoint)]
    assert len(rows) > 1000, "the listing must have more than one page"
    return sorted(rows)


def keys(run: Run, stream: str) -> list[Any]:
    return sorted(record[LISTINGS[stream][1]] for record in run.records[stream])


def read(tap: TapRunner, case: Case, fault: dict[str, Any]) -> tuple[Run, Fault, float]:
    """Read a stream while a fault is in force; also how many seconds it took."""
    with canary_sandbox({GRANT: Grant(company_for(case.stream))}) as sandbox:
        rule = sandbox.faults.add(LISTINGS[case.stream][2], **fault)
        tap.catalog_of(case.stream)  # which takes time once
        began = time.monotonic()
        run = tap.read(sandbox, case.stream, **case.settings)
        return run, rule, time.monotonic() - began
