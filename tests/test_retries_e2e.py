"""Faults that pass: the run waits, asks again, and every row arrives exactly once."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from typing import TYPE_CHECKING

import pytest

from tests.faulty import IMPATIENT, Case, keys, read, truth
from tests.support import keeps_secrets

if TYPE_CHECKING:
    from tests.conftest import TapRunner

PASSING = {
    "429, Retry-After in seconds": Case(
        {"kind": "status", "status": 429, "retry_after": "1"}, "Retrying in 1.0 s"
    ),
    "429, Retry-After as a date": Case(
        {"kind": "status", "status": 429, "retry_after": "now"}, "429 Too Many Requests"
    ),
    "500": Case({"kind": "status", "status": 500}, "500 Internal Server Error"),
    "502": Case({"kind": "status", "status": 502}, "502 Bad Gateway"),
    "503": Case({"kind": "status", "status": 503, "retry_after": "2"}, "Retrying in 2.0 s"),
    "504": Case({"kind": "status", "status": 504}, "504 Gateway Timeout"),
    "403 from a firewall": Case(
        {
            "kind": "status",
            "status": 403,
            "body": b"<html>Attention Required!</html>",
            "headers": {"Content-Type": "text/html"},
        },
        "it probably comes from a firewall or proxy",
    ),
    "refuse": Case({"kind": "refuse", "seconds": 0.6}, "closed the connection (GET /bookedEntr"),
    "close": Case({"kind": "close"}, "closed the connection (GET /bookedEntr"),
    "reset": Case({"kind": "reset"}, "closed the connection (GET /bookedEntr"),
    "reset inside the body": Case({"kind": "reset", "after": 1000}, "was cut off"),
    "truncate": Case({"kind": "truncate"}, "was cut off"),
    "delay": Case({"kind": "delay", "seconds": 2}, "within 0.5 s", settings=IMPATIENT),
    "hang": Case({"kind": "hang"}, "within 0.5 s", settings=IMPATIENT),
    "drip": Case({"kind": "drip", "seconds": 0.2}, "within 0.5 s", settings=IMPATIENT),
    "drip inside the body": Case(
        {"kind": "drip", "seconds": 0.2, "after": 5000}, "within 0.5 s", settings=IMPATIENT
    ),
    "cut": Case({"kind": "cut"}, "is not what e-conomic documents"),
    "short_length": Case({"kind": "short_length"}, "is not what e-conomic documents"),
    "cut_gzip": Case({"kind": "cut_gzip"}, "is not what e-conomic documents"),
    "html200": Case({"kind": "html200"}, "(text/html; charset=UTF-8,"),
    "empty_page": Case(
        {"kind": "empty_page", "nth": 1},
        "it has no rows but reports that more follow",
        stream="customers",
    ),
    "next_page elsewhere": Case(
        {"kind": "next_page", "to": "https://evil.example/products?skippages=1", "nth": 1},
        "its next page is on another host, 'evil.example'",
        stream="products",
    ),
    "next_page back": Case(
        {"kind": "next_page"}, "its next page has already been read", stream="products"
    ),
}


@pytest.mark.parametrize("name", PASSING)
def test_a_fault_that_passes_costs_no_row_and_repeats_none(warm_tap: TapRunner, name: str) -> None:
    case = PASSING[name]
    fault = dict(case.fault)
    if fault.get("retry_after") == "now":
        fault["retry_after"] = in_seconds(2)
    run, rule, seconds = read(warm_tap, case, {"nth": 2, **fault})
    assert rule.applied == 1
    assert keys(run, case.stream) == truth(case.stream)
    waits = [line for line in run.warnings if "Retrying in" in line]
    assert case.says in waits[0]
    assert len(waits) == 1 or case.fault["kind"] == "refuse", "it is told when, and no other time"
    assert seconds < 10
    keeps_secrets(run)


def in_seconds(seconds: float) -> str:
    return format_datetime(datetime.now(timezone.utc) + timedelta(seconds=seconds), usegmt=True)
