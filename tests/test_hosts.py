"""Where the tap runs: hosts that give it nothing but an environment, and a container."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.conftest import settings_for
from tests.documents import ROOT, every_block

if TYPE_CHECKING:
    from tests.conftest import TapRunner
    from tests.sandbox.server import Sandbox

BIN = Path(sys.executable).parent
DOCKERFILE = (ROOT / "Dockerfile").read_text("utf-8")
STEPS = re.findall(r"^([A-Z]+) (.+)$", DOCKERFILE.replace("\\\n", ""), re.MULTILINE)
REST_STREAMS = ("accounts", "agreements", "customers")


def pandium(sandbox: Sandbox) -> dict[str, str]:
    """What Pandium gives its integrations."""
    return {
        "PAN_SEC_VISMA_APP_SECRET_TOKEN": sandbox.app_secret,
        "PAN_SEC_VISMA_GRANT_TOKEN": "demo",
        "PAN_SEC_VISMA_TENANT_URL": sandbox.url,
    }


@pytest.mark.parametrize("arguments", [(), ("--config=ENV",)], ids=["alone", "config=ENV"])
def test_pandiums_names_are_enough(
    arguments: tuple[str, ...], warm_tap: TapRunner, sandbox: Sandbox
) -> None:
    """The streams are those of the one API whose address Pandium gives."""
    catalog = warm_tap.catalog_of(*REST_STREAMS)
    run = warm_tap(None, *arguments, catalog=catalog, env=pandium(sandbox))
    assert run.exit_code == 0, run.stderr
    assert set(run.records) == set(REST_STREAMS)
    assert [row["agreementNumber"] for row in run.records["agreements"]] == [1234567]


@pytest.mark.parametrize("name", ["PAN_SEC_VISMA_APP_SECRET_TOKEN", "PAN_SEC_VISMA_GRANT_TOKEN"])
def test_without_one_of_pandiums_tokens_the_tap_says_what_is_missing(
    name: str, warm_tap: TapRunner, sandbox: Sandbox
) -> None:
    given = {key: value for key, value in pandium(sandbox).items() if key != name}
    run = warm_tap(None, env=given)
    assert run.exit_code == 1
    assert run.messages == []
    assert "token is missing" in run.errors[0]


@pytest.mark.parametrize("how", ["file", "environment"])
def test_any_other_way_to_give_a_setting_wins_over_pandiums(
    how: str, warm_tap: TapRunner, sandbox: Sandbox
) -> None:
    config = settings_for(sandbox, "demo-2")
    catalog = warm_tap.catalog_of("agreements")
    if how == "file":
        run = warm_tap(config, catalog=catalog, env=pandium(sandbox))
    else:
        named = {f"TAP_VISMA_ECONOMIC_{key.upper()}": value for key, value in config.items()}
        run = warm_tap(None, "--config=ENV", catalog=catalog, env={**pandium(sandbox), **named})
    assert [row["agreementNumber"] for row in run.records["agreements"]] == [1234568]


def test_the_dockerfile_passes_its_linter() -> None:
    done = subprocess.run(
        [str(BIN / "hadolint"), "--failure-threshold=style", str(ROOT / "Dockerfile")],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_the_container_is_run_by_an_ordinary_user() -> None:
    users = [words for step, words in STEPS if step == "USER"]
    assert users == ["10001"]
    entry = STEPS.index(("ENTRYPOINT", '["tap-visma-economic"]'))
    assert STEPS.index(("USER", "10001")) < entry


def copied() -> list[str]:
    """What the Dockerfile copies from the repository."""
    words = [w.split() for step, w in STEPS if step == "COPY" and not w.startswith("--from")]
    return [name for sources in words for name in sources[:-1]]


def test_everything_that_is_copied_is_let_through_and_nothing_else() -> None:
    """.dockerignore begins by leaving out everything."""
    first, *lines = (ROOT / ".dockerignore").read_text("utf-8").split()
    assert first == "*"
    assert sorted(copied()) == sorted(line[1:] for line in lines if line.startswith("!"))
    assert all((ROOT / name).exists() for name in copied())


@pytest.mark.slow
def test_what_the_dockerfile_runs_makes_a_tap_that_works(tmp_path: Path, sandbox: Sandbox) -> None:
    """Its commands, in a folder with only what it copies; making the user is left out."""
    source, target = tmp_path / "src", tmp_path / "opt"
    source.mkdir()
    for name in copied():
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, source / name)
    (first, *others) = [words for step, words in STEPS if step == "RUN"]
    assert [words.split(" && ")[-1].split()[0] for words in others] == ["useradd"]
    commands = first.replace("/opt/", f"{target}/").replace("python ", f"{sys.executable} ", 1)
    path = f"{target}/tap/bin:/usr/bin:/bin"
    subprocess.run(["bash", "-ec", commands], cwd=source, check=True, timeout=600)
    environment = {"PATH": path, **pandium(sandbox)}
    environment["TAP_VISMA_ECONOMIC_OPENAPI_URL"] = sandbox.url
    (build,) = [b for b in every_block("sh") if b.document == "docs/running/container.md"]
    (line,) = re.findall(r"^  (tap-visma-economic .+) > messages", build.text, re.MULTILINE)
    done = subprocess.run(
        shlex.split(line),
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()[-2000:]
    assert b"Complete: " in done.stderr
