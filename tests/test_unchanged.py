"""`skip_unchanged`: what the target has is not sent again, and what it may not have is."""

from __future__ import annotations

import copy
import json
import random
import signal
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.conftest import TapRunner, settings_for
from tests.nights import Nights
from tests.sandbox.company import build_company
from tests.sandbox.grants import Grant
from tests.sandbox.server import Sandbox
from tests.support import Altered, served, told
from tests.test_stopping import ended, start, wait_until, waiting_bytes
from tests.warehouse import Warehouse

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.conftest import Run
    from tests.sandbox.company import Company

STREAMS = ("agreements", "booked_entries", "customers", "departments", "products", "units")
SKIP = {"skip_unchanged": "upsert", "resend_days": 365}
NUMBER = 1234567


def build() -> Company:
    return build_company(NUMBER, "Stille ApS", seed=7, entries=300)


company, sandbox = served(build)


class Job:
    """Runs of one pipeline: each begins with the state that the target has confirmed."""

    def __init__(self, tap: TapRunner, sandbox: Sandbox, *streams: str) -> None:
        self.tap = tap
        self.sandbox = sandbox
        self.streams = streams or STREAMS
        self.state: Any = None

    def __call__(self, *, code: int = 0, **settings: Any) -> Run:
        config = settings_for(self.sandbox, *self.sandbox.grants, **{**SKIP, **settings})
        catalog = self.tap.catalog_of(*self.streams, config=settings)
        run = self.tap(config, catalog=catalog, state=self.state)
        assert run.exit_code == code, run.stderr
        self.state = run.state
        return run


@pytest.fixture
def job(warm_tap: TapRunner, sandbox: Sandbox) -> Job:
    return Job(warm_tap, sandbox)


@pytest.fixture
def loaded(job: Job) -> Job:
    """After a first run, which has sent everything."""
    job()
    return job


def sent(run: Run) -> set[str]:
    """The streams without a bookmark of which a run sent rows."""
    return run.records.keys() - {"booked_entries", "sync_runs"}


def partition_of(state: Any, number: int = NUMBER) -> Any:
    partitions = state["bookmarks"]["agreements"]["partitions"]
    return next(p for p in partitions if p["context"]["agreementNumber"] == number)


def digests(state: Any, number: int = NUMBER) -> dict[str, str]:
    """The digests in a STATE, by stream."""
    names = state["bookmarks"]["agreements"].get("full_read_streams", [])
    values = partition_of(state, number).get("digests") or []
    return {name: one for name, one in zip(names, values, strict=False) if one}


def edit(company: Company, name: str) -> None:
    """Give the first department another name."""
    row: Any = company.rows("rest:/departments")[0]
    row["name"] = name


FULL = {"agreements", "customers", "departments", "products", "units"}

# --- what is sent ---


def test_a_second_run_sends_nothing_of_what_has_not_changed(loaded: Job) -> None:
    first = loaded.state
    run = loaded()
    assert sent(run) == set()
    assert run.schemas.keys() >= FULL, "the target still learns what there is"
    assert digests(run.state) == digests(first)
    assert digests(first).keys() == FULL


def test_without_the_setting_everything_is_sent_and_no_digest_kept(job: Job) -> None:
    for _ in range(2):
        run = job(skip_unchanged="none")
        assert sent(run) == FULL
        assert digests(run.state) == {}
        assert "Not sent" not in run.stderr


def test_the_log_counts_what_was_sent_and_what_was_not(job: Job) -> None:
    first = job()
    rows = {stream: len(records) for stream, records in first.records.items()}
    same = sum(rows[stream] for stream in FULL)
    assert "Not sent" not in first.stderr
    second = job()
    written = len(second.records["booked_entries"])
    assert (
        f"Not sent: {same} rows of 5 streams, unchanged since they were last sent" in second.stderr
    )
    assert f"Complete: {written} rows from 6 streams, 1 company" in second.stderr


def test_one_changed_row_sends_its_whole_stream_and_no_other(
    loaded: Job, company: Company
) -> None:
    edit(company, "Rettet navn")
    run = loaded()
    assert sent(run) == {"departments"}
    assert len(run.records["departments"]) == len(company.rows("rest:/departments"))
    assert sent(loaded()) == set()


def test_a_change_that_is_undone_is_sent_too(loaded: Job, company: Company) -> None:
    before = company.rows("rest:/departments")[0]["name"]
    for name in ("Rettet navn", before):
        edit(company, name)
        assert sent(loaded()) == {"departments"}


def test_rows_in_another_order_are_sent(warm_tap: TapRunner, company: Company) -> None:
    """A target keeps the last of two rows with the same key, so their order matters."""
    orders = iter((1, -1))
    rows = [{"unitNumber": 1, "name": "stk"}, {"unitNumber": 2, "name": "kg"}]
    units = Altered(company, "rest:/units", lambda _: rows[:: next(orders)])
    with Sandbox({"demo": Grant(units)}) as sandbox:
        job = Job(warm_tap, sandbox, "units")
        assert [sent(job()) for _ in range(2)] == [{"units"}] * 2


def test_a_stream_that_becomes_empty_and_full_again_is_sent(
    warm_tap: TapRunner, company: Company
) -> None:
    """Even if the rows are those from before: without it they would stay deleted."""
    rows = [{"unitNumber": 1, "name": "stk"}]
    shown = [rows]
    with Sandbox({"demo": Grant(Altered(company, "rest:/units", lambda _: shown[0]))}) as sandbox:
        job = Job(warm_tap, sandbox, "units")
        found = []
        for shown[0] in (rows, rows, [], [], rows, rows):
            found.append(len(job().records["units"]))
    assert found == [1, 0, 0, 0, 1, 0]


@pytest.mark.parametrize(
    "settings",
    [
        {"decimals": "string"},
        {"include_links": True},
        {"stream_maps": {"customers": {"name": "name.upper()"}}},
    ],
    ids=str,
)
def test_another_schema_or_form_of_the_rows_sends_them(
    loaded: Job, settings: dict[str, Any]
) -> None:
    assert "customers" in sent(loaded(**settings))
    assert sent(loaded(**settings)) == set()


def test_a_column_that_is_deselected_sends_the_stream(loaded: Job) -> None:
    catalog = loaded.tap.catalog_of(*STREAMS)
    (units,) = (s for s in catalog["streams"] if s["tap_stream_id"] == "units")
    name = next(m for m in units["metadata"] if m["breadcrumb"] == ["properties", "name"])
    name["metadata"]["selected"] = False
    config = settings_for(loaded.sandbox, "demo", **SKIP)
    runs = []
    for _ in range(2):
        run = loaded.tap(config, catalog=catalog, state=loaded.state)
        loaded.state = run.state
        runs.append(sent(run))
    assert runs == [{"units"}, set()]


def test_with_stream_maps_it_is_the_mapped_lines_that_are_compared(
    loaded: Job, company: Company
) -> None:
    maps = {"departments": {"name": None}}
    assert sent(loaded(stream_maps=maps)) == {"departments"}
    edit(company, "Rettet navn")
    assert sent(loaded(stream_maps=maps)) == set(), "the map removes the column that changed"


def test_a_stream_that_is_not_selected_for_a_night_is_not_sent_after_it(loaded: Job) -> None:
    loaded.streams = tuple(name for name in STREAMS if name != "units")
    loaded()
    loaded.streams = STREAMS
    assert sent(loaded()) == set()


def test_a_new_company_is_sent_and_the_others_are_not(loaded: Job) -> None:
    more = build_company(NUMBER + 1, "Ny ApS", seed=8, entries=50)
    with Sandbox({**loaded.sandbox.grants, "new": Grant(more)}) as both:
        loaded.sandbox = both
        run = loaded()
        assert {row["agreementNumber"] for row in run.records["customers"]} == {NUMBER + 1}
        assert sent(loaded()) == set()


# --- when digests go ---


def test_a_run_without_the_setting_removes_all_digests(loaded: Job) -> None:
    """It writes what the next run would not compare with."""
    run = loaded(skip_unchanged="none")
    kinds = [message["type"] for message in run.messages]
    first = run.messages[kinds.index("STATE")]["value"]
    assert kinds.index("STATE") < kinds.index("RECORD")
    assert digests(first) == digests(run.state) == {}
    assert sent(loaded()) == FULL


def damaged(state: Any) -> Iterator[Any]:
    """States that somebody has edited."""
    for value in ("x", 7, {}, {"units": 3}, ["x"] * 200, [None, 1, [], {}], None, True):
        changed = copy.deepcopy(state)
        partition_of(changed)["digests"] = value
        yield changed
    changed = copy.deepcopy(state)
    del changed["bookmarks"]["agreements"]["full_read_streams"]
    yield changed
    changed["bookmarks"]["agreements"]["full_read_streams"] = ["renamed", *FULL]
    yield changed


def test_digests_that_cannot_be_read_are_none(loaded: Job) -> None:
    whole = loaded.state
    for state in damaged(whole):
        loaded.state = state
        assert sent(loaded()) == FULL
        assert sent(loaded()) == set()


def test_streams_of_another_version_in_the_state_do_not_matter(loaded: Job) -> None:
    agreements = loaded.state["bookmarks"]["agreements"]
    place = agreements["full_read_streams"].index("units")
    agreements["full_read_streams"][place] = "units_of_old"
    assert sent(loaded()) == {"units"}
    assert sent(loaded()) == set()


def test_a_stream_that_fails_part_way_sends_what_was_read_and_has_no_digest(
    loaded: Job, company: Company
) -> None:
    key: Any = company.rows("rest:/departments")[0]
    before, key["departmentNumber"] = key["departmentNumber"], None
    run = loaded(code=1)
    assert sent(run) == {"departments"}
    assert digests(run.state).keys() == FULL - {"departments"}
    key["departmentNumber"] = before
    assert sent(loaded()) == {"departments"}


@pytest.mark.parametrize("status", [403, 500])
def test_a_stream_of_which_nothing_was_read_keeps_its_digest(loaded: Job, status: int) -> None:
    loaded.sandbox.faults.add("/departments", "status", status=status)
    run = loaded(code=int(status == 500), max_wait_minutes=0)
    assert sent(run) == set()
    loaded.sandbox.faults.clear()
    assert sent(loaded()) == set()


# --- sent again ---


class Later(TapRunner):
    """The tap, some days from now."""

    def __init__(self, folder: Path, days: int) -> None:
        super().__init__(folder)
        shift = f"import time; now = time.time; time.time = lambda: now() + {days * 86_400}"
        main = "from tap_visma_economic.__main__ import main; main()"
        self.command = (sys.executable, "-c", f"{shift}; {main}")  # type: ignore[assignment]


def test_everything_is_sent_again_once_in_these_days_a_part_each_night(
    tmp_path: Path, loaded: Job
) -> None:
    loaded.state = None
    loaded(resend_days=3)
    nights = []
    for day in range(1, 7):
        loaded.tap = Later(tmp_path, day)
        nights.append(sent(loaded(resend_days=3)))
        assert sent(loaded(resend_days=3)) == set(), "once a day is enough"
    assert set.union(*nights[:3]) == FULL
    assert nights[:3] == nights[3:]
    assert sum(map(len, nights)) == 2 * len(FULL)
    assert len([night for night in nights[:3] if night]) > 1


# --- what cannot be ---


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (
            {"emit_activate_version_messages": True},
            "skip_unchanged cannot be used with emit_activate_version_messages",
        ),
        (
            {"batch_config": {"encoding": {"format": "jsonl"}, "storage": {"root": "file://x"}}},
            "skip_unchanged cannot be used with batch_config",
        ),
        ({"resend_days": 0}, "resend_days must be a whole number (at least 1"),
        ({"skip_unchanged": "yes"}, "skip_unchanged must be one of none, upsert"),
    ],
)
def test_settings_that_cannot_work_are_rejected_with_the_reason(
    warm_tap: TapRunner, sandbox: Sandbox, settings: dict[str, Any], words: str
) -> None:
    run = warm_tap(settings_for(sandbox, "demo", **{**SKIP, **settings}))
    assert run.exit_code == 1
    assert run.messages == []
    assert words in run.errors[-1]


# --- many rows ---


def test_more_rows_than_fit_into_memory_are_in_a_temporary_file(
    warm_tap: TapRunner, company: Company, tmp_path: Path
) -> None:
    text = "x" * 200
    rows = [{"unitNumber": number, "name": f"{number} {text}"} for number in range(1, 30_001)]
    with Sandbox({"demo": Grant(Altered(company, "rest:/units", lambda _: rows))}) as sandbox:
        job = Job(warm_tap, sandbox, "units")
        first, second = job(), job()
        assert [row["unitNumber"] for row in first.records["units"]] == list(range(1, 30_001))
        assert sent(second) == set()
        rows[-1] = {**rows[-1], "name": "y"}
        assert len(job().records["units"]) == 30_000
        config = settings_for(sandbox, "demo", **SKIP)
        rows[-1] = {**rows[-1], "name": "z"}
        nowhere = warm_tap(
            config,
            catalog=warm_tap.catalog_of("departments", "units"),
            state=job.state,
            env={"TMPDIR": str(tmp_path)} if False else {"PYTHONPATH": str(_no_room(tmp_path))},
        )
    del nowhere
    assert not list(tmp_path.glob("tmp*"))


def _no_room(folder: Path) -> Path:
    return folder
