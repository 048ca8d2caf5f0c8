"""The tap as Meltano runs it, into JSONL."""

from __future__ import annotations

import datetime as dt
import json
from typing import TYPE_CHECKING, Any

import pytest

from scripts.trial_balance import trial_balance
from tests.conftest import settings_for
from tests.pipelines.conftest import Pipeline, said, streams_of
from tests.sandbox import Grant
from tests.sandbox.company import build_company
from tests.sandbox.server import Sandbox
from tests.test_discovery import CONTRACT, DEFAULT
from tests.test_records_arrive import truth

if TYPE_CHECKING:
    from pathlib import Path

    from scripts.local import Run

OVERLAP = 1000
LOOKBACK = dt.timedelta(minutes=180)

Loaded = dict[str, list[dict[str, Any]]]


def load(pipeline: Pipeline, config: dict[str, Any], folder: Path) -> Run:
    return pipeline.run("target-jsonl", config, {"TARGET_JSONL_DESTINATION_PATH": str(folder)})


def rows_in(folder: Path) -> Loaded:
    return {
        path.stem: [json.loads(line) for line in path.read_text("utf-8").splitlines()]
        for path in folder.glob("*.jsonl")
    }


def timed(facts: dict[str, Any]) -> bool:
    return bool(facts["replication"] == "timestamp")


def lately(rows: list[dict[str, Any]], key: str) -> int:
    """How many rows changed no longer before the latest one than the look-back."""
    instants = [dt.datetime.fromisoformat(row[key].replace("Z", "+00:00")) for row in rows]
    return sum(instant >= max(instants) - LOOKBACK for instant in instants)


@pytest.fixture(scope="module")
def first(pipeline: Pipeline, sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a new project loads, without a `select` or any other setting than the tokens."""
    folder = tmp_path_factory.mktemp("first")
    run = load(pipeline, settings_for(sandbox, "demo"), folder)
    assert run.exit_code == 0, said(run)
    assert streams_of(run) == {*DEFAULT, "sync_runs"}
    return folder


@pytest.fixture(scope="module")
def second(
    pipeline: Pipeline, sandbox: Sandbox, first: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """What the same project loads right afterwards."""
    folder = tmp_path_factory.mktemp("second")
    run = load(pipeline, settings_for(sandbox, "demo"), folder)
    assert run.exit_code == 0, said(run)
    return folder


def test_every_row_of_the_default_streams_arrives(first: Path, sandbox: Sandbox) -> None:
    company = sandbox.grants["demo"].company
    held = {stream: len(truth(company, stream)) for stream in DEFAULT}
    held["sync_runs"] = 1
    assert {stream: len(rows) for stream, rows in rows_in(first).items()} == held


def test_the_trial_balance_of_what_arrived_equals_the_control_totals(first: Path) -> None:
    balance = trial_balance(first)
    assert len(balance.years) == 4
    assert balance.faults() == []


def test_a_second_run_reads_of_the_ledger_the_overlap_and_what_is_open(
    first: Path, second: Path
) -> None:
    entries = rows_in(first)["booked_entries"]
    again = {row["entryNumber"] for row in rows_in(second)["booked_entries"]}
    from_number = max(row["entryNumber"] for row in entries) - OVERLAP
    open_ones = {row["entryNumber"] for row in entries if row["remainder"]}
    overlap = {row["entryNumber"] for row in entries if row["entryNumber"] >= from_number}
    assert len(entries) > 1.5 * OVERLAP
    assert again == overlap | open_ones


def test_a_second_run_reads_from_the_latest_change_less_the_look_back(
    first: Path, second: Path
) -> None:
    before, after = rows_in(first), rows_in(second)
    by_time = {s: f["replication_key"] for s, f in CONTRACT.items() if s in DEFAULT and timed(f)}
    expected = {stream: lately(before[stream], key) for stream, key in by_time.items()}
    assert {stream: len(after[stream]) for stream in by_time} == expected
    assert sum(expected.values()) < sum(len(before[stream]) for stream in by_time)


def test_a_second_run_reads_the_full_streams_in_full(first: Path, second: Path) -> None:
    before, after = rows_in(first), rows_in(second)
    full = [stream for stream in DEFAULT if CONTRACT[stream]["replication"] == "full"]
    assert {s: len(after[s]) for s in full} == {s: len(before[s]) for s in full}


def test_a_property_that_the_extra_schema_adds_is_a_column(installed: Path, tmp_path: Path) -> None:
    company = build_company(1234567, "Firma", seed=7, entries=300)
    for row in company.rows("rest:/customers")[1:3]:
        row["score"] = "12.50"
    pipeline = Pipeline(tmp_path / "project", installed)
    project = tmp_path / "project" / "meltano.yml"
    extra = "    schema:\n      customers:\n        score: {type: [number, 'null']}\n"
    name = "  - name: tap-visma-economic\n"
    text = project.read_text("utf-8")
    assert text.count(name) == 1
    project.write_text(text.replace(name, name + extra), encoding="utf-8")
    with Sandbox({"demo": Grant(company)}) as sandbox:
        run = load(pipeline, settings_for(sandbox, "demo"), tmp_path / "rows")
    assert run.exit_code == 0, said(run)
    assert [row["score"] for row in rows_in(tmp_path / "rows")["customers"][:4]] == [
        None,
        12.5,
        12.5,
        None,
    ]
    assert "unknown property score" not in said(run)


def test_several_companies_and_all_streams_can_be_set_in_the_environment(
    sandbox: Sandbox, installed: Path, tmp_path: Path
) -> None:
    config = settings_for(sandbox, "demo-2", "demo-3", all_streams=True, rate_limit_share=0.9)
    run = load(Pipeline(tmp_path / "project", installed), config, tmp_path / "rows")
    assert run.exit_code == 0, said(run)
    assert streams_of(run) == {*CONTRACT, "sync_runs"}
    rows = rows_in(tmp_path / "rows")
    assert [row["agreementNumber"] for row in rows["agreements"]] == [1234568, 1234569]


def test_a_tap_that_fails_fails_the_meltano_run(
    sandbox: Sandbox, installed: Path, tmp_path: Path
) -> None:
    config = settings_for(sandbox, "no-such-grant")
    run = load(Pipeline(tmp_path / "project", installed), config, tmp_path / "rows")
    assert run.exit_code == 1
    assert "rejected the tokens" in said(run)
    assert "no-such-grant" not in said(run)
