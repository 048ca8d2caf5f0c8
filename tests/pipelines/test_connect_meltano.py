"""`meltano invoke tap-visma-economic:connect`: the tap reads afterwards what it has saved."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

from scripts.local import environment
from tests.conftest import clean_environment
from tests.connecting import at_a_terminal, line_of, lines_in
from tests.pipelines.conftest import MELTANO, NO_HUB, TAP, Pipeline, meltano
from tests.sandbox.approval import installation_url
from tests.support import APP, CANARY, GRANT, GRANT_2, NUMBER, canary_sandbox

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_two_companies_are_connected_through_meltano(
    tmp_path_factory: pytest.TempPathFactory, installed: Path
) -> None:
    folder = Pipeline(tmp_path_factory.mktemp("project"), installed).project.folder
    with canary_sandbox() as sandbox:
        urls = environment({"rest_url": sandbox.url, "openapi_url": sandbox.url})
        command = ["invoke", "tap-visma-economic:connect", "--paste"]
        app = f"--app={installation_url(sandbox.url)}"
        first = meltano(folder, *command, app, typed=f"{APP}\n{GRANT}\n", **urls)
        (folder / ".env").write_text(
            f"TAP_VISMA_ECONOMIC_APP_SECRET_TOKEN={APP}\n"
            "TAP_VISMA_ECONOMIC_AGREEMENTS_FILE=agreements.jsonl\n"
        )
        second = meltano(folder, *command, app, typed=f"{GRANT_2}\n", **urls)
        tested = meltano(folder, "invoke", TAP, "--test", **urls)
    for done in (first, second, tested):
        assert done.returncode == 0, done.stderr
        assert CANARY not in done.stdout + done.stderr
    assert "Firma 0" in first.stderr
    assert "which now has 2 agreements" in second.stderr
    path = folder / "agreements.jsonl"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert lines_in(path) == [line_of(0, GRANT), line_of(1, GRANT_2)]
    assert ["Firma 0" in tested.stdout, "Firma 1" in tested.stdout] == [True, True]


def test_at_a_terminal_questions_are_not_log_lines_of_meltano(
    tmp_path_factory: pytest.TempPathFactory, installed: Path
) -> None:
    folder = Pipeline(tmp_path_factory.mktemp("project"), installed).project.folder
    command = [MELTANO, "invoke", "tap-visma-economic:connect", "--paste"]
    with canary_sandbox() as sandbox:
        urls = {"rest_url": sandbox.url, "openapi_url": sandbox.url}
        env = {**clean_environment(), **NO_HUB, **environment(urls)}
        url = installation_url(sandbox.url)
        answers = [("installation URL):", url), ("(hidden):", APP), ("token:", GRANT)]
        ended = at_a_terminal(command, folder, env, answers)
    assert ended.exit_code == 0, ended.stdout
    lines = ended.stdout.replace("\r", "").splitlines()
    assert f"Connected to Firma 0, agreement {NUMBER}." in lines, ended.stdout
    assert any(line.startswith("App public token") for line in lines)
    assert CANARY not in ended.stdout
