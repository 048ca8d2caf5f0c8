"""The loader of docs/loading/files.md: a second run takes no rows of the first away."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

import yaml

from tests.conftest import settings_for
from tests.documents import every_block
from tests.pipelines.conftest import Pipeline, said

if TYPE_CHECKING:
    from pathlib import Path

    from tests.sandbox.server import Sandbox


def test_files_of_two_runs_hold_every_row(
    sandbox: Sandbox, installed: Path, tmp_path: Path
) -> None:
    (block,) = (b for b in every_block("yaml") if b.document == "docs/loading/files.md")
    pipeline = Pipeline(tmp_path / "project", installed, borrowed=("extractors",))
    file = pipeline.project.folder / "meltano.yml"
    project = yaml.safe_load(file.read_text("utf-8"))
    project["plugins"]["loaders"] = yaml.safe_load(block.text)["plugins"]["loaders"]
    del project["jobs"]
    file.write_text(yaml.safe_dump(project), "utf-8")
    (pipeline.project.folder / "output").mkdir()
    done = pipeline.project.install("target-csv")
    assert done.exit_code == 0, said(done)
    for _ in range(2):
        run = pipeline.run(
            "target-csv",
            settings_for(sandbox, "demo"),
            {"TAP_VISMA_ECONOMIC__SELECT": '["booked_entries.*"]'},
        )
        assert run.exit_code == 0, said(run)
    files = [*(pipeline.project.folder / "output").glob("booked_entries-*.csv")]
    assert len(files) == 2
    texts = [file.read_text("utf-8").splitlines() for file in files]
    numbers = {int(row["entryNumber"]) for text in texts for row in csv.DictReader(text)}
    rows = sandbox.grants["demo"].company.rows("bookedEntriesapi:/booked-entries")
    assert numbers == {row["entryNumber"] for row in rows}
