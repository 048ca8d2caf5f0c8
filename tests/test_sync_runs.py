"""`sync_runs`: a row for each company and run, and which run each proves."""

from __future__ import annotations

import json
import signal
from typing import TYPE_CHECKING, Any

import pytest

from tap_visma_economic.webhooks.inbox import Inbox, NewEvent
from tests.conftest import WarmTapRunner
from tests.hooks import get_older
from tests.nights import Meddler
from tests.sandbox import Grant, Sandbox
from tests.support import (
    GRANT,
    GRANT_2,
    GRANT_3,
    NUMBER,
    Watched,
    always,
    canary_sandbox,
    keeps_secrets,
    small_grants,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.conftest import Run, TapRunner

STREAMS = ("agreements", "customers", "departments", "openapi_accounts", "sync_runs")
FULL = ["agreements", "customers", "departments"]


class Job:
    """Runs the tap on three companies."""

    def __init__(self, tap: TapRunner, sandbox: Sandbox) -> None:
        self.tap = tap
        self.sandbox = sandbox
        self.streams: tuple[str, ...] = STREAMS

    def __call__(self, state: Any = None, *, code: int = 0, **settings: Any) -> Run:
        settings = {"max_wait_minutes": 0, **settings}
        run = self.tap.read(self.sandbox, *self.streams, state=state, code=code, **settings)
        keeps_secrets(run)
        return run


@pytest.fixture
def companies() -> Iterator[Sandbox]:
    with canary_sandbox(small_grants(GRANT, GRANT_2, GRANT_3)) as sandbox:
        yield sandbox


@pytest.fixture
def job(tmp_path: Path, companies: Sandbox) -> Job:
    return Job(WarmTapRunner(tmp_path), companies)


def rows(run: Run) -> dict[int | None, Any]:
    return {row["agreementNumber"]: row for row in run.records["sync_runs"]}


def whole(run: Run, number: int = NUMBER) -> list[str]:
    found: list[str] = json.loads(rows(run)[number]["sentWhole"])
    return found


def test_each_company_gets_a_row_after_all_others_and_before_the_last_state(job: Job) -> None:
    run = job()
    kinds = [(m["type"], m.get("stream")) for m in run.messages]
    assert kinds[-4:] == [("RECORD", "sync_runs")] * 3 + [("STATE", None)]
    assert ("RECORD", "sync_runs") not in kinds[:-4]
    row = rows(run)[NUMBER]
    assert row["outcome"] == "complete"
    assert row["name"] == "Firma 0"
    assert row["rowCount"] == sum(
        record["agreementNumber"] == NUMBER
        for stream in STREAMS[:-1]
        for record in run.records[stream]
    )
    asked = sum(seen.grant == GRANT for seen in job.sandbox.log)
    assert row["calls"] == asked
    assert row["tokens"] >= asked
    assert (row["skipped"], row["failed"], row["proves"]) == ("{}", "{}", None)
    assert len({row["run"] for row in rows(run).values()}) == 1
    assert len({row["grantDigest"] for row in rows(run).values()}) == 3


def test_a_row_proves_the_run_whose_state_was_given(job: Job) -> None:
    first = job()
    second = job(first.state)
    again = job(first.state)
    ids = [rows(run)[NUMBER]["run"] for run in (first, second, again)]
    assert len({*ids}) == 3
    assert [rows(run)[NUMBER]["proves"] for run in (second, again)] == [ids[0]] * 2
    earlier = next(m["value"] for m in second.messages if m["type"] == "STATE")
    assert earlier["bookmarks"]["agreements"]["partitions"][0]["run"] != ids[1]


def test_what_was_sent_whole_was_compared_with_an_earlier_full_read(job: Job) -> None:
    """Before that nothing in the table is older; or the state is lost, and nothing is compared."""
    first = job()
    assert whole(first) == []
    second = job(first.state)
    assert whole(second) == FULL, "openapi_accounts is read from its bookmark on"
    assert whole(job(second.state, full_refresh_days=1)) == [*FULL, "openapi_accounts"]


def test_an_empty_listing_was_sent_whole(job: Job) -> None:
    state = job().state
    departments: Any = job.sandbox.grants[GRANT].company.rows("rest:/departments")
    departments.clear()
    run = job(state)
    assert not any(row["agreementNumber"] == NUMBER for row in run.records["departments"])
    assert whole(run) == FULL


def test_rows_after_a_start_date_are_not_the_whole(job: Job) -> None:
    job.streams = ("customers", "invoices_booked", "sync_runs")
    settings: dict[str, Any] = {"start_date": "2025-01-01", "full_refresh_days": 1}
    assert whole(job(job(**settings).state, **settings)) == ["customers"]


def test_batches_are_never_sent_whole(job: Job) -> None:
    batches = {
        "encoding": {"format": "jsonl"},
        "storage": {"root": job.tap.folder.as_uri(), "prefix": ""},
    }
    run = job(job(batch_config=batches).state, batch_config=batches)
    assert (whole(run), rows(run)[NUMBER]["outcome"]) == ([], "complete")


def test_a_row_says_why_its_company_is_not_read(job: Job, companies: Sandbox) -> None:
    companies.revoke(GRANT_2)
    always(companies, "/self", 500, grant=GRANT_3)
    always(companies, "/departments", 500, grant=GRANT)
    run = job(code=1)
    one, (refused, unreachable) = rows(run)[NUMBER], run.records["sync_runs"][1:]
    assert one["outcome"] == "incomplete"
    assert list(json.loads(one["failed"])) == ["departments"]
    assert whole(job(run.state, code=1)) == ["agreements", "customers"]
    assert (refused["outcome"], unreachable["outcome"]) == ("refused", "unreachable")
    assert "401" in json.loads(refused["failed"])["/self"]
    assert "/self" in json.loads(unreachable["failed"])
    assert (refused["agreementNumber"], refused["proves"]) == (None, None)


def test_a_row_names_the_streams_that_the_grant_cannot_read(job: Job, companies: Sandbox) -> None:
    always(companies, "/departments", 403, grant=GRANT)
    row = rows(job())[NUMBER]
    assert row["outcome"] == "complete"
    assert list(json.loads(row["skipped"])) == ["departments"]


def test_a_grant_that_is_rejected_in_mid_run_is_refused(tmp_path: Path) -> None:
    grants = small_grants(GRANT, GRANT_2, GRANT_3)
    at = canary_sandbox(grants)

    def hook(endpoint: str) -> None:
        if "departments" in endpoint:
            at.revoke(GRANT)

    grants[GRANT] = Grant(Watched(grants[GRANT].company, hook))
    at.grants[GRANT] = grants[GRANT]
    with at:
        run = Job(WarmTapRunner(tmp_path), at)(concurrency=1, code=1)
    row = rows(run)[NUMBER]
    assert row["outcome"] == "refused"
    assert "401" in json.loads(row["failed"])["/self"]
    assert rows(run)[NUMBER + 1]["outcome"] == "complete"


def test_a_run_that_is_stopped_writes_its_rows(tmp_path: Path) -> None:
    tap = Meddler(tmp_path)
    grants = {
        token: Grant(Watched(grant.company, tap.asked)) for token, grant in small_grants().items()
    }
    with canary_sandbox(grants) as sandbox:
        job = Job(tap, sandbox)
        first = job()
        # 3 x /self, 3 x customers, then the departments of the first company
        tap.plan(8, lambda: tap.send(signal.SIGTERM))
        run = job(first.state, concurrency=1, parallel_agreements=1, code=143)
    kinds = [m["type"] for m in run.messages]
    assert kinds[-4:] == ["RECORD"] * 3 + ["STATE"]
    row = rows(run)[NUMBER + 2]
    assert row["outcome"] == "incomplete"
    assert "the run was stopped" in json.loads(row["failed"])["/"]
    assert "departments" not in whole(run, NUMBER + 2)
    assert row["proves"] == rows(first)[NUMBER]["run"]
    assert run.bookmark("agreements")["run"] == row["run"]


def test_an_event_run_writes_rows_of_the_companies_that_it_reads(job: Job, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/inbox.db"
    inbox = Inbox(url, create=True)
    first = job(events_inbox=url)
    quiet = job(first.state, events_inbox=url, events_only=True)
    assert quiet.messages == []
    inbox.append([NewEvent(NUMBER + 1, "CUSTOMER_UPDATED", {"newnumber": 1})])
    get_older(tmp_path / "inbox.db", 61)
    run = job(first.state, events_inbox=url, events_only=True)
    (row,) = run.records["sync_runs"]
    assert (row["agreementNumber"], row["outcome"], row["events"]) == (NUMBER + 1, "complete", True)
    assert (row["sentWhole"], row["proves"]) == ("[]", rows(first)[NUMBER]["run"])
    later = job(run.state, events_inbox=url)
    assert rows(later)[NUMBER]["proves"] == rows(first)[NUMBER]["run"]
    assert rows(later)[NUMBER + 1]["proves"] == row["run"]


def test_rows_of_an_event_run_are_not_gone_because_there_were_none_before(
    job: Job, companies: Sandbox, tmp_path: Path
) -> None:
    url = f"sqlite:///{tmp_path}/inbox.db"
    inbox = Inbox(url, create=True)
    job.streams = ("suppliers", "sync_runs")
    suppliers: Any = companies.grants[GRANT].company.rows("rest:/suppliers")
    later = suppliers[:1]
    suppliers.clear()
    state = job(events_inbox=url).state
    suppliers += later
    number = later[0]["supplierNumber"]
    inbox.append([NewEvent(NUMBER, "SUPPLIER_UPDATED", {"newnumber": number})])
    get_older(tmp_path / "inbox.db", 61)
    run = job(state, events_inbox=url, events_only=True)
    assert len(run.records["suppliers"]) == 1
    rule = always(companies, r"/suppliers\b", 200, {"collection": []}, times=1, grant=GRANT)
    night = job(run.state, events_inbox=url)
    assert rule.applied == 1
    sent = [row for row in night.records["suppliers"] if row["agreementNumber"] == NUMBER]
    assert len(sent) == 1, whole(night)


def test_deselected_it_leaves_no_trace(job: Job) -> None:
    job.streams = STREAMS[:-1]
    run = job()
    assert "sync_runs" not in run.schemas
    assert "sync_runs" not in json.dumps(run.state)
    assert "run" not in run.bookmark("agreements")


def test_it_is_never_activated(job: Job) -> None:
    run = job(emit_activate_version_messages=True)
    own = [m for m in run.messages if m.get("stream") == "sync_runs"]
    assert {m["type"] for m in own} == {"SCHEMA", "RECORD"}
    assert not any("version" in m for m in own)


def test_stream_maps_apply(job: Job) -> None:
    run = job(stream_maps={"sync_runs": {"name": None}, "customers": None, "departments": None})
    assert len(run.records["sync_runs"]) == 3
    assert not any("name" in row for row in run.records["sync_runs"])
