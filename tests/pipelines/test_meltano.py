"""The tap as Meltano runs it, into JSONL."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

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

Loaded = dict[str, list[dict[str, Any]]]


def load(pipeline: Pipeline, config: dict[str, Any], folder: Path) -> Run:
    return pipeline.run("target-jsonl", config, {"TARGET_JSONL_DESTINATION_PATH": str(folder)})


def rows_in(folder: Path) -> Loaded:
    return {
        path.stem: [json.loads(line) for line in path.read_text("utf-8").splitlines()]
        for path in folder.glob("*.jsonl")
    }


@pytest.fixture(scope="module")
def first(pipeline: Pipeline, sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a new project loads, without a `select` or any other setting than the tokens."""
    folder = tmp_path_factory.mktemp("first")
    run = load(pipeline, settings_for(sandbox, "demo"), folder)
    assert run.exit_code == 0, said(run)
    assert streams_of(run) == {*DEFAULT, "sync_runs"}
    return folder


def test_every_row_of_the_default_streams_arrives(first: Path, sandbox: Sandbox) -> None:
    company = sandbox.grants["demo"].company
    held = {stream: len(truth(company, stream)) for stream in DEFAULT}
    held["sync_runs"] = 1
    assert {stream: len(rows) for stream, rows in rows_in(first).items()} == held


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
