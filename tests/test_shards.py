"""Shards of an agreements file, and grants that e-conomic rejects, on the command line."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_visma_economic.shard import shard_of
from tap_visma_economic.webhooks.inbox import Inbox, NewEvent
from tests.conftest import settings_for
from tests.hooks import age, get_older
from tests.support import (
    CANARY,
    NUMBER,
    activated,
    always,
    canary_sandbox,
    keeps_secrets,
    small_grants,
    told,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from tests.conftest import Run, TapRunner
    from tests.sandbox import Sandbox

TOKENS = [f"{CANARY}grant-{place:02}" for place in range(24)]
SHARDS = 3


@pytest.fixture
def many() -> Iterator[Sandbox]:
    with canary_sandbox(small_grants(*TOKENS)) as sandbox:
        yield sandbox


class Job:
    """Runs the tap on a file of agreements that each test may change."""

    def __init__(self, tap: TapRunner, sandbox: Sandbox) -> None:
        self.tap = tap
        self.sandbox = sandbox
        self.more: tuple[str, ...] = ()
        self.lines = [
            {"agreement_number": NUMBER + place, "agreement_grant_token": token}
            for place, token in enumerate(TOKENS)
        ]

    def __call__(self, state: Any = None, *, code: int = 0, **settings: Any) -> Run:
        text = "\n".join(map(json.dumps, self.lines))
        (self.tap.folder / "agreements.jsonl").write_text(text)
        settings = {"agreements_file": "agreements.jsonl", "max_wait_minutes": 0, **settings}
        catalog = self.tap.catalog_of("agreements", "booked_entries", *self.more)
        run = self.tap(settings_for(self.sandbox, **settings), catalog=catalog, state=state)
        keeps_secrets(run)
        assert run.exit_code == code, run.stderr
        return run

    def shard(self, index: int, count: int = SHARDS, **options: Any) -> Run:
        return self(shard_index=index, shard_count=count, **options)


@pytest.fixture
def job(warm_tap: TapRunner, many: Sandbox) -> Job:
    return Job(warm_tap, many)


def read(run: Run) -> set[int]:
    return {row["agreementNumber"] for row in run.records["booked_entries"]}


def in_state(run: Run) -> set[int]:
    partitions = run.state["bookmarks"]["booked_entries"]["partitions"]
    return {partition["context"]["agreementNumber"] for partition in partitions}


def test_each_company_is_in_one_shard_and_stays_there(job: Job) -> None:
    runs = [job.shard(index) for index in range(SHARDS)]
    before = [read(run) for run in runs]
    assert all(before), "else the shards would not show"
    assert sorted(number for shard in before for number in shard) == [
        NUMBER + place for place in range(24)
    ]
    job.lines.reverse()
    gone = job.lines.pop(0)
    again = [read(job.shard(index)) for index in range(SHARDS)]
    assert again == [shard - {gone["agreement_number"]} for shard in before]


@given(st.integers(1, 999_999_999), st.integers(1, 5_000))
def test_twice_the_shards_split_each_shard_in_two(number: int, count: int) -> None:
    assert 0 <= shard_of(number, count) < count
    assert shard_of(number, 2 * count) % count == shard_of(number, count)


def test_the_shard_of_a_number_is_the_same_everywhere_and_for_good() -> None:
    """A change of this would have every company read by a job that has no state of it."""
    assert [shard_of(NUMBER + place, 8) for place in range(8)] == [4, 2, 6, 5, 7, 3, 3, 5]


def test_twice_the_shards_continue_from_copies_of_the_state(job: Job, many: Sandbox) -> None:
    before = job.shard(0)
    asked = len(many.log)
    halves = [job.shard(index, 2 * SHARDS, state=before.state) for index in (0, SHARDS)]
    assert in_state(halves[0]) | in_state(halves[1]) == in_state(before)
    assert not in_state(halves[0]) & in_state(halves[1]), "each keeps its own companies only"
    listings = [r.target for r in many.log[asked:] if "booked-entries?" in r.target]
    assert listings
    assert all("filter=" in target for target in listings), "they continue instead of starting"


def test_a_shard_without_companies_succeeds_and_writes_nothing(job: Job, many: Sandbox) -> None:
    del job.lines[1:]
    empty = next(index for index in range(8) if index != shard_of(NUMBER, 8))
    run = job.shard(empty, 8)
    assert (run.messages, many.log) == ([], [])
    assert "Complete: there are no companies in this shard" in run.stderr


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"shard_index": 1}, "shard_index and shard_count belong together"),
        ({"shard_count": 2}, "shard_index and shard_count belong together"),
        ({"shard_index": 2, "shard_count": 2}, "shard_index is 0 to shard_count - 1"),
        (
            {"shard_index": 0, "shard_count": 2, "agreement_grant_token": CANARY + "grant-99"},
            "agreement_grant_token would be read by every shard",
        ),
        (
            {"shard_index": 0, "shard_count": 2, "emit_activate_version_messages": True},
            "each shard would delete the rows of the others",
        ),
    ],
)
def test_settings_that_do_not_go_together_read_nothing(
    job: Job, many: Sandbox, settings: dict[str, Any], words: str
) -> None:
    run = job(code=1, **settings)
    assert (run.messages, many.log) == ([], [])
    assert words in run.stderr


def test_a_line_without_a_number_belongs_to_no_shard(job: Job, many: Sandbox) -> None:
    del job.lines[3]["agreement_number"], job.lines[7]["agreement_number"]
    run = job.shard(0, code=1)
    assert (run.messages, many.log) == ([], [])
    assert "agreements.jsonl line 4 and 1 more: agreement_number is missing" in run.stderr


def test_twice_the_shards_continue_to_read_events(job: Job, many: Sandbox, tmp_path: Path) -> None:
    job.more = ("customers",)
    url = f"sqlite:///{tmp_path}/inbox.db"
    inbox = Inbox(url, create=True)
    before = job.shard(0, events_inbox=url)
    assert not told(before, "not in the settings")
    inbox.append(
        [NewEvent(NUMBER + n, "CUSTOMER_UPDATED", {"newnumber": 1}) for n in range(len(TOKENS))]
    )
    get_older(tmp_path / "inbox.db", 61)
    many.log.clear()
    halves = [
        job.shard(index, 2 * SHARDS, state=before.state, events_inbox=url, events_only=True)
        for index in (0, SHARDS)
    ]
    named = [{row["agreementNumber"] for row in run.records["customers"]} for run in halves]
    assert named == [in_state(job.shard(i, 2 * SHARDS, state=before.state)) for i in (0, SHARDS)]
    assert inbox.health()["unread"] == len(TOKENS)
    night = job.shard(1, events_inbox=url)
    assert not told(night, "not in the settings"), "they are in other shards"
    job.lines[0]["enabled"] = False
    del job.lines[1:3]
    night = job(events_inbox=url)
    assert told(night, f"not in the settings: {NUMBER + 1}, {NUMBER + 2}")


def test_a_shard_with_tables_of_its_own_deletes_rows_in_them(job: Job) -> None:
    run = job.shard(0, emit_activate_version_messages=True, shard_has_own_tables=True)
    assert activated(run) == {"agreements", "booked_entries"}


# Grants that e-conomic rejects


def revoke(many: Sandbox, tokens: Sequence[str]) -> None:
    for token in tokens:
        many.revoke(token)


def test_a_rejected_grant_fails_the_run_unless_the_settings_say_otherwise(
    job: Job, many: Sandbox
) -> None:
    revoke(many, TOKENS[5:6])
    job(code=1)
    run = job(refused_grants="warn")
    assert len(read(run)) == 23
    assert "Not read: agreements.jsonl line 6: e-conomic rejected the tokens (401)" in run.stderr
    assert "23 companies; 1 grant rejected, see above" in run.stderr


def test_many_grants_rejected_at_once_fail_the_run_once(job: Job, many: Sandbox) -> None:
    """More than a tenth at once is rather our app's fault than three companies' wish."""
    first = job(refused_grants="warn")
    revoke(many, TOKENS[:3])
    second = job(first.state, refused_grants="warn", code=1)
    third = job(second.state, refused_grants="warn")
    many.service.revoked.clear()
    fourth = job(third.state, refused_grants="warn")
    revoke(many, TOKENS[:3])
    job(fourth.state, refused_grants="warn", code=1)  # they are new again


def test_all_grants_rejected_fail_the_run(job: Job, many: Sandbox) -> None:
    revoke(many, TOKENS)
    assert job(refused_grants="warn", code=1).messages == []


@pytest.mark.parametrize(("kind", "options"), [("status", {"status": 503}), ("reset", {})])
def test_a_company_that_cannot_be_reached_fails_the_run(
    job: Job, many: Sandbox, kind: Any, options: dict[str, Any]
) -> None:
    many.faults.add("/self", kind, grant=TOKENS[2], times=None, **options)
    assert len(read(job(refused_grants="warn", code=1))) == 23


def test_a_grant_rejected_in_the_middle_of_a_run_counts_as_rejected(
    job: Job, many: Sandbox
) -> None:
    body = {"message": "Unauthorized", "httpStatusCode": 401}
    always(many, "booked-entries", 401, body, grant=TOKENS[2])
    run = job(refused_grants="warn")
    assert "grant rejected" in run.stderr
    assert read(run) == {NUMBER + place for place in range(24)} - {NUMBER + 2}


def test_grants_rejected_one_by_one_in_event_runs_still_fail_the_next_night(
    job: Job, many: Sandbox, tmp_path: Path
) -> None:
    """Else event runs would hide that many are rejected since the night before."""
    job.more = ("customers",)
    url = f"sqlite:///{tmp_path}/inbox.db"
    events: dict[str, Any] = {"events_inbox": url, "refused_grants": "warn"}
    inbox = Inbox(url, create=True)
    state = job(**events).state
    for place in range(3):
        many.revoke(TOKENS[place])
        inbox.append(
            [NewEvent(NUMBER + n, "CUSTOMER_UPDATED", {"newnumber": 1}) for n in (place, 9)]
        )
        get_older(tmp_path / "inbox.db", 61)
        age(state, 61)
        run = job(state, events_only=True, code=int(place == 2), **events)
        assert "rejected the tokens" in run.stderr
        state = run.state
    job(state, code=1, **events)
