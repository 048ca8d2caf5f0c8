"""What Meltano keeps of a run: logs, its database, its folders."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from scripts.local import environment
from tests.conftest import settings_for
from tests.pipelines.conftest import TAP, Pipeline, meltano
from tests.support import CANARY, GRANT, GRANT_2, canary_sandbox, small_grants

if TYPE_CHECKING:
    from collections.abc import Iterator


def files_with(text: bytes, folder: Path) -> Iterator[Path]:
    """Files that Meltano has written; the plugins are links, which are not followed."""
    for parent, _, names in os.walk(folder / ".meltano"):
        for path in (Path(parent, name) for name in names):
            if text in path.read_bytes():
                yield path.relative_to(folder)


def test_what_meltano_keeps_of_a_run_holds_no_token(installed: Path, tmp_path: Path) -> None:
    project = Pipeline(tmp_path / "project", installed).project
    with canary_sandbox(small_grants(GRANT, GRANT_2)) as sandbox:
        sandbox.revoke(GRANT_2)
        settings = {
            **environment(settings_for(sandbox, GRANT, GRANT_2)),
            "TAP_VISMA_ECONOMIC_LOGLEVEL": "DEBUG",
            "TARGET_JSONL_DESTINATION_PATH": str(tmp_path / "rows"),
        }
        run, listed = (
            meltano(project.folder, "--log-level=debug", *command, **settings)
            for command in (["run", TAP, "target-jsonl"], ["config", "list", TAP])
        )
    assert listed.returncode == 0, listed.stderr
    assert "rest_url" in listed.stdout
    assert "redacted" in listed.stdout
    said = run.stdout + run.stderr + listed.stdout + listed.stderr
    assert run.returncode == 1, "a company of the two was not read"
    assert "rejected the tokens (401)" in said
    assert CANARY not in said
    written = [path.as_posix() for path in files_with(TAP.encode(), project.folder)]
    assert ".meltano/meltano.db" in written
    assert list(files_with(CANARY.encode(), project.folder)) == []
    assert list((tmp_path / "rows").iterdir())
