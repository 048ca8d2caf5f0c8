"""`skip_unchanged`: what the target has is not sent again, and what it may not have is."""

from __future__ import annotations

import copy
import json
import random
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.conftest import TapRunner, WarmTapRunner, settings_for
from tests.hooks import AGREEMENT, updated
from tests.nights import Nights
from tests.sandbox.company import build_company
from tests.sandbox.grants import Grant
from tests.sandbox.server import Sandbox
from tests.support import Altered, always, served, wait_until
from tests.test_events import Companies
from tests.test_stopping import ended, start, waiting_bytes
from tests.warehouse import key_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.conftest import Run
    from tests.sandbox.company import Company
    from tests.support import Firm

STREAMS = ("agreements", "booked_entries", "customers", "departments", "products", "units")
SKIP: dict[str, Any] = {"skip_unchanged": "upsert", "resend_days": 365}
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
        settings = {"state": self.state, **SKIP, **settings}
        run = self.tap.read(self.sandbox, *self.streams, code=code, **settings)
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


def test_a_second_run_sends_nothing_of_what_has_not_changed(job: Job) -> None:
    """And the log counts it."""
    first, second = job(), job()
    assert sent(second) == set()
    assert not second.schemas.keys() & FULL, "the target would check each of these tables"
    assert digests(second.state) == digests(first.state)
    assert digests(first.state).keys() == FULL
    same = sum(len(first.records[stream]) for stream in FULL)
    written = len(second.records["booked_entries"])
    assert "Not sent" not in first.stderr
    told = f"Not sent: {same} rows of 5 streams, unchanged since they were last sent"
    assert told in second.stderr
    assert f"Complete: {written} rows from 6 streams, 1 company" in second.stderr


def test_the_schema_of_a_stream_comes_before_its_first_row_and_only_then(
    loaded: Job, company: Company
) -> None:
    edit(company, "Rettet navn")
    run = loaded()
    kinds = [m["type"] for m in run.messages if m.get("stream") == "departments"]
    assert kinds == ["SCHEMA", *["RECORD"] * len(company.rows("rest:/departments"))]
    assert run.schemas.keys() & FULL == {"departments"}


def test_the_table_of_an_empty_stream_is_described_once(
    warm_tap: TapRunner, company: Company
) -> None:
    with Sandbox({"demo": Grant(Altered(company, "rest:/units", lambda _: []))}) as sandbox:
        job = Job(warm_tap, sandbox, "units")
        assert ["units" in job().schemas for _ in range(3)] == [True, False, False]
        assert "units" in job(include_links=True).schemas, "it has another column"


def test_without_the_setting_everything_is_sent_and_no_digest_kept(job: Job) -> None:
    for _ in range(2):
        run = job(skip_unchanged="none")
        assert sent(run) == FULL
        assert digests(run.state) == {}
        assert "Not sent" not in run.stderr


def test_one_changed_row_sends_its_whole_stream_and_no_other(loaded: Job, company: Company) -> None:
    """Also if the change is undone."""
    departments: Any = company.rows("rest:/departments")
    for name in ("Rettet navn", departments[0]["name"]):
        edit(company, name)
        run = loaded()
        assert sent(run) == {"departments"}
        assert len(run.records["departments"]) == len(departments)
    assert sent(loaded()) == set()


def test_rows_in_another_order_are_sent(warm_tap: TapRunner, company: Company) -> None:
    """A target keeps the last of two rows with the same key, so their order matters."""
    rows = [{"paymentTermsNumber": n, "name": f"Netto {n}"} for n in (1, 2)]
    altered = Altered(company, "rest:/payment-terms", lambda _: rows)
    with Sandbox({"demo": Grant(altered)}) as sandbox:
        job = Job(warm_tap, sandbox, "currencies", "payment_terms")
        first = job()
        rows.reverse()
        assert sent(job()) == {"payment_terms"}
        assert sent(first) == {"currencies", "payment_terms"}


def test_a_stream_that_becomes_empty_and_full_again_is_sent(
    warm_tap: TapRunner, company: Company
) -> None:
    """Even if the rows are those from before: without it they would stay deleted."""
    rows = [{"unitNumber": 1, "name": "stk"}]
    shown = [rows]
    with Sandbox({"demo": Grant(Altered(company, "rest:/units", lambda _: shown[0]))}) as sandbox:
        job = Job(warm_tap, sandbox, "units")
        found = [len(job().records["units"]) for shown[0] in (rows, rows, [], [], rows, rows)]
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
    units = next(s for s in catalog["streams"] if s["tap_stream_id"] == "units")
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
    loaded(stream_maps=maps)
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
    values: tuple[Any, ...] = ("x", 7, {}, {"units": 3}, ["x"] * 200, [None, 1, [], {}], None, True)
    for value in values:
        changed = copy.deepcopy(state)
        partition_of(changed)["digests"] = value
        yield changed
    changed = copy.deepcopy(state)
    del changed["bookmarks"]["agreements"]["full_read_streams"]
    yield changed
    changed["bookmarks"]["agreements"]["full_read_streams"] = ["renamed"] * 20
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


def test_the_schema_of_a_stream_that_is_denied_takes_no_digest_out_of_the_state(
    loaded: Job,
) -> None:
    loaded.state = None
    loaded.sandbox.faults.add("/departments", "status", status=403, times=None)
    first = loaded()
    second = loaded()
    assert "departments" in second.schemas
    states = [message["value"] for message in second.messages if message["type"] == "STATE"]
    assert [digests(state) for state in states] == [digests(first.state)] * len(states)


@pytest.mark.parametrize("status", [403, 500])
def test_a_stream_of_which_nothing_was_read_keeps_its_digest(loaded: Job, status: int) -> None:
    always(loaded.sandbox, "/departments", status)
    run = loaded(code=int(status == 500), max_wait_minutes=0)
    assert sent(run) == set()
    loaded.sandbox.faults.clear()
    assert sent(loaded()) == set()


# --- sent again ---


def shifted(days: int) -> str:
    """Python after which it is some days later."""
    return f"import time; now = time.time; time.time = lambda: now() + {days * 86_400}"


def test_everything_is_sent_again_once_in_these_days_a_part_each_night(
    tmp_path: Path, loaded: Job
) -> None:
    loaded.state = None
    loaded(resend_days=3)
    nights = []
    for day in range(1, 7):
        loaded.tap = with_python(tmp_path, shifted(day))
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
    sandbox: Firm, settings: dict[str, Any], words: str
) -> None:
    run = sandbox.read(code=1, **{**SKIP, **settings})
    assert run.messages == []
    assert words in run.errors[-1]


# --- many rows ---

TEXT = "x" * 200
MANY = 45_000
"""Rows of 9 MB: more than are collected in memory."""


class Large(Job):
    """A company with very many units, which `rows` has."""

    def __init__(self, tap: TapRunner, sandbox: Sandbox, rows: list[Any]) -> None:
        super().__init__(tap, sandbox, "units")
        self.rows = rows

    def change(self, name: str) -> None:
        self.rows[-1] = {**self.rows[-1], "name": name}


@pytest.fixture
def large(warm_tap: TapRunner, company: Company) -> Iterator[Large]:
    rows = [{"unitNumber": number, "name": f"{number} {TEXT}"} for number in range(1, MANY + 1)]
    with Sandbox({"demo": Grant(Altered(company, "rest:/units", lambda _: rows))}) as sandbox:
        yield Large(warm_tap, sandbox, rows)


def test_more_rows_than_fit_into_memory_are_all_sent_or_none(large: Large) -> None:
    first = large()
    assert [row["unitNumber"] for row in first.records["units"]] == list(range(1, MANY + 1))
    assert sent(large()) == set()
    large.change("the last of them")
    assert len(large().records["units"]) == MANY


@pytest.mark.parametrize("missing", [500_000, 100])
def test_a_temporary_file_that_cannot_be_written_fails_the_stream_and_sends_no_cut_line(
    large: Large, tmp_path: Path, missing: int
) -> None:
    """Nor if it is the last few rows for which there is no space."""
    large.rows.append({"unitNumber": MANY + 1, "name": "the last"})
    size = size_of(large(), "units")
    before = digests(large.state)
    large.tap = with_python(
        tmp_path,
        "import resource, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({size - missing}, -1))",
    )
    large.change("the first")
    run = large(code=1)
    assert sent(run) == set()
    assert "temporary file, which could not be written (File too large)" in run.errors[0]
    assert digests(run.state) == before, "nothing of it was sent"
    large.tap = WarmTapRunner(tmp_path)
    assert len(large().records["units"]) == MANY + 1


def size_of(run: Run, stream: str) -> int:
    """The bytes of a stream's lines, whose numbers here are integers."""
    lines = [m for m in run.messages if m["type"] == "RECORD" and m["stream"] == stream]
    return sum(len(json.dumps(m, separators=(",", ":"), ensure_ascii=False)) + 1 for m in lines)


# --- runs that are killed ---


def with_python(folder: Path, code: str) -> TapRunner:
    """The command line, after some Python."""
    tap = TapRunner(folder)
    main = "from tap_visma_economic.__main__ import main; main()"
    tap.command = (sys.executable, "-c", f"{code}; {main}")
    return tap


EVERY_PAGE = "from tap_visma_economic import writer; writer._STATE_EVERY = 0"
"""A STATE after each page, instead of every ten seconds."""


class Target:
    """A target's tables, and what it had when it had it.

    Attributes:
        of: by digest, all rows of a stream.
    """

    def __init__(self) -> None:
        self.tables: dict[str, dict[Any, Any]] = {}
        self.of: dict[str, Any] = {}
        self.state: Any = None

    def take(self, message: Any) -> None:
        if message["type"] == "RECORD" and message["stream"] in FULL:
            record = message["record"]
            stream = message["stream"]
            self.tables.setdefault(stream, {})[key_of(stream, record)] = record
        elif message["type"] == "STATE":
            self.state = message["value"]

    def load(self, run: Run) -> None:
        """Take a run that ended well, and note which rows each digest stands for."""
        for message in run.messages:
            self.take(message)
        for stream, digest in digests(self.state).items():
            self.of[digest] = copy.deepcopy(self.tables.get(stream))

    @property
    def false_claims(self) -> list[str]:
        """The streams whose digest in the state stands for other rows than the table has."""
        claims = digests(self.state).items()
        return [s for s, digest in claims if self.of.get(digest, {}) != self.tables.get(s)]


EDITED = {stream: f"rest:/{stream}" for stream in ("customers", "departments", "units")}


def edit_all(company: Company, turn: int) -> None:
    for endpoint in EDITED.values():
        row: Any = company.rows(endpoint)[turn % 3]
        row["name"] = f"Rettet {turn}"


def test_wherever_a_run_is_killed_no_digest_covers_rows_that_the_target_lacks(
    job: Job, company: Company, tmp_path: Path
) -> None:
    """The target stores and confirms what it got before the kill, however little."""
    target = Target()
    job.tap = with_python(tmp_path, EVERY_PAGE)
    target.load(job())
    before = copy.deepcopy(target)
    edit_all(company, 1)
    run = job()
    assert sent(run) == EDITED.keys()
    after = copy.deepcopy(before)
    after.load(run)
    target.of |= after.of
    kept = []
    for message in run.messages:
        target.take(message)
        assert target.false_claims == []
        if message["type"] == "STATE":
            kept.append(digests(message["value"]).keys())
    assert len(kept) > len(FULL)
    assert {"agreements", "customers"} in kept, "what it finished, in the order of the streams"
    assert kept[-1] == FULL


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_after_a_signal_the_next_run_sends_what_is_missing(
    tmp_path: Path, number: signal.Signals
) -> None:
    company = build()
    with Nights(tmp_path, company, lambda: 1e9, *sorted(FULL), **SKIP) as nights:
        nights.run()
        assert nights.wrong() == []
        quiet = len(nights.sandbox.log)
        assert sent(nights.run()) == set()
        stopped = 0
        for request in range(2, quiet + 1):
            edit_all(company, request)
            stopped += nights.run_and_end(number, request)
            nights.run()
            assert nights.wrong() == [], request
        assert stopped > 2


def test_a_run_that_is_stopped_keeps_the_digests_of_what_it_did_not_send(
    tmp_path: Path, company: Company
) -> None:
    with Nights(tmp_path, company, lambda: 1e9, *sorted(FULL), **SKIP) as nights:
        nights.run()
        last = len(nights.sandbox.log)
        customer: Any = company.rows("rest:/customers")[0]
        customer["name"] = "Rettet navn"
        nights.sandbox.latency = 0.2
        assert nights.run_and_end(signal.SIGTERM, last)
        assert nights.wrong_in("customers") == [], "else nothing was sent before"
        assert digests(nights.state).keys() == FULL
        nights.sandbox.latency = 0
        assert sent(nights.run()) == set()


def test_rows_that_a_signal_keeps_from_being_sent_are_not_counted(
    tmp_path: Path, company: Company
) -> None:
    with Nights(tmp_path, company, lambda: 1e9, "units", **SKIP) as nights:
        nights.tap.plan(2, lambda: nights.tap.send(signal.SIGTERM))
        run = nights.tap.read(nights.sandbox, "units", "sync_runs", code=143, **SKIP)
        (row,) = run.records["sync_runs"]
        assert row["rowCount"] == len(run.records["units"]) == 0


def test_a_target_that_goes_away_while_lines_are_sent_ends_the_run(
    large: Large, run_tap: TapRunner
) -> None:
    config = settings_for(large.sandbox, "demo", **SKIP)
    arguments = run_tap.arguments(config, catalog=large.tap.catalog_of("units"))
    with start(run_tap, arguments, subprocess.PIPE) as process:
        wait_until(lambda: waiting_bytes(process) > 60_000)
        assert process.stdout is not None
        process.stdout.close()
        run = ended(run_tap, process, within=20)
    assert run.exit_code == 1
    assert "The target closed the pipe before the run ended" in run.errors[-1]


# --- event runs ---


def test_an_event_run_removes_the_digests_of_what_it_writes_before_it_does(
    warm_tap: TapRunner, tmp_path: Path
) -> None:
    both = Companies(warm_tap, tmp_path)
    with both.sandbox:
        both.config |= SKIP
        both.run()
        customer = both.companies[0].world.customers[0].number
        names = digests(both.state, AGREEMENT).keys()
        run = both.event_run(updated("CUSTOMER", customer))
        assert sent(run) == {"customers"}
        kinds = [message["type"] for message in run.messages]
        first = run.messages[kinds.index("STATE")]["value"]
        assert kinds.index("STATE") < kinds.index("RECORD")
        for state in (first, run.state):
            assert digests(state, AGREEMENT).keys() == names - {"customers"}
            assert digests(state, AGREEMENT + 1).keys() == names
        night = both.run()
        assert sent(night) & FULL == {"customers"}
        assert {row["agreementNumber"] for row in night.records["customers"]} == {AGREEMENT}


# --- a target that is behind ---


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5))
def test_after_a_resend_nothing_that_a_dead_run_left_is_wrong(tmp_path: Path, seed: int) -> None:
    """Lives: edits are often undone, runs are killed, and targets store more than they confirm.

    A target that confirms what it has stored is right after each run. One that dies with rows
    stored and not confirmed may have rows of that run until they are sent again.
    """
    chance = random.Random(seed)
    company = build()
    taps = [with_python(tmp_path, f"{EVERY_PAGE}; {shifted(day)}") for day in (0, 3)]
    with Sandbox({"demo": Grant(company)}) as sandbox:
        job, target = Job(taps[0], sandbox), Target()
        target.load(job(resend_days=3))
        for _ in range(25):
            edit_all(company, chance.randrange(2))
            run = job(resend_days=3)
            count = len(run.messages)
            if chance.random() < 0.4:
                count = chance.randrange(count)
            stored = chance.randint(0, count) if chance.random() < 0.3 else count
            for message in run.messages[:stored]:
                target.take(message)
            state = target.state
            for message in run.messages[stored:count]:  # stored, not confirmed
                target.take(message)
            if stored != count:
                target.state = state
            job.state = target.state
            if count == len(run.messages) and stored == count:
                target.load(run)
        job.tap = taps[1]
        target.load(job(resend_days=3))
    for stream, endpoint in EDITED.items():
        names = {row["name"] for row in company.rows(endpoint)}
        assert {record["name"] for record in target.tables[stream].values()} == names
